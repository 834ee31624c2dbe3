//! Who comes and goes.

use std::sync::Arc;

use sealroom_domain::{ErrorCode, LoginId, Principal, Refusal, Timestamp, UserId, ports::Profile};

use super::Chat;
use crate::{Session, users_online::TakenBack};

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
        let events = self.options.limits.events_per_socket;
        let session = Session::new(principal.clone(), user, self.users_online.clone(), events);
        let version = session.user().name_version();
        let profile = self.admit(&principal).await?;
        session.user().stored_name(version, profile.display_name);
        let session = Arc::new(session);
        session.user().add(&session)?;
        Ok(session)
    }

    /// Lets an open session go by a new token, which was verified, and answers when that ends.
    ///
    /// Refusals: `token_invalid` for another user's, `token_revoked`, `unavailable`, `shutting_down`. The present token
    /// stands then.
    pub async fn refresh(&self, session: &Session, principal: Principal) -> Result<Timestamp, Refusal> {
        self.check_open()?;
        if principal.user_id != session.user_id() {
            return Err(ErrorCode::TokenInvalid.into());
        }
        let version = session.user().name_version();
        let profile = self.admit(&principal).await?;
        session.user().stored_name(version, profile.display_name);
        session.user().renew(session, principal)?;
        Ok(session.expires_at())
    }

    /// A login has ended: so do the sockets that were opened with its tokens.
    pub(crate) fn end_login(&self, user_id: UserId, login_id: LoginId) {
        self.users_online.take_back(user_id, TakenBack::Login(login_id));
    }

    /// Refuses everything with `token_expired` from the moment on at which the session's token ends, and with
    /// `token_revoked` once it was taken back.
    pub fn check_lease(&self, session: &Session) -> Result<(), Refusal> {
        session.check_lease(self.ports.clock.now())
    }

    /// Ends a session: it receives nothing more.
    pub fn close_session(&self, session: &Arc<Session>) {
        for group_id in session.close() {
            self.feeds.unsubscribe(group_id, session);
        }
    }

    /// Makes the user of a verified token known, or refuses it where tokens do not, and where the token was taken back.
    ///
    /// Refusals: `token_invalid` for a user that is not known where tokens do not make users known (those of admins always
    /// do), `token_revoked`, `unavailable`.
    pub async fn admit(&self, principal: &Principal) -> Result<Profile, Refusal> {
        let profile = self.known(principal).await?;
        if profile.has_revoked(principal.issued_at) || self.has_logged_out(principal).await? {
            Err(ErrorCode::TokenRevoked.into())
        } else {
            Ok(profile)
        }
    }

    /// Whether the token belongs to a login that has ended.
    async fn has_logged_out(&self, principal: &Principal) -> Result<bool, Refusal> {
        let (Some(accounts), Some(login_id)) = (&self.ports.accounts, principal.login_id) else {
            return Ok(false);
        };
        let is_open = accounts.is_open(login_id).await;
        is_open
            .map(|is_open| !is_open)
            .map_err(|error| self.failed("look a login up", &error))
    }

    async fn known(&self, principal: &Principal) -> Result<Profile, Refusal> {
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
            Some(profile)
                if profile.erased || principal.name.is_none() || profile.token_name == principal.name =>
            {
                Ok(profile)
            }
            // An admin's token is the host application's own, without which nobody could be made known.
            None if !self.options.provision_users && !principal.is_admin() => {
                Err(ErrorCode::TokenInvalid.into())
            }
            _ => self
                .ports
                .users
                .provision(user_id, principal.name.as_ref())
                .await
                .map_err(|error| self.failed("make a user known", &error)),
        }
    }
}
