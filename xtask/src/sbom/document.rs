//! The bill of materials as CycloneDX JSON.

use anyhow::Context as _;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::{
    lock::Locked,
    tree::{Id, Node, Tree},
};

const SPECIFICATION: &str = "1.6";

/// What a bill is made from.
#[derive(Debug)]
pub(crate) struct Bill {
    /// The package whose binary it describes.
    pub(crate) package: &'static str,
    /// What it is built with: normal and build dependencies.
    pub(crate) all: Tree,
    /// Of these, what is linked into it: no build script, no procedural macro, and nothing that only they need.
    pub(crate) linked: Tree,
    /// The lock file.
    pub(crate) locked: Vec<Locked>,
    /// The system that it is for.
    pub(crate) target: String,
    /// When it was made; nothing else of it differs between two runs.
    pub(crate) time: Option<Timestamp>,
}

/// The document, without a serial number, which would be another one each time.
pub(crate) fn document(bill: &Bill) -> anyhow::Result<Value> {
    let (server, node) = (bill.all.0.iter())
        .find(|(id, _)| id.name == bill.package)
        .with_context(|| format!("no {} among the crates", bill.package))?;
    let mut components = Vec::new();
    let mut dependencies = Vec::new();
    for (id, node) in &bill.all.0 {
        let depends_on = node.needs.iter().map(|needed| reference(bill, needed));
        dependencies.push(json!({
            "ref": reference(bill, id)?,
            "dependsOn": depends_on.collect::<anyhow::Result<Vec<_>>>()?,
        }));
        if id != server {
            components.push(library(bill, id, node)?);
        }
    }
    let mut metadata = Map::new();
    if let Some(time) = bill.time {
        metadata.insert("timestamp".to_owned(), json!(time.to_string()));
    }
    metadata.insert(
        "tools".to_owned(),
        json!({ "components": [
        { "type": "application", "name": "cargo xtask sbom", "version": env!("CARGO_PKG_VERSION") },
    ] }),
    );
    let mut application = component(bill, "application", server, node)?;
    let features: Vec<&str> = node.features.iter().map(String::as_str).collect();
    application.insert(
        "properties".to_owned(),
        json!([
            { "name": "sealroom:target", "value": bill.target },
            { "name": "sealroom:features", "value": features.join(",") },
        ]),
    );
    metadata.insert("component".to_owned(), application.into());
    Ok(json!({
        "$schema": format!("http://cyclonedx.org/schema/bom-{SPECIFICATION}.schema.json"),
        "bomFormat": "CycloneDX",
        "specVersion": SPECIFICATION,
        "version": 1,
        "metadata": metadata,
        "components": components,
        "dependencies": dependencies,
    }))
}

fn library(bill: &Bill, id: &Id, node: &Node) -> anyhow::Result<Value> {
    let mut library = component(bill, "library", id, node)?;
    // In CycloneDX, what only a build needs is excluded from the run time, and still in the list.
    let scope = if bill.linked.0.contains_key(id) {
        "required"
    } else {
        "excluded"
    };
    library.insert("scope".to_owned(), json!(scope));
    Ok(library.into())
}

fn component(bill: &Bill, kind: &str, id: &Id, node: &Node) -> anyhow::Result<Map<String, Value>> {
    let locked = locked(bill, id)?;
    let mut component = Map::new();
    let mut put = |key: &str, value: Value| component.insert(key.to_owned(), value);
    put("type", json!(kind));
    put("bom-ref", json!(reference(bill, id)?));
    put("name", json!(id.name));
    put("version", json!(id.version.to_string()));
    if let Some(checksum) = &locked.checksum {
        put("hashes", json!([{ "alg": "SHA-256", "content": checksum }]));
    }
    if let Some(licence) = &node.licence {
        put("licenses", json!([{ "expression": expression(licence) }]));
    }
    if locked.source.is_some() {
        put("purl", json!(purl(id)));
    }
    Ok(component)
}

/// The name of a crate within the document: its package URL, but for those of this workspace. These are in no registry,
/// and a package URL would claim that they are.
fn reference(bill: &Bill, id: &Id) -> anyhow::Result<String> {
    Ok(match locked(bill, id)?.source {
        Some(_) => purl(id),
        None => id.to_string(),
    })
}

fn locked<'a>(bill: &'a Bill, id: &Id) -> anyhow::Result<&'a Locked> {
    let is_it = |locked: &&Locked| locked.name == id.name && locked.version == id.version;
    let found = bill.locked.iter().find(is_it);
    found.with_context(|| format!("{id} is not in Cargo.lock"))
}

/// Of a version's characters, only the plus of build metadata has to be escaped.
fn purl(id: &Id) -> String {
    format!("pkg:cargo/{id}").replace('+', "%2B")
}

/// Older manifests write `MIT/Apache-2.0`, which is no SPDX expression.
fn expression(licence: &str) -> String {
    let parts: Vec<&str> = licence.split('/').map(str::trim).collect();
    parts.join(" OR ")
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;

    use super::{Bill, document, expression};
    use crate::{lock, tree::Tree};

    const ALL: &str = "\
0;app v0.1.0 (/somewhere);MIT OR Apache-2.0;default,sqlite
1;base v0.1.0 (/somewhere);MIT OR Apache-2.0;
2;derive v2.0.0 (proc-macro);MIT;
1;toml v0.9.12+spec-1.1.0;MIT/Apache-2.0;
";
    const LINKED: &str = "\
0;app v0.1.0 (/somewhere);MIT OR Apache-2.0;default,sqlite
1;base v0.1.0 (/somewhere);MIT OR Apache-2.0;
1;toml v0.9.12+spec-1.1.0;MIT/Apache-2.0;
";
    const LOCK: &str = r#"
[[package]]
name = "app"
version = "0.1.0"
[[package]]
name = "base"
version = "0.1.0"
[[package]]
name = "derive"
version = "2.0.0"
source = "registry+https://github.com/rust-lang/crates.io-index"
checksum = "aa"
[[package]]
name = "toml"
version = "0.9.12+spec-1.1.0"
source = "registry+https://github.com/rust-lang/crates.io-index"
checksum = "bb"
"#;

    fn bill(time: Option<i64>) -> Bill {
        Bill {
            package: "app",
            all: Tree::parse(ALL).unwrap(),
            linked: Tree::parse(LINKED).unwrap(),
            locked: lock::parse(LOCK).unwrap(),
            target: "x86_64-unknown-linux-gnu".to_owned(),
            time: time.map(|seconds| Timestamp::from_second(seconds).unwrap()),
        }
    }

    #[test]
    fn the_head_says_what_it_is_of() {
        let document = document(&bill(None)).unwrap();
        assert_eq!(document["bomFormat"], "CycloneDX");
        assert_eq!(document["specVersion"], "1.6");
        assert_eq!(document["version"], 1);
        assert_eq!(
            document["metadata"]["component"],
            json!({
                "type": "application",
                "bom-ref": "app@0.1.0",
                "name": "app",
                "version": "0.1.0",
                "licenses": [{ "expression": "MIT OR Apache-2.0" }],
                "properties": [
                    { "name": "sealroom:target", "value": "x86_64-unknown-linux-gnu" },
                    { "name": "sealroom:features", "value": "default,sqlite" },
                ],
            })
        );
    }

    #[test]
    fn components_have_what_identifies_them() {
        let document = document(&bill(None)).unwrap();
        assert_eq!(
            document["components"],
            json!([
                {
                    "type": "library",
                    "bom-ref": "base@0.1.0",
                    "name": "base",
                    "version": "0.1.0",
                    "licenses": [{ "expression": "MIT OR Apache-2.0" }],
                    "scope": "required",
                },
                {
                    "type": "library",
                    "bom-ref": "pkg:cargo/derive@2.0.0",
                    "name": "derive",
                    "version": "2.0.0",
                    "hashes": [{ "alg": "SHA-256", "content": "aa" }],
                    "licenses": [{ "expression": "MIT" }],
                    "purl": "pkg:cargo/derive@2.0.0",
                    "scope": "excluded",
                },
                {
                    "type": "library",
                    "bom-ref": "pkg:cargo/toml@0.9.12%2Bspec-1.1.0",
                    "name": "toml",
                    "version": "0.9.12+spec-1.1.0",
                    "hashes": [{ "alg": "SHA-256", "content": "bb" }],
                    "licenses": [{ "expression": "MIT OR Apache-2.0" }],
                    "purl": "pkg:cargo/toml@0.9.12%2Bspec-1.1.0",
                    "scope": "required",
                },
            ])
        );
    }

    #[test]
    fn the_graph_names_components() {
        let document = document(&bill(None)).unwrap();
        assert_eq!(
            document["dependencies"],
            json!([
                { "ref": "app@0.1.0", "dependsOn": ["base@0.1.0", "pkg:cargo/toml@0.9.12%2Bspec-1.1.0"] },
                { "ref": "base@0.1.0", "dependsOn": ["pkg:cargo/derive@2.0.0"] },
                { "ref": "pkg:cargo/derive@2.0.0", "dependsOn": [] },
                { "ref": "pkg:cargo/toml@0.9.12%2Bspec-1.1.0", "dependsOn": [] },
            ])
        );
    }

    #[test]
    fn only_a_given_time_is_in_it() {
        let without = document(&bill(None)).unwrap();
        assert_eq!(without, document(&bill(None)).unwrap());
        assert_eq!(without.get("serialNumber"), None);
        assert_eq!(without["metadata"].get("timestamp"), None);
        let mut with = document(&bill(Some(1_700_000_000))).unwrap();
        assert_eq!(with["metadata"]["timestamp"], "2023-11-14T22:13:20Z");
        with["metadata"].as_object_mut().unwrap().remove("timestamp");
        assert_eq!(with, without);
    }

    #[test]
    fn what_does_not_fit_together_is_an_error() {
        let mut unlocked = bill(None);
        unlocked.locked.retain(|locked| locked.name != "toml");
        let error = document(&unlocked).unwrap_err().to_string();
        assert_eq!(error, "toml@0.9.12+spec-1.1.0 is not in Cargo.lock");
        let mut other = bill(None);
        other.package = "nobody";
        assert!(document(&other).is_err());
    }

    #[test]
    fn licences_become_expressions() {
        for (licence, expected) in [
            ("MIT", "MIT"),
            ("MIT/Apache-2.0", "MIT OR Apache-2.0"),
            ("Apache-2.0 / MIT", "Apache-2.0 OR MIT"),
            (
                "(MIT OR Apache-2.0) AND Unicode-3.0",
                "(MIT OR Apache-2.0) AND Unicode-3.0",
            ),
        ] {
            assert_eq!(expression(licence), expected);
        }
    }
}
