//! One group's feed: a state machine without I/O.

use std::{
    collections::{BTreeMap, btree_map::Entry as Slot},
    mem,
    sync::Arc,
};

use sealroom_domain::{GroupId, RemovalReason, Seq, UserId};
use tokio::time::Instant;

use super::{
    offer::Offer,
    subscription::{NotSubscribed, Subscription, Taken, Unmuted},
};
use crate::{
    Published, Session, Shared, Signal, Subscriber,
    feeds::deliver_one,
    metrics::{METRICS, many},
    writer::{Receipt, Written},
};

/// The subscribers of a group on this server, and how far its log was delivered to them.
#[derive(Debug)]
pub(crate) struct FeedState {
    group_id: GroupId,
    /// The place of the entry to deliver next; `None` until somebody has read where the log ends.
    next: Option<Seq>,
    /// Entries that came before those in front of them.
    ahead: BTreeMap<Seq, Offer>,
    /// The furthest place at which the log is known to have an entry.
    head: Seq,
    /// Whether a task is reading what is missing in front of `ahead`.
    filling: bool,
    subscriptions: Vec<Subscription>,
    /// No longer in the registry; a subscriber must take another feed.
    retired: bool,
}

impl FeedState {
    /// Entries that wait for those in front of them at most; what does not fit is read from the log.
    const AHEAD_MAX: usize = 1024;

    pub(crate) fn new(group_id: GroupId) -> Self {
        Self {
            group_id,
            next: None,
            ahead: BTreeMap::new(),
            head: Seq::ZERO,
            filling: false,
            subscriptions: Vec::new(),
            retired: false,
        }
    }

    pub(crate) fn position(&self) -> Option<Seq> {
        self.next
    }

    /// The log ends at `head`: live delivery goes on from there. Without effect once the position is known.
    pub(crate) fn start(&mut self, head: Seq) {
        if self.next.is_none() {
            self.next = Some(head.next());
            self.ahead = self.ahead.split_off(&head.next());
            self.deliver_contiguous();
        }
    }

    /// Takes entries in any order: delivers what is next, keeps what is ahead, ignores what is behind.
    pub(crate) fn offer(&mut self, offers: Vec<Offer>) {
        if self.is_next(&offers) {
            return self.deliver(offers);
        }
        for offer in offers {
            let seq = offer.entry.entry().seq;
            match self.next {
                Some(next) if seq < next => self.acknowledge_behind(offer),
                Some(_) => self.keep_ahead(seq, offer),
                None => {
                    // Nobody is subscribed before the position is known, so nobody misses it here.
                    let entry = offer.entry.clone();
                    self.acknowledge_behind(offer);
                    self.keep_ahead(seq, Offer { entry, receipt: None });
                }
            }
        }
        self.deliver_contiguous();
        if self.retired {
            self.answer_waiting();
        }
    }

    /// Whether these are what is to be delivered next, with nothing missing: nearly always.
    fn is_next(&self, offers: &[Offer]) -> bool {
        let Some(mut next) = self.next.filter(|_| self.ahead.is_empty() && !self.retired) else {
            return false;
        };
        offers.iter().all(|offer| {
            let is_it = offer.entry.entry().seq == next;
            next = next.next();
            is_it
        })
    }

    /// The log reaches `head`. Answers the place to read after, where entries are missing and nobody reads them yet:
    /// the caller then reads until [`FeedState::fill`] has enough.
    pub(crate) fn begin_filling(&mut self, head: Seq) -> Option<Seq> {
        self.head = self.head.max(head);
        let next = self.next?;
        let missing = self.head >= next || !self.ahead.is_empty();
        if self.filling || self.retired || !missing {
            return None;
        }
        self.filling = true;
        Some(next.previous())
    }

    /// Entries that were read from the log. Answers the place to read on after, or `None` when nothing is missing.
    pub(crate) fn fill(&mut self, entries: Vec<Published>, head: Seq) -> Option<Seq> {
        self.head = self.head.max(head);
        self.offer(entries.into_iter().map(Offer::of).collect());
        let next = self.next?;
        if next > self.head && self.ahead.is_empty() {
            self.filling = false;
            return None;
        }
        Some(next.previous())
    }

    /// What is missing cannot be read: everybody loses their place, comes back and recovers.
    pub(crate) fn lose_position(&mut self) {
        self.filling = false;
        self.next = None;
        for subscription in mem::take(&mut self.subscriptions) {
            subscription.session.exit(self.group_id, None);
            subscription.subscriber.position_lost();
            subscription.release();
        }
        self.answer_waiting();
    }

    /// Subscribes muted at the present position, or mutes a subscription that is live.
    pub(crate) fn subscribe(
        &mut self,
        session: &Arc<Session>,
        subscriber: &Arc<dyn Subscriber>,
        recovers_after: Option<Seq>,
        groups_limit: Option<usize>,
    ) -> Result<Seq, NotSubscribed> {
        let Some(position) = self.next.filter(|_| !self.retired) else {
            return Err(NotSubscribed::TryAgain);
        };
        session
            .enter(self.group_id, groups_limit)
            .map_err(NotSubscribed::Refused)?;
        if let Some(present) = self.find(session) {
            present.mute(position, recovers_after);
        } else {
            let new = Subscription::new(session.clone(), subscriber.clone(), position, recovers_after);
            self.subscriptions.push(new);
        }
        Ok(position)
    }

    /// When the first of a session's sends that its join holds back must be answered.
    pub(crate) fn due(&self, session: &Arc<Session>) -> Option<Instant> {
        self.subscriptions.iter().find(|one| one.is_of(session))?.due()
    }

    /// When the first entry that waits for those in front of it must be answered.
    pub(crate) fn first_deadline(&self) -> Option<Instant> {
        self.ahead
            .values()
            .filter_map(|offer| offer.receipt.as_ref())
            .map(|receipt| receipt.deadline)
            .min()
    }

    /// How many sockets have joined.
    pub(crate) fn subscribers(&self) -> usize {
        self.subscriptions.len()
    }

    /// Whether nobody would miss it. One whose position is not known yet has somebody on the way.
    pub(crate) fn is_idle(&self) -> bool {
        self.subscriptions.is_empty() && !self.filling && self.next.is_some()
    }

    /// Ends a join: `answer` first, then what was held, then live.
    pub(crate) fn unmute(&mut self, session: &Arc<Session>, answer: impl FnOnce()) -> Unmuted {
        let Some(present) = self.find(session) else {
            return Unmuted::Gone;
        };
        answer();
        if present.go_live().is_err() {
            self.unsubscribe(session);
        }
        Unmuted::Live
    }

    /// Ends a join that failed: a subscription that was live before is so again.
    pub(crate) fn cancel(&mut self, session: &Arc<Session>) {
        let Some(present) = self.find(session) else { return };
        if !present.was_live() || present.go_live().is_err() {
            self.unsubscribe(session);
        }
    }

    /// Nothing more for this session.
    pub(crate) fn unsubscribe(&mut self, session: &Arc<Session>) {
        if let Some(index) = self.subscriptions.iter().position(|one| one.is_of(session)) {
            let gone = self.subscriptions.swap_remove(index);
            let got = self.next.and_then(|next| gone.got(next));
            gone.session.exit(self.group_id, got);
            gone.release();
        }
    }

    /// Tells those who are live, but for one session, what is worth something only now.
    pub(crate) fn signal(&self, signal: &Arc<Shared<Signal>>, except: Option<&Arc<Session>>) {
        for subscription in &self.subscriptions {
            if !except.is_some_and(|session| subscription.is_of(session)) {
                subscription.signal(signal);
            }
        }
    }

    /// The group is gone: nobody receives anything more, and each is told.
    pub(crate) fn end(&mut self, reason: RemovalReason) {
        self.filling = false;
        for subscription in mem::take(&mut self.subscriptions) {
            let got = self.next.and_then(|next| subscription.got(next));
            subscription.session.exit(self.group_id, got);
            let subscriber = subscription.subscriber.clone();
            subscription.release();
            subscriber.removed_from_group(self.group_id, reason);
        }
        self.retired = true;
        self.answer_waiting();
    }

    /// Retires a feed that nobody needs.
    pub(crate) fn retire_if_idle(&mut self) -> bool {
        if self.subscriptions.is_empty() && !self.filling {
            self.retired = true;
            self.answer_waiting();
        }
        self.retired
    }

    fn find(&mut self, session: &Arc<Session>) -> Option<&mut Subscription> {
        self.subscriptions.iter_mut().find(|one| one.is_of(session))
    }

    fn keep_ahead(&mut self, seq: Seq, offer: Offer) {
        let has_room = self.ahead.len() < Self::AHEAD_MAX;
        match self.ahead.entry(seq) {
            // One with a receipt is kept whatever the number: somebody waits for it, and those are bounded elsewhere.
            Slot::Vacant(slot) if has_room || offer.receipt.is_some() => {
                slot.insert(offer);
            }
            // Not kept, but known to be there: it is read from the log.
            Slot::Vacant(_) => self.head = self.head.max(seq),
            // Read from the log before its writer came to tell.
            Slot::Occupied(mut slot) => {
                if offer.receipt.is_some() {
                    slot.insert(offer);
                }
            }
        }
    }

    fn deliver_contiguous(&mut self) {
        let Some(mut next) = self.next else { return };
        let mut ready = Vec::new();
        while let Some(offer) = self.ahead.remove(&next) {
            next = next.next();
            ready.push(offer);
        }
        self.deliver(ready);
    }

    /// Delivers what is next.
    fn deliver(&mut self, ready: Vec<Offer>) {
        let Some(last) = ready.last() else { return };
        self.next = Some(last.entry.entry().seq.next());
        if !ready.iter().any(|offer| offer.entry.removal().is_some()) {
            return self.deliver_run(ready);
        }
        let mut run = Vec::new();
        for Offer { entry, receipt } in ready {
            let Some((user_id, reason)) = entry.removal() else {
                run.push(Offer { entry, receipt });
                continue;
            };
            // The last entry that the removed member may see.
            run.push(Offer {
                entry: entry.clone(),
                receipt: None,
            });
            self.deliver_run(mem::take(&mut run));
            self.evict(user_id, reason, entry.entry().seq);
            // Whoever asked for the removal hears of it when the sockets were told.
            if let Some(receipt) = receipt {
                self.acknowledge(receipt, entry);
            }
        }
        self.deliver_run(run);
    }

    fn deliver_run(&mut self, run: Vec<Offer>) {
        if run.is_empty() {
            return;
        }
        let entries: Vec<_> = run.iter().map(|offer| offer.entry.clone()).collect();
        let mut gone = Vec::new();
        let mut delivered = 0;
        for subscription in &mut self.subscriptions {
            match subscription.take(&entries) {
                Taken::Delivered => delivered += 1,
                Taken::Held => {}
                Taken::Nothing => gone.push(subscription.session.clone()),
            }
        }
        // Once for all sockets: this is where most of the time goes.
        METRICS.deliveries.increment(many(delivered * entries.len()));
        for offer in run {
            if let Some(receipt) = offer.receipt {
                self.acknowledge(receipt, offer.entry);
            }
        }
        for session in gone {
            self.unsubscribe(&session);
        }
    }

    /// The sender has the entry through its subscription, or gets it now; then the answer.
    fn acknowledge(&mut self, receipt: Receipt, entry: Arc<Published>) {
        if let Some(origin) = &receipt.origin {
            let (group_id, seq) = (self.group_id, entry.entry().seq);
            match self.find(&origin.session) {
                Some(subscription) if subscription.holds_back(seq) => {
                    return subscription.hold(receipt, entry);
                }
                Some(subscription) if subscription.covers(seq) => {}
                // The log told of it before its append was answered, and the session has left since.
                _ if origin.session.has_got(group_id, seq) => {}
                _ => {
                    // Its failing closes the socket; the answer then finds nobody either.
                    let _ = deliver_one(&origin.subscriber, &entry);
                }
            }
        }
        receipt.answer(Ok(Written::New(entry)));
    }

    fn acknowledge_behind(&mut self, offer: Offer) {
        if let Some(receipt) = offer.receipt {
            self.acknowledge(receipt, offer.entry);
        }
    }

    /// Nothing will come in front of the entries that wait: who sent them is answered.
    fn answer_waiting(&mut self) {
        for (_, offer) in mem::take(&mut self.ahead) {
            self.acknowledge_behind(offer);
        }
    }

    fn evict(&mut self, user_id: UserId, reason: RemovalReason, removal: Seq) {
        let (evicted, kept): (Vec<_>, Vec<_>) = mem::take(&mut self.subscriptions)
            .into_iter()
            .partition(|one| one.session.user_id() == user_id);
        self.subscriptions = kept;
        METRICS.evictions.increment(many(evicted.len()));
        for subscription in evicted {
            let got = subscription.got(removal.next());
            subscription.session.exit(self.group_id, got);
            let subscriber = subscription.subscriber.clone();
            // What was held came before the removal, or is it.
            subscription.release();
            subscriber.removed_from_group(self.group_id, reason);
        }
    }
}
