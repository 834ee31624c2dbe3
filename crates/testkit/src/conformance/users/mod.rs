//! The suite of [`Users`].

mod erase;

use std::{any::Any, sync::Arc, time::Duration};

use sealroom_domain::{
    MAX_SAFE_INTEGER, UserId,
    ports::{Profile, UpsertOutcome, Users},
};
use tokio::task::JoinSet;

use super::{
    abandon::abandon_after,
    fixture::KeepAlive,
    macros::suite,
    sample::{display_name, hard_names, user, username},
};
pub use erase::*;

/// A store that knows no users yet.
#[derive(Debug)]
pub struct UsersFixture {
    users: Arc<dyn Users>,
    keep_alive: KeepAlive,
}

impl UsersFixture {
    /// Users of whom none is known yet.
    pub fn new(users: Arc<dyn Users>) -> Self {
        Self {
            users,
            keep_alive: KeepAlive::default(),
        }
    }

    /// What must live as long as the fixture: a temporary directory, a container.
    #[must_use]
    pub fn keeping(mut self, guard: impl Any + Send + Sync) -> Self {
        self.keep_alive.push(guard);
        self
    }

    async fn profile(&self, user_id: UserId) -> Option<Profile> {
        let mut profiles = self.users.profiles(&[user_id]).await.unwrap();
        assert!(profiles.len() <= 1, "a user has one profile");
        profiles.pop()
    }

    async fn upsert(&self, number: i64, name: &str, unique: Option<&str>) -> UpsertOutcome {
        let unique = unique.map(username);
        self.users
            .upsert(user(number), &display_name(name), unique.as_ref())
            .await
            .unwrap()
    }

    async fn provision(&self, number: i64, token_name: Option<&str>) -> Profile {
        let token_name = token_name.map(display_name);
        self.users
            .provision(user(number), token_name.as_ref())
            .await
            .unwrap()
    }
}

impl<T: Users + 'static> From<T> for UsersFixture {
    fn from(users: T) -> Self {
        Self::new(Arc::new(users))
    }
}

suite!(
    /// Makes one test of each property of [`Users`](sealroom_domain::ports::Users).
    ///
    /// Takes a future of a fresh adapter, or of a
    /// [`UsersFixture`](crate::conformance::users::UsersFixture). See [`crate::conformance`].
    users_conformance, PROPERTIES, users, UsersFixture, $, [
        unknown_users_have_no_profile,
        many_profiles_are_one_question,
        upsert_makes_a_user_known,
        upsert_replaces_the_display_name,
        upsert_without_a_username_leaves_the_present_one,
        upsert_replaces_the_username_and_frees_the_old_one,
        upsert_may_be_repeated,
        a_username_of_another_user_changes_nothing,
        upsert_leaves_the_token_name_alone,
        provision_makes_a_user_known,
        provision_keeps_the_token_name_apart,
        provision_without_a_name_keeps_the_one_before,
        names_are_byte_identical,
        the_largest_id_is_kept,
        a_username_goes_to_one_of_concurrent_users,
        concurrent_provisions_make_one_user,
        an_abandoned_change_stops_no_other,
        revoke_makes_a_user_known,
        a_revocation_is_never_an_earlier_one,
        a_revocation_outlives_other_changes,
        erase_leaves_nothing_but_the_id,
        an_unknown_user_is_not_erased,
        erasing_again_is_harmless,
        provision_leaves_an_erased_user_erased,
        upsert_makes_an_erased_user_one_like_any_other,
        the_username_of_an_erased_user_is_free,
    ]
);

/// Absence is no error.
pub async fn unknown_users_have_no_profile(fixture: UsersFixture) {
    assert_eq!(fixture.users.profiles(&[]).await.unwrap(), []);
    assert_eq!(fixture.profile(user(1)).await, None);
    fixture.upsert(2, "Ben", None).await;
    let found = fixture
        .users
        .profiles(&[user(1), user(2), user(3)])
        .await
        .unwrap();
    assert_eq!(found, [named(2, "Ben")]);
}

/// The number of users in one question is not limited by the store.
pub async fn many_profiles_are_one_question(fixture: UsersFixture) {
    fixture.upsert(3, "Chi", None).await;
    fixture.upsert(40_000, "Ann", None).await;
    let asked: Vec<UserId> = (1..=40_000).map(user).collect();
    let mut found = fixture.users.profiles(&asked).await.unwrap();
    found.sort_by_key(|profile| profile.user_id);
    assert_eq!(found, [named(3, "Chi"), named(40_000, "Ann")]);
}

/// What the host says of a user is known when the call returned.
pub async fn upsert_makes_a_user_known(fixture: UsersFixture) {
    assert_eq!(
        fixture.upsert(1, "Nguyễn Văn A", Some("nva")).await,
        UpsertOutcome::Done
    );
    let expected = Profile {
        username: Some(username("nva")),
        ..named(1, "Nguyễn Văn A")
    };
    assert_eq!(fixture.profile(user(1)).await, Some(expected));
    fixture.upsert(2, "Ben", None).await;
    assert_eq!(fixture.profile(user(2)).await, Some(named(2, "Ben")));
}

/// The last name counts.
pub async fn upsert_replaces_the_display_name(fixture: UsersFixture) {
    for name in ["Ann", "Anna", "Ann", "A"] {
        assert_eq!(fixture.upsert(1, name, None).await, UpsertOutcome::Done);
        assert_eq!(fixture.profile(user(1)).await, Some(named(1, name)));
    }
}

/// Silence is not a deletion.
pub async fn upsert_without_a_username_leaves_the_present_one(fixture: UsersFixture) {
    fixture.upsert(1, "Ann", Some("ann")).await;
    fixture.upsert(1, "Anna", None).await;
    let expected = Profile {
        username: Some(username("ann")),
        ..named(1, "Anna")
    };
    assert_eq!(fixture.profile(user(1)).await, Some(expected));
    assert_eq!(
        fixture.upsert(2, "Ben", Some("ann")).await,
        UpsertOutcome::UsernameTaken
    );
}

/// A user has one username, and another may take what it gave up.
pub async fn upsert_replaces_the_username_and_frees_the_old_one(fixture: UsersFixture) {
    fixture.upsert(1, "Ann", Some("first")).await;
    assert_eq!(
        fixture.upsert(1, "Ann", Some("second")).await,
        UpsertOutcome::Done
    );
    assert_eq!(fixture.upsert(2, "Ben", Some("first")).await, UpsertOutcome::Done);
    let names: Vec<_> = [fixture.profile(user(1)).await, fixture.profile(user(2)).await]
        .into_iter()
        .map(|profile| profile.and_then(|profile| profile.username))
        .collect();
    assert_eq!(names, [Some(username("second")), Some(username("first"))]);
}

/// The same twice is no conflict with oneself.
pub async fn upsert_may_be_repeated(fixture: UsersFixture) {
    for _ in 0..3 {
        assert_eq!(fixture.upsert(1, "Ann", Some("ann")).await, UpsertOutcome::Done);
    }
    let expected = Profile {
        username: Some(username("ann")),
        ..named(1, "Ann")
    };
    assert_eq!(fixture.profile(user(1)).await, Some(expected));
}

/// All or nothing: neither name changes, and nobody becomes known by it.
pub async fn a_username_of_another_user_changes_nothing(fixture: UsersFixture) {
    fixture.upsert(1, "Ann", Some("ann")).await;
    fixture.upsert(2, "Ben", Some("ben")).await;
    assert_eq!(
        fixture.upsert(2, "Changed", Some("ann")).await,
        UpsertOutcome::UsernameTaken
    );
    assert_eq!(
        fixture.upsert(3, "Unknown so far", Some("ann")).await,
        UpsertOutcome::UsernameTaken
    );
    for (number, name, unique) in [(1, "Ann", "ann"), (2, "Ben", "ben")] {
        let expected = Profile {
            username: Some(username(unique)),
            ..named(number, name)
        };
        assert_eq!(fixture.profile(user(number)).await, Some(expected));
    }
    assert_eq!(fixture.profile(user(3)).await, None);
}

/// The host does not speak for the token.
pub async fn upsert_leaves_the_token_name_alone(fixture: UsersFixture) {
    fixture.provision(1, Some("from the token")).await;
    fixture.upsert(1, "from the host", None).await;
    let expected = Profile {
        token_name: Some(display_name("from the token")),
        ..named(1, "from the host")
    };
    assert_eq!(fixture.profile(user(1)).await, Some(expected));
}

/// A user whose token was seen is known, with or without a name.
pub async fn provision_makes_a_user_known(fixture: UsersFixture) {
    assert_eq!(fixture.provision(1, None).await, Profile::unnamed(user(1)));
    assert_eq!(fixture.profile(user(1)).await, Some(Profile::unnamed(user(1))));
    let expected = Profile {
        token_name: Some(display_name("Ben")),
        ..Profile::unnamed(user(2))
    };
    assert_eq!(fixture.provision(2, Some("Ben")).await, expected);
    assert_eq!(fixture.profile(user(2)).await, Some(expected));
}

/// A token changes nothing that the host set, and the answer is the profile as it is.
pub async fn provision_keeps_the_token_name_apart(fixture: UsersFixture) {
    fixture.upsert(1, "from the host", Some("ann")).await;
    for token_name in ["first token", "second token"] {
        let expected = Profile {
            token_name: Some(display_name(token_name)),
            username: Some(username("ann")),
            ..named(1, "from the host")
        };
        assert_eq!(fixture.provision(1, Some(token_name)).await, expected);
        assert_eq!(expected.shown_name(), Some(&display_name("from the host")));
        assert_eq!(fixture.profile(user(1)).await, Some(expected));
    }
}

/// A token without a name says nothing about it.
pub async fn provision_without_a_name_keeps_the_one_before(fixture: UsersFixture) {
    let known = fixture.provision(1, Some("Ann")).await;
    assert_eq!(fixture.provision(1, None).await, known);
    assert_eq!(fixture.profile(user(1)).await, Some(known));
}

/// Names are texts like any other; display names need not be unique.
pub async fn names_are_byte_identical(fixture: UsersFixture) {
    for (number, name) in (1..).zip(hard_names()) {
        assert_eq!(
            fixture.upsert(number, &name, Some(&name)).await,
            UpsertOutcome::Done,
            "{name:?} is like no name before"
        );
        fixture.provision(number, Some(&name)).await;
        let expected = Profile {
            display_name: Some(display_name(&name)),
            token_name: Some(display_name(&name)),
            username: Some(username(&name)),
            ..Profile::unnamed(user(number))
        };
        assert_eq!(fixture.profile(user(number)).await, Some(expected));
        assert_eq!(
            fixture.upsert(1_000 + number, &name, None).await,
            UpsertOutcome::Done
        );
    }
}

/// Ids go up to 2^53 - 1.
pub async fn the_largest_id_is_kept(fixture: UsersFixture) {
    fixture.upsert(MAX_SAFE_INTEGER, "Ann", None).await;
    assert_eq!(
        fixture.profile(user(MAX_SAFE_INTEGER)).await,
        Some(named(MAX_SAFE_INTEGER, "Ann"))
    );
}

/// Of those who want one username at the same moment, one gets it, and the others stay as they were.
pub async fn a_username_goes_to_one_of_concurrent_users(fixture: UsersFixture) {
    let mut tasks = JoinSet::new();
    for number in 1..=20 {
        let users = Arc::clone(&fixture.users);
        tasks.spawn(async move {
            let wanted = username("wanted");
            users
                .upsert(user(number), &display_name("x"), Some(&wanted))
                .await
                .unwrap()
        });
    }
    let outcomes = tasks.join_all().await;
    let done = outcomes.iter().filter(|outcome| **outcome == UpsertOutcome::Done);
    assert_eq!(done.count(), 1);
    let ids: Vec<UserId> = (1..=20).map(user).collect();
    assert_eq!(fixture.users.profiles(&ids).await.unwrap().len(), 1);
}

/// A user who connects twenty times at once is one user.
pub async fn concurrent_provisions_make_one_user(fixture: UsersFixture) {
    let mut tasks = JoinSet::new();
    for _ in 0..20 {
        let users = Arc::clone(&fixture.users);
        tasks.spawn(async move {
            users
                .provision(user(1), Some(&display_name("Ann")))
                .await
                .unwrap()
        });
    }
    let expected = Profile {
        token_name: Some(display_name("Ann")),
        ..Profile::unnamed(user(1))
    };
    for profile in tasks.join_all().await {
        assert_eq!(profile, expected);
    }
    assert_eq!(fixture.profile(user(1)).await, Some(expected));
}

/// A caller that goes away stops nobody.
pub async fn an_abandoned_change_stops_no_other(fixture: UsersFixture) {
    let (name, unique) = (display_name("Ann"), username("ann"));
    for polls in 0..24 {
        abandon_after(polls % 8, fixture.users.upsert(user(1), &name, Some(&unique))).await;
        abandon_after(polls % 8, fixture.users.provision(user(1), Some(&name))).await;
    }
    let upsert = fixture.upsert(2, "Ben", Some("ben"));
    let outcome = tokio::time::timeout(Duration::from_secs(10), upsert).await;
    assert_eq!(
        outcome.expect("an abandoned change leaves no lock"),
        UpsertOutcome::Done
    );
}

/// A user of whom only the host said something.
fn named(number: i64, name: &str) -> Profile {
    Profile {
        display_name: Some(display_name(name)),
        ..Profile::unnamed(user(number))
    }
}
