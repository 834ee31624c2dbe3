//! From a send to what each socket of its group gets, without a store that takes time.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use anyhow::{Context as _, ensure};
use sealroom_domain::{
    DisplayName, GroupId, GroupName, Principal, RemovalReason, Role, Timestamp, UserId,
    ports::{Groups as _, Memberships as _},
};
use sealroom_engine::{
    Chat, ChatOptions, Gone, JoinRequest, MessageDraft, Ports, Published, Session, Shared, Signal, Subscriber,
};
use sealroom_testkit::memory::{FixedClock, MemoryStore};
use tokio::{
    runtime::Runtime,
    sync::mpsc,
    time::{Duration, Instant},
};

use crate::{Round, content, runtime};

/// Sends of a round, which one batch takes.
pub(crate) const MESSAGES: u64 = 64;

pub(crate) struct Deliver {
    runtime: Runtime,
    chat: Arc<Chat>,
    group_id: GroupId,
    members: u64,
    sender: Arc<Session>,
    subscriber: Arc<dyn Subscriber>,
    delivered: Arc<AtomicU64>,
}

/// A socket that counts what it gets.
#[derive(Debug)]
struct Counter(Arc<AtomicU64>);

impl Deliver {
    /// A group of so many, all of whom have joined.
    pub(crate) fn new(members: u64) -> anyhow::Result<Self> {
        let runtime = runtime()?;
        let (group_id, delivered) = (GroupId::new(1)?, Arc::new(AtomicU64::new(0)));
        let subscriber: Arc<dyn Subscriber> = Arc::new(Counter(delivered.clone()));
        let (chat, sender) = runtime.block_on(async {
            let store = MemoryStore::new();
            let at = Timestamp::from_secs(1_700_000_000);
            store.put(group_id, &GroupName::new("measured")?, at).await?;
            let mut options = ChatOptions::default();
            options.limits.sends_per_user = None;
            let chat = Chat::start(Ports::on(&store, Arc::new(FixedClock::new(at))), options);
            let mut sender = None;
            for id in 1..=i64::try_from(members)? {
                store.set(group_id, UserId::new(id)?, Role::Member).await?;
                let session = chat
                    .open_session(principal(id)?)
                    .await
                    .map_err(|refusal| refused(&refusal))?;
                join(&chat, &session, &subscriber, group_id).await?;
                sender.get_or_insert(session);
            }
            anyhow::Ok((chat, sender.context("a group has members")?))
        })?;
        Ok(Self {
            runtime,
            chat,
            group_id,
            members,
            sender,
            subscriber,
            delivered,
        })
    }
}

impl Round for Deliver {
    fn play(&mut self) -> anyhow::Result<()> {
        let before = self.delivered.load(Ordering::Relaxed);
        let (tell, mut answers) = mpsc::unbounded_channel();
        self.runtime.block_on(async {
            for _ in 0..MESSAGES {
                let draft = MessageDraft {
                    group_id: self.group_id,
                    content: content()?,
                    client_message_id: None,
                    key_epoch: None,
                };
                let tell = tell.clone();
                let reply = Box::new(move |sent: Result<_, _>| {
                    // The round may have failed already.
                    let _ = tell.send(sent.is_ok());
                });
                self.chat.send(&self.sender, &self.subscriber, draft, reply);
            }
            for _ in 0..MESSAGES {
                ensure!(answers.recv().await == Some(true), "a message was refused");
            }
            anyhow::Ok(())
        })?;
        let delivered = self.delivered.load(Ordering::Relaxed) - before;
        ensure!(delivered == MESSAGES * self.members, "delivered {delivered}");
        Ok(())
    }
}

impl Subscriber for Counter {
    fn deliver(&self, entries: &[Arc<Published>]) -> Result<(), Gone> {
        let entries = u64::try_from(entries.len()).unwrap_or(u64::MAX);
        self.0.fetch_add(entries, Ordering::Relaxed);
        Ok(())
    }

    fn signal(&self, _: &Arc<Shared<Signal>>) {}

    fn removed_from_group(&self, _: GroupId, _: RemovalReason) {}

    fn position_lost(&self) {}

    fn revoked(&self) {}
}

async fn join(
    chat: &Arc<Chat>,
    session: &Arc<Session>,
    subscriber: &Arc<dyn Subscriber>,
    group_id: GroupId,
) -> anyhow::Result<()> {
    let request = JoinRequest {
        group_id,
        after_seq: None,
        log_id: None,
        limit: Some(1),
    };
    let (tell, mut joined) = mpsc::unbounded_channel();
    let reply = Box::new(move |answer: Result<_, _>| {
        let _ = tell.send(answer.is_ok());
    });
    let deadline = Instant::now() + Duration::from_mins(1);
    chat.join(session, subscriber, request, deadline, reply).await;
    ensure!(joined.recv().await == Some(true), "a join was refused");
    Ok(())
}

fn principal(id: i64) -> anyhow::Result<Principal> {
    Ok(Principal {
        user_id: UserId::new(id)?,
        name: Some(DisplayName::new(format!("user {id}"))?),
        scope: None,
        login_id: None,
        issued_at: None,
        expires_at: Timestamp::from_secs(1_800_000_000),
    })
}

fn refused(refusal: &sealroom_domain::Refusal) -> anyhow::Error {
    anyhow::anyhow!("refused: {}", refusal.code.as_str())
}
