//! The use cases of Sealroom.
//!
//! - [`Chat`] decides: membership, roles and leases, one file for each use case.
//! - The writer appends what was decided, in batches of whatever queued up during the last commit.
//! - The feeds deliver each group's entries in order to the sockets of this process.
//!
//! Data flows one way: transport, [`Chat`], writer, log, feeds, [`Subscriber`], answer. No lock is held across an
//! await, and nothing waits for a subscriber.
//!
//! This crate must never know a driver, a wire format, HTTP or Socket.IO.

mod chat;
mod deadline;
mod failure;
mod feeds;
mod latch;
mod metrics;
mod published;
mod session;
mod subscriber;
mod users_online;
mod writer;

pub use chat::{
    Actor, Chat, ChatOptions, EntriesPage, GroupSummary, JoinRequest, Joined, MembershipKeeper, MessageDraft,
    Ports, Sent,
};
pub use published::Published;
pub use session::Session;
pub use subscriber::{Gone, Subscriber};

use sealroom_domain::Refusal;

/// How a request that is answered from the path of delivery gets its answer: called once, without waiting, and
/// before anything later is delivered. It must not call back into [`Chat`].
pub type Reply<T> = Box<dyn FnOnce(Result<T, Refusal>) + Send>;
