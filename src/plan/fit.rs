//! Whether a class fits the database: every reason why not, each with its line in the
//! schedule and the way out. A class that does not fit is refused as a whole, and goes on
//! protecting what it might claim.

use chrono::NaiveDate;

use super::judge::Mute;
use super::link::{Broken, By, Link};
use super::related::{Unreached, leads};
use super::relations::{Misfit, Relations, is_led_to, line, resolve};
use crate::catalog::{Catalog, Column, Kind, OnDelete, Sort, Table};
use crate::ident::{Ident, TableName};
use crate::schedule::{
    Anonymisation, Class, Code, Condition, Diagnostic, Disposal, Dispose, Fate, Place, Rule,
    Strategy, Trigger,
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

    fn refuse(&mut self, code: Code, message: String, hint: impl Into<String>, place: &Place) {
        self.refusals
            .push(Diagnostic::new(code, message).hint(hint).at(*place));
    }

    fn warn(&mut self, code: Code, message: String, hint: impl Into<String>, place: &Place) {
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
    let Some(dispose) = class.dispose() else {
        return fit;
    };
    triggers(&mut fit, class, dispose, table, catalog);
    for step in dispose.steps() {
        if let Disposal::Anonymise(columns) = &step.disposal {
            for anonymisation in columns {
                anonymised_column(&mut fit, class, table, anonymisation, catalog);
            }
        }
    }
    activity(&mut fit, class, dispose, table);
    dependants(&mut fit, class, dispose, catalog, known);
    files(&mut fit, class, dispose, catalog);
    privileges(&mut fit, class, dispose, catalog);
    fit
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
            format!("add one: ALTER TABLE {} ADD PRIMARY KEY (…)", table.name),
            place,
        );
    }
    if !table.triggers.is_empty() {
        fit.warn(
            Code::TableHasTriggers,
            format!("table `{}` has triggers of its own ({}); what they change elsewhere is not in the ledger", table.name, table.triggers.join(", ")),
            "see that they delete nothing that the schedule does not name",
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
    let place = class.place("trigger");
    for source in sources {
        condition(fit, class, table, source.when.as_ref(), "trigger", catalog);
        let table = match &source.related {
            None => table,
            Some(related) => match related_table(fit, class, related, catalog) {
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
        } else if !table.is_indexed_by(&[&source.column]) {
            fit.warn(
                Code::NoTriggerIndex,
                format!(
                    "no index starts with the trigger `{}.{}`, so every pass reads the whole table",
                    table.name, column.name
                ),
                format!(
                    "CREATE INDEX CONCURRENTLY ON {} ({})",
                    table.name, column.name
                ),
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
    catalog: &'a Catalog,
) -> Option<&'a Table> {
    let (id, place) = (class.id(), class.place("trigger"));
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
        Ok(link) => {
            if table.row_security {
                fit.refuse(
                    Code::RowSecurity,
                    format!("class `{id}`: row-level security hides rows of `{related}` from the role"),
                    "connect as a role with BYPASSRLS, or as the owner of a table without FORCE ROW LEVEL SECURITY",
                    place,
                );
            }
            index_on(fit, class, &link, catalog, "trigger");
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

fn anonymised_column(
    fit: &mut Fit,
    class: &Class,
    table: &Table,
    anonymisation: &Anonymisation,
    catalog: &Catalog,
) {
    let place = class.place("anonymise");
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
    }
    if let Some((expected, hint)) = wrong_sort(anonymisation.strategy, column) {
        fit.refuse(
            Code::WrongColumnType,
            format!(
                "class `{}`: {named} is of type `{}`, and the strategy needs {expected}",
                class.id(),
                column.type_name
            ),
            hint,
            place,
        );
    }
    let unique = table.indexes.iter().any(|index| {
        index.unique
            && index
                .columns
                .iter()
                .flatten()
                .any(|name| name == &column.name)
    });
    let breaks = if column.generated {
        Some("it is computed by the database")
    } else if column.not_null && anonymisation.strategy == Strategy::Null {
        Some("it is NOT NULL")
    } else if unique && !matches!(anonymisation.strategy, Strategy::Null | Strategy::Pseudonym) {
        Some("a unique index covers it, and anonymised values are not unique")
    } else if longest(column).is_some_and(|longest| longest < needed(anonymisation.strategy)) {
        Some("its type is too short for what would be written")
    } else {
        None
    };
    if let Some(why) = breaks {
        fit.refuse(
            Code::AnonymisationBreaks,
            format!(
                "class `{}`: {named} cannot be anonymised so: {why}",
                class.id()
            ),
            if column.not_null && anonymisation.strategy == Strategy::Null {
                "use \"redact\", or drop the NOT NULL constraint"
            } else {
                "choose another strategy, or change the column"
            },
            place,
        );
    }
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

fn dependants(fit: &mut Fit, class: &Class, dispose: &Dispose, catalog: &Catalog, known: &[Link]) {
    for dependant in &dispose.dependants {
        let Some(table) = catalog.table(&dependant.table) else {
            let near = nearest(&dependant.table, catalog);
            fit.refuse(
                Code::NoSuchTable,
                format!(
                    "class `{}`: there is no table `{}` in the database",
                    class.id(),
                    dependant.table
                ),
                near.map_or_else(
                    || "correct its name".to_owned(),
                    |near| format!("did you mean `{near}`?"),
                ),
                &dependant.place,
            );
            continue;
        };
        if table.key.is_empty() {
            fit.refuse(
                Code::NoPrimaryKey,
                format!("class `{}`: the dependant `{}` has no primary key, so its rows cannot be named", class.id(), table.name),
                format!("add one: ALTER TABLE {} ADD PRIMARY KEY (…)", table.name),
                &dependant.place,
            );
        }
        if !matches!(table.kind, Kind::Ordinary | Kind::Partitioned) || table.row_security {
            fit.refuse(
                Code::NotATable,
                format!("class `{}`: the dependant `{}` is not an ordinary or partitioned table that we see whole", class.id(), table.name),
                "name the table that the rows are stored in, as a role that row-level security does not filter",
                &dependant.place,
            );
        }
    }
    for dependant in &dispose.dependants {
        let when = dependant.relation.as_ref().and_then(|r| r.when.as_ref());
        if let Some(table) = catalog.table(&dependant.table) {
            condition(fit, class, table, when, "dependants", catalog);
        }
    }
    let (relations, misfits) = resolve(class, dispose, catalog, known);
    for misfit in misfits {
        describe(fit, class, misfit, catalog);
    }
    for inbound in relations.inbound.iter().chain(&relations.unlinked) {
        for edge in &inbound.edges {
            index_on(fit, class, edge, catalog, "dependants");
        }
    }
    for edge in relations
        .referred
        .iter()
        .flat_map(|referred| &referred.all_inbound)
    {
        index_on(fit, class, edge, catalog, "dependants");
    }
    fit.relations = relations;
}

fn index_on(fit: &mut Fit, class: &Class, edge: &Link, catalog: &Catalog, key: &str) {
    if catalog
        .table(&edge.from)
        .is_some_and(|table| !is_led_to(table, edge))
    {
        let list = edge
            .from_columns
            .iter()
            .map(Ident::as_str)
            .collect::<Vec<_>>()
            .join(", ");
        fit.warn(
            Code::NoForeignKeyIndex,
            format!("no index on `{}` ({list}), by which it refers to `{}`: every batch reads the whole of it", edge.from, edge.to),
            format!("CREATE INDEX CONCURRENTLY ON {} ({list})", edge.from),
            class.place(key),
        );
    }
}

fn describe(fit: &mut Fit, class: &Class, misfit: Misfit, catalog: &Catalog) {
    let id = class.id();
    match misfit {
        Misfit::Unrelated(table, place) => fit.refuse(
            Code::UnrelatedDependant,
            format!("class `{id}`: nothing relates the dependant `{table}` to `{}`", class.table()),
            format!("say how: {{ table = \"{}\", on = \"COLUMN = {}.COLUMN\" }}; or declare the foreign key in the database", short(&table), short(class.table())),
            &place,
        ),
        Misfit::Undeclared(link) => {
            let fate = match &link.by {
                By::Key(_, OnDelete::Cascade) => "its rows would vanish unlogged",
                By::Key(_, OnDelete::Set) => "its rows would be changed unlogged",
                By::Key(_, OnDelete::NoAction) => "its rows would block the deletion",
                By::Schedule(_) => "its rows would be left behind, referring to nothing",
            };
            let by = match &link.by {
                By::Key(name, _) => format!("foreign key `{name}`"),
                By::Schedule(other) => format!("as class `{other}` says"),
            };
            fit.refuse(
                Code::UndeclaredForeignKey,
                format!("class `{id}`: `{}` refers to `{}` ({by}) and is not declared: {fate}", link.from, link.to),
                format!("add to the class's dependants: {}", line(&link)),
                class.place("dependants"),
            );
        }
        Misfit::SelfReference(link) => {
            let by = match &link.by {
                By::Key(name, _) => format!("foreign key `{name}`"),
                By::Schedule(other) => format!("as class `{other}` says"),
            };
            let table = short(&link.from);
            fit.refuse(
                Code::SelfReference,
                format!("class `{id}`: rows of `{}` refer to rows of the same table ({by}), and nothing says what becomes of them", link.from),
                match &link.by {
                    By::Key(..) => format!("add to the class's dependants: \"{table}\", if they go with the row that they refer to, or {{ table = \"{table}\", action = \"unlink\" }}, if they stay"),
                    By::Schedule(_) => format!("add to the class's dependants: {}", line(&link)),
                },
                class.place("dependants"),
            );
        }
        Misfit::Circle(table) => fit.refuse(
            Code::ForeignKeyCircle,
            format!("class `{id}`: the foreign keys around the dependant `{table}` run in a circle"),
            "there is no order in which these rows could be deleted; break the circle in the database",
            class.place("dependants"),
        ),
        Misfit::NotNull(link, place) => fit.refuse(
            Code::UnlinkNotNull,
            match &link.by {
                By::Key(name, _) => format!("class `{id}`: `{}` cannot be unlinked, since its foreign key `{name}` is NOT NULL", link.from),
                By::Schedule(_) => format!("class `{id}`: `{}` cannot be unlinked, since the columns by which it refers to `{}` are NOT NULL", link.from, link.to),
            },
            "let its rows go with the record, or allow NULL in the column",
            &place,
        ),
        Misfit::UnlinksReferred(table, place) => fit.refuse(
            Code::Contradiction,
            format!("class `{id}`: the record refers to `{table}`, so that there is nothing in its rows to empty"),
            "leave `action` out, or the entry",
            &place,
        ),
        Misfit::Broken(table, broken) => relation_broken(fit, class, &table, broken, catalog),
    }
}

fn relation_broken(
    fit: &mut Fit,
    class: &Class,
    table: &TableName,
    broken: Broken,
    catalog: &Catalog,
) {
    let id = class.id();
    match broken {
        Broken::NoTable => {}
        Broken::NoColumn(of, column, place) => fit.refuse(
            Code::NoSuchColumn,
            format!("class `{id}`: the relation of `{table}` names column `{column}`, which `{of}` does not have"),
            catalog
                .table(&of)
                .map_or_else(String::new, |of| near_column(&column, of)),
            &place,
        ),
        Broken::Types(which, place) => fit.refuse(
            Code::RelationTypes,
            format!("class `{id}`: a relation cannot compare these: {which}"),
            "relate columns of one type, both of them numbers, texts, uuids or dates; add such a column where there is none",
            &place,
        ),
        Broken::Undecided(place) => fit.refuse(
            Code::RelationUndecided,
            format!("class `{id}`: on neither side of the relation of `{table}` a value names a single row"),
            "one side must hold the whole of its table's primary key, or of a unique index without a condition; create one: CREATE UNIQUE INDEX CONCURRENTLY …",
            &place,
        ),
        Broken::Backwards(place) => fit.refuse(
            Code::RelationUndecided,
            format!("class `{id}`: the relation of `{table}` to itself is written the wrong way round"),
            "on the left stands the column that refers, on the right the key that it refers to",
            &place,
        ),
        Broken::KeyBinds(name, place) => fit.refuse(
            Code::Contradiction,
            format!("class `{id}`: the foreign key `{name}` binds every row of `{table}` by these columns, whatever `where` says"),
            "leave `on` and `where` out",
            &place,
        ),
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

fn privileges(fit: &mut Fit, class: &Class, dispose: &Dispose, catalog: &Catalog) {
    let mut needed: Vec<(&TableName, Vec<&'static str>)> = vec![(
        class.table(),
        match dispose.disposal {
            Disposal::Flag => vec!["SELECT"],
            Disposal::Anonymise(_) => vec!["SELECT", "UPDATE"],
            Disposal::Delete => vec!["SELECT", "UPDATE", "DELETE"],
        },
    )];
    for dependant in &dispose.dependants {
        needed.push((
            &dependant.table,
            match dependant.fate {
                Fate::Delete => vec!["SELECT", "UPDATE", "DELETE"],
                Fate::Unlink => vec!["SELECT", "UPDATE"],
            },
        ));
    }
    // What a decision reads is locked, FOR SHARE, for which PostgreSQL asks for UPDATE.
    if let Trigger::Columns(sources) = &dispose.trigger {
        for related in sources.iter().filter_map(|source| source.related.as_ref()) {
            needed.push((related, vec!["SELECT", "UPDATE"]));
        }
    }
    for (name, wanted) in needed {
        let Some(table) = catalog.table(name) else {
            continue;
        };
        let have = table.privileges;
        let missing: Vec<&str> = wanted
            .into_iter()
            .filter(|privilege| match *privilege {
                "SELECT" => !have.select,
                "UPDATE" => !have.update,
                _ => !have.delete,
            })
            .collect();
        if !missing.is_empty() {
            fit.refuse(
                Code::MissingPrivilege,
                format!(
                    "class `{}`: role `{}` may not {} on `{name}`",
                    class.id(),
                    catalog.role,
                    missing.join(", ")
                ),
                format!(
                    "GRANT {} ON {} TO {}",
                    missing.join(", "),
                    name.quoted(),
                    catalog.role
                ),
                class.place("table"),
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
