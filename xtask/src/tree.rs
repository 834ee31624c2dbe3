//! What cargo compiles, by `cargo tree`.
//!
//! Neither the lock file nor `cargo metadata` tells that: both also have crates of features that are off (reqwest's
//! HTTP/3 with quinn and ring, for one). `cargo tree` resolves features as a build does, and asks no network for what a
//! build has fetched.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    process::Stdio,
};

use anyhow::{Context as _, bail};
use cargo_metadata::{Metadata, semver::Version};

use crate::process;

/// Between the columns of a line. No name, version, licence or feature has one.
const COLUMNS: &str = ";{p};{l};{f}";
/// What cargo appends where it has printed a crate's own dependencies above.
const AGAIN: &str = " (*)";

/// A crate by name and version, which is enough where everything comes from one registry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Id {
    pub(crate) name: String,
    pub(crate) version: Version,
}

impl fmt::Display for Id {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}@{}", self.name, self.version)
    }
}

/// What is known of one crate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Node {
    /// As its manifest says it.
    pub(crate) licence: Option<String>,
    /// Those that are on; a crate that is built twice has those of both.
    pub(crate) features: BTreeSet<String>,
    /// What it depends on itself.
    pub(crate) needs: BTreeSet<Id>,
}

/// Crates and what they depend on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tree(pub(crate) BTreeMap<Id, Node>);

impl Tree {
    /// What `cargo tree` with these arguments prints.
    pub(crate) fn read(metadata: &Metadata, arguments: &[&str]) -> anyhow::Result<Self> {
        let mut cargo = process::cargo();
        cargo.current_dir(&metadata.workspace_root);
        cargo.args(["tree", "--locked", "--color", "never"]);
        cargo.args(["--prefix", "depth", "--format", COLUMNS]);
        let output = cargo
            .args(arguments)
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .context("cannot start cargo")?;
        if !output.status.success() {
            bail!("cargo tree {} failed ({})", arguments.join(" "), output.status);
        }
        Self::parse(&String::from_utf8(output.stdout).context("cargo tree prints no UTF-8")?)
    }

    /// From the lines of `cargo tree`, which begin with how deep they are.
    pub(crate) fn parse(lines: &str) -> anyhow::Result<Self> {
        let mut tree = Self::default();
        let mut above: Vec<Id> = Vec::new();
        // With several roots there are empty lines between them.
        for line in lines.lines().filter(|line| !line.is_empty()) {
            let (depth, id, node) = columns(line).with_context(|| format!("cargo tree prints {line:?}"))?;
            above.truncate(depth);
            if above.len() != depth {
                bail!("cargo tree prints {line:?} under nothing");
            }
            if let Some(parent) = above.last() {
                tree.node(parent).needs.insert(id.clone());
            }
            let known = tree.node(&id);
            known.licence = node.licence;
            known.features.extend(node.features);
            above.push(id);
        }
        if tree.0.is_empty() {
            bail!("cargo tree prints nothing");
        }
        Ok(tree)
    }

    fn node(&mut self, id: &Id) -> &mut Node {
        self.0.entry(id.clone()).or_default()
    }
}

/// Depth, crate, and what the line says of it: `2;serde v1.0.229 (proc-macro);MIT OR Apache-2.0;default,std (*)`.
fn columns(line: &str) -> Option<(usize, Id, Node)> {
    let line = line.strip_suffix(AGAIN).unwrap_or(line);
    let (depth, rest) = line.split_once(';')?;
    // From the right: a crate on this disk is printed with its path, which may hold anything.
    let mut columns = rest.rsplitn(3, ';');
    let (features, licence, package) = (columns.next()?, columns.next()?, columns.next()?);
    let mut words = package.split(' ');
    let (name, version) = (words.next()?, words.next()?.strip_prefix('v')?);
    let id = Id {
        name: name.to_owned(),
        version: version.parse().ok()?,
    };
    let node = Node {
        licence: Some(licence.to_owned()).filter(|licence| !licence.is_empty()),
        features: features
            .split(',')
            .filter(|feature| !feature.is_empty())
            .map(str::to_owned)
            .collect(),
        needs: BTreeSet::new(),
    };
    Some((depth.parse().ok()?, id, node))
}

#[cfg(test)]
mod tests {
    use super::Tree;

    const LINES: &str = "\
0;sealroom-server v0.1.0 (/a;b/crates/server);MIT OR Apache-2.0;default,sqlite
1;serde v1.0.229;MIT OR Apache-2.0;default,std
2;serde_derive v1.0.229 (proc-macro);MIT OR Apache-2.0;default
1;ring v0.17.14;Apache-2.0 AND ISC;
1;toml v0.9.12+spec-1.1.0;;
2;serde v1.0.229;MIT OR Apache-2.0;derive,std (*)

0;xtask v0.1.0 (/a;b/xtask);MIT OR Apache-2.0;
1;serde v1.0.229;MIT OR Apache-2.0;default,std (*)
";

    fn needs(tree: &Tree, name: &str) -> Vec<String> {
        let (_, node) = tree.0.iter().find(|(id, _)| id.name == name).unwrap();
        node.needs.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn lines_become_a_graph() {
        let tree = Tree::parse(LINES).unwrap();
        let crates: Vec<_> = tree.0.keys().map(ToString::to_string).collect();
        assert_eq!(
            crates,
            [
                "ring@0.17.14",
                "sealroom-server@0.1.0",
                "serde@1.0.229",
                "serde_derive@1.0.229",
                "toml@0.9.12+spec-1.1.0",
                "xtask@0.1.0"
            ]
        );
        assert_eq!(
            needs(&tree, "sealroom-server"),
            ["ring@0.17.14", "serde@1.0.229", "toml@0.9.12+spec-1.1.0"]
        );
        assert_eq!(needs(&tree, "serde"), ["serde_derive@1.0.229"]);
        assert_eq!(needs(&tree, "xtask"), ["serde@1.0.229"]);
        assert!(needs(&tree, "ring").is_empty());
    }

    #[test]
    fn a_crate_that_is_built_twice_has_the_features_of_both() {
        let tree = Tree::parse(LINES).unwrap();
        let (_, serde) = tree.0.iter().find(|(id, _)| id.name == "serde").unwrap();
        assert_eq!(Vec::from_iter(&serde.features), ["default", "derive", "std"]);
        let (_, toml) = tree.0.iter().find(|(id, _)| id.name == "toml").unwrap();
        assert_eq!((toml.licence.as_deref(), toml.features.len()), (None, 0));
    }

    #[test]
    fn what_is_no_tree_is_an_error() {
        for lines in ["", "\n", "error", "1;a v1.0.0;MIT;", "0;a v1;MIT;", "0;a v1.0.0"] {
            assert!(Tree::parse(lines).is_err(), "{lines:?}");
        }
    }
}
