//! WebSocket frames (RFC 6455, section 5.2) as a client writes and reads them.

use std::ops::Range;

/// The opcodes.
pub const TEXT: u8 = 1;
/// See [`TEXT`].
pub const CLOSE: u8 = 8;
/// See [`TEXT`].
pub const PING: u8 = 9;
/// See [`TEXT`].
pub const PONG: u8 = 10;

/// The bit beside the opcode of a message's last frame, or its only one.
pub const FINAL: u8 = 0x80;

/// Appends a frame with this first byte, [`FINAL`] and an opcode. Its mask is zero: it changes nothing, which saves this
/// side the work, not the other one.
pub fn push(out: &mut Vec<u8>, first: u8, payload: &[&[u8]]) {
    let length: usize = payload.iter().map(|part| part.len()).sum();
    out.push(first);
    match u16::try_from(length) {
        Ok(length @ 0..126) => out.push(0x80 | u8::try_from(length).unwrap_or(0)),
        Ok(length) => {
            out.push(0xfe);
            out.extend_from_slice(&length.to_be_bytes());
        }
        Err(_longer) => {
            out.push(0xff);
            out.extend_from_slice(&u64::try_from(length).unwrap_or(u64::MAX).to_be_bytes());
        }
    }
    out.extend_from_slice(&[0; 4]);
    for part in payload {
        out.extend_from_slice(part);
    }
}

/// A frame of a server, in the bytes that were read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The last of a message, or the only one.
    pub is_final: bool,
    /// 0 continues the message before.
    pub opcode: u8,
    /// Where the payload lies.
    pub payload: Range<usize>,
}

/// The first frame in `bytes`; `None` where some of it is still to come. A server masks nothing.
pub fn first(bytes: &[u8]) -> Option<Frame> {
    let (&[head, length], rest) = bytes.split_first_chunk::<2>()?;
    let (start, length) = match length & 0x7f {
        126 => (4_usize, usize::from(u16::from_be_bytes(*rest.first_chunk()?))),
        127 => (
            10,
            usize::try_from(u64::from_be_bytes(*rest.first_chunk()?)).unwrap_or(usize::MAX),
        ),
        short => (2, usize::from(short)),
    };
    let payload = start..start.saturating_add(length);
    (payload.end <= bytes.len()).then_some(Frame {
        is_final: head & FINAL != 0,
        opcode: head & 0x0f,
        payload,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// What is written is read, and no part of it is taken for all of it.
        #[test]
        fn a_frame_is_read_as_it_was_written(opcode in 0..16_u8, length in prop_oneof![0..300_usize, 65_000..66_000_usize]) {
            let payload: Vec<u8> = (0..length).map(|byte| u8::try_from(byte % 251).unwrap_or(0)).collect();
            let mut written = Vec::new();
            push(&mut written, FINAL | opcode, &[&payload]);
            // A server's frame is the same without the bit and the mask.
            let mask = written.len() - length - 4;
            written.drain(mask..mask + 4);
            for byte in written.iter_mut().skip(1).take(1) {
                *byte &= 0x7f;
            }
            let frame = first(&written);
            let expected = Frame { is_final: true, opcode, payload: mask..written.len() };
            prop_assert_eq!(frame, Some(expected));
            for end in [0, 1, mask.saturating_sub(1), written.len() - 1] {
                prop_assert_eq!(written.get(..end).and_then(first), None);
            }
        }
    }
}
