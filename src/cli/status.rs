//! `retentiond status`: where everything stands, asked of the database.

use serde_json::json;
use sqlx::{Connection, PgConnection};

use super::context::Context;
use super::failure::Failure;
use super::output;
use super::versions;
use crate::daemon::notices::{self, Undelivered};
use crate::daemon::tick;
use crate::ledger::publish::{self, SinkReport};
use crate::ledger::store;
use crate::schedule::Code;
use crate::settings::Settings;
use crate::survey::{self, Drawn, Overview};

pub(super) async fn run(context: &Context) -> Result<u8, Failure> {
    let schedule = context.schedule()?;
    let settings = context.settings()?;
    let mut conn = context.connect(&settings).await?;
    let (drawn, versions) =
        survey::draw_in_force(&mut conn, &schedule, context.clock.now()).await?;
    migrated(&drawn)?;
    let overview = survey::overview(&mut conn, &drawn).await?;
    let reminders = survey::reminders(&mut conn, &drawn, &overview).await?;
    let sinks = sinks(&mut conn, &settings).await?;
    let undelivered = notices::undelivered(&mut conn).await?;
    let _ = conn.close().await;
    if context.json() {
        let mut object = json!({ "status": overview });
        object["status"]["version"] = versions::to_json(&schedule, &versions);
        object["status"]["sinks"] = json!(sinks);
        object["status"]["reminders"] = json!(reminders);
        if !undelivered.is_empty() {
            object["status"]["notices"] = json!(undelivered);
        }
        output::json(&object);
    } else {
        print(&overview, schedule.time_zone());
        // That nobody is registered is a choice; who wants to know asks `operator list`.
        let urgent = reminders.iter().filter(|one| one.kind != "operators");
        let words: Vec<&str> = urgent.map(|one| one.words.as_str()).collect();
        if !words.is_empty() {
            output::line("");
            output::text(&words.join("\n"));
        }
        for sink in &sinks {
            output::text(&output::sink(sink));
        }
        for receiver in &undelivered {
            output::text(&not_told(receiver, schedule.time_zone()));
        }
        let remarks = versions::remarks(&schedule, &versions);
        if !remarks.is_empty() {
            output::text(&remarks.join("\n"));
        }
    }
    Ok(0)
}

/// That our schema is there.
pub(super) fn migrated(drawn: &Drawn) -> Result<(), Failure> {
    if drawn.migrated {
        return Ok(());
    }
    Err(Failure::Other {
        code: Code::NotMigrated,
        exit: 1,
        message: "the database has no schema `retentiond`: nothing was ever done here".to_owned(),
        causes: Vec::new(),
        hint: Some("run `retentiond migrate` first; `retentiond plan` works without it".to_owned()),
    })
}

/// How the receivers of the ledger stand; nothing is asked where there are none.
async fn sinks(conn: &mut PgConnection, settings: &Settings) -> Result<Vec<SinkReport>, Failure> {
    let webhooks = tick::webhooks(settings);
    if webhooks.is_empty() {
        return Ok(Vec::new());
    }
    let origin = store::origin(conn).await?;
    let places = tick::places(settings)?;
    Ok(publish::standing(&origin, &places, webhooks)?)
}

/// What a receiver of notices has not been told.
fn not_told(of: &Undelivered, zone: chrono_tz::Tz) -> String {
    let count = |n: i64| output::counted(u64::try_from(n).unwrap_or(0), "notice", "notices");
    let waiting = (of.waiting > 0).then(|| format!("{} to be tried again", count(of.waiting)));
    let lost = (of.given_up > 0).then(|| format!("{} GIVEN UP", count(of.given_up)));
    let what: Vec<String> = [waiting, lost].into_iter().flatten().collect();
    let why = of
        .last_error
        .as_ref()
        .map_or_else(String::new, |why| format!(": {why}"));
    format!(
        "Notices by {} to {}: {} since {}{why}.",
        of.kind,
        of.receiver,
        what.join(", "),
        output::instant(of.since, zone)
    )
}

fn print(overview: &Overview, zone: chrono_tz::Tz) {
    output::line(&format!(
        "{}{}{} ({})\n",
        output::STRONG,
        output::day(overview.on),
        output::RESET,
        zone.name()
    ));
    let mut table = output::Sheet::new([
        "class",
        "status",
        "kept",
        "due",
        "overdue",
        "held",
        "waiting",
        "conflict",
        "flagged",
        "anonymised",
        "undated",
        "last success",
        "oldest overdue",
    ]);
    for class in &overview.classes {
        table.row([
            class.id.as_str().into(),
            class.status.into(),
            output::maybe(class.kept),
            output::maybe(class.due),
            output::maybe(class.overdue),
            output::maybe(class.held),
            output::maybe(class.waiting),
            output::maybe(class.conflict),
            output::number(class.flagged),
            output::number(class.anonymised),
            output::maybe(
                class
                    .without_trigger
                    .zip(class.implausible_trigger)
                    .map(|(without, implausible)| without + implausible),
            ),
            class
                .last_success
                .map(|at| output::instant(at, zone))
                .unwrap_or_default()
                .into(),
            class
                .oldest_overdue
                .map(|day| day.to_string())
                .unwrap_or_default()
                .into(),
        ]);
    }
    table.print();
    output::line("");
    match &overview.last_run {
        None => output::text("No pass was ever made here: `retentiond run` makes one."),
        Some(run) => output::text(&format!(
            "Last pass: number {}, begun {}, {}.",
            run.id,
            output::instant(run.started, zone),
            match (&run.finished, &run.outcome) {
                (Some(_), Some(outcome)) if outcome == "partial" => "completed in part".to_owned(),
                (Some(_), Some(outcome)) => outcome.clone(),
                _ => "not finished: it runs, or was broken off".to_owned(),
            }
        )),
    }
    if overview.files_pending > 0 {
        output::text(&format!(
            "{} still to be removed; each pass tries again.",
            output::counted(overview.files_pending, "file is", "files are")
        ));
    }
    let ledger = &overview.ledger;
    output::text(&format!(
        "Ledger: {}{}{}.",
        output::counted(ledger.size + ledger.unsealed, "entry", "entries"),
        ledger.signed_at.map_or_else(
            || ", nothing signed yet".to_owned(),
            |at| format!(", signed {}", output::instant(at, zone))
        ),
        match (&ledger.verdict, ledger.verified_at) {
            (Some(verdict), Some(at)) =>
                format!(", verified {}: {verdict}", output::instant(at, zone)),
            _ => ", never verified: `retentiond ledger verify` does it".to_owned(),
        }
    ));
}
