//! The time, and waiting for it, as values that a test can hold in its hand.
//!
//! The service asks its [`Timekeeper`] what time it is and pauses through it, and in no
//! other way. A real one is the machine's clock and timer. A simulated one asks its
//! [`Hand`] at each pause, and the hand decides how the clock moves: by the pause, by a
//! jump, or back. So a week takes as long as its passes do, and nothing races.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::{mpsc, oneshot, watch};

use crate::clock::Clock;

/// Where the time comes from.
#[derive(Debug)]
pub enum Timekeeper {
    /// The machine's clock and timer.
    Real(Clock),
    /// A clock that only its [`Hand`] moves.
    Simulated(Simulated),
}

/// The service's side of a simulated clock.
#[derive(Debug)]
pub struct Simulated {
    now: watch::Receiver<DateTime<Utc>>,
    pauses: mpsc::UnboundedSender<Pause>,
}

/// The other side: moves a simulated clock.
#[derive(Debug)]
pub struct Hand {
    now: watch::Sender<DateTime<Utc>>,
    pauses: mpsc::UnboundedReceiver<Pause>,
}

/// A pause that the service makes, and from which only the hand wakes it.
#[derive(Debug)]
pub struct Pause {
    until: DateTime<Utc>,
    over: oneshot::Sender<()>,
}

impl Timekeeper {
    /// A simulated clock that shows `now`, and the hand that moves it.
    #[must_use]
    pub fn simulated(now: DateTime<Utc>) -> (Self, Hand) {
        let (tell, told) = watch::channel(now);
        let (ask, asked) = mpsc::unbounded_channel();
        (
            Self::Simulated(Simulated {
                now: told,
                pauses: ask,
            }),
            Hand {
                now: tell,
                pauses: asked,
            },
        )
    }

    /// The present instant.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        match self {
            Self::Real(clock) => clock.now(),
            Self::Simulated(simulated) => *simulated.now.borrow(),
        }
    }

    /// Whether it is the present, with which the database's clock must agree.
    #[must_use]
    pub fn is_present(&self) -> bool {
        match self {
            Self::Real(clock) => !clock.is_fixed(),
            Self::Simulated(_) => false,
        }
    }

    /// Something that others can read it from.
    pub(super) fn dial(&self) -> Dial {
        match self {
            Self::Real(clock) => Dial::Real(*clock),
            Self::Simulated(simulated) => Dial::Simulated(simulated.now.clone()),
        }
    }

    /// Waits. A real timer stands still while the machine is suspended, so callers look
    /// at the clock again afterwards.
    pub async fn pause(&self, length: Duration) {
        match self {
            Self::Real(_) => tokio::time::sleep(length).await,
            Self::Simulated(simulated) => simulated.pause(length).await,
        }
    }
}

/// The face of a [`Timekeeper`]: shows the time, and waits for nothing.
#[derive(Debug, Clone)]
pub(super) enum Dial {
    /// The machine's clock.
    Real(Clock),
    /// What the hand shows.
    Simulated(watch::Receiver<DateTime<Utc>>),
}

impl Dial {
    /// The present instant.
    pub(super) fn now(&self) -> DateTime<Utc> {
        match self {
            Self::Real(clock) => clock.now(),
            Self::Simulated(now) => *now.borrow(),
        }
    }
}

impl Simulated {
    async fn pause(&self, length: Duration) {
        let (over, wait) = oneshot::channel();
        let length = TimeDelta::from_std(length).unwrap_or(TimeDelta::MAX);
        let until = self
            .now
            .borrow()
            .checked_add_signed(length)
            .unwrap_or(DateTime::<Utc>::MAX_UTC);
        let asked = self.pauses.send(Pause { until, over });
        // A hand that is gone, or lets the pause fall, never wakes anybody.
        if asked.is_err() || wait.await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Pause {
    /// When it is over, if the clock runs evenly.
    #[must_use]
    pub fn until(&self) -> DateTime<Utc> {
        self.until
    }
}

impl Hand {
    /// What the clock shows.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        *self.now.borrow()
    }

    /// The next pause that the service makes; `None` when the service is gone.
    pub async fn next(&mut self) -> Option<Pause> {
        self.pauses.recv().await
    }

    /// Moves the clock to the end of a pause, and ends it.
    pub fn elapse(&self, pause: Pause) {
        let until = pause.until;
        self.elapse_to(pause, until);
    }

    /// Ends a pause with the clock at another instant: a suspended machine, or a clock
    /// that was put forward or back meanwhile.
    pub fn elapse_to(&self, pause: Pause, now: DateTime<Utc>) {
        self.now.send_replace(now);
        // The service may have left the pause for a signal.
        let _ = pause.over.send(());
    }
}
