//! Who may connect.

use std::{borrow::Cow, fmt::Display, future::Future, net::IpAddr, sync::Arc};

use sealroom_domain::{
    ErrorCode, Refusal,
    ports::{TokenError, TokenVerifier},
};
use sealroom_engine::{Chat, KeyedRate};
use sealroom_wire::{ClientAddress, RawValue, fields};
use serde::Deserialize;
use socketioxide::{
    TransportType,
    adapter::LocalAdapter,
    extract::SocketRef,
    handler::{ConnectMiddleware, Value},
    socket::{DisconnectReason, Socket},
};
use tokio_util::task::TaskTracker;

use crate::{
    ConnectionRef, RealtimeOptions,
    attempts::{Attempt, Attempts},
    closer::SessionCloser,
    events::EventHandler,
    flusher::Flusher,
    gate::is_websocket,
    kept::BearerToken,
    metrics::{ACCEPTED, METRICS},
    outbound::Outbound,
    registry::Registry,
    socket::{ClientSocket, rate_limited},
};

/// What a handshake needs.
#[derive(Debug)]
pub(crate) struct Handshake {
    pub(crate) chat: Arc<Chat>,
    pub(crate) verifier: Arc<dyn TokenVerifier>,
    pub(crate) options: Arc<RealtimeOptions>,
    pub(crate) registry: Arc<Registry>,
    /// Those of each address, shared with the gate.
    pub(crate) handshakes: Arc<KeyedRate<IpAddr>>,
    pub(crate) flusher: Arc<Flusher>,
    pub(crate) closer: SessionCloser,
    pub(crate) tasks: TaskTracker,
}

/// The last step before CONNECT: handlers that are in place here miss no event of a client that waits for CONNECT.
#[derive(Debug, Clone)]
pub(crate) struct HandshakeMiddleware(pub(crate) Arc<Handshake>);

type Refused = Box<dyn Display + Send>;

impl ConnectMiddleware<LocalAdapter, HandshakeMiddleware> for HandshakeMiddleware {
    fn call<'a>(
        &'a self,
        socket: Arc<Socket>,
        auth: &'a Option<Value>,
    ) -> impl Future<Output = Result<(), Refused>> + Send {
        let auth = auth.as_ref().and_then(Value::as_str).map(ToString::to_string);
        async move {
            self.0
                .connect(&socket, auth.as_deref())
                .await
                .map_err(|code| -> Refused { Box::new(code.as_str()) })
        }
    }
}

impl Handshake {
    async fn connect(&self, socket: &Arc<Socket>, auth: Option<&str>) -> Result<(), ErrorCode> {
        if let Some(connection) = opened_over(socket) {
            self.registry.attach_opened(socket.id, connection);
        }
        let attempts = socket.req_parts().extensions.get::<Attempts>();
        let attempts = attempts.cloned().unwrap_or_default();
        let opened = match self.admit(socket, &attempts) {
            Ok(()) => self.open(socket, auth, !attempts.has_accepted()).await,
            Err(refusal) => Err(refusal),
        };
        let Err(refusal) = opened else {
            METRICS.handshake(ACCEPTED);
            attempts.accepted();
            return Ok(());
        };
        METRICS.handshake(refusal.code.as_str());
        if refusal.code.retryable() {
            // Clients come back by themselves only after the loss of the transport, and not at all once they heard
            // CONNECT_ERROR: it is sent when this returns, so the transport goes before.
            self.closer.close_and_wait(socket.id).await;
        } else if attempts.refused() {
            // Some clients wait for the end of a session that was refused.
            self.closer.close_refused(socket.id);
        }
        Err(refusal.code)
    }

    /// Whether a CONNECT is looked at at all. A session sends one; each further one counts as a new session of its
    /// address, because it costs as much.
    fn admit(&self, socket: &Socket, attempts: &Attempts) -> Result<(), Refusal> {
        match attempts.next() {
            Attempt::First => Ok(()),
            Attempt::Further => match socket.req_parts().extensions.get::<ClientAddress>() {
                Some(address) => self.handshakes.count(&address.subscriber()),
                None => Ok(()),
            },
            Attempt::TooMany => Err(rate_limited()),
        }
    }

    async fn open(&self, socket: &Arc<Socket>, auth: Option<&str>, is_first: bool) -> Result<(), Refusal> {
        let header = socket.req_parts().extensions.get::<BearerToken>();
        let token = match auth_token(auth)? {
            Some(token) => token,
            None => header
                .map(|token| token.0.to_string())
                .ok_or(ErrorCode::TokenMissing)?,
        };
        let principal = self
            .verifier
            .verify(&token)
            .await
            .map_err(|error| refused_token(&error))?;
        let session = self.chat.open_session(principal).await?;
        let outbound = Outbound::new(self.options.outbound_bytes, is_first);
        let client = Arc::new(ClientSocket::new(
            self.chat.clone(),
            session,
            socket,
            outbound,
            self.flusher.clone(),
            self.closer.clone(),
            self.tasks.clone(),
        ));
        tracing::debug!(socket = client.number(), user_id = %client.session.user_id(), "a socket is open");
        self.registry.insert(socket.id, client.clone());
        let handler = EventHandler::new(client.clone(), self.verifier.clone());
        client.session.attach(handler.subscriber());
        socket.on_fallback(handler);
        let (registry, closer, patience) = (
            self.registry.clone(),
            self.closer.clone(),
            self.options.connect_timeout,
        );
        socket.on_disconnect(async move |socket: SocketRef, reason: DisconnectReason| {
            registry.remove(socket.id, &client);
            client.closed();
            if reason == DisconnectReason::ClientNSDisconnect {
                closer.close_unless_back(socket.id, patience);
            }
        });
        Ok(())
    }
}

/// The connection of a session that was opened as a WebSocket. That of one which began to poll is another one, which
/// only the gate saw: its first request tells nothing about it.
fn opened_over(socket: &Socket) -> Option<ConnectionRef> {
    let first = socket.req_parts();
    let is_websocket =
        matches!(socket.transport_type(), TransportType::Websocket) && is_websocket(&first.uri);
    is_websocket
        .then(|| first.extensions.get::<ConnectionRef>().cloned())
        .flatten()
}

/// The refusal of a token.
pub(crate) fn refused_token(error: &TokenError) -> Refusal {
    if let TokenError::Unavailable { source } = error {
        tracing::warn!(cause = %source, "a token could not be verified");
        return Refusal::unavailable();
    }
    error.code().into()
}

/// The token in `auth`; `None` where there is none, and the header counts.
pub(crate) fn auth_token(auth: Option<&str>) -> Result<Option<String>, Refusal> {
    #[derive(Deserialize)]
    struct Auth<'a> {
        #[serde(borrow)]
        token: Option<&'a RawValue>,
    }
    let Some(auth) = auth.map(str::trim_start).filter(|auth| auth.starts_with('{')) else {
        return Ok(None);
    };
    let auth: Auth<'_> = serde_json::from_str(auth).map_err(|_malformed| ErrorCode::TokenInvalid)?;
    match fields::text("token", auth.token) {
        Ok(token) => Ok(token.map(Cow::into_owned)),
        Err(_not_a_text) => Err(ErrorCode::TokenInvalid.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_a_text_in_an_object() {
        assert_eq!(
            auth_token(Some(r#"{"token":"a.b.c","x":1}"#)),
            Ok(Some("a.b.c".to_owned()))
        );
        for absent in [
            None,
            Some("null"),
            Some("[]"),
            Some("\"tok\""),
            Some("{}"),
            Some(r#"{"token":null}"#),
        ] {
            assert_eq!(auth_token(absent), Ok(None), "{absent:?}");
        }
        for bad in [
            r#"{"token":5}"#,
            r#"{"token":{}}"#,
            r#"{"token":"a","token":"b"}"#,
            r#"{"token":"a\u0000"}"#,
        ] {
            assert_eq!(
                auth_token(Some(bad)),
                Err(ErrorCode::TokenInvalid.into()),
                "{bad}"
            );
        }
    }
}
