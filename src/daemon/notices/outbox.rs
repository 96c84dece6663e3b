//! The outbox, and what each receiver was told.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use sqlx::{Connection, FromRow, PgConnection};

use super::Receiver;
use super::news::{self, Matter, Pass, Told, Why};
use crate::survey::SurveyError;

/// Messages of one receiver that were not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, FromRow)]
pub struct Undelivered {
    /// `email` or `webhook`.
    pub kind: String,
    /// Its name in the settings.
    pub receiver: String,
    /// How many are tried again.
    pub waiting: i64,
    /// How many were given up, after a week.
    pub given_up: i64,
    /// When the oldest was written.
    pub since: DateTime<Utc>,
    /// Why the last try failed.
    pub last_error: Option<String>,
}

/// The receivers that have not everything.
///
/// # Errors
/// When the database does not answer.
pub async fn undelivered(conn: &mut PgConnection) -> Result<Vec<Undelivered>, SurveyError> {
    sqlx::query_as(
        "SELECT kind, receiver,
                count(*) FILTER (WHERE given_up_at IS NULL) AS waiting,
                count(given_up_at) AS given_up,
                min(created_at) AS since,
                (array_agg(last_error ORDER BY notice_id DESC) FILTER (WHERE last_error IS NOT NULL))[1] AS last_error
           FROM retentiond.notice
          WHERE delivered_at IS NULL
          GROUP BY kind, receiver
          ORDER BY kind, receiver",
    )
    .fetch_all(conn)
    .await
    .map_err(|source| SurveyError::Database {
        what: "the outbox of notices",
        source,
    })
}

/// Writes what is news for each receiver, and remembers it: all of it or nothing.
pub(super) async fn record(
    conn: &mut PgConnection,
    receivers: &[Receiver],
    pass: &Pass<'_>,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let matters = news::matters(pass);
    let mut tx = conn.begin().await?;
    // What is over is of no use to anybody after a season.
    sqlx::query(
        "DELETE FROM retentiond.notice
          WHERE coalesce(delivered_at, given_up_at) < $1::timestamptz - interval '90 days'",
    )
    .bind(now)
    .execute(&mut *tx)
    .await?;
    for receiver in receivers {
        let wanted: Vec<&Matter> = matters
            .iter()
            .filter(|matter| receiver.on.iter().any(|on| on == matter.topic))
            .collect();
        let said = tell(&mut tx, receiver, &wanted, pass).await?;
        if said.is_empty() {
            continue;
        }
        sqlx::query(
            "INSERT INTO retentiond.notice
                    (idempotency_key, kind, receiver, run_id, body, created_at, next_try_at)
             VALUES ('notice_' || gen_random_uuid(), $1, $2, $3, $4::json, $5, $5)",
        )
        .bind(receiver.kind())
        .bind(&receiver.name)
        .bind(pass.report.id)
        .bind(news::message(pass, &said).to_string())
        .bind(now)
        .execute(&mut *tx)
        .await?;
    }
    tx.commit().await
}

/// What is to be told to one receiver, noted as told.
async fn tell<'a>(
    conn: &mut PgConnection,
    receiver: &Receiver,
    wanted: &[&'a Matter],
    pass: &Pass<'_>,
) -> Result<Vec<(&'a Matter, Why)>, sqlx::Error> {
    let on = pass.overview.on;
    let rows: Vec<(String, String, i64, NaiveDate, NaiveDate)> = sqlx::query_as(
        "SELECT topic, about, count, since, told_on FROM retentiond.notice_told
          WHERE kind = $1 AND receiver = $2 FOR UPDATE",
    )
    .bind(receiver.kind())
    .bind(&receiver.name)
    .fetch_all(&mut *conn)
    .await?;
    let mut told: BTreeMap<(String, String), Told> = rows
        .into_iter()
        .map(|(topic, about, count, since, told_on)| {
            let count = u64::try_from(count).unwrap_or(0);
            let told = Told {
                count,
                since,
                told_on,
            };
            ((topic, about), told)
        })
        .collect();
    let mut said = Vec::new();
    for matter in wanted {
        let before = told.remove(&(matter.topic.to_owned(), matter.about.clone()));
        let why = news::why(matter, before.as_ref(), on);
        said.extend(why.map(|why| (*matter, why)));
        if matter.passing {
            continue;
        }
        let told_on = match (why, before) {
            (None, Some(before)) => before.told_on,
            _ => on,
        };
        sqlx::query(
            "INSERT INTO retentiond.notice_told (kind, receiver, topic, about, count, since, told_on)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (kind, receiver, topic, about)
             DO UPDATE SET count = excluded.count, told_on = excluded.told_on",
        )
        .bind(receiver.kind())
        .bind(&receiver.name)
        .bind(matter.topic)
        .bind(&matter.about)
        .bind(i64::try_from(matter.count).unwrap_or(i64::MAX))
        .bind(before.map_or(on, |before| before.since))
        .bind(told_on)
        .execute(&mut *conn)
        .await?;
    }
    if pass.whole {
        // What is over is news when it comes again.
        for (topic, about) in told.into_keys() {
            sqlx::query(
                "DELETE FROM retentiond.notice_told
                  WHERE kind = $1 AND receiver = $2 AND topic = $3 AND about = $4",
            )
            .bind(receiver.kind())
            .bind(&receiver.name)
            .bind(topic)
            .bind(about)
            .execute(&mut *conn)
            .await?;
        }
    }
    Ok(said)
}

/// A message to be tried.
#[derive(Debug, FromRow)]
pub(super) struct Message {
    pub(super) notice_id: i64,
    pub(super) idempotency_key: String,
    pub(super) kind: String,
    pub(super) receiver: String,
    pub(super) body: String,
    pub(super) created_at: DateTime<Utc>,
}

/// Takes what is to be tried by now. Nobody else does before its next time, which is set
/// first: whoever dies meanwhile leaves it to be tried again.
pub(super) async fn claim(
    conn: &mut PgConnection,
    receivers: &[String],
    now: DateTime<Utc>,
) -> Result<Vec<Message>, sqlx::Error> {
    sqlx::query_as(
        "UPDATE retentiond.notice
            SET attempts = attempts + 1,
                next_try_at = $1 + least(interval '6 hours',
                                         interval '1 minute' * power(2, least(attempts, 10)))
          WHERE notice_id IN (
                SELECT notice_id FROM retentiond.notice
                 WHERE delivered_at IS NULL AND given_up_at IS NULL
                   AND next_try_at <= $1 AND kind || '.' || receiver = ANY ($2)
                 ORDER BY notice_id LIMIT 50
                   FOR UPDATE SKIP LOCKED)
         RETURNING notice_id, idempotency_key, kind, receiver, body::text AS body, created_at",
    )
    .bind(now)
    .bind(receivers)
    .fetch_all(conn)
    .await
}

/// Notes that it was taken.
pub(super) async fn delivered(
    conn: &mut PgConnection,
    message: &Message,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE retentiond.notice SET delivered_at = $2, last_error = NULL
          WHERE notice_id = $1 AND delivered_at IS NULL AND given_up_at IS NULL",
    )
    .bind(message.notice_id)
    .bind(now)
    .execute(conn)
    .await
    .map(drop)
}

/// Notes why it was not; answers whether it is given up.
pub(super) async fn failed(
    conn: &mut PgConnection,
    message: &Message,
    words: &str,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let given_up: Option<bool> = sqlx::query_scalar(
        "UPDATE retentiond.notice
            SET last_error = $2,
                given_up_at = CASE WHEN created_at <= $3::timestamptz - interval '7 days' THEN $3::timestamptz END
          WHERE notice_id = $1 AND delivered_at IS NULL AND given_up_at IS NULL
         RETURNING given_up_at IS NOT NULL",
    )
    .bind(message.notice_id)
    .bind(words)
    .bind(now)
    .fetch_optional(conn)
    .await?;
    Ok(given_up.unwrap_or(false))
}
