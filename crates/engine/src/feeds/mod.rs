//! The feeds of all groups that somebody on this server has joined.

mod feed;
mod offer;
mod subscription;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Weak},
    time::Duration,
};

use parking_lot::{Mutex, RwLock};
use sealroom_domain::{
    GroupId, Refusal, RemovalReason, Seq,
    ports::{Clock, Cursor, GroupLog, PageLimit, StoreError},
};
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::task::TaskTracker;

use self::{feed::FeedState, subscription::NotSubscribed};
pub(crate) use self::{offer::Offer, subscription::Unmuted};
use crate::{
    Gone, Published, Session, Shared, Signal, Subscriber,
    deadline::in_time,
    failure::{Failures, unwinding},
    metrics::METRICS,
    writer::{Receipt, Written},
};

type Feed = Mutex<FeedState>;

/// Ordered fan-out to the sockets of this server. The log alone knows a group's order: what does not come in order,
/// or not at all, is read from there.
#[derive(Debug)]
pub(crate) struct Feeds {
    by_group: RwLock<HashMap<GroupId, Arc<Feed>>>,
    suspects: Mutex<Suspects>,
    log: Arc<dyn GroupLog>,
    clock: Arc<dyn Clock>,
    failures: Arc<Failures>,
    tasks: TaskTracker,
    page: PageLimit,
}

/// How a session subscribes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    /// The place after which the join's answer covers what came before the subscription.
    pub(crate) recovers_after: Option<Seq>,
    /// The most groups that the session may have joined.
    pub(crate) groups_limit: Option<usize>,
}

/// Why a session is not subscribed.
#[derive(Debug)]
pub(crate) enum SubscribeError {
    /// There is no such group.
    UnknownGroup,
    /// The session may not.
    Refused(Refusal),
    /// The end of the log is not known.
    Store(StoreError),
}

/// Groups whose log may have grown without this server having heard of it.
#[derive(Debug, Default)]
struct Suspects {
    groups: HashSet<GroupId>,
    checking: bool,
}

/// How long a gap may stay before its feed's subscribers are sent away to recover.
const FILL_DEADLINE: Duration = Duration::from_secs(4);
const FILL_PAUSE: Duration = Duration::from_millis(20);
const SUSPECT_PAUSE: Duration = Duration::from_millis(500);

impl Feeds {
    pub(crate) fn new(
        log: Arc<dyn GroupLog>,
        clock: Arc<dyn Clock>,
        failures: Arc<Failures>,
        tasks: TaskTracker,
        page: PageLimit,
    ) -> Self {
        Self {
            by_group: RwLock::default(),
            suspects: Mutex::default(),
            log,
            clock,
            failures,
            tasks,
            page,
        }
    }

    /// Hands entries of one group to its subscribers; tells how many those are.
    pub(crate) fn offer(self: &Arc<Self>, group_id: GroupId, offers: Vec<Offer>) -> usize {
        let Some(feed) = self.present(group_id) else {
            offers.into_iter().for_each(answer_without_feed);
            return 0;
        };
        let mut state = feed.lock();
        state.offer(offers);
        let (behind, is_idle) = (state.begin_filling(Seq::ZERO), state.is_idle());
        let subscribers = state.subscribers();
        drop(state);
        if let Some(after) = behind {
            self.tasks.spawn(self.clone().fill(group_id, feed, after));
        } else if is_idle {
            // A removal, or sockets that took nothing more, may have left nobody.
            self.retire_if_idle(group_id, &feed);
        }
        subscribers
    }

    /// Subscribes a socket, muted, and answers the first place that it gets live.
    pub(crate) async fn subscribe(
        self: &Arc<Self>,
        group_id: GroupId,
        session: &Arc<Session>,
        subscriber: &Arc<dyn Subscriber>,
        terms: Terms,
    ) -> Result<Seq, SubscribeError> {
        loop {
            let feed = self.present_or_new(group_id);
            let unknown = feed.lock().position().is_none();
            if unknown && !self.start(group_id, &feed).await.map_err(SubscribeError::Store)? {
                return Err(SubscribeError::UnknownGroup);
            }
            let result = feed
                .lock()
                .subscribe(session, subscriber, terms.recovers_after, terms.groups_limit);
            match result {
                Ok(position) => return Ok(position),
                Err(NotSubscribed::TryAgain) => {}
                Err(NotSubscribed::Refused(refusal)) => {
                    self.retire_if_idle(group_id, &feed);
                    return Err(SubscribeError::Refused(refusal));
                }
            }
        }
    }

    /// Ends a join: `answer` is called, if the subscription still stands, before anything that follows it.
    pub(crate) fn unmute(&self, group_id: GroupId, session: &Arc<Session>, answer: impl FnOnce()) -> Unmuted {
        let mut unmuted = Unmuted::Gone;
        self.change(group_id, |feed| unmuted = feed.unmute(session, answer));
        unmuted
    }

    /// When the first of a session's sends that its join holds back must be answered.
    pub(crate) fn due(&self, group_id: GroupId, session: &Arc<Session>) -> Option<Instant> {
        self.present(group_id)?.lock().due(session)
    }

    /// Ends a join that failed.
    pub(crate) fn cancel(&self, group_id: GroupId, session: &Arc<Session>) {
        self.change(group_id, |feed| feed.cancel(session));
    }

    /// Nothing more of this group for a session.
    pub(crate) fn unsubscribe(&self, group_id: GroupId, session: &Arc<Session>) {
        self.change(group_id, |feed| feed.unsubscribe(session));
    }

    /// Tells those who have joined a group, but for one session, what is worth something only now.
    pub(crate) fn signal(&self, group_id: GroupId, signal: Signal, except: Option<&Arc<Session>>) {
        if let Some(feed) = self.present(group_id) {
            feed.lock().signal(&Arc::new(Shared::new(signal)), except);
        }
    }

    /// A group is gone: those who have joined it are told and receive nothing more of it.
    pub(crate) fn end(&self, group_id: GroupId, reason: RemovalReason) {
        let feed = self.by_group.write().remove(&group_id);
        if let Some(feed) = feed {
            feed.lock().end(reason);
        }
    }

    /// Those who have joined a group are sent away, to ask whether they still may.
    pub(crate) fn send_away(&self, group_id: GroupId) {
        self.change(group_id, FeedState::lose_position);
    }

    /// An append to these groups failed without telling whether it happened: their logs are looked at.
    pub(crate) fn suspect(self: &Arc<Self>, groups: HashSet<GroupId>) {
        let mut suspects = self.suspects.lock();
        suspects.groups.extend(groups);
        if !suspects.checking {
            suspects.checking = true;
            self.tasks.spawn(self.clone().check_suspects());
        }
    }

    /// Other servers may have appended to any log.
    fn suspect_all(self: &Arc<Self>) {
        let groups: HashSet<GroupId> = self.by_group.read().keys().copied().collect();
        if !groups.is_empty() {
            self.suspect(groups);
        }
    }

    /// The number of groups with a feed.
    pub(crate) fn count(&self) -> usize {
        self.by_group.read().len()
    }

    fn present(&self, group_id: GroupId) -> Option<Arc<Feed>> {
        self.by_group.read().get(&group_id).cloned()
    }

    fn present_or_new(&self, group_id: GroupId) -> Arc<Feed> {
        if let Some(feed) = self.present(group_id) {
            return feed;
        }
        let mut feeds = self.by_group.write();
        feeds
            .entry(group_id)
            .or_insert_with(|| Arc::new(Mutex::new(FeedState::new(group_id))))
            .clone()
    }

    fn change(&self, group_id: GroupId, change: impl FnOnce(&mut FeedState)) {
        if let Some(feed) = self.present(group_id) {
            let is_idle = {
                let mut feed = feed.lock();
                change(&mut feed);
                feed.is_idle()
            };
            if is_idle {
                self.retire_if_idle(group_id, &feed);
            }
        }
    }

    fn retire_if_idle(&self, group_id: GroupId, feed: &Arc<Feed>) {
        let mut feeds = self.by_group.write();
        if feeds
            .get(&group_id)
            .is_some_and(|present| Arc::ptr_eq(present, feed))
            && feed.lock().retire_if_idle()
        {
            feeds.remove(&group_id);
        }
    }

    /// Reads where the log ends; `false` where there is no such group.
    async fn start(self: &Arc<Self>, group_id: GroupId, feed: &Arc<Feed>) -> Result<bool, StoreError> {
        let result = unwinding(self.log.heads(&[group_id])).await;
        let head = match result {
            Ok(heads) => heads
                .into_iter()
                .find(|(id, _)| *id == group_id)
                .map(|(_, head)| head),
            Err(error) => {
                self.retire_if_idle(group_id, feed);
                return Err(error);
            }
        };
        let Some(head) = head else {
            self.retire_if_idle(group_id, feed);
            return Ok(false);
        };
        feed.lock().start(head);
        self.fill_if_behind(group_id, feed, Seq::ZERO);
        Ok(true)
    }

    /// Reads what is missing, unless somebody does already. `head` is a place that the log is known to have.
    fn fill_if_behind(self: &Arc<Self>, group_id: GroupId, feed: &Arc<Feed>, head: Seq) {
        let after = feed.lock().begin_filling(head);
        if let Some(after) = after {
            self.tasks.spawn(self.clone().fill(group_id, feed.clone(), after));
        }
    }

    async fn fill(self: Arc<Self>, group_id: GroupId, feed: Arc<Feed>, mut after: Seq) {
        let mut deadline = Instant::now() + FILL_DEADLINE;
        loop {
            let due = || fill_due(&feed, deadline);
            let read = unwinding(self.log.read(group_id, Cursor::After(after), self.page));
            match in_time(read, due).await {
                Some(Ok(Some(page))) => {
                    let entries = page.entries.into_iter().map(Published::new).collect();
                    let Some(next) = feed.lock().fill(entries, page.head) else {
                        break;
                    };
                    if next > after {
                        after = next;
                        deadline = Instant::now() + FILL_DEADLINE;
                        continue;
                    }
                }
                // No such group any more: nothing will fill the gap.
                Some(Ok(None)) => deadline = Instant::now(),
                Some(Err(error)) => {
                    self.failures
                        .store(&*self.clock, "read what a feed missed", &error);
                }
                None => {}
            }
            if Instant::now() >= fill_due(&feed, deadline) {
                tracing::warn!(%group_id, "a feed lost its place: its sockets are sent away to recover");
                METRICS.positions_lost.increment(1);
                feed.lock().lose_position();
                break;
            }
            sleep(FILL_PAUSE).await;
        }
        self.retire_if_idle(group_id, &feed);
    }

    async fn check_suspects(self: Arc<Self>) {
        loop {
            let groups: Vec<GroupId> = {
                let mut suspects = self.suspects.lock();
                if suspects.groups.is_empty() {
                    suspects.checking = false;
                    return;
                }
                // Nobody is served from a group without a feed.
                suspects
                    .groups
                    .drain()
                    .filter(|group_id| self.present(*group_id).is_some())
                    .collect()
            };
            let heads = unwinding(self.log.heads(&groups));
            let heads = timeout_at(Instant::now() + FILL_DEADLINE, heads).await;
            let Ok(Ok(heads)) = heads else {
                self.suspects.lock().groups.extend(groups);
                sleep(SUSPECT_PAUSE).await;
                continue;
            };
            let known: HashSet<GroupId> = heads.iter().map(|(group_id, _)| *group_id).collect();
            for group_id in groups.iter().filter(|group_id| !known.contains(*group_id)) {
                // Another server has deleted it.
                self.end(*group_id, RemovalReason::GroupDeleted);
            }
            for (group_id, head) in heads {
                if let Some(feed) = self.present(group_id) {
                    self.fill_if_behind(group_id, &feed, head);
                }
            }
        }
    }
}

/// Looks every so often whether other servers appended to the logs of the joined groups, for as long as there are
/// feeds.
pub(crate) async fn look_for_others(feeds: Weak<Feeds>, every: Duration) {
    loop {
        sleep(every).await;
        let Some(feeds) = feeds.upgrade() else { return };
        feeds.suspect_all();
    }
}

/// A gap must be filled by the deadline, or before: somebody may wait for the answer to an entry behind it.
fn fill_due(feed: &Feed, deadline: Instant) -> Instant {
    feed.lock()
        .first_deadline()
        .map_or(deadline, |first| first.min(deadline))
}

/// Nobody has joined: only the sender gets its own entry.
fn answer_without_feed(offer: Offer) {
    let Offer { entry, receipt } = offer;
    let Some(receipt) = receipt else { return };
    deliver_to_origin(&receipt, &entry);
    receipt.answer(Ok(Written::New(entry)));
}

fn deliver_to_origin(receipt: &Receipt, entry: &Arc<Published>) {
    if let Some(origin) = &receipt.origin
        && !origin.session.has_got(entry.entry().group_id, entry.entry().seq)
    {
        // A socket that takes nothing closes itself; the answer then finds nobody either.
        let _ = deliver_one(&origin.subscriber, entry);
    }
}

/// Hands one entry to one socket.
fn deliver_one(subscriber: &Arc<dyn Subscriber>, entry: &Arc<Published>) -> Result<(), Gone> {
    subscriber.deliver(std::slice::from_ref(entry))?;
    METRICS.deliveries.increment(1);
    Ok(())
}
