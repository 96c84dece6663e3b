//! What the ledger says about one record.
//!
//! A ledger of ten million records in batches of five thousand has two thousand
//! manifests. Their filters (six kilobytes each) are streamed past the key; the one in
//! a hundred that may hold it, and those that do, are then fetched and unpacked.

use futures_util::TryStreamExt;
use sqlx::{PgConnection, Row};

use super::LedgerError;
use super::list::StoredEntry;
use crate::ident::TableName;
use crate::ledger::entry::EntryId;
use crate::ledger::key::{KeyColumns, RecordKey};
use crate::ledger::manifest::{self, Needle, Record, Records};

pub(super) const FILTERS_OF_A_TABLE: &str = "\
SELECT entry_id, year, seed, filter
FROM retentiond.ledger_manifest
WHERE table_name = $1";

pub(super) const ONE_MANIFEST: &str = "\
SELECT e.entry_id, e.body, e.hash, s.leaf_index, m.records
FROM retentiond.ledger_manifest AS m
JOIN retentiond.ledger_entry AS e ON e.entry_id = m.entry_id
LEFT JOIN retentiond.ledger_seal AS s ON s.entry_id = m.entry_id
WHERE m.entry_id = $1
  AND m.year = $2";

/// One record in one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordLine {
    /// The entry that names it.
    pub entry: StoredEntry,
    /// The columns of its key, as they were then.
    pub columns: KeyColumns,
    /// The day its period was counted from, since 1 January 1970.
    pub trigger: Option<i32>,
    /// The last day it was to be kept, since 1 January 1970.
    pub last_day: Option<i32>,
    /// The record that it went with.
    pub parent: Option<RecordKey>,
    /// The columns of that record's key.
    pub parent_columns: Option<KeyColumns>,
}

/// Every line that the ledger has about one record, oldest first.
///
/// # Errors
/// When the database does not answer, or an entry or manifest that may hold the record
/// cannot be read: half an answer would look like a whole one.
pub async fn find_record(
    conn: &mut PgConnection,
    table: &TableName,
    key: &RecordKey,
) -> Result<Vec<RecordLine>, LedgerError> {
    let mut lines = Vec::new();
    for (entry, records) in manifests_with_record(conn, table, key).await? {
        let header = manifest::decode(&records)
            .map_err(|source| unreadable(entry.entry.id, source))?
            .header()
            .clone();
        for record in matching(entry.entry.id, &records, key)? {
            lines.push(RecordLine {
                entry: entry.clone(),
                columns: header.columns.clone(),
                trigger: record.trigger,
                last_day: record.last_day,
                parent: record.parent,
                parent_columns: header.parent_columns.clone(),
            });
        }
    }
    Ok(lines)
}

/// The numbers of the entries that name a record, ascending.
pub(super) async fn entries_with_record(
    conn: &mut PgConnection,
    table: &TableName,
    key: &RecordKey,
) -> Result<Vec<i64>, LedgerError> {
    let found = manifests_with_record(conn, table, key).await?;
    Ok(found.iter().map(|(entry, _)| entry.entry.id.0).collect())
}

/// The entries whose manifest names the record, with their packed records.
async fn manifests_with_record(
    conn: &mut PgConnection,
    table: &TableName,
    key: &RecordKey,
) -> Result<Vec<(StoredEntry, Vec<u8>)>, LedgerError> {
    let mut found = Vec::new();
    for (id, year) in candidates(conn, table, key).await? {
        let row = sqlx::query(ONE_MANIFEST)
            .bind(id)
            .bind(year)
            .fetch_optional(&mut *conn)
            .await
            .map_err(LedgerError::reading)?;
        // A manifest without its entry says nothing; `verify` names it.
        let Some(row) = row else { continue };
        let entry = StoredEntry::from_row(&row)?;
        // `a.b`.`c` and `a`.`b.c` look the same in the column.
        if entry.entry.table.as_ref() != Some(table) {
            continue;
        }
        let records: Vec<u8> = row.try_get("records").map_err(LedgerError::reading)?;
        if !matching(EntryId(id), &records, key)?.is_empty() {
            found.push((entry, records));
        }
    }
    Ok(found)
}

/// Entry and year of the manifests that may hold the key, in the order of the entries.
async fn candidates(
    conn: &mut PgConnection,
    table: &TableName,
    key: &RecordKey,
) -> Result<Vec<(i64, i16)>, LedgerError> {
    let mut needle = Needle::new(key.values());
    let mut candidates = Vec::new();
    let mut rows = sqlx::query(FILTERS_OF_A_TABLE)
        .bind(table.to_string())
        .fetch(conn);
    while let Some(row) = rows.try_next().await.map_err(LedgerError::reading)? {
        let seed: [u8; 32] = row.try_get("seed").map_err(LedgerError::reading)?;
        let filter: &[u8] = row.try_get("filter").map_err(LedgerError::reading)?;
        if needle.may_be_in(&seed, filter) {
            let id = row.try_get("entry_id").map_err(LedgerError::reading)?;
            let year = row.try_get("year").map_err(LedgerError::reading)?;
            candidates.push((id, year));
        }
    }
    candidates.sort_unstable();
    Ok(candidates)
}

/// The records of a manifest that have this key.
pub(super) fn matching(
    entry: EntryId,
    bytes: &[u8],
    key: &RecordKey,
) -> Result<Vec<Record>, LedgerError> {
    let mut records: Records<'_> =
        manifest::decode(bytes).map_err(|source| unreadable(entry, source))?;
    let mut matching = Vec::new();
    while records
        .advance()
        .map_err(|source| unreadable(entry, source))?
    {
        if records.key() == key.values() {
            matching.push(records.record());
        }
    }
    Ok(matching)
}

pub(super) fn unreadable(entry: EntryId, source: manifest::ManifestError) -> LedgerError {
    LedgerError::Manifest { entry, source }
}
