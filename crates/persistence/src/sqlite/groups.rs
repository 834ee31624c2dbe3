//! Groups.

use std::collections::BTreeSet;

use async_trait::async_trait;
use diesel::{
    ExpressionMethods, OptionalExtension, QueryDsl, RunQueryDsl, SelectableHelper, SqliteConnection,
};
use sealroom_domain::{
    Entry, GroupId, GroupName, Timestamp, UserId,
    ports::{Group, GroupChange, Groups, NewGroup, RefusedEntry, StoreError},
};

use super::{SqliteStore, append, known::Known, log, lookups, upkeep};
use crate::{
    error::Failure,
    founding, fragments,
    rows::{self, GroupChanges, GroupRow},
    schema::{groups, members, meta, outbox, read_marks},
};

#[async_trait]
impl Groups for SqliteStore {
    async fn create(
        &self,
        group: NewGroup,
    ) -> Result<Result<(GroupId, Vec<Entry>), RefusedEntry>, StoreError> {
        let has_outbox = self.inner.has_outbox;
        let created = self
            .write_or_undo(move |conn| create(conn, &group, has_outbox))
            .await;
        match created {
            Err(Failure::Refused(refused)) => Ok(Err(refused)),
            other => Ok(Ok(other?)),
        }
    }

    async fn put(&self, group_id: GroupId, name: &GroupName, at: Timestamp) -> Result<bool, StoreError> {
        // A deleted group with many entries that are still stored takes several steps; nobody sees those.
        loop {
            let name = name.clone();
            let put = self.write(move |conn| put(conn, group_id, &name, at)).await?;
            if let Some(created) = put {
                return Ok(created);
            }
        }
    }

    async fn update(&self, group_id: GroupId, change: GroupChange) -> Result<bool, StoreError> {
        self.write(move |conn| update(conn, group_id, &change)).await
    }

    async fn delete(&self, group_id: GroupId, at: Timestamp) -> Result<Option<Vec<UserId>>, StoreError> {
        self.write(move |conn| delete(conn, group_id, at)).await
    }

    async fn get(&self, ids: &[GroupId]) -> Result<Vec<Group>, StoreError> {
        let ids: BTreeSet<GroupId> = ids.iter().copied().collect();
        self.read(move |conn| {
            ids.into_iter()
                .filter_map(|id| group(conn, id).transpose())
                .collect()
        })
        .await
    }
}

fn group(conn: &mut SqliteConnection, group_id: GroupId) -> Result<Option<Group>, Failure> {
    let row = lookups::group(group_id.get())
        .select(GroupRow::as_select())
        .get_result(conn)
        .optional()?;
    Ok(row.map(Group::try_from).transpose()?)
}

fn create(
    conn: &mut SqliteConnection,
    group: &NewGroup,
    has_outbox: bool,
) -> Result<(GroupId, Vec<Entry>), Failure> {
    let group_id = take_group_id(conn)?;
    insert(conn, group_id, &group.name, group.at)?;
    let outcomes = append::append(
        conn,
        &mut Known::default(),
        founding::batch(group_id, group),
        has_outbox,
    )?;
    let entries = founding::entries(outcomes).map_err(Failure::Refused)?;
    Ok((group_id, entries))
}

/// Whether the group was created; `None` where entries of the former group are still to be forgotten.
fn put(
    conn: &mut SqliteConnection,
    group_id: GroupId,
    name: &GroupName,
    at: Timestamp,
) -> Result<Option<bool>, Failure> {
    if insert(conn, group_id, name, at)? {
        return Ok(Some(true));
    }
    let group = groups::table.find(group_id.get());
    let (head, first, deleted_at): (i64, i64, Option<i64>) = group
        .select((groups::head_seq, groups::first_seq, groups::deleted_at))
        .get_result(conn)?;
    if deleted_at.is_none() {
        diesel::update(group)
            .set(groups::name.eq(name.as_str()))
            .execute(conn)?;
        return Ok(Some(false));
    }
    if let Some(cut) = founding::leftover(group_id.get(), first, head) {
        upkeep::cut(conn, cut)?;
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
        .execute(conn)?;
    Ok(Some(true))
}

fn update(conn: &mut SqliteConnection, group_id: GroupId, change: &GroupChange) -> Result<bool, Failure> {
    let Some(changes) = GroupChanges::new(change) else {
        return Ok(log::bounds(conn, group_id)?.is_some());
    };
    let updated = diesel::update(groups::table)
        .filter(groups::id.eq(group_id.get()))
        .filter(groups::deleted_at.is_null())
        .set(changes)
        .execute(conn)?;
    Ok(updated > 0)
}

fn delete(
    conn: &mut SqliteConnection,
    group_id: GroupId,
    at: Timestamp,
) -> Result<Option<Vec<UserId>>, Failure> {
    let deleted = diesel::update(groups::table)
        .filter(groups::id.eq(group_id.get()))
        .filter(groups::deleted_at.is_null())
        .set(founding::deletion(at))
        .execute(conn)?;
    if deleted == 0 {
        return Ok(None);
    }
    let members: Vec<(i64, String)> = fragments::members_of(group_id.get()).load(conn)?;
    diesel::delete(members::table)
        .filter(members::group_id.eq(group_id.get()))
        .execute(conn)?;
    diesel::delete(read_marks::table)
        .filter(read_marks::group_id.eq(group_id.get()))
        .execute(conn)?;
    // Nobody hears of it any more. No index: an append would pay for it, and the outbox is short.
    diesel::delete(outbox::table)
        .filter(outbox::group_id.eq(group_id.get()))
        .execute(conn)?;
    let members = members
        .iter()
        .map(|(id, _)| rows::user_id("members", "user_id", *id));
    Ok(Some(members.collect::<Result<_, _>>()?))
}

/// Inserts an empty group; `false` where there is one already.
fn insert(
    conn: &mut SqliteConnection,
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
        .execute(conn)?;
    Ok(inserted > 0)
}

/// Takes the least id that was never given out and that no put group has. A put group with the greatest id of all
/// must not end the numbering, so the counter is our own.
fn take_group_id(conn: &mut SqliteConnection) -> Result<GroupId, Failure> {
    let mut low: i64 = fragments::next_group_id().get_result(conn)?;
    let candidate = loop {
        let end = founding::span_end(low);
        let taken: Vec<i64> = fragments::group_ids(low, end).load(conn)?;
        match founding::first_free(low, &taken) {
            Some(free) => break free,
            None => low = end.saturating_add(1),
        }
    };
    let group_id = rows::group_id("meta", "next_group_id", candidate)?;
    diesel::update(meta::table)
        .filter(meta::id.eq(fragments::META))
        .set(meta::next_group_id.eq(candidate.saturating_add(1)))
        .execute(conn)?;
    Ok(group_id)
}
