//! Accounts that are shared, and logins that do not end.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use sealroom_domain::{
    LoginId, PasswordHash, Timestamp, TokenDigest, UserId, Username,
    ports::{Account, Accounts, NewAccount, NewRefreshToken, Refreshed, StoreError},
};
use sealroom_testkit::{
    conformance::accounts::{self, AccountsFixture},
    memory::MemoryStore,
};
use tokio::task::yield_now;

use super::caught;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Defect {
    None,
    HashIsLost,
    HashIsCut,
    NamesIgnoreCase,
    TakenIsDone,
    IdsCountFromOne,
    AccountsStay,
    LockIsLeft,
    CloseIsForgotten,
    CloseEndsEverything,
    UnknownIsOpen,
    NextIsLost,
    ReuseIsRefused,
    ReuseLeavesTheLogin,
    UnknownIsReused,
    ExpiryHasLeeway,
    EndOfTheFirst,
    RacersAllWin,
    LoginsStay,
}

#[derive(Debug)]
struct Broken {
    inner: MemoryStore,
    defect: Defect,
    made: Mutex<HashMap<Username, Account>>,
    opened: Mutex<HashSet<LoginId>>,
    first_end: Mutex<Option<Timestamp>>,
    busy: AtomicBool,
}

fn broken(defect: Defect) -> AccountsFixture {
    let inner = MemoryStore::new();
    let users = Arc::new(inner.clone());
    let accounts = Broken {
        inner,
        defect,
        made: Mutex::default(),
        opened: Mutex::default(),
        first_end: Mutex::default(),
        busy: AtomicBool::new(false),
    };
    AccountsFixture::new(Arc::new(accounts), users)
}

mod without_a_defect {
    use super::{Defect, broken};

    sealroom_testkit::accounts_conformance!(async { broken(Defect::None) });
}

caught! {
    the_hash_is_lost: accounts::register_makes_an_account_and_its_user, broken(Defect::HashIsLost);
    names_ignore_case: accounts::an_unknown_name_has_no_account, broken(Defect::NamesIgnoreCase);
    a_taken_name_is_not_told: accounts::a_taken_name_registers_nobody, broken(Defect::TakenIsDone);
    ids_count_from_1: accounts::ids_of_accounts_are_nobodys_before, broken(Defect::IdsCountFromOne);
    everybody_gets_the_name: accounts::a_name_is_registered_once_at_once, broken(Defect::TakenIsDone);
    hashes_are_cut: accounts::names_and_hashes_are_byte_identical, broken(Defect::HashIsCut);
    accounts_outlive_their_user: accounts::an_erased_users_account_is_gone, broken(Defect::AccountsStay);
    an_abandoned_registration_keeps_its_lock: accounts::an_abandoned_registration_stops_no_other,
        broken(Defect::LockIsLeft);
    a_logout_is_forgotten: accounts::a_login_is_open_until_it_is_closed, broken(Defect::CloseIsForgotten);
    every_login_is_open: accounts::a_login_that_was_never_begun_is_not_open, broken(Defect::UnknownIsOpen);
    a_logout_ends_all_logins: accounts::logins_of_one_user_are_apart, broken(Defect::CloseEndsEverything);
    the_next_token_is_lost: accounts::a_refresh_spends_the_token, broken(Defect::NextIsLost);
    a_spent_token_is_like_an_unknown_one: accounts::a_spent_token_ends_its_login,
        broken(Defect::ReuseIsRefused);
    a_spent_token_leaves_its_login: accounts::a_spent_token_ends_its_login,
        broken(Defect::ReuseLeavesTheLogin);
    an_unknown_token_is_like_a_spent_one: accounts::an_unknown_token_is_refused,
        broken(Defect::UnknownIsReused);
    expiry_has_a_leeway: accounts::a_token_is_worth_nothing_from_its_end_on, broken(Defect::ExpiryHasLeeway);
    the_login_ends_with_its_first_token: accounts::the_next_token_has_an_end_of_its_own,
        broken(Defect::EndOfTheFirst);
    a_closed_login_goes_on: accounts::a_closed_login_refuses_its_token, broken(Defect::CloseIsForgotten);
    racers_all_win: accounts::one_of_racing_refreshes_spends_the_token, broken(Defect::RacersAllWin);
    logins_outlive_their_user: accounts::an_erased_user_is_logged_in_nowhere, broken(Defect::LoginsStay);
    logins_outlive_a_revocation: accounts::a_revocation_ends_the_logins_before_it, broken(Defect::LoginsStay);
}

impl Broken {
    async fn lock(&self) {
        if self.defect == Defect::LockIsLeft {
            while self.busy.swap(true, Ordering::SeqCst) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            yield_now().await;
        }
    }
}

#[async_trait]
impl Accounts for Broken {
    async fn register(&self, mut account: NewAccount) -> Result<Option<UserId>, StoreError> {
        match self.defect {
            Defect::HashIsLost => account.password = PasswordHash::new("x"),
            Defect::HashIsCut => {
                let cut: String = account.password.as_str().chars().take(64).collect();
                account.password = PasswordHash::new(cut);
            }
            _ => {}
        }
        self.lock().await;
        let (username, password) = (account.username.clone(), account.password.clone());
        let registered = self.inner.register(account).await?;
        self.busy.store(false, Ordering::SeqCst);
        match (self.defect, registered) {
            (Defect::TakenIsDone, None) => Ok(UserId::new(7_777).ok()),
            (Defect::IdsCountFromOne, Some(_)) => Ok(UserId::new(1).ok()),
            (Defect::AccountsStay, Some(user_id)) => {
                let account = Account { user_id, password };
                self.made.lock().unwrap().insert(username, account);
                Ok(registered)
            }
            _ => Ok(registered),
        }
    }

    async fn account(&self, username: &Username) -> Result<Option<Account>, StoreError> {
        let found = self.inner.account(username).await?;
        match self.defect {
            Defect::NamesIgnoreCase => {
                let name = Username::new(username.as_str().to_ascii_lowercase()).unwrap();
                self.inner.account(&name).await
            }
            Defect::AccountsStay => Ok(found.or_else(|| self.made.lock().unwrap().get(username).cloned())),
            _ => Ok(found),
        }
    }

    async fn open_login(&self, user_id: UserId, token: NewRefreshToken) -> Result<LoginId, StoreError> {
        self.first_end.lock().unwrap().get_or_insert(token.expires_at);
        let login_id = self.inner.open_login(user_id, token).await?;
        self.opened.lock().unwrap().insert(login_id);
        Ok(login_id)
    }

    async fn refresh(
        &self,
        token: &TokenDigest,
        mut next: NewRefreshToken,
        mut now: Timestamp,
    ) -> Result<Refreshed, StoreError> {
        match self.defect {
            Defect::NextIsLost => next.digest = TokenDigest::new([9; 32]),
            Defect::ExpiryHasLeeway => now = now.minus(Duration::from_secs(5)),
            Defect::EndOfTheFirst => {
                let first_end = *self.first_end.lock().unwrap();
                next.expires_at = first_end.unwrap_or(next.expires_at);
            }
            _ => {}
        }
        let refreshed = self.inner.refresh(token, next, now).await?;
        match (self.defect, refreshed) {
            (Defect::ReuseIsRefused, Refreshed::Reused { .. }) => Ok(Refreshed::Refused),
            (Defect::RacersAllWin, Refreshed::Reused { user_id, login_id }) => {
                Ok(Refreshed::Done { user_id, login_id })
            }
            (Defect::UnknownIsReused, Refreshed::Refused) => Ok(Refreshed::Reused {
                user_id: UserId::new(1).unwrap(),
                login_id: LoginId::new(1).unwrap(),
            }),
            _ => Ok(refreshed),
        }
    }

    async fn close_login(&self, login_id: LoginId, at: Timestamp) -> Result<(), StoreError> {
        match self.defect {
            Defect::CloseIsForgotten => return Ok(()),
            Defect::CloseEndsEverything => {
                let all = self.opened.lock().unwrap().clone();
                for login_id in all {
                    self.inner.close_login(login_id, at).await?;
                }
            }
            _ => {}
        }
        self.inner.close_login(login_id, at).await
    }

    async fn is_open(&self, login_id: LoginId) -> Result<bool, StoreError> {
        let is_open = self.inner.is_open(login_id).await?;
        let was_opened = self.opened.lock().unwrap().contains(&login_id);
        Ok(match self.defect {
            Defect::UnknownIsOpen => is_open || !was_opened,
            Defect::LoginsStay | Defect::ReuseLeavesTheLogin => was_opened,
            _ => is_open,
        })
    }
}
