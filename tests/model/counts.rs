//! The counts of a plan, before anything is done.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Days, NaiveDate};

use super::calendar::Day;
use super::rules::{BLOCKER_GOVERNS, State, Status, View, first_past, trigger};
use super::world::{Class, Disposal, Dispose, RowId, World};

/// A count, between what the readings make of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    pub least: usize,
    pub most: usize,
}

impl Span {
    pub fn holds(self, count: usize) -> bool {
        (self.least..=self.most).contains(&count)
    }
}

/// The counts of one class before anything is done.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Counts {
    pub refused: bool,
    pub retains: bool,
    /// The first trigger day that is not past; of a staged class, for each of its steps.
    pub cutoffs: Vec<NaiveDate>,
    pub claimed: usize,
    /// Rows whose claim is TRUE and past; the states below partition them.
    pub past: usize,
    pub states: BTreeMap<Status, Span>,
    pub overdue: Span,
    pub without_trigger: usize,
    pub implausible_trigger: usize,
    pub future_trigger: usize,
    /// Rows of each declared table that go with the rows that are due.
    pub dependants: BTreeMap<String, Span>,
}

impl Counts {
    pub fn state(&self, status: Status) -> Span {
        self.states.get(&status).copied().unwrap_or_default()
    }
}

/// The counts of every class, in file order.
pub fn plan(world: &World, state: &State, today: NaiveDate) -> Vec<(String, Counts)> {
    let views: Vec<_> = BLOCKER_GOVERNS
        .into_iter()
        .map(|r| View::new(world, state, today, r))
        .collect();
    world
        .classes
        .iter()
        .map(|class| (class.id.clone(), counts(&views, class)))
        .collect()
}

/// The rows that are due for some class under every reading.
pub fn due(world: &World, state: &State, today: NaiveDate) -> BTreeSet<RowId> {
    let views: Vec<_> = BLOCKER_GOVERNS
        .into_iter()
        .map(|r| View::new(world, state, today, r))
        .collect();
    let of = |class: &&Class, id: &RowId| {
        class.table == id.table && views.iter().all(|v| v.due(class, id))
    };
    let rows = state.rows.keys();
    rows.filter(|id| world.classes.iter().any(|class| of(&class, id)))
        .cloned()
        .collect()
}

fn counts(views: &[View<'_>], class: &Class) -> Counts {
    let View {
        world,
        state,
        today,
        ..
    } = &views[0];
    let mut out = Counts {
        refused: world.refusal(class).is_some(),
        ..Counts::default()
    };
    let Some(rule) = class.dispose() else {
        out.retains = true;
        out.claimed = certain(&views[0], class).len();
        return out;
    };
    if out.refused {
        return out;
    }
    out.cutoffs = (0..=rule.stages.len())
        .map(|step| rule.cutoff(step, *today))
        .collect();
    // Late is what was past so many days ago already.
    let late_since = |step, day| {
        let first = first_past(rule, rule.last_day(step, day));
        first < Day::On(*today - Days::new(u64::from(rule.tolerance)))
    };
    let mut due = vec![BTreeSet::new(); views.len()];
    for id in certain(&views[0], class) {
        out.claimed += 1;
        let day = trigger(world, state, class, id);
        let claims = views[0].claims(id);
        let at_once = claims.iter().any(|c| c.class.id == class.id && c.at_once);
        match day {
            _ if at_once => {}
            None => out.without_trigger += 1,
            Some(day) if day < rule.plausible() => out.implausible_trigger += 1,
            Some(day) if day > Day::On(*today) => out.future_trigger += 1,
            Some(_) => {}
        }
        let states: Vec<_> = views.iter().map(|view| view.statuses(class, id)).collect();
        for (position, status) in states.iter().enumerate() {
            if status.contains(&Status::Due) {
                due[position].insert(id);
            }
        }
        let found: BTreeSet<Status> = states.into_iter().flatten().collect();
        if found.is_empty() {
            continue;
        }
        out.past += 1;
        for status in &found {
            let span = out.states.entry(*status).or_default();
            span.least += usize::from(found.len() == 1);
            span.most += 1;
        }
        // Whether a row that is in use is late, and whether a staged one is counted from its
        // first stage or from its latest that is past, is left open.
        let Some(day) = day.filter(|day| *day >= rule.plausible()) else {
            continue;
        };
        let step = claims
            .iter()
            .find(|c| c.class.id == class.id)
            .map_or(0, |c| c.step);
        let late = |s: &&Status| !matches!(s, Status::Done | Status::RetainedByOther);
        let sure = |s: &&Status| late(s) && **s != Status::Active;
        let all_sure = found.iter().filter(sure).count() == found.len();
        out.overdue.least += usize::from(late_since(step, day) && all_sure);
        out.overdue.most += usize::from(late_since(0, day) && found.iter().any(|s| late(&s)));
    }
    out.dependants = dependants(views, class, rule, &due);
    out
}

fn certain<'v>(view: &'v View<'_>, class: &Class) -> Vec<&'v RowId> {
    let rows = view.state.rows.keys().filter(|id| id.table == class.table);
    rows.filter(|id| {
        view.claims(id)
            .iter()
            .any(|c| c.class.id == class.id && c.certain)
    })
    .collect()
}

/// At least the distinct rows that certainly go; at most every row that a due record touches,
/// counted once for each record.
fn dependants(
    views: &[View<'_>],
    class: &Class,
    rule: &Dispose,
    due: &[BTreeSet<&RowId>],
) -> BTreeMap<String, Span> {
    let mut out: BTreeMap<String, Span> = rule
        .dependants
        .iter()
        .map(|d| {
            (
                d.table.clone(),
                Span {
                    least: usize::MAX,
                    most: 0,
                },
            )
        })
        .collect();
    for (view, due) in views.iter().zip(due) {
        let families: Vec<_> = due.iter().map(|id| view.family(class, id)).collect();
        let mut gone: BTreeSet<RowId> = families
            .iter()
            .flat_map(|f| f.deleted.iter().cloned())
            .collect();
        if rule.disposal == Disposal::Delete {
            gone.extend(due.iter().map(|id| (*id).clone()));
        }
        let shared: BTreeSet<&RowId> = families.iter().flat_map(|f| &f.shared).collect();
        let freed = |gone: &BTreeSet<RowId>| {
            let free = |id: &&&RowId| {
                !gone.contains(**id) && view.referrers(id).iter().all(|(row, _)| gone.contains(row))
            };
            shared.iter().find(free).map(|id| (*id).clone())
        };
        while let Some(id) = freed(&gone) {
            gone.insert(id);
        }
        for (table, span) in &mut out {
            let of = |id: &&RowId| id.table == *table;
            // A reply that is due itself is counted as a record.
            let sure = gone
                .iter()
                .filter(of)
                .filter(|id| !due.contains(id))
                .count();
            let any: usize = families
                .iter()
                .map(|f| {
                    f.deleted.iter().filter(of).count()
                        + f.shared.iter().filter(of).count()
                        + f.unlinked.iter().filter(|(row, _)| of(&row)).count()
                })
                .sum();
            span.least = span.least.min(sure);
            span.most = span.most.max(any);
        }
    }
    out
}
