//! Pages of other origins, before the upgrade and while polling.

use sealroom_testkit::client::http::{HttpResponse, request_with};

use crate::common::TestServer;

const PAGE: &str = "https://app.example";
const OPEN: &str = "/socket.io/?EIO=4&transport=polling";

async fn ask(
    server: &TestServer,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> HttpResponse {
    request_with(server.addr, method, path, headers, body.as_bytes())
        .await
        .unwrap()
}

fn cors(answer: &HttpResponse) -> Vec<(String, &str)> {
    let named = answer
        .headers
        .iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), &**value));
    named
        .filter(|(name, _)| name.starts_with("access-control-"))
        .collect()
}

fn allow_origin(origin: &str) -> Vec<(String, &str)> {
    vec![("access-control-allow-origin".to_owned(), origin)]
}

#[tokio::test]
async fn an_allowed_page_polls_and_reads_the_answers() {
    let server = TestServer::start_with(&[("SEALROOM_ALLOWED_ORIGINS", PAGE)]);
    let origin = [("Origin", PAGE)];
    let opened = ask(&server, "GET", OPEN, &origin, "").await;
    assert_eq!(opened.status, 200);
    assert_eq!(cors(&opened), allow_origin(PAGE));
    assert_eq!(opened.header("vary"), Some("Origin"));
    let open: serde_json::Value = serde_json::from_str(opened.text().strip_prefix('0').unwrap()).unwrap();
    let session = format!("{OPEN}&sid={}", open["sid"].as_str().unwrap());
    let post = [origin[0], ("Content-Type", "text/plain;charset=UTF-8")];
    let sent = ask(&server, "POST", &session, &post, "40{\"token\":\"x\"}").await;
    assert_eq!((sent.status, cors(&sent)), (200, allow_origin(PAGE)));
    // The first ping may have a poll of its own before the answer's.
    let mut read = String::new();
    while !read.contains("token_invalid") {
        let polled = ask(&server, "GET", &session, &origin, "").await;
        assert_eq!(
            (polled.status, cors(&polled)),
            (200, allow_origin(PAGE)),
            "{read}"
        );
        read.push_str(&polled.text());
    }
    // A page reads refusals too.
    let unknown = format!("{OPEN}&sid=AAAAAAAAAAAAAAAA");
    let refused = ask(&server, "GET", &unknown, &origin, "").await;
    assert_eq!((refused.status, cors(&refused)), (400, allow_origin(PAGE)));
}
