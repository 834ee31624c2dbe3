//! What stops a start, and what a server says of itself.

use super::*;

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
