//! Who depends on whom, held against the table of `rules.rs`.

use cargo_metadata::{DependencyKind, Metadata};

use super::rules::{Rule, ThirdParty};

/// The workspace's packages and what their manifests ask for.
#[derive(Debug)]
pub(crate) struct Graph {
    pub(crate) packages: Vec<Package>,
}

#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) dependencies: Vec<Dependency>,
}

#[derive(Debug)]
pub(crate) struct Dependency {
    /// The package's own name, also where the manifest renames it.
    pub(crate) name: String,
    pub(crate) features: Vec<String>,
    /// Only for tests and examples.
    pub(crate) dev: bool,
}

impl From<&Metadata> for Graph {
    fn from(metadata: &Metadata) -> Self {
        let packages = metadata.workspace_packages().into_iter().map(|package| Package {
            name: package.name.to_string(),
            dependencies: package.dependencies.iter().map(Dependency::from).collect(),
        });
        Self {
            packages: packages.collect(),
        }
    }
}

impl From<&cargo_metadata::Dependency> for Dependency {
    fn from(dependency: &cargo_metadata::Dependency) -> Self {
        Self {
            name: dependency.name.clone(),
            features: dependency.features.clone(),
            dev: dependency.kind == DependencyKind::Development,
        }
    }
}

/// One line for each violation.
pub(crate) fn check(graph: &Graph, rules: &[Rule]) -> Vec<String> {
    let mut violations = Vec::new();
    for package in &graph.packages {
        let Some(rule) = rules.iter().find(|rule| rule.package == package.name) else {
            violations.push(format!("{} has no rule in xtask/src/arch/rules.rs", package.name));
            continue;
        };
        for dependency in &package.dependencies {
            let problem = if graph.packages.iter().any(|other| other.name == dependency.name) {
                check_arrow(rule, dependency)
            } else {
                check_third_party(rule, dependency)
            };
            violations.extend(problem);
        }
    }
    for rule in rules {
        if !graph.packages.iter().any(|package| package.name == rule.package) {
            violations.push(format!("{} has a rule but is not in the workspace", rule.package));
        }
    }
    violations
}

fn check_arrow(rule: &Rule, dependency: &Dependency) -> Option<String> {
    let name = dependency.name.as_str();
    if rule.arrows.contains(&name) {
        return None;
    }
    if rule.test_arrows.contains(&name) {
        let problem = format!("{} may use {name} as a dev-dependency only", rule.package);
        return (!dependency.dev).then_some(problem);
    }
    let allowed = match rule.arrows {
        [] => "no crate of the workspace".to_owned(),
        arrows => arrows.join(", "),
    };
    Some(format!(
        "{} must not depend on {name} (allowed: {allowed})",
        rule.package
    ))
}

fn check_third_party(rule: &Rule, dependency: &Dependency) -> Option<String> {
    if dependency.dev {
        return None;
    }
    let name = dependency.name.as_str();
    let never = match rule.third_party {
        ThirdParty::Only(allowed, _) if !allowed.contains(&name) => {
            let allowed = allowed.join(", ");
            return Some(format!(
                "{} must not use {name} (allowed: {allowed})",
                rule.package
            ));
        }
        ThirdParty::Only(_, never) | ThirdParty::AllBut(never) => never,
    };
    let pattern = never
        .iter()
        .copied()
        .flatten()
        .find(|pattern| matches(pattern, dependency))?;
    Some(format!("{} must not use {name} (rule: {pattern})", rule.package))
}

/// Whether a pattern as described in `rules.rs` names the dependency or a feature that it asks for.
fn matches(pattern: &str, dependency: &Dependency) -> bool {
    if let Some((package, feature)) = pattern.split_once('/') {
        return dependency.name == package && dependency.features.iter().any(|found| found == feature);
    }
    match pattern.strip_suffix('*') {
        Some(beginning) => dependency.name.starts_with(beginning),
        None => dependency.name == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::{super::rules::RULES, Dependency, Graph, Package, check};

    fn normal(name: &str) -> Dependency {
        Dependency {
            name: name.to_owned(),
            features: Vec::new(),
            dev: false,
        }
    }

    fn dev(name: &str) -> Dependency {
        Dependency {
            dev: true,
            ..normal(name)
        }
    }

    /// Every crate of the table without any dependency, then `package` with these.
    fn graph(package: &str, dependencies: Vec<Dependency>) -> Graph {
        let mut packages: Vec<Package> = RULES
            .iter()
            .map(|rule| Package {
                name: rule.package.to_owned(),
                dependencies: Vec::new(),
            })
            .collect();
        packages
            .iter_mut()
            .find(|found| found.name == package)
            .unwrap()
            .dependencies = dependencies;
        Graph { packages }
    }

    fn violations(package: &str, dependency: Dependency) -> Vec<String> {
        check(&graph(package, vec![dependency]), RULES)
    }

    #[test]
    fn what_the_table_allows_passes() {
        let allowed = [
            ("sealroom-engine", normal("sealroom-domain")),
            ("sealroom-http", normal("sealroom-engine")),
            ("sealroom-server", normal("sealroom-realtime")),
            ("sealroom-server", dev("sealroom-wire")),
            ("sealroom-auth", dev("sealroom-testkit")),
            ("sealroom-domain", normal("thiserror")),
            ("sealroom-persistence", normal("diesel-async")),
            ("sealroom-engine", dev("serde_json")),
            ("sealroom-persistence", dev("xtask-postgres")),
            ("sealroom-server", dev("xtask-postgres")),
            ("xtask", normal("anyhow")),
            ("xtask", normal("xtask-postgres")),
            ("xtask-postgres", normal("tokio-postgres")),
        ];
        for (package, dependency) in allowed {
            let name = dependency.name.clone();
            assert_eq!(
                violations(package, dependency),
                Vec::<String>::new(),
                "{package} -> {name}"
            );
        }
    }

    #[test]
    fn every_other_arrow_is_found() {
        for from in RULES {
            for to in RULES.iter().filter(|to| !from.arrows.contains(&to.package)) {
                let found = violations(from.package, normal(to.package));
                assert_eq!(found.len(), 1, "{} -> {}: {found:?}", from.package, to.package);
                assert!(
                    found[0].contains(from.package) && found[0].contains(to.package),
                    "{found:?}"
                );
            }
        }
    }

    #[test]
    fn the_arrows_are_those_of_the_architecture() {
        let forbidden = [
            ("sealroom-domain", "sealroom-engine"),
            ("sealroom-engine", "sealroom-wire"),
            ("sealroom-engine", "sealroom-persistence"),
            ("sealroom-auth", "sealroom-engine"),
            ("sealroom-persistence", "sealroom-wire"),
            ("sealroom-realtime", "sealroom-http"),
            ("sealroom-http", "sealroom-persistence"),
            ("sealroom-testkit", "sealroom-engine"),
            ("xtask", "sealroom-domain"),
            ("xtask-postgres", "sealroom-persistence"),
        ];
        for (from, to) in forbidden {
            assert_eq!(violations(from, normal(to)).len(), 1, "{from} -> {to}");
        }
        // Nothing stands on the server but what feeds it for a fuzzer.
        for rule in RULES.iter().filter(|rule| rule.package != "xtask-fuzz") {
            assert_eq!(
                violations(rule.package, normal("sealroom-server")).len(),
                1,
                "{}",
                rule.package
            );
        }
    }

    #[test]
    fn what_is_for_tests_is_only_ever_a_dev_dependency() {
        for name in ["sealroom-testkit", "xtask-postgres"] {
            assert_eq!(
                violations("sealroom-server", normal(name)),
                [format!("sealroom-server may use {name} as a dev-dependency only")]
            );
        }
        assert_eq!(violations("sealroom-engine", dev("xtask-postgres")).len(), 1);
    }

    #[test]
    fn a_test_may_not_draw_an_arrow_either() {
        assert_eq!(violations("sealroom-auth", dev("sealroom-persistence")).len(), 1);
    }

    #[test]
    fn a_forbidden_dependency_is_found() {
        let forbidden = [
            ("sealroom-domain", "serde"),
            ("sealroom-domain", "tokio"),
            ("sealroom-wire", "tokio-util"),
            ("sealroom-engine", "serde_json"),
            ("sealroom-engine", "tower-http"),
            ("sealroom-engine", "redis"),
            ("sealroom-auth", "axum"),
            ("sealroom-persistence", "serde"),
            ("sealroom-persistence", "socketioxide-core"),
            ("sealroom-realtime", "jsonwebtoken"),
            ("sealroom-http", "diesel_migrations"),
            ("sealroom-http", "anyhow"),
            ("sealroom-server", "diesel"),
            ("sealroom-testkit", "clap"),
            ("xtask", "tokio-postgres"),
            ("xtask-postgres", "tokio-util"),
        ];
        for (package, name) in forbidden {
            let found = violations(package, normal(name));
            assert_eq!(found.len(), 1, "{package} -> {name}");
            assert!(
                found[0].starts_with(&format!("{package} must not use {name}")),
                "{found:?}"
            );
        }
    }

    #[test]
    fn a_forbidden_feature_is_found() {
        for package in ["sealroom-engine", "sealroom-auth"] {
            let sockets = Dependency {
                features: vec!["rt".to_owned(), "net".to_owned()],
                ..normal("tokio")
            };
            assert_eq!(
                violations(package, sockets),
                [format!("{package} must not use tokio (rule: tokio/net)")]
            );
            let runtime = Dependency {
                features: vec!["rt".to_owned()],
                ..normal("tokio")
            };
            assert_eq!(violations(package, runtime), Vec::<String>::new());
        }
    }

    #[test]
    fn a_crate_without_a_rule_and_a_rule_without_a_crate_are_found() {
        let mut unknown = graph("xtask", Vec::new());
        unknown.packages.push(Package {
            name: "sealroom-more".to_owned(),
            dependencies: Vec::new(),
        });
        assert_eq!(
            check(&unknown, RULES),
            ["sealroom-more has no rule in xtask/src/arch/rules.rs"]
        );

        let mut gone = graph("xtask", Vec::new());
        gone.packages.retain(|package| package.name != "sealroom-wire");
        assert_eq!(
            check(&gone, RULES),
            ["sealroom-wire has a rule but is not in the workspace"]
        );
    }
}
