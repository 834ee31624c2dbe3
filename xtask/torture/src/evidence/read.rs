//! Reading the evidence back from the files of a run.

use std::{
    collections::{BTreeMap, HashSet},
    fs,
    path::Path,
    sync::Arc,
};

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Answer, Body, Entry, Evidence, MemberCall, Record, Stored, What, files};
use crate::log::{self, Change, ClientLine, FaultLine, MemberLine};

/// The events that are entries of a log.
const ENTRIES: [&str; 3] = ["new_message", "member_added", "member_removed"];

impl Evidence {
    /// Reads all files of a folder.
    pub fn read(folder: &Path) -> anyhow::Result<Self> {
        let mut evidence = Self::default();
        let mut texts = Texts::default();
        for file in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
            let path = file?.path();
            if let Some(group) = files::number(&path, "truth") {
                let log = evidence.truth.entry(group).or_default();
                log::read(&path, |entry: Box<RawValue>| log.push(stored(&entry, &mut texts)))?;
            }
            if let Some(user) = files::number(&path, "client") {
                let records = evidence.clients.entry(user).or_default();
                log::read(&path, |line| records.push(record(line, &mut texts)))?;
            }
        }
        evidence.members = members(&folder.join(files::MEMBERS))?;
        log::read(&folder.join(files::FAULTS), |line| match line {
            FaultLine::Fault { fault, .. } => evidence.faults.push(fault),
            FaultLine::Ready { took_ms, .. } => evidence.starts.push(took_ms),
            FaultLine::Wrong { what, .. } => evidence.wrong.push(what),
        })?;
        let server = fs::read(folder.join(files::SERVER_LOG)).context("cannot read the server's log")?;
        evidence.panics = panics(&String::from_utf8_lossy(&server));
        Ok(evidence)
    }
}

/// Each text once: an entry is received by many.
#[derive(Debug, Default)]
struct Texts(HashSet<Arc<str>>);

impl Texts {
    fn one(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.0.get(text) {
            return Arc::clone(known);
        }
        let text: Arc<str> = text.into();
        self.0.insert(Arc::clone(&text));
        text
    }
}

/// Where an entry says it is.
#[derive(Deserialize)]
struct Place {
    group_id: u64,
    seq: u64,
}

#[derive(Deserialize)]
struct StoredKeys {
    seq: u64,
    timestamp: jiff::Timestamp,
    r#type: String,
    sender_id: Option<u64>,
    encrypted_content: Option<String>,
    client_message_id: Option<String>,
    user_id: Option<u64>,
}

#[derive(Deserialize)]
struct AnswerKeys {
    success: bool,
    code: Option<String>,
    message: Option<Box<RawValue>>,
    duplicate: Option<bool>,
    head_seq: Option<u64>,
    recovered: Option<bool>,
    entries: Option<Vec<Box<RawValue>>>,
    has_more: Option<bool>,
    group_id: Option<u64>,
}

fn stored(raw: &RawValue, texts: &mut Texts) -> Stored {
    let text = texts.one(raw.get());
    let Ok(keys) = serde_json::from_str::<StoredKeys>(raw.get()) else {
        return Stored {
            seq: 0,
            text,
            at: 0,
            body: Body::Other,
        };
    };
    let member = |change| keys.user_id.map(|user| Body::Member { change, user });
    let body = match (keys.r#type.as_str(), keys.sender_id, keys.encrypted_content) {
        ("new_message", Some(sender), Some(content)) => Some(Body::Message {
            sender,
            content,
            client_message_id: keys.client_message_id,
        }),
        ("member_added", ..) => member(Change::Add),
        ("member_removed", ..) => member(Change::Remove),
        _ => None,
    };
    Stored {
        seq: keys.seq,
        text,
        at: u64::try_from(keys.timestamp.as_millisecond()).unwrap_or_default(),
        body: body.unwrap_or(Body::Other),
    }
}

/// An entry of a page, which carries its `type` already.
fn entry(raw: &RawValue, texts: &mut Texts) -> Option<Entry> {
    placed(raw.get(), texts)
}

/// An event or an acknowledged message is the same object without the `type`.
fn typed_entry(raw: &RawValue, name: &str, texts: &mut Texts) -> Option<Entry> {
    let open = raw.get().strip_suffix('}')?;
    placed(&format!("{open},\"type\":\"{name}\"}}"), texts)
}

fn placed(text: &str, texts: &mut Texts) -> Option<Entry> {
    let place: Place = serde_json::from_str(text).ok()?;
    Some(Entry {
        group: place.group_id,
        seq: place.seq,
        text: texts.one(text),
    })
}

fn answer(raw: &RawValue, texts: &mut Texts) -> Answer {
    known_answer(raw, texts).unwrap_or_else(|| Answer::Malformed(raw.get().to_owned()))
}

fn known_answer(raw: &RawValue, texts: &mut Texts) -> Option<Answer> {
    let keys: AnswerKeys = serde_json::from_str(raw.get()).ok()?;
    if !keys.success {
        return keys.code.map(Answer::Refused);
    }
    if let Some(message) = keys.message {
        return Some(Answer::Sent {
            message: typed_entry(&message, "new_message", texts)?,
            duplicate: keys.duplicate?,
        });
    }
    let Some(entries) = keys.entries else {
        return keys.group_id.map(|_| Answer::Left);
    };
    let entries: Option<Vec<_>> = entries.iter().map(|raw| entry(raw, texts)).collect();
    let (head, entries, has_more) = (keys.head_seq?, entries?, keys.has_more?);
    Some(match keys.recovered {
        Some(recovered) => Answer::Joined {
            head,
            recovered,
            entries,
            has_more,
        },
        None => Answer::Page {
            head,
            entries,
            has_more,
        },
    })
}

fn event(name: &str, payload: &RawValue, texts: &mut Texts) -> What {
    let known = match name {
        "server_draining" => Some(What::Draining),
        "removed_from_group" => removed_from(payload).map(What::Removed),
        name if ENTRIES.contains(&name) => typed_entry(payload, name, texts).map(What::Live),
        _ => None,
    };
    known.unwrap_or_else(|| What::Unexpected(format!("{name} {payload}")))
}

fn removed_from(payload: &RawValue) -> Option<u64> {
    #[derive(Deserialize)]
    struct Keys {
        group_id: u64,
    }
    let keys: Keys = serde_json::from_str(payload.get()).ok()?;
    Some(keys.group_id)
}

fn record(line: ClientLine, texts: &mut Texts) -> Record {
    let (at, session, what) = match line {
        ClientLine::Connected { at, session } => (at, session, What::Connected),
        ClientLine::Refused { at, message } => (at, 0, What::Refused(message)),
        ClientLine::Ended { at, session, .. } => (at, session, What::Ended),
        ClientLine::Request {
            at,
            session,
            id,
            request,
        } => (at, session, What::Request(id, request)),
        ClientLine::Answer {
            at,
            session,
            id,
            body,
        } => (at, session, What::Answer(id, answer(&body, texts))),
        ClientLine::Event {
            at,
            session,
            name,
            payload,
        } => (at, session, event(&name, &payload, texts)),
        ClientLine::Settled { at } => (at, 0, What::Settled),
    };
    Record { at, session, what }
}

fn members(path: &Path) -> anyhow::Result<Vec<MemberCall>> {
    let mut calls = BTreeMap::new();
    log::read(path, |line| match line {
        MemberLine::Asked {
            at,
            number,
            change,
            group,
            user,
        } => {
            let call = MemberCall {
                asked: at,
                change,
                group,
                user,
                answered: None,
            };
            calls.insert(number, call);
        }
        MemberLine::Answered { at, number, status } => {
            if let Some(call) = calls.get_mut(&number) {
                call.answered = Some((at, status));
            }
        }
        MemberLine::Lost { .. } => {}
    })?;
    Ok(calls.into_values().collect())
}

/// The lines that tell a panic, in the words of the server or of the standard library.
fn panics(log: &str) -> Vec<String> {
    let is_panic = |line: &&str| line.contains("panicked");
    log.lines().filter(is_panic).map(str::to_owned).collect()
}
