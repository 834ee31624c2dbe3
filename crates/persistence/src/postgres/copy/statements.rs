//! The statements of a copy: rows as they are.

use diesel::{
    pg::Pg,
    sql_types::{Array, BigInt, Nullable, Text},
};

use crate::statement::statement;

statement! { Pg:
    /// Puts groups as they are, but for their heads: those of new ones are in front of their first entries.
    PutGroups {
        ids: Vec<i64> as Array<BigInt>,
        names: Vec<String> as Array<Text>,
        firsts: Vec<i64> as Array<BigInt>,
        times: Vec<i64> as Array<BigInt>,
        deletions: Vec<Option<i64>> as Array<Nullable<BigInt>>,
        ages: Vec<Option<i64>> as Array<Nullable<BigInt>>,
        counts: Vec<Option<i64>> as Array<Nullable<BigInt>>,
    } -> () =
        "INSERT INTO groups (id, name, head_seq, first_seq, created_at, deleted_at, retention_age, retention_count) \
         SELECT id, name, first_seq - 1, first_seq, created_at, deleted_at, retention_age, retention_count \
         FROM UNNEST(" [ids] ", " [names] ", " [firsts] ", " [times] ", " [deletions] ", " [ages] ", " [counts]
        ") AS put (id, name, first_seq, created_at, deleted_at, retention_age, retention_count) \
         ON CONFLICT (id) DO UPDATE SET name = EXCLUDED.name, first_seq = EXCLUDED.first_seq, \
         created_at = EXCLUDED.created_at, deleted_at = EXCLUDED.deleted_at, \
         retention_age = EXCLUDED.retention_age, retention_count = EXCLUDED.retention_count, \
         head_seq = GREATEST(groups.head_seq, EXCLUDED.head_seq)"
}

statement! { Pg:
    /// Removes the entries of these groups before these places: the source has forgotten them since.
    ForgetBefore {
        ids: Vec<i64> as Array<BigInt>,
        firsts: Vec<i64> as Array<BigInt>,
    } -> () =
        "DELETE FROM entries e USING UNNEST(" [ids] ", " [firsts] ") AS cut (group_id, first_seq) \
         WHERE e.group_id = cut.group_id AND e.seq < cut.first_seq"
}

statement! { Pg:
    /// The next message gets this id.
    SetNextMessageId { next: i64 as BigInt } -> BigInt =
        "SELECT setval('message_ids', " [next] ", false)"
}

statement! { Pg:
    /// The next login gets this id.
    SetNextLoginId { next: i64 as BigInt } -> BigInt =
        "SELECT setval(pg_get_serial_sequence('logins', 'id'), " [next] ", false)"
}
