//! What a client has of one group's log.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::log::Request;

/// A copy of a log, kept by the recovery promise. It trusts the server: whether that was right is seen afterwards.
#[derive(Debug, Default)]
pub(super) struct Copy {
    /// Whether it wants to be in the group.
    pub(super) is_wanted: bool,
    /// Whether it was told that it is not a member.
    pub(super) is_outside: bool,
    /// It has everything from 1 up to here.
    pub(super) have: u64,
    pub(super) joined: Joined,
    log_id: Option<String>,
    is_reading: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Joined {
    #[default]
    No,
    Asked,
    /// What comes live follows the head, and has come up to `live`.
    Yes {
        head: u64,
        live: u64,
    },
}

#[derive(Deserialize)]
struct Answer {
    success: bool,
    code: Option<String>,
    head_seq: Option<u64>,
    log_id: Option<String>,
    recovered: Option<bool>,
    #[serde(default)]
    entries: Vec<Place>,
}

#[derive(Deserialize)]
struct Place {
    seq: u64,
}

impl Copy {
    pub(super) fn new(is_wanted: bool) -> Self {
        Self {
            is_wanted,
            ..Self::default()
        }
    }

    /// Forgets what belonged to a connection.
    pub(super) fn disconnect(&mut self) {
        self.joined = Joined::No;
        self.is_outside = false;
        self.is_reading = false;
    }

    /// A join that asks for what is missing, or only for what comes.
    pub(super) fn join(&mut self, group: u64, recovers: bool, limit: u64) -> Request {
        if self.joined == Joined::No {
            self.joined = Joined::Asked;
        }
        Request::Join {
            group,
            after_seq: recovers.then_some(self.have),
            log_id: self.log_id.clone().filter(|_| recovers),
            limit,
        }
    }

    /// The next page, where something is missing in front of what comes live.
    pub(super) fn page(&mut self, group: u64, limit: u64) -> Option<Request> {
        if self.is_reading || !matches!(self.joined, Joined::Yes { head, .. } if self.have < head) {
            return None;
        }
        self.is_reading = true;
        Some(Request::Page {
            group,
            after_seq: self.have,
            limit,
        })
    }

    /// Whether nothing is missing, or it knows that it is outside.
    pub(super) fn is_settled(&self) -> bool {
        match self.joined {
            Joined::No => self.is_outside || !self.is_wanted,
            Joined::Asked => false,
            Joined::Yes { head, .. } => self.have >= head,
        }
    }

    /// The answer to a join, a leave or a page.
    pub(super) fn answer(&mut self, request: &Request, body: &RawValue) {
        if matches!(request, Request::Page { .. }) {
            self.is_reading = false;
        }
        let Ok(answer) = serde_json::from_str::<Answer>(body.get()) else {
            return;
        };
        if !answer.success {
            self.refused(request, answer.code.as_deref());
            return;
        }
        match request {
            Request::Join { after_seq, .. } => {
                let head = answer.head_seq.unwrap_or_default();
                if after_seq.is_some() && answer.recovered == Some(false) {
                    self.have = 0;
                }
                self.log_id = answer.log_id.or(self.log_id.take());
                self.is_outside = false;
                self.is_wanted = true;
                self.joined = Joined::Yes { head, live: head };
                self.read(&answer.entries);
            }
            Request::Page { .. } => self.read(&answer.entries),
            Request::Leave { .. } => self.joined = Joined::No,
            Request::Send { .. } => {}
        }
    }

    fn refused(&mut self, request: &Request, code: Option<&str>) {
        self.is_outside |= code == Some("not_a_member");
        if self.is_outside || (matches!(request, Request::Join { .. }) && self.joined == Joined::Asked) {
            self.joined = Joined::No;
        }
    }

    fn read(&mut self, entries: &[Place]) {
        for entry in entries {
            if entry.seq == self.have + 1 {
                self.have = entry.seq;
            }
        }
        self.catch_up();
    }

    /// An entry came live.
    pub(super) fn live(&mut self, payload: &RawValue) {
        let Ok(place) = serde_json::from_str::<Place>(payload.get()) else {
            return;
        };
        if let Joined::Yes { live, .. } = &mut self.joined
            && place.seq == *live + 1
        {
            *live = place.seq;
        }
        self.catch_up();
    }

    fn catch_up(&mut self) {
        if let Joined::Yes { head, live } = self.joined
            && self.have >= head
        {
            self.have = self.have.max(live);
        }
    }

    /// It was told to be out.
    pub(super) fn removed(&mut self) {
        self.joined = Joined::No;
        self.is_outside = true;
    }
}
