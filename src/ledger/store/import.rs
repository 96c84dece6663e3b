//! Bringing back entries that a restored database has lost, byte for byte.
//!
//! In one transaction of the caller's, under the sealing lock: every entry goes back to its
//! place with all that is derived from it computed again, and at each signed length the
//! root must be the one that was signed, or nothing was brought back.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, Utc};
use futures_util::TryStreamExt;
use sqlx::{PgConnection, Row};

use super::LedgerError;
use super::checkpoint::INSERT as INSERT_CHECKPOINT;
use super::seal::{self, INSERT_SEALS, NO_LONGER_WAITING, signed};
use crate::ledger::checkpoint::Checkpoint;
use crate::ledger::entry::{Action, Entry, EntryId};
use crate::ledger::manifest::Manifest;
use crate::ledger::merkle::{CompactRange, Hash, leaf_hash};

pub(super) const IMPORT_ENTRY: &str = "\
INSERT INTO retentiond.ledger_entry
    (entry_id, at, action, class_id, table_name, run_id, count, body, hash)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (entry_id) DO NOTHING";

pub(super) const BODY: &str = "\
SELECT body FROM retentiond.ledger_entry WHERE entry_id = $1";

pub(super) const IMPORT_MANIFEST: &str = "\
INSERT INTO retentiond.ledger_manifest
    (entry_id, year, table_name, seed, filter, records)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (entry_id, year) DO NOTHING";

/// Numbers that were given are not given again: neither an entry's nor a pass's.
pub(super) const SEQUENCES: &str = "\
SELECT setval('retentiond.ledger_entry_id',
              greatest($1, (SELECT last_value FROM retentiond.ledger_entry_id))),
       setval(pg_get_serial_sequence('retentiond.run', 'run_id'),
              greatest($2, (SELECT last_value FROM retentiond.run_run_id_seq)))";

pub(super) const REPLAYED: &str = "\
SELECT body FROM retentiond.ledger_entry WHERE action = $1 ORDER BY entry_id DESC LIMIT 1";

pub(super) const NEW_ORIGIN: &str = "\
INSERT INTO retentiond.ledger_origin (name, from_size, made_at)
SELECT 'retentiond/' || gen_random_uuid(), $1, $2
RETURNING name";

/// The published log on its way back, from its first entry on.
#[derive(Debug)]
pub struct Import {
    /// How many entries the database has, and their root.
    before: seal::Head,
    tree: CompactRange,
    signed: BTreeMap<u64, (String, Checkpoint)>,
    highest: i64,
    highest_run: i64,
}

impl Import {
    /// Takes the sealing lock until the end of the transaction. `signed`: the checkpoints that
    /// were published, already believed.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn begin(
        tx: &mut PgConnection,
        signed: impl IntoIterator<Item = (String, Checkpoint)>,
    ) -> Result<Self, LedgerError> {
        seal::lock(tx).await?;
        let before = seal::head(tx).await?;
        let latest = super::latest_checkpoint(tx).await?;
        if latest.is_some_and(|latest| latest.size > before.size) {
            return Err(LedgerError::Seal("entries are gone that were signed here"));
        }
        Ok(Self {
            before,
            tree: CompactRange::new(),
            signed: signed
                .into_iter()
                .map(|(note, checkpoint)| (checkpoint.size, (note, checkpoint)))
                .collect(),
            highest: 0,
            highest_run: 0,
        })
    }

    /// How many entries the database has.
    #[must_use]
    pub fn from(&self) -> u64 {
        self.before.size
    }

    /// The next entry of the published log. Answers it if the database had lost it, and not if
    /// it was only not sealed yet when the backup was taken.
    ///
    /// # Errors
    /// When it is none, the database begins otherwise ([`LedgerError::Begins`]), or has given
    /// the number to another entry since ([`LedgerError::Clash`]).
    pub async fn push(
        &mut self,
        tx: &mut PgConnection,
        body: &[u8],
        records: Option<(&[u8], &[u8])>,
    ) -> Result<Option<Entry>, LedgerError> {
        let place = self.tree.size();
        self.check_prefix()?;
        let hash = leaf_hash(body);
        let nodes = self.tree.push(hash);
        if place < self.before.size {
            return Ok(None);
        }
        let entry = Entry::decode(body).map_err(|source| LedgerError::Entry {
            entry: EntryId(place.cast_signed()),
            source,
        })?;
        let lost = self.insert(tx, &entry, body, &hash).await?;
        if let Some((seed, packed)) = records {
            insert_records(tx, &entry, seed, packed).await?;
        }
        sqlx::query(INSERT_SEALS)
            .bind(vec![signed(place)?])
            .bind(vec![entry.id.0])
            .bind(vec![nodes.concat()])
            .execute(&mut *tx)
            .await
            .map_err(LedgerError::writing)?;
        self.highest = self.highest.max(entry.id.0);
        self.highest_run = self.highest_run.max(entry.run.unwrap_or(0));
        self.insert_checkpoint(tx, entry.at).await?;
        Ok(lost.then_some(entry))
    }

    /// After the last one: moves the numbers on. Answers how many entries came back.
    ///
    /// # Errors
    /// When the database does not answer, or the last entry is not one that was signed.
    pub async fn finish(self, tx: &mut PgConnection) -> Result<u64, LedgerError> {
        self.check_prefix()?;
        if let Some((size, _)) = self.signed.last_key_value()
            && *size != self.tree.size()
        {
            return Err(LedgerError::Seal(
                "what was published is shorter than what was signed",
            ));
        }
        sqlx::query(SEQUENCES)
            .bind(self.highest)
            .bind(self.highest_run)
            .execute(tx)
            .await
            .map_err(LedgerError::writing)?;
        Ok(self.tree.size().saturating_sub(self.before.size))
    }

    /// What the database has is the beginning of what was published.
    fn check_prefix(&self) -> Result<(), LedgerError> {
        match self.tree.size() == self.before.size && self.tree.root() != self.before.root {
            true => Err(LedgerError::Begins),
            false => Ok(()),
        }
    }

    async fn insert(
        &self,
        tx: &mut PgConnection,
        entry: &Entry,
        body: &[u8],
        hash: &Hash,
    ) -> Result<bool, LedgerError> {
        let count = i64::try_from(entry.count)
            .map_err(|_| LedgerError::Seal("an entry counts more records than there can be"))?;
        let written = sqlx::query(IMPORT_ENTRY)
            .bind(entry.id.0)
            .bind(entry.at)
            .bind(entry.action.name())
            .bind(entry.class.as_ref().map(|class| class.as_str()))
            .bind(entry.table.as_ref().map(ToString::to_string))
            .bind(entry.run)
            .bind(count)
            .bind(body)
            .bind(&hash[..])
            .execute(&mut *tx)
            .await
            .map_err(LedgerError::writing)?;
        if written.rows_affected() == 1 {
            return Ok(true);
        }
        // It was there already when the backup was taken, and not sealed yet; or else the
        // number was given again.
        let there: Vec<u8> = sqlx::query_scalar(BODY)
            .bind(entry.id.0)
            .fetch_one(&mut *tx)
            .await
            .map_err(LedgerError::reading)?;
        if there != body {
            return Err(LedgerError::Clash(entry.id));
        }
        sqlx::query(NO_LONGER_WAITING)
            .bind(vec![entry.id.0])
            .execute(tx)
            .await
            .map_err(LedgerError::writing)?;
        Ok(false)
    }

    /// The checkpoint that was signed at the present length, if one was. When is not in it; it
    /// was after the last entry that it covers.
    async fn insert_checkpoint(
        &self,
        tx: &mut PgConnection,
        at: DateTime<Utc>,
    ) -> Result<(), LedgerError> {
        let Some((note, checkpoint)) = self.signed.get(&self.tree.size()) else {
            return Ok(());
        };
        if checkpoint.root != self.tree.root() {
            return Err(LedgerError::Seal(
                "it was signed at this length with another root",
            ));
        }
        sqlx::query(INSERT_CHECKPOINT)
            .bind(signed(checkpoint.size)?)
            .bind(&checkpoint.root[..])
            .bind(note)
            .bind(at)
            .execute(tx)
            .await
            .map(drop)
            .map_err(LedgerError::writing)
    }
}

async fn insert_records(
    tx: &mut PgConnection,
    entry: &Entry,
    seed: &[u8],
    packed: &[u8],
) -> Result<(), LedgerError> {
    let wrong = |why| LedgerError::Inconsistent {
        entry: entry.id,
        why,
    };
    let seed = <[u8; 32]>::try_from(seed).map_err(|_| wrong("its seed is none"))?;
    let manifest = Manifest::recompute(packed, seed).map_err(|source| LedgerError::Manifest {
        entry: entry.id,
        source,
    })?;
    if entry.manifest != Some(manifest.root) || entry.count != manifest.count {
        return Err(wrong("its records are not those that it states"));
    }
    let year = i16::try_from(entry.at.year()).map_err(|_| wrong("its year is too large"))?;
    sqlx::query(IMPORT_MANIFEST)
        .bind(entry.id.0)
        .bind(year)
        .bind(entry.table.as_ref().map(ToString::to_string))
        .bind(&seed[..])
        .bind(&manifest.filter[..])
        .bind(packed)
        .execute(tx)
        .await
        .map(drop)
        .map_err(LedgerError::writing)
}

/// The entry that a replay has written last, if there ever was one.
///
/// # Errors
/// When the database does not answer, or the entry cannot be read.
pub async fn last_replayed(conn: &mut PgConnection) -> Result<Option<Entry>, LedgerError> {
    let body: Option<Vec<u8>> = sqlx::query_scalar(REPLAYED)
        .bind(Action::Replayed.name())
        .fetch_optional(conn)
        .await
        .map_err(LedgerError::reading)?;
    body.map(|body| {
        Entry::decode(&body).map_err(|source| LedgerError::Entry {
            entry: EntryId(0),
            source,
        })
    })
    .transpose()
}

/// The entries in places `from..to`, each with its packed records if they are there.
///
/// # Errors
/// When the database does not answer, or an entry cannot be read.
pub async fn sealed(
    conn: &mut PgConnection,
    from: u64,
    to: u64,
) -> Result<Vec<(Entry, Option<Vec<u8>>)>, LedgerError> {
    let mut found = Vec::new();
    let mut rows = seal::sealed_with_records(conn, from, to)?;
    while let Some(row) = rows.try_next().await.map_err(LedgerError::reading)? {
        let place: i64 = row.try_get("leaf_index").map_err(LedgerError::reading)?;
        let body: &[u8] = row.try_get("body").map_err(LedgerError::reading)?;
        let entry = Entry::decode(body).map_err(|source| LedgerError::Entry {
            entry: EntryId(place),
            source,
        })?;
        found.push((entry, row.try_get("records").map_err(LedgerError::reading)?));
    }
    Ok(found)
}

/// Gives the log another name from the present size on, under the sealing lock. Answers the
/// old name, the new one, and the size.
///
/// # Errors
/// When the database does not answer.
pub async fn rename(
    tx: &mut PgConnection,
    now: DateTime<Utc>,
) -> Result<(String, String, u64), LedgerError> {
    seal::lock(tx).await?;
    let old = super::origin(tx).await?;
    let size = seal::size(tx).await?;
    let new = sqlx::query_scalar(NEW_ORIGIN)
        .bind(signed(size)?)
        .bind(now)
        .fetch_one(tx)
        .await
        .map_err(LedgerError::writing)?;
    Ok((old, new, size))
}
