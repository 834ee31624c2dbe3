//! The suite of the port, with as little work as there can be. That the work is the same with and without a hash is
//! measured beside it, with as much work as is meant.

use std::sync::Arc;

use sealroom_auth::{
    BuiltInCredentials, ClaimRules, CredentialsOptions, JwtVerifier, KeySet, Minter, MinterOptions,
    PasswordOptions, Secret, SigningKey, VerificationKey, VerifierOptions,
};
use sealroom_testkit::{conformance::credentials::CredentialsFixture, memory::FixedClock};

fn fixture(passwords: PasswordOptions) -> CredentialsFixture {
    let clock = FixedClock::default();
    let secret = Secret::generate().unwrap();
    let minter = Minter::new(MinterOptions {
        key: SigningKey::hs256(&secret),
        claims: ClaimRules::default(),
        clock: Arc::new(clock.clone()),
    })
    .unwrap();
    let verifier = JwtVerifier::new(VerifierOptions {
        keys: KeySet::single(VerificationKey::hs256(&secret)).into(),
        claims: ClaimRules::default(),
        clock: Arc::new(clock.clone()),
    })
    .unwrap();
    let credentials = BuiltInCredentials::new(CredentialsOptions { minter, passwords }).unwrap();
    CredentialsFixture::new(Arc::new(credentials), Arc::new(verifier), clock)
}

mod on_one_thread {
    sealroom_testkit::credentials_conformance!(async { super::fixture(crate::cheap()) });
}

mod on_several_threads {
    sealroom_testkit::credentials_conformance!(multi_thread, async { super::fixture(crate::cheap()) });
}
