//! The groups.

use std::collections::{BTreeSet, btree_map};

use async_trait::async_trait;
use sealroom_domain::{
    Entry, EntryBody, GroupId, GroupName, Timestamp,
    ports::{Group, Groups, NewGroup, StoreError},
};

use super::{MemoryStore, state::GroupState};

#[async_trait]
impl Groups for MemoryStore {
    async fn create(&self, group: NewGroup) -> Result<(GroupId, Vec<Entry>), StoreError> {
        let mut state = self.state.lock();
        let group_id = state.take_group_id();
        let mut created = GroupState::new(group.name, group.at);
        let mut entries = Vec::with_capacity(group.founders.len());
        for founder in group.founders {
            let body = EntryBody::MemberAdded {
                user_id: founder.user_id,
                role: founder.role,
                actor_id: group.actor_id,
            };
            entries.push(created.push(group_id, group.at, body));
            if group.keeps_membership {
                state
                    .memberships
                    .insert((group_id, founder.user_id), founder.role);
            }
        }
        state.groups.insert(group_id, created);
        Ok((group_id, entries))
    }

    async fn put(&self, group_id: GroupId, name: &GroupName, at: Timestamp) -> Result<bool, StoreError> {
        match self.state.lock().groups.entry(group_id) {
            btree_map::Entry::Vacant(place) => {
                place.insert(GroupState::new(name.clone(), at));
                Ok(true)
            }
            btree_map::Entry::Occupied(mut group) => {
                group.get_mut().name = name.clone();
                Ok(false)
            }
        }
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
                })
            })
            .collect())
    }
}
