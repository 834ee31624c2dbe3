//! A socket's session.

use std::{
    collections::{HashSet, VecDeque},
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicUsize, Ordering},
    },
};

use parking_lot::Mutex;
use sealroom_domain::{
    DisplayName, ErrorCode, Extra, GroupId, Principal, Refusal, RemovalReason, Seq, Timestamp, UserId,
};

use crate::{
    Subscriber,
    latch::Latch,
    metrics::METRICS,
    users_online::{OnlineUser, UsersOnline},
};

/// What the rules keep of one socket: whose it is, until when, which groups it has joined, how many of its sends
/// are under way. Ends with [`crate::Chat::close_session`] or when it is dropped.
#[derive(Debug)]
pub struct Session {
    principal: Principal,
    user: Arc<OnlineUser>,
    users: Arc<UsersOnline>,
    groups: Mutex<JoinedGroups>,
    /// Set when its place among the user's sockets is given back.
    exited: Latch,
    unacked: AtomicUsize,
    /// Weak: the subscriber holds the session.
    socket: OnceLock<Weak<dyn Subscriber>>,
}

#[derive(Debug, Default)]
struct JoinedGroups {
    closed: bool,
    joined: HashSet<GroupId>,
    /// What it got of groups that it has left, for as long as a send is under way: the own entry of one may be among
    /// it, and must not come again with the answer.
    got: VecDeque<(GroupId, Got)>,
}

/// The entries of a log that a subscription gave to its session: those between these two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Got {
    pub(crate) after: Seq,
    pub(crate) before: Seq,
}

/// Groups left with a send under way that a session remembers at most.
const GOT_MAX: usize = 64;

impl Session {
    pub(crate) fn new(principal: Principal, user: Arc<OnlineUser>, users: Arc<UsersOnline>) -> Self {
        Self {
            principal,
            user,
            users,
            groups: Mutex::default(),
            exited: Latch::default(),
            unacked: AtomicUsize::new(0),
            socket: OnceLock::new(),
        }
    }

    /// Whose socket it is.
    pub fn user_id(&self) -> UserId {
        self.principal.user_id
    }

    /// When its token ends.
    pub fn expires_at(&self) -> Timestamp {
        self.principal.expires_at
    }

    /// The socket, which also hears what concerns its user in groups that it has not joined.
    pub fn attach(&self, socket: &Arc<dyn Subscriber>) {
        // A second socket on one session would be a mistake of the transport; the first stays.
        let _ = self.socket.set(Arc::downgrade(socket));
    }

    /// Tells of a removal, unless the group is joined: then its feed does, at the removal's place.
    pub(crate) fn tell_removed(&self, group_id: GroupId, reason: RemovalReason) {
        let joined = self.groups.lock().joined.contains(&group_id);
        if !joined && let Some(socket) = self.socket.get().and_then(Weak::upgrade) {
            socket.removed_from_group(group_id, reason);
        }
    }

    pub(crate) fn principal(&self) -> &Principal {
        &self.principal
    }

    pub(crate) fn user(&self) -> &OnlineUser {
        &self.user
    }

    /// The name that others see on its messages: the host's, else the token's.
    pub(crate) fn sender_name(&self) -> DisplayName {
        self.user
            .host_name()
            .or_else(|| self.principal.name.clone())
            .unwrap_or_else(DisplayName::unknown)
    }

    /// Refuses everything from the moment on at which the token ends.
    pub(crate) fn check_lease(&self, now: Timestamp) -> Result<(), Refusal> {
        if self.principal.is_expired(now) {
            Err(ErrorCode::TokenExpired.into())
        } else {
            Ok(())
        }
    }

    /// Notes a group as joined, also while the join is under way. The feeds alone call this and [`Session::exit`],
    /// with the feed locked: so what is noted here is what is subscribed there.
    pub(crate) fn enter(&self, group_id: GroupId, limit: Option<usize>) -> Result<(), Refusal> {
        let mut groups = self.groups.lock();
        if groups.closed {
            return Err(Refusal::unavailable());
        }
        if let Some(limit) = limit
            && groups.joined.len() >= limit
            && !groups.joined.contains(&group_id)
        {
            return Err(Refusal::new(ErrorCode::LimitExceeded).with(Extra::Limit(limit)));
        }
        if groups.joined.insert(group_id) {
            METRICS.subscriptions.increment(1.0);
        }
        Ok(())
    }

    /// Notes a group as left, and what the session got of it.
    pub(crate) fn exit(&self, group_id: GroupId, got: Option<Got>) {
        let mut groups = self.groups.lock();
        if groups.joined.remove(&group_id) {
            METRICS.subscriptions.decrement(1.0);
        }
        // The send ends with its answer, which comes after this or has come.
        if let Some(got) = got
            && self.unacked.load(Ordering::Acquire) > 0
        {
            if groups.got.len() == GOT_MAX {
                groups.got.pop_front();
            }
            groups.got.push_back((group_id, got));
        }
    }

    /// Whether it got an entry through a subscription that has ended.
    pub(crate) fn has_got(&self, group_id: GroupId, seq: Seq) -> bool {
        let groups = self.groups.lock();
        let mut got = groups.got.iter().filter(|(id, _)| *id == group_id);
        got.any(|(_, got)| got.after < seq && seq < got.before)
    }

    /// Nothing can be joined from here on, and the place among the user's sockets is given back. Answers what is
    /// joined, for the caller to leave.
    pub(crate) fn close(&self) -> Vec<GroupId> {
        self.give_place_back();
        let mut groups = self.groups.lock();
        groups.closed = true;
        groups.joined.iter().copied().collect()
    }

    fn give_place_back(&self) {
        if self.exited.set() {
            self.users.exit(self.principal.user_id);
        }
    }

    /// Takes one of the places for sends without an answer. [`Session::end_send`] gives it back.
    pub(crate) fn begin_send(&self, limit: Option<usize>) -> bool {
        let before = self.unacked.fetch_add(1, Ordering::AcqRel);
        let allowed = limit.is_none_or(|limit| before < limit);
        if !allowed {
            self.end_send();
        }
        allowed
    }

    pub(crate) fn end_send(&self) {
        if self.unacked.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.groups.lock().got.clear();
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.give_place_back();
    }
}
