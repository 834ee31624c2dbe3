//! Issuers that are down, slow, or answer nonsense.

use std::{io, sync::Arc, time::Duration};

use super::fake::{Answer, FakeIssuer, seconds, set, verdict};
use crate::{
    signer::Signer,
    support::{verify, word},
};
use parking_lot::Mutex;
use sealroom_auth::{Algorithm, MAX_JWKS_BYTES};
use serde_json::json;
use tokio::{task::JoinSet, time::Instant};

const HOUR: u64 = 3600;
const WEEK: u64 = 7 * 24 * HOUR;

#[tokio::test(start_paused = true)]
async fn an_issuer_that_is_down_for_an_hour_or_a_week_changes_nothing_for_known_keys() {
    let [old, new] = Signer::two(Algorithm::Es256);
    for length in [HOUR, WEEK] {
        let issuer = FakeIssuer::publish([old.listed("old")]);
        let verifier = issuer.ready().await;
        issuer.answers(Answer::Down);
        let before = issuer.asked();
        for _ in 0..length / 600 {
            seconds(600).await;
            assert_eq!(word(&verify(&verifier, &old.named("old"))), "ok");
        }
        let tries = u64::try_from(issuer.asked() - before).unwrap();
        assert!(
            (length / 70..=length / 60 + 10).contains(&tries),
            "{tries} in {length} s"
        );

        issuer.lists([old.listed("old"), new.listed("new")]);
        seconds(61).await;
        assert_eq!(
            word(&verify(&verifier, &new.named("new"))),
            "ok",
            "back within a minute"
        );
        assert_eq!(word(&verify(&verifier, &old.named("old"))), "ok");
    }
}

#[tokio::test(start_paused = true)]
async fn hs_24_tokens_of_unknown_keys_are_undecided_while_the_issuer_is_down() {
    let [old, new] = Signer::two(Algorithm::Es256);
    let issuer = FakeIssuer::publish([old.listed("old")]);
    let verifier = issuer.ready().await;
    issuer.answers(Answer::Down);
    assert_eq!(verdict(&verifier, &new.named("new")).await, "unavailable");
    assert_eq!(
        verdict(&verifier, &new.named("new")).await,
        "unavailable",
        "within the limit"
    );
    assert_eq!(issuer.asked(), 2);
    // What is wrong with known keys is known.
    assert_eq!(word(&verify(&verifier, &new.named("old"))), "invalid");
    assert_eq!(word(&verify(&verifier, "x.y.z")), "invalid");
    issuer.lists([new.listed("new")]);
    seconds(11).await;
    assert_eq!(verdict(&verifier, &new.named("new")).await, "ok");
}

#[tokio::test(start_paused = true)]
async fn hs_24_before_the_first_set_every_token_is_undecided() {
    let [signer, _] = Signer::two(Algorithm::Rs256);
    for answer in [
        Answer::Down,
        Answer::Status(503),
        Answer::Text(b"<html>".to_vec()),
        Answer::Keys(Vec::new()),
        Answer::Slow(Duration::from_hours(1), vec![signer.listed("a")]),
    ] {
        let issuer = FakeIssuer::new(answer.clone());
        let verifier = issuer.verifier();
        for _ in 0..20 {
            let start = Instant::now();
            for token in [signer.named("a"), signer.named("b"), signer.good()] {
                assert_eq!(verdict(&verifier, &token).await, "unavailable", "{answer:?}");
            }
            assert!(
                start.elapsed() <= Duration::from_secs(6),
                "three waits of 2 s at most"
            );
            assert_eq!(verdict(&verifier, "no token").await, "invalid");
            seconds(7).await;
        }
        issuer.lists([signer.listed("a")]);
        seconds(66).await;
        assert_eq!(word(&verify(&verifier, &signer.named("a"))), "ok", "{answer:?}");
    }
}

/// The server may be asked before it has the keys: the first connection after a start is not refused for that.
#[tokio::test(start_paused = true)]
async fn the_first_tokens_wait_for_the_first_fetch() {
    let [signer, _] = Signer::two(Algorithm::Es256);
    let issuer = FakeIssuer::new(Answer::Slow(Duration::from_secs(1), vec![signer.listed("a")]));
    let verifier = issuer.verifier();
    assert_eq!(verdict(&verifier, &signer.named("a")).await, "ok");
    assert_eq!(issuer.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn nonsense_replaces_no_keys() {
    let [signer, _] = Signer::two(Algorithm::Es256);
    let good = signer.listed("a");
    let mut huge = set(std::slice::from_ref(&good));
    huge.resize(MAX_JWKS_BYTES + 1, b' ');
    for answer in [
        Answer::Text(Vec::new()),
        Answer::Text(b"{".to_vec()),
        Answer::Text(b"<html>Sign in</html>".to_vec()),
        Answer::Text(b"\xff\xfe".to_vec()),
        Answer::Text(huge),
        Answer::Keys(Vec::new()),
        Answer::Keys(vec![json!({"kty": "oct", "k": "AAAA"})]),
        Answer::Keys(vec![good.clone(); 101]),
        Answer::Status(404),
        Answer::Status(500),
        Answer::Slow(Duration::from_secs(6), vec![signer.listed("b")]),
    ] {
        let issuer = FakeIssuer::publish([good.clone()]);
        let verifier = issuer.ready().await;
        issuer.answers(answer.clone());
        seconds(1000).await;
        assert!(issuer.asked() > 5, "{answer:?}");
        assert_eq!(word(&verify(&verifier, &signer.named("a"))), "ok", "{answer:?}");
        assert_eq!(
            verdict(&verifier, &signer.named("b")).await,
            "unavailable",
            "{answer:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_longer_than_2_s_and_known_keys_never_wait() {
    let [old, new] = Signer::two(Algorithm::Es256);
    let issuer = FakeIssuer::publish([old.listed("old")]);
    let verifier = Arc::new(issuer.ready().await);
    issuer.answers(Answer::Slow(Duration::from_millis(4900), vec![new.listed("new")]));
    let start = Instant::now();
    let mut waiting = JoinSet::new();
    waiting.spawn({
        let (verifier, token) = (Arc::clone(&verifier), new.named("new"));
        async move { verdict(&verifier, &token).await }
    });
    seconds(1).await;
    assert_eq!(issuer.asked(), 2, "a fetch is under way");
    assert_eq!(word(&verify(&verifier, &old.named("old"))), "ok", "at once");
    assert_eq!(word(&verify(&verifier, &new.named("old"))), "invalid", "at once");
    assert_eq!(waiting.join_all().await, ["unavailable"]);
    assert_eq!(start.elapsed().as_secs(), 2);
    seconds(3).await;
    assert_eq!(
        word(&verify(&verifier, &new.named("new"))),
        "ok",
        "the fetch went on"
    );
}

/// What the log says while `run` plays.
async fn log_of(run: impl Future<Output = ()>) -> Vec<String> {
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);
    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .without_time()
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    run.await;
    drop(guard);
    let text = String::from_utf8(lines.0.lock().clone()).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[tokio::test(start_paused = true)]
async fn a_row_of_failures_is_told_once_and_so_is_its_end() {
    let [one, two] = Signer::two(Algorithm::Es256);
    let log = log_of(async {
        let issuer = FakeIssuer::publish([one.listed("a")]);
        let _verifier = issuer.ready().await;
        seconds(1000).await;
        issuer.answers(Answer::Down);
        seconds(5000).await;
        issuer.lists([one.listed("a"), json!({"kty": "oct"})]);
        seconds(1000).await;
        issuer.answers(Answer::Status(500));
        seconds(1000).await;
        issuer.lists([one.listed("a")]);
        seconds(1000).await;
        issuer.lists([two.listed("a")]);
        seconds(1000).await;
    })
    .await;
    let expected = [
        ("INFO", "the issuer's keys are here keys=1 skipped=0"),
        (
            "WARN",
            "the last ones stand until they can cause=\"the issuer cannot be asked: connection refused\"",
        ),
        (
            "INFO",
            "the issuer's keys can be fetched again keys=1 skipped=1 failures=",
        ),
        ("WARN", "cause=\"the issuer answered with status 500\""),
        (
            "INFO",
            "the issuer's keys can be fetched again keys=1 skipped=0 failures=",
        ),
        ("INFO", "the issuer's keys have changed keys=1 skipped=0"),
    ];
    assert_eq!(log.len(), expected.len(), "{log:#?}");
    for (line, (level, text)) in log.iter().zip(expected) {
        assert!(line.contains(level) && line.contains(text), "{line}: {text}");
    }

    let log = log_of(async {
        let issuer = FakeIssuer::new(Answer::Slow(Duration::from_hours(1), Vec::new()));
        let _verifier = issuer.verifier();
        seconds(1000).await;
    })
    .await;
    assert_eq!(log.len(), 1, "{log:#?}");
    assert!(
        log[0].contains("its tokens are refused until they can"),
        "{log:#?}"
    );
    assert!(log[0].contains("did not answer within 5 s"), "{log:#?}");
}
