//! `/groups/{group_id}/members`.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode, response::IntoResponse as _};
use sealroom_domain::ports;
use sealroom_wire::fields;
use serde::Serialize;

use super::{Answer, json};
use crate::{
    api::Api,
    caller::Caller,
    input::{
        body::JsonBody,
        path::{GroupPath, UserPath},
    },
};

#[derive(Serialize)]
struct MembersBody {
    members: Vec<MemberBody>,
}

#[derive(Serialize)]
struct MemberBody {
    user_id: i64,
    role: &'static str,
}

impl From<ports::Member> for MemberBody {
    fn from(member: ports::Member) -> Self {
        Self {
            user_id: member.user_id.get(),
            role: member.role.as_str(),
        }
    }
}

pub(crate) async fn list(
    caller: Caller,
    GroupPath(group_id): GroupPath,
    State(api): State<Arc<Api>>,
) -> Answer {
    let members = api.chat.members(caller.actor(), group_id).await?;
    Ok(json(MembersBody {
        members: members.into_iter().map(MemberBody::from).collect(),
    }))
}

pub(crate) async fn put(
    caller: Caller,
    GroupPath(group_id): GroupPath,
    UserPath(user_id): UserPath,
    State(api): State<Arc<Api>>,
    body: JsonBody,
) -> Answer {
    let [role] = body.optional_object(["role"])?;
    let role = fields::role("role", role)?;
    let member = api
        .chat
        .put_member(caller.actor(), group_id, user_id, role)
        .await?;
    Ok(json(MemberBody::from(member)))
}

pub(crate) async fn delete(
    caller: Caller,
    GroupPath(group_id): GroupPath,
    UserPath(user_id): UserPath,
    State(api): State<Arc<Api>>,
) -> Answer {
    api.chat.remove_member(caller.actor(), group_id, user_id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
