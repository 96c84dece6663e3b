//! Checkpoints: signing where the log stands, once for each size.

use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection, Row};

use super::LedgerError;
use super::seal::{self, signed};
use crate::ledger::checkpoint::Checkpoint;
use crate::ledger::merkle::Hash;
use crate::ledger::note::Key;

pub(super) const ORIGIN: &str = "\
SELECT name FROM retentiond.ledger_origin ORDER BY from_size DESC, made_at DESC LIMIT 1";

pub(super) const ONE: &str = "\
SELECT size, root, note, at FROM retentiond.ledger_checkpoint WHERE size = $1";

pub(super) const LATEST: &str = "\
SELECT size, root, note, at FROM retentiond.ledger_checkpoint ORDER BY size DESC LIMIT 1";

pub(super) const FIRST_WITH: &str = "\
SELECT size, root, note, at FROM retentiond.ledger_checkpoint WHERE size > $1 ORDER BY size LIMIT 1";

pub(super) const INSERT: &str = "\
INSERT INTO retentiond.ledger_checkpoint (size, root, note, at) VALUES ($1, $2, $3, $4)";

/// A checkpoint as it was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// How long the log was.
    pub size: u64,
    /// Its root.
    pub root: Hash,
    /// The signed note.
    pub note: String,
    /// When it was signed.
    pub at: DateTime<Utc>,
}

impl Signed {
    fn from_row(row: &sqlx::postgres::PgRow) -> Result<Self, LedgerError> {
        let size: i64 = row.try_get("size").map_err(LedgerError::reading)?;
        Ok(Self {
            size: size.unsigned_abs(),
            root: row.try_get("root").map_err(LedgerError::reading)?,
            note: row.try_get("note").map_err(LedgerError::reading)?,
            at: row.try_get("at").map_err(LedgerError::reading)?,
        })
    }
}

/// The name of this log.
///
/// # Errors
/// When the database does not answer.
pub async fn origin(conn: &mut PgConnection) -> Result<String, LedgerError> {
    sqlx::query_scalar(ORIGIN)
        .fetch_one(conn)
        .await
        .map_err(LedgerError::reading)
}

/// The checkpoint of the log as it stands, signed now unless it was before. `None` while
/// the log is empty.
///
/// `key` is the log's: its name is the origin.
///
/// # Errors
/// When the database does not answer, or the key is another log's.
pub async fn checkpoint(
    conn: &mut PgConnection,
    key: &Key,
    now: DateTime<Utc>,
) -> Result<Option<Signed>, LedgerError> {
    let mut tx = conn.begin().await.map_err(LedgerError::writing)?;
    // Waited for: what is published must not be lost, nor what it speaks of.
    sqlx::query("SET LOCAL synchronous_commit = on")
        .execute(&mut *tx)
        .await
        .map_err(LedgerError::writing)?;
    seal::lock(&mut tx).await?;
    let origin = origin(&mut tx).await?;
    let verifier = key.verifier();
    if verifier.name() != origin {
        return Err(LedgerError::OtherKey {
            key: verifier.name().to_owned(),
            origin,
        });
    }
    let head = seal::head(&mut tx).await?;
    if head.size == 0 {
        return Ok(None);
    }
    let size = signed(head.size)?;
    let before = sqlx::query(ONE)
        .bind(size)
        .fetch_optional(&mut *tx)
        .await
        .map_err(LedgerError::reading)?;
    if let Some(row) = before {
        let before = Signed::from_row(&row)?;
        if before.root != head.root {
            return Err(LedgerError::Seal(
                "it was signed at this length with another root",
            ));
        }
        return Ok(Some(before));
    }
    let checkpoint = Checkpoint {
        origin,
        size: head.size,
        root: head.root,
    };
    let note = checkpoint.sign(key);
    sqlx::query(INSERT)
        .bind(size)
        .bind(&head.root[..])
        .bind(&note)
        .bind(now)
        .execute(&mut *tx)
        .await
        .map_err(LedgerError::writing)?;
    tx.commit().await.map_err(LedgerError::writing)?;
    Ok(Some(Signed {
        size: head.size,
        root: head.root,
        note,
        at: now,
    }))
}

/// The newest checkpoint that was signed.
///
/// # Errors
/// When the database does not answer.
pub async fn latest_checkpoint(conn: &mut PgConnection) -> Result<Option<Signed>, LedgerError> {
    let row = sqlx::query(LATEST)
        .fetch_optional(conn)
        .await
        .map_err(LedgerError::reading)?;
    row.as_ref().map(Signed::from_row).transpose()
}

/// Whether a checkpoint was ever signed under this name of the log.
///
/// # Errors
/// When the database does not answer.
pub async fn was_signed(conn: &mut PgConnection, origin: &str) -> Result<bool, LedgerError> {
    let latest = latest_checkpoint(conn).await?;
    Ok(latest.is_some_and(|latest| latest.note.lines().next() == Some(origin)))
}

/// The first checkpoint that covers the entry at `index`.
///
/// # Errors
/// When the database does not answer.
pub async fn checkpoint_over(
    conn: &mut PgConnection,
    index: u64,
) -> Result<Option<Signed>, LedgerError> {
    let row = sqlx::query(FIRST_WITH)
        .bind(signed(index)?)
        .fetch_optional(conn)
        .await
        .map_err(LedgerError::reading)?;
    row.as_ref().map(Signed::from_row).transpose()
}
