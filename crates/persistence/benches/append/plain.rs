//! What an append is measured against: rows that come with their numbers, inserted and committed, and nothing else.

use diesel::{Insertable, table};

/// Inserts rows durably, as fast as the store's own client does it.
pub(crate) trait Plain {
    /// One transaction.
    fn insert(&mut self, rows: &[PlainRow]) -> impl Future<Output = ()>;

    /// Lets the store finish what it does about many new rows.
    fn settle(&mut self) -> impl Future<Output = ()>;
}

/// A message as it is stored.
#[derive(Debug, Insertable)]
#[diesel(table_name = entries)]
pub(crate) struct PlainRow {
    pub(crate) group_id: i64,
    pub(crate) seq: i64,
    pub(crate) client_message_id: String,
    pub(crate) content: String,
}

table! {
    entries (group_id, seq) {
        group_id -> BigInt,
        seq -> BigInt,
        kind -> SmallInt,
        at -> BigInt,
        actor_id -> BigInt,
        message_id -> Nullable<BigInt>,
        client_message_id -> Nullable<Text>,
        sender_name -> Nullable<Text>,
        content -> Nullable<Text>,
    }
}
