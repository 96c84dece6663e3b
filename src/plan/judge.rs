//! `rules.md` as SQL: which class decides about a row, and what protects it.
//!
//! Every fragment is a boolean or date expression over one row of a table, under an alias,
//! that is never NULL where it decides (`IS TRUE`, `IS NOT FALSE`, guarded comparisons).
//! The counts of a plan, the statement that changes the rows, and `explain` are put
//! together from the same fragments, so that they cannot disagree about what is due.
//!
//! Three-valued logic is on the side of keeping: to dispose, a claim must be TRUE
//! ([`Judge::claims`]); to protect, it need only not be FALSE ([`Judge::may_claim`]).

use std::collections::BTreeMap;

use chrono::{Days, NaiveDate};
use chrono_tz::Tz;

use super::anonymise::is_anonymised;
use crate::catalog::{Catalog, Sort, Table};
use crate::decisions::Decisions;
use crate::ident::{ClassId, Ident, TableName, literal};
use crate::schedule::{self, Class, Disposal, Dispose, Gate, Limit, Rule, Schedule};

/// How a class that cannot act still stands before its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mute {
    /// Refused or paused; its condition can be asked.
    Claims,
    /// Refused, and its condition cannot be asked: it might claim the whole table.
    Everything,
}

/// Writes the fragments for one schedule on one database on one day.
#[derive(Clone, Copy)]
pub(super) struct Judge<'a> {
    pub schedule: &'a Schedule,
    pub catalog: &'a Catalog,
    pub decisions: &'a Decisions,
    pub today: NaiveDate,
    /// Classes that are refused or paused.
    pub mute: &'a BTreeMap<ClassId, Mute>,
    /// The version of the schedule that waits for acceptance, as it would judge.
    pub waiting: Option<&'a Judge<'a>>,
}

/// How a class takes part in judging the rows of its table.
enum Part<'a> {
    Retain,
    Mute,
    Minimum(&'a Dispose),
    Maximum(&'a Dispose),
}

impl<'a> Judge<'a> {
    /// The schedule's zone.
    pub fn zone(&self) -> Tz {
        self.schedule.time_zone()
    }

    /// The classes that take part in judging a table's rows: those that name it, and those
    /// that are refused because they name its rows by another relation (a partition, a
    /// view, a table that inherits), which may claim any of them.
    pub fn on(&self, table: &TableName) -> impl Iterator<Item = &'a Class> {
        let table = table.clone();
        let (catalog, mute) = (self.catalog, self.mute);
        self.schedule.classes().iter().filter(move |class| {
            let named = class.table();
            *named == table
                || mute.get(class.id()) == Some(&Mute::Everything)
                    && (catalog.shows(named, &table) || catalog.shows(&table, named))
        })
    }

    /// Those of them that judge by their own trigger.
    pub fn judging(&self, table: &TableName) -> impl Iterator<Item = &'a Class> {
        let mute = self.mute;
        self.on(table)
            .filter(move |class| !mute.contains_key(class.id()))
    }

    fn part(&self, class: &'a Class) -> Part<'a> {
        if self.mute.contains_key(class.id()) && class.dispose().is_some() {
            return Part::Mute;
        }
        match class.rule() {
            Rule::Retain { .. } => Part::Retain,
            Rule::Dispose(dispose) => match dispose.limit {
                Limit::Minimum => Part::Minimum(dispose),
                Limit::Maximum => Part::Maximum(dispose),
            },
        }
    }

    /// The class's condition is TRUE.
    pub fn claims(&self, class: &Class, a: &str) -> String {
        if self.mute.get(class.id()) == Some(&Mute::Everything) {
            return "FALSE".to_owned();
        }
        class
            .claim()
            .map_or_else(|| "TRUE".to_owned(), |c| format!("({}) IS TRUE", c.sql(a)))
    }

    /// The class's condition is not FALSE, or cannot be asked.
    pub fn might_claim(&self, class: &Class, a: &str) -> String {
        self.may_claim(class, a)
    }

    fn may_claim(&self, class: &Class, a: &str) -> String {
        if self.mute.get(class.id()) == Some(&Mute::Everything) {
            return "TRUE".to_owned();
        }
        class.claim().map_or_else(
            || "TRUE".to_owned(),
            |c| format!("({}) IS NOT FALSE", c.sql(a)),
        )
    }

    /// The row already shows what the class would do to it.
    pub fn done(&self, class: &Class, dispose: &Dispose, a: &str) -> String {
        let Some(table) = self.catalog.table(class.table()) else {
            return "FALSE".to_owned();
        };
        match &dispose.disposal {
            Disposal::Delete => "FALSE".to_owned(),
            Disposal::Flag => self.flagged(class, dispose, table, a, None),
            Disposal::Anonymise(columns) => all(columns
                .iter()
                .map(|c| {
                    let sort = table.column(&c.column).map_or(Sort::Other, |c| c.sort);
                    let bare = format!("{a}.{}", c.column.quoted());
                    is_anonymised(c.strategy, &bare, sort, &c.path, self.zone())
                })
                .collect()),
        }
    }

    /// The row has a flag of the class that still binds: trigger, last day and the class's
    /// digest are what they were. With `before`, it is older than that instant.
    fn flagged(
        &self,
        class: &Class,
        dispose: &Dispose,
        table: &Table,
        a: &str,
        before: Option<&str>,
    ) -> String {
        if !self.decisions.recorded() {
            return "FALSE".to_owned();
        }
        // What is past at once may have neither.
        let is = if self.may_be_regardless(class, dispose) {
            "IS NOT DISTINCT FROM"
        } else {
            "="
        };
        // With stages, the digest alone does not say which of them the flag was for.
        let last_day =
            if dispose.notice.is_some() || class.dispose().is_some_and(|d| !d.stages.is_empty()) {
                format!(" AND f.last_day {is} {}", self.last_day(class, dispose, a))
            } else {
                String::new()
            };
        let age = before.map_or_else(String::new, |instant| {
            format!(" AND f.flagged_at < TIMESTAMPTZ {}", literal(instant))
        });
        // IS TRUE, so that it is asked for each row by itself, or hashed once. As a join PostgreSQL,
        // which takes a table that was just filled for almost empty, reads all flags for each.
        format!(
            "(EXISTS (SELECT 1 FROM retentiond.flag f WHERE f.class_id = {} AND f.key = {} \
             AND f.class_digest = '\\x{}' AND f.trigger_on::text {is} {}{last_day}{age})) IS TRUE",
            literal(class.id().as_str()),
            key_array(table, a),
            hex::encode(class.digest()),
            self.trigger_told(class, dispose, a),
        )
    }

    /// The class's notice for the row is over. `step` is one of its steps.
    fn noticed(&self, class: &Class, step: &Dispose, a: &str) -> String {
        // A flag gives no warning of a flag.
        let Some(days) = step.notice.filter(|_| step.disposal != Disposal::Flag) else {
            return "TRUE".to_owned();
        };
        // Flagged on this day or earlier: `days` after it, today has come.
        let instant = self
            .today
            .checked_sub_days(Days::new(u64::from(days)))
            .and_then(|day| schedule::zone::midnight(day.succ_opt()?, self.zone()));
        let over = match (self.catalog.table(class.table()), instant) {
            (Some(table), Some(instant)) => {
                let instant = instant.format("%Y-%m-%d %H:%M:%S+00").to_string();
                self.flagged(class, step, table, a, Some(&instant))
            }
            _ => "FALSE".to_owned(),
        };
        any(vec![over, self.regardless(class, step, a)])
    }

    /// The notice of a class that may claim the row has not begun, or is not over.
    pub fn in_notice(&self, table: &TableName, a: &str) -> String {
        any(self
            .on(table)
            .filter_map(|class| match self.part(class) {
                Part::Minimum(dispose) | Part::Maximum(dispose) if dispose.notice.is_some() => {
                    let noticed =
                        self.by_step(class, dispose, a, |step| self.noticed(class, step, a));
                    Some(all(vec![self.may_claim(class, a), negated(&noticed)]))
                }
                _ => None,
            })
            .collect())
    }

    /// The row is to be flagged for the class's notice: everything but a notice lets it go,
    /// by whichever class governs. For a maximum `self` judges the day on which the notice
    /// would be over. `free` says for a class that nothing keeps what it would take along.
    pub fn notice_begins(
        &self,
        class: &Class,
        step: &Dispose,
        a: &str,
        free: impl Fn(&Class, &Dispose) -> String,
    ) -> String {
        let Some(table) = self.catalog.table(class.table()) else {
            return "FALSE".to_owned();
        };
        let released = self.released(class.table(), a, |class, rule| {
            let steps = rule.steps_on(self.today).into_iter();
            steps
                .map(|step| {
                    let undone = negated(&self.done(class, &step, a));
                    let besides = all(vec![undone, free(class, &step)]);
                    (step, besides)
                })
                .collect()
        });
        // Also where the row shows what this class would do: its notice binds whichever class
        // acts, and without the flag it would never be over.
        all(vec![
            released,
            negated(&self.flagged(class, step, table, a, None)),
            negated(&self.regardless(class, step, a)),
        ])
    }

    /// Its own classes do not let a dependant's row go, in this version of the schedule or in
    /// the one that waits; `None` where no class is on the table.
    pub fn protected(&self, table: &TableName, a: &str) -> Option<String> {
        let here = self.protected_here(table, a);
        let there = self
            .waiting
            .and_then(|judge| judge.protected_here(table, a));
        match (here, there) {
            (Some(here), Some(there)) => Some(any(vec![here, there])),
            (here, there) => here.or(there),
        }
    }

    fn protected_here(&self, table: &TableName, a: &str) -> Option<String> {
        let classes: Vec<&Class> = self.on(table).collect();
        if classes.is_empty() {
            return None;
        }
        let unclaimed = all(classes
            .iter()
            .map(|c| format!("NOT ({})", self.may_claim(c, a)))
            .collect());
        // It would go altogether, whatever its own disposal: a class with stages has to have
        // come to its last.
        let released = self.released(table, a, |_, rule| {
            // What shows its disposal already may still go with its parent.
            let last = rule.steps_on(self.today).pop();
            last.map(|step| (step, "TRUE".to_owned()))
                .into_iter()
                .collect()
        });
        Some(format!("NOT ({})", any(vec![unclaimed, released])))
    }

    /// Rules 1 to 4 let the row go under one of its classes, by one of those of its steps that
    /// `steps` names, each with what else must be true then.
    fn released(
        &self,
        table: &TableName,
        a: &str,
        steps: impl Fn(&Class, &Dispose) -> Vec<(Dispose, String)>,
    ) -> String {
        any(self
            .on(table)
            .flat_map(|class| {
                let (Part::Minimum(dispose) | Part::Maximum(dispose)) = self.part(class) else {
                    return Vec::new();
                };
                steps(class, dispose)
                    .into_iter()
                    .map(|(step, besides)| {
                        all(vec![
                            self.claims(class, a),
                            self.past(class, &step, a),
                            self.let_go(class, &step, a),
                            self.governs(class, a),
                            negated(&self.active(table, a)),
                            besides,
                        ])
                    })
                    .collect()
            })
            .collect())
    }

    /// Rules 1, 2, 4 and 6 for a row that `class` claims and for which it is past: no other
    /// class on the table protects it from what `step`, one of the class's, does.
    pub fn let_go(&self, class: &Class, step: &Dispose, a: &str) -> String {
        let severity = step.disposal.severity();
        let mut conditions = Vec::new();
        // Without stages whatever is in conflict is kept by what follows.
        let staged = |class: &Class| class.dispose().is_some_and(|rule| !rule.stages.is_empty());
        if self.on(class.table()).any(staged) {
            conditions.push(negated(&self.conflict(class.table(), a)));
        }
        let own_is_maximum = matches!(self.part(class), Part::Maximum(_));
        let (mut no_maximum, mut past_maximum) = (Vec::new(), Vec::new());
        for other in self.on(class.table()) {
            if other.id() == class.id() {
                continue;
            }
            let may = self.may_claim(other, a);
            match self.part(other) {
                Part::Retain | Part::Mute => conditions.push(format!("NOT ({may})")),
                Part::Minimum(dispose) => {
                    conditions.push(format!(
                        "NOT ({may} AND NOT ({}))",
                        self.permits(other, dispose, severity, a)
                    ));
                }
                Part::Maximum(dispose) => {
                    no_maximum.push(format!("NOT ({may})"));
                    past_maximum.push(format!(
                        "({may} AND ({}))",
                        self.permits(other, dispose, severity, a)
                    ));
                }
            }
        }
        if !own_is_maximum && !no_maximum.is_empty() {
            past_maximum.push(format!("({})", all(no_maximum)));
            conditions.push(format!("({})", past_maximum.join(" OR ")));
        }
        all(conditions)
    }

    /// Rule 3: among the minimums and the earliest maximum, this class has the latest
    /// last day, or the mildest disposal of those that have it. Holds only for rows that
    /// [`Judge::let_go`] lets go.
    pub fn governs(&self, class: &Class, a: &str) -> String {
        let (own, own_is_maximum) = match self.part(class) {
            Part::Minimum(dispose) => (dispose, false),
            Part::Maximum(dispose) => (dispose, true),
            Part::Retain | Part::Mute => return "FALSE".to_owned(),
        };
        let mut conditions = Vec::new();
        if own_is_maximum {
            conditions.push(negated(&self.yields(class, own, a)));
        }
        for other in self.on(class.table()) {
            if other.id() == class.id() {
                continue;
            }
            match self.part(other) {
                Part::Minimum(dispose) => {
                    let later = self.later((other, dispose), (class, own), a);
                    conditions.push(format!("NOT ({} AND {later})", self.may_claim(other, a)));
                }
                Part::Maximum(dispose) if own_is_maximum => {
                    let earlier = self.earlier((other, dispose), (class, own), a);
                    conditions.push(format!(
                        "NOT ({} AND {earlier})",
                        self.contends(other, dispose, a)
                    ));
                }
                Part::Maximum(dispose) => {
                    let later = self.later((other, dispose), (class, own), a);
                    let mut first = vec![self.contends(other, dispose, a)];
                    for third in self.on(class.table()) {
                        if let Part::Maximum(third_dispose) = self.part(third)
                            && third.id() != other.id()
                        {
                            first.push(format!(
                                "NOT ({} AND {})",
                                self.contends(third, third_dispose, a),
                                self.earlier((third, third_dispose), (other, dispose), a)
                            ));
                        }
                    }
                    first.push(later);
                    conditions.push(format!("NOT ({})", first.join(" AND ")));
                }
                Part::Retain | Part::Mute => {}
            }
        }
        all(conditions)
    }

    /// A maximum takes part unless it has yielded.
    fn contends(&self, class: &Class, dispose: &Dispose, a: &str) -> String {
        let may = self.may_claim(class, a);
        match &self.yields(class, dispose, a)[..] {
            "FALSE" => may,
            yields => format!("({may} AND NOT ({yields}))"),
        }
    }

    /// A maximum whose disposal the row already shows yields to the next one: to any that
    /// is not done, or that is done as well and later. The last of them has none to yield
    /// to and stands, so that a shorter minimum is never a second step.
    fn yields(&self, class: &Class, dispose: &Dispose, a: &str) -> String {
        let done = self.done(class, dispose, a);
        let next = self
            .on(class.table())
            .filter(|other| other.id() != class.id())
            .filter_map(|other| match self.part(other) {
                Part::Maximum(rule) => Some((other, rule)),
                Part::Minimum(_) | Part::Retain | Part::Mute => None,
            })
            .map(|(other, rule)| {
                let open = negated(&self.done(other, rule, a));
                let dated = format!("({}) IS NOT NULL", self.rank(other, rule, a));
                let next = any(vec![
                    all(vec![dated, open]),
                    self.later((other, rule), (class, dispose), a),
                ]);
                all(vec![self.may_claim(other, a), next])
            })
            .collect();
        all(vec![done, any(next)])
    }

    /// `left` has a later last day than `right`, or is preferred on a tie.
    fn later(&self, left: (&Class, &Dispose), right: (&Class, &Dispose), a: &str) -> String {
        let (l, r) = (self.rank(left.0, left.1, a), self.rank(right.0, right.1, a));
        let op = if preferred(left, right) { ">=" } else { ">" };
        format!("(({l}) {op} ({r})) IS TRUE")
    }

    /// `left` has an earlier last day than `right`, or is preferred on a tie.
    fn earlier(&self, left: (&Class, &Dispose), right: (&Class, &Dispose), a: &str) -> String {
        let (l, r) = (self.rank(left.0, left.1, a), self.rank(right.0, right.1, a));
        let op = if preferred(left, right) { "<=" } else { "<" };
        format!("(({l}) {op} ({r})) IS TRUE")
    }

    /// A maximum is past for the row while a minimum is not, or while a class retains it.
    pub fn conflict(&self, table: &TableName, a: &str) -> String {
        // By the severity of what the maximum asks for, since a class with stages may refuse
        // one thing and permit another.
        let mut maximums: BTreeMap<u8, Vec<String>> = BTreeMap::new();
        for class in self.on(table) {
            let Part::Maximum(dispose) = self.part(class) else {
                continue;
            };
            for step in dispose.steps_on(self.today) {
                // One that is done already asks for nothing that a keeper refuses.
                let asks = all(vec![
                    self.may_claim(class, a),
                    negated(&self.done(class, &step, a)),
                    self.past(class, &step, a),
                ]);
                maximums
                    .entry(step.disposal.severity())
                    .or_default()
                    .push(asks);
            }
        }
        let keepers = |severity: u8| {
            let keepers: Vec<String> = self
                .on(table)
                .filter_map(|class| {
                    let may = self.may_claim(class, a);
                    match self.part(class) {
                        Part::Retain => Some(may),
                        Part::Minimum(dispose) => Some(format!(
                            "({may} AND NOT ({}))",
                            self.permits(class, dispose, severity, a)
                        )),
                        Part::Maximum(_) | Part::Mute => None,
                    }
                })
                .collect();
            keepers
        };
        any(maximums
            .into_iter()
            .map(|(severity, maximums)| {
                let keepers = keepers(severity);
                if keepers.is_empty() {
                    "FALSE".to_owned()
                } else {
                    format!("({}) AND ({})", any(maximums), any(keepers))
                }
            })
            .collect())
    }

    /// A class that may claim the row keeps it because somebody has worked with it since.
    pub fn active(&self, table: &TableName, a: &str) -> String {
        any(self
            .on(table)
            .filter_map(|class| match self.part(class) {
                Part::Minimum(dispose) | Part::Maximum(dispose) => {
                    let touched = self.touched(class, dispose, a);
                    Some(all(vec![self.may_claim(class, a), touched]))
                }
                Part::Retain | Part::Mute => None,
            })
            .collect())
    }

    /// A closed gate of any class that may claim the row.
    pub fn gated(&self, table: &TableName, a: &str) -> String {
        let here = self.on(table).map(|class| self.gate_holds(class, a));
        let there = self.waiting.map(|judge| judge.gated(table, a));
        any(here.chain(there).collect())
    }

    /// The gate of a class that may claim the row keeps it.
    pub fn gate_holds(&self, class: &Class, a: &str) -> String {
        match class.dispose().map(|dispose| (dispose, dispose.gate)) {
            Some((dispose, Gate::Review)) => {
                let approved =
                    self.by_step(class, dispose, a, |step| self.approved(class, step, a));
                all(vec![self.may_claim(class, a), negated(&approved)])
            }
            Some((_, Gate::Instruction)) if !self.decisions.instructed(class.id()) => {
                self.may_claim(class, a)
            }
            _ => "FALSE".to_owned(),
        }
    }

    /// As many people as the class asks for have approved the row, and its trigger, its last
    /// day and what the class means are what they approved.
    pub fn approved(&self, class: &Class, step: &Dispose, a: &str) -> String {
        let Some(table) = self.catalog.table(class.table()) else {
            return "FALSE".to_owned();
        };
        if !self.decisions.recorded() {
            return "FALSE".to_owned();
        }
        let binding = format!(
            "retentiond.approval p WHERE p.class_id = {} AND p.key = {} AND {}",
            literal(class.id().as_str()),
            key_array(table, a),
            self.approval_binds(class, step, a),
        );
        match class.dispose().map_or(1, |own| own.approvals) {
            // As with flags: no join.
            0 | 1 => format!("(EXISTS (SELECT 1 FROM {binding})) IS TRUE"),
            several => {
                format!("(SELECT count(DISTINCT p.approved_by) FROM {binding}) >= {several}")
            }
        }
    }

    /// The approval `p` of the row counts still.
    pub fn approval_binds(&self, class: &Class, step: &Dispose, a: &str) -> String {
        format!(
            "p.run_id IS NULL AND p.voided_at IS NULL AND p.class_digest = '\\x{}' \
             AND p.trigger_on::text IS NOT DISTINCT FROM {} AND p.last_day IS NOT DISTINCT FROM {}",
            hex::encode(class.digest()),
            self.trigger_told(class, step, a),
            self.last_day(class, step, a),
        )
    }

    /// Whether everything of the class waits for a person.
    pub fn gate_closed(&self, class: &Class) -> bool {
        class.dispose().is_some_and(|dispose| {
            dispose.gate == Gate::Instruction && !self.decisions.instructed(class.id())
        })
    }

    /// The row failed by itself before.
    pub fn quarantined(&self, class: &Class, table: &Table, a: &str) -> String {
        if !self.decisions.recorded() {
            return "FALSE".to_owned();
        }
        format!(
            "(({}) IN (SELECT q.key FROM retentiond.quarantine q WHERE q.class_id = {})) IS TRUE",
            key_array(table, a),
            literal(class.id().as_str())
        )
    }
}

/// On a tie of last days the mildest disposal comes first, then the ids' order: the order of
/// the file must not matter, since the schedule's digest does not cover it.
fn preferred(left: (&Class, &Dispose), right: (&Class, &Dispose)) -> bool {
    (left.1.disposal.severity(), left.0.id()) < (right.1.disposal.severity(), right.0.id())
}

/// Not it.
pub(super) fn negated(condition: &str) -> String {
    match condition {
        "FALSE" => "TRUE".to_owned(),
        "TRUE" => "FALSE".to_owned(),
        other => format!("NOT ({other})"),
    }
}

/// All of them; TRUE when there is none.
pub(super) fn all(conditions: Vec<String>) -> String {
    let conditions: Vec<String> = conditions.into_iter().filter(|c| c != "TRUE").collect();
    if conditions.iter().any(|c| c == "FALSE") {
        return "FALSE".to_owned();
    }
    match conditions.len() {
        0 => "TRUE".to_owned(),
        _ => conditions
            .iter()
            .map(|c| format!("({c})"))
            .collect::<Vec<_>>()
            .join(" AND "),
    }
}

/// Any of them; FALSE when there is none.
pub(super) fn any(conditions: Vec<String>) -> String {
    let conditions: Vec<String> = conditions.into_iter().filter(|c| c != "FALSE").collect();
    if conditions.iter().any(|c| c == "TRUE") {
        return "TRUE".to_owned();
    }
    match conditions.len() {
        0 => "FALSE".to_owned(),
        _ => conditions
            .iter()
            .map(|c| format!("({c})"))
            .collect::<Vec<_>>()
            .join(" OR "),
    }
}

/// A record's key as our own tables write it: the primary key's columns as text.
pub(super) fn key_array(table: &Table, a: &str) -> String {
    let columns: Vec<String> = table
        .key
        .iter()
        .map(|column| format!("{a}.{}::text", column.quoted()))
        .collect();
    format!("ARRAY[{}]", columns.join(", "))
}

pub(super) fn columns(names: &[Ident], a: &str) -> String {
    names
        .iter()
        .map(|name| format!("{a}.{}", name.quoted()))
        .collect::<Vec<_>>()
        .join(", ")
}

pub(super) fn equal(left: &[Ident], l: &str, right: &[Ident], r: &str) -> String {
    left.iter()
        .zip(right)
        .map(|(left, right)| format!("{l}.{} = {r}.{}", left.quoted(), right.quoted()))
        .collect::<Vec<_>>()
        .join(" AND ")
}
