//! The receiver over HTTP.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use reqwest::{
    Client, Response, Url,
    header::{CONTENT_TYPE, RETRY_AFTER},
    redirect::Policy,
};
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
use sealroom_domain::ports::BoxError;
use tokio::time::timeout;

use crate::post::{Answer, Post, PostError, RetryAfter, SignedRequest};

/// Posts to one address: no redirects, no cookies, no proxy of the environment.
///
/// The certificate of an `https` address must be one that the system trusts. Of an answer the status and `Retry-After`
/// matter; of its body at most 16 KiB are read, so that the connection can be used again, and nothing is kept.
#[derive(Clone)]
pub struct HttpPost {
    url: Url,
    client: Client,
}

/// Why nothing can be posted to an address at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpPostError {
    /// Not an address with `http` or `https` and a host, or one with a name, a password or a fragment.
    #[error("the address of the webhook receiver is not a plain http or https URL")]
    Url,
    /// An address with `https`, and no certificate to trust.
    #[error("the system has no trusted certificates, so that https cannot be used")]
    NoRoots,
    /// TLS or the HTTP client could not be set up.
    #[error("the HTTP client for webhooks cannot be made")]
    Client {
        /// What happened.
        source: BoxError,
    },
}

impl HttpPost {
    /// How much of an answer's body is read.
    const BODY: usize = 16 * 1024;
    /// And for how long.
    const BODY_TIME: Duration = Duration::from_secs(1);
    /// For the connection alone.
    const CONNECT: Duration = Duration::from_secs(10);

    /// A client for this address. With plain `http` whoever is on the way can read who writes to which group: that is
    /// for a receiver on the same machine or in the same private network.
    pub fn new(url: &str) -> Result<Self, HttpPostError> {
        let url = Url::parse(url).or(Err(HttpPostError::Url))?;
        let plain = url.has_host()
            && matches!(url.scheme(), "http" | "https")
            && url.username().is_empty()
            && url.password().is_none()
            && url.fragment().is_none();
        if !plain {
            return Err(HttpPostError::Url);
        }
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() && url.scheme() == "https" {
            return Err(HttpPostError::NoRoots);
        }
        let client = client(roots).map_err(|source| HttpPostError::Client { source })?;
        Ok(Self { url, client })
    }

    /// Whether requests go without encryption.
    pub fn is_unprotected(&self) -> bool {
        self.url.scheme() == "http"
    }
}

fn client(roots: RootCertStore) -> Result<Client, BoxError> {
    let tls = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let client = Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(Policy::none())
        .referer(false)
        .no_proxy()
        .connect_timeout(HttpPost::CONNECT)
        .user_agent(concat!("sealroom/", env!("CARGO_PKG_VERSION")))
        // By itself it would repeat a request that the receiver may have had.
        .retry(reqwest::retry::never())
        .build()?;
    Ok(client)
}

#[async_trait]
impl Post for HttpPost {
    async fn post(&self, request: &SignedRequest) -> Result<Answer, PostError> {
        let response = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", &request.id)
            .header("webhook-timestamp", request.timestamp)
            .header("webhook-signature", &request.signature)
            .body(request.body.clone())
            .send()
            .await
            .map_err(failed)?;
        let retry_after = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok())
            .and_then(RetryAfter::parse);
        let answer = Answer {
            status: response.status().as_u16(),
            retry_after,
        };
        // The status has said everything; a body that is long, slow or broken costs the connection alone.
        let _ = timeout(HttpPost::BODY_TIME, drain(response)).await;
        Ok(answer)
    }
}

async fn drain(mut response: Response) {
    let mut read = 0;
    while let Ok(Some(chunk)) = response.chunk().await {
        read += chunk.len();
        if read > HttpPost::BODY {
            return;
        }
    }
}

/// Without the address, which may hold a secret.
fn failed(error: reqwest::Error) -> PostError {
    PostError::new(error.without_url())
}

impl fmt::Debug for HttpPost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A path or a query may hold a secret.
        f.debug_struct("HttpPost")
            .field("host", &self.url.host_str())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for good in [
            "https://host.example/webhooks",
            "http://127.0.0.1:8080/in?tenant=5",
            "https://[::1]/",
        ] {
            assert!(HttpPost::new(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "host.example/webhooks",
            "/webhooks",
            "file:///etc/passwd",
            "ftp://host.example/",
            "https://",
            "https://user:pw@host.example/",
            "https://user@host.example/",
            "https://host.example/#part",
        ] {
            assert!(matches!(HttpPost::new(bad), Err(HttpPostError::Url)), "{bad}");
        }
        let printed = format!("{:?}", HttpPost::new("https://host.example/a?b=5").unwrap());
        assert!(!printed.contains('5'), "{printed}");
    }
}
