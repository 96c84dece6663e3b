//! Where everything stands: answered from the database, whether the service runs or not.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use futures_util::StreamExt;
use serde::Serialize;
use sqlx::{PgConnection, Row};

use super::{Drawn, HeldElsewhere, SurveyError, count, oldest_overdue, processors};
use crate::ident::{ClassId, TableName};
use crate::ledger::Action;
use crate::ledger::store::{Filter, Order, list};
use crate::plan::Standing;

/// See `json.md`, "status".
#[derive(Debug, Clone, Serialize)]
pub struct Overview {
    /// The day that was asked about.
    pub on: NaiveDate,
    /// The classes, in the schedule's order.
    pub classes: Vec<ClassOverview>,
    /// The ledger.
    pub ledger: LedgerOverview,
    /// The last pass.
    pub last_run: Option<LastRun>,
    /// Files whose rows are gone and which are still to be removed.
    pub files_pending: u64,
}

/// One class.
#[derive(Debug, Clone, Serialize)]
pub struct ClassOverview {
    /// The class.
    pub id: ClassId,
    /// Its table; none where a processor holds its data.
    pub table: Option<TableName>,
    /// Who holds its data, where it is not here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processor: Option<String>,
    /// `ready`, `waiting`, `refused`, `retained` or `idle`; `held` only where a processor
    /// holds its data, which goes as a whole or not at all.
    pub status: &'static str,
    /// Claimed records that stay: neither due nor disposed of already. None where refused.
    pub kept: Option<u64>,
    /// Records that go in the next pass.
    pub due: Option<u64>,
    /// Records that are late.
    pub overdue: Option<u64>,
    /// Past records that holds protect.
    pub held: Option<u64>,
    /// Past records that wait for a person.
    pub waiting: Option<u64>,
    /// Records of which one class orders that they go and another that they stay.
    pub conflict: Option<u64>,
    /// Records flagged and still in the table.
    pub flagged: u64,
    /// Records anonymised and still in the table.
    pub anonymised: u64,
    /// Records set aside.
    pub quarantined: Option<u64>,
    /// Records without a trigger date.
    pub without_trigger: Option<u64>,
    /// Records whose trigger date cannot be believed.
    pub implausible_trigger: Option<u64>,
    /// When every row had last been read.
    pub last_full_sweep: Option<DateTime<Utc>>,
    /// When the class was last dealt with to the end.
    pub last_success: Option<DateTime<Utc>>,
    /// The last day of the oldest late record.
    pub oldest_overdue: Option<NaiveDate>,
}

/// The ledger's part.
#[derive(Debug, Clone, Serialize)]
pub struct LedgerOverview {
    /// Sealed entries.
    pub size: u64,
    /// Entries not sealed yet.
    pub unsealed: u64,
    /// What the last verification said; none before the first.
    pub verdict: Option<String>,
    /// When that was.
    pub verified_at: Option<DateTime<Utc>>,
    /// When the newest checkpoint was signed; none before the first.
    pub signed_at: Option<DateTime<Utc>>,
}

/// The last pass.
#[derive(Debug, Clone, Serialize)]
pub struct LastRun {
    /// Its number.
    pub id: i64,
    /// When it began.
    pub started: DateTime<Utc>,
    /// When it ended; none while it runs, or if it was broken off.
    pub finished: Option<DateTime<Utc>>,
    /// How it ended.
    pub outcome: Option<String>,
}

pub(super) fn bookkeeping(source: sqlx::Error) -> SurveyError {
    SurveyError::Database {
        what: "the bookkeeping",
        source,
    }
}

/// Looks at everything on the day of the plan. Needs our schema.
///
/// # Errors
/// When the database does not answer.
pub async fn overview(conn: &mut PgConnection, drawn: &Drawn) -> Result<Overview, SurveyError> {
    let counted = count(conn, &drawn.plan).await?;
    let successes = last_successes(conn).await?;
    let sweeps = times(
        conn,
        "SELECT class_id, min(sweep_done_at) FROM retentiond.position GROUP BY class_id
         HAVING bool_and(sweep_done_at IS NOT NULL)",
    )
    .await?;
    let mut classes = Vec::new();
    for (class, counted) in drawn.plan.classes().iter().zip(counted) {
        let oldest = match &counted.counts {
            Some(counts) if counts.overdue > 0 => oldest_overdue(conn, class).await?,
            _ => None,
        };
        let counts = counted.counts.as_ref();
        let done = counts.map_or(0, |c| c.done);
        let stays = matches!(class.disposal, "flag" | "anonymise");
        let success = successes.get(class.id.as_str()).copied();
        classes.push(ClassOverview {
            id: class.id.clone(),
            table: Some(class.table.clone()),
            processor: None,
            status: counted.status(class.standing),
            kept: counts.map(|c| {
                c.claimed
                    - c.due.min(c.claimed)
                    - if class.disposal == "anonymise" {
                        done
                    } else {
                        0
                    }
            }),
            due: counts.map(|c| c.due),
            overdue: counts.map(|c| c.overdue),
            held: counts.map(|c| c.held),
            waiting: counts.map(|c| c.waiting),
            conflict: counts.map(|c| c.conflict),
            flagged: if class.disposal == "flag" { done } else { 0 },
            // A stage of a class that deletes anonymises, as a rule.
            anonymised: if class.disposal == "flag" { 0 } else { done },
            quarantined: counts.map(|c| c.quarantined),
            without_trigger: counts.map(|c| c.without_trigger),
            implausible_trigger: counts.map(|c| c.implausible_trigger),
            last_full_sweep: match (class.standing, stays) {
                (Standing::Retained, _) => None,
                (_, true) => sweeps.get(class.id.as_str()).copied(),
                // A class that deletes reads everything from its lowest trigger each time.
                (_, false) => success,
            },
            last_success: success,
            oldest_overdue: oldest,
        });
    }
    let elsewhere = processors(conn, &drawn.plan, drawn.migrated).await?;
    classes.extend(
        elsewhere
            .iter()
            .map(|class| held_elsewhere(class, drawn.plan.on())),
    );
    let ledger = ledger_overview(conn).await?;
    let run = sqlx::query("SELECT run_id, started_at, finished_at, outcome FROM retentiond.run ORDER BY run_id DESC LIMIT 1")
        .fetch_optional(&mut *conn)
        .await
        .map_err(bookkeeping)?;
    let last_run = match run {
        None => None,
        Some(row) => Some(LastRun {
            id: row.try_get(0).map_err(bookkeeping)?,
            started: row.try_get(1).map_err(bookkeeping)?,
            finished: row.try_get(2).map_err(bookkeeping)?,
            outcome: row.try_get(3).map_err(bookkeeping)?,
        }),
    };
    let files_pending = files_pending(conn).await?;
    Ok(Overview {
        on: drawn.plan.on(),
        classes,
        ledger,
        last_run,
        files_pending,
    })
}

/// A class whose data a processor holds, in the same shape: all of it counts as one record.
fn held_elsewhere(class: &HeldElsewhere, on: NaiveDate) -> ClassOverview {
    let counts = class.counts(on);
    ClassOverview {
        id: class.class.clone(),
        table: None,
        processor: Some(class.processor.clone()),
        status: class.status(),
        kept: Some(1 - counts.due.max(counts.done)),
        due: Some(counts.due),
        overdue: Some(counts.overdue),
        held: Some(counts.held),
        waiting: Some(counts.waiting),
        conflict: Some(0),
        flagged: 0,
        anonymised: 0,
        quarantined: Some(0),
        without_trigger: Some(0),
        implausible_trigger: Some(0),
        last_full_sweep: None,
        last_success: None,
        oldest_overdue: class.last_day.filter(|_| class.overdue),
    }
}

/// How many files are still to be removed whose rows are gone.
///
/// # Errors
/// When the database does not answer.
pub async fn files_pending(conn: &mut PgConnection) -> Result<u64, SurveyError> {
    let files: i64 = sqlx::query_scalar("SELECT count(*) FROM retentiond.file_work")
        .fetch_one(conn)
        .await
        .map_err(bookkeeping)?;
    Ok(u64::try_from(files).unwrap_or(0))
}

/// How the ledger stands. Every part is found by an index.
///
/// # Errors
/// When the database does not answer.
pub async fn ledger_overview(conn: &mut PgConnection) -> Result<LedgerOverview, SurveyError> {
    let row = sqlx::query(
        "SELECT (SELECT count(*) FROM retentiond.unsealed),
                (SELECT at FROM retentiond.ledger_checkpoint ORDER BY size DESC LIMIT 1)",
    )
    .fetch_one(&mut *conn)
    .await
    .map_err(bookkeeping)?;
    let verification = last_verification(conn).await?;
    Ok(LedgerOverview {
        size: crate::ledger::store::size(conn).await?,
        unsealed: row
            .try_get::<i64, _>(0)
            .map(|n| u64::try_from(n).unwrap_or(0))
            .map_err(bookkeeping)?,
        verified_at: verification.as_ref().map(|(at, _)| *at),
        verdict: verification.and_then(|(_, verdict)| verdict),
        signed_at: row.try_get(1).map_err(bookkeeping)?,
    })
}

/// When each class was last dealt with to the end.
///
/// # Errors
/// When the database does not answer.
pub async fn last_successes(
    conn: &mut PgConnection,
) -> Result<BTreeMap<String, DateTime<Utc>>, SurveyError> {
    times(
        conn,
        "SELECT class_id, last_success FROM retentiond.class_state WHERE last_success IS NOT NULL",
    )
    .await
}

/// What the last verification put on record.
async fn last_verification(
    conn: &mut PgConnection,
) -> Result<Option<(DateTime<Utc>, Option<String>)>, SurveyError> {
    let filter = Filter {
        action: Some(Action::Verified),
        limit: Some(1),
        order: Order::NewestFirst,
        ..Filter::default()
    };
    let mut entries = list(conn, &filter).await?;
    let Some(entry) = entries.next().await else {
        return Ok(None);
    };
    let entry = entry?.entry;
    Ok(Some((entry.at, entry.detail.get("verdict").cloned())))
}

async fn times(
    conn: &mut PgConnection,
    sql: &'static str,
) -> Result<BTreeMap<String, DateTime<Utc>>, SurveyError> {
    let rows = sqlx::query(sql)
        .fetch_all(conn)
        .await
        .map_err(bookkeeping)?;
    rows.iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
        .collect::<Result<_, sqlx::Error>>()
        .map_err(bookkeeping)
}
