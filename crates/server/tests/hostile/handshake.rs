//! Tokens and the handshake: RFC 7519, RFC 8725.

use sealroom_testkit::client::Client;
use serde_json::{Value, json};

use crate::target::{MALLORY, Target};

rows! {
    played {
        "HS-1" => hs_1_no_token,
    }
    not_played {
        "HS-22": "…",
    }
}

/// The code that a CONNECT with this `auth` is refused with.
async fn refused(target: &Target, auth: Value) -> String {
    let error = Client::builder(target.addr())
        .auth(auth)
        .connect()
        .await
        .unwrap_err();
    assert!(error.refused, "{error}");
    error.message
}

async fn hs_1_no_token(target: &mut Target) {
    let good = target.world.token(MALLORY);
    for (auth, code) in [
        (json!({}), "token_missing"),
        (json!(null), "token_missing"),
        (json!([]), "token_missing"),
        (json!(good), "token_missing"),
        (json!({"token": null}), "token_missing"),
        (json!({"token": 5}), "token_invalid"),
        (json!({"token": {}}), "token_invalid"),
        (json!({"token": ""}), "token_invalid"),
    ] {
        assert_eq!(refused(target, auth.clone()).await, code, "{auth}");
    }
}
