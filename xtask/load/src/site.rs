//! A server that is to be loaded: where it is, and what has to be there before.

use std::{
    net::{SocketAddr, ToSocketAddrs as _},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use reqwest::{Client, Method, Url};

use crate::{process::Process, session::Session, shape::Shape, tokens::Tokens};

/// So many requests of the preparation are under way at once.
const AT_ONCE: usize = 64;

/// A server.
#[derive(Debug)]
pub struct Site {
    addr: SocketAddr,
    base: Url,
    tokens: Tokens,
    admin: String,
    client: Client,
    /// The server's process, where it runs on this machine.
    pub process: Option<Process>,
}

impl Site {
    /// The server at this URL, `http://HOST:PORT`.
    ///
    /// # Errors
    /// The URL is none of that kind, or its host has no address.
    pub fn new(url: &str, tokens: Tokens, process: Option<Process>) -> anyhow::Result<Self> {
        let base = Url::parse(url).context("the URL of the server")?;
        ensure!(
            base.scheme() == "http",
            "only http:// can be loaded: TLS would measure itself"
        );
        let host = base.host_str().context("the URL has no host")?;
        let port = base.port_or_known_default().context("the URL has no port")?;
        let addr = (host.trim_matches(['[', ']']), port).to_socket_addrs()?.next();
        Ok(Self {
            addr: addr.context("the host has no address")?,
            admin: tokens.of_admin()?,
            base,
            tokens,
            client: Client::builder().timeout(Duration::from_secs(30)).build()?,
            process,
        })
    }

    /// Connects as this user.
    ///
    /// # Errors
    /// There is no token of this user, the server cannot be reached, or it refuses.
    pub async fn connect(&self, user_id: u64) -> anyhow::Result<Session> {
        Session::connect(self.addr, &self.tokens.of(user_id)?)
            .await
            .with_context(|| format!("user {user_id} cannot connect"))
    }

    /// Makes sure that these groups exist and have these members; what is there already stays. Calls `done` after each of
    /// its [`Shape::preparations`].
    ///
    /// # Errors
    /// The server cannot be reached, or refuses.
    pub async fn prepare(&self, shape: Shape, mut done: impl FnMut()) -> anyhow::Result<()> {
        let mut founded = Vec::new();
        let mut members = Vec::new();
        for group_id in shape.group_ids() {
            founded.push((
                format!("groups/{group_id}"),
                format!("{{\"name\":\"Load {group_id}\"}}"),
            ));
            members.extend(shape.users(group_id).map(|user_id| {
                let path = format!("groups/{group_id}/members/{user_id}");
                (path, "{\"role\":\"member\"}".to_owned())
            }));
        }
        // A group is there before its members come.
        for requests in [founded, members] {
            let requests = requests.into_iter().map(|(path, body)| self.put(path, body));
            let mut answers = stream::iter(requests).buffer_unordered(AT_ONCE);
            while answers.try_next().await?.is_some() {
                done();
            }
        }
        Ok(())
    }

    async fn put(&self, path: String, body: String) -> anyhow::Result<()> {
        let url = self.base.join("/api/v1/")?.join(&path)?;
        let request = self.client.request(Method::PUT, url).bearer_auth(&self.admin);
        let answer = request
            .header("Content-Type", "application/json")
            .body(body)
            .send()
            .await?;
        let status = answer.status();
        ensure!(
            status.is_success(),
            "PUT {path}: {status}: {}",
            answer.text().await.unwrap_or_default()
        );
        Ok(())
    }
}
