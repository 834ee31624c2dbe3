//! Packets of Socket.IO as frames of a WebSocket: those that are written past the library, and those that it wrote.

/// What a server's frame of one text begins with: final, not masked (RFC 6455, 5.2).
const TEXT: u8 = 0x81;
/// The bits of a frame's first byte that tell what it is.
const OPCODE: u8 = 0x0f;
/// A frame that ends the stream.
const CLOSE: u8 = 0x08;

/// Engine.IO's message, Socket.IO's event.
const EVENT: &[u8; 2] = b"42";
/// Engine.IO's message, Socket.IO's answer.
const ACK: &[u8; 2] = b"43";

/// Bytes around an event's name and data: its type, the brackets, the quotes and the comma.
const AROUND_EVENT: usize = EVENT.len() + 5;
/// Bytes around an answer's number and data: its type and the brackets.
const AROUND_ACK: usize = ACK.len() + 2;

/// The bytes of an event's packet.
pub(crate) fn event_bytes(name: &str, data: &str) -> usize {
    name.len() + data.len() + AROUND_EVENT
}

/// The bytes of an answer's packet.
pub(crate) fn ack_bytes(ack_id: i64, data: &str) -> usize {
    digits(ack_id) + data.len() + AROUND_ACK
}

/// The bytes of the header in front of a payload of this length.
pub(crate) const fn header_bytes(payload: usize) -> usize {
    match payload {
        0..126 => 2,
        126..65_536 => 4,
        _ => 10,
    }
}

/// Writes an event's frame to the end of `out`.
pub(crate) fn put_event(out: &mut Vec<u8>, name: &str, data: &str) {
    put_header(out, event_bytes(name, data));
    for part in [EVENT, &b"[\""[..], name.as_bytes(), b"\",", data.as_bytes(), b"]"] {
        out.extend_from_slice(part);
    }
}

/// Writes an answer's frame to the end of `out`.
pub(crate) fn put_ack(out: &mut Vec<u8>, ack_id: i64, data: &str) {
    put_header(out, ack_bytes(ack_id, data));
    for part in [ACK, ack_id.to_string().as_bytes(), b"[", data.as_bytes(), b"]"] {
        out.extend_from_slice(part);
    }
}

fn put_header(out: &mut Vec<u8>, payload: usize) {
    out.reserve(header_bytes(payload) + payload);
    out.push(TEXT);
    if let Ok(short) = u8::try_from(payload)
        && short < 126
    {
        out.push(short);
    } else if let Ok(medium) = u16::try_from(payload) {
        out.push(126);
        out.extend_from_slice(&medium.to_be_bytes());
    } else {
        out.push(127);
        let long = u64::try_from(payload).unwrap_or(u64::MAX);
        out.extend_from_slice(&long.to_be_bytes());
    }
}

/// The length of a number's decimal text.
fn digits(number: i64) -> usize {
    let magnitude = number.unsigned_abs();
    let digits = magnitude.checked_ilog10().unwrap_or(0) + 1;
    usize::try_from(digits).unwrap_or(usize::MAX) + usize::from(number < 0)
}

/// Whether a packet of Engine.IO carries an event or an answer.
pub(crate) fn is_event_or_ack(packet: &[u8]) -> bool {
    packet.starts_with(EVENT) || packet.starts_with(ACK)
}

/// What was written to a connection since the answer that made it a WebSocket, told by its bytes.
#[derive(Debug)]
pub struct WrittenFrames {
    at: At,
    events_and_acks: u64,
}

/// Where in the stream its end is.
#[derive(Debug, Clone, Copy)]
enum At {
    /// The head of the answer; so much of the empty line that ends it was seen.
    Head { matched: usize },
    /// A header, of which these bytes were seen.
    Header { seen: [u8; HEADER_MAX], len: usize },
    /// A payload.
    Payload {
        left: u64,
        is_text: bool,
        /// Its first bytes, as many as were seen.
        first: [u8; 2],
        len: usize,
    },
    /// Behind the frame that ends the stream.
    End,
}

/// Of a frame that is not masked.
const HEADER_MAX: usize = 10;
const END_OF_HEAD: &[u8; 4] = b"\r\n\r\n";
const BETWEEN: At = At::Header {
    seen: [0; HEADER_MAX],
    len: 0,
};

impl Default for WrittenFrames {
    fn default() -> Self {
        Self {
            at: At::Head { matched: 0 },
            events_and_acks: 0,
        }
    }
}

impl WrittenFrames {
    /// These bytes were written, in one or many of the frames.
    pub fn wrote(&mut self, mut bytes: &[u8]) {
        while let Some((&byte, rest)) = bytes.split_first() {
            if let At::Payload { left, len: 2.., .. } = &mut self.at {
                // All that is left of the payload, or of the bytes.
                let run = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *left -= u64::try_from(run).unwrap_or(u64::MAX);
                bytes = bytes.get(run..).unwrap_or_default();
                self.end_payload();
            } else {
                bytes = rest;
                self.take(byte);
            }
        }
    }

    /// Frames with an event or an answer that were written to their ends.
    pub fn events_and_acks(&self) -> u64 {
        self.events_and_acks
    }

    /// Whether a frame may be written here by another writer.
    pub fn is_between_frames(&self) -> bool {
        matches!(self.at, At::Header { len: 0, .. })
    }

    /// Whether nothing may be written any more.
    pub fn is_ended(&self) -> bool {
        matches!(self.at, At::End)
    }

    fn take(&mut self, byte: u8) {
        match &mut self.at {
            At::Head { matched } => {
                *matched = match END_OF_HEAD.get(*matched) {
                    Some(&expected) if expected == byte => *matched + 1,
                    _ => usize::from(byte == b'\r'),
                };
                if *matched == END_OF_HEAD.len() {
                    self.at = BETWEEN;
                }
            }
            At::Header { seen, len } => {
                if let Some(place) = seen.get_mut(*len) {
                    *place = byte;
                }
                *len += 1;
                let (seen, len) = (*seen, *len);
                self.end_header(seen, len);
            }
            At::Payload { left, first, len, .. } => {
                if let Some(place) = first.get_mut(*len) {
                    *place = byte;
                }
                *len += 1;
                *left -= 1;
                self.end_payload();
            }
            At::End => {}
        }
    }

    fn end_header(&mut self, seen: [u8; HEADER_MAX], len: usize) {
        let [kind, short, long @ ..] = seen;
        let left = match (short, len) {
            (0..126, 2) => u64::from(short),
            (126, 4) => long[..2].iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte)),
            (_, HEADER_MAX) => u64::from_be_bytes(long),
            _ => return,
        };
        if kind & OPCODE == CLOSE {
            self.at = At::End;
            return;
        }
        self.at = At::Payload {
            left,
            is_text: kind == TEXT,
            first: [0; 2],
            len: 0,
        };
        self.end_payload();
    }

    fn end_payload(&mut self) {
        if let At::Payload {
            left: 0,
            is_text,
            first,
            ..
        } = self.at
        {
            if is_text && is_event_or_ack(&first) {
                self.events_and_acks += 1;
            }
            self.at = BETWEEN;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n";

    fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = Vec::new();
        put_header(&mut frame, payload.len());
        frame[0] = kind;
        frame.extend_from_slice(payload);
        frame
    }

    #[test]
    fn frames_are_those_of_the_protocol() {
        let mut out = Vec::new();
        put_event(&mut out, "typing", r#"{"a":1}"#);
        put_ack(&mut out, 12, "{}");
        put_ack(&mut out, -7, "{}");
        assert_eq!(
            out,
            b"\x81\x1442[\"typing\",{\"a\":1}]\x81\x0843\x31\x32[{}]\x81\x0843-7[{}]"
        );
        for (length, header) in [(125, 2), (126, 4), (65_535, 4), (65_536, 10)] {
            let data = "x".repeat(length - AROUND_EVENT - 1);
            let mut out = Vec::new();
            put_event(&mut out, "n", &data);
            assert_eq!((event_bytes("n", &data), header_bytes(length)), (length, header));
            assert_eq!(out.len(), length + header);
        }
        for ack_id in [0, 9, 10, 99, 100, i64::MAX, i64::MIN, -1] {
            assert_eq!(digits(ack_id), ack_id.to_string().len());
        }
    }

    #[test]
    fn what_was_written_is_told_however_it_is_cut() {
        let long = [b"43".as_slice(), &vec![b'x'; 70_000]].concat();
        let frames = [
            frame(TEXT, b"0{\"sid\":\"42\"}"),
            frame(TEXT, b"40{}"),
            frame(TEXT, b"42[\"a\"]"),
            frame(TEXT, b"2"),
            frame(TEXT, b""),
            frame(0x8a, b"42"),
            frame(TEXT, &long),
            frame(TEXT, &[b"42".as_slice(), &[b'y'; 300]].concat()),
            frame(TEXT, b"41"),
        ];
        let all = [HEAD, &frames.concat()].concat();
        for step in [1, 2, 3, 7, 1_000, all.len()] {
            let mut written = WrittenFrames::default();
            assert!(!written.is_between_frames(), "in the head");
            let (mut place, mut end) = (0, HEAD.len());
            let mut ends: Vec<_> = frames
                .iter()
                .map(|frame| {
                    end += frame.len();
                    end
                })
                .collect();
            ends.push(HEAD.len());
            for part in all.chunks(step) {
                written.wrote(part);
                place += part.len();
                assert_eq!(
                    written.is_between_frames(),
                    ends.contains(&place),
                    "{step} {place}"
                );
            }
            assert_eq!(written.events_and_acks(), 3);
            assert!(!written.is_ended());
            written.wrote(&frame(0x88, b"\x03\xe8"));
            assert!(written.is_ended() && !written.is_between_frames());
        }
    }

    #[test]
    fn a_head_ends_with_an_empty_line() {
        let mut written = WrittenFrames::default();
        written.wrote(b"HTTP/1.1 101 x\r\r\n\r");
        assert!(!written.is_between_frames());
        written.wrote(b"\n");
        assert!(written.is_between_frames());
    }
}
