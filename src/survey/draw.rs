//! From a schedule and a connection to a plan: the catalogue read, the conditions tried,
//! the decisions read. The same for every command, the daemon and the tests.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::SurveyError;
use crate::catalog::{self, Catalog};
use crate::decisions::Decisions;
use crate::ident::ClassId;
use crate::plan::{self, Plan};
use crate::schedule::{Rule, Schedule, Trigger};
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
    let asking = |source| SurveyError::Database {
        what: "the bookkeeping",
        source,
    };
    let migrated = store::is_migrated(conn).await.map_err(asking)?;
    let decisions = if migrated {
        Decisions::none(store::epoch(conn).await.map_err(asking)?)
    } else {
        Decisions::before_migration()
    };
    let mut catalog = catalog::read(conn).await?;
    for class in schedule.classes() {
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
    let plan = plan::draft(schedule, &catalog, &decisions, now);
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
