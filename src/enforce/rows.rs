//! Decoding what planned statements answer. Columns are read by position, in the order
//! that the plan promises.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use sqlx::Row;
use sqlx::postgres::PgRow;

use crate::ledger::{KeyColumn, KeyColumns, KeyKind, KeyValue};
use crate::plan::{DayAs, Key};

/// A record's key, owned.
pub(super) type OwnedKey = Vec<KeyValue<'static>>;

/// The ledger's form of a planned key. `None` for a key without columns, which the plan refuses.
pub(super) fn key_columns(key: &Key) -> Option<KeyColumns> {
    let columns = key
        .columns
        .iter()
        .map(|c| KeyColumn {
            name: c.name.clone(),
            kind: if c.integer {
                KeyKind::Int
            } else {
                KeyKind::Text
            },
        })
        .collect();
    KeyColumns::new(columns).ok()
}

/// The key's values, from column `from` on.
pub(super) fn key(row: &PgRow, from: usize, key: &Key) -> Result<OwnedKey, sqlx::Error> {
    key.columns
        .iter()
        .enumerate()
        .map(|(nth, column)| {
            Ok(if column.integer {
                KeyValue::Int(row.try_get(from + nth)?)
            } else {
                KeyValue::Text(Cow::Owned(row.try_get(from + nth)?))
            })
        })
        .collect()
}

/// A trigger's day in days since 1970, from column `at`; `None` for a record without one.
pub(super) fn day(
    row: &PgRow,
    at: usize,
    answered: DayAs,
    zone: Tz,
) -> Result<Option<i32>, sqlx::Error> {
    match answered {
        DayAs::Number => row.try_get(at),
        DayAs::Instant => {
            let instant: Option<DateTime<Utc>> = row.try_get(at)?;
            Ok(instant.map(|instant| instant.with_timezone(&zone).date_naive().to_epoch_days()))
        }
    }
}

/// `width` texts, from column `from` on.
pub(super) fn texts(
    row: &PgRow,
    from: usize,
    width: usize,
) -> Result<Vec<Option<String>>, sqlx::Error> {
    (from..from + width).map(|nth| row.try_get(nth)).collect()
}

/// One array of texts for each column of a key, for the statements that take keys.
pub(super) fn key_arrays<'a>(
    keys: impl Iterator<Item = &'a OwnedKey>,
    width: usize,
) -> Vec<Vec<String>> {
    let mut arrays = vec![Vec::new(); width];
    for key in keys {
        for (array, value) in arrays.iter_mut().zip(key) {
            array.push(match value {
                KeyValue::Int(number) => number.to_string(),
                KeyValue::Text(text) => text.clone().into_owned(),
            });
        }
    }
    arrays
}

/// The key as our working tables hold it.
pub(super) fn key_texts(key: &OwnedKey) -> Vec<String> {
    key_arrays(std::iter::once(key), key.len())
        .into_iter()
        .flatten()
        .collect()
}
