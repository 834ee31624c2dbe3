//! The document itself.

use std::{fs, path::Path};

/// Set to anything, it writes docs/openapi.json anew.
const RENEW: &str = "SEALROOM_RENEW_OPENAPI";

#[test]
fn the_document_in_docs_is_that_of_the_routes() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    let made = sealroom_http::openapi();
    if std::env::var_os(RENEW).is_some() {
        fs::write(&path, &made).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == made,
        "docs/openapi.json is not what the routes say: renew it with\n  {RENEW}=1 cargo test -p sealroom-http openapi"
    );
}
