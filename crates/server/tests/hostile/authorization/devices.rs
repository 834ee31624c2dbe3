//! Sockets of one user that go different ways, and rights that ended a moment ago.

use std::time::Duration;

use sealroom_testkit::client::{Client, Kind, Received, http};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::{
    common::{Store, TestServer},
    target::{ALICE, GROUP, MALLORY, Target},
    world::{World, ask, number, send, succeed, verdict},
};

const GUEST: u64 = 30;
/// Another server without a bus hears of a change within it.
const OTHER_SERVER: Duration = Duration::from_secs(2);

/// Sends, and says which of these sockets, all joined, receive it.
async fn who_receives(writer: &Client, group_id: u64, sockets: &[&Client]) -> Vec<bool> {
    let message = send(writer, group_id, "who is there").await;
    let mut received = Vec::new();
    for socket in sockets {
        if socket.closed().is_some() {
            received.push(false);
            continue;
        }
        // Behind everything that it was sent.
        drop(ask(socket, "echo", json!({})).await);
        let came = socket.take_received();
        received.push(
            came.iter()
                .any(|one| one.is_event("new_message") && one.payload() == message),
        );
    }
    received
}

async fn sent_away(client: &Client) {
    let begin = Instant::now();
    client.wait_closed().await.unwrap();
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
    let kinds: Vec<_> = client.received().iter().map(Received::kind).collect();
    assert_eq!(kinds.last_chunk(), Some(&[Kind::Disconnect, Kind::Closed]));
}

pub(super) async fn az_15_one_of_several_devices(target: &mut Target) {
    let world = &target.world;
    let writer = world.socket(MALLORY).await;
    let mut devices = Vec::new();
    for _ in 0..3 {
        devices.push(world.joined(ALICE, GROUP).await);
    }
    let [first, second, third] = &devices[..] else {
        panic!()
    };
    let all = [first, second, third];
    assert_eq!(who_receives(&writer, GROUP, &all).await, [true; 3]);
    succeed(first, "leave_group", json!({"group_id": GROUP})).await;
    assert_eq!(who_receives(&writer, GROUP, &all).await, [false, true, true]);
    succeed(first, "join_group", json!({"group_id": GROUP})).await;

    // A token that ends, ends the rights of its own socket, until that has another.
    let brief = world.token_for(ALICE, Duration::from_secs(1));
    let short = Client::connect(target.addr(), &brief).await.unwrap();
    succeed(&short, "join_group", json!({"group_id": GROUP})).await;
    let deadline = Instant::now() + Duration::from_secs(5);
    while ask(&short, "get_entries", json!({"group_id": GROUP})).await["code"] != "token_expired" {
        assert!(Instant::now() < deadline, "never expired");
        sleep(Duration::from_millis(50)).await;
    }
    for socket in all {
        send(socket, GROUP, "of a device with a token of its own").await;
    }
    let renewed = world.token(ALICE);
    // One of somebody else is no help.
    let others = json!({"token": world.token(MALLORY)});
    assert_eq!(
        ask(&short, "refresh_token", others).await["code"],
        "token_invalid"
    );
    assert_eq!(
        ask(&short, "get_entries", json!({"group_id": GROUP})).await["code"],
        "token_expired"
    );
    succeed(&short, "refresh_token", json!({"token": renewed})).await;
    send(&short, GROUP, "of a device with a new token").await;
    // A removal is of all of them.
    world.remove(GROUP, ALICE).await;
    assert_eq!(
        who_receives(&writer, GROUP, &[first, second, third, &short]).await,
        [false; 4]
    );
    for socket in [first, second, third, &short] {
        assert_eq!(
            ask(socket, "join_group", json!({"group_id": GROUP})).await["code"],
            "not_a_member"
        );
        assert_eq!(socket.closed(), None);
    }
    one_login_of_several(target.store()).await;
}

/// A login of a built-in account.
struct Login {
    user_id: u64,
    access: String,
    refresh: String,
}

async fn log_in(world: &World, route: &str, body: Value) -> Login {
    let path = format!("/api/v1/auth/{route}");
    let answer = http::request(world.addr(), "POST", &path, None, Some(body))
        .await
        .unwrap();
    assert!(answer.status < 300, "{}", answer.text());
    let body = answer.json();
    let text = |key: &str| body[key].as_str().unwrap().to_owned();
    Login {
        user_id: number(&body["user_id"]),
        access: text("access_token"),
        refresh: text("refresh_token"),
    }
}

async fn one_login_of_several(store: Store) {
    let world = World::of(TestServer::start_on(store, &[("SEALROOM_ACCOUNTS", "on")]).await);
    let account = |name: &str| json!({"username": name, "password": "correct horse battery"});
    let writer = log_in(&world, "register", account("writer")).await;
    let stays = log_in(&world, "register", account("alice")).await;
    let lost = log_in(&world, "login", account("alice")).await;
    let group = json!({"name": "g", "members": [stays.user_id]});
    let group = world
        .call("POST", "/groups", &writer.access, Some(group))
        .await
        .json();
    let group_id = number(&group["group_id"]);
    let writer = Client::connect(world.addr(), &writer.access).await.unwrap();
    let mut sockets = Vec::new();
    for login in [&stays, &lost, &lost] {
        let socket = Client::connect(world.addr(), &login.access).await.unwrap();
        succeed(&socket, "join_group", json!({"group_id": group_id})).await;
        sockets.push(socket);
    }
    // The token of one device does not refresh into the other's, and a logout is of the one.
    let logout = world.call("POST", "/auth/logout", &lost.access, None).await;
    assert_eq!(logout.status, 204, "{}", logout.text());
    for socket in &sockets[1..] {
        sent_away(socket).await;
    }
    let all: Vec<_> = sockets.iter().collect();
    assert_eq!(who_receives(&writer, group_id, &all).await, [true, false, false]);
    let again = Client::connect(world.addr(), &lost.access).await.unwrap_err();
    assert_eq!((again.refused, &*again.message), (true, "token_revoked"));
    let path = "/api/v1/auth/refresh";
    let spent = json!({"refresh_token": lost.refresh});
    let spent = http::request(world.addr(), "POST", path, None, Some(spent))
        .await
        .unwrap();
    assert_eq!(verdict(&spent), (401, "token_invalid".into()));
    let next = log_in(&world, "refresh", json!({"refresh_token": stays.refresh})).await;
    assert_eq!(next.user_id, stays.user_id);
    let me = world.call("GET", "/me", &stays.access, None).await;
    assert_eq!(me.status, 200, "{}", me.text());
}

/// Everything that asks for membership.
fn requests() -> [(&'static str, Value); 7] {
    [
        ("join_group", json!({"group_id": GROUP})),
        (
            "send_message",
            json!({"group_id": GROUP, "encrypted_content": "x"}),
        ),
        ("get_entries", json!({"group_id": GROUP, "limit": 1})),
        ("mark_read", json!({"group_id": GROUP, "seq": 1})),
        ("typing", json!({"group_id": GROUP, "is_typing": true})),
        (
            "edit_message",
            json!({"group_id": GROUP, "seq": 1, "encrypted_content": "x"}),
        ),
        ("delete_message", json!({"group_id": GROUP, "seq": 1})),
    ]
}

/// What was true a moment ago is asked again: of a socket that has just done all of it, over the socket and over HTTP,
/// and where two servers share a database, whichever of them made the change.
pub(super) async fn az_17_what_was_true_a_moment_ago(target: &mut Target) {
    let shared = target.world.server.database().is_some();
    let other = shared.then(|| {
        World::of(tokio::task::block_in_place(|| {
            target.world.server.start_another()
        }))
    });
    let mine = &target.world;
    let worlds: Vec<&World> = std::iter::once(mine).chain(other.as_ref()).collect();
    let mut guests = Vec::new();
    for world in &worlds {
        guests.push(world.socket(GUEST).await);
    }
    let writer = mine.joined(MALLORY, GROUP).await;
    // A server that only hears of a change takes up to two seconds.
    let rounds = if shared { 4 } else { 12 };
    for round in 0..rounds {
        let acting = worlds[round % worlds.len()];
        acting.add(GROUP, GUEST).await;
        // All of them asked for at once, which fills whatever remembers.
        for (guest, world) in guests.iter().zip(&worlds) {
            let asked: Vec<_> = requests()
                .into_iter()
                .map(|(event, payload)| (event, guest.request(event, payload)))
                .collect();
            for (event, answer) in asked {
                let ack = answer.answer().await.unwrap();
                let expected = match event {
                    // The first entry is no message.
                    "edit_message" | "delete_message" => &json!("not_found"),
                    _ => &Value::Null,
                };
                assert_eq!(&ack["code"], expected, "{event}: {ack}");
            }
            let page = world.user(GUEST, "GET", "/groups/1/entries", None).await;
            assert_eq!(page.status, 200);
        }
        acting.remove(GROUP, GUEST).await;
        let removal = u64::try_from(mine.log(GROUP).await.len()).unwrap();
        for (guest, world) in guests.iter().zip(&worlds) {
            let asked: Vec<_> = requests()
                .into_iter()
                .map(|(event, payload)| (event, guest.request(event, payload)))
                .collect();
            for (event, answer) in asked {
                let ack = answer.answer().await.unwrap();
                // What is not stored goes by what the server has heard of: see below.
                if event != "typing" || std::ptr::eq(*world, acting) {
                    assert_eq!(ack["code"], "not_a_member", "round {round} {event}: {ack}");
                }
            }
            for (method, path, body) in [
                ("GET", "/groups/1/entries", None),
                ("GET", "/groups/1/messages", None),
                ("GET", "/groups/1/members", None),
                ("GET", "/groups/1", None),
                (
                    "POST",
                    "/groups/1/messages",
                    Some(json!({"encrypted_content": "x"})),
                ),
            ] {
                let answer = world.user(GUEST, method, path, body).await;
                assert_eq!(
                    verdict(&answer),
                    (403, "not_a_member".into()),
                    "round {round} {method} {path}"
                );
            }
            assert_eq!(
                world.user(GUEST, "GET", "/groups", None).await.json(),
                json!({"groups": []})
            );
        }
        let last = send(&writer, GROUP, "without the guest").await;
        assert_eq!(last["seq"], removal + 1, "somebody outside wrote");
        nothing_came_after(&guests, removal).await;
    }
}

/// Every socket was told of the removal, and got nothing from behind it.
async fn nothing_came_after(guests: &[Client], removal: u64) {
    for guest in guests {
        let told = guest
            .next_event_within("removed_from_group", OTHER_SERVER + Duration::from_secs(2))
            .await
            .unwrap();
        assert_eq!(told, Some(json!({"group_id": GROUP, "reason": "removed"})));
        drop(ask(guest, "echo", json!({})).await);
        for event in guest
            .take_received()
            .iter()
            .filter(|one| one.kind() == Kind::Event)
        {
            let payload = event.payload();
            assert!(
                payload["seq"].as_u64().unwrap_or(0) <= removal,
                "{payload} after {removal}"
            );
        }
    }
}
