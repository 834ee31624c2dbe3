//! What a client is told when a request is refused.

use std::{fmt, sync::Arc, time::Duration};

use crate::{KeyEpoch, Seq};

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $text:literal, retryable: $retryable:literal;)+) => {
        /// The stable codes of refusals. They are API: never renamed, never reused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorCode {
            $($(#[$doc])* $variant,)+
        }

        impl ErrorCode {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The code on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code),+ }
            }

            /// The text for people. It never holds anything but these words.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// Whether the same request may succeed later.
            pub const fn retryable(self) -> bool {
                match self { $(Self::$variant => $retryable),+ }
            }
        }
    };
}

codes! {
    /// The request's shape or a value is wrong.
    InvalidData = "invalid_data", "Invalid data", retryable: false;
    /// Not a member, or no such group: the two are the same to an outsider.
    NotAMember = "not_a_member", "Not a member of this group", retryable: false;
    /// The role or scope does not allow it.
    Forbidden = "forbidden", "Not allowed", retryable: false;
    /// What the request names is not there.
    NotFound = "not_found", "Not found", retryable: false;
    /// The request contradicts the present state.
    Conflict = "conflict", "Conflict", retryable: false;
    /// The content is over the limit.
    PayloadTooLarge = "payload_too_large", "Message too large", retryable: false;
    /// Too many requests for now.
    RateLimited = "rate_limited", "Too many requests", retryable: true;
    /// A limit that does not pass by waiting.
    LimitExceeded = "limit_exceeded", "Limit reached", retryable: false;
    /// The `client_message_id` names another message.
    IdempotencyConflict = "idempotency_conflict", "client_message_id was used for another message", retryable: false;
    /// The entries asked for are gone.
    HistoryTrimmed = "history_trimmed", "History was trimmed", retryable: false;
    /// No token anywhere.
    TokenMissing = "token_missing", "Token missing", retryable: false;
    /// The token cannot be accepted.
    TokenInvalid = "token_invalid", "Token invalid", retryable: false;
    /// The token's time is over.
    TokenExpired = "token_expired", "Token expired", retryable: false;
    /// The token was revoked.
    TokenRevoked = "token_revoked", "Token revoked", retryable: false;
    /// No such name, or another password: which of the two is not told.
    LoginFailed = "login_failed", "Login failed", retryable: false;
    /// The user has as many sockets as are allowed.
    TooManyConnections = "too_many_connections", "Too many connections", retryable: false;
    /// No such event.
    UnknownEvent = "unknown_event", "Unknown event", retryable: false;
    /// The store or a queue cannot take it now.
    Unavailable = "unavailable", "Temporarily unavailable", retryable: true;
    /// The server is going down.
    ShuttingDown = "shutting_down", "Server is shutting down", retryable: true;
    /// A defect; the log has the cause under the request id.
    Internal = "internal", "Internal error", retryable: true;
}

/// A refused request: a code and at most one further fact. Holds nothing that the client may not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The code.
    pub code: ErrorCode,
    /// The text for people, where it says more than [`ErrorCode::text`].
    pub text: Option<&'static str>,
    /// What goes with the code.
    pub extra: Option<Extra>,
}

/// What goes with a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Extra {
    /// The key at fault.
    Field(&'static str),
    /// The most bytes that are allowed.
    LimitBytes(usize),
    /// The number that is allowed.
    Limit(usize),
    /// When to try again.
    RetryAfter(Duration),
    /// The first entry that is still there.
    FirstSeq(Seq),
    /// The group's key epoch.
    KeyEpoch(KeyEpoch),
    /// Under which the log has the cause.
    RequestId(Arc<str>),
}

impl Refusal {
    /// How long a client waits before it tries an `unavailable` server again.
    pub const RETRY_AFTER: Duration = Duration::from_secs(1);

    /// A refusal with nothing but its code.
    pub const fn new(code: ErrorCode) -> Self {
        Self {
            code,
            text: None,
            extra: None,
        }
    }

    /// `invalid_data`, with the key at fault.
    pub const fn invalid(field: &'static str) -> Self {
        Self {
            code: ErrorCode::InvalidData,
            text: None,
            extra: Some(Extra::Field(field)),
        }
    }

    /// `conflict`, with what is in the way.
    pub const fn conflict(text: &'static str) -> Self {
        Self {
            code: ErrorCode::Conflict,
            text: Some(text),
            extra: None,
        }
    }

    /// `unavailable`, to be tried again after [`Refusal::RETRY_AFTER`].
    pub const fn unavailable() -> Self {
        Self {
            code: ErrorCode::Unavailable,
            text: None,
            extra: Some(Extra::RetryAfter(Self::RETRY_AFTER)),
        }
    }

    /// The same with a further fact.
    #[must_use]
    pub fn with(mut self, extra: Extra) -> Self {
        self.extra = Some(extra);
        self
    }

    /// The text for people.
    pub fn text(&self) -> &'static str {
        self.text.unwrap_or(self.code.text())
    }
}

impl From<ErrorCode> for Refusal {
    fn from(code: ErrorCode) -> Self {
        Self::new(code)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code.as_str())
    }
}

impl std::error::Error for Refusal {}
