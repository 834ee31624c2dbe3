//! The built-in accounts: registering, logging in, refreshing, logging out.

mod rules;

use std::{net::IpAddr, sync::Arc, time::Duration};

use sealroom_domain::{
    DisplayName, ErrorCode, LoginId, Principal, Refusal, UserId, Username,
    ports::{
        AccessGrant, Accounts, Clock, Credentials, CredentialsError, NewAccount, NewRefreshToken, Refreshed,
        StoreError,
    },
};

use crate::{Chat, rates::KeyedRate};

/// How the accounts behave. The defaults are those of the documentation.
#[derive(Debug, Clone)]
pub struct AccountOptions {
    /// How long an access token is worth something. 15 min.
    pub access_ttl: Duration,
    /// How long a refresh token is. 30 days.
    pub refresh_ttl: Duration,
    /// Attempts to log in with one name from one address, at once and then one each. 10, 30 s.
    pub attempts_per_name: (u32, Duration),
    /// Attempts to log in with one name from everywhere, at once and then one each: many more, so that it takes many
    /// addresses to keep somebody out of an account. 200, 2 s.
    pub attempts_per_name_everywhere: (u32, Duration),
    /// Attempts to log in or register from one address, at once and then one each. 50, 2 s.
    pub attempts_per_address: (u32, Duration),
    /// Refresh tokens that one address may spend, at once and then one each: many users may share one. 500, 100 ms.
    pub refreshes_per_address: (u32, Duration),
}

impl Default for AccountOptions {
    fn default() -> Self {
        Self {
            access_ttl: Duration::from_mins(15),
            refresh_ttl: Duration::from_hours(30 * 24),
            attempts_per_name: (10, Duration::from_secs(30)),
            attempts_per_name_everywhere: (200, Duration::from_secs(2)),
            attempts_per_address: (50, Duration::from_secs(2)),
            refreshes_per_address: (500, Duration::from_millis(100)),
        }
    }
}

/// What the accounts work on.
#[derive(Debug, Clone)]
pub struct AccountParts {
    /// The use cases, whose sockets end with their logins. Its `accounts` port is the same store.
    pub chat: Arc<Chat>,
    /// Who is logged in.
    pub accounts: Arc<dyn Accounts>,
    /// Passwords and tokens.
    pub credentials: Arc<dyn Credentials>,
}

/// The use cases of the built-in accounts.
#[derive(Debug)]
pub struct AccountService {
    chat: Arc<Chat>,
    accounts: Arc<dyn Accounts>,
    credentials: Arc<dyn Credentials>,
    options: AccountOptions,
    attempts: Attempts,
}

/// How often somebody may try.
#[derive(Debug)]
struct Attempts {
    names_from: KeyedRate<(Username, IpAddr)>,
    names: KeyedRate<Username>,
    addresses: KeyedRate<IpAddr>,
    refreshes: KeyedRate<IpAddr>,
}

impl Attempts {
    fn new(options: &AccountOptions) -> Self {
        fn every<K: std::hash::Hash + Eq + Clone>((burst, each): (u32, Duration)) -> KeyedRate<K> {
            KeyedRate::every(burst, each)
        }
        Self {
            names_from: every(options.attempts_per_name),
            names: every(options.attempts_per_name_everywhere),
            addresses: every(options.attempts_per_address),
            refreshes: every(options.refreshes_per_address),
        }
    }

    /// One more with a name. What an address is refused does not count for the others.
    fn count_name(&self, username: &Username, from: IpAddr) -> Result<(), Refusal> {
        self.names_from.count(&(username.clone(), from))?;
        self.names.count(username)
    }
}

/// An account that somebody wants.
#[derive(Clone, Copy)]
pub struct Registration<'a> {
    /// Its name.
    pub username: &'a str,
    /// Its password.
    pub password: &'a str,
    /// The name that others see; the account's name where there is none.
    pub display_name: Option<&'a DisplayName>,
}

/// A login that has begun or goes on.
#[derive(Clone)]
pub struct LoggedIn {
    /// The user.
    pub user_id: UserId,
    /// Opens everything that is the user's, for a short time.
    pub access_token: String,
    /// How long.
    pub expires_in: Duration,
    /// Can be spent once, for the next of both.
    pub refresh_token: String,
}

impl AccountService {
    /// Puts the accounts together.
    pub fn new(parts: AccountParts, options: AccountOptions) -> Self {
        let AccountParts {
            chat,
            accounts,
            credentials,
        } = parts;
        Self {
            chat,
            accounts,
            credentials,
            attempts: Attempts::new(&options),
            options,
        }
    }

    /// Makes an account and logs it in.
    ///
    /// Refusals: `invalid_data` with the field, `conflict` for a name that is taken, `rate_limited`, `unavailable`,
    /// `shutting_down`, `internal`.
    pub async fn register(&self, wanted: Registration<'_>, from: IpAddr) -> Result<LoggedIn, Refusal> {
        self.chat.check_open()?;
        self.attempts.addresses.count(&from)?;
        let username = rules::username(wanted.username)?;
        rules::new_password(wanted.password, &username)?;
        let display_name = match wanted.display_name {
            Some(name) => name.clone(),
            None => DisplayName::new(username.as_str()).map_err(|_rules| Refusal::invalid("display_name"))?,
        };
        let hashed = self.credentials.hash_password(wanted.password).await;
        let password = hashed.map_err(|error| self.no_credentials("hash a password", error))?;
        let account = NewAccount {
            username,
            display_name: display_name.clone(),
            password,
            at: self.clock().now(),
        };
        let accounts = self.accounts.clone();
        let registered =
            self.chat.detached(
                "register an account",
                async move { accounts.register(account).await },
            );
        let user_id = registered.await?.ok_or(Refusal::conflict("Username is taken"))?;
        self.log_in(user_id, Some(display_name)).await
    }

    /// Logs in with a name and a password.
    ///
    /// Refusals: `login_failed`, `rate_limited`, `unavailable`, `shutting_down`, `internal`.
    pub async fn login(&self, username: &str, password: &str, from: IpAddr) -> Result<LoggedIn, Refusal> {
        self.chat.check_open()?;
        self.attempts.addresses.count(&from)?;
        // What can be no name is looked up as well as one that nobody has.
        let Ok(username) = rules::username(username) else {
            self.check(password, None).await?;
            return Err(ErrorCode::LoginFailed.into());
        };
        self.attempts.count_name(&username, from)?;
        let account = self
            .accounts
            .account(&username)
            .await
            .map_err(|error| self.chat.failed("look an account up", &error))?;
        let is_right = self
            .check(password, account.as_ref().map(|account| &account.password))
            .await?;
        match account {
            Some(account) if is_right => self.log_in(account.user_id, None).await,
            _ => Err(ErrorCode::LoginFailed.into()),
        }
    }

    /// Spends a refresh token for the next ones. One that was spent before ends its login, with its sockets.
    ///
    /// Refusals: `token_invalid`, `token_revoked` for one that was spent, `rate_limited`, `unavailable`, `shutting_down`,
    /// `internal`.
    pub async fn refresh(&self, refresh_token: &str, from: IpAddr) -> Result<LoggedIn, Refusal> {
        let (user_id, login_id, next) = self.spend(refresh_token, from).await?;
        self.logged_in(user_id, login_id, None, next)
    }

    /// Ends the login of an access token, with its sockets. Harmless for a token of no login.
    ///
    /// Refusals: `unavailable`, `shutting_down`.
    pub async fn logout(&self, principal: &Principal) -> Result<(), Refusal> {
        match principal.login_id {
            Some(login_id) => self.close(principal.user_id, login_id).await,
            None => Ok(()),
        }
    }

    /// Ends the login of a refresh token, with its sockets.
    ///
    /// Refusals: those of [`AccountService::refresh`].
    pub async fn logout_with(&self, refresh_token: &str, from: IpAddr) -> Result<(), Refusal> {
        let (user_id, login_id, _unused) = self.spend(refresh_token, from).await?;
        self.close(user_id, login_id).await
    }

    fn clock(&self) -> &dyn Clock {
        &**self.chat.clock()
    }

    async fn check(
        &self,
        password: &str,
        hash: Option<&sealroom_domain::PasswordHash>,
    ) -> Result<bool, Refusal> {
        self.credentials
            .check_password(password, hash)
            .await
            .map_err(|error| self.no_credentials("check a password", error))
    }

    async fn log_in(&self, user_id: UserId, name: Option<DisplayName>) -> Result<LoggedIn, Refusal> {
        let (token, record) = self.new_refresh_token()?;
        let accounts = self.accounts.clone();
        let login_id = self
            .chat
            .detached("begin a login", async move {
                accounts.open_login(user_id, record).await
            })
            .await?;
        self.logged_in(user_id, login_id, name, token)
    }

    async fn spend(&self, refresh_token: &str, from: IpAddr) -> Result<(UserId, LoginId, String), Refusal> {
        self.chat.check_open()?;
        self.attempts.refreshes.count(&from)?;
        let digest = self.credentials.digest(refresh_token);
        let (next, record) = self.new_refresh_token()?;
        let (accounts, chat, now) = (self.accounts.clone(), self.chat.clone(), self.clock().now());
        let refreshed = self
            .chat
            .detached("refresh a login", async move {
                let refreshed = accounts.refresh(&digest, record, now).await?;
                if let Refreshed::Reused { user_id, login_id } = refreshed {
                    tracing::warn!(%user_id, %login_id, "a spent refresh token came again: its login has ended");
                    chat.end_login(user_id, login_id);
                }
                Ok(refreshed)
            })
            .await?;
        match refreshed {
            Refreshed::Done { user_id, login_id } => Ok((user_id, login_id, next)),
            Refreshed::Reused { .. } => Err(ErrorCode::TokenRevoked.into()),
            Refreshed::Refused => Err(ErrorCode::TokenInvalid.into()),
        }
    }

    async fn close(&self, user_id: UserId, login_id: LoginId) -> Result<(), Refusal> {
        let (accounts, chat, now) = (self.accounts.clone(), self.chat.clone(), self.clock().now());
        self.chat
            .detached("end a login", async move {
                let closed = accounts.close_login(login_id, now).await;
                // Also where it failed: nobody knows whether it happened.
                chat.end_login(user_id, login_id);
                closed
            })
            .await
    }

    fn new_refresh_token(&self) -> Result<(String, NewRefreshToken), Refusal> {
        let (token, digest) = self
            .credentials
            .refresh_token()
            .map_err(|error| self.no_credentials("make a refresh token", error))?;
        let at = self.clock().now();
        let record = NewRefreshToken {
            digest,
            at,
            expires_at: at.plus(self.options.refresh_ttl),
        };
        Ok((token, record))
    }

    fn logged_in(
        &self,
        user_id: UserId,
        login_id: LoginId,
        name: Option<DisplayName>,
        refresh_token: String,
    ) -> Result<LoggedIn, Refusal> {
        let grant = AccessGrant {
            user_id,
            name,
            login_id,
            ttl: self.options.access_ttl,
        };
        let access_token = self
            .credentials
            .access_token(&grant)
            .map_err(|error| self.no_credentials("make an access token", error))?;
        Ok(LoggedIn {
            user_id,
            access_token,
            expires_in: self.options.access_ttl,
            refresh_token,
        })
    }

    fn no_credentials(&self, attempt: &'static str, error: CredentialsError) -> Refusal {
        match error {
            CredentialsError::Busy => Refusal::unavailable(),
            other => self.chat.failed(attempt, &StoreError::internal(other)),
        }
    }
}

impl std::fmt::Debug for Registration<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registration")
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for LoggedIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoggedIn")
            .field("user_id", &self.user_id)
            .field("expires_in", &self.expires_in)
            .finish_non_exhaustive()
    }
}
