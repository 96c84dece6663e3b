//! Which entries there are.

use chrono::{DateTime, Utc};
use futures_util::stream::{BoxStream, StreamExt};
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{PgConnection, Postgres, Row};

use super::LedgerError;
use super::find::entries_with_record;
use crate::ident::{ClassId, TableName};
use crate::ledger::entry::{Action, Entry, EntryId};
use crate::ledger::key::RecordKey;
use crate::ledger::merkle::{Hash, leaf_hash};

/// The conditions that `list` and `export` share; each is passed by where it is NULL.
macro_rules! chosen {
    () => {
        "($1::text IS NULL OR e.class_id = $1)
  AND ($2::text IS NULL OR e.table_name = $2)
  AND ($3::text IS NULL OR e.action = $3)
  AND ($4::bigint IS NULL OR e.run_id = $4)
  AND ($5::timestamptz IS NULL OR e.at >= $5)
  AND ($6::timestamptz IS NULL OR e.at < $6)
  AND ($7::bigint[] IS NULL OR e.entry_id = ANY ($7))"
    };
}
pub(super) use chosen;

pub(super) const OLDEST_FIRST: &str = concat!(
    "SELECT e.entry_id, e.body, e.hash, s.leaf_index
FROM retentiond.ledger_entry AS e
LEFT JOIN retentiond.ledger_seal AS s ON s.entry_id = e.entry_id
WHERE ",
    chosen!(),
    "
ORDER BY e.entry_id
LIMIT $8"
);

pub(super) const NEWEST_FIRST: &str = concat!(
    "SELECT e.entry_id, e.body, e.hash, s.leaf_index
FROM retentiond.ledger_entry AS e
LEFT JOIN retentiond.ledger_seal AS s ON s.entry_id = e.entry_id
WHERE ",
    chosen!(),
    "
ORDER BY e.entry_id DESC
LIMIT $8"
);

/// In which order entries are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// As they were made.
    #[default]
    OldestFirst,
    /// The last one made first.
    NewestFirst,
}

/// Which entries are asked for: those that meet everything that is given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this class.
    pub class: Option<ClassId>,
    /// About this table.
    pub table: Option<TableName>,
    /// Of this action.
    pub action: Option<Action>,
    /// Of this pass.
    pub run: Option<i64>,
    /// Written at this instant or later.
    pub since: Option<DateTime<Utc>>,
    /// Written before this instant.
    pub until: Option<DateTime<Utc>>,
    /// That name this record of this table.
    pub key: Option<(TableName, RecordKey)>,
    /// At most so many.
    pub limit: Option<u32>,
    /// In this order.
    pub order: Order,
}

/// An entry as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEntry {
    /// What it says.
    pub entry: Entry,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The stored hash of its leaf.
    pub hash: Hash,
    /// Its place in the sealed log, counted from zero; `None` until it is sealed.
    pub index: Option<u64>,
}

impl StoredEntry {
    /// An entry as it will be stored.
    #[must_use]
    pub fn new(entry: Entry) -> Self {
        let bytes = entry.encode();
        Self {
            hash: leaf_hash(&bytes),
            entry,
            bytes,
            index: None,
        }
    }

    /// From the columns `entry_id`, `body`, `hash` and `leaf_index`.
    pub(super) fn from_row(row: &PgRow) -> Result<Self, LedgerError> {
        let id = EntryId(row.try_get("entry_id").map_err(LedgerError::reading)?);
        let bytes: Vec<u8> = row.try_get("body").map_err(LedgerError::reading)?;
        let entry =
            Entry::decode(&bytes).map_err(|source| LedgerError::Entry { entry: id, source })?;
        Ok(Self {
            entry,
            bytes,
            hash: row.try_get("hash").map_err(LedgerError::reading)?,
            index: row
                .try_get::<Option<i64>, _>("leaf_index")
                .map_err(LedgerError::reading)?
                .map(i64::unsigned_abs),
        })
    }
}

/// Streams the entries that `filter` asks for. An entry that cannot be read is an error
/// in its place, and the stream goes on.
///
/// With a key, the filters of that table's manifests are read first, and the few
/// manifests that may hold the key are unpacked.
///
/// # Errors
/// When the database does not answer; in the stream, also [`LedgerError::Entry`].
pub async fn list<'c>(
    conn: &'c mut PgConnection,
    filter: &Filter,
) -> Result<BoxStream<'c, Result<StoredEntry, LedgerError>>, LedgerError> {
    let ids = ids_with_key(conn, filter).await?;
    let statement = match filter.order {
        Order::OldestFirst => OLDEST_FIRST,
        Order::NewestFirst => NEWEST_FIRST,
    };
    let rows = bind_filter(sqlx::query(statement), filter, ids).fetch(conn);
    Ok(rows
        .map(|row| StoredEntry::from_row(&row.map_err(LedgerError::reading)?))
        .boxed())
}

/// The entries that name the filter's record; `None` where it asks for none.
pub(super) async fn ids_with_key(
    conn: &mut PgConnection,
    filter: &Filter,
) -> Result<Option<Vec<i64>>, LedgerError> {
    match &filter.key {
        None => Ok(None),
        Some((table, key)) => Ok(Some(entries_with_record(conn, table, key).await?)),
    }
}

/// Binds `$1` to `$7` of [`chosen`], and the limit to `$8`.
pub(super) fn bind_filter<'q>(
    query: Query<'q, Postgres, PgArguments>,
    filter: &Filter,
    ids: Option<Vec<i64>>,
) -> Query<'q, Postgres, PgArguments> {
    query
        .bind(filter.class.as_ref().map(ToString::to_string))
        .bind(filter.table.as_ref().map(ToString::to_string))
        .bind(filter.action.map(Action::name))
        .bind(filter.run)
        .bind(filter.since)
        .bind(filter.until)
        .bind(ids)
        .bind(filter.limit.map(i64::from))
}
