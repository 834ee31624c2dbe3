//! Accounts and logins.

use async_trait::async_trait;
use diesel::{
    ExpressionMethods, JoinOnDsl, OptionalExtension, QueryDsl,
    pg::Pg,
    result::{DatabaseErrorKind, Error as DieselError},
    sql_types::{BigInt, Binary},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use sealroom_domain::{
    LoginId, Timestamp, TokenDigest, UserId, Username,
    ports::{Account, Accounts, NewAccount, NewRefreshToken, Refreshed, StoreError},
};

use super::{
    PostgresStore,
    statements::{Commit, KnowUsers},
};
use crate::{
    error::Failure,
    founding, fragments,
    login::{Refresh, TokenRow},
    rows,
    schema::{accounts, logins, meta, refresh_tokens, users},
    statement::statement,
};

statement! { Pg:
    /// Locks the login of a refresh token: who comes second finds the token spent. The token's own row is read behind
    /// the lock.
    LockLogin { digest: Vec<u8> as Binary } -> BigInt =
        "SELECT id FROM logins WHERE id = (SELECT login_id FROM refresh_tokens WHERE digest = " [digest]
        ") FOR NO KEY UPDATE"
}

statement! { Pg:
    /// Forgets the logins of a user, none of whose tokens is worth anything any more.
    ForgetLogins {
        user_id: i64 as BigInt,
        now: i64 as BigInt,
    } -> () =
        "DELETE FROM logins WHERE user_id = " [user_id] " AND NOT EXISTS (SELECT 1 FROM refresh_tokens t \
         WHERE t.login_id = logins.id AND t.expires_at > " [now] ")"
}

#[async_trait]
impl Accounts for PostgresStore {
    async fn register(&self, account: NewAccount) -> Result<Option<UserId>, StoreError> {
        self.call(|pools| async move {
            let mut lease = pools.writers.lease().await?;
            lease.batch_execute("BEGIN").await?;
            let user_id = match register(&mut lease, &account).await {
                // Somebody else got the name in between.
                Err(Failure::Database(DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _))) => {
                    None
                }
                other => other?,
            };
            if user_id.is_some() {
                Commit {}.execute(&mut *lease).await?;
            } else {
                lease.batch_execute("ROLLBACK").await?;
            }
            lease.done();
            Ok(user_id)
        })
        .await
    }

    async fn account(&self, username: &Username) -> Result<Option<Account>, StoreError> {
        let username = username.clone();
        self.call(|pools| async move {
            let mut lease = pools.readers.lease().await?;
            let found: Option<(i64, String)> = fragments::account(username.as_str())
                .get_result(&mut *lease)
                .await
                .optional()?;
            lease.done();
            Ok(found.map(|(id, hash)| rows::account(id, hash)).transpose()?)
        })
        .await
    }

    async fn open_login(&self, user_id: UserId, token: NewRefreshToken) -> Result<LoginId, StoreError> {
        self.call(|pools| async move {
            let mut lease = pools.writers.lease().await?;
            lease.batch_execute("BEGIN").await?;
            let login_id = open_login(&mut lease, user_id, &token).await?;
            Commit {}.execute(&mut *lease).await?;
            lease.done();
            Ok(login_id)
        })
        .await
    }

    async fn refresh(
        &self,
        token: &TokenDigest,
        next: NewRefreshToken,
        now: Timestamp,
    ) -> Result<Refreshed, StoreError> {
        let token = *token;
        self.call(|pools| async move {
            let mut lease = pools.writers.lease().await?;
            lease.batch_execute("BEGIN").await?;
            let refreshed = refresh(&mut lease, token, &next, now).await?;
            Commit {}.execute(&mut *lease).await?;
            lease.done();
            Ok(refreshed)
        })
        .await
    }

    async fn close_login(&self, login_id: LoginId, at: Timestamp) -> Result<(), StoreError> {
        self.call(|pools| async move {
            let mut lease = pools.writers.lease().await?;
            end_login(&mut lease, login_id, at).await?;
            lease.done();
            Ok(())
        })
        .await
    }

    async fn is_open(&self, login_id: LoginId) -> Result<bool, StoreError> {
        self.call(|pools| async move {
            let mut lease = pools.readers.lease().await?;
            let open: Option<i64> = fragments::open_login(login_id.get())
                .get_result(&mut *lease)
                .await
                .optional()?;
            lease.done();
            Ok(open.is_some())
        })
        .await
    }
}

async fn register(conn: &mut AsyncPgConnection, account: &NewAccount) -> Result<Option<UserId>, Failure> {
    let username = account.username.as_str();
    let other: Option<(i64, String)> = fragments::account(username).get_result(conn).await.optional()?;
    let owner: Option<i64> = users::table
        .filter(users::username.eq(username))
        .select(users::id)
        .get_result(conn)
        .await
        .optional()?;
    if owner.is_some() || other.is_some() {
        return Ok(None);
    }
    let user_id = insert_user(conn, account).await?;
    diesel::insert_into(accounts::table)
        .values((
            accounts::user_id.eq(user_id.get()),
            accounts::username.eq(username),
            accounts::password_hash.eq(account.password.as_str()),
            accounts::created_at.eq(account.at.as_micros()),
        ))
        .execute(conn)
        .await?;
    Ok(Some(user_id))
}

/// Inserts the user under the least id that was never given out and that no user has.
async fn insert_user(conn: &mut AsyncPgConnection, account: &NewAccount) -> Result<UserId, Failure> {
    let mut low: i64 = fragments::next_user_id().for_update().get_result(conn).await?;
    loop {
        let end = founding::span_end(low);
        let taken: Vec<i64> = fragments::user_ids(low, end).load(conn).await?;
        let Some(free) = founding::first_free(low, &taken) else {
            low = end.saturating_add(1);
            continue;
        };
        let user_id = rows::user_id("meta", "next_user_id", free)?;
        let inserted = diesel::insert_into(users::table)
            .values((
                users::id.eq(free),
                users::display_name.eq(account.display_name.as_str()),
                users::username.eq(account.username.as_str()),
            ))
            .on_conflict(users::id)
            .do_nothing()
            .execute(conn)
            .await?;
        // Somebody may have become known under it since.
        if inserted == 0 {
            low = free.saturating_add(1);
            continue;
        }
        diesel::update(meta::table.find(fragments::META))
            .set(meta::next_user_id.eq(free.saturating_add(1)))
            .execute(conn)
            .await?;
        return Ok(user_id);
    }
}

async fn open_login(
    conn: &mut AsyncPgConnection,
    user_id: UserId,
    token: &NewRefreshToken,
) -> Result<LoginId, Failure> {
    let known = KnowUsers {
        ids: vec![user_id.get()],
    };
    let was_known = known.execute(conn).await? == 0;
    // Against an erasure at the same time.
    let erased_at: Option<i64> = users::table
        .find(user_id.get())
        .select(users::erased_at)
        .for_share()
        .get_result(conn)
        .await?;
    let forget = ForgetLogins {
        user_id: user_id.get(),
        now: token.at.as_micros(),
    };
    forget.execute(conn).await?;
    // Somebody who was erased in between does not get in; the caller hears of it with the first question.
    let is_open = was_known && erased_at.is_none();
    let login_id: i64 = diesel::insert_into(logins::table)
        .values((
            logins::user_id.eq(user_id.get()),
            logins::created_at.eq(token.at.as_micros()),
            logins::last_token_at.eq(token.at.as_micros()),
            logins::ended_at.eq((!is_open).then_some(token.at.as_micros())),
        ))
        .returning(logins::id)
        .get_result(conn)
        .await?;
    insert_token(conn, login_id, token).await?;
    Ok(rows::login_id(login_id)?)
}

async fn refresh(
    conn: &mut AsyncPgConnection,
    token: TokenDigest,
    next: &NewRefreshToken,
    now: Timestamp,
) -> Result<Refreshed, Failure> {
    let digest = token.as_bytes().as_slice();
    let lock = LockLogin {
        digest: digest.to_vec(),
    };
    lock.load::<i64>(conn).await?;
    let row: Option<TokenRow> = refresh_tokens::table
        .inner_join(logins::table.on(logins::id.eq(refresh_tokens::login_id)))
        .filter(refresh_tokens::digest.eq(digest))
        .select((
            refresh_tokens::login_id,
            logins::user_id,
            logins::ended_at,
            refresh_tokens::expires_at,
            refresh_tokens::spent_at,
        ))
        .get_result(conn)
        .await
        .optional()?;
    let refresh = Refresh::of(row, now)?;
    match refresh {
        Refresh::Spend(_, login_id) => spend(conn, digest, login_id, next, now).await?,
        Refresh::End(_, login_id) => end_login(conn, login_id, now).await?,
        Refresh::Refuse => {}
    }
    Ok(refresh.answer())
}

async fn spend(
    conn: &mut AsyncPgConnection,
    digest: &[u8],
    login_id: LoginId,
    next: &NewRefreshToken,
    now: Timestamp,
) -> Result<(), Failure> {
    let login_id = login_id.get();
    diesel::update(refresh_tokens::table)
        .filter(refresh_tokens::digest.eq(digest))
        .set(refresh_tokens::spent_at.eq(now.as_micros()))
        .execute(conn)
        .await?;
    diesel::update(logins::table.find(login_id))
        .set(logins::last_token_at.eq(next.at.as_micros()))
        .execute(conn)
        .await?;
    diesel::delete(refresh_tokens::table)
        .filter(refresh_tokens::login_id.eq(login_id))
        .filter(refresh_tokens::spent_at.is_not_null())
        .filter(refresh_tokens::expires_at.le(now.as_micros()))
        .execute(conn)
        .await?;
    insert_token(conn, login_id, next).await
}

async fn insert_token(
    conn: &mut AsyncPgConnection,
    login_id: i64,
    token: &NewRefreshToken,
) -> Result<(), Failure> {
    diesel::insert_into(refresh_tokens::table)
        .values((
            refresh_tokens::digest.eq(token.digest.as_bytes().as_slice()),
            refresh_tokens::login_id.eq(login_id),
            refresh_tokens::expires_at.eq(token.expires_at.as_micros()),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

async fn end_login(conn: &mut AsyncPgConnection, login_id: LoginId, at: Timestamp) -> Result<(), Failure> {
    diesel::update(logins::table.find(login_id.get()))
        .filter(logins::ended_at.is_null())
        .set(logins::ended_at.eq(at.as_micros()))
        .execute(conn)
        .await?;
    Ok(())
}
