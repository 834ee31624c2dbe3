//! Packets of Engine.IO 4 and Socket.IO 5 on the namespace `/`, as a server writes them into text frames.

/// What a text frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packet<'a> {
    /// Engine.IO's ping; it wants its pong.
    Ping,
    /// The answer to CONNECT: the object with the session's id.
    Connected(&'a str),
    /// The refusal of CONNECT: the object with the reason.
    Refused(&'a str),
    /// An event's name, and what follows it up to the end of the list.
    Event(&'a str, &'a str),
    /// The answer to the event with this id: what is in its list.
    Ack(u64, &'a str),
    /// The namespace ended.
    Disconnect,
    /// Anything else.
    Other,
}

impl<'a> Packet<'a> {
    /// Reads a text frame. It looks for the shape that servers write and does not check JSON.
    pub fn read(text: &'a str) -> Self {
        let Some((kind, rest)) = text.split_at_checked(1) else {
            return Self::Other;
        };
        match kind {
            "2" => Self::Ping,
            "4" => Self::message(rest),
            _ => Self::Other,
        }
    }

    fn message(text: &'a str) -> Self {
        let Some((kind, rest)) = text.split_at_checked(1) else {
            return Self::Other;
        };
        match kind {
            "0" => Self::Connected(rest),
            "1" => Self::Disconnect,
            "2" => Self::event(rest).unwrap_or(Self::Other),
            "3" => Self::ack(rest).unwrap_or(Self::Other),
            "4" => Self::Refused(rest),
            _ => Self::Other,
        }
    }

    fn event(rest: &'a str) -> Option<Self> {
        let list = rest.trim_start_matches(|digit: char| digit.is_ascii_digit());
        let (name, arguments) = list.strip_prefix("[\"")?.strip_suffix(']')?.split_once('"')?;
        Some(Self::Event(
            name,
            arguments.strip_prefix(',').unwrap_or(arguments),
        ))
    }

    fn ack(rest: &'a str) -> Option<Self> {
        let list = rest.trim_start_matches(|digit: char| digit.is_ascii_digit());
        let id = rest.get(..rest.len() - list.len())?.parse().ok()?;
        Some(Self::Ack(id, list.strip_prefix('[')?.strip_suffix(']')?))
    }
}

/// The whole number behind the first `"name":` of some JSON, wherever that stands.
pub fn number(json: &str, name: &str) -> Option<u64> {
    let digits = value(json, name)?;
    let end = digits
        .find(|digit: char| !digit.is_ascii_digit())
        .unwrap_or(digits.len());
    digits.get(..end)?.parse().ok()
}

/// The text without escapes behind the first `"name":"` of some JSON.
pub fn text<'a>(json: &'a str, name: &str) -> Option<&'a str> {
    Some(value(json, name)?.strip_prefix('"')?.split_once('"')?.0)
}

fn value<'a>(json: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = json;
    loop {
        let (_, after) = rest.split_once(name)?;
        rest = after;
        if let Some(value) = after.strip_prefix("\":") {
            return Some(value.trim_start());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_read() {
        let read = Packet::read;
        assert_eq!(read("2"), Packet::Ping);
        assert_eq!(read(r#"40{"sid":"x"}"#), Packet::Connected(r#"{"sid":"x"}"#));
        assert_eq!(
            read(r#"44{"message":"no"}"#),
            Packet::Refused(r#"{"message":"no"}"#)
        );
        assert_eq!(read(r#"42["a",{"b":1},2]"#), Packet::Event("a", r#"{"b":1},2"#));
        assert_eq!(read(r#"427["a"]"#), Packet::Event("a", ""));
        assert_eq!(
            read(r#"4312[{"success":true}]"#),
            Packet::Ack(12, r#"{"success":true}"#)
        );
        assert_eq!(read("41"), Packet::Disconnect);
        for other in ["", "6", "4", "43[1]", "42{}", "0{}", "é"] {
            assert_eq!(read(other), Packet::Other, "{other}");
        }
    }

    #[test]
    fn values_are_found_by_their_name() {
        let json = r#"{"content":"seq","seq":17,"code":"x_y","last_seq": 3}"#;
        assert_eq!(number(json, "seq"), Some(17));
        assert_eq!(number(json, "last_seq"), Some(3));
        assert_eq!(number(json, "none"), None);
        assert_eq!(number(json, "code"), None);
        assert_eq!(text(json, "code"), Some("x_y"));
        assert_eq!(text(json, "seq"), None);
    }
}
