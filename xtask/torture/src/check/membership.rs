//! Changes of members: what was asked is in the logs, and requests are judged by it.

use std::collections::{BTreeMap, HashMap};

use super::{
    book::Book,
    violation::{Kind, Violations},
};
use crate::{
    evidence::{Answer, MemberCall, Record, What},
    log::Change,
};

/// A call without a certain outcome may take effect later, though not much later.
const SETTLED_MS: u64 = 30_000;
/// Answers over HTTP come within 15 s.
const IN_TIME_MS: u64 = 15_500;

pub(super) fn check(book: &Book<'_>, violations: &mut Violations) {
    let mut calls: BTreeMap<_, Vec<&MemberCall>> = BTreeMap::new();
    for call in &book.evidence.members {
        calls.entry((call.group, call.user)).or_default().push(call);
        if let Some((answered, status)) = call.answered
            && (answered.saturating_sub(call.asked) > IN_TIME_MS || !is_honest(call.change, status))
        {
            violations.add(Kind::Membership, format!("a wrong or late answer: {call:?}"));
        }
    }
    for (&(group, user), calls) in &calls {
        check_entries(book, group, user, calls, violations);
    }
    for (group, user) in book.changed() {
        if !calls.contains_key(&(group, user)) {
            let detail = format!("group {group}: nobody asked to change user {user}");
            violations.add(Kind::Foreign, detail);
        }
    }
    let spans: HashMap<_, _> = calls
        .iter()
        .map(|(place, calls)| (*place, spans(calls)))
        .collect();
    for (&user, records) in &book.evidence.clients {
        check_requests(user, records, &spans, violations);
    }
}

fn is_honest(change: Change, status: u16) -> bool {
    match (change, status) {
        (Change::Add, 200) | (Change::Remove, 204 | 404) => true,
        (_, status) => (500..600).contains(&status),
    }
}

/// The log has what was answered, and nothing that was not asked; somebody who is a member is not added.
fn check_entries(book: &Book<'_>, group: u64, user: u64, calls: &[&MemberCall], violations: &mut Violations) {
    let turns = book.turns(group, user);
    let mut is_member = false;
    for turn in turns {
        if turn.is_member == is_member {
            let detail = format!(
                "user {user} in group {group}: the same change once more at {}",
                turn.seq
            );
            violations.add(Kind::Membership, detail);
        }
        is_member = turn.is_member;
    }
    let removals = turns.iter().filter(|turn| !turn.is_member).count();
    let asked = calls.iter().filter(|call| call.change == Change::Remove);
    let answered = asked
        .clone()
        .filter(|call| matches!(call.answered, Some((_, 204))))
        .count();
    let asked = asked.count();
    if removals < answered || removals > asked {
        let detail = format!(
            "user {user} in group {group}: {removals} removals in the log, {asked} asked, {answered} answered"
        );
        violations.add(Kind::Membership, detail);
    }
}

/// A time in which it is certain whether a user is a member.
#[derive(Debug, Clone, Copy)]
struct Span {
    from: u64,
    /// When the next change was asked.
    to: u64,
    is_member: bool,
}

fn spans(calls: &[&MemberCall]) -> Vec<Span> {
    let first = calls.first().map_or(u64::MAX, |call| call.asked);
    let mut spans = vec![Span {
        from: 0,
        to: first,
        is_member: false,
    }];
    let mut doubtful_until = 0;
    for (index, call) in calls.iter().enumerate() {
        match call.answered {
            Some((answered, 200 | 204 | 404)) => spans.push(Span {
                from: answered.max(doubtful_until),
                to: calls.get(index + 1).map_or(u64::MAX, |next| next.asked),
                is_member: call.change == Change::Add,
            }),
            _ => doubtful_until = call.asked + SETTLED_MS,
        }
    }
    spans
}

/// Whoever is certainly outside is refused, and whoever is certainly a member is not.
fn check_requests(
    user: u64,
    records: &[Record],
    spans: &HashMap<(u64, u64), Vec<Span>>,
    violations: &mut Violations,
) {
    let never = [Span {
        from: 0,
        to: u64::MAX,
        is_member: false,
    }];
    let mut asked = HashMap::new();
    for record in records {
        match &record.what {
            What::Request(id, request) => {
                asked.insert((record.session, *id), (request, record.at));
            }
            What::Answer(id, answer) => {
                let Some((request, from)) = asked.remove(&(record.session, *id)) else {
                    continue;
                };
                let spans = spans
                    .get(&(request.group(), user))
                    .map_or(never.as_slice(), Vec::as_slice);
                let span = spans
                    .iter()
                    .rfind(|span| span.from <= from && record.at <= span.to);
                if let Some(kind) = span.and_then(|span| judge(*span, answer)) {
                    let detail = format!(
                        "user {user}, session {}: {request:?} got {answer:?}",
                        record.session
                    );
                    violations.add(kind, detail);
                }
            }
            _ => {}
        }
    }
}

fn judge(span: Span, answer: &Answer) -> Option<Kind> {
    if span.is_member {
        let is_wrong = matches!(answer, Answer::Refused(code) if code == "not_a_member");
        return is_wrong.then_some(Kind::WronglyRefused);
    }
    match answer {
        // A retry may be told what it was told before.
        Answer::Sent { duplicate, .. } => (!duplicate).then_some(Kind::Leaked),
        Answer::Joined { .. } | Answer::Page { .. } => Some(Kind::Leaked),
        // Leaving is harmless for everybody.
        Answer::Left | Answer::Refused(_) | Answer::Malformed(_) => None,
    }
}
