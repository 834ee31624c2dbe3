//! Logs that lose, change or misplace entries.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use sealroom_domain::{
    ClientMessageId, EntryBody, LogId, Seq,
    ports::{Appended, Cursor, GroupLog, NewBody, Page, RefusedEntry, StoreError},
};
use sealroom_testkit::{
    conformance::{
        Hook,
        group_log::{self, GroupLogFixture},
    },
    memory::MemoryStore,
};

use super::{
    caught,
    rewriting::{
        Rewriting, asked, content_of, contents, counter, entries, message_of, new_entries, pages, seq, user,
        whole_millis,
    },
};

mod without_a_defect {
    use super::Rewriting;

    sealroom_testkit::group_log_conformance!(async { Rewriting::default() });
}

caught! {
    the_log_gets_another_name: group_log::log_id_is_stable, another_name();
    places_begin_at_0: group_log::seq_is_dense_from_one_in_each_group,
        entries(|entry| entry.seq = entry.seq.previous());
    a_gap_in_the_places: group_log::batch_order_is_kept,
        entries(|entry| if entry.seq > seq(2) { entry.seq = entry.seq.next() });
    groups_share_one_counter: group_log::seq_is_dense_from_one_in_each_group, one_counter();
    a_batch_is_sorted_by_group: group_log::batch_order_is_kept, Rewriting {
        batch: Some(Box::new(|batch| batch.sort_by_key(|new| new.group_id))),
        ..Rewriting::default()
    };
    a_batch_is_stored_backwards: group_log::batch_order_is_kept, Rewriting {
        batch: Some(Box::new(|batch| batch.reverse())),
        ..Rewriting::default()
    };
    a_large_batch_is_cut: group_log::a_large_batch_is_one_batch, Rewriting {
        batch: Some(Box::new(|batch| batch.truncate(1_000))),
        ..Rewriting::default()
    };
    pages_are_sorted_by_time: group_log::order_is_by_seq_and_not_by_time,
        pages(|_, _, page| page.entries.sort_by_key(|entry| entry.at));
    a_refused_entry_takes_a_place: group_log::refused_entries_take_no_seq_and_spoil_nothing, Rewriting {
        // A conflict is stored under no id and refused only then.
        new: Some(Box::new(|new| {
            if let NewBody::Message { client_message_id, content, .. } = &mut new.body
                && content.as_str() == "other"
            {
                *client_message_id = None;
            }
        })),
        answer: Some(Box::new(|new, answer| {
            if matches!(&new.body, NewBody::Message { content, .. } if content.as_str() == "other") {
                *answer = Err(RefusedEntry::IdempotencyConflict);
            }
        })),
        ..Rewriting::default()
    };
    one_refusal_refuses_the_batch: group_log::refused_entries_take_no_seq_and_spoil_nothing, Rewriting {
        batch: Some(Box::new(|batch| {
            if batch.iter().any(|new| new.group_id.get() == 999) {
                for new in batch { new.group_id = 999.try_into().unwrap(); }
            }
        })),
        ..Rewriting::default()
    };
    heads_lag_behind: group_log::heads_are_the_last_places, Rewriting {
        heads: Some(Box::new(|_, heads| {
            for (_, head) in heads { *head = head.previous(); }
            Ok(())
        })),
        ..Rewriting::default()
    };
    unknown_groups_have_a_head: group_log::heads_leave_unknown_groups_out, Rewriting {
        heads: Some(Box::new(|groups, heads| {
            for group_id in groups {
                if heads.iter().all(|(known, _)| known != group_id) {
                    heads.push((*group_id, Seq::ZERO));
                }
            }
            Ok(())
        })),
        ..Rewriting::default()
    };
    a_question_binds_too_many_variables: group_log::many_heads_are_one_question, Rewriting {
        heads: Some(Box::new(|groups, _| match groups.len() {
            0..=32_766 => Ok(()),
            _ => Err(StoreError::internal("too many SQL variables")),
        })),
        ..Rewriting::default()
    };
    the_last_entry_is_not_visible_yet: group_log::an_append_is_visible_when_it_returned,
        pages(|_, _, page| { page.entries.pop(); });
    an_error_shows_the_content: group_log::errors_keep_a_source, leaking();
    an_unreachable_store_answers: group_log::errors_keep_a_source, unnoticed_outage();

    times_lose_their_microseconds: group_log::appended_entries_are_read_back_as_answered,
        entries(|entry| entry.at = whole_millis(entry.at));
    the_name_is_read_later: group_log::names_and_client_ids_are_byte_identical, entries(|entry| {
        if let Some(message) = message_of(entry) {
            message.sender_name = sealroom_domain::DisplayName::unknown();
        }
    });
    epoch_0_is_no_epoch: group_log::the_largest_numbers_are_kept, entries(|entry| {
        if let Some(message) = message_of(entry) {
            message.key_epoch = message.key_epoch.filter(|epoch| epoch.get() != 0);
        }
    });
    numbers_are_cut_to_32_bits: group_log::the_largest_numbers_are_kept, entries(|entry| {
        if let Some(message) = message_of(entry) {
            message.sender_id = user((message.sender_id.get() & 0xffff_ffff).max(1));
        }
    });
    message_ids_count_in_each_group: group_log::message_ids_are_unique_and_grow, entries(|entry| {
        let seq = entry.seq.get();
        if let Some(message) = message_of(entry) {
            message.id = seq.try_into().unwrap();
        }
    });
    message_ids_shrink: group_log::message_ids_are_unique_and_grow, entries(|entry| {
        if let Some(message) = message_of(entry) {
            message.id = (1_000_000 - message.id.get()).try_into().unwrap();
        }
    });
    content_is_cut: group_log::content_at_the_limit_is_byte_identical,
        contents(|text| text.chars().take(65_535).collect());
    content_is_trimmed: group_log::content_is_byte_identical, contents(|text| match text.trim_end() {
        "" => text.into(),
        trimmed => trimmed.into(),
    });
    line_ends_are_converted: group_log::content_is_byte_identical,
        contents(|text| text.replace("\r\n", "\n"));
    content_is_unescaped: group_log::content_is_byte_identical,
        contents(|text| text.replace("\\u0000", "?"));
    content_is_ascii_only: group_log::content_is_byte_identical,
        contents(|text| text.replace(|c: char| c > '\u{ffff}', "\u{fffd}"));
    content_is_normalized: group_log::content_is_byte_identical,
        contents(|text| text.replace("e\u{301}", "é"));

    repetitions_are_stored: group_log::a_repetition_in_a_later_batch_answers_the_first_entry,
        new_entries(forget_client_id);
    repetitions_in_a_batch_are_stored: group_log::a_repetition_in_the_same_batch_answers_the_first_entry,
        new_entries(forget_client_id);
    old_ids_are_forgotten: group_log::a_repetition_is_found_after_many_messages, forgetful();
    a_repetition_is_answered_as_new: group_log::a_repetition_in_a_later_batch_answers_the_first_entry, Rewriting {
        answer: Some(Box::new(|_, answer| {
            if let Ok(Appended::Duplicate(entry)) = answer {
                *answer = Ok(Appended::New(entry.clone()));
            }
        })),
        ..Rewriting::default()
    };
    a_repetition_is_answered_as_it_came: group_log::a_repetition_in_a_later_batch_answers_the_first_entry, Rewriting {
        answer: Some(Box::new(|new, answer| {
            if let (Ok(Appended::Duplicate(entry)), NewBody::Message { sender_name, .. }) = (answer, &new.body)
                && let EntryBody::Message(message) = &mut entry.body
            {
                message.sender_name = sender_name.clone();
            }
        })),
        ..Rewriting::default()
    };
    other_content_passes_for_the_first: group_log::other_content_under_the_same_id_is_a_conflict, Rewriting {
        new: Some(Box::new(|new| {
            if let Some(content) = content_of(new) {
                *content = sealroom_domain::EncryptedContent::new("x", 1).unwrap();
            }
        })),
        ..Rewriting::default()
    };
    the_epoch_is_not_compared: group_log::another_key_epoch_under_the_same_id_is_a_conflict, new_entries(|new| {
        if let NewBody::Message { key_epoch, .. } = &mut new.body {
            *key_epoch = None;
        }
    });
    ids_are_shared_by_senders: group_log::client_ids_are_scoped_to_group_and_sender,
        new_entries(|new| new.actor_id = user(1));
    ids_ignore_case: group_log::client_ids_are_compared_byte_for_byte,
        new_entries(|new| change_client_id(new, str::to_ascii_lowercase));
    ids_are_trimmed: group_log::client_ids_are_compared_byte_for_byte,
        new_entries(|new| change_client_id(new, |id| id.trim_end().into()));
    no_id_is_an_id: group_log::messages_without_client_id_are_never_repetitions, new_entries(|new| {
        if let NewBody::Message { client_message_id, .. } = &mut new.body {
            client_message_id.get_or_insert(ClientMessageId::new("none").unwrap());
        }
    });

    an_unknown_group_is_an_empty_one: group_log::an_unknown_group_has_no_page, Rewriting {
        found: Some(Box::new(|found| {
            Some(found.unwrap_or(Page { entries: Vec::new(), has_more: false, head: Seq::ZERO, first: seq(1) }))
        })),
        ..Rewriting::default()
    };
    an_empty_group_is_an_unknown_one: group_log::an_empty_group_has_an_empty_page, Rewriting {
        found: Some(Box::new(|found| found.filter(|page| page.head > Seq::ZERO))),
        ..Rewriting::default()
    };
    a_page_skips_an_entry: group_log::pages_after_a_cursor_cover_the_log, asked(|cursor, _| {
        if let Cursor::After(seq) = cursor && *seq > Seq::ZERO {
            *seq = seq.next();
        }
    });
    a_page_repeats_an_entry: group_log::pages_after_a_cursor_cover_the_log,
        asked(|cursor, _| if let Cursor::After(seq) = cursor { *seq = seq.previous() });
    a_full_page_promises_more: group_log::pages_after_a_cursor_cover_the_log,
        pages(|_, limit, page| page.has_more = page.entries.len() == limit.entries);
    a_page_loses_an_entry: group_log::pages_after_a_cursor_cover_the_log,
        pages(|_, _, page| if page.entries.len() > 2 { page.entries.remove(1); });
    a_page_is_half_empty: group_log::pages_after_a_cursor_cover_the_log,
        asked(|_, limit| limit.entries = limit.entries.div_ceil(2));
    a_page_before_a_cursor_includes_it: group_log::pages_before_a_cursor_cover_the_log,
        asked(|cursor, _| if let Cursor::Before(seq) = cursor { *seq = seq.next() });
    a_page_before_a_cursor_descends: group_log::pages_before_a_cursor_cover_the_log,
        pages(|cursor, _, page| if let Cursor::Before(_) = cursor { page.entries.reverse() });
    a_page_before_a_cursor_begins_at_1: group_log::pages_before_a_cursor_cover_the_log,
        asked(|cursor, _| if let Cursor::Before(_) = cursor { *cursor = Cursor::After(Seq::ZERO) });
    backward_pages_look_forward_for_more: group_log::pages_before_a_cursor_cover_the_log, pages(|cursor, _, page| {
        if let Cursor::Before(_) = cursor {
            page.has_more = page.entries.last().is_some_and(|entry| entry.seq < page.head);
        }
    });
    the_newest_page_is_the_oldest: group_log::the_newest_page_ends_the_log,
        asked(|cursor, _| if *cursor == Cursor::Newest { *cursor = Cursor::After(Seq::ZERO) });
    the_head_is_that_of_the_page: group_log::pages_after_a_cursor_cover_the_log, pages(|_, _, page| {
        page.head = page.entries.last().map_or(Seq::ZERO, |entry| entry.seq);
    });
    beyond_the_log_is_its_end: group_log::cursors_beyond_the_log_give_empty_pages, asked(|cursor, _| {
        if let Cursor::After(seq) = cursor && seq.get() > 5 {
            *cursor = Cursor::Newest;
        }
    });
    the_byte_limit_is_ignored: group_log::a_page_ends_at_its_byte_limit,
        asked(|_, limit| limit.bytes = usize::MAX);
    the_byte_limit_counts_no_escapes: group_log::a_page_ends_at_its_byte_limit,
        asked(|_, limit| limit.bytes += limit.bytes / 4);
    a_page_cut_by_bytes_has_no_more: group_log::a_page_ends_at_its_byte_limit,
        pages(|_, limit, page| page.has_more &= page.entries.len() >= limit.entries);
    a_heavy_entry_gives_an_empty_page: group_log::the_first_entry_is_given_however_heavy, pages(|_, limit, page| {
        page.entries.retain(|entry| entry.weight() <= limit.bytes);
    });
}

fn another_name() -> Rewriting {
    let next = counter();
    Rewriting {
        log_id: Some(Box::new(move || LogId::new(format!("log-{}", next())).unwrap())),
        ..Rewriting::default()
    }
}

/// Places are those of the whole store: in each group they ascend, but with gaps.
fn one_counter() -> Rewriting {
    entries(|entry| {
        if let Some(message) = message_of(entry) {
            entry.seq = seq(message.id.get());
        }
    })
}

/// Remembers ids for a thousand messages.
fn forgetful() -> Rewriting {
    let next = counter();
    Rewriting {
        new: Some(Box::new(move |new| {
            let era = next() / 1_000;
            if era > 0 {
                change_client_id(new, |id| format!("{id}'"));
            }
        })),
        ..Rewriting::default()
    }
}

fn forget_client_id(new: &mut sealroom_domain::ports::NewEntry) {
    if let NewBody::Message {
        client_message_id, ..
    } = &mut new.body
    {
        *client_message_id = None;
    }
}

fn change_client_id(new: &mut sealroom_domain::ports::NewEntry, change: fn(&str) -> String) {
    if let NewBody::Message {
        client_message_id: Some(id),
        ..
    } = &mut new.body
        && let Ok(changed) = ClientMessageId::new(change(id.as_str()))
    {
        *id = changed;
    }
}

/// Fails, and puts the content into the error.
fn leaking() -> GroupLogFixture {
    #[derive(Debug)]
    struct Leaking(MemoryStore, Arc<AtomicBool>);

    #[async_trait::async_trait]
    impl GroupLog for Leaking {
        async fn log_id(&self) -> Result<LogId, StoreError> {
            self.0.log_id().await
        }

        async fn append(
            &self,
            batch: Vec<sealroom_domain::ports::NewEntry>,
        ) -> Result<Vec<Result<Appended, RefusedEntry>>, StoreError> {
            if self.1.load(Ordering::SeqCst)
                && let NewBody::Message { content, .. } = &batch[0].body
            {
                let text = format!("INSERT INTO entries VALUES ('{}')", content.as_str());
                return Err(StoreError::unavailable(text));
            }
            self.0.append(batch).await
        }

        async fn read(
            &self,
            group_id: sealroom_domain::GroupId,
            cursor: Cursor,
            limit: sealroom_domain::ports::PageLimit,
        ) -> Result<Option<Page>, StoreError> {
            if self.1.load(Ordering::SeqCst) {
                return Err(StoreError::unavailable("gone"));
            }
            self.0.read(group_id, cursor, limit).await
        }

        async fn messages(
            &self,
            group_id: sealroom_domain::GroupId,
            cursor: Cursor,
            limit: sealroom_domain::ports::PageLimit,
        ) -> Result<Option<sealroom_domain::ports::MessagesPage>, StoreError> {
            self.0.messages(group_id, cursor, limit).await
        }

        async fn heads(
            &self,
            groups: &[sealroom_domain::GroupId],
        ) -> Result<Vec<(sealroom_domain::GroupId, Seq)>, StoreError> {
            if self.1.load(Ordering::SeqCst) {
                return Err(StoreError::unavailable("gone"));
            }
            self.0.heads(groups).await
        }
    }

    let store = MemoryStore::new();
    let gone = Arc::new(AtomicBool::new(false));
    let switch = Arc::clone(&gone);
    GroupLogFixture::new(Arc::new(Leaking(store.clone(), gone)), Arc::new(store)).with_outage(Hook::new(
        move |()| {
            switch.store(true, Ordering::SeqCst);
            std::future::ready(())
        },
    ))
}

/// Answers from its memory although the store is gone.
fn unnoticed_outage() -> GroupLogFixture {
    GroupLogFixture::from(MemoryStore::new()).with_outage(Hook::new(|()| std::future::ready(())))
}

#[tokio::test]
async fn a_peer_with_a_log_of_its_own_is_caught() {
    let fixture = || GroupLogFixture::from(MemoryStore::new()).with_peer(Arc::new(MemoryStore::new()));
    super::assert_caught(group_log::log_id_is_stable(fixture())).await;
    super::assert_caught(group_log::peers_append_to_the_same_log(fixture())).await;
}
