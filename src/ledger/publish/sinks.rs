//! What each receiver has acknowledged, and the sending of what it lacks.
//!
//! The published folder is the source, and a file beside it in the log's state remembers how
//! far a receiver is: both stand outside the database, so that a restored one does not set
//! them back. A part is noted only after it was acknowledged, so each is sent at least once,
//! in order, and none is passed over.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::Places;
use super::folder::{Folder, FolderError, failed, whole};
use super::part::Parts;
use super::webhook::{Sender, Webhook, WebhookError, receiver};

/// How a receiver stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SinkReport {
    /// `webhook`.
    pub sink: &'static str,
    /// What it is called in the settings.
    pub name: String,
    /// How many entries it has acknowledged, from the first on; not known where its state
    /// cannot be read.
    pub acknowledged: Option<u64>,
    /// How many of the published ones that leaves.
    pub behind: Option<u64>,
    /// Why the last try ended; none if nothing went wrong.
    pub failure: Option<String>,
}

/// What is remembered of a receiver.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Position {
    /// Which one: a digest of its URL without what may be secret. Another one begins anew.
    receiver: String,
    acknowledged: u64,
    failure: Option<String>,
}

/// A receiver of one log.
#[derive(Debug)]
pub(super) struct Sink {
    webhook: Webhook,
    path: PathBuf,
    /// Whether this pass has tried in vain: it waits for it once.
    failed: Mutex<bool>,
}

/// When something is sent: the first instant that was told, moved on by a clock that only
/// runs forwards.
#[derive(Debug, Clone, Copy)]
pub(super) struct SendClock(DateTime<Utc>, Instant);

impl SendClock {
    pub(super) fn of(now: DateTime<Utc>) -> Self {
        Self(now, Instant::now())
    }

    fn timestamp(self) -> i64 {
        let passed = TimeDelta::from_std(self.1.elapsed()).unwrap_or_default();
        (self.0 + passed).timestamp()
    }
}

impl Sink {
    pub(super) fn new(webhook: Webhook, places: &Places, origin: &str) -> Self {
        Self {
            path: places.webhook_file(origin, &webhook.name),
            webhook,
            failed: Mutex::new(false),
        }
    }

    /// Sends what it lacks for as long as `long`, at least for one answer's time. A receiver
    /// that failed is left alone until the next pass.
    pub(super) async fn send(&self, folder: &Folder, clock: SendClock, long: Option<Duration>) {
        if *super::lock(&self.failed) {
            return;
        }
        let failure = self.try_to_send(folder, clock, long).await.err();
        let words = failure.as_ref().map(ToString::to_string);
        *super::lock(&self.failed) = words.is_some();
        let noted = self.position().and_then(|mut position| {
            if position.failure == words {
                return Ok(());
            }
            position.failure = words;
            self.note(&position)
        });
        if noted.is_err() {
            *super::lock(&self.failed) = true;
        }
    }

    async fn try_to_send(
        &self,
        folder: &Folder,
        clock: SendClock,
        long: Option<Duration>,
    ) -> Result<(), WebhookError> {
        let begun = Instant::now();
        let timeout = self.webhook.timeout;
        let long = long.unwrap_or(timeout);
        let mut position = self.position().map_err(WebhookError::Position)?;
        let mut parts = Parts::from(folder, position.acknowledged)?;
        let Some(mut part) = parts.next()? else {
            return Ok(());
        };
        let sender = Sender::new(&self.webhook)?;
        let mut any = false;
        loop {
            let left = long.saturating_sub(begun.elapsed());
            if any && left.is_zero() {
                return Ok(());
            }
            let patience = if any { timeout.min(left) } else { timeout };
            let until = part.until;
            match sender.post(part, clock.timestamp(), patience).await {
                Ok(()) => {}
                // Its time was over, not its patience.
                Err(WebhookError::Silent(_)) if patience < timeout => return Ok(()),
                Err(error) => return Err(error),
            }
            any = true;
            position.acknowledged = until;
            position.failure = None;
            self.note(&position).map_err(WebhookError::Position)?;
            match parts.next()? {
                Some(next) => part = next,
                None => return Ok(()),
            }
        }
    }

    /// How it stands beside so many published entries.
    pub(super) fn report(&self, published: u64) -> SinkReport {
        let position = self.position();
        let acknowledged = position.as_ref().ok().map(|p| p.acknowledged);
        SinkReport {
            sink: "webhook",
            name: self.webhook.name.clone(),
            acknowledged,
            behind: acknowledged.map(|acknowledged| published.saturating_sub(acknowledged)),
            failure: match position {
                Ok(position) => position.failure,
                Err(error) => Some(WebhookError::Position(error).to_string()),
            },
        }
    }

    fn position(&self) -> Result<Position, FolderError> {
        let receiver = receiver(&self.webhook.url);
        let known = read(&self.path)?.filter(|position| position.receiver == receiver);
        Ok(known.unwrap_or(Position {
            receiver,
            ..Position::default()
        }))
    }

    fn note(&self, position: &Position) -> Result<(), FolderError> {
        let text = serde_json::to_string(position)
            .map_err(std::io::Error::from)
            .map_err(failed("write", &self.path))?;
        whole(&self.path, &text)
    }
}

/// What was noted. A file that cannot be understood is as none: then all is sent again.
fn read(path: &Path) -> Result<Option<Position>, FolderError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(serde_json::from_str(&text).ok()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(failed("read", path)(source)),
    }
}
