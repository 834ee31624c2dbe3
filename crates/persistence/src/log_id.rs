//! Names of logs.

use std::{
    fmt::Write as _,
    sync::{PoisonError, RwLock},
};

use sealroom_domain::LogId;

/// A new name for a log: 128 random bits from the operating system, in hexadecimal.
pub fn new_log_id() -> std::io::Result<LogId> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
    let mut name = String::with_capacity(32);
    for byte in bytes {
        write!(name, "{byte:02x}").map_err(std::io::Error::other)?;
    }
    LogId::new(name).map_err(std::io::Error::other)
}

/// The name of an open store's log.
#[derive(Debug)]
pub(crate) struct LogName(RwLock<LogId>);

impl LogName {
    pub(crate) fn new(log_id: LogId) -> Self {
        Self(RwLock::new(log_id))
    }

    pub(crate) fn get(&self) -> LogId {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set(&self, log_id: LogId) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = log_id;
    }
}

/// In front of the name of a log that is being copied.
#[cfg(feature = "postgres")]
const COPYING: &str = "copying-";

/// The name in the target of a copy that is not finished.
#[cfg(all(feature = "sqlite", feature = "postgres"))]
pub(crate) fn copying(log_id: &LogId) -> String {
    format!("{COPYING}{log_id}")
}

/// Whether a copy was begun and not finished.
#[cfg(feature = "postgres")]
pub(crate) fn is_copying(name: &str) -> bool {
    name.starts_with(COPYING)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_are_the_same() {
        let first = new_log_id().unwrap();
        assert_eq!(first.as_str().len(), 32);
        assert_ne!(first, new_log_id().unwrap());
    }
}
