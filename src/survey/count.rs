//! The counts of a plan, all from one snapshot.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::Serialize;
use sqlx::{Connection, PgConnection, Row};

use crate::catalog::CatalogError;
use crate::ident::{ClassId, TableName};
use crate::plan::{ClassPlan, Measured, Over, Plan, Standing};
use crate::store;

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum SurveyError {
    /// The catalogue could not be read.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// A query failed.
    #[error("could not ask the database about {what}")]
    Database {
        /// What was asked about.
        what: &'static str,
        /// What the database said.
        #[source]
        source: sqlx::Error,
    },
    /// A query about a class failed. The server's own words could quote a row.
    #[error("could not count the records of class `{class}` ({reason})")]
    Class {
        /// The class.
        class: ClassId,
        /// SQLSTATE and constraint, or the sort of connection failure.
        reason: String,
    },
    /// A query about a table's records failed. The server's own words could quote a row.
    #[error("could not compare the records of `{table}` ({reason})")]
    Table {
        /// The table.
        table: TableName,
        /// SQLSTATE and constraint, or the sort of connection failure.
        reason: String,
    },
    /// A query about one record failed.
    #[error("the key does not fit the types of the table's key columns ({reason})")]
    Record {
        /// SQLSTATE and constraint, or the sort of connection failure.
        reason: String,
    },
    /// The accepted version of the schedule cannot be read by this program.
    #[error("the version of the schedule that is in force cannot be read by this program: {0}")]
    Version(String),
    /// The ledger could not be read.
    #[error(transparent)]
    Ledger(#[from] crate::ledger::store::LedgerError),
}

/// How many records of a class are in which state. See `json.md`, "plan".
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// The class's condition is TRUE.
    pub claimed: u64,
    /// Goes in this pass, or within the sweep's time if it lies behind the position.
    pub due: u64,
    /// Past, and a hold protects it.
    pub held: u64,
    /// Past under a maximum, and another class keeps it.
    pub conflict: u64,
    /// Past, and waits for a person.
    pub waiting: u64,
    /// Past, and another class protects it or decides about it.
    pub retained_by_other: u64,
    /// Past, and failed by itself before.
    pub quarantined: u64,
    /// Past since before yesterday's end and still there, whatever the reason.
    pub overdue: u64,
    /// Already flagged or anonymised by this class.
    pub done: u64,
    /// Past, and kept by nothing but that it was touched after its trigger.
    pub active: u64,
    /// Claimed, and has no trigger date.
    pub without_trigger: u64,
    /// Claimed, and its trigger is a sentinel.
    pub implausible_trigger: u64,
    /// Claimed, and its trigger lies ahead.
    pub future_trigger: u64,
}

/// The counts of one class, with its dependants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassCounts {
    /// The class.
    pub id: ClassId,
    /// None where the class is refused.
    pub counts: Option<Counts>,
    /// By table, how many rows go with the due records.
    pub dependants: BTreeMap<String, u64>,
    /// Set where the class is over a limit: what is due waits.
    pub over: Option<Over>,
}

impl ClassCounts {
    /// `ready`, `waiting`, `refused`, `retained` or `idle`, from the plan's standing and
    /// what was counted.
    #[must_use]
    pub fn status(&self, standing: Standing) -> &'static str {
        match (standing, &self.counts) {
            (Standing::Refused, _) | (_, None) => "refused",
            (Standing::Retained, _) => "retained",
            (_, Some(counts)) if counts.due > 0 => "ready",
            (_, Some(counts)) if counts.waiting > 0 => "waiting",
            _ => "idle",
        }
    }
}

/// Counts every class of a plan, in the plan's order, from one snapshot.
///
/// # Errors
/// When a query fails.
pub async fn count(conn: &mut PgConnection, plan: &Plan) -> Result<Vec<ClassCounts>, SurveyError> {
    let failed = |source| SurveyError::Database {
        what: "its records",
        source,
    };
    let mut tx = conn
        .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        .await
        .map_err(failed)?;
    let mut counted = Vec::new();
    for class in plan.classes() {
        let broken = |error: sqlx::Error| SurveyError::Class {
            class: class.id.clone(),
            reason: store::reason(&error),
        };
        let Some(questions) = &class.questions else {
            counted.push(ClassCounts {
                id: class.id.clone(),
                counts: None,
                dependants: BTreeMap::new(),
                over: None,
            });
            continue;
        };
        let row = store::planned(&questions.count)
            .fetch_one(&mut *tx)
            .await
            .map_err(broken)?;
        let number = |nth: usize| -> Result<u64, SurveyError> {
            if nth >= row.len() {
                return Ok(0);
            }
            row.try_get::<i64, _>(nth)
                .map(|n| u64::try_from(n).unwrap_or(0))
                .map_err(broken)
        };
        let mut counts = Counts {
            claimed: number(0)?,
            due: number(1)?,
            held: number(2)?,
            conflict: number(3)?,
            waiting: number(4)?,
            retained_by_other: number(5)?,
            quarantined: number(6)?,
            overdue: number(7)?,
            done: number(8)?,
            active: number(12)?,
            without_trigger: number(9)?,
            implausible_trigger: number(10)?,
            future_trigger: number(11)?,
        };
        let over = match &class.limits {
            Some(_) if counts.due > 0 => over(&mut tx, plan, class).await.map_err(broken)?,
            _ => None,
        };
        if over.is_some() {
            counts.waiting += counts.due;
            counts.due = 0;
        }
        let mut dependants = BTreeMap::new();
        for (table, sql) in &questions.dependants {
            let rows = if counts.due == 0 {
                0
            } else {
                let row = store::planned(sql)
                    .fetch_one(&mut *tx)
                    .await
                    .map_err(broken)?;
                u64::try_from(row.try_get::<i64, _>(0).map_err(broken)?).unwrap_or(0)
            };
            dependants.insert(table.clone(), rows);
        }
        counted.push(ClassCounts {
            id: class.id.clone(),
            counts: Some(counts),
            dependants,
            over,
        });
    }
    tx.rollback().await.map_err(failed)?;
    Ok(counted)
}

/// Whether a class is over a limit.
async fn over(
    conn: &mut PgConnection,
    plan: &Plan,
    class: &ClassPlan,
) -> Result<Option<Over>, sqlx::Error> {
    let Some(limits) = &class.limits else {
        return Ok(None);
    };
    let answers = store::measure(conn, &limits.measure, plan.now()).await?;
    let measured = Measured::from(answers);
    let accepted = class.lift.map_or(0, |lift| lift.due);
    Ok(limits.over(&measured, 0, accepted))
}

/// The last day of the oldest overdue record of a class.
///
/// # Errors
/// When the query fails.
pub async fn oldest_overdue(
    conn: &mut PgConnection,
    class: &ClassPlan,
) -> Result<Option<NaiveDate>, SurveyError> {
    let Some(sql) = class
        .questions
        .as_ref()
        .and_then(|questions| questions.oldest.as_deref())
    else {
        return Ok(None);
    };
    let broken = |error: sqlx::Error| SurveyError::Class {
        class: class.id.clone(),
        reason: store::reason(&error),
    };
    let row = store::planned(sql).fetch_one(conn).await.map_err(broken)?;
    let day: Option<String> = row.try_get(0).map_err(broken)?;
    Ok(day.and_then(|day| day.parse().ok()))
}

/// How many past records of a class wait for a person, those over a limit left out: what
/// else waits is in a notice.
///
/// # Errors
/// When the query fails.
pub async fn waiting_for_a_person(
    conn: &mut PgConnection,
    class: &ClassPlan,
) -> Result<u64, SurveyError> {
    let Some(sql) = class
        .questions
        .as_ref()
        .and_then(|questions| questions.waits.as_deref())
    else {
        return Ok(0);
    };
    let broken = |error: sqlx::Error| SurveyError::Class {
        class: class.id.clone(),
        reason: store::reason(&error),
    };
    let row = store::planned(sql).fetch_one(conn).await.map_err(broken)?;
    let waiting: i64 = row.try_get(1).map_err(broken)?;
    Ok(u64::try_from(waiting).unwrap_or(0))
}
