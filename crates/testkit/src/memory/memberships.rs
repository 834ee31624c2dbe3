//! The memberships.

use async_trait::async_trait;
use sealroom_domain::{
    GroupId, Role, UserId,
    ports::{Member, Memberships, StoreError},
};

use super::MemoryStore;

#[async_trait]
impl Memberships for MemoryStore {
    async fn roles(&self, pairs: &[(GroupId, UserId)]) -> Result<Vec<Option<Role>>, StoreError> {
        let state = self.state.lock();
        Ok(pairs
            .iter()
            .map(|(group_id, user_id)| state.role(*group_id, *user_id))
            .collect())
    }

    async fn groups_of(&self, user_id: UserId) -> Result<Vec<(GroupId, Role)>, StoreError> {
        Ok(self.state.lock().groups_of(user_id).collect())
    }

    async fn members_of(&self, group_id: GroupId) -> Result<Vec<Member>, StoreError> {
        Ok(self.state.lock().members(group_id).collect())
    }

    async fn set(&self, group_id: GroupId, user_id: UserId, role: Role) -> Result<(), StoreError> {
        self.state.lock().memberships.insert((group_id, user_id), role);
        Ok(())
    }

    async fn remove(&self, group_id: GroupId, user_id: UserId) -> Result<bool, StoreError> {
        Ok(self
            .state
            .lock()
            .memberships
            .remove(&(group_id, user_id))
            .is_some())
    }
}
