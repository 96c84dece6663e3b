//! Whether a class fits the database: every reason why not, each with its line in the
//! schedule and the way out. A class that does not fit is refused as a whole, and goes on
//! protecting what it might claim.

mod anonymised;
mod dependants;

pub(super) use anonymised::place_of as anonymised_place;

use chrono::NaiveDate;

use super::judge::Mute;
use super::link::Link;
use super::related::{Unreached, leads};
use super::relations::Relations;
use crate::catalog::{Catalog, Kind, Sort, Table};
use crate::ident::{Ident, TableName};
use crate::schedule::{
    Class, Code, Condition, Diagnostic, Disposal, Dispose, Place, Rule, Strategy, Trigger,
};

/// What was found about one class.
#[derive(Debug, Default)]
pub(super) struct Fit {
    /// Faults: the class must not act.
    pub refusals: Vec<Diagnostic>,
    /// Advice: it may.
    pub warnings: Vec<Diagnostic>,
    /// What hangs on its records; complete only where nothing is refused.
    pub relations: Relations,
    /// Set where the class's condition cannot be asked of the database at all.
    pub condition_unknown: bool,
}

impl Fit {
    /// How a class that is refused stands before its rows.
    pub fn mute(&self) -> Mute {
        if self.condition_unknown {
            Mute::Everything
        } else {
            Mute::Claims
        }
    }

    /// Says so where the day has come to ask whether records must still be kept.
    pub fn review_due(&mut self, class: &Class, today: NaiveDate) {
        if let Rule::Retain {
            review_on: Some(day),
            ..
        } = class.rule()
            && *day <= today
        {
            self.warn(
                Code::ReviewDue,
                format!(
                    "class `{}`: since {day} it is to be asked again whether its records must be kept",
                    class.id()
                ),
                "ask its owner, and write the next date",
                class.place("review_on"),
            );
        }
    }

    pub(super) fn refuse(
        &mut self,
        code: Code,
        message: String,
        hint: impl Into<String>,
        place: &Place,
    ) {
        self.refusals
            .push(Diagnostic::new(code, message).hint(hint).at(*place));
    }

    pub(super) fn warn(
        &mut self,
        code: Code,
        message: String,
        hint: impl Into<String>,
        place: &Place,
    ) {
        self.warnings
            .push(Diagnostic::new(code, message).hint(hint).at(*place));
    }
}

/// Compares one class with the database.
pub(super) fn fit(class: &Class, catalog: &Catalog, known: &[Link]) -> Fit {
    let mut fit = Fit::default();
    let Some(table) = catalog.table(class.table()) else {
        fit.condition_unknown = true;
        let near = nearest(class.table(), catalog);
        fit.refuse(
            Code::NoSuchTable,
            format!(
                "class `{}`: there is no table `{}` in the database",
                class.id(),
                class.table()
            ),
            near.map_or_else(
                || "create the table, or correct its name".to_owned(),
                |near| format!("did you mean `{near}`?"),
            ),
            class.place("table"),
        );
        return fit;
    };
    condition(&mut fit, class, table, class.claim(), "where", catalog);
    relation(&mut fit, class, table);
    subject(&mut fit, class, table);
    let Some(dispose) = class.dispose() else {
        return fit;
    };
    triggers(&mut fit, class, dispose, table, catalog);
    for step in dispose.steps() {
        if let Disposal::Anonymise(columns) = &step.disposal {
            for anonymisation in columns {
                anonymised::column(&mut fit, class, table, anonymisation, catalog);
            }
        }
    }
    condition(
        &mut fit,
        class,
        table,
        dispose.or_when.as_ref(),
        "or_when",
        catalog,
    );
    activity(&mut fit, class, dispose, table);
    preview(&mut fit, class, dispose, table);
    dependants::dependants(&mut fit, class, dispose, catalog, known);
    files(&mut fit, class, dispose, catalog);
    fit
}

/// A hold on a person protects by the column that names people, so that it has to be there.
fn subject(fit: &mut Fit, class: &Class, table: &Table) {
    if let Some(column) = class.subject()
        && table.column(column).is_none()
    {
        fit.refuse(
            Code::NoSuchColumn,
            format!(
                "class `{}`: there is no column `{column}` in table `{}`",
                class.id(),
                table.name
            ),
            near_column(column, table),
            class.place("subject"),
        );
    }
}

fn relation(fit: &mut Fit, class: &Class, table: &Table) {
    let place = class.place("table");
    let retains = class.dispose().is_none();
    let what = match table.kind {
        // What is only kept may be kept in any relation, as long as its rows are its own.
        _ if retains && table.origins.is_empty() => None,
        Kind::Ordinary | Kind::Partitioned => None,
        Kind::Partition => Some((
            "a single partition",
            "name the partitioned table that it is part of",
        )),
        Kind::Inherited => Some((
            "a table with inheritance children",
            "partition it, or give each table a class of its own after removing the inheritance",
        )),
        Kind::Ruled => Some((
            "a table with rewrite rules",
            "drop its rules; what a DELETE there does cannot be known",
        )),
        Kind::View => Some(("a view", "name the table that its rows are stored in")),
        Kind::Materialised => Some((
            "a materialised view",
            "name the table that its rows are copied from",
        )),
        Kind::Foreign => Some((
            "a foreign table",
            "run retentiond on the database that holds its rows",
        )),
    };
    if let Some((what, hint)) = what {
        // Its rows are another relation's too, which cannot ask its condition.
        fit.condition_unknown = true;
        fit.refuse(
            Code::NotATable,
            format!("class `{}`: `{}` is {what}", class.id(), table.name),
            hint,
            place,
        );
        return;
    }
    if retains {
        return;
    }
    if table.row_security {
        fit.refuse(
            Code::RowSecurity,
            format!("class `{}`: row-level security hides rows of `{}` from the role", class.id(), table.name),
            "connect as a role with BYPASSRLS, or as the owner of a table without FORCE ROW LEVEL SECURITY",
            place,
        );
    }
    if table.key.is_empty() {
        fit.refuse(
            Code::NoPrimaryKey,
            format!(
                "class `{}`: table `{}` has no primary key, so its records cannot be named",
                class.id(),
                table.name
            ),
            primary_key(table),
            place,
        );
    }
    for name in &table.key {
        if table
            .column(name)
            .is_some_and(|column| column.sort == Sort::Text)
        {
            fit.warn(
                Code::PersonalKey,
                format!(
                    "the key column `{}.{name}` is text, and keys stand in the ledger in clear",
                    table.name
                ),
                "make sure that it holds nothing personal, such as an email address",
                place,
            );
        }
    }
}

/// The statement that gives a table a primary key: out of what is unique already.
fn primary_key(table: &Table) -> String {
    let strict = |name: &Option<Ident>| {
        let column = name.as_ref().and_then(|name| table.column(name));
        column.filter(|column| column.not_null).map(|c| &c.name)
    };
    let unique = table
        .indexes
        .iter()
        .filter(|index| index.unique && !index.partial)
        .find_map(|index| index.columns.iter().map(strict).collect::<Option<Vec<_>>>());
    let on = table.name.written();
    match unique {
        Some(columns) => {
            let columns: Vec<String> = columns.iter().map(|name| name.written()).collect();
            format!("ALTER TABLE {on} ADD PRIMARY KEY ({})", columns.join(", "))
        }
        None => format!(
            "ALTER TABLE {on} ADD COLUMN record_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY"
        ),
    }
}

fn condition(
    fit: &mut Fit,
    class: &Class,
    table: &Table,
    condition: Option<&Condition>,
    key: &str,
    catalog: &Catalog,
) {
    let Some(condition) = condition else { return };
    let place = class.place(key);
    for column in condition.columns() {
        if table.column(column).is_none() {
            if key == "where" {
                fit.condition_unknown = true;
            }
            fit.refuse(
                Code::NoSuchColumn,
                format!(
                    "class `{}`: the condition reads column `{column}`, which `{}` does not have",
                    class.id(),
                    table.name
                ),
                near_column(column, table),
                place,
            );
        }
    }
    let known = condition
        .columns()
        .all(|column| table.column(column).is_some());
    if let Some(reason) = catalog
        .objection(&table.name, &condition.sql("t"))
        .filter(|_| known)
    {
        if key == "where" {
            fit.condition_unknown = true;
        }
        fit.refuse(
            Code::ConditionRefused,
            format!(
                "class `{}`: the database refuses the condition: {reason}",
                class.id()
            ),
            "compare each column with a value of its own type",
            place,
        );
    }
}

fn triggers(fit: &mut Fit, class: &Class, dispose: &Dispose, table: &Table, catalog: &Catalog) {
    let Trigger::Columns(sources) = &dispose.trigger else {
        return;
    };
    for source in sources {
        let place = super::advice::trigger_place(class, source);
        condition(fit, class, table, source.when.as_ref(), "trigger", catalog);
        let table = match &source.related {
            None => table,
            Some(related) => match related_table(fit, class, related, place, catalog) {
                Some(related) => related,
                None => continue,
            },
        };
        let Some(column) = table.column(&source.column) else {
            fit.refuse(
                Code::NoSuchColumn,
                format!(
                    "class `{}`: there is no column `{}` in table `{}`",
                    class.id(),
                    source.column,
                    table.name
                ),
                near_column(&source.column, table),
                place,
            );
            continue;
        };
        if !column.sort.is_day() {
            fit.refuse(
                Code::WrongColumnType,
                format!(
                    "class `{}`: the trigger `{}.{}` is of type `{}`, not a date or a timestamp",
                    class.id(),
                    table.name,
                    column.name,
                    column.type_name
                ),
                "name a column of type date, timestamp or timestamp with time zone",
                place,
            );
        }
    }
}

/// The table of a trigger in a related row, if it can be read.
fn related_table<'a>(
    fit: &mut Fit,
    class: &Class,
    related: &TableName,
    place: &Place,
    catalog: &'a Catalog,
) -> Option<&'a Table> {
    let id = class.id();
    let Some(table) = catalog.table(related) else {
        fit.refuse(
            Code::NoSuchTable,
            format!("class `{id}`: there is no table `{related}` in the database"),
            nearest(related, catalog).map_or_else(
                || "a trigger of another table is written `table.column`".to_owned(),
                |near| format!("did you mean `{near}`?"),
            ),
            place,
        );
        return None;
    };
    match leads(class.table(), related, catalog) {
        Err(Unreached::NoKey) => fit.refuse(
            Code::TriggerUnreached,
            format!(
                "class `{id}`: no foreign key leads from `{}` to `{related}`, where the trigger stands",
                class.table()
            ),
            "declare the foreign key in the database, or keep the date in a column of the class's own table",
            place,
        ),
        Err(Unreached::Several(keys)) => fit.refuse(
            Code::TriggerUnreached,
            format!(
                "class `{id}`: several foreign keys lead from `{}` to `{related}` ({}), and the trigger stands in one row",
                class.table(),
                keys.join(", ")
            ),
            format!(
                "keep the date that counts in a column of `{}`, filled from the row that is meant, and name that column",
                class.table()
            ),
            place,
        ),
        Ok(_) => {
            if table.row_security {
                fit.refuse(
                    Code::RowSecurity,
                    format!("class `{id}`: row-level security hides rows of `{related}` from the role"),
                    "connect as a role with BYPASSRLS, or as the owner of a table without FORCE ROW LEVEL SECURITY",
                    place,
                );
            }
            return Some(table);
        }
    }
    None
}

/// The columns that show when a record was last worked with.
fn activity(fit: &mut Fit, class: &Class, dispose: &Dispose, table: &Table) {
    let place = class.place("unless_active");
    for name in &dispose.unless_active {
        let Some(column) = table.column(name) else {
            fit.refuse(
                Code::NoSuchColumn,
                format!(
                    "class `{}`: there is no column `{name}` in table `{}`",
                    class.id(),
                    table.name
                ),
                near_column(name, table),
                place,
            );
            continue;
        };
        if !column.sort.is_day() {
            fit.refuse(
                Code::WrongColumnType,
                format!(
                    "class `{}`: the column `{}.{name}` is of type `{}`, not a date or a timestamp",
                    class.id(),
                    table.name,
                    column.type_name
                ),
                "name a column of type date, timestamp or timestamp with time zone",
                place,
            );
        }
    }
}

/// The columns that reviewers are shown.
fn preview(fit: &mut Fit, class: &Class, dispose: &Dispose, table: &Table) {
    for name in &dispose.preview {
        if table.column(name).is_none() {
            fit.refuse(
                Code::NoSuchColumn,
                format!(
                    "class `{}`: there is no column `{name}` in table `{}` that reviewers could be shown",
                    class.id(),
                    table.name
                ),
                near_column(name, table),
                class.place("preview"),
            );
        }
    }
}

fn files(fit: &mut Fit, class: &Class, dispose: &Dispose, catalog: &Catalog) {
    for file in &dispose.files {
        let Some(table) = catalog.table(&file.table) else {
            continue;
        };
        match table.column(&file.column) {
            None => fit.refuse(
                Code::NoSuchColumn,
                format!(
                    "class `{}`: there is no column `{}` in table `{}` that could name files",
                    class.id(),
                    file.column,
                    table.name
                ),
                near_column(&file.column, table),
                &file.place,
            ),
            Some(column) if column.sort != Sort::Text => fit.refuse(
                Code::WrongColumnType,
                format!(
                    "class `{}`: `{}.{}` is of type `{}`, not text, and cannot name files",
                    class.id(),
                    table.name,
                    column.name,
                    column.type_name
                ),
                "name a text column that holds a path",
                &file.place,
            ),
            Some(_) => {}
        }
        if let Disposal::Anonymise(columns) = &dispose.disposal
            && &file.table == class.table()
            && !columns.iter().any(|c| {
                c.column == file.column && matches!(c.strategy, Strategy::Null | Strategy::Redact)
            })
        {
            fit.refuse(
                Code::AnonymisationBreaks,
                format!(
                    "class `{}`: the file goes, but `{}` would go on naming it",
                    class.id(),
                    file.column
                ),
                format!(
                    "add `{} = \"null\"` to the class's `anonymise`",
                    file.column
                ),
                &file.place,
            );
        }
    }
}

fn short(table: &TableName) -> String {
    if table.schema().as_str() == "public" {
        table.name().to_string()
    } else {
        table.to_string()
    }
}

fn nearest(wanted: &TableName, catalog: &Catalog) -> Option<String> {
    catalog
        .tables
        .keys()
        .map(|name| {
            (
                strsim::damerau_levenshtein(&name.to_string(), &wanted.to_string()),
                name,
            )
        })
        .filter(|(distance, _)| *distance <= 3)
        .min()
        .map(|(_, name)| short(name))
}

fn near_column(wanted: &Ident, table: &Table) -> String {
    table
        .columns
        .iter()
        .map(|column| {
            (
                strsim::damerau_levenshtein(column.name.as_str(), wanted.as_str()),
                &column.name,
            )
        })
        .filter(|(distance, _)| *distance <= 3)
        .min()
        .map_or_else(
            || {
                let names: Vec<&str> = table.columns.iter().map(|c| c.name.as_str()).collect();
                format!("the table has: {}", names.join(", "))
            },
            |(_, name)| format!("did you mean `{name}`?"),
        )
}
