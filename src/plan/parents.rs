//! From a dependant's row up to the record that it hangs on, as a question for `explain`.

use serde::Serialize;

use super::hanging::{joined, ways};
use super::judge::{Judge, equal, key_array};
use super::key::Key;
use super::relations::Relations;
use crate::catalog::Table;
use crate::ident::TableName;

/// How to find the record that a row of a dependant table hangs on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ParentQuestion {
    /// The dependant table.
    pub table: TableName,
    /// Its key.
    pub key: Key,
    /// Answers the record's key as `text[]`, given the row's key as texts `$1…`.
    pub sql: String,
}

pub(super) fn parents(
    judge: &Judge<'_>,
    relations: &Relations,
    table: &Table,
) -> Vec<ParentQuestion> {
    let inbound = relations.inbound.iter().map(|inbound| &inbound.table);
    let tables = inbound.chain(relations.referred.iter().map(|referred| &referred.table));
    let mut questions = Vec::new();
    for name in tables {
        let Some(dependant) = judge.catalog.table(name) else {
            continue;
        };
        let key = Key::of(dependant);
        let by_key: Vec<String> = key
            .columns
            .iter()
            .enumerate()
            .map(|(nth, c)| {
                format!(
                    "d0.{} = ${}::text::{}",
                    c.name.quoted(),
                    nth + 1,
                    c.type_name
                )
            })
            .collect();
        for way in ways(name, relations) {
            let Some((joins, last, near)) = joined(&way) else {
                continue;
            };
            // Of several records that share the row, the first by its key.
            let sql = format!(
                "SELECT {0} FROM {1} d0{joins} JOIN {2} t ON {3} WHERE {4} ORDER BY {0} LIMIT 1",
                key_array(table, "t"),
                name.quoted(),
                table.name.quoted(),
                equal(last.near(), &near, last.far(), "t"),
                by_key.join(" AND "),
            );
            questions.push(ParentQuestion {
                table: name.clone(),
                key: key.clone(),
                sql,
            });
        }
    }
    questions
}
