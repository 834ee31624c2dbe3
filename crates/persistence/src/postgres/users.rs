//! Users.

use async_trait::async_trait;
use diesel::{
    ExpressionMethods, OptionalExtension, QueryDsl, SelectableHelper,
    pg::Pg,
    result::{DatabaseErrorKind, Error as DieselError},
    sql_types::{BigInt, Nullable, Text},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use sealroom_domain::{
    DisplayName, Timestamp, UserId, Username,
    ports::{Profile, StoreError, UpsertOutcome, Users},
};

use super::{PostgresStore, lists, statements::Commit};
use crate::{
    error::Failure,
    fragments, login,
    rows::{Erasure, UserRow},
    schema::{accounts, logins, read_marks, users},
    statement::{UserColumns, statement},
};

statement! { Pg:
    /// Sets what the host says of a user, without a username leaves the present one. One who was erased is a user like
    /// any other again, and keeps what it writes from now on.
    UpsertUser {
        user_id: i64 as BigInt,
        display_name: String as Text,
        username: Option<String> as Nullable<Text>,
    } -> () =
        "INSERT INTO users (id, display_name, username) VALUES (" [user_id] ", " [display_name] ", " [username]
        ") ON CONFLICT (id) DO UPDATE SET display_name = EXCLUDED.display_name, \
         username = COALESCE(EXCLUDED.username, users.username), erased_at = NULL, erase_up_to = \
         CASE WHEN users.erase_up_to IS NOT NULL THEN LEAST(users.erase_up_to, \
         (SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM message_ids)) END"
}

statement! { Pg:
    /// Keeps the name of a user's token, unless the user was erased; answers the user as it is then.
    KeepTokenName {
        user_id: i64 as BigInt,
        token_name: Option<String> as Nullable<Text>,
    } -> UserColumns =
        "INSERT INTO users (id, token_name) VALUES (" [user_id] ", " [token_name]
        ") ON CONFLICT (id) DO UPDATE SET token_name = CASE WHEN users.erased_at IS NULL \
         THEN COALESCE(EXCLUDED.token_name, users.token_name) ELSE users.token_name END \
         RETURNING id, display_name, token_name, username, revoked_up_to, erased_at"
}

statement! { Pg:
    /// Takes back a user's tokens up to a moment, never to an earlier one than before.
    RevokeTokens {
        user_id: i64 as BigInt,
        up_to: i64 as BigInt,
    } -> () =
        "INSERT INTO users (id, revoked_up_to) VALUES (" [user_id] ", " [up_to]
        ") ON CONFLICT (id) DO UPDATE SET revoked_up_to = GREATEST(users.revoked_up_to, EXCLUDED.revoked_up_to)"
}

statement! { Pg:
    /// Ends the logins of a user whose last token was given out before a moment.
    EndLogins {
        user_id: i64 as BigInt,
        before: i64 as BigInt,
        at: i64 as BigInt,
    } -> () =
        "UPDATE logins SET ended_at = " [at] " WHERE user_id = " [user_id]
        " AND ended_at IS NULL AND last_token_at < " [before] ""
}

#[async_trait]
impl Users for PostgresStore {
    async fn profiles(&self, ids: &[UserId]) -> Result<Vec<Profile>, StoreError> {
        let ids: Vec<i64> = ids.iter().map(|id| id.get()).collect();
        self.call(|pools| async move {
            let mut lease = pools.readers.lease().await?;
            let rows: Vec<UserRow> = lists::users_among(ids)
                .select(UserRow::as_select())
                .load(&mut *lease)
                .await?;
            lease.done();
            rows.into_iter().map(|row| Ok(Profile::try_from(row)?)).collect()
        })
        .await
    }

    async fn upsert(
        &self,
        user_id: UserId,
        display_name: &DisplayName,
        username: Option<&Username>,
    ) -> Result<UpsertOutcome, StoreError> {
        let upsert = UpsertUser {
            user_id: user_id.get(),
            display_name: display_name.as_str().to_owned(),
            username: username.map(|name| name.as_str().to_owned()),
        };
        self.call(|pools| async move {
            let mut lease = pools.writers.lease().await?;
            // One statement, so that it needs no transaction: the name of another user makes all of it fail.
            let outcome = match upsert.execute(&mut *lease).await {
                Ok(_) => UpsertOutcome::Done,
                Err(DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _)) => {
                    UpsertOutcome::UsernameTaken
                }
                Err(error) => return Err(error.into()),
            };
            lease.done();
            Ok(outcome)
        })
        .await
    }

    async fn provision(
        &self,
        user_id: UserId,
        token_name: Option<&DisplayName>,
    ) -> Result<Profile, StoreError> {
        let token_name = token_name.cloned();
        self.call(|pools| async move {
            // Each connect asks this, and hardly one of them changes anything: only a change costs a commit.
            let mut lease = pools.readers.lease().await?;
            let present = profile(&mut lease, user_id).await?;
            lease.done();
            if let Some(present) = present
                && (present.erased || token_name.is_none() || token_name == present.token_name)
            {
                return Ok(present);
            }
            let mut lease = pools.writers.lease().await?;
            let provision = KeepTokenName {
                user_id: user_id.get(),
                token_name: token_name.map(|name| name.as_str().to_owned()),
            };
            let row: UserRow = provision.get_result(&mut *lease).await?;
            lease.done();
            Ok(Profile::try_from(row)?)
        })
        .await
    }

    async fn revoke(&self, user_id: UserId, up_to: Timestamp) -> Result<(), StoreError> {
        let revoke = RevokeTokens {
            user_id: user_id.get(),
            up_to: up_to.as_micros(),
        };
        let end = EndLogins {
            user_id: user_id.get(),
            before: login::end_before(up_to),
            at: up_to.as_micros(),
        };
        self.call(|pools| async move {
            let mut lease = pools.writers.lease().await?;
            lease.batch_execute("BEGIN").await?;
            revoke.execute(&mut *lease).await?;
            end.execute(&mut *lease).await?;
            Commit {}.execute(&mut *lease).await?;
            lease.done();
            Ok(())
        })
        .await
    }

    async fn erase(&self, user_id: UserId, at: Timestamp) -> Result<bool, StoreError> {
        self.call(|pools| async move {
            let mut lease = pools.writers.lease().await?;
            lease.batch_execute("BEGIN").await?;
            let known = erase(&mut lease, user_id, at).await?;
            Commit {}.execute(&mut *lease).await?;
            lease.done();
            Ok(known)
        })
        .await
    }
}

async fn profile(conn: &mut AsyncPgConnection, user_id: UserId) -> Result<Option<Profile>, Failure> {
    let row: Option<UserRow> = fragments::user(user_id.get())
        .select(UserRow::as_select())
        .get_result(conn)
        .await
        .optional()?;
    Ok(row.map(Profile::try_from).transpose()?)
}

async fn erase(conn: &mut AsyncPgConnection, user_id: UserId, at: Timestamp) -> Result<bool, Failure> {
    let user_id = user_id.get();
    let known: Option<Option<i64>> = users::table
        .find(user_id)
        .select(users::revoked_up_to)
        .for_update()
        .get_result(conn)
        .await
        .optional()?;
    let Some(revoked_up_to) = known else {
        return Ok(false);
    };
    diesel::update(users::table.find(user_id))
        .set(Erasure::at(at, revoked_up_to))
        .execute(conn)
        .await?;
    diesel::delete(accounts::table.find(user_id))
        .execute(conn)
        .await?;
    // Their tokens go with them.
    diesel::delete(logins::table)
        .filter(logins::user_id.eq(user_id))
        .execute(conn)
        .await?;
    // In the order in which batches of marks lock them.
    let locked: Vec<i64> = read_marks::table
        .filter(read_marks::user_id.eq(user_id))
        .select(read_marks::group_id)
        .order(read_marks::group_id)
        .for_update()
        .load(conn)
        .await?;
    if !locked.is_empty() {
        diesel::delete(read_marks::table)
            .filter(read_marks::user_id.eq(user_id))
            .execute(conn)
            .await?;
    }
    Ok(true)
}
