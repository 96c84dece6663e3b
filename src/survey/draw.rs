//! From a schedule and a connection to a plan: the catalogue read, the conditions tried,
//! the decisions read. The same for every command, the daemon and the tests.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, Row};

use super::SurveyError;
use crate::catalog::{self, Catalog};
use crate::decisions::{Decisions, Lift};
use crate::ident::ClassId;
use crate::plan::{self, Plan};
use crate::schedule::{Class, Rule, Schedule, Trigger};
use crate::store;

/// A plan, and what it was drawn from.
#[derive(Debug, Clone)]
pub struct Drawn {
    /// The plan.
    pub plan: Plan,
    /// What the database has.
    pub catalog: Catalog,
    /// What people decided about classes.
    pub decisions: Decisions,
    /// Whether our own schema is there; without it a plan can only be looked at.
    pub migrated: bool,
    /// The condition of each class that has one, as SQL over a row `t`: a refused class
    /// has no statements of its own, and still protects what it might claim.
    pub(super) conditions: BTreeMap<ClassId, String>,
}

/// Draws the plan of the day that `now` falls on.
///
/// # Errors
/// When the database does not answer. That a class does not fit it stands in the plan.
pub async fn draw(
    conn: &mut PgConnection,
    schedule: &Schedule,
    now: DateTime<Utc>,
) -> Result<Drawn, SurveyError> {
    draw_beside(conn, schedule, None, now).await
}

/// The same while another version of the schedule waits for acceptance.
///
/// # Errors
/// When the database does not answer.
pub async fn draw_beside(
    conn: &mut PgConnection,
    schedule: &Schedule,
    waiting: Option<&Schedule>,
    now: DateTime<Utc>,
) -> Result<Drawn, SurveyError> {
    let asking = |source| SurveyError::Database {
        what: "the bookkeeping",
        source,
    };
    let migrated = store::is_migrated(conn).await.map_err(asking)?;
    let decisions = if migrated {
        let epoch = store::epoch(conn).await.map_err(asking)?;
        lifts(conn, Decisions::none(epoch)).await.map_err(asking)?
    } else {
        Decisions::before_migration()
    };
    let mut catalog = catalog::read(conn).await?;
    let there = waiting.map_or(&[][..], Schedule::classes);
    for class in schedule.classes().iter().chain(there) {
        let mut conditions: Vec<String> = class.claim().map(|c| c.sql("t")).into_iter().collect();
        if let Rule::Dispose(dispose) = class.rule()
            && let Trigger::Columns(columns) = &dispose.trigger
        {
            conditions.extend(
                columns
                    .iter()
                    .filter_map(|c| c.when.as_ref())
                    .map(|c| c.sql("t")),
            );
        }
        for condition in conditions {
            catalog::try_condition(conn, &mut catalog, class.table(), &condition).await?;
        }
    }
    for dependant in schedule
        .classes()
        .iter()
        .chain(there)
        .filter_map(Class::dispose)
        .flat_map(|dispose| &dispose.dependants)
    {
        if let Some(when) = dependant.relation.as_ref().and_then(|r| r.when.as_ref()) {
            catalog::try_condition(conn, &mut catalog, &dependant.table, &when.sql("t")).await?;
        }
    }
    let plan = plan::draft_beside(schedule, waiting, &catalog, &decisions, now);
    let conditions = schedule
        .classes()
        .iter()
        .filter_map(|class| Some((class.id().clone(), class.claim()?.sql("t"))));
    Ok(Drawn {
        plan,
        catalog,
        decisions,
        migrated,
        conditions: conditions.collect(),
    })
}

/// The acceptances of plans over their limits that no pass has used up; of several for one
/// class the last.
async fn lifts(conn: &mut PgConnection, decisions: Decisions) -> Result<Decisions, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT DISTINCT ON (class_id) class_id, lift_id, plan_on, due, schedule_digest
           FROM retentiond.limit_lift WHERE used_at IS NULL ORDER BY class_id, lift_id DESC",
    )
    .fetch_all(conn)
    .await?;
    let mut decisions = decisions;
    for row in rows {
        let class: String = row.try_get(0)?;
        let schedule: Vec<u8> = row.try_get(4)?;
        if let (Some(class), Ok(schedule)) = (ClassId::new(&class), schedule.try_into()) {
            let lift = Lift {
                id: row.try_get(1)?,
                on: row.try_get(2)?,
                due: u64::try_from(row.try_get::<i64, _>(3)?).unwrap_or(0),
                schedule,
            };
            decisions = decisions.with_lift(class, lift);
        }
    }
    Ok(decisions)
}
