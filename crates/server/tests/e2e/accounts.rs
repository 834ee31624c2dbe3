//! The built-in accounts.

use std::{
    process::{Command, Stdio},
    time::Instant,
};

use sealroom_testkit::client::{Client, http::HttpResponse};
use serde_json::{Value, json};

use crate::{
    common::Store,
    revocation::{refusal, sent_away},
    world::{World, send, succeed, verdict},
};

const ON: (&str, &str) = ("SEALROOM_ACCOUNTS", "on");
const PASSWORD: &str = "correct horse battery";

/// A call without a token.
async fn call(world: &World, route: &str, body: Value) -> HttpResponse {
    let path = format!("/api/v1/auth/{route}");
    let answer = sealroom_testkit::client::http::request(world.addr(), "POST", &path, None, Some(body));
    answer.await.unwrap()
}

/// A login.
struct Login {
    user_id: u64,
    access: String,
    refresh: String,
}

/// A call that gives tokens.
async fn tokens(world: &World, route: &str, status: u16, body: Value) -> Login {
    let answer = call(world, route, body).await;
    assert_eq!(answer.status, status, "{}", answer.text());
    let body = answer.json();
    let text = |key: &str| body[key].as_str().unwrap().to_owned();
    assert_eq!(
        (text("token_type"), &body["expires_in"]),
        ("Bearer".to_owned(), &json!(900))
    );
    assert_eq!(answer.header("Cache-Control"), Some("no-store"), "{answer:?}");
    Login {
        user_id: body["user_id"].as_u64().unwrap(),
        access: text("access_token"),
        refresh: text("refresh_token"),
    }
}

async fn register(world: &World, username: &str) -> Login {
    let body = json!({"username": username, "password": PASSWORD});
    tokens(world, "register", 201, body).await
}

async fn log_in(world: &World, username: &str) -> Login {
    let body = json!({"username": username, "password": PASSWORD});
    tokens(world, "login", 200, body).await
}

async fn refresh(world: &World, refresh_token: &str) -> Login {
    tokens(world, "refresh", 200, json!({"refresh_token": refresh_token})).await
}

async fn socket(world: &World, login: &Login) -> Client {
    Client::connect(world.addr(), &login.access).await.unwrap()
}

on_each_store!(whoever_registers_chats);
async fn whoever_registers_chats(store: Store) {
    let mut world = World::start_with(store, &[ON]).await;
    let body = json!({"username": "An.Nguyen", "password": PASSWORD, "display_name": "Nguyễn An"});
    let an = tokens(&world, "register", 201, body).await;
    let binh = register(&world, "binh").await;
    assert_ne!(an.user_id, binh.user_id);
    let taken = json!({"username": "AN.nguyen", "password": PASSWORD});
    assert_eq!(
        verdict(&call(&world, "register", taken).await),
        (409, "conflict".into())
    );
    let me = world.call("GET", "/me", &an.access, None).await.json();
    assert_eq!(
        (&me["user_id"], &me["display_name"], &me["scope"]),
        (&json!(an.user_id), &json!("Nguyễn An"), &Value::Null)
    );

    let new = json!({"name": "two", "members": [binh.user_id]});
    let group = world.call("POST", "/groups", &an.access, Some(new)).await;
    assert_eq!(group.status, 201, "{}", group.text());
    let group_id = group.json()["group_id"].as_u64().unwrap();
    let (from, to) = (socket(&world, &an).await, socket(&world, &binh).await);
    succeed(&to, "join_group", json!({"group_id": group_id})).await;
    let sent = send(&from, group_id, "xin chào").await;
    assert_eq!(
        (&sent["sender_id"], &sent["sender_name"]),
        (&json!(an.user_id), &json!("Nguyễn An"))
    );
    assert_eq!(to.next_event("new_message").await.unwrap(), sent);

    world.server.restart();
    let again = log_in(&world, "AN.NGUYEN").await;
    assert_eq!(again.user_id, an.user_id);
    for login in [&an, &again] {
        socket(&world, login).await;
    }
    for (username, password) in [
        ("an.nguyen", "another password"),
        ("nobody", PASSWORD),
        ("x", PASSWORD),
    ] {
        let answer = call(
            &world,
            "login",
            json!({"username": username, "password": password}),
        )
        .await;
        assert_eq!(verdict(&answer), (401, "login_failed".into()), "{username}");
    }
    let bad = [
        (json!({"username": "ab", "password": PASSWORD}), "username"),
        (json!({"username": "a b c", "password": PASSWORD}), "username"),
        (json!({"username": "chi.le", "password": "short"}), "password"),
        (json!({"username": "chi.le"}), "password"),
        (
            json!({"username": "chi.le", "password": PASSWORD, "display_name": ""}),
            "display_name",
        ),
        (
            json!({"username": "chi.le", "password": PASSWORD, "user_id": 7}),
            "user_id",
        ),
    ];
    for (body, field) in bad {
        let answer = call(&world, "register", body.clone()).await;
        assert_eq!(verdict(&answer), (400, "invalid_data".into()), "{body}");
        assert!(
            field == "user_id" || answer.json()["field"] == field,
            "{body}: {}",
            answer.text()
        );
    }
    assert!(!world.server.log().contains(PASSWORD));
}

on_each_store!(a_refresh_token_is_spent_once_and_its_reuse_ends_the_login);
async fn a_refresh_token_is_spent_once_and_its_reuse_ends_the_login(store: Store) {
    let world = World::start_with(store, &[ON]).await;
    let first = register(&world, "an.nguyen").await;
    let elsewhere = log_in(&world, "an.nguyen").await;
    let second = refresh(&world, &first.refresh).await;
    let third = refresh(&world, &second.refresh).await;
    assert!(first.refresh != second.refresh && second.refresh != third.refresh);
    let sockets = [socket(&world, &first).await, socket(&world, &third).await];
    let other = socket(&world, &elsewhere).await;
    // Another access token of the login goes on an open socket.
    let fresh = json!({"token": second.access});
    succeed(&sockets[0], "refresh_token", fresh).await;

    let again = call(&world, "refresh", json!({"refresh_token": first.refresh})).await;
    assert_eq!(verdict(&again), (401, "token_revoked".into()));
    for socket in &sockets {
        sent_away(socket).await;
    }
    for login in [&first, &second, &third] {
        assert_eq!(refusal(&world, &login.access).await, "token_revoked");
        let me = world.call("GET", "/me", &login.access, None).await;
        assert_eq!(verdict(&me), (401, "token_revoked".into()));
        let body = json!({"refresh_token": login.refresh});
        assert_eq!(call(&world, "refresh", body).await.status, 401);
    }
    // What the user does elsewhere goes on.
    succeed(&other, "leave_group", json!({"group_id": 1})).await;
    refresh(&world, &elsewhere.refresh).await;
    for bad in ["", "x", &first.access] {
        let answer = call(&world, "refresh", json!({"refresh_token": bad})).await;
        assert_eq!(verdict(&answer), (401, "token_invalid".into()), "{bad}");
    }
}

on_each_store!(a_logout_ends_one_login_with_its_sockets);
async fn a_logout_ends_one_login_with_its_sockets(store: Store) {
    let world = World::start_with(store, &[ON]).await;
    let by_header = register(&world, "an.nguyen").await;
    let by_body = log_in(&world, "an.nguyen").await;
    let stays = log_in(&world, "an.nguyen").await;
    let mut sockets = Vec::new();
    for login in [&by_header, &by_body, &stays] {
        sockets.push(socket(&world, login).await);
    }
    let logout = world.call("POST", "/auth/logout", &by_header.access, None).await;
    assert_eq!(logout.status, 204, "{}", logout.text());
    sent_away(&sockets[0]).await;
    let logout = call(&world, "logout", json!({"refresh_token": by_body.refresh})).await;
    assert_eq!(logout.status, 204, "{}", logout.text());
    sent_away(&sockets[1]).await;
    for login in [&by_header, &by_body] {
        assert_eq!(refusal(&world, &login.access).await, "token_revoked");
        let body = json!({"refresh_token": login.refresh});
        assert_eq!(call(&world, "refresh", body).await.status, 401);
    }
    succeed(&sockets[2], "leave_group", json!({"group_id": 1})).await;
    let nobody = call(&world, "logout", json!({})).await;
    assert_eq!(verdict(&nobody), (401, "token_missing".into()));
}

on_each_store!(guessing_is_slowed_down_for_one_name);
async fn guessing_is_slowed_down_for_one_name(store: Store) {
    let world = World::start_with(store, &[ON]).await;
    register(&world, "an.nguyen").await;
    register(&world, "binh").await;
    let guess = json!({"username": "an.nguyen", "password": "a wrong guess"});
    for _ in 0..10 {
        let answer = call(&world, "login", guess.clone()).await;
        assert_eq!(verdict(&answer), (401, "login_failed".into()));
    }
    // The right one is not looked at any more either, in any spelling of the name.
    let right = json!({"username": "AN.Nguyen", "password": PASSWORD});
    let answer = call(&world, "login", right).await;
    assert_eq!(verdict(&answer), (429, "rate_limited".into()));
    let wait = answer.json()["retry_after_ms"].as_u64().unwrap();
    assert!((1..=30_000).contains(&wait), "{wait}");
    let seconds: u64 = answer.header("Retry-After").unwrap().parse().unwrap();
    assert_eq!(seconds, wait.div_ceil(1000));
    log_in(&world, "binh").await;
}

on_each_store!(an_address_may_try_so_many_names_and_no_more);
async fn an_address_may_try_so_many_names_and_no_more(store: Store) {
    let world = World::start_with(store, &[ON]).await;
    let begin = Instant::now();
    let mut looked_at = 0;
    loop {
        let guess = json!({"username": format!("name-{looked_at}"), "password": "a wrong guess"});
        match verdict(&call(&world, "login", guess).await).0 {
            401 => looked_at += 1,
            status => break assert_eq!(status, 429),
        }
        assert!(looked_at < 200, "no end of it");
    }
    // One comes back each 2 s.
    let most = 51 + begin.elapsed().as_secs() / 2;
    assert!((50..=most).contains(&looked_at), "{looked_at}");
    let another = json!({"username": "an.nguyen", "password": PASSWORD});
    let answer = call(&world, "register", another).await;
    assert_eq!(verdict(&answer), (429, "rate_limited".into()));
    // Spending a refresh token has a rate of its own.
    let made_up = call(&world, "refresh", json!({"refresh_token": "made up"})).await;
    assert_eq!(verdict(&made_up), (401, "token_invalid".into()));
}

on_each_store!(with_accounts_the_server_gives_out_ids_and_names);
async fn with_accounts_the_server_gives_out_ids_and_names(store: Store) {
    let world = World::start_with(store, &[ON]).await;
    let an = register(&world, "an.nguyen").await;
    let path = format!("/users/{}", an.user_id);
    let unknown = world
        .admin("PUT", "/users/4711", json!({"display_name": "Somebody"}))
        .await;
    assert_eq!(verdict(&unknown), (404, "not_found".into()));
    let known = world
        .admin("PUT", &path, json!({"display_name": "Nguyễn An"}))
        .await;
    assert_eq!(known.status, 200, "{}", known.text());
    let renamed = world
        .admin("PUT", &path, json!({"display_name": "x", "username": "another"}))
        .await;
    assert_eq!(verdict(&renamed), (409, "conflict".into()));
    log_in(&world, "an.nguyen").await;
}

on_each_store!(nobody_inherits_what_was_said_of_an_id_before);
async fn nobody_inherits_what_was_said_of_an_id_before(store: Store) {
    let world = World::start_with(store, &[ON]).await;
    let an = register(&world, "an.nguyen").await;
    let next = an.user_id + 1;
    // Ids that the server has not given out yet, in every place that takes one.
    world.group(1, [an.user_id]).await;
    let member = format!("/groups/1/members/{next}");
    let added = verdict(&world.admin("PUT", &member, None).await);
    let new = json!({"name": "g", "members": [next + 1]});
    let made = verdict(&world.call("POST", "/groups", &an.access, Some(new)).await);
    let revoked = verdict(
        &world
            .admin("POST", &format!("/users/{}/revoke", next + 2), None)
            .await,
    );
    let mut newcomers = Vec::new();
    for username in ["binh", "chi", "dung"] {
        let login = register(&world, username).await;
        let groups = world.call("GET", "/groups", &login.access, None).await.json();
        assert_eq!(groups, json!({"groups": []}), "{added:?} {made:?} {revoked:?}");
        newcomers.push(login.user_id);
    }
    newcomers.push(an.user_id);
    newcomers.sort_unstable();
    newcomers.dedup();
    assert_eq!(newcomers.len(), 4);
}

on_each_store!(an_erased_account_is_gone_for_good);
async fn an_erased_account_is_gone_for_good(store: Store) {
    let mut world = World::start_with(store, &[ON]).await;
    let an = register(&world, "an.nguyen").await;
    let client = socket(&world, &an).await;
    let erased = world
        .admin("DELETE", &format!("/users/{}", an.user_id), None)
        .await;
    assert_eq!(erased.status, 204, "{}", erased.text());
    sent_away(&client).await;
    world.server.restart();
    assert_eq!(refusal(&world, &an.access).await, "token_revoked");
    let body = json!({"username": "an.nguyen", "password": PASSWORD});
    assert_eq!(
        verdict(&call(&world, "login", body).await),
        (401, "login_failed".into())
    );
    let body = json!({"refresh_token": an.refresh});
    assert_eq!(call(&world, "refresh", body).await.status, 401);
    // The name is free again, for somebody else.
    assert_ne!(register(&world, "an.nguyen").await.user_id, an.user_id);
}

on_each_store!(accounts_are_off_by_default);
async fn accounts_are_off_by_default(store: Store) {
    let world = World::start_on(store).await;
    let account = json!({"username": "an.nguyen", "password": PASSWORD});
    let refresh = json!({"refresh_token": "x"});
    for (route, body) in [
        ("register", &account),
        ("login", &account),
        ("refresh", &refresh),
        ("logout", &refresh),
    ] {
        assert_eq!(
            verdict(&call(&world, route, body.clone()).await),
            (404, "not_found".into()),
            "{route}"
        );
    }
}

#[test]
fn accounts_beside_an_outside_issuer_stop_the_start() {
    let directory = tempfile::tempdir().unwrap();
    for (variable, value) in [
        ("SEALROOM_JWKS_URL", "https://issuer.example/jwks.json"),
        ("SEALROOM_JWT_PUBLIC_KEY_FILE", "keys.pem"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_sealroom-server"))
            .current_dir(directory.path())
            .env_clear()
            .env("SEALROOM_LISTEN", "127.0.0.1:0")
            .env(ON.0, ON.1)
            .env(variable, value)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(
            output.stdout.is_empty() && stderr.lines().count() == 1,
            "{stderr}"
        );
        assert!(stderr.contains("SEALROOM_ACCOUNTS"), "{stderr}");
    }
}
