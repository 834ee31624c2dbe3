//! A disk that fails.

use std::{
    fs,
    io::{ErrorKind, Write as _},
    path::{Path, PathBuf},
    process,
};

use tokio::sync::watch;

use crate::error::Failure;

/// How much room a write of usual size needs.
static ROOM: [u8; 64 * 1024] = [0; 64 * 1024];

/// Whether the disk keeps what it is given. Once it failed, nothing is written any more.
///
/// After a failed `fsync` the kernel may take for written what never reached the disk, so the next one succeeds and
/// says nothing (Rebello et al., "Can Applications Recover from fsync Failures?", USENIX ATC 2020). What is on the disk
/// is known again only to whoever reads it anew: after a restart.
#[derive(Debug)]
pub(super) struct Disk {
    /// A file beside the database's.
    probe: PathBuf,
    has_failed: watch::Sender<bool>,
}

/// The disk failed before, and nothing is written to it any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the disk failed: nothing is written any more")]
struct Failed;

impl Disk {
    /// The one that holds this file.
    pub(super) fn of(file: &Path) -> Self {
        let mut probe = file.as_os_str().to_owned();
        probe.push(format!("-room-{}", process::id()));
        Self {
            probe: probe.into(),
            has_failed: watch::Sender::new(false),
        }
    }

    /// Refuses to go on where it failed.
    pub(super) fn check(&self) -> Result<(), Failure> {
        if *self.has_failed.borrow() {
            return Err(Failure::Lost(Box::new(Failed)));
        }
        Ok(())
    }

    /// Judges what a job that writes came to. Blocks where it failed.
    pub(super) fn judge<R>(&self, outcome: &Result<R, Failure>) {
        // A quota or a limit of the file's size is another error to SQLite than a full disk, though it is none of the
        // disk's, and passes.
        if outcome.as_ref().is_err_and(Failure::is_of_the_disk) && self.has_room() {
            self.has_failed.send_replace(true);
        }
    }

    /// Waits until it fails, which may be for ever.
    pub(super) async fn failed(&self) {
        // Its sender is there for as long as this is.
        let _ = self.has_failed.subscribe().wait_for(|failed| *failed).await;
    }

    /// Whether a file may grow. Any other failure is no answer to that.
    fn has_room(&self) -> bool {
        let written = fs::File::create(&self.probe).and_then(|mut file| file.write_all(&ROOM));
        let _ = fs::remove_file(&self.probe);
        !written.is_err_and(|error| {
            matches!(
                error.kind(),
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge
            )
        })
    }
}
