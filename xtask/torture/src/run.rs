//! A run: setting up, torturing, settling, reading the truth, judging.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use anyhow::Context as _;
use fastrand::Rng;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep, timeout},
};
use xtask_postgres::Cluster;

use crate::{
    actor::Actor,
    chaos::{DatabaseChaos, Faults, ServerChaos, start_database},
    check,
    clock::Clock,
    evidence::{Evidence, files},
    http::Admin,
    log::Log,
    members::Members,
    options::{Options, Store},
    progress::Progress,
    server::{Server, ServerOptions},
    summary::Summary,
    token::Mint,
    world::{Figures, Phase, Shared, World},
};

/// How long everybody may take to come to an end.
const SETTLE: Duration = Duration::from_mins(1);

/// Runs, prints the summary, and tells whether all is well.
pub async fn run(options: &Options) -> anyhow::Result<bool> {
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    let folder = folder(options, seed)?;
    println!("torture: seed {seed}, evidence in {}", folder.display());
    Run::start(options, &folder, seed).await?.finish().await?;

    let evidence = Evidence::read(&folder)?;
    let summary = Summary {
        store: options.store.name(),
        minutes: options.minutes,
        seed,
        tally: check::tally(&evidence),
        violations: check::check(&evidence),
    };
    print!("{summary}");
    if let Some(path) = &options.json {
        summary.write(path)?;
    }
    let is_well = summary.violations.is_empty();
    if is_well && !options.keep {
        fs::remove_dir_all(&folder)?;
    } else {
        println!("  {:<22} {}", "evidence", folder.display());
    }
    Ok(is_well)
}

/// A folder of its own for each run.
fn folder(options: &Options, seed: u64) -> anyhow::Result<PathBuf> {
    let name = format!("{}-{seed}-{}", options.store.name(), std::process::id());
    let folder = options.folder.join(name);
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    fs::canonicalize(&folder).context("the folder was just created")
}

/// Everything that is under way.
struct Run {
    length: Duration,
    shared: Arc<Shared>,
    phase: watch::Sender<Phase>,
    world: World,
    admin: Admin,
    server: ServerChaos,
    database: Option<DatabaseChaos>,
    members: Members,
    actors: Vec<Actor>,
}

impl Run {
    async fn start(options: &Options, folder: &Path, seed: u64) -> anyhow::Result<Self> {
        let clock = Clock::new();
        let mut random = Rng::with_seed(seed);
        let mint = Mint::new(clock)?;
        let faults = Faults::new(folder, clock)?;
        let cluster = match options.store {
            Store::Sqlite => None,
            Store::Postgres => Some(start_database().await?),
        };
        let server = Server::start(ServerOptions {
            binary: options.server.clone(),
            data_dir: folder.join("data"),
            log: folder.join(files::SERVER_LOG),
            secret: mint.secret.clone(),
            database_url: cluster.as_ref().map(Cluster::url),
        })
        .await?;
        let (phase, phase_receiver) = watch::channel(Phase::Running);
        let shared = Arc::new(Shared {
            server: server.addr,
            clock,
            folder: folder.to_owned(),
            phase: phase_receiver,
            figures: Figures::default(),
        });
        let world = World::new(options.users, &mut random);
        let admin = Admin::new(server.addr, mint.admin()?)?;
        let mut members = Members::new(admin.clone(), shared.clone(), world.users, random.u64(..))?;
        members.set_up(&world).await?;
        let mut actors = Vec::new();
        for user in 1..=world.users {
            let is_member = |(group, members): (u64, &[u64])| (group, members.contains(&user));
            let groups: HashMap<_, _> = world.groups().map(is_member).collect();
            let token = mint.user(user)?;
            actors.push(Actor::new(user, token, &groups, shared.clone(), random.u64(..))?);
        }
        Ok(Self {
            length: Duration::from_secs_f64(options.minutes * 60.0),
            server: ServerChaos::new(server, faults.clone(), shared.clone(), random.u64(..)),
            database: cluster
                .map(|cluster| DatabaseChaos::new(cluster, faults.clone(), shared.clone(), random.u64(..))),
            shared,
            phase,
            world,
            admin,
            members,
            actors,
        })
    }

    async fn finish(self) -> anyhow::Result<()> {
        let mut progress = Progress::new(self.length)?;
        let mut tasks: JoinSet<anyhow::Result<()>> = JoinSet::new();
        tasks.spawn(self.members.run());
        for actor in self.actors {
            tasks.spawn(actor.run());
        }
        let mut server = JoinSet::new();
        server.spawn(self.server.run());
        let mut database = JoinSet::new();
        if let Some(chaos) = self.database {
            database.spawn(chaos.run());
        }
        let end = Instant::now() + self.length;
        while Instant::now() < end {
            sleep(Duration::from_millis(200)).await;
            progress.show(&self.shared.figures);
            ended_early(&mut tasks)?;
            ended_early(&mut server)?;
            ended_early(&mut database)?;
        }
        progress.say("everybody retries and recovers");
        self.phase.send_replace(Phase::Settling);
        let database = database.join_next().await.transpose()?.transpose()?;
        let mut server = server.join_next().await.context("it was spawned")???;
        tokio::select! {
            settled = settle(&self.shared, &self.phase, tasks) => settled?,
            watched = server.watch() => watched?,
        }
        progress.say("the truth is read after a last kill");
        server.kill().await?;
        read_truth(&self.admin, &self.world, &self.shared.folder).await?;
        server.stop().await?;
        if let Some(database) = database {
            fs::write(self.shared.folder.join(files::DATABASE_LOG), database.log())?;
        }
        progress.say("what was seen is checked");
        progress.end();
        Ok(())
    }
}

/// Whoever ends while it runs has failed.
fn ended_early<T: 'static>(tasks: &mut JoinSet<anyhow::Result<T>>) -> anyhow::Result<()> {
    match tasks.try_join_next() {
        Some(ended) => ended?.map(drop),
        None => Ok(()),
    }
}

/// Waits until everybody has everything, then until everybody has had a last look.
async fn settle(
    shared: &Shared,
    phase: &watch::Sender<Phase>,
    mut tasks: JoinSet<anyhow::Result<()>>,
) -> anyhow::Result<()> {
    let actors = u64::try_from(tasks.len().saturating_sub(1)).unwrap_or(u64::MAX);
    let deadline = Instant::now() + SETTLE;
    while shared.figures.settled.load(Ordering::Relaxed) < actors && Instant::now() < deadline {
        sleep(Duration::from_millis(50)).await;
    }
    phase.send_replace(Phase::Finishing);
    let ending = async {
        while let Some(ended) = tasks.join_next().await {
            ended??;
        }
        Ok(())
    };
    // Who does not end has written no last line, and that is a violation.
    timeout(SETTLE, ending).await.unwrap_or(Ok(()))
}

async fn read_truth(admin: &Admin, world: &World, folder: &Path) -> anyhow::Result<()> {
    for group in 1..=world.group_count() {
        let mut log = Log::create(&files::truth(folder, group))?;
        for entry in admin.log(group).await? {
            log.append(&entry)?;
        }
        log.flush()?;
    }
    Ok(())
}
