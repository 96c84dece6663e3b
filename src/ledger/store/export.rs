//! The ledger for other programs: an object a line, or a table for a spreadsheet.

use std::io::Write;

use chrono::{DateTime, NaiveDate, SecondsFormat, Timelike, Utc};
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use serde::Serialize;
use serde_json::Value;
use sqlx::{PgConnection, Row};

use super::LedgerError;
use super::csv::write_line;
use super::find::unreadable;
use super::list::{Filter, StoredEntry, bind_filter, chosen, ids_with_key};
use crate::ledger::key::{KeyColumns, RecordKey};
use crate::ledger::manifest::{self, Record};

/// The year is what the manifest's partition is chosen by when it is written.
pub(super) const ENTRIES_WITH_RECORDS: &str = concat!(
    "SELECT e.entry_id, e.body, e.hash, s.leaf_index, m.records, m.seed
FROM retentiond.ledger_entry AS e
LEFT JOIN retentiond.ledger_seal AS s ON s.entry_id = e.entry_id
LEFT JOIN LATERAL (
    SELECT records, seed
    FROM retentiond.ledger_manifest
    WHERE entry_id = e.entry_id
      AND year = extract(year FROM e.at AT TIME ZONE 'UTC')::smallint
    OFFSET 0 -- looked up entry by entry, never joined as a whole
) AS m ON true
WHERE ",
    chosen!(),
    "
ORDER BY s.leaf_index NULLS LAST, e.entry_id
LIMIT $8"
);

/// How an export is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    /// One JSON object a line, one an entry.
    JsonLines,
    /// A heading, then one line a record; one without key for an entry without records.
    Csv,
}

#[derive(Serialize)]
struct EntryJson<'a> {
    entry: Option<u64>,
    at: String,
    action: &'static str,
    class: Option<&'a str>,
    table: Option<String>,
    run: Option<i64>,
    schedule: Option<String>,
    actor: &'a str,
    records: Option<Vec<RecordJson>>,
    /// Of the records' salts: with it the records can be held against the entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<String>,
    leaf: String,
    hash: String,
}

#[derive(Serialize)]
struct RecordJson {
    key: Value,
    trigger: Option<String>,
    last_day: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<Value>,
}

/// The records of an entry, with what is needed to show them.
struct Shown {
    columns: KeyColumns,
    parent_columns: Option<KeyColumns>,
    records: Vec<Record>,
    /// Only where every record is shown: whoever has it can try keys against the others.
    seed: Option<[u8; 32]>,
}

impl Shown {
    /// All records of the packed bytes, or only those with this key.
    fn unpack(
        entry: &StoredEntry,
        packed: &[u8],
        only: Option<&RecordKey>,
    ) -> Result<Self, LedgerError> {
        let wrong = |source| unreadable(entry.entry.id, source);
        let mut decoded = manifest::decode(packed).map_err(wrong)?;
        let mut records = Vec::new();
        while decoded.advance().map_err(wrong)? {
            if only.is_none_or(|key| key.values() == decoded.key()) {
                records.push(decoded.record());
            }
        }
        let header = decoded.header();
        Ok(Self {
            columns: header.columns.clone(),
            parent_columns: header.parent_columns.clone(),
            records,
            seed: None,
        })
    }

    fn to_json(&self) -> Vec<RecordJson> {
        let json = |record: &Record| RecordJson {
            key: record.key.to_json(&self.columns),
            trigger: record.trigger.map(day),
            last_day: record.last_day.map(day),
            parent: record
                .parent
                .as_ref()
                .zip(self.parent_columns.as_ref())
                .map(|(parent, columns)| parent.to_json(columns)),
        };
        self.records.iter().map(json).collect()
    }
}

fn entry_json<'a>(stored: &'a StoredEntry, shown: Option<&Shown>) -> EntryJson<'a> {
    let entry = &stored.entry;
    EntryJson {
        entry: stored.index,
        at: instant(entry.at),
        action: entry.action.name(),
        class: entry.class.as_ref().map(|class| class.as_str()),
        table: entry.table.as_ref().map(ToString::to_string),
        run: entry.run,
        schedule: entry.schedule.as_ref().map(digest),
        actor: &entry.actor,
        records: match (shown, entry.manifest) {
            (Some(shown), _) => Some(shown.to_json()),
            (None, None) => Some(Vec::new()),
            (None, Some(_)) => None,
        },
        seed: shown.and_then(|shown| shown.seed).map(hex::encode),
        leaf: hex::encode(&stored.bytes),
        hash: hex::encode(stored.hash),
    }
}

const HEADING: [&str; 13] = [
    "entry", "at", "action", "class", "table", "run", "schedule", "actor", "key", "trigger",
    "last_day", "parent", "hash",
];

fn write_csv(
    out: &mut impl Write,
    stored: &StoredEntry,
    shown: Option<&Shown>,
) -> Result<(), LedgerError> {
    let entry = &stored.entry;
    let text = |value: Option<String>| value.unwrap_or_default();
    let before = [
        text(stored.index.map(|index| index.to_string())),
        instant(entry.at),
        entry.action.name().to_owned(),
        text(entry.class.as_ref().map(ToString::to_string)),
        text(entry.table.as_ref().map(ToString::to_string)),
        text(entry.run.map(|run| run.to_string())),
        text(entry.schedule.as_ref().map(digest)),
        entry.actor.clone(),
    ];
    let hash = hex::encode(stored.hash);
    let mut line = |record: [String; 4]| {
        let cells = before.iter().chain(&record).chain([&hash]);
        write_line(out, cells).map_err(LedgerError::Output)
    };
    let Some(shown) = shown.filter(|shown| !shown.records.is_empty()) else {
        return line(Default::default());
    };
    for record in &shown.records {
        let parent = record.parent.as_ref().zip(shown.parent_columns.as_ref());
        line([
            record.key.to_command_line(&shown.columns),
            text(record.trigger.map(day)),
            text(record.last_day.map(day)),
            text(parent.map(|(parent, columns)| parent.to_command_line(columns))),
        ])?;
    }
    Ok(())
}

/// Writes the entries that `filter` asks for, in the order of the sealed log and then those
/// that are not sealed yet, whatever the filter's order says, and returns how many. With a key, only that record of each entry is shown, and none of
/// its neighbours.
///
/// # Errors
/// When the database does not answer, the writer fails, or an entry or its records
/// cannot be read; what was written before stays written.
pub async fn export(
    conn: &mut PgConnection,
    filter: &Filter,
    format: ExportFormat,
    out: &mut impl Write,
) -> Result<u64, LedgerError> {
    let only = filter.key.as_ref().map(|(_, key)| key);
    let ids = ids_with_key(conn, filter).await?;
    if format == ExportFormat::Csv {
        write_line(out, HEADING).map_err(LedgerError::Output)?;
    }
    let mut written = 0;
    let mut rows = bind_filter(sqlx::query(ENTRIES_WITH_RECORDS), filter, ids).fetch(conn);
    while let Some(row) = rows.try_next().await.map_err(LedgerError::reading)? {
        let entry = StoredEntry::from_row(&row)?;
        let packed: Option<&[u8]> = row.try_get("records").map_err(LedgerError::reading)?;
        let mut shown = packed
            .map(|packed| Shown::unpack(&entry, packed, only))
            .transpose()?;
        if let (Some(shown), None) = (&mut shown, only) {
            shown.seed = row.try_get("seed").map_err(LedgerError::reading)?;
        }
        match format {
            ExportFormat::JsonLines => {
                serde_json::to_writer(&mut *out, &entry_json(&entry, shown.as_ref()))
                    .map_err(|error| LedgerError::Output(error.into()))?;
                out.write_all(b"\n").map_err(LedgerError::Output)?;
            }
            ExportFormat::Csv => write_csv(out, &entry, shown.as_ref())?,
        }
        written += 1;
    }
    out.flush().map_err(LedgerError::Output)?;
    Ok(written)
}

/// An entry with its records, if they are there.
#[derive(Debug)]
pub struct WithRecords {
    /// It.
    pub entry: StoredEntry,
    /// Its packed records, and their seed.
    pub records: Option<(Vec<u8>, [u8; 32])>,
}

/// Streams the entries that `filter` asks for with their records, in the order of an export.
///
/// # Errors
/// When the database does not answer; in the stream, also when an entry cannot be read.
pub async fn entries_with_records<'c>(
    conn: &'c mut PgConnection,
    filter: &Filter,
) -> Result<BoxStream<'c, Result<WithRecords, LedgerError>>, LedgerError> {
    let ids = ids_with_key(conn, filter).await?;
    let rows = bind_filter(sqlx::query(ENTRIES_WITH_RECORDS), filter, ids).fetch(conn);
    Ok(rows
        .map(|row| {
            let row = row.map_err(LedgerError::reading)?;
            let records: Option<Vec<u8>> = row.try_get("records").map_err(LedgerError::reading)?;
            let seed: Option<[u8; 32]> = row.try_get("seed").map_err(LedgerError::reading)?;
            Ok(WithRecords {
                entry: StoredEntry::from_row(&row)?,
                records: records.zip(seed),
            })
        })
        .boxed())
}

fn digest(digest: &[u8; 32]) -> String {
    format!("sha256:{}", hex::encode(digest))
}

/// RFC 3339 in UTC; microseconds only where there are some.
fn instant(at: DateTime<Utc>) -> String {
    let format = match at.nanosecond() / 1000 {
        0 => SecondsFormat::Secs,
        _ => SecondsFormat::Micros,
    };
    at.to_rfc3339_opts(format, true)
}

/// `YYYY-MM-DD`. A day beyond every calendar that we know how to print (PostgreSQL's
/// `infinity` is one) stays a number of days.
fn day(days: i32) -> String {
    NaiveDate::from_epoch_days(days).map_or_else(|| format!("day {days}"), |date| date.to_string())
}

/// The days since 1 January 1970 of what [`day`] writes.
pub(in crate::ledger) fn parse_day(text: &str) -> Option<i32> {
    match text.strip_prefix("day ") {
        Some(days) => days.parse().ok(),
        None => text
            .parse::<NaiveDate>()
            .ok()
            .map(|date| date.to_epoch_days()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use chrono::TimeZone;

    #[test]
    fn a_day_is_a_date() {
        assert_eq!(day(0), "1970-01-01");
        assert_eq!(day(-1), "1969-12-31");
        assert_eq!(day(20_779), "2026-11-22");
        assert_eq!(day(i32::MAX), "day 2147483647");
        for days in [0, -1, 20_779, 4_000_000, i32::MAX, i32::MIN] {
            assert_eq!(parse_day(&day(days)), Some(days));
        }
    }

    #[test]
    fn an_instant_shows_microseconds_only_where_it_has_some() {
        let whole = Utc.with_ymd_and_hms(2026, 11, 22, 2, 0, 1).unwrap();
        assert_eq!(instant(whole), "2026-11-22T02:00:01Z");
        let finer = whole + chrono::TimeDelta::microseconds(250);
        assert_eq!(instant(finer), "2026-11-22T02:00:01.000250Z");
    }
}
