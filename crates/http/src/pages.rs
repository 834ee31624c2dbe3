//! The pages for people: `/`, and the documentation. They load nothing from anywhere else.

use axum::{
    Router,
    body::Bytes,
    http::{HeaderValue, header::CONTENT_SECURITY_POLICY},
    response::{Html, IntoResponse, Response},
    routing::get,
};

use crate::conditional::kept;

/// The page of the documentation runs its own script, and nothing else.
const DOCS_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'",
);

/// Says what is running here to whoever opens it in a browser.
pub(crate) fn front() -> Router {
    Router::new().route("/", get(async || Html(include_str!("docs/index.html"))))
}

/// The document, and the page that shows it.
pub(crate) fn docs() -> Router {
    let document = Bytes::from(crate::openapi());
    let html = "text/html; charset=utf-8";
    let script = "text/javascript; charset=utf-8";
    Router::new()
        .route(
            "/openapi.json",
            get(async move || kept("application/json", document)),
        )
        .route("/docs", get(async || page(html, include_str!("docs/docs.html"))))
        .route(
            "/docs/docs.css",
            get(async || page("text/css; charset=utf-8", include_str!("docs/docs.css"))),
        )
        .route(
            "/docs/docs.js",
            get(async || page(script, include_str!("docs/docs.js"))),
        )
}

fn page(content_type: &'static str, text: &'static str) -> Response {
    let policy = [(CONTENT_SECURITY_POLICY, DOCS_POLICY)];
    (policy, kept(content_type, text)).into_response()
}
