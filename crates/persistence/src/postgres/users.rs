//! Users.

use async_trait::async_trait;
use diesel::{
    ExpressionMethods, OptionalExtension, SelectableHelper,
    query_dsl::methods::SelectDsl,
    result::{DatabaseErrorKind, Error as DieselError},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use sealroom_domain::{
    DisplayName, UserId, Username,
    ports::{Profile, StoreError, UpsertOutcome, Users},
};

use super::{PostgresStore, lists};
use crate::{error::Failure, fragments, rows::UserRow, schema::users};

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
        let (display_name, username) = (display_name.clone(), username.cloned());
        self.call(|pools| async move {
            let mut lease = pools.writers.lease().await?;
            let outcome = match upsert(&mut lease, user_id, &display_name, username.as_ref()).await {
                Ok(()) => UpsertOutcome::Done,
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
                && (token_name.is_none() || token_name == present.token_name)
            {
                return Ok(present);
            }
            let mut lease = pools.writers.lease().await?;
            let profile = provision(&mut lease, user_id, token_name.as_ref()).await?;
            lease.done();
            Ok(profile)
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

/// One statement, so that it needs no transaction: the name of another user makes all of it fail.
async fn upsert(
    conn: &mut AsyncPgConnection,
    user_id: UserId,
    display_name: &DisplayName,
    username: Option<&Username>,
) -> Result<(), DieselError> {
    let id = users::id.eq(user_id.get());
    let display_name = users::display_name.eq(display_name.as_str());
    if let Some(username) = username {
        let username = users::username.eq(username.as_str());
        diesel::insert_into(users::table)
            .values((id, display_name, username))
            .on_conflict(users::id)
            .do_update()
            .set((display_name, username))
            .execute(conn)
            .await?;
    } else {
        diesel::insert_into(users::table)
            .values((id, display_name))
            .on_conflict(users::id)
            .do_update()
            .set(display_name)
            .execute(conn)
            .await?;
    }
    Ok(())
}

async fn provision(
    conn: &mut AsyncPgConnection,
    user_id: UserId,
    token_name: Option<&DisplayName>,
) -> Result<Profile, Failure> {
    let id = users::id.eq(user_id.get());
    let row: UserRow = if let Some(name) = token_name {
        let token_name = users::token_name.eq(name.as_str());
        diesel::insert_into(users::table)
            .values((id, token_name))
            .on_conflict(users::id)
            .do_update()
            .set(token_name)
            .returning(UserRow::as_returning())
            .get_result(conn)
            .await?
    } else {
        // Without a change there would be no row to return.
        diesel::insert_into(users::table)
            .values(id)
            .on_conflict(users::id)
            .do_update()
            .set(id)
            .returning(UserRow::as_returning())
            .get_result(conn)
            .await?
    };
    Ok(Profile::try_from(row)?)
}
