//! `retentiond instruct`, `pause`, `resume` and `operator`.

use chrono::NaiveDate;
use comfy_table::Cell;
use serde_json::json;

use super::args;
use super::context::Context;
use super::desk::{self, Desk, Named};
use super::failure::Failure;
use super::output::{self, Sheet};
use crate::review::{self, Instruction, NewInstruction, Role};
use crate::schedule::{Code, Gate};
use crate::survey::{self, WaitsFor};

pub(super) async fn instruct(context: &Context, arguments: args::Instruct) -> Result<u8, Failure> {
    match arguments.command {
        Some(args::InstructCommand::List) => return instructions(context).await,
        Some(args::InstructCommand::Withdraw { class, reason }) => {
            return withdraw(context, &class, &reason).await;
        }
        None => {}
    }
    let mut desk = Desk::open(context, Role::Administrator).await?;
    let named = desk.any_class(context, arguments.class.as_deref().unwrap_or_default())?;
    let class = named.id().clone();
    if named.gate() != Some(Gate::Instruction) {
        return Err(Failure::usage(
            Code::NoSuchDecision,
            format!("class `{class}` does not wait for an instruction"),
            "only a class with `gate = \"instruction\"` does",
        ));
    }
    let processor = match named {
        Named::Rows(_) => None,
        Named::Elsewhere(class) => Some(class.processor().to_owned()),
    };
    if let Some(until) = arguments.until {
        desk::ahead(until, "until", desk.today)?;
    }
    let instruction = NewInstruction {
        class: &class,
        by: desk::words(arguments.by.as_deref().unwrap_or_default(), "by")?,
        reference: desk::words(
            arguments.reference.as_deref().unwrap_or_default(),
            "reference",
        )?,
        until: arguments.until,
    };
    let waiting = if processor.is_some() {
        let plan = &desk.drawn.plan;
        let elsewhere = survey::processors(&mut desk.conn, plan, true).await?;
        let own = elsewhere.iter().find(|one| one.class == class);
        u64::from(own.is_some_and(|one| one.waits_for == Some(WaitsFor::Instruction)))
    } else {
        let counted = survey::count(&mut desk.conn, &desk.drawn.plan).await?;
        let own = counted.iter().find(|counted| counted.id == class);
        let counts = own.and_then(|counted| counted.counts.as_ref());
        counts.map_or(0, |counts| counts.waiting)
    };
    let id = if context.global.dry_run {
        None
    } else {
        Some(review::instruct(&mut desk.conn, &instruction, &desk.actor, desk.now).await?)
    };
    desk.close().await;
    if context.json() {
        output::json(
            &json!({ "instruction": { "instruction": id, "class": class, "waiting": waiting } }),
        );
        return Ok(0);
    }
    if let Some(processor) = processor {
        let tells = format!("what {processor} holds under class `{class}` is to be destroyed");
        output::text(&match id {
            None => format!("This would say that {tells}. Nothing was changed."),
            Some(id) => format!(
                "Instruction {id} is recorded: {tells}. The first pass for which it is due issues the letter."
            ),
        });
        return Ok(0);
    }
    let records = desk::records(waiting);
    match id {
        None => output::text(&format!(
            "This would let {records} of class `{class}` go with the next pass. Nothing was changed."
        )),
        Some(id) => output::text(&format!(
            "Instruction {id} is recorded: {records} of class `{class}` that waited for it may go with the next pass{}.",
            arguments.until.map_or_else(String::new, |day| format!(
                "; it covers what becomes past through {day}"
            ))
        )),
    }
    Ok(0)
}

async fn withdraw(context: &Context, class: &str, reason: &str) -> Result<u8, Failure> {
    let mut desk = Desk::open(context, Role::Administrator).await?;
    // The class may be gone from the schedule.
    let class = desk::class_id(class)?;
    let reason = desk::words(reason, "reason")?;
    if context.global.dry_run {
        output::text(&format!(
            "This would withdraw the instructions for class `{class}`. Nothing was changed."
        ));
        desk.close().await;
        return Ok(0);
    }
    let n = review::withdraw(&mut desk.conn, &class, reason, &desk.actor, desk.now).await?;
    desk.close().await;
    if context.json() {
        output::json(&json!({ "withdrawn": n }));
    } else {
        output::text(&format!(
            "Nothing more of class `{class}` goes until there is another instruction."
        ));
    }
    Ok(0)
}

fn in_force(instruction: &Instruction, today: NaiveDate) -> bool {
    instruction.withdrawn_at.is_none() && instruction.until.is_none_or(|until| until >= today)
}

async fn instructions(context: &Context) -> Result<u8, Failure> {
    let mut desk = Desk::look(context).await?;
    let (today, zone) = (desk.today, desk.schedule.time_zone());
    let all = review::instructions(&mut desk.conn).await?;
    desk.close().await;
    if context.json() {
        let all: Vec<_> = all
            .iter()
            .map(|one| {
                let mut value = json!(one);
                value["in_force"] = json!(in_force(one, today));
                value
            })
            .collect();
        output::json(&json!({ "instructions": all }));
        return Ok(0);
    }
    if all.is_empty() {
        output::text("Nobody has ordered anything.");
        return Ok(0);
    }
    let mut sheet = Sheet::new([
        "number",
        "class",
        "by",
        "reference",
        "recorded",
        "until",
        "state",
    ]);
    for one in &all {
        let state = match (&one.withdrawn_at, in_force(one, today)) {
            (Some(_), _) => "withdrawn",
            (None, true) => "in force",
            (None, false) => "over",
        };
        sheet.row([
            Cell::new(one.instruction),
            Cell::new(&one.class),
            Cell::new(&one.given_by),
            Cell::new(&one.reference),
            Cell::new(output::instant(one.recorded_at, zone)),
            Cell::new(one.until.map_or_else(String::new, |day| day.to_string())),
            Cell::new(state),
        ]);
    }
    sheet.print();
    Ok(0)
}

pub(super) async fn pause(context: &Context, arguments: args::Pause) -> Result<u8, Failure> {
    let mut desk = Desk::open(context, Role::Administrator).await?;
    let class = match &arguments.class {
        Some(id) => Some(desk.any_class(context, id)?.id().clone()),
        None => None,
    };
    let reason = desk::words(&arguments.reason, "reason")?;
    let what = class.as_ref().map_or_else(
        || "everything".to_owned(),
        |class| format!("class `{class}`"),
    );
    let id = if context.global.dry_run {
        None
    } else {
        let now = desk.now;
        Some(review::pause(&mut desk.conn, class.as_ref(), reason, &desk.actor, now).await?)
    };
    desk.close().await;
    match (context.json(), id) {
        (true, id) => output::json(&json!({ "pause": { "pause": id, "class": class } })),
        (false, None) => output::text(&format!("This would pause {what}. Nothing was changed.")),
        (false, Some(_)) => output::text(&format!(
            "Paused: {what}. Nothing of it is acted on, and it protects as before, until `retentiond resume`."
        )),
    }
    Ok(0)
}

pub(super) async fn resume(context: &Context, arguments: args::Resume) -> Result<u8, Failure> {
    let mut desk = Desk::open(context, Role::Administrator).await?;
    let class = arguments.class.as_deref().map(desk::class_id).transpose()?;
    let what = class.as_ref().map_or_else(
        || "everything".to_owned(),
        |class| format!("class `{class}`"),
    );
    if context.global.dry_run {
        output::text(&format!("This would resume {what}. Nothing was changed."));
        desk.close().await;
        return Ok(0);
    }
    let n = review::resume(&mut desk.conn, class.as_ref(), &desk.actor, desk.now).await?;
    let left = review::pauses(&mut desk.conn).await?;
    desk.close().await;
    if context.json() {
        output::json(&json!({ "resumed": n, "paused": left }));
        return Ok(0);
    }
    output::text(&format!(
        "Resumed: {what}. What is due goes with the next pass."
    ));
    for pause in left {
        let what = pause.class.map_or_else(
            || "everything".to_owned(),
            |class| format!("class `{class}`"),
        );
        output::text(&format!(
            "Still paused: {what}, by {} ({}).",
            pause.paused_by, pause.reason
        ));
    }
    Ok(0)
}

pub(super) async fn operator(context: &Context, command: args::Operator) -> Result<u8, Failure> {
    let role = |text: &str| {
        text.parse::<Role>().map_err(|()| {
            Failure::usage(
                Code::UnknownWord,
                format!("`{text}` is no role"),
                "viewer, reviewer, holds or administrator",
            )
        })
    };
    match command {
        args::Operator::List => {
            let mut desk = Desk::look(context).await?;
            let all = review::operators(&mut desk.conn).await?;
            let zone = desk.schedule.time_zone();
            desk.close().await;
            if context.json() {
                output::json(&json!({ "operators": all }));
                return Ok(0);
            }
            if all.is_empty() {
                output::text("Nobody is registered: every system account may decide everything.");
                return Ok(0);
            }
            let mut sheet = Sheet::new(["name", "role", "added by", "added"]);
            for one in &all {
                sheet.row([
                    Cell::new(&one.name),
                    Cell::new(&one.role),
                    Cell::new(&one.added_by),
                    Cell::new(output::instant(one.added_at, zone)),
                ]);
            }
            sheet.print();
            Ok(0)
        }
        args::Operator::Add { name, role: text } => {
            let (name, role) = (desk::words(&name, "name")?.to_owned(), role(&text)?);
            let mut desk = Desk::open(context, Role::Administrator).await?;
            let first = review::operators(&mut desk.conn).await?.is_empty();
            if first && role != Role::Administrator {
                return Err(Failure::usage(
                    Code::NotAllowed,
                    "the first operator has to be an administrator: nobody else could add another",
                    "`retentiond operator add NAME --role administrator`",
                ));
            }
            if context.global.dry_run {
                output::text(&format!(
                    "This would make {name} {}. Nothing was changed.",
                    role.name()
                ));
                desk.close().await;
                return Ok(0);
            }
            let added =
                review::add_operator(&mut desk.conn, &name, role, &desk.actor, desk.now).await?;
            desk.close().await;
            if context.json() {
                output::json(&json!({ "added": added }));
            } else if added {
                output::text(&format!("{name} has the role {}.", role.name()));
            } else {
                output::text(&format!("{name} had the role {} already.", role.name()));
            }
            Ok(0)
        }
        args::Operator::Remove { name, role: text } => {
            let role = text.as_deref().map(role).transpose()?;
            let mut desk = Desk::open(context, Role::Administrator).await?;
            if context.global.dry_run {
                output::text(&format!(
                    "This would take roles from {name}. Nothing was changed."
                ));
                desk.close().await;
                return Ok(0);
            }
            review::remove_operator(&mut desk.conn, &name, role, &desk.actor, desk.now).await?;
            desk.close().await;
            if context.json() {
                output::json(&json!({ "removed": name }));
            } else {
                output::text(&format!("Done: {name} may do that no more."));
            }
            Ok(0)
        }
    }
}
