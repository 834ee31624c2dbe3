//! Settings, command lines, and what is said of them.

use super::*;

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
        .env("SEALROOM_BUS_URL", "redis://127.0.0.1:1")
        .env("SEALROOM_CLUSTER_KEY", ""));
    assert_eq!(output.status.code(), Some(0));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(stderr.lines().count(), 2, "{stderr}");
    assert!(
        stderr.contains("SEALROOM_LIMT_PAGE") && stderr.contains("unknown"),
        "{stderr}"
    );
    assert!(stderr.contains("SEALROOM_BUS_URL") && stderr.contains("not supported by this version"));
    assert!(!stderr.contains('\u{1b}'), "{stderr}");
}

#[test]
fn tls_that_cannot_be_spoken_stops_every_subcommand_that_needs_it() {
    let directory = directory();
    for (variable, other) in [
        ("SEALROOM_TLS_CERT", "SEALROOM_TLS_KEY"),
        ("SEALROOM_TLS_KEY", "SEALROOM_TLS_CERT"),
    ] {
        for subcommand in ["serve", "check-config"] {
            let line = refused(program(directory.path()).arg(subcommand).env(variable, "x.pem"));
            assert!(line.contains(other) && line.contains("missing"), "{line}");
        }
    }
    let (text, nothing) = (
        directory.path().join("text.pem"),
        directory.path().join("nothing.pem"),
    );
    fs::write(&text, "no certificate").unwrap();
    for (file, expected) in [(&text, "holds no certificate"), (&nothing, "cannot be read")] {
        for subcommand in ["serve", "check-config"] {
            let mut program = program(directory.path());
            let command = program
                .arg(subcommand)
                .env("SEALROOM_TLS_CERT", file)
                .env("SEALROOM_TLS_KEY", &text);
            let line = refused(command);
            assert!(line.contains(expected), "{line}");
        }
    }
}
