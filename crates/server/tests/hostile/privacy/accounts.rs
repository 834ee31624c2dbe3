//! The built-in accounts with marked passwords, and webhooks: a server of its own, because its users are its own.

use std::sync::{Arc, Mutex};

use sealroom_testkit::client::http;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    task::JoinSet,
};

use super::{
    canary::{JUNK, NAME, PASSWORD, REFUSED, TOKEN, content},
    refusals::Refusals,
    sockets::Session,
};
use crate::{
    common::{Store, TestServer},
    target::eventually,
    world::World,
};

/// The secret of the webhooks, and its key alone.
const WEBHOOK_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const WEBHOOK_KEY: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// What was sent to it, and what came of it.
pub(super) struct Accounts {
    pub(super) world: World,
    /// Tokens, passwords, session ids, the webhook's secret.
    pub(super) secrets: Vec<String>,
    pub(super) refresh_tokens: Vec<String>,
    pub(super) contents: Vec<String>,
    /// Requests as the receiver of the webhooks read them.
    pub(super) hooks: Vec<String>,
}

/// A receiver of webhooks that keeps what it gets.
#[derive(Clone, Default)]
struct Receiver(Arc<Mutex<Vec<String>>>);

impl Receiver {
    fn taken(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    /// Answers every request, each on a connection of its own.
    async fn serve(self, listener: TcpListener) {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut read = Vec::new();
            let mut chunk = [0; 4096];
            while let Ok(bytes @ 1..) = stream.read(&mut chunk).await {
                read.extend_from_slice(&chunk[..bytes]);
                if is_whole(&String::from_utf8_lossy(&read)) {
                    break;
                }
            }
            self.0.lock().unwrap().push(String::from_utf8(read).unwrap());
            let answer = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
            stream.write_all(answer).await.unwrap();
        }
    }
}

/// Whether the body is there.
fn is_whole(request: &str) -> bool {
    let Some((head, body)) = request.split_once("\r\n\r\n") else {
        return false;
    };
    let head = head.to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    body.len() >= length.unwrap().trim().parse().unwrap()
}

impl Accounts {
    /// Starts the server with these settings besides and plays.
    pub(super) async fn play(store: Store, settings: &[(&str, &str)], refusals: &mut Refusals) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let receiver = Receiver::default();
        let mut receiving = JoinSet::new();
        receiving.spawn(receiver.clone().serve(listener));
        let further = [
            ("SEALROOM_ACCOUNTS", "on"),
            ("SEALROOM_WEBHOOK_URL", &*url),
            ("SEALROOM_WEBHOOK_SECRET", WEBHOOK_SECRET),
        ];
        let server = TestServer::start_on(store, &[settings, &further].concat()).await;
        let mut accounts = Self {
            world: World::of(server),
            secrets: vec![WEBHOOK_KEY.to_owned()],
            refresh_tokens: Vec::new(),
            contents: Vec::new(),
            hooks: Vec::new(),
        };
        accounts.log_in_and_out(refusals).await;
        accounts.refused(refusals).await;
        let sent = accounts.contents.len();
        eventually(std::time::Duration::from_secs(10), "webhooks", || {
            let of_messages = receiver.taken();
            of_messages
                .iter()
                .filter(|hook| hook.contains("\"message.created\""))
                .count()
                >= sent
        })
        .await;
        receiving.abort_all();
        accounts.hooks = receiver.taken();
        accounts.secrets.push(accounts.world.server.secret.clone());
        accounts
    }

    async fn ask(&mut self, route: &str, body: Value, refusals: &mut Refusals) -> Value {
        let path = format!("/api/v1/auth/{route}");
        let answer = http::request(self.world.addr(), "POST", &path, None, Some(body))
            .await
            .unwrap();
        refusals.answer(&path, &answer);
        if answer.status == 204 {
            Value::Null
        } else {
            answer.json()
        }
    }

    /// The access token and the refresh token.
    async fn tokens(&mut self, route: &str, body: Value, refusals: &mut Refusals) -> [String; 2] {
        let said = self.ask(route, body, refusals).await;
        let [access, refresh] = ["access_token", "refresh_token"]
            .map(|key| said[key].as_str().unwrap_or_else(|| panic!("{said}")).to_owned());
        self.secrets.extend([access.clone(), refresh.clone()]);
        self.refresh_tokens.push(refresh.clone());
        [access, refresh]
    }

    async fn log_in_and_out(&mut self, refusals: &mut Refusals) {
        let password = format!("{PASSWORD} correct horse");
        let account = json!({"username": NAME, "password": password, "display_name": NAME});
        let [access, refresh] = self.tokens("register", account, refusals).await;
        let other = json!({"username": "binh", "password": password});
        self.tokens("register", other, refusals).await;
        let login = json!({"username": NAME, "password": password});
        let [_, spent] = self.tokens("login", login.clone(), refusals).await;
        let [_, next] = self
            .tokens("refresh", json!({"refresh_token": spent}), refusals)
            .await;

        let group = json!({"name": NAME, "members": [2]});
        let group = self.world.call("POST", "/groups", &access, Some(group)).await;
        let group = group.json()["group_id"].as_u64().unwrap();
        let by_route = content(0);
        let message = json!({"encrypted_content": by_route});
        let posted = self
            .world
            .call(
                "POST",
                &format!("/groups/{group}/messages"),
                &access,
                Some(message),
            )
            .await;
        assert_eq!(posted.status, 201, "{}", posted.text());
        let (mut session, sid) = Session::websocket(self.world.addr(), &[]).await;
        let inner = session.connect(&access).await;
        let by_socket = content(1);
        let message = json!(["send_message", {"group_id": group, "encrypted_content": by_socket}]);
        for event in [message, json!(["refresh_token", {"token": access}])] {
            session.succeed(event, refusals).await;
        }
        self.contents.extend([by_route, by_socket]);
        self.secrets.extend([sid, inner]);

        // One that was spent ends its login, and so does the way out: what came of it is worth nothing.
        for (route, token, code) in [
            ("refresh", &spent, "token_revoked"),
            ("refresh", &next, "token_invalid"),
            ("refresh", &TOKEN.to_owned(), "token_invalid"),
            ("logout", &refresh, ""),
            ("refresh", &refresh, "token_revoked"),
        ] {
            let answer = self.ask(route, json!({"refresh_token": token}), refusals).await;
            assert_eq!(
                answer["code"].as_str().unwrap_or_default(),
                code,
                "{route}: {answer}"
            );
        }
        self.tokens("login", login, refusals).await;
    }

    async fn refused(&mut self, refusals: &mut Refusals) {
        for (username, password) in [
            (NAME, format!("{PASSWORD} wrong")),
            ("canary-junk-nobody", format!("{PASSWORD} nobody's")),
            ("", PASSWORD.to_owned()),
            (JUNK, PASSWORD.repeat(40)),
        ] {
            let body = json!({"username": username, "password": password});
            for route in ["login", "register"] {
                if username != "canary-junk-nobody" || route == "login" {
                    self.ask(route, body.clone(), refusals).await;
                }
            }
        }
        for body in [
            json!({"username": [JUNK], "password": {PASSWORD: PASSWORD}}),
            json!({"username": "an", "password": format!("{PASSWORD}\0")}),
            json!({"username": "chi.le", "password": "canary-"}),
            json!({"username": "chi.le", "password": PASSWORD, "display_name": ""}),
            json!({JUNK: PASSWORD, "refresh_token": TOKEN}),
            json!({"refresh_token": [TOKEN]}),
            json!({"refresh_token": TOKEN.repeat(500)}),
            json!([PASSWORD]),
        ] {
            for route in ["register", "login", "refresh", "logout"] {
                self.ask(route, body.clone(), refusals).await;
            }
        }
        for body in [
            format!("{{\"password\":\"{PASSWORD}"),
            PASSWORD.to_owned(),
            REFUSED.to_owned(),
        ] {
            for route in ["register", "login", "refresh", "logout"] {
                let path = format!("/api/v1/auth/{route}");
                let json = [("Content-Type", "application/json")];
                let answer =
                    http::request_with(self.world.addr(), "POST", &path, &json, body.as_bytes()).await;
                refusals.answer(&path, &answer.unwrap());
            }
        }
        // More attempts at one name than are allowed.
        for _ in 0..12 {
            let body = json!({"username": NAME, "password": format!("{PASSWORD} guessed")});
            if self.ask("login", body, refusals).await["code"] == "rate_limited" {
                return;
            }
        }
        panic!("attempts at a password are not limited");
    }
}
