//! Tokens with names of keys that nobody has: an attacker must not be able to turn them against the issuer.

use std::time::Duration;

use super::fake::{Answer, FakeIssuer, seconds, verdict};
use crate::{
    signer::{PUBLIC, Signer},
    support::{CLAIMS, verify, word},
};
use sealroom_auth::Algorithm;
use tokio::time::{Instant, sleep};

#[tokio::test(start_paused = true)]
async fn a_storm_of_unknown_kids_causes_one_fetch_in_10_s() {
    let [signer, stranger] = Signer::two(Algorithm::Es256);
    let storm: Vec<String> = (0..1000)
        .map(|number| stranger.named(&format!("kid-{number}")))
        .collect();
    for answer in [
        Answer::Keys(vec![signer.listed("a")]),
        Answer::Down,
        Answer::Slow(Duration::from_millis(300), vec![signer.listed("a")]),
    ] {
        let issuer = FakeIssuer::publish([signer.listed("a")]);
        let verifier = issuer.ready().await;
        seconds(30).await;
        issuer.answers(answer.clone());
        let start = Instant::now();
        let mut tokens = storm.iter().cycle();
        while start.elapsed() < Duration::from_mins(1) {
            for token in tokens.by_ref().take(100) {
                let expected = if matches!(answer, Answer::Down) {
                    "unavailable"
                } else {
                    "invalid"
                };
                assert_eq!(verdict(&verifier, token).await, expected, "{answer:?}");
            }
            assert_eq!(word(&verify(&verifier, &signer.named("a"))), "ok");
            sleep(Duration::from_millis(100)).await;
        }
        let asked: Vec<u64> = issuer
            .fetches()
            .iter()
            .filter(|at| **at >= start)
            .map(|at| (*at - start).as_secs())
            .collect();
        // While it is down the usual repetitions come on top: after 1, 2, 4, 8, 16 and 32 s.
        let most = if matches!(answer, Answer::Down) { 15 } else { 7 };
        assert!(asked.len() <= most, "{answer:?}: {asked:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_unknown_kid_after_a_fetch_may_ask_and_the_second_may_not() {
    let [old, new] = Signer::two(Algorithm::Es256);
    let issuer = FakeIssuer::publish([old.listed("old")]);
    let verifier = issuer.ready().await;
    assert_eq!(verdict(&verifier, &old.named("x")).await, "invalid");
    assert_eq!(issuer.asked(), 2);
    issuer.lists([new.listed("new")]);
    seconds(9).await;
    assert_eq!(
        word(&verify(&verifier, &new.named("new"))),
        "invalid",
        "by a set 9 s old"
    );
    assert_eq!(issuer.asked(), 2);
    seconds(1).await;
    assert_eq!(verdict(&verifier, &new.named("new")).await, "ok");
    assert_eq!(issuer.asked(), 3);
}

/// Nothing but a public algorithm and a `kid` that is not listed makes anybody ask.
#[tokio::test(start_paused = true)]
async fn other_bad_tokens_ask_for_nothing() {
    for algorithm in PUBLIC {
        let [signer, stranger] = Signer::two(algorithm);
        let name = algorithm.name();
        let issuer = FakeIssuer::publish([signer.listed("a")]);
        let verifier = issuer.ready().await;
        let secret = Signer::generate(Algorithm::Hs256);
        for token in [
            stranger.good(),
            stranger.named("a"),
            secret.good(),
            secret.named("a"),
            secret.named("unknown"),
            stranger.token(r#"{"alg":"none","kid":"unknown"}"#, CLAIMS),
            stranger.token(r#"{"alg":"HS256","kid":"unknown"}"#, CLAIMS),
            stranger.token(r#"{"alg":"RS512","kid":"unknown"}"#, CLAIMS),
            stranger.token(&format!(r#"{{"alg":"{name}","kid":5}}"#), CLAIMS),
            stranger.token(&format!(r#"{{"alg":"{name}","kid":"b","kid":"c"}}"#), CLAIMS),
            stranger.token(
                &format!(r#"{{"alg":"{name}","kid":"b","jku":"http://127.0.0.1/"}}"#),
                CLAIMS,
            ),
            stranger.token(
                &format!(r#"{{"alg":"{name}","kid":"{}"}}"#, "k".repeat(10_000)),
                CLAIMS,
            ),
            stranger.named("unknown") + ".x",
            stranger.named("unknown") + "=",
            "x".to_owned(),
        ] {
            assert_eq!(word(&verify(&verifier, &token)), "invalid", "{token}");
        }
        sleep(Duration::from_secs(1)).await;
        assert_eq!(issuer.asked(), 1, "{algorithm:?}");
    }
}

/// HS-5: a `kid` is looked up, and that is all; where nobody knows it, the issuer is asked for its keys, without it.
#[tokio::test(start_paused = true)]
async fn hs_5_odd_kids_are_names_like_others() {
    let [signer, _] = Signer::two(Algorithm::Es256);
    let odd = [
        "../../dev/null",
        "' OR 1=1",
        "http://127.0.0.1/k",
        "",
        "é",
        "a b/c+d==",
    ];
    let issuer = FakeIssuer::publish([signer.listed("a")]);
    let verifier = issuer.ready().await;
    for kid in odd {
        assert_eq!(verdict(&verifier, &signer.named(kid)).await, "invalid", "{kid}");
    }
    assert_eq!(issuer.asked(), 2);
    issuer.lists(odd.map(|kid| signer.listed(kid)));
    seconds(301).await;
    for kid in odd {
        assert_eq!(word(&verify(&verifier, &signer.named(kid))), "ok", "{kid}");
    }
}
