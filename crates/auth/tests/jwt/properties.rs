//! What must hold for every token.

use std::{collections::HashSet, sync::Arc, time::Duration};

use crate::support::{self, CLAIMS, HEADER, NOW, OTHER_SECRET, SECRET, sign, verifier, verify, word};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use proptest::prelude::*;
use sealroom_auth::{
    ClaimRules, Grant, JwtVerifier, KeySet, MintError, Minter, MinterOptions, Secret, SigningKey,
    VerificationKey, VerifierOptions,
};
use sealroom_domain::{DisplayName, LoginId, MAX_SAFE_INTEGER, Timestamp, UserId, ports::Clock};
use sealroom_testkit::memory::FixedClock;

fn minter_at(claims: ClaimRules, now: Timestamp) -> Minter {
    Minter::new(MinterOptions {
        key: SigningKey::hs256(&support::secret()),
        claims,
        clock: Arc::new(FixedClock::new(now)),
    })
    .unwrap()
}

fn minter(claims: ClaimRules) -> Minter {
    minter_at(claims, Timestamp::from_secs(NOW))
}

fn grants() -> impl Strategy<Value = Grant> {
    (
        1..=MAX_SAFE_INTEGER,
        proptest::option::of("[^\\p{C}]{1,40}"),
        proptest::option::of("[^\\p{C}]{0,60}"),
        proptest::option::of(1..=MAX_SAFE_INTEGER),
        1_000_u64..100_000_000_000,
    )
        .prop_map(|(user_id, name, scope, login_id, millis)| Grant {
            user_id: UserId::new(user_id).unwrap(),
            name: name.and_then(|name| DisplayName::new(name).ok()),
            scope,
            login_id: login_id.map(|id| LoginId::new(id).unwrap()),
            ttl: Duration::from_millis(millis),
        })
}

fn rules() -> impl Strategy<Value = ClaimRules> {
    (
        proptest::option::of("[^\\p{C}]{1,30}"),
        proptest::option::of("[^\\p{C}]{1,30}"),
        prop_oneof![Just("user_id"), Just("sub"), Just("https://host.example/uid")],
    )
        .prop_map(|(issuer, audience, claim)| ClaimRules {
            issuer,
            audience,
            user_claim: claim.to_owned(),
        })
}

#[test]
fn every_flipped_bit_of_a_token_makes_it_invalid() {
    let claims = r#"{"user_id":5,"exp":1700003600,"name":"An","scope":"admin"}"#;
    let verifier = verifier(ClaimRules::default());
    let token = sign(HEADER, claims);
    assert_eq!(word(&verify(&verifier, &token)), "ok");
    let mut tried = 0;
    for place in 0..token.len() {
        for bit in 0..8 {
            let mut bytes = token.clone().into_bytes();
            bytes[place] ^= 1 << bit;
            // What is no UTF-8 cannot even be handed in.
            if let Ok(flipped) = String::from_utf8(bytes) {
                assert_eq!(word(&verify(&verifier, &flipped)), "invalid", "{flipped}");
                tried += 1;
            }
        }
    }
    assert!(tried >= token.len() * 7);
}

proptest! {
    #[test]
    fn a_changed_token_is_nobody_s(
        grant in grants(),
        flips in proptest::collection::vec((any::<prop::sample::Index>(), 0_u32..7), 1..4),
    ) {
        let token = minter(ClaimRules::default()).mint(&grant).unwrap();
        let mut bytes = token.clone().into_bytes();
        for (place, bit) in flips {
            let place = place.index(bytes.len());
            bytes[place] ^= 1 << bit;
        }
        let changed = String::from_utf8(bytes).unwrap();
        prop_assume!(changed != token);
        prop_assert_eq!(word(&verify(&verifier(ClaimRules::default()), &changed)), "invalid");
    }

    #[test]
    fn a_minted_token_says_what_it_was_asked_to(grant in grants(), rules in rules(), micros in 0_i64..4_000_000_000_000_000) {
        let now = Timestamp::from_micros(micros);
        let token = minter_at(rules.clone(), now).mint(&grant).unwrap();
        let principal = verify(&support::verifier_at(rules, now), &token).unwrap();
        prop_assert!(!principal.is_expired(now));
        prop_assert_eq!(principal.user_id, grant.user_id);
        prop_assert_eq!(principal.name, grant.name);
        prop_assert_eq!(principal.scope, grant.scope);
        prop_assert_eq!(principal.login_id, grant.login_id);
        // Whole seconds, rounded to earlier.
        let second = |time: Timestamp| Timestamp::from_secs(time.as_micros() / 1_000_000);
        prop_assert_eq!(principal.issued_at, Some(second(now)));
        prop_assert_eq!(principal.expires_at, second(now.plus(grant.ttl)));
    }

    #[test]
    fn a_minted_token_ends(grant in grants()) {
        let token = minter(ClaimRules::default()).mint(&grant).unwrap();
        let end = Timestamp::from_secs(NOW).plus(grant.ttl);
        prop_assert_eq!(word(&verify(&support::verifier_at(ClaimRules::default(), end), &token)), "expired");
    }

    #[test]
    fn no_text_is_a_token(text in "\\PC{0,200}(\\.\\PC{0,50}){0,4}") {
        prop_assert_eq!(word(&verify(&verifier(ClaimRules::default()), &text)), "invalid");
    }

    #[test]
    fn signed_nonsense_is_answered(header in any::<Vec<u8>>(), claims in any::<Vec<u8>>()) {
        let verifier = verifier(ClaimRules::default());
        prop_assert_eq!(word(&verify(&verifier, &sign(&header, CLAIMS))), "invalid");
        prop_assert_eq!(word(&verify(&verifier, &sign(HEADER, &claims))), "invalid");
    }

    /// Whatever is cut out of good claims or doubled in them: the user is never another one.
    #[test]
    fn damaged_claims_never_name_another_user(from in 0_usize..30, length in 1_usize..8, twice in any::<bool>()) {
        let mut claims = CLAIMS.as_bytes().to_vec();
        let end = (from + length).min(claims.len());
        let piece: Vec<u8> = claims.splice(from..end, []).collect();
        if twice {
            claims.splice(from..from, [piece.clone(), piece].concat());
        }
        if let Ok(principal) = verify(&verifier(ClaimRules::default()), &sign(HEADER, &claims)) {
            let text = String::from_utf8(claims).unwrap();
            let written = format!(r#""user_id":{}"#, principal.user_id);
            prop_assert!(text.contains(&written), "{}", text);
        }
    }
}

#[test]
fn minted_tokens_carry_the_configured_claims() {
    let rules = ClaimRules {
        issuer: Some("me".to_owned()),
        audience: Some("chat".to_owned()),
        user_claim: "uid".to_owned(),
    };
    let grant = Grant::new(UserId::new(5).unwrap(), Duration::from_mins(1));
    let token = minter(rules.clone()).mint(&grant).unwrap();
    let parts: Vec<serde_json::Value> = token
        .split('.')
        .take(2)
        .map(|part| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap())
        .collect();
    assert_eq!(parts[0], serde_json::json!({"alg": "HS256", "typ": "JWT"}));
    let mut claims = parts[1].clone();
    let jti = claims.as_object_mut().unwrap().remove("jti").unwrap();
    assert_eq!(jti.as_str().unwrap().len(), 22);
    assert_eq!(
        claims,
        serde_json::json!({"uid": 5, "iat": NOW, "exp": NOW + 60, "iss": "me", "aud": "chat"})
    );
    for other in [
        ClaimRules::default(),
        ClaimRules {
            issuer: Some("you".to_owned()),
            ..rules.clone()
        },
        ClaimRules {
            audience: Some("mail".to_owned()),
            ..rules
        },
    ] {
        assert_eq!(word(&verify(&verifier(other), &token)), "invalid");
    }
}

#[test]
fn every_token_is_another() {
    let minter = minter(ClaimRules::default());
    let grant = Grant::new(UserId::new(5).unwrap(), Duration::from_mins(1));
    let tokens: HashSet<String> = (0..1000).map(|_| minter.mint(&grant).unwrap()).collect();
    assert_eq!(tokens.len(), 1000);
}

#[test]
fn a_named_key_signs_for_the_verifier_that_knows_its_name() {
    let clock: Arc<dyn Clock> = Arc::new(FixedClock::new(Timestamp::from_secs(NOW)));
    let key = |text: &str| VerificationKey::hs256(&Secret::new(text).unwrap());
    let verifier = JwtVerifier::new(VerifierOptions {
        keys: KeySet::new([key(SECRET).named("new"), key(OTHER_SECRET).named("old")])
            .unwrap()
            .into(),
        claims: ClaimRules::default(),
        clock: Arc::clone(&clock),
    })
    .unwrap();
    for (name, expected) in [("new", "ok"), ("old", "invalid"), ("other", "invalid")] {
        let minter = Minter::new(MinterOptions {
            key: SigningKey::hs256(&support::secret()).named(name),
            claims: ClaimRules::default(),
            clock: Arc::clone(&clock),
        })
        .unwrap();
        let token = minter
            .mint(&Grant::new(UserId::new(5).unwrap(), Duration::from_mins(1)))
            .unwrap();
        assert_eq!(word(&verify(&verifier, &token)), expected, "{name}");
    }
}

#[test]
fn a_token_that_no_verifier_would_accept_is_not_minted() {
    let grant = Grant::new(UserId::new(5).unwrap(), Duration::from_mins(1));
    let minted = |grant: &Grant, now| minter_at(ClaimRules::default(), Timestamp::from_secs(now)).mint(grant);
    for ttl in [Duration::ZERO, Duration::from_millis(999), Duration::MAX] {
        let grant = Grant { ttl, ..grant.clone() };
        assert!(matches!(minted(&grant, NOW), Err(MintError::Lifetime)), "{ttl:?}");
    }
    assert!(matches!(minted(&grant, -1), Err(MintError::Lifetime)));
    assert!(matches!(
        minted(&grant, 253_402_300_740),
        Err(MintError::Lifetime)
    ));
    assert!(minted(&grant, 253_402_300_739).is_ok());

    let scope = |scope: String| Grant {
        scope: Some(scope),
        ..grant.clone()
    };
    assert!(matches!(
        minted(&scope("a\0".to_owned()), NOW),
        Err(MintError::Scope)
    ));
    assert!(matches!(
        minted(&scope("a".repeat(4096)), NOW),
        Err(MintError::TooLong)
    ));
}

#[test]
fn a_minter_prints_nothing_secret() {
    let printed = format!("{:?}", minter(ClaimRules::default()));
    assert!(
        !printed.contains(SECRET) && printed.contains("[redacted]"),
        "{printed}"
    );
}
