//! Times on the wire.

use jiff::Timestamp as Moment;
use sealroom_domain::Timestamp;

/// RFC 3339 in UTC with milliseconds and `Z`: `2024-01-15T10:30:00.000Z`. What no calendar can name becomes the
/// nearest moment that it can.
pub fn rfc3339(at: Timestamp) -> String {
    let floor = at.as_micros().div_euclid(1000).saturating_mul(1000);
    let nearest = if floor < 0 { Moment::MIN } else { Moment::MAX };
    let moment = Moment::from_microsecond(floor).unwrap_or(nearest);
    format!("{moment:.3}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_are_always_there_and_never_rounded_up() {
        assert_eq!(
            rfc3339(Timestamp::from_micros(1_705_314_600_000_000)),
            "2024-01-15T10:30:00.000Z"
        );
        assert_eq!(
            rfc3339(Timestamp::from_micros(1_705_314_600_999_999)),
            "2024-01-15T10:30:00.999Z"
        );
        assert_eq!(rfc3339(Timestamp::from_micros(-1)), "1969-12-31T23:59:59.999Z");
    }

    #[test]
    fn what_no_calendar_can_name_is_the_nearest() {
        assert!(rfc3339(Timestamp::from_micros(i64::MAX)).starts_with("9999-12-30"));
        assert!(rfc3339(Timestamp::from_micros(i64::MIN)).starts_with("-009999-01-02"));
    }
}
