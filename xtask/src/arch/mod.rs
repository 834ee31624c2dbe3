//! `cargo xtask arch`: proves the shape of the workspace.

mod arrows;
mod lengths;
mod manifests;
mod rules;

use anyhow::{Context as _, bail};
use cargo_metadata::Metadata;

use arrows::Graph;

/// Prints one line for each violation; an error where there is any.
pub(crate) fn run(metadata: &Metadata) -> anyhow::Result<()> {
    let root = metadata.workspace_root.as_std_path();
    let mut members = Vec::new();
    let mut violations = arrows::check(&Graph::from(metadata), rules::RULES);
    violations.extend(manifests::check_root(&read(&root.join("Cargo.toml"))?)?);
    for package in metadata.workspace_packages() {
        let path = package.manifest_path.as_std_path();
        violations.extend(manifests::check_member(&package.name, &read(path)?)?);
        members.extend(path.parent());
    }
    let files = lengths::measure(root, &members)?;
    for warning in lengths::warnings(&files) {
        println!("warning: {warning}");
    }
    violations.extend(lengths::violations(&files));

    for violation in &violations {
        eprintln!("arch: {violation}");
    }
    if !violations.is_empty() {
        bail!("{} violations of the architecture", violations.len());
    }
    println!(
        "arch: {} crates and {} files follow the rules",
        metadata.workspace_packages().len(),
        files.len()
    );
    Ok(())
}

fn read(path: &std::path::Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}
