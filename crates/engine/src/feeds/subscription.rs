//! One socket's place in one group's feed.

use std::{mem, sync::Arc};

use sealroom_domain::{Refusal, Seq};
use tokio::time::Instant;

use crate::{
    Gone, Published, Session, Shared, Signal, Subscriber,
    feeds::deliver_one,
    session::Got,
    writer::{Receipt, Written},
};

/// What a socket gets of a group's feed.
#[derive(Debug)]
pub(super) struct Subscription {
    pub(super) session: Arc<Session>,
    pub(super) subscriber: Arc<dyn Subscriber>,
    /// The first entry that it gets live.
    from: Seq,
    /// Entries after this one, and before those that it gets live, are part of the join's answer.
    recovers_after: Option<Seq>,
    mode: Mode,
}

/// What became of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// The socket has them.
    Delivered,
    /// They wait for a join's answer.
    Held,
    /// Nothing more can be taken.
    Nothing,
}

/// How a subscription ended a join.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unmuted {
    /// It is live.
    Live,
    /// The user was removed, or the socket went away, in the meantime.
    Gone,
}

/// Why there is no subscription.
#[derive(Debug)]
pub(crate) enum NotSubscribed {
    /// The feed was retired, or lost its position, in the meantime.
    TryAgain,
    /// The session may not.
    Refused(Refusal),
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
        held_bytes: usize,
        /// It was live before: a join that fails leaves it so.
        was_live: bool,
    },
}

#[derive(Debug)]
enum Held {
    Entry(Arc<Published>),
    /// The answer to one of the session's own sends, which comes after its entry.
    Receipt(Receipt, Arc<Published>),
}

/// Bytes of entries that a muted subscription holds at most: as much as may wait for a socket. A join that takes
/// longer than that loses its place.
const HELD_BYTES_MAX: usize = 4 * 1024 * 1024;

impl Subscription {
    /// A subscription of a join that begins.
    pub(super) fn new(
        session: Arc<Session>,
        subscriber: Arc<dyn Subscriber>,
        position: Seq,
        recovers_after: Option<Seq>,
    ) -> Self {
        let mode = Mode::muted(position, false);
        Self {
            session,
            subscriber,
            from: position,
            recovers_after,
            mode,
        }
    }

    pub(super) fn is_of(&self, session: &Arc<Session>) -> bool {
        Arc::ptr_eq(&self.session, session)
    }

    /// A further join begins.
    pub(super) fn mute(&mut self, position: Seq, recovers_after: Option<Seq>) {
        self.recovers_after = earliest(self.recovers_after, recovers_after);
        if let Mode::Live = self.mode {
            self.mode = Mode::muted(position, true);
        }
    }

    /// Whether it was live before the join that is under way.
    pub(super) fn was_live(&self) -> bool {
        matches!(self.mode, Mode::Live | Mode::Muted { was_live: true, .. })
    }

    /// Whether the session gets this entry through its joins.
    pub(super) fn covers(&self, seq: Seq) -> bool {
        seq >= self.from || self.recovers_after.is_some_and(|after| seq > after)
    }

    /// What the session got of the log through it, where it ends in front of `before`.
    pub(super) fn got(&self, before: Seq) -> Option<Got> {
        let live = self.from.previous();
        let after = self.recovers_after.map_or(live, |recovered| recovered.min(live));
        // A join that fails gave nothing.
        self.was_live().then_some(Got { after, before })
    }

    /// Whether this entry waits for the answer of a join, or is part of it.
    pub(super) fn holds_back(&self, seq: Seq) -> bool {
        let Mode::Muted { position, .. } = self.mode else {
            return false;
        };
        seq >= position || (seq < self.from && self.covers(seq))
    }

    /// Keeps the answer to a send until its entry is out.
    pub(super) fn hold(&mut self, receipt: Receipt, entry: Arc<Published>) {
        match &mut self.mode {
            Mode::Muted { held, .. } => held.push(Held::Receipt(receipt, entry)),
            Mode::Live => receipt.answer(Ok(Written::New(entry))),
        }
    }

    /// When the first of the answers that it keeps must be out.
    pub(super) fn due(&self) -> Option<Instant> {
        let Mode::Muted { held, .. } = &self.mode else {
            return None;
        };
        held.iter()
            .filter_map(|one| match one {
                Held::Receipt(receipt, _) => Some(receipt.deadline),
                Held::Entry(_) => None,
            })
            .min()
    }

    /// Takes entries.
    pub(super) fn take(&mut self, entries: &[Arc<Published>]) -> Taken {
        match &mut self.mode {
            Mode::Live => match self.subscriber.deliver(entries) {
                Ok(()) => Taken::Delivered,
                Err(Gone) => Taken::Nothing,
            },
            Mode::Muted { held, held_bytes, .. } if *held_bytes <= HELD_BYTES_MAX => {
                *held_bytes += entries.iter().map(|entry| entry.entry().weight()).sum::<usize>();
                held.extend(entries.iter().cloned().map(Held::Entry));
                Taken::Held
            }
            Mode::Muted { .. } => {
                self.subscriber.position_lost();
                Taken::Nothing
            }
        }
    }

    /// Passes on what is worth something only now; a socket that is about to join has no use for it.
    pub(super) fn signal(&self, signal: &Arc<Shared<Signal>>) {
        if matches!(self.mode, Mode::Live) {
            self.subscriber.signal(signal);
        }
    }

    /// Delivers what was held, each answer after its entry.
    pub(super) fn go_live(&mut self) -> Result<(), Gone> {
        let Mode::Muted { held, .. } = mem::replace(&mut self.mode, Mode::Live) else {
            return Ok(());
        };
        let mut result = Ok(());
        for one in held {
            match one {
                Held::Entry(entry) if result.is_ok() => {
                    result = deliver_one(&self.subscriber, &entry);
                }
                Held::Entry(_) => {}
                Held::Receipt(receipt, entry) => receipt.answer(Ok(Written::New(entry))),
            }
        }
        result
    }

    /// The subscription ends in the middle of a join: one that was live before gets what it would have had, and
    /// sends that wait are answered after their entries.
    pub(super) fn release(mut self) {
        if let Mode::Muted {
            held,
            was_live: false,
            ..
        } = &mut self.mode
        {
            for one in mem::take(held) {
                if let Held::Receipt(receipt, entry) = one {
                    let _ = deliver_one(&self.subscriber, &entry);
                    receipt.answer(Ok(Written::New(entry)));
                }
            }
        }
        // Its failing closes the socket, which is what is left to do.
        let _ = self.go_live();
    }
}

impl Mode {
    fn muted(position: Seq, was_live: bool) -> Self {
        Self::Muted {
            position,
            held: Vec::new(),
            held_bytes: 0,
            was_live,
        }
    }
}

/// The earlier of two places; one that is known is earlier than none.
fn earliest(one: Option<Seq>, other: Option<Seq>) -> Option<Seq> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
