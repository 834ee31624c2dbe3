//! One token has one spelling: JSON, base64 and the signature.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE},
};

use super::{HEADER, all_heard, b64, claims_with, heard, signer, token_of};
use crate::{
    signer::{Signer, claims, in_seconds},
    target::Target,
};

/// RFC 8725, 2.5 and 3.12: what two readers would read in two ways is read by none.
pub(super) async fn hs_15_json_has_one_reading(target: &mut Target) {
    let signer = signer(target);
    let end = in_seconds(600);
    let good = claims_with("");
    let headers: [&[u8]; 11] = [
        br#"{"alg":"none","alg":"HS256"}"#,
        br#"{"alg":"HS256","alg":"HS256"}"#,
        br#"{"alg":"HS256","\u0061lg":"HS256"}"#,
        br#"{"alg":"HS256","x":{"a":1,"a":2}}"#,
        b"\xef\xbb\xbf{\"alg\":\"HS256\"}",
        br#"{"alg":"HS256"}{}"#,
        b"{\"alg\":\"HS256\"}\0",
        br#"{"alg":"HS256","x":"\ud800"}"#,
        b"{\"alg\":\"HS256\",\"x\":\"\xff\"}",
        br#"["HS256"]"#,
        b"",
    ];
    let refused = headers.map(|header| (token_of(&signer, header, &good), "token_invalid"));
    all_heard(target.addr(), refused).await;

    let twice = |more: &str| format!(r#"{{"user_id":5,"exp":{end}{more}}}"#).into_bytes();
    let bodies = [
        twice(r#","user_id":6"#),
        twice(r#","user_id":5"#),
        twice(r#","user\u005fid":6"#),
        twice(r#","exp":1"#),
        twice(&format!(r#","exp":{}"#, end + 1)),
        twice(r#","x":1,"x":2"#),
        twice(r#","x":[{"y":1,"y":2}]"#),
        twice(r#","x":"\ud83d""#),
        twice(r#","x":{"y":"\udc00\ud83d"}"#),
        twice(","),
        [b"\xef\xbb\xbf", good.as_bytes()].concat(),
        [good.as_bytes(), b"x"].concat(),
        [good.as_bytes(), b"{\"user_id\":6}"].concat(),
        [good.as_bytes(), b"\0"].concat(),
        [b"[", good.as_bytes(), b"]"].concat(),
        good.replace('{', "{/**/").into_bytes(),
        good.replace('"', "'").into_bytes(),
        twice(",\"x\":\"\u{1}\""),
        // Not UTF-8, an overlong `/`, half of a pair as three bytes, UTF-16.
        [&twice(",\"x\":\"")[..good.len() - 1], b"\xc3\x28\"}"].concat(),
        [&twice(",\"x\":\"")[..good.len() - 1], b",\"x\":\"\xc0\xaf\"}"].concat(),
        [&twice("")[..good.len() - 1], b",\"x\":\"\xed\xa0\x80\"}"].concat(),
        good.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        b"null".to_vec(),
        b"{}".to_vec(),
        Vec::new(),
    ];
    let refused = bodies.map(|body| (token_of(&signer, HEADER, body), "token_invalid"));
    all_heard(target.addr(), refused).await;

    let spaced = format!("{{\"user_id\" : 5 ,\n\"exp\":{end}, \"x\":[null,\"\\ud83d\\ude00\"]}}\t");
    assert_eq!(heard(target.addr(), &token_of(&signer, HEADER, spaced)).await, "");
}

/// RFC 4648, 3.5: padding, other alphabets, white space and bits that are left over.
pub(super) async fn hs_16_base64_has_one_spelling(target: &mut Target) {
    let signer = signer(target);
    // 16 bytes leave four bits of the last character over, and 3 n + 1 of the claims as well.
    let header = r#"{"alg":"HS256" }"#;
    let mut claims = claims_with(r#","x":"~~~???>>>""#);
    while claims.len() % 3 != 1 {
        claims.push(' ');
    }
    let good = token_of(&signer, header, &claims);
    assert_eq!(heard(target.addr(), &good).await, "");
    let [first, second, signature] = good.split('.').collect::<Vec<_>>().try_into().unwrap();
    assert_ne!(
        second,
        STANDARD_NO_PAD.encode(&claims),
        "the alphabets differ here"
    );
    let of_parts = |first: &str, second: &str| signer.signed(&format!("{first}.{second}"));
    let (half, rest) = signature.split_at(20);
    let spellings = [
        of_parts(&URL_SAFE.encode(header), second),
        of_parts(first, &URL_SAFE.encode(&claims)),
        of_parts(first, &STANDARD_NO_PAD.encode(&claims)),
        of_parts(first, &STANDARD.encode(&claims)),
        of_parts(&next_letter(first), second),
        of_parts(first, &next_letter(second)),
        of_parts(&format!("{first}A"), second),
        of_parts(first, &format!("{second}\n")),
        of_parts(&format!(" {first}"), second),
        of_parts(first, "é"),
        format!("{good}="),
        format!("{good} "),
        format!(" {good}"),
        format!("{good}\n"),
        format!("{good}\r\n"),
        format!("\u{feff}{good}"),
        format!("{first}.{second}.{half}\n{rest}"),
        format!("{first}.{second}.{half}%3D{rest}"),
        // 32 bytes leave two bits of the signature over.
        format!("{first}.{second}.{}", next_letter(signature)),
    ];
    all_heard(target.addr(), spellings.map(|token| (token, "token_invalid"))).await;
}

/// The next letter of the alphabet in the last place: the same bytes once the bits that are left over are dropped.
fn next_letter(part: &str) -> String {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (rest, last) = part.split_at(part.len() - 1);
    let next = ALPHABET.find(last).unwrap() + 1;
    format!("{rest}{}", &ALPHABET[next..=next])
}

/// A signature that is cut, changed, empty, of another key or of other claims.
pub(super) async fn hs_17_the_signature_is_whole(target: &mut Target) {
    let signer = signer(target);
    let good = signer.token(&claims(5));
    let [header, payload, signature] = good.split('.').collect::<Vec<_>>().try_into().unwrap();
    let with = |signature: &str| format!("{header}.{payload}.{signature}");
    let other = Signer::Hs256("another secret, which is of no use here".into());
    let of_another = signer.token(&claims(6));
    let [_, claims_of_another, _] = of_another.split('.').collect::<Vec<_>>().try_into().unwrap();
    let mut tokens = vec![
        with(""),
        with(&"A".repeat(43)),
        with(&format!("{signature}AAAA")),
        with(&signature.repeat(2)),
        format!("{header}.{claims_of_another}.{signature}"),
        format!("{}.{payload}.{signature}", b64(r#"{"alg":"HS256","typ":"JWT"}"#)),
        other.token(&claims(5)),
        Signer::Hs256(String::new()).token(&claims(5)),
        Signer::Hs256("\0".repeat(32)).token(&claims(5)),
        Signer::Hs256(target.world.server.secret[..63].to_owned()).token(&claims(5)),
    ];
    tokens.extend([1, 10, 21, 40, 42].map(|length| with(&signature[..length])));
    // One bit of each character, in each of the parts.
    for place in 0..good.len() {
        let mut changed = good.clone().into_bytes();
        changed[place] ^= 1;
        tokens.push(String::from_utf8(changed).unwrap());
    }
    all_heard(
        target.addr(),
        tokens.into_iter().map(|token| (token, "token_invalid")),
    )
    .await;
    assert_eq!(heard(target.addr(), &good).await, "");
}
