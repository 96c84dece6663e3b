//! "Until the end of the year, then so many years": a trigger is first moved to the end of
//! the year or month that it falls in, and the period is added to that day.

use chrono::{Datelike, Months, NaiveDate};

/// What a trigger is moved to the end of before the period is added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EndOf {
    /// 31 December.
    CalendarYear,
    /// 31 March, the end of the financial year of British public bodies.
    FinancialYear,
    /// The last day of the month.
    Month,
}

impl EndOf {
    /// Each of them.
    pub const ALL: [Self; 3] = [Self::CalendarYear, Self::FinancialYear, Self::Month];

    /// As the schedule writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::CalendarYear => "calendar year",
            Self::FinancialYear => "financial year",
            Self::Month => "month",
        }
    }

    /// The first day of the year or month that a date falls in; `None` beyond the calendar.
    #[must_use]
    pub fn start(self, date: NaiveDate) -> Option<NaiveDate> {
        let (year, month) = match self {
            Self::CalendarYear => (date.year(), 1),
            Self::FinancialYear if date.month() < 4 => (date.year().checked_sub(1)?, 4),
            Self::FinancialYear => (date.year(), 4),
            Self::Month => (date.year(), date.month()),
        };
        NaiveDate::from_ymd_opt(year, month, 1)
    }

    /// The last day of the year or month that a date falls in; `None` beyond the calendar.
    #[must_use]
    pub fn end(self, date: NaiveDate) -> Option<NaiveDate> {
        let length = match self {
            Self::CalendarYear | Self::FinancialYear => 12,
            Self::Month => 1,
        };
        self.start(date)?
            .checked_add_months(Months::new(length))?
            .pred_opt()
    }

    /// The same as [`EndOf::end`], over an SQL expression of type `date`. Immutable: it
    /// goes through `timestamp`, never through the session's zone.
    #[must_use]
    pub fn sql(self, day: &str) -> String {
        match self {
            Self::CalendarYear => {
                format!(
                    "(date_trunc('year', {day}::timestamp) + interval '1 year' - interval '1 day')::date"
                )
            }
            // Three months earlier, the financial year is the calendar's.
            Self::FinancialYear => format!(
                "(date_trunc('year', {day}::timestamp - interval '3 months') + interval '15 months' - interval '1 day')::date"
            ),
            Self::Month => {
                format!(
                    "(date_trunc('month', {day}::timestamp) + interval '1 month' - interval '1 day')::date"
                )
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn on(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn a_date_moves_to_the_end_of_its_year_or_month() {
        for (end_of, date, start, end) in [
            (
                EndOf::CalendarYear,
                "2026-01-01",
                "2026-01-01",
                "2026-12-31",
            ),
            (
                EndOf::CalendarYear,
                "2026-12-31",
                "2026-01-01",
                "2026-12-31",
            ),
            (
                EndOf::FinancialYear,
                "2026-03-31",
                "2025-04-01",
                "2026-03-31",
            ),
            (
                EndOf::FinancialYear,
                "2026-04-01",
                "2026-04-01",
                "2027-03-31",
            ),
            (
                EndOf::FinancialYear,
                "2026-12-31",
                "2026-04-01",
                "2027-03-31",
            ),
            (EndOf::Month, "2024-02-01", "2024-02-01", "2024-02-29"),
            (EndOf::Month, "2026-02-28", "2026-02-01", "2026-02-28"),
            (EndOf::Month, "2026-12-15", "2026-12-01", "2026-12-31"),
        ] {
            assert_eq!(
                (end_of.start(on(date)), end_of.end(on(date))),
                (Some(on(start)), Some(on(end))),
                "{end_of:?} {date}"
            );
        }
    }

    #[test]
    fn the_ends_of_the_calendar_give_none() {
        assert_eq!(EndOf::CalendarYear.end(NaiveDate::MAX), None);
        assert_eq!(EndOf::FinancialYear.start(NaiveDate::MIN), None);
    }
}
