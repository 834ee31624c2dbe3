//! What hostile clients, broken disks and full pipes try, played against the real program over real sockets.
//!
//! One file a section, one row a threat, each under its id and on both stores. A row plays its inputs against a server
//! of its own ([`target::Target`]) and says what must come of each; after it the server must still be the same process,
//! serve a client that means well, and have logged no panic. The suite writes its bytes itself where a client library
//! would refuse to ([`peer`]).
//!
//! What a row cannot play here stands beside it in the table with the reason: [`table`].

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a failed check ends the test, and figures are printed"
)]

#[path = "../common/mod.rs"]
#[expect(dead_code, reason = "other tests use more of it")]
mod common;
#[path = "../common/faults.rs"]
mod faults;
#[path = "../e2e/reader.rs"]
#[expect(dead_code, reason = "other tests use more of it")]
mod reader;
#[path = "../common/tls.rs"]
#[expect(dead_code, reason = "other tests use more of it")]
mod tls;
#[path = "../e2e/world.rs"]
#[expect(dead_code, reason = "other tests use more of it")]
mod world;

#[path = "../e2e/signer.rs"]
mod signer;

#[path = "../e2e/hold.rs"]
#[expect(dead_code, reason = "other tests use more of it")]
mod hold;
#[path = "../e2e/random.rs"]
#[expect(dead_code, reason = "other tests use more of it")]
mod random;
#[path = "../e2e/watched.rs"]
#[expect(dead_code, reason = "other tests use more of it")]
mod watched;

#[macro_use]
mod table;
mod peer;
mod probe;
mod target;

mod authorization;
mod exhaustion;
mod handshake;
mod payload;
mod privacy;
mod protocol;
mod storage;
