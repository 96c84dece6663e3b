//! The log outside its database: signed, published, and compared before anything acts.
//!
//! A [`Log`] has the key and the folder. [`Log::interlock`] refuses to go on where the
//! database is behind what was published, or has become another log: a backup was
//! restored, or a replica took over that had not everything. [`Log::publish`] seals, signs
//! and writes what is new.

mod folder;
mod outside;
mod part;
mod replay;
mod segment;
mod sinks;
mod webhook;

use std::path::PathBuf;
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;
use futures_util::future::join_all;
use sqlx::{PgConnection, Row};

pub use folder::{Folder, FolderError, Writing};
pub use outside::{verify_export, verify_folder};
pub use replay::{Lost, Publication, ReplayError};
pub use segment::{EntryLine, ManifestLine};
pub use sinks::SinkReport;
pub use webhook::{Webhook, WebhookError};

use super::checkpoint::Checkpoint;
use super::keyring::{KeyError, Keyring};
use super::note::{Key, Verifier};
use super::store::{self, Cluster, LedgerError, Signed};
use sinks::{SendClock, Sink};

/// While something acts, what was done is published at least this often.
const OFTEN: Duration = Duration::from_secs(60);

/// How long to wait for another process that writes to the published log.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a receiver that answers may be caught up with at the end of a pass.
const CATCH_UP: Duration = Duration::from_secs(600);

/// Why a log cannot be signed, published, or gone on with.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The database.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// Somebody else writes to the published log, and does not end.
    #[error("another process has been publishing the log for {} s", PATIENCE.as_secs())]
    Busy,
    /// What was published cannot be believed.
    #[error("the checkpoint in {} is not to be believed", .folder.display())]
    Forged {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: super::checkpoint::CheckpointError,
    },
    /// The database has fewer entries than were published.
    #[error("of the {published} entries of the log that were published to {}, the database has {size}", .folder.display())]
    Behind {
        /// The folder.
        folder: PathBuf,
        /// Entries in the database.
        size: u64,
        /// Entries that were published.
        published: u64,
    },
    /// The database has other entries than were published.
    #[error("the first {published} entries of the log are not those that were published to {}", .folder.display())]
    Forked {
        /// The folder.
        folder: PathBuf,
        /// Entries that were published.
        published: u64,
    },
}

impl LogError {
    /// Whether the database is not the one that the published log speaks of: nothing may
    /// act until a person has decided.
    #[must_use]
    pub fn is_interlock(&self) -> bool {
        matches!(
            self,
            Self::Behind { .. } | Self::Forked { .. } | Self::Forged { .. }
        )
    }
}

/// Where a log's keys and its published copy are.
#[derive(Debug, Clone)]
pub struct Places {
    /// The folder of this program's state; the log has one in it by its own name.
    pub state: PathBuf,
    /// Where it is published; in the state, if nothing else is said.
    pub published: Option<PathBuf>,
    /// The file of the private key, where somebody else provides it.
    pub credential: Option<PathBuf>,
}

impl Places {
    /// The log's own folder: its name without what is not a file's.
    fn own(&self, origin: &str) -> PathBuf {
        self.state.join(origin.rsplit('/').next().unwrap_or(origin))
    }

    /// The keys of a log.
    #[must_use]
    pub fn keyring(&self, origin: &str) -> Keyring {
        Keyring::new(self.own(origin), self.credential.clone())
    }

    /// The file that says why the log of this name goes on from another one.
    #[must_use]
    pub fn reason_file(&self, origin: &str) -> PathBuf {
        self.own(origin).join("origin.json")
    }

    /// The file that says how far a receiver of the log is.
    fn webhook_file(&self, origin: &str, name: &str) -> PathBuf {
        let file = self.own(origin).join("webhooks").join(name);
        file.with_extension("json")
    }

    /// The folder that a log is published to.
    #[must_use]
    pub fn folder(&self, origin: &str) -> Folder {
        let base = match &self.published {
            Some(published) => published.clone(),
            None => self.own(origin).join("published"),
        };
        Folder::new(base.join(origin.replace('/', "-")))
    }
}

/// A log with its key and the place that it is published to.
#[derive(Debug)]
pub struct Log {
    key: Key,
    keys: Vec<Verifier>,
    folder: Folder,
    published: Mutex<Option<Instant>>,
    sinks: Vec<Sink>,
    clock: OnceLock<SendClock>,
}

impl Log {
    /// The log of this database. Its key is made if nothing was ever signed.
    ///
    /// # Errors
    /// When the key is not there, or cannot be read or made.
    pub async fn open(conn: &mut PgConnection, places: &Places) -> Result<Self, LogError> {
        let origin = store::origin(conn).await?;
        let keyring = places.keyring(&origin);
        let folder = places.folder(&origin);
        let key = match keyring.private(&origin)? {
            Some(key) => key,
            None if !store::was_signed(conn, &origin).await? && folder.checkpoint()?.is_none() => {
                keyring.make_first(&origin)?
            }
            None => {
                return Err(KeyError::Missing {
                    path: keyring.private_path(),
                    origin,
                }
                .into());
            }
        };
        keyring.note(&key.verifier())?;
        Ok(Self {
            keys: keyring.public()?,
            key,
            folder,
            published: Mutex::new(None),
            sinks: Vec::new(),
            clock: OnceLock::new(),
        })
    }

    /// The same, which also sends what it publishes to these receivers.
    #[must_use]
    pub fn with_webhooks(mut self, places: &Places, webhooks: Vec<Webhook>) -> Self {
        let origin = self.key.verifier().name().to_owned();
        let sink = |webhook| Sink::new(webhook, places, &origin);
        self.sinks = webhooks.into_iter().map(sink).collect();
        self
    }

    /// How the receivers stand.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn sinks(&self) -> Result<Vec<SinkReport>, FolderError> {
        reports(&self.sinks, &self.folder)
    }

    /// Sends the receivers what they lack, until they have everything, fail, or ten minutes
    /// are over. For the end of a pass. One that failed before is not tried again.
    pub async fn catch_up(&self, now: DateTime<Utc>) {
        self.send(now, Some(CATCH_UP)).await;
    }

    /// Side by side, so that none waits for another.
    async fn send(&self, now: DateTime<Utc>, long: Option<Duration>) {
        let clock = *self.clock.get_or_init(|| SendClock::of(now));
        let sending = self.sinks.iter();
        join_all(sending.map(|sink| sink.send(&self.folder, clock, long))).await;
    }

    /// The log's key.
    #[must_use]
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// Where it is published.
    #[must_use]
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// The public keys that the log had and has.
    #[must_use]
    pub fn keys(&self) -> &[Verifier] {
        &self.keys
    }

    /// Compares the database with what was published. Answers how many entries were.
    ///
    /// # Errors
    /// [`LogError::Behind`], [`LogError::Forked`] or [`LogError::Forged`] where nothing may
    /// act; others where it could not be compared.
    pub async fn interlock(&self, conn: &mut PgConnection) -> Result<u64, LogError> {
        agree(conn, &self.folder, &self.keys).await
    }

    /// Whether it was published last from another server, timeline or database, and which of
    /// these. That decides nothing: a log that agrees may have moved.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub async fn moved(&self, conn: &mut PgConnection) -> Result<Option<&'static str>, LogError> {
        let Some(before) = self.folder.cluster()? else {
            return Ok(None);
        };
        let now = Cluster::of(conn).await;
        Ok(now
            .filter(|now| now.to_string() != before)
            .map(|now| now.changed(&before)))
    }

    /// Seals what is not sealed, and publishes if it is long ago. For between two batches.
    /// Answers what was published.
    ///
    /// # Errors
    /// As [`Self::publish`].
    pub async fn keep_up(
        &self,
        conn: &mut PgConnection,
        now: DateTime<Utc>,
    ) -> Result<Option<Signed>, LogError> {
        store::seal(conn).await?;
        let due = {
            let mut published = lock(&self.published);
            published.get_or_insert_with(Instant::now).elapsed() >= OFTEN
        };
        match due {
            true => self.publish(conn, now).await,
            false => Ok(None),
        }
    }

    /// Seals, signs and writes everything that is new. Answers the checkpoint; `None` while
    /// the log is empty.
    ///
    /// # Errors
    /// When the database is not the one that was published, or a file cannot be written.
    /// Nothing is lost by that: the next time begins where the last one ended.
    pub async fn publish(
        &self,
        conn: &mut PgConnection,
        now: DateTime<Utc>,
    ) -> Result<Option<Signed>, LogError> {
        self.take_turn(conn).await?;
        let outcome = self.publish_in_turn(conn, now).await;
        // A connection that is lost gives it back by itself.
        let given_back = sqlx::query(crate::store::PUBLISHED).execute(conn).await;
        let signed = outcome?;
        given_back.map_err(LedgerError::writing)?;
        *lock(&self.published) = Some(Instant::now());
        // Nobody has to wait for this who publishes too.
        self.send(now, None).await;
        Ok(signed)
    }

    /// Waits until nobody else writes to the published log.
    async fn take_turn(&self, conn: &mut PgConnection) -> Result<(), LogError> {
        let begun = Instant::now();
        loop {
            let mine: bool = sqlx::query_scalar(crate::store::PUBLISHING)
                .fetch_one(&mut *conn)
                .await
                .map_err(LedgerError::writing)?;
            if mine {
                return Ok(());
            }
            if begun.elapsed() >= PATIENCE {
                return Err(LogError::Busy);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn publish_in_turn(
        &self,
        conn: &mut PgConnection,
        now: DateTime<Utc>,
    ) -> Result<Option<Signed>, LogError> {
        // First: what a restored database has not sealed may stand elsewhere in the log.
        let from = self.interlock(conn).await?;
        store::seal(conn).await?;
        let Some(signed) = store::checkpoint(conn, &self.key, now).await? else {
            return Ok(None);
        };
        if signed.size > from || self.folder.checkpoint()?.is_none() {
            self.write(conn, from, &signed).await?;
        }
        if let Some(now) = Cluster::of(conn).await.map(|now| now.to_string())
            && self.folder.cluster()?.as_ref() != Some(&now)
        {
            self.folder.note_cluster(&now)?;
        }
        Ok(Some(signed))
    }

    async fn write(
        &self,
        conn: &mut PgConnection,
        from: u64,
        signed: &Signed,
    ) -> Result<(), LogError> {
        let mut writing = self.folder.begin(from)?;
        let mut rows = store::sealed_with_records(conn, from, signed.size)?;
        while let Some(row) = rows.try_next().await.map_err(LedgerError::reading)? {
            let leaf: Vec<u8> = row.try_get("body").map_err(LedgerError::reading)?;
            let place: i64 = row.try_get("leaf_index").map_err(LedgerError::reading)?;
            let seed: Option<Vec<u8>> = row.try_get("seed").map_err(LedgerError::reading)?;
            let records: Option<Vec<u8>> = row.try_get("records").map_err(LedgerError::reading)?;
            let year: Option<i16> = row.try_get("year").map_err(LedgerError::reading)?;
            let line = EntryLine {
                entry: place.unsigned_abs(),
                leaf,
            };
            let manifest = match (seed, records) {
                (Some(seed), Some(records)) => Some(ManifestLine {
                    entry: line.entry,
                    seed,
                    records,
                }),
                _ => None,
            };
            let manifest = year.map(i32::from).zip(manifest.as_ref());
            writing.push(&line, manifest)?;
        }
        let checkpoint = Checkpoint {
            origin: self.key.verifier().name().to_owned(),
            size: signed.size,
            root: signed.root,
        };
        writing.finish(&signed.note, &checkpoint, &self.keys)?;
        // Whole, so that the journal is one more place outside the database that has it.
        tracing::info!(
            size = signed.size,
            root = hex::encode(signed.root),
            note = signed.note,
            "checkpoint published"
        );
        Ok(())
    }
}

/// How the receivers of a log stand, by what is remembered of them.
///
/// # Errors
/// When the folder cannot be read.
pub fn standing(
    origin: &str,
    places: &Places,
    webhooks: Vec<Webhook>,
) -> Result<Vec<SinkReport>, FolderError> {
    let sink = |webhook| Sink::new(webhook, places, origin);
    let sinks: Vec<Sink> = webhooks.into_iter().map(sink).collect();
    reports(&sinks, &places.folder(origin))
}

fn reports(sinks: &[Sink], folder: &Folder) -> Result<Vec<SinkReport>, FolderError> {
    if sinks.is_empty() {
        return Ok(Vec::new());
    }
    let published = folder.checkpoint()?.map_or(0, |(_, newest)| newest.size);
    Ok(sinks.iter().map(|sink| sink.report(published)).collect())
}

/// Compares the database with what was published of its log, where that is and with the keys
/// that are there, and makes nothing. Answers how many entries were published.
///
/// # Errors
/// As [`Log::interlock`]; also when no key is there.
pub async fn compare(conn: &mut PgConnection, places: &Places) -> Result<u64, LogError> {
    let origin = store::origin(conn).await?;
    let (keyring, folder) = (places.keyring(&origin), places.folder(&origin));
    if folder.checkpoint()?.is_none() {
        return Ok(0);
    }
    let keys = keyring.public()?;
    if keys.is_empty() {
        return Err(KeyError::Missing {
            path: keyring.private_path(),
            origin,
        }
        .into());
    }
    agree(conn, &folder, &keys).await
}

async fn agree(
    conn: &mut PgConnection,
    folder: &Folder,
    keys: &[Verifier],
) -> Result<u64, LogError> {
    let Some((note, _)) = folder.checkpoint()? else {
        return Ok(0);
    };
    let path = || folder.path().to_owned();
    let published = Checkpoint::open(&note, keys).map_err(|source| LogError::Forged {
        folder: path(),
        source,
    })?;
    let size = store::size(conn).await?;
    if size < published.size {
        return Err(LogError::Behind {
            folder: path(),
            size,
            published: published.size,
        });
    }
    if store::root_at(conn, published.size).await? != published.root {
        return Err(LogError::Forked {
            folder: path(),
            published: published.size,
        });
    }
    Ok(published.size)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
