//! Users whose names get lost or mixed up.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use sealroom_domain::{
    DisplayName, Timestamp, UserId, Username,
    ports::{Profile, StoreError, UpsertOutcome, Users},
};
use sealroom_testkit::{
    conformance::users::{self, UsersFixture},
    memory::MemoryStore,
};
use tokio::{sync::Mutex, task::yield_now};

use super::caught;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Defect {
    None,
    UnknownUsersAreUnnamed,
    ProfilesBindTooMany,
    NameIsKept,
    UpsertIsForgotten,
    AbsentUsernameIsRemoved,
    OldUsernameStaysTaken,
    OwnUsernameIsTaken,
    TakenIsDone,
    TakenChangesTheName,
    TakenMakesKnown,
    TakenIsCheckedFirst,
    UpsertClearsTheTokenName,
    ProvisionSetsTheName,
    ProvisionClearsTheTokenName,
    ProvisionAnswersAsBefore,
    ProvisionIsForgotten,
    ProvisionFailsWhereKnown,
    NamesAreTrimmed,
    IdsAreCut,
    LockIsLeft,
    RevokeNeedsAKnownUser,
    LastRevocationCounts,
    UpsertForgetsRevocations,
    EraseKeepsTheTokenName,
    EraseMakesKnown,
    EraseTellsOfTheFirstOnly,
    ProvisionRevives,
    UpsertRevivesNobody,
    UpsertRevivesOldTokens,
    EraseKeepsTheUsername,
}

/// Keeps profiles itself, so that each rule can be broken alone.
#[derive(Debug)]
struct Broken {
    inner: MemoryStore,
    defect: Defect,
    /// Profiles as a defect sees them, newest last.
    written: Mutex<Vec<Profile>>,
    busy: AtomicBool,
}

fn broken(defect: Defect) -> UsersFixture {
    UsersFixture::new(Arc::new(Broken {
        inner: MemoryStore::new(),
        defect,
        written: Mutex::default(),
        busy: AtomicBool::new(false),
    }))
}

mod without_a_defect {
    use super::{Defect, broken};

    sealroom_testkit::users_conformance!(async { broken(Defect::None) });
}

caught! {
    unknown_users_are_unnamed: users::unknown_users_have_no_profile, broken(Defect::UnknownUsersAreUnnamed);
    profiles_bind_too_many_variables: users::many_profiles_are_one_question,
        broken(Defect::ProfilesBindTooMany);
    an_upsert_is_forgotten: users::upsert_makes_a_user_known, broken(Defect::UpsertIsForgotten);
    the_first_name_stays: users::upsert_replaces_the_display_name, broken(Defect::NameIsKept);
    an_absent_username_is_a_removal: users::upsert_without_a_username_leaves_the_present_one,
        broken(Defect::AbsentUsernameIsRemoved);
    an_old_username_stays_taken: users::upsert_replaces_the_username_and_frees_the_old_one,
        broken(Defect::OldUsernameStaysTaken);
    ones_own_username_is_taken: users::upsert_may_be_repeated, broken(Defect::OwnUsernameIsTaken);
    a_taken_username_is_not_told: users::a_username_of_another_user_changes_nothing,
        broken(Defect::TakenIsDone);
    a_taken_username_changes_the_name: users::a_username_of_another_user_changes_nothing,
        broken(Defect::TakenChangesTheName);
    a_taken_username_makes_a_user_known: users::a_username_of_another_user_changes_nothing,
        broken(Defect::TakenMakesKnown);
    usernames_are_checked_before_the_lock: users::a_username_goes_to_one_of_concurrent_users,
        broken(Defect::TakenIsCheckedFirst);
    the_host_clears_the_tokens_name: users::upsert_leaves_the_token_name_alone,
        broken(Defect::UpsertClearsTheTokenName);
    a_provision_is_forgotten: users::provision_makes_a_user_known, broken(Defect::ProvisionIsForgotten);
    the_token_sets_the_hosts_name: users::provision_keeps_the_token_name_apart,
        broken(Defect::ProvisionSetsTheName);
    a_provision_answers_what_was_before: users::provision_makes_a_user_known,
        broken(Defect::ProvisionAnswersAsBefore);
    a_token_without_a_name_clears_it: users::provision_without_a_name_keeps_the_one_before,
        broken(Defect::ProvisionClearsTheTokenName);
    names_are_trimmed: users::names_are_byte_identical, broken(Defect::NamesAreTrimmed);
    ids_are_cut_to_32_bits: users::the_largest_id_is_kept, broken(Defect::IdsAreCut);
    a_second_provision_is_a_conflict: users::concurrent_provisions_make_one_user,
        broken(Defect::ProvisionFailsWhereKnown);
    an_abandoned_change_keeps_its_lock: users::an_abandoned_change_stops_no_other,
        broken(Defect::LockIsLeft);
    a_stranger_is_not_revoked: users::revoke_makes_a_user_known, broken(Defect::RevokeNeedsAKnownUser);
    the_last_revocation_counts: users::a_revocation_is_never_an_earlier_one,
        broken(Defect::LastRevocationCounts);
    a_name_brings_tokens_back: users::a_revocation_outlives_other_changes,
        broken(Defect::UpsertForgetsRevocations);
    an_erased_user_keeps_a_name: users::erase_leaves_nothing_but_the_id, broken(Defect::EraseKeepsTheTokenName);
    an_erasure_makes_known: users::an_unknown_user_is_not_erased, broken(Defect::EraseMakesKnown);
    an_erased_user_is_unknown: users::erasing_again_is_harmless, broken(Defect::EraseTellsOfTheFirstOnly);
    a_token_revives_a_user: users::provision_leaves_an_erased_user_erased, broken(Defect::ProvisionRevives);
    an_erased_user_stays_erased: users::upsert_makes_an_erased_user_one_like_any_other,
        broken(Defect::UpsertRevivesNobody);
    old_tokens_come_back_with_the_user: users::upsert_makes_an_erased_user_one_like_any_other,
        broken(Defect::UpsertRevivesOldTokens);
    an_erased_user_keeps_the_username: users::the_username_of_an_erased_user_is_free,
        broken(Defect::EraseKeepsTheUsername);
}

impl Broken {
    async fn known(&self, user_id: UserId) -> Option<Profile> {
        self.inner.profiles(&[user_id]).await.unwrap().pop()
    }

    /// Puts a profile in front of the one that the store has.
    async fn write(&self, profile: Profile) {
        self.written.lock().await.push(profile);
    }

    async fn lock(&self) {
        if self.defect == Defect::LockIsLeft {
            while self.busy.swap(true, Ordering::SeqCst) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            yield_now().await;
        }
    }

    async fn upsert_taken(&self, user_id: UserId, display_name: &DisplayName) {
        let known = self.known(user_id).await;
        if self.defect == Defect::TakenMakesKnown && known.is_none() {
            self.inner.provision(user_id, None).await.unwrap();
        }
        if self.defect == Defect::TakenChangesTheName && known.is_some() {
            self.inner.upsert(user_id, display_name, None).await.unwrap();
        }
    }
}

#[async_trait]
impl Users for Broken {
    async fn profiles(&self, ids: &[UserId]) -> Result<Vec<Profile>, StoreError> {
        if self.defect == Defect::ProfilesBindTooMany && ids.len() > 32_766 {
            return Err(StoreError::internal("too many SQL variables"));
        }
        let mut profiles = self.inner.profiles(ids).await?;
        for written in self.written.lock().await.iter() {
            for profile in &mut profiles {
                if profile.user_id == written.user_id {
                    *profile = written.clone();
                }
            }
        }
        if self.defect == Defect::UnknownUsersAreUnnamed {
            for user_id in ids {
                if profiles.iter().all(|profile| profile.user_id != *user_id) {
                    profiles.push(Profile::unnamed(*user_id));
                }
            }
        }
        Ok(profiles)
    }

    async fn upsert(
        &self,
        user_id: UserId,
        display_name: &DisplayName,
        username: Option<&Username>,
    ) -> Result<UpsertOutcome, StoreError> {
        let before = self.known(user_id).await;
        let was_erased = before.as_ref().is_some_and(|before| before.erased);
        let mut changed_name = display_name.clone();
        let mut changed_id = user_id;
        match self.defect {
            Defect::UpsertIsForgotten => return Ok(UpsertOutcome::Done),
            Defect::NameIsKept => {
                if let Some(name) = before.as_ref().and_then(|profile| profile.display_name.clone()) {
                    changed_name = name;
                }
            }
            Defect::OwnUsernameIsTaken => {
                let own = before.as_ref().and_then(|profile| profile.username.as_ref());
                if own.is_some() && own == username {
                    return Ok(UpsertOutcome::UsernameTaken);
                }
            }
            Defect::NamesAreTrimmed => changed_name = DisplayName::new(display_name.as_str().trim()).unwrap(),
            Defect::IdsAreCut => changed_id = UserId::new(user_id.get() & 0xffff_ffff).unwrap(),
            Defect::TakenIsCheckedFirst => {
                let ids: Vec<UserId> = (1..=20).map(|id| UserId::new(id).unwrap()).collect();
                let all = self.inner.profiles(&ids).await?;
                yield_now().await;
                if all.is_empty() {
                    self.inner.upsert(user_id, display_name, None).await?;
                    return Ok(UpsertOutcome::Done);
                }
            }
            _ => {}
        }
        self.lock().await;
        let outcome = self.inner.upsert(changed_id, &changed_name, username).await?;
        self.busy.store(false, Ordering::SeqCst);
        if outcome == UpsertOutcome::UsernameTaken {
            self.upsert_taken(user_id, display_name).await;
            if self.defect == Defect::TakenIsDone {
                return Ok(UpsertOutcome::Done);
            }
            return Ok(outcome);
        }
        let mut after = self.known(changed_id).await.unwrap();
        match (self.defect, before.and_then(|before| before.username)) {
            (Defect::AbsentUsernameIsRemoved, _) if username.is_none() => {
                after.username = None;
                self.write(after).await;
            }
            (Defect::UpsertClearsTheTokenName, _) => {
                after.token_name = None;
                self.write(after).await;
            }
            (Defect::UpsertForgetsRevocations | Defect::UpsertRevivesOldTokens, _) => {
                after.revoked_up_to = None;
                self.write(after).await;
            }
            (Defect::UpsertRevivesNobody, _) if was_erased => {
                after.erased = true;
                self.write(after).await;
            }
            (Defect::OldUsernameStaysTaken, Some(old)) if Some(&old) != username => {
                // Somebody else keeps it.
                let keeper = UserId::new(999_999).unwrap();
                self.inner.upsert(keeper, display_name, Some(&old)).await?;
            }
            _ => {}
        }
        Ok(outcome)
    }

    async fn provision(
        &self,
        user_id: UserId,
        token_name: Option<&DisplayName>,
    ) -> Result<Profile, StoreError> {
        let before = self.known(user_id).await;
        self.lock().await;
        let mut profile = match self.defect {
            Defect::ProvisionIsForgotten => Profile::unnamed(user_id),
            Defect::ProvisionFailsWhereKnown if before.is_some() => {
                return Err(StoreError::internal("UNIQUE constraint failed"));
            }
            _ => self.inner.provision(user_id, token_name).await?,
        };
        self.busy.store(false, Ordering::SeqCst);
        match self.defect {
            Defect::ProvisionAnswersAsBefore => {
                profile = before.unwrap_or_else(|| Profile::unnamed(user_id));
            }
            Defect::ProvisionSetsTheName => {
                profile.display_name = profile.token_name.clone();
                self.write(profile.clone()).await;
            }
            Defect::ProvisionClearsTheTokenName => {
                profile.token_name = token_name.cloned();
                self.write(profile.clone()).await;
            }
            Defect::ProvisionRevives if profile.erased => {
                profile.erased = false;
                self.write(profile.clone()).await;
            }
            _ => {}
        }
        Ok(profile)
    }
    async fn revoke(&self, user_id: UserId, up_to: Timestamp) -> Result<(), StoreError> {
        if self.defect == Defect::RevokeNeedsAKnownUser && self.known(user_id).await.is_none() {
            return Ok(());
        }
        self.inner.revoke(user_id, up_to).await?;
        if self.defect == Defect::LastRevocationCounts {
            let mut after = self.known(user_id).await.unwrap();
            after.revoked_up_to = Some(up_to);
            self.write(after).await;
        }
        Ok(())
    }

    async fn erase(&self, user_id: UserId, at: Timestamp) -> Result<bool, StoreError> {
        let before = self.known(user_id).await;
        if self.defect == Defect::EraseMakesKnown {
            self.inner.provision(user_id, None).await?;
        }
        let erased = self.inner.erase(user_id, at).await?;
        let Some(before) = before else { return Ok(erased) };
        match (self.defect, before.username) {
            (Defect::EraseTellsOfTheFirstOnly, _) => return Ok(!before.erased),
            (Defect::EraseKeepsTheTokenName, _) => {
                let mut after = self.known(user_id).await.unwrap();
                after.token_name = before.token_name;
                self.write(after).await;
            }
            (Defect::EraseKeepsTheUsername, Some(username)) => {
                let keeper = UserId::new(999_999).unwrap();
                let name = DisplayName::new("x").unwrap();
                self.inner.upsert(keeper, &name, Some(&username)).await?;
            }
            _ => {}
        }
        Ok(erased)
    }
}
