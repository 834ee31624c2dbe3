//! The program behind `cargo xtask load`: loads a running server, and says what it did.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool speaks to the person who runs it"
)]

use std::{fmt::Display, fs, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand, value_parser};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use tokio::runtime::{Builder, Runtime};
use xtask_load::{
    connects,
    process::Process,
    recoveries,
    sends::{self, Pace},
    shape::Shape,
    site::Site,
    tokens::Tokens,
};

/// Loads a server with many Socket.IO clients, and says what became of what they sent.
///
/// It makes the groups and members that it needs, with a token for the admin calls. Switch the server's limits off that
/// are not what you want to measure: `SEALROOM_LIMIT_CONNECTIONS_PER_ADDRESS`, `SEALROOM_LIMIT_HANDSHAKES_PER_ADDRESS` and
/// `SEALROOM_LIMIT_SENDS_PER_USER`.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask load")]
struct Options {
    /// Where the server is.
    #[arg(long, global = true, default_value = "http://127.0.0.1:8000")]
    url: String,
    /// The file with the secret that the server checks tokens with (HS256), as in its data directory.
    #[arg(long, global = true, default_value = "sealroom-data/jwt-secret")]
    secret_file: PathBuf,
    /// Tokens from elsewhere in the place of the secret: a file with a line `USER_ID TOKEN` for each user, from
    /// --first-id on.
    #[arg(long, global = true, requires = "admin_token_file")]
    tokens: Option<PathBuf>,
    /// The token with the scope `admin` that goes with --tokens.
    #[arg(long, global = true)]
    admin_token_file: Option<PathBuf>,
    /// The server's process, where it runs on this machine: its processor time and memory are reported.
    #[arg(long, global = true)]
    pid: Option<u32>,
    /// The groups and their members are there already: none is made.
    #[arg(long, global = true)]
    prepared: bool,
    /// Threads of the load generator.
    #[arg(long, global = true, default_value_t = 1)]
    threads: usize,
    /// The first id of the groups and users that are made.
    #[arg(long, global = true, default_value_t = 1)]
    first_id: u64,
    /// Writes the report as JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    scenario: Scenario,
}

#[derive(Debug, Subcommand)]
enum Scenario {
    /// Messages within groups: throughput, latency, and whether each came to everybody once and in order.
    Sends(Sends),
    /// Clients that connect, join and stay: connects a second, memory of an idle socket.
    Connects(Connects),
    /// Clients that come back all at once and ask for what they missed.
    Recoveries(Recoveries),
}

#[derive(Debug, Args)]
struct Sends {
    /// How many groups.
    #[arg(long, default_value_t = 50)]
    groups: u64,
    /// How many sockets in each.
    #[arg(long, default_value_t = 2)]
    members: u64,
    /// How many of them send; all of them by default.
    #[arg(long)]
    senders: Option<u64>,
    /// How many more join each group and take nothing any more.
    #[arg(long, default_value_t = 0)]
    stuck: u64,
    /// Closed loop: how many messages of each sender are not acknowledged at any time.
    #[arg(long, default_value_t = 1)]
    in_flight: u64,
    /// Closed loop: how many messages of each group did not come to all of it yet, in the place of --in-flight.
    #[arg(long, conflicts_with = "in_flight")]
    undelivered: Option<u64>,
    /// Open loop: so many messages a second in all, whatever becomes of them.
    #[arg(long, conflicts_with_all = ["in_flight", "undelivered"])]
    rate: Option<f64>,
    /// The length of the content of each message; at least 48.
    #[arg(long, default_value_t = 256)]
    content_bytes: usize,
    /// Gives each message a `client_message_id`.
    #[arg(long)]
    client_ids: bool,
    /// Seconds before it counts.
    #[arg(long, default_value_t = 2)]
    warm_up: u64,
    /// Seconds that count.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
}

#[derive(Debug, Args)]
struct Connects {
    /// How many groups.
    #[arg(long, default_value_t = 100)]
    groups: u64,
    /// How many sockets join each.
    #[arg(long, default_value_t = 10)]
    members: u64,
    /// How many connect at once.
    #[arg(long, default_value_t = 32)]
    concurrency: usize,
    /// Seconds that they stay.
    #[arg(long, default_value_t = 5)]
    hold: u64,
}

#[derive(Debug, Args)]
struct Recoveries {
    /// How many groups.
    #[arg(long, default_value_t = 100)]
    groups: u64,
    /// How many sockets come back to each.
    #[arg(long, default_value_t = 10)]
    members: u64,
    /// How many messages each missed; a join that does not ask for more gives 100 of them.
    #[arg(long, default_value_t = 100, value_parser = value_parser!(u64).range(1..=100))]
    entries: u64,
    /// The length of the content of each message.
    #[arg(long, default_value_t = 256)]
    content_bytes: usize,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether everything came as it should.
fn run(options: &Options) -> anyhow::Result<bool> {
    runtime(options.threads)?.block_on(async {
        match &options.scenario {
            Scenario::Sends(sends) => send(options, sends).await,
            Scenario::Connects(connects) => connect(options, connects).await,
            Scenario::Recoveries(recoveries) => recover(options, recoveries).await,
        }
    })
}

fn runtime(threads: usize) -> std::io::Result<Runtime> {
    if threads > 1 {
        Builder::new_multi_thread()
            .worker_threads(threads)
            .enable_all()
            .build()
    } else {
        Builder::new_current_thread().enable_all().build()
    }
}

async fn send(options: &Options, of: &Sends) -> anyhow::Result<bool> {
    let pace = match (of.rate, of.undelivered) {
        (Some(rate), _) => Pace::Rate(rate),
        (None, Some(undelivered)) => Pace::Delivered(undelivered),
        (None, None) => Pace::Acknowledged(of.in_flight),
    };
    let plan = sends::Plan {
        shape: Shape {
            groups: of.groups,
            members: of.members,
            senders: of.senders.unwrap_or(of.members).clamp(1, of.members),
            stuck: of.stuck,
            first_id: options.first_id,
        },
        pace,
        content_bytes: of.content_bytes,
        has_client_ids: of.client_ids,
        warm_up: Duration::from_secs(of.warm_up),
        measured: Duration::from_secs(of.seconds),
        patience: Duration::from_secs(5),
    };
    let site = site(options)?;
    prepare(options, &site, plan.shape).await?;
    let report = watched(of.warm_up + of.seconds, "sending", sends::run(&site, &plan)).await?;
    tell(options, &report)?;
    Ok(report.is_exact())
}

async fn connect(options: &Options, of: &Connects) -> anyhow::Result<bool> {
    let plan = connects::Plan {
        shape: idle(options, of.groups, of.members),
        concurrency: of.concurrency,
        hold: Duration::from_secs(of.hold),
    };
    let site = site(options)?;
    prepare(options, &site, plan.shape).await?;
    let report = watched(of.hold + 4, "connecting", connects::run(&site, &plan)).await?;
    tell(options, &report)?;
    Ok(true)
}

async fn recover(options: &Options, of: &Recoveries) -> anyhow::Result<bool> {
    let plan = recoveries::Plan {
        shape: idle(options, of.groups, of.members),
        entries: of.entries,
        content_bytes: of.content_bytes,
    };
    let site = site(options)?;
    prepare(options, &site, plan.shape).await?;
    let running = recoveries::run(site, &plan, |site| async { Ok(site) });
    let report = watched(5, "recovering", running).await?;
    tell(options, &report)?;
    Ok(true)
}

fn idle(options: &Options, groups: u64, members: u64) -> Shape {
    Shape {
        groups,
        members,
        senders: 1,
        stuck: 0,
        first_id: options.first_id,
    }
}

fn site(options: &Options) -> anyhow::Result<Site> {
    let tokens = if let (Some(users), Some(admin)) = (&options.tokens, &options.admin_token_file) {
        Tokens::from_files(users, admin)?
    } else {
        let path = &options.secret_file;
        let secret = fs::read_to_string(path)
            .with_context(|| format!("cannot read the secret from {}", path.display()))?;
        Tokens::with_secret(secret.trim())?
    };
    Site::new(&options.url, tokens, options.pid.map(Process::new))
}

async fn prepare(options: &Options, site: &Site, shape: Shape) -> anyhow::Result<()> {
    if options.prepared {
        return Ok(());
    }
    let style = ProgressStyle::with_template("{msg} [{bar:40}] {pos}/{len}")?;
    let bar = ProgressBar::new(shape.preparations()).with_style(style);
    bar.set_message("groups and members");
    site.prepare(shape, || bar.inc(1)).await?;
    bar.finish_and_clear();
    Ok(())
}

/// Shows the seconds of what takes about so many.
async fn watched<T>(
    seconds: u64,
    what: &'static str,
    running: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<T> {
    let style = ProgressStyle::with_template("{msg}: {elapsed} of about {len} s")?;
    let bar = ProgressBar::new(seconds).with_style(style).with_message(what);
    bar.enable_steady_tick(Duration::from_secs(1));
    let done = running.await;
    bar.finish_and_clear();
    done
}

fn tell(options: &Options, report: &(impl Serialize + Display)) -> anyhow::Result<()> {
    if options.json {
        println!("{}", serde_json::to_string_pretty(report)?);
    } else {
        println!("{report}");
    }
    Ok(())
}
