//! What the schedule leaves out: tables that look personal and that no class claims, and the
//! rows of claimed tables that no class claims. All counted in one snapshot.

use serde::Serialize;
use sqlx::{Connection, PgConnection, Row};

use super::{Drawn, SurveyError};
use crate::ident::{ClassId, Ident, TableName};
use crate::personal::{self, Certainty};
use crate::plan;
use crate::schedule::{Code, Diagnostic, Schedule, Severity};
use crate::store;

/// What the schedule leaves out. See `json.md`, "check", `coverage`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Coverage {
    /// Tables that hold what looks like personal data, and that nothing covers.
    pub tables: Vec<Uncovered>,
    /// Rows of claimed tables that no class claims.
    pub unclaimed: Vec<Unclaimed>,
}

/// A table that looks personal, and that no class claims.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Uncovered {
    /// The table.
    pub table: TableName,
    /// How many rows it has; none where we may not read all of them.
    pub rows: Option<u64>,
    /// The columns that look personal.
    pub columns: Vec<PersonalColumn>,
}

/// A column that looks personal, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PersonalColumn {
    /// The column.
    pub column: Ident,
    /// What it seems to hold, in words.
    pub looks_like: &'static str,
    /// What speaks for it.
    pub because: String,
}

/// Rows of a claimed table that belong to no class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unclaimed {
    /// The table.
    pub table: TableName,
    /// How many rows no class claims.
    pub rows: u64,
    /// How many rows it has.
    pub of: u64,
    /// The first class on it, at whose condition a message can point.
    #[serde(skip)]
    pub class: ClassId,
}

/// Looks for what the schedule leaves out. Changes nothing.
///
/// # Errors
/// When a query fails.
pub async fn coverage(
    conn: &mut PgConnection,
    schedule: &Schedule,
    drawn: &Drawn,
) -> Result<Coverage, SurveyError> {
    let failed = |source| SurveyError::Database {
        what: "what no class claims",
        source,
    };
    let questions = plan::uncovered(schedule, &drawn.catalog, drawn.plan.on());
    let mut tx = conn
        .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        .await
        .map_err(failed)?;
    let mut coverage = Coverage::default();
    for question in questions.tables {
        let Some(table) = drawn.catalog.table(&question.table) else {
            continue;
        };
        let findings = personal::judge(table);
        if !personal::holds_personal_data(&findings) {
            continue;
        }
        let rows = match &question.count {
            Some(sql) => {
                let row = store::planned(sql)
                    .fetch_one(&mut *tx)
                    .await
                    .map_err(failed)?;
                Some(number(row.try_get(0).map_err(failed)?))
            }
            None => None,
        };
        coverage.tables.push(Uncovered {
            table: question.table,
            rows,
            columns: findings
                .into_iter()
                .filter(|finding| finding.certainty == Certainty::Likely)
                .map(|finding| PersonalColumn {
                    column: finding.column.name.clone(),
                    looks_like: finding.what.words(),
                    because: finding.because,
                })
                .collect(),
        });
    }
    for question in questions.partly {
        // A condition may raise an error over a row, whose words the server would quote.
        let broken = |error: sqlx::Error| SurveyError::Class {
            class: question.class.clone(),
            reason: store::reason(&error),
        };
        let row = store::planned(&question.count)
            .fetch_one(&mut *tx)
            .await
            .map_err(broken)?;
        let rows = number(row.try_get(0).map_err(broken)?);
        let of = number(row.try_get(1).map_err(broken)?);
        if rows > 0 {
            coverage.unclaimed.push(Unclaimed {
                table: question.table,
                rows,
                of,
                class: question.class,
            });
        }
    }
    tx.rollback().await.map_err(failed)?;
    Ok(coverage)
}

fn number(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

impl Coverage {
    /// The same as warnings; with `strict`, tables that nothing covers are errors.
    #[must_use]
    pub fn diagnostics(&self, schedule: &Schedule, strict: bool) -> Vec<Diagnostic> {
        let tables = self.tables.iter().map(|uncovered| {
            let columns: Vec<String> = uncovered
                .columns
                .iter()
                .map(|seen| format!("`{}` ({})", seen.column, seen.looks_like))
                .collect();
            let rows = match uncovered.rows {
                None => "rows that we may not count".to_owned(),
                Some(1) => "1 row".to_owned(),
                Some(rows) => format!("{rows} rows"),
            };
            let mut diagnostic = Diagnostic::new(
                Code::UncoveredTable,
                format!(
                    "no class claims `{}`, which has {rows} and looks personal: {}",
                    uncovered.table,
                    columns.join(", ")
                ),
            )
            .hint(format!(
                "give it a class, make it a dependant of one, or `retain` it; `retentiond init --tables {}` proposes a class",
                uncovered.table
            ));
            if strict {
                diagnostic.severity = Severity::Error;
            }
            diagnostic
        });
        let rows = self.unclaimed.iter().map(|unclaimed| {
            let place = schedule
                .class(&unclaimed.class)
                .map(|class| *class.place("where"))
                .unwrap_or_default();
            Diagnostic::new(
                Code::UnclaimedRows,
                format!(
                    "no class claims {} of the {} rows of `{}`",
                    unclaimed.rows, unclaimed.of, unclaimed.table
                ),
            )
            .hint("widen a condition, or give the rest a class of its own: `retain`, if it is to be kept")
            .at(place)
        });
        tables.chain(rows).collect()
    }
}
