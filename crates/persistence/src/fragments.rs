//! Queries without an executor, for any backend.
//!
//! None of them has a `LIMIT`: SQLite prepares a statement with a bound limit anew at each execution. Pages are
//! ranges of the dense `seq` instead, or rows that are read until enough came; a test sees to it. What only one backend
//! asks is in its own folder.

#![expect(
    clippy::elidable_lifetime_names,
    reason = "`auto_type` names the query's type with the lifetime"
)]

use diesel::{dsl::auto_type, expression_methods::ExpressionMethods, prelude::*};

use crate::schema::{accounts, entries, groups, logins, members, meta, users};

/// The one row of `meta`.
pub(crate) const META: i64 = 1;

/// `(head_seq, first_seq)` of a group that exists.
#[auto_type]
pub(crate) fn bounds(group_id: i64) -> _ {
    groups::table
        .filter(groups::id.eq(group_id))
        .filter(groups::deleted_at.is_null())
        .select((groups::head_seq, groups::first_seq))
}

/// The entries of a group from `low` to `high`, both included, ascending.
#[auto_type]
pub(crate) fn ascending(group_id: i64, low: i64, high: i64) -> _ {
    entries::table
        .filter(entries::group_id.eq(group_id))
        .filter(entries::seq.ge(low))
        .filter(entries::seq.le(high))
        .order(entries::seq.asc())
}

/// The entries of a group from `high` down to `low`, both included.
#[auto_type]
pub(crate) fn descending(group_id: i64, low: i64, high: i64) -> _ {
    entries::table
        .filter(entries::group_id.eq(group_id))
        .filter(entries::seq.ge(low))
        .filter(entries::seq.le(high))
        .order(entries::seq.desc())
}

/// `(group_id, role)` of a user, by ascending group.
#[auto_type]
pub(crate) fn groups_of(user_id: i64) -> _ {
    members::table
        .filter(members::user_id.eq(user_id))
        .order(members::group_id.asc())
        .select((members::group_id, members::role))
}

/// `(user_id, role)` of a group's members, by ascending user.
#[auto_type]
pub(crate) fn members_of(group_id: i64) -> _ {
    members::table
        .filter(members::group_id.eq(group_id))
        .order(members::user_id.asc())
        .select((members::user_id, members::role))
}

/// The ids of the groups from `low` to `high`, both included, ascending; those that were deleted among them.
#[auto_type]
pub(crate) fn group_ids(low: i64, high: i64) -> _ {
    groups::table
        .filter(groups::id.ge(low))
        .filter(groups::id.le(high))
        .order(groups::id.asc())
        .select(groups::id)
}

/// The ids of the users from `low` to `high`, both included, ascending.
#[auto_type]
pub(crate) fn user_ids(low: i64, high: i64) -> _ {
    users::table
        .filter(users::id.ge(low))
        .filter(users::id.le(high))
        .order(users::id.asc())
        .select(users::id)
}

/// All groups, by ascending id, deleted ones among them; a row of it is a `LogRange`.
#[cfg(all(feature = "sqlite", feature = "postgres"))]
#[auto_type]
pub(crate) fn all_groups() -> _ {
    groups::table.order(groups::id.asc())
}

/// How many entries the groups have that exist.
#[cfg(all(feature = "sqlite", feature = "postgres"))]
#[auto_type]
pub(crate) fn stored_entries() -> _ {
    entries::table
        .inner_join(groups::table.on(groups::id.eq(entries::group_id)))
        .filter(groups::deleted_at.is_null())
        .count()
}

/// A user.
#[auto_type]
pub(crate) fn user(user_id: i64) -> _ {
    users::table.filter(users::id.eq(user_id))
}

/// The name of the log.
#[auto_type]
pub(crate) fn log_id() -> _ {
    meta::table.filter(meta::id.eq(1_i64)).select(meta::log_id)
}

/// The id from which the next free group id is looked for.
#[auto_type]
pub(crate) fn next_group_id() -> _ {
    meta::table.filter(meta::id.eq(1_i64)).select(meta::next_group_id)
}

/// The id from which the next free user id is looked for.
#[auto_type]
pub(crate) fn next_user_id() -> _ {
    meta::table.filter(meta::id.eq(1_i64)).select(meta::next_user_id)
}

/// The users whose content may not be gone yet, by ascending id.
#[auto_type]
pub(crate) fn unfinished_erasures() -> _ {
    users::table
        .filter(users::erase_up_to.is_not_null())
        .order(users::id.asc())
        .select(users::id)
}

/// `(user_id, password_hash)` of an account.
#[auto_type]
pub(crate) fn account<'a>(username: &'a str) -> _ {
    accounts::table
        .filter(accounts::username.eq(username))
        .select((accounts::user_id, accounts::password_hash))
}

/// The id of a login that goes on.
#[auto_type]
pub(crate) fn open_login(login_id: i64) -> _ {
    logins::table
        .filter(logins::id.eq(login_id))
        .filter(logins::ended_at.is_null())
        .select(logins::id)
}
