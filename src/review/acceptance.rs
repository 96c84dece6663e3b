//! Acceptance: of a version of the schedule, and of a plan over its limits.

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::{Connection, PgConnection};

use super::{ReviewError, decide};
use crate::ident::ClassId;
use crate::ledger::{self, Action, Entry};

/// How a version comes into force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How<'a> {
    /// A person accepts it, for a reason, having seen how many records are due.
    ByHand {
        /// Why.
        reason: &'a str,
        /// By class, how many are due under the version before it and under this one.
        counts: &'a [DueBeforeAndAfter],
    },
    /// The schedule says so.
    Automatic,
    /// It changes nothing that asks.
    AtOnce,
}

/// How many records of a class are due under two versions; none where a version does not
/// have the class, or where it is refused.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct DueBeforeAndAfter {
    /// The class.
    pub class: ClassId,
    /// Under the version in force.
    pub before: Option<u64>,
    /// Under the new one.
    pub after: Option<u64>,
}

/// A version of the schedule, as it is stored.
#[derive(Debug, Clone, Copy)]
pub struct NewVersion<'a> {
    /// What it means.
    pub digest: &'a [u8; 32],
    /// The file's bytes.
    pub file_digest: &'a [u8; 32],
    /// Its text.
    pub text: &'a str,
    /// The version that it was compared with, by the digest it is stored under: another one
    /// may have come into force meanwhile.
    pub previous: Option<&'a [u8; 32]>,
}

/// Brings a version into force. It binds every batch that begins after it returns.
///
/// # Errors
/// When another version came into force meanwhile, or the database refuses.
pub async fn bring_into_force(
    conn: &mut PgConnection,
    version: &NewVersion<'_>,
    how: How<'_>,
    actor: &str,
    now: DateTime<Utc>,
) -> Result<(), ReviewError> {
    let mut tx = conn.begin().await?;
    decide(&mut tx).await?;
    let last: Option<Vec<u8>> = sqlx::query_scalar(
        "SELECT digest FROM retentiond.acceptance ORDER BY acceptance_id DESC LIMIT 1",
    )
    .fetch_optional(&mut *tx)
    .await?;
    if last.as_deref() != version.previous.map(|digest| &digest[..]) {
        return Err(ReviewError::Overtaken);
    }
    // The same meaning may have been stored with other words, or by a program that read
    // them otherwise: the text that is accepted is the text that counts.
    sqlx::query(
        "INSERT INTO retentiond.schedule_version (digest, file_digest, text, in_force_from)
         VALUES ($1, $2, $3, $4) ON CONFLICT (digest) DO UPDATE SET
             file_digest = excluded.file_digest, text = excluded.text",
    )
    .bind(&version.digest[..])
    .bind(&version.file_digest[..])
    .bind(version.text)
    .bind(now)
    .execute(&mut *tx)
    .await?;
    let (word, reason, counts) = match how {
        How::ByHand { reason, counts } => ("by hand", Some(reason), Some(counts)),
        How::Automatic => ("automatic", None, None),
        How::AtOnce => ("at once", None, None),
    };
    sqlx::query(
        "INSERT INTO retentiond.acceptance (digest, how, accepted_by, accepted_at, reason, counts)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(&version.digest[..])
    .bind(word)
    .bind(actor)
    .bind(now)
    .bind(reason)
    .bind(counts.map(|counts| serde_json::to_value(counts).unwrap_or_default()))
    .execute(&mut *tx)
    .await?;
    for id in ledger::store::next_entry_ids(&mut tx, 1).await? {
        let mut entry = Entry::new(id, now, Action::ScheduleInForce, actor);
        entry.schedule = Some(*version.digest);
        entry.file = Some(*version.file_digest);
        entry.detail.insert("how".to_owned(), word.to_owned());
        let number = |n: Option<u64>| n.map_or_else(|| "-".to_owned(), |n| n.to_string());
        for class in counts.unwrap_or_default() {
            entry.detail.insert(
                format!("due {}", class.class),
                format!("{} to {}", number(class.before), number(class.after)),
            );
        }
        ledger::store::append(&mut tx, &entry, None).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// A class whose limits are to be lifted once, as the accepted plan has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLift {
    /// The class.
    pub class: ClassId,
    /// The day whose cutoffs it goes by.
    pub on: NaiveDate,
    /// How many records the plan has due.
    pub due: u64,
}

/// The plan that is accepted.
#[derive(Debug, Clone, Copy)]
pub struct AcceptedPlan<'a> {
    /// Its digest.
    pub digest: &'a [u8; 32],
    /// The version of the schedule.
    pub schedule: &'a [u8; 32],
    /// The classes that are over a limit in it.
    pub classes: &'a [NewLift],
}

/// Lifts the limits of classes once: the next pass goes by the plan's cutoffs.
///
/// # Errors
/// When the database refuses.
pub async fn lift_limits(
    conn: &mut PgConnection,
    plan: &AcceptedPlan<'_>,
    reason: &str,
    actor: &str,
    now: DateTime<Utc>,
) -> Result<(), ReviewError> {
    let mut tx = conn.begin().await?;
    decide(&mut tx).await?;
    for class in plan.classes {
        sqlx::query(
            "INSERT INTO retentiond.limit_lift
                 (class_id, plan_digest, schedule_digest, plan_on, due, accepted_by, accepted_at, reason)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(class.class.as_str())
        .bind(&plan.digest[..])
        .bind(&plan.schedule[..])
        .bind(class.on)
        .bind(i64::try_from(class.due).unwrap_or(i64::MAX))
        .bind(actor)
        .bind(now)
        .bind(reason)
        .execute(&mut *tx)
        .await?;
        for id in ledger::store::next_entry_ids(&mut tx, 1).await? {
            let mut entry = Entry::new(id, now, Action::LimitsLifted, actor);
            entry.class = Some(class.class.clone());
            entry.schedule = Some(*plan.schedule);
            entry.plan = Some(*plan.digest);
            entry.detail.insert("due".to_owned(), class.due.to_string());
            entry.detail.insert("on".to_owned(), class.on.to_string());
            ledger::store::append(&mut tx, &entry, None).await?;
        }
    }
    tx.commit().await?;
    Ok(())
}
