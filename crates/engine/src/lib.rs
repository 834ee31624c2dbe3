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

mod accounts;
mod chat;
mod deadline;
mod failure;
mod feeds;
mod latch;
mod marks;
mod metrics;
mod published;
mod rates;
mod session;
mod subscriber;
mod turns;
mod upkeep;
mod users_online;
mod writer;

pub use accounts::{AccountOptions, AccountParts, AccountService, LoggedIn, Registration};
pub use chat::{
    Actor, Chat, ChatOptions, CurrentMessages, EntriesPage, GroupPatch, GroupSummary, JoinRequest, Joined,
    MembershipKeeper, MessageDraft, MessageEdit, Ports, Sent,
};
pub use published::{Published, Shared};
pub use rates::{EventVerdict, KeyedRate};
pub use session::Session;
pub use subscriber::{Gone, Signal, Subscriber};

use sealroom_domain::Refusal;

/// How a request that is answered from the path of delivery gets its answer: called once, without waiting, and
/// before anything later is delivered. It must not call back into [`Chat`].
pub type Reply<T> = Box<dyn FnOnce(Result<T, Refusal>) + Send>;
