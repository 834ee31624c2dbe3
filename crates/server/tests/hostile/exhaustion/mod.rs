//! Connections, requests and readers that are made to use something up.

mod connections;
mod readers;
mod requests;

use connections::{
    rs_1_slow_headers_slow_bodies_and_silence, rs_2_a_flood_of_connections, rs_6_sessions_that_never_connect,
    rs_7_sessions_that_left, rs_13_everybody_comes_back_at_once, rs_14_a_flood_of_bad_tokens,
};
use readers::{
    rs_3_readers_that_take_nothing, rs_4_a_reader_at_1_kb_a_second, rs_5_peers_that_vanish,
    rs_10_large_messages_for_many,
};
use requests::{
    rs_8_floods_of_events, rs_9_too_many_groups_and_members, rs_12_many_pages_at_once,
    rs_15_a_log_that_nobody_can_fill,
};

const MIB: u64 = 1024 * 1024;
/// What the server may grow by, whatever anybody does.
const ROOM: u64 = 64 * MIB;

rows! {
    played {
        "RS-1" => rs_1_slow_headers_slow_bodies_and_silence,
        "RS-2" => rs_2_a_flood_of_connections with [("SEALROOM_LIMIT_CONNECTIONS_PER_ADDRESS", "50")],
        "RS-3" => rs_3_readers_that_take_nothing with [("SEALROOM_LIMIT_WRITE_STALL", "2s")],
        "RS-4" => rs_4_a_reader_at_1_kb_a_second with [("SEALROOM_LIMIT_OUTBOUND_BYTES", "3000000")],
        "RS-5" => rs_5_peers_that_vanish with [("SEALROOM_LIMIT_WRITE_STALL", "2s")],
        "RS-6" => rs_6_sessions_that_never_connect,
        "RS-7" => rs_7_sessions_that_left,
        "RS-8" => rs_8_floods_of_events with [
            ("SEALROOM_LIMIT_EVENTS_PER_SOCKET", "50:200"),
            ("SEALROOM_LIMIT_SENDS_PER_USER", "50:200"),
        ],
        "RS-9" => rs_9_too_many_groups_and_members with [
            ("SEALROOM_LIMIT_GROUPS_PER_SOCKET", "5"),
            ("SEALROOM_LIMIT_GROUPS_PER_USER", "8"),
            ("SEALROOM_LIMIT_MEMBERS_PER_GROUP", "6"),
        ],
        "RS-10" => rs_10_large_messages_for_many with [("SEALROOM_LIMIT_SOCKETS_PER_USER", "off")],
        "RS-12" => rs_12_many_pages_at_once,
        "RS-13" => rs_13_everybody_comes_back_at_once with [("SEALROOM_LIMIT_SOCKETS_PER_USER", "off")],
        "RS-14" => rs_14_a_flood_of_bad_tokens with [("SEALROOM_LIMIT_HANDSHAKES_PER_ADDRESS", "100:500")],
        "RS-15" => rs_15_a_log_that_nobody_can_fill,
    }
    not_played {
        "RS-11": "the server asks its clients for no acks, so nobody can leave one out; PR-14 sends acks for what was never asked",
        "RS-16": "there are no attachments and no quotas yet; a disk without room is ST-4",
    }
}
