//! A migration that is added makes cargo build the crate again: the macro that embeds them watches only the files
//! that it knew.

fn main() {
    println!("cargo::rerun-if-changed=../../migrations");
}
