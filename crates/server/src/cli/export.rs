//! `export`: writes a group's log as JSON lines.

use std::{
    io::{self, BufWriter, Write},
    sync::Arc,
};

use anyhow::{Context, anyhow, bail};
use sealroom_domain::{
    GroupId, Seq,
    ports::{Cursor, GroupLog, PageLimit},
};
use sealroom_wire::LogEntry;

use super::{FAILED, Failure, command::ExportArguments, serve::runtime};
use crate::{
    settings::{Database, SettingError, Settings},
    store::Store,
};

/// What is read at once.
const PAGE: PageLimit = PageLimit {
    entries: 500,
    bytes: 4 * 1024 * 1024,
};

/// Writes the entries that are stored, each on a line as pages carry it. A server may run meanwhile.
pub(super) fn export(settings: &Settings, arguments: &ExportArguments) -> Result<(), Failure> {
    let group_id = group_id(&arguments.group)?;
    let database = settings.database();
    runtime()?.block_on(async {
        if let Database::Sqlite(path) = &database
            && !path.is_file()
        {
            // Opening it would create one.
            return Err(anyhow!("there is no database at {database}").into());
        }
        let store = Store::open(&database, false)
            .await
            .with_context(|| format!("cannot open {database}"))?;
        let written = write(store.ports().log, group_id).await;
        store.close().await.context("the database cannot be closed")?;
        written.map_err(|error| Failure { code: FAILED, error })
    })?;
    settings.log_notices();
    Ok(())
}

fn group_id(text: &str) -> Result<GroupId, SettingError> {
    let number = text
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok());
    number
        .flatten()
        .and_then(|number| GroupId::new(number).ok())
        .ok_or_else(|| SettingError::new("--group", format!("{text:?} is not a number from 1 to 2^53-1")))
}

async fn write(log: Arc<dyn GroupLog>, group_id: GroupId) -> anyhow::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    let mut after = Seq::ZERO;
    loop {
        let page = log.read(group_id, Cursor::After(after), PAGE).await;
        let Some(page) = page.context("the log cannot be read")? else {
            bail!("there is no group {group_id}");
        };
        for entry in &page.entries {
            serde_json::to_writer(&mut out, &LogEntry(entry)).context("stdout cannot be written")?;
            out.write_all(b"\n").context("stdout cannot be written")?;
            after = entry.seq;
        }
        if !page.has_more {
            return out.flush().context("stdout cannot be written");
        }
    }
}
