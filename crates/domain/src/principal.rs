//! Who a verified token speaks for.

use crate::{DisplayName, LoginId, Timestamp, UserId};

/// What a verified token says. Identity comes from here alone, never from a payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The user.
    pub user_id: UserId,
    /// The name in the token, which stands where the host set none.
    pub name: Option<DisplayName>,
    /// The token's `scope`, space-separated (RFC 8693, section 4.2).
    pub scope: Option<String>,
    /// The login of a built-in account that the token belongs to.
    pub login_id: Option<LoginId>,
    /// When the token was issued, where it says so.
    pub issued_at: Option<Timestamp>,
    /// From this moment on the token is worth nothing.
    pub expires_at: Timestamp,
}

impl Principal {
    /// Whether the token opens the admin calls.
    pub fn is_admin(&self) -> bool {
        self.scope
            .as_deref()
            .is_some_and(|scope| scope.split(' ').any(|one| one == "admin"))
    }

    /// Whether the token is worth nothing at that moment: `exp` itself is already too late (RFC 7519, 4.1.4).
    pub fn is_expired(&self, now: Timestamp) -> bool {
        now >= self.expires_at
    }
}
