//! What a reviewer is shown of records, asked by their keys.

use crate::catalog::{Sort, Table};
use crate::ident::{Ident, TableName, literal};
use crate::plan::counting::Reading;
use crate::plan::hanging::touched;
use crate::plan::judge::{Judge, columns};
use crate::plan::key::Key;
use crate::plan::related::Dated;
use crate::plan::relations::Relations;
use crate::schedule::{Class, Dispose};

/// The keys of `$1…` in their order, as an item of a FROM clause called `u`.
pub(super) fn keys(key: &Key) -> String {
    let arrays: Vec<String> = (1..=key.columns.len())
        .map(|nth| format!("${nth}::text[]"))
        .collect();
    let names: Vec<String> = (0..key.columns.len())
        .map(|nth| format!("k{nth}"))
        .collect();
    format!(
        "unnest({}) WITH ORDINALITY AS u ({}, nth)",
        arrays.join(", "),
        names.join(", ")
    )
}

/// That the row `t` has the key `u`.
pub(super) fn of_key(key: &Key) -> String {
    let columns = key.columns.iter().enumerate();
    columns
        .map(|(nth, column)| {
            format!(
                "t.{} = u.k{nth}::{}",
                column.name.quoted(),
                column.type_name
            )
        })
        .collect::<Vec<_>>()
        .join(" AND ")
}

/// What there is to show of a class's records.
pub(super) struct Showing<'a> {
    judge: &'a Judge<'a>,
    class: &'a Class,
    dispose: &'a Dispose,
    relations: &'a Relations,
    table: &'a Table,
    key: &'a Key,
    pub preview: Vec<(Ident, bool)>,
    pub withheld: Vec<Ident>,
}

impl<'a> Showing<'a> {
    pub fn of(
        judge: &'a Judge<'a>,
        class: &'a Class,
        dispose: &'a Dispose,
        relations: &'a Relations,
        table: &'a Table,
        key: &'a Key,
    ) -> Self {
        // Whoever may only look at the queue may not be given what is personal in it; that
        // must not keep them from looking.
        let (mut preview, mut withheld) = (Vec::new(), Vec::new());
        for name in &dispose.preview {
            let Some(column) = table.column(name) else {
                continue;
            };
            if judge.catalog.may_read(&table.name, name) {
                let number =
                    column.sort == Sort::Integer || column.type_name.starts_with("numeric");
                preview.push((name.clone(), number));
            } else {
                withheld.push(name.clone());
            }
        }
        Self {
            judge,
            class,
            dispose,
            relations,
            table,
            key,
            preview,
            withheld,
        }
    }

    pub fn files_known(&self) -> bool {
        let mut files = self.dispose.files.iter();
        files.all(|file| self.judge.catalog.may_read(&file.table, &file.column))
    }

    /// How many files a row of a table names.
    fn files(&self, table: &TableName, a: &str) -> String {
        let of_table = self.dispose.files.iter().filter(|f| &f.table == table);
        let named: Vec<String> = of_table
            .filter(|file| self.judge.catalog.may_read(&file.table, &file.column))
            .map(|file| format!("(coalesce({a}.{}, '') <> '')::int", file.column.quoted()))
            .collect();
        if named.is_empty() {
            return "0".to_owned();
        }
        named.join(" + ")
    }

    /// See [`super::Queue::shown`].
    pub fn shown(&self, approvals: &str, binds: &str, array: &str) -> String {
        let preview: Vec<String> = self
            .preview
            .iter()
            .map(|(name, _)| format!("left(t.{}::text, {MOST})", name.quoted()))
            .collect();
        format!(
            "SELECT u.nth::int8, \
             (SELECT array_agg(DISTINCT p.approved_by ORDER BY p.approved_by) FROM {approvals} AND ({binds})), \
             (SELECT jsonb_build_object('review', p.review_id, 'by', p.approved_by, 'trigger', p.trigger_on, \
                 'last_day', p.last_day, 'class', encode(p.class_digest, 'hex'))::text \
                 FROM {approvals} AND NOT ({binds}) ORDER BY p.review_id DESC LIMIT 1), \
             (SELECT r.handed_to FROM retentiond.handed_on h JOIN retentiond.review r USING (review_id) \
                 WHERE h.class_id = {class} AND h.key = {array}), \
             {activity}::text, {reading}, ({files})::int8, ARRAY[{preview}]::text[] \
             FROM {keys} JOIN {table} AS t ON {on} ORDER BY u.nth",
            class = literal(self.class.id().as_str()),
            activity = self.activity(),
            reading = self.reading(),
            files = self.files(&self.table.name, "t"),
            preview = preview.join(", "),
            keys = keys(self.key),
            table = self.table.name.quoted(),
            on = of_key(self.key),
        )
    }

    /// The last day on which somebody worked with the record, by the class's own columns.
    fn activity(&self) -> String {
        let days: Vec<String> = self
            .dispose
            .unless_active
            .iter()
            .map(|column| {
                let dated = Dated::own(self.table, column, "t");
                self.judge.day(&dated, self.dispose.trigger_zone)
            })
            .collect();
        if days.is_empty() {
            return "NULL".to_owned();
        }
        format!("greatest({})", days.join(", "))
    }

    /// Which of its triggers the record is counted from.
    fn reading(&self) -> String {
        let at_once = match &self.judge.at_once(self.dispose, "t")[..] {
            "FALSE" => String::new(),
            at_once => format!(" WHEN {at_once} THEN -1"),
        };
        let readings = self.judge.readings(self.class, self.dispose, "t");
        let cases: String = readings
            .iter()
            .enumerate()
            .map(|(nth, Reading { guard, .. })| format!(" WHEN {guard} THEN {nth}"))
            .collect();
        match at_once + &cases {
            none if none.is_empty() => "NULL::int4".to_owned(),
            cases => format!("(CASE{cases} END)::int4"),
        }
    }

    /// See [`super::Queue::dependants`].
    pub fn dependants(&self) -> Vec<(TableName, String)> {
        let mut found = Vec::new();
        for name in touched(self.relations) {
            let Some(table) = self.judge.catalog.table(name) else {
                continue;
            };
            let rows: Vec<String> = self
                .judge
                .touched_below(self.relations, self.table, "t", name)
                .into_iter()
                .map(|(from, on)| self.hanging(table, &from, &on))
                .collect();
            if rows.is_empty() {
                continue;
            }
            // UNION takes up no row twice, by however many ways it hangs on the record.
            let sql = format!(
                "SELECT w.nth::int8, count(*), sum(w.files)::int8 FROM ({}) AS w GROUP BY w.nth",
                if rows.len() == 1 {
                    rows.concat().replacen("SELECT ", "SELECT DISTINCT ", 1)
                } else {
                    rows.join(" UNION ")
                },
            );
            found.push((name.clone(), sql));
        }
        found
    }

    fn hanging(&self, table: &Table, from: &str, on: &str) -> String {
        let names: Vec<String> = (0..table.key.len()).map(|nth| format!("c{nth}")).collect();
        let inner: Vec<String> = table
            .key
            .iter()
            .zip(&names)
            .map(|(column, name)| {
                format!("{} AS {name}", columns(std::slice::from_ref(column), "d0"))
            })
            .collect();
        let outer: Vec<String> = names.iter().map(|name| format!("d.{name}")).collect();
        format!(
            "SELECT u.nth, {}, d.files FROM {} JOIN {} AS t ON {} \
             CROSS JOIN LATERAL (SELECT {}, {} AS files FROM {from} WHERE {on}) AS d",
            outer.join(", "),
            keys(self.key),
            self.table.name.quoted(),
            of_key(self.key),
            inner.join(", "),
            self.files(&table.name, "d0"),
        )
    }
}

/// No more than so many characters of a column are shown.
const MOST: u32 = 1_000;
