//! What is known from the last appends, so that the next one can be decided without asking.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use sealroom_domain::{
    Entry, GroupId, MessageId, Role, Seq, UserId,
    ports::{Guard, NewBody, NewEntry},
};

use crate::{
    error::{Failure, Inconsistency},
    ledger::{Ledger, RoleChange},
    rows,
    target::Target,
};

/// Heads of logs and roles of members, as the last appends of this store left them. Others may have changed them since,
/// here and on other machines: what is decided by them is stored only if they still hold.
#[derive(Debug, Clone, Default)]
pub(super) struct Known(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    heads: HashMap<GroupId, Head>,
    roles: HashMap<(GroupId, UserId), Role>,
}

#[derive(Debug, Clone, Copy)]
struct Head {
    seq: i64,
    /// Nobody else has appended between the last two appends of this store. Where somebody does all the time, what is
    /// known would not hold, and finding that out costs more than asking.
    is_ours: bool,
}

/// How much is known of each at most, which is some megabytes.
const MOST: usize = 32 * 1024;

/// What an append found or did.
#[derive(Debug, Default)]
pub(super) struct Learned {
    /// Heads of groups, before and after it.
    pub(super) heads: Vec<(GroupId, i64, i64)>,
    /// Roles after it; `None`: the user is no member.
    pub(super) roles: Vec<((GroupId, UserId), Option<Role>)>,
}

impl Known {
    /// What a batch depends on; `None` where that is not known, or is more than heads and roles.
    pub(super) fn of(&self, batch: &[NewEntry]) -> Option<Expected> {
        let state = self.state();
        let mut expected = Expected::default();
        for entry in batch {
            if !matches!(entry.body, NewBody::Message { .. }) {
                return None;
            }
            let head = state.heads.get(&entry.group_id).filter(|head| head.is_ours)?;
            expected.heads.insert(entry.group_id, head.seq);
            if let Guard::Kept {
                actor_role: Some(_), ..
            } = entry.guard
            {
                let member = (entry.group_id, entry.actor_id);
                expected.roles.insert(member, *state.roles.get(&member)?);
            }
        }
        Some(expected)
    }

    /// Something of it does not hold. The heads stay, to tell whether somebody else appends.
    pub(super) fn doubt(&self, expected: &Expected) {
        let mut state = self.state();
        for member in expected.roles.keys() {
            state.roles.remove(member);
        }
    }

    pub(super) fn learn(&self, learned: Learned) {
        let mut state = self.state();
        if state.heads.len() > MOST || state.roles.len() > MOST {
            *state = State::default();
        }
        for (group_id, before, after) in learned.heads {
            let is_ours = state.heads.get(&group_id).is_none_or(|head| head.seq == before);
            state.heads.insert(group_id, Head { seq: after, is_ours });
        }
        for (member, role) in learned.roles {
            match role {
                Some(role) => state.roles.insert(member, role),
                None => state.roles.remove(&member),
            };
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The ledger of a batch of messages that is decided by what is known.
#[derive(Debug, Default)]
pub(super) struct Expected {
    /// Of all groups of the batch, ascending.
    pub(super) heads: BTreeMap<GroupId, i64>,
    pub(super) roles: BTreeMap<(GroupId, UserId), Role>,
    messages: i64,
}

impl Ledger for Expected {
    fn head(&mut self, group_id: GroupId) -> Result<Option<i64>, Failure> {
        Ok(self.heads.get(&group_id).copied())
    }

    fn role(&mut self, group_id: GroupId, user_id: UserId) -> Result<Option<Role>, Failure> {
        Ok(self.roles.get(&(group_id, user_id)).copied())
    }

    /// Counts only: the server gives the ids when it stores the messages.
    fn next_message_id(&mut self) -> Result<MessageId, Failure> {
        Ok(rows::message_id("message_ids", "nextval", self.messages + 1)?)
    }

    /// Repetitions are found by the server.
    fn insert(&mut self, _entry: &Entry) -> Result<Option<Entry>, Failure> {
        self.messages += 1;
        Ok(None)
    }

    fn owners(&mut self, _group_id: GroupId) -> Result<i64, Failure> {
        Err(not_of_messages())
    }

    fn members(&mut self, _group_id: GroupId) -> Result<i64, Failure> {
        Err(not_of_messages())
    }

    fn memberships(&mut self, _user_id: UserId) -> Result<i64, Failure> {
        Err(not_of_messages())
    }

    fn target(&mut self, _group_id: GroupId, _seq: Seq) -> Result<Option<Target>, Failure> {
        Err(not_of_messages())
    }

    fn clear(&mut self, _message: &Entry) -> Result<(), Failure> {
        Err(not_of_messages())
    }

    fn set_role(&mut self, _group_id: GroupId, _user_id: UserId, _change: RoleChange) -> Result<(), Failure> {
        Err(not_of_messages())
    }
}

/// [`Known::of`] lets messages through alone, which ask for nothing of this.
fn not_of_messages() -> Failure {
    Inconsistency {
        table: "entries",
        column: "kind",
    }
    .into()
}
