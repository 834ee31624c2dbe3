//! Settings that are right by themselves and do not fit together, and those that only an embedder can make.

use std::{fs, process::Command, time::Duration};

use sealroom_server::settings::Settings;
use tempfile::TempDir;

#[test]
fn settings_that_do_not_fit_together_stop_every_subcommand() {
    let accounts = ("SEALROOM_ACCOUNTS", "on");
    for (settings, named, says) in [
        (
            [
                accounts,
                ("SEALROOM_JWKS_URL", "https://hidden.example/jwks.json"),
            ],
            "SEALROOM_ACCOUNTS",
            "only one of them",
        ),
        (
            [accounts, ("SEALROOM_JWT_PUBLIC_KEY_FILE", "hidden.pem")],
            "SEALROOM_ACCOUNTS",
            "only one of them",
        ),
        (
            [accounts, ("SEALROOM_WEBHOOK_URL", "https://hidden.example/hook")],
            "SEALROOM_WEBHOOK_SECRET",
            "webhooks are signed",
        ),
        (
            [
                ("SEALROOM_LIMIT_CONTENT_BYTES", "1000000"),
                ("SEALROOM_LIMIT_FRAME_BYTES", "1000000"),
            ],
            "SEALROOM_LIMIT_FRAME_BYTES",
            "too small for SEALROOM_LIMIT_CONTENT_BYTES of 1000000",
        ),
    ] {
        for subcommand in [
            &["serve"][..],
            &["check-config"],
            &["migrate"],
            &["token", "--user-id", "1"],
        ] {
            let directory = TempDir::new().unwrap();
            let output = Command::new(env!("CARGO_BIN_EXE_sealroom-server"))
                .current_dir(directory.path())
                .args(subcommand)
                .args(["--listen", "127.0.0.1:0", "--metrics-listen", "off"])
                .envs(settings)
                .output()
                .unwrap();
            let stderr = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(2), "{settings:?}: {stderr}");
            assert_eq!(stderr.lines().count(), 1, "{stderr}");
            assert!(
                stderr.starts_with("error: ") && stderr.contains(named) && stderr.contains(says),
                "{stderr}"
            );
            assert!(!stderr.contains("hidden"), "{stderr}");
            assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
        }
    }
}

/// The command line reads no such value; an embedder writes the fields.
#[test]
fn settings_of_an_embedder_are_checked_as_well() {
    type Wrong = (fn(&mut Settings), &'static str);
    let cases: [Wrong; 5] = [
        (|s| s.limits.page_entries = 0, "SEALROOM_LIMIT_PAGE"),
        (
            |s| s.limits.unacked_sends = Some(0),
            "SEALROOM_LIMIT_UNACKED_SENDS",
        ),
        (|s| s.limit_connections = Some(0), "SEALROOM_LIMIT_CONNECTIONS"),
        (
            |s| s.limit_write_stall = Some(Duration::ZERO),
            "SEALROOM_LIMIT_WRITE_STALL",
        ),
        (
            |s| s.claims.user_claim = "exp".to_owned(),
            "SEALROOM_JWT_USER_CLAIM",
        ),
    ];
    assert!(Settings::default().validate().is_ok());
    for (change, named) in cases {
        let mut settings = Settings::default();
        change(&mut settings);
        let error = settings.validate().unwrap_err().to_string();
        assert!(error.contains(named), "{error}");
    }
}
