//! A queue as a file, for whoever decides in a spreadsheet or hands it to a meeting.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde_json::json;

use super::list::{ShownQueue, record};
use crate::cli::args::{QueueExport, QueueFormat};
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::ledger::store::{CsvCell, write_csv_line};
use crate::schedule::Code;

pub(super) fn write(queues: &[ShownQueue], export: &QueueExport) -> Result<u8, Failure> {
    let lines = |path: &Path| path.extension().is_some_and(|ending| ending == "jsonl");
    let format =
        export
            .as_format
            .unwrap_or_else(|| match export.output.as_deref().is_some_and(lines) {
                true => QueueFormat::Jsonl,
                false => QueueFormat::Csv,
            });
    let to = |out: &mut dyn Write| match format {
        QueueFormat::Csv => csv(queues, out),
        QueueFormat::Jsonl => jsonl(queues, out),
    };
    let Some(path) = export.output.as_deref() else {
        let mut out = BufWriter::new(io::stdout().lock());
        return match to(&mut out).and_then(|()| out.flush()) {
            // A reader that has gone away (`| head`) has what it wanted.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(unwritable(Path::new("standard output"), &error))
            }
            _ => Ok(0),
        };
    };
    // What is shown of records may be personal: for its owner's eyes.
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .and_then(|file| {
            let mut out = BufWriter::new(file);
            to(&mut out)?;
            out.flush()
        })
        .map_err(|error| unwritable(path, &error))?;
    let records: usize = queues.iter().map(|queue| queue.records.len()).sum();
    output::note(&format!(
        "{} written to {}.",
        output::counted(records as u64, "record", "records"),
        path.display()
    ));
    Ok(0)
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::Other {
        code: Code::Unreadable,
        exit: 1,
        message: format!("cannot write {}", path.display()),
        causes: vec![crate::cli::failure::without_number(&error.to_string())],
        hint: Some(
            "name a file in a folder that is there, and that this account may write to".to_owned(),
        ),
    }
}

/// A line for each record: what `--format json` says of it, and of which queue it is.
fn jsonl(queues: &[ShownQueue], out: &mut dyn Write) -> io::Result<()> {
    for shown in queues {
        let queue = &shown.queue;
        for one in &shown.records {
            let mut value = json!({ "class": queue.class, "table": queue.table });
            if let (Some(all), serde_json::Value::Object(more)) =
                (value.as_object_mut(), record(shown, one))
            {
                all.extend(more);
            }
            value["approvals"] = json!(queue.approvals);
            value["schedule"] = json!(format!("sha256:{}", hex::encode(shown.schedule)));
            writeln!(out, "{value}")?;
        }
    }
    Ok(())
}

/// What every queue has a column for.
const COLUMNS: [&str; 17] = [
    "id",
    "class",
    "title",
    "table",
    "key",
    "trigger",
    "last_day",
    "days_past",
    "last_activity",
    "dependants",
    "files",
    "why",
    "schedule",
    "approvals",
    "approved_by",
    "handed_to",
    "queued_again",
];

/// A line for each record under one heading, to which each table of dependants and each
/// previewed column of any of the classes adds a column.
fn csv(queues: &[ShownQueue], mut out: &mut dyn Write) -> io::Result<()> {
    let mut tables: Vec<&str> = Vec::new();
    let mut previews: Vec<&str> = Vec::new();
    for shown in queues {
        let mut of_class: Vec<&str> = Vec::new();
        for one in &shown.records {
            for table in one.dependants.keys() {
                if !of_class.contains(&table.as_str()) {
                    of_class.push(table);
                }
            }
        }
        of_class.sort_unstable();
        tables.extend(
            of_class
                .iter()
                .filter(|table| !tables.contains(table))
                .collect::<Vec<_>>(),
        );
        for (name, _) in &shown.preview {
            if !previews.contains(&name.as_str()) {
                previews.push(name);
            }
        }
    }
    let heading: Vec<String> = COLUMNS
        .iter()
        .map(|name| (*name).to_owned())
        .chain(tables.iter().map(|table| format!("dependants {table}")))
        .chain(previews.iter().map(|name| format!("shown {name}")))
        .collect();
    write_csv_line(&mut out, heading.iter().map(|name| CsvCell::Text(name)))?;
    for shown in queues {
        let queue = &shown.queue;
        let (class, table) = (queue.class.to_string(), queue.table.to_string());
        let (approvals, schedule) = (queue.approvals.to_string(), hex::encode(shown.schedule));
        for one in &shown.records {
            let id = queue.id(&one.key);
            let key = one.key.to_command_line(&queue.columns);
            let day =
                |day: Option<chrono::NaiveDate>| day.map_or_else(String::new, |d| d.to_string());
            let (trigger, last_day) = (day(one.trigger), day(one.last_day));
            let last_activity = day(one.last_activity);
            let days = one
                .days_past
                .map_or_else(String::new, |days| days.to_string());
            let rows = one.dependants.values().sum::<u64>().to_string();
            let files = one
                .files
                .map_or_else(String::new, |files| files.to_string());
            let approved_by = one.approved_by.join("; ");
            let by_table: Vec<String> = tables
                .iter()
                .map(|table| {
                    let rows = one.dependants.get(*table);
                    rows.map_or_else(String::new, u64::to_string)
                })
                .collect();
            let text = CsvCell::Text;
            let number = CsvCell::Number;
            let mut cells = vec![
                text(&id),
                text(&class),
                text(&queue.title),
                text(&table),
                text(&key),
                text(&trigger),
                text(&last_day),
                number(&days),
                text(&last_activity),
                number(&rows),
                number(&files),
                text(&one.why),
                text(&schedule),
                number(&approvals),
                text(&approved_by),
                text(one.handed_to.as_deref().unwrap_or_default()),
                text(one.void.as_deref().unwrap_or_default()),
            ];
            cells.extend(by_table.iter().map(|rows| number(rows)));
            for name in &previews {
                let at = shown.preview.iter().position(|(known, _)| known == name);
                let value = at.and_then(|at| one.preview.get(at)?.1.as_deref());
                cells.push(match at {
                    Some(at) if shown.preview[at].1 => number(value.unwrap_or_default()),
                    _ => text(value.unwrap_or_default()),
                });
            }
            write_csv_line(&mut out, cells)?;
        }
    }
    Ok(())
}
