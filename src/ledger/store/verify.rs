//! Whether the ledger is what was written.
//!
//! Every stored byte is read and hashed again, every entry is decoded and encoded
//! again, and everything that is derived from one (columns, root, filter, year) is
//! computed again and compared. What this cannot see alone is a ledger that was
//! rewritten as a whole, consistently, or cut off at its end: that takes a checkpoint
//! that was kept elsewhere, so that the answer says `anchored: false` until it has one.

use std::fmt;

use base64::Engine as _;
use chrono::{DateTime, Datelike, Utc};
use futures_util::TryStreamExt;
use serde_json::{Value, json};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use super::LedgerError;
use crate::ledger::entry::{Entry, EntryId};
use crate::ledger::manifest::Manifest;
use crate::ledger::merkle::{CompactRange, Hash, leaf_hash};

/// Entries read by one statement, and so by one snapshot: an entry and its manifest are
/// seen together or not at all, and no snapshot is held while the whole is read.
const ENTRIES_A_PAGE: i64 = 500;

pub(super) const PAGE: &str = "\
WITH page AS (
    SELECT entry_id, at, action, class_id, table_name, run_id, count, body, hash
    FROM retentiond.ledger_entry
    WHERE entry_id >= $1
    ORDER BY entry_id
    LIMIT $2
)
SELECT page.*, m.year, m.manifest_table, m.seed, m.filter, m.records
FROM page
LEFT JOIN LATERAL (
    SELECT year, table_name AS manifest_table, seed, filter, records
    FROM retentiond.ledger_manifest
    WHERE entry_id = page.entry_id
    OFFSET 0 -- looked up entry by entry, in every year: one may lie in a wrong one
) AS m ON true
ORDER BY page.entry_id";

pub(super) const MANIFESTS_WITHOUT_ENTRY: &str = "\
SELECT min(m.entry_id) AS first, count(*) AS number
FROM retentiond.ledger_manifest AS m
WHERE NOT EXISTS (
    SELECT FROM retentiond.ledger_entry AS e
    WHERE e.entry_id = m.entry_id
)";

/// The answer, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Everything is as it was written, as far as was looked.
    Ok,
    /// A byte, an entry, an order or a derived value is not what it was.
    Tampered,
    /// Shorter than a checkpoint that is known.
    Truncated,
    /// As long as a checkpoint that is known, with another root.
    Forked,
    /// Something could not be checked.
    Incomplete,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "OK",
            Self::Tampered => "TAMPERED",
            Self::Truncated => "TRUNCATED",
            Self::Forked => "FORKED",
            Self::Incomplete => "INCOMPLETE",
        })
    }
}

/// The first entry that is not what was written, or could not be checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstBad {
    /// Its number.
    pub entry: EntryId,
    /// What is wrong with it, in a sentence's end: `its hash is not that of its bytes`.
    pub what: String,
}

/// What verification found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// The answer.
    pub verdict: Verdict,
    /// Whether a checkpoint from outside took part.
    pub anchored: bool,
    /// How many entries are sealed.
    pub size: u64,
    /// The root of the sealed log.
    pub root: Hash,
    /// How many entries are not sealed yet.
    pub unsealed: u64,
    /// How many entries were read.
    pub entries: u64,
    /// How many records of manifests were read and agree with their entry.
    pub records: u64,
    /// How many entries are wrong (a manifest without an entry counts as one).
    pub bad: u64,
    /// How many entries only a newer program can read.
    pub unread: u64,
    /// The first wrong entry; where none is wrong, the first unread one.
    pub first_bad: Option<FirstBad>,
}

impl Verification {
    /// The object of `ledger verify --format json`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let first_bad = self.first_bad.as_ref().map(|bad| {
            // `entry` is the place in the sealed log, here as in an export.
            json!({ "entry": null, "id": bad.entry, "what": bad.what })
        });
        json!({ "verify": {
            "verdict": self.verdict.to_string(),
            "anchored": self.anchored,
            "size": self.size,
            "root": base64::engine::general_purpose::STANDARD.encode(self.root),
            "unsealed": self.unsealed,
            "entries": self.entries,
            "records": self.records,
            "first_bad": first_bad,
            "dropped": [],
        } })
    }
}

/// How far verification is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Entries read.
    pub entries: u64,
    /// Records read.
    pub records: u64,
}

/// Reads the whole ledger and checks it against itself; `progress` hears after each
/// page. Best outside a transaction, so that no snapshot is held for the whole time.
///
/// # Errors
/// When the database does not answer. What is wrong with the ledger is no error but
/// the answer.
pub async fn verify(
    conn: &mut PgConnection,
    mut progress: impl FnMut(Progress),
) -> Result<Verification, LedgerError> {
    let mut findings = Findings::default();
    let mut from = Some(i64::MIN);
    while let Some(first) = from {
        let (last, number) = verify_page(conn, first, &mut findings).await?;
        progress(Progress {
            entries: findings.entries,
            records: findings.records,
        });
        from = last
            .filter(|_| number == ENTRIES_A_PAGE)
            .and_then(|last| last.checked_add(1));
    }
    let orphans = sqlx::query(MANIFESTS_WITHOUT_ENTRY)
        .fetch_one(conn)
        .await
        .map_err(LedgerError::reading)?;
    let first: Option<i64> = orphans.try_get("first").map_err(LedgerError::reading)?;
    let number: i64 = orphans.try_get("number").map_err(LedgerError::reading)?;
    if let Some(first) = first {
        findings.bad += number.unsigned_abs().saturating_sub(1);
        findings.wrong(EntryId(first), "it is gone, and its records are there");
    }
    Ok(findings.conclude())
}

/// Checks the entries from `first` on; the last of them, and how many they are.
async fn verify_page(
    conn: &mut PgConnection,
    first: i64,
    findings: &mut Findings,
) -> Result<(Option<i64>, i64), LedgerError> {
    let mut last = None;
    let mut number = 0;
    let mut rows = sqlx::query(PAGE)
        .bind(first)
        .bind(ENTRIES_A_PAGE)
        .fetch(conn);
    while let Some(row) = rows.try_next().await.map_err(LedgerError::reading)? {
        let stored = Stored::from_row(&row).map_err(LedgerError::reading)?;
        if last == Some(stored.id) {
            findings.wrong(EntryId(stored.id), "it has records in two years");
            continue;
        }
        last = Some(stored.id);
        number += 1;
        findings.entries += 1;
        match stored.check() {
            Ok(records) => findings.records += records,
            Err(Fault::Wrong(what)) => findings.wrong(EntryId(stored.id), what),
            Err(Fault::Unread(what)) => findings.unread(EntryId(stored.id), what),
        }
    }
    Ok((last, number))
}

enum Fault {
    Wrong(&'static str),
    Unread(&'static str),
}

/// A row of [`PAGE`].
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
    fn from_row(row: &'r PgRow) -> Result<Self, sqlx::Error> {
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
        Ok(Self {
            id: row.try_get("entry_id")?,
            at: row.try_get("at")?,
            action: row.try_get("action")?,
            class: row.try_get("class_id")?,
            table: row.try_get("table_name")?,
            run: row.try_get("run_id")?,
            count: row.try_get("count")?,
            body: row.try_get("body")?,
            hash: row.try_get("hash")?,
            manifest,
        })
    }

    /// How many records the entry has, if everything about it agrees.
    fn check(&self) -> Result<u64, Fault> {
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
        match (&self.manifest, entry.manifest) {
            (None, None) => Ok(0),
            (None, Some(_)) => Err(Fault::Wrong("its records are gone")),
            (Some(_), None) => Err(Fault::Wrong("records were added to it")),
            (Some(manifest), Some(root)) => manifest.check(&entry, root),
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

#[derive(Default)]
struct Findings {
    entries: u64,
    records: u64,
    bad: u64,
    unread: u64,
    first_wrong: Option<FirstBad>,
    first_unread: Option<FirstBad>,
}

impl Findings {
    fn wrong(&mut self, entry: EntryId, what: &'static str) {
        self.bad += 1;
        keep_first(&mut self.first_wrong, entry, what);
    }

    fn unread(&mut self, entry: EntryId, what: &'static str) {
        self.unread += 1;
        keep_first(&mut self.first_unread, entry, what);
    }

    fn conclude(self) -> Verification {
        Verification {
            verdict: match (self.bad, self.unread) {
                (0, 0) => Verdict::Ok,
                (0, _) => Verdict::Incomplete,
                _ => Verdict::Tampered,
            },
            anchored: false,
            size: 0,
            root: CompactRange::new().root(),
            unsealed: self.entries,
            entries: self.entries,
            records: self.records,
            bad: self.bad,
            unread: self.unread,
            first_bad: self.first_wrong.or(self.first_unread),
        }
    }
}

fn keep_first(first: &mut Option<FirstBad>, entry: EntryId, what: &'static str) {
    if first.as_ref().is_none_or(|first| entry < first.entry) {
        *first = Some(FirstBad {
            entry,
            what: what.to_owned(),
        });
    }
}
