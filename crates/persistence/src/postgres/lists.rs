//! Queries over lists, which only this backend asks as one.

use diesel::{dsl::auto_type, expression_methods::ExpressionMethods, prelude::*};

use crate::schema::{groups, users};

/// Those of these groups that exist, by ascending id.
#[auto_type]
pub(super) fn groups_among(ids: Vec<i64>) -> _ {
    groups::table
        .filter(groups::id.eq_any(ids))
        .filter(groups::deleted_at.is_null())
        .order(groups::id.asc())
}

/// `(id, head_seq)` of those of these groups that exist.
#[auto_type]
pub(super) fn heads_among(ids: Vec<i64>) -> _ {
    groups::table
        .filter(groups::id.eq_any(ids))
        .filter(groups::deleted_at.is_null())
        .select((groups::id, groups::head_seq))
}

/// Those of these users that are known.
#[auto_type]
pub(super) fn users_among(ids: Vec<i64>) -> _ {
    users::table.filter(users::id.eq_any(ids))
}
