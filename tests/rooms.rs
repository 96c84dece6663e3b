//! Who may use whom: the table of rooms of the architecture, held against `src`.
//!
//! Read as text, with comments, strings and test modules taken out: an edge that nobody
//! meant shows here as soon as somebody writes it, not when two rooms can no longer be
//! told apart.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Serve every room that needs them (of `clock`, the types).
const FOR_ALL: [&str; 3] = ["ident", "clock", "store"];

/// The rooms, and whom each may use beside [`FOR_ALL`]. `*` is everybody.
const ROOMS: [(&str, &[&str]); 21] = [
    ("main", &["cli"]),
    ("settings", &[]),
    ("clock", &[]),
    ("ident", &[]),
    ("store", &[]),
    ("schedule", &[]),
    ("catalog", &[]),
    ("decisions", &[]),
    ("plan", &["schedule", "catalog", "decisions"]),
    ("personal", &["schedule", "catalog"]),
    ("grants", &["plan", "catalog"]),
    ("init", &["schedule", "catalog", "personal"]),
    ("survey", &["plan", "ledger", "personal"]),
    ("enforce", &["plan", "ledger", "files"]),
    ("files", &[]),
    ("ledger", &[]),
    ("review", &["decisions", "ledger"]),
    // "enforce and what it needs": whatever a pass and its plan are made of.
    (
        "daemon",
        &[
            "enforce",
            "plan",
            "survey",
            "schedule",
            "catalog",
            "decisions",
            "ledger",
            "files",
            "settings",
        ],
    ),
    ("console", &["review", "survey", "ledger", "schedule"]),
    ("demo", &["*"]),
    ("cli", &["*"]),
];

/// Edges that the table does not have and that were decided on, with the reason. Each must
/// be there: one that is gone is to be struck out here.
const DECIDED: [(&str, &str, &str); 7] = [
    (
        "daemon",
        "review",
        "a version that nobody has to accept comes into force as a decision does",
    ),
    (
        "review",
        "catalog",
        "a hold's entry names its record by the columns of the table's key",
    ),
    (
        "store",
        "decisions",
        "the epoch that a batch compares is a decision's type",
    ),
    (
        "survey",
        "schedule",
        "`survey::draw` makes a plan out of what it is drawn from",
    ),
    ("survey", "catalog", "the same"),
    ("survey", "decisions", "the same"),
    (
        "enforce",
        "schedule",
        "a manifest's last days follow from the rule's period",
    ),
];

/// A source file: its room, how deep its module lies below the crate, and its code.
struct Source {
    path: String,
    room: String,
    depth: usize,
    code: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files: Vec<PathBuf> = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    assert!(files.len() > 50, "only {} files were found", files.len());
    files
        .iter()
        .map(|file| {
            let path = file.strip_prefix(&root).unwrap().with_extension("");
            let mut modules: Vec<&str> = path.iter().map(|part| part.to_str().unwrap()).collect();
            if modules.last() == Some(&"mod") {
                modules.pop();
            }
            Source {
                path: format!("src/{}", file.strip_prefix(&root).unwrap().display()),
                room: modules[0].to_owned(),
                depth: if modules == ["lib"] { 0 } else { modules.len() },
                code: without_tests(&code_of(&fs::read_to_string(file).unwrap())),
            }
        })
        .collect()
}

/// The text without comments and with empty strings and characters.
fn code_of(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let at = |nth: usize| chars.get(nth).copied().unwrap_or('\0');
    let mut code = String::new();
    let mut nth = 0;
    while nth < chars.len() {
        let name_before = nth > 0 && (at(nth - 1).is_alphanumeric() || at(nth - 1) == '_');
        match (at(nth), at(nth + 1)) {
            ('/', '/') => {
                while nth < chars.len() && at(nth) != '\n' {
                    nth += 1;
                }
            }
            ('/', '*') => {
                let mut deep = 0;
                loop {
                    match (at(nth), at(nth + 1)) {
                        ('/', '*') => (deep, nth) = (deep + 1, nth + 2),
                        ('*', '/') => (deep, nth) = (deep - 1, nth + 2),
                        _ => nth += 1,
                    }
                    if deep == 0 || nth >= chars.len() {
                        break;
                    }
                }
            }
            ('r', '"' | '#') if !name_before || at(nth - 1) == 'b' => {
                let hashes = (nth + 1..).take_while(|n| at(*n) == '#').count();
                if at(nth + 1 + hashes) != '"' {
                    // r#name
                    code.push('r');
                    nth += 1;
                    continue;
                }
                nth += 2 + hashes;
                while nth < chars.len()
                    && !(at(nth) == '"' && (1..=hashes).all(|n| at(nth + n) == '#'))
                {
                    nth += 1;
                }
                nth += 1 + hashes;
                code.push_str("\"\"");
            }
            ('"', _) => {
                nth += 1;
                while nth < chars.len() && at(nth) != '"' {
                    nth += if at(nth) == '\\' { 2 } else { 1 };
                }
                nth += 1;
                code.push_str("\"\"");
            }
            // A character, not a lifetime.
            ('\'', '\\') => {
                nth += 3;
                while nth < chars.len() && at(nth) != '\'' {
                    nth += 1;
                }
                nth += 1;
                code.push_str("' '");
            }
            ('\'', _) if at(nth + 2) == '\'' => {
                nth += 3;
                code.push_str("' '");
            }
            (other, _) => {
                code.push(other);
                nth += 1;
            }
        }
    }
    code
}

/// The code without what is compiled for tests only.
fn without_tests(code: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let mut kept = String::new();
    let mut rest = code;
    while let Some(at) = rest.find(MARK) {
        kept.push_str(&rest[..at]);
        rest = &rest[at + MARK.len()..];
        let end = rest
            .find(['{', ';'])
            .expect("something follows the attribute");
        if rest[end..].starts_with(';') {
            rest = &rest[end + 1..];
            continue;
        }
        let mut deep = 0_usize;
        let mut length = rest.len();
        for (nth, character) in rest.char_indices().skip_while(|(nth, _)| *nth < end) {
            match character {
                '{' => deep += 1,
                '}' => deep -= 1,
                _ => {}
            }
            if deep == 0 {
                length = nth + 1;
                break;
            }
        }
        rest = &rest[length..];
    }
    kept.push_str(rest);
    kept
}

fn is_name(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// Whether `word` stands in the code as a word, or a path, of its own.
fn mentions(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(at, _)| {
        !code[..at].ends_with(is_name) && !code[at + word.len()..].starts_with(is_name)
    })
}

/// The rooms that paths from the crate's root lead to: `crate::a`, `crate::{a, b::c}`,
/// `retentiond::a`, and as many `super::` as lead there.
fn rooms_used(code: &str, depth: usize) -> BTreeSet<String> {
    let dense: String = code
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace(" ::", "::")
        .replace(":: ", "::");
    let up = "super::".repeat(depth);
    let mut used = BTreeSet::new();
    for root in ["crate::", "retentiond::", &up] {
        if root.is_empty() {
            continue;
        }
        for (at, _) in dense.match_indices(root) {
            let before = &dense[..at];
            // `self::super::` and a longer run of `super::` do not begin here.
            if before.ends_with(is_name) || before.ends_with("super::") {
                continue;
            }
            let rest = &dense[at + root.len()..];
            match rest.strip_prefix('{') {
                None => {
                    used.insert(rest.chars().take_while(|c| is_name(*c)).collect());
                }
                Some(list) => {
                    let mut deep = 0_usize;
                    let mut name = String::new();
                    let mut naming = true;
                    for character in list.chars() {
                        match character {
                            '}' if deep == 0 => break,
                            '{' => deep += 1,
                            '}' => deep -= 1,
                            ',' if deep == 0 => {
                                used.insert(std::mem::take(&mut name));
                                naming = true;
                            }
                            ' ' => {}
                            other if naming && is_name(other) => name.push(other),
                            _ => naming = false,
                        }
                    }
                    used.insert(name);
                }
            }
        }
    }
    used.remove("");
    used
}

/// Who uses whom in `src`, and one file that does.
fn edges() -> BTreeMap<(String, String), String> {
    let mut edges = BTreeMap::new();
    for source in sources() {
        for used in rooms_used(&source.code, source.depth) {
            // `super::` of a file of the root's own, and items of `lib.rs` that are no room.
            if used != source.room && ROOMS.iter().any(|(room, _)| *room == used) {
                edges
                    .entry((source.room.clone(), used))
                    .or_insert_with(|| source.path.clone());
            }
        }
    }
    edges
}

#[test]
fn every_folder_of_the_source_is_a_room_of_the_table() {
    let known: BTreeSet<String> = ROOMS.iter().map(|(room, _)| (*room).to_owned()).collect();
    let there: BTreeSet<String> = sources()
        .into_iter()
        .map(|source| source.room)
        .filter(|room| room != "lib")
        .collect();
    let unknown: Vec<_> = there.difference(&known).collect();
    assert!(unknown.is_empty(), "not in the table: {unknown:?}");
}

#[test]
fn no_room_uses_another_that_the_table_keeps_from_it() {
    let forbidden: Vec<String> = edges()
        .into_iter()
        .filter(|((from, to), _)| {
            let (_, allowed) = ROOMS
                .iter()
                .find(|(room, _)| room == from)
                .unwrap_or(&("", &[]));
            !(allowed.contains(&"*")
                || allowed.contains(&to.as_str())
                || FOR_ALL.contains(&to.as_str())
                || DECIDED.iter().any(|(a, b, _)| a == from && b == to))
        })
        .map(|((from, to), path)| format!("{from} -> {to} ({path})"))
        .collect();
    assert!(forbidden.is_empty(), "{forbidden:#?}");
}

#[test]
fn what_was_decided_beside_the_table_is_still_needed() {
    let edges = edges();
    for (from, to, reason) in DECIDED {
        let there = edges.contains_key(&(from.to_owned(), to.to_owned()));
        assert!(there, "{from} -> {to} ({reason}) can be struck out");
    }
}

/// The table itself: rooms in a circle would be one room.
#[test]
fn the_rooms_that_are_used_run_in_no_circle() {
    let mut left: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (from, to) in edges().into_keys() {
        left.entry(to.clone()).or_default();
        left.entry(from).or_default().insert(to);
    }
    while !left.is_empty() {
        let free: Vec<String> = left
            .iter()
            .filter(|(_, to)| to.is_empty())
            .map(|(room, _)| room.clone())
            .collect();
        assert!(!free.is_empty(), "in a circle: {left:#?}");
        for room in free {
            left.remove(&room);
            for to in left.values_mut() {
                to.remove(&room);
            }
        }
    }
}

/// The files, outside `allowed`, in whose code one of the words stands.
fn mentioned_outside(allowed: impl Fn(&Source) -> bool, words: &[&str]) -> Vec<String> {
    sources()
        .iter()
        .filter(|source| !allowed(source))
        .flat_map(|source| {
            words
                .iter()
                .filter(|word| mentions(&source.code, word))
                .map(|word| format!("{word} in {}", source.path))
        })
        .collect()
}

#[test]
fn the_schedule_and_the_plan_know_of_no_database_and_no_waiting() {
    let elsewhere = |source: &Source| {
        !["schedule", "plan", "decisions", "ident", "personal", "init"]
            .contains(&source.room.as_str())
    };
    assert_eq!(
        mentioned_outside(elsewhere, &["sqlx", "tokio", "async", "await"]),
        [""; 0]
    );
}

#[test]
fn only_the_clock_asks_what_time_it_is() {
    let clock = |source: &Source| source.path == "src/clock.rs";
    let words = ["Utc::now", "Local::now", "SystemTime::now", "UNIX_EPOCH"];
    assert_eq!(mentioned_outside(clock, &words), [""; 0]);
    assert!(
        sources()
            .iter()
            .any(|source| clock(source) && mentions(&source.code, "Utc::now"))
    );
}

#[test]
fn only_the_store_and_the_demo_turn_text_into_statements() {
    let doors = |source: &Source| source.room == "store" || source.room == "demo";
    assert_eq!(mentioned_outside(doors, &["AssertSqlSafe"]), [""; 0]);
    assert!(
        sources()
            .iter()
            .any(|source| doors(source) && mentions(&source.code, "AssertSqlSafe"))
    );
}

#[test]
fn nothing_outside_the_tests_gives_up_with_a_panic() {
    let found: Vec<String> = sources()
        .iter()
        .flat_map(|source| {
            [
                ".unwrap()",
                ".expect(",
                ".unwrap_err()",
                ".expect_err(",
                "panic!(",
                "todo!(",
                "unimplemented!(",
            ]
            .into_iter()
            .filter(|word| source.code.contains(word))
            .map(|word| format!("{word} in {}", source.path))
        })
        .collect();
    assert_eq!(found, [""; 0]);
}

/// That the reading itself finds what is there, and nothing else.
#[test]
fn paths_are_found_however_they_are_written() {
    let text = r##"
        //! See crate::daemon.
        use crate::plan::{Plan, work::Work};
        use crate::{catalog::{Column, Table}, files, ident::{self, Ident}};
        /* crate::cli /* crate::main */ crate::cli */
        fn f<'a>(c: &'a char) -> bool { *c == '"' || *c == '\'' || "crate::demo \" crate::demo" == r#"crate::demo""# }
        fn g() { crate :: ledger :: g(); super::super::review::h(); super::sibling::i() }
        #[cfg(test)]
        mod tests { use crate::settings; fn t() { if true { panic!() } } }
        fn after() -> crate::survey::Counts { xcrate::console::x() }
    "##;
    let code = without_tests(&code_of(text));
    let used = rooms_used(&code, 2);
    let expected = [
        "catalog", "files", "ident", "ledger", "plan", "review", "survey",
    ];
    assert_eq!(
        used.iter().map(String::as_str).collect::<Vec<_>>(),
        expected
    );
    assert!(!code.contains("panic!"));
}
