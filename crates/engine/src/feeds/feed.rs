//! One group's feed: a state machine without I/O.

use std::{
    collections::{BTreeMap, btree_map::Entry as Slot},
    mem,
    sync::Arc,
};

use sealroom_domain::{GroupId, RemovalReason, Seq, UserId};

use crate::{
    Published, Session, Subscriber,
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

/// An entry to deliver, with who waits to hear that it was.
#[derive(Debug)]
pub(crate) struct Offer {
    pub(crate) entry: Arc<Published>,
    pub(crate) receipt: Option<Receipt>,
}

#[derive(Debug)]
struct Subscription {
    session: Arc<Session>,
    subscriber: Arc<dyn Subscriber>,
    /// The first entry that it gets live.
    from: Seq,
    /// Entries after this one, and before those that it gets live, are part of the join's answer.
    recovers_after: Option<Seq>,
    mode: Mode,
}

#[derive(Debug)]
enum Mode {
    /// Gets entries as they come.
    Live,
    /// A join is under way: entries wait until its answer is out.
    Muted {
        /// The first entry that is not part of the answer.
        position: Seq,
        held: Vec<Held>,
        /// It was live before: a join that fails leaves it so.
        was_live: bool,
    },
}

#[derive(Debug)]
enum Held {
    Entry(Arc<Published>),
    Receipt(Receipt, Arc<Published>),
}

/// How a subscription ended a join.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unmuted {
    /// It is live.
    Live,
    /// The user was removed, or the socket went away, in the meantime.
    Gone,
}

/// A feed that is retired cannot be used.
#[derive(Debug)]
pub(crate) struct Retired;

impl Offer {
    /// An entry for whose delivery nobody waits.
    pub(crate) fn of(entry: Published) -> Self {
        Self {
            entry: Arc::new(entry),
            receipt: None,
        }
    }
}

impl FeedState {
    /// Entries that a muted subscription holds at most. A join that takes longer loses its place.
    const HELD_MAX: usize = 1024;
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
            subscription.session.exit(self.group_id);
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
    ) -> Result<Option<Seq>, Retired> {
        if self.retired {
            return Err(Retired);
        }
        let Some(position) = self.next else {
            return Ok(None);
        };
        if let Some(present) = self.find(session) {
            if let Mode::Live = present.mode {
                present.mode = Mode::Muted {
                    position,
                    held: Vec::new(),
                    was_live: true,
                };
            }
        } else {
            self.subscriptions.push(Subscription {
                session: session.clone(),
                subscriber: subscriber.clone(),
                from: position,
                recovers_after,
                mode: Mode::Muted {
                    position,
                    held: Vec::new(),
                    was_live: false,
                },
            });
        }
        Ok(Some(position))
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
        let was_live = matches!(present.mode, Mode::Live | Mode::Muted { was_live: true, .. });
        if !was_live || present.go_live().is_err() {
            self.unsubscribe(session);
        }
    }

    /// Nothing more for this session.
    pub(crate) fn unsubscribe(&mut self, session: &Arc<Session>) {
        if let Some(index) = self
            .subscriptions
            .iter()
            .position(|one| Arc::ptr_eq(&one.session, session))
        {
            let gone = self.subscriptions.swap_remove(index);
            gone.session.exit(self.group_id);
            gone.release();
        }
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
        self.subscriptions
            .iter_mut()
            .find(|one| Arc::ptr_eq(&one.session, session))
    }

    fn keep_ahead(&mut self, seq: Seq, offer: Offer) {
        let has_room = self.ahead.len() < Self::AHEAD_MAX;
        match self.ahead.entry(seq) {
            // One with a receipt is kept whatever the number: somebody waits for it, and those are bounded elsewhere.
            Slot::Vacant(slot) if has_room || offer.receipt.is_some() => {
                slot.insert(offer);
            }
            Slot::Vacant(_) => {}
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
        self.next = Some(next);
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
            self.evict(user_id, reason);
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
        for subscription in &mut self.subscriptions {
            if !subscription.take(&entries) {
                gone.push(subscription.session.clone());
            }
        }
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
            let seq = entry.entry().seq;
            match self.find(&origin.session) {
                Some(Subscription {
                    mode: Mode::Muted { held, position, .. },
                    ..
                }) if seq >= *position => {
                    held.push(Held::Receipt(receipt, entry));
                    return;
                }
                Some(subscription) if subscription.covers(seq) => {}
                _ => {
                    // Its failing closes the socket; the answer then finds nobody either.
                    let _ = origin.subscriber.deliver(std::slice::from_ref(&entry));
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

    fn evict(&mut self, user_id: UserId, reason: RemovalReason) {
        let (evicted, kept) = mem::take(&mut self.subscriptions)
            .into_iter()
            .partition(|one| one.session.user_id() == user_id);
        self.subscriptions = kept;
        for subscription in evicted {
            let subscription: Subscription = subscription;
            subscription.session.exit(self.group_id);
            let subscriber = subscription.subscriber.clone();
            // What was held came before the removal, or is it.
            subscription.release();
            subscriber.removed_from_group(self.group_id, reason);
        }
    }
}

impl Subscription {
    /// Whether the session gets this entry through its joins.
    fn covers(&self, seq: Seq) -> bool {
        seq >= self.from || self.recovers_after.is_some_and(|after| seq > after)
    }

    /// Takes entries; `false` where nothing more can be taken.
    fn take(&mut self, entries: &[Arc<Published>]) -> bool {
        match &mut self.mode {
            Mode::Live => self.subscriber.deliver(entries).is_ok(),
            Mode::Muted { held, .. } if held.len() + entries.len() <= FeedState::HELD_MAX => {
                held.extend(entries.iter().cloned().map(Held::Entry));
                true
            }
            Mode::Muted { .. } => {
                self.subscriber.position_lost();
                false
            }
        }
    }

    /// Delivers what was held, each answer after its entry.
    fn go_live(&mut self) -> Result<(), crate::Gone> {
        let Mode::Muted { held, .. } = mem::replace(&mut self.mode, Mode::Live) else {
            return Ok(());
        };
        let mut result = Ok(());
        for one in held {
            match one {
                Held::Entry(entry) if result.is_ok() => {
                    result = self.subscriber.deliver(std::slice::from_ref(&entry));
                }
                Held::Entry(_) => {}
                Held::Receipt(receipt, entry) => receipt.answer(Ok(Written::New(entry))),
            }
        }
        result
    }

    /// The subscription ends in the middle of a join: one that was live before gets what it would have had, and
    /// sends that wait are answered after their entries.
    fn release(mut self) {
        if let Mode::Muted {
            held,
            was_live: false,
            ..
        } = &mut self.mode
        {
            for one in mem::take(held) {
                if let Held::Receipt(receipt, entry) = one {
                    let _ = self.subscriber.deliver(std::slice::from_ref(&entry));
                    receipt.answer(Ok(Written::New(entry)));
                }
            }
        }
        // Its failing closes the socket, which is what is left to do.
        let _ = self.go_live();
    }
}
