//! Logins and their tokens.

use std::{sync::Arc, time::Duration};

use sealroom_domain::{LoginId, ports::Refreshed};
use tokio::task::JoinSet;

use super::{AccountsFixture, digest, end, token};
use crate::conformance::sample::moment;

/// A login goes on until it is closed, and closing it again is harmless.
pub async fn a_login_is_open_until_it_is_closed(fixture: AccountsFixture) {
    let (_, login) = fixture.login("ann", 1).await;
    assert!(fixture.is_open(login).await);
    for _ in 0..2 {
        fixture.accounts.close_login(login, moment(5)).await.unwrap();
        assert!(!fixture.is_open(login).await);
    }
}

/// Absence is no error.
pub async fn a_login_that_was_never_begun_is_not_open(fixture: AccountsFixture) {
    let never = LoginId::new(1_000_000).unwrap();
    assert!(!fixture.is_open(never).await);
    fixture.accounts.close_login(never, moment(0)).await.unwrap();
    let (_, login) = fixture.login("ann", 1).await;
    assert!(fixture.is_open(login).await);
    assert!(!fixture.is_open(never).await);
}

/// What happens to one login is nothing to the others, of the same user or of another.
pub async fn logins_of_one_user_are_apart(fixture: AccountsFixture) {
    let (ann, phone) = fixture.login("ann", 1).await;
    let desk = fixture.open(ann, 2).await;
    let (ben, other) = fixture.login("ben", 3).await;
    assert!(phone != desk && desk != other && phone != other);
    fixture.accounts.close_login(phone, moment(0)).await.unwrap();
    assert!(fixture.is_open(desk).await && fixture.is_open(other).await);
    assert_eq!(fixture.refresh(1, 11).await, Refreshed::Refused);
    let done = |user_id, login_id| Refreshed::Done { user_id, login_id };
    assert_eq!(fixture.refresh(2, 12).await, done(ann, desk));
    assert_eq!(fixture.refresh(3, 13).await, done(ben, other));
    // One more login is like none before.
    let again = fixture.open(ann, 4).await;
    assert!(![phone, desk, other].contains(&again));
}

/// The next token stands in the place of the spent one, as often as one likes.
pub async fn a_refresh_spends_the_token(fixture: AccountsFixture) {
    let (user_id, login_id) = fixture.login("ann", 1).await;
    for number in 1..20 {
        let expected = Refreshed::Done { user_id, login_id };
        assert_eq!(fixture.refresh(number, number + 1).await, expected);
        assert!(fixture.is_open(login_id).await);
    }
}

/// Whoever comes with a spent token shows that somebody else has it: the login ends, with all of its tokens.
pub async fn a_spent_token_ends_its_login(fixture: AccountsFixture) {
    let (user_id, login_id) = fixture.login("ann", 1).await;
    let other = fixture.open(user_id, 50).await;
    for number in 1..5 {
        fixture.refresh(number, number + 1).await;
    }
    let reused = Refreshed::Reused { user_id, login_id };
    assert_eq!(fixture.refresh(2, 90).await, reused);
    assert!(!fixture.is_open(login_id).await);
    assert_eq!(
        fixture.refresh(5, 91).await,
        Refreshed::Refused,
        "the last token too"
    );
    for spent in 1..5 {
        assert_eq!(fixture.refresh(spent, 92).await, reused, "also again");
    }
    for never_given_out in [90, 91, 92] {
        assert_eq!(fixture.refresh(never_given_out, 93).await, Refreshed::Refused);
    }
    let expected = Refreshed::Done {
        user_id,
        login_id: other,
    };
    assert_eq!(fixture.refresh(50, 51).await, expected);
}

/// A token that nobody gave out is worth nothing and harms nobody.
pub async fn an_unknown_token_is_refused(fixture: AccountsFixture) {
    let (user_id, login_id) = fixture.login("ann", 1).await;
    for unknown in [0, 2, 255] {
        assert_eq!(fixture.refresh(unknown, 9).await, Refreshed::Refused);
    }
    assert_eq!(fixture.refresh(1, 2).await, Refreshed::Done { user_id, login_id });
    assert_eq!(fixture.refresh(9, 10).await, Refreshed::Refused);
}

/// The very moment of its end is too late.
pub async fn a_token_is_worth_nothing_from_its_end_on(fixture: AccountsFixture) {
    let (user_id, login_id) = fixture.login("ann", 1).await;
    for late in [Duration::ZERO, Duration::from_micros(1), Duration::from_hours(9)] {
        let answer = fixture.refresh_at(1, 2, end().plus(late)).await;
        assert_eq!(answer, Refreshed::Refused, "{late:?} after its end");
    }
    // Time alone decides: clocks may jump back.
    let just_in_time = end().minus(Duration::from_micros(1));
    assert_eq!(
        fixture.refresh_at(1, 2, just_in_time).await,
        Refreshed::Done { user_id, login_id }
    );
}

/// Each token of a login has its own time.
pub async fn the_next_token_has_an_end_of_its_own(fixture: AccountsFixture) {
    let (user_id, login_id) = fixture.login("ann", 1).await;
    let mut next = token(2);
    next.expires_at = end().plus(Duration::from_hours(24));
    let answer = fixture.accounts.refresh(&digest(1), next, moment(0)).await;
    let done = Refreshed::Done { user_id, login_id };
    assert_eq!(answer.unwrap(), done);
    let later = end().plus(Duration::from_hours(23));
    assert_eq!(fixture.refresh_at(2, 3, later).await, done);
    assert_eq!(fixture.refresh_at(3, 4, later).await, Refreshed::Refused);
}

/// After a logout nothing is given out any more.
pub async fn a_closed_login_refuses_its_token(fixture: AccountsFixture) {
    let (_, login) = fixture.login("ann", 1).await;
    fixture.refresh(1, 2).await;
    fixture.accounts.close_login(login, moment(0)).await.unwrap();
    assert_eq!(fixture.refresh(2, 3).await, Refreshed::Refused);
    assert_eq!(fixture.refresh(3, 4).await, Refreshed::Refused);
    assert!(!fixture.is_open(login).await);
}

/// Of two that spend one token at the same time one does; the other one has a spent token.
pub async fn one_of_racing_refreshes_spends_the_token(fixture: AccountsFixture) {
    for round in 0..5 {
        let (user_id, login_id) = fixture.login(&format!("user {round}"), round * 20).await;
        let mut tasks = JoinSet::new();
        for racer in 1..=8 {
            let accounts = Arc::clone(&fixture.accounts);
            let next = token(round * 20 + racer);
            tasks.spawn(async move {
                let answer = accounts.refresh(&digest(round * 20), next, moment(0)).await;
                (racer, answer.unwrap())
            });
        }
        let answers = tasks.join_all().await;
        let done = Refreshed::Done { user_id, login_id };
        let winners: Vec<u8> = answers
            .iter()
            .filter(|(_, answer)| *answer == done)
            .map(|(racer, _)| *racer)
            .collect();
        assert_eq!(winners.len(), 1, "{answers:?}");
        let reused = Refreshed::Reused { user_id, login_id };
        let others = answers.iter().filter(|(_, answer)| *answer == reused);
        assert_eq!(others.count(), 7, "{answers:?}");
        assert!(!fixture.is_open(login_id).await, "who lost has a spent token");
        let winners_token = round * 20 + winners[0];
        assert_eq!(fixture.refresh(winners_token, 250).await, Refreshed::Refused);
    }
}

/// Erasing a user ends all of its logins, and those of nobody else.
pub async fn an_erased_user_is_logged_in_nowhere(fixture: AccountsFixture) {
    let (ann, phone) = fixture.login("ann", 1).await;
    let desk = fixture.open(ann, 2).await;
    let (ben, other) = fixture.login("ben", 3).await;
    assert!(fixture.users.erase(ann, moment(0)).await.unwrap());
    for (login, number) in [(phone, 1), (desk, 2)] {
        assert!(!fixture.is_open(login).await);
        assert_eq!(fixture.refresh(number, 90).await, Refreshed::Refused);
    }
    let expected = Refreshed::Done {
        user_id: ben,
        login_id: other,
    };
    assert_eq!(fixture.refresh(3, 4).await, expected);
}

/// Refresh tokens are tokens: those given out up to a revocation are taken back with the others, and later logins go on.
pub async fn a_revocation_ends_the_logins_before_it(fixture: AccountsFixture) {
    let (ann, before) = fixture.login("ann", 1).await;
    let (ben, other) = fixture.login("ben", 2).await;
    let in_the_same_second = fixture.open(ann, 3).await;
    let revoked_at = moment(100);
    fixture.users.revoke(ann, revoked_at).await.unwrap();
    for (login, number) in [(before, 1), (in_the_same_second, 3)] {
        assert!(!fixture.is_open(login).await);
        assert_eq!(fixture.refresh(number, 90).await, Refreshed::Refused);
    }
    assert!(fixture.is_open(other).await);
    let done = |user_id, login_id| Refreshed::Done { user_id, login_id };
    assert_eq!(fixture.refresh(2, 4).await, done(ben, other));
    let mut later = token(5);
    later.at = moment(2_000_000);
    let after = fixture.accounts.open_login(ann, later).await.unwrap();
    // An earlier moment takes nothing more back.
    fixture.users.revoke(ann, revoked_at).await.unwrap();
    assert!(fixture.is_open(after).await);
    assert_eq!(fixture.refresh(5, 6).await, done(ann, after));
}
