//! `sealroom-server copy`: everything arrives, a kill in the middle costs nothing, and what would mix two deployments is
//! refused.

#![cfg(all(feature = "postgres", feature = "sqlite"))]
#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

use std::{
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use sealroom_domain::{
    ClientMessageId, DisplayName, EncryptedContent, GroupId, GroupName, Role, Seq, Timestamp, UserId,
    Username,
    ports::{
        Appended, Cursor, GroupLog, Groups, Guard, Member, MemberLimits, Memberships, NewBody, NewEntry,
        NewGroup, PageLimit, Users,
    },
};
use sealroom_persistence::{PostgresOptions, PostgresStore, PostgresUrl, SqliteOptions, SqliteStore};
use tempfile::TempDir;
use tokio::time::sleep;
use xtask_postgres::TestDatabase;

fn copy(from: &Path, to: &TestDatabase) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sealroom-server"));
    command
        .env_clear()
        // Where `cargo xtask coverage` runs this, the program writes what it executed there.
        .envs(std::env::var_os("LLVM_PROFILE_FILE").map(|file| ("LLVM_PROFILE_FILE", file)))
        .current_dir(from)
        .arg("copy")
        .arg(format!("--from=sqlite://{}", from.join("sealroom.db").display()))
        .arg(format!("--to={}", to.url()))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn text(output: &Output) -> String {
    let text = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8(text).unwrap()
}

fn user(id: i64) -> UserId {
    UserId::new(id).unwrap()
}

async fn sqlite(directory: &TempDir) -> SqliteStore {
    let file = directory.path().join("sealroom.db");
    SqliteStore::open(SqliteOptions::new(file)).await.unwrap()
}

async fn postgres(database: &TestDatabase) -> PostgresStore {
    let url = PostgresUrl::parse(database.url()).unwrap();
    PostgresStore::open(PostgresOptions::new(url)).await.unwrap()
}

fn message(group_id: GroupId, id: usize) -> NewEntry {
    NewEntry {
        group_id,
        actor_id: user(1),
        at: Timestamp::from_secs(1_700_000_000),
        body: NewBody::Message {
            sender_name: DisplayName::new("Nguyễn Văn A").unwrap(),
            content: EncryptedContent::new(format!("\u{1}\"\\ấ {id}"), 100).unwrap(),
            client_message_id: ClientMessageId::new(format!("m-{id}")).ok(),
            key_epoch: None,
        },
        guard: Guard::Kept {
            actor_role: Some(Role::Member),
            keeps_owner: false,
        },
    }
}

/// A deployment with some groups, as many messages in all, a user with names, and a change of members.
async fn deployment(messages: usize) -> TempDir {
    const GROUPS: usize = 40;
    let directory = TempDir::new().unwrap();
    let store = sqlite(&directory).await;
    let mut groups = Vec::new();
    for _ in 0..GROUPS {
        let founders = [(1, Role::Owner), (2, Role::Member)].map(|(id, role)| Member {
            user_id: user(id),
            role,
        });
        let new = NewGroup {
            name: GroupName::new("Nhóm").unwrap(),
            founders: founders.into(),
            actor_id: user(1),
            at: Timestamp::from_secs(1_700_000_000),
            keeps_membership: true,
            limits: MemberLimits::default(),
        };
        groups.push(store.create(new).await.unwrap().unwrap().0);
    }
    let (name, username) = (DisplayName::new("A").unwrap(), Username::new("a").unwrap());
    store.upsert(user(1), &name, Some(&username)).await.unwrap();
    for batch in (0..messages).collect::<Vec<_>>().chunks(5000) {
        let entries = batch
            .iter()
            .map(|id| message(*groups.get(id % GROUPS).unwrap(), *id));
        store.append(entries.collect()).await.unwrap();
    }
    store.close().await.unwrap();
    directory
}

/// Every port of the target answers as the source does, and the target goes on where the source ended.
async fn check_alike(directory: &TempDir, database: &TestDatabase) {
    let (source, target) = (sqlite(directory).await, postgres(database).await);
    assert_eq!(source.log_id().await.unwrap(), target.log_id().await.unwrap());
    assert_eq!(
        source.profiles(&[user(1), user(2)]).await.unwrap(),
        target.profiles(&[user(1), user(2)]).await.unwrap()
    );
    let groups = source.groups_of(user(2)).await.unwrap();
    assert_eq!(target.groups_of(user(2)).await.unwrap(), groups);
    let limit = PageLimit {
        entries: 100_000,
        bytes: usize::MAX,
    };
    let mut greatest = None;
    for (group_id, _) in &groups {
        let page = source
            .read(*group_id, Cursor::After(Seq::ZERO), limit)
            .await
            .unwrap()
            .unwrap();
        assert!(
            target
                .read(*group_id, Cursor::After(Seq::ZERO), limit)
                .await
                .unwrap()
                .unwrap()
                == page
        );
        let ids = page
            .entries
            .iter()
            .filter_map(|entry| entry.message())
            .map(|message| message.id);
        greatest = greatest.max(ids.max());
    }
    // A retry is known, a new message gets a new id, a new group too.
    let (first, _) = *groups.first().unwrap();
    let repeated = target.append(vec![message(first, 0)]).await.unwrap();
    assert!(matches!(repeated.as_slice(), [Ok(Appended::Duplicate(_))]));
    let appended = target.append(vec![message(first, usize::MAX)]).await.unwrap();
    let [Ok(Appended::New(entry))] = appended.as_slice() else {
        unreachable!("{appended:?}")
    };
    assert!(entry.message().map(|message| message.id) > greatest);
    source.close().await.unwrap();
    target.close().await.unwrap();
}

#[tokio::test]
async fn everything_arrives_and_is_compared() {
    let directory = deployment(2000).await;
    let database = TestDatabase::create().await;
    for _ in 0..2 {
        // The second time there is nothing to do but to compare.
        let output = copy(directory.path(), &database).output().unwrap();
        let text = text(&output);
        assert!(output.status.success(), "{text}");
        assert!(
            text.contains("copied and verified: 2 users, 40 groups, 80 memberships, 0 read marks, 0 accounts, 0 logins, 0 refresh tokens, 2080 entries"),
            "{text}"
        );
    }
    check_alike(&directory, &database).await;
    // The target has gone on since: it is no copy any more.
    let output = copy(directory.path(), &database).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output).contains("the numbers of rows differ"),
        "{}",
        text(&output)
    );
}

/// Ends it as a crash would, once it has copied something.
async fn kill_in_the_middle(mut copy: Child, database: &TestDatabase) {
    let client = database.client().await;
    let begin = Instant::now();
    loop {
        assert!(begin.elapsed() < Duration::from_secs(20), "nothing is copied");
        let rows = client.query_one("SELECT count(*) FROM entries", &[]).await;
        if rows.is_ok_and(|row| row.get::<_, i64>(0) > 0) {
            break;
        }
        sleep(Duration::from_millis(1)).await;
    }
    copy.kill().unwrap();
    copy.wait().unwrap();
}

#[tokio::test]
async fn a_kill_in_the_middle_costs_nothing() {
    let directory = deployment(60_000).await;
    let database = TestDatabase::create().await;
    kill_in_the_middle(copy(directory.path(), &database).spawn().unwrap(), &database).await;
    let client = database.client().await;
    let count = "SELECT count(*) FROM entries";
    let copied: i64 = client.query_one(count, &[]).await.unwrap().get(0);
    assert!(
        (1..60_080).contains(&copied),
        "{copied} entries were copied before the kill"
    );

    // No server opens what is not whole.
    let url = PostgresUrl::parse(database.url()).unwrap();
    let error = PostgresStore::open(PostgresOptions::new(url)).await.unwrap_err();
    assert!(error.to_string().contains("run copy again"), "{error}");

    let output = copy(directory.path(), &database).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    check_alike(&directory, &database).await;
}

#[tokio::test]
async fn two_deployments_are_not_mixed() {
    let (one, other) = (deployment(10).await, deployment(10).await);
    let database = TestDatabase::create().await;
    assert!(copy(one.path(), &database).status().unwrap().success());
    let output = copy(other.path(), &database).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output).contains("the target holds another log"),
        "{}",
        text(&output)
    );
    // A server that was started on the target once, and not used, is no deployment.
    let fresh = TestDatabase::create().await;
    postgres(&fresh).await.close().await.unwrap();
    assert!(copy(other.path(), &fresh).status().unwrap().success());
}

#[tokio::test]
async fn what_changed_in_the_target_is_found() {
    let directory = deployment(100).await;
    let database = TestDatabase::create().await;
    assert!(copy(directory.path(), &database).status().unwrap().success());
    let client = database.client().await;
    let change = "UPDATE entries SET content = 'x' WHERE group_id = 3 AND seq = 4";
    assert_eq!(client.execute(change, &[]).await.unwrap(), 1);
    let output = copy(directory.path(), &database).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output).contains("the logs of group 3 differ"),
        "{}",
        text(&output)
    );
}

#[test]
fn what_cannot_be_copied_is_refused_in_one_line() {
    let directory = TempDir::new().unwrap();
    std::fs::write(directory.path().join("there.db"), "").unwrap();
    for (from, to, says) in [
        (
            "postgres://u:hidden@h/d",
            "postgres://u:hidden@h/d",
            "--from must be an SQLite file",
        ),
        (
            "sqlite://there.db",
            "sqlite://other.db",
            "--to must be a PostgreSQL database",
        ),
        (
            "sqlite://missing.db",
            "postgres://u:hidden@h/d",
            "there is no database at sqlite://missing.db",
        ),
        ("mysql://u:hidden@h/d", "postgres://u:hidden@h/d", "--from: "),
        ("sqlite://there.db", "postgres://u:hidden@h", "--to: "),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_sealroom-server"))
            .current_dir(directory.path())
            .arg("copy")
            .args(["--from", from, "--to", to])
            .output()
            .unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{from} to {to}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert!(stderr.starts_with("error: ") && stderr.contains(says), "{stderr}");
        assert!(!stderr.contains("hidden"), "{stderr}");
    }
}
