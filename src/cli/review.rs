//! `retentiond review`: what waits for people, and what they decide.

use comfy_table::Cell;
use serde_json::{Value, json};

use super::args::{self, QueueFilters};
use super::context::Context;
use super::desk::{self, Desk};
use super::failure::Failure;
use super::output::{self, Sheet};
use crate::ident::{ClassId, TableName};
use crate::ledger::KeyColumns;
use crate::review::{self, Decision, NewReview, ReviewedRecord, Role};
use crate::schedule::{Class, Code};
use crate::survey::{self, Queued};

pub(super) async fn run(context: &Context, command: args::Review) -> Result<u8, Failure> {
    match command {
        args::Review::List { filters, limit } => list(context, &filters, limit).await,
        args::Review::Approve { which, reason } => {
            decide(context, &which, Decision::Approve, &reason).await
        }
        args::Review::Keep {
            which,
            reason,
            until,
        } => decide(context, &which, Decision::Keep(until), &reason).await,
        args::Review::HandOn { which, to, reason } => {
            let to = desk::words(&to, "to")?;
            decide(context, &which, Decision::HandOn(to), &reason).await
        }
        args::Review::Revoke { ids, reason } => revoke(context, &ids, &reason).await,
    }
}

/// The queue of one class.
struct ClassQueue {
    class: ClassId,
    table: TableName,
    digest: [u8; 32],
    columns: KeyColumns,
    approvals: u32,
    queued: Vec<Queued>,
}

async fn queue(
    desk: &mut Desk,
    class: &Class,
    filters: Option<&QueueFilters>,
) -> Result<ClassQueue, Failure> {
    let only = filters.and_then(|filters| filters.condition.as_deref());
    let only = only
        .map(|text| desk::condition(desk, class.table(), text))
        .transpose()?;
    let columns = desk.columns(class.table())?;
    let planned = desk
        .drawn
        .plan
        .classes()
        .iter()
        .find(|c| &c.id == class.id());
    let mut queued = match planned {
        Some(planned) => survey::queue(&mut desk.conn, planned, &columns, only.as_ref()).await?,
        None => Vec::new(),
    };
    if let Some(filters) = filters {
        queued.retain(|one| {
            filters
                .before
                .is_none_or(|day| one.last_day.is_some_and(|last| last < day))
                && filters
                    .since
                    .is_none_or(|day| one.last_day.is_none_or(|last| last >= day))
                && filters
                    .handed_to
                    .as_ref()
                    .is_none_or(|to| one.handed_to.as_ref() == Some(to))
        });
    }
    Ok(ClassQueue {
        class: class.id().clone(),
        table: class.table().clone(),
        digest: *class.digest(),
        columns,
        approvals: class.dispose().map_or(1, |rule| rule.approvals),
        queued,
    })
}

async fn queues(
    desk: &mut Desk,
    context: &Context,
    filters: &QueueFilters,
) -> Result<Vec<ClassQueue>, Failure> {
    let classes: Vec<Class> = match &filters.class {
        Some(id) => vec![desk.class(context, id)?.clone()],
        None => desk.schedule.classes().to_vec(),
    };
    let mut found = Vec::new();
    for class in &classes {
        let planned = desk
            .drawn
            .plan
            .classes()
            .iter()
            .find(|c| &c.id == class.id());
        let asked = planned.and_then(|c| c.questions.as_ref()?.queue.as_ref());
        if asked.is_some() {
            found.push(queue(desk, class, Some(filters)).await?);
        }
    }
    Ok(found)
}

async fn list(context: &Context, filters: &QueueFilters, limit: usize) -> Result<u8, Failure> {
    let mut desk = Desk::look(context).await?;
    let queues = queues(&mut desk, context, filters).await?;
    let today = desk.today;
    desk.close().await;
    if context.json() {
        let queues: Vec<Value> = queues.iter().map(|queue| as_json(queue, limit)).collect();
        output::json(&json!({ "review": queues }));
        return Ok(0);
    }
    let waiting: usize = queues.iter().map(|queue| queue.queued.len()).sum();
    if waiting == 0 {
        output::text("Nothing waits for a review.");
        return Ok(0);
    }
    for queue in queues.iter().filter(|queue| !queue.queued.is_empty()) {
        let n = queue.queued.len();
        output::text(&format!(
            "{}{}{}: {} wait in {}",
            output::STRONG,
            queue.class,
            output::RESET,
            desk::records(n as u64),
            queue.table
        ));
        let mut sheet = Sheet::new([
            "id",
            "trigger",
            "last day",
            "days past",
            "approved by",
            "handed to",
            "remark",
        ]);
        for one in queue.queued.iter().take(limit) {
            let day =
                |day: Option<chrono::NaiveDate>| day.map_or_else(String::new, |d| d.to_string());
            let past = one
                .last_day
                .map_or_else(String::new, |last| (today - last).num_days().to_string());
            sheet.row([
                Cell::new(id(queue, one)),
                Cell::new(day(one.trigger)),
                Cell::new(day(one.last_day)),
                Cell::new(past),
                Cell::new(approved(queue, one)),
                Cell::new(one.handed_to.clone().unwrap_or_default()),
                Cell::new(one.void.clone().unwrap_or_default()),
            ]);
        }
        sheet.print();
        if n > limit {
            output::text(&format!(
                "… and {} more (--limit)",
                output::grouped((n - limit) as u64)
            ));
        }
    }
    Ok(0)
}

/// Who has approved a record, where more than one has to.
fn approved(queue: &ClassQueue, one: &Queued) -> String {
    match one.approved_by.len() {
        0 => String::new(),
        n => format!(
            "{} ({n} of {})",
            one.approved_by.join(", "),
            queue.approvals
        ),
    }
}

/// How a record of a queue is named on the command line.
fn id(queue: &ClassQueue, one: &Queued) -> String {
    format!(
        "{}:{}",
        queue.class,
        one.key.to_command_line(&queue.columns)
    )
}

fn as_json(queue: &ClassQueue, limit: usize) -> Value {
    let records: Vec<Value> = queue
        .queued
        .iter()
        .take(limit)
        .map(|one| {
            let mut value = json!(one);
            value["id"] = json!(id(queue, one));
            value["key"] = one.key.to_json(&queue.columns);
            value
        })
        .collect();
    json!({
        "class": queue.class, "table": queue.table, "waiting": queue.queued.len(),
        "approvals": queue.approvals, "records": records,
    })
}

async fn decide(
    context: &Context,
    which: &args::Which,
    decision: Decision<'_>,
    reason: &str,
) -> Result<u8, Failure> {
    let reason = desk::words(reason, "reason")?;
    let mut desk = Desk::open(context, Role::Reviewer).await?;
    if let Decision::Keep(until) = decision {
        desk::ahead(until, "until", desk.today)?;
    }
    let chosen = if which.ids.is_empty() {
        queues(&mut desk, context, &which.filters).await?
    } else {
        named(&mut desk, context, &which.ids).await?
    };
    record(context, desk, chosen, decision, reason).await
}

/// The queues of those classes that the ids name, with those records only.
async fn named(
    desk: &mut Desk,
    context: &Context,
    ids: &[String],
) -> Result<Vec<ClassQueue>, Failure> {
    let mut queues: Vec<ClassQueue> = Vec::new();
    let mut chosen: Vec<Vec<Queued>> = Vec::new();
    for text in ids {
        let (class, key) = parts(text)?;
        let class = desk.class(context, class)?.clone();
        let at = match queues.iter().position(|queue| &queue.class == class.id()) {
            Some(at) => at,
            None => {
                queues.push(queue(desk, &class, None).await?);
                chosen.push(Vec::new());
                queues.len() - 1
            }
        };
        let (_, key) = desk.key(class.table(), key)?;
        let one = queues[at].queued.iter().find(|one| one.key == key).cloned();
        let Some(one) = one else {
            return Err(Failure::usage(
                Code::NoSuchDecision,
                format!("{text} does not wait for a review"),
                "`retentiond review list` shows what does, `retentiond explain` says why a record is kept",
            ));
        };
        if !chosen[at].contains(&one) {
            chosen[at].push(one);
        }
    }
    for (queue, chosen) in queues.iter_mut().zip(chosen) {
        queue.queued = chosen;
    }
    Ok(queues)
}

/// `CLASS:KEY`.
fn parts(text: &str) -> Result<(&str, &str), Failure> {
    text.split_once(':').ok_or_else(|| {
        Failure::usage(
            Code::NoSuchDecision,
            format!("`{text}` does not name a record of a queue"),
            "write `CLASS:KEY` as `retentiond review list` shows it, or choose by --class and filters",
        )
    })
}

async fn revoke(context: &Context, ids: &[String], reason: &str) -> Result<u8, Failure> {
    let reason = desk::words(reason, "reason")?;
    let desk = Desk::open(context, Role::Reviewer).await?;
    let mut chosen: Vec<ClassQueue> = Vec::new();
    // What is approved waits no more, and is in no queue.
    for text in ids {
        let (class, key) = parts(text)?;
        let class = desk.class(context, class)?.clone();
        let (columns, key) = desk.key(class.table(), key)?;
        let one = Queued {
            key,
            trigger: None,
            last_day: None,
            approved_by: Vec::new(),
            void: None,
            handed_to: None,
        };
        match chosen.iter_mut().find(|queue| &queue.class == class.id()) {
            Some(queue) => queue.queued.push(one),
            None => chosen.push(ClassQueue {
                class: class.id().clone(),
                table: class.table().clone(),
                digest: *class.digest(),
                columns,
                approvals: class.dispose().map_or(1, |rule| rule.approvals),
                queued: vec![one],
            }),
        }
    }
    record(context, desk, chosen, Decision::Revoke, reason).await
}

async fn record(
    context: &Context,
    mut desk: Desk,
    chosen: Vec<ClassQueue>,
    decision: Decision<'_>,
    reason: &str,
) -> Result<u8, Failure> {
    let mut done: Vec<Value> = Vec::new();
    for queue in chosen.iter().filter(|queue| !queue.queued.is_empty()) {
        let records: Vec<ReviewedRecord> = queue
            .queued
            .iter()
            .map(|one| ReviewedRecord {
                key: one.key.clone(),
                trigger: one.trigger,
                last_day: one.last_day,
            })
            .collect();
        let id = if context.global.dry_run {
            None
        } else {
            let new = NewReview {
                class: &queue.class,
                table: &queue.table,
                class_digest: &queue.digest,
                records: &records,
                decision,
                reason,
            };
            Some(review::review(&mut desk.conn, &new, &desk.actor, desk.now).await?)
        };
        done.push(json!({ "review": id, "class": queue.class, "records": records.len() }));
        if !context.json() {
            output::text(&said(context, queue, records.len() as u64, decision));
        }
    }
    desk.close().await;
    if context.json() {
        output::json(&json!({ "reviews": done }));
    } else if done.is_empty() {
        output::text("Nothing that waits fits. Nothing was changed.");
    }
    Ok(0)
}

fn said(context: &Context, queue: &ClassQueue, count: u64, decision: Decision<'_>) -> String {
    let what = format!("{} of class `{}`", desk::records(count), queue.class);
    if context.global.dry_run {
        return format!(
            "This would {} {what}. Nothing was changed.",
            match decision {
                Decision::Approve => "approve",
                Decision::Keep(_) => "keep",
                Decision::HandOn(_) => "hand on",
                Decision::Revoke => "take back the approvals of",
            }
        );
    }
    match decision {
        Decision::Approve if queue.approvals > 1 => format!(
            "Approved: {what}. {} people have to; what has all of them goes with the next pass.",
            queue.approvals
        ),
        Decision::Approve => {
            format!("Approved: {what}. What nothing else protects goes with the next pass.")
        }
        Decision::Keep(until) => {
            format!("Kept through {until}: {what}. They wait for a review again after that.")
        }
        Decision::HandOn(to) => format!("Handed on to {to}: {what}."),
        Decision::Revoke => {
            format!("Taken back: the approvals of {what} that no pass has gone by.")
        }
    }
}
