//! What the outside can reach, as plain functions of bytes: each reads its bytes as the server would, and panics where a
//! promise of docs/PROTOCOL.md is broken. libFuzzer feeds them (`cargo xtask fuzz`), and a test feeds them the committed
//! inputs of `corpus/` on the stable toolchain (`tests/corpus.rs`).
//!
//! # What a target holds its input against
//!
//! Nothing panics, whatever comes. What is accepted keeps the rules: ids are JSON integers from 1 to 2^53 - 1, no text
//! holds U+0000, sizes are within their limits, and what was read is what an independent reading of the same bytes finds.
//! What is refused is refused with a code that the event or route may give. Where there is an encoder, what was read is
//! written and read again, and is the same.
//!
//! # Adding a target
//!
//! 1. A function in `targets/`, and its row in [`TARGETS`].
//! 2. `driver/bins/NAME.rs` and its `[[bin]]` in `driver/Cargo.toml`.
//! 3. A folder `corpus/NAME` of small files: what is accepted, one of each kind that is refused, and every input that
//!    was once a defect.
//!
//! What an input may have changed is thrown away, or is nothing that the target looks at, so that an input alone is enough
//! to see again what was found. Time stands still in the targets, or is tokio's paused time, which passes at once.

#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "a panic is how a target says that a promise is broken"
)]

mod app;
mod oracle;
mod request;
pub mod targets;

/// What a target says of an input that broke no promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It was taken for what it says, and that was looked at.
    Accepted,
    /// It was refused as it should be, or could not have come over the wire.
    Refused,
}

impl Verdict {
    /// Accepted where there is something.
    fn of(accepted: Option<()>) -> Self {
        match accepted {
            Some(()) => Self::Accepted,
            None => Self::Refused,
        }
    }
}

/// A function of bytes, and its name.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// The name of the function, of its program and of its folder of inputs.
    pub name: &'static str,
    /// Panics where a promise is broken.
    pub run: fn(&[u8]) -> Verdict,
}

macro_rules! targets {
    ($($name:ident),+ $(,)?) => {
        &[$(Target { name: stringify!($name), run: targets::$name }),+]
    };
}

/// Every target.
pub const TARGETS: &[Target] = targets![
    token,
    token_claims,
    pem,
    jwks,
    connect_auth,
    event,
    http_query,
    http_path,
    http_body,
    http_headers,
    forwarded_for,
    origin,
    settings,
    webhook_secret,
    engine_io_query,
    engine_io_body,
];
