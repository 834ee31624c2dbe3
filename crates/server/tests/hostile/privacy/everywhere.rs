//! The canary test: marked tokens, contents, passwords and session ids through every path at the most talkative log
//! level, and a search for them wherever something may stay.

use std::time::Duration;

use aws_lc_rs::digest;
use sealroom_auth::Grant;
use sealroom_domain::{DisplayName, UserId};
use sealroom_testkit::client::{Client, http};
use serde_json::{Value, json};

use super::{
    accounts::Accounts,
    canary::{self, CANARY, JUNK, KEPT, NAME, PASSWORD, REFUSED, TOKEN},
    refusals::Refusals,
    routes,
    sockets::{self, Session},
};
use crate::{
    common::{Store, TestServer},
    signer::{Signer, in_seconds},
    target::{ALICE, GROUP, MALLORY, Target},
    world::{World, ask, minter, send, verdict},
};

const REVOKED: u64 = 70;
const CROWD: u64 = 80;
const HOUR: Duration = Duration::from_hours(1);

/// What was sent to a server.
struct Sent {
    /// What may be nowhere.
    secrets: Vec<String>,
    /// The contents that were taken, of the first group.
    contents: Vec<String>,
    refusals: Refusals,
}

fn store(target: &Target) -> Store {
    match target.world.server.database() {
        Some(_) => Store::Postgres,
        None => Store::Sqlite,
    }
}

/// A token whose name is marked.
fn named(world: &World, user_id: u64) -> String {
    let user_id = UserId::new(user_id.try_into().unwrap()).unwrap();
    let grant = Grant {
        name: Some(DisplayName::new(NAME).unwrap()),
        ..Grant::new(user_id, HOUR)
    };
    minter(&world.server.secret).mint(&grant).unwrap()
}

/// Sends everything that there is.
async fn everything(target: &Target) -> Sent {
    let world = &target.world;
    let mut sent = Sent {
        secrets: vec![world.server.secret.clone()],
        contents: Vec::new(),
        refusals: Refusals::default(),
    };
    let token = named(world, MALLORY);
    let revoked = world.token(REVOKED);
    let revoking = world
        .admin("POST", &format!("/users/{REVOKED}/revoke"), None)
        .await;
    assert_eq!(revoking.status, 204, "{}", revoking.text());
    let expired = Signer::Hs256(world.server.secret.clone());
    let expired = expired.token(&json!({"user_id": MALLORY, "exp": in_seconds(-10), "jti": TOKEN}));
    let listener = world.joined(ALICE, GROUP).await;

    let (mut websocket, sid) = Session::websocket(target.addr(), &[("Cookie", JUNK)]).await;
    let (mut polling, other) = Session::polling(target.addr(), &[("Cookie", JUNK)]).await;
    sent.secrets.extend([sid, other]);
    for session in [&mut websocket, &mut polling] {
        sent.secrets.push(session.connect(&token).await);
        sent.contents
            .extend(sockets::good(session, &token, &mut sent.refusals).await);
        sockets::bad(session, &mut sent.refusals).await;
    }
    sent.secrets
        .extend(sockets::broken(target.addr(), &token, &mut sent.refusals).await);
    let refused = sockets::refused_handshakes(target.addr(), &expired, &revoked, &mut sent.refusals).await;
    sent.secrets.extend(refused);
    let admin = world.server.mint_admin();
    routes::play(world, [&admin, &expired, &revoked], &mut sent.refusals).await;
    limits(world, &mut sent.refusals).await;
    faults(target, &mut sent.refusals).await;
    sent.secrets
        .push(listener.connect_ack()["sid"].as_str().unwrap().to_owned());
    sent.secrets.extend([token, revoked, expired, admin]);
    sent
}

/// More than is allowed.
async fn limits(world: &World, refusals: &mut Refusals) {
    for group in 501..=504 {
        world.group(group, [CROWD]).await;
    }
    let mut crowd = vec![world.socket(CROWD).await];
    for group in 501..=504 {
        let joined = ask(&crowd[0], "join_group", json!({"group_id": group})).await;
        assert_eq!(joined["success"], group < 504, "{joined}");
        if group == 504 {
            refusals.ack(&joined);
        }
    }
    let refused = loop {
        match Client::connect(world.addr(), &named(world, CROWD)).await {
            Ok(client) => crowd.push(client),
            Err(error) => break error,
        }
        assert!(crowd.len() < 30, "a user has as many sockets as it likes");
    };
    refusals.connect_error(&refused.message);
}

/// A store that fails: a row that cannot be, or a disk without room.
async fn faults(target: &Target, refusals: &mut Refusals) {
    let world = &target.world;
    world.group(505, [MALLORY]).await;
    let socket = world.socket(MALLORY).await;
    let message = json!({"group_id": 505, "encrypted_content": REFUSED.repeat(500)});
    let (ack, answer, code) = if let Some(database) = world.server.database() {
        send(&socket, 505, "before").await;
        let database = database.client().await;
        let breaking = "UPDATE entries SET sender_name = NULL WHERE kind = 1 AND group_id = 505";
        database.batch_execute(breaking).await.unwrap();
        let ack = ask(&socket, "get_entries", json!({"group_id": 505})).await;
        let answer = world.user(MALLORY, "GET", "/groups/505/entries", None).await;
        database
            .batch_execute("DELETE FROM entries WHERE kind = 1 AND group_id = 505")
            .await
            .unwrap();
        (ack, answer, "internal")
    } else {
        limit_files(&world.server, "4096");
        let ack = ask(&socket, "send_message", message.clone()).await;
        let body = json!({"encrypted_content": REFUSED.repeat(500)});
        let answer = world.user(MALLORY, "POST", "/groups/505/messages", body).await;
        limit_files(&world.server, "unlimited");
        (ack, answer, "unavailable")
    };
    assert_eq!(
        (&ack["code"], verdict(&answer).1),
        (&json!(code), code.to_owned()),
        "{ack}"
    );
    refusals.ack(&ack);
    refusals.answer("a store that fails", &answer);
}

/// Sets how large a file the server may make, in bytes.
fn limit_files(server: &TestServer, bytes: &str) {
    let done = std::process::Command::new("prlimit")
        .args([
            format!("--pid={}", server.pid()),
            format!("--fsize={bytes}:unlimited"),
        ])
        .status();
    assert!(
        done.is_ok_and(|status| status.success()),
        "this test needs prlimit, of util-linux"
    );
}

/// Log, stdout and metrics of a server.
async fn said(server: &TestServer) -> [(&'static str, String); 3] {
    let metrics = http::request(server.metrics_address(), "GET", "/metrics", None, None)
        .await
        .unwrap();
    let metrics = metrics.text();
    assert!(metrics.contains("sealroom_sockets"), "{metrics}");
    let log = server.log();
    assert!(log.contains("a socket is open"), "it logs too little: {log}");
    [
        ("the log", log),
        ("stdout", server.said()),
        ("the metrics", metrics),
    ]
}

/// What commands of the program say: on stdout, and in their logs.
fn told(server: &TestServer, arguments: &[&str]) -> (Vec<u8>, Vec<u8>) {
    let output = server.program().args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    (output.stdout, output.stderr)
}

pub(super) async fn pv_1_marks_are_in_no_log(target: &mut Target) {
    let mut sent = everything(target).await;
    let everywhere = [
        ("SEALROOM_LOG", "trace"),
        ("SEALROOM_LOG_FORMAT", "json"),
        ("SEALROOM_METRICS_LISTEN", "127.0.0.1:0"),
    ];
    let accounts = Accounts::play(store(target), &everywhere, &mut sent.refusals).await;
    for (server, secrets) in [
        (&target.world.server, &sent.secrets),
        (&accounts.world.server, &accounts.secrets),
    ] {
        let secrets = || secrets.iter().map(String::as_str).chain([CANARY]);
        for (place, text) in said(server).await {
            canary::check(place, text.as_bytes(), secrets());
        }
        let (stdout, stderr) = told(server, &["check-config"]);
        canary::check("the settings", &stdout, secrets());
        canary::check("the log of check-config", &stderr, secrets());
        let (stdout, stderr) = told(server, &["export", "--group", "1"]);
        // What it is for.
        assert!(canary::find(&stdout, KEPT).is_some(), "nothing was exported");
        let others = [REFUSED, TOKEN, PASSWORD, JUNK];
        canary::check("the export", &stdout, others);
        canary::check("the log of the export", &stderr, secrets());
        let (_, stderr) = told(server, &["token", "--user-id", "5", "--name", NAME]);
        canary::check("the log of a minted token", &stderr, secrets());
    }
    assert!(accounts.hooks.len() > 2, "{:?}", accounts.hooks);
    for hook in &accounts.hooks {
        let marks = [KEPT, REFUSED, TOKEN, PASSWORD, JUNK];
        let secrets = accounts.secrets.iter().map(String::as_str);
        canary::check("a webhook", hook.as_bytes(), secrets.chain(marks));
    }
    // Also what a server says at its end.
    let mut world = accounts.world;
    tokio::task::block_in_place(|| world.server.terminate());
    let secrets = accounts.secrets.iter().map(String::as_str).chain([CANARY]);
    canary::check("the last lines", world.server.log().as_bytes(), secrets);
}

pub(super) async fn pv_2_refusals_say_constant_texts(target: &mut Target) {
    let mut sent = everything(target).await;
    Accounts::play(store(target), &[], &mut sent.refusals).await;
    sent.refusals.were(&[
        "invalid_data",
        "not_a_member",
        "forbidden",
        "not_found",
        "conflict",
        "payload_too_large",
        "rate_limited",
        "limit_exceeded",
        "idempotency_conflict",
        "token_missing",
        "token_invalid",
        "token_expired",
        "token_revoked",
        "login_failed",
        "too_many_connections",
        "unknown_event",
        match store(target) {
            Store::Sqlite => "unavailable",
            Store::Postgres => "internal",
        },
    ]);
}

pub(super) async fn pv_4_contents_are_stored_byte_for_byte_and_secrets_are_not(target: &mut Target) {
    let mut sent = everything(target).await;
    let accounts = Accounts::play(store(target), &[], &mut sent.refusals).await;
    let log = target.world.log(GROUP).await;
    let kept = stored_contents(&log);
    // Of four each session deletes one; another is edited, which leaves both in the log.
    assert_eq!(kept.len(), sent.contents.len() / 4 * 3, "{kept:?}");
    check_stored(&target.world.server, &sent.secrets, &kept, &sent.contents).await;
    check_stored(
        &accounts.world.server,
        &accounts.secrets,
        &accounts.contents,
        &accounts.contents,
    )
    .await;
    let all = canary::stored(&accounts.world.server).await;
    for token in &accounts.refresh_tokens {
        let digest = digest::digest(&digest::SHA256, token.as_bytes());
        let hex = canary::hex(digest.as_ref());
        let is_there = |text: &[u8]| {
            text.windows(digest.as_ref().len())
                .any(|window| window == digest.as_ref())
                || canary::find(text, &hex).is_some()
        };
        assert!(
            all.iter().any(|(_, text)| is_there(text)),
            "the digest of a refresh token is not there"
        );
    }
    let is_argon = |(_, text): &(String, Vec<u8>)| canary::find(text, "$argon2id$").is_some();
    assert!(all.iter().any(is_argon), "no hash of a password is there");
}

/// The contents of a log, in its order.
fn stored_contents(log: &[Value]) -> Vec<String> {
    let contents = log.iter().filter_map(|entry| entry["encrypted_content"].as_str());
    contents.map(ToOwned::to_owned).collect()
}

/// The contents are where they belong as they came, and nothing else of what was sent is anywhere.
async fn check_stored(server: &TestServer, secrets: &[String], kept: &[String], taken: &[String]) {
    assert!(kept.iter().all(|content| taken.contains(content)), "{kept:?}");
    let all = canary::stored(server).await;
    let is_database = |place: &str| place == "entries" || place.contains("sealroom.db");
    for (place, text) in &all {
        let marks = [REFUSED, TOKEN, PASSWORD, JUNK];
        canary::check(place, text, secrets.iter().map(String::as_str).chain(marks));
        if !is_database(place) {
            assert_eq!(canary::find(text, KEPT), None, "a content is in {place}");
        }
    }
    for content in kept {
        let is_there = |(place, text): &(String, Vec<u8>)| {
            // PostgreSQL doubles quotes and backslashes where it writes a row as text.
            let doubled = content.replace('\\', "\\\\").replace('"', "\"\"");
            is_database(place)
                && [content, &doubled]
                    .into_iter()
                    .any(|form| canary::find(text, form).is_some())
        };
        assert!(all.iter().any(is_there), "{content} is not stored as it came");
    }
}
