//! When passes start: a cron expression on civil time in the schedule's zone.
//!
//! The `cron` crate walks the calendar, but is handed nothing that it would read
//! otherwise than the cron that people know: we read the fields ourselves, give it
//! plain lists of numbers (its Sunday is 1), and join day-of-month and day-of-week
//! by *or*, as Vixie's cron does. It works on civil times as if they were UTC; the
//! change of clocks is ours: a time in the spring gap fires when the gap ends, a
//! time in the doubled hour of autumn fires once, the first time.

use std::collections::BTreeSet;
use std::str::FromStr;

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use chrono_tz::Tz;

use super::zone;

/// Civil times that had their turn before `after` (the doubled hour, second for
/// second, and a day that a zone skipped) are passed over; never more than this.
const MOST_SKIPPED: usize = 100_000;

/// When passes start.
#[derive(Debug, Clone)]
pub struct Timetable {
    text: String,
    canonical: String,
    /// One, or two of which either may fire.
    schedules: Vec<cron::Schedule>,
    days: Days,
}

/// On which days it starts: every start has some time of its day.
#[derive(Debug, Clone)]
struct Days {
    days: BTreeSet<u32>,
    months: BTreeSet<u32>,
    weekdays: BTreeSet<u32>,
    /// Whether a day of the month or of the week is enough.
    either: bool,
}

impl PartialEq for Timetable {
    /// Two that fire at the same times by the same fields.
    fn eq(&self, other: &Self) -> bool {
        self.canonical == other.canonical
    }
}

/// Why a text is no timetable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TimetableError {
    message: String,
    hint: String,
}

impl TimetableError {
    fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: hint.into(),
        }
    }

    /// What to write instead.
    #[must_use]
    pub fn hint(&self) -> &str {
        &self.hint
    }
}

const FORM: &str = "write seconds, minutes, hours, day of month, month, day of week: \"0 0 2 * * *\" is 02:00 every day";

/// One of the six fields.
struct Field {
    name: &'static str,
    least: u32,
    most: u32,
    names: &'static [&'static str],
}

const SECOND: Field = Field {
    name: "seconds",
    least: 0,
    most: 59,
    names: &[],
};
const MINUTE: Field = Field {
    name: "minutes",
    least: 0,
    most: 59,
    names: &[],
};
const HOUR: Field = Field {
    name: "hours",
    least: 0,
    most: 23,
    names: &[],
};
const DAY: Field = Field {
    name: "day of month",
    least: 1,
    most: 31,
    names: &[],
};
const MONTH: Field = Field {
    name: "month",
    least: 1,
    most: 12,
    names: &[
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ],
};
/// 0 and 7 are both Sunday.
const WEEKDAY: Field = Field {
    name: "day of week",
    least: 0,
    most: 7,
    names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
};

/// The values of one field.
struct Values {
    set: BTreeSet<u32>,
    /// Written with a star, also `*/2`.
    star: bool,
    /// Every value that the field has.
    all: bool,
}

impl Timetable {
    /// Reads five fields (minutes first) or six (seconds first).
    ///
    /// Day of week counts from 0 (Sunday) to 7 (Sunday again), or by name. Where
    /// day of month and day of week are both restricted, either fires.
    ///
    /// # Errors
    /// For anything that is not plain cron, that cron programs read differently
    /// from one another, or that never fires.
    pub fn parse(text: &str) -> Result<Self, TimetableError> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let (second, rest) = match fields.as_slice() {
            [second, rest @ ..] if rest.len() == 5 => (*second, rest),
            rest if rest.len() == 5 => ("0", rest),
            _ if text.trim_start().starts_with('@') => {
                return Err(TimetableError::new(
                    "shorthands such as `@daily` are not read",
                    FORM,
                ));
            }
            other => {
                return Err(TimetableError::new(
                    format!(
                        "a timetable has 6 fields (or 5, without seconds), not {}",
                        other.len()
                    ),
                    FORM,
                ));
            }
        };
        let [minute, hour, day, month, weekday] = rest else {
            return Err(TimetableError::new("a timetable has 6 fields", FORM));
        };
        let seconds = SECOND.read(second)?;
        let minutes = MINUTE.read(minute)?;
        let hours = HOUR.read(hour)?;
        let days = DAY.read(day)?;
        let months = MONTH.read(month)?;
        let mut weekdays = WEEKDAY.read(weekday)?;
        if weekdays.set.remove(&7) {
            weekdays.set.insert(0);
        }
        weekdays.all = weekdays.set.len() == 7;

        if !days.all && !weekdays.all && (days.star || weekdays.star) {
            return Err(TimetableError::new(
                "with `*/n` in one of day of month and day of week, cron programs disagree whether both or either must fit",
                "name the days: \"1,15\" or \"mon,wed\"",
            ));
        }
        let time = format!("{} {} {}", seconds.list(0), minutes.list(0), hours.list(0));
        let month = months.list(0);
        let both = !days.all && !weekdays.all;
        let mut expressions = Vec::new();
        if !both || !days.all {
            let weekday = if both {
                "*".to_owned()
            } else {
                weekdays.list(1)
            };
            expressions.push(format!("{time} {} {month} {weekday}", days.list(0)));
        }
        if both {
            expressions.push(format!("{time} * {month} {}", weekdays.list(1)));
        }
        let schedules = expressions
            .iter()
            .map(|expression| cron::Schedule::from_str(expression))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| TimetableError::new(format!("not a timetable: {error}"), FORM))?;
        let timetable = Self {
            text: text.trim().to_owned(),
            canonical: format!("{time} {} {month} {}", days.list(0), weekdays.list(0)),
            schedules,
            days: Days {
                days: days.set,
                months: months.set,
                weekdays: weekdays.set,
                either: both,
            },
        };
        let start = NaiveDate::default()
            .and_hms_opt(0, 0, 0)
            .unwrap_or_default()
            .and_utc();
        if timetable
            .schedules
            .iter()
            .all(|schedule| schedule.after(&start).next().is_none())
        {
            return Err(TimetableError::new(
                "this timetable never comes round (a day that its months do not have?)",
                FORM,
            ));
        }
        Ok(timetable)
    }

    /// The next start strictly after an instant. `None` after the year 2100.
    #[must_use]
    pub fn next_after(&self, after: DateTime<Utc>, zone: Tz) -> Option<DateTime<Utc>> {
        // Civil time as if it were UTC, so that the walker knows no clock changes.
        let civil = after.with_timezone(&zone).naive_local().and_utc();
        self.schedules
            .iter()
            .filter_map(|schedule| {
                schedule
                    .after(&civil)
                    .take(MOST_SKIPPED)
                    .filter_map(|time| zone::first_at_or_after(time.naive_utc(), zone))
                    .find(|instant| *instant > after)
            })
            .min()
    }

    /// Whether a pass starts on this civil day. (No zone that a schedule may have skips a
    /// whole day, and a time that the clocks skip fires later on the same day.)
    #[must_use]
    pub fn starts_on(&self, day: NaiveDate) -> bool {
        let Days {
            days,
            months,
            weekdays,
            either,
        } = &self.days;
        let date = days.contains(&day.day());
        let weekday = weekdays.contains(&day.weekday().num_days_from_sunday());
        months.contains(&day.month())
            && if *either {
                date || weekday
            } else {
                date && weekday
            }
    }

    /// The same times, on every day.
    #[must_use]
    pub fn daily(&self) -> String {
        let times: Vec<&str> = self.canonical.split(' ').take(3).collect();
        format!("{} * * *", times.join(" "))
    }

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Six fields of plain numbers, Sunday 0: the same for all ways to write it.
    #[must_use]
    pub fn canonical(&self) -> &str {
        &self.canonical
    }
}

impl Field {
    fn read(&self, text: &str) -> Result<Values, TimetableError> {
        let mut set = BTreeSet::new();
        for item in text.split(',') {
            self.read_item(item, &mut set)?;
        }
        let all = set.len() as u64 == u64::from(self.most - self.least) + 1;
        Ok(Values {
            set,
            star: text.contains('*'),
            all,
        })
    }

    fn read_item(&self, item: &str, set: &mut BTreeSet<u32>) -> Result<(), TimetableError> {
        let (range, step) = match item.split_once('/') {
            None => (item, 1),
            Some((range, step)) => (range, self.step(item, step)?),
        };
        let (first, last) = if range == "*" {
            // Sunday once: 0 to 6.
            (
                self.least,
                if self.names.len() == 7 { 6 } else { self.most },
            )
        } else if let Some((first, last)) = range.split_once('-') {
            (self.value(item, first)?, self.value(item, last)?)
        } else if step == 1 && !item.contains('/') {
            let value = self.value(item, range)?;
            (value, value)
        } else {
            return Err(self.wrong(item, "a step needs a range or a star before it"));
        };
        if first > last {
            return Err(self.wrong(item, "the range runs backwards"));
        }
        set.extend((first..=last).step_by(step));
        Ok(())
    }

    fn step(&self, item: &str, step: &str) -> Result<usize, TimetableError> {
        match self.number(step) {
            Some(step) if step >= 1 && step <= self.most => {
                usize::try_from(step).map_err(|_| self.wrong(item, "the step is too long"))
            }
            _ => Err(self.wrong(item, "the step must be a number from 1")),
        }
    }

    fn value(&self, item: &str, text: &str) -> Result<u32, TimetableError> {
        let lower = text.to_ascii_lowercase();
        let named = self.names.iter().position(|name| *name == lower);
        let value = match named {
            Some(position) => u32::try_from(position).ok().map(|position| {
                // Months count from 1, days of the week from 0.
                position + self.least
            }),
            None => self.number(text),
        };
        match value {
            Some(value) if value >= self.least && value <= self.most => Ok(value),
            _ => Err(self.wrong(
                item,
                &format!("it runs from {} to {}", self.least, self.most),
            )),
        }
    }

    fn number(&self, text: &str) -> Option<u32> {
        let digits = (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        if digits { text.parse().ok() } else { None }
    }

    fn wrong(&self, item: &str, why: &str) -> TimetableError {
        TimetableError::new(
            format!("`{item}` cannot be read as {}: {why}", self.name),
            FORM,
        )
    }
}

impl Values {
    /// A star, or the numbers, each moved by `offset`.
    fn list(&self, offset: u32) -> String {
        if self.all {
            return "*".to_owned();
        }
        let numbers: Vec<String> = self.set.iter().map(|n| (n + offset).to_string()).collect();
        numbers.join(",")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use chrono::{NaiveDateTime, Timelike, Weekday};

    use super::*;

    const LONDON: Tz = Tz::Europe__London;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    /// The first starts after an instant.
    fn starts(text: &str, after: &str, count: usize) -> Vec<String> {
        let timetable = Timetable::parse(text).unwrap();
        let first = timetable.next_after(at(after), LONDON);
        std::iter::successors(first, |instant| timetable.next_after(*instant, LONDON))
            .take(count)
            .map(|instant| instant.to_rfc3339_opts(chrono::SecondsFormat::Secs, true))
            .collect()
    }

    #[test]
    fn it_fires_at_civil_time_in_winter_and_summer() {
        assert_eq!(
            starts("0 0 2 * * *", "2026-01-01T02:00:00Z", 2),
            ["2026-01-02T02:00:00Z", "2026-01-03T02:00:00Z"]
        );
        assert_eq!(
            starts("0 2 * * *", "2026-07-01T00:00:00Z", 1),
            ["2026-07-01T01:00:00Z"]
        );
    }

    #[test]
    fn a_time_in_the_spring_gap_fires_when_the_gap_ends() {
        // 29 March 2026: 01:00 GMT became 02:00 BST.
        assert_eq!(
            starts("0 30 1 * * *", "2026-03-28T12:00:00Z", 2),
            ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]
        );
        // Four times of the gap are one start.
        assert_eq!(
            starts("0 */15 1,2 * * *", "2026-03-29T00:00:00Z", 3),
            [
                "2026-03-29T01:00:00Z",
                "2026-03-29T01:15:00Z",
                "2026-03-29T01:30:00Z"
            ]
        );
    }

    #[test]
    fn a_time_in_the_doubled_hour_of_autumn_fires_once() {
        // 25 October 2026: 02:00 BST became 01:00 GMT.
        assert_eq!(
            starts("0 30 1 * * *", "2026-10-24T12:00:00Z", 2),
            ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]
        );
        assert_eq!(
            starts("0 */30 * * * *", "2026-10-25T00:30:00Z", 2),
            ["2026-10-25T02:00:00Z", "2026-10-25T02:30:00Z"]
        );
    }

    #[test]
    fn a_start_asked_for_within_the_doubled_hour_is_the_next_one() {
        assert_eq!(
            starts("0 30 1 * * *", "2026-10-25T01:10:00Z", 1),
            ["2026-10-26T01:30:00Z"]
        );
    }

    #[test]
    fn over_a_year_of_london_every_day_has_its_one_start() {
        for hour in ["0", "1", "2", "23"] {
            let timetable = Timetable::parse(&format!("0 30 {hour} * * *")).unwrap();
            let mut after = at("2025-12-31T23:59:59Z");
            for day in NaiveDate::from_ymd_opt(2026, 1, 1)
                .unwrap()
                .iter_days()
                .take(365)
            {
                after = timetable.next_after(after, LONDON).unwrap();
                assert_eq!(after.with_timezone(&LONDON).date_naive(), day, "{hour}");
            }
        }
    }

    #[test]
    fn it_agrees_with_a_walk_over_every_minute() {
        // An independent reading: every minute of two months is asked whether it fits.
        let fits = |civil: NaiveDateTime| {
            civil.minute() % 20 == 5
                && matches!(civil.hour(), 6..=8)
                && (civil.day() == 13 || civil.weekday() == Weekday::Sun)
        };
        let timetable = Timetable::parse("5-59/20 6-8 13 */1 7").unwrap();
        let (start, end) = (at("2026-04-30T23:59:59Z"), at("2026-07-01T00:00:00Z"));
        let mut expected = Vec::new();
        let mut minute = at("2026-05-01T00:00:00Z");
        while minute < end {
            if fits(minute.with_timezone(&LONDON).naive_local()) {
                expected.push(minute);
            }
            minute += chrono::Duration::minutes(1);
        }
        let first = timetable.next_after(start, LONDON);
        let found: Vec<_> =
            std::iter::successors(first, |instant| timetable.next_after(*instant, LONDON))
                .take_while(|instant| *instant < end)
                .collect();
        assert_eq!(found, expected);
        assert!(!found.is_empty());
    }

    #[test]
    fn it_starts_on_a_day_exactly_where_a_start_falls_on_it() {
        for text in [
            "0 0 2 * * *",
            "0 0 2 * * mon-fri",
            "0 30 1 1,15 * *",
            "0 30 1 13 * fri",
            "0 59 23 * 1-11 *",
            "0 0 0 31 * *",
            "0 0 0 29 2 *",
        ] {
            let timetable = Timetable::parse(text).unwrap();
            let end = at("2032-01-01T00:00:00Z");
            let mut expected = BTreeSet::new();
            let mut next = timetable.next_after(at("2023-12-31T23:59:59Z"), LONDON);
            while let Some(start) = next.filter(|start| *start < end) {
                expected.insert(start.with_timezone(&LONDON).date_naive());
                next = timetable.next_after(start, LONDON);
            }
            let found: BTreeSet<NaiveDate> = NaiveDate::from_ymd_opt(2024, 1, 1)
                .unwrap()
                .iter_days()
                .take_while(|day| day.year() < 2032)
                .filter(|day| timetable.starts_on(*day))
                .collect();
            assert_eq!(found, expected, "{text}");
            assert!(!found.is_empty(), "{text}");
        }
    }

    #[test]
    fn sunday_is_zero_seven_or_its_name() {
        // 4 January 2026 was a Sunday.
        for sunday in ["0", "7", "sun", "SUN"] {
            let text = format!("0 0 2 * * {sunday}");
            assert_eq!(
                starts(&text, "2026-01-01T00:00:00Z", 1),
                ["2026-01-04T02:00:00Z"],
                "{sunday}"
            );
        }
        assert_eq!(
            starts("0 0 2 * * 1", "2026-01-01T00:00:00Z", 1),
            ["2026-01-05T02:00:00Z"]
        );
        assert_eq!(
            Timetable::parse("0 2 * * 5-7").unwrap().canonical(),
            "0 0 2 * * 0,5,6"
        );
        assert_eq!(
            Timetable::parse("0 2 * * 0-7").unwrap().canonical(),
            "0 0 2 * * *"
        );
    }

    #[test]
    fn day_of_month_and_day_of_week_are_joined_by_or() {
        // 1 January 2026 was a Thursday, the 2nd a Friday, the 13th a Tuesday.
        assert_eq!(
            starts("0 0 2 13 * fri", "2026-01-08T00:00:00Z", 3),
            [
                "2026-01-09T02:00:00Z",
                "2026-01-13T02:00:00Z",
                "2026-01-16T02:00:00Z"
            ]
        );
    }

    #[test]
    fn two_ways_to_write_it_are_equal_and_the_text_is_kept() {
        let one = Timetable::parse(" 0 2 * jan,mar sun ").unwrap();
        let other = Timetable::parse("0 0 2 * 1,3 7").unwrap();
        assert_eq!(one, other);
        assert_eq!(one.text(), "0 2 * jan,mar sun");
    }

    #[test]
    fn what_would_be_misread_is_refused() {
        for (text, message) in [
            (
                "",
                "a timetable has 6 fields (or 5, without seconds), not 0",
            ),
            (
                "0 0 2 * * * 2026",
                "a timetable has 6 fields (or 5, without seconds), not 7",
            ),
            ("@daily", "shorthands such as `@daily` are not read"),
            (
                "0 0 24 * * *",
                "`24` cannot be read as hours: it runs from 0 to 23",
            ),
            (
                "0 0 2 0 * *",
                "`0` cannot be read as day of month: it runs from 1 to 31",
            ),
            (
                "0 0 2 L * *",
                "`L` cannot be read as day of month: it runs from 1 to 31",
            ),
            (
                "0 0 2 ? * *",
                "`?` cannot be read as day of month: it runs from 1 to 31",
            ),
            (
                "0 0 2 * * 8",
                "`8` cannot be read as day of week: it runs from 0 to 7",
            ),
            (
                "0 0 5-2 * * *",
                "`5-2` cannot be read as hours: the range runs backwards",
            ),
            (
                "0 5/15 * * * *",
                "`5/15` cannot be read as minutes: a step needs a range or a star before it",
            ),
            (
                "0 */0 * * * *",
                "`*/0` cannot be read as minutes: the step must be a number from 1",
            ),
            (
                "0 */-1 * * * *",
                "`*/-1` cannot be read as minutes: the step must be a number from 1",
            ),
            (
                "0 1,, * * * *",
                "`` cannot be read as minutes: it runs from 0 to 59",
            ),
            (
                "0 0 2 */2 * mon",
                "with `*/n` in one of day of month and day of week, cron programs disagree whether both or either must fit",
            ),
            (
                "0 0 2 30 2 *",
                "this timetable never comes round (a day that its months do not have?)",
            ),
        ] {
            let error = Timetable::parse(text).unwrap_err();
            assert_eq!(error.to_string(), message, "{text}");
        }
    }
}
