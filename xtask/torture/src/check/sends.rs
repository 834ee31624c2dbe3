//! What the senders were told, against what is stored.

use std::collections::{BTreeMap, HashMap};

use super::{
    book::{Asked, Book},
    violation::{Kind, Violations},
};
use crate::{
    evidence::{Answer, Body, Entry, Record, What},
    log::Request,
};

type Answers<'a> = HashMap<(u64, u64), &'a Answer>;

pub(super) fn check(book: &Book<'_>, violations: &mut Violations) {
    for (&user, records) in &book.evidence.clients {
        let answers = first_answers(records);
        let messages = Book::messages(records);
        for ((group, content), asked) in &messages {
            let message = Message {
                book,
                user,
                group: *group,
                content,
                asked,
            };
            message.check(&answers, violations);
        }
        check_order(book, user, &messages, &answers, violations);
    }
}

/// By session and id.
fn first_answers(records: &[Record]) -> Answers<'_> {
    let mut answers = HashMap::new();
    for record in records {
        if let What::Answer(id, answer) = &record.what {
            answers.entry((record.session, *id)).or_insert(answer);
        }
    }
    answers
}

/// One message, with all requests that asked to send it.
struct Message<'a> {
    book: &'a Book<'a>,
    user: u64,
    group: u64,
    content: &'a str,
    asked: &'a [Asked<'a>],
}

impl Message<'_> {
    fn check(&self, answers: &Answers<'_>, violations: &mut Violations) {
        let mut first_results = 0;
        let mut may_be_stored = false;
        for (index, asked) in self.asked.iter().enumerate() {
            match answers.get(&(asked.session, asked.id)) {
                Some(Answer::Sent { message, duplicate }) => {
                    may_be_stored = true;
                    self.check_ack(message, asked.request, violations);
                    if *duplicate && index == 0 {
                        self.add(Kind::FalseAck, "a duplicate of nothing", violations);
                    }
                    first_results += usize::from(!duplicate);
                }
                Some(Answer::Refused(code)) => may_be_stored |= is_open(code),
                // Other answers are malformed ones, which are told elsewhere.
                Some(_) | None => may_be_stored = true,
            }
        }
        if first_results > 1 {
            self.add(Kind::FalseAck, "more than one answer calls it new", violations);
        }
        if !may_be_stored && self.book.place(self.group, self.content).is_some() {
            self.add(Kind::StoredThoughRefused, "every answer said no", violations);
        }
    }

    fn check_ack(&self, told: &Entry, request: &Request, violations: &mut Violations) {
        let is_asked = self.book.stored(told.group, told.seq).is_some_and(|stored| {
            matches!((&stored.body, request), (
                Body::Message { sender, content, client_message_id },
                Request::Send { group, content: sent, client_message_id: id },
            ) if *sender == self.user && told.group == *group && content == sent && client_message_id == id)
        });
        match self.book.place(self.group, self.content) {
            None => self.add(Kind::Lost, format!("acknowledged: {}", told.text), violations),
            Some(place) if told.group != self.group || told.seq != place => {
                let detail = format!("it is at {place}, acknowledged: {}", told.text);
                self.add(Kind::FalseAck, detail, violations);
            }
            Some(_) if !is_asked || !self.book.is_stored(told) => {
                self.add(Kind::Altered, format!("acknowledged: {}", told.text), violations);
            }
            Some(_) => {}
        }
    }

    fn add(&self, kind: Kind, what: impl AsRef<str>, violations: &mut Violations) {
        let detail = format!(
            "user {} to group {}, {:?}: {}",
            self.user,
            self.group,
            self.content,
            what.as_ref()
        );
        violations.add(kind, detail);
    }
}

/// Whether a refusal leaves open whether the message was stored.
pub(super) fn is_open(code: &str) -> bool {
    matches!(code, "unavailable" | "internal")
}

/// The messages of one socket to one group are stored in the order in which they were sent. Of a message that was
/// sent several times it is known which request stored it only where that one was told so.
fn check_order(
    book: &Book<'_>,
    user: u64,
    messages: &BTreeMap<(u64, &str), Vec<Asked<'_>>>,
    answers: &Answers<'_>,
    violations: &mut Violations,
) {
    // By session, group and id.
    let mut stored = BTreeMap::new();
    for ((group, content), asked) in messages {
        for request in asked {
            let answer = answers.get(&(request.session, request.id));
            let is_the_one =
                asked.len() == 1 || matches!(answer, Some(Answer::Sent { duplicate: false, .. }));
            if is_the_one && let Some(seq) = book.place(*group, content) {
                stored.insert((request.session, *group, request.id), seq);
            }
        }
    }
    for (((session, group, _), seq), ((next_session, next_group, id), next)) in
        stored.iter().zip(stored.iter().skip(1))
    {
        if (session, group) == (next_session, next_group) && next <= seq {
            let detail = format!(
                "user {user} in group {group}, session {session}: request {id} is at {next}, an earlier one at {seq}"
            );
            violations.add(Kind::Swapped, detail);
        }
    }
}
