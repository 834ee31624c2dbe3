//! Who may see and touch which group.

use sealroom_domain::Role;

use crate::support::{App, Reply};

/// Every route of one group, with a body where it takes one.
const ROUTES: [(&str, &str, Option<&str>); 6] = [
    ("GET", "", None),
    ("GET", "/members", None),
    ("GET", "/messages", None),
    ("GET", "/entries?after_seq=0&limit=1", None),
    ("PUT", "/members/5", Some(r#"{"role":"member"}"#)),
    ("DELETE", "/members/1", None),
];

async fn ask(app: &App, token: &str, group_id: i64, row: (&str, &str, Option<&str>)) -> Reply {
    let (method, rest, json) = row;
    app.ask(token, &format!("{method} /api/v1/groups/{group_id}{rest}"), json)
        .await
}

#[tokio::test]
async fn to_an_outsider_a_group_is_like_one_that_does_not_exist() {
    let app = App::new();
    app.group(&[(1, Role::Owner), (2, Role::Member)]).await;
    app.message(1, 1, "c").await;
    app.ask("u2", "DELETE /api/v1/groups/1/members/2", None).await;
    for row in ROUTES {
        for outsider in ["u2", "u9"] {
            let present = ask(&app, outsider, 1, row).await;
            let absent = ask(&app, outsider, 999, row).await;
            assert_eq!(present.verdict(), "403 not_a_member", "{row:?}");
            assert_eq!(present.without_id(), absent.without_id(), "{row:?}");
        }
    }
    assert_eq!(app.kept_members(1).await, "1 owner");
}

#[tokio::test]
async fn admin_scope_opens_every_group_and_only_those_that_exist() {
    let app = App::new();
    app.group(&[(1, Role::Owner)]).await;
    let expected = ["200", "200", "200", "200", "200", "204"];
    for (row, expected) in ROUTES.into_iter().zip(expected) {
        assert_eq!(ask(&app, "admin", 1, row).await.verdict(), expected, "{row:?}");
        let absent = ask(&app, "admin", 999, row).await;
        assert_eq!(absent.verdict(), "404 not_found", "{row:?}");
    }
    assert_eq!(app.kept_members(1).await, "5 member", "the last owner too");
}

#[tokio::test]
async fn only_admin_scope_opens_the_calls_of_the_host() {
    let app = App::new();
    app.group(&[(1, Role::Owner)]).await;
    for (line, json) in [
        ("PUT /api/v1/groups/1", r#"{"name":"b"}"#),
        ("PUT /api/v1/groups/2", r#"{"name":"b"}"#),
        ("PUT /api/v1/users/1", r#"{"display_name":"b"}"#),
        ("PUT /api/v1/users/2", r#"{"display_name":"b"}"#),
    ] {
        let owner = app.ask("u1", line, json).await;
        assert_eq!(owner.verdict(), "403 forbidden", "{line}");
        assert!(app.ask("admin", line, json).await.status.is_success(), "{line}");
    }
}

#[tokio::test]
async fn admin_is_one_word_of_the_scope() {
    for (scope, expected) in [
        ("admin", "201"),
        ("read admin write", "201"),
        ("administrator", "403 forbidden"),
        ("Admin", "403 forbidden"),
        ("chat:admin", "403 forbidden"),
        ("", "403 forbidden"),
    ] {
        let app = App::new();
        let principal = crate::support::principal(3, Some(scope), &app.clock);
        app.tokens.register("scoped", principal);
        let reply = app.ask("scoped", "PUT /api/v1/groups/7", r#"{"name":"a"}"#).await;
        assert_eq!(reply.verdict(), expected, "{scope:?}");
    }
}
