//! What is known after a run, as plain data: what the check looks at.

mod read;

use std::{collections::BTreeMap, sync::Arc};

use crate::log::{Change, Fault, Request};

/// Names of the files of the evidence.
pub mod files {
    use std::path::{Path, PathBuf};

    /// The changes of members.
    pub const MEMBERS: &str = "members.jsonl";
    /// The faults.
    pub const FAULTS: &str = "faults.jsonl";
    /// What the server printed to stderr.
    pub const SERVER_LOG: &str = "server.log";
    /// What the database logged; only for whoever looks for a cause.
    pub const DATABASE_LOG: &str = "postgres.log";

    /// What a client has done and seen.
    pub fn client(folder: &Path, user: u64) -> PathBuf {
        folder.join(format!("client-{user}.jsonl"))
    }

    /// The log of a group, as the server tells it at the end.
    pub fn truth(folder: &Path, group: u64) -> PathBuf {
        folder.join(format!("truth-{group}.jsonl"))
    }

    /// `client` and `client-7.jsonl` make 7.
    pub(super) fn number(path: &Path, kind: &str) -> Option<u64> {
        let name = path.file_name()?.to_str()?;
        let number = name.strip_prefix(kind)?.strip_prefix('-')?;
        number.strip_suffix(".jsonl")?.parse().ok()
    }
}

/// Everything that is known.
#[derive(Debug, Default)]
pub struct Evidence {
    /// By user.
    pub clients: BTreeMap<u64, Vec<Record>>,
    /// In the order in which they were asked.
    pub members: Vec<MemberCall>,
    /// The log of each group as it is at the end.
    pub truth: BTreeMap<u64, Vec<Stored>>,
    /// What was done to the server and the database.
    pub faults: Vec<Fault>,
    /// How long each start of the server took, in milliseconds.
    pub starts: Vec<u64>,
    /// What went wrong with the server that no fault explains.
    pub wrong: Vec<String>,
    /// Lines of the server's log that tell a panic.
    pub panics: Vec<String>,
}

/// One thing that a client has done or seen.
#[derive(Debug, Clone)]
pub struct Record {
    /// When, in milliseconds since 1970.
    pub at: u64,
    /// On which connection.
    pub session: u64,
    /// What.
    pub what: What,
}

/// What a client has done or seen.
#[derive(Debug, Clone)]
pub enum What {
    /// A connection begins.
    Connected,
    /// A connection was refused for good.
    Refused(String),
    /// The connection is over.
    Ended,
    /// It asks.
    Request(u64, Request),
    /// It is answered.
    Answer(u64, Answer),
    /// An entry comes live.
    Live(Entry),
    /// `removed_from_group`, of this group.
    Removed(u64),
    /// `server_draining`
    Draining,
    /// What no server should send.
    Unexpected(String),
    /// It has everything.
    Settled,
}

/// An answer.
#[derive(Debug, Clone)]
pub enum Answer {
    /// To a message.
    Sent {
        /// What was stored.
        message: Entry,
        /// Whether it was stored before.
        duplicate: bool,
    },
    /// To a join.
    Joined {
        /// The end of the log.
        head: u64,
        /// Whether `entries` continue what the client has.
        recovered: bool,
        /// What it missed.
        entries: Vec<Entry>,
        /// Whether there is more up to the head.
        has_more: bool,
    },
    /// To a page.
    Page {
        /// The end of the log.
        head: u64,
        /// The page.
        entries: Vec<Entry>,
        /// Whether there is more.
        has_more: bool,
    },
    /// To a leave.
    Left,
    /// No.
    Refused(String),
    /// No answer that the protocol knows.
    Malformed(String),
}

/// An entry as somebody received it.
#[derive(Debug, Clone)]
pub struct Entry {
    /// In which log.
    pub group: u64,
    /// Where.
    pub seq: u64,
    /// Its bytes, with its `type` at the end.
    pub text: Arc<str>,
}

/// An entry as the server has it at the end.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Where it says it is.
    pub seq: u64,
    /// Its bytes, with its `type` at the end.
    pub text: Arc<str>,
    /// When the server took it, in milliseconds since 1970.
    pub at: u64,
    /// What it says.
    pub body: Body,
}

/// What an entry says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// `new_message`
    Message {
        /// Who sent it.
        sender: u64,
        /// Its content.
        content: String,
        /// The sender's own id.
        client_message_id: Option<String>,
    },
    /// `member_added` or `member_removed`
    Member {
        /// Which of both.
        change: Change,
        /// Who.
        user: u64,
    },
    /// Nothing else happens in a run.
    Other,
}

/// A call that changes the members of a group.
#[derive(Debug, Clone)]
pub struct MemberCall {
    /// When it was asked.
    pub asked: u64,
    /// What.
    pub change: Change,
    /// In which group.
    pub group: u64,
    /// Who.
    pub user: u64,
    /// When it was answered, and the HTTP status.
    pub answered: Option<(u64, u16)>,
}
