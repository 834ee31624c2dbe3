//! A server that is to be loaded: where it is, who may come, and what has to be there before.

use std::{
    collections::HashMap,
    fs,
    net::{SocketAddr, ToSocketAddrs as _},
    path::Path,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, ensure};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use reqwest::{Client, Method, Url};
use sealroom_auth::{ClaimRules, Grant, Minter, MinterOptions, Secret, SigningKey};
use sealroom_domain::{Timestamp, UserId, ports::Clock};

use crate::{process::Process, session::Session, shape::Shape};

/// Longer than any run.
const LIFETIME: Duration = Duration::from_hours(48);
/// So many requests of the preparation are under way at once.
const AT_ONCE: usize = 64;
/// The user of the token that opens the admin calls; it is a member of nothing.
const ADMIN: u64 = 9_007_199_254_740_991;

/// Where the tokens come from.
#[derive(Debug)]
pub enum Tokens {
    /// They are made here, with the secret of the server (HS256).
    Made(Box<Minter>),
    /// Somebody else made them: by user, and one with the scope `admin`.
    Given {
        /// Of each user that may be needed.
        users: HashMap<u64, String>,
        /// Opens the admin calls.
        admin: String,
    },
}

#[derive(Debug)]
struct WallClock;

impl Clock for WallClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
}

impl Tokens {
    /// Made with this secret.
    ///
    /// # Errors
    /// It is none that a server accepts.
    pub fn with_secret(secret: &str) -> anyhow::Result<Self> {
        let minter = Minter::new(MinterOptions {
            key: SigningKey::hs256(&Secret::new(secret)?),
            claims: ClaimRules::default(),
            clock: Arc::new(WallClock),
        })?;
        Ok(Self::Made(Box::new(minter)))
    }

    /// Read from a file with a line `USER_ID TOKEN` for each user, and one with the token for the admin calls alone.
    ///
    /// # Errors
    /// A file cannot be read, or a line has another shape.
    pub fn from_files(users: &Path, admin: &Path) -> anyhow::Result<Self> {
        let read =
            |path: &Path| fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()));
        let line = |line: &str| {
            let (user_id, token) = line.split_once(' ')?;
            Some((user_id.parse().ok()?, token.trim().to_owned()))
        };
        let users = read(users)?
            .lines()
            .map(|text| line(text).context("a line is not `USER_ID TOKEN`"))
            .collect::<anyhow::Result<_>>()?;
        let admin = read(admin)?.trim().to_owned();
        Ok(Self::Given { users, admin })
    }

    fn of(&self, user_id: u64) -> anyhow::Result<String> {
        match self {
            Self::Made(minter) => Ok(minter.mint(&Grant::new(user(user_id)?, LIFETIME))?),
            Self::Given { users, .. } => users
                .get(&user_id)
                .cloned()
                .with_context(|| format!("there is no token of user {user_id}")),
        }
    }

    fn of_admin(&self) -> anyhow::Result<String> {
        match self {
            Self::Made(minter) => Ok(minter.mint(&Grant {
                scope: Some("admin".to_owned()),
                ..Grant::new(user(ADMIN)?, LIFETIME)
            })?),
            Self::Given { admin, .. } => Ok(admin.clone()),
        }
    }
}

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

fn user(user_id: u64) -> anyhow::Result<UserId> {
    UserId::new(user_id.try_into()?).ok().context("no id of a user")
}
