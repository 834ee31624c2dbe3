//! The claims that are moments.

use super::*;

#[test]
fn exp() {
    let rows = [
        ("HS-9", r#"{"user_id":5}"#, "invalid"),
        ("HS-9", r#"{"user_id":5,"exp":"1700003600"}"#, "invalid"),
        ("HS-9", r#"{"user_id":5,"exp":1e308}"#, "invalid"),
        ("HS-9", r#"{"user_id":5,"exp":1e400}"#, "invalid"),
        ("HS-9", r#"{"user_id":5,"exp":-1}"#, "invalid"),
        ("HS-9", r#"{"user_id":5,"exp":-1700003600}"#, "invalid"),
        ("HS-9", r#"{"user_id":5,"exp":9223372036854775807}"#, "invalid"),
        ("HS-9", r#"{"user_id":5,"exp":9223372036854775808}"#, "invalid"),
        ("HS-9", r#"{"user_id":5,"exp":18446744073709551616}"#, "invalid"),
        ("HS-9", r#"{"user_id":5,"exp":253402300799}"#, "ok"),
        ("HS-9", r#"{"user_id":5,"exp":253402300800}"#, "invalid"),
        ("HS-9", r#"{"user_id":5,"exp":null}"#, "invalid"),
        ("HS-9", r#"{"user_id":5,"exp":true}"#, "invalid"),
        ("HS-9", r#"{"user_id":5,"exp":[1700003600]}"#, "invalid"),
        ("HS-9", r#"{"user_id":5,"exp":[1700003600,1]}"#, "invalid"),
        ("HS-9", r#"{"user_id":5,"exp":{"n":1700003600}}"#, "invalid"),
        ("HS-9", r#"{"user_id":5,"exp":NaN}"#, "invalid"),
        ("HS-9", r#"{"user_id":5,"exp":01700003600}"#, "invalid"),
        ("HS-9", r#"{"user_id":5,"exp":1.7000036e9}"#, "ok"),
        ("HS-9", r#"{"user_id":5,"exp":0}"#, "expired"),
        ("HS-10", r#"{"user_id":5,"exp":1699999999}"#, "expired"),
        ("HS-10", r#"{"user_id":5,"exp":1700000000}"#, "expired"),
        ("HS-10", r#"{"user_id":5,"exp":1700000000.0000009}"#, "expired"),
        ("HS-10", r#"{"user_id":5,"exp":1700000000.000001}"#, "ok"),
        ("HS-10", r#"{"user_id":5,"exp":1700000001}"#, "ok"),
    ];
    check(&ClaimRules::default(), &rows);
}

#[test]
fn hs_10_expiry_is_exact_and_has_no_leeway() {
    let token = sign(HEADER, r#"{"user_id":5,"exp":1700000000.25}"#);
    let end = Timestamp::from_micros(NOW * 1_000_000 + 250_000);
    for (micros, expected) in [
        (-1_000_000, "ok"),
        (-1, "ok"),
        (0, "expired"),
        (1, "expired"),
        (4_000_000, "expired"),
    ] {
        let now = Timestamp::from_micros(end.as_micros() + micros);
        let verdict = verify(&verifier_at(ClaimRules::default(), now), &token);
        assert_eq!(word(&verdict), expected, "{micros}");
        if let Ok(principal) = verdict {
            assert_eq!(principal.expires_at, end);
        }
    }
}

#[test]
fn hs_10_an_expired_token_is_called_so_only_where_all_else_is_right() {
    for claims in [
        r#"{"user_id":0,"exp":1}"#,
        r#"{"user_id":"5","exp":1}"#,
        r#"{"user_id":5,"exp":1,"nbf":1800000000}"#,
        r#"{"user_id":5,"exp":1,"name":5}"#,
        r#"{"user_id":5,"exp":1,"aud":5}"#,
    ] {
        check(&ClaimRules::default(), &[("HS-10", claims, "invalid")]);
    }
    let forged = support::sign_with(support::OTHER_SECRET, HEADER, r#"{"user_id":5,"exp":1}"#);
    assert_eq!(
        word(&verify(&verifier(ClaimRules::default()), &forged)),
        "invalid"
    );
}

#[test]
fn nbf_and_iat() {
    for claim in ["nbf", "iat"] {
        for (value, expected) in [
            ("0", "ok"),
            ("1600000000", "ok"),
            ("1700000000", "ok"),
            ("1700000005", "ok"),
            ("1700000005.000001", "invalid"),
            ("1700000006", "invalid"),
            ("1700003601", "invalid"),
            ("253402300800", "invalid"),
            ("1e308", "invalid"),
            ("-1", "invalid"),
            ("null", "invalid"),
            ("true", "invalid"),
            (r#""1600000000""#, "invalid"),
            ("[1600000000]", "invalid"),
            ("{}", "invalid"),
        ] {
            check_added(
                &ClaimRules::default(),
                &[("HS-11", &format!(r#""{claim}":{value}"#), expected)],
            );
        }
    }
}
