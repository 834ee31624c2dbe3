//! The `auth` of a CONNECT.

use sealroom_domain::ErrorCode;
use sealroom_realtime::fuzzing::auth_token;
use serde_json::Value;

use crate::{Verdict, oracle::assert_clean};

/// The `auth` of a CONNECT as it came.
pub fn connect_auth(data: &[u8]) -> Verdict {
    let Ok(auth) = str::from_utf8(data) else {
        return Verdict::Refused;
    };
    // What is too deep for this reading is only skipped by the server's.
    let value = serde_json::from_str::<Value>(auth).ok();
    let said = value
        .as_ref()
        .map(|value| value.get("token").unwrap_or(&Value::Null));
    match auth_token(auth) {
        Ok(Some(token)) => {
            assert_clean(&token);
            if let Some(said) = said {
                assert_eq!(said.as_str(), Some(&*token), "{auth}");
            }
            let again = serde_json::json!({ "token": token }).to_string();
            assert_eq!(auth_token(&again), Ok(Some(token)));
            Verdict::Accepted
        }
        Ok(None) => {
            assert!(said.is_none_or(Value::is_null), "a token was not seen: {auth}");
            Verdict::Refused
        }
        Err(refusal) => {
            assert_eq!(refusal.code, ErrorCode::TokenInvalid);
            Verdict::Refused
        }
    }
}
