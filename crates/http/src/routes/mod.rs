//! The handlers, one file for each resource.

pub(crate) mod groups;
pub(crate) mod log;
pub(crate) mod me;
pub(crate) mod members;
pub(crate) mod users;

use axum::{
    Json,
    response::{IntoResponse as _, Response},
};
use serde::Serialize;

use crate::problem::Problem;

/// What a handler answers with.
type Answer = Result<Response, Problem>;

/// 200 with this object.
fn json(body: impl Serialize) -> Response {
    Json(body).into_response()
}
