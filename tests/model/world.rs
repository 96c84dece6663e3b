//! A small world: tables, rows, holds, and a schedule over them.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::{Europe::London, Tz};

use super::calendar::{Day, Period, Rounding, date};
use super::condition::Condition;
use super::value::{Kind, Value};

/// Column name to value; every column of the table is there.
pub type Row = BTreeMap<String, Value>;

/// A table's name (in `public`) and the key's values as text, in key order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowId {
    pub table: String,
    pub key: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct World {
    /// An instant of the civil day on which the pass happens, in London.
    pub now: DateTime<Utc>,
    /// Parents before children.
    pub tables: Vec<Table>,
    /// In file order, which must not matter: ties are broken by id.
    pub classes: Vec<Class>,
    pub holds: Vec<Hold>,
    /// What happens after the day of `now`, in order.
    pub later: Vec<Later>,
}

/// A later day: what people do on it before its pass.
#[derive(Debug, Clone, PartialEq)]
pub struct Later {
    pub now: DateTime<Utc>,
    /// A column of a row; of a row that is gone, nothing.
    pub changes: Vec<(RowId, String, Value)>,
    /// Placed where the row is still there and has none.
    pub holds: Vec<Hold>,
    /// These rows' holds are released, those placed on this day excepted.
    pub released: Vec<RowId>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    pub name: String,
    pub key: Vec<Column>,
    /// All other columns, those of foreign keys included.
    pub columns: Vec<Column>,
    pub foreign: Vec<Foreign>,
    /// An index on each trigger column; what is right must not depend on it.
    pub indexed: bool,
    pub rows: Vec<Row>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    pub name: String,
    pub kind: Kind,
    pub nullable: bool,
}

/// A foreign key onto the parent's primary key (MATCH SIMPLE), be it the table's own.
#[derive(Debug, Clone, PartialEq)]
pub struct Foreign {
    pub columns: Vec<String>,
    pub parent: String,
    pub nullable: bool,
    pub on_delete: OnDelete,
    /// Not declared: only a class that names the table with `on` relates the two.
    pub loose: bool,
    /// Only rows of which this is TRUE refer to anything by it; of a loose one only.
    pub only: Option<Condition>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDelete {
    NoAction,
    Cascade,
    SetNull,
}

impl Hold {
    pub fn row(&self) -> RowId {
        RowId {
            table: self.table.clone(),
            key: self.key.clone(),
        }
    }
}

/// An open hold, through the end of `until` if there is one.
#[derive(Debug, Clone, PartialEq)]
pub struct Hold {
    pub table: String,
    pub key: Vec<String>,
    pub until: Option<NaiveDate>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Class {
    pub id: String,
    pub table: String,
    pub claim: Option<Condition>,
    pub rule: Rule,
}

#[derive(Debug, Clone, PartialEq)]
// Few of them are made, and each is judged many times.
#[allow(clippy::large_enum_variant)]
pub enum Rule {
    Retain,
    Dispose(Dispose),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Dispose {
    pub trigger: Trigger,
    /// Earlier acts from the same trigger, each later and severer than the one before it.
    pub stages: Vec<Stage>,
    pub period: Period,
    /// Before the period, and each stage's, is added.
    pub rounding: Rounding,
    pub maximum: bool,
    /// In days.
    pub tolerance: u32,
    pub plausible_from: Option<NaiveDate>,
    pub trigger_zone: Option<Tz>,
    /// Columns whose day, if it is after the trigger's, says that the record is in use.
    pub unless_active: Vec<String>,
    /// While it is TRUE the record is past, whatever its trigger.
    pub or_when: Option<Condition>,
    /// In days.
    pub notice: Option<u32>,
    pub disposal: Disposal,
    pub gate: Gate,
    pub dependants: Vec<Dependant>,
}

/// `stages = [{ after, disposal }]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    pub after: Period,
    pub disposal: Disposal,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Trigger {
    Fixed(NaiveDate),
    /// The first that is not null and whose `when` is TRUE. A column of a related row is written
    /// `table.column`; exactly one foreign key leads there.
    Columns(Vec<(String, Option<Condition>)>),
}

#[derive(Debug, Clone, PartialEq)]
pub enum Disposal {
    Flag,
    Anonymise(Vec<Anonymisation>),
    Delete,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Anonymisation {
    pub column: String,
    pub path: Vec<String>,
    pub strategy: Strategy,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    Null,
    Redact,
    Year,
    Month,
    Area,
    Remove,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    None,
    Review,
    Instruction,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Dependant {
    pub table: String,
    pub unlink: bool,
}

/// Why a class cannot be enforced on this database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Its trigger, or its activity guard, names a column that does not exist.
    Trigger,
    /// So does its condition: nobody can say what it claims.
    Claim,
    /// A foreign key onto a table that it deletes from is not declared.
    Undeclared,
}

impl Dispose {
    /// Everything the class does, in time's order: its stages, then its own disposal.
    pub fn steps(&self) -> Vec<(&Period, &Disposal)> {
        let stages = self.stages.iter().map(|s| (&s.after, &s.disposal));
        stages.chain([(&self.period, &self.disposal)]).collect()
    }

    /// The last day of the step at this position.
    pub fn last_day(&self, step: usize, trigger: Day) -> Day {
        self.steps()[step].0.last_day(self.rounding, trigger)
    }

    /// The first trigger day for which the step at this position is not past.
    pub fn cutoff(&self, step: usize, today: NaiveDate) -> NaiveDate {
        let (period, _) = self.steps()[step];
        period.cutoff(self.rounding, self.maximum, today)
    }

    /// Triggers before this day are sentinels.
    pub fn plausible(&self) -> Day {
        Day::On(self.plausible_from.unwrap_or(date(1990, 1, 1)))
    }

    /// In which zone a naive moment of this class's columns is read.
    pub fn zone(&self) -> Tz {
        self.trigger_zone.unwrap_or(London)
    }
}

impl Disposal {
    pub fn severity(&self) -> u8 {
        match self {
            Self::Flag => 0,
            Self::Anonymise(_) => 1,
            Self::Delete => 2,
        }
    }
}

impl Class {
    pub fn dispose(&self) -> Option<&Dispose> {
        match &self.rule {
            Rule::Retain => None,
            Rule::Dispose(dispose) => Some(dispose),
        }
    }
}

impl Table {
    pub fn id(&self, row: &Row) -> RowId {
        let key = self
            .key
            .iter()
            .map(|column| row[&column.name].shown().unwrap_or_default());
        RowId {
            table: self.name.clone(),
            key: key.collect(),
        }
    }

    pub fn has(&self, column: &str) -> bool {
        self.key
            .iter()
            .chain(&self.columns)
            .any(|c| c.name == column)
    }
}

impl Foreign {
    /// What a relation's condition says is said of the dependant's row, so that a class of
    /// the rows that refer cannot name it.
    pub fn both_ways(&self) -> bool {
        self.only.is_none()
    }

    /// The row that `row` refers to, which need not be there if the key is loose; a single
    /// NULL and it refers to none.
    pub fn target(&self, row: &Row) -> Option<RowId> {
        if self
            .only
            .as_ref()
            .is_some_and(|only| only.holds(row) != Some(true))
        {
            return None;
        }
        let key = self
            .columns
            .iter()
            .map(|column| row[column].shown())
            .collect::<Option<_>>()?;
        Some(RowId {
            table: self.parent.clone(),
            key,
        })
    }
}

impl World {
    pub fn table(&self, name: &str) -> &Table {
        self.tables
            .iter()
            .find(|table| table.name == name)
            .expect("a table of this world")
    }

    pub fn class(&self, id: &str) -> &Class {
        self.classes
            .iter()
            .find(|class| class.id == id)
            .expect("a class of this world")
    }

    /// The tables whose rows a class deletes because they refer, however deep, to its record.
    pub fn inbound<'c>(&self, class: &'c Class) -> BTreeSet<&'c str> {
        let mut found = BTreeSet::new();
        let Some(rule) = class.dispose() else {
            return found;
        };
        loop {
            let more: Vec<&str> = rule
                .dependants
                .iter()
                .filter(|d| !d.unlink && !found.contains(d.table.as_str()))
                .map(|d| d.table.as_str())
                .filter(|table| {
                    self.table(table)
                        .foreign
                        .iter()
                        .any(|f| f.parent == class.table || found.contains(f.parent.as_str()))
                })
                .collect();
            if more.is_empty() {
                return found;
            }
            found.extend(more);
        }
    }

    /// The declared tables to whose rows the record itself refers.
    pub fn outgoing<'c>(&self, class: &'c Class) -> BTreeSet<&'c str> {
        let inbound = self.inbound(class);
        let own = &self.table(&class.table).foreign;
        let Some(rule) = class.dispose() else {
            return BTreeSet::new();
        };
        rule.dependants
            .iter()
            .filter(|d| !d.unlink && !inbound.contains(d.table.as_str()))
            .map(|d| d.table.as_str())
            .filter(|table| own.iter().any(|f| f.parent == *table && f.both_ways()))
            .collect()
    }

    /// Whether a class names a reference as one to its record or a row that goes with it: every
    /// class that names a table as a dependant names all that lead from there to its other tables.
    pub fn names_down(&self, class: &Class, from: &Table, foreign: &Foreign) -> bool {
        let declared = class.dispose().map_or(&[][..], |rule| &rule.dependants);
        let to = foreign.parent.as_str();
        declared.iter().any(|d| d.table == from.name)
            && (to == class.table || self.inbound(class).contains(to))
    }

    /// Whether it names one from these to a row that they share.
    pub fn names_up(&self, class: &Class, from: &Table, foreign: &Foreign) -> bool {
        self.outgoing(class).contains(foreign.parent.as_str())
            && (from.name == class.table || self.inbound(class).contains(from.name.as_str()))
            && foreign.both_ways()
    }

    /// Whether a reference is one: PostgreSQL's, or that of a class.
    pub fn knows(&self, from: &Table, foreign: &Foreign) -> bool {
        let named =
            |class| self.names_down(class, from, foreign) || self.names_up(class, from, foreign);
        !foreign.loose || self.classes.iter().any(named)
    }

    /// The foreign key that leads to a trigger's row, and the column there; `None` for one's own.
    pub fn related<'t>(&self, table: &'t Table, column: &'t str) -> Option<(&'t Foreign, &'t str)> {
        let (parent, column) = column.split_once('.')?;
        let mut keys = table.foreign.iter().filter(|f| !f.loose);
        let foreign = keys.find(|f| f.parent == parent)?;
        Some((foreign, column))
    }

    /// Whether a trigger has exactly one place to be read from.
    fn reaches(&self, table: &Table, column: &str) -> bool {
        match column.split_once('.') {
            None => table.has(column),
            Some((parent, column)) => {
                let keys = table.foreign.iter();
                let keys = keys.filter(|f| f.parent == parent && !f.loose);
                keys.count() == 1 && self.table(parent).has(column)
            }
        }
    }

    /// Whether, and why, the class does not fit this database.
    pub fn refusal(&self, class: &Class) -> Option<Refusal> {
        let table = self.table(&class.table);
        let fits = |c: &Condition| c.columns().iter().all(|column| table.has(column));
        if !class.claim.as_ref().is_none_or(fits) {
            return Some(Refusal::Claim);
        }
        let rule = class.dispose()?;
        if !rule.or_when.as_ref().is_none_or(fits) {
            return Some(Refusal::Trigger);
        }
        if !rule.unless_active.iter().all(|column| table.has(column)) {
            return Some(Refusal::Trigger);
        }
        if let Trigger::Columns(list) = &rule.trigger {
            let good = |(column, when): &(String, Option<Condition>)| {
                self.reaches(table, column) && when.as_ref().is_none_or(fits)
            };
            if !list.iter().all(good) {
                return Some(Refusal::Trigger);
            }
        }
        let mut deleted = self.inbound(class);
        if rule.disposal == Disposal::Delete {
            deleted.insert(&class.table);
        }
        let undeclared = self.tables.iter().any(|table| {
            table
                .foreign
                .iter()
                .any(|f| deleted.contains(f.parent.as_str()) && self.knows(table, f))
                && !rule.dependants.iter().any(|d| d.table == table.name)
        });
        undeclared.then_some(Refusal::Undeclared)
    }
}
