//! The way to the receiver.

use std::{error::Error, fmt, fmt::Write as _, time::Duration};

use async_trait::async_trait;
use sealroom_domain::{Timestamp, ports::BoxError};

/// Hands one request to the receiver and says what it answered.
///
/// Contract: a request that returns an error may have arrived or not. The call is abandoned where it takes too long; it
/// repeats nothing by itself and follows no redirect.
#[async_trait]
pub trait Post: fmt::Debug + Send + Sync {
    /// Posts the request once.
    async fn post(&self, request: &SignedRequest) -> Result<Answer, PostError>;
}

/// One attempt to tell of one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedRequest {
    /// `webhook-id`: the same for each attempt of one event.
    pub id: String,
    /// `webhook-timestamp`: when this attempt was made, in whole seconds since 1970.
    pub timestamp: i64,
    /// `webhook-signature`: one signature for each secret, separated by spaces.
    pub signature: String,
    /// The JSON text, exactly as it was signed.
    pub body: Vec<u8>,
}

/// What the receiver answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status; 200 to 299 is acceptance.
    pub status: u16,
    /// `Retry-After`, where there was one that can be read.
    pub retry_after: Option<RetryAfter>,
}

/// When a receiver would like to be asked again (RFC 9110, section 10.2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryAfter {
    /// After so long.
    Delay(Duration),
    /// At this moment.
    At(Timestamp),
}

/// There was no answer.
#[derive(Debug, thiserror::Error)]
#[error("the webhook receiver did not answer")]
pub struct PostError {
    /// What happened; never with the address, which may hold a secret.
    pub source: BoxError,
}

impl PostError {
    /// From any source.
    pub fn new(source: impl Into<BoxError>) -> Self {
        Self {
            source: source.into(),
        }
    }
}

impl RetryAfter {
    /// Reads the header's value: seconds, or a date.
    pub fn parse(value: &str) -> Option<Self> {
        let value = value.trim();
        if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
            // More seconds than a number can hold are for ever.
            return Some(Self::Delay(Duration::from_secs(
                value.parse().unwrap_or(u64::MAX),
            )));
        }
        let zoned = jiff::fmt::rfc2822::parse(value).ok()?;
        Some(Self::At(Timestamp::from_secs(zoned.timestamp().as_second())))
    }

    /// How long that is from now.
    pub(crate) fn from(self, now: Timestamp) -> Duration {
        match self {
            Self::Delay(delay) => delay,
            Self::At(at) => {
                let micros = at.as_micros().saturating_sub(now.as_micros());
                Duration::from_micros(u64::try_from(micros).unwrap_or(0))
            }
        }
    }
}

/// An error with its sources, outermost first.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        // Writing to a `String` cannot fail.
        let _ = write!(text, ": {error}");
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after() {
        let now = Timestamp::from_secs(784_111_777);
        for (value, expected) in [
            ("0", Some(0)),
            ("120", Some(120)),
            (" 7 ", Some(7)),
            ("99999999999999999999999999", Some(u64::MAX)),
            ("Sun, 06 Nov 1994 08:50:37 GMT", Some(60)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("", None),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
        ] {
            let delay = RetryAfter::parse(value).map(|after| after.from(now));
            assert_eq!(delay, expected.map(Duration::from_secs), "{value}");
        }
    }
}
