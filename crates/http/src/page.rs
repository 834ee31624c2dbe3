//! The page at `/`.

use axum::response::Html;

/// Says what is running here to whoever opens it in a browser.
pub(crate) async fn page() -> Html<&'static str> {
    Html(include_str!("page.html"))
}
