//! The privileges that the plan's statements need, and what the connected role lacks of them.
//!
//! They follow from the statements themselves ([`read`]), written for a role that may do
//! everything, with every gate open, before anything is past and after everything is: so
//! they are those of every day of the same schedule on the same tables. What is granted by
//! them is exact, and what is missing is a refusal before anything is tried.

mod read;
mod statements;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::fit::Fit;
use super::{Plan, Standing};
use crate::catalog::{Catalog, Kind, Privileges, Table};
use crate::decisions::{Decisions, Epoch};
use crate::ident::{ClassId, Ident, TableName};
use crate::schedule::{Class, Code, Schedule};

pub use read::Unreadable;

/// What is needed on one table.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Needed {
    /// The columns that are read. Where a statement reads none of a table's columns,
    /// `SELECT` on any one of them is enough; the key's first stands for it.
    pub select: BTreeSet<Ident>,
    /// The columns that are set.
    pub update: BTreeSet<Ident>,
    /// Whether rows are deleted.
    pub delete: bool,
    /// Whether rows are locked (`FOR UPDATE`, `FOR SHARE`): for that `UPDATE` on any one
    /// column is enough.
    pub locks: bool,
}

impl Needed {
    /// The column on which `UPDATE` is granted for the sake of locking alone; none where a
    /// column is set anyway.
    #[must_use]
    pub fn lock_column<'a>(&self, table: &'a Table) -> Option<&'a Ident> {
        if !self.locks || !self.update.is_empty() {
            return None;
        }
        // A value that PostgreSQL generates itself cannot be set even with the privilege.
        let generated = |name: &&Ident| table.column(name).is_some_and(|c| c.generated);
        let columns = || table.columns.iter().map(|column| &column.name);
        let in_key = table.key.iter().find(generated);
        in_key
            .or_else(|| columns().find(generated))
            .or_else(|| table.key.first())
            .or_else(|| columns().next())
    }

    fn add(&mut self, other: &Self) {
        self.select.extend(other.select.iter().cloned());
        self.update.extend(other.update.iter().cloned());
        self.delete |= other.delete;
        self.locks |= other.locks;
    }
}

/// What is needed, table by table.
pub type Needs = BTreeMap<TableName, Needed>;

/// What one class needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassNeeds {
    /// The class.
    pub class: ClassId,
    /// To ask about its records: plan, status, explain, check.
    pub asking: Needs,
    /// To act on them besides.
    pub acting: Needs,
    /// To show them to whoever reviews them, besides asking.
    pub reviewing: Needs,
    /// Why it does not fit the database, so that it needs nothing but to be seen.
    pub misfits: Vec<String>,
}

/// All that several classes need.
#[must_use]
pub fn together<'a>(needs: impl IntoIterator<Item = &'a Needs>) -> Needs {
    let mut all = Needs::new();
    for (table, needed) in needs.into_iter().flatten() {
        all.entry(table.clone()).or_default().add(needed);
    }
    all
}

/// Long before anything that is dated, and long after: between them lies every day.
const DAYS: [&str; 2] = ["1900-01-01T12:00:00Z", "2500-01-01T12:00:00Z"];

/// What each class of a schedule needs, in the schedule's order, and for the sake of a
/// version that waits beside it.
///
/// # Errors
/// When a statement cannot be read, which is a fault of this program.
pub fn needs(
    schedule: &Schedule,
    waiting: Option<&Schedule>,
    catalog: &Catalog,
) -> Result<Vec<ClassNeeds>, Unreadable> {
    let catalog = all_powerful(catalog);
    let both = schedule.classes().iter();
    let both = both.chain(waiting.into_iter().flat_map(Schedule::classes));
    let decisions = both.fold(Decisions::none(Epoch(0)), |decisions, class| {
        decisions.with_instruction(class.id().clone())
    });
    let mut found: Vec<ClassNeeds> = Vec::new();
    for day in DAYS {
        let Ok(now) = day.parse::<DateTime<Utc>>() else {
            continue;
        };
        let plan = super::draft_beside(schedule, waiting, &catalog, &decisions, now);
        let probes = super::probes(schedule, &catalog, &plan);
        for (nth, class) in plan.classes().iter().enumerate() {
            let mut needs = ClassNeeds {
                class: class.id.clone(),
                asking: Needs::new(),
                acting: Needs::new(),
                reviewing: Needs::new(),
                misfits: class.refusals.iter().map(|r| r.message.clone()).collect(),
            };
            for sql in statements::asking(class) {
                read::statement(&sql, &catalog, &mut needs.asking)?;
            }
            for probe in probes.iter().filter(|probe| probe.class == class.id) {
                read::statement(probe.reads(), &catalog, &mut needs.asking)?;
            }
            for sql in statements::acting(class) {
                read::statement(&sql, &catalog, &mut needs.acting)?;
            }
            for sql in statements::reviewing(class) {
                read::statement(&sql, &catalog, &mut needs.reviewing)?;
            }
            if class.standing == Standing::Refused {
                still_claimed(schedule, class.id.clone(), &catalog, &mut needs.asking);
            }
            any_column(&mut needs.asking, &catalog);
            any_column(&mut needs.acting, &catalog);
            match found.get_mut(nth) {
                None => found.push(needs),
                Some(known) => {
                    known.asking = together([&known.asking, &needs.asking]);
                    known.acting = together([&known.acting, &needs.acting]);
                    known.reviewing = together([&known.reviewing, &needs.reviewing]);
                }
            }
        }
    }
    Ok(found)
}

/// A class that is refused still protects what its condition may claim, and `explain` asks.
fn still_claimed(schedule: &Schedule, id: ClassId, catalog: &Catalog, needs: &mut Needs) {
    let Some(class) = schedule.class(&id) else {
        return;
    };
    let Some(table) = catalog.table(class.table()) else {
        return;
    };
    if !matches!(table.kind, Kind::Ordinary | Kind::Partitioned) {
        return;
    }
    let needed = needs.entry(table.name.clone()).or_default();
    needed.select.extend(table.key.iter().cloned());
    let claimed = class.claim().into_iter().flat_map(|claim| claim.columns());
    let there = claimed.filter(|column| table.column(column).is_some());
    needed.select.extend(there.cloned());
}

/// Where a statement mentions no column of a table, any one will do.
fn any_column(needs: &mut Needs, catalog: &Catalog) {
    for (name, needed) in needs {
        let Some(table) = catalog.table(name).filter(|_| needed.select.is_empty()) else {
            continue;
        };
        let first = table.columns.first().map(|column| &column.name);
        needed.select.extend(table.key.first().or(first).cloned());
    }
}

/// The same database as somebody sees it from whom nothing is withheld.
fn all_powerful(catalog: &Catalog) -> Catalog {
    let mut catalog = catalog.clone();
    catalog.only_asks = false;
    catalog.closed_schemas.clear();
    catalog.column_privileges.clear();
    for table in catalog.tables.values_mut() {
        table.row_security = false;
        table.privileges = Privileges {
            select: true,
            update: true,
            delete: true,
            vacuum: true,
        };
    }
    catalog
}

/// Refuses the classes for which a privilege is missing, or of which row-level security
/// hides something from the role.
pub(super) fn refuse(fits: &mut [Fit], schedule: &Schedule, catalog: &Catalog) {
    let whole = |table: &Table| {
        let Privileges {
            select,
            update,
            delete,
            vacuum: _,
        } = table.privileges;
        select && update && delete && !table.row_security
    };
    if catalog.superuser || catalog.tables.values().all(whole) {
        return;
    }
    // Unreadable is a fault of ours, which a test would show; PostgreSQL refuses as ever.
    let Ok(needs) = needs(schedule, None, catalog) else {
        return;
    };
    // What is told to be granted is what `grants` prints for all of them together.
    let all = together(
        needs
            .iter()
            .flat_map(|class| [&class.asking, &class.acting]),
    );
    for ((fit, class), needs) in fits.iter_mut().zip(schedule.classes()).zip(needs) {
        if !needs.misfits.is_empty() {
            continue;
        }
        let wanted = if catalog.only_asks {
            needs.asking
        } else {
            together([&needs.asking, &needs.acting])
        };
        for (name, needed) in &wanted {
            if let Some(table) = catalog.table(name) {
                hidden(fit, class, table);
                let lock = all.get(name).and_then(|all| {
                    let set = all.update.first();
                    all.lock_column(table).or(set)
                });
                missing(fit, class, table, needed, lock, catalog);
            }
        }
    }
}

fn hidden(fit: &mut Fit, class: &Class, table: &Table) {
    let said = |fit: &Fit| fit.refusals.iter().any(|r| r.code == Code::RowSecurity);
    if !table.row_security || said(fit) {
        return;
    }
    let id = class.id();
    let message = if &table.name == class.table() {
        format!(
            "class `{id}`: row-level security hides rows of `{}` from the role",
            table.name
        )
    } else {
        format!(
            "class `{id}`: row-level security hides rows of `{}`, which it reads, from the role",
            table.name
        )
    };
    fit.refuse(
        Code::RowSecurity,
        message,
        ROW_SECURITY,
        class.place("table"),
    );
}

/// The way out of row-level security.
pub(super) const ROW_SECURITY: &str =
    "connect as a role with BYPASSRLS, or as the owner of a table without FORCE ROW LEVEL SECURITY";

fn missing(
    fit: &mut Fit,
    class: &Class,
    table: &Table,
    needed: &Needed,
    lock: Option<&Ident>,
    catalog: &Catalog,
) {
    let (has, name) = (&table.privileges, &table.name);
    let columns = catalog.column_privileges.get(name);
    let select: Vec<&Ident> = needed
        .select
        .iter()
        .filter(|column| !has.select && !columns.is_some_and(|c| c.select.contains(*column)))
        .collect();
    let mut update: Vec<&Ident> = needed
        .update
        .iter()
        .filter(|column| !has.update && !columns.is_some_and(|c| c.update.contains(*column)))
        .collect();
    let locks = has.update || columns.is_some_and(|c| !c.update.is_empty());
    if needed.locks && needed.update.is_empty() && !locks {
        update.extend(lock);
    }
    // The class's condition cannot be asked at all.
    let mut claimed = class.claim().into_iter().flat_map(|claim| claim.columns());
    if name == class.table() && claimed.any(|column| select.contains(&column)) {
        fit.condition_unknown = true;
    }
    let mut parts = Vec::new();
    for (word, columns) in [("SELECT", select), ("UPDATE", update)] {
        if !columns.is_empty() {
            parts.push(format!("{word} ({})", written(columns)));
        }
    }
    if needed.delete && !has.delete {
        parts.push("DELETE".to_owned());
    }
    if parts.is_empty() {
        return;
    }
    let parts = parts.join(", ");
    let role = Ident::new(&catalog.role).map_or_else(|_| catalog.role.clone(), |r| r.written());
    let closed = catalog.closed_schemas.contains(name.schema());
    let schema = name.schema().written();
    let usage = if closed {
        format!("GRANT USAGE ON SCHEMA {schema} TO {role}; ")
    } else {
        String::new()
    };
    fit.refuse(
        Code::MissingPrivilege,
        format!(
            "class `{}`: role `{}` may not {parts} on `{name}`",
            class.id(),
            catalog.role
        ),
        format!("{usage}GRANT {parts} ON {} TO {role}", name.written()),
        class.place("table"),
    );
}

fn written<'a>(columns: impl IntoIterator<Item = &'a Ident>) -> String {
    let columns: Vec<String> = columns.into_iter().map(Ident::written).collect();
    columns.join(", ")
}

/// Every statement by which reviewers are shown the records of a plan's queues. For tests,
/// as [`statements`].
#[must_use]
pub fn showing(plan: &Plan) -> Vec<String> {
    let classes = plan.classes().iter();
    classes.flat_map(statements::reviewing).collect()
}

/// Every statement of a plan: those that ask, and those that act. For tests, and whoever
/// wants to read them all.
#[must_use]
pub fn statements(plan: &Plan) -> (Vec<String>, Vec<String>) {
    let asking = plan.classes().iter().flat_map(statements::asking);
    let acting = plan.classes().iter().flat_map(statements::acting);
    let mut both: (Vec<String>, Vec<String>) = (asking.collect(), acting.collect());
    both.0.retain(|sql| !sql.is_empty());
    both.1.retain(|sql| !sql.is_empty());
    both
}
