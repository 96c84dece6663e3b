//! What waits for reviewers, record by record, as a question.

use super::judge::{Judge, all, key_array, negated};
use super::key::Key;
use super::question::state;
use super::relations::Relations;
use crate::catalog::Table;
use crate::ident::literal;
use crate::schedule::{Class, Condition, Disposal, Dispose, Gate};

/// The records of one class that wait for its reviewers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// Answers for each: the key's columns, the trigger and the last day as text, who approved
    /// it, what was approved and is so no more (JSON), and whom it was handed on to.
    sql: String,
}

impl Queue {
    /// The question, of those records only for which a condition is TRUE.
    #[must_use]
    pub fn of(&self, only: Option<&Condition>) -> String {
        match only {
            Some(only) => format!("{} AND ({}) IS TRUE", self.sql, only.sql("t")),
            None => self.sql.clone(),
        }
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
    let waits = match (dispose.gate, &dispose.disposal) {
        (Gate::Review, _) => all(vec![
            format!(
                "{} = 'waiting'",
                state(judge, class, dispose, relations, table)
            ),
            judge.gate_holds(class, a),
            judge.by_step(class, dispose, a, |step| judge.let_go(class, step, a)),
        ]),
        (_, Disposal::Flag) => all(vec![
            judge.claims(class, a),
            judge.done(class, dispose, a),
            negated(&judge.held(table, a)),
            negated(&judge.by_step(class, dispose, a, |step| judge.approved(class, step, a))),
        ]),
        _ => return None,
    };
    let approvals = format!(
        "retentiond.approval p WHERE p.class_id = {} AND p.key = {} \
         AND p.run_id IS NULL AND p.voided_at IS NULL",
        literal(class.id().as_str()),
        key_array(table, a)
    );
    let binds = judge.by_step(class, dispose, a, |step| {
        judge.approval_binds(class, step, a)
    });
    Some(Queue {
        sql: format!(
            "SELECT {key}, {trigger}, nullif({last_day}, 'infinity')::text, \
             (SELECT array_agg(DISTINCT p.approved_by ORDER BY p.approved_by) FROM {approvals} AND ({binds})), \
             (SELECT jsonb_build_object('review', p.review_id, 'by', p.approved_by, 'trigger', p.trigger_on, \
                 'last_day', p.last_day, 'class', encode(p.class_digest, 'hex'))::text \
                 FROM {approvals} AND NOT ({binds}) ORDER BY p.review_id DESC LIMIT 1), \
             (SELECT r.handed_to FROM retentiond.handed_on h JOIN retentiond.review r USING (review_id) \
                 WHERE h.class_id = {class} AND h.key = {array}) \
             FROM {table} AS t WHERE {waits}",
            key = key.returned(a),
            trigger = judge.trigger_text(class, dispose, a),
            last_day = judge.next_last_day(class, dispose, a),
            class = literal(class.id().as_str()),
            array = key_array(table, a),
            table = table.name.quoted(),
        ),
    })
}
