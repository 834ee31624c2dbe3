//! `/groups/{group_id}/members`.

use std::sync::Arc;

use axum::extract::State;
use sealroom_domain::{ErrorCode, Role, ports};
use sealroom_wire::values::{Id, RoleName};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    answer::{Answer, Done, Kept, Shown},
    api::Api,
    caller::Caller,
    input::{
        body::OptionalBody,
        fields::body,
        path::{GroupPath, UserPath},
    },
    openapi::{API, Routes, Words},
};

/// The routes of this file.
pub(crate) fn routes() -> Routes<Arc<Api>> {
    Routes::new("Members", API)
        .get(
            "/groups/{group_id}/members",
            list,
            Words {
                id: "listMembers",
                does: "The members of a group, by id",
                details: "",
                refuses: &[ErrorCode::NotAMember, ErrorCode::NotFound],
            },
        )
        .put(
            "/groups/{group_id}/members/{user_id}",
            put,
            Words {
                id: "putMember",
                does: "Adds a member, or changes its role",
                details: "Owners give and take every role, admins those up to their own; nobody changes who stands above. The last owner cannot lose the role: `conflict`. The body may be missing.",
                refuses: &[
                    ErrorCode::NotAMember,
                    ErrorCode::Forbidden,
                    ErrorCode::NotFound,
                    ErrorCode::Conflict,
                    ErrorCode::LimitExceeded,
                ],
            },
        )
        .delete(
            "/groups/{group_id}/members/{user_id}",
            delete,
            Words {
                id: "removeMember",
                does: "Removes a member, or leaves",
                details: "Answered after this server has told and evicted the sockets of the user. The last owner cannot leave: `conflict`.",
                refuses: &[ErrorCode::NotAMember, ErrorCode::Forbidden, ErrorCode::NotFound, ErrorCode::Conflict],
            },
        )
}

body! {
    /// What a member is.
    Membership {
        /// Without it a new member is a `member`, and a present one stays what it is.
        role: Option<Role>,
    }
}

/// The members of a group.
#[derive(Serialize, ToSchema)]
pub(crate) struct Members {
    members: Vec<Member>,
}

/// A member of a group.
#[derive(Serialize, ToSchema)]
pub(crate) struct Member {
    user_id: Id,
    role: RoleName,
}

impl From<ports::Member> for Member {
    fn from(member: ports::Member) -> Self {
        Self {
            user_id: member.user_id.into(),
            role: member.role.into(),
        }
    }
}

async fn list(
    caller: Caller,
    GroupPath(group_id): GroupPath,
    State(api): State<Arc<Api>>,
) -> Answer<Kept<Members>> {
    let members = api.chat.members(caller.actor(), group_id).await?;
    Ok(Kept(Members {
        members: members.into_iter().map(Member::from).collect(),
    }))
}

async fn put(
    caller: Caller,
    GroupPath(group_id): GroupPath,
    UserPath(user_id): UserPath,
    State(api): State<Arc<Api>>,
    OptionalBody(Membership { role }): OptionalBody<Membership>,
) -> Answer<Shown<Member>> {
    let member = api
        .chat
        .put_member(caller.actor(), group_id, user_id, role)
        .await?;
    Ok(Shown(member.into()))
}

async fn delete(
    caller: Caller,
    GroupPath(group_id): GroupPath,
    UserPath(user_id): UserPath,
    State(api): State<Arc<Api>>,
) -> Answer<Done> {
    api.chat.remove_member(caller.actor(), group_id, user_id).await?;
    Ok(Done)
}
