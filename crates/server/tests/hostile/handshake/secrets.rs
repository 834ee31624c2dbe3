//! Keys that no token should hang on: the server does not start with them.

use std::{fs, path::Path, process::Command};

use super::store;
use crate::{common::Store, signer::Signer, target::Target};

/// What a start with these settings says. It must fail with one line and exit code 2, and leave nothing behind.
fn said(target: &Target, settings: &[(&str, &str)]) -> String {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    fs::create_dir(&data).unwrap();
    let mut program: Command = target.world.server.program();
    program
        .arg("serve")
        .env("SEALROOM_LISTEN", "127.0.0.1:0")
        .env("SEALROOM_DATA_DIR", &data);
    if store(target) == Store::Sqlite {
        program.env_remove("SEALROOM_DATABASE_URL");
    }
    let output = program.envs(settings.iter().copied()).output().unwrap();
    let line = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{settings:?}: {line}");
    assert_eq!((line.lines().count(), output.stdout.len()), (1, 0), "{line}");
    // The mark of whoever uses the directory, which says nothing and is used again.
    let left = fs::read_dir(&data)
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = left.filter(|name| name != "lock").collect();
    assert!(left.is_empty(), "{settings:?} left {left:?}");
    line
}

/// A file of this name among those of the tests of the keys themselves.
fn fixture(name: &str) -> String {
    let keys = Path::new(env!("CARGO_MANIFEST_DIR")).join("../auth/tests/keys");
    fs::read_to_string(keys.join(name)).unwrap()
}

pub(super) async fn hs_25_keys_that_no_token_should_hang_on(target: &mut Target) {
    let public = Signer::eddsa().pem();
    let one_line = public.replace('\n', " ");
    let secrets = [
        ("short", "shorter than 32 bytes"),
        ("0mZr8kq1Wv5Xy7Tn3Bp9Lc2Hd4Jf6Gs", "shorter than 32 bytes"),
        ("secret", "shorter than 32 bytes"),
        (" ", "shorter than 32 bytes"),
        ("changeme", "known example"),
        ("CHANGE_ME_CHANGE_ME_CHANGE_ME_CHANGE_ME", "known example"),
        ("your-256-bit-secret", "known example"),
        ("a-string-secret-at-least-256-bits-long", "known example"),
        ("your_super_secret_key_for_jwt_tokens_2024", "known example"),
        ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "repetition"),
        ("12345678901234567890123456789012", "repetition"),
        ("secretsecretsecretsecretsecretsecret", "repetition"),
        (&*public, "PEM"),
        (&*one_line, "PEM"),
    ];
    for (secret, hint) in secrets {
        let line = said(target, &[("SEALROOM_JWT_SECRET", secret)]);
        assert!(
            line.contains(hint) && line.contains("SEALROOM_JWT_SECRET"),
            "{line}"
        );
        assert!(secret.len() < 32 || !line.contains(secret.trim()), "{line}");
    }

    let directory = tempfile::tempdir().unwrap();
    let private = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA==\n-----END PRIVATE KEY-----\n";
    let files = [
        fixture("rsa1024.pem"),
        fixture("rsa2047.pem"),
        fixture("rsa-pss.pem"),
        fixture("p384.pem"),
        fixture("secp256k1.pem"),
        fixture("p256-explicit.pem"),
        fixture("ed448.pem"),
        fixture("x25519.pem"),
        private.to_owned(),
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n".to_owned(),
        "changeme".to_owned(),
        String::new(),
    ];
    for (number, text) in files.into_iter().enumerate() {
        let path = directory.path().join(format!("{number}.pem"));
        fs::write(&path, &text).unwrap();
        let line = said(
            target,
            &[("SEALROOM_JWT_PUBLIC_KEY_FILE", path.to_str().unwrap())],
        );
        assert!(line.contains(path.to_str().unwrap()), "{line}");
        let body = text.lines().nth(1).unwrap_or("nothing to find");
        assert!(!line.contains(body), "the key is told: {line}");
    }
    let many = directory.path().join("many.pem");
    fs::write(&many, public.repeat(9)).unwrap();
    let line = said(
        target,
        &[("SEALROOM_JWT_PUBLIC_KEY_FILE", many.to_str().unwrap())],
    );
    assert!(line.contains("more than 8 keys"), "{line}");
    let absent = directory.path().join("absent.pem");
    said(
        target,
        &[("SEALROOM_JWT_PUBLIC_KEY_FILE", absent.to_str().unwrap())],
    );
    said(
        target,
        &[("SEALROOM_JWT_PUBLIC_KEY_FILE", directory.path().to_str().unwrap())],
    );
    for url in [
        "ftp://127.0.0.1/jwks",
        "file:///etc/passwd",
        "jwks.json",
        "https://user:hidden@h/jwks",
    ] {
        let line = said(target, &[("SEALROOM_JWKS_URL", url)]);
        assert!(
            line.contains("SEALROOM_JWKS_URL") && !line.contains("hidden"),
            "{line}"
        );
    }
}
