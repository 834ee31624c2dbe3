//! As whom the server runs: PostgreSQL refuses to run as root.

use std::{
    os::unix::{fs::chown, process::CommandExt as _},
    path::Path,
    process::Command,
};

use anyhow::{Context as _, bail};

use crate::process;

/// Accounts that the server may run under when this program runs as root, the preferred one first.
const UNPRIVILEGED: &[&str] = &["postgres", "nobody"];

/// The account of the server and of its files.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Account {
    /// The one that this program runs under.
    Own,
    /// Another one, given up to by root.
    Other { user: u32, group: u32 },
}

impl Account {
    /// This program's own account, or as root an unprivileged one.
    pub(crate) fn choose() -> anyhow::Result<Self> {
        if !is_root() {
            return Ok(Self::Own);
        }
        for name in UNPRIVILEGED {
            if let (Some(user), Some(group)) = (id("-u", Some(name)), id("-g", Some(name))) {
                return Ok(Self::Other { user, group });
            }
        }
        bail!("PostgreSQL does not run as root, and there is neither a user postgres nor a user nobody")
    }

    /// Lets the command run under this account, without the groups of this program.
    pub(crate) fn apply(self, command: &mut Command) -> &mut Command {
        match self {
            Self::Own => command,
            // std gives up the supplementary groups as well when root sets a user.
            Self::Other { user, group } => command.uid(user).gid(group),
        }
    }

    /// Gives the file or directory itself to this account.
    pub(crate) fn own(self, path: &Path) -> anyhow::Result<()> {
        let Self::Other { user, group } = self else {
            return Ok(());
        };
        chown(path, Some(user), Some(group))
            .with_context(|| format!("cannot give {} to the user {user}", path.display()))
    }
}

pub(crate) fn is_root() -> bool {
    id("-u", None) == Some(0)
}

/// What `id` says about `user`, or about this process.
fn id(what: &str, user: Option<&str>) -> Option<u32> {
    process::output(Command::new("id").arg(what).args(user))?
        .parse()
        .ok()
}
