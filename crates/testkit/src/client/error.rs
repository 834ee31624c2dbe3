//! How a client fails.

use std::fmt::Display;

/// The server did not take the client in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not connected: {message}")]
pub struct ConnectError {
    /// The `message` of `CONNECT_ERROR`, else what happened instead.
    pub message: String,
    /// Whether the message is the one of `CONNECT_ERROR`: the server refused.
    pub refused: bool,
    /// The status of the handshake's HTTP answer where it was not 101.
    pub status: Option<u16>,
}

impl ConnectError {
    pub(super) fn refused(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            refused: true,
            status: None,
        }
    }

    pub(super) fn other(message: impl Display) -> Self {
        Self {
            message: message.to_string(),
            refused: false,
            status: None,
        }
    }

    pub(super) fn status(status: u16) -> Self {
        Self {
            message: format!("HTTP status {status}"),
            refused: false,
            status: Some(status),
        }
    }
}

/// Nothing came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Not within [`super::PATIENCE`].
    #[error("timed out")]
    Timeout,
    /// The connection ended first.
    #[error("the connection is closed")]
    Closed,
}

/// How a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// The code of the WebSocket close frame, where one came (RFC 6455, section 7.4).
    pub code: Option<u16>,
    /// What happened, for people.
    pub reason: String,
}
