//! How a group begins, on any store: its id, and the entries of its founders.

use sealroom_domain::{
    Entry, GroupId,
    ports::{Appended, Guard, NewBody, NewEntry, NewGroup},
};

use crate::append::Outcomes;

/// Ids that are looked at in one query, when a free one is sought.
const SPAN: i64 = 1000;

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
            },
            guard,
        })
        .collect()
}

/// The entries that came of it. A founder who is named twice with the same role is one founder.
pub(crate) fn entries(outcomes: Outcomes) -> Vec<Entry> {
    outcomes
        .into_iter()
        .filter_map(|outcome| match outcome {
            Ok(Appended::New(entry)) => Some(entry),
            _ => None,
        })
        .collect()
}
