//! Services that are spoken to over HTTP.

use std::{error::Error, fmt};

use reqwest::{Client, ClientBuilder, Url, redirect::Policy};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};

/// One address of a service.
#[derive(Clone)]
pub struct HttpTarget {
    url: Url,
    roots: RootCertStore,
}

/// Why nothing can be asked of an address at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpTargetError {
    /// Not an address with `http` or `https` and a host, or one with a name, a password or a fragment.
    #[error("not a plain http or https URL")]
    Url,
    /// An address with `https`, and no certificate to trust, or one that cannot be read.
    #[error("there are no certificates to trust, so that https cannot be used")]
    NoRoots,
    /// TLS or the HTTP client could not be set up.
    #[error("the HTTP client cannot be made")]
    Client {
        /// What happened.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl HttpTarget {
    /// An address whose certificate, with `https`, must be one that the system trusts.
    pub fn new(url: &str) -> Result<Self, HttpTargetError> {
        Self::with_roots(url, crate::system_roots())
    }

    /// An address whose certificate is signed by one of these, in PEM, and by none other.
    pub fn trusting(url: &str, certificates: &str) -> Result<Self, HttpTargetError> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(certificates.as_bytes()) {
            certificate
                .ok()
                .and_then(|certificate| roots.add(certificate).ok())
                .ok_or(HttpTargetError::NoRoots)?;
        }
        Self::with_roots(url, roots)
    }

    fn with_roots(url: &str, roots: RootCertStore) -> Result<Self, HttpTargetError> {
        let url = Url::parse(url).or(Err(HttpTargetError::Url))?;
        let plain = url.has_host()
            && matches!(url.scheme(), "http" | "https")
            && url.username().is_empty()
            && url.password().is_none()
            && url.fragment().is_none();
        if !plain {
            return Err(HttpTargetError::Url);
        }
        if roots.is_empty() && url.scheme() == "https" {
            return Err(HttpTargetError::NoRoots);
        }
        Ok(Self { url, roots })
    }

    /// The address.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Whether requests and answers go without encryption, so that who is on the way can read and change them.
    pub fn is_unprotected(&self) -> bool {
        self.url.scheme() == "http"
    }

    /// A client for this address, with what the caller sets besides.
    pub fn client(
        &self,
        set: impl FnOnce(ClientBuilder) -> ClientBuilder,
    ) -> Result<Client, HttpTargetError> {
        let failed = |source| HttpTargetError::Client { source };
        let tls = crate::tls(self.roots.clone()).map_err(|error| failed(error.into()))?;
        let builder = Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(Policy::none())
            .referer(false)
            .no_proxy()
            .user_agent(concat!("sealroom/", env!("CARGO_PKG_VERSION")));
        set(builder).build().map_err(|error| failed(error.into()))
    }
}

impl fmt::Debug for HttpTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A path or a query may hold a secret.
        f.debug_struct("HttpTarget")
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
            "https://host.example/jwks.json",
            "http://127.0.0.1:8080/in?tenant=5",
            "https://[::1]/",
        ] {
            assert!(HttpTarget::new(good).is_ok(), "{good}");
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
            "https://host.example/#keys",
            "data:application/json,{}",
        ] {
            assert!(matches!(HttpTarget::new(bad), Err(HttpTargetError::Url)), "{bad}");
        }
        let printed = format!("{:?}", HttpTarget::new("https://host.example/k?secret=5"));
        assert!(!printed.contains('5'), "{printed}");
    }
}
