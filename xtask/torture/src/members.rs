//! The backend that adds and removes members while they talk.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use anyhow::bail;
use fastrand::Rng;
use tokio::time::sleep;

use crate::{
    evidence::files,
    http::Admin,
    log::{Change, Log, MemberLine},
    world::{Phase, Shared, World},
};

/// Changes members, one call after the other.
pub(crate) struct Members {
    admin: Admin,
    log: Log,
    random: Rng,
    shared: Arc<Shared>,
    users: u64,
    /// Who is a member, as far as it knows; and how many began.
    groups: BTreeMap<u64, (BTreeSet<u64>, usize)>,
    calls: u64,
}

impl Members {
    pub(crate) fn new(admin: Admin, shared: Arc<Shared>, users: u64, seed: u64) -> anyhow::Result<Self> {
        Ok(Self {
            admin,
            log: Log::create(&shared.folder.join(files::MEMBERS))?,
            random: Rng::with_seed(seed),
            shared,
            users,
            groups: BTreeMap::new(),
            calls: 0,
        })
    }

    /// Creates the groups and adds the first members.
    pub(crate) async fn set_up(&mut self, world: &World) -> anyhow::Result<()> {
        for (group, members) in world.groups() {
            self.admin.create_group(group).await?;
            for &user in members {
                if self.change(Change::Add, group, user).await? != Some(200) {
                    bail!("user {user} cannot be added to group {group}");
                }
            }
            let members: BTreeSet<_> = members.iter().copied().collect();
            let size = members.len();
            self.groups.insert(group, (members, size));
        }
        Ok(())
    }

    /// Adds and removes until the end.
    pub(crate) async fn run(mut self) -> anyhow::Result<()> {
        while self.shared.phase() == Phase::Running {
            sleep(Duration::from_millis(self.random.u64(20..500))).await;
            let group = self.random.u64(1..=self.groups.len().try_into().unwrap_or(1));
            let Some((members, size)) = self.groups.get(&group) else {
                continue;
            };
            // Nobody stays outside for long, and no group dies out.
            let removes = members.len() > size / 2 && (members.len() > *size || self.random.bool());
            let (change, user) = if removes {
                (Change::Remove, self.random.choice(members.iter()).copied())
            } else {
                let outside: Vec<_> = (1..=self.users).filter(|user| !members.contains(user)).collect();
                (Change::Add, self.random.choice(outside))
            };
            if let Some(user) = user {
                self.change_and_remember(change, group, user).await?;
            }
        }
        self.log.flush()
    }

    async fn change_and_remember(&mut self, change: Change, group: u64, user: u64) -> anyhow::Result<()> {
        let status = self.change(change, group, user).await?;
        let Some((members, _)) = self.groups.get_mut(&group) else {
            return Ok(());
        };
        match (change, status) {
            (Change::Add, Some(200)) => {
                members.insert(user);
            }
            (Change::Remove, Some(204 | 404)) => {
                members.remove(&user);
            }
            // Not known: one of the next calls asks for it again.
            _ => {}
        }
        Ok(())
    }

    async fn change(&mut self, change: Change, group: u64, user: u64) -> anyhow::Result<Option<u16>> {
        self.calls += 1;
        let number = self.calls;
        let at = self.shared.clock.now();
        self.log.append(&MemberLine::Asked {
            at,
            number,
            change,
            group,
            user,
        })?;
        let answer = self.admin.change_member(change, group, user).await;
        let at = self.shared.clock.now();
        match answer {
            Ok(status) => {
                self.log.append(&MemberLine::Answered { at, number, status })?;
                Ok(Some(status))
            }
            Err(error) => {
                let error = format!("{error:#}");
                self.log.append(&MemberLine::Lost { at, number, error })?;
                Ok(None)
            }
        }
    }
}
