//! Editing and deleting messages.

use std::{fs, path::Path};

use sealroom_testkit::client::Client;
use serde_json::{Value, json};

use crate::{
    common::Store,
    world::{World, ask, heard, number, send, succeed},
};

/// An edit or a deletion that must succeed; gives its entry.
async fn rewrite(client: &Client, event: &str, payload: Value) -> Value {
    succeed(client, event, payload).await["entry"].take()
}

/// An entry as its event carries it.
fn event_of(entry: &Value) -> Value {
    let mut event = entry.clone();
    event.as_object_mut().unwrap().remove("type");
    event
}

fn edit(seq: &Value, content: &str) -> Value {
    json!({"group_id": 1, "seq": seq, "encrypted_content": content})
}

fn deletion(seq: &Value) -> Value {
    json!({"group_id": 1, "seq": seq})
}

on_each_store!(an_edit_and_a_deletion_are_entries_that_everybody_gets_once);
async fn an_edit_and_a_deletion_are_entries_that_everybody_gets_once(store: Store) {
    let world = World::start_on(store).await;
    world.group(1, [1, 2, 3]).await;
    let (sender, listener) = (world.joined(1, 1).await, world.joined(2, 1).await);
    let elsewhere = world.socket(3).await;
    let message = send(&sender, 1, "first").await;
    let seq = &message["seq"];

    let mut request = edit(seq, "second");
    request["key_epoch"] = json!(7);
    let edited = rewrite(&sender, "edit_message", request).await;
    let expected = json!({
        "type": "message_edited", "group_id": 1, "seq": 5, "target_seq": 4, "encrypted_content": "second",
        "key_epoch": 7, "actor_id": 1, "timestamp": edited["timestamp"],
    });
    assert_eq!(edited, expected);
    let mut current = message.clone();
    current["encrypted_content"] = json!("second");
    current["key_epoch"] = json!(7);
    current["edited_seq"] = json!(5);
    let messages = world.user(3, "GET", "/groups/1/messages", None).await.json();
    assert_eq!(
        (&messages["messages"], &messages["head_seq"]),
        (&json!([current]), &json!(5))
    );

    // A socket that has not joined may delete as well as one that has.
    let other = world.socket(1).await;
    let deleted = rewrite(&other, "delete_message", deletion(seq)).await;
    let expected = json!({
        "type": "message_deleted", "group_id": 1, "seq": 6, "target_seq": 4, "actor_id": 1,
        "timestamp": deleted["timestamp"],
    });
    assert_eq!(deleted, expected);
    for client in [&sender, &listener] {
        assert_eq!(heard(client, "message_edited").await, [event_of(&edited)]);
        assert_eq!(heard(client, "message_deleted").await, [event_of(&deleted)]);
    }
    for client in [&elsewhere, &other] {
        assert_eq!(heard(client, "message_edited").await.len(), 0);
        assert_eq!(heard(client, "message_deleted").await.len(), 0);
    }

    // Both keep their places, and nothing of what was said.
    let mut gone = [message, event_of(&edited)];
    for entry in &mut gone {
        entry["encrypted_content"] = Value::Null;
        entry["deleted"] = json!(true);
    }
    let log = world.log(1).await;
    assert_eq!(
        log.iter().skip(3).map(event_of).collect::<Vec<_>>(),
        [gone[0].clone(), gone[1].clone(), event_of(&deleted)]
    );
    let page = succeed(&elsewhere, "get_entries", json!({"group_id": 1, "after_seq": 3})).await;
    assert_eq!(page["entries"], json!(log[3..]));
    let join = succeed(&elsewhere, "join_group", json!({"group_id": 1, "after_seq": 3})).await;
    assert_eq!(join["entries"], json!(log[3..]));
    let messages = world.user(3, "GET", "/groups/1/messages", None).await.json();
    assert_eq!(
        (&messages["messages"], &messages["head_seq"]),
        (&json!([]), &json!(6))
    );
}

on_each_store!(only_its_sender_edits_a_message_and_owners_and_admins_delete_any);
async fn only_its_sender_edits_a_message_and_owners_and_admins_delete_any(store: Store) {
    let world = World::start_on(store).await;
    world.group(1, [1, 2, 3, 4]).await;
    for (user_id, role) in [(1, "owner"), (2, "admin")] {
        let member = format!("/groups/1/members/{user_id}");
        assert_eq!(
            world.admin("PUT", &member, json!({"role": role})).await.status,
            200
        );
    }
    let mut users = Vec::new();
    for user_id in 1..=5 {
        users.push(world.socket(user_id).await);
    }
    let [owner, admin, member, other, outsider] = &users[..] else {
        panic!()
    };
    let message = send(member, 1, "the member's").await;
    let of_owner = send(owner, 1, "the owner's").await;
    let of_member = &message["seq"];
    let before = world.log(1).await;
    let (of_nobody, of_change) = (json!(9_007_199_254_740_991_u64), json!(1));
    let rows = [
        (owner, "edit_message", of_member, "forbidden"),
        (admin, "edit_message", of_member, "forbidden"),
        (other, "edit_message", of_member, "forbidden"),
        (other, "delete_message", of_member, "forbidden"),
        (outsider, "edit_message", of_member, "not_a_member"),
        (outsider, "delete_message", of_member, "not_a_member"),
        (outsider, "delete_message", &of_nobody, "not_a_member"),
        (member, "edit_message", &of_change, "not_found"),
        (owner, "delete_message", &of_change, "not_found"),
        (member, "edit_message", &of_nobody, "not_found"),
        (member, "delete_message", &of_nobody, "not_found"),
        (member, "edit_message", &json!(0), "not_found"),
        (owner, "delete_message", &json!(0), "not_found"),
    ];
    for (client, event, seq, code) in rows {
        let ack = ask(client, event, edit(seq, "forged")).await;
        assert_eq!(
            (&ack["success"], &ack["code"]),
            (&json!(false), &json!(code)),
            "{event} {seq}"
        );
        client.emit(event, edit(seq, "forged"));
        let told = client.next_event("request_error").await.unwrap();
        assert_eq!(
            (&told["event"], &told["code"]),
            (&json!(event), &json!(code)),
            "{event} {seq}"
        );
    }
    assert_eq!(world.log(1).await, before, "a refusal leaves nothing");

    for (client, actor_id, seq) in [(admin, 2, &of_owner["seq"]), (owner, 1, of_member)] {
        let entry = rewrite(client, "delete_message", deletion(seq)).await;
        assert_eq!(
            (&entry["target_seq"], &entry["actor_id"]),
            (seq, &json!(actor_id))
        );
    }
    let ack = ask(member, "edit_message", edit(of_member, "it is gone")).await;
    assert_eq!(ack["code"], "not_found");
    // Whoever is gone changes nothing any more, its own neither.
    let last = send(other, 1, "the last").await;
    world.remove(1, 4).await;
    for event in ["edit_message", "delete_message"] {
        let ack = ask(other, event, edit(&last["seq"], "late")).await;
        assert_eq!(ack["code"], "not_a_member", "{event}");
    }
}

on_each_store!(a_retry_of_an_edit_a_deletion_or_a_deleted_message_is_the_first_result);
async fn a_retry_of_an_edit_a_deletion_or_a_deleted_message_is_the_first_result(store: Store) {
    let mut world = World::start_on(store).await;
    world.group(1, [1, 2]).await;
    let (sender, listener) = (world.socket(1).await, world.joined(2, 1).await);
    let draft = json!({"group_id": 1, "encrypted_content": "once", "client_message_id": "m1"});
    let message = succeed(&sender, "send_message", draft.clone()).await["message"].take();
    let seq = &message["seq"];
    let edited = rewrite(&sender, "edit_message", edit(seq, "twice")).await;
    assert_eq!(rewrite(&sender, "edit_message", edit(seq, "twice")).await, edited);
    // A message is what was sent, whatever it was edited to.
    let ack = succeed(&sender, "send_message", draft.clone()).await;
    assert_eq!((&ack["duplicate"], &ack["message"]), (&json!(true), &message));
    let deleted = rewrite(&sender, "delete_message", deletion(seq)).await;
    assert_eq!(rewrite(&sender, "delete_message", deletion(seq)).await, deleted);
    let gone = world.log(1).await;
    assert_eq!(heard(&listener, "new_message").await.len(), 1);
    assert_eq!(heard(&listener, "message_edited").await.len(), 1);
    assert_eq!(heard(&listener, "message_deleted").await.len(), 1);

    world.server.restart();
    let sender = world.socket(1).await;
    assert_eq!(rewrite(&sender, "delete_message", deletion(seq)).await, deleted);
    let ack = succeed(&sender, "send_message", draft.clone()).await;
    assert_eq!((&ack["duplicate"], &ack["message"]["seq"]), (&json!(true), seq));
    assert_eq!(
        (&ack["message"]["encrypted_content"], &ack["message"]["deleted"]),
        (&Value::Null, &json!(true))
    );
    assert_eq!(world.log(1).await, gone, "no retry is an entry");
}

on_each_store!(an_edit_has_the_limits_of_a_message);
async fn an_edit_has_the_limits_of_a_message(store: Store) {
    let world = World::start_on(store).await;
    world.group(1, [1]).await;
    let sender = world.socket(1).await;
    let seq = send(&sender, 1, "x").await["seq"].take();
    let full = "é".repeat(32_768);
    assert_eq!(
        rewrite(&sender, "edit_message", edit(&seq, &full)).await["encrypted_content"],
        full
    );
    let ack = ask(&sender, "edit_message", edit(&seq, &format!("{full}x"))).await;
    assert_eq!(
        (&ack["code"], &ack["limit_bytes"]),
        (&json!("payload_too_large"), &json!(65_536))
    );
    let ack = ask(&sender, "edit_message", edit(&seq, "")).await;
    assert_eq!(
        (&ack["code"], &ack["field"]),
        (&json!("invalid_data"), &json!("encrypted_content"))
    );
    // Two edits of one socket are stored in their order, and behind the message that they edit.
    let burst: Vec<_> = (0..20)
        .map(|number: u64| sender.request("edit_message", edit(&seq, &number.to_string())))
        .collect();
    let mut last = 0;
    for request in burst {
        let ack = request.answer().await.unwrap();
        assert!(number(&ack["entry"]["seq"]) > last, "{ack}");
        last = number(&ack["entry"]["seq"]);
    }
    let messages = world.user(1, "GET", "/groups/1/messages", None).await.json();
    assert_eq!(messages["messages"][0]["encrypted_content"], "19");
}

/// Whether any file of a directory holds these bytes.
fn is_in_files(directory: &Path, text: &str) -> bool {
    let files = fs::read_dir(directory).unwrap();
    files
        .map(|file| fs::read(file.unwrap().path()).unwrap())
        .any(|bytes| bytes.windows(text.len()).any(|window| window == text.as_bytes()))
}

#[tokio::test]
async fn what_was_deleted_is_not_in_the_database_file() {
    let mut world = World::start_on(Store::Sqlite).await;
    world.group(1, [1]).await;
    let sender = world.socket(1).await;
    send(&sender, 1, "content-that-stays").await;
    let message = send(&sender, 1, "content-that-was-sent").await;
    rewrite(
        &sender,
        "edit_message",
        edit(&message["seq"], "content-that-was-edited"),
    )
    .await;
    let directory = world.server.data_dir.path().to_owned();
    for content in [
        "content-that-stays",
        "content-that-was-sent",
        "content-that-was-edited",
    ] {
        assert!(is_in_files(&directory, content), "{content}");
    }
    rewrite(&sender, "delete_message", deletion(&message["seq"])).await;
    assert!(world.server.terminate().success());
    assert!(is_in_files(&directory, "content-that-stays"));
    for content in ["content-that-was-sent", "content-that-was-edited"] {
        assert!(!is_in_files(&directory, content), "{content}");
    }
}
