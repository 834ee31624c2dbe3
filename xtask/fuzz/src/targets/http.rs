//! The routes under `/api/v1`, asked as they are.

use std::cell::RefCell;

use axum::{Router, body::Body};
use http::{HeaderValue, Method, Request, header};
use sealroom_domain::{ErrorCode, MAX_SAFE_INTEGER};
use serde_json::Value;

use crate::{
    Verdict,
    app::{Answer, App, BODY_BYTES, CONTENT_BYTES, HEAD, PAGE},
    oracle::{assert_all_clean, assert_ids, decimal, first_line, is_id, known_code},
    request,
};

const API: &str = "/api/v1/";

thread_local! {
    /// Kept for as long as nothing was changed in it: it costs more than what is asked of it.
    static SITE: RefCell<Option<Site>> = const { RefCell::new(None) };
}

struct Site {
    app: App,
    router: Router,
}

/// What the routes answer, held against what every answer is.
fn ask(request: Request<Body>) -> Answer {
    let method = request.method().clone();
    let reads = matches!(method, Method::GET | Method::HEAD | Method::OPTIONS);
    // Attempts to log in are counted also where they fail.
    let is_counted = request.uri().path().starts_with("/api/v1/auth/");
    let answer = SITE.with_borrow_mut(|site| {
        let Site { app, router } = site.get_or_insert_with(|| {
            let app = App::new();
            let router = app.router();
            Site { app, router }
        });
        let answer = app.ask(router, request);
        if !reads && (answer.status.is_success() || is_counted) {
            *site = None;
        }
        answer
    });
    check(&method, &answer);
    answer
}

/// What every answer is: never an internal error or a lack, and a refusal is a whole problem document.
fn check(method: &Method, answer: &Answer) {
    let status = answer.status.as_u16();
    assert!(
        status < 500,
        "{status}: {}",
        String::from_utf8_lossy(&answer.body)
    );
    assert!(answer.headers.contains_key("x-request-id"));
    if method == Method::HEAD
        || answer.body.is_empty()
        || answer.headers.contains_key(header::CONTENT_ENCODING)
    {
        return;
    }
    let media_type = answer
        .headers
        .get(header::CONTENT_TYPE)
        .map(HeaderValue::as_bytes);
    if status >= 400 {
        assert_eq!(media_type, Some(b"application/problem+json".as_slice()));
        let document: Value = serde_json::from_slice(&answer.body).expect("a problem is JSON");
        assert_eq!(
            document.get("status").and_then(Value::as_u64),
            Some(status.into())
        );
        let code = document.get("code").and_then(Value::as_str).expect("a code");
        assert_ne!(known_code(code), ErrorCode::Internal);
    } else if media_type == Some(b"application/json") {
        let body: Value = serde_json::from_slice(&answer.body).expect("the answer is JSON");
        // The document of the routes has keys of the same names.
        if body.get("openapi").is_none() {
            assert_ids(&body);
            assert_all_clean(&body);
        }
    }
}

/// The query of `/groups/5/messages` and `/groups/5/entries`.
pub fn http_query(data: &[u8]) -> Verdict {
    Verdict::of(
        ["messages", "entries"]
            .into_iter()
            .try_for_each(|page| read_page(page, data)),
    )
}

fn read_page(page: &str, data: &[u8]) -> Option<()> {
    let uri = request::uri(&format!("/api/v1/groups/5/{page}?"), data)?;
    let answer = ask(request::json(&Method::GET, uri, "member", b""));
    let status = answer.status.as_u16();
    assert!(matches!(status, 200 | 400), "{status}");
    if data.contains(&b'%') || data.contains(&b'+') {
        return (status == 200).then_some(()); // what is escaped is the library's to read
    }
    let expected = str::from_utf8(data).ok().and_then(expected_page);
    assert_eq!(status == 200, expected.is_some(), "{status}");
    let (first, last) = expected?;
    let body: Value = serde_json::from_slice(&answer.body).expect("JSON");
    let entries = body.get(page).and_then(Value::as_array).expect("a page");
    assert!(entries.len() <= PAGE);
    let seqs = entries
        .iter()
        .map(|entry| entry.get("seq").and_then(Value::as_i64));
    if page == "entries" {
        assert!(seqs.eq((first..=last).map(Some)), "not {first} to {last}");
    } else {
        assert!(seqs.is_sorted());
    }
    Some(())
}

/// The first and the last entry of the page that a query without escapes asks for; `None` where it is refused.
fn expected_page(query: &str) -> Option<(i64, i64)> {
    let pairs = query
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let (mut after, mut before, mut limit) = (None, None, None);
    for (key, value) in pairs {
        let place = match key {
            "after_seq" => &mut after,
            "before_seq" => &mut before,
            "limit" => &mut limit,
            _ => continue,
        };
        if place.replace(value).is_some() {
            return None;
        }
    }
    let seq = |text: &str| decimal(text).filter(|number| *number <= MAX_SAFE_INTEGER);
    let page = i64::try_from(PAGE).expect("it is small");
    let limit = match limit {
        None => page,
        // However large it is, it is capped.
        Some(text) if text.len() > 18 && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            (!text.starts_with('0')).then_some(page)?
        }
        Some(text) => decimal(text).filter(|limit| *limit > 0)?.min(page),
    };
    match (after.map(seq), before.map(seq)) {
        (None, None) => Some((HEAD - limit + 1, HEAD)),
        (Some(after), None) => {
            let after = after?;
            Some((after + 1, HEAD.min(after + limit)))
        }
        (None, Some(before)) => {
            let last = HEAD.min(before? - 1);
            Some((1.max(last - limit + 1), last))
        }
        (Some(_), Some(_)) => None,
    }
}

/// `METHOD PATH`, asked by an admin: the path behind `/api/v1/`.
pub fn http_path(data: &[u8]) -> Verdict {
    Verdict::of(ask_for_path(data))
}

fn ask_for_path(data: &[u8]) -> Option<()> {
    let (method, path) = request::method_and_rest(data)?;
    let uri = request::uri(API, path)?;
    let segments: Vec<String> = uri.path().split('/').map(str::to_owned).skip(3).collect();
    let body: &[u8] = if method == Method::GET || method == Method::HEAD {
        b""
    } else {
        br#"{"name":"x"}"#
    };
    let answer = ask(request::json(&method, uri, "admin", body));
    if !answer.status.is_success() || method == Method::OPTIONS {
        return None;
    }
    // Whatever was found was named by the only spelling of its id.
    for pair in segments.windows(2) {
        if let [kind, id] = pair
            && matches!(kind.as_str(), "groups" | "users" | "members")
        {
            assert!(decimal(id).is_some_and(is_id), "{segments:?}");
        }
    }
    Some(())
}

/// `METHOD PATH`, a line feed, and the body, sent by the owner of group 5, or where a `!` is in front by an admin.
pub fn http_body(data: &[u8]) -> Verdict {
    Verdict::of(send_body(data))
}

fn send_body(data: &[u8]) -> Option<()> {
    let (line, body) = first_line(data);
    let (caller, line) = match line.strip_prefix(b"!") {
        Some(line) => ("admin", line),
        None => ("owner", line),
    };
    let (method, path) = request::method_and_rest(line)?;
    let uri = request::uri(API, path)?;
    let path = uri.path().to_owned();
    let answer = ask(request::json(&method, uri, caller, body));
    let takes_body = matches!(method, Method::POST | Method::PUT | Method::PATCH);
    if !answer.status.is_success() || !takes_body || body.is_empty() || path.ends_with("/revoke") {
        return None;
    }
    assert!(body.len() <= BODY_BYTES);
    let Ok(Value::Object(sent)) = serde_json::from_slice::<Value>(body) else {
        panic!("{path} took what is no object")
    };
    let sent = Value::Object(sent);
    assert_all_clean(&sent);
    assert_ids(&sent);
    if let Some(members) = sent.get("members").and_then(Value::as_array) {
        assert!(members.iter().all(|id| id.as_i64().is_some_and(is_id)));
    }
    if path.ends_with("/messages") {
        let content = sent.get("encrypted_content").and_then(Value::as_str);
        assert!(content.is_some_and(|content| (1..=CONTENT_BYTES).contains(&content.len())));
        let answer: Value = serde_json::from_slice(&answer.body).expect("JSON");
        let stored = answer.pointer("/message/encrypted_content");
        assert_eq!(stored.and_then(Value::as_str), content, "it is kept as it came");
    }
    Some(())
}

/// `METHOD PATH`, and a header on each line; then, behind an empty line, the body.
pub fn http_headers(data: &[u8]) -> Verdict {
    Verdict::of(send_headers(data))
}

fn send_headers(data: &[u8]) -> Option<()> {
    let (line, rest) = first_line(data);
    let (method, path) = request::method_and_rest(line)?;
    let request = request::with_headers(&method, request::uri(API, path)?, rest)?;
    let authorizations = request.headers().get_all(header::AUTHORIZATION).iter().count();
    let is_public = request.uri().path().starts_with("/api/v1/auth/");
    let answer = ask(request);
    if !answer.status.is_success() {
        return None;
    }
    let is_open = is_public || method == Method::OPTIONS;
    assert!(is_open || authorizations == 1, "nobody was asked for");
    Some(())
}
