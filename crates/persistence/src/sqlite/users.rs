//! Users.

use async_trait::async_trait;
use diesel::{
    ExpressionMethods, OptionalExtension, QueryDsl, QueryResult, RunQueryDsl, SelectableHelper,
    SqliteConnection,
};
use sealroom_domain::{
    DisplayName, Timestamp, UserId, Username,
    ports::{Profile, StoreError, UpsertOutcome, Users},
};

use super::{
    SqliteStore, lookups,
    statements::{EndLogins, KeepTokenName, RevokeTokens, UpsertUser},
};
use crate::{
    error::Failure,
    fragments, login,
    rows::{Erasure, UserRow},
    schema::{accounts, logins, read_marks, users},
};

#[async_trait]
impl Users for SqliteStore {
    async fn profiles(&self, ids: &[UserId]) -> Result<Vec<Profile>, StoreError> {
        let ids = ids.to_vec();
        self.read(move |conn| {
            ids.into_iter()
                .filter_map(|id| profile(conn, id).transpose())
                .collect()
        })
        .await
    }

    async fn upsert(
        &self,
        user_id: UserId,
        display_name: &DisplayName,
        username: Option<&Username>,
    ) -> Result<UpsertOutcome, StoreError> {
        let (display_name, username) = (display_name.clone(), username.cloned());
        self.write(move |conn| upsert(conn, user_id, &display_name, username.as_ref()))
            .await
    }

    async fn provision(
        &self,
        user_id: UserId,
        token_name: Option<&DisplayName>,
    ) -> Result<Profile, StoreError> {
        // Each connect asks this, and hardly one of them changes anything: only a change costs a commit.
        let present = self.read(move |conn| profile(conn, user_id)).await?;
        if let Some(present) = present
            && (present.erased || token_name.is_none() || token_name == present.token_name.as_ref())
        {
            return Ok(present);
        }
        let token_name = token_name.cloned();
        self.write(move |conn| provision(conn, user_id, token_name.as_ref()))
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
        self.write(move |conn| {
            revoke.execute(conn)?;
            end.execute(conn)?;
            Ok(())
        })
        .await
    }

    async fn erase(&self, user_id: UserId, at: Timestamp) -> Result<bool, StoreError> {
        self.write(move |conn| erase(conn, user_id, at)).await
    }
}

/// Makes a user known, if it was not.
pub(super) fn know(conn: &mut SqliteConnection, user_id: UserId) -> QueryResult<()> {
    diesel::insert_into(users::table)
        .values(users::id.eq(user_id.get()))
        .on_conflict_do_nothing()
        .execute(conn)?;
    Ok(())
}

fn profile(conn: &mut SqliteConnection, user_id: UserId) -> Result<Option<Profile>, Failure> {
    let row = fragments::user(user_id.get())
        .select(UserRow::as_select())
        .get_result(conn)
        .optional()?;
    Ok(row.map(Profile::try_from).transpose()?)
}

fn upsert(
    conn: &mut SqliteConnection,
    user_id: UserId,
    display_name: &DisplayName,
    username: Option<&Username>,
) -> Result<UpsertOutcome, Failure> {
    if let Some(username) = username {
        let owner: Option<i64> = lookups::username_owner(username.as_str())
            .get_result(conn)
            .optional()?;
        if owner.is_some_and(|owner| owner != user_id.get()) {
            return Ok(UpsertOutcome::UsernameTaken);
        }
    }
    UpsertUser {
        user_id: user_id.get(),
        display_name: display_name.as_str().to_owned(),
        username: username.map(|name| name.as_str().to_owned()),
    }
    .execute(conn)?;
    Ok(UpsertOutcome::Done)
}

fn provision(
    conn: &mut SqliteConnection,
    user_id: UserId,
    token_name: Option<&DisplayName>,
) -> Result<Profile, Failure> {
    let row: UserRow = KeepTokenName {
        user_id: user_id.get(),
        token_name: token_name.map(|name| name.as_str().to_owned()),
    }
    .get_result(conn)?;
    Ok(Profile::try_from(row)?)
}

fn erase(conn: &mut SqliteConnection, user_id: UserId, at: Timestamp) -> Result<bool, Failure> {
    let user_id = user_id.get();
    let known: Option<Option<i64>> = users::table
        .find(user_id)
        .select(users::revoked_up_to)
        .get_result(conn)
        .optional()?;
    let Some(revoked_up_to) = known else {
        return Ok(false);
    };
    diesel::update(users::table.find(user_id))
        .set(Erasure::at(at, revoked_up_to))
        .execute(conn)?;
    diesel::delete(accounts::table.find(user_id)).execute(conn)?;
    // Their tokens go with them.
    diesel::delete(logins::table)
        .filter(logins::user_id.eq(user_id))
        .execute(conn)?;
    diesel::delete(read_marks::table)
        .filter(read_marks::user_id.eq(user_id))
        .execute(conn)?;
    Ok(true)
}
