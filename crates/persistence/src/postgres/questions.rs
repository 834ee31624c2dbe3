//! What a batch asks before it is decided.

use std::collections::BTreeSet;

use sealroom_domain::ports::{Guard, MemberLimits, NewBody, NewEntry, OfOthers};

use super::statements::{
    AtPlaces, ByClientMessageIds, CountGroups, CountMembers, LastChanges, LockUsers, Owners, Roles,
    TakeMessageIds,
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
    /// The messages that are to be edited or deleted, and the last changes of them.
    pub(super) targets: Option<(AtPlaces, LastChanges)>,
    pub(super) members: Option<CountMembers>,
    /// Asked under the lock of the users.
    pub(super) memberships: Option<(LockUsers, CountGroups)>,
}

/// What the entries of a batch are about, each once and ascending.
#[derive(Debug, Default)]
struct Subjects {
    groups: BTreeSet<i64>,
    pairs: BTreeSet<(i64, i64)>,
    /// Groups whose owners are counted, whose members are, and users whose groups are.
    owned: BTreeSet<i64>,
    filled: BTreeSet<i64>,
    joining: BTreeSet<i64>,
    targets: BTreeSet<(i64, i64)>,
    client_ids: ByClientMessageIds,
    messages: i64,
}

impl Subjects {
    fn add(&mut self, entry: &NewEntry) {
        let (group_id, actor_id) = (entry.group_id.get(), entry.actor_id.get());
        let is_kept = matches!(entry.guard, Guard::Kept { .. });
        self.groups.insert(group_id);
        if let Guard::Kept {
            actor_role: Some(_), ..
        } = entry.guard
        {
            self.pairs.insert((group_id, actor_id));
        }
        match &entry.body {
            NewBody::Message {
                client_message_id, ..
            } => {
                self.messages = self.messages.saturating_add(1);
                if let Some(id) = client_message_id {
                    self.client_ids.groups.push(group_id);
                    self.client_ids.senders.push(actor_id);
                    self.client_ids.client_ids.push(id.as_str().to_owned());
                }
            }
            NewBody::EditMessage { target_seq, .. } => {
                self.targets.insert((group_id, target_seq.get()));
            }
            NewBody::DeleteMessage {
                target_seq,
                of_others,
            } => {
                self.targets.insert((group_id, target_seq.get()));
                if is_kept && matches!(of_others, OfOthers::FromRole(_)) {
                    self.pairs.insert((group_id, actor_id));
                }
            }
            NewBody::SetMember { user_id, limits, .. } if is_kept => {
                self.add_member(group_id, user_id.get(), *limits);
            }
            NewBody::RemoveMember { user_id, .. } if is_kept => {
                self.add_member(group_id, user_id.get(), MemberLimits::default());
            }
            NewBody::SetMember { .. } | NewBody::RemoveMember { .. } => {}
        }
    }

    fn add_member(&mut self, group_id: i64, user_id: i64, limits: MemberLimits) {
        self.pairs.insert((group_id, user_id));
        self.owned.insert(group_id);
        if limits.per_group.is_some() {
            self.filled.insert(group_id);
        }
        if limits.per_user.is_some() {
            self.joining.insert(user_id);
        }
    }
}

impl Questions {
    /// What the entries of a batch depend on.
    pub(super) fn of(batch: &[NewEntry]) -> Self {
        let mut subjects = Subjects::default();
        for entry in batch {
            subjects.add(entry);
        }
        let Subjects {
            groups,
            pairs,
            owned,
            filled,
            joining,
            targets,
            client_ids,
            messages,
        } = subjects;
        let (pair_groups, pair_users): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
        let (target_groups, target_seqs): (Vec<_>, Vec<_>) = targets.into_iter().unzip();
        let joining: Vec<i64> = joining.into_iter().collect();
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
            targets: (!target_groups.is_empty()).then(|| {
                let changes = LastChanges {
                    groups: target_groups.clone(),
                    seqs: target_seqs.clone(),
                };
                let places = AtPlaces {
                    groups: target_groups,
                    seqs: target_seqs,
                };
                (places, changes)
            }),
            members: (!filled.is_empty()).then(|| CountMembers {
                groups: filled.into_iter().collect(),
            }),
            memberships: (!joining.is_empty()).then(|| {
                let lock = LockUsers { ids: joining.clone() };
                (lock, CountGroups { users: joining })
            }),
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
            targets: Some(Default::default()),
            members: Some(CountMembers::default()),
            memberships: Some(Default::default()),
        }
    }
}
