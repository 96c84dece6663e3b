//! A pass over all classes: what `run` does, and what each tick of the daemon does.

use std::time::{Duration, Instant};

use sqlx::{PgConnection, Row};

use super::batch::Context;
use super::class::{self, Ended};
use super::error::EnforceError;
use super::files;
use super::limit;
use super::log;
use super::report::{ClassReport, Head, Outcome, RunReport, Status};
use super::{Event, Pass, PassClock};
use crate::ident::ClassId;
use crate::ledger::{Action, Entry, store as ledger};
use crate::plan::{ClassPlan, Plan, Standing};
use crate::store::{self, Lease, LeaseError};

/// How often a plan is drawn again within one pass, when decisions keep coming.
const REPLANS: u32 = 20;

/// Makes one pass. `redraw` gives a new plan for the same instant when a decision was
/// taken meanwhile.
///
/// A class that is refused or fails is reported and does not stop the others.
///
/// # Errors
/// When the pass could not be begun or ended in our own tables. Everything that a class
/// did before that is committed, with its ledger entries.
pub async fn pass<R>(
    conn: &mut PgConnection,
    mut plan: Plan,
    pass: &Pass<'_>,
    mut redraw: R,
) -> Result<RunReport, EnforceError>
where
    R: AsyncFnMut(&mut PgConnection) -> Result<Plan, EnforceError>,
{
    let clock = PassClock::of(&plan);
    let first = plan.clone();
    let run = begin(conn, &plan, pass).await?;
    let mut entries = 0;
    let mut reports: Vec<ClassReport> = Vec::new();
    // Files that an interrupted pass left behind.
    let mut tried = 0;
    let mut file_reports =
        remove_files(conn, &plan, pass, clock, run, &mut entries, &mut tried).await?;

    let ids: Vec<ClassId> = plan.in_order().map(|class| class.id.clone()).collect();
    let mut replans = 0;
    for id in ids {
        while let Some(class) = plan.class(&id).cloned() {
            if pass.stop.is_cancelled() || !pass.takes(&id) {
                reports.push(ClassReport::new(id.clone(), class.disposal, Status::Idle));
                break;
            }
            let outcome = one(
                conn,
                &plan,
                &class,
                pass,
                clock,
                run,
                &mut entries,
                &mut reports,
            )
            .await;
            match outcome {
                Ok(()) => break,
                Err(EnforceError::Replan) if replans < REPLANS => {
                    replans += 1;
                    plan = redraw(conn).await?;
                }
                Err(error) => return Err(error),
            }
        }
        let leaves_files = plan.class(&id).is_some_and(|class| match &class.rule {
            crate::schedule::Rule::Dispose(dispose) => !dispose.files.is_empty(),
            crate::schedule::Rule::Retain { .. } => false,
        });
        if leaves_files {
            file_reports.extend(
                remove_files(conn, &plan, pass, clock, run, &mut entries, &mut tried).await?,
            );
        }
        if let Some(report) = reports.iter_mut().find(|report| report.id == id) {
            add_files(report, &mut file_reports);
            (pass.observe)(Event::Ended(report));
        }
    }
    // Of classes that came earlier, whose files an interrupted pass had left.
    for report in &mut reports {
        add_files(report, &mut file_reports);
    }
    // The order of the schedule, whatever the order of work was.
    reports.sort_by_key(|report| {
        plan.classes()
            .iter()
            .position(|class| class.id == report.id)
    });
    let mut report = finish(conn, &first, pass, clock, run, entries, reports).await?;
    match log::publish(conn, pass, clock).await {
        Ok(signed) => report.checkpoint = signed.map(|signed| Head::new(signed.size, &signed.root)),
        Err(reason) => report.unpublished = Some(reason),
    }
    Ok(report)
}

/// One class; a fault of its own ends in its report, not in an error.
#[expect(
    clippy::too_many_arguments,
    reason = "the state of one pass, threaded through its classes"
)]
async fn one(
    conn: &mut PgConnection,
    plan: &Plan,
    class: &ClassPlan,
    pass: &Pass<'_>,
    clock: PassClock,
    run: i64,
    entries: &mut u64,
    reports: &mut Vec<ClassReport>,
) -> Result<(), EnforceError> {
    // A class that was broken off for a new plan goes on with the report it has.
    let at = match reports.iter().position(|report| report.id == class.id) {
        Some(at) => at,
        None => {
            reports.push(ClassReport::new(
                class.id.clone(),
                class.disposal,
                Status::Idle,
            ));
            reports.len() - 1
        }
    };
    let begun = Instant::now();
    let mut report = reports[at].clone();
    (pass.observe)(Event::Began(class));
    let outcome = match class.standing {
        Standing::Retained => {
            report.status = Status::Retained;
            Ok(())
        }
        Standing::Refused => {
            report.status = Status::Refused;
            let reasons: Vec<String> = class
                .refusals
                .iter()
                .map(|r| format!("{}: {}", r.code, r.message))
                .collect();
            report.reason = Some(reasons.join("; "));
            let codes: Vec<&str> = class.refusals.iter().map(|r| r.code.as_str()).collect();
            *entries += note(
                conn,
                plan,
                class,
                pass,
                clock,
                run,
                Action::Refused,
                &codes.join(" "),
            )
            .await?;
            Ok(())
        }
        Standing::Waiting => waits(conn, class, &mut report).await,
        Standing::Ready => act(conn, plan, class, pass, clock, run, entries, &mut report).await,
    };
    report.seconds += begun.elapsed().as_secs_f64();
    reports[at] = report;
    match outcome {
        Ok(()) => Ok(()),
        Err(EnforceError::Replan) => Err(EnforceError::Replan),
        Err(error) => {
            let report = &mut reports[at];
            report.status = Status::Failed;
            report.reason = Some(error.to_string());
            (pass.observe)(Event::Trouble(&class.id, &error.to_string()));
            if matches!(error, EnforceError::Database { lost: true, .. }) {
                return Err(error);
            }
            *entries += note(
                conn,
                plan,
                class,
                pass,
                clock,
                run,
                Action::Failed,
                &error.to_string(),
            )
            .await?;
            Ok(())
        }
    }
}

#[expect(
    clippy::too_many_arguments,
    reason = "the state of one pass, threaded through its classes"
)]
async fn act(
    conn: &mut PgConnection,
    plan: &Plan,
    class: &ClassPlan,
    pass: &Pass<'_>,
    clock: PassClock,
    run: i64,
    entries: &mut u64,
    report: &mut ClassReport,
) -> Result<(), EnforceError> {
    let Some(work) = &class.work else {
        return Ok(());
    };
    if let crate::schedule::Rule::Dispose(dispose) = &class.rule {
        for file in &dispose.files {
            pass.stores.get(&file.store)?;
        }
    }
    let lease = lease_on(conn, class, pass).await?;
    let over = match limit::reached(conn, plan, class, report.acted()).await {
        Ok(over) => over,
        Err(error) => {
            lease.release(conn).await?;
            return Err(error);
        }
    };
    if let Some(over) = over {
        *entries += limit::stopped(conn, plan, class, pass, clock, run, &over).await?;
        lease.release(conn).await?;
        waits(conn, class, report).await?;
        report.status = Status::Waiting;
        report.waiting += over.due;
        report.skipped.limit = over.due;
        report.reason = Some(over.to_string());
        return Ok(());
    }
    limit::begin(conn, class, run).await?;
    let pads = pads()?;
    let mut ended = Ok(Ended::Whole);
    for work in class.earlier.iter().chain([work]) {
        let context = Context {
            plan,
            class,
            work,
            lease: &lease,
            pass,
            clock,
            run,
            pads: &pads,
        };
        ended = class::run(conn, &context, report, entries).await;
        if !matches!(ended, Ok(Ended::Whole)) {
            break;
        }
    }
    if matches!(ended, Ok(Ended::Whole)) {
        class::clear_quarantine(conn, &class.id, run).await?;
    }
    let released = lease.release(conn).await;
    let ended = ended?;
    released?;
    report.skipped.held = class::held(conn, &work.held).await?;
    waits(conn, class, report).await?;
    if ended == Ended::Whole {
        report.status = if report.status == Status::Waiting {
            Status::Waiting
        } else if report.acted() > 0 || report.failed > 0 || report.skipped.held > 0 {
            Status::Done
        } else {
            report.status
        };
        limit::end(conn, class, clock).await?;
        // What a person accepted beyond the limits is no measure for the next pass.
        let rows = class.lift.is_none().then(|| report.acted());
        sqlx::query(
            "INSERT INTO retentiond.class_state AS s (class_id, last_success, last_run_id, last_status, last_rows)
             VALUES ($1, $2, $3, 'done', $4)
             ON CONFLICT (class_id) DO UPDATE SET last_success = excluded.last_success,
                 last_run_id = excluded.last_run_id, last_status = excluded.last_status,
                 last_rows = coalesce(excluded.last_rows, s.last_rows)",
        )
        .bind(class.id.as_str())
        .bind(plan.now())
        .bind(run)
        .bind(rows.map(|rows| i64::try_from(rows).unwrap_or(i64::MAX)))
        .execute(conn)
        .await
        .map_err(|e| EnforceError::from_sql("noting the class's success", &e))?;
    }
    Ok(())
}

/// Waits for the class's lease, a second at a time, so that a stop is heard meanwhile.
async fn lease_on(
    conn: &mut PgConnection,
    class: &ClassPlan,
    pass: &Pass<'_>,
) -> Result<Lease, EnforceError> {
    const SLICE: Duration = Duration::from_secs(1);
    let mut left = pass.patience;
    loop {
        let slice = left.min(SLICE);
        match Lease::acquire(conn, &class.id, pass.holder, slice).await {
            Err(LeaseError::Taken { class, holder, .. }) => {
                left -= slice;
                if left.is_zero() || pass.stop.is_cancelled() {
                    let waited = pass.patience - left;
                    return Err(LeaseError::Taken {
                        class,
                        holder,
                        waited,
                    }
                    .into());
                }
            }
            other => return Ok(other?),
        }
    }
}

/// Counts what waits for a person, where anything can.
async fn waits(
    conn: &mut PgConnection,
    class: &ClassPlan,
    report: &mut ClassReport,
) -> Result<(), EnforceError> {
    let Some(sql) = class
        .questions
        .as_ref()
        .and_then(|questions| questions.waits.as_deref())
    else {
        return Ok(());
    };
    let failed = |error: sqlx::Error| EnforceError::from_sql("counting what waits", &error);
    let row = store::planned(sql).fetch_one(conn).await.map_err(failed)?;
    let number = |nth: usize| {
        row.try_get::<i64, _>(nth)
            .map(|n| u64::try_from(n).unwrap_or(0))
            .map_err(failed)
    };
    report.conflict = number(0)?;
    report.waiting = number(1)?;
    let gated = class.standing == Standing::Waiting || class.is_reviewed();
    if gated && report.waiting > 0 && report.acted() == 0 {
        report.status = Status::Waiting;
    }
    Ok(())
}

/// Removes the files queued after item `tried`, which moves on: what could not be removed
/// is not tried again until the next pass.
/// Moves what became of a class's files into its report.
fn add_files(report: &mut ClassReport, files: &mut Vec<(Option<ClassId>, u64, u64)>) {
    files.retain(|(class, removed, failed)| {
        let own = class.as_ref() == Some(&report.id);
        if own {
            report.files += removed;
            report.failed += failed;
        }
        !own
    });
}

async fn remove_files(
    conn: &mut PgConnection,
    plan: &Plan,
    pass: &Pass<'_>,
    clock: PassClock,
    run: i64,
    entries: &mut u64,
    tried: &mut i64,
) -> Result<Vec<(Option<ClassId>, u64, u64)>, EnforceError> {
    let mut found = Vec::new();
    while let Some(settled) = files::settle(conn, plan, pass, clock, run, *tried).await? {
        *tried = settled.last;
        *entries += settled.entries;
        found.push((settled.class, settled.removed, settled.failed));
        if pass.stop.is_cancelled() {
            break;
        }
    }
    Ok(found)
}

async fn begin(conn: &mut PgConnection, plan: &Plan, pass: &Pass<'_>) -> Result<i64, EnforceError> {
    // Which classes it is over is known also of a pass that breaks off: it tells whose times
    // were missed.
    let part = !(pass.only.is_empty() && pass.but.is_empty());
    let begun = part.then(|| serde_json::json!({ "only": pass.only, "but": pass.but }));
    sqlx::query_scalar(
        "INSERT INTO retentiond.run (started_at, plan_digest, schedule_digest, actor, report)
         VALUES ($1, $2, $3, $4, $5) RETURNING run_id",
    )
    .bind(plan.now())
    .bind(&plan.digest()[..])
    .bind(&plan.schedule_digest()[..])
    .bind(pass.actor)
    .bind(begun)
    .fetch_one(conn)
    .await
    .map_err(|e| EnforceError::from_sql("beginning the pass", &e))
}

/// An entry about a class that is not about records.
#[expect(clippy::too_many_arguments, reason = "each is one field of the entry")]
async fn note(
    conn: &mut PgConnection,
    plan: &Plan,
    class: &ClassPlan,
    pass: &Pass<'_>,
    clock: PassClock,
    run: i64,
    action: Action,
    reason: &str,
) -> Result<u64, EnforceError> {
    for id in ledger::next_entry_ids(conn, 1).await? {
        let mut entry = Entry::new(id, clock.now(), action, pass.actor);
        entry.class = Some(class.id.clone());
        entry.table = Some(class.table.clone());
        entry.run = Some(run);
        entry.schedule = Some(*plan.schedule_digest());
        entry.file = Some(*plan.file_digest());
        entry.plan = Some(*plan.digest());
        entry.detail.insert("reason".to_owned(), reason.to_owned());
        ledger::append(conn, &entry, None).await?;
    }
    Ok(1)
}

async fn finish(
    conn: &mut PgConnection,
    plan: &Plan,
    pass: &Pass<'_>,
    clock: PassClock,
    run: i64,
    entries: u64,
    classes: Vec<ClassReport>,
) -> Result<RunReport, EnforceError> {
    use sqlx::Connection;
    let failed = |error: sqlx::Error| EnforceError::from_sql("ending the pass", &error);
    let bad =
        |c: &&ClassReport| matches!(c.status, Status::Failed | Status::Refused) || c.failed > 0;
    let troubled = classes.iter().filter(bad).count();
    let tried = classes
        .iter()
        .filter(|c| c.status != Status::Retained)
        .count();
    let hopeless = classes
        .iter()
        .filter(|c| matches!(c.status, Status::Failed | Status::Refused))
        .count();
    let outcome = if pass.stop.is_cancelled() {
        Outcome::Stopped
    } else if troubled == 0 {
        Outcome::Completed
    } else if hopeless > 0 && hopeless == tried {
        Outcome::Failed
    } else {
        Outcome::Partial
    };
    let mut report = RunReport {
        id: run,
        plan: format!("sha256:{}", hex::encode(plan.digest())),
        schedule: format!("sha256:{}", hex::encode(plan.schedule_digest())),
        waiting_schedule: plan
            .waiting()
            .map(|digest| format!("sha256:{}", hex::encode(digest))),
        started: plan.now(),
        finished: clock.now(),
        outcome,
        only: pass.only.to_vec(),
        but: pass.but.to_vec(),
        classes,
        erasures: Vec::new(),
        processors: Vec::new(),
        details: Vec::new(),
        returned: 0,
        entries,
        checkpoint: None,
        unpublished: None,
        sinks: Vec::new(),
    };
    let word = serde_json::to_value(outcome)
        .ok()
        .and_then(|v| v.as_str().map(str::to_owned))
        .unwrap_or_default();
    let mut tx = conn.begin().await.map_err(failed)?;
    for id in ledger::next_entry_ids(&mut tx, 1).await? {
        let mut entry = Entry::new(id, clock.now(), Action::RunFinished, pass.actor);
        entry.run = Some(run);
        entry.schedule = Some(*plan.schedule_digest());
        entry.file = Some(*plan.file_digest());
        entry.plan = Some(*plan.digest());
        entry.detail.insert("outcome".to_owned(), word.clone());
        entry
            .detail
            .insert("program".to_owned(), env!("CARGO_PKG_VERSION").to_owned());
        ledger::append(&mut tx, &entry, None).await?;
        report.entries += 1;
    }
    let json = serde_json::to_value(&report).unwrap_or_default();
    sqlx::query(
        "UPDATE retentiond.run SET finished_at = $2, outcome = $3, report = $4 WHERE run_id = $1",
    )
    .bind(run)
    .bind(report.finished)
    .bind(&word)
    .bind(json)
    .execute(&mut *tx)
    .await
    .map_err(failed)?;
    tx.commit().await.map_err(failed)?;
    Ok(report)
}

/// A pseudonym's key, as the two pads of RFC 2104. It lives as long as the class's pass
/// and is never stored: afterwards nobody can tell whose pseudonym is whose.
fn pads() -> Result<[Vec<u8>; 2], EnforceError> {
    let mut key = [0_u8; 64];
    key[..32].copy_from_slice(&super::batch::seed()?);
    Ok([
        key.iter().map(|b| b ^ 0x36).collect(),
        key.iter().map(|b| b ^ 0x5c).collect(),
    ])
}
