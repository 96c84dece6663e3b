//! What a change of schedule would do, all from one snapshot.

use std::collections::BTreeMap;

use sqlx::{Connection, PgConnection, Row};

use super::{Drawn, SurveyError};
use crate::ident::{ClassId, TableName};
use crate::plan::{self, Undue, Version};
use crate::schedule::{Disposal, Schedule};
use crate::store;

/// How records stand under one version of the schedule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// Due under a class, and by which disposal.
    Due(ClassId, &'static str),
    /// Not due.
    Not(Undue),
}

/// What the change means for records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Due, and were not.
    BecomesDue,
    /// Were due, and are not.
    NoLongerDue,
    /// Due under both, and something else would happen to them.
    OtherDisposal,
    /// Due under both, and the same would happen to them.
    Alike,
}

impl Effect {
    /// Every effect.
    pub const ALL: [Self; 4] = [
        Self::BecomesDue,
        Self::NoLongerDue,
        Self::OtherDisposal,
        Self::Alike,
    ];

    /// `becomes_due`, `no_longer_due`, `other_disposal` or `alike`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::BecomesDue => "becomes_due",
            Self::NoLongerDue => "no_longer_due",
            Self::OtherDisposal => "other_disposal",
            Self::Alike => "alike",
        }
    }
}

/// Records of one table that stand alike under each version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Their table.
    pub table: TableName,
    /// How they stand under the old version.
    pub old: Side,
    /// How they stand under the new version.
    pub new: Side,
    /// What that means.
    pub effect: Effect,
    /// How many.
    pub records: u64,
}

impl Change {
    /// The class that it is counted under: the new version's, or the one that let go.
    #[must_use]
    pub fn class(&self) -> Option<&ClassId> {
        match (&self.new, &self.old) {
            (Side::Due(class, _), _) | (_, Side::Due(class, _)) => Some(class),
            (Side::Not(_), Side::Not(_)) => None,
        }
    }
}

/// Rows of one table that go with due records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Dependants {
    /// By the new version alone.
    pub more: u64,
    /// By the old version alone.
    pub fewer: u64,
    /// By both.
    pub alike: u64,
}

/// What a change of schedule would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Against {
    /// Whatever is due by either version.
    pub changes: Vec<Change>,
    /// By table, what goes with it.
    pub dependants: BTreeMap<TableName, Dependants>,
}

impl Against {
    /// How many records of a class, or of all, are affected so.
    #[must_use]
    pub fn records(&self, class: Option<&ClassId>, effect: Effect) -> u64 {
        self.changes
            .iter()
            .filter(|change| change.effect == effect)
            .filter(|change| class.is_none() || change.class() == class)
            .map(|change| change.records)
            .sum()
    }
}

/// Compares two versions, each with its plan of the same day on the same database.
///
/// # Errors
/// When a query fails.
pub async fn against(
    conn: &mut PgConnection,
    old: (&Schedule, &Drawn),
    new: (&Schedule, &Drawn),
) -> Result<Against, SurveyError> {
    let [before, after] = [old, new].map(|(schedule, drawn)| Version {
        schedule,
        catalog: &drawn.catalog,
        on: drawn.plan.on(),
    });
    let questions = plan::compare(before, after, &new.1.decisions);
    let failed = |source| SurveyError::Database {
        what: "what the change would do",
        source,
    };
    let mut tx = conn
        .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        .await
        .map_err(failed)?;
    let mut changes = Vec::new();
    for question in questions.records {
        let broken = |error: sqlx::Error| SurveyError::Table {
            table: question.table.clone(),
            reason: store::reason(&error),
        };
        let rows = store::planned(&question.sql)
            .fetch_all(&mut *tx)
            .await
            .map_err(broken)?;
        for row in rows {
            let side = |schedule: &'_ Schedule, nth: usize| -> Result<_, SurveyError> {
                let due: Option<String> = row.try_get(nth).map_err(broken)?;
                if let Some((class, step)) = due.as_deref().and_then(plan::class_and_step) {
                    let disposal = disposal(schedule, &class, step);
                    let name = disposal.as_ref().map_or("retain", Disposal::name);
                    return Ok((Side::Due(class, name), disposal));
                }
                let word: Option<String> = row.try_get(nth + 1).map_err(broken)?;
                let undue = Undue::of(word.as_deref().unwrap_or_default());
                Ok((Side::Not(undue), None))
            };
            let ((before, was), (after, is)) = (side(old.0, 0)?, side(new.0, 2)?);
            let effect = match (&before, &after) {
                (Side::Not(_), _) => Effect::BecomesDue,
                (Side::Due(..), Side::Not(_)) => Effect::NoLongerDue,
                (Side::Due(..), Side::Due(..)) if same(was.as_ref(), is.as_ref()) => Effect::Alike,
                (Side::Due(..), Side::Due(..)) => Effect::OtherDisposal,
            };
            let records: i64 = row.try_get(4).map_err(broken)?;
            changes.push(Change {
                table: question.table.clone(),
                old: before,
                new: after,
                effect,
                records: u64::try_from(records).unwrap_or(0),
            });
        }
    }
    let mut dependants = BTreeMap::new();
    for question in questions.dependants {
        let broken = |error: sqlx::Error| SurveyError::Table {
            table: question.table.clone(),
            reason: store::reason(&error),
        };
        let row = store::planned(&question.sql)
            .fetch_one(&mut *tx)
            .await
            .map_err(broken)?;
        let number = |nth: usize| -> Result<u64, SurveyError> {
            let rows: i64 = row.try_get(nth).map_err(broken)?;
            Ok(u64::try_from(rows).unwrap_or(0))
        };
        let rows = Dependants {
            more: number(0)?,
            fewer: number(1)?,
            alike: number(2)?,
        };
        dependants.insert(question.table.clone(), rows);
    }
    tx.rollback().await.map_err(failed)?;
    Ok(Against {
        changes,
        dependants,
    })
}

/// What happens to a record of a class that is at one of its steps.
fn disposal(schedule: &Schedule, class: &ClassId, step: usize) -> Option<Disposal> {
    let steps = schedule.class(class)?.dispose()?.steps();
    Some(steps.into_iter().nth(step)?.disposal)
}

/// Whether the same happens to a record: the order in which columns are written down does
/// not matter.
fn same(left: Option<&Disposal>, right: Option<&Disposal>) -> bool {
    match (left, right) {
        (Some(Disposal::Anonymise(left)), Some(Disposal::Anonymise(right))) => {
            left.len() == right.len() && left.iter().all(|column| right.contains(column))
        }
        (left, right) => left == right,
    }
}
