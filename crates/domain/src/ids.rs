//! Numbers with a meaning. Mixing two of them is a compile error.

use std::fmt;

/// The largest integer that every JSON client reads exactly: 2^53 - 1 (RFC 8259, section 6).
pub const MAX_SAFE_INTEGER: i64 = 9_007_199_254_740_991;

/// A number is outside the range of its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("number out of range")]
pub struct IdError;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident, $min:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(i64);

        impl $name {
            /// Checks the range.
            pub const fn new(value: i64) -> Result<Self, IdError> {
                if value >= $min && value <= MAX_SAFE_INTEGER { Ok(Self(value)) } else { Err(IdError) }
            }

            /// The number itself.
            pub const fn get(self) -> i64 {
                self.0
            }
        }

        impl TryFrom<i64> for $name {
            type Error = IdError;

            fn try_from(value: i64) -> Result<Self, IdError> {
                Self::new(value)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
    };
}

number!(
    /// A user, as the token's issuer numbers them: 1 to [`MAX_SAFE_INTEGER`].
    UserId,
    1
);
number!(
    /// A group: 1 to [`MAX_SAFE_INTEGER`].
    GroupId,
    1
);
number!(
    /// A message in the whole store, growing but with gaps: 1 to [`MAX_SAFE_INTEGER`].
    MessageId,
    1
);
number!(
    /// The place of an entry in its group's log: dense from 1; 0 is the place before the first entry.
    Seq,
    0
);
number!(
    /// The generation of a group's encryption key, as the clients count it: 0 to [`MAX_SAFE_INTEGER`].
    KeyEpoch,
    0
);

number!(
    /// A login of a built-in account, with all the tokens that came of it: 1 to [`MAX_SAFE_INTEGER`].
    LoginId,
    1
);

impl Seq {
    /// The place before the first entry.
    pub const ZERO: Self = Self(0);

    /// The place after this one; the last place that a number can name is its own successor.
    #[must_use]
    pub const fn next(self) -> Self {
        if self.0 < MAX_SAFE_INTEGER {
            Self(self.0 + 1)
        } else {
            self
        }
    }

    /// The place before this one; [`Seq::ZERO`] is its own predecessor.
    #[must_use]
    pub const fn previous(self) -> Self {
        if self.0 > 0 { Self(self.0 - 1) } else { self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_integers_from_1_to_the_largest_safe_one() {
        for good in [1, 5, MAX_SAFE_INTEGER] {
            assert_eq!(UserId::new(good).map(UserId::get), Ok(good));
        }
        for bad in [i64::MIN, -1, 0, MAX_SAFE_INTEGER + 1, i64::MAX] {
            assert_eq!(UserId::new(bad), Err(IdError));
            assert_eq!(GroupId::new(bad), Err(IdError));
            assert_eq!(MessageId::new(bad), Err(IdError));
        }
    }

    #[test]
    fn seqs_start_at_0_and_saturate() {
        assert_eq!(Seq::new(0), Ok(Seq::ZERO));
        assert_eq!(Seq::new(-1), Err(IdError));
        assert_eq!(Seq::ZERO.previous(), Seq::ZERO);
        assert_eq!(Seq::ZERO.next().get(), 1);
        assert_eq!(Seq(MAX_SAFE_INTEGER).next(), Seq(MAX_SAFE_INTEGER));
    }
}
