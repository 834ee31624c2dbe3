//! The directory of everything that a server keeps.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    process,
};

/// The file whose lock is the right to use the directory.
const LOCK: &str = "lock";

/// A data directory that this process holds. It is given back when this is dropped, and when the process ends in
/// whatever way: the system holds the lock, not the file.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    _lock: File,
}

/// Why a directory cannot hold data.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataDirError {
    /// It cannot be created.
    #[error("the data directory {path:?} cannot be created")]
    Create {
        /// The directory.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
    /// Something else has its name.
    #[error("the data directory {path:?} is not a directory")]
    NotADirectory {
        /// The directory.
        path: PathBuf,
    },
    /// No file can be written there.
    #[error("the data directory {path:?} cannot be written to")]
    NotWritable {
        /// The directory.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
    /// A server runs on it.
    #[error("the data directory {path:?} is in use by another server")]
    Held {
        /// The directory.
        path: PathBuf,
    },
}

impl DataDir {
    /// Creates the directory where it is missing (mode 0700), takes it for this process, and writes a file to see
    /// that it can hold data: permissions alone say nothing to root, nor on a full or read-only disk.
    pub fn open(path: &Path) -> Result<Self, DataDirError> {
        create(path)?;
        let not_writable = |source| DataDirError::NotWritable {
            path: path.to_owned(),
            source,
        };
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(path.join(LOCK))
            .map_err(not_writable)?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => DataDirError::Held {
                path: path.to_owned(),
            },
            TryLockError::Error(source) => not_writable(source),
        })?;
        probe(path).map_err(not_writable)?;
        Ok(Self {
            path: path.to_owned(),
            _lock: lock,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Creates the directory where it is missing, for nobody but this user.
pub(crate) fn create(path: &Path) -> Result<(), DataDirError> {
    match DirBuilder::new().recursive(true).mode(0o700).create(path) {
        Ok(()) => Ok(()),
        Err(_) if fs::metadata(path).is_ok_and(|metadata| !metadata.is_dir()) => {
            Err(DataDirError::NotADirectory {
                path: path.to_owned(),
            })
        }
        Err(source) => Err(DataDirError::Create {
            path: path.to_owned(),
            source,
        }),
    }
}

/// Writes a file down to the disk, and removes it.
fn probe(directory: &Path) -> io::Result<()> {
    let path = directory.join(format!(".probe-{}", process::id()));
    let written = write_new(&path, b"probe");
    let removed = fs::remove_file(&path);
    written.and(removed)
}

/// Writes a file that only this user can read, down to the disk. What has its name is replaced.
pub(crate) fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn it_is_held_by_one_at_a_time() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a/b");
        let held = DataDir::open(&path).unwrap();
        assert!(matches!(DataDir::open(&path), Err(DataDirError::Held { .. })));
        drop(held);
        DataDir::open(&path).unwrap();
    }

    #[test]
    fn it_is_for_nobody_else_and_holds_no_probe() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("data");
        let _held = DataDir::open(&path).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        let names: Vec<_> = fs::read_dir(&path)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(names, [LOCK]);
    }

    #[test]
    fn what_cannot_hold_data_is_refused() {
        let parent = tempfile::tempdir().unwrap();
        let file = parent.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(matches!(
            DataDir::open(&file),
            Err(DataDirError::NotADirectory { .. })
        ));
        for path in [
            &file.join("below"),
            Path::new("/proc/sealroom"),
            Path::new("/dev/full/x"),
        ] {
            assert!(
                matches!(DataDir::open(path), Err(DataDirError::Create { .. })),
                "{path:?}"
            );
        }
        // Directories in which nobody, not even root, can create a file.
        for path in ["/proc", "/proc/self"] {
            let outcome = DataDir::open(Path::new(path));
            assert!(matches!(outcome, Err(DataDirError::NotWritable { .. })), "{path}");
        }
    }
}
