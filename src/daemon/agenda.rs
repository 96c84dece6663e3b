//! When the next pass is due, whatever the clock does.
//!
//! Between two looks a clock may have stood still (a suspended machine), been put forward
//! or back. The rule: no time of the timetable is taken twice unless the clock went far
//! back, and times that went by unseen are one pass together.

use chrono::{DateTime, Utc};

use super::tick::CLOCK_TOLERANCE;
use crate::schedule::Schedule;

/// The next time of the timetable, and how far the clock has been followed.
#[derive(Debug)]
pub(super) struct Agenda {
    /// No time up to here will be taken again.
    reached: DateTime<Utc>,
    due: Option<DateTime<Utc>>,
}

/// What a look at the clock showed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// Nothing is due yet.
    Early,
    /// A time of the timetable has come: the first that was not taken yet.
    Due(DateTime<Utc>),
    /// The clock has gone back by more than clocks may differ, from this instant.
    WentBack(DateTime<Utc>),
}

impl Agenda {
    pub(super) fn new(schedule: &Schedule, now: DateTime<Utc>) -> Self {
        Self {
            reached: now,
            due: next(schedule, now),
        }
    }

    /// The next time of the timetable; none after the year 2100.
    pub(super) fn due(&self) -> Option<DateTime<Utc>> {
        self.due
    }

    /// Looks at the clock.
    pub(super) fn look(&mut self, schedule: &Schedule, now: DateTime<Utc>) -> Look {
        if self.reached - now > CLOCK_TOLERANCE {
            let from = self.reached;
            *self = Self::new(schedule, now);
            return Look::WentBack(from);
        }
        self.reached = self.reached.max(now);
        match self.due {
            Some(due) if due <= now => {
                self.due = next(schedule, self.reached);
                Look::Due(due)
            }
            _ => Look::Early,
        }
    }

    /// Takes over another timetable.
    pub(super) fn follow(&mut self, schedule: &Schedule) {
        self.due = next(schedule, self.reached);
    }
}

fn next(schedule: &Schedule, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
    schedule.every().next_after(after, schedule.time_zone())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn schedule(every: &str) -> Schedule {
        let text = format!(
            "[schedule]\norganisation = \"A\"\ntime_zone = \"Europe/London\"\nevery = \"{every}\"\n\
             [[class]]\nid = \"x\"\ntitle = \"X\"\ntable = \"x\"\ndisposal = \"retain\"\n\
             authority = \"A\"\nowner = \"O\"\nreason = \"R\"\n"
        );
        crate::schedule::parse(&text, "retention.toml").unwrap()
    }

    const NIGHTLY: &str = "0 0 2 * * *";

    #[test]
    fn a_time_is_taken_once() {
        let schedule = schedule(NIGHTLY);
        let mut agenda = Agenda::new(&schedule, at("2026-01-01T01:59:30Z"));
        assert_eq!(
            agenda.look(&schedule, at("2026-01-01T01:59:59.999999Z")),
            Look::Early
        );
        assert_eq!(
            agenda.look(&schedule, at("2026-01-01T02:00:00Z")),
            Look::Due(at("2026-01-01T02:00:00Z"))
        );
        assert_eq!(
            agenda.look(&schedule, at("2026-01-01T02:00:00Z")),
            Look::Early
        );
        assert_eq!(agenda.due(), Some(at("2026-01-02T02:00:00Z")));
    }

    #[test]
    fn a_clock_that_is_put_back_a_little_repeats_nothing_and_delays_nothing() {
        let schedule = schedule(NIGHTLY);
        let mut agenda = Agenda::new(&schedule, at("2026-01-01T01:59:30Z"));
        agenda.look(&schedule, at("2026-01-01T02:00:10Z"));
        assert_eq!(
            agenda.look(&schedule, at("2026-01-01T01:56:00Z")),
            Look::Early
        );
        assert_eq!(
            agenda.look(&schedule, at("2026-01-01T02:00:00Z")),
            Look::Early
        );
        assert_eq!(agenda.due(), Some(at("2026-01-02T02:00:00Z")));
    }

    #[test]
    fn many_little_steps_back_are_one_long_one() {
        let schedule = schedule(NIGHTLY);
        let mut agenda = Agenda::new(&schedule, at("2026-01-01T02:00:00Z"));
        assert_eq!(
            agenda.look(&schedule, at("2026-01-01T01:57:00Z")),
            Look::Early
        );
        let start = at("2026-01-01T02:00:00Z");
        assert_eq!(
            agenda.look(&schedule, at("2026-01-01T01:54:00Z")),
            Look::WentBack(start)
        );
        assert_eq!(agenda.due(), Some(start));
    }

    #[test]
    fn times_that_went_by_unseen_are_one_pass() {
        let schedule = schedule(NIGHTLY);
        let mut agenda = Agenda::new(&schedule, at("2026-01-01T12:00:00Z"));
        let morning = at("2026-01-05T09:00:00Z");
        assert_eq!(
            agenda.look(&schedule, morning),
            Look::Due(at("2026-01-02T02:00:00Z"))
        );
        assert_eq!(agenda.look(&schedule, morning), Look::Early);
        assert_eq!(agenda.due(), Some(at("2026-01-06T02:00:00Z")));
    }

    #[test]
    fn another_timetable_takes_no_time_that_has_gone_by() {
        let nightly = schedule(NIGHTLY);
        let mut agenda = Agenda::new(&nightly, at("2026-01-01T12:00:00Z"));
        agenda.look(&nightly, at("2026-01-01T13:10:00Z"));
        agenda.follow(&schedule("0 */20 * * * *"));
        assert_eq!(agenda.due(), Some(at("2026-01-01T13:20:00Z")));
    }
}
