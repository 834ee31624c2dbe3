//! What surrounds every request.

use std::{any::Any, sync::Arc};

use axum::{
    Router,
    extract::{Request, State},
    http::{
        HeaderName, HeaderValue,
        header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, X_CONTENT_TYPE_OPTIONS},
    },
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use sealroom_domain::Refusal;
use tower_http::{catch_panic::CatchPanicLayer, set_header::SetResponseHeaderLayer};

use crate::{api::Api, conditional, cors, metrics, problem::Problem, request_id};

/// Answers never stand in a cache but where they say so, are never taken for another type, and load nothing into a
/// browser.
const HEADERS: [(HeaderName, HeaderValue); 3] = [
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    ),
];

/// From the inside out: a panic in a handler becomes `internal`; what may be kept is not sent twice; pages of other
/// origins hear what they may; every answer gets the headers, and the request's id, which the log has too.
pub(crate) fn surround(routes: Router, api: &Arc<Api>) -> Router {
    let defects = api.clone();
    // What a panic says may hold what a client sent, so it is not logged here; the process's panic hook tells where it
    // was.
    let panicked =
        move |_: Box<dyn Any + Send>| Problem::from(defects.defect("a handler panicked")).into_response();
    metrics::describe();
    let routes = routes
        .layer(CatchPanicLayer::custom(panicked))
        // Outside the panics, so that they are counted as what they are answered with.
        .layer(middleware::from_fn(metrics::measure))
        .layer(middleware::from_fn(conditional::layer))
        .layer(middleware::from_fn_with_state(api.clone(), cors::layer));
    HEADERS
        .into_iter()
        .fold(routes, |routes, (name, value)| {
            routes.layer(SetResponseHeaderLayer::if_not_present(name, value))
        })
        .layer(middleware::from_fn_with_state(api.clone(), request_id::layer))
}

/// Gives up a request that takes too long, its reading included. What it has changed by then stays; what it was about
/// to change may still happen.
pub(crate) async fn time_limit(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    match tokio::time::timeout(api.options.timeout, next.run(request)).await {
        Ok(response) => response,
        Err(_elapsed) => Problem::from(Refusal::unavailable()).into_response(),
    }
}
