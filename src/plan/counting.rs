//! Counting time, as SQL over one row: which date a period is counted from, whether it is
//! past, what its last day is, and why there is none.
//!
//! A day is a civil day in the schedule's zone. Columns are compared as they stand with
//! the first instant of a day, so that an index on a trigger serves.

use chrono::{Days, NaiveDate};
use chrono_tz::Tz;

use super::judge::{Judge, all, any, negated};
use super::related::Dated;
use crate::catalog::Sort;
use crate::ident::{Ident, TableName, literal};
use crate::schedule::{self, Class, Condition, Dispose, Trigger};

/// Past this date a trigger is not reckoned with: `date + interval` could overflow.
const FAR: &str = "4000-01-01";

/// One way of reading a class's trigger.
pub(super) struct Reading {
    /// What must be TRUE for it to be the first that counts.
    pub guard: String,
    /// The same where the related row that it stands in is joined as `p`.
    pub joined_guard: String,
    /// Its value.
    pub dated: Dated,
    /// The column.
    pub column: Ident,
    /// The table that it is a column of, where that is not the class's own.
    pub related: Option<TableName>,
}

impl Judge<'_> {
    /// The trigger's ways of being read over the row `a`. A fixed date has none.
    pub fn readings(&self, class: &Class, dispose: &Dispose, a: &str) -> Vec<Reading> {
        let Trigger::Columns(columns) = &dispose.trigger else {
            return Vec::new();
        };
        let mut earlier: Vec<String> = Vec::new();
        let mut readings = Vec::new();
        for source in columns {
            let Some(dated) = self.dated(class, source, a) else {
                continue;
            };
            let own = present(&dated.bare, source.when.as_ref(), a);
            let after = |own: &str| {
                let mut guard = vec![own.to_owned()];
                guard.extend(earlier.iter().map(|e| format!("NOT ({e})")));
                guard.join(" AND ")
            };
            let joined = format!("p.{}", source.column.quoted());
            readings.push(Reading {
                guard: after(&own),
                joined_guard: after(&present(&joined, source.when.as_ref(), a)),
                dated,
                column: source.column.clone(),
                related: source.related.clone(),
            });
            earlier.push(own);
        }
        readings
    }

    /// A column's civil date in the schedule's zone, as SQL. A timestamp without a zone is
    /// read in `zone`, or stands for itself.
    pub fn day(&self, dated: &Dated, zone: Option<Tz>) -> String {
        let bare = &dated.bare;
        let ours = literal(self.zone().name());
        match dated.sort {
            Some(Sort::TimestampTz) => format!("({bare} AT TIME ZONE {ours})::date"),
            Some(Sort::Timestamp) => match self.foreign(zone) {
                Some(zone) => {
                    let zone = literal(zone.name());
                    format!("({bare} AT TIME ZONE {zone} AT TIME ZONE {ours})::date")
                }
                None => format!("{bare}::date"),
            },
            _ => bare.clone(),
        }
    }

    /// The zone in which timestamps without one are read, where it is not the schedule's.
    fn foreign(&self, zone: Option<Tz>) -> Option<Tz> {
        zone.filter(|zone| *zone != self.zone())
    }

    /// A column's civil date is this day or later.
    fn since_day(&self, dated: &Dated, zone: Option<Tz>, day: NaiveDate) -> String {
        self.beside(dated, zone, day, true)
    }

    /// A column's civil date is before this day.
    fn before_day(&self, dated: &Dated, zone: Option<Tz>, day: NaiveDate) -> String {
        self.beside(dated, zone, day, false)
    }

    /// The bare column beside the first instant of a day, in the column's own type, so that
    /// an index serves. A civil date is before the day exactly if the column is.
    fn beside(&self, dated: &Dated, zone: Option<Tz>, day: NaiveDate, later: bool) -> String {
        let bare = &dated.bare;
        let sign = if later { ">=" } else { "<" };
        let midnight = || {
            schedule::zone::midnight(day, self.zone()).map_or_else(
                || format!("{day} 00:00:00+00"),
                |instant| instant.format("%Y-%m-%d %H:%M:%S+00").to_string(),
            )
        };
        match dated.sort {
            Some(Sort::TimestampTz) => {
                format!("{bare} {sign} TIMESTAMPTZ {}", literal(&midnight()))
            }
            Some(Sort::Timestamp) => match self.foreign(zone) {
                // A zone with summer time reads two civil times as one instant, so that
                // only the instant is compared exactly. No zone is two days from another:
                // the bare column, for the index, by so much more.
                Some(zone) => {
                    let wide = if later {
                        day.checked_sub_days(Days::new(2))
                    } else {
                        day.checked_add_days(Days::new(2))
                    };
                    format!(
                        "{bare} {sign} TIMESTAMP '{} 00:00:00' AND {bare} AT TIME ZONE {} {sign} TIMESTAMPTZ {}",
                        wide.unwrap_or(day),
                        literal(zone.name()),
                        literal(&midnight())
                    )
                }
                None => format!("{bare} {sign} TIMESTAMP '{day} 00:00:00'"),
            },
            _ => format!("{bare} {sign} DATE '{day}'"),
        }
    }

    /// The part of a reading that an index serves: plausible, and before a cutoff.
    pub fn between(&self, dispose: &Dispose, dated: &Dated, cutoff: NaiveDate) -> String {
        let zone = dispose.trigger_zone;
        format!(
            "{} AND {}",
            self.since_day(dated, zone, dispose.plausible_from),
            self.before_day(dated, zone, cutoff)
        )
    }

    /// The class's trigger is plausible and before its cutoff of `on`: that of its first
    /// step, where it has stages.
    fn past_on(&self, class: &Class, dispose: &Dispose, on: NaiveDate, a: &str) -> String {
        let dispose = &dispose.first_step();
        let Some(cutoff) = dispose.cutoff(on) else {
            return "FALSE".to_owned();
        };
        if let Trigger::Fixed(date) = dispose.trigger {
            let past = date >= dispose.plausible_from && date < cutoff.date();
            return if past { "TRUE" } else { "FALSE" }.to_owned();
        }
        any(self
            .readings(class, dispose, a)
            .iter()
            .map(|Reading { guard, dated, .. }| {
                format!(
                    "{guard} AND {}",
                    self.between(dispose, dated, cutoff.date())
                )
            })
            .collect())
    }

    /// The class's trigger is before its cutoff today. For one of [`Dispose::steps_on`]
    /// this is whether the record belongs to that step.
    pub fn past(&self, class: &Class, dispose: &Dispose, a: &str) -> String {
        let by_trigger = self.past_by_trigger(class, dispose, a);
        let is_last = class
            .dispose()
            .is_none_or(|own| own.period == dispose.period);
        if is_last {
            return match &self.regardless(class, dispose, a)[..] {
                "FALSE" => by_trigger,
                regardless => any(vec![by_trigger, regardless.to_owned()]),
            };
        }
        // What is erased by right goes by the last step at once.
        all(vec![by_trigger, negated(&self.erased(class, a))])
    }

    /// The record is past whatever its trigger.
    pub fn regardless(&self, class: &Class, dispose: &Dispose, a: &str) -> String {
        any(vec![self.at_once(dispose, a), self.erased(class, a)])
    }

    /// The same by its trigger alone.
    pub fn past_by_trigger(&self, class: &Class, dispose: &Dispose, a: &str) -> String {
        self.past_on(class, dispose, self.today, a)
    }

    /// The record is past whatever its trigger, as where consent was withdrawn. It has no last
    /// day then, nor has it been late since any day.
    pub fn at_once(&self, dispose: &Dispose, a: &str) -> String {
        dispose.or_when.as_ref().map_or_else(
            || "FALSE".to_owned(),
            |or_when| format!("({}) IS TRUE", or_when.sql(a)),
        )
    }

    /// The class's last day for the row where another's is compared with it: one that is past
    /// at once counts as the earliest.
    pub fn rank(&self, class: &Class, dispose: &Dispose, a: &str) -> String {
        let last_day = self.last_day_by_trigger(class, dispose, a);
        let last_day = match &self.at_once(dispose, a)[..] {
            "FALSE" => last_day,
            at_once => format!("CASE WHEN {at_once} THEN DATE '-infinity' ELSE {last_day} END"),
        };
        self.or_erased(class, last_day, a)
    }

    /// This last day, or that of a request to erase the record, if there is one.
    fn or_erased(&self, class: &Class, last_day: String, a: &str) -> String {
        match &self.erased(class, a)[..] {
            "FALSE" => last_day,
            erased => format!(
                "CASE WHEN {erased} THEN {} ELSE {last_day} END",
                self.erased_last_day(class, a)
            ),
        }
    }

    /// It was so yesterday already, or as many days earlier as the class tolerates: if it is
    /// still there, it is late.
    pub fn overdue(&self, class: &Class, dispose: &Dispose, a: &str) -> String {
        let days = Days::new(1 + u64::from(dispose.tolerance));
        let Some(earlier) = self.today.checked_sub_days(days) else {
            return "FALSE".to_owned();
        };
        let steps = dispose.steps_on(self.today);
        let mut late: Vec<String> = steps
            .iter()
            .map(|step| self.past_on(class, step, earlier, a))
            .collect();
        // A request for erasure makes no old debt young.
        let erased = self.erased(class, a);
        if erased != "FALSE" {
            late.push(format!(
                "({erased} AND {} < DATE '{earlier}')",
                self.erased_last_day(class, a)
            ));
        }
        any(late)
    }

    /// What `answer` says of the step that the row belongs to today; FALSE for a row that is
    /// not past. Without stages it is asked alone, and the row's being past is not.
    pub fn by_step(
        &self,
        class: &Class,
        dispose: &Dispose,
        a: &str,
        answer: impl Fn(&Dispose) -> String,
    ) -> String {
        if dispose.stages.is_empty() {
            return answer(dispose);
        }
        let steps = dispose.steps_on(self.today);
        any(steps
            .iter()
            .map(|step| all(vec![self.past(class, step, a), answer(step)]))
            .collect())
    }

    /// The last day that is to be shown for the row: that of the step it belongs to, or of
    /// the next where that step is done already.
    pub fn next_last_day(&self, class: &Class, dispose: &Dispose, a: &str) -> String {
        let (steps, today) = (dispose.steps(), dispose.steps_on(self.today));
        let Some((first, later)) = steps.split_first() else {
            return "NULL::date".to_owned();
        };
        if later.is_empty() {
            return self.last_day(class, first, a);
        }
        let cases: String = today
            .iter()
            .zip(&steps)
            .zip(later.iter().map(Some).chain([None]))
            .map(|((window, step), next)| {
                let own = self.last_day(class, step, a);
                let shown = next.map_or(own.clone(), |next| {
                    format!(
                        "CASE WHEN {} THEN {} ELSE {own} END",
                        self.done(class, step, a),
                        self.last_day(class, next, a)
                    )
                });
                format!(" WHEN {} THEN {shown}", self.past(class, window, a))
            })
            .collect();
        format!("CASE{cases} ELSE {} END", self.last_day(class, first, a))
    }

    /// The last day of the step that a past row belongs to.
    pub fn last_day_now(&self, class: &Class, dispose: &Dispose, a: &str) -> String {
        if dispose.stages.is_empty() {
            return self.last_day(class, dispose, a);
        }
        let cases: String = dispose
            .steps_on(self.today)
            .iter()
            .map(|step| {
                format!(
                    " WHEN {} THEN {}",
                    self.past(class, step, a),
                    self.last_day(class, step, a)
                )
            })
            .collect();
        format!("CASE{cases} END")
    }

    /// The last day from which a late record has been late: that of its step, or of a person's
    /// request, whichever is earlier.
    pub fn past_since(&self, class: &Class, dispose: &Dispose, a: &str) -> String {
        let erased = self.erased(class, a);
        if erased == "FALSE" {
            // Also of what is past at once: it was late by its trigger before.
            return match dispose.stages.is_empty() {
                true => self.last_day_by_trigger(class, dispose, a),
                false => self.last_day_now(class, dispose, a),
            };
        }
        let asked = format!(
            "CASE WHEN {erased} THEN {} END",
            self.erased_last_day(class, a)
        );
        let first = dispose.first_step();
        let by_trigger = format!(
            "CASE WHEN {} THEN {} END",
            self.past_by_trigger(class, &first, a),
            self.last_day_by_trigger(class, &first, a)
        );
        let step = match dispose.stages.is_empty() {
            true => by_trigger,
            // Which of its stages an erased record was past for nobody asks any more.
            false => format!(
                "CASE WHEN {erased} THEN {by_trigger} ELSE {} END",
                self.last_day_now(class, dispose, a)
            ),
        };
        format!("least({asked}, {step})")
    }

    /// The class lets a disposal of this severity happen to the row: it is past, or it is
    /// past for a stage that is as severe.
    pub fn permits(&self, class: &Class, dispose: &Dispose, severity: u8, a: &str) -> String {
        let steps = dispose.steps();
        let last = steps.len().saturating_sub(1);
        let mildest = steps
            .iter()
            .enumerate()
            .find(|(nth, step)| *nth == last || step.disposal.severity() >= severity);
        match mildest {
            Some((_, step)) => match &self.erased(class, a)[..] {
                "FALSE" => self.past(class, step, a),
                erased => any(vec![self.past(class, step, a), erased.to_owned()]),
            },
            None => "FALSE".to_owned(),
        }
    }

    /// The class's last day for the row; NULL without a plausible trigger or where it is past
    /// at once, `infinity` where the trigger lies beyond reckoning.
    pub fn last_day(&self, class: &Class, dispose: &Dispose, a: &str) -> String {
        let last_day = self.last_day_by_trigger(class, dispose, a);
        let last_day = match &self.at_once(dispose, a)[..] {
            "FALSE" => last_day,
            at_once => format!("CASE WHEN NOT ({at_once}) THEN {last_day} END"),
        };
        self.or_erased(class, last_day, a)
    }

    fn last_day_by_trigger(&self, class: &Class, dispose: &Dispose, a: &str) -> String {
        let interval = dispose.period.interval_sql();
        if let Trigger::Fixed(date) = dispose.trigger {
            return Some(date)
                .filter(|date| *date >= dispose.plausible_from)
                .and_then(|date| dispose.last_day(date))
                .map_or_else(|| "NULL::date".to_owned(), |day| format!("DATE '{day}'"));
        }
        let readings = self.readings(class, dispose, a);
        if readings.is_empty() {
            return "NULL::date".to_owned();
        }
        let cases: String = readings
            .iter()
            .map(|Reading { guard, dated, .. }| {
                let day = self.day(dated, dispose.trigger_zone);
                let day = dispose
                    .from_end_of
                    .map_or(day.clone(), |end_of| end_of.sql(&day));
                let bare = &dated.bare;
                let from = self.since_day(dated, dispose.trigger_zone, dispose.plausible_from);
                format!(
                    " WHEN {guard} THEN CASE WHEN {bare} >= '{FAR}' THEN DATE 'infinity' \
                     WHEN {from} THEN ({day} + {interval})::date END"
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
        self.trigger_as(class, dispose, a, "text")
    }

    /// The same as a flag and an approval have it: of what is past at once a trigger may be no
    /// day at all, and none is written down.
    pub fn trigger_told(&self, class: &Class, dispose: &Dispose, a: &str) -> String {
        let text = self.trigger_text(class, dispose, a);
        if self.may_be_regardless(class, dispose) {
            format!("nullif(nullif({text}, 'infinity'), '-infinity')")
        } else {
            text
        }
    }

    /// The trigger's civil date, NULL where none counts.
    pub fn trigger_date(&self, class: &Class, dispose: &Dispose, a: &str) -> String {
        if let Trigger::Fixed(date) = dispose.trigger {
            return format!("DATE '{date}'");
        }
        self.trigger_as(class, dispose, a, "date")
    }

    fn trigger_as(&self, class: &Class, dispose: &Dispose, a: &str, kind: &str) -> String {
        let readings = self.readings(class, dispose, a);
        if readings.is_empty() {
            return format!("NULL::{kind}");
        }
        let cases: String = readings
            .iter()
            .map(|Reading { guard, dated, .. }| {
                let day = self.day(dated, dispose.trigger_zone);
                format!(" WHEN {guard} THEN {day}::{kind}")
            })
            .collect();
        format!("CASE{cases} END")
    }

    /// Somebody has worked with the row since the trigger's day. What is past at once counts
    /// as untouched.
    pub fn touched(&self, class: &Class, dispose: &Dispose, a: &str) -> String {
        let Some(table) = self.catalog.table(class.table()) else {
            return "FALSE".to_owned();
        };
        let trigger = self.trigger_date(class, dispose, a);
        let touched = any(dispose
            .unless_active
            .iter()
            .map(|column| {
                let day = self.day(&Dated::own(table, column, a), dispose.trigger_zone);
                format!("({day} > {trigger}) IS TRUE")
            })
            .collect());
        all(vec![touched, negated(&self.regardless(class, dispose, a))])
    }

    /// Why a claimed row is not dated: `without`, `implausible`, `future`, or NULL where it is,
    /// or needs no date.
    pub fn undated(&self, class: &Class, dispose: &Dispose, a: &str) -> String {
        let undated = self.undated_by_trigger(class, dispose, a);
        match &self.regardless(class, dispose, a)[..] {
            "FALSE" => undated,
            regardless => format!("CASE WHEN NOT ({regardless}) THEN {undated} END"),
        }
    }

    fn undated_by_trigger(&self, class: &Class, dispose: &Dispose, a: &str) -> String {
        let Some(tomorrow) = self.today.succ_opt() else {
            return "NULL::text".to_owned();
        };
        if let Trigger::Fixed(date) = dispose.trigger {
            return if date < dispose.plausible_from {
                "'implausible'".to_owned()
            } else if date >= tomorrow {
                "'future'".to_owned()
            } else {
                "NULL::text".to_owned()
            };
        }
        let readings = self.readings(class, dispose, a);
        if readings.is_empty() {
            return "NULL::text".to_owned();
        }
        let cases: String = readings
            .iter()
            .map(|Reading { guard, dated, .. }| {
                let zone = dispose.trigger_zone;
                format!(
                    " WHEN {guard} THEN CASE WHEN {} THEN 'implausible' WHEN {} THEN 'future' END",
                    self.before_day(dated, zone, dispose.plausible_from),
                    self.since_day(dated, zone, tomorrow)
                )
            })
            .collect();
        format!("CASE{cases} ELSE 'without' END")
    }
}

fn present(bare: &str, when: Option<&Condition>, a: &str) -> String {
    let not_null = format!("{bare} IS NOT NULL");
    match when {
        None => not_null,
        Some(when) => format!("({not_null} AND ({}) IS TRUE)", when.sql(a)),
    }
}
