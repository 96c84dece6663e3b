//! The events that the program can log, read from its source.

use std::fs;
use std::path::PathBuf;

/// One event: how grave, its words, its fields in their order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kind {
    pub level: String,
    pub message: String,
    pub fields: Vec<String>,
}

const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];

pub fn events() -> Vec<Kind> {
    let mut events = Vec::new();
    let mut folders = vec![PathBuf::from("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]\n").next().unwrap();
                events.extend(of(code));
            }
        }
    }
    events.sort();
    events.dedup();
    events
}

fn of(code: &str) -> Vec<Kind> {
    let mut events = Vec::new();
    for (at, start) in code.match_indices("tracing::") {
        let rest = &code[at + start.len()..];
        let Some((level, after)) = rest.split_once("!(") else {
            continue;
        };
        if level == "$level" {
            // A macro of its own around it: its uses follow, up to the next such macro.
            let arguments = arguments(after);
            let uses = after.split("macro_rules!").next().unwrap();
            for used in uses.split("say!(").skip(1) {
                let words = split(used, ')');
                let level = words[0].clone();
                let message = words.get(1).unwrap_or(arguments.last().unwrap());
                events.push(kind(&level, message, &arguments));
            }
        } else if LEVELS.contains(&level) {
            let arguments = arguments(after);
            events.push(kind(level, arguments.last().unwrap(), &arguments));
        }
    }
    events
}

fn kind(level: &str, message: &str, arguments: &[String]) -> Kind {
    let fields = &arguments[..arguments.len() - 1];
    Kind {
        level: level.to_owned(),
        message: words(message),
        fields: fields
            .iter()
            .map(|field| {
                let name = field.trim_start_matches(['%', '?']);
                name.split(['=', ' ']).next().unwrap().to_owned()
            })
            .collect(),
    }
}

/// A literal's text: a line that is continued goes on where the next begins.
fn words(literal: &str) -> String {
    let inner = literal.trim().trim_matches('"');
    let mut text = String::new();
    let mut lines = inner.split("\\\n");
    text.push_str(lines.next().unwrap());
    for line in lines {
        text.push_str(line.trim_start());
    }
    text
}

fn arguments(after: &str) -> Vec<String> {
    split(after, ')')
}

/// The parts between commas up to the bracket that closes what was opened before.
fn split(text: &str, close: char) -> Vec<String> {
    let mut parts = vec![String::new()];
    let (mut deep, mut quoted, mut escaped) = (0_usize, false, false);
    for character in text.chars() {
        let plain = !quoted;
        if plain && deep == 0 && character == close {
            break;
        }
        if plain && deep == 0 && character == ',' {
            parts.push(String::new());
            continue;
        }
        match character {
            '"' if !escaped => quoted = !quoted,
            '(' | '[' | '{' if plain => deep += 1,
            ')' | ']' | '}' if plain => deep -= 1,
            _ => {}
        }
        escaped = quoted && character == '\\' && !escaped;
        parts.last_mut().unwrap().push(character);
    }
    parts
        .into_iter()
        .map(|part| part.trim().to_owned())
        .filter(|part| !part.is_empty())
        .collect()
}

#[test]
fn events_are_found_however_they_are_written() {
    let code = r#"
        tracing::info!(%address, "one");
        tracing::warn!(a = f(x, "y, z"), b = ?c.d, "two: \
             and more");
        macro_rules! say { ($level:ident, $message:literal) => { tracing::$level!(n = 1, $message) }; }
        say!(error, "three");
        macro_rules! say { ($level:ident) => { tracing::$level!(m, "four") }; }
        say!(debug),
        tracing::Level::INFO;
    "#;
    let found: Vec<(String, String, String)> = of(code)
        .into_iter()
        .map(|kind| (kind.level, kind.message, kind.fields.join(" ")))
        .collect();
    let expected = [
        ("info", "one", "address"),
        ("warn", "two: and more", "a b"),
        ("error", "three", "n"),
        ("debug", "four", "m"),
    ];
    let expected = expected.map(|(a, b, c)| (a.to_owned(), b.to_owned(), c.to_owned()));
    assert_eq!(found, expected);
}
