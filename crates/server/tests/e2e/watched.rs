//! A socket of which every packet is held against the rules of membership, in the order in which it came.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use parking_lot::Mutex;
use sealroom_testkit::client::{Client, ClientBuilder, Kind, PendingAck, Received};
use serde_json::{Value, json};

use crate::world::{World, number};

/// A socket of a user, watched in one group.
pub(crate) struct Watched {
    pub(crate) client: Client,
    group_id: u64,
    view: Arc<Mutex<View>>,
}

/// What the socket has seen.
#[derive(Default)]
struct View {
    user_id: u64,
    /// Where it stands between the answer to a join and the word that it is out.
    joined: Option<Joined>,
    /// It has asked to leave, and was not answered yet.
    is_leaving: bool,
    /// Requests that were sent after the answer to a removal: the socket must be out before it hears theirs.
    behind_removal: HashSet<u64>,
    /// The heads of joins through which it was in all the same. Right only for one whose user was back by then.
    in_behind_removal: Vec<u64>,
    /// Place, and the head of the join through which it came; none for an own message without a join.
    entries: Vec<(u64, Option<u64>)>,
    /// The last change of each member.
    members: HashMap<u64, Change>,
    wrong: Vec<String>,
}

#[derive(Clone, Copy)]
struct Joined {
    head: u64,
    next: u64,
    /// The last entry was the removal of its own user: nothing of the group may follow.
    is_over: bool,
}

/// A change of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) seq: u64,
    pub(crate) is_member: bool,
}

impl Watched {
    pub(crate) async fn connect(world: &World, user_id: u64, group_id: u64) -> Self {
        Self::connect_through(Client::builder(world.addr()), world, user_id, group_id).await
    }

    /// A socket that is felt soon where it stops reading.
    pub(crate) async fn connect_narrow(world: &World, user_id: u64, group_id: u64) -> Self {
        let narrow = Client::builder(world.addr()).receive_buffer(4096);
        Self::connect_through(narrow, world, user_id, group_id).await
    }

    /// As this client is set.
    pub(crate) async fn connect_through(
        builder: ClientBuilder,
        world: &World,
        user_id: u64,
        group_id: u64,
    ) -> Self {
        let view = Arc::new(Mutex::new(View {
            user_id,
            ..View::default()
        }));
        let client = builder
            .token(&world.token(user_id))
            .observer({
                let view = view.clone();
                move |received| view.lock().take(received)
            })
            .connect()
            .await
            .unwrap();
        Self {
            client,
            group_id,
            view,
        }
    }

    pub(crate) fn join(&self) -> PendingAck {
        self.client.request("join_group", self.group())
    }

    pub(crate) fn leave(&self) -> PendingAck {
        self.view.lock().is_leaving = true;
        self.client.request("leave_group", self.group())
    }

    pub(crate) fn page(&self) -> PendingAck {
        let newest = json!({"group_id": self.group_id, "limit": 2});
        self.client.request("get_entries", newest)
    }

    /// A page of the entries after this place: as large as they are, and for this socket alone.
    pub(crate) fn page_after(&self, seq: u64, entries: usize) -> PendingAck {
        let page = json!({"group_id": self.group_id, "after_seq": seq, "limit": entries});
        self.client.request("get_entries", page)
    }

    pub(crate) fn send(&self) -> PendingAck {
        self.say("x")
    }

    pub(crate) fn say(&self, content: &str) -> PendingAck {
        let message = json!({"group_id": self.group_id, "encrypted_content": content});
        self.client.request("send_message", message)
    }

    /// Waits until everything that the server has sent to this socket so far was seen.
    pub(crate) async fn settle(&self) {
        let echo = self.client.emit_with_ack("echo", json!({})).await.unwrap();
        assert_eq!(echo["code"], "unknown_event");
    }

    fn group(&self) -> Value {
        json!({"group_id": self.group_id})
    }

    /// Sends a request after the answer to a removal.
    pub(crate) fn behind_removal(&self, request: impl FnOnce(&Self) -> PendingAck) -> PendingAck {
        // Locked, so that the answer is not heard before.
        let mut view = self.view.lock();
        let sent = request(self);
        view.behind_removal.insert(sent.id());
        sent
    }

    /// The last change of a member that it has seen.
    pub(crate) fn last_change_of(&self, user_id: u64) -> Option<Change> {
        self.view.lock().members.get(&user_id).copied()
    }

    /// It is out, and has nothing from behind this place.
    pub(crate) fn check_outside(&self, removal: u64) {
        let view = self.view.lock();
        assert!(view.joined.is_none(), "still in the group");
        let last = view.entries.last().map(|(seq, _)| *seq);
        assert!(last <= Some(removal), "{last:?} after the removal at {removal}");
    }

    /// The same of one whose user may be back: what it has from behind this place came through a join behind it, or is its
    /// own, of which the log tells whether it may be.
    pub(crate) fn check_outside_or_back(&self, removal: u64) {
        let mut view = self.view.lock();
        assert!(view.wrong.is_empty(), "user {}: {:#?}", view.user_id, view.wrong);
        let mut heads = std::mem::take(&mut view.in_behind_removal);
        let late = view.entries.iter().filter(|(seq, _)| *seq > removal);
        heads.extend(late.filter_map(|(_, head)| *head));
        heads.extend(view.joined.map(|joined| joined.head));
        assert!(
            heads.iter().all(|head| *head > removal),
            "in by joins at {heads:?}, over the removal at {removal}"
        );
    }

    /// Holds everything against the log: the changes of this socket's user, ascending.
    pub(crate) fn check(&self, changes: &[Change]) {
        assert!(!self.view.lock().entries.is_empty());
        self.check_whatever_came(changes);
    }

    /// The same of a socket to which nothing may have come.
    pub(crate) fn check_whatever_came(&self, changes: &[Change]) {
        let view = self.view.lock();
        assert!(view.wrong.is_empty(), "user {}: {:#?}", view.user_id, view.wrong);
        assert!(
            view.in_behind_removal.is_empty(),
            "user {}: in by joins at {:?} when a removal was over",
            view.user_id,
            view.in_behind_removal
        );
        assert_eq!(self.client.closed(), None);
        for (seq, head) in &view.entries {
            let before = &changes[..changes.partition_point(|change| change.seq < *seq)];
            let last = before.last().unwrap();
            match head {
                Some(head) => assert!(
                    last.is_member || last.seq <= *head,
                    "{seq} came through a join at {head}, over the removal at {}",
                    last.seq
                ),
                None => assert!(last.is_member, "{seq} was stored for somebody outside"),
            }
        }
    }
}

/// The changes of one member in a log.
pub(crate) fn changes_of(log: &[Value], user_id: u64) -> Vec<Change> {
    let of_member = log.iter().filter(|entry| entry["user_id"] == user_id);
    of_member.filter_map(change).collect()
}

fn change(entry: &Value) -> Option<Change> {
    let is_member = match entry["type"].as_str() {
        Some("member_added") => true,
        Some("member_removed") => false,
        _ => return None,
    };
    Some(Change {
        seq: number(&entry["seq"]),
        is_member,
    })
}

impl View {
    fn take(&mut self, received: &Received) {
        let is_right = match (received.kind(), received.name()) {
            (Kind::Ack(id), _) => self.take_ack(id, &received.payload()),
            (Kind::Event, Some("removed_from_group")) => {
                // A join that is still under way may end in it as well.
                let joined = self.joined.take();
                joined.is_none_or(|joined| joined.is_over)
            }
            (Kind::Event, Some("new_message" | "member_added" | "member_removed")) => {
                let mut entry = received.payload();
                entry["type"] = json!(received.name());
                self.take_entry(&entry)
            }
            (Kind::Closed, _) => true,
            _ => false,
        };
        if !is_right {
            self.wrong.push(received.frame().into());
        }
    }

    fn take_ack(&mut self, id: u64, ack: &Value) -> bool {
        if self.behind_removal.remove(&id) {
            self.in_behind_removal
                .extend(self.joined.map(|joined| joined.head));
        }
        if ack["success"] != true {
            return ack["code"] == "not_a_member" || ack["code"] == "unknown_event";
        }
        if ack.get("recovered").is_some() {
            let head = number(&ack["head_seq"]);
            let joined = self.joined.get_or_insert(Joined {
                head,
                next: head + 1,
                is_over: false,
            });
            return joined.next == head + 1 && !joined.is_over;
        }
        let is_of_leave = ack.get("message").is_none() && ack.get("entries").is_none();
        if is_of_leave {
            (self.joined, self.is_leaving) = (None, false);
        }
        true
    }

    fn take_entry(&mut self, entry: &Value) -> bool {
        let seq = number(&entry["seq"]);
        let change = change(entry);
        if let Some(change) = change {
            self.members.insert(number(&entry["user_id"]), change);
        }
        let is_behind_a_gap = self.joined.is_some_and(|joined| seq > joined.next);
        if self.is_leaving && is_behind_a_gap && entry["sender_id"] == self.user_id {
            // It is out already, though the answer is still on its way: only its own messages come to it.
            self.joined = None;
        }
        self.entries.push((seq, self.joined.map(|joined| joined.head)));
        let Some(joined) = &mut self.joined else {
            // Its own messages come to it without a join.
            return entry["sender_id"] == self.user_id;
        };
        let is_right = seq == joined.next && !joined.is_over;
        joined.next = seq + 1;
        joined.is_over = change.is_some_and(|change| !change.is_member) && entry["user_id"] == self.user_id;
        is_right
    }
}
