//! Pages that nobody can have.

use serde_json::{Value, json};

use super::{http, refusal, with};
use crate::{
    probe::Probe,
    target::{GROUP, MALLORY, OUTSIDER, Target},
    world::{ask, send, succeed},
};

/// What a query may not say, and the key that is at fault.
const BAD: [(&str, &str); 42] = [
    ("limit=-1", "limit"),
    ("limit=0", "limit"),
    ("limit=", "limit"),
    ("limit=abc", "limit"),
    ("limit=1.0", "limit"),
    ("limit=1e3", "limit"),
    ("limit=%2B1", "limit"),
    ("limit=+1", "limit"),
    ("limit=01", "limit"),
    ("limit=0x10", "limit"),
    ("limit=1%20", "limit"),
    ("limit=%D9%A1", "limit"),
    ("limit=null", "limit"),
    ("limit=NaN", "limit"),
    ("limit=1&limit=1", "limit"),
    ("limit=1&limit=2", "limit"),
    ("limit=1;limit=2", "limit"),
    ("limit=1%26limit=2", "limit"),
    ("limit[]=1&limit=x", "limit"),
    ("after_seq=-1", "after_seq"),
    ("after_seq=", "after_seq"),
    ("after_seq", "after_seq"),
    ("after_seq=x", "after_seq"),
    ("after_seq=1.5", "after_seq"),
    ("after_seq=00", "after_seq"),
    ("after_seq=-0", "after_seq"),
    ("after_seq=9007199254740992", "after_seq"),
    ("after_seq=9223372036854775807", "after_seq"),
    ("after_seq=9223372036854775808", "after_seq"),
    ("after_seq=18446744073709551616", "after_seq"),
    ("after_seq=1'%20OR%201=1--", "after_seq"),
    ("after_seq=1&after_seq=1", "after_seq"),
    ("after%5fseq=x", "after_seq"),
    ("before_seq=-1", "before_seq"),
    ("before_seq=", "before_seq"),
    ("before_seq=x", "before_seq"),
    ("before_seq=9007199254740992", "before_seq"),
    ("before_seq=1&before_seq=2", "before_seq"),
    ("after_seq=1&before_seq=2", "before_seq"),
    ("before_seq=2&after_seq=1", "before_seq"),
    ("after_seq=0&before_seq=0", "before_seq"),
    ("after_seq=1&limit=0", "limit"),
];

pub(super) async fn pl_14_pages_that_nobody_can_have(target: &mut Target) {
    let client = target.world.socket(MALLORY).await;
    for number in 0..510 {
        if number % 51 == 0 {
            send(&client, GROUP, "waits").await;
        } else {
            client.emit(
                "send_message",
                json!({"group_id": GROUP, "encrypted_content": "x"}),
            );
        }
    }
    send(&client, GROUP, "last").await;
    let head = u64::try_from(target.world.log(GROUP).await.len()).unwrap();
    assert!(head > 510);
    let mut probe = Probe::connect(&target.world, MALLORY, GROUP).await;
    for route in ["messages", "entries"] {
        over_http(target, route, head).await;
    }
    // The same over the socket.
    for (event, key, value) in [
        ("get_entries", "limit", "-1"),
        ("get_entries", "limit", "0"),
        ("get_entries", "limit", "\"abc\""),
        ("get_entries", "limit", "1e9"),
        ("get_entries", "after_seq", "-1"),
        ("get_entries", "before_seq", "-1"),
        ("get_entries", "before_seq", "9007199254740992"),
        ("join_group", "limit", "0"),
        ("join_group", "after_seq", "-1"),
    ] {
        probe.invalid(event, &with(event, key, value), Some(key)).await;
    }
    let both = with("get_entries", "after_seq", "1,\"before_seq\":2");
    probe.invalid("get_entries", &both, Some("before_seq")).await;
    let page = async |page: Value| {
        let mut page = page;
        page["group_id"] = json!(GROUP);
        succeed(&client, "get_entries", page).await
    };
    for (query, expected) in [
        (json!({"limit": 1_000_000_000}), 500),
        (json!({"limit": u64::MAX / 2}), 500),
        (json!({"after_seq": 0, "limit": 501}), 500),
        (json!({}), 100),
        (json!({"after_seq": head + 1}), 0),
        (json!({"after_seq": 9_007_199_254_740_991_u64}), 0),
        (json!({"before_seq": 0}), 0),
        (json!({"before_seq": 1}), 0),
    ] {
        let ack = page(query.clone()).await;
        assert_eq!(
            (ack["entries"].as_array().unwrap().len(), &ack["head_seq"]),
            (expected, &json!(head)),
            "{query}"
        );
    }
    let join = ask(
        &client,
        "join_group",
        json!({"group_id": GROUP, "after_seq": 0, "limit": 1_000_000}),
    )
    .await;
    assert_eq!(
        (join["entries"].as_array().unwrap().len(), &join["has_more"]),
        (500, &json!(true))
    );
}

/// The pages of a group with this head, which is above 500.
async fn over_http(target: &Target, route: &str, head: u64) {
    let token = target.world.token(MALLORY);
    for (query, key) in BAD {
        let answer = http(target, &token, &format!("GET /groups/1/{route}?{query}"), b"").await;
        assert_eq!(
            refusal(&answer),
            (400, "invalid_data".into(), Some(key.into())),
            "{route} {query}"
        );
    }
    // However much is asked for, a page ends at 500; whether it is absent or far too much.
    for (query, expected) in [
        ("", 100),
        ("?limit=100", 100),
        ("?limit=501", 500),
        ("?limit=1000000000", 500),
        ("?limit=9223372036854775808", 500),
        ("?limit=99999999999999999999999999999999999999", 500),
        ("?after_seq=5&limit=1000000000", 500),
        ("?other=1&LIMIT=0&limit[]=x&__proto__=1", 100),
        ("?&&limit=3&&", 3),
    ] {
        let answer = http(target, &token, &format!("GET /groups/1/{route}{query}"), b"").await;
        let page = answer.json();
        assert_eq!(
            page[route].as_array().map(Vec::len),
            Some(expected),
            "{route}{query}: {page:.200}"
        );
        assert_eq!(
            (&page["has_more"], &page["head_seq"]),
            (&json!(true), &json!(head)),
            "{route}{query}"
        );
    }
    // Behind the head there is nothing, and the head says so.
    for after in [head, head + 1, 9_007_199_254_740_991] {
        let answer = http(
            target,
            &token,
            &format!("GET /groups/1/{route}?after_seq={after}"),
            b"",
        )
        .await;
        let page = answer.json();
        let came = (answer.status, &page[route], &page["has_more"], &page["head_seq"]);
        assert_eq!(
            came,
            (200, &json!([]), &json!(false), &json!(head)),
            "{route} {after}"
        );
    }
    for before in [0, 1] {
        let answer = http(
            target,
            &token,
            &format!("GET /groups/1/{route}?before_seq={before}"),
            b"",
        )
        .await;
        let page = answer.json();
        assert_eq!(
            (answer.status, &page[route], &page["has_more"]),
            (200, &json!([]), &json!(false)),
            "{route} {before}"
        );
    }
    // Who may not read is told that, whatever was asked for.
    let outsider = target.world.token(OUTSIDER);
    let answer = http(target, &outsider, &format!("GET /groups/1/{route}?limit=1"), b"").await;
    assert_eq!(refusal(&answer), (403, "not_a_member".into(), None));
}
