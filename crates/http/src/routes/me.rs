//! `/me`: who the caller is.

use std::sync::Arc;

use sealroom_domain::DisplayName;
use sealroom_wire::values::{Id, Time};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    answer::{Answer, Shown},
    api::Api,
    caller::Caller,
    openapi::{API, Routes, Words},
};

/// The routes of this file.
pub(crate) fn routes() -> Routes<Arc<Api>> {
    Routes::new("Me", API).get(
        "/me",
        get,
        Words {
            id: "getMe",
            does: "Who the caller is",
            details: "",
            refuses: &[],
        },
    )
}

/// Who the caller is.
#[derive(Serialize, ToSchema)]
pub(crate) struct Me {
    user_id: Id,
    /// What the host application says, else the token; `null` where neither does.
    #[schema(required)]
    display_name: Option<String>,
    /// As the token has it.
    #[schema(required)]
    scope: Option<String>,
    /// When the token ends.
    expires_at: Time,
}

async fn get(caller: Caller) -> Answer<Shown<Me>> {
    let (principal, profile) = (caller.principal(), caller.profile());
    let name = profile.display_name.as_ref().or(principal.name.as_ref());
    Ok(Shown(Me {
        user_id: principal.user_id.into(),
        display_name: name.map(DisplayName::to_string),
        scope: principal.scope.clone(),
        expires_at: principal.expires_at.into(),
    }))
}
