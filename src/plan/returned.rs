//! Which rows of a table are there, by key: asked of what a backup may have brought back.

use super::judge::key_array;
use super::key::{Key, among};
use crate::catalog::Table;

/// Answers the keys, as arrays of texts, of those records that are in the table among those
/// that the arrays from `$1` on name, one array of texts a column of the key. `None` for a
/// table without a key. By index: one look-up a record.
#[must_use]
pub fn present(table: &Table) -> Option<String> {
    let key = Key::of(table);
    (!key.columns.is_empty()).then(|| {
        format!(
            "SELECT {} FROM {} AS t WHERE {}",
            key_array(table, "t"),
            table.name.quoted(),
            among(&key.typed(), "t", 1)
        )
    })
}
