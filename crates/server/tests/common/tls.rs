//! A server that ends TLS, and a way to it for clients that speak none.
#![expect(clippy::unwrap_used, reason = "a failed check ends the test")]

use std::{fs, net::SocketAddr, path::PathBuf, sync::Arc};

use rcgen::{CertificateParams, KeyPair};
use rustls::{
    ClientConfig, RootCertStore, SupportedProtocolVersion,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName},
};
use tempfile::TempDir;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// A certificate for `localhost` and 127.0.0.1 that signs itself, and its key, in two files.
pub(crate) struct Certificate {
    directory: TempDir,
    /// What a client has to trust.
    pub(crate) der: CertificateDer<'static>,
}

impl Certificate {
    pub(crate) fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let der = write(&directory);
        Self { directory, der }
    }

    /// Another certificate and key in the same files; gives what a client has to trust now.
    pub(crate) fn renew(&mut self) {
        self.der = write(&self.directory);
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.directory.path().join("cert.pem")
    }

    pub(crate) fn key_file(&self) -> PathBuf {
        self.directory.path().join("key.pem")
    }

    /// The settings of a server that uses it.
    pub(crate) fn settings(&self) -> [(&'static str, String); 2] {
        let text = |path: PathBuf| path.to_str().unwrap().to_owned();
        [
            ("SEALROOM_TLS_CERT", text(self.file())),
            ("SEALROOM_TLS_KEY", text(self.key_file())),
        ]
    }

    /// Opens a connection as a client that trusts this certificate alone and speaks these versions.
    pub(crate) async fn connect(
        &self,
        server: SocketAddr,
        versions: &[&'static SupportedProtocolVersion],
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.der.clone()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = TcpStream::connect(server).await?;
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }
}

fn write(directory: &TempDir) -> CertificateDer<'static> {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["localhost", "127.0.0.1"].map(str::to_owned))
        .unwrap()
        .self_signed(&key)
        .unwrap();
    fs::write(directory.path().join("cert.pem"), certificate.pem()).unwrap();
    fs::write(directory.path().join("key.pem"), key.serialize_pem()).unwrap();
    certificate.der().clone()
}

/// An address at which the server is reached without TLS, for as long as this lives.
pub(crate) struct Relay {
    pub(crate) addr: SocketAddr,
    _tasks: JoinSet<()>,
}

impl Relay {
    pub(crate) async fn start(server: SocketAddr, certificate: Arc<Certificate>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut plain, _)) = listener.accept().await {
                let certificate = certificate.clone();
                connections.spawn(async move {
                    let mut server = certificate.connect(server, rustls::ALL_VERSIONS).await.unwrap();
                    // Either side may go away as it likes.
                    let _ = copy_bidirectional(&mut plain, &mut server).await;
                });
            }
        });
        Self { addr, _tasks: tasks }
    }
}
