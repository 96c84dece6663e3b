//! How long a record is kept, counted in civil dates.
//!
//! A period is months and days; years are twelve months and weeks seven days, and
//! the components are summed before anything is counted. Months are added before
//! days and end on the corresponding date, clamped to the month's end (*Dodds v
//! Walker* \[1981\] 1 WLR 1027, HL), as PostgreSQL's `date + interval` does. There
//! are no hours here, no clock and no zone.

use std::fmt;

use chrono::{Days, Months, NaiveDate};

use super::class::Limit;

/// A thousand years: longer is a slip of the finger.
const MOST_DAYS: u64 = 12_000 * 31;

/// Months and days; never both zero, and no longer than a thousand years.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Period {
    months: u32,
    days: u32,
}

/// The first day whose trigger is not past: a record is past if its trigger is
/// before this day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cutoff(NaiveDate);

impl Cutoff {
    pub(super) fn at(day: NaiveDate) -> Self {
        Self(day)
    }

    /// The day itself.
    #[must_use]
    pub fn date(self) -> NaiveDate {
        self.0
    }
}

/// Why a text is no period.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PeriodError {
    message: String,
    hint: String,
}

impl PeriodError {
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

const FORM: &str = "write it like \"8 years\", \"1 year 6 months\", \"90 days\" or \"P1Y6M\"";

/// The units, singular and plural.
const UNITS: [(&str, &str); 4] = [
    ("year", "years"),
    ("month", "months"),
    ("week", "weeks"),
    ("day", "days"),
];

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Unit {
    Year,
    Month,
    Week,
    Day,
}

impl Unit {
    fn from_word(word: &str) -> Option<Self> {
        match word {
            "year" | "years" => Some(Self::Year),
            "month" | "months" => Some(Self::Month),
            "week" | "weeks" => Some(Self::Week),
            "day" | "days" => Some(Self::Day),
            _ => None,
        }
    }
}

/// Adds up components; saturates, since the bound is checked at the end.
#[derive(Default)]
struct Sum {
    months: u64,
    days: u64,
}

impl Sum {
    fn add(&mut self, number: u64, unit: Unit) {
        let (months, days) = match unit {
            Unit::Year => (number.saturating_mul(12), 0),
            Unit::Month => (number, 0),
            Unit::Week => (0, number.saturating_mul(7)),
            Unit::Day => (0, number),
        };
        self.months = self.months.saturating_add(months);
        self.days = self.days.saturating_add(days);
    }

    fn finish(self) -> Result<Period, PeriodError> {
        if self.months == 0 && self.days == 0 {
            return Err(PeriodError::new(
                "a period must be longer than nothing",
                FORM,
            ));
        }
        let most = self.months.saturating_mul(31).saturating_add(self.days);
        match (u32::try_from(self.months), u32::try_from(self.days)) {
            (Ok(months), Ok(days)) if most <= MOST_DAYS => Ok(Period { months, days }),
            _ => Err(PeriodError::new(
                "a period must not be longer than a thousand years",
                "what is kept for ever has `disposal = \"retain\"`",
            )),
        }
    }
}

impl Period {
    /// Reads words (`1 year 6 months`) or ISO 8601 (`P1Y6M`).
    ///
    /// # Errors
    /// For anything else: fractions, signs, hours, unknown units, nothing at all,
    /// more than a thousand years.
    pub fn parse(text: &str) -> Result<Self, PeriodError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(PeriodError::new("a period must not be empty", FORM));
        }
        match text.strip_prefix('P') {
            Some(rest) => Self::parse_iso(text, rest),
            None => Self::parse_words(text),
        }
    }

    fn parse_words(text: &str) -> Result<Self, PeriodError> {
        let mut sum = Sum::default();
        let mut words = text.split_whitespace();
        while let Some(number) = words.next() {
            let number = whole_number(number)?;
            let Some(word) = words.next() else {
                return Err(PeriodError::new(format!("`{number}` of what?"), FORM));
            };
            let unit = Unit::from_word(word).ok_or_else(|| unknown_unit(word))?;
            sum.add(number, unit);
        }
        sum.finish()
    }

    fn parse_iso(text: &str, mut rest: &str) -> Result<Self, PeriodError> {
        let mut sum = Sum::default();
        let mut last = None;
        while !rest.is_empty() {
            if rest.starts_with('T') {
                return Err(no_hours());
            }
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (number, tail) = rest.split_at(digits);
            let mut letters = tail.chars();
            let unit = match letters.next() {
                Some('Y') => Unit::Year,
                Some('M') => Unit::Month,
                Some('W') => Unit::Week,
                Some('D') => Unit::Day,
                _ => {
                    return Err(PeriodError::new(
                        format!("`{text}` is not a period in the form of ISO 8601"),
                        FORM,
                    ));
                }
            };
            if last.is_some_and(|last| last >= unit) {
                return Err(PeriodError::new(
                    format!("`{text}` does not name years, months, weeks, days in this order"),
                    FORM,
                ));
            }
            sum.add(whole_number(number)?, unit);
            last = Some(unit);
            rest = letters.as_str();
        }
        sum.finish()
    }

    /// Months, the years among them.
    #[must_use]
    pub fn months(self) -> u32 {
        self.months
    }

    /// Days, the weeks among them.
    #[must_use]
    pub fn days(self) -> u32 {
        self.days
    }

    /// The last day of retention of a record with this trigger: months first,
    /// clamped, then days. `None` beyond the calendar (some 260,000 years).
    ///
    /// A trigger that is moved to the end of its year first is moved before this
    /// ([`super::Dispose::last_day`]).
    #[must_use]
    pub fn last_day(self, trigger: NaiveDate) -> Option<NaiveDate> {
        trigger
            .checked_add_months(Months::new(self.months))?
            .checked_add_days(Days::new(u64::from(self.days)))
    }

    /// The exact day that separates past from kept on `today`.
    ///
    /// For a minimum the smallest day whose last day is today or later, for a
    /// maximum the smallest whose last day is later than today. `last_day` never
    /// decreases, so that there is one; clamping moves it by a few days at most.
    #[must_use]
    pub fn cutoff(self, today: NaiveDate, limit: Limit) -> Option<Cutoff> {
        let reached = |day: NaiveDate| {
            self.last_day(day).map(|last_day| match limit {
                Limit::Minimum => last_day >= today,
                Limit::Maximum => last_day > today,
            })
        };
        let estimate = today
            .checked_sub_days(Days::new(u64::from(self.days)))?
            .checked_sub_months(Months::new(self.months))?;
        let mut day = estimate.checked_sub_days(Days::new(SLACK))?;
        if reached(day)? {
            return None;
        }
        for _ in 0..=2 * SLACK {
            day = day.succ_opt()?;
            if reached(day)? {
                return Some(Cutoff(day));
            }
        }
        None
    }

    /// As PostgreSQL reads it: `interval '96 months 0 days'`.
    #[must_use]
    pub fn interval_sql(self) -> String {
        format!("interval '{} months {} days'", self.months, self.days)
    }
}

/// Clamping moves a date by three days at most; the estimate, which clamps in the
/// other direction, by as many again. A week each way is ample.
const SLACK: u64 = 7;

fn whole_number(text: &str) -> Result<u64, PeriodError> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // Only overflow is left, which is longer than a thousand years.
        return Ok(text.parse().unwrap_or(u64::MAX));
    }
    let message = if text.starts_with('-') {
        format!("`{text}` is negative, and a period runs forwards")
    } else if text.contains(['.', ',']) && text.starts_with(|c: char| c.is_ascii_digit()) {
        format!("`{text}` is not a whole number")
    } else {
        format!("`{text}` is not a number")
    };
    Err(PeriodError::new(message, FORM))
}

fn no_hours() -> PeriodError {
    PeriodError::new(
        "a period is counted in whole days, not in hours",
        "use days, weeks, months or years",
    )
}

fn unknown_unit(word: &str) -> PeriodError {
    let lower = word.to_lowercase();
    let lower = lower.trim_end_matches([',', '.']);
    if matches!(
        lower,
        "hour" | "hours" | "minute" | "minutes" | "second" | "seconds" | "h" | "min" | "s"
    ) {
        return no_hours();
    }
    let best = UNITS
        .iter()
        .flat_map(|(one, many)| [*one, *many])
        .map(|unit| (strsim::damerau_levenshtein(lower, unit), unit))
        .min_by_key(|(distance, _)| *distance);
    let hint = match best {
        Some((distance, unit)) if distance <= 2 => format!("did you mean `{unit}`?"),
        _ => "the units are days, weeks, months and years".to_owned(),
    };
    PeriodError::new(format!("`{word}` is not a unit of time"), hint)
}

impl fmt::Display for Period {
    /// In words, which [`Period::parse`] reads back: `1 year 6 months 14 days`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            (self.months / 12, "year"),
            (self.months % 12, "month"),
            (self.days, "day"),
        ];
        let mut first = true;
        for (number, unit) in parts.into_iter().filter(|(number, _)| *number > 0) {
            if !first {
                f.write_str(" ")?;
            }
            first = false;
            write!(f, "{number} {unit}{}", if number == 1 { "" } else { "s" })?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn on(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn period(text: &str) -> Period {
        Period::parse(text).unwrap()
    }

    #[test]
    fn words_and_iso_8601_give_months_and_days() {
        for (text, months, days) in [
            ("8 years", 96, 0),
            ("1 year 6 months", 18, 0),
            ("90 days", 0, 90),
            ("2 weeks", 0, 14),
            ("1 month 1 week 1 day", 1, 8),
            ("  6   months ", 6, 0),
            ("P8Y", 96, 0),
            ("P1Y6M", 18, 0),
            ("P2W", 0, 14),
            ("P90D", 0, 90),
            ("1000 years", 12_000, 0),
        ] {
            let read = period(text);
            assert_eq!((read.months(), read.days()), (months, days), "{text}");
        }
    }

    #[test]
    fn what_is_no_period_is_refused_with_what_to_do() {
        for (text, message, hint) in [
            (
                "8 yeers",
                "`yeers` is not a unit of time",
                "did you mean `years`?",
            ),
            (
                "8 Years",
                "`Years` is not a unit of time",
                "did you mean `years`?",
            ),
            (
                "3 hours",
                "a period is counted in whole days, not in hours",
                "use days, weeks, months or years",
            ),
            (
                "PT3H",
                "a period is counted in whole days, not in hours",
                "use days, weeks, months or years",
            ),
            ("8", "`8` of what?", FORM),
            ("years", "`years` is not a number", FORM),
            ("8years", "`8years` is not a number", FORM),
            (
                "-8 years",
                "`-8` is negative, and a period runs forwards",
                FORM,
            ),
            ("1.5 years", "`1.5` is not a whole number", FORM),
            ("0 days", "a period must be longer than nothing", FORM),
            ("P", "a period must be longer than nothing", FORM),
            ("", "a period must not be empty", FORM),
            (
                "P1M1Y",
                "`P1M1Y` does not name years, months, weeks, days in this order",
                FORM,
            ),
            (
                "P1Y1Y",
                "`P1Y1Y` does not name years, months, weeks, days in this order",
                FORM,
            ),
            ("P1H", "`P1H` is not a period in the form of ISO 8601", FORM),
            (
                "P-1Y",
                "`P-1Y` is not a period in the form of ISO 8601",
                FORM,
            ),
            ("PY", "`` is not a number", FORM),
            (
                "1001 years",
                "a period must not be longer than a thousand years",
                "what is kept for ever has `disposal = \"retain\"`",
            ),
            (
                "99999999999999999999999 days",
                "a period must not be longer than a thousand years",
                "what is kept for ever has `disposal = \"retain\"`",
            ),
        ] {
            let error = Period::parse(text).unwrap_err();
            assert_eq!(
                (error.to_string().as_str(), error.hint()),
                (message, hint),
                "{text}"
            );
        }
    }

    #[test]
    fn a_period_ends_on_the_corresponding_date() {
        // The examples of the schedule that must work, after Dodds v Walker.
        for (text, trigger, last_day) in [
            ("6 months", "2025-08-30", "2026-02-28"),
            ("6 months", "2025-08-31", "2026-02-28"),
            ("1 year", "2024-02-29", "2025-02-28"),
            ("90 days", "2021-07-31", "2021-10-29"),
            ("1 month 1 month", "2026-01-31", "2026-03-31"),
            ("1 month 1 day", "2026-01-31", "2026-03-01"),
        ] {
            assert_eq!(
                period(text).last_day(on(trigger)),
                Some(on(last_day)),
                "{text} {trigger}"
            );
        }
    }

    #[test]
    fn a_minimum_is_past_the_day_after_its_last_day() {
        // CAPV: 31 July 2021 and 90 days, due from 30 October 2021.
        let capv = period("90 days");
        let past =
            |today| on("2021-07-31") < capv.cutoff(on(today), Limit::Minimum).unwrap().date();
        assert!(!past("2021-10-29"));
        assert!(past("2021-10-30"));
    }

    #[test]
    fn a_maximum_is_past_on_its_last_day() {
        let photos = period("4 years");
        let past =
            |today| on("2022-11-22") < photos.cutoff(on(today), Limit::Maximum).unwrap().date();
        assert!(!past("2026-11-21"));
        assert!(past("2026-11-22"));
    }

    #[test]
    fn several_triggers_with_one_last_day_become_past_together() {
        // 28 to 31 August all end on 28 February 2026.
        let cutoff = |today| {
            period("6 months")
                .cutoff(on(today), Limit::Minimum)
                .unwrap()
                .date()
        };
        assert_eq!(cutoff("2026-02-28"), on("2025-08-28"));
        assert_eq!(cutoff("2026-03-01"), on("2025-09-01"));
    }

    #[test]
    fn the_cutoff_is_exact_on_every_day_of_thirty_years() {
        // Against the definition: the smallest day whose last day is reached.
        for text in [
            "1 day",
            "1 month",
            "6 months",
            "1 year",
            "13 months 29 days",
            "11 months 1 day",
        ] {
            let period = period(text);
            for limit in Limit::ALL {
                let kept = |trigger: NaiveDate, today| match limit {
                    Limit::Minimum => period.last_day(trigger).unwrap() >= today,
                    Limit::Maximum => period.last_day(trigger).unwrap() > today,
                };
                for today in on("2000-01-01")
                    .iter_days()
                    .take_while(|day| *day < on("2030-01-01"))
                {
                    let cutoff = period.cutoff(today, limit).unwrap().date();
                    let before = cutoff.pred_opt().unwrap();
                    assert!(
                        kept(cutoff, today) && !kept(before, today),
                        "{text} {today}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_last_day_never_goes_back() {
        for text in [
            "1 month",
            "6 months 1 day",
            "1 year 29 days",
            "100 years 31 days",
        ] {
            let period = period(text);
            let days = on("1985-01-01")
                .iter_days()
                .take_while(|day| *day < on("2060-01-01"));
            assert!(days.map(|day| period.last_day(day)).is_sorted(), "{text}");
        }
    }

    #[test]
    fn the_ends_of_the_calendar_give_none() {
        let century = period("100 years");
        assert_eq!(century.last_day(NaiveDate::MAX), None);
        assert_eq!(century.cutoff(NaiveDate::MIN, Limit::Minimum), None);
        assert_eq!(period("1 day").cutoff(NaiveDate::MIN, Limit::Maximum), None);
        // Near the end the days after the cutoff have no last day, which ends the search.
        assert_eq!(period("1 day").cutoff(NaiveDate::MAX, Limit::Maximum), None);
    }

    #[test]
    fn it_is_printed_in_words_and_for_postgresql() {
        assert_eq!(period("P8Y").to_string(), "8 years");
        assert_eq!(
            period("18 months 2 weeks").to_string(),
            "1 year 6 months 14 days"
        );
        assert_eq!(period("1 day").to_string(), "1 day");
        assert_eq!(
            period("8 years 3 days").interval_sql(),
            "interval '96 months 3 days'"
        );
    }
}
