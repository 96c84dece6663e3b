//! What a person asks about their own records: that they be erased before their time.
//!
//! A request stands with whom it is about until nothing of it is left to do; then only a keyed
//! hash remains, a tombstone, by which records that are there again are known. Disposing is
//! the pass's: a request is a row that its statements read.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use sqlx::{PgConnection, Row};

use super::{ReviewError, Said, begin, note, salt};
use crate::ledger::Action;

/// A request for erasure, as it is recorded.
#[derive(Debug, Clone, Copy)]
pub struct NewErasure<'a> {
    /// Whom it is about, as the classes' `subject` columns have it.
    pub subject: &'a str,
    /// The keyed hash of that.
    pub hash: &'a str,
    /// The day on which the request came in: every claim's last day is the day before.
    pub requested_on: NaiveDate,
    /// By what right.
    pub basis: &'a str,
    /// The request's own reference.
    pub reference: &'a str,
}

/// Records a request; answers its number. What it lets go goes with the next pass.
///
/// # Errors
/// When the database refuses.
pub async fn request_erasure(
    conn: &mut PgConnection,
    new: &NewErasure<'_>,
    actor: &str,
    now: DateTime<Utc>,
) -> Result<i64, ReviewError> {
    let mut tx = begin(conn).await?;
    let id = record_erasure(&mut tx, new, actor, now).await?;
    tx.commit().await?;
    Ok(id)
}

/// The same within a transaction that is never committed, so that what it would do can be asked.
/// It takes no lock, since it decides nothing.
///
/// # Errors
/// When the database refuses.
pub async fn suppose_erasure(
    tx: &mut PgConnection,
    new: &NewErasure<'_>,
    now: DateTime<Utc>,
) -> Result<(), ReviewError> {
    // No number of the sequence is used up.
    sqlx::query(
        "INSERT INTO retentiond.erasure
             (erasure_id, subject, subject_id, requested_on, basis, reference, requested_by, requested_at)
         OVERRIDING SYSTEM VALUE VALUES (0, $1, $2, $3, $4, $5, '', $6)",
    )
    .bind(new.subject)
    .bind(new.hash)
    .bind(new.requested_on)
    .bind(new.basis)
    .bind(new.reference)
    .bind(now)
    .execute(tx)
    .await?;
    Ok(())
}

async fn insert(
    tx: &mut PgConnection,
    new: &NewErasure<'_>,
    actor: &str,
    salt: &[u8],
    now: DateTime<Utc>,
) -> Result<i64, ReviewError> {
    let id = sqlx::query_scalar(
        "INSERT INTO retentiond.erasure
             (subject, subject_id, requested_on, basis, reference, requested_by, requested_at, salt)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING erasure_id",
    )
    .bind(new.subject)
    .bind(new.hash)
    .bind(new.requested_on)
    .bind(new.basis)
    .bind(new.reference)
    .bind(actor)
    .bind(now)
    .bind(salt)
    .fetch_one(tx)
    .await?;
    Ok(id)
}

async fn record_erasure(
    tx: &mut PgConnection,
    new: &NewErasure<'_>,
    actor: &str,
    now: DateTime<Utc>,
) -> Result<i64, ReviewError> {
    let salt = salt()?;
    let id = insert(tx, new, actor, &salt, now).await?;
    let words = [
        ("basis", new.basis),
        ("reference", new.reference),
        ("by", actor),
    ];
    let said = Said::default()
        .detail("erasure", id)
        .detail("subject", new.hash)
        .day("requested-on", Some(new.requested_on))
        .words(&salt, &words);
    note(tx, Action::ErasureRequested, said, actor, now).await?;
    Ok(id)
}

/// Withdraws the person's requests that are not fulfilled; answers how many. What is erased
/// already stays so.
///
/// # Errors
/// When there is none, or the database refuses.
pub async fn withdraw_erasure(
    conn: &mut PgConnection,
    subject: &str,
    reason: &str,
    actor: &str,
    now: DateTime<Utc>,
) -> Result<usize, ReviewError> {
    let mut tx = begin(conn).await?;
    let rows = sqlx::query(
        "UPDATE retentiond.erasure
            SET subject = NULL, closed_at = $2, withdrawn_by = $3, withdraw_reason = $4
          WHERE subject = $1 AND closed_at IS NULL RETURNING erasure_id, coalesce(salt, '\\x')",
    )
    .bind(subject)
    .bind(now)
    .bind(actor)
    .bind(reason)
    .fetch_all(&mut *tx)
    .await?;
    if rows.is_empty() {
        return Err(ReviewError::NoErasure);
    }
    for row in &rows {
        let (id, salt): (i64, Vec<u8>) = (row.try_get(0)?, row.try_get(1)?);
        let mut said = Said::default().detail("erasure", id);
        if let Ok(salt) = <[u8; 32]>::try_from(salt) {
            said = said.words(&salt, &[("by", actor), ("reason", reason)]);
        }
        note(&mut tx, Action::ErasureWithdrawn, said, actor, now).await?;
    }
    tx.commit().await?;
    Ok(rows.len())
}

/// Notes that nothing of these requests is left to do, and forgets whom they were about.
///
/// # Errors
/// When the database refuses.
pub async fn fulfil(
    conn: &mut PgConnection,
    requests: &[i64],
    actor: &str,
    now: DateTime<Utc>,
) -> Result<(), ReviewError> {
    if requests.is_empty() {
        return Ok(());
    }
    let mut tx = begin(conn).await?;
    let closed: Vec<i64> = sqlx::query_scalar(
        "UPDATE retentiond.erasure SET subject = NULL, closed_at = $2
          WHERE erasure_id = ANY ($1) AND closed_at IS NULL RETURNING erasure_id",
    )
    .bind(requests)
    .bind(now)
    .fetch_all(&mut *tx)
    .await?;
    for id in closed {
        let said = Said::default().detail("erasure", id);
        note(&mut tx, Action::ErasureFulfilled, said, actor, now).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// What was found when records about a person were looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LookedFor {
    /// The request's number.
    pub erasure: i64,
    /// How many records there are.
    pub rows: u64,
}

/// Notes that on a day these tombstones were looked for in the tables. One whose records are there
/// again for the first time gets an entry.
///
/// # Errors
/// When the database refuses.
pub async fn note_looked(
    conn: &mut PgConnection,
    found: &[LookedFor],
    today: NaiveDate,
    actor: &str,
    now: DateTime<Utc>,
) -> Result<Vec<i64>, ReviewError> {
    use sqlx::Connection;
    let mut tx = conn.begin().await?;
    let mut back = Vec::new();
    for one in found {
        let rows = i64::try_from(one.rows).unwrap_or(i64::MAX);
        let is_new: Option<bool> = sqlx::query_scalar(
            "UPDATE retentiond.erasure AS e
                SET looked_on = $2, returned = nullif($3, 0),
                    returned_at = CASE WHEN $3 > 0 THEN coalesce(e.returned_at, $4) END,
                    known_by = CASE WHEN $3 > 0 THEN e.known_by END,
                    known_reason = CASE WHEN $3 > 0 THEN e.known_reason END
               FROM retentiond.erasure AS was
              WHERE e.erasure_id = $1 AND was.erasure_id = e.erasure_id
             RETURNING $3 > 0 AND was.returned_at IS NULL",
        )
        .bind(one.erasure)
        .bind(today)
        .bind(rows)
        .bind(now)
        .fetch_optional(&mut *tx)
        .await?;
        if is_new == Some(true) {
            back.push(one.erasure);
            let said = Said {
                count: one.rows,
                ..Said::default()
            }
            .detail("erasure", one.erasure);
            note(&mut tx, Action::ErasureReturned, said, actor, now).await?;
        }
    }
    tx.commit().await?;
    Ok(back)
}

/// Says of these tombstones that the records which are there again are rightly there.
///
/// # Errors
/// When there is none to say it of, or the database refuses.
pub async fn know_returned(
    conn: &mut PgConnection,
    requests: &[i64],
    reason: &str,
    actor: &str,
    now: DateTime<Utc>,
) -> Result<usize, ReviewError> {
    let mut tx = begin(conn).await?;
    let rows = sqlx::query(
        "UPDATE retentiond.erasure SET known_by = $2, known_reason = $3
          WHERE erasure_id = ANY ($1) AND returned_at IS NOT NULL AND known_by IS NULL
         RETURNING erasure_id, coalesce(salt, '\\x')",
    )
    .bind(requests)
    .bind(actor)
    .bind(reason)
    .fetch_all(&mut *tx)
    .await?;
    if rows.is_empty() {
        return Err(ReviewError::NoErasure);
    }
    for row in &rows {
        let (id, salt): (i64, Vec<u8>) = (row.try_get(0)?, row.try_get(1)?);
        let mut said = Said::default().detail("erasure", id);
        if let Ok(salt) = <[u8; 32]>::try_from(salt) {
            said = said.words(&salt, &[("by", actor), ("reason", reason)]);
        }
        note(&mut tx, Action::ReturnKnown, said, actor, now).await?;
    }
    tx.commit().await?;
    Ok(rows.len())
}

/// A request as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Erasure {
    /// Its number.
    pub erasure: i64,
    /// Whom it is about, while something of it is left to do.
    #[serde(skip)]
    pub subject: Option<String>,
    /// The keyed hash of that, as the ledger has it.
    pub subject_id: String,
    /// The day on which it came in.
    pub requested_on: NaiveDate,
    /// By what right.
    pub basis: String,
    /// Its reference.
    pub reference: String,
    /// Who recorded it.
    pub requested_by: String,
    /// When.
    pub requested_at: DateTime<Utc>,
    /// When nothing of it was left to do, or it was withdrawn.
    pub closed_at: Option<DateTime<Utc>>,
    /// Who withdrew it.
    pub withdrawn_by: Option<String>,
    /// When records about the person were last looked for.
    pub looked_on: Option<NaiveDate>,
    /// How many were there again.
    pub returned: Option<i64>,
    /// Since when.
    pub returned_at: Option<DateTime<Utc>>,
    /// Who said that they are rightly there.
    pub known_by: Option<String>,
}

impl Erasure {
    /// Whether something of it is left to do.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.closed_at.is_none()
    }

    /// Whether records that it erased are there again and nobody has said that they may be.
    #[must_use]
    pub fn waits(&self) -> bool {
        self.returned_at.is_some() && self.known_by.is_none()
    }
}

/// Every request, the oldest first.
///
/// # Errors
/// When the database does not answer.
pub async fn erasures(conn: &mut PgConnection) -> Result<Vec<Erasure>, ReviewError> {
    let rows = sqlx::query(
        "SELECT erasure_id, subject, subject_id, requested_on, basis, reference, requested_by,
                requested_at, closed_at, withdrawn_by, looked_on, returned, returned_at, known_by
           FROM retentiond.erasure ORDER BY erasure_id",
    )
    .fetch_all(conn)
    .await?;
    let read = rows.iter().map(|row| {
        Ok(Erasure {
            erasure: row.try_get(0)?,
            subject: row.try_get(1)?,
            subject_id: row.try_get(2)?,
            requested_on: row.try_get(3)?,
            basis: row.try_get(4)?,
            reference: row.try_get(5)?,
            requested_by: row.try_get(6)?,
            requested_at: row.try_get(7)?,
            closed_at: row.try_get(8)?,
            withdrawn_by: row.try_get(9)?,
            looked_on: row.try_get(10)?,
            returned: row.try_get(11)?,
            returned_at: row.try_get(12)?,
            known_by: row.try_get(13)?,
        })
    });
    Ok(read.collect::<Result<_, sqlx::Error>>()?)
}
