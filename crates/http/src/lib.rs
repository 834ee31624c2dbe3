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
//! | `answer.rs`, `problem.rs` | what is answered where all is well; refusals, with the one table of statuses |
//! | `openapi/` | routes and the document that describes them, from one declaration |
//! | `guards.rs` | what surrounds every request: time limit, panics, headers |
//! | `request_id.rs`, `cors.rs`, `conditional.rs`, `links.rs` | request ids, other origins, `ETag` and gzip, `Link` |
//! | `metrics.rs` | what is counted |
//! | `probes.rs`, `pages.rs` | what is outside `/api`; `/docs` |
//!
//! # Adding a route
//!
//! 1. Write the handler in `routes/` with `Caller` as its first argument, so that a request without a good token is
//!    refused before anything else of it is read. Read ids of the path through `input::path`, queries through
//!    `input::query`, a body through `Body<T>` or `OptionalBody<T>` of a `T` that `input::fields::body!` declares.
//! 2. Answer with a type of `answer.rs`, around an object that derives `Serialize` and `ToSchema`.
//! 3. Name it in `routes()` of its file with its `Words`: they ask for the codes that its use case refuses with.
//! 4. `SEALROOM_RENEW_OPENAPI=1 cargo test -p sealroom-http openapi` writes docs/openapi.json anew.
//! 5. The rows of `tests/http/every_route` are taken from the document, and every answer in the tests is held
//!    against it; add those that are the route's own, and the route to docs/PROTOCOL.md.
//!
//! This crate must never know SQL, the format of tokens, a bus or a file of settings.

mod answer;
mod api;
mod caller;
mod conditional;
mod cors;
mod guards;
mod input;
mod links;
mod metrics;
mod openapi;
mod pages;
mod probes;
mod problem;
mod request_id;
mod routes;

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use axum::Router;
use sealroom_domain::ports::TokenVerifier;
use sealroom_engine::{AccountService, Chat};
pub use sealroom_wire::AllowedOrigins;

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
    /// The built-in accounts; `None` where there are none, and their routes are `not_found`.
    pub accounts: Option<Arc<AccountService>>,
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
    /// Web pages of other origins that may read answers. None.
    pub allowed_origins: AllowedOrigins,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            body_limit: 128 * 1024,
            timeout: Duration::from_secs(15),
            allowed_origins: AllowedOrigins::default(),
        }
    }
}

/// Everything that Sealroom serves over HTTP but Socket.IO: `/api/v1`, its documentation at `/openapi.json` and `/docs`,
/// `/healthz`, `/readyz` and a page at `/`. Any
/// other path is a 404, so nothing can be merged in that has a fallback of its own; an application with routes of its
/// own takes [`api`].
pub fn router(parts: HttpParts) -> Router {
    let api = Api::new(parts.chat, parts.verifier, parts.accounts, parts.options);
    let readiness = Arc::new(ReadinessGate::new(parts.readiness));
    let routes = pages::front()
        .merge(pages::docs())
        .merge(probes::routes().into_router().with_state(readiness))
        .method_not_allowed_fallback(problem::method_not_allowed)
        .merge(api::routes(&api))
        .fallback(problem::not_found);
    guards::surround(routes, &api)
}

/// The OpenAPI 3.1 document of all routes, as `/openapi.json` serves it.
pub fn openapi() -> String {
    let said = api::declared().into_said();
    openapi::document(&said.merge(probes::routes().into_said()))
}

/// The routes under `/api` alone, to be merged into a router of the application's own. Unknown paths under `/api` are a
/// problem document; all others are left to the application. Where the router is nested, `Location` headers name the
/// path without the prefix.
pub fn api(chat: Arc<Chat>, verifier: Arc<dyn TokenVerifier>, options: HttpOptions) -> Router {
    let api = Api::new(chat, verifier, None, options);
    guards::surround(api::routes(&api), &api)
}
