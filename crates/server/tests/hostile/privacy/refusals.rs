//! What refusals say: one of these texts, and nothing else.

use std::collections::BTreeSet;

use http::StatusCode;
use sealroom_testkit::client::http::HttpResponse;
use serde_json::Value;

use super::canary::CANARY;

/// The codes with their statuses over HTTP, and every text that each may have.
const CODES: [(&str, u16, &[&str]); 20] = [
    (
        "invalid_data",
        400,
        &[
            "Invalid data",
            "The body is not a JSON object",
            "The body has an unknown key",
            "The body could not be read",
            "Content-Type must be application/json",
        ],
    ),
    ("not_a_member", 403, &["Not a member of this group"]),
    ("forbidden", 403, &["Not allowed"]),
    ("not_found", 404, &["Not found"]),
    (
        "conflict",
        409,
        &[
            "Username is taken",
            "Usernames are those of the accounts",
            "The last owner cannot leave or lose the role",
        ],
    ),
    ("payload_too_large", 413, &["Message too large"]),
    ("rate_limited", 429, &["Too many requests"]),
    ("limit_exceeded", 409, &["Limit reached"]),
    (
        "idempotency_conflict",
        409,
        &["client_message_id was used for another message"],
    ),
    ("history_trimmed", 410, &["History was trimmed"]),
    ("token_missing", 401, &["Token missing"]),
    ("token_invalid", 401, &["Token invalid"]),
    ("token_expired", 401, &["Token expired"]),
    ("token_revoked", 401, &["Token revoked"]),
    ("login_failed", 401, &["Login failed"]),
    ("too_many_connections", 429, &["Too many connections"]),
    ("unknown_event", 400, &["Unknown event"]),
    ("unavailable", 503, &["Temporarily unavailable"]),
    ("shutting_down", 503, &["Server is shutting down"]),
    ("internal", 500, &["Internal error"]),
];

/// What may go with a code, one of them at most.
const EXTRAS: [&str; 7] = [
    "field",
    "limit_bytes",
    "limit",
    "retry_after_ms",
    "first_seq",
    "key_epoch",
    "request_id",
];

/// The only plain texts: what is in front of Socket.IO says these, and Engine.IO the others.
const PLAIN: [(u16, &[&str]); 6] = [
    (
        400,
        &[
            r#"{"code":"0","message":"Transport unknown"}"#,
            r#"{"code":"1","message":"Session ID unknown"}"#,
            r#"{"code":"2","message":"Bad handshake method"}"#,
            r#"{"code":"3","message":"Bad request"}"#,
            r#"{"code":"5","message":"Unsupported protocol version"}"#,
            "The session was upgraded already",
            "Not a WebSocket handshake",
            // What is no HTTP, and what the server itself refuses of it.
            "",
        ],
    ),
    (403, &["Origin not allowed"]),
    (413, &[""]),
    (426, &["Another WebSocket version"]),
    (429, &["Too many requests"]),
    (503, &["The server is shutting down"]),
];

/// What only the inside knows.
const INSIDE: [&str; 16] = [
    "select ",
    "insert ",
    "update ",
    "diesel",
    "postgres",
    "sqlite",
    "relation",
    "serde",
    "expected",
    "line 1",
    ".rs",
    "src/",
    "/tmp",
    "panic",
    "error(",
    "socketioxide",
];

/// The refusals that came.
#[derive(Default)]
pub(super) struct Refusals {
    codes: BTreeSet<String>,
    count: usize,
}

impl Refusals {
    /// A refusal as an ack.
    pub(super) fn ack(&mut self, ack: &Value) {
        let object = ack.as_object().unwrap_or_else(|| panic!("no object: {ack}"));
        for key in object.keys() {
            let is_known = ["success", "error", "code", "retryable"].contains(&key.as_str());
            assert!(is_known || EXTRAS.contains(&key.as_str()), "{key} in {ack}");
        }
        assert!(object.len() <= 5, "{ack}");
        assert_eq!(ack["success"], false, "{ack}");
        let retryable = matches!(
            ack["code"].as_str(),
            Some("rate_limited" | "unavailable" | "shutting_down" | "internal")
        );
        assert_eq!(ack["retryable"], retryable, "{ack}");
        self.text(&ack["code"], &ack["error"], &ack.to_string());
    }

    /// The event `request_error`. It tells the event's name back, which only the client knows.
    pub(super) fn request_error(&mut self, error: &Value) {
        let keys: BTreeSet<_> = error.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, ["code", "error", "event"].into(), "{error}");
        let text = format!("{} {}", error["code"], error["error"]);
        self.text(&error["code"], &error["error"], &text);
    }

    /// The message of `CONNECT_ERROR`, which is a code.
    pub(super) fn connect_error(&mut self, code: &str) {
        let known = [
            "token_missing",
            "token_invalid",
            "token_expired",
            "token_revoked",
            "too_many_connections",
        ];
        assert!(known.contains(&code), "{code}");
        self.codes.insert(code.to_owned());
        self.count += 1;
    }

    /// An answer of the API: a refusal is a problem document.
    pub(super) fn answer(&mut self, asked: &str, answer: &HttpResponse) {
        if answer.status < 400 {
            return;
        }
        let whole = format!("{asked}: {answer:?}, {}", answer.text());
        assert_eq!(
            answer.header("Content-Type"),
            Some("application/problem+json"),
            "{whole}"
        );
        let problem = answer.json();
        for key in problem.as_object().unwrap().keys() {
            let is_known = ["type", "title", "status", "detail", "code"].contains(&key.as_str());
            assert!(is_known || EXTRAS.contains(&key.as_str()), "{key} in {whole}");
        }
        let phrase = StatusCode::from_u16(answer.status).unwrap().canonical_reason();
        assert_eq!(
            (
                problem["type"].as_str(),
                problem["title"].as_str(),
                problem["status"].as_u64()
            ),
            (Some("about:blank"), phrase, Some(u64::from(answer.status))),
            "{whole}"
        );
        let headers = format!("{:?}", answer.headers);
        assert!(!headers.contains(CANARY), "{whole}");
        if answer.status == 405 {
            assert_eq!(
                (&problem["code"], &problem["detail"]),
                (&"not_found".into(), &"Method not allowed".into())
            );
            self.count += 1;
            return;
        }
        let code = self.text(&problem["code"], &problem["detail"], &answer.text());
        assert_eq!(answer.status, code, "{whole}");
    }

    /// An answer of what is in front of Socket.IO, or of Engine.IO.
    pub(super) fn plain(&mut self, asked: &str, answer: &HttpResponse) {
        if answer.status < 400 {
            return;
        }
        let (text, headers) = (answer.text(), format!("{:?}", answer.headers));
        let texts = PLAIN.iter().find(|(status, _)| *status == answer.status);
        let is_known = texts.is_some_and(|(_, texts)| texts.contains(&text.as_str()));
        assert!(
            is_known && !headers.contains(CANARY),
            "{asked}: {answer:?}, {text}"
        );
        self.count += 1;
    }

    /// Checks a code with its text, gives the status that belongs to it.
    fn text(&mut self, code: &Value, text: &Value, whole: &str) -> u16 {
        let row = CODES.iter().find(|(known, ..)| code == known);
        let Some((known, status, texts)) = row else {
            panic!("{code} is no code: {whole}")
        };
        assert!(texts.iter().any(|known| text == known), "{whole}");
        let lower = whole.to_lowercase();
        for inside in INSIDE.into_iter().chain([CANARY]) {
            assert!(!lower.contains(inside), "{inside} in {whole}");
        }
        self.codes.insert((*known).to_owned());
        self.count += 1;
        *status
    }

    /// What would make the rest of this an empty promise: refusals that never came.
    pub(super) fn were(&self, codes: &[&str]) {
        for code in codes {
            assert!(self.codes.contains(*code), "no {code} among {:?}", self.codes);
        }
        assert!(self.count > 100, "{} refusals", self.count);
    }
}
