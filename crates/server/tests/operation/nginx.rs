//! nginx in front of the server, with the configuration of the documentation.

use std::{
    fs::{self, File},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use sealroom_testkit::client::{Client, http};
use serde_json::json;
use tempfile::TempDir;

use crate::{
    common::TestServer,
    document::block,
    world::{World, succeed},
};

const PAGE: &str = "docs/deploy/reverse-proxy.md";
const GROUP: u64 = 1;

/// A running nginx, killed when it is dropped.
struct Nginx {
    addr: SocketAddr,
    child: Child,
    directory: TempDir,
}

impl Nginx {
    /// Starts it in front of `server`, with the block of the page in which only the two addresses are others.
    fn start(server: SocketAddr) -> Self {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = taken.local_addr().unwrap();
        drop(taken);
        let site = block(PAGE, "nginx");
        for text in ["server 127.0.0.1:8000;", "listen 80;"] {
            assert_eq!(site.matches(text).count(), 1, "{text} in the page");
        }
        let site = site
            .replace("server 127.0.0.1:8000;", &format!("server {server};"))
            .replace("listen 80;", &format!("listen {addr};"));
        let directory = tempfile::tempdir().unwrap();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {kind};"))
            .concat();
        let user = if rustix::process::geteuid().is_root() {
            "user root;"
        } else {
            ""
        };
        let configuration = format!(
            "{user} daemon off; pid nginx.pid; error_log stderr notice;\n\
             events {{ worker_connections 1024; }}\n\
             http {{ access_log off; {temporary}\n{site}\n}}\n"
        );
        let file = directory.path().join("nginx.conf");
        fs::write(&file, configuration).unwrap();
        let log = File::create(directory.path().join("log")).unwrap();
        let child = Command::new(program())
            .args(["-p".as_ref(), directory.path(), "-c".as_ref(), file.as_path()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut nginx = Self {
            addr,
            child,
            directory,
        };
        nginx.wait();
        nginx
    }

    fn wait(&mut self) {
        let begin = Instant::now();
        while TcpStream::connect(self.addr).is_err() {
            let ended = self.child.try_wait().unwrap();
            assert!(
                ended.is_none() && begin.elapsed() < Duration::from_secs(10),
                "nginx does not start: {}",
                self.log()
            );
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // SIGTERM, so that the master ends its workers, too.
        let _ = Command::new("sh")
            .args(["-c", &format!("kill -TERM {}", self.child.id())])
            .status();
        let _ = self.child.wait();
    }
}

/// On the path, or where Debian puts it for root.
fn program() -> &'static str {
    let known = ["nginx", "/usr/sbin/nginx"];
    let found = known.into_iter().find(|program| {
        let version = Command::new(program).arg("-v").stderr(Stdio::null()).status();
        version.is_ok_and(|status| status.success())
    });
    found.unwrap_or_else(|| {
        panic!("nginx is not installed: cargo xtask test does it, or apt-get install nginx-light")
    })
}

#[tokio::test]
async fn clients_of_both_transports_chat_through_nginx() {
    let settings = [("SEALROOM_LIMIT_CONNECTIONS_PER_ADDRESS", "off")];
    let world = World::of(TestServer::start_with(&settings));
    world.group(GROUP, [1, 2]).await;
    let nginx = Nginx::start(world.addr());

    // The longest content, which is also the longest body of a poll.
    let content = "x".repeat(65_536);
    let alice = Client::builder(nginx.addr)
        .token(&world.token(1))
        .header("Origin", &format!("http://{}", nginx.addr))
        .connect()
        .await
        .unwrap_or_else(|error| panic!("{error}; {}", nginx.log()));
    succeed(&alice, "join_group", json!({"group_id": GROUP})).await;
    let bob = Polling::connect(nginx.addr, &world.token(2)).await;
    bob.send(&format!(r#"420["join_group",{{"group_id":{GROUP}}}]"#))
        .await;
    bob.until(r#"430[{"success":true"#).await;

    // A poll that waits is answered when there is something, not when a buffer is full.
    let begin = Instant::now();
    let (message, _) = tokio::join!(bob.until(r#"42["new_message""#), async {
        let message = json!({"group_id": GROUP, "encrypted_content": content});
        succeed(&alice, "send_message", message).await
    });
    assert!(message.contains(&content));
    let send = json!({"group_id": GROUP, "encrypted_content": content});
    bob.send(&format!(r#"421["send_message",{send}]"#)).await;
    bob.until(r#"431[{"success":true"#).await;
    for _ in 0..2 {
        let event = alice.next_event("new_message").await.unwrap();
        assert_eq!(event["encrypted_content"].as_str(), Some(content.as_str()));
    }
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());

    let health = http::request(nginx.addr, "GET", "/healthz", None, None)
        .await
        .unwrap();
    assert_eq!(health.status, 200);
    let me = http::request(nginx.addr, "GET", "/api/v1/me", Some(&world.token(1)), None).await;
    assert_eq!(me.unwrap().json()["user_id"], 1);
    // Another site's page is refused behind the proxy as in front of it.
    let stranger = Client::builder(nginx.addr)
        .token(&world.token(1))
        .header("Origin", "https://evil.example");
    assert!(stranger.connect().await.is_err());
    // A drain closes the transports through the proxy: that is what clients come back from.
    drop(world);
    alice.wait_closed().await.unwrap();
}

/// A socket that polls.
struct Polling {
    addr: SocketAddr,
    session: String,
}

impl Polling {
    async fn connect(addr: SocketAddr, token: &str) -> Self {
        let path = "/socket.io/?EIO=4&transport=polling";
        let open = http::request(addr, "GET", path, None, None).await.unwrap();
        let packet: serde_json::Value = serde_json::from_str(&open.text()[1..]).unwrap();
        let polling = Self {
            addr,
            session: format!("{path}&sid={}", packet["sid"].as_str().unwrap()),
        };
        polling.send(&format!("40{}", json!({"token": token}))).await;
        polling.until("40{").await;
        polling
    }

    async fn send(&self, packet: &str) {
        let sent = http::request_with(self.addr, "POST", &self.session, &[], packet.as_bytes()).await;
        let sent = sent.unwrap();
        assert_eq!(sent.status, 200, "{}", sent.text());
    }

    /// Polls until a packet begins with this; gives it.
    async fn until(&self, begin: &str) -> String {
        loop {
            let answer = http::request(self.addr, "GET", &self.session, None, None)
                .await
                .unwrap();
            assert_eq!(answer.status, 200, "{}", answer.text());
            // Engine.IO separates packets with U+001E.
            let packets = answer.text();
            if let Some(packet) = packets.split('\u{1e}').find(|packet| packet.starts_with(begin)) {
                return packet.to_owned();
            }
        }
    }
}

/// What the deployment files name is there: paths, settings, versions.
#[test]
fn the_deployment_files_name_what_there_is() {
    let help = Command::new(env!("CARGO_BIN_EXE_sealroom-server"))
        .arg("--help")
        .output()
        .unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    for file in ["Dockerfile", "compose.yaml", "docs/deploy/sealroom.service", PAGE] {
        let text = crate::document::read(file);
        let words = text.split(|char: char| !char.is_ascii_alphanumeric() && char != '_');
        for variable in words.filter(|word| word.starts_with("SEALROOM_")) {
            assert!(help.contains(variable), "{file} names {variable}");
        }
    }
    let docker = crate::document::read("Dockerfile");
    let toolchain = crate::document::read("rust-toolchain.toml");
    let version = toolchain
        .split("channel = \"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    assert!(
        docker.contains(&format!("FROM rust:{version}-")),
        "the toolchain is {version}"
    );
    for copied in docker.lines().filter_map(|line| line.strip_prefix("COPY ")) {
        let sources: Vec<_> = copied.split(' ').filter(|word| !word.starts_with("--")).collect();
        let (_, sources) = sources.split_last().unwrap();
        for source in sources.iter().filter(|source| !source.starts_with('/')) {
            assert!(
                Path::new(&crate::document::root().join(source)).exists(),
                "COPY {source}"
            );
        }
    }
}
