//! What the writer knows from its last appends.

use std::collections::HashMap;

use diesel::{QueryResult, RunQueryDsl, SqliteConnection};
use sealroom_domain::{GroupId, Role, UserId};

use super::statements::DataVersion;

/// Heads of logs, roles of members and the counter of message ids, as they are in the database: what an append wrote, the next one need not read.
///
/// It is worth something only while nobody else writes. Jobs of the writer that are no append forget it, and so does one
/// that failed; what others have committed, here or in another process, is told by SQLite's `data_version`.
#[derive(Debug, Default)]
pub(super) struct Known {
    data_version: Option<i64>,
    heads: HashMap<GroupId, i64>,
    roles: HashMap<(GroupId, UserId), Role>,
    next_message_id: Option<i64>,
}

/// How much is known of each at most, which is about a megabyte.
const MOST: usize = 8192;

impl Known {
    /// Begins an append inside its transaction, in which nobody else commits.
    pub(super) fn begin(&mut self, conn: &mut SqliteConnection) -> QueryResult<()> {
        let version = DataVersion {}.get_result(conn)?;
        if self.data_version != Some(version) || self.heads.len() > MOST || self.roles.len() > MOST {
            *self = Self {
                data_version: Some(version),
                ..Self::default()
            };
        }
        Ok(())
    }

    /// The head of a group's log, from the database where it is not known.
    pub(super) fn head<E>(
        &mut self,
        group_id: GroupId,
        ask: impl FnOnce() -> Result<Option<i64>, E>,
    ) -> Result<Option<i64>, E> {
        if let Some(head) = self.heads.get(&group_id) {
            return Ok(Some(*head));
        }
        let head = ask()?;
        if let Some(head) = head {
            self.heads.insert(group_id, head);
        }
        Ok(head)
    }

    /// The role of a user, from the database where it is not known.
    pub(super) fn role<E>(
        &mut self,
        group_id: GroupId,
        user_id: UserId,
        ask: impl FnOnce() -> Result<Option<Role>, E>,
    ) -> Result<Option<Role>, E> {
        if let Some(role) = self.roles.get(&(group_id, user_id)) {
            return Ok(Some(*role));
        }
        let role = ask()?;
        self.set_role(group_id, user_id, role);
        Ok(role)
    }

    /// The counter of message ids, from the database where it is not known.
    pub(super) fn next_message_id<E>(&mut self, ask: impl FnOnce() -> Result<i64, E>) -> Result<i64, E> {
        if let Some(next) = self.next_message_id {
            return Ok(next);
        }
        let next = ask()?;
        self.next_message_id = Some(next);
        Ok(next)
    }

    /// The counter of message ids was moved.
    pub(super) fn set_next_message_id(&mut self, next: i64) {
        self.next_message_id = Some(next);
    }

    /// The head was moved.
    pub(super) fn set_head(&mut self, group_id: GroupId, head: i64) {
        self.heads.insert(group_id, head);
    }

    /// The role was changed; `None`: the user is no member.
    pub(super) fn set_role(&mut self, group_id: GroupId, user_id: UserId, role: Option<Role>) {
        match role {
            Some(role) => self.roles.insert((group_id, user_id), role),
            None => self.roles.remove(&(group_id, user_id)),
        };
    }
}
