//! The program: what it prints, and how it ends.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops where its helper cannot go on"
)]

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    net::TcpListener,
    os::unix::net::UnixDatagram,
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use sealroom_auth::{ClaimRules, JwtVerifier, KeySet, Secret, VerificationKey, VerifierOptions};
use sealroom_domain::{DisplayName, Principal, ports::TokenVerifier};
use sealroom_server::clock::SystemClock;
use tempfile::TempDir;

const SECRET: &str = "0mZr8kq1Wv5Xy7Tn3Bp9Lc2Hd4Jf6GsA";

/// Long enough for a busy machine; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// The program in a directory of its own, with nothing of this process's environment that could matter to it.
fn program(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sealroom-server"));
    command
        .current_dir(directory)
        .env_clear()
        // Where `cargo xtask coverage` runs this, the program writes what it executed there.
        .envs(std::env::var_os("LLVM_PROFILE_FILE").map(|file| ("LLVM_PROFILE_FILE", file)))
        .env("SEALROOM_LISTEN", "127.0.0.1:0")
        .env("SEALROOM_METRICS_LISTEN", "off")
        .stdin(Stdio::null());
    command
}

fn run(command: &mut Command) -> Output {
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let begin = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begin.elapsed() > PATIENCE {
            child.kill().unwrap();
            let output = child.wait_with_output().unwrap();
            panic!("it did not end: {output:?}");
        }
        thread::sleep(Duration::from_millis(5));
    }
    child.wait_with_output().unwrap()
}

/// Ends with 2, one line on stderr and nothing else; gives that line.
fn refused(command: &mut Command) -> String {
    let output = run(command);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{command:?}: {stderr}");
    assert!(output.stdout.is_empty(), "{command:?}: {:?}", output.stdout);
    assert!(stderr.starts_with("error: "), "{command:?}: {stderr}");
    assert_eq!(stderr.lines().count(), 1, "{command:?}: {stderr}");
    assert!(stderr.ends_with('\n'));
    stderr
}

/// Ends with 0; gives stdout.
fn answered(command: &mut Command) -> String {
    let output = run(command);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{command:?}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}

/// A running server; killed when it is dropped.
struct Running {
    child: Child,
    address: String,
}

impl Running {
    /// Starts it and waits until it is ready.
    fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        let Some(address) = line.trim_end().strip_prefix("listening on http://") else {
            child.kill().unwrap();
            let output = child.wait_with_output().unwrap();
            panic!(
                "it did not start: {line:?} {}",
                String::from_utf8_lossy(&output.stderr)
            );
        };
        let address = address.to_owned();
        Self { child, address }
    }

    /// Sends a signal and waits for the end; gives the code and what stderr said.
    fn stop(mut self, signal: &str) -> (Option<i32>, String) {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &pid])
                .status()
                .unwrap()
                .success()
        );
        let begin = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(begin.elapsed() < PATIENCE, "it does not stop");
            thread::sleep(Duration::from_millis(5));
        };
        let mut stderr = String::new();
        let pipe = self.child.stderr.as_mut().unwrap();
        pipe.read_to_string(&mut stderr).unwrap();
        (status.code(), stderr)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Either fails only where it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn directory() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Who a token speaks for, by the rules of the library that the server uses.
fn principal(token: &str, secret: &str, claims: ClaimRules) -> Principal {
    let verifier = JwtVerifier::new(VerifierOptions {
        keys: KeySet::single(VerificationKey::hs256(&Secret::new(secret).unwrap())).into(),
        claims,
        clock: Arc::new(SystemClock),
    })
    .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(verifier.verify(token)).unwrap()
}

#[test]
fn wrong_settings_stop_every_subcommand() {
    let cases = [
        ("SEALROOM_LISTEN", "8000", "address"),
        ("SEALROOM_LISTEN", "127.0.0.1:99999", "address"),
        (
            "SEALROOM_DATABASE_URL",
            "postgres://u:hidden@h",
            "names no database",
        ),
        (
            "SEALROOM_DATABASE_URL",
            "postgres://u:hidden@h:1x/d",
            "not a URL such as",
        ),
        ("SEALROOM_DATABASE_URL", "mysql://u:hidden@h/d", "sqlite://"),
        ("SEALROOM_DATABASE_URL", "sqlite://:memory:", "file"),
        ("SEALROOM_JWT_SECRET", "hidden", "shorter than 32 bytes"),
        ("SEALROOM_JWT_SECRET", "your-256-bit-secret", "known example"),
        ("SEALROOM_JWT_USER_CLAIM", "exp", "claim"),
        ("SEALROOM_PROVISION_USERS", "yes", "`on` nor `off`"),
        ("SEALROOM_ALLOWED_ORIGINS", "*", "origin"),
        ("SEALROOM_ALLOWED_ORIGINS", "https://a.example/path", "origin"),
        ("SEALROOM_LOG", "inof", "level"),
        ("SEALROOM_LOG", "a\nb=loud", "level"),
        ("SEALROOM_LOG_FORMAT", "xml", "`json`"),
        (
            "SEALROOM_LIMIT_CONTENT_BYTES",
            "131072",
            "SEALROOM_LIMIT_FRAME_BYTES",
        ),
        ("SEALROOM_LIMIT_FRAME_BYTES", "1024", "too small"),
        ("SEALROOM_LIMIT_PAGE", "0", "number"),
        ("SEALROOM_LIMIT_UNACKED_SENDS", "-1", "number"),
        ("SEALROOM_LIMIT_GROUPS_PER_SOCKET", "many", "number"),
        ("SEALROOM_LIMIT_SOCKETS_PER_USER", "1.5", "number"),
        ("SEALROOM_LIMIT_CONNECTIONS", "1e3", "number"),
        (
            "SEALROOM_LIMIT_CONNECTIONS_PER_ADDRESS",
            "99999999999999999999",
            "number",
        ),
        ("SEALROOM_LIMIT_OUTBOUND_BYTES", "4M", "number"),
        ("SEALROOM_LIMIT_WRITE_STALL", "10", "time"),
        ("SEALROOM_LIMIT_WRITE_STALL", "0s", "time"),
    ];
    for (variable, value, hint) in cases {
        for subcommand in [
            &["serve"][..],
            &["check-config"],
            &["migrate"],
            &["new-log"],
            &["token", "--user-id", "1"],
        ] {
            let directory = directory();
            let line = refused(program(directory.path()).args(subcommand).env(variable, value));
            assert!(line.contains(hint) && line.contains("SEALROOM_"), "{line}");
            assert!(!line.contains("hidden"), "{line}");
            assert_eq!(
                fs::read_dir(directory.path()).unwrap().count(),
                0,
                "{subcommand:?} left something"
            );
        }
        let flag = variable
            .trim_start_matches("SEALROOM_")
            .replace('_', "-")
            .to_lowercase();
        let directory = directory();
        refused(program(directory.path()).arg(format!("--{flag}")).arg(value));
    }
}

#[test]
fn wrong_command_lines_are_refused_in_one_line() {
    for arguments in [
        &["--lisen", "x"][..],
        &["--listen"],
        &["--listen", ""],
        &["--listen", "127.0.0.1:0", "--listen", "127.0.0.1:0"],
        &["serv"],
        &["serve", "extra"],
        &["token"],
        &["token", "--user-id"],
        &["token", "--user-id", "0"],
        &["token", "--user-id", "-1"],
        &["token", "--user-id", "+1"],
        &["token", "--user-id", "1.0"],
        &["token", "--user-id", "9007199254740992"],
        &["token", "--user-id", "1", "--name", ""],
        &["token", "--user-id", "1", "--name", "a\nb"],
        &["token", "--user-id", "1", "--ttl", "1"],
        &["token", "--user-id", "1", "--ttl", "0s"],
        &["token", "--user-id", "1", "--ttl", "999999999999d"],
        &["token", "--user-id", "1", "--ttl", "off"],
    ] {
        let directory = directory();
        refused(program(directory.path()).args(arguments));
    }
}

#[test]
fn help_and_version_are_answers() {
    let directory = directory();
    let help = answered(program(directory.path()).arg("--help"));
    for word in [
        "check-config",
        "--limit-write-stall",
        "SEALROOM_JWT_SECRET",
        "127.0.0.1:8000",
    ] {
        assert!(help.contains(word), "{word}: {help}");
    }
    // Whoever asks for help may have a secret in the environment.
    let help = answered(
        program(directory.path())
            .arg("--help")
            .env("SEALROOM_JWT_SECRET", SECRET),
    );
    assert!(!help.contains(SECRET));
    let version = answered(program(directory.path()).arg("--version"));
    assert_eq!(
        version,
        format!("sealroom-server {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn check_config_shows_what_is_in_effect() {
    let directory = directory();
    let text = answered(
        program(directory.path())
            .args(["check-config", "--limit-page", "7"])
            .env("SEALROOM_JWT_SECRET", SECRET)
            .env("SEALROOM_LIMIT_PAGE", "9")
            .env("SEALROOM_LIMIT_WRITE_STALL", "1500ms")
            .env("SEALROOM_LIMIT_OUTBOUND_BYTES", "off")
            .env("SEALROOM_LOG", ""),
    );
    assert!(text.starts_with("configuration is valid\n"), "{text}");
    for line in [
        "SEALROOM_LIMIT_PAGE=7",
        "SEALROOM_LIMIT_WRITE_STALL=1500ms",
        "SEALROOM_LIMIT_OUTBOUND_BYTES=off",
        "SEALROOM_LOG=info",
        "SEALROOM_DATABASE_URL=sqlite://./sealroom-data/sealroom.db",
    ] {
        assert!(text.lines().any(|one| one == line), "{line}: {text}");
    }
    assert!(!text.contains(SECRET));
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn unknown_and_unsupported_variables_are_warned_of() {
    let directory = directory();
    let output = run(program(directory.path())
        .arg("check-config")
        .env("SEALROOM_LIMT_PAGE", "1")
        .env("SEALROOM_TLS_CERT", "cert.pem")
        .env("SEALROOM_BUS_URL", ""));
    assert_eq!(output.status.code(), Some(0));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(stderr.lines().count(), 2, "{stderr}");
    assert!(
        stderr.contains("SEALROOM_LIMT_PAGE") && stderr.contains("unknown"),
        "{stderr}"
    );
    assert!(stderr.contains("SEALROOM_TLS_CERT") && stderr.contains("not supported by this version"));
    assert!(!stderr.contains('\u{1b}'), "{stderr}");
}

#[test]
fn a_token_is_signed_with_the_configured_secret() {
    let directory = directory();
    let token = answered(
        program(directory.path())
            .args([
                "token",
                "--user-id",
                "42",
                "--name",
                "Nguyễn Văn A",
                "--scope",
                "admin x",
                "--ttl",
                "2m",
            ])
            .env("SEALROOM_JWT_SECRET", SECRET)
            .env("SEALROOM_JWT_ISSUER", "me")
            .env("SEALROOM_JWT_AUDIENCE", "chat")
            .env("SEALROOM_JWT_USER_CLAIM", "uid"),
    );
    let claims = ClaimRules {
        issuer: Some("me".to_owned()),
        audience: Some("chat".to_owned()),
        user_claim: "uid".to_owned(),
    };
    let principal = principal(token.strip_suffix('\n').unwrap(), SECRET, claims);
    assert_eq!(principal.user_id.get(), 42);
    assert_eq!(
        principal.name.as_ref().map(DisplayName::as_str),
        Some("Nguyễn Văn A")
    );
    assert!(principal.is_admin());
    let lifetime = principal.expires_at.as_micros() - principal.issued_at.unwrap().as_micros();
    assert!((119_000_000..=120_000_000).contains(&lifetime), "{lifetime}");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn without_a_secret_one_is_generated_and_kept() {
    let directory = directory();
    let mint = |id: &str| {
        answered(
            program(directory.path())
                .args(["token", "--user-id", id])
                .env("SEALROOM_JWT_SECRET", ""),
        )
    };
    let (first, second) = (mint("1"), mint("2"));
    let secret = fs::read_to_string(directory.path().join("sealroom-data/jwt-secret")).unwrap();
    for (token, id) in [(first, 1), (second, 2)] {
        let principal = principal(token.trim_end(), secret.trim_end(), ClaimRules::default());
        assert_eq!(principal.user_id.get(), id);
    }
}

#[test]
fn a_bad_secret_file_stops_the_start_and_stays_as_it_is() {
    let directory = directory();
    let path = directory.path().join("jwt-secret");
    for text in ["hidden\n", "changeme-changeme-changeme-changeme"] {
        fs::write(&path, text).unwrap();
        for subcommand in [&["serve"][..], &["token", "--user-id", "1"]] {
            let line = refused(
                program(directory.path())
                    .args(subcommand)
                    .args(["--data-dir", "."]),
            );
            assert!(line.contains("jwt-secret") && !line.contains("hidden"), "{line}");
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
}

#[test]
fn an_unusable_data_directory_stops_the_start() {
    let directory = directory();
    fs::write(directory.path().join("file"), "").unwrap();
    for path in [
        "file",
        "file/below",
        "/proc",
        "/proc/sealroom",
        "/dev/full",
        "/dev/null/x",
    ] {
        for subcommand in ["serve", "migrate", "new-log"] {
            let line = refused(program(directory.path()).args([subcommand, "--data-dir", path]));
            assert!(line.contains("data directory") && line.contains(path), "{line}");
        }
        refused(program(directory.path()).args(["token", "--user-id", "1", "--data-dir", path]));
    }
}

#[test]
fn a_full_disk_stops_the_start() {
    let directory = directory();
    // A limit of 0 on the size of files is as good as a full disk: files can be created, and nothing written.
    let script = r#"trap '' XFSZ; ulimit -f 0; exec "$0" "$@""#;
    for subcommand in ["serve", "migrate"] {
        let mut command = Command::new("sh");
        command
            .args(["-c", script, env!("CARGO_BIN_EXE_sealroom-server"), subcommand])
            .args(["--listen", "127.0.0.1:0", "--data-dir", "data"])
            .current_dir(directory.path());
        let line = refused(&mut command);
        assert!(line.contains("cannot be written to"), "{line}");
        let left: Vec<_> = fs::read_dir(directory.path().join("data"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(left, ["lock"]);
    }
}

#[test]
fn a_new_log_needs_a_database() {
    let directory = directory();
    let line = refused(program(directory.path()).arg("new-log"));
    assert!(line.contains("there is no database"), "{line}");
    assert!(answered(program(directory.path()).arg("migrate")).ends_with("the schema is up to date\n"));
    assert_eq!(
        answered(program(directory.path()).arg("migrate")),
        "the schema is up to date\n"
    );
    let first = answered(program(directory.path()).arg("new-log"));
    let second = answered(program(directory.path()).arg("new-log"));
    assert_ne!(first, second);
    assert_eq!(first.lines().count(), 1);
}

#[test]
fn a_database_that_is_none_stops_the_start() {
    let directory = directory();
    fs::create_dir(directory.path().join("sealroom-data")).unwrap();
    fs::write(
        directory.path().join("sealroom-data/sealroom.db"),
        "no database at all".repeat(100),
    )
    .unwrap();
    refused(&mut program(directory.path()));
    refused(program(directory.path()).arg("migrate"));
}

#[test]
fn a_busy_port_stops_the_start() {
    let directory = directory();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for flag in ["--listen", "--metrics-listen"] {
        let line = refused(program(directory.path()).args([flag, &address]));
        assert!(line.contains(&address), "{line}");
        assert_eq!(
            line.contains("SEALROOM_METRICS_LISTEN"),
            flag == "--metrics-listen",
            "{line}"
        );
    }
    // What could not start has left nothing behind.
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn the_service_manager_is_told() {
    let directory = directory();
    let socket = directory.path().join("notify");
    let manager = UnixDatagram::bind(&socket).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let server = Running::start(program(directory.path()).env("NOTIFY_SOCKET", &socket));
    let mut heard = [0; 64];
    let mut hear = || {
        let length = manager.recv(&mut heard).unwrap();
        String::from_utf8(heard[..length].to_vec()).unwrap()
    };
    assert_eq!(hear(), "READY=1");
    assert_eq!(server.stop("-TERM").0, Some(0));
    assert_eq!(hear(), "STOPPING=1");
}

#[test]
fn one_server_at_a_time_holds_a_data_directory() {
    let directory = directory();
    let first = Running::start(&mut program(directory.path()));
    for subcommand in ["serve", "migrate", "new-log"] {
        let line = refused(program(directory.path()).arg(subcommand));
        assert!(line.contains("in use by another server"), "{line}");
    }
    // Minting a token needs no hold.
    answered(program(directory.path()).args(["token", "--user-id", "1"]));
    // The death of the process frees it, whatever kind of death.
    let (code, _) = first.stop("-KILL");
    assert_eq!(code, None);
    let second = Running::start(&mut program(directory.path()));
    assert_eq!(second.stop("-TERM").0, Some(0));
}

#[test]
fn a_server_says_where_it_listens_and_stops_when_told() {
    for signal in ["-TERM", "-INT"] {
        let directory = directory();
        let server = Running::start(program(directory.path()).env("SEALROOM_LIMT_PAGE", "1"));
        assert!(server.address.starts_with("127.0.0.1:"), "{}", server.address);
        std::net::TcpStream::connect(&server.address).unwrap();
        let (code, stderr) = server.stop(signal);
        assert_eq!(code, Some(0), "{stderr}");
        assert!(stderr.contains("SEALROOM_LIMT_PAGE"), "{stderr}");
    }
}
