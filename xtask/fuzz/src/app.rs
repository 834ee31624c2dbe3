//! A whole application over the ports in memory, at a clock that stands still.
//!
//! | token | speaks for |
//! |---|---|
//! | `owner` | user 5, who owns group 5 |
//! | `member` | user 6, a member of it |
//! | `stranger` | user 7 |
//! | `admin` | user 900, with the admin scope |
//!
//! Group 5 has a log of [`HEAD`] entries; group 8 has nobody.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use axum::{Router, body::Body};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use sealroom_domain::{
    DisplayName, EncryptedContent, GroupId, GroupName, Limits, Principal, Refusal, Role, UserId,
    ports::Clock as _,
};
use sealroom_engine::{
    AccountOptions, AccountParts, AccountService, Actor, Chat, ChatOptions, MessageDraft, Ports,
};
use sealroom_http::{HttpOptions, HttpParts, Readiness};
use sealroom_testkit::memory::{FixedClock, MemoryCredentials, MemoryStore, MemoryVerifier};
use tokio::runtime::Runtime;
use tower::ServiceExt as _;

/// The most entries of a page.
pub(crate) const PAGE: usize = 4;
/// The most bytes of a content.
pub(crate) const CONTENT_BYTES: usize = 64;
/// The most bytes of a body and of a frame.
pub(crate) const BODY_BYTES: usize = 4096;
/// The last entry of group 5: two members and five messages.
pub(crate) const HEAD: i64 = 7;

/// Tokens, whom they speak for, and their scopes.
const USERS: [(&str, i64, Option<&str>); 4] = [
    ("owner", 5, None),
    ("member", 6, None),
    ("stranger", 7, None),
    ("admin", 900, Some("admin")),
];

/// Everything behind the transports.
pub(crate) struct App {
    /// With paused time, which passes where nothing else is to be done.
    pub(crate) runtime: Runtime,
    pub(crate) chat: Arc<Chat>,
    pub(crate) tokens: MemoryVerifier,
    store: MemoryStore,
    clock: FixedClock,
}

/// What was answered.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

#[derive(Debug)]
struct Ready;

#[async_trait]
impl Readiness for Ready {
    async fn check(&self) -> bool {
        true
    }
}

impl App {
    /// As the table above says.
    pub(crate) fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime");
        let (store, clock) = (MemoryStore::new(), FixedClock::default());
        let options = ChatOptions {
            limits: limits(),
            ..ChatOptions::default()
        };
        let mut ports = Ports::on(&store, Arc::new(clock.clone()));
        ports.accounts = Some(Arc::new(store.clone()));
        let chat = runtime.block_on(async { Chat::start(ports, options) });
        let tokens = MemoryVerifier::new(Arc::new(clock.clone()));
        let principals = USERS.map(|(token, id, scope)| {
            let principal = principal(id, scope, &clock);
            tokens.register(token, principal.clone());
            principal
        });
        runtime
            .block_on(found(&chat, &principals))
            .expect("a good beginning");
        Self {
            runtime,
            chat,
            tokens,
            store,
            clock,
        }
    }

    /// The routes over it, with the built-in accounts.
    pub(crate) fn router(&self) -> Router {
        let accounts = AccountParts {
            chat: self.chat.clone(),
            accounts: Arc::new(self.store.clone()),
            credentials: Arc::new(MemoryCredentials::new(
                Arc::new(self.clock.clone()),
                self.tokens.clone(),
            )),
        };
        let options = HttpOptions {
            body_limit: BODY_BYTES,
            ..HttpOptions::default()
        };
        let _inside = self.runtime.enter();
        sealroom_http::router(HttpParts {
            chat: self.chat.clone(),
            verifier: Arc::new(self.tokens.clone()),
            accounts: Some(Arc::new(AccountService::new(accounts, AccountOptions::default()))),
            readiness: Arc::new(Ready),
            options,
        })
    }

    /// What the routes answer.
    pub(crate) fn ask(&self, router: &Router, request: Request<Body>) -> Answer {
        self.runtime.block_on(async {
            let Ok(response) = router.clone().oneshot(request).await;
            let (head, body) = response.into_parts();
            let body = body.collect().await.expect("a body in memory");
            Answer {
                status: head.status,
                headers: head.headers,
                body: body.to_bytes().to_vec(),
            }
        })
    }
}

/// The groups, in the order in which [`HEAD`] counts.
async fn found(chat: &Chat, principals: &[Principal; 4]) -> Result<(), Refusal> {
    let [owner, member, stranger, admin] = principals;
    for principal in [member, stranger] {
        chat.me(principal).await?;
    }
    let (owner_profile, by_admin) = (chat.me(owner).await?, Actor::from(admin));
    let name = |name| GroupName::new(name).expect("a name");
    chat.put_group(by_admin, group(5), name("Ops")).await?;
    chat.put_group(by_admin, group(8), name("Nobody")).await?;
    for (user, role) in [(owner, Role::Owner), (member, Role::Member)] {
        chat.put_member(by_admin, group(5), user.user_id, Some(role))
            .await?;
    }
    for content in ["one", "two", "three", "four", "five"] {
        let draft = MessageDraft {
            group_id: group(5),
            content: EncryptedContent::new(content, CONTENT_BYTES).expect("a content"),
            client_message_id: None,
            key_epoch: None,
        };
        chat.post(Actor::from(owner), &owner_profile, draft).await?;
    }
    Ok(())
}

fn group(id: i64) -> GroupId {
    GroupId::new(id).expect("an id")
}

/// Small where a fuzzer shall meet them, and none where they count what came before.
fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.content_bytes = CONTENT_BYTES;
    limits.page_entries = PAGE;
    limits.sends_per_user = None;
    limits.events_per_socket = None;
    limits
}

fn principal(id: i64, scope: Option<&str>, clock: &FixedClock) -> Principal {
    Principal {
        user_id: UserId::new(id).expect("an id"),
        name: DisplayName::new("Nguyễn Văn A").ok(),
        scope: scope.map(str::to_owned),
        login_id: None,
        issued_at: None,
        expires_at: clock.now().plus(Duration::from_hours(1)),
    }
}
