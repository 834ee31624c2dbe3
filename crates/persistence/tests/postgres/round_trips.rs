//! How often the store waits for an answer of the server: a number that no batch and no page changes.

use sealroom_domain::{
    DisplayName, Entry, EntryBody, GroupId, Role, Seq,
    ports::{
        Appended, Cursor, GroupLog, MemberLimits, Memberships, NewBody, NewEntry, PageLimit, ReadMark,
        ReadMarks, RefusedEntry, Users,
    },
};
use sealroom_persistence::PostgresStore;
use xtask_postgres::TestDatabase;

use crate::{
    Outcomes, deletion, edit, group, log, make_groups, member, message, options, proxy::Proxy, removal, user,
};

const GROUPS: i64 = 50;

/// A store behind a proxy, whose two connections are open and have answered.
async fn warm() -> (PostgresStore, Proxy, TestDatabase) {
    let database = TestDatabase::create().await;
    let direct = PostgresStore::open(options(database.url())).await.unwrap();
    make_groups(&direct, GROUPS).await;
    let proxy = Proxy::start(database.url()).await;
    let mut options = options(proxy.url());
    (options.writers, options.readers) = (1, 1);
    let store = PostgresStore::open(options).await.unwrap();
    append(&store, vec![message(1, "warm", None)]).await;
    page(&store, 1, Cursor::Newest, 1).await;
    (store, proxy, database)
}

async fn append(store: &PostgresStore, batch: Vec<NewEntry>) -> Outcomes {
    store.append(batch).await.unwrap()
}

async fn page(store: &PostgresStore, group_id: i64, cursor: Cursor, entries: usize) -> usize {
    let limit = PageLimit {
        entries,
        bytes: usize::MAX,
    };
    let page = GroupLog::read(store, group(group_id), cursor, limit).await;
    page.unwrap().unwrap().entries.len()
}

/// The flights of a call.
async fn flights<T>(proxy: &Proxy, call: impl Future<Output = T>) -> (T, usize) {
    proxy.count_anew();
    let result = call.await;
    (result, proxy.flights())
}

/// Messages, each of a text of its own, in as many groups.
fn messages(size: i64, groups: i64) -> Vec<NewEntry> {
    (0..size)
        .map(|index| message(index % groups + 1, &"x".repeat(200), None))
        .collect()
}

fn all_new(outcomes: &[Result<Appended, RefusedEntry>]) -> bool {
    outcomes
        .iter()
        .all(|outcome| matches!(outcome, Ok(Appended::New(_))))
}

#[tokio::test]
async fn an_append_of_messages_is_two_and_from_then_on_one_whatever_its_batch() {
    let (store, proxy, _database) = warm().await;
    for groups in [1, GROUPS] {
        for (number, size) in [512, 1, 64, 512].into_iter().enumerate() {
            let (outcomes, flights) = flights(&proxy, append(&store, messages(size, groups))).await;
            assert!(all_new(&outcomes));
            // Of group 1 the first append was before.
            let expected = if groups > 1 && number == 0 { 2 } else { 1 };
            assert_eq!(flights, expected, "{size} entries in {groups} groups");
        }
    }
}

#[tokio::test]
async fn an_append_that_is_not_decided_alone_is_two() {
    let (store, proxy, database) = warm().await;
    let other = PostgresStore::open(options(database.url())).await.unwrap();
    let one = || messages(1, 1);
    // A trip more where somebody else has appended, once: then it asks until nobody else does.
    append(&other, one()).await;
    for expected in [3, 2, 2, 1] {
        append_and_count(&store, &proxy, one(), expected).await;
        if expected == 3 {
            append(&other, one()).await;
        }
    }
    let repeated = || vec![message(1, "x", Some("id"))];
    append_and_count(&store, &proxy, repeated(), 1).await;
    // The server refuses it, undoes it, and is asked what it repeats.
    let (outcomes, repeats) = flights(&proxy, append(&store, repeated())).await;
    assert!(matches!(outcomes[0], Ok(Appended::Duplicate(_))), "{outcomes:?}");
    assert_eq!(repeats, 4);
    append_and_count(&store, &proxy, one(), 1).await;
}

async fn append_and_count(store: &PostgresStore, proxy: &Proxy, batch: Vec<NewEntry>, expected: usize) {
    let (outcomes, flights) = flights(proxy, append(store, batch)).await;
    assert!(all_new(&outcomes), "{outcomes:?}");
    assert_eq!(flights, expected);
}

#[tokio::test]
async fn an_append_is_two_whatever_its_content() {
    let (store, proxy, _database) = warm().await;
    for size in [1, 64, 512] {
        // The second of each pair repeats the first; in between members come, change and go.
        let batch: Vec<NewEntry> = (0..size)
            .flat_map(|index| {
                let (group, id) = (index % GROUPS + 1, format!("{size}-{index}"));
                [
                    message(group, "x", Some(&id)),
                    message(group, "x", Some(&id)),
                    member(group, 10 * size + index % 3, Role::Admin),
                    removal(group, 10 * size + (index + 1) % 3),
                    removal(group, 1),
                    message(GROUPS + 1, "nowhere", None),
                ]
            })
            .collect();
        let (outcomes, flights) = flights(&proxy, append(&store, batch)).await;
        assert_eq!(flights, 2, "{size}");
        assert!(matches!(outcomes[0], Ok(Appended::New(_))), "{:?}", outcomes[0]);
        assert!(
            matches!(outcomes[1], Ok(Appended::Duplicate(_))),
            "{:?}",
            outcomes[1]
        );
        assert!(matches!(outcomes[2], Ok(Appended::New(_))), "{:?}", outcomes[2]);
        assert_eq!(outcomes[4], Err(RefusedEntry::LastOwner));
        assert_eq!(outcomes[5], Err(RefusedEntry::UnknownGroup));
    }
}

/// Sends a message whose place is this, edits it twice alike, deletes it twice, and edits it again.
fn changes(target: i64) -> Vec<NewEntry> {
    vec![
        message(1, "x", None),
        edit(1, target, "y"),
        edit(1, target, "y"),
        deletion(1, target),
        deletion(1, target),
        edit(1, target, "z"),
    ]
}

fn assert_changed(outcomes: &[Result<Appended, RefusedEntry>]) {
    let [sent, edited, again, deleted, gone, refused] = outcomes else {
        panic!("{outcomes:?}")
    };
    assert!(matches!(sent, Ok(Appended::New(_))), "{sent:?}");
    for (first, second) in [(edited, again), (deleted, gone)] {
        let Ok(Appended::New(first)) = first else {
            panic!("{first:?}")
        };
        assert_eq!(second, &Ok(Appended::Duplicate(first.clone())));
    }
    assert_eq!(refused, &Err(RefusedEntry::NoSuchMessage));
}

#[tokio::test]
async fn an_append_is_two_with_changes_limits_and_the_outbox() {
    let database = TestDatabase::create().await;
    let direct = PostgresStore::open(options(database.url())).await.unwrap();
    make_groups(&direct, GROUPS).await;
    let proxy = Proxy::start(database.url()).await;
    let mut options = options(proxy.url());
    (options.writers, options.outbox) = (1, true);
    let store = PostgresStore::open(options).await.unwrap();
    append(&store, vec![message(1, "warm", None)]).await;
    let mut head = 1;
    for size in [1, 10, 100] {
        let mut batch: Vec<NewEntry> = (0..size)
            .flat_map(|index| changes(head + 3 * index + 1))
            .collect();
        let sent = batch.len();
        for id in 2..=GROUPS.min(size + 1) {
            let mut joining = member(id, 10 * size, Role::Member);
            if let NewBody::SetMember { limits, .. } = &mut joining.body {
                *limits = MemberLimits {
                    per_group: Some(40),
                    per_user: Some(30),
                };
            }
            batch.push(joining);
        }
        let (outcomes, flights) = flights(&proxy, append(&store, batch)).await;
        assert_eq!(flights, 2, "{size}");
        outcomes[..sent].chunks(6).for_each(assert_changed);
        let refused = outcomes[sent..].iter().filter(|outcome| outcome.is_err());
        assert_eq!(refused.count(), if size == 100 { 19 } else { 0 });
        head += 3 * size;
    }
    let stored = log(&direct, 1).await;
    let has_content = |entry: &Entry| match &entry.body {
        EntryBody::Message(message) => message.content.is_some(),
        EntryBody::MessageEdited { content, .. } => content.is_some(),
        _ => false,
    };
    assert!(has_content(&stored[0]));
    assert!(!stored[1..].iter().any(has_content), "what was deleted is stored");
}

#[tokio::test]
async fn a_page_of_messages_is_two_and_marks_are_one() {
    let (store, proxy, _database) = warm().await;
    let batch = (0..300).map(|_| message(2, &"x".repeat(1000), None)).collect();
    append(&store, batch).await;
    append(&store, (1..=200).map(|seq| edit(2, seq, "y")).collect()).await;
    let messages = async |cursor, entries| {
        let limit = PageLimit {
            entries,
            bytes: usize::MAX,
        };
        let page = store.messages(group(2), cursor, limit).await;
        page.unwrap().unwrap().messages.len()
    };
    for cursor in [Cursor::Newest, Cursor::After(Seq::ZERO)] {
        messages(cursor, 1).await;
        for entries in [1, 127] {
            let (found, flights) = flights(&proxy, messages(cursor, entries)).await;
            // The bounds together with the messages, and the end of the transaction.
            assert_eq!((found, flights), (entries, 2), "{cursor:?}");
        }
        let (found, flights) = flights(&proxy, messages(cursor, 300)).await;
        assert_eq!((found, flights), (300, 4), "{cursor:?}");
    }
    let marks = |many: i64| -> Vec<ReadMark> {
        let mark = |id| ReadMark {
            group_id: group(id),
            user_id: user(1),
            seq: Seq::new(id).unwrap(),
        };
        (1..=many).map(mark).collect()
    };
    store.advance(marks(1)).await.unwrap();
    for many in [1, GROUPS] {
        let (moved, flights) = flights(&proxy, store.advance(marks(many))).await;
        assert_eq!(moved.unwrap().len(), usize::try_from(many).unwrap());
        assert_eq!(flights, 1, "{many}");
    }
}

#[tokio::test]
async fn a_page_is_two() {
    let (store, proxy, _database) = warm().await;
    let batch = (0..300).map(|_| message(2, &"x".repeat(1000), None)).collect();
    append(&store, batch).await;
    for cursor in [
        Cursor::Newest,
        Cursor::After(Seq::ZERO),
        Cursor::Before(Seq::new(200).unwrap()),
    ] {
        // The statements of one direction are prepared when it is asked for the first time.
        page(&store, 2, cursor, 1).await;
        for entries in [1, 2, 127, 128] {
            let (found, flights) = flights(&proxy, page(&store, 2, cursor, entries)).await;
            assert_eq!((found, flights), (entries, 2), "{cursor:?}");
        }
        let (_, flights) = flights(&proxy, page(&store, 2, cursor, 129)).await;
        assert_eq!(flights, 3, "{cursor:?}");
    }
}

#[tokio::test]
async fn a_question_about_many_is_one() {
    let (store, proxy, _database) = warm().await;
    let groups: Vec<GroupId> = (1..=GROUPS).map(group).collect();
    let pairs: Vec<_> = groups.iter().map(|group_id| (*group_id, user(1))).collect();
    let name = DisplayName::new("B").unwrap();
    for id in 1..=40 {
        store.upsert(user(id), &name, None).await.unwrap();
    }
    let users: Vec<_> = (1..=40).map(user).collect();
    for warm in [true, false] {
        for many in [1, 40] {
            let (heads, of_heads) = flights(&proxy, store.heads(&groups[..many])).await;
            let (roles, of_roles) = flights(&proxy, store.roles(&pairs[..many])).await;
            let (profiles, of_profiles) = flights(&proxy, store.profiles(&users[..many])).await;
            assert_eq!(heads.unwrap().len(), many);
            assert_eq!(roles.unwrap(), vec![Some(Role::Owner); many]);
            assert_eq!(profiles.unwrap().len(), many);
            if !warm {
                assert_eq!([of_heads, of_roles, of_profiles], [1, 1, 1], "{many}");
            }
        }
    }
}
