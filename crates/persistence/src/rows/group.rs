//! Rows of `groups`.

use std::time::Duration;

use diesel::{AsChangeset, Queryable, Selectable};
use sealroom_domain::{
    GroupName, Retention, Timestamp,
    ports::{Group, GroupChange},
};

use super::{group_id, seq, valid};
use crate::{error::Inconsistency, schema::groups};

/// A group that is read.
#[derive(Queryable, Selectable)]
#[diesel(table_name = groups)]
pub(crate) struct GroupRow {
    id: i64,
    name: String,
    head_seq: i64,
    created_at: i64,
    retention_age: Option<i64>,
    retention_count: Option<i64>,
}

impl TryFrom<GroupRow> for Group {
    type Error = Inconsistency;

    fn try_from(row: GroupRow) -> Result<Self, Inconsistency> {
        Ok(Self {
            group_id: group_id("groups", "id", row.id)?,
            name: valid("groups", "name", GroupName::new(row.name))?,
            head: seq("groups", "head_seq", row.head_seq)?,
            created_at: Timestamp::from_micros(row.created_at),
            retention: retention(row.retention_age, row.retention_count),
        })
    }
}

/// A rule from its columns: an age in microseconds, and a number.
pub(crate) fn retention(age: Option<i64>, count: Option<i64>) -> Retention {
    Retention {
        age: age.map(|micros| Duration::from_micros(u64::try_from(micros).unwrap_or(0))),
        count: count.map(|count| u64::try_from(count).unwrap_or(1).max(1)),
    }
}

/// What changes of a group; `None` stays.
#[expect(clippy::option_option, reason = "diesel's way to set NULL")]
#[derive(AsChangeset)]
#[diesel(table_name = groups)]
pub(crate) struct GroupChanges<'a> {
    name: Option<&'a str>,
    retention_age: Option<Option<i64>>,
    retention_count: Option<Option<i64>>,
}

impl<'a> GroupChanges<'a> {
    /// `None` where nothing is to change.
    pub(crate) fn new(change: &'a GroupChange) -> Option<Self> {
        if change.name.is_none() && change.retention.is_none() {
            return None;
        }
        Some(Self {
            name: change.name.as_ref().map(GroupName::as_str),
            retention_age: change.retention.map(|rule| {
                rule.age
                    .map(|age| i64::try_from(age.as_micros()).unwrap_or(i64::MAX))
            }),
            retention_count: change
                .retention
                .map(|rule| rule.count.map(|count| i64::try_from(count).unwrap_or(i64::MAX))),
        })
    }
}
