//! `retentiond review list`: what waits, and what a person needs to decide about it.

use comfy_table::Cell;
use serde_json::{Map, Value, json};

use super::export;
use super::queues::{ClassQueue, queues};
use crate::cli::args::{Paging, QueueExport, QueueFilters};
use crate::cli::context::Context;
use crate::cli::desk::{self, Desk};
use crate::cli::failure::Failure;
use crate::cli::output::{self, Sheet};
use crate::survey::{self, Shown};

/// How many records of a class are listed unless more are asked for.
const LISTED: u64 = 50;

/// How many characters of a column are shown in a table.
const CELL: usize = 40;

/// A class's queue with what is to be seen of it.
pub(super) struct ShownQueue {
    pub queue: ClassQueue,
    pub records: Vec<Shown>,
    /// The columns of `preview`, and whether each is a number.
    pub preview: Vec<(String, bool)>,
    /// The columns of `preview` that the role may not read.
    pub withheld: Vec<String>,
    /// The version of the schedule that is in force.
    pub schedule: [u8; 32],
}

pub(super) async fn list(
    context: &Context,
    filters: &QueueFilters,
    paging: &Paging,
    export: &QueueExport,
) -> Result<u8, Failure> {
    let exports = export.as_format.is_some() || export.output.is_some();
    let limit = match (paging.limit, exports) {
        (Some(limit), _) => Some(limit),
        (None, true) => None,
        (None, false) => Some(LISTED),
    };
    let mut desk = Desk::look(context).await?;
    let mut shown = Vec::new();
    for queue in queues(&mut desk, context, filters, paging, limit).await? {
        shown.push(with_records(&mut desk, queue).await?);
    }
    desk.close().await;
    if exports {
        return export::write(&shown, export);
    }
    if context.json() {
        let queues: Vec<Value> = shown.iter().map(as_json).collect();
        output::json(&json!({ "review": queues }));
        return Ok(0);
    }
    let waiting: u64 = shown.iter().map(|shown| shown.queue.waiting).sum();
    if waiting == 0 {
        output::text("Nothing waits for a review.");
        return Ok(0);
    }
    for shown in shown.iter().filter(|shown| shown.queue.waiting > 0) {
        print(shown);
    }
    Ok(0)
}

async fn with_records(desk: &mut Desk, queue: ClassQueue) -> Result<ShownQueue, Failure> {
    let planned = desk.drawn.plan.class(&queue.class);
    let asked = planned.and_then(|planned| planned.questions.as_ref()?.queue.as_ref());
    let preview = asked.map_or(&[][..], |asked| &asked.preview);
    let withheld = asked.map_or(&[][..], |asked| &asked.withheld);
    let (today, columns) = (desk.today, &queue.columns);
    let records = match planned {
        Some(planned) => {
            survey::show(&mut desk.conn, planned, columns, today, &queue.records).await?
        }
        None => Vec::new(),
    };
    Ok(ShownQueue {
        records,
        preview: preview
            .iter()
            .map(|(name, number)| (name.to_string(), *number))
            .collect(),
        withheld: withheld.iter().map(ToString::to_string).collect(),
        schedule: *desk.schedule.digest(),
        queue,
    })
}

fn print(shown: &ShownQueue) {
    let queue = &shown.queue;
    output::text(&format!(
        "{}{}{}: {} wait in {}",
        output::STRONG,
        queue.class,
        output::RESET,
        desk::records(queue.waiting),
        queue.table
    ));
    let people = match queue.approvals {
        1 => String::new(),
        several => format!(" {several} people have to approve each."),
    };
    output::text(&format!(
        "{}, by version {} of the schedule.{people}",
        queue.title,
        output::short(&shown.schedule)
    ));
    if !shown.withheld.is_empty() {
        output::text(&format!(
            "This role may not read {}, which the class would show: `retentiond grants` has what the console needs.",
            shown.withheld.join(", ")
        ));
    }
    let mut sheet = Sheet::new([
        "id",
        "trigger",
        "last day",
        "days past",
        "last activity",
        "with it",
        "files",
        "approved by",
        "handed to",
        "shown",
        "why",
        "queued again",
    ]);
    for one in &shown.records {
        let day = |day: Option<chrono::NaiveDate>| day.map_or_else(String::new, |d| d.to_string());
        let with_it: Vec<String> = one
            .dependants
            .iter()
            .map(|(table, rows)| format!("{} {}", short(table), output::grouped(*rows)))
            .collect();
        let preview: Vec<String> = one
            .preview
            .iter()
            .filter_map(|(name, value)| Some(format!("{name}: {}", cell(value.as_ref()?))))
            .collect();
        sheet.row([
            Cell::new(queue.id(&one.key)),
            Cell::new(day(one.trigger)),
            Cell::new(day(one.last_day)),
            Cell::new(
                one.days_past
                    .map_or_else(String::new, |days| days.to_string()),
            ),
            Cell::new(day(one.last_activity)),
            Cell::new(with_it.join(", ")),
            match one.files {
                Some(files) => output::number(files),
                None => output::maybe(None),
            },
            Cell::new(approved(queue, one)),
            Cell::new(one.handed_to.clone().unwrap_or_default()),
            Cell::new(preview.join("; ")),
            Cell::new(&one.why),
            Cell::new(one.void.clone().unwrap_or_default()),
        ]);
    }
    if !shown.records.is_empty() {
        sheet.print();
    }
    let more = queue.waiting.saturating_sub(shown.records.len() as u64);
    if more > 0 {
        output::text(&format!(
            "… and {} more (--limit, --offset)",
            output::grouped(more)
        ));
    }
}

/// A table as people call it where there is no other of the name.
fn short(table: &str) -> &str {
    table.strip_prefix("public.").unwrap_or(table)
}

/// What somebody has written, in a cell of a table: on one line, not long, and without
/// anything that a terminal would obey.
fn cell(text: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let mut short: String = text.chars().take(CELL).map(plain).collect();
    if text.chars().nth(CELL).is_some() {
        short.push('…');
    }
    short
}

/// Who has approved a record, where more than one has to.
fn approved(queue: &ClassQueue, one: &Shown) -> String {
    match one.approved_by.len() {
        0 => String::new(),
        n => format!(
            "{} ({n} of {})",
            one.approved_by.join(", "),
            queue.approvals
        ),
    }
}

fn as_json(shown: &ShownQueue) -> Value {
    let records: Vec<Value> = shown.records.iter().map(|one| record(shown, one)).collect();
    let queue = &shown.queue;
    json!({
        "class": queue.class, "title": queue.title, "table": queue.table, "waiting": queue.waiting,
        "approvals": queue.approvals, "schedule": format!("sha256:{}", hex::encode(shown.schedule)),
        "withheld": shown.withheld, "records": records,
    })
}

/// A record of a queue, by itself.
pub(super) fn record(shown: &ShownQueue, one: &Shown) -> Value {
    let mut value = json!(one);
    value["id"] = json!(shown.queue.id(&one.key));
    value["key"] = one.key.to_json(&shown.queue.columns);
    let preview = one.preview.iter();
    let preview: Map<String, Value> = preview
        .map(|(name, value)| (name.clone(), json!(value)))
        .collect();
    value["preview"] = Value::Object(preview);
    value
}
