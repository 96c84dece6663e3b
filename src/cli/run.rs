//! `retentiond run`: one pass.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::Connection;
use tokio_util::sync::CancellationToken;

use super::args;
use super::context::{Context, PATIENCE};
use super::failure::Failure;
use super::output;
use super::progress::{self, Progress};
use crate::daemon::notices;
use crate::daemon::tick::{self, Order};
use crate::enforce::{ErasureStatus, Outcome, RunReport, Status};
use crate::ident::ClassId;
use crate::schedule::Code;
use crate::settings::Settings;

pub(super) async fn run(context: &Context, arguments: args::Run) -> Result<u8, Failure> {
    let schedule = context.schedule()?;
    let only = context.classes(&schedule, &arguments.classes)?;
    let settings = context.settings()?;
    let url = context.url(&settings)?;
    super::tracing::start_run(&settings, context.global.verbose, context.global.quiet);
    if context.global.dry_run {
        let mut conn = context.connect(&settings).await?;
        super::plan::show(
            context,
            &mut conn,
            &schedule,
            &settings,
            context.clock.now(),
            &only,
        )
        .await?;
        let _ = conn.close().await;
        return Ok(0);
    }
    let on_plan = arguments.on_plan.as_deref().map(digest).transpose()?;
    let stop = CancellationToken::new();
    let progress = Progress::new(context, BTreeMap::new()).only(&only);
    let actor = context.actor();
    let order = Order {
        url: &url,
        schedule: &schedule,
        settings: &settings,
        now: context.clock.now(),
        present: !context.clock.is_fixed(),
        actor: &actor,
        patience: PATIENCE,
        full_speed: arguments.full_speed,
        only: &only,
        due: None,
        on_plan: on_plan.as_deref(),
        stop: &stop,
        observe: &|event| progress.observe(event),
    };
    let report = {
        let interrupted = super::daemon::stop_on_interrupt(stop.clone());
        let report = tick::tick(&order).await;
        interrupted.abort();
        report?
    };
    tell(&url, &settings, context.clock.now()).await;
    if context.json() {
        output::json(&json!({ "run": report }));
    } else {
        print(&report, &only);
    }
    Ok(report.exit_code())
}

/// Delivers what is to be told, for no longer than a while; the service, or the next pass, tries again.
async fn tell(url: &str, settings: &Settings, now: DateTime<Utc>) {
    let delivery = notices::deliver(url, settings, now);
    match tokio::time::timeout(notices::PATIENCE, delivery).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => {
            tracing::warn!(error = %error, "notices cannot be delivered; they are tried again");
        }
        Err(_) => tracing::warn!("notices took too long to deliver; they are tried again"),
    }
}

/// `sha256:…` or the bare digits.
fn digest(text: &str) -> Result<String, Failure> {
    super::accept::prefix(text).map_err(|_| {
        Failure::usage(
            Code::PlanChanged,
            format!("`{text}` is not the digest of a plan"),
            "write it as `retentiond plan` shows it: hexadecimal digits, at least the first eight",
        )
    })
}

/// The pass for people: the classes that were asked for, or all.
pub(super) fn print(report: &RunReport, only: &[ClassId]) {
    let classes = || {
        report
            .classes
            .iter()
            .filter(|class| only.is_empty() || only.contains(&class.id))
    };
    let mut table = output::Sheet::new([
        "class",
        "disposal",
        "status",
        "flagged",
        "anonymised",
        "deleted",
        "dependants",
        "unlinked",
        "files",
        "held",
        "waiting",
        "conflict",
        "failed",
        "seconds",
    ]);
    for class in classes() {
        let status = serde_json::to_value(class.status)
            .ok()
            .and_then(|v| v.as_str().map(str::to_owned))
            .unwrap_or_default();
        table.row([
            class.id.as_str().into(),
            class.disposal.into(),
            status.into(),
            output::number(class.flagged),
            output::number(class.anonymised),
            output::number(class.deleted),
            output::number(class.dependants),
            output::number(class.unlinked),
            output::number(class.files),
            output::number(class.skipped.held),
            output::number(class.waiting),
            output::number(class.conflict),
            output::number(class.failed),
            format!("{:.1}", class.seconds).into(),
        ]);
    }
    table.print();
    output::line("");
    for class in classes() {
        if let (Status::Refused | Status::Failed | Status::Waiting, Some(reason)) =
            (class.status, progress::reason(class))
        {
            output::text(&format!("{}: {reason}", class.id));
        }
    }
    if report
        .classes
        .iter()
        .any(|class| class.status == Status::Refused)
    {
        output::text("`retentiond check` shows where that is in the schedule, and what to do.");
    }
    let how = match report.outcome {
        Outcome::Completed => "completed",
        Outcome::Partial => "completed in part; the rest is tried again in the next one",
        Outcome::Failed => "failed, since no class could be dealt with",
        Outcome::Stopped => "stopped on request; the rest goes in the next one",
    };
    output::text(&format!(
        "Pass {} {how}. It wrote {} to the ledger.",
        report.id,
        output::counted(report.entries, "entry", "entries")
    ));
    for sink in &report.sinks {
        output::text(&output::sink(sink));
    }
    for erasure in &report.erasures {
        let (class, table) = (&erasure.class, &erasure.table);
        let done = match erasure.status {
            ErasureStatus::Erased => "erased from its files",
            ErasureStatus::Waiting => {
                "not erased from its files yet, and tried again by the next pass"
            }
            ErasureStatus::Failed => "not erased from its files",
        };
        let why = erasure.reason.as_ref();
        let why = why.map_or_else(|| ".".to_owned(), |why| format!(": {why}."));
        output::text(&format!("{class}: what went from {table} is {done}{why}"));
    }
    for class in report
        .processors
        .iter()
        .filter(|c| c.status == "instructed")
    {
        output::text(&format!(
            "{}: {} is to destroy what it holds; `retentiond processor letter {}` prints the letter to send.",
            class.id, class.processor, class.id
        ));
    }
    for details in &report.details {
        let year = details.year;
        output::text(&match &details.reason {
            None => format!("The ledger's details of {year} were dropped; its entries stay."),
            Some(why) => format!(
                "The ledger's details of {year} are to be dropped, and are still there: {why}."
            ),
        });
    }
    let sum = |pick: fn(&crate::enforce::ClassReport) -> u64| {
        report.classes.iter().map(pick).sum::<u64>()
    };
    if sum(|c| c.skipped.limit) > 0 {
        let digits = report.plan.trim_start_matches("sha256:");
        output::text(&format!(
            "A limit stopped something. If the plan is right: `retentiond accept {} --reason TEXT` lets the next pass go by it, once.",
            digits.get(..12).unwrap_or(digits)
        ));
    }
    if report.returned > 0 {
        output::note(&format!(
            "Records about people whose records were erased are there again, for {}: look at \
             `retentiond subject list --open`, then erase them again or say that they are `known`.",
            output::counted(report.returned, "request", "requests")
        ));
    }
    if let Some(waiting) = &report.waiting_schedule {
        let digits = waiting.trim_start_matches("sha256:");
        output::text(&format!(
            "The schedule's file waits for acceptance ({}): only what both versions would let go went.",
            digits.get(..12).unwrap_or(digits)
        ));
    }
    let elsewhere: u64 = report.processors.iter().map(|class| class.waiting).sum();
    if sum(|c| c.waiting) + sum(|c| c.conflict) + elsewhere > 0 {
        output::text("Something waits for a person: `retentiond plan` shows what, and for whom.");
    }
}
