//! What hangs on a record, as SQL over the record's row: whether a hold, a class or a gate
//! of its own keeps a dependant, and so its parent.
//!
//! A dependant is reached along foreign keys, upwards where its row refers to what it
//! hangs on, downwards where it is referred to. Every way there is asked about.

use super::judge::{Judge, any, columns, equal};
use super::relations::Relations;
use crate::catalog::ForeignKey;
use crate::ident::{Ident, TableName, literal};

/// One step of a way from a dependant to the record.
#[derive(Debug, Clone)]
pub(super) struct Step {
    key: ForeignKey,
    /// The nearer row refers to the farther; otherwise it is referred to by it.
    upward: bool,
}

impl Step {
    pub fn near(&self) -> &[Ident] {
        if self.upward {
            &self.key.from_columns
        } else {
            &self.key.to_columns
        }
    }

    pub fn far(&self) -> &[Ident] {
        if self.upward {
            &self.key.to_columns
        } else {
            &self.key.from_columns
        }
    }

    fn far_table(&self) -> &TableName {
        if self.upward {
            &self.key.to
        } else {
            &self.key.from
        }
    }
}

/// Every way from a row of `table` to the record, in steps from there.
pub(super) fn ways(table: &TableName, relations: &Relations) -> Vec<Vec<Step>> {
    let upward = relations.inbound.iter().chain(&relations.unlinked);
    let upward = upward
        .filter(|inbound| &inbound.table == table)
        .flat_map(|inbound| &inbound.edges);
    let downward = relations
        .referred
        .iter()
        .filter(|referred| &referred.table == table);
    let downward = downward.flat_map(|referred| &referred.edges);
    let steps = upward
        .map(|key| Step {
            key: key.clone(),
            upward: true,
        })
        .chain(downward.map(|key| Step {
            key: key.clone(),
            upward: false,
        }));
    steps
        .flat_map(|step| {
            let rest = ways(step.far_table(), relations);
            // No way on: this is the record's own table.
            let rest = if rest.is_empty() {
                vec![Vec::new()]
            } else {
                rest
            };
            rest.into_iter()
                .map(move |rest| [vec![step.clone()], rest].concat())
        })
        .collect()
}

/// Joins from `d0` along a way; the last step is left to the caller, with its near alias.
pub(super) fn joined(way: &[Step]) -> Option<(String, &Step, String)> {
    let (last, before) = way.split_last()?;
    let mut sql = String::new();
    for (nth, step) in before.iter().enumerate() {
        let (near, far) = (format!("d{nth}"), format!("d{}", nth + 1));
        sql.push_str(&format!(
            " JOIN {} {far} ON {}",
            step.far_table().quoted(),
            equal(step.near(), &near, step.far(), &far)
        ));
    }
    Some((sql, last, format!("d{}", before.len())))
}

impl Judge<'_> {
    /// An open hold protects something that hangs on the row.
    pub fn dependant_held(&self, relations: &Relations, a: &str) -> String {
        if !self.decisions.recorded() {
            return "FALSE".to_owned();
        }
        let inbound = relations
            .inbound
            .iter()
            .chain(&relations.unlinked)
            .map(|inbound| &inbound.table);
        let all = inbound.chain(relations.referred.iter().map(|referred| &referred.table));
        let mut found = Vec::new();
        for name in all {
            let Some(table) = self.catalog.table(name) else {
                continue;
            };
            let key = table
                .key
                .iter()
                .enumerate()
                .map(|(nth, column)| {
                    let cast = table
                        .column(column)
                        .map_or("text", |c| c.type_name.as_str());
                    // CASE: a hold on another table has a key of another type.
                    format!(
                        "d0.{} = CASE WHEN h.table_name = {} THEN (h.key[{}])::{cast} END",
                        column.quoted(),
                        literal(&name.to_string()),
                        nth + 1
                    )
                })
                .collect::<Vec<_>>()
                .join(" AND ");
            for way in ways(name, relations) {
                let Some((joins, last, near)) = joined(&way) else {
                    continue;
                };
                found.push(format!(
                    "(({}) IN (SELECT {} FROM retentiond.hold h JOIN {} d0 ON {key}{joins} WHERE {})) IS TRUE",
                    columns(last.far(), a),
                    columns(last.near(), &near),
                    name.quoted(),
                    self.open_holds(name),
                ));
            }
        }
        any(found)
    }

    /// Something that hangs on the row, and goes with it, satisfies `condition` (an
    /// expression on its own alias).
    fn some_dependant(
        &self,
        relations: &Relations,
        a: &str,
        condition: impl Fn(&TableName, &str) -> Option<String>,
    ) -> String {
        let inbound = relations.inbound.iter().map(|inbound| &inbound.table);
        let mut found = Vec::new();
        for name in inbound.chain(relations.referred.iter().map(|referred| &referred.table)) {
            let Some(condition) = condition(name, "d0") else {
                continue;
            };
            for way in ways(name, relations) {
                let Some((joins, last, near)) = joined(&way) else {
                    continue;
                };
                found.push(format!(
                    "EXISTS (SELECT 1 FROM {} d0{joins} WHERE {} AND {condition})",
                    name.quoted(),
                    equal(last.near(), &near, last.far(), a),
                ));
            }
        }
        any(found)
    }

    /// A class of its own protects something that hangs on the row.
    pub fn dependant_protected(&self, relations: &Relations, a: &str) -> String {
        self.some_dependant(relations, a, |table, d| self.protected(table, d))
    }

    /// The notice of something that hangs on the row is not over.
    pub fn dependant_in_notice(&self, relations: &Relations, a: &str) -> String {
        self.some_dependant(relations, a, |table, d| {
            let in_notice = self.in_notice(table, d);
            (in_notice != "FALSE").then_some(in_notice)
        })
    }

    /// Something that hangs on the row waits at a gate of its own.
    pub fn dependant_gated(&self, relations: &Relations, a: &str) -> String {
        self.some_dependant(relations, a, |table, d| {
            let gated = self.gated(table, d);
            (gated != "FALSE").then_some(gated)
        })
    }
}
