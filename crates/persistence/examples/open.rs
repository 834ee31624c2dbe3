//! Opens a PostgreSQL database, which brings its schema up to date, and reads from it:
//! `cargo run -p sealroom-persistence --example open -- postgres://…`. What is wrong is told with its causes.

#![expect(
    clippy::print_stdout,
    reason = "a program for a person, and for a test of TLS"
)]

use sealroom_domain::ports::GroupLog;
use sealroom_persistence::{PostgresOptions, PostgresStore, PostgresUrl};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).ok_or("which database?")?;
    let store = PostgresStore::open(PostgresOptions::new(PostgresUrl::parse(&url)?)).await?;
    println!("log {}", store.log_id().await?);
    store.close().await?;
    Ok(())
}
