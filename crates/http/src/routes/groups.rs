//! `/groups`: listing, creating, showing, putting.

use std::sync::Arc;

use axum::extract::State;
use sealroom_domain::{ErrorCode, GroupName, Retention, Seq, UserId};
use sealroom_engine::{GroupPatch, GroupSummary};
use sealroom_wire::values::{Count, Id, RoleName};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    answer::{Answer, Created, Done, Kept, Put, Shown},
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
                refuses: &[ErrorCode::NotFound, ErrorCode::LimitExceeded],
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
        .patch(
            "/groups/{group_id}",
            patch,
            Words {
                id: "updateGroup",
                does: "Renames a group, or decides how long its entries are kept",
                details: "Admins and owners rename; owners decide what is kept. What is absent stays.",
                refuses: &[ErrorCode::NotAMember, ErrorCode::NotFound, ErrorCode::Forbidden],
            },
        )
        .delete(
            "/groups/{group_id}",
            delete,
            Words {
                id: "deleteGroup",
                does: "Deletes a group with its log",
                details: "Owners only. Answered after this server has told and evicted the sockets of its members.",
                refuses: &[ErrorCode::NotAMember, ErrorCode::NotFound, ErrorCode::Forbidden],
            },
        )
        .put(
            "/groups/{group_id}/read",
            mark_read,
            Words {
                id: "markRead",
                does: "Moves the caller's read mark",
                details: "Forward only, and at most to the end of the log: a mark that is further already stays.",
                refuses: &[ErrorCode::NotAMember, ErrorCode::NotFound],
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

body! {
    /// What is to change of a group.
    GroupChanges {
        /// What it is called.
        name: Option<GroupName>,
        /// How long its entries are kept, within what the server keeps. It is set as a whole: what is absent in it has no
        /// limit of the group's own.
        retention: Option<Retention>,
    }
}

body! {
    /// How far the caller has read.
    ReadPlace {
        /// The last entry that was read.
        seq: Seq,
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
    /// How long its entries are kept; only there where the group has a rule of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    retention: Option<RetentionBody>,
}

/// How long the entries of a group are kept, beside what the server keeps; `null` is no limit.
#[derive(Serialize, ToSchema)]
#[schema(as = GroupRetention)]
pub(crate) struct RetentionBody {
    /// Entries that are older in seconds are forgotten.
    #[schema(required)]
    age_s: Option<u64>,
    /// Entries before the last so many are forgotten.
    #[schema(required)]
    count: Option<u64>,
}

impl From<Retention> for RetentionBody {
    fn from(Retention { age, count }: Retention) -> Self {
        Self {
            age_s: age.map(|age| age.as_secs()),
            count,
        }
    }
}

/// How far the caller has read.
#[derive(Serialize, ToSchema)]
pub(crate) struct ReadMark {
    /// The last entry that was read.
    read_seq: Count,
    /// How many entries follow it.
    unread: Count,
}

impl From<GroupSummary> for GroupBody {
    fn from(summary: GroupSummary) -> Self {
        let (read, head) = (summary.read, summary.group.head);
        Self {
            group_id: summary.group.group_id.into(),
            name: summary.group.name.to_string(),
            role: summary.role.map(RoleName::from),
            head_seq: head.into(),
            read_seq: read.into(),
            unread: Count::between(read, head),
            retention: Some(summary.group.retention)
                .filter(|retention| !retention.is_unlimited())
                .map(RetentionBody::from),
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

async fn patch(
    caller: Caller,
    GroupPath(group_id): GroupPath,
    State(api): State<Arc<Api>>,
    Body(GroupChanges { name, retention }): Body<GroupChanges>,
) -> Answer<Shown<GroupBody>> {
    let patch = GroupPatch { name, retention };
    let summary = api.chat.update_group(caller.actor(), group_id, patch).await?;
    Ok(Shown(summary.into()))
}

async fn delete(caller: Caller, GroupPath(group_id): GroupPath, State(api): State<Arc<Api>>) -> Answer<Done> {
    api.chat.delete_group(caller.actor(), group_id).await?;
    Ok(Done)
}

async fn mark_read(
    caller: Caller,
    GroupPath(group_id): GroupPath,
    State(api): State<Arc<Api>>,
    Body(ReadPlace { seq }): Body<ReadPlace>,
) -> Answer<Shown<ReadMark>> {
    let marked = api.chat.mark_read(caller.actor(), group_id, seq).await?;
    Ok(Shown(ReadMark {
        read_seq: marked.read.into(),
        unread: marked.into(),
    }))
}
