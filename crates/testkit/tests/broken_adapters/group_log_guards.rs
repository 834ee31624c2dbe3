//! Logs that do not check what they should, or change what they should not.

use sealroom_domain::{
    Role,
    ports::{Appended, Guard, NewBody, NewEntry, RefusedEntry},
};
use sealroom_testkit::conformance::group_log;

use super::{
    caught,
    racing::{Defect, Racing},
    rewriting::{Rewriting, new_entries},
};

caught! {
    the_role_is_not_checked: group_log::a_stranger_is_refused,
        new_entries(|new| set_role(new, |_| None));
    any_member_will_do: group_log::the_guards_role_is_the_least,
        new_entries(|new| set_role(new, |least| least.map(|_| Role::Member)));
    the_role_must_be_the_very_same: group_log::the_guards_role_is_the_least, Racing::new(Defect::ExactRole);
    a_role_is_always_asked_for: group_log::a_guard_without_a_role_checks_nothing,
        new_entries(|new| set_role(new, |least| Some(least.unwrap_or(Role::Member))));
    guards_look_at_the_batchs_beginning: group_log::a_removal_binds_the_rest_of_its_batch,
        Racing::new(Defect::GuardsBeforeTheBatch);
    additions_count_only_later: group_log::an_addition_binds_the_rest_of_its_batch,
        Racing::new(Defect::GuardsBeforeTheBatch);
    roles_count_only_later: group_log::a_role_binds_the_rest_of_its_batch,
        Racing::new(Defect::GuardsBeforeTheBatch);
    the_guard_is_checked_before_the_lock: group_log::a_removal_has_one_place_among_concurrent_sends,
        Racing::new(Defect::GuardsBeforeTheBatch);
    an_unknown_group_has_no_members: group_log::an_unknown_group_is_unknown_to_every_guard, Rewriting {
        answer: Some(Box::new(|new, answer| {
            if new.guard != Guard::Host && *answer == Err(RefusedEntry::UnknownGroup) {
                *answer = Err(RefusedEntry::ActorRole);
            }
        })),
        ..Rewriting::default()
    };
    a_refused_change_happens: group_log::a_refused_change_changes_nothing, Rewriting {
        new: Some(Box::new(|new| set_role(new, |_| None))),
        answer: Some(Box::new(|_, answer| *answer = Err(RefusedEntry::ActorRole))),
        ..Rewriting::default()
    };

    the_last_owner_goes: group_log::the_last_owner_stays, new_entries(|new| set_keeps_owner(new, false));
    the_last_owner_steps_down: group_log::the_last_owner_stays, new_entries(|new| {
        if matches!(new.body, NewBody::SetMember { .. }) {
            set_keeps_owner(new, false);
        }
    });
    the_last_owner_never_goes: group_log::the_last_owner_goes_where_nothing_keeps_it,
        new_entries(|new| set_keeps_owner(new, true));
    no_owner_ever_goes: group_log::one_of_two_owners_may_go, Racing::new(Defect::OwnersStay);
    nobody_goes_without_an_owner: group_log::a_group_without_an_owner_needs_none,
        Racing::new(Defect::OwnerNeeded);
    owners_are_counted_at_the_batchs_beginning: group_log::owners_in_one_batch_cannot_all_go,
        Racing::new(Defect::OwnersBeforeTheBatch);
    owners_are_counted_before_the_lock: group_log::owners_who_leave_at_once_cannot_all_go,
        Racing::new(Defect::OwnersBeforeTheBatch);

    a_change_moves_no_membership: group_log::set_member_changes_the_membership_with_its_entry,
        new_entries(|new| if matches!(new.body, NewBody::SetMember { .. }) { new.guard = Guard::Host });
    a_removal_moves_no_membership: group_log::remove_member_is_visible_at_once,
        new_entries(|new| if matches!(new.body, NewBody::RemoveMember { .. }) { new.guard = Guard::Host });
    a_removal_is_seen_late: group_log::remove_member_is_visible_at_once, Racing::new(Defect::StaleRoles);
    the_hosts_memberships_are_changed: group_log::the_host_guard_checks_and_changes_nothing, new_entries(|new| {
        if new.guard == Guard::Host {
            new.guard = Guard::Kept { actor_role: None, keeps_owner: false };
        }
    });
    a_host_must_keep_members: group_log::the_host_guard_checks_and_changes_nothing, new_entries(|new| {
        if let (Guard::Host, NewBody::Message { .. }) = (new.guard, &new.body) {
            new.guard = Guard::Kept { actor_role: Some(Role::Member), keeps_owner: false };
        }
    });
    nothing_changed_and_an_entry_says_so: group_log::set_member_with_the_same_role_is_unchanged,
        Racing::new(Defect::AlwaysAnEntry);
    a_stranger_is_removed: group_log::remove_member_of_a_stranger_is_unchanged,
        Racing::new(Defect::AlwaysAnEntry);
    a_removal_has_no_entry: group_log::remove_member_is_visible_at_once, Rewriting {
        answer: Some(Box::new(|new, answer| {
            if matches!(new.body, NewBody::RemoveMember { .. }) && answer.is_ok() {
                *answer = Ok(Appended::Unchanged);
            }
        })),
        ..Rewriting::default()
    };
    the_actor_is_the_member: group_log::changes_of_members_are_entries, new_entries(|new| match new.body {
        NewBody::SetMember { user_id, .. } | NewBody::RemoveMember { user_id, .. } => new.actor_id = user_id,
        _ => {}
    });
    every_reason_is_removed: group_log::changes_of_members_are_entries, new_entries(|new| {
        if let NewBody::RemoveMember { reason, .. } = &mut new.body {
            *reason = sealroom_domain::RemovalReason::Removed;
        }
    });
    every_role_is_member: group_log::changes_of_members_are_entries, new_entries(|new| {
        if let NewBody::SetMember { role, .. } = &mut new.body {
            *role = Role::Member;
        }
    });
    the_guard_remembers_roles: group_log::memberships_changed_directly_write_no_entry_and_bind_the_guard,
        Racing::new(Defect::RememberedRoles);
}

fn set_role(new: &mut NewEntry, change: fn(Option<Role>) -> Option<Role>) {
    if let Guard::Kept { actor_role, .. } = &mut new.guard {
        *actor_role = change(*actor_role);
    }
}

fn set_keeps_owner(new: &mut NewEntry, keep: bool) {
    if let Guard::Kept { keeps_owner, .. } = &mut new.guard {
        *keeps_owner = keep;
    }
}
