//! Refusals on the wire.

use sealroom_domain::{Extra, Refusal};
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

/// A refusal as an ack: `{"success": false, "error", "code", "retryable", …}`.
#[derive(Debug, Clone, Copy)]
pub struct RefusalBody<'a>(pub &'a Refusal);

impl Serialize for RefusalBody<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let refusal = self.0;
        let keys = Keys {
            success: false,
            error: refusal.text(),
            code: refusal.code.as_str(),
            retryable: refusal.code.retryable(),
            further: FurtherKey::of(refusal),
        };
        keys.serialize(serializer)
    }
}

#[derive(Serialize)]
struct Keys<'a> {
    success: bool,
    error: &'a str,
    code: &'a str,
    retryable: bool,
    #[serde(flatten)]
    further: FurtherKey<'a>,
}

/// The further key of a refusal: at most one of these.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct FurtherKey<'a> {
    /// The key, parameter or header at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    field: Option<&'a str>,
    /// The most bytes that are allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    limit_bytes: Option<usize>,
    /// The number that is allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    limit: Option<usize>,
    /// When to try again, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    retry_after_ms: Option<u64>,
    /// The first entry that is still there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    first_seq: Option<i64>,
    /// The group's key epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    key_epoch: Option<i64>,
    /// Under which the log has the cause.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    request_id: Option<&'a str>,
}

impl<'a> FurtherKey<'a> {
    /// What a refusal has besides its code.
    pub fn of(refusal: &'a Refusal) -> Self {
        let mut further = Self::default();
        match refusal.extra.as_ref() {
            None => {}
            Some(Extra::Field(field)) => further.field = Some(field),
            Some(Extra::LimitBytes(limit)) => further.limit_bytes = Some(*limit),
            Some(Extra::Limit(limit)) => further.limit = Some(*limit),
            Some(Extra::RetryAfter(after)) => {
                // Rounded up: whoever waits as long is not refused for being a moment early.
                let millis = after.as_nanos().div_ceil(1_000_000).max(1);
                further.retry_after_ms = Some(u64::try_from(millis).unwrap_or(u64::MAX));
            }
            Some(Extra::FirstSeq(seq)) => further.first_seq = Some(seq.get()),
            Some(Extra::KeyEpoch(epoch)) => further.key_epoch = Some(epoch.get()),
            Some(Extra::RequestId(id)) => further.request_id = Some(id),
        }
        further
    }
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
