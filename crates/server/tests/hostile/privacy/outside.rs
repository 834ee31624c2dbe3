//! What strangers and operators see: metrics, probes, headers, the process.

use std::{fs, net::SocketAddr};

use sealroom_testkit::client::http::{self, HttpResponse};
use serde_json::json;

use crate::{
    target::{GROUP, MALLORY, Target},
    world::{send, succeed},
};

/// Ids and names that nothing else can be taken for.
const ROOM: u64 = 918_273_645;
const READER: u64 = 564_738_291;

async fn get(server: SocketAddr, path: &str) -> HttpResponse {
    http::request(server, "GET", path, None, None).await.unwrap()
}

pub(super) async fn pv_5_metrics_and_probes_tell_nobody(target: &mut Target) {
    let world = &target.world;
    world.group(ROOM, [READER]).await;
    let reader = world.joined(READER, ROOM).await;
    send(&reader, ROOM, "x").await;
    world
        .user(READER, "GET", &format!("/groups/{ROOM}/messages"), None)
        .await;
    world.user(READER, "GET", "/groups/canary", None).await;
    let metrics = world.server.metrics_address();
    let page = get(metrics, "/metrics").await.text();
    assert!(page.contains("sealroom_deliveries_total"), "{page}");
    for path in ["/healthz", "/readyz", "/", "/docs", "/openapi.json"] {
        let answer = get(target.addr(), path).await;
        assert_eq!(answer.status, 200, "{path}");
        check_anonymous(path, &answer.text());
    }
    check_anonymous("/metrics", &page);
    // Only there, and only with the methods that read.
    for (server, path) in [
        (target.addr(), "/metrics"),
        (metrics, "/api/v1/me"),
        (metrics, "/"),
        (metrics, "/debug"),
    ] {
        assert_eq!(get(server, path).await.status, 404, "{path}");
    }
    for method in ["POST", "PUT", "DELETE"] {
        let answer = http::request(metrics, method, "/metrics", None, None)
            .await
            .unwrap();
        assert_eq!(answer.status, 405, "{method}");
    }
    // By default both are for this machine alone.
    let output = world.server.program().args(["--help"]).output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    for address in ["127.0.0.1:8000", "127.0.0.1:9100"] {
        assert!(help.contains(address), "{address} is no default: {help}");
    }
}

/// No user, no group, no name.
fn check_anonymous(path: &str, text: &str) {
    for id in [ROOM.to_string(), READER.to_string(), format!("Group {ROOM}")] {
        assert!(!text.contains(&id), "{path} tells {id}");
    }
    assert!(!text.contains("canary"), "{path} tells a path");
}

/// `RUST_BACKTRACE` is set here as some deployments set it.
pub(super) async fn pv_7_a_crash_leaves_no_memory_behind(target: &mut Target) {
    let pid = target.world.server.pid();
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"))
        .unwrap();
    let words: Vec<_> = core.split_whitespace().skip(4).take(2).collect();
    // The hard limit, too: nothing in the process can lift it.
    assert_eq!(words, ["0", "0"], "{core}");

    let socket = target.world.joined(MALLORY, GROUP).await;
    send(&socket, GROUP, "canary").await;
    let crash = format!("kill -ABRT {pid}");
    let sent = std::process::Command::new("sh").args(["-c", &crash]).status();
    assert!(sent.unwrap().success());
    socket.wait_closed().await.unwrap();
    let left: Vec<_> = fs::read_dir(target.world.server.data_dir.path())
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("core"))
        .collect();
    assert_eq!(left, [""; 0]);
    let log = target.world.server.log();
    assert!(
        !log.contains("canary") && !log.contains("stack backtrace"),
        "{log}"
    );
    target.restart();
    let socket = target.world.joined(MALLORY, GROUP).await;
    let entries = succeed(&socket, "get_entries", json!({"group_id": GROUP})).await;
    let last = entries["entries"].as_array().unwrap().last().unwrap();
    assert_eq!(last["encrypted_content"], "canary");
}

pub(super) async fn tl_5_every_answer_has_its_headers(target: &mut Target) {
    let none = "default-src 'none'; frame-ancestors 'none'";
    let token = target.world.token(MALLORY);
    let entries = format!("/api/v1/groups/{GROUP}/entries");
    let kept = "private, no-cache";
    for (method, path, status, caching, policy) in [
        ("GET", "/api/v1/me", 200, "no-store", none),
        ("HEAD", "/api/v1/me", 200, "no-store", none),
        ("GET", &*entries, 200, kept, none),
        ("GET", "/api/v1/groups", 200, kept, none),
        ("POST", "/api/v1/groups", 400, "no-store", none),
        ("GET", "/api/v1/groups/77", 403, "no-store", none),
        ("GET", "/api/v1/nothing", 404, "no-store", none),
        ("DELETE", "/api/v1/me", 405, "no-store", none),
        ("GET", "/healthz", 200, "no-store", none),
        ("GET", "/readyz", 200, "no-store", none),
        ("GET", "/nothing", 404, "no-store", none),
        ("GET", "/openapi.json", 200, kept, none),
        ("GET", "/docs", 200, kept, "default-src 'none'; script-src 'self'"),
        (
            "GET",
            "/socket.io/?EIO=4&transport=polling",
            200,
            "no-store",
            none,
        ),
        (
            "GET",
            "/socket.io/?EIO=3&transport=polling",
            400,
            "no-store",
            none,
        ),
        (
            "GET",
            "/socket.io/?EIO=4&transport=polling&sid=x",
            400,
            "no-store",
            none,
        ),
    ] {
        let bearer = format!("Bearer {token}");
        let headers = [("Authorization", &*bearer), ("X-Forwarded-Proto", "https")];
        let answer = http::request_with(target.addr(), method, path, &headers, b"")
            .await
            .unwrap();
        let told = format!("{method} {path}: {answer:?}");
        assert_eq!(answer.status, status, "{told}");
        assert_eq!(answer.header("X-Content-Type-Options"), Some("nosniff"), "{told}");
        assert_eq!(answer.header("Cache-Control"), Some(caching), "{told}");
        let said = answer
            .header("Content-Security-Policy")
            .unwrap_or_else(|| panic!("no policy: {told}"));
        assert!(
            said.starts_with(policy) && said.contains("frame-ancestors 'none'"),
            "{told}"
        );
        // HSTS is for TLS alone, whatever a header says; nobody is told what runs here, and nothing is remembered.
        for name in [
            "Strict-Transport-Security",
            "Server",
            "X-Powered-By",
            "Via",
            "Set-Cookie",
        ] {
            assert_eq!(answer.header(name), None, "{told}");
        }
    }
}
