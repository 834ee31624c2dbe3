//! Pages of messages as they stand now.

use diesel::{
    OptionalExtension,
    pg::Pg,
    sql_types::{BigInt, Nullable, Text},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use futures_util::future::try_join3;
use sealroom_domain::{
    GroupId,
    ports::{Cursor, MessagesPage, PageLimit},
};

use super::log::{CHUNK, SNAPSHOT};
use crate::{
    error::Failure,
    fragments,
    messages::{MessageRow, MessagesBuilder},
    page::Direction,
    statement::{EntryColumns, statement},
};

statement! { Pg:
    /// The first messages that have content from `low` to `high`, both included, ascending; a row is a `MessageRow`.
    Ascending {
        group_id: i64 as BigInt,
        low: i64 as BigInt,
        high: i64 as BigInt,
        limit: i64 as BigInt,
    } -> (EntryColumns, Nullable<BigInt>, Nullable<Text>, Nullable<BigInt>) =
        "SELECT e.group_id, e.seq, e.kind, e.at, e.actor_id, e.message_id, e.target_seq, e.user_id, e.role, e.reason, \
         e.key_epoch, e.client_message_id, e.sender_name, e.content, edit.seq, edit.content, edit.key_epoch \
         FROM entries e LEFT JOIN LATERAL (SELECT c.seq, c.content, c.key_epoch FROM entries c \
         WHERE c.group_id = e.group_id AND c.target_seq = e.seq AND c.target_seq IS NOT NULL \
         ORDER BY c.seq DESC LIMIT 1) AS edit ON TRUE \
         WHERE e.group_id = " [group_id] " AND e.seq BETWEEN " [low] " AND " [high]
        " AND e.kind = 1 AND e.content IS NOT NULL ORDER BY e.seq ASC LIMIT " [limit] ""
}

statement! { Pg:
    /// The last messages that have content from `low` to `high`, both included, descending; a row is a `MessageRow`.
    Descending {
        group_id: i64 as BigInt,
        low: i64 as BigInt,
        high: i64 as BigInt,
        limit: i64 as BigInt,
    } -> (EntryColumns, Nullable<BigInt>, Nullable<Text>, Nullable<BigInt>) =
        "SELECT e.group_id, e.seq, e.kind, e.at, e.actor_id, e.message_id, e.target_seq, e.user_id, e.role, e.reason, \
         e.key_epoch, e.client_message_id, e.sender_name, e.content, edit.seq, edit.content, edit.key_epoch \
         FROM entries e LEFT JOIN LATERAL (SELECT c.seq, c.content, c.key_epoch FROM entries c \
         WHERE c.group_id = e.group_id AND c.target_seq = e.seq AND c.target_seq IS NOT NULL \
         ORDER BY c.seq DESC LIMIT 1) AS edit ON TRUE \
         WHERE e.group_id = " [group_id] " AND e.seq BETWEEN " [low] " AND " [high]
        " AND e.kind = 1 AND e.content IS NOT NULL ORDER BY e.seq DESC LIMIT " [limit] ""
}

/// One snapshot for all of it: what is trimmed or changed meanwhile would leave holes. The first rows are asked for
/// together with the bounds.
pub(super) async fn messages(
    conn: &AsyncPgConnection,
    group_id: GroupId,
    cursor: Cursor,
    limit: PageLimit,
) -> Result<Option<MessagesPage>, Failure> {
    let group_id = group_id.get();
    let mut page = MessagesBuilder::new(cursor, limit);
    let begin = async { (&mut &*conn).batch_execute(SNAPSHOT).await };
    let bounds = async {
        fragments::bounds(group_id)
            .get_result::<(i64, i64)>(&mut &*conn)
            .await
            .optional()
    };
    let wanted = page.wanted().min(CHUNK);
    let first = chunk(conn, group_id, &page, wanted);
    let ((), bounds, rows) = try_join3(begin, bounds, first).await?;
    if bounds.is_some() {
        fill(conn, group_id, &mut page, rows, wanted).await?;
    }
    (&mut &*conn).batch_execute("COMMIT").await?;
    bounds.map(|(head, first)| page.finish(head, first)).transpose()
}

/// Takes rows, of which so many were asked for, and all that follow, as far as there is room.
async fn fill(
    conn: &AsyncPgConnection,
    group_id: i64,
    page: &mut MessagesBuilder,
    mut rows: Vec<MessageRow>,
    mut asked: i64,
) -> Result<(), Failure> {
    loop {
        let is_last = i64::try_from(rows.len()).unwrap_or(i64::MAX) < asked;
        for row in rows {
            if !page.take(row)? {
                return Ok(());
            }
        }
        if is_last {
            return Ok(());
        }
        asked = page.wanted().min(CHUNK);
        rows = chunk(conn, group_id, page, asked).await?;
    }
}

async fn chunk(
    conn: &AsyncPgConnection,
    group_id: i64,
    page: &MessagesBuilder,
    limit: i64,
) -> diesel::QueryResult<Vec<MessageRow>> {
    let (low, high) = page.rest();
    match page.direction() {
        Direction::Ascending => {
            let messages = Ascending {
                group_id,
                low,
                high,
                limit,
            };
            messages.load(&mut &*conn).await
        }
        Direction::Descending => {
            let messages = Descending {
                group_id,
                low,
                high,
                limit,
            };
            messages.load(&mut &*conn).await
        }
    }
}
