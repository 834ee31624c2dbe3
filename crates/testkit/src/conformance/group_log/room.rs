//! A fixture with a group in it, and the questions that properties ask.

use std::sync::Arc;

use sealroom_domain::{
    Entry, GroupId, Seq,
    ports::{Cursor, GroupLog, Memberships, MessagesPage, NewEntry, Page, PageLimit},
};

use super::GroupLogFixture;
pub(super) use crate::conformance::entries::*;
use crate::conformance::sample::{group_name, moment};

impl GroupLogFixture {
    /// Makes an empty group under this id.
    pub(super) async fn group(&self, group_id: GroupId) -> GroupId {
        let put = self.groups.put(group_id, &group_name("group"), moment(0)).await;
        assert!(put.unwrap(), "the fixture's log must be empty");
        group_id
    }

    /// The memberships, where the store keeps them.
    pub(super) fn kept(&self) -> Option<Arc<dyn Memberships>> {
        self.memberships.clone()
    }

    /// Appends; the answers must be one for each entry.
    pub(super) async fn append(&self, batch: Vec<NewEntry>) -> Vec<Answer> {
        append(&*self.log, batch).await
    }

    /// Appends one entry.
    pub(super) async fn append_one(&self, entry: NewEntry) -> Answer {
        self.append(vec![entry]).await.remove(0)
    }

    /// Appends what must be new.
    pub(super) async fn append_new(&self, batch: Vec<NewEntry>) -> Vec<Entry> {
        self.append(batch).await.into_iter().map(new_entry).collect()
    }

    /// One page of a group that must be there.
    pub(super) async fn page(&self, group_id: GroupId, cursor: Cursor, limit: PageLimit) -> Page {
        page(&*self.log, group_id, cursor, limit).await
    }

    /// One page of messages of a group that must be there.
    pub(super) async fn messages(&self, group_id: GroupId, cursor: Cursor, limit: PageLimit) -> MessagesPage {
        let page = self.log.messages(group_id, cursor, limit).await.unwrap();
        page.expect("the group is there")
    }

    /// The whole log of a group, checked to be dense.
    pub(super) async fn whole(&self, group_id: GroupId) -> Vec<Entry> {
        whole(&*self.log, group_id).await
    }
}

pub(super) async fn append(log: &dyn GroupLog, batch: Vec<NewEntry>) -> Vec<Answer> {
    let expected = batch.len();
    let answers = log.append(batch).await.unwrap();
    assert_eq!(answers.len(), expected, "one answer for each entry");
    answers
}

pub(super) async fn page(log: &dyn GroupLog, group_id: GroupId, cursor: Cursor, limit: PageLimit) -> Page {
    let page = log.read(group_id, cursor, limit).await.unwrap();
    page.expect("the group is there")
}

pub(super) async fn whole(log: &dyn GroupLog, group_id: GroupId) -> Vec<Entry> {
    let page = page(log, group_id, Cursor::After(Seq::ZERO), ALL).await;
    assert!(!page.has_more, "nothing is left after the whole log");
    assert_dense(&page.entries, 1);
    assert_eq!(page.head, last_seq(&page.entries));
    page.entries
}
