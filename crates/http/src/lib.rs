//! The REST routes under `/api/v1`, and the few outside.
//!
//! A handler reads the request strictly, asks [`Chat`], and writes the answer; it decides nothing. Who asks comes from
//! the verified token alone. A refusal is a problem document (RFC 9457) with the `code` that the Socket.IO acks use.
//!
//! | file | holds |
//! |---|---|
//! | `caller.rs` | the token in the header, verified: the only source of an actor |
//! | `input/` | ids in paths, queries, bodies: what is read, and what is refused |
//! | `routes/` | one file for each resource |
//! | `problem.rs` | refusals as answers, with the one table of statuses |
//! | `guards.rs` | what surrounds every request: time limit, panics, headers |
//! | `metrics.rs` | what is counted |
//! | `probes.rs`, `page.rs` | what is outside `/api` |
//!
//! # Adding a route
//!
//! Write the handler in `routes/` with `Caller` as its first argument, so that a request without a
//! good token is refused before anything else of it is read. Name its path in `api.rs` with `{group_id}` or
//! `{user_id}`, and read these through `input::path`. Add its rows to the tables in `tests/`.
//!
//! This crate must never know SQL, the format of tokens, a bus or a file of settings.

mod api;
mod caller;
mod guards;
mod input;
mod metrics;
mod page;
mod probes;
mod problem;
mod routes;

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use axum::{Router, routing::get};
use sealroom_domain::ports::TokenVerifier;
use sealroom_engine::Chat;

use crate::{api::Api, probes::ReadinessGate};

/// Whether the server can do its work now.
#[async_trait]
pub trait Readiness: fmt::Debug + Send + Sync {
    /// Asks the store, and the bus where there is one. At most one check runs at a time, and an answer is used for
    /// [`READINESS_FRESH`]; one that takes longer than [`READINESS_LIMIT`] counts as `false` and is abandoned.
    async fn check(&self) -> bool;
}

/// How long an answer of [`Readiness::check`] is used: 250 ms from its question on.
pub const READINESS_FRESH: Duration = Duration::from_millis(250);

/// How long [`Readiness::check`] may take: 1 s.
pub const READINESS_LIMIT: Duration = Duration::from_secs(1);

/// What the routes work on.
#[derive(Debug, Clone)]
pub struct HttpParts {
    /// The use cases.
    pub chat: Arc<Chat>,
    /// Who a token speaks for.
    pub verifier: Arc<dyn TokenVerifier>,
    /// What `/readyz` asks.
    pub readiness: Arc<dyn Readiness>,
    /// How the routes behave.
    pub options: HttpOptions,
}

/// How the routes behave. The defaults are those of the documentation.
#[derive(Debug, Clone)]
pub struct HttpOptions {
    /// The most bytes of a request's body; past it the answer is `payload_too_large`. 128 KiB.
    pub body_limit: usize,
    /// From the head of a request under `/api` to its answer at most; past it the answer is `unavailable`. 15 s.
    pub timeout: Duration,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            body_limit: 128 * 1024,
            timeout: Duration::from_secs(15),
        }
    }
}

/// Everything that Sealroom serves over HTTP but Socket.IO: `/api/v1`, `/healthz`, `/readyz` and a page at `/`. Any
/// other path is a 404, so nothing can be merged in that has a fallback of its own; an application with routes of its
/// own takes [`api`].
pub fn router(parts: HttpParts) -> Router {
    let api = Api::new(parts.chat, parts.verifier, parts.options);
    let readiness = Arc::new(ReadinessGate::new(parts.readiness));
    let routes = Router::new()
        .route("/", get(page::page))
        .route("/healthz", get(probes::healthz))
        .route("/readyz", get(probes::readyz).with_state(readiness))
        .method_not_allowed_fallback(problem::method_not_allowed)
        .merge(api::routes(&api))
        .fallback(problem::not_found);
    guards::surround(routes, &api)
}

/// The routes under `/api` alone, to be merged into a router of the application's own. Unknown paths under `/api` are a
/// problem document; all others are left to the application. Where the router is nested, `Location` headers name the
/// path without the prefix.
pub fn api(chat: Arc<Chat>, verifier: Arc<dyn TokenVerifier>, options: HttpOptions) -> Router {
    let api = Api::new(chat, verifier, options);
    guards::surround(api::routes(&api), &api)
}
