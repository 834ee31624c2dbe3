//! Every value comes back as it went in.

use std::collections::HashSet;

use sealroom_domain::{
    Entry, EntryBody, MAX_SAFE_INTEGER, Message, MessageId,
    ports::{Cursor, NewBody, NewEntry, PageLimit},
};

use super::{
    GroupLogFixture,
    room::{ALL, message, message_with_id, text},
};
use crate::conformance::sample::{
    CONTENT_LIMIT, client_id, content, display_name, epoch, group, hard_names, moment, user,
};

/// The answer to an append is the entry that every reader gets.
pub async fn appended_entries_are_read_back_as_answered(fixture: GroupLogFixture) {
    let one = fixture.group(group(1)).await;
    let full = NewEntry {
        at: moment(1),
        body: NewBody::Message {
            sender_name: display_name("Nguyễn Văn A"),
            content: content("Xin chào!"),
            client_message_id: Some(client_id("c-1")),
            key_epoch: Some(epoch(0)),
        },
        ..message(one, user(10), "replaced above")
    };
    let bare = message(one, user(11), "y");
    let answered = fixture.append_new(vec![full, bare]).await;
    assert_eq!(answered[0].at, moment(1), "microseconds are kept");
    let expected = Message {
        id: message_of(&answered[0]).id,
        sender_id: user(10),
        sender_name: display_name("Nguyễn Văn A"),
        content: Some(content("Xin chào!")),
        client_message_id: Some(client_id("c-1")),
        key_epoch: Some(epoch(0)),
    };
    assert_eq!(message_of(&answered[0]), &expected);
    assert_eq!(message_of(&answered[1]).client_message_id, None);
    assert_eq!(message_of(&answered[1]).key_epoch, None);
    assert_eq!(fixture.whole(one).await, answered);
    assert_eq!(fixture.page(one, Cursor::Newest, ALL).await.entries, answered);
}

/// No character is lost, changed, cut or normalized.
pub async fn content_is_byte_identical(fixture: GroupLogFixture) {
    let one = fixture.group(group(1)).await;
    let mut contents = hard_names();
    contents.extend((1..=0x20u8).map(|byte| format!("a{}b", char::from(byte))));
    contents.extend(
        [
            "\r\n",
            "\n",
            "\t ",
            " ",
            "\u{7f}\u{80}\u{9f}",
            "\\u0000",
            "\\",
            "'",
            "\"",
            "%s",
            "?",
            "𝄞",
            "e\u{301}é",
        ]
        .map(String::from),
    );
    contents.push("eyJpdiI6IkFBQUEiLCJkYXRhIjoi/+8=\"}".into());
    // Every two-byte character and a part of each higher plane.
    contents.push((1..0x800).filter_map(char::from_u32).collect());
    contents.push(
        (0x800..0x11_0000)
            .step_by(97)
            .filter_map(char::from_u32)
            .collect(),
    );
    for (index, chunk) in contents.chunks(16).enumerate() {
        let batch = chunk.iter().enumerate().map(|(position, text)| {
            let id = format!("{index}-{position}");
            message_with_id(one, user(1), text, &id)
        });
        let answered = fixture.append_new(batch.collect()).await;
        assert_same_texts(&answered, chunk);
    }
    assert_same_texts(&fixture.whole(one).await, &contents);
}

/// The largest content is kept whole, whatever its characters.
pub async fn content_at_the_limit_is_byte_identical(fixture: GroupLogFixture) {
    let one = fixture.group(group(1)).await;
    let contents = ["x", "é", "𝄞", "\u{1}", "\""].map(|part| part.repeat(CONTENT_LIMIT / part.len()));
    for text in &contents {
        assert_eq!(text.len(), CONTENT_LIMIT);
        let answered = fixture.append_new(vec![message(one, user(1), text)]).await;
        assert_same_texts(&answered, std::slice::from_ref(text));
        let limit = PageLimit { entries: 1, bytes: 1 };
        let newest = fixture.page(one, Cursor::Newest, limit).await;
        assert_same_texts(&newest.entries, std::slice::from_ref(text));
    }
    assert_same_texts(&fixture.whole(one).await, &contents);
}

/// Names and ids are texts as well.
pub async fn names_and_client_ids_are_byte_identical(fixture: GroupLogFixture) {
    let one = fixture.group(group(1)).await;
    let printable: String = (' '..='~').collect();
    let ids = [
        &printable[..64],
        &printable[printable.len() - 64..],
        " ",
        "  ",
        "1",
        "01",
    ];
    let mut expected = Vec::new();
    for (index, name) in hard_names().iter().enumerate() {
        let mut entry = message(one, user(1), "x");
        let id = ids.get(index).map(|id| client_id(id));
        if let NewBody::Message {
            sender_name,
            client_message_id,
            ..
        } = &mut entry.body
        {
            *sender_name = display_name(name);
            client_message_id.clone_from(&id);
        }
        fixture.append_new(vec![entry]).await;
        expected.push((display_name(name), id));
    }
    let read: Vec<_> = fixture
        .whole(one)
        .await
        .iter()
        .map(message_of)
        .map(|message| (message.sender_name.clone(), message.client_message_id.clone()))
        .collect();
    assert_eq!(read, expected);
}

/// Ids and epochs go up to 2^53 - 1, and an epoch of 0 is not an absent one.
pub async fn the_largest_numbers_are_kept(fixture: GroupLogFixture) {
    let largest = fixture.group(group(MAX_SAFE_INTEGER)).await;
    let epochs = [
        Some(epoch(MAX_SAFE_INTEGER)),
        Some(epoch(0)),
        None,
        Some(epoch(1 << 40)),
    ];
    for key_epoch in epochs {
        let mut entry = message(largest, user(MAX_SAFE_INTEGER), "x");
        if let NewBody::Message { key_epoch: place, .. } = &mut entry.body {
            *place = key_epoch;
        }
        fixture.append_new(vec![entry]).await;
    }
    let read = fixture.whole(largest).await;
    let read_epochs: Vec<_> = read.iter().map(|entry| message_of(entry).key_epoch).collect();
    assert_eq!(read_epochs, epochs);
    for entry in &read {
        assert_eq!(entry.group_id, largest);
        assert_eq!(message_of(entry).sender_id, user(MAX_SAFE_INTEGER));
    }
}

/// A message's id names it in the whole store, and grows along a group's log.
pub async fn message_ids_are_unique_and_grow(fixture: GroupLogFixture) {
    let groups = [fixture.group(group(1)).await, fixture.group(group(2)).await];
    for number in 0..20 {
        let batch = (0..5).map(|index| {
            let id = format!("{number}-{index}");
            message_with_id(groups[index % 2], user(1), "x", &id)
        });
        fixture.append_new(batch.collect()).await;
    }
    let mut all: HashSet<MessageId> = HashSet::new();
    for group_id in groups {
        let ids: Vec<MessageId> = fixture
            .whole(group_id)
            .await
            .iter()
            .map(|entry| message_of(entry).id)
            .collect();
        assert!(ids.is_sorted(), "ids grow with the places");
        all.extend(ids);
    }
    assert_eq!(all.len(), 100, "every message has an id of its own");
}

#[track_caller]
fn message_of(entry: &Entry) -> &Message {
    match &entry.body {
        EntryBody::Message(message) => message,
        other => panic!("expected a message, got {other:?}"),
    }
}

#[track_caller]
fn assert_same_texts(entries: &[Entry], expected: &[String]) {
    assert_eq!(entries.len(), expected.len());
    for (entry, expected) in entries.iter().zip(expected) {
        assert!(
            text(entry) == Some(expected),
            "content of {} bytes at {:?} came back changed: {:?}",
            expected.len(),
            entry.seq,
            expected.chars().take(40).collect::<String>()
        );
    }
}
