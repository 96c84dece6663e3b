//! What PostgreSQL really has, as a plain value: tables, columns, keys, indexes,
//! foreign keys, triggers, privileges.
//!
//! A [`Catalog`] says what is, never what should be: whether a schedule fits it is
//! decided in `plan`. A test can write one by hand; [`read`] takes it from a database.

mod own;
mod read;
mod vacuum;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::ident::{Ident, TableName};

pub use own::{Held, Own, OwnSort, held, own};
pub use read::{CatalogError, key_of, read, try_condition, try_hold};
pub use vacuum::last_vacuum;

/// What a database has outside the system's schemas and our own.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Catalog {
    /// Every table-like relation by name.
    pub tables: BTreeMap<TableName, Table>,
    /// Those of them that an extension made and keeps.
    pub of_extensions: BTreeSet<TableName>,
    /// Every declared foreign key. Those of single partitions stand at their root.
    pub foreign_keys: Vec<ForeignKey>,
    /// The role that we are connected as.
    pub role: String,
    /// Whether that role is a superuser, from whom nothing can be withheld.
    pub superuser: bool,
    /// Whether the role may look at our own schema and record no pass in it, so that it can
    /// ask and never act.
    pub only_asks: bool,
    /// The schemas that the role may not use.
    pub closed_schemas: BTreeSet<Ident>,
    /// Tables on which row-level security is switched on, for whomever.
    pub row_secured: BTreeSet<TableName>,
    /// Columns on which the role has a privilege that it lacks on the whole table.
    pub column_privileges: BTreeMap<TableName, ColumnPrivileges>,
    /// Whether the server compresses full pages in its write-ahead log.
    pub wal_compression: bool,
    /// What PostgreSQL said against a condition that was tried on a table, by table and
    /// the condition's SQL. See [`try_condition`].
    pub objections: BTreeMap<TableName, BTreeMap<String, String>>,
}

impl Catalog {
    /// A table by name.
    #[must_use]
    pub fn table(&self, name: &TableName) -> Option<&Table> {
        self.tables.get(name)
    }

    /// Whether the role may read a column.
    #[must_use]
    pub fn may_read(&self, table: &TableName, column: &Ident) -> bool {
        self.table(table).is_some_and(|t| t.privileges.select)
            || self
                .column_privileges
                .get(table)
                .is_some_and(|columns| columns.select.contains(column))
    }

    /// What PostgreSQL said against a condition, if it was tried and refused.
    #[must_use]
    pub fn objection(&self, table: &TableName, condition: &str) -> Option<&str> {
        self.objections
            .get(table)?
            .get(condition)
            .map(String::as_str)
    }

    /// Whether a relation shows rows of a table under another name.
    #[must_use]
    pub fn shows(&self, relation: &TableName, of: &TableName) -> bool {
        let mut seen: Vec<&TableName> = vec![relation];
        let mut next = 0;
        while let Some(name) = seen.get(next).copied() {
            let origins = self
                .tables
                .get(name)
                .map_or(&[][..], |table| &table.origins);
            for origin in origins {
                if !seen.contains(&origin) {
                    seen.push(origin);
                }
            }
            next += 1;
        }
        seen[1..].contains(&of)
    }

    /// The foreign keys that point at a table.
    pub fn inbound<'a>(&'a self, to: &'a TableName) -> impl Iterator<Item = &'a ForeignKey> {
        self.foreign_keys.iter().filter(move |key| &key.to == to)
    }

    /// The foreign keys by which a table points at others.
    pub fn outbound<'a>(&'a self, from: &'a TableName) -> impl Iterator<Item = &'a ForeignKey> {
        self.foreign_keys
            .iter()
            .filter(move |key| &key.from == from)
    }
}

/// One relation that a schedule might name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Table {
    /// Its name.
    pub name: TableName,
    /// What sort of relation it is.
    pub kind: Kind,
    /// Its columns in their order, dropped ones left out.
    pub columns: Vec<Column>,
    /// The primary key's columns in the key's order; empty where there is none.
    pub key: Vec<Ident>,
    /// Valid indexes.
    pub indexes: Vec<Index>,
    /// Names of the row or statement triggers that people made (not the system's own).
    pub triggers: Vec<String>,
    /// The tables whose rows this relation shows as well: the root of a partition, the
    /// parents of a child, what a view reads (views on views one step at a time).
    pub origins: Vec<TableName>,
    /// Columns that a CHECK, UNIQUE or EXCLUDE constraint reads, by constraint.
    pub constraints: BTreeMap<String, Vec<Ident>>,
    /// CHECK constraints, whose expressions can be asked of other values.
    pub checks: Vec<Check>,
    /// The publications that send its changes to subscribers.
    pub publications: Vec<Publication>,
    /// How full its pages are filled by inserts, in percent (the fullest partition's).
    pub fill_factor: u8,
    /// Whether row-level security filters it for us.
    pub row_security: bool,
    /// What we may do with it.
    pub privileges: Privileges,
    /// The planner's estimate of its rows; `None` before the first `ANALYZE`.
    pub estimated_rows: Option<u64>,
}

impl Table {
    /// A column by name.
    #[must_use]
    pub fn column(&self, name: &Ident) -> Option<&Column> {
        self.columns.iter().find(|column| &column.name == name)
    }

    /// Whether a valid, complete btree index starts with these columns, in this order.
    #[must_use]
    pub fn is_indexed_by(&self, columns: &[&Ident]) -> bool {
        self.indexes.iter().any(|index| {
            index.ordered
                && !index.partial
                && index.columns.len() >= columns.len()
                && index
                    .columns
                    .iter()
                    .zip(columns)
                    .all(|(have, want)| have.as_ref() == Some(*want))
        })
    }
}

/// The sort of a relation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Kind {
    /// An ordinary table without children.
    Ordinary,
    /// The root of a partitioned table.
    Partitioned,
    /// One partition of another table.
    Partition,
    /// A table with inheritance children, whose rows a statement would reach too.
    Inherited,
    /// A table that rewrite rules stand in front of.
    Ruled,
    /// A view, which shows rows of other tables.
    View,
    /// A materialised view, which holds copies of them.
    Materialised,
    /// A table on another server.
    Foreign,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Column {
    /// Its name.
    pub name: Ident,
    /// Its type as `format_type` writes it, fit for a cast.
    pub type_name: String,
    /// What the type is at bottom, domains looked through.
    pub sort: Sort,
    /// Whether NULL is refused.
    pub not_null: bool,
    /// Whether its value is computed from others, or an identity `ALWAYS` generated.
    pub generated: bool,
    /// The columns that a generated column is computed from.
    pub computed_from: Vec<Ident>,
    /// Whether its type is a domain with constraints of its own.
    pub constrained_domain: bool,
}

/// One CHECK constraint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Its name.
    pub name: String,
    /// The columns that it reads.
    pub columns: Vec<Ident>,
    /// Its expression over bare column names, as PostgreSQL writes it.
    pub expression: String,
    /// Whether every row is known to keep it. One that is `NOT VALID` may fail rows that
    /// are updated for any reason.
    pub validated: bool,
}

/// One publication of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Publication {
    /// Its name.
    pub name: String,
    /// Whether it sends changed rows.
    pub updates: bool,
    /// Whether it sends deletions.
    pub deletes: bool,
}

/// What a type is, as far as retention cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Sort {
    /// `date`
    Date,
    /// `timestamp without time zone`
    Timestamp,
    /// `timestamp with time zone`
    TimestampTz,
    /// `smallint`, `integer`, `bigint`
    Integer,
    /// `text`, `character varying`, `character`, `citext`, `name`
    Text,
    /// `uuid`
    Uuid,
    /// `json`
    Json,
    /// `jsonb`
    Jsonb,
    /// Anything else.
    Other,
}

impl Sort {
    /// Whether it says a day.
    #[must_use]
    pub fn is_day(self) -> bool {
        matches!(self, Self::Date | Self::Timestamp | Self::TimestampTz)
    }
}

/// One index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Index {
    /// Its name.
    pub name: String,
    /// Its key columns; `None` for an expression.
    pub columns: Vec<Option<Ident>>,
    /// Every column that it reads, in expressions and its condition too.
    pub reads: Vec<Ident>,
    /// Whether it covers only some rows.
    pub partial: bool,
    /// Whether it is a btree, which can serve ranges and order.
    pub ordered: bool,
    /// Whether it forbids duplicates.
    pub unique: bool,
    /// Whether NULL counts as a duplicate of NULL there.
    pub nulls_equal: bool,
    /// Whether it serves an EXCLUDE constraint.
    pub excludes: bool,
}

/// What our role may do with a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Privileges {
    /// `SELECT`
    pub select: bool,
    /// `UPDATE`
    pub update: bool,
    /// `DELETE`
    pub delete: bool,
    /// `VACUUM` and `ANALYZE`: its owner's, the database's owner's, or `MAINTAIN`.
    pub vacuum: bool,
}

/// What our role may do with single columns of a table.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ColumnPrivileges {
    /// `SELECT`
    pub select: BTreeSet<Ident>,
    /// `UPDATE` (any one is also what `SELECT … FOR UPDATE` needs)
    pub update: BTreeSet<Ident>,
}

/// One declared foreign key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ForeignKey {
    /// The constraint's name.
    pub name: String,
    /// The table that refers.
    pub from: TableName,
    /// Its columns, matching `to_columns` one by one.
    pub from_columns: Vec<Ident>,
    /// The table referred to.
    pub to: TableName,
    /// The unique columns referred to.
    pub to_columns: Vec<Ident>,
    /// What PostgreSQL would do to the referring row by itself.
    pub on_delete: OnDelete,
}

/// A foreign key's action when the row it refers to is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum OnDelete {
    /// The deletion is refused (also `RESTRICT`).
    NoAction,
    /// The referring row is deleted.
    Cascade,
    /// The referring columns become NULL or their default.
    Set,
}
