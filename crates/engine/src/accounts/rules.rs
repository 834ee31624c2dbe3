//! What names and passwords may be.

use sealroom_domain::{Refusal, Username};

/// An account's name: 3 to 32 of `a` to `z`, digits, `.`, `_` and `-`, with a letter or digit at both ends. Capitals are
/// the same as small letters, so that nobody is mistaken for somebody else.
pub(super) fn username(text: &str) -> Result<Username, Refusal> {
    let text = text.to_ascii_lowercase();
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    let is_edge = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    let fits = (3..=32).contains(&text.len())
        && text.bytes().all(is_inner)
        && is_edge(text.bytes().next())
        && is_edge(text.bytes().last());
    let name = fits.then(|| Username::new(text.as_str()).ok()).flatten();
    name.ok_or(Refusal::invalid("username"))
}

/// A new password: 8 to 256 characters of any kind, and not the name (NIST SP 800-63B, section 3.1.1.2: length counts,
/// not the kinds of characters).
pub(super) fn new_password(text: &str, username: &Username) -> Result<(), Refusal> {
    let length = text.chars().take(257).count();
    if (8..=256).contains(&length) && !text.eq_ignore_ascii_case(username.as_str()) {
        Ok(())
    } else {
        Err(Refusal::invalid("password"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_and_without_case() {
        assert_eq!(username("An.Nguyen-7").unwrap().as_str(), "an.nguyen-7");
        let long = "a".repeat(33);
        for bad in [
            "", "ab", ".abc", "abc-", "a b", "an\u{e9}", "аbс", "a/b", "a\0bc", &long,
        ] {
            assert_eq!(username(bad), Err(Refusal::invalid("username")), "{bad:?}");
        }
    }

    #[test]
    fn passwords_are_long_enough_and_not_the_name() {
        let name = username("longername").unwrap();
        for good in ["mật khẩu", "12345678", &"x".repeat(256)] {
            assert_eq!(new_password(good, &name), Ok(()), "{good}");
        }
        for bad in ["", "1234567", "LongerName", &"x".repeat(257)] {
            assert_eq!(
                new_password(bad, &name),
                Err(Refusal::invalid("password")),
                "{bad}"
            );
        }
    }
}
