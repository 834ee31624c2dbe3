//! Accounts that are made and go.

use std::{collections::HashSet, sync::Arc, time::Duration};

use sealroom_domain::{PasswordHash, UserId, ports::Profile};
use tokio::task::JoinSet;

use super::{AccountsFixture, account};
use crate::conformance::{
    abandon::abandon_after,
    sample::{display_name, hard_names, moment, user, username},
};

/// Account and user are there as soon as the call returned.
pub async fn register_makes_an_account_and_its_user(fixture: AccountsFixture) {
    let ann = fixture.register("ann").await.expect("the name is free");
    let ben = fixture.register("ben").await.expect("the name is free");
    assert_ne!(ann, ben);
    for (user_id, name) in [(ann, "ann"), (ben, "ben")] {
        let found = fixture.accounts.account(&username(name)).await.unwrap();
        let found = found.expect("the account is there");
        assert_eq!(found.user_id, user_id);
        assert_eq!(found.password, account(name).password);
        let expected = Profile {
            display_name: Some(display_name("Nguyễn Văn A")),
            username: Some(username(name)),
            ..Profile::unnamed(user_id)
        };
        assert_eq!(fixture.users.profiles(&[user_id]).await.unwrap(), [expected]);
    }
}

/// Absence is no error; a user of the host has no account.
pub async fn an_unknown_name_has_no_account(fixture: AccountsFixture) {
    fixture.register("ann").await.expect("the name is free");
    let host = username("of the host");
    fixture
        .users
        .upsert(user(999), &display_name("x"), Some(&host))
        .await
        .unwrap();
    for name in ["ben", "Ann", "ann ", "of the host"] {
        let found = fixture.accounts.account(&username(name)).await.unwrap();
        assert!(found.is_none(), "{name:?} has no account");
    }
}

/// A name that somebody has, with an account or by the host, makes no account and changes nobody's.
pub async fn a_taken_name_registers_nobody(fixture: AccountsFixture) {
    let ann = fixture.register("ann").await.expect("the name is free");
    let host = username("of the host");
    fixture
        .users
        .upsert(user(999), &display_name("x"), Some(&host))
        .await
        .unwrap();
    let mut again = account("ann");
    again.password = PasswordHash::new("another");
    again.display_name = display_name("another");
    assert_eq!(fixture.accounts.register(again).await.unwrap(), None);
    assert_eq!(fixture.register("of the host").await, None);
    let found = fixture.accounts.account(&username("ann")).await.unwrap();
    assert_eq!(
        found.expect("the account is there").password,
        account("ann").password
    );
    let profiles = fixture.users.profiles(&[ann]).await.unwrap();
    assert_eq!(profiles[0].display_name, Some(display_name("Nguyễn Văn A")));
    // Names are compared byte for byte, and a name that another one begins with is free.
    for free in ["Ann", "an", "ann "] {
        assert!(fixture.register(free).await.is_some(), "{free:?} is free");
    }
}

/// No account gets the id of a user that there was, whoever made it known, and also not of an erased one.
pub async fn ids_of_accounts_are_nobodys_before(fixture: AccountsFixture) {
    let mut ids: HashSet<UserId> = HashSet::new();
    let name = display_name("x");
    for number in [1, 2, 5] {
        fixture.users.upsert(user(number), &name, None).await.unwrap();
        ids.insert(user(number));
    }
    fixture.users.provision(user(6), None).await.unwrap();
    fixture.users.revoke(user(7), moment(0)).await.unwrap();
    fixture.users.erase(user(5), moment(0)).await.unwrap();
    ids.extend([6, 7].map(user));
    for round in 0..6 {
        let made = fixture.register(&format!("user {round}")).await;
        let made = made.expect("the name is free");
        assert!(ids.insert(made), "{made} was somebody's");
        // The next one is taken in front of the store; and now and then the last one goes.
        let next = user(made.get() + 1);
        fixture.users.upsert(next, &name, None).await.unwrap();
        ids.insert(next);
        if round % 2 == 0 {
            fixture.users.erase(next, moment(0)).await.unwrap();
        }
    }
}

/// Of those who want one name at the same moment one gets it.
pub async fn a_name_is_registered_once_at_once(fixture: AccountsFixture) {
    let mut tasks = JoinSet::new();
    for number in 0..12 {
        let accounts = Arc::clone(&fixture.accounts);
        tasks.spawn(async move {
            let wanted = accounts.register(account("wanted")).await.unwrap();
            let own = accounts.register(account(&format!("own {number}"))).await;
            (wanted, own.unwrap().expect("the name is free"))
        });
    }
    let answers = tasks.join_all().await;
    let wanted: Vec<UserId> = answers.iter().filter_map(|(wanted, _)| *wanted).collect();
    assert_eq!(wanted.len(), 1);
    let found = fixture.accounts.account(&username("wanted")).await.unwrap();
    assert_eq!(found.expect("the account is there").user_id, wanted[0]);
    let ids: HashSet<UserId> = answers.iter().map(|(_, own)| *own).chain(wanted).collect();
    assert_eq!(ids.len(), 13, "each has an id of its own");
}

/// Names and hashes are texts like any other.
pub async fn names_and_hashes_are_byte_identical(fixture: AccountsFixture) {
    for name in hard_names() {
        let mut new = account(&name);
        new.password = PasswordHash::new(format!("$argon2id$v=19$m=19456,t=2,p=1${name}$+/="));
        new.display_name = display_name(&name);
        let registered = fixture.accounts.register(new.clone()).await.unwrap();
        let user_id = registered.expect("like no name before");
        let found = fixture.accounts.account(&new.username).await.unwrap();
        let found = found.expect("the account is there");
        assert_eq!((found.user_id, found.password), (user_id, new.password));
        let profiles = fixture.users.profiles(&[user_id]).await.unwrap();
        assert_eq!(profiles[0].username, Some(new.username));
        assert_eq!(profiles[0].display_name, Some(new.display_name));
    }
}

/// Nobody logs in to it any more, and its name is free for another user, who is not the erased one.
pub async fn an_erased_users_account_is_gone(fixture: AccountsFixture) {
    let ann = fixture.register("ann").await.expect("the name is free");
    let ben = fixture.register("ben").await.expect("the name is free");
    assert!(fixture.users.erase(ann, moment(0)).await.unwrap());
    let found = fixture.accounts.account(&username("ann")).await.unwrap();
    assert!(found.is_none());
    // Also where the host brings the user back under that name: without a password there is no account.
    let name = username("ann");
    let back = fixture.users.upsert(ann, &display_name("Ann"), Some(&name)).await;
    back.unwrap();
    assert!(fixture.accounts.account(&name).await.unwrap().is_none());
    fixture.users.erase(ann, moment(1)).await.unwrap();
    let other = fixture.register("ann").await.expect("the name is free again");
    assert!(other != ann && other != ben);
    let found = fixture.accounts.account(&username("ben")).await.unwrap();
    assert_eq!(found.expect("the account is there").user_id, ben);
}

/// A caller that goes away leaves a whole account or none, and stops nobody.
pub async fn an_abandoned_registration_stops_no_other(fixture: AccountsFixture) {
    for polls in 0..16 {
        let name = format!("abandoned {polls}");
        abandon_after(polls % 8, fixture.accounts.register(account(&name))).await;
    }
    let last = tokio::time::timeout(Duration::from_secs(10), fixture.register("last")).await;
    let last = last.expect("an abandoned registration leaves no lock");
    assert!(last.is_some(), "the name is free");
    for polls in 0..16 {
        let name = username(&format!("abandoned {polls}"));
        if let Some(found) = fixture.accounts.account(&name).await.unwrap() {
            let profiles = fixture.users.profiles(&[found.user_id]).await.unwrap();
            assert_eq!(profiles[0].username, Some(name));
        }
    }
}
