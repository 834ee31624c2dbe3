//! The users.

use async_trait::async_trait;
use sealroom_domain::{
    DisplayName, Timestamp, UserId, Username,
    ports::{Profile, StoreError, UpsertOutcome, Users},
};

use super::{MemoryStore, state::State, upkeep::Erasure};

#[async_trait]
impl Users for MemoryStore {
    async fn profiles(&self, ids: &[UserId]) -> Result<Vec<Profile>, StoreError> {
        let state = self.state.lock();
        Ok(ids.iter().filter_map(|id| state.users.get(id)).cloned().collect())
    }

    async fn upsert(
        &self,
        user_id: UserId,
        display_name: &DisplayName,
        username: Option<&Username>,
    ) -> Result<UpsertOutcome, StoreError> {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        if let Some(username) = username {
            match state.usernames.get(username) {
                Some(owner) if *owner != user_id => return Ok(UpsertOutcome::UsernameTaken),
                Some(_) | None => state.usernames.insert(username.clone(), user_id),
            };
        }
        let profile = state.profile(user_id);
        profile.display_name = Some(display_name.clone());
        let was_erased = std::mem::take(&mut profile.erased);
        let former = username.and_then(|username| profile.username.replace(username.clone()));
        if let Some(former) = former.filter(|former| Some(former) != username) {
            state.usernames.remove(&former);
        }
        if was_erased {
            state.bound_erasure(user_id);
        }
        Ok(UpsertOutcome::Done)
    }

    async fn provision(
        &self,
        user_id: UserId,
        token_name: Option<&DisplayName>,
    ) -> Result<Profile, StoreError> {
        let mut state = self.state.lock();
        let profile = state.profile(user_id);
        if let Some(name) = token_name.filter(|_| !profile.erased) {
            profile.token_name = Some(name.clone());
        }
        Ok(profile.clone())
    }

    async fn revoke(&self, user_id: UserId, up_to: Timestamp) -> Result<(), StoreError> {
        let mut state = self.state.lock();
        let profile = state.profile(user_id);
        profile.revoked_up_to = profile.revoked_up_to.max(Some(up_to));
        state.end_logins(user_id, up_to);
        Ok(())
    }

    async fn erase(&self, user_id: UserId, at: Timestamp) -> Result<bool, StoreError> {
        Ok(self.state.lock().erase(user_id, at))
    }
}

impl State {
    /// The user's profile; it becomes known if it was not.
    fn profile(&mut self, user_id: UserId) -> &mut Profile {
        self.users
            .entry(user_id)
            .or_insert_with(|| Profile::unnamed(user_id))
    }

    fn erase(&mut self, user_id: UserId, at: Timestamp) -> bool {
        let Some(profile) = self.users.get_mut(&user_id) else {
            return false;
        };
        if let Some(username) = profile.username.take() {
            self.usernames.remove(&username);
        }
        // A user who comes back has other tokens.
        let revoked_up_to = profile.revoked_up_to.max(Some(at));
        *profile = Profile {
            revoked_up_to,
            erased: true,
            ..Profile::unnamed(user_id)
        };
        self.read_marks.retain(|(_, reader), _| *reader != user_id);
        self.erase_account(user_id);
        self.erasures.insert(user_id, Erasure::All);
        true
    }

    /// A user who came back keeps what it writes from now on.
    fn bound_erasure(&mut self, user_id: UserId) {
        let heads = self
            .groups
            .iter()
            .map(|(group_id, group)| (*group_id, group.head()));
        let up_to = Erasure::UpTo(heads.collect());
        if let Some(erasure) = self.erasures.get_mut(&user_id) {
            *erasure = up_to;
        }
    }
}
