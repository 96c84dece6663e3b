//! From a dependant's row up to the record that it hangs on, as a question for `explain`.

use serde::Serialize;

use super::hanging::{going_ways, joined};
use super::judge::{Judge, key_array};
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
    /// Whether the records refer to the row, which goes with the last of them; otherwise it
    /// refers to the record, and goes with the first.
    pub shared: bool,
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
        let mut ask = |joins: &str, on: &str, shared: bool| {
            // Of several records that share the row, the first by its key.
            let sql = format!(
                "SELECT {0} FROM {1} d0{joins} JOIN {2} t ON {on} WHERE {3} ORDER BY {0} LIMIT 1",
                key_array(table, "t"),
                name.quoted(),
                table.name.quoted(),
                by_key.join(" AND "),
            );
            questions.push(ParentQuestion {
                table: name.clone(),
                key: key.clone(),
                sql,
                shared,
            });
        };
        if name == &table.name {
            // The row of its own table that it hangs on; that one is asked about in turn.
            for link in relations.own(name) {
                ask("", &link.holds("d0", "t"), false);
            }
        }
        for way in going_ways(name, relations, &table.name) {
            if let Some((joins, last, near)) = joined(judge, &way, relations) {
                ask(&joins, &last.holds(&near, "t"), way[0].is_shared());
            }
        }
    }
    questions
}
