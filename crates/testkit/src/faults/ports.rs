//! The wrapper around each port.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use sealroom_domain::{
    DisplayName, Entry, GroupId, GroupName, LogId, Principal, Role, Seq, Timestamp, UserId, Username,
    ports::{
        Appended, Cursor, Group, GroupChange, GroupLog, Groups, Member, Memberships, MessagesPage, NewEntry,
        NewGroup, Page, PageLimit, Profile, RefusedEntry, StoreError, TokenError, TokenVerifier,
        UpsertOutcome, Users,
    },
};

use super::{Call, Faults, InjectedFault};

/// A port behind [`Faults`]: `Faulty<dyn GroupLog>` is a `GroupLog`, and so on for every port that may fail.
pub struct Faulty<P: ?Sized> {
    pub(super) inner: Arc<P>,
    pub(super) faults: Faults,
}

impl<P: ?Sized> Faulty<P> {
    /// Wraps the port. Several ports may share one `faults`.
    pub fn new(inner: Arc<P>, faults: &Faults) -> Self {
        Self {
            inner,
            faults: faults.clone(),
        }
    }

    pub(super) async fn store<T>(
        &self,
        call: Call,
        port: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let fail = |fault: InjectedFault| StoreError::unavailable(fault);
        self.faults.run(call, port, fail).await
    }
}

impl<P: fmt::Debug + ?Sized> fmt::Debug for Faulty<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Faulty").field(&&*self.inner).finish()
    }
}

#[async_trait]
impl GroupLog for Faulty<dyn GroupLog> {
    async fn log_id(&self) -> Result<LogId, StoreError> {
        self.store(Call::LogId, self.inner.log_id()).await
    }

    async fn append(&self, batch: Vec<NewEntry>) -> Result<Vec<Result<Appended, RefusedEntry>>, StoreError> {
        self.store(Call::Append, self.inner.append(batch)).await
    }

    async fn read(
        &self,
        group_id: GroupId,
        cursor: Cursor,
        limit: PageLimit,
    ) -> Result<Option<Page>, StoreError> {
        self.store(Call::Read, self.inner.read(group_id, cursor, limit))
            .await
    }

    async fn messages(
        &self,
        group_id: GroupId,
        cursor: Cursor,
        limit: PageLimit,
    ) -> Result<Option<MessagesPage>, StoreError> {
        self.store(Call::Messages, self.inner.messages(group_id, cursor, limit))
            .await
    }

    async fn heads(&self, groups: &[GroupId]) -> Result<Vec<(GroupId, Seq)>, StoreError> {
        self.store(Call::Heads, self.inner.heads(groups)).await
    }
}

#[async_trait]
impl Groups for Faulty<dyn Groups> {
    async fn create(
        &self,
        group: NewGroup,
    ) -> Result<Result<(GroupId, Vec<Entry>), RefusedEntry>, StoreError> {
        self.store(Call::CreateGroup, self.inner.create(group)).await
    }

    async fn put(&self, group_id: GroupId, name: &GroupName, at: Timestamp) -> Result<bool, StoreError> {
        self.store(Call::PutGroup, self.inner.put(group_id, name, at))
            .await
    }

    async fn update(&self, group_id: GroupId, change: GroupChange) -> Result<bool, StoreError> {
        self.store(Call::UpdateGroup, self.inner.update(group_id, change))
            .await
    }

    async fn delete(&self, group_id: GroupId, at: Timestamp) -> Result<Option<Vec<UserId>>, StoreError> {
        self.store(Call::DeleteGroup, self.inner.delete(group_id, at))
            .await
    }

    async fn get(&self, ids: &[GroupId]) -> Result<Vec<Group>, StoreError> {
        self.store(Call::GetGroups, self.inner.get(ids)).await
    }
}

#[async_trait]
impl Memberships for Faulty<dyn Memberships> {
    async fn roles(&self, pairs: &[(GroupId, UserId)]) -> Result<Vec<Option<Role>>, StoreError> {
        self.store(Call::Roles, self.inner.roles(pairs)).await
    }

    async fn groups_of(&self, user_id: UserId) -> Result<Vec<(GroupId, Role)>, StoreError> {
        self.store(Call::GroupsOf, self.inner.groups_of(user_id)).await
    }

    async fn members_of(&self, group_id: GroupId) -> Result<Vec<Member>, StoreError> {
        self.store(Call::MembersOf, self.inner.members_of(group_id)).await
    }

    async fn set(&self, group_id: GroupId, user_id: UserId, role: Role) -> Result<(), StoreError> {
        self.store(Call::SetMember, self.inner.set(group_id, user_id, role))
            .await
    }

    async fn remove(&self, group_id: GroupId, user_id: UserId) -> Result<bool, StoreError> {
        self.store(Call::RemoveMember, self.inner.remove(group_id, user_id))
            .await
    }
}

#[async_trait]
impl Users for Faulty<dyn Users> {
    async fn profiles(&self, ids: &[UserId]) -> Result<Vec<Profile>, StoreError> {
        self.store(Call::Profiles, self.inner.profiles(ids)).await
    }

    async fn upsert(
        &self,
        user_id: UserId,
        display_name: &DisplayName,
        username: Option<&Username>,
    ) -> Result<UpsertOutcome, StoreError> {
        self.store(
            Call::UpsertUser,
            self.inner.upsert(user_id, display_name, username),
        )
        .await
    }

    async fn provision(
        &self,
        user_id: UserId,
        token_name: Option<&DisplayName>,
    ) -> Result<Profile, StoreError> {
        self.store(Call::ProvisionUser, self.inner.provision(user_id, token_name))
            .await
    }

    async fn revoke(&self, user_id: UserId, up_to: Timestamp) -> Result<(), StoreError> {
        self.store(Call::RevokeUser, self.inner.revoke(user_id, up_to))
            .await
    }

    async fn erase(&self, user_id: UserId, at: Timestamp) -> Result<bool, StoreError> {
        self.store(Call::EraseUser, self.inner.erase(user_id, at)).await
    }
}

#[async_trait]
impl TokenVerifier for Faulty<dyn TokenVerifier> {
    async fn verify(&self, token: &str) -> Result<Principal, TokenError> {
        let fail = |fault: InjectedFault| TokenError::Unavailable { source: fault.into() };
        self.faults
            .run(Call::Verify, self.inner.verify(token), fail)
            .await
    }
}
