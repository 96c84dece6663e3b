//! What a record waits for before it may go, class by class, and who has said what about it.

use chrono::{DateTime, Days, NaiveDate, Utc};
use serde::Serialize;
use sqlx::{PgConnection, Row};

use super::super::status::bookkeeping;
use super::{Claim, Drawn, SurveyError};
use crate::ident::TableName;
use crate::ledger::RecordKey;
use crate::plan::ClassPlan;
use crate::schedule::{Disposal, Gate, Rule};

/// Something that has to happen, or to be over, before a class lets the record go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Awaited {
    /// The class.
    pub class: String,
    /// `review`, `instruction`, `notice` or `pause`.
    pub gate: &'static str,
    /// Whether it keeps the record no more.
    pub open: bool,
    /// Who said what, and when.
    pub words: String,
}

/// The gates of the classes that claim the record.
pub(super) async fn gates(
    conn: &mut PgConnection,
    drawn: &Drawn,
    table: &TableName,
    key: &RecordKey,
    claims: &[Claim],
) -> Result<Vec<Awaited>, SurveyError> {
    let mut found = Vec::new();
    if !drawn.migrated {
        return Ok(found);
    }
    for claim in claims {
        let class = drawn
            .plan
            .classes()
            .iter()
            .find(|class| class.id == claim.class && &class.table == table);
        let Some((class, Rule::Dispose(rule))) = class.map(|class| (class, &class.rule)) else {
            continue;
        };
        let said = |gate, (open, words)| Awaited {
            class: claim.class.to_string(),
            gate,
            open,
            words,
        };
        match rule.gate {
            Gate::None => {}
            Gate::Review => found.push(said(
                "review",
                review(conn, drawn, class, key, claim, rule.approvals).await?,
            )),
            Gate::Instruction => {
                found.push(said("instruction", instruction(conn, drawn, class).await?));
            }
        }
        // A flag gives no warning of a flag.
        let flags = rule.disposal == Disposal::Flag;
        if let Some(days) = rule.notice.filter(|_| !flags)
            && !claim.at_once
            && claim.requested_on.is_none()
        {
            found.push(said("notice", notice(conn, drawn, class, key, days).await?));
        }
        if drawn.decisions.paused(&class.id) {
            found.push(said("pause", pause(conn, drawn, class).await?));
        }
    }
    Ok(found)
}

fn day(drawn: &Drawn, at: DateTime<Utc>) -> NaiveDate {
    at.with_timezone(&drawn.plan.time_zone()).date_naive()
}

async fn review(
    conn: &mut PgConnection,
    drawn: &Drawn,
    class: &ClassPlan,
    key: &RecordKey,
    claim: &Claim,
    needed: u32,
) -> Result<(bool, String), SurveyError> {
    let rows = sqlx::query(
        "SELECT DISTINCT ON (a.approved_by) a.approved_by, r.decided_at,
                a.class_digest = $3 AND a.trigger_on::text IS NOT DISTINCT FROM $4
                    AND a.last_day IS NOT DISTINCT FROM $5
           FROM retentiond.approval AS a JOIN retentiond.review AS r USING (review_id)
          WHERE a.class_id = $1 AND a.key = $2 AND a.run_id IS NULL AND a.voided_at IS NULL
          ORDER BY a.approved_by, 3 DESC, r.decided_at",
    )
    .bind(class.id.as_str())
    .bind(key.to_texts())
    .bind(&class.digest[..])
    .bind(&claim.trigger)
    .bind(claim.last_day)
    .fetch_all(conn)
    .await
    .map_err(bookkeeping)?;
    let (mut valid, mut void) = (Vec::new(), Vec::new());
    for row in &rows {
        let by: String = row.try_get(0).map_err(bookkeeping)?;
        let on = day(drawn, row.try_get(1).map_err(bookkeeping)?);
        match row.try_get::<bool, _>(2).map_err(bookkeeping)? {
            true => valid.push(format!("{by} on {on}")),
            false => void.push(format!("{by} on {on}")),
        }
    }
    let open = valid.len() >= needed as usize;
    let mut words = match (valid.is_empty(), open) {
        (true, _) => "nobody has approved it".to_owned(),
        (false, true) => format!("approved by {}", valid.join(" and by ")),
        (false, false) => format!(
            "approved by {}; it takes {needed} different people",
            valid.join(" and by ")
        ),
    };
    if !void.is_empty() {
        words.push_str(&format!(
            "; what {} approved has changed since",
            void.join(" and ")
        ));
    }
    Ok((open, words))
}

async fn instruction(
    conn: &mut PgConnection,
    drawn: &Drawn,
    class: &ClassPlan,
) -> Result<(bool, String), SurveyError> {
    let row = sqlx::query(
        "SELECT given_by, reference, recorded_at, until_on FROM retentiond.instruction
          WHERE class_id = $1 AND withdrawn_at IS NULL AND (until_on IS NULL OR until_on >= $2)
          ORDER BY instruction_id DESC LIMIT 1",
    )
    .bind(class.id.as_str())
    .bind(drawn.plan.on())
    .fetch_optional(conn)
    .await
    .map_err(bookkeeping)?;
    let Some(row) = row else {
        return Ok((false, "the controller has given no instruction".to_owned()));
    };
    let read = || -> Result<_, sqlx::Error> {
        Ok((
            row.try_get::<String, _>(0)?,
            row.try_get::<String, _>(1)?,
            row.try_get::<DateTime<Utc>, _>(2)?,
            row.try_get::<Option<NaiveDate>, _>(3)?,
        ))
    };
    let (by, reference, at, until) = read().map_err(bookkeeping)?;
    let until = until.map_or_else(String::new, |until| format!(", through {until}"));
    Ok((
        true,
        format!(
            "ordered by {by}, {reference}, recorded on {}{until}",
            day(drawn, at)
        ),
    ))
}

async fn notice(
    conn: &mut PgConnection,
    drawn: &Drawn,
    class: &ClassPlan,
    key: &RecordKey,
    days: u32,
) -> Result<(bool, String), SurveyError> {
    let flagged: Option<DateTime<Utc>> = sqlx::query_scalar(
        "SELECT flagged_at FROM retentiond.flag
          WHERE class_id = $1 AND key = $2 AND class_digest = $3",
    )
    .bind(class.id.as_str())
    .bind(key.to_texts())
    .bind(&class.digest[..])
    .fetch_optional(conn)
    .await
    .map_err(bookkeeping)?;
    let Some(on) = flagged.map(|at| day(drawn, at)) else {
        return Ok((
            false,
            format!("it is not flagged yet, and goes {days} days after it is"),
        ));
    };
    let over = on.checked_add_days(Days::new(u64::from(days)));
    let open = over.is_some_and(|over| over <= drawn.plan.on());
    let over = over.map_or_else(|| "never".to_owned(), |day| day.to_string());
    Ok((
        open,
        format!("flagged on {on}, its notice is over on {over}"),
    ))
}

async fn pause(
    conn: &mut PgConnection,
    drawn: &Drawn,
    class: &ClassPlan,
) -> Result<(bool, String), SurveyError> {
    let row = sqlx::query(
        "SELECT paused_by, paused_at, reason FROM retentiond.pause
          WHERE resumed_at IS NULL AND (class_id IS NULL OR class_id = $1)
          ORDER BY pause_id LIMIT 1",
    )
    .bind(class.id.as_str())
    .fetch_optional(conn)
    .await
    .map_err(bookkeeping)?;
    let words = match row {
        None => "paused".to_owned(),
        Some(row) => {
            let read = || -> Result<_, sqlx::Error> {
                Ok((
                    row.try_get::<String, _>(0)?,
                    row.try_get::<DateTime<Utc>, _>(1)?,
                    row.try_get::<String, _>(2)?,
                ))
            };
            let (by, at, reason) = read().map_err(bookkeeping)?;
            format!("paused by {by} on {}: {reason}", day(drawn, at))
        }
    };
    Ok((false, words))
}
