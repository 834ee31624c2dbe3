//! Each request has one answer, in time, of a kind that fits.

use std::collections::HashMap;

use super::book::Book;
use super::violation::{Kind, Violations};
use crate::{
    evidence::{Answer, Record, What},
    log::Request,
};

/// The server promises 5 s; what is over it is the way there and back on a busy machine.
const IN_TIME_MS: u64 = 5_500;
/// The refusals that an honest client may meet.
const HONEST: [&str; 5] = [
    "unavailable",
    "shutting_down",
    "rate_limited",
    "internal",
    "not_a_member",
];

pub(super) fn check(book: &Book<'_>, violations: &mut Violations) {
    for (&user, records) in &book.evidence.clients {
        let mut client = Client {
            user,
            open: HashMap::new(),
            violations,
        };
        for record in records {
            client.take(record);
        }
        if !matches!(records.last(), Some(record) if matches!(record.what, What::Settled)) {
            client.add(Kind::Unsettled, "it did not come to an end");
        }
    }
}

struct Client<'a> {
    user: u64,
    /// The requests without an answer, by session and id: what and when.
    open: HashMap<(u64, u64), (&'a Request, u64)>,
    violations: &'a mut Violations,
}

impl<'a> Client<'a> {
    fn take(&mut self, record: &'a Record) {
        match &record.what {
            What::Request(id, request) => {
                self.open.insert((record.session, *id), (request, record.at));
            }
            What::Answer(id, answer) => self.answer(record, *id, answer),
            What::Ended => self.end(record),
            What::Refused(message) => self.add(Kind::WronglyRefused, format!("CONNECT: {message}")),
            What::Unexpected(what) => self.add(Kind::Unexpected, what),
            What::Connected | What::Live(_) | What::Removed(_) | What::Draining | What::Settled => {}
        }
    }

    fn answer(&mut self, record: &Record, id: u64, answer: &Answer) {
        let Some((request, asked)) = self.open.remove(&(record.session, id)) else {
            self.add(
                Kind::TwoAnswers,
                format!("session {}, request {id}: {answer:?}", record.session),
            );
            return;
        };
        let took = record.at.saturating_sub(asked);
        if took > IN_TIME_MS {
            self.add(Kind::Late, format!("after {took} ms: {request:?}"));
        }
        let fits = match answer {
            Answer::Refused(code) => {
                if !HONEST.contains(&code.as_str()) {
                    self.add(Kind::WronglyRefused, format!("{code}: {request:?}"));
                }
                true
            }
            Answer::Sent { .. } => matches!(request, Request::Send { .. }),
            Answer::Joined { .. } => matches!(request, Request::Join { .. }),
            Answer::Page { .. } => matches!(request, Request::Page { .. }),
            Answer::Left => matches!(request, Request::Leave { .. }),
            Answer::Malformed(_) => false,
        };
        if !fits {
            self.add(Kind::Unexpected, format!("{answer:?} to {request:?}"));
        }
    }

    /// What has no answer when the connection ends gets none; it must not have waited too long already.
    fn end(&mut self, record: &Record) {
        let mut late = Vec::new();
        self.open.retain(|(session, _), (request, asked)| {
            let is_over = *session == record.session;
            let waited = record.at.saturating_sub(*asked);
            if is_over && waited > IN_TIME_MS {
                late.push(format!("none after {waited} ms: {request:?}"));
            }
            !is_over
        });
        for detail in late {
            self.add(Kind::Late, detail);
        }
    }

    fn add(&mut self, kind: Kind, detail: impl AsRef<str>) {
        self.violations
            .add(kind, format!("user {}: {}", self.user, detail.as_ref()));
    }
}
