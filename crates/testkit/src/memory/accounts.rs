//! The built-in accounts.

use async_trait::async_trait;
use sealroom_domain::{
    LoginId, Timestamp, TokenDigest, UserId, Username,
    ports::{Account, Accounts, NewAccount, NewRefreshToken, Profile, Refreshed, StoreError},
};

use super::{MemoryStore, state::State};

pub(super) struct Login {
    user_id: UserId,
    is_open: bool,
    /// When its last refresh token was given out.
    at: Timestamp,
}

pub(super) struct RefreshToken {
    login_id: LoginId,
    expires_at: Timestamp,
    is_spent: bool,
}

#[async_trait]
impl Accounts for MemoryStore {
    async fn register(&self, account: NewAccount) -> Result<Option<UserId>, StoreError> {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        if state.usernames.contains_key(&account.username) {
            return Ok(None);
        }
        let user_id = state.take_user_id();
        let profile = Profile {
            display_name: Some(account.display_name),
            username: Some(account.username.clone()),
            ..Profile::unnamed(user_id)
        };
        state.users.insert(user_id, profile);
        state.usernames.insert(account.username, user_id);
        state.passwords.insert(user_id, account.password);
        Ok(Some(user_id))
    }

    async fn account(&self, username: &Username) -> Result<Option<Account>, StoreError> {
        let state = self.state.lock();
        Ok(state.usernames.get(username).and_then(|user_id| {
            state.passwords.get(user_id).map(|password| Account {
                user_id: *user_id,
                password: password.clone(),
            })
        }))
    }

    async fn open_login(&self, user_id: UserId, token: NewRefreshToken) -> Result<LoginId, StoreError> {
        let mut state = self.state.lock();
        let login_id = state.take_login_id();
        let is_open = state.users.get(&user_id).is_some_and(|user| !user.erased);
        let login = Login {
            user_id,
            is_open,
            at: token.at,
        };
        state.logins.insert(login_id, login);
        state.give_out(login_id, &token);
        Ok(login_id)
    }

    async fn refresh(
        &self,
        token: &TokenDigest,
        next: NewRefreshToken,
        now: Timestamp,
    ) -> Result<Refreshed, StoreError> {
        Ok(self
            .state
            .lock()
            .refresh(token, &next, now)
            .unwrap_or(Refreshed::Refused))
    }

    async fn close_login(&self, login_id: LoginId, _at: Timestamp) -> Result<(), StoreError> {
        if let Some(login) = self.state.lock().logins.get_mut(&login_id) {
            login.is_open = false;
        }
        Ok(())
    }

    async fn is_open(&self, login_id: LoginId) -> Result<bool, StoreError> {
        let state = self.state.lock();
        Ok(state.logins.get(&login_id).is_some_and(|login| login.is_open))
    }
}

impl State {
    /// An id that no user has or had: erased ones keep theirs.
    fn take_user_id(&self) -> UserId {
        let last = self.users.keys().next_back().map_or(0, |user_id| user_id.get());
        let next = UserId::new(last + 1).ok();
        next.or_else(|| self.first_free_user_id())
            .expect("a test has fewer users")
    }

    fn first_free_user_id(&self) -> Option<UserId> {
        (1..)
            .map_while(|id| UserId::new(id).ok())
            .find(|user_id| !self.users.contains_key(user_id))
    }

    fn take_login_id(&self) -> LoginId {
        let last = self
            .logins
            .keys()
            .next_back()
            .map_or(0, |login_id| login_id.get());
        LoginId::new(last + 1).expect("a test has fewer logins")
    }

    fn give_out(&mut self, login_id: LoginId, token: &NewRefreshToken) {
        let stored = RefreshToken {
            login_id,
            expires_at: token.expires_at,
            is_spent: false,
        };
        self.refresh_tokens.insert(token.digest, stored);
    }

    /// `None` where the token is refused.
    fn refresh(&mut self, token: &TokenDigest, next: &NewRefreshToken, now: Timestamp) -> Option<Refreshed> {
        let token = self.refresh_tokens.get_mut(token)?;
        let login_id = token.login_id;
        let login = self.logins.get_mut(&login_id)?;
        let user_id = login.user_id;
        if token.is_spent {
            login.is_open = false;
            return Some(Refreshed::Reused { user_id, login_id });
        }
        if now >= token.expires_at || !login.is_open {
            return None;
        }
        token.is_spent = true;
        login.at = next.at;
        self.give_out(login_id, next);
        Some(Refreshed::Done { user_id, login_id })
    }

    /// Takes a user's account away and ends its logins.
    pub(super) fn erase_account(&mut self, user_id: UserId) {
        self.passwords.remove(&user_id);
        for login in self.logins.values_mut() {
            login.is_open &= login.user_id != user_id;
        }
    }

    /// Ends the logins whose last token was given out up to then, to the second like [`Profile::has_revoked`].
    pub(super) fn end_logins(&mut self, user_id: UserId, up_to: Timestamp) {
        for login in self.logins.values_mut() {
            let is_later = login.at.whole_seconds() > up_to.whole_seconds();
            login.is_open &= login.user_id != user_id || is_later;
        }
    }
}
