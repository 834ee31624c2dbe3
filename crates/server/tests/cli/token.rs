//! Tokens from the command line, and the secret that signs them.

use super::*;

/// Who a token speaks for, by the rules of the library that the server uses.
fn principal(token: &str, secret: &str, claims: ClaimRules) -> Principal {
    let verifier = JwtVerifier::new(VerifierOptions {
        keys: KeySet::single(VerificationKey::hs256(&Secret::new(secret).unwrap())).into(),
        claims,
        clock: Arc::new(SystemClock),
    })
    .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(verifier.verify(token)).unwrap()
}

#[test]
fn a_token_is_signed_with_the_configured_secret() {
    let directory = directory();
    let token = answered(
        program(directory.path())
            .args([
                "token",
                "--user-id",
                "42",
                "--name",
                "Nguyễn Văn A",
                "--scope",
                "admin x",
                "--ttl",
                "2m",
            ])
            .env("SEALROOM_JWT_SECRET", SECRET)
            .env("SEALROOM_JWT_ISSUER", "me")
            .env("SEALROOM_JWT_AUDIENCE", "chat")
            .env("SEALROOM_JWT_USER_CLAIM", "uid"),
    );
    let claims = ClaimRules {
        issuer: Some("me".to_owned()),
        audience: Some("chat".to_owned()),
        user_claim: "uid".to_owned(),
    };
    let principal = principal(token.strip_suffix('\n').unwrap(), SECRET, claims);
    assert_eq!(principal.user_id.get(), 42);
    assert_eq!(
        principal.name.as_ref().map(DisplayName::as_str),
        Some("Nguyễn Văn A")
    );
    assert!(principal.is_admin());
    let lifetime = principal.expires_at.as_micros() - principal.issued_at.unwrap().as_micros();
    assert!((119_000_000..=120_000_000).contains(&lifetime), "{lifetime}");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn without_a_secret_one_is_generated_and_kept() {
    let directory = directory();
    let mint = |id: &str| {
        answered(
            program(directory.path())
                .args(["token", "--user-id", id])
                .env("SEALROOM_JWT_SECRET", ""),
        )
    };
    let (first, second) = (mint("1"), mint("2"));
    let secret = fs::read_to_string(directory.path().join("sealroom-data/jwt-secret")).unwrap();
    for (token, id) in [(first, 1), (second, 2)] {
        let principal = principal(token.trim_end(), secret.trim_end(), ClaimRules::default());
        assert_eq!(principal.user_id.get(), id);
    }
}
