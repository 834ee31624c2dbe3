//! What a token must say, and in which types.

use std::time::Duration;

use sealroom_domain::ports::Clock as _;
use sealroom_server::clock::SystemClock;
use sealroom_testkit::client::http;
use serde_json::json;
use tokio::time::sleep;

use super::{HEADER, all_heard, claims_with, heard, is_sound, signer, token_of};
use crate::{
    common::TestServer,
    signer::{Signer, in_seconds},
    target::Target,
};

/// A token of these claims, which are the text of an object.
fn claimed(signer: &Signer, claims: &str) -> String {
    token_of(signer, HEADER, claims)
}

/// CVE-2026-25537: a claim of the wrong type is no absent claim.
pub(super) async fn hs_9_every_token_ends(target: &mut Target) {
    let signer = signer(target);
    let end = in_seconds(600);
    let rows = [
        (format!(r#""exp":"{end}""#), "token_invalid"),
        (format!(r#""exp":[{end}]"#), "token_invalid"),
        (format!(r#""exp":[{end},1]"#), "token_invalid"),
        (format!(r#""exp":{{"n":{end}}}"#), "token_invalid"),
        (format!(r#""exp":0{end}"#), "token_invalid"),
        (format!(r#""exp":+{end}"#), "token_invalid"),
        (format!(r#""exp":-{end}"#), "token_invalid"),
        (format!(r#""Exp":{end}"#), "token_invalid"),
        (r#""iat":1"#.into(), "token_invalid"),
        (r#""exp":null"#.into(), "token_invalid"),
        (r#""exp":true"#.into(), "token_invalid"),
        (r#""exp":"""#.into(), "token_invalid"),
        (r#""exp":"never""#.into(), "token_invalid"),
        (r#""exp":1e308"#.into(), "token_invalid"),
        (r#""exp":1e400"#.into(), "token_invalid"),
        (r#""exp":NaN"#.into(), "token_invalid"),
        (r#""exp":Infinity"#.into(), "token_invalid"),
        (r#""exp":-1"#.into(), "token_invalid"),
        (r#""exp":9223372036854775807"#.into(), "token_invalid"),
        (r#""exp":9223372036854775808"#.into(), "token_invalid"),
        (r#""exp":18446744073709551615"#.into(), "token_invalid"),
        (r#""exp":18446744073709551616"#.into(), "token_invalid"),
        (format!(r#""exp":{}"#, "9".repeat(3000)), "token_invalid"),
        // One second after the year 9999, which is the last that RFC 3339 can write.
        (r#""exp":253402300800"#.into(), "token_invalid"),
        (r#""exp":253402300799"#.into(), ""),
        (format!(r#""exp":{end}.5"#), ""),
        (format!(r#""exp":{end}e0"#), ""),
        (r#""exp":0"#.into(), "token_expired"),
        (r#""exp":1"#.into(), "token_expired"),
    ];
    let token = |claims: &str| claimed(&signer, &format!(r#"{{"user_id":5,{claims}}}"#));
    all_heard(target.addr(), rows.map(|(claims, code)| (token(&claims), code))).await;
    assert_eq!(
        heard(target.addr(), &claimed(&signer, r#"{"user_id":5}"#)).await,
        "token_invalid"
    );
}

/// No leeway, and `token_expired` only where all else is right.
pub(super) async fn hs_10_the_end_is_exact(target: &mut Target) {
    let signer = signer(target);
    let past = [0, -1, -4, -5, -6, -3600].map(|seconds| {
        (
            claimed(
                &signer,
                &format!(r#"{{"user_id":5,"exp":{}}}"#, in_seconds(seconds)),
            ),
            "token_expired",
        )
    });
    all_heard(target.addr(), past).await;
    let otherwise_wrong = [
        r#"{"user_id":0,"exp":1}"#,
        r#"{"user_id":"5","exp":1}"#,
        r#"{"user_id":5,"exp":1,"nbf":253402300799}"#,
        r#"{"user_id":5,"exp":1,"name":5}"#,
        r#"{"user_id":5,"exp":1,"aud":5}"#,
    ];
    all_heard(
        target.addr(),
        otherwise_wrong.map(|claims| (claimed(&signer, claims), "token_invalid")),
    )
    .await;
    let forged = claimed(
        &Signer::Hs256("another secret of sufficient length".into()),
        r#"{"user_id":5,"exp":1}"#,
    );
    assert_eq!(heard(target.addr(), &forged).await, "token_invalid");

    // In the middle of a second: good before it, over from it on.
    let end = SystemClock.now().as_micros() + 700_000;
    let exp = format!("{}.{:06}", end.div_euclid(1_000_000), end.rem_euclid(1_000_000));
    let token = claimed(&signer, &format!(r#"{{"user_id":5,"exp":{exp}}}"#));
    let mut accepted = 0;
    loop {
        let asked = SystemClock.now().as_micros();
        let code = super::answered(target.addr(), json!({"token": token})).await;
        let answered = SystemClock.now().as_micros();
        match &*code {
            "" => {
                accepted += 1;
                assert!(asked < end, "accepted {} us after its end", asked - end);
            }
            "token_expired" => {
                assert!(answered >= end, "over {} us before its end", end - answered);
                break;
            }
            other => panic!("{other}"),
        }
        sleep(Duration::from_millis(20)).await;
    }
    assert!(accepted > 0, "it was never good");
}

/// `nbf` and `iat` may be 5 s ahead. However long a token lasts is its issuer's affair.
pub(super) async fn hs_11_no_token_from_the_future(target: &mut Target) {
    let signer = signer(target);
    let mut rows = Vec::new();
    for claim in ["nbf", "iat"] {
        let ahead = |seconds| in_seconds(seconds).to_string();
        for (value, code) in [
            ("0".to_owned(), ""),
            (ahead(-3600), ""),
            (ahead(0), ""),
            (ahead(4), ""),
            // The clock goes on between here and there.
            (ahead(9), "token_invalid"),
            (ahead(3600), "token_invalid"),
            ("253402300800".into(), "token_invalid"),
            ("9223372036854775808".into(), "token_invalid"),
            ("1e308".into(), "token_invalid"),
            ("-1".into(), "token_invalid"),
            ("null".into(), "token_invalid"),
            ("true".into(), "token_invalid"),
            ("\"1600000000\"".into(), "token_invalid"),
            ("\"\"".into(), "token_invalid"),
            ("[1600000000]".into(), "token_invalid"),
            ("{}".into(), "token_invalid"),
        ] {
            rows.push((
                claimed(&signer, &claims_with(&format!(r#","{claim}":{value}"#))),
                code,
            ));
        }
    }
    let long = r#"{"user_id":5,"iat":0,"exp":253402300799}"#;
    rows.push((claimed(&signer, long), ""));
    all_heard(target.addr(), rows).await;
}

/// Compared where they are configured; of the right type everywhere.
pub(super) async fn hs_12_issuer_and_audience(target: &mut Target) {
    let settings = [
        ("SEALROOM_JWT_ISSUER", "https://issuer.example"),
        ("SEALROOM_JWT_AUDIENCE", "chat"),
    ];
    let server = TestServer::start_with(&settings);
    let signer = Signer::Hs256(server.secret.clone());
    let ours = r#""iss":"https://issuer.example""#;
    let audiences = [
        (r#""chat""#, ""),
        (r#"["chat"]"#, ""),
        (r#"["other","chat"]"#, ""),
        (r#""other""#, "token_invalid"),
        (r#""Chat""#, "token_invalid"),
        (r#""chat ""#, "token_invalid"),
        (r#""cha""#, "token_invalid"),
        (r#""chat\u0000""#, "token_invalid"),
        (r#""other chat""#, "token_invalid"),
        (r#""other,chat""#, "token_invalid"),
        (r#""""#, "token_invalid"),
        (r#"["other"]"#, "token_invalid"),
        ("[]", "token_invalid"),
        (r#"["chat",5]"#, "token_invalid"),
        (r#"["chat",null]"#, "token_invalid"),
        (r#"[["chat"]]"#, "token_invalid"),
        (r#"{"0":"chat"}"#, "token_invalid"),
        (r#"{"chat":true}"#, "token_invalid"),
        ("5", "token_invalid"),
        ("true", "token_invalid"),
        ("null", "token_invalid"),
    ];
    let issuers = [
        (r#""https://issuer.example""#, ""),
        (r#""https://issuer.example/""#, "token_invalid"),
        (r#""HTTPS://ISSUER.EXAMPLE""#, "token_invalid"),
        (r#""https://issuer.example.evil.example""#, "token_invalid"),
        (r#""https://issuer.exampl""#, "token_invalid"),
        (r#""""#, "token_invalid"),
        (r#"["https://issuer.example"]"#, "token_invalid"),
        (r#"{"0":"https://issuer.example"}"#, "token_invalid"),
        ("5", "token_invalid"),
        ("null", "token_invalid"),
    ];
    let with = |more: &str| claimed(&signer, &claims_with(&format!(",{more}")));
    all_heard(
        server.addr,
        audiences.map(|(aud, code)| (with(&format!(r#"{ours},"aud":{aud}"#)), code)),
    )
    .await;
    all_heard(
        server.addr,
        issuers.map(|(iss, code)| (with(&format!(r#""aud":"chat","iss":{iss}"#)), code)),
    )
    .await;
    all_heard(
        server.addr,
        [ours, r#""aud":"chat""#].map(|claims| (with(claims), "token_invalid")),
    )
    .await;
    is_sound(&server);

    // Where nothing is configured they are compared with nothing, and still are no numbers.
    let signer = super::signer(target);
    let mut rows = Vec::new();
    for claim in ["iss", "aud", "sub", "jti", "scope"] {
        let is_list = claim == "aud";
        for (value, code) in [
            (r#""anything""#, ""),
            (r#""a\u0000b""#, "token_invalid"),
            ("5", "token_invalid"),
            ("null", "token_invalid"),
            ("{}", "token_invalid"),
            (r#"["a"]"#, if is_list { "" } else { "token_invalid" }),
            (r#"["a",5]"#, "token_invalid"),
        ] {
            rows.push((
                claimed(&signer, &claims_with(&format!(r#","{claim}":{value}"#))),
                code,
            ));
        }
    }
    all_heard(target.addr(), rows).await;
}

/// RFC 8725, 3.11: a token for another use, signed with the same key.
pub(super) async fn hs_13_other_kinds_of_tokens(target: &mut Target) {
    let signer = signer(target);
    let headers = [
        (r#""JWT""#, ""),
        (r#""jwt""#, ""),
        (r#""at+jwt""#, ""),
        (r#""application/at+jwt""#, ""),
        (r#""refresh+jwt""#, "token_invalid"),
        (r#""id+jwt""#, "token_invalid"),
        (r#""logout+jwt""#, "token_invalid"),
        (r#""dpop+jwt""#, "token_invalid"),
        (r#""secevent+jwt""#, "token_invalid"),
        (r#""JOSE""#, "token_invalid"),
        (r#""refresh""#, "token_invalid"),
        (r#""JWT ""#, "token_invalid"),
        (r#""""#, "token_invalid"),
        (r#"["JWT"]"#, "token_invalid"),
        ("null", "token_invalid"),
        ("5", "token_invalid"),
    ];
    let header = |typ: &str| {
        token_of(
            &signer,
            format!(r#"{{"alg":"HS256","typ":{typ}}}"#),
            claims_with(""),
        )
    };
    all_heard(target.addr(), headers.map(|(typ, code)| (header(typ), code))).await;
    let kinds = [
        (r#""token_use":"access""#, ""),
        (r#""token_use":"id""#, "token_invalid"),
        (r#""token_use":"refresh""#, "token_invalid"),
        (r#""token_use":"anything""#, "token_invalid"),
        (r#""token_use":5"#, "token_invalid"),
        (r#""token_use":null"#, "token_invalid"),
        (r#""token_type":"Bearer""#, ""),
        (r#""token_type":"refresh""#, "token_invalid"),
        (r#""token_type":"REFRESH_TOKEN""#, "token_invalid"),
        (r#""type":"customer""#, ""),
        (r#""type":"refresh""#, "token_invalid"),
        (r#""typ":"Bearer""#, ""),
        (r#""typ":"Refresh""#, "token_invalid"),
        (r#""typ":"Offline""#, "token_invalid"),
        (r#""typ":"ID""#, "token_invalid"),
        (r#""typ":"Logout""#, "token_invalid"),
    ];
    let kind = |claim: &str| claimed(&signer, &claims_with(&format!(",{claim}")));
    all_heard(target.addr(), kinds.map(|(claim, code)| (kind(claim), code))).await;
}

/// `"5"` never is 5, and nothing but the configured claim says who somebody is.
pub(super) async fn hs_14_only_an_integer_is_a_user(target: &mut Target) {
    let signer = signer(target);
    let end = in_seconds(600);
    let values = [
        ("1", ""),
        ("9007199254740991", ""),
        ("9007199254740992", "token_invalid"),
        ("9007199254740993", "token_invalid"),
        ("9223372036854775807", "token_invalid"),
        ("9223372036854775808", "token_invalid"),
        ("18446744073709551617", "token_invalid"),
        ("0", "token_invalid"),
        ("-0", "token_invalid"),
        ("-1", "token_invalid"),
        ("5.0", "token_invalid"),
        ("5.9", "token_invalid"),
        ("5e0", "token_invalid"),
        ("50E-1", "token_invalid"),
        ("05", "token_invalid"),
        ("+5", "token_invalid"),
        ("0x5", "token_invalid"),
        (r#""5""#, "token_invalid"),
        (r#""""#, "token_invalid"),
        (r#""me@example.com""#, "token_invalid"),
        ("true", "token_invalid"),
        ("null", "token_invalid"),
        ("[5]", "token_invalid"),
        ("{}", "token_invalid"),
        (r#"{"user_id":5}"#, "token_invalid"),
    ];
    let with = |value: &str| claimed(&signer, &format!(r#"{{"user_id":{value},"exp":{end}}}"#));
    all_heard(target.addr(), values.map(|(value, code)| (with(value), code))).await;
    let others = [
        r#""sub":"5""#,
        r#""sub":"5","uid":5"#,
        r#""User_id":5"#,
        r#""userId":5"#,
        r#""id":5"#,
    ];
    let absent = |claims: &str| claimed(&signer, &format!(r#"{{"exp":{end},{claims}}}"#));
    all_heard(
        target.addr(),
        others.map(|claims| (absent(claims), "token_invalid")),
    )
    .await;

    // `sub` and everything else that looks like an identity is not looked at.
    let token = claimed(
        &signer,
        &claims_with(r#","sub":"6","uid":7,"id":8,"login_id":9,"sender_id":10"#),
    );
    assert_eq!(heard(target.addr(), &token).await, "");
    let me = http::request(target.addr(), "GET", "/api/v1/me", Some(&token), None)
        .await
        .unwrap();
    assert_eq!(me.json()["user_id"], 5);
}
