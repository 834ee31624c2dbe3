//! JSON bodies.

use std::{fmt, str, sync::Arc};

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::{
        HeaderMap,
        header::{CONTENT_ENCODING, CONTENT_TYPE},
    },
};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use sealroom_domain::{ErrorCode, Extra, Limits, Refusal};
use sealroom_wire::{RawValue, fields::Raw};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use utoipa::openapi::{Required, Schema, request_body::RequestBodyBuilder};

use crate::{
    api::Api,
    openapi::{Describe, Spec, json_content},
    problem::Problem,
};

/// What a route takes in its body: declared by [`crate::input::fields::body`], which reads it and describes it.
pub(crate) trait Fields: Sized {
    /// Its name in the document.
    const NAME: &'static str;
    /// All of its keys.
    const KEYS: &'static [&'static str];

    /// Reads them.
    fn read(object: &Object<'_>) -> Result<Self, Refusal>;

    /// What they may be.
    fn schema() -> Schema;
}

/// A JSON body, read strictly: `application/json` in UTF-8, one object with known keys, each at most once.
#[derive(Debug)]
pub(crate) struct Body<T>(pub(crate) T);

/// The same, where no body at all counts as `{}`.
#[derive(Debug)]
pub(crate) struct OptionalBody<T>(pub(crate) T);

impl<T: Fields> FromRequest<Arc<Api>> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Arc<Api>) -> Result<Self, Problem> {
        let json = bytes(request, api).await?;
        Ok(Self(T::read(&Object::parse(&json, T::KEYS, api.chat.limits())?)?))
    }
}

impl<T: Fields> FromRequest<Arc<Api>> for OptionalBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Arc<Api>) -> Result<Self, Problem> {
        let json = bytes(request, api).await?;
        let json = if json.is_empty() { b"{}" } else { &*json };
        Ok(Self(T::read(&Object::parse(json, T::KEYS, api.chat.limits())?)?))
    }
}

impl<T: Fields> Describe for Body<T> {
    fn describe(spec: &mut Spec) {
        describe::<T>(spec, Required::True);
    }
}

impl<T: Fields> Describe for OptionalBody<T> {
    fn describe(spec: &mut Spec) {
        describe::<T>(spec, Required::False);
    }
}

fn describe<T: Fields>(spec: &mut Spec, required: Required) {
    let content = json_content(spec.named(T::NAME.to_owned(), T::schema().into()));
    let body = RequestBodyBuilder::new()
        .required(Some(required))
        .content("application/json", content);
    spec.request_body(body.build());
    spec.refuses(&[ErrorCode::InvalidData, ErrorCode::PayloadTooLarge]);
}

/// The bytes of a body, within the limit. An empty one needs no content type.
async fn bytes(request: Request, api: &Api) -> Result<Bytes, Refusal> {
    let (head, body) = request.into_parts();
    let limit = api.options.body_limit;
    let too_large = || Refusal::new(ErrorCode::PayloadTooLarge).with(Extra::LimitBytes(limit));
    // Known by `Content-Length` before a byte was read.
    let announced = axum::body::HttpBody::size_hint(&body).lower();
    if usize::try_from(announced).map_or(true, |announced| announced > limit) {
        return Err(too_large());
    }
    let bytes = match Limited::new(body, limit).collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => return Err(too_large()),
        Err(_cut_off) => return Err(malformed("The body could not be read")),
    };
    if !bytes.is_empty() && !is_json(&head.headers) {
        return Err(malformed("Content-Type must be application/json"));
    }
    // What says that it is packed is not read as if it were not, and nothing is unpacked.
    let mut encodings = head.headers.get_all(CONTENT_ENCODING).iter();
    if !bytes.is_empty() && !encodings.all(|encoding| encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(malformed("Content-Encoding is not supported"));
    }
    Ok(bytes)
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

/// An object of known keys, none of them twice. An absent value and `null` are the same.
pub(crate) struct Object<'a> {
    members: Vec<(String, &'a RawValue)>,
    /// The bounds in force, for values whose size is a setting.
    pub(crate) limits: &'a Limits,
}

impl<'a> Object<'a> {
    pub(crate) fn parse(json: &'a [u8], keys: &[&'static str], limits: &'a Limits) -> Result<Self, Refusal> {
        let Members(members) = str::from_utf8(json)
            .ok()
            .and_then(|text| serde_json::from_str(text).ok())
            .ok_or_else(|| malformed("The body is not a JSON object"))?;
        if members.iter().any(|(key, _)| !keys.contains(&key.as_str())) {
            return Err(malformed("The body has an unknown key"));
        }
        for key in keys {
            if members.iter().filter(|(name, _)| name == key).count() > 1 {
                return Err(Refusal::invalid(key));
            }
        }
        Ok(Self { members, limits })
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: &str) -> Raw<'a> {
        let found = self.members.iter().find(|(name, _)| name == key);
        found
            .map(|(_, value)| *value)
            .filter(|value| value.get() != "null")
    }
}

// Without the values, among which are passwords and tokens.
impl fmt::Debug for Object<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<_> = self.members.iter().map(|(key, _)| key).collect();
        f.debug_struct("Object")
            .field("keys", &keys)
            .finish_non_exhaustive()
    }
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
    use std::sync::LazyLock;

    use axum::http::HeaderValue;

    use super::*;

    static LIMITS: LazyLock<Limits> = LazyLock::new(Limits::default);

    fn read(json: &str) -> Result<[Option<&str>; 2], Refusal> {
        let object = Object::parse(json.as_bytes(), &["a", "b"], &LIMITS)?;
        Ok(["a", "b"].map(|key| object.get(key).map(RawValue::get)))
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
    fn values_are_not_printed() {
        let object = Object::parse(br#"{"a":"canary"}"#, &["a"], &LIMITS).unwrap();
        assert_eq!(format!("{object:?}"), r#"Object { keys: ["a"], .. }"#);
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
        assert!(Object::parse(b"{\"a\":\"\xff\"}", &["a"], &LIMITS).is_err());
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
