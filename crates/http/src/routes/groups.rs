//! `/groups`: listing, creating, showing, putting.

use std::sync::Arc;

use axum::extract::State;
use sealroom_domain::{ErrorCode, GroupName, Seq, UserId};
use sealroom_engine::GroupSummary;
use sealroom_wire::values::{Count, Id, RoleName};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    answer::{Answer, Created, Kept, Put, Shown},
    api::Api,
    caller::Caller,
    input::{body::Body, fields::body, path::GroupPath},
    openapi::{API, Routes, Words},
};

/// The routes of this file.
pub(crate) fn routes() -> Routes<Arc<Api>> {
    Routes::new("Groups", API)
        .get(
            "/groups",
            list,
            Words {
                id: "listGroups",
                does: "The groups of the caller, by id",
                details: "",
                refuses: &[],
            },
        )
        .post(
            "/groups",
            create,
            Words {
                id: "createGroup",
                does: "Creates a group",
                details: "The caller becomes its owner.",
                refuses: &[ErrorCode::NotFound],
            },
        )
        .get(
            "/groups/{group_id}",
            get,
            Words {
                id: "getGroup",
                does: "One group",
                details: "A group that does not exist is `not_found` for an admin and `not_a_member` for everybody else.",
                refuses: &[ErrorCode::NotAMember, ErrorCode::NotFound],
            },
        )
        .put(
            "/groups/{group_id}",
            put,
            Words {
                id: "putGroup",
                does: "Creates a group under a chosen id, or renames it",
                details: "Admin scope only. Adds nobody and writes no entry; may be repeated.",
                refuses: &[ErrorCode::Forbidden],
            },
        )
}

body! {
    /// A new group.
    NewGroup {
        /// What it is called.
        name: GroupName,
        /// Its members besides the caller.
        members: Option<Vec<UserId>>,
    }
}

body! {
    /// What a group is called.
    GroupNaming {
        /// Its name.
        name: GroupName,
    }
}

/// The groups of the caller.
#[derive(Serialize, ToSchema)]
pub(crate) struct Groups {
    groups: Vec<GroupBody>,
}

/// A group as the caller sees it.
#[derive(Serialize, ToSchema)]
#[schema(as = Group)]
pub(crate) struct GroupBody {
    group_id: Id,
    #[schema(min_length = 1, max_length = 256)]
    name: String,
    /// The caller's role; `null` for an admin who is not a member.
    #[schema(required)]
    role: Option<RoleName>,
    /// The place of the newest entry.
    head_seq: Count,
    /// Up to where the caller has read.
    read_seq: Count,
    /// How many entries follow `read_seq`.
    unread: Count,
}

impl From<GroupSummary> for GroupBody {
    fn from(summary: GroupSummary) -> Self {
        // Nothing sets a read mark yet, so each stands before the first entry.
        let read = Seq::ZERO;
        let head = summary.group.head;
        Self {
            group_id: summary.group.group_id.into(),
            name: summary.group.name.to_string(),
            role: summary.role.map(RoleName::from),
            head_seq: head.into(),
            read_seq: read.into(),
            unread: Count::between(read, head),
        }
    }
}

/// A group as it was put.
#[derive(Serialize, ToSchema)]
pub(crate) struct NamedGroup {
    group_id: Id,
    #[schema(min_length = 1, max_length = 256)]
    name: String,
}

async fn list(caller: Caller, State(api): State<Arc<Api>>) -> Answer<Kept<Groups>> {
    let groups = api.chat.groups(caller.actor()).await?;
    Ok(Kept(Groups {
        groups: groups.into_iter().map(GroupBody::from).collect(),
    }))
}

async fn create(
    caller: Caller,
    State(api): State<Arc<Api>>,
    Body(NewGroup { name, members }): Body<NewGroup>,
) -> Answer<Created<GroupBody>> {
    let members = members.unwrap_or_default();
    let summary = api.chat.create_group(caller.actor(), name, &members).await?;
    Ok(Created {
        group_id: summary.group.group_id,
        body: summary.into(),
    })
}

async fn get(
    caller: Caller,
    GroupPath(group_id): GroupPath,
    State(api): State<Arc<Api>>,
) -> Answer<Kept<GroupBody>> {
    let summary = api.chat.group(caller.actor(), group_id).await?;
    Ok(Kept(summary.into()))
}

async fn put(
    caller: Caller,
    GroupPath(group_id): GroupPath,
    State(api): State<Arc<Api>>,
    Body(GroupNaming { name }): Body<GroupNaming>,
) -> Answer<Put<NamedGroup>> {
    let created = api.chat.put_group(caller.actor(), group_id, name.clone()).await?;
    let body = NamedGroup {
        group_id: group_id.into(),
        name: name.to_string(),
    };
    Ok(if created {
        Put::Created(Created { group_id, body })
    } else {
        Put::Changed(Shown(body))
    })
}
