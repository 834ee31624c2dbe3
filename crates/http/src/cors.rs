//! What browsers ask before they let a page of another origin read answers.
//!
//! With the default origins there is nothing to say: pages of this server need no permission and others get none. No
//! answer allows credentials; tokens travel in a header that only a page's own code can set.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{
        HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
        header::{
            ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
            ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, HOST,
            ORIGIN, VARY,
        },
    },
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use sealroom_wire::Origin;

use crate::api::Api;

/// What an allowed page may send.
const PREFLIGHT: [(HeaderName, HeaderValue); 3] = [
    (
        ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE"),
    ),
    (
        ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("Authorization, Content-Type, Idempotency-Key, If-None-Match, X-Request-Id"),
    ),
    // Two hours, the longest that browsers take.
    (ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("7200")),
];

/// What an allowed page may read besides the body.
const EXPOSED: HeaderValue = HeaderValue::from_static("Link, ETag, Retry-After, Location, X-Request-Id");

/// Answers preflights of allowed pages, and lets these pages read the answers to their requests. A page that is not
/// allowed is served like any client: it is the browser that keeps the answer from it.
pub(crate) async fn layer(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    let allowed = &api.options.allowed_origins;
    if !allowed.vary() {
        return next.run(request).await;
    }
    let headers = request.headers();
    let origins = headers.get_all(ORIGIN).iter().map(HeaderValue::as_bytes);
    let host = headers.get(HOST).map(HeaderValue::as_bytes);
    let origin = match allowed.decide(origins, host) {
        // As it came, so that it is the same text.
        Origin::Listed(_) => headers.get(ORIGIN).cloned(),
        _ => None,
    };
    let is_preflight =
        request.method() == Method::OPTIONS && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if is_preflight && origin.is_some() {
        let mut response = StatusCode::NO_CONTENT.into_response();
        response.headers_mut().extend(PREFLIGHT);
        response
    } else {
        next.run(request).await
    };
    allow(response.headers_mut(), origin);
    response
}

fn allow(headers: &mut HeaderMap, origin: Option<HeaderValue>) {
    headers.append(VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = origin {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    }
}
