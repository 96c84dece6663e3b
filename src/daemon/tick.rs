//! One pass, from the connection to the report: what `retentiond run` does once and the
//! daemon on its timetable.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{Connection, PgConnection};
use tokio_util::sync::CancellationToken;

use crate::enforce::{self, EnforceError, Event, Pass, RunReport, Throttle};
use crate::files::{StoreError, Stores};
use crate::ident::ClassId;
use crate::schedule::Schedule;
use crate::settings::Settings;
use crate::store::{self, ConnectError, Limits};
use crate::survey::{self, SurveyError};

/// How far host and database may differ in time before nothing is acted on.
pub const CLOCK_TOLERANCE: TimeDelta = TimeDelta::minutes(5);

/// What a pass is to do.
pub struct Order<'a> {
    /// The database.
    pub url: &'a str,
    /// The schedule in force.
    pub schedule: &'a Schedule,
    /// How the service runs.
    pub settings: &'a Settings,
    /// The instant of the pass; its day decides what is due.
    pub now: DateTime<Utc>,
    /// Whether `now` is the present, so that the database's clock must agree.
    pub present: bool,
    /// Who ordered it.
    pub actor: &'a str,
    /// How long to wait for a lease.
    pub patience: Duration,
    /// Without pauses between batches.
    pub full_speed: bool,
    /// Only these classes; empty for all.
    pub only: &'a [ClassId],
    /// The plan that was looked at; another one is not executed.
    pub on_plan: Option<[u8; 32]>,
    /// Asked between batches.
    pub stop: &'a CancellationToken,
    /// Told what happens.
    pub observe: &'a (dyn Fn(Event<'_>) + Sync),
}

/// Why there was no pass, or only a part of one.
#[derive(Debug, thiserror::Error)]
pub enum TickError {
    /// No connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// It was asked to stop before there was a connection.
    #[error("stopped before anything was begun")]
    Stopped,
    /// The schema `retentiond` is missing or old.
    #[error("the schema `retentiond` is missing from the database, or of another version")]
    NotMigrated,
    /// The clocks of host and database differ.
    #[error("the clocks differ: the database is {} s {} this machine; nothing was acted on", .0.num_seconds().abs(), if .0.num_seconds() >= 0 { "ahead of" } else { "behind" })]
    Clock(TimeDelta),
    /// The last pass lies ahead.
    #[error(
        "the last pass began at {0}, which is still to come: a clock has gone back; nothing was acted on"
    )]
    Backwards(DateTime<Utc>),
    /// The plan is not the one that was looked at.
    #[error(
        "today's plan is not the one that was asked for: the schedule, the day or the database changed"
    )]
    PlanChanged,
    /// The database could not be asked.
    #[error(transparent)]
    Survey(#[from] SurveyError),
    /// A store could not be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The pass broke off. What was done before is in the ledger.
    #[error("the pass broke off; what was done before it is committed and in the ledger")]
    Enforce(#[from] EnforceError),
    /// Our own tables could not be read or written.
    #[error("could not use the bookkeeping in schema `retentiond`")]
    Bookkeeping(#[source] sqlx::Error),
}

/// The file stores of the settings.
///
/// # Errors
/// When a folder cannot be opened.
pub fn stores(settings: &Settings) -> Result<Stores, StoreError> {
    Stores::open(
        settings
            .stores()
            .iter()
            .map(|(name, store)| (name.as_str(), store.as_path())),
    )
}

/// How hard the settings allow the database to be worked.
#[must_use]
pub fn throttle(settings: &Settings, full_speed: bool) -> Throttle {
    if full_speed {
        return Throttle::FULL_SPEED;
    }
    Throttle {
        duty_cycle: settings.throttle().duty_cycle(),
        batch: settings.throttle().batch(),
        ..Throttle::CONSIDERATE
    }
}

/// The time limits of the settings.
#[must_use]
pub fn limits(settings: &Settings) -> Limits {
    Limits {
        lock: settings.throttle().lock_timeout(),
        statement: settings.throttle().statement_timeout(),
        idle: Duration::from_secs(60),
    }
}

/// A name for this process that another can be told while it waits for a lease.
#[must_use]
pub fn holder() -> String {
    format!("process {}", std::process::id())
}

/// Makes one pass.
///
/// # Errors
/// When there was none, or it broke off. Classes that were refused or failed are in the report.
pub async fn tick(order: &Order<'_>) -> Result<RunReport, TickError> {
    let mut conn = tokio::select! {
        biased;
        () = order.stop.cancelled() => return Err(TickError::Stopped),
        conn = store::connect(order.url, "retentiond", limits(order.settings)) => conn?,
    };
    let outcome = with(&mut conn, order).await;
    // A connection that cannot say goodbye is closed all the same.
    let _ = conn.close().await;
    outcome
}

async fn with(conn: &mut PgConnection, order: &Order<'_>) -> Result<RunReport, TickError> {
    if !store::is_migrated(conn)
        .await
        .map_err(TickError::Bookkeeping)?
    {
        return Err(TickError::NotMigrated);
    }
    if order.present {
        let difference = store::clock_difference(conn, order.now)
            .await
            .map_err(TickError::Bookkeeping)?;
        if difference.abs() > CLOCK_TOLERANCE {
            return Err(TickError::Clock(difference));
        }
        let last: Option<DateTime<Utc>> =
            sqlx::query_scalar("SELECT max(started_at) FROM retentiond.run")
                .fetch_one(&mut *conn)
                .await
                .map_err(TickError::Bookkeeping)?;
        if let Some(last) = last.filter(|last| *last > order.now + CLOCK_TOLERANCE) {
            return Err(TickError::Backwards(last));
        }
    }
    let drawn = survey::draw(conn, order.schedule, order.now).await?;
    if order
        .on_plan
        .is_some_and(|digest| &digest != drawn.plan.digest())
    {
        return Err(TickError::PlanChanged);
    }
    remember(conn, order)
        .await
        .map_err(TickError::Bookkeeping)?;
    let stores = stores(order.settings)?;
    let holder = holder();
    let pass = Pass {
        actor: order.actor,
        holder: &holder,
        patience: order.patience,
        throttle: throttle(order.settings, order.full_speed),
        stores: &stores,
        only: order.only,
        next: order
            .schedule
            .every()
            .next_after(order.now, order.schedule.time_zone()),
        stop: order.stop,
        observe: order.observe,
    };
    let report = enforce::pass(conn, drawn.plan, &pass, async |conn: &mut PgConnection| {
        survey::draw(conn, order.schedule, order.now)
            .await
            .map(|drawn| drawn.plan)
            .map_err(|error| EnforceError::Redraw(Box::new(error)))
    })
    .await?;
    Ok(report)
}

/// Keeps the text of each version of the schedule that was ever enforced.
async fn remember(conn: &mut PgConnection, order: &Order<'_>) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO retentiond.schedule_version (digest, file_digest, text, in_force_from)
         VALUES ($1, $2, $3, $4) ON CONFLICT (digest) DO NOTHING",
    )
    .bind(&order.schedule.digest()[..])
    .bind(&order.schedule.file_digest()[..])
    .bind(order.schedule.text())
    .bind(order.now)
    .execute(conn)
    .await
    .map(drop)
}
