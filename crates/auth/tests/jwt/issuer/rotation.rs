//! Keys that come and go (HS-20), in simulated time.

use std::time::Duration;

use super::fake::{Answer, FakeIssuer, seconds, verdict};
use crate::{
    signer::{PUBLIC, Signer},
    support::{verify, word},
};
use sealroom_auth::Algorithm;
use tokio::time::Instant;

#[tokio::test(start_paused = true)]
async fn old_and_new_tokens_work_in_their_time() {
    for algorithm in PUBLIC {
        let [old, new] = Signer::two(algorithm);
        let issuer = FakeIssuer::publish([old.listed("old")]);
        let verifier = issuer.ready().await;
        let (old_token, new_token) = (old.named("old"), new.named("new"));
        assert_eq!(word(&verify(&verifier, &old_token)), "ok");

        // The new key is listed ahead of its use: the next refresh brings it.
        issuer.lists([old.listed("old"), new.listed("new")]);
        seconds(301).await;
        assert_eq!(issuer.asked(), 2);
        assert_eq!(word(&verify(&verifier, &old_token)), "ok");
        assert_eq!(word(&verify(&verifier, &new_token)), "ok");

        // The old one is listed no more, and gone with the next refresh.
        issuer.lists([new.listed("new")]);
        assert_eq!(word(&verify(&verifier, &old_token)), "ok", "until then");
        seconds(300).await;
        assert_eq!(word(&verify(&verifier, &new_token)), "ok");
        seconds(11).await;
        assert_eq!(verdict(&verifier, &old_token).await, "invalid");
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_key_is_fetched_as_soon_as_a_token_names_it() {
    let [old, new] = Signer::two(Algorithm::Es256);
    let issuer = FakeIssuer::publish([old.listed("old")]);
    let verifier = issuer.ready().await;
    issuer.lists([new.listed("new")]);
    let start = Instant::now();
    assert_eq!(verdict(&verifier, &new.named("new")).await, "ok");
    assert!(
        start.elapsed() < Duration::from_millis(10),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(issuer.asked(), 2);
    // The refresh that is due counts from this one.
    seconds(299).await;
    assert_eq!(issuer.asked(), 2);
    seconds(2).await;
    assert_eq!(issuer.asked(), 3);
}

#[tokio::test(start_paused = true)]
async fn many_tokens_with_a_new_key_cause_one_fetch() {
    let [old, new] = Signer::two(Algorithm::EdDsa);
    let issuer = FakeIssuer::publish([old.listed("old")]);
    let verifier = std::sync::Arc::new(issuer.ready().await);
    issuer.answers(Answer::Slow(Duration::from_millis(500), vec![new.listed("new")]));
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let (verifier, token) = (std::sync::Arc::clone(&verifier), new.named("new"));
        waiting.spawn(async move { verdict(&verifier, &token).await });
    }
    assert_eq!(waiting.join_all().await, ["ok"; 100]);
    assert_eq!(issuer.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_issuer_says_how_long_its_keys_are_good() {
    let [signer, _] = Signer::two(Algorithm::Es256);
    let keys = vec![signer.listed("a")];
    for (max_age, every) in [(0, 60), (15, 60), (600, 600), (100_000, 3600)] {
        let issuer = FakeIssuer::new(Answer::KeysFor(keys.clone(), Duration::from_secs(max_age)));
        let _verifier = issuer.ready().await;
        seconds(every * 3 + 1).await;
        let fetches = issuer.fetches();
        assert_eq!(fetches.len(), 4, "{max_age}");
        for pair in fetches.windows(2) {
            // Timers are exact to the millisecond.
            let pause = pair[1] - pair[0];
            assert_eq!(pause.as_secs(), every, "{max_age}: {pause:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_may_change_its_algorithm_and_keep_its_name() {
    let [rsa, _] = Signer::two(Algorithm::Rs256);
    let [ec, _] = Signer::two(Algorithm::Es256);
    let issuer = FakeIssuer::publish([rsa.listed("a")]);
    let verifier = issuer.ready().await;
    issuer.lists([ec.listed("a")]);
    assert_eq!(verdict(&verifier, &ec.named("a")).await, "ok");
    seconds(11).await;
    assert_eq!(verdict(&verifier, &rsa.named("a")).await, "invalid");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_fetched_once_the_keys_are_dropped() {
    let [signer, _] = Signer::two(Algorithm::Es256);
    for answer in [
        Answer::Keys(vec![signer.listed("a")]),
        Answer::Down,
        Answer::Slow(Duration::from_secs(100), Vec::new()),
    ] {
        let issuer = FakeIssuer::new(answer);
        let verifier = issuer.ready().await;
        assert_eq!(issuer.holders(), 2);
        drop(verifier);
        seconds(1).await;
        assert_eq!(issuer.holders(), 1, "the task has ended");
        let asked = issuer.asked();
        seconds(10_000).await;
        assert_eq!(issuer.asked(), asked);
    }
}
