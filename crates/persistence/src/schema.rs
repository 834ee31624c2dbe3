//! The tables, in column types that SQLite and PostgreSQL share. Times are microseconds since 1970 in UTC.

use diesel::{allow_tables_to_appear_in_same_query, table};

table! {
    /// One row with the name of the log and the numbers that are given out next.
    meta (id) {
        id -> BigInt,
        log_id -> Text,
        next_group_id -> BigInt,
        next_message_id -> BigInt,
        next_user_id -> BigInt,
    }
}

table! {
    groups (id) {
        id -> BigInt,
        name -> Text,
        head_seq -> BigInt,
        first_seq -> BigInt,
        created_at -> BigInt,
        deleted_at -> Nullable<BigInt>,
        retention_age -> Nullable<BigInt>,
        retention_count -> Nullable<BigInt>,
    }
}

table! {
    users (id) {
        id -> BigInt,
        display_name -> Nullable<Text>,
        token_name -> Nullable<Text>,
        username -> Nullable<Text>,
        revoked_up_to -> Nullable<BigInt>,
        erased_at -> Nullable<BigInt>,
        erase_up_to -> Nullable<BigInt>,
    }
}

table! {
    members (group_id, user_id) {
        group_id -> BigInt,
        user_id -> BigInt,
        role -> Text,
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

table! {
    read_marks (group_id, user_id) {
        group_id -> BigInt,
        user_id -> BigInt,
        read_seq -> BigInt,
    }
}

table! {
    accounts (user_id) {
        user_id -> BigInt,
        username -> Text,
        password_hash -> Text,
        created_at -> BigInt,
    }
}

table! {
    logins (id) {
        id -> BigInt,
        user_id -> BigInt,
        created_at -> BigInt,
        last_token_at -> BigInt,
        ended_at -> Nullable<BigInt>,
    }
}

table! {
    refresh_tokens (digest) {
        digest -> Binary,
        login_id -> BigInt,
        expires_at -> BigInt,
        spent_at -> Nullable<BigInt>,
    }
}

table! {
    outbox (id) {
        id -> BigInt,
        group_id -> BigInt,
        seq -> BigInt,
    }
}

allow_tables_to_appear_in_same_query!(entries, groups);
allow_tables_to_appear_in_same_query!(logins, refresh_tokens);
