//! An application over the in-memory ports, and what it answers.

use std::{io, sync::Arc, time::Duration};

use async_trait::async_trait;
use axum::{
    Router,
    body::{Body, Bytes},
    http::{HeaderMap, Method, Request, StatusCode, header},
};
use futures_util::Stream;
use http_body_util::BodyExt as _;
use sealroom_domain::{
    ClientMessageId, DisplayName, EncryptedContent, GroupId, GroupName, KeyEpoch, Principal, Role, Timestamp,
    UserId,
    ports::{
        Accounts, Clock, GroupLog, Groups, Guard, Member, MemberLimits, Memberships, NewBody, NewEntry,
        NewGroup, ReadMarks, TokenVerifier, Users,
    },
};
use sealroom_engine::{AccountOptions, AccountParts, AccountService, Chat, ChatOptions, Ports};
use sealroom_http::{HttpOptions, HttpParts, Readiness};
use sealroom_testkit::{
    faults::{Faults, Faulty},
    memory::{FixedClock, MemoryCredentials, MemoryStore, MemoryVerifier},
};
use tower::ServiceExt as _;

use crate::contract;

/// The moment at which every test plays.
pub(crate) const NOW: &str = "2024-01-15T10:30:00.000Z";

/// The user of the token `admin`, a member of nothing.
pub(crate) const ADMIN: i64 = 900;

pub(crate) fn user(id: i64) -> UserId {
    UserId::new(id).unwrap()
}

pub(crate) fn group(id: i64) -> GroupId {
    GroupId::new(id).unwrap()
}

/// Ready as long as nobody says otherwise.
#[derive(Debug)]
pub(crate) struct Ready(pub(crate) bool);

#[async_trait]
impl Readiness for Ready {
    async fn check(&self) -> bool {
        self.0
    }
}

/// What a test may choose.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) chat: ChatOptions,
    pub(crate) http: HttpOptions,
    pub(crate) readiness: Arc<dyn Readiness>,
    /// Instead of the verifier that knows the tokens of [`App`].
    pub(crate) verifier: Option<Arc<dyn TokenVerifier>>,
    /// Whether there are built-in accounts.
    pub(crate) accounts: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            chat: ChatOptions::default(),
            http: HttpOptions::default(),
            readiness: Arc::new(Ready(true)),
            verifier: None,
            accounts: false,
        }
    }
}

/// The routes, and everything behind them. The tokens `u1` to `u9` speak for the users 1 to 9, `admin` for [`ADMIN`];
/// all end an hour after [`NOW`].
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) store: MemoryStore,
    pub(crate) clock: FixedClock,
    pub(crate) tokens: MemoryVerifier,
    pub(crate) faults: Faults,
    pub(crate) chat: Arc<Chat>,
    pub(crate) router: Router,
}

impl App {
    pub(crate) fn new() -> Self {
        Self::with(Setup::default())
    }

    pub(crate) fn with(setup: Setup) -> Self {
        let (store, clock, faults) = (MemoryStore::new(), FixedClock::default(), Faults::new());
        let tokens = MemoryVerifier::new(Arc::new(clock.clone()));
        for id in 1..=9 {
            tokens.register(format!("u{id}"), principal(id, None, &clock));
        }
        tokens.register("admin", principal(ADMIN, Some("chat admin"), &clock));
        let verifier: Arc<dyn TokenVerifier> = Arc::new(tokens.clone());
        let log: Arc<dyn GroupLog> = Arc::new(store.clone());
        let groups: Arc<dyn Groups> = Arc::new(store.clone());
        let memberships: Arc<dyn Memberships> = Arc::new(store.clone());
        let users: Arc<dyn Users> = Arc::new(store.clone());
        let read_marks: Arc<dyn ReadMarks> = Arc::new(store.clone());
        let ports = Ports {
            log: Arc::new(Faulty::new(log, &faults)),
            groups: Arc::new(Faulty::new(groups, &faults)),
            memberships: Arc::new(Faulty::new(memberships, &faults)),
            users: Arc::new(Faulty::new(users, &faults)),
            read_marks: Arc::new(Faulty::new(read_marks, &faults)),
            accounts: setup
                .accounts
                .then(|| -> Arc<dyn Accounts> { Arc::new(store.clone()) }),
            ..Ports::on(&store, Arc::new(clock.clone()))
        };
        let chat = Chat::start(ports, setup.chat);
        let credentials = MemoryCredentials::new(Arc::new(clock.clone()), tokens.clone());
        let works_with = AccountParts {
            chat: chat.clone(),
            accounts: Arc::new(store.clone()),
            credentials: Arc::new(credentials),
        };
        let accounts = AccountService::new(works_with, AccountOptions::default());
        let router = sealroom_http::router(HttpParts {
            chat: chat.clone(),
            verifier: setup
                .verifier
                .unwrap_or_else(|| Arc::new(Faulty::new(verifier, &faults))),
            accounts: setup.accounts.then(|| Arc::new(accounts)),
            readiness: setup.readiness,
            options: setup.http,
        });
        Self {
            store,
            clock,
            tokens,
            faults,
            chat,
            router,
        }
    }

    /// Asks as the owner of a token: `PUT /api/v1/groups/5`, with a JSON body where there is one.
    pub(crate) async fn ask(&self, token: &str, line: &str, json: impl Into<Option<&str>>) -> Reply {
        let mut ask = Ask::new(line).header("authorization", &format!("Bearer {token}"));
        if let Some(json) = json.into() {
            ask = ask
                .header("content-type", "application/json")
                .body(json.to_owned());
        }
        self.send(ask).await
    }

    /// Asks as written, and holds the answer against the document.
    pub(crate) async fn send(&self, ask: Ask) -> Reply {
        let request = ask.request();
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let reply = Reply {
            status: head.status,
            headers: head.headers,
            body: String::from_utf8_lossy(&bytes).into_owned(),
            bytes,
        };
        contract::check(&method, &path, reply.status, &reply.headers, &reply.body);
        reply
    }

    /// A group with these members; the first creates it.
    pub(crate) async fn group(&self, members: &[(i64, Role)]) -> i64 {
        let founders: Vec<Member> = members
            .iter()
            .map(|(id, role)| Member {
                user_id: user(*id),
                role: *role,
            })
            .collect();
        let new = NewGroup {
            name: GroupName::new("Ops").unwrap(),
            actor_id: founders[0].user_id,
            founders,
            at: self.clock.now(),
            keeps_membership: true,
            limits: MemberLimits::default(),
        };
        self.store.create(new).await.unwrap().unwrap().0.get()
    }

    /// A message in the log.
    pub(crate) async fn message(&self, group_id: i64, sender_id: i64, content: &str) {
        let entry = NewEntry {
            group_id: group(group_id),
            actor_id: user(sender_id),
            at: self.clock.now(),
            body: NewBody::Message {
                sender_name: DisplayName::new("Nguyễn Văn A").unwrap(),
                content: EncryptedContent::new(content, 65_536).unwrap(),
                client_message_id: ClientMessageId::new(format!("id {content}")).ok(),
                key_epoch: KeyEpoch::new(3).ok(),
            },
            guard: Guard::Host,
        };
        self.store.append(vec![entry]).await.unwrap()[0].as_ref().unwrap();
    }

    /// The members as they are kept: `1 owner, 2 member`.
    pub(crate) async fn kept_members(&self, group_id: i64) -> String {
        let members = self.store.members_of(group(group_id)).await.unwrap();
        let texts: Vec<String> = members
            .iter()
            .map(|member| format!("{} {}", member.user_id, member.role.as_str()))
            .collect();
        texts.join(", ")
    }

    pub(crate) async fn log_id(&self) -> String {
        self.store.log_id().await.unwrap().as_str().to_owned()
    }
}

/// A principal whose token lasts an hour.
pub(crate) fn principal(id: i64, scope: Option<&str>, clock: &FixedClock) -> Principal {
    Principal {
        user_id: user(id),
        name: None,
        scope: scope.map(str::to_owned),
        login_id: None,
        issued_at: None,
        expires_at: expiry(clock),
    }
}

pub(crate) fn expiry(clock: &FixedClock) -> Timestamp {
    clock.now().plus(Duration::from_hours(1))
}

/// A request.
#[derive(Debug)]
pub(crate) struct Ask {
    builder: axum::http::request::Builder,
    body: Body,
}

impl Ask {
    /// `GET /api/v1/me`.
    pub(crate) fn new(line: &str) -> Self {
        let (method, target) = line.split_once(' ').unwrap();
        Self {
            builder: Request::builder()
                .method(Method::from_bytes(method.as_bytes()).unwrap())
                .uri(target),
            body: Body::empty(),
        }
    }

    pub(crate) fn header(self, name: &str, value: &str) -> Self {
        self.header_bytes(name, value.as_bytes())
    }

    pub(crate) fn header_bytes(mut self, name: &str, value: &[u8]) -> Self {
        self.builder = self.builder.header(name, value);
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Body>) -> Self {
        self.body = body.into();
        self
    }

    /// A body of these pieces, whose length nobody knows before.
    pub(crate) fn pieces<S>(self, pieces: S) -> Self
    where
        S: Stream<Item = io::Result<Bytes>> + Send + 'static,
    {
        self.body(Body::from_stream(pieces))
    }

    fn request(self) -> Request<Body> {
        self.builder.body(self.body).unwrap()
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// As text, where it is any.
    pub(crate) body: String,
    pub(crate) bytes: Bytes,
}

impl Reply {
    /// `200 {…}`: the status, and the body as it is.
    pub(crate) fn text(&self) -> String {
        format!("{} {}", self.status.as_u16(), self.body)
    }

    /// The same without its request id, which no other answer has.
    pub(crate) fn without_id(mut self) -> Self {
        self.headers.remove("x-request-id");
        self
    }

    pub(crate) fn header(&self, name: header::HeaderName) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// All values of a header that is a list, in their order.
    pub(crate) fn all(&self, name: header::HeaderName) -> Vec<&str> {
        let values = self.headers.get_all(name).iter();
        values
            .flat_map(|value| value.to_str().unwrap().split(", "))
            .collect()
    }

    /// `400 invalid_data name`: status, code and the key at fault, of a refusal that is checked to be whole; the status
    /// alone of any other answer.
    pub(crate) fn verdict(&self) -> String {
        let status = self.status.as_u16();
        if status < 400 {
            return status.to_string();
        }
        let media_type = self.header(header::CONTENT_TYPE);
        assert_eq!(media_type, Some("application/problem+json"), "{self:?}");
        let document: serde_json::Value = serde_json::from_str(&self.body).unwrap();
        assert_eq!(document["type"], "about:blank");
        assert_eq!(document["title"], self.status.canonical_reason().unwrap());
        assert_eq!(document["status"], status);
        assert!(!document["detail"].as_str().unwrap().is_empty());
        let code = document["code"].as_str().unwrap();
        match document.get("field") {
            Some(field) => format!("{status} {code} {}", field.as_str().unwrap()),
            None => format!("{status} {code}"),
        }
    }
}
