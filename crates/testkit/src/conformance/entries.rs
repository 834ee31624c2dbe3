//! Entries that are to be appended, and what properties ask of those that were.

use sealroom_domain::{
    EncryptedContent, Entry, EntryBody, GroupId, RemovalReason, Role, Seq, UserId,
    ports::{Appended, Guard, MemberLimits, NewBody, NewEntry, OfOthers, PageLimit, RefusedEntry},
};

use super::sample::{client_id, content, display_name, moment};

pub(crate) type Answer = Result<Appended, RefusedEntry>;

/// No limit that a property's log reaches.
pub(crate) const ALL: PageLimit = PageLimit {
    entries: 100_000,
    bytes: usize::MAX,
};

/// Checks what the store keeps itself.
pub(crate) const MEMBERS_ONLY: Guard = Guard::Kept {
    actor_role: Some(Role::Member),
    keeps_owner: true,
};

/// Lets everything pass, and changes memberships with their entries.
pub(crate) const UNCHECKED: Guard = Guard::Kept {
    actor_role: None,
    keeps_owner: false,
};

/// A message that no guard checks.
pub(crate) fn message(group_id: GroupId, sender: UserId, text: &str) -> NewEntry {
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
pub(crate) fn message_with_id(group_id: GroupId, sender: UserId, text: &str, id: &str) -> NewEntry {
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
pub(crate) fn set_member(
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
pub(crate) fn remove_member(group_id: GroupId, actor: UserId, user: UserId, guard: Guard) -> NewEntry {
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
pub(crate) fn guarded(mut entry: NewEntry, guard: Guard) -> NewEntry {
    entry.guard = guard;
    entry
}

#[track_caller]
pub(crate) fn new_entry(answer: Answer) -> Entry {
    match answer {
        Ok(Appended::New(entry)) => entry,
        other => panic!("expected a new entry, got {other:?}"),
    }
}

/// `actor` gives a message other content; no guard checks it.
pub(crate) fn edit(group_id: GroupId, actor: UserId, target_seq: Seq, text: &str) -> NewEntry {
    NewEntry {
        group_id,
        actor_id: actor,
        at: moment(0),
        body: NewBody::EditMessage {
            target_seq,
            content: content(text),
            key_epoch: None,
        },
        guard: Guard::Host,
    }
}

/// `actor` deletes a message; no guard checks it.
pub(crate) fn delete(group_id: GroupId, actor: UserId, target_seq: Seq, of_others: OfOthers) -> NewEntry {
    NewEntry {
        group_id,
        actor_id: actor,
        at: moment(0),
        body: NewBody::DeleteMessage {
            target_seq,
            of_others,
        },
        guard: Guard::Host,
    }
}

/// The same entry at another moment.
pub(crate) fn at(mut entry: NewEntry, offset_micros: i64) -> NewEntry {
    entry.at = moment(offset_micros);
    entry
}

#[track_caller]
pub(crate) fn assert_dense(entries: &[Entry], first: i64) {
    let seqs: Vec<i64> = entries.iter().map(|entry| entry.seq.get()).collect();
    let dense: Vec<i64> = (first..).take(entries.len()).collect();
    assert_eq!(seqs, dense, "places are dense and ascending");
}

pub(crate) fn last_seq(entries: &[Entry]) -> Seq {
    entries.last().map_or(Seq::ZERO, |entry| entry.seq)
}

/// The contents of the messages, in order.
pub(crate) fn texts(entries: &[Entry]) -> Vec<&str> {
    entries.iter().filter_map(text).collect()
}

/// The content of a message.
pub(crate) fn text(entry: &Entry) -> Option<&str> {
    match &entry.body {
        EntryBody::Message(message) => message.content.as_ref().map(EncryptedContent::as_str),
        _ => None,
    }
}

/// The content that an entry holds, whatever it is.
pub(crate) fn held_content(entry: &Entry) -> Option<&EncryptedContent> {
    match &entry.body {
        EntryBody::Message(message) => message.content.as_ref(),
        EntryBody::MessageEdited { content, .. } => content.as_ref(),
        _ => None,
    }
}
