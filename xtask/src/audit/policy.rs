//! `deny.toml` as far as the checks without cargo-deny read it: the file is the one place where it stands what is
//! refused.

use anyhow::{Context as _, bail};
use cargo_metadata::semver::Version;
use toml_edit::{Array, DocumentMut, Item, TableLike, Value};

/// What may not be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Policy {
    /// Crates that are refused below a version.
    pub(crate) lowest: Vec<Lowest>,
    /// Crates that are refused whatever their version.
    pub(crate) banned: Vec<Banned>,
    /// Features that are refused.
    pub(crate) features: Vec<BannedFeatures>,
    /// The indices of the registries that crates may come from.
    pub(crate) registries: Vec<String>,
}

/// A crate, and the lowest version of it that is safe to use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lowest {
    pub(crate) name: String,
    pub(crate) version: Version,
    pub(crate) reason: String,
}

/// A crate that must not be compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Banned {
    pub(crate) name: String,
    pub(crate) reason: String,
}

/// Features of a crate that must be off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BannedFeatures {
    pub(crate) name: String,
    pub(crate) features: Vec<String>,
}

impl Policy {
    /// From the text of `deny.toml`.
    ///
    /// # Errors
    ///
    /// Where an entry is not understood: what is not understood would not be checked.
    pub(crate) fn parse(text: &str) -> anyhow::Result<Self> {
        let document: DocumentMut = text.parse().context("deny.toml is not TOML")?;
        let list = |table: &str, key: &str| {
            document
                .get(table)
                .and_then(|table| table.get(key))
                .with_context(|| format!("deny.toml has no {key} in [{table}]"))
        };
        let mut policy = Self {
            lowest: Vec::new(),
            banned: Vec::new(),
            features: Vec::new(),
            registries: strings(list("sources", "allow-registry")?)?,
        };
        let denied = list("bans", "deny")?.as_array().into_iter().flatten();
        for (number, entry) in (1..).zip(denied) {
            policy
                .deny(entry)
                .with_context(|| format!("deny.toml: entry {number} of deny in [bans]"))?;
        }
        let features = list("bans", "features")?
            .as_array_of_tables()
            .context("deny.toml: [[bans.features]] is no list of tables")?;
        for entry in features {
            policy.features.push(BannedFeatures {
                name: text_of(entry, "crate").context("deny.toml: [[bans.features]] without a crate")?,
                features: strings(
                    entry
                        .get("deny")
                        .context("deny.toml: [[bans.features]] without deny")?,
                )?,
            });
        }
        Ok(policy)
    }

    /// One entry of `deny` in `[bans]`: `{ crate = "name", … }` or `{ crate = "name:<version", … }`.
    fn deny(&mut self, entry: &Value) -> anyhow::Result<()> {
        let table = entry
            .as_inline_table()
            .context("no table with crate and reason")?;
        let spec = text_of(table, "crate").context("no crate")?;
        let Some(reason) = text_of(table, "reason") else {
            bail!("no reason why {spec} is refused");
        };
        match spec.split_once(':') {
            None => self.banned.push(Banned { name: spec, reason }),
            Some((name, requirement)) => {
                let version = requirement
                    .strip_prefix('<')
                    .and_then(|version| version.parse().ok())
                    .with_context(|| format!("{spec} is not of the form `name:<1.2.3`"))?;
                self.lowest.push(Lowest {
                    name: name.to_owned(),
                    version,
                    reason,
                });
            }
        }
        Ok(())
    }
}

fn text_of(table: &dyn TableLike, key: &str) -> Option<String> {
    table.get(key).and_then(Item::as_str).map(str::to_owned)
}

fn strings(item: &Item) -> anyhow::Result<Vec<String>> {
    item.as_array()
        .into_iter()
        .flat_map(Array::iter)
        .map(|value| value.as_str().map(str::to_owned))
        .collect::<Option<Vec<_>>>()
        .filter(|strings| !strings.is_empty())
        .context("deny.toml: no list of strings, or an empty one")
}

#[cfg(test)]
mod tests {
    use super::Policy;

    /// A file with these entries in `deny`.
    fn with(deny: &str) -> String {
        format!(
            r#"
[sources]
allow-registry = ["https://registry.example/index"]
[bans]
deny = [{deny}]
[[bans.features]]
crate = "socketioxide"
deny = ["tracing", "v4"]
"#
        )
    }

    #[test]
    fn entries_are_lowest_versions_or_bans() {
        let policy = Policy::parse(&with(
            r#"{ crate = "rsa", reason = "timing" }, { crate = "h2:<0.4.16", reason = "memory" }"#,
        ))
        .unwrap();
        assert_eq!(
            (policy.banned[0].name.as_str(), policy.banned[0].reason.as_str()),
            ("rsa", "timing")
        );
        assert_eq!(policy.lowest[0].name, "h2");
        assert_eq!(policy.lowest[0].version.to_string(), "0.4.16");
        assert_eq!(policy.features[0].features, ["tracing", "v4"]);
        assert_eq!(policy.registries, ["https://registry.example/index"]);
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        for (deny, message) in [
            (r#""rsa""#, "no table with crate and reason"),
            (r#"{ crate = "rsa" }"#, "no reason why rsa is refused"),
            (r#"{ reason = "why" }"#, "no crate"),
            (r#"{ crate = "h2:<0.4", reason = "why" }"#, "not of the form"),
            (r#"{ crate = "h2:<=0.4.3", reason = "why" }"#, "not of the form"),
            (r#"{ crate = "h2:0.4.3", reason = "why" }"#, "not of the form"),
        ] {
            let error = format!("{:#}", Policy::parse(&with(deny)).unwrap_err());
            assert!(error.contains(message), "{deny}: {error}");
        }
        let complete = with("");
        for line in ["allow-registry", "deny = []", "crate = \"socketioxide\""] {
            let others: Vec<&str> = complete.lines().filter(|it| !it.starts_with(line)).collect();
            let without = others.join("\n");
            assert!(Policy::parse(&without).is_err(), "without {line}");
        }
    }
}
