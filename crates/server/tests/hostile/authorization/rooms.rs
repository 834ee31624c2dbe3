//! Who is in which room: joins, sends and leaves of those who may and those who may not.

use sealroom_testkit::client::{Client, Kind};
use serde_json::{Value, json};

use crate::{
    target::{ALICE, GROUP, MALLORY, OUTSIDER, Target},
    world::{ask, log_over_socket, number, send, succeed, verdict},
};

/// A group of others, which has messages.
const FOREIGN: u64 = 2;
/// One that was deleted.
const DELETED: u64 = 3;
/// Neither the outsider's nor anybody's.
const CLOSED: [u64; 5] = [GROUP, FOREIGN, DELETED, 4711, 9_007_199_254_740_991];
const NOTHING: [Value; 0] = [];
/// Somebody who was a member.
const FORMER: u64 = 30;

fn not_a_member() -> Value {
    json!({
        "success": false, "error": "Not a member of this group", "code": "not_a_member", "retryable": false,
    })
}

/// Everything but acks that came up to the answer of a further request: names and payloads of events, other packets as
/// they came.
async fn told(client: &Client) -> Vec<Value> {
    succeed(client, "leave_group", json!({"group_id": 9_000_000})).await;
    let received = client.take_received();
    let others = received.iter().filter(|one| !matches!(one.kind(), Kind::Ack(_)));
    others
        .map(|one| match one.name() {
            Some(name) => json!([name, one.payload()]),
            None => json!(one.frame()),
        })
        .collect()
}

/// Groups of each kind that an outsider cannot get into, with messages where there can be any.
async fn closed_groups(target: &Target) {
    let world = &target.world;
    for group_id in [FOREIGN, DELETED] {
        world.group(group_id, [ALICE]).await;
        send(&world.socket(ALICE).await, group_id, "not for others").await;
    }
    assert_eq!(world.admin("DELETE", "/groups/3", None).await.status, 204);
}

/// How long the refusals take is measured by PV-3.
pub(super) async fn az_1_groups_of_others_and_groups_that_are_not_there(target: &mut Target) {
    closed_groups(target).await;
    let world = &target.world;
    let log_id = world.log_id(FOREIGN).await;
    let outsider = world.socket(OUTSIDER).await;
    for group_id in CLOSED {
        for payload in [
            json!({"group_id": group_id}),
            json!({"group_id": group_id, "after_seq": 0}),
            json!({"group_id": group_id, "after_seq": 1, "log_id": log_id, "limit": 500}),
            json!({"group_id": group_id, "after_seq": 9_007_199_254_740_991_u64}),
            json!({"group_id": group_id, "log_id": "of another log", "after_seq": 1}),
            json!({"group_id": group_id, "user_id": ALICE, "role": "owner", "scope": "admin"}),
        ] {
            for event in ["join_group", "get_entries"] {
                assert_eq!(
                    ask(&outsider, event, payload.clone()).await,
                    not_a_member(),
                    "{event} {payload}"
                );
            }
            outsider.emit("join_group", &payload);
            let error = outsider.next_event("request_error").await.unwrap();
            let expected =
                json!({"event": "join_group", "code": "not_a_member", "error": "Not a member of this group"});
            assert_eq!(error, expected);
        }
    }
    told(&outsider).await;
    // None of these joins had an effect.
    let alice = world.joined(ALICE, GROUP).await;
    for group_id in [GROUP, FOREIGN] {
        send(&alice, group_id, "after the refused joins").await;
        succeed(&alice, "typing", json!({"group_id": group_id, "is_typing": true})).await;
    }
    world.add(GROUP, 31).await;
    assert_eq!(told(&outsider).await, NOTHING);
    // Nor do they work later: whoever is added has not joined by it.
    world.add(FOREIGN, OUTSIDER).await;
    send(&alice, FOREIGN, "after it was added").await;
    assert_eq!(told(&outsider).await, NOTHING);
}

pub(super) async fn az_2_sending_needs_membership_and_no_join(target: &mut Target) {
    closed_groups(target).await;
    let world = &target.world;
    let listener = world.joined(ALICE, GROUP).await;
    let member = world.socket(MALLORY).await;
    let message = send(&member, GROUP, "from outside the room").await;
    assert_eq!(message["sender_id"], MALLORY);
    assert_eq!(listener.next_event("new_message").await.unwrap(), message);
    // It gets its own message and not those of others.
    send(&listener, GROUP, "for those in the room").await;
    assert_eq!(told(&member).await, [json!(["new_message", message])]);

    world.add(GROUP, FORMER).await;
    let former = world.joined(FORMER, GROUP).await;
    let own = number(&send(&former, GROUP, "while it may").await["seq"]);
    world.remove(GROUP, FORMER).await;
    told(&former).await;
    let head = world.log(GROUP).await;
    let outsider = world.socket(OUTSIDER).await;
    let seq_of_alice = number(&listener.next_event("new_message").await.unwrap()["seq"]);
    for (client, groups) in [(&former, &[GROUP][..]), (&outsider, &CLOSED)] {
        for group_id in groups {
            for (event, payload) in [
                (
                    "send_message",
                    json!({"group_id": group_id, "encrypted_content": "x"}),
                ),
                (
                    "send_message",
                    json!({"group_id": group_id, "encrypted_content": "x", "sender_id": ALICE, "user_id": ALICE}),
                ),
                (
                    "send_message",
                    json!({"group_id": group_id, "encrypted_content": "x", "client_message_id": "one", "key_epoch": 0}),
                ),
                (
                    "edit_message",
                    json!({"group_id": group_id, "seq": own, "encrypted_content": "x"}),
                ),
                ("delete_message", json!({"group_id": group_id, "seq": own})),
                (
                    "delete_message",
                    json!({"group_id": group_id, "seq": seq_of_alice}),
                ),
                ("mark_read", json!({"group_id": group_id, "seq": 1})),
                ("typing", json!({"group_id": group_id, "is_typing": true})),
            ] {
                assert_eq!(
                    ask(client, event, payload.clone()).await,
                    not_a_member(),
                    "{event} {payload}"
                );
            }
        }
        assert_eq!(told(client).await, NOTHING);
    }
    assert_eq!(world.log(GROUP).await, head);
    // Nobody was told that an outsider types.
    let events = told(&listener).await;
    assert!(!events.iter().any(|event| event[0] == "typing"), "{events:?}");
}

pub(super) async fn az_8_leaving_what_was_never_joined(target: &mut Target) {
    closed_groups(target).await;
    let world = &target.world;
    let [alice, other_of_alice] = [world.joined(ALICE, GROUP).await, world.joined(ALICE, GROUP).await];
    let mallory = world.joined(MALLORY, GROUP).await;
    let outsider = world.socket(OUTSIDER).await;
    let sid = alice.connect_ack()["sid"].clone();
    for client in [&outsider, &mallory] {
        // The member leaves the room by the first of them, and may go on leaving.
        for group_id in CLOSED {
            for payload in [
                json!({"group_id": group_id}),
                json!({"group_id": group_id}),
                json!({"group_id": group_id, "user_id": ALICE}),
                json!({"group_id": group_id, "sid": sid, "socket_id": sid, "to": sid}),
            ] {
                let ack = ask(client, "leave_group", payload.clone()).await;
                assert_eq!(ack, json!({"success": true, "group_id": group_id}), "{payload}");
            }
        }
    }
    for (field, payload) in [
        ("group_id", json!({})),
        ("group_id", json!({"group_id": sid})),
        ("group_id", json!({"group_id": null, "sid": sid})),
    ] {
        let ack = ask(&mallory, "leave_group", payload).await;
        assert_eq!(
            (&ack["code"], &ack["field"]),
            (&json!("invalid_data"), &json!(field))
        );
    }
    assert_eq!(told(&outsider).await, NOTHING);
    // Nobody else left, and who left is a member still.
    let message = send(&mallory, GROUP, "from one who left the room").await;
    for client in [&alice, &other_of_alice] {
        assert_eq!(client.next_event("new_message").await.unwrap(), message);
    }
    succeed(&alice, "leave_group", json!({"group_id": GROUP})).await;
    let message = send(&alice, GROUP, "from one of two sockets").await;
    assert_eq!(other_of_alice.next_event("new_message").await.unwrap(), message);
    told(&mallory).await;
    succeed(&mallory, "join_group", json!({"group_id": GROUP})).await;
    let message = send(&other_of_alice, GROUP, "again").await;
    assert_eq!(
        mallory.next_event("new_message").await.unwrap()["seq"],
        message["seq"]
    );
}

/// A member of now reads all of it, and nobody else any of it: not what was written while it was a member either.
pub(super) async fn az_10_a_log_belongs_to_its_members_of_now(target: &mut Target) {
    let world = &target.world;
    let alice = world.socket(ALICE).await;
    send(&alice, GROUP, "before it came").await;
    let guest = world.socket(FORMER).await;
    for round in 0..3 {
        world.add(GROUP, FORMER).await;
        let join = succeed(&guest, "join_group", json!({"group_id": GROUP, "after_seq": 0})).await;
        let whole = world.log(GROUP).await;
        assert_eq!(
            (&join["entries"], &join["recovered"]),
            (&json!(whole), &json!(true))
        );
        assert_eq!(log_over_socket(&guest, GROUP).await, whole);
        let at = number(&send(&guest, GROUP, &format!("in round {round}")).await["seq"]);
        world.remove(GROUP, FORMER).await;
        send(&alice, GROUP, "without it").await;
        for (event, payload) in [
            ("get_entries", json!({"group_id": GROUP, "after_seq": 0})),
            (
                "get_entries",
                json!({"group_id": GROUP, "after_seq": at - 1, "limit": 1}),
            ),
            ("get_entries", json!({"group_id": GROUP, "before_seq": at})),
            ("get_entries", json!({"group_id": GROUP})),
            ("join_group", json!({"group_id": GROUP, "after_seq": 0})),
            ("join_group", json!({"group_id": GROUP, "after_seq": at})),
        ] {
            assert_eq!(
                ask(&guest, event, payload.clone()).await,
                not_a_member(),
                "{event} {payload}"
            );
        }
        for route in ["entries", "messages"] {
            for query in [
                String::new(),
                "?after_seq=0".to_owned(),
                format!("?after_seq={}&limit=1", at - 1),
                format!("?before_seq={at}"),
            ] {
                let answer = world
                    .user(FORMER, "GET", &format!("/groups/1/{route}{query}"), None)
                    .await;
                assert_eq!(verdict(&answer), (403, "not_a_member".into()), "{route}{query}");
                assert!(!answer.text().contains("seq"), "{}", answer.text());
            }
        }
        // Live it had the end of its own membership, and nothing behind it.
        let events = told(&guest).await;
        let places: Vec<_> = events
            .iter()
            .filter_map(|event| event[1]["seq"].as_u64())
            .collect();
        assert_eq!(places, [at, at + 1], "{events:?}");
    }
}

pub(super) async fn az_16_names_of_rooms_in_place_of_ids(target: &mut Target) {
    closed_groups(target).await;
    let world = &target.world;
    let alice = world.joined(ALICE, GROUP).await;
    let outsider = world.socket(OUTSIDER).await;
    let sid = alice.connect_ack()["sid"].clone();
    let names = [
        json!("1"),
        json!("5,6"),
        json!("1,2"),
        json!("group_1"),
        json!("group:1"),
        json!(""),
        json!(" 1"),
        json!("1\n"),
        json!("/"),
        json!("#"),
        json!("*"),
        json!("１"),
        sid,
        json!([1]),
        json!([1, 2]),
        json!([]),
        json!({"id": 1}),
        json!({"$ne": 0}),
        json!(1.0),
        json!(true),
        json!(null),
        json!(0),
        json!(-1),
        json!(9_007_199_254_740_992_u64),
    ];
    for name in &names {
        for (event, rest) in [
            ("join_group", json!({})),
            ("get_entries", json!({})),
            ("send_message", json!({"encrypted_content": "x"})),
            ("typing", json!({"is_typing": true})),
            ("leave_group", json!({})),
        ] {
            // Of a member as well, to whom the room would open.
            for client in [&outsider, &alice] {
                let mut payload = rest.clone();
                payload["group_id"] = name.clone();
                let ack = ask(client, event, payload.clone()).await;
                assert_eq!(
                    (&ack["code"], &ack["field"]),
                    (&json!("invalid_data"), &json!("group_id")),
                    "{event} {payload}"
                );
            }
        }
    }
    told(&alice).await;
    for group_id in [GROUP, FOREIGN] {
        send(&world.socket(ALICE).await, group_id, "in the room").await;
    }
    assert_eq!(told(&outsider).await, NOTHING);
    // The member stayed in the one room that it had joined.
    let events = told(&alice).await;
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(
        (&events[0][0], &events[0][1]["group_id"]),
        (&json!("new_message"), &json!(GROUP))
    );
}
