//! As much of DER (ITU-T X.690) as a public key needs. Whatever is not the only encoding of its value is `None`.

mod tag {
    pub(super) const INTEGER: u8 = 0x02;
    pub(super) const BIT_STRING: u8 = 0x03;
    pub(super) const NULL: u8 = 0x05;
    pub(super) const OID: u8 = 0x06;
    pub(super) const SEQUENCE: u8 = 0x30;
}

/// Reads one value after the other.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Reads all of `der`: what `read` leaves over is an error.
    pub(super) fn whole<T>(der: &'a [u8], read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let mut reader = Self(der);
        let value = read(&mut reader)?;
        reader.end()?;
        Some(value)
    }

    /// Nothing may follow.
    pub(super) fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }

    /// What follows, unread.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.0
    }

    pub(super) fn sequence(&mut self) -> Option<Self> {
        self.value(tag::SEQUENCE).map(Self)
    }

    pub(super) fn oid(&mut self) -> Option<&'a [u8]> {
        self.value(tag::OID)
    }

    pub(super) fn null(&mut self) -> Option<()> {
        self.value(tag::NULL)?.is_empty().then_some(())
    }

    /// A string of whole bytes.
    pub(super) fn bit_string(&mut self) -> Option<&'a [u8]> {
        match self.value(tag::BIT_STRING)?.split_first()? {
            (0, bytes) => Some(bytes),
            _ => None,
        }
    }

    /// A number above 0, big-endian without leading zeros.
    pub(super) fn positive(&mut self) -> Option<&'a [u8]> {
        match self.value(tag::INTEGER)? {
            // One zero keeps a first bit from being a sign; where it is not needed, it must not be there.
            [0, bytes @ ..] => bytes.first().is_some_and(|first| *first >= 0x80).then_some(bytes),
            bytes => bytes.first().is_some_and(|first| *first < 0x80).then_some(bytes),
        }
    }

    fn value(&mut self, tag: u8) -> Option<&'a [u8]> {
        let rest = self.0.strip_prefix(&[tag])?;
        let (length, rest) = match rest.split_first()? {
            (short, rest) if *short < 0x80 => (usize::from(*short), rest),
            (0x81, rest) => {
                let (length, rest) = rest.split_first()?;
                (usize::from(*length), rest)
            }
            (0x82, rest) => {
                let (length, rest) = rest.split_first_chunk::<2>()?;
                (usize::from(u16::from_be_bytes(*length)), rest)
            }
            _ => return None, // longer than any key
        };
        let written = self.0.len().checked_sub(rest.len())?;
        let shortest = match length {
            0..0x80 => 2,
            0x80..0x100 => 3,
            _ => 4,
        };
        if written != shortest {
            return None;
        }
        let (value, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_one_encoding() {
        let read = |der: &'static [u8]| Reader::whole(der, Reader::positive);
        assert_eq!(read(&[2, 1, 3]), Some(&[3][..]));
        assert_eq!(read(&[2, 2, 0, 0x80]), Some(&[0x80][..]));
        for bad in [
            &[][..],
            &[2],
            &[2, 0],
            &[2, 1],
            &[2, 1, 0],
            &[2, 1, 0x80],
            &[2, 2, 0, 0x7f],
            &[2, 0x81, 1, 3],
            &[2, 0x82, 0, 1, 3],
            &[2, 0x80, 3, 0, 0],
            &[2, 0x83, 0, 0, 1, 3],
            &[2, 1, 3, 0],
            &[3, 1, 3],
        ] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn lengths_are_read_to_their_end() {
        for length in [0x7f_usize, 0x80, 0xff, 0x100, 0x1234] {
            let mut der = match length {
                0..0x80 => vec![6, u8::try_from(length).unwrap()],
                0x80..0x100 => vec![6, 0x81, u8::try_from(length).unwrap()],
                _ => [
                    vec![6, 0x82],
                    u16::try_from(length).unwrap().to_be_bytes().to_vec(),
                ]
                .concat(),
            };
            der.resize(der.len() + length, 1);
            assert_eq!(Reader::whole(&der, Reader::oid).map(<[u8]>::len), Some(length));
            der.pop();
            assert_eq!(Reader::whole(&der, Reader::oid), None);
        }
    }

    #[test]
    fn strings_hold_whole_bytes() {
        assert_eq!(Reader::whole(&[3, 2, 0, 9], Reader::bit_string), Some(&[9][..]));
        for bad in [&[3, 2, 1, 8][..], &[3, 0], &[3, 1, 1]] {
            assert_eq!(Reader::whole(bad, Reader::bit_string), None);
        }
    }
}
