//! The ranges of a class's records, and the statements that walk along them: where the
//! next batch ends, and what is done to it where nothing hangs on the records.

use serde::Serialize;

use super::anonymise::anonymised;
use super::judge::{Judge, all, key_array, negated};
use super::key::Key;
use super::related::{Dated, leads};
use super::relations::is_led_to;
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
    /// What the last day of its records is.
    #[serde(skip_serializing_if = "LastDayAs::is_reckoned")]
    pub last_day: LastDayAs,
}

/// The last day of a range's records. Those that are past for another reason than their trigger
/// may have none of either, and every pass walks them from the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum LastDayAs {
    /// It follows from the trigger.
    Reckoned,
    /// There is none: they are past at once.
    None,
    /// `act` answers it after the trigger's day, `integer`, in days since 1970: they are erased at
    /// a person's request.
    Answered,
}

impl LastDayAs {
    /// Whether it follows from the trigger.
    #[must_use]
    pub fn is_reckoned(&self) -> bool {
        *self == Self::Reckoned
    }
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

/// One value of a position.
pub(super) struct Place {
    /// `t` for the record, `p` for the related row that its trigger stands in.
    alias: &'static str,
    pub column: Ident,
    type_name: String,
}

impl Place {
    fn of(table: &Table, alias: &'static str, column: &Ident) -> Self {
        let found = table.column(column);
        Self {
            alias,
            column: column.clone(),
            type_name: found.map_or("text", |c| c.type_name.as_str()).to_owned(),
        }
    }

    pub fn bare(&self) -> String {
        format!("{}.{}", self.alias, self.column.quoted())
    }

    pub fn is_of_record(&self) -> bool {
        self.alias == "t"
    }
}

/// One way of reading the trigger, as a range of the table.
pub(super) struct Range {
    /// The items of a FROM clause: the records as `t`, and `p` where the trigger stands in a
    /// related row.
    pub from: String,
    /// What a position is made of.
    pub position: Vec<Place>,
    /// The conditions that make the range, claim included.
    pub conditions: String,
    /// The trigger's day, as SQL, and what that is.
    pub days: String,
    /// See [`DayAs`].
    pub day_as: DayAs,
    /// The trigger's day as a date, as SQL.
    pub date: String,
    /// See [`Scan::last_day`].
    pub last_day: LastDayAs,
}

impl Range {
    /// The position's values, which are also its order.
    pub fn order(&self) -> String {
        let places: Vec<String> = self.position.iter().map(Place::bare).collect();
        places.join(", ")
    }

    pub fn bounded(&self, head: String, tail: String) -> Bounded {
        let width = self.position.len();
        let value = |nth: usize, number: usize| {
            let cast = self.position.get(nth);
            let cast = cast.map_or("text", |place| place.type_name.as_str());
            format!("${number}::text::{cast}")
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
                " AND {} {loose} {} AND ({}) {sign} ({})",
                first.bare(),
                value(0, from),
                self.order(),
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
    let by_itself = match &judge.erased(class, "t")[..] {
        "FALSE" => claim.to_owned(),
        erased => format!("{claim} AND NOT ({erased})"),
    };
    let mut ranges = by_trigger(judge, class, dispose, table, &by_itself);
    ranges.extend(at_once(judge, class, dispose, table, claim));
    ranges.extend(erased(judge, class, dispose, table, claim));
    ranges
}

/// The records that a person's request erases, in whichever other range they would be.
fn erased(
    judge: &Judge<'_>,
    class: &Class,
    dispose: &Dispose,
    table: &Table,
    claim: &str,
) -> Option<Range> {
    let erased = judge.erased(class, "t");
    let is_last = class
        .dispose()
        .is_some_and(|own| own.period == dispose.period);
    if erased == "FALSE" || !is_last {
        return None;
    }
    let conditions = all(vec![erased, claim.to_owned()]);
    let last_day = LastDayAs::Answered;
    Some(regardless(
        judge, class, dispose, table, conditions, last_day,
    ))
}

/// The records that are past whatever their trigger, and are not past by it. Walked along the
/// key, and in every pass from the beginning: whenever consent was withdrawn, it is seen.
fn at_once(
    judge: &Judge<'_>,
    class: &Class,
    dispose: &Dispose,
    table: &Table,
    claim: &str,
) -> Option<Range> {
    // As it was written, so that an index on it serves.
    let or_when = dispose.or_when.as_ref()?.sql("t");
    let conditions = all(vec![
        format!("({or_when})"),
        format!(
            "({}) IS NOT TRUE",
            judge.past_by_trigger(class, dispose, "t")
        ),
        negated(&judge.erased(class, "t")),
        claim.to_owned(),
    ]);
    let last_day = LastDayAs::None;
    Some(regardless(
        judge, class, dispose, table, conditions, last_day,
    ))
}

fn regardless(
    judge: &Judge<'_>,
    class: &Class,
    dispose: &Dispose,
    table: &Table,
    conditions: String,
    last_day: LastDayAs,
) -> Range {
    // Nothing is counted from it, so it may be anything; only a day can be written down.
    let date = judge.trigger_date(class, dispose, "t");
    let date = format!("CASE WHEN isfinite({date}) THEN {date} END");
    let mut days = format!("({date} - DATE '1970-01-01')");
    if last_day == LastDayAs::Answered {
        days.push_str(&format!(
            ", ({} - DATE '1970-01-01')",
            judge.erased_last_day(class, "t")
        ));
    }
    Range {
        from: format!("{} AS t", table.name.quoted()),
        position: along_key(table),
        conditions,
        days,
        day_as: DayAs::Number,
        date,
        last_day,
    }
}

fn by_trigger(
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
        if judge.past_by_trigger(class, dispose, "t") != "TRUE" {
            return Vec::new();
        }
        return vec![Range {
            from: format!("{} AS t", table.name.quoted()),
            position: along_key(table),
            conditions: format!("({claim})"),
            days: format!("(DATE '{date}' - DATE '1970-01-01')"),
            day_as: DayAs::Number,
            date: format!("DATE '{date}'"),
            last_day: LastDayAs::Reckoned,
        }];
    }
    judge
        .readings(class, dispose, "t")
        .into_iter()
        .map(|reading| {
            // Along the trigger where an index leads there; else along the key, which
            // reads the table once a pass instead of once a batch.
            let mut position = along_key(table);
            let mut from = format!("{} AS t", table.name.quoted());
            let (mut dated, mut guard) = (reading.dated, reading.guard);
            let found = reading.related.as_ref().and_then(|related| {
                let link = leads(class.table(), related, judge.catalog).ok()?;
                Some((judge.catalog.table(related)?, link))
            });
            if let Some((related, link)) = found {
                dated = Dated::own(related, &reading.column, "p");
                guard = reading.joined_guard;
                from.push_str(&format!(
                    " JOIN {} AS p ON {}",
                    related.name.quoted(),
                    link.holds("t", "p")
                ));
                // From the related row to its records an index must lead as well.
                if related.is_indexed_by(&[&reading.column]) && is_led_to(table, &link) {
                    let mut key = link.to_columns.clone();
                    key.retain(|name| name != &reading.column);
                    key.insert(0, reading.column.clone());
                    let above = key.iter().map(|name| Place::of(related, "p", name));
                    position = above.chain(position).collect();
                }
            } else if table.is_indexed_by(&[&reading.column]) {
                position.retain(|place| place.column != reading.column);
                position.insert(0, Place::of(table, "t", &reading.column));
            }
            let day = judge.day(&dated, dispose.trigger_zone);
            let (days, day_as) = match dated.sort {
                // The cast takes a domain off.
                Some(Sort::TimestampTz) => (format!("{}::timestamptz", dated.bare), DayAs::Instant),
                _ => (format!("({day} - DATE '1970-01-01')"), DayAs::Number),
            };
            Range {
                from,
                position,
                conditions: format!(
                    "{} AND ({guard}) AND ({claim})",
                    judge.between(dispose, &dated, cutoff.date()),
                ),
                days,
                day_as,
                date: day,
                last_day: LastDayAs::Reckoned,
            }
        })
        .collect()
}

fn along_key(table: &Table) -> Vec<Place> {
    let key = table.key.iter();
    key.map(|column| Place::of(table, "t", column)).collect()
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
            format!("DELETE FROM {} AS t", table.name.quoted()),
            format!(" AND {protect} RETURNING {answer}"),
        ),
        Disposal::Anonymise(_) => range.bounded(
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
                format!(
                    "INSERT INTO retentiond.flag AS flag \
                     (class_id, table_name, key, trigger_on, last_day, class_digest, flagged_at, run_id) \
                     SELECT {}, {}, {}, {}, {}, '\\x{}'::bytea, ${next}::timestamptz, ${}::bigint FROM {}",
                    literal(class.id().as_str()),
                    literal(&table.name.to_string()),
                    key_array(table, "t"),
                    range.date,
                    judge.last_day(class, dispose, "t"),
                    hex::encode(class.digest()),
                    next + 1,
                    range.from,
                ),
                format!(
                    " AND {protect} ON CONFLICT (class_id, key) DO UPDATE SET \
                     trigger_on = excluded.trigger_on, last_day = excluded.last_day, \
                     class_digest = excluded.class_digest, flagged_at = excluded.flagged_at, \
                     run_id = excluded.run_id RETURNING {}, flag.trigger_on - DATE '1970-01-01'{}",
                    keys.join(", "),
                    if range.last_day == LastDayAs::Answered {
                        ", flag.last_day - DATE '1970-01-01'"
                    } else {
                        ""
                    }
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
