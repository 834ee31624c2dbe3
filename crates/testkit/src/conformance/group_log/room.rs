//! A fixture with a group in it, and the questions that properties ask.

use std::sync::Arc;

use sealroom_domain::{
    EncryptedContent, Entry, EntryBody, GroupId, RemovalReason, Role, Seq, UserId,
    ports::{
        Appended, Cursor, GroupLog, Guard, MemberLimits, Memberships, NewBody, NewEntry, Page, PageLimit,
        RefusedEntry,
    },
};

use super::GroupLogFixture;
use crate::conformance::sample::{client_id, content, display_name, group_name, moment};

pub(super) type Answer = Result<Appended, RefusedEntry>;

/// No limit that a property's log reaches.
pub(super) const ALL: PageLimit = PageLimit {
    entries: 100_000,
    bytes: usize::MAX,
};

/// Checks what the store keeps itself.
pub(super) const MEMBERS_ONLY: Guard = Guard::Kept {
    actor_role: Some(Role::Member),
    keeps_owner: true,
};

/// Lets everything pass, and changes memberships with their entries.
pub(super) const UNCHECKED: Guard = Guard::Kept {
    actor_role: None,
    keeps_owner: false,
};

impl GroupLogFixture {
    /// Makes an empty group under this id.
    pub(super) async fn group(&self, group_id: GroupId) -> GroupId {
        let put = self.groups.put(group_id, &group_name("group"), moment(0)).await;
        assert!(put.unwrap(), "the fixture's log must be empty");
        group_id
    }

    /// The memberships, where the store keeps them.
    pub(super) fn kept(&self) -> Option<Arc<dyn Memberships>> {
        self.memberships.clone()
    }

    /// Appends; the answers must be one for each entry.
    pub(super) async fn append(&self, batch: Vec<NewEntry>) -> Vec<Answer> {
        append(&*self.log, batch).await
    }

    /// Appends one entry.
    pub(super) async fn append_one(&self, entry: NewEntry) -> Answer {
        self.append(vec![entry]).await.remove(0)
    }

    /// Appends what must be new.
    pub(super) async fn append_new(&self, batch: Vec<NewEntry>) -> Vec<Entry> {
        self.append(batch).await.into_iter().map(new_entry).collect()
    }

    /// One page of a group that must be there.
    pub(super) async fn page(&self, group_id: GroupId, cursor: Cursor, limit: PageLimit) -> Page {
        page(&*self.log, group_id, cursor, limit).await
    }

    /// The whole log of a group, checked to be dense.
    pub(super) async fn whole(&self, group_id: GroupId) -> Vec<Entry> {
        whole(&*self.log, group_id).await
    }
}

pub(super) async fn append(log: &dyn GroupLog, batch: Vec<NewEntry>) -> Vec<Answer> {
    let expected = batch.len();
    let answers = log.append(batch).await.unwrap();
    assert_eq!(answers.len(), expected, "one answer for each entry");
    answers
}

pub(super) async fn page(log: &dyn GroupLog, group_id: GroupId, cursor: Cursor, limit: PageLimit) -> Page {
    let page = log.read(group_id, cursor, limit).await.unwrap();
    page.expect("the group is there")
}

pub(super) async fn whole(log: &dyn GroupLog, group_id: GroupId) -> Vec<Entry> {
    let page = page(log, group_id, Cursor::After(Seq::ZERO), ALL).await;
    assert!(!page.has_more, "nothing is left after the whole log");
    assert_dense(&page.entries, 1);
    assert_eq!(page.head, last_seq(&page.entries));
    page.entries
}

/// A message that no guard checks.
pub(super) fn message(group_id: GroupId, sender: UserId, text: &str) -> NewEntry {
    NewEntry {
        group_id,
        actor_id: sender,
        at: moment(0),
        body: NewBody::Message {
            sender_name: display_name("Nguyễn Văn A"),
            content: content(text),
            client_message_id: None,
            key_epoch: None,
        },
        guard: Guard::Host,
    }
}

/// The same with a client id.
pub(super) fn message_with_id(group_id: GroupId, sender: UserId, text: &str, id: &str) -> NewEntry {
    let mut entry = message(group_id, sender, text);
    if let NewBody::Message {
        client_message_id, ..
    } = &mut entry.body
    {
        *client_message_id = Some(client_id(id));
    }
    entry
}

/// `actor` makes `user` a member.
pub(super) fn set_member(
    group_id: GroupId,
    actor: UserId,
    user: UserId,
    role: Role,
    guard: Guard,
) -> NewEntry {
    NewEntry {
        group_id,
        actor_id: actor,
        at: moment(0),
        body: NewBody::SetMember {
            user_id: user,
            role,
            limits: MemberLimits::default(),
        },
        guard,
    }
}

/// `actor` ends the membership of `user`.
pub(super) fn remove_member(group_id: GroupId, actor: UserId, user: UserId, guard: Guard) -> NewEntry {
    NewEntry {
        group_id,
        actor_id: actor,
        at: moment(0),
        body: NewBody::RemoveMember {
            user_id: user,
            reason: RemovalReason::Removed,
        },
        guard,
    }
}

/// The same entry under another guard.
pub(super) fn guarded(mut entry: NewEntry, guard: Guard) -> NewEntry {
    entry.guard = guard;
    entry
}

#[track_caller]
pub(super) fn new_entry(answer: Answer) -> Entry {
    match answer {
        Ok(Appended::New(entry)) => entry,
        other => panic!("expected a new entry, got {other:?}"),
    }
}

#[track_caller]
pub(super) fn assert_dense(entries: &[Entry], first: i64) {
    let seqs: Vec<i64> = entries.iter().map(|entry| entry.seq.get()).collect();
    let dense: Vec<i64> = (first..).take(entries.len()).collect();
    assert_eq!(seqs, dense, "places are dense and ascending");
}

pub(super) fn last_seq(entries: &[Entry]) -> Seq {
    entries.last().map_or(Seq::ZERO, |entry| entry.seq)
}

/// The contents of the messages, in order.
pub(super) fn texts(entries: &[Entry]) -> Vec<&str> {
    entries.iter().filter_map(text).collect()
}

/// The content of a message.
pub(super) fn text(entry: &Entry) -> Option<&str> {
    match &entry.body {
        EntryBody::Message(message) => message.content.as_ref().map(EncryptedContent::as_str),
        _ => None,
    }
}
