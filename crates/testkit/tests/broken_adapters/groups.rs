//! Groups that share ids, lose founders or forget names.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use sealroom_domain::{
    Entry, GroupId, GroupName, MAX_SAFE_INTEGER, Retention, Role, Timestamp, UserId,
    ports::{Group, GroupChange, Groups, MemberLimits, Memberships, NewGroup, RefusedEntry, StoreError},
};
use sealroom_testkit::{
    conformance::groups::{self, GroupsFixture},
    memory::MemoryStore,
};
use tokio::task::yield_now;

use super::{
    caught,
    rewriting::{entries, seq, whole_millis},
};

type Created = Result<(GroupId, Vec<Entry>), RefusedEntry>;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Defect {
    None,
    FoundersAreSorted,
    FoundersAreMembersAlways,
    FoundersAreNoMembers,
    FounderRolesAreLost,
    MembersComePieceByPiece,
    ActorIsAMember,
    AnswersOneEntryLess,
    IdsCountFromOne,
    IdsFollowTheLargest,
    PutSaysCreated,
    PutChecksFirst,
    PutKeepsTheName,
    PutResetsTheTime,
    PutAddsAnOwner,
    GetKeepsTheOrder,
    GetInventsGroups,
    GetBindsTooMany,
    HeadIsStale,
    NamesAreTrimmed,
    TimesLoseMicroseconds,
    LimitsAreIgnored,
    LimitsBindTheHost,
    UpdateClearsTheRetention,
    UpdateKnowsEveryGroup,
    PutClearsTheRetention,
    PutBringsTheRetentionBack,
    DeleteAnswersNobody,
    DeleteKeepsTheMembers,
    DeleteFreesTheId,
    DeleteChecksFirst,
    DeletePieceByPiece,
}

#[derive(Debug)]
struct Broken {
    inner: MemoryStore,
    defect: Defect,
    deleted: Mutex<Option<GroupId>>,
}

fn broken(defect: Defect) -> GroupsFixture {
    let inner = MemoryStore::new();
    let store = Arc::new(inner.clone());
    let log = Arc::clone(&store);
    let broken = Broken {
        inner,
        defect,
        deleted: Mutex::default(),
    };
    GroupsFixture::new(Arc::new(broken), log).with_memberships(store)
}

/// A log in which the places of a group that was put again begin anew.
fn places_begin_anew() -> GroupsFixture {
    let broken = entries(|entry| {
        if entry.seq > seq(4) {
            entry.seq = seq(entry.seq.get() - 4);
        }
    });
    let groups = Arc::new(broken.inner.clone());
    GroupsFixture::new(groups, Arc::new(broken))
}

mod without_a_defect {
    use super::{Defect, broken};

    sealroom_testkit::groups_conformance!(async { broken(Defect::None) });
}

caught! {
    founders_are_sorted: groups::create_writes_an_entry_for_each_founder_in_their_order,
        broken(Defect::FoundersAreSorted);
    the_answer_lacks_an_entry: groups::create_writes_an_entry_for_each_founder_in_their_order,
        broken(Defect::AnswersOneEntryLess);
    the_actor_joins_unasked: groups::create_without_founders_makes_an_empty_log, broken(Defect::ActorIsAMember);
    founders_are_no_members: groups::create_makes_founders_members_where_the_store_keeps_them,
        broken(Defect::FoundersAreNoMembers);
    founders_lose_their_roles: groups::create_makes_founders_members_where_the_store_keeps_them,
        broken(Defect::FounderRolesAreLost);
    a_hosts_memberships_are_written: groups::create_leaves_memberships_alone_where_the_host_keeps_them,
        broken(Defect::FoundersAreMembersAlways);
    an_abandoned_create_leaves_half_a_group: groups::an_abandoned_create_leaves_all_or_nothing,
        broken(Defect::MembersComePieceByPiece);
    the_time_of_creation_is_cut: groups::a_created_group_is_there, broken(Defect::TimesLoseMicroseconds);
    concurrent_creates_share_an_id: groups::concurrent_creates_get_ids_of_their_own,
        broken(Defect::IdsCountFromOne);
    an_id_of_a_put_group_is_given_out: groups::ids_given_out_are_never_those_of_put_groups,
        broken(Defect::IdsCountFromOne);
    ids_end_after_the_largest: groups::a_group_under_the_largest_id_stops_no_other,
        broken(Defect::IdsFollowTheLargest);
    every_put_creates: groups::put_creates_and_then_renames, broken(Defect::PutSaysCreated);
    a_second_put_changes_nothing: groups::put_creates_and_then_renames, broken(Defect::PutKeepsTheName);
    a_second_put_begins_anew: groups::put_creates_and_then_renames, broken(Defect::PutResetsTheTime);
    put_adds_somebody: groups::put_writes_no_entry_and_adds_nobody, broken(Defect::PutAddsAnOwner);
    two_puts_both_create: groups::concurrent_puts_create_once, broken(Defect::PutChecksFirst);
    get_keeps_the_order_of_the_question: groups::get_leaves_unknown_groups_out_and_sorts,
        broken(Defect::GetKeepsTheOrder);
    get_knows_every_group: groups::get_leaves_unknown_groups_out_and_sorts, broken(Defect::GetInventsGroups);
    get_binds_too_many_variables: groups::many_groups_are_one_question, broken(Defect::GetBindsTooMany);
    the_head_stays_behind: groups::the_head_is_the_logs, broken(Defect::HeadIsStale);
    create_ignores_the_groups_limit: groups::create_refuses_more_founders_than_allowed,
        broken(Defect::LimitsAreIgnored);
    create_ignores_the_users_limit: groups::create_refuses_founders_with_too_many_groups,
        broken(Defect::LimitsAreIgnored);
    the_host_has_limits: groups::create_knows_no_limits_where_the_host_keeps_the_members,
        broken(Defect::LimitsBindTheHost);
    a_new_name_clears_the_retention: groups::update_changes_what_it_names,
        broken(Defect::UpdateClearsTheRetention);
    every_group_is_updated: groups::an_unknown_group_is_not_updated, broken(Defect::UpdateKnowsEveryGroup);
    a_put_clears_the_retention: groups::a_second_put_keeps_the_retention,
        broken(Defect::PutClearsTheRetention);
    nobody_was_a_member: groups::delete_answers_the_members, broken(Defect::DeleteAnswersNobody);
    members_outlive_their_group: groups::a_deleted_group_is_unknown, broken(Defect::DeleteKeepsTheMembers);
    the_id_of_a_deleted_group_is_free: groups::ids_of_deleted_groups_are_not_given_out,
        broken(Defect::DeleteFreesTheId);
    a_group_comes_back_with_its_retention: groups::a_group_put_again_is_another,
        broken(Defect::PutBringsTheRetentionBack);
    a_log_begins_anew: groups::the_log_of_a_group_put_again_goes_on,
        places_begin_anew();
    a_group_is_deleted_twice: groups::concurrent_deletes_delete_once, broken(Defect::DeleteChecksFirst);
    an_abandoned_delete_leaves_half_a_group: groups::an_abandoned_delete_leaves_all_or_nothing,
        broken(Defect::DeletePieceByPiece);
    names_are_trimmed: groups::names_are_byte_identical_and_not_unique, broken(Defect::NamesAreTrimmed);
}

impl Broken {
    async fn create_by_hand(&self, group: NewGroup, group_id: i64) -> Result<Created, StoreError> {
        let group_id = GroupId::new(group_id).map_err(StoreError::internal)?;
        yield_now().await;
        self.inner.put(group_id, &group.name, group.at).await?;
        Ok(Ok((group_id, Vec::new())))
    }

    async fn exists(&self, group_id: GroupId) -> bool {
        !self.inner.get(&[group_id]).await.unwrap().is_empty()
    }
}

#[async_trait]
impl Groups for Broken {
    async fn create(&self, mut group: NewGroup) -> Result<Created, StoreError> {
        match self.defect {
            Defect::FoundersAreSorted => group.founders.sort_by_key(|founder| founder.user_id),
            Defect::FoundersAreMembersAlways => group.keeps_membership = true,
            Defect::FoundersAreNoMembers => group.keeps_membership = false,
            Defect::FounderRolesAreLost => {
                group
                    .founders
                    .iter_mut()
                    .for_each(|founder| founder.role = Role::Member);
            }
            Defect::TimesLoseMicroseconds => group.at = whole_millis(group.at),
            Defect::ActorIsAMember => group.founders.push(sealroom_domain::ports::Member {
                user_id: group.actor_id,
                role: Role::Owner,
            }),
            Defect::LimitsAreIgnored => group.limits = MemberLimits::default(),
            Defect::LimitsBindTheHost
                if group
                    .limits
                    .per_group
                    .is_some_and(|most| group.founders.len() > most) =>
            {
                return Ok(Err(RefusedEntry::GroupFull));
            }
            Defect::DeleteFreesTheId => {
                let free = self.deleted.lock().unwrap().take();
                if let Some(group_id) = free {
                    return self.create_by_hand(group, group_id.get()).await;
                }
            }
            Defect::NamesAreTrimmed => group.name = trimmed(&group.name),
            Defect::IdsCountFromOne => {
                let mut next = 1;
                while self.exists(next.try_into().unwrap()).await && next < 2 {
                    next += 1;
                }
                return self.create_by_hand(group, next).await;
            }
            Defect::IdsFollowTheLargest if self.exists(MAX_SAFE_INTEGER.try_into().unwrap()).await => {
                return self.create_by_hand(group, MAX_SAFE_INTEGER + 1).await;
            }
            Defect::MembersComePieceByPiece => {
                let founders = std::mem::take(&mut group.founders);
                let Ok((group_id, entries)) = self.inner.create(group).await? else {
                    panic!("no property limits these groups")
                };
                for founder in founders {
                    self.inner.set(group_id, founder.user_id, founder.role).await?;
                    yield_now().await;
                }
                return Ok(Ok((group_id, entries)));
            }
            _ => {}
        }
        let mut created = self.inner.create(group).await?;
        if let (Defect::AnswersOneEntryLess, Ok((_, entries))) = (self.defect, &mut created) {
            entries.pop();
        }
        Ok(created)
    }

    async fn put(&self, group_id: GroupId, name: &GroupName, at: Timestamp) -> Result<bool, StoreError> {
        let there = self.exists(group_id).await;
        match self.defect {
            Defect::PutSaysCreated => self.inner.put(group_id, name, at).await.map(|_| true),
            Defect::PutKeepsTheName if there => Ok(false),
            Defect::PutChecksFirst => {
                yield_now().await;
                self.inner.put(group_id, name, at).await.map(|_| !there)
            }
            Defect::PutAddsAnOwner => {
                let owner = UserId::new(1).unwrap();
                self.inner.set(group_id, owner, Role::Owner).await?;
                self.inner.put(group_id, name, at).await
            }
            Defect::PutClearsTheRetention | Defect::PutBringsTheRetentionBack => {
                let created = self.inner.put(group_id, name, at).await?;
                let count = (self.defect == Defect::PutBringsTheRetentionBack).then_some(50);
                let retention = Some(Retention { age: None, count });
                let change = GroupChange {
                    name: None,
                    retention,
                };
                self.inner.update(group_id, change).await?;
                Ok(created)
            }
            _ => self.inner.put(group_id, name, at).await,
        }
    }

    async fn update(&self, group_id: GroupId, mut change: GroupChange) -> Result<bool, StoreError> {
        if self.defect == Defect::UpdateClearsTheRetention {
            change.retention = Some(change.retention.unwrap_or_default());
        }
        let updated = self.inner.update(group_id, change).await?;
        Ok(updated || self.defect == Defect::UpdateKnowsEveryGroup)
    }

    async fn delete(&self, group_id: GroupId, at: Timestamp) -> Result<Option<Vec<UserId>>, StoreError> {
        let members = self.inner.members_of(group_id).await?;
        let ids = || members.iter().map(|member| member.user_id).collect();
        match self.defect {
            Defect::DeletePieceByPiece => {
                for member in &members {
                    self.inner.remove(group_id, member.user_id).await?;
                    yield_now().await;
                }
                let deleted = self.inner.delete(group_id, at).await?;
                return Ok(deleted.map(|_| ids()));
            }
            Defect::DeleteChecksFirst => yield_now().await,
            _ => {}
        }
        let deleted = self.inner.delete(group_id, at).await?;
        match self.defect {
            Defect::DeleteAnswersNobody => return Ok(deleted.map(|_| Vec::new())),
            Defect::DeleteChecksFirst => return Ok(Some(ids())),
            Defect::DeleteFreesTheId => *self.deleted.lock().unwrap() = Some(group_id),
            Defect::DeleteKeepsTheMembers => {
                for member in &members {
                    self.inner.set(group_id, member.user_id, member.role).await?;
                }
            }
            _ => {}
        }
        Ok(deleted)
    }

    async fn get(&self, ids: &[GroupId]) -> Result<Vec<Group>, StoreError> {
        let mut found = self.inner.get(ids).await?;
        match self.defect {
            Defect::GetKeepsTheOrder => {
                found.sort_by_key(|group| ids.iter().position(|id| *id == group.group_id));
            }
            Defect::GetInventsGroups => {
                for group_id in ids {
                    if found.iter().all(|group| group.group_id != *group_id) {
                        found.push(Group {
                            group_id: *group_id,
                            name: GroupName::new("invented").unwrap(),
                            head: sealroom_domain::Seq::ZERO,
                            created_at: Timestamp::from_secs(0),
                            retention: Retention::default(),
                        });
                    }
                }
                found.sort_by_key(|group| group.group_id);
            }
            Defect::GetBindsTooMany if ids.len() > 32_766 => {
                return Err(StoreError::internal("too many SQL variables"));
            }
            Defect::HeadIsStale => {
                for group in &mut found {
                    group.head = group.head.previous();
                }
            }
            Defect::PutResetsTheTime => {
                for group in &mut found {
                    // As if the second name had come with a new group.
                    if group.name.as_str() != "first" {
                        group.created_at = group.created_at.plus(std::time::Duration::from_micros(1));
                    }
                }
            }
            _ => {}
        }
        Ok(found)
    }
}

fn trimmed(name: &GroupName) -> GroupName {
    GroupName::new(name.as_str().trim()).unwrap()
}
