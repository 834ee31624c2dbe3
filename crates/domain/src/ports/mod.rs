//! What the rules ask of the outside. Each port is held as `Arc<dyn …>` and is small enough to be replaced alone:
//! a host may keep its memberships in its own tables and take only the log from Sealroom, or the other way round.
//!
//! Every method may be abandoned at any await point: what it had begun is then finished or undone as a whole.

mod clock;
mod error;
mod group_log;
mod groups;
mod memberships;
mod token_verifier;
mod users;

pub use clock::Clock;
pub use error::{BoxError, StoreError};
pub use group_log::{Appended, Cursor, GroupLog, Guard, NewBody, NewEntry, Page, PageLimit, RefusedEntry};
pub use groups::{Group, Groups, NewGroup};
pub use memberships::{Member, Memberships};
pub use token_verifier::{TokenError, TokenVerifier};
pub use users::{Profile, UpsertOutcome, Users};
