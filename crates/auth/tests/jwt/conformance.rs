//! The suite of the port, with and without rules about issuer and audience.

use std::sync::Arc;

use sealroom_auth::{ClaimRules, JwtVerifier, KeySet, VerificationKey, VerifierOptions};
use sealroom_domain::{DisplayName, Principal, Timestamp};
use sealroom_testkit::{conformance::token_verifier::TokenVerifierFixture, memory::FixedClock};
use serde_json::{Value, json};

use crate::support::{HEADER, secret, sign};

fn fixture(rules: ClaimRules) -> TokenVerifierFixture {
    let clock = FixedClock::default();
    let verifier = JwtVerifier::new(VerifierOptions {
        keys: KeySet::single(VerificationKey::hs256(&secret())).into(),
        claims: rules.clone(),
        clock: Arc::new(clock.clone()),
    })
    .unwrap();
    TokenVerifierFixture::new(Arc::new(verifier), clock, move |principal| {
        sign(HEADER, claims_of(principal, &rules).to_string())
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
