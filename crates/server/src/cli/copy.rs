//! `copy`: moves a deployment from an SQLite file to a PostgreSQL database.

use std::{borrow::Cow, path::Path, time::Duration};

use anyhow::{Context, anyhow};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use sealroom_persistence::{
    CopyError, CopyProgress, CopyReport, PostgresOptions, PostgresUrl, SqliteOptions, copy as copy_all,
};

use super::{FAILED, Failure, command::CopyArguments, print, serve::runtime};
use crate::{
    data_dir::DataDir,
    settings::{Database, Settings, database},
};

/// Where stderr is no terminal, a line as often as this.
const LINES: Duration = Duration::from_secs(5);

/// Copies, verifies, and says what is there now.
pub(super) fn copy(settings: &Settings, arguments: &CopyArguments) -> Result<(), Failure> {
    let (from, to) = (
        given("--from", arguments.from.as_deref())?,
        given("--to", arguments.to.as_deref())?,
    );
    let configured = settings.database();
    let default_file = Database::Sqlite(settings.data_dir.join("sealroom.db"));
    let from = match from.unwrap_or(default_file) {
        Database::Sqlite(path) => path,
        Database::Postgres(_) => return Err(anyhow!("--from must be an SQLite file: sqlite://PATH").into()),
    };
    let to = match to.unwrap_or(configured) {
        Database::Postgres(url) => url,
        Database::Sqlite(_) => {
            return Err(anyhow!(
                "--to must be a PostgreSQL database: postgres://USER:PASSWORD@HOST/DATABASE"
            )
            .into());
        }
    };
    if !from.is_file() {
        return Err(anyhow!("there is no database at {}", Database::Sqlite(from)).into());
    }
    let _held = hold(&from)?;
    let report = runtime()?.block_on(run(&from, to)).map_err(failure)?;
    settings.log_notices();
    print(&format!(
        "copied and verified: {}\nlog id {}, sha256 of all logs {}\n",
        report.counts, report.log_id, report.digest
    ))
}

fn given(flag: &str, url: Option<&str>) -> anyhow::Result<Option<Database>> {
    url.map(|url| database(url).map_err(|problem: Cow<'static, str>| anyhow!("{flag}: {problem}")))
        .transpose()
}

/// Takes the data directory that the file is in, so that no server writes to it.
fn hold(file: &Path) -> anyhow::Result<Option<DataDir>> {
    let directory = match file.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let is_held_by_servers = directory.join("lock").is_file();
    is_held_by_servers
        .then(|| DataDir::open(directory))
        .transpose()
        .context("stop the server before its data is copied")
}

async fn run(from: &Path, to: PostgresUrl) -> Result<CopyReport, CopyError> {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{msg} {wide_bar} {human_pos}/{human_len} entries, {eta} left");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let mut told = std::time::Instant::now();
    let progress = |progress| {
        let (what, done, all) = match progress {
            CopyProgress::Copying { done, all } => ("copying", done, all),
            CopyProgress::Verifying { done, all } => ("verifying", done, all),
            _ => return,
        };
        bar.set_message(what);
        bar.set_length(all);
        bar.set_position(done);
        if bar.is_hidden() && told.elapsed() >= LINES {
            told = std::time::Instant::now();
            tracing::info!(done, all, "{what} entries");
        }
    };
    let report = copy_all(SqliteOptions::new(from), PostgresOptions::new(to), progress).await;
    bar.finish_and_clear();
    report
}

/// What was not begun is a start that is not possible.
fn failure(error: CopyError) -> Failure {
    match error {
        CopyError::Open(_) | CopyError::TargetInUse => Failure::from(error),
        other => Failure {
            code: FAILED,
            error: other.into(),
        },
    }
}
