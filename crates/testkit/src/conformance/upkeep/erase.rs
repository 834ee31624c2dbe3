//! The content of erased users.

use sealroom_domain::{
    DisplayName, Entry, EntryBody, Role, UserId,
    ports::{Cursor, OfOthers, RefusedEntry},
};

use super::{UpkeepFixture, count, secs};
use crate::conformance::{
    entries::{
        UNCHECKED, at, delete, edit, held_content, message, message_with_id, new_entry, set_member, texts,
    },
    sample::{group, seq, user},
};

/// From its erasure on until the last step, also where there is nothing to do.
pub async fn an_erasure_is_unfinished_until_its_last_step(fixture: UpkeepFixture) {
    let one = fixture.group(1).await;
    let (ann, ben) = (fixture.known(1).await, fixture.known(2).await);
    assert_eq!(fixture.unfinished().await, []);
    fixture.erase(ann).await;
    assert_eq!(fixture.unfinished().await, [ann]);
    fixture.erase(ben).await;
    assert_eq!(fixture.unfinished().await, [ann, ben]);
    fixture.erase_content(ann).await;
    assert_eq!(fixture.unfinished().await, [ben]);
    fixture.erase_content(ben).await;
    assert_eq!(fixture.unfinished().await, []);
    // Erasing again begins anew: for what was written until the user was out of its groups.
    fixture.append_new(vec![message(one, ann, "meanwhile")]).await;
    fixture.erase(ann).await;
    assert_eq!(fixture.unfinished().await, [ann]);
    fixture.erase_content(ann).await;
    let left = fixture.left(one).await;
    assert!(left[0].message().expect("a message").content.is_none());
    assert_eq!(fixture.unfinished().await, []);
}

/// Content, names and client ids go; the entries keep their places, and other users keep everything.
pub async fn erasure_removes_content_names_and_client_ids(fixture: UpkeepFixture) {
    let one = fixture.group(1).await;
    let (ann, ben) = (fixture.known(1).await, fixture.known(2).await);
    let before = fixture
        .append_new(vec![
            set_member(one, ann, ann, Role::Owner, UNCHECKED),
            message_with_id(one, ann, "first", "c-1"),
            message_with_id(one, ben, "bens", "c-1"),
            edit(one, ann, seq(2), "second"),
            edit(one, ben, seq(3), "bens too"),
            message(one, ann, "last"),
        ])
        .await;
    fixture.erase(ann).await;
    fixture.erase_content(ann).await;
    let after = fixture.left(one).await;
    let expected: Vec<Entry> = before.iter().map(|entry| erased(entry, ann)).collect();
    assert_eq!(after, expected);
    let messages = fixture.messages(one).await.messages;
    let shown: Vec<_> = messages.iter().map(|message| message.entry.seq).collect();
    assert_eq!(shown, [seq(3)]);
    let backwards = fixture.page(one, Cursor::Before(seq(4))).await;
    assert_eq!(backwards.entries, expected[..3]);
}

/// Every group, however long its log, in steps that end.
pub async fn erasure_reaches_every_entry(fixture: UpkeepFixture) {
    let ann = fixture.known(1).await;
    let long = fixture.group(900).await;
    let batch = (0..2_500).map(|number| message(long, user(1 + number % 2), "x"));
    fixture.append_new(batch.collect()).await;
    let mut groups = vec![long];
    for number in 1..=120 {
        let group_id = fixture.group(number).await;
        fixture
            .append_new(vec![message(group_id, ann, "x"), message(group_id, user(2), "y")])
            .await;
        groups.push(group_id);
    }
    fixture.erase(ann).await;
    fixture.erase_content(ann).await;
    for group_id in groups {
        for entry in fixture.left(group_id).await {
            let message = entry.message().expect("only messages were sent");
            assert_eq!(message.content.is_none(), message.sender_id == ann);
        }
    }
    assert_eq!(fixture.unfinished().await, []);
}

/// A message of an erased user cannot be edited, repeated or deleted any more; one that was deleted before stays so.
pub async fn erased_messages_are_none(fixture: UpkeepFixture) {
    let one = fixture.group(1).await;
    let ann = fixture.known(1).await;
    fixture
        .append_new(vec![
            message_with_id(one, ann, "x", "c-1"),
            message(one, ann, "deleted"),
            delete(one, ann, seq(2), OfOthers::Never),
        ])
        .await;
    fixture.erase(ann).await;
    fixture.erase_content(ann).await;
    let answers = fixture
        .append(vec![
            edit(one, ann, seq(1), "y"),
            delete(one, user(2), seq(1), OfOthers::Always),
            // The client ids are gone with the rest.
            message_with_id(one, ann, "other", "c-1"),
        ])
        .await;
    assert_eq!(answers[0], Err(RefusedEntry::NoSuchMessage));
    assert_eq!(answers[1], Err(RefusedEntry::NoSuchMessage));
    assert_eq!(new_entry(answers[2].clone()).seq, seq(4));
}

/// An edit outlives its forgotten message, but not its user.
pub async fn edits_of_forgotten_messages_are_erased(fixture: UpkeepFixture) {
    let one = fixture.group(1).await;
    let ann = fixture.known(1).await;
    fixture
        .append_new(vec![
            message(one, ann, "x"),
            edit(one, ann, seq(1), "y"),
            message(one, user(2), "z"),
        ])
        .await;
    fixture.trim(count(2), secs(0)).await;
    fixture.erase(ann).await;
    fixture.erase_content(ann).await;
    let left = fixture.left(one).await;
    assert_eq!(held_content(&left[0]), None);
    assert_eq!(texts(&left), ["z"]);
}

/// A user whom the host brought back loses what it wrote before, and nothing of what it writes then.
pub async fn a_user_who_came_back_keeps_what_it_writes(fixture: UpkeepFixture) {
    let one = fixture.group(1).await;
    let ann = fixture.known(1).await;
    fixture
        .append_new(vec![message_with_id(one, ann, "before", "c-1")])
        .await;
    fixture.erase(ann).await;
    fixture.known(1).await;
    let later = at(message_with_id(one, ann, "after", "c-2"), 60_000_000);
    let later = fixture.append_new(vec![later]).await;
    assert_eq!(fixture.unfinished().await, [ann], "it is still to be done");
    fixture.erase_content(ann).await;
    let left = fixture.left(one).await;
    assert_eq!(held_content(&left[0]), None);
    assert_eq!(left[1..], later);
    // Erased once more, it loses that too.
    let erased = fixture.users.erase(ann, secs(120)).await;
    assert!(erased.unwrap());
    fixture.erase_content(ann).await;
    assert_eq!(texts(&fixture.left(one).await), Vec::<&str>::new());
}

/// Nothing is taken from a user who was not erased.
pub async fn nobody_else_loses_content(fixture: UpkeepFixture) {
    let one = fixture.group(1).await;
    let ann = fixture.known(1).await;
    let before = fixture
        .append_new(vec![
            message_with_id(one, ann, "x", "c-1"),
            message(one, user(7), "y"),
        ])
        .await;
    for user_id in [ann, user(7), user(8)] {
        fixture.erase_content(user_id).await;
    }
    assert_eq!(fixture.left(one).await, before);
    let nobody = fixture.upkeep.erase_content(ann, Some((group(1), seq(1)))).await;
    assert_eq!(nobody.unwrap(), None);
}

/// What an entry is once its user is erased.
fn erased(entry: &Entry, user_id: UserId) -> Entry {
    let mut entry = entry.clone();
    match &mut entry.body {
        EntryBody::Message(message) if message.sender_id == user_id => {
            assert_ne!(message.sender_name, DisplayName::unknown());
            message.content = None;
            message.sender_name = DisplayName::unknown();
            message.client_message_id = None;
        }
        EntryBody::MessageEdited {
            content, actor_id, ..
        } if *actor_id == user_id => *content = None,
        _ => {}
    }
    entry
}

impl UpkeepFixture {
    async fn erase(&self, user_id: UserId) {
        assert!(self.users.erase(user_id, secs(30)).await.unwrap());
    }
}
