//! What protects a record from everything, as SQL over its row: holds, exemptions,
//! restrictions and what a reviewer keeps, on the record itself, on the person whom it is
//! about, on its class, or on a condition.
//!
//! Those on records and people are read by the statement that changes a row. Those on classes
//! and conditions are written into it: whoever places one takes the decisions' lock and
//! increments the epoch, so that no batch of a plan without them comes after.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use super::judge::{Judge, all, any, key_array};
use super::key::Key;
use crate::catalog::{Catalog, Table};
use crate::decisions::{Decisions, RuleHold};
use crate::ident::{Ident, TableName, literal};
use crate::schedule::{Class, Condition, Schedule};

/// That the hold `h` protects on a day, as SQL.
pub(super) fn binds(day: NaiveDate) -> String {
    format!(
        "(h.released_at IS NULL \
         AND (h.until_on IS NULL OR h.until_on >= DATE '{day}') OR h.not_before > DATE '{day}')"
    )
}

/// Asks how many records of its table a hold on a class or a condition would cover today.
#[must_use]
pub fn covered(schedule: &Schedule, catalog: &Catalog, on: NaiveDate, hold: &RuleHold) -> String {
    let decisions = Decisions::before_migration();
    let judge = Judge {
        schedule,
        catalog,
        decisions: &decisions,
        today: on,
        mute: &BTreeMap::new(),
        waiting: None,
    };
    format!(
        "SELECT count(*) FROM {} AS t WHERE {}",
        hold.table.quoted(),
        judge.covers(hold, &hold.table, "t")
    )
}

/// The numbers of the holds that protect the record with key `$1…` itself; `None` where no hold
/// could be recorded.
pub(super) fn holders(judge: &Judge<'_>, table: &Table, key: &Key) -> Option<String> {
    if !judge.decisions.recorded() {
        return None;
    }
    let on_rules: Vec<String> = judge
        .decisions
        .holds()
        .iter()
        .filter(|hold| hold.binds.on(judge.today))
        .map(|hold| {
            format!(
                "CASE WHEN {} THEN {} END",
                judge.covers(hold, &table.name, "t"),
                hold.id
            )
        })
        .collect();
    let mut which = vec![format!(
        "{} AND h.key = {}",
        judge.open_holds(&table.name),
        key_array(table, "t")
    )];
    which.extend(judge.subjects(&table.name).iter().map(|column| {
        format!(
            "h.scope = 'subject' AND h.subject = t.{}::text AND {}",
            column.quoted(),
            binds(judge.today)
        )
    }));
    Some(format!(
        "SELECT array_remove(ARRAY[{}]::bigint[], NULL) || ARRAY(SELECT h.hold_id FROM retentiond.hold h WHERE {}) \
         FROM {} AS t WHERE {}",
        on_rules.join(", "),
        any(which),
        table.name.quoted(),
        key.is("t", 1),
    ))
}

/// Asks of each table whose class names a data subject how many records are about `$1`.
#[must_use]
pub fn about(schedule: &Schedule, catalog: &Catalog) -> Vec<(TableName, String)> {
    let mut tables: BTreeMap<&TableName, Vec<String>> = BTreeMap::new();
    for class in schedule.classes() {
        let there = |column: &&Ident| {
            let table = catalog.table(class.table());
            table.is_some_and(|table| table.column(column).is_some())
        };
        if let Some(column) = class.subject().filter(there) {
            let is = format!("t.{}::text = $1", column.quoted());
            let conditions = tables.entry(class.table()).or_default();
            if !conditions.contains(&is) {
                conditions.push(is);
            }
        }
    }
    let counts = tables.into_iter().map(|(table, conditions)| {
        let is = any(conditions);
        let sql = format!("SELECT count(*) FROM {} AS t WHERE {is}", table.quoted());
        (table.clone(), sql)
    });
    counts.collect()
}

impl Judge<'_> {
    /// A hold protects the row itself.
    pub fn held(&self, table: &Table, a: &str) -> String {
        any(vec![
            self.record_held(table, a),
            self.held_by_rule(&table.name, a),
        ])
    }

    fn record_held(&self, table: &Table, a: &str) -> String {
        if !self.decisions.recorded() {
            return "FALSE".to_owned();
        }
        // Not correlated, so that PostgreSQL hashes it once a statement; with no hold
        // it does not even look at the row.
        format!(
            "(({}) IN (SELECT h.key FROM retentiond.hold h WHERE {})) IS TRUE",
            key_array(table, a),
            self.open_holds(&table.name)
        )
    }

    /// The holds `h` on single records of a table that protect today.
    pub fn open_holds(&self, table: &TableName) -> String {
        format!(
            "h.table_name = {} AND h.scope = 'record' AND {}",
            literal(&table.to_string()),
            binds(self.today)
        )
    }

    /// A hold on a person, a class or a condition protects the row.
    pub fn held_by_rule(&self, table: &TableName, a: &str) -> String {
        let on_rules = self
            .decisions
            .holds()
            .iter()
            .filter(|hold| hold.binds.on(self.today))
            .map(|hold| self.covers(hold, table, a));
        any(on_rules.chain(self.subject_held(table, a)).collect())
    }

    /// A hold on the person whom a column of the row names.
    fn subject_held(&self, table: &TableName, a: &str) -> Option<String> {
        if !self.decisions.recorded() {
            return None;
        }
        let held = self.subjects(table).into_iter().map(|column| {
            format!(
                "({a}.{}::text IN (SELECT h.subject FROM retentiond.hold h \
                 WHERE h.scope = 'subject' AND {})) IS TRUE",
                column.quoted(),
                binds(self.today)
            )
        });
        Some(any(held.collect()))
    }

    /// The columns of a table that name whom its rows are about.
    pub fn subjects(&self, table: &TableName) -> Vec<&Ident> {
        let there = |column: &&Ident| {
            let table = self.catalog.table(table);
            table.is_some_and(|table| table.column(column).is_some())
        };
        let mut columns: Vec<&Ident> = self
            .on(table)
            .filter_map(Class::subject)
            .filter(there)
            .collect();
        columns.sort();
        columns.dedup();
        columns
    }

    /// The hold covers the row: its class claims it, or did when the hold was placed, and its
    /// condition is not FALSE. What cannot be asked any more covers everything.
    pub fn covers(&self, hold: &RuleHold, table: &TableName, a: &str) -> String {
        let elsewhere = hold.table != *table;
        let shown =
            self.catalog.shows(&hold.table, table) || self.catalog.shows(table, &hold.table);
        if elsewhere && shown {
            return "TRUE".to_owned();
        }
        let mut claimed = Vec::new();
        if !elsewhere {
            claimed.push(self.not_false(hold.claim.as_deref(), table, a));
        }
        // The class as it is now, wherever that may be.
        let classes = self.on(table).filter(|class| class.id() == &hold.class);
        claimed.extend(classes.map(|class| self.might_claim(class, a)));
        all(vec![
            any(claimed),
            self.not_false(hold.condition.as_deref(), table, a),
        ])
    }

    fn not_false(&self, condition: Option<&str>, table: &TableName, a: &str) -> String {
        let Some(text) = condition else {
            return "TRUE".to_owned();
        };
        match Condition::parse(text) {
            Ok(parsed) if self.catalog.objection(table, &parsed.sql("t")).is_none() => {
                format!("({}) IS NOT FALSE", parsed.sql(a))
            }
            Ok(_) | Err(_) => "TRUE".to_owned(),
        }
    }
}
