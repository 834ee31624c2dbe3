//! What a [`super::MemoryStore`] holds.

use std::{
    collections::{BTreeMap, HashMap},
    sync::atomic::{AtomicU64, Ordering},
};

use sealroom_domain::{
    Entry, EntryBody, GroupId, LogId, LoginId, MessageId, PasswordHash, Role, Seq, Timestamp, TokenDigest,
    UserId, Username,
    ports::{Member, MemberLimits, OutboxId, Profile, RefusedEntry},
};

use super::{
    accounts::{Login, RefreshToken},
    group::{Grave, GroupState},
    upkeep::Erasure,
};

/// Tells the logs of one test process apart.
static LOGS: AtomicU64 = AtomicU64::new(1);

pub(super) struct State {
    pub(super) log_id: LogId,
    next_message_id: i64,
    next_group_id: i64,
    next_outbox_id: i64,
    pub(super) groups: BTreeMap<GroupId, GroupState>,
    /// What is left of deleted groups; also of those that were put again.
    pub(super) graves: BTreeMap<GroupId, Grave>,
    /// Apart from the groups, so that the store can also stand for a host's own memberships.
    pub(super) memberships: BTreeMap<(GroupId, UserId), Role>,
    pub(super) read_marks: BTreeMap<(GroupId, UserId), Seq>,
    pub(super) users: BTreeMap<UserId, Profile>,
    pub(super) usernames: HashMap<Username, UserId>,
    pub(super) passwords: HashMap<UserId, PasswordHash>,
    pub(super) logins: BTreeMap<LoginId, Login>,
    pub(super) refresh_tokens: HashMap<TokenDigest, RefreshToken>,
    /// The erased users whose content is not gone yet.
    pub(super) erasures: BTreeMap<UserId, Erasure>,
    pub(super) outbox: BTreeMap<OutboxId, (GroupId, Seq)>,
    /// Who delivers, and until when.
    pub(super) lease: Option<(String, Timestamp)>,
}

impl State {
    pub(super) fn new() -> Self {
        let number = LOGS.fetch_add(1, Ordering::Relaxed);
        Self {
            log_id: LogId::new(format!("memory-{number}")).expect("the name is short"),
            next_message_id: 1,
            next_group_id: 1,
            next_outbox_id: 1,
            groups: BTreeMap::new(),
            graves: BTreeMap::new(),
            memberships: BTreeMap::new(),
            read_marks: BTreeMap::new(),
            users: BTreeMap::new(),
            usernames: HashMap::new(),
            passwords: HashMap::new(),
            logins: BTreeMap::new(),
            refresh_tokens: HashMap::new(),
            erasures: BTreeMap::new(),
            outbox: BTreeMap::new(),
            lease: None,
        }
    }

    pub(super) fn take_message_id(&mut self) -> MessageId {
        let id = MessageId::new(self.next_message_id).expect("a test stores fewer messages");
        self.next_message_id += 1;
        id
    }

    /// An id that no group has or had, also none that was put under a chosen id.
    pub(super) fn take_group_id(&mut self) -> GroupId {
        loop {
            let id = GroupId::new(self.next_group_id).expect("a test creates fewer groups");
            self.next_group_id += 1;
            if !self.groups.contains_key(&id) && !self.graves.contains_key(&id) {
                return id;
            }
        }
    }

    /// Gives the entry the next place in its group's log and puts it into the outbox.
    pub(super) fn push(
        &mut self,
        group_id: GroupId,
        at: Timestamp,
        body: EntryBody,
    ) -> Result<Entry, RefusedEntry> {
        let group = self.groups.get_mut(&group_id).ok_or(RefusedEntry::UnknownGroup)?;
        let entry = group.push(group_id, at, body);
        self.outbox
            .insert(OutboxId(self.next_outbox_id), (group_id, entry.seq));
        self.next_outbox_id += 1;
        Ok(entry)
    }

    pub(super) fn role(&self, group_id: GroupId, user_id: UserId) -> Option<Role> {
        self.memberships.get(&(group_id, user_id)).copied()
    }

    /// By ascending user id.
    pub(super) fn members(&self, group_id: GroupId) -> impl Iterator<Item = Member> + '_ {
        let first = UserId::new(1).expect("1 is an id");
        self.memberships
            .range((group_id, first)..)
            .take_while(move |((group, _), _)| *group == group_id)
            .map(|((_, user_id), role)| Member {
                user_id: *user_id,
                role: *role,
            })
    }

    /// By ascending group id.
    pub(super) fn groups_of(&self, user_id: UserId) -> impl Iterator<Item = (GroupId, Role)> + '_ {
        self.memberships
            .iter()
            .filter(move |((_, member), _)| *member == user_id)
            .map(|((group_id, _), role)| (*group_id, *role))
    }

    /// Whether the user is the only owner of the group.
    pub(super) fn is_last_owner(&self, group_id: GroupId, user_id: UserId) -> bool {
        self.role(group_id, user_id) == Some(Role::Owner)
            && !self
                .members(group_id)
                .any(|member| member.role == Role::Owner && member.user_id != user_id)
    }

    /// Whether a group that has so many members, and a user, have room for one more membership.
    pub(super) fn check_room(
        &self,
        members: usize,
        user_id: UserId,
        limits: MemberLimits,
    ) -> Result<(), RefusedEntry> {
        if limits.per_group.is_some_and(|most| members >= most) {
            return Err(RefusedEntry::GroupFull);
        }
        let full = |most| self.groups_of(user_id).count() >= most;
        if limits.per_user.is_some_and(full) {
            return Err(RefusedEntry::TooManyGroups);
        }
        Ok(())
    }
}
