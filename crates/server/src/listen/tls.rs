//! TLS where the server ends it itself.

use std::{
    collections::hash_map::DefaultHasher,
    fmt, fs,
    hash::{Hash as _, Hasher as _},
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use parking_lot::RwLock;
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// The longest file that is read.
const MAX_FILE_BYTES: u64 = 1024 * 1024;
/// What is spoken inside (RFC 7301): upgrades to WebSocket need HTTP/1.1.
const PROTOCOL: &[u8] = b"http/1.1";

/// A certificate and its key, read from their files, and again whenever these change. Cloning shares it.
///
/// TLS 1.3 and 1.2 (RFC 8446, RFC 5246) with the suites that rustls takes for safe; clients show no certificate.
#[derive(Clone)]
pub struct ServerTls(Arc<Shared>);

struct Shared {
    files: TlsFiles,
    current: RwLock<Current>,
}

struct Current {
    config: Arc<ServerConfig>,
    /// Of what the files held when they were looked at last, whether or not it could be used.
    fingerprint: u64,
}

/// Where the certificate is, and where its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The server's certificate and those between it and the one that clients trust, in PEM and in that order.
    pub certificate: PathBuf,
    /// Its private key in PEM: PKCS #8, PKCS #1 or SEC 1.
    pub key: PathBuf,
}

/// Why TLS cannot be spoken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{path:?} cannot be read")]
    Read {
        /// The file.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
    /// A file holds no certificates in PEM.
    #[error("{path:?} holds no certificate in PEM")]
    Certificate {
        /// The file.
        path: PathBuf,
    },
    /// A file holds no private key in PEM.
    #[error("{path:?} holds no private key in PEM")]
    Key {
        /// The file.
        path: PathBuf,
    },
    /// The key is not that of the certificate, or of a kind that cannot be used.
    #[error("the certificate and the key for TLS cannot be used together")]
    Unusable(#[from] rustls::Error),
}

impl ServerTls {
    /// Reads both files, and checks that they belong together. Blocks.
    pub fn read(files: TlsFiles) -> Result<Self, TlsError> {
        let content = Content::read(&files)?;
        let current = Current {
            config: content.config(&files)?,
            fingerprint: content.fingerprint(),
        };
        Ok(Self(Arc::new(Shared {
            files,
            current: RwLock::new(current),
        })))
    }

    /// Looks at the files every two seconds, for ever, and takes what they hold for new connections. Where that cannot
    /// be used it goes on with what it has, and says so in the log once. Open connections keep theirs.
    pub async fn follow(&self) {
        loop {
            sleep(LOOK_EVERY).await;
            let tls = self.clone();
            // A file system may be slow, or away. A look that panicked is made again.
            let _ = tokio::task::spawn_blocking(move || tls.look()).await;
        }
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        self.0.current.read().config.clone().into()
    }

    fn look(&self) {
        let files = &self.0.files;
        // Between the removal of a file and its successor there is none: the next look finds it.
        let Ok(content) = Content::read(files) else { return };
        let fingerprint = content.fingerprint();
        if self.0.current.read().fingerprint == fingerprint {
            return;
        }
        let read = content.config(files);
        let mut current = self.0.current.write();
        current.fingerprint = fingerprint;
        match read {
            Ok(config) => {
                current.config = config;
                tracing::info!("a new certificate is in use");
            }
            Err(error) => {
                tracing::warn!(%error, "the certificate is kept: its files changed and cannot be used");
            }
        }
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ServerTls").field(&self.0.files).finish()
    }
}

/// What both files held at one time.
struct Content {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Content {
    fn read(files: &TlsFiles) -> Result<Self, TlsError> {
        Ok(Self {
            certificate: read(&files.certificate)?,
            key: read(&files.key)?,
        })
    }

    fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.certificate, &self.key).hash(&mut hasher);
        hasher.finish()
    }

    fn config(&self, files: &TlsFiles) -> Result<Arc<ServerConfig>, TlsError> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&self.certificate).collect();
        let chain = chain.ok().filter(|chain| !chain.is_empty());
        let chain = chain.ok_or_else(|| TlsError::Certificate {
            path: files.certificate.clone(),
        })?;
        let key = PrivateKeyDer::from_pem_slice(&self.key).ok();
        let key = key.ok_or_else(|| TlsError::Key {
            path: files.key.clone(),
        })?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        Ok(Arc::new(config))
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let read = || {
        // A device or a pipe would never end.
        let metadata = fs::metadata(path)?;
        if !metadata.is_file() || metadata.len() > MAX_FILE_BYTES {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "not a file of at most 1 MiB",
            ));
        }
        fs::read(path)
    };
    read().map_err(|source| TlsError::Read {
        path: path.to_owned(),
        source,
    })
}
