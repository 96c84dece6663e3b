//! What hangs on a record, as SQL over the record's row: whether a hold, a class or a gate
//! of its own keeps a dependant, and so its parent.
//!
//! A dependant is reached along foreign keys, upwards where its row refers to what it
//! hangs on, downwards where it is referred to. Every way there is asked about.

use super::judge::{Judge, any, columns, equal};
use super::link::{Link, Side};
use super::relations::Relations;
use crate::catalog::Table;
use crate::ident::{Ident, TableName, literal};

/// One step of a way from a dependant to the record.
#[derive(Debug, Clone)]
pub(super) struct Step {
    link: Link,
    /// The nearer row refers to the farther; otherwise it is referred to by it.
    upward: bool,
}

impl Step {
    fn near(&self) -> &[Ident] {
        if self.upward {
            &self.link.from_columns
        } else {
            &self.link.to_columns
        }
    }

    fn far(&self) -> &[Ident] {
        if self.upward {
            &self.link.to_columns
        } else {
            &self.link.from_columns
        }
    }

    fn near_table(&self) -> &TableName {
        if self.upward {
            &self.link.from
        } else {
            &self.link.to
        }
    }

    fn far_table(&self) -> &TableName {
        if self.upward {
            &self.link.to
        } else {
            &self.link.from
        }
    }

    /// Whether the nearer row is one that several farther ones may share.
    pub fn is_shared(&self) -> bool {
        !self.upward
    }

    /// That the step leads from the nearer row to the farther.
    pub fn holds(&self, near: &str, far: &str) -> String {
        if self.upward {
            self.link.holds(near, far)
        } else {
            self.link.holds(far, near)
        }
    }

    /// What must be TRUE of the nearer and of the farther row besides.
    fn conditions(&self, near: &str, far: &str) -> (String, String) {
        let (near_side, far_side) = if self.upward {
            (Side::From, Side::To)
        } else {
            (Side::To, Side::From)
        };
        let and = |side, a: &str| {
            self.link
                .condition_on(side, a)
                .map_or_else(String::new, |condition| format!(" AND {condition}"))
        };
        (and(near_side, near), and(far_side, far))
    }
}

/// Every way from a row of `table` to the record, in steps from there. Within a table whose
/// rows hang on one another a way makes no steps; what goes on there is said beside it.
/// From the record's own table there is no step, and no way.
pub(super) fn ways(table: &TableName, relations: &Relations, root: &TableName) -> Vec<Vec<Step>> {
    let inbound = relations.inbound.iter().map(|inbound| (inbound, true));
    let unlinked = relations.unlinked.iter().map(|inbound| (inbound, false));
    let upward = inbound
        .chain(unlinked)
        .filter(|(inbound, _)| &inbound.table == table)
        .flat_map(|(inbound, goes)| inbound.edges.iter().map(move |edge| (edge, goes)))
        // A row that is unlinked from one of its own table is a single step away from it.
        .filter(|(edge, goes)| !edge.is_own() || !goes)
        .map(|(edge, _)| edge);
    let downward = relations
        .referred
        .iter()
        .filter(|referred| &referred.table == table);
    let downward = downward.flat_map(|referred| &referred.edges);
    let steps = upward
        .map(|link| Step {
            link: link.clone(),
            upward: true,
        })
        .chain(downward.map(|link| Step {
            link: link.clone(),
            upward: false,
        }));
    steps
        .flat_map(|step| {
            let rest = if step.far_table() == root {
                vec![Vec::new()]
            } else {
                going_ways(step.far_table(), relations, root)
            };
            rest.into_iter()
                .map(move |rest| [vec![step.clone()], rest].concat())
        })
        .collect()
}

/// The ways of a row that goes: only what goes has anything hanging on it.
pub(super) fn going_ways(
    table: &TableName,
    relations: &Relations,
    root: &TableName,
) -> Vec<Vec<Step>> {
    let going = Relations {
        unlinked: Vec::new(),
        ..relations.clone()
    };
    ways(table, &going, root)
}

/// Joins from `d0` along a way; the last step is left to the caller, with its near alias.
pub(super) fn joined<'a>(
    judge: &Judge<'_>,
    way: &'a [Step],
    relations: &Relations,
) -> Option<(String, &'a Step, String)> {
    let (last, before) = way.split_last()?;
    let mut sql = String::new();
    let mut near = "d0".to_owned();
    for (nth, step) in way.iter().enumerate() {
        let far = format!("d{}", nth + 1);
        // Along the rows of its own table on which it hangs, before the next table.
        let own: Vec<&Link> = relations.own(step.near_table()).collect();
        if step.upward
            && !step.link.is_own()
            && !own.is_empty()
            && let Some(table) = judge.catalog.table(step.near_table())
        {
            let (text, alias) = along(table, &own, &near, Towards::Above, nth);
            sql.push_str(&format!(" CROSS JOIN LATERAL {text}"));
            near = alias;
        }
        if nth < before.len() {
            sql.push_str(&format!(
                " JOIN {} {far} ON {}",
                step.far_table().quoted(),
                step.holds(&near, &far)
            ));
            near = far;
        }
    }
    Some((sql, last, near))
}

/// Which way along the rows of one table that hang on one another.
#[derive(Clone, Copy)]
enum Towards {
    /// To those that a row hangs on.
    Above,
    /// To those that hang on it.
    Below,
}

/// A row of `table` under the alias `start`, and every row that is reached from it along its
/// own links, as items of a FROM clause, and their alias. A circle of rows ends, since
/// UNION takes up no key twice.
fn along(
    table: &Table,
    own: &[&Link],
    start: &str,
    towards: Towards,
    nth: usize,
) -> (String, String) {
    let row = format!("x{nth}");
    let (begin, names) = keys(table, start);
    let (next, _) = keys(table, "n");
    let on: Vec<String> = own
        .iter()
        .map(|link| match towards {
            Towards::Above => link.holds("m", "n"),
            Towards::Below => link.holds("n", "m"),
        })
        .map(|on| format!("({on})"))
        .collect();
    let sql = format!(
        "(WITH RECURSIVE w ({names}) AS (SELECT {begin} UNION SELECT {next} FROM w JOIN {0} m ON {1}          JOIN {0} n ON {2}) SELECT {names} FROM w) k{nth} JOIN {0} {row} ON {3}",
        table.name.quoted(),
        by_names(table, "m", "w"),
        on.join(" OR "),
        by_names(table, &row, &format!("k{nth}")),
    );
    (sql, row)
}

/// A key's columns under an alias, and what they are called in a recursion.
pub(super) fn keys(table: &Table, a: &str) -> (String, String) {
    let names: Vec<String> = (0..table.key.len()).map(|nth| format!("c{nth}")).collect();
    (columns(&table.key, a), names.join(", "))
}

/// That a row has the key of a row of a recursion.
pub(super) fn by_names(table: &Table, a: &str, w: &str) -> String {
    let columns = table.key.iter().enumerate();
    columns
        .map(|(nth, column)| format!("{a}.{} = {w}.c{nth}", column.quoted()))
        .collect::<Vec<_>>()
        .join(" AND ")
}

/// Which of the rows that hang on a record are meant.
#[derive(Clone, Copy)]
enum Reach {
    /// Those that go with it.
    Going,
    /// And those that stay and are unlinked from it.
    Touched,
}

/// The tables of which rows hang on a record.
fn hanging(relations: &Relations, reach: Reach) -> impl Iterator<Item = &TableName> {
    let unlinked = match reach {
        Reach::Going => &[][..],
        Reach::Touched => &relations.unlinked,
    };
    let inbound = relations.inbound.iter().chain(unlinked);
    let inbound = inbound.map(|inbound| &inbound.table);
    inbound.chain(relations.referred.iter().map(|referred| &referred.table))
}

/// The tables of which rows hang on a record, or stay and are unlinked from it, each once.
pub(super) fn touched(relations: &Relations) -> Vec<&TableName> {
    let mut tables: Vec<&TableName> = Vec::new();
    for table in hanging(relations, Reach::Touched) {
        if !tables.contains(&table) {
            tables.push(table);
        }
    }
    tables
}

impl Judge<'_> {
    /// An open hold protects something that hangs on the row.
    pub fn dependant_held(&self, relations: &Relations, root: &Table, a: &str) -> String {
        if !self.decisions.recorded() {
            return "FALSE".to_owned();
        }
        let inbound = relations
            .inbound
            .iter()
            .chain(&relations.unlinked)
            .map(|inbound| &inbound.table);
        let all = inbound.chain(relations.referred.iter().map(|referred| &referred.table));
        let mut found = Vec::new();
        for name in all {
            let Some(table) = self.catalog.table(name) else {
                continue;
            };
            let key = table
                .key
                .iter()
                .enumerate()
                .map(|(nth, column)| {
                    let cast = table
                        .column(column)
                        .map_or("text", |c| c.type_name.as_str());
                    // CASE: a hold on another table has a key of another type.
                    format!(
                        "d0.{} = CASE WHEN h.table_name = {} THEN (h.key[{}])::{cast} END",
                        column.quoted(),
                        literal(&name.to_string()),
                        nth + 1
                    )
                })
                .collect::<Vec<_>>()
                .join(" AND ");
            let held = format!("retentiond.hold h JOIN {} d0 ON {key}", name.quoted());
            let open = self.open_holds(name);
            let own: Vec<&Link> = relations.own(&root.name).collect();
            if name == &root.name && !own.is_empty() {
                let (text, row) = along(root, &own, "d0", Towards::Above, 0);
                found.push(format!(
                    "(({}) IN (SELECT {} FROM {held} CROSS JOIN LATERAL {text} WHERE {open})) IS TRUE",
                    columns(&root.key, a),
                    columns(&root.key, &row),
                ));
            }
            for way in ways(name, relations, &root.name) {
                let Some((joins, last, near)) = joined(self, &way, relations) else {
                    continue;
                };
                if own.is_empty() || last.link.is_own() {
                    let (near_if, far_if) = last.conditions(&near, a);
                    found.push(format!(
                        "(({}) IN (SELECT {} FROM {held}{joins} WHERE {open}{near_if})) IS TRUE{far_if}",
                        columns(last.far(), a),
                        columns(last.near(), &near),
                    ));
                    continue;
                }
                // What hangs on a row that hangs on the record.
                let (text, row) = along(root, &own, "r", Towards::Above, way.len());
                found.push(format!(
                    "(({}) IN (SELECT {} FROM {held}{joins} JOIN {} r ON {} CROSS JOIN LATERAL {text} WHERE {open})) IS TRUE",
                    columns(&root.key, a),
                    columns(&root.key, &row),
                    root.name.quoted(),
                    last.holds(&near, "r"),
                ));
            }
        }
        // What stays and is unlinked is changed, too.
        let by_rule = self.some_dependant(relations, root, a, Reach::Touched, |table, d| {
            let held = self.held_by_rule(table, d);
            (held != "FALSE").then(|| format!("({held})"))
        });
        found.push(by_rule);
        any(found)
    }

    /// Something that hangs on the row satisfies `condition` (an expression on its own alias).
    fn some_dependant(
        &self,
        relations: &Relations,
        root: &Table,
        a: &str,
        reach: Reach,
        condition: impl Fn(&TableName, &str) -> Option<String>,
    ) -> String {
        let mut found = Vec::new();
        for name in hanging(relations, reach) {
            let Some(condition) = condition(name, "d0") else {
                continue;
            };
            for (from, on) in self.all_below(relations, root, a, reach, name) {
                found.push(format!(
                    "EXISTS (SELECT 1 FROM {from} WHERE {on} AND {condition})"
                ));
            }
        }
        any(found)
    }

    /// The rows `d0` of a table that hang on the row `a`, or stay and are unlinked from it:
    /// for each way a FROM clause and a condition. What is found by two ways is found twice.
    pub fn touched_below(
        &self,
        relations: &Relations,
        root: &Table,
        a: &str,
        name: &TableName,
    ) -> Vec<(String, String)> {
        self.all_below(relations, root, a, Reach::Touched, name)
    }

    fn all_below(
        &self,
        relations: &Relations,
        root: &Table,
        a: &str,
        reach: Reach,
        name: &TableName,
    ) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let own: Vec<&Link> = relations.own(&root.name).collect();
        if name == &root.name && !own.is_empty() {
            // What hangs on the row, not the row itself, of which others say more.
            let (text, row) = along(root, &own, a, Towards::Below, 0);
            found.push((
                format!(
                    "{text} JOIN {} d0 ON {}",
                    name.quoted(),
                    equal(&root.key, "d0", &root.key, &row)
                ),
                format!(
                    "({}) <> ({})",
                    columns(&root.key, "d0"),
                    columns(&root.key, a)
                ),
            ));
        }
        let ways = match reach {
            Reach::Going => going_ways(name, relations, &root.name),
            Reach::Touched => ways(name, relations, &root.name),
        };
        for way in ways {
            found.push(self.below(relations, root, &way, a));
        }
        found
    }

    /// The rows `d0` at the near end of a way that hang on the row `a`: the FROM clause and
    /// the condition. Read from the record, since that is where an index leads from.
    fn below(
        &self,
        relations: &Relations,
        root: &Table,
        way: &[Step],
        a: &str,
    ) -> (String, String) {
        let is_thread = |table: &TableName| relations.own(table).next().is_some();
        let threads = is_thread(&root.name) || way.iter().any(|s| is_thread(s.near_table()));
        let Some((last, before)) = way.split_last().filter(|_| !threads) else {
            return self.below_threads(relations, root, way, a);
        };
        let mut from = way[0].near_table().quoted() + " d0";
        for (nth, step) in before.iter().enumerate() {
            let (near, far) = (format!("d{nth}"), format!("d{}", nth + 1));
            from.push_str(&format!(
                " JOIN {} {far} ON {}",
                step.far_table().quoted(),
                step.holds(&near, &far)
            ));
        }
        (from, last.holds(&format!("d{}", before.len()), a))
    }

    /// The same where rows of a table on the way hang on one another.
    fn below_threads(
        &self,
        relations: &Relations,
        root: &Table,
        way: &[Step],
        a: &str,
    ) -> (String, String) {
        let (mut from, mut on, mut far) = (String::new(), "TRUE".to_owned(), a.to_owned());
        let own: Vec<&Link> = relations.own(&root.name).collect();
        if !own.is_empty() {
            (from, far) = along(root, &own, a, Towards::Below, way.len());
        }
        for (nth, step) in way.iter().enumerate().rev() {
            let near = format!("d{nth}");
            let own: Vec<&Link> = relations.own(step.near_table()).collect();
            let table = self.catalog.table(step.near_table());
            let thread = table.filter(|_| step.upward && !own.is_empty());
            // Where rows follow, the last of them is the one that is called `dN`.
            let first = thread.map_or_else(|| near.clone(), |_| format!("e{nth}"));
            let holds = step.holds(&first, &far);
            let name = step.near_table().quoted();
            if from.is_empty() {
                (from, on) = (format!("{name} {first}"), holds);
            } else {
                from.push_str(&format!(" JOIN {name} {first} ON {holds}"));
            }
            if let Some(table) = thread {
                let (text, row) = along(table, &own, &first, Towards::Below, nth);
                from.push_str(&format!(
                    " CROSS JOIN LATERAL {text} JOIN {name} {near} ON {}",
                    equal(&table.key, &near, &table.key, &row)
                ));
            }
            far = near;
        }
        (from, on)
    }

    /// A class of its own protects something that hangs on the row.
    pub fn dependant_protected(&self, relations: &Relations, root: &Table, a: &str) -> String {
        self.some_dependant(relations, root, a, Reach::Going, |table, d| {
            self.protected(table, d)
        })
    }

    /// The notice of something that hangs on the row is not over.
    pub fn dependant_in_notice(&self, relations: &Relations, root: &Table, a: &str) -> String {
        self.some_dependant(relations, root, a, Reach::Going, |table, d| {
            let in_notice = self.in_notice(table, d);
            (in_notice != "FALSE").then(|| format!("({in_notice})"))
        })
    }

    /// Something that hangs on the row waits at a gate of its own.
    pub fn dependant_gated(&self, relations: &Relations, root: &Table, a: &str) -> String {
        self.some_dependant(relations, root, a, Reach::Going, |table, d| {
            let gated = self.gated(table, d);
            (gated != "FALSE").then(|| format!("({gated})"))
        })
    }
}
