//! Outboxes that forget, repeat or mix up.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use sealroom_domain::{
    EncryptedContent, EntryBody, GroupId, Timestamp,
    ports::{Groups, Outbox, OutboxId, OutboxItem, StoreError},
};
use sealroom_testkit::{
    conformance::outbox::{self, OutboxFixture},
    memory::MemoryStore,
};
use tokio::task::yield_now;

use super::caught;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Defect {
    None,
    EmptyHasAnItem,
    MembersAreNotTold,
    ItemsAreDoubled,
    PlaceIsIncluded,
    PendingDelivers,
    DeliveredBindsTooMany,
    ContentStays,
    ForgottenAreDropped,
    DeletedAreEmpty,
    EntriesAreReversed,
    EverybodyDelivers,
    RenewalIsRefused,
    LeaseOutlivesItsEnd,
    LeaseChecksFirst,
}

#[derive(Debug)]
struct Broken {
    inner: MemoryStore,
    defect: Defect,
    holder: Mutex<Option<(String, Timestamp)>>,
}

fn broken(defect: Defect) -> OutboxFixture {
    let inner = MemoryStore::new();
    let store = Arc::new(inner.clone());
    let (groups, log) = (Arc::clone(&store), Arc::clone(&store));
    let outbox = Broken {
        inner,
        defect,
        holder: Mutex::default(),
    };
    OutboxFixture::new(Arc::new(outbox), groups, log, store)
}

mod without_a_defect {
    use super::{Defect, broken};

    sealroom_testkit::outbox_conformance!(async { broken(Defect::None) });
}

caught! {
    an_empty_outbox_has_an_item: outbox::an_empty_outbox_has_no_items, broken(Defect::EmptyHasAnItem);
    changes_of_members_are_not_told: outbox::every_new_entry_has_an_item, broken(Defect::MembersAreNotTold);
    founders_are_not_told: outbox::founders_have_items_too, broken(Defect::MembersAreNotTold);
    a_repetition_is_told: outbox::what_is_no_entry_has_no_item, broken(Defect::ItemsAreDoubled);
    a_page_begins_at_the_place: outbox::pages_cover_the_outbox, broken(Defect::PlaceIsIncluded);
    what_was_read_is_gone: outbox::an_item_stays_until_it_was_delivered, broken(Defect::PendingDelivers);
    a_delivery_binds_too_many_variables: outbox::many_items_are_delivered_at_once,
        broken(Defect::DeliveredBindsTooMany);
    an_item_keeps_its_content: outbox::an_item_shows_its_entry_as_it_is_now, broken(Defect::ContentStays);
    items_of_forgotten_entries_are_dropped: outbox::an_item_of_a_forgotten_entry_has_none,
        broken(Defect::ForgottenAreDropped);
    items_outlive_their_group: outbox::a_deleted_group_has_no_items, broken(Defect::DeletedAreEmpty);
    the_newest_comes_first: outbox::items_of_a_group_are_in_the_order_of_its_log,
        broken(Defect::EntriesAreReversed);
    everybody_delivers: outbox::one_holder_delivers_at_a_time, broken(Defect::EverybodyDelivers);
    a_holder_cannot_renew: outbox::one_holder_delivers_at_a_time, broken(Defect::RenewalIsRefused);
    a_lease_outlives_its_end: outbox::a_lease_ends_at_its_very_moment, broken(Defect::LeaseOutlivesItsEnd);
    the_holder_is_read_before_the_lock: outbox::one_of_racing_holders_gets_the_lease,
        broken(Defect::LeaseChecksFirst);
}

impl Broken {
    /// Reads who has it, and writes later.
    async fn lease_in_two(&self, holder: &str, now: Timestamp, until: Timestamp) -> bool {
        let present = self.holder.lock().unwrap().clone();
        yield_now().await;
        if present.is_some_and(|(other, ends)| other != holder && now < ends) {
            return false;
        }
        *self.holder.lock().unwrap() = Some((holder.into(), until));
        true
    }
}

#[async_trait]
impl Outbox for Broken {
    async fn lease(&self, holder: &str, now: Timestamp, until: Timestamp) -> Result<bool, StoreError> {
        match self.defect {
            Defect::EverybodyDelivers => Ok(true),
            Defect::RenewalIsRefused => {
                let holder = format!("{holder} {}", now.as_micros());
                self.inner.lease(&holder, now, until).await
            }
            Defect::LeaseOutlivesItsEnd => {
                let now = now.minus(Duration::from_micros(1));
                self.inner.lease(holder, now, until).await
            }
            Defect::LeaseChecksFirst => Ok(self.lease_in_two(holder, now, until).await),
            _ => self.inner.lease(holder, now, until).await,
        }
    }

    async fn pending(&self, after: OutboxId, limit: usize) -> Result<Vec<OutboxItem>, StoreError> {
        let from = match self.defect {
            Defect::PlaceIsIncluded => OutboxId(after.0 - 1),
            _ => after,
        };
        let mut items = self.inner.pending(from, limit).await?;
        let next = OutboxId(items.last().map_or(after.0, |item| item.id.0) + 1);
        let nothing = OutboxItem {
            id: next,
            entry: None,
        };
        match self.defect {
            Defect::EmptyHasAnItem => items.push(nothing),
            Defect::MembersAreNotTold => items.retain(|item| {
                let body = item.entry.as_ref().map(|entry| &entry.body);
                !matches!(body, Some(EntryBody::MemberAdded { .. }))
            }),
            Defect::ItemsAreDoubled => {
                let first = items.first().and_then(|item| item.entry.clone());
                items.push(OutboxItem {
                    id: next,
                    entry: first,
                });
            }
            Defect::PendingDelivers => {
                let ids: Vec<OutboxId> = items.iter().map(|item| item.id).collect();
                self.inner.delivered(&ids).await?;
            }
            Defect::ContentStays => {
                for entry in items.iter_mut().filter_map(|item| item.entry.as_mut()) {
                    if let EntryBody::Message(message) = &mut entry.body {
                        message.content = EncryptedContent::new("kept", 4).ok();
                    }
                }
            }
            Defect::ForgottenAreDropped => items.retain(|item| item.entry.is_some()),
            Defect::DeletedAreEmpty => {
                let one = self.inner.get(&[GroupId::new(1).unwrap()]).await?;
                if one.is_empty() {
                    items.push(nothing);
                }
            }
            Defect::EntriesAreReversed => {
                let mut entries: Vec<_> = items.iter().map(|item| item.entry.clone()).collect();
                for item in &mut items {
                    item.entry = entries.pop().unwrap();
                }
            }
            _ => {}
        }
        Ok(items)
    }

    async fn delivered(&self, ids: &[OutboxId]) -> Result<(), StoreError> {
        if self.defect == Defect::DeliveredBindsTooMany && ids.len() > 32_766 {
            return Err(StoreError::internal("too many SQL variables"));
        }
        self.inner.delivered(ids).await
    }
}
