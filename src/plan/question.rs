//! The statements that only ask: how many records of a class are in which state, and what
//! is to be said of a single one. Built from the same fragments as the statements that act.

use super::judge::{Judge, all, any, columns, equal, negated};
use super::key::Key;
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
        judge.dependant_protected(relations, a),
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
                judge.dependant_held(relations, a),
            ]),
            "'held'",
        ),
        (judge.conflict(&table.name, a), "'conflict'"),
        (
            any(vec![
                judge.gated(&table.name, a),
                judge.dependant_gated(relations, a),
            ]),
            "'waiting'",
        ),
        (
            any(vec![
                judge.in_notice(&table.name, a),
                judge.dependant_in_notice(relations, a),
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
        || judge.dependant_gated(relations, "t") != "FALSE"
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
        judge.last_day_now(class, dispose, "t"),
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
            (name.clone(), going.goes(name, "t", 0))
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
        let inner = format!("g{depth}");
        let beyond = |name: &TableName| self.goes(name, &inner, depth + 1);
        if let Some(inbound) = self
            .relations
            .inbound
            .iter()
            .find(|inbound| &inbound.table == name)
        {
            // If any row that it refers to goes.
            let ways = inbound.edges.iter().map(|edge| {
                format!(
                    "({}) IN (SELECT {} FROM {} AS {inner} WHERE {})",
                    columns(&edge.from_columns, a),
                    columns(&edge.to_columns, &inner),
                    edge.to.quoted(),
                    beyond(&edge.to)
                )
            });
            return any(ways.collect());
        }
        if let Some(referred) = self
            .relations
            .referred
            .iter()
            .find(|referred| &referred.table == name)
        {
            // If some row that refers to it goes, and none that refers to it stays.
            let leaves = referred.edges.iter().map(|edge| {
                format!(
                    "({}) IN (SELECT {} FROM {} AS {inner} WHERE {})",
                    columns(&edge.to_columns, a),
                    columns(&edge.from_columns, &inner),
                    edge.from.quoted(),
                    beyond(&edge.from)
                )
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
                    equal(&edge.from_columns, &inner, &edge.to_columns, a)
                )
            });
            return all(std::iter::once(any(leaves.collect()))
                .chain(stays)
                .collect());
        }
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
/// governs, held, the last day (text) of the class's own disposal.
pub(super) fn explain(
    judge: &Judge<'_>,
    class: &Class,
    relations: &Relations,
    table: &Table,
    key: &Key,
) -> String {
    let by_key: Vec<String> = key
        .columns
        .iter()
        .enumerate()
        .map(|(nth, c)| {
            format!(
                "t.{} = ${}::text::{}",
                c.name.quoted(),
                nth + 1,
                c.type_name
            )
        })
        .collect();
    let held = any(vec![
        judge.held(table, "t"),
        judge.dependant_held(relations, "t"),
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
    format!(
        "SELECT {}, {}, {trigger}, {last_day}, {undated}, {state}, {governs}, {held}, {own} FROM {} AS t WHERE {}",
        judge.claims(class, "t"),
        judge.might_claim(class, "t"),
        table.name.quoted(),
        by_key.join(" AND ")
    )
}
