//! The model's own calendar: the corresponding-date rule, written out.
//!
//! Sources: *Dodds v Walker* [1981] 1 WLR 1027 (HL) for months and years;
//! `chrono` serves only as the type of a date and for counting single days.

use chrono::{Datelike, Days, NaiveDate};

/// The day of a trigger. PostgreSQL's dates have two ends that are no days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Day {
    /// `-infinity`.
    Before,
    On(NaiveDate),
    /// `infinity`.
    After,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Days,
    Weeks,
    Months,
    Years,
}

/// A sum of components, as the schedule writes them. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Period {
    pub parts: Vec<(u32, Unit)>,
    /// Written as ISO 8601 (`P1Y6M`) instead of in words.
    pub iso: bool,
}

impl Period {
    pub fn of(count: u32, unit: Unit) -> Self {
        Self {
            parts: vec![(count, unit)],
            iso: false,
        }
    }

    pub fn months(&self) -> u32 {
        self.parts
            .iter()
            .map(|(count, unit)| match unit {
                Unit::Months => *count,
                Unit::Years => 12 * count,
                Unit::Days | Unit::Weeks => 0,
            })
            .sum()
    }

    pub fn days(&self) -> u32 {
        self.parts
            .iter()
            .map(|(count, unit)| match unit {
                Unit::Days => *count,
                Unit::Weeks => 7 * count,
                Unit::Months | Unit::Years => 0,
            })
            .sum()
    }

    /// As the schedule writes it.
    pub fn text(&self) -> String {
        if self.iso {
            let of = |wanted: Unit, letter: char| -> String {
                let sum: u32 = self
                    .parts
                    .iter()
                    .filter(|p| p.1 == wanted)
                    .map(|p| p.0)
                    .sum();
                if sum == 0 {
                    String::new()
                } else {
                    format!("{sum}{letter}")
                }
            };
            let weeks_as_days: u32 = self.days();
            let days = if weeks_as_days == 0 {
                String::new()
            } else {
                format!("{weeks_as_days}D")
            };
            return format!("P{}{}{days}", of(Unit::Years, 'Y'), of(Unit::Months, 'M'));
        }
        let words = self.parts.iter().map(|(count, unit)| {
            let name = match unit {
                Unit::Days => "day",
                Unit::Weeks => "week",
                Unit::Months => "month",
                Unit::Years => "year",
            };
            format!("{count} {name}{}", if *count == 1 { "" } else { "s" })
        });
        words.collect::<Vec<_>>().join(" ")
    }

    /// This period and then another: the components of both, summed.
    pub fn and(&self, more: &Self) -> Self {
        Self {
            parts: [self.parts.as_slice(), more.parts.as_slice()].concat(),
            iso: self.iso,
        }
    }

    /// The last day of retention of a record triggered on `day`.
    pub fn last_day(&self, rounding: Rounding, day: Day) -> Day {
        match day {
            Day::On(date) => Day::On(
                corresponding(rounding.end(date), self.months())
                    + Days::new(u64::from(self.days())),
            ),
            end => end,
        }
    }

    /// The smallest trigger day that is *not* past on `today`, found by walking.
    pub fn cutoff(&self, rounding: Rounding, maximum: bool, today: NaiveDate) -> NaiveDate {
        // A rounding puts the last day off by a year less a day at most.
        let back = u64::from(self.months()) * 31 + u64::from(self.days()) + 62 + 366;
        let mut day = today - Days::new(back);
        loop {
            let last = self.last_day(rounding, Day::On(day));
            let kept = if maximum {
                last > Day::On(today)
            } else {
                last >= Day::On(today)
            };
            if kept {
                return day;
            }
            day = day + Days::new(1);
        }
    }
}

/// Up to which day a trigger is put off before its period is added (`from_end_of`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    Exact,
    Month,
    CalendarYear,
    /// Ends on 31 March.
    FinancialYear,
}

impl Rounding {
    pub const ALL: [Self; 4] = [
        Self::Exact,
        Self::Month,
        Self::CalendarYear,
        Self::FinancialYear,
    ];

    /// As the schedule writes it.
    pub fn text(self) -> Option<&'static str> {
        match self {
            Self::Exact => None,
            Self::Month => Some("month"),
            Self::CalendarYear => Some("calendar year"),
            Self::FinancialYear => Some("financial year"),
        }
    }

    /// The last day of the month or year in which the day lies.
    pub fn end(self, day: NaiveDate) -> NaiveDate {
        match self {
            Self::Exact => day,
            Self::Month => date(day.year(), day.month(), days_in(day.year(), day.month())),
            Self::CalendarYear => date(day.year(), 12, 31),
            Self::FinancialYear if day.month() <= 3 => date(day.year(), 3, 31),
            Self::FinancialYear => date(day.year() + 1, 3, 31),
        }
    }
}

fn leap(year: i32) -> bool {
    (year % 4 == 0 && year % 100 != 0) || year % 400 == 0
}

fn days_in(year: i32, month: u32) -> u32 {
    match month {
        2 if leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The corresponding date `months` later; a date that does not exist becomes
/// the last day of its month.
pub fn corresponding(date: NaiveDate, months: u32) -> NaiveDate {
    let since_january = date.month() - 1 + months;
    let year = date.year() + i32::try_from(since_january / 12).expect("a few years");
    let month = since_january % 12 + 1;
    let day = date.day().min(days_in(year, month));
    NaiveDate::from_ymd_opt(year, month, day).expect("a day that its month has")
}

/// A date in tests and tables of examples.
pub fn date(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).expect("a date")
}
