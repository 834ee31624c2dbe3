//! Memberships.

use async_trait::async_trait;
use diesel::{
    ExpressionMethods, OptionalExtension, QueryDsl, QueryResult, RunQueryDsl, SqliteConnection,
    upsert::excluded,
};
use sealroom_domain::{
    GroupId, Role, UserId,
    ports::{Member, Memberships, StoreError},
};

use super::{SqliteStore, log, lookups, users};
use crate::{error::Failure, fragments, metrics::Operation, rows, schema::members};

#[async_trait]
impl Memberships for SqliteStore {
    async fn roles(&self, pairs: &[(GroupId, UserId)]) -> Result<Vec<Option<Role>>, StoreError> {
        if pairs.is_empty() {
            return Ok(Vec::new());
        }
        let pairs = pairs.to_vec();
        self.read_as(Operation::Roles, move |conn| {
            pairs
                .into_iter()
                .map(|(group_id, user_id)| role(conn, group_id, user_id))
                .collect()
        })
        .await
    }

    async fn groups_of(&self, user_id: UserId) -> Result<Vec<(GroupId, Role)>, StoreError> {
        self.read(move |conn| {
            fragments::groups_of(user_id.get())
                .load::<(i64, String)>(conn)?
                .into_iter()
                .map(|(group_id, role)| Ok(rows::group_and_role(group_id, &role)?))
                .collect()
        })
        .await
    }

    async fn members_of(&self, group_id: GroupId) -> Result<Vec<Member>, StoreError> {
        self.read(move |conn| {
            fragments::members_of(group_id.get())
                .load::<(i64, String)>(conn)?
                .into_iter()
                .map(|(user_id, role)| Ok(rows::member(user_id, &role)?))
                .collect()
        })
        .await
    }

    async fn set(&self, group_id: GroupId, user_id: UserId, role: Role) -> Result<(), StoreError> {
        self.write(move |conn| {
            // A deleted group keeps its row, and nobody is its member.
            if log::bounds(conn, group_id)?.is_none() {
                return Err(diesel::NotFound.into());
            }
            Ok(set(conn, group_id, user_id, role)?)
        })
        .await
    }

    async fn remove(&self, group_id: GroupId, user_id: UserId) -> Result<bool, StoreError> {
        self.write(move |conn| Ok(remove(conn, group_id, user_id)?)).await
    }
}

/// The role of a user in a group.
pub(super) fn role(
    conn: &mut SqliteConnection,
    group_id: GroupId,
    user_id: UserId,
) -> Result<Option<Role>, Failure> {
    let name: Option<String> = lookups::role(group_id.get(), user_id.get())
        .get_result(conn)
        .optional()?;
    Ok(name.map(|name| rows::role("members", &name)).transpose()?)
}

/// How many members of a group have this role.
pub(super) fn count_role(conn: &mut SqliteConnection, group_id: GroupId, role: Role) -> QueryResult<i64> {
    lookups::count_role(group_id.get(), role.as_str()).get_result(conn)
}

/// Makes a user a member, who becomes known if it was not, or changes its role.
pub(super) fn set(
    conn: &mut SqliteConnection,
    group_id: GroupId,
    user_id: UserId,
    role: Role,
) -> QueryResult<()> {
    users::know(conn, user_id)?;
    diesel::insert_into(members::table)
        .values((
            members::group_id.eq(group_id.get()),
            members::user_id.eq(user_id.get()),
            members::role.eq(role.as_str()),
        ))
        .on_conflict((members::group_id, members::user_id))
        .do_update()
        .set(members::role.eq(excluded(members::role)))
        .execute(conn)?;
    Ok(())
}

/// Ends a membership; `false` where there was none.
pub(super) fn remove(conn: &mut SqliteConnection, group_id: GroupId, user_id: UserId) -> QueryResult<bool> {
    let removed = diesel::delete(members::table.find((group_id.get(), user_id.get()))).execute(conn)?;
    Ok(removed > 0)
}
