//! Who may come.

use std::{collections::HashMap, fs, path::Path, sync::Arc, time::Duration};

use anyhow::Context as _;
use sealroom_auth::{ClaimRules, Grant, Minter, MinterOptions, Secret, SigningKey};
use sealroom_domain::{Timestamp, UserId, ports::Clock};

/// Longer than any run.
const LIFETIME: Duration = Duration::from_hours(48);
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

    /// Of this user, longer valid than any run.
    ///
    /// # Errors
    /// There is none.
    pub fn of(&self, user_id: u64) -> anyhow::Result<String> {
        match self {
            Self::Made(_) => self.lasting(user_id, LIFETIME),
            Self::Given { users, .. } => users
                .get(&user_id)
                .cloned()
                .with_context(|| format!("there is no token of user {user_id}")),
        }
    }

    /// Of this user, for so long.
    ///
    /// # Errors
    /// They are not made here.
    pub fn lasting(&self, user_id: u64, lifetime: Duration) -> anyhow::Result<String> {
        let Self::Made(minter) = self else {
            anyhow::bail!("tokens that were given last as long as they last");
        };
        Ok(minter.mint(&Grant::new(user(user_id)?, lifetime))?)
    }

    /// With the scope `admin`.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn of_admin(&self) -> anyhow::Result<String> {
        match self {
            Self::Made(minter) => Ok(minter.mint(&Grant {
                scope: Some("admin".to_owned()),
                ..Grant::new(user(ADMIN)?, LIFETIME)
            })?),
            Self::Given { admin, .. } => Ok(admin.clone()),
        }
    }
}

fn user(user_id: u64) -> anyhow::Result<UserId> {
    UserId::new(user_id.try_into()?).ok().context("no id of a user")
}
