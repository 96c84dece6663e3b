//! Decisions that a restored database has lost, brought to where they stood by the log's
//! entries.
//!
//! The log has neither reasons nor names: what comes back says so, and protects. What cannot
//! come back (the text of an accepted schedule, a hold whose record is not named) stops
//! everything until a person accepts a schedule again.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::PgConnection;

use super::{ReviewError, decide};
use crate::ledger::{Action, Entry, manifest};

/// What stands where a person's words were.
const RESTORED: &str = "restored from the ledger";

/// What stands in place of the schedule in force while none is. No schedule has this digest.
const NONE: [u8; 32] = [0; 32];

/// A hold that was placed after the backup.
#[derive(Debug)]
struct LostHold {
    table: String,
    key: Option<Vec<String>>,
    kind: String,
    until: Option<NaiveDate>,
    by: String,
    at: DateTime<Utc>,
}

/// The decisions among the entries that were lost, added up.
#[derive(Debug, Default)]
pub struct LostDecisions {
    placed: BTreeMap<i64, LostHold>,
    released: BTreeMap<i64, (String, DateTime<Utc>)>,
    highest: i64,
    version: Option<Version>,
}

#[derive(Debug)]
struct Version {
    digest: Vec<u8>,
    by: String,
    at: DateTime<Utc>,
}

/// What became of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Restored {
    /// Holds that bind again, by the numbers that they had and have.
    pub holds: Vec<(i64, i64)>,
    /// Holds that are released again.
    pub released: Vec<i64>,
    /// Holds whose record the log does not name: a person must place them again.
    pub unnamed: Vec<i64>,
    /// Whether nothing acts until a person accepts a schedule again.
    pub accept_again: bool,
}

impl LostDecisions {
    /// Adds an entry, with its packed records, in the order of the log.
    pub fn note(&mut self, entry: &Entry, records: Option<&[u8]>) {
        let hold = entry.detail.get("hold").and_then(|id| id.parse().ok());
        match (entry.action, hold) {
            (Action::HoldPlaced, Some(hold)) => {
                self.highest = self.highest.max(hold);
                let key = records
                    .and_then(|records| manifest::decode(records).ok()?.next()?.ok())
                    .map(|record| record.key.to_texts());
                let detail = |name: &str| entry.detail.get(name);
                let lost = LostHold {
                    table: entry
                        .table
                        .as_ref()
                        .map(ToString::to_string)
                        .unwrap_or_default(),
                    key,
                    kind: detail("kind")
                        .cloned()
                        .unwrap_or_else(|| "other".to_owned()),
                    until: detail("until").and_then(|day| day.parse().ok()),
                    by: entry.actor.clone(),
                    at: entry.at,
                };
                self.placed.insert(hold, lost);
            }
            // One that was placed and released since is over.
            (Action::HoldReleased, Some(hold)) if self.placed.remove(&hold).is_some() => {}
            (Action::HoldReleased, Some(hold)) => {
                self.released.insert(hold, (entry.actor.clone(), entry.at));
            }
            (Action::ScheduleInForce, _) => {
                self.version = entry.schedule.map(|digest| Version {
                    digest: digest.to_vec(),
                    by: entry.actor.clone(),
                    at: entry.at,
                });
            }
            _ => {}
        }
    }
}

/// The lock and the epoch of a decision, for a transaction that restores several.
///
/// # Errors
/// When the database does not answer.
pub async fn decide_again(tx: &mut PgConnection) -> Result<(), ReviewError> {
    Ok(decide(tx).await?)
}

/// Brings the decisions to where they stood, in a transaction that has begun with
/// [`decide_again`].
///
/// # Errors
/// When the database refuses.
pub async fn restore(
    tx: &mut PgConnection,
    lost: &LostDecisions,
    actor: &str,
    now: DateTime<Utc>,
) -> Result<Restored, ReviewError> {
    let mut done = Restored::default();
    for (number, hold) in &lost.placed {
        let Some(key) = &hold.key else {
            done.unnamed.push(*number);
            continue;
        };
        done.holds
            .push((*number, place(tx, *number, hold, key).await?));
    }
    if lost.highest > 0 {
        sqlx::query(
            "SELECT setval(pg_get_serial_sequence('retentiond.hold', 'hold_id'),
                           greatest($1, (SELECT max(hold_id) FROM retentiond.hold)))",
        )
        .bind(lost.highest)
        .execute(&mut *tx)
        .await?;
    }
    for (number, (by, at)) in &lost.released {
        // It was there when the backup was taken, since it was not placed afterwards.
        let released = sqlx::query(
            "UPDATE retentiond.hold SET released_by = $2, released_at = $3, release_reason = $4
              WHERE hold_id = $1 AND released_at IS NULL",
        )
        .bind(number)
        .bind(by)
        .bind(at)
        .bind(RESTORED)
        .execute(&mut *tx)
        .await?;
        if released.rows_affected() > 0 {
            done.released.push(*number);
        }
    }
    let in_force = match &lost.version {
        None => true,
        Some(version) => bring_back(tx, version).await?,
    };
    if !in_force || !done.unnamed.is_empty() {
        stop_until_accepted(tx, actor, now).await?;
        done.accept_again = true;
    }
    Ok(done)
}

/// Places a hold again; answers its number, which is another if somebody has placed one of
/// that number since.
async fn place(
    tx: &mut PgConnection,
    number: i64,
    hold: &LostHold,
    key: &[String],
) -> Result<i64, ReviewError> {
    let free: bool =
        sqlx::query_scalar("SELECT NOT EXISTS (SELECT FROM retentiond.hold WHERE hold_id = $1)")
            .bind(number)
            .fetch_one(&mut *tx)
            .await?;
    let statement = if free {
        "INSERT INTO retentiond.hold
             (hold_id, table_name, key, kind, reference, reason, owner, placed_by, placed_at, until_on)
         OVERRIDING SYSTEM VALUE
         VALUES ($8, $1, $2, $3, $4, $4, $4, $5, $6, $7) RETURNING hold_id"
    } else {
        "INSERT INTO retentiond.hold
             (table_name, key, kind, reference, reason, owner, placed_by, placed_at, until_on)
         VALUES ($1, $2, $3, $4, $4, $4, $5, $6, $7) RETURNING hold_id"
    };
    let mut query = sqlx::query_scalar(statement)
        .bind(&hold.table)
        .bind(key)
        .bind(&hold.kind)
        .bind(RESTORED)
        .bind(&hold.by)
        .bind(hold.at)
        .bind(hold.until);
    if free {
        query = query.bind(number);
    }
    Ok(query.fetch_one(tx).await?)
}

/// Puts the version that came into force last in force again, if its text is there.
async fn bring_back(tx: &mut PgConnection, version: &Version) -> Result<bool, ReviewError> {
    let present: Option<Vec<u8>> = sqlx::query_scalar(
        "SELECT digest FROM retentiond.acceptance ORDER BY acceptance_id DESC LIMIT 1",
    )
    .fetch_optional(&mut *tx)
    .await?;
    if present.as_ref() == Some(&version.digest) {
        return Ok(true);
    }
    let written = sqlx::query(
        "INSERT INTO retentiond.acceptance (digest, how, accepted_by, accepted_at, reason)
         SELECT digest, 'by hand', $2, $3, $4 FROM retentiond.schedule_version WHERE digest = $1",
    )
    .bind(&version.digest)
    .bind(&version.by)
    .bind(version.at)
    .bind(RESTORED)
    .execute(tx)
    .await?;
    Ok(written.rows_affected() > 0)
}

/// From here on nothing acts until a person accepts a version of the schedule.
///
/// # Errors
/// When the database refuses.
pub async fn stop_until_accepted(
    tx: &mut PgConnection,
    actor: &str,
    now: DateTime<Utc>,
) -> Result<(), ReviewError> {
    sqlx::query(
        "INSERT INTO retentiond.schedule_version (digest, file_digest, text, in_force_from)
         VALUES ($1, $1, '', $2) ON CONFLICT (digest) DO NOTHING",
    )
    .bind(&NONE[..])
    .bind(now)
    .execute(&mut *tx)
    .await?;
    sqlx::query(
        "INSERT INTO retentiond.acceptance (digest, how, accepted_by, accepted_at, reason)
         VALUES ($1, 'by hand', $2, $3, 'decisions were lost with a backup: nothing is in force')",
    )
    .bind(&NONE[..])
    .bind(actor)
    .bind(now)
    .execute(tx)
    .await?;
    Ok(())
}
