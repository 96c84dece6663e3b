//! Random worlds: a forecast is what the plan of the later day counts, and a comparison is
//! what the slow model says of every row under each version.
//!
//! The worlds are the same on every run; `MODEL_CASES` and `MODEL_SEED` ask for others.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use retentiond::survey::{self, Effect, Side};
use sqlx::Connection as _;

use crate::model::postgres::load;
use crate::model::render::quoted;
use crate::model::rules::{State, View};
use crate::model::strategies::little_worlds;
use crate::model::world::{Disposal, Gate, Rule, World};
use crate::support;

fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

/// Worlds, each made from the seed and its own number alone.
fn each<T: std::fmt::Debug>(strategy: &impl Strategy<Value = T>, salt: u64, cases: u64) -> Vec<T> {
    let seed = asked("MODEL_SEED").unwrap_or(0);
    (0..asked("MODEL_CASES").unwrap_or(cases))
        .map(|case| {
            let mut bytes = [0; 32];
            for (part, value) in bytes.chunks_mut(8).zip([seed, case, salt]) {
                part.copy_from_slice(&value.to_be_bytes());
            }
            let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
            let mut runner = TestRunner::new_with_rng(Config::default(), rng);
            strategy.new_tree(&mut runner).unwrap().current()
        })
        .collect()
}

fn shown(world: &World) -> String {
    format!(
        "now = {}, holds = {:?}\n\n{}\n{}\n{}",
        world.now,
        world.holds,
        world.schedule_toml(),
        world.schema_sql(),
        world.rows_sql()
    )
}

fn today(world: &World) -> NaiveDate {
    world
        .now
        .with_timezone(&chrono_tz::Europe::London)
        .date_naive()
}

/// The world's rows and holds in a database that was emptied of the one before.
async fn enter(url: &str, world: &World) {
    let mut conn = support::client(url).await;
    load(world, &mut conn).await.unwrap();
    conn.close().await.unwrap();
    for hold in &world.holds {
        let key: Vec<&str> = hold.key.iter().map(String::as_str).collect();
        support::hold(url, &hold.table, &key, hold.until).await;
    }
}

async fn leave(url: &str, world: &World) {
    let mut clean = "DELETE FROM retentiond.hold;".to_owned();
    for table in &world.tables {
        clean.push_str(&format!("DROP TABLE {} CASCADE;", quoted(&table.name)));
    }
    support::sql(url, &clean).await;
}

async fn room() -> String {
    support::copy_of(&support::migrated().await).await
}

#[tokio::test]
async fn a_forecast_is_what_the_plan_of_each_months_last_day_counts() {
    let url = room().await;
    let (mut due, mut held, mut waiting) = (0, 0, 0);
    for world in each(&little_worlds(&[]), 1, 10) {
        enter(&url, &world).await;
        let schedule = support::schedule(&world.schedule_toml());
        let mut conn = support::ours(&url).await;
        let drawn = survey::draw(&mut conn, &schedule, world.now).await.unwrap();
        // More days than one statement asks about.
        let forecast = survey::forecast(&mut conn, &schedule, &drawn, 30)
            .await
            .unwrap();
        assert_eq!(forecast.days.len(), 31);
        for (nth, day) in forecast
            .days
            .iter()
            .enumerate()
            .take(9)
            .chain([(30, forecast.days.last().unwrap())])
        {
            let then = support::at(&day.to_string());
            let plan = survey::draw(&mut conn, &schedule, then).await.unwrap().plan;
            let counted = survey::count(&mut conn, &plan).await.unwrap();
            for (class, counted) in forecast.classes.iter().zip(&counted) {
                assert_eq!(class.id, counted.id);
                let foreseen = class.outlooks.as_ref().map(|days| {
                    let o = days[nth];
                    (o.due, o.held, o.conflict, o.waiting, o.active)
                });
                let planned = counted
                    .counts
                    .as_ref()
                    .map(|c| (c.due, c.held, c.conflict, c.waiting, c.active));
                assert_eq!(
                    foreseen,
                    planned,
                    "{} on {day}\n{}",
                    class.id,
                    shown(&world)
                );
                if let (Some(planned), true) = (planned, nth > 0) {
                    due += planned.0;
                    held += planned.1;
                    waiting += planned.3;
                }
            }
        }
        conn.close().await.unwrap();
        leave(&url, &world).await;
    }
    // There was something to foresee.
    assert!(
        due > 100 && held > 10 && waiting > 3,
        "{due} {held} {waiting}"
    );
}

/// A world, and the same with another version of its schedule.
fn changed() -> impl Strategy<Value = (World, World)> {
    (
        little_worlds(&[]),
        prop::collection::vec((0..9_u8, any::<u8>()), 1..=3),
    )
        .prop_map(|(old, edits)| {
            let mut new = old.clone();
            for (edit, which) in edits {
                change(&mut new, edit, usize::from(which));
            }
            (old, new)
        })
}

fn change(world: &mut World, edit: u8, which: usize) {
    let nth = which % world.classes.len();
    let other = world.classes[(which / 7) % world.classes.len()].clone();
    if edit == 0 {
        if world.classes.len() > 1 {
            world.classes.remove(nth);
        }
        return;
    }
    let class = &mut world.classes[nth];
    match edit {
        1 => return class.claim = None,
        2 => return class.claim = other.claim,
        3 => return class.rule = Rule::Retain,
        _ => {}
    }
    let (Rule::Dispose(rule), Rule::Dispose(theirs)) = (&mut class.rule, &other.rule) else {
        return;
    };
    match edit {
        4 => rule.maximum = !rule.maximum,
        5 => rule.period = theirs.period.clone(),
        6 => {
            rule.gate = match rule.gate {
                Gate::None => Gate::Review,
                Gate::Review | Gate::Instruction => Gate::None,
            }
        }
        7 => {
            rule.disposal = Disposal::Flag;
            rule.dependants.clear();
        }
        _ => rule.trigger = theirs.trigger.clone(),
    }
}

/// By table, the class under which the row is due by each version, and how many such rows.
type Verdicts = BTreeMap<(String, Option<String>, Option<String>), u64>;

/// The model's verdict about every row, one at a time.
fn verdicts(old: &World, new: &World) -> Verdicts {
    let state = State::of(old);
    let on = today(old);
    let due = |world: &World| -> BTreeMap<_, String> {
        let view = View::new(world, &state, on, false);
        let classes = world.classes.iter();
        classes
            .filter(|class| world.refusal(class).is_none() && class.dispose().is_some())
            .flat_map(|class| {
                let rows = state.rows.keys().filter(|id| id.table == class.table);
                rows.filter(|id| view.due(class, id))
                    .map(|id| (id.clone(), class.id.clone()))
                    .collect::<Vec<_>>()
            })
            .collect()
    };
    let (before, after) = (due(old), due(new));
    let mut verdicts = Verdicts::new();
    for id in state.rows.keys() {
        let (was, is) = (before.get(id).cloned(), after.get(id).cloned());
        if was.is_some() || is.is_some() {
            let table = format!("public.{}", id.table);
            *verdicts.entry((table, was, is)).or_default() += 1;
        }
    }
    verdicts
}

#[tokio::test]
async fn a_comparison_is_what_the_model_says_of_every_row_under_each_version() {
    let url = room().await;
    let mut found: BTreeMap<Effect, u64> = BTreeMap::new();
    for (old, new) in each(&changed(), 2, 60) {
        enter(&url, &old).await;
        let mut conn = support::ours(&url).await;
        let before = support::schedule(&old.schedule_toml());
        let after = support::schedule(&new.schedule_toml());
        let drawn_before = survey::draw(&mut conn, &before, old.now).await.unwrap();
        let drawn_after = survey::draw(&mut conn, &after, old.now).await.unwrap();
        let against = survey::against(&mut conn, (&before, &drawn_before), (&after, &drawn_after))
            .await
            .unwrap();
        let told = || format!("new version:\n{}\n{}", new.schedule_toml(), shown(&old));
        let mut said = Verdicts::new();
        for change in &against.changes {
            let class = |side: &Side| match side {
                Side::Due(class, _) => Some(class.to_string()),
                Side::Not(_) => None,
            };
            let key = (
                change.table.to_string(),
                class(&change.old),
                class(&change.new),
            );
            *said.entry(key).or_default() += change.records;
            *found.entry(change.effect).or_default() += change.records;
        }
        assert_eq!(said, verdicts(&old, &new), "{}", told());
        // And so it adds up to what each plan counts.
        for (drawn, new_side) in [(&drawn_before, false), (&drawn_after, true)] {
            let counted = survey::count(&mut conn, &drawn.plan).await.unwrap();
            for class in counted {
                let due = class.counts.map_or(0, |counts| counts.due);
                let here = against.changes.iter().filter(|change| {
                    let side = if new_side { &change.new } else { &change.old };
                    matches!(side, Side::Due(due, _) if *due == class.id)
                });
                let here: u64 = here.map(|change| change.records).sum();
                assert_eq!(here, due, "{} {new_side}\n{}", class.id, told());
            }
        }
        conn.close().await.unwrap();
        leave(&url, &old).await;
    }
    for effect in Effect::ALL {
        let records = found.get(&effect).copied().unwrap_or(0);
        assert!(records > 0, "{effect:?}: only {records}");
    }
}

#[tokio::test]
async fn against_itself_nothing_changes() {
    let url = room().await;
    let mut alike = 0;
    for world in each(&little_worlds(&[]), 3, 12) {
        enter(&url, &world).await;
        let mut conn = support::ours(&url).await;
        let schedule = support::schedule(&world.schedule_toml());
        let drawn = survey::draw(&mut conn, &schedule, world.now).await.unwrap();
        let against = survey::against(&mut conn, (&schedule, &drawn), (&schedule, &drawn))
            .await
            .unwrap();
        let counted = survey::count(&mut conn, &drawn.plan).await.unwrap();
        for effect in [
            Effect::BecomesDue,
            Effect::NoLongerDue,
            Effect::OtherDisposal,
        ] {
            assert_eq!(against.records(None, effect), 0, "{}", shown(&world));
        }
        for class in counted {
            let due = class.counts.map_or(0, |counts| counts.due);
            assert_eq!(against.records(Some(&class.id), Effect::Alike), due);
            alike += due;
        }
        for rows in against.dependants.values() {
            assert_eq!((rows.more, rows.fewer), (0, 0), "{}", shown(&world));
        }
        conn.close().await.unwrap();
        leave(&url, &world).await;
    }
    assert!(alike > 5, "{alike}");
}
