//! The feeds of all groups that somebody on this server has joined.

mod feed;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use parking_lot::{Mutex, RwLock};
use sealroom_domain::{
    GroupId, Seq,
    ports::{Clock, Cursor, GroupLog, PageLimit, StoreError},
};
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::task::TaskTracker;

use self::feed::FeedState;
pub(crate) use self::feed::{Offer, Unmuted};
use crate::{
    Published, Session, Subscriber,
    failure::Failures,
    writer::{Receipt, Written},
};

type Feed = Mutex<FeedState>;

/// Ordered fan-out to the sockets of this server. The guide of a group's order is its log alone: what does not come
/// in order, or not at all, is read from there.
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

    /// Hands entries of one group to its subscribers.
    pub(crate) fn offer(self: &Arc<Self>, group_id: GroupId, offers: Vec<Offer>) {
        let Some(feed) = self.present(group_id) else {
            return offers.into_iter().for_each(answer_without_feed);
        };
        feed.lock().offer(offers);
        self.fill_if_behind(group_id, &feed, Seq::ZERO);
    }

    /// Subscribes a socket, muted, and answers the first place that it gets live; `None` where there is no such group.
    /// `recovers_after` is the place after which the join's answer covers what came before.
    pub(crate) async fn subscribe(
        self: &Arc<Self>,
        group_id: GroupId,
        session: &Arc<Session>,
        subscriber: &Arc<dyn Subscriber>,
        recovers_after: Option<Seq>,
    ) -> Result<Option<Seq>, StoreError> {
        loop {
            let feed = self.present_or_new(group_id);
            let unknown = feed.lock().position().is_none();
            if unknown && !self.start(group_id, &feed).await? {
                return Ok(None);
            }
            // A feed that was retired, or lost its position, since the line before: once more.
            if let Ok(Some(position)) = feed.lock().subscribe(session, subscriber, recovers_after) {
                return Ok(Some(position));
            }
        }
    }

    /// Ends a join: `answer` is called, if the subscription still stands, before anything that follows it.
    pub(crate) fn unmute(&self, group_id: GroupId, session: &Arc<Session>, answer: impl FnOnce()) -> Unmuted {
        match self.present(group_id) {
            Some(feed) => feed.lock().unmute(session, answer),
            None => Unmuted::Gone,
        }
    }

    /// Ends a join that failed.
    pub(crate) fn cancel(&self, group_id: GroupId, session: &Arc<Session>) {
        self.change(group_id, |feed| feed.cancel(session));
        if self.present(group_id).is_none() {
            session.exit(group_id);
        }
    }

    /// Nothing more of this group for a session.
    pub(crate) fn unsubscribe(&self, group_id: GroupId, session: &Arc<Session>) {
        self.change(group_id, |feed| feed.unsubscribe(session));
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
            change(&mut feed.lock());
            self.retire_if_idle(group_id, &feed);
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
        let result = self.log.heads(&[group_id]).await;
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
            let read = self.log.read(group_id, Cursor::After(after), self.page);
            match timeout_at(deadline, read).await {
                Ok(Ok(Some(page))) => {
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
                Ok(Ok(None)) => deadline = Instant::now(),
                Ok(Err(error)) => {
                    self.failures
                        .store(&*self.clock, "read what a feed missed", &error);
                }
                Err(_elapsed) => {}
            }
            if Instant::now() >= deadline {
                tracing::warn!(%group_id, "a feed lost its place: its sockets are sent away to recover");
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
            let heads = timeout_at(Instant::now() + FILL_DEADLINE, self.log.heads(&groups)).await;
            let Ok(Ok(heads)) = heads else {
                self.suspects.lock().groups.extend(groups);
                sleep(SUSPECT_PAUSE).await;
                continue;
            };
            for (group_id, head) in heads {
                if let Some(feed) = self.present(group_id) {
                    self.fill_if_behind(group_id, &feed, head);
                }
            }
        }
    }
}

/// Nobody has joined: only the sender gets its own entry.
fn answer_without_feed(offer: Offer) {
    let Offer { entry, receipt } = offer;
    let Some(receipt) = receipt else { return };
    deliver_to_origin(&receipt, &entry);
    receipt.answer(Ok(Written::New(entry)));
}

fn deliver_to_origin(receipt: &Receipt, entry: &Arc<Published>) {
    if let Some(origin) = &receipt.origin {
        // A socket that takes nothing closes itself; the answer then finds nobody either.
        let _ = origin.subscriber.deliver(std::slice::from_ref(entry));
    }
}
