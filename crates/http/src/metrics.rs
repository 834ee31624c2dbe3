//! What the routes count, through the facade of the crate `metrics`: without a recorder nothing happens.
//!
//! A request is known by its route's template, never by its path: ids are no labels.

use std::time::Instant;

use axum::{
    extract::{MatchedPath, Request},
    http::Method,
    middleware::Next,
    response::Response,
};
use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};
use sealroom_domain::ErrorCode;

/// Tells what the metrics are.
pub(crate) fn describe() {
    describe_counter!(
        "sealroom_http_requests_total",
        "HTTP requests outside Socket.IO, by route, method and status"
    );
    describe_histogram!(
        "sealroom_http_request_seconds",
        Unit::Seconds,
        "From the head of a request to the head of its answer, by route and method"
    );
    describe_counter!(
        "sealroom_refusals_total",
        "Requests that were refused, by transport and code"
    );
    for code in ErrorCode::ALL {
        counter!("sealroom_refusals_total", "transport" => "http", "code" => code.as_str()).increment(0);
    }
}

/// Measures a request. The handles are looked up each time, which a request does not feel.
pub(crate) async fn measure(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("none", MatchedPath::as_str).to_owned();
    let method = method(request.method());
    let begin = Instant::now();
    let response = next.run(request).await;
    histogram!("sealroom_http_request_seconds", "route" => route.clone(), "method" => method)
        .record(begin.elapsed());
    let status = response.status().as_str().to_owned();
    counter!("sealroom_http_requests_total", "route" => route, "method" => method, "status" => status)
        .increment(1);
    response
}

/// A request was refused.
pub(crate) fn refused(code: ErrorCode) {
    counter!("sealroom_refusals_total", "transport" => "http", "code" => code.as_str()).increment(1);
}

/// One of a few words: a client may write any method.
fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
