use sealroom_domain::{DisplayName, EncryptedContent, Message};

use super::*;

fn item(body: EntryBody) -> OutboxItem {
    OutboxItem {
        id: OutboxId(3),
        entry: Some(Entry {
            group_id: GroupId::new(5).unwrap(),
            seq: Seq::new(7).unwrap(),
            at: Timestamp::from_micros(1_705_314_600_000_123),
            body,
        }),
    }
}

fn user(id: i64) -> UserId {
    UserId::new(id).unwrap()
}

fn message(content: Option<&str>) -> OutboxItem {
    item(EntryBody::Message(Message {
        id: MessageId::new(123).unwrap(),
        sender_id: user(10),
        sender_name: DisplayName::new("CANARY").unwrap(),
        content: content.map(|content| EncryptedContent::new(content, 100).unwrap()),
        client_message_id: ClientMessageId::new("c-1").ok(),
        key_epoch: None,
    }))
}

fn text(body: serde_json::Result<Vec<u8>>) -> String {
    String::from_utf8(body.unwrap()).unwrap()
}

#[test]
fn a_message_has_an_event_of_its_own_and_one_for_those_who_are_not_there() {
    let (held, stage) = Held::of(message(Some("CANARY")), &EventType::ALL).unwrap();
    assert_eq!(stage, Stage::Entry);
    assert!(held.wants_offline(&EventType::ALL));
    assert_eq!(held.entry_webhook_id(), "msg_5_7_1705314600000123_message");
    assert_eq!(
        text(held.entry_body()),
        r#"{"type":"message.created","timestamp":"2024-01-15T10:30:00.000Z","data":{"id":123,"group_id":5,"seq":7,"sender_id":10,"client_message_id":"c-1","key_epoch":null,"content_bytes":6}}"#
    );
    assert_eq!(
        text(held.offline_body(MessageId::new(123).unwrap(), user(10), &[user(2), user(4)])),
        r#"{"type":"user.offline_message","timestamp":"2024-01-15T10:30:00.000Z","data":{"group_id":5,"seq":7,"message_id":123,"sender_id":10,"user_ids":[2,4]}}"#
    );
    for (after, to, expected) in [
        (None, None, "msg_5_7_1705314600000123_offline"),
        (None, Some(user(9)), "msg_5_7_1705314600000123_offline_0_9"),
        (Some(user(9)), None, "msg_5_7_1705314600000123_offline_9_0"),
    ] {
        assert_eq!(held.offline_webhook_id(after, to), expected);
    }
}

#[test]
fn the_changes_of_members() {
    let (added, _) = Held::of(
        item(EntryBody::MemberAdded {
            user_id: user(2),
            role: Role::Admin,
            actor_id: user(1),
        }),
        &EventType::ALL,
    )
    .unwrap();
    assert_eq!(
        text(added.entry_body()),
        r#"{"type":"member.added","timestamp":"2024-01-15T10:30:00.000Z","data":{"group_id":5,"seq":7,"user_id":2,"role":"admin","actor_id":1}}"#
    );
    let (removed, _) = Held::of(
        item(EntryBody::MemberRemoved {
            user_id: user(2),
            reason: RemovalReason::Left,
            actor_id: user(2),
        }),
        &EventType::ALL,
    )
    .unwrap();
    assert_eq!(removed.entry_webhook_id(), "msg_5_7_1705314600000123_removed");
    assert_eq!(
        text(removed.entry_body()),
        r#"{"type":"member.removed","timestamp":"2024-01-15T10:30:00.000Z","data":{"group_id":5,"seq":7,"user_id":2,"reason":"left","actor_id":2}}"#
    );
}

#[test]
fn what_is_not_wanted_is_not_held() {
    let only = |kind: EventType| [kind];
    let offline = only(EventType::UserOfflineMessage);
    let (_, stage) = Held::of(message(Some("x")), &offline).unwrap();
    assert_eq!(stage, Stage::Offline { after: None });
    assert_eq!(Held::of(message(None), &offline), None);
    assert!(Held::of(message(None), &only(EventType::MessageCreated)).is_some());
    assert_eq!(Held::of(message(Some("x")), &only(EventType::MemberAdded)), None);
    let deleted = EntryBody::MessageDeleted {
        target_seq: Seq::new(1).unwrap(),
        actor_id: user(1),
    };
    assert_eq!(Held::of(item(deleted), &EventType::ALL), None);
    let forgotten = OutboxItem {
        id: OutboxId(3),
        entry: None,
    };
    assert_eq!(Held::of(forgotten, &EventType::ALL), None);
}

#[test]
fn names_are_read_back() {
    for kind in EventType::ALL {
        assert_eq!(kind.as_str().parse(), Ok(kind));
    }
    for bad in ["", "message.Created", "message_created", "member.*"] {
        assert_eq!(bad.parse::<EventType>(), Err(EventTypeError), "{bad}");
    }
}
