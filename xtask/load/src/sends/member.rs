//! One socket in its group.

use std::{collections::VecDeque, fmt::Write as _, sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{Pace, Plan, group::Group, tally::Tally};
use crate::{
    Outbox, Play,
    check::{Faults, Stream},
    float,
    packet::{self, Packet},
};

/// Time, sender and number, each of 16 hexadecimal digits, at the begin of a message.
pub(super) const STAMP_BYTES: usize = 48;
/// How late the runtime's timer is at most, which counts whole milliseconds and rounds up. A message that it brings is
/// due when it comes; one that comes later than that waited for something else, and counts from when it was due.
const TIMER: Duration = Duration::from_millis(2);
/// How often a sender looks after what is not answered.
const LOOK: Duration = Duration::from_millis(50);

/// A client that listens, and may send.
#[derive(Debug)]
pub(super) struct Member {
    group: Arc<Group>,
    tally: Arc<Tally>,
    /// Times in messages count from here.
    epoch: Instant,
    index: u64,
    stream: Stream,
    sender: Option<Sender>,
}

#[derive(Debug)]
struct Sender {
    pace: Pace,
    patience: Duration,
    content_bytes: usize,
    has_client_ids: bool,
    /// The requests without an answer, with the times at which they were due.
    under_way: VecDeque<(u64, Instant)>,
    begun: Instant,
    sent: u64,
    unanswered: u64,
    /// Messages that came to everybody, or are not waited for any more.
    settled: u64,
    /// How many were done at which time: the last progress.
    progress: (u64, Instant),
    /// The number of the last of its own messages that came back.
    last_own: Option<u64>,
    disordered: u64,
    text: String,
}

impl Member {
    pub(super) fn new(plan: &Plan, group: Arc<Group>, tally: Arc<Tally>, index: u64, head: u64) -> Self {
        let senders = match plan.pace {
            Pace::Delivered(_) => 1,
            Pace::Acknowledged(_) | Pace::Rate(_) => plan.shape.senders,
        };
        let pace = match plan.pace {
            Pace::Rate(all) => Pace::Rate(all / float(plan.shape.groups * senders)),
            pace => pace,
        };
        let now = Instant::now();
        let sender = (index < senders).then(|| Sender {
            pace,
            patience: plan.patience,
            content_bytes: plan.content_bytes,
            has_client_ids: plan.has_client_ids,
            under_way: VecDeque::new(),
            begun: now + spread(pace, group.id, index),
            sent: 0,
            unanswered: 0,
            settled: 0,
            progress: (0, now),
            last_own: None,
            disordered: 0,
            text: String::new(),
        });
        Self {
            epoch: tally.begun,
            stream: Stream::after(head),
            group,
            tally,
            index,
            sender,
        }
    }

    /// What went wrong for this socket.
    pub(super) fn faults(&self) -> Faults {
        let mut faults = self.stream.faults(self.group.head());
        faults.disordered += self.sender.as_ref().map_or(0, |sender| sender.disordered);
        faults
    }

    /// Requests without an answer, at the end.
    pub(super) fn unanswered(&self) -> u64 {
        self.sender.as_ref().map_or(0, |sender| {
            sender.unanswered + u64::try_from(sender.under_way.len()).unwrap_or(u64::MAX)
        })
    }

    fn deliver(&mut self, event: &str) {
        let Some(seq) = packet::number(event, "seq") else {
            return;
        };
        self.stream.got(seq);
        self.group.heard(seq);
        self.group.got(seq);
        self.tally.deliver();
        let Some([sent, index, number]) = packet::text(event, "encrypted_content").and_then(stamp) else {
            return;
        };
        if self.tally.is_measuring() {
            let sent = self.epoch + Duration::from_micros(sent);
            self.tally.deliveries.add(sent.elapsed());
        }
        if let Some(sender) = &mut self.sender
            && index == self.index
        {
            sender.disordered += u64::from(sender.last_own >= Some(number));
            sender.last_own = Some(number);
        }
    }

    fn answer(&mut self, id: u64, answer: &str) {
        let Some(sender) = &mut self.sender else {
            return;
        };
        // They nearly always come in the order of their requests.
        let index = sender.under_way.iter().position(|(sent, _)| *sent == id);
        let Some((_, due)) = index.and_then(|index| sender.under_way.remove(index)) else {
            return;
        };
        if answer.contains("\"success\":true") {
            if let Some(seq) = packet::number(answer, "seq") {
                self.group.heard(seq);
            }
            if self.tally.is_measuring() {
                self.tally.acks.add(due.elapsed());
            }
            self.tally.acknowledge();
        } else {
            self.tally
                .refuse(packet::text(answer, "code").unwrap_or("no code"));
            // A message that was refused comes to nobody.
            sender.settled += 1;
        }
    }

    /// Sends what its pace allows.
    fn send(&mut self, now: Instant, out: &mut Outbox) {
        let Some(sender) = &mut self.sender else {
            return;
        };
        if self.tally.is_over() {
            return;
        }
        loop {
            let due = match sender.pace {
                Pace::Acknowledged(window) if sender.waits_for() < window => now,
                Pace::Delivered(window) if sender.sent - sender.done(&self.group) < window => now,
                Pace::Rate(rate) => sender.begun + Duration::from_secs_f64(float(sender.sent) / rate),
                _ => return,
            };
            if due > now {
                return;
            }
            // What is late by the timer's own measure would be told as the server's time.
            let due = if now.duration_since(due) < TIMER { now } else { due };
            let stamp = [
                u64::try_from((due - self.epoch).as_micros()).unwrap_or(0),
                self.index,
                sender.sent,
            ];
            let id = out.request("send_message", sender.message(self.group.id, stamp));
            sender.under_way.push_back((id, due));
            sender.sent += 1;
        }
    }
}

impl Sender {
    fn waits_for(&self) -> u64 {
        u64::try_from(self.under_way.len()).unwrap_or(u64::MAX)
    }

    /// Messages that are not waited for any more.
    fn done(&self, group: &Group) -> u64 {
        self.settled + group.completed()
    }

    /// Gives up what is overdue.
    fn look(&mut self, now: Instant, group: &Group) {
        while let Some((_, sent)) = self.under_way.front()
            && now.saturating_duration_since(*sent) > self.patience
        {
            self.under_way.pop_front();
            self.unanswered += 1;
        }
        if let Pace::Delivered(_) = self.pace {
            let done = self.done(group);
            if done != self.progress.0 {
                self.progress = (done, now);
            } else if now.saturating_duration_since(self.progress.1) > self.patience {
                self.settled += self.sent - done;
                self.progress = (self.sent, now);
            }
        }
    }

    fn message(&mut self, group_id: u64, stamp: [u64; 3]) -> &str {
        let text = &mut self.text;
        text.clear();
        let [time, index, number] = stamp;
        // Writing to a `String` cannot fail.
        let _ = write!(
            text,
            "{{\"group_id\":{group_id},\"encrypted_content\":\"{time:016x}{index:016x}{number:016x}"
        );
        let filler = self.content_bytes - STAMP_BYTES;
        text.extend(std::iter::repeat_n('x', filler));
        text.push('"');
        if self.has_client_ids {
            let _ = write!(text, ",\"client_message_id\":\"{time:016x}-{number:x}\"");
        }
        text.push('}');
        text
    }
}

impl Play for Member {
    fn hear(&mut self, packet: Packet<'_>, out: &mut Outbox) {
        match packet {
            Packet::Event("new_message", event) => self.deliver(event),
            Packet::Ack(id, answer) => {
                self.answer(id, answer);
                self.send(Instant::now(), out);
            }
            _ => {}
        }
    }

    fn due(&mut self, now: Instant, out: &mut Outbox) -> Option<Instant> {
        if let Some(sender) = &mut self.sender {
            sender.look(now, &self.group);
        }
        self.send(now, out);
        let sender = self.sender.as_ref()?;
        Some(match sender.pace {
            Pace::Rate(rate) => sender.begun + Duration::from_secs_f64(float(sender.sent) / rate),
            _ => now + LOOK,
        })
    }

    fn is_over(&self) -> bool {
        false
    }

    async fn woken(&self) {
        match &self.sender {
            Some(Sender {
                pace: Pace::Delivered(_),
                ..
            }) => self.group.complete.notified().await,
            _ => std::future::pending().await,
        }
    }
}

/// The three numbers at the begin of a message.
fn stamp(content: &str) -> Option<[u64; 3]> {
    let number = |from: usize| u64::from_str_radix(content.get(from..from + 16)?, 16).ok();
    Some([number(0)?, number(16)?, number(32)?])
}

/// Senders at a rate do not all send at once.
fn spread(pace: Pace, group_id: u64, index: u64) -> Duration {
    match pace {
        // The golden ratio puts any number of them evenly into one period.
        Pace::Rate(rate) => {
            let number = float(group_id.wrapping_mul(31) + index) * 0.618_033_988_749_895;
            Duration::from_secs_f64(number.fract() / rate)
        }
        Pace::Acknowledged(_) | Pace::Delivered(_) => Duration::ZERO,
    }
}
