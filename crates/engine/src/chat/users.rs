//! Users, as the host application sees them.

use std::future::Future;

use sealroom_domain::{
    DisplayName, ErrorCode, Principal, Refusal, UserId, Username,
    ports::{Profile, StoreError, UpsertOutcome},
};

use super::{Actor, Chat, groups::check_admin};

impl Chat {
    /// Who the caller is. Refusals: those of [`Chat::admit`].
    pub async fn me(&self, principal: &Principal) -> Result<Profile, Refusal> {
        self.check_open()?;
        self.admit(principal).await
    }

    /// Sets a user's name, on its open sockets too. Admins only.
    ///
    /// Refusals: `forbidden`, `conflict` for a `username` of another user, `unavailable`, `shutting_down`.
    pub async fn put_user(
        &self,
        actor: Actor,
        user_id: UserId,
        display_name: DisplayName,
        username: Option<Username>,
    ) -> Result<(), Refusal> {
        self.check_open()?;
        check_admin(actor)?;
        let (users, name) = (self.ports.users.clone(), display_name.clone());
        let outcome = self
            .detached("put a user", async move {
                users.upsert(user_id, &name, username.as_ref()).await
            })
            .await?;
        match outcome {
            UpsertOutcome::Done => {
                self.users_online.rename(user_id, &display_name);
                Ok(())
            }
            UpsertOutcome::UsernameTaken => Err(Refusal::conflict("Username is taken")),
        }
    }

    /// Refuses users that are not known, where tokens do not make users known.
    pub(super) async fn check_known(&self, users: &[UserId]) -> Result<(), Refusal> {
        if self.options.provision_users || users.is_empty() {
            return Ok(());
        }
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
    pub(super) async fn detached<T: Send + 'static>(
        &self,
        attempt: &'static str,
        change: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, Refusal> {
        let under_way = self.changes.token();
        // Once more, now that a drain would wait.
        self.check_open()?;
        let change = async move {
            let _under_way = under_way;
            change.await
        };
        match self.tasks.spawn(change).await {
            Ok(result) => result.map_err(|error| self.failed(attempt, &error)),
            Err(panicked) => Err(self.failures.defect(&*self.ports.clock, attempt, panicked)),
        }
    }
}
