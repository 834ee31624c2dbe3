//! The claims of a token that is otherwise right: each row is one input.

use crate::support::{self, HEADER, NOW, sign, verifier, verifier_at, verify, word};
use sealroom_auth::ClaimRules;
use sealroom_domain::{DisplayName, LoginId, MAX_SAFE_INTEGER, Timestamp, UserId};

mod times;

type Row<'a> = (&'a str, &'a str, &'a str);

fn check(rules: &ClaimRules, rows: &[Row<'_>]) {
    let verifier = verifier(rules.clone());
    for (id, claims, expected) in rows {
        assert_eq!(
            word(&verify(&verifier, &sign(HEADER, claims))),
            *expected,
            "{id}: {claims}"
        );
    }
}

/// Rows of one claim beside those that every token needs.
fn check_added(rules: &ClaimRules, rows: &[Row<'_>]) {
    let claims: Vec<String> = rows
        .iter()
        .map(|(_, added, _)| format!(r#"{{"user_id":5,"exp":1700003600,{added}}}"#))
        .collect();
    let rows: Vec<Row<'_>> = rows
        .iter()
        .zip(&claims)
        .map(|((id, _, expected), claims)| (*id, claims.as_str(), *expected))
        .collect();
    check(rules, &rows);
}

#[test]
fn issuer_and_audience_where_they_are_configured() {
    let rules = ClaimRules {
        issuer: Some("https://issuer.example".to_owned()),
        audience: Some("chat".to_owned()),
        ..ClaimRules::default()
    };
    let ours = r#""iss":"https://issuer.example""#;
    for (aud, expected) in [
        (r#""chat""#, "ok"),
        (r#"["chat"]"#, "ok"),
        (r#"["other","chat"]"#, "ok"),
        (r#""other""#, "invalid"),
        (r#""Chat""#, "invalid"),
        (r#""chat ""#, "invalid"),
        (r#""chat\u0000""#, "invalid"),
        (r#""""#, "invalid"),
        (r#"["other"]"#, "invalid"),
        ("[]", "invalid"),
        (r#"["chat",5]"#, "invalid"),
        (r#"["chat",null]"#, "invalid"),
        (r#"["chat","\u0000"]"#, "invalid"),
        (r#"[["chat"]]"#, "invalid"),
        (r#"{"0":"chat"}"#, "invalid"),
        ("5", "invalid"),
        ("null", "invalid"),
        ("true", "invalid"),
    ] {
        check_added(&rules, &[("HS-12", &format!(r#"{ours},"aud":{aud}"#), expected)]);
    }
    for (iss, expected) in [
        (r#""https://issuer.example""#, "ok"),
        (r#""https://issuer.example/""#, "invalid"),
        (r#""HTTPS://ISSUER.EXAMPLE""#, "invalid"),
        (r#""""#, "invalid"),
        (r#"["https://issuer.example"]"#, "invalid"),
        (r#"{"0":"https://issuer.example"}"#, "invalid"),
        ("5", "invalid"),
        ("null", "invalid"),
    ] {
        check_added(
            &rules,
            &[("HS-12", &format!(r#""aud":"chat","iss":{iss}"#), expected)],
        );
    }
    check_added(
        &rules,
        &[
            ("HS-12", r#""aud":"chat""#, "invalid"),
            ("HS-12", ours, "invalid"),
        ],
    );
}

#[test]
fn texts_that_are_not_compared_still_have_their_types() {
    for claim in ["iss", "aud", "sub", "jti", "scope"] {
        for (value, expected) in [
            (r#""anything""#, "ok"),
            (r#""""#, "ok"),
            (r#""6""#, "ok"),
            (r#""a\u0000b""#, "invalid"),
            ("5", "invalid"),
            ("null", "invalid"),
            ("true", "invalid"),
            ("{}", "invalid"),
            (r#"["a"]"#, if claim == "aud" { "ok" } else { "invalid" }),
            (r#"["a",5]"#, "invalid"),
        ] {
            check_added(
                &ClaimRules::default(),
                &[("HS-12", &format!(r#""{claim}":{value}"#), expected)],
            );
        }
    }
}

#[test]
fn kinds_of_tokens() {
    let rows = [
        ("HS-13", r#""token_use":"access""#, "ok"),
        ("HS-13", r#""token_use":"id""#, "invalid"),
        ("HS-13", r#""token_use":"refresh""#, "invalid"),
        ("HS-13", r#""token_use":5"#, "invalid"),
        ("HS-13", r#""token_type":"access""#, "ok"),
        ("HS-13", r#""token_type":"Bearer""#, "ok"),
        ("HS-13", r#""token_type":"refresh""#, "invalid"),
        ("HS-13", r#""type":"customer""#, "ok"),
        ("HS-13", r#""type":5"#, "ok"),
        ("HS-13", r#""type":"refresh""#, "invalid"),
        ("HS-13", r#""typ":"Bearer""#, "ok"),
        ("HS-13", r#""typ":"Refresh""#, "invalid"),
        ("HS-13", r#""typ":"Offline""#, "invalid"),
        ("HS-13", r#""typ":"ID""#, "invalid"),
    ];
    check_added(&ClaimRules::default(), &rows);
}

#[test]
fn user_id() {
    for (value, expected) in [
        ("1", "ok"),
        ("9007199254740991", "ok"),
        ("9007199254740992", "invalid"),
        ("9007199254740993", "invalid"),
        ("9223372036854775808", "invalid"),
        ("18446744073709551617", "invalid"),
        ("0", "invalid"),
        ("-0", "invalid"),
        ("-1", "invalid"),
        ("5.0", "invalid"),
        ("5.9", "invalid"),
        ("5e0", "invalid"),
        ("5E0", "invalid"),
        ("05", "invalid"),
        ("+5", "invalid"),
        (r#""5""#, "invalid"),
        (r#""""#, "invalid"),
        ("true", "invalid"),
        ("null", "invalid"),
        ("[5]", "invalid"),
        ("{}", "invalid"),
        (r#"{"user_id":5}"#, "invalid"),
    ] {
        let claims = format!(r#"{{"user_id":{value},"exp":1700003600}}"#);
        check(&ClaimRules::default(), &[("HS-14", &claims, expected)]);
    }
    let rows = [
        ("HS-14", r#"{"exp":1700003600}"#, "invalid"),
        ("HS-14", r#"{"sub":"5","exp":1700003600}"#, "invalid"),
        ("HS-14", r#"{"uid":5,"exp":1700003600}"#, "invalid"),
    ];
    check(&ClaimRules::default(), &rows);
}

#[test]
fn login_id() {
    for (value, expected) in [
        ("1", Some(1)),
        ("9007199254740991", Some(9_007_199_254_740_991)),
        ("9007199254740992", None),
        ("0", None),
        ("-1", None),
        ("5.0", None),
        ("5e0", None),
        (r#""5""#, None),
        ("true", None),
        ("null", None),
        ("[5]", None),
        ("{}", None),
    ] {
        let claims = format!(r#"{{"user_id":5,"exp":1700003600,"login_id":{value}}}"#);
        let login = verify(&verifier(ClaimRules::default()), &sign(HEADER, claims))
            .map(|principal| principal.login_id.map(LoginId::get));
        // What is no id is no login of ours: the host's claims may be called what they want.
        assert_eq!(login.unwrap(), expected, "{value}");
    }
}

#[test]
fn hs_14_the_user_claim_alone_names_the_user() {
    for (claim, claims, expected) in [
        (
            "user_id",
            r#"{"user_id":5,"sub":"6","uid":7,"exp":1700003600}"#,
            Some(5),
        ),
        (
            "uid",
            r#"{"user_id":5,"sub":"6","uid":7,"exp":1700003600}"#,
            Some(7),
        ),
        ("uid", r#"{"user_id":5,"exp":1700003600}"#, None),
        ("sub", r#"{"sub":6,"user_id":5,"exp":1700003600}"#, Some(6)),
        ("sub", r#"{"sub":"6","exp":1700003600}"#, None),
    ] {
        let rules = ClaimRules {
            user_claim: claim.to_owned(),
            ..ClaimRules::default()
        };
        let user = verify(&verifier(rules), &sign(HEADER, claims)).map(|principal| principal.user_id.get());
        assert_eq!(user.ok(), expected, "{claim}: {claims}");
    }
}

#[test]
fn json() {
    let rows = [
        (
            "HS-15",
            r#"{"user_id":5,"user_id":6,"exp":1700003600}"#,
            "invalid",
        ),
        (
            "HS-15",
            r#"{"user_id":5,"user_id":5,"exp":1700003600}"#,
            "invalid",
        ),
        (
            "HS-15",
            r#"{"user_id":5,"user\u005fid":6,"exp":1700003600}"#,
            "invalid",
        ),
        ("HS-15", r#"{"user_id":5,"exp":1,"exp":1700003600}"#, "invalid"),
        (
            "HS-15",
            r#"{"user_id":5,"exp":1700003600,"x":1,"x":2}"#,
            "invalid",
        ),
        (
            "HS-15",
            r#"{"user_id":5,"exp":1700003600,"x":[{"y":1,"y":2}]}"#,
            "invalid",
        ),
        ("HS-15", "\u{feff}{\"user_id\":5,\"exp\":1700003600}", "invalid"),
        ("HS-15", r#"{"user_id":5,"exp":1700003600}x"#, "invalid"),
        (
            "HS-15",
            r#"{"user_id":5,"exp":1700003600}{"user_id":6}"#,
            "invalid",
        ),
        ("HS-15", "{\"user_id\":5,\"exp\":1700003600}\0", "invalid"),
        (
            "HS-15",
            r#"{"user_id":5,"exp":1700003600,"x":"\ud83d"}"#,
            "invalid",
        ),
        (
            "HS-15",
            r#"{"user_id":5,"exp":1700003600,"x":{"y":"\udc00"}}"#,
            "invalid",
        ),
        (
            "HS-15",
            r#"{"user_id":5,"exp":1700003600,"x":"\ud83d\ude00"}"#,
            "ok",
        ),
        ("HS-15", r#"[{"user_id":5,"exp":1700003600}]"#, "invalid"),
        ("HS-15", "[5,1700003600]", "invalid"),
        ("HS-15", r#""{}""#, "invalid"),
        ("HS-15", "null", "invalid"),
        ("HS-15", "{}", "invalid"),
        ("HS-15", "", "invalid"),
        (
            "HS-15",
            "{\"user_id\" : 5 ,\n\"exp\":1700003600, \"x\":[null,{}]}\t",
            "ok",
        ),
    ];
    check(&ClaimRules::default(), &rows);
    let not_utf8 = sign(HEADER, b"{\"user_id\":5,\"exp\":1700003600,\"x\":\"\xc3\x28\"}");
    assert_eq!(
        word(&verify(&verifier(ClaimRules::default()), &not_utf8)),
        "invalid",
        "HS-15"
    );
}

#[test]
fn names() {
    let verifier = verifier(ClaimRules::default());
    let long = |length: usize| format!(r#""{}""#, "x".repeat(length));
    let name = |text: &str| Some(Some(DisplayName::new(text).unwrap()));
    let longest = "x".repeat(256);
    for (value, expected) in [
        (r#""Nguyễn Văn A""#, name("Nguyễn Văn A")),
        (r#""Nguy\u1ec5n""#, name("Nguyễn")),
        (r#"" A ""#, name(" A ")),
        (&long(256), name(&longest)),
        ("null", Some(None)),
        (r#""""#, Some(None)),
        (r#""  ""#, Some(None)),
        (r#""\t\n""#, Some(None)),
        (&long(257), None),
        (r#""a\u0000""#, None),
        (r#""\u0000""#, None),
        (r#""a\nb""#, None),
        ("5", None),
        ("true", None),
        (r#"["A"]"#, None),
        ("{}", None),
    ] {
        let token = sign(
            HEADER,
            format!(r#"{{"user_id":5,"exp":1700003600,"name":{value}}}"#),
        );
        let read = verify(&verifier, &token).map(|principal| principal.name);
        assert_eq!(read.ok(), expected, "{value}");
    }
}

#[test]
fn everything_that_a_token_says_is_in_the_principal() {
    let claims = r#"{"user_id":9007199254740991,"name":"An","scope":"admin read","iat":1699999999.5,"exp":1700003600,
        "nbf":1700000005,"sub":"another","jti":"j","iss":"i","aud":["a"],"unknown":{"x":[1e3]}}"#;
    let principal = verify(&verifier(ClaimRules::default()), &sign(HEADER, claims)).unwrap();
    assert_eq!(principal.user_id, UserId::new(MAX_SAFE_INTEGER).unwrap());
    assert_eq!(principal.name, Some(DisplayName::new("An").unwrap()));
    assert_eq!(principal.scope.as_deref(), Some("admin read"));
    assert!(principal.is_admin());
    assert_eq!(
        principal.issued_at,
        Some(Timestamp::from_micros(1_699_999_999_500_000))
    );
    assert_eq!(principal.expires_at, Timestamp::from_secs(1_700_003_600));

    assert_eq!(principal.login_id, None);
    let least = verify(&verifier(ClaimRules::default()), &sign(HEADER, support::CLAIMS)).unwrap();
    assert_eq!((least.name, least.scope, least.issued_at), (None, None, None));
}
