//! The users with sockets on this server.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

use parking_lot::Mutex;
use sealroom_domain::{
    DisplayName, ErrorCode, GroupId, LoginId, Principal, Refusal, RemovalReason, Timestamp, UserId,
};

use crate::Session;

/// Who is online, with what all sockets of a user share.
#[derive(Debug, Default)]
pub(crate) struct UsersOnline {
    users: Mutex<HashMap<UserId, OnlineEntry>>,
}

#[derive(Debug)]
struct OnlineEntry {
    user: Arc<OnlineUser>,
    sockets: usize,
}

/// What all sockets of a user share.
#[derive(Debug, Default)]
pub(crate) struct OnlineUser {
    name: Mutex<HostName>,
    sessions: Mutex<Sessions>,
}

/// The sockets of a user, with what was taken back since the user came online: a socket whose token was looked up
/// before must not stay open after.
#[derive(Debug, Default)]
struct Sessions {
    open: Vec<Weak<Session>>,
    taken_back: Vec<TakenBack>,
}

impl Sessions {
    /// Of several moments only the latest, whose tokens are all of them: they do not add up.
    fn remember(&mut self, what: TakenBack) {
        let is_within = |known: &TakenBack| match (*known, what) {
            (TakenBack::UpTo(known), TakenBack::UpTo(moment)) => known >= moment,
            (known, what) => known == what,
        };
        if !self.taken_back.iter().any(is_within) {
            if let TakenBack::UpTo(_) = what {
                self.taken_back
                    .retain(|known| !matches!(known, TakenBack::UpTo(_)));
            }
            self.taken_back.push(what);
        }
    }
}

/// Tokens that were taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TakenBack {
    /// All of the user.
    All,
    /// Those issued up to the second of this moment, and those that do not say when.
    UpTo(Timestamp),
    /// Those of a login.
    Login(LoginId),
}

impl TakenBack {
    fn takes(self, issued_at: Option<Timestamp>, login_id: Option<LoginId>) -> bool {
        match self {
            Self::All => true,
            Self::UpTo(moment) => {
                issued_at.is_none_or(|issued_at| issued_at.whole_seconds() <= moment.whole_seconds())
            }
            Self::Login(login) => login_id == Some(login),
        }
    }
}

/// The name that the host application set, and how often it was set since the user came online: a name that was
/// read from the store must not replace one that was set after the reading.
#[derive(Debug, Default)]
struct HostName {
    version: u64,
    name: Option<DisplayName>,
}

impl UsersOnline {
    /// One more socket of a user; `None` where it has `limit` of them.
    pub(crate) fn enter(&self, user_id: UserId, limit: Option<usize>) -> Option<Arc<OnlineUser>> {
        let mut users = self.users.lock();
        let entry = users.entry(user_id).or_insert_with(|| OnlineEntry {
            user: Arc::default(),
            sockets: 0,
        });
        if limit.is_some_and(|limit| entry.sockets >= limit) {
            return None;
        }
        entry.sockets += 1;
        Some(entry.user.clone())
    }

    /// One socket less.
    pub(crate) fn exit(&self, user_id: UserId) {
        let mut users = self.users.lock();
        if let Some(entry) = users.get_mut(&user_id) {
            entry.sockets -= 1;
            if entry.sockets == 0 {
                users.remove(&user_id);
            }
        }
    }

    /// A user was removed from a group: its sockets that have not joined hear it too.
    pub(crate) fn tell_removed(&self, user_id: UserId, group_id: GroupId, reason: RemovalReason) {
        let sessions = self.user(user_id).map(|user| user.sessions.lock().open.clone());
        for session in sessions.iter().flatten().filter_map(Weak::upgrade) {
            session.tell_removed(group_id, reason);
        }
    }

    /// Ends the user's sockets whose tokens were taken back, and those that are about to open with one.
    pub(crate) fn take_back(&self, user_id: UserId, what: TakenBack) {
        let Some(user) = self.user(user_id) else { return };
        let open = {
            let mut sessions = user.sessions.lock();
            sessions.remember(what);
            sessions.open.clone()
        };
        for session in open.iter().filter_map(Weak::upgrade) {
            session.revoke_if(|issued_at, login_id| what.takes(issued_at, login_id));
        }
    }

    /// The user is one like any other again.
    pub(crate) fn revive(&self, user_id: UserId) {
        if let Some(user) = self.user(user_id) {
            user.sessions
                .lock()
                .taken_back
                .retain(|what| *what != TakenBack::All);
        }
    }

    /// Whether the user has a socket on this server.
    pub(crate) fn is_online(&self, user_id: UserId) -> bool {
        self.users.lock().contains_key(&user_id)
    }

    fn user(&self, user_id: UserId) -> Option<Arc<OnlineUser>> {
        self.users.lock().get(&user_id).map(|entry| entry.user.clone())
    }

    /// The host set a user's name.
    pub(crate) fn rename(&self, user_id: UserId, name: &DisplayName) {
        if let Some(entry) = self.users.lock().get(&user_id) {
            let mut host = entry.user.name.lock();
            host.version += 1;
            host.name = Some(name.clone());
        }
    }
}

impl OnlineUser {
    /// One of the user's sockets is open, unless its token was taken back meanwhile.
    pub(crate) fn add(&self, session: &Arc<Session>) -> Result<(), Refusal> {
        let mut sessions = self.sessions.lock();
        for what in &sessions.taken_back {
            session.revoke_if(|issued_at, login_id| what.takes(issued_at, login_id));
        }
        if session.is_revoked() {
            return Err(ErrorCode::TokenRevoked.into());
        }
        sessions.open.retain(|session| session.strong_count() > 0);
        sessions.open.push(Arc::downgrade(session));
        Ok(())
    }

    /// Lets a session go by another token, unless that was taken back meanwhile.
    pub(crate) fn renew(&self, session: &Session, principal: Principal) -> Result<(), Refusal> {
        let sessions = self.sessions.lock();
        let taken = |what: &TakenBack| what.takes(principal.issued_at, principal.login_id);
        if session.is_revoked() || sessions.taken_back.iter().any(taken) {
            return Err(ErrorCode::TokenRevoked.into());
        }
        session.renew(principal);
        Ok(())
    }

    /// The name that the host set, if it did.
    pub(crate) fn host_name(&self) -> Option<DisplayName> {
        self.name.lock().name.clone()
    }

    /// To be taken before the name is read from the store.
    pub(crate) fn name_version(&self) -> u64 {
        self.name.lock().version
    }

    /// The name as the store has it, unless it was set anew since `version` was taken.
    pub(crate) fn stored_name(&self, version: u64, name: Option<DisplayName>) {
        let mut host = self.name.lock();
        if host.version == version {
            host.name = name;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user() -> UserId {
        UserId::new(5).unwrap()
    }

    #[test]
    fn sockets_are_limited_and_given_back() {
        let online = UsersOnline::default();
        assert!(online.enter(user(), Some(2)).is_some());
        assert!(online.enter(user(), Some(2)).is_some());
        assert!(online.enter(user(), Some(2)).is_none());
        online.exit(user());
        assert!(online.enter(user(), Some(2)).is_some());
        online.exit(user());
        online.exit(user());
        assert!(online.users.lock().is_empty());
    }

    #[test]
    fn a_name_read_earlier_does_not_replace_one_set_later() {
        let online = UsersOnline::default();
        let user_online = online.enter(user(), None).unwrap();
        let version = user_online.name_version();
        let new = DisplayName::new("new").unwrap();
        online.rename(user(), &new);
        user_online.stored_name(version, DisplayName::new("old").ok());
        assert_eq!(user_online.host_name(), Some(new));
    }
}
