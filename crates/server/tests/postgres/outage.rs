//! A database that goes away under load, and comes back.

use std::time::{Duration, Instant};

use tokio::{task::block_in_place, time::sleep};
use xtask_postgres::Cluster;

use crate::{
    database,
    load::{Called, LATEST, Load, Noted, Sent, check_logs, is_refused_for_now},
    reader::Reader,
    world::World,
};

const SECOND: Duration = Duration::from_secs(1);
/// Two of each lane.
const GROUPS: [u64; 8] = [1, 2, 3, 4, 5, 6, 7, 8];
/// Listens in every group.
const LISTENER: u64 = 100;
/// What answers of the database, and what does not need it.
const READY: &str = "/readyz";
const HEALTHY: &str = "/healthz";
const PAGE: &str = "/api/v1/groups/1/entries?limit=1";
const LIST: &str = "/api/v1/groups";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_down_for_10_s_loses_nothing_and_hangs_nobody() {
    let (stop, start) = (Cluster::stop_immediate, Cluster::start_again);
    play(
        10 * SECOND,
        |database| stop(database).unwrap(),
        |database| start(database).unwrap(),
    )
    .await;
}

/// It takes connections and queries, and answers nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_silent_for_8_s_loses_nothing_and_hangs_nobody() {
    let (pause, resume) = (Cluster::pause, Cluster::resume);
    play(
        8 * SECOND,
        |database| pause(database).unwrap(),
        |database| resume(database).unwrap(),
    )
    .await;
}

/// When what happened.
struct Outage {
    /// Before this it worked.
    begin: Instant,
    /// From here to `end` it cannot have stored anything.
    down: Instant,
    end: Instant,
    /// From here on it works again.
    back: Instant,
}

impl Outage {
    fn covers(&self, begin: Instant, end: Instant) -> bool {
        self.down < begin && end < self.end
    }
}

async fn play(lasts: Duration, break_it: impl Fn(&mut Cluster), mend_it: impl Fn(&mut Cluster)) {
    let mut database = database::start();
    let world = World::of(database::serve(&database));
    let mut listeners = Vec::new();
    for group_id in GROUPS {
        world.group(group_id, [group_id, LISTENER]).await;
        let mut listener = Reader::new(&world, LISTENER, group_id);
        listener.connect().await.unwrap();
        listener.join(500).await.unwrap();
        listeners.push((group_id, listener));
    }
    let load = Load::start(&world, &GROUPS, &[READY, HEALTHY, PAGE, LIST]).await;
    sleep(3 * SECOND).await;
    let begin = Instant::now();
    block_in_place(|| break_it(&mut database));
    let down = Instant::now();
    sleep(lasts).await;
    let end = Instant::now();
    block_in_place(|| mend_it(&mut database));
    let back = Instant::now();
    let outage = Outage {
        begin,
        down,
        end,
        back,
    };
    sleep(4 * SECOND).await;
    let Noted { sent, called } = load.stop().await;

    check_sends(&sent, &outage);
    check_calls(&called, &outage);
    check_logs(&world, &GROUPS, &sent).await;
    let mut cut_off = 0;
    for (group_id, mut listener) in listeners {
        if listener.client().closed().is_some() {
            cut_off += 1;
            listener.cut().await;
            listener.connect().await.unwrap();
            listener.join(500).await.unwrap();
        }
        let log = world.log(group_id).await;
        let begin = Instant::now();
        while listener.copy.entries.len() < log.len() {
            assert!(
                begin.elapsed() < 2 * SECOND,
                "entries are missing in group {group_id}"
            );
            sleep(SECOND / 50).await;
            listener.absorb();
        }
        assert!(listener.copy.entries == log, "live, in group {group_id}");
    }
    println!("{cut_off} of {} listeners had to come back", GROUPS.len());
    assert!(!world.server.log().contains("panick"), "{}", world.server.log());
}

fn check_sends(sent: &[Sent], outage: &Outage) {
    let (mut stored, mut refused, mut slowest) = (0, 0, Duration::ZERO);
    for one in sent {
        slowest = slowest.max(one.end - one.begin);
        if one.ack["success"] == true {
            assert!(
                !outage.covers(one.begin, one.end),
                "stored without a database: {}",
                one.ack
            );
            stored += 1;
        } else {
            assert!(is_refused_for_now(&one.ack), "{}", one.ack);
            assert!(one.end > outage.begin, "refused before the outage: {}", one.ack);
            refused += 1;
        }
    }
    let back = GROUPS.map(|group_id| {
        let of_group = sent
            .iter()
            .filter(|one| one.group_id == group_id && one.ack["success"] == true);
        let after = of_group.filter_map(|one| one.end.checked_duration_since(outage.back));
        after.min().unwrap()
    });
    let [first, last] = [back.iter().min(), back.iter().max()].map(|time| *time.unwrap());
    println!(
        "{stored} sends stored, {refused} refused, slowest answer {slowest:.1?}; stored again after {first:.1?}, in \
         every group after {last:.1?}"
    );
    assert!(slowest < LATEST);
    assert!(refused > 0);
    assert!(first < 2 * SECOND && last < 2 * SECOND);
}

fn check_calls(called: &[Called], outage: &Outage) {
    let mut slowest_probe = Duration::ZERO;
    let mut ready_again = None;
    for call in called {
        let Called {
            path,
            begin,
            end,
            status,
            text,
        } = call;
        let took = *end - *begin;
        let told = format!("{path}: {status} after {took:.1?}: {text}");
        match *path {
            HEALTHY => assert!(*status == 200 && took < SECOND, "{told}"),
            READY => {
                slowest_probe = slowest_probe.max(took);
                assert!(took < 3 * SECOND / 2, "{told}");
                // What was asked just before counts for a moment.
                if outage.down + SECOND / 2 < *begin && *end < outage.end {
                    assert_eq!(*status, 503, "{told}");
                }
                if *status == 200 && *end > outage.back {
                    ready_again.get_or_insert(*end - outage.back);
                }
            }
            _ => {
                assert!(took < LATEST, "{told}");
                if outage.covers(*begin, *end) {
                    assert_eq!(*status, 503, "{told}");
                }
                if *status != 200 {
                    assert_eq!(*status, 503, "{told}");
                    assert!(text.contains(r#""code":"unavailable""#), "{told}");
                    assert!(*end > outage.begin, "{told}");
                }
            }
        }
    }
    let ready_again = ready_again.unwrap();
    println!("slowest probe {slowest_probe:.1?}, ready again after {ready_again:.1?}");
    assert!(ready_again < 2 * SECOND);
}
