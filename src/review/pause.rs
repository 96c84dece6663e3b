//! Nothing of a class is acted on for now, or of any; what it protects it protects.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{PgConnection, Row};

use super::{ReviewError, Said, begin, note, salt};
use crate::ident::ClassId;
use crate::ledger::Action;

/// Pauses a class, or every class; answers the pause's number.
///
/// # Errors
/// When the database refuses.
pub async fn pause(
    conn: &mut PgConnection,
    class: Option<&ClassId>,
    reason: &str,
    actor: &str,
    now: DateTime<Utc>,
) -> Result<i64, ReviewError> {
    let mut tx = begin(conn).await?;
    let salt = salt()?;
    let id: i64 = sqlx::query_scalar(
        "INSERT INTO retentiond.pause (class_id, reason, paused_by, paused_at, salt)
         VALUES ($1, $2, $3, $4, $5) RETURNING pause_id",
    )
    .bind(class.map(ClassId::as_str))
    .bind(reason)
    .bind(actor)
    .bind(now)
    .bind(&salt[..])
    .fetch_one(&mut *tx)
    .await?;
    let said = Said {
        class: class.map(ClassId::as_str),
        ..Said::default()
    }
    .detail("pause", id)
    .words(&salt, &[("by", actor), ("reason", reason)]);
    note(&mut tx, Action::Paused, said, actor, now).await?;
    tx.commit().await?;
    Ok(id)
}

/// Ends the pauses of a class, or those of everything; answers how many there were.
///
/// # Errors
/// When nothing of that name is paused, or the database refuses.
pub async fn resume(
    conn: &mut PgConnection,
    class: Option<&ClassId>,
    actor: &str,
    now: DateTime<Utc>,
) -> Result<usize, ReviewError> {
    let mut tx = begin(conn).await?;
    let over: Vec<i64> = sqlx::query_scalar(
        "UPDATE retentiond.pause SET resumed_by = $2, resumed_at = $3
          WHERE class_id IS NOT DISTINCT FROM $1 AND resumed_at IS NULL RETURNING pause_id",
    )
    .bind(class.map(ClassId::as_str))
    .bind(actor)
    .bind(now)
    .fetch_all(&mut *tx)
    .await?;
    if over.is_empty() {
        let name = class.map_or_else(
            || "everything".to_owned(),
            |class| format!("class `{class}`"),
        );
        return Err(ReviewError::NotPaused(name));
    }
    for id in &over {
        let said = Said {
            class: class.map(ClassId::as_str),
            ..Said::default()
        }
        .detail("pause", id);
        note(&mut tx, Action::Resumed, said, actor, now).await?;
    }
    tx.commit().await?;
    Ok(over.len())
}

/// A pause that has not ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pause {
    /// Its number.
    pub pause: i64,
    /// The class; none for every class.
    pub class: Option<String>,
    /// Why.
    pub reason: String,
    /// Who paused it.
    pub paused_by: String,
    /// When.
    pub paused_at: DateTime<Utc>,
}

/// What is paused.
///
/// # Errors
/// When the database does not answer.
pub async fn pauses(conn: &mut PgConnection) -> Result<Vec<Pause>, ReviewError> {
    let rows = sqlx::query(
        "SELECT pause_id, class_id, reason, paused_by, paused_at FROM retentiond.pause
          WHERE resumed_at IS NULL ORDER BY pause_id",
    )
    .fetch_all(conn)
    .await?;
    let read = |row: &sqlx::postgres::PgRow| {
        Ok(Pause {
            pause: row.try_get(0)?,
            class: row.try_get(1)?,
            reason: row.try_get(2)?,
            paused_by: row.try_get(3)?,
            paused_at: row.try_get(4)?,
        })
    };
    Ok(rows.iter().map(read).collect::<Result<_, sqlx::Error>>()?)
}
