//! Edits and deletions: who may, what those who have joined see, and what is left.
#![expect(clippy::unwrap_used, reason = "test code")]

#[expect(dead_code, reason = "each test uses its part")]
mod common;

use std::sync::Arc;

use common::{ADMIN, Seen, Socket, World, group, seq, user};
use sealroom_domain::{
    EncryptedContent, EntryBody, ErrorCode, Refusal, Role, Seq,
    ports::{Cursor, Memberships},
};
use sealroom_engine::{Actor, ChatOptions, MembershipKeeper, MessageEdit, Published};
use tokio::sync::oneshot;

const GROUP: i64 = 5;
const ALICE: i64 = 1;
const BOB: i64 = 2;
const CAROL: i64 = 3;
const DAVE: i64 = 4;

type Answer = Result<Arc<Published>, Refusal>;

async fn edit(socket: &Socket, target: Seq, text: &str) -> Answer {
    let (answer, answered) = oneshot::channel();
    let edit = MessageEdit {
        group_id: group(GROUP),
        target_seq: target,
        content: EncryptedContent::new(text, 100).unwrap(),
        key_epoch: None,
    };
    let reply = Box::new(move |edited| answer.send(edited).unwrap());
    socket.chat.edit(&socket.session, edit, reply);
    answered.await.unwrap()
}

async fn delete(socket: &Socket, target: Seq) -> Answer {
    let (answer, answered) = oneshot::channel();
    let reply = Box::new(move |deleted| answer.send(deleted).unwrap());
    socket.chat.delete(&socket.session, group(GROUP), target, reply);
    answered.await.unwrap()
}

fn code(answer: Answer) -> ErrorCode {
    answer.unwrap_err().code
}

/// Alice owns the group, Carol is an admin, Bob a member, Dave nothing. `keeper` keeps the memberships.
async fn world(keeper: MembershipKeeper) -> World {
    let options = ChatOptions {
        membership_keeper: keeper,
        ..ChatOptions::default()
    };
    let world = World::new(7, options);
    world.group(GROUP, &[]).await;
    for (id, role) in [(ALICE, Role::Owner), (BOB, Role::Member), (CAROL, Role::Admin)] {
        // Where the host keeps them, its table here is the same store.
        world
            .chat
            .put_member(ADMIN, group(GROUP), user(id), Some(role))
            .await
            .unwrap();
        world.store.set(group(GROUP), user(id), role).await.unwrap();
    }
    world
}

async fn each_may_what_its_role_allows(keeper: MembershipKeeper) {
    let world = world(keeper).await;
    let (alice, bob) = (world.socket(ALICE).await, world.socket(BOB).await);
    let (carol, dave) = (world.socket(CAROL).await, world.socket(DAVE).await);
    let own = bob
        .send(GROUP, "bob's")
        .await
        .unwrap()
        .unwrap()
        .message
        .entry()
        .seq;
    let other = alice
        .send(GROUP, "alice's")
        .await
        .unwrap()
        .unwrap()
        .message
        .entry()
        .seq;

    for (who, target, expected) in [
        (&alice, own, ErrorCode::Forbidden),
        (&carol, own, ErrorCode::Forbidden),
        (&dave, own, ErrorCode::NotAMember),
        (&bob, seq(1), ErrorCode::NotFound),
        (&bob, Seq::ZERO, ErrorCode::NotFound),
        (&bob, seq(99), ErrorCode::NotFound),
    ] {
        assert_eq!(code(edit(who, target, "x").await), expected, "{target}");
    }
    let edited = edit(&bob, own, "better").await.unwrap();
    assert!(matches!(
        &edited.entry().body,
        EntryBody::MessageEdited { target_seq, content: Some(content), .. }
            if *target_seq == own && content.as_str() == "better"
    ));

    assert_eq!(code(delete(&bob, other).await), ErrorCode::Forbidden);
    assert_eq!(code(delete(&dave, own).await), ErrorCode::NotAMember);
    assert_eq!(code(delete(&bob, seq(1)).await), ErrorCode::NotFound);
    let deleted = delete(&carol, own).await.unwrap();
    assert!(matches!(
        deleted.entry().body,
        EntryBody::MessageDeleted { target_seq, actor_id } if target_seq == own && actor_id == user(CAROL)
    ));
    // A retry is the same deletion; an edit comes too late.
    assert_eq!(delete(&carol, own).await.unwrap().entry(), deleted.entry());
    assert_eq!(code(edit(&bob, own, "again").await), ErrorCode::NotFound);
    delete(&alice, other).await.unwrap();
    let shown = world
        .chat
        .messages(ADMIN, group(GROUP), Cursor::Newest, None)
        .await
        .unwrap();
    assert_eq!(shown.messages, []);
}

#[tokio::test]
async fn each_may_what_its_role_allows_where_the_store_keeps_the_memberships() {
    each_may_what_its_role_allows(MembershipKeeper::Store).await;
}

#[tokio::test]
async fn each_may_what_its_role_allows_where_the_host_keeps_the_memberships() {
    each_may_what_its_role_allows(MembershipKeeper::Host).await;
}

#[tokio::test]
async fn those_who_have_joined_see_each_change_once_and_in_order() {
    let world = world(MembershipKeeper::Store).await;
    let (alice, bob) = (world.socket(ALICE).await, world.socket(BOB).await);
    alice.join(GROUP, None).await;
    let sent = bob.send(GROUP, "one").await.unwrap().unwrap().message.entry().seq;
    let edited = edit(&bob, sent, "two").await.unwrap().entry().seq;
    let actor = Actor {
        user_id: user(ALICE),
        admin: false,
    };
    let page = world
        .chat
        .messages(actor, group(GROUP), Cursor::Newest, None)
        .await
        .unwrap();
    let [message] = page.messages.as_slice() else {
        panic!("{page:?}")
    };
    assert_eq!(message.edited_seq, Some(edited));
    let content = message.entry.message().unwrap().content.as_ref().unwrap();
    assert_eq!((message.entry.seq, content.as_str()), (sent, "two"));

    let deleted = delete(&bob, sent).await.unwrap().entry().seq;
    let seen: Vec<_> = alice.recorder.all().into_iter().skip(1).collect();
    assert_eq!(
        seen,
        [Seen::Entry(sent), Seen::Entry(edited), Seen::Entry(deleted)]
    );
    // The log keeps the places and nothing of the content.
    for entry in world.entries(GROUP).await {
        match entry.body {
            EntryBody::Message(message) => assert_eq!(message.content, None),
            EntryBody::MessageEdited { content, .. } => assert_eq!(content, None),
            _ => {}
        }
    }
}

#[tokio::test]
async fn writes_without_an_answer_are_bounded_together() {
    let mut options = ChatOptions::default();
    options.limits.unacked_sends = Some(1);
    let world = World::new(1, options);
    world.group(GROUP, &[ALICE]).await;
    let alice = world.socket(ALICE).await;
    let first = alice.send(GROUP, "one");
    assert_eq!(code(delete(&alice, seq(1)).await), ErrorCode::RateLimited);
    let sent = first.await.unwrap().unwrap().message.entry().seq;
    delete(&alice, sent).await.unwrap();
}

#[tokio::test]
async fn sends_are_limited_for_a_user_over_all_of_its_sockets() {
    let mut options = ChatOptions::default();
    options.limits.sends_per_user = sealroom_domain::Rate::new(1, 5);
    let world = World::on(sealroom_testkit::memory::MemoryStore::new(), 1, options);
    world.group(GROUP, &[ALICE, BOB]).await;
    let (one, two, bob) = (
        world.socket(ALICE).await,
        world.socket(ALICE).await,
        world.socket(BOB).await,
    );
    for number in 0..5 {
        let socket = if number % 2 == 0 { &one } else { &two };
        socket.send(GROUP, "x").await.unwrap().unwrap();
    }
    for socket in [&one, &two] {
        let refused = socket.send(GROUP, "x").await.unwrap().unwrap_err();
        assert_eq!(refused.code, ErrorCode::RateLimited);
    }
    bob.send(GROUP, "x").await.unwrap().unwrap();
    // HTTP counts too.
    let profile = sealroom_domain::ports::Profile::unnamed(user(ALICE));
    let draft = sealroom_engine::MessageDraft {
        group_id: group(GROUP),
        content: EncryptedContent::new("x", 100).unwrap(),
        client_message_id: None,
        key_epoch: None,
    };
    let actor = Actor {
        user_id: user(ALICE),
        admin: false,
    };
    let posted = world.chat.post(actor, &profile, draft).await;
    assert_eq!(posted.unwrap_err().code, ErrorCode::RateLimited);
}

#[tokio::test]
async fn a_message_may_be_posted_without_a_socket() {
    for keeper in [MembershipKeeper::Store, MembershipKeeper::Host] {
        let world = world(keeper).await;
        let alice = world.socket(ALICE).await;
        alice.join(GROUP, None).await;
        let draft = |id: i64| sealroom_engine::MessageDraft {
            group_id: group(id),
            content: EncryptedContent::new("x", 100).unwrap(),
            client_message_id: sealroom_domain::ClientMessageId::new("c1").ok(),
            key_epoch: None,
        };
        let actor = |id, admin| Actor {
            user_id: user(id),
            admin,
        };
        let post = |actor: Actor, id| {
            let profile = sealroom_domain::ports::Profile::unnamed(actor.user_id);
            let (chat, draft) = (world.chat.clone(), draft(id));
            async move { chat.post(actor, &profile, draft).await }
        };
        let sent = post(actor(BOB, false), GROUP).await.unwrap();
        let message = sent.message.entry().message().unwrap();
        assert_eq!(message.sender_name.as_str(), "Unknown");
        assert!(!sent.duplicate && post(actor(BOB, false), GROUP).await.unwrap().duplicate);
        let refused = post(actor(DAVE, false), GROUP).await;
        assert_eq!(refused.unwrap_err().code, ErrorCode::NotAMember);
        post(actor(DAVE, true), GROUP).await.unwrap();
        let absent = post(actor(DAVE, true), 77).await;
        assert_eq!(absent.unwrap_err().code, ErrorCode::NotFound);
        let entries = alice.recorder.all().len() - 1;
        assert_eq!(entries, 2, "those who have joined get each once");
    }
}
