//! Whatever bytes they are given, the parsers answer: with a value, or with what is wrong and
//! where. A bounded number of mutations of every good text there is in the tests, the same in
//! each run; `make fuzz` looks further, led by coverage, with the same oracle.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod corpus;
mod mutate;
mod oracle;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::LazyLock;

use chrono::DateTime;
use corpus::Corpus;
use mutate::Chance;
use retentiond::ident::{ClassId, Ident, TableName};
use retentiond::ledger::{
    Action, Entry, EntryId, KeyColumn, KeyColumns, KeyKind, KeyValue, ManifestBuilder,
};
use retentiond::schedule;

/// The start of every sequence of changes. `PARSERS_SEED` and `PARSERS_CASES` (a factor) look
/// elsewhere and longer.
const SEED: u64 = 20_261_125;

static CORPUS: LazyLock<Corpus> =
    LazyLock::new(|| corpus::read(Path::new(env!("CARGO_MANIFEST_DIR"))));

fn from_environment(name: &str, usual: u64) -> u64 {
    let written = std::env::var(name).ok();
    written.map_or(usual, |text| text.parse().unwrap())
}

/// Asks `ask` for that many changed texts, in threads' usual room of 2 MB. Answers how many
/// were accepted and how many refused; a failure prints the bytes that made it.
fn changed(
    cases: u64,
    seeds: &[Vec<u8>],
    change: impl Fn(&mut Chance) -> Vec<u8>,
    ask: impl Fn(&[u8]) -> bool,
) -> (u64, u64) {
    let seed = from_environment("PARSERS_SEED", SEED);
    let cases = cases * from_environment("PARSERS_CASES", 1);
    println!(
        "seed {seed}, {cases} cases, {} texts to begin with",
        seeds.len()
    );
    let (mut taken, mut refused) = (0, 0);
    let mut count = |bytes: &[u8]| match ask_shown(&ask, bytes) {
        true => taken += 1,
        false => refused += 1,
    };
    seeds.iter().for_each(|bytes| count(bytes));
    for case in 0..cases {
        let mut chance = Chance::new(seed.wrapping_add(case));
        count(&change(&mut chance));
    }
    (taken, refused)
}

fn ask_shown(ask: impl Fn(&[u8]) -> bool, bytes: &[u8]) -> bool {
    catch_unwind(AssertUnwindSafe(|| ask(bytes))).unwrap_or_else(|_| {
        let text = String::from_utf8_lossy(bytes);
        panic!(
            "these bytes did it: {:?}",
            text.chars().take(4_000).collect::<String>()
        )
    })
}

fn as_bytes(texts: &[String]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.clone().into_bytes()).collect()
}

#[test]
fn a_schedule_of_any_bytes_is_read_or_refused_with_a_place() {
    let texts = &CORPUS.schedules;
    let good: Vec<&String> = texts
        .iter()
        .filter(|text| schedule::parse(text, "f").is_ok())
        .collect();
    let (taken, refused) = changed(
        2_000,
        &as_bytes(texts),
        |chance| {
            let text = match chance.below(20) {
                0 => return mutate::noise(chance),
                // What is wrong in two ways is refused for one of them.
                1..=4 => chance.one(texts),
                _ => *chance.one(&good),
            };
            mutate::mutate(chance, text, texts)
        },
        |bytes| oracle::schedule(&String::from_utf8_lossy(bytes)),
    );
    println!("{taken} taken, {refused} refused");
    // Both ways were gone often enough to mean something.
    assert!(
        taken > 150 && refused > 1_000,
        "{taken} taken, {refused} refused"
    );
}

#[test]
fn the_texts_to_begin_with_have_every_key() {
    let mut written = BTreeSet::new();
    for text in &CORPUS.schedules {
        if schedule::parse(text, "f").is_ok() {
            let words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
            written.extend(words);
        }
    }
    let keys = schedule::known_keys();
    let missing: Vec<_> = keys
        .iter()
        .filter(|(_, key)| !written.contains(key))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn a_condition_of_any_text_is_refused_or_a_fixed_point() {
    let texts = &CORPUS.conditions;
    let (taken, refused) = changed(
        8_000,
        &as_bytes(texts),
        |chance| {
            let text = chance.one(texts).clone();
            let mut bytes = mutate::mutate(chance, &text, texts);
            // Beyond 4,000 bytes there is one answer.
            bytes.truncate(4_100);
            bytes
        },
        |bytes| oracle::condition(&String::from_utf8_lossy(bytes)),
    );
    println!("{taken} taken, {refused} refused");
    assert!(
        taken > 400 && refused > 4_000,
        "{taken} taken, {refused} refused"
    );
}

#[test]
fn the_small_languages_take_any_text() {
    let mut texts: Vec<String> = [
        "note_id = id",
        "a = b.c AND \"D\" = e.\"F\".g",
        "answers.phone",
        "8 years",
        "1 year 6 months",
        "P1Y6M2W3D",
        "0 days",
        "0 0 2 * * *",
        "0 30 4-6,8 */2 1-7 JAN-MAR MON",
        "0 0 0 29 2 * 2028",
        "registry.case",
        "7",
        "a=2,b=x",
        "a=-1,b=\"",
        "2021-07-31",
        "Europe/London",
        "pseudonym",
    ]
    .map(str::to_owned)
    .to_vec();
    texts.extend(CORPUS.conditions.iter().take(40).cloned());
    let (taken, refused) = changed(
        150,
        &as_bytes(&texts),
        |chance| {
            let text = chance.one(&texts).clone();
            mutate::mutate(chance, &text, &texts)
        },
        |bytes| oracle::words(&String::from_utf8_lossy(bytes)),
    );
    println!("{taken} taken, {refused} refused");
    assert!(
        taken > 50 && refused > 50,
        "{taken} taken, {refused} refused"
    );
}

#[test]
fn depth_and_length_are_bounded() {
    // What a worker of tokio and a test have; debug builds need most of it.
    let thread = std::thread::Builder::new().stack_size(2 << 20);
    let asked = thread.spawn(|| {
        for times in [10, 40, 90, 200, 1_000, 20_000] {
            for text in mutate::deep(times) {
                let inside = format!("{}{text}\n", corpus::HEAD);
                ask_shown(
                    |bytes| oracle::schedule(&String::from_utf8_lossy(bytes)),
                    inside.as_bytes(),
                );
                ask_shown(
                    |bytes| oracle::schedule(&String::from_utf8_lossy(bytes)),
                    text.as_bytes(),
                );
            }
            for text in mutate::deep_conditions(times) {
                ask_shown(
                    |bytes| oracle::condition(&String::from_utf8_lossy(bytes)),
                    text.as_bytes(),
                );
            }
        }
    });
    asked.unwrap().join().unwrap();
}

/// Where a condition is as deep or as long as it may be, its canonical form, which has more
/// parentheses, is still accepted.
#[test]
fn a_condition_at_its_limits_is_a_fixed_point() {
    let mut taken = 0;
    for times in (1..40).chain((100..420).step_by(10)) {
        for text in mutate::deep_conditions(times) {
            taken += u32::from(oracle::condition(&text));
        }
    }
    assert!(taken > 300, "{taken}");
    // Found by `make fuzz`: 23 signs were accepted, and not again as they are printed.
    let signs = |times: usize| format!("j - {}a", "+".repeat(times));
    assert!(oracle::condition(&signs(23)));
    assert!(!oracle::condition(&signs(25)));
}

fn entries() -> Vec<Vec<u8>> {
    let at = DateTime::from_timestamp(1_790_000_000, 123_000).unwrap();
    let mut found = Vec::new();
    for (nth, action) in Action::ALL.iter().enumerate() {
        let mut entry = Entry::new(EntryId(nth as i64), at, *action, "service");
        found.push(entry.encode());
        let name = |text: &str| Ident::new(text).unwrap();
        entry.class = ClassId::new("communications");
        entry.table = Some(TableName::new(name("public"), name("correspondence")));
        entry.run = Some(7);
        entry.schedule = Some([1; 32]);
        entry.file = Some([2; 32]);
        entry.plan = Some([3; 32]);
        entry.count = 912;
        entry.manifest = Some([4; 32]);
        entry.parent = Some(TableName::new(name("crm"), name("Ünlü")));
        entry.detail.insert("code".to_owned(), "R0301".to_owned());
        entry
            .detail
            .insert("sqlstate".to_owned(), "23503".to_owned());
        found.push(entry.encode());
    }
    found
}

fn manifests() -> Vec<Vec<u8>> {
    let column = |name: &str, kind| KeyColumn {
        name: Ident::new(name).unwrap(),
        kind,
    };
    let id = KeyColumns::single(Ident::new("id").unwrap(), KeyKind::Int);
    let both = KeyColumns::new(vec![
        column("code", KeyKind::Text),
        column("nr", KeyKind::Int),
    ])
    .unwrap();
    let mut found = Vec::new();
    for count in [0, 1, 2, 20_i32] {
        for (columns, parents) in [
            (&id, None),
            (&both, None),
            (&id, Some(&both)),
            (&both, Some(&id)),
        ] {
            let key = |columns: &KeyColumns, nth: i32| -> Vec<KeyValue<'static>> {
                let texts = ["ab", "abc", "0f8fad5b-d9cb-469f-a165-70867728950e", "é", ""];
                let value = |column: &KeyColumn| match column.kind {
                    KeyKind::Int => KeyValue::Int(i64::from(nth) * 3),
                    KeyKind::Text => KeyValue::text(texts[nth as usize % 5]).into_owned(),
                };
                columns.as_slice().iter().map(value).collect()
            };
            let mut builder = ManifestBuilder::new(columns.clone(), parents.cloned(), [7; 32]);
            for nth in 0..count {
                let trigger = (nth % 7 != 3).then_some(17_000 + nth);
                let last_day = (nth % 5 != 4).then_some(20_000 + nth * (nth % 3));
                let parent = parents.map(|columns| key(columns, nth / 2));
                builder
                    .push(&key(columns, nth), trigger, last_day, parent.as_deref())
                    .unwrap();
            }
            found.push(builder.finish().bytes);
        }
    }
    found
}

/// Changes of bytes that know of no lines.
fn bytewise(chance: &mut Chance, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = chance.one(seeds).clone();
    for _ in 0..=chance.below(3) {
        let other = chance.one(seeds);
        let at = chance.below(bytes.len() + 1);
        match chance.below(7) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, chance.next() as u8),
            2 => {
                let until = (at + 1 + chance.below(8)).min(bytes.len());
                bytes.drain(at.min(until)..until);
            }
            3 => bytes.extend_from_slice(&other[chance.below(other.len())..]),
            4 => {
                let from = chance.below(other.len());
                let until = (from + chance.below(24)).min(other.len());
                bytes.splice(at..at, other[from..until].iter().copied());
            }
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = match chance.below(3) {
                        0 => *chance.one(&[0, 1, 0x7f, 0x80, 0xff]),
                        1 => byte.wrapping_add(1),
                        _ => *byte ^ (1 << chance.below(8)),
                    };
                }
            }
        }
    }
    bytes
}

#[test]
fn an_entry_of_any_bytes_is_refused_or_has_this_spelling() {
    let seeds = entries();
    let (taken, refused) = changed(
        12_000,
        &seeds,
        |chance| bytewise(chance, &seeds),
        oracle::entry,
    );
    println!("{taken} taken, {refused} refused");
    assert!(
        taken > 500 && refused > 5_000,
        "{taken} taken, {refused} refused"
    );
}

#[test]
fn a_manifest_of_any_bytes_is_refused_or_has_this_spelling() {
    let seeds = manifests();
    let (taken, refused) = changed(
        12_000,
        &seeds,
        |chance| bytewise(chance, &seeds),
        oracle::packed,
    );
    println!("{taken} taken, {refused} refused");
    assert!(
        taken > 500 && refused > 5_000,
        "{taken} taken, {refused} refused"
    );
}

#[test]
fn a_settings_file_of_any_bytes_is_read_or_refused_with_its_line() {
    let texts = &CORPUS.settings;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("settings.toml");
    let (taken, refused) = changed(
        2_000,
        &as_bytes(texts),
        |chance| {
            let text = chance.one(texts).clone();
            mutate::mutate(chance, &text, texts)
        },
        |bytes| oracle::settings_file(bytes, &path),
    );
    println!("{taken} taken, {refused} refused");
    assert!(
        taken > 100 && refused > 500,
        "{taken} taken, {refused} refused"
    );
}

/// For `make fuzz`: what the tests begin with, as the corpus of each target.
#[test]
fn seeds() {
    let Some(folder) = std::env::var_os("SEEDS") else {
        return;
    };
    let write = |target: &str, seeds: &[Vec<u8>]| {
        let folder = Path::new(&folder).join(target);
        std::fs::create_dir_all(&folder).unwrap();
        for (nth, bytes) in seeds.iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{nth}")), bytes).unwrap();
        }
    };
    write("schedule", &as_bytes(&CORPUS.schedules));
    write("condition", &as_bytes(&CORPUS.conditions));
    write("words", &as_bytes(&CORPUS.conditions));
    write("entry", &entries());
    write("manifest", &manifests());
    write("settings", &as_bytes(&CORPUS.settings));
}
