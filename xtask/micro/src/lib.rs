//! The parts of a message's way, each alone and with the same work in each round.
//!
//! `cargo bench -p xtask-micro` times them. `cargo xtask count` counts their instructions under valgrind, which the
//! noise of a machine does not change, and holds them against those that are written down.

mod append;
mod deliver;
mod encode;

use append::Append;
use deliver::Deliver;
use encode::Encode;

/// A part that can be played.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    /// What it is called.
    pub name: &'static str,
    /// How many messages one round has.
    pub messages: u64,
    /// So many rounds make a count that does not depend on their number.
    pub rounds: u64,
    prepare: fn() -> anyhow::Result<Box<dyn Round>>,
}

/// A part that is ready.
pub trait Round {
    /// Plays one round.
    ///
    /// # Errors
    /// Something does not work as it should.
    fn play(&mut self) -> anyhow::Result<()>;
}

/// All parts.
pub const PARTS: [Part; 5] = [
    Part {
        name: "deliver-2",
        messages: deliver::MESSAGES,
        rounds: 10,
        prepare: || boxed(Deliver::new(2)),
    },
    Part {
        name: "deliver-1000",
        messages: deliver::MESSAGES,
        rounds: 4,
        prepare: || boxed(Deliver::new(1000)),
    },
    Part {
        name: "append-sqlite-1",
        messages: 1,
        rounds: 100,
        prepare: || boxed(Append::new(1)),
    },
    Part {
        name: "append-sqlite-64",
        messages: 64,
        rounds: 20,
        prepare: || boxed(Append::new(64)),
    },
    Part {
        name: "encode",
        messages: 1,
        rounds: 1000,
        prepare: || boxed(Ok(Encode::new()?)),
    },
];

impl Part {
    /// The part of this name.
    pub fn of(name: &str) -> Option<Self> {
        PARTS.into_iter().find(|part| part.name == name)
    }

    /// Makes everything that a round needs.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn prepare(self) -> anyhow::Result<Box<dyn Round>> {
        (self.prepare)()
    }
}

fn boxed<R: Round + 'static>(round: anyhow::Result<R>) -> anyhow::Result<Box<dyn Round>> {
    Ok(Box::new(round?))
}

/// One thread: what is counted is always the same.
fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?)
}

/// A ciphertext of usual length.
fn content() -> anyhow::Result<sealroom_domain::EncryptedContent> {
    Ok(sealroom_domain::EncryptedContent::new("x".repeat(256), 1024)?)
}
