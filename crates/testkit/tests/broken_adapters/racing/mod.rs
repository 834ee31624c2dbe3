//! A store whose append does several things in the wrong order or without a lock.

mod ports;

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sealroom_domain::{
    ClientMessageId, Entry, EntryBody, GroupId, Message, Role, Seq, UserId,
    ports::{Appended, GroupLog, Guard, Member, Memberships, NewBody, NewEntry, RefusedEntry, StoreError},
};
use sealroom_testkit::memory::MemoryStore;
use tokio::task::{JoinSet, yield_now};

use super::rewriting::Answer;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Defect {
    /// Nothing.
    None,
    /// A greater role than the one asked for is refused.
    ExactRole,
    /// Guards see the roles from before the batch.
    GuardsBeforeTheBatch,
    /// Guards see the role that an actor had first.
    RememberedRoles,
    /// No owner may go, not even one of two.
    OwnersStay,
    /// Nobody may go where no owner would be left, not even where there was none.
    OwnerNeeded,
    /// The last owner is looked for before the batch.
    OwnersBeforeTheBatch,
    /// A change without effect is an entry.
    AlwaysAnEntry,
    /// Members are those from before the last append.
    StaleRoles,
    /// Repetitions are looked for before the batch.
    IdsBeforeTheBatch,
    /// What is refused takes its client id.
    RefusedIdsAreTaken,
    /// Places are given from the head before the batch.
    PlacesBeforeTheBatch,
    /// The answer comes before the append.
    AnswersFirst,
    /// Nothing to append is an error.
    EmptyBatchFails,
    /// A page's head is older than its entries.
    HeadBeforeThePage,
    /// A page of group 1 has the entries of group 11.
    GroupsByPrefix,
    /// Each entry of a batch is stored alone.
    PieceByPiece,
    /// A lock that an abandoned append does not give back.
    LockIsLeft,
    /// Groups are locked one after the other, in the order of the batch.
    LocksInBatchOrder,
}

type IdKey = (GroupId, UserId, ClientMessageId);

/// The in-memory store with a defect.
#[derive(Debug)]
pub(crate) struct Racing {
    inner: MemoryStore,
    defect: Defect,
    stale: Mutex<HashMap<GroupId, Vec<Member>>>,
    roles: Mutex<HashMap<(GroupId, UserId), Option<Role>>>,
    stored: Mutex<HashMap<IdKey, Entry>>,
    taken: Mutex<HashSet<IdKey>>,
    busy: AtomicBool,
    locks: Mutex<HashMap<GroupId, Arc<tokio::sync::Mutex<()>>>>,
    late: Mutex<JoinSet<()>>,
}

impl Racing {
    pub(crate) fn new(defect: Defect) -> Self {
        Self {
            inner: MemoryStore::new(),
            defect,
            stale: Mutex::default(),
            roles: Mutex::default(),
            stored: Mutex::default(),
            taken: Mutex::default(),
            busy: AtomicBool::new(false),
            locks: Mutex::default(),
            late: Mutex::default(),
        }
    }

    async fn role(&self, new: &NewEntry) -> Option<Role> {
        let asked = self.inner.roles(&[(new.group_id, new.actor_id)]).await;
        asked.unwrap().remove(0)
    }

    /// Decides about each entry by what is known before the batch, and appends what passes without its guard.
    async fn append_decided(
        &self,
        batch: Vec<NewEntry>,
        decided: Vec<Option<RefusedEntry>>,
        guard: fn(Guard) -> Guard,
    ) -> Result<Vec<Answer>, StoreError> {
        yield_now().await;
        let passing = batch.into_iter().zip(&decided);
        let passing = passing.filter(|(_, refused)| refused.is_none());
        let passing = passing.map(|(mut new, _)| {
            new.guard = guard(new.guard);
            new
        });
        let mut answers = self.inner.append(passing.collect()).await?.into_iter();
        let answers = decided.into_iter().map(|refused| match refused {
            Some(refused) => Err(refused),
            None => answers.next().unwrap(),
        });
        Ok(answers.collect())
    }

    async fn check_roles(&self, batch: Vec<NewEntry>) -> Result<Vec<Answer>, StoreError> {
        let mut decided = Vec::new();
        for new in &batch {
            let now = self.role(new).await;
            let role = match self.defect {
                Defect::RememberedRoles => {
                    let mut roles = self.roles.lock().unwrap();
                    *roles.entry((new.group_id, new.actor_id)).or_insert(now)
                }
                _ => now,
            };
            let refused = match new.guard {
                Guard::Kept {
                    actor_role: Some(least),
                    ..
                } => match self.defect {
                    Defect::ExactRole => role != Some(least),
                    _ => role < Some(least),
                },
                _ => false,
            };
            decided.push(refused.then_some(RefusedEntry::ActorRole));
        }
        self.append_decided(batch, decided, without_role).await
    }

    async fn check_owners(&self, batch: Vec<NewEntry>) -> Result<Vec<Answer>, StoreError> {
        let mut decided = Vec::new();
        for new in &batch {
            let members = self.inner.members_of(new.group_id).await?;
            let is_owner = |user: UserId| {
                let mut owners = members.iter().filter(|member| member.role == Role::Owner);
                owners.any(|owner| owner.user_id == user)
            };
            let others = |user: UserId| {
                let mut owners = members.iter().filter(|member| member.role == Role::Owner);
                owners.any(|owner| owner.user_id != user)
            };
            let refused = match (new.guard, &new.body) {
                (
                    Guard::Kept {
                        keeps_owner: true, ..
                    },
                    NewBody::RemoveMember { user_id, .. } | NewBody::SetMember { user_id, .. },
                ) => match self.defect {
                    Defect::OwnersStay => is_owner(*user_id),
                    Defect::OwnerNeeded => !others(*user_id),
                    _ => is_owner(*user_id) && !others(*user_id),
                },
                _ => false,
            };
            decided.push(refused.then_some(RefusedEntry::LastOwner));
        }
        self.append_decided(batch, decided, without_owner).await
    }

    async fn append_always(&self, batch: Vec<NewEntry>) -> Result<Vec<Answer>, StoreError> {
        let mut answers = self.inner.append(batch.clone()).await?;
        for (mut new, answer) in batch.into_iter().zip(&mut answers) {
            if *answer == Ok(Appended::Unchanged) {
                new.guard = Guard::Host;
                *answer = self.inner.append(vec![new]).await?.remove(0);
            }
        }
        Ok(answers)
    }

    async fn append_ids(&self, batch: Vec<NewEntry>) -> Result<Vec<Answer>, StoreError> {
        let mut answers = Vec::new();
        for mut new in batch {
            let key = take_id(&mut new);
            let known = key
                .as_ref()
                .and_then(|key| self.stored.lock().unwrap().get(key).cloned());
            yield_now().await;
            let answer = match known {
                Some(entry) => Ok(Appended::Duplicate(entry)),
                None => self.inner.append(vec![new]).await?.remove(0),
            };
            if let (Some(key), Ok(Appended::New(entry))) = (key, &answer) {
                self.stored.lock().unwrap().insert(key, entry.clone());
            }
            answers.push(answer);
        }
        Ok(answers)
    }

    async fn append_taking(&self, batch: Vec<NewEntry>) -> Result<Vec<Answer>, StoreError> {
        let keys: Vec<_> = batch.iter().map(|new| take_id(&mut new.clone())).collect();
        let mut answers = self.inner.append(batch).await?;
        let mut taken = self.taken.lock().unwrap();
        for (key, answer) in keys.into_iter().zip(&mut answers) {
            let Some(key) = key else { continue };
            if taken.contains(&key) {
                *answer = Err(RefusedEntry::IdempotencyConflict);
            }
            taken.insert(key);
        }
        Ok(answers)
    }

    async fn append_guessing(&self, batch: Vec<NewEntry>) -> Result<Vec<Answer>, StoreError> {
        let groups: Vec<GroupId> = batch.iter().map(|new| new.group_id).collect();
        let mut heads: HashMap<GroupId, Seq> = self.inner.heads(&groups).await?.into_iter().collect();
        yield_now().await;
        let mut answers = self.inner.append(batch).await?;
        for answer in &mut answers {
            if let Ok(Appended::New(entry)) = answer {
                let head = heads.get_mut(&entry.group_id).unwrap();
                *head = head.next();
                entry.seq = *head;
            }
        }
        Ok(answers)
    }

    /// Answers at once; what comes first is stored last.
    fn append_later(&self, batch: Vec<NewEntry>) -> Vec<Answer> {
        let answers = batch.iter().map(|new| Ok(Appended::New(made_up(new)))).collect();
        let inner = self.inner.clone();
        let mut late = self.late.lock().unwrap();
        let delay = Duration::from_millis(20_u64.saturating_sub(late.len().try_into().unwrap()));
        late.spawn(async move {
            tokio::time::sleep(delay).await;
            inner.append(batch).await.unwrap();
        });
        answers
    }

    async fn append_pieces(&self, batch: Vec<NewEntry>) -> Result<Vec<Answer>, StoreError> {
        let mut answers = Vec::new();
        for new in batch {
            answers.extend(self.inner.append(vec![new]).await?);
            yield_now().await;
        }
        Ok(answers)
    }

    async fn append_locked(&self, batch: Vec<NewEntry>) -> Result<Vec<Answer>, StoreError> {
        while self.busy.swap(true, Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        yield_now().await;
        let answers = self.inner.append(batch).await;
        yield_now().await;
        self.busy.store(false, Ordering::SeqCst);
        answers
    }

    async fn append_locking(&self, batch: Vec<NewEntry>) -> Result<Vec<Answer>, StoreError> {
        let mut held = HashMap::new();
        for new in &batch {
            let lock = Arc::clone(self.locks.lock().unwrap().entry(new.group_id).or_default());
            if let std::collections::hash_map::Entry::Vacant(place) = held.entry(new.group_id) {
                place.insert(lock.lock_owned().await);
                yield_now().await;
            }
        }
        self.inner.append(batch).await
    }
}

fn without_role(guard: Guard) -> Guard {
    match guard {
        Guard::Kept { keeps_owner, .. } => Guard::Kept {
            actor_role: None,
            keeps_owner,
        },
        Guard::Host => Guard::Host,
    }
}

fn without_owner(guard: Guard) -> Guard {
    match guard {
        Guard::Kept { actor_role, .. } => Guard::Kept {
            actor_role,
            keeps_owner: false,
        },
        Guard::Host => Guard::Host,
    }
}

/// Takes the client id out of a message.
fn take_id(new: &mut NewEntry) -> Option<IdKey> {
    let (group_id, actor_id) = (new.group_id, new.actor_id);
    match &mut new.body {
        NewBody::Message {
            client_message_id, ..
        } => client_message_id.take().map(|id| (group_id, actor_id, id)),
        _ => None,
    }
}

/// What an entry might have become.
fn made_up(new: &NewEntry) -> Entry {
    let NewBody::Message {
        sender_name, content, ..
    } = &new.body
    else {
        panic!("the property sends messages only")
    };
    Entry {
        group_id: new.group_id,
        seq: Seq::ZERO.next(),
        at: new.at,
        body: EntryBody::Message(Message {
            id: 1.try_into().unwrap(),
            sender_id: new.actor_id,
            sender_name: sender_name.clone(),
            content: Some(content.clone()),
            client_message_id: None,
            key_epoch: None,
        }),
    }
}
