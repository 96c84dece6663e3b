//! The debt register as a question: the records of a class that are late, by what keeps them and
//! by how long they have been past.

use super::judge::{Judge, all, any};
use super::question::state;
use super::relations::Relations;
use crate::catalog::Table;
use crate::schedule::{Class, Dispose, Gate, Limit};

/// Where each age band of late records begins, in days since the record was past.
pub const AGES: [i64; 5] = [1, 8, 31, 91, 366];

/// Answers for each reason and age band: the reason, the band's number from 0, how many records
/// there are, and the first day on which the oldest of them was past. One reading of the table.
///
/// The reasons are the states of the counts, except that what waits is told apart: `paused`,
/// `instruction`, `review`, `dependant` (a gate of what hangs on it) or `acceptance`.
pub(super) fn debt(
    judge: &Judge<'_>,
    class: &Class,
    dispose: &Dispose,
    relations: &Relations,
    table: &Table,
) -> String {
    let a = "t";
    let gates = |gate: Gate| {
        let gated = judge
            .on(&table.name)
            .filter(move |class| class.dispose().is_some_and(|dispose| dispose.gate == gate));
        any(gated.map(|class| judge.gate_holds(class, a)).collect())
    };
    let mut whys = vec![
        (gates(Gate::Instruction), "instruction"),
        (gates(Gate::Review), "review"),
        (judge.dependant_gated(relations, table, a), "dependant"),
    ];
    if judge.decisions.paused(class.id()) {
        whys.insert(0, ("TRUE".to_owned(), "paused"));
    }
    let whys: String = whys
        .iter()
        .filter(|(condition, _)| condition != "FALSE")
        .map(|(condition, why)| format!(" WHEN {condition} THEN '{why}'"))
        .collect();
    let why = match whys.is_empty() {
        true => "'acceptance'".to_owned(),
        false => format!("CASE{whys} ELSE 'acceptance' END"),
    };
    // A maximum is past on its last day, a minimum on the day after.
    let after = match dispose.limit {
        Limit::Minimum => 1,
        Limit::Maximum => 0,
    };
    let ages: Vec<String> = AGES.iter().skip(1).map(ToString::to_string).collect();
    format!(
        "SELECT q.r, width_bucket(DATE '{today}' - q.d, ARRAY[{ages}]), count(*), min(q.d)::text \
         FROM (SELECT CASE p.s WHEN 'waiting' THEN p.w WHEN 'noticed' THEN 'notice' ELSE p.s END AS r, p.d FROM \
             (SELECT {state} AS s, {why} AS w, {day} + {after} AS d FROM {name} AS t WHERE {late}) p \
             WHERE p.s NOT IN ('done', 'retained')) q GROUP BY 1, 2 ORDER BY 1, 2",
        today = judge.today,
        ages = ages.join(", "),
        state = state(judge, class, dispose, relations, table),
        day = judge.past_since(class, dispose, a),
        name = table.name.quoted(),
        late = all(vec![
            judge.claims(class, a),
            judge.overdue(class, dispose, a)
        ]),
    )
}
