//! The receiver over HTTP.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::{
    Client, Response,
    header::{CONTENT_TYPE, RETRY_AFTER},
};
use sealroom_outbound::{HttpTarget, HttpTargetError};
use tokio::time::timeout;

use crate::post::{Answer, Post, PostError, RetryAfter, SignedRequest};

/// Posts to one address: no redirects, no cookies, no proxy of the environment.
///
/// The certificate of an `https` address must be one that the system trusts. Of an answer the status and `Retry-After`
/// matter; of its body at most 16 KiB are read, so that the connection can be used again, and nothing is kept.
#[derive(Debug, Clone)]
pub struct HttpPost {
    target: HttpTarget,
    client: Client,
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
    pub fn new(url: &str) -> Result<Self, HttpTargetError> {
        let target = HttpTarget::new(url)?;
        let client = target.client(|client| {
            client
                .connect_timeout(Self::CONNECT)
                // By itself it would repeat a request that the receiver may have had.
                .retry(reqwest::retry::never())
        })?;
        Ok(Self { target, client })
    }

    /// Whether requests go without encryption.
    pub fn is_unprotected(&self) -> bool {
        self.target.is_unprotected()
    }
}

#[async_trait]
impl Post for HttpPost {
    async fn post(&self, request: &SignedRequest) -> Result<Answer, PostError> {
        let response = self
            .client
            .post(self.target.url().clone())
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
