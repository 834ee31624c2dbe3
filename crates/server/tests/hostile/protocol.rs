//! Engine.IO, Socket.IO and WebSocket, spoken wrong.

rows! {
    played {}
    not_played {}
}
