//! The tables, in column types that SQLite and PostgreSQL share. Times are microseconds since 1970 in UTC.

use diesel::table;

table! {
    /// One row with the name of the log and the numbers that are given out next.
    meta (id) {
        id -> BigInt,
        log_id -> Text,
        next_group_id -> BigInt,
        next_message_id -> BigInt,
    }
}

table! {
    groups (id) {
        id -> BigInt,
        name -> Text,
        head_seq -> BigInt,
        first_seq -> BigInt,
        created_at -> BigInt,
    }
}

table! {
    users (id) {
        id -> BigInt,
        display_name -> Nullable<Text>,
        token_name -> Nullable<Text>,
        username -> Nullable<Text>,
    }
}

table! {
    members (group_id, user_id) {
        group_id -> BigInt,
        user_id -> BigInt,
        role -> Text,
        read_seq -> BigInt,
    }
}

table! {
    entries (group_id, seq) {
        group_id -> BigInt,
        seq -> BigInt,
        kind -> SmallInt,
        at -> BigInt,
        actor_id -> BigInt,
        message_id -> Nullable<BigInt>,
        target_seq -> Nullable<BigInt>,
        user_id -> Nullable<BigInt>,
        role -> Nullable<Text>,
        reason -> Nullable<Text>,
        key_epoch -> Nullable<BigInt>,
        client_message_id -> Nullable<Text>,
        sender_name -> Nullable<Text>,
        content -> Nullable<Text>,
    }
}
