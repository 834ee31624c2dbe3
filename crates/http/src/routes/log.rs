//! `/groups/{group_id}/messages` and `/groups/{group_id}/entries`.

use std::sync::Arc;

use axum::extract::{OriginalUri, State};
use sealroom_domain::{Entry, ErrorCode};
use sealroom_engine::EntriesPage;
use sealroom_wire::{EventEntry, LogEntry, values::Count};
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use crate::{
    answer::{Answer, Page},
    api::Api,
    caller::Caller,
    input::{path::GroupPath, query::PageQuery},
    links::links,
    openapi::{API, Routes, Words},
};

/// The routes of this file.
pub(crate) fn routes() -> Routes<Arc<Api>> {
    Routes::new("Log", API)
        .get(
            "/groups/{group_id}/messages",
            messages,
            Words {
                id: "listMessages",
                does: "Messages of a group",
                details: "A page may be shorter than `limit` also where more follow.",
                refuses: &[ErrorCode::NotAMember, ErrorCode::NotFound],
            },
        )
        .get(
            "/groups/{group_id}/entries",
            entries,
            Words {
                id: "listEntries",
                does: "Entries of the log of a group",
                details: "Everything that members must agree on, numbered by `seq` from 1 without gaps.",
                refuses: &[ErrorCode::NotAMember, ErrorCode::NotFound],
            },
        )
}

/// A page of messages.
#[derive(Serialize, ToSchema)]
#[schema(as = Messages)]
pub(crate) struct MessagesBody {
    #[serde(serialize_with = "as_events")]
    #[schema(value_type = Vec<EventEntry<'_>>)]
    messages: Vec<Entry>,
    /// Whether the log goes on in the direction of reading.
    has_more: bool,
    /// The place of the newest entry.
    head_seq: Count,
    /// Names the log: another one after a backup was restored.
    #[schema(min_length = 1, max_length = 64)]
    log_id: String,
}

/// A page of the log.
#[derive(Serialize, ToSchema)]
#[schema(as = Entries)]
pub(crate) struct EntriesBody {
    #[serde(serialize_with = "as_log")]
    #[schema(value_type = Vec<LogEntry<'_>>)]
    entries: Vec<Entry>,
    /// Whether the log goes on in the direction of reading.
    has_more: bool,
    /// The place of the newest entry.
    head_seq: Count,
    /// Names the log: another one after a backup was restored.
    #[schema(min_length = 1, max_length = 64)]
    log_id: String,
}

fn as_events<S: Serializer>(entries: &[Entry], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(entries.iter().map(EventEntry))
}

fn as_log<S: Serializer>(entries: &[Entry], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(entries.iter().map(LogEntry))
}

async fn messages(
    caller: Caller,
    GroupPath(group_id): GroupPath,
    query: PageQuery,
    OriginalUri(uri): OriginalUri,
    State(api): State<Arc<Api>>,
) -> Answer<Page<MessagesBody>> {
    let page = api
        .chat
        .messages(caller.actor(), group_id, query.cursor, query.limit)
        .await?;
    let links = links(uri.path(), &query, &page);
    let EntriesPage {
        entries,
        has_more,
        head,
        log_id,
    } = page;
    let body = MessagesBody {
        messages: entries,
        has_more,
        head_seq: head.into(),
        log_id: log_id.to_string(),
    };
    Ok(Page { body, links })
}

async fn entries(
    caller: Caller,
    GroupPath(group_id): GroupPath,
    query: PageQuery,
    OriginalUri(uri): OriginalUri,
    State(api): State<Arc<Api>>,
) -> Answer<Page<EntriesBody>> {
    let page = api
        .chat
        .entries(caller.actor(), group_id, query.cursor, query.limit)
        .await?;
    let links = links(uri.path(), &query, &page);
    let EntriesPage {
        entries,
        has_more,
        head,
        log_id,
    } = page;
    let body = EntriesBody {
        entries,
        has_more,
        head_seq: head.into(),
        log_id: log_id.to_string(),
    };
    Ok(Page { body, links })
}
