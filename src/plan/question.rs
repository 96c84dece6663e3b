//! The statements that only ask: how many records of a class are in which state, and what
//! is to be said of a single one. Built from the same fragments as the statements that act.

use super::hanging::{by_names, keys};
use super::judge::{Judge, all, any, columns, negated};
use super::key::Key;
use super::link::{Link, Side};
use super::relations::Relations;
use super::work::unprotected;
use crate::catalog::Table;
use crate::ident::TableName;
use crate::schedule::{Class, Disposal, Dispose};

/// The state of a claimed row that is past, as a CASE that is NULL where it is not past.
///
/// The order is the order of the counts in `json.md`; each state excludes those before it.
pub(super) fn state(
    judge: &Judge<'_>,
    class: &Class,
    dispose: &Dispose,
    relations: &Relations,
    table: &Table,
) -> String {
    let a = "t";
    let let_go = judge.by_step(class, dispose, a, |step| judge.let_go(class, step, a));
    let governs = all(vec![let_go, judge.governs(class, a)]);
    let protected = any(vec![
        format!("NOT ({governs})"),
        judge.dependant_protected(relations, table, a),
    ]);
    let mut cases = vec![
        (format!("NOT ({})", judge.past(class, dispose, a)), "NULL"),
        (
            all(vec![
                judge.by_step(class, dispose, a, |step| judge.done(class, step, a)),
                judge.governs(class, a),
            ]),
            "'done'",
        ),
        (
            any(vec![
                judge.held(table, a),
                judge.dependant_held(relations, table, a),
            ]),
            "'held'",
        ),
        (judge.conflict(&table.name, a), "'conflict'"),
        (
            any(vec![
                judge.gated(&table.name, a),
                judge.dependant_gated(relations, table, a),
            ]),
            "'waiting'",
        ),
        (
            any(vec![
                judge.in_notice(&table.name, a),
                judge.dependant_in_notice(relations, table, a),
            ]),
            "'noticed'",
        ),
        (protected, "'retained'"),
        (judge.active(&table.name, a), "'active'"),
        (
            negated(&judge.by_step(class, dispose, a, |step| {
                judge.released_there(class, step, a)
            })),
            "'waiting'",
        ),
        (judge.quarantined(class, table, a), "'quarantined'"),
    ];
    if judge.decisions.paused(class.id()) {
        cases.insert(3, ("TRUE".to_owned(), "'waiting'"));
    }
    let whens: String = cases
        .iter()
        .filter(|(condition, _)| condition != "FALSE")
        .map(|(condition, state)| format!(" WHEN {condition} THEN {state}"))
        .collect();
    format!("CASE{whens} ELSE 'due' END")
}

/// Counts the claimed records of a class by state: see [`super::Questions::count`].
pub(super) fn count(
    judge: &Judge<'_>,
    class: &Class,
    dispose: &Dispose,
    relations: &Relations,
    table: &Table,
) -> String {
    let late = judge.overdue(class, dispose, "t");
    format!(
        "SELECT count(*), count(*) FILTER (WHERE s = 'due'), count(*) FILTER (WHERE s = 'held'), \
         count(*) FILTER (WHERE s = 'conflict'), count(*) FILTER (WHERE s IN ('waiting', 'noticed')), \
         count(*) FILTER (WHERE s = 'retained'), count(*) FILTER (WHERE s = 'quarantined'), \
         count(*) FILTER (WHERE late AND s NOT IN ('done', 'retained')), count(*) FILTER (WHERE s = 'done'), \
         count(*) FILTER (WHERE u = 'without'), count(*) FILTER (WHERE u = 'implausible'), \
         count(*) FILTER (WHERE u = 'future'), count(*) FILTER (WHERE s = 'active') \
         FROM (SELECT {} AS s, {} AS u, ({late}) AS late FROM {} AS t WHERE {}) q",
        state(judge, class, dispose, relations, table),
        judge.undated(class, dispose, "t"),
        table.name.quoted(),
        judge.claims(class, "t"),
    )
}

/// How many past records are in conflict, and how many wait for a person; `None` where
/// neither can be.
pub(super) fn waits(
    judge: &Judge<'_>,
    class: &Class,
    dispose: &Dispose,
    relations: &Relations,
    table: &Table,
) -> Option<String> {
    let possible = judge.conflict(&table.name, "t") != "FALSE"
        || judge.gated(&table.name, "t") != "FALSE"
        || judge.dependant_gated(relations, table, "t") != "FALSE"
        || judge.decisions.paused(class.id())
        || judge.waiting.is_some();
    possible.then(|| {
        format!(
            "SELECT count(*) FILTER (WHERE s = 'conflict'), count(*) FILTER (WHERE s = 'waiting') \
             FROM (SELECT {} AS s FROM {} AS t WHERE ({}) AND ({})) q",
            state(judge, class, dispose, relations, table),
            table.name.quoted(),
            judge.claims(class, "t"),
            judge.past(class, dispose, "t"),
        )
    })
}

/// The last day of the oldest record that is late and not done; NULL where none is.
pub(super) fn oldest(
    judge: &Judge<'_>,
    class: &Class,
    dispose: &Dispose,
    relations: &Relations,
    table: &Table,
) -> String {
    format!(
        "SELECT min(q.day)::text FROM (SELECT {} AS day, {} AS s FROM {} AS t WHERE ({}) AND ({})) q \
         WHERE q.s NOT IN ('done', 'retained')",
        judge.past_since(class, dispose, "t"),
        state(judge, class, dispose, relations, table),
        table.name.quoted(),
        judge.claims(class, "t"),
        judge.overdue(class, dispose, "t"),
    )
}

/// How many rows of each deleted dependant table would go with the due records.
pub(super) fn count_dependants(
    judge: &Judge<'_>,
    class: &Class,
    dispose: &Dispose,
    relations: &Relations,
    table: &Table,
    goes_with_parent: bool,
) -> Vec<(String, String)> {
    going_along(judge, class, dispose, relations, table, goes_with_parent)
        .into_iter()
        .map(|(name, goes)| {
            let sql = format!("SELECT count(*) FROM {} AS t WHERE {goes}", name.quoted());
            (name.to_string(), sql)
        })
        .collect()
}

/// By deleted dependant table, which of its rows, under the alias `t`, would go with the due
/// records; may be NULL for FALSE.
pub(super) fn going_along(
    judge: &Judge<'_>,
    class: &Class,
    dispose: &Dispose,
    relations: &Relations,
    table: &Table,
    goes_with_parent: bool,
) -> Vec<(TableName, String)> {
    let inbound = relations
        .inbound
        .iter()
        .map(|inbound| (&inbound.table, false));
    let referred = relations
        .referred
        .iter()
        .map(|referred| (&referred.table, true));
    inbound
        .chain(referred.filter(|_| goes_with_parent))
        .map(|(name, deletes)| {
            let going = Going {
                judge,
                class,
                dispose,
                relations,
                table,
                deletes,
            };
            let mut goes = going.goes(name, "t", 0);
            if name == &table.name {
                // What is due by itself is counted as a record.
                goes = format!("({goes}) AND ({}) IS NOT TRUE", going.due("t"));
            }
            (name.clone(), goes)
        })
        .collect()
}

/// Which rows go once everything that is due has gone.
struct Going<'a> {
    judge: &'a Judge<'a>,
    class: &'a Class,
    dispose: &'a Dispose,
    relations: &'a Relations,
    table: &'a Table,
    /// Only what goes with a record that is deleted: what it refers to stays with one that
    /// is anonymised, by a stage too.
    deletes: bool,
}

impl Going<'_> {
    /// A row of `name`, under the alias `a`, goes; may be NULL for FALSE. `depth` keeps the
    /// inner aliases apart.
    fn goes(&self, name: &TableName, a: &str, depth: usize) -> String {
        let own: Vec<&Link> = self.relations.own(name).collect();
        let table = self.judge.catalog.table(name);
        let (Some(table), false) = (table, own.is_empty()) else {
            return self.begins(name, a, depth);
        };
        // And what hangs on it within its own table: all of them at once.
        let first = format!("b{depth}");
        let (begin, names) = keys(table, &first);
        let on: Vec<String> = own
            .iter()
            .map(|link| format!("({})", link.holds("n", "m")))
            .collect();
        format!(
            "({}) IN (WITH RECURSIVE w ({names}) AS (SELECT {begin} FROM {from} AS {first} WHERE {} \
             UNION SELECT {} FROM w JOIN {from} m ON {} JOIN {from} n ON {}) SELECT {names} FROM w)",
            columns(&table.key, a),
            self.begins(name, &first, depth + 1),
            keys(table, "n").0,
            by_names(table, "m", "w"),
            on.join(" OR "),
            from = name.quoted(),
        )
    }

    /// A row of `name` goes for what another table or its own class says.
    fn begins(&self, name: &TableName, a: &str, depth: usize) -> String {
        if name == &self.table.name {
            return self.due(a);
        }
        let inner = format!("g{depth}");
        let beyond = |name: &TableName| self.goes(name, &inner, depth + 1);
        if let Some(inbound) = self
            .relations
            .inbound
            .iter()
            .find(|inbound| &inbound.table == name)
        {
            // If any row that it refers to goes.
            let ways = inbound.edges.iter().filter(|edge| !edge.is_own());
            let ways = ways.map(|edge| {
                let mut sql = format!(
                    "({}) IN (SELECT {} FROM {} AS {inner} WHERE {})",
                    columns(&edge.from_columns, a),
                    columns(&edge.to_columns, &inner),
                    edge.to.quoted(),
                    beyond(&edge.to)
                );
                if let Some(condition) = edge.condition_on(Side::From, a) {
                    sql.push_str(&format!(" AND {condition}"));
                }
                sql
            });
            return any(ways.collect());
        }
        let Some(referred) = self
            .relations
            .referred
            .iter()
            .find(|referred| &referred.table == name)
        else {
            return "FALSE".to_owned();
        };
        // If some row that refers to it goes, and none that refers to it stays.
        let leaves = referred.edges.iter().map(|edge| {
            let mut sql = format!(
                "({}) IN (SELECT {} FROM {} AS {inner} WHERE ",
                columns(&edge.to_columns, a),
                columns(&edge.from_columns, &inner),
                edge.from.quoted(),
            );
            let beyond = beyond(&edge.from);
            match edge.condition_on(Side::From, &inner) {
                None => sql.push_str(&beyond),
                Some(condition) => sql.push_str(&format!("({beyond}) AND {condition}")),
            }
            sql.push(')');
            if let Some(condition) = edge.condition_on(Side::To, a) {
                sql.push_str(&format!(" AND {condition}"));
            }
            sql
        });
        let stays = referred.all_inbound.iter().map(|edge| {
            let stays = if referred.edges.contains(edge) {
                format!(" AND ({}) IS NOT TRUE", beyond(&edge.from))
            } else {
                String::new()
            };
            format!(
                "NOT EXISTS (SELECT 1 FROM {} AS {inner} WHERE {}{stays})",
                edge.from.quoted(),
                edge.holds(&inner, a)
            )
        });
        all(std::iter::once(any(leaves.collect()))
            .chain(stays)
            .collect())
    }

    /// A record of the class is due, by itself.
    fn due(&self, a: &str) -> String {
        // Nothing goes with a record that is only flagged.
        let steps = self.dispose.steps_on(self.judge.today);
        any(steps
            .iter()
            .filter(|step| match step.disposal {
                Disposal::Delete => true,
                Disposal::Anonymise(_) => !self.deletes,
                Disposal::Flag => false,
            })
            .map(|step| {
                format!(
                    "({}) AND ({}) AND {}",
                    self.judge.claims(self.class, a),
                    self.judge.past(self.class, step, a),
                    unprotected(self.judge, self.class, step, self.relations, self.table, a)
                )
            })
            .collect())
    }
}

/// What is to be said of one record under one class. `$1…` are the key's values as text.
///
/// Answers: claimed, might be claimed, trigger (text), last day (text), why undated, state,
/// governs, held, the last day (text) of the class's own disposal, whether it is past at once, and
/// the last day (text) that a person's request gives it.
pub(super) fn explain(
    judge: &Judge<'_>,
    class: &Class,
    relations: &Relations,
    table: &Table,
    key: &Key,
) -> String {
    let held = any(vec![
        judge.held(table, "t"),
        judge.dependant_held(relations, table, "t"),
    ]);
    let own = class.dispose().map_or_else(
        || "NULL::text".to_owned(),
        |dispose| {
            let last_day = judge.last_day(class, dispose, "t");
            format!("nullif({last_day}, 'infinity')::text")
        },
    );
    let (trigger, last_day, undated, state, governs) = match class.dispose() {
        Some(dispose) => (
            judge.trigger_text(class, dispose, "t"),
            format!(
                "nullif({}, 'infinity')::text",
                judge.next_last_day(class, dispose, "t")
            ),
            judge.undated(class, dispose, "t"),
            state(judge, class, dispose, relations, table),
            judge.governs(class, "t"),
        ),
        None => (
            "NULL::text".to_owned(),
            "NULL::text".to_owned(),
            "NULL::text".to_owned(),
            "NULL::text".to_owned(),
            judge.claims(class, "t"),
        ),
    };
    let at_once = class
        .dispose()
        .map_or_else(|| "FALSE".to_owned(), |dispose| judge.at_once(dispose, "t"));
    let asked = match &judge.erased(class, "t")[..] {
        "FALSE" => "NULL::text".to_owned(),
        erased => format!(
            "CASE WHEN {erased} THEN {}::text END",
            judge.erased_last_day(class, "t")
        ),
    };
    format!(
        "SELECT {}, {}, {trigger}, {last_day}, {undated}, {state}, {governs}, {held}, {own}, {at_once}, {asked} FROM {} AS t WHERE {}",
        judge.claims(class, "t"),
        judge.might_claim(class, "t"),
        table.name.quoted(),
        key.is("t", 1)
    )
}
