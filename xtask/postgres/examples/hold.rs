//! Holds a server until it is killed: a test looks at what is left of it then.

#![expect(clippy::print_stdout, reason = "the test reads the port")]

use std::{thread, time::Duration};

use xtask_postgres::{Cluster, ClusterOptions};

fn main() -> anyhow::Result<()> {
    let cluster = Cluster::start(&ClusterOptions::default())?;
    println!("port {}", cluster.port());
    thread::sleep(Duration::from_mins(10));
    Ok(())
}
