//! Webhooks to the host application.

use std::sync::Arc;

use sealroom_engine::{Chat, Ports};
use sealroom_hooks::{HookOptions, HookParts, Hooks, HttpPost, HttpTargetError, StartError};

use crate::{settings::Settings, store::Store};

/// Why webhooks cannot be sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WebhookError {
    /// Nothing can be sent to that address.
    #[error("the receiver of webhooks cannot be reached at all")]
    Post(#[from] HttpTargetError),
    /// The deliveries cannot begin.
    #[error("webhooks cannot be sent")]
    Start(#[from] StartError),
}

/// Starts to deliver, where there is anybody to tell. Must be called within a tokio runtime.
pub(crate) fn start(
    settings: &Settings,
    store: &Store,
    ports: Ports,
    chat: &Arc<Chat>,
) -> Result<Option<Hooks>, WebhookError> {
    let (Some(url), Some(secrets)) = (&settings.webhook_url, &settings.webhook_secret) else {
        return Ok(None);
    };
    let post = HttpPost::new(url)?;
    if post.is_unprotected() {
        tracing::warn!("webhooks are sent without TLS: whoever is on the way can read them");
    }
    let works_with = HookParts {
        outbox: store.outbox(),
        memberships: ports.memberships,
        presence: chat.clone(),
        clock: ports.clock,
        post: Arc::new(post),
        wake: chat.appended(),
    };
    let options = HookOptions {
        events: settings.webhook_events.clone(),
        ..HookOptions::new(secrets.clone())
    };
    Ok(Some(Hooks::start(works_with, options)?))
}
