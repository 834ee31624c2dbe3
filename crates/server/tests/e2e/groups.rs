//! Groups and their members over HTTP.

use serde_json::{Value, json};

use crate::{
    common::Store,
    world::{World, ask, heard, send, succeed, verdict},
};

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.into())
}

on_each_store!(a_group_is_made_listed_renamed_and_deleted);
async fn a_group_is_made_listed_renamed_and_deleted(store: Store) {
    let mut world = World::start_on(store).await;
    let new = json!({"name": "Nhóm", "members": [2, 3, 2, 1]});
    let created = world.user(1, "POST", "/groups", new).await;
    let mut group = created.json();
    let group_id = group["group_id"].as_u64().unwrap();
    let path = format!("/groups/{group_id}");
    assert_eq!(
        (created.status, created.header("Location")),
        (201, Some(&*format!("/api/v1{path}")))
    );
    let expected = json!({
        "group_id": group_id, "name": "Nhóm", "role": "owner", "head_seq": 3, "read_seq": 0, "unread": 3,
    });
    assert_eq!(group, expected);
    assert_eq!(
        world.user(1, "GET", "/groups", None).await.json(),
        json!({"groups": [group]})
    );
    group["role"] = json!("member");
    assert_eq!(world.user(2, "GET", &path, None).await.json(), group);
    let members = json!({"members": [
        {"user_id": 1, "role": "owner"}, {"user_id": 2, "role": "member"}, {"user_id": 3, "role": "member"},
    ]});
    assert_eq!(
        world
            .user(3, "GET", &format!("{path}/members"), None)
            .await
            .json(),
        members
    );
    let log = world.log(group_id).await;
    assert!(
        log.iter()
            .all(|entry| entry["type"] == "member_added" && entry["actor_id"] == 1),
        "{log:?}"
    );
    let roles: Vec<_> = log
        .iter()
        .map(|entry| (entry["user_id"].clone(), entry["role"].clone()))
        .collect();
    assert_eq!(
        roles,
        [(1, "owner"), (2, "member"), (3, "member")].map(|(id, role)| (json!(id), json!(role)))
    );

    let renamed = world
        .user(1, "PATCH", &path, json!({"name": "Bạn bè"}))
        .await
        .json();
    assert_eq!(
        (&renamed["name"], &renamed["head_seq"]),
        (&json!("Bạn bè"), &json!(3))
    );
    outsiders_see_and_do_nothing(&world, &path).await;
    for body in [
        json!({}),
        json!({"name": ""}),
        json!({"name": 5}),
        json!({"name": "x", "group_id": 5}),
    ] {
        let answer = world.user(1, "POST", "/groups", body.clone()).await;
        assert_eq!(verdict(&answer), refused(400, "invalid_data"), "{body}");
    }

    let (joined, elsewhere) = (world.joined(2, group_id).await, world.socket(3).await);
    send(&joined, group_id, "x").await;
    assert_eq!(
        verdict(&world.user(2, "DELETE", &path, None).await),
        refused(403, "forbidden")
    );
    assert_eq!(world.user(1, "DELETE", &path, None).await.status, 204);
    let told = json!({"group_id": group_id, "reason": "group_deleted"});
    for client in [&joined, &elsewhere] {
        assert_eq!(
            heard(client, "removed_from_group").await,
            std::slice::from_ref(&told)
        );
        for event in ["join_group", "get_entries", "send_message"] {
            let request = json!({"group_id": group_id, "encrypted_content": "x"});
            assert_eq!(
                ask(client, event, request).await["code"],
                "not_a_member",
                "{event}"
            );
        }
        assert_eq!(client.closed(), None);
    }
    world.server.restart();
    assert_eq!(
        world.user(1, "GET", "/groups", None).await.json(),
        json!({"groups": []})
    );
    assert_eq!(
        verdict(&world.admin("GET", &path, None).await),
        refused(404, "not_found")
    );
}

async fn outsiders_see_and_do_nothing(world: &World, path: &str) {
    for (method, route, body) in [
        ("GET", path.to_owned(), Value::Null),
        ("PATCH", path.to_owned(), json!({"name": "x"})),
        ("DELETE", path.to_owned(), Value::Null),
        ("GET", format!("{path}/members"), Value::Null),
        ("PUT", format!("{path}/members/9"), json!({})),
        ("DELETE", format!("{path}/members/1"), Value::Null),
        ("GET", format!("{path}/messages"), Value::Null),
        ("GET", format!("{path}/entries"), Value::Null),
        (
            "POST",
            format!("{path}/messages"),
            json!({"encrypted_content": "x"}),
        ),
    ] {
        let body = Some(body).filter(|body| !body.is_null());
        let answer = world.user(9, method, &route, body.clone()).await;
        assert_eq!(verdict(&answer), refused(403, "not_a_member"), "{method} {route}");
        // The same for a group that there is not, but for whoever may see all.
        let absent = route.replace(path, "/groups/4711");
        let answer = world.user(9, method, &absent, body.clone()).await;
        assert_eq!(
            verdict(&answer),
            refused(403, "not_a_member"),
            "{method} {absent}"
        );
        let answer = world.admin(method, &absent, body).await;
        assert_eq!(verdict(&answer), refused(404, "not_found"), "{method} {absent}");
    }
}

on_each_store!(roles_decide_who_changes_whom_and_an_owner_always_stays);
async fn roles_decide_who_changes_whom_and_an_owner_always_stays(store: Store) {
    let world = World::start_on(store).await;
    let new = json!({"name": "g", "members": [2, 3, 4]});
    let group_id = world.user(1, "POST", "/groups", new).await.json()["group_id"]
        .as_u64()
        .unwrap();
    let member = |user_id: u64| format!("/groups/{group_id}/members/{user_id}");
    let put = async |actor: u64, user_id: u64, role: &str| {
        let body = if role.is_empty() {
            json!({})
        } else {
            json!({"role": role})
        };
        verdict(&world.user(actor, "PUT", &member(user_id), body).await)
    };
    let delete =
        async |actor: u64, user_id: u64| verdict(&world.user(actor, "DELETE", &member(user_id), None).await);
    let (done, forbidden) = ((200, String::new()), refused(403, "forbidden"));
    assert_eq!(put(1, 2, "admin").await, done);
    // An admin gives roles up to its own, and touches nobody above.
    assert_eq!(put(2, 5, "").await, done);
    assert_eq!(put(2, 6, "admin").await, done);
    assert_eq!(put(2, 7, "owner").await, forbidden);
    assert_eq!(put(2, 1, "member").await, forbidden);
    assert_eq!(delete(2, 1).await, forbidden);
    // A member changes nobody but itself.
    for (user_id, role) in [(4, "admin"), (3, "admin"), (8, "")] {
        assert_eq!(put(3, user_id, role).await, forbidden);
    }
    assert_eq!(delete(3, 4).await, forbidden);
    assert_eq!(
        verdict(
            &world
                .user(3, "PATCH", &format!("/groups/{group_id}"), json!({"name": "x"}))
                .await
        ),
        forbidden
    );
    assert_eq!(delete(2, 77).await, refused(404, "not_found"));
    for role in ["boss", "Owner", "5"] {
        assert_eq!(put(1, 4, role).await, refused(400, "invalid_data"));
    }

    // Whoever leaves hears so itself.
    let (leaver, other) = (world.joined(4, group_id).await, world.joined(3, group_id).await);
    assert_eq!(delete(4, 4).await.0, 204);
    let told = json!({"group_id": group_id, "reason": "left"});
    assert_eq!(heard(&leaver, "removed_from_group").await, [told]);
    let entry = other.next_event("member_removed").await.unwrap();
    assert_eq!(
        (&entry["user_id"], &entry["actor_id"], &entry["reason"]),
        (&json!(4), &json!(4), &json!("left"))
    );
    send(&other, group_id, "without it").await;
    assert_eq!(heard(&leaver, "new_message").await.len(), 0);

    // The last owner stays until there is another.
    assert_eq!(delete(1, 1).await, refused(409, "conflict"));
    assert_eq!(put(1, 1, "member").await, refused(409, "conflict"));
    assert_eq!(put(1, 3, "owner").await, done);
    let entry = other.next_event("member_added").await.unwrap();
    assert_eq!(
        (&entry["user_id"], &entry["role"], &entry["actor_id"]),
        (&json!(3), &json!("owner"), &json!(1))
    );
    assert_eq!(delete(1, 1).await.0, 204);
    assert_eq!(delete(3, 3).await, refused(409, "conflict"));
    // Whoever stands above roles is bound by none of them.
    assert_eq!(
        verdict(&world.admin("PUT", &member(9), json!({"role": "owner"})).await),
        done
    );
    assert_eq!(world.admin("DELETE", &member(9), None).await.status, 204);
    let head = world.log(group_id).await.len();
    assert_eq!(put(3, 2, "admin").await, done);
    assert_eq!(world.log(group_id).await.len(), head, "no change is no entry");
}

on_each_store!(groups_and_members_are_limited);
async fn groups_and_members_are_limited(store: Store) {
    let limits = [
        ("SEALROOM_LIMIT_MEMBERS_PER_GROUP", "3"),
        ("SEALROOM_LIMIT_GROUPS_PER_USER", "2"),
    ];
    let world = World::start_with(store, &limits).await;
    world.group(1, [1, 2, 3]).await;
    let limited = |answer: &sealroom_testkit::client::http::HttpResponse, limit: u64| {
        assert_eq!(verdict(answer), refused(409, "limit_exceeded"));
        assert_eq!(answer.json()["limit"], limit);
    };
    limited(&world.admin("PUT", "/groups/1/members/4", None).await, 3);
    // One who is in already takes no place, and one who goes gives it back.
    assert_eq!(
        world
            .admin("PUT", "/groups/1/members/3", json!({"role": "admin"}))
            .await
            .status,
        200
    );
    world.remove(1, 3).await;
    world.add(1, 4).await;
    let crowd = json!({"name": "g", "members": [5, 6, 7]});
    limited(&world.user(8, "POST", "/groups", crowd).await, 3);

    world.group(2, [1]).await;
    world.group(3, []).await;
    limited(&world.admin("PUT", "/groups/3/members/1", None).await, 2);
    limited(&world.user(1, "POST", "/groups", json!({"name": "g"})).await, 2);
    limited(
        &world
            .user(8, "POST", "/groups", json!({"name": "g", "members": [1]}))
            .await,
        2,
    );
    world.remove(2, 1).await;
    world.add(3, 1).await;
    succeed(&world.socket(1).await, "join_group", json!({"group_id": 3})).await;
}

on_each_store!(the_host_puts_groups_under_ids_of_its_own);
async fn the_host_puts_groups_under_ids_of_its_own(store: Store) {
    let world = World::start_on(store).await;
    let put = async |path: &str, body: Value| world.admin("PUT", path, body).await;
    let created = put("/groups/4711", json!({"name": "one"})).await;
    assert_eq!(
        (created.status, created.header("Location")),
        (201, Some("/api/v1/groups/4711"))
    );
    assert_eq!(put("/groups/4711", json!({"name": "one"})).await.status, 200);
    let renamed = put("/groups/4711", json!({"name": "two"})).await;
    assert_eq!(
        (renamed.status, renamed.json()),
        (200, json!({"group_id": 4711, "name": "two"}))
    );
    assert_eq!(world.log(4711).await.len(), 0);
    assert_eq!(
        world.admin("GET", "/groups/4711/members", None).await.json(),
        json!({"members": []})
    );
    // Ids that the server gives out keep clear of it.
    let next = world
        .user(1, "POST", "/groups", json!({"name": "g"}))
        .await
        .json();
    assert_ne!(next["group_id"], 4711);
    let forbidden = world.user(1, "PUT", "/groups/4712", json!({"name": "x"})).await;
    assert_eq!(verdict(&forbidden), refused(403, "forbidden"));
    for path in [
        "/groups/0",
        "/groups/-1",
        "/groups/x",
        "/groups/9007199254740992",
        "/groups/1.0",
    ] {
        let status = put(path, json!({"name": "x"})).await.status;
        assert!(status == 400 || status == 404, "{path}: {status}");
    }
}

on_each_store!(a_group_under_the_id_of_a_deleted_one_is_another);
async fn a_group_under_the_id_of_a_deleted_one_is_another(store: Store) {
    let world = World::start_on(store).await;
    world.group(1, [1, 2]).await;
    let (member, other) = (world.joined(1, 1).await, world.joined(2, 1).await);
    send(&member, 1, "of the former").await;
    let rule = json!({"retention": {"count": 1000}});
    assert_eq!(world.admin("PATCH", "/groups/1", rule).await.status, 200);
    assert_eq!(world.admin("DELETE", "/groups/1", None).await.status, 204);
    heard(&other, "removed_from_group").await;

    world.group(1, [1]).await;
    let page = succeed(&member, "get_entries", json!({"group_id": 1})).await;
    let entries = page["entries"].as_array().unwrap();
    assert_eq!(
        (entries.len(), &entries[0]["type"], &page["has_more"]),
        (1, &json!("member_added"), &json!(false))
    );
    // No place ever names two entries, one lies between, and what was before is gone.
    assert_eq!(entries[0]["seq"], 5);
    let join = succeed(&member, "join_group", json!({"group_id": 1, "after_seq": 1})).await;
    assert_eq!(
        (&join["recovered"], &join["entries"]),
        (&json!(false), &json!([]))
    );
    let messages = world.user(1, "GET", "/groups/1/messages", None).await.json();
    assert_eq!(messages["messages"], json!([]));
    let group = world.user(1, "GET", "/groups/1", None).await.json();
    assert_eq!((&group["role"], group.get("retention")), (&json!("member"), None));
    // Who was a member of the former is none of this one, and hears nothing of it.
    send(&member, 1, "of the new one").await;
    assert_eq!(
        ask(&other, "join_group", json!({"group_id": 1})).await["code"],
        "not_a_member"
    );
    assert_eq!(heard(&other, "new_message").await.len(), 1);
}
