//! A class's limits, asked before anything of it is touched; and the acceptance that lifts
//! them once.

use sqlx::{Connection, PgConnection};

use super::error::EnforceError;
use super::{Pass, PassClock};
use crate::ledger::{Action, Entry, store as ledger};
use crate::plan::{ClassPlan, Measured, Over, Plan};
use crate::store;

/// The limit that the class is over, if it is over one, `acted` records of it having gone in
/// this pass already.
pub(super) async fn reached(
    conn: &mut PgConnection,
    plan: &Plan,
    class: &ClassPlan,
    acted: u64,
) -> Result<Option<Over>, EnforceError> {
    let Some(limits) = &class.limits else {
        return Ok(None);
    };
    let answers = store::measure(conn, &limits.measure, plan.now())
        .await
        .map_err(|e| EnforceError::from_sql("counting what is due against the limits", &e))?;
    let accepted = class.lift.map_or(0, |lift| lift.due);
    Ok(limits.over(&Measured::from(answers), acted, accepted))
}

/// Puts on record that the class was stopped, and keeps what the plan has to say of it, so
/// that it can be accepted; all of it or nothing. Answers how many entries it wrote.
pub(super) async fn stopped(
    conn: &mut PgConnection,
    plan: &Plan,
    class: &ClassPlan,
    pass: &Pass<'_>,
    clock: PassClock,
    run: i64,
    over: &Over,
) -> Result<u64, EnforceError> {
    let sql =
        |error: sqlx::Error| EnforceError::from_sql("keeping the plan over its limits", &error);
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let mut tx = conn.begin().await.map_err(sql)?;
    sqlx::query(
        "INSERT INTO retentiond.stopped_plan
             (plan_digest, class_id, schedule_digest, plan_on, cutoff, limit_key, due, most, run_id, stopped_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         ON CONFLICT (plan_digest, class_id) DO UPDATE SET
             limit_key = excluded.limit_key, due = excluded.due, most = excluded.most,
             run_id = excluded.run_id, stopped_at = excluded.stopped_at",
    )
    .bind(&plan.digest()[..])
    .bind(class.id.as_str())
    .bind(&plan.schedule_digest()[..])
    .bind(class.lift.map_or(plan.on(), |lift| lift.on))
    .bind(class.cutoff)
    .bind(over.limit.name())
    .bind(number(over.due))
    .bind(number(over.most))
    .bind(run)
    .bind(clock.now())
    .execute(&mut *tx)
    .await
    .map_err(sql)?;
    for id in ledger::next_entry_ids(&mut tx, 1).await? {
        let mut entry = Entry::new(id, clock.now(), Action::LimitReached, pass.actor);
        entry.class = Some(class.id.clone());
        entry.table = Some(class.table.clone());
        entry.run = Some(run);
        entry.schedule = Some(*plan.schedule_digest());
        entry.file = Some(*plan.file_digest());
        entry.plan = Some(*plan.digest());
        for (key, value) in [
            ("limit", over.limit.name().to_owned()),
            ("due", over.due.to_string()),
            ("counted", over.counted.to_string()),
            ("most", over.most.to_string()),
        ] {
            entry.detail.insert(key.to_owned(), value);
        }
        ledger::append(&mut tx, &entry, None).await?;
    }
    tx.commit().await.map_err(sql)?;
    Ok(1)
}

/// Notes that this pass goes by the class's lift: what it takes is no measure for others.
/// Before the first batch, so that a pass that is broken off leaves no doubt.
pub(super) async fn begin(
    conn: &mut PgConnection,
    class: &ClassPlan,
    run: i64,
) -> Result<(), EnforceError> {
    let Some(lift) = class.lift else {
        return Ok(());
    };
    sqlx::query(
        "UPDATE retentiond.limit_lift SET runs = runs || $2
          WHERE lift_id = $1 AND NOT $2 = ANY (runs)",
    )
    .bind(lift.id)
    .bind(run)
    .execute(conn)
    .await
    .map(drop)
    .map_err(|e| EnforceError::from_sql("noting that limits are lifted", &e))
}

/// The class was dealt with to the end: its lift, and any that was given before it, is used.
pub(super) async fn end(
    conn: &mut PgConnection,
    class: &ClassPlan,
    clock: PassClock,
) -> Result<(), EnforceError> {
    let Some(lift) = class.lift else {
        return Ok(());
    };
    sqlx::query(
        "UPDATE retentiond.limit_lift SET used_at = $3
          WHERE class_id = $1 AND lift_id <= $2 AND used_at IS NULL",
    )
    .bind(class.id.as_str())
    .bind(lift.id)
    .bind(clock.now())
    .execute(conn)
    .await
    .map(drop)
    .map_err(|e| EnforceError::from_sql("noting that limits were lifted", &e))
}
