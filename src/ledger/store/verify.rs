//! Whether the ledger in the database is what was written and signed.
//!
//! Every stored byte is read and hashed again, every entry is decoded and encoded
//! again, and everything that is derived from one (columns, root, filter, year, place,
//! hashes of the tree) is computed again and compared; then the log as a whole is held
//! against the checkpoints that are known ([`crate::ledger::audit`]).

use chrono::{DateTime, Datelike, Utc};
use futures_util::TryStreamExt;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use super::LedgerError;
use super::seal::{signed, tree_of};
use crate::ledger::audit::{Audit, Fault, Trust, Verification};
use crate::ledger::checkpoint::Checkpoint;
use crate::ledger::entry::{Action, Entry, EntryId};
use crate::ledger::keychange::KeyChange;
use crate::ledger::manifest::Manifest;
use crate::ledger::merkle::{Hash, leaf_hash};

/// Entries read by one statement, and so by one snapshot: an entry and its manifest are
/// seen together or not at all, and no snapshot is held while the whole is read.
const ENTRIES_A_PAGE: i64 = 500;

macro_rules! with_manifest {
    ($page:literal, $order:literal) => {
        concat!(
            "WITH page AS (",
            $page,
            ")
SELECT page.*, m.year, m.manifest_table, m.seed, m.filter, m.records
FROM page
LEFT JOIN LATERAL (
    SELECT year, table_name AS manifest_table, seed, filter, records
    FROM retentiond.ledger_manifest
    WHERE entry_id = page.sealed_id
    OFFSET 0 -- looked up entry by entry, in every year: one may lie in a wrong one
) AS m ON true
ORDER BY ",
            $order
        )
    };
}

pub(super) const SEALED: &str = with_manifest!(
    "
    SELECT s.leaf_index, s.entry_id AS sealed_id, s.nodes,
           e.entry_id, e.at, e.action, e.class_id, e.table_name, e.run_id, e.count, e.body, e.hash
    FROM retentiond.ledger_seal AS s
    LEFT JOIN retentiond.ledger_entry AS e ON e.entry_id = s.entry_id
    WHERE s.leaf_index >= $1
    ORDER BY s.leaf_index
    LIMIT $2
",
    "page.leaf_index"
);

pub(super) const UNSEALED: &str = with_manifest!(
    "
    SELECT NULL::bigint AS leaf_index, e.entry_id AS sealed_id, NULL::bytea AS nodes,
           e.entry_id, e.at, e.action, e.class_id, e.table_name, e.run_id, e.count, e.body, e.hash
    FROM retentiond.ledger_entry AS e
    WHERE e.entry_id >= $1
      AND NOT EXISTS (SELECT FROM retentiond.ledger_seal AS s WHERE s.entry_id = e.entry_id)
    ORDER BY e.entry_id
    LIMIT $2
",
    "page.entry_id"
);

pub(super) const MANIFESTS_WITHOUT_ENTRY: &str = "\
SELECT min(m.entry_id) AS first, count(*) AS number
FROM retentiond.ledger_manifest AS m
WHERE NOT EXISTS (
    SELECT FROM retentiond.ledger_entry AS e
    WHERE e.entry_id = m.entry_id
)";

pub(super) const CHECKPOINTS: &str = "\
SELECT size, root, note FROM retentiond.ledger_checkpoint ORDER BY size";

pub(super) const KEY_CHANGES: &str = "\
SELECT body FROM retentiond.ledger_entry WHERE action = $1 ORDER BY entry_id";

/// How far verification is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Entries read.
    pub entries: u64,
    /// Records read.
    pub records: u64,
}

/// What is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// Every entry.
    Whole,
    /// The entries after a checkpoint that is among the trusted ones. What lies before is
    /// held against it by the hashes that are kept of it; its bytes are not read.
    After(Checkpoint),
}

/// Reads the ledger and checks it against itself and against what is known from outside;
/// `progress` hears after each page. Best outside a transaction, so that no snapshot is
/// held for the whole time.
///
/// # Errors
/// When the database does not answer. What is wrong with the ledger is no error but
/// the answer.
pub async fn verify(
    conn: &mut PgConnection,
    trust: &Trust,
    reading: &Reading,
    mut progress: impl FnMut(Progress),
) -> Result<Verification, LedgerError> {
    let mut audit = Audit::new(trust);
    kept(conn, &mut audit).await?;
    let from = match reading {
        Reading::Whole => 0,
        Reading::After(checkpoint) => resume(conn, &mut audit, checkpoint).await?,
    };
    pages(conn, SEALED, signed(from)?, &mut audit, &mut progress).await?;
    pages(conn, UNSEALED, i64::MIN, &mut audit, &mut progress).await?;
    if *reading == Reading::Whole {
        let orphans = sqlx::query(MANIFESTS_WITHOUT_ENTRY)
            .fetch_one(conn)
            .await
            .map_err(LedgerError::reading)?;
        let first: Option<i64> = orphans.try_get("first").map_err(LedgerError::reading)?;
        let number: i64 = orphans.try_get("number").map_err(LedgerError::reading)?;
        if let Some(first) = first {
            audit.more_wrong(number.unsigned_abs().saturating_sub(1));
            audit.wrong(
                None,
                Some(EntryId(first)),
                "it is gone, and its records are there",
            );
        }
    }
    Ok(audit.conclude())
}

/// What is kept beside the entries: checkpoints and changes of keys.
async fn kept(conn: &mut PgConnection, audit: &mut Audit) -> Result<(), LedgerError> {
    let mut rows = sqlx::query(CHECKPOINTS).fetch(&mut *conn);
    while let Some(row) = rows.try_next().await.map_err(LedgerError::reading)? {
        let size: i64 = row.try_get("size").map_err(LedgerError::reading)?;
        let root: &[u8] = row.try_get("root").map_err(LedgerError::reading)?;
        let note: &str = row.try_get("note").map_err(LedgerError::reading)?;
        audit.kept_checkpoint(note, Some(size.unsigned_abs()), Some(root));
    }
    drop(rows);
    let mut rows = sqlx::query(KEY_CHANGES)
        .bind(Action::KeyChanged.name())
        .fetch(conn);
    while let Some(row) = rows.try_next().await.map_err(LedgerError::reading)? {
        let body: &[u8] = row.try_get("body").map_err(LedgerError::reading)?;
        if let Some(change) = Entry::decode(body).ok().as_ref().and_then(KeyChange::of) {
            audit.key_change(change);
        }
    }
    Ok(())
}

/// Begins after a checkpoint, if the hashes that are kept have its root; else at the
/// beginning, where what is wrong will show.
async fn resume(
    conn: &mut PgConnection,
    audit: &mut Audit,
    checkpoint: &Checkpoint,
) -> Result<u64, LedgerError> {
    match tree_of(conn, checkpoint.size).await {
        Ok(tree) if tree.root() == checkpoint.root => {
            audit.resume(tree);
            Ok(checkpoint.size)
        }
        Ok(_) | Err(LedgerError::Seal(_)) => Ok(0),
        Err(error) => Err(error),
    }
}

/// Checks page after page of the entries from `first` on.
async fn pages(
    conn: &mut PgConnection,
    statement: &'static str,
    first: i64,
    audit: &mut Audit,
    progress: &mut impl FnMut(Progress),
) -> Result<(), LedgerError> {
    let mut from = Some(first);
    while let Some(first) = from {
        let (last, number) = page(conn, statement, first, audit).await?;
        progress(Progress {
            entries: audit.entries,
            records: audit.records,
        });
        from = last
            .filter(|_| number == ENTRIES_A_PAGE)
            .and_then(|last| last.checked_add(1));
    }
    Ok(())
}

/// Checks the entries from `first` on; where the last of them stands, and how many they are.
async fn page(
    conn: &mut PgConnection,
    statement: &'static str,
    first: i64,
    audit: &mut Audit,
) -> Result<(Option<i64>, i64), LedgerError> {
    let mut last = None;
    let mut number = 0;
    let mut rows = sqlx::query(statement)
        .bind(first)
        .bind(ENTRIES_A_PAGE)
        .fetch(conn);
    while let Some(row) = rows.try_next().await.map_err(LedgerError::reading)? {
        let leaf: Option<i64> = row.try_get("leaf_index").map_err(LedgerError::reading)?;
        let id: i64 = row.try_get("sealed_id").map_err(LedgerError::reading)?;
        let place = leaf.unwrap_or(id);
        let index = leaf.map(i64::unsigned_abs);
        if last == Some(place) {
            audit.wrong(index, Some(EntryId(id)), "it has records in two years");
            continue;
        }
        last = Some(place);
        number += 1;
        let stored = Stored::from_row(&row).map_err(LedgerError::reading)?;
        if let Some(stored) = &stored {
            audit.entries += 1;
            look_at(audit, index, stored);
        }
        // After the entry's own faults: what does not follow from it follows from those.
        match index {
            Some(index) => {
                let nodes: &[u8] = row.try_get("nodes").map_err(LedgerError::reading)?;
                let body = stored.as_ref().map(|stored| stored.body);
                audit.leaf(index, Some(EntryId(id)), body, Some(nodes));
            }
            None => audit.unsealed += 1,
        }
    }
    Ok((last, number))
}

/// Checks an entry by itself, and its records.
fn look_at(audit: &mut Audit, index: Option<u64>, stored: &Stored<'_>) {
    let entry = match stored.check() {
        Ok(entry) => entry,
        Err(fault) => return audit.fault(index, Some(EntryId(stored.id)), fault),
    };
    audit.entry(index, &entry);
    match stored.check_records(&entry) {
        Ok(Some(records)) => audit.records += records,
        Ok(None) => audit.no_records(index, &entry),
        Err(fault) => audit.fault(index, Some(entry.id), fault),
    }
}

/// An entry's row of [`SEALED`] or [`UNSEALED`].
struct Stored<'r> {
    id: i64,
    at: DateTime<Utc>,
    action: &'r str,
    class: Option<&'r str>,
    table: Option<&'r str>,
    run: Option<i64>,
    count: i64,
    body: &'r [u8],
    hash: &'r [u8],
    manifest: Option<StoredManifest<'r>>,
}

struct StoredManifest<'r> {
    year: i16,
    table: &'r str,
    seed: &'r [u8],
    filter: &'r [u8],
    records: &'r [u8],
}

impl<'r> Stored<'r> {
    /// `None` where the entry is gone, and only its place is left.
    fn from_row(row: &'r PgRow) -> Result<Option<Self>, sqlx::Error> {
        let Some(id) = row.try_get("entry_id")? else {
            return Ok(None);
        };
        let year: Option<i16> = row.try_get("year")?;
        let manifest = match year {
            None => None,
            Some(year) => Some(StoredManifest {
                year,
                table: row.try_get("manifest_table")?,
                seed: row.try_get("seed")?,
                filter: row.try_get("filter")?,
                records: row.try_get("records")?,
            }),
        };
        Ok(Some(Self {
            id,
            at: row.try_get("at")?,
            action: row.try_get("action")?,
            class: row.try_get("class_id")?,
            table: row.try_get("table_name")?,
            run: row.try_get("run_id")?,
            count: row.try_get("count")?,
            body: row.try_get("body")?,
            hash: row.try_get("hash")?,
            manifest,
        }))
    }

    /// The entry, if everything about it but its records agrees.
    fn check(&self) -> Result<Entry, Fault> {
        let agrees = |same: bool, what: &'static str| match same {
            true => Ok(()),
            false => Err(Fault::Wrong(what)),
        };
        agrees(
            leaf_hash(self.body) == *self.hash,
            "its hash is not that of its bytes",
        )?;
        let entry = Entry::decode(self.body).map_err(|error| match error.is_newer() {
            true => Fault::Unread("it was written by a newer program"),
            false => Fault::Wrong("its bytes are not those of an entry"),
        })?;
        agrees(
            entry.encode() == self.body,
            "its bytes are not spelled as an entry's",
        )?;
        agrees(entry.id.0 == self.id, "its number is another in its bytes")?;
        agrees(entry.at == self.at, "its time is another in its bytes")?;
        agrees(
            entry.action.name() == self.action,
            "its action is another in its bytes",
        )?;
        agrees(
            entry.class.as_ref().map(|class| class.as_str()) == self.class,
            "its class is another in its bytes",
        )?;
        agrees(
            entry.table.as_ref().map(ToString::to_string).as_deref() == self.table,
            "its table is another in its bytes",
        )?;
        agrees(entry.run == self.run, "its pass is another in its bytes")?;
        agrees(
            i64::try_from(entry.count) == Ok(self.count),
            "its count is another in its bytes",
        )?;
        Ok(entry)
    }

    /// How many records the entry has, if they agree with it; `None` if it states records
    /// and there are none.
    fn check_records(&self, entry: &Entry) -> Result<Option<u64>, Fault> {
        match (&self.manifest, entry.manifest) {
            (None, None) => Ok(Some(0)),
            (None, Some(_)) => Ok(None),
            (Some(_), None) => Err(Fault::Wrong("records were added to it")),
            (Some(manifest), Some(root)) => manifest.check(entry, root).map(Some),
        }
    }
}

impl StoredManifest<'_> {
    fn check(&self, entry: &Entry, root: Hash) -> Result<u64, Fault> {
        let wrong = |what| Err(Fault::Wrong(what));
        if i32::from(self.year) != entry.at.year() {
            return wrong("its records lie in another year");
        }
        if entry.table.as_ref().map(ToString::to_string).as_deref() != Some(self.table) {
            return wrong("its records are marked as another table's");
        }
        let Ok(seed) = <[u8; 32]>::try_from(self.seed) else {
            return wrong("the seed of its records is not one");
        };
        let computed =
            Manifest::recompute(self.records, seed).map_err(|error| match error.is_newer() {
                true => Fault::Unread("its records were written by a newer program"),
                false => Fault::Wrong("its records cannot be read"),
            })?;
        if computed.root != root {
            return wrong("its records do not have the root that it states");
        }
        if computed.count != entry.count {
            return wrong("it has not as many records as it states");
        }
        if computed.bytes != self.records {
            return wrong("its records are not spelled as they should be");
        }
        if computed.filter != self.filter {
            return wrong("its filter is not that of its records");
        }
        Ok(computed.count)
    }
}
