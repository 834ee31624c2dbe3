//! Ids in paths, numbers in queries.

use super::{app, untouched};
use crate::contract::operations;

/// What is no id in a path, though some would read it as 5 or as another path.
const NO_IDS: [&str; 38] = [
    "0",
    "-1",
    "+5",
    "05",
    "005",
    "%35",
    "5%00",
    "5%20",
    "%205",
    "5.0",
    "5e0",
    "0x5",
    "5;v=1",
    "5,6",
    "5_0",
    "%EF%BC%95",
    "%D9%A5",
    "9007199254740992",
    "9223372036854775808",
    "99999999999999999999999999",
    "me",
    "null",
    "true",
    "{group_id}",
    "..",
    ".",
    "%2e%2e",
    "%2e%2e%2f5",
    "..%2f..%2fetc%2fpasswd",
    "%2e%2e%5c5",
    "5%2fmembers",
    "%00",
    "%FF",
    "%",
    "*",
    "5'",
    "5%20OR%201=1",
    "%C0%AE%C0%AE",
];

#[tokio::test]
async fn an_id_in_a_path_has_one_spelling() {
    let app = app().await;
    let long = "9".repeat(10_000);
    for operation in operations() {
        for parameter in operation.parameters("path") {
            let name = parameter["name"].as_str().unwrap();
            for id in NO_IDS.into_iter().chain([&*long]) {
                let line = operation.line(name, id);
                let reply = app.ask("admin", &line, None).await;
                assert_eq!(reply.verdict(), format!("400 invalid_data {name}"), "{line}");
            }
        }
    }
    untouched(&app).await;
}

#[tokio::test]
async fn a_number_in_a_query_has_one_spelling() {
    let app = app().await;
    let bad = [
        "",
        "-1",
        "%2B1",
        "+1",
        "1.0",
        "1e2",
        "01",
        "00",
        "abc",
        "null",
        "true",
        "5%00",
        "%EF%BC%95",
        "%FF",
        "0x1",
        "1,2",
        "[1]",
        "%00",
        "1'",
        "-0",
        "1%0A",
        "%201",
    ];
    for operation in operations() {
        for parameter in operation.parameters("query") {
            let name = parameter["name"].as_str().unwrap();
            assert_eq!(parameter["schema"]["type"], "integer", "no rows for {parameter}");
            let line = operation.line("", "");
            let mut queries: Vec<String> = bad.iter().map(|value| format!("{name}={value}")).collect();
            queries.extend([
                name.to_owned(),
                format!("{name}=1&{name}=1"),
                format!("{name}={}x", "1".repeat(5000)),
            ]);
            if parameter["schema"]["minimum"] == 1 {
                queries.push(format!("{name}=0"));
            }
            for query in queries {
                let reply = app.ask("admin", &format!("{line}?{query}"), None).await;
                assert_eq!(
                    reply.verdict(),
                    format!("400 invalid_data {name}"),
                    "{line}?{query}"
                );
            }
        }
    }
    untouched(&app).await;
}
