//! Writing an entry and its manifest, in one statement of the caller's transaction.

use chrono::{Datelike, SubsecRound};
use sqlx::PgConnection;

use super::LedgerError;
use crate::ledger::entry::{Entry, EntryId};
use crate::ledger::manifest::Manifest;
use crate::ledger::merkle::leaf_hash;

pub(super) const NEXT_IDS: &str = "\
SELECT nextval('retentiond.ledger_entry_id')
FROM generate_series(1, $1)";

pub(super) const INSERT_ENTRY: &str = "\
WITH unsealed AS (
    INSERT INTO retentiond.unsealed (entry_id) VALUES ($1)
)
INSERT INTO retentiond.ledger_entry
    (entry_id, at, action, class_id, table_name, run_id, count, body, hash)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";

/// All rows or none, in one round trip.
pub(super) const INSERT_ENTRY_AND_MANIFEST: &str = "\
WITH unsealed AS (
    INSERT INTO retentiond.unsealed (entry_id) VALUES ($1)
), entry AS (
    INSERT INTO retentiond.ledger_entry
        (entry_id, at, action, class_id, table_name, run_id, count, body, hash)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
)
INSERT INTO retentiond.ledger_manifest
    (entry_id, year, table_name, seed, filter, records)
VALUES ($1, $10, $5, $11, $12, $13)";

/// Takes the next `n` numbers. They are in ascending order, and gone even if the
/// transaction is rolled back.
///
/// # Errors
/// When the database does not answer.
pub async fn next_entry_ids(conn: &mut PgConnection, n: u32) -> Result<Vec<EntryId>, LedgerError> {
    let ids: Vec<i64> = sqlx::query_scalar(NEXT_IDS)
        .bind(i64::from(n))
        .fetch_all(conn)
        .await
        .map_err(LedgerError::writing)?;
    Ok(ids.into_iter().map(EntryId).collect())
}

/// Appends an entry, with its manifest if it has one, in one round trip of the
/// caller's transaction.
///
/// # Errors
/// [`LedgerError::Inconsistent`] when the entry's root, count or table are not those of
/// the manifest, before anything is sent; [`LedgerError::Database`] when PostgreSQL
/// refuses, and then the transaction is lost.
pub async fn append(
    conn: &mut PgConnection,
    entry: &Entry,
    manifest: Option<&Manifest>,
) -> Result<(), LedgerError> {
    let wrong = |why| LedgerError::Inconsistent {
        entry: entry.id,
        why,
    };
    if entry.manifest != manifest.map(|manifest| manifest.root) {
        return Err(wrong("its root is not the manifest's"));
    }
    if manifest.is_some_and(|manifest| manifest.count != entry.count) {
        return Err(wrong("its count is not the manifest's"));
    }
    if manifest.is_some() && entry.table.is_none() {
        return Err(wrong("it has records but no table"));
    }
    let count = i64::try_from(entry.count).map_err(|_| wrong("its count is too large"))?;
    let year = i16::try_from(entry.at.year()).map_err(|_| wrong("its year is too large"))?;
    let body = entry.encode();
    let hash = leaf_hash(&body);
    let table = entry.table.as_ref().map(ToString::to_string);

    let statement = if manifest.is_some() {
        INSERT_ENTRY_AND_MANIFEST
    } else {
        INSERT_ENTRY
    };
    let mut query = sqlx::query(statement)
        .bind(entry.id.0)
        .bind(entry.at.trunc_subsecs(6))
        .bind(entry.action.name())
        .bind(entry.class.as_ref().map(|class| class.as_str()))
        .bind(table)
        .bind(entry.run)
        .bind(count)
        .bind(body)
        .bind(&hash[..]);
    if let Some(manifest) = manifest {
        query = query
            .bind(year)
            .bind(&manifest.seed[..])
            .bind(&manifest.filter[..])
            .bind(&manifest.bytes[..]);
    }
    query.execute(conn).await.map_err(LedgerError::writing)?;
    Ok(())
}
