//! An event's outer shape.

use std::{borrow::Cow, fmt};

use sealroom_wire::RawValue;
use serde::{
    Deserialize,
    de::{Deserializer as _, IgnoredAny, SeqAccess, Visitor},
};
use socketioxide::handler::Value;

/// An event with its only argument, still unread. Never printed: it may hold a token or a content.
pub(crate) struct Packet<'a> {
    /// The event's name.
    pub(crate) event: Cow<'a, str>,
    /// The argument; `None` where there is none, more than one, or a binary attachment.
    pub(crate) payload: Option<&'a RawValue>,
}

impl<'a> Packet<'a> {
    /// Reads `["event", argument]`. What is no such list is an event without a name.
    pub(crate) fn read(value: &'a Value) -> Self {
        let nameless = Self {
            event: Cow::Borrowed(""),
            payload: None,
        };
        let (text, is_binary) = match value {
            Value::Str(text, attachments) => (text.as_str(), attachments.is_some()),
            Value::Bytes(_) => return nameless,
        };
        let mut reader = serde_json::Deserializer::from_str(text);
        let packet = reader.deserialize_seq(Arguments);
        // What follows the list makes it none.
        let mut packet = reader.end().and(packet).unwrap_or(nameless);
        if is_binary {
            packet.payload = None;
        }
        packet
    }
}

/// Borrowed where the name has no escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

struct Arguments;

impl<'de> Visitor<'de> for Arguments {
    type Value = Packet<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event's name and arguments")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Packet<'de>, A::Error> {
        let event = seq
            .next_element::<Name<'de>>()?
            .map(|name| name.0)
            .unwrap_or_default();
        let mut payload = seq.next_element::<&RawValue>()?;
        while seq.next_element::<IgnoredAny>()?.is_some() {
            payload = None;
        }
        Ok(Packet { event, payload })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (String, Option<String>) {
        let value = Value::Str(text.to_owned().into(), None);
        let packet = Packet::read(&value);
        (
            packet.event.into_owned(),
            packet.payload.map(|raw| raw.get().to_owned()),
        )
    }

    #[test]
    fn one_argument_and_no_more() {
        assert_eq!(read(r#"["a",{"b":1}]"#), ("a".into(), Some(r#"{"b":1}"#.into())));
        assert_eq!(read(r#"["\u0061",null]"#), ("a".into(), Some("null".into())));
        for none in [r#"["a"]"#, r#"["a",1,2]"#, r#"["a",{},{},{}]"#] {
            assert_eq!(read(none), ("a".into(), None), "{none}");
        }
        for nameless in [
            "{}",
            "[]",
            "[5]",
            "[\"a\",",
            "",
            "[\"a\",{}]x",
            "[\"a\"][]",
            "[\"a\"],",
        ] {
            assert_eq!(read(nameless), (String::new(), None), "{nameless}");
        }
    }

    #[test]
    fn attachments_are_no_argument() {
        let value = Value::Str(
            r#"["a",{"_placeholder":true,"num":0}]"#.to_owned().into(),
            Some([].into()),
        );
        assert!(Packet::read(&value).payload.is_none());
    }
}
