//! What a client receives.

use serde_json::{Value, value::RawValue};
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// What a [`Received`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// An event.
    Event,
    /// The answer to the event with this ack id.
    Ack(u64),
    /// The namespace was left: the server does not want this client back.
    Disconnect,
    /// A binary frame of this many bytes.
    Binary(usize),
    /// Any other packet.
    Other,
    /// The end of the connection; always the last.
    Closed,
}

/// One thing that came from the server, parsed only when asked. Cloning shares the bytes.
#[derive(Debug, Clone)]
pub struct Received {
    kind: Kind,
    frame: Utf8Bytes,
    /// Where the JSON begins in `frame`.
    json: usize,
}

impl Received {
    /// What it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The name of an event. Names that need escapes in JSON come with them.
    pub fn name(&self) -> Option<&str> {
        if self.kind == Kind::Event {
            self.json().strip_prefix("[\"")?.split('"').next()
        } else {
            None
        }
    }

    /// Whether it is an event of this name.
    pub fn is_event(&self, name: &str) -> bool {
        self.name() == Some(name)
    }

    /// The text frame as it came.
    pub fn frame(&self) -> &str {
        &self.frame
    }

    /// The JSON text of the packet: the array of arguments, an event's name first. Of other packets, all behind the
    /// "4".
    pub fn json(&self) -> &str {
        &self.frame[self.json..]
    }

    /// The arguments, each as its JSON text: an event's without its name.
    pub fn args(&self) -> Vec<&str> {
        let all: Vec<&RawValue> = serde_json::from_str(self.json()).unwrap_or_default();
        let skipped = usize::from(self.kind == Kind::Event);
        all.into_iter().skip(skipped).map(RawValue::get).collect()
    }

    /// The first argument of an event or an ack; null where there is none.
    pub fn payload(&self) -> Value {
        let first = self.args().first().map(|text| serde_json::from_str(text));
        first.and_then(Result::ok).unwrap_or(Value::Null)
    }

    /// A text frame that is a Socket.IO packet (Engine.IO type 4).
    pub(super) fn packet(frame: Utf8Bytes) -> Self {
        let text = frame.as_str();
        let digits = |from: usize| {
            text.as_bytes()[from..]
                .iter()
                .take_while(|byte| byte.is_ascii_digit())
                .count()
        };
        let (kind, json) = match text.as_bytes().get(1) {
            Some(b'2') => (Kind::Event, 2 + digits(2)),
            Some(b'3') => {
                let json = 2 + digits(2);
                (text[2..json].parse().map_or(Kind::Other, Kind::Ack), json)
            }
            Some(b'1') => (Kind::Disconnect, 2),
            // Behind the "4", which is one byte whatever follows.
            _ => (Kind::Other, text.len().min(1)),
        };
        Self { kind, frame, json }
    }

    pub(super) fn binary(len: usize) -> Self {
        Self::without_text(Kind::Binary(len))
    }

    pub(super) fn closed() -> Self {
        Self::without_text(Kind::Closed)
    }

    fn without_text(kind: Kind) -> Self {
        Self {
            kind,
            frame: Utf8Bytes::from_static(""),
            json: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn packet(text: &str) -> Received {
        Received::packet(Utf8Bytes::from(text))
    }

    #[test]
    fn events_have_a_name_and_a_payload() {
        for frame in [r#"42["new_message",{"id":1}]"#, r#"4217["new_message",{"id":1}]"#] {
            let event = packet(frame);
            assert_eq!(event.kind(), Kind::Event);
            assert!(event.is_event("new_message") && !event.is_event("new"));
            assert_eq!(event.payload(), json!({"id": 1}));
        }
        let two = packet(r#"42["x",1,[2, 3]]"#);
        assert_eq!(two.args(), ["1", "[2, 3]"]);
        assert_eq!(packet(r#"42["x"]"#).payload(), Value::Null);
    }

    #[test]
    fn acks_have_an_id() {
        let ack = packet(r#"43120[{"success":true}]"#);
        assert_eq!(ack.kind(), Kind::Ack(120));
        assert_eq!(ack.name(), None);
        assert_eq!(ack.payload(), json!({"success": true}));
        assert_eq!(packet("43[]").kind(), Kind::Other);
    }

    #[test]
    fn odd_packets_do_no_harm() {
        assert_eq!(packet("41").kind(), Kind::Disconnect);
        for text in ["4", "42", "43", "4é", "42[", "42{}", "499"] {
            let odd = packet(text);
            assert_eq!(odd.payload(), Value::Null);
            assert_eq!(odd.name(), None);
        }
    }
}
