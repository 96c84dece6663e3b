//! How the service can be watched: figures for Prometheus, whether it lives, whether it can
//! make a pass.
//!
//! The one idea: a request reads what is in memory and asks the database nothing, so that
//! nobody who asks often can load it. The figures have two ages. What the bookkeeping says
//! ([`books`]) is cheap, and asked once in `listen.refresh_seconds`. Counting records
//! ([`counts`]) reads people's tables, so that it also rests a hundred times as long as it
//! took: it costs a hundredth of one connection at most, however large the tables are. Both
//! are asked anew after each pass and each reload. When each was asked is a figure itself.
//!
//! The loop tells a [`Watch`] what happens; the watch never makes the loop, or a pass, wait.
//! Its own tasks are two keepers, each with a connection of its own while it asks, and the
//! listener. Without `listen.address` there are none of them.

mod books;
mod counts;
mod keeper;
mod listener;
mod metrics;
mod page;
mod ready;
mod seats;
mod tally;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::force::Force;
use super::timekeeper::Dial;
use crate::enforce::{Event, RunReport};
use books::Books;
use counts::Counted;
use keeper::Keeper;
pub use page::{METRICS, Metric};
pub use tally::PassOutcome;
use tally::Tally;

/// How long the loop may be silent where no service manager watches it.
const WATCHDOG: Duration = Duration::from_secs(60);

/// How long requests may take to end once the service does.
const LAST_REQUESTS: Duration = Duration::from_secs(1);

/// What the loop tells, and what is known from it. Cheap to clone: all clones are one.
#[derive(Debug, Clone)]
pub(super) struct Watch(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    dial: Dial,
    /// Whether the dial shows the present, with which the database's clock must agree.
    present: bool,
    url: SecretString,
    watchdog: Duration,
    turns: watch::Sender<Turn>,
    state: Mutex<State>,
}

/// What wakes the keepers: that the loop turned, and how often something happened that
/// makes the figures old.
#[derive(Debug, Clone, Copy, Default)]
struct Turn {
    occasions: u64,
}

/// What is known.
#[derive(Debug)]
struct State {
    /// When the loop showed last that it turns.
    turned: Instant,
    began: DateTime<Utc>,
    force: Arc<Force>,
    /// Whether the files that are there now are not in force.
    refused: bool,
    reload_failures: u64,
    next_pass: Option<DateTime<Utc>>,
    tally: Tally,
    /// How the last look at the bookkeeping went; none before the first.
    looked: Option<Result<(), String>>,
    books: Option<Books>,
    counted: Option<Counted>,
}

impl Watch {
    pub(super) fn new(
        dial: Dial,
        present: bool,
        url: SecretString,
        watchdog: Option<Duration>,
        force: Arc<Force>,
    ) -> Self {
        let mut tally = Tally::default();
        tally.begin_with(&force.schedule);
        let state = State {
            turned: Instant::now(),
            began: dial.now(),
            force,
            refused: false,
            reload_failures: 0,
            next_pass: None,
            tally,
            looked: None,
            books: None,
            counted: None,
        };
        Self(Arc::new(Shared {
            dial,
            present,
            url,
            watchdog: watchdog.unwrap_or(WATCHDOG),
            turns: watch::Sender::default(),
            state: Mutex::new(state),
        }))
    }

    /// Starts to listen, and to keep the figures fresh.
    pub(super) fn listen(&self, listener: TcpListener) -> Listening {
        let stop = CancellationToken::new();
        if let Ok(address) = listener.local_addr() {
            tracing::info!(%address, "listening for requests");
        }
        let keepers = [
            tokio::spawn(Keeper::Books.keep(self.clone())),
            tokio::spawn(Keeper::Counts.keep(self.clone())),
        ];
        let answers = tokio::spawn(listener::answer(listener, self.clone(), stop.clone()));
        Listening {
            stop,
            keepers,
            answers,
        }
    }

    /// Whom to ask what is to be delivered, with which settings, and what time it is.
    pub(super) fn post(&self) -> (SecretString, Arc<Force>, DateTime<Utc>) {
        let force = Arc::clone(&self.state().force);
        (self.0.url.clone(), force, self.0.dial.now())
    }

    /// The loop turns.
    pub(super) fn turned(&self) {
        self.state().turned = Instant::now();
        self.0.turns.send_modify(|_| {});
    }

    /// When the next pass is due.
    pub(super) fn next_pass(&self, next: Option<DateTime<Utc>>) {
        self.state().next_pass = next;
    }

    /// Other files are in force.
    pub(super) fn reloaded(&self, force: &Arc<Force>) {
        let mut state = self.state();
        state.force = Arc::clone(force);
        state.refused = false;
        state.tally.begin_with(&force.schedule);
        drop(state);
        self.occasion();
    }

    /// The files that are there now cannot be used.
    pub(super) fn reload_refused(&self) {
        let mut state = self.state();
        state.refused = true;
        state.reload_failures += 1;
    }

    /// Something happens in a pass.
    pub(super) fn heard(&self, event: &Event<'_>) {
        self.state().tally.heard(event);
    }

    /// A pass was made.
    pub(super) fn passed(&self, report: &RunReport) {
        self.state().tally.passed(report);
        self.occasion();
    }

    /// A pass came to nothing, or broke off.
    pub(super) fn not_passed(&self, outcome: PassOutcome) {
        self.state().tally.not_passed(outcome);
        self.occasion();
    }

    fn occasion(&self) {
        self.0.turns.send_modify(|turn| turn.occasions += 1);
    }

    /// How long the loop is silent, if that is longer than it may be.
    fn silent(&self) -> Option<Duration> {
        let silent = self.state().turned.elapsed();
        (silent > self.0.watchdog).then_some(silent)
    }

    fn now(&self) -> DateTime<Utc> {
        self.0.dial.now()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Figures are as good after a panic as before.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The listener and the keepers at work.
#[derive(Debug)]
pub(super) struct Listening {
    stop: CancellationToken,
    keepers: [JoinHandle<()>; 2],
    answers: JoinHandle<()>,
}

impl Listening {
    /// Ends them: the requests in hand are answered, if that is soon done.
    pub(super) async fn end(mut self) {
        for keeper in &self.keepers {
            keeper.abort();
        }
        self.stop.cancel();
        if tokio::time::timeout(LAST_REQUESTS, &mut self.answers)
            .await
            .is_err()
        {
            self.answers.abort();
        }
    }
}
