//! The suite of the port: with and without rules about issuer and audience, for each algorithm, and with keys that are
//! fetched.

use std::sync::Arc;

use sealroom_auth::{Algorithm, ClaimRules, JwtVerifier, KeySet, Keys, VerificationKey, VerifierOptions};
use sealroom_domain::{DisplayName, LoginId, Principal, Timestamp};
use sealroom_testkit::{conformance::token_verifier::TokenVerifierFixture, memory::FixedClock};
use serde_json::{Value, json};

use crate::{
    issuer::fake::FakeIssuer,
    signer::Signer,
    support::{HEADER, secret, sign},
};

fn fixture_of(
    keys: Keys,
    rules: ClaimRules,
    sign: impl Fn(&str) -> String + Send + Sync + 'static,
) -> TokenVerifierFixture {
    let clock = FixedClock::default();
    let verifier = JwtVerifier::new(VerifierOptions {
        keys,
        claims: rules.clone(),
        clock: Arc::new(clock.clone()),
    })
    .unwrap();
    TokenVerifierFixture::new(Arc::new(verifier), clock, move |principal| {
        sign(&claims_of(principal, &rules).to_string())
    })
}

fn fixture(rules: ClaimRules) -> TokenVerifierFixture {
    let keys = KeySet::single(VerificationKey::hs256(&secret()));
    fixture_of(keys.into(), rules, |claims| sign(HEADER, claims))
}

/// With a public key from a file.
fn given(algorithm: Algorithm) -> TokenVerifierFixture {
    let [signer, _] = Signer::two(algorithm);
    let header = json!({"alg": algorithm.name()}).to_string();
    fixture_of(
        KeySet::single(signer.key()).into(),
        ClaimRules::default(),
        move |claims| signer.token(&header, claims),
    )
}

/// With a public key that an issuer lists, and that nobody has fetched yet.
fn fetched(algorithm: Algorithm) -> TokenVerifierFixture {
    let [signer, _] = Signer::two(algorithm);
    let header = json!({"alg": algorithm.name(), "kid": "a"}).to_string();
    let issuer = FakeIssuer::publish([signer.listed("a")]);
    fixture_of(issuer.keys().into(), ClaimRules::default(), move |claims| {
        signer.token(&header, claims)
    })
}

/// Claims that say what the principal says, and nothing where it says nothing.
fn claims_of(principal: &Principal, rules: &ClaimRules) -> Value {
    let seconds = |time: Timestamp| time.as_micros() / 1_000_000;
    let mut claims = json!({
        "exp": seconds(principal.expires_at),
        "iat": principal.issued_at.map(seconds),
        "name": principal.name.as_ref().map(DisplayName::as_str),
        "scope": principal.scope,
        "login_id": principal.login_id.map(LoginId::get),
        "iss": rules.issuer,
        "aud": rules.audience,
    });
    let members = claims.as_object_mut().unwrap();
    members.retain(|_, value| !value.is_null());
    members.insert(rules.user_claim.clone(), principal.user_id.get().into());
    claims
}

mod plain {
    sealroom_testkit::token_verifier_conformance!(async { super::fixture(super::ClaimRules::default()) });
}

mod with_issuer_and_audience {
    sealroom_testkit::token_verifier_conformance!(multi_thread, async {
        super::fixture(super::ClaimRules {
            issuer: Some("https://issuer.example".to_owned()),
            audience: Some("chat".to_owned()),
            user_claim: "uid".to_owned(),
        })
    });
}

mod rs256 {
    sealroom_testkit::token_verifier_conformance!(async { super::given(super::Algorithm::Rs256) });
}

mod es256 {
    sealroom_testkit::token_verifier_conformance!(async { super::given(super::Algorithm::Es256) });
}

mod eddsa {
    sealroom_testkit::token_verifier_conformance!(async { super::given(super::Algorithm::EdDsa) });
}

mod of_an_issuer {
    sealroom_testkit::token_verifier_conformance!(multi_thread, async {
        super::fetched(super::Algorithm::EdDsa)
    });
}
