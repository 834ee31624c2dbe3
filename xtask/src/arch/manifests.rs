//! What every manifest has to say: the workspace decides, and says why it depends on what.

use anyhow::Context as _;
use toml_edit::{DocumentMut, Item, Key, TableLike};

/// The keys of `[package]` that the workspace decides for every crate.
const INHERITED: &[&str] = &["edition", "rust-version", "license"];
const DEPENDENCY_TABLES: &[&str] = &["dependencies", "dev-dependencies", "build-dependencies"];

/// Violations in the workspace's manifest.
pub(crate) fn check_root(manifest: &str) -> anyhow::Result<Vec<String>> {
    let document = parse("Cargo.toml", manifest)?;
    let mut violations = Vec::new();
    if lookup(&document, &["workspace", "lints", "rust", "unsafe_code"]).and_then(Item::as_str)
        != Some("forbid")
    {
        violations.push("Cargo.toml: [workspace.lints.rust] must have unsafe_code = \"forbid\"".to_owned());
    }
    let dependencies = lookup(&document, &["workspace", "dependencies"]).and_then(Item::as_table_like);
    if let Some(dependencies) = dependencies {
        violations.extend(
            unexplained(dependencies)
                .into_iter()
                .map(|name| format!("Cargo.toml: no comment above {name} or its group says why it is there")),
        );
    }
    Ok(violations)
}

/// Violations in the manifest of a crate.
pub(crate) fn check_member(package: &str, manifest: &str) -> anyhow::Result<Vec<String>> {
    let document = parse(package, manifest)?;
    let mut violations = Vec::new();
    if !inherits(lookup(&document, &["lints"])) {
        violations.push(format!("{package}: must have [lints] workspace = true"));
    }
    for key in INHERITED {
        if !inherits(lookup(&document, &["package", key])) {
            violations.push(format!("{package}: must have {key}.workspace = true"));
        }
    }
    for table in DEPENDENCY_TABLES {
        let Some(dependencies) = document.get(table).and_then(Item::as_table_like) else {
            continue;
        };
        for (name, item) in dependencies.iter() {
            if !inherits(Some(item)) {
                violations.push(format!(
                    "{package}: {name} must come from [workspace.dependencies], where a comment says why"
                ));
            }
        }
    }
    Ok(violations)
}

/// The third-party entries without a comment above them or above the first of their group. A group is a run of
/// lines without an empty one.
fn unexplained(dependencies: &dyn TableLike) -> Vec<String> {
    let mut explained = false;
    let mut found = Vec::new();
    for (name, item) in dependencies.iter() {
        let above = dependencies.key(name).map(above).unwrap_or_default();
        if above.contains('#') {
            explained = true;
        } else if above.contains('\n') {
            explained = false;
        }
        let third_party = item
            .as_table_like()
            .is_none_or(|table| !table.contains_key("path"));
        if third_party && !explained {
            found.push(name.to_owned());
        }
    }
    found
}

/// The comments and empty lines above a key.
fn above(key: &Key) -> &str {
    key.leaf_decor()
        .prefix()
        .and_then(|prefix| prefix.as_str())
        .unwrap_or_default()
}

/// Whether an entry is `workspace = true`.
fn inherits(item: Option<&Item>) -> bool {
    item.and_then(|item| item.get("workspace"))
        .and_then(Item::as_bool)
        == Some(true)
}

fn lookup<'a>(document: &'a DocumentMut, path: &[&str]) -> Option<&'a Item> {
    path.iter()
        .try_fold(document.as_item(), |item, key| item.get(key))
}

fn parse(name: &str, manifest: &str) -> anyhow::Result<DocumentMut> {
    manifest
        .parse()
        .with_context(|| format!("{name}: the manifest is not TOML"))
}

#[cfg(test)]
mod tests {
    use super::{check_member, check_root};

    const ROOT: &str = r#"
[workspace.dependencies]
own = { path = "crates/own" }

# Why this one.
first = "1"
second = { version = "1", features = [
    "a",
] }

# A group.
third = "1"

[workspace.lints.rust]
unsafe_code = "forbid"
"#;

    const MEMBER: &str = r#"
[package]
name = "own"
edition.workspace = true
rust-version.workspace = true
license.workspace = true

[dependencies]
first.workspace = true
second = { workspace = true, features = ["b"] }

[lints]
workspace = true
"#;

    #[test]
    fn good_manifests_pass() {
        assert_eq!(check_root(ROOT).unwrap(), Vec::<String>::new());
        assert_eq!(check_member("own", MEMBER).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn a_dependency_without_a_reason_is_found() {
        let bare = ROOT.replace("# A group.\n", "");
        assert_eq!(
            check_root(&bare).unwrap(),
            ["Cargo.toml: no comment above third or its group says why it is there"]
        );
    }

    #[test]
    fn unsafe_code_must_be_forbidden() {
        for weaker in [
            ROOT.replace("forbid", "deny"),
            ROOT.replace("unsafe_code", "unused"),
        ] {
            assert_eq!(check_root(&weaker).unwrap().len(), 1);
        }
    }

    #[test]
    fn a_crate_must_inherit() {
        let broken = [
            (MEMBER.replace("[lints]\nworkspace = true", ""), "[lints]"),
            (
                MEMBER.replace("edition.workspace = true", "edition = \"2021\""),
                "edition",
            ),
            (
                MEMBER.replace("rust-version.workspace = true", ""),
                "rust-version",
            ),
            (
                MEMBER.replace("license.workspace = true", "license = \"MIT\""),
                "license",
            ),
            (
                MEMBER.replace("first.workspace = true", "first = \"1\""),
                "[workspace.dependencies]",
            ),
        ];
        for (manifest, word) in broken {
            let found = check_member("own", &manifest).unwrap();
            assert_eq!(found.len(), 1, "{manifest}");
            assert!(found[0].contains(word), "{found:?}");
        }
    }
}
