//! `retentiond status --overdue`: the debt register.

use comfy_table::Cell;
use serde_json::json;
use sqlx::Connection;

use super::context::Context;
use super::failure::Failure;
use super::output::{self, Sheet};
use crate::survey::{self, ClassDebt, Debt};

pub(super) async fn run(context: &Context) -> Result<u8, Failure> {
    let schedule = context.schedule()?;
    let settings = context.settings()?;
    let mut conn = context.connect(&settings).await?;
    let (drawn, _) = survey::draw_in_force(&mut conn, &schedule, context.clock.now()).await?;
    super::status::migrated(&drawn)?;
    let debt = survey::debt(&mut conn, &drawn).await?;
    let _ = conn.close().await;
    if context.json() {
        output::json(&json!({ "status": { "on": debt.on, "overdue": debt } }));
    } else {
        print(&debt);
    }
    Ok(if debt.late > 0 { 3 } else { 0 })
}

fn print(debt: &Debt) {
    let late = |class: &&ClassDebt| !class.reasons.is_empty();
    if debt.late == 0 {
        output::text(&format!("Nothing is late on {}.", output::day(debt.on)));
    } else {
        output::text(&format!(
            "{} late on {}.",
            output::counted(debt.late, "thing is", "things are"),
            output::day(debt.on)
        ));
    }
    if debt.classes.iter().any(|class| late(&class)) {
        output::line("");
        let mut sheet = Sheet::new([
            "class",
            "kept by",
            "records",
            "1-7 days",
            "8-30 days",
            "31-90 days",
            "91-365 days",
            "over a year",
            "since",
        ]);
        for class in debt.classes.iter().filter(late) {
            for reason in &class.reasons {
                let [a, b, c, d, e] = reason.ages.map(output::number);
                sheet.row([
                    Cell::new(class.id.as_str()),
                    Cell::new(words(reason.reason)),
                    output::number(reason.records),
                    a,
                    b,
                    c,
                    d,
                    e,
                    Cell::new(reason.since),
                ]);
            }
        }
        sheet.print();
        let tolerant: Vec<String> = debt
            .classes
            .iter()
            .filter(|class| late(class) && class.tolerance > 0)
            .map(|class| {
                let days = output::counted(u64::from(class.tolerance), "day", "days");
                format!("{} ({days})", class.id)
            })
            .collect();
        if !tolerant.is_empty() {
            output::text(&format!("Tolerated before that: {}.", tolerant.join(", ")));
        }
    }
    let remarks = remarks(debt);
    if !remarks.is_empty() {
        output::line("");
        output::text(&remarks.join("\n"));
    }
}

fn remarks(debt: &Debt) -> Vec<String> {
    let mut remarks = Vec::new();
    for class in &debt.classes {
        let id = &class.id;
        if class.late.is_none() {
            remarks.push(format!(
                "{id}: refused, so that nothing of it can be counted; `retentiond check` says why."
            ));
        }
        for set in &class.set_aside {
            remarks.push(format!(
                "{id}: {} set aside: {}.",
                output::counted(set.records, "record", "records"),
                set.reason
            ));
        }
        let undated = class.without_trigger.unwrap_or(0) + class.implausible_trigger.unwrap_or(0);
        if undated > 0 {
            remarks.push(format!(
                "{id}: {} no date that can be believed: nobody can say whether they are late.",
                output::counted(undated, "record has", "records have")
            ));
        }
        if class.files > 0 {
            remarks.push(format!(
                "{id}: {} still to be removed; each pass tries again.",
                output::counted(class.files, "file is", "files are")
            ));
        }
    }
    for class in &debt.processors {
        let told = class.issued_on.map_or_else(
            || "has not been told to destroy it".to_owned(),
            |day| format!("was told on {day} to destroy it, and has not confirmed"),
        );
        remarks.push(format!("{}: {} {told}.", class.id, class.processor));
    }
    for request in &debt.requests {
        remarks.push(format!(
            "Request {} for erasure ({}) came in on {} and is not fulfilled: `retentiond subject` shows what keeps it.",
            request.erasure, request.reference, request.requested_on
        ));
    }
    remarks
}

fn words(reason: &str) -> &'static str {
    match reason {
        "held" => "a hold",
        "conflict" => "another class (conflict)",
        "paused" => "a pause",
        "instruction" => "no instruction yet",
        "review" => "no review yet",
        "dependant" => "the gate of what hangs on it",
        "acceptance" => "a schedule that waits",
        "notice" => "its notice",
        "active" => "somebody's work with it",
        "quarantined" => "a fault of its own",
        "limit" => "a limit",
        "failing" => "a class that fails",
        _ => "nothing: the next pass",
    }
}
