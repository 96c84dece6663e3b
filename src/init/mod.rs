//! A first schedule for a database, proposed and not decided.
//!
//! Pure: from the catalogue alone, without reading a row, to the text of a `retention.toml`
//! that `check` accepts as it stands. Every class it proposes only flags. What cannot be
//! proposed is said, with the reason; nothing is left out silently.

mod dates;
mod pattern;
mod relations;
mod text;

use serde::Serialize;

use crate::catalog::{Catalog, Kind, Table};
use crate::ident::ClassId;
use crate::personal::{self, Certainty, Finding};

pub use dates::{Date, Dates, Meaning};
pub use pattern::Pattern;
pub use relations::{Dependant, Likely, Polymorphic};

/// What is proposed for a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft<'a> {
    /// Tables with a class each.
    pub classes: Vec<Candidate<'a>>,
    /// The one class of a file that would otherwise have none: a schedule needs one.
    pub kept: Option<Candidate<'a>>,
    /// Tables that are not proposed, and why.
    pub left_out: Vec<LeftOut<'a>>,
    catalog: &'a Catalog,
}

/// A table that may get a class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate<'a> {
    /// The class's id.
    pub id: ClassId,
    /// The table.
    pub table: &'a Table,
    /// Its columns that look personal.
    pub findings: Vec<Finding<'a>>,
    /// Its dates.
    pub dates: Dates,
    /// What refers to it by declared keys.
    pub dependants: Vec<Dependant>,
    /// What seems to.
    pub likely: Vec<Likely>,
    /// Columns by which it refers to rows of several tables.
    pub polymorphic: Vec<Polymorphic>,
}

/// A table that is not proposed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut<'a> {
    /// The table.
    pub table: &'a Table,
    /// Why.
    pub why: Why,
    /// Its columns that look personal.
    pub findings: Vec<Finding<'a>>,
    /// Its dates.
    pub dates: Dates,
}

/// Why a table is not proposed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// It looks personal, and has no date to count from.
    NoDate,
    /// The same, but it has numbers that look like seconds since 1970.
    EpochDates,
    /// It has no primary key.
    NoPrimaryKey,
    /// We may not read it.
    NoPrivilege,
    /// Row-level security hides rows from us.
    RowSecurity,
    /// A view, whose rows lie elsewhere.
    View,
    /// A table on another server.
    Foreign,
    /// It has inheritance children.
    Inherited,
    /// Rewrite rules stand in front of it.
    Ruled,
    /// A dot in its name, which the schedule takes for a schema's end.
    Unwritable,
    /// It has dates, and nothing in it looks personal for certain.
    NotPersonal,
    /// Neither a date, nor anything that looks personal for certain.
    Nothing,
}

impl Why {
    /// In words, for a comment.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::NoDate => "no date or timestamp to count from",
            Self::EpochDates => {
                "its dates are numbers, seconds since 1970 by their names, which are not supported yet"
            }
            Self::NoPrimaryKey => "no primary key, so that its records cannot be named",
            Self::NoPrivilege => "our role may not read it",
            Self::RowSecurity => "row-level security hides rows of it from our role",
            Self::View => "a view; its rows are those of the tables that it reads",
            Self::Foreign => "a foreign table; its rows are kept on another server",
            Self::Inherited => "a table with inheritance children",
            Self::Ruled => "a table with rewrite rules, so that what happens there cannot be known",
            Self::Unwritable => "its name has a dot in it, and cannot be written in a schedule",
            Self::NotPersonal => "dates, but nothing that looks personal for certain",
            Self::Nothing => "neither dates nor anything that looks personal for certain",
        }
    }
}

/// Proposes classes for the tables that match one of the patterns; for every table where
/// there is none. `None` where the database has nothing to propose or to explain.
///
/// Without patterns a table is proposed where it looks personal, or has a date at which
/// something ended, happened or was last used; with them, wherever it has a date at all.
#[must_use]
pub fn draft<'a>(catalog: &'a Catalog, patterns: &[Pattern]) -> Draft<'a> {
    let mut draft = Draft {
        classes: Vec::new(),
        kept: None,
        left_out: Vec::new(),
        catalog,
    };
    let mut keepable = Vec::new();
    for table in catalog.tables.values() {
        let asked = patterns.iter().any(|pattern| pattern.matches(&table.name));
        // A partition's rows are its root's.
        if table.kind == Kind::Partition
            || catalog.of_extensions.contains(&table.name)
            || !patterns.is_empty() && !asked
        {
            continue;
        }
        let findings = personal::judge(table);
        let personal = personal::holds_personal_data(&findings);
        let dates = dates::dates(table, catalog.outbound(&table.name));
        let first = dates.ranked.first().map(|date| date.meaning);
        let eventful = matches!(
            first,
            Some(Meaning::Ended | Meaning::Used | Meaning::Happened)
        );
        let why = match obstacle(table) {
            Some(why) => Some(why),
            None if first.is_some() && (personal || eventful || asked) => None,
            None if first.is_some() => Some(Why::NotPersonal),
            None if !dates.epochs.is_empty() => Some(Why::EpochDates),
            None if personal || asked => Some(Why::NoDate),
            None => Some(Why::Nothing),
        };
        let (why, id) = match (why, class_id(table, &draft.classes)) {
            (None, Some(id)) => {
                draft
                    .classes
                    .push(candidate(id, table, findings, dates, catalog));
                continue;
            }
            (why, id) => (why.unwrap_or(Why::Unwritable), id),
        };
        if personal && matches!(why, Why::NoDate | Why::EpochDates) {
            keepable.extend(id.map(|id| (id, table)));
        }
        draft.left_out.push(LeftOut {
            table,
            why,
            findings,
            dates,
        });
    }
    if draft.classes.is_empty() {
        // The table about which most is known, the first by name on a tie.
        let likely = |table: &Table| {
            personal::judge(table)
                .iter()
                .filter(|finding| finding.certainty == Certainty::Likely)
                .count()
        };
        let most = keepable.iter().map(|(_, table)| likely(table)).max();
        let found = keepable
            .into_iter()
            .find(|(_, table)| Some(likely(table)) == most);
        if let Some((_, table)) = &found {
            draft.left_out.retain(|left| left.table.name != table.name);
        }
        draft.kept = found.map(|(id, table)| {
            let dates = dates::dates(table, catalog.outbound(&table.name));
            candidate(id, table, personal::judge(table), dates, catalog)
        });
    }
    draft
}

fn candidate<'a>(
    id: ClassId,
    table: &'a Table,
    findings: Vec<Finding<'a>>,
    dates: Dates,
    catalog: &Catalog,
) -> Candidate<'a> {
    Candidate {
        id,
        table,
        findings,
        dates,
        dependants: relations::dependants(&table.name, catalog),
        likely: relations::likely(table, catalog),
        polymorphic: relations::polymorphic(table, catalog),
    }
}

/// What keeps every class off a table.
fn obstacle(table: &Table) -> Option<Why> {
    match table.kind {
        Kind::View | Kind::Materialised => return Some(Why::View),
        Kind::Foreign => return Some(Why::Foreign),
        Kind::Inherited => return Some(Why::Inherited),
        Kind::Ruled => return Some(Why::Ruled),
        Kind::Ordinary | Kind::Partitioned | Kind::Partition => {}
    }
    if [table.name.schema(), table.name.name()]
        .iter()
        .any(|name| name.as_str().contains('.'))
    {
        Some(Why::Unwritable)
    } else if table.key.is_empty() {
        Some(Why::NoPrimaryKey)
    } else if !table.privileges.select {
        Some(Why::NoPrivilege)
    } else if table.row_security {
        Some(Why::RowSecurity)
    } else {
        None
    }
}

/// A table whose rows are stored there, and that a class could name.
fn is_plain(table: &Table) -> bool {
    matches!(table.kind, Kind::Ordinary | Kind::Partitioned)
}

/// An id of the form that a schedule takes, told from those before it. Of more numbers than
/// there are classes one is free.
fn class_id(table: &Table, before: &[Candidate<'_>]) -> Option<ClassId> {
    let plain = |text: &str| {
        let mut plain = String::new();
        for character in text.to_lowercase().chars() {
            if character.is_ascii_alphanumeric() {
                plain.push(character);
            } else if !plain.is_empty() && !plain.ends_with('-') {
                plain.push('-');
            }
        }
        plain.trim_end_matches('-').to_owned()
    };
    let name = plain(table.name.name().as_str());
    let schema = plain(table.name.schema().as_str());
    let mut wishes = vec![format!("{schema}-{name}"), format!("table-{name}")];
    // As the schedule writes the table: `public` goes without saying.
    if schema == "public" {
        wishes.insert(0, name);
    }
    let taken = |id: &ClassId| before.iter().any(|candidate| &candidate.id == id);
    for nth in 2..=before.len() + 3 {
        wishes.push(format!("table-{nth}"));
    }
    let fits = |wish: &String| ClassId::new(wish).filter(|id| !taken(id));
    wishes.iter().find_map(fits)
}
