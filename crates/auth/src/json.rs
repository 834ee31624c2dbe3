//! JSON objects, read more strictly than `serde_json` reads them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// A JSON object without duplicate keys at any depth; its values are kept as they were written, because only the
/// text tells `5` from `5.0`.
pub(crate) struct Object<'a>(BTreeMap<String, &'a RawValue>);

impl<'a> Object<'a> {
    /// Reads the whole of `bytes`; anything but one object is `None`.
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let object: Self = serde_json::from_str(text).ok()?;
        // A raw value is scanned, not decoded: what hides in it (duplicates, lone surrogates, depth) shows only here.
        let strict = |raw: &&RawValue| serde_json::from_str::<Strict>(raw.get()).is_ok();
        object.0.values().all(strict).then_some(object)
    }

    /// The value of a key, `null` included.
    pub(crate) fn get(&self, key: &str) -> Option<Value<'a>> {
        self.0.get(key).map(|raw| Value(raw.get()))
    }

    /// Whether the key is there, with whatever value.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    /// The value of a key that may be absent but not of another type than a string without U+0000.
    pub(crate) fn text(&self, key: &str) -> Result<Option<String>, WrongType> {
        self.get(key)
            .map(|value| value.text().ok_or(WrongType))
            .transpose()
    }
}

/// A value is not of the type that its key asks for.
#[derive(Debug)]
pub(crate) struct WrongType;

/// One JSON value, as it was written.
#[derive(Clone, Copy)]
pub(crate) struct Value<'a>(&'a str);

impl<'a> Value<'a> {
    /// The text of the value.
    pub(crate) fn raw(self) -> &'a str {
        self.0
    }

    pub(crate) fn is_null(self) -> bool {
        self.0 == "null"
    }

    /// A string without U+0000, which not every store can hold.
    pub(crate) fn text(self) -> Option<String> {
        serde_json::from_str(self.0).ok().filter(is_clean)
    }

    /// A string or an array of strings, all without U+0000.
    pub(crate) fn texts(self) -> Option<Vec<String>> {
        if let Some(text) = self.text() {
            return Some(vec![text]);
        }
        let texts: Vec<String> = serde_json::from_str(self.0).ok()?;
        texts.iter().all(is_clean).then_some(texts)
    }
}

#[expect(clippy::ptr_arg, reason = "the shape that `filter` and `all` ask for")]
fn is_clean(text: &String) -> bool {
    !text.contains('\0')
}

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = BTreeMap<String, &'de RawValue>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = BTreeMap::new();
                while let Some((key, value)) = map.next_entry::<String, &'de RawValue>()? {
                    if members.insert(key, value).is_some() {
                        return Err(A::Error::custom("duplicate key"));
                    }
                }
                Ok(members)
            }
        }

        deserializer.deserialize_map(Members).map(Object)
    }
}

/// Any value, decoded in full and thrown away. Fails on a duplicate key.
struct Strict;

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Strict;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_unit<E>(self) -> Result<Strict, E> {
                Ok(Strict)
            }

            fn visit_bool<E>(self, _: bool) -> Result<Strict, E> {
                Ok(Strict)
            }

            fn visit_i64<E>(self, _: i64) -> Result<Strict, E> {
                Ok(Strict)
            }

            fn visit_u64<E>(self, _: u64) -> Result<Strict, E> {
                Ok(Strict)
            }

            fn visit_f64<E>(self, _: f64) -> Result<Strict, E> {
                Ok(Strict)
            }

            fn visit_str<E>(self, _: &str) -> Result<Strict, E> {
                Ok(Strict)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Strict, A::Error> {
                while seq.next_element::<Strict>()?.is_some() {}
                Ok(Strict)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Strict, A::Error> {
                let mut keys = BTreeSet::new();
                while let Some((key, Strict)) = map.next_entry::<String, Strict>()? {
                    if !keys.insert(key) {
                        return Err(A::Error::custom("duplicate key"));
                    }
                }
                Ok(Strict)
            }
        }

        deserializer.deserialize_any(Any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_objects_are_read() {
        for good in [
            r"{}",
            r#" {"a":1,"b":[{"a":null},{"a":-1.5e3}],"c":"\ud83d\ude00"} "#,
        ] {
            assert!(Object::parse(good.as_bytes()).is_some(), "{good}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(1000), "]".repeat(1000));
        for bad in [
            "",
            "null",
            "[]",
            r#"["a",1]"#,
            r#""{}""#,
            "{}{}",
            "{} x",
            "{}\0",
            "\u{feff}{}",
            r#"{"a":1,}"#,
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":1}"#,
            r#"{"x":{"a":1,"a":1}}"#,
            r#"{"x":[{"a":1,"a":1}]}"#,
            r#"{"a":"\ud800"}"#,
            r#"{"a":["\udc00"]}"#,
            r#"{"\ud800":1}"#,
            r#"{"a":"tab	"}"#,
            r#"{"a":01}"#,
            r#"{"a":+1}"#,
            r#"{"a":NaN}"#,
            r#"{"a":1e400}"#,
            &deep,
        ] {
            assert!(Object::parse(bad.as_bytes()).is_none(), "{bad}");
        }
        assert!(Object::parse(b"{\"a\":\"\xff\"}").is_none());
        assert!(Object::parse(b"{\"a\":\"\xc0\xaf\"}").is_none(), "overlong");
    }

    #[test]
    fn strings_are_clean() {
        let object = Object::parse(br#"{"a":"x","b":"x\u0000","c":5,"d":["x"],"e":["x",5]}"#).unwrap();
        assert_eq!(object.text("a").unwrap().as_deref(), Some("x"));
        assert!(object.text("absent").unwrap().is_none());
        for key in ["b", "c", "d"] {
            assert!(object.text(key).is_err(), "{key}");
        }
        let texts = |key| object.get(key).unwrap().texts();
        assert_eq!(texts("d"), Some(vec!["x".to_owned()]));
        assert_eq!(texts("b"), None);
        assert_eq!(texts("e"), None);
    }
}
