//! `migrate` and `new-log`: work on the store while no server does.

use anyhow::{Context, bail};

use super::{Failure, print, serve::runtime};
use crate::{
    data_dir::DataDir,
    settings::{Database, Settings},
    store::Store,
};

/// Brings the schema up to date, and says what was done.
pub(super) fn migrate(settings: &Settings) -> Result<(), Failure> {
    let _held = DataDir::open(&settings.data_dir)?;
    let applied = runtime()?
        .block_on(Store::migrate(&settings.database()))
        .with_context(|| format!("cannot migrate {}", settings.database()))?;
    let mut text = String::new();
    for version in &applied {
        text.push_str("applied ");
        text.push_str(version);
        text.push('\n');
    }
    text.push_str("the schema is up to date\n");
    print(&text)?;
    settings.log_notices();
    Ok(())
}

/// Gives the log another id, and prints it.
pub(super) fn new_log(settings: &Settings) -> Result<(), Failure> {
    let _held = DataDir::open(&settings.data_dir)?;
    let database = settings.database();
    let log_id = runtime()?.block_on(async {
        // One that is only created now has nothing to restore.
        if let Database::Sqlite(path) = &database
            && !path.is_file()
        {
            bail!("there is no database at {database}");
        }
        let store = Store::open(&database, false)
            .await
            .with_context(|| format!("cannot open {database}"))?;
        let log_id = store
            .renew_log_id()
            .await
            .context("the log id cannot be changed")?;
        store.close().await.context("the database cannot be closed")?;
        anyhow::Ok(log_id)
    })?;
    print(&format!("{log_id}\n"))?;
    settings.log_notices();
    Ok(())
}
