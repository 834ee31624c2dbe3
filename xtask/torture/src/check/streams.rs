//! What each client received, connection by connection, against the log.

use std::{
    collections::{HashMap, HashSet},
    ops::RangeInclusive,
};

use super::{
    book::Book,
    violation::{Kind, Violations},
};
use crate::{
    evidence::{Answer, Body, Entry, Record, What},
    log::{Change, Request},
};

pub(super) fn check(book: &Book<'_>, violations: &mut Violations) {
    for (&user, records) in &book.evidence.clients {
        let mut client = Client {
            book,
            user,
            session: 0,
            streams: HashMap::new(),
            requests: HashMap::new(),
            violations,
        };
        for record in records {
            client.take(record);
        }
    }
}

/// One group on one connection.
#[derive(Default)]
struct Stream<'a> {
    /// Where it stands between the answer to a join and the word that it is out.
    joined: Option<Joined>,
    /// The own messages that came, joined or not.
    own: HashSet<u64>,
    /// What the answers to joins cover, which do not come live besides.
    covered: Vec<RangeInclusive<u64>>,
    /// What was asked to send on this connection.
    sent: HashSet<&'a str>,
}

impl Stream<'_> {
    /// Whether an own message came already, or with the answer to a join.
    fn has_own(&self, seq: u64) -> bool {
        self.own.contains(&seq) || self.covered.iter().any(|covered| covered.contains(&seq))
    }
}

#[derive(Clone, Copy)]
struct Joined {
    head: u64,
    next: u64,
    /// The last entry was the removal of its own user: nothing of the group may follow.
    is_over: bool,
}

struct Client<'a> {
    book: &'a Book<'a>,
    user: u64,
    session: u64,
    streams: HashMap<u64, Stream<'a>>,
    requests: HashMap<u64, &'a Request>,
    violations: &'a mut Violations,
}

impl<'a> Client<'a> {
    fn take(&mut self, record: &'a Record) {
        match &record.what {
            What::Connected => {
                self.session = record.session;
                self.streams.clear();
                self.requests.clear();
            }
            What::Request(id, request) => {
                self.requests.insert(*id, request);
                if let Request::Send { group, content, .. } = request {
                    self.stream(*group).sent.insert(content);
                }
            }
            What::Answer(id, answer) => {
                if let Some(request) = self.requests.get(id).copied() {
                    self.answer(request, answer, record.at);
                }
            }
            What::Live(entry) => self.live(entry, record.at),
            What::Removed(group) => self.removed(*group),
            What::Refused(_) | What::Ended | What::Draining | What::Unexpected(_) | What::Settled => {}
        }
    }

    fn stream(&mut self, group: u64) -> &mut Stream<'a> {
        self.streams.entry(group).or_default()
    }

    fn live(&mut self, entry: &Entry, at: u64) {
        if !self.holds(entry) {
            return;
        }
        let (book, user) = (self.book, self.user);
        let body = book.stored(entry.group, entry.seq).map(|stored| &stored.body);
        let own = match body {
            Some(Body::Message { sender, content, .. }) if *sender == user => Some(content),
            _ => None,
        };
        let stream = self.stream(entry.group);
        let is_again = own.is_some() && !stream.own.insert(entry.seq);
        let is_first_copy = !is_again
            && own.is_some_and(|content| stream.sent.contains(content.as_str()))
            && !stream.covered.iter().any(|covered| covered.contains(&entry.seq));
        let Some(joined) = &mut stream.joined else {
            // Its own messages come to it without a join.
            if is_again {
                self.add(Kind::DoubleDelivery, entry, "its own, without a join");
            } else if own.is_none_or(|content| !self.stream(entry.group).sent.contains(content.as_str())) {
                self.add(Kind::Leaked, entry, "it has not joined");
            }
            return;
        };
        let Joined { head, next, is_over } = *joined;
        // A message that was sent on this connection and stored before it joined: no join told of it, so its copy comes
        // with its answer, however long that takes.
        if is_first_copy && entry.seq <= head && !is_over {
            return;
        }
        joined.next = entry.seq + 1;
        joined.is_over = body
            == Some(&Body::Member {
                change: Change::Remove,
                user,
            });
        if is_over {
            self.add(Kind::Leaked, entry, "after its own removal");
        } else if entry.seq > next {
            self.add(Kind::Gap, entry, format!("live, where {next} should come"));
        } else if entry.seq < next {
            self.add(
                Kind::DoubleDelivery,
                entry,
                format!("live, where {next} should come"),
            );
        } else if !book.may_get_live(entry, user, head, at) {
            self.add(Kind::Leaked, entry, format!("it is outside; joined at {head}"));
        }
    }

    fn removed(&mut self, group: u64) {
        let joined = self.stream(group).joined.take();
        if let Some(joined) = joined
            && !joined.is_over
        {
            let detail = format!(
                "user {} in group {group}, session {}: told to be out before its removal; next is {}",
                self.user, self.session, joined.next
            );
            self.violations.add(Kind::Gap, detail);
        }
    }

    fn answer(&mut self, request: &Request, answer: &Answer, at: u64) {
        match (request, answer) {
            (
                Request::Join { group, after_seq, .. },
                Answer::Joined {
                    head,
                    recovered,
                    entries,
                    has_more,
                },
            ) => {
                if *recovered != after_seq.is_some() {
                    let what = format!("recovered {recovered} after {after_seq:?}, head {head}");
                    self.add_at(Kind::NotRecovered, *group, what);
                }
                match after_seq {
                    Some(after) => {
                        self.stream(*group).covered.push(*after + 1..=*head);
                        self.page(*group, *after, entries, *head, *has_more, at);
                    }
                    None => self.page(*group, *head, entries, *head, *has_more, at),
                }
                self.join(*group, *head, at);
            }
            (
                Request::Page { group, after_seq, .. },
                Answer::Page {
                    head,
                    entries,
                    has_more,
                },
            ) => self.page(*group, *after_seq, entries, *head, *has_more, at),
            (Request::Leave { group }, Answer::Left) => self.stream(*group).joined = None,
            (
                Request::Send { .. },
                Answer::Sent {
                    message,
                    duplicate: false,
                },
            ) if !self.stream(message.group).has_own(message.seq) => {
                self.add(Kind::NoCopy, message, "acknowledged before the own copy");
            }
            _ => {}
        }
    }

    /// Joining again changes nothing: what comes live goes on behind the head that it tells.
    fn join(&mut self, group: u64, head: u64, at: u64) {
        let is_known = self.book.may_know(group, self.user, head, at);
        let joined = self.stream(group).joined.replace(Joined {
            head,
            next: head + 1,
            is_over: false,
        });
        if let Some(Joined { next, is_over, .. }) = joined {
            if is_over {
                self.add_at(
                    Kind::Leaked,
                    group,
                    format!("joined at {head}, after its removal at {}", next - 1),
                );
            } else if next <= head {
                self.add_at(
                    Kind::Gap,
                    group,
                    format!("joined again at {head}, but {next} never came live"),
                );
            } else if next > head + 1 {
                let what = format!("joined again at {head}, but {} came live already", next - 1);
                self.add_at(Kind::DoubleDelivery, group, what);
            }
        }
        if !is_known {
            self.add_at(
                Kind::Leaked,
                group,
                format!("joined at {head}, but it is outside"),
            );
        }
    }

    /// A range of the log, from behind `after` on.
    fn page(&mut self, group: u64, after: u64, entries: &[Entry], head: u64, has_more: bool, at: u64) {
        for (seq, entry) in (after + 1..).zip(entries) {
            if entry.group != group || entry.seq > seq {
                self.add(Kind::Gap, entry, format!("in a page, where {seq} should be"));
                return;
            } else if entry.seq < seq {
                self.add(
                    Kind::DoubleDelivery,
                    entry,
                    format!("in a page, where {seq} should be"),
                );
                return;
            }
            self.holds(entry);
        }
        let last = entries.last().map_or(after, |entry| entry.seq);
        if head > self.book.end(group) {
            self.add_at(Kind::Lost, group, format!("there was a head {head}"));
        }
        if has_more != (last < head) || (entries.is_empty() && has_more) {
            let what = format!("a page ends at {last}, the log at {head}, has_more {has_more}");
            self.add_at(Kind::Gap, group, what);
        }
        if !entries.is_empty() && !self.book.may_know(group, self.user, last, at) {
            self.add_at(
                Kind::Leaked,
                group,
                format!("a page up to {last}, but it is outside"),
            );
        }
    }

    /// Whether it is, byte for byte, what is stored there.
    fn holds(&mut self, entry: &Entry) -> bool {
        let kind = match self.book.stored(entry.group, entry.seq) {
            Some(stored) if stored.text == entry.text => return true,
            Some(_) => Kind::Altered,
            None => Kind::Foreign,
        };
        self.add(kind, entry, "received");
        false
    }

    fn add(&mut self, kind: Kind, entry: &Entry, what: impl AsRef<str>) {
        self.add_at(kind, entry.group, format!("{}: {}", what.as_ref(), entry.text));
    }

    fn add_at(&mut self, kind: Kind, group: u64, what: impl AsRef<str>) {
        let detail = format!(
            "user {} in group {group}, session {}: {}",
            self.user,
            self.session,
            what.as_ref()
        );
        self.violations.add(kind, detail);
    }
}
