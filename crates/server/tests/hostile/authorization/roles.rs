//! Roles and the scope of admins: who takes more than was given, and what bodies try to set besides.

use sealroom_testkit::client::{Client, http};
use serde_json::{Value, json};

use crate::{
    common::TestServer,
    signer::{Signer, claims},
    target::{ALICE, GROUP, MALLORY, OUTSIDER, Target},
    world::{World, ask, number, succeed, verdict},
};

const ADMIN: u64 = 40;
const OWNER: u64 = 41;
/// Nobody knows it where tokens do not make users known.
const STRANGER: u64 = 4711;

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.into())
}

fn member(user_id: u64) -> String {
    format!("/groups/{GROUP}/members/{user_id}")
}

async fn put(world: &World, actor: u64, user_id: u64, role: &str) -> (u16, String) {
    let body = json!({"role": role});
    verdict(&world.user(actor, "PUT", &member(user_id), body).await)
}

async fn delete(world: &World, actor: u64, user_id: u64) -> (u16, String) {
    verdict(&world.user(actor, "DELETE", &member(user_id), None).await)
}

async fn give(world: &World, user_id: u64, role: &str) {
    let answer = world.admin("PUT", &member(user_id), json!({"role": role})).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// The owners that the group has.
async fn owners(world: &World) -> Vec<u64> {
    let members = world.admin("GET", "/groups/1/members", None).await.json();
    let members = members["members"].as_array().unwrap().clone();
    let owners = members.iter().filter(|member| member["role"] == "owner");
    owners.map(|member| number(&member["user_id"])).collect()
}

pub(super) async fn az_11_taking_more_than_was_given(target: &mut Target) {
    let world = &target.world;
    give(world, ADMIN, "admin").await;
    give(world, OWNER, "owner").await;
    let before = world.log(GROUP).await;
    let done = (200, String::new());
    for (actor, user_id, role, expected) in [
        // A member makes itself or a friend something, or brings somebody in.
        (MALLORY, MALLORY, "admin", refused(403, "forbidden")),
        (MALLORY, MALLORY, "owner", refused(403, "forbidden")),
        (MALLORY, MALLORY, "member", refused(403, "forbidden")),
        (MALLORY, ALICE, "admin", refused(403, "forbidden")),
        (MALLORY, OWNER, "member", refused(403, "forbidden")),
        (MALLORY, STRANGER, "member", refused(403, "forbidden")),
        // An admin makes itself an owner, or takes from one who stands above.
        (ADMIN, ADMIN, "owner", refused(403, "forbidden")),
        (ADMIN, ALICE, "owner", refused(403, "forbidden")),
        (ADMIN, OWNER, "admin", refused(403, "forbidden")),
        (ADMIN, OWNER, "owner", refused(403, "forbidden")),
        // Somebody outside.
        (OUTSIDER, OUTSIDER, "owner", refused(403, "not_a_member")),
        (OUTSIDER, MALLORY, "owner", refused(403, "not_a_member")),
        // The last owner steps down.
        (OWNER, OWNER, "admin", refused(409, "conflict")),
        (OWNER, OWNER, "member", refused(409, "conflict")),
        // Roles that there are not.
        (OWNER, MALLORY, "superuser", refused(400, "invalid_data")),
        (OWNER, MALLORY, "ADMIN", refused(400, "invalid_data")),
        (OWNER, MALLORY, "admin ", refused(400, "invalid_data")),
        (OWNER, MALLORY, "", refused(400, "invalid_data")),
        // What is so already is no change.
        (ADMIN, ADMIN, "admin", done.clone()),
        (OWNER, OWNER, "owner", done.clone()),
        (OWNER, MALLORY, "member", done.clone()),
    ] {
        assert_eq!(
            put(world, actor, user_id, role).await,
            expected,
            "{actor} makes {user_id} {role}"
        );
    }
    for (actor, user_id, expected) in [
        (MALLORY, ALICE, refused(403, "forbidden")),
        (MALLORY, OWNER, refused(403, "forbidden")),
        (ADMIN, OWNER, refused(403, "forbidden")),
        (ADMIN, STRANGER, refused(404, "not_found")),
        (OUTSIDER, OUTSIDER, refused(403, "not_a_member")),
        (OUTSIDER, MALLORY, refused(403, "not_a_member")),
        (OWNER, OWNER, refused(409, "conflict")),
    ] {
        assert_eq!(
            delete(world, actor, user_id).await,
            expected,
            "{actor} removes {user_id}"
        );
    }
    assert_eq!(world.log(GROUP).await, before);
    scopes(world).await;
    assert_eq!(world.log(GROUP).await, before);
    owners_leave_at_once(world).await;
    an_admin_that_is_being_put_down(world).await;
    users_that_nobody_knows(target).await;
}

/// Only the word itself opens the calls of admins.
async fn scopes(world: &World) {
    let signer = Signer::Hs256(world.server.secret.clone());
    for (scope, expected) in [
        (json!("Admin"), refused(403, "forbidden")),
        (json!("ADMIN"), refused(403, "forbidden")),
        (json!("administrator"), refused(403, "forbidden")),
        (json!("xadmin"), refused(403, "forbidden")),
        (json!("user:admin"), refused(403, "forbidden")),
        (json!("admin:read"), refused(403, "forbidden")),
        (json!("read,admin"), refused(403, "forbidden")),
        (json!("admin\t"), refused(403, "forbidden")),
        (json!("read\nadmin"), refused(403, "forbidden")),
        (json!("ａdmin"), refused(403, "forbidden")),
        (json!(""), refused(403, "forbidden")),
        (json!(["admin"]), refused(401, "token_invalid")),
        (json!({"admin": true}), refused(401, "token_invalid")),
        (json!(true), refused(401, "token_invalid")),
        (json!("read admin"), (200, String::new())),
    ] {
        let mut claims = claims(MALLORY);
        claims["scope"] = scope.clone();
        // Claims that other issuers say it with.
        for name in ["role", "roles", "admin", "is_admin", "scp", "groups"] {
            claims[name] = json!("admin");
        }
        let token = signer.token(&claims);
        let name = json!({"name": "Group 1"});
        let answer = world.call("PUT", "/groups/1", &token, Some(name)).await;
        assert_eq!(verdict(&answer), expected, "{scope}");
    }
}

/// Two owners at a time: each leaves, or puts the other or itself down.
async fn owners_leave_at_once(world: &World) {
    for round in 0..24 {
        for user_id in [OWNER, MALLORY] {
            give(world, user_id, "owner").await;
        }
        let step = async |actor: u64, other: u64| match round % 3 {
            0 => delete(world, actor, actor).await,
            1 => put(world, actor, actor, "member").await,
            _ => put(world, actor, other, "member").await,
        };
        let outcomes = tokio::join!(step(OWNER, MALLORY), step(MALLORY, OWNER));
        let outcomes = [outcomes.0, outcomes.1];
        let won = outcomes.iter().filter(|(status, _)| *status < 300).count();
        assert_eq!(won, 1, "round {round}: {outcomes:?}");
        // Who is put down first has no right any more; who would be the last must stay.
        let lost = outcomes.iter().find(|(status, _)| *status >= 300).unwrap();
        let expected = if round % 3 == 2 {
            refused(403, "forbidden")
        } else {
            refused(409, "conflict")
        };
        assert_eq!(*lost, expected, "round {round}");
        assert_eq!(owners(world).await.len(), 1, "round {round}");
    }
    give(world, OWNER, "owner").await;
    give(world, MALLORY, "member").await;
}

/// What an admin does while it is put down stands in the log before that, or was refused.
async fn an_admin_that_is_being_put_down(world: &World) {
    let mut outcomes = [0; 2];
    for round in 0..24_u64 {
        give(world, ADMIN, "admin").await;
        let accomplice = 5_000 + round;
        let later = std::time::Duration::from_micros(round * 150);
        let bring_in = async {
            tokio::time::sleep(later).await;
            put(world, ADMIN, accomplice, "admin").await
        };
        let (brought_in, put_down) = tokio::join!(bring_in, put(world, OWNER, ADMIN, "member"));
        assert_eq!(put_down, (200, String::new()));
        let log = world.log(GROUP).await;
        let place = |user_id: u64, role: &str| {
            let found = log
                .iter()
                .rposition(|entry| entry["user_id"] == user_id && entry["role"] == role);
            found.map(|index| index + 1)
        };
        let down = place(ADMIN, "member").unwrap();
        match place(accomplice, "admin") {
            Some(seq) => {
                assert_eq!(brought_in, (200, String::new()));
                assert!(
                    seq < down,
                    "brought in at {seq} by one who was put down at {down}"
                );
            }
            None => assert_eq!(brought_in, refused(403, "forbidden")),
        }
        outcomes[usize::from(brought_in.0 == 200)] += 1;
        assert_eq!(
            put(world, ADMIN, 6_000 + round, "member").await,
            refused(403, "forbidden")
        );
    }
    println!("{} refused, {} in time", outcomes[0], outcomes[1]);
}

/// Where tokens do not make users known, nobody is added whom the host has not named.
async fn users_that_nobody_knows(target: &Target) {
    let settings = [("SEALROOM_PROVISION_USERS", "off")];
    let world = World::of(TestServer::start_on(target.store(), &settings).await);
    for user_id in [OWNER, ALICE] {
        let path = format!("/users/{user_id}");
        let answer = world.admin("PUT", &path, json!({"display_name": "known"})).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let group = json!({"name": "of those who are known", "members": [ALICE]});
    assert_eq!(world.user(OWNER, "POST", "/groups", group).await.status, 201);
    let groups = world.user(OWNER, "GET", "/groups", None).await.json();
    let group_id = number(&groups["groups"][0]["group_id"]);
    let member = format!("/groups/{group_id}/members/{STRANGER}");
    assert_eq!(
        verdict(&world.user(OWNER, "PUT", &member, json!({})).await),
        refused(404, "not_found")
    );
    assert_eq!(
        verdict(&world.admin("PUT", &member, json!({})).await),
        refused(404, "not_found")
    );
    // All of it or nothing: no group with those who are known.
    let group = json!({"name": "x", "members": [ALICE, STRANGER]});
    assert_eq!(
        verdict(&world.user(OWNER, "POST", "/groups", group).await),
        refused(404, "not_found")
    );
    assert_eq!(world.user(OWNER, "GET", "/groups", None).await.json(), groups);
    assert_eq!(world.log(group_id).await.len(), 2);
}

/// Keys that a body has no place for.
const FURTHER: [(&str, &str); 18] = [
    ("role", r#""owner""#),
    ("owner", "1"),
    ("owner_id", "1"),
    ("user_id", "2"),
    ("sender_id", "2"),
    ("actor_id", "2"),
    ("sender_name", r#""Alice""#),
    ("group_id", "2"),
    ("id", "1"),
    ("seq", "1"),
    ("read_seq", "1"),
    ("head_seq", "0"),
    ("timestamp", r#""2020-01-01T00:00:00.000Z""#),
    ("scope", r#""admin""#),
    ("is_admin", "true"),
    ("__proto__", r#"{"scope":"admin"}"#),
    ("constructor", "null"),
    ("", "1"),
];

/// Routes with a body, as somebody with every right calls them.
const BODIES: [(&str, &str, &str, &[&str]); 8] = [
    ("POST", "/groups", r#"{"name":"mass assignment"}"#, &[]),
    ("PUT", "/groups/1", r#"{"name":"mass assignment"}"#, &[]),
    ("PATCH", "/groups/1", r#"{"name":"mass assignment"}"#, &[]),
    ("PATCH", "/groups/1", r#"{"retention":{"count":5}}"#, &[]),
    ("PUT", "/groups/1/members/2", r#"{"role":"admin"}"#, &["role"]),
    (
        "POST",
        "/groups/1/messages",
        r#"{"encrypted_content":"mass assignment"}"#,
        &[],
    ),
    ("PUT", "/groups/1/read", r#"{"seq":2}"#, &["seq"]),
    ("PUT", "/users/2", r#"{"display_name":"mass assignment"}"#, &[]),
];

const OF_ACCOUNTS: [(&str, &str); 4] = [
    (
        "register",
        r#"{"username":"mallory","password":"correct horse battery"}"#,
    ),
    (
        "login",
        r#"{"username":"alice","password":"correct horse battery"}"#,
    ),
    ("refresh", r#"{"refresh_token":"TOKEN"}"#),
    ("logout", r#"{"refresh_token":"TOKEN"}"#),
];

fn with_key(body: &str, key: &str, value: &str) -> String {
    let open = body.strip_suffix('}').unwrap();
    format!("{open},\"{key}\":{value}}}")
}

pub(super) async fn az_14_bodies_that_set_more_than_they_may(target: &mut Target) {
    let world = &target.world;
    let admin = world.server.mint_admin();
    let bearer = format!("Bearer {admin}");
    let send = async |world: &World, method: &str, path: &str, body: &str, bearer: Option<&str>| {
        let mut headers = vec![("Content-Type", "application/json")];
        headers.extend(bearer.map(|bearer| ("Authorization", bearer)));
        let path = format!("/api/v1{path}");
        let answer = http::request_with(world.addr(), method, &path, &headers, body.as_bytes()).await;
        verdict(&answer.unwrap())
    };
    let before = everything(world).await;
    for (method, path, body, own) in BODIES {
        for (key, value) in FURTHER.iter().filter(|(key, _)| !own.contains(key)) {
            let body = with_key(body, key, value);
            let answer = send(world, method, path, &body, Some(&bearer)).await;
            assert_eq!(answer, refused(400, "invalid_data"), "{method} {path} {body}");
        }
        // Its own key a second time, and in other spellings.
        let (key, value) = body.strip_prefix("{\"").unwrap().split_once("\":").unwrap();
        let value = value.strip_suffix('}').unwrap();
        for key in [
            key.to_owned(),
            key.to_uppercase(),
            format!("{key} "),
            format!("{key}\\u0000"),
        ] {
            let body = with_key(body, &key, value);
            let answer = send(world, method, path, &body, Some(&bearer)).await;
            assert_eq!(answer, refused(400, "invalid_data"), "{method} {path} {body}");
        }
    }
    // Within a value as well.
    for body in [
        r#"{"retention":{"count":5,"role":"owner"}}"#,
        r#"{"retention":{"count":5,"count":6}}"#,
    ] {
        let answer = send(world, "PATCH", "/groups/1", body, Some(&bearer)).await;
        assert_eq!(answer, refused(400, "invalid_data"), "{body}");
    }
    assert_eq!(everything(world).await, before);

    let world = World::of(TestServer::start_on(target.store(), &[("SEALROOM_ACCOUNTS", "on")]).await);
    let alice = r#"{"username":"alice","password":"correct horse battery"}"#;
    let path = "/api/v1/auth/register";
    let body: Value = serde_json::from_str(alice).unwrap();
    let registered = http::request(world.addr(), "POST", path, None, Some(body))
        .await
        .unwrap();
    assert_eq!(registered.status, 201);
    let token = registered.json()["refresh_token"].as_str().unwrap().to_owned();
    for (route, body) in OF_ACCOUNTS {
        let (body, path) = (body.replace("TOKEN", &token), format!("/auth/{route}"));
        for (key, value) in FURTHER {
            let body = with_key(&body, key, value);
            let answer = send(&world, "POST", &path, &body, None).await;
            assert_eq!(answer, refused(400, "invalid_data"), "{path} {body}");
        }
    }
    // Nothing was used up: no name taken, no token spent or ended.
    let mut token = token;
    for (route, body) in OF_ACCOUNTS {
        let path = format!("/api/v1/auth/{route}");
        let body: Value = serde_json::from_str(&body.replace("TOKEN", &token)).unwrap();
        let answer = http::request(world.addr(), "POST", &path, None, Some(body))
            .await
            .unwrap();
        assert!(answer.status < 300, "{path}: {answer:?}");
        if route == "refresh" {
            answer.json()["refresh_token"]
                .as_str()
                .unwrap()
                .clone_into(&mut token);
        }
    }
}

async fn everything(world: &World) -> Vec<Value> {
    let mut all = vec![json!(world.log(GROUP).await)];
    for path in ["/groups/1", "/groups/1/members", "/groups"] {
        all.push(world.admin("GET", path, None).await.json());
    }
    // By what name a user writes.
    let alice: Client = world.socket(ALICE).await;
    let joined = succeed(&alice, "join_group", json!({"group_id": GROUP})).await;
    all.push(joined["head_seq"].clone());
    all.push(ask(&alice, "mark_read", json!({"group_id": GROUP, "seq": 0})).await);
    all
}
