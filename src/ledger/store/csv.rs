//! Comma-separated values (RFC 4180), for a spreadsheet that will not run them.

use std::io::{self, Write};

/// A cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CsvCell<'a> {
    /// Whatever somebody has written.
    Text(&'a str),
    /// A number, which is one for a spreadsheet too.
    Number(&'a str),
}

/// Writes one line.
///
/// # Errors
/// When `out` cannot be written.
pub fn write_csv_line<'a>(
    out: &mut impl Write,
    cells: impl IntoIterator<Item = CsvCell<'a>>,
) -> io::Result<()> {
    for (i, cell) in cells.into_iter().enumerate() {
        if i > 0 {
            out.write_all(b",")?;
        }
        match cell {
            CsvCell::Text(text) => write_cell(out, text)?,
            CsvCell::Number(number) => out.write_all(number.as_bytes())?,
        }
    }
    out.write_all(b"\r\n")
}

/// The same, where every cell is a text.
pub(super) fn write_line<T: AsRef<str>>(
    out: &mut impl Write,
    cells: impl IntoIterator<Item = T>,
) -> io::Result<()> {
    let cells: Vec<T> = cells.into_iter().collect();
    write_csv_line(out, cells.iter().map(|cell| CsvCell::Text(cell.as_ref())))
}

fn write_cell(out: &mut impl Write, cell: &str) -> io::Result<()> {
    // A spreadsheet takes a cell that begins so for a formula; an apostrophe before it
    // makes it text.
    let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let quoted = cell.contains(['"', ',', '\n', '\r', '\t']);
    if quoted {
        out.write_all(b"\"")?;
    }
    if formula {
        out.write_all(b"'")?;
    }
    if quoted {
        out.write_all(cell.replace('"', "\"\"").as_bytes())?;
        out.write_all(b"\"")
    } else {
        out.write_all(cell.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn line(cells: &[&str]) -> String {
        let mut out = Vec::new();
        write_line(&mut out, cells).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn commas_quotes_and_new_lines_stay_inside_their_cell() {
        assert_eq!(
            line(&["a", "b,c", "say \"so\"", "two\nlines", ""]),
            "a,\"b,c\",\"say \"\"so\"\"\",\"two\nlines\",\r\n"
        );
    }

    #[test]
    fn no_cell_begins_as_a_formula() {
        for (cell, written) in [
            ("=1+1", "'=1+1\r\n"),
            ("+1", "'+1\r\n"),
            ("-1", "'-1\r\n"),
            ("@SUM", "'@SUM\r\n"),
            ("\tx", "\"'\tx\"\r\n"),
            ("\rx", "\"'\rx\"\r\n"),
            ("=a,\"b\"", "\"'=a,\"\"b\"\"\"\r\n"),
            ("1=1", "1=1\r\n"),
        ] {
            assert_eq!(line(&[cell]), written);
        }
    }
}
