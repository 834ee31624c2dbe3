//! Tokens that are taken back, and users who go.

use sealroom_domain::{
    Timestamp,
    ports::{Profile, UpsertOutcome},
};

use super::{UsersFixture, named};
use crate::conformance::sample::{display_name, moment, user, username};

/// A token that comes later than its revocation is refused too, so the user must be known.
pub async fn revoke_makes_a_user_known(fixture: UsersFixture) {
    fixture.revoke(1, moment(5)).await;
    let expected = Profile {
        revoked_up_to: Some(moment(5)),
        ..Profile::unnamed(user(1))
    };
    assert_eq!(fixture.profile(user(1)).await, Some(expected.clone()));
    assert_eq!(fixture.provision(1, None).await, expected);
    assert_eq!(fixture.profile(user(2)).await, None);
}

/// What was taken back stays so: a revocation with an earlier moment changes nothing.
pub async fn a_revocation_is_never_an_earlier_one(fixture: UsersFixture) {
    fixture.upsert(1, "Ann", None).await;
    let mut latest = None;
    for offset in [5, 5, 3, 0, 7, -1_000_000_000, 6, 8_000_000] {
        fixture.revoke(1, moment(offset)).await;
        latest = latest.max(Some(moment(offset)));
        let expected = Profile {
            revoked_up_to: latest,
            ..named(1, "Ann")
        };
        assert_eq!(fixture.profile(user(1)).await, Some(expected));
    }
}

/// No name brings a token back.
pub async fn a_revocation_outlives_other_changes(fixture: UsersFixture) {
    fixture.revoke(1, moment(5)).await;
    fixture.upsert(1, "Ann", Some("ann")).await;
    let profile = fixture.provision(1, Some("token")).await;
    assert_eq!(profile.revoked_up_to, Some(moment(5)));
    assert!(!profile.erased);
    assert_eq!(fixture.profile(user(1)).await, Some(profile));
}

/// No name is left, and no token is worth anything, whenever it was issued.
pub async fn erase_leaves_nothing_but_the_id(fixture: UsersFixture) {
    fixture.upsert(1, "Ann", Some("ann")).await;
    fixture.provision(1, Some("token")).await;
    fixture.upsert(2, "Ben", Some("ben")).await;
    assert!(fixture.erase(1, moment(5)).await);
    let profile = fixture.profile(user(1)).await.expect("it keeps its id");
    assert_erased(&profile);
    for issued_at in [None, Some(moment(0)), Some(moment(1_000_000_000_000))] {
        assert!(profile.has_revoked(issued_at));
    }
    let other = Profile {
        username: Some(username("ben")),
        ..named(2, "Ben")
    };
    assert_eq!(fixture.profile(user(2)).await, Some(other));
}

/// Absence is no error, and nobody becomes known by it.
pub async fn an_unknown_user_is_not_erased(fixture: UsersFixture) {
    assert!(!fixture.erase(1, moment(5)).await);
    assert_eq!(fixture.profile(user(1)).await, None);
}

/// Who is gone is gone.
pub async fn erasing_again_is_harmless(fixture: UsersFixture) {
    fixture.provision(1, Some("token")).await;
    assert!(fixture.erase(1, moment(5)).await);
    assert!(fixture.erase(1, moment(9_000_000)).await);
    assert_erased(&fixture.profile(user(1)).await.expect("it keeps its id"));
    // Nor does a revocation bring it back.
    fixture.revoke(1, moment(10_000_000)).await;
    assert_erased(&fixture.profile(user(1)).await.expect("it keeps its id"));
}

/// A token that is still about makes nobody of an erased user, and leaves no name.
pub async fn provision_leaves_an_erased_user_erased(fixture: UsersFixture) {
    fixture.upsert(1, "Ann", None).await;
    fixture.erase(1, moment(5)).await;
    for token_name in [Some("from the token"), None] {
        assert_erased(&fixture.provision(1, token_name).await);
        assert_erased(&fixture.profile(user(1)).await.expect("it keeps its id"));
    }
}

/// The host brings a user back: with its new names, and without the tokens from before.
pub async fn upsert_makes_an_erased_user_one_like_any_other(fixture: UsersFixture) {
    fixture.upsert(1, "Ann", Some("ann")).await;
    fixture.provision(1, Some("token")).await;
    fixture.upsert(2, "Ben", Some("ben")).await;
    fixture.erase(1, moment(5)).await;
    assert_eq!(
        fixture.upsert(1, "Ann", Some("ben")).await,
        UpsertOutcome::UsernameTaken
    );
    assert_erased(&fixture.profile(user(1)).await.expect("it keeps its id"));
    assert_eq!(fixture.upsert(1, "Anna", None).await, UpsertOutcome::Done);
    let profile = fixture.profile(user(1)).await.expect("it is known");
    assert!(!profile.erased);
    assert_eq!(profile.display_name, Some(display_name("Anna")));
    assert_eq!((&profile.token_name, &profile.username), (&None, &None));
    assert!(profile.has_revoked(Some(moment(5))) && profile.has_revoked(None));
    assert!(!profile.has_revoked(Some(moment(2_000_000))));
    let named = fixture.provision(1, Some("new token")).await;
    assert_eq!(named.token_name, Some(display_name("new token")));
    assert!(fixture.erase(1, moment(9)).await);
    assert_erased(&fixture.profile(user(1)).await.expect("it keeps its id"));
}

/// Another user may take the name.
pub async fn the_username_of_an_erased_user_is_free(fixture: UsersFixture) {
    fixture.upsert(1, "Ann", Some("ann")).await;
    fixture.erase(1, moment(5)).await;
    assert_eq!(fixture.upsert(2, "Ben", Some("ann")).await, UpsertOutcome::Done);
    assert_eq!(
        fixture.upsert(1, "Ann", Some("ann")).await,
        UpsertOutcome::UsernameTaken
    );
}

#[track_caller]
fn assert_erased(profile: &Profile) {
    assert!(profile.erased);
    let names = (&profile.display_name, &profile.token_name, &profile.username);
    assert_eq!(names, (&None, &None, &None));
}

impl UsersFixture {
    async fn revoke(&self, number: i64, up_to: Timestamp) {
        self.users.revoke(user(number), up_to).await.unwrap();
    }

    async fn erase(&self, number: i64, at: Timestamp) -> bool {
        self.users.erase(user(number), at).await.unwrap()
    }
}
