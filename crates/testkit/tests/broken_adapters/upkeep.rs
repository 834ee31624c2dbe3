//! Upkeep that forgets too much or too little.

use std::sync::Arc;

use async_trait::async_trait;
use sealroom_domain::{
    DisplayName, EntryBody, GroupId, Retention, Seq, Timestamp, UserId,
    ports::{
        Appended, Cursor, GroupLog, Groups, NewBody, PageLimit, RefusedEntry, StoreError, Trimmed, Upkeep,
        Users,
    },
};
use sealroom_testkit::{
    conformance::upkeep::{self, UpkeepFixture},
    memory::MemoryStore,
};
use tokio::task::yield_now;

use super::{
    caught,
    group_log_changes::{Kept, keeping},
    rewriting::{Rewriting, entries, pages, seq},
};

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Defect {
    None,
    AlwaysARule,
    OneMoreIsKept,
    ExactlyAsOldGoes,
    EverythingUpToTheLastOldGoes,
    ServersRuleOnly,
    OwnRuleForAll,
    OneStepDoesAll,
    PlaceIsIgnored,
    NothingIsCounted,
    CountsBefore,
    NothingIsUnfinished,
    OneStepIsEnough,
    TheRevivedLoseAll,
    AnybodyIsErased,
}

#[derive(Debug)]
struct Broken {
    inner: MemoryStore,
    defect: Defect,
}

fn broken(defect: Defect) -> UpkeepFixture {
    let inner = MemoryStore::new();
    let store = Arc::new(inner.clone());
    let (groups, log) = (Arc::clone(&store), Arc::clone(&store));
    UpkeepFixture::new(Arc::new(Broken { inner, defect }), groups, log, store)
}

/// Upkeep without a defect, of a log that has one.
fn of_log(log: Rewriting) -> UpkeepFixture {
    let store = Arc::new(log.inner.clone());
    let (groups, users) = (Arc::clone(&store), Arc::clone(&store));
    UpkeepFixture::new(store, groups, Arc::new(log), users)
}

mod without_a_defect {
    use super::{Defect, broken};

    sealroom_testkit::upkeep_conformance!(async { broken(Defect::None) });
}

caught! {
    there_is_always_a_rule: upkeep::without_a_rule_nothing_is_forgotten, broken(Defect::AlwaysARule);
    one_more_is_kept: upkeep::entries_beyond_the_count_are_forgotten, broken(Defect::OneMoreIsKept);
    what_is_exactly_as_old_goes: upkeep::entries_older_than_the_age_are_forgotten,
        broken(Defect::ExactlyAsOldGoes);
    everything_up_to_the_last_old_entry_goes: upkeep::an_entry_that_is_kept_keeps_those_after_it,
        broken(Defect::EverythingUpToTheLastOldGoes);
    a_groups_rule_is_ignored: upkeep::the_shorter_rule_holds, broken(Defect::ServersRuleOnly);
    a_groups_rule_holds_for_all: upkeep::a_groups_rule_is_its_own, broken(Defect::OwnRuleForAll);
    the_last_entry_goes: upkeep::the_last_entry_stays, of_log(pages(|_, _, page| {
        if page.first == page.head { page.entries.clear(); }
    }));
    one_step_does_all: upkeep::a_step_is_bounded_and_goes_on_behind_it, broken(Defect::OneStepDoesAll);
    a_step_begins_anywhere: upkeep::a_step_begins_behind_a_group, broken(Defect::PlaceIsIgnored);
    deleted_groups_stay: upkeep::deleted_groups_are_cleared_away, broken(Defect::NothingIsCounted);
    entries_are_counted_before_the_lock: upkeep::concurrent_steps_forget_once, broken(Defect::CountsBefore);

    a_log_always_begins_at_1: upkeep::a_trimmed_log_says_so, of_log(pages(|_, _, page| page.first = seq(1)));
    more_was_before: upkeep::a_trimmed_log_says_so, of_log(pages(|cursor, _, page| {
        page.has_more |= !matches!(cursor, Cursor::After(_)) && page.first > seq(1);
    }));
    a_forgotten_message_is_anothers: upkeep::a_forgotten_message_cannot_be_changed, of_log(Rewriting {
        answer: Some(Box::new(|_, answer| if *answer == Err(RefusedEntry::NoSuchMessage) {
            *answer = Err(RefusedEntry::NotItsSender);
        })),
        ..Rewriting::default()
    });
    client_ids_outlive_their_message: upkeep::the_client_id_of_a_forgotten_message_is_free,
        of_log(client_ids_stay());

    nothing_is_unfinished: upkeep::an_erasure_is_unfinished_until_its_last_step,
        broken(Defect::NothingIsUnfinished);
    the_name_stays: upkeep::erasure_removes_content_names_and_client_ids, of_log(entries(|entry| {
        if let EntryBody::Message(message) = &mut entry.body {
            message.sender_name = DisplayName::new("Nguyễn Văn A").unwrap();
        }
    }));
    the_content_stays: upkeep::erasure_removes_content_names_and_client_ids, of_log(keeping(Kept::Messages));
    one_step_is_enough: upkeep::erasure_reaches_every_entry, broken(Defect::OneStepIsEnough);
    client_ids_outlive_their_user: upkeep::erased_messages_are_none, of_log(client_ids_stay());
    edits_outlive_their_user: upkeep::edits_of_forgotten_messages_are_erased, of_log(keeping(Kept::Edits));
    who_came_back_loses_all: upkeep::a_user_who_came_back_keeps_what_it_writes,
        broken(Defect::TheRevivedLoseAll);
    anybody_is_erased: upkeep::nobody_else_loses_content, broken(Defect::AnybodyIsErased);
}

/// A client id that was used once is never free again.
fn client_ids_stay() -> Rewriting {
    Rewriting {
        answer: Some(Box::new(|new, answer| {
            let has_id = matches!(
                &new.body,
                NewBody::Message {
                    client_message_id: Some(_),
                    ..
                }
            );
            if let Ok(Appended::New(entry)) = answer
                && has_id
                && entry.seq > seq(2)
            {
                *answer = Err(RefusedEntry::IdempotencyConflict);
            }
        })),
        ..Rewriting::default()
    }
}

impl Broken {
    /// How many entries of groups 1 and 2 are behind the last 20.
    async fn beyond_20(&self) -> Result<u64, StoreError> {
        let mut beyond = 0;
        for number in [1, 2] {
            beyond += self.log(number).await?.saturating_sub(20);
        }
        Ok(u64::try_from(beyond).unwrap())
    }

    async fn log(&self, number: i64) -> Result<usize, StoreError> {
        Ok(self.entries(number).await?.len())
    }

    async fn entries(&self, number: i64) -> Result<Vec<sealroom_domain::Entry>, StoreError> {
        let limit = PageLimit {
            entries: 10_000,
            bytes: usize::MAX,
        };
        let group_id = GroupId::new(number).unwrap();
        let page = self.inner.read(group_id, Cursor::After(Seq::ZERO), limit).await?;
        Ok(page.map(|page| page.entries).unwrap_or_default())
    }
}

#[async_trait]
impl Upkeep for Broken {
    async fn trim(
        &self,
        mut after: Option<GroupId>,
        mut retention: Retention,
        mut now: Timestamp,
    ) -> Result<Trimmed, StoreError> {
        match self.defect {
            Defect::AlwaysARule => retention.count = retention.count.or(Some(5)),
            Defect::OneMoreIsKept => retention.count = retention.count.map(|count| count + 1),
            Defect::ExactlyAsOldGoes => now = now.plus(std::time::Duration::from_micros(1)),
            Defect::PlaceIsIgnored => after = None,
            Defect::EverythingUpToTheLastOldGoes => {
                let entries = self.entries(1).await?;
                let from = now.minus(retention.age.unwrap());
                let old = entries.iter().rposition(|entry| entry.at < from);
                let kept = entries.len() - old.map_or(0, |old| old + 1);
                retention.count = Some(u64::try_from(kept).unwrap());
            }
            Defect::ServersRuleOnly => {
                for number in 1..10 {
                    let change = sealroom_domain::ports::GroupChange {
                        name: None,
                        retention: Some(Retention::default()),
                    };
                    self.inner.update(GroupId::new(number).unwrap(), change).await?;
                }
            }
            Defect::OwnRuleForAll => {
                let ids: Vec<GroupId> = (1..10).map(|id| GroupId::new(id).unwrap()).collect();
                for group in self.inner.get(&ids).await? {
                    retention = retention.and(group.retention);
                }
            }
            Defect::CountsBefore => {
                let entries = self.beyond_20().await?;
                yield_now().await;
                let trimmed = self.inner.trim(after, retention, now).await?;
                return Ok(Trimmed { entries, ..trimmed });
            }
            _ => {}
        }
        let mut trimmed = self.inner.trim(after, retention, now).await?;
        if self.defect == Defect::NothingIsCounted {
            trimmed.entries = 0;
        }
        while let (Defect::OneStepDoesAll, Some(next)) = (self.defect, trimmed.next) {
            let more = self.inner.trim(Some(next), retention, now).await?;
            trimmed.entries += more.entries;
            trimmed.next = more.next;
        }
        if self.defect == Defect::OneStepDoesAll {
            trimmed.entries += self.inner.trim(None, retention, now).await?.entries;
            trimmed.entries += self.inner.trim(None, retention, now).await?.entries;
        }
        Ok(trimmed)
    }

    async fn unfinished_erasures(&self) -> Result<Vec<UserId>, StoreError> {
        match self.defect {
            Defect::NothingIsUnfinished => Ok(Vec::new()),
            _ => self.inner.unfinished_erasures().await,
        }
    }

    async fn erase_content(
        &self,
        user_id: UserId,
        after: Option<(GroupId, Seq)>,
    ) -> Result<Option<(GroupId, Seq)>, StoreError> {
        let unfinished = self.inner.unfinished_erasures().await?;
        match self.defect {
            Defect::TheRevivedLoseAll if unfinished.contains(&user_id) => {
                self.inner.erase(user_id, Timestamp::from_secs(0)).await?;
            }
            Defect::AnybodyIsErased => {
                self.inner.erase(user_id, Timestamp::from_secs(0)).await?;
            }
            _ => {}
        }
        let next = self.inner.erase_content(user_id, after).await?;
        Ok(next.filter(|_| self.defect != Defect::OneStepIsEnough))
    }
}
