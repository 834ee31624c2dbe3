//! `/groups/{group_id}/messages` and `/groups/{group_id}/entries`.

use std::sync::Arc;

use axum::extract::State;
use sealroom_wire::{EventEntry, LogEntry};
use serde::Serialize;

use super::{Answer, json};
use crate::{
    api::Api,
    caller::Caller,
    input::{path::GroupPath, query::PageQuery},
};

#[derive(Serialize)]
struct MessagesBody<'a> {
    messages: Vec<EventEntry<'a>>,
    has_more: bool,
    head_seq: i64,
    log_id: &'a str,
}

#[derive(Serialize)]
struct EntriesBody<'a> {
    entries: Vec<LogEntry<'a>>,
    has_more: bool,
    head_seq: i64,
    log_id: &'a str,
}

pub(crate) async fn messages(
    caller: Caller,
    GroupPath(group_id): GroupPath,
    PageQuery { cursor, limit }: PageQuery,
    State(api): State<Arc<Api>>,
) -> Answer {
    let page = api.chat.messages(caller.actor(), group_id, cursor, limit).await?;
    Ok(json(MessagesBody {
        messages: page.entries.iter().map(EventEntry).collect(),
        has_more: page.has_more,
        head_seq: page.head.get(),
        log_id: page.log_id.as_str(),
    }))
}

pub(crate) async fn entries(
    caller: Caller,
    GroupPath(group_id): GroupPath,
    PageQuery { cursor, limit }: PageQuery,
    State(api): State<Arc<Api>>,
) -> Answer {
    let page = api.chat.entries(caller.actor(), group_id, cursor, limit).await?;
    Ok(json(EntriesBody {
        entries: page.entries.iter().map(LogEntry).collect(),
        has_more: page.has_more,
        head_seq: page.head.get(),
        log_id: page.log_id.as_str(),
    }))
}
