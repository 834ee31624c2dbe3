//! Statements on the way of a message, and those that diesel's query builder cannot say on this backend. diesel never
//! caches the statement of its `update()`; these are cached, and a test sees to it.

use diesel::{
    QueryResult, RunQueryDsl,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    sql_types::{BigInt, Binary, Nullable, SmallInt, Text},
    sqlite::Sqlite,
};

use crate::{
    rows::NewEntryRow,
    statement::{EntryColumns, UserColumns, statement},
};

/// Inserts an entry, unless one is in its way. diesel's own insert writes its text anew for each row.
pub(crate) struct InsertEntry<'a, const IS_MESSAGE: bool>(NewEntryRow<'a>);

impl<'a> InsertEntry<'a, true> {
    /// Of a message: what a message never has is not bound.
    pub(crate) fn message(row: NewEntryRow<'a>) -> Self {
        Self(row)
    }
}

impl<'a> InsertEntry<'a, false> {
    pub(crate) fn of_any_kind(row: NewEntryRow<'a>) -> Self {
        Self(row)
    }
}

impl<const IS_MESSAGE: bool> QueryFragment<Sqlite> for InsertEntry<'_, IS_MESSAGE> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        let row = &self.0;
        out.push_sql(
            "INSERT INTO entries (group_id, seq, kind, at, actor_id, message_id, key_epoch, client_message_id, \
             sender_name, content, target_seq, user_id, role, reason) VALUES (",
        );
        out.push_bind_param::<BigInt, _>(&row.group_id)?;
        out.push_sql(", ");
        out.push_bind_param::<BigInt, _>(&row.seq)?;
        out.push_sql(", ");
        out.push_bind_param::<SmallInt, _>(&row.kind)?;
        for number in [&row.at, &row.actor_id] {
            out.push_sql(", ");
            out.push_bind_param::<BigInt, _>(number)?;
        }
        for number in [&row.message_id, &row.key_epoch] {
            out.push_sql(", ");
            out.push_bind_param::<Nullable<BigInt>, _>(number)?;
        }
        for text in [&row.client_message_id, &row.sender_name, &row.content] {
            out.push_sql(", ");
            out.push_bind_param::<Nullable<Text>, _>(text)?;
        }
        if IS_MESSAGE {
            out.push_sql(", NULL, NULL, NULL, NULL");
        } else {
            for number in [&row.target_seq, &row.user_id] {
                out.push_sql(", ");
                out.push_bind_param::<Nullable<BigInt>, _>(number)?;
            }
            for text in [&row.role, &row.reason] {
                out.push_sql(", ");
                out.push_bind_param::<Nullable<Text>, _>(text)?;
            }
        }
        out.push_sql(") ON CONFLICT DO NOTHING");
        Ok(())
    }
}

impl<const IS_MESSAGE: bool> QueryId for InsertEntry<'_, IS_MESSAGE> {
    type QueryId = InsertEntry<'static, IS_MESSAGE>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl<const IS_MESSAGE: bool> Query for InsertEntry<'_, IS_MESSAGE> {
    type SqlType = ();
}

impl<Conn, const IS_MESSAGE: bool> RunQueryDsl<Conn> for InsertEntry<'_, IS_MESSAGE> {}

statement! { Sqlite:
    /// Moves the head of a group's log.
    SetHead {
        group_id: i64 as BigInt,
        head_seq: i64 as BigInt,
    } -> () =
        "UPDATE groups SET head_seq = " [head_seq] " WHERE id = " [group_id] ""
}

statement! { Sqlite:
    /// A number that is another one after each commit of another connection.
    DataVersion {} -> BigInt = "PRAGMA data_version"
}

statement! { Sqlite:
    /// Moves the counter of message ids.
    SetNextMessageId { next: i64 as BigInt } -> () =
        "UPDATE meta SET next_message_id = " [next] " WHERE id = 1"
}

statement! { Sqlite:
    /// Removes the content of an entry.
    ClearEntry {
        group_id: i64 as BigInt,
        seq: i64 as BigInt,
    } -> () =
        "UPDATE entries SET content = NULL WHERE group_id = " [group_id] " AND seq = " [seq] ""
}

statement! { Sqlite:
    /// Removes the content of all edits of a message.
    ClearEdits {
        group_id: i64 as BigInt,
        target_seq: i64 as BigInt,
    } -> () =
        "UPDATE entries SET content = NULL WHERE group_id = " [group_id] " AND target_seq = " [target_seq] ""
}

statement! { Sqlite:
    /// Puts an entry into the outbox.
    PutIntoOutbox {
        group_id: i64 as BigInt,
        seq: i64 as BigInt,
    } -> () =
        "INSERT INTO outbox (group_id, seq) VALUES (" [group_id] ", " [seq] ")"
}

/// Entries with their last edits, of one group; a row of it is a `MessageRow`.
const MESSAGES: &str = "SELECT e.group_id, e.seq, e.kind, e.at, e.actor_id, e.message_id, e.target_seq, e.user_id, e.role, \
                        e.reason, e.key_epoch, e.client_message_id, e.sender_name, e.content, edit.seq, edit.content, \
                        edit.key_epoch FROM entries e LEFT JOIN entries edit ON edit.group_id = e.group_id \
                        AND edit.seq = (SELECT max(c.seq) FROM entries c WHERE c.group_id = e.group_id \
                        AND c.target_seq = e.seq) WHERE e.group_id = ";

statement! { Sqlite:
    /// The messages that have content from `low` to `high`, both included, ascending; a row of it is a `MessageRow`.
    MessagesAscending {
        group_id: i64 as BigInt,
        low: i64 as BigInt,
        high: i64 as BigInt,
    } -> (EntryColumns, Nullable<BigInt>, Nullable<Text>, Nullable<BigInt>) =
        MESSAGES [group_id] " AND e.seq >= " [low] " AND e.seq <= " [high]
        " AND e.kind = 1 AND e.content IS NOT NULL ORDER BY e.seq ASC"
}

statement! { Sqlite:
    /// The messages that have content from `high` down to `low`, both included; a row of it is a `MessageRow`.
    MessagesDescending {
        group_id: i64 as BigInt,
        low: i64 as BigInt,
        high: i64 as BigInt,
    } -> (EntryColumns, Nullable<BigInt>, Nullable<Text>, Nullable<BigInt>) =
        MESSAGES [group_id] " AND e.seq >= " [low] " AND e.seq <= " [high]
        " AND e.kind = 1 AND e.content IS NOT NULL ORDER BY e.seq DESC"
}

statement! { Sqlite:
    /// `(id, entry)` of the outbox behind an id, ascending; no entry where it was forgotten.
    OutboxBehind { after: i64 as BigInt } -> (BigInt, Nullable<EntryColumns>) =
        "SELECT o.id, e.group_id, e.seq, e.kind, e.at, e.actor_id, e.message_id, e.target_seq, e.user_id, e.role, \
         e.reason, e.key_epoch, e.client_message_id, e.sender_name, e.content \
         FROM outbox o LEFT JOIN groups g ON g.id = o.group_id AND g.deleted_at IS NULL \
         LEFT JOIN entries e ON e.group_id = g.id AND e.seq = o.seq WHERE o.id > " [after] " ORDER BY o.id ASC"
}

statement! { Sqlite:
    /// Moves a read mark forward.
    MoveReadMark {
        group_id: i64 as BigInt,
        user_id: i64 as BigInt,
        read_seq: i64 as BigInt,
    } -> () =
        "INSERT INTO read_marks (group_id, user_id, read_seq) VALUES (" [group_id] ", " [user_id] ", " [read_seq]
        ") ON CONFLICT (group_id, user_id) DO UPDATE SET read_seq = excluded.read_seq \
         WHERE excluded.read_seq > read_marks.read_seq"
}

statement! { Sqlite:
    /// Takes back a user's tokens up to a moment, never to an earlier one than before.
    RevokeTokens {
        user_id: i64 as BigInt,
        up_to: i64 as BigInt,
    } -> () =
        "INSERT INTO users (id, revoked_up_to) VALUES (" [user_id] ", " [up_to]
        ") ON CONFLICT (id) DO UPDATE SET revoked_up_to = excluded.revoked_up_to \
         WHERE users.revoked_up_to IS NULL OR users.revoked_up_to < excluded.revoked_up_to"
}

statement! { Sqlite:
    /// Ends the logins of a user whose last token was given out before a moment.
    EndLogins {
        user_id: i64 as BigInt,
        before: i64 as BigInt,
        at: i64 as BigInt,
    } -> () =
        "UPDATE logins SET ended_at = " [at] " WHERE user_id = " [user_id] " AND ended_at IS NULL AND last_token_at < " [before]
        ""
}

statement! { Sqlite:
    /// Sets what the host says of a user, without a username leaves the present one. One who was erased is a user like
    /// any other again, and keeps what it writes from now on.
    UpsertUser {
        user_id: i64 as BigInt,
        display_name: String as Text,
        username: Option<String> as Nullable<Text>,
    } -> () =
        "INSERT INTO users (id, display_name, username) VALUES (" [user_id] ", " [display_name] ", " [username]
        ") ON CONFLICT (id) DO UPDATE SET display_name = excluded.display_name, \
         username = coalesce(excluded.username, users.username), erased_at = NULL, erase_up_to = \
         CASE WHEN users.erase_up_to IS NOT NULL \
         THEN min(users.erase_up_to, (SELECT next_message_id - 1 FROM meta WHERE id = 1)) END"
}

statement! { Sqlite:
    /// Keeps the name of a user's token, unless the user was erased; answers the user as it is then.
    KeepTokenName {
        user_id: i64 as BigInt,
        token_name: Option<String> as Nullable<Text>,
    } -> UserColumns =
        "INSERT INTO users (id, token_name) VALUES (" [user_id] ", " [token_name]
        ") ON CONFLICT (id) DO UPDATE SET token_name = CASE WHEN users.erased_at IS NULL \
         THEN coalesce(excluded.token_name, users.token_name) ELSE users.token_name END \
         RETURNING id, display_name, token_name, username, revoked_up_to, erased_at"
}

statement! { Sqlite:
    /// Takes or renews a lease, where nobody else has it now.
    TakeLease {
        name: String as Text,
        holder: String as Text,
        until: i64 as BigInt,
        now: i64 as BigInt,
    } -> () =
        "INSERT INTO leases (name, holder, until) VALUES (" [name] ", " [holder] ", " [until]
        ") ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until \
         WHERE leases.holder = excluded.holder OR leases.until <= " [now] ""
}

statement! { Sqlite:
    /// Spends a refresh token.
    SpendToken {
        digest: Vec<u8> as Binary,
        at: i64 as BigInt,
    } -> () =
        "UPDATE refresh_tokens SET spent_at = " [at] " WHERE digest = " [digest] ""
}

statement! { Sqlite:
    /// Notes when the last token of a login was given out.
    SetLastToken {
        login_id: i64 as BigInt,
        at: i64 as BigInt,
    } -> () =
        "UPDATE logins SET last_token_at = " [at] " WHERE id = " [login_id] ""
}

statement! { Sqlite:
    /// Forgets the spent tokens of a login whose time is over.
    ForgetSpentTokens {
        login_id: i64 as BigInt,
        now: i64 as BigInt,
    } -> () =
        "DELETE FROM refresh_tokens WHERE login_id = " [login_id] " AND spent_at IS NOT NULL AND expires_at <= " [now]
        ""
}

statement! { Sqlite:
    /// Forgets the logins of a user, none of whose tokens is worth anything any more.
    ForgetLogins {
        user_id: i64 as BigInt,
        now: i64 as BigInt,
    } -> () =
        "DELETE FROM logins WHERE user_id = " [user_id] " AND NOT EXISTS (SELECT 1 FROM refresh_tokens t \
         WHERE t.login_id = logins.id AND t.expires_at > " [now] ")"
}

statement! { Sqlite:
    /// Ends a login, if it goes on.
    EndLogin {
        login_id: i64 as BigInt,
        at: i64 as BigInt,
    } -> () =
        "UPDATE logins SET ended_at = " [at] " WHERE id = " [login_id] " AND ended_at IS NULL"
}

statement! { Sqlite:
    /// Forgets the entries of a group from `low` to `high`, both included.
    ForgetEntries {
        group_id: i64 as BigInt,
        low: i64 as BigInt,
        high: i64 as BigInt,
    } -> () =
        "DELETE FROM entries WHERE group_id = " [group_id] " AND seq >= " [low] " AND seq <= " [high] ""
}

statement! { Sqlite:
    /// Moves the first place of a group's log forward.
    MoveFirst {
        group_id: i64 as BigInt,
        first_seq: i64 as BigInt,
    } -> () =
        "UPDATE groups SET first_seq = " [first_seq] " WHERE id = " [group_id] " AND first_seq < " [first_seq] ""
}

statement! { Sqlite:
    /// `(group_id, seq, kind, actor_id)` of the entries of all groups behind a place, ascending.
    EntriesBehind {
        group_id: i64 as BigInt,
        seq: i64 as BigInt,
    } -> (BigInt, BigInt, SmallInt, BigInt) =
        "SELECT group_id, seq, kind, actor_id FROM entries WHERE (group_id, seq) > (" [group_id] ", " [seq]
        ") ORDER BY group_id ASC, seq ASC"
}

statement! { Sqlite:
    /// Removes content, name and client id from a message, or content from an edit, unless the message has a greater id.
    EraseEntry {
        group_id: i64 as BigInt,
        seq: i64 as BigInt,
        up_to: i64 as BigInt,
    } -> () =
        "UPDATE entries SET content = NULL, client_message_id = NULL, \
         sender_name = CASE WHEN kind = 1 THEN 'Unknown' END WHERE group_id = " [group_id] " AND seq = " [seq]
        " AND kind IN (1, 2) AND NOT EXISTS (SELECT 1 FROM entries m WHERE m.group_id = entries.group_id \
         AND m.seq = coalesce(entries.target_seq, entries.seq) AND m.message_id > " [up_to] ")"
}
