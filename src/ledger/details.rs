//! The ledger's own retention: the details of a year dropped, as one table, when the
//! schedule's `details_kept` is over for all of them.
//!
//! Said first and done afterwards: the entry `details-dropped` is sealed, signed and published
//! before anything goes, so that no verification ever finds details missing of which nothing
//! was said. What breaks off in between is finished by the next pass, which finds the entry.
//! Entries, checkpoints and what certificates say of them stay.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;
use serde::Serialize;
use sqlx::{Connection, PgConnection, Row};

use super::entry::{Action, Entry};
use super::publish::{Log, LogError};
use super::store::{self as ledger, Filter, LedgerError};
use crate::store;

/// What became of a year's details whose time was over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct YearDetails {
    /// The year of the entries.
    pub year: i32,
    /// Whether they are gone.
    pub dropped: bool,
    /// Why they are not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Who drops, and when.
#[derive(Debug, Clone, Copy)]
pub struct Dropping<'a> {
    /// The last year whose details are all past.
    pub last: i32,
    /// On whose word.
    pub actor: &'a str,
    /// In which pass.
    pub run: i64,
    /// When.
    pub now: DateTime<Utc>,
}

pub(crate) const YEARS: &str = "\
SELECT substring(c.relname FROM 17)::int AS year, c.oid::bigint AS relation,
       pg_has_role(c.relowner, 'USAGE') AS may, pg_get_userbyid(c.relowner)::text AS owner
FROM pg_catalog.pg_inherits AS i
JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid
WHERE i.inhparent = 'retentiond.ledger_manifest'::regclass
  AND c.relname ~ '^ledger_manifest_[0-9]{4}$'
ORDER BY c.relname";

pub(crate) const HAS_DETAILS: &str = "\
SELECT EXISTS (SELECT FROM retentiond.ledger_manifest
               WHERE year = $1::int AND tableoid::bigint = $2)";

/// The years of which an entry says that their details are dropped, and that entry's place
/// in the log, if it is sealed.
///
/// # Errors
/// When the database does not answer.
pub async fn said(conn: &mut PgConnection) -> Result<BTreeMap<i32, Option<u64>>, LedgerError> {
    let filter = Filter {
        action: Some(Action::DetailsDropped),
        ..Filter::default()
    };
    let mut entries = ledger::list(conn, &filter).await?;
    let mut said = BTreeMap::new();
    while let Some(stored) = entries.try_next().await? {
        let year = stored.entry.detail.get("year").and_then(|y| y.parse().ok());
        if let Some(year) = year {
            said.entry(year).or_insert(stored.index);
        }
    }
    Ok(said)
}

/// Drops the details of every year that is past, in the database and where the log is
/// published.
///
/// # Errors
/// When our own tables or the published log cannot be read or written.
pub async fn drop_past(
    conn: &mut PgConnection,
    log: &Log,
    dropping: Dropping<'_>,
) -> Result<Vec<YearDetails>, LogError> {
    let mut ended = Vec::new();
    let already = said(conn).await?;
    let years = sqlx::query(YEARS)
        .fetch_all(&mut *conn)
        .await
        .map_err(LedgerError::reading)?;
    let mut kept = Vec::new();
    for row in years {
        let column = LedgerError::reading;
        let year: i32 = row.try_get("year").map_err(column)?;
        let relation: i64 = row.try_get("relation").map_err(column)?;
        let known = already.contains_key(&year);
        if year > dropping.last || !(known || has_details(conn, year, relation).await?) {
            kept.push(year);
            continue;
        }
        if !row.try_get::<bool, _>("may").map_err(column)? {
            let owner: String = row.try_get("owner").map_err(column)?;
            kept.push(year);
            ended.push(YearDetails {
                year,
                dropped: false,
                reason: Some(format!(
                    "only its owner can drop retentiond.ledger_manifest_{year}: make one pass as `{owner}`, `retentiond run --database URL`"
                )),
            });
            continue;
        }
        if !known {
            say(conn, year, dropping).await?;
        }
        // Whoever verifies must have been told.
        log.publish(conn, dropping.now).await?;
        let dropped = store::planned(&format!("DROP TABLE retentiond.ledger_manifest_{year}"))
            .execute(&mut *conn)
            .await;
        let reason = dropped.err().map(|error| store::reason(&error));
        if reason.is_some() {
            kept.push(year);
        }
        ended.push(YearDetails {
            year,
            dropped: reason.is_none(),
            reason,
        });
    }
    for (year, _) in said(conn).await? {
        if year <= dropping.last && !kept.contains(&year) {
            log.folder().drop_details(year)?;
        }
    }
    Ok(ended)
}

async fn has_details(
    conn: &mut PgConnection,
    year: i32,
    relation: i64,
) -> Result<bool, LedgerError> {
    sqlx::query_scalar(HAS_DETAILS)
        .bind(year)
        .bind(relation)
        .fetch_one(conn)
        .await
        .map_err(LedgerError::reading)
}

async fn say(
    conn: &mut PgConnection,
    year: i32,
    dropping: Dropping<'_>,
) -> Result<(), LedgerError> {
    let mut tx = conn.begin().await.map_err(LedgerError::writing)?;
    for id in ledger::next_entry_ids(&mut tx, 1).await? {
        let mut entry = Entry::new(id, dropping.now, Action::DetailsDropped, dropping.actor);
        entry.run = Some(dropping.run);
        entry.detail.insert("year".to_owned(), year.to_string());
        ledger::append(&mut tx, &entry, None).await?;
    }
    tx.commit().await.map_err(LedgerError::writing)
}
