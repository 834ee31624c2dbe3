//! What the operator reads.

#![expect(clippy::unwrap_used, reason = "test code")]

#[expect(dead_code, reason = "each test uses its part")]
mod common;

use std::{io, sync::Arc, time::Duration};

use common::{CANARY, Reply, World, pass};
use parking_lot::Mutex;
use sealroom_hooks::HookOptions;
use tracing_subscriber::fmt::MakeWriter;

/// The lines of a log.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().clone()).unwrap()
    }

    fn count(&self, text: &str) -> usize {
        self.text().lines().filter(|line| line.contains(text)).count()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test(start_paused = true)]
async fn one_line_when_it_fails_one_when_it_works_again_and_one_for_what_is_lost() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(log.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let world = World::new();
    for number in 1..=10 {
        world.with_group(number, [1]).await;
    }
    world.receiver.replies(|_| Reply::Status(503));
    let hooks = world.start_with(HookOptions {
        give_up_after: Duration::from_hours(2),
        ..World::options()
    });
    for number in 1..=10 {
        world.send(number, 20).await;
    }
    pass(1800).await;
    world.receiver.replies(|_| Reply::Accept);
    pass(120).await;
    let fails = "the webhook receiver fails";
    let works = "the webhook receiver works again";
    assert_eq!((log.count(fails), log.count(works)), (1, 1), "{}", log.text());
    assert!(log.text().contains("status=503"), "{}", log.text());

    // One that fails for now and then is told of again, at most once a minute.
    let mut turn = 0_u32;
    world.receiver.replies(move |_| {
        turn += 1;
        if turn.is_multiple_of(10) {
            Reply::LoseAnswer
        } else {
            Reply::Accept
        }
    });
    for _ in 0..300 {
        world.send(1, 3).await;
        pass(1).await;
    }
    let told = log.count(fails);
    assert!((2..=7).contains(&told), "{told}");

    world.receiver.replies(|a| {
        if a.group == 7 {
            Reply::Status(400)
        } else {
            Reply::Accept
        }
    });
    world.send(7, 300).await;
    pass(3 * 3600).await;
    let lost = "webhooks were given up";
    assert!((1..=4).contains(&log.count(lost)), "{}", log.text());
    assert!(log.text().contains("group_id=7"));

    world.receiver.replies(|_| Reply::Status(410));
    world.send(8, 1).await;
    pass(3600).await;
    assert_eq!(log.count("wants no more webhooks"), 1);
    hooks.close().await;
    assert!(!log.text().contains(CANARY));
    assert!(!log.text().contains("whsec"));
}
