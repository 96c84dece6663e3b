//! How records are named in statements, and how statements are told which records.

use serde::Serialize;

use crate::catalog::{Sort, Table};
use crate::ident::Ident;

/// A primary key, as records of its table are named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Key {
    /// The columns in the key's order.
    pub columns: Vec<KeyColumn>,
}

/// One column of a primary key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyColumn {
    /// Its name.
    pub name: Ident,
    /// Its type, fit for a cast.
    pub type_name: String,
    /// Whether its values are integers (returned as `bigint`), else text.
    pub integer: bool,
}

impl Key {
    pub(super) fn of(table: &Table) -> Self {
        let columns = table
            .key
            .iter()
            .filter_map(|name| table.column(name))
            .map(|column| KeyColumn {
                name: column.name.clone(),
                type_name: column.type_name.clone(),
                integer: column.sort == Sort::Integer,
            })
            .collect();
        Self { columns }
    }

    /// The values as they are returned: `bigint` or `text`.
    pub(super) fn returned(&self, a: &str) -> String {
        self.columns
            .iter()
            .map(|c| {
                let cast = if c.integer { "int8" } else { "text" };
                format!("{a}.{}::{cast}", c.name.quoted())
            })
            .collect::<Vec<_>>()
            .join(", ")
    }

    /// That a row has the key of the texts from `$first` on.
    pub(super) fn is(&self, a: &str, first: usize) -> String {
        let columns = self.columns.iter().zip(first..);
        columns
            .map(|(c, nth)| format!("{a}.{} = ${nth}::text::{}", c.name.quoted(), c.type_name))
            .collect::<Vec<_>>()
            .join(" AND ")
    }

    pub(super) fn typed(&self) -> Vec<(&Ident, &str)> {
        self.columns
            .iter()
            .map(|c| (&c.name, c.type_name.as_str()))
            .collect()
    }
}

/// `columns` are among the rows of the arrays from `$first` on, one array a column.
pub(super) fn among(columns: &[(&Ident, &str)], a: &str, first: usize) -> String {
    if let [(name, cast)] = columns {
        return format!("{a}.{} = ANY (${first}::text[]::{cast}[])", name.quoted());
    }
    let names: Vec<String> = (0..columns.len()).map(|nth| format!("c{nth}")).collect();
    let typed: Vec<String> = columns
        .iter()
        .zip(&names)
        .map(|((_, cast), name)| format!("u.{name}::{cast}"))
        .collect();
    let arrays: Vec<String> = (0..columns.len())
        .map(|nth| format!("${}::text[]", first + nth))
        .collect();
    format!(
        "({}) IN (SELECT {} FROM unnest({}) AS u ({}))",
        columns
            .iter()
            .map(|(name, _)| format!("{a}.{}", name.quoted()))
            .collect::<Vec<_>>()
            .join(", "),
        typed.join(", "),
        arrays.join(", "),
        names.join(", ")
    )
}
