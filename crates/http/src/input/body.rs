//! JSON bodies.

use std::{fmt, str, sync::Arc};

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::{HeaderMap, header::CONTENT_TYPE},
};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use sealroom_domain::{ErrorCode, Extra, Refusal};
use sealroom_wire::{RawValue, fields::Raw};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};

use crate::{api::Api, problem::Problem};

/// The bytes of a JSON body, within the limit. An empty one needs no content type; every other is `application/json`
/// in UTF-8, or `invalid_data`.
#[derive(Debug)]
pub(crate) struct JsonBody(Bytes);

impl JsonBody {
    /// The values of an object that has no other keys than these, none twice. An absent value and `null` are the same.
    pub(crate) fn object<const N: usize>(&self, keys: [&'static str; N]) -> Result<[Raw<'_>; N], Refusal> {
        object(&self.0, keys)
    }

    /// The same, where no body at all counts as `{}`.
    pub(crate) fn optional_object<const N: usize>(
        &self,
        keys: [&'static str; N],
    ) -> Result<[Raw<'_>; N], Refusal> {
        if self.0.is_empty() {
            Ok([None; N])
        } else {
            self.object(keys)
        }
    }
}

impl FromRequest<Arc<Api>> for JsonBody {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Arc<Api>) -> Result<Self, Problem> {
        let (head, body) = request.into_parts();
        let limit = api.options.body_limit;
        let too_large = || Refusal::new(ErrorCode::PayloadTooLarge).with(Extra::LimitBytes(limit));
        // Known by `Content-Length` before a byte was read.
        let announced = axum::body::HttpBody::size_hint(&body).lower();
        if usize::try_from(announced).map_or(true, |announced| announced > limit) {
            return Err(too_large().into());
        }
        let bytes = match Limited::new(body, limit).collect().await {
            Ok(collected) => collected.to_bytes(),
            Err(error) if error.is::<LengthLimitError>() => return Err(too_large().into()),
            Err(_cut_off) => return Err(malformed("The body could not be read").into()),
        };
        if !bytes.is_empty() && !is_json(&head.headers) {
            return Err(malformed("Content-Type must be application/json").into());
        }
        Ok(Self(bytes))
    }
}

fn malformed(text: &'static str) -> Refusal {
    Refusal {
        text: Some(text),
        ..ErrorCode::InvalidData.into()
    }
}

/// Whether there is exactly one content type, and it is JSON (RFC 8259, section 11), with UTF-8 as its charset where it
/// names one.
fn is_json(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return false;
    };
    let Ok(value) = value.to_str() else {
        return false;
    };
    let mut parts = value.split(';').map(str::trim);
    parts
        .next()
        .is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"))
        && parts.all(|parameter| match parameter.split_once('=') {
            Some((name, charset)) if name.eq_ignore_ascii_case("charset") => {
                charset.trim_matches('"').eq_ignore_ascii_case("utf-8")
            }
            _ => true,
        })
}

fn object<'a, const N: usize>(json: &'a [u8], keys: [&'static str; N]) -> Result<[Raw<'a>; N], Refusal> {
    let Members(members) = str::from_utf8(json)
        .ok()
        .and_then(|text| serde_json::from_str(text).ok())
        .ok_or_else(|| malformed("The body is not a JSON object"))?;
    if members.iter().any(|(key, _)| !keys.contains(&key.as_str())) {
        return Err(malformed("The body has an unknown key"));
    }
    let mut values = [None; N];
    for (slot, key) in values.iter_mut().zip(keys) {
        let mut found = members
            .iter()
            .filter(|(name, _)| name == key)
            .map(|(_, value)| *value);
        *slot = found.next().filter(|value| value.get() != "null");
        if found.next().is_some() {
            return Err(Refusal::invalid(key));
        }
    }
    Ok(values)
}

/// The members of an object as they stand there, duplicates included. Unlike a derived struct it takes no array for an
/// object, and it can tell which key came twice.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn read(json: &str) -> Result<[Option<&str>; 2], Refusal> {
        object(json.as_bytes(), ["a", "b"]).map(|values| values.map(|value| value.map(RawValue::get)))
    }

    #[test]
    fn an_object_has_known_keys_once() {
        assert_eq!(
            read(r#" {"b": [1, {"a":2}], "a": "x"} "#),
            Ok([Some("\"x\""), Some("[1, {\"a\":2}]")])
        );
        assert_eq!(read(r#"{"a":null}"#), Ok([None, None]));
        assert_eq!(read(r#"{"\u0061":1}"#), Ok([Some("1"), None]));
        assert_eq!(read(r#"{"b":1,"a":1,"b":1}"#), Err(Refusal::invalid("b")));
        assert_eq!(read(r#"{"a":null,"\u0061":1}"#), Err(Refusal::invalid("a")));
    }

    #[test]
    fn everything_else_is_invalid() {
        for bad in [
            "",
            " ",
            "null",
            "5",
            "\"a\"",
            "[]",
            "[1,2]",
            "{",
            "{}x",
            "{} {}",
            "{\"a\":1,}",
            "{'a':1}",
            "{a:1}",
            "{\"a\":01}",
            "{\"a\":\"\u{1}\"}",
            "{\"A\":1}",
            "{\"c\":1}",
            "{\"\":1}",
            "{\"__proto__\":1}",
            "{\"\\ud800\":1}",
            "\u{feff}{}",
            "//\n{}",
        ] {
            let refusal = read(bad).expect_err(bad);
            assert_eq!(
                (refusal.code, refusal.extra),
                (ErrorCode::InvalidData, None),
                "{bad}"
            );
        }
        assert!(object(b"{\"a\":\"\xff\"}", ["a"]).is_err());
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(60_000), "]".repeat(60_000));
        assert!(read(&deep).is_ok(), "what is not looked into is only skipped");
    }

    #[test]
    fn json_is_one_content_type() {
        let is = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(CONTENT_TYPE, HeaderValue::from_static(value));
            }
            is_json(&headers)
        };
        for good in [
            "application/json",
            "Application/JSON",
            "application/json; charset=utf-8",
            "application/json;charset=\"UTF-8\"",
            "application/json; profile=x",
        ] {
            assert!(is(&[good]), "{good}");
        }
        for bad in [
            "",
            "text/json",
            "application/jsonx",
            "application/problem+json",
            "application/json; charset=utf-16",
            "application/json, text/plain",
            "text/plain; application/json",
        ] {
            assert!(!is(&[bad]), "{bad}");
        }
        assert!(!is(&[]));
        assert!(!is(&["application/json", "application/json"]));
    }
}
