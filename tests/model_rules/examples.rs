//! Hand-made worlds: a few tables with integer keys, and classes that examples vary.

pub use chrono::NaiveDate;

pub use crate::model::calendar::{Day, Period, Rounding, Unit, corresponding, date};
pub use crate::model::condition::Condition;
pub use crate::model::counts::{Counts, Span};
pub use crate::model::pass::{Action, Outcome, pass, settle};
pub use crate::model::rules::Status;
pub use crate::model::value::{Kind, Moment, Value};
pub use crate::model::world::{
    Anonymisation, Class, Column, Dependant, Disposal, Dispose, Foreign, Gate, Hold, OnDelete, Row,
    RowId, Rule, Stage, Strategy, Table, Trigger, World,
};

pub fn today() -> NaiveDate {
    date(2026, 6, 1)
}

/// A table with an integer key, the common columns, and nullable keys onto these parents.
pub fn table(name: &str, parents: &[&str]) -> Table {
    let mut columns = crate::model::build::common_columns();
    let mut foreign = Vec::new();
    for parent in parents {
        let column = format!("{parent}_id");
        columns.push(Column {
            name: column.clone(),
            kind: Kind::Int,
            nullable: true,
        });
        foreign.push(Foreign {
            columns: vec![column],
            parent: (*parent).to_owned(),
            nullable: true,
            on_delete: OnDelete::NoAction,
            loose: false,
            only: None,
        });
    }
    let key = vec![Column {
        name: "id".to_owned(),
        kind: Kind::Int,
        nullable: false,
    }];
    Table {
        name: name.to_owned(),
        key,
        columns,
        foreign,
        indexed: false,
        rows: Vec::new(),
    }
}

pub fn world(tables: Vec<Table>, classes: Vec<Class>) -> World {
    let now = crate::model::strategies::instant(today(), 7200);
    World {
        now,
        tables,
        classes,
        holds: Vec::new(),
        later: Vec::new(),
    }
}

/// Adds a row: its key, and the columns that are not NULL.
pub fn add(world: &mut World, table: &str, id: i32, values: &[(&str, Value)]) {
    let table = world
        .tables
        .iter_mut()
        .find(|t| t.name == table)
        .expect("a table");
    let names = table
        .key
        .iter()
        .chain(&table.columns)
        .map(|c| c.name.clone());
    let mut row: Row = names.map(|name| (name, Value::Null)).collect();
    row.insert("id".to_owned(), Value::Int(id));
    for (name, value) in values {
        assert!(
            row.insert((*name).to_owned(), value.clone()).is_some(),
            "no column {name}"
        );
    }
    table.rows.push(row);
}

pub fn at(table: &str, id: i32) -> RowId {
    RowId {
        table: table.to_owned(),
        key: vec![id.to_string()],
    }
}

/// Deletes `matter` rows a year after `closed_on`; examples change what they are about.
pub fn deletes(id: &str) -> Class {
    let rule = Dispose {
        trigger: Trigger::Columns(vec![("closed_on".to_owned(), None)]),
        stages: Vec::new(),
        period: Period::of(1, Unit::Years),
        rounding: Rounding::Exact,
        tolerance: 0,
        plausible_from: None,
        trigger_zone: None,
        unless_active: Vec::new(),
        or_when: None,
        notice: None,
        maximum: false,
        disposal: Disposal::Delete,
        gate: Gate::None,
        dependants: Vec::new(),
    };
    Class {
        id: id.to_owned(),
        table: "matter".to_owned(),
        claim: None,
        rule: Rule::Dispose(rule),
    }
}

pub fn changed(mut class: Class, change: impl FnOnce(&mut Dispose)) -> Class {
    if let Rule::Dispose(rule) = &mut class.rule {
        change(rule);
    }
    class
}

pub fn on(mut class: Class, table: &str) -> Class {
    table.clone_into(&mut class.table);
    class
}

pub fn years(count: u32) -> Period {
    Period::of(count, Unit::Years)
}

pub fn redact() -> Disposal {
    Disposal::Anonymise(vec![Anonymisation {
        column: "full_name".to_owned(),
        path: vec![],
        strategy: Strategy::Redact,
    }])
}

pub fn retains(id: &str) -> Class {
    Class {
        rule: Rule::Retain,
        ..deletes(id)
    }
}

pub fn goes_with(class: Class, tables: &[&str]) -> Class {
    changed(class, |rule| {
        let list = tables.iter().map(|t| Dependant {
            table: (*t).to_owned(),
            unlink: false,
        });
        rule.dependants.extend(list);
    })
}

pub fn closed(year: i32, month: u32, day: u32) -> (&'static str, Value) {
    ("closed_on", Value::on(date(year, month, day)))
}

pub fn kind(kind: &str) -> (&'static str, Value) {
    ("kind", Value::text(kind))
}

pub fn where_kind(mut class: Class, kind: &str) -> Class {
    class.claim = Some(Condition::Equal("kind".to_owned(), Value::text(kind)));
    class
}

pub fn counts<'o>(outcome: &'o Outcome, class: &str) -> &'o Counts {
    &outcome
        .counts
        .iter()
        .find(|(id, _)| id == class)
        .expect("a class")
        .1
}

pub fn exactly(count: usize) -> Span {
    Span {
        least: count,
        most: count,
    }
}

/// The only end that is permitted.
pub fn end(world: &World) -> Outcome {
    let mut ends = settle(world, today());
    assert_eq!(ends.len(), 1, "one end is permitted");
    ends.swap_remove(0)
}

pub fn left(outcome: &Outcome, table: &str) -> Vec<i32> {
    let rows = outcome.state.rows.keys().filter(|id| id.table == table);
    let mut keys: Vec<i32> = rows
        .map(|id| id.key[0].parse().expect("a number"))
        .collect();
    keys.sort_unstable();
    keys
}

/// One row of `matter`, closed on 1 May 2025: a year later it was 1 May 2026, so it is past.
pub fn one_row(classes: Vec<Class>) -> World {
    let mut world = world(vec![table("matter", &[])], classes);
    add(
        &mut world,
        "matter",
        1,
        &[closed(2025, 5, 1), ("full_name", Value::text("Ada"))],
    );
    world
}

pub fn status(world: &World, class: &str) -> Option<Status> {
    let outcome = pass(world, today());
    let states = &counts(&outcome, class).states;
    assert!(states.len() <= 1, "the readings agree: {states:?}");
    states.keys().next().copied()
}
