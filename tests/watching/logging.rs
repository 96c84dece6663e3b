//! `docs/LOGGING.md` against what the program can log and what it does log, and that no
//! personal data is in any of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::Value;

use crate::asking::{get, page, page_with};
use crate::harness::{self, NIGHTLY, schedule};
use crate::log::Line;
use crate::process::{AT_ONCE, Place};
use crate::source::{self, Kind};
use crate::support;

fn cells(line: &str) -> Vec<String> {
    line.trim_matches('|')
        .split('|')
        .map(|cell| cell.trim().replace('`', ""))
        .collect()
}

fn section(name: &str) -> String {
    let text = fs::read_to_string("docs/LOGGING.md").unwrap();
    let start = text.split(&format!("\n## {name}\n")).nth(1).unwrap();
    start.split("\n## ").next().unwrap().to_owned()
}

fn documented() -> Vec<Kind> {
    let events = section("Events");
    let rows = events.lines().filter(|line| line.starts_with("| "));
    let mut kinds: Vec<Kind> = rows
        .skip(1)
        .map(cells)
        .map(|cells| Kind {
            level: cells[0].clone(),
            message: cells[1].clone(),
            fields: cells[2]
                .split(", ")
                .filter(|field| !field.is_empty())
                .map(str::to_owned)
                .collect(),
        })
        .collect();
    kinds.sort();
    kinds
}

/// Whether some words are those of an event, with something for each `{word}`.
fn is_of(message: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('{').map(|part| match part.split_once('}') {
        Some((_, rest)) => rest,
        None => part,
    });
    let Some(mut rest) = message.strip_prefix(parts.next().unwrap()) else {
        return false;
    };
    for part in parts {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
        if part.is_empty() {
            rest = "";
        }
    }
    rest.is_empty()
}

#[test]
fn the_table_of_events_is_that_of_the_program() {
    let known = source::events();
    assert!(known.len() > 50, "only {} were found", known.len());
    assert_eq!(documented(), known);
}

#[test]
fn the_table_of_fields_has_each_field_and_no_other() {
    let fields = section("Fields");
    let rows = fields.lines().filter(|line| line.starts_with("| `"));
    let documented: Vec<String> = rows
        .flat_map(|row| {
            cells(row)[0]
                .split(", ")
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .collect();
    let names: BTreeSet<String> = documented.iter().cloned().collect();
    assert_eq!(names.len(), documented.len(), "one stands there twice");
    let known: BTreeSet<String> = source::events()
        .into_iter()
        .flat_map(|kind| kind.fields)
        .collect();
    assert_eq!(names, known);
    // What the formats themselves say.
    for taken in ["timestamp", "level", "message", "target", "event"] {
        assert!(!known.contains(taken), "{taken} would be written twice");
    }
}

/// Holds what was logged to the table.
fn hold(lines: &[Line]) -> BTreeSet<String> {
    let table = documented();
    lines
        .iter()
        .map(|line| {
            let level = line.level.to_string().to_lowercase();
            let fields: BTreeSet<&String> = line.fields.keys().collect();
            let found = table.iter().find(|kind| {
                kind.level == level
                    && is_of(&line.message, &kind.message)
                    && kind.fields.iter().collect::<BTreeSet<_>>() == fields
            });
            let kind = found.unwrap_or_else(|| panic!("not documented: {line:?}"));
            kind.message.clone()
        })
        .collect()
}

/// In every column of every table.
const MARK: &str = "Quexworth";

/// Records that go, one that a trigger vetoes with its name, one that a foreign key keeps,
/// one whose key is a name.
async fn office() -> String {
    let url = support::migrated().await;
    support::sql(
        &url,
        &format!(
            "CREATE TABLE public.matter (id text PRIMARY KEY, closed_on date, name text, email text);
             INSERT INTO public.matter SELECT '{MARK} ' || n, '2020-01-01', '{MARK}', '{MARK}@example.org'
               FROM generate_series(1, 5) AS n;
             CREATE FUNCTION public.veto() RETURNS trigger LANGUAGE plpgsql AS $$
               BEGIN
                 IF OLD.id = '{MARK} 2' THEN
                   RAISE EXCEPTION 'not %, who is %', OLD.id, OLD.name USING DETAIL = OLD.email;
                 END IF;
                 RETURN OLD;
               END $$;
             CREATE TRIGGER veto BEFORE DELETE ON public.matter FOR EACH ROW EXECUTE FUNCTION public.veto();
             CREATE TABLE public.person (id text PRIMARY KEY, seen_on date, name text CHECK (name LIKE '{MARK}%'));
             INSERT INTO public.person VALUES ('{MARK}', '2020-01-01', '{MARK}');
             CREATE TABLE public.unfit (id text PRIMARY KEY, seen_on text);
             INSERT INTO public.unfit VALUES ('{MARK}', '{MARK}')"
        ),
    )
    .await;
    url
}

/// The second breaks a constraint, the third does not fit.
fn troubled(every: &str) -> String {
    schedule(every, "1 year")
        + r#"
[[class]]
id = "people"
title = "People"
table = "person"
trigger = "seen_on"
period = "1 year"
disposal = "anonymise"
anonymise = { name = "redact" }
max_share = 1.0
authority = "Tests"
[[class]]
id = "unfit"
title = "Unfit"
table = "unfit"
trigger = "seen_on"
period = "1 year"
disposal = "delete"
authority = "Tests"
"#
}

#[tokio::test]
async fn what_a_troubled_service_logs_is_documented_and_names_nobody() {
    let url = office().await;
    let toml = troubled(NIGHTLY);
    let (mut service, address) =
        harness::start_listening(&url, &toml, "2026-01-05T12:00:00Z").await;
    service.until("2026-01-06T02:05:00Z").await;
    let aside = "retentiond_waiting_records{class=\"matters\",reason=\"quarantined\"}";
    let shown = page_with(address, aside, 1.0).await;
    let ready = get(address, "/readyz").await;
    service.reload("nonsense").await;
    service.until("2026-01-07T02:05:00Z").await;
    service.reload(&toml.replace("1 year", "2 years")).await;
    service.until("2026-01-08T02:05:00Z").await;
    let last = page(address).await;
    let log = service.stop().await;

    let told = hold(&log.lines());
    for expected in [
        "class in trouble",
        "class refused: it does not fit the database",
        "class ended; records or files were set aside",
        "pass ended",
        "RELOAD REFUSED and not mended yet: what was in force before stays in force",
        "checkpoint published",
        "service ended",
    ] {
        assert!(
            told.contains(expected),
            "{expected} was not logged: {told:?}"
        );
    }
    // The mark was where a careless line would have it.
    assert_eq!(
        support::number(&url, "SELECT count(*) FROM retentiond.quarantine").await,
        2
    );
    let said = format!("{:?}", log.lines());
    for text in [said, shown.text, ready.text, last.text] {
        assert!(!text.contains(MARK), "{text}");
    }
}

#[tokio::test]
async fn json_is_an_object_a_line_of_the_documented_shape() {
    let url = office().await;
    let place = Place::new(&url, &troubled(AT_ONCE));
    let mut child = place
        .command(&["daemon"])
        .env("RETENTIOND__LOG__LEVEL", "trace")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut objects: Vec<BTreeMap<String, Value>> = Vec::new();
    for line in BufReader::new(child.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        assert!(!line.contains(MARK), "{line}");
        objects.push(serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}")));
        if objects.last().unwrap()["message"] == "pass ended" {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();

    let table = documented();
    for mut object in objects {
        let shown = format!("{object:?}");
        let mut take = |key: &str| {
            let value = object.remove(key);
            value.unwrap_or_else(|| panic!("no {key}: {shown}"))
        };
        let text = |value: Value| value.as_str().expect("a text").to_owned();
        let (level, message) = (text(take("level")), text(take("message")));
        assert!(text(take("target")).starts_with("retentiond::"), "{shown}");
        let at = text(take("timestamp"));
        assert!(at.ends_with('Z') && at.parse::<chrono::DateTime<chrono::Utc>>().is_ok());
        let fields: BTreeSet<&String> = object.keys().collect();
        assert!(
            table.iter().any(|kind| {
                kind.level.to_uppercase() == level
                    && is_of(&message, &kind.message)
                    && kind.fields.iter().collect::<BTreeSet<_>>() == fields
            }),
            "not documented: {shown}"
        );
    }
}

#[test]
fn a_pattern_takes_whatever_stands_for_its_words_and_nothing_else() {
    assert!(is_of("a pass failed as before", "{task} failed as before"));
    assert!(!is_of("a pass failed", "{task} failed as before"));
    assert!(is_of("class ended", "class ended"));
    assert!(!is_of("class ended; too", "class ended"));
    assert!(is_of("the settings on disk", "the {what} on disk"));
}
