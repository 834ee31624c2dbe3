//! The limits of the process: of open files, of which every connection is one, and of core dumps.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What the process needs besides its connections: the database and its readers, logs, the standard streams.
const RESERVED: usize = 500;

/// Raises the soft limit as far as these connections need it and the hard limit allows. Many systems begin with
/// 1 024, for the sake of old programs that use `select`.
pub(crate) fn raise(connections: Option<usize>) {
    let mut limit = getrlimit(Resource::Nofile);
    let Some(soft) = limit.current else {
        // Unlimited already.
        return;
    };
    let needed = connections.map_or(u64::MAX, |count| {
        u64::try_from(count.saturating_add(RESERVED)).unwrap_or(u64::MAX)
    });
    let possible = limit.maximum.unwrap_or(u64::MAX);
    let raised = needed.min(possible);
    if raised > soft {
        limit.current = Some(raised);
        // Where it fails the limit stays, and `most_connections` goes by it.
        let _ = setrlimit(Resource::Nofile, limit);
    }
}

/// A crash leaves no file of the memory behind: it would hold tokens, the secret and contents.
pub(crate) fn forbid_core_dumps() {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    // Lowering a limit is always allowed.
    let _ = setrlimit(Resource::Core, none);
}

/// The most connections: those that are wanted, at most the limit of open files less 500. At least one.
pub(crate) fn most_connections(wanted: Option<usize>) -> Option<usize> {
    let files = getrlimit(Resource::Nofile)
        .current
        .map(|files| usize::try_from(files).unwrap_or(usize::MAX));
    within(wanted, files)
}

fn within(wanted: Option<usize>, files: Option<usize>) -> Option<usize> {
    let possible = files.map(|files| files.saturating_sub(RESERVED).max(1));
    match (wanted, possible) {
        (Some(wanted), Some(possible)) => Some(wanted.min(possible)),
        (wanted, possible) => wanted.or(possible),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_for_the_rest() {
        assert_eq!(within(Some(50_000), Some(1024)), Some(524));
        assert_eq!(within(Some(50_000), Some(100_000)), Some(50_000));
        assert_eq!(within(Some(50_000), Some(300)), Some(1));
        assert_eq!(within(None, Some(1024)), Some(524));
        assert_eq!(within(Some(50_000), None), Some(50_000));
        assert_eq!(within(None, None), None);
    }
}
