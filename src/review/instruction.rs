//! The controller's order that a class with `gate = "instruction"` waits for.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use sqlx::{PgConnection, Row};

use super::{ReviewError, Said, begin, note, salt};
use crate::ident::ClassId;
use crate::ledger::Action;

/// An order, as it is recorded.
#[derive(Debug, Clone, Copy)]
pub struct NewInstruction<'a> {
    /// The class that is to go.
    pub class: &'a ClassId,
    /// Who ordered it.
    pub by: &'a str,
    /// The letter or minute that says so.
    pub reference: &'a str,
    /// The last day that it covers, if it has one.
    pub until: Option<NaiveDate>,
}

/// Records an order; answers its number.
///
/// # Errors
/// When the database refuses.
pub async fn instruct(
    conn: &mut PgConnection,
    instruction: &NewInstruction<'_>,
    actor: &str,
    now: DateTime<Utc>,
) -> Result<i64, ReviewError> {
    let mut tx = begin(conn).await?;
    let salt = salt()?;
    let NewInstruction {
        class,
        by,
        reference,
        until,
    } = *instruction;
    let id: i64 = sqlx::query_scalar(
        "INSERT INTO retentiond.instruction
             (class_id, given_by, reference, until_on, recorded_by, recorded_at, salt)
         VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING instruction_id",
    )
    .bind(class.as_str())
    .bind(by)
    .bind(reference)
    .bind(until)
    .bind(actor)
    .bind(now)
    .bind(&salt[..])
    .fetch_one(&mut *tx)
    .await?;
    let words = [("given-by", by), ("reference", reference), ("by", actor)];
    let said = Said {
        class: Some(class.as_str()),
        ..Said::default()
    }
    .detail("instruction", id)
    .day("until", until)
    .words(&salt, &words);
    note(&mut tx, Action::Instructed, said, actor, now).await?;
    tx.commit().await?;
    Ok(id)
}

/// Withdraws every order for a class that is in force; answers how many were.
///
/// # Errors
/// When there is none, or the database refuses.
pub async fn withdraw(
    conn: &mut PgConnection,
    class: &ClassId,
    reason: &str,
    actor: &str,
    now: DateTime<Utc>,
) -> Result<usize, ReviewError> {
    let mut tx = begin(conn).await?;
    let rows = sqlx::query(
        "UPDATE retentiond.instruction
            SET withdrawn_by = $2, withdrawn_at = $3, withdraw_reason = $4
          WHERE class_id = $1 AND withdrawn_at IS NULL RETURNING instruction_id, salt",
    )
    .bind(class.as_str())
    .bind(actor)
    .bind(now)
    .bind(reason)
    .fetch_all(&mut *tx)
    .await?;
    if rows.is_empty() {
        return Err(ReviewError::NoInstruction(class.to_string()));
    }
    for row in &rows {
        let (id, salt): (i64, Vec<u8>) = (row.try_get(0)?, row.try_get(1)?);
        let mut said = Said {
            class: Some(class.as_str()),
            ..Said::default()
        }
        .detail("instruction", id);
        if let Ok(salt) = <[u8; 32]>::try_from(salt) {
            said = said.words(&salt, &[("by", actor), ("reason", reason)]);
        }
        note(&mut tx, Action::InstructionWithdrawn, said, actor, now).await?;
    }
    tx.commit().await?;
    Ok(rows.len())
}

/// An order as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Instruction {
    /// Its number.
    pub instruction: i64,
    /// The class.
    pub class: String,
    /// Who ordered it.
    pub given_by: String,
    /// The letter or minute that says so.
    pub reference: String,
    /// The last day that it covers.
    pub until: Option<NaiveDate>,
    /// Who recorded it.
    pub recorded_by: String,
    /// When.
    pub recorded_at: DateTime<Utc>,
    /// Who withdrew it.
    pub withdrawn_by: Option<String>,
    /// When.
    pub withdrawn_at: Option<DateTime<Utc>>,
    /// Why.
    pub withdraw_reason: Option<String>,
}

/// Every order, in their order.
///
/// # Errors
/// When the database does not answer.
pub async fn instructions(conn: &mut PgConnection) -> Result<Vec<Instruction>, ReviewError> {
    let rows = sqlx::query(
        "SELECT instruction_id, class_id, given_by, reference, until_on, recorded_by, recorded_at,
                withdrawn_by, withdrawn_at, withdraw_reason
           FROM retentiond.instruction ORDER BY instruction_id",
    )
    .fetch_all(conn)
    .await?;
    let read = |row: &sqlx::postgres::PgRow| {
        Ok(Instruction {
            instruction: row.try_get(0)?,
            class: row.try_get(1)?,
            given_by: row.try_get(2)?,
            reference: row.try_get(3)?,
            until: row.try_get(4)?,
            recorded_by: row.try_get(5)?,
            recorded_at: row.try_get(6)?,
            withdrawn_by: row.try_get(7)?,
            withdrawn_at: row.try_get(8)?,
            withdraw_reason: row.try_get(9)?,
        })
    };
    Ok(rows.iter().map(read).collect::<Result<_, sqlx::Error>>()?)
}
