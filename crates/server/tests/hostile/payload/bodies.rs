//! Bodies that are not what their headers say, and requests that two servers would read in two ways.

use crate::{
    peer::Peer,
    target::{GROUP, MALLORY, Target},
};

pub(super) async fn pl_15_bodies_that_lie(target: &mut Target) {
    let before = target.world.log(GROUP).await.len();
    let token = target.world.token(MALLORY);
    let json = "{\"encrypted_content\":\"smuggled\"}";
    let post = format!(
        "POST /api/v1/groups/1/messages HTTP/1.1\r\nHost: sealroom\r\nAuthorization: Bearer {token}\r\n"
    );
    let length = format!("Content-Length: {}\r\n", json.len());
    let typed = "Content-Type: application/json\r\n";
    let hidden = format!(
        "POST /api/v1/groups/1/messages HTTP/1.1\r\nHost: sealroom\r\nAuthorization: Bearer {token}\r\n{typed}{length}\r\n{json}"
    );
    let chunked = "Transfer-Encoding: chunked\r\n";
    let n = json.len();
    let rows: Vec<(&str, String)> = vec![
        ("no type", format!("{post}{length}\r\n{json}")),
        (
            "text",
            format!("{post}Content-Type: text/plain\r\n{length}\r\n{json}"),
        ),
        (
            "form",
            format!("{post}Content-Type: application/x-www-form-urlencoded\r\n{length}\r\n{json}"),
        ),
        (
            "multipart",
            format!("{post}Content-Type: multipart/form-data; boundary=x\r\n{length}\r\n{json}"),
        ),
        (
            "latin1",
            format!("{post}Content-Type: application/json; charset=iso-8859-1\r\n{length}\r\n{json}"),
        ),
        (
            "json-ish",
            format!("{post}Content-Type: application/jsonx\r\n{length}\r\n{json}"),
        ),
        (
            "two types",
            format!("{post}{typed}Content-Type: text/plain\r\n{length}\r\n{json}"),
        ),
        (
            "gzip enc",
            format!("{post}{typed}Content-Encoding: gzip\r\n{length}\r\n{json}"),
        ),
        (
            "CL twice differ",
            format!("{post}{typed}{length}Content-Length: 5\r\n\r\n{json}"),
        ),
        (
            "CL twice same",
            format!("{post}{typed}{length}{length}\r\n{json}"),
        ),
        (
            "CL list",
            format!("{post}{typed}Content-Length: {n}, {n}\r\n\r\n{json}"),
        ),
        (
            "CL list differ",
            format!("{post}{typed}Content-Length: {n}, 5\r\n\r\n{json}"),
        ),
        ("CL +", format!("{post}{typed}Content-Length: +{n}\r\n\r\n{json}")),
        ("CL -", format!("{post}{typed}Content-Length: -{n}\r\n\r\n{json}")),
        (
            "CL hex",
            format!("{post}{typed}Content-Length: 0x1f\r\n\r\n{json}"),
        ),
        ("CL empty", format!("{post}{typed}Content-Length: \r\n\r\n{json}")),
        (
            "CL huge",
            format!("{post}{typed}Content-Length: 99999999999999999999999\r\n\r\n{json}"),
        ),
        (
            "CL 10GB",
            format!("{post}{typed}Content-Length: 10000000000\r\n\r\n{json}"),
        ),
        (
            "CL inner space",
            format!("{post}{typed}Content-Length: 3 1\r\n\r\n{json}"),
        ),
        (
            "CL name space",
            format!("{post}{typed}Content-Length : {n}\r\n\r\n{json}"),
        ),
        (
            "CL+TE",
            format!("{post}{typed}{length}{chunked}\r\n0\r\n\r\n{hidden}"),
        ),
        (
            "TE+CL",
            format!("{post}{typed}{chunked}{length}\r\n0\r\n\r\n{hidden}"),
        ),
        (
            "TE xchunked",
            format!("{post}{typed}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{hidden}"),
        ),
        (
            "TE identity",
            format!("{post}{typed}Transfer-Encoding: identity\r\n{length}\r\n{json}"),
        ),
        (
            "TE gzip, chunked",
            format!("{post}{typed}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n{hidden}"),
        ),
        (
            "TE chunked, identity",
            format!("{post}{typed}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n{hidden}"),
        ),
        (
            "TE twice",
            format!("{post}{typed}{chunked}Transfer-Encoding: identity\r\n\r\n0\r\n\r\n{hidden}"),
        ),
        (
            "TE vtab",
            format!("{post}{typed}Transfer-Encoding: \u{b}chunked\r\n\r\n0\r\n\r\n{hidden}"),
        ),
        (
            "TE name space",
            format!("{post}{typed}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n{hidden}"),
        ),
        (
            "TE folded",
            format!("{post}{typed}Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n{hidden}"),
        ),
        (
            "TE 1.0",
            format!("{post}{typed}{chunked}\r\n0\r\n\r\n{hidden}").replacen("HTTP/1.1", "HTTP/1.0", 1),
        ),
        ("chunk empty", format!("{post}{typed}{chunked}\r\n0\r\n\r\n")),
        (
            "chunk bad size",
            format!("{post}{typed}{chunked}\r\nzz\r\n{json}\r\n0\r\n\r\n"),
        ),
        (
            "chunk neg",
            format!("{post}{typed}{chunked}\r\n-1\r\n{json}\r\n0\r\n\r\n"),
        ),
        (
            "chunk 0x",
            format!("{post}{typed}{chunked}\r\n0x1f\r\n{json}\r\n0\r\n\r\n"),
        ),
        (
            "chunk overflow",
            format!("{post}{typed}{chunked}\r\nffffffffffffffffff\r\n{json}\r\n0\r\n\r\n"),
        ),
        (
            "chunk huge",
            format!("{post}{typed}{chunked}\r\nffffffffffffffff\r\n{json}\r\n0\r\n\r\n"),
        ),
        (
            "chunk short",
            format!("{post}{typed}{chunked}\r\n5\r\n{json}\r\n0\r\n\r\n"),
        ),
        (
            "chunk lf",
            format!("{post}{typed}{chunked}\r\n{n:x}\n{json}\n0\n\n"),
        ),
        (
            "chunk ext 100k",
            format!(
                "{post}{typed}{chunked}\r\n{n:x};{}\r\n{json}\r\n0\r\n\r\n",
                "a".repeat(100_000)
            ),
        ),
        (
            "bare LF",
            format!("{post}{typed}{length}\r\n{json}").replace("\r\n", "\n"),
        ),
        (
            "header NUL",
            format!("{post}X: a\0b\r\n{typed}{length}\r\n{json}"),
        ),
        ("header CR", format!("{post}X: a\rb\r\n{typed}{length}\r\n{json}")),
        (
            "header name",
            format!("{post}X@(): a\r\n{typed}{length}\r\n{json}"),
        ),
        (
            "folded header",
            format!("{post}X: a\r\n b\r\n{typed}{length}\r\n{json}"),
        ),
        (
            "two hosts",
            format!("{post}Host: other\r\n{typed}{length}\r\n{json}"),
        ),
        (
            "many headers",
            format!("{post}{}{typed}{length}\r\n{json}", "X: a\r\n".repeat(1_000)),
        ),
        ("no version", "GET /api/v1/me\r\n\r\n".into()),
        (
            "HTTP/9",
            post.replace("HTTP/1.1", "HTTP/9.9") + typed + &length + "\r\n" + json,
        ),
        (
            "space in path",
            post.replace("/messages", "/mess ages") + typed + &length + "\r\n" + json,
        ),
    ];
    for (name, bytes) in rows {
        let mut peer = Peer::connect(target.addr()).await;
        peer.write(bytes.as_bytes()).await;
        let mut came = Vec::new();
        let _ = tokio::time::timeout(std::time::Duration::from_millis(300), async {
            loop {
                let s = peer.status().await;
                came.push(s);
                if s.is_none() {
                    break;
                }
            }
        })
        .await;
        println!(
            "{name}: {came:?} {}",
            target.world.log(GROUP).await.len() - before
        );
    }
}
