//! Appends whose caller goes away.

use std::time::Duration;

use sealroom_domain::ports::{Appended, NewEntry};

use super::{
    GroupLogFixture,
    room::{message, message_with_id},
};
use crate::conformance::{
    abandon::abandon_after,
    sample::{group, user},
};

/// How long the store may take for one append while others were abandoned.
const PATIENCE: Duration = Duration::from_secs(10);

/// A batch whose caller goes away is stored as a whole or not at all: its repetition finds all of it or nothing.
pub async fn an_abandoned_append_leaves_all_or_nothing(fixture: GroupLogFixture) {
    let groups = [fixture.group(group(1)).await, fixture.group(group(2)).await];
    for polls in 0..40 {
        let batch: Vec<NewEntry> = (0..6)
            .map(|index| {
                let id = format!("{polls}-{index}");
                message_with_id(groups[index % 2], user(1), &id, &id)
            })
            .collect();
        abandon_after(polls % 12, fixture.log.append(batch.clone())).await;
        let repeated = tokio::time::timeout(PATIENCE, fixture.append(batch)).await;
        let repeated = repeated.expect("an abandoned append leaves no lock");
        let new = repeated
            .iter()
            .filter(|answer| matches!(answer, Ok(Appended::New(_))))
            .count();
        let duplicates = repeated
            .iter()
            .filter(|answer| matches!(answer, Ok(Appended::Duplicate(_))))
            .count();
        assert!(
            (new, duplicates) == (6, 0) || (new, duplicates) == (0, 6),
            "half of a batch was stored: {new} were new, {duplicates} were there"
        );
    }
    for group_id in groups {
        assert_eq!(fixture.whole(group_id).await.len(), 120);
    }
}

/// However many callers go away, the next one is served, and no place is lost.
pub async fn abandoned_appends_do_not_stop_later_ones(fixture: GroupLogFixture) {
    let one = fixture.group(group(1)).await;
    for round in 0..20 {
        for polls in 0..5 {
            let append = fixture.log.append(vec![message(one, user(1), "abandoned")]);
            abandon_after(polls, append).await;
        }
        let id = format!("kept-{round}");
        let kept = fixture.append_new(vec![message_with_id(one, user(1), "kept", &id)]);
        let kept = tokio::time::timeout(PATIENCE, kept).await;
        kept.expect("an abandoned append leaves no lock");
    }
    let read = fixture.whole(one).await;
    let kept = read
        .iter()
        .filter(|entry| {
            entry
                .message()
                .is_some_and(|message| message.client_message_id.is_some())
        })
        .count();
    assert_eq!(kept, 20);
}
