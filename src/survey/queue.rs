//! What waits for reviewers, and what a hold would cover.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::Serialize;
use serde_json::Value;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use super::{Drawn, SurveyError};
use crate::decisions::RuleHold;
use crate::ident::TableName;
use crate::ledger::{KeyColumns, KeyKind, RecordKey};
use crate::plan::{self, Ask, ClassPlan, Queue};
use crate::schedule::{CountedFrom, Rule, Schedule};
use crate::store;

/// A record that waits for reviewers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queued {
    /// Its key.
    pub key: RecordKey,
    /// The day that its period is counted from.
    pub trigger: Option<NaiveDate>,
    /// The last day that it had to be kept.
    pub last_day: Option<NaiveDate>,
}

/// A part of a queue.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QueuePage {
    /// How many records fit the filters, on other pages too.
    pub waiting: u64,
    /// Those on this page, in the order that was asked for.
    pub records: Vec<Queued>,
}

/// A record that waits for reviewers, and what a person needs to decide about it. What is in
/// `preview` may be personal: it is for the eyes of whoever decides, and for no log.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// Its key.
    #[serde(skip)]
    pub key: RecordKey,
    /// The day that its period is counted from.
    pub trigger: Option<NaiveDate>,
    /// The last day that it had to be kept.
    pub last_day: Option<NaiveDate>,
    /// How many days ago that was.
    pub days_past: Option<i64>,
    /// When somebody last worked with it, by the class's `unless_active`.
    pub last_activity: Option<NaiveDate>,
    /// By table, how many rows hang on it. Tables with none are left out.
    pub dependants: BTreeMap<String, u64>,
    /// How many files it and those rows name; none where the role may not look.
    pub files: Option<u64>,
    /// Why it is due.
    pub why: String,
    /// Who has approved it already, where more than one has to.
    pub approved_by: Vec<String>,
    /// Why an approval that it had counts no more.
    pub void: Option<String>,
    /// Whose decision it is.
    pub handed_to: Option<String>,
    /// The class's `preview` columns and their values as text.
    pub preview: Vec<(String, Option<String>)>,
}

/// The question that a class's queue is asked by.
fn asked(class: &ClassPlan) -> Option<&Queue> {
    class.questions.as_ref()?.queue.as_ref()
}

fn broken(class: &ClassPlan) -> impl Fn(sqlx::Error) -> SurveyError {
    let id = class.id.clone();
    move |error| SurveyError::Class {
        class: id.clone(),
        reason: store::reason(&error),
    }
}

/// Keys as PostgreSQL is told them: one array of texts for each column.
fn arrays(columns: &KeyColumns, keys: &[&RecordKey]) -> Vec<Vec<String>> {
    let mut arrays = vec![Vec::with_capacity(keys.len()); columns.as_slice().len()];
    for key in keys {
        for (array, text) in arrays.iter_mut().zip(key.to_texts()) {
            array.push(text);
        }
    }
    arrays
}

async fn fetch(
    conn: &mut PgConnection,
    class: &ClassPlan,
    sql: &str,
    arrays: Vec<Vec<String>>,
) -> Result<Vec<PgRow>, SurveyError> {
    let mut query = store::planned(sql);
    for array in arrays {
        query = query.bind(array);
    }
    query.fetch_all(conn).await.map_err(broken(class))
}

/// The records of a class that wait for its reviewers, or those of them that have these keys.
///
/// # Errors
/// When the query fails; a condition that does not fit the table is told by its SQLSTATE.
pub async fn queue(
    conn: &mut PgConnection,
    class: &ClassPlan,
    columns: &KeyColumns,
    ask: &Ask,
    keys: Option<&[&RecordKey]>,
) -> Result<QueuePage, SurveyError> {
    let Some(queue) = asked(class) else {
        return Ok(QueuePage::default());
    };
    let ask = Ask {
        of_keys: keys.is_some(),
        ..ask.clone()
    };
    let arrays = keys.map_or_else(Vec::new, |keys| arrays(columns, keys));
    let rows = fetch(conn, class, &queue.page(&ask), arrays).await?;
    let broken = broken(class);
    let width = columns.as_slice().len();
    let mut page = QueuePage::default();
    for row in rows {
        page.waiting = row.try_get::<i64, _>(0).map_err(&broken)?.unsigned_abs();
        let mut texts = Vec::with_capacity(width);
        for (nth, column) in columns.as_slice().iter().enumerate() {
            let text: Option<String> = match column.kind {
                KeyKind::Int => row
                    .try_get::<Option<i64>, _>(nth + 1)
                    .map_err(&broken)?
                    .map(|number| number.to_string()),
                KeyKind::Text => row.try_get(nth + 1).map_err(&broken)?,
            };
            texts.extend(text);
        }
        // The one row of an empty page has no key.
        if texts.is_empty() {
            break;
        }
        let key = RecordKey::from_texts(columns, &texts).map_err(|_| SurveyError::Class {
            class: class.id.clone(),
            reason: "a key does not fit".to_owned(),
        })?;
        page.records.push(Queued {
            key,
            trigger: day(&row, width + 1).map_err(&broken)?,
            last_day: day(&row, width + 2).map_err(&broken)?,
        });
    }
    Ok(page)
}

/// A day that was answered as text.
fn day(row: &PgRow, nth: usize) -> Result<Option<NaiveDate>, sqlx::Error> {
    let text: Option<String> = row.try_get(nth)?;
    Ok(text.and_then(|text| text.parse().ok()))
}

/// By table of dependants, for each of these records how many of its rows hang on it, and
/// how many files those name.
async fn hanging(
    conn: &mut PgConnection,
    class: &ClassPlan,
    queue: &Queue,
    arrays: &[Vec<String>],
) -> Result<Vec<(TableName, Vec<(u64, u64)>)>, SurveyError> {
    let many = arrays.first().map_or(0, Vec::len);
    let broken = broken(class);
    let mut found = Vec::new();
    for (table, sql) in &queue.dependants {
        let mut counts = vec![(0, 0); many];
        for row in fetch(conn, class, sql, arrays.to_vec()).await? {
            let number = |nth: usize| row.try_get::<i64, _>(nth).map(i64::unsigned_abs);
            let at = usize::try_from(number(0).map_err(&broken)?).unwrap_or_default();
            if let Some(counts) = at.checked_sub(1).and_then(|at| counts.get_mut(at)) {
                *counts = (number(1).map_err(&broken)?, number(2).map_err(&broken)?);
            }
        }
        found.push((table.clone(), counts));
    }
    Ok(found)
}

/// Sorts records by how many rows hang on each; on a tie they stay as they are.
///
/// # Errors
/// When a query fails.
pub async fn sort_by_dependants(
    conn: &mut PgConnection,
    class: &ClassPlan,
    columns: &KeyColumns,
    records: Vec<Queued>,
    descending: bool,
) -> Result<Vec<Queued>, SurveyError> {
    let Some(queue) = asked(class) else {
        return Ok(records);
    };
    let keys: Vec<&RecordKey> = records.iter().map(|one| &one.key).collect();
    let hanging = hanging(conn, class, queue, &arrays(columns, &keys)).await?;
    let rows = |nth: usize| -> u64 {
        let of_table = hanging.iter().filter_map(|(_, counts)| counts.get(nth));
        of_table.map(|(rows, _)| rows).sum()
    };
    let mut sorted: Vec<(u64, Queued)> = records
        .into_iter()
        .enumerate()
        .map(|(nth, one)| (rows(nth), one))
        .collect();
    sorted.sort_by(|(left, _), (right, _)| match descending {
        true => right.cmp(left),
        false => left.cmp(right),
    });
    Ok(sorted.into_iter().map(|(_, one)| one).collect())
}

/// What a person needs to decide about each of these records of a class's queue, in their
/// order. One that is gone meanwhile is left out.
///
/// # Errors
/// When a query fails.
pub async fn show(
    conn: &mut PgConnection,
    class: &ClassPlan,
    columns: &KeyColumns,
    today: NaiveDate,
    records: &[Queued],
) -> Result<Vec<Shown>, SurveyError> {
    let (Some(queue), Rule::Dispose(dispose)) = (asked(class), &class.rule) else {
        return Ok(Vec::new());
    };
    if records.is_empty() {
        return Ok(Vec::new());
    }
    let keys: Vec<&RecordKey> = records.iter().map(|one| &one.key).collect();
    let arrays = arrays(columns, &keys);
    let hanging = hanging(conn, class, queue, &arrays).await?;
    let rows = fetch(conn, class, queue.shown(), arrays).await?;
    let broken = broken(class);
    let mut shown = Vec::with_capacity(rows.len());
    for row in rows {
        let nth: i64 = row.try_get(0).map_err(&broken)?;
        let nth = usize::try_from(nth - 1).unwrap_or(usize::MAX);
        let Some(one) = records.get(nth) else {
            continue;
        };
        let approved: Option<Vec<String>> = row.try_get(1).map_err(&broken)?;
        let before: Option<String> = row.try_get(2).map_err(&broken)?;
        let void = before
            .and_then(|text| serde_json::from_str(&text).ok())
            .map(|before| why_void(&before, one.trigger, one.last_day));
        let from: Option<i32> = row.try_get(5).map_err(&broken)?;
        let from = usize::try_from(from.unwrap_or(0));
        let from = from.map_or(CountedFrom::Nothing, CountedFrom::Trigger);
        let own: i64 = row.try_get(6).map_err(&broken)?;
        let of_rows = hanging.iter().map(|(_, counts)| counts[nth].1);
        let values: Vec<Option<String>> = row.try_get(7).map_err(&broken)?;
        let names = queue.preview.iter().map(|(name, _)| name.to_string());
        shown.push(Shown {
            key: one.key.clone(),
            trigger: one.trigger,
            last_day: one.last_day,
            days_past: one.last_day.map(|last| (today - last).num_days()),
            last_activity: day(&row, 4).map_err(&broken)?,
            dependants: hanging
                .iter()
                .filter(|(_, counts)| counts[nth].0 > 0)
                .map(|(table, counts)| (table.to_string(), counts[nth].0))
                .collect(),
            files: queue
                .files_known
                .then(|| own.unsigned_abs() + of_rows.sum::<u64>()),
            why: dispose.why(from, one.trigger, one.last_day),
            approved_by: approved.unwrap_or_default(),
            void,
            handed_to: row.try_get(3).map_err(&broken)?,
            preview: names.zip(values).collect(),
        });
    }
    Ok(shown)
}

/// Why records are not in their class's queue, in the order of the keys.
///
/// # Errors
/// When the query fails.
pub async fn why_not_queued(
    conn: &mut PgConnection,
    class: &ClassPlan,
    columns: &KeyColumns,
    keys: &[&RecordKey],
) -> Result<Vec<String>, SurveyError> {
    let Some(queue) = asked(class) else {
        let none = "nothing of this class waits for a review";
        return Ok(vec![none.to_owned(); keys.len()]);
    };
    let rows = fetch(conn, class, queue.states(), arrays(columns, keys)).await?;
    let broken = broken(class);
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        let there: bool = row.try_get(1).map_err(&broken)?;
        let claimed: Option<bool> = row.try_get(2).map_err(&broken)?;
        let state: Option<String> = row.try_get(3).map_err(&broken)?;
        let undated: Option<String> = row.try_get(4).map_err(&broken)?;
        let last_day = day(&row, 5).map_err(&broken)?;
        let gate: Option<bool> = row.try_get(6).map_err(&broken)?;
        let active: Option<bool> = row.try_get(7).map_err(&broken)?;
        let below: Option<bool> = row.try_get(8).map_err(&broken)?;
        let why = match state.as_deref() {
            _ if !there => "there is no such record".to_owned(),
            _ if claimed != Some(true) => "it is not one of the class".to_owned(),
            None => match (undated, last_day) {
                (None, Some(last)) => {
                    format!("it is kept through {} yet", last.format("%-d %B %Y"))
                }
                _ => "it has no plausible day to count from".to_owned(),
            },
            Some("held") => "a hold, a restriction or an exemption protects it".to_owned(),
            Some("conflict" | "retained") => "another class protects it".to_owned(),
            Some("active") => "somebody has worked with it since".to_owned(),
            Some("noticed") => "its notice is not over".to_owned(),
            Some("quarantined") => "it failed by itself before, and is quarantined".to_owned(),
            Some("waiting") if active == Some(true) => {
                "somebody has worked with it since".to_owned()
            }
            Some("waiting") if below == Some(true) => {
                "a class protects something that hangs on it".to_owned()
            }
            Some("waiting") if gate == Some(true) => "another class protects it".to_owned(),
            Some("waiting") => "it waits for another decision, not for this review".to_owned(),
            // What is flagged is done, and stays in the queue until somebody approves it.
            Some("due" | "done") => "it is decided already".to_owned(),
            Some(other) => format!("it is {other}"),
        };
        found.push(why);
    }
    Ok(found)
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
