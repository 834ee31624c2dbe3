//! What a token is made of, and how long it may be.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{HEADER, USER, all_heard, answered, b64, claims_with, heard, signer, token_of};
use crate::{
    peer::{Frame, Peer},
    signer::claims,
    target::Target,
};

/// RFC 8725, 3.2: `none` in every spelling, with and without a signature that would be right.
pub(super) async fn hs_2_nothing_is_unsigned(target: &mut Target) {
    let signer = signer(target);
    let claims = claims_with("");
    let mut rows = Vec::new();
    for header in [
        r#"{"alg":"none"}"#,
        r#"{"alg":"None"}"#,
        r#"{"alg":"NONE"}"#,
        r#"{"alg":"nOnE","typ":"JWT"}"#,
        r#"{"alg":"none "}"#,
        r#"{"alg":""}"#,
        r#"{"alg":null}"#,
        r#"{"alg":false}"#,
        r#"{"typ":"JWT"}"#,
        "{}",
    ] {
        let unsigned = format!("{}.{}", b64(header), b64(&claims));
        rows.extend([
            format!("{unsigned}."),
            unsigned,
            token_of(&signer, header, &claims),
        ]);
    }
    let unsigned = format!("{}.{}", b64(HEADER), b64(&claims));
    rows.extend([format!("{unsigned}."), format!("{unsigned}.."), unsigned]);
    all_heard(
        target.addr(),
        rows.into_iter().map(|token| (token, "token_invalid")),
    )
    .await;
    assert_eq!(heard(target.addr(), &token_of(&signer, HEADER, claims)).await, "");
}

/// Parameters of RFC 7515, 7516 and 7797 that would change how the token is read. All of these are signed rightly.
pub(super) async fn hs_7_nothing_that_is_not_understood(target: &mut Target) {
    let signer = signer(target);
    let claims = claims_with("");
    let headers = [
        (r#""crit":["b64"],"b64":false"#, "token_invalid"),
        (r#""crit":["exp"],"exp":1"#, "token_invalid"),
        (r#""crit":[]"#, "token_invalid"),
        (r#""crit":null"#, "token_invalid"),
        (r#""crit":"exp""#, "token_invalid"),
        (r#""b64":false"#, "token_invalid"),
        (r#""b64":true"#, "token_invalid"),
        (r#""zip":"DEF""#, "token_invalid"),
        (r#""enc":"A256GCM""#, "token_invalid"),
        (r#""cty":"JWT""#, "token_invalid"),
        (r#""cty":"application/jwt""#, "token_invalid"),
        (r#""cty":5"#, "token_invalid"),
        (r#""cty":"json""#, ""),
        (r#""unknown":[{"x":1}]"#, ""),
    ];
    let with = |more: &str| token_of(&signer, format!(r#"{{"alg":"HS256",{more}}}"#), &claims);
    all_heard(target.addr(), headers.map(|(more, code)| (with(more), code))).await;

    let good = token_of(&signer, HEADER, &claims);
    let [header, payload, signature] = good.split('.').collect::<Vec<_>>().try_into().unwrap();
    // A payload that is not encoded, as `b64: false` has it; a token in a token; five parts as JWE has them; others.
    let nested = token_of(&signer, HEADER, format!("\"{good}\""));
    let encrypted = b64(r#"{"alg":"dir","enc":"A256GCM"}"#);
    let shapes = [
        signer.signed(&format!("{header}.{claims}")),
        nested,
        format!("{encrypted}..{payload}.{payload}.{signature}"),
        format!("{header}.{payload}.{signature}.{signature}.{signature}"),
        format!("{good}."),
        format!(".{good}"),
        format!("{header}..{payload}.{signature}"),
        format!("{header}.{payload}.{signature}.{signature}"),
        format!("{header}.{signature}"),
        header.to_owned(),
        ".".to_owned(),
        "..".to_owned(),
        "...".to_owned(),
        json!({"payload": payload, "signatures": [{"protected": header, "signature": signature}]})
            .to_string(),
    ];
    all_heard(target.addr(), shapes.map(|token| (token, "token_invalid"))).await;
}

/// Refused by the length alone; what no frame or header can carry does not get as far.
pub(super) async fn hs_8_long_tokens(target: &mut Target) {
    let signer = signer(target);
    // A token of exactly this length: three bytes of claims are four characters.
    let of_length = |length: usize| {
        let around = token_of(&signer, HEADER, claims_with(r#","x":"""#)).len();
        let token = (0..8).find_map(|spare| {
            let filler = "x".repeat((length - around) / 4 * 3 + spare);
            let token = token_of(&signer, HEADER, claims_with(&format!(r#","x":"{filler}""#)));
            (token.len() == length).then_some(token)
        });
        token.unwrap()
    };
    assert_eq!(heard(target.addr(), &of_length(4096)).await, "", "the longest");
    let deep = format!(
        r#"{{"alg":"HS256","x":{}{}}}"#,
        "[".repeat(1000),
        "]".repeat(1000)
    );
    let deep_claims = claims_with(&format!(r#","x":{}{}"#, "[".repeat(1000), "]".repeat(1000)));
    let deepest = format!(
        r#"{{"alg":"HS256","x":{}{}}}"#,
        "[".repeat(10_000),
        "]".repeat(10_000)
    );
    let begin = Instant::now();
    let rows = [
        of_length(4097),
        of_length(4099),
        of_length(100_000),
        token_of(&signer, deep, claims_with("")),
        token_of(&signer, HEADER, deep_claims),
        token_of(&signer, deepest, claims_with("")),
        "a".repeat(100_000),
        ".".repeat(100_000),
        "=".repeat(100_000),
        "\u{10ffff}".repeat(30_000),
    ];
    all_heard(target.addr(), rows.map(|token| (token, "token_invalid"))).await;
    // Far more than it takes, far less than it would take to look at them.
    assert!(begin.elapsed() < Duration::from_secs(4), "{:?}", begin.elapsed());

    // Past the limit of a frame the connection ends, without an answer.
    for length in [131_072, 10_000_000] {
        let mut peer = Peer::websocket(target.addr()).await;
        peer.frame(&Frame::text(&format!(
            "40{{\"token\":\"{}\"}}",
            "a".repeat(length)
        )))
        .await;
        let (after, _) = peer.closed(Duration::from_secs(5)).await;
        assert!(after < Duration::from_secs(5));
    }
    // As a header it is too large for HTTP before it is a token.
    let mut peer = Peer::connect(target.addr()).await;
    let header = format!("Authorization: Bearer {}\r\n", "a".repeat(10_000_000));
    peer.write(format!("GET /api/v1/me HTTP/1.1\r\nHost: x\r\n{header}\r\n").as_bytes())
        .await;
    let status = peer.status().await;
    assert!(matches!(status, None | Some(431)), "{status:?}");
    target.works().await;
    let small = signer.token(&claims(USER));
    assert_eq!(answered(target.addr(), json!({"token": small})).await, "");
}
