//! The suite of [`Accounts`].

mod logins;
mod register;

use std::{any::Any, sync::Arc, time::Duration};

use sealroom_domain::{
    LoginId, PasswordHash, Timestamp, TokenDigest, UserId,
    ports::{Accounts, NewAccount, NewRefreshToken, Refreshed, Users},
};

use super::{
    fixture::KeepAlive,
    macros::suite,
    sample::{display_name, moment, username},
};
pub use logins::*;
pub use register::*;

/// Accounts of which there is none yet, and the users of the same store.
#[derive(Debug)]
pub struct AccountsFixture {
    accounts: Arc<dyn Accounts>,
    users: Arc<dyn Users>,
    keep_alive: KeepAlive,
}

impl AccountsFixture {
    /// An empty store, by its two ports.
    pub fn new(accounts: Arc<dyn Accounts>, users: Arc<dyn Users>) -> Self {
        Self {
            accounts,
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

    async fn register(&self, name: &str) -> Option<UserId> {
        self.accounts.register(account(name)).await.unwrap()
    }

    /// An account, and a login with this token.
    async fn login(&self, name: &str, number: u8) -> (UserId, LoginId) {
        let user_id = self.register(name).await.expect("the name is free");
        (user_id, self.open(user_id, number).await)
    }

    async fn open(&self, user_id: UserId, number: u8) -> LoginId {
        self.accounts.open_login(user_id, token(number)).await.unwrap()
    }

    async fn is_open(&self, login_id: LoginId) -> bool {
        self.accounts.is_open(login_id).await.unwrap()
    }

    /// Spends one token for another at the beginning of time.
    async fn refresh(&self, spent: u8, next: u8) -> Refreshed {
        self.refresh_at(spent, next, moment(0)).await
    }

    async fn refresh_at(&self, spent: u8, next: u8, now: Timestamp) -> Refreshed {
        self.accounts
            .refresh(&digest(spent), token(next), now)
            .await
            .unwrap()
    }
}

impl<T: Accounts + Users + 'static> From<T> for AccountsFixture {
    /// A store that implements the two ports itself.
    fn from(store: T) -> Self {
        let store = Arc::new(store);
        let accounts: Arc<dyn Accounts> = Arc::<T>::clone(&store);
        Self::new(accounts, store)
    }
}

suite!(
    /// Makes one test of each property of [`Accounts`](sealroom_domain::ports::Accounts).
    ///
    /// Takes a future of a fresh store that is accounts and users at once, or of an
    /// [`AccountsFixture`](crate::conformance::accounts::AccountsFixture). See [`crate::conformance`].
    accounts_conformance, PROPERTIES, accounts, AccountsFixture, $, [
        register_makes_an_account_and_its_user,
        an_unknown_name_has_no_account,
        a_taken_name_registers_nobody,
        ids_of_accounts_are_nobodys_before,
        a_name_is_registered_once_at_once,
        names_and_hashes_are_byte_identical,
        an_erased_users_account_is_gone,
        an_abandoned_registration_stops_no_other,
        a_login_is_open_until_it_is_closed,
        a_login_that_was_never_begun_is_not_open,
        logins_of_one_user_are_apart,
        a_refresh_spends_the_token,
        a_spent_token_ends_its_login,
        an_unknown_token_is_refused,
        a_token_is_worth_nothing_from_its_end_on,
        the_next_token_has_an_end_of_its_own,
        a_closed_login_refuses_its_token,
        one_of_racing_refreshes_spends_the_token,
        an_erased_user_is_logged_in_nowhere,
        a_revocation_ends_the_logins_before_it,
    ]
);

/// When every token of the suite ends, but for those that say otherwise.
fn end() -> Timestamp {
    moment(0).plus(Duration::from_hours(24))
}

fn account(name: &str) -> NewAccount {
    NewAccount {
        username: username(name),
        display_name: display_name("Nguyễn Văn A"),
        password: PasswordHash::new(format!("$argon2id$v=19$of {name}")),
        at: moment(0),
    }
}

/// Unlike that of any other number, though only in its last byte.
fn digest(number: u8) -> TokenDigest {
    let mut bytes = [0; 32];
    bytes[31] = number;
    TokenDigest::new(bytes)
}

fn token(number: u8) -> NewRefreshToken {
    NewRefreshToken {
        digest: digest(number),
        at: moment(0),
        expires_at: end(),
    }
}
