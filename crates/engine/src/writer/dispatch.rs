//! From the log to the feeds and the answers.

use std::collections::HashMap;

use sealroom_domain::GroupId;
use tokio::sync::mpsc;

use super::{WriterParts, Written, lane::Outcome};
use crate::{Published, feeds::Offer, users_online::UsersOnline};

/// Sockets that are handed something before others have their turn; one group's at least.
const TURN: usize = 64;

/// Delivers committed batches while the lane commits the next one.
pub(super) async fn dispatch(parts: WriterParts, mut commits: mpsc::Receiver<Vec<Outcome>>) {
    while let Some(outcomes) = commits.recv().await {
        let mut runs = Runs::default();
        let mut others = Vec::new();
        for Outcome { result, receipt } in outcomes {
            match (result, receipt) {
                (Ok(Written::New(entry)), receipt) => {
                    tell_removed(&parts.users_online, &entry);
                    runs.push(Offer { entry, receipt });
                }
                (other, Some(receipt)) => others.push((receipt, other)),
                (_, None) => {}
            }
        }
        let mut handed = 0_usize;
        for (group_id, offers) in runs.by_group {
            handed = handed.saturating_add(parts.feeds.offer(group_id, offers));
            if handed >= TURN {
                handed = 0;
                tokio::task::yield_now().await;
            }
        }
        // Last: a repetition is answered after what it repeats.
        for (receipt, result) in others {
            receipt.answer(result);
        }
        parts.appended.notify_one();
    }
}

/// The entries of one batch, those of a group together, so that one system call carries them to a socket.
#[derive(Default)]
struct Runs {
    by_group: Vec<(GroupId, Vec<Offer>)>,
    places: HashMap<GroupId, usize>,
}

impl Runs {
    fn push(&mut self, offer: Offer) {
        let group_id = offer.entry.entry().group_id;
        let next = self.by_group.len();
        let place = *self.places.entry(group_id).or_insert(next);
        if place == next {
            self.by_group.push((group_id, Vec::new()));
        }
        if let Some((_, offers)) = self.by_group.get_mut(place) {
            offers.push(offer);
        }
    }
}

fn tell_removed(users_online: &UsersOnline, entry: &Published) {
    if let Some((user_id, reason)) = entry.removal() {
        users_online.tell_removed(user_id, entry.entry().group_id, reason);
    }
}
