//! Holds the evidence against what docs/PROTOCOL.md promises. Pure: the same evidence gives the same violations.

mod answers;
mod book;
mod membership;
mod sends;
mod streams;
mod tally;
mod truth;
mod violation;

pub use tally::Tally;
pub use violation::{Kind, Violation};

use crate::evidence::Evidence;
use book::Book;
use violation::Violations;

/// Every violation that the evidence shows.
pub fn check(evidence: &Evidence) -> Vec<Violation> {
    let mut violations = Violations::default();
    let book = Book::new(evidence);
    truth::check(&book, &mut violations);
    sends::check(&book, &mut violations);
    answers::check(&book, &mut violations);
    streams::check(&book, &mut violations);
    membership::check(&book, &mut violations);
    for wrong in &evidence.wrong {
        violations.add(Kind::Server, wrong.clone());
    }
    for panic in &evidence.panics {
        violations.add(Kind::Panic, panic.clone());
    }
    violations.found
}

/// What the evidence comes to, in numbers.
pub fn tally(evidence: &Evidence) -> Tally {
    Tally::new(evidence)
}
