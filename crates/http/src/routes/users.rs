//! `/users`: what the host application says of its users. Admin scope only.

use std::sync::Arc;

use axum::extract::State;
use sealroom_domain::{DisplayName, ErrorCode, Username};
use sealroom_wire::values::Id;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    answer::{Answer, Done, Shown},
    api::Api,
    caller::Caller,
    input::{body::Body, fields::body, path::UserPath},
    openapi::{API, Routes, Words},
};

/// The routes of this file.
pub(crate) fn routes() -> Routes<Arc<Api>> {
    Routes::new("Users", API)
        .put(
            "/users/{user_id}",
            put,
            Words {
                id: "putUser",
                does: "Says what a user is called",
                details: "Admin scope only. Open sockets of the user write under the new name at once; may be repeated. Where there are built-in accounts, only known users can be named (`not_found`), and no `username` can be set (`conflict`).",
                refuses: &[ErrorCode::Forbidden, ErrorCode::NotFound, ErrorCode::Conflict],
            },
        )
        .delete(
            "/users/{user_id}",
            erase,
            Words {
                id: "eraseUser",
                does: "Erases a user with everything that it wrote",
                details: "Admin scope only. Its names, memberships and tokens end; its messages keep their places without content. May be repeated.",
                refuses: &[ErrorCode::Forbidden, ErrorCode::NotFound],
            },
        )
        .post(
            "/users/{user_id}/revoke",
            revoke,
            Words {
                id: "revokeUser",
                does: "Takes back the tokens of a user",
                details: "Admin scope only. Ends every token that was issued up to the second of this call, those that do not say when they were issued, and the sockets that go by one.",
                refuses: &[ErrorCode::Forbidden],
            },
        )
}

body! {
    /// What a user is called.
    UserNaming {
        /// What others read.
        display_name: DisplayName,
        /// A name that no other user has; without it the present one stays.
        username: Option<Username>,
    }
}

/// A user as it was put.
#[derive(Serialize, ToSchema)]
pub(crate) struct NamedUser {
    user_id: Id,
    #[schema(min_length = 1, max_length = 256)]
    display_name: String,
    /// Where the request had it: otherwise the present one stays, and is not told.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_length = 1, max_length = 256)]
    username: Option<String>,
}

async fn put(
    caller: Caller,
    UserPath(user_id): UserPath,
    State(api): State<Arc<Api>>,
    Body(UserNaming {
        display_name,
        username,
    }): Body<UserNaming>,
) -> Answer<Shown<NamedUser>> {
    let body = NamedUser {
        user_id: user_id.into(),
        display_name: display_name.to_string(),
        username: username.as_ref().map(Username::to_string),
    };
    api.chat
        .put_user(caller.actor(), user_id, display_name, username)
        .await?;
    Ok(Shown(body))
}

async fn erase(caller: Caller, UserPath(user_id): UserPath, State(api): State<Arc<Api>>) -> Answer<Done> {
    api.chat.erase_user(caller.actor(), user_id).await?;
    Ok(Done)
}

async fn revoke(caller: Caller, UserPath(user_id): UserPath, State(api): State<Arc<Api>>) -> Answer<Done> {
    api.chat.revoke_user(caller.actor(), user_id).await?;
    Ok(Done)
}
