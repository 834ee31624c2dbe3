//! Values of answers: written and described for OpenAPI by the same types.

use sealroom_domain::{
    GroupId, KeyEpoch, MAX_SAFE_INTEGER, MessageId, RemovalReason, Role, Seq, Timestamp, UserId,
    ports::MarkedRead,
};
use serde::Serialize;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{KnownFormat, ObjectBuilder, RefOr, Schema, SchemaFormat, schema::Type},
};

use crate::rfc3339;

/// An id: 1 to 2^53 - 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Id(i64);

/// A place in a log, a key epoch or a number of entries: 0 to 2^53 - 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Count(i64);

/// A moment, as [`rfc3339`] writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Time(String);

/// The name of a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct RoleName(&'static str);

/// The name of a reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ReasonName(&'static str);

macro_rules! made_of {
    ($value:ident($get:expr): $($from:ty),+) => {
        $(impl From<$from> for $value {
            fn from(value: $from) -> Self {
                let get: fn($from) -> _ = $get;
                Self(get(value))
            }
        })+
    };
}

made_of!(Id(|id| id.get()): GroupId, UserId, MessageId);
made_of!(Count(|count| count.get()): Seq, KeyEpoch);
made_of!(Time(rfc3339): Timestamp);
made_of!(RoleName(Role::as_str): Role);
made_of!(ReasonName(RemovalReason::as_str): RemovalReason);

impl From<MarkedRead> for Count {
    /// The entries after a mark.
    fn from(marked: MarkedRead) -> Self {
        Self::between(marked.read, marked.head)
    }
}

impl Count {
    /// The entries of a log after a place.
    pub const fn between(after: Seq, head: Seq) -> Self {
        let count = head.get().saturating_sub(after.get());
        Self(if count < 0 { 0 } else { count })
    }
}

/// An integer from `minimum` to 2^53 - 1.
pub fn integer(minimum: i64) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
        .minimum(Some(minimum))
        .maximum(Some(MAX_SAFE_INTEGER))
}

/// One of these texts.
pub fn one_of<'a>(names: impl IntoIterator<Item = &'a str>) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(names))
}

macro_rules! described {
    ($value:ident: $schema:expr, $description:literal) => {
        impl PartialSchema for $value {
            fn schema() -> RefOr<Schema> {
                $schema.description(Some($description)).into()
            }
        }

        impl ToSchema for $value {}
    };
}

described!(Id: integer(1), "An id.");
described!(Count: integer(0), "A number: a place in a log, a key epoch, or a count of entries.");
described!(
    Time: ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
        .pattern(Some(r"^-?\d{4,6}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"))
        .examples(["2024-01-15T10:30:00.000Z"]),
    "A moment in UTC with milliseconds (RFC 3339)."
);
described!(
    RoleName: one_of([Role::Member, Role::Admin, Role::Owner].map(Role::as_str)),
    "A role in a group. A greater one may do all that a lesser one may."
);
described!(
    ReasonName: one_of(
        [
            RemovalReason::Removed,
            RemovalReason::Left,
            RemovalReason::GroupDeleted,
            RemovalReason::Banned
        ]
        .map(RemovalReason::as_str)
    ),
    "Why a member is no longer one."
);
