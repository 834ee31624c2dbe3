//! `/groups`: listing, creating, showing, putting.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header::LOCATION},
    response::IntoResponse as _,
};
use sealroom_domain::{GroupId, GroupName, Refusal, Role, Seq, UserId};
use sealroom_engine::GroupSummary;
use sealroom_wire::{
    RawValue,
    fields::{self, Raw},
};
use serde::Serialize;

use super::{Answer, json};
use crate::{
    api::Api,
    caller::Caller,
    input::{body::JsonBody, path::GroupPath},
};

#[derive(Serialize)]
struct GroupsBody<'a> {
    groups: Vec<GroupBody<'a>>,
}

/// A group as the caller sees it.
#[derive(Serialize)]
struct GroupBody<'a> {
    group_id: i64,
    name: &'a str,
    /// `null` for an admin who is not a member.
    role: Option<&'static str>,
    head_seq: i64,
    read_seq: i64,
    unread: i64,
}

impl<'a> From<&'a GroupSummary> for GroupBody<'a> {
    fn from(summary: &'a GroupSummary) -> Self {
        // Nothing sets a read mark yet, so each stands before the first entry.
        let read = Seq::ZERO;
        let head = summary.group.head;
        Self {
            group_id: summary.group.group_id.get(),
            name: summary.group.name.as_str(),
            role: summary.role.map(Role::as_str),
            head_seq: head.get(),
            read_seq: read.get(),
            unread: head.get().saturating_sub(read.get()),
        }
    }
}

#[derive(Serialize)]
struct PutBody<'a> {
    group_id: i64,
    name: &'a str,
}

pub(crate) async fn list(caller: Caller, State(api): State<Arc<Api>>) -> Answer {
    let groups = api.chat.groups(caller.actor()).await?;
    Ok(json(GroupsBody {
        groups: groups.iter().map(GroupBody::from).collect(),
    }))
}

pub(crate) async fn create(caller: Caller, State(api): State<Arc<Api>>, body: JsonBody) -> Answer {
    let [name, members] = body.object(["name", "members"])?;
    let (name, members) = (group_name(name)?, user_ids("members", members)?);
    let summary = api.chat.create_group(caller.actor(), name, &members).await?;
    let location = [(LOCATION, location(summary.group.group_id))];
    Ok((StatusCode::CREATED, location, Json(GroupBody::from(&summary))).into_response())
}

pub(crate) async fn get(
    caller: Caller,
    GroupPath(group_id): GroupPath,
    State(api): State<Arc<Api>>,
) -> Answer {
    let summary = api.chat.group(caller.actor(), group_id).await?;
    Ok(json(GroupBody::from(&summary)))
}

pub(crate) async fn put(
    caller: Caller,
    GroupPath(group_id): GroupPath,
    State(api): State<Arc<Api>>,
    body: JsonBody,
) -> Answer {
    let [name] = body.object(["name"])?;
    let name = group_name(name)?;
    let created = api.chat.put_group(caller.actor(), group_id, name.clone()).await?;
    let group = Json(PutBody {
        group_id: group_id.get(),
        name: name.as_str(),
    });
    Ok(if created {
        let location = [(LOCATION, location(group_id))];
        (StatusCode::CREATED, location, group).into_response()
    } else {
        group.into_response()
    })
}

fn location(group_id: GroupId) -> String {
    format!("/api/v1/groups/{group_id}")
}

fn group_name(raw: Raw<'_>) -> Result<GroupName, Refusal> {
    let name = fields::required("name", fields::text("name", raw)?)?;
    GroupName::new(&*name).map_err(|_rules| Refusal::invalid("name"))
}

/// An array of ids; an absent one is empty.
fn user_ids(field: &'static str, raw: Raw<'_>) -> Result<Vec<UserId>, Refusal> {
    let Some(raw) = raw else {
        return Ok(Vec::new());
    };
    let items: Vec<&RawValue> =
        serde_json::from_str(raw.get()).map_err(|_not_an_array| Refusal::invalid(field))?;
    items
        .into_iter()
        .map(|item| fields::required(field, fields::user_id(field, Some(item))?))
        .collect()
}
