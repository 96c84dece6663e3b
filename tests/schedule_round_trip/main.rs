//! A random schedule with every key there is, printed by a printer that knows nothing of the
//! reader, is read as what it was printed from: in each layout, and by the editors' schema
//! too. What is meant otherwise has another digest.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod drawn;
mod print;
mod written;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{RngSeed, TestRunner};
use retentiond::schedule::{self, EndOf, Fate, Gate, Limit, Schedule, Severity, json_schema};
use serde_json::Value;

use print::{Layout, print};
use written::{Class, Elsewhere, Order, Written, meaning, read_back};

const LAYOUTS: [Layout; 3] = [Layout::Plain, Layout::Loose, Layout::Tables];

fn read(file: &str) -> Schedule {
    schedule::parse(file, "f").unwrap_or_else(|e| panic!("{}\n{file}", e.render(false)))
}

/// The file as an editor hands it to the schema: dates as texts.
fn as_json(value: toml::Value) -> Value {
    match value {
        toml::Value::Datetime(date) => date.to_string().into(),
        toml::Value::Array(list) => list.into_iter().map(as_json).collect(),
        toml::Value::Table(table) => table
            .into_iter()
            .map(|(key, value)| (key, as_json(value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => number.into(),
        toml::Value::Boolean(truth) => truth.into(),
    }
}

fn json(file: &str) -> Value {
    as_json(toml::Value::Table(file.parse().unwrap()))
}

fn settled(cases: u32) -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        // The same schedules in each run.
        rng_seed: RngSeed::Fixed(3),
        ..ProptestConfig::with_cases(cases)
    }
}

proptest! {
    #![proptest_config(settled(40))]

    #[test]
    fn what_was_printed_is_read_again(whole in drawn::written()) {
        let validator = validator();
        let mut digests = BTreeSet::new();
        for layout in LAYOUTS {
            let file = print(&whole, layout);
            let schedule = read(&file);
            prop_assert_eq!(&read_back(&schedule), &whole, "{:?}\n{}", layout, file);
            prop_assert!(schedule.warnings().iter().all(|w| w.severity == Severity::Warning));
            digests.insert(*schedule.digest());
            // What an editor would show in this good file.
            let faults: Vec<String> = validator.iter_errors(&json(&file)).map(|e| e.to_string()).collect();
            prop_assert!(faults.is_empty(), "{:?}: {:?}\n{}", layout, faults, file);
        }
        prop_assert_eq!(digests.len(), 1, "layout has a meaning");
    }
}

proptest! {
    #![proptest_config(settled(24))]

    /// One part of one class taken from another schedule: the digest changes if and only if
    /// the meaning does.
    #[test]
    fn another_meaning_has_another_digest(whole in drawn::written(), other in drawn::written()) {
        let read_whole = read(&print(&whole, Layout::Loose));
        for part in 0..PARTS {
            let mut changed = whole.clone();
            take(&mut changed, &other, part);
            let Ok(read_changed) = schedule::parse(&print(&changed, Layout::Plain), "f") else {
                // The part does not fit beside the rest (a stage that comes too late).
                continue;
            };
            prop_assert_eq!(&read_back(&read_changed), &changed);
            let same = meaning(&whole) == meaning(&changed);
            prop_assert_eq!(read_whole.digest() == read_changed.digest(), same, "part {}", part);
        }
    }
}

const PARTS: usize = 51;

/// Puts a part of `other` in the place of the same of `whole`.
fn take(whole: &mut Written, other: &Written, part: usize) {
    match part {
        0 => whole.organisation.clone_from(&other.organisation),
        1 => whole.zone.clone_from(&other.zone),
        // A timetable's digest is of its times, and each of those drawn has others.
        2 => whole.every.clone_from(&other.every),
        3 => whole.accept = other.accept,
        4 => {
            let other = other.classes.first().cloned();
            whole.classes.extend(other.map(|other| Class {
                id: "one-more".to_owned(),
                ..other
            }));
        }
        5 => whole.classes.reverse(),
        31 => whole.details_kept = other.details_kept,
        49 => whole.appeal_window = other.appeal_window,
        34 => whole.processors.reverse(),
        35 => {
            let other = other.processors.first().cloned();
            whole.processors.extend(other.map(|other| Elsewhere {
                id: "one-more".to_owned(),
                ..other
            }));
        }
        36..=46 => {
            if let (Some(class), Some(other)) =
                (whole.processors.first_mut(), other.processors.first())
            {
                take_of_processor(class, other, part);
            }
        }
        _ => {
            if let (Some(class), Some(other)) = (whole.classes.first_mut(), other.classes.first()) {
                take_of_class(class, other, part);
            }
        }
    }
}

fn take_of_processor(class: &mut Elsewhere, other: &Elsewhere, part: usize) {
    match part {
        36 => class.id.clone_from(&other.id),
        37 => class.title.clone_from(&other.title),
        38 => class.processor.clone_from(&other.processor),
        39 => class.authority.clone_from(&other.authority),
        40 => class.basis.clone_from(&other.basis),
        41 => class.owner.clone_from(&other.owner),
        42 => class.review_on = other.review_on,
        43 => class.gate = other.gate,
        44 => class.tolerance = other.tolerance,
        45 => class.term = other.term,
        // The period alone.
        _ => {
            if let (Some((_, span, _)), Some((_, other, _))) = (&mut class.term, &other.term) {
                *span = *other;
            }
        }
    }
}

fn take_of_class(class: &mut Class, other: &Class, part: usize) {
    let table = class.table.clone();
    match (part, &mut class.order, &other.order) {
        (6, ..) => class.id.clone_from(&other.id),
        (7, ..) => class.title.clone_from(&other.title),
        (8, ..) => class.authority.clone_from(&other.authority),
        (9, ..) => class.basis.clone_from(&other.basis),
        (10, ..) => class.claim.clone_from(&other.claim),
        (32, ..) => class.subject.clone_from(&other.subject),
        (11, ..) => {
            class.order.clone_from(&other.order);
            if let Order::Dispose(rule) = &mut class.order {
                drawn::agree(rule, &table);
            }
        }
        (_, Order::Dispose(rule), Order::Dispose(other)) => {
            match part {
                12 => rule.trigger.clone_from(&other.trigger),
                13 => rule.plausible_from = other.plausible_from,
                14 => rule.trigger_zone.clone_from(&other.trigger_zone),
                15 => rule.from_end_of = other.from_end_of,
                16 => rule.period = other.period,
                17 => rule.tolerance = other.tolerance,
                18 => rule.unless_active.clone_from(&other.unless_active),
                19 => rule.limit = other.limit,
                20 => rule.disposal.clone_from(&other.disposal),
                21 => rule.stages.clone_from(&other.stages),
                22 => rule.notice = other.notice,
                23 => (rule.gate, rule.preview) = (other.gate, other.preview.clone()),
                24 => rule.dependants.clone_from(&other.dependants),
                25 => rule.files.clone_from(&other.files),
                26 => rule.max_rows = other.max_rows,
                27 => rule.max_share = other.max_share,
                28 => rule.max_growth = other.max_growth,
                29 => rule.erasure = other.erasure,
                33 => rule.approvals = other.approvals,
                48 => rule.erasure_right = other.erasure_right,
                50 => rule.every.clone_from(&other.every),
                47 => rule.or_when.clone_from(&other.or_when),
                // One word of one entry.
                _ => {
                    for (dependant, other) in rule.dependants.iter_mut().zip(&other.dependants) {
                        dependant.related.clone_from(&other.related);
                    }
                }
            }
            drawn::agree(rule, &table);
        }
        _ => {}
    }
}

fn validator() -> jsonschema::Validator {
    jsonschema::draft7::new(&json_schema::document()).unwrap()
}

/// What the keys of these tables of the file have as values, by table and key, as texts.
fn keys_written(file: &Value, found: &mut BTreeMap<(&'static str, String), BTreeSet<String>>) {
    let mut note = |table: &'static str, value: &Value| {
        for (key, value) in value.as_object().into_iter().flatten() {
            found
                .entry((table, key.clone()))
                .or_default()
                .insert(value.to_string());
        }
    };
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    note("file", file);
    note("schedule", &file["schedule"]);
    for class in list(&file["class"]) {
        note("class", &class);
        let inside = [
            ("trigger", "trigger"),
            ("stages", "stage"),
            ("dependants", "dependant"),
            ("files", "file column"),
        ];
        for (key, table) in inside {
            list(&class[key])
                .iter()
                .for_each(|entry| note(table, entry));
        }
    }
}

#[test]
fn every_known_key_is_drawn_and_every_word() {
    let mut runner = TestRunner::deterministic();
    let mut found = BTreeMap::new();
    for _ in 0..200 {
        let whole = drawn::written().new_tree(&mut runner).unwrap().current();
        keys_written(&json(&print(&whole, Layout::Plain)), &mut found);
    }
    for (table, known, later) in json_schema::tables() {
        for key in known {
            assert!(
                found.contains_key(&(table, (*key).to_owned())),
                "the reader knows `{key}` in {table}, and no schedule that is drawn has it: \
                 add it to tests/schedule_round_trip, in written.rs, drawn.rs and print.rs"
            );
        }
        for key in later {
            assert!(
                !found.contains_key(&(table, (*key).to_owned())),
                "{table}.{key}"
            );
        }
    }
    let words = |table, key: &str| -> BTreeSet<String> {
        let values = &found[&(table, key.to_owned())];
        values
            .iter()
            .map(|word| word.trim_matches('"').to_owned())
            .collect()
    };
    let has = |table, key: &str, all: &[&str]| {
        let words = words(table, key);
        for word in all {
            assert!(words.contains(*word), "{table}.{key} = {word:?}");
        }
    };
    // Of `none`, `minimum` and `delete`, leaving the key out says the same.
    has("class", "limit", &[Limit::Maximum.name()]);
    has(
        "class",
        "gate",
        &[Gate::Review.name(), Gate::Instruction.name()],
    );
    has("class", "from_end_of", &EndOf::ALL.map(EndOf::name));
    has(
        "class",
        "disposal",
        &["flag", "anonymise", "delete", "retain"],
    );
    has("stage", "disposal", &["flag", "anonymise"]);
    has("dependant", "action", &[Fate::Unlink.name()]);
    has("class", "erasure", &["secure"]);
    has("schedule", "accept", &["automatic"]);
    for table in ["class", "stage"] {
        let columns = words(table, "anonymise").into_iter().collect::<String>();
        for way in schedule::Strategy::ALL {
            assert!(
                columns.contains(&format!(":\"{}\"", way.name())),
                "{table}: {way:?}"
            );
        }
    }
}
