//! Refusals as problem documents (RFC 9457).

use std::time::Duration;

use axum::{
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
    },
    response::{IntoResponse, Response},
};
use sealroom_domain::{ErrorCode, Extra, Refusal};
use sealroom_wire::FurtherKey;
use serde::Serialize;
use utoipa::ToSchema;

use crate::metrics;

/// A refusal that is answered with the status of its code.
#[derive(Debug)]
pub(crate) struct Problem(Refusal);

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self(refusal)
    }
}

impl From<ErrorCode> for Problem {
    fn from(code: ErrorCode) -> Self {
        Self(code.into())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        answer(status(self.0.code), &self.0)
    }
}

/// What is answered where nothing is.
pub(crate) async fn not_found() -> Problem {
    ErrorCode::NotFound.into()
}

/// What is answered to a method that a path does not have; the router adds `Allow`. Among the codes, `not_found` says
/// it best.
pub(crate) async fn method_not_allowed() -> Response {
    let refusal = Refusal {
        text: Some("Method not allowed"),
        ..ErrorCode::NotFound.into()
    };
    answer(StatusCode::METHOD_NOT_ALLOWED, &refusal)
}

/// What is answered where an answer cannot be written.
pub(crate) fn internal() -> Problem {
    ErrorCode::Internal.into()
}

/// The status of each code.
pub(crate) const fn status(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::InvalidData | ErrorCode::UnknownEvent => StatusCode::BAD_REQUEST,
        ErrorCode::TokenMissing
        | ErrorCode::TokenInvalid
        | ErrorCode::TokenExpired
        | ErrorCode::TokenRevoked
        | ErrorCode::LoginFailed => StatusCode::UNAUTHORIZED,
        ErrorCode::NotAMember | ErrorCode::Forbidden => StatusCode::FORBIDDEN,
        ErrorCode::NotFound => StatusCode::NOT_FOUND,
        ErrorCode::Conflict | ErrorCode::LimitExceeded | ErrorCode::IdempotencyConflict => {
            StatusCode::CONFLICT
        }
        ErrorCode::HistoryTrimmed => StatusCode::GONE,
        ErrorCode::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorCode::RateLimited | ErrorCode::TooManyConnections => StatusCode::TOO_MANY_REQUESTS,
        ErrorCode::Unavailable | ErrorCode::ShuttingDown => StatusCode::SERVICE_UNAVAILABLE,
        // The enum may grow; a test holds this table against all of its codes.
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn answer(status: StatusCode, refusal: &Refusal) -> Response {
    metrics::refused(refusal.code);
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    if let Some(Extra::RetryAfter(after)) = refusal.extra {
        headers.insert(RETRY_AFTER, HeaderValue::from(whole_seconds(after)));
    }
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, challenge(refusal.code));
    }
    let document = ProblemDocument::of(status, refusal);
    match serde_json::to_vec(&document) {
        Ok(body) => (status, headers, body).into_response(),
        // A map of texts and numbers can always be written.
        Err(_) => status.into_response(),
    }
}

/// At least 1, so that a client that obeys it never spins.
fn whole_seconds(duration: Duration) -> u64 {
    let part = u64::from(duration.subsec_nanos() > 0);
    duration.as_secs().saturating_add(part).max(1)
}

/// RFC 6750, section 3: no error where no token came.
fn challenge(code: ErrorCode) -> HeaderValue {
    HeaderValue::from_static(match code {
        ErrorCode::TokenMissing => r#"Bearer realm="sealroom""#,
        _ => r#"Bearer realm="sealroom", error="invalid_token""#,
    })
}

/// What was refused, and why (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemDocument<'a> {
    /// Always `about:blank`: the title is the phrase of the status.
    #[serde(rename = "type")]
    problem_type: &'a str,
    title: &'a str,
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// A text for people.
    detail: &'a str,
    /// What programs go by.
    code: &'a str,
    #[serde(flatten)]
    further: FurtherKey<'a>,
}

impl<'a> ProblemDocument<'a> {
    fn of(status: StatusCode, refusal: &'a Refusal) -> Self {
        Self {
            problem_type: "about:blank",
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            detail: refusal.text(),
            code: refusal.code.as_str(),
            further: FurtherKey::of(refusal),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_the_status_of_the_protocol() {
        for code in ErrorCode::ALL {
            let expected = match code.as_str() {
                "invalid_data" | "unknown_event" => 400,
                "token_missing" | "token_invalid" | "token_expired" | "token_revoked" | "login_failed" => 401,
                "not_a_member" | "forbidden" => 403,
                "not_found" => 404,
                "conflict" | "limit_exceeded" | "idempotency_conflict" => 409,
                "history_trimmed" => 410,
                "payload_too_large" => 413,
                "rate_limited" | "too_many_connections" => 429,
                "internal" => 500,
                "unavailable" | "shutting_down" => 503,
                new => panic!("{new} has no status"),
            };
            assert_eq!(status(*code).as_u16(), expected, "{code:?}");
        }
    }

    #[test]
    fn a_document_says_what_the_refusal_says() {
        let refusal = Refusal::invalid("name");
        let document = ProblemDocument::of(StatusCode::BAD_REQUEST, &refusal);
        assert_eq!(
            serde_json::to_string(&document).unwrap(),
            r#"{"type":"about:blank","title":"Bad Request","status":400,"detail":"Invalid data","code":"invalid_data","field":"name"}"#
        );
    }

    #[test]
    fn retry_after_is_rounded_up_to_whole_seconds() {
        for (millis, expected) in [(0, 1), (1, 1), (1000, 1), (1001, 2), (59_999, 60)] {
            assert_eq!(whole_seconds(Duration::from_millis(millis)), expected, "{millis}");
            let refusal =
                Refusal::new(ErrorCode::RateLimited).with(Extra::RetryAfter(Duration::from_millis(millis)));
            let answer = Problem(refusal).into_response();
            let header = answer.headers()[RETRY_AFTER].to_str().unwrap();
            assert_eq!(header, expected.to_string());
        }
    }

    #[test]
    fn only_a_token_that_came_is_called_invalid() {
        let header = |code: ErrorCode| {
            let answer = Problem::from(code).into_response();
            answer
                .headers()
                .get(WWW_AUTHENTICATE)
                .map(|value| value.to_str().unwrap().to_owned())
        };
        assert_eq!(
            header(ErrorCode::TokenMissing).as_deref(),
            Some(r#"Bearer realm="sealroom""#)
        );
        for code in [
            ErrorCode::TokenInvalid,
            ErrorCode::TokenExpired,
            ErrorCode::TokenRevoked,
        ] {
            let expected = r#"Bearer realm="sealroom", error="invalid_token""#;
            assert_eq!(header(code).as_deref(), Some(expected), "{code:?}");
        }
        assert_eq!(header(ErrorCode::Forbidden), None);
    }
}
