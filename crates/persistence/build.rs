//! A migration that is added makes cargo build the crate again: the macro that embeds them watches only the files
//! that it knew.

#![expect(clippy::print_stdout, reason = "it is how a build script speaks to cargo")]

fn main() {
    println!("cargo::rerun-if-changed=../../migrations/sqlite");
}
