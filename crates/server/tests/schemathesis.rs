//! Requests that schemathesis makes from the served OpenAPI document: good ones, bad ones, and sequences of them. Each
//! answer must be what the document says of it.
//!
//! What it needs is installed by `cargo xtask test`; without it these tests fail, they do not skip.

#![expect(
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a failed check ends the test, and figures are printed"
)]

#[expect(dead_code, reason = "nothing here crashes or restarts")]
mod common;

use std::{fs, path::Path, process::Command};

use common::TestServer;

/// Requests of each route at most in each of its phases; far more than [`LEAST`] in all.
const EXAMPLES: &str = "100";
/// Requests of a run at least: the two runs make 2 000 in all, also where routes are few.
const LEAST: u32 = 1000;
/// The same requests each time: a run that fails is had again.
const SEED: &str = "20240115";

/// What it must not check: that everything which fits the schemas is accepted. Texts are as long as their bytes, which
/// no schema can say, and what a role or a token allows stands in no schema either.
const EXCLUDED: &str = "positive_data_acceptance";

/// What refuses a request that does not fit its schema: besides what it takes for such an answer, 413 for a content that is
/// too long.
const CONFIG: &str = r"
[checks]
negative_data_rejection.expected-statuses = [400, 401, 403, 404, 405, 409, 413, 415, 429]
";

#[test]
fn a_user_hears_what_the_document_says() {
    // With the accounts on, whose routes are there then.
    let server = TestServer::start_with(&[("SEALROOM_ACCOUNTS", "on")]);
    play(&server, &server.mint(1, Some("Nguyễn Văn A"), None));
}

#[test]
fn an_admin_hears_what_the_document_says() {
    let server = TestServer::start();
    play(&server, &server.mint_admin());
}

fn play(server: &TestServer, token: &str) {
    // `cargo xtask test` makes the virtual environment in the target directory, beside the one for tests' files.
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../schemathesis-venv/bin/schemathesis");
    assert!(
        program.exists(),
        "{} is missing: run cargo xtask test, which installs it",
        program.display()
    );
    // It keeps what it found in the working directory.
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("schemathesis.toml"), CONFIG).unwrap();
    let output = Command::new(program)
        .arg("run")
        .arg(format!("{}/openapi.json", server.url()))
        .args(["--header", &format!("Authorization: Bearer {token}")])
        .args(["--checks", "all", "--exclude-checks", EXCLUDED])
        .args(["--max-examples", EXAMPLES, "--seed", SEED])
        .args(["--continue-on-failure", "--no-color"])
        .current_dir(folder.path())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    let report = String::from_utf8_lossy(&output.stdout);
    let faults = format!(
        "{}\n{report}\n{}\nthe server's log:\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr),
        server.log()
    );
    assert!(output.status.success(), "{faults}");
    let requests = requests(&report).unwrap_or_else(|| panic!("no figures: {faults}"));
    assert!(requests >= LEAST, "only {requests} requests: {faults}");
    println!("{requests} requests");
    // A panic that became an answer would be in the log.
    assert!(!server.log().contains("panicked"), "{faults}");
}

/// `2176 generated, 2176 passed`.
fn requests(report: &str) -> Option<u32> {
    let (before, _) = report.split_once(" generated, ")?;
    before.rsplit(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}
