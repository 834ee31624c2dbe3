//! The ports of the store: an append goes the way of its defect, all others to the store behind it.

use async_trait::async_trait;
use sealroom_domain::{
    Entry, GroupId, GroupName, LogId, Role, Seq, Timestamp, UserId,
    ports::{
        Cursor, Group, GroupChange, GroupLog, Groups, Member, Memberships, MessagesPage, NewEntry, NewGroup,
        Page, PageLimit, RefusedEntry, StoreError,
    },
};
use tokio::task::yield_now;

use super::{Answer, Defect, Racing};

#[async_trait]
impl GroupLog for Racing {
    async fn log_id(&self) -> Result<LogId, StoreError> {
        self.inner.log_id().await
    }

    async fn append(&self, batch: Vec<NewEntry>) -> Result<Vec<Answer>, StoreError> {
        match self.defect {
            Defect::ExactRole | Defect::GuardsBeforeTheBatch | Defect::RememberedRoles => {
                self.check_roles(batch).await
            }
            Defect::OwnersStay | Defect::OwnerNeeded | Defect::OwnersBeforeTheBatch => {
                self.check_owners(batch).await
            }
            Defect::AlwaysAnEntry => self.append_always(batch).await,
            Defect::StaleRoles => {
                for new in &batch {
                    let members = self.inner.members_of(new.group_id).await?;
                    self.stale.lock().unwrap().insert(new.group_id, members);
                }
                self.inner.append(batch).await
            }
            Defect::IdsBeforeTheBatch => self.append_ids(batch).await,
            Defect::RefusedIdsAreTaken => self.append_taking(batch).await,
            Defect::PlacesBeforeTheBatch => self.append_guessing(batch).await,
            Defect::AnswersFirst => Ok(self.append_later(batch)),
            Defect::EmptyBatchFails if batch.is_empty() => Err(StoreError::internal("syntax error")),
            Defect::PieceByPiece => self.append_pieces(batch).await,
            Defect::LockIsLeft => self.append_locked(batch).await,
            Defect::LocksInBatchOrder => self.append_locking(batch).await,
            Defect::None | Defect::EmptyBatchFails | Defect::HeadBeforeThePage | Defect::GroupsByPrefix => {
                self.inner.append(batch).await
            }
        }
    }

    async fn read(
        &self,
        group_id: GroupId,
        cursor: Cursor,
        limit: PageLimit,
    ) -> Result<Option<Page>, StoreError> {
        let head = self.inner.heads(&[group_id]).await?;
        if self.defect == Defect::HeadBeforeThePage {
            yield_now().await;
        }
        let mut page = self.inner.read(group_id, cursor, limit).await?;
        if let Some(page) = &mut page {
            match self.defect {
                Defect::HeadBeforeThePage => page.head = head[0].1,
                Defect::GroupsByPrefix if group_id.get() == 1 => {
                    let other = GroupId::new(11).unwrap();
                    let other = self.inner.read(other, cursor, limit).await?;
                    page.entries.extend(other.unwrap().entries);
                }
                _ => {}
            }
        }
        Ok(page)
    }

    async fn messages(
        &self,
        group_id: GroupId,
        cursor: Cursor,
        limit: PageLimit,
    ) -> Result<Option<MessagesPage>, StoreError> {
        self.inner.messages(group_id, cursor, limit).await
    }

    async fn heads(&self, groups: &[GroupId]) -> Result<Vec<(GroupId, Seq)>, StoreError> {
        self.inner.heads(groups).await
    }
}

#[async_trait]
impl Groups for Racing {
    async fn create(
        &self,
        group: NewGroup,
    ) -> Result<Result<(GroupId, Vec<Entry>), RefusedEntry>, StoreError> {
        self.inner.create(group).await
    }

    async fn put(&self, group_id: GroupId, name: &GroupName, at: Timestamp) -> Result<bool, StoreError> {
        self.inner.put(group_id, name, at).await
    }

    async fn update(&self, group_id: GroupId, change: GroupChange) -> Result<bool, StoreError> {
        self.inner.update(group_id, change).await
    }

    async fn delete(&self, group_id: GroupId, at: Timestamp) -> Result<Option<Vec<UserId>>, StoreError> {
        self.inner.delete(group_id, at).await
    }

    async fn get(&self, ids: &[GroupId]) -> Result<Vec<Group>, StoreError> {
        self.inner.get(ids).await
    }
}

#[async_trait]
impl Memberships for Racing {
    async fn roles(&self, pairs: &[(GroupId, UserId)]) -> Result<Vec<Option<Role>>, StoreError> {
        self.inner.roles(pairs).await
    }

    async fn groups_of(&self, user_id: UserId) -> Result<Vec<(GroupId, Role)>, StoreError> {
        self.inner.groups_of(user_id).await
    }

    async fn members_of(&self, group_id: GroupId) -> Result<Vec<Member>, StoreError> {
        let stale = self.stale.lock().unwrap().get(&group_id).cloned();
        match stale {
            Some(members) => Ok(members),
            None => self.inner.members_of(group_id).await,
        }
    }

    async fn set(&self, group_id: GroupId, user_id: UserId, role: Role) -> Result<(), StoreError> {
        self.inner.set(group_id, user_id, role).await
    }

    async fn remove(&self, group_id: GroupId, user_id: UserId) -> Result<bool, StoreError> {
        self.inner.remove(group_id, user_id).await
    }
}
