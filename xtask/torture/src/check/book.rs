//! The evidence with indexes: what is asked again and again.

use std::collections::{BTreeMap, HashMap};

use crate::{
    evidence::{Body, Entry, Evidence, Record, Stored, What},
    log::{Change, Request},
};

/// Clocks that are read apart may differ by this many milliseconds on one machine.
const CLOCKS: u64 = 50;

/// A message as it was asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) session: u64,
    pub(super) id: u64,
    pub(super) request: &'a Request,
}

/// A change of one member's membership, in the log.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turn {
    pub(super) seq: u64,
    pub(super) is_member: bool,
    at: u64,
}

#[derive(Debug)]
pub(super) struct Book<'a> {
    pub(super) evidence: &'a Evidence,
    /// By group and user, ascending.
    turns: HashMap<(u64, u64), Vec<Turn>>,
    /// Where each content of a group is.
    places: HashMap<(u64, &'a str), u64>,
}

impl<'a> Book<'a> {
    pub(super) fn new(evidence: &'a Evidence) -> Self {
        let mut book = Self {
            evidence,
            turns: HashMap::new(),
            places: HashMap::new(),
        };
        for (&group, log) in &evidence.truth {
            for (seq, stored) in (1..).zip(log) {
                match &stored.body {
                    Body::Message { content, .. } => {
                        book.places.entry((group, content)).or_insert(seq);
                    }
                    Body::Member { change, user } => {
                        let turn = Turn {
                            seq,
                            is_member: *change == Change::Add,
                            at: stored.at,
                        };
                        book.turns.entry((group, *user)).or_default().push(turn);
                    }
                    Body::Other => {}
                }
            }
        }
        book
    }

    /// The entry at a place.
    pub(super) fn stored(&self, group: u64, seq: u64) -> Option<&'a Stored> {
        let index = usize::try_from(seq.checked_sub(1)?).ok()?;
        self.evidence.truth.get(&group)?.get(index)
    }

    /// Whether this is what is stored at its place.
    pub(super) fn is_stored(&self, entry: &Entry) -> bool {
        let stored = self.stored(entry.group, entry.seq);
        stored.is_some_and(|stored| stored.text == entry.text)
    }

    /// The place of a content.
    pub(super) fn place(&self, group: u64, content: &str) -> Option<u64> {
        self.places.get(&(group, content)).copied()
    }

    /// The end of a log.
    pub(super) fn end(&self, group: u64) -> u64 {
        let log = self.evidence.truth.get(&group);
        log.map_or(0, |log| u64::try_from(log.len()).unwrap_or(u64::MAX))
    }

    pub(super) fn turns(&self, group: u64, user: u64) -> &[Turn] {
        self.turns.get(&(group, user)).map_or(&[], Vec::as_slice)
    }

    /// Everybody, by group and user, whose membership has changed.
    pub(super) fn changed(&self) -> impl Iterator<Item = (u64, u64)> {
        self.turns.keys().copied()
    }

    /// Whether a user is a member right before an entry.
    pub(super) fn is_member_before(&self, group: u64, user: u64, seq: u64) -> bool {
        last_before(self.turns(group, user), seq).is_some_and(|turn| turn.is_member)
    }

    /// Whether a user may have been told at `at` what the log holds up to `seq`: it is a member there, or had been
    /// added again by then.
    pub(super) fn may_know(&self, group: u64, user: u64, seq: u64, at: u64) -> bool {
        let turns = self.turns(group, user);
        match last_before(turns, seq + 1) {
            Some(turn) if turn.is_member => true,
            _ => was_added(turns, seq + 1, at),
        }
    }

    /// Whether a user may have got this entry live at `at` through a join that told `head`. The last removal ends what
    /// was joined before it; a join behind it is that of one who was added again in the store already, while the feed
    /// was still to tell it.
    pub(super) fn may_get_live(&self, entry: &Entry, user: u64, head: u64, at: u64) -> bool {
        let turns = self.turns(entry.group, user);
        match last_before(turns, entry.seq) {
            Some(turn) if turn.is_member => true,
            Some(turn) => turn.seq <= head && was_added(turns, entry.seq, at),
            None => was_added(turns, entry.seq, at),
        }
    }

    /// Every message that a client asked to send, by group and content, with the requests in their order.
    pub(super) fn messages(records: &'a [Record]) -> BTreeMap<(u64, &'a str), Vec<Asked<'a>>> {
        let mut messages: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for record in records {
            if let What::Request(id, request @ Request::Send { group, content, .. }) = &record.what {
                messages
                    .entry((*group, content.as_str()))
                    .or_default()
                    .push(Asked {
                        session: record.session,
                        id: *id,
                        request,
                    });
            }
        }
        messages
    }
}

fn last_before(turns: &[Turn], seq: u64) -> Option<&Turn> {
    turns.iter().take_while(|turn| turn.seq < seq).last()
}

/// Whether an entry from `seq` on adds the user, and was taken by `at`.
fn was_added(turns: &[Turn], seq: u64, at: u64) -> bool {
    turns
        .iter()
        .any(|turn| turn.seq >= seq && turn.is_member && turn.at <= at + CLOCKS)
}
