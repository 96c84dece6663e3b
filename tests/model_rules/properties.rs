//! What must hold of the model in any world, and that the worlds are worth judging.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use chrono::Days;

use crate::model::compare::End;
use crate::model::features::ALL;
use crate::model::pass::{Action, Event, orders, pass, settle};
use crate::model::rules::{State, Status, View};
use crate::model::strategies::{little_worlds, omitting, worlds};
use crate::model::world::{Class, Disposal, Refusal, RowId, Trigger, World};

/// The same worlds on every run.
fn sample<S: Strategy<Value = World>>(strategy: &S, count: usize) -> Vec<World> {
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let made = (0..count).map(|_| strategy.new_tree(&mut runner).expect("a world").current());
    made.collect()
}

fn today(world: &World) -> chrono::NaiveDate {
    world
        .now
        .with_timezone(&chrono_tz::Europe::London)
        .date_naive()
}

#[test]
fn every_state_and_every_kind_of_change_occurs() {
    let mut states: BTreeMap<Status, usize> = BTreeMap::new();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for world in sample(&worlds(ALL), 600) {
        let ends = settle(&world, today(&world));
        for (_, counts) in &ends[0].counts {
            for (status, span) in &counts.states {
                *states.entry(*status).or_default() += span.least;
            }
            *seen.entry("refused").or_default() += usize::from(counts.refused);
            *seen.entry("retains").or_default() += usize::from(counts.retains);
            *seen.entry("overdue").or_default() += counts.overdue.least;
            *seen.entry("without").or_default() += counts.without_trigger;
            *seen.entry("implausible").or_default() += counts.implausible_trigger;
            *seen.entry("future").or_default() += counts.future_trigger;
        }
        for (class, (_, counts)) in world.classes.iter().zip(&ends[0].counts) {
            let Some(Trigger::Columns(list)) = class.dispose().map(|rule| &rule.trigger) else {
                continue;
            };
            let related = list.iter().filter(|(column, _)| column.contains('.'));
            let (related, all) = (related.count(), list.len());
            if related > 0 {
                *seen.entry("related due").or_default() += counts.state(Status::Due).least;
                *seen.entry("related without").or_default() += counts.without_trigger;
                *seen.entry("related implausible").or_default() += counts.implausible_trigger;
                *seen.entry("related future").or_default() += counts.future_trigger;
            }
            let beside = related > 0 && related < all;
            *seen.entry("related and own").or_default() += usize::from(beside);
        }
        for event in &ends[0].events {
            let name = match event.action {
                Action::Deleted => "deleted",
                Action::DeletedWith(_) => "deleted with",
                Action::Anonymised => "anonymised",
                Action::Flagged { .. } => "flagged",
                Action::Unlinked(_) => "unlinked",
            };
            *seen.entry(name).or_default() += 1;
        }
        along(&world, &ends[0].events, &mut seen);
        let shared = world
            .classes
            .iter()
            .any(|class| !world.outgoing(class).is_empty());
        *seen.entry("shared").or_default() += usize::from(shared);
    }
    for status in [
        Status::Done,
        Status::Held,
        Status::Conflict,
        Status::Waiting,
        Status::RetainedByOther,
        Status::Due,
    ] {
        assert!(
            states.get(&status).is_some_and(|n| *n >= 30),
            "{status:?}: {states:?}"
        );
    }
    let kinds = [
        "refused",
        "retains",
        "overdue",
        "without",
        "implausible",
        "future",
        "deleted",
        "deleted with",
        "anonymised",
        "flagged",
        "unlinked",
        "shared",
        "related due",
        "related without",
        "related implausible",
        "related future",
        "related and own",
        "loose gone",
        "loose shared",
        "loose unlinked",
        "of several sorts",
        "replies gone",
        "replies unlinked",
        "long threads",
        "kept by a reply",
    ];
    for kind in kinds {
        // Of some a few are enough.
        let rare = [
            "related future",
            "related and own",
            "loose shared",
            "of several sorts",
            "replies gone",
        ];
        let enough = if rare.contains(&kind) { 3 } else { 15 };
        assert!(
            seen.get(kind).is_some_and(|n| *n >= enough),
            "{kind}: {seen:?}"
        );
    }
}

/// What happened along loose references, and in threads.
fn along(world: &World, events: &[Event], seen: &mut BTreeMap<&str, usize>) {
    let start = State::of(world);
    let mut count = |what, happened: bool| *seen.entry(what).or_default() += usize::from(happened);
    let refers = |from: &RowId, to: &RowId, loose: bool| {
        let keys = world.table(&from.table).foreign.iter();
        let mut keys = keys.filter(|f| f.loose == loose);
        keys.any(|f| f.target(&start.rows[from]).as_ref() == Some(to))
    };
    let gone: BTreeSet<&RowId> = events
        .iter()
        .filter(|e| matches!(e.action, Action::Deleted | Action::DeletedWith(_)))
        .map(|event| &event.row)
        .collect();
    for event in events {
        let row = &event.row;
        let class = world.class(&event.class);
        match &event.action {
            Action::DeletedWith(parents) => {
                let down = parents.iter().any(|up| refers(row, up, true));
                count("loose gone", down);
                let up = parents.iter().any(|down| refers(down, row, true));
                count("loose shared", up);
                count("replies gone", row.table == class.table);
            }
            Action::Unlinked(positions) => {
                let keys = &world.table(&row.table).foreign;
                let mut of = positions.iter().map(|position| &keys[*position]);
                count("loose unlinked", of.any(|f| f.loose));
                let mut of = positions.iter().map(|position| &keys[*position]);
                count("replies unlinked", of.any(|f| f.parent == row.table));
            }
            _ => {}
        }
        // Four rows, each of which answers the one before it, and all are gone.
        let mut at = row.clone();
        let mut above = 0;
        while above < 3 && gone.contains(&at) {
            let own = world.table(&at.table).foreign.iter();
            let mut own = own.filter(|f| f.parent == at.table);
            let Some(up) = own.find_map(|f| f.target(&start.rows[&at])) else {
                break;
            };
            at = up;
            above += usize::from(gone.contains(&at));
        }
        count("long threads", above == 3);
    }
    for table in &world.tables {
        let loose = table
            .foreign
            .iter()
            .filter(|f| f.loose && world.knows(table, f));
        count("of several sorts", loose.count() == 2);
        let view = View::new(world, &start, today(world), true);
        for id in start.rows.keys().filter(|id| id.table == table.name) {
            let keeps = |reply: &RowId| {
                let own = view.own(reply, &view.claims(reply), true);
                reply.table == table.name && !own.lets_go
            };
            let kept = |class: &&Class| {
                class.table == table.name
                    && view.own(id, &view.claims(id), false).lets_go
                    && view.family(class, id).deleted.iter().any(keeps)
            };
            count(
                "kept by a reply",
                world.classes.iter().any(|class| kept(&class)),
            );
        }
    }
}

#[test]
fn a_world_that_omits_a_declaration_has_a_class_refused_for_it() {
    for world in sample(&omitting(ALL), 40) {
        let refused: Vec<_> = world
            .classes
            .iter()
            .filter(|class| world.refusal(class) == Some(Refusal::Undeclared))
            .collect();
        assert_eq!(refused.len(), 1);
        let outcome = pass(&world, today(&world));
        assert!(
            outcome
                .events
                .iter()
                .all(|event| event.class != refused[0].id)
        );
    }
}

#[test]
fn worlds_declare_whatever_they_must() {
    for world in sample(&worlds(ALL), 200) {
        for class in &world.classes {
            assert_ne!(
                world.refusal(class),
                Some(Refusal::Undeclared),
                "{}",
                world.schedule_toml()
            );
        }
    }
}

#[test]
fn nothing_refers_to_what_is_gone() {
    for world in sample(&worlds(ALL), 60) {
        for end in settle(&world, today(&world)) {
            for (id, row) in &end.state.rows {
                let keys = world.table(&id.table).foreign.iter();
                for foreign in keys.filter(|foreign| !foreign.loose) {
                    if let Some(target) = foreign.target(row) {
                        assert!(end.state.rows.contains_key(&target), "{id:?} -> {target:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_held_row_is_as_it_was() {
    for world in sample(&worlds(ALL), 60) {
        let start = End::of(&State::of(&world));
        for end in settle(&world, today(&world)) {
            let end = End::of(&end.state);
            for hold in world
                .holds
                .iter()
                .filter(|h| h.until.is_none_or(|d| d >= today(&world)))
            {
                let id = RowId {
                    table: hold.table.clone(),
                    key: hold.key.clone(),
                };
                assert_eq!(start.rows.get(&id), end.rows.get(&id));
                assert!(end.flags.keys().all(|(row, _)| *row != id));
            }
        }
    }
}

#[test]
fn a_row_that_a_retain_or_a_refused_class_might_claim_never_goes() {
    for world in sample(&worlds(ALL), 60) {
        let start = State::of(&world);
        let view = View::new(&world, &start, today(&world), true);
        let kept: BTreeSet<&RowId> = start
            .rows
            .keys()
            .filter(|id| {
                view.claims(id)
                    .iter()
                    .any(|c| c.refused || c.class.dispose().is_none())
            })
            .collect();
        for end in settle(&world, today(&world)) {
            assert!(kept.iter().all(|id| end.state.rows.contains_key(*id)));
        }
    }
}

#[test]
fn the_order_of_classes_matters_only_to_what_is_shared() {
    for world in sample(&worlds(ALL), 80) {
        let shared: BTreeSet<&str> = world
            .classes
            .iter()
            .flat_map(|class| world.outgoing(class))
            .collect();
        let ends = settle(&world, today(&world));
        assert!(
            ends.len() == 1 || !shared.is_empty(),
            "{}",
            world.schedule_toml()
        );
        for end in &ends {
            for id in ends[0].state.rows.keys().chain(end.state.rows.keys()) {
                let here = ends[0].state.rows.contains_key(id);
                let there = end.state.rows.contains_key(id);
                assert!(
                    here == there || shared.contains(id.table.as_str()),
                    "{id:?}"
                );
            }
        }
    }
}

#[test]
fn what_may_go_today_may_go_tomorrow() {
    // Time alone protects nothing: without holds that begin or end, and without two classes
    // that could change places, a row that a delete takes today it takes tomorrow.
    for mut world in sample(&little_worlds(ALL), 80) {
        world.holds.retain(|hold| hold.until.is_none());
        world.classes.truncate(1);
        let day = today(&world);
        let rule = world.classes[0].dispose();
        if rule.is_none_or(|rule| rule.disposal != Disposal::Delete) {
            continue;
        }
        let rows = |day| settle(&world, day).swap_remove(0).state.rows;
        let (now, later) = (rows(day), rows(day + Days::new(1)));
        assert!(later.keys().all(|id| now.contains_key(id)));
    }
}

#[test]
fn a_class_that_refers_takes_its_turn_first() {
    for world in sample(&little_worlds(ALL), 60) {
        for order in orders(&world) {
            for (turn, class) in order.iter().enumerate() {
                let table = world.table(&world.classes[*class].table);
                for earlier in &order[..turn] {
                    let before = &world.classes[*earlier].table;
                    let keys = table.foreign.iter();
                    let mut keys = keys.filter(|f| f.parent != table.name && world.knows(table, f));
                    assert!(keys.all(|f| f.parent != *before));
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(Config { cases: 40, failure_persistence: None, ..Config::default() })]

    #[test]
    fn one_pass_is_on_the_way_to_an_end(world in little_worlds(ALL)) {
        let first = pass(&world, today(&world));
        let ends = settle(&world, today(&world));
        for id in State::of(&world).rows.keys() {
            let gone = !first.state.rows.contains_key(id);
            prop_assert!(!gone || ends.iter().any(|end| !end.state.rows.contains_key(id)));
        }
        for end in ends {
            prop_assert!(end.state.rows.len() <= first.state.rows.len());
        }
    }
}
