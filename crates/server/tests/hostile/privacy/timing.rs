//! How long refusals take.
//!
//! The machine's own noise is measured with what is looked for: three cases take turns, of which the first two are the
//! same case on two objects, and only the third is another. What the medians of the first two differ by is noise; the
//! third may differ by that and a tenth. A burst of other work on the machine spoils a round, so there are several, and
//! one good round is enough: what differs by itself differs in each of them.

use std::time::{Duration, Instant};

use sealroom_testkit::client::http::{self, HttpResponse};
use serde_json::json;
use tokio::time::sleep;

use crate::{
    common::{Store, TestServer},
    target::{OUTSIDER, Target},
    world::{ask, verdict},
};

/// Two groups of others, and one that never was.
const GROUPS: [u64; 3] = [11, 12, 4711];
const ROUNDS: usize = 8;

/// Whether the third case takes as long as the two others.
async fn alike(samples: usize, call: &impl AsyncFn(usize)) -> Result<(), String> {
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let mut times = [const { Vec::new() }; 3];
        for turn in 0..samples {
            // Each case is as often the first as the others are.
            for place in 0..3 {
                let case = (turn + place) % 3;
                let begin = Instant::now();
                call(case).await;
                times[case].push(begin.elapsed());
            }
        }
        let [one, same, other] = times.map(median);
        let (noise, base) = (one.abs_diff(same), one.midpoint(same));
        if other.abs_diff(base) <= noise + base / 10 {
            return Ok(());
        }
        rounds.push([one, same, other]);
    }
    Err(format!("{rounds:?}"))
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

trait Midpoint {
    fn midpoint(self, other: Self) -> Self;
}

impl Midpoint for Duration {
    fn midpoint(self, other: Self) -> Self {
        (self + other) / 2
    }
}

pub(super) async fn pv_3_nobody_learns_from_the_time_who_is_there(target: &mut Target) {
    let world = &target.world;
    for group in &GROUPS[..2] {
        world.group(*group, [5, 6, 7]).await;
    }
    let socket = world.socket(OUTSIDER).await;
    for event in [
        "join_group",
        "send_message",
        "edit_message",
        "delete_message",
        "get_entries",
        "mark_read",
        "typing",
    ] {
        let payload = |case: usize| json!({"group_id": GROUPS[case], "encrypted_content": "x", "seq": 1, "is_typing": true});
        let first = ask(&socket, event, payload(0)).await;
        assert_eq!(first["code"], "not_a_member", "{event}");
        let call = async |case: usize| assert_eq!(ask(&socket, event, payload(case)).await, first);
        assert_eq!(alike(80, &call).await, Ok(()), "{event}");
    }
    let token = world.token(OUTSIDER);
    for (method, path, body) in [
        ("GET", "", None),
        ("PATCH", "", Some(json!({"name": "x"}))),
        ("DELETE", "", None),
        ("GET", "/members", None),
        ("PUT", "/members/7", Some(json!({"role": "member"}))),
        ("DELETE", "/members/7", None),
        ("DELETE", "/members/9", None),
        ("GET", "/messages", None),
        ("POST", "/messages", Some(json!({"encrypted_content": "x"}))),
        ("GET", "/entries", None),
        ("PUT", "/read", Some(json!({"seq": 1}))),
    ] {
        let call = async |case: usize| {
            let path = format!("/groups/{}{path}", GROUPS[case]);
            let answer = world.call(method, &path, &token, body.clone()).await;
            assert_eq!(verdict(&answer), (403, "not_a_member".into()), "{method} {path}");
        };
        assert_eq!(alike(40, &call).await, Ok(()), "{method} {path}");
    }
    logins(match world.server.database() {
        Some(_) => Store::Postgres,
        None => Store::Sqlite,
    })
    .await;
}

/// A wrong password of two accounts, and one of nobody: each is hashed.
async fn logins(store: Store) {
    let settings = [
        ("SEALROOM_ACCOUNTS", "on"),
        ("SEALROOM_TRUSTED_PROXIES", "127.0.0.1"),
    ];
    let server = TestServer::start_on(store, &settings).await;
    let attempts = std::cell::Cell::new(0_u32);
    let call = async |route: &str, username: &str, password: &str| -> HttpResponse {
        // Attempts are limited by address, so each comes from another.
        attempts.set(attempts.get() + 1);
        let address = format!("203.0.{}.{}", attempts.get() / 200, attempts.get() % 200);
        let headers = [
            ("X-Forwarded-For", &*address),
            ("Content-Type", "application/json"),
        ];
        let body = json!({"username": username, "password": password}).to_string();
        let path = format!("/api/v1/auth/{route}");
        http::request_with(server.addr, "POST", &path, &headers, body.as_bytes())
            .await
            .unwrap()
    };
    for username in ["user.0", "user.1"] {
        assert_eq!(
            call("register", username, "correct horse battery").await.status,
            201
        );
    }
    let log_in = async |case: usize| {
        let answer = call("login", &format!("user.{case}"), "another password").await;
        assert_eq!(verdict(&answer), (401, "login_failed".into()));
    };
    assert_eq!(alike(5, &log_in).await, Ok(()), "login");
}

/// The measurement sees what it is to see.
#[tokio::test]
async fn a_difference_is_seen() {
    let call = async |case: usize| sleep(Duration::from_millis([4, 4, 8][case])).await;
    assert!(alike(7, &call).await.is_err());
    let call = async |_: usize| sleep(Duration::from_millis(4)).await;
    assert_eq!(alike(7, &call).await, Ok(()));
}
