//! Reading requests strictly. Each number has one spelling: an alias of an id could pass a check in front of the server
//! that the id itself does not pass.

pub(crate) mod address;
pub(crate) mod body;
pub(crate) mod fields;
pub(crate) mod idempotency_key;
pub(crate) mod path;
pub(crate) mod query;

/// A decimal integer without sign, leading zeros or anything else, as far as an `i64` goes.
fn decimal(text: &str) -> Option<i64> {
    if is_decimal(text) { text.parse().ok() } else { None }
}

fn is_decimal(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && (text == "0" || !text.starts_with('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_one_spelling() {
        for (text, number) in [
            ("0", 0),
            ("7", 7),
            ("9007199254740992", 9_007_199_254_740_992),
            ("9223372036854775807", i64::MAX),
        ] {
            assert_eq!(decimal(text), Some(number));
        }
        for bad in [
            "",
            "-1",
            "+5",
            "05",
            "00",
            " 5",
            "5 ",
            "5.0",
            "5e0",
            "0x5",
            "5\0",
            "٥",
            "５",
            "9223372036854775808",
        ] {
            assert_eq!(decimal(bad), None, "{bad:?}");
        }
    }
}
