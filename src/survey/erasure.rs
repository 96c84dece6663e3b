//! What became of the files of tables after a disposal, as a certificate says it.

use chrono::{DateTime, Days, NaiveDate, Utc};
use sqlx::{PgConnection, Row};

use super::SurveyError;
use super::status::bookkeeping;
use crate::ident::{ClassId, TableName};
use crate::ledger::{Entry, EntryId, store as ledger};

/// The entry that says that a table's files were rewritten.
pub(super) struct Erased {
    pub at: DateTime<Utc>,
    /// Whether the catalogue's statistics were rewritten, too.
    pub statistics: bool,
    /// The end of the write-ahead log then.
    pub log_through: Option<String>,
}

/// The first erasure of a table under a class after an entry.
pub(super) async fn erased_since(
    conn: &mut PgConnection,
    class: &ClassId,
    table: &TableName,
    after: EntryId,
) -> Result<Option<Erased>, SurveyError> {
    let row = sqlx::query(
        "SELECT entry_id, body FROM retentiond.ledger_entry
         WHERE class_id = $1 AND table_name = $2 AND action = 'erased' AND entry_id > $3
         ORDER BY entry_id LIMIT 1",
    )
    .bind(class.as_str())
    .bind(table.to_string())
    .bind(after.0)
    .fetch_optional(conn)
    .await
    .map_err(bookkeeping)?;
    let Some(row) = row else { return Ok(None) };
    let body: Vec<u8> = row.try_get(1).map_err(bookkeeping)?;
    let id: i64 = row.try_get(0).map_err(bookkeeping)?;
    let entry = Entry::decode(&body).map_err(|source| ledger::LedgerError::Entry {
        entry: EntryId(id),
        source,
    })?;
    Ok(Some(Erased {
        at: entry.at,
        statistics: entry
            .detail
            .get("statistics")
            .is_some_and(|word| word == "rewritten"),
        log_through: entry.detail.get("log-through").cloned(),
    }))
}

/// What a rewritten table leaves elsewhere, in sentences, with dates where they are known.
pub(super) fn remains(
    table: &str,
    erased: &Erased,
    disposed: NaiveDate,
    backups: Option<Days>,
) -> Vec<String> {
    let mut remains = Vec::new();
    let log = erased.log_through.as_deref().unwrap_or("not known");
    remains.push(format!(
        "{table}: the write-ahead log holds what went, up to position {log}, until PostgreSQL no longer needs those segments and has overwritten or removed them. The day is not known."
    ));
    remains.push(format!(
        "{table}: archives of the write-ahead log hold it for as long as they are kept. The day is not known."
    ));
    remains.push(
        match backups.and_then(|days| disposed.checked_add_days(days)) {
            Some(day) => format!(
                "{table}: backups hold it through {} (they are declared to be kept for that long).",
                day.format("%-d %B %Y")
            ),
            None => format!(
                "{table}: backups hold it for as long as they are kept. The day is not known."
            ),
        },
    );
    remains.push(format!(
        "{table}: replicas rewrite their files when they have replayed the log to {log}. The day is not known."
    ));
    remains.push(format!(
        "{table}: the old files were removed, and not overwritten: what a disk keeps of removed files is not known."
    ));
    if !erased.statistics {
        remains.push(format!(
            "{table}: the planner's statistics are refreshed; old versions of them may stay in the files of pg_statistic until that is rewritten. The day is not known."
        ));
    }
    remains
}
