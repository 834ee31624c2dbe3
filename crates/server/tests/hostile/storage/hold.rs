//! Somebody else who holds what the server needs of its database.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use tokio_postgres::Client;

use crate::target::Target;

/// Reads statements, a line each, and says `ok` after each, on one connection without transactions of its own.
const SHELL: &str = "
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=10)
for line in sys.stdin:
    rows = connection.execute(line).fetchall()
    print(rows[0][0] if rows else 'ok', flush=True)
";

/// Another process with the server's SQLite file open.
pub(super) struct Sqlite {
    process: Child,
    statements: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Sqlite {
    pub(super) fn open(target: &Target) -> Self {
        let file = target.world.server.data_dir.path().join("sealroom.db");
        let mut process = Command::new("python3")
            .args(["-c", SHELL])
            .arg(file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("this test needs python3 with sqlite3: {error}"));
        let (statements, answers) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        Self {
            process,
            statements,
            answers: BufReader::new(answers),
        }
    }

    /// Executes a statement; gives the first column of its first row, or `ok`.
    pub(super) fn execute(&mut self, statement: &str) -> String {
        writeln!(self.statements, "{statement}").unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        assert!(!answer.is_empty(), "{statement} failed");
        answer.trim_end().to_owned()
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A database in which nothing can be written, as long as this is held.
pub(super) enum Hold {
    Sqlite(Sqlite),
    Postgres(Client),
}

impl Hold {
    pub(super) async fn begin(target: &Target) -> Self {
        let Some(database) = target.world.server.database() else {
            let mut other = Sqlite::open(target);
            other.execute("BEGIN IMMEDIATE");
            return Self::Sqlite(other);
        };
        let other = database.client().await;
        other
            .batch_execute("BEGIN; LOCK TABLE groups, entries IN ACCESS EXCLUSIVE MODE")
            .await
            .unwrap();
        Self::Postgres(other)
    }

    pub(super) async fn end(self) {
        match self {
            Self::Sqlite(mut other) => drop(other.execute("ROLLBACK")),
            Self::Postgres(other) => other.batch_execute("ROLLBACK").await.unwrap(),
        }
    }
}
