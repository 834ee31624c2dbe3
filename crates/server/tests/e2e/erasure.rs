//! Erasing a user.

use std::fs;

use serde_json::{Value, json};

use crate::{
    common::Store,
    revocation::{refusal, sent_away},
    world::{World, send, succeed, verdict},
};

const NAME: &str = "Nguyen-Van-Erased";

on_each_store!(an_erased_user_leaves_its_places_and_nothing_else);
async fn an_erased_user_leaves_its_places_and_nothing_else(store: Store) {
    let mut world = World::start_on(store).await;
    world.group(1, [1, 2]).await;
    world.group(2, [1, 2]).await;
    let profile = json!({"display_name": NAME, "username": "username-erased"});
    assert_eq!(world.admin("PUT", "/users/1", profile).await.status, 200);
    let (erased, listener) = (world.joined(1, 1).await, world.joined(2, 1).await);
    let draft = json!({"group_id": 1, "encrypted_content": "content-erased", "client_message_id": "m1"});
    let message = succeed(&erased, "send_message", draft).await["message"].take();
    let edit = json!({"group_id": 1, "seq": message["seq"], "encrypted_content": "edit-erased"});
    succeed(&erased, "edit_message", edit).await;
    let other = send(&listener, 1, "content-that-stays").await;
    send(&erased, 2, "content-erased too").await;
    succeed(&erased, "mark_read", json!({"group_id": 1, "seq": 1})).await;
    let token = world.token(1);
    let second = world.socket(1).await;

    let forbidden = world.user(2, "DELETE", "/users/1", None).await;
    assert_eq!(verdict(&forbidden), (403, "forbidden".into()));
    assert_eq!(world.admin("DELETE", "/users/1", None).await.status, 204);
    sent_away(&erased).await;
    sent_away(&second).await;
    let left = listener.next_event("member_removed").await.unwrap();
    assert_eq!(
        (&left["user_id"], &left["reason"]),
        (&json!(1), &json!("removed"))
    );

    let check = async |world: &World| {
        for token in [&token, &world.token(1)] {
            assert_eq!(refusal(world, token).await, "token_revoked");
        }
        let members = world.admin("GET", "/groups/1/members", None).await.json();
        assert_eq!(members["members"], json!([{"user_id": 2, "role": "member"}]));
        let logs = [world.log(1).await, world.log(2).await];
        let text = json!(logs).to_string();
        assert!(!text.contains("erased") && !text.contains("Erased"), "{text}");
        let at = |group: usize, seq: usize| logs[group][seq - 1].clone();
        for entry in [at(0, 3), at(0, 4), at(1, 3)] {
            assert_eq!(
                (&entry["encrypted_content"], &entry["deleted"]),
                (&Value::Null, &json!(true)),
                "{entry}"
            );
        }
        assert_eq!(
            (&at(0, 3)["sender_name"], &at(0, 3)["sender_id"]),
            (&json!("Unknown"), &json!(1))
        );
        assert_eq!(at(0, 5)["encrypted_content"], other["encrypted_content"]);
        assert_eq!((logs[0].len(), logs[1].len()), (6, 4));
        let messages = world.user(2, "GET", "/groups/1/messages", None).await.json();
        assert_eq!(messages["messages"], json!([other]));
    };
    check(&world).await;
    // Once more is harmless, and whoever never was is not found.
    assert_eq!(world.admin("DELETE", "/users/1", None).await.status, 204);
    let unknown = world.admin("DELETE", "/users/77", None).await;
    assert_eq!(verdict(&unknown), (404, "not_found".into()));
    // The log goes on behind it.
    assert_eq!(
        world.user(2, "GET", "/groups/1", None).await.json()["head_seq"],
        6
    );
    world.server.restart();
    check(&world).await;
    let next = send(&world.socket(2).await, 1, "goes on").await;
    assert_eq!(next["seq"], 7);

    if store == Store::Sqlite {
        let directory = world.server.data_dir.path().to_owned();
        assert!(world.server.terminate().success());
        let has = |text: &str| {
            fs::read_dir(&directory).unwrap().any(|file| {
                let bytes = fs::read(file.unwrap().path()).unwrap();
                bytes.windows(text.len()).any(|window| window == text.as_bytes())
            })
        };
        assert!(has("content-that-stays"));
        for gone in [NAME, "username-erased", "content-erased", "edit-erased"] {
            assert!(!has(gone), "{gone} is in the database file");
        }
    }
}
