//! Read marks.

use async_trait::async_trait;
use diesel::{OptionalExtension, RunQueryDsl, SqliteConnection};
use sealroom_domain::{
    GroupId, Seq, UserId,
    ports::{MarkedRead, ReadMark, ReadMarks, StoreError},
};

use super::{SqliteStore, log, lookups, statements::MoveReadMark};
use crate::{error::Failure, rows};

#[async_trait]
impl ReadMarks for SqliteStore {
    async fn advance(&self, marks: Vec<ReadMark>) -> Result<Vec<Option<MarkedRead>>, StoreError> {
        if marks.is_empty() {
            return Ok(Vec::new());
        }
        self.write(move |conn| marks.into_iter().map(|mark| advance(conn, mark)).collect())
            .await
    }

    async fn of_user(&self, user_id: UserId, groups: &[GroupId]) -> Result<Vec<(GroupId, Seq)>, StoreError> {
        let groups = groups.to_vec();
        self.read(move |conn| {
            let mut marks = Vec::with_capacity(groups.len());
            for group_id in groups {
                if let Some(read) = read_mark(conn, group_id, user_id)? {
                    marks.push((group_id, read));
                }
            }
            Ok(marks)
        })
        .await
    }
}

fn advance(conn: &mut SqliteConnection, mark: ReadMark) -> Result<Option<MarkedRead>, Failure> {
    let Some((head, _)) = log::bounds(conn, mark.group_id)? else {
        return Ok(None);
    };
    MoveReadMark {
        group_id: mark.group_id.get(),
        user_id: mark.user_id.get(),
        read_seq: mark.seq.get().min(head),
    }
    .execute(conn)?;
    Ok(Some(MarkedRead {
        read: read_mark(conn, mark.group_id, mark.user_id)?.unwrap_or(Seq::ZERO),
        head: rows::seq("groups", "head_seq", head)?,
    }))
}

fn read_mark(
    conn: &mut SqliteConnection,
    group_id: GroupId,
    user_id: UserId,
) -> Result<Option<Seq>, Failure> {
    let read: Option<i64> = lookups::read_mark(group_id.get(), user_id.get())
        .get_result(conn)
        .optional()?;
    Ok(read
        .map(|read| rows::seq("read_marks", "read_seq", read))
        .transpose()?)
}
