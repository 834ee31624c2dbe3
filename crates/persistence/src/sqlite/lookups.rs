//! Queries that only this backend asks: those of an append that goes entry by entry, and of others that work row by
//! row. A test sees to it that each is prepared once.

#![expect(
    clippy::elidable_lifetime_names,
    reason = "`auto_type` names the query's type with the lifetime"
)]

use diesel::{dsl::auto_type, expression_methods::ExpressionMethods, prelude::*};

use crate::schema::{entries, groups, logins, members, meta, read_marks, refresh_tokens, users};

/// The message that a sender gave this id in this group.
#[auto_type]
pub(super) fn by_client_message_id<'a>(group_id: i64, actor_id: i64, client_message_id: &'a str) -> _ {
    entries::table
        .filter(entries::group_id.eq(group_id))
        .filter(entries::actor_id.eq(actor_id))
        .filter(entries::client_message_id.eq(client_message_id))
}

/// The role of a user in a group.
#[auto_type]
pub(super) fn role(group_id: i64, user_id: i64) -> _ {
    members::table
        .filter(members::group_id.eq(group_id))
        .filter(members::user_id.eq(user_id))
        .select(members::role)
}

/// How many members of a group have this role.
#[auto_type]
pub(super) fn count_role<'a>(group_id: i64, role: &'a str) -> _ {
    members::table
        .filter(members::group_id.eq(group_id))
        .filter(members::role.eq(role))
        .count()
}

/// A group that exists.
#[auto_type]
pub(super) fn group(group_id: i64) -> _ {
    groups::table
        .filter(groups::id.eq(group_id))
        .filter(groups::deleted_at.is_null())
}

/// The id of the user who has this username.
#[auto_type]
pub(super) fn username_owner<'a>(username: &'a str) -> _ {
    users::table
        .filter(users::username.eq(username))
        .select(users::id)
}

/// The id of the next message.
#[auto_type]
pub(super) fn next_message_id() -> _ {
    meta::table
        .filter(meta::id.eq(1_i64))
        .select(meta::next_message_id)
}

/// Of how many groups a user is a member.
#[auto_type]
pub(super) fn count_groups(user_id: i64) -> _ {
    members::table.filter(members::user_id.eq(user_id)).count()
}

/// How many members a group has.
#[auto_type]
pub(super) fn count_members(group_id: i64) -> _ {
    members::table.filter(members::group_id.eq(group_id)).count()
}

/// The entry at a place.
#[auto_type]
pub(super) fn entry(group_id: i64, seq: i64) -> _ {
    entries::table
        .filter(entries::group_id.eq(group_id))
        .filter(entries::seq.eq(seq))
}

/// The edits and the deletion of a message, the last one first.
#[auto_type]
pub(super) fn changes(group_id: i64, target_seq: i64) -> _ {
    entries::table
        .filter(entries::group_id.eq(group_id))
        .filter(entries::target_seq.eq(target_seq))
        .order(entries::seq.desc())
}

/// `(seq, at)` of the entries of a group from `low` to `high`, both included, ascending.
#[auto_type]
pub(super) fn times(group_id: i64, low: i64, high: i64) -> _ {
    entries::table
        .filter(entries::group_id.eq(group_id))
        .filter(entries::seq.ge(low))
        .filter(entries::seq.le(high))
        .order(entries::seq.asc())
        .select((entries::seq, entries::at))
}

/// The groups behind an id, ascending; a row of it is a `TrimRow`.
#[auto_type]
pub(super) fn groups_behind(after: i64) -> _ {
    groups::table
        .filter(groups::id.gt(after))
        .order(groups::id.asc())
        .select((
            groups::id,
            groups::head_seq,
            groups::first_seq,
            groups::deleted_at,
            groups::retention_age,
            groups::retention_count,
        ))
}

/// The read mark of a user in a group.
#[auto_type]
pub(super) fn read_mark(group_id: i64, user_id: i64) -> _ {
    read_marks::table
        .filter(read_marks::group_id.eq(group_id))
        .filter(read_marks::user_id.eq(user_id))
        .select(read_marks::read_seq)
}

/// `(login_id, user_id, ended_at, expires_at, spent_at)` of a refresh token; a row of it is a `TokenRow`.
#[auto_type]
pub(super) fn refresh_token<'a>(digest: &'a [u8]) -> _ {
    refresh_tokens::table
        .inner_join(logins::table.on(logins::id.eq(refresh_tokens::login_id)))
        .filter(refresh_tokens::digest.eq(digest))
        .select((
            refresh_tokens::login_id,
            logins::user_id,
            logins::ended_at,
            refresh_tokens::expires_at,
            refresh_tokens::spent_at,
        ))
}
