//! Short texts with rules.

use std::{fmt, sync::Arc};

/// A text breaks the rules of its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("text is empty, too long or holds characters that are not allowed")]
pub struct NameError;

macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks the rules.
            pub fn new(text: impl Into<Arc<str>>) -> Result<Self, NameError> {
                let text = text.into();
                let check: fn(&str) -> bool = $check;
                if check(&text) { Ok(Self(text)) } else { Err(NameError) }
            }

            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

/// What people read: 1 to 256 bytes of UTF-8, no control characters (U+0000 among them), not all white space.
fn is_label(text: &str) -> bool {
    text.len() <= 256 && !text.chars().any(char::is_control) && !text.trim().is_empty()
}

text!(
    /// A user's name as other people read it: 1 to 256 bytes, no control characters.
    DisplayName,
    is_label
);
text!(
    /// A group's name: 1 to 256 bytes, no control characters.
    GroupName,
    is_label
);
text!(
    /// A user's unique name in the host application: 1 to 256 bytes, no control characters.
    Username,
    is_label
);
text!(
    /// The client's own id of a message, unique for a group and sender: 1 to 64 printable ASCII characters.
    ClientMessageId,
    |text| (1..=64).contains(&text.len()) && text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
);
text!(
    /// The name of a log: 1 to 64 characters without control characters. A restored backup gets another.
    LogId,
    |text| (1..=64).contains(&text.chars().count()) && !text.chars().any(char::is_control)
);

impl DisplayName {
    /// What stands in for the name of a user who has none.
    pub fn unknown() -> Self {
        Self(Arc::from("Unknown"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels() {
        assert!(DisplayName::new("Nguyễn Văn A").is_ok());
        for bad in ["", "  ", "a\0b", "a\nb", &"x".repeat(257)] {
            assert_eq!(DisplayName::new(bad), Err(NameError), "{bad:?}");
        }
    }

    #[test]
    fn client_message_ids_are_printable_ascii() {
        assert!(ClientMessageId::new("018f-aa ~").is_ok());
        for bad in ["", "é", "a\tb", "\u{7f}", &"x".repeat(65)] {
            assert_eq!(ClientMessageId::new(bad), Err(NameError), "{bad:?}");
        }
    }

    #[test]
    fn log_ids_count_characters() {
        assert!(LogId::new("é".repeat(64)).is_ok());
        assert_eq!(LogId::new("é".repeat(65)), Err(NameError));
    }
}
