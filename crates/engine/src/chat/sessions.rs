//! Who comes and goes.

use std::sync::Arc;

use sealroom_domain::{ErrorCode, Principal, Refusal, ports::Profile};

use super::Chat;
use crate::Session;

impl Chat {
    /// Opens a session for a socket whose token was verified.
    ///
    /// Refusals: `too_many_connections`, `token_invalid` for a user that is not known where tokens do not make users
    /// known, `unavailable`, `shutting_down`.
    pub async fn open_session(&self, principal: Principal) -> Result<Arc<Session>, Refusal> {
        self.check_open()?;
        let user_id = principal.user_id;
        let Some(user) = self
            .users_online
            .enter(user_id, self.options.limits.sockets_per_user)
        else {
            return Err(ErrorCode::TooManyConnections.into());
        };
        // From here on the session's end gives the place back.
        let session = Session::new(principal, user, self.users_online.clone());
        let version = session.user().name_version();
        let profile = self.admit(session.principal()).await?;
        session.user().stored_name(version, profile.display_name);
        let session = Arc::new(session);
        session.user().add(&session);
        Ok(session)
    }

    /// Refuses everything with `token_expired` from the moment on at which the session's token ends.
    pub fn check_lease(&self, session: &Session) -> Result<(), Refusal> {
        session.check_lease(self.ports.clock.now())
    }

    /// Ends a session: it receives nothing more.
    pub fn close_session(&self, session: &Arc<Session>) {
        for group_id in session.close() {
            self.feeds.unsubscribe(group_id, session);
        }
    }

    /// Makes the user of a verified token known, or refuses it where tokens do not.
    pub async fn admit(&self, principal: &Principal) -> Result<Profile, Refusal> {
        let user_id = principal.user_id;
        let found = self
            .ports
            .users
            .profiles(&[user_id])
            .await
            .map_err(|error| self.failed("look a user up", &error))?
            .into_iter()
            .next();
        match found {
            Some(profile) if principal.name.is_none() || profile.token_name == principal.name => Ok(profile),
            None if !self.options.provision_users => Err(ErrorCode::TokenInvalid.into()),
            _ => self
                .ports
                .users
                .provision(user_id, principal.name.as_ref())
                .await
                .map_err(|error| self.failed("make a user known", &error)),
        }
    }
}
