//! Carrying the judgement out on a copy: one pass, and passes until nothing changes.
//!
//! Classes take their turns so that rows which refer go before those referred to.
//! That leaves several orders open, and an order can matter: where the last row that
//! refers to a shared one goes by a class that does not declare it, the shared row
//! stays. [`settle`] therefore gives every end that some permitted order reaches.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;

use super::calendar::Day;
use super::counts::{Counts, plan};
use super::rules::{BLOCKER_GOVERNS, Flag, State, View};
use super::value::anonymised;
use super::world::{Class, Disposal, RowId, World};

/// One thing that happened to one row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Event {
    pub row: RowId,
    pub class: String,
    pub action: Action,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// As a record of the class.
    Deleted,
    /// As a dependant of one of these records.
    DeletedWith(BTreeSet<RowId>),
    Anonymised,
    Flagged {
        trigger: Option<Day>,
        last_day: Option<Day>,
    },
    /// Its foreign keys at these positions became NULL.
    Unlinked(BTreeSet<usize>),
}

/// What a pass, or passes until nothing changed, came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    pub counts: Vec<(String, Counts)>,
    pub events: Vec<Event>,
    pub state: State,
}

/// The orders in which the classes may take their turns, the file's own first.
pub fn orders(world: &World) -> Vec<Vec<usize>> {
    let mut out = Vec::new();
    extend(world, &mut Vec::new(), &mut out);
    out
}

fn extend(world: &World, so_far: &mut Vec<usize>, out: &mut Vec<Vec<usize>>) {
    if so_far.len() == world.classes.len() {
        out.push(so_far.clone());
        return;
    }
    let left: Vec<usize> = (0..world.classes.len())
        .filter(|c| !so_far.contains(c))
        .collect();
    for next in &left {
        let table = &world.classes[*next].table;
        if left
            .iter()
            .any(|other| refers(world, &world.classes[*other].table, table))
        {
            continue;
        }
        so_far.push(*next);
        extend(world, so_far, out);
        so_far.pop();
    }
}

/// Whether rows of `from` refer to rows of `to`, however indirectly.
fn refers(world: &World, from: &str, to: &str) -> bool {
    world
        .table(from)
        .foreign
        .iter()
        .filter(|f| f.parent != from && world.knows(world.table(from), f))
        .any(|f| f.parent == to || refers(world, &f.parent, to))
}

/// One pass, the classes taking their turns in the first permitted order.
pub fn pass(world: &World, today: NaiveDate) -> Outcome {
    pass_from(world, State::of(world), today)
}

/// One pass over rows that earlier days have left.
pub fn pass_from(world: &World, mut state: State, today: NaiveDate) -> Outcome {
    let counts = plan(world, &state, today);
    let order = orders(world).swap_remove(0);
    let events = turns(world, &mut state, today, &order);
    Outcome {
        counts,
        events,
        state,
    }
}

/// Whether, in whatever permitted order, a second pass of the day has nothing left to do.
pub fn one_pass_is_enough(world: &World, start: &State, today: NaiveDate) -> bool {
    orders(world).iter().all(|order| {
        let mut state = start.clone();
        turns(world, &mut state, today, order);
        turns(world, &mut state, today, order).is_empty()
    })
}

/// Every end that passes on one day, repeated until nothing changes, may come to. Never empty;
/// nearly always one. Outcomes with the same end are one, their events taken together.
pub fn settle(world: &World, today: NaiveDate) -> Vec<Outcome> {
    settle_from(world, &State::of(world), today)
}

/// As [`settle`], on rows that earlier days have left.
pub fn settle_from(world: &World, start: &State, today: NaiveDate) -> Vec<Outcome> {
    let counts = plan(world, start, today);
    let mut out: Vec<Outcome> = Vec::new();
    for order in orders(world) {
        let mut state = start.clone();
        let mut events = Vec::new();
        loop {
            let more = turns(world, &mut state, today, &order);
            if more.is_empty() {
                break;
            }
            events.extend(more);
        }
        events.sort();
        match out.iter_mut().find(|seen| seen.state == state) {
            Some(seen) => {
                seen.events.extend(events);
                seen.events.sort();
                seen.events.dedup();
            }
            None => out.push(Outcome {
                counts: counts.clone(),
                events,
                state,
            }),
        }
    }
    out
}

fn turns(world: &World, state: &mut State, today: NaiveDate, order: &[usize]) -> Vec<Event> {
    let mut events = Vec::new();
    for place in order {
        let class = &world.classes[*place];
        if class.dispose().is_some() && world.refusal(class).is_none() {
            events.extend(turn(world, state, today, class));
        }
    }
    events
}

/// Everything that one class does in one pass.
fn turn(world: &World, state: &mut State, today: NaiveDate, class: &Class) -> Vec<Event> {
    let Some(rule) = class.dispose() else {
        return Vec::new();
    };
    let before = state.clone();
    let view = View::new(world, &before, today, BLOCKER_GOVERNS[0]);
    let told: Vec<(&RowId, Flag)> = before
        .rows
        .keys()
        .filter(|id| id.table == class.table)
        .filter_map(|id| Some((id, view.notice(class, id)?)))
        .collect();
    let due: Vec<&RowId> = before
        .rows
        .keys()
        .filter(|id| id.table == class.table && view.due(class, id))
        .collect();

    let mut with: BTreeMap<RowId, BTreeSet<RowId>> = BTreeMap::new();
    let mut after: BTreeMap<RowId, BTreeSet<RowId>> = BTreeMap::new();
    let mut unlinked: BTreeMap<RowId, BTreeSet<usize>> = BTreeMap::new();
    for id in &due {
        let family = view.family(class, id);
        for row in family.deleted {
            with.entry(row).or_default().insert((*id).clone());
        }
        for row in family.shared {
            after.entry(row).or_default().insert((*id).clone());
        }
        for (row, foreign) in family.unlinked {
            unlinked.entry(row).or_default().insert(foreign);
        }
    }

    let mut events = Vec::new();
    let mut say = |row: &RowId, action: Action| {
        events.push(Event {
            row: row.clone(),
            class: class.id.clone(),
            action,
        });
    };
    for (id, flag) in told {
        state.flags.insert((id.clone(), class.id.clone()), flag);
        let Flag {
            trigger, last_day, ..
        } = flag;
        say(id, Action::Flagged { trigger, last_day });
    }
    for (id, positions) in unlinked {
        let row = state.rows.get_mut(&id).expect("a row that refers");
        for position in &positions {
            for column in &world.table(&id.table).foreign[*position].columns {
                row.insert(column.clone(), super::value::Value::Null);
            }
        }
        say(&id, Action::Unlinked(positions));
    }
    // A reply that is due itself goes as a record.
    with.retain(|id, _| !due.contains(&id));
    for (id, parents) in with {
        forget(state, &id);
        say(&id, Action::DeletedWith(parents));
    }
    for id in due {
        let claims = view.claims(id);
        let claim = claims.iter().find(|c| c.class.id == class.id);
        let claim = claim.expect("a due row is claimed");
        match rule.steps()[claim.step].1 {
            Disposal::Delete => {
                forget(state, id);
                say(id, Action::Deleted);
            }
            Disposal::Anonymise(list) => {
                let row = state.rows.get_mut(id).expect("a due row");
                for a in list {
                    let value = anonymised(&row[&a.column], &a.path, a.strategy);
                    row.insert(a.column.clone(), value);
                }
                // Its notice has been used: what is written there later needs another.
                state.flags.remove(&(id.clone(), class.id.clone()));
                say(id, Action::Anonymised);
            }
            Disposal::Flag => {
                let (trigger, last_day) = (claim.trigger, claim.last_day);
                let flag = Flag {
                    trigger,
                    last_day,
                    on: today,
                };
                state.flags.insert((id.clone(), class.id.clone()), flag);
                say(id, Action::Flagged { trigger, last_day });
            }
        }
    }
    // One that goes may be the last that referred to another.
    while let Some(id) = after
        .keys()
        .find(|id| {
            View::new(world, state, today, BLOCKER_GOVERNS[0])
                .referrers(id)
                .is_empty()
        })
        .cloned()
    {
        let parents = after.remove(&id).expect("it was found");
        forget(state, &id);
        say(&id, Action::DeletedWith(parents));
    }
    events
}

fn forget(state: &mut State, id: &RowId) {
    state.rows.remove(id);
    state.flags.retain(|(row, _), _| row != id);
}
