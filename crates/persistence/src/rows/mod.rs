//! The rows, private to this crate, and their checked conversion to the model and back.

#[cfg(all(feature = "sqlite", feature = "postgres"))]
mod copied;
mod entry;
mod group;
mod user;

use sealroom_domain::{
    GroupId, LoginId, MessageId, PasswordHash, Role, Seq, UserId,
    ports::{Account, Member},
};

#[cfg(all(feature = "sqlite", feature = "postgres"))]
pub(crate) use self::copied::{AccountRow, LoginRow, MemberRow, ReadMarkRow, RefreshTokenRow, UserCopyRow};
pub(crate) use self::{
    entry::{EntryRow, NewEntryRow, content, key_epoch},
    group::{GroupChanges, GroupRow, retention},
    user::{Erasure, UserRow},
};
use crate::error::Inconsistency;

/// The value, or the table and column that hold what they should not.
fn valid<T, E>(table: &'static str, column: &'static str, value: Result<T, E>) -> Result<T, Inconsistency> {
    value.ok().ok_or(Inconsistency { table, column })
}

/// A role by its name in the store.
pub(crate) fn role(table: &'static str, name: &str) -> Result<Role, Inconsistency> {
    Role::from_name(name).ok_or(Inconsistency {
        table,
        column: "role",
    })
}

/// A group's id in `members` or `groups`.
pub(crate) fn group_id(
    table: &'static str,
    column: &'static str,
    value: i64,
) -> Result<GroupId, Inconsistency> {
    valid(table, column, GroupId::new(value))
}

/// A user's id in `members` or `users`.
pub(crate) fn user_id(
    table: &'static str,
    column: &'static str,
    value: i64,
) -> Result<UserId, Inconsistency> {
    valid(table, column, UserId::new(value))
}

/// A message's id, in `entries` or where the next one comes from.
pub(crate) fn message_id(
    table: &'static str,
    column: &'static str,
    value: i64,
) -> Result<MessageId, Inconsistency> {
    valid(table, column, MessageId::new(value))
}

/// A place in a log, in `groups` or `entries`.
pub(crate) fn seq(table: &'static str, column: &'static str, value: i64) -> Result<Seq, Inconsistency> {
    valid(table, column, Seq::new(value))
}

/// A login's id.
pub(crate) fn login_id(value: i64) -> Result<LoginId, Inconsistency> {
    valid("logins", "id", LoginId::new(value))
}

/// A row of a user's groups.
pub(crate) fn group_and_role(id: i64, name: &str) -> Result<(GroupId, Role), Inconsistency> {
    Ok((group_id("members", "group_id", id)?, role("members", name)?))
}

/// A row of a group's members.
pub(crate) fn member(id: i64, name: &str) -> Result<Member, Inconsistency> {
    Ok(Member {
        user_id: user_id("members", "user_id", id)?,
        role: role("members", name)?,
    })
}

/// A row of an account.
pub(crate) fn account(id: i64, password_hash: String) -> Result<Account, Inconsistency> {
    Ok(Account {
        user_id: user_id("accounts", "user_id", id)?,
        password: PasswordHash::new(password_hash),
    })
}
