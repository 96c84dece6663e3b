//! What waits for reviewers, and what a hold would cover.

use chrono::NaiveDate;
use serde::Serialize;
use serde_json::Value;
use sqlx::{PgConnection, Row};

use super::{Drawn, SurveyError};
use crate::decisions::RuleHold;
use crate::ident::TableName;
use crate::ledger::{KeyColumns, RecordKey};
use crate::plan::{self, ClassPlan};
use crate::schedule::{Condition, Schedule};
use crate::store;

/// A record that waits for reviewers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Queued {
    /// Its key.
    #[serde(skip)]
    pub key: RecordKey,
    /// The day that its period is counted from.
    pub trigger: Option<NaiveDate>,
    /// The last day that it had to be kept.
    pub last_day: Option<NaiveDate>,
    /// Who has approved it already, where more than one has to.
    pub approved_by: Vec<String>,
    /// Why an approval that it had counts no more.
    pub void: Option<String>,
    /// Whose decision it is.
    pub handed_to: Option<String>,
}

/// The records of a class that wait for its reviewers, the longest past first.
///
/// # Errors
/// When the query fails; a condition that does not fit the table is told by its SQLSTATE.
pub async fn queue(
    conn: &mut PgConnection,
    class: &ClassPlan,
    columns: &KeyColumns,
    only: Option<&Condition>,
) -> Result<Vec<Queued>, SurveyError> {
    let Some(queue) = class.questions.as_ref().and_then(|q| q.queue.as_ref()) else {
        return Ok(Vec::new());
    };
    let broken = |error: sqlx::Error| SurveyError::Class {
        class: class.id.clone(),
        reason: store::reason(&error),
    };
    let sql = queue.of(only);
    let rows = store::planned(&sql).fetch_all(conn).await.map_err(broken)?;
    let width = columns.as_slice().len();
    let mut queued = Vec::with_capacity(rows.len());
    for row in rows {
        let mut texts = Vec::with_capacity(width);
        for nth in 0..width {
            let text = match row.try_get::<i64, _>(nth) {
                Ok(number) => number.to_string(),
                Err(_) => row.try_get(nth).map_err(broken)?,
            };
            texts.push(text);
        }
        let key = RecordKey::from_texts(columns, &texts).map_err(|_| SurveyError::Class {
            class: class.id.clone(),
            reason: "a key does not fit".to_owned(),
        })?;
        let day = |nth: usize| -> Result<Option<NaiveDate>, SurveyError> {
            let text: Option<String> = row.try_get(width + nth).map_err(broken)?;
            Ok(text.and_then(|text| text.parse().ok()))
        };
        let (trigger, last_day) = (day(0)?, day(1)?);
        let approved: Option<Vec<String>> = row.try_get(width + 2).map_err(broken)?;
        let before: Option<String> = row.try_get(width + 3).map_err(broken)?;
        let void = before
            .and_then(|text| serde_json::from_str(&text).ok())
            .map(|before| why_void(&before, trigger, last_day));
        queued.push(Queued {
            key,
            trigger,
            last_day,
            approved_by: approved.unwrap_or_default(),
            void,
            handed_to: row.try_get(width + 4).map_err(broken)?,
        });
    }
    queued.sort_by_cached_key(|one| (one.last_day, one.key.to_texts()));
    Ok(queued)
}

/// Why an approval binds no more.
fn why_void(before: &Value, trigger: Option<NaiveDate>, last_day: Option<NaiveDate>) -> String {
    let day = |day: Option<NaiveDate>| day.map_or_else(|| "none".to_owned(), |day| day.to_string());
    let was = |name: &str| before[name].as_str().unwrap_or("none").to_owned();
    let changed = if was("trigger") != day(trigger) {
        format!("its trigger was {} and is {}", was("trigger"), day(trigger))
    } else if was("last_day") != day(last_day) {
        format!(
            "its last day was {} and is {}",
            was("last_day"),
            day(last_day)
        )
    } else {
        "the schedule says something else of its class".to_owned()
    };
    format!(
        "{} had approved it (review {}): {changed}",
        was("by"),
        before["review"]
    )
}

/// How many records a hold on a class or a condition would cover.
///
/// # Errors
/// When the query fails.
pub async fn covered(
    conn: &mut PgConnection,
    schedule: &Schedule,
    drawn: &Drawn,
    hold: &RuleHold,
) -> Result<u64, SurveyError> {
    let sql = plan::covered(schedule, &drawn.catalog, drawn.plan.on(), hold);
    let broken = |error: sqlx::Error| SurveyError::Class {
        class: hold.class.clone(),
        reason: store::reason(&error),
    };
    let row = store::planned(&sql).fetch_one(conn).await.map_err(broken)?;
    Ok(row.try_get::<i64, _>(0).map_err(broken)?.unsigned_abs())
}

/// How many records of which tables are about a person.
///
/// # Errors
/// When a query fails.
pub async fn about(
    conn: &mut PgConnection,
    schedule: &Schedule,
    drawn: &Drawn,
    subject: &str,
) -> Result<Vec<(TableName, u64)>, SurveyError> {
    let mut found = Vec::new();
    for (table, sql) in plan::about(schedule, &drawn.catalog) {
        let failed = |error: sqlx::Error| SurveyError::Table {
            table: table.clone(),
            reason: store::reason(&error),
        };
        let row = store::planned(&sql)
            .bind(subject)
            .fetch_one(&mut *conn)
            .await
            .map_err(failed)?;
        let rows: i64 = row.try_get(0).map_err(failed)?;
        found.push((table, rows.unsigned_abs()));
    }
    Ok(found)
}
