//! Charts and wide tables for a terminal: pure, lines out of numbers. Told apart by length
//! and height alone, never by colour.

use crate::settings;

/// What can be drawn with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strokes {
    /// Unicode's block characters.
    Blocks,
    /// Only what every terminal has.
    Ascii,
}

/// Eighths of a block, from the left.
const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
/// Eighths of a block, from below. The first is for little, nothing is a blank.
const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const ASCII_HEIGHTS: [char; 8] = ['.', ':', '-', '=', '+', '*', '#', '@'];

impl Strokes {
    /// What the locale of the environment can show. The first of the three that is set
    /// decides, as POSIX says.
    pub fn of_the_terminal() -> Self {
        let environment: Vec<(String, String)> = settings::environment().collect();
        Self::of_locale(|name| {
            let found = environment.iter().find(|(variable, _)| variable == name);
            found.map(|(_, value)| value.as_str())
        })
    }

    fn of_locale<'a>(variable: impl Fn(&str) -> Option<&'a str>) -> Self {
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
            .into_iter()
            .filter_map(variable)
            .find(|value| !value.is_empty())
            .unwrap_or_default()
            .to_lowercase();
        if locale.contains("utf-8") || locale.contains("utf8") {
            Self::Blocks
        } else {
            Self::Ascii
        }
    }
}

/// A bar of `value` where `most` fills `width` columns. Whatever is not nothing shows.
fn bar(value: u64, most: u64, width: usize, strokes: Strokes) -> String {
    if value == 0 || most == 0 {
        return String::new();
    }
    let width = width as u128;
    match strokes {
        Strokes::Blocks => {
            let eighths = (u128::from(value) * width * 8 / u128::from(most)).max(1);
            let whole = usize::try_from(eighths / 8).unwrap_or(0);
            let rest = usize::try_from(eighths % 8).unwrap_or(0);
            format!("{}{}", "█".repeat(whole), EIGHTHS[rest])
        }
        Strokes::Ascii => {
            let whole = (u128::from(value) * width / u128::from(most)).max(1);
            "#".repeat(usize::try_from(whole).unwrap_or(0))
        }
    }
}

/// A line for each label: the label, the number, and a bar that fits `width`.
pub(super) fn bars(rows: &[(String, u64, String)], width: usize, strokes: Strokes) -> Vec<String> {
    let longest = |pick: fn(&(String, u64, String)) -> &str| {
        rows.iter().map(|row| pick(row).chars().count()).max()
    };
    let labels = longest(|row| &row.0).unwrap_or(0);
    let numbers = longest(|row| &row.2).unwrap_or(0);
    let room = width.saturating_sub(labels + numbers + 4).clamp(8, 100);
    let most = rows.iter().map(|(_, value, _)| *value).max().unwrap_or(0);
    rows.iter()
        .map(|(label, value, number)| {
            let drawn = bar(*value, most, room, strokes);
            format!("{label:<labels$}  {number:>numbers$}  {drawn}")
                .trim_end()
                .to_owned()
        })
        .collect()
}

/// One character a value, as high as the value is beside the highest; a blank for nothing.
pub(super) fn line(values: &[u64], strokes: Strokes) -> String {
    let most = u128::from(values.iter().copied().max().unwrap_or(0)).max(1);
    let heights = match strokes {
        Strokes::Blocks => HEIGHTS,
        Strokes::Ascii => ASCII_HEIGHTS,
    };
    values
        .iter()
        .map(|value| match u128::from(*value) {
            0 => ' ',
            value => {
                let eighth = (value * 8).div_ceil(most).clamp(1, 8);
                heights[usize::try_from(eighth - 1).unwrap_or(0)]
            }
        })
        .collect()
}

/// A table of numbers with any number of columns; those that do not fit the width follow
/// below, beside the first column again. The first column is set to the left.
pub(super) fn grid(heading: &[String], rows: &[Vec<String>], width: Option<usize>) -> Vec<String> {
    let long = |nth: usize| {
        let cells = rows.iter().filter_map(|row| row.get(nth));
        cells
            .chain(heading.get(nth))
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or(0)
    };
    let mut parts: Vec<Vec<usize>> = vec![Vec::new()];
    let mut used = long(0);
    for nth in 1..heading.len() {
        let wanted = long(nth) + 2;
        let full = width.is_some_and(|width| used + wanted > width);
        if full && parts.last().is_some_and(|part| !part.is_empty()) {
            parts.push(Vec::new());
            used = long(0);
        }
        used += wanted;
        if let Some(part) = parts.last_mut() {
            part.push(nth);
        }
    }
    let mut lines = Vec::new();
    for (nth, part) in parts.iter().enumerate() {
        if nth > 0 {
            lines.push(String::new());
        }
        for row in std::iter::once(heading).chain(rows.iter().map(Vec::as_slice)) {
            let mut line = format!("{:<1$}", row.first().map_or("", |cell| cell), long(0));
            for column in part {
                let cell = row.get(*column).map_or("", |cell| cell);
                line.push_str(&format!("  {cell:>0$}", long(*column)));
            }
            lines.push(line.trim_end().to_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::{Strokes, bars, grid, line};

    fn rows(values: &[u64]) -> Vec<(String, u64, String)> {
        let named = values.iter().enumerate();
        named
            .map(|(nth, value)| (format!("m{nth}"), *value, value.to_string()))
            .collect()
    }

    #[test]
    fn bars_are_exact_to_an_eighth_and_fit_the_width() {
        assert_eq!(
            bars(&rows(&[80, 40, 5, 0, 79]), 18, Strokes::Blocks),
            [
                "m0  80  ██████████",
                "m1  40  █████",
                "m2   5  ▋",
                "m3   0",
                "m4  79  █████████▉"
            ]
        );
        assert_eq!(
            bars(&rows(&[80, 1, 0]), 18, Strokes::Ascii),
            ["m0  80  ##########", "m1   1  #", "m2   0"]
        );
    }

    #[test]
    fn little_is_not_nothing() {
        assert_eq!(
            bars(&rows(&[1_000_000, 1]), 30, Strokes::Blocks)[1],
            "m1        1  ▏"
        );
        assert_eq!(line(&[0, 1, 1_000_000], Strokes::Blocks), " ▁█");
    }

    #[test]
    fn a_line_has_a_height_for_each_value() {
        let values = [0, 1, 2, 3, 4, 5, 6, 7, 8];
        assert_eq!(line(&values, Strokes::Blocks), " ▁▂▃▄▅▆▇█");
        assert_eq!(line(&values, Strokes::Ascii), " .:-=+*#@");
        assert_eq!(line(&[0, 0], Strokes::Blocks), "  ");
        assert_eq!(line(&[u64::MAX, 1], Strokes::Blocks), "█▁");
    }

    #[test]
    fn a_grid_breaks_into_parts_that_fit() {
        let text = |cells: &[&str]| -> Vec<String> {
            cells.iter().map(|cell| (*cell).to_owned()).collect()
        };
        let heading = text(&["class", "now", "2026-11", "2026-12"]);
        let rows = [
            text(&["letters", "1", "2", "3"]),
            text(&["visits", "1,000", "–", "–"]),
        ];
        let whole = [
            "class      now  2026-11  2026-12",
            "letters      1        2        3",
            "visits   1,000        –        –",
        ];
        assert_eq!(grid(&heading, &rows, None), whole);
        assert_eq!(grid(&heading, &rows, Some(32)), whole);
        assert_eq!(
            grid(&heading, &rows, Some(31)),
            [
                "class      now  2026-11",
                "letters      1        2",
                "visits   1,000        –",
                "",
                "class    2026-12",
                "letters        3",
                "visits         –",
            ]
        );
    }

    #[test]
    fn the_first_variable_that_is_set_decides() {
        let of = |set: &[(&str, &'static str)]| {
            Strokes::of_locale(|name| set.iter().find(|(n, _)| *n == name).map(|(_, v)| *v))
        };
        assert_eq!(of(&[]), Strokes::Ascii);
        assert_eq!(of(&[("LANG", "en_GB.UTF-8")]), Strokes::Blocks);
        assert_eq!(of(&[("LANG", "C.utf8")]), Strokes::Blocks);
        assert_eq!(
            of(&[("LC_ALL", "C"), ("LANG", "en_GB.UTF-8")]),
            Strokes::Ascii
        );
        assert_eq!(
            of(&[("LC_ALL", ""), ("LC_CTYPE", "C.UTF-8"), ("LANG", "C")]),
            Strokes::Blocks
        );
    }
}
