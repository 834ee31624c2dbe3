//! The logs by themselves: numbered without a gap, each message once, and sent by somebody who could.

use std::collections::{HashMap, HashSet};

use super::{
    book::{Asked, Book},
    violation::{Kind, Violations},
};
use crate::{
    evidence::{Body, Stored},
    log::Request,
};

pub(super) fn check(book: &Book<'_>, violations: &mut Violations) {
    let mut sent = HashMap::new();
    for (&user, records) in &book.evidence.clients {
        for ((group, content), asked) in Book::messages(records) {
            sent.insert((group, content), (user, asked));
        }
    }
    for (&group, log) in &book.evidence.truth {
        let mut seen = Seen::default();
        for (seq, stored) in (1..).zip(log) {
            if stored.seq != seq {
                violations.add(
                    Kind::LogGap,
                    format!("group {group}: {} where {seq} should be", stored.seq),
                );
            }
            seen.check(book, group, seq, stored, violations);
            check_origin(group, seq, stored, &sent, violations);
        }
    }
}

/// What one log has held so far.
#[derive(Default)]
struct Seen<'a> {
    contents: HashSet<&'a str>,
    client_ids: HashSet<(u64, &'a str)>,
}

impl<'a> Seen<'a> {
    fn check(
        &mut self,
        book: &Book<'_>,
        group: u64,
        seq: u64,
        stored: &'a Stored,
        violations: &mut Violations,
    ) {
        let Body::Message {
            sender,
            content,
            client_message_id,
        } = &stored.body
        else {
            return;
        };
        let again_id = client_message_id
            .as_deref()
            .is_some_and(|id| !self.client_ids.insert((*sender, id)));
        if !self.contents.insert(content) || again_id {
            violations.add(
                Kind::Doubled,
                format!("group {group}: stored once more at {seq}: {}", stored.text),
            );
        }
        if !book.is_member_before(group, *sender, seq) {
            violations.add(
                Kind::Leaked,
                format!(
                    "group {group}: user {sender} is outside at {seq}: {}",
                    stored.text
                ),
            );
        }
    }
}

/// What is stored was sent, by this sender and with this id.
fn check_origin(
    group: u64,
    seq: u64,
    stored: &Stored,
    sent: &HashMap<(u64, &str), (u64, Vec<Asked<'_>>)>,
    violations: &mut Violations,
) {
    match &stored.body {
        Body::Message {
            sender,
            content,
            client_message_id,
        } => {
            let known = sent.get(&(group, content.as_str()));
            let is_sent = known.is_some_and(|(user, asked)| {
                user == sender
                    && asked.iter().any(|asked| {
                        matches!(asked.request, Request::Send { client_message_id: id, .. } if id == client_message_id)
                    })
            });
            if !is_sent {
                violations.add(
                    Kind::Foreign,
                    format!("group {group}: nobody sent what is at {seq}: {}", stored.text),
                );
            }
        }
        // Held against the calls in `membership`.
        Body::Member { .. } => {}
        Body::Other => violations.add(
            Kind::Foreign,
            format!(
                "group {group}: nobody asked for what is at {seq}: {}",
                stored.text
            ),
        ),
    }
}
