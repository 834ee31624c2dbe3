//! A JWK set over HTTP.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::{
    Client, Response, StatusCode, Url,
    header::{ACCEPT, CACHE_CONTROL, HeaderMap},
    redirect::{Attempt, Policy},
};
use sealroom_outbound::{HttpTarget, HttpTargetError};

use super::{FETCH_LIMIT, FetchError, FetchJwks, FetchedJwks};
use crate::MAX_JWKS_BYTES;

const MAX_REDIRECTS: usize = 3;

/// Fetches a JWK set with `GET`, and nothing else: no cookies, no credentials, no proxy of the environment.
///
/// The certificate of an `https` address must be one that the system trusts. Up to 3 redirects are followed, from
/// `https` only to `https`. The answer has status 200 and at most [`MAX_JWKS_BYTES`].
#[derive(Debug, Clone)]
pub struct HttpJwks {
    target: HttpTarget,
    client: Client,
}

impl HttpJwks {
    /// A client for this address. With plain `http` whoever is on the way can put in keys of their own: that is for
    /// an issuer on the same machine or in the same private network.
    pub fn new(url: &str) -> Result<Self, HttpTargetError> {
        HttpTarget::new(url).and_then(Self::with_target)
    }

    /// As [`HttpJwks::new`], for an issuer whose certificate is signed by one of these, in PEM, and by none other.
    pub fn trusting(url: &str, certificates: &str) -> Result<Self, HttpTargetError> {
        HttpTarget::trusting(url, certificates).and_then(Self::with_target)
    }

    fn with_target(target: HttpTarget) -> Result<Self, HttpTargetError> {
        let client = target.client(|client| {
            client
                .redirect(Policy::custom(follow))
                .timeout(FETCH_LIMIT)
                // Minutes lie between two fetches: the issuer would have closed the connection.
                .pool_max_idle_per_host(0)
        })?;
        Ok(Self { target, client })
    }

    /// Whether the keys come without encryption, so that who is on the way could change them.
    pub fn is_unprotected(&self) -> bool {
        self.target.is_unprotected()
    }
}

fn follow(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let last = attempt.previous().last().map(Url::scheme);
    if attempt.previous().len() > MAX_REDIRECTS {
        return attempt.error("too many redirects");
    }
    if may_follow(last, attempt.url().scheme()) {
        attempt.follow()
    } else {
        attempt.error("a redirect away from https")
    }
}

/// Whether a redirect from one scheme to another keeps what protection there is.
fn may_follow(from: Option<&str>, to: &str) -> bool {
    match to {
        "https" => true,
        "http" => from == Some("http"),
        _ => false,
    }
}

#[async_trait]
impl FetchJwks for HttpJwks {
    async fn fetch(&self) -> Result<FetchedJwks, FetchError> {
        let request = self
            .client
            .get(self.target.url().clone())
            .header(ACCEPT, "application/jwk-set+json, application/json");
        let response = request.send().await.map_err(failed)?;
        if response.status() != StatusCode::OK {
            return Err(FetchError::Status {
                status: response.status().as_u16(),
            });
        }
        let max_age = max_age(response.headers());
        let body = read(response).await?;
        Ok(FetchedJwks { body, max_age })
    }
}

/// The body, as far as it may be long. What it says of its own length is not believed.
async fn read(mut response: Response) -> Result<Vec<u8>, FetchError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if body.len() + chunk.len() > MAX_JWKS_BYTES {
            return Err(FetchError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Without the address, which may be a redirect's and hold anything.
fn failed(error: reqwest::Error) -> FetchError {
    FetchError::Failed {
        source: error.without_url().into(),
    }
}

/// `max-age` of `Cache-Control` (RFC 9111, section 5.2.2.1); 0 where the answer must not be kept.
fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let directives = headers
        .get_all(CACHE_CONTROL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|directive| directive.trim().to_ascii_lowercase());
    let mut age = None;
    for directive in directives {
        if directive == "no-store" || directive == "no-cache" {
            return Some(Duration::ZERO);
        }
        if let Some(seconds) = directive.strip_prefix("max-age=") {
            age = age.or(seconds.trim_matches('"').parse().ok().map(Duration::from_secs));
        }
    }
    age
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_never_lose_protection() {
        for (from, to, expected) in [
            (Some("https"), "https", true),
            (Some("http"), "https", true),
            (Some("http"), "http", true),
            (Some("https"), "http", false),
            (None, "http", false),
            (Some("http"), "file", false),
            (Some("https"), "ftp", false),
        ] {
            assert_eq!(may_follow(from, to), expected, "{from:?} {to}");
        }
    }

    #[test]
    fn cache_control() {
        for (value, expected) in [
            ("", None),
            ("public", None),
            ("max-age=300", Some(300)),
            ("public, Max-Age=300, must-revalidate", Some(300)),
            ("max-age=\"300\"", Some(300)),
            ("max-age=300, max-age=5", Some(300)),
            ("s-maxage=300", None),
            ("max-age=-1", None),
            ("max-age=1.5", None),
            ("max-age=99999999999999999999999", None),
            ("no-cache", Some(0)),
            ("max-age=300, no-store", Some(0)),
        ] {
            let headers = [(CACHE_CONTROL, value.parse().unwrap())].into_iter().collect();
            assert_eq!(max_age(&headers), expected.map(Duration::from_secs), "{value}");
        }
    }
}
