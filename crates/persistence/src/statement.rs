//! Statements that diesel would not cache: updates, upserts, inserts of lists, and what its query builder cannot say.

use diesel::{Table, expression::Expression};

use crate::schema::{entries, users};

/// The types of all columns of `entries`, in their order.
pub(crate) type EntryColumns = <<entries::table as Table>::AllColumns as Expression>::SqlType;

/// The types of the columns of a [`crate::rows::UserRow`].
pub(crate) type UserColumns = <(
    users::id,
    users::display_name,
    users::token_name,
    users::username,
    users::revoked_up_to,
    users::erased_at,
) as Expression>::SqlType;

/// Defines a statement of a backend: its parameters with their types here and there, the types of its columns, and its
/// text around the parameters, in literals or constants. diesel prepares it once for each connection.
macro_rules! statement {
    (
        $backend:ty:
        $(#[$doc:meta])*
        $name:ident { $($parameter:ident: $rust:ty as $sql:ty),* $(,)? } -> $columns:ty =
        $begin:tt $([$bound:ident] $text:tt)*
    ) => {
        $(#[$doc])*
        #[derive(Debug, Default)]
        pub(crate) struct $name {
            $(pub(crate) $parameter: $rust,)*
        }

        impl $name {
            $(
                fn $parameter<'b>(
                    &'b self,
                    out: &mut diesel::query_builder::AstPass<'_, 'b, $backend>,
                ) -> diesel::QueryResult<()> {
                    out.push_bind_param::<$sql, _>(&self.$parameter)
                }
            )*
        }

        impl diesel::query_builder::QueryFragment<$backend> for $name {
            fn walk_ast<'b>(
                &'b self,
                mut out: diesel::query_builder::AstPass<'_, 'b, $backend>,
            ) -> diesel::QueryResult<()> {
                out.push_sql($begin);
                $(
                    self.$bound(&mut out)?;
                    out.push_sql($text);
                )*
                Ok(())
            }
        }

        impl diesel::query_builder::QueryId for $name {
            type QueryId = Self;
            const HAS_STATIC_QUERY_ID: bool = true;
        }

        impl diesel::query_builder::Query for $name {
            type SqlType = $columns;
        }

        impl<Conn> diesel::RunQueryDsl<Conn> for $name {}
    };
}
pub(crate) use statement;
