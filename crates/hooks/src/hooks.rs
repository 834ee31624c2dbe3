//! Starting and ending the pump.

use std::{sync::Arc, time::Duration};

use sealroom_domain::ports::{Clock, Memberships, Outbox, Presence};
use tokio::{sync::Notify, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    HookOptions, Post,
    courier::Courier,
    lease::Lease,
    pump::{Pump, PumpState},
};

/// What webhooks are made of.
#[derive(Debug, Clone)]
pub struct HookParts {
    /// What is to be told.
    pub outbox: Arc<dyn Outbox>,
    /// Who belongs to a group.
    pub memberships: Arc<dyn Memberships>,
    /// Who is there.
    pub presence: Arc<dyn Presence>,
    /// For the times of requests and for the lease.
    pub clock: Arc<dyn Clock>,
    /// The way to the receiver; [`crate::HttpPost`].
    pub post: Arc<dyn Post>,
    /// Told (`notify_one`) after each append on this server, so that the outbox is read at once. Without it, and for
    /// what other servers append, that happens every second.
    pub wake: Arc<Notify>,
}

/// Webhooks that are being sent. They go on until [`Hooks::close`]; dropping this ends them as well, but what is under
/// way is not waited for.
#[derive(Debug)]
pub struct Hooks {
    stop: CancellationToken,
    /// Ends the pump where it does not end by itself.
    kill: CancellationToken,
    tasks: TaskTracker,
}

/// Webhooks cannot be sent at all.
#[derive(Debug, thiserror::Error)]
#[error("the operating system has no random numbers")]
pub struct StartError {
    /// What happened.
    source: getrandom::Error,
}

impl Hooks {
    /// A lease that lasts longer than any attempt that is begun before it is renewed.
    const LEASE: Duration = Duration::from_secs(30);

    /// Starts to deliver, on the present runtime.
    pub fn start(parts: HookParts, options: HookOptions) -> Result<Self, StartError> {
        let attempt = Courier::PREPARATION + options.patience;
        let term = Self::LEASE.max(attempt * 3 / 2 + Duration::from_secs(1));
        let lease = Lease::new(Arc::clone(&parts.outbox), Arc::clone(&parts.clock), term)
            .map_err(|source| StartError { source })?;
        let pump = Pump {
            outbox: parts.outbox,
            clock: Arc::clone(&parts.clock),
            wake: parts.wake,
            lease,
            in_flight: options.in_flight.max(1),
            give_up_after: options.give_up_after,
            courier: Arc::new(Courier {
                post: parts.post,
                memberships: parts.memberships,
                presence: parts.presence,
                clock: parts.clock,
                secrets: options.secrets,
                events: options.events,
                patience: options.patience,
            }),
            state: PumpState::new(),
        };
        let hooks = Self {
            stop: CancellationToken::new(),
            kill: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        let (stop, kill) = (hooks.stop.clone(), hooks.kill.clone());
        hooks
            .tasks
            .spawn(async move { kill.run_until_cancelled(pump.run(stop)).await });
        hooks.tasks.close();
        Ok(hooks)
    }

    /// How long [`Hooks::close`] takes at most: 7 s.
    pub const CLOSE_WITHIN: Duration = Pump::END;

    /// Ends the sending: begins nothing new, waits up to 5 s for what is under way, removes what was told from the outbox
    /// and gives the lease back. Takes at most [`Hooks::CLOSE_WITHIN`].
    pub async fn close(&self) {
        self.stop.cancel();
        if timeout(Self::CLOSE_WITHIN, self.tasks.wait()).await.is_err() {
            tracing::warn!("the webhooks did not end in time; some may be sent again");
            self.kill.cancel();
            self.tasks.wait().await;
        }
    }
}

impl Drop for Hooks {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
