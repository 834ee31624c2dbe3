//! The users.

use async_trait::async_trait;
use sealroom_domain::{
    DisplayName, UserId, Username,
    ports::{Profile, StoreError, UpsertOutcome, Users},
};

use super::MemoryStore;

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
        let profile = state
            .users
            .entry(user_id)
            .or_insert_with(|| Profile::unnamed(user_id));
        profile.display_name = Some(display_name.clone());
        if let Some(username) = username {
            let former = profile.username.replace(username.clone());
            if let Some(former) = former.filter(|former| former != username) {
                state.usernames.remove(&former);
            }
        }
        Ok(UpsertOutcome::Done)
    }

    async fn provision(
        &self,
        user_id: UserId,
        token_name: Option<&DisplayName>,
    ) -> Result<Profile, StoreError> {
        let mut state = self.state.lock();
        let profile = state
            .users
            .entry(user_id)
            .or_insert_with(|| Profile::unnamed(user_id));
        if let Some(name) = token_name {
            profile.token_name = Some(name.clone());
        }
        Ok(profile.clone())
    }
}
