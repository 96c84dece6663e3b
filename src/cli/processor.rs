//! `retentiond processor`: what others hold for the organisation, what they were told, and their
//! word that it was done.

use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use comfy_table::Cell;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::args;
use super::context::Context;
use super::desk::{self, Desk};
use super::failure::Failure;
use super::letter;
use super::output::{self, Sheet};
use crate::review::{self, NewConfirmation, ReviewError, Role};
use crate::schedule::Code;
use crate::survey::{self, HeldElsewhere, ProcessorOrder, WaitsFor};

pub(super) async fn run(context: &Context, command: args::Processor) -> Result<u8, Failure> {
    match command {
        args::Processor::List => list(context).await,
        args::Processor::Letter { class, output } => print(context, &class, output).await,
        args::Processor::Confirm {
            class,
            by,
            reference,
            document,
        } => {
            let document = document.as_deref();
            confirm(context, &class, (&by, &reference), document).await
        }
    }
}

async fn list(context: &Context) -> Result<u8, Failure> {
    let mut desk = Desk::look(context).await?;
    let found = survey::processors(&mut desk.conn, &desk.drawn.plan, true).await?;
    desk.close().await;
    if context.json() {
        output::json(&json!({ "processors": found }));
        return Ok(0);
    }
    if found.is_empty() {
        output::text("The schedule has no class with a `processor`, and nothing is open.");
        return Ok(0);
    }
    let mut sheet = Sheet::new([
        "class",
        "processor",
        "state",
        "last day",
        "issued on",
        "days open",
        "answer by",
        "overdue",
        "waits for",
    ]);
    let day = |day: Option<NaiveDate>| Cell::new(day.map_or_else(String::new, |d| d.to_string()));
    for one in &found {
        let open = one
            .days_open
            .map_or_else(String::new, |days| days.to_string());
        sheet.row([
            Cell::new(&one.class),
            Cell::new(&one.processor),
            Cell::new(word(&json!(one.state))),
            day(one.last_day),
            day(one.issued_on),
            Cell::new(open),
            day(one.answer_by),
            Cell::new(if one.overdue { "yes" } else { "" }),
            Cell::new(waits_for(one)),
        ]);
    }
    sheet.print();
    let held = found.iter().filter(|one| one.days_open.is_some());
    for one in held.filter(|one| !one.holds.is_empty()) {
        output::text(&format!(
            "{}: a hold was placed after the instruction to destroy was issued. Tell {} to wait: the data may be gone already.",
            one.class, one.processor
        ));
    }
    Ok(0)
}

/// A word as the JSON has it.
fn word(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn waits_for(one: &HeldElsewhere) -> &'static str {
    match one.waits_for {
        None => "",
        Some(WaitsFor::NextPass) => "the next pass",
        Some(WaitsFor::Resume) => "the end of a pause",
        Some(WaitsFor::Instruction) => "the controller's instruction",
        Some(WaitsFor::Acceptance) => "the acceptance of a schedule",
        Some(WaitsFor::Confirmation) => "its confirmation",
    }
}

/// The instruction of a class that is open, or else the last one.
async fn newest(desk: &mut Desk, class: &str) -> Result<Option<ProcessorOrder>, Failure> {
    let class = desk::class_id(class)?;
    let mut orders = survey::processor_orders(&mut desk.conn).await?;
    orders.retain(|order| order.class == class);
    let open = orders.iter().position(ProcessorOrder::is_open);
    let nth = open.or_else(|| orders.len().checked_sub(1));
    Ok(nth.map(|nth| orders.swap_remove(nth)))
}

async fn print(context: &Context, class: &str, to: Option<PathBuf>) -> Result<u8, Failure> {
    let mut desk = Desk::look(context).await?;
    let found = newest(&mut desk, class).await?;
    if found.is_none() {
        // A slip of the finger, or a class of rows, is told as such.
        if let desk::Named::Rows(_) = desk.any_class(context, class)? {
            desk.close().await;
            return Err(Failure::usage(
                Code::NoSuchDecision,
                format!("class `{class}` lies in a table: nobody else is told to destroy it"),
                "`retentiond processor list` shows the classes that others hold",
            ));
        }
    }
    desk.close().await;
    let Some(order) = found else {
        return Err(Failure::usage(
            Code::NoSuchDecision,
            format!("no instruction to destroy was issued for class `{class}` yet"),
            "`retentiond processor list` shows when it is due; a pass of that day issues it",
        ));
    };
    let object = json!({ "letter": letter::to_json(&order) });
    let text = if context.json() {
        format!("{object:#}\n")
    } else {
        letter::text(&order)
    };
    let Some(path) = to else {
        if context.json() {
            output::json(&object);
        } else {
            output::line(text.trim_end());
        }
        return Ok(0);
    };
    if !context.global.dry_run {
        std::fs::write(&path, &text).map_err(|error| unusable("write", &path, &error))?;
    }
    if context.json() {
        output::json(&json!({ "letter": { "reference": order.reference(), "file": path } }));
    } else {
        output::text(&format!(
            "The letter {} to {} is in {}.",
            order.reference(),
            order.processor,
            path.display()
        ));
    }
    Ok(0)
}

fn unusable(what: &str, path: &Path, error: &std::io::Error) -> Failure {
    Failure::Other {
        code: Code::Unreadable,
        exit: 1,
        message: format!("cannot {what} {}", path.display()),
        causes: vec![error.to_string()],
        hint: None,
    }
}

async fn confirm(
    context: &Context,
    class: &str,
    (by, reference): (&str, &str),
    document: Option<&Path>,
) -> Result<u8, Failure> {
    let mut desk = Desk::open(context, Role::Administrator).await?;
    // The class may be gone from the schedule.
    let id = desk::class_id(class)?;
    let (by, reference) = (desk::words(by, "by")?, desk::words(reference, "reference")?);
    let digest: Option<[u8; 32]> = match document {
        None => None,
        Some(path) => {
            let bytes = std::fs::read(path).map_err(|error| unusable("read", path, &error))?;
            Some(Sha256::digest(&bytes).into())
        }
    };
    let shown = digest.map(|digest| format!("sha256:{}", hex::encode(digest)));
    let order = newest(&mut desk, class)
        .await?
        .filter(ProcessorOrder::is_open);
    let Some(order) = order else {
        desk.close().await;
        return Err(ReviewError::NoOrder(id.to_string()).into());
    };
    let mut object = json!({ "confirmation": {
        "class": id, "reference": order.reference(), "document": shown, "recorded": false,
    } });
    if !context.global.dry_run {
        let new = NewConfirmation {
            class: &id,
            by,
            reference,
            document: digest.as_ref(),
        };
        let (today, now) = (desk.today, desk.now);
        review::confirm_order(&mut desk.conn, &new, &desk.actor, today, now).await?;
        object["confirmation"]["recorded"] = json!(true);
    }
    desk.close().await;
    if context.json() {
        output::json(&object);
        return Ok(0);
    }
    let what = format!(
        "{} has destroyed what it held under class `{id}` ({})",
        order.processor,
        order.reference()
    );
    output::text(&match context.global.dry_run {
        true => format!("This would record that {what}. Nothing was changed."),
        false => format!("Recorded: {what}."),
    });
    if let Some(shown) = shown {
        output::text(&format!("The document's digest is {shown}."));
    }
    Ok(0)
}
