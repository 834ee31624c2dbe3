//! The checker against evidence that was corrupted on purpose: each kind of fault is seen, and a run in which all is well
//! shows none.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test ends where it cannot go on"
)]

mod evidence;

use evidence::{Files, answer, event, join, joined, live, message, send, sent, typed};
use xtask_torture::check::Kind;

const TRUTH: &str = "truth-1.jsonl";
const ONE: &str = "client-1.jsonl";
const TWO: &str = "client-2.jsonl";

/// What is wrong after a change of the files of a good run.
fn after(corrupt: impl FnOnce(&mut Files)) -> Vec<Kind> {
    let mut files = Files::of_a_good_run();
    corrupt(&mut files);
    files.violations()
}

fn assert_sees(kind: Kind, corrupt: impl FnOnce(&mut Files)) {
    let kinds = after(corrupt);
    assert!(kinds.contains(&kind), "{kind:?} is not among {kinds:?}");
}

#[test]
fn a_good_run_shows_nothing() {
    assert_eq!(after(|_| {}), []);
}

#[test]
fn an_acknowledged_message_that_is_not_stored() {
    assert_sees(Kind::Lost, |files| {
        files.lines(TRUTH).pop();
    });
}

#[test]
fn a_message_that_is_stored_twice() {
    assert_sees(Kind::Doubled, |files| {
        let again = typed(&message(8, 1, "d"), "new_message");
        files.lines(TRUTH).push(again);
    });
}

#[test]
fn messages_of_a_sender_that_changed_places() {
    assert_sees(Kind::Swapped, |files| {
        let lines = files.lines(TRUTH);
        lines[2] = typed(&message(3, 1, "b"), "new_message");
        lines[3] = typed(&message(4, 1, "a"), "new_message");
    });
}

#[test]
fn an_answer_with_another_place() {
    assert_sees(Kind::FalseAck, |files| {
        let line = files.find(ONE, r#""id":3,"body""#);
        files.lines(ONE)[line] = sent(1, 3, &message(8, 1, "d"));
    });
}

#[test]
fn other_bytes_than_those_that_were_sent() {
    assert_sees(Kind::Altered, |files| {
        let line = files.find(ONE, r#""name":"new_message","payload":{"id":105"#);
        files.lines(ONE)[line] = live(1, 5, 2, "C");
    });
}

#[test]
fn a_log_with_a_gap() {
    assert_sees(Kind::LogGap, |files| {
        files.lines(TRUTH).remove(4);
    });
}

#[test]
fn a_stream_with_a_gap() {
    assert_sees(Kind::Gap, |files| {
        let line = files.find(ONE, r#""name":"new_message","payload":{"id":105"#);
        files.lines(ONE).remove(line);
    });
}

#[test]
fn a_live_event_that_comes_twice() {
    assert_sees(Kind::DoubleDelivery, |files| {
        let line = files.find(ONE, r#""name":"new_message","payload":{"id":105"#);
        files.lines(ONE).insert(line, live(1, 5, 2, "c"));
    });
}

#[test]
fn an_own_message_that_comes_twice() {
    assert_sees(Kind::DoubleDelivery, |files| {
        files.lines(ONE).insert(14, live(1, 7, 1, "d"));
    });
}

#[test]
fn a_message_after_a_removal() {
    assert_sees(Kind::Leaked, |files| {
        files.lines(TWO).insert(9, live(1, 7, 1, "d"));
    });
    assert_sees(Kind::Leaked, |files| {
        files.lines(TWO).insert(10, live(1, 7, 1, "d"));
    });
}

#[test]
fn a_join_after_a_removal() {
    assert_sees(Kind::Leaked, |files| {
        let lines = files.lines(TWO);
        lines.insert(10, join(1, 2, "null"));
        lines.insert(11, joined(1, 2, 7, false, &[]));
    });
}

#[test]
fn a_message_acknowledged_before_its_copy() {
    assert_sees(Kind::NoCopy, |files| {
        let line = files.find(ONE, r#""name":"new_message","payload":{"id":107"#);
        files.lines(ONE).swap(line, line + 1);
    });
}

#[test]
fn two_answers() {
    assert_sees(Kind::TwoAnswers, |files| {
        let again = sent(1, 3, &message(7, 1, "d"));
        files.lines(ONE).insert(14, again);
    });
}

#[test]
fn a_message_that_nobody_sent() {
    assert_sees(Kind::Foreign, |files| {
        let foreign = typed(&message(8, 1, "e"), "new_message");
        files.lines(TRUTH).push(foreign);
    });
}

#[test]
fn a_member_that_nobody_added() {
    assert_sees(Kind::Foreign, |files| {
        files.lines("members.jsonl").retain(|line| {
            // The calls 2 and 3 are all those about user 2.
            line.contains(r#""number":1"#)
        });
    });
}

#[test]
fn a_message_that_is_stored_though_it_was_refused() {
    assert_sees(Kind::StoredThoughRefused, |files| {
        let line = files.find(ONE, r#""id":3,"body""#);
        let refusal = r#"{"success":false,"error":"Not a member of this group","code":"not_a_member","retryable":false}"#;
        files.lines(ONE)[line] = answer(1, 3, refusal);
    });
}

#[test]
fn a_removal_that_nobody_asked_for() {
    assert_sees(Kind::Membership, |files| {
        let line = files.find("members.jsonl", r#""change":"remove""#);
        files.lines("members.jsonl").drain(line..);
    });
}

#[test]
fn an_event_that_the_protocol_does_not_know() {
    assert_sees(Kind::Unexpected, |files| {
        files.lines(ONE).insert(14, event(1, "surprise", "{}"));
    });
}

#[test]
fn a_panic_and_a_server_that_ended_by_itself() {
    assert_sees(Kind::Panic, |files| {
        files
            .lines("server.log")
            .push("thread 'main' panicked at x.rs".to_owned());
    });
    assert_sees(Kind::Server, |files| {
        let wrong = r#"{"wrong":{"at":1795557859015,"what":"exit status: 1"}}"#;
        files.lines("faults.jsonl").push(wrong.to_owned());
    });
}

/// A copy for the sender is no live entry: a join without `after_seq` that overtook it does not tell of it.
#[test]
fn the_copy_of_a_message_may_follow_a_join_that_did_not_tell_of_it() {
    let late = |again: bool| {
        after(|files| {
            let lines = files.lines(ONE);
            // It joins a second time, on another connection, with the send on its way.
            lines.truncate(11);
            lines.extend([
                r#"{"connected":{"at":1795557859015,"session":2}}"#.to_owned(),
                join(2, 0, "null"),
                send(2, 1, "d"),
                joined(2, 0, 7, false, &[]),
                live(2, 7, 1, "d"),
                sent(2, 1, &message(7, 1, "d")),
            ]);
            if again {
                lines.push(live(2, 7, 1, "d"));
            }
            lines.push(r#"{"settled":{"at":1795557859015}}"#.to_owned());
        })
    };
    assert_eq!(late(false), []);
    assert_eq!(late(true), [Kind::DoubleDelivery]);
}
