//! What a member may do, and why one is gone.

/// A member's role in a group. A greater role may do all that a lesser one may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Reads and sends.
    Member,
    /// Also adds and removes members.
    Admin,
    /// Also changes roles, other owners' among them.
    Owner,
}

impl Role {
    /// The name on the wire and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }

    /// The role of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Member, Self::Admin, Self::Owner]
            .into_iter()
            .find(|role| role.as_str() == name)
    }
}

/// Why a member is no longer one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RemovalReason {
    /// Somebody removed it.
    Removed,
    /// It left.
    Left,
    /// The group is gone.
    GroupDeleted,
    /// It may not come back.
    Banned,
}

impl RemovalReason {
    /// The name on the wire and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Removed => "removed",
            Self::Left => "left",
            Self::GroupDeleted => "group_deleted",
            Self::Banned => "banned",
        }
    }

    /// The reason of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Removed, Self::Left, Self::GroupDeleted, Self::Banned]
            .into_iter()
            .find(|reason| reason.as_str() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for role in [Role::Member, Role::Admin, Role::Owner] {
            assert_eq!(Role::from_name(role.as_str()), Some(role));
        }
        assert_eq!(Role::from_name("Owner"), None);
        assert!(Role::Owner > Role::Admin && Role::Admin > Role::Member);
    }
}
