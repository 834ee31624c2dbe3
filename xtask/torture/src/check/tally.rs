//! What a run comes to, in numbers.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::{book::Book, sends};
use crate::{
    evidence::{Answer, Evidence, Record, What},
    log::Fault,
};

/// The numbers of a run.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// SIGKILLs of the server.
    pub kills: usize,
    /// SIGTERMs of the server.
    pub drains: usize,
    /// Restarts of the database.
    pub database_restarts: usize,
    /// Pauses of the database.
    pub database_pauses: usize,
    /// Connections to the database that were ended.
    pub terminated_backends: u64,
    /// The slowest start of the server.
    pub slowest_start_ms: u64,
    /// Connections of clients.
    pub sessions: usize,
    /// Different messages.
    pub messages_sent: usize,
    /// Those that were acknowledged.
    pub messages_acknowledged: usize,
    /// Answers with `duplicate: true`.
    pub duplicate_answers: usize,
    /// Messages of which one request had no certain outcome, and a later one told it.
    pub unknown_settled: usize,
    /// Messages of which nobody was told whether they were stored.
    pub unknown_left: usize,
    /// Of these, those that were.
    pub unknown_left_stored: usize,
    /// Entries of the logs at the end.
    pub entries: usize,
    /// Entries that came live.
    pub live_deliveries: usize,
    /// Entries that came with joins and pages.
    pub read_deliveries: usize,
    /// Changes of members that were asked.
    pub member_changes: usize,
    /// Requests that were answered.
    pub answers: usize,
    /// The longest time from a request to its answer.
    pub slowest_answer_ms: u64,
    /// Refusals by their code.
    pub refusals: BTreeMap<String, usize>,
}

impl Tally {
    pub(super) fn new(evidence: &Evidence) -> Self {
        let mut tally = Self {
            slowest_start_ms: evidence.starts.iter().copied().max().unwrap_or_default(),
            entries: evidence.truth.values().map(Vec::len).sum(),
            member_changes: evidence.members.len(),
            ..Self::default()
        };
        for fault in &evidence.faults {
            tally.fault(*fault);
        }
        let book = Book::new(evidence);
        for records in evidence.clients.values() {
            let answers = tally.answers(records);
            tally.messages(&book, records, &answers);
        }
        tally
    }

    fn fault(&mut self, fault: Fault) {
        match fault {
            Fault::Kill => self.kills += 1,
            Fault::Drain => self.drains += 1,
            Fault::DatabaseRestart => self.database_restarts += 1,
            Fault::DatabasePause { .. } => self.database_pauses += 1,
            Fault::Backends { count } => self.terminated_backends += count,
        }
    }

    /// Counts what came; gives the answers by session and id.
    fn answers<'a>(&mut self, records: &'a [Record]) -> HashMap<(u64, u64), &'a Answer> {
        let (mut asked, mut answers) = (HashMap::new(), HashMap::new());
        for record in records {
            match &record.what {
                What::Connected => self.sessions += 1,
                What::Request(id, _) => {
                    asked.insert((record.session, *id), record.at);
                }
                What::Live(_) => self.live_deliveries += 1,
                What::Answer(id, answer) => {
                    self.answers += 1;
                    if let Some(asked) = asked.remove(&(record.session, *id)) {
                        self.slowest_answer_ms = self.slowest_answer_ms.max(record.at.saturating_sub(asked));
                    }
                    self.answer(answer);
                    answers.insert((record.session, *id), answer);
                }
                _ => {}
            }
        }
        answers
    }

    fn answer(&mut self, answer: &Answer) {
        match answer {
            Answer::Joined { entries, .. } | Answer::Page { entries, .. } => {
                self.read_deliveries += entries.len();
            }
            Answer::Sent { duplicate: true, .. } => self.duplicate_answers += 1,
            Answer::Refused(code) => *self.refusals.entry(code.clone()).or_default() += 1,
            Answer::Sent { .. } | Answer::Left | Answer::Malformed(_) => {}
        }
    }

    fn messages(&mut self, book: &Book<'_>, records: &[Record], answers: &HashMap<(u64, u64), &Answer>) {
        for ((group, content), asked) in Book::messages(records) {
            let (mut is_told, mut is_open) = (false, false);
            for asked in asked {
                match answers.get(&(asked.session, asked.id)) {
                    Some(Answer::Sent { .. }) => is_told = true,
                    Some(Answer::Refused(code)) => is_open |= sends::is_open(code),
                    _ => is_open = true,
                }
            }
            self.messages_sent += 1;
            self.messages_acknowledged += usize::from(is_told);
            self.unknown_settled += usize::from(is_told && is_open);
            if is_open && !is_told {
                self.unknown_left += 1;
                self.unknown_left_stored += usize::from(book.place(group, content).is_some());
            }
        }
    }
}
