//! Stores that fail, wait, or lose an answer on command.
//!
//! ```
//! use std::sync::Arc;
//!
//! use sealroom_domain::ports::GroupLog;
//! use sealroom_testkit::{
//!     faults::{Call, Faults, Faulty},
//!     memory::MemoryStore,
//! };
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let faults = Faults::new();
//! let store: Arc<dyn GroupLog> = Arc::new(MemoryStore::new());
//! let log: Arc<dyn GroupLog> = Arc::new(Faulty::new(store, &faults));
//!
//! faults.only(&[Call::Append]);
//! faults.fail_next(1);
//! assert!(log.append(Vec::new()).await.is_err());
//! assert!(log.append(Vec::new()).await.is_ok());
//! # });
//! ```

mod accounts;
mod background;
mod ports;

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::sync::watch;

pub use ports::Faulty;

/// A method of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Call {
    /// `GroupLog::log_id`.
    LogId,
    /// `GroupLog::append`.
    Append,
    /// `GroupLog::read`.
    Read,
    /// `GroupLog::messages`.
    Messages,
    /// `GroupLog::heads`.
    Heads,
    /// `Groups::create`.
    CreateGroup,
    /// `Groups::put`.
    PutGroup,
    /// `Groups::update`.
    UpdateGroup,
    /// `Groups::delete`.
    DeleteGroup,
    /// `Groups::get`.
    GetGroups,
    /// `Memberships::roles`.
    Roles,
    /// `Memberships::groups_of`.
    GroupsOf,
    /// `Memberships::members_of`.
    MembersOf,
    /// `Memberships::set`.
    SetMember,
    /// `Memberships::remove`.
    RemoveMember,
    /// `Users::profiles`.
    Profiles,
    /// `Users::upsert`.
    UpsertUser,
    /// `Users::provision`.
    ProvisionUser,
    /// `Users::revoke`.
    RevokeUser,
    /// `Users::erase`.
    EraseUser,
    /// `TokenVerifier::verify`.
    Verify,
    /// `ReadMarks::advance`.
    AdvanceMarks,
    /// `ReadMarks::of_user`.
    MarksOfUser,
    /// `Accounts::register`.
    Register,
    /// `Accounts::account`.
    Account,
    /// `Accounts::open_login`.
    OpenLogin,
    /// `Accounts::refresh`.
    Refresh,
    /// `Accounts::close_login`.
    CloseLogin,
    /// `Accounts::is_open`.
    IsOpen,
    /// `Credentials::hash_password`.
    HashPassword,
    /// `Credentials::check_password`.
    CheckPassword,
    /// `Credentials::access_token`. Never delayed or held up, since it waits for nothing.
    AccessToken,
    /// `Credentials::refresh_token`. Never delayed or held up either.
    RefreshToken,
    /// `Outbox::lease`.
    LeaseOutbox,
    /// `Outbox::pending`.
    PendingOutbox,
    /// `Outbox::delivered`.
    DeliveredOutbox,
    /// `Upkeep::trim`.
    Trim,
    /// `Upkeep::unfinished_erasures`.
    UnfinishedErasures,
    /// `Upkeep::erase_content`.
    EraseContent,
}

/// The source of an error that a test asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InjectedFault {
    /// The call never reached the port.
    #[error("a test made the call fail")]
    Failed,
    /// The port did its work, and its answer was thrown away.
    #[error("a test lost the answer")]
    AnswerLost,
}

/// What goes wrong, and when. Clones and all wrappers made with it share one state.
///
/// A call passes these in order: the delay, the gate before the port, a failure, the port itself, the gate after it,
/// the loss of its answer. Without a command nothing goes wrong.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    plan: Mutex<Plan>,
    gates: watch::Sender<Gates>,
    /// How many calls stand at a closed gate.
    waiting: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct Plan {
    /// The calls that anything is done to; `None`: all.
    only: Option<Vec<Call>>,
    failing: bool,
    fail_next: usize,
    lose_next: usize,
    delay: Duration,
    calls: usize,
}

#[derive(Debug, Default, Clone, Copy)]
struct Gates {
    before_closed: bool,
    after_closed: bool,
}

impl Faults {
    /// Nothing goes wrong yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on only these calls are touched or counted; the others go straight through.
    pub fn only(&self, calls: &[Call]) {
        self.shared.plan.lock().only = Some(calls.to_vec());
    }

    /// From now on every call is touched and counted.
    pub fn everywhere(&self) {
        self.shared.plan.lock().only = None;
    }

    /// The next `count` calls fail without reaching the port.
    pub fn fail_next(&self, count: usize) {
        self.shared.plan.lock().fail_next = count;
    }

    /// While it is on, every call fails without reaching the port.
    pub fn set_failing(&self, failing: bool) {
        self.shared.plan.lock().failing = failing;
    }

    /// The next `count` calls that succeed do their work, and then answer that the store is unavailable.
    pub fn lose_next_answers(&self, count: usize) {
        self.shared.plan.lock().lose_next = count;
    }

    /// Every call waits this long before it reaches the port; zero ends it.
    pub fn set_delay(&self, delay: Duration) {
        self.shared.plan.lock().delay = delay;
    }

    /// Calls wait before they reach the port, until [`Faults::resume`].
    pub fn pause(&self) {
        self.shared.gates.send_modify(|gates| gates.before_closed = true);
    }

    /// Calls do their work, and their answers wait until [`Faults::resume`].
    pub fn pause_answers(&self) {
        self.shared.gates.send_modify(|gates| gates.after_closed = true);
    }

    /// Lets everything go on that waits.
    pub fn resume(&self) {
        self.shared.gates.send_replace(Gates::default());
    }

    /// How many calls there were that may be touched.
    pub fn calls(&self) -> usize {
        self.shared.plan.lock().calls
    }

    /// How many calls wait because of [`Faults::pause`] or [`Faults::pause_answers`].
    pub fn waiting(&self) -> usize {
        *self.shared.waiting.borrow()
    }

    /// Returns as soon as at least `count` calls wait.
    pub async fn until_waiting(&self, count: usize) {
        let mut waiting = self.shared.waiting.subscribe();
        let reached = waiting.wait_for(|waiting| *waiting >= count).await;
        reached.expect("the sender lives in `self`");
    }

    /// Runs a call of a port through the plan. `fail` makes the port's error of a fault.
    async fn run<T, E>(
        &self,
        call: Call,
        port: impl Future<Output = Result<T, E>>,
        fail: impl FnOnce(InjectedFault) -> E,
    ) -> Result<T, E> {
        let Some(delay) = self.shared.plan.lock().count(call) else {
            return port.await;
        };
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        self.wait_while(|gates| gates.before_closed).await;
        if self.shared.plan.lock().takes_failure() {
            return Err(fail(InjectedFault::Failed));
        }
        let answer = port.await?;
        self.wait_while(|gates| gates.after_closed).await;
        if self.shared.plan.lock().takes_loss() {
            return Err(fail(InjectedFault::AnswerLost));
        }
        Ok(answer)
    }

    /// The same for a call that cannot wait: without the delay and the gates.
    fn run_at_once<T, E>(
        &self,
        call: Call,
        port: impl FnOnce() -> Result<T, E>,
        fail: impl FnOnce(InjectedFault) -> E,
    ) -> Result<T, E> {
        if self.shared.plan.lock().count(call).is_none() {
            return port();
        }
        if self.shared.plan.lock().takes_failure() {
            return Err(fail(InjectedFault::Failed));
        }
        let answer = port()?;
        if self.shared.plan.lock().takes_loss() {
            return Err(fail(InjectedFault::AnswerLost));
        }
        Ok(answer)
    }

    async fn wait_while(&self, closed: impl Fn(&Gates) -> bool) {
        if !closed(&self.shared.gates.borrow()) {
            return;
        }
        let _counted = Waiting::new(&self.shared.waiting);
        let mut gates = self.shared.gates.subscribe();
        let opened = gates.wait_for(|gates| !closed(gates)).await;
        opened.expect("the sender lives in `self`");
    }
}

impl Plan {
    /// Counts a call and answers its delay; `None` where the call is not touched.
    fn count(&mut self, call: Call) -> Option<Duration> {
        let touched = self.only.as_ref().is_none_or(|only| only.contains(&call));
        touched.then(|| {
            self.calls += 1;
            self.delay
        })
    }

    fn takes_failure(&mut self) -> bool {
        self.failing || take_one(&mut self.fail_next)
    }

    fn takes_loss(&mut self) -> bool {
        take_one(&mut self.lose_next)
    }
}

fn take_one(left: &mut usize) -> bool {
    let any = *left > 0;
    *left = left.saturating_sub(1);
    any
}

/// Counts a waiting call for as long as it lives, also when its caller goes away.
struct Waiting<'a>(&'a watch::Sender<usize>);

impl<'a> Waiting<'a> {
    fn new(count: &'a watch::Sender<usize>) -> Self {
        count.send_modify(|count| *count += 1);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}
