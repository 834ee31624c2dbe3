//! The end of tokens on open sockets: refreshed, taken back, logged out, erased.
#![expect(clippy::unwrap_used, reason = "test code")]

#[expect(dead_code, reason = "each test uses its part")]
mod common;

use std::time::Duration;

use common::{ADMIN, Seen, Socket, World, user};
use sealroom_domain::{DisplayName, EntryBody, ErrorCode, Principal, Timestamp};
use sealroom_engine::{Actor, ChatOptions};

const GROUP: i64 = 5;
const ALICE: i64 = 1;
const BOB: i64 = 2;
/// The clock of [`World`] stands here.
const NOW: i64 = 1_700_000_000;

/// A token issued so many seconds from now.
fn issued(id: i64, secs: i64) -> Principal {
    Principal {
        issued_at: Some(Timestamp::from_secs(NOW + secs)),
        ..World::principal(id)
    }
}

fn is_revoked(socket: &Socket) -> bool {
    let told = socket.recorder.all().contains(&Seen::Revoked);
    let refused = socket.chat.check_lease(&socket.session);
    assert_eq!(told, refused.is_err());
    if told {
        assert_eq!(refused.unwrap_err().code, ErrorCode::TokenRevoked);
    }
    told
}

#[tokio::test]
async fn a_session_goes_by_its_latest_token() {
    let world = World::new(1, ChatOptions::default());
    world.group(GROUP, &[ALICE]).await;
    let soon = Timestamp::from_secs(NOW + 60);
    let first = Principal {
        expires_at: soon,
        ..World::principal(ALICE)
    };
    let alice = world.socket_of(first).await.unwrap();
    let ahead = Duration::from_mins(1);
    let now = Timestamp::from_secs(NOW);
    assert!(alice.session.tell_expiring(now, ahead));
    assert!(!alice.session.tell_expiring(now, ahead), "once");

    let other = alice.chat.refresh(&alice.session, World::principal(BOB)).await;
    assert_eq!(other.unwrap_err().code, ErrorCode::TokenInvalid);
    assert_eq!(alice.session.expires_at(), soon, "the old one stands");

    world.clock.advance(Duration::from_mins(1));
    let refused = alice.send(GROUP, "late").await.unwrap();
    assert_eq!(refused.unwrap_err().code, ErrorCode::TokenExpired);
    let next = Principal {
        name: DisplayName::new("Alice anew").ok(),
        ..World::principal(ALICE)
    };
    let ends = alice.chat.refresh(&alice.session, next.clone()).await.unwrap();
    assert_eq!(ends, next.expires_at);
    assert!(!alice.session.tell_expiring(now, ahead));
    let sent = alice.send(GROUP, "in time").await.unwrap().unwrap();
    let EntryBody::Message(message) = &sent.message.entry().body else {
        panic!("{sent:?}")
    };
    assert_eq!(message.sender_name.as_str(), "Alice anew");
}

#[tokio::test]
async fn what_was_issued_up_to_the_second_is_taken_back() {
    let world = World::new(1, ChatOptions::default());
    let undated = world.socket(ALICE).await;
    let old = world.socket_of(issued(ALICE, -100)).await.unwrap();
    let present = world.socket_of(issued(ALICE, 0)).await.unwrap();
    let newer = world.socket_of(issued(ALICE, 1)).await.unwrap();
    let other = world.socket_of(issued(BOB, -100)).await.unwrap();

    let not_admin = Actor {
        user_id: user(BOB),
        admin: false,
    };
    let refused = world.chat.revoke_user(not_admin, user(ALICE)).await;
    assert_eq!(refused.unwrap_err().code, ErrorCode::Forbidden);
    assert!(!is_revoked(&old));

    world.chat.revoke_user(ADMIN, user(ALICE)).await.unwrap();
    let ends = [&undated, &old, &present, &newer, &other].map(is_revoked);
    assert_eq!(ends, [true, true, true, false, false]);
    for (principal, refused) in [
        (World::principal(ALICE), true),
        (issued(ALICE, 0), true),
        (issued(ALICE, 1), false),
        (issued(BOB, 0), false),
    ] {
        assert_eq!(world.chat.me(&principal).await.is_err(), refused, "{principal:?}");
    }
    // An open socket cannot go on with one of those, nor come back to life with a good one.
    let refused = world.chat.refresh(&newer.session, issued(ALICE, 0)).await;
    assert_eq!(refused.unwrap_err().code, ErrorCode::TokenRevoked);
    let refused = world.chat.refresh(&old.session, issued(ALICE, 1)).await;
    assert_eq!(refused.unwrap_err().code, ErrorCode::TokenRevoked);
}

#[tokio::test]
async fn a_socket_that_opens_meanwhile_does_not_stay() {
    for turns in 0..20 {
        let world = World::new(turns, ChatOptions::default());
        world.socket_of(issued(ALICE, -5)).await.unwrap().close();
        let opening = world.socket_of(issued(ALICE, -5));
        let revoking = async {
            for _ in 0..turns {
                tokio::task::yield_now().await;
            }
            world.chat.revoke_user(ADMIN, user(ALICE)).await.unwrap();
        };
        let (opened, ()) = tokio::join!(opening, revoking);
        if let Ok(socket) = opened {
            // It was attached only now; what it may do is what counts.
            assert!(world.chat.check_lease(&socket.session).is_err(), "{turns}");
        }
    }
}

#[tokio::test]
async fn an_erased_user_is_gone_with_everything_it_wrote() {
    let world = World::new(1, ChatOptions::default());
    world.group(GROUP, &[ALICE, BOB]).await;
    let (alice, bob) = (
        world.socket(ALICE).await,
        world.socket_of(issued(BOB, 999)).await.unwrap(),
    );
    alice.join(GROUP, None).await;
    bob.send(GROUP, "secret").await.unwrap().unwrap();
    alice.send(GROUP, "stays").await.unwrap().unwrap();

    let unknown = world.chat.erase_user(ADMIN, user(77)).await;
    assert_eq!(unknown.unwrap_err().code, ErrorCode::NotFound);
    world.chat.erase_user(ADMIN, user(BOB)).await.unwrap();
    assert!(is_revoked(&bob) && !is_revoked(&alice));
    let entries = world.entries(GROUP).await;
    let contents: Vec<_> = entries
        .iter()
        .filter_map(|entry| entry.message())
        .map(|message| (message.sender_name.as_str(), message.content.is_some()))
        .collect();
    assert_eq!(contents, [("Unknown", false), ("user 1", true)]);
    let last = &entries.last().unwrap().body;
    assert!(matches!(last, EntryBody::MemberRemoved { user_id, .. } if *user_id == user(BOB)));
    let seqs: Vec<_> = entries.iter().map(|entry| entry.seq.get()).collect();
    assert_eq!(seqs, [1, 2, 3, 4, 5]);
    let refused = world.chat.me(&issued(BOB, 99_999)).await;
    assert_eq!(refused.unwrap_err().code, ErrorCode::TokenRevoked);
    // Again without harm; and the host may make it a user like any other.
    world.chat.erase_user(ADMIN, user(BOB)).await.unwrap();
    let name = DisplayName::new("Bob II").unwrap();
    world.chat.put_user(ADMIN, user(BOB), name, None).await.unwrap();
    world.chat.me(&issued(BOB, 99_999)).await.unwrap();
}
