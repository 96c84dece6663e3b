//! Whether what hangs on a class's records is declared, and can be followed.

use super::{Fit, condition, near_column, nearest, primary_key, short};
use crate::catalog::{Catalog, Kind, OnDelete};
use crate::ident::TableName;
use crate::plan::link::{Broken, By, Link};
use crate::plan::relations::{Misfit, line, resolve};
use crate::schedule::{Class, Code, Dispose};

/// Compares the declared dependants with the database.
pub(super) fn dependants(
    fit: &mut Fit,
    class: &Class,
    dispose: &Dispose,
    catalog: &Catalog,
    known: &[Link],
) {
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
                primary_key(table),
                &dependant.place,
            );
        }
        if !matches!(table.kind, Kind::Ordinary | Kind::Partitioned) {
            fit.refuse(
                Code::NotATable,
                format!(
                    "class `{}`: the dependant `{}` is not an ordinary or partitioned table",
                    class.id(),
                    table.name
                ),
                "name the table that the rows are stored in",
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
    fit.relations = relations;
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
