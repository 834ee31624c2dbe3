//! `NumericDate` (RFC 7519, section 2): seconds since the epoch, fractions allowed.

use sealroom_domain::Timestamp;

/// 9999-12-31T23:59:59Z, the last second that RFC 3339 can write.
pub(crate) const MAX_SECONDS: i64 = 253_402_300_799;

const MICROS: usize = 6;
/// Digits of the whole seconds in [`MAX_SECONDS`].
const MAX_WHOLE_DIGITS: i64 = 12;

/// Reads a JSON number from 0 to [`MAX_SECONDS`] exactly, truncated to microseconds: toward earlier, never later,
/// as the detour over a float could. Takes the text of one valid JSON value; any other type is `None`.
pub(crate) fn parse(json: &str) -> Option<Timestamp> {
    if !json.starts_with(|first: char| first.is_ascii_digit()) {
        return None; // not a number, or negative
    }
    let (mantissa, exponent) = match json.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (json, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));

    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_start_matches('0');
    if significant.is_empty() {
        return Some(Timestamp::from_micros(0));
    }
    let leading_zeros = i64::try_from(digits.len() - significant.len()).ok()?;
    let whole_digits = i64::try_from(whole.len())
        .ok()?
        .checked_add(exponent)?
        .checked_sub(leading_zeros)?;
    if whole_digits > MAX_WHOLE_DIGITS {
        return None;
    }

    // A number below one microsecond keeps no digit at all. At most 18 digits fit an i64.
    let kept = usize::try_from(whole_digits.saturating_add(i64::try_from(MICROS).ok()?)).unwrap_or(0);
    let micros = significant
        .bytes()
        .chain(std::iter::repeat(b'0'))
        .take(kept)
        .try_fold(0_i64, |sum, digit| {
            sum.checked_mul(10)?.checked_add(i64::from(digit - b'0'))
        })?;
    let time = Timestamp::from_micros(micros);
    (time <= Timestamp::from_secs(MAX_SECONDS)).then_some(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_exactly_and_truncated_toward_earlier() {
        for (json, micros) in [
            ("0", 0),
            ("0.0", 0),
            ("0e5", 0),
            ("1", 1_000_000),
            ("1700000000", 1_700_000_000_000_000),
            ("1700000000.0", 1_700_000_000_000_000),
            ("1700000000.9999999", 1_700_000_000_999_999),
            ("1.7e9", 1_700_000_000_000_000),
            ("1.7E+9", 1_700_000_000_000_000),
            ("17000000000e-1", 1_700_000_000_000_000),
            ("0.0000019", 1),
            ("0.0000001", 0),
            ("1e-300", 0),
            ("0.00000000001e11", 1_000_000),
            ("253402300799", 253_402_300_799_000_000),
            ("253402300798.9999999999999999999999", 253_402_300_798_999_999),
        ] {
            assert_eq!(parse(json), Some(Timestamp::from_micros(micros)), "{json}");
        }
    }

    #[test]
    fn what_is_not_a_time_is_refused() {
        for json in [
            "-1",
            "-0",
            "-0.5",
            "253402300800",
            "253402300799.5",
            "1e12",
            "1e308",
            "1e99999999999999999999",
            "9223372036854775808",
            "18446744073709551616",
            "null",
            "true",
            "\"1700000000\"",
            "[1700000000]",
            "{}",
        ] {
            assert_eq!(parse(json), None, "{json}");
        }
    }
}
