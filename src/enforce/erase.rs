//! What is left of disposed rows in the files of their tables, for classes that ask for
//! `erasure = "secure"`.
//!
//! It comes after the pass, table by table, and can be broken off anywhere: what is still to
//! do follows from the ledger, in which a disposal is open until an `erased` entry of its
//! class and table has a higher number. That number is drawn under the class's lease, before
//! anything is rewritten, so that a batch of another process meanwhile stays open.
//!
//! No statement is believed for having returned. A table counts as rewritten when none of
//! its files is the old one and its horizon lies past the mark; else it is tried again by the
//! next pass.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, NaiveTime, Utc};
use serde::Serialize;
use sqlx::{Connection, PgConnection, Row};

use super::error::EnforceError;
use super::{Event, Pass, PassClock};
use crate::ident::{ClassId, TableName};
use crate::ledger::{Action, Entry, EntryId, store as ledger};
use crate::plan::{ClassPlan, ErasedTable, Erasing, FoundRelation, Plan};
use crate::store::{self, Lease, LeaseError, Limits, planned};

/// A table may be large.
const PATIENCE: Duration = Duration::from_secs(24 * 3600);
/// How often a table's lock is asked for in one pass.
const TRIES: u32 = 3;
/// How often it is asked whether something keeps old versions.
const LOOKS: u32 = 8;
/// The rest between two of them.
const REST: Duration = Duration::from_millis(250);

/// Who rewrites, and when.
#[derive(Debug, Clone, Copy)]
pub struct Maintenance<'a> {
    /// The way to the same database as whoever may vacuum the tables.
    pub url: &'a str,
    /// How long it may wait for a lock.
    pub lock: Duration,
    /// From when until when of a day, in the schedule's zone.
    pub window: Option<(NaiveTime, NaiveTime)>,
}

/// What became of one table of a class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ErasureReport {
    /// The class.
    pub class: ClassId,
    /// The table.
    pub table: TableName,
    /// How far it is.
    pub status: ErasureStatus,
    /// Why it is not erased, or what could not be done beside it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// How far the erasure of a table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ErasureStatus {
    /// Its files were written anew without what was disposed of.
    Erased,
    /// Not yet: something keeps old versions, has it locked, or the window is shut.
    Waiting,
    /// It could not be done, and somebody must do something about it.
    Failed,
}

/// What a table still has to be erased for: the entries of one pass.
struct Open {
    table: TableName,
    run: Option<i64>,
    count: u64,
    id: EntryId,
}

/// The end of trying one table.
enum Outcome {
    Erased(BTreeMap<String, String>),
    Waiting(String),
    Failed(String),
}

/// Erases what the classes' disposals left behind, in this pass and in earlier ones.
///
/// # Errors
/// When our own tables cannot be read or written. What concerns a table is in its report.
pub async fn erase(
    conn: &mut PgConnection,
    plan: &Plan,
    pass: &Pass<'_>,
    run: i64,
    maintenance: Maintenance<'_>,
) -> Result<Vec<ErasureReport>, EnforceError> {
    let clock = PassClock::of(plan);
    let mut reports = Vec::new();
    let mut maintainer: Option<PgConnection> = None;
    for class in plan.classes() {
        let Some(erasing) = &class.erasing else {
            continue;
        };
        if pass.stop.is_cancelled() || !pass.takes(&class.id) {
            continue;
        }
        let open = match open(conn, class, pass).await {
            Ok(open) => open,
            // Whoever has the class erases after it, too.
            Err(EnforceError::Lease(LeaseError::Taken { .. })) => continue,
            Err(error) => return Err(error),
        };
        let mut tables: Vec<&TableName> = open.iter().map(|open| &open.table).collect();
        tables.dedup();
        for table in tables {
            let outcome = match connected(&mut maintainer, maintenance).await {
                Ok(maintainer) => {
                    one(maintainer, plan, class, erasing, table, clock, maintenance).await
                }
                Err(reason) => Outcome::Failed(reason),
            };
            let (status, reason) = match outcome {
                Outcome::Erased(detail) => {
                    let of_table = open.iter().filter(|open| &open.table == table);
                    note(conn, plan, class, pass, clock.now(), run, of_table, &detail).await?;
                    let kept = (detail.get("statistics").map(String::as_str) != Some("rewritten"))
                        .then(|| {
                            "the statistics are refreshed; their old versions stay in the catalogue's files, which only the database's owner or a superuser can rewrite".to_owned()
                        });
                    (ErasureStatus::Erased, kept)
                }
                Outcome::Waiting(reason) => (ErasureStatus::Waiting, Some(reason)),
                Outcome::Failed(reason) => (ErasureStatus::Failed, Some(reason)),
            };
            if let (Some(reason), true) = (&reason, status != ErasureStatus::Erased) {
                let words = format!("{table} is not erased yet: {reason}");
                (pass.observe)(Event::Trouble(&class.id, &words));
            }
            reports.push(ErasureReport {
                class: class.id.clone(),
                table: table.clone(),
                status,
                reason,
            });
        }
    }
    if let Some(maintainer) = maintainer {
        let _ = maintainer.close().await;
    }
    Ok(reports)
}

async fn connected<'a>(
    maintainer: &'a mut Option<PgConnection>,
    maintenance: Maintenance<'_>,
) -> Result<&'a mut PgConnection, String> {
    if maintainer.is_none() {
        let limits = Limits {
            lock: maintenance.lock,
            statement: PATIENCE,
            idle: Duration::from_secs(60),
        };
        let opened = store::connect(maintenance.url, "retentiond erasure", limits).await;
        *maintainer = Some(opened.map_err(|error| error.to_string())?);
    }
    maintainer
        .as_mut()
        .ok_or_else(|| "no connection".to_owned())
}

/// What is still to be erased, and a number for the entry of each.
async fn open(
    conn: &mut PgConnection,
    class: &ClassPlan,
    pass: &Pass<'_>,
) -> Result<Vec<Open>, EnforceError> {
    let failed =
        |error: sqlx::Error| EnforceError::from_sql("reading what is to be erased", &error);
    let lease = Lease::acquire(conn, &class.id, pass.holder, pass.patience).await?;
    let found = async {
        let rows = sqlx::query(
            "SELECT table_name, run_id, sum(count)::bigint FROM retentiond.ledger_entry AS e
             WHERE class_id = $1 AND action IN ('deleted', 'anonymised', 'unlinked')
               AND NOT EXISTS (SELECT FROM retentiond.ledger_entry AS done
                   WHERE done.class_id = e.class_id AND done.table_name = e.table_name
                     AND done.action = 'erased' AND done.entry_id > e.entry_id)
             GROUP BY table_name, run_id ORDER BY table_name, run_id",
        )
        .bind(class.id.as_str())
        .fetch_all(&mut *conn)
        .await
        .map_err(failed)?;
        let n = u32::try_from(rows.len()).unwrap_or(u32::MAX);
        let ids = match n {
            0 => Vec::new(),
            n => ledger::next_entry_ids(conn, n).await?,
        };
        let mut open = Vec::new();
        for (row, id) in rows.iter().zip(ids) {
            let name: String = row.try_get(0).map_err(failed)?;
            let count: i64 = row.try_get(2).map_err(failed)?;
            open.push(Open {
                table: name
                    .parse()
                    .map_err(|_| EnforceError::Shape(class.id.clone()))?,
                run: row.try_get(1).map_err(failed)?,
                count: count.unsigned_abs(),
                id,
            });
        }
        Ok(open)
    }
    .await;
    lease.release(conn).await?;
    found
}

/// One table. What PostgreSQL says against it ends in the outcome.
async fn one(
    maintainer: &mut PgConnection,
    plan: &Plan,
    class: &ClassPlan,
    erasing: &Erasing,
    table: &TableName,
    clock: PassClock,
    maintenance: Maintenance<'_>,
) -> Outcome {
    let Some(statements) = erasing.tables.iter().find(|known| &known.table == table) else {
        return Outcome::Failed(format!(
            "class `{}` no longer names it, or it is gone",
            class.id
        ));
    };
    let outcome = try_one(maintainer, plan, erasing, statements, clock, maintenance).await;
    outcome.unwrap_or_else(|error| match sqlstate(&error).as_deref() {
        Some("55P03") => Outcome::Waiting(format!(
            "somebody else had it locked, {TRIES} times for longer than {} ms",
            maintenance.lock.as_millis()
        )),
        _ => Outcome::Failed(store::reason(&error)),
    })
}

fn sqlstate(error: &sqlx::Error) -> Option<String> {
    let database = error.as_database_error()?;
    Some(database.code()?.into_owned())
}

async fn try_one(
    conn: &mut PgConnection,
    plan: &Plan,
    erasing: &Erasing,
    statements: &ErasedTable,
    clock: PassClock,
    maintenance: Maintenance<'_>,
) -> Result<Outcome, sqlx::Error> {
    let table = &statements.table;
    let (schema, name) = (table.schema().as_str(), table.name().as_str());
    // Everything that was disposed of committed before this.
    let mark: String = text(conn, erasing.mark).await?;
    let before = relations(conn, erasing, schema, name, &mark).await?;
    if before.is_empty() {
        return Ok(Outcome::Failed("it is gone".to_owned()));
    }
    if before.iter().any(|relation| !relation.may) {
        return Ok(Outcome::Failed(
            "the role may not vacuum it: only its owner can. Set erasure.database_url in the settings to its owner's".to_owned(),
        ));
    }
    planned(&statements.vacuum).execute(&mut *conn).await?;
    if let Some((from, until)) = maintenance.window {
        let time = clock.now().with_timezone(&plan.time_zone()).time();
        let within = if from < until {
            (from..until).contains(&time)
        } else {
            time >= from || time < until
        };
        if !within {
            return Ok(Outcome::Waiting(format!(
                "tables are rewritten from {} to {} only (erasure.window)",
                from.format("%H:%M"),
                until.format("%H:%M")
            )));
        }
    }
    if let Some(reason) = unkept(conn, erasing, &mark).await? {
        return Ok(Outcome::Waiting(reason));
    }
    locked(conn, &statements.rewrite).await?;
    let after = relations(conn, erasing, schema, name, &mark).await?;
    if let Some(reason) = remains(&before, &after) {
        return Ok(reason);
    }
    if let Some(reason) = statistics(conn, erasing, statements, &after, &mark).await? {
        return Ok(Outcome::Failed(reason));
    }
    let mut detail = BTreeMap::from([
        ("method".to_owned(), "vacuum-full".to_owned()),
        (
            "log-through".to_owned(),
            text(conn, erasing.log_position).await?,
        ),
    ]);
    let word = match rewrite_statistics(conn, erasing).await? {
        Catalogue::Rewritten => "rewritten",
        Catalogue::NotAllowed => "refreshed",
        Catalogue::Waiting(reason) => {
            return Ok(Outcome::Waiting(format!(
                "its statistics are refreshed, and the catalogue's files with their old versions could not be rewritten: {reason}"
            )));
        }
    };
    detail.insert("statistics".to_owned(), word.to_owned());
    Ok(Outcome::Erased(detail))
}

/// Waits a moment for what keeps versions that are dead, since most of what was begun before
/// is over soon; in words if it is not.
async fn unkept(
    conn: &mut PgConnection,
    erasing: &Erasing,
    mark: &str,
) -> Result<Option<String>, sqlx::Error> {
    let mut looks = 1;
    loop {
        let reason = kept(conn, erasing, mark).await?;
        if reason.is_none() || looks == LOOKS {
            return Ok(reason);
        }
        looks += 1;
        tokio::time::sleep(REST).await;
    }
}

/// What keeps versions that are dead, in words.
async fn kept(
    conn: &mut PgConnection,
    erasing: &Erasing,
    mark: &str,
) -> Result<Option<String>, sqlx::Error> {
    let keepers = planned(erasing.keepers).bind(mark).fetch_all(conn).await?;
    let mut words = Vec::new();
    for keeper in keepers {
        let (what, count): (String, i64) = (keeper.try_get(0)?, keeper.try_get(1)?);
        words.push(if count > 1 {
            format!("{what} ({count} of them)")
        } else {
            what
        });
    }
    Ok((!words.is_empty()).then(|| {
        format!(
            "{} began before the disposal and could still see the rows",
            words.join(", ")
        )
    }))
}

/// Why a rewrite did not do what it should have.
fn remains(before: &[FoundRelation], after: &[FoundRelation]) -> Option<Outcome> {
    let old: Vec<i64> = before.iter().filter_map(|relation| relation.file).collect();
    let same = after
        .iter()
        .filter(|relation| relation.file.is_some_and(|file| old.contains(&file)))
        .count();
    if same > 0 || after.is_empty() {
        return Some(Outcome::Failed(format!(
            "{same} of its files were not written anew: PostgreSQL skipped them with a warning"
        )));
    }
    if after.iter().any(|relation| relation.is_past == Some(false)) {
        return Some(Outcome::Waiting(
            "a replica or another session could still see the rows when it was rewritten"
                .to_owned(),
        ));
    }
    None
}

/// Statistics that hold values and that the rewrite's ANALYZE left as they were.
async fn statistics(
    conn: &mut PgConnection,
    erasing: &Erasing,
    statements: &ErasedTable,
    relations: &[FoundRelation],
    mark: &str,
) -> Result<Option<String>, sqlx::Error> {
    let numbers: Vec<i64> = relations.iter().map(|found| found.relation).collect();
    let reads: Option<bool> = planned(erasing.reads_statistics)
        .fetch_one(&mut *conn)
        .await?
        .try_get(0)?;
    let left: i64 = if reads == Some(true) {
        for clear in erasing.clear_statistics {
            planned(clear)
                .bind(&numbers)
                .bind(mark)
                .execute(&mut *conn)
                .await?;
        }
        planned(erasing.old_statistics)
            .bind(&numbers)
            .bind(mark)
            .fetch_one(conn)
            .await?
            .try_get(0)?
    } else {
        let empty: bool = planned(&statements.is_empty)
            .fetch_one(&mut *conn)
            .await?
            .try_get(0)?;
        planned(erasing.seen_statistics)
            .bind(statements.table.schema().as_str())
            .bind(statements.table.name().as_str())
            .bind(empty)
            .fetch_one(conn)
            .await?
            .try_get(0)?
    };
    Ok((left > 0).then(|| {
        format!(
            "the statistics of {left} columns still hold values, since ANALYZE leaves them as they are in an empty table; as a superuser: DELETE FROM pg_statistic WHERE starelid = '{}'::regclass",
            statements.table.quoted()
        )
    }))
}

/// What became of the catalogue's own tables of statistics.
enum Catalogue {
    Rewritten,
    /// The role may not. It is the same tomorrow, so nothing waits for it.
    NotAllowed,
    Waiting(String),
}

async fn rewrite_statistics(
    conn: &mut PgConnection,
    erasing: &Erasing,
) -> Result<Catalogue, sqlx::Error> {
    for (name, rewrite) in erasing.statistics {
        let mark: String = text(conn, erasing.mark).await?;
        let before = relations(conn, erasing, "pg_catalog", name, &mark).await?;
        if before.iter().any(|relation| !relation.may) {
            return Ok(Catalogue::NotAllowed);
        }
        if let Some(reason) = unkept(conn, erasing, &mark).await? {
            return Ok(Catalogue::Waiting(reason));
        }
        match locked(conn, rewrite).await {
            Err(error) if sqlstate(&error).as_deref() == Some("55P03") => {
                return Ok(Catalogue::Waiting(format!(
                    "somebody else had {name} locked"
                )));
            }
            other => other?,
        }
        let after = relations(conn, erasing, "pg_catalog", name, &mark).await?;
        match remains(&before, &after) {
            Some(Outcome::Waiting(reason) | Outcome::Failed(reason)) => {
                return Ok(Catalogue::Waiting(reason));
            }
            Some(Outcome::Erased(_)) | None => {}
        }
    }
    Ok(Catalogue::Rewritten)
}

/// A statement that needs a lock which others may hold for a while.
async fn locked(conn: &mut PgConnection, sql: &str) -> Result<(), sqlx::Error> {
    let mut tries = 1;
    loop {
        match planned(sql).execute(&mut *conn).await {
            Err(error) if tries < TRIES && sqlstate(&error).as_deref() == Some("55P03") => {
                tries += 1;
                tokio::time::sleep(REST).await;
            }
            other => return other.map(|_| ()),
        }
    }
}

async fn text(conn: &mut PgConnection, sql: &str) -> Result<String, sqlx::Error> {
    planned(sql).fetch_one(conn).await?.try_get(0)
}

async fn relations(
    conn: &mut PgConnection,
    erasing: &Erasing,
    schema: &str,
    name: &str,
    mark: &str,
) -> Result<Vec<FoundRelation>, sqlx::Error> {
    let rows = planned(erasing.relations)
        .bind(schema)
        .bind(name)
        .bind(mark)
        .fetch_all(conn)
        .await?;
    rows.iter()
        .map(|row| {
            Ok(FoundRelation {
                relation: row.try_get(0)?,
                file: row.try_get(1)?,
                is_past: row.try_get(2)?,
                may: row.try_get(3)?,
            })
        })
        .collect()
}

/// The entries of one table, one for each pass that disposed of something in it.
#[expect(clippy::too_many_arguments, reason = "each is one field of the entry")]
async fn note(
    conn: &mut PgConnection,
    plan: &Plan,
    class: &ClassPlan,
    pass: &Pass<'_>,
    at: DateTime<Utc>,
    run: i64,
    open: impl Iterator<Item = &Open>,
    detail: &BTreeMap<String, String>,
) -> Result<(), EnforceError> {
    let failed = |error: sqlx::Error| EnforceError::from_sql("noting an erasure", &error);
    let mut tx = conn.begin().await.map_err(failed)?;
    for open in open {
        let mut entry = Entry::new(open.id, at, Action::Erased, pass.actor);
        entry.class = Some(class.id.clone());
        entry.table = Some(open.table.clone());
        entry.run = open.run;
        entry.schedule = Some(*plan.schedule_digest());
        entry.file = Some(*plan.file_digest());
        entry.plan = Some(*plan.digest());
        entry.count = open.count;
        entry.detail.clone_from(detail);
        entry.detail.insert("in-run".to_owned(), run.to_string());
        ledger::append(&mut tx, &entry, None).await?;
    }
    tx.commit().await.map_err(failed)
}
