//! The outbox.

use async_trait::async_trait;
use diesel::{RunQueryDsl, SqliteConnection, connection::DefaultLoadingMode};
use sealroom_domain::{
    Timestamp,
    ports::{Outbox, OutboxId, OutboxItem, StoreError},
};

use super::{
    SqliteStore,
    statements::{OutboxBehind, TakeLease},
};
use crate::{
    error::Failure,
    outbox::{self, OutboxRow},
    schema,
};

#[async_trait]
impl Outbox for SqliteStore {
    async fn lease(&self, holder: &str, now: Timestamp, until: Timestamp) -> Result<bool, StoreError> {
        let lease = TakeLease {
            name: outbox::LEASE.to_owned(),
            holder: holder.to_owned(),
            until: until.as_micros(),
            now: now.as_micros(),
        };
        self.write(move |conn| Ok(lease.execute(conn)? > 0)).await
    }

    async fn pending(&self, after: OutboxId, limit: usize) -> Result<Vec<OutboxItem>, StoreError> {
        self.read(move |conn| pending(conn, after, limit)).await
    }

    async fn delivered(&self, ids: &[OutboxId]) -> Result<(), StoreError> {
        if ids.is_empty() {
            return Ok(());
        }
        let ids = ids.to_vec();
        self.write(move |conn| {
            for id in ids {
                diesel::delete(diesel::QueryDsl::find(schema::outbox::table, id.0)).execute(conn)?;
            }
            Ok(())
        })
        .await
    }
}

fn pending(conn: &mut SqliteConnection, after: OutboxId, limit: usize) -> Result<Vec<OutboxItem>, Failure> {
    let rows = OutboxBehind { after: after.0 }.load_iter::<OutboxRow, DefaultLoadingMode>(conn)?;
    rows.take(limit).map(|row| Ok(outbox::item(row?)?)).collect()
}
