//! Plain HTTP/1.1 requests, one connection each, without a client library.

use std::{fmt::Write, io, net::SocketAddr, time::Duration};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// How long a request may take.
const DEADLINE: Duration = Duration::from_secs(30);

/// An answer.
#[derive(Debug, Clone)]
pub struct HttpResponse {
    /// The status code.
    pub status: u16,
    /// Names as they came, and values.
    pub headers: Vec<(String, String)>,
    /// The body, without its transfer coding.
    pub body: Vec<u8>,
}

impl HttpResponse {
    /// The first header of that name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter();
        let mut found = found.filter(|(other, _)| other.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| &**value)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; panics where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("status {}, not JSON ({error}): {}", self.status, self.text()))
    }
}

/// Sends a request with an optional bearer token and an optional JSON body.
pub async fn request(
    server: SocketAddr,
    method: &str,
    path: &str,
    token: Option<&str>,
    body: Option<Value>,
) -> io::Result<HttpResponse> {
    let mut headers = Vec::new();
    let authorization = token.map(|token| format!("Bearer {token}"));
    if let Some(authorization) = &authorization {
        headers.push(("Authorization", &**authorization));
    }
    let body = body.map(|body| body.to_string());
    if body.is_some() {
        headers.push(("Content-Type", "application/json"));
    }
    request_with(
        server,
        method,
        path,
        &headers,
        body.unwrap_or_default().as_bytes(),
    )
    .await
}

/// Sends a request with these headers and this body, whatever they are. `Host`, `Connection` and `Content-Length` are
/// added.
pub async fn request_with(
    server: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> io::Result<HttpResponse> {
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n");
    for (name, value) in headers {
        write!(head, "{name}: {value}\r\n").map_err(io::Error::other)?;
    }
    write!(head, "Content-Length: {}\r\n\r\n", body.len()).map_err(io::Error::other)?;
    let mut request = head.into_bytes();
    request.extend_from_slice(body);
    let answer = timeout(DEADLINE, exchange(server, &request)).await??;
    parse(&answer).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "not an HTTP answer"))
}

/// Writes bytes and reads what comes until the server closes.
async fn exchange(server: SocketAddr, request: &[u8]) -> io::Result<Vec<u8>> {
    let mut tcp = TcpStream::connect(server).await?;
    // A server may answer and close before it has read a body that is too long.
    let written = tcp.write_all(request).await;
    let mut answer = Vec::new();
    let read = tcp.read_to_end(&mut answer).await;
    if answer.is_empty() {
        written?;
        read?;
    }
    Ok(answer)
}

fn parse(answer: &[u8]) -> Option<HttpResponse> {
    let end = find(answer, b"\r\n\r\n")?;
    let head = std::str::from_utf8(&answer[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let status_line = lines.next()?.strip_prefix("HTTP/1.1 ")?;
    let headers = lines
        .map(|line| {
            let (name, value) = line.split_once(':')?;
            Some((name.into(), value.trim().into()))
        })
        .collect::<Option<_>>()?;
    let mut response = HttpResponse {
        status: status_line.get(..3)?.parse().ok()?,
        headers,
        body: Vec::new(),
    };
    let body = &answer[end + 4..];
    response.body = if response.header("Transfer-Encoding") == Some("chunked") {
        unchunked(body)?
    } else if let Some(length) = response.header("Content-Length") {
        // A HEAD request is answered with a length and no body.
        let length: usize = length.parse().ok()?;
        body.get(..length).unwrap_or_default().to_vec()
    } else {
        body.to_vec()
    };
    Some(response)
}

/// Undoes the chunked transfer coding (RFC 9112, section 7.1).
fn unchunked(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line_end = find(rest, b"\r\n")?;
        let size = std::str::from_utf8(&rest[..line_end]).ok()?;
        let size = usize::from_str_radix(size.split(';').next()?.trim(), 16).ok()?;
        rest = &rest[line_end + 2..];
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(rest.get(..size)?);
        rest = rest.get(size + 2..)?;
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_parsed() {
        let plain = parse(b"HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\nX-A: b: c\r\n\r\n{}junk").unwrap();
        assert_eq!((plain.status, &*plain.body), (404, &b"{}"[..]));
        assert_eq!(plain.header("x-a"), Some("b: c"));
        assert_eq!(plain.json(), serde_json::json!({}));
        let chunked =
            parse(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0A\r\n0123456789\r\n0\r\n\r\n");
        assert_eq!(chunked.unwrap().text(), "abc0123456789");
        let until_close = parse(b"HTTP/1.1 200 OK\r\n\r\nall of it").unwrap();
        assert_eq!(until_close.text(), "all of it");
    }

    #[test]
    fn what_is_no_answer_is_none() {
        for bytes in [
            &b""[..],
            b"HTTP/1.1 200 OK\r\n",
            b"HTTP/1.0 200 OK\r\n\r\n",
            b"HTTP/1.1 20\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        ] {
            assert!(parse(bytes).is_none());
        }
    }
}
