//! The secret that a data directory keeps.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process,
};

use sealroom_auth::{Secret, SecretError};

use crate::{
    data_dir::{self, DataDirError},
    settings::Settings,
};

/// The file of the secret.
const FILE: &str = "jwt-secret";

/// Longer than any secret; a file of this size is something else.
const MAX_FILE_BYTES: u64 = 64 * 1024;

/// Why there is no secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretFileError {
    /// Its directory cannot be used.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The file cannot be read.
    #[error("the secret in {path:?} cannot be read")]
    Read {
        /// The file.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
    /// The file cannot be written.
    #[error("a secret cannot be written to {path:?}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
    /// What it holds is no secret.
    #[error("the file {path:?} holds no usable secret")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: SecretError,
    },
    /// None could be generated.
    #[error("no secret could be generated")]
    Generate {
        /// What happened.
        source: SecretError,
    },
}

/// The secret of the settings, else that of the data directory, which is generated where there is none.
///
/// Needs no hold of the directory, so that tokens can be minted while a server runs: of several processes that
/// generate a secret at the same time one wins, and all read the same one.
pub fn secret(settings: &Settings) -> Result<Secret, SecretFileError> {
    match &settings.jwt_secret {
        Some(secret) => Ok(secret.clone()),
        None => load_or_generate(&settings.data_dir),
    }
}

fn load_or_generate(directory: &Path) -> Result<Secret, SecretFileError> {
    data_dir::create(directory)?;
    let path = directory.join(FILE);
    if let Some(secret) = load(&path)? {
        return Ok(secret);
    }
    let generated = Secret::generate().map_err(|source| SecretFileError::Generate { source })?;
    let write_error = |source| SecretFileError::Write {
        path: path.clone(),
        source,
    };
    publish(directory, &path, &generated).map_err(write_error)?;
    // What is in the file counts, also where another process was first.
    load(&path)?.ok_or_else(|| write_error(io::ErrorKind::NotFound.into()))
}

/// The secret in a file; `None` where there is no file.
fn load(path: &Path) -> Result<Option<Secret>, SecretFileError> {
    let read_error = |source| SecretFileError::Read {
        path: path.to_owned(),
        source,
    };
    let metadata = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        metadata => metadata.map_err(read_error)?,
    };
    if !metadata.is_file() || metadata.len() > MAX_FILE_BYTES {
        return Err(read_error(io::Error::other("it is not a file of a fitting size")));
    }
    let text = fs::read_to_string(path).map_err(read_error)?;
    // Editors and `echo` end a file with a line break, which is then no part of the secret.
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    let secret = Secret::new(text).map_err(|source| SecretFileError::Unusable {
        path: path.to_owned(),
        source,
    })?;
    if metadata.permissions().mode() & 0o077 != 0 {
        tracing::warn!("other users can read the secret of the data directory: its mode should be 0600");
    }
    Ok(Some(secret))
}

/// Puts a complete file in its place, or leaves the one that is there: nobody ever reads half a secret, and after a
/// power cut there is a whole one or none.
fn publish(directory: &Path, path: &Path, secret: &Secret) -> io::Result<()> {
    let draft = directory.join(format!(".{FILE}-{}", process::id()));
    data_dir::write_new(&draft, format!("{}\n", secret.as_text()).as_bytes())?;
    // Unlike a rename, a link never replaces anything.
    let linked = match fs::hard_link(&draft, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        // File systems without links.
        Err(_) => fs::rename(&draft, path),
        Ok(()) => Ok(()),
    };
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    linked?;
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(directory: &Path) -> Settings {
        Settings {
            data_dir: directory.to_owned(),
            ..Settings::default()
        }
    }

    #[test]
    fn it_is_generated_once_and_kept() {
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("data");
        let first = secret(&settings(&directory)).unwrap();
        let second = secret(&settings(&directory)).unwrap();
        assert_eq!(first.as_text(), second.as_text());
        let mode = fs::metadata(directory.join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
    }

    #[test]
    fn processes_that_start_together_agree() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE);
        let ours = Secret::generate().unwrap();
        let theirs = Secret::generate().unwrap();
        publish(directory.path(), &path, &theirs).unwrap();
        publish(directory.path(), &path, &ours).unwrap();
        assert_eq!(load(&path).unwrap().unwrap().as_text(), theirs.as_text());
    }

    #[test]
    fn a_file_of_the_operator_is_read_without_its_line_break() {
        let directory = tempfile::tempdir().unwrap();
        let text = "0mZr8kq1Wv5Xy7Tn3Bp9Lc2Hd4Jf6GsA";
        for end in ["", "\n", "\r\n"] {
            fs::write(directory.path().join(FILE), format!("{text}{end}")).unwrap();
            assert_eq!(secret(&settings(directory.path())).unwrap().as_text(), text);
        }
    }

    #[test]
    fn a_file_without_a_good_secret_is_refused_and_kept() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE);
        for bad in [
            &b""[..],
            b"\n",
            b"short",
            b"changeme-changeme-changeme-changeme\n",
            b"\xff\xfe",
        ] {
            fs::write(&path, bad).unwrap();
            let error = secret(&settings(directory.path())).unwrap_err();
            assert!(matches!(
                error,
                SecretFileError::Unusable { .. } | SecretFileError::Read { .. }
            ));
            assert_eq!(fs::read(&path).unwrap(), bad);
        }
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(matches!(
            secret(&settings(directory.path())),
            Err(SecretFileError::Read { .. })
        ));
    }
}
