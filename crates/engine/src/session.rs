//! A socket's session.

use std::{
    collections::{HashSet, VecDeque},
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use sealroom_domain::{
    DisplayName, ErrorCode, Extra, GroupId, LoginId, Principal, Rate, Refusal, RemovalReason, Seq, Timestamp,
    UserId,
};

use crate::{
    Subscriber,
    latch::Latch,
    metrics::METRICS,
    rates::{EventRate, EventVerdict},
    users_online::{OnlineUser, UsersOnline},
};

/// What the rules keep of one socket: whose it is, until when, which groups it has joined, how many of its sends
/// are under way. Ends with [`crate::Chat::close_session`] or when it is dropped.
#[derive(Debug)]
pub struct Session {
    user_id: UserId,
    lease: Mutex<Lease>,
    /// When the lease ends, in microseconds: asked for at each event, and so beside the lock.
    expires_at: AtomicI64,
    /// Whether the client was told that this lease ends.
    told_expiring: AtomicBool,
    /// Set for good when its token was taken back.
    revoked: Latch,
    events: Option<EventRate>,
    user: Arc<OnlineUser>,
    users: Arc<UsersOnline>,
    groups: Mutex<JoinedGroups>,
    /// Set when its place among the user's sockets is given back.
    exited: Latch,
    unacked: AtomicUsize,
    /// Weak: the subscriber holds the session.
    socket: OnceLock<Weak<dyn Subscriber>>,
}

/// What the token says that the session goes by, until it is refreshed.
#[derive(Debug)]
struct Lease {
    name: Option<DisplayName>,
    issued_at: Option<Timestamp>,
    login_id: Option<LoginId>,
}

impl From<Principal> for Lease {
    fn from(principal: Principal) -> Self {
        Self {
            name: principal.name,
            issued_at: principal.issued_at,
            login_id: principal.login_id,
        }
    }
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
    pub(crate) fn new(
        principal: Principal,
        user: Arc<OnlineUser>,
        users: Arc<UsersOnline>,
        events: Option<Rate>,
    ) -> Self {
        Self {
            user_id: principal.user_id,
            expires_at: AtomicI64::new(principal.expires_at.as_micros()),
            lease: Mutex::new(principal.into()),
            told_expiring: AtomicBool::new(false),
            revoked: Latch::default(),
            events: events.map(EventRate::new),
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
        self.user_id
    }

    /// When its token ends.
    pub fn expires_at(&self) -> Timestamp {
        Timestamp::from_micros(self.expires_at.load(Ordering::Relaxed))
    }

    /// Whether its client is to hear now that its token ends within `ahead`; `true` once for each token.
    pub fn tell_expiring(&self, now: Timestamp, ahead: Duration) -> bool {
        now.plus(ahead) >= self.expires_at() && !self.told_expiring.swap(true, Ordering::Relaxed)
    }

    /// Counts a request other than a send.
    pub fn count_event(&self) -> EventVerdict {
        self.events
            .as_ref()
            .map_or(EventVerdict::Allowed, EventRate::count)
    }

    /// It goes by another token of its user from now on.
    pub(crate) fn renew(&self, principal: Principal) {
        let mut lease = self.lease.lock();
        self.expires_at
            .store(principal.expires_at.as_micros(), Ordering::Relaxed);
        *lease = principal.into();
        self.told_expiring.store(false, Ordering::Relaxed);
    }

    /// Ends it for good, if it goes by a token that `ends` names.
    pub(crate) fn revoke_if(&self, ends: impl FnOnce(Option<Timestamp>, Option<LoginId>) -> bool) {
        let is_ended = {
            let lease = self.lease.lock();
            ends(lease.issued_at, lease.login_id)
        };
        if is_ended && self.revoked.set() {
            self.tell_revoked();
        }
    }

    fn tell_revoked(&self) {
        if let Some(socket) = self.socket.get().and_then(Weak::upgrade) {
            socket.revoked();
        }
    }

    /// Whether its token was taken back.
    pub fn is_revoked(&self) -> bool {
        self.revoked.is_set()
    }

    /// The socket, which also hears what concerns its user in groups that it has not joined.
    pub fn attach(&self, socket: &Arc<dyn Subscriber>) {
        // A second socket on one session would be a mistake of the transport; the first stays.
        let _ = self.socket.set(Arc::downgrade(socket));
        if self.is_revoked() {
            // Its token was taken back before there was anybody to tell.
            self.tell_revoked();
        }
    }

    /// Tells of a removal, unless the group is joined: then its feed does, at the removal's place.
    pub(crate) fn tell_removed(&self, group_id: GroupId, reason: RemovalReason) {
        let joined = self.groups.lock().joined.contains(&group_id);
        if !joined && let Some(socket) = self.socket.get().and_then(Weak::upgrade) {
            socket.removed_from_group(group_id, reason);
        }
    }

    /// Whether it has joined a group, or is about to.
    pub(crate) fn has_joined(&self, group_id: GroupId) -> bool {
        self.groups.lock().joined.contains(&group_id)
    }

    pub(crate) fn user(&self) -> &OnlineUser {
        &self.user
    }

    /// The name that others see on its messages: the host's, else the token's.
    pub(crate) fn sender_name(&self) -> DisplayName {
        self.user
            .host_name()
            .or_else(|| self.lease.lock().name.clone())
            .unwrap_or_else(DisplayName::unknown)
    }

    /// Refuses everything once the token was taken back, and from the moment on at which it ends.
    pub(crate) fn check_lease(&self, now: Timestamp) -> Result<(), Refusal> {
        if self.is_revoked() {
            Err(ErrorCode::TokenRevoked.into())
        } else if now >= self.expires_at() {
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
            self.users.exit(self.user_id);
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

    /// Its writes without an answer; [`sealroom_domain::Limits::unacked_sends`] bounds them.
    pub fn unacked(&self) -> usize {
        self.unacked.load(Ordering::Acquire)
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
