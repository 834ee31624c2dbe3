//! The model of Sealroom and its ports.
//!
//! Each group's messages and membership changes are entries of one log, numbered by a dense [`Seq`] from 1.
//! Everything that members must agree on is an [`Entry`]; everything else is ephemeral.
//!
//! This crate must never know a runtime, a database, a wire format, the environment or the wall clock.
//!
//! # Adding a port
//!
//! 1. Write the trait in `ports/`, three to six methods, with its contract (ordering, atomicity, idempotency,
//!    cancellation) in its docs. Absence is a value; an error means that the question was not answered.
//! 2. Write the in-memory adapter and one conformance property for each sentence of the contract in `testkit`.
//! 3. Write the real adapter and run the same suite on it.

mod code;
mod content;
mod entry;
mod ids;
mod limits;
mod names;
pub mod ports;
mod principal;
mod rate;
mod retention;
mod role;
mod secrets;
mod time;

pub use code::{ErrorCode, Extra, Refusal};
pub use content::{ContentError, EncryptedContent};
pub use entry::{Entry, EntryBody, Message};
pub use ids::{GroupId, IdError, KeyEpoch, LoginId, MAX_SAFE_INTEGER, MessageId, Seq, UserId};
pub use limits::Limits;
pub use names::{ClientMessageId, DisplayName, GroupName, LogId, NameError, Username};
pub use principal::Principal;
pub use rate::Rate;
pub use retention::Retention;
pub use role::{RemovalReason, Role};
pub use secrets::{PasswordHash, TokenDigest};
pub use time::Timestamp;
