//! Questions that only rows can answer, asked by `check` and changing nothing: would what
//! an anonymisation (or an unlinking) writes meet the table's CHECK constraints and
//! domains? And does a class's condition fit any row?
//!
//! PostgreSQL is asked to evaluate the constraint's own expression over the rows that the
//! class claims, today's due ones and all others, with the new values in place of the old.
//! A pass does not ask: it would read the whole table each time, and a row that the
//! database refuses is set aside by itself.

use super::anonymise::anonymised;
use super::{Plan, Standing};
use crate::catalog::{Catalog, Check, Column, Sort, Table};
use crate::ident::{ClassId, Ident, TableName};
use crate::schedule::{Anonymisation, Class, Code, Diagnostic, Disposal, Fate, Place, Schedule};

/// No more than so many breaking rows are counted.
pub const MOST_COUNTED: i64 = 1_000;

/// One question about a class's rows.
#[derive(Debug, Clone)]
pub struct Probe {
    /// Whose.
    pub class: ClassId,
    /// Answers one number: how many rows would break the constraint, at most
    /// `MOST_COUNTED` + 1. `$1` and `$2` are pads of a pseudonym's key, bound as `bytea`.
    pub sql: String,
    /// The part of it that names tables, without a constraint's own expression.
    reads: String,
    about: About,
    code: Code,
    hint: String,
    place: Place,
}

#[derive(Debug, Clone)]
enum About {
    /// Whether what is written meets a constraint.
    Constraint { subject: String, constraint: String },
    /// Whether a class's condition fits any row at all (1 if there are rows and none fits).
    Claim { table: TableName },
}

impl Probe {
    /// What it reads, as a statement: PostgreSQL's words for a constraint left out.
    pub(super) fn reads(&self) -> &str {
        &self.reads
    }

    /// What is to be said where the answer was not 0.
    #[must_use]
    pub fn broken(&self, rows: i64) -> Diagnostic {
        let count = match rows {
            1 => "1 record that is there today".to_owned(),
            n if n > MOST_COUNTED => {
                format!("more than {MOST_COUNTED} records that are there today")
            }
            n => format!("{n} records that are there today"),
        };
        self.told(match &self.about {
            About::Constraint {
                subject,
                constraint,
            } => {
                format!("{subject} cannot be done: {constraint} would refuse {count}")
            }
            About::Claim { table } => format!("no row of `{table}` fits the condition"),
        })
    }

    /// What is to be said where the database refused the values altogether.
    #[must_use]
    pub fn refused(&self) -> Diagnostic {
        match &self.about {
            About::Constraint {
                subject,
                constraint,
            } => self.told(format!(
                "{subject} cannot be done: {constraint} would refuse it"
            )),
            About::Claim { .. } => self.unanswered("the condition was refused"),
        }
    }

    fn told(&self, what: String) -> Diagnostic {
        Diagnostic::new(self.code, format!("class `{}`: {what}", self.class))
            .hint(self.hint.as_str())
            .at(self.place)
    }

    /// What is to be said where the question could not be asked.
    #[must_use]
    pub fn unanswered(&self, reason: &str) -> Diagnostic {
        let what = match &self.about {
            About::Constraint {
                subject,
                constraint,
            } => {
                format!("whether {subject} meets {constraint} could not be tried ({reason})")
            }
            About::Claim { table } => {
                format!(
                    "whether any row of `{table}` fits the condition could not be asked ({reason})"
                )
            }
        };
        Diagnostic::new(
            Code::ConstraintUnproven,
            format!("class `{}`: {what}", self.class),
        )
        .hint("compare them by hand; a row that the database refuses is set aside and shown")
        .at(self.place)
    }
}

/// The questions about all classes that fit the database otherwise.
#[must_use]
pub fn probes(schedule: &Schedule, catalog: &Catalog, plan: &Plan) -> Vec<Probe> {
    schedule
        .classes()
        .iter()
        .filter(|class| {
            plan.class(class.id())
                .is_some_and(|planned| planned.standing != Standing::Refused)
        })
        .flat_map(|class| {
            let mut probes = anonymisation(class, schedule, catalog);
            probes.extend(unlinking(class, catalog));
            probes.extend(claim(class));
            probes
        })
        .collect()
}

/// A misspelt value claims nothing, and keeps records for ever unseen.
fn claim(class: &Class) -> Option<Probe> {
    let condition = class.claim()?;
    let table = class.table().quoted();
    let sql = format!(
        "SELECT (EXISTS (SELECT 1 FROM {table}) AND NOT EXISTS \
         (SELECT 1 FROM {table} AS t WHERE ({}) IS TRUE))::int::bigint",
        condition.sql("t")
    );
    Some(Probe {
        class: class.id().clone(),
        reads: sql.clone(),
        sql,
        about: About::Claim {
            table: class.table().clone(),
        },
        code: Code::NothingFits,
        hint: format!(
            "compare the constants with what is there: SELECT DISTINCT {} FROM {}",
            condition
                .columns()
                .map(Ident::written)
                .collect::<Vec<_>>()
                .join(", "),
            class.table().written()
        ),
        place: *class.place("where"),
    })
}

/// What is written to a column, as SQL over row `t`.
type Written<'a> = Vec<(&'a Column, String)>;

fn anonymisation(class: &Class, schedule: &Schedule, catalog: &Catalog) -> Vec<Probe> {
    let (Some(dispose), Some(table)) = (class.dispose(), catalog.table(class.table())) else {
        return Vec::new();
    };
    dispose
        .steps()
        .iter()
        .flat_map(|step| match &step.disposal {
            Disposal::Anonymise(parts) => written_by(class, parts, table, schedule),
            Disposal::Flag | Disposal::Delete => Vec::new(),
        })
        .collect()
}

/// What one anonymisation writes, against what the table's constraints read.
fn written_by(
    class: &Class,
    parts: &[Anonymisation],
    table: &Table,
    schedule: &Schedule,
) -> Vec<Probe> {
    let mut written: Written<'_> = Vec::new();
    for part in parts {
        let Some(column) = table.column(&part.column) else {
            continue;
        };
        if written.iter().any(|(known, _)| known.name == part.column) {
            continue;
        }
        let paths: Vec<&[String]> = parts
            .iter()
            .filter(|other| other.column == part.column)
            .map(|other| &other.path[..])
            .collect();
        let bare = format!("t.{}", part.column.quoted());
        let zone = schedule.time_zone();
        let value = anonymised(part.strategy, &bare, column.sort, &paths, zone, (1, 2));
        written.push((column, value));
    }
    let claimed = class.claim().map_or_else(
        || "TRUE".to_owned(),
        |c| format!("({}) IS TRUE", c.sql("t")),
    );
    let place = |columns: &[Ident]| {
        let part: Option<&Anonymisation> = parts.iter().find(|part| columns.contains(&part.column));
        part.map_or(*class.place("anonymise"), |part| {
            *super::fit::anonymised_place(class, part)
        })
    };
    let mut probes: Vec<Probe> = table
        .checks
        .iter()
        .filter(|check| {
            !check.validated || written.iter().any(|(c, _)| check.columns.contains(&c.name))
        })
        .map(|check| Probe {
            class: class.id().clone(),
            reads: changed(table, check, &written, &claimed),
            sql: broken_by(table, check, &written, &claimed),
            about: About::Constraint {
                subject: format!("the anonymisation of `{}`", table.name),
                constraint: format!("the constraint `{}`", check.name),
            },
            code: Code::AnonymisationBreaks,
            hint: format!(
                "choose strategies that meet it, or change it; it is CHECK ({})",
                check.expression
            ),
            place: place(&check.columns),
        })
        .collect();
    for (column, value) in written.iter().filter(|(c, _)| c.constrained_domain) {
        // The cast raises an error where the domain refuses a value.
        let sql = format!(
            "SELECT 0 * count(({value})::{}) FROM {} AS t WHERE {claimed}",
            column.type_name,
            table.name.quoted()
        );
        probes.push(Probe {
            class: class.id().clone(),
            reads: sql.clone(),
            sql,
            about: About::Constraint {
                subject: format!("the anonymisation of `{}.{}`", table.name, column.name),
                constraint: format!("the domain `{}`", column.type_name),
            },
            code: Code::AnonymisationBreaks,
            hint: "choose another strategy, or change the domain".to_owned(),
            place: place(std::slice::from_ref(&column.name)),
        });
    }
    probes
}

fn unlinking(class: &Class, catalog: &Catalog) -> Vec<Probe> {
    let Some(dispose) = class.dispose() else {
        return Vec::new();
    };
    let goes = |table: &TableName| {
        table == class.table()
            || dispose
                .dependants
                .iter()
                .any(|other| other.fate == Fate::Delete && &other.table == table)
    };
    let mut probes = Vec::new();
    for dependant in dispose.dependants.iter().filter(|d| d.fate == Fate::Unlink) {
        let Some(table) = catalog.table(&dependant.table) else {
            continue;
        };
        for key in catalog
            .outbound(&dependant.table)
            .filter(|key| goes(&key.to))
        {
            let written: Written<'_> = key
                .from_columns
                .iter()
                .filter_map(|name| table.column(name))
                .filter(|column| !column.not_null)
                .map(|column| (column, "NULL".to_owned()))
                .collect();
            let linked: Vec<String> = key
                .from_columns
                .iter()
                .map(|name| format!("t.{} IS NOT NULL", name.quoted()))
                .collect();
            let checks = table.checks.iter().filter(|check| {
                !check.validated || written.iter().any(|(c, _)| check.columns.contains(&c.name))
            });
            probes.extend(checks.map(|check| Probe {
                class: class.id().clone(),
                reads: changed(table, check, &written, &linked.join(" AND ")),
                sql: broken_by(table, check, &written, &linked.join(" AND ")),
                about: About::Constraint {
                    subject: format!("unlinking `{}`", table.name),
                    constraint: format!("the constraint `{}`", check.name),
                },
                code: Code::UnlinkNotNull,
                hint: format!(
                    "let its rows go with the record, or change the constraint; it is CHECK ({})",
                    check.expression
                ),
                place: dependant.place,
            }));
        }
    }
    probes
}

/// The type that a new value is compared as. A domain would raise an error, and has a
/// question of its own; what it is at bottom does not.
fn cast(column: &Column) -> String {
    let name = match column.sort {
        _ if !column.constrained_domain => column.type_name.as_str(),
        Sort::Date => "date",
        Sort::Timestamp => "timestamp",
        Sort::TimestampTz => "timestamptz",
        Sort::Integer => "bigint",
        Sort::Text => "text",
        Sort::Uuid => "uuid",
        Sort::Json => "json",
        Sort::Jsonb => "jsonb",
        Sort::Other => return String::new(),
    };
    format!("::{name}")
}

/// Counts the rows among `which` that would break a constraint with the new values. The
/// constraint's expression names bare columns, so the changed row stands under the table's
/// own name and nothing else is in sight.
fn broken_by(table: &Table, check: &Check, written: &Written<'_>, which: &str) -> String {
    format!(
        "SELECT count(*) FROM (SELECT 1 FROM ({}) AS {} WHERE ({}) IS FALSE LIMIT {}) AS broken",
        changed(table, check, written, which),
        table.name.name().quoted(),
        check.expression,
        MOST_COUNTED + 1
    )
}

/// The rows among `which` as a constraint would see them with the new values.
fn changed(table: &Table, check: &Check, written: &Written<'_>, which: &str) -> String {
    let columns: Vec<String> = table
        .columns
        .iter()
        .filter(|column| check.columns.contains(&column.name))
        .map(|column| {
            let name = column.name.quoted();
            written
                .iter()
                .find(|(changed, _)| changed.name == column.name)
                .map_or_else(
                    || format!("t.{name}"),
                    |(changed, value)| {
                        let cast = cast(changed);
                        format!("({value}){cast} AS {name}")
                    },
                )
        })
        .collect();
    format!(
        "SELECT {} FROM {} AS t WHERE {which}",
        columns.join(", "),
        table.name.quoted()
    )
}
