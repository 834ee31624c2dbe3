//! The program: what it prints, and how it ends.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops where its helper cannot go on"
)]

mod settings;
mod start;
mod token;

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
