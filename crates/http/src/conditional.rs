//! Answers that a client may keep: their `ETag`, 304 where nothing has changed, and gzip.
//!
//! Nothing else is compressed. What is kept holds no secret of the one who asks, neither token nor key, so its length
//! tells nothing to somebody who can choose a part of it (BREACH); other answers are small.

use std::{fmt::Write as _, io::Write as _};

use axum::{
    body::{Body, Bytes},
    extract::Request,
    http::{
        HeaderMap, HeaderValue, Method, StatusCode,
        header::{
            ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG,
            IF_NONE_MATCH, LINK, VARY,
        },
    },
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use flate2::{Compression, write::GzEncoder};
use sha2::{Digest as _, Sha256};

/// Bodies up to this many bytes are sent as they are: 1 KiB, about what the first packet carries anyway.
const SMALL: usize = 1024;

/// 200 with a body that may be kept.
pub(crate) fn kept(content_type: &'static str, body: impl Into<Bytes>) -> Response {
    let body = body.into();
    let headers = [
        (ETAG, etag(&body)),
        (CONTENT_TYPE, HeaderValue::from_static(content_type)),
        // Kept by the client alone, and asked for each time: another token's answer is another hash.
        (CACHE_CONTROL, HeaderValue::from_static("private, no-cache")),
    ];
    (headers, body).into_response()
}

/// Weak, because it is the same for the compressed form. A cryptographic hash, since members choose a part of what
/// other members are shown.
fn etag(body: &[u8]) -> HeaderValue {
    let mut text = String::from("W/\"");
    for byte in Sha256::digest(body).iter().take(16) {
        // Writing to a `String` cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text.push('"');
    // Hexadecimal digits are always a header's value.
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("W/\"\""))
}

/// Turns answers with an `ETag` into 304 where the client has them, and compresses them where it takes that.
pub(crate) async fn layer(request: Request, next: Next) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let known = request.headers().get_all(IF_NONE_MATCH).iter().cloned();
    let known: Vec<HeaderValue> = if reads { known.collect() } else { Vec::new() };
    let gzip = takes_gzip(request.headers());
    let mut response = next.run(request).await;
    let Some(etag) = response.headers().get(ETAG) else {
        return response;
    };
    if response.status() != StatusCode::OK {
        return response;
    }
    let matches = names(&known, etag.as_bytes());
    let headers = response.headers_mut();
    headers.append(VARY, HeaderValue::from_static("Accept-Encoding"));
    if matches {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        let headers = response.headers_mut();
        headers.remove(CONTENT_TYPE);
        headers.remove(CONTENT_LENGTH);
        headers.remove(LINK);
        *response.body_mut() = Body::empty();
        return response;
    }
    if gzip {
        compressed(response).await
    } else {
        response
    }
}

/// Whether one of these headers names the tag; both sides may be weak (RFC 9110, section 13.1.2).
fn names(known: &[HeaderValue], etag: &[u8]) -> bool {
    let opaque = |tag: &[u8]| tag.strip_prefix(b"W/").unwrap_or(tag).to_vec();
    let etag = opaque(etag);
    known
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .any(|tag| tag == b"*" || opaque(tag) == etag)
}

/// Whether gzip is named, or everything, with a weight over 0 (RFC 9110, section 12.5.3).
fn takes_gzip(headers: &HeaderMap) -> bool {
    let mut gzip = None;
    let mut any = None;
    let values = headers.get_all(ACCEPT_ENCODING).iter();
    for coding in values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
    {
        let mut parts = coding.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let weight = parts
            .filter_map(|part| part.split_once('='))
            .find(|(key, _)| key.trim().eq_ignore_ascii_case("q"))
            .map_or(Some(1.0), |(_, weight)| weight.trim().parse::<f32>().ok());
        let takes = weight.is_some_and(|weight| weight > 0.0);
        if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") {
            gzip = Some(takes);
        } else if name == "*" {
            any = Some(takes);
        }
    }
    gzip.or(any).unwrap_or(false)
}

/// The body is in memory already, and at most a page long: compressing it is a matter of milliseconds.
async fn compressed(response: Response) -> Response {
    let (mut head, body) = response.into_parts();
    let Ok(plain) = axum::body::to_bytes(body, usize::MAX).await else {
        // A body in memory is always read.
        return Response::from_parts(head, Body::empty());
    };
    if plain.len() <= SMALL {
        return Response::from_parts(head, Body::from(plain));
    }
    let Some(gzip) = gzip(&plain) else {
        return Response::from_parts(head, Body::from(plain));
    };
    head.headers.remove(CONTENT_LENGTH);
    head.headers
        .insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    Response::from_parts(head, Body::from(gzip))
}

fn gzip(plain: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(plain).ok()?;
    encoder.finish().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_taken_where_its_weight_is_over_0() {
        let takes = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(ACCEPT_ENCODING, HeaderValue::from_static(value));
            }
            takes_gzip(&headers)
        };
        for yes in [
            "gzip",
            "GZip",
            "x-gzip",
            "br, gzip",
            "deflate,gzip;q=0.5",
            "gzip; Q=0.001",
            "*",
            "identity;q=0, *;q=0.1",
        ] {
            assert!(takes(&[yes]), "{yes}");
        }
        for no in [
            "",
            "br",
            "gzip;q=0",
            "gzip;q=0.000",
            "gzip;q=x",
            "*, gzip;q=0",
            "*;q=0",
            "gzipped",
            "identity",
        ] {
            assert!(!takes(&[no]), "{no}");
        }
        assert!(takes(&["br", "gzip"]));
        assert!(!takes(&[]));
    }

    #[test]
    fn a_tag_is_found_among_others() {
        let named = |values: &[&'static str]| {
            let known: Vec<_> = values
                .iter()
                .map(|value| HeaderValue::from_static(value))
                .collect();
            names(&known, b"W/\"ab\"")
        };
        for yes in [
            "W/\"ab\"",
            "\"ab\"",
            "\"x\", W/\"ab\"",
            "*",
            "\"x\",\"ab\" ,\"y\"",
        ] {
            assert!(named(&[yes]), "{yes}");
        }
        assert!(named(&["\"x\"", "\"ab\""]));
        for no in ["", "ab", "\"a\"", "\"abc\"", "w/\"ab\"", "\"x\" \"ab\""] {
            assert!(!named(&[no]), "{no}");
        }
        assert!(!named(&[]));
    }

    #[test]
    fn what_is_compressed_is_what_there_was() {
        let plain = b"sealroom ".repeat(1000);
        let gzip = gzip(&plain).unwrap();
        assert!(gzip.len() < plain.len() / 10);
        let mut decoder = flate2::write::GzDecoder::new(Vec::new());
        decoder.write_all(&gzip).unwrap();
        assert_eq!(decoder.finish().unwrap(), plain);
    }
}
