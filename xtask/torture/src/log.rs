//! The logs that everybody keeps: files that are only appended to, one JSON record a line.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, BufWriter, Write as _},
    path::Path,
};

use anyhow::Context as _;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json, value::RawValue};

/// A log that is being written.
#[derive(Debug)]
pub struct Log {
    file: BufWriter<File>,
}

impl Log {
    /// Begins a log.
    pub fn create(path: &Path) -> anyhow::Result<Self> {
        let file = File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self {
            file: BufWriter::new(file),
        })
    }

    /// Appends a record.
    pub fn append(&mut self, line: &impl Serialize) -> anyhow::Result<()> {
        serde_json::to_writer(&mut self.file, line).context("cannot write to a log")?;
        self.file.write_all(b"\n").context("cannot write to a log")
    }

    /// Hands what was appended to the operating system.
    pub fn flush(&mut self) -> anyhow::Result<()> {
        self.file.flush().context("cannot write to a log")
    }
}

/// Hands each record of a log to `take`.
pub fn read<T: DeserializeOwned>(path: &Path, mut take: impl FnMut(T)) -> anyhow::Result<()> {
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    for (number, line) in BufReader::new(file).lines().enumerate() {
        let place = || format!("line {} of {}", number + 1, path.display());
        let line = line.with_context(place)?;
        take(serde_json::from_str(&line).with_context(place)?);
    }
    Ok(())
}

/// What a client has done and seen. `at` is in milliseconds since 1970, and a session is one connection.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientLine {
    /// The server has taken it in.
    Connected {
        /// When.
        at: u64,
        /// Which connection.
        session: u64,
    },
    /// `CONNECT_ERROR`.
    Refused {
        /// When.
        at: u64,
        /// What the server said.
        message: String,
    },
    /// The connection is over.
    Ended {
        /// When.
        at: u64,
        /// Which connection.
        session: u64,
        /// How it came.
        reason: String,
    },
    /// Written before the request is sent.
    Request {
        /// When.
        at: u64,
        /// On which connection.
        session: u64,
        /// The id of its answer.
        id: u64,
        /// What was asked.
        request: Request,
    },
    /// An answer, as it was received.
    Answer {
        /// When.
        at: u64,
        /// On which connection.
        session: u64,
        /// The id of the request.
        id: u64,
        /// The ack's only argument.
        body: Box<RawValue>,
    },
    /// An event, as it was received.
    Event {
        /// When.
        at: u64,
        /// On which connection.
        session: u64,
        /// The event's name.
        name: String,
        /// The event's only argument.
        payload: Box<RawValue>,
    },
    /// Everything that has a `client_message_id` has an answer, and every group is recovered.
    Settled {
        /// When.
        at: u64,
    },
}

/// What a client asks over its socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// `send_message`
    Send {
        /// To which group.
        group: u64,
        /// The content, which no other message has.
        content: String,
        /// With it a retry is harmless.
        client_message_id: Option<String>,
    },
    /// `join_group`
    Join {
        /// Which group.
        group: u64,
        /// What it has already.
        after_seq: Option<u64>,
        /// Of which log.
        log_id: Option<String>,
        /// The most entries of the answer.
        limit: u64,
    },
    /// `leave_group`
    Leave {
        /// Which group.
        group: u64,
    },
    /// `get_entries`
    Page {
        /// Of which group.
        group: u64,
        /// After which entry.
        after_seq: u64,
        /// The most entries.
        limit: u64,
    },
}

impl Request {
    /// The group that it is about.
    pub fn group(&self) -> u64 {
        match self {
            Self::Send { group, .. }
            | Self::Join { group, .. }
            | Self::Leave { group }
            | Self::Page { group, .. } => *group,
        }
    }

    /// The event and its payload.
    pub fn event(&self) -> (&'static str, Value) {
        match self {
            Self::Send {
                group,
                content,
                client_message_id,
            } => (
                "send_message",
                json!({"group_id": group, "encrypted_content": content, "client_message_id": client_message_id}),
            ),
            Self::Join {
                group,
                after_seq,
                log_id,
                limit,
            } => (
                "join_group",
                json!({"group_id": group, "after_seq": after_seq, "log_id": log_id, "limit": limit}),
            ),
            Self::Leave { group } => ("leave_group", json!({"group_id": group})),
            Self::Page {
                group,
                after_seq,
                limit,
            } => (
                "get_entries",
                json!({"group_id": group, "after_seq": after_seq, "limit": limit}),
            ),
        }
    }
}

/// What was done to the members of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// PUT
    Add,
    /// DELETE
    Remove,
}

/// A call that changes the members of a group. `number` tells which call.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemberLine {
    /// Written before the call.
    Asked {
        /// When.
        at: u64,
        /// Which call.
        number: u64,
        /// What.
        change: Change,
        /// In which group.
        group: u64,
        /// Who.
        user: u64,
    },
    /// The server has answered.
    Answered {
        /// When.
        at: u64,
        /// Which call.
        number: u64,
        /// The HTTP status.
        status: u16,
    },
    /// No answer came.
    Lost {
        /// When.
        at: u64,
        /// Which call.
        number: u64,
        /// Why.
        error: String,
    },
}

/// What was done to the server and its database, and what became of them.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultLine {
    /// A fault begins.
    Fault {
        /// When.
        at: u64,
        /// What was done.
        fault: Fault,
    },
    /// The server is ready again.
    Ready {
        /// When.
        at: u64,
        /// How long its start took.
        took_ms: u64,
    },
    /// Something went wrong that no fault explains.
    Wrong {
        /// When.
        at: u64,
        /// What.
        what: String,
    },
}

/// A fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// SIGKILL to the server.
    Kill,
    /// SIGTERM to the server.
    Drain,
    /// The database is shut down as by a crash, and started again.
    DatabaseRestart,
    /// SIGSTOP to the database, for so long.
    DatabasePause {
        /// How long.
        ms: u64,
    },
    /// The server's connections to the database were ended.
    Backends {
        /// How many.
        count: u64,
    },
}
