//! What the service manager is told, in the words of `sd_notify(3)`.
//!
//! Without `NOTIFY_SOCKET` in the environment nobody listens and nothing is said. That a
//! message could not be sent is told once and changes nothing else.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::sync::mpsc;
use tokio::time::{Interval, MissedTickBehavior};

/// Who is told.
#[derive(Debug, Clone)]
pub enum Notifier {
    /// The service manager, if there is one.
    Systemd,
    /// A listener within the program: each message as it would be sent.
    Channel(mpsc::UnboundedSender<String>),
}

static COMPLAINED: AtomicBool = AtomicBool::new(false);

impl Notifier {
    /// The service is up, or has ended a reload; and what it does now.
    pub(super) fn ready(&self, status: &str) {
        self.send(&[NotifyState::Ready, NotifyState::Status(&line(status))]);
    }

    /// What the service does now.
    pub(super) fn status(&self, status: &str) {
        self.send(&[NotifyState::Status(&line(status))]);
    }

    /// The files are read again. `READY=1` ends it.
    pub(super) fn reloading(&self) {
        // Without the time a manager that wants it would take the reload as failed; with
        // one that does not know it, it does no harm.
        match NotifyState::monotonic_usec_now() {
            Ok(monotonic) => self.send(&[NotifyState::Reloading, monotonic]),
            Err(_) => self.send(&[NotifyState::Reloading]),
        }
    }

    /// The service is about to end.
    pub(super) fn stopping(&self, status: &str) {
        self.send(&[NotifyState::Stopping, NotifyState::Status(&line(status))]);
    }

    /// The loop still turns.
    pub(super) fn alive(&self) {
        self.send(&[NotifyState::Watchdog]);
    }

    fn send(&self, message: &[NotifyState<'_>]) {
        match self {
            Self::Systemd => {
                if let Err(error) = sd_notify::notify(message)
                    && !COMPLAINED.swap(true, Ordering::Relaxed)
                {
                    tracing::warn!(%error, "the service manager could not be told what this service does");
                }
            }
            Self::Channel(listener) => {
                let text = message.iter().fold(String::new(), |mut text, state| {
                    // Writing to a string cannot fail.
                    let _ = writeln!(text, "{state}");
                    text
                });
                let _ = listener.send(text);
            }
        }
    }
}

/// A message's lines are its fields: no text may begin another.
fn line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

/// When the loop shows that it turns: twice in the watchdog's time, and at least every 15
/// seconds, since others than the service manager may ask. It is the machine's time,
/// whatever the service's clock shows.
#[derive(Debug)]
pub(super) struct Heartbeat {
    interval: Interval,
    /// Whether the service manager wants to hear of it.
    pub(super) feeds: bool,
}

impl Heartbeat {
    const SLOWEST: Duration = Duration::from_secs(15);

    pub(super) fn of(watchdog: Option<Duration>) -> Self {
        let half = watchdog
            .map(|watchdog| watchdog / 2)
            .filter(|half| !half.is_zero());
        let mut interval =
            tokio::time::interval(half.map_or(Self::SLOWEST, |half| half.min(Self::SLOWEST)));
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            interval,
            feeds: half.is_some(),
        }
    }

    /// Waits for the next beat.
    pub(super) async fn beat(&mut self) {
        self.interval.tick().await;
    }
}
