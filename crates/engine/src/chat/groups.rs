//! Groups: listing, creating, putting.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use sealroom_domain::{
    ErrorCode, GroupId, GroupName, Refusal, RemovalReason, Retention, Role, Seq, Timestamp, UserId,
    ports::{Group, GroupChange, Groups, Member, MemberLimits, Memberships, NewGroup, StoreError},
};
use tokio::sync::Notify;

use super::{Actor, Chat, MembershipKeeper, members::limit_reached, read_marks::absent};
use crate::{feeds::Feeds, users_online::UsersOnline};

/// A group as one user sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupSummary {
    /// The group.
    pub group: Group,
    /// The user's role; `None` for an admin who is not a member.
    pub role: Option<Role>,
    /// How far the user has read.
    pub read: Seq,
}

/// What is to change of a group; what is `None` stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupPatch {
    /// The name; for admins and owners of the group.
    pub name: Option<GroupName>,
    /// How long its entries are kept, within what the server keeps; for owners.
    pub retention: Option<Retention>,
}

impl Chat {
    /// The groups of a user, by ascending id.
    pub async fn groups(&self, actor: Actor) -> Result<Vec<GroupSummary>, Refusal> {
        self.check_open()?;
        let roles: HashMap<GroupId, Role> = self
            .ports
            .memberships
            .groups_of(actor.user_id)
            .await
            .map_err(|error| self.failed("list memberships", &error))?
            .into_iter()
            .collect();
        let ids: Vec<GroupId> = roles.keys().copied().collect();
        let groups = self.read_groups(&ids).await?;
        let marks: HashMap<GroupId, Seq> = self.read_marks(actor, &ids).await?.into_iter().collect();
        Ok(groups
            .into_iter()
            .map(|group| GroupSummary {
                role: roles.get(&group.group_id).copied(),
                read: marks.get(&group.group_id).copied().unwrap_or(Seq::ZERO),
                group,
            })
            .collect())
    }

    /// One group. Refusals: `not_a_member` (`not_found` for an admin), `unavailable`, `shutting_down`.
    pub async fn group(&self, actor: Actor, group_id: GroupId) -> Result<GroupSummary, Refusal> {
        self.check_open()?;
        let role = self.check_sight(actor, group_id).await?;
        self.summary(actor, group_id, role).await
    }

    /// Creates a group with the actor as its owner and these members.
    ///
    /// Refusals: `not_found` for a member that is not known where tokens do not make users known, `limit_exceeded` for
    /// more members than a group may have or more groups than one of them may, `unavailable`, `shutting_down`.
    pub async fn create_group(
        &self,
        actor: Actor,
        name: GroupName,
        members: &[UserId],
    ) -> Result<GroupSummary, Refusal> {
        self.check_open()?;
        let others: BTreeSet<UserId> = members
            .iter()
            .copied()
            .filter(|id| *id != actor.user_id)
            .collect();
        let others: Vec<UserId> = others.into_iter().collect();
        self.check_known(&others).await?;
        let mut founders = vec![Member {
            user_id: actor.user_id,
            role: Role::Owner,
        }];
        founders.extend(others.into_iter().map(|user_id| Member {
            user_id,
            role: Role::Member,
        }));
        let limits = self.member_limits();
        if limits.per_group.is_some_and(|limit| founders.len() > limit) {
            return Err(limit_reached(limits.per_group));
        }
        let keeps_membership = self.options.membership_keeper == MembershipKeeper::Store;
        let at = self.ports.clock.now();
        let new = NewGroup {
            name,
            founders: founders.clone(),
            actor_id: actor.user_id,
            at,
            keeps_membership,
            limits,
        };
        let (groups, memberships) = (self.ports.groups.clone(), self.ports.memberships.clone());
        let create = async move {
            let (group_id, _founding) = match groups.create(new).await? {
                Ok(created) => created,
                Err(refused) => return Ok(Err(refused)),
            };
            if !keeps_membership {
                for Member { user_id, role } in founders {
                    if let Err(error) = memberships.set(group_id, user_id, role).await {
                        // Nobody was told its id: nobody would ever delete it.
                        groups.delete(group_id, at).await?;
                        return Err(error);
                    }
                }
            }
            Ok(Ok(group_id))
        };
        let created = self.detached("create a group", create).await?;
        let group_id = created.map_err(|refused| self.refused_change(actor, refused))?;
        self.summary(actor, group_id, Some(Role::Owner)).await
    }

    /// Changes a group: see [`GroupPatch`] for who may.
    ///
    /// Refusals: `not_a_member` (`not_found` for an admin), `forbidden`, `unavailable`, `shutting_down`.
    pub async fn update_group(
        &self,
        actor: Actor,
        group_id: GroupId,
        patch: GroupPatch,
    ) -> Result<GroupSummary, Refusal> {
        self.check_open()?;
        let role = self.check_sight(actor, group_id).await?;
        let least = if patch.retention.is_some() {
            Role::Owner
        } else {
            Role::Admin
        };
        check_role(actor, role, least)?;
        let GroupPatch { name, retention } = patch;
        let (groups, change) = (self.ports.groups.clone(), GroupChange { name, retention });
        let exists = self
            .detached(
                "change a group",
                async move { groups.update(group_id, change).await },
            )
            .await?;
        if !exists {
            return Err(absent(actor).into());
        }
        if retention.is_some() {
            self.upkeep_soon.notify_one();
        }
        self.summary(actor, group_id, role).await
    }

    /// Deletes a group with its log; for owners. Returns after the sockets of this server were told and evicted.
    ///
    /// Refusals: `not_a_member` (`not_found` for an admin), `forbidden`, `unavailable`, `shutting_down`.
    pub async fn delete_group(&self, actor: Actor, group_id: GroupId) -> Result<(), Refusal> {
        self.check_open()?;
        let role = self.check_sight(actor, group_id).await?;
        check_role(actor, role, Role::Owner)?;
        let deletion = Deletion {
            groups: self.ports.groups.clone(),
            host: (self.options.membership_keeper == MembershipKeeper::Host)
                .then(|| self.ports.memberships.clone()),
            feeds: self.feeds.clone(),
            users_online: self.users_online.clone(),
            upkeep_soon: self.upkeep_soon.clone(),
        };
        let run = deletion.run(actor.user_id, group_id, self.ports.clock.now());
        let existed = self.detached("delete a group", run).await?;
        if existed {
            Ok(())
        } else {
            Err(absent(actor).into())
        }
    }

    /// Creates a group under a chosen id, or renames it; adds nobody. `true` where it was created. Admins only.
    pub async fn put_group(&self, actor: Actor, group_id: GroupId, name: GroupName) -> Result<bool, Refusal> {
        self.check_open()?;
        check_admin(actor)?;
        let (groups, now) = (self.ports.groups.clone(), self.ports.clock.now());
        self.detached(
            "put a group",
            async move { groups.put(group_id, &name, now).await },
        )
        .await
    }

    async fn summary(
        &self,
        actor: Actor,
        group_id: GroupId,
        role: Option<Role>,
    ) -> Result<GroupSummary, Refusal> {
        let group = self.read_groups(&[group_id]).await?.pop().ok_or(absent(actor))?;
        let mark = self.read_marks(actor, &[group_id]).await?.pop();
        Ok(GroupSummary {
            group,
            role,
            read: mark.map_or(Seq::ZERO, |(_, read)| read),
        })
    }

    async fn read_marks(&self, actor: Actor, ids: &[GroupId]) -> Result<Vec<(GroupId, Seq)>, Refusal> {
        self.ports
            .read_marks
            .of_user(actor.user_id, ids)
            .await
            .map_err(|error| self.failed("look read marks up", &error))
    }

    /// How far memberships may add up.
    pub(super) fn member_limits(&self) -> MemberLimits {
        let limits = &self.options.limits;
        MemberLimits {
            per_group: limits.members_per_group,
            per_user: limits.groups_per_user,
        }
    }

    async fn read_groups(&self, ids: &[GroupId]) -> Result<Vec<Group>, Refusal> {
        self.ports
            .groups
            .get(ids)
            .await
            .map_err(|error| self.failed("read groups", &error))
    }
}

/// What the deletion of a group needs, until the last socket was told.
struct Deletion {
    groups: Arc<dyn Groups>,
    /// The memberships, where the host keeps them.
    host: Option<Arc<dyn Memberships>>,
    feeds: Arc<Feeds>,
    users_online: Arc<UsersOnline>,
    upkeep_soon: Arc<Notify>,
}

impl Deletion {
    /// `false` where there was no such group.
    async fn run(self, actor_id: UserId, group_id: GroupId, at: Timestamp) -> Result<bool, StoreError> {
        let deleted = self.delete(actor_id, group_id, at).await;
        match &deleted {
            Ok(Some(members)) => {
                for user_id in members {
                    self.users_online
                        .tell_removed(*user_id, group_id, RemovalReason::GroupDeleted);
                }
                self.feeds.end(group_id, RemovalReason::GroupDeleted);
                self.upkeep_soon.notify_one();
            }
            // It may be gone all the same, or some of its members. Those who still belong to it come back.
            Ok(None) | Err(_) => self.feeds.send_away(group_id),
        }
        deleted.map(|members| members.is_some())
    }

    /// Answers the members.
    async fn delete(
        &self,
        actor_id: UserId,
        group_id: GroupId,
        at: Timestamp,
    ) -> Result<Option<Vec<UserId>>, StoreError> {
        let Some(memberships) = &self.host else {
            return self.groups.delete(group_id, at).await;
        };
        // Before the group: one that is gone may not have members. The actor last, who may repeat what failed half way.
        let mut members: Vec<UserId> = memberships
            .members_of(group_id)
            .await?
            .into_iter()
            .map(|member| member.user_id)
            .collect();
        members.sort_by_key(|user_id| *user_id == actor_id);
        for user_id in &members {
            memberships.remove(group_id, *user_id).await?;
        }
        let kept = self.groups.delete(group_id, at).await?;
        Ok(kept.map(|_none| members))
    }
}

/// Refuses a member of a lesser role. The scope of an admin stands above roles.
fn check_role(actor: Actor, role: Option<Role>, least: Role) -> Result<(), Refusal> {
    if actor.admin || role >= Some(least) {
        Ok(())
    } else {
        Err(ErrorCode::Forbidden.into())
    }
}

pub(super) fn check_admin(actor: Actor) -> Result<(), Refusal> {
    if actor.admin {
        Ok(())
    } else {
        Err(ErrorCode::Forbidden.into())
    }
}
