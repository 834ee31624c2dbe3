//! The suite of [`Upkeep`].

mod erase;
mod trim;
mod trimmed;

use std::{any::Any, sync::Arc, time::Duration};

use sealroom_domain::{
    Entry, GroupId, Retention, Seq, Timestamp, UserId,
    ports::{Cursor, GroupChange, GroupLog, Groups, MessagesPage, NewEntry, Page, Trimmed, Upkeep, Users},
};

use super::{
    entries::{ALL, Answer, new_entry},
    fixture::KeepAlive,
    macros::suite,
    sample::{display_name, group, group_name, moment, user},
};
pub use erase::*;
pub use trim::*;
pub use trimmed::*;

/// A fresh store, by its ports.
#[derive(Debug)]
pub struct UpkeepFixture {
    upkeep: Arc<dyn Upkeep>,
    groups: Arc<dyn Groups>,
    log: Arc<dyn GroupLog>,
    users: Arc<dyn Users>,
    keep_alive: KeepAlive,
}

impl UpkeepFixture {
    /// An empty store, by its four ports.
    pub fn new(
        upkeep: Arc<dyn Upkeep>,
        groups: Arc<dyn Groups>,
        log: Arc<dyn GroupLog>,
        users: Arc<dyn Users>,
    ) -> Self {
        Self {
            upkeep,
            groups,
            log,
            users,
            keep_alive: KeepAlive::default(),
        }
    }

    /// What must live as long as the fixture: a temporary directory, a container.
    #[must_use]
    pub fn keeping(mut self, guard: impl Any + Send + Sync) -> Self {
        self.keep_alive.push(guard);
        self
    }

    async fn group(&self, number: i64) -> GroupId {
        let group_id = group(number);
        let put = self.groups.put(group_id, &group_name("group"), moment(0)).await;
        assert!(put.unwrap(), "there is no such group yet");
        group_id
    }

    /// A group with a rule of its own.
    async fn group_with(&self, number: i64, retention: Retention) -> GroupId {
        let group_id = self.group(number).await;
        let change = GroupChange {
            name: None,
            retention: Some(retention),
        };
        assert!(self.groups.update(group_id, change).await.unwrap());
        group_id
    }

    async fn append(&self, batch: Vec<NewEntry>) -> Vec<Answer> {
        self.log.append(batch).await.unwrap()
    }

    async fn append_new(&self, batch: Vec<NewEntry>) -> Vec<Entry> {
        self.append(batch).await.into_iter().map(new_entry).collect()
    }

    async fn page(&self, group_id: GroupId, cursor: Cursor) -> Page {
        let page = self.log.read(group_id, cursor, ALL).await.unwrap();
        page.expect("the group is there")
    }

    /// What is left of a group's log.
    async fn left(&self, group_id: GroupId) -> Vec<Entry> {
        self.page(group_id, Cursor::After(Seq::ZERO)).await.entries
    }

    async fn messages(&self, group_id: GroupId) -> MessagesPage {
        let page = self.log.messages(group_id, Cursor::Newest, ALL).await.unwrap();
        page.expect("the group is there")
    }

    async fn step(&self, after: Option<GroupId>, rule: Retention, now: Timestamp) -> Trimmed {
        let trimmed = self.upkeep.trim(after, rule, now).await.unwrap();
        assert!(
            trimmed.next.is_none_or(|next| Some(next) >= after),
            "steps go forward"
        );
        trimmed
    }

    /// Steps until nothing is left to forget; answers how much there was.
    async fn trim(&self, rule: Retention, now: Timestamp) -> u64 {
        let mut all = 0;
        loop {
            let mut of_round = 0;
            let mut after = None;
            loop {
                let trimmed = self.step(after, rule, now).await;
                of_round += trimmed.entries;
                after = trimmed.next;
                if after.is_none() {
                    break;
                }
            }
            all += of_round;
            if of_round == 0 {
                return all;
            }
        }
    }

    /// Makes the user known, so that it can be erased.
    async fn known(&self, number: i64) -> UserId {
        let name = display_name("Nguyễn Văn A");
        self.users.upsert(user(number), &name, None).await.unwrap();
        user(number)
    }

    /// Steps until the user's content is gone.
    async fn erase_content(&self, user_id: UserId) {
        let mut after = None;
        loop {
            let next = self.upkeep.erase_content(user_id, after).await.unwrap();
            assert!(next.is_none() || next > after, "steps go forward: {next:?}");
            after = next;
            if after.is_none() {
                return;
            }
        }
    }

    async fn unfinished(&self) -> Vec<UserId> {
        let mut users = self.upkeep.unfinished_erasures().await.unwrap();
        users.sort_unstable();
        users
    }
}

impl<T: Upkeep + Groups + GroupLog + Users + 'static> From<T> for UpkeepFixture {
    /// A store that implements the four ports itself.
    fn from(store: T) -> Self {
        let store = Arc::new(store);
        let upkeep: Arc<dyn Upkeep> = Arc::<T>::clone(&store);
        let groups: Arc<dyn Groups> = Arc::<T>::clone(&store);
        let log: Arc<dyn GroupLog> = Arc::<T>::clone(&store);
        Self::new(upkeep, groups, log, store)
    }
}

suite!(
    /// Makes one test of each property of [`Upkeep`](sealroom_domain::ports::Upkeep).
    ///
    /// Takes a future of a fresh store that is upkeep, groups, log and users at once, or of an
    /// [`UpkeepFixture`](crate::conformance::upkeep::UpkeepFixture). See [`crate::conformance`].
    upkeep_conformance, PROPERTIES, upkeep, UpkeepFixture, $, [
        without_a_rule_nothing_is_forgotten,
        entries_beyond_the_count_are_forgotten,
        entries_older_than_the_age_are_forgotten,
        an_entry_that_is_kept_keeps_those_after_it,
        the_shorter_rule_holds,
        a_groups_rule_is_its_own,
        the_last_entry_stays,
        a_step_is_bounded_and_goes_on_behind_it,
        a_step_begins_behind_a_group,
        deleted_groups_are_cleared_away,
        concurrent_steps_forget_once,
        a_trimmed_log_says_so,
        a_forgotten_message_cannot_be_changed,
        the_client_id_of_a_forgotten_message_is_free,
        an_erasure_is_unfinished_until_its_last_step,
        erasure_removes_content_names_and_client_ids,
        erasure_reaches_every_entry,
        erased_messages_are_none,
        edits_of_forgotten_messages_are_erased,
        a_user_who_came_back_keeps_what_it_writes,
        nobody_else_loses_content,
    ]
);

const fn count(entries: u64) -> Retention {
    Retention {
        age: None,
        count: Some(entries),
    }
}

const fn age(secs: u64) -> Retention {
    Retention {
        age: Some(Duration::from_secs(secs)),
        count: None,
    }
}

/// So many seconds after the suite's first moment.
fn secs(number: i64) -> Timestamp {
    moment(number * 1_000_000)
}
