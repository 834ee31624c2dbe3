//! What the transport counts, through the facade of the crate `metrics`: without a recorder nothing happens.
//!
//! The handles are made once, by [`crate::Realtime::start`], so a recorder must be installed before it. No label ever
//! names a user, a group or a session.

use std::sync::LazyLock;

use metrics::{
    Counter, Gauge, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge,
    histogram,
};
use sealroom_domain::ErrorCode;

use crate::{events::EVENTS, registry::Counts};

/// The handles.
pub(crate) static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::new);

pub(crate) struct Metrics {
    handshakes: Vec<(&'static str, Counter)>,
    refusals: Vec<(&'static str, Counter)>,
    events: Vec<(&'static str, Counter)>,
    closed: Vec<(&'static str, Counter)>,
    on_websocket: Gauge,
    polling: Gauge,
    websockets: Gauge,
    /// Rounds of the janitor.
    pub(crate) rounds: Histogram,
}

/// A handshake that was accepted.
pub(crate) const ACCEPTED: &str = "accepted";
/// A request whose origin may not connect.
pub(crate) const ORIGIN: &str = "origin";
/// A session that was refused because the server goes away.
pub(crate) const DRAINING: &str = "draining";
/// Its address opens too many sessions.
pub(crate) const LIMITED: &str = "limited";
/// Events without a handler.
const UNKNOWN: &str = "unknown";

/// Why the server closes a transport or ends a socket, as the log and the metrics have it.
pub(crate) mod cause {
    /// The server goes away.
    pub(crate) const DRAIN: &str = "drain";
    /// More waits for the socket than may.
    pub(crate) const OUTBOUND_BYTES: &str = "outbound_bytes";
    /// The peer takes nothing.
    pub(crate) const WRITE_STALL: &str = "write_stall";
    /// The queue of the library is full or closed.
    pub(crate) const QUEUE: &str = "queue";
    /// Its place in a log is lost.
    pub(crate) const POSITION_LOST: &str = "position_lost";
    /// Its token is over.
    pub(crate) const TOKEN_EXPIRED: &str = "token_expired";
    /// An entry could not be encoded.
    pub(crate) const DEFECT: &str = "defect";
    /// It asks far too often.
    pub(crate) const FLOOD: &str = "flood";
    /// Its token was taken back.
    pub(crate) const TOKEN_REVOKED: &str = "token_revoked";

    pub(super) const ALL: [&str; 9] = [
        DRAIN,
        OUTBOUND_BYTES,
        WRITE_STALL,
        QUEUE,
        POSITION_LOST,
        TOKEN_EXPIRED,
        DEFECT,
        FLOOD,
        TOKEN_REVOKED,
    ];
}

impl Metrics {
    fn new() -> Self {
        describe();
        let codes = || ErrorCode::ALL.iter().map(|code| code.as_str());
        let results = [ACCEPTED, ORIGIN, DRAINING, LIMITED].into_iter().chain(codes());
        Self {
            handshakes: results
                .map(|result| (result, counter!("sealroom_handshakes_total", "result" => result)))
                .collect(),
            refusals: codes()
                .map(|code| {
                    let counter =
                        counter!("sealroom_refusals_total", "transport" => "socketio", "code" => code);
                    (code, counter)
                })
                .collect(),
            events: EVENTS
                .into_iter()
                .chain([UNKNOWN])
                .map(|event| (event, counter!("sealroom_events_total", "event" => event)))
                .collect(),
            closed: cause::ALL
                .map(|cause| (cause, counter!("sealroom_sockets_closed_total", "cause" => cause)))
                .into(),
            on_websocket: gauge!("sealroom_sockets", "transport" => "websocket"),
            polling: gauge!("sealroom_sockets", "transport" => "polling"),
            websockets: gauge!("sealroom_websockets"),
            rounds: histogram!("sealroom_janitor_round_seconds"),
        }
    }

    /// A handshake ended.
    pub(crate) fn handshake(&self, result: &'static str) {
        count(&self.handshakes, result);
    }

    /// A request was refused.
    pub(crate) fn refused(&self, code: ErrorCode) {
        count(&self.refusals, code.as_str());
    }

    /// An event arrived.
    pub(crate) fn event(&self, event: &str) {
        if !count(&self.events, event) {
            count(&self.events, UNKNOWN);
        }
    }

    /// A socket was closed by the server.
    pub(crate) fn closed(&self, cause: &'static str) {
        if !count(&self.closed, cause) {
            // One that `cause::ALL` does not name is counted all the same.
            counter!("sealroom_sockets_closed_total", "cause" => cause).increment(1);
        }
    }

    /// What is open now.
    pub(crate) fn observe(&self, counts: Counts) {
        self.on_websocket.set(level(counts.on_websocket));
        self.polling.set(level(counts.polling));
        self.websockets.set(level(counts.websockets));
    }
}

fn describe() {
    describe_counter!(
        "sealroom_handshakes_total",
        "CONNECTs that were accepted, or refused with a code, and requests that were not let through to them"
    );
    describe_counter!(
        "sealroom_refusals_total",
        "Requests that were refused, by transport and code"
    );
    describe_counter!("sealroom_events_total", "Events that clients sent");
    describe_counter!(
        "sealroom_sockets_closed_total",
        "Sockets that the server closed, by cause"
    );
    describe_gauge!("sealroom_sockets", "Sockets that passed the handshake");
    describe_gauge!(
        "sealroom_websockets",
        "WebSocket connections, with those whose handshake is under way"
    );
    describe_histogram!(
        "sealroom_janitor_round_seconds",
        Unit::Seconds,
        "Rounds of the task that looks at all sockets once a second"
    );
}

/// The lists are short: comparing a few names takes less than hashing one.
fn count(counters: &[(&'static str, Counter)], name: &str) -> bool {
    let found = counters.iter().find(|(known, _)| *known == name);
    if let Some((_, counter)) = found {
        counter.increment(1);
    }
    found.is_some()
}

fn level(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
