//! `/me`: who the caller is.

use sealroom_domain::DisplayName;
use sealroom_wire::rfc3339;
use serde::Serialize;

use super::{Answer, json};
use crate::caller::Caller;

#[derive(Serialize)]
struct Me<'a> {
    user_id: i64,
    display_name: Option<&'a str>,
    scope: Option<&'a str>,
    expires_at: String,
}

pub(crate) async fn get(caller: Caller) -> Answer {
    let (principal, profile) = (caller.principal(), caller.profile());
    let name = profile.display_name.as_ref().or(principal.name.as_ref());
    Ok(json(Me {
        user_id: principal.user_id.get(),
        display_name: name.map(DisplayName::as_str),
        scope: principal.scope.as_deref(),
        expires_at: rfc3339(principal.expires_at),
    }))
}
