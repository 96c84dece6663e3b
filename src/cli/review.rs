//! `retentiond review`: what waits for people, and what they decide.

mod export;
mod list;
mod queues;

use std::collections::{BTreeMap, HashSet};

use serde_json::{Value, json};

use self::queues::{ClassQueue, queue_of, queues};
use super::args;
use super::context::Context;
use super::desk::{self, Desk};
use super::failure::Failure;
use super::output;
use crate::ident::ClassId;
use crate::ledger::RecordKey;
use crate::plan::Ask;
use crate::review::{self, Decision, NewReview, ReviewedRecord, Role};
use crate::schedule::Code;
use crate::survey::{self, Queued};

pub(super) async fn run(context: &Context, command: args::Review) -> Result<u8, Failure> {
    match command {
        args::Review::List {
            filters,
            paging,
            export,
        } => list::list(context, &filters, &paging, &export).await,
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

/// A record that was named and is not decided about, and why.
struct NotCovered {
    id: String,
    why: String,
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
    let (chosen, not_covered) = if which.ids.is_empty() {
        let limit = which.paging.limit;
        let chosen = queues(&mut desk, context, &which.filters, &which.paging, limit).await?;
        (chosen, Vec::new())
    } else {
        named(&mut desk, context, &which.ids).await?
    };
    record(context, desk, chosen, not_covered, decision, reason).await
}

/// The queues of those classes that the ids name, with those records only; and those of them
/// that are in no queue.
async fn named(
    desk: &mut Desk,
    context: &Context,
    ids: &[String],
) -> Result<(Vec<ClassQueue>, Vec<NotCovered>), Failure> {
    let (mut found, mut not_covered) = (Vec::new(), Vec::new());
    for (class, keys) in keys_by_class(desk, context, ids)? {
        let keys: Vec<&RecordKey> = keys.iter().collect();
        let mut queue =
            queue_of(desk, context, class.as_str(), &Ask::default(), Some(&keys)).await?;
        let mut queued: BTreeMap<RecordKey, Queued> = std::mem::take(&mut queue.records)
            .into_iter()
            .map(|one| (one.key.clone(), one))
            .collect();
        // In the order in which they were named.
        let mut missing = Vec::new();
        for key in keys {
            match queued.remove(key) {
                Some(one) => queue.records.push(one),
                None => missing.push(key),
            }
        }
        if let (Some(planned), false) = (desk.drawn.plan.class(&class), missing.is_empty()) {
            let why =
                survey::why_not_queued(&mut desk.conn, planned, &queue.columns, &missing).await?;
            let missing = missing.into_iter().zip(why);
            not_covered.extend(missing.map(|(key, why)| NotCovered {
                id: queue.id(key),
                why,
            }));
        }
        found.push(queue);
    }
    Ok((found, not_covered))
}

/// The keys that ids name, each once, class by class in the order of their naming.
fn keys_by_class(
    desk: &Desk,
    context: &Context,
    ids: &[String],
) -> Result<Vec<(ClassId, Vec<RecordKey>)>, Failure> {
    let mut found: Vec<(ClassId, Vec<RecordKey>)> = Vec::new();
    let mut seen: HashSet<(ClassId, RecordKey)> = HashSet::new();
    for text in ids {
        let (class, key) = parts(text)?;
        let class = desk.class(context, class)?;
        let (_, key) = desk.key(class.table(), key)?;
        let id = class.id();
        if !seen.insert((id.clone(), key.clone())) {
            continue;
        }
        match found.iter_mut().find(|(known, _)| known == id) {
            Some((_, keys)) => keys.push(key),
            None => found.push((id.clone(), vec![key])),
        }
    }
    Ok(found)
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
    for (class, keys) in keys_by_class(&desk, context, ids)? {
        let class = desk.class(context, class.as_str())?;
        let mut queue = ClassQueue::empty(&desk, class)?;
        queue.records = keys
            .into_iter()
            .map(|key| Queued {
                key,
                trigger: None,
                last_day: None,
            })
            .collect();
        chosen.push(queue);
    }
    record(context, desk, chosen, Vec::new(), Decision::Revoke, reason).await
}

async fn record(
    context: &Context,
    mut desk: Desk,
    chosen: Vec<ClassQueue>,
    not_covered: Vec<NotCovered>,
    decision: Decision<'_>,
    reason: &str,
) -> Result<u8, Failure> {
    let mut done: Vec<Value> = Vec::new();
    for queue in chosen.iter().filter(|queue| !queue.records.is_empty()) {
        let records: Vec<ReviewedRecord> = queue
            .records
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
        let mut value = json!({ "review": id, "class": queue.class, "records": records.len() });
        if context.global.dry_run {
            value["first"] = json!(first(queue));
        }
        done.push(value);
        if !context.json() {
            output::text(&said(context, queue, records.len() as u64, decision));
        }
    }
    desk.close().await;
    if context.json() {
        let not_covered: Vec<Value> = not_covered
            .iter()
            .map(|one| json!({ "id": one.id, "why": one.why }))
            .collect();
        output::json(&json!({ "reviews": done, "not_covered": not_covered }));
    } else {
        for one in &not_covered {
            output::text(&format!("Not covered: {}: {}.", one.id, one.why));
        }
        if done.is_empty() {
            output::text("Nothing that waits fits. Nothing was changed.");
        }
    }
    // Whoever named them has to look at them again.
    Ok(if not_covered.is_empty() { 0 } else { 3 })
}

/// How many records a dry run names.
const FIRST: usize = 5;

/// The first records of those that a decision would be about.
fn first(queue: &ClassQueue) -> Vec<String> {
    let records = queue.records.iter().take(FIRST);
    records.map(|one| queue.id(&one.key)).collect()
}

fn said(context: &Context, queue: &ClassQueue, count: u64, decision: Decision<'_>) -> String {
    let what = format!("{} of class `{}`", desk::records(count), queue.class);
    if context.global.dry_run {
        let mut named = first(queue).join(", ");
        let more = count.saturating_sub(FIRST as u64);
        if more > 0 {
            named.push_str(&format!(" and {} more", output::grouped(more)));
        }
        return format!(
            "This would {} {what}: {named}. Nothing was changed.",
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
