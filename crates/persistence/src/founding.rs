//! How a group begins and ends, on any store: its id, the entries of its founders, and what a deletion leaves.

use diesel::AsChangeset;
use sealroom_domain::{
    Entry, GroupId, Timestamp,
    ports::{Appended, Guard, NewBody, NewEntry, NewGroup, RefusedEntry},
};

use crate::{append::Outcomes, schema::groups, trim::Cut};

/// Ids that are looked at in one query, when a free one is sought.
const SPAN: i64 = 1000;

/// Entries of a deleted group that are forgotten in one transaction, when another one takes its id.
const LEFTOVER: i64 = 5000;

/// The last of the ids to look at from `low` on.
pub(crate) fn span_end(low: i64) -> i64 {
    low.saturating_add(SPAN - 1)
}

/// The least free id from `low` to [`span_end`], where these are taken, ascending.
pub(crate) fn first_free(low: i64, taken: &[i64]) -> Option<i64> {
    let mut candidate = low;
    for id in taken {
        if *id == candidate {
            candidate = candidate.saturating_add(1);
        }
    }
    (candidate <= span_end(low)).then_some(candidate)
}

/// The batch that makes the founders of a new group its members, in the order given.
pub(crate) fn batch(group_id: GroupId, group: &NewGroup) -> Vec<NewEntry> {
    let guard = if group.keeps_membership {
        Guard::Kept {
            actor_role: None,
            keeps_owner: false,
        }
    } else {
        Guard::Host
    };
    group
        .founders
        .iter()
        .map(|founder| NewEntry {
            group_id,
            actor_id: group.actor_id,
            at: group.at,
            body: NewBody::SetMember {
                user_id: founder.user_id,
                role: founder.role,
                limits: group.limits,
            },
            guard,
        })
        .collect()
}

/// The entries that came of it, or the first refusal, which undoes all of it. A founder who is named twice with the
/// same role is one founder.
pub(crate) fn entries(outcomes: Outcomes) -> Result<Vec<Entry>, RefusedEntry> {
    let mut entries = Vec::with_capacity(outcomes.len());
    for outcome in outcomes {
        if let Appended::New(entry) = outcome? {
            entries.push(entry);
        }
    }
    Ok(entries)
}

/// What a deletion changes of the group's row: the name goes, the places stay taken.
#[derive(AsChangeset)]
#[diesel(table_name = groups, treat_none_as_null = true)]
pub(crate) struct GroupDeletion {
    name: &'static str,
    deleted_at: i64,
    retention_age: Option<i64>,
    retention_count: Option<i64>,
}

pub(crate) const fn deletion(at: Timestamp) -> GroupDeletion {
    GroupDeletion {
        name: "",
        deleted_at: at.as_micros(),
        retention_age: None,
        retention_count: None,
    }
}

/// The entries of a deleted group that are forgotten next, before another group takes its id.
pub(crate) fn leftover(group_id: i64, first: i64, head: i64) -> Option<Cut> {
    (first <= head).then(|| Cut {
        group_id,
        low: first,
        high: head.min(first.saturating_add(LEFTOVER - 1)),
    })
}
