//! `retentiond ledger list|verify|export|key`; `replay` is in a file of its own.

use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::Path;

use chrono::{NaiveDate, NaiveTime};
use futures_util::StreamExt;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

use super::args::{ExportFormat, Filters, Ledger, LedgerKey, LedgerVerify};
use super::context::Context;
use super::explain::{key_hint, no_key, table};
use super::failure::Failure;
use super::output;
use crate::catalog;
use crate::daemon::tick;
use crate::ident::ClassId;
use crate::ledger::audit::{Trust, Verdict, Verification};
use crate::ledger::checkpoint::Checkpoint;
use crate::ledger::details;
use crate::ledger::keychange::KeyChange;
use crate::ledger::keyring;
use crate::ledger::publish::{self, Folder};
use crate::ledger::store::{self, Filter, Order, Reading, StoredEntry};
use crate::ledger::{Action, Entry, RecordKey};
use crate::schedule::Code;
use crate::settings::Settings;
use crate::survey;

pub(super) async fn run(context: &Context, command: Ledger) -> Result<u8, Failure> {
    if let Ledger::Verify(asked) = &command
        && let Some(copy) = &asked.export
    {
        return verify_copy(context, asked, copy);
    }
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
        Ledger::Verify(asked) => verify(context, &settings, &mut conn, asked).await?,
        Ledger::Certificate(asked) => {
            super::certificate::run(context, &settings, &mut conn, asked).await?
        }
        Ledger::Replay(asked) => super::replay::run(context, &settings, &mut conn, asked).await?,
        Ledger::Key(command) => key(context, &settings, &mut conn, command).await?,
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
    if filter.key.is_some() {
        tell_dropped(conn).await?;
    }
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
            stored
                .index
                .map_or_else(|| "–".to_owned(), |index| index.to_string())
                .into(),
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

/// Says which years' entries can no longer be asked about a record.
pub(super) async fn tell_dropped(conn: &mut PgConnection) -> Result<(), Failure> {
    for (year, entry) in details::said(conn).await? {
        let by = entry.map_or_else(String::new, |entry| format!(" by entry {entry}"));
        output::note(&format!(
            "The details of {year} were dropped{by}: which records the entries of that year are about is not known any more."
        ));
    }
    Ok(())
}

/// Where the answer of a verification comes from, and what it is held against.
async fn verify(
    context: &Context,
    settings: &Settings,
    conn: &mut PgConnection,
    asked: LedgerVerify,
) -> Result<u8, Failure> {
    let mut trust = trust(&asked)?;
    let origin = store::origin(conn).await?;
    // A state that nobody may read, or that is none, is no fault of whoever only looks.
    let places = tick::places(settings).ok();
    let own = match &places {
        Some(places) if asked.public_key.is_none() => places.keyring(&origin).public()?,
        _ => Vec::new(),
    };
    trust.keys.extend(own);
    let published = match &places {
        Some(places) => places.folder(&origin).checkpoint()?.map(|(note, _)| note),
        None => None,
    };
    trust.checkpoints.extend(published);
    let from = match asked.full {
        false => asked.from.as_deref().map(checkpoint_file).transpose()?,
        true => None,
    };
    let reading = from
        .and_then(|note| Checkpoint::open(&note, &trust.keys).ok())
        .map_or(Reading::Whole, Reading::After);
    let bar = (!context.global.quiet
        && !context.global.no_progress
        && !context.json()
        && std::io::IsTerminal::is_terminal(&std::io::stderr()))
    .then(|| super::progress::bar("verifying", None));
    let found = store::verify(conn, &trust, &reading, |progress| {
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
    // Not in a log that has lost entries: it would take the place of one of them.
    let whole = !matches!(found.verdict, Verdict::Truncated | Verdict::Forked);
    if !context.global.dry_run
        && whole
        && let Err(error) = remember(context, conn, &found).await
    {
        output::note(&format!(
            "That it was verified could not be noted: {error}."
        ));
    }
    Ok(answer(context, &found, &reading))
}

/// Verifies a copy, with nothing but it, public keys and a checkpoint.
fn verify_copy(context: &Context, asked: &LedgerVerify, copy: &Path) -> Result<u8, Failure> {
    let mut trust = trust(asked)?;
    let found = if copy.is_dir() {
        let folder = Folder::new(copy.to_owned());
        // Its own newest checkpoint is from outside the database, but not from outside itself.
        publish::verify_folder(&folder, &trust)?
    } else {
        let file = File::open(copy).map_err(|error| unreadable(copy, &error))?;
        trust.checkpoints.dedup();
        publish::verify_export(copy, BufReader::new(file), &trust)?
    };
    Ok(answer(context, &found, &Reading::Whole))
}

/// What the command line names of what is known from outside.
fn trust(asked: &LedgerVerify) -> Result<Trust, Failure> {
    let mut trust = Trust::default();
    if let Some(path) = &asked.public_key {
        let text = std::fs::read_to_string(path).map_err(|error| unreadable(path, &error))?;
        trust.keys = keyring::verifiers(&text).map_err(|error| {
            Failure::usage(
                Code::NoSigningKey,
                format!("{} is not a file of public keys: {error}", path.display()),
                "give the file `keys` of a published log, or what `retentiond ledger key show` prints",
            )
        })?;
    }
    if let Some(path) = &asked.from {
        trust.checkpoints.push(checkpoint_file(path)?);
    }
    Ok(trust)
}

fn checkpoint_file(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Other {
        code: Code::Unreadable,
        exit: 2,
        message: format!("cannot read {}", path.display()),
        causes: vec![super::failure::without_number(&error.to_string())],
        hint: Some("name a file that is there, and that this account may read".to_owned()),
    }
}

/// Prints what was found; the exit code.
fn answer(context: &Context, found: &Verification, reading: &Reading) -> u8 {
    if context.json() {
        output::json(&found.to_json());
    } else {
        print(context, found, reading);
    }
    match found.verdict {
        Verdict::Ok if found.anchored => 0,
        Verdict::Ok => 3,
        _ => 1,
    }
}

fn print(context: &Context, found: &Verification, reading: &Reading) {
    let mut first = found.verdict.to_string();
    if found.verdict == Verdict::Ok {
        for dropped in &found.dropped {
            let by = dropped
                .entry
                .map_or_else(String::new, |entry| format!(" by entry {entry}"));
            first.push_str(&format!("; details of {} dropped{by}", dropped.year));
        }
        if !found.anchored {
            let day = output::day(context.clock.now().date_naive());
            first.push_str(&format!(" as of {day}, unanchored"));
        }
    }
    output::line(&format!("{}{first}{}", output::STRONG, output::RESET));
    let read = match reading {
        Reading::Whole => String::new(),
        Reading::After(checkpoint) => format!(
            ", after the {} that the checkpoint vouches for",
            output::counted(checkpoint.size, "entry", "entries")
        ),
    };
    output::text(&format!(
        "{} and {} read{read}: every byte hashed again, every value that is derived from them compared.",
        output::counted(found.entries, "entry", "entries"),
        output::counted(found.records, "record", "records")
    ));
    output::text(&format!(
        "The sealed log has {}; {} not sealed yet. It agrees with {}.",
        output::counted(found.size, "entry", "entries"),
        match found.unsealed {
            1 => "1 is".to_owned(),
            number => format!("{number} are"),
        },
        output::counted(found.checkpoints, "checkpoint", "checkpoints")
    ));
    if let Some(bad) = &found.first_bad {
        let which = match (bad.entry, bad.id) {
            (Some(place), Some(id)) => format!("Entry {place} (number {id})"),
            (Some(place), None) => format!("Entry {place}"),
            (None, Some(id)) => format!("The entry of number {id}, which is not sealed,"),
            (None, None) => "An entry".to_owned(),
        };
        output::text(&format!(
            "{which} is the first that is wrong: {}.",
            bad.what
        ));
    }
    for remark in &found.remarks {
        output::text(remark);
    }
    if found.verdict == Verdict::Ok && !found.anchored {
        output::text(
            "No checkpoint from outside took part, so a lost end, or a log that was rewritten as a whole, would not show: --from CHECKPOINT names one that was kept elsewhere.",
        );
    }
}

async fn remember(
    context: &Context,
    conn: &mut PgConnection,
    found: &Verification,
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
    store::seal(conn).await.map(drop)
}

/// `ledger key new|rotate|show`.
async fn key(
    context: &Context,
    settings: &Settings,
    conn: &mut PgConnection,
    command: LedgerKey,
) -> Result<u8, Failure> {
    let origin = store::origin(conn).await?;
    let keyring = tick::places(settings)?.keyring(&origin);
    let present = keyring.private(&origin)?;
    let dry_run = context.global.dry_run;
    if !dry_run && matches!(command, LedgerKey::Rotate) {
        publish::compare(conn, &tick::places(settings)?).await?;
    }
    let outcome = match (command, present) {
        (LedgerKey::Show, _) => "shown",
        (LedgerKey::New, Some(_)) => {
            return Err(Failure::usage(
                Code::NoSigningKey,
                format!("there is a key in {}", keyring.private_path().display()),
                "`retentiond ledger key rotate` goes over to another one",
            ));
        }
        (LedgerKey::Rotate, None) => {
            return Err(Failure::usage(
                Code::NoSigningKey,
                format!("there is no key in {}", keyring.private_path().display()),
                "`retentiond ledger key new` makes one",
            ));
        }
        (LedgerKey::New | LedgerKey::Rotate, _) if dry_run => "pending",
        (LedgerKey::New, None) => {
            let lost = store::latest_checkpoint(conn).await?.is_some();
            let new = keyring.make(&origin)?;
            if lost {
                key_changed(context, conn, |entry| {
                    KeyChange::lost(&new.verifier(), entry)
                })
                .await?;
            }
            "made"
        }
        (LedgerKey::Rotate, Some(old)) => {
            // The entry first: a key that signs before the log says so would be a stranger's.
            let new = keyring.prepare_next(&origin)?;
            let change = KeyChange::sign(&old, &new.verifier());
            key_changed(context, conn, |entry| change.write(entry)).await?;
            keyring.take_next(&new)?;
            "rotated"
        }
    };
    let keys = keyring.public()?;
    if context.json() {
        let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
        output::json(&json!({ "key": { "outcome": outcome, "origin": origin, "keys": keys } }));
        return Ok(0);
    }
    for key in &keys {
        output::line(&key.to_string());
    }
    match outcome {
        "shown" if keys.is_empty() => {
            output::note("There is no key yet; the first pass makes one.");
        }
        "pending" => output::note("A key would be made; nothing was changed."),
        "made" | "rotated" => output::note(&format!(
            "The last one signs from now on. Its private half is in {}: keep a copy where the database's backups are not.",
            keyring.private_path().display()
        )),
        _ => {}
    }
    Ok(0)
}

async fn key_changed(
    context: &Context,
    conn: &mut PgConnection,
    write: impl FnOnce(&mut Entry),
) -> Result<(), store::LedgerError> {
    let Some(id) = store::next_entry_ids(conn, 1).await?.pop() else {
        return Ok(());
    };
    let mut entry = Entry::new(id, context.clock.now(), Action::KeyChanged, context.actor());
    write(&mut entry);
    store::append(conn, &entry, None).await?;
    store::seal(conn).await.map(drop)
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
