//! What an append decides, on any store: the next place, the guard, the repetition, the membership.
//!
//! A store adds a [`Ledger`]: SQLite asks and writes as the appender goes, PostgreSQL has asked for everything before
//! and writes everything after.

use std::collections::{HashMap, HashSet, hash_map};

use sealroom_domain::{
    EncryptedContent, Entry, EntryBody, GroupId, KeyEpoch, Message, Role, Seq, UserId,
    ports::{Appended, Guard, MemberLimits, NewBody, NewEntry, OfOthers, RefusedEntry},
};

use crate::{
    error::Failure,
    ledger::{Ledger, RoleChange},
    rows,
    target::Target,
};

/// What became of each entry of a batch, in their order.
pub(crate) type Outcomes = Vec<Result<Appended, RefusedEntry>>;

/// What became of an entry, unless the whole batch fails.
pub(crate) type Outcome = Result<Result<Appended, RefusedEntry>, Failure>;

/// Appends the entries of a batch one after the other.
pub(crate) struct Appender<L> {
    ledger: L,
    /// The heads of the groups' logs; `None` where there is no such group.
    heads: HashMap<GroupId, Option<Head>>,
    roles: HashMap<(GroupId, UserId), Option<Role>>,
    /// How many members groups have, and of how many groups users are members.
    members: HashMap<GroupId, i64>,
    memberships: HashMap<UserId, i64>,
    /// What the batch edits and deletes.
    aimed_at: HashSet<(GroupId, Seq)>,
    /// The messages there, as the batch has left them; `None` where there is none.
    targets: HashMap<(GroupId, Seq), Option<Target>>,
}

/// What is to be done about an entry.
enum Decision {
    /// It is appended.
    Append(EntryBody),
    /// It is not, and this is the answer.
    Answer(Result<Appended, RefusedEntry>),
}

/// The head of a log, which the batch moves.
#[derive(Debug, Clone, Copy)]
struct Head {
    before: i64,
    now: i64,
}

impl<L: Ledger> Appender<L> {
    pub(crate) fn new(ledger: L) -> Self {
        Self {
            ledger,
            heads: HashMap::new(),
            roles: HashMap::new(),
            members: HashMap::new(),
            memberships: HashMap::new(),
            aimed_at: HashSet::new(),
            targets: HashMap::new(),
        }
    }

    /// Appends a whole batch.
    pub(crate) fn entries(&mut self, batch: Vec<NewEntry>) -> Result<Outcomes, Failure> {
        self.aimed_at = batch.iter().filter_map(aim).collect();
        batch.into_iter().map(|entry| self.entry(entry)).collect()
    }

    /// The ledger, and the heads that moved: they are written once for the whole batch.
    pub(crate) fn finish(self) -> (L, Vec<(GroupId, i64)>) {
        let moved = self
            .heads
            .into_iter()
            .filter_map(|(group_id, head)| Some((group_id, head?)))
            .filter(|(_, head)| head.now != head.before)
            .map(|(group_id, head)| (group_id, head.now))
            .collect();
        (self.ledger, moved)
    }

    fn entry(&mut self, entry: NewEntry) -> Outcome {
        let (group_id, at) = (entry.group_id, entry.at);
        let Some(seq) = self.next_seq(group_id)? else {
            return Ok(Err(RefusedEntry::UnknownGroup));
        };
        match self.decide(entry)? {
            Decision::Answer(answer) => Ok(answer),
            Decision::Append(body) => self.insert(Entry {
                group_id,
                seq,
                at,
                body,
            }),
        }
    }

    fn decide(&mut self, entry: NewEntry) -> Result<Decision, Failure> {
        let NewEntry {
            group_id,
            actor_id,
            body,
            guard,
            ..
        } = entry;
        if let Guard::Kept {
            actor_role: Some(least),
            ..
        } = guard
            && self.role(group_id, actor_id)? < Some(least)
        {
            return Ok(Decision::Answer(Err(RefusedEntry::ActorRole)));
        }
        match body {
            NewBody::Message {
                sender_name,
                content,
                client_message_id,
                key_epoch,
            } => Ok(Decision::Append(EntryBody::Message(Message {
                id: self.ledger.next_message_id()?,
                sender_id: actor_id,
                sender_name,
                content: Some(content),
                client_message_id,
                key_epoch,
            }))),
            NewBody::EditMessage {
                target_seq,
                content,
                key_epoch,
            } => self.edit((group_id, target_seq), actor_id, content, key_epoch),
            NewBody::DeleteMessage {
                target_seq,
                of_others,
            } => {
                let may_others = self.may_others(group_id, actor_id, of_others, guard)?;
                self.delete((group_id, target_seq), actor_id, may_others)
            }
            NewBody::SetMember {
                user_id,
                role,
                limits,
            } => {
                let body = EntryBody::MemberAdded {
                    user_id,
                    role,
                    actor_id,
                };
                let answer = self.change_member((group_id, user_id), Some(role), limits, guard)?;
                Ok(answer.map_or(Decision::Append(body), Decision::Answer))
            }
            NewBody::RemoveMember { user_id, reason } => {
                let body = EntryBody::MemberRemoved {
                    user_id,
                    reason,
                    actor_id,
                };
                let answer = self.change_member((group_id, user_id), None, MemberLimits::default(), guard)?;
                Ok(answer.map_or(Decision::Append(body), Decision::Answer))
            }
        }
    }

    fn edit(
        &mut self,
        place: (GroupId, Seq),
        actor_id: UserId,
        content: EncryptedContent,
        key_epoch: Option<KeyEpoch>,
    ) -> Result<Decision, Failure> {
        let answer = match self.target(place)? {
            Some(target) => target.edit(actor_id, &content, key_epoch),
            None => Some(Err(RefusedEntry::NoSuchMessage)),
        };
        let body = EntryBody::MessageEdited {
            target_seq: place.1,
            content: Some(content),
            key_epoch,
            actor_id,
        };
        Ok(answer.map_or(Decision::Append(body), Decision::Answer))
    }

    fn delete(
        &mut self,
        place: (GroupId, Seq),
        actor_id: UserId,
        may_others: bool,
    ) -> Result<Decision, Failure> {
        let answer = match self.target(place)? {
            Some(target) => target.delete(actor_id, may_others),
            None => Some(Err(RefusedEntry::NoSuchMessage)),
        };
        let body = EntryBody::MessageDeleted {
            target_seq: place.1,
            actor_id,
        };
        Ok(answer.map_or(Decision::Append(body), Decision::Answer))
    }

    fn may_others(
        &mut self,
        group_id: GroupId,
        actor_id: UserId,
        of_others: OfOthers,
        guard: Guard,
    ) -> Result<bool, Failure> {
        Ok(match (of_others, guard) {
            (OfOthers::Never, _) | (OfOthers::FromRole(_), Guard::Host) => false,
            (OfOthers::Always, _) => true,
            (OfOthers::FromRole(least), Guard::Kept { .. }) => self.role(group_id, actor_id)? >= Some(least),
        })
    }

    fn insert(&mut self, entry: Entry) -> Outcome {
        if let Some(before) = self.ledger.insert(&entry)? {
            return Ok(repetition(before, &entry));
        }
        if let Some(Some(head)) = self.heads.get_mut(&entry.group_id) {
            head.now = entry.seq.get();
        }
        if !self.aimed_at.is_empty() {
            self.note(&entry)?;
        }
        Ok(Ok(Appended::New(entry)))
    }

    /// Notes what an entry means for later edits and deletions of the batch.
    fn note(&mut self, entry: &Entry) -> Result<(), Failure> {
        match entry.body {
            EntryBody::Message(_) if self.aimed_at.contains(&(entry.group_id, entry.seq)) => {
                let target = Target::new(entry.clone(), None);
                self.targets.insert((entry.group_id, entry.seq), target);
            }
            EntryBody::MessageEdited { target_seq, .. } | EntryBody::MessageDeleted { target_seq, .. } => {
                if let Some(Some(target)) = self.targets.get_mut(&(entry.group_id, target_seq)) {
                    target.change(entry.clone());
                    if matches!(entry.body, EntryBody::MessageDeleted { .. }) {
                        self.ledger.clear(target.message())?;
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Changes a membership where the store keeps it; `Some` where there is nothing to append.
    fn change_member(
        &mut self,
        (group_id, user_id): (GroupId, UserId),
        after: Option<Role>,
        limits: MemberLimits,
        guard: Guard,
    ) -> Result<Option<Result<Appended, RefusedEntry>>, Failure> {
        let Guard::Kept { keeps_owner, .. } = guard else {
            return Ok(None);
        };
        let before = self.role(group_id, user_id)?;
        if before == after {
            return Ok(Some(Ok(Appended::Unchanged)));
        }
        if keeps_owner && before == Some(Role::Owner) && self.ledger.owners(group_id)? <= 1 {
            return Ok(Some(Err(RefusedEntry::LastOwner)));
        }
        if before.is_none()
            && let Some(refused) = self.beyond(group_id, user_id, limits)?
        {
            return Ok(Some(Err(refused)));
        }
        self.ledger
            .set_role(group_id, user_id, RoleChange { before, after })?;
        self.roles.insert((group_id, user_id), after);
        let more = i64::from(after.is_some()) - i64::from(before.is_some());
        if let Some(count) = self.members.get_mut(&group_id) {
            *count = count.saturating_add(more);
        }
        if let Some(count) = self.memberships.get_mut(&user_id) {
            *count = count.saturating_add(more);
        }
        Ok(None)
    }

    /// The limit that one more membership would be beyond.
    fn beyond(
        &mut self,
        group_id: GroupId,
        user_id: UserId,
        limits: MemberLimits,
    ) -> Result<Option<RefusedEntry>, Failure> {
        let is_full = |count: i64, limit: usize| usize::try_from(count).is_ok_and(|count| count >= limit);
        if let Some(limit) = limits.per_group {
            let count = match self.members.entry(group_id) {
                hash_map::Entry::Occupied(known) => *known.get(),
                hash_map::Entry::Vacant(unknown) => *unknown.insert(self.ledger.members(group_id)?),
            };
            if is_full(count, limit) {
                return Ok(Some(RefusedEntry::GroupFull));
            }
        }
        if let Some(limit) = limits.per_user {
            let count = match self.memberships.entry(user_id) {
                hash_map::Entry::Occupied(known) => *known.get(),
                hash_map::Entry::Vacant(unknown) => *unknown.insert(self.ledger.memberships(user_id)?),
            };
            if is_full(count, limit) {
                return Ok(Some(RefusedEntry::TooManyGroups));
            }
        }
        Ok(None)
    }

    /// The place of the group's next entry; `None` where there is no such group.
    fn next_seq(&mut self, group_id: GroupId) -> Result<Option<Seq>, Failure> {
        let head = match self.heads.entry(group_id) {
            hash_map::Entry::Occupied(known) => *known.get(),
            hash_map::Entry::Vacant(unknown) => {
                let head = self.ledger.head(group_id)?;
                *unknown.insert(head.map(|now| Head { before: now, now }))
            }
        };
        head.map(|head| rows::seq("groups", "head_seq", head.now.saturating_add(1)))
            .transpose()
            .map_err(Failure::from)
    }

    fn role(&mut self, group_id: GroupId, user_id: UserId) -> Result<Option<Role>, Failure> {
        match self.roles.entry((group_id, user_id)) {
            hash_map::Entry::Occupied(known) => Ok(*known.get()),
            hash_map::Entry::Vacant(unknown) => Ok(*unknown.insert(self.ledger.role(group_id, user_id)?)),
        }
    }

    fn target(&mut self, place: (GroupId, Seq)) -> Result<Option<&Target>, Failure> {
        let target = match self.targets.entry(place) {
            hash_map::Entry::Occupied(known) => known.into_mut(),
            hash_map::Entry::Vacant(unknown) => unknown.insert(self.ledger.target(place.0, place.1)?),
        };
        Ok(target.as_ref())
    }
}

/// The place that an edit or a deletion is about.
fn aim(entry: &NewEntry) -> Option<(GroupId, Seq)> {
    match entry.body {
        NewBody::EditMessage { target_seq, .. } | NewBody::DeleteMessage { target_seq, .. } => {
            Some((entry.group_id, target_seq))
        }
        _ => None,
    }
}

/// A message under the `client_message_id` of another one is that one, or in conflict with it; of one whose content is
/// gone nobody can tell.
fn repetition(before: Entry, entry: &Entry) -> Result<Appended, RefusedEntry> {
    let same = match (before.message(), entry.message()) {
        (Some(before), Some(now)) => {
            before.content.is_none() || (before.content == now.content && before.key_epoch == now.key_epoch)
        }
        _ => false,
    };
    if same {
        Ok(Appended::Duplicate(before))
    } else {
        Err(RefusedEntry::IdempotencyConflict)
    }
}
