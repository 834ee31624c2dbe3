//! The statements of a batch: each takes arrays, so that a batch of any size is as many round trips as one of one.
//!
//! diesel caches no statement that inserts a list, updates or upserts. These are cached, and prepared when a writer's
//! connection is opened ([`super::append::rehearse`]).

use diesel::{
    pg::Pg,
    sql_types::{Array, BigInt, Bool, Integer, Text},
};

use crate::statement::{EntryColumns, statement};

statement! { Pg:
    /// `(id, head_seq)` of those of these groups that exist, by ascending id, whose rows are locked in this order: two
    /// batches that want the same groups never wait for each other in a circle. The heads are those after the locks were
    /// had.
    LockGroups { ids: Vec<i64> as Array<BigInt> } -> (BigInt, BigInt) =
        "SELECT id, head_seq FROM groups WHERE id = ANY(" [ids] ") AND deleted_at IS NULL ORDER BY id FOR NO KEY UPDATE"
}

statement! { Pg:
    /// `(group_id, user_id, role)` of those of these pairs that are members.
    Roles {
        groups: Vec<i64> as Array<BigInt>,
        users: Vec<i64> as Array<BigInt>,
    } -> (BigInt, BigInt, Text) =
        "SELECT m.group_id, m.user_id, m.role FROM UNNEST(" [groups] ", " [users] ") AS asked (group_id, user_id) \
         JOIN members m ON m.group_id = asked.group_id AND m.user_id = asked.user_id"
}

statement! { Pg:
    /// `(group_id, number)` of the owners of those of these groups that have any.
    Owners { groups: Vec<i64> as Array<BigInt> } -> (BigInt, BigInt) =
        "SELECT group_id, count(*) FROM members WHERE role = 'owner' AND group_id = ANY(" [groups] ") \
         GROUP BY group_id"
}

statement! { Pg:
    /// Waits until nobody else counts the memberships of these users, and keeps others waiting until the commit: each
    /// batch holds the locks of its own groups only, and a user may become a member of several at once.
    LockUsers { ids: Vec<i64> as Array<BigInt> } -> BigInt =
        "SELECT id FROM (SELECT id, pg_advisory_xact_lock(id) FROM UNNEST(" [ids] ") AS asked (id)) AS locked"
}

statement! { Pg:
    /// `(group_id, number)` of the members of those of these groups that have any.
    CountMembers { groups: Vec<i64> as Array<BigInt> } -> (BigInt, BigInt) =
        "SELECT group_id, count(*) FROM members WHERE group_id = ANY(" [groups] ") GROUP BY group_id"
}

statement! { Pg:
    /// `(user_id, number)` of the groups of those of these users that have any.
    CountGroups { users: Vec<i64> as Array<BigInt> } -> (BigInt, BigInt) =
        "SELECT user_id, count(*) FROM members WHERE user_id = ANY(" [users] ") GROUP BY user_id"
}

statement! { Pg:
    /// The last edit, or the deletion, of those of these messages that have any.
    LastChanges {
        groups: Vec<i64> as Array<BigInt>,
        seqs: Vec<i64> as Array<BigInt>,
    } -> EntryColumns =
        "SELECT c.group_id, c.seq, c.kind, c.at, c.actor_id, c.message_id, c.target_seq, c.user_id, c.role, c.reason, \
         c.key_epoch, c.client_message_id, c.sender_name, c.content \
         FROM UNNEST(" [groups] ", " [seqs] ") AS asked (group_id, seq) CROSS JOIN LATERAL (SELECT * FROM entries e \
         WHERE e.group_id = asked.group_id AND e.target_seq = asked.seq AND e.target_seq IS NOT NULL \
         ORDER BY e.seq DESC LIMIT 1) AS c"
}

statement! { Pg:
    /// Removes the content of these messages and of all of their edits.
    ClearContents {
        groups: Vec<i64> as Array<BigInt>,
        seqs: Vec<i64> as Array<BigInt>,
    } -> () =
        "UPDATE entries SET content = NULL FROM (\
         SELECT m.group_id, m.seq FROM UNNEST(" [groups] ", " [seqs] ") AS m (group_id, seq) UNION ALL \
         SELECT e.group_id, e.seq FROM UNNEST(" [groups] ", " [seqs] ") AS m (group_id, seq) \
         JOIN entries e ON e.group_id = m.group_id AND e.target_seq = m.seq AND e.target_seq IS NOT NULL) AS gone \
         WHERE entries.group_id = gone.group_id AND entries.seq = gone.seq"
}

statement! { Pg:
    /// Puts entries into the outbox, in this order.
    PutIntoOutbox {
        groups: Vec<i64> as Array<BigInt>,
        seqs: Vec<i64> as Array<BigInt>,
    } -> () =
        "INSERT INTO outbox (group_id, seq) SELECT * FROM UNNEST(" [groups] ", " [seqs] ")"
}

statement! { Pg:
    /// The messages that have one of these client ids.
    ByClientMessageIds {
        groups: Vec<i64> as Array<BigInt>,
        senders: Vec<i64> as Array<BigInt>,
        client_ids: Vec<String> as Array<Text>,
    } -> EntryColumns =
        "SELECT e.group_id, e.seq, e.kind, e.at, e.actor_id, e.message_id, e.target_seq, e.user_id, e.role, e.reason, \
         e.key_epoch, e.client_message_id, e.sender_name, e.content \
         FROM UNNEST(" [groups] ", " [senders] ", " [client_ids] ") AS asked (group_id, actor_id, id) \
         JOIN entries e ON e.group_id = asked.group_id AND e.actor_id = asked.actor_id \
         AND e.client_message_id = asked.id AND e.client_message_id IS NOT NULL"
}

statement! { Pg:
    /// The entries at those of these places that the logs have.
    AtPlaces {
        groups: Vec<i64> as Array<BigInt>,
        seqs: Vec<i64> as Array<BigInt>,
    } -> EntryColumns =
        "SELECT e.group_id, e.seq, e.kind, e.at, e.actor_id, e.message_id, e.target_seq, e.user_id, e.role, e.reason, \
         e.key_epoch, e.client_message_id, e.sender_name, e.content \
         FROM UNNEST(" [groups] ", " [seqs] ") AS asked (group_id, seq) \
         JOIN entries e ON e.group_id = asked.group_id AND e.seq = asked.seq"
}

statement! { Pg:
    /// As many ids for messages, ascending.
    TakeMessageIds { count: i64 as BigInt } -> BigInt =
        "SELECT nextval('message_ids') FROM generate_series(1, " [count] ")"
}

statement! { Pg:
    /// Moves the heads of these groups.
    SetHeads {
        ids: Vec<i64> as Array<BigInt>,
        heads: Vec<i64> as Array<BigInt>,
    } -> () =
        "UPDATE groups SET head_seq = moved.head_seq FROM UNNEST(" [ids] ", " [heads] ") AS moved (id, head_seq) \
         WHERE groups.id = moved.id"
}

statement! { Pg:
    /// Makes these users known, if they were not.
    KnowUsers { ids: Vec<i64> as Array<BigInt> } -> () =
        "INSERT INTO users (id) SELECT * FROM UNNEST(" [ids] ") ON CONFLICT DO NOTHING"
}

statement! { Pg:
    /// Makes these users members, or changes their roles.
    SetMembers {
        groups: Vec<i64> as Array<BigInt>,
        users: Vec<i64> as Array<BigInt>,
        roles: Vec<&'static str> as Array<Text>,
    } -> () =
        "INSERT INTO members (group_id, user_id, role) \
         SELECT * FROM UNNEST(" [groups] ", " [users] ", " [roles] ") \
         ON CONFLICT (group_id, user_id) DO UPDATE SET role = EXCLUDED.role"
}

statement! { Pg:
    /// Ends these memberships.
    RemoveMembers {
        groups: Vec<i64> as Array<BigInt>,
        users: Vec<i64> as Array<BigInt>,
    } -> () =
        "DELETE FROM members USING UNNEST(" [groups] ", " [users] ") AS gone (group_id, user_id) \
         WHERE members.group_id = gone.group_id AND members.user_id = gone.user_id"
}

statement! { Pg:
    /// Ends the session of this process on the server, which may take a moment; nothing where it is gone.
    EndSession { process: i32 as Integer } -> Bool =
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = " [process] ""
}

statement! { Pg:
    /// Commits. Sent like the statements before it: a plain `COMMIT` goes another way through the driver and could
    /// overtake them.
    Commit {} -> () = "COMMIT"
}

statement! { Pg:
    /// Ends a transaction that changed nothing.
    RollBack {} -> () = "ROLLBACK"
}
