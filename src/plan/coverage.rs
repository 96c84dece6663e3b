//! What the schedule leaves out, as questions: the rows of tables that no class names, and
//! the rows of named tables that no class claims.
//!
//! A table is covered when a class names it, or shows its rows, or takes its rows away with
//! a record. Whether a table matters is not judged here.

use std::collections::BTreeSet;

use super::judge::{Judge, Mute, any, negated};
use crate::catalog::{Catalog, Kind, Table};
use crate::decisions::Decisions;
use crate::ident::{ClassId, TableName};
use crate::schedule::{Fate, Schedule};

/// What to ask about the tables of a database.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Uncovered {
    /// Tables that hold rows of their own and that nothing in the schedule covers.
    pub tables: Vec<UncoveredTable>,
    /// Tables of which the classes may claim some rows and leave others.
    pub partly: Vec<PartlyClaimed>,
}

/// A table that nothing in the schedule covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UncoveredTable {
    /// The table.
    pub table: TableName,
    /// Answers how many rows it has; none where we may not read all of them.
    pub count: Option<String>,
}

/// A table whose classes all have a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartlyClaimed {
    /// The table.
    pub table: TableName,
    /// The first class of the schedule on it.
    pub class: ClassId,
    /// Answers how many rows no class claims, and how many rows there are.
    pub count: String,
}

/// Writes the questions. A row is claimed when a class's condition is TRUE for it.
#[must_use]
pub fn uncovered(schedule: &Schedule, catalog: &Catalog, on: chrono::NaiveDate) -> Uncovered {
    let known = super::link::known(schedule, catalog);
    let mute = schedule
        .classes()
        .iter()
        .zip(super::fits(schedule, catalog, &known))
        .map(|(class, fit)| (class.id(), fit))
        .filter(|(_, fit)| !fit.refusals.is_empty())
        .map(|(id, fit)| (id.clone(), fit.mute()))
        .collect();
    // Claims depend on no decision.
    let decisions = Decisions::before_migration();
    let judge = Judge {
        schedule,
        catalog,
        decisions: &decisions,
        today: on,
        mute: &mute,
        waiting: None,
    };
    let dependants = dependants(schedule);
    let mut found = Uncovered::default();
    for table in catalog.tables.values() {
        if !has_rows_of_its_own(table) || catalog.of_extensions.contains(&table.name) {
            continue;
        }
        let classes: Vec<_> = schedule
            .classes()
            .iter()
            .filter(|class| {
                class.table() == &table.name || catalog.shows(class.table(), &table.name)
            })
            .collect();
        let readable = table.privileges.select && !table.row_security;
        // Of a table with children only the rows of its own: the children are asked as well.
        let only = if table.kind == Kind::Inherited {
            "ONLY "
        } else {
            ""
        };
        let Some(first) = classes.first() else {
            if !dependants.contains(&table.name) {
                found.tables.push(UncoveredTable {
                    table: table.name.clone(),
                    count: readable
                        .then(|| format!("SELECT count(*) FROM {only}{}", table.name.quoted())),
                });
            }
            continue;
        };
        // What might claim any row cannot be asked; that it is refused is an error by itself.
        let unknown = classes
            .iter()
            .any(|class| mute.get(class.id()) == Some(&Mute::Everything));
        let claimed = any(classes
            .iter()
            .map(|class| judge.claims(class, "t"))
            .collect());
        let mut read = classes.iter().filter_map(|class| class.claim());
        let readable = !table.row_security
            && read.all(|claim| claim.columns().all(|c| catalog.may_read(&table.name, c)));
        if unknown || !readable || claimed == "TRUE" || dependants.contains(&table.name) {
            continue;
        }
        found.partly.push(PartlyClaimed {
            table: table.name.clone(),
            class: first.id().clone(),
            count: format!(
                "SELECT count(*) FILTER (WHERE {}), count(*) FROM {only}{} AS t",
                negated(&claimed),
                table.name.quoted()
            ),
        });
    }
    found
}

/// The tables whose rows go with a record of some class.
fn dependants(schedule: &Schedule) -> BTreeSet<TableName> {
    schedule
        .classes()
        .iter()
        .filter_map(|class| class.dispose())
        .flat_map(|dispose| &dispose.dependants)
        .filter(|dependant| dependant.fate == Fate::Delete)
        .map(|dependant| dependant.table.clone())
        .collect()
}

/// A partition's rows count with its root, a view's with what it reads, and those of a
/// foreign table on the server that holds them.
fn has_rows_of_its_own(table: &Table) -> bool {
    match table.kind {
        Kind::Ordinary | Kind::Partitioned | Kind::Inherited | Kind::Ruled => true,
        Kind::Partition | Kind::View | Kind::Materialised | Kind::Foreign => false,
    }
}
