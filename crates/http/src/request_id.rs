//! The id of a request: told to its client, and carried by every line that it leaves in the log.

use std::sync::Arc;

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue},
    middleware::Next,
    response::Response,
};
use tracing::Instrument as _;

use crate::api::Api;

/// The header's name, as people write it.
pub(crate) const REQUEST_ID: &str = "X-Request-Id";

pub(crate) const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// Bytes of a request's own id at most.
const LONGEST: usize = 128;

/// Takes over the request's id or gives it one, and answers with it.
pub(crate) async fn layer(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    let id = own(request.headers()).unwrap_or_else(|| api.new_request_id());
    // The route and not the path, in which anything may stand. Of the highest level, so that it is there whatever the
    // log's filter is; a span alone makes no line.
    let span = tracing::error_span!(
        "request",
        id = id.to_str().unwrap_or_default(),
        method = %request.method(),
        route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str),
    );
    let mut response = next.run(request).instrument(span.clone()).await;
    span.in_scope(|| tracing::debug!(status = response.status().as_u16(), "answered"));
    response.headers_mut().insert(HEADER, id);
    response
}

/// The request's own id, where it has exactly one that a line of a log can hold: printable ASCII, without spaces,
/// quotes and backslashes.
fn own(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut values = headers.get_all(HEADER).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let is_plain = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'`' | b'\\');
    let bytes = value.as_bytes();
    ((1..=LONGEST).contains(&bytes.len()) && bytes.iter().all(is_plain)).then(|| value.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_plain_id_is_taken_over() {
        let read = |values: &[&[u8]]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(HEADER, HeaderValue::from_bytes(value).unwrap());
            }
            own(&headers)
        };
        let longest = "x".repeat(LONGEST);
        for good in ["a", "018f-aa_~/:=+{}", &longest] {
            assert_eq!(read(&[good.as_bytes()]).unwrap(), good);
        }
        let too_long = "x".repeat(LONGEST + 1);
        let bad: [&[u8]; 9] = [
            b"",
            b"a b",
            b"a\tb",
            b"a\"b",
            b"a'b",
            b"a`b",
            b"a\\b",
            b"\xc3\xa9",
            too_long.as_bytes(),
        ];
        for bad in bad {
            assert_eq!(read(&[bad]), None, "{bad:?}");
        }
        assert_eq!(read(&[]), None);
        assert_eq!(read(&[b"a", b"a"]), None);
    }
}
