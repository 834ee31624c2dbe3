//! Tokens and the handshake: RFC 7519, RFC 8725.

mod claims;
mod issuer;
mod keys;
mod leases;
mod outages;
mod secrets;
mod sessions;
mod shapes;
mod spellings;

use std::net::SocketAddr;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sealroom_testkit::client::{Client, ConnectError, http};
use serde_json::{Value, json};

use self::{
    claims::{
        hs_9_every_token_ends, hs_10_the_end_is_exact, hs_11_no_token_from_the_future,
        hs_12_issuer_and_audience, hs_13_other_kinds_of_tokens, hs_14_only_an_integer_is_a_user,
    },
    keys::{
        hs_3_a_public_key_is_no_secret, hs_4_no_other_algorithm, hs_5_key_ids_are_names_and_nothing_else,
        hs_6_a_header_brings_no_key, hs_20_keys_rotate_without_a_restart,
    },
    leases::{
        hs_19_taken_back_tokens, hs_21_a_token_ends_on_an_open_socket, hs_22_taken_back_on_an_open_socket,
    },
    outages::hs_24_an_issuer_that_does_not_answer,
    secrets::hs_25_keys_that_no_token_should_hang_on,
    sessions::{hs_18_only_auth_and_the_header, hs_23_one_session_tries_again_and_again},
    shapes::{hs_2_nothing_is_unsigned, hs_7_nothing_that_is_not_understood, hs_8_long_tokens},
    spellings::{hs_15_json_has_one_reading, hs_16_base64_has_one_spelling, hs_17_the_signature_is_whole},
};
use crate::{
    common::{Store, TestServer},
    signer::Signer,
    target::{MALLORY, Target},
    world::verdict,
};

rows! {
    played {
        "HS-1" => hs_1_no_token,
        "HS-2" => hs_2_nothing_is_unsigned,
        "HS-3" => hs_3_a_public_key_is_no_secret,
        "HS-4" => hs_4_no_other_algorithm,
        "HS-5" => hs_5_key_ids_are_names_and_nothing_else,
        "HS-6" => hs_6_a_header_brings_no_key,
        "HS-7" => hs_7_nothing_that_is_not_understood,
        "HS-8" => hs_8_long_tokens,
        "HS-9" => hs_9_every_token_ends,
        "HS-10" => hs_10_the_end_is_exact,
        "HS-11" => hs_11_no_token_from_the_future,
        "HS-12" => hs_12_issuer_and_audience,
        "HS-13" => hs_13_other_kinds_of_tokens,
        "HS-14" => hs_14_only_an_integer_is_a_user,
        "HS-15" => hs_15_json_has_one_reading,
        "HS-16" => hs_16_base64_has_one_spelling,
        "HS-17" => hs_17_the_signature_is_whole,
        "HS-18" => hs_18_only_auth_and_the_header with [("SEALROOM_LOG", "trace")],
        "HS-19" => hs_19_taken_back_tokens,
        "HS-20" => hs_20_keys_rotate_without_a_restart,
        "HS-21" => hs_21_a_token_ends_on_an_open_socket,
        "HS-22" => hs_22_taken_back_on_an_open_socket,
        "HS-23" => hs_23_one_session_tries_again_and_again,
        "HS-24" => hs_24_an_issuer_that_does_not_answer,
        "HS-25" => hs_25_keys_that_no_token_should_hang_on,
    }
    not_played {}
}

/// The variable of the secret, for servers that go without one.
const NO_SECRET: (&str, &str) = ("SEALROOM_JWT_SECRET", "");
/// A header that is right.
const HEADER: &str = r#"{"alg":"HS256"}"#;
/// The user of tokens that are only looked at.
const USER: u64 = 5;

/// What a CONNECT with this `auth` is answered with: the code of a refusal, nothing where it is accepted.
async fn answered(server: SocketAddr, auth: Value) -> String {
    match Client::builder(server).auth(auth).connect().await {
        Ok(_) => String::new(),
        Err(ConnectError {
            refused: true,
            message,
            ..
        }) => message,
        Err(error) => panic!("{error}"),
    }
}

/// What a token is answered with, over Socket.IO and in a header of HTTP alike.
async fn heard(server: SocketAddr, token: &str) -> String {
    let code = answered(server, json!({"token": token})).await;
    // Other texts are no header, which is another row's affair.
    if token.len() < 8000 && token.bytes().all(|byte| byte.is_ascii_graphic()) {
        let me = http::request(server, "GET", "/api/v1/me", Some(token), None);
        assert_eq!(verdict(&me.await.unwrap()).1, code, "over HTTP: {token}");
    }
    code
}

/// Each token with what must come of it: the code, or nothing where it is accepted.
async fn all_heard<'a>(server: SocketAddr, rows: impl IntoIterator<Item = (String, &'a str)>) {
    for (token, code) in rows {
        let short: String = token.chars().take(300).collect();
        assert_eq!(heard(server, &token).await, code, "{short} {}", decoded(&short));
    }
}

/// What the parts of a token say, for messages of failed checks.
fn decoded(token: &str) -> String {
    let parts = token.split('.').take(2);
    let texts = parts.map(|part| URL_SAFE_NO_PAD.decode(part).unwrap_or_default());
    texts
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .collect()
}

/// Whoever has the secret of the target.
fn signer(target: &Target) -> Signer {
    Signer::Hs256(target.world.server.secret.clone())
}

fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A token of these texts.
fn token_of(signer: &Signer, header: impl AsRef<[u8]>, claims: impl AsRef<[u8]>) -> String {
    signer.signed(&format!("{}.{}", b64(header), b64(claims)))
}

/// Claims that are right, as text: the end of `more`, which begins with a comma, stands behind them.
fn claims_with(more: &str) -> String {
    format!(
        r#"{{"user_id":{USER},"exp":{}{more}}}"#,
        crate::signer::in_seconds(600)
    )
}

/// The store that the target runs on.
fn store(target: &Target) -> Store {
    match target.world.server.database() {
        Some(_) => Store::Postgres,
        None => Store::Sqlite,
    }
}

/// A further server of a row lives, and had no panic.
fn is_sound(server: &TestServer) {
    let log = server.log();
    assert!(!log.contains("panicked"), "{log}");
}

async fn hs_1_no_token(target: &mut Target) {
    let good = target.world.token(MALLORY);
    for (auth, code) in [
        (json!({}), "token_missing"),
        (json!(null), "token_missing"),
        (json!([]), "token_missing"),
        (json!([{"token": good}]), "token_missing"),
        (json!(good), "token_missing"),
        (json!(5), "token_missing"),
        (json!({"Token": good}), "token_missing"),
        (json!({"auth": {"token": good}}), "token_missing"),
        (json!({"token": null}), "token_missing"),
        (json!({"token": 5}), "token_invalid"),
        (json!({"token": true}), "token_invalid"),
        (json!({"token": {}}), "token_invalid"),
        (json!({"token": {"token": good}}), "token_invalid"),
        (json!({"token": [good]}), "token_invalid"),
        (json!({"token": ""}), "token_invalid"),
        (json!({"token": " "}), "token_invalid"),
        (json!({"token": "undefined"}), "token_invalid"),
        (json!({"token": format!("Bearer {good}")}), "token_invalid"),
        (json!({"token": format!("{good}\u{0}")}), "token_invalid"),
    ] {
        assert_eq!(answered(target.addr(), auth.clone()).await, code, "{auth}");
    }
    let nothing = Client::builder(target.addr()).connect().await.unwrap_err();
    assert_eq!((nothing.refused, &*nothing.message), (true, "token_missing"));
    assert_eq!(answered(target.addr(), json!({"token": good})).await, "");
    let me = http::request(target.addr(), "GET", "/api/v1/me", None, None)
        .await
        .unwrap();
    assert_eq!(verdict(&me), (401, "token_missing".to_owned()));
}
