//! The judgement: for one row and one class, what the rules say today.
//!
//! Everything is recomputed from the rows each time it is asked. Where the rules'
//! page leaves a *count* open, [`Reading`] names the readings, and a count is the
//! [`super::counts::Span`] between them; what goes and what stays is never open in this way.
//!
//! **Stages** (rule 6). A staged class has several last days. What the page says of it on a
//! day, and what is read into it here:
//! - What it does is its latest past stage's disposal, and what is recorded and bound (entry,
//!   flag) is that stage's last day. Before its first stage is past it is not past, and so
//!   protects against everything, like any other.
//! - "It permits the mildest disposals up to that of its latest past stage, and protects
//!   against severer ones": rule 2's "all minimum claims must be past" is asked about a
//!   disposal, and a staged claim is past for the disposals up to that of its latest past
//!   stage. A maximum whose disposal it does not permit is in conflict. Going with a parent is
//!   a deletion. Its own period is its last stage; once that is past the class is, like any
//!   other, and permits everything.
//! - Which last day is it that rule 3 compares? The page could mean the stage's or the
//!   class's own. It is the class's own here ([`Claim::end`]): "the longer one protects" is said
//!   of whole classes, and the one that keeps longest decides what is done meanwhile. Beside
//!   (anonymise after one year, delete after seven) a class that deletes after three protects
//!   the row until then; from then on the staged one governs, as the longer, and anonymises;
//!   by the stage's last day the other would govern, with a deletion that is not permitted, and
//!   the row would be neither anonymised nor deleted for four years.
//! - A staged maximum that is done at one stage still stands as it until its next is past.
//!
//! **Activity** (`unless_active`). A claim whose record was touched after its trigger day is
//! not satisfied: it stays a claim, with its last day, and while it is not FALSE its guard binds
//! whichever class governs, as its gate does (rule 3): a row that is in use is disposed of by none.
//!
//! **At once** (`or_when`). While it is TRUE the claim is past, also without a trigger, has no
//! last day, and counts as the earliest of all; its own activity guard and its own notice
//! are overridden, its gate is not. An unknown one is none. It is late only by its trigger.
//!
//! **Notice**. Every claim that is not FALSE binds its notice (rule 3), governing or not, as it
//! binds its gate, and a flag binds a class's trigger, last day and digest: so each class that
//! gives notice flags for itself. The flag comes when the row would otherwise go (for a maximum:
//! when it would go that many days later), so that the days of notice are days in which
//! nothing else keeps the row: not a hold, not a gate, not another class, be it the row's
//! or that of a row which hangs on it.
//! A maximum's flag comes so many days before its own last day, also where an earlier maximum
//! would take the row sooner: until then its notice, which binds, keeps the row.
//!
//! On a tie of last days the mildest disposal governs, then the class whose id comes first:
//! never the order of the file, which the schedule's digest does not cover.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use chrono::{Days, NaiveDate};

use super::calendar::Day;
use super::value::{Value, anonymised};
use super::world::{
    Class, Disposal, Dispose, Gate, Hold, Later, Refusal, Row, RowId, Rule, Trigger, World,
};

/// The rows as they are now, and what was recorded about them.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    pub rows: BTreeMap<RowId, Row>,
    /// By row and class.
    pub flags: BTreeMap<(RowId, String), Flag>,
    pub holds: Vec<Hold>,
}

/// What was recorded when a row was flagged, be it as a disposal or as a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flag {
    /// What is past at once may have neither.
    pub trigger: Option<Day>,
    pub last_day: Option<Day>,
    /// The day of the flag.
    pub on: NaiveDate,
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
            holds: world.holds.clone(),
        }
    }

    /// What people do on a later day before its pass; the holds of theirs that can be placed.
    pub fn then(&mut self, later: &Later) -> Vec<Hold> {
        for (id, column, value) in &later.changes {
            if let Some(row) = self.rows.get_mut(id) {
                row.insert(column.clone(), value.clone());
            }
        }
        self.holds
            .retain(|hold| !later.released.contains(&hold.row()));
        let mut placed = Vec::new();
        for hold in &later.holds {
            let there = self.rows.contains_key(&hold.row());
            if there && !self.holds.iter().any(|other| other.row() == hold.row()) {
                self.holds.push(hold.clone());
                placed.push(hold.clone());
            }
        }
        placed
    }
}

/// How a sentence that the rules leave open is read. None changes what goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// A maximum whose claim is only unknown can be in conflict.
    pub unknown_conflicts: bool,
    /// Where `active` comes among the states.
    pub active: ActivePlace,
    /// A minimum that is past and active keeps a late maximum in conflict.
    pub active_conflicts: bool,
    /// A row that another class's guard finds in use is `active` for every class.
    pub active_for_all: bool,
    /// A row whose notice has not run is waiting even if another class retains it.
    pub notice_first: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActivePlace {
    /// Before all but `done`.
    First,
    AfterHeld,
    AfterWaiting,
    /// Only where everything else would let the row go.
    Last,
}

impl Reading {
    pub fn all() -> impl Iterator<Item = Self> {
        let places = [
            ActivePlace::First,
            ActivePlace::AfterHeld,
            ActivePlace::AfterWaiting,
            ActivePlace::Last,
        ];
        places.into_iter().flat_map(|active| {
            (0..16).map(move |bits| Self {
                unknown_conflicts: bits & 1 != 0,
                active,
                active_conflicts: bits & 2 != 0,
                active_for_all: bits & 4 != 0,
                notice_first: bits & 8 != 0,
            })
        })
    }
}

/// Something that has no last day but protects (a refused class, a `retain`, a minimum without
/// a usable trigger): whether it leaves the row ungoverned. Only `done` depends on it.
pub const BLOCKER_GOVERNS: [bool; 2] = [true, false];

/// Where a row stands that a class claims and whose period is over. In the order of judgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    Done,
    Held,
    Conflict,
    Waiting,
    RetainedByOther,
    Active,
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
    /// As what it stands: the position of its latest past stage, or of its first.
    pub step: usize,
    /// Of the step.
    pub last_day: Option<Day>,
    /// The last day of the class's own period, which rule 3 compares.
    pub end: Option<Day>,
    /// Its trigger is a plausible one, and the step's period is over.
    pub past: bool,
    /// The row already shows the disposal of the step.
    pub done: bool,
    /// The record was touched after its trigger day.
    pub active: bool,
    /// It is past whatever its trigger.
    pub at_once: bool,
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
        let plausible = self.class.dispose().map(Dispose::plausible);
        self.at_once || self.trigger.is_some_and(|day| Some(day) >= plausible)
    }

    fn severity(&self) -> u8 {
        self.rule()
            .map_or(0, |rule| rule.steps()[self.step].1.severity())
    }

    /// Whether nothing of this claim is against a disposal, as far as time goes (rules 2 and 6).
    fn permits(&self, severity: u8) -> bool {
        let last = self.rule().is_some_and(|r| self.step == r.stages.len());
        self.past && (last || severity <= self.severity())
    }

    /// Whether a flag was for this trigger and this last day.
    fn bound(&self, flag: &Flag) -> bool {
        (flag.trigger, flag.last_day) == (self.trigger, self.last_day)
    }
}

/// What rules 1 to 4 say about one row, its own claims alone.
#[derive(Debug, Clone)]
pub struct Own {
    /// Rules 1-4 let it go; gates and holds aside.
    pub lets_go: bool,
    /// So they do but for its activity.
    pub lets_go_idle: bool,
    pub gated: bool,
    /// A notice that some claim binds has not been given, or has not run.
    pub noticed: bool,
    /// In conflict by a maximum whose claim is TRUE, or by any; and were an active minimum one
    /// that is not past.
    pub conflict: [[bool; 2]; 2],
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

/// A state, seen on a day.
pub struct View<'w> {
    pub world: &'w World,
    pub state: &'w State,
    pub today: NaiveDate,
    /// One of [`BLOCKER_GOVERNS`].
    pub blocker_governs: bool,
    /// As if no class asked for a notice.
    unannounced: bool,
    children: BTreeMap<RowId, Vec<(RowId, usize)>>,
    /// The references that are ones, by table and position.
    known: BTreeSet<(&'w str, usize)>,
    held: BTreeSet<RowId>,
    refusals: Vec<Option<Refusal>>,
}

impl<'w> View<'w> {
    pub fn new(
        world: &'w World,
        state: &'w State,
        today: NaiveDate,
        blocker_governs: bool,
    ) -> Self {
        let mut children: BTreeMap<RowId, Vec<(RowId, usize)>> = BTreeMap::new();
        let known: BTreeSet<(&'w str, usize)> = world
            .tables
            .iter()
            .flat_map(|table| {
                let keys = table.foreign.iter().enumerate();
                let keys = keys.filter(|(_, foreign)| world.knows(table, foreign));
                keys.map(|(position, _)| (table.name.as_str(), position))
            })
            .collect();
        for (id, row) in &state.rows {
            for (position, foreign) in world.table(&id.table).foreign.iter().enumerate() {
                if !known.contains(&(id.table.as_str(), position)) {
                    continue;
                }
                if let Some(target) = foreign.target(row) {
                    children
                        .entry(target)
                        .or_default()
                        .push((id.clone(), position));
                }
            }
        }
        let open = state
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
            blocker_governs,
            unannounced: false,
            children,
            known,
            held,
            refusals: world
                .classes
                .iter()
                .map(|class| world.refusal(class))
                .collect(),
        }
    }

    /// The same rows, holds and flags, so many days later, and nobody need be told.
    fn later(&self, days: u32) -> Self {
        Self {
            today: self.today + Days::new(u64::from(days)),
            unannounced: true,
            children: self.children.clone(),
            known: self.known.clone(),
            held: self.held.clone(),
            refusals: self.refusals.clone(),
            ..*self
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
            step: 0,
            last_day: None,
            end: None,
            past: false,
            done: false,
            active: false,
            at_once: false,
        };
        if let (Rule::Dispose(rule), None) = (&class.rule, refusal) {
            claim.trigger = trigger(self.world, self.state, class, id);
            let over = |step: &usize| {
                let last = claim.trigger.map(|day| rule.last_day(*step, day));
                last.is_some_and(|last| over(rule, last, self.today))
            };
            let latest = (0..=rule.stages.len()).rev().find(over);
            claim.step = latest.unwrap_or(0);
            claim.past = claim.usable() && latest.is_some();
            claim.last_day = claim.trigger.map(|day| rule.last_day(claim.step, day));
            claim.end = claim
                .trigger
                .map(|day| rule.last_day(rule.stages.len(), day));
            claim.active = claim
                .trigger
                .is_some_and(|trigger| active(rule, row, trigger));
            let at_once = rule.or_when.as_ref();
            if at_once.is_some_and(|condition| condition.holds(row) == Some(true)) {
                claim.at_once = true;
                claim.past = true;
                claim.active = false;
                (claim.last_day, claim.end) = (None, None);
            }
            claim.done = match rule.steps()[claim.step].1 {
                Disposal::Delete => false,
                Disposal::Anonymise(list) => list
                    .iter()
                    .all(|a| anonymised(&row[&a.column], &a.path, a.strategy) == row[&a.column]),
                Disposal::Flag => self
                    .state
                    .flags
                    .get(&(id.clone(), class.id.clone()))
                    .is_some_and(|flag| claim.bound(flag)),
            };
        }
        Some(claim)
    }

    /// Rule 3: which class governs.
    fn governing<'c>(&self, claims: &'c [Claim<'w>]) -> Option<&'c Claim<'w>> {
        let ungoverned = |c: &Claim<'_>| {
            c.refused || c.class.dispose().is_none() || (c.minimum() && !c.usable())
        };
        if self.blocker_governs && claims.iter().any(ungoverned) {
            return None;
        }
        let maximums = || claims.iter().filter(|c| c.maximum() && c.usable());
        let earliest = maximums()
            .filter(|c| !c.done)
            .min_by_key(|c| (c.end, c.severity(), c.class.id.as_str()));
        let latest = |c: &&'c Claim<'w>| (c.end, mild(c.severity()), Reverse(c.class.id.as_str()));
        // A maximum that is done has yielded to the next; the last has none to yield to.
        let standing = earliest.or_else(|| maximums().max_by_key(latest));
        claims
            .iter()
            .filter(|c| c.minimum() && c.usable())
            .chain(standing)
            .max_by_key(latest)
    }

    /// Rules 1 to 4 on a row's own claims: whether they let it go by the governing class's
    /// disposal, or `with` a parent. A row that nobody claims is let go.
    pub fn own(&self, id: &RowId, claims: &[Claim<'w>], with_parent: bool) -> Own {
        let retained = claims
            .iter()
            .any(|c| c.class.dispose().is_none() && !c.refused);
        let refused = claims.iter().any(|c| c.refused);
        let minimums = || claims.iter().filter(|c| c.minimum());
        let maximums = || claims.iter().filter(|c| c.maximum());
        let maximum_past = maximums().count() == 0 || maximums().any(|c| c.past);
        let late = |c: &&Claim<'_>| c.past && !c.done;
        let against =
            |most: &Claim<'_>| retained || !minimums().all(|c| c.permits(most.severity()));
        let governing = self.governing(claims);
        // Rules 2 and 6: every minimum, and every class with stages, permits the disposal.
        let permitted = |severity| {
            let asked = |c: &&Claim<'_>| {
                c.minimum() || c.rule().is_some_and(|rule| !rule.stages.is_empty())
            };
            claims.iter().filter(asked).all(|c| c.permits(severity))
        };
        let severity = |c: &Claim<'_>| if with_parent { DELETE } else { c.severity() };
        let agreed = claims.is_empty()
            || governing.is_some_and(|c| c.certain && c.past && permitted(severity(c)));
        let nothing_goes = retained || refused || maximums().filter(late).any(against);
        let noticed = !self.unannounced && claims.iter().any(|c| self.awaits_notice(id, c));
        let in_conflict = |any: bool, in_use: bool| {
            let by = |c: &Claim<'_>| against(c) || in_use && minimums().any(|c| c.active);
            maximums().filter(late).any(|c| (c.certain || any) && by(c))
        };
        let lets_go_idle = !nothing_goes && maximum_past && agreed;
        Own {
            lets_go: lets_go_idle && !claims.iter().any(|c| c.active),
            lets_go_idle,
            noticed,
            // Every claim that is not FALSE binds its gate, also that of a refused class.
            gated: claims
                .iter()
                .filter_map(|claim| claim.class.dispose())
                .any(|rule| rule.gate != Gate::None),
            conflict: [false, true].map(|any| [false, true].map(|in_use| in_conflict(any, in_use))),
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
        // In a circle of replies it would go with itself.
        family.deleted.remove(id);
        let outgoing = self.world.outgoing(class);
        let mut todo: Vec<RowId> = family.deleted.iter().chain([id]).cloned().collect();
        while let Some(from) = todo.pop() {
            let keys = self.world.table(&from.table).foreign.iter();
            // Also by what another class relates, but not where it says of which rows it is so.
            for (position, foreign) in keys.enumerate() {
                if !foreign.both_ways() || !self.known.contains(&(from.table.as_str(), position)) {
                    continue;
                }
                let target = foreign.target(&self.state.rows[&from]);
                let target = target.filter(|t| outgoing.contains(t.table.as_str()));
                // A loose one may refer to what is not there.
                if let Some(target) = target.filter(|t| self.state.rows.contains_key(t))
                    && family.shared.insert(target.clone())
                {
                    todo.push(target);
                }
            }
        }
        family
    }

    /// Where a row stands for a class, under each reading; empty unless the claim is TRUE and past.
    pub fn statuses(&self, class: &Class, id: &RowId) -> BTreeSet<Status> {
        self.facts(class, id).map_or_else(BTreeSet::new, |facts| {
            Reading::all()
                .map(|reading| facts.status(reading))
                .collect()
        })
    }

    /// Whether the row goes now, as a record of the class.
    pub fn due(&self, class: &Class, id: &RowId) -> bool {
        self.facts(class, id).is_some_and(|facts| {
            let by = |reading| facts.status(reading) == Status::Due;
            let due = Reading::all().all(by);
            assert_eq!(due, Reading::all().any(by), "what goes is never open");
            due
        })
    }

    fn facts(&self, class: &Class, id: &RowId) -> Option<Facts> {
        let claims = self.claims(id);
        let claim = claims.iter().find(|c| c.class.id == class.id)?;
        if !claim.certain || !claim.past {
            return None;
        }
        let own = self.own(id, &claims, false);
        let family = self.family(class, id);
        let with_it: Vec<&RowId> = family.deleted.iter().chain(&family.shared).collect();
        let touched = with_it
            .iter()
            .copied()
            .chain(family.unlinked.iter().map(|(row, _)| row));
        let theirs: Vec<Own> = with_it
            .iter()
            .map(|row| self.own(row, &self.claims(row), true))
            .collect();
        let governs = own.governs == Some(claim.place);
        Some(Facts {
            done: governs && claim.done,
            active: [claim.active, claims.iter().any(|c| c.active)],
            held: self.held.contains(id) || touched.into_iter().any(|row| self.held.contains(row)),
            conflict: own.conflict,
            gated: own.gated || theirs.iter().any(|row| row.gated),
            noticed: own.noticed || theirs.iter().any(|row| row.noticed),
            goes: governs && own.lets_go && theirs.iter().all(|row| row.lets_go),
            goes_idle: governs && own.lets_go_idle && theirs.iter().all(|row| row.lets_go),
        })
    }

    /// A class gives notice, and has not given it for this trigger and last day so long ago.
    fn awaits_notice(&self, id: &RowId, claim: &Claim<'_>) -> bool {
        let notice = claim.class.dispose().and_then(|rule| rule.notice);
        !claim.at_once
            && notice.is_some_and(|days| {
                let flag = self.state.flags.get(&(id.clone(), claim.class.id.clone()));
                let run = |f: &Flag| f.on + Days::new(u64::from(days)) <= self.today;
                !flag.is_some_and(|f| claim.bound(f) && run(f))
            })
    }

    /// The flag that a class is to put on a row now, if nothing but notices is in its way.
    pub fn notice(&self, class: &Class, id: &RowId) -> Option<Flag> {
        let rule = class.dispose()?;
        // A minimum's comes when the row would go; a maximum's so many days before.
        let then = self.later(rule.notice.filter(|_| rule.maximum).unwrap_or_default());
        let claims = then.claims(id);
        let claim = claims.iter().find(|c| c.class.id == class.id)?;
        if rule.notice.is_none()
            || claim.at_once
            || !claim.past
            || !claims.iter().any(|c| then.due(c.class, id))
        {
            return None;
        }
        let flag = Flag {
            trigger: claim.trigger,
            last_day: claim.last_day,
            on: self.today,
        };
        let before = self.state.flags.get(&(id.clone(), class.id.clone()));
        (!before.is_some_and(|before| claim.bound(before))).then_some(flag)
    }
}

/// What decides where a row stands for a class whose claim is TRUE and past.
struct Facts {
    done: bool,
    /// By the class's own guard; by any.
    active: [bool; 2],
    held: bool,
    conflict: [[bool; 2]; 2],
    gated: bool,
    noticed: bool,
    goes: bool,
    goes_idle: bool,
}

impl Facts {
    fn status(&self, reading: Reading) -> Status {
        let active = self.active[usize::from(reading.active_for_all)];
        let in_use = |place| active && reading.active == place;
        let conflict = self.conflict[usize::from(reading.unknown_conflicts)];
        if self.done {
            Status::Done
        } else if in_use(ActivePlace::First) {
            Status::Active
        } else if self.held {
            Status::Held
        } else if in_use(ActivePlace::AfterHeld) {
            Status::Active
        } else if conflict[usize::from(reading.active_conflicts)] {
            Status::Conflict
        } else if self.gated || self.noticed && (self.goes || reading.notice_first) {
            Status::Waiting
        } else if self.goes {
            Status::Due
        } else if in_use(ActivePlace::AfterWaiting) || in_use(ActivePlace::Last) && self.goes_idle {
            Status::Active
        } else {
            Status::RetainedByOther
        }
    }
}

/// The severity of a deletion.
const DELETE: u8 = 2;

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
pub fn trigger(world: &World, state: &State, class: &Class, id: &RowId) -> Option<Day> {
    let rule = class.dispose()?;
    let row = &state.rows[id];
    match &rule.trigger {
        Trigger::Fixed(day) => Some(Day::On(*day)),
        Trigger::Columns(list) => list
            .iter()
            .filter(|(_, when)| when.as_ref().is_none_or(|w| w.holds(row) == Some(true)))
            .filter_map(|(column, _)| date_in(world, state, row, &class.table, column))
            .find(|value| **value != Value::Null)
            .and_then(|value| value.day_read(rule.zone())),
    }
}

/// A trigger column's value, be it the row's own or that of the row it refers to; a row that
/// refers to none has no such date.
fn date_in<'s>(
    world: &World,
    state: &'s State,
    row: &'s Row,
    table: &str,
    column: &str,
) -> Option<&'s Value> {
    match world.related(world.table(table), column) {
        None => Some(&row[column]),
        Some((foreign, column)) => Some(&state.rows.get(&foreign.target(row)?)?[column]),
    }
}

/// Whether the day of an activity column is after the trigger's; a NULL is no activity.
pub fn active(rule: &Dispose, row: &Row, trigger: Day) -> bool {
    rule.unless_active
        .iter()
        .filter_map(|column| row[column].day_read(rule.zone()))
        .any(|day| day > trigger)
}

/// The first day on which a record with this last day is past.
pub fn first_past(rule: &Dispose, last_day: Day) -> Day {
    match last_day {
        Day::On(day) if !rule.maximum => Day::On(day + Days::new(1)),
        day => day,
    }
}
