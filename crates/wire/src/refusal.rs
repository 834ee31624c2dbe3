//! Refusals on the wire.

use sealroom_domain::{Extra, Refusal};
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::Value;

/// A refusal as an ack: `{"success": false, "error", "code", "retryable", …}`.
#[derive(Debug, Clone, Copy)]
pub struct RefusalBody<'a>(pub &'a Refusal);

impl Serialize for RefusalBody<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let refusal = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("success", &false)?;
        map.serialize_entry("error", refusal.text())?;
        map.serialize_entry("code", refusal.code.as_str())?;
        map.serialize_entry("retryable", &refusal.code.retryable())?;
        if let Some((key, value)) = extra_fields(refusal) {
            map.serialize_entry(key, &value)?;
        }
        map.end()
    }
}

/// The further key of a refusal, if it has one.
pub fn extra_fields(refusal: &Refusal) -> Option<(&'static str, Value)> {
    Some(match refusal.extra.as_ref()? {
        Extra::Field(field) => ("field", Value::from(*field)),
        Extra::LimitBytes(limit) => ("limit_bytes", Value::from(*limit)),
        Extra::Limit(limit) => ("limit", Value::from(*limit)),
        Extra::RetryAfter(after) => (
            "retry_after_ms",
            Value::from(u64::try_from(after.as_millis()).unwrap_or(u64::MAX)),
        ),
        Extra::FirstSeq(seq) => ("first_seq", Value::from(seq.get())),
        Extra::KeyEpoch(epoch) => ("key_epoch", Value::from(epoch.get())),
        Extra::RequestId(id) => ("request_id", Value::from(&**id)),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sealroom_domain::ErrorCode;

    use super::*;

    #[test]
    fn success_comes_first_and_the_extra_last() {
        let refusal =
            Refusal::new(ErrorCode::RateLimited).with(Extra::RetryAfter(Duration::from_millis(100)));
        assert_eq!(
            serde_json::to_string(&RefusalBody(&refusal)).unwrap(),
            r#"{"success":false,"error":"Too many requests","code":"rate_limited","retryable":true,"retry_after_ms":100}"#
        );
    }
}
