//! Rows as they are copied from one store to another.

use diesel::{Insertable, Queryable, Selectable};

use crate::schema::{accounts, logins, members, read_marks, refresh_tokens, users};

/// A user.
#[derive(Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = users, treat_none_as_default_value = false)]
pub(crate) struct UserCopyRow {
    pub(crate) id: i64,
    pub(crate) display_name: Option<String>,
    pub(crate) token_name: Option<String>,
    pub(crate) username: Option<String>,
    pub(crate) revoked_up_to: Option<i64>,
    pub(crate) erased_at: Option<i64>,
    pub(crate) erase_up_to: Option<i64>,
}

/// A membership.
#[derive(Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = members)]
pub(crate) struct MemberRow {
    pub(crate) group_id: i64,
    pub(crate) user_id: i64,
    pub(crate) role: String,
}

/// A read mark.
#[derive(Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = read_marks)]
pub(crate) struct ReadMarkRow {
    pub(crate) group_id: i64,
    pub(crate) user_id: i64,
    pub(crate) read_seq: i64,
}

/// An account.
#[derive(Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = accounts)]
pub(crate) struct AccountRow {
    pub(crate) user_id: i64,
    pub(crate) username: String,
    pub(crate) password_hash: String,
    pub(crate) created_at: i64,
}

/// A login.
#[derive(Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = logins, treat_none_as_default_value = false)]
pub(crate) struct LoginRow {
    pub(crate) id: i64,
    pub(crate) user_id: i64,
    pub(crate) created_at: i64,
    pub(crate) last_token_at: i64,
    pub(crate) ended_at: Option<i64>,
}

/// A refresh token.
#[derive(Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = refresh_tokens, treat_none_as_default_value = false)]
pub(crate) struct RefreshTokenRow {
    pub(crate) digest: Vec<u8>,
    pub(crate) login_id: i64,
    pub(crate) expires_at: i64,
    pub(crate) spent_at: Option<i64>,
}
