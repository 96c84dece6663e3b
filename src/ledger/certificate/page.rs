//! A certificate as a page that stands by itself: for print, and read aloud in order.

use std::fmt::Write;

use chrono::{DateTime, NaiveDate, Utc};

use super::{Certificate, ClassPart, PassPart, Stage, Subject};
use crate::ident::escape_html;

const STYLE: &str = "\
body { font: 1rem/1.5 system-ui, sans-serif; color: #111; background: #fff; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
h2 { border-bottom: 1px solid #767676; margin-top: 2rem; }
dl { display: grid; grid-template-columns: minmax(10rem, 16rem) 1fr; gap: .25rem 1rem; }
dt { font-weight: bold; }
dd { margin: 0; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
caption { text-align: left; font-weight: bold; padding: .5rem 0; }
th, td { border: 1px solid #767676; padding: .5rem; text-align: left; vertical-align: top; }
td.number { text-align: right; }
thead th { background: #eee; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font-size: .8rem; background: #f6f6f6; padding: .5rem; }
.stage { font-size: 1.2rem; font-weight: bold; }
@media print { body { margin: 0; max-width: none; font-size: 10pt; } thead { display: table-header-group; } tr, pre { break-inside: avoid; } details > * { display: block; } }
";

fn instant(at: DateTime<Utc>) -> String {
    at.format("%-d %B %Y, %H:%M:%S UTC").to_string()
}

fn day(day: NaiveDate) -> String {
    day.format("%-d %B %Y").to_string()
}

fn range(days: Option<(NaiveDate, NaiveDate)>) -> String {
    match days {
        None => "–".to_owned(),
        Some((first, last)) if first == last => day(first),
        Some((first, last)) => format!("{} to {}", day(first), day(last)),
    }
}

/// A list of names and what they stand for; those that are empty are left out.
fn list(page: &mut String, items: &[(&str, Option<String>)]) {
    page.push_str("<dl>\n");
    for (name, value) in items {
        if let Some(value) = value.as_ref().filter(|value| !value.is_empty()) {
            let _ = writeln!(page, "<dt>{name}</dt><dd>{}</dd>", escape_html(value));
        }
    }
    page.push_str("</dl>\n");
}

/// The certificate as a page.
#[must_use]
pub fn page(certificate: &Certificate) -> String {
    let heading = match &certificate.subject {
        Subject::Run { run, class: None } => format!("Pass {run}"),
        Subject::Run {
            run,
            class: Some(class),
        } => format!("Pass {run}, class {class}"),
        Subject::Record { table, key } => format!("Record {key} of {table}"),
    };
    let heading = escape_html(&heading);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en-GB\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Certificate of disposal: {heading}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <h1>Certificate of disposal</h1>\n<p>{heading}</p>\n"
    );
    let stage = match certificate.stage {
        Stage::Executed => "Executed. Not completed yet:",
        Stage::Completed if !certificate.remains.is_empty() => {
            "Completed. The tables' files were written anew; what remains elsewhere is listed."
        }
        Stage::Completed => "Completed. Nothing that is known of remains.",
    };
    let _ = writeln!(page, "<p class=\"stage\">{stage}</p>");
    if !certificate.open.is_empty() {
        page.push_str("<ul>\n");
        for open in &certificate.open {
            let _ = writeln!(page, "<li>{}</li>", escape_html(open));
        }
        page.push_str("</ul>\n");
    }
    if !certificate.remains.is_empty() {
        page.push_str("<h2>What remains outside the tables</h2>\n<ul>\n");
        for remains in &certificate.remains {
            let _ = writeln!(page, "<li>{}</li>", escape_html(remains));
        }
        page.push_str("</ul>\n");
    }
    list(
        &mut page,
        &[
            ("Organisation", certificate.organisation.clone()),
            ("Issued", Some(instant(certificate.issued))),
        ],
    );
    for part in &certificate.passes {
        pass(&mut page, part);
    }
    page.push_str("<h2>How to check this</h2>\n<p>Each entry above is a leaf of a Merkle tree (RFC 6962) whose root is in the signed checkpoint below. The hash of an entry is SHA-256 of a zero byte and the entry&#39;s bytes. docs/LEDGER.md has every byte; a verifier needs nothing but this certificate and the public key, which should come from elsewhere.</p>\n");
    if let Some(checkpoint) = &certificate.checkpoint {
        let _ = writeln!(
            page,
            "<h3>Checkpoint</h3>\n<pre>{}</pre>",
            escape_html(checkpoint)
        );
    }
    if !certificate.keys.is_empty() {
        let _ = writeln!(
            page,
            "<h3>Public keys</h3>\n<pre>{}</pre>",
            escape_html(&certificate.keys.join("\n"))
        );
    }
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

fn pass(page: &mut String, part: &PassPart) {
    let title = match part.run {
        Some(run) => format!("Pass {run}"),
        None => "Outside a pass".to_owned(),
    };
    let _ = writeln!(page, "<h2>{title}</h2>");
    let schedule = part.schedule.as_ref();
    let accepted = schedule.and_then(|schedule| {
        let (how, by, at) = (
            schedule.accepted.as_deref()?,
            schedule.accepted_by.as_deref()?,
            schedule.accepted_at?,
        );
        let why = match &schedule.reason {
            Some(reason) => format!(": {reason}"),
            None => String::new(),
        };
        Some(format!("{how}, {by}, {}{why}", instant(at)))
    });
    list(
        page,
        &[
            ("Begun", part.started.map(instant)),
            ("Ended", part.finished.map(instant)),
            ("Outcome", part.outcome.clone()),
            ("Ordered by", part.actor.clone()),
            ("Schedule", schedule.map(|schedule| schedule.digest.clone())),
            (
                "Its file (SHA-256)",
                schedule.and_then(|schedule| schedule.file.clone()),
            ),
            ("Accepted", accepted),
        ],
    );
    for part in &part.classes {
        class(page, part);
    }
}

fn class(page: &mut String, part: &ClassPart) {
    let title = part.title.as_deref().unwrap_or(&part.id);
    let _ = writeln!(page, "<h3>{}</h3>", escape_html(title));
    let number = |number: Option<u64>| number.filter(|n| *n > 0).map(|n| n.to_string());
    let files = part.files;
    let files = (files.removed + files.kept + files.pending > 0).then(|| {
        format!(
            "{} removed, {} kept because another row names them, {} still to be removed",
            files.removed, files.kept, files.pending
        )
    });
    list(
        page,
        &[
            ("Class", Some(part.id.clone())),
            ("Rule", part.rule.clone()),
            ("Authority", part.authority.clone()),
            ("Lawful basis", part.lawful_basis.clone()),
            ("Held, and left alone", number(part.held)),
            ("Changed meanwhile, and left alone", number(part.changed)),
            ("Waiting for a person", number(part.waiting)),
            ("In conflict between classes", number(part.conflict)),
            ("Files", files),
        ],
    );
    for approval in &part.approvals {
        let words = format!(
            "{}: {}, {}: {}",
            approval.what,
            approval.by,
            instant(approval.at),
            approval.reason
        );
        let _ = writeln!(page, "<p>{}</p>", escape_html(&words));
    }
    for one in &part.quarantined {
        let words = format!("Set aside: {} ({})", one.records, one.reason);
        let _ = writeln!(page, "<p>{}</p>", escape_html(&words));
    }
    for failure in &part.failures {
        let _ = writeln!(page, "<p>{}</p>", escape_html(failure));
    }
    if !part.tables.is_empty() {
        page.push_str(
            "<div class=\"wide\">\n<table>\n<caption>What was done</caption>\n<thead>\n<tr>",
        );
        for heading in [
            "Table",
            "Done",
            "Records",
            "Counted from",
            "To be kept through",
            "Vacuumed since",
        ] {
            let _ = write!(page, "<th scope=\"col\">{heading}</th>");
        }
        page.push_str("</tr>\n</thead>\n<tbody>\n");
        for table in &part.tables {
            let with = match &table.parent {
                Some(parent) => format!(" (with rows of {parent})"),
                None => String::new(),
            };
            let _ = writeln!(
                page,
                "<tr><th scope=\"row\">{}{}</th><td>{}</td><td class=\"number\">{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
                escape_html(&table.table),
                escape_html(&with),
                escape_html(&table.action),
                table.records,
                range(table.trigger),
                range(table.last_day),
                match (table.erased, table.vacuumed) {
                    (Some(erased), _) => format!("rewritten {}", instant(erased)),
                    (None, Some(vacuumed)) => instant(vacuumed),
                    (None, None) => "not yet".to_owned(),
                }
            );
        }
        page.push_str("</tbody>\n</table>\n</div>\n");
        let mut told: Vec<&str> = Vec::new();
        for table in &part.tables {
            if !table.method.is_empty() && !told.contains(&table.method.as_str()) {
                told.push(&table.method);
                let words = format!("How rows were {}: {}", table.action, table.method);
                let _ = writeln!(page, "<p>{}</p>", escape_html(&words));
            }
        }
    }
    entries(page, part);
}

fn entries(page: &mut String, part: &ClassPart) {
    for entry in &part.entries {
        let place = match entry.entry {
            Some(place) => format!("Entry {place} of the log"),
            None => "An entry that is not sealed yet".to_owned(),
        };
        let about = match &entry.table {
            Some(table) => format!(": {} of {table}", entry.action),
            None => format!(": {}", entry.action),
        };
        let _ = writeln!(
            page,
            "<h4>{}</h4>\n<p>{}</p>",
            escape_html(&format!("{place}{about}")),
            escape_html(&instant(entry.at))
        );
        if let Some(record) = &entry.record {
            list(
                page,
                &[
                    ("Counted from", record.trigger.map(day)),
                    ("To be kept through", record.last_day.map(day)),
                    ("Went with", record.parent.as_ref().map(ToString::to_string)),
                ],
            );
        }
        let _ = writeln!(page, "<pre>{}</pre>", escape_html(&entry.leaf));
        if let Some(proof) = &entry.proof {
            // The checkpoint stands below, once.
            let path = proof.split("\n\n").next().unwrap_or_default();
            let _ = writeln!(page, "<pre>{}</pre>", escape_html(path));
        }
    }
}
