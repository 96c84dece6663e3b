//! The ranges of a class's records, and the statements that walk along them: where the
//! next batch ends, and what is done to it where nothing hangs on the records.

use serde::Serialize;

use super::anonymise::anonymised;
use super::judge::{Judge, columns, key_array};
use super::key::Key;
use crate::catalog::{Sort, Table};
use crate::ident::{Ident, literal};
use crate::schedule::{Class, Disposal, Dispose, Trigger};

/// A statement over a range, with room for a lower and an upper bound.
///
/// With a position of `width` columns, `$1…$width` are the lower bound's values and
/// `$width+1…$2·width` the upper's, all bound as text whether they are used or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Bounded {
    head: String,
    after: String,
    until: String,
    tail: String,
}

impl Bounded {
    /// The statement with the bounds that apply.
    #[must_use]
    pub fn text(&self, after: bool, until: bool) -> String {
        let mut sql = self.head.clone();
        if after {
            sql.push_str(&self.after);
        }
        if until {
            sql.push_str(&self.until);
        }
        sql.push_str(&self.tail);
        sql
    }
}

/// One range of a class's records: all those whose trigger is read in one way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Scan {
    /// Its number within the class, from 0.
    pub no: i32,
    /// How many values a position has: the trigger (if the range runs along it) and the key.
    pub width: usize,
    /// Where in a position the values of the record's key stand.
    pub key_at: Vec<usize>,
    /// Answers the position of the last of the next `$2·width+1` rows, as texts, and that
    /// number; nothing where there are fewer.
    pub step: Bounded,
    /// Answers the last position among at most the next `$2·width+1` rows, as texts, and how
    /// many there are; nothing where there is none. It costs half as much again as `step`.
    pub rest: Bounded,
    /// The first statement that acts. Its further parameters and its answer are told by the route.
    pub act: Bounded,
    /// How `act` answers the trigger's day.
    pub day: DayAs,
}

/// How a statement answers a civil day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum DayAs {
    /// `integer`: days since 1970.
    Number,
    /// `timestamptz`: an instant on that day in the schedule's zone. Reckoning the day
    /// is left to the reader, who does it meanwhile, and several times faster.
    Instant,
}

/// What a direct statement does, and which further parameters it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Direct {
    /// `DELETE`; none.
    Delete,
    /// `UPDATE`; the two pads of the pseudonym's key (`bytea`).
    Anonymise,
    /// `INSERT INTO retentiond.flag`; the instant and the run.
    Flag,
}

/// One way of reading the trigger, as a range of the table.
pub(super) struct Range {
    /// What a position is made of.
    pub position: Vec<Ident>,
    /// The conditions that make the range, claim included.
    pub conditions: String,
    /// The trigger's day, as SQL, and what that is.
    pub days: String,
    /// See [`DayAs`].
    pub day_as: DayAs,
    /// The trigger's day as a date, as SQL.
    pub date: String,
}

impl Range {
    pub fn bounded(&self, table: &Table, head: String, tail: String) -> Bounded {
        let width = self.position.len();
        let value = |nth: usize, number: usize| {
            let cast = self
                .position
                .get(nth)
                .and_then(|column| table.column(column));
            format!(
                "${number}::text::{}",
                cast.map_or("text", |c| c.type_name.as_str())
            )
        };
        // A text is read as a timestamp anew for every row that it is compared with, since
        // reading it depends on settings; a subselect reads it once. But what that will
        // answer the planner cannot guess. So the first column is bound as well, by itself.
        let bound = |loose: &str, sign: &str, from: usize| {
            let Some(first) = self.position.first() else {
                return String::new();
            };
            let once: Vec<String> = (0..width)
                .map(|nth| format!("(SELECT {})", value(nth, from + nth)))
                .collect();
            format!(
                " AND t.{} {loose} {} AND ({}) {sign} ({})",
                first.quoted(),
                value(0, from),
                columns(&self.position, "t"),
                once.join(", ")
            )
        };
        Bounded {
            head: format!("{head} WHERE {}", self.conditions),
            after: bound(">=", ">", 1),
            until: bound("<=", "<=", width + 1),
            tail,
        }
    }
}

pub(super) fn ranges(
    judge: &Judge<'_>,
    class: &Class,
    dispose: &Dispose,
    table: &Table,
    claim: &str,
) -> Vec<Range> {
    let Some(cutoff) = dispose.cutoff(judge.today) else {
        return Vec::new();
    };
    if let Trigger::Fixed(date) = dispose.trigger {
        if judge.past(class, dispose, "t") != "TRUE" {
            return Vec::new();
        }
        return vec![Range {
            position: table.key.clone(),
            conditions: format!("({claim})"),
            days: format!("(DATE '{date}' - DATE '1970-01-01')"),
            day_as: DayAs::Number,
            date: format!("DATE '{date}'"),
        }];
    }
    judge
        .readings(dispose, "t")
        .into_iter()
        .map(|(guard, column)| {
            let day = judge.day(table, &column, dispose.trigger_zone, "t");
            let (days, day_as) = match table.column(&column).map(|c| c.sort) {
                // The cast takes a domain off.
                Some(Sort::TimestampTz) => (
                    format!("t.{}::timestamptz", column.quoted()),
                    DayAs::Instant,
                ),
                _ => (format!("({day} - DATE '1970-01-01')"), DayAs::Number),
            };
            // Along the trigger where an index leads there; else along the key, which
            // reads the table once a pass instead of once a batch.
            let mut position = table.key.clone();
            if table.is_indexed_by(&[&column]) {
                position.retain(|name| name != &column);
                position.insert(0, column.clone());
            }
            Range {
                position,
                conditions: format!(
                    "{} AND ({guard}) AND ({claim})",
                    judge.between(table, dispose, &column, cutoff.date(), "t")
                ),
                days,
                day_as,
                date: day,
            }
        })
        .collect()
}

pub(super) fn direct(
    judge: &Judge<'_>,
    class: &Class,
    dispose: &Dispose,
    table: &Table,
    key: &Key,
    range: &Range,
    protect: &str,
) -> Bounded {
    let next = 2 * range.position.len() + 1;
    let answer = format!("{}, {}", key.returned("t"), range.days);
    match &dispose.disposal {
        Disposal::Delete => range.bounded(
            table,
            format!("DELETE FROM {} AS t", table.name.quoted()),
            format!(" AND {protect} RETURNING {answer}"),
        ),
        Disposal::Anonymise(_) => range.bounded(
            table,
            format!(
                "UPDATE {} AS t SET {}",
                table.name.quoted(),
                assignments(judge, dispose, table, (next, next + 1))
            ),
            format!(" AND {protect} RETURNING {answer}"),
        ),
        Disposal::Flag => {
            let keys: Vec<String> = key
                .columns
                .iter()
                .enumerate()
                .map(|(nth, c)| {
                    format!(
                        "flag.key[{}]{}",
                        nth + 1,
                        if c.integer { "::int8" } else { "" }
                    )
                })
                .collect();
            range.bounded(
                table,
                format!(
                    "INSERT INTO retentiond.flag AS flag \
                     (class_id, table_name, key, trigger_on, last_day, class_digest, flagged_at, run_id) \
                     SELECT {}, {}, {}, {}, {}, '\\x{}'::bytea, ${next}::timestamptz, ${}::bigint FROM {} AS t",
                    literal(class.id().as_str()),
                    literal(&table.name.to_string()),
                    key_array(table, "t"),
                    range.date,
                    judge.last_day(class, dispose, "t"),
                    hex::encode(class.digest()),
                    next + 1,
                    table.name.quoted(),
                ),
                format!(
                    " AND {protect} ON CONFLICT (class_id, key) DO UPDATE SET \
                     trigger_on = excluded.trigger_on, last_day = excluded.last_day, \
                     class_digest = excluded.class_digest, flagged_at = excluded.flagged_at, \
                     run_id = excluded.run_id RETURNING {}, flag.trigger_on - DATE '1970-01-01'",
                    keys.join(", ")
                ),
            )
        }
    }
}

pub(super) fn assignments(
    judge: &Judge<'_>,
    dispose: &Dispose,
    table: &Table,
    pads: (usize, usize),
) -> String {
    let Disposal::Anonymise(columns) = &dispose.disposal else {
        return String::new();
    };
    let zone = judge.schedule.time_zone();
    let mut written: Vec<(&Ident, String)> = Vec::new();
    for c in columns {
        if written.iter().any(|(name, _)| *name == &c.column) {
            continue;
        }
        let sort = table
            .column(&c.column)
            .map_or(Sort::Other, |column| column.sort);
        let bare = format!("t.{}", c.column.quoted());
        let paths: Vec<&[String]> = columns
            .iter()
            .filter(|other| other.column == c.column)
            .map(|other| &other.path[..])
            .collect();
        let expression = anonymised(c.strategy, &bare, sort, &paths, zone, pads);
        written.push((&c.column, expression));
    }
    written
        .into_iter()
        .map(|(name, expression)| format!("{} = {expression}", name.quoted()))
        .collect::<Vec<_>>()
        .join(", ")
}
