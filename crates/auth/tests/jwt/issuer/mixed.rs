//! A secret, a file of public keys and an issuer side by side.

use super::fake::{Answer, FakeIssuer, seconds, verdict, verifier_of};
use crate::{
    signer::{PUBLIC, Signer},
    support::{verify, word},
};
use sealroom_auth::{Algorithm, KeySet, Keys};

#[tokio::test(start_paused = true)]
async fn hs256_is_accepted_only_where_a_secret_is_set() {
    let [secret, _] = Signer::two(Algorithm::Hs256);
    for algorithm in PUBLIC {
        let [signer, _] = Signer::two(algorithm);
        let issuer = FakeIssuer::publish([signer.listed("a"), secret.listed("s")]);
        let alone = issuer.ready().await;
        assert_eq!(word(&verify(&alone, &secret.good())), "invalid");
        assert_eq!(word(&verify(&alone, &secret.named("s"))), "invalid");
        let both = verifier_of(Keys::given_and_of_issuer(
            KeySet::single(secret.key()),
            issuer.keys(),
        ));
        seconds(1).await;
        assert_eq!(word(&verify(&both, &secret.good())), "ok");
        assert_eq!(word(&verify(&both, &signer.named("a"))), "ok");
    }
}

#[tokio::test(start_paused = true)]
async fn a_secret_decides_without_the_issuer() {
    let [secret, other] = Signer::two(Algorithm::Hs256);
    let [signer, _] = Signer::two(Algorithm::Es256);
    let issuer = FakeIssuer::new(Answer::Down);
    let verifier = verifier_of(Keys::given_and_of_issuer(
        KeySet::single(secret.key()),
        issuer.keys(),
    ));
    // Not even the first fetch has been tried.
    assert_eq!(word(&verify(&verifier, &secret.good())), "ok");
    assert_eq!(word(&verify(&verifier, &secret.named("any"))), "ok");
    assert_eq!(word(&verify(&verifier, &other.good())), "invalid");
    assert_eq!(verdict(&verifier, &signer.named("a")).await, "unavailable");
    seconds(100).await;
    assert_eq!(word(&verify(&verifier, &secret.good())), "ok");
    assert_eq!(word(&verify(&verifier, &other.named("x"))), "invalid");
}

#[tokio::test(start_paused = true)]
async fn each_source_chooses_among_its_own_keys() {
    for algorithm in PUBLIC {
        let [listed, given] = Signer::two(algorithm);
        let stranger = Signer::generate(algorithm);
        let issuer = FakeIssuer::publish([listed.listed("a"), stranger.listed("b")]);

        // A key of a file has no name, so that names mean nothing to it.
        let unnamed = verifier_of(Keys::given_and_of_issuer(
            KeySet::single(given.key()),
            issuer.keys(),
        ));
        seconds(1).await;
        for (token, expected) in [
            (given.good(), "ok"),
            (given.named("z"), "ok"),
            (given.named("a"), "ok"),
            (listed.named("a"), "ok"),
            (listed.named("b"), "invalid"),
            (listed.good(), "invalid"),
            (stranger.named("a"), "invalid"),
        ] {
            assert_eq!(word(&verify(&unnamed, &token)), expected, "{algorithm:?}");
        }
        assert_eq!(issuer.asked(), 1);

        // The same name in both: either key may have signed.
        let named = KeySet::single(given.key().named("a"));
        let named = verifier_of(Keys::given_and_of_issuer(named, issuer.keys()));
        seconds(1).await;
        for (token, expected) in [
            (given.named("a"), "ok"),
            (listed.named("a"), "ok"),
            (given.named("b"), "invalid"),
            (stranger.named("b"), "ok"),
            (stranger.named("a"), "invalid"),
        ] {
            assert_eq!(word(&verify(&named, &token)), expected, "{algorithm:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn keys_that_are_given_work_before_and_without_the_issuer() {
    let [given, unknown] = Signer::two(Algorithm::EdDsa);
    let issuer = FakeIssuer::new(Answer::Down);
    let verifier = verifier_of(Keys::given_and_of_issuer(
        KeySet::single(given.key()),
        issuer.keys(),
    ));
    assert_eq!(word(&verify(&verifier, &given.named("any"))), "ok");
    assert_eq!(verdict(&verifier, &unknown.named("any")).await, "unavailable");
}
