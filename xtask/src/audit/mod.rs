//! `cargo xtask audit`: whether what Sealroom depends on is safe to use, as far as that can be known.
//!
//! `deny.toml` says what is refused. The lowest safe versions, the banned crates and features and the sources are
//! checked here, at once and without a network, so that `cargo xtask check` does it too. cargo-deny checks the same
//! file for every system that is supported, and licences and advisories besides.

mod cargo_deny;
mod offline;
mod policy;

use anyhow::{Context as _, bail};
use cargo_metadata::Metadata;
use clap::Args;

use crate::{lock, tree::Tree};
use policy::Policy;

/// How much is checked.
#[derive(Debug, Args)]
pub(crate) struct Audit {
    /// Only what takes neither a network nor cargo-deny.
    #[arg(long, conflicts_with = "require_advisories")]
    offline: bool,
    /// Fails where the advisory database cannot be fetched; otherwise that is a warning.
    #[arg(long)]
    require_advisories: bool,
}

impl Audit {
    /// Says what is wrong; an error where anything is.
    pub(crate) fn run(&self, metadata: &Metadata) -> anyhow::Result<()> {
        offline(metadata)?;
        if self.offline {
            return Ok(());
        }
        cargo_deny::need()?;
        let rest = cargo_deny::check(metadata);
        // Both, so that one run tells all.
        cargo_deny::check_advisories(metadata, self.require_advisories)?;
        rest
    }
}

/// What the lock file and the crate graph tell, in well under a second.
pub(crate) fn offline(metadata: &Metadata) -> anyhow::Result<()> {
    let read = |name: &str| {
        let path = metadata.workspace_root.join(name);
        std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))
    };
    let policy = Policy::parse(&read("deny.toml")?)?;
    let packages = lock::parse(&read("Cargo.lock")?)?;
    let members = metadata.workspace_packages();
    let members: Vec<&str> = members.iter().map(|member| member.name.as_str()).collect();
    let tree = Tree::read(metadata, &["--workspace", "--edges", "normal,build,dev"])?;

    let mut violations = offline::check_lock(&policy, &packages, &members);
    violations.extend(offline::check_tree(&policy, &tree));
    for violation in &violations {
        eprintln!("audit: {violation}");
    }
    if !violations.is_empty() {
        bail!("{} of the dependencies are refused", violations.len());
    }
    println!(
        "audit: {} packages of the lock file and {} compiled crates keep {} lowest versions, {} bans and {} features off",
        packages.len(),
        tree.0.len(),
        policy.lowest.len(),
        policy.banned.len(),
        policy
            .features
            .iter()
            .map(|rule| rule.features.len())
            .sum::<usize>(),
    );
    Ok(())
}
