//! The fetch over TLS: whom it trusts, and that it stays there.

use std::sync::Arc;

use parking_lot::Mutex;
use rcgen::{CertificateParams, KeyPair};
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use sealroom_auth::{FetchJwks, HttpJwks, HttpTargetError};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_rustls::TlsAcceptor;

use super::http::{Server, ok, redirect, serve, word};

/// An issuer with a certificate of its own for one name, and that certificate.
struct TlsServer {
    port: u16,
    certificate: String,
    _tasks: JoinSet<()>,
}

impl TlsServer {
    async fn start(name: &str, answers: impl Fn(&str) -> Option<Vec<u8>> + Send + Sync + 'static) -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new([name.to_owned()])
            .unwrap()
            .self_signed(&key)
            .unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
            )
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let answers = Arc::new(answers);
            let seen = Arc::new(Mutex::new(Vec::new()));
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, answers, seen) = (acceptor.clone(), Arc::clone(&answers), Arc::clone(&seen));
                connections.spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        serve(stream, &*answers, &seen).await;
                    }
                });
            }
        });
        Self {
            port,
            certificate: certificate.pem(),
            _tasks: tasks,
        }
    }

    /// Fetches, trusting the server's own certificate.
    async fn fetch(&self, host: &str, path: &str) -> String {
        let url = format!("https://{host}:{}{path}", self.port);
        word(&HttpJwks::trusting(&url, &self.certificate).unwrap().fetch().await)
    }
}

#[tokio::test]
async fn only_a_trusted_certificate_of_the_right_name_will_do() {
    let server = TlsServer::start("127.0.0.1", |_| Some(ok("", b"{}"))).await;
    assert_eq!(server.fetch("127.0.0.1", "/keys").await, "2 bytes");
    assert_eq!(server.fetch("localhost", "/keys").await, "failed", "another name");

    let url = format!("https://127.0.0.1:{}/keys", server.port);
    let of_the_system = HttpJwks::new(&url).unwrap();
    assert!(!of_the_system.is_unprotected());
    assert_eq!(
        word(&of_the_system.fetch().await),
        "failed",
        "nobody vouches for it"
    );

    let other = TlsServer::start("127.0.0.1", |_| Some(ok("", b"{}"))).await;
    let wrong = HttpJwks::trusting(&url, &other.certificate).unwrap();
    assert_eq!(word(&wrong.fetch().await), "failed", "another's certificate");
}

#[tokio::test]
async fn redirects_stay_with_tls() {
    let plain = Server::start(|_| Some(ok("", b"{}"))).await;
    let away = format!("{}/keys", plain.address);
    let server = TlsServer::start("127.0.0.1", move |path| {
        Some(match path {
            "/moved" => redirect("/keys"),
            "/away" => redirect(&away),
            "/away-later" => redirect("/away"),
            _ => ok("", b"{}"),
        })
    })
    .await;
    assert_eq!(server.fetch("127.0.0.1", "/moved").await, "2 bytes");
    assert_eq!(server.fetch("127.0.0.1", "/away").await, "failed");
    assert_eq!(server.fetch("127.0.0.1", "/away-later").await, "failed");
    assert!(plain.requests.lock().is_empty(), "nobody asked there");

    let https = format!("https://127.0.0.1:{}/keys", server.port);
    let up = Server::start(move |_| Some(redirect(&https))).await;
    let client = HttpJwks::trusting(&format!("{}/keys", up.address), &server.certificate).unwrap();
    assert_eq!(word(&client.fetch().await), "2 bytes", "from http to https");
}

#[test]
fn certificates_that_are_none() {
    for certificates in ["", "text", &crate::signer::pem("CERTIFICATE", b"x")] {
        let outcome = HttpJwks::trusting("https://issuer.example/keys", certificates);
        assert!(matches!(outcome, Err(HttpTargetError::NoRoots)), "{outcome:?}");
    }
}
