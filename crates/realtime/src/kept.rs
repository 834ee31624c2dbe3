//! What is kept of the request that opens a session.

use std::sync::Arc;

use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Request, header};
use hyper::upgrade::OnUpgrade;
use sealroom_wire::ClientAddress;

use crate::ConnectionRef;

/// The token of the `Authorization` header, kept for the CONNECT that follows.
#[derive(Clone)]
pub(crate) struct BearerToken(pub(crate) Arc<str>);

/// Copies what Socket.IO reads of a request. It keeps the head for as long as the socket lives: as it came, that
/// would pin the connection's read buffer, and with it tokens and cookies.
pub(crate) fn slim<B>(request: Request<B>) -> Request<B> {
    const KEPT: [HeaderName; 6] = [
        header::CONNECTION,
        header::UPGRADE,
        header::SEC_WEBSOCKET_KEY,
        header::SEC_WEBSOCKET_VERSION,
        header::CONTENT_TYPE,
        header::CONTENT_LENGTH,
    ];
    let (mut head, body) = request.into_parts();
    let mut headers = HeaderMap::new();
    for name in KEPT {
        if let Some(value) = head
            .headers
            .get(&name)
            .and_then(|value| HeaderValue::from_bytes(value.as_bytes()).ok())
        {
            headers.insert(name, value);
        }
    }
    let token = bearer(&head.headers);
    head.headers = headers;
    // Among what others put here is the URI as it came.
    let mut all = std::mem::take(&mut head.extensions);
    let kept = &mut head.extensions;
    keep::<OnUpgrade>(&mut all, kept);
    keep::<ConnectionRef>(&mut all, kept);
    keep::<ClientAddress>(&mut all, kept);
    if let Some(token) = token {
        kept.insert(token);
    }
    if let Ok(uri) = head.uri.to_string().parse() {
        head.uri = uri;
    }
    Request::from_parts(head, body)
}

fn keep<T: Clone + Send + Sync + 'static>(from: &mut Extensions, to: &mut Extensions) {
    if let Some(kept) = from.remove::<T>() {
        to.insert(kept);
    }
}

/// The token of the one `Authorization` header. Of several no token is right, which an empty one tells.
fn bearer(headers: &HeaderMap) -> Option<BearerToken> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next()?;
    if values.next().is_some() {
        return Some(BearerToken(Arc::from("")));
    }
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then(|| BearerToken(Arc::from(token)))
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, header};

    use super::bearer;

    #[test]
    fn the_token_is_that_of_the_one_authorization_header() {
        for (values, token) in [
            (&[][..], None),
            (&["Bearer a.b.c"], Some("a.b.c")),
            (&["bearer  a.b.c "], Some("a.b.c")),
            (&["Basic a.b.c"], None),
            (&["Bearer"], None),
            (&["Bearer "], None),
            (&["a.b.c"], None),
            (&["Bearer \u{e9}"], None),
            // Nobody may choose which of two is looked at: an empty token is wrong, and no token at all is another answer.
            (&["Bearer a.b.c", "Bearer a.b.c"], Some("")),
            (&["Basic x", "Bearer a.b.c"], Some("")),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(
                    header::AUTHORIZATION,
                    HeaderValue::from_bytes(value.as_bytes()).unwrap(),
                );
            }
            assert_eq!(
                bearer(&headers).map(|token| token.0.to_string()).as_deref(),
                token,
                "{values:?}"
            );
        }
    }
}
