//! From page to page by `Link` headers.

use axum::http::header;
use sealroom_domain::Role;

use crate::support::{App, Reply};

/// The target of a relation.
fn link(reply: &Reply, rel: &str) -> Option<String> {
    let links = reply.header(header::LINK)?;
    let end = format!(">; rel=\"{rel}\"");
    let link = links
        .split(", ")
        .find_map(|link| link.strip_suffix(end.as_str()))?;
    Some(link.strip_prefix('<').unwrap().to_owned())
}

fn seqs(reply: &Reply) -> Vec<i64> {
    assert_eq!(reply.status, 200, "{reply:?}");
    let page: serde_json::Value = serde_json::from_str(&reply.body).unwrap();
    let entries = page
        .get("entries")
        .or(page.get("messages"))
        .unwrap()
        .as_array()
        .unwrap();
    entries
        .iter()
        .map(|entry| entry["seq"].as_i64().unwrap())
        .collect()
}

/// A group whose log has 9 entries, of which the first is its owner.
async fn app() -> App {
    let app = App::new();
    app.group(&[(1, Role::Owner)]).await;
    for number in 0..8 {
        app.message(1, 1, &number.to_string()).await;
    }
    app
}

#[tokio::test]
async fn a_page_names_those_beside_it() {
    let app = app().await;
    let path = "/api/v1/groups/1/entries";
    let rows = [
        ("", None, None),
        ("?limit=3", None, Some("before_seq=7&limit=3")),
        ("?limit=9", None, None),
        (
            "?before_seq=7&limit=3",
            Some("after_seq=6&limit=3"),
            Some("before_seq=4&limit=3"),
        ),
        ("?before_seq=4", Some("after_seq=3"), None),
        ("?before_seq=1&limit=3", None, None),
        ("?before_seq=100&limit=1", None, Some("before_seq=9&limit=1")),
        ("?after_seq=0&limit=4", Some("after_seq=4&limit=4"), None),
        (
            "?limit=4&after_seq=4&utm=x",
            Some("after_seq=8&limit=4"),
            Some("before_seq=5&limit=4"),
        ),
        ("?after_seq=8&limit=4", None, Some("before_seq=9&limit=4")),
        ("?after_seq=9", None, None),
    ];
    for (query, next, prev) in rows {
        let reply = app.ask("u1", &format!("GET {path}{query}"), None).await;
        let whole = |query: Option<&str>| query.map(|query| format!("{path}?{query}"));
        assert_eq!(link(&reply, "next"), whole(next), "next of {query}");
        assert_eq!(link(&reply, "prev"), whole(prev), "prev of {query}");
    }
}

/// Follows a relation to its end.
async fn follow(app: &App, path: &str, rel: &str) -> Vec<Vec<i64>> {
    let mut pages = Vec::new();
    let mut next = Some(path.to_owned());
    while let Some(path) = next {
        let reply = app.ask("u1", &format!("GET {path}"), None).await;
        pages.push(seqs(&reply));
        assert!(pages.len() < 20, "no end: {pages:?}");
        next = link(&reply, rel);
    }
    pages
}

#[tokio::test]
async fn who_follows_the_links_reads_everything_once() {
    let app = app().await;
    let path = "/api/v1/groups/1/entries";
    let up = follow(&app, &format!("{path}?after_seq=0&limit=4"), "next").await;
    assert_eq!(up, [vec![1, 2, 3, 4], vec![5, 6, 7, 8], vec![9]]);
    let down = follow(&app, &format!("{path}?limit=4"), "prev").await;
    assert_eq!(down, [vec![6, 7, 8, 9], vec![2, 3, 4, 5], vec![1]]);
    let turned = follow(&app, &format!("{path}?before_seq=4&limit=2"), "next").await;
    assert_eq!(turned, [vec![2, 3], vec![4, 5], vec![6, 7], vec![8, 9]]);
    let turned = follow(&app, &format!("{path}?after_seq=7&limit=4"), "prev").await;
    assert_eq!(turned, [vec![8, 9], vec![4, 5, 6, 7], vec![1, 2, 3]]);

    let messages = "/api/v1/groups/1/messages";
    let up = follow(&app, &format!("{messages}?after_seq=0&limit=4"), "next").await;
    assert_eq!(up.concat(), [2, 3, 4, 5, 6, 7, 8, 9]);
    let mut down = follow(&app, &format!("{messages}?limit=4"), "prev").await;
    down.reverse();
    assert_eq!(down.concat(), [2, 3, 4, 5, 6, 7, 8, 9]);
}

#[tokio::test]
async fn an_application_that_nests_the_routes_finds_its_prefix_in_the_links() {
    use axum::{Router, body::Body, http::Request};
    use sealroom_http::HttpOptions;
    use tower::ServiceExt as _;

    let app = app().await;
    let verifier = std::sync::Arc::new(app.tokens.clone());
    let api = sealroom_http::api(app.chat.clone(), verifier, HttpOptions::default());
    let request = Request::get("/chat/api/v1/groups/1/entries?limit=1").header("authorization", "Bearer u1");
    let nested = Router::new().nest("/chat", api);
    let response = nested
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    let links = response.headers()[header::LINK].to_str().unwrap();
    assert_eq!(
        links,
        "</chat/api/v1/groups/1/entries?before_seq=9&limit=1>; rel=\"prev\""
    );
}
