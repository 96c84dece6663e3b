//! A pass at work, on a thread of its own.
//!
//! It shares nothing with the loop but the tokens that stop it, so signals and the
//! watchdog are served however long a batch, or the removal of a file on a slow disk,
//! takes. A pass that panics is a failure like another.

use std::sync::Arc;
use std::thread;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::force::Force;
use super::observe::Teller;
use super::service::PATIENCE;
use super::tick::{self, Order, TickError};
use super::trouble;
use super::turn::Turn;
use super::watch::Watch;
use crate::enforce::RunReport;

/// A pass at work. Who drops it drops the pass, in the middle of a batch.
pub(super) struct Work {
    stop: CancellationToken,
    ended: oneshot::Receiver<Result<RunReport, TickError>>,
    _abandon: DropGuard,
}

/// How a pass ended that did not fail.
pub(super) enum Passed {
    /// It was made.
    Made(Box<RunReport>),
    /// It was stopped before it had begun.
    Stopped,
    /// No version of the schedule was ever accepted.
    NeverAccepted([u8; 32]),
}

/// What a pass is made with.
pub(super) struct Orders {
    pub(super) force: Arc<Force>,
    pub(super) url: SecretString,
    pub(super) actor: String,
    pub(super) turn: Turn,
    pub(super) now: DateTime<Utc>,
    pub(super) present: bool,
    pub(super) teller: Arc<Teller>,
    pub(super) watch: Watch,
}

impl Work {
    /// Begins a pass.
    pub(super) fn begin(orders: Orders) -> Result<Self, String> {
        let (stop, abandon) = (CancellationToken::new(), CancellationToken::new());
        let (tell, ended) = oneshot::channel();
        let (runtime, stopped, abandoned) = (Handle::current(), stop.clone(), abandon.clone());
        // Whoever hears the loop hears its passes.
        let listener = tracing::dispatcher::get_default(Clone::clone);
        thread::Builder::new()
            .name("pass".to_owned())
            .spawn(move || {
                tracing::dispatcher::with_default(&listener, || {
                    runtime.block_on(async {
                        tokio::select! {
                            biased;
                            () = abandoned.cancelled() => {}
                            outcome = make(&orders, &stopped) => {
                                // A loop that is gone does not care.
                                let _ = tell.send(outcome);
                            }
                        }
                    });
                });
            })
            .map_err(|error| format!("no thread for the pass: {error}"))?;
        Ok(Self {
            stop,
            ended,
            _abandon: abandon.drop_guard(),
        })
    }

    /// Has it end after the batch in hand.
    pub(super) fn stop(&self) {
        self.stop.cancel();
    }

    /// Waits for its end; answers in words why it failed. May be dropped and called again until it has answered.
    pub(super) async fn end(&mut self) -> Result<Passed, String> {
        match (&mut self.ended).await {
            Ok(Ok(report)) => Ok(Passed::Made(Box::new(report))),
            Ok(Err(TickError::Stopped)) => Ok(Passed::Stopped),
            Ok(Err(TickError::NeverAccepted(digest))) => Ok(Passed::NeverAccepted(digest)),
            Ok(Err(error)) => Err(trouble::words(&error)),
            Err(_) => Err("the pass panicked, which is a fault of this program".to_owned()),
        }
    }
}

async fn make(orders: &Orders, stop: &CancellationToken) -> Result<RunReport, TickError> {
    let order = Order {
        url: orders.url.expose_secret(),
        schedule: &orders.force.schedule,
        settings: &orders.force.settings,
        now: orders.now,
        present: orders.present,
        actor: &orders.actor,
        patience: PATIENCE,
        full_speed: false,
        only: &[],
        due: Some(&orders.turn),
        on_plan: None,
        stop,
        observe: &|event| {
            orders.watch.heard(&event);
            orders.teller.tell(event);
        },
    };
    tick::tick(&order).await
}
