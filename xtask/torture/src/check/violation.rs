//! What can be wrong.

use std::fmt;

use serde::Serialize;

/// What was broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// An acknowledged message is not stored.
    Lost,
    /// A message is stored twice.
    Doubled,
    /// Messages of a sender are stored in another order than that in which they were sent.
    Swapped,
    /// Somebody outside was served, or got what is not for it.
    Leaked,
    /// An answer tells another place, or another outcome, than what was stored.
    FalseAck,
    /// Other bytes than those that were sent or stored.
    Altered,
    /// The log itself is not numbered from 1 without a gap.
    LogGap,
    /// Entries are missing in what a client received.
    Gap,
    /// A client received an entry twice.
    DoubleDelivery,
    /// A message was acknowledged before its sender had its copy.
    NoCopy,
    /// A request has several answers, or an answer no request.
    TwoAnswers,
    /// A request has no answer in time.
    Late,
    /// Something is stored that nobody sent.
    Foreign,
    /// A message is stored although its sender was told that it is not.
    StoredThoughRefused,
    /// A member, or an honest request, was refused.
    WronglyRefused,
    /// A reconnect was told to start over.
    NotRecovered,
    /// An answer or event that the protocol does not know.
    Unexpected,
    /// A client could not come to an end.
    Unsettled,
    /// A change of members is in the log and was not asked, or the other way round.
    Membership,
    /// The server ended by itself, did not start, or did not drain.
    Server,
    /// The server's log tells a panic.
    Panic,
}

/// Something that must not be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// What was broken.
    pub kind: Kind,
    /// Where and how, for a person.
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.detail)
    }
}

#[derive(Debug, Default)]
pub(super) struct Violations {
    pub(super) found: Vec<Violation>,
}

impl Violations {
    pub(super) fn add(&mut self, kind: Kind, detail: impl Into<String>) {
        self.found.push(Violation {
            kind,
            detail: detail.into(),
        });
    }
}
