//! What each route answers where all is well, to the byte.

use axum::http::header;
use sealroom_domain::{Role, ports::Users as _};

use crate::support::{App, NOW, Setup, user};

#[tokio::test]
async fn a_group_is_created_with_its_members() {
    let app = App::new();
    let reply = app
        .ask(
            "u1",
            "POST /api/v1/groups",
            r#"{"name":"Nhóm \"A\"","members":[3,2,3,1]}"#,
        )
        .await;
    let group = r#"{"group_id":1,"name":"Nhóm \"A\"","role":"owner","head_seq":3,"read_seq":0,"unread":3}"#;
    assert_eq!(reply.text(), format!("201 {group}"));
    assert_eq!(reply.header(header::LOCATION), Some("/api/v1/groups/1"));
    assert_eq!(reply.header(header::CONTENT_TYPE), Some("application/json"));
    assert_eq!(app.kept_members(1).await, "1 owner, 2 member, 3 member");

    let shown = app.ask("u1", "GET /api/v1/groups/1", None).await;
    assert_eq!(shown.text(), format!("200 {group}"));
    let member = app.ask("u2", "GET /api/v1/groups/1", None).await;
    assert_eq!(member.text(), format!("200 {}", group.replace("owner", "member")));
}

#[tokio::test]
async fn absent_and_null_members_are_the_same_and_ids_are_never_given_twice() {
    let app = App::new();
    app.ask("admin", "PUT /api/v1/groups/2", r#"{"name":"chosen"}"#)
        .await;
    for (json, id) in [
        (r#"{"name":"a"}"#, 1),
        (r#"{"members":null,"name":"a"}"#, 3),
        (r#"{"name":"a","members":[]}"#, 4),
    ] {
        let reply = app.ask("u1", "POST /api/v1/groups", json).await;
        assert_eq!(reply.status, 201, "{json}");
        let location = format!("/api/v1/groups/{id}");
        assert_eq!(reply.header(header::LOCATION), Some(location.as_str()));
        assert_eq!(app.kept_members(id).await, "1 owner");
    }
}

#[tokio::test]
async fn the_groups_of_the_caller_are_listed() {
    let app = App::new();
    let none = app.ask("u1", "GET /api/v1/groups", None).await;
    assert_eq!(none.text(), r#"200 {"groups":[]}"#);
    app.group(&[(1, Role::Owner), (2, Role::Member)]).await;
    app.group(&[(2, Role::Owner)]).await;
    let third = app.group(&[(2, Role::Owner), (1, Role::Admin)]).await;
    app.message(third, 2, "c").await;
    let first = r#"{"group_id":1,"name":"Ops","role":"owner","head_seq":2,"read_seq":0,"unread":2}"#;
    let third = r#"{"group_id":3,"name":"Ops","role":"admin","head_seq":3,"read_seq":0,"unread":3}"#;
    let groups = app.ask("u1", "GET /api/v1/groups", None).await;
    assert_eq!(groups.text(), format!(r#"200 {{"groups":[{first},{third}]}}"#));
    let admin = app.ask("admin", "GET /api/v1/groups", None).await;
    assert_eq!(admin.text(), r#"200 {"groups":[]}"#);
}

#[tokio::test]
async fn members_are_listed_put_and_removed() {
    let app = App::new();
    app.group(&[(2, Role::Owner), (9, Role::Member), (1, Role::Admin)])
        .await;
    let list = app.ask("u9", "GET /api/v1/groups/1/members", None).await;
    assert_eq!(
        list.text(),
        r#"200 {"members":[{"user_id":1,"role":"admin"},{"user_id":2,"role":"owner"},{"user_id":9,"role":"member"}]}"#
    );
    let member = "/api/v1/groups/1/members/5";
    let rows = [
        ("PUT", None, r#"200 {"user_id":5,"role":"member"}"#),
        (
            "PUT",
            Some(r#"{"role":"admin"}"#),
            r#"200 {"user_id":5,"role":"admin"}"#,
        ),
        (
            "PUT",
            Some(r#"{"role":null}"#),
            r#"200 {"user_id":5,"role":"admin"}"#,
        ),
        ("PUT", Some("{}"), r#"200 {"user_id":5,"role":"admin"}"#),
        ("DELETE", None, "204 "),
        ("PUT", Some("{}"), r#"200 {"user_id":5,"role":"member"}"#),
    ];
    for (method, json, expected) in rows {
        let reply = app.ask("u1", &format!("{method} {member}"), json).await;
        assert_eq!(reply.text(), expected, "{method} {json:?}");
    }
    let removed = app.ask("u1", &format!("DELETE {member}"), None).await;
    assert_eq!(removed.header(header::CONTENT_TYPE), None);
    assert_eq!(app.kept_members(1).await, "1 admin, 2 owner, 9 member");
}

#[tokio::test]
async fn the_log_and_its_messages() {
    let app = App::new();
    app.group(&[(1, Role::Owner)]).await;
    app.message(1, 1, "a\"b").await;
    app.ask("u1", "PUT /api/v1/groups/1/members/2", r#"{"role":"admin"}"#)
        .await;
    app.ask("u2", "DELETE /api/v1/groups/1/members/2", None).await;
    let log_id = app.log_id().await;

    let message = format!(
        r#"{{"id":1,"group_id":1,"sender_id":1,"sender_name":"Nguyễn Văn A","encrypted_content":"a\"b","timestamp":"{NOW}","seq":2,"client_message_id":"id a\"b","key_epoch":3"#
    );
    let page = format!(r#""has_more":false,"head_seq":4,"log_id":"{log_id}""#);
    let messages = app.ask("u1", "GET /api/v1/groups/1/messages", None).await;
    assert_eq!(
        messages.text(),
        format!(r#"200 {{"messages":[{message}}}],{page}}}"#)
    );

    let entries = [
        format!(
            r#"{{"group_id":1,"seq":1,"user_id":1,"role":"owner","actor_id":1,"timestamp":"{NOW}","type":"member_added"}}"#
        ),
        format!(r#"{message},"type":"new_message"}}"#),
        format!(
            r#"{{"group_id":1,"seq":3,"user_id":2,"role":"admin","actor_id":1,"timestamp":"{NOW}","type":"member_added"}}"#
        ),
        format!(
            r#"{{"group_id":1,"seq":4,"user_id":2,"reason":"left","actor_id":2,"timestamp":"{NOW}","type":"member_removed"}}"#
        ),
    ]
    .join(",");
    let log = app.ask("u1", "GET /api/v1/groups/1/entries", None).await;
    assert_eq!(log.text(), format!(r#"200 {{"entries":[{entries}],{page}}}"#));
}

#[tokio::test]
async fn an_admin_puts_a_group_under_a_chosen_id() {
    let app = App::new();
    let put = "PUT /api/v1/groups/70";
    let created = app.ask("admin", put, r#"{"name":"a"}"#).await;
    assert_eq!(created.text(), r#"201 {"group_id":70,"name":"a"}"#);
    assert_eq!(created.header(header::LOCATION), Some("/api/v1/groups/70"));
    for name in ["b", "b"] {
        let renamed = app.ask("admin", put, &*format!(r#"{{"name":"{name}"}}"#)).await;
        assert_eq!(renamed.text(), r#"200 {"group_id":70,"name":"b"}"#);
        assert_eq!(renamed.header(header::LOCATION), None);
    }
    let shown = app.ask("admin", "GET /api/v1/groups/70", None).await;
    assert_eq!(
        shown.text(),
        r#"200 {"group_id":70,"name":"b","role":null,"head_seq":0,"read_seq":0,"unread":0}"#
    );
    assert_eq!(app.kept_members(70).await, "");
}

#[tokio::test]
async fn an_admin_names_users() {
    let app = App::new();
    let put = "PUT /api/v1/users/5";
    let rows = [
        (
            r#"{"display_name":"Nguyễn Văn A","username":"nva"}"#,
            r#"200 {"user_id":5,"display_name":"Nguyễn Văn A","username":"nva"}"#,
        ),
        (
            r#"{"display_name":"B","username":null}"#,
            r#"200 {"user_id":5,"display_name":"B"}"#,
        ),
        (
            r#"{"display_name":"C"}"#,
            r#"200 {"user_id":5,"display_name":"C"}"#,
        ),
    ];
    for (json, expected) in rows {
        assert_eq!(app.ask("admin", put, json).await.text(), expected);
    }
    let profiles = app.store.profiles(&[user(5)]).await.unwrap();
    assert_eq!(profiles[0].display_name.as_ref().unwrap().as_str(), "C");
    assert_eq!(profiles[0].username.as_ref().unwrap().as_str(), "nva");

    let taken = app
        .ask(
            "admin",
            "PUT /api/v1/users/6",
            r#"{"display_name":"D","username":"nva"}"#,
        )
        .await;
    assert_eq!(taken.verdict(), "409 conflict");
    assert!(taken.body.contains(r#""detail":"Username is taken""#));
}

#[tokio::test]
async fn me_is_what_the_token_and_the_host_say() {
    let app = App::with(Setup::default());
    let expires = "2024-01-15T11:30:00.000Z";
    let nameless = app.ask("u1", "GET /api/v1/me", None).await;
    assert_eq!(
        nameless.text(),
        format!(r#"200 {{"user_id":1,"display_name":null,"scope":null,"expires_at":"{expires}"}}"#)
    );
    let admin = app.ask("admin", "GET /api/v1/me", None).await;
    assert_eq!(
        admin.text(),
        format!(r#"200 {{"user_id":900,"display_name":null,"scope":"chat admin","expires_at":"{expires}"}}"#)
    );

    let mut named = crate::support::principal(1, Some("chat"), &app.clock);
    named.name = sealroom_domain::DisplayName::new("Token Name").ok();
    app.tokens.register("named", named);
    let by_token = app.ask("named", "GET /api/v1/me", None).await;
    assert_eq!(
        by_token.text(),
        format!(r#"200 {{"user_id":1,"display_name":"Token Name","scope":"chat","expires_at":"{expires}"}}"#)
    );
    app.ask("admin", "PUT /api/v1/users/1", r#"{"display_name":"Host Name"}"#)
        .await;
    let by_host = app.ask("named", "GET /api/v1/me", None).await;
    assert!(
        by_host.body.contains(r#""display_name":"Host Name""#),
        "{by_host:?}"
    );
}
