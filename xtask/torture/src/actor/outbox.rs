//! The messages of a client, and what became of them.

use std::collections::VecDeque;

use fastrand::Rng;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::log::Request;

/// How many acknowledged messages are kept for retries that nobody needs.
const REMEMBERED: usize = 50;
/// What the contents are made of besides letters: whatever a careless encoder would spoil.
const SPICES: [&str; 8] = ["\"", "\\", "\n", "é", "😀", "\u{7f}", "</", "\u{2028}"];

#[derive(Debug, Default)]
pub(super) struct Outbox {
    count: u64,
    /// To be asked again: no answer, or one that leaves open whether the message was stored.
    retries: VecDeque<Request>,
    /// Acknowledged with a `client_message_id`.
    acknowledged: VecDeque<Request>,
}

/// What an answer means for the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Acknowledged,
    NotAMember,
    /// Nothing is certain, or it may be asked again.
    Open,
    /// Not now and not later.
    Refused,
}

#[derive(Deserialize)]
struct Answer {
    success: bool,
    code: Option<String>,
    retryable: Option<bool>,
}

impl Outbox {
    /// A message that was never sent; one in eight has no `client_message_id`.
    pub(super) fn write(&mut self, user: u64, group: u64, random: &mut Rng) -> Request {
        self.count += 1;
        let count = self.count;
        let mut content = format!("u{user} g{group} n{count} ");
        for _ in 0..random.usize(0..6) {
            content.push_str(random.choice(SPICES).unwrap_or_default());
            content.extend(std::iter::repeat_with(|| random.alphanumeric()).take(8));
        }
        let has_id = random.u8(..) >= 32;
        Request::Send {
            group,
            content,
            client_message_id: has_id.then(|| format!("{user}-{count}")),
        }
    }

    /// Takes what has to be asked again.
    pub(super) fn take_retry(&mut self) -> Option<Request> {
        self.retries.pop_front()
    }

    /// Something that was acknowledged long ago.
    pub(super) fn known(&self, random: &mut Rng) -> Option<Request> {
        random.choice(self.acknowledged.iter()).cloned()
    }

    pub(super) fn has_retries(&self) -> bool {
        !self.retries.is_empty()
    }

    /// No answer came, and none will. Without a `client_message_id` it is never known.
    pub(super) fn unanswered(&mut self, request: Request) {
        if has_id(&request) {
            self.retries.push_back(request);
        }
    }

    pub(super) fn answered(&mut self, request: Request, body: &RawValue) -> Outcome {
        let outcome = outcome(body);
        match outcome {
            Outcome::Open => self.unanswered(request),
            Outcome::Acknowledged if has_id(&request) => {
                self.acknowledged.push_back(request);
                if self.acknowledged.len() > REMEMBERED {
                    self.acknowledged.pop_front();
                }
            }
            Outcome::Acknowledged | Outcome::NotAMember | Outcome::Refused => {}
        }
        outcome
    }
}

fn has_id(request: &Request) -> bool {
    matches!(
        request,
        Request::Send {
            client_message_id: Some(_),
            ..
        }
    )
}

fn outcome(body: &RawValue) -> Outcome {
    match serde_json::from_str::<Answer>(body.get()) {
        Ok(answer) if answer.success => Outcome::Acknowledged,
        Ok(answer) if answer.code.as_deref() == Some("not_a_member") => Outcome::NotAMember,
        Ok(answer) if answer.retryable == Some(true) => Outcome::Open,
        Ok(_) | Err(_) => Outcome::Refused,
    }
}
