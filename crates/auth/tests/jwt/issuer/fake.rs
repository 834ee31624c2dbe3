//! An issuer that a test plays.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use parking_lot::Mutex;
use sealroom_auth::{
    ClaimRules, FetchError, FetchJwks, FetchedJwks, IssuerKeys, IssuerOptions, JwtVerifier, Keys,
    VerifierOptions,
};
use sealroom_domain::{Principal, Timestamp, ports::TokenError, ports::TokenVerifier};
use sealroom_testkit::memory::FixedClock;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::support::{NOW, word};

/// What the issuer answers from now on.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    Keys(Vec<Value>),
    KeysFor(Vec<Value>, Duration),
    Text(Vec<u8>),
    Status(u16),
    Down,
    /// Keys, after this time.
    Slow(Duration, Vec<Value>),
}

#[derive(Debug, Clone)]
pub(crate) struct FakeIssuer(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    answer: Answer,
    fetches: Vec<Instant>,
}

impl FakeIssuer {
    pub(crate) fn new(answer: Answer) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            answer,
            fetches: Vec::new(),
        })))
    }

    pub(crate) fn publish(keys: impl IntoIterator<Item = Value>) -> Self {
        Self::new(Answer::Keys(keys.into_iter().collect()))
    }

    pub(crate) fn answers(&self, answer: Answer) {
        self.0.lock().answer = answer;
    }

    pub(crate) fn lists(&self, keys: impl IntoIterator<Item = Value>) {
        self.answers(Answer::Keys(keys.into_iter().collect()));
    }

    /// How often it was asked.
    pub(crate) fn asked(&self) -> usize {
        self.0.lock().fetches.len()
    }

    /// When it was asked.
    pub(crate) fn fetches(&self) -> Vec<Instant> {
        self.0.lock().fetches.clone()
    }

    /// How many hold it, this test included.
    pub(crate) fn holders(&self) -> usize {
        Arc::strong_count(&self.0)
    }

    pub(crate) fn keys(&self) -> IssuerKeys {
        IssuerKeys::start(self.clone(), &IssuerOptions::default())
    }

    pub(crate) fn verifier(&self) -> JwtVerifier {
        verifier_of(self.keys().into())
    }

    /// A verifier that has fetched the keys.
    pub(crate) async fn ready(&self) -> JwtVerifier {
        let verifier = self.verifier();
        sleep(Duration::from_millis(1)).await;
        assert_eq!(self.asked(), 1);
        verifier
    }
}

#[async_trait]
impl FetchJwks for FakeIssuer {
    async fn fetch(&self) -> Result<FetchedJwks, FetchError> {
        let answer = {
            let mut inner = self.0.lock();
            inner.fetches.push(Instant::now());
            inner.answer.clone()
        };
        let (body, max_age) = match answer {
            Answer::Keys(keys) => (set(&keys), None),
            Answer::KeysFor(keys, max_age) => (set(&keys), Some(max_age)),
            Answer::Text(text) => (text, None),
            Answer::Status(status) => return Err(FetchError::Status { status }),
            Answer::Down => {
                return Err(FetchError::Failed {
                    source: "connection refused".into(),
                });
            }
            Answer::Slow(time, keys) => {
                sleep(time).await;
                (set(&keys), None)
            }
        };
        Ok(FetchedJwks { body, max_age })
    }
}

pub(crate) fn set(keys: &[Value]) -> Vec<u8> {
    json!({ "keys": keys }).to_string().into_bytes()
}

pub(crate) fn verifier_of(keys: Keys) -> JwtVerifier {
    JwtVerifier::new(VerifierOptions {
        keys,
        claims: ClaimRules::default(),
        clock: Arc::new(FixedClock::new(Timestamp::from_secs(NOW))),
    })
    .unwrap()
}

/// The verdict in a word, however long it takes.
pub(crate) async fn verdict(verifier: &JwtVerifier, token: &str) -> &'static str {
    let verdict: Result<Principal, TokenError> = verifier.verify(token).await;
    word(&verdict)
}

pub(crate) async fn seconds(seconds: u64) {
    sleep(Duration::from_secs(seconds)).await;
}
