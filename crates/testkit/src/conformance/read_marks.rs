//! The suite of [`ReadMarks`].

use std::{any::Any, sync::Arc};

use sealroom_domain::{
    GroupId, MAX_SAFE_INTEGER, Role, Seq, UserId,
    ports::{GroupLog, Groups, MarkedRead, ReadMark, ReadMarks, Users},
};
use tokio::task::JoinSet;

use super::{
    entries::{UNCHECKED, message, new_entry, remove_member, set_member},
    fixture::KeepAlive,
    macros::suite,
    sample::{display_name, group, group_name, moment, seq, user},
};

/// Fresh read marks, and the groups, the log and the users of the same store.
#[derive(Debug)]
pub struct ReadMarksFixture {
    marks: Arc<dyn ReadMarks>,
    groups: Arc<dyn Groups>,
    log: Arc<dyn GroupLog>,
    users: Arc<dyn Users>,
    keep_alive: KeepAlive,
}

impl ReadMarksFixture {
    /// An empty store, by its four ports.
    pub fn new(
        marks: Arc<dyn ReadMarks>,
        groups: Arc<dyn Groups>,
        log: Arc<dyn GroupLog>,
        users: Arc<dyn Users>,
    ) -> Self {
        Self {
            marks,
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

    /// A group whose log has so many entries.
    async fn group(&self, number: i64, entries: usize) -> GroupId {
        let group_id = group(number);
        let put = self.groups.put(group_id, &group_name("group"), moment(0)).await;
        assert!(put.unwrap(), "there is no such group yet");
        self.fill(group_id, entries).await;
        group_id
    }

    async fn fill(&self, group_id: GroupId, entries: usize) {
        let batch = (0..entries).map(|_| message(group_id, user(9), "x"));
        for answer in self.log.append(batch.collect()).await.unwrap() {
            new_entry(answer);
        }
    }

    async fn advance(&self, group_id: GroupId, number: i64, place: i64) -> Option<MarkedRead> {
        let mark = mark(group_id, number, place);
        let mut answers = self.marks.advance(vec![mark]).await.unwrap();
        assert_eq!(answers.len(), 1, "one answer for each mark");
        answers.remove(0)
    }

    /// The user's marks behind the beginning, by group.
    async fn of_user(&self, number: i64, groups: &[GroupId]) -> Vec<(GroupId, Seq)> {
        let mut marks = self.marks.of_user(user(number), groups).await.unwrap();
        marks.retain(|(_, read)| *read > Seq::ZERO);
        marks.sort_unstable();
        marks
    }
}

impl<T: ReadMarks + Groups + GroupLog + Users + 'static> From<T> for ReadMarksFixture {
    /// A store that implements the four ports itself.
    fn from(store: T) -> Self {
        let store = Arc::new(store);
        let marks: Arc<dyn ReadMarks> = Arc::<T>::clone(&store);
        let groups: Arc<dyn Groups> = Arc::<T>::clone(&store);
        let log: Arc<dyn GroupLog> = Arc::<T>::clone(&store);
        Self::new(marks, groups, log, store)
    }
}

suite!(
    /// Makes one test of each property of [`ReadMarks`](sealroom_domain::ports::ReadMarks).
    ///
    /// Takes a future of a fresh store that is read marks, groups, log and users at once, or of a
    /// [`ReadMarksFixture`](crate::conformance::read_marks::ReadMarksFixture). See [`crate::conformance`].
    read_marks_conformance, PROPERTIES, read_marks, ReadMarksFixture, $, [
        marks_move_forward_only,
        a_mark_that_was_never_set_is_before_the_first_entry,
        a_mark_never_passes_the_end_of_the_log,
        an_unknown_group_has_no_mark,
        marks_are_of_one_user_in_one_group,
        answers_are_in_the_order_of_the_marks,
        several_marks_of_one_user_end_at_the_furthest,
        many_marks_are_one_question,
        marks_ask_for_no_membership,
        a_deleted_group_has_no_marks,
        an_erased_user_has_no_marks,
        concurrent_marks_end_at_the_furthest,
    ]
);

/// What was read stays read.
pub async fn marks_move_forward_only(fixture: ReadMarksFixture) {
    let one = fixture.group(1, 10).await;
    let mut furthest = 0;
    for place in [3, 3, 1, 5, 0, 4, 10, 2] {
        furthest = furthest.max(place);
        assert_eq!(fixture.advance(one, 1, place).await, Some(marked(furthest, 10)));
        assert_eq!(fixture.of_user(1, &[one]).await, [(one, seq(furthest))]);
    }
}

/// No mark is no error: it is before the first entry, and moves from there.
pub async fn a_mark_that_was_never_set_is_before_the_first_entry(fixture: ReadMarksFixture) {
    let one = fixture.group(1, 3).await;
    assert_eq!(fixture.marks.of_user(user(1), &[one]).await.unwrap(), []);
    assert_eq!(fixture.marks.of_user(user(1), &[]).await.unwrap(), []);
    assert_eq!(fixture.marks.advance(Vec::new()).await.unwrap(), []);
    assert_eq!(fixture.advance(one, 1, 0).await, Some(marked(0, 3)));
    assert_eq!(fixture.advance(one, 1, 1).await, Some(marked(1, 3)));
}

/// Nobody has read what is not there yet.
pub async fn a_mark_never_passes_the_end_of_the_log(fixture: ReadMarksFixture) {
    let one = fixture.group(1, 3).await;
    let empty = fixture.group(2, 0).await;
    for place in [4, 1_000, MAX_SAFE_INTEGER] {
        assert_eq!(fixture.advance(one, 1, place).await, Some(marked(3, 3)));
        assert_eq!(fixture.advance(empty, 1, place).await, Some(marked(0, 0)));
    }
    assert_eq!(fixture.of_user(1, &[one, empty]).await, [(one, seq(3))]);
    // What comes later is not read by it.
    fixture.fill(one, 2).await;
    assert_eq!(fixture.advance(one, 1, 0).await, Some(marked(3, 5)));
    assert_eq!(fixture.advance(one, 1, 4).await, Some(marked(4, 5)));
}

/// Absence is no error, and spoils no other mark.
pub async fn an_unknown_group_has_no_mark(fixture: ReadMarksFixture) {
    let one = fixture.group(1, 3).await;
    let marks = vec![
        mark(group(8), 1, 1),
        mark(one, 1, 2),
        mark(group(9), 1, MAX_SAFE_INTEGER),
    ];
    let answers = fixture.marks.advance(marks).await.unwrap();
    assert_eq!(answers, [None, Some(marked(2, 3)), None]);
    let groups = [group(8), one, group(9)];
    assert_eq!(fixture.of_user(1, &groups).await, [(one, seq(2))]);
}

/// Nobody reads for another, and no group for another.
pub async fn marks_are_of_one_user_in_one_group(fixture: ReadMarksFixture) {
    let one = fixture.group(1, 5).await;
    let two = fixture.group(2, 5).await;
    fixture.advance(one, 1, 3).await;
    fixture.advance(two, 2, 4).await;
    fixture.advance(two, 1, 1).await;
    assert_eq!(
        fixture.of_user(1, &[one, two]).await,
        [(one, seq(3)), (two, seq(1))]
    );
    assert_eq!(fixture.of_user(2, &[two, one]).await, [(two, seq(4))]);
    assert_eq!(fixture.of_user(1, &[two]).await, [(two, seq(1))], "asked for one");
    assert_eq!(fixture.of_user(3, &[one, two]).await, []);
}

/// Whoever asks for many at once knows which answer is whose.
pub async fn answers_are_in_the_order_of_the_marks(fixture: ReadMarksFixture) {
    let mut groups = Vec::new();
    for number in 1..=6 {
        groups.push(fixture.group(number, usize::try_from(number).unwrap()).await);
    }
    let order = [5, 1, 3, 0, 4, 2];
    let marks = order.map(|index| mark(groups[index], 7 + i64::try_from(index).unwrap(), 1));
    let answers = fixture.marks.advance(marks.to_vec()).await.unwrap();
    let expected = order.map(|index| Some(marked(1, i64::try_from(index).unwrap() + 1)));
    assert_eq!(answers, expected);
}

/// Two marks for the same place in one call are no conflict.
pub async fn several_marks_of_one_user_end_at_the_furthest(fixture: ReadMarksFixture) {
    let one = fixture.group(1, 10).await;
    let places = [2, 6, 4];
    let marks = places.map(|place| mark(one, 1, place));
    let answers = fixture.marks.advance(marks.to_vec()).await.unwrap();
    assert_eq!(answers.len(), 3);
    for (place, answer) in places.into_iter().zip(answers) {
        let answer = answer.expect("the group is there");
        assert!((seq(place)..=seq(6)).contains(&answer.read), "{answer:?}");
    }
    assert_eq!(fixture.of_user(1, &[one]).await, [(one, seq(6))]);
}

/// The number of marks, and of groups in one question, is not limited by the store.
pub async fn many_marks_are_one_question(fixture: ReadMarksFixture) {
    let one = fixture.group(1, 3).await;
    let last = fixture.group(40_000, 3).await;
    let marks: Vec<ReadMark> = (1..=20_000).map(|number| mark(one, number, 2)).collect();
    let answers = fixture.marks.advance(marks).await.unwrap();
    assert_eq!(answers.len(), 20_000);
    assert!(answers.iter().all(|answer| *answer == Some(marked(2, 3))));
    fixture.advance(last, 20_000, 3).await;
    let asked: Vec<GroupId> = (1..=40_000).map(group).collect();
    assert_eq!(
        fixture.of_user(20_000, &asked).await,
        [(one, seq(2)), (last, seq(3))]
    );
}

/// A mark is there before, during and after a membership.
pub async fn marks_ask_for_no_membership(fixture: ReadMarksFixture) {
    let one = fixture.group(1, 3).await;
    let change = async |entry| new_entry(fixture.log.append(vec![entry]).await.unwrap().remove(0));
    assert_eq!(fixture.advance(one, 1, 1).await, Some(marked(1, 3)));
    change(set_member(one, user(9), user(1), Role::Member, UNCHECKED)).await;
    assert_eq!(fixture.of_user(1, &[one]).await, [(one, seq(1))]);
    fixture.advance(one, 1, 2).await;
    change(remove_member(one, user(9), user(1), UNCHECKED)).await;
    assert_eq!(fixture.of_user(1, &[one]).await, [(one, seq(2))]);
    assert_eq!(fixture.advance(one, 1, 3).await, Some(marked(3, 5)));
}

/// The marks go with the group, and one that is put in its place begins without.
pub async fn a_deleted_group_has_no_marks(fixture: ReadMarksFixture) {
    let one = fixture.group(1, 5).await;
    let two = fixture.group(2, 5).await;
    fixture.advance(one, 1, 4).await;
    fixture.advance(two, 1, 4).await;
    fixture.groups.delete(one, moment(0)).await.unwrap();
    assert_eq!(fixture.of_user(1, &[one, two]).await, [(two, seq(4))]);
    assert_eq!(fixture.advance(one, 1, 5).await, None);
    fixture.group(1, 2).await;
    assert_eq!(fixture.of_user(1, &[one, two]).await, [(two, seq(4))]);
    assert_eq!(fixture.advance(one, 1, 0).await, Some(marked(0, 8)));
    assert_eq!(fixture.advance(one, 1, 6).await, Some(marked(6, 8)));
}

/// The marks go with the user.
pub async fn an_erased_user_has_no_marks(fixture: ReadMarksFixture) {
    let one = fixture.group(1, 5).await;
    let two = fixture.group(2, 5).await;
    let name = display_name("Ann");
    for number in [1, 2] {
        fixture.users.upsert(user(number), &name, None).await.unwrap();
        fixture.advance(one, number, 4).await;
        fixture.advance(two, number, 3).await;
    }
    assert!(fixture.users.erase(user(1), moment(0)).await.unwrap());
    assert_eq!(fixture.of_user(1, &[one, two]).await, []);
    assert_eq!(
        fixture.of_user(2, &[one, two]).await,
        [(one, seq(4)), (two, seq(3))]
    );
}

/// Two devices that read at once do not take each other back.
pub async fn concurrent_marks_end_at_the_furthest(fixture: ReadMarksFixture) {
    let one = fixture.group(1, 40).await;
    let mut tasks = JoinSet::new();
    // The furthest is neither the first nor the last to come.
    for place in (1..=40).map(|number| number * 7 % 41) {
        let marks = Arc::clone(&fixture.marks);
        tasks.spawn(async move {
            let answers = marks.advance(vec![mark(one, 1, place)]).await.unwrap();
            assert!(answers[0].expect("the group is there").read >= seq(place));
        });
    }
    tasks.join_all().await;
    assert_eq!(fixture.of_user(1, &[one]).await, [(one, seq(40))]);
}

fn mark(group_id: GroupId, number: i64, place: i64) -> ReadMark {
    let user_id: UserId = user(number);
    ReadMark {
        group_id,
        user_id,
        seq: seq(place),
    }
}

fn marked(read: i64, head: i64) -> MarkedRead {
    MarkedRead {
        read: seq(read),
        head: seq(head),
    }
}
