//! Civil dates and instants in the schedule's time zone.
//!
//! A period is counted in civil dates; only here do they meet instants. A cutoff
//! becomes the first instant of its day, so that `instant < midnight` says the
//! same as `local date < cutoff`. That holds only while local dates never go back,
//! which is why [`goes_back`] exists.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Duration, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeZone, Utc};
use chrono_tz::Tz;

/// The first year for which a zone's dates are checked.
const FIRST_YEAR: i32 = 1985;
/// The first year for which they no longer are.
const END_YEAR: i32 = 2100;

/// The first instant of a civil date in the zone.
///
/// A date that the zone skipped (Samoa, 30 December 2011) has none of its own: it
/// gets the first instant of the next. `None` only at the ends of the calendar.
#[must_use]
pub fn midnight(date: NaiveDate, zone: Tz) -> Option<DateTime<Utc>> {
    first_at_or_after(date.and_time(NaiveTime::MIN), zone)
}

/// The first instant whose civil time in the zone is `civil` or later: the earlier
/// of the two in autumn, the end of the gap in spring.
pub(super) fn first_at_or_after(civil: NaiveDateTime, zone: Tz) -> Option<DateTime<Utc>> {
    if let Some(instant) = zone.from_local_datetime(&civil).earliest() {
        return Some(instant.with_timezone(&Utc));
    }
    // In a gap. No zone was ever more than 26 hours from another, so that the
    // end of the gap lies between these two, and civil time only rises there.
    let around = civil.and_utc();
    let mut before = around.checked_sub_signed(Duration::hours(27))?;
    let mut after = around.checked_add_signed(Duration::hours(27))?;
    while after - before > Duration::seconds(1) {
        let middle = before + Duration::seconds((after - before).num_seconds() / 2);
        if middle.with_timezone(&zone).naive_local() >= civil {
            after = middle;
        } else {
            before = middle;
        }
    }
    Some(after)
}

/// The first change between 1985 and 2100 by which the zone's local date went
/// back, as the date it went back from; `None` for a zone that can be used.
///
/// Every day of these years is looked at, so the answer is kept: a schedule is read often, and
/// names few zones.
#[must_use]
pub fn goes_back(zone: Tz) -> Option<NaiveDate> {
    static KNOWN: Mutex<BTreeMap<&str, Option<NaiveDate>>> = Mutex::new(BTreeMap::new());
    // Whoever panicked with it in hand left answers that are right.
    let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(answer) = known().get(zone.name()) {
        return *answer;
    }
    let answer = first_change_back(zone);
    known().insert(zone.name(), answer);
    answer
}

fn first_change_back(zone: Tz) -> Option<NaiveDate> {
    let mut day = start_of_year(FIRST_YEAR)?;
    let end = start_of_year(END_YEAR)?;
    while day < end {
        let next = day + Duration::days(1);
        if offset(day, zone) > offset(next, zone) {
            let change = change_between(day, next, zone);
            let before = (change - Duration::seconds(1))
                .with_timezone(&zone)
                .date_naive();
            if change.with_timezone(&zone).date_naive() < before {
                return Some(before);
            }
        }
        day = next;
    }
    None
}

fn start_of_year(year: i32) -> Option<DateTime<Utc>> {
    Some(
        NaiveDate::from_ymd_opt(year, 1, 1)?
            .and_time(NaiveTime::MIN)
            .and_utc(),
    )
}

fn offset(instant: DateTime<Utc>, zone: Tz) -> i32 {
    instant
        .with_timezone(&zone)
        .offset()
        .fix()
        .local_minus_utc()
}

/// The first second with another offset than `before` has.
fn change_between(mut before: DateTime<Utc>, mut after: DateTime<Utc>, zone: Tz) -> DateTime<Utc> {
    let old = offset(before, zone);
    while after - before > Duration::seconds(1) {
        let middle = before + Duration::seconds((after - before).num_seconds() / 2);
        if offset(middle, zone) == old {
            before = middle;
        } else {
            after = middle;
        }
    }
    after
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(year: i32, month: u32, day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(year, month, day).unwrap_or_default()
    }

    fn midnight_text(date: NaiveDate, zone: Tz) -> Option<String> {
        midnight(date, zone).map(|instant| instant.to_rfc3339())
    }

    #[test]
    fn london_days_start_at_midnight_and_in_summer_an_hour_earlier_in_utc() {
        let london = Tz::Europe__London;
        assert_eq!(
            midnight_text(on(2026, 1, 15), london).as_deref(),
            Some("2026-01-15T00:00:00+00:00")
        );
        assert_eq!(
            midnight_text(on(2026, 7, 15), london).as_deref(),
            Some("2026-07-14T23:00:00+00:00")
        );
    }

    #[test]
    fn a_day_without_a_midnight_starts_after_the_gap() {
        // São Paulo, 4 November 2018: 00:00 became 01:00 (-02:00).
        assert_eq!(
            midnight_text(on(2018, 11, 4), Tz::America__Sao_Paulo).as_deref(),
            Some("2018-11-04T03:00:00+00:00")
        );
    }

    #[test]
    fn a_day_with_two_midnights_starts_at_the_first() {
        // Havana, 1 November 2026: at 01:00 (-04:00) back to 00:00 (-05:00).
        assert_eq!(
            midnight_text(on(2026, 11, 1), Tz::America__Havana).as_deref(),
            Some("2026-11-01T04:00:00+00:00")
        );
    }

    #[test]
    fn a_day_that_never_was_starts_with_the_next() {
        assert_eq!(
            midnight(on(2011, 12, 30), Tz::Pacific__Apia),
            midnight(on(2011, 12, 31), Tz::Pacific__Apia)
        );
    }

    #[test]
    fn common_zones_never_went_back() {
        for zone in [
            Tz::Europe__London,
            Tz::Europe__Paris,
            Tz::America__New_York,
            Tz::UTC,
        ] {
            assert_eq!(goes_back(zone), None, "{zone}");
        }
    }

    #[test]
    fn zones_that_went_back_to_the_day_before_are_known() {
        // Clocks went back at 00:01, to 23:01 of the day before.
        assert_eq!(goes_back(Tz::America__St_Johns), Some(on(1987, 10, 25)));
        // At 24:00 to 23:00 of the same day no date came twice.
        assert_eq!(goes_back(Tz::Asia__Beirut), None);
        assert_eq!(goes_back(Tz::America__Asuncion), None);
    }

    #[test]
    fn midnight_separates_the_days_in_every_zone_that_is_accepted() {
        let refused = [
            Tz::America__Goose_Bay,
            Tz::America__Moncton,
            Tz::America__St_Johns,
            Tz::Antarctica__Casey,
            Tz::Canada__Newfoundland,
        ];
        assert!(refused.into_iter().all(|zone| goes_back(zone).is_some()));
        for zone in chrono_tz::TZ_VARIANTS
            .into_iter()
            .filter(|zone| !refused.contains(zone))
        {
            let weeks = on(1985, 1, 1)
                .iter_weeks()
                .take_while(|week| *week < on(2040, 1, 1));
            for week in weeks {
                let start = week.and_time(NaiveTime::MIN).and_utc();
                let around = (start - Duration::days(1), start + Duration::days(8));
                // Only days around a change can be otherwise than they seem.
                if offset(around.0, zone) == offset(around.1, zone) {
                    continue;
                }
                for day in week.iter_days().take(7) {
                    let start = midnight(day, zone).unwrap_or_default();
                    let local = |instant: DateTime<Utc>| instant.with_timezone(&zone).date_naive();
                    assert!(local(start) >= day, "{zone} {day}: {start}");
                    assert!(
                        local(start - Duration::seconds(1)) < day,
                        "{zone} {day}: {start}"
                    );
                }
            }
        }
    }
}
