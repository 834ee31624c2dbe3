//! The keys of an issuer, fetched and refreshed.

mod fetch;
mod http;
mod refresher;
mod schedule;

use std::{fmt, sync::Arc, time::Duration};

use sealroom_domain::ports::TokenError;
use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
    time::{Instant, timeout_at},
};

use crate::{KeySet, token::Token};

pub use fetch::{FetchError, FetchJwks, FetchedJwks};
pub use http::HttpJwks;

use refresher::Refresher;

/// How long a fetch may take, whoever does it: 5 s.
pub const FETCH_LIMIT: Duration = Duration::from_secs(5);

/// When an issuer's keys are fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerOptions {
    /// How often, where the issuer does not say how long its keys are good (`Cache-Control: max-age`). What it says
    /// counts from 1 minute to 1 hour; these bounds move where this is outside of them. At least 1 s. 5 minutes.
    pub refresh_every: Duration,
    /// The shortest time between two fetches ahead of time, which tokens with an unknown `kid` cause. 10 s.
    pub ask_at_most_every: Duration,
    /// How long the verification of such a token waits for the fetch. 2 s.
    pub wait_at_most: Duration,
}

impl Default for IssuerOptions {
    fn default() -> Self {
        Self {
            refresh_every: Duration::from_mins(5),
            ask_at_most_every: Duration::from_secs(10),
            wait_at_most: Duration::from_secs(2),
        }
    }
}

/// The keys that an issuer publishes as a JWK set, refreshed for as long as this lives.
///
/// - They are fetched at once, and then as [`IssuerOptions`] say. A fetch that failed is repeated after 1 s, then after
///   twice the time each time, up to 1 minute.
/// - The last set that was fetched stands until the next one, however long the issuer is down. A key that the next
///   one does not list is gone with it.
/// - A token with a `kid` that the set does not list causes a fetch ahead of time, within the limit of
///   [`IssuerOptions::ask_at_most_every`], and waits for it. Within the limit the last set decides, unless the last
///   fetch failed: then the token is [`TokenError::Unavailable`], which a client tries again.
/// - Before any set was fetched, every token that depends on it is [`TokenError::Unavailable`].
///
/// Tokens whose keys are known never wait, for a fetch or for each other.
pub struct IssuerKeys {
    state: watch::Receiver<State>,
    wanted: Arc<Notify>,
    wait_at_most: Duration,
    /// Ends the task when it is dropped.
    _refresher: JoinSet<()>,
}

/// What verifications see of the refresher.
#[derive(Debug, Clone)]
struct State {
    keys: Option<Arc<KeySet>>,
    phase: Phase,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    Fetching,
    Idle {
        /// The last fetch failed.
        failed: bool,
        /// From when on an unknown `kid` may cause a fetch.
        ask_from: Instant,
    },
}

impl IssuerKeys {
    /// Begins to fetch, in a task of its own, which ends when this is dropped. Must be called within a tokio runtime.
    pub fn start(fetch: impl FetchJwks + 'static, options: &IssuerOptions) -> Self {
        let (publish, state) = watch::channel(State {
            keys: None,
            phase: Phase::Fetching,
        });
        let wanted = Arc::new(Notify::new());
        let refresher = Refresher::new(fetch, options.clone(), publish, Arc::clone(&wanted));
        let mut task = JoinSet::new();
        task.spawn(refresher.run());
        Self {
            state,
            wanted,
            wait_at_most: options.wait_at_most,
            _refresher: task,
        }
    }

    /// Whether a set was ever fetched.
    pub fn is_ready(&self) -> bool {
        self.state.borrow().keys.is_some()
    }

    /// Whether one of the keys signed this token. Waits only where the keys at hand cannot tell.
    pub(crate) async fn signed(&self, token: &Token<'_>) -> Result<bool, TokenError> {
        let deadline = Instant::now() + self.wait_at_most;
        let mut changes = self.state.clone();
        loop {
            let State { keys, phase } = changes.borrow_and_update().clone();
            if let Some(keys) = &keys {
                let candidates = keys.select(token.header.algorithm, token.header.kid.as_deref());
                if !candidates.is_empty() || token.header.kid.is_none() {
                    return Ok(token.is_signed_by_one_of(candidates));
                }
            }
            if let Phase::Idle { failed, ask_from } = phase {
                if Instant::now() < ask_from {
                    return if failed || keys.is_none() {
                        Err(undecided())
                    } else {
                        Ok(false)
                    };
                }
                self.wanted.notify_one();
            }
            match timeout_at(deadline, changes.changed()).await {
                Ok(Ok(())) => {}
                _ => return Err(undecided()),
            }
        }
    }
}

fn undecided() -> TokenError {
    TokenError::Unavailable {
        source: "the issuer's keys could not be fetched".into(),
    }
}

impl fmt::Debug for IssuerKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuerKeys")
            .field("state", &*self.state.borrow())
            .finish_non_exhaustive()
    }
}
