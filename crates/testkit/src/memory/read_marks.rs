//! The read marks.

use async_trait::async_trait;
use sealroom_domain::{
    GroupId, Seq, UserId,
    ports::{MarkedRead, ReadMark, ReadMarks, StoreError},
};

use super::MemoryStore;

#[async_trait]
impl ReadMarks for MemoryStore {
    async fn advance(&self, marks: Vec<ReadMark>) -> Result<Vec<Option<MarkedRead>>, StoreError> {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        Ok(marks
            .into_iter()
            .map(|mark| {
                let head = state.groups.get(&mark.group_id)?.head();
                let read = state
                    .read_marks
                    .entry((mark.group_id, mark.user_id))
                    .or_insert(Seq::ZERO);
                *read = mark.seq.min(head).max(*read);
                Some(MarkedRead { read: *read, head })
            })
            .collect())
    }

    async fn of_user(&self, user_id: UserId, groups: &[GroupId]) -> Result<Vec<(GroupId, Seq)>, StoreError> {
        let state = self.state.lock();
        Ok(groups
            .iter()
            .filter_map(|group_id| Some((*group_id, *state.read_marks.get(&(*group_id, user_id))?)))
            .collect())
    }
}
