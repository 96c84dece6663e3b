//! The judgement: for one row and one class, what the rules say today.
//!
//! Everything is recomputed from the rows each time it is asked. Where the rules'
//! page leaves a *count* open, [`Reading`] names the readings, and a count is the
//! [`super::counts::Span`] between them; what goes and what stays is never open in this way.
//!
//! On a tie of last days the mildest disposal governs, then the class whose id comes first:
//! never the order of the file, which the schedule's digest does not cover.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;

use super::calendar::{Day, date};
use super::value::{Value, anonymised};
use super::world::{Class, Disposal, Dispose, Gate, Refusal, Row, RowId, Rule, Trigger, World};

/// The rows as they are now, and what was recorded about them.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    pub rows: BTreeMap<RowId, Row>,
    /// By row and class: the trigger day and the last day that were recorded.
    pub flags: BTreeMap<(RowId, String), (Day, Day)>,
}

impl State {
    pub fn of(world: &World) -> Self {
        let rows = world.tables.iter().flat_map(|table| {
            table
                .rows
                .iter()
                .map(|row| (table.id(row), row.clone()))
                .collect::<Vec<_>>()
        });
        Self {
            rows: rows.collect(),
            flags: BTreeMap::new(),
        }
    }
}

/// How a sentence that the rules leave open is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// Something that has no last day but protects (a refused class, a `retain`, a minimum
    /// without a usable trigger) leaves the row ungoverned. Only `done` depends on it.
    pub blocker_governs: bool,
    /// A maximum whose claim is only unknown can be in conflict. Only `conflict` depends on it.
    pub unknown_conflicts: bool,
}

impl Reading {
    pub fn all() -> Vec<Self> {
        (0..4)
            .map(|bits| Self {
                blocker_governs: bits & 1 != 0,
                unknown_conflicts: bits & 2 != 0,
            })
            .collect()
    }
}

/// Where a row stands that a class claims and whose period is over. In the order of judgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    Done,
    Held,
    Conflict,
    Waiting,
    RetainedByOther,
    Due,
}

/// A claim that is not FALSE.
#[derive(Debug, Clone)]
pub struct Claim<'w> {
    pub class: &'w Class,
    /// Position in the file.
    pub place: usize,
    /// TRUE; otherwise unknown.
    pub certain: bool,
    pub refused: bool,
    pub trigger: Option<Day>,
    pub last_day: Option<Day>,
    /// Its trigger is a plausible one, and its period is over.
    pub past: bool,
    /// The row already shows the disposal of this class.
    pub done: bool,
}

impl Claim<'_> {
    /// A rule that takes part in the comparison of last days.
    fn rule(&self) -> Option<&Dispose> {
        if self.refused {
            None
        } else {
            self.class.dispose()
        }
    }

    fn minimum(&self) -> bool {
        self.rule().is_some_and(|rule| !rule.maximum)
    }

    fn maximum(&self) -> bool {
        self.rule().is_some_and(|rule| rule.maximum)
    }

    /// Has a trigger that is not implausible (it may lie in the future).
    fn usable(&self) -> bool {
        self.trigger.is_some_and(|day| day >= plausible())
    }

    fn severity(&self) -> u8 {
        self.rule().map_or(0, |rule| rule.disposal.severity())
    }
}

/// Triggers before this day are sentinels.
pub fn plausible() -> Day {
    Day::On(date(1990, 1, 1))
}

/// What rules 1 to 4 say about one row, its own claims alone.
#[derive(Debug, Clone)]
pub struct Own {
    /// Rules 1-4 let it go; gates and holds aside.
    pub lets_go: bool,
    pub gated: bool,
    pub conflict: bool,
    /// The position in the file of the governing class.
    pub governs: Option<usize>,
}

/// The rows that go with a record, or are changed by its going.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Family {
    /// Rows that refer to it, however deep: deleted before it.
    pub deleted: BTreeSet<RowId>,
    /// Rows that it, or a row that goes with it, refers to: deleted after the last row
    /// that refers to them.
    pub shared: BTreeSet<RowId>,
    /// Rows that stay, with the position of the foreign key that becomes NULL.
    pub unlinked: BTreeSet<(RowId, usize)>,
}

/// A state, seen on a day under one reading.
pub struct View<'w> {
    pub world: &'w World,
    pub state: &'w State,
    pub today: NaiveDate,
    pub reading: Reading,
    children: BTreeMap<RowId, Vec<(RowId, usize)>>,
    held: BTreeSet<RowId>,
    refusals: Vec<Option<Refusal>>,
}

impl<'w> View<'w> {
    pub fn new(world: &'w World, state: &'w State, today: NaiveDate, reading: Reading) -> Self {
        let mut children: BTreeMap<RowId, Vec<(RowId, usize)>> = BTreeMap::new();
        for (id, row) in &state.rows {
            for (position, foreign) in world.table(&id.table).foreign.iter().enumerate() {
                if let Some(target) = foreign.target(row) {
                    children
                        .entry(target)
                        .or_default()
                        .push((id.clone(), position));
                }
            }
        }
        let open = world
            .holds
            .iter()
            .filter(|hold| hold.until.is_none_or(|day| day >= today));
        let held = open
            .map(|h| RowId {
                table: h.table.clone(),
                key: h.key.clone(),
            })
            .collect();
        Self {
            world,
            state,
            today,
            reading,
            children,
            held,
            refusals: world
                .classes
                .iter()
                .map(|class| world.refusal(class))
                .collect(),
        }
    }

    /// The rows that refer to a row, each with the position of its foreign key.
    pub fn referrers(&self, id: &RowId) -> &[(RowId, usize)] {
        self.children.get(id).map_or(&[], Vec::as_slice)
    }

    /// Every claim on a row that is not FALSE, in file order.
    pub fn claims(&self, id: &RowId) -> Vec<Claim<'w>> {
        let row = &self.state.rows[id];
        let classes = self.world.classes.iter().enumerate();
        classes
            .filter(|(_, class)| class.table == id.table)
            .filter_map(|(place, class)| self.claim(place, class, id, row))
            .collect()
    }

    fn claim(&self, place: usize, class: &'w Class, id: &RowId, row: &Row) -> Option<Claim<'w>> {
        let refusal = self.refusals[place];
        let truth = match (&class.claim, refusal) {
            (_, Some(Refusal::Claim)) => None,
            (None, _) => Some(true),
            (Some(condition), _) => condition.holds(row),
        };
        if truth == Some(false) {
            return None;
        }
        let mut claim = Claim {
            class,
            place,
            certain: truth == Some(true),
            refused: refusal.is_some(),
            trigger: None,
            last_day: None,
            past: false,
            done: false,
        };
        if let (Rule::Dispose(rule), None) = (&class.rule, refusal) {
            claim.trigger = trigger(rule, row);
            claim.last_day = claim.trigger.map(|day| rule.period.last_day(day));
            claim.past =
                claim.usable() && claim.last_day.is_some_and(|l| over(rule, l, self.today));
            claim.done = match &rule.disposal {
                Disposal::Delete => false,
                Disposal::Anonymise(list) => list
                    .iter()
                    .all(|a| anonymised(&row[&a.column], &a.path, a.strategy) == row[&a.column]),
                Disposal::Flag => self
                    .state
                    .flags
                    .get(&(id.clone(), class.id.clone()))
                    .is_some_and(|(day, _)| Some(*day) == claim.trigger),
            };
        }
        Some(claim)
    }

    /// Rule 3: which class governs.
    fn governing<'c>(&self, claims: &'c [Claim<'w>]) -> Option<&'c Claim<'w>> {
        let ungoverned = |c: &Claim<'_>| {
            c.refused || c.class.dispose().is_none() || (c.minimum() && !c.usable())
        };
        if self.reading.blocker_governs && claims.iter().any(ungoverned) {
            return None;
        }
        let maximums = || claims.iter().filter(|c| c.maximum() && c.usable());
        let earliest = maximums()
            .filter(|c| !c.done)
            .min_by_key(|c| (c.last_day, c.severity(), c.class.id.as_str()));
        let latest =
            |c: &&'c Claim<'w>| (c.last_day, mild(c.severity()), Reverse(c.class.id.as_str()));
        // A maximum that is done has yielded to the next; the last has none to yield to.
        let standing = earliest.or_else(|| maximums().max_by_key(latest));
        claims
            .iter()
            .filter(|c| c.minimum() && c.usable())
            .chain(standing)
            .max_by_key(latest)
    }

    /// Rules 1 to 4 on a row's own claims. A row that nobody claims is let go.
    pub fn own(&self, claims: &[Claim<'w>]) -> Own {
        let retained = claims
            .iter()
            .any(|c| c.class.dispose().is_none() && !c.refused);
        let refused = claims.iter().any(|c| c.refused);
        let minimums_past = claims.iter().filter(|c| c.minimum()).all(|c| c.past);
        let maximums: Vec<_> = claims.iter().filter(|c| c.maximum()).collect();
        let maximum_past = maximums.is_empty() || maximums.iter().any(|c| c.past);
        let late = maximums
            .iter()
            .any(|c| c.past && !c.done && (c.certain || self.reading.unknown_conflicts));
        let governing = self.governing(claims);
        let agreed = claims.is_empty() || governing.is_some_and(|c| c.certain && c.past);
        Own {
            lets_go: !retained && !refused && minimums_past && maximum_past && agreed,
            // Every claim that is not FALSE binds its gate, also that of a refused class.
            gated: claims
                .iter()
                .filter_map(|claim| claim.class.dispose())
                .any(|rule| rule.gate != Gate::None),
            conflict: late && (retained || !minimums_past),
            governs: governing.map(|c| c.place),
        }
    }

    /// What a class would take along with a record (rule 5).
    pub fn family(&self, class: &Class, id: &RowId) -> Family {
        let mut family = Family::default();
        let Some(rule) = class.dispose() else {
            return family;
        };
        let inbound = self.world.inbound(class);
        let unlink: BTreeSet<&str> = rule
            .dependants
            .iter()
            .filter(|d| d.unlink)
            .map(|d| d.table.as_str())
            .collect();
        let mut todo = vec![id.clone()];
        while let Some(parent) = todo.pop() {
            for (child, foreign) in self.referrers(&parent) {
                if unlink.contains(child.table.as_str()) {
                    family.unlinked.insert((child.clone(), *foreign));
                } else if inbound.contains(child.table.as_str())
                    && family.deleted.insert(child.clone())
                {
                    todo.push(child.clone());
                }
            }
        }
        let outgoing = self.world.outgoing(class);
        let mut todo: Vec<RowId> = family.deleted.iter().chain([id]).cloned().collect();
        while let Some(from) = todo.pop() {
            for foreign in &self.world.table(&from.table).foreign {
                let target = foreign.target(&self.state.rows[&from]);
                if let Some(target) = target.filter(|t| outgoing.contains(t.table.as_str()))
                    && family.shared.insert(target.clone())
                {
                    todo.push(target);
                }
            }
        }
        family
    }

    /// Where a row stands for a class; `None` unless the claim is TRUE and past.
    pub fn status(&self, class: &Class, id: &RowId) -> Option<Status> {
        let claims = self.claims(id);
        let claim = claims.iter().find(|c| c.class.id == class.id)?;
        if !claim.certain || !claim.past {
            return None;
        }
        let own = self.own(&claims);
        let governs = own.governs == Some(claim.place);
        if governs && claim.done {
            return Some(Status::Done);
        }
        let family = self.family(class, id);
        let with_it: Vec<&RowId> = family.deleted.iter().chain(&family.shared).collect();
        let touched = with_it
            .iter()
            .copied()
            .chain(family.unlinked.iter().map(|(row, _)| row));
        if self.held.contains(id) || touched.into_iter().any(|row| self.held.contains(row)) {
            return Some(Status::Held);
        }
        if own.conflict {
            return Some(Status::Conflict);
        }
        let theirs: Vec<Own> = with_it
            .iter()
            .map(|row| self.own(&self.claims(row)))
            .collect();
        if own.gated || theirs.iter().any(|row| row.gated) {
            return Some(Status::Waiting);
        }
        if governs && own.lets_go && theirs.iter().all(|row| row.lets_go) {
            Some(Status::Due)
        } else {
            Some(Status::RetainedByOther)
        }
    }
}

/// On a tie the mildest disposal governs.
fn mild(severity: u8) -> u8 {
    u8::MAX - severity
}

/// Whether a period with this last day is over: a minimum the day after, a maximum on the day.
pub fn over(rule: &Dispose, last_day: Day, today: NaiveDate) -> bool {
    if rule.maximum {
        last_day <= Day::On(today)
    } else {
        last_day < Day::On(today)
    }
}

/// The day a row's period is counted from.
pub fn trigger(rule: &Dispose, row: &Row) -> Option<Day> {
    match &rule.trigger {
        Trigger::Fixed(day) => Some(Day::On(*day)),
        Trigger::Columns(list) => list
            .iter()
            .filter(|(_, when)| when.as_ref().is_none_or(|w| w.holds(row) == Some(true)))
            .map(|(column, _)| &row[column])
            .find(|value| **value != Value::Null)
            .and_then(Value::day),
    }
}
