//! PostgreSQL for tests and development: a throw-away server from installed binaries and, with the feature
//! `database`, an empty database for each test.

mod account;
pub mod apt;
mod binaries;
mod cluster;
#[cfg(feature = "database")]
mod database;
mod guard;
pub mod process;
mod signals;

pub use binaries::{Binaries, need_binaries};
pub use cluster::{Cluster, ClusterOptions};
#[cfg(feature = "database")]
pub use database::TestDatabase;

/// The environment variable that names the server in which tests make their databases.
pub const TEST_URL_VARIABLE: &str = "SEALROOM_TEST_POSTGRES_URL";
