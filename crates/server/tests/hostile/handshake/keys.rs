//! Which key opens what: algorithms, key ids, and keys that a token brings along.

use std::{fs, path::Path};

use serde_json::{Value, json};

use super::{
    HEADER, NO_SECRET, USER, all_heard, b64, claims_with, heard, is_sound,
    issuer::{Behaviour, Issuer},
    signer, token_of,
};
use crate::{
    common::TestServer,
    signer::{Signer, claims},
    target::Target,
};

/// A PEM file with the public keys of these.
fn key_file(directory: &Path, signers: &[Signer]) -> String {
    let path = directory.join("keys.pem");
    fs::write(&path, signers.iter().map(Signer::pem).collect::<String>()).unwrap();
    path.to_str().unwrap().to_owned()
}

/// CVE-2015-9235 and its heirs: HS256 with what everybody may know.
pub(super) async fn hs_3_a_public_key_is_no_secret(target: &mut Target) {
    let directory = tempfile::tempdir().unwrap();
    let signers = Signer::public();
    let path = key_file(directory.path(), &signers);
    let keys = ("SEALROOM_JWT_PUBLIC_KEY_FILE", &*path);
    let alone = TestServer::start_with(&[keys, NO_SECRET]);
    let beside = TestServer::start_with(&[keys]);
    let whole_file = fs::read_to_string(&path).unwrap();
    for server in [&alone, &beside] {
        for signer in &signers {
            let pem = signer.pem();
            let one_line: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
            let secrets = [
                pem.clone(),
                pem.trim().to_owned(),
                pem.replace('\n', "\r\n"),
                one_line,
                whole_file.clone(),
                path.clone(),
            ];
            let forged = secrets.into_iter().flat_map(|secret| {
                let forger = Signer::Hs256(secret);
                let named = format!(r#"{{"alg":"HS256","kid":"{}"}}"#, signer.algorithm());
                [
                    forger.token(&claims(USER)),
                    token_of(&forger, named, claims_with("")),
                ]
            });
            // The right key under the name of another algorithm, which decides how the signature is read.
            let mislabelled = ["HS256", "RS256", "ES256", "EdDSA", "none"].into_iter();
            let mislabelled = mislabelled
                .filter(|algorithm| *algorithm != signer.algorithm())
                .map(|algorithm| signer.token_with(&json!({"alg": algorithm}), &claims(USER)));
            let wrong = forged.chain(mislabelled).map(|token| (token, "token_invalid"));
            all_heard(server.addr, wrong).await;
            assert_eq!(heard(server.addr, &signer.token(&claims(USER))).await, "");
        }
        is_sound(server);
    }
    // A server that has nothing but its secret knows none of them.
    let unknown = signers.iter().flat_map(|signer| {
        [
            signer.token(&claims(USER)),
            Signer::Hs256(signer.pem()).token(&claims(USER)),
        ]
    });
    all_heard(target.addr(), unknown.map(|token| (token, "token_invalid"))).await;
    // HS256 is accepted only where a secret is set as well.
    let secret = Signer::Hs256(beside.secret.clone()).token(&claims(USER));
    assert_eq!(heard(beside.addr, &secret).await, "");
    let secret = Signer::Hs256(alone.secret.clone()).token(&claims(USER));
    assert_eq!(heard(alone.addr, &secret).await, "token_invalid");
}

/// The right secret under every other name of RFC 7518 and beyond, and the right name in other spellings.
pub(super) async fn hs_4_no_other_algorithm(target: &mut Target) {
    let signer = signer(target);
    let algorithms = [
        r#""HS384""#,
        r#""HS512""#,
        r#""HS1""#,
        r#""RS256""#,
        r#""RS384""#,
        r#""RS512""#,
        r#""PS256""#,
        r#""ES256""#,
        r#""ES256K""#,
        r#""ES384""#,
        r#""ES512""#,
        r#""EdDSA""#,
        r#""Ed25519""#,
        r#""A128KW""#,
        r#""dir""#,
        r#""PBES2-HS256+A128KW""#,
        r#""hs256""#,
        r#""HS256 ""#,
        r#"" HS256""#,
        r#""HS256\u0000""#,
        r#""HMAC-SHA256""#,
        r#"["HS256"]"#,
        r#"{"alg":"HS256"}"#,
        "256",
        "0",
        "true",
    ];
    let with = |algorithm: &str| token_of(&signer, format!(r#"{{"alg":{algorithm}}}"#), claims_with(""));
    all_heard(
        target.addr(),
        algorithms.map(|algorithm| (with(algorithm), "token_invalid")),
    )
    .await;
    assert_eq!(
        heard(target.addr(), &with(r#""\u0048S256""#)).await,
        "",
        "the same name"
    );
    // Signers of other algorithms that this server has no keys of.
    let strangers = Signer::public().map(|stranger| (stranger.token(&claims(USER)), "token_invalid"));
    all_heard(target.addr(), strangers).await;
}

/// A `kid` is looked up in a table: no file, no query, no address. Each of these would be right if it were more.
pub(super) async fn hs_5_key_ids_are_names_and_nothing_else(target: &mut Target) {
    const KNOWN: &str = "a secret that a file or a query could give";
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("secret");
    fs::write(&file, KNOWN).unwrap();
    let thief = Issuer::start(Behaviour::Say(super::issuer::answer("200 OK", KNOWN))).await;
    let (right, empty, known) = (
        signer(target),
        Signer::Hs256(String::new()),
        Signer::Hs256(KNOWN.into()),
    );
    let path = file.to_str().unwrap().to_owned();
    let url = thief.url();
    let kids = [
        json!("../../../../../../dev/null"),
        json!("/dev/null"),
        json!("/dev/zero"),
        json!(path),
        json!(format!("file://{path}")),
        json!(format!("../../../../../..{path}")),
        json!(format!("{path}\u{0}.pem")),
        json!(format!("|cat {path}")),
        json!(format!("$(cat {path})")),
        json!(url),
        json!(format!("{url}#key")),
        json!("' OR 1=1"),
        json!(format!("x' UNION SELECT '{KNOWN}' -- ")),
        json!("key\u{0}"),
        json!("\u{0}"),
        json!(""),
        json!(" "),
        json!("k\nX-Header: y"),
        json!("é"),
        json!("k".repeat(129)),
        json!("k".repeat(2500)),
        json!(1),
        json!(-1.5),
        json!(true),
        json!(null),
        json!(["key"]),
        json!({"key": "x"}),
    ];
    let with =
        |signer: &Signer, kid: &Value| signer.token_with(&json!({"alg": "HS256", "kid": kid}), &claims(USER));
    // What looks like a name is ignored where no key has one, as many issuers write one: the signature alone counts.
    let names = ["key-1", "constructor", "__proto__", "..", &"k".repeat(128)].map(|kid| (json!(kid), ""));
    for (kid, code) in kids.map(|kid| (kid, "token_invalid")).into_iter().chain(names) {
        assert_eq!(heard(target.addr(), &with(&right, &kid)).await, code, "{kid}");
        for forger in [&empty, &known] {
            assert_eq!(
                heard(target.addr(), &with(forger, &kid)).await,
                "token_invalid",
                "{kid}"
            );
        }
    }
    let huge = format!(r#"{{"alg":"HS256","kid":"{}"}}"#, "k".repeat(10_000));
    assert_eq!(
        heard(target.addr(), &token_of(&right, huge, claims_with(""))).await,
        "token_invalid"
    );
    assert_eq!(thief.asked(), 0, "the server followed a key id");

    // Where keys have names, another name is nobody's.
    let (mine, other) = (Signer::eddsa(), Signer::eddsa());
    let issuer = Issuer::start(Behaviour::Publish(vec![
        mine.listed("mine"),
        other.listed("other"),
    ]))
    .await;
    let server = TestServer::start_with(&[("SEALROOM_JWKS_URL", &issuer.url()), NO_SECRET]);
    fetched(&server, &mine, "mine").await;
    let with =
        |signer: &Signer, kid: Value| signer.token_with(&json!({"alg": "EdDSA", "kid": kid}), &claims(USER));
    for (token, code) in [
        (with(&mine, json!("mine")), ""),
        (with(&other, json!("other")), ""),
        (with(&mine, json!("other")), "token_invalid"),
        (with(&mine, json!("Mine")), "token_invalid"),
        (with(&mine, json!("mine\u{0}")), "token_invalid"),
        (with(&mine, json!(["mine"])), "token_invalid"),
        (mine.token(&claims(USER)), "token_invalid"),
    ] {
        assert_eq!(heard(server.addr, &token).await, code, "{token}");
    }
    is_sound(&server);
}

/// `jku`, `jwk`, `x5u`, `x5c`: whoever writes the token may not say what it is checked with.
pub(super) async fn hs_6_a_header_brings_no_key(target: &mut Target) {
    let (right, forger) = (signer(target), Signer::eddsa());
    let attacker = Issuer::start(Behaviour::Publish(vec![forger.listed("k")])).await;
    let url = attacker.url();
    let directory = tempfile::tempdir().unwrap();
    let file = key_file(directory.path(), &[Signer::eddsa()]);
    let server = TestServer::start_with(&[("SEALROOM_JWT_PUBLIC_KEY_FILE", &*file)]);
    let secret = Signer::Hs256(server.secret.clone());
    let octets = json!({"kty": "oct", "k": b64("0123456789abcdef0123456789abcdef"), "alg": "HS256"});
    let parameters = [
        json!({"jku": url}),
        json!({"jku": [url]}),
        json!({"jku": null}),
        json!({"jwk": forger.listed("k")}),
        json!({"jwk": octets}),
        json!({"jwk": {}}),
        json!({"x5u": url}),
        json!({"x5u": format!("file://{file}")}),
        json!({"x5c": [b64("AAAA")]}),
        json!({"x5c": []}),
        json!({"jku": url, "jwk": forger.listed("k"), "kid": "k"}),
    ];
    for parameters in parameters {
        let header = |algorithm: &str| {
            let mut header = parameters.clone();
            header["alg"] = json!(algorithm);
            header
        };
        let octets = Signer::Hs256("0123456789abcdef0123456789abcdef".into());
        for (addr, signer, algorithm) in [
            (target.addr(), &right, "HS256"),
            (target.addr(), &octets, "HS256"),
            (target.addr(), &forger, "EdDSA"),
            (server.addr, &secret, "HS256"),
            (server.addr, &octets, "HS256"),
            (server.addr, &forger, "EdDSA"),
        ] {
            let token = signer.token_with(&header(algorithm), &claims(USER));
            assert_eq!(
                heard(addr, &token).await,
                "token_invalid",
                "{algorithm} {parameters}"
            );
        }
    }
    assert_eq!(attacker.asked(), 0, "the server asked whom a token named");
    assert_eq!(
        heard(target.addr(), &token_of(&right, HEADER, claims_with(""))).await,
        ""
    );
    is_sound(&server);
}

/// Old and new side by side for as long as the issuer says so, and no restart in between.
pub(super) async fn hs_20_keys_rotate_without_a_restart(target: &mut Target) {
    // From a file: everything in it counts, and nothing else.
    let directory = tempfile::tempdir().unwrap();
    let both = [Signer::eddsa(), Signer::eddsa()];
    let file = key_file(directory.path(), &both);
    let server = TestServer::start_with(&[("SEALROOM_JWT_PUBLIC_KEY_FILE", &*file), NO_SECRET]);
    for signer in &both {
        assert_eq!(heard(server.addr, &signer.token(&claims(USER))).await, "");
    }
    assert_eq!(
        heard(server.addr, &Signer::eddsa().token(&claims(USER))).await,
        "token_invalid"
    );
    is_sound(&server);

    let unknown = both
        .iter()
        .map(|signer| (signer.token(&claims(USER)), "token_invalid"));
    all_heard(target.addr(), unknown).await;

    // From an issuer, in the time of grace.
    let (old, new) = (Signer::eddsa(), Signer::eddsa());
    let by =
        |signer: &Signer, kid: &str| signer.token_with(&json!({"alg": "EdDSA", "kid": kid}), &claims(USER));
    let issuer = Issuer::start(Behaviour::Publish(vec![old.listed("old")])).await;
    let server = TestServer::start_with(&[("SEALROOM_JWKS_URL", &issuer.url()), NO_SECRET]);
    fetched(&server, &old, "old").await;
    assert_eq!(
        heard(server.addr, &by(&new, "old")).await,
        "token_invalid",
        "not signed by the old one"
    );
    issuer.now(Behaviour::Publish(vec![old.listed("old"), new.listed("new")]));
    for (signer, kid) in [(&new, "new"), (&old, "old"), (&new, "new")] {
        assert_eq!(heard(server.addr, &by(signer, kid)).await, "", "{kid}");
    }
    is_sound(&server);

    // And after it.
    let issuer = Issuer::start(Behaviour::Publish(vec![old.listed("old")])).await;
    let server = TestServer::start_with(&[("SEALROOM_JWKS_URL", &issuer.url()), NO_SECRET]);
    fetched(&server, &old, "old").await;
    issuer.now(Behaviour::Publish(vec![new.listed("new")]));
    assert_eq!(heard(server.addr, &by(&new, "new")).await, "");
    assert_eq!(heard(server.addr, &by(&old, "old")).await, "token_invalid");
    // Names that nobody publishes do not make the server ask without end.
    let asked = issuer.asked();
    for number in 0..20 {
        assert_eq!(
            heard(server.addr, &by(&new, &format!("no-{number}"))).await,
            "token_invalid"
        );
    }
    assert!(
        issuer.asked() <= asked + 1,
        "asked {} times",
        issuer.asked() - asked
    );
    is_sound(&server);
}

/// The keys came, which a new server fetches behind its start.
async fn fetched(server: &TestServer, signer: &Signer, kid: &str) {
    let token = signer.token_with(&json!({"alg": "EdDSA", "kid": kid}), &claims(USER));
    super::outages::comes_in(server.addr, &token).await;
}
