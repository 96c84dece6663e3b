//! What the mutations begin with: every schedule and every condition that stands anywhere in
//! the tests, the manual or the demo, taken from their text, so that a new test is a new seed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A head for what a test writes without one.
pub const HEAD: &str = "[schedule]\norganisation = \"Example Council\"\ntime_zone = \"Europe/London\"\nevery = \"0 0 2 * * *\"\n";

/// The start of a class for what a test writes without one.
const CLASS: &str = "\n[[class]]\nid = \"letters\"\ntitle = \"Letters\"\ntable = \"letter\"\nauthority = \"Notice\"\n";

/// Bytes by what reads them.
pub struct Corpus {
    pub schedules: Vec<String>,
    pub conditions: Vec<String>,
    pub settings: Vec<String>,
}

/// Reads the checkout at `root`. The order is always the same.
pub fn read(root: &Path) -> Corpus {
    let mut schedules = BTreeSet::new();
    let mut conditions = BTreeSet::new();
    for path in files(root, &["tests", "src", "benches"], ".rs") {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let of_conditions =
            path.ends_with("schedule_escapes.rs") || path.to_string_lossy().contains("condition");
        for literal in literals(&text) {
            if literal.contains(" = ") && literal.contains("disposal")
                || literal.contains("[[class]]")
            {
                schedules.insert(whole(&literal));
                if literal.contains("{{") {
                    // A format string.
                    let filled = literal.replace("{{", "{").replace("}}", "}");
                    schedules.insert(whole(&filled));
                }
            } else if of_conditions && literal.len() < 400 {
                conditions.insert(literal);
            }
        }
    }
    for path in files(root, &["docs"], ".md") {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let mut blocks = text.split("```toml\n").skip(1);
        schedules.extend(
            blocks
                .by_ref()
                .filter_map(|rest| rest.split("```").next())
                .map(whole),
        );
    }
    schedules.extend(std::fs::read_to_string(root.join("retention.toml")));
    // Elsewhere these stand in pieces that their tests put together.
    schedules.insert(format!("{HEAD}details_kept = \"6 years\"\nappeal_window = \"20 weeks\"\n{CLASS}disposal = \"retain\"\nowner = \"a\"\nreason = \"b\"\n"));
    schedules.insert(whole(
        "trigger = \"matter.closed_on\"\nplausible_from = 1950-01-01\ntrigger_zone = \"UTC\"\nfrom_end_of = \"financial year\"\n\
         period = \"P1Y6M2W3D\"\ntolerance = \"2 weeks\"\nunless_active = [\"seen_at\", \"updated_at\"]\nor_when = \"withdrawn_on IS NOT NULL\"\nerasure_right = false\nevery = \"0 30 6 * * mon\"\ndisposal = \"delete\"\n",
    ));
    schedules.insert(whole(
        "subject = \"person_id\"\ntrigger = \"closed_on\"\nperiod = \"1 year\"\ndisposal = \"delete\"\ngate = \"review\"\napprovals = 2\npreview = [\"name\"]\n",
    ));
    let mut settings: Vec<String> = files(root, &["config"], ".toml")
        .iter()
        .filter_map(|path| std::fs::read_to_string(path).ok())
        .collect();
    settings.push(
        "[database]\nurl = \"postgresql://a:b@localhost/c\"\nconnect_timeout_seconds = 5\n[throttle]\n\
         duty_cycle = 0.5\nbatch_milliseconds = 150\nlock_timeout_milliseconds = 200\nstatement_timeout_milliseconds = 30000\n\
         [stores.media]\npath = \"/srv/media\"\n[log]\nformat = \"json\"\nlevel = \"info\"\n[state]\ndirectory = \"/var/lib/retentiond\"\n"
            .to_owned(),
    );
    Corpus {
        schedules: schedules.into_iter().collect(),
        conditions: conditions.into_iter().collect(),
        settings,
    }
}

/// With what the literal leaves to its test.
fn whole(literal: &str) -> String {
    let class = if literal.contains("[[class]]") {
        ""
    } else {
        CLASS
    };
    let head = if literal.contains("[schedule]") {
        ""
    } else {
        HEAD
    };
    format!("{head}{class}{literal}\n")
}

fn files(root: &Path, folders: &[&str], ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut pending: Vec<PathBuf> = folders.iter().map(|folder| root.join(folder)).collect();
    while let Some(folder) = pending.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                pending.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The texts in quotes of a Rust source, raw ones and others.
fn literals(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = source;
    while let Some(character) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("//") {
            rest = after.split_once('\n').map_or("", |(_, rest)| rest);
        } else if let Some(after) = rest.strip_prefix("'\"'").or(rest.strip_prefix("'\\\"'")) {
            rest = after;
        } else if let Some(after) = rest.strip_prefix("r#\"") {
            let (literal, after) = after.split_once("\"#").unwrap_or((after, ""));
            found.push(literal.to_owned());
            rest = after;
        } else if let Some(after) = rest.strip_prefix('"') {
            let (literal, length) = unescaped(after);
            found.push(literal);
            rest = after.get(length..).unwrap_or_default();
        } else {
            rest = rest.get(character.len_utf8()..).unwrap_or_default();
        }
    }
    found
}

/// A literal up to its closing quote, and how many bytes it takes with that.
fn unescaped(text: &str) -> (String, usize) {
    let mut literal = String::new();
    let mut characters = text.char_indices().peekable();
    while let Some((offset, character)) = characters.next() {
        match character {
            '"' => return (literal, offset + 1),
            '\\' => match characters.next() {
                Some((_, 'n')) => literal.push('\n'),
                Some((_, 't')) => literal.push('\t'),
                Some((_, 'r')) => literal.push('\r'),
                Some((_, '\n')) => {
                    while characters.next_if(|(_, c)| c.is_whitespace()).is_some() {}
                }
                Some((_, other)) => literal.push(other),
                None => break,
            },
            other => literal.push(other),
        }
    }
    (literal, text.len())
}
