//! Requests as inputs write them.

use axum::body::Body;
use http::{HeaderName, HeaderValue, Method, Request, Uri, header};

use crate::oracle::first_line;

/// `METHOD REST`, of which the method can be one.
pub(crate) fn method_and_rest(line: &[u8]) -> Option<(Method, &[u8])> {
    let space = line.iter().position(|byte| *byte == b' ')?;
    let (method, rest) = line.split_at_checked(space)?;
    Some((Method::from_bytes(method).ok()?, rest.strip_prefix(b" ")?))
}

/// An address of which an input writes the rest, where it can come over the wire.
pub(crate) fn uri(prefix: &str, rest: &[u8]) -> Option<Uri> {
    let target = [prefix.as_bytes(), rest].concat();
    // A fragment never comes over the wire.
    if target.contains(&b'#') {
        return None;
    }
    let path = prefix.split('?').next()?;
    Uri::try_from(target)
        .ok()
        .filter(|uri| uri.path().starts_with(path))
}

/// A request with JSON, by the owner of a token.
pub(crate) fn json(method: &Method, uri: Uri, caller: &str, body: &[u8]) -> Request<Body> {
    Request::builder()
        .method(method)
        .uri(uri)
        .header(header::AUTHORIZATION, format!("Bearer {caller}"))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body.to_vec()))
        .expect("a good request")
}

/// A request with a header on each line, and behind an empty line its body.
pub(crate) fn with_headers(method: &Method, uri: Uri, mut rest: &[u8]) -> Option<Request<Body>> {
    let mut request = Request::builder().method(method).uri(uri);
    while !rest.is_empty() {
        let (line, next) = first_line(rest);
        rest = next;
        if line.is_empty() {
            break;
        }
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = line.split_at_checked(colon)?;
        let name = HeaderName::from_bytes(name).ok()?;
        let value = HeaderValue::from_bytes(value.strip_prefix(b":")?.trim_ascii()).ok()?;
        request = request.header(name, value);
    }
    request.body(Body::from(rest.to_vec())).ok()
}
