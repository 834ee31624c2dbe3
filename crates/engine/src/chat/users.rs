//! Users, as the host application sees them.

use std::{future::Future, sync::Arc};

use async_trait::async_trait;
use sealroom_domain::{
    DisplayName, ErrorCode, GroupId, Principal, Refusal, RemovalReason, UserId, Username,
    ports::{NewBody, Presence, Profile, StoreError, UpsertOutcome},
};

use super::{Actor, Chat, groups::check_admin};
use crate::users_online::TakenBack;

#[async_trait]
impl Presence for Chat {
    /// Those who have a socket on this server.
    async fn online_among(&self, users: &[UserId]) -> Result<Vec<UserId>, StoreError> {
        let is_online = |user_id: &UserId| self.users_online.is_online(*user_id);
        Ok(users.iter().copied().filter(is_online).collect())
    }
}

impl Chat {
    /// Who the caller is. Refusals: those of [`Chat::admit`].
    pub async fn me(&self, principal: &Principal) -> Result<Profile, Refusal> {
        self.check_open()?;
        self.admit(principal).await
    }

    /// Sets a user's name, on its open sockets too. Admins only. Where the built-in accounts give out the ids and names of
    /// users, neither can be chosen here.
    ///
    /// Refusals: `forbidden`, `conflict` for a `username` of another user, or any where there are accounts, `not_found` for
    /// a user that is not known where there are accounts, `unavailable`, `shutting_down`.
    pub async fn put_user(
        &self,
        actor: Actor,
        user_id: UserId,
        display_name: DisplayName,
        username: Option<Username>,
    ) -> Result<(), Refusal> {
        self.check_open()?;
        check_admin(actor)?;
        if self.ports.accounts.is_some() {
            if username.is_some() {
                return Err(Refusal::conflict("Usernames are those of the accounts"));
            }
            self.check_each_known(&[user_id]).await?;
        }
        let (users, users_online) = (self.ports.users.clone(), self.users_online.clone());
        let outcome = self
            .detached("put a user", async move {
                let outcome = users.upsert(user_id, &display_name, username.as_ref()).await?;
                if matches!(outcome, UpsertOutcome::Done) {
                    users_online.revive(user_id);
                    users_online.rename(user_id, &display_name);
                }
                Ok(outcome)
            })
            .await?;
        match outcome {
            UpsertOutcome::Done => Ok(()),
            UpsertOutcome::UsernameTaken => Err(Refusal::conflict("Username is taken")),
        }
    }

    /// Takes back every token of a user that was issued up to the second of this call, and ends the sockets of this server
    /// that go by one. Admins only.
    ///
    /// Refusals: `forbidden`, `unavailable`, `shutting_down`.
    pub async fn revoke_user(&self, actor: Actor, user_id: UserId) -> Result<(), Refusal> {
        self.check_open()?;
        check_admin(actor)?;
        let (users, users_online) = (self.ports.users.clone(), self.users_online.clone());
        let now = self.ports.clock.now();
        self.detached("take tokens back", async move {
            let revoked = users.revoke(user_id, now).await;
            // Also where it failed: nobody knows whether it happened.
            users_online.take_back(user_id, TakenBack::UpTo(now));
            revoked
        })
        .await
    }

    /// Erases a user: its names, its memberships, everything that it wrote; ends its sockets and takes back its tokens for
    /// good. Its messages keep their places without content. Admins only. A caller that goes away does not stop it. May be
    /// repeated where it failed half way.
    ///
    /// Refusals: `forbidden`, `not_found`, `unavailable`, `shutting_down`.
    pub async fn erase_user(self: &Arc<Self>, actor: Actor, user_id: UserId) -> Result<(), Refusal> {
        self.check_open()?;
        check_admin(actor)?;
        let chat = self.clone();
        self.to_its_end("erase a user", async move { chat.erase(actor, user_id).await })
            .await
    }

    async fn erase(&self, actor: Actor, user_id: UserId) -> Result<(), Refusal> {
        if !self.mark_erased(user_id).await? {
            return Err(ErrorCode::NotFound.into());
        }
        self.users_online.take_back(user_id, TakenBack::All);
        let groups = self
            .ports
            .memberships
            .groups_of(user_id)
            .await
            .map_err(|error| self.failed("list memberships", &error))?;
        for (group_id, _) in groups {
            self.remove_erased(actor, group_id, user_id).await?;
        }
        // Once more: until it was out of its groups it could write, and a round of the upkeep may have passed already.
        self.mark_erased(user_id).await?;
        self.caretaker
            .erase_content(user_id)
            .await
            .map_err(|error| self.failed("erase what a user wrote", &error))
    }

    async fn mark_erased(&self, user_id: UserId) -> Result<bool, Refusal> {
        self.ports
            .users
            .erase(user_id, self.ports.clock.now())
            .await
            .map_err(|error| self.failed("erase a user", &error))
    }

    async fn remove_erased(&self, actor: Actor, group_id: GroupId, user_id: UserId) -> Result<(), Refusal> {
        let body = NewBody::RemoveMember {
            user_id,
            reason: RemovalReason::Removed,
        };
        let entry = self.change(actor, group_id, body, self.guard(None, false));
        let memberships = self.ports.memberships.clone();
        let removed = self.change_with_host(actor, entry, "remove an erased user", async move {
            memberships.remove(group_id, user_id).await.map(drop)
        });
        match removed.await {
            // The group is gone, or only the host knows it.
            Err(refusal) if refusal.code == ErrorCode::NotFound => Ok(()),
            other => other,
        }
    }

    /// Refuses users that are not known, where nothing but an account or the host makes users known.
    pub(super) async fn check_known(&self, users: &[UserId]) -> Result<(), Refusal> {
        let become_known = self.options.provision_users && self.ports.accounts.is_none();
        if become_known || users.is_empty() {
            return Ok(());
        }
        self.check_each_known(users).await
    }

    async fn check_each_known(&self, users: &[UserId]) -> Result<(), Refusal> {
        let known = self
            .ports
            .users
            .profiles(users)
            .await
            .map_err(|error| self.failed("look users up", &error))?;
        if known.len() < users.len() {
            Err(ErrorCode::NotFound.into())
        } else {
            Ok(())
        }
    }

    /// Runs a change in a task of its own, so that a caller that goes away does not stop it half way. A drain waits for
    /// it, or it is refused before it begins.
    pub(crate) async fn detached<T: Send + 'static>(
        &self,
        attempt: &'static str,
        change: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, Refusal> {
        let (failures, clock) = (self.failures.clone(), self.ports.clock.clone());
        self.to_its_end(attempt, async move {
            change
                .await
                .map_err(|error| failures.store(&*clock, attempt, &error))
        })
        .await
    }

    /// Like [`Chat::detached`], for what has its own refusals.
    async fn to_its_end<T: Send + 'static>(
        &self,
        attempt: &'static str,
        change: impl Future<Output = Result<T, Refusal>> + Send + 'static,
    ) -> Result<T, Refusal> {
        let under_way = self.changes.token();
        // Once more, now that a drain would wait.
        self.check_open()?;
        let change = async move {
            let _under_way = under_way;
            change.await
        };
        match self.tasks.spawn(change).await {
            Ok(result) => result,
            Err(panicked) => Err(self.failures.defect(&*self.ports.clock, attempt, panicked)),
        }
    }
}
