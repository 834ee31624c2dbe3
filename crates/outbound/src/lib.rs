//! What every connection to another service keeps to: an issuer of tokens, a receiver of webhooks, a database.
//!
//! - *Whom it trusts*: certificates that the system trusts, or those that are named, and no others.
//! - *Over HTTP* (the feature `http`): plain addresses without a password, no proxy of the environment, no redirects
//!   unless the caller follows them, no `Referer`, no cookies.
//!
//! This crate must never know what it is used for.

#[cfg(feature = "http")]
mod http;

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};

#[cfg(feature = "http")]
pub use http::{HttpTarget, HttpTargetError};

/// The certificates that the system trusts. Those that cannot be read are left out; it may be none.
pub fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

/// TLS towards a service whose certificate is signed by one of these.
///
/// # Errors
///
/// Where the cryptography offers no version of TLS.
pub fn tls(roots: RootCertStore) -> Result<ClientConfig, rustls::Error> {
    Ok(
        ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth(),
    )
}
