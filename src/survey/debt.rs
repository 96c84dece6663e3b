//! The debt register: what should be gone and is still there, class by class, with what keeps
//! it and for how long.

use std::collections::BTreeMap;

use chrono::{Months, NaiveDate};
use serde::Serialize;
use sqlx::{PgConnection, Row};

use super::status::bookkeeping;
use super::{Drawn, SurveyError, count, processors};
use crate::ident::{ClassId, TableName};
use crate::plan::DEBT_AGES;
use crate::schedule::Rule;
use crate::store;

/// See `json.md`, "status", with `--overdue`.
#[derive(Debug, Clone, Serialize)]
pub struct Debt {
    /// The day that was asked about.
    pub on: NaiveDate,
    /// How many records are late, whatever keeps them.
    pub late: u64,
    /// The first days of the age bands, in days since a record was past.
    pub ages_from: [i64; 5],
    /// The classes, in the schedule's order; those without anything to say are left out.
    pub classes: Vec<ClassDebt>,
    /// What processors should have destroyed.
    pub processors: Vec<ProcessorDebt>,
    /// People's requests for erasure that are not fulfilled after a month.
    pub requests: Vec<OpenRequest>,
}

/// One class's.
#[derive(Debug, Clone, Serialize)]
pub struct ClassDebt {
    /// The class.
    pub id: ClassId,
    /// Its table.
    pub table: TableName,
    /// How many days a record may be past before it is late.
    pub tolerance: u32,
    /// How many are late; none where the class is refused, since it cannot be counted then.
    pub late: Option<u64>,
    /// By what keeps them, the oldest first.
    pub reasons: Vec<DebtReason>,
    /// Why single records were set aside, and how many, late or not.
    pub set_aside: Vec<SetAside>,
    /// Records that have no date to count from, so that nobody can say when they were late.
    pub without_trigger: Option<u64>,
    /// Records whose date cannot be believed.
    pub implausible_trigger: Option<u64>,
    /// Files whose rows are gone and which are still to be removed.
    pub files: u64,
}

/// What keeps late records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DebtReason {
    /// `held`, `review`, `instruction`, `dependant`, `notice`, `paused`, `acceptance`,
    /// `conflict`, `active`, `quarantined`, `limit`, `failing` or `next-pass`.
    pub reason: &'static str,
    /// How many.
    pub records: u64,
    /// The same by age band.
    pub ages: [u64; 5],
    /// Since when the oldest of them has been past.
    pub since: NaiveDate,
}

/// Why records were set aside.
#[derive(Debug, Clone, Serialize)]
pub struct SetAside {
    /// What the database said, reduced to what cannot quote a row.
    pub reason: String,
    /// How many.
    pub records: u64,
}

/// What a processor should have destroyed.
#[derive(Debug, Clone, Serialize)]
pub struct ProcessorDebt {
    /// The class.
    pub id: ClassId,
    /// Who holds the data.
    pub processor: String,
    /// How it stands.
    pub state: super::HeldState,
    /// Its last day.
    pub last_day: Option<NaiveDate>,
    /// When the processor was told.
    pub issued_on: Option<NaiveDate>,
}

/// A request for erasure that is late.
#[derive(Debug, Clone, Serialize)]
pub struct OpenRequest {
    /// Its number.
    pub erasure: i64,
    /// Its reference.
    pub reference: String,
    /// The day on which it came in.
    pub requested_on: NaiveDate,
}

/// Adds up what is late on the day of the plan. Needs our schema.
///
/// # Errors
/// When the database does not answer.
pub async fn debt(conn: &mut PgConnection, drawn: &Drawn) -> Result<Debt, SurveyError> {
    let on = drawn.plan.on();
    let counted = count(conn, &drawn.plan).await?;
    let mut set_aside = set_aside(conn).await?;
    let mut files = numbers(
        conn,
        "SELECT class_id, count(*) FROM retentiond.file_work GROUP BY class_id",
    )
    .await?;
    let failing: Vec<String> = sqlx::query_scalar(
        "SELECT class_id FROM retentiond.class_state WHERE last_status = 'failed'",
    )
    .fetch_all(&mut *conn)
    .await
    .map_err(bookkeeping)?;
    let mut classes = Vec::new();
    for (class, counted) in drawn.plan.classes().iter().zip(counted) {
        let Rule::Dispose(rule) = &class.rule else {
            continue;
        };
        let due = match &counted.over {
            Some(_) => "limit",
            None if failing.iter().any(|id| id == class.id.as_str()) => "failing",
            None => "next-pass",
        };
        let asked = class
            .questions
            .as_ref()
            .and_then(|questions| questions.debt.as_ref());
        let reasons = match asked {
            Some(sql) => Some(reasons(conn, &class.id, sql, due).await?),
            None => None,
        };
        let counts = counted.counts.as_ref();
        let one = ClassDebt {
            id: class.id.clone(),
            table: class.table.clone(),
            tolerance: rule.tolerance,
            late: reasons
                .as_ref()
                .map(|reasons| reasons.iter().map(|one| one.records).sum()),
            reasons: reasons.unwrap_or_default(),
            set_aside: set_aside.remove(class.id.as_str()).unwrap_or_default(),
            without_trigger: counts.map(|counts| counts.without_trigger),
            implausible_trigger: counts.map(|counts| counts.implausible_trigger),
            files: files.remove(class.id.as_str()).unwrap_or_default(),
        };
        let quiet = one.late == Some(0)
            && one.set_aside.is_empty()
            && one.files == 0
            && one.without_trigger.unwrap_or(0) + one.implausible_trigger.unwrap_or(0) == 0;
        if !quiet {
            classes.push(one);
        }
    }
    let elsewhere = processors(conn, &drawn.plan, drawn.migrated).await?;
    let processors: Vec<ProcessorDebt> = elsewhere
        .into_iter()
        .filter(|class| class.overdue)
        .map(|class| ProcessorDebt {
            id: class.class,
            processor: class.processor,
            state: class.state,
            last_day: class.last_day,
            issued_on: class.issued_on,
        })
        .collect();
    let requests = requests(conn, on).await?;
    let late = classes.iter().filter_map(|class| class.late).sum::<u64>()
        + processors.len() as u64
        + requests.len() as u64;
    Ok(Debt {
        on,
        late,
        ages_from: DEBT_AGES,
        classes,
        processors,
        requests,
    })
}

async fn reasons(
    conn: &mut PgConnection,
    class: &ClassId,
    sql: &str,
    due: &'static str,
) -> Result<Vec<DebtReason>, SurveyError> {
    let broken = |error: sqlx::Error| SurveyError::Class {
        class: class.clone(),
        reason: store::reason(&error),
    };
    let rows = store::planned(sql).fetch_all(conn).await.map_err(broken)?;
    let mut found: Vec<DebtReason> = Vec::new();
    for row in &rows {
        let said: &str = row.try_get(0).map_err(broken)?;
        let reason = match said {
            "due" => due,
            said => REASONS
                .iter()
                .copied()
                .find(|known| *known == said)
                .unwrap_or("acceptance"),
        };
        let band: i32 = row.try_get(1).map_err(broken)?;
        let records = row.try_get::<i64, _>(2).map_err(broken)?.unsigned_abs();
        let since: Option<&str> = row.try_get(3).map_err(broken)?;
        let since = since
            .and_then(|day| day.parse().ok())
            .unwrap_or(NaiveDate::MIN);
        let at = match found.iter().position(|one| one.reason == reason) {
            Some(at) => at,
            None => {
                found.push(DebtReason {
                    reason,
                    records: 0,
                    ages: [0; 5],
                    since,
                });
                found.len() - 1
            }
        };
        let Some(one) = found.get_mut(at) else {
            continue;
        };
        one.records += records;
        one.since = one.since.min(since);
        if let Some(age) = usize::try_from(band)
            .ok()
            .and_then(|at| one.ages.get_mut(at))
        {
            *age += records;
        }
    }
    found.sort_by_key(|one| one.since);
    Ok(found)
}

/// What a plan's question answers beside `due`.
const REASONS: [&str; 10] = [
    "held",
    "conflict",
    "paused",
    "instruction",
    "review",
    "dependant",
    "acceptance",
    "notice",
    "active",
    "quarantined",
];

async fn set_aside(
    conn: &mut PgConnection,
) -> Result<BTreeMap<String, Vec<SetAside>>, SurveyError> {
    let rows = sqlx::query(
        "SELECT class_id, reason, count(*) FROM retentiond.quarantine
          GROUP BY class_id, reason ORDER BY class_id, count(*) DESC, reason",
    )
    .fetch_all(conn)
    .await
    .map_err(bookkeeping)?;
    let mut found: BTreeMap<String, Vec<SetAside>> = BTreeMap::new();
    for row in &rows {
        let records: i64 = row.try_get(2).map_err(bookkeeping)?;
        found
            .entry(row.try_get(0).map_err(bookkeeping)?)
            .or_default()
            .push(SetAside {
                reason: row.try_get(1).map_err(bookkeeping)?,
                records: records.unsigned_abs(),
            });
    }
    Ok(found)
}

async fn numbers(
    conn: &mut PgConnection,
    sql: &'static str,
) -> Result<BTreeMap<String, u64>, SurveyError> {
    let rows = sqlx::query(sql)
        .fetch_all(conn)
        .await
        .map_err(bookkeeping)?;
    rows.iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get::<i64, _>(1)?.unsigned_abs())))
        .collect::<Result<_, sqlx::Error>>()
        .map_err(bookkeeping)
}

/// The requests that have been open for more than a month, which is how long the controller has
/// to answer (UK GDPR Art 12(3)).
async fn requests(conn: &mut PgConnection, on: NaiveDate) -> Result<Vec<OpenRequest>, SurveyError> {
    let rows = sqlx::query(
        "SELECT erasure_id, reference, requested_on FROM retentiond.erasure
          WHERE closed_at IS NULL ORDER BY requested_on, erasure_id",
    )
    .fetch_all(conn)
    .await
    .map_err(bookkeeping)?;
    let open: Vec<OpenRequest> = rows
        .iter()
        .map(|row| {
            Ok(OpenRequest {
                erasure: row.try_get(0)?,
                reference: row.try_get(1)?,
                requested_on: row.try_get(2)?,
            })
        })
        .collect::<Result<_, sqlx::Error>>()
        .map_err(bookkeeping)?;
    let late = |one: &OpenRequest| {
        let answer_by = one.requested_on.checked_add_months(Months::new(1));
        answer_by.is_some_and(|day| day < on)
    };
    Ok(open.into_iter().filter(late).collect())
}
