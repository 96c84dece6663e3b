//! Whether a column can be anonymised as the schedule orders: what its type, its keys and
//! its indexes say against it. What depends on the rows (CHECK constraints) is asked by
//! [`crate::plan::probes`].

use super::{Fit, near_column};
use crate::catalog::{Catalog, Column, Index, Sort, Table};
use crate::ident::Ident;
use crate::schedule::{Anonymisation, Class, Code, Place, Strategy, Trigger};

/// Compares one line of `anonymise` with its column.
pub(super) fn column(
    fit: &mut Fit,
    class: &Class,
    table: &Table,
    anonymisation: &Anonymisation,
    catalog: &Catalog,
) {
    let place = place_of(class, anonymisation);
    let Some(column) = table.column(&anonymisation.column) else {
        fit.refuse(
            Code::NoSuchColumn,
            format!(
                "class `{}`: there is no column `{}` in table `{}` to anonymise",
                class.id(),
                anonymisation.column,
                table.name
            ),
            near_column(&anonymisation.column, table),
            place,
        );
        return;
    };
    let named = format!("`{}.{}`", table.name, column.name);
    let referred = catalog
        .inbound(&table.name)
        .any(|key| key.to_columns.contains(&column.name));
    if table.key.contains(&column.name) || referred {
        fit.refuse(
            Code::AnonymisesKey,
            format!(
                "class `{}`: {named} is part of a key, by which the record is named",
                class.id()
            ),
            "leave it out of `anonymise`, or delete the record instead",
            place,
        );
        return;
    }
    if let Some((expected, hint)) = wrong_sort(anonymisation.strategy, column) {
        fit.refuse(
            Code::WrongColumnType,
            format!(
                "class `{}`: {named} is of type `{}`, and `{}` needs {expected}",
                class.id(),
                column.type_name,
                anonymisation.strategy.name()
            ),
            hint,
            place,
        );
        return;
    }
    if let Some((why, hint)) = breaks(table, column, anonymisation.strategy, catalog) {
        fit.refuse(
            Code::AnonymisationBreaks,
            format!(
                "class `{}`: {named} cannot be anonymised so: {why}",
                class.id()
            ),
            hint,
            place,
        );
    }
    for computed in &table.columns {
        if computed.computed_from.contains(&column.name)
            && let Some(role) = judged_by(class, &computed.name)
        {
            fit.refuse(
                Code::AnonymisesItsRule,
                format!(
                    "class `{}`: {named} cannot be anonymised: `{}` is computed from it, and {role}",
                    class.id(),
                    computed.name
                ),
                "keep the column, or judge by another",
                place,
            );
        }
    }
}

/// Where a line of `anonymise` stands.
pub(in crate::plan) fn place_of<'a>(class: &'a Class, anonymisation: &Anonymisation) -> &'a Place {
    let mut written = format!("anonymise.{}", anonymisation.column);
    for key in &anonymisation.path {
        written.push('.');
        written.push_str(key);
    }
    let keys = &class.places().keys;
    // The columns of a stage stand within it.
    keys.get(&written)
        .or_else(|| keys.get("stages"))
        .unwrap_or_else(|| class.place("anonymise"))
}

/// What a class does with a column besides.
fn judged_by(class: &Class, column: &Ident) -> Option<&'static str> {
    if class
        .claim()
        .is_some_and(|claim| claim.columns().any(|name| name == column))
    {
        return Some("the class's `where` reads that");
    }
    let dispose = class.dispose()?;
    if dispose
        .or_when
        .as_ref()
        .is_some_and(|or_when| or_when.columns().any(|name| name == column))
    {
        return Some("the class's `or_when` reads that");
    }
    let Trigger::Columns(triggers) = &dispose.trigger else {
        return None;
    };
    triggers.iter().find_map(|trigger| {
        let read = |when: &crate::schedule::Condition| when.columns().any(|name| name == column);
        if trigger.related.is_none() && &trigger.column == column {
            Some("that is a trigger of the class")
        } else if trigger.when.as_ref().is_some_and(read) {
            Some("the `when` of a trigger reads that")
        } else {
            None
        }
    })
}

fn breaks(
    table: &Table,
    column: &Column,
    strategy: Strategy,
    catalog: &Catalog,
) -> Option<(String, String)> {
    let drop_not_null = || {
        format!(
            "use \"redact\", or let it be empty: ALTER TABLE {} ALTER COLUMN {} DROP NOT NULL",
            table.name.written(),
            column.name.written()
        )
    };
    if column.generated {
        let hint = match column.computed_from.as_slice() {
            [] => "leave it out of `anonymise`; an identity says nothing about a person".to_owned(),
            from => format!(
                "anonymise what it is computed from instead: {}",
                names(from)
            ),
        };
        return Some(("it is computed by the database".to_owned(), hint));
    }
    if column.not_null && strategy == Strategy::Null {
        let text = column.sort == Sort::Text;
        return Some((
            "it is NOT NULL".to_owned(),
            if text {
                drop_not_null()
            } else {
                drop_not_null().replace("use \"redact\", or let", "let")
            },
        ));
    }
    let unique = |index: &&Index| {
        index.unique
            && index.reads.contains(&column.name)
            && match strategy {
                Strategy::Null => index.nulls_equal,
                Strategy::Pseudonym => false,
                _ => true,
            }
    };
    if let Some(index) = table.indexes.iter().find(unique) {
        let other = if strategy == Strategy::Null || column.not_null {
            "pseudonym"
        } else {
            "null"
        };
        return Some((
            format!(
                "the unique index `{}` covers it, and anonymised values are not unique",
                index.name
            ),
            format!("use \"{other}\", of which there may be many, or drop the index"),
        ));
    }
    let refers = catalog
        .outbound(&table.name)
        .find(|key| key.from_columns.contains(&column.name));
    if let Some(key) = refers.filter(|_| strategy != Strategy::Null) {
        return Some((
            format!(
                "by its foreign key `{}` it names a row of `{}`, and what would be written names none",
                key.name, key.to
            ),
            "use \"null\"".to_owned(),
        ));
    }
    longest(column)
        .filter(|longest| *longest < needed(strategy))
        .map(|longest| {
            (
                format!(
                    "its type has room for {longest} characters, and {} would be written",
                    needed(strategy)
                ),
                "use \"null\", or make the column longer".to_owned(),
            )
        })
}

fn names(columns: &[Ident]) -> String {
    let names: Vec<&str> = columns.iter().map(Ident::as_str).collect();
    names.join(", ")
}

/// What the strategy needs, where the column is something else.
fn wrong_sort(strategy: Strategy, column: &Column) -> Option<(&'static str, &'static str)> {
    let fits = match strategy {
        Strategy::Null => return None,
        Strategy::Redact | Strategy::Pseudonym | Strategy::Area => column.sort == Sort::Text,
        Strategy::Year | Strategy::Month => {
            matches!(
                column.sort,
                Sort::Date | Sort::Timestamp | Sort::TimestampTz
            )
        }
        Strategy::Remove => matches!(column.sort, Sort::Json | Sort::Jsonb),
    };
    if fits {
        return None;
    }
    Some(match strategy {
        Strategy::Year | Strategy::Month => ("a date or a timestamp", "use \"null\" or \"redact\""),
        Strategy::Remove => ("a json or jsonb column", "name the column without a path"),
        _ => ("a text column", "use \"null\""),
    })
}

fn longest(column: &Column) -> Option<usize> {
    let (_, rest) = column.type_name.split_once('(')?;
    rest.split_once(')')?
        .0
        .parse()
        .ok()
        .filter(|_| column.sort == Sort::Text)
}

fn needed(strategy: Strategy) -> usize {
    match strategy {
        Strategy::Redact => "[redacted]".len(),
        Strategy::Pseudonym => "px-".len() + 64,
        _ => 0,
    }
}
