//! TLS that is spoken wrong, too old, too weak or not at all.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, timeout},
};

use crate::{target::Target, tls::Certificate};

/// A hello of a client (RFC 5246, 7.4.1.2) of this version, with these suites and extensions.
fn hello(version: [u8; 2], suites: &[u16], extensions: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let long = |bytes: &[u8]| -> Vec<u8> {
        let length = u16::try_from(bytes.len()).unwrap();
        [&length.to_be_bytes(), bytes].concat()
    };
    let suites: Vec<u8> = suites.iter().flat_map(|suite| suite.to_be_bytes()).collect();
    let extensions: Vec<u8> = extensions
        .iter()
        .flat_map(|(kind, data)| [&kind.to_be_bytes(), &*long(data)].concat())
        .collect();
    // A random number, no session to go on with, and no compression.
    let body = [
        &version,
        &[7; 32][..],
        &[0],
        &long(&suites),
        &[1, 0],
        &long(&extensions),
    ]
    .concat();
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    let message = [&[1], &length[1..], &body].concat();
    [&[22, 3, 1], &*long(&message)].concat()
}

/// A name that a client asks for (RFC 6066, section 3).
fn name(name: &[u8]) -> (u16, Vec<u8>) {
    let length = u16::try_from(name.len()).unwrap().to_be_bytes();
    let entry = [&[0], &length[..], name].concat();
    let list = u16::try_from(entry.len()).unwrap().to_be_bytes();
    (0, [&list, &*entry].concat())
}

/// What a peer that writes this is answered, to its end, and when that was.
async fn answered(target: &Target, bytes: &[u8]) -> (Vec<u8>, Duration) {
    let begin = Instant::now();
    let mut peer = TcpStream::connect(target.addr()).await.unwrap();
    let _ = peer.write_all(bytes).await;
    let mut answer = Vec::new();
    let ended = timeout(Duration::from_secs(10), peer.read_to_end(&mut answer)).await;
    assert!(ended.is_ok(), "still open: {bytes:?}");
    (answer, begin.elapsed())
}

pub(super) async fn tl_4_who_speaks_tls_wrong(target: &mut Target) {
    const MODERN: [u16; 3] = [0xc02b, 0xc02c, 0xcca9];
    let certificate = Certificate::new();
    for (variable, file) in certificate.settings() {
        target.world.server.set(variable, &file);
    }
    target.restart();
    // The groups, the signatures and the versions that every client names.
    let usual = || {
        vec![
            (10, vec![0, 4, 0, 29, 0, 23]),
            (13, vec![0, 4, 4, 3, 8, 4]),
            (23, Vec::new()),
        ]
    };
    let with_name = |name| [usual(), vec![name]].concat();
    // An alert (RFC 8446, section 6): protocol_version is 70, handshake_failure 40, decode_error 50.
    for (hello, alert) in [
        (hello([3, 0], &MODERN, &usual()), 70),
        (hello([3, 1], &MODERN, &usual()), 70),
        (hello([3, 2], &MODERN, &usual()), 70),
        // RC4, 3DES, CBC, RSA without a key exchange, no encryption, export.
        (
            hello(
                [3, 3],
                &[0x0005, 0x000a, 0x002f, 0x0035, 0xc013, 0x0001, 0x0003],
                &usual(),
            ),
            40,
        ),
        (hello([3, 3], &[], &usual()), 50),
    ] {
        let (answer, took) = answered(target, &hello).await;
        assert_eq!(answer.first(), Some(&21), "{answer:?}");
        assert_eq!(answer.get(6), Some(&alert), "{answer:?}");
        assert!(took < Duration::from_secs(2), "{took:?}");
    }
    // Any name will do, and a strange one harms nobody: an alert, or the hello of the server and an end in time.
    let junk: [&[u8]; 6] = [
        b"",
        b"a\0b",
        b"127.0.0.1",
        &[0xff; 300],
        b"../../etc/passwd",
        &[b'a'; 2_000],
    ];
    let junk = junk.map(|bytes| hello([3, 3], &MODERN, &with_name(name(bytes))));
    // Broken in length, in kind, in the middle; and no TLS.
    let mut cut = hello([3, 3], &MODERN, &usual());
    cut.truncate(40);
    let mut long = hello([3, 3], &MODERN, &usual());
    long[3..5].copy_from_slice(&[0xff, 0xff]);
    let broken = [
        cut,
        long,
        vec![0; 100],
        b"\x80\x2e\x01\x00\x02".to_vec(),
        b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        vec![22, 3, 3, 0, 1, 14],
        vec![23; 20_000],
        Vec::new(),
    ];
    let all = junk.iter().chain(&broken).map(async |bytes| {
        let (answer, took) = answered(target, bytes).await;
        assert!(matches!(answer.first(), None | Some(21 | 22)), "{answer:?}");
        assert!(took < Duration::from_secs(8), "{took:?}: {bytes:?}");
    });
    join_all(all).await;
    // Who speaks it right is served.
    for version in rustls::ALL_VERSIONS {
        certificate.connect(target.addr(), &[*version]).await.unwrap();
    }
    for (variable, _) in certificate.settings() {
        target.world.server.set(variable, "");
    }
    target.restart();
}
