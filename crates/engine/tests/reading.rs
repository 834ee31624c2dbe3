//! Read marks and typing.

#[expect(dead_code, reason = "each test uses its part")]
mod common;

use common::{ADMIN, Seen, Socket, World, group, seq, user};
use sealroom_domain::{ErrorCode, Seq};
use sealroom_engine::{Actor, ChatOptions, Signal};

const GROUP: i64 = 5;
const ALICE: i64 = 1;
const BOB: i64 = 2;
const CAROL: i64 = 3;

fn actor(id: i64) -> Actor {
    Actor {
        user_id: user(id),
        admin: false,
    }
}

async fn world() -> World {
    let world = World::new(3, ChatOptions::default());
    world.group(GROUP, &[ALICE, BOB]).await;
    world
}

/// What a socket was told besides entries and answers.
fn signals(socket: &Socket) -> Vec<Signal> {
    let of = |seen| match seen {
        Seen::Signal(signal) => Some(signal),
        _ => None,
    };
    socket.recorder.all().into_iter().filter_map(of).collect()
}

#[tokio::test]
async fn a_mark_moves_forward_up_to_the_end_and_the_others_hear_of_it() {
    let world = world().await;
    let (alice, bob) = (world.socket(ALICE).await, world.socket(BOB).await);
    let phone = world.socket(BOB).await;
    for socket in [&alice, &bob, &phone] {
        socket.join(GROUP, None).await;
    }
    let mark = |at: i64| world.chat.session_mark_read(&bob.session, group(GROUP), seq(at));
    for (asked, expected) in [(1, 1), (2, 2), (1, 2), (0, 2), (99, 2)] {
        let marked = mark(asked).await.unwrap();
        assert_eq!((marked.read, marked.head), (seq(expected), seq(2)), "{asked}");
    }
    alice.send(GROUP, "new").await.unwrap().unwrap();
    let summary = world.chat.group(actor(BOB), group(GROUP)).await.unwrap();
    assert_eq!((summary.read, summary.group.head), (seq(2), seq(3)));
    assert_eq!(world.chat.groups(actor(ALICE)).await.unwrap()[0].read, Seq::ZERO);

    let read = |read_seq| Signal::Read {
        group_id: group(GROUP),
        user_id: user(BOB),
        read_seq: seq(read_seq),
    };
    // Not of those that were behind.
    let heard = [read(1), read(2), read(2)];
    assert_eq!(signals(&alice), heard);
    assert_eq!(signals(&phone), heard, "the user's other sockets too");
    assert_eq!(signals(&bob), [], "it has its answer");

    let refused = world.chat.mark_read(actor(CAROL), group(GROUP), seq(1)).await;
    assert_eq!(refused.unwrap_err().code, ErrorCode::NotAMember);
    let refused = world.chat.mark_read(ADMIN, group(77), seq(1)).await;
    assert_eq!(refused.unwrap_err().code, ErrorCode::NotFound);
    world.chat.mark_read(ADMIN, group(GROUP), seq(1)).await.unwrap();
}

#[tokio::test]
async fn typing_reaches_the_others_who_have_joined_and_nobody_else() {
    let world = world().await;
    let (alice, bob) = (world.socket(ALICE).await, world.socket(BOB).await);
    let (away, carol) = (world.socket(ALICE).await, world.socket(CAROL).await);
    alice.join(GROUP, None).await;
    bob.join(GROUP, None).await;
    for is_typing in [true, false] {
        world
            .chat
            .typing(&bob.session, group(GROUP), is_typing)
            .await
            .unwrap();
    }
    // A member may type before it has joined; an outsider may not, wherever it looks.
    world
        .chat
        .typing(&away.session, group(GROUP), true)
        .await
        .unwrap();
    for id in [GROUP, 77] {
        let refused = world.chat.typing(&carol.session, group(id), true).await;
        assert_eq!(refused.unwrap_err().code, ErrorCode::NotAMember);
    }
    let typing = |id, is_typing| Signal::Typing {
        group_id: group(GROUP),
        user_id: user(id),
        is_typing,
    };
    assert_eq!(
        signals(&alice),
        [typing(BOB, true), typing(BOB, false), typing(ALICE, true)]
    );
    assert_eq!(signals(&bob), [typing(ALICE, true)]);
    assert_eq!(signals(&away), []);

    let remove = world.chat.remove_member(ADMIN, group(GROUP), user(BOB));
    remove.await.unwrap();
    let refused = world.chat.typing(&bob.session, group(GROUP), true).await;
    assert_eq!(refused.unwrap_err().code, ErrorCode::NotAMember);
}
