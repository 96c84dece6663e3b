//! When the next passes are due, whatever the clock does.
//!
//! The schedule has a timetable, and each class may have its own. Timetables whose times come
//! at one instant make one pass. Between two looks a clock may have stood still (a suspended
//! machine), been put forward or back. The rule: no time of a timetable is taken twice unless
//! the clock went far back, and times that went by unseen are one pass together.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::tick::CLOCK_TOLERANCE;
use super::turn::{self, Turn};
use crate::ident::ClassId;
use crate::schedule::Schedule;

/// The next time of each timetable, and how far the clock has been followed.
#[derive(Debug)]
pub(super) struct Agenda {
    /// No time up to here will be taken again.
    reached: DateTime<Utc>,
    /// By class; the schedule's own is `None`. A timetable that has no further time is missing.
    next: BTreeMap<Option<ClassId>, DateTime<Utc>>,
}

/// What a look at the clock showed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// Nothing is due yet.
    Early,
    /// Times of the timetables have come: the first that was not taken yet, and whose they are.
    Due(DateTime<Utc>, Turn),
    /// The clock has gone back by more than clocks may differ, from this instant.
    WentBack(DateTime<Utc>),
}

impl Agenda {
    pub(super) fn new(schedule: &Schedule, now: DateTime<Utc>) -> Self {
        Self {
            reached: now,
            next: all(schedule, now),
        }
    }

    /// The next time of any timetable; none after the year 2100.
    pub(super) fn due(&self) -> Option<DateTime<Utc>> {
        self.next.values().min().copied()
    }

    /// Whose time that is.
    pub(super) fn turn(&self) -> Turn {
        let mut turn = Turn::default();
        let first = self.due();
        for (id, at) in &self.next {
            if Some(*at) == first {
                turn.join(Turn::of(id.as_ref()));
            }
        }
        turn
    }

    /// The next times of the classes that have a timetable of their own.
    pub(super) fn own(&self) -> impl Iterator<Item = (&ClassId, DateTime<Utc>)> {
        let next = self.next.iter();
        next.filter_map(|(id, at)| Some((id.as_ref()?, *at)))
    }

    /// Looks at the clock.
    pub(super) fn look(&mut self, schedule: &Schedule, now: DateTime<Utc>) -> Look {
        if self.reached - now > CLOCK_TOLERANCE {
            let from = self.reached;
            *self = Self::new(schedule, now);
            return Look::WentBack(from);
        }
        self.reached = self.reached.max(now);
        let Some(first) = self.due().filter(|due| *due <= now) else {
            return Look::Early;
        };
        let mut turn = Turn::default();
        for id in turn::timetables(schedule) {
            let id = id.cloned();
            if self.next.get(&id).is_none_or(|at| *at > now) {
                continue;
            }
            turn.join(Turn::of(id.as_ref()));
            match next(schedule, id.as_ref(), self.reached) {
                Some(at) => self.next.insert(id, at),
                None => self.next.remove(&id),
            };
        }
        Look::Due(first, turn)
    }

    /// Takes over other timetables.
    pub(super) fn follow(&mut self, schedule: &Schedule) {
        self.next = all(schedule, self.reached);
    }
}

fn all(schedule: &Schedule, after: DateTime<Utc>) -> BTreeMap<Option<ClassId>, DateTime<Utc>> {
    turn::timetables(schedule)
        .filter_map(|id| Some((id.cloned(), next(schedule, id, after)?)))
        .collect()
}

fn next(schedule: &Schedule, id: Option<&ClassId>, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let every = id.map_or_else(|| schedule.every(), |id| schedule.every_of(id));
    every.next_after(after, schedule.time_zone())
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

    /// The schedule's own timetable alone.
    fn due(text: &str) -> Look {
        Look::Due(at(text), Turn::of(None))
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
            due("2026-01-01T02:00:00Z")
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
        assert_eq!(agenda.look(&schedule, morning), due("2026-01-02T02:00:00Z"));
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

    /// Two classes with timetables of their own, beside one that follows the schedule's.
    fn with_own(every: &str, hourly: &str, mondays: &str) -> Schedule {
        let own = |id: &str, every: &str| {
            format!(
                "[[class]]\nid = \"{id}\"\ntitle = \"X\"\ntable = \"{id}\"\ndisposal = \"delete\"\n\
                 trigger = \"closed_on\"\nperiod = \"1 year\"\nauthority = \"A\"\nevery = \"{every}\"\n"
            )
        };
        let head = schedule(every);
        let text = format!(
            "{}{}{}",
            head.text(),
            own("hourly", hourly),
            own("mondays", mondays)
        );
        crate::schedule::parse(&text, "retention.toml").unwrap()
    }

    fn turn(rest: bool, own: &[&str]) -> Turn {
        let own = own.iter().map(|id| ClassId::new(id).unwrap()).collect();
        Turn { rest, own }
    }

    #[test]
    fn classes_whose_times_come_together_go_together() {
        // 5 January 2026 is a Monday.
        let schedule = with_own(NIGHTLY, "0 0 * * * *", "0 0 2 * * mon");
        let mut agenda = Agenda::new(&schedule, at("2026-01-05T00:30:00Z"));
        let mut seen = Vec::new();
        while let Some(now) = agenda
            .due()
            .filter(|at| *at < "2026-01-05T03:30:00Z".parse::<DateTime<Utc>>().unwrap())
        {
            assert_eq!(
                agenda.look(&schedule, now - chrono::TimeDelta::microseconds(1)),
                Look::Early
            );
            let announced = agenda.turn();
            let Look::Due(first, turn) = agenda.look(&schedule, now) else {
                panic!("nothing was due at {now}");
            };
            assert_eq!((first, &announced), (now, &turn));
            seen.push((first, turn));
        }
        let expected = [
            (at("2026-01-05T01:00:00Z"), turn(false, &["hourly"])),
            (
                at("2026-01-05T02:00:00Z"),
                turn(true, &["hourly", "mondays"]),
            ),
            (at("2026-01-05T03:00:00Z"), turn(false, &["hourly"])),
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn times_of_several_classes_that_went_by_unseen_are_one_pass() {
        let schedule = with_own(NIGHTLY, "0 0 * * * *", "0 0 2 * * mon");
        let mut agenda = Agenda::new(&schedule, at("2026-01-05T12:30:00Z"));
        let woken = at("2026-01-06T09:10:00Z");
        assert_eq!(
            agenda.look(&schedule, woken),
            Look::Due(at("2026-01-05T13:00:00Z"), turn(true, &["hourly"]))
        );
        assert_eq!(agenda.look(&schedule, woken), Look::Early);
        assert_eq!(agenda.due(), Some(at("2026-01-06T10:00:00Z")));
        let own: Vec<_> = agenda.own().map(|(id, at)| (id.as_str(), at)).collect();
        assert_eq!(
            own,
            [
                ("hourly", at("2026-01-06T10:00:00Z")),
                ("mondays", at("2026-01-12T02:00:00Z"))
            ]
        );
    }

    #[test]
    fn a_pass_over_the_rest_leaves_the_others_to_their_own_timetables() {
        let schedule = with_own(NIGHTLY, "0 0 * * * *", "0 0 2 * * mon");
        let ids = |ids: &[&str]| {
            ids.iter()
                .map(|id| ClassId::new(id).unwrap())
                .collect::<Vec<_>>()
        };
        let whole = turn(true, &["hourly", "mondays"]);
        assert_eq!(whole.classes(&schedule), (ids(&[]), ids(&[])));
        let night = turn(true, &["hourly"]);
        assert_eq!(night.classes(&schedule), (ids(&[]), ids(&["mondays"])));
        let hour = turn(false, &["hourly"]);
        assert_eq!(hour.classes(&schedule), (ids(&["hourly"]), ids(&[])));
    }
}
