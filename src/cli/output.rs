//! How answers look: tables, numbers, dates, colours.

use std::io::Write;

use anstyle::{AnsiColor, Style};
use chrono::{DateTime, NaiveDate, Utc};
use comfy_table::{Attribute, Cell, CellAlignment, ContentArrangement, Table, presets};
use serde::Serialize;

pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(super) const GOOD: Style = AnsiColor::Green.on_default().bold();
pub(super) const STRONG: Style = Style::new().bold();
pub(super) const RESET: anstyle::Reset = anstyle::Reset;

/// Whether coloured text is wanted on standard error.
pub(super) fn colour_on_stderr() -> bool {
    anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never
}

/// Whether coloured text is wanted on standard output.
pub(super) fn colour_on_stdout() -> bool {
    anstream::AutoStream::choice(&std::io::stdout()) != anstream::ColorChoice::Never
}

/// One JSON object on standard output.
pub(super) fn json(value: &impl Serialize) {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    line(&text);
}

/// A line on standard output. A reader that has gone away (`| head`) is no error.
pub(super) fn line(text: &str) {
    let _ = writeln!(anstream::stdout(), "{text}");
}

/// A line on standard error. It may be closed (`2>&1 | head`), which must not end a pass.
pub(super) fn note(text: &str) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// Prose on standard output, broken between words where a terminal's line ends.
pub(super) fn text(text: &str) {
    line(&wrapped(text, width()));
}

/// How many columns the terminal has; none where standard output is none.
pub(super) fn width() -> Option<usize> {
    Table::new().width().map(usize::from)
}

/// Each line broken at spaces so that it fits; a broken line goes on as far in as it began.
fn wrapped(text: &str, width: Option<usize>) -> String {
    let Some(width) = width else {
        return text.to_owned();
    };
    let mut out = String::with_capacity(text.len() + 8);
    for (nth, line) in text.split('\n').enumerate() {
        if nth > 0 {
            out.push('\n');
        }
        let words = line.trim_start_matches(' ');
        let indent = &line[..line.len() - words.len()];
        out.push_str(indent);
        let mut used = indent.len();
        for (nth, word) in words.split(' ').enumerate() {
            let long = anstream::adapter::strip_str(word)
                .to_string()
                .chars()
                .count();
            if nth > 0 && used + 1 + long > width {
                out.push('\n');
                out.push_str(indent);
                used = indent.len();
            } else if nth > 0 {
                out.push(' ');
                used += 1;
            }
            out.push_str(word);
            used += long;
        }
    }
    out
}

/// Rows under a heading. Columns in which no row has anything are left out; those that do
/// not fit a terminal's width follow below, beside the first column again.
pub(super) struct Sheet<const N: usize> {
    heading: [&'static str; N],
    rows: Vec<[Cell; N]>,
}

impl<const N: usize> Sheet<N> {
    pub fn new(heading: [&'static str; N]) -> Self {
        Self {
            heading,
            rows: Vec::new(),
        }
    }

    pub fn row(&mut self, cells: [Cell; N]) {
        self.rows.push(cells);
    }

    /// On standard output.
    pub fn print(self) {
        line(&self.lines(width()).join("\n"));
    }

    fn lines(&self, width: Option<usize>) -> Vec<String> {
        let mut lines = Vec::new();
        for (nth, columns) in self.parts(width).into_iter().enumerate() {
            if nth > 0 {
                lines.push(String::new());
            }
            let mut table = Table::new();
            table.load_style(presets::NOTHING);
            table.set_content_arrangement(ContentArrangement::Disabled);
            table.set_header(columns.iter().map(|nth| self.head(*nth)));
            for row in &self.rows {
                table.add_row(
                    columns
                        .iter()
                        .map(|nth| row[*nth].clone())
                        .collect::<Vec<_>>(),
                );
            }
            if let Some(first) = table.column_mut(0) {
                first.set_padding((0, 1));
            }
            lines.extend(table.lines().map(|line| line.trim_end().to_owned()));
        }
        lines
    }

    /// The columns that say something, in as many tables as it takes.
    fn parts(&self, width: Option<usize>) -> Vec<Vec<usize>> {
        let says = |nth: usize| {
            self.rows
                .iter()
                .any(|row| !matches!(row[nth].content().as_str(), "" | NOTHING | UNKNOWN))
        };
        let long = |nth: usize| {
            let rows = self
                .rows
                .iter()
                .map(|row| row[nth].content().chars().count());
            rows.chain([self.heading[nth].chars().count()])
                .max()
                .unwrap_or(0)
                + 2
        };
        let mut parts = vec![vec![0]];
        let mut used = long(0);
        for nth in (1..N).filter(|nth| says(*nth)) {
            if width.is_some_and(|width| used + long(nth) > width + 2)
                && parts.last().is_some_and(|part| part.len() > 1)
            {
                parts.push(vec![0]);
                used = long(0);
            }
            used += long(nth);
            if let Some(part) = parts.last_mut() {
                part.push(nth);
            }
        }
        parts
    }

    fn head(&self, nth: usize) -> Cell {
        let numbers = self.rows.iter().all(|row| {
            row[nth]
                .content()
                .chars()
                .all(|c| c.is_ascii_digit() || ",–?.".contains(c))
        });
        let cell = Cell::new(self.heading[nth]).add_attribute(Attribute::Bold);
        if numbers {
            cell.set_alignment(CellAlignment::Right)
        } else {
            cell
        }
    }
}

const NOTHING: &str = "–";
const UNKNOWN: &str = "?";

/// A number, set to the right, with thin groups; a dash for nought.
pub(super) fn number(number: u64) -> Cell {
    let text = if number == 0 {
        NOTHING.to_owned()
    } else {
        grouped(number)
    };
    Cell::new(text).set_alignment(CellAlignment::Right)
}

/// A number that may be unknown.
pub(super) fn maybe(given: Option<u64>) -> Cell {
    given.map_or_else(
        || Cell::new(UNKNOWN).set_alignment(CellAlignment::Right),
        number,
    )
}

/// `1234567` as `1,234,567`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (nth, digit) in digits.chars().enumerate() {
        if nth > 0 && (digits.len() - nth).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 record`, `2 records`.
pub(super) fn counted(number: u64, one: &str, many: &str) -> String {
    format!(
        "{} {}",
        grouped(number),
        if number == 1 { one } else { many }
    )
}

/// `23 November 2026`.
pub(super) fn day(day: NaiveDate) -> String {
    day.format("%-d %B %Y").to_string()
}

/// `2026-11-23 02:00:01` in a zone.
pub(super) fn instant(at: DateTime<Utc>, zone: chrono_tz::Tz) -> String {
    at.with_timezone(&zone)
        .format("%Y-%m-%d %H:%M:%S")
        .to_string()
}

/// The first twelve digits of a digest: enough to tell versions apart.
pub(super) fn short(digest: &[u8; 32]) -> String {
    hex::encode(digest)[..12].to_owned()
}

/// The day of a text as PostgreSQL writes it (`2015-03-01`); other texts as they are.
pub(super) fn day_of(text: &str) -> String {
    text.parse().map_or_else(|_| text.to_owned(), day)
}

/// How a receiver of the ledger stands, in a sentence.
pub(super) fn sink(sink: &crate::ledger::publish::SinkReport) -> String {
    let name = &sink.name;
    let lacks = match sink.behind {
        None => "is at a place that is not known".to_owned(),
        Some(0) => "has every published entry".to_owned(),
        Some(behind) => format!(
            "lacks the last {}",
            counted(behind, "published entry", "published entries")
        ),
    };
    match &sink.failure {
        None => format!("Webhook {name} {lacks}."),
        Some(why) => format!("Webhook {name} {lacks}: {why}. The next publication tries again."),
    }
}

#[cfg(test)]
mod tests {
    use super::{Cell, Sheet, grouped, number, wrapped};

    #[test]
    fn numbers_are_grouped_by_thousands() {
        let shown: Vec<String> = [0, 7, 999, 1_000, 12_345, 1_234_567]
            .into_iter()
            .map(grouped)
            .collect();
        assert_eq!(shown, ["0", "7", "999", "1,000", "12,345", "1,234,567"]);
    }

    fn sheet() -> Sheet<5> {
        let mut sheet = Sheet::new(["class", "status", "due", "held", "overdue"]);
        sheet.row([
            "letters".into(),
            "ready".into(),
            number(1_200),
            number(0),
            number(3),
        ]);
        sheet.row([
            "photos".into(),
            "idle".into(),
            number(0),
            number(0),
            number(0),
        ]);
        sheet
    }

    #[test]
    fn columns_that_say_nothing_are_left_out() {
        let expected = [
            "class    status    due  overdue",
            "letters  ready   1,200        3",
            "photos   idle        –        –",
        ];
        assert_eq!(plain(sheet().lines(None)), expected);
        assert_eq!(plain(sheet().lines(Some(31))), expected);
    }

    #[test]
    fn columns_that_do_not_fit_follow_below_beside_the_first() {
        let expected = [
            "class    status    due",
            "letters  ready   1,200",
            "photos   idle        –",
            "",
            "class    overdue",
            "letters        3",
            "photos         –",
        ];
        assert_eq!(plain(sheet().lines(Some(30))), expected);
    }

    #[test]
    fn a_column_wider_than_the_terminal_still_stands_beside_the_first() {
        let mut sheet = Sheet::new(["n", "remark"]);
        sheet.row([Cell::new("1"), Cell::new("a remark of some length")]);
        assert_eq!(
            plain(sheet.lines(Some(10))),
            ["n  remark", "1  a remark of some length"]
        );
    }

    #[test]
    fn prose_breaks_between_words_and_keeps_its_indent() {
        assert_eq!(wrapped("one two three", Some(8)), "one two\nthree");
        assert_eq!(
            wrapped("  one two three\n\nfour", Some(9)),
            "  one two\n  three\n\nfour"
        );
        assert_eq!(wrapped("unbreakable", Some(4)), "unbreakable");
        assert_eq!(wrapped("one two three", None), "one two three");
    }

    #[test]
    fn colours_take_no_room() {
        assert_eq!(
            wrapped("\u{1b}[1mone\u{1b}[0m two three", Some(8)),
            "\u{1b}[1mone\u{1b}[0m two\nthree"
        );
    }

    fn plain(lines: Vec<String>) -> Vec<String> {
        lines
            .iter()
            .map(|line| {
                anstream::adapter::strip_str(line)
                    .to_string()
                    .trim_end()
                    .to_owned()
            })
            .collect()
    }
}
