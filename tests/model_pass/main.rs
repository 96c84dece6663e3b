//! The engine against the slow model, on random worlds.
//!
//! A world is loaded into a fresh database; the engine plans and passes; the model,
//! which shares no code with it, says what the plan had to count, which rows had to
//! go and which had to stay, and the ledger must tell exactly what happened. The model
//! itself is held against PostgreSQL on the same worlds.
//!
//! What the engine does not do yet is left out of [`FEATURES`].
//!
//! The worlds are the same on every run. `MODEL_CASES` asks for more of them than
//! [`CASES`], `MODEL_SEED` for others, `MODEL_FIRST` for a later beginning: what a
//! failure prints runs its world alone.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../model/mod.rs"]
mod model;
#[path = "../support/mod.rs"]
mod support;

#[path = "../model_rules/examples.rs"]
#[allow(dead_code, unused_imports)]
mod examples;
mod found;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};
use retentiond::enforce::Throttle;
use retentiond::review;
use retentiond::schedule::Schedule;
use retentiond::survey;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tokio::sync::OnceCell;

use model::compare::{End, FLAGS, end_differs, first_pass_differs, ledger_differs, plan_differs};
use model::counts::{due, plan};
use model::features::Feature;
use model::pass::{one_pass_is_enough, settle_from};
use model::postgres::{changes_sql, disagreements, load, possible};
use model::render::quoted;
use model::rules::State;
use model::world::{Hold, World};

/// Worlds in which every declaration is made, unless `MODEL_CASES` says otherwise.
const CASES: u64 = 60;

/// What the engine does so far of what the model knows.
const FEATURES: &[Feature] = &[
    Feature::Rounding,
    Feature::Tolerance,
    Feature::Plausible,
    Feature::Zone,
    Feature::Activity,
    Feature::Stages,
    Feature::Notice,
    Feature::Days,
    Feature::Related,
    Feature::Loose,
    Feature::Threads,
    Feature::AtOnce,
];

/// After so many passes on one day nothing may change any more.
const ENOUGH: usize = 8;

/// A database for one world after another: to make one takes longer than to judge a world.
struct Room {
    url: String,
    worlds: usize,
}

/// After so many worlds a room is pulled down, since its ledger cannot be emptied.
const WORLDS_IN_A_ROOM: usize = 25;

/// Rooms that are empty. One in which something panicked never comes back.
static ROOMS: Mutex<Vec<Room>> = Mutex::new(Vec::new());

impl Room {
    async fn enter() -> Self {
        static TEMPLATE: OnceCell<String> = OnceCell::const_new();
        // PostgreSQL copies a template for one at a time.
        static COPYING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
        let free = ROOMS.lock().unwrap().pop();
        if let Some(room) = free {
            return room;
        }
        let template = TEMPLATE.get_or_init(support::migrated).await;
        let _turn = COPYING.lock().await;
        Self {
            url: support::copy_of(template).await,
            worlds: 0,
        }
    }

    /// Takes away what the world and its passes have left, except in the ledger.
    async fn leave(mut self, world: &World) {
        self.worlds += 1;
        if self.worlds >= WORLDS_IN_A_ROOM {
            return support::discard(&self.url).await;
        }
        let mut clean: String = world
            .tables
            .iter()
            .map(|table| format!("DROP TABLE {} CASCADE;", quoted(&table.name)))
            .collect();
        for table in [
            "hold",
            "flag",
            "quarantine",
            "position",
            "run",
            "class_state",
            "lease",
            "file_work",
        ] {
            clean.push_str(&format!("DELETE FROM retentiond.{table};"));
        }
        support::sql(&self.url, &clean).await;
        ROOMS.lock().unwrap().push(self);
    }
}

/// Small batches in some worlds, so that records of one class fall into several.
fn throttle(world: &World) -> Throttle {
    let rows: usize = world.tables.iter().map(|table| table.rows.len()).sum();
    match rows % 3 {
        0 => Throttle {
            first: 1,
            most: 3,
            ..Throttle::FULL_SPEED
        },
        1 => Throttle {
            first: 4,
            most: 7,
            batch: Duration::from_secs(9),
            ..Throttle::FULL_SPEED
        },
        _ => Throttle::FULL_SPEED,
    }
}

/// Everything that is wrong with how the engine treats a world, and with the model itself.
async fn faults(world: &World) -> Vec<String> {
    let schedule = support::schedule(&world.schedule_toml());
    let mut state = State::of(world);

    let room = Room::enter().await;
    let url = &room.url;
    let mut connection = support::client(url).await;
    load(world, &mut connection)
        .await
        .expect("the world is loaded");
    // The model is no better than its logic, calendar and keys: PostgreSQL is asked about them.
    let refused = |error: sqlx::Error| vec![error.to_string()];
    let mut faults = named(
        "model",
        disagreements(world, &mut connection)
            .await
            .unwrap_or_else(refused),
    );
    let mut holds: Vec<(Hold, i64)> = Vec::new();
    let mut ours = support::ours(url).await;
    let mut placed = world.holds.clone();
    for (number, later) in [None]
        .into_iter()
        .chain(world.later.iter().map(Some))
        .enumerate()
    {
        let now = later.map_or(world.now, |later| later.now);
        if let Some(later) = later {
            sqlx::raw_sql(AssertSqlSafe(changes_sql(world, later)))
                .execute(&mut connection)
                .await
                .expect("the rows are changed");
            for (_, id) in holds.extract_if(.., |(hold, _)| later.released.contains(&hold.row())) {
                review::release_hold(&mut ours, id, "settled", "test", now)
                    .await
                    .expect("the hold is released");
            }
            placed = state.then(later);
        }
        for hold in &placed {
            let key: Vec<&str> = hold.key.iter().map(String::as_str).collect();
            let id = support::hold(url, &hold.table, &key, hold.until).await;
            holds.push((hold.clone(), id));
        }
        let (end, found) = day(
            world,
            &schedule,
            &state,
            now,
            &mut connection,
            &mut ours,
            url,
        )
        .await;
        faults.extend(named(&format!("day {number}"), found));
        match end.filter(|_| faults.is_empty()) {
            Some(end) => state = end,
            None => break,
        }
    }
    connection.close().await.expect("the connection closes");
    ours.close().await.expect("the connection closes");
    room.leave(world).await;
    faults
}

/// One day: its plan, its passes until nothing changes, its end and what the ledger says of it.
/// Answers the state that the day came to, if it is one that is permitted.
async fn day(
    world: &World,
    schedule: &Schedule,
    start: &State,
    now: DateTime<Utc>,
    connection: &mut PgConnection,
    ours: &mut PgConnection,
    url: &str,
) -> (Option<State>, Vec<String>) {
    let today = now.with_timezone(&chrono_tz::Europe::London).date_naive();
    let permitted = settle_from(world, start, today);
    let told = support::number(url, "SELECT count(*) FROM retentiond.ledger_entry").await;
    let mut faults = Vec::new();
    for end in &permitted {
        faults.extend(named(
            "model's end",
            possible(world, end, &mut *connection)
                .await
                .unwrap_or_else(|error| vec![error.to_string()]),
        ));
    }
    let shown = planned(ours, schedule, now).await;
    faults.extend(named("plan", plan_differs(&shown, &permitted[0].counts)));
    // Where the model's first pass leaves nothing to do, nor may a second of the engine's.
    let once = one_pass_is_enough(world, start, today);

    let mut before = End::of(start);
    for number in 1..=ENOUGH {
        let report = support::pass_on(ours, schedule, now, throttle(world)).await;
        for class in &report.classes {
            let refused = world.refusal(world.class(class.id.as_str())).is_some();
            if class.failed > 0 || (class.reason.is_some() && !refused) {
                faults.push(format!(
                    "pass {number}: {} failed on {} ({:?})",
                    class.id, class.failed, class.reason
                ));
            }
        }
        let now = End::read(world, &mut *connection, Some(FLAGS))
            .await
            .expect("the rows");
        if number == 1 {
            let due = due(world, start, today);
            faults.extend(named(
                "pass 1",
                first_pass_differs(start, &permitted, &due, &now),
            ));
        }
        if now == before {
            break;
        }
        if number == 2 && once {
            faults.push("the second pass of the day changed something".to_owned());
        }
        if number == ENOUGH {
            faults.push(format!(
                "after {ENOUGH} passes on one day the rows still change"
            ));
        }
        before = now;
    }

    faults.extend(named("end", end_differs(&permitted, &before)));
    let ledger = support::ledger(url).await;
    let lines = records(&ledger[usize::try_from(told).expect("a count")..]);
    faults.extend(named(
        "ledger",
        ledger_differs(world, start, &permitted, &before, &lines),
    ));
    // A settled database has nothing due, and is counted like any other.
    let end = permitted
        .into_iter()
        .find(|end| End::of(&end.state) == before);
    if let Some(end) = &end {
        let shown = planned(ours, schedule, now).await;
        faults.extend(named(
            "plan after",
            plan_differs(&shown, &plan(world, &end.state, today)),
        ));
    }
    (end.map(|end| end.state), faults)
}

/// The plan of an instant with its counts, as JSON.
async fn planned(
    ours: &mut PgConnection,
    schedule: &Schedule,
    now: DateTime<Utc>,
) -> serde_json::Value {
    let drawn = survey::draw(ours, schedule, now)
        .await
        .expect("a plan can be drawn");
    let counted = survey::count(ours, &drawn.plan)
        .await
        .unwrap_or_else(|e| panic!("{e}"));
    support::plan_shown(&drawn.plan, &counted)
}

fn named(what: &str, found: Vec<String>) -> Vec<String> {
    found
        .into_iter()
        .map(|fault| format!("{what}: {fault}"))
        .collect()
}

/// An object for each record of each entry, as `model::compare::Line::read` reads it.
fn records(entries: &[serde_json::Value]) -> Vec<serde_json::Value> {
    let mut lines = Vec::new();
    for entry in entries {
        for record in entry["records"].as_array().expect("the details are there") {
            let mut line = record.clone();
            for field in ["action", "class", "table"] {
                line[field] = entry[field].clone();
            }
            lines.push(line);
        }
    }
    lines
}

/// A failing world is shown as the texts that make it.
fn judge(world: &World, runtime: &tokio::runtime::Runtime) -> Result<(), TestCaseError> {
    let faults = runtime.block_on(faults(world));
    prop_assert!(
        faults.is_empty(),
        "{}\n\nnow = {}, holds = {:?}, later = {:#?}\n\n{}\n{}\n{}",
        faults.join("\n"),
        world.now,
        world.holds,
        world.later,
        world.schedule_toml(),
        world.schema_sql(),
        world.rows_sql(),
    );
    Ok(())
}

fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is a number"))
    })
}

/// Each world is made from the seed and its own number alone.
fn runner(seed: u64, case: u64) -> TestRunner {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_be_bytes());
    bytes[8..16].copy_from_slice(&case.to_be_bytes());
    let config = Config {
        max_shrink_iters: asked("MODEL_SHRINK").unwrap_or(100) as u32,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

/// Judges worlds on every processor; the first that fails, made small, is the panic.
fn judge_all<S: Strategy<Value = World>>(worlds: impl Fn() -> S + Sync, cases: u64) {
    let seed = asked("MODEL_SEED").unwrap_or(0);
    let first = asked("MODEL_FIRST").unwrap_or(0);
    let next = AtomicU64::new(first);
    let failure: Mutex<Option<String>> = Mutex::new(None);
    let work = || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        loop {
            let case = next.fetch_add(1, Ordering::Relaxed);
            if case >= first + cases || failure.lock().unwrap().is_some() {
                return;
            }
            let mut runner = runner(seed, case);
            let world = worlds().new_tree(&mut runner).expect("a world");
            // The first failure's words are kept with the smallest world's.
            let judged = runner.run_one(world, |world| judge(&world, &runtime));
            if let Err(TestError::Fail(reason, _)) = judged {
                let again = format!("MODEL_SEED={seed} MODEL_FIRST={case} MODEL_CASES=1");
                failure
                    .lock()
                    .unwrap()
                    .get_or_insert(format!("{again}\n{reason}"));
            }
        }
    };
    let workers = std::thread::available_parallelism()
        .map_or(1, usize::from)
        .min(4);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(work);
        }
    });
    if let Some(failure) = failure.into_inner().unwrap() {
        panic!("{failure}");
    }
}

#[test]
fn the_schedule_of_every_world_is_read() {
    for case in 0..500 {
        let mut runner = runner(asked("MODEL_SEED").unwrap_or(0), case);
        let world = model::strategies::little_worlds(FEATURES)
            .new_tree(&mut runner)
            .expect("a world")
            .current();
        let read = support::schedule(&world.schedule_toml());
        assert_eq!(read.classes().len(), world.classes.len());
    }
}

#[test]
fn the_engine_does_what_the_rules_say() {
    judge_all(
        || model::strategies::worlds(FEATURES),
        asked("MODEL_CASES").unwrap_or(CASES),
    );
}

#[test]
fn a_class_that_omits_a_declaration_does_nothing() {
    judge_all(
        || model::strategies::omitting(FEATURES),
        asked("MODEL_CASES").unwrap_or(CASES) / 5,
    );
}
