//! Decisions that a restored database has lost, brought to where they stood by the log's
//! entries.
//!
//! The log has neither reasons nor names: what comes back says so, and protects. What cannot
//! come back (the text of an accepted schedule, a hold whose record is not named) stops
//! everything until a person accepts a schedule again.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::PgConnection;

use super::processor::LostOrders;
use super::{ReviewError, decide};
use crate::ledger::{Action, Entry, manifest};

/// What stands where a person's words were.
pub(super) const RESTORED: &str = "restored from the ledger";

/// What stands in place of the schedule in force while none is. No schedule has this digest.
const NONE: [u8; 32] = [0; 32];

/// A hold that was placed after the backup.
#[derive(Debug)]
struct LostHold {
    form: String,
    table: Option<String>,
    key: Option<Vec<String>>,
    class: Option<String>,
    kind: String,
    until: Option<NaiveDate>,
    not_before: Option<NaiveDate>,
    by: String,
    at: DateTime<Utc>,
}

impl LostHold {
    fn of(entry: &Entry, key: Option<Vec<String>>) -> Self {
        let detail = |name: &str| entry.detail.get(name).cloned();
        let day = |name: &str| detail(name).and_then(|day| day.parse().ok());
        Self {
            form: detail("form").unwrap_or_else(|| "hold".to_owned()),
            table: entry.table.as_ref().map(ToString::to_string),
            key,
            class: entry.class.as_ref().map(ToString::to_string),
            kind: detail("kind").unwrap_or_else(|| "other".to_owned()),
            until: day("until"),
            not_before: day("not-before"),
            by: entry.actor.clone(),
            at: entry.at,
        }
    }

    /// One on a condition comes back as one on the whole class: the log does not have the
    /// condition, and more is protected then. Whom one on a person was about it does not have
    /// either.
    fn scope(&self) -> Option<&'static str> {
        match (&self.key, &self.class, &self.table) {
            (Some(_), _, Some(_)) => Some("record"),
            // Without a table, on what a processor holds.
            (None, Some(_), _) => Some("class"),
            _ => None,
        }
    }
}

/// A class, or everything, that was paused after the backup.
#[derive(Debug)]
struct LostPause {
    class: Option<String>,
    by: String,
    at: DateTime<Utc>,
}

/// A person's request that was recorded after the backup. The log does not name them, but their
/// records, which the backup has brought back, can be known by the hash.
#[derive(Debug)]
struct LostErasure {
    subject_id: String,
    requested_on: NaiveDate,
    by: String,
    at: DateTime<Utc>,
}

/// The decisions among the entries that were lost, added up.
#[derive(Debug, Default)]
pub struct LostDecisions {
    placed: BTreeMap<i64, LostHold>,
    released: BTreeMap<i64, (String, DateTime<Utc>)>,
    kept: Vec<LostHold>,
    paused: BTreeMap<i64, LostPause>,
    erasures: BTreeMap<i64, LostErasure>,
    orders: LostOrders,
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

pub(super) fn number(entry: &Entry, name: &str) -> Option<i64> {
    entry.detail.get(name).and_then(|id| id.parse().ok())
}

/// The keys of an entry's records.
fn keys(records: Option<&[u8]>) -> Vec<Vec<String>> {
    let read = records.and_then(|records| manifest::decode(records).ok());
    let records = read.into_iter().flatten().filter_map(Result::ok);
    records.map(|record| record.key.to_texts()).collect()
}

impl LostDecisions {
    /// Adds an entry, with its packed records, in the order of the log.
    pub fn note(&mut self, entry: &Entry, records: Option<&[u8]>) {
        let hold = number(entry, "hold");
        match (entry.action, hold) {
            (Action::HoldPlaced, Some(hold)) => {
                self.highest = self.highest.max(hold);
                let key = keys(records).into_iter().next();
                self.placed.insert(hold, LostHold::of(entry, key));
            }
            (Action::Kept, _) => {
                let keys = keys(records).into_iter();
                self.kept.extend(keys.map(|key| LostHold {
                    form: "keep".to_owned(),
                    kind: "keep".to_owned(),
                    ..LostHold::of(entry, Some(key))
                }));
            }
            (Action::Paused, _) => {
                let pause = LostPause {
                    class: entry.class.as_ref().map(ToString::to_string),
                    by: entry.actor.clone(),
                    at: entry.at,
                };
                self.paused
                    .extend(number(entry, "pause").map(|id| (id, pause)));
            }
            // One that began before the backup goes on, until somebody resumes again.
            (Action::Resumed, _) => {
                self.paused
                    .retain(|id, _| Some(*id) != number(entry, "pause"));
            }
            (Action::ErasureRequested, _) => {
                let subject_id = entry.detail.get("subject").cloned();
                let day = entry.detail.get("requested-on");
                let requested_on = day.and_then(|day| day.parse().ok());
                if let (Some(id), Some(subject_id), Some(requested_on)) =
                    (number(entry, "erasure"), subject_id, requested_on)
                {
                    let (by, at) = (entry.actor.clone(), entry.at);
                    let lost = LostErasure {
                        subject_id,
                        requested_on,
                        by,
                        at,
                    };
                    self.erasures.insert(id, lost);
                }
            }
            (Action::ErasureWithdrawn, _) => {
                self.erasures
                    .retain(|id, _| Some(*id) != number(entry, "erasure"));
            }
            // One that was placed and released since is over.
            (Action::HoldReleased, Some(hold)) if self.placed.remove(&hold).is_some() => {}
            (Action::HoldReleased, Some(hold)) => {
                self.released.insert(hold, (entry.actor.clone(), entry.at));
            }
            (Action::ProcessorInstructed | Action::ProcessorConfirmed, _) => {
                self.orders.note(entry)
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
    // First those that have numbers to come back to.
    for (number, hold) in &lost.placed {
        match hold.scope() {
            Some(scope) => {
                let placed = place(tx, Some(*number), hold, scope).await?;
                done.holds.push((*number, placed));
            }
            None => done.unnamed.push(*number),
        }
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
    for hold in &lost.kept {
        place(tx, None, hold, "record").await?;
    }
    for pause in lost.paused.values() {
        sqlx::query(
            "INSERT INTO retentiond.pause (class_id, reason, paused_by, paused_at, salt)
             VALUES ($1, $2, $3, $4, '')",
        )
        .bind(&pause.class)
        .bind(RESTORED)
        .bind(&pause.by)
        .bind(pause.at)
        .execute(&mut *tx)
        .await?;
    }
    for request in lost.erasures.values() {
        // A tombstone: the next pass looks whether their records are there again.
        sqlx::query(
            "INSERT INTO retentiond.erasure
                 (subject_id, requested_on, basis, reference, requested_by, requested_at, closed_at)
             VALUES ($1, $2, $3, $3, $4, $5, $6)",
        )
        .bind(&request.subject_id)
        .bind(request.requested_on)
        .bind(RESTORED)
        .bind(&request.by)
        .bind(request.at)
        .bind(now)
        .execute(&mut *tx)
        .await?;
    }
    lost.orders.restore(tx).await?;
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
/// that number since, or if it had none of its own.
async fn place(
    tx: &mut PgConnection,
    number: Option<i64>,
    hold: &LostHold,
    scope: &str,
) -> Result<i64, ReviewError> {
    let taken: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT FROM retentiond.hold WHERE hold_id = $1)")
            .bind(number)
            .fetch_one(&mut *tx)
            .await?;
    let again = number.filter(|_| !taken);
    let statement = if again.is_some() {
        "INSERT INTO retentiond.hold
             (hold_id, form, scope, table_name, key, class_id, kind, reference, reason, owner,
              placed_by, placed_at, until_on, not_before)
         OVERRIDING SYSTEM VALUE
         VALUES ($11, $1, $2, $3, $4, $5, $6, $7, $7, $7, $8, $9, $10, $12) RETURNING hold_id"
    } else {
        "INSERT INTO retentiond.hold
             (form, scope, table_name, key, class_id, kind, reference, reason, owner,
              placed_by, placed_at, until_on, not_before)
         SELECT $1, $2, $3, $4, $5, $6, $7, $7, $7, $8, $9, $10, $12
           FROM (SELECT $11::bigint) AS unused RETURNING hold_id"
    };
    let id = sqlx::query_scalar(statement)
        .bind(&hold.form)
        .bind(scope)
        .bind(&hold.table)
        .bind(&hold.key)
        .bind(&hold.class)
        .bind(&hold.kind)
        .bind(RESTORED)
        .bind(&hold.by)
        .bind(hold.at)
        .bind(hold.until)
        .bind(again)
        .bind(hold.not_before)
        .fetch_one(tx)
        .await?;
    Ok(id)
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
