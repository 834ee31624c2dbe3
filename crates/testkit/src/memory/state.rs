//! What a [`super::MemoryStore`] holds.

use std::{
    collections::{BTreeMap, HashMap},
    sync::atomic::{AtomicU64, Ordering},
};

use sealroom_domain::{
    ClientMessageId, Entry, EntryBody, GroupId, GroupName, LogId, MessageId, Role, Seq, Timestamp, UserId,
    Username,
    ports::{Member, Profile},
};

/// Tells the logs of one test process apart.
static LOGS: AtomicU64 = AtomicU64::new(1);

pub(super) struct State {
    pub(super) log_id: LogId,
    next_message_id: i64,
    next_group_id: i64,
    pub(super) groups: BTreeMap<GroupId, GroupState>,
    /// Apart from the groups, so that the store can also stand for a host's own memberships.
    pub(super) memberships: BTreeMap<(GroupId, UserId), Role>,
    pub(super) users: HashMap<UserId, Profile>,
    pub(super) usernames: HashMap<Username, UserId>,
}

pub(super) struct GroupState {
    pub(super) name: GroupName,
    pub(super) created_at: Timestamp,
    /// The entry with `seq` n is at index n - 1.
    pub(super) entries: Vec<Entry>,
    /// Where the message with this sender and client id is in `entries`.
    pub(super) by_client_id: HashMap<(UserId, ClientMessageId), usize>,
}

impl GroupState {
    pub(super) fn new(name: GroupName, created_at: Timestamp) -> Self {
        Self {
            name,
            created_at,
            entries: Vec::new(),
            by_client_id: HashMap::new(),
        }
    }

    /// The place of the last entry.
    pub(super) fn head(&self) -> Seq {
        self.entries.last().map_or(Seq::ZERO, |entry| entry.seq)
    }

    /// Gives the entry the next place.
    pub(super) fn push(&mut self, group_id: GroupId, at: Timestamp, body: EntryBody) -> Entry {
        let entry = Entry {
            group_id,
            seq: self.head().next(),
            at,
            body,
        };
        self.entries.push(entry.clone());
        entry
    }
}

impl State {
    pub(super) fn new() -> Self {
        let number = LOGS.fetch_add(1, Ordering::Relaxed);
        Self {
            log_id: LogId::new(format!("memory-{number}")).expect("the name is short"),
            next_message_id: 1,
            next_group_id: 1,
            groups: BTreeMap::new(),
            memberships: BTreeMap::new(),
            users: HashMap::new(),
            usernames: HashMap::new(),
        }
    }

    pub(super) fn take_message_id(&mut self) -> MessageId {
        let id = MessageId::new(self.next_message_id).expect("a test stores fewer messages");
        self.next_message_id += 1;
        id
    }

    /// An id that no group has, also none that was put under a chosen id.
    pub(super) fn take_group_id(&mut self) -> GroupId {
        loop {
            let id = GroupId::new(self.next_group_id).expect("a test creates fewer groups");
            self.next_group_id += 1;
            if !self.groups.contains_key(&id) {
                return id;
            }
        }
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

    /// Whether the user is the only owner of the group.
    pub(super) fn is_last_owner(&self, group_id: GroupId, user_id: UserId) -> bool {
        self.role(group_id, user_id) == Some(Role::Owner)
            && !self
                .members(group_id)
                .any(|member| member.role == Role::Owner && member.user_id != user_id)
    }
}
