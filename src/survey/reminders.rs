//! What waits for a person and should not be forgotten, each in a sentence.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use sqlx::{PgConnection, Row};

use super::status::bookkeeping;
use super::{Drawn, Overview, SurveyError};
use crate::schedule::{Gate, Rule};

/// Something that waits for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reminder {
    /// `pause`, `hold-review`, `exemption-review`, `instruction`, `review`, `erasure`,
    /// `returned` or `operators`.
    pub kind: &'static str,
    /// The class, if it is about one.
    pub class: Option<String>,
    /// How many holds, records or requests.
    pub count: u64,
    /// Since when, as far as that is known.
    pub since: Option<NaiveDate>,
    /// The sentence.
    pub words: String,
}

/// Gathers what the overview counted and what our tables have.
///
/// # Errors
/// When the database does not answer.
pub async fn reminders(
    conn: &mut PgConnection,
    drawn: &Drawn,
    overview: &Overview,
) -> Result<Vec<Reminder>, SurveyError> {
    let mut found = pauses(conn, drawn).await?;
    found.extend(gates(drawn, overview));
    found.extend(reviews(conn, drawn.plan.on()).await?);
    found.extend(requests(conn).await?);
    let operators: i64 = sqlx::query_scalar("SELECT count(*) FROM retentiond.operator")
        .fetch_one(conn)
        .await
        .map_err(bookkeeping)?;
    if operators == 0 {
        found.push(Reminder {
            kind: "operators",
            class: None,
            count: 0,
            since: None,
            words: "No operator is registered, so every account that reaches the database may decide everything: `retentiond operator add NAME --role administrator`.".to_owned(),
        });
    }
    Ok(found)
}

async fn pauses(conn: &mut PgConnection, drawn: &Drawn) -> Result<Vec<Reminder>, SurveyError> {
    let rows = sqlx::query(
        "SELECT class_id, paused_at, paused_by, reason FROM retentiond.pause
          WHERE resumed_at IS NULL ORDER BY pause_id",
    )
    .fetch_all(conn)
    .await
    .map_err(bookkeeping)?;
    let read = |row: &sqlx::postgres::PgRow| -> Result<Reminder, sqlx::Error> {
        let class: Option<String> = row.try_get(0)?;
        let at: DateTime<Utc> = row.try_get(1)?;
        let (by, reason): (String, String) = (row.try_get(2)?, row.try_get(3)?);
        let since = at.with_timezone(&drawn.plan.time_zone()).date_naive();
        let what = class
            .as_ref()
            .map_or_else(|| "Everything".to_owned(), |class| format!("Class {class}"));
        Ok(Reminder {
            kind: "pause",
            class,
            count: 1,
            since: Some(since),
            words: format!("{what} is paused since {since}, by {by}: {reason}."),
        })
    };
    rows.iter()
        .map(read)
        .collect::<Result<_, _>>()
        .map_err(bookkeeping)
}

/// What is past and waits for an order or a review, as the overview counted it.
fn gates(drawn: &Drawn, overview: &Overview) -> Vec<Reminder> {
    let mut found = Vec::new();
    for class in drawn.plan.classes() {
        let Rule::Dispose(rule) = &class.rule else {
            continue;
        };
        let counted = overview.classes.iter().find(|one| one.id == class.id);
        let waiting = counted.and_then(|one| one.waiting).unwrap_or(0);
        // While it is paused that is what it waits for.
        if waiting == 0 || drawn.decisions.paused(&class.id) {
            continue;
        }
        let since = counted.and_then(|one| one.oldest_overdue);
        let records = match waiting {
            1 => "1 record waits".to_owned(),
            several => format!("{several} records wait"),
        };
        let since_words = since.map_or_else(String::new, |day| format!(", the oldest since {day}"));
        let id = &class.id;
        let (kind, words) = match rule.gate {
            Gate::Instruction if !drawn.decisions.instructed(id) => (
                "instruction",
                format!(
                    "{id}: {records} for the controller's instruction{since_words}: `retentiond instruct {id} --by NAME --reference REF`."
                ),
            ),
            Gate::Review => (
                "review",
                format!(
                    "{id}: {records} for a review{since_words}: `retentiond review list --class {id}`."
                ),
            ),
            Gate::None | Gate::Instruction => continue,
        };
        found.push(Reminder {
            kind,
            class: Some(id.to_string()),
            count: waiting,
            since,
            words,
        });
    }
    found
}

/// Holds and exemptions whose day to be looked at has come.
async fn reviews(conn: &mut PgConnection, on: NaiveDate) -> Result<Vec<Reminder>, SurveyError> {
    let rows = sqlx::query(
        "SELECT form = 'exemption', count(*), min(review_on), array_agg(hold_id ORDER BY review_on, hold_id)
           FROM retentiond.hold
          WHERE released_at IS NULL AND (until_on IS NULL OR until_on >= $1)
            AND form <> 'keep' AND review_on <= $1
          GROUP BY 1 ORDER BY 1",
    )
    .bind(on)
    .fetch_all(conn)
    .await
    .map_err(bookkeeping)?;
    let read = |row: &sqlx::postgres::PgRow| -> Result<Reminder, sqlx::Error> {
        let exemption: bool = row.try_get(0)?;
        let count = row.try_get::<i64, _>(1)?.unsigned_abs();
        let since: NaiveDate = row.try_get(2)?;
        let numbers: Vec<i64> = row.try_get(3)?;
        let shown: Vec<String> = numbers.iter().take(10).map(ToString::to_string).collect();
        let more = if numbers.len() > 10 { ", …" } else { "" };
        let (kind, one, several, command) = match exemption {
            true => (
                "exemption-review",
                "exemption is",
                "exemptions are",
                "exempt",
            ),
            false => ("hold-review", "hold is", "holds are", "hold"),
        };
        let noun = if count == 1 { one } else { several };
        Ok(Reminder {
            kind,
            class: None,
            count,
            since: Some(since),
            words: format!(
                "{count} {noun} to be looked at again, the first since {since} ({}{more}): `retentiond {command} list --open`.",
                shown.join(", ")
            ),
        })
    };
    rows.iter()
        .map(read)
        .collect::<Result<_, _>>()
        .map_err(bookkeeping)
}

/// People's requests for erasure that are not fulfilled, or whose records are there again.
async fn requests(conn: &mut PgConnection) -> Result<Vec<Reminder>, SurveyError> {
    let row = sqlx::query(
        "SELECT count(*) FILTER (WHERE closed_at IS NULL), min(requested_on) FILTER (WHERE closed_at IS NULL),
                count(*) FILTER (WHERE returned_at IS NOT NULL AND known_by IS NULL)
           FROM retentiond.erasure",
    )
    .fetch_one(conn)
    .await
    .map_err(bookkeeping)?;
    let read = || -> Result<_, sqlx::Error> {
        Ok((
            row.try_get::<i64, _>(0)?.unsigned_abs(),
            row.try_get::<Option<NaiveDate>, _>(1)?,
            row.try_get::<i64, _>(2)?.unsigned_abs(),
        ))
    };
    let (open, since, returned) = read().map_err(bookkeeping)?;
    let mut found = Vec::new();
    let requests = |count: u64, one: &str, several: &str| match count {
        1 => format!("1 request for erasure {one}"),
        _ => format!("{count} requests for erasure {several}"),
    };
    if open > 0 {
        let since_words =
            since.map_or_else(String::new, |day| format!(", the first came in on {day}"));
        found.push(Reminder {
            kind: "erasure",
            class: None,
            count: open,
            since,
            words: format!(
                "{}{since_words}: `retentiond subject list --open`.",
                requests(open, "is not fulfilled", "are not fulfilled")
            ),
        });
    }
    if returned > 0 {
        found.push(Reminder {
            kind: "returned",
            class: None,
            count: returned,
            since: None,
            words: format!(
                "{}: `retentiond subject list --open`, then erase them again or say that they are `known`.",
                requests(returned, "has records that are there again", "have records that are there again")
            ),
        });
    }
    Ok(found)
}
