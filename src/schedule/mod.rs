//! The schedule: from the text of `retention.toml` to a value that cannot be wrong.
//!
//! [`parse`] gives a whole [`Schedule`] or *all* that is wrong with the file, each
//! fault with its place. Everybody after it works with values whose invariants hold
//! and parses nothing again. A key that this version does not enforce is refused,
//! not ignored: what the file says is done, or it is not run. Nothing here asks a
//! database, reads a clock or waits for anything.

pub mod change;
mod class;
pub mod condition;
pub mod diagnostics;
mod digest;
pub mod json_schema;
pub mod limits;
pub mod period;
mod processor;
pub mod publish;
mod punctual;
mod read;
mod relation;
pub mod rounding;
pub mod timetable;
mod why;
pub mod zone;

use chrono::{DateTime, Datelike, Months, NaiveDate, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;

pub use change::{Change, changes};
pub use class::{
    Anonymisation, Class, Dependant, Disposal, Dispose, Erasure, Fate, FileColumn, Gate, Limit,
    Places, Relation, Rule, Stage, Strategy, Trigger, TriggerColumn,
};
pub use condition::Condition;
pub use diagnostics::{Code, Diagnostic, Diagnostics, Place, Severity};
pub use limits::{Accept, Limits};
pub use period::{Cutoff, Period};
pub use processor::{ProcessorClass, Term};
pub use punctual::{Lateness, lateness};
pub use read::known_keys;
pub use rounding::EndOf;
pub use timetable::Timetable;
pub use why::CountedFrom;

use crate::ident::ClassId;

/// What a text, or the remark behind a value, begins with where `init` wrote it for a person
/// to replace. `check` warns of what is left.
pub const PLACEHOLDER: &str = "PLACEHOLDER";

/// A trigger before this day is a sentinel (1900, 1970, `-infinity`), and nothing
/// is ever due by it, unless the class has a `plausible_from` of its own.
pub const PLAUSIBLE_FROM: NaiveDate = match NaiveDate::from_ymd_opt(1990, 1, 1) {
    Some(date) => date,
    None => NaiveDate::MIN,
};

/// A schedule that was read and found right, as far as the file alone can say.
#[derive(Debug, Clone)]
pub struct Schedule {
    organisation: String,
    time_zone: Tz,
    every: Timetable,
    accept: Accept,
    details_kept: Option<Period>,
    appeal_window: Option<Period>,
    classes: Vec<Class>,
    processors: Vec<ProcessorClass>,
    digest: [u8; 32],
    file_digest: [u8; 32],
    file: String,
    text: String,
    warnings: Vec<Diagnostic>,
    /// Where the keys of `[schedule]` stand.
    places: std::collections::BTreeMap<String, Place>,
}

/// Reads a schedule. `file` is its name for messages; nothing is opened.
///
/// # Errors
/// With every fault of the file, each with its place. Where the file is not TOML,
/// only that is told, since the rest would be guesswork.
pub fn parse(text: &str, file: &str) -> Result<Schedule, Diagnostics> {
    read::schedule(text, file)
}

impl Schedule {
    /// Whose schedule it is.
    #[must_use]
    pub fn organisation(&self) -> &str {
        &self.organisation
    }

    /// The zone whose civil dates are counted.
    #[must_use]
    pub fn time_zone(&self) -> Tz {
        self.time_zone
    }

    /// When passes start.
    #[must_use]
    pub fn every(&self) -> &Timetable {
        &self.every
    }

    /// When passes over a class start: its own timetable, or the schedule's.
    #[must_use]
    pub fn every_of(&self, id: &ClassId) -> &Timetable {
        let own = self.class(id).and_then(Class::every);
        own.unwrap_or(&self.every)
    }

    /// What happens with a version that changes more than words.
    #[must_use]
    pub fn accept(&self) -> Accept {
        self.accept
    }

    /// How long the ledger's details are kept; for ever if nothing is said.
    #[must_use]
    pub fn details_kept(&self) -> Option<Period> {
        self.details_kept
    }

    /// How long whoever asked for information may appeal, as far as the schedule says.
    #[must_use]
    pub fn appeal_window(&self) -> Option<Period> {
        self.appeal_window
    }

    /// The day before which nothing goes that a request for information of this day is about: its
    /// answer, an internal review and a complaint to the regulator take three months, unless the
    /// schedule says otherwise. `None` beyond the calendar.
    #[must_use]
    pub fn appeals_until(&self, asked_on: NaiveDate) -> Option<NaiveDate> {
        match self.appeal_window {
            Some(window) => window.last_day(asked_on),
            None => asked_on.checked_add_months(Months::new(3)),
        }
    }

    /// The last year of whose ledger entries all details are past at `now`. Years of the
    /// ledger are counted in UTC, and days in the schedule's zone.
    #[must_use]
    pub fn details_past(&self, now: DateTime<Utc>) -> Option<i32> {
        let period = self.details_kept?;
        let day = |at: DateTime<Utc>| at.with_timezone(&self.time_zone).date_naive();
        let is_past = |year: &i32| {
            let next = NaiveDate::from_ymd_opt(year + 1, 1, 1)?.and_time(NaiveTime::MIN);
            let end = next.and_utc() - TimeDelta::microseconds(1);
            Some(end < now && period.last_day(day(end))? < day(now))
        };
        (1970..now.year())
            .rev()
            .find(|year| is_past(year) == Some(true))
    }

    /// The classes of rows, in the order of the file; each id once, over these and the
    /// processors' together, of which there is at least one.
    #[must_use]
    pub fn classes(&self) -> &[Class] {
        &self.classes
    }

    /// A class by its id.
    #[must_use]
    pub fn class(&self, id: &ClassId) -> Option<&Class> {
        self.classes.iter().find(|class| class.id() == id)
    }

    /// The classes whose data somebody else holds, in the order of the file.
    #[must_use]
    pub fn processors(&self) -> &[ProcessorClass] {
        &self.processors
    }

    /// A class whose data somebody else holds, by its id.
    #[must_use]
    pub fn processor(&self, id: &ClassId) -> Option<&ProcessorClass> {
        self.processors.iter().find(|class| class.id() == id)
    }

    /// The ids of all of them, those of the processors' last.
    pub fn ids(&self) -> impl Iterator<Item = &ClassId> {
        let processors = self.processors.iter().map(ProcessorClass::id);
        self.classes.iter().map(Class::id).chain(processors)
    }

    /// SHA-256 of what the schedule means. Comments, layout, the order of classes,
    /// titles and the wording of authority, lawful basis, owner and reason do not
    /// change it; the organisation, the zone and the timetable do.
    #[must_use]
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// SHA-256 of the file's bytes.
    #[must_use]
    pub fn file_digest(&self) -> &[u8; 32] {
        &self.file_digest
    }

    /// The file's name, as it was given.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The file's text, so that a later fault can be shown with its line.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What a person should know, though it stops nothing.
    #[must_use]
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }

    /// Faults found later (the database does not fit), to be shown in this file.
    #[must_use]
    pub fn diagnostics(&self, items: Vec<Diagnostic>) -> Diagnostics {
        Diagnostics::new(&self.file, &self.text, items)
    }
}
