//! The end of a pass: processors are told to destroy what they hold, once each.
//!
//! Nothing of an organisation's tables is touched here. Whether somebody is told is judged by the
//! plan that the pass began with, and again by another one where somebody decided something since.

use chrono::Days;
use sqlx::PgConnection;

use super::tick::{Order, TickError};
use crate::enforce::{ProcessorReport, RunReport};
use crate::ident::ClassId;
use crate::plan::{Plan, ProcessorPlan};
use crate::review::{self, NewOrder, ReviewError};
use crate::survey::{self, HeldElsewhere};

/// How often it is judged again when decisions keep coming.
const AGAIN: u32 = 20;

/// Tells whom it is time to tell; answers whether anybody was.
pub(super) async fn tell(
    conn: &mut PgConnection,
    order: &Order<'_>,
    first: Plan,
    report: &mut RunReport,
) -> Result<bool, TickError> {
    let mut plan = first;
    let mut told: Vec<ProcessorReport> = Vec::new();
    for _ in 0..AGAIN {
        match round(conn, order, &plan, report.id, &mut told).await {
            Ok(()) => break,
            Err(Round::Decided) => {
                let (drawn, _) = survey::draw_in_force(conn, order.schedule, order.now).await?;
                plan = drawn.plan;
            }
            Err(Round::Broken(error)) => return Err(error),
        }
    }
    let issued = told.len();
    report.entries += issued as u64;
    for stands in survey::processors(conn, &plan, true).await? {
        let chosen = order.tells(&stands.class);
        let is_told = told.iter().any(|one| one.id == stands.class);
        if chosen && !is_told {
            told.push(ProcessorReport {
                status: stands.status(),
                waiting: u64::from(stands.waits_for_a_person()),
                reference: stands.reference,
                processor: stands.processor,
                id: stands.class,
            });
        }
    }
    let place = |id: &ClassId| plan.processors().iter().position(|class| &class.id == id);
    told.sort_by_key(|one| place(&one.id).unwrap_or(usize::MAX));
    report.processors = told;
    Ok(issued > 0)
}

enum Round {
    Decided,
    Broken(TickError),
}

async fn round(
    conn: &mut PgConnection,
    order: &Order<'_>,
    plan: &Plan,
    run: i64,
    told: &mut Vec<ProcessorReport>,
) -> Result<(), Round> {
    let stand = survey::processors(conn, plan, true).await;
    let stand = stand.map_err(|error| Round::Broken(error.into()))?;
    for (class, stands) in plan.processors().iter().zip(stand) {
        let chosen = order.tells(&class.id);
        if !stands.to_issue || !chosen || order.stop.is_cancelled() {
            continue;
        }
        match one(conn, order, plan, class, &stands, run).await {
            Ok(None) => {}
            Ok(Some(number)) => told.push(ProcessorReport {
                id: class.id.clone(),
                processor: class.processor.clone(),
                status: "instructed",
                waiting: 0,
                reference: Some(format!("{}/{number}", class.id)),
            }),
            Err(ReviewError::Decided) => return Err(Round::Decided),
            Err(error) => return Err(Round::Broken(error.into())),
        }
    }
    Ok(())
}

async fn one(
    conn: &mut PgConnection,
    order: &Order<'_>,
    plan: &Plan,
    class: &ProcessorPlan,
    stands: &HeldElsewhere,
    run: i64,
) -> Result<Option<i64>, ReviewError> {
    let today = plan.on();
    let answer_by = today.checked_add_days(Days::new(class.tolerance.into()));
    let new = NewOrder {
        class: &class.id,
        organisation: &class.organisation,
        title: &class.title,
        processor: &stands.processor,
        authority: &class.authority,
        owner: class.owner.as_deref(),
        period: class.period.as_deref(),
        term: class.trigger.zip(class.last_day),
        is_gated: class.is_gated,
        past_from: class.past_from.unwrap_or(today),
        tolerance: class.tolerance,
        answer_by: answer_by.unwrap_or(today),
        today,
        run,
        schedule: (plan.schedule_digest(), plan.file_digest()),
    };
    review::issue_order(conn, &new, plan.epoch(), order.actor, order.now).await
}
