//! Somebody else who holds what the server needs of its database.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use tokio_postgres::Client;

use crate::world::World;

/// Reads statements, a line each, and says `ok` after each, on one connection without transactions of its own.
const SHELL: &str = "
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=10)
for line in sys.stdin:
    rows = connection.execute(line).fetchall()
    print(rows[0][0] if rows else 'ok', flush=True)
";

/// Another process with the server's SQLite file open.
pub(crate) struct Sqlite {
    process: Child,
    statements: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Sqlite {
    pub(crate) fn open(world: &World) -> Self {
        let file = world.server.data_dir.path().join("sealroom.db");
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
    pub(crate) fn execute(&mut self, statement: &str) -> String {
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

/// Somebody who can hold a database so that nothing can be written in it.
pub(crate) enum Hold {
    Sqlite(Sqlite),
    Postgres(Client),
}

impl Hold {
    /// Nothing is held yet.
    pub(crate) async fn open(world: &World) -> Self {
        match world.server.database() {
            Some(database) => Self::Postgres(database.client().await),
            None => Self::Sqlite(Sqlite::open(world)),
        }
    }

    /// Opened and held.
    pub(crate) async fn begin(world: &World) -> Self {
        let mut hold = Self::open(world).await;
        hold.take().await;
        hold
    }

    /// From now on nothing is written, or on PostgreSQL nothing of one table written or read.
    pub(crate) async fn take_table(&mut self, table: &str) {
        match self {
            Self::Sqlite(_) => self.take().await,
            Self::Postgres(other) => {
                let lock = format!("BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE");
                other.batch_execute(&lock).await.unwrap();
            }
        }
    }

    /// From now on nothing is written, and on PostgreSQL nothing of groups and entries read.
    pub(crate) async fn take(&mut self) {
        match self {
            Self::Sqlite(other) => drop(other.execute("BEGIN IMMEDIATE")),
            Self::Postgres(other) => {
                let lock = "BEGIN; LOCK TABLE groups, entries IN ACCESS EXCLUSIVE MODE";
                other.batch_execute(lock).await.unwrap();
            }
        }
    }

    /// What waited goes on.
    pub(crate) async fn release(&mut self) {
        match self {
            Self::Sqlite(other) => drop(other.execute("ROLLBACK")),
            Self::Postgres(other) => other.batch_execute("ROLLBACK").await.unwrap(),
        }
    }

    pub(crate) async fn end(mut self) {
        self.release().await;
    }
}
