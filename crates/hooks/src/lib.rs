//! Signed outgoing webhooks: the host is told of messages and of changes of members, from the store's outbox.
//!
//! Requests are those of [Standard Webhooks](https://www.standardwebhooks.com). Each is a `POST` of JSON with `type`,
//! `timestamp` and `data`, and with the headers `webhook-id`, `webhook-timestamp` and `webhook-signature`.
//!
//! - *What is told*: [`EventType`]. Metadata alone: never a message's content, never a name.
//! - *At least once.* A store puts an entry into its outbox in the transaction that appends it; it is removed only after
//!   the receiver accepted all of its events with a status of 200 to 299. An event that comes again, because an answer
//!   was lost or a server died, has the same `webhook-id`.
//! - *In order for each group.* An event is sent after those before it were accepted; groups go side by side.
//! - *With patience.* What is not accepted is tried again after 1 s, then after twice as long each time up to 5 minutes,
//!   or after `Retry-After`, up to an hour. When three groups fail in a row, nothing is sent but a probe, at least every
//!   30 s (or after `Retry-After`, up to 5 minutes); a 429 begins that at once. What is older than
//!   [`HookOptions::give_up_after`] and fails for an hour is given up, with an error in the log, and its group goes on.
//! - *410 Gone* ends the sending until the server is started again: that is how a receiver unsubscribes. Entries stay in
//!   the outbox until they are too old.
//! - *One sender*, of all servers on one store: a lease of 30 s, given back at the end and taken over after a crash.
//!   Nothing is begun that could last longer than the lease. The servers' clocks must agree to a few seconds.
//! - *Never in the way.* Sending waits for nothing here; at most 10 000 entries, without their contents, and a page of
//!   128 with them are in memory, whatever the outbox holds.
//!
//! This crate must never know a database, tokens, a socket server or a use case: it speaks to the ports of the domain on
//! one side and to one HTTP address on the other. It reads no content: of an entry with one it keeps the length.

mod backoff;
mod courier;
mod event;
mod guard;
mod hooks;
mod http;
mod lanes;
mod lease;
mod options;
mod post;
mod pump;
mod reader;
mod report;
mod secret;

pub use event::{EventType, EventTypeError};
pub use hooks::{HookParts, Hooks, StartError};
pub use http::HttpPost;
pub use options::HookOptions;
pub use post::{Answer, Post, PostError, RetryAfter, SignedRequest};
/// Why nothing can be asked of an address at all.
pub use sealroom_outbound::HttpTargetError;
pub use secret::{Secret, SecretError, Secrets};
