//! Whether the timetable can keep a maximum.
//!
//! A maximum is due on one day, its last: a pass must start on every day that can be the
//! last of some record. Where one does not, the record goes with the next pass, late by
//! the days between. The calendar repeats itself after 28 years (until 2100, as far as the
//! timetable goes), so that triggers of 28 years show every last day there is.

use chrono::{Days, NaiveDate};

use super::class::{Dispose, Limit, Trigger};
use super::processor::Term;
use super::timetable::Timetable;

/// Dates and weekdays meet in the same way after so many days: 28 years with 7 leap days.
const CYCLE: u64 = 28 * 365 + 7;

/// How long a timetable that starts at all can pause: from 29 February to the next but one
/// (around 2100), and a week.
const LONGEST_PAUSE: u64 = 8 * 366 + 7;

/// How late a maximum would be at worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lateness {
    /// The days after the last day.
    pub days: u64,
    /// An example: such a last day.
    pub last_day: NaiveDate,
    /// When a record with that last day goes.
    pub goes_on: NaiveDate,
}

/// The worst lateness of a class; `None` where it is a minimum, or is always in time.
#[must_use]
pub fn lateness(dispose: &Dispose, every: &Timetable) -> Option<Lateness> {
    // Most schedules run every day, and are read often.
    if every.canonical() == every.daily() {
        return None;
    }
    let steps = dispose.steps();
    let late = steps.iter().filter_map(|step| step_lateness(step, every));
    late.reduce(|worst, late| if late.days > worst.days { late } else { worst })
}

/// Of one stage, or of the class's own disposal.
fn step_lateness(dispose: &Dispose, every: &Timetable) -> Option<Lateness> {
    if dispose.limit != Limit::Maximum {
        return None;
    }
    let first = NaiveDate::from_ymd_opt(2020, 1, 1)?;
    let triggers: Vec<NaiveDate> = match dispose.trigger {
        Trigger::Fixed(date) => vec![date],
        _ => first
            .iter_days()
            .take(usize::try_from(CYCLE).ok()?)
            .collect(),
    };
    worst(
        triggers.iter().filter_map(|date| dispose.last_day(*date)),
        every,
    )
}

/// The lateness of what a processor holds, if its term is a maximum.
#[must_use]
pub(super) fn term_lateness(term: &Term, every: &Timetable) -> Option<Lateness> {
    match term.limit {
        Limit::Maximum => worst(term.last_day().into_iter(), every),
        Limit::Minimum => None,
    }
}

/// The worst of these last days, which never decrease.
fn worst(last_days: impl Iterator<Item = NaiveDate>, every: &Timetable) -> Option<Lateness> {
    let mut worst: Option<Lateness> = None;
    // Last days never decrease, so that the next start is looked for only once.
    let mut next = NaiveDate::MIN;
    for last_day in last_days {
        if next < last_day {
            next = (0..=LONGEST_PAUSE)
                .filter_map(|later| last_day.checked_add_days(Days::new(later)))
                .find(|day| every.starts_on(*day))?;
        }
        let days = u64::try_from((next - last_day).num_days()).unwrap_or(0);
        if days > worst.map_or(0, |late| late.days) {
            worst = Some(Lateness {
                days,
                last_day,
                goes_on: next,
            });
        }
    }
    worst
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::schedule;

    fn late(every: &str, rest: &str) -> Option<(u64, String, String)> {
        let text = format!(
            "[schedule]\norganisation = \"A\"\ntime_zone = \"Europe/London\"\nevery = \"{every}\"\n\
             [[class]]\nid = \"a\"\ntitle = \"A\"\ntable = \"a\"\ndisposal = \"delete\"\n\
             authority = \"A\"\n{rest}\n"
        );
        let schedule =
            schedule::parse(&text, "a").unwrap_or_else(|e| panic!("{}", e.render(false)));
        let found = lateness(schedule.classes()[0].dispose().unwrap(), schedule.every());
        assert_eq!(
            schedule
                .warnings()
                .iter()
                .any(|warning| warning.code == schedule::Code::TimetableTooSparse),
            found.is_some()
        );
        found.map(|late| {
            (
                late.days,
                late.last_day.to_string(),
                late.goes_on.to_string(),
            )
        })
    }

    const FOUR_YEARS: &str = "trigger = \"a\"\nperiod = \"4 years\"\nlimit = \"maximum\"";

    #[test]
    fn every_day_is_in_time_and_a_minimum_may_wait() {
        assert_eq!(late("0 0 2 * * *", FOUR_YEARS), None);
        assert_eq!(late("*/5 * * * *", FOUR_YEARS), None);
        assert_eq!(late("0 0 2 * * sun,1-6", FOUR_YEARS), None);
        assert_eq!(
            late("0 0 2 * * sun", "trigger = \"a\"\nperiod = \"4 years\""),
            None
        );
    }

    #[test]
    fn weekly_is_six_days_late_without_weekends_two() {
        // 1 January 2024 was a Monday.
        assert_eq!(
            late("0 0 2 * * sun", FOUR_YEARS),
            Some((6, "2024-01-01".into(), "2024-01-07".into()))
        );
        assert_eq!(
            late("0 0 2 * * mon-fri", FOUR_YEARS),
            Some((2, "2024-01-06".into(), "2024-01-08".into()))
        );
    }

    #[test]
    fn monthly_depends_on_the_longest_month_and_the_31st_on_two() {
        // From 2 January to 1 February.
        assert_eq!(
            late("0 0 2 1 * *", FOUR_YEARS),
            Some((30, "2024-01-02".into(), "2024-02-01".into()))
        );
        // From 1 February to 31 March in a leap year there are 59 days, from 1 April to
        // 31 May 60, from 1 November to 31 December 60.
        assert_eq!(
            late("0 0 2 31 * *", FOUR_YEARS),
            Some((60, "2024-04-01".into(), "2024-05-31".into()))
        );
        // Either the 13th or a Friday.
        assert_eq!(late("0 0 2 13 * fri", FOUR_YEARS).unwrap().0, 6);
    }

    #[test]
    fn the_29th_of_february_comes_every_four_years() {
        assert_eq!(late("0 0 2 29 2 *", FOUR_YEARS).unwrap().0, 1460);
    }

    #[test]
    fn a_fixed_date_has_one_last_day() {
        // 29 October 2021 was a Friday.
        let fixed = "trigger = 2021-07-31\nperiod = \"90 days\"\nlimit = \"maximum\"";
        assert_eq!(late("0 0 2 * * fri", fixed), None);
        assert_eq!(
            late("0 0 2 * * thu", fixed),
            Some((6, "2021-10-29".into(), "2021-11-04".into()))
        );
    }

    #[test]
    fn it_agrees_with_asking_every_day() {
        for every in [
            "0 0 2 */7 * *",
            "0 0 2 1,15 3-9 *",
            "0 0 2 10 * mon",
            "0 0 2 * 2,8 *",
        ] {
            let timetable = Timetable::parse(every).unwrap();
            let first = NaiveDate::from_ymd_opt(2024, 1, 1).unwrap();
            let worst = first
                .iter_days()
                .take(28 * 366)
                .map(|last| {
                    last.iter_days()
                        .position(|day| timetable.starts_on(day))
                        .unwrap()
                })
                .max()
                .unwrap();
            assert_eq!(
                late(every, FOUR_YEARS).map_or(0, |late| late.0),
                worst as u64,
                "{every}"
            );
        }
    }
}
