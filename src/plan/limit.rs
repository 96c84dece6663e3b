//! What bounds how much of a class may go: the statement that counts, and the bounds.
//!
//! Counting is asked first, before anything of the class is touched. It counts what the
//! statements that act would take, by the same fragments, and what has gone within seven
//! days; the table is counted only where so much is due that a share of it matters.

use serde::Serialize;

use super::judge::Judge;
use super::relations::Relations;
use super::scan::ranges;
use super::work::unprotected;
use crate::catalog::Table;
use crate::ident::literal;
use crate::schedule::limits::{DEFAULT_SHARE, FLOOR};
use crate::schedule::{Class, Disposal, Dispose, Gate, Trigger};

/// Which limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitKey {
    /// `max_rows`: records in one pass.
    MaxRows,
    /// `max_share`: a share of the table within seven days.
    MaxShare,
    /// `max_growth`: against the last completed pass.
    MaxGrowth,
}

impl LimitKey {
    /// As the schedule writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::MaxRows => "max_rows",
            Self::MaxShare => "max_share",
            Self::MaxGrowth => "max_growth",
        }
    }
}

/// The limits of a class: what to ask, and the bounds that no answer is needed for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Limits {
    /// Answers one row of four numbers: records due; records that went within seven days
    /// other than by an acceptance; how many may within seven days, or NULL where the share
    /// does not matter; how many may against the last completed pass, or NULL where there is
    /// none. `$1` is the instant seven days ago.
    pub measure: String,
    /// The most records in one pass.
    pub max_rows: Option<u64>,
}

/// What [`Limits::measure`] answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measured {
    /// Records due.
    pub due: u64,
    /// Records that went within seven days.
    pub went: u64,
    /// How many may go within seven days.
    pub most_share: Option<u64>,
    /// How many may go, against the last completed pass.
    pub most_growth: Option<u64>,
}

impl From<[Option<i64>; 4]> for Measured {
    fn from(answers: [Option<i64>; 4]) -> Self {
        let [due, went, most_share, most_growth] =
            answers.map(|answer| answer.map(|number| u64::try_from(number).unwrap_or(0)));
        Self {
            due: due.unwrap_or(0),
            went: went.unwrap_or(0),
            most_share,
            most_growth,
        }
    }
}

/// A class is over a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Over {
    /// Which.
    pub limit: LimitKey,
    /// Records due.
    pub due: u64,
    /// What counts against the limit: those, with what went before as far as that counts.
    pub counted: u64,
    /// How many there may be.
    pub most: u64,
}

impl std::fmt::Display for Over {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} due", self.due)?;
        if self.counted > self.due {
            let when = match self.limit {
                LimitKey::MaxShare => "within seven days",
                LimitKey::MaxRows | LimitKey::MaxGrowth => "in this pass",
            };
            write!(f, ", {} with what went {when}", self.counted)?;
        }
        write!(f, ", and `{}` allows {}", self.limit.name(), self.most)
    }
}

impl Limits {
    /// The first limit that is passed. `acted` records went in this pass already, and
    /// `accepted` of those due were accepted by a person.
    #[must_use]
    pub fn over(&self, measured: &Measured, acted: u64, accepted: u64) -> Option<Over> {
        let due = measured.due.saturating_sub(accepted);
        let in_pass = due.saturating_add(acted);
        [
            (LimitKey::MaxRows, self.max_rows, in_pass),
            (
                LimitKey::MaxShare,
                measured.most_share,
                due.saturating_add(measured.went),
            ),
            (LimitKey::MaxGrowth, measured.most_growth, in_pass),
        ]
        .into_iter()
        .find_map(|(limit, most, counted)| {
            let most = most?;
            (due > 0 && counted > most).then_some(Over {
                limit,
                due: measured.due,
                counted,
                most,
            })
        })
    }
}

/// The limits that bind a class; `None` where none does.
pub(super) fn write(
    judge: &Judge<'_>,
    class: &Class,
    dispose: &Dispose,
    relations: &Relations,
    table: &Table,
) -> Option<Limits> {
    let limits = dispose.limits;
    let instructed =
        matches!(dispose.trigger, Trigger::Fixed(_)) && dispose.gate == Gate::Instruction;
    let share = match limits.max_share {
        // All of a table is no bound.
        Some(share) => (share.value() < 1.0).then(|| share.to_string()),
        None => (!instructed).then(|| DEFAULT_SHARE.to_string()),
    };
    if share.is_none() && limits.max_rows.is_none() && limits.max_growth.is_none() {
        return None;
    }
    let from = table.name.quoted();
    let claim = judge.claims(class, "t");
    let nothing = Relations::default();
    // The steps of a class divide its past records among themselves.
    let steps = dispose.steps_on(judge.today);
    let counts: Vec<String> = steps
        .iter()
        .flat_map(|step| {
            let flags = step.disposal == Disposal::Flag;
            let relations = if flags { &nothing } else { relations };
            let protect = unprotected(judge, class, step, relations, table, "t");
            let ranges = ranges(judge, class, step, table, &claim);
            ranges
                .into_iter()
                .map(|range| {
                    format!(
                        "(SELECT count(*) FROM {} WHERE {} AND {protect})",
                        range.from, range.conditions
                    )
                })
                .collect::<Vec<_>>()
        })
        .collect();
    let due = if counts.is_empty() {
        "0::bigint".to_owned()
    } else {
        counts.join(" + ")
    };
    let (id, name) = (
        literal(class.id().as_str()),
        literal(&table.name.to_string()),
    );
    // Not the flags of a notice, which take nothing.
    let mut actions: Vec<String> = steps
        .iter()
        .map(|step| match step.disposal {
            Disposal::Flag => literal("flagged"),
            Disposal::Anonymise(_) => literal("anonymised"),
            Disposal::Delete => literal("deleted"),
        })
        .collect();
    actions.sort();
    actions.dedup();
    let actions = actions.join(", ");
    let recorded = judge.decisions.recorded();
    // What a person accepted beyond the limits does not count against them.
    let unaccepted = "NOT EXISTS (SELECT 1 FROM retentiond.limit_lift l \
         WHERE l.class_id = e.class_id AND e.run_id = ANY (l.runs))";
    let entries = |which: &str| {
        format!(
            "SELECT coalesce(sum(e.count), 0)::bigint FROM retentiond.ledger_entry e \
             WHERE e.at >= $1 AND {which} AND {unaccepted}"
        )
    };
    let went = if recorded {
        format!(
            "({})",
            entries(&format!(
                "e.class_id = {id} AND e.table_name = {name} AND e.action IN ({actions})"
            ))
        )
    } else {
        "0::bigint".to_owned()
    };
    // As large as it was before what went from it within the seven days.
    let gone = if recorded {
        let which = format!("e.table_name = {name} AND e.action = 'deleted'");
        format!(" + ({})", entries(&which))
    } else {
        String::new()
    };
    let most_share = share.map_or_else(
        || "NULL::bigint".to_owned(),
        |share| {
            format!(
                "CASE WHEN x.due + x.went > {FLOOR} THEN \
                 greatest({FLOOR}, floor({share} * ((SELECT count(*) FROM {from}){gone})))::bigint END"
            )
        },
    );
    let most_growth = match limits.max_growth {
        Some(growth) if recorded => format!(
            "(SELECT greatest({FLOOR}, floor({growth} * s.last_rows))::bigint \
             FROM retentiond.class_state s WHERE s.class_id = {id} AND s.last_rows IS NOT NULL)"
        ),
        _ => "NULL::bigint".to_owned(),
    };
    // MATERIALIZED: counted once, though two bounds read it. `$1` is bound in any case.
    Some(Limits {
        measure: format!(
            "WITH x AS MATERIALIZED (SELECT {due} AS due, {went} AS went, $1::timestamptz AS since) \
             SELECT x.due, x.went, {most_share}, {most_growth} FROM x"
        ),
        max_rows: limits.max_rows,
    })
}
