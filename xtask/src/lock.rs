//! `Cargo.lock`, read.

use anyhow::Context as _;
use cargo_metadata::semver::Version;
use toml_edit::{DocumentMut, Item, Table};

/// One entry of the lock file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Locked {
    pub(crate) name: String,
    pub(crate) version: Version,
    /// Where cargo gets it from; `None` for a crate that lies on this disk.
    pub(crate) source: Option<String>,
    /// The SHA-256 of the file that the registry gives, in hexadecimal digits.
    pub(crate) checksum: Option<String>,
}

/// The entries in the order of the file.
pub(crate) fn parse(text: &str) -> anyhow::Result<Vec<Locked>> {
    let document: DocumentMut = text.parse().context("Cargo.lock is not TOML")?;
    let packages = document
        .get("package")
        .and_then(Item::as_array_of_tables)
        .context("Cargo.lock has no packages")?;
    packages.iter().map(locked).collect()
}

fn locked(entry: &Table) -> anyhow::Result<Locked> {
    let text = |key| entry.get(key).and_then(Item::as_str).map(str::to_owned);
    let name = text("name").context("Cargo.lock: a package without a name")?;
    let version = text("version").with_context(|| format!("Cargo.lock: {name} has no version"))?;
    Ok(Locked {
        version: version
            .parse()
            .with_context(|| format!("Cargo.lock: {name} has the version {version}"))?,
        source: text("source"),
        checksum: text("checksum"),
        name,
    })
}

#[cfg(test)]
mod tests {
    use super::parse;

    const LOCK: &str = r#"
version = 4

[[package]]
name = "bytes"
version = "1.12.2"
source = "registry+https://github.com/rust-lang/crates.io-index"
checksum = "00ff"

[[package]]
name = "sealroom-domain"
version = "0.1.0"
dependencies = [
 "bytes",
]
"#;

    #[test]
    fn entries_are_read_with_source_and_checksum() {
        let packages = parse(LOCK).unwrap();
        assert_eq!(packages.len(), 2);
        assert_eq!(
            (packages[0].name.as_str(), packages[0].version.to_string()),
            ("bytes", "1.12.2".to_owned())
        );
        assert_eq!(packages[0].checksum.as_deref(), Some("00ff"));
        assert_eq!(packages[1].source, None);
    }

    #[test]
    fn a_file_that_is_none_is_an_error() {
        for text in [
            "",
            "package = 1",
            "[[package]]\nname = \"a\"",
            "[[package]]\nname = \"a\"\nversion = \"x\"",
            "[[",
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }
}
