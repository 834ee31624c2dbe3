//! `/auth`: the built-in accounts. Every route is `not_found` where they are off.

use std::sync::Arc;

use axum::extract::State;
use sealroom_domain::{DisplayName, ErrorCode};
use sealroom_engine::{LoggedIn, Registration};
use sealroom_wire::values::Id;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    answer::{Answer, Done, Made, Shown},
    api::Api,
    caller::MaybeCaller,
    input::{
        address::Address,
        body::{Body, OptionalBody},
        fields::body,
    },
    openapi::{API, Routes, Words},
};

/// The routes of this file.
pub(crate) fn routes() -> Routes<Arc<Api>> {
    Routes::new("Accounts", API)
        .post(
            "/auth/register",
            register,
            Words {
                id: "register",
                does: "Makes an account and logs it in",
                details: "Names are 3 to 32 of `a` to `z`, digits, `.`, `_` and `-`, with a letter or digit at both ends; \
                          capitals are the same as small letters. Passwords are 8 to 256 characters. `not_found` where \
                          accounts are off, as on every route here.",
                refuses: &[
                    ErrorCode::NotFound,
                    ErrorCode::Conflict,
                    ErrorCode::RateLimited,
                    ErrorCode::Unavailable,
                    ErrorCode::ShuttingDown,
                ],
            },
        )
        .post(
            "/auth/login",
            login,
            Words {
                id: "login",
                does: "Logs in with a name and a password",
                details: "Attempts are limited for each name from an address, each name, and each address.",
                refuses: &[
                    ErrorCode::NotFound,
                    ErrorCode::LoginFailed,
                    ErrorCode::RateLimited,
                    ErrorCode::Unavailable,
                    ErrorCode::ShuttingDown,
                ],
            },
        )
        .post(
            "/auth/refresh",
            refresh,
            Words {
                id: "refresh",
                does: "Spends a refresh token for the next tokens",
                details: "Each can be spent once. One that comes again ends its login, with all that came of it: `token_revoked`.",
                refuses: &[
                    ErrorCode::NotFound,
                    ErrorCode::TokenInvalid,
                    ErrorCode::TokenRevoked,
                    ErrorCode::RateLimited,
                    ErrorCode::Unavailable,
                    ErrorCode::ShuttingDown,
                ],
            },
        )
        .post(
            "/auth/logout",
            logout,
            Words {
                id: "logout",
                does: "Ends a login, with its tokens and sockets",
                details: "That of the refresh token in the body, or else that of the access token in the header.",
                refuses: &[ErrorCode::NotFound, ErrorCode::RateLimited],
            },
        )
}

body! {
    /// An account that somebody wants.
    NewAccount {
        /// Its name.
        username: String,
        /// Its password.
        password: String,
        /// What others read; the account's name where there is none.
        display_name: Option<DisplayName>,
    }
}

body! {
    /// A name and its password.
    Login {
        /// The account's name.
        username: String,
        /// Its password.
        password: String,
    }
}

body! {
    /// A refresh token.
    Refresh {
        /// As it was given out.
        refresh_token: String,
    }
}

body! {
    /// What login is to end.
    Logout {
        /// A refresh token of the login.
        refresh_token: Option<String>,
    }
}

/// What a login gives.
#[derive(Serialize, ToSchema)]
pub(crate) struct Tokens {
    user_id: Id,
    /// Goes into the `Authorization` header, and into `auth.token` of a socket.
    access_token: String,
    /// `Bearer`.
    token_type: &'static str,
    /// How many seconds the access token is worth something.
    #[schema(minimum = 1)]
    expires_in: u64,
    /// Can be spent once, for the next of both.
    refresh_token: String,
}

impl From<LoggedIn> for Tokens {
    fn from(login: LoggedIn) -> Self {
        Self {
            user_id: login.user_id.into(),
            access_token: login.access_token,
            token_type: "Bearer",
            expires_in: login.expires_in.as_secs(),
            refresh_token: login.refresh_token,
        }
    }
}

async fn register(
    Address(address): Address,
    State(api): State<Arc<Api>>,
    Body(account): Body<NewAccount>,
) -> Answer<Made<Tokens>> {
    let wanted = Registration {
        username: &account.username,
        password: &account.password,
        display_name: account.display_name.as_ref(),
    };
    let login = api.accounts()?.register(wanted, address).await?;
    Ok(Made(login.into()))
}

async fn login(
    Address(address): Address,
    State(api): State<Arc<Api>>,
    Body(Login { username, password }): Body<Login>,
) -> Answer<Shown<Tokens>> {
    let login = api.accounts()?.login(&username, &password, address).await?;
    Ok(Shown(login.into()))
}

async fn refresh(
    Address(address): Address,
    State(api): State<Arc<Api>>,
    Body(Refresh { refresh_token }): Body<Refresh>,
) -> Answer<Shown<Tokens>> {
    let login = api.accounts()?.refresh(&refresh_token, address).await?;
    Ok(Shown(login.into()))
}

async fn logout(
    caller: MaybeCaller,
    Address(address): Address,
    State(api): State<Arc<Api>>,
    OptionalBody(Logout { refresh_token }): OptionalBody<Logout>,
) -> Answer<Done> {
    let accounts = api.accounts()?;
    match refresh_token {
        Some(token) => accounts.logout_with(&token, address).await?,
        None => accounts.logout(caller.verify(&api).await?.principal()).await?,
    }
    Ok(Done)
}
