//! `/groups/{group_id}/messages` and `/groups/{group_id}/entries`.

use std::sync::Arc;

use axum::extract::{OriginalUri, State};
use sealroom_domain::{EncryptedContent, Entry, ErrorCode, KeyEpoch, ports::CurrentMessage};
use sealroom_engine::{CurrentMessages, EntriesPage, MessageDraft, Published};
use sealroom_wire::{CurrentEntry, EventEntry, LogEntry, values::Count};
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use crate::{
    answer::{Answer, New, Page},
    api::Api,
    caller::Caller,
    input::{body::Body, fields::body, idempotency_key::IdempotencyKey, path::GroupPath, query::PageQuery},
    links::{Ends, links},
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
                does: "Messages of a group as they stand now",
                details: "With the content of their last edits, and without those that were deleted.",
                refuses: &[ErrorCode::NotAMember, ErrorCode::NotFound, ErrorCode::HistoryTrimmed],
            },
        )
        .post(
            "/groups/{group_id}/messages",
            send,
            Words {
                id: "sendMessage",
                does: "Sends a message",
                details: "With an `Idempotency-Key` a retry is harmless: 200 and the first message, for as long as it is stored.",
                refuses: &[
                    ErrorCode::NotAMember,
                    ErrorCode::NotFound,
                    ErrorCode::IdempotencyConflict,
                    ErrorCode::RateLimited,
                ],
            },
        )
        .get(
            "/groups/{group_id}/entries",
            entries,
            Words {
                id: "listEntries",
                does: "Entries of the log of a group",
                details: "Everything that members must agree on, numbered by `seq` from 1 without gaps.",
                refuses: &[ErrorCode::NotAMember, ErrorCode::NotFound, ErrorCode::HistoryTrimmed],
            },
        )
}

/// A page of messages.
#[derive(Serialize, ToSchema)]
#[schema(as = Messages)]
pub(crate) struct MessagesBody {
    #[serde(serialize_with = "as_current")]
    #[schema(value_type = Vec<CurrentEntry<'_>>)]
    messages: Vec<CurrentMessage>,
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

body! {
    /// A message.
    Draft {
        /// What the sender encrypted.
        encrypted_content: EncryptedContent,
        /// The key that it is encrypted with.
        key_epoch: Option<KeyEpoch>,
    }
}

/// A message that was sent.
#[derive(Serialize, ToSchema)]
pub(crate) struct SentMessage {
    #[serde(serialize_with = "as_event")]
    #[schema(value_type = EventEntry<'_>)]
    message: Arc<Published>,
    /// Whether it was sent before with the same `Idempotency-Key`.
    duplicate: bool,
}

fn as_event<S: Serializer>(message: &Published, serializer: S) -> Result<S::Ok, S::Error> {
    EventEntry(message.entry()).serialize(serializer)
}

fn as_current<S: Serializer>(messages: &[CurrentMessage], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(messages.iter().map(CurrentEntry))
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
    let ends = Ends::of(page.messages.iter().map(|message| message.entry.seq));
    let links = links(uri.path(), &query, ends, page.has_more, page.head);
    let CurrentMessages {
        messages,
        has_more,
        head,
        log_id,
    } = page;
    let body = MessagesBody {
        messages,
        has_more,
        head_seq: head.into(),
        log_id: log_id.to_string(),
    };
    Ok(Page { body, links })
}

async fn send(
    caller: Caller,
    GroupPath(group_id): GroupPath,
    IdempotencyKey(client_message_id): IdempotencyKey,
    State(api): State<Arc<Api>>,
    Body(draft): Body<Draft>,
) -> Answer<New<SentMessage>> {
    let draft = MessageDraft {
        group_id,
        content: draft.encrypted_content,
        client_message_id,
        key_epoch: draft.key_epoch,
    };
    let sent = api.chat.post(caller.actor(), caller.profile(), draft).await?;
    let body = SentMessage {
        message: sent.message,
        duplicate: sent.duplicate,
    };
    Ok(if sent.duplicate {
        New::Before(body)
    } else {
        New::Now(body)
    })
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
    let ends = Ends::of(page.entries.iter().map(|entry| entry.seq));
    let links = links(uri.path(), &query, ends, page.has_more, page.head);
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
