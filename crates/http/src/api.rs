//! The paths under `/api/v1`.

use std::{
    fmt::Write as _,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{Router, http::HeaderValue, middleware, routing::any};
use parking_lot::Mutex;
use sealroom_domain::{
    ErrorCode, Extra, Refusal,
    ports::{TokenError, TokenVerifier},
};
use sealroom_engine::{AccountService, Chat};
use tokio::time::{Duration, Instant};

use crate::{
    HttpOptions, guards,
    openapi::Routes,
    problem,
    routes::{auth, groups, log, me, members, users},
};

/// What every handler works on.
#[derive(Debug)]
pub(crate) struct Api {
    pub(crate) chat: Arc<Chat>,
    pub(crate) verifier: Arc<dyn TokenVerifier>,
    accounts: Option<Arc<AccountService>>,
    pub(crate) options: HttpOptions,
    request_ids: AtomicU64,
    last_unverified: Mutex<Option<Instant>>,
}

impl Api {
    /// While keys cannot be had every request fails: one line a second tells it.
    const UNVERIFIED_LOG_INTERVAL: Duration = Duration::from_secs(1);

    pub(crate) fn new(
        chat: Arc<Chat>,
        verifier: Arc<dyn TokenVerifier>,
        accounts: Option<Arc<AccountService>>,
        options: HttpOptions,
    ) -> Arc<Self> {
        Arc::new(Self {
            chat,
            verifier,
            accounts,
            options,
            request_ids: AtomicU64::new(0),
            last_unverified: Mutex::new(None),
        })
    }

    /// The built-in accounts; `not_found` where there are none.
    pub(crate) fn accounts(&self) -> Result<&AccountService, Refusal> {
        self.accounts.as_deref().ok_or(ErrorCode::NotFound.into())
    }

    /// The refusal of a token.
    pub(crate) fn unverified(&self, error: &TokenError) -> Refusal {
        let TokenError::Unavailable { .. } = error else {
            return error.code().into();
        };
        let now = Instant::now();
        let last = self.last_unverified.lock().replace(now);
        if last.is_none_or(|last| now.duration_since(last) >= Self::UNVERIFIED_LOG_INTERVAL) {
            tracing::warn!(cause = %chain(error), "tokens cannot be verified");
        }
        Refusal::unavailable()
    }

    /// The refusal for a defect in this crate, which the log names by the same id.
    pub(crate) fn defect(&self, what: &'static str) -> Refusal {
        let request_id = self.new_id();
        tracing::error!(request_id, what, "request failed");
        Refusal::new(ErrorCode::Internal).with(Extra::RequestId(request_id.into()))
    }

    /// The id of a request that has none of its own.
    pub(crate) fn new_request_id(&self) -> HeaderValue {
        // Digits and a hyphen are always a header's value.
        HeaderValue::from_str(&self.new_id()).unwrap_or(HeaderValue::from_static("unknown"))
    }

    /// Unique in this process, and but for chance in all.
    fn new_id(&self) -> String {
        let number = self.request_ids.fetch_add(1, Ordering::Relaxed);
        format!("{:x}-http-{number:x}", self.chat.clock().now().as_micros())
    }
}

/// Every route under [`crate::openapi::API`], with what is said of it.
pub(crate) fn declared() -> Routes<Arc<Api>> {
    me::routes()
        .merge(auth::routes())
        .merge(groups::routes())
        .merge(members::routes())
        .merge(log::routes())
        .merge(users::routes())
}

/// All routes under `/api`, with their time limit.
pub(crate) fn routes(api: &Arc<Api>) -> Router {
    declared()
        .into_router()
        .method_not_allowed_fallback(problem::method_not_allowed)
        .route("/api/{*rest}", any(problem::not_found))
        .layer(middleware::from_fn_with_state(api.clone(), guards::time_limit))
        .with_state(api.clone())
}

/// An error with its sources, outermost first.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        // Writing to a `String` cannot fail.
        let _ = write!(text, ": {error}");
        source = error.source();
    }
    text
}
