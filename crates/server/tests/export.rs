//! `export` writes what the API shows of a group's log, while the server runs.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "test code")]

#[expect(dead_code, reason = "each test binary uses its part")]
mod common;
#[path = "common/on_each_store.rs"]
#[macro_use]
mod on_each_store;

use std::process::Output;

use sealroom_testkit::client::http;
use serde_json::{Value, json};

use crate::common::{Store, TestServer};

on_each_store!(every_entry_is_a_line);

fn export(server: &TestServer, group: &str) -> Output {
    server
        .program()
        .args(["export", "--group", group])
        .output()
        .unwrap()
}

async fn every_entry_is_a_line(store: Store) {
    let server = TestServer::start_on(store, &[]).await;
    let token = server.mint_admin();
    let call = async |method: &str, path: &str, body: Value| {
        let answer = http::request(
            server.addr,
            method,
            &format!("/api/v1{path}"),
            Some(&token),
            Some(body),
        )
        .await;
        answer.unwrap()
    };
    call("POST", "/groups", json!({"name": "Nhóm"})).await;
    for number in 0..1100 {
        let message = json!({"encrypted_content": format!("\"{number}\"\n")});
        assert_eq!(call("POST", "/groups/1/messages", message).await.status, 201);
    }
    let output = export(&server, "1");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let seqs: Vec<_> = lines.iter().map(|line| line["seq"].as_i64().unwrap()).collect();
    assert_eq!(seqs, (1..=1101).collect::<Vec<_>>());
    let path = "/api/v1/groups/1/entries?after_seq=0&limit=500";
    let page = http::request(server.addr, "GET", path, Some(&token), None)
        .await
        .unwrap();
    assert_eq!(page.json()["entries"].as_array().unwrap(), &lines[..500]);

    let unknown = export(&server, "77");
    assert_eq!(unknown.status.code(), Some(1));
    assert_eq!(
        String::from_utf8_lossy(&unknown.stderr).lines().count(),
        1,
        "{unknown:?}"
    );
    assert_eq!(export(&server, "05x").status.code(), Some(2));
}
