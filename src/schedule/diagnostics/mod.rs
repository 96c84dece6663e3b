//! What is wrong, with a stable code, and where it stands in the file.
//!
//! Every fault that a person can mend in `retention.toml` or in the database
//! becomes a [`Diagnostic`]: this room makes those of the file itself, later
//! rooms (the plan, the catalogue) make theirs with the codes fixed here. All
//! faults of a file are reported together. Nothing here decides anything, and
//! no message may hold a row's contents.

mod code;
mod explanation;
mod render;

use std::fmt;
use std::ops::Range;

pub use code::{Code, Severity};

/// Where something stands in the file. The default is "nowhere": line 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Place {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1. A byte order mark does not count.
    pub column: u32,
    /// The first byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
}

impl Place {
    /// The place of a byte span. What lies outside the text, or inside a
    /// character, is moved to the nearest boundary before it.
    #[must_use]
    pub fn of(text: &str, span: Range<usize>) -> Self {
        Lines::new(text).place(span)
    }

    /// Whether it is a place at all, not the default.
    #[must_use]
    pub fn is_somewhere(&self) -> bool {
        self.line > 0
    }
}

/// Where the lines of a text begin, for whoever asks for many places of it.
#[derive(Debug, Clone)]
pub(super) struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let newlines = text.match_indices('\n').map(|(offset, _)| offset + 1);
        Self {
            text,
            starts: std::iter::once(0).chain(newlines).collect(),
        }
    }

    /// See [`Place::of`].
    pub(super) fn place(&self, span: Range<usize>) -> Place {
        let start = boundary(self.text, span.start);
        let end = boundary(self.text, span.end).max(start);
        // At least one line begins at 0.
        let line = self.starts.partition_point(|begins| *begins <= start);
        let begins = self.starts.get(line.saturating_sub(1)).copied();
        let column = self
            .text
            .get(begins.unwrap_or_default()..start)
            .unwrap_or_default()
            .trim_start_matches('\u{feff}')
            .chars()
            .count()
            + 1;
        Place {
            line: u32::try_from(line).unwrap_or(u32::MAX),
            column: u32::try_from(column).unwrap_or(u32::MAX),
            start,
            end,
        }
    }
}

fn boundary(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

/// One fault: what is wrong, what to do about it, where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Diagnostic {
    /// Whether it stops the schedule from being used.
    pub severity: Severity,
    /// The stable code.
    pub code: Code,
    /// One sentence, without a full stop.
    pub message: String,
    /// What to do, where that can be said.
    pub hint: Option<String>,
    /// Where it stands in the file, where it stands in one.
    pub place: Option<Place>,
    /// Other places that have to do with it, each with what stands there.
    pub also: Vec<(Place, String)>,
}

impl Diagnostic {
    /// A fault with the severity that its code has.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            severity: code.severity(),
            code,
            message: message.into(),
            hint: None,
            place: None,
            also: Vec::new(),
        }
    }

    /// The same, with what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same, with its place; the default place is none.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.place = place.is_somewhere().then_some(place);
        self
    }

    /// The same, with another place that has to do with it, and what stands there.
    #[must_use]
    pub fn also(mut self, place: Place, what: impl Into<String>) -> Self {
        if place.is_somewhere() {
            self.also.push((place, what.into()));
        }
        self
    }

    /// `{severity, code, message, hint, at}`; `hint` and `at` are null when absent. Where
    /// other places have to do with it, they stand in `also`, each with its `label`.
    #[must_use]
    pub fn json(&self, file: &str) -> serde_json::Value {
        let mut value = serde_json::json!({
            "severity": self.severity.as_str(),
            "code": self.code.as_str(),
            "message": self.message,
            "hint": self.hint,
            "at": self.place.map(|place| serde_json::json!({
                "file": file,
                "line": place.line,
                "column": place.column,
            })),
        });
        if !self.also.is_empty() {
            value["also"] = self
                .also
                .iter()
                .map(|(place, label)| {
                    serde_json::json!({ "file": file, "line": place.line, "column": place.column, "label": label })
                })
                .collect();
        }
        value
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}[{}]: {}",
            self.severity.as_str(),
            self.code,
            self.message
        )
    }
}

/// All faults found in one file, in the order in which they stand there.
#[derive(Debug, Clone, PartialEq)]
pub struct Diagnostics {
    /// The file's name as the person gave it.
    pub file: String,
    /// Its text, so that lines can be shown.
    pub text: String,
    /// The faults.
    pub items: Vec<Diagnostic>,
}

impl Diagnostics {
    /// The faults of a file, sorted by their place; those without one come last.
    #[must_use]
    pub fn new(file: &str, text: &str, mut items: Vec<Diagnostic>) -> Self {
        items.sort_by_key(|item| {
            item.place
                .map_or((1, 0, 0), |place| (0, place.start, place.end))
        });
        Self {
            file: file.to_owned(),
            text: text.to_owned(),
            items,
        }
    }

    /// Whether one of them is an error.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.items
            .iter()
            .any(|item| item.severity == Severity::Error)
    }

    /// For people: each fault with its line shown, the span underlined, and the hint.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        render::render(self, colour)
    }

    /// For scripts: one object for each fault.
    #[must_use]
    pub fn json(&self) -> Vec<serde_json::Value> {
        self.items
            .iter()
            .map(|item| item.json(&self.file))
            .collect()
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.items.as_slice() {
            [] => write!(f, "{}: nothing is wrong", self.file),
            [one] => write!(f, "{}: {one}", self.file),
            [first, rest @ ..] => {
                write!(f, "{}: {first} (and {} more)", self.file, rest.len())
            }
        }
    }
}

impl std::error::Error for Diagnostics {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_lines_count_newlines() {
        let text = "a = 1\r\nß = \"é\"\r\n";
        let start = text.find('"').unwrap_or_default();
        let place = Place::of(text, start..start + 4);
        assert_eq!((place.line, place.column), (2, 5));
        assert_eq!(text.get(place.start..place.end), Some("\"é\""));
    }

    #[test]
    fn a_byte_order_mark_is_no_column() {
        let place = Place::of("\u{feff}key = 1", 3..6);
        assert_eq!((place.line, place.column), (1, 1));
    }

    #[test]
    fn a_span_outside_the_text_or_inside_a_character_is_moved_back() {
        let place = Place::of("é", 1..99);
        assert_eq!((place.start, place.end), (0, 2));
    }

    #[test]
    fn json_has_nulls_where_nothing_is_known() {
        let value = Diagnostic::new(Code::NoSuchTable, "no such table").json("f.toml");
        assert_eq!(
            value.to_string(),
            r#"{"severity":"error","code":"R0301","message":"no such table","hint":null,"at":null}"#
        );
    }

    #[test]
    fn json_has_the_place() {
        let place = Place::of("a\nbc", 3..4);
        let value = Diagnostic::new(Code::NoTriggerIndex, "slow")
            .hint("index it")
            .at(place)
            .json("f.toml");
        assert_eq!(
            value.to_string(),
            r#"{"severity":"warning","code":"R0351","message":"slow","hint":"index it","at":{"file":"f.toml","line":2,"column":2}}"#
        );
    }
}
