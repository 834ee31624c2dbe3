//! Every property is in its suite's list: one that is not would never run. And every property is known to catch some
//! broken adapter: one that catches nothing proves nothing.

use std::collections::BTreeSet;

use super::{
    accounts, clock, credentials, group_log, groups, memberships, outbox, read_marks, token_verifier, upkeep,
    users,
};

#[test]
fn every_property_is_in_the_list_of_its_suite() {
    let suites: [(&[&str], &[&str]); 11] = [
        (
            accounts::PROPERTIES,
            &[
                include_str!("accounts/logins.rs"),
                include_str!("accounts/register.rs"),
            ],
        ),
        (clock::PROPERTIES, &[include_str!("clock.rs")]),
        (credentials::PROPERTIES, &[include_str!("credentials.rs")]),
        (
            group_log::PROPERTIES,
            &[
                include_str!("group_log/abandoned.rs"),
                include_str!("group_log/concurrency.rs"),
                include_str!("group_log/current.rs"),
                include_str!("group_log/deletions.rs"),
                include_str!("group_log/edits.rs"),
                include_str!("group_log/guards.rs"),
                include_str!("group_log/idempotency.rs"),
                include_str!("group_log/limits.rs"),
                include_str!("group_log/members.rs"),
                include_str!("group_log/order.rs"),
                include_str!("group_log/owners.rs"),
                include_str!("group_log/pages.rs"),
                include_str!("group_log/values.rs"),
            ],
        ),
        (
            groups::PROPERTIES,
            &[
                include_str!("groups/change.rs"),
                include_str!("groups/create.rs"),
                include_str!("groups/delete.rs"),
                include_str!("groups/get.rs"),
                include_str!("groups/put.rs"),
            ],
        ),
        (
            memberships::PROPERTIES,
            &[
                include_str!("memberships/mod.rs"),
                include_str!("memberships/concurrency.rs"),
            ],
        ),
        (
            outbox::PROPERTIES,
            &[include_str!("outbox/lease.rs"), include_str!("outbox/mod.rs")],
        ),
        (read_marks::PROPERTIES, &[include_str!("read_marks.rs")]),
        (token_verifier::PROPERTIES, &[include_str!("token_verifier.rs")]),
        (
            upkeep::PROPERTIES,
            &[
                include_str!("upkeep/erase.rs"),
                include_str!("upkeep/trim.rs"),
                include_str!("upkeep/trimmed.rs"),
            ],
        ),
        (
            users::PROPERTIES,
            &[include_str!("users/erase.rs"), include_str!("users/mod.rs")],
        ),
    ];
    for (listed, sources) in suites {
        let written: BTreeSet<&str> = sources
            .iter()
            .flat_map(|source| source.lines())
            .filter_map(|line| line.strip_prefix("pub async fn ")?.split('(').next())
            .collect();
        assert_eq!(listed.iter().copied().collect::<BTreeSet<_>>(), written);
        assert_eq!(listed.len(), written.len(), "no property is listed twice");
    }
}

#[test]
fn every_property_catches_a_broken_adapter() {
    let broken = concat!(
        include_str!("../../tests/broken_adapters/accounts.rs"),
        include_str!("../../tests/broken_adapters/clock.rs"),
        include_str!("../../tests/broken_adapters/credentials.rs"),
        include_str!("../../tests/broken_adapters/group_log.rs"),
        include_str!("../../tests/broken_adapters/group_log_changes.rs"),
        include_str!("../../tests/broken_adapters/group_log_guards.rs"),
        include_str!("../../tests/broken_adapters/group_log_races.rs"),
        include_str!("../../tests/broken_adapters/groups.rs"),
        include_str!("../../tests/broken_adapters/memberships.rs"),
        include_str!("../../tests/broken_adapters/outbox.rs"),
        include_str!("../../tests/broken_adapters/read_marks.rs"),
        include_str!("../../tests/broken_adapters/token_verifier.rs"),
        include_str!("../../tests/broken_adapters/upkeep.rs"),
        include_str!("../../tests/broken_adapters/users.rs"),
    );
    let named: BTreeSet<&str> = broken
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'))
        .collect();
    for (suite, listed) in [
        ("accounts", accounts::PROPERTIES),
        ("clock", clock::PROPERTIES),
        ("credentials", credentials::PROPERTIES),
        ("group_log", group_log::PROPERTIES),
        ("groups", groups::PROPERTIES),
        ("memberships", memberships::PROPERTIES),
        ("outbox", outbox::PROPERTIES),
        ("read_marks", read_marks::PROPERTIES),
        ("token_verifier", token_verifier::PROPERTIES),
        ("upkeep", upkeep::PROPERTIES),
        ("users", users::PROPERTIES),
    ] {
        for property in listed {
            let path = format!("{suite}::{property}");
            assert!(named.contains(&*path), "no broken adapter is caught by {path}");
        }
    }
}
