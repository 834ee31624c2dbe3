//! The suite of [`GroupLog`].

mod abandoned;
mod concurrency;
mod current;
mod deletions;
mod edits;
mod guards;
mod idempotency;
mod limits;
mod members;
mod order;
mod owners;
mod pages;
mod room;
mod values;

use std::{any::Any, sync::Arc};

use sealroom_domain::ports::{GroupLog, Groups, Memberships};

use super::{
    fixture::{Hook, KeepAlive},
    macros::suite,
};
pub use abandoned::*;
pub use concurrency::*;
pub use current::*;
pub use deletions::*;
pub use edits::*;
pub use guards::*;
pub use idempotency::*;
pub use limits::*;
pub use members::*;
pub use order::*;
pub use owners::*;
pub use pages::*;
pub use values::*;

/// A fresh log, and what the suite needs around it.
#[derive(Debug)]
pub struct GroupLogFixture {
    log: Arc<dyn GroupLog>,
    groups: Arc<dyn Groups>,
    memberships: Option<Arc<dyn Memberships>>,
    peer: Option<Arc<dyn GroupLog>>,
    outage: Option<Hook<()>>,
    keep_alive: KeepAlive,
}

impl GroupLogFixture {
    /// An empty log, and the groups of the same store. Nothing is checked of guards: for that, add the memberships.
    pub fn new(log: Arc<dyn GroupLog>, groups: Arc<dyn Groups>) -> Self {
        Self {
            log,
            groups,
            memberships: None,
            peer: None,
            outage: None,
            keep_alive: KeepAlive::default(),
        }
    }

    /// The memberships that the store keeps together with the log.
    #[must_use]
    pub fn with_memberships(mut self, memberships: Arc<dyn Memberships>) -> Self {
        self.memberships = Some(memberships);
        self
    }

    /// A second handle on the same store, as another process would open it.
    #[must_use]
    pub fn with_peer(mut self, peer: Arc<dyn GroupLog>) -> Self {
        self.peer = Some(peer);
        self
    }

    /// What makes the store unreachable, so that the suite sees its errors.
    #[must_use]
    pub fn with_outage(mut self, outage: Hook<()>) -> Self {
        self.outage = Some(outage);
        self
    }

    /// What must live as long as the fixture: a temporary directory, a container.
    #[must_use]
    pub fn keeping(mut self, guard: impl Any + Send + Sync) -> Self {
        self.keep_alive.push(guard);
        self
    }
}

impl<T: GroupLog + Groups + Memberships + 'static> From<T> for GroupLogFixture {
    /// A store that implements the three ports itself.
    fn from(store: T) -> Self {
        let store = Arc::new(store);
        let log: Arc<dyn GroupLog> = Arc::<T>::clone(&store);
        let groups: Arc<dyn Groups> = Arc::<T>::clone(&store);
        Self::new(log, groups).with_memberships(store)
    }
}

suite!(
    /// Makes one test of each property of [`GroupLog`](sealroom_domain::ports::GroupLog).
    ///
    /// Takes a future of a fresh store that is log, groups and memberships at once, or of a
    /// [`GroupLogFixture`](crate::conformance::group_log::GroupLogFixture). See [`crate::conformance`].
    group_log_conformance, PROPERTIES, group_log, GroupLogFixture, $, [
        log_id_is_stable,
        seq_is_dense_from_one_in_each_group,
        batch_order_is_kept,
        an_empty_batch_is_answered,
        a_large_batch_is_one_batch,
        order_is_by_seq_and_not_by_time,
        refused_entries_take_no_seq_and_spoil_nothing,
        heads_are_the_last_places,
        heads_leave_unknown_groups_out,
        many_heads_are_one_question,
        an_append_is_visible_when_it_returned,
        errors_keep_a_source,
        appended_entries_are_read_back_as_answered,
        content_is_byte_identical,
        content_at_the_limit_is_byte_identical,
        names_and_client_ids_are_byte_identical,
        the_largest_numbers_are_kept,
        message_ids_are_unique_and_grow,
        a_repetition_in_a_later_batch_answers_the_first_entry,
        a_repetition_in_the_same_batch_answers_the_first_entry,
        a_repetition_is_found_after_many_messages,
        concurrent_repetitions_store_one_message,
        other_content_under_the_same_id_is_a_conflict,
        another_key_epoch_under_the_same_id_is_a_conflict,
        client_ids_are_scoped_to_group_and_sender,
        client_ids_are_compared_byte_for_byte,
        messages_without_client_id_are_never_repetitions,
        a_refused_message_does_not_take_its_client_id,
        an_unknown_group_has_no_page,
        an_empty_group_has_an_empty_page,
        pages_after_a_cursor_cover_the_log,
        pages_before_a_cursor_cover_the_log,
        the_newest_page_ends_the_log,
        cursors_beyond_the_log_give_empty_pages,
        a_page_ends_at_its_byte_limit,
        the_first_entry_is_given_however_heavy,
        pages_hold_one_group_only,
        pages_have_no_gap_under_concurrent_appends,
        concurrent_appenders_get_dense_unique_places,
        one_callers_appends_keep_their_order,
        concurrent_batches_over_several_groups_do_not_block_each_other,
        peers_append_to_the_same_log,
        an_abandoned_append_leaves_all_or_nothing,
        abandoned_appends_do_not_stop_later_ones,
        changes_of_members_are_entries,
        the_host_guard_checks_and_changes_nothing,
        set_member_changes_the_membership_with_its_entry,
        set_member_with_the_same_role_is_unchanged,
        remove_member_is_visible_at_once,
        remove_member_of_a_stranger_is_unchanged,
        memberships_changed_directly_write_no_entry_and_bind_the_guard,
        a_stranger_is_refused,
        the_guards_role_is_the_least,
        a_guard_without_a_role_checks_nothing,
        a_refused_change_changes_nothing,
        an_unknown_group_is_unknown_to_every_guard,
        a_removal_binds_the_rest_of_its_batch,
        an_addition_binds_the_rest_of_its_batch,
        a_role_binds_the_rest_of_its_batch,
        a_removal_has_one_place_among_concurrent_sends,
        the_last_owner_stays,
        the_last_owner_goes_where_nothing_keeps_it,
        one_of_two_owners_may_go,
        a_group_without_an_owner_needs_none,
        owners_in_one_batch_cannot_all_go,
        owners_who_leave_at_once_cannot_all_go,
        edits_are_entries,
        edited_content_is_byte_identical,
        only_its_sender_edits_a_message,
        what_is_no_message_cannot_be_edited,
        edits_and_deletions_pass_the_guard,
        a_repeated_edit_answers_the_last_one,
        edits_bind_the_rest_of_their_batch,
        concurrent_repetitions_store_one_edit,
        deletions_are_entries,
        a_deleted_message_has_no_content,
        messages_of_others_need_the_right,
        a_role_that_deletes_is_the_least,
        the_host_has_no_roles_that_delete,
        what_is_no_message_cannot_be_deleted,
        a_repeated_deletion_answers_the_first,
        a_deleted_message_cannot_be_edited,
        a_repetition_of_a_deleted_message_answers_its_entry,
        concurrent_deletions_store_one,
        edits_that_meet_a_deletion_leave_no_content,
        only_a_group_has_a_page_of_messages,
        messages_are_shown_as_they_stand,
        pages_of_messages_cover_them,
        cursors_between_messages_are_places_of_the_log,
        a_page_of_messages_ends_at_its_byte_limit,
        a_full_group_takes_nobody,
        a_user_with_too_many_groups_joins_none,
        limits_count_what_the_batch_did_before,
        the_host_guard_knows_no_limits,
        a_full_group_takes_nobody_at_once,
    ]
);
