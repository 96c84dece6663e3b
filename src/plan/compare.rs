//! Two versions of a schedule before the same rows: what a change would do, record by
//! record, before it is made.
//!
//! For each table that a class of either version names there is one statement. It judges
//! every row twice, by the very expression that each version's plan counts by
//! ([`super::question`]), and groups by both verdicts. So a record that leaves one class
//! and enters another is seen as what it is, and not as one more here and one fewer there.
//! A class that is refused under a version protects there, as ever.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use super::fit::Fit;
use super::judge::{Judge, Mute, any, negated};
use super::question::{going_along, state};
use super::{fits, mutes, mutes_before};
use crate::catalog::{Catalog, Table};
use crate::decisions::Decisions;
use crate::ident::{ClassId, TableName, literal};
use crate::schedule::{Class, Disposal, Dispose, Schedule};

/// One of the two versions, on the database as it was asked for this version's conditions.
#[derive(Debug, Clone, Copy)]
pub struct Version<'a> {
    /// What it says.
    pub schedule: &'a Schedule,
    /// What the database has.
    pub catalog: &'a Catalog,
    /// The day, in its zone.
    pub on: NaiveDate,
}

/// The questions whose answers tell two versions apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// Each statement answers rows of five: the class under which records are due by the old
    /// version and the number of the step that they are at ([`class_and_step`]), or NULL; how
    /// they stand by it otherwise ([`Undue::of`]), or NULL; the same
    /// two by the new version; and how many records. None that is due by neither is counted.
    pub records: Vec<Difference>,
    /// Each statement answers one row of three numbers: the rows that would go with due
    /// records only by the new version, only by the old one, and by both.
    pub dependants: Vec<Difference>,
}

/// The question about one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The table.
    pub table: TableName,
    /// The statement.
    pub sql: String,
}

/// How a record stands that is not due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Undue {
    /// Past, and a hold protects it.
    Held,
    /// Past under a maximum, and another class keeps it.
    Conflict,
    /// Past, and waits for a person.
    Waiting,
    /// Past, and touched after its trigger.
    Active,
    /// Past, and failed by itself before.
    Quarantined,
    /// The disposal was carried out.
    Done,
    /// No class may claim it.
    Unclaimed,
    /// A class that may claim it keeps it.
    Kept,
}

impl Undue {
    /// Every standing with its word, those that explain more before those that explain less.
    const ALL: [(Self, &'static str); 8] = [
        (Self::Held, "held"),
        (Self::Conflict, "conflict"),
        (Self::Waiting, "waiting"),
        (Self::Active, "active"),
        (Self::Quarantined, "quarantined"),
        (Self::Done, "done"),
        (Self::Unclaimed, "unclaimed"),
        (Self::Kept, "kept"),
    ];

    /// Its word.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(standing, _)| *standing == self)
            .map_or("kept", |(_, word)| word)
    }

    /// What a word of the answer says.
    #[must_use]
    pub fn of(word: &str) -> Self {
        Self::ALL
            .iter()
            .find(|(_, name)| *name == word)
            .map_or(Self::Kept, |(standing, _)| *standing)
    }
}

/// Stands between a class's id and the number of its step.
const BETWEEN: char = '/';

/// Takes the answer about a due record apart: its class's id, and which of
/// [`Dispose::steps`] it is at.
#[must_use]
pub fn class_and_step(answer: &str) -> Option<(ClassId, usize)> {
    let (class, step) = answer.rsplit_once(BETWEEN)?;
    Some((ClassId::new(class)?, step.parse().ok()?))
}

/// Writes the questions that compare two versions.
#[must_use]
pub fn compare(old: Version<'_>, new: Version<'_>, decisions: &Decisions) -> Comparison {
    let (old, new) = (Bench::new(old, decisions), Bench::new(new, decisions));
    let mut names: Vec<&TableName> = Vec::new();
    for class in new.acting().chain(old.acting()) {
        if !names.contains(&class.class.table()) {
            names.push(class.class.table());
        }
    }
    let records = names
        .into_iter()
        .map(|table| Difference {
            table: table.clone(),
            sql: records(&old, &new, table),
        })
        .collect();
    let (before, after) = (old.going(), new.going());
    let mut tables: Vec<&TableName> = before.keys().chain(after.keys()).collect();
    tables.sort();
    tables.dedup();
    let goes = |going: &BTreeMap<TableName, Vec<String>>, table: &TableName| {
        any(going.get(table).cloned().unwrap_or_default())
    };
    let dependants = tables
        .into_iter()
        .map(|table| Difference {
            table: table.clone(),
            sql: format!(
                "SELECT count(*) FILTER (WHERE n AND NOT o), count(*) FILTER (WHERE o AND NOT n), \
                 count(*) FILTER (WHERE o AND n) FROM (SELECT {} AS o, {} AS n FROM {} AS t OFFSET 0) q",
                goes(&before, table),
                goes(&after, table),
                table.quoted(),
            ),
        })
        .collect();
    Comparison {
        records,
        dependants,
    }
}

fn records(old: &Bench<'_>, new: &Bench<'_>, table: &TableName) -> String {
    let mut states = Vec::new();
    let mut verdicts = Vec::new();
    for (bench, side) in [(old, "o"), (new, "n")] {
        let mut due = String::new();
        let mut words = Vec::new();
        for (nth, class) in bench
            .acting()
            .filter(|class| class.class.table() == table)
            .enumerate()
        {
            let name = format!("{side}{nth}");
            states.push(format!("{} AS {name}", class.state()));
            // At most one class governs a record.
            due.push_str(&format!(
                " WHEN {name} = 'due' THEN {} || {name}_step",
                literal(&format!("{}{BETWEEN}", class.class.id()))
            ));
            states.push(format!("{} AS {name}_step", class.step()));
            words.push(name);
        }
        let base = bench.judge(&bench.mute);
        let claimed = base.on(table).map(|class| base.might_claim(class, "t"));
        states.push(format!(
            "{} AS {side}_unclaimed",
            negated(&any(claimed.collect()))
        ));
        let otherwise: String = Undue::ALL
            .iter()
            .filter_map(|(standing, word)| {
                let condition = match standing {
                    Undue::Kept => return None,
                    Undue::Waiting if !words.is_empty() => {
                        format!("'{word}' IN ({0}) OR 'noticed' IN ({0})", words.join(", "))
                    }
                    Undue::Unclaimed => format!("{side}_unclaimed"),
                    _ if words.is_empty() => return None,
                    _ => format!("'{word}' IN ({})", words.join(", ")),
                };
                Some(format!(" WHEN {condition} THEN '{word}'"))
            })
            .collect();
        let (due, is_due) = if words.is_empty() {
            ("NULL::text".to_owned(), String::new())
        } else {
            let is_due = format!(" WHEN 'due' IN ({}) THEN NULL", words.join(", "));
            (format!("CASE{due} END"), is_due)
        };
        verdicts.push(format!(
            "{due} AS {side}, CASE{is_due}{otherwise} ELSE '{}' END AS {side}_otherwise",
            Undue::Kept.name()
        ));
    }
    format!(
        // OFFSET 0 keeps a state from being reckoned anew wherever it is named.
        "SELECT o, o_otherwise, n, n_otherwise, count(*) FROM (SELECT {} FROM (SELECT {} FROM {} AS t OFFSET 0) s) v \
         WHERE o IS NOT NULL OR n IS NOT NULL GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4",
        verdicts.join(", "),
        states.join(", "),
        table.quoted(),
    )
}

/// A version with what was found about each of its classes.
struct Bench<'a> {
    version: Version<'a>,
    decisions: &'a Decisions,
    fits: Vec<Fit>,
    mute: BTreeMap<ClassId, Mute>,
}

/// A class that fits the database and disposes.
struct Acting<'a> {
    bench: &'a Bench<'a>,
    class: &'a Class,
    dispose: &'a Dispose,
    fit: &'a Fit,
    table: &'a Table,
    mute: BTreeMap<ClassId, Mute>,
}

impl<'a> Bench<'a> {
    fn new(version: Version<'a>, decisions: &'a Decisions) -> Self {
        let fits = fits(
            version.schedule,
            version.catalog,
            &super::link::known(version.schedule, version.catalog),
        );
        let mute = mutes(version.schedule, decisions, &fits);
        Self {
            version,
            decisions,
            fits,
            mute,
        }
    }

    fn judge<'b>(&'b self, mute: &'b BTreeMap<ClassId, Mute>) -> Judge<'b> {
        Judge {
            schedule: self.version.schedule,
            catalog: self.version.catalog,
            decisions: self.decisions,
            today: self.version.on,
            mute,
            waiting: None,
        }
    }

    fn acting(&'a self) -> impl Iterator<Item = Acting<'a>> {
        let classes = self.version.schedule.classes().iter().zip(&self.fits);
        classes.filter_map(move |(class, fit)| {
            let (table, dispose) = (self.version.catalog.table(class.table())?, class.dispose()?);
            fit.refusals.is_empty().then(|| Acting {
                bench: self,
                class,
                dispose,
                fit,
                table,
                mute: mutes_before(&self.mute, class, fit),
            })
        })
    }

    /// By table, the conditions on which a row `t` of it goes with a due record.
    fn going(&self) -> BTreeMap<TableName, Vec<String>> {
        let mut going: BTreeMap<TableName, Vec<String>> = BTreeMap::new();
        for acting in self.acting() {
            if self.decisions.paused(acting.class.id()) {
                continue;
            }
            let along = going_along(
                &self.judge(&acting.mute),
                acting.class,
                acting.dispose,
                &acting.fit.relations,
                acting.table,
                matches!(acting.dispose.disposal, Disposal::Delete),
            );
            for (table, goes) in along {
                going
                    .entry(table)
                    .or_default()
                    .push(format!("({goes}) IS TRUE"));
            }
        }
        going
    }
}

impl Acting<'_> {
    /// The state of a row `t`, NULL where the class does not claim it or it is not past.
    fn state(&self) -> String {
        let judge = self.bench.judge(&self.mute);
        format!(
            "CASE WHEN {} THEN {} END",
            judge.claims(self.class, "t"),
            state(
                &judge,
                self.class,
                self.dispose,
                &self.fit.relations,
                self.table
            )
        )
    }

    /// The number of the step that a past row `t` is at, as text.
    fn step(&self) -> String {
        if self.dispose.stages.is_empty() {
            return "'0'".to_owned();
        }
        let judge = self.bench.judge(&self.mute);
        let steps = self.dispose.steps_on(self.bench.version.on);
        let whens: String = steps
            .iter()
            .enumerate()
            .map(|(nth, step)| format!(" WHEN {} THEN '{nth}'", judge.past(self.class, step, "t")))
            .collect();
        format!("CASE{whens} END")
    }
}
