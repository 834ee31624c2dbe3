//! The one task that looks at all sockets now and then.

use std::{sync::Arc, time::Duration};

use sealroom_domain::Timestamp;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    RealtimeOptions,
    metrics::{METRICS, cause},
    registry::Registry,
    socket::ClientSocket,
};

const ROUND: Duration = Duration::from_secs(1);

/// Tells sockets whose token is about to end, ends those whose token is over, closes those whose peer takes nothing, forgets those that are gone.
pub(crate) async fn watch(registry: Arc<Registry>, options: Arc<RealtimeOptions>, stop: CancellationToken) {
    while stop
        .run_until_cancelled(tokio::time::sleep(ROUND))
        .await
        .is_some()
    {
        let begin = Instant::now();
        registry.forget_closed();
        for (sid, socket) in registry.all() {
            if socket.is_gone() {
                // Its transport went away in the middle of the handshake, when there was nobody to tell.
                registry.remove(sid, &socket);
                socket.closed();
            } else {
                look_at(&socket, &options, socket.chat.clock().now());
            }
        }
        METRICS.rounds.record(begin.elapsed());
    }
}

fn look_at(socket: &Arc<ClientSocket>, options: &RealtimeOptions, now: Timestamp) {
    if socket.is_closing() {
        // Once more, until it is gone: its session may have moved to another transport at that moment.
        socket.close_again();
        return;
    }
    if now >= socket.session.expires_at().plus(options.lease_grace) {
        socket.end(cause::TOKEN_EXPIRED);
        return;
    }
    if socket.session.tell_expiring(now, options.expiring_ahead) {
        socket.token_expiring();
    }
    let stalled = socket
        .connection()
        .and_then(|connection| connection.0.stalled_for());
    if stalled.is_some_and(|stalled| stalled > options.write_stall) {
        socket.close_transport(cause::WRITE_STALL);
    }
}
