//! What reviewers decide about records in a queue: they may go, are kept until a day, or are
//! somebody else's to decide about.

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::{ReviewError, Said, begin, manifest, note, salt};
use crate::ident::{ClassId, TableName};
use crate::ledger::{Action, RecordKey};

/// How many records are sent at once: any number that people decide about, and no more than
/// fit into one parameter.
const CHUNK: usize = 1_000_000;

/// A record as the reviewer saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReviewedRecord {
    /// Its key.
    pub key: RecordKey,
    /// Its trigger.
    pub trigger: Option<NaiveDate>,
    /// Its last day.
    pub last_day: Option<NaiveDate>,
}

/// What is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision<'a> {
    /// They may go.
    Approve,
    /// They stay through this day, and are asked about again.
    Keep(NaiveDate),
    /// Somebody else is to decide.
    HandOn(&'a str),
    /// What was approved is not.
    Revoke,
}

impl Decision<'_> {
    /// Its name in our tables.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Keep(_) => "keep",
            Self::HandOn(_) => "hand-on",
            Self::Revoke => "revoke",
        }
    }
}

/// A decision about records of one class.
#[derive(Debug, Clone, Copy)]
pub struct NewReview<'a> {
    /// The class in whose queue they are.
    pub class: &'a ClassId,
    /// Its table.
    pub table: &'a TableName,
    /// What the class means: an approval under another meaning is void.
    pub class_digest: &'a [u8; 32],
    /// The records.
    pub records: &'a [ReviewedRecord],
    /// What is decided.
    pub decision: Decision<'a>,
    /// Why.
    pub reason: &'a str,
}

/// Records a decision about records; answers its number.
///
/// # Errors
/// When a record's key does not fit the table, or the database refuses.
pub async fn review(
    conn: &mut PgConnection,
    review: &NewReview<'_>,
    actor: &str,
    now: DateTime<Utc>,
) -> Result<i64, ReviewError> {
    let mut tx = begin(conn).await?;
    let salt = salt()?;
    let (until, handed_to) = match review.decision {
        Decision::Keep(until) => (Some(until), None),
        Decision::HandOn(to) => (None, Some(to)),
        Decision::Approve | Decision::Revoke => (None, None),
    };
    let id: i64 = sqlx::query_scalar(
        "INSERT INTO retentiond.review
             (class_id, decision, records, until_on, handed_to, reason, decided_by, decided_at, salt)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING review_id",
    )
    .bind(review.class.as_str())
    .bind(review.decision.name())
    .bind(i64::try_from(review.records.len()).unwrap_or(i64::MAX))
    .bind(until)
    .bind(handed_to)
    .bind(review.reason)
    .bind(actor)
    .bind(now)
    .bind(&salt[..])
    .fetch_one(&mut *tx)
    .await?;
    for records in review.records.chunks(CHUNK) {
        let rows = Rows {
            id,
            review,
            records,
            actor,
            now,
        };
        match review.decision {
            Decision::Approve => rows.approve(&mut tx).await?,
            Decision::Keep(until) => {
                // After that day they are asked about again.
                rows.void(&mut tx).await?;
                rows.keep(&mut tx, until, &salt).await?;
            }
            Decision::HandOn(_) => rows.hand_on(&mut tx).await?,
            Decision::Revoke => rows.void(&mut tx).await?,
        }
    }
    let named = review.records.iter();
    let named = named.map(|record| (&record.key, record.trigger, record.last_day));
    let records = manifest(&mut tx, review.table, named)
        .await?
        .ok_or_else(|| ReviewError::Key(review.table.clone()))?;
    let action = match review.decision {
        Decision::Approve => Action::Approved,
        Decision::Keep(_) => Action::Kept,
        Decision::HandOn(_) => Action::HandedOn,
        Decision::Revoke => Action::ApprovalRevoked,
    };
    let mut words = vec![("by", actor), ("reason", review.reason)];
    words.extend(handed_to.map(|to| ("to", to)));
    let said = Said {
        class: Some(review.class.as_str()),
        table: Some(review.table),
        ..Said::default()
    }
    .records(Some(&records))
    .detail("review", id)
    .detail("class-digest", hex::encode(review.class_digest))
    .day("until", until)
    .words(&salt, &words);
    note(&mut tx, action, said, actor, now).await?;
    tx.commit().await?;
    Ok(id)
}

/// A part of the records, as rows of our tables.
struct Rows<'a, 'r> {
    id: i64,
    review: &'a NewReview<'r>,
    records: &'a [ReviewedRecord],
    actor: &'a str,
    now: DateTime<Utc>,
}

impl Rows<'_, '_> {
    /// The records as JSON: arrays of arrays are not a thing that PostgreSQL unnests.
    fn json(&self) -> Value {
        let records = self.records.iter();
        records
            .map(|record| {
                let (trigger, last_day) = (record.trigger, record.last_day);
                json!({ "k": record.key.to_texts(), "t": trigger, "l": last_day })
            })
            .collect()
    }

    async fn approve(&self, tx: &mut PgConnection) -> Result<(), sqlx::Error> {
        sqlx::query(
            "INSERT INTO retentiond.approval
                 (review_id, class_id, table_name, key, trigger_on, last_day, class_digest, approved_by)
             SELECT $1, $2, $3, k.key, (r->>'t')::date, (r->>'l')::date, $4, $5
               FROM jsonb_array_elements($6) AS r, LATERAL (SELECT array_agg(v ORDER BY nth) AS key
                    FROM jsonb_array_elements_text(r->'k') WITH ORDINALITY AS e (v, nth)) AS k
             ON CONFLICT DO NOTHING",
        )
        .bind(self.id)
        .bind(self.review.class.as_str())
        .bind(self.review.table.to_string())
        .bind(&self.review.class_digest[..])
        .bind(self.actor)
        .bind(self.json())
        .execute(tx)
        .await
        .map(drop)
    }

    async fn void(&self, tx: &mut PgConnection) -> Result<(), sqlx::Error> {
        sqlx::query(
            // Each key is looked up by itself: PostgreSQL may take the table for almost empty, and
            // would compare each of its rows with each key. Nobody else changes one meanwhile.
            "UPDATE retentiond.approval AS p SET voided_at = $2
              WHERE p.ctid = ANY (ARRAY(
                  SELECT w.row
                    FROM jsonb_array_elements($3) AS r
                   CROSS JOIN LATERAL (SELECT array_agg(v ORDER BY nth) AS key
                         FROM jsonb_array_elements_text(r->'k') WITH ORDINALITY AS e (v, nth)) AS k
                   CROSS JOIN LATERAL (SELECT a.ctid AS row FROM retentiond.approval AS a
                         WHERE a.class_id = $1 AND a.key = k.key AND a.run_id IS NULL AND a.voided_at IS NULL
                        OFFSET 0) AS w))",
        )
        .bind(self.review.class.as_str())
        .bind(self.now)
        .bind(self.json())
        .execute(tx)
        .await
        .map(drop)
    }

    async fn keep(
        &self,
        tx: &mut PgConnection,
        until: NaiveDate,
        salt: &[u8; 32],
    ) -> Result<(), sqlx::Error> {
        sqlx::query(
            "INSERT INTO retentiond.hold
                 (form, scope, table_name, key, class_id, kind, reference, reason, owner, until_on,
                  review_id, salt, placed_by, placed_at)
             SELECT 'keep', 'record', $1, k.key, $2, 'keep', $3, $4, $5, $6, $7, $8, $5, $9
               FROM jsonb_array_elements($10) AS r, LATERAL (SELECT array_agg(v ORDER BY nth) AS key
                    FROM jsonb_array_elements_text(r->'k') WITH ORDINALITY AS e (v, nth)) AS k",
        )
        .bind(self.review.table.to_string())
        .bind(self.review.class.as_str())
        .bind(format!("review {}", self.id))
        .bind(self.review.reason)
        .bind(self.actor)
        .bind(until)
        .bind(self.id)
        .bind(&salt[..])
        .bind(self.now)
        .bind(self.json())
        .execute(tx)
        .await
        .map(drop)
    }

    async fn hand_on(&self, tx: &mut PgConnection) -> Result<(), sqlx::Error> {
        sqlx::query(
            "INSERT INTO retentiond.handed_on (class_id, key, review_id)
             SELECT $1, k.key, $2
               FROM jsonb_array_elements($3) AS r, LATERAL (SELECT array_agg(v ORDER BY nth) AS key
                    FROM jsonb_array_elements_text(r->'k') WITH ORDINALITY AS e (v, nth)) AS k
             ON CONFLICT (class_id, key) DO UPDATE SET review_id = excluded.review_id",
        )
        .bind(self.review.class.as_str())
        .bind(self.id)
        .bind(self.json())
        .execute(tx)
        .await
        .map(drop)
    }
}
