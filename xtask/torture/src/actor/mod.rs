//! A client that behaves as an application's would, writes down everything, and judges nothing.

mod group;
mod outbox;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use fastrand::Rng;
use tokio::time::{Instant, sleep, sleep_until};

use crate::{
    client::{Client, Incoming, NotConnected},
    evidence::files,
    log::{ClientLine, Log, Request},
    world::{Phase, Shared, count},
};
use group::{Copy, Joined};
use outbox::{Outbox, Outcome};

/// The most messages without an answer.
const WINDOW: usize = 8;
/// The most messages that are sent at once.
const BURST: usize = 4;
/// The longest wait between two tries to connect.
const BACK_OFF: Duration = Duration::from_secs(1);
const PAGES: [u64; 3] = [20, 100, 500];

/// Whether a connection goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    GoesOn,
    Over,
    Done,
}

/// A user with one connection at a time.
pub(crate) struct Actor {
    user: u64,
    token: String,
    shared: Arc<Shared>,
    log: Log,
    random: Rng,
    session: u64,
    copies: BTreeMap<u64, Copy>,
    outbox: Outbox,
    /// Requests of this connection without an answer.
    in_flight: BTreeMap<u64, Request>,
    progress: Progress,
}

/// How far it has come to its end.
#[derive(Debug, Default)]
struct Progress {
    /// Groups that it was outside of were tried once more.
    is_settling: bool,
    is_counted: bool,
    /// The last look was asked for on this connection.
    has_looked: bool,
}

impl Actor {
    /// A user that is, at first, a member of some of the groups.
    pub(crate) fn new(
        user: u64,
        token: String,
        groups: &HashMap<u64, bool>,
        shared: Arc<Shared>,
        seed: u64,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            user,
            token,
            log: Log::create(&files::client(&shared.folder, user))?,
            shared,
            random: Rng::with_seed(seed),
            session: 0,
            copies: groups
                .iter()
                .map(|(group, is_member)| (*group, Copy::new(*is_member)))
                .collect(),
            outbox: Outbox::default(),
            in_flight: BTreeMap::new(),
            progress: Progress::default(),
        })
    }

    /// Comes back as often as it is cut off, until it has settled.
    pub(crate) async fn run(mut self) -> anyhow::Result<()> {
        let mut back_off = Duration::from_millis(20);
        loop {
            match Client::connect(self.shared.server, &self.token).await {
                Ok(client) => {
                    back_off = Duration::from_millis(20);
                    if self.live(client).await? == Next::Done {
                        return self.log.flush();
                    }
                }
                Err(NotConnected::Refused(message)) => {
                    let at = self.shared.clock.now();
                    self.log.append(&ClientLine::Refused { at, message })?;
                }
                Err(NotConnected::Failed) => {}
            }
            sleep(back_off.mul_f64(0.5 + self.random.f64())).await;
            back_off = (back_off * 2).min(BACK_OFF);
        }
    }

    /// One connection, from its beginning to its end.
    async fn live(&mut self, mut client: Client) -> anyhow::Result<Next> {
        self.session += 1;
        let (at, session) = (self.shared.clock.now(), self.session);
        self.log.append(&ClientLine::Connected { at, session })?;
        let mut turn = Instant::now();
        let mut reason = "cut off by the client".to_owned();
        let next = loop {
            tokio::select! {
                incoming = client.next() => {
                    if let Incoming::Ended { reason: why } = incoming {
                        reason = why;
                        break Next::Over;
                    }
                    self.take(incoming)?;
                }
                () = sleep_until(turn) => {
                    match self.act(&mut client).await? {
                        Next::GoesOn => turn = Instant::now() + self.pause(),
                        end => break end,
                    }
                }
            }
        };
        client.kill();
        self.end(reason, next)?;
        Ok(next)
    }

    fn end(&mut self, reason: String, next: Next) -> anyhow::Result<()> {
        let (at, session) = (self.shared.clock.now(), self.session);
        self.log.append(&ClientLine::Ended { at, session, reason })?;
        for request in std::mem::take(&mut self.in_flight).into_values() {
            self.outbox.unanswered(request);
        }
        self.copies.values_mut().for_each(Copy::disconnect);
        self.progress.has_looked = false;
        if next == Next::Done {
            self.log.append(&ClientLine::Settled { at })?;
        }
        Ok(())
    }

    fn take(&mut self, incoming: Incoming) -> anyhow::Result<()> {
        let (at, session) = (self.shared.clock.now(), self.session);
        match incoming {
            Incoming::Answer { id, body } => {
                if let Some(request) = self.in_flight.remove(&id) {
                    self.answered(request, &body);
                }
                self.log.append(&ClientLine::Answer {
                    at,
                    session,
                    id,
                    body,
                })
            }
            Incoming::Event { name, payload } => {
                self.event(&name, &payload);
                self.log.append(&ClientLine::Event {
                    at,
                    session,
                    name,
                    payload,
                })
            }
            Incoming::Ended { .. } => Ok(()),
        }
    }

    fn answered(&mut self, request: Request, body: &serde_json::value::RawValue) {
        if matches!(request, Request::Send { .. }) {
            if self.outbox.answered(request, body) == Outcome::Acknowledged {
                count(&self.shared.figures.acknowledged);
            }
        } else if let Some(copy) = self.copies.get_mut(&request.group()) {
            copy.answer(&request, body);
        }
    }

    fn event(&mut self, name: &str, payload: &serde_json::value::RawValue) {
        #[derive(serde::Deserialize)]
        struct Keys {
            group_id: u64,
        }
        count(&self.shared.figures.received);
        let Ok(Keys { group_id }) = serde_json::from_str(payload.get()) else {
            return;
        };
        if let Some(copy) = self.copies.get_mut(&group_id) {
            match name {
                "removed_from_group" => copy.removed(),
                _ => copy.live(payload),
            }
        }
    }

    /// How long until it does something again.
    fn pause(&mut self) -> Duration {
        Duration::from_millis(match self.shared.phase() {
            Phase::Running => self.random.u64(100..900),
            Phase::Settling | Phase::Finishing => self.random.u64(20..60),
        })
    }

    async fn ask(&mut self, client: &mut Client, request: Request) -> anyhow::Result<()> {
        let id = client.take_id();
        let (at, session) = (self.shared.clock.now(), self.session);
        if matches!(request, Request::Send { .. }) {
            count(&self.shared.figures.sent);
        }
        let line = ClientLine::Request {
            at,
            session,
            id,
            request: request.clone(),
        };
        self.log.append(&line)?;
        client.send(id, &request).await;
        self.in_flight.insert(id, request);
        Ok(())
    }

    async fn act(&mut self, client: &mut Client) -> anyhow::Result<Next> {
        self.recover(client).await?;
        match self.shared.phase() {
            Phase::Running => self.play(client).await,
            phase => self.settle(client, phase).await,
        }
    }

    /// Joins what it wants to be in, reads what it misses, and sends again what has no answer.
    async fn recover(&mut self, client: &mut Client) -> anyhow::Result<()> {
        let is_running = self.shared.phase() == Phase::Running;
        let limit = self.random.choice(PAGES).unwrap_or(100);
        let mut requests = Vec::new();
        for (group, copy) in &mut self.copies {
            let tries = match (is_running, copy.is_outside) {
                (true, true) => self.random.u8(..) < 20,
                (true, false) => self.random.u8(..) < 200,
                (false, is_outside) => !is_outside,
            };
            if copy.is_wanted && copy.joined == Joined::No && tries {
                let recovers = !is_running || self.random.u8(..) < 220;
                requests.push(copy.join(*group, recovers, limit));
            }
            requests.extend(copy.page(*group, limit));
        }
        while self.sends_in_flight() + requests.iter().filter(|request| is_send(request)).count() < WINDOW
            && let Some(retry) = self.outbox.take_retry()
        {
            requests.push(retry);
        }
        for request in requests {
            self.ask(client, request).await?;
        }
        Ok(())
    }

    fn sends_in_flight(&self) -> usize {
        self.in_flight.values().filter(|request| is_send(request)).count()
    }

    /// What a user does, and what a strange one does.
    async fn play(&mut self, client: &mut Client) -> anyhow::Result<Next> {
        let mut wanted: Vec<u64> = Vec::new();
        for (group, copy) in &self.copies {
            if copy.is_wanted && !copy.is_outside {
                wanted.push(*group);
            }
        }
        let own = self.random.choice(wanted);
        let any = self.random.choice(self.copies.keys()).copied();
        let limit = self.random.choice(PAGES).unwrap_or(100);
        let dice = self.random.u8(0..100);
        let mut requests = Vec::new();
        match (dice, own, any) {
            (0..60, Some(group), _) => {
                let free = WINDOW.saturating_sub(self.sends_in_flight());
                for _ in 0..self.random.usize(1..=BURST).min(free) {
                    requests.push(self.outbox.write(self.user, group, &mut self.random));
                }
            }
            (60..65, ..) => requests.extend(self.outbox.known(&mut self.random)),
            (65..70, Some(group), _) => requests.push(Request::Leave { group }),
            // Once more where it has joined already.
            (70..77, Some(group), _) => {
                let recovers = self.random.bool();
                let copy = self.copies.get_mut(&group);
                requests.extend(copy.map(|copy| copy.join(group, recovers, limit)));
            }
            (77..82, Some(group), _) => {
                let have = self.copies.get(&group).map_or(0, |copy| copy.have);
                let after_seq = self.random.u64(0..=have);
                requests.push(Request::Page {
                    group,
                    after_seq,
                    limit,
                });
            }
            // Groups of which it is, mostly, not a member.
            (82..88, _, Some(group)) => requests.extend(self.intrude(group)),
            (99, ..) => return Ok(Next::Over),
            _ => {}
        }
        for request in requests {
            self.ask(client, request).await?;
        }
        Ok(Next::GoesOn)
    }

    fn intrude(&mut self, group: u64) -> Option<Request> {
        match self.random.u8(0..3) {
            0 => Some(self.outbox.write(self.user, group, &mut self.random)),
            1 => Some(Request::Page {
                group,
                after_seq: 0,
                limit: 5,
            }),
            _ => self.copies.get_mut(&group).map(|copy| copy.join(group, true, 20)),
        }
    }

    /// Comes to an end: everything answered and read, then a last look at each log that it follows.
    async fn settle(&mut self, client: &mut Client, phase: Phase) -> anyhow::Result<Next> {
        if !self.progress.is_settling {
            // It may have been added again since.
            self.progress.is_settling = true;
            self.copies.values_mut().for_each(|copy| copy.is_outside = false);
            return Ok(Next::GoesOn);
        }
        let is_settled = self.in_flight.is_empty()
            && !self.outbox.has_retries()
            && self.copies.values().all(Copy::is_settled);
        if !is_settled {
            return Ok(Next::GoesOn);
        }
        if !self.progress.is_counted {
            self.progress.is_counted = true;
            count(&self.shared.figures.settled);
        }
        if phase != Phase::Finishing {
            return Ok(Next::GoesOn);
        }
        if self.progress.has_looked {
            return Ok(Next::Done);
        }
        // The head that a second join tells is the end of what must have come live.
        self.progress.has_looked = true;
        let mut looks = Vec::new();
        for (group, copy) in &mut self.copies {
            if matches!(copy.joined, Joined::Yes { .. }) {
                looks.push(copy.join(*group, false, 1));
            }
        }
        for look in looks {
            self.ask(client, look).await?;
        }
        Ok(Next::GoesOn)
    }
}

fn is_send(request: &Request) -> bool {
    matches!(request, Request::Send { .. })
}
