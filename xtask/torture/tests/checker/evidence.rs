//! The evidence of a small run in which all is well, as the files that a run writes.

use std::{collections::BTreeMap, fs};

use xtask_torture::{
    check::{Kind, check},
    evidence::Evidence,
};

/// When everything happened, in milliseconds since 1970; the entries tell the same moment.
const AT: u64 = 1_795_557_859_015;
const TIMESTAMP: &str = "2026-11-24T22:04:19.015Z";

/// Files by their names, each a list of lines.
#[derive(Debug, Clone)]
pub(crate) struct Files(BTreeMap<&'static str, Vec<String>>);

/// A message without its `type`, as events and answers carry it.
pub(crate) fn message(seq: u64, sender: u64, content: &str) -> String {
    format!(
        r#"{{"id":{},"group_id":1,"sender_id":{sender},"sender_name":"User","encrypted_content":"{content}","timestamp":"{TIMESTAMP}","seq":{seq},"client_message_id":"{content}","key_epoch":null}}"#,
        100 + seq
    )
}

/// A change of members without its `type`.
fn change(seq: u64, user: u64, what: &str) -> String {
    format!(
        r#"{{"group_id":1,"seq":{seq},"user_id":{user},{what},"actor_id":1000000,"timestamp":"{TIMESTAMP}"}}"#
    )
}

fn added(seq: u64, user: u64) -> String {
    change(seq, user, r#""role":"member""#)
}

fn removed(seq: u64, user: u64) -> String {
    change(seq, user, r#""reason":"removed""#)
}

/// As the log has it.
pub(crate) fn typed(entry: &str, name: &str) -> String {
    format!(r#"{},"type":"{name}"}}"#, entry.strip_suffix('}').unwrap())
}

pub(crate) fn event(session: u64, name: &str, payload: &str) -> String {
    format!(r#"{{"event":{{"at":{AT},"session":{session},"name":"{name}","payload":{payload}}}}}"#)
}

pub(crate) fn live(session: u64, seq: u64, sender: u64, content: &str) -> String {
    event(session, "new_message", &message(seq, sender, content))
}

fn request(session: u64, id: u64, request: &str) -> String {
    format!(r#"{{"request":{{"at":{AT},"session":{session},"id":{id},"request":{request}}}}}"#)
}

pub(crate) fn send(session: u64, id: u64, content: &str) -> String {
    let message =
        format!(r#"{{"send":{{"group":1,"content":"{content}","client_message_id":"{content}"}}}}"#);
    request(session, id, &message)
}

pub(crate) fn join(session: u64, id: u64, after: &str) -> String {
    let join = format!(r#"{{"join":{{"group":1,"after_seq":{after},"log_id":null,"limit":100}}}}"#);
    request(session, id, &join)
}

pub(crate) fn answer(session: u64, id: u64, body: &str) -> String {
    format!(r#"{{"answer":{{"at":{AT},"session":{session},"id":{id},"body":{body}}}}}"#)
}

pub(crate) fn sent(session: u64, id: u64, message: &str) -> String {
    answer(
        session,
        id,
        &format!(r#"{{"success":true,"message":{message},"duplicate":false}}"#),
    )
}

pub(crate) fn joined(session: u64, id: u64, head: u64, recovered: bool, entries: &[String]) -> String {
    let entries = entries.join(",");
    let body = format!(
        r#"{{"success":true,"group_id":1,"head_seq":{head},"log_id":"l","recovered":{recovered},"entries":[{entries}],"has_more":false}}"#
    );
    answer(session, id, &body)
}

fn connected(session: u64) -> String {
    format!(r#"{{"connected":{{"at":{AT},"session":{session}}}}}"#)
}

/// A call of the admin: additions came before everything else, removals after it.
fn asked(number: u64, what: &str, user: u64) -> [String; 2] {
    let (at, status) = if what == "add" {
        (AT - 1000, 200)
    } else {
        (AT + 1000, 204)
    };
    [
        format!(r#"{{"asked":{{"at":{at},"number":{number},"change":"{what}","group":1,"user":{user}}}}}"#),
        format!(r#"{{"answered":{{"at":{at},"number":{number},"status":{status}}}}}"#),
    ]
}

impl Files {
    /// Users 1 and 2 join; 1 sends `a` and `b`, 2 sends `c`; then 2 is removed, and 1 sends `d`.
    pub(crate) fn of_a_good_run() -> Self {
        let founding = [added(1, 1), added(2, 2)].map(|entry| typed(&entry, "member_added"));
        let messages = [(3, 1, "a"), (4, 1, "b"), (5, 2, "c"), (7, 1, "d")]
            .map(|(seq, sender, content)| typed(&message(seq, sender, content), "new_message"));
        let [a, b, c, d] = messages;
        let gone = removed(6, 2);
        let settled = format!(r#"{{"settled":{{"at":{AT}}}}}"#);
        let [first, second] = founding.clone();
        let mut files = BTreeMap::new();
        files.insert(
            "truth-1.jsonl",
            vec![first, second, a, b, c, typed(&gone, "member_removed"), d],
        );
        files.insert(
            "client-1.jsonl",
            vec![
                connected(1),
                join(1, 0, "0"),
                joined(1, 0, 2, true, &founding),
                send(1, 1, "a"),
                send(1, 2, "b"),
                live(1, 3, 1, "a"),
                sent(1, 1, &message(3, 1, "a")),
                live(1, 4, 1, "b"),
                sent(1, 2, &message(4, 1, "b")),
                live(1, 5, 2, "c"),
                event(1, "member_removed", &gone),
                send(1, 3, "d"),
                live(1, 7, 1, "d"),
                sent(1, 3, &message(7, 1, "d")),
                settled.clone(),
            ],
        );
        files.insert(
            "client-2.jsonl",
            vec![
                connected(1),
                join(1, 0, "0"),
                joined(1, 0, 2, true, &founding),
                live(1, 3, 1, "a"),
                live(1, 4, 1, "b"),
                send(1, 1, "c"),
                live(1, 5, 2, "c"),
                sent(1, 1, &message(5, 2, "c")),
                event(1, "member_removed", &gone),
                event(1, "removed_from_group", r#"{"group_id":1,"reason":"removed"}"#),
                settled,
            ],
        );
        let calls = [asked(1, "add", 1), asked(2, "add", 2), asked(3, "remove", 2)];
        files.insert("members.jsonl", calls.concat());
        files.insert(
            "faults.jsonl",
            vec![format!(r#"{{"ready":{{"at":{AT},"took_ms":9}}}}"#)],
        );
        files.insert("server.log", Vec::new());
        Self(files)
    }

    pub(crate) fn lines(&mut self, file: &str) -> &mut Vec<String> {
        self.0.get_mut(file).unwrap()
    }

    /// The line that contains this; exactly one does.
    pub(crate) fn find(&mut self, file: &str, text: &str) -> usize {
        let lines = self.lines(file);
        let mut found = (0..lines.len()).filter(|index| lines[*index].contains(text));
        let line = found.next().unwrap_or_else(|| panic!("{file} has no {text}"));
        assert_eq!(found.next(), None, "{file} has several {text}");
        line
    }

    /// Writes the files, reads them back as a run does, and checks them: the kinds of what is wrong, each once.
    pub(crate) fn violations(&self) -> Vec<Kind> {
        let folder = tempfile::tempdir().unwrap();
        for (name, lines) in &self.0 {
            let mut text = lines.join("\n");
            text.push('\n');
            fs::write(folder.path().join(name), text).unwrap();
        }
        let evidence = Evidence::read(folder.path()).unwrap();
        let mut kinds: Vec<Kind> = check(&evidence)
            .into_iter()
            .map(|violation| violation.kind)
            .collect();
        kinds.dedup();
        kinds
    }
}
