//! Groups: listing, creating, putting.

use std::collections::{BTreeSet, HashMap};

use sealroom_domain::{
    ErrorCode, GroupId, GroupName, Refusal, Role, UserId,
    ports::{Group, Member, NewGroup},
};

use super::{Actor, Chat, MembershipKeeper};

/// A group as one user sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupSummary {
    /// The group.
    pub group: Group,
    /// The user's role; `None` for an admin who is not a member.
    pub role: Option<Role>,
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
        Ok(groups
            .into_iter()
            .map(|group| GroupSummary {
                role: roles.get(&group.group_id).copied(),
                group,
            })
            .collect())
    }

    /// One group. Refusals: `not_a_member` (`not_found` for an admin), `unavailable`, `shutting_down`.
    pub async fn group(&self, actor: Actor, group_id: GroupId) -> Result<GroupSummary, Refusal> {
        self.check_open()?;
        let role = self.check_sight(actor, group_id).await?;
        let group = self.existing_group(actor, group_id).await?;
        Ok(GroupSummary { group, role })
    }

    /// Creates a group with the actor as its owner and these members.
    ///
    /// Refusals: `not_found` for a member that is not known where tokens do not make users known, `unavailable`,
    /// `shutting_down`.
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
        let keeps_membership = self.options.membership_keeper == MembershipKeeper::Store;
        let new = NewGroup {
            name,
            founders: founders.clone(),
            actor_id: actor.user_id,
            at: self.ports.clock.now(),
            keeps_membership,
        };
        let (groups, memberships) = (self.ports.groups.clone(), self.ports.memberships.clone());
        let create = async move {
            let (group_id, _founding) = groups.create(new).await?;
            if !keeps_membership {
                for Member { user_id, role } in founders {
                    memberships.set(group_id, user_id, role).await?;
                }
            }
            Ok(group_id)
        };
        let group_id = self.detached("create a group", create).await?;
        let group = self.existing_group(actor, group_id).await?;
        Ok(GroupSummary {
            group,
            role: Some(Role::Owner),
        })
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

    async fn existing_group(&self, actor: Actor, group_id: GroupId) -> Result<Group, Refusal> {
        let absent = if actor.admin {
            ErrorCode::NotFound
        } else {
            ErrorCode::NotAMember
        };
        self.read_groups(&[group_id]).await?.pop().ok_or(absent.into())
    }

    async fn read_groups(&self, ids: &[GroupId]) -> Result<Vec<Group>, Refusal> {
        self.ports
            .groups
            .get(ids)
            .await
            .map_err(|error| self.failed("read groups", &error))
    }
}

pub(super) fn check_admin(actor: Actor) -> Result<(), Refusal> {
    if actor.admin {
        Ok(())
    } else {
        Err(ErrorCode::Forbidden.into())
    }
}
