//! Whose turn it is: which timetables call for a pass.

use std::collections::BTreeSet;

use crate::ident::ClassId;
use crate::schedule::Schedule;

/// The timetables whose times came, each class by its id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Turn {
    /// The schedule's own, which the rest of the classes and the processors follow.
    pub rest: bool,
    /// Those of single classes.
    pub own: BTreeSet<ClassId>,
}

impl Turn {
    /// The turn of one timetable: a class's, or the schedule's.
    #[must_use]
    pub fn of(timetable: Option<&ClassId>) -> Self {
        Self {
            rest: timetable.is_none(),
            own: timetable.cloned().into_iter().collect(),
        }
    }

    /// Takes another turn into the same pass.
    pub fn join(&mut self, other: Self) {
        self.rest |= other.rest;
        self.own.extend(other.own);
    }

    /// Whether it is nobody's.
    #[must_use]
    pub fn is_nobody(&self) -> bool {
        !self.rest && self.own.is_empty()
    }

    /// Which classes the pass is over by the version in force, which may be another than the
    /// one whose timetables called: only these (empty for all), and none of those.
    pub(super) fn classes(&self, acting: &Schedule) -> (Vec<ClassId>, Vec<ClassId>) {
        if !self.rest {
            return (self.own.iter().cloned().collect(), Vec::new());
        }
        let others = acting
            .classes()
            .iter()
            .filter(|class| class.every().is_some())
            .map(crate::schedule::Class::id)
            .filter(|id| !self.own.contains(*id));
        (Vec::new(), others.cloned().collect())
    }

    /// For the log.
    pub(super) fn words(&self) -> String {
        let rest = self.rest.then_some("those of the schedule's timetable");
        let own = self.own.iter().map(ClassId::as_str);
        let words: Vec<&str> = rest.into_iter().chain(own).collect();
        words.join(", ")
    }
}

/// The timetables of a schedule: its own, as `None`, and those of its classes.
pub(super) fn timetables(schedule: &Schedule) -> impl Iterator<Item = Option<&ClassId>> {
    let own = schedule.classes().iter();
    let own = own.filter(|class| class.every().is_some());
    std::iter::once(None).chain(own.map(|class| Some(class.id())))
}
