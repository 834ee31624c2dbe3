//! Memberships.

use std::collections::HashMap;

use async_trait::async_trait;
use diesel::QueryDsl;
use diesel_async::{RunQueryDsl, SimpleAsyncConnection};
use sealroom_domain::{
    GroupId, Role, UserId,
    ports::{Member, Memberships, StoreError},
};

use super::{
    PostgresStore,
    statements::{Commit, KnowUsers, LockGroups, Roles, SetMembers},
};
use crate::{fragments, metrics::Operation, rows, schema::members};

#[async_trait]
impl Memberships for PostgresStore {
    async fn roles(&self, pairs: &[(GroupId, UserId)]) -> Result<Vec<Option<Role>>, StoreError> {
        if pairs.is_empty() {
            return Ok(Vec::new());
        }
        let pairs = pairs.to_vec();
        self.call_as(Operation::Roles, |pools| async move {
            let question = Roles {
                groups: pairs.iter().map(|(group_id, _)| group_id.get()).collect(),
                users: pairs.iter().map(|(_, user_id)| user_id.get()).collect(),
            };
            let mut lease = pools.readers.lease().await?;
            let found: Vec<(i64, i64, String)> = question.load(&mut *lease).await?;
            lease.done();
            let mut roles = HashMap::with_capacity(found.len());
            for (group_id, user_id, role) in found {
                roles.insert((group_id, user_id), rows::role("members", &role)?);
            }
            Ok(pairs
                .iter()
                .map(|(group_id, user_id)| roles.get(&(group_id.get(), user_id.get())).copied())
                .collect())
        })
        .await
    }

    async fn groups_of(&self, user_id: UserId) -> Result<Vec<(GroupId, Role)>, StoreError> {
        self.call(|pools| async move {
            let mut lease = pools.readers.lease().await?;
            let found: Vec<(i64, String)> = fragments::groups_of(user_id.get()).load(&mut *lease).await?;
            lease.done();
            found
                .into_iter()
                .map(|(group_id, role)| Ok(rows::group_and_role(group_id, &role)?))
                .collect()
        })
        .await
    }

    async fn members_of(&self, group_id: GroupId) -> Result<Vec<Member>, StoreError> {
        self.call(|pools| async move {
            let mut lease = pools.readers.lease().await?;
            let found: Vec<(i64, String)> = fragments::members_of(group_id.get()).load(&mut *lease).await?;
            lease.done();
            found
                .into_iter()
                .map(|(user_id, role)| Ok(rows::member(user_id, &role)?))
                .collect()
        })
        .await
    }

    async fn set(&self, group_id: GroupId, user_id: UserId, role: Role) -> Result<(), StoreError> {
        self.call(|pools| async move {
            let mut lease = pools.writers.lease().await?;
            lease.batch_execute("BEGIN").await?;
            // A deleted group keeps its row, and nobody is its member.
            let lock = LockGroups {
                ids: vec![group_id.get()],
            };
            let found: Vec<(i64, i64)> = lock.load(&mut *lease).await?;
            if found.is_empty() {
                return Err(diesel::NotFound.into());
            }
            let user = KnowUsers {
                ids: vec![user_id.get()],
            };
            user.execute(&mut *lease).await?;
            let member = SetMembers {
                groups: vec![group_id.get()],
                users: vec![user_id.get()],
                roles: vec![role.as_str()],
            };
            member.execute(&mut *lease).await?;
            Commit {}.execute(&mut *lease).await?;
            lease.done();
            Ok(())
        })
        .await
    }

    async fn remove(&self, group_id: GroupId, user_id: UserId) -> Result<bool, StoreError> {
        self.call(|pools| async move {
            let mut lease = pools.writers.lease().await?;
            let member = members::table.find((group_id.get(), user_id.get()));
            let removed = diesel::delete(member).execute(&mut *lease).await?;
            lease.done();
            Ok(removed > 0)
        })
        .await
    }
}
