//! The statements of a copy: rows as they are.

use diesel::{
    QueryResult,
    pg::Pg,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    sql_types::{Array, BigInt, Nullable, Text},
};

use super::super::statements::statement;

statement! {
    /// Puts users as they are.
    PutUsers {
        ids: Vec<i64> as Array<BigInt>,
        display_names: Vec<Option<String>> as Array<Nullable<Text>>,
        token_names: Vec<Option<String>> as Array<Nullable<Text>>,
        usernames: Vec<Option<String>> as Array<Nullable<Text>>,
    } -> () =
        "INSERT INTO users (id, display_name, token_name, username) \
         SELECT * FROM UNNEST(" [ids] ", " [display_names] ", " [token_names] ", " [usernames] ") \
         ON CONFLICT (id) DO UPDATE SET display_name = EXCLUDED.display_name, token_name = EXCLUDED.token_name, \
         username = EXCLUDED.username"
}

statement! {
    /// Puts groups as they are, but for their heads: those of new ones are in front of their first entries.
    PutGroups {
        ids: Vec<i64> as Array<BigInt>,
        names: Vec<String> as Array<Text>,
        firsts: Vec<i64> as Array<BigInt>,
        times: Vec<i64> as Array<BigInt>,
    } -> () =
        "INSERT INTO groups (id, name, head_seq, first_seq, created_at) \
         SELECT id, name, first_seq - 1, first_seq, created_at \
         FROM UNNEST(" [ids] ", " [names] ", " [firsts] ", " [times] ") AS put (id, name, first_seq, created_at) \
         ON CONFLICT (id) DO UPDATE SET name = EXCLUDED.name, first_seq = EXCLUDED.first_seq, \
         created_at = EXCLUDED.created_at"
}

statement! {
    /// Puts memberships as they are.
    PutMembers {
        groups: Vec<i64> as Array<BigInt>,
        users: Vec<i64> as Array<BigInt>,
        roles: Vec<String> as Array<Text>,
        reads: Vec<i64> as Array<BigInt>,
    } -> () =
        "INSERT INTO members (group_id, user_id, role, read_seq) \
         SELECT * FROM UNNEST(" [groups] ", " [users] ", " [roles] ", " [reads] ")"
}

statement! {
    /// The next message gets this id.
    SetNextMessageId { next: i64 as BigInt } -> BigInt =
        "SELECT setval('message_ids', " [next] ", false)"
}
