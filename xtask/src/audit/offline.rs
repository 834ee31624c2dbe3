//! What the lock file and the crate graph tell by themselves, without a network and at once.

use crate::{
    audit::policy::Policy,
    lock::Locked,
    tree::{Id, Tree},
};

/// Violations in the lock file: versions that are not safe, and crates that come from elsewhere.
///
/// Every version counts that is in the file, also of a crate that is not compiled: it would be, once a feature is on.
pub(crate) fn check_lock(policy: &Policy, packages: &[Locked], members: &[&str]) -> Vec<String> {
    let mut violations = Vec::new();
    for package in packages {
        let Locked { name, version, .. } = package;
        for lowest in policy.lowest.iter().filter(|lowest| lowest.name == *name) {
            // By precedence, not by a requirement: to those, a pre-release is never below its release.
            if *version < lowest.version {
                violations.push(format!(
                    "{name} {version} is below {}: {}",
                    lowest.version, lowest.reason
                ));
            }
        }
        violations.extend(check_source(policy, package, members));
    }
    violations
}

fn check_source(policy: &Policy, package: &Locked, members: &[&str]) -> Option<String> {
    let Locked { name, version, .. } = package;
    let Some(source) = &package.source else {
        let violation = format!("{name} {version} comes from a path outside of the workspace");
        return Some(violation).filter(|_| !members.contains(&name.as_str()));
    };
    let registry = source
        .strip_prefix("registry+")
        .or_else(|| source.strip_prefix("sparse+"));
    let is_allowed = registry.is_some_and(|url| policy.registries.iter().any(|allowed| allowed == url));
    if !is_allowed {
        return Some(format!("{name} {version} comes from {source}"));
    }
    let violation = format!("{name} {version} has no checksum");
    Some(violation).filter(|_| package.checksum.is_none())
}

/// Violations in what is compiled: crates that must not be, and features that must be off.
pub(crate) fn check_tree(policy: &Policy, tree: &Tree) -> Vec<String> {
    let mut violations = Vec::new();
    for (id, node) in &tree.0 {
        for banned in policy.banned.iter().filter(|banned| banned.name == id.name) {
            violations.push(format!(
                "{id} is compiled, by {}: {}",
                users(tree, id),
                banned.reason
            ));
        }
        let rules = policy.features.iter().filter(|rule| rule.name == id.name);
        for feature in rules.flat_map(|rule| &rule.features) {
            if node.features.contains(feature) {
                violations.push(format!("{id} has the feature {feature}"));
            }
        }
    }
    violations
}

/// Who depends on a crate.
fn users(tree: &Tree, id: &Id) -> String {
    let users: Vec<String> = tree
        .0
        .iter()
        .filter(|(_, node)| node.needs.contains(id))
        .map(|(user, _)| user.to_string())
        .collect();
    users.join(", ")
}

#[cfg(test)]
mod tests {
    use super::{check_lock, check_tree};
    use crate::{audit::policy::Policy, lock, tree::Tree};

    const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

    /// The file that counts.
    fn policy() -> Policy {
        Policy::parse(include_str!("../../../deny.toml")).unwrap()
    }

    /// A lock file with one package; no source is a path.
    fn lock_of(name: &str, version: &str, source: &str) -> Vec<lock::Locked> {
        let source = match source {
            "" => String::new(),
            source => format!("source = \"{source}\"\nchecksum = \"00\"\n"),
        };
        lock::parse(&format!(
            "[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n{source}"
        ))
        .unwrap()
    }

    #[test]
    fn the_lock_file_of_this_repository_passes() {
        let packages = lock::parse(include_str!("../../../Cargo.lock")).unwrap();
        let members: Vec<&str> = packages
            .iter()
            .map(|package| package.name.as_str())
            .filter(|name| name.starts_with("sealroom-") || name.starts_with("xtask"))
            .collect();
        assert_eq!(check_lock(&policy(), &packages, &members), Vec::<String>::new());
    }

    #[test]
    fn versions_below_the_lowest_are_refused() {
        let refused = [
            ("socketioxide", "0.18.8"),
            ("socketioxide-core", "0.19.1"),
            ("socketioxide-parser-common", "0.17.2"),
            ("engineioxide", "0.17.8"),
            ("engineioxide-core", "0.2.2"),
            ("jsonwebtoken", "10.4.0"),
            ("diesel", "2.2.2"),
            ("diesel", "2.3.9"),
            ("diesel-async", "0.9.1"),
            ("tungstenite", "0.20.0"),
            ("bytes", "1.11.0"),
            ("tokio", "1.44.1"),
            ("rustls", "0.23.44"),
            ("rustls-webpki", "0.103.12"),
            ("h2", "0.4.3"),
            ("crossbeam-channel", "0.5.14"),
            // A pre-release comes before its release.
            ("bytes", "1.11.1-rc.1"),
        ];
        for (name, version) in refused {
            let violations = check_lock(&policy(), &lock_of(name, version, CRATES_IO), &[]);
            assert_eq!(violations.len(), 1, "{name} {version}: {violations:?}");
            assert!(violations[0].starts_with(&format!("{name} {version} is below ")));
        }
        for (name, version) in [("bytes", "1.11.1"), ("bytes", "2.0.0"), ("byte", "0.1.0")] {
            let violations = check_lock(&policy(), &lock_of(name, version, CRATES_IO), &[]);
            assert!(violations.is_empty(), "{name} {version}: {violations:?}");
        }
    }

    #[test]
    fn each_version_in_the_lock_file_counts() {
        let mut packages = lock_of("rustls", "0.23.46", CRATES_IO);
        packages.extend(lock_of("rustls", "0.21.12", CRATES_IO));
        let violations = check_lock(&policy(), &packages, &[]);
        assert_eq!(violations.len(), 1, "{violations:?}");
        assert!(violations[0].starts_with("rustls 0.21.12 is below 0.23.45: "));
    }

    #[test]
    fn crates_from_elsewhere_are_refused() {
        for source in [
            "git+https://example.org/a?rev=1#1",
            "registry+https://example.org/index",
            "sparse+https://example.org/index/",
        ] {
            let violations = check_lock(&policy(), &lock_of("a", "1.0.0", source), &["a"]);
            assert_eq!(violations, [format!("a 1.0.0 comes from {source}")]);
        }
        let path = lock_of("a", "1.0.0", "");
        assert!(check_lock(&policy(), &path, &["a"]).is_empty());
        assert_eq!(
            check_lock(&policy(), &path, &["b"]),
            ["a 1.0.0 comes from a path outside of the workspace"]
        );
        let mut without_checksum = lock_of("a", "1.0.0", CRATES_IO);
        without_checksum[0].checksum = None;
        assert_eq!(
            check_lock(&policy(), &without_checksum, &[]),
            ["a 1.0.0 has no checksum"]
        );
    }

    #[test]
    fn crates_that_must_not_be_compiled_are_named_with_who_wants_them() {
        for name in ["openssl", "openssl-sys", "native-tls", "rsa", "ring", "pq-sys"] {
            let tree = Tree::parse(&format!("0;app v1.0.0;MIT;\n1;{name} v0.9.0;MIT;\n")).unwrap();
            let violations = check_tree(&policy(), &tree);
            assert_eq!(violations.len(), 1, "{name}: {violations:?}");
            let begin = format!("{name}@0.9.0 is compiled, by app@1.0.0: ");
            assert!(violations[0].starts_with(&begin), "{violations:?}");
        }
    }

    #[test]
    fn features_that_must_be_off_are_refused() {
        for (name, feature) in [
            ("socketioxide", "tracing"),
            ("socketioxide", "msgpack"),
            ("socketioxide", "v4"),
            ("engineioxide", "tracing"),
            ("engineioxide", "v3"),
            ("jsonwebtoken", "rust_crypto"),
        ] {
            let tree = Tree::parse(&format!("0;{name} v99.0.0;MIT;default,{feature}\n")).unwrap();
            assert_eq!(
                check_tree(&policy(), &tree),
                [format!("{name}@99.0.0 has the feature {feature}")]
            );
        }
        let tree = Tree::parse("0;socketioxide v99.0.0;MIT;default,extensions\n").unwrap();
        assert!(check_tree(&policy(), &tree).is_empty());
    }
}
