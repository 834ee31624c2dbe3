//! The use cases, one file each.

mod edit;
mod groups;
mod join;
mod members;
mod read;
mod read_marks;
mod send;
mod sessions;
mod users;

use std::{
    fmt,
    sync::{Arc, LazyLock},
    time::Duration,
};

use sealroom_domain::{
    ErrorCode, GroupId, Limits, LogId, Principal, Refusal, Retention, Role, UserId,
    ports::{
        Accounts, Clock, GroupLog, Groups, Memberships, PageLimit, ReadMarks, Store, StoreError, Upkeep,
        Users,
    },
};
use tokio::sync::{Notify, OnceCell};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

pub use self::{
    edit::MessageEdit,
    groups::{GroupPatch, GroupSummary},
    join::{JoinRequest, Joined},
    read::{CurrentMessages, EntriesPage},
    send::{MessageDraft, Sent},
};
use crate::{
    failure::{Failures, unwinding},
    feeds::{Feeds, look_for_others},
    latch::Latch,
    marks::Marks,
    metrics::{METRICS, level},
    rates::KeyedRate,
    turns::Turns,
    upkeep::Caretaker,
    users_online::UsersOnline,
    writer::{Writer, WriterOptions, WriterParts},
};

/// Pages that are read at a time for one user; more wait.
const PAGES_PER_USER: usize = 4;

/// What the use cases work on.
#[derive(Debug, Clone)]
pub struct Ports {
    /// The log of all groups.
    pub log: Arc<dyn GroupLog>,
    /// The groups.
    pub groups: Arc<dyn Groups>,
    /// Who belongs to which group.
    pub memberships: Arc<dyn Memberships>,
    /// What is known of users.
    pub users: Arc<dyn Users>,
    /// How far users have read.
    pub read_marks: Arc<dyn ReadMarks>,
    /// What the store does in the background.
    pub upkeep: Arc<dyn Upkeep>,
    /// The built-in accounts, where they are on: tokens of a login that has ended are refused.
    pub accounts: Option<Arc<dyn Accounts>>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
}

impl Ports {
    /// One store for everything that it answers, without accounts.
    pub fn on<S: Store + Clone + 'static>(store: &S, clock: Arc<dyn Clock>) -> Self {
        Self {
            log: Arc::new(store.clone()),
            groups: Arc::new(store.clone()),
            memberships: Arc::new(store.clone()),
            users: Arc::new(store.clone()),
            read_marks: Arc::new(store.clone()),
            upkeep: Arc::new(store.clone()),
            accounts: None,
            clock,
        }
    }
}

/// Who keeps the memberships.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MembershipKeeper {
    /// The log's store: a change of members is an entry and a membership in one transaction, and each message is
    /// checked where it gets its place in the order.
    #[default]
    Store,
    /// The host application, in its own tables: it calls [`Chat::member_removed`] after each removal of its own. A
    /// send that begins after that call returned is refused; one under way may still land before the entry.
    ///
    /// The host decides about its own rows: the last owner of a group is not protected here. A change through [`Chat`]
    /// is made in the host's tables first and becomes an entry then, in one task that a caller that goes away does
    /// not stop. Where the host has changed and the entry then fails, the answer is the entry's refusal: the host
    /// says a removal again with [`Chat::member_removed`], until it is an entry.
    Host,
}

/// How the use cases behave. The defaults are those of the documentation.
#[derive(Debug, Clone)]
pub struct ChatOptions {
    /// Bounds on what one client may ask for.
    pub limits: Limits,
    /// Who keeps the memberships.
    pub membership_keeper: MembershipKeeper,
    /// Whether the verified token of an unknown user makes that user known. On.
    pub provision_users: bool,
    /// Batches that the store commits at the same time; a group always has the same one. 1.
    pub lanes: usize,
    /// Entries that wait for each lane at most; past it the answer is `unavailable`. 8 192.
    pub queue: usize,
    /// Bytes that wait for all lanes at most. 64 MiB.
    pub queue_bytes: usize,
    /// Entries of one batch at most. 512.
    pub batch: usize,
    /// How often the ends of the joined groups' logs are looked at, where other servers append to the same logs. Live
    /// events of theirs follow after as long at most. `None`, where this server alone appends. `None`.
    pub looks_for_others: Option<Duration>,
    /// How long entries are kept, in every group. For ever.
    pub retention: Retention,
    /// How often old entries are looked for. 1 min.
    pub upkeep_every: Duration,
    /// From the submission of an entry to its answer at most. 4.5 s, so that the client hears within 5 s.
    pub deadline: Duration,
}

impl Default for ChatOptions {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            membership_keeper: MembershipKeeper::Store,
            provision_users: true,
            lanes: 1,
            queue: 8192,
            queue_bytes: 64 * 1024 * 1024,
            batch: 512,
            looks_for_others: None,
            retention: Retention::default(),
            upkeep_every: Duration::from_mins(1),
            deadline: Duration::from_millis(4500),
        }
    }
}

/// Who asks, and with which rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Actor {
    /// The user.
    pub user_id: UserId,
    /// Whether the token's scope opens every group.
    pub admin: bool,
}

impl From<&Principal> for Actor {
    fn from(principal: &Principal) -> Self {
        Self {
            user_id: principal.user_id,
            admin: principal.is_admin(),
        }
    }
}

/// The use cases. Every rule about who may do what is decided here.
pub struct Chat {
    ports: Ports,
    options: ChatOptions,
    failures: Arc<Failures>,
    feeds: Arc<Feeds>,
    writer: Arc<Writer>,
    users_online: Arc<UsersOnline>,
    appended: Arc<Notify>,
    marks: Marks,
    sends: KeyedRate<UserId>,
    /// Pages that are read for a user: a few at a time, so that nobody takes all connections of the store.
    readers: Turns<UserId>,
    caretaker: Caretaker,
    upkeep_soon: Arc<Notify>,
    /// Ends the tasks that would go on for ever.
    _stop: DropGuard,
    log_id: OnceCell<LogId>,
    draining: Latch,
    tasks: TaskTracker,
    /// The changes of [`Chat::detached`] that are under way.
    changes: TaskTracker,
}

impl Chat {
    /// Starts the writer. Must be called within a tokio runtime.
    pub fn start(ports: Ports, options: ChatOptions) -> Arc<Self> {
        // All of them are there from the beginning, so that a scrape sees a zero and not nothing.
        LazyLock::force(&METRICS);
        let tasks = TaskTracker::new();
        let failures = Arc::new(Failures::default());
        let page = PageLimit {
            entries: options.limits.page_entries,
            bytes: options.limits.page_bytes,
        };
        let feeds = Arc::new(Feeds::new(
            ports.log.clone(),
            ports.clock.clone(),
            failures.clone(),
            tasks.clone(),
            page,
        ));
        let users_online: Arc<UsersOnline> = Arc::default();
        let appended = Arc::new(Notify::new());
        let works_with = WriterParts {
            log: ports.log.clone(),
            memberships: ports.memberships.clone(),
            clock: ports.clock.clone(),
            failures: failures.clone(),
            feeds: feeds.clone(),
            users_online: users_online.clone(),
            appended: appended.clone(),
            tasks: tasks.clone(),
        };
        let writer_options = WriterOptions {
            lanes: options.lanes,
            queue: options.queue,
            queue_bytes: options.queue_bytes,
            batch: options.batch,
            deadline: options.deadline,
        };
        let host = options.membership_keeper == MembershipKeeper::Host;
        let writer = Writer::start(&works_with, &writer_options, host);
        if let Some(every) = options.looks_for_others {
            tasks.spawn(look_for_others(Arc::downgrade(&feeds), every));
        }
        let stop = CancellationToken::new();
        let upkeep_soon = Arc::new(Notify::new());
        let caretaker = Caretaker {
            upkeep: ports.upkeep.clone(),
            clock: ports.clock.clone(),
            failures: failures.clone(),
            retention: options.retention,
            every: options.upkeep_every,
            wake: upkeep_soon.clone(),
        };
        tasks.spawn(caretaker.clone().run(stop.clone()));
        let sends = KeyedRate::new(options.limits.sends_per_user);
        let marks = Marks::start(
            ports.read_marks.clone(),
            ports.clock.clone(),
            failures.clone(),
            &tasks,
        );
        Arc::new(Self {
            ports,
            options,
            failures,
            feeds,
            writer: Arc::new(writer),
            users_online,
            appended,
            marks,
            sends,
            readers: Turns::new(PAGES_PER_USER),
            caretaker,
            upkeep_soon,
            _stop: stop.drop_guard(),
            log_id: OnceCell::new(),
            draining: Latch::default(),
            tasks,
            changes: TaskTracker::new(),
        })
    }

    /// The bounds in force.
    pub fn limits(&self) -> &Limits {
        &self.options.limits
    }

    /// The clock that every rule about time uses.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.ports.clock
    }

    /// Told after entries were appended through this server: whoever delivers the outbox need not ask before.
    pub fn appended(&self) -> Arc<Notify> {
        self.appended.clone()
    }

    /// The number of groups that somebody on this server has joined.
    pub fn joined_groups(&self) -> usize {
        self.feeds.count()
    }

    /// Whether every task that entries pass through still runs; what is sent past one that a defect has ended is
    /// answered `unavailable` until the process is started again.
    pub fn is_whole(&self) -> bool {
        self.writer.is_whole()
    }

    /// Whether the store failed to take the last batch, such as a full disk does. It stays so until a batch is stored:
    /// whoever keeps clients away for it must ask the store itself in the meantime.
    pub fn last_append_failed(&self) -> bool {
        self.writer.last_append_failed()
    }

    /// Sets the metrics that tell a level and not a count: for whoever reads the metrics, right before it does. Counts
    /// are kept without it; all of them need a recorder that was installed before [`Chat::start`].
    pub fn observe_metrics(&self) {
        METRICS.feeds.set(level(self.feeds.count()));
        self.writer.observe_metrics();
    }

    /// Refuses everything new with `shutting_down`, and waits until what was begun is answered. The caller bounds
    /// the waiting.
    pub async fn drain(&self) {
        self.draining.set();
        // First, because a change may end with an entry.
        self.changes.close();
        self.changes.wait().await;
        self.writer.close().await;
    }

    /// Whether everything new is refused.
    pub fn is_draining(&self) -> bool {
        self.draining.is_set()
    }

    /// The name of the log, asked once.
    async fn log_id(&self) -> Result<LogId, Refusal> {
        self.log_id
            .get_or_try_init(|| self.ports.log.log_id())
            .await
            .cloned()
            .map_err(|error| self.failed("read the log's name", &error))
    }

    pub(crate) fn check_open(&self) -> Result<(), Refusal> {
        if self.is_draining() {
            Err(ErrorCode::ShuttingDown.into())
        } else {
            Ok(())
        }
    }

    pub(crate) fn failed(&self, attempt: &'static str, error: &StoreError) -> Refusal {
        self.failures.store(&*self.ports.clock, attempt, error)
    }

    /// The role of one user in one group.
    async fn role(&self, group_id: GroupId, user_id: UserId) -> Result<Option<Role>, Refusal> {
        unwinding(self.ports.memberships.roles(&[(group_id, user_id)]))
            .await
            .map(|roles| roles.first().copied().flatten())
            .map_err(|error| self.failed("ask for a role", &error))
    }

    /// Refuses whoever may not see a group. An outsider hears the same as for a group that does not exist.
    async fn check_sight(&self, actor: Actor, group_id: GroupId) -> Result<Option<Role>, Refusal> {
        let role = self.role(group_id, actor.user_id).await?;
        if role.is_none() && !actor.admin {
            Err(ErrorCode::NotAMember.into())
        } else {
            Ok(role)
        }
    }
}

impl fmt::Debug for Chat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chat")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
