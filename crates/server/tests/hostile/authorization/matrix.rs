//! Every route that names a group or a user, with every method, by everybody who has no right to it.

use std::collections::BTreeSet;

use sealroom_testkit::client::http::{self, HttpResponse};
use serde_json::{Value, json};

use crate::{
    target::{ALICE, GROUP, MALLORY, OUTSIDER, Target},
    world::{World, send},
};

/// A group of others, which the foreigner owns.
const FOREIGN: u64 = 2;
const FOREIGNER: u64 = 20;
/// Somebody who was an owner of the group until it was removed.
const FORMER: u64 = 30;
const ADMIN: u64 = 40;
const OWNER: u64 = 41;
/// A member that may go.
const SPARE: u64 = 42;

const METHODS: [&str; 8] = ["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "TRACE", "PURGE"];

/// What somebody is, or must be. The scope stands above all groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    Nobody,
    Member,
    Admin,
    Owner,
    Scope,
}

/// Every operation that names a group or a user: its body, and who may do it.
const OPERATIONS: [(&str, &str, &str, Standing); 19] = [
    ("GET", "/groups/{group_id}", "", Standing::Member),
    ("HEAD", "/groups/{group_id}", "", Standing::Member),
    (
        "PATCH",
        "/groups/{group_id}",
        r#"{"name":"taken over"}"#,
        Standing::Admin,
    ),
    (
        "PATCH",
        "/groups/{group_id}",
        r#"{"retention":{"count":1000}}"#,
        Standing::Owner,
    ),
    (
        "PUT",
        "/groups/{group_id}",
        r#"{"name":"taken over"}"#,
        Standing::Scope,
    ),
    ("DELETE", "/groups/{group_id}", "", Standing::Owner),
    ("PUT", "/groups/{group_id}/read", r#"{"seq":1}"#, Standing::Member),
    ("GET", "/groups/{group_id}/members", "", Standing::Member),
    ("HEAD", "/groups/{group_id}/members", "", Standing::Member),
    (
        "PUT",
        "/groups/{group_id}/members/{user_id}",
        r#"{"role":"member"}"#,
        Standing::Admin,
    ),
    (
        "DELETE",
        "/groups/{group_id}/members/{user_id}",
        "",
        Standing::Admin,
    ),
    ("GET", "/groups/{group_id}/messages", "", Standing::Member),
    ("HEAD", "/groups/{group_id}/messages", "", Standing::Member),
    (
        "POST",
        "/groups/{group_id}/messages",
        r#"{"encrypted_content":"x"}"#,
        Standing::Member,
    ),
    ("GET", "/groups/{group_id}/entries", "", Standing::Member),
    ("HEAD", "/groups/{group_id}/entries", "", Standing::Member),
    (
        "PUT",
        "/users/{user_id}",
        r#"{"display_name":"Mallory"}"#,
        Standing::Scope,
    ),
    ("DELETE", "/users/{user_id}", "", Standing::Scope),
    ("POST", "/users/{user_id}/revoke", "", Standing::Scope),
];

/// Whom the routes are tried by, and what each is to the group.
const CALLERS: [(u64, Standing); 6] = [
    (OUTSIDER, Standing::Nobody),
    (FOREIGNER, Standing::Nobody),
    (FORMER, Standing::Nobody),
    (MALLORY, Standing::Member),
    (ADMIN, Standing::Admin),
    (OWNER, Standing::Owner),
];

/// The status, and the code of a refusal that has a body.
fn verdict(method: &str, answer: &HttpResponse) -> (u16, String) {
    if method == "HEAD" {
        assert_eq!(answer.text(), "", "an answer to HEAD has no body");
        return (answer.status, String::new());
    }
    crate::world::verdict(answer)
}

/// What comes of an operation that a caller of this standing has no right to; `None` where it has.
fn refusal(needed: Standing, has: Standing) -> Option<&'static str> {
    match (needed, has) {
        (Standing::Scope, _) => Some("forbidden"),
        (_, Standing::Nobody) => Some("not_a_member"),
        (needed, has) if has < needed => Some("forbidden"),
        _ => None,
    }
}

fn path(template: &str, group_id: u64, user_id: u64) -> String {
    template
        .replace("{group_id}", &group_id.to_string())
        .replace("{user_id}", &user_id.to_string())
}

async fn call(world: &World, caller: u64, method: &str, path: &str, body: &str) -> HttpResponse {
    let body = (!body.is_empty()).then(|| serde_json::from_str(body).unwrap());
    world.user(caller, method, path, body).await
}

/// An answer but for what differs in each: the time and the id of the request.
fn shape(answer: &HttpResponse) -> String {
    let headers = answer.headers.iter();
    let headers: Vec<_> = headers
        .filter(|(name, _)| !["date", "x-request-id"].contains(&name.to_ascii_lowercase().as_str()))
        .collect();
    format!("{} {headers:?} {}", answer.status, answer.text())
}

/// All that an admin sees of the groups.
async fn state(world: &World) -> Vec<Value> {
    let mut state = Vec::new();
    for group_id in [GROUP, FOREIGN] {
        for route in ["", "/members", "/entries?after_seq=0&limit=500"] {
            let answer = world
                .admin("GET", &format!("/groups/{group_id}{route}"), None)
                .await;
            assert_eq!(answer.status, 200);
            state.push(answer.json());
        }
    }
    state
}

pub(super) async fn az_9_every_route_of_a_group_or_a_user(target: &mut Target) {
    let world = &target.world;
    world.group(FOREIGN, [ALICE]).await;
    for (group_id, user_id, role) in [
        (GROUP, FORMER, "owner"),
        (GROUP, ADMIN, "admin"),
        (GROUP, OWNER, "owner"),
        (GROUP, SPARE, "member"),
        (FOREIGN, FOREIGNER, "owner"),
    ] {
        let member = format!("/groups/{group_id}/members/{user_id}");
        assert_eq!(
            world.admin("PUT", &member, json!({"role": role})).await.status,
            200
        );
    }
    world.remove(GROUP, FORMER).await;
    send(&world.socket(ALICE).await, GROUP, "not for others").await;
    every_operation_is_in_the_table(world).await;

    let before = state(world).await;
    refused_to_those_without_the_right(world).await;
    the_same_for_groups_that_there_are_and_are_not(world).await;
    methods_that_there_are_not(world).await;
    ids_in_other_spellings(world).await;
    who_one_is_comes_from_the_token_alone(world).await;
    assert_eq!(state(world).await, before, "a refused call changed something");
    granted_to_those_with_the_right(world).await;
}

async fn every_operation_is_in_the_table(world: &World) {
    let document = http::request(world.addr(), "GET", "/openapi.json", None, None)
        .await
        .unwrap()
        .json();
    let mut there = BTreeSet::new();
    for (template, item) in document["paths"].as_object().unwrap() {
        let Some(template) = template.strip_prefix("/api/v1").filter(|path| path.contains('{')) else {
            continue;
        };
        for method in METHODS {
            if item.get(method.to_lowercase()).is_some() {
                there.insert((method, template.to_owned()));
            }
        }
    }
    let of_table = OPERATIONS.iter();
    let of_table = of_table.filter(|(method, ..)| *method != "HEAD");
    let of_table: BTreeSet<_> = of_table
        .map(|(method, template, ..)| (*method, (*template).to_owned()))
        .collect();
    assert_eq!(of_table, there);
}

async fn refused_to_those_without_the_right(world: &World) {
    for (caller, has) in CALLERS {
        for (method, template, body, needed) in &OPERATIONS {
            let Some(code) = refusal(*needed, has) else {
                continue;
            };
            // Itself among them, but where a member leaves by it.
            let users = [caller, ALICE, OWNER, 4711];
            let users = users.into_iter().filter(|user_id| {
                has < Standing::Member || *method != "DELETE" || ![caller, 4711].contains(user_id)
            });
            let users = if template.contains("{user_id}") {
                users.collect()
            } else {
                vec![0]
            };
            for user_id in users {
                let path = path(template, GROUP, user_id);
                let answer = call(world, caller, method, &path, body).await;
                let code = if *method == "HEAD" { "" } else { code };
                assert_eq!(
                    verdict(method, &answer),
                    (403, code.to_owned()),
                    "{caller} {method} {path} {body}"
                );
            }
        }
    }
}

/// Nothing tells a group of others from none: no header, no length.
async fn the_same_for_groups_that_there_are_and_are_not(world: &World) {
    for (method, template, body, needed) in &OPERATIONS {
        if !template.contains("{group_id}") {
            continue;
        }
        let mut shapes = BTreeSet::new();
        for group_id in [GROUP, FOREIGN, 4711, 9_007_199_254_740_991] {
            for user_id in [ALICE, OUTSIDER, 4711] {
                let path = path(template, group_id, user_id);
                let answer = call(world, OUTSIDER, method, &path, body).await;
                assert_eq!(answer.status, 403, "{needed:?}");
                shapes.insert(shape(&answer));
            }
        }
        assert_eq!(shapes.len(), 1, "{method} {template}: {shapes:#?}");
    }
}

async fn methods_that_there_are_not(world: &World) {
    let templates: BTreeSet<_> = OPERATIONS.iter().map(|(_, template, ..)| *template).collect();
    for template in templates {
        for method in METHODS {
            let is_there =
                |operation: &&(&str, &str, &str, Standing)| (operation.0, operation.1) == (method, template);
            if OPERATIONS.iter().any(|one| is_there(&one)) {
                continue;
            }
            for caller in [OUTSIDER, MALLORY] {
                let answer = call(world, caller, method, &path(template, GROUP, ALICE), "").await;
                let code = if method == "HEAD" { "" } else { "not_found" };
                assert_eq!(
                    verdict(method, &answer),
                    (405, code.into()),
                    "{method} {template}"
                );
            }
        }
    }
}

/// Of a member, who would be let in.
async fn ids_in_other_spellings(world: &World) {
    let spellings = [
        ("1%00", 400),
        ("%31", 400),
        ("+1", 400),
        ("%2B1", 400),
        ("-1", 400),
        ("01", 400),
        ("1.0", 400),
        ("1e0", 400),
        ("0x1", 400),
        ("%EF%BC%91", 400),
        ("%D9%A1", 400),
        ("1%20", 400),
        ("1;x=1", 400),
        ("1,2", 400),
        ("1%2F..%2F2", 400),
        ("1%2Fentries", 400),
        ("1%3Flimit=1", 400),
        ("0", 400),
        ("9007199254740993", 400),
        ("18446744073709551617", 400),
        ("me", 400),
        ("*", 400),
        ("2/../1", 404),
        ("/1", 404),
        ("./1", 404),
    ];
    for (spelling, status) in spellings {
        let code = if status == 400 {
            "invalid_data"
        } else {
            "not_found"
        };
        for rest in ["/members", "/messages", "/entries"] {
            let path = format!("/groups/{spelling}{rest}");
            let answer = world.user(MALLORY, "GET", &path, None).await;
            assert_eq!(verdict("GET", &answer), (status, code.into()), "{path}");
        }
        let path = format!("/groups/1/members/{spelling}");
        let answer = world.user(ADMIN, "DELETE", &path, None).await;
        assert_eq!(verdict("DELETE", &answer), (status, code.into()), "{path}");
    }
    for path in [
        "/groups/1/",
        "/groups/1/entries/",
        "/GROUPS/1",
        "/groups/1/Entries",
        "/../v1/groups/1",
    ] {
        let answer = world.user(MALLORY, "GET", path, None).await;
        assert_eq!(verdict("GET", &answer), (404, "not_found".into()), "{path}");
    }
}

async fn who_one_is_comes_from_the_token_alone(world: &World) {
    let bearer = format!("Bearer {}", world.token(OUTSIDER));
    let headers = [
        ("Authorization", &*bearer),
        ("X-User-Id", "2"),
        ("X-Forwarded-User", "2"),
        ("X-Sealroom-User", "2"),
        ("X-HTTP-Method-Override", "DELETE"),
        ("X-Original-URL", "/api/v1/groups/2"),
        ("Cookie", "user_id=2; scope=admin"),
    ];
    let ask = async |path: &str| {
        let path = format!("/api/v1{path}");
        http::request_with(world.addr(), "GET", &path, &headers, b"")
            .await
            .unwrap()
    };
    for query in [
        "",
        "?user_id=2",
        "?user_id=2&scope=admin",
        "?sender_id=2&_method=DELETE",
    ] {
        assert_eq!(ask(&format!("/me{query}")).await.json()["user_id"], OUTSIDER);
        assert_eq!(
            ask(&format!("/groups{query}")).await.json(),
            json!({"groups": []})
        );
        let answer = ask(&format!("/groups/1/entries{query}")).await;
        assert_eq!(verdict("GET", &answer), (403, "not_a_member".into()));
    }
}

/// The same requests succeed where there is the right: what was refused was refused for want of it.
async fn granted_to_those_with_the_right(world: &World) {
    for (caller, has) in CALLERS {
        for (method, template, body, needed) in &OPERATIONS {
            let deletes_group = (*method, *template) == ("DELETE", "/groups/{group_id}");
            if refusal(*needed, has).is_some() || deletes_group {
                continue;
            }
            let path = path(template, GROUP, SPARE);
            let answer = call(world, caller, method, &path, body).await;
            assert!(
                (200..300).contains(&answer.status),
                "{caller} {method} {path}: {answer:?}"
            );
        }
    }
    assert_eq!(
        world
            .user(OWNER, "DELETE", "/groups/1/members/102", None)
            .await
            .status,
        204
    );
    world.add(GROUP, 102).await;
}
