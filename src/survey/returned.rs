//! What a backup has brought back: records that were disposed of, and how they stand now.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use serde::Serialize;
use serde_json::Value;
use sqlx::{PgConnection, Row};

use super::explain::standing;
use super::{Drawn, SurveyError, key_columns};
use crate::ident::{ClassId, TableName};
use crate::ledger::manifest::{self, Record};
use crate::ledger::{Action, Entry, KeyColumns};
use crate::plan;
use crate::store;

/// A record that an entry says is gone or anonymised, and whose row is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Returned {
    /// The class that had disposed of it.
    pub class: Option<ClassId>,
    /// Its table.
    pub table: String,
    /// Its key.
    pub key: Value,
    /// What it was counted from then.
    pub trigger: Option<NaiveDate>,
    /// How it stands: as `explain` says, or `another` where the row is counted from another
    /// day now, so that its number was given to somebody else, or it was changed.
    pub state: &'static str,
    /// Whether nobody has to look at it: the next pass takes it, or it is done already.
    pub settled: bool,
}

/// Records that are asked about at a time.
const AT_A_TIME: usize = 1_000;

/// Looks for the records of an entry; `tell` hears of each that is there. Answers how many
/// are not.
///
/// # Errors
/// When the database does not answer, or the records cannot be read.
pub async fn returned(
    conn: &mut PgConnection,
    drawn: &Drawn,
    entry: &Entry,
    packed: &[u8],
    mut tell: impl FnMut(Returned),
) -> Result<u64, SurveyError> {
    let Some(table) = &entry.table else {
        return Ok(0);
    };
    let unreadable = |source| {
        SurveyError::Ledger(crate::ledger::store::LedgerError::Manifest {
            entry: entry.id,
            source,
        })
    };
    let mut records = manifest::decode(packed).map_err(unreadable)?;
    let header = records.header().clone();
    let present = drawn.catalog.table(table).and_then(plan::present);
    let columns = key_columns(&drawn.catalog, table);
    // A table that is gone, or whose key is another one now, has none of these records.
    let (Some(present), true) = (present, columns.as_ref() == Some(&header.columns)) else {
        return Ok(header.count);
    };
    let mut gone = 0;
    loop {
        let page: Vec<Record> = records
            .by_ref()
            .take(AT_A_TIME)
            .collect::<Result<_, _>>()
            .map_err(unreadable)?;
        if page.is_empty() {
            return Ok(gone);
        }
        let there = find(conn, table, &present, &header.columns, &page).await?;
        for record in page {
            if !there.contains(&record.key.to_texts()) {
                gone += 1;
                continue;
            }
            tell(one(conn, drawn, entry, table, &header.columns, &record).await?);
        }
    }
}

async fn find(
    conn: &mut PgConnection,
    table: &TableName,
    present: &str,
    columns: &KeyColumns,
    page: &[Record],
) -> Result<BTreeSet<Vec<String>>, SurveyError> {
    let failed = |error: sqlx::Error| SurveyError::Table {
        table: table.clone(),
        reason: store::reason(&error),
    };
    let mut arrays = vec![Vec::new(); columns.as_slice().len()];
    for record in page {
        for (array, value) in arrays.iter_mut().zip(record.key.to_texts()) {
            array.push(value);
        }
    }
    let mut query = store::planned(present);
    for array in arrays {
        query = query.bind(array);
    }
    let rows = query.fetch_all(conn).await.map_err(failed)?;
    rows.iter()
        .map(|row| row.try_get(0).map_err(failed))
        .collect()
}

async fn one(
    conn: &mut PgConnection,
    drawn: &Drawn,
    entry: &Entry,
    table: &TableName,
    columns: &KeyColumns,
    record: &Record,
) -> Result<Returned, SurveyError> {
    let now = standing(conn, drawn, table, columns, &record.key).await?;
    let trigger = record.trigger.and_then(NaiveDate::from_epoch_days);
    // What went with a record has no day of its own: it stands as its record does.
    let same = entry.parent.is_some()
        || now
            .claims
            .iter()
            .filter(|claim| Some(&claim.class) == entry.class.as_ref())
            .all(|claim| claim.trigger.as_ref().and_then(|day| day.parse().ok()) == trigger);
    let state = if same { now.state } else { "another" };
    let done = entry.action == Action::Anonymised && state == "anonymised";
    Ok(Returned {
        class: entry.class.clone(),
        table: table.to_string(),
        key: now.key,
        trigger,
        state,
        settled: done || state == "due",
    })
}
