//! Logs that edit, delete, show or limit what they should not.

use std::{collections::HashMap, sync::Mutex};

use sealroom_domain::{
    EncryptedContent, Entry, EntryBody, GroupId, KeyEpoch, Role, Seq,
    ports::{Appended, Cursor, Guard, MemberLimits, NewBody, NewEntry, OfOthers, PageLimit, RefusedEntry},
};
use sealroom_testkit::conformance::group_log;

use super::{
    caught,
    rewriting::{Answer, Rewriting, counter, entries, messages, new_entries, seq, user},
};

caught! {
    an_edit_loses_its_epoch: group_log::edits_are_entries, entries(|entry| {
        if let EntryBody::MessageEdited { key_epoch, .. } = &mut entry.body {
            *key_epoch = None;
        }
    });
    edited_content_is_trimmed: group_log::edited_content_is_byte_identical, new_entries(|new| {
        if let NewBody::EditMessage { content, .. } = &mut new.body {
            *content = EncryptedContent::new(content.as_str().trim(), usize::MAX).unwrap();
        }
    });
    anybody_edits: group_log::only_its_sender_edits_a_message, new_entries(|new| {
        if let NewBody::EditMessage { .. } = &new.body {
            new.actor_id = user(1);
        }
    });
    an_edit_of_an_edit_is_one_of_its_message: group_log::what_is_no_message_cannot_be_edited,
        new_entries(target_of_an_edit);
    edits_are_not_guarded: group_log::edits_and_deletions_pass_the_guard, new_entries(|new| {
        if let (NewBody::EditMessage { .. }, Guard::Kept { actor_role, .. }) = (&new.body, &mut new.guard) {
            *actor_role = None;
        }
    });
    deletions_are_not_guarded: group_log::edits_and_deletions_pass_the_guard, new_entries(|new| {
        if let (NewBody::DeleteMessage { .. }, Guard::Kept { actor_role, .. }) = (&new.body, &mut new.guard) {
            *actor_role = None;
        }
    });
    a_repeated_edit_is_answered_as_new: group_log::a_repeated_edit_answers_the_last_one,
        answers(|new, answer| if is_edit(new) { repeated_as_new(answer) });
    edits_come_after_their_batch: group_log::edits_bind_the_rest_of_their_batch, Rewriting {
        batch: Some(Box::new(|batch| batch.sort_by_key(is_edit))),
        ..Rewriting::default()
    };
    every_edit_is_new: group_log::concurrent_repetitions_store_one_edit, numbered_edits();

    a_deletion_is_the_senders: group_log::deletions_are_entries, entries(|entry| {
        if let EntryBody::MessageDeleted { actor_id, .. } = &mut entry.body {
            *actor_id = user(1);
        }
    });
    deleted_content_stays: group_log::a_deleted_message_has_no_content, keeping(Kept::Messages);
    edits_of_the_deleted_stay: group_log::a_deleted_message_has_no_content, keeping(Kept::Edits);
    anybody_deletes: group_log::messages_of_others_need_the_right, new_entries(|new| {
        if let NewBody::DeleteMessage { of_others, .. } = &mut new.body {
            *of_others = OfOthers::Always;
        }
    });
    nobody_deletes_for_others: group_log::messages_of_others_need_the_right, new_entries(|new| {
        if let NewBody::DeleteMessage { of_others, .. } = &mut new.body {
            *of_others = OfOthers::Never;
        }
    });
    any_member_deletes: group_log::a_role_that_deletes_is_the_least, new_entries(|new| {
        if let NewBody::DeleteMessage { of_others: OfOthers::FromRole(least), .. } = &mut new.body {
            *least = Role::Member;
        }
    });
    a_role_deletes_for_the_host: group_log::the_host_has_no_roles_that_delete, new_entries(|new| {
        if let NewBody::DeleteMessage { .. } = &new.body {
            new.guard = Guard::Kept { actor_role: None, keeps_owner: false };
        }
    });
    a_deletion_of_an_edit_is_one_of_its_message: group_log::what_is_no_message_cannot_be_deleted,
        new_entries(target_of_an_edit);
    a_repeated_deletion_finds_nothing: group_log::a_repeated_deletion_answers_the_first,
        answers(|new, answer| if matches!((&new.body, &answer), (
            NewBody::DeleteMessage { .. },
            Ok(Appended::Duplicate(_)),
        )) {
            *answer = Err(RefusedEntry::NoSuchMessage);
        });
    a_retry_of_an_edit_outlives_the_message: group_log::a_deleted_message_cannot_be_edited,
        edits_are_remembered();
    a_deleted_message_is_another_one: group_log::a_repetition_of_a_deleted_message_answers_its_entry,
        answers(|_, answer| if let Ok(Appended::Duplicate(Entry { body: EntryBody::Message(first), .. })) = answer
            && first.content.is_none()
        {
            *answer = Err(RefusedEntry::IdempotencyConflict);
        });
    every_deletion_is_new: group_log::concurrent_deletions_store_one, answers(|_, answer| repeated_as_new(answer));
    an_edit_brings_content_back: group_log::edits_that_meet_a_deletion_leave_no_content, keeping(Kept::Edits);

    an_empty_group_begins_at_0: group_log::only_a_group_has_a_page_of_messages,
        messages(|_, _, page| page.first = Seq::ZERO);
    edits_leave_no_trace: group_log::messages_are_shown_as_they_stand,
        messages(|_, _, page| for message in &mut page.messages { message.edited_seq = None; });
    the_first_epoch_stays: group_log::messages_are_shown_as_they_stand,
        messages(|_, _, page| for message in &mut page.messages {
            if let EntryBody::Message(message) = &mut message.entry.body {
                message.key_epoch = message.key_epoch.filter(|epoch| *epoch != KeyEpoch::new(9).unwrap());
            }
        });
    more_entries_are_more_messages: group_log::pages_of_messages_cover_them, messages(|_, _, page| {
        page.has_more |= page.messages.last().is_some_and(|last| last.entry.seq < page.head);
    });
    a_page_of_messages_misses_one: group_log::pages_of_messages_cover_them, Rewriting {
        asked_messages: Some(Box::new(|cursor, _| if let Cursor::After(place) = cursor {
            *place = place.next();
        })),
        ..Rewriting::default()
    };
    before_a_place_is_up_to_it: group_log::cursors_between_messages_are_places_of_the_log, Rewriting {
        asked_messages: Some(Box::new(|cursor, _| if let Cursor::Before(place) = cursor {
            *place = place.next();
        })),
        ..Rewriting::default()
    };
    messages_have_no_weight: group_log::a_page_of_messages_ends_at_its_byte_limit, Rewriting {
        asked_messages: Some(Box::new(|_, limit: &mut PageLimit| limit.bytes = usize::MAX)),
        ..Rewriting::default()
    };

    one_more_fits_into_a_group: group_log::a_full_group_takes_nobody,
        limits(|limits| limits.per_group = limits.per_group.map(|most| most + 1));
    users_have_no_limit: group_log::a_user_with_too_many_groups_joins_none,
        limits(|limits| limits.per_user = None);
    limits_look_at_the_batchs_beginning: group_log::limits_count_what_the_batch_did_before, Rewriting {
        batch: Some(Box::new(|batch| batch.iter_mut().skip(1).for_each(without_limits))),
        ..Rewriting::default()
    };
    the_host_has_limits: group_log::the_host_guard_knows_no_limits, new_entries(|new| {
        if let (NewBody::SetMember { .. }, Guard::Host) = (&new.body, new.guard) {
            new.guard = Guard::Kept { actor_role: None, keeps_owner: false };
        }
    });
    groups_have_no_limit: group_log::a_full_group_takes_nobody_at_once,
        limits(|limits| limits.per_group = None);
}

const fn is_edit(new: &NewEntry) -> bool {
    matches!(new.body, NewBody::EditMessage { .. })
}

/// What refers to the edit at place 3 means the message at place 1.
fn target_of_an_edit(new: &mut NewEntry) {
    if let NewBody::EditMessage { target_seq, .. } | NewBody::DeleteMessage { target_seq, .. } = &mut new.body
        && *target_seq == seq(3)
    {
        *target_seq = seq(1);
    }
}

fn repeated_as_new(answer: &mut Answer) {
    if let Ok(Appended::Duplicate(entry)) = answer {
        *answer = Ok(Appended::New(entry.clone()));
    }
}

fn without_limits(new: &mut NewEntry) {
    if let NewBody::SetMember { limits, .. } = &mut new.body {
        *limits = MemberLimits::default();
    }
}

/// Changes the limits of every new member.
fn limits(change: fn(&mut MemberLimits)) -> Rewriting {
    Rewriting {
        new: Some(Box::new(move |new| {
            if let NewBody::SetMember { limits, .. } = &mut new.body {
                change(limits);
            }
        })),
        ..Rewriting::default()
    }
}

/// Changes every answer to an append.
fn answers(change: fn(&NewEntry, &mut Answer)) -> Rewriting {
    Rewriting {
        answer: Some(Box::new(change)),
        ..Rewriting::default()
    }
}

/// No edit is like another one.
fn numbered_edits() -> Rewriting {
    let count = counter();
    Rewriting {
        new: Some(Box::new(move |new| {
            if let NewBody::EditMessage { key_epoch, .. } = &mut new.body {
                *key_epoch = KeyEpoch::new(i64::try_from(count()).unwrap()).ok();
            }
        })),
        ..Rewriting::default()
    }
}

/// Answers a repeated edit from its memory, whatever became of the message.
fn edits_are_remembered() -> Rewriting {
    let known: Mutex<HashMap<String, Entry>> = Mutex::default();
    Rewriting {
        answer: Some(Box::new(move |new, answer| {
            let NewBody::EditMessage { content, .. } = &new.body else {
                return;
            };
            let mut known = known.lock().unwrap();
            match answer {
                Ok(Appended::New(entry)) => {
                    known.insert(content.as_str().into(), entry.clone());
                }
                Err(RefusedEntry::NoSuchMessage) => {
                    if let Some(first) = known.get(content.as_str()) {
                        *answer = Ok(Appended::Duplicate(first.clone()));
                    }
                }
                _ => {}
            }
        })),
        ..Rewriting::default()
    }
}

/// Whose content a deletion leaves.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    Messages,
    Edits,
}

/// Remembers content and brings it back.
pub(crate) fn keeping(kept: Kept) -> Rewriting {
    let contents: Mutex<HashMap<(GroupId, Seq), EncryptedContent>> = Mutex::default();
    Rewriting {
        entry: Some(Box::new(move |entry| {
            let place = (entry.group_id, entry.seq);
            let content = match &mut entry.body {
                EntryBody::Message(message) if kept == Kept::Messages => &mut message.content,
                EntryBody::MessageEdited { content, .. } if kept == Kept::Edits => content,
                _ => return,
            };
            let mut contents = contents.lock().unwrap();
            match content {
                Some(content) => {
                    contents.insert(place, content.clone());
                }
                None => *content = contents.get(&place).cloned(),
            }
        })),
        ..Rewriting::default()
    }
}
