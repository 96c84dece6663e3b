//! One class from its first range to its last, batch by batch.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use sqlx::{PgConnection, Row};

use super::batch::{self, Bounds, Context, Done};
use super::error::EnforceError;
use super::log;
use super::position::{self, Leave};
use super::report::ClassReport;
use super::{Event, Throttle};
use crate::ident::ClassId;
use crate::ledger::{Action, ManifestBuilder, RecordKey, store as ledger};
use crate::plan::{Direct, Route, Scan};
use crate::store;

/// How a class's part of the pass ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// Every range was walked to its end.
    Whole,
    /// It was asked to stop.
    Stopped,
}

/// The size of the next batch, from how long the last one took.
pub(super) struct Pace {
    throttle: Throttle,
    size: i64,
}

impl Pace {
    fn new(throttle: Throttle) -> Self {
        Self {
            throttle,
            size: throttle.first.clamp(1, throttle.most.max(1)),
        }
    }

    /// After a batch that worked: towards the time that a batch should take, at most
    /// fourfold at once.
    fn worked(&mut self, visited: i64, took: Duration) {
        if visited < self.size {
            return;
        }
        let took = took.as_secs_f64().max(0.000_1);
        let factor = (self.throttle.batch.as_secs_f64() / took).clamp(0.25, 4.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            reason = "a batch size"
        )]
        let size = (self.size as f64 * factor) as i64;
        self.size = size.clamp(100.min(self.throttle.most), self.throttle.most.max(1));
    }

    /// After one that failed: an eighth, down to a single row. `false` when it was one already.
    fn failed(&mut self, visited: i64) -> bool {
        if visited <= 1 {
            return false;
        }
        self.size = (self.size.min(visited) / 8).max(1);
        true
    }

    /// How long to leave the database to others.
    fn rest(&self, took: Duration) -> Duration {
        let duty = self.throttle.duty_cycle.clamp(0.01, 1.0);
        took.mul_f64(1.0 / duty - 1.0)
    }
}

/// Acts on everything that is due for one step of a class, and fills its report.
pub(super) async fn run(
    conn: &mut PgConnection,
    context: &Context<'_>,
    report: &mut ClassReport,
    entries: &mut u64,
) -> Result<Ended, EnforceError> {
    let sql = |error: sqlx::Error| EnforceError::from_sql("reading the position", &error);
    let mut walk = Walk {
        context,
        report,
        entries,
        renewed: Instant::now(),
    };
    for scan in &context.work.scans {
        if !context.work.stays || !scan.last_day.is_reckoned() {
            let walked = walk.along(conn, scan, None, None, Leave::Nothing).await?;
            if walked == Walked::Stopped {
                return Ok(Ended::Stopped);
            }
            continue;
        }
        let remembered = position::recall(conn, context, scan).await.map_err(sql)?;
        let Some(remembered) = remembered.filter(|r| r.swept_at.is_some()) else {
            // Never walked to the end on this basis: this walk is the sweep as well.
            let begun = position::recall(conn, context, scan).await.map_err(sql)?;
            let from = match begun {
                Some(begun) => begun.reached,
                None => {
                    position::forget(conn, context, scan).await.map_err(sql)?;
                    None
                }
            };
            // Of a walk that was broken off: what it set aside lies behind its place.
            if from.is_some() {
                walk.again(conn, scan).await?;
            }
            if walk.along(conn, scan, from, None, Leave::Reached).await? == Walked::Stopped {
                return Ok(Ended::Stopped);
            }
            position::swept(conn, context, scan).await.map_err(sql)?;
            continue;
        };
        walk.again(conn, scan).await?;
        if walk
            .along(conn, scan, remembered.reached.clone(), None, Leave::Reached)
            .await?
            == Walked::Stopped
        {
            return Ok(Ended::Stopped);
        }
        let budget = position::budget(
            &remembered,
            context.class.is_maximum,
            context.plan.now(),
            (context.pass.next)(&context.class.id),
        );
        match walk
            .along(conn, scan, remembered.swept, budget, Leave::Swept)
            .await?
        {
            Walked::Whole => position::swept(conn, context, scan).await.map_err(sql)?,
            Walked::Budget => {}
            Walked::Stopped => return Ok(Ended::Stopped),
        }
    }
    Ok(Ended::Whole)
}

/// After every range of a class: what was set aside before and was not again has gone, or
/// works now.
pub(super) async fn clear_quarantine(
    conn: &mut PgConnection,
    class: &ClassId,
    run: i64,
) -> Result<(), EnforceError> {
    sqlx::query("DELETE FROM retentiond.quarantine WHERE class_id = $1 AND run_id < $2")
        .bind(class.as_str())
        .bind(run)
        .execute(conn)
        .await
        .map(drop)
        .map_err(|e| EnforceError::from_sql("clearing the quarantine", &e))
}

#[derive(Debug, PartialEq, Eq)]
enum Walked {
    Whole,
    Budget,
    Stopped,
}

/// How often a batch that could not even begin is tried again, and the pause that doubles.
const BUSY: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// How long it waits before it asks a guard again.
const GUARDED_PAUSE: Duration = Duration::from_millis(500);

struct Walk<'a, 'b> {
    context: &'b Context<'a>,
    report: &'b mut ClassReport,
    entries: &'b mut u64,
    renewed: Instant,
}

impl Walk<'_, '_> {
    async fn along(
        &mut self,
        conn: &mut PgConnection,
        scan: &Scan,
        from: Option<Vec<String>>,
        budget: Option<i64>,
        leave: Leave,
    ) -> Result<Walked, EnforceError> {
        let mut pace = Pace::new(self.context.pass.throttle);
        let mut busy = 0;
        let (mut after, mut seen, mut full) = (from, 0, false);
        loop {
            self.mind(conn).await?;
            if self.context.pass.stop.is_cancelled() {
                return Ok(Walked::Stopped);
            }
            let size = match budget {
                Some(budget) if seen >= budget => return Ok(Walked::Budget),
                Some(budget) => pace.size.min(budget - seen),
                None => pace.size,
            };
            let begun = Instant::now();
            let bounds = Bounds {
                after: after.as_deref(),
                until: None,
                size,
                full,
                leave,
            };
            match batch::run(conn, self.context, scan, &bounds).await {
                Ok(done) => {
                    let took = begun.elapsed();
                    busy = 0;
                    let Some(until) = done.until.clone() else {
                        return Ok(Walked::Whole);
                    };
                    seen += done.visited;
                    full = done.visited == size;
                    pace.worked(done.visited, took);
                    if let Some(guards) = self.context.pass.guards {
                        guards.worked(took);
                    }
                    self.tally(conn, scan, after.as_deref(), &until, &done, took)
                        .await?;
                    after = Some(until);
                    if done.records > 0 {
                        log::keep_up(conn, self.context.pass, self.context.clock).await;
                    }
                    self.keep(conn).await?;
                    let rest = pace.rest(took);
                    if !rest.is_zero() {
                        self.pause(rest).await;
                    }
                }
                Err(failure) => match (failure.error, failure.until) {
                    (EnforceError::Rows(reason), Some(until)) => {
                        if !pace.failed(failure.visited) {
                            self.set_aside(conn, scan, after.as_deref(), &until, &reason, None)
                                .await?;
                            after = Some(until);
                            seen += 1;
                        }
                    }
                    // Nothing was chosen yet: a decision is being taken, or somebody else's
                    // lock is in the way. It is waited for outside any transaction.
                    (EnforceError::Rows(_), None) if busy < BUSY => {
                        busy += 1;
                        self.pause(FIRST_PAUSE * 2_u32.pow(busy)).await;
                    }
                    // Nothing happened; what was added is seen by the next try. Where somebody
                    // goes on adding, a smaller batch gets through sooner.
                    (EnforceError::Meanwhile, Some(_)) if busy < BUSY => busy += 1,
                    (EnforceError::Meanwhile, Some(until)) => {
                        busy = 0;
                        if !pace.failed(failure.visited) {
                            let reason = EnforceError::Meanwhile.to_string();
                            self.set_aside(conn, scan, after.as_deref(), &until, &reason, None)
                                .await?;
                            after = Some(until);
                            seen += 1;
                        }
                    }
                    (error, _) => return Err(error),
                },
            }
        }
    }

    /// Waits while a guard says so, outside any transaction.
    async fn mind(&mut self, conn: &mut PgConnection) -> Result<(), EnforceError> {
        let pass = self.context.pass;
        let Some(guards) = pass.guards else {
            return Ok(());
        };
        while !pass.stop.is_cancelled() {
            let why = guards.holds(conn, self.context.clock.now()).await;
            let why = why.map_err(|e| EnforceError::from_sql("asking how the server is", &e))?;
            let Some(why) = why else {
                break;
            };
            (pass.observe)(Event::Waits(&self.context.class.id, why));
            self.pause(GUARDED_PAUSE).await;
            if guards.waited(why, GUARDED_PAUSE) {
                (pass.observe)(Event::Impatient(&self.context.class.id, why));
            }
            self.keep(conn).await?;
        }
        Ok(())
    }

    /// Waits, unless it is asked to stop.
    async fn pause(&self, time: Duration) {
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            () = self.context.pass.stop.cancelled() => {}
        }
    }

    /// Tries the rows again that were set aside in earlier passes of a class whose
    /// position has long gone past them.
    async fn again(&mut self, conn: &mut PgConnection, scan: &Scan) -> Result<(), EnforceError> {
        let sql = |error: sqlx::Error| EnforceError::from_sql("reading the quarantine", &error);
        let rows = sqlx::query(
            "SELECT after_at, until_at FROM retentiond.quarantine
              WHERE class_id = $1 AND range_no = $2 AND run_id < $3 ORDER BY key",
        )
        .bind(self.context.class.id.as_str())
        .bind(scan.no)
        .bind(self.context.run)
        .fetch_all(&mut *conn)
        .await
        .map_err(sql)?;
        for row in rows {
            let after: Option<Vec<String>> = row.try_get(0).map_err(sql)?;
            let until: Vec<String> = row.try_get(1).map_err(sql)?;
            if until.len() != scan.width || self.context.pass.stop.is_cancelled() {
                continue;
            }
            let begun = Instant::now();
            let bounds = Bounds {
                after: after.as_deref(),
                until: Some(&until),
                size: 1,
                full: false,
                leave: Leave::Nothing,
            };
            match batch::run(conn, self.context, scan, &bounds).await {
                Ok(done) => {
                    self.tally(conn, scan, after.as_deref(), &until, &done, begun.elapsed())
                        .await?;
                }
                Err(failure) => match failure.error {
                    error @ (EnforceError::Rows(_) | EnforceError::Meanwhile) => {
                        let reason = match error {
                            EnforceError::Rows(reason) => reason,
                            error => error.to_string(),
                        };
                        self.set_aside(conn, scan, after.as_deref(), &until, &reason, None)
                            .await?;
                    }
                    error => return Err(error),
                },
            }
        }
        Ok(())
    }

    async fn tally(
        &mut self,
        conn: &mut PgConnection,
        scan: &Scan,
        after: Option<&[String]>,
        until: &[String],
        done: &Done,
        took: Duration,
    ) -> Result<(), EnforceError> {
        match &self.context.work.route {
            Route::Direct { what: Direct::Flag } => self.report.flagged += done.records,
            Route::Direct {
                what: Direct::Anonymise,
            } => self.report.anonymised += done.records,
            Route::Follow(follow) if follow.anonymises => self.report.anonymised += done.records,
            _ => self.report.deleted += done.records,
        }
        self.report.dependants += done.dependants;
        self.report.unlinked += done.unlinked;
        self.report.skipped.changed += done.changed;
        self.report.batches += u64::from(done.records > 0);
        *self.entries += done.entries;
        for (key, reason) in &done.aside {
            self.set_aside(conn, scan, after, until, reason, Some(key))
                .await?;
        }
        (self.context.pass.observe)(Event::Batch(
            &self.context.class.id,
            self.report.acted(),
            took,
        ));
        Ok(())
    }

    async fn keep(&mut self, conn: &mut PgConnection) -> Result<(), EnforceError> {
        if self.renewed.elapsed() >= Duration::from_secs(4) {
            self.context.lease.renew(conn).await?;
            self.renewed = Instant::now();
        }
        Ok(())
    }

    /// Sets one record aside: a row by which it can be found and tried again, and an entry.
    async fn set_aside(
        &mut self,
        conn: &mut PgConnection,
        scan: &Scan,
        after: Option<&[String]>,
        until: &[String],
        reason: &str,
        key: Option<&[String]>,
    ) -> Result<(), EnforceError> {
        use sqlx::Connection;
        let context = self.context;
        let sql = |error: sqlx::Error| EnforceError::from_sql("setting a record aside", &error);
        let key: Vec<String> = match key {
            Some(key) => key.to_vec(),
            None => scan
                .key_at
                .iter()
                .filter_map(|at| until.get(*at).cloned())
                .collect(),
        };
        let shape = || EnforceError::Shape(context.class.id.clone());
        let columns = super::rows::key_columns(&context.work.key).ok_or_else(shape)?;
        let record = RecordKey::from_texts(&columns, &key).map_err(|_| shape())?;
        let mut manifest = ManifestBuilder::new(columns, None, batch::seed()?);
        manifest
            .push(record.values(), None, None, None)
            .map_err(|_| shape())?;
        let now = context.clock.now();
        let mut tx = conn.begin().await.map_err(sql)?;
        // `before` is read from the statement's snapshot: the row as it was.
        let before: (bool, bool) = sqlx::query_as(
            "WITH before AS (SELECT run_id FROM retentiond.quarantine WHERE class_id = $1 AND key = $3)
             INSERT INTO retentiond.quarantine AS q
                 (class_id, table_name, key, range_no, after_at, until_at, reason, first_at, last_at, run_id)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9)
             ON CONFLICT (class_id, key) DO UPDATE SET
                 range_no = excluded.range_no, after_at = excluded.after_at, until_at = excluded.until_at,
                 reason = excluded.reason, last_at = excluded.last_at, run_id = excluded.run_id
             RETURNING EXISTS (SELECT 1 FROM before), EXISTS (SELECT 1 FROM before WHERE run_id = $9)",
        )
        .bind(context.class.id.as_str())
        .bind(context.class.table.to_string())
        .bind(&key)
        .bind(scan.no)
        .bind(after)
        .bind(until)
        .bind(reason)
        .bind(now)
        .bind(context.run)
        .fetch_one(&mut *tx)
        .await
        .map_err(sql)?;
        let (known, known_in_this_pass) = before;
        // Once in the ledger; that it still fails is in the working table.
        if !known {
            let id = ledger::next_entry_ids(&mut tx, 1)
                .await?
                .pop()
                .ok_or_else(shape)?;
            let mut entry = batch::entry(context, id, Action::Quarantined, &context.class.table);
            entry.detail = BTreeMap::from([("reason".to_owned(), reason.to_owned())]);
            batch::append(&mut tx, entry, &manifest.finish()).await?;
            *self.entries += 1;
        }
        tx.commit().await.map_err(sql)?;
        // A pass may come upon it several times: its next try, the walk, the sweep, a new plan.
        if !known_in_this_pass {
            self.report.failed += 1;
            (context.pass.observe)(Event::Trouble(&context.class.id, reason));
        }
        Ok(())
    }
}

/// How many past records holds protect; asked only where there is a hold at all.
pub(super) async fn held(conn: &mut PgConnection, sql: &str) -> Result<u64, EnforceError> {
    let failed = |error: sqlx::Error| EnforceError::from_sql("counting held records", &error);
    let any: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM retentiond.hold
             WHERE released_at IS NULL AND expired_at IS NULL OR not_before IS NOT NULL)",
    )
    .fetch_one(&mut *conn)
    .await
    .map_err(failed)?;
    if !any {
        return Ok(0);
    }
    let row = store::planned(sql).fetch_one(conn).await.map_err(failed)?;
    let held: i64 = row.try_get(0).map_err(failed)?;
    Ok(u64::try_from(held).unwrap_or(0))
}
