//! What there is to say after a pass, and how: pure.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde_json::{Value, json};

use crate::enforce::{ClassReport, ErasureStatus, RunReport, Status};
use crate::survey::Overview;

/// A matter that lasts is told again after so many days.
const REMIND: i64 = 7;

/// What is known after a pass.
pub(super) struct Pass<'a> {
    pub(super) organisation: &'a str,
    pub(super) report: &'a RunReport,
    pub(super) overview: &'a Overview,
    /// Open holds whose review date has come.
    pub(super) holds: u64,
    /// Whether all classes were dealt with, so that what is not there is over.
    pub(super) whole: bool,
}

/// One matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Matter {
    /// As the settings' `on` has it.
    pub(super) topic: &'static str,
    /// A class, or what else tells it from others of its topic.
    pub(super) about: String,
    /// More is news, fewer is not.
    pub(super) count: u64,
    /// Whether it is over as it happens, and so always news.
    pub(super) passing: bool,
    text: String,
    next: String,
}

/// What a receiver was told of a matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) count: u64,
    pub(super) since: NaiveDate,
    pub(super) told_on: NaiveDate,
}

/// Why a matter is told now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    New,
    /// It lasts since then.
    Still(NaiveDate),
}

/// Whether there is a reason to tell of it.
pub(super) fn why(matter: &Matter, told: Option<&Told>, on: NaiveDate) -> Option<Why> {
    match told {
        _ if matter.passing => Some(Why::New),
        None => Some(Why::New),
        Some(told) if matter.count > told.count => Some(Why::New),
        Some(told) if (on - told.told_on).num_days() >= REMIND => Some(Why::Still(told.since)),
        Some(_) => None,
    }
}

fn records(count: u64) -> String {
    match count {
        1 => "1 record".to_owned(),
        _ => format!("{count} records"),
    }
}

/// `waits`, `wait`.
fn verb(count: u64, one: &'static str, more: &'static str) -> &'static str {
    if count == 1 { one } else { more }
}

/// Everything there is to say, the gravest first.
pub(super) fn matters(pass: &Pass<'_>) -> Vec<Matter> {
    let (report, overview) = (pass.report, pass.overview);
    let mut all = Vec::new();
    let mut say = |topic, about: &str, count, text: String, next: &str| {
        all.push(Matter {
            topic,
            about: about.to_owned(),
            count,
            passing: matches!(topic, "summary" | "checkpoint"),
            text,
            next: next.to_owned(),
        });
    };
    if let Some(verdict) = overview.ledger.verdict.as_deref().filter(|v| *v != "OK") {
        say(
            "ledger",
            verdict,
            1,
            format!("The last verification of the ledger said {verdict}."),
            "Run `retentiond ledger verify` with a checkpoint that is kept elsewhere, and find out why.",
        );
    }
    if report.unpublished.is_some() {
        say(
            "ledger",
            "unpublished",
            1,
            "The ledger could not be published.".to_owned(),
            "Run `retentiond run`: it says why, and publishes what is left.",
        );
    }
    for sink in report.sinks.iter().filter(|sink| sink.failure.is_some()) {
        let name = &sink.name;
        say(
            "ledger",
            &format!("receiver {name}"),
            1,
            format!("The ledger's receiver {name} has not everything."),
            "Run `retentiond status`: it says why; the next publication tries again.",
        );
    }
    for class in &report.classes {
        of_class(class, &report.plan, &mut say);
    }
    for erasure in report
        .erasures
        .iter()
        .filter(|e| e.status == ErasureStatus::Failed)
    {
        let (class, table) = (&erasure.class, &erasure.table);
        say(
            "failed",
            &format!("{class} {table}"),
            1,
            format!("{class}: what went from {table} could not be erased from its files."),
            "Run `retentiond run`: it says why, and tries again.",
        );
    }
    if let Some(digest) = &report.waiting_schedule {
        let digits = digest.trim_start_matches("sha256:");
        let digits = digits.get(..12).unwrap_or(digits);
        say(
            "schedule",
            digits,
            1,
            format!("The schedule's file waits for acceptance ({digits})."),
            &format!(
                "Run `retentiond check` to see what changes, then `retentiond accept {digits} --reason TEXT`."
            ),
        );
    }
    for class in report.processors.iter().filter(|class| class.waiting > 0) {
        let id = &class.id;
        say(
            "waiting",
            id.as_str(),
            class.waiting,
            format!("{id}: what its processor holds waits for you."),
            "Run `retentiond processor list`.",
        );
    }
    if report.returned > 0 {
        let count = report.returned;
        say(
            "waiting",
            "returned",
            count,
            format!(
                "Records that were erased are there again, for {count} {}.",
                verb(count, "request", "requests")
            ),
            "Run `retentiond subject list --open`, then erase them again or say that they are known.",
        );
    }
    for class in &overview.classes {
        if let Some(count) = class.overdue.filter(|count| *count > 0) {
            let (id, of) = (&class.id, records(count));
            let are = verb(count, "is", "are");
            let oldest = class.oldest_overdue.map_or_else(String::new, |day| {
                format!("; the last day of the oldest was {day}")
            });
            say(
                "overdue",
                id.as_str(),
                count,
                format!("{id}: {of} {are} overdue{oldest}."),
                "Run `retentiond status --overdue`: it says what keeps them.",
            );
        }
    }
    if pass.holds > 0 {
        let count = pass.holds;
        say(
            "hold",
            "",
            count,
            format!(
                "{count} {} reached the review date.",
                verb(count, "hold has", "holds have")
            ),
            "Run `retentiond hold list`, and release what is not needed any more.",
        );
    }
    let sum = |pick: fn(&ClassReport) -> u64| report.classes.iter().map(pick).sum::<u64>();
    let (flagged, anonymised, deleted) = (
        sum(|c| c.flagged),
        sum(|c| c.anonymised),
        sum(|c| c.deleted),
    );
    if flagged + anonymised + deleted > 0 {
        let (id, with) = (report.id, sum(|c| c.dependants));
        let text = format!(
            "Pass {id}: {flagged} flagged, {anonymised} anonymised, {deleted} deleted, and {with} dependants with them."
        );
        say(
            "summary",
            "",
            flagged + anonymised + deleted,
            text,
            "Nothing to do; `retentiond ledger list` has the entries.",
        );
    }
    if let Some(head) = &report.checkpoint {
        let (size, root) = (head.size, &head.root);
        say(
            "checkpoint",
            "",
            size,
            format!("The ledger has {size} entries; the root of its checkpoint is {root}."),
            "Keep this message: an auditor can hold the ledger against it.",
        );
    }
    all
}

fn of_class(
    class: &ClassReport,
    plan: &str,
    say: &mut impl FnMut(&'static str, &str, u64, String, &str),
) {
    let (id, about) = (&class.id, class.id.as_str());
    match class.status {
        Status::Failed => say(
            "failed",
            about,
            1,
            format!("{id} could not be finished."),
            "Run `retentiond run`: it says why, and tries again.",
        ),
        Status::Refused => say(
            "failed",
            about,
            1,
            format!("{id} does not fit the database, and nothing of it was done."),
            "Run `retentiond check`: it says where, and what to do.",
        ),
        Status::Done | Status::Waiting | Status::Retained | Status::Idle => {}
    }
    if class.failed > 0 {
        let (count, of) = (class.failed, records(class.failed));
        say(
            "failed",
            &format!("{about} set aside"),
            count,
            format!(
                "{id}: {of} or files failed by themselves and {} set aside.",
                verb(count, "was", "were")
            ),
            "Run `retentiond status --overdue`: it says which class has what set aside.",
        );
    }
    if class.skipped.limit > 0 {
        let digits = plan.trim_start_matches("sha256:");
        let digits = digits.get(..12).unwrap_or(digits);
        let (count, of) = (class.skipped.limit, records(class.skipped.limit));
        say(
            "limit",
            about,
            count,
            format!("{id}: a limit stopped {of}."),
            &format!(
                "Run `retentiond plan`; if it is right, `retentiond accept {digits} --reason TEXT` lets one pass go by it."
            ),
        );
    }
    if class.waiting > 0 {
        let (count, of) = (class.waiting, records(class.waiting));
        say(
            "waiting",
            about,
            count,
            format!("{id}: {of} {} for a person.", verb(count, "waits", "wait")),
            "Run `retentiond plan`: it says for what, and for whom.",
        );
    }
    if class.conflict > 0 {
        let (count, of) = (class.conflict, records(class.conflict));
        say(
            "waiting",
            &format!("{about} conflict"),
            count,
            format!(
                "{id}: one class orders that {of} {}, and another that they stay.",
                verb(count, "goes", "go")
            ),
            "Run `retentiond plan`, and settle it in the schedule.",
        );
    }
}

/// What stands in the subject for a topic.
fn heading(topic: &str, count: usize) -> String {
    match (topic, count) {
        ("ledger", _) => "the ledger needs you".to_owned(),
        ("failed", _) => "something failed".to_owned(),
        ("limit", 1) => "a limit stopped a class".to_owned(),
        ("limit", _) => format!("limits stopped {count} classes"),
        ("schedule", _) => "a schedule waits for acceptance".to_owned(),
        ("waiting", _) => "something waits for you".to_owned(),
        ("overdue", 1) => "a class is overdue".to_owned(),
        ("overdue", _) => format!("{count} classes are overdue"),
        ("hold", _) => "holds to be reviewed".to_owned(),
        ("summary", _) => "what a pass did".to_owned(),
        _ => "checkpoint published".to_owned(),
    }
}

/// The message, in words and as data.
pub(super) fn message(pass: &Pass<'_>, told: &[(&Matter, Why)]) -> Value {
    let (on, organisation) = (pass.overview.on, pass.organisation);
    let mut headings: Vec<(&str, usize)> = Vec::new();
    for (matter, _) in told {
        match headings
            .iter_mut()
            .find(|(topic, _)| *topic == matter.topic)
        {
            Some((_, count)) => *count += 1,
            None => headings.push((matter.topic, 1)),
        }
    }
    let words: Vec<String> = headings
        .iter()
        .take(3)
        .map(|(topic, count)| heading(topic, *count))
        .collect();
    let subject = format!("[retentiond] {organisation}: {}", words.join(", "));
    let mut text = format!("{organisation}, {on}, pass {}.\n", pass.report.id);
    let mut matters = Vec::new();
    for (matter, why) in told {
        let since = match why {
            Why::New => String::new(),
            Why::Still(since) => format!(" This is so since {since}."),
        };
        text.push_str(&format!("\n{}{since}\n  {}\n", matter.text, matter.next));
        let mut one = BTreeMap::from([
            ("topic", json!(matter.topic)),
            ("about", json!(matter.about)),
            ("count", json!(matter.count)),
            ("text", json!(matter.text)),
            ("next", json!(matter.next)),
        ]);
        if let Why::Still(since) = why {
            one.insert("since", json!(since));
        }
        matters.push(one);
    }
    text.push_str("\nWhat stays as it is is told again after a week.\n");
    json!({
        "type": "retentiond.notice",
        "timestamp": pass.report.finished,
        "data": {
            "organisation": organisation,
            "on": on,
            "run": pass.report.id,
            "subject": subject,
            "text": text,
            "matters": matters,
        },
    })
}
