//! The built-in accounts.

use serde_json::Value;

use crate::support::{App, Ask, Reply, Setup};

const ALICE: &str = r#"{"username":"Alice","password":"correct horse"}"#;

fn app() -> App {
    App::with(Setup {
        accounts: true,
        ..Setup::default()
    })
}

async fn post(app: &App, path: &str, json: &str) -> Reply {
    let ask = Ask::new(&format!("POST /api/v1/auth/{path}")).header("content-type", "application/json");
    app.send(ask.body(json.to_owned())).await
}

fn field(reply: &Reply, key: &str) -> String {
    let body: Value = serde_json::from_str(&reply.body).unwrap();
    body[key].as_str().unwrap().to_owned()
}

async fn refresh(app: &App, token: &str) -> Reply {
    post(app, "refresh", &format!(r#"{{"refresh_token":"{token}"}}"#)).await
}

#[tokio::test]
async fn an_account_goes_from_its_making_to_its_logout() {
    let app = app();
    let made = post(&app, "register", ALICE).await;
    assert_eq!(made.status, 201);
    let body: Value = serde_json::from_str(&made.body).unwrap();
    let keys: Vec<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        [
            "access_token",
            "expires_in",
            "refresh_token",
            "token_type",
            "user_id"
        ]
    );
    assert_eq!(
        (&body["token_type"], &body["expires_in"]),
        (&"Bearer".into(), &900.into())
    );
    let access = field(&made, "access_token");
    let me = app.ask(&access, "GET /api/v1/me", None).await;
    assert_eq!(field(&me, "display_name"), "alice");

    assert_eq!(post(&app, "register", ALICE).await.verdict(), "409 conflict");
    let login = post(
        &app,
        "login",
        r#"{"username":"ALICE","password":"correct horse"}"#,
    )
    .await;
    assert_eq!(login.status, 200);
    let wrong = post(&app, "login", r#"{"username":"alice","password":"wrong"}"#).await;
    assert_eq!(wrong.verdict(), "401 login_failed");
    let nobody = post(&app, "login", r#"{"username":"nobody","password":"wrong"}"#).await;
    assert_eq!(nobody.body, wrong.body);

    let next = refresh(&app, &field(&made, "refresh_token")).await;
    assert_eq!(next.status, 200);
    let reused = refresh(&app, &field(&made, "refresh_token")).await;
    assert_eq!(reused.verdict(), "401 token_revoked");
    let ended = app
        .ask(&field(&next, "access_token"), "GET /api/v1/me", None)
        .await;
    assert_eq!(ended.verdict(), "401 token_revoked");

    let access = field(&login, "access_token");
    let logout = app.ask(&access, "POST /api/v1/auth/logout", None).await;
    assert_eq!(logout.status, 204);
    let after = app.ask(&access, "GET /api/v1/me", None).await;
    assert_eq!(after.verdict(), "401 token_revoked");
    assert_eq!(
        refresh(&app, &field(&login, "refresh_token")).await.verdict(),
        "401 token_invalid"
    );
}

#[tokio::test]
async fn a_refresh_token_alone_is_enough_to_log_out() {
    let app = app();
    let made = post(&app, "register", ALICE).await;
    let json = format!(r#"{{"refresh_token":"{}"}}"#, field(&made, "refresh_token"));
    assert_eq!(post(&app, "logout", &json).await.status, 204);
    assert_eq!(post(&app, "logout", &json).await.verdict(), "401 token_revoked");
    assert_eq!(post(&app, "logout", "{}").await.verdict(), "401 token_missing");
    let made_up = post(&app, "logout", r#"{"refresh_token":"x"}"#).await;
    assert_eq!(made_up.verdict(), "401 token_invalid");
}

#[tokio::test]
async fn names_and_passwords_have_rules() {
    let app = app();
    for (json, field) in [
        (r#"{"username":"al","password":"correct horse"}"#, "username"),
        (r#"{"username":"al ice","password":"correct horse"}"#, "username"),
        (r#"{"username":"alice","password":"short"}"#, "password"),
        (
            r#"{"username":"aliceinchains","password":"AliceInChains"}"#,
            "password",
        ),
        (
            r#"{"username":"alice","password":"correct horse","display_name":"a\u0007"}"#,
            "display_name",
        ),
    ] {
        let reply = post(&app, "register", json).await;
        assert_eq!(reply.verdict(), format!("400 invalid_data {field}"), "{json}");
    }
    let named = r#"{"username":"alice","password":"correct horse","display_name":"Alice A."}"#;
    let made = post(&app, "register", named).await;
    let me = app
        .ask(&field(&made, "access_token"), "GET /api/v1/me", None)
        .await;
    assert_eq!(field(&me, "display_name"), "Alice A.");
}

#[tokio::test]
async fn attempts_are_limited_by_address_and_name() {
    let app = app();
    let mut verdicts = Vec::new();
    for _ in 0..11 {
        let wrong = post(&app, "login", r#"{"username":"alice","password":"wrong"}"#).await;
        verdicts.push(wrong.verdict());
    }
    assert_eq!(verdicts[9], "401 login_failed");
    assert_eq!(verdicts[10], "429 rate_limited");
    let limited = post(&app, "login", r#"{"username":"alice","password":"wrong"}"#).await;
    let after: u64 = limited
        .header(axum::http::header::RETRY_AFTER)
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=30).contains(&after), "{after}");
}

#[tokio::test]
async fn without_accounts_there_are_no_such_routes() {
    let app = App::new();
    for (path, json) in [
        ("register", ALICE),
        ("login", ALICE),
        ("refresh", r#"{"refresh_token":"x"}"#),
        ("logout", "{}"),
    ] {
        assert_eq!(post(&app, path, json).await.verdict(), "404 not_found", "{path}");
    }
}

#[tokio::test]
async fn accounts_give_out_ids_and_names() {
    let app = app();
    let made = post(&app, "register", ALICE).await;
    let id: Value = serde_json::from_str::<Value>(&made.body).unwrap()["user_id"].clone();
    let named =
        async |id: &str, json: &'static str| app.ask("admin", &format!("PUT /api/v1/users/{id}"), json).await;
    let unknown = named("77", r#"{"display_name":"a"}"#).await;
    assert_eq!(unknown.verdict(), "404 not_found");
    let taken = named(&id.to_string(), r#"{"display_name":"a","username":"b"}"#).await;
    assert_eq!(taken.verdict(), "409 conflict");
    assert_eq!(
        named(&id.to_string(), r#"{"display_name":"Alice"}"#)
            .await
            .verdict(),
        "200"
    );
}
