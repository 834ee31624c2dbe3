//! The suite of [`Groups`].

mod change;
mod create;
mod delete;
mod get;
mod put;
mod room;

use std::{any::Any, sync::Arc};

use sealroom_domain::{
    Entry, GroupId, Seq,
    ports::{Cursor, Group, GroupLog, Groups, Memberships, NewGroup},
};

use super::{entries::ALL, fixture::KeepAlive, macros::suite};
pub use change::*;
pub use create::*;
pub use delete::*;
pub use get::*;
pub use put::*;

/// Fresh groups, and what the suite needs around them.
#[derive(Debug)]
pub struct GroupsFixture {
    groups: Arc<dyn Groups>,
    log: Arc<dyn GroupLog>,
    memberships: Option<Arc<dyn Memberships>>,
    keep_alive: KeepAlive,
}

impl GroupsFixture {
    /// A store without groups, and the log of the same store.
    pub fn new(groups: Arc<dyn Groups>, log: Arc<dyn GroupLog>) -> Self {
        Self {
            groups,
            log,
            memberships: None,
            keep_alive: KeepAlive::default(),
        }
    }

    /// The memberships that the store keeps together with the groups.
    #[must_use]
    pub fn with_memberships(mut self, memberships: Arc<dyn Memberships>) -> Self {
        self.memberships = Some(memberships);
        self
    }

    /// What must live as long as the fixture: a temporary directory, a container.
    #[must_use]
    pub fn keeping(mut self, guard: impl Any + Send + Sync) -> Self {
        self.keep_alive.push(guard);
        self
    }

    /// Creates a group that nothing stands in the way of.
    async fn create(&self, new: NewGroup) -> (GroupId, Vec<Entry>) {
        room::create(&*self.groups, new).await
    }

    async fn get_one(&self, group_id: GroupId) -> Group {
        let mut found = self.groups.get(&[group_id]).await.unwrap();
        assert_eq!(found.len(), 1, "the group is there once");
        found.remove(0)
    }

    async fn entries(&self, group_id: GroupId) -> Vec<Entry> {
        let page = self.log.read(group_id, Cursor::After(Seq::ZERO), ALL).await;
        page.unwrap().expect("the group has a log").entries
    }
}

impl<T: Groups + GroupLog + Memberships + 'static> From<T> for GroupsFixture {
    /// A store that implements the three ports itself.
    fn from(store: T) -> Self {
        let store = Arc::new(store);
        let groups: Arc<dyn Groups> = Arc::<T>::clone(&store);
        let log: Arc<dyn GroupLog> = Arc::<T>::clone(&store);
        Self::new(groups, log).with_memberships(store)
    }
}

suite!(
    /// Makes one test of each property of [`Groups`](sealroom_domain::ports::Groups).
    ///
    /// Takes a future of a fresh store that is groups, log and memberships at once, or of a
    /// [`GroupsFixture`](crate::conformance::groups::GroupsFixture). See [`crate::conformance`].
    groups_conformance, PROPERTIES, groups, GroupsFixture, $, [
        a_created_group_is_there,
        create_writes_an_entry_for_each_founder_in_their_order,
        create_without_founders_makes_an_empty_log,
        create_makes_founders_members_where_the_store_keeps_them,
        create_leaves_memberships_alone_where_the_host_keeps_them,
        concurrent_creates_get_ids_of_their_own,
        ids_given_out_are_never_those_of_put_groups,
        a_group_under_the_largest_id_stops_no_other,
        an_abandoned_create_leaves_all_or_nothing,
        put_creates_and_then_renames,
        put_writes_no_entry_and_adds_nobody,
        concurrent_puts_create_once,
        get_leaves_unknown_groups_out_and_sorts,
        many_groups_are_one_question,
        the_head_is_the_logs,
        names_are_byte_identical_and_not_unique,
        create_refuses_more_founders_than_allowed,
        create_refuses_founders_with_too_many_groups,
        create_knows_no_limits_where_the_host_keeps_the_members,
        update_changes_what_it_names,
        an_unknown_group_is_not_updated,
        a_second_put_keeps_the_retention,
        delete_answers_the_members,
        a_deleted_group_is_unknown,
        ids_of_deleted_groups_are_not_given_out,
        a_group_put_again_is_another,
        the_log_of_a_group_put_again_goes_on,
        concurrent_deletes_delete_once,
        an_abandoned_delete_leaves_all_or_nothing,
    ]
);
