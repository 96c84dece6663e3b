//! One pass, from the connection to the report: what `retentiond run` does once and the
//! daemon on its timetable.

use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::ExposeSecret;
use sqlx::{Connection, PgConnection};
use tokio_util::sync::CancellationToken;

use super::turn::Turn;
use super::{notices, processors, subjects};
use crate::enforce::{
    self, EnforceError, ErasureReport, ErasureStatus, Event, Guards, Maintenance, Pass, RunReport,
    Throttle,
};
use crate::files::{StoreError, Stores};
use crate::ident::ClassId;
use crate::ledger::details::{self, Dropping};
use crate::ledger::publish::{self, Log, LogError, Places, Webhook};
use crate::plan::Plan;
use crate::review::{self, How, NewVersion, ReviewError};
use crate::schedule::Schedule;
use crate::settings::{Settings, SettingsError};
use crate::store::{self, ConnectError, Limits};
use crate::survey::{self, Coming, SurveyError};

/// How far host and database may differ in time before nothing is acted on.
pub const CLOCK_TOLERANCE: TimeDelta = TimeDelta::minutes(5);

/// What a pass is to do.
pub struct Order<'a> {
    /// The database.
    pub url: &'a str,
    /// The schedule's file. What is in force beside it stands in the database.
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
    /// Those whose timetables called for the pass; `None` where a person did.
    pub due: Option<&'a Turn>,
    /// The plan that was looked at, by the first digits of its digest; another one is not
    /// executed.
    pub on_plan: Option<&'a str>,
    /// Asked between batches.
    pub stop: &'a CancellationToken,
    /// Told what happens.
    pub observe: &'a (dyn Fn(Event<'_>) + Sync),
}

impl Order<'_> {
    /// Whether processors are told of this class: they follow the schedule's timetable.
    pub(super) fn tells(&self, id: &ClassId) -> bool {
        match self.due {
            Some(turn) => turn.rest,
            None => self.only.is_empty() || self.only.contains(id),
        }
    }
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
    /// No version of the schedule was ever accepted. The digest is the file's.
    #[error("no version of this schedule was ever accepted; nothing was done")]
    NeverAccepted([u8; 32]),
    /// What was accepted was lost with a backup. The digest is the file's.
    #[error(
        "decisions were lost with a backup, and no version of the schedule is in force any more; nothing was done"
    )]
    AcceptAgain([u8; 32]),
    /// A version could not be brought into force.
    #[error("the new version of the schedule could not be brought into force")]
    Review(#[from] ReviewError),
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
    /// The log is not the one that was published, or cannot be compared with it.
    #[error("{}; nothing was done", .0)]
    Log(#[from] LogError),
    /// There is nowhere for the log's key and its published copy.
    #[error(transparent)]
    State(#[from] SettingsError),
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

/// What the settings have a pass of the timetable wait for.
#[must_use]
pub fn guards(settings: &Settings, acting: &Schedule) -> Guards {
    let set = settings.guards();
    Guards {
        quiet: set
            .quiet
            .map(|(from, until)| (from, until, acting.time_zone())),
        transaction: set.longest_transaction,
        replica: set.replica_lag,
        archive: set.archive_failing,
        batch: settings.throttle().batch(),
        patience: set.patience,
        ..Guards::default()
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

/// Where the log's keys and its published copy are.
///
/// # Errors
/// When there is no folder for state.
pub fn places(settings: &Settings) -> Result<Places, SettingsError> {
    Ok(Places {
        state: settings.state_directory()?.to_owned(),
        published: settings.ledger().published().map(Path::to_owned),
        credential: settings.ledger().key_file().map(Path::to_owned),
    })
}

/// The receivers of the log.
#[must_use]
pub fn webhooks(settings: &Settings) -> Vec<Webhook> {
    let webhooks = settings.ledger().webhooks().iter();
    webhooks
        .map(|(name, webhook)| Webhook {
            name: name.clone(),
            url: webhook.url().clone(),
            secret_file: webhook.secret_file().to_owned(),
            timeout: webhook.timeout(),
        })
        .collect()
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
    // Before anything is written, a version of the schedule included: a restored backup, or a
    // replica that was behind, brings back the dead, and their entries are missing.
    let places = places(order.settings)?;
    publish::compare(conn, &places).await?;
    let looked_at = |plan: &Plan| match order.on_plan {
        Some(digits) if !hex::encode(plan.digest()).starts_with(digits) => {
            Err(TickError::PlanChanged)
        }
        _ => Ok(()),
    };
    if order.on_plan.is_some() {
        // Before anything is written.
        let (drawn, _) = survey::draw_in_force(conn, order.schedule, order.now).await?;
        looked_at(&drawn.plan)?;
    }
    come_into_force(conn, order).await?;
    let (mut drawn, versions) = survey::draw_in_force(conn, order.schedule, order.now).await?;
    let Some(acting) = versions.acting(order.schedule) else {
        let digest = *order.schedule.digest();
        return Err(match survey::last_accepted(conn).await? {
            None => TickError::NeverAccepted(digest),
            Some(_) => TickError::AcceptAgain(digest),
        });
    };
    looked_at(&drawn.plan)?;
    let today = drawn.plan.on();
    if review::note_expired(conn, today, order.actor, order.now).await? > 0 {
        (drawn, _) = survey::draw_in_force(conn, order.schedule, order.now).await?;
    }
    let stores = stores(order.settings)?;
    let log = Log::open(conn, &places).await?;
    let log = log.with_webhooks(&places, webhooks(order.settings));
    if let Some(what) = log.moved(conn).await? {
        (order.observe)(Event::Moved(what));
    }
    log.publish(conn, order.now).await?;
    let holder = holder();
    let (only, but) = match order.due {
        Some(turn) => turn.classes(acting),
        None => (order.only.to_vec(), Vec::new()),
    };
    let next = |id: &ClassId| {
        let every = acting.every_of(id);
        every.next_after(order.now, acting.time_zone())
    };
    let guards = guards(order.settings, acting);
    let pass = Pass {
        actor: order.actor,
        holder: &holder,
        patience: order.patience,
        throttle: throttle(order.settings, order.full_speed),
        stores: &stores,
        log: Some(&log),
        only: &only,
        but: &but,
        next: &next,
        guards: order.due.and(Some(&guards)),
        stop: order.stop,
        observe: order.observe,
    };
    let secure = drawn.plan.classes().iter().any(|c| c.erasing.is_some());
    let erasing = secure.then(|| drawn.plan.clone());
    let elsewhere = (!drawn.plan.processors().is_empty()).then(|| drawn.plan.clone());
    let mut report = enforce::pass(conn, drawn.plan, &pass, async |conn: &mut PgConnection| {
        // A version may have been accepted meanwhile.
        survey::draw_in_force(conn, order.schedule, order.now)
            .await
            .map(|(drawn, _)| drawn.plan)
            .map_err(|error| EnforceError::Redraw(Box::new(error)))
    })
    .await?;
    if let Some(plan) = elsewhere
        && processors::tell(conn, order, plan, &mut report).await?
        && let Err(error) = log.publish(conn, order.now).await
    {
        report.unpublished = Some(error.to_string());
    }
    if !order.stop.is_cancelled() {
        subjects::look_after(conn, order, acting, &places, &log, &mut report).await?;
    }
    // While another version waits, only what both let go.
    let past = acting
        .details_past(order.now)
        .zip(order.schedule.details_past(order.now))
        .map(|(one, other)| one.min(other));
    if let Some(last) = past.filter(|_| !order.stop.is_cancelled()) {
        let dropping = Dropping {
            last,
            actor: order.actor,
            run: report.id,
            now: order.now,
        };
        match details::drop_past(conn, &log, dropping).await {
            Ok(ended) => report.details = ended,
            Err(error) => report.unpublished = Some(error.to_string()),
        }
    }
    if let Some(plan) = erasing {
        erase(conn, order, &plan, &pass, &mut report).await?;
    }
    tell_sinks(&log, order, &mut report).await;
    if let Err(error) = notices::record(conn, order, &report).await {
        tracing::error!(error = %error, "what there is to tell could not be written down");
    }
    Ok(report)
}

/// Lets the receivers catch up, unless somebody wants to stop, and says how they stand.
async fn tell_sinks(log: &Log, order: &Order<'_>, report: &mut RunReport) {
    tokio::select! {
        biased;
        () = order.stop.cancelled() => {}
        () = log.catch_up(order.now) => {}
    }
    match log.sinks() {
        Ok(sinks) => report.sinks = sinks,
        Err(error) => report.unpublished = Some(error.to_string()),
    }
    for sink in &report.sinks {
        if let Some(failure) = &sink.failure {
            tracing::error!(
                webhook = sink.name,
                behind = sink.behind,
                error = failure,
                "a receiver of the ledger has not everything; the next publication tries again"
            );
        }
    }
}

/// The files of tables, once the pass is over: as the maintainer, in the maintainer's window.
async fn erase(
    conn: &mut PgConnection,
    order: &Order<'_>,
    plan: &Plan,
    pass: &Pass<'_>,
    report: &mut RunReport,
) -> Result<(), TickError> {
    let settings = order.settings.erasure();
    let maintenance = Maintenance {
        url: settings.url().map_or(order.url, |url| url.expose_secret()),
        lock: order.settings.throttle().lock_timeout(),
        window: settings.window(),
    };
    report.erasures = enforce::erase(conn, plan, pass, report.id, maintenance).await?;
    let erased = |one: &&ErasureReport| one.status == ErasureStatus::Erased;
    if let (Some(log), Some(_)) = (pass.log, report.erasures.iter().find(erased))
        && let Err(error) = log.publish(conn, order.now).await
    {
        report.unpublished = Some(error.to_string());
    }
    Ok(())
}

/// Brings the file's version into force where nobody has to be asked.
async fn come_into_force(conn: &mut PgConnection, order: &Order<'_>) -> Result<(), TickError> {
    let versions = survey::versions(conn, order.schedule).await?;
    let how = match versions.coming {
        Coming::AtOnce => How::AtOnce,
        Coming::Automatic => How::Automatic,
        Coming::InForce | Coming::Waits => return Ok(()),
    };
    let version = NewVersion {
        digest: order.schedule.digest(),
        file_digest: order.schedule.file_digest(),
        text: order.schedule.text(),
        previous: versions.accepted.as_ref().map(|accepted| &accepted.stored),
    };
    match review::bring_into_force(conn, &version, how, order.actor, order.now).await {
        // Somebody else did, perhaps the same: what is in force is read again below.
        Ok(()) | Err(ReviewError::Overtaken) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
