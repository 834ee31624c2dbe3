//! Groups.

use async_trait::async_trait;
use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, SelectableHelper};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use sealroom_domain::{
    Entry, GroupId, GroupName, Timestamp, UserId,
    ports::{Group, GroupChange, Groups, NewGroup, RefusedEntry, StoreError},
};

use super::{PostgresStore, append, lists, statements::Commit, upkeep};
use crate::{
    error::Failure,
    founding, fragments,
    rows::{self, GroupChanges, GroupRow},
    schema::{groups, members, meta, outbox, read_marks},
};

#[async_trait]
impl Groups for PostgresStore {
    async fn create(
        &self,
        group: NewGroup,
    ) -> Result<Result<(GroupId, Vec<Entry>), RefusedEntry>, StoreError> {
        let has_outbox = self.inner.options.outbox;
        self.call(|pools| async move {
            let mut lease = pools.writers.lease().await?;
            lease.batch_execute("BEGIN").await?;
            let created = create(&mut lease, group, has_outbox).await?;
            if created.is_ok() {
                Commit {}.execute(&mut *lease).await?;
            } else {
                lease.batch_execute("ROLLBACK").await?;
            }
            lease.done();
            Ok(created)
        })
        .await
    }

    async fn put(&self, group_id: GroupId, name: &GroupName, at: Timestamp) -> Result<bool, StoreError> {
        // A deleted group with many entries that are still stored takes several steps; nobody sees those.
        loop {
            let name = name.clone();
            let put = self
                .call(|pools| async move {
                    let mut lease = pools.writers.lease().await?;
                    lease.batch_execute("BEGIN").await?;
                    let put = put(&mut lease, group_id, &name, at).await?;
                    Commit {}.execute(&mut *lease).await?;
                    lease.done();
                    Ok(put)
                })
                .await?;
            if let Some(created) = put {
                return Ok(created);
            }
        }
    }

    async fn update(&self, group_id: GroupId, change: GroupChange) -> Result<bool, StoreError> {
        self.call(|pools| async move {
            let mut lease = pools.writers.lease().await?;
            let updated = match GroupChanges::new(&change) {
                Some(changes) => {
                    diesel::update(groups::table)
                        .filter(groups::id.eq(group_id.get()))
                        .filter(groups::deleted_at.is_null())
                        .set(changes)
                        .execute(&mut *lease)
                        .await?
                        > 0
                }
                None => fragments::bounds(group_id.get())
                    .get_result::<(i64, i64)>(&mut *lease)
                    .await
                    .optional()?
                    .is_some(),
            };
            lease.done();
            Ok(updated)
        })
        .await
    }

    async fn delete(&self, group_id: GroupId, at: Timestamp) -> Result<Option<Vec<UserId>>, StoreError> {
        self.call(|pools| async move {
            let mut lease = pools.writers.lease().await?;
            lease.batch_execute("BEGIN").await?;
            let members = delete(&mut lease, group_id, at).await?;
            Commit {}.execute(&mut *lease).await?;
            lease.done();
            Ok(members)
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

async fn create(
    conn: &mut AsyncPgConnection,
    group: NewGroup,
    has_outbox: bool,
) -> Result<Result<(GroupId, Vec<Entry>), RefusedEntry>, Failure> {
    let group_id = take_group_id(conn, &group).await?;
    let outcomes = append::append_inside(conn, founding::batch(group_id, &group), has_outbox).await?;
    Ok(founding::entries(outcomes).map(|entries| (group_id, entries)))
}

/// Whether the group was created; `None` where entries of the former group are still to be forgotten.
async fn put(
    conn: &mut AsyncPgConnection,
    group_id: GroupId,
    name: &GroupName,
    at: Timestamp,
) -> Result<Option<bool>, Failure> {
    if insert(conn, group_id, name, at).await? {
        return Ok(Some(true));
    }
    let group = groups::table.find(group_id.get());
    let (head, first, deleted_at): (i64, i64, Option<i64>) = group
        .select((groups::head_seq, groups::first_seq, groups::deleted_at))
        .for_update()
        .get_result(conn)
        .await?;
    if deleted_at.is_none() {
        diesel::update(group)
            .set(groups::name.eq(name.as_str()))
            .execute(conn)
            .await?;
        return Ok(Some(false));
    }
    if let Some(cut) = founding::leftover(group_id.get(), first, head) {
        upkeep::cut_all(conn, &[cut]).await?;
        return Ok(None);
    }
    diesel::update(group)
        .set((
            groups::name.eq(name.as_str()),
            groups::created_at.eq(at.as_micros()),
            groups::deleted_at.eq(None::<i64>),
            // See `Groups::put` for the place between.
            groups::head_seq.eq(head + 1),
            groups::first_seq.eq(head + 2),
        ))
        .execute(conn)
        .await?;
    Ok(Some(true))
}

/// The lock keeps out appends and read marks: whoever comes later finds no group.
async fn delete(
    conn: &mut AsyncPgConnection,
    group_id: GroupId,
    at: Timestamp,
) -> Result<Option<Vec<UserId>>, Failure> {
    let group_id = group_id.get();
    let found: Option<i64> = groups::table
        .find(group_id)
        .filter(groups::deleted_at.is_null())
        .select(groups::id)
        .for_update()
        .get_result(conn)
        .await
        .optional()?;
    if found.is_none() {
        return Ok(None);
    }
    diesel::update(groups::table.find(group_id))
        .set(founding::deletion(at))
        .execute(conn)
        .await?;
    let members: Vec<(i64, String)> = fragments::members_of(group_id).load(conn).await?;
    diesel::delete(members::table)
        .filter(members::group_id.eq(group_id))
        .execute(conn)
        .await?;
    diesel::delete(read_marks::table)
        .filter(read_marks::group_id.eq(group_id))
        .execute(conn)
        .await?;
    // Nobody hears of it any more. No index: an append would pay for it, and the outbox is short.
    diesel::delete(outbox::table)
        .filter(outbox::group_id.eq(group_id))
        .execute(conn)
        .await?;
    let members = members
        .iter()
        .map(|(id, _)| rows::user_id("members", "user_id", *id));
    Ok(Some(members.collect::<Result<_, _>>()?))
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
