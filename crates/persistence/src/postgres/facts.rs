//! What a batch asks before it is decided, and what it writes after.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sealroom_domain::{
    ClientMessageId, Entry, GroupId, MessageId, Role, UserId,
    ports::{Guard, NewBody, NewEntry},
};

use super::statements::{
    ByClientMessageIds, KnowUsers, Owners, RemoveMembers, Roles, SetHeads, SetMembers, TakeMessageIds,
};
use crate::{
    append::{Ledger, RoleChange},
    error::{Failure, Inconsistency},
    rows::{self, EntryRow},
};

/// The questions of a batch; `None` where it has nothing to ask.
#[derive(Debug, Default)]
pub(super) struct Questions {
    /// The groups whose rows are locked, ascending.
    pub(super) groups: Vec<i64>,
    pub(super) roles: Option<Roles>,
    pub(super) owners: Option<Owners>,
    pub(super) client_ids: Option<ByClientMessageIds>,
    pub(super) message_ids: Option<TakeMessageIds>,
}

impl Questions {
    /// What the entries of a batch depend on.
    pub(super) fn of(batch: &[NewEntry]) -> Self {
        let mut groups = BTreeSet::new();
        let mut pairs = BTreeSet::new();
        let mut owned = BTreeSet::new();
        let mut client_ids = ByClientMessageIds::default();
        let mut messages = 0_i64;
        for entry in batch {
            let group_id = entry.group_id.get();
            groups.insert(group_id);
            if let Guard::Kept { actor_role, .. } = entry.guard
                && actor_role.is_some()
            {
                pairs.insert((group_id, entry.actor_id.get()));
            }
            match (&entry.body, entry.guard) {
                (
                    NewBody::Message {
                        client_message_id, ..
                    },
                    _,
                ) => {
                    messages = messages.saturating_add(1);
                    if let Some(id) = client_message_id {
                        client_ids.groups.push(group_id);
                        client_ids.senders.push(entry.actor_id.get());
                        client_ids.client_ids.push(id.as_str().to_owned());
                    }
                }
                (
                    NewBody::SetMember { user_id, .. } | NewBody::RemoveMember { user_id, .. },
                    Guard::Kept { .. },
                ) => {
                    pairs.insert((group_id, user_id.get()));
                    owned.insert(group_id);
                }
                (NewBody::SetMember { .. } | NewBody::RemoveMember { .. }, Guard::Host) => {}
            }
        }
        let (pair_groups, pair_users): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
        Self {
            groups: groups.into_iter().collect(),
            roles: (!pair_groups.is_empty()).then_some(Roles {
                groups: pair_groups,
                users: pair_users,
            }),
            owners: (!owned.is_empty()).then(|| Owners {
                groups: owned.into_iter().collect(),
            }),
            client_ids: (!client_ids.groups.is_empty()).then_some(client_ids),
            message_ids: (messages > 0).then_some(TakeMessageIds { count: messages }),
        }
    }

    /// Every question, about nothing.
    pub(super) fn rehearsal() -> Self {
        Self {
            groups: Vec::new(),
            roles: Some(Roles::default()),
            owners: Some(Owners::default()),
            client_ids: Some(ByClientMessageIds::default()),
            message_ids: Some(TakeMessageIds::default()),
        }
    }
}

/// The answers, and the changes of memberships that the batch makes.
#[derive(Debug)]
pub(super) struct Facts {
    heads: HashMap<i64, i64>,
    roles: HashMap<(GroupId, UserId), Role>,
    owners: HashMap<GroupId, i64>,
    /// The messages that later ones may repeat, those of this batch among them.
    messages: HashMap<(GroupId, UserId, ClientMessageId), Entry>,
    /// The ids of the next messages, the next one last.
    message_ids: Vec<i64>,
    changes: BTreeMap<(GroupId, UserId), Option<Role>>,
}

impl Facts {
    pub(super) fn new(
        heads: Vec<(i64, i64)>,
        roles: Vec<(i64, i64, String)>,
        owners: Vec<(i64, i64)>,
        repeated: Vec<EntryRow>,
        mut message_ids: Vec<i64>,
    ) -> Result<Self, Failure> {
        message_ids.reverse();
        let mut facts = Self {
            heads: heads.into_iter().collect(),
            roles: HashMap::with_capacity(roles.len()),
            owners: HashMap::with_capacity(owners.len()),
            messages: HashMap::new(),
            message_ids,
            changes: BTreeMap::new(),
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
        Ok(facts)
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

    fn set_role(&mut self, group_id: GroupId, user_id: UserId, change: RoleChange) -> Result<(), Failure> {
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
}

impl Writes {
    /// Every change, of nothing.
    pub(super) fn rehearsal() -> Self {
        Self {
            heads: Some(SetHeads::default()),
            users: Some(KnowUsers::default()),
            members: Some(SetMembers::default()),
            gone: Some(RemoveMembers::default()),
        }
    }
}
