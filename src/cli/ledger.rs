//! `retentiond ledger list|verify|export`.

use std::fs::File;
use std::io::{BufWriter, Write};

use chrono::{NaiveDate, NaiveTime};
use futures_util::StreamExt;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

use super::args::{ExportFormat, Filters, Ledger};
use super::context::Context;
use super::explain::{key_hint, no_key, table};
use super::failure::Failure;
use super::output;
use crate::catalog;
use crate::ident::ClassId;
use crate::ledger::store::{self, Filter, Order, StoredEntry, Verdict};
use crate::ledger::{Action, Entry, RecordKey};
use crate::schedule::Code;
use crate::survey;

pub(super) async fn run(context: &Context, command: Ledger) -> Result<u8, Failure> {
    let settings = context.settings()?;
    let mut conn = context.connect(&settings).await?;
    if !crate::store::is_migrated(&mut conn)
        .await
        .map_err(|e| Failure::failed(Code::Unreachable, &e, None))?
    {
        return Err(Failure::Other {
            code: Code::NotMigrated,
            exit: 1,
            message: "the database has no schema `retentiond`, so there is no ledger".to_owned(),
            causes: Vec::new(),
            hint: Some("run `retentiond migrate` first".to_owned()),
        });
    }
    let code = match command {
        Ledger::List { filters, limit } => list(context, &mut conn, filters, limit).await?,
        Ledger::Verify => verify(context, &mut conn).await?,
        Ledger::Export {
            filters,
            as_format,
            output,
        } => export(&mut conn, filters, as_format, output.as_deref()).await?,
    };
    let _ = conn.close().await;
    Ok(code)
}

async fn filter(conn: &mut PgConnection, filters: Filters) -> Result<Filter, Failure> {
    let class = filters
        .class
        .map(|text| {
            ClassId::new(&text).ok_or_else(|| {
                Failure::usage(
                    Code::UnknownClass,
                    format!("`{text}` is no class id"),
                    "ids look like `foi-requests`",
                )
            })
        })
        .transpose()?;
    let table = filters.table.as_deref().map(table).transpose()?;
    let action = filters
        .action
        .map(|text| {
            text.parse::<Action>().map_err(|error| {
                let all: Vec<&str> = Action::ALL.iter().map(|action| action.name()).collect();
                Failure::usage(
                    Code::UnknownWord,
                    error.to_string(),
                    format!("actions are: {}", all.join(", ")),
                )
            })
        })
        .transpose()?;
    let key = match (&table, &filters.key) {
        (Some(table), Some(text)) => {
            let catalog = catalog::read(conn)
                .await
                .map_err(|e| Failure::failed(Code::Unreachable, &e, None))?;
            let columns =
                survey::key_columns(&catalog, table).ok_or_else(|| no_key(&catalog, table))?;
            let key = RecordKey::parse(&columns, text).map_err(|error| {
                Failure::usage(Code::NoSuchRecord, error.to_string(), key_hint(&columns))
            })?;
            Some((table.clone(), key))
        }
        _ => None,
    };
    let start = |day: NaiveDate| day.and_time(NaiveTime::MIN).and_utc();
    Ok(Filter {
        class,
        table,
        action,
        run: filters.run,
        since: filters.since.map(start),
        until: filters.until.and_then(|day| day.succ_opt()).map(start),
        key,
        ..Filter::default()
    })
}

async fn list(
    context: &Context,
    conn: &mut PgConnection,
    filters: Filters,
    limit: u32,
) -> Result<u8, Failure> {
    let mut filter = filter(conn, filters).await?;
    filter.limit = Some(limit);
    filter.order = Order::NewestFirst;
    let mut found: Vec<StoredEntry> = Vec::new();
    let mut entries = store::list(conn, &filter).await?;
    while let Some(entry) = entries.next().await {
        found.push(entry?);
    }
    drop(entries);
    if context.json() {
        let shown: Vec<Value> = found.iter().map(to_json).collect();
        output::json(&json!({ "ledger": { "entries": shown } }));
        return Ok(0);
    }
    if found.is_empty() {
        output::line("The ledger has no such entry.");
        return Ok(0);
    }
    let mut table = output::Sheet::new([
        "entry", "at (UTC)", "action", "class", "table", "records", "pass", "by", "remarks",
    ]);
    for stored in &found {
        let entry = &stored.entry;
        let remarks: Vec<String> = entry
            .detail
            .iter()
            .map(|(key, value)| format!("{key}: {value}"))
            .collect();
        table.row([
            entry.id.to_string().into(),
            entry.at.format("%Y-%m-%d %H:%M:%S").to_string().into(),
            entry.action.name().into(),
            entry
                .class
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default()
                .into(),
            entry
                .table
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default()
                .into(),
            output::number(entry.count),
            entry
                .run
                .map(|run| run.to_string())
                .unwrap_or_default()
                .into(),
            entry.actor.clone().into(),
            remarks.join("; ").into(),
        ]);
    }
    table.print();
    if found.len() as u64 == u64::from(limit) {
        output::line(&format!(
            "The newest {limit}; there may be more: --limit N, or a filter."
        ));
    }
    Ok(0)
}

fn to_json(stored: &StoredEntry) -> Value {
    let entry = &stored.entry;
    json!({
        "entry": stored.index, "id": entry.id, "at": entry.at, "action": entry.action,
        "class": entry.class, "table": entry.table, "run": entry.run, "count": entry.count,
        "schedule": entry.schedule.map(|digest| format!("sha256:{}", hex::encode(digest))),
        "actor": entry.actor, "detail": entry.detail, "hash": hex::encode(stored.hash),
    })
}

async fn verify(context: &Context, conn: &mut PgConnection) -> Result<u8, Failure> {
    let bar = (!context.global.quiet
        && !context.global.no_progress
        && !context.json()
        && std::io::IsTerminal::is_terminal(&std::io::stderr()))
    .then(|| super::progress::bar("verifying", None));
    let found = store::verify(conn, |progress| {
        if let Some(bar) = &bar {
            bar.set_position(progress.records);
        }
    })
    .await?;
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    // That it was looked at, and what was found, is of consequence too. An auditor who may
    // only read gets the answer all the same.
    if !context.global.dry_run
        && let Err(error) = remember(context, conn, &found).await
    {
        output::note(&format!(
            "That it was verified could not be noted: {error}."
        ));
    }
    if context.json() {
        output::json(&found.to_json());
    } else {
        let unanchored = if found.verdict == Verdict::Ok && !found.anchored {
            format!(
                " as of {}, unanchored",
                output::day(context.clock.now().date_naive())
            )
        } else {
            String::new()
        };
        output::line(&format!(
            "{}{}{}{unanchored}",
            output::STRONG,
            found.verdict,
            output::RESET
        ));
        output::text(&format!(
            "{} and {} read: every byte hashed again, every value that is derived from them compared.",
            output::counted(found.entries, "entry", "entries"),
            output::counted(found.records, "record", "records")
        ));
        if let Some(bad) = &found.first_bad {
            output::text(&format!(
                "Entry {} is the first that is wrong: {}.",
                bad.entry, bad.what
            ));
        }
        if found.verdict == Verdict::Ok {
            output::text(
                "Nothing from outside the database took part, so a lost end, or a log that was rewritten as a whole, would not show.",
            );
        }
    }
    Ok(match found.verdict {
        Verdict::Ok if found.anchored => 0,
        Verdict::Ok => 3,
        _ => 1,
    })
}

async fn remember(
    context: &Context,
    conn: &mut PgConnection,
    found: &store::Verification,
) -> Result<(), store::LedgerError> {
    for id in store::next_entry_ids(conn, 1).await? {
        let mut entry = Entry::new(id, context.clock.now(), Action::Verified, context.actor());
        entry
            .detail
            .insert("verdict".to_owned(), found.verdict.to_string());
        entry
            .detail
            .insert("entries".to_owned(), found.entries.to_string());
        store::append(conn, &entry, None).await?;
    }
    Ok(())
}

async fn export(
    conn: &mut PgConnection,
    filters: Filters,
    format: ExportFormat,
    path: Option<&std::path::Path>,
) -> Result<u8, Failure> {
    let filter = filter(conn, filters).await?;
    let format = match format {
        ExportFormat::Jsonl => store::ExportFormat::JsonLines,
        ExportFormat::Csv => store::ExportFormat::Csv,
    };
    let written = match path {
        None => {
            let mut out = BufWriter::new(std::io::stdout().lock());
            let result = store::export(conn, &filter, format, &mut out).await;
            let _ = out.flush();
            // A reader that has gone away (`| head`) has what it wanted.
            match result {
                Err(store::LedgerError::Output(error))
                    if error.kind() == std::io::ErrorKind::BrokenPipe =>
                {
                    return Ok(0);
                }
                other => other?,
            }
        }
        Some(path) => {
            let file = File::create(path).map_err(|error| Failure::Other {
                code: Code::Unreadable,
                exit: 1,
                message: format!("cannot write {}", path.display()),
                causes: vec![super::failure::without_number(&error.to_string())],
                hint: Some(
                    "name a file in a folder that is there, and that this account may write to"
                        .to_owned(),
                ),
            })?;
            let mut out = BufWriter::new(file);
            store::export(conn, &filter, format, &mut out).await?
        }
    };
    if let Some(path) = path {
        output::note(&format!(
            "{} written to {}.",
            output::counted(written, "entry", "entries"),
            path.display()
        ));
    }
    Ok(0)
}
