//! `cargo xtask sbom`: what the server binary is made of, as a bill of materials (CycloneDX 1.6, JSON).
//!
//! Written here and not by cargo-cyclonedx: that one reads `cargo metadata`, which names crates of features that are
//! off, among them ring and quinn. A list that has more than the binary sends people after holes that are not in it.

mod document;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context as _;
use cargo_metadata::Metadata;
use clap::Args;
use jiff::Timestamp;

use crate::{lock, process, tree::Tree};
use document::Bill;

/// The server, with its default features.
const PACKAGE: &str = "sealroom-server";
/// What is set where builds are to be had again: seconds after 1970.
const EPOCH_VARIABLE: &str = "SOURCE_DATE_EPOCH";

/// Which bill is written, and where.
#[derive(Debug, Args)]
pub(crate) struct Sbom {
    /// The file; `sealroom.cdx.json` in the target directory by default.
    #[arg(long)]
    output: Option<PathBuf>,
    /// The system that the binary is for (`x86_64-unknown-linux-musl`); this one by default.
    #[arg(long)]
    target: Option<String>,
}

impl Sbom {
    /// Writes the file. The same sources and the same target give the same bytes, and `SOURCE_DATE_EPOCH` a time.
    pub(crate) fn run(&self, metadata: &Metadata) -> anyhow::Result<()> {
        let target = match &self.target {
            Some(target) => target.clone(),
            None => host()?,
        };
        let bill = read(metadata, target, time()?)?;
        let output = match &self.output {
            Some(output) => output.clone(),
            None => metadata.target_directory.join("sealroom.cdx.json").into(),
        };
        let text = format!("{:#}\n", document::document(&bill)?);
        write(&output, &text).with_context(|| format!("cannot write {}", output.display()))?;
        println!(
            "sbom: {} crates, {} of them in the binary, for {}: {}",
            bill.all.0.len(),
            bill.linked.0.len(),
            bill.target,
            output.display()
        );
        Ok(())
    }
}

/// What cargo and the lock file tell.
fn read(metadata: &Metadata, target: String, time: Option<Timestamp>) -> anyhow::Result<Bill> {
    let tree = |edges: &str| {
        let arguments = ["--package", PACKAGE, "--edges", edges, "--target", &target];
        Tree::read(metadata, &arguments)
    };
    let path = metadata.workspace_root.join("Cargo.lock");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    Ok(Bill {
        package: PACKAGE,
        all: tree("normal,build")?,
        linked: tree("normal,no-proc-macro")?,
        locked: lock::parse(&text)?,
        target,
        time,
    })
}

fn write(output: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = output.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(output, text)
}

/// The system that this compiler compiles for.
fn host() -> anyhow::Result<String> {
    let version = process::output(Command::new("rustc").arg("-vV")).context("rustc does not answer")?;
    version
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .map(str::to_owned)
        .context("rustc does not name its host")
}

/// The time of the bill, where one is given.
fn time() -> anyhow::Result<Option<Timestamp>> {
    let Some(seconds) = std::env::var_os(EPOCH_VARIABLE) else {
        return Ok(None);
    };
    let time = seconds
        .to_str()
        .and_then(|seconds| seconds.parse().ok())
        .and_then(|seconds| Timestamp::from_second(seconds).ok());
    let time =
        time.with_context(|| format!("{EPOCH_VARIABLE} is no number of seconds: {}", seconds.display()))?;
    Ok(Some(time))
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, path::Path};

    use super::{document::document, host, read};

    /// The server of this repository, as it is now.
    #[test]
    fn the_server_is_made_of_what_is_compiled_and_of_nothing_else() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let metadata = crate::metadata(root.to_path_buf()).unwrap();
        let bill = read(&metadata, host().unwrap(), None).unwrap();
        let document = document(&bill).unwrap();
        let of_scope = |scope: &str| -> BTreeSet<&str> {
            let components = document["components"].as_array().unwrap();
            let components = components.iter().filter(|it| it["scope"] == scope);
            components.map(|it| it["name"].as_str().unwrap()).collect()
        };
        let (linked, built_with) = (of_scope("required"), of_scope("excluded"));
        for name in ["sealroom-engine", "socketioxide", "aws-lc-sys", "libsqlite3-sys"] {
            assert!(linked.contains(name), "{name}");
        }
        for name in ["cc", "serde_derive"] {
            assert!(built_with.contains(name) && !linked.contains(name), "{name}");
        }
        // In the lock file, and not in the server: features that are off, tests, this program.
        for name in [
            "ring",
            "quinn",
            "proptest",
            "sealroom-testkit",
            "xtask",
            "sealroom-server",
        ] {
            assert!(!linked.contains(name) && !built_with.contains(name), "{name}");
        }
    }
}
