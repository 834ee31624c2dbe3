//! Memberships that are lost, late or mixed up.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use sealroom_domain::{
    GroupId, Role, UserId,
    ports::{Member, Memberships, StoreError},
};
use sealroom_testkit::{
    conformance::memberships::{self, MembershipsFixture},
    memory::MemoryStore,
};
use tokio::task::yield_now;

use super::caught;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Defect {
    None,
    RemovalIsLate,
    RemovalSaysAlwaysTrue,
    RemovalChecksFirst,
    RemovalIsEverywhere,
    SetIsForgotten,
    SetKeepsTheFirstRole,
    SetTwiceFails,
    WritesReadFirst,
    RolesAreDistinct,
    RolesLeaveStrangersOut,
    RolesIgnoreTheGroup,
    RolesBindTooMany,
    UnknownGroupIsAnError,
    UnknownUserIsAnError,
    GroupsAreSortedAsText,
    MembersAreSortedByRole,
    IdsAreCut,
    LockIsLeft,
}

#[derive(Debug)]
struct Broken {
    inner: MemoryStore,
    defect: Defect,
    remembered: Mutex<HashMap<(GroupId, UserId), Role>>,
    busy: AtomicBool,
}

fn broken(defect: Defect) -> MembershipsFixture {
    MembershipsFixture::new(Arc::new(Broken {
        inner: MemoryStore::new(),
        defect,
        remembered: Mutex::default(),
        busy: AtomicBool::new(false),
    }))
}

mod without_a_defect {
    use super::{Defect, broken};

    sealroom_testkit::memberships_conformance!(async { broken(Defect::None) });
}

caught! {
    an_unknown_group_is_an_error: memberships::an_unknown_group_has_no_members,
        broken(Defect::UnknownGroupIsAnError);
    an_unknown_user_is_an_error: memberships::an_unknown_user_has_no_groups,
        broken(Defect::UnknownUserIsAnError);
    a_member_anywhere_is_one_everywhere: memberships::a_stranger_has_no_role,
        broken(Defect::RolesIgnoreTheGroup);
    pairs_that_are_asked_twice_are_answered_once: memberships::roles_come_in_the_order_of_the_pairs,
        broken(Defect::RolesAreDistinct);
    strangers_are_left_out: memberships::roles_come_in_the_order_of_the_pairs,
        broken(Defect::RolesLeaveStrangersOut);
    roles_bind_too_many_variables: memberships::many_roles_are_one_question, broken(Defect::RolesBindTooMany);
    a_membership_is_forgotten: memberships::set_is_visible_at_once, broken(Defect::SetIsForgotten);
    the_first_role_stays: memberships::set_changes_the_role, broken(Defect::SetKeepsTheFirstRole);
    a_second_set_is_a_conflict: memberships::set_may_be_repeated, broken(Defect::SetTwiceFails);
    a_removal_is_late: memberships::remove_is_visible_at_once, broken(Defect::RemovalIsLate);
    every_removal_removed_something: memberships::remove_says_whether_there_was_a_membership,
        broken(Defect::RemovalSaysAlwaysTrue);
    groups_are_sorted_as_text: memberships::groups_of_a_user_ascend, broken(Defect::GroupsAreSortedAsText);
    members_are_sorted_by_role: memberships::members_of_a_group_ascend,
        broken(Defect::MembersAreSortedByRole);
    a_removal_is_from_every_group: memberships::groups_do_not_mix, broken(Defect::RemovalIsEverywhere);
    ids_are_cut_to_32_bits: memberships::the_largest_ids_are_kept, broken(Defect::IdsAreCut);
    a_change_undoes_another: memberships::concurrent_changes_are_all_kept, broken(Defect::WritesReadFirst);
    two_removals_both_removed: memberships::of_concurrent_removals_one_is_told,
        broken(Defect::RemovalChecksFirst);
    an_abandoned_change_keeps_its_lock: memberships::an_abandoned_change_stops_no_other,
        broken(Defect::LockIsLeft);
}

impl Broken {
    async fn role(&self, group_id: GroupId, user_id: UserId) -> Option<Role> {
        self.inner.roles(&[(group_id, user_id)]).await.unwrap()[0]
    }

    async fn lock(&self) {
        if self.defect == Defect::LockIsLeft {
            while self.busy.swap(true, Ordering::SeqCst) {
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
            yield_now().await;
        }
    }

    fn unlock(&self) {
        self.busy.store(false, Ordering::SeqCst);
    }

    /// Reads the members, and writes all of them back after a change.
    async fn write_all(&self, group_id: GroupId, change: impl FnOnce(&mut Vec<Member>)) {
        let before = self.inner.members_of(group_id).await.unwrap();
        let mut after = before.clone();
        change(&mut after);
        yield_now().await;
        for member in self.inner.members_of(group_id).await.unwrap() {
            self.inner.remove(group_id, member.user_id).await.unwrap();
        }
        for member in after {
            self.inner
                .set(group_id, member.user_id, member.role)
                .await
                .unwrap();
        }
    }
}

#[async_trait]
impl Memberships for Broken {
    async fn roles(&self, pairs: &[(GroupId, UserId)]) -> Result<Vec<Option<Role>>, StoreError> {
        let mut pairs = pairs.to_vec();
        match self.defect {
            Defect::RolesAreDistinct => {
                pairs.sort_unstable();
                pairs.dedup();
            }
            Defect::RolesBindTooMany if pairs.len() > 16_383 => {
                return Err(StoreError::internal("too many SQL variables"));
            }
            Defect::RolesIgnoreTheGroup => {
                let mut roles = Vec::new();
                for (_, user_id) in pairs {
                    let groups = self.inner.groups_of(user_id).await?;
                    roles.push(groups.first().map(|(_, role)| *role));
                }
                return Ok(roles);
            }
            _ => {}
        }
        let mut roles = self.inner.roles(&pairs).await?;
        if self.defect == Defect::RolesLeaveStrangersOut {
            roles.retain(Option::is_some);
        }
        Ok(roles)
    }

    async fn groups_of(&self, user_id: UserId) -> Result<Vec<(GroupId, Role)>, StoreError> {
        let mut groups = self.inner.groups_of(user_id).await?;
        match self.defect {
            Defect::UnknownUserIsAnError if groups.is_empty() => Err(StoreError::internal("no such user")),
            Defect::GroupsAreSortedAsText => {
                groups.sort_by_key(|(group_id, _)| group_id.to_string());
                Ok(groups)
            }
            _ => Ok(groups),
        }
    }

    async fn members_of(&self, group_id: GroupId) -> Result<Vec<Member>, StoreError> {
        let mut members = self.inner.members_of(group_id).await?;
        match self.defect {
            Defect::UnknownGroupIsAnError if members.is_empty() => Err(StoreError::internal("no such group")),
            Defect::MembersAreSortedByRole => {
                members.sort_by_key(|member| member.role);
                Ok(members)
            }
            _ => Ok(members),
        }
    }

    async fn set(&self, group_id: GroupId, user_id: UserId, role: Role) -> Result<(), StoreError> {
        let there = self.role(group_id, user_id).await;
        match self.defect {
            Defect::SetIsForgotten => Ok(()),
            Defect::SetKeepsTheFirstRole if there.is_some() => Ok(()),
            Defect::SetTwiceFails if there.is_some() => Err(StoreError::internal("UNIQUE constraint failed")),
            Defect::WritesReadFirst => {
                self.write_all(group_id, |members| members.push(Member { user_id, role }))
                    .await;
                Ok(())
            }
            Defect::IdsAreCut => {
                let cut = UserId::new(user_id.get() & 0xffff_ffff).unwrap();
                self.inner.set(group_id, cut, role).await
            }
            _ => {
                self.lock().await;
                let set = self.inner.set(group_id, user_id, role).await;
                self.unlock();
                set
            }
        }
    }

    async fn remove(&self, group_id: GroupId, user_id: UserId) -> Result<bool, StoreError> {
        let there = self.role(group_id, user_id).await;
        match self.defect {
            // The first removal is remembered, and done with the next one.
            Defect::RemovalIsLate => {
                let key = (group_id, user_id);
                let known =
                    there.is_some_and(|role| self.remembered.lock().unwrap().insert(key, role).is_none());
                if !known {
                    self.inner.remove(group_id, user_id).await?;
                }
                Ok(there.is_some())
            }
            Defect::RemovalSaysAlwaysTrue => self.inner.remove(group_id, user_id).await.map(|_| true),
            Defect::RemovalChecksFirst => {
                yield_now().await;
                self.inner.remove(group_id, user_id).await?;
                Ok(there.is_some())
            }
            Defect::RemovalIsEverywhere => {
                for (other, _) in self.inner.groups_of(user_id).await? {
                    self.inner.remove(other, user_id).await?;
                }
                Ok(there.is_some())
            }
            _ => {
                self.lock().await;
                let removed = self.inner.remove(group_id, user_id).await;
                self.unlock();
                removed
            }
        }
    }
}
