//! What waits for reviewers, as questions: which records of a class they are, in which order,
//! and by which of them a reviewer is to be shown what.
//!
//! The first question ([`Queue::page`]) judges, filters and sorts, and answers keys and days.
//! What a person needs to see of the records on a page is asked by their keys
//! ([`Queue::shown`], one question a table of dependants besides), so that PostgreSQL knows
//! how many there are, and whether to go from each of them or through the table once.

mod shown;

use chrono::NaiveDate;

use super::judge::{Judge, all, key_array, negated};
use super::key::{Key, among};
use super::question::state;
use super::relations::Relations;
use crate::catalog::Table;
use crate::ident::{Ident, TableName, literal};
use crate::schedule::{Class, Condition, Disposal, Dispose, Gate};

/// The records of one class that wait for its reviewers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    table: String,
    class: String,
    key: Key,
    array: String,
    trigger: String,
    last_day: String,
    waits: String,
    approvals: String,
    binds: String,
    states: String,
    shown: String,
    /// By table, how many of its rows hang on each record of the keys `$1…` and how many
    /// files those name: the key's place from 1, rows, files.
    pub dependants: Vec<(TableName, String)>,
    /// The columns that reviewers are shown and that the role may read, and whether they are
    /// numbers.
    pub preview: Vec<(Ident, bool)>,
    /// Those that the role may not read.
    pub withheld: Vec<Ident>,
    /// Whether the role may read every column that names files.
    pub files_known: bool,
}

/// Which records of a queue are asked for, and in which order.
#[derive(Debug, Clone, Default)]
pub struct Ask {
    /// Only those for which this is TRUE.
    pub only: Option<Condition>,
    /// Only those of the keys `$1…`, a `text[]` for each column of the key.
    pub of_keys: bool,
    /// Only those with a trigger before this day.
    pub before: Option<NaiveDate>,
    /// Only those with a trigger after this day.
    pub after: Option<NaiveDate>,
    /// Only those with a last day before this day.
    pub last_day_before: Option<NaiveDate>,
    /// Only those that were handed on to this person.
    pub handed_to: Option<String>,
    /// Only those of which an approval counts no more.
    pub again: bool,
    /// What they are sorted by; then by their keys.
    pub order: Order,
    /// The last first.
    pub descending: bool,
    /// Only those that come after the record with this key, in the order of keys.
    pub after_key: Option<Vec<String>>,
    /// So many are passed over.
    pub offset: u64,
    /// No more than so many.
    pub limit: Option<u64>,
}

/// What the records of a queue are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// The last day; those that are due at once, and have none, first.
    #[default]
    LastDay,
    /// The trigger; those without one first.
    Trigger,
    /// The key.
    Key,
}

impl Queue {
    /// Answers a row for each record: how many there are beside limit and offset, the key's
    /// columns, the trigger and the last day as text. One row with NULLs where none is left.
    #[must_use]
    pub fn page(&self, ask: &Ask) -> String {
        let mut waits = vec![self.waits.clone()];
        waits.extend(
            ask.only
                .as_ref()
                .map(|only| format!("({}) IS TRUE", only.sql("t"))),
        );
        if ask.of_keys {
            waits.push(among(&self.key.typed(), "t", 1));
        }
        // IS TRUE keeps a sub-query from becoming a join: see `Judge::flagged`.
        if ask.again {
            waits.push(format!(
                "(EXISTS (SELECT 1 FROM {} AND NOT ({}))) IS TRUE",
                self.approvals, self.binds
            ));
        }
        if let Some(to) = &ask.handed_to {
            waits.push(format!(
                "({} IN (SELECT h.key FROM retentiond.handed_on h JOIN retentiond.review r USING (review_id) \
                 WHERE h.class_id = {} AND r.handed_to = {})) IS TRUE",
                self.array,
                self.class,
                literal(to)
            ));
        }
        let days = [
            ("trigger_on", "<", ask.before),
            ("trigger_on", ">", ask.after),
            ("last_day", "<", ask.last_day_before),
        ];
        let days = days.into_iter().filter_map(|(column, sign, day)| {
            day.map(|day| format!("s.{column} {sign} DATE '{day}'"))
        });
        let names: Vec<String> = (0..self.key.columns.len())
            .map(|nth| format!("k{nth}"))
            .collect();
        let of = |a: &str| -> Vec<String> { names.iter().map(|n| format!("{a}.{n}")).collect() };
        let named: Vec<String> = self
            .key
            .columns
            .iter()
            .zip(&names)
            .map(|(column, name)| format!("t.{} AS {name}", column.name.quoted()))
            .collect();
        let returned: Vec<String> = self
            .key
            .columns
            .iter()
            .zip(&names)
            .map(|(column, name)| {
                format!("q.{name}::{}", if column.integer { "int8" } else { "text" })
            })
            .collect();
        let order = |a: &str| {
            let (way, nulls) = if ask.descending {
                (" DESC", " NULLS LAST")
            } else {
                ("", " NULLS FIRST")
            };
            let first = match ask.order {
                Order::LastDay => Some(format!("{a}.last_day{way}{nulls}")),
                Order::Trigger => Some(format!("{a}.trigger_on{way}{nulls}")),
                Order::Key => None,
            };
            let keys = of(a).into_iter().map(|key| match ask.order {
                Order::Key => key + way,
                _ => key,
            });
            first.into_iter().chain(keys).collect::<Vec<_>>().join(", ")
        };
        let after = ask.after_key.as_ref().map_or_else(String::new, |key| {
            let values: Vec<String> = key
                .iter()
                .zip(&self.key.columns)
                .map(|(text, column)| format!("{}::{}", literal(text), column.type_name))
                .collect();
            format!(
                " WHERE ({}) {} ({})",
                of("o").join(", "),
                if ask.descending { "<" } else { ">" },
                values.join(", ")
            )
        });
        let limit = ask
            .limit
            .map_or_else(String::new, |limit| format!(" LIMIT {limit}"));
        format!(
            "WITH queue AS MATERIALIZED (SELECT {keys}, s.trigger_on, s.last_day FROM (SELECT {named}, \
             {trigger} AS trigger_on, nullif({last_day}, 'infinity') AS last_day FROM {table} AS t WHERE {waits}) AS s \
             WHERE {days}) \
             SELECT c.n, {returned}, q.trigger_on::text, q.last_day::text FROM (SELECT count(*) AS n FROM queue) AS c \
             LEFT JOIN (SELECT {outer}, o.trigger_on, o.last_day FROM queue AS o{after} ORDER BY {inner_order}{limit} \
             OFFSET {offset}) AS q ON TRUE ORDER BY {order}",
            keys = of("s").join(", "),
            named = named.join(", "),
            trigger = self.trigger,
            last_day = self.last_day,
            table = self.table,
            waits = all(waits),
            days = all(days.collect()),
            returned = returned.join(", "),
            outer = of("o").join(", "),
            inner_order = order("o"),
            offset = ask.offset,
            order = order("q"),
        )
    }

    /// What is to be shown of the records of the keys `$1…`, a `text[]` for each column: the
    /// key's place from 1, who approved it, what was approved and is so no more (JSON), whom it was
    /// handed on to, the last activity (text), which trigger counts (from 0; -1 where it is past
    /// at once), files of its own, and the columns of [`Self::preview`] as `text[]`.
    #[must_use]
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// How the records of the keys `$1…` stand, whether they are in the queue or not: the
    /// key's place from 1, whether it is there, is claimed, its state, why it has no day, its last day
    /// (text), whether the class's own gate keeps it, whether somebody has worked with it since, and
    /// whether something that hangs on it is protected.
    #[must_use]
    pub fn states(&self) -> &str {
        &self.states
    }

    /// Every statement by which records are shown, for whoever asks what they read.
    pub(super) fn showing(&self) -> impl Iterator<Item = &String> {
        let dependants = self.dependants.iter().map(|(_, sql)| sql);
        std::iter::once(&self.shown).chain(dependants)
    }
}

/// The question for a class that asks for reviews, or that flags: whoever is to dispose of what
/// is flagged sees it until somebody has decided.
pub(super) fn queue(
    judge: &Judge<'_>,
    class: &Class,
    dispose: &Dispose,
    relations: &Relations,
    table: &Table,
    key: &Key,
) -> Option<Queue> {
    let a = "t";
    let state = state(judge, class, dispose, relations, table);
    let waits = match (dispose.gate, &dispose.disposal) {
        (Gate::Review, _) => all(vec![
            format!("{state} = 'waiting'"),
            judge.gate_holds(class, a),
            judge.by_step(class, dispose, a, |step| judge.let_go(class, step, a)),
            // Nobody is asked about what would stay whatever they say.
            negated(&judge.active(&table.name, a)),
            negated(&judge.dependant_protected(relations, table, a)),
        ]),
        (_, Disposal::Flag) => all(vec![
            judge.claims(class, a),
            judge.done(class, dispose, a),
            negated(&judge.held(table, a)),
            negated(&judge.by_step(class, dispose, a, |step| judge.approved(class, step, a))),
        ]),
        _ => return None,
    };
    let array = key_array(table, a);
    let approvals = format!(
        "retentiond.approval p WHERE p.class_id = {} AND p.key = {array} \
         AND p.run_id IS NULL AND p.voided_at IS NULL",
        literal(class.id().as_str()),
    );
    let binds = judge.by_step(class, dispose, a, |step| {
        judge.approval_binds(class, step, a)
    });
    let last_day = judge.next_last_day(class, dispose, a);
    let showing = shown::Showing::of(judge, class, dispose, relations, table, key);
    let states = format!(
        "SELECT {nth}, {there}, {claims}, {state}, {undated}, nullif({last_day}, 'infinity')::text, {gate}, \
         {active}, {below} FROM {keys} LEFT JOIN {table} AS t ON {on} ORDER BY u.nth",
        nth = "u.nth::int8",
        there = format_args!("t.{} IS NOT NULL", table.key.first()?.quoted()),
        claims = judge.claims(class, a),
        undated = judge.undated(class, dispose, a),
        gate = judge.gate_holds(class, a),
        active = judge.active(&table.name, a),
        below = judge.dependant_protected(relations, table, a),
        keys = shown::keys(key),
        table = table.name.quoted(),
        on = shown::of_key(key),
    );
    Some(Queue {
        table: table.name.quoted(),
        class: literal(class.id().as_str()),
        key: key.clone(),
        trigger: judge.trigger_date(class, dispose, a),
        last_day,
        waits,
        states,
        shown: showing.shown(&approvals, &binds, &array),
        dependants: showing.dependants(),
        files_known: showing.files_known(),
        preview: showing.preview,
        withheld: showing.withheld,
        array,
        approvals,
        binds,
    })
}
