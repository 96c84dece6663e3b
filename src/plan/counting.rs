//! Counting time, as SQL over one row: which date a period is counted from, whether it is
//! past, what its last day is, and why there is none.
//!
//! A day is a civil day in the schedule's zone. Columns are compared as they stand with
//! the first instant of a day, so that an index on a trigger serves.

use chrono::{Days, NaiveDate};

use super::judge::{Judge, any};
use crate::catalog::{Sort, Table};
use crate::ident::{Ident, literal};
use crate::schedule::{self, Class, Condition, Dispose, Trigger};

/// Past this date a trigger is not reckoned with: `date + interval` could overflow.
const FAR: &str = "4000-01-01";

impl Judge<'_> {
    /// The trigger's ways of being read: for each, what must be TRUE for it to be the
    /// first that counts, and its column. A fixed date has none.
    pub fn readings(&self, dispose: &Dispose, a: &str) -> Vec<(String, Ident)> {
        let Trigger::Columns(columns) = &dispose.trigger else {
            return Vec::new();
        };
        let mut earlier: Vec<String> = Vec::new();
        let mut readings = Vec::new();
        for source in columns {
            let own = present(&source.column, source.when.as_ref(), a);
            let mut guard = vec![own.clone()];
            guard.extend(earlier.iter().map(|e| format!("NOT ({e})")));
            readings.push((guard.join(" AND "), source.column.clone()));
            earlier.push(own);
        }
        readings
    }

    /// A trigger column's civil date in the schedule's zone, as SQL.
    pub fn day(&self, table: &Table, column: &Ident, a: &str) -> String {
        let bare = format!("{a}.{}", column.quoted());
        match table.column(column).map(|c| c.sort) {
            Some(Sort::TimestampTz) => {
                format!(
                    "({bare} AT TIME ZONE {})::date",
                    literal(self.zone().name())
                )
            }
            Some(Sort::Timestamp) => format!("{bare}::date"),
            _ => bare,
        }
    }

    /// The first instant or date of a civil day, in the type of a trigger column.
    pub fn start_of(&self, table: &Table, column: &Ident, day: NaiveDate) -> String {
        match table.column(column).map(|c| c.sort) {
            Some(Sort::TimestampTz) => {
                let instant = schedule::zone::midnight(day, self.zone()).map_or_else(
                    || format!("{day} 00:00:00+00"),
                    |i| i.format("%Y-%m-%d %H:%M:%S+00").to_string(),
                );
                format!("TIMESTAMPTZ {}", literal(&instant))
            }
            Some(Sort::Timestamp) => format!("TIMESTAMP '{day} 00:00:00'"),
            _ => format!("DATE '{day}'"),
        }
    }

    /// The part of a reading that an index serves: plausible, and before a cutoff.
    pub fn between(&self, table: &Table, column: &Ident, cutoff: NaiveDate, a: &str) -> String {
        let bare = format!("{a}.{}", column.quoted());
        format!(
            "{bare} >= {} AND {bare} < {}",
            self.start_of(table, column, schedule::PLAUSIBLE_FROM),
            self.start_of(table, column, cutoff)
        )
    }

    /// The class's trigger is plausible and before its cutoff of `on`.
    fn past_on(&self, class: &Class, dispose: &Dispose, on: NaiveDate, a: &str) -> String {
        let Some(cutoff) = dispose.cutoff(on) else {
            return "FALSE".to_owned();
        };
        if let Trigger::Fixed(date) = dispose.trigger {
            let past = date >= schedule::PLAUSIBLE_FROM && date < cutoff.date();
            return if past { "TRUE" } else { "FALSE" }.to_owned();
        }
        let Some(table) = self.catalog.table(class.table()) else {
            return "FALSE".to_owned();
        };
        any(self
            .readings(dispose, a)
            .iter()
            .map(|(guard, column)| {
                format!(
                    "{guard} AND {}",
                    self.between(table, column, cutoff.date(), a)
                )
            })
            .collect())
    }

    /// The class's trigger is before its cutoff today.
    pub fn past(&self, class: &Class, dispose: &Dispose, a: &str) -> String {
        self.past_on(class, dispose, self.today, a)
    }

    /// It was so yesterday already (no class has a tolerance yet): if it is still there, it is late.
    pub fn past_yesterday(&self, class: &Class, dispose: &Dispose, a: &str) -> String {
        match self.today.checked_sub_days(Days::new(1)) {
            Some(yesterday) => self.past_on(class, dispose, yesterday, a),
            None => "FALSE".to_owned(),
        }
    }

    /// The class's last day for the row; NULL without a plausible trigger, `infinity` where
    /// the trigger lies beyond reckoning.
    pub fn last_day(&self, class: &Class, dispose: &Dispose, a: &str) -> String {
        let interval = dispose.period.interval_sql();
        if let Trigger::Fixed(date) = dispose.trigger {
            return Some(date)
                .filter(|date| *date >= schedule::PLAUSIBLE_FROM)
                .and_then(|date| dispose.last_day(date))
                .map_or_else(|| "NULL::date".to_owned(), |day| format!("DATE '{day}'"));
        }
        let Some(table) = self.catalog.table(class.table()) else {
            return "NULL::date".to_owned();
        };
        let cases: String = self
            .readings(dispose, a)
            .iter()
            .map(|(guard, column)| {
                let day = self.day(table, column, a);
                let bare = format!("{a}.{}", column.quoted());
                let from = self.start_of(table, column, schedule::PLAUSIBLE_FROM);
                format!(
                    " WHEN {guard} THEN CASE WHEN {bare} >= '{FAR}' THEN DATE 'infinity' \
                     WHEN {bare} >= {from} THEN ({day} + {interval})::date END"
                )
            })
            .collect();
        format!("CASE{cases} END")
    }

    /// The trigger's civil date as text, NULL where none counts.
    pub fn trigger_text(&self, class: &Class, dispose: &Dispose, a: &str) -> String {
        if let Trigger::Fixed(date) = dispose.trigger {
            return format!("'{date}'");
        }
        let Some(table) = self.catalog.table(class.table()) else {
            return "NULL::text".to_owned();
        };
        let cases: String = self
            .readings(dispose, a)
            .iter()
            .map(|(guard, column)| {
                format!(" WHEN {guard} THEN {}::text", self.day(table, column, a))
            })
            .collect();
        format!("CASE{cases} END")
    }

    /// Why a claimed row is not dated: `without`, `implausible`, `future`, or NULL where it is.
    pub fn undated(&self, class: &Class, dispose: &Dispose, a: &str) -> String {
        let Some(tomorrow) = self.today.succ_opt() else {
            return "NULL::text".to_owned();
        };
        if let Trigger::Fixed(date) = dispose.trigger {
            return if date < schedule::PLAUSIBLE_FROM {
                "'implausible'".to_owned()
            } else if date >= tomorrow {
                "'future'".to_owned()
            } else {
                "NULL::text".to_owned()
            };
        }
        let Some(table) = self.catalog.table(class.table()) else {
            return "NULL::text".to_owned();
        };
        let cases: String = self
            .readings(dispose, a)
            .iter()
            .map(|(guard, column)| {
                let bare = format!("{a}.{}", column.quoted());
                format!(
                    " WHEN {guard} THEN CASE WHEN {bare} < {} THEN 'implausible' WHEN {bare} >= {} THEN 'future' END",
                    self.start_of(table, column, schedule::PLAUSIBLE_FROM),
                    self.start_of(table, column, tomorrow)
                )
            })
            .collect();
        format!("CASE{cases} ELSE 'without' END")
    }
}

fn present(column: &Ident, when: Option<&Condition>, a: &str) -> String {
    let not_null = format!("{a}.{} IS NOT NULL", column.quoted());
    match when {
        None => not_null,
        Some(when) => format!("({not_null} AND ({}) IS TRUE)", when.sql(a)),
    }
}
