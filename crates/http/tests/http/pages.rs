//! Pages of the log.

use sealroom_domain::Role;

use crate::support::{App, Reply};

/// The `seq`s of a page, and whether there are more: `[2,3] more`.
fn page(reply: &Reply, key: &str) -> String {
    assert_eq!(reply.status, 200, "{reply:?}");
    let page: serde_json::Value = serde_json::from_str(&reply.body).unwrap();
    let seqs: Vec<i64> = page[key]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["seq"].as_i64().unwrap())
        .collect();
    let more = if page["has_more"].as_bool().unwrap() {
        " more"
    } else {
        ""
    };
    format!("{seqs:?}{more}")
}

#[tokio::test]
async fn a_page_begins_and_ends_where_it_was_asked_to() {
    let app = App::new();
    app.group(&[(1, Role::Owner)]).await;
    for content in ["a", "b", "c", "d"] {
        app.message(1, 1, content).await;
    }
    let rows = [
        ("", "[1, 2, 3, 4, 5]"),
        ("?limit=2", "[4, 5] more"),
        ("?limit=5", "[1, 2, 3, 4, 5]"),
        ("?limit=500", "[1, 2, 3, 4, 5]"),
        ("?after_seq=0", "[1, 2, 3, 4, 5]"),
        ("?after_seq=0&limit=2", "[1, 2] more"),
        ("?after_seq=3&limit=2", "[4, 5]"),
        ("?after_seq=5", "[]"),
        ("?after_seq=9007199254740991", "[]"),
        ("?before_seq=5&limit=2", "[3, 4] more"),
        ("?limit=2&before_seq=3", "[1, 2]"),
        ("?before_seq=1", "[]"),
        ("?before_seq=0", "[]"),
        ("?before_seq=9007199254740991&limit=1", "[5] more"),
        ("?limit=99999999999999999999999999", "[1, 2, 3, 4, 5]"),
        ("?utm_source=x&page=7&cursor=y&limit=1", "[5] more"),
        ("?&&", "[1, 2, 3, 4, 5]"),
        ("?", "[1, 2, 3, 4, 5]"),
    ];
    for (query, expected) in rows {
        let reply = app
            .ask("u1", &format!("GET /api/v1/groups/1/entries{query}"), None)
            .await;
        assert_eq!(page(&reply, "entries"), expected, "{query}");
        let reply = app
            .ask("u1", &format!("GET /api/v1/groups/1/messages{query}"), None)
            .await;
        assert!(
            !page(&reply, "messages").contains("[1"),
            "{query}: 1 is no message"
        );
    }
    let messages = app
        .ask("u1", "GET /api/v1/groups/1/messages?before_seq=4&limit=2", None)
        .await;
    assert_eq!(
        page(&messages, "messages"),
        "[2, 3]",
        "what is before them is no message"
    );
}

#[tokio::test]
async fn more_than_the_cap_is_capped() {
    let app = App::new();
    app.group(&[(1, Role::Owner)]).await;
    for number in 0..600 {
        app.message(1, 1, &number.to_string()).await;
    }
    for (query, count) in [
        ("", 100),
        ("?limit=501", 500),
        ("?limit=18446744073709551616", 500),
    ] {
        let reply = app
            .ask("u1", &format!("GET /api/v1/groups/1/entries{query}"), None)
            .await;
        assert_eq!(reply.body.matches(r#""type":"#).count(), count, "{query}");
    }
}

#[tokio::test]
async fn a_query_that_is_not_clear_is_refused() {
    let app = App::new();
    app.group(&[(1, Role::Owner)]).await;
    let bad = [
        ("limit=0", "limit"),
        ("limit=-1", "limit"),
        ("limit=%2B1", "limit"),
        ("limit=+1", "limit"),
        ("limit=1.0", "limit"),
        ("limit=1e2", "limit"),
        ("limit=01", "limit"),
        ("limit=", "limit"),
        ("limit", "limit"),
        ("limit=abc", "limit"),
        ("limit=null", "limit"),
        ("limit=5%00", "limit"),
        ("limit=%EF%BC%95", "limit"),
        ("limit=1&limit=1", "limit"),
        ("limit=1&limi%74=1", "limit"),
        ("limi%74=0", "limit"),
        ("after_seq=-1", "after_seq"),
        ("after_seq=", "after_seq"),
        ("after_seq=x", "after_seq"),
        ("after_seq=00", "after_seq"),
        ("after_seq=9007199254740992", "after_seq"),
        ("after_seq=99999999999999999999", "after_seq"),
        ("after_seq=%FF", "after_seq"),
        ("after_seq=1&after_seq=2", "after_seq"),
        ("before_seq=-1", "before_seq"),
        ("before_seq=1&before_seq=1", "before_seq"),
        ("before_seq=5&after_seq=1", "before_seq"),
        ("after_seq=0&before_seq=0", "before_seq"),
    ];
    for (query, field) in bad {
        for route in ["entries", "messages"] {
            let reply = app
                .ask("u1", &format!("GET /api/v1/groups/1/{route}?{query}"), None)
                .await;
            assert_eq!(reply.verdict(), format!("400 invalid_data {field}"), "{query}");
        }
    }
}
