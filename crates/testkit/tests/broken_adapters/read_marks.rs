//! Read marks that go back, go too far or are somebody else's.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use sealroom_domain::{
    GroupId, Seq, UserId,
    ports::{GroupLog, MarkedRead, Memberships, ReadMark, ReadMarks, StoreError},
};
use sealroom_testkit::{
    conformance::read_marks::{self, ReadMarksFixture},
    memory::MemoryStore,
};
use tokio::task::yield_now;

use super::caught;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Defect {
    None,
    LastMarkCounts,
    NoMarkIsOne,
    MarksPassTheEnd,
    EveryGroupIsKnown,
    AllGroupsAreAnswered,
    AnswersAreSorted,
    FirstOfSeveralCounts,
    BindsTooMany,
    MembersOnly,
    MarksStay,
    ReadThenWrite,
}

#[derive(Debug)]
struct Broken {
    inner: MemoryStore,
    defect: Defect,
    kept: Mutex<HashMap<(GroupId, UserId), Seq>>,
}

fn broken(defect: Defect) -> ReadMarksFixture {
    let inner = MemoryStore::new();
    let store = Arc::new(inner.clone());
    let (groups, log) = (Arc::clone(&store), Arc::clone(&store));
    let marks = Broken {
        inner,
        defect,
        kept: Mutex::default(),
    };
    ReadMarksFixture::new(Arc::new(marks), groups, log, store)
}

mod without_a_defect {
    use super::{Defect, broken};

    sealroom_testkit::read_marks_conformance!(async { broken(Defect::None) });
}

caught! {
    the_last_mark_counts: read_marks::marks_move_forward_only, broken(Defect::LastMarkCounts);
    no_mark_is_one: read_marks::a_mark_that_was_never_set_is_before_the_first_entry,
        broken(Defect::NoMarkIsOne);
    the_future_is_read: read_marks::a_mark_never_passes_the_end_of_the_log, broken(Defect::MarksPassTheEnd);
    every_group_is_known: read_marks::an_unknown_group_has_no_mark, broken(Defect::EveryGroupIsKnown);
    groups_are_not_asked_for: read_marks::marks_are_of_one_user_in_one_group,
        broken(Defect::AllGroupsAreAnswered);
    answers_are_sorted: read_marks::answers_are_in_the_order_of_the_marks, broken(Defect::AnswersAreSorted);
    the_first_of_several_marks_counts: read_marks::several_marks_of_one_user_end_at_the_furthest,
        broken(Defect::FirstOfSeveralCounts);
    a_question_binds_too_many_variables: read_marks::many_marks_are_one_question, broken(Defect::BindsTooMany);
    only_members_read: read_marks::marks_ask_for_no_membership, broken(Defect::MembersOnly);
    marks_outlive_their_group: read_marks::a_deleted_group_has_no_marks, broken(Defect::MarksStay);
    marks_outlive_their_user: read_marks::an_erased_user_has_no_marks, broken(Defect::MarksStay);
    marks_are_read_before_the_lock: read_marks::concurrent_marks_end_at_the_furthest,
        broken(Defect::ReadThenWrite);
}

impl Broken {
    fn read(&self, mark: &ReadMark) -> Seq {
        let kept = self.kept.lock().unwrap();
        kept.get(&(mark.group_id, mark.user_id))
            .copied()
            .unwrap_or(Seq::ZERO)
    }

    fn keep(&self, mark: &ReadMark, read: Seq) {
        self.kept
            .lock()
            .unwrap()
            .insert((mark.group_id, mark.user_id), read);
    }

    async fn read_then_write(&self, marks: &[ReadMark]) -> Result<Vec<Option<MarkedRead>>, StoreError> {
        let mut answers = Vec::new();
        for mark in marks {
            let head = self.inner.heads(&[mark.group_id]).await?;
            let present = self.read(mark);
            yield_now().await;
            let read = present.max(mark.seq);
            self.keep(mark, read);
            answers.push(head.first().map(|(_, head)| MarkedRead { read, head: *head }));
        }
        Ok(answers)
    }
}

#[async_trait]
impl ReadMarks for Broken {
    async fn advance(&self, mut marks: Vec<ReadMark>) -> Result<Vec<Option<MarkedRead>>, StoreError> {
        let asked = marks.clone();
        match self.defect {
            Defect::ReadThenWrite => return self.read_then_write(&marks).await,
            Defect::AnswersAreSorted => marks.sort_by_key(|mark| mark.group_id),
            Defect::FirstOfSeveralCounts => {
                let mut seen = HashSet::new();
                let mut first = None;
                for mark in &mut marks {
                    if seen.insert((mark.group_id, mark.user_id)) {
                        first = Some(*mark);
                    } else if let Some(first) = first {
                        *mark = first;
                    }
                }
            }
            Defect::MembersOnly => {
                let pairs: Vec<_> = marks.iter().map(|mark| (mark.group_id, mark.user_id)).collect();
                let roles = self.inner.roles(&pairs).await?;
                if roles.iter().any(Option::is_none) {
                    return Ok(vec![None; marks.len()]);
                }
            }
            _ => {}
        }
        let mut answers = self.inner.advance(marks).await?;
        for (mark, answer) in asked.iter().zip(&mut answers) {
            match (self.defect, answer) {
                (Defect::LastMarkCounts, Some(answer)) => answer.read = mark.seq.min(answer.head),
                (Defect::MarksPassTheEnd, Some(answer)) => answer.read = answer.read.max(mark.seq),
                (Defect::MarksStay, Some(answer)) => self.keep(mark, answer.read),
                (Defect::EveryGroupIsKnown, answer @ None) => {
                    *answer = Some(MarkedRead {
                        read: Seq::ZERO,
                        head: Seq::ZERO,
                    });
                }
                _ => {}
            }
        }
        Ok(answers)
    }

    async fn of_user(&self, user_id: UserId, groups: &[GroupId]) -> Result<Vec<(GroupId, Seq)>, StoreError> {
        match self.defect {
            Defect::BindsTooMany if groups.len() > 32_766 => {
                Err(StoreError::internal("too many SQL variables"))
            }
            Defect::AllGroupsAreAnswered => {
                let all: Vec<GroupId> = (1..10).map(|id| GroupId::new(id).unwrap()).collect();
                self.inner.of_user(user_id, &all).await
            }
            Defect::NoMarkIsOne => {
                let marks = self.inner.of_user(user_id, groups).await?;
                let known: HashMap<GroupId, Seq> = marks.into_iter().collect();
                let all = groups.iter();
                Ok(all
                    .map(|id| (*id, known.get(id).copied().unwrap_or(Seq::ZERO)))
                    .collect())
            }
            Defect::MarksStay | Defect::ReadThenWrite => {
                let kept = self.kept.lock().unwrap();
                let all = groups.iter();
                Ok(all
                    .filter_map(|id| Some((*id, *kept.get(&(*id, user_id))?)))
                    .collect())
            }
            _ => self.inner.of_user(user_id, groups).await,
        }
    }
}
