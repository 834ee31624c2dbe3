//! What the rules ask of the outside. Each port is held as `Arc<dyn …>` and is small enough to be replaced alone:
//! a host may keep its memberships in its own tables and take only the log from Sealroom, or the other way round.
//!
//! Every method may be abandoned at any await point: what it had begun is then finished or undone as a whole.

mod accounts;
mod clock;
mod credentials;
mod error;
mod group_log;
mod groups;
mod memberships;
mod outbox;
mod presence;
mod read_marks;
mod store;
mod token_verifier;
mod upkeep;
mod users;

pub use accounts::{Account, Accounts, NewAccount, NewRefreshToken, Refreshed};
pub use clock::Clock;
pub use credentials::{AccessGrant, Credentials, CredentialsError};
pub use error::{BoxError, StoreError};
pub use group_log::{
    Appended, CurrentMessage, Cursor, GroupLog, Guard, MemberLimits, MessagesPage, NewBody, NewEntry,
    OfOthers, Page, PageLimit, RefusedEntry,
};
pub use groups::{Group, GroupChange, Groups, NewGroup};
pub use memberships::{Member, Memberships};
pub use outbox::{Outbox, OutboxId, OutboxItem};
pub use presence::Presence;
pub use read_marks::{MarkedRead, ReadMark, ReadMarks};
pub use store::Store;
pub use token_verifier::{TokenError, TokenVerifier};
pub use upkeep::{Trimmed, Upkeep};
pub use users::{Profile, UpsertOutcome, Users};
