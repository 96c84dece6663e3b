//! How a column that looks personal might be anonymised, so that the database accepts it.

use super::{Finding, What};
use crate::catalog::{Catalog, Column, Sort, Table};
use crate::schedule::Strategy;

/// What is proposed for one column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proposal {
    /// This strategy fits its type and constraints.
    With(Strategy),
    /// None does, for this reason.
    Not(&'static str),
}

/// `[redacted]` is ten characters long, a pseudonym sixty-seven.
const REDACTED: usize = 10;
const PSEUDONYM: usize = 67;

/// Proposes a strategy that the column's type, its constraints and indexes allow: NULL where
/// it may be NULL, the year of a date, the area of a British postcode, `[redacted]` where NULL
/// is refused, a pseudonym where values must differ.
#[must_use]
pub fn propose(finding: &Finding<'_>, table: &Table, catalog: &Catalog) -> Proposal {
    let column = finding.column;
    let name = &column.name;
    if table.key.contains(name) {
        return Proposal::Not("part of the primary key, by which records are named");
    }
    if catalog
        .inbound(&table.name)
        .any(|key| key.to_columns.contains(name))
    {
        return Proposal::Not("other tables refer to it");
    }
    if catalog
        .outbound(&table.name)
        .any(|key| key.from_columns.contains(name))
    {
        return Proposal::Not("it refers to another table");
    }
    if column.generated {
        return Proposal::Not("the database computes it from other columns");
    }
    let unique = must_differ(table, column);
    match (finding.what, column.sort) {
        (What::BirthDate, Sort::Date | Sort::Timestamp | Sort::TimestampTz) if !unique => {
            return Proposal::With(Strategy::Year);
        }
        // Only of a British postcode is there an area; a ZIP code would go altogether.
        (What::Postcode, Sort::Text) if !unique && !is_zip(column) => {
            return Proposal::With(Strategy::Area);
        }
        _ => {}
    }
    if !column.not_null {
        return Proposal::With(Strategy::Null);
    }
    if column.sort != Sort::Text {
        return Proposal::Not("NOT NULL, and of a type in which nothing else can be written");
    }
    let (strategy, needed) = if unique {
        (Strategy::Pseudonym, PSEUDONYM)
    } else {
        (Strategy::Redact, REDACTED)
    };
    if longest(column).is_some_and(|longest| longest < needed) {
        return Proposal::Not(if unique {
            "NOT NULL and unique, and too short for a pseudonym"
        } else {
            "NOT NULL, and too short for `[redacted]`"
        });
    }
    Proposal::With(strategy)
}

/// Whether a unique index covers it, or might: what an expression reads is not known here.
fn must_differ(table: &Table, column: &Column) -> bool {
    table
        .indexes
        .iter()
        .filter(|index| index.unique)
        .any(|index| {
            index.columns.iter().any(|part| match part {
                Some(name) => name == &column.name,
                None => column.sort == Sort::Text,
            })
        })
}

fn is_zip(column: &Column) -> bool {
    super::words(column.name.as_str())
        .iter()
        .any(|word| word.starts_with("zip"))
}

fn longest(column: &Column) -> Option<usize> {
    let (_, rest) = column.type_name.split_once('(')?;
    rest.split_once(')')?.0.parse().ok()
}
