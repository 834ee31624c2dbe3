//! Users.

use async_trait::async_trait;
use diesel::{
    ExpressionMethods, OptionalExtension, QueryResult, RunQueryDsl, SelectableHelper, SqliteConnection,
    query_dsl::methods::SelectDsl,
};
use sealroom_domain::{
    DisplayName, UserId, Username,
    ports::{Profile, StoreError, UpsertOutcome, Users},
};

use super::{SqliteStore, lookups};
use crate::{error::Failure, fragments, rows::UserRow, schema::users};

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
            && (token_name.is_none() || token_name == present.token_name.as_ref())
        {
            return Ok(present);
        }
        let token_name = token_name.cloned();
        self.write(move |conn| provision(conn, user_id, token_name.as_ref()))
            .await
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
    know(conn, user_id)?;
    let row = diesel::update(users::table).filter(users::id.eq(user_id.get()));
    match username {
        Some(username) => row
            .set((
                users::display_name.eq(display_name.as_str()),
                users::username.eq(username.as_str()),
            ))
            .execute(conn)?,
        None => row
            .set(users::display_name.eq(display_name.as_str()))
            .execute(conn)?,
    };
    Ok(UpsertOutcome::Done)
}

fn provision(
    conn: &mut SqliteConnection,
    user_id: UserId,
    token_name: Option<&DisplayName>,
) -> Result<Profile, Failure> {
    know(conn, user_id)?;
    if let Some(token_name) = token_name {
        diesel::update(users::table)
            .filter(users::id.eq(user_id.get()))
            .set(users::token_name.eq(token_name.as_str()))
            .execute(conn)?;
    }
    profile(conn, user_id)?.ok_or_else(|| diesel::NotFound.into())
}
