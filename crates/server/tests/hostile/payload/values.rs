//! Values of the right shape: ids, contents, keys of the client, pages.

use serde_json::{Value, json};

use super::{EVENTS, assert_invalid, messages, refusal, sent, with};
use crate::{
    probe::Probe,
    target::{ALICE, GROUP, MALLORY, OUTSIDER, Target},
    world::{World, ask, heard, log_over_socket, succeed, verdict},
};

/// The bytes of a content at most.
const LIMIT: usize = 65_536;

/// JSON that is no integer from 1 to 2^53 - 1.
const NO_ID: [&str; 22] = [
    "\"1\"",
    "\"\"",
    "\"１\"",
    "1.0",
    "1e0",
    "1E0",
    "1e3",
    "1.5",
    "-1",
    "-0",
    "0",
    "true",
    "false",
    "null",
    "[]",
    "[1]",
    "{\"id\":1}",
    "9007199254740992",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551617",
    "1e400",
];

/// One spelling for one id, in events, paths and bodies.
pub(super) async fn pl_6_ids_are_integers(target: &mut Target) {
    let mut probe = Probe::connect(&target.world, MALLORY, GROUP).await;
    for event in EVENTS.into_iter().filter(|event| *event != "refresh_token") {
        for value in NO_ID {
            probe
                .invalid(event, &with(event, "group_id", value), Some("group_id"))
                .await;
        }
        // The largest is an id, of a group that there is not.
        let largest = with(event, "group_id", "9007199254740991");
        let ack = probe.client.emit_with_ack(event, &largest[1..]).await.unwrap();
        let code = if event == "leave_group" {
            Value::Null
        } else {
            json!("not_a_member")
        };
        assert_eq!(ack["code"], code, "{event}: {ack}");
    }
    let places = [
        ("join_group", "after_seq"),
        ("get_entries", "after_seq"),
        ("get_entries", "before_seq"),
        ("send_message", "key_epoch"),
        ("edit_message", "seq"),
        ("edit_message", "key_epoch"),
        ("delete_message", "seq"),
        ("mark_read", "seq"),
    ];
    for (event, key) in places {
        // 0 is before the first, and `null` is absent, which only a place that must be there may not be.
        let is_required = key == "seq";
        for value in NO_ID
            .into_iter()
            .filter(|value| *value != "0" && (is_required || *value != "null"))
        {
            probe.invalid(event, &with(event, key, value), Some(key)).await;
        }
    }
    // A text never is the group of the number, not even for somebody who may see both.
    let ids = [
        "01",
        "+1",
        "-1",
        "0",
        "1.0",
        "1e0",
        "0x1",
        "1%20",
        "%201",
        "１",
        "%EF%BC%91",
        "1%00",
        "1,2",
        "1;2",
        "9007199254740992",
        "18446744073709551617",
        "undefined",
        "null",
        "%22%31%22",
        "1%2F..%2F2",
        "*",
    ];
    for id in ids {
        for path in [
            format!("/groups/{id}"),
            format!("/groups/{id}/entries"),
            format!("/groups/{id}/messages"),
            format!("/groups/{id}/members"),
        ] {
            let answer = target.world.admin("GET", &path, None).await;
            assert_invalid(&answer, Some("group_id"), &path);
        }
        let path = format!("/groups/1/members/{id}");
        assert_invalid(
            &target.world.admin("PUT", &path, json!({"role": "member"})).await,
            Some("user_id"),
            &path,
        );
        let path = format!("/users/{id}/revoke");
        assert_invalid(
            &target.world.admin("POST", &path, None).await,
            Some("user_id"),
            &path,
        );
    }
    for value in NO_ID.into_iter().filter(|value| *value != "[]") {
        let body = format!("{{\"name\":\"a\",\"members\":[{value}]}}");
        assert_invalid(
            &sent(&target.world, "POST", "/groups", &body).await,
            Some("members"),
            &body,
        );
        let body = format!("{{\"seq\":{value}}}");
        let answer = target
            .world
            .admin("PUT", "/groups/1/read", serde_json::from_str::<Value>(&body).ok());
        if !matches!(value, "0" | "1e400") {
            assert_invalid(&answer.await, Some("seq"), &body);
        }
    }
    assert!(messages(target).await.is_empty());
}

/// Blindness: any text of 1 to 65 536 bytes, as it came.
pub(super) async fn pl_7_content_is_kept_byte_for_byte(target: &mut Target) {
    let sender = target.world.joined(MALLORY, GROUP).await;
    let good = [
        "x".to_owned(),
        " ".to_owned(),
        "x".repeat(LIMIT - 1),
        "x".repeat(LIMIT),
        "é".repeat(LIMIT / 2),
        "🦀".repeat(LIMIT / 4),
        ('\u{1}'..'\u{20}').chain('\u{7f}'..'\u{a0}').collect(),
        "\u{feff}\u{2028}\u{2029}\u{fffd}\u{ffff}\u{10ffff}".to_owned(),
        "e\u{301} is not \u{e9}".to_owned(),
        " \r\n\t ".to_owned(),
        "not base64 !?*".to_owned(),
        "eyJpdiI6".to_owned(),
        "null".to_owned(),
        r#"[{"success":true}]"\u0000\"#.to_owned(),
        r#"42["new_message",{}]"#.to_owned(),
        "\u{1e}4".to_owned(),
        "'; DROP TABLE entries; --".to_owned(),
    ];
    for content in &good {
        let ack = succeed(
            &sender,
            "send_message",
            json!({"group_id": GROUP, "encrypted_content": content}),
        )
        .await;
        assert!(ack["message"]["encrypted_content"] == **content);
        assert_eq!(sender.next_event("new_message").await.unwrap(), ack["message"]);
    }
    // Another way to write the same.
    let escaped = r#"{"group_id":1,"encrypted_content":"\u0041\u00e9\ud83e\udd80\/\u000a\uFEFF"}"#;
    let ack = sender.emit_with_ack("send_message", escaped).await.unwrap();
    assert_eq!(ack["message"]["encrypted_content"], "Aé🦀/\n\u{feff}");
    let mut too_large = refusal("payload_too_large", "Message too large");
    too_large["limit_bytes"] = json!(LIMIT);
    for content in [
        "x".repeat(LIMIT + 1),
        "é".repeat(LIMIT / 2 + 1),
        "🦀".repeat(LIMIT / 4) + "x",
        "x".repeat(130_000),
    ] {
        for event in ["send_message", "edit_message"] {
            let message = json!({"group_id": GROUP, "seq": 1, "encrypted_content": content});
            assert_eq!(ask(&sender, event, message).await, too_large);
        }
    }
    let mut probe = Probe::connect(&target.world, ALICE, GROUP).await;
    for value in [
        "\"\"",
        "null",
        "5",
        "true",
        "{}",
        "[]",
        "[\"x\"]",
        "{\"x\":\"x\"}",
    ] {
        for event in ["send_message", "edit_message"] {
            probe
                .invalid(
                    event,
                    &with(event, "encrypted_content", value),
                    Some("encrypted_content"),
                )
                .await;
        }
    }
    // A message of a frame over the limit does not come as far.
    let frame = json!({"group_id": GROUP, "encrypted_content": "x".repeat(1 << 20)});
    super::ended_by(
        target,
        &crate::peer::Frame::text(&format!("421[\"send_message\",{frame}]")).bytes(),
    )
    .await;

    let expected: Vec<&str> = good
        .iter()
        .map(String::as_str)
        .chain(["Aé🦀/\n\u{feff}"])
        .collect();
    for log in [
        log_over_socket(&sender, GROUP).await,
        target.world.log(GROUP).await,
    ] {
        let kept: Vec<_> = log
            .iter()
            .filter_map(|entry| entry["encrypted_content"].as_str())
            .collect();
        assert!(kept == expected);
    }
}

/// I4: who sent what, when and where is not for the sender to say.
pub(super) async fn pl_8_further_keys_change_nothing(target: &mut Target) {
    let mallory = target.world.joined(MALLORY, GROUP).await;
    let alice = target.world.joined(ALICE, GROUP).await;
    let further = json!({
        "user_id": ALICE, "sender_id": ALICE, "sender_name": "Alice", "actor_id": ALICE, "id": 77, "seq": 77, "is_admin": true,
        "role": "owner", "scope": "admin", "type": "member_added", "epoch": 9, "timestamp": "1970-01-01T00:00:00.000Z",
        "deleted": true, "duplicate": true, "success": false, "__proto__": {"sender_id": ALICE}, "constructor": {"prototype": {}},
        "more": [[{"x": null}]],
    });
    let with = |payload: Value| {
        let mut all = further.clone();
        all.as_object_mut()
            .unwrap()
            .extend(payload.as_object().unwrap().clone());
        all
    };
    let ack = succeed(
        &mallory,
        "send_message",
        with(json!({"group_id": GROUP, "encrypted_content": "mine"})),
    )
    .await;
    let message = &ack["message"];
    let expected = (
        json!(MALLORY),
        json!("Unknown"),
        Value::Null,
        Value::Null,
        json!(false),
    );
    let found = (
        message["sender_id"].clone(),
        message["sender_name"].clone(),
        message["client_message_id"].clone(),
        message["key_epoch"].clone(),
        ack["duplicate"].clone(),
    );
    assert_eq!(found, expected, "{ack}");
    let seq = message["seq"].as_u64().unwrap();
    assert!(seq < 10, "{message}");
    let keys = [
        "id",
        "group_id",
        "sender_id",
        "sender_name",
        "encrypted_content",
        "timestamp",
        "seq",
        "client_message_id",
        "key_epoch",
    ];
    assert!(
        message
            .as_object()
            .unwrap()
            .keys()
            .all(|key| keys.contains(&key.as_str())),
        "{message}"
    );
    assert!(
        !message["timestamp"].as_str().unwrap().starts_with("1970"),
        "{message}"
    );
    assert_eq!(alice.next_event("new_message").await.unwrap(), *message);

    // Nor whose message is edited or deleted, or who reads and types.
    let of_alice = succeed(
        &alice,
        "send_message",
        json!({"group_id": GROUP, "encrypted_content": "hers"}),
    )
    .await;
    let hers = &of_alice["message"]["seq"];
    for (event, payload) in [
        (
            "edit_message",
            json!({"group_id": GROUP, "seq": hers, "encrypted_content": "forged"}),
        ),
        ("delete_message", json!({"group_id": GROUP, "seq": hers})),
    ] {
        assert_eq!(
            ask(&mallory, event, with(payload)).await["code"],
            "forbidden",
            "{event}"
        );
    }
    succeed(
        &mallory,
        "mark_read",
        with(json!({"group_id": GROUP, "seq": seq})),
    )
    .await;
    succeed(
        &mallory,
        "typing",
        with(json!({"group_id": GROUP, "is_typing": true})),
    )
    .await;
    let typing = alice.next_event("typing").await.unwrap();
    assert_eq!(
        typing,
        json!({"group_id": GROUP, "user_id": MALLORY, "is_typing": true})
    );
    for read in heard(&alice, "read").await {
        assert_eq!(read["user_id"], MALLORY, "{read}");
    }
    // An outsider does not become a member by saying so.
    let outsider = target.world.socket(OUTSIDER).await;
    for event in ["send_message", "join_group", "get_entries"] {
        let ack = ask(
            &outsider,
            event,
            with(json!({"group_id": GROUP, "encrypted_content": "x"})),
        )
        .await;
        assert_eq!(
            ack,
            refusal("not_a_member", "Not a member of this group"),
            "{event}"
        );
    }
    // HTTP refuses what it does not know.
    for key in [
        "sender_id",
        "user_id",
        "id",
        "group_id",
        "timestamp",
        "is_admin",
        "__proto__",
    ] {
        let body = json!({"encrypted_content": "x", key: ALICE});
        let answer = target
            .world
            .user(MALLORY, "POST", "/groups/1/messages", body)
            .await;
        assert_invalid(&answer, None, key);
    }
    let kept = messages(target).await;
    let kept: Vec<_> = kept
        .iter()
        .map(|entry| (&entry["sender_id"], &entry["encrypted_content"]))
        .collect();
    assert_eq!(
        kept,
        [(&json!(MALLORY), &json!("mine")), (&json!(ALICE), &json!("hers"))]
    );
}

/// Optional; 1 to 64 printable ASCII characters; of one sender in one group.
pub(super) async fn pl_11_ids_of_clients(target: &mut Target) {
    target.world.group(2, [MALLORY, ALICE]).await;
    let mallory = target.world.socket(MALLORY).await;
    let alice = target.world.socket(ALICE).await;
    let mut probe = Probe::connect(&target.world, ALICE, GROUP).await;
    let [long, huge] = [64, 1024].map(|length| format!("\"{}\"", "x".repeat(length + 1)));
    let bad = [
        "\"\"",
        "5",
        "0",
        "true",
        "[]",
        "[\"m\"]",
        "{}",
        "\"é\"",
        "\"m\\n\"",
        "\"m\\u0000\"",
        "\"\\u007f\"",
        "\"m\\t\"",
        "\"\\ud800\"",
        &long,
        &huge,
    ];
    for value in bad {
        let args = with("send_message", "client_message_id", value);
        probe
            .invalid("send_message", &args, Some("client_message_id"))
            .await;
    }
    let message = |group_id: u64, content: &str, id: Value| json!({"group_id": group_id, "encrypted_content": content, "client_message_id": id});
    let longest = "~".repeat(64);
    for id in ["m", " ", "!", "a b", "'; DROP TABLE", &longest] {
        let first = succeed(&mallory, "send_message", message(GROUP, "x", json!(id))).await;
        assert_eq!(
            (&first["duplicate"], &first["message"]["client_message_id"]),
            (&json!(false), &json!(id))
        );
        let again = succeed(&mallory, "send_message", message(GROUP, "x", json!(id))).await;
        assert_eq!(
            (&again["duplicate"], &again["message"]),
            (&json!(true), &first["message"])
        );
        let conflict = refusal(
            "idempotency_conflict",
            "client_message_id was used for another message",
        );
        assert_eq!(
            ask(&mallory, "send_message", message(GROUP, "y", json!(id))).await,
            conflict
        );
        let mut epoch = message(GROUP, "x", json!(id));
        epoch["key_epoch"] = json!(1);
        assert_eq!(ask(&mallory, "send_message", epoch).await, conflict);
        // Another group, another sender: another message.
        for (client, group_id) in [(&mallory, 2), (&alice, GROUP)] {
            let other = succeed(client, "send_message", message(group_id, "z", json!(id))).await;
            assert_eq!(other["duplicate"], false, "{other}");
        }
    }
    // Case and spaces tell ids apart; without one each message is one of its own.
    for id in [json!("M"), json!("m "), json!(null), json!(null)] {
        let ack = succeed(&mallory, "send_message", message(GROUP, "x", id)).await;
        assert_eq!(ack["duplicate"], false, "{ack}");
    }
    assert_eq!(messages(target).await.len(), 6 * 2 + 4);
    // Of many at once with one id, one is stored.
    let many: Vec<_> = (0..30)
        .map(|_| mallory.request("send_message", message(GROUP, "x", json!("many"))))
        .collect();
    let mut first = 0;
    for one in many {
        let ack = one.answer().await.unwrap();
        assert_eq!(ack["success"], true, "{ack}");
        first += usize::from(ack["duplicate"] == false);
    }
    assert_eq!((first, messages(target).await.len()), (1, 6 * 2 + 5));
}

/// The numbers of a page's entries, over a socket or HTTP.
fn seqs(page: &Value) -> Vec<u64> {
    let entries = page["entries"].as_array().unwrap().iter();
    entries.map(|entry| entry["seq"].as_u64().unwrap()).collect()
}

/// What is no page is `invalid_data`; what is too much is capped; what is beyond the end is empty.
pub(super) async fn pl_14_pages(target: &mut Target) {
    let world = &target.world;
    let client = world.socket(MALLORY).await;
    fill(world, &client).await;
    let head = world.log(GROUP).await.len() as u64;
    assert!(head > 500);
    let query = [
        "limit=-1",
        "limit=0",
        "limit=abc",
        "limit=1.0",
        "limit=1e2",
        "limit=",
        "limit=%2B1",
        "limit=0x10",
        "limit=１",
        "limit[]=1",
        "limit=1&limit=2",
        "after_seq=-1",
        "after_seq=abc",
        "after_seq=",
        "after_seq=1.5",
        "after_seq=9007199254740992",
        "after_seq=null",
        "before_seq=-1",
        "before_seq=x",
        "after_seq=1&before_seq=2",
        "after_seq=1&after_seq=1",
        "after_seq=1%00",
    ];
    for query in query.into_iter().filter(|query| *query != "limit[]=1") {
        for route in ["entries", "messages"] {
            let path = format!("/groups/1/{route}?{query}");
            let answer = world.user(MALLORY, "GET", &path, None).await;
            assert_invalid(&answer, None, &path);
        }
    }
    let mut probe = Probe::connect(world, MALLORY, GROUP).await;
    for (key, value) in [
        ("limit", "0"),
        ("limit", "-1"),
        ("limit", "\"5\""),
        ("limit", "1.0"),
        ("limit", "[5]"),
        ("limit", "true"),
        ("after_seq", "-1"),
        ("after_seq", "\"1\""),
        ("before_seq", "-1"),
        ("before_seq", "{}"),
    ] {
        probe
            .invalid("get_entries", &with("get_entries", key, value), Some(key))
            .await;
        if key != "before_seq" {
            probe
                .invalid("join_group", &with("join_group", key, value), Some(key))
                .await;
        }
    }
    let both = with("get_entries", "after_seq", "1,\"before_seq\":2");
    probe.invalid("get_entries", &both, Some("before_seq")).await;

    let last = |count: u64| (head - count + 1..=head).collect::<Vec<_>>();
    let rows = [
        (json!({}), last(100), true),
        (json!({"limit": 1}), last(1), true),
        (json!({"limit": 1_000_000_000}), last(500), true),
        (json!({"limit": 9_007_199_254_740_991_u64}), last(500), true),
        (json!({"after_seq": 0, "limit": 501}), (1..=500).collect(), true),
        (json!({"after_seq": head - 1}), last(1), false),
        (json!({"after_seq": head}), vec![], false),
        (json!({"after_seq": head + 1}), vec![], false),
        (json!({"after_seq": 9_007_199_254_740_991_u64}), vec![], false),
        (
            json!({"before_seq": 9_007_199_254_740_991_u64, "limit": 2}),
            last(2),
            true,
        ),
        (json!({"before_seq": 3}), vec![1, 2], false),
        (json!({"before_seq": 1}), vec![], false),
        (json!({"before_seq": 0}), vec![], false),
    ];
    for (page, expected, has_more) in rows {
        let pairs = page
            .as_object()
            .unwrap()
            .iter()
            .map(|(key, value)| format!("{key}={value}"));
        let path = format!("/groups/1/entries?{}", pairs.collect::<Vec<_>>().join("&"));
        let over_http = world.user(MALLORY, "GET", &path, None).await;
        assert_eq!(verdict(&over_http), (200, String::new()), "{page}");
        let mut asked = page.clone();
        asked["group_id"] = json!(GROUP);
        let mut over_socket = succeed(&client, "get_entries", asked).await;
        over_socket.as_object_mut().unwrap().remove("success");
        let over_http = over_http.json();
        assert_eq!(over_http, over_socket, "{page}");
        assert_eq!(
            (seqs(&over_http), &over_http["has_more"], &over_http["head_seq"]),
            (expected, &json!(has_more), &json!(head)),
            "{page}"
        );
    }
    // Somebody else learns nothing by asking for what is not there.
    for path in [
        "/groups/1/entries?after_seq=9007199254740991",
        "/groups/77/entries?after_seq=9007199254740991",
    ] {
        let answer = world.user(OUTSIDER, "GET", path, None).await;
        assert_eq!(verdict(&answer), (403, "not_a_member".to_owned()), "{path}");
    }
}

/// More entries than a page may have.
async fn fill(world: &World, client: &sealroom_testkit::client::Client) {
    let before = world.log(GROUP).await.len();
    for _ in 0..11 {
        let sends: Vec<_> = (0..50)
            .map(|_| {
                client.request(
                    "send_message",
                    json!({"group_id": GROUP, "encrypted_content": "x"}),
                )
            })
            .collect();
        for send in sends {
            assert_eq!(send.answer().await.unwrap()["success"], true);
        }
    }
    assert_eq!(world.log(GROUP).await.len(), before + 550);
}
