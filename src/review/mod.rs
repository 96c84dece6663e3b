//! What people decide, as rows with an actor and a reason, under the decisions' lock.
//!
//! Every decision takes the exclusive lock, and so waits for the batches in hand, and
//! increments the epoch, so that every later batch of an older plan stops. Nothing here
//! touches an organisation's tables. So far: holds on single records, and acceptance.

mod acceptance;
mod replay;

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::{Connection, PgConnection};

pub use acceptance::{
    AcceptedPlan, DueBeforeAndAfter, How, NewLift, NewVersion, bring_into_force, lift_limits,
};
pub use replay::{LostDecisions, Restored, decide_again, restore, stop_until_accepted};

use crate::catalog::{self, CatalogError, Sort};
use crate::ident::TableName;
use crate::ledger::{
    self, Action, Entry, KeyColumn, KeyColumns, KeyKind, Manifest, ManifestBuilder, RecordKey,
};
use crate::store;

/// A hold on one record, as it is placed.
#[derive(Debug, Clone)]
pub struct NewHold<'a> {
    /// The record's table.
    pub table: &'a TableName,
    /// Its key.
    pub key: &'a RecordKey,
    /// `litigation`, `foi`, `access-request`, `safeguarding` or `other`.
    pub kind: &'a str,
    /// The matter that it belongs to.
    pub reference: &'a str,
    /// Why.
    pub reason: &'a str,
    /// Who answers for it.
    pub owner: &'a str,
    /// The last day that it protects, if it has one.
    pub until: Option<NaiveDate>,
}

/// Why a decision was not recorded.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    /// The database refused.
    #[error("could not record the decision")]
    Database(#[from] sqlx::Error),
    /// Its ledger entry could not be written.
    #[error("could not write the decision's ledger entry")]
    Ledger(#[from] ledger::store::LedgerError),
    /// The key of the record's table could not be read.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The system gave no random numbers for the entry's records.
    #[error("the system gives no random numbers: {0}")]
    Random(getrandom::Error),
    /// There is no such open hold.
    #[error("there is no open hold {0}")]
    NoHold(i64),
    /// Another version of the schedule came into force while this one was looked at.
    #[error("another version of the schedule came into force meanwhile")]
    Overtaken,
}

/// Places a hold on a record; answers its number. It binds from the moment it returns.
///
/// # Errors
/// When the database refuses.
pub async fn place_hold(
    conn: &mut PgConnection,
    hold: &NewHold<'_>,
    actor: &str,
    now: DateTime<Utc>,
) -> Result<i64, ReviewError> {
    let mut tx = conn.begin().await?;
    decide(&mut tx).await?;
    let id: i64 = sqlx::query_scalar(
        "INSERT INTO retentiond.hold
             (table_name, key, kind, reference, reason, owner, placed_by, placed_at, until_on)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING hold_id",
    )
    .bind(hold.table.to_string())
    .bind(hold.key.to_texts())
    .bind(hold.kind)
    .bind(hold.reference)
    .bind(hold.reason)
    .bind(hold.owner)
    .bind(actor)
    .bind(now)
    .bind(hold.until)
    .fetch_one(&mut *tx)
    .await?;
    let records = held(&mut tx, hold).await?;
    for number in ledger::store::next_entry_ids(&mut tx, 1).await? {
        let mut entry = Entry::new(number, now, Action::HoldPlaced, actor);
        entry.table = Some(hold.table.clone());
        entry.count = records.as_ref().map_or(0, |records| records.count);
        entry.manifest = records.as_ref().map(|records| records.root);
        entry.detail.insert("hold".to_owned(), id.to_string());
        entry.detail.insert("kind".to_owned(), hold.kind.to_owned());
        if let Some(until) = hold.until {
            entry.detail.insert("until".to_owned(), until.to_string());
        }
        ledger::store::append(&mut tx, &entry, records.as_ref()).await?;
    }
    tx.commit().await?;
    Ok(id)
}

/// Releases an open hold.
///
/// # Errors
/// When there is none of that number, or the database refuses.
pub async fn release_hold(
    conn: &mut PgConnection,
    id: i64,
    reason: &str,
    actor: &str,
    now: DateTime<Utc>,
) -> Result<(), ReviewError> {
    let mut tx = conn.begin().await?;
    decide(&mut tx).await?;
    let released = sqlx::query(
        "UPDATE retentiond.hold SET released_by = $2, released_at = $3, release_reason = $4
          WHERE hold_id = $1 AND released_at IS NULL",
    )
    .bind(id)
    .bind(actor)
    .bind(now)
    .bind(reason)
    .execute(&mut *tx)
    .await?;
    if released.rows_affected() == 0 {
        return Err(ReviewError::NoHold(id));
    }
    record(&mut tx, Action::HoldReleased, id, actor, now).await?;
    tx.commit().await?;
    Ok(())
}

/// The record that a hold protects, as the entry's manifest: so that a database that is
/// restored from before the hold can be told which it was. None where the table has no key
/// that the hold's fits; then nothing could be held by it either.
async fn held(
    conn: &mut PgConnection,
    hold: &NewHold<'_>,
) -> Result<Option<Manifest>, ReviewError> {
    let columns = catalog::key_of(conn, hold.table).await?;
    let columns = columns.into_iter().map(|(name, sort)| KeyColumn {
        name,
        kind: match sort {
            Sort::Integer => KeyKind::Int,
            _ => KeyKind::Text,
        },
    });
    let Ok(columns) = KeyColumns::new(columns.collect()) else {
        return Ok(None);
    };
    let Ok(key) = RecordKey::from_texts(&columns, &hold.key.to_texts()) else {
        return Ok(None);
    };
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(ReviewError::Random)?;
    let mut records = ManifestBuilder::new(columns, None, seed);
    let fits = records.push(key.values(), None, None, None).is_ok();
    Ok(fits.then(|| records.finish()))
}

/// The lock and the epoch that every decision takes.
async fn decide(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query(store::DECISIONS_EXCLUSIVE)
        .execute(&mut *conn)
        .await?;
    sqlx::query("UPDATE retentiond.decision_epoch SET epoch = epoch + 1")
        .execute(conn)
        .await
        .map(drop)
}

/// The entry names the hold by its number; the matter, the reason and people's names stay
/// with the decision.
async fn record(
    conn: &mut PgConnection,
    action: Action,
    hold: i64,
    actor: &str,
    now: DateTime<Utc>,
) -> Result<(), ReviewError> {
    for id in ledger::store::next_entry_ids(conn, 1).await? {
        let mut entry = Entry::new(id, now, action, actor);
        entry.detail.insert("hold".to_owned(), hold.to_string());
        ledger::store::append(conn, &entry, None).await?;
    }
    Ok(())
}
