//! What is held about a person, as questions: their records by key, what hangs on those, what
//! of a request for erasure is left to do, and whom the tables name at all.
//!
//! A table says whom its rows are about by the `subject` column of any class on it.

use std::collections::{BTreeMap, BTreeSet};

use super::judge::{Judge, all, any, key_array, negated};
use super::key::Key;
use super::relations::Relations;
use crate::catalog::{Catalog, Table};
use crate::ident::{Ident, TableName};
use crate::schedule::{Class, Dispose, Schedule};

/// What can be asked of a table that names people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubjectTable {
    /// The table.
    pub table: TableName,
    /// The keys of the records about `$1`, as arrays of texts, in their order.
    pub keys: String,
    /// The record with key `$1…` as JSON, every column of it.
    pub record: String,
    /// Everybody whom the table names, as text and as often as there are records; one question
    /// a column.
    pub named: Vec<String>,
}

/// The tables whose rows are about people, as the schedule says.
#[must_use]
pub fn subject_tables(schedule: &Schedule, catalog: &Catalog) -> Vec<SubjectTable> {
    let mut columns: BTreeMap<&TableName, BTreeSet<&Ident>> = BTreeMap::new();
    for class in schedule.classes() {
        columns
            .entry(class.table())
            .or_default()
            .extend(class.subject());
    }
    let tables = columns.into_iter().filter_map(|(name, columns)| {
        let table = catalog.table(name)?;
        let there: Vec<&Ident> = columns
            .into_iter()
            .filter(|column| table.column(column).is_some())
            .collect();
        let key = Key::of(table);
        (!there.is_empty() && !key.columns.is_empty()).then(|| SubjectTable {
            table: name.clone(),
            keys: format!(
                "SELECT {} FROM {} AS t WHERE {} ORDER BY {}",
                key_array(table, "t"),
                name.quoted(),
                any(there.iter().map(|column| is(column, "t")).collect()),
                super::judge::columns(&table.key, "t"),
            ),
            record: format!(
                "SELECT to_jsonb(t)::text FROM {} AS t WHERE {}",
                name.quoted(),
                key.is("t", 1)
            ),
            named: there
                .iter()
                .map(|column| {
                    format!(
                        "SELECT t.{c}::text, count(*) FROM {} AS t WHERE t.{c} IS NOT NULL GROUP BY t.{c}",
                        name.quoted(),
                        c = column.quoted()
                    )
                })
                .collect(),
        })
    });
    tables.collect()
}

fn is(column: &Ident, a: &str) -> String {
    format!("{a}.{}::text = $1", column.quoted())
}

/// How many records about `$1` a class has still to dispose of, if they are erased by right: none
/// that another class keeps for good. `None` where the class has no say in it.
pub(super) fn left(
    judge: &Judge<'_>,
    class: &Class,
    dispose: &Dispose,
    table: &Table,
) -> Option<String> {
    let subjects = judge.subjects(&table.name);
    if subjects.is_empty() || !dispose.erasure_right {
        return None;
    }
    // Those wait for no request: a statute's period, or nothing at all, ends their time.
    let kept = judge
        .on(&table.name)
        .filter(|other| other.dispose().is_none_or(|rule| !rule.erasure_right))
        .map(|other| judge.might_claim(other, "t"));
    let kept = any(kept.collect());
    Some(format!(
        "SELECT count(*) FROM {} AS t WHERE {}",
        table.name.quoted(),
        all(vec![
            any(subjects.iter().map(|column| is(column, "t")).collect()),
            judge.claims(class, "t"),
            negated(&judge.done(class, dispose, "t")),
            negated(&kept),
        ])
    ))
}

/// By table, the rows that go with the record with key `$1…`, or that it refers to, as JSON.
pub(super) fn hanging(
    relations: &Relations,
    catalog: &Catalog,
    table: &Table,
) -> Vec<(TableName, String)> {
    let key = Key::of(table);
    let record = |a: &str| key.is(a, 1);
    let mut questions = Vec::new();
    let inbound = relations.inbound.iter().map(|inbound| &inbound.table);
    let unlinked = relations.unlinked.iter().map(|inbound| &inbound.table);
    for name in inbound.chain(unlinked).filter(|name| **name != table.name) {
        let along = Along {
            relations,
            table,
            record: &record,
        };
        let hangs = along.hangs(name, "t", &mut vec![name.clone()]);
        questions.push((name.clone(), hangs));
    }
    for referred in &relations.referred {
        let refers = referred
            .edges
            .iter()
            .filter(|edge| edge.from == table.name)
            .map(|edge| {
                format!(
                    "EXISTS (SELECT 1 FROM {} AS p WHERE {} AND {})",
                    table.name.quoted(),
                    record("p"),
                    edge.holds("p", "t")
                )
            });
        questions.push((referred.table.clone(), any(refers.collect())));
    }
    questions
        .into_iter()
        .filter(|(name, hangs)| hangs != "FALSE" && catalog.table(name).is_some())
        .map(|(name, hangs)| {
            let order = catalog
                .table(&name)
                .map(|table| super::judge::columns(&table.key, "t"))
                .filter(|order| !order.is_empty())
                .map(|order| format!(" ORDER BY {order}"))
                .unwrap_or_default();
            let sql = format!(
                "SELECT to_jsonb(t)::text FROM {} AS t WHERE {hangs}{order}",
                name.quoted()
            );
            (name, sql)
        })
        .collect()
}

struct Along<'a> {
    relations: &'a Relations,
    table: &'a Table,
    record: &'a dyn Fn(&str) -> String,
}

impl Along<'_> {
    /// The row `a` of a table hangs on the record, perhaps by others.
    fn hangs(&self, name: &TableName, a: &str, above: &mut Vec<TableName>) -> String {
        let inbound = self.relations.inbound.iter();
        let edges = inbound
            .chain(&self.relations.unlinked)
            .filter(|inbound| &inbound.table == name)
            .flat_map(|inbound| &inbound.edges);
        let mut ways = Vec::new();
        for edge in edges {
            let p = format!("p{}", above.len());
            let found = if edge.to == self.table.name {
                (self.record)(&p)
            } else if above.contains(&edge.to) {
                continue;
            } else {
                above.push(edge.to.clone());
                let found = self.hangs(&edge.to, &p, above);
                above.pop();
                found
            };
            if found == "FALSE" {
                continue;
            }
            ways.push(format!(
                "EXISTS (SELECT 1 FROM {} AS {p} WHERE ({found}) AND {})",
                edge.to.quoted(),
                edge.holds(a, &p)
            ));
        }
        any(ways)
    }
}
