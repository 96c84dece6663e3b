//! From a schedule and a connection to a plan: the catalogue read, the conditions tried,
//! the decisions read. The same for every command, the daemon and the tests.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::{PgConnection, Row};

use super::SurveyError;
use crate::catalog::{self, Catalog};
use crate::decisions::{Binds, Decisions, Epoch, Lift, ProcessorHold, RuleHold};
use crate::ident::ClassId;
use crate::plan::{self, Plan};
use crate::schedule::{Class, Condition, Rule, Schedule, Trigger};
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
        let on = now.with_timezone(&schedule.time_zone()).date_naive();
        decided(conn, schedule, waiting, epoch, on)
            .await
            .map_err(asking)?
    } else {
        Decisions::before_migration()
    };
    let mut catalog = catalog::read(conn).await?;
    for hold in decisions.holds() {
        for text in hold.claim.iter().chain(&hold.condition) {
            if let Ok(condition) = Condition::parse(text) {
                catalog::try_hold(conn, &mut catalog, &hold.table, &condition.sql("t")).await?;
            }
        }
    }
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
        let or_when = class.dispose().and_then(|rule| rule.or_when.as_ref());
        conditions.extend(or_when.map(|c| c.sql("t")));
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

/// What people decided about classes, as it binds on a day.
async fn decided(
    conn: &mut PgConnection,
    schedule: &Schedule,
    waiting: Option<&Schedule>,
    epoch: Epoch,
    on: NaiveDate,
) -> Result<Decisions, sqlx::Error> {
    let mut decisions = lifts(conn, Decisions::none(epoch)).await?;
    let instructed: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT class_id FROM retentiond.instruction
          WHERE withdrawn_at IS NULL AND (until_on IS NULL OR until_on >= $1)",
    )
    .bind(on)
    .fetch_all(&mut *conn)
    .await?;
    for class in instructed.iter().filter_map(|id| ClassId::new(id)) {
        decisions = decisions.with_instruction(class);
    }
    let paused: Vec<Option<String>> =
        sqlx::query_scalar("SELECT class_id FROM retentiond.pause WHERE resumed_at IS NULL")
            .fetch_all(&mut *conn)
            .await?;
    for class in schedule
        .ids()
        .chain(waiting.into_iter().flat_map(Schedule::ids))
    {
        let named = |pause: &Option<String>| pause.as_ref().is_none_or(|id| id == class.as_str());
        if paused.iter().any(named) {
            decisions = decisions.with_pause(class.clone());
        }
    }
    let erasing: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM retentiond.erasure WHERE closed_at IS NULL)",
    )
    .fetch_one(&mut *conn)
    .await?;
    if erasing {
        decisions = decisions.with_erasure();
    }
    rule_holds(conn, schedule, decisions, on).await
}

/// The holds on classes and conditions that bind on a day or may after it.
async fn rule_holds(
    conn: &mut PgConnection,
    schedule: &Schedule,
    decisions: Decisions,
    on: NaiveDate,
) -> Result<Decisions, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT hold_id, class_id, table_name, claim, condition,
                released_at IS NULL, until_on, not_before
           FROM retentiond.hold
          WHERE scope IN ('class', 'condition')
            AND (released_at IS NULL AND (until_on IS NULL OR until_on >= $1) OR not_before > $1)
          ORDER BY hold_id",
    )
    .bind(on)
    .fetch_all(conn)
    .await?;
    let mut decisions = decisions;
    for row in rows {
        let (class, table): (String, Option<String>) = (row.try_get(1)?, row.try_get(2)?);
        let table = table.map(|table| table.parse()).transpose();
        let (Some(class), Ok(table)) = (ClassId::new(&class), table) else {
            return Err(sqlx::Error::Decode("a hold's class or table".into()));
        };
        let (id, claim): (i64, Option<String>) = (row.try_get(0)?, row.try_get(3)?);
        let binds = Binds {
            is_open: row.try_get(5)?,
            until: row.try_get(6)?,
            not_before: row.try_get(7)?,
        };
        // What a processor held when the hold was placed may lie in a table now.
        let moved = schedule.class(&class).filter(|_| table.is_none());
        let claim = claim.or_else(|| moved?.claim().map(Condition::text));
        let Some(table) = table.or_else(|| moved.map(|class| class.table().clone())) else {
            decisions = decisions.with_hold_elsewhere(ProcessorHold { id, class, binds });
            continue;
        };
        decisions = decisions.with_hold(RuleHold {
            id,
            class,
            table,
            claim,
            condition: row.try_get(4)?,
            binds,
        });
    }
    Ok(decisions)
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
