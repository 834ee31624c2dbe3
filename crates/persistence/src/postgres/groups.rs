//! Groups.

use async_trait::async_trait;
use diesel::{ExpressionMethods, QueryDsl, SelectableHelper};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use sealroom_domain::{
    Entry, GroupId, GroupName, Timestamp,
    ports::{Group, Groups, NewGroup, StoreError},
};

use super::{PostgresStore, append, lists, statements::Commit};
use crate::{
    error::Failure,
    founding, fragments,
    rows::{self, GroupRow},
    schema::{groups, meta},
};

#[async_trait]
impl Groups for PostgresStore {
    async fn create(&self, group: NewGroup) -> Result<(GroupId, Vec<Entry>), StoreError> {
        self.call(|pools| async move {
            let mut lease = pools.writers.lease().await?;
            lease.batch_execute("BEGIN").await?;
            let created = create(&mut lease, group).await?;
            Commit {}.execute(&mut *lease).await?;
            lease.done();
            Ok(created)
        })
        .await
    }

    async fn put(&self, group_id: GroupId, name: &GroupName, at: Timestamp) -> Result<bool, StoreError> {
        let name = name.clone();
        self.call(|pools| async move {
            let mut lease = pools.writers.lease().await?;
            let created = insert(&mut lease, group_id, &name, at).await?;
            if !created {
                diesel::update(groups::table)
                    .filter(groups::id.eq(group_id.get()))
                    .set(groups::name.eq(name.as_str()))
                    .execute(&mut *lease)
                    .await?;
            }
            lease.done();
            Ok(created)
        })
        .await
    }

    async fn get(&self, ids: &[GroupId]) -> Result<Vec<Group>, StoreError> {
        let ids: Vec<i64> = ids.iter().map(|id| id.get()).collect();
        self.call(|pools| async move {
            let mut lease = pools.readers.lease().await?;
            let rows: Vec<GroupRow> = lists::groups_among(ids)
                .select(GroupRow::as_select())
                .load(&mut *lease)
                .await?;
            lease.done();
            rows.into_iter().map(|row| Ok(Group::try_from(row)?)).collect()
        })
        .await
    }
}

async fn create(conn: &mut AsyncPgConnection, group: NewGroup) -> Result<(GroupId, Vec<Entry>), Failure> {
    let group_id = take_group_id(conn, &group).await?;
    let outcomes = append::append_inside(conn, founding::batch(group_id, &group)).await?;
    Ok((group_id, founding::entries(outcomes)))
}

/// Inserts an empty group; `false` where there is one already.
async fn insert(
    conn: &mut AsyncPgConnection,
    group_id: GroupId,
    name: &GroupName,
    at: Timestamp,
) -> Result<bool, Failure> {
    let inserted = diesel::insert_into(groups::table)
        .values((
            groups::id.eq(group_id.get()),
            groups::name.eq(name.as_str()),
            groups::created_at.eq(at.as_micros()),
        ))
        .on_conflict_do_nothing()
        .execute(conn)
        .await?;
    Ok(inserted > 0)
}

/// Inserts the group under the least id that was never given out and that no put group has. A put group with the
/// greatest id of all must not end the numbering, so the counter is our own.
async fn take_group_id(conn: &mut AsyncPgConnection, group: &NewGroup) -> Result<GroupId, Failure> {
    let mut low: i64 = fragments::next_group_id().for_update().get_result(conn).await?;
    loop {
        let end = founding::span_end(low);
        let taken: Vec<i64> = fragments::group_ids(low, end).load(conn).await?;
        let Some(free) = founding::first_free(low, &taken) else {
            low = end.saturating_add(1);
            continue;
        };
        let group_id = rows::group_id("meta", "next_group_id", free)?;
        // Somebody may have put one there since.
        if !insert(conn, group_id, &group.name, group.at).await? {
            low = free.saturating_add(1);
            continue;
        }
        diesel::update(meta::table)
            .filter(meta::id.eq(fragments::META))
            .set(meta::next_group_id.eq(free.saturating_add(1)))
            .execute(conn)
            .await?;
        return Ok(group_id);
    }
}
