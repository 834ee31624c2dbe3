//! Accounts and logins.

use async_trait::async_trait;
use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, RunQueryDsl, SqliteConnection};
use sealroom_domain::{
    LoginId, Timestamp, TokenDigest, UserId, Username,
    ports::{Account, Accounts, NewAccount, NewRefreshToken, Refreshed, StoreError},
};

use super::{
    SqliteStore, lookups,
    statements::{EndLogin, ForgetLogins, ForgetSpentTokens, SetLastToken, SpendToken},
    users::know,
};
use crate::{
    error::Failure,
    founding, fragments,
    login::{Refresh, TokenRow},
    rows,
    schema::{accounts, logins, meta, refresh_tokens, users},
};

#[async_trait]
impl Accounts for SqliteStore {
    async fn register(&self, account: NewAccount) -> Result<Option<UserId>, StoreError> {
        self.write(move |conn| register(conn, &account)).await
    }

    async fn account(&self, username: &Username) -> Result<Option<Account>, StoreError> {
        let username = username.clone();
        self.read(move |conn| {
            let found: Option<(i64, String)> = fragments::account(username.as_str())
                .get_result(conn)
                .optional()?;
            Ok(found.map(|(id, hash)| rows::account(id, hash)).transpose()?)
        })
        .await
    }

    async fn open_login(&self, user_id: UserId, token: NewRefreshToken) -> Result<LoginId, StoreError> {
        self.write(move |conn| open_login(conn, user_id, &token)).await
    }

    async fn refresh(
        &self,
        token: &TokenDigest,
        next: NewRefreshToken,
        now: Timestamp,
    ) -> Result<Refreshed, StoreError> {
        let token = *token;
        self.write(move |conn| refresh(conn, token, &next, now)).await
    }

    async fn close_login(&self, login_id: LoginId, at: Timestamp) -> Result<(), StoreError> {
        self.write(move |conn| end_login(conn, login_id, at)).await
    }

    async fn is_open(&self, login_id: LoginId) -> Result<bool, StoreError> {
        self.read(move |conn| {
            let open: Option<i64> = fragments::open_login(login_id.get())
                .get_result(conn)
                .optional()?;
            Ok(open.is_some())
        })
        .await
    }
}

fn register(conn: &mut SqliteConnection, account: &NewAccount) -> Result<Option<UserId>, Failure> {
    let username = account.username.as_str();
    let owner: Option<i64> = lookups::username_owner(username).get_result(conn).optional()?;
    let other: Option<(i64, String)> = fragments::account(username).get_result(conn).optional()?;
    if owner.is_some() || other.is_some() {
        return Ok(None);
    }
    let user_id = take_user_id(conn)?;
    diesel::insert_into(users::table)
        .values((
            users::id.eq(user_id.get()),
            users::display_name.eq(account.display_name.as_str()),
            users::username.eq(username),
        ))
        .execute(conn)?;
    diesel::insert_into(accounts::table)
        .values((
            accounts::user_id.eq(user_id.get()),
            accounts::username.eq(username),
            accounts::password_hash.eq(account.password.as_str()),
            accounts::created_at.eq(account.at.as_micros()),
        ))
        .execute(conn)?;
    Ok(Some(user_id))
}

/// Takes the least id that was never given out and that no user has.
fn take_user_id(conn: &mut SqliteConnection) -> Result<UserId, Failure> {
    let mut low: i64 = fragments::next_user_id().get_result(conn)?;
    let candidate = loop {
        let end = founding::span_end(low);
        let taken: Vec<i64> = fragments::user_ids(low, end).load(conn)?;
        match founding::first_free(low, &taken) {
            Some(free) => break free,
            None => low = end.saturating_add(1),
        }
    };
    let user_id = rows::user_id("meta", "next_user_id", candidate)?;
    diesel::update(meta::table.find(fragments::META))
        .set(meta::next_user_id.eq(candidate.saturating_add(1)))
        .execute(conn)?;
    Ok(user_id)
}

fn open_login(
    conn: &mut SqliteConnection,
    user_id: UserId,
    token: &NewRefreshToken,
) -> Result<LoginId, Failure> {
    ForgetLogins {
        user_id: user_id.get(),
        now: token.at.as_micros(),
    }
    .execute(conn)?;
    let user: Option<Option<i64>> = users::table
        .find(user_id.get())
        .select(users::erased_at)
        .get_result(conn)
        .optional()?;
    // Somebody who was erased in between does not get in; the caller hears of it with the first question.
    let ended_at = match user {
        Some(None) => None,
        Some(Some(_)) | None => Some(token.at.as_micros()),
    };
    know(conn, user_id)?;
    let login_id: i64 = diesel::insert_into(logins::table)
        .values((
            logins::user_id.eq(user_id.get()),
            logins::created_at.eq(token.at.as_micros()),
            logins::last_token_at.eq(token.at.as_micros()),
            logins::ended_at.eq(ended_at),
        ))
        .returning(logins::id)
        .get_result(conn)?;
    insert_token(conn, login_id, token)?;
    Ok(rows::login_id(login_id)?)
}

fn refresh(
    conn: &mut SqliteConnection,
    token: TokenDigest,
    next: &NewRefreshToken,
    now: Timestamp,
) -> Result<Refreshed, Failure> {
    let row: Option<TokenRow> = lookups::refresh_token(token.as_bytes())
        .get_result(conn)
        .optional()?;
    let refresh = Refresh::of(row, now)?;
    match refresh {
        Refresh::Spend(_, login_id) => {
            SpendToken {
                digest: token.as_bytes().to_vec(),
                at: now.as_micros(),
            }
            .execute(conn)?;
            ForgetSpentTokens {
                login_id: login_id.get(),
                now: now.as_micros(),
            }
            .execute(conn)?;
            insert_token(conn, login_id.get(), next)?;
            SetLastToken {
                login_id: login_id.get(),
                at: next.at.as_micros(),
            }
            .execute(conn)?;
        }
        Refresh::End(_, login_id) => end_login(conn, login_id, now)?,
        Refresh::Refuse => {}
    }
    Ok(refresh.answer())
}

fn insert_token(conn: &mut SqliteConnection, login_id: i64, token: &NewRefreshToken) -> Result<(), Failure> {
    diesel::insert_into(refresh_tokens::table)
        .values((
            refresh_tokens::digest.eq(token.digest.as_bytes().as_slice()),
            refresh_tokens::login_id.eq(login_id),
            refresh_tokens::expires_at.eq(token.expires_at.as_micros()),
        ))
        .execute(conn)?;
    Ok(())
}

fn end_login(conn: &mut SqliteConnection, login_id: LoginId, at: Timestamp) -> Result<(), Failure> {
    EndLogin {
        login_id: login_id.get(),
        at: at.as_micros(),
    }
    .execute(conn)?;
    Ok(())
}
