//! One group and its log.

use std::collections::HashMap;

use sealroom_domain::{
    ClientMessageId, DisplayName, EncryptedContent, Entry, EntryBody, GroupId, GroupName, KeyEpoch, Message,
    Retention, Seq, Timestamp, UserId, ports::CurrentMessage,
};

pub(super) struct GroupState {
    pub(super) name: GroupName,
    pub(super) created_at: Timestamp,
    pub(super) retention: Retention,
    /// The place of the last entry; of a group that was put again, at first the last place of the former one.
    head: Seq,
    /// Without a gap; the oldest may be forgotten.
    entries: Vec<Entry>,
    /// Where the message with this sender and client id is.
    by_client_id: HashMap<(UserId, ClientMessageId), Seq>,
    /// The places of each message's edits, ascending.
    edits: HashMap<Seq, Vec<Seq>>,
    /// The place of each message's deletion.
    deletions: HashMap<Seq, Seq>,
}

/// What is left of a deleted group.
#[derive(Default)]
pub(super) struct Grave {
    /// The last place that an entry had.
    pub(super) head: Option<Seq>,
    /// Entries that nobody has cleared away yet.
    pub(super) entries: u64,
}

/// What an edit brings.
pub(super) struct Edit {
    pub(super) content: Option<EncryptedContent>,
    pub(super) key_epoch: Option<KeyEpoch>,
}

impl GroupState {
    /// An empty log that goes on after `head`.
    pub(super) fn new(name: GroupName, created_at: Timestamp, head: Seq) -> Self {
        Self {
            name,
            created_at,
            retention: Retention::default(),
            head,
            entries: Vec::new(),
            by_client_id: HashMap::new(),
            edits: HashMap::new(),
            deletions: HashMap::new(),
        }
    }

    /// The place of the last entry.
    pub(super) const fn head(&self) -> Seq {
        self.head
    }

    /// The place of the first entry that is still stored; of an empty log the place of the next one.
    pub(super) fn first(&self) -> Seq {
        self.entries
            .first()
            .map_or_else(|| self.head.next(), |entry| entry.seq)
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(super) fn entry(&self, seq: Seq) -> Option<&Entry> {
        Some(&self.entries[self.index(seq)?])
    }

    fn index(&self, seq: Seq) -> Option<usize> {
        self.entries.binary_search_by_key(&seq, |entry| entry.seq).ok()
    }

    /// The entry of the message with the same sender and client id.
    pub(super) fn repeated(&self, message: &Message) -> Option<&Entry> {
        let key = (message.sender_id, message.client_message_id.clone()?);
        self.entry(*self.by_client_id.get(&key)?)
    }

    pub(super) fn deletion(&self, target: Seq) -> Option<&Entry> {
        self.entry(*self.deletions.get(&target)?)
    }

    /// The last edit of a message.
    pub(super) fn last_edit(&self, target: Seq) -> Option<(&Entry, Edit)> {
        let entry = self.entry(*self.edits.get(&target)?.last()?)?;
        match &entry.body {
            EntryBody::MessageEdited {
                content, key_epoch, ..
            } => Some((
                entry,
                Edit {
                    content: content.clone(),
                    key_epoch: *key_epoch,
                },
            )),
            _ => None,
        }
    }

    /// The messages that have content, as they stand.
    pub(super) fn messages(&self) -> Vec<CurrentMessage> {
        self.entries
            .iter()
            .filter(|entry| entry.message().is_some_and(|message| message.content.is_some()))
            .map(|entry| self.current(entry.clone()))
            .collect()
    }

    fn current(&self, mut entry: Entry) -> CurrentMessage {
        let mut edited_seq = None;
        if let (EntryBody::Message(message), Some((edit, last))) =
            (&mut entry.body, self.last_edit(entry.seq))
        {
            edited_seq = Some(edit.seq);
            message.content = last.content;
            message.key_epoch = last.key_epoch;
        }
        CurrentMessage { entry, edited_seq }
    }

    /// Gives the entry the next place, and does what follows from it.
    pub(super) fn push(&mut self, group_id: GroupId, at: Timestamp, body: EntryBody) -> Entry {
        self.head = self.head.next();
        let seq = self.head;
        match &body {
            EntryBody::Message(Message {
                sender_id,
                client_message_id: Some(client_message_id),
                ..
            }) => {
                self.by_client_id
                    .insert((*sender_id, client_message_id.clone()), seq);
            }
            EntryBody::MessageEdited { target_seq, .. } => {
                self.edits.entry(*target_seq).or_default().push(seq);
            }
            EntryBody::MessageDeleted { target_seq, .. } => {
                self.deletions.insert(*target_seq, seq);
                self.clear_content(*target_seq);
            }
            _ => {}
        }
        let entry = Entry {
            group_id,
            seq,
            at,
            body,
        };
        self.entries.push(entry.clone());
        entry
    }

    /// Takes the content away from a message and its edits.
    fn clear_content(&mut self, target: Seq) {
        let edits = self.edits.get(&target).cloned().unwrap_or_default();
        for seq in edits.into_iter().chain([target]) {
            let Some(index) = self.index(seq) else { continue };
            match &mut self.entries[index].body {
                EntryBody::Message(message) => message.content = None,
                EntryBody::MessageEdited { content, .. } => *content = None,
                _ => {}
            }
        }
    }

    /// Takes content, names and client ids away from what the user wrote up to a place.
    pub(super) fn erase(&mut self, user_id: UserId, up_to: Seq) {
        let count = self.entries.partition_point(|entry| entry.seq <= up_to);
        for entry in &mut self.entries[..count] {
            match &mut entry.body {
                EntryBody::Message(message) if message.sender_id == user_id => {
                    message.content = None;
                    message.sender_name = DisplayName::unknown();
                    message.client_message_id = None;
                }
                EntryBody::MessageEdited {
                    content, actor_id, ..
                } if *actor_id == user_id => *content = None,
                _ => {}
            }
        }
        self.by_client_id
            .retain(|(sender_id, _), seq| *sender_id != user_id || *seq > up_to);
    }

    /// Forgets the oldest entries that the rule does not keep, at most so many and never the last one.
    pub(super) fn trim(&mut self, rule: Retention, now: Timestamp, most: usize) -> usize {
        let kept_from = rule.age.map(|age| now.minus(age));
        let last = self.entries.len().saturating_sub(1);
        let beyond = rule.count.map_or(0, |count| {
            self.entries
                .len()
                .saturating_sub(usize::try_from(count).unwrap_or(usize::MAX))
        });
        let old = kept_from.map_or(0, |from| {
            self.entries.iter().take_while(|entry| entry.at < from).count()
        });
        let count = beyond.max(old).min(last).min(most);
        self.entries.drain(..count);
        let first = self.first();
        self.by_client_id.retain(|_, seq| *seq >= first);
        self.edits.retain(|target, _| *target >= first);
        self.deletions.retain(|target, _| *target >= first);
        count
    }
}
