//! The groups.

use std::collections::BTreeSet;

use async_trait::async_trait;
use sealroom_domain::{
    Entry, EntryBody, GroupId, GroupName, Seq, Timestamp, UserId,
    ports::{Group, GroupChange, Groups, NewGroup, RefusedEntry, StoreError},
};

use super::{
    MemoryStore,
    group::{Grave, GroupState},
    state::State,
};

#[async_trait]
impl Groups for MemoryStore {
    async fn create(
        &self,
        group: NewGroup,
    ) -> Result<Result<(GroupId, Vec<Entry>), RefusedEntry>, StoreError> {
        Ok(self.state.lock().create(group))
    }

    async fn put(&self, group_id: GroupId, name: &GroupName, at: Timestamp) -> Result<bool, StoreError> {
        let mut state = self.state.lock();
        if let Some(group) = state.groups.get_mut(&group_id) {
            group.name = name.clone();
            return Ok(false);
        }
        let former = state.graves.get(&group_id).and_then(|grave| grave.head);
        let group = GroupState::new(name.clone(), at, former.map_or(Seq::ZERO, Seq::next));
        state.groups.insert(group_id, group);
        Ok(true)
    }

    async fn update(&self, group_id: GroupId, change: GroupChange) -> Result<bool, StoreError> {
        let mut state = self.state.lock();
        let Some(group) = state.groups.get_mut(&group_id) else {
            return Ok(false);
        };
        if let Some(name) = change.name {
            group.name = name;
        }
        if let Some(retention) = change.retention {
            group.retention = retention;
        }
        Ok(true)
    }

    async fn delete(&self, group_id: GroupId, _at: Timestamp) -> Result<Option<Vec<UserId>>, StoreError> {
        Ok(self.state.lock().delete(group_id))
    }

    async fn get(&self, ids: &[GroupId]) -> Result<Vec<Group>, StoreError> {
        let state = self.state.lock();
        let ids: BTreeSet<GroupId> = ids.iter().copied().collect();
        Ok(ids
            .into_iter()
            .filter_map(|group_id| {
                state.groups.get(&group_id).map(|group| Group {
                    group_id,
                    name: group.name.clone(),
                    head: group.head(),
                    created_at: group.created_at,
                    retention: group.retention,
                })
            })
            .collect())
    }
}

impl State {
    fn create(&mut self, group: NewGroup) -> Result<(GroupId, Vec<Entry>), RefusedEntry> {
        if group.keeps_membership {
            for (members, founder) in group.founders.iter().enumerate() {
                self.check_room(members, founder.user_id, group.limits)?;
            }
        }
        let group_id = self.take_group_id();
        self.groups
            .insert(group_id, GroupState::new(group.name, group.at, Seq::ZERO));
        let mut entries = Vec::with_capacity(group.founders.len());
        for founder in group.founders {
            let body = EntryBody::MemberAdded {
                user_id: founder.user_id,
                role: founder.role,
                actor_id: group.actor_id,
            };
            entries.push(self.push(group_id, group.at, body)?);
            if group.keeps_membership {
                self.memberships.insert((group_id, founder.user_id), founder.role);
            }
        }
        Ok((group_id, entries))
    }

    fn delete(&mut self, group_id: GroupId) -> Option<Vec<UserId>> {
        let group = self.groups.remove(&group_id)?;
        let grave: &mut Grave = self.graves.entry(group_id).or_default();
        grave.head = Some(group.head());
        grave.entries += u64::try_from(group.entries().len()).expect("a length fits");
        let members: Vec<UserId> = self.members(group_id).map(|member| member.user_id).collect();
        for user_id in &members {
            self.memberships.remove(&(group_id, *user_id));
        }
        self.read_marks.retain(|(group, _), _| *group != group_id);
        self.outbox.retain(|_, (group, _)| *group != group_id);
        Some(members)
    }
}
