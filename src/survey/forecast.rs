//! What becomes due month by month, all from one snapshot.

use chrono::NaiveDate;
use serde::Serialize;
use sqlx::{Connection, PgConnection, Row};

use super::{Drawn, SurveyError};
use crate::ident::ClassId;
use crate::plan::{self, Moment};
use crate::schedule::Schedule;
use crate::store;

/// The records that would stand in each state at the end of a day, if nothing were done
/// before, no row changed and nobody decided anything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Outlook {
    /// Would go.
    pub due: u64,
    /// Past, and a hold protects them.
    pub held: u64,
    /// Past under a maximum, and another class keeps them.
    pub conflict: u64,
    /// Past, and wait for a person.
    pub waiting: u64,
    /// Past, and touched after their trigger.
    pub active: u64,
}

/// The outlook of one class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassForecast {
    /// The class.
    pub id: ClassId,
    /// One for each of the forecast's days; none where the class is refused.
    pub outlooks: Option<Vec<Outlook>>,
}

/// The outlook of every class of a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forecast {
    /// The plan's own day, then the last day of each month.
    pub days: Vec<NaiveDate>,
    /// The classes, in the schedule's order.
    pub classes: Vec<ClassForecast>,
}

/// Forecasts what a plan's classes will have due by the end of each of the next months,
/// the first of which is that of the plan's tomorrow.
///
/// # Errors
/// When a query fails.
pub async fn forecast(
    conn: &mut PgConnection,
    schedule: &Schedule,
    drawn: &Drawn,
    months: u32,
) -> Result<Forecast, SurveyError> {
    let on = drawn.plan.on();
    let mut days = vec![on];
    days.extend(plan::month_ends(on, months));
    let questions = plan::forecast(schedule, &drawn.catalog, &drawn.decisions, &days);
    let failed = |source| SurveyError::Database {
        what: "what becomes due",
        source,
    };
    let mut tx = conn
        .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        .await
        .map_err(failed)?;
    let mut classes = Vec::new();
    for question in questions {
        let broken = |error: sqlx::Error| SurveyError::Class {
            class: question.id.clone(),
            reason: store::reason(&error),
        };
        let mut outlooks = vec![Outlook::default(); days.len()];
        let mut rest = &mut outlooks[..];
        for stretch in question.stretches.iter().flatten() {
            let (these, later) = rest.split_at_mut(stretch.days.min(rest.len()));
            rest = later;
            let rows = store::planned(&stretch.sql)
                .fetch_all(&mut *tx)
                .await
                .map_err(broken)?;
            for row in rows {
                let marks: String = row.try_get(0).map_err(broken)?;
                let records: i64 = row.try_get(1).map_err(broken)?;
                let records = u64::try_from(records).unwrap_or(0);
                for (mark, outlook) in marks.chars().zip(these.iter_mut()) {
                    match Moment::of(mark) {
                        Moment::Due => outlook.due += records,
                        Moment::Held => outlook.held += records,
                        Moment::Conflict => outlook.conflict += records,
                        Moment::Waiting => outlook.waiting += records,
                        Moment::Active => outlook.active += records,
                        Moment::Kept => {}
                    }
                }
            }
        }
        classes.push(ClassForecast {
            id: question.id.clone(),
            outlooks: question.stretches.is_some().then_some(outlooks),
        });
    }
    tx.rollback().await.map_err(failed)?;
    Ok(Forecast { days, classes })
}
