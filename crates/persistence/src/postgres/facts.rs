//! What a batch was answered before it is decided, and what it writes after.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sealroom_domain::{ClientMessageId, Entry, EntryBody, GroupId, MessageId, Role, Seq, UserId};

use super::known::Learned;
use super::statements::{ClearContents, KnowUsers, PutIntoOutbox, RemoveMembers, SetHeads, SetMembers};
use crate::{
    error::{Failure, Inconsistency},
    ledger::{Ledger, RoleChange},
    rows::{self, EntryRow},
    target::Target,
};

/// What was answered, each list empty where nothing was asked.
#[derive(Default)]
pub(super) struct Answers {
    pub(super) heads: Vec<(i64, i64)>,
    pub(super) roles: Vec<(i64, i64, String)>,
    pub(super) owners: Vec<(i64, i64)>,
    pub(super) repeated: Vec<EntryRow>,
    pub(super) message_ids: Vec<i64>,
    pub(super) targets: Vec<EntryRow>,
    pub(super) changes: Vec<EntryRow>,
    pub(super) members: Vec<(i64, i64)>,
    pub(super) memberships: Vec<(i64, i64)>,
}

/// The answers, and the changes of memberships and contents that the batch makes.
#[derive(Debug)]
pub(super) struct Facts {
    heads: HashMap<i64, i64>,
    roles: HashMap<(GroupId, UserId), Role>,
    owners: HashMap<GroupId, i64>,
    members: HashMap<i64, i64>,
    memberships: HashMap<i64, i64>,
    /// The messages that later ones may repeat, those of this batch among them.
    messages: HashMap<(GroupId, UserId, ClientMessageId), Entry>,
    /// The ids of the next messages, the next one last.
    message_ids: Vec<i64>,
    /// The entries that are to be edited or deleted, and the last changes of them.
    targets: HashMap<(GroupId, Seq), Entry>,
    last_changes: HashMap<(GroupId, Seq), Entry>,
    changes: BTreeMap<(GroupId, UserId), Option<Role>>,
    /// The messages that lose their content.
    cleared: BTreeSet<(i64, i64)>,
}

impl Facts {
    pub(super) fn new(answers: Answers) -> Result<Self, Failure> {
        let Answers {
            heads,
            roles,
            owners,
            repeated,
            mut message_ids,
            targets,
            changes,
            members,
            memberships,
        } = answers;
        message_ids.reverse();
        let mut facts = Self {
            heads: heads.into_iter().collect(),
            roles: HashMap::with_capacity(roles.len()),
            owners: HashMap::with_capacity(owners.len()),
            members: members.into_iter().collect(),
            memberships: memberships.into_iter().collect(),
            messages: HashMap::new(),
            message_ids,
            targets: HashMap::with_capacity(targets.len()),
            last_changes: HashMap::with_capacity(changes.len()),
            changes: BTreeMap::new(),
            cleared: BTreeSet::new(),
        };
        for (group_id, user_id, role) in roles {
            let pair = (
                rows::group_id("members", "group_id", group_id)?,
                rows::user_id("members", "user_id", user_id)?,
            );
            facts.roles.insert(pair, rows::role("members", &role)?);
        }
        for (group_id, count) in owners {
            let group_id = rows::group_id("members", "group_id", group_id)?;
            facts.owners.insert(group_id, count);
        }
        for row in repeated {
            facts.remember(&Entry::try_from(row)?);
        }
        for row in targets {
            let entry = Entry::try_from(row)?;
            facts.targets.insert((entry.group_id, entry.seq), entry);
        }
        for row in changes {
            let entry = Entry::try_from(row)?;
            if let EntryBody::MessageEdited { target_seq, .. }
            | EntryBody::MessageDeleted { target_seq, .. } = entry.body
            {
                facts.last_changes.insert((entry.group_id, target_seq), entry);
            }
        }
        Ok(facts)
    }

    /// What the next append may know, once this one is stored. With the heads that it moves.
    pub(super) fn learned(&self, moved: &[(GroupId, i64)]) -> Learned {
        let heads = moved
            .iter()
            .filter_map(|(group_id, after)| Some((*group_id, *self.heads.get(&group_id.get())?, *after)))
            .collect();
        let before = self.roles.iter().map(|(member, role)| (*member, Some(*role)));
        let changed = self.changes.iter().map(|(member, role)| (*member, *role));
        Learned {
            heads,
            roles: before.chain(changed).collect(),
        }
    }

    /// Everything that the batch changes, besides its entries.
    pub(super) fn writes(self, mut moved: Vec<(GroupId, i64)>) -> Writes {
        moved.sort_unstable();
        let mut writes = Writes::default();
        if !moved.is_empty() {
            let (ids, heads) = moved.into_iter().map(|(id, head)| (id.get(), head)).unzip();
            writes.heads = Some(SetHeads { ids, heads });
        }
        let mut users = BTreeSet::new();
        for ((group_id, user_id), role) in self.changes {
            let (group_id, user_id) = (group_id.get(), user_id.get());
            if let Some(role) = role {
                users.insert(user_id);
                let members = writes.members.get_or_insert_default();
                members.groups.push(group_id);
                members.users.push(user_id);
                members.roles.push(role.as_str());
            } else {
                let gone = writes.gone.get_or_insert_default();
                gone.groups.push(group_id);
                gone.users.push(user_id);
            }
        }
        if !users.is_empty() {
            // Ascending, as everybody does who makes several users known at once.
            writes.users = Some(KnowUsers {
                ids: users.into_iter().collect(),
            });
        }
        if !self.cleared.is_empty() {
            let (groups, seqs) = self.cleared.into_iter().unzip();
            writes.cleared = Some(ClearContents { groups, seqs });
        }
        writes
    }

    fn remember(&mut self, entry: &Entry) {
        if let Some(message) = entry.message()
            && let Some(id) = &message.client_message_id
        {
            let key = (entry.group_id, message.sender_id, id.clone());
            self.messages.insert(key, entry.clone());
        }
    }
}

impl Ledger for Facts {
    fn head(&mut self, group_id: GroupId) -> Result<Option<i64>, Failure> {
        Ok(self.heads.get(&group_id.get()).copied())
    }

    fn role(&mut self, group_id: GroupId, user_id: UserId) -> Result<Option<Role>, Failure> {
        Ok(self.roles.get(&(group_id, user_id)).copied())
    }

    fn owners(&mut self, group_id: GroupId) -> Result<i64, Failure> {
        Ok(self.owners.get(&group_id).copied().unwrap_or(0))
    }

    fn members(&mut self, group_id: GroupId) -> Result<i64, Failure> {
        Ok(self.members.get(&group_id.get()).copied().unwrap_or(0))
    }

    fn memberships(&mut self, user_id: UserId) -> Result<i64, Failure> {
        Ok(self.memberships.get(&user_id.get()).copied().unwrap_or(0))
    }

    fn target(&mut self, group_id: GroupId, seq: Seq) -> Result<Option<Target>, Failure> {
        let place = (group_id, seq);
        let Some(message) = self.targets.remove(&place) else {
            return Ok(None);
        };
        Ok(Target::new(message, self.last_changes.remove(&place)))
    }

    fn next_message_id(&mut self) -> Result<MessageId, Failure> {
        let next = self.message_ids.last().copied().unwrap_or(0);
        Ok(rows::message_id("message_ids", "nextval", next)?)
    }

    fn insert(&mut self, entry: &Entry) -> Result<Option<Entry>, Failure> {
        let Some(message) = entry.message() else {
            return Ok(None);
        };
        if let Some(id) = &message.client_message_id {
            let key = (entry.group_id, message.sender_id, id.clone());
            if let Some(before) = self.messages.get(&key) {
                return Ok(Some(before.clone()));
            }
            self.remember(entry);
        }
        self.message_ids.pop().map(|_| None).ok_or_else(|| {
            Inconsistency {
                table: "message_ids",
                column: "nextval",
            }
            .into()
        })
    }

    fn clear(&mut self, entry: &Entry) -> Result<(), Failure> {
        self.cleared.insert((entry.group_id.get(), entry.seq.get()));
        // What repeats it later in the batch is answered it as it is now.
        if let Some(message) = entry.message()
            && let Some(id) = &message.client_message_id
            && let Some(known) = self
                .messages
                .get_mut(&(entry.group_id, message.sender_id, id.clone()))
            && let EntryBody::Message(message) = &mut known.body
        {
            message.content = None;
        }
        Ok(())
    }

    fn set_role(&mut self, group_id: GroupId, user_id: UserId, change: RoleChange) -> Result<(), Failure> {
        let more = i64::from(change.after.is_some()) - i64::from(change.before.is_some());
        for count in [
            self.members.entry(group_id.get()).or_insert(0),
            self.memberships.entry(user_id.get()).or_insert(0),
        ] {
            *count = count.saturating_add(more);
        }
        let owners = self.owners.entry(group_id).or_insert(0);
        if change.before == Some(Role::Owner) {
            *owners = owners.saturating_sub(1);
        }
        if change.after == Some(Role::Owner) {
            *owners = owners.saturating_add(1);
        }
        self.changes.insert((group_id, user_id), change.after);
        Ok(())
    }
}

/// What a batch changes, besides its entries; `None` where it changes nothing.
#[derive(Debug, Default)]
pub(super) struct Writes {
    pub(super) heads: Option<SetHeads>,
    pub(super) users: Option<KnowUsers>,
    pub(super) members: Option<SetMembers>,
    pub(super) gone: Option<RemoveMembers>,
    pub(super) cleared: Option<ClearContents>,
    pub(super) outbox: Option<PutIntoOutbox>,
}

impl Writes {
    /// Whether nothing changes.
    pub(super) const fn is_empty(&self) -> bool {
        let Self {
            heads,
            users,
            members,
            gone,
            cleared,
            outbox,
        } = self;
        heads.is_none()
            && users.is_none()
            && members.is_none()
            && gone.is_none()
            && cleared.is_none()
            && outbox.is_none()
    }

    /// Every change, of nothing.
    pub(super) fn rehearsal() -> Self {
        Self {
            heads: Some(SetHeads::default()),
            users: Some(KnowUsers::default()),
            members: Some(SetMembers::default()),
            gone: Some(RemoveMembers::default()),
            cleared: Some(ClearContents::default()),
            outbox: Some(PutIntoOutbox::default()),
        }
    }
}
