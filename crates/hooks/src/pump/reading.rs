//! The way from the outbox into memory.

use sealroom_domain::ports::{OutboxId, OutboxItem};
use tokio::time::Instant;

use super::Pump;
use crate::{backoff::Permit, guard::unwinding, reader::Reader};

impl Pump {
    /// Whether new entries may be read: nobody needs them in memory while the receiver accepts nothing.
    pub(super) fn may_read(&self) -> bool {
        let state = &self.state;
        let is_wanted = match state.breaker.permit(Instant::now()) {
            Permit::All => true,
            Permit::Probe => !state.lanes.has_fresh(),
            Permit::Nothing => false,
        };
        is_wanted && state.lanes.has_room() && state.done.len() < Self::UNFLUSHED
    }

    pub(super) async fn read_due(&mut self) {
        let now = Instant::now();
        if self.may_read() && now >= self.state.reader.at() && now >= self.state.store_at {
            self.read_new().await;
        }
    }

    pub(super) async fn read_new(&mut self) {
        let now = Instant::now();
        let place = self.state.reader.place(now, self.state.lanes.frontier());
        let Some(page) = self.page(place).await else {
            return;
        };
        let mut unwanted = Vec::new();
        let state = &mut self.state;
        state
            .reader
            .read(now, self.clock.now(), state.lanes.frontier(), &page);
        for item in page {
            if !state.done.contains(&item.id) {
                unwanted.extend(state.lanes.admit(item, &self.courier.events));
            }
        }
        self.done(unwanted);
    }

    /// Reads on for groups of which more is in the outbox than in memory.
    pub(super) async fn refill(&mut self) {
        if Instant::now() < self.state.store_at || self.state.done.len() >= Self::UNFLUSHED {
            return;
        }
        let Some(from) = self.state.lanes.refill_from() else {
            return;
        };
        let Some(mut page) = self.page(from).await else {
            return;
        };
        let is_last = page.len() < Reader::PAGE;
        let to = page.last().map(|item| item.id);
        page.retain(|item| Some(item.id) == to || !self.state.done.contains(&item.id));
        let unwanted = self.state.lanes.refill(from, page, is_last, &self.courier.events);
        self.done(unwanted);
    }

    async fn page(&mut self, after: OutboxId) -> Option<Vec<OutboxItem>> {
        match unwinding(self.outbox.pending(after, Reader::PAGE)).await {
            Ok(page) => {
                self.state.report.store_answered();
                Some(page)
            }
            Err(error) => {
                self.store_failed("read the outbox", &error);
                None
            }
        }
    }
}
