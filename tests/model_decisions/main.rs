//! Random sequences of what people decide and applications write, against a plain model.
//!
//! Each sequence happens twice: in a real database, by the calls that the program makes, and in
//! [`model`], which is the rules' page written down in Rust and knows nothing of SQL. After each pass
//! both have to agree on every row and its values, on the report, and on the ledger: one line
//! for each row that went or changed, with its action, class, trigger and last day, and one
//! entry for each decision. At its end the ledger has to verify.
//!
//! The sequences are the same on every run. `DECISIONS_CASES` asks for more of them than
//! [`CASES`], `DECISIONS_SEED` for others, `DECISIONS_FIRST` for a later beginning: what a
//! failure prints runs its sequence alone.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/stage.rs"]
mod stage;
#[path = "../support/mod.rs"]
mod support;

mod drive;
mod model;
mod steps;
mod world;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use drive::Fault;
use steps::Sequence;

/// So many sequences, unless `DECISIONS_CASES` says otherwise.
const CASES: u64 = 120;

/// So often a failing sequence is tried with some steps less.
const TRIES: usize = 100;

fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is a number"))
    })
}

fn seed() -> u64 {
    asked("DECISIONS_SEED").unwrap_or(1)
}

/// Takes steps out of a failing sequence as long as it fails; answers the shortest and its fault.
async fn shortest(mut best: Sequence, fault: Fault) -> (Sequence, String) {
    best.steps.truncate(fault.steps);
    let mut why = fault.what;
    let mut tries = 0;
    for many in [8, 4, 2, 1, 1] {
        let mut at = best.steps.len();
        while at > 0 && tries < TRIES {
            tries += 1;
            let from = at.saturating_sub(many);
            let mut shorter = best.clone();
            shorter.steps.drain(from..at);
            at = from;
            if let Err(fault) = drive::run(&shorter).await {
                shorter.steps.truncate(fault.steps);
                at = at.min(fault.steps);
                (best, why) = (shorter, fault.what);
            }
        }
    }
    (best, why)
}

#[test]
fn what_people_decide_has_the_effects_that_the_rules_say() {
    let (seed, first) = (seed(), asked("DECISIONS_FIRST").unwrap_or(0));
    let cases = asked("DECISIONS_CASES").unwrap_or(CASES);
    println!("DECISIONS_SEED={seed} DECISIONS_FIRST={first} DECISIONS_CASES={cases}");
    let next = AtomicU64::new(first);
    let failure: Mutex<Option<String>> = Mutex::new(None);
    let seen: Mutex<BTreeMap<&'static str, u64>> = Mutex::default();
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
            let sequence = Sequence::random(seed, case);
            match runtime.block_on(drive::run(&sequence)) {
                Ok(model) => {
                    let mut seen = seen.lock().unwrap();
                    for (what, times) in model.seen {
                        *seen.entry(what).or_default() += times;
                    }
                }
                Err(fault) => {
                    let (shorter, why) = runtime.block_on(shortest(sequence, fault));
                    let again =
                        format!("DECISIONS_SEED={seed} DECISIONS_FIRST={case} DECISIONS_CASES=1");
                    failure
                        .lock()
                        .unwrap()
                        .get_or_insert(format!("{again}\n{shorter}\n{why}"));
                }
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
    let seen = seen.into_inner().unwrap();
    for (what, times) in &seen {
        println!("{times:6} {what}");
    }
}
