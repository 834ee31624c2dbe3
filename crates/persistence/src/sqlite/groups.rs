//! Groups.

use std::collections::BTreeSet;

use async_trait::async_trait;
use diesel::{
    ExpressionMethods, OptionalExtension, RunQueryDsl, SelectableHelper, SqliteConnection,
    query_dsl::methods::SelectDsl,
};
use sealroom_domain::{
    Entry, GroupId, GroupName, Timestamp,
    ports::{Group, Groups, NewGroup, StoreError},
};

use super::{SqliteStore, append, lookups};
use crate::{
    error::Failure,
    founding, fragments,
    rows::{self, GroupRow},
    schema::{groups, meta},
};

#[async_trait]
impl Groups for SqliteStore {
    async fn create(&self, group: NewGroup) -> Result<(GroupId, Vec<Entry>), StoreError> {
        self.write(move |conn| create(conn, &group)).await
    }

    async fn put(&self, group_id: GroupId, name: &GroupName, at: Timestamp) -> Result<bool, StoreError> {
        let name = name.clone();
        self.write(move |conn| put(conn, group_id, &name, at)).await
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

fn create(conn: &mut SqliteConnection, group: &NewGroup) -> Result<(GroupId, Vec<Entry>), Failure> {
    let group_id = take_group_id(conn)?;
    insert(conn, group_id, &group.name, group.at)?;
    let entries = founding::entries(append::append(conn, founding::batch(group_id, group))?);
    Ok((group_id, entries))
}

fn put(
    conn: &mut SqliteConnection,
    group_id: GroupId,
    name: &GroupName,
    at: Timestamp,
) -> Result<bool, Failure> {
    if insert(conn, group_id, name, at)? {
        return Ok(true);
    }
    diesel::update(groups::table)
        .filter(groups::id.eq(group_id.get()))
        .set(groups::name.eq(name.as_str()))
        .execute(conn)?;
    Ok(false)
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
