//! Random sequences of what people decide and applications write, against a plain model.
//!
//! Each sequence happens twice: in a real database, by the calls that the program makes, and in
//! [`model`] and [`judge`], which are the rules' page written down in Rust and know nothing of SQL. After each pass
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

mod compare;
mod drive;
mod judge;
mod model;
mod steps;
mod world;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use drive::Fault;
use steps::Sequence;

/// So many sequences, unless `DECISIONS_CASES` says otherwise.
const CASES: u64 = 80;

const SEED: u64 = 1;

/// So often a failing sequence is tried with some steps less.
const TRIES: usize = 100;

fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is a number"))
    })
}

fn seed() -> u64 {
    asked("DECISIONS_SEED").unwrap_or(SEED)
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
            let (sequence, reached) = Sequence::random(seed, case);
            match runtime.block_on(drive::run(&sequence)) {
                // What the sequences are known to reach, they reached.
                Ok(model) => assert_eq!(model.seen, reached.seen),
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
}

/// Every kind of step and every outcome that the sequences of every run have to reach, and how
/// often at the least. Some are rare: a sequence has to come to them by itself.
const REACHED: &[(&str, u64)] = &[
    ("a claim in doubt", 30),
    ("a conflict", 10),
    ("a hold", 430),
    ("a hold on a page", 20),
    ("a hold's end passed", 55),
    ("a notice", 10),
    ("a notice begun", 20),
    ("a number given again", 20),
    ("a pause", 220),
    ("a request refused by a hold", 40),
    ("a restriction", 35),
    ("an approval used up", 55),
    ("an approval void", 40),
    ("an exemption", 35),
    ("an instruction over", 6),
    ("anonymised", 85),
    ("deleted", 210),
    ("erased by request", 70),
    ("flagged", 60),
    ("gone after notice", 15),
    ("gone by instruction", 10),
    ("gone by its trigger", 260),
    ("gone by two approvals", 8),
    ("gone by two classes", 50),
    ("gone without consent", 4),
    ("no approval", 220),
    ("no instruction", 195),
    ("saved by a hold that is released", 2),
    ("saved only by a hold", 120),
    ("saved only by a hold on a page", 10),
    ("step: another schedule", 205),
    ("step: approve", 95),
    ("step: ask for erasure", 55),
    ("step: days", 355),
    ("step: delete", 55),
    ("step: hand on", 10),
    ("step: hold on a class", 35),
    ("step: hold on a condition", 20),
    ("step: hold on a person", 60),
    ("step: hold on a record", 90),
    ("step: insert", 740),
    ("step: instruct", 70),
    ("step: keep", 10),
    ("step: pass", 395),
    ("step: pause", 45),
    ("step: release", 60),
    ("step: resume", 25),
    ("step: revoke", 10),
    ("step: take a request back", 10),
    ("step: update", 160),
    ("step: withdraw an instruction", 10),
    ("too few approvals", 75),
];

#[test]
fn the_sequences_reach_every_decision_and_every_outcome() {
    let mut seen: BTreeMap<&str, u64> = BTreeMap::new();
    let mut steps = 0;
    for case in 0..CASES {
        let (sequence, model) = Sequence::random(SEED, case);
        steps += sequence.steps.len();
        for (what, times) in model.seen {
            *seen.entry(what).or_default() += times;
        }
    }
    println!("{steps} steps in {CASES} sequences");
    for (what, times) in &seen {
        println!("{times:6} {what}");
    }
    let rare: Vec<_> = REACHED
        .iter()
        .map(|(what, least)| (*what, seen.get(what).copied().unwrap_or(0), *least))
        .filter(|(_, times, least)| times < least)
        .collect();
    assert_eq!(
        rare,
        [],
        "what happens too seldom: how often, and how often at the least"
    );
    let uncounted: Vec<_> = seen
        .keys()
        .filter(|what| REACHED.iter().all(|(known, _)| known != *what))
        .collect();
    assert_eq!(
        uncounted,
        [""; 0].iter().collect::<Vec<_>>(),
        "what REACHED does not name"
    );
}
