//! What people decided, as plain values that a plan is drawn with.
//!
//! Decisions about single records and people (holds, flags, approvals) are not here: the
//! plan's SQL joins them, so that the statement which changes a row reads them itself.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use serde::Serialize;

use crate::ident::{ClassId, TableName};

/// Counts the decisions ever taken in a database. A batch whose plan was drawn at
/// another epoch must not act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Epoch(pub i64);

/// The decisions that bear on whole classes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decisions {
    epoch: Epoch,
    recorded: bool,
    instructed: BTreeSet<ClassId>,
    paused: BTreeSet<ClassId>,
    lifted: BTreeMap<ClassId, Lift>,
    holds: Vec<RuleHold>,
    erasing: bool,
    elsewhere: Vec<ProcessorHold>,
}

/// A hold on every record of a class, or on those for which a condition is not FALSE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleHold {
    /// Its number.
    pub id: i64,
    /// The class.
    pub class: ClassId,
    /// The class's table when the hold was placed.
    pub table: TableName,
    /// The class's own condition then: a later version of the schedule does not lift a hold.
    pub claim: Option<String>,
    /// What else must not be FALSE.
    pub condition: Option<String>,
    /// The days on which it protects.
    pub binds: Binds,
}

/// A hold on a class whose data a processor holds: there is no table that it could cover.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessorHold {
    /// Its number.
    pub id: i64,
    /// The class.
    pub class: ClassId,
    /// The days on which it protects.
    pub binds: Binds,
}

/// On which days a hold protects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binds {
    /// Whether nobody has released it.
    pub is_open: bool,
    /// Its last day, if it has one.
    pub until: Option<NaiveDate>,
    /// It protects before this day, released or not.
    pub not_before: Option<NaiveDate>,
}

impl Binds {
    /// Whether it protects on a day.
    #[must_use]
    pub fn on(&self, day: NaiveDate) -> bool {
        let open = self.is_open && self.until.is_none_or(|until| until >= day);
        open || self.not_before.is_some_and(|until| until > day)
    }
}

/// An acceptance of a class's plan over its limits, not used up yet: the next pass goes by
/// that plan's day, and so its cutoffs, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lift {
    /// Its number.
    pub id: i64,
    /// The day of the plan that was accepted.
    pub on: NaiveDate,
    /// How many records were due in it. What comes on top counts against the limits.
    pub due: u64,
    /// The version of the schedule that it was a plan of; another one's limits are not lifted.
    pub schedule: [u8; 32],
}

impl Decisions {
    /// No decision about any class, as of `epoch`.
    #[must_use]
    pub fn none(epoch: Epoch) -> Self {
        Self {
            epoch,
            recorded: true,
            instructed: BTreeSet::new(),
            paused: BTreeSet::new(),
            lifted: BTreeMap::new(),
            holds: Vec::new(),
            erasing: false,
            elsewhere: Vec::new(),
        }
    }

    /// The decisions of a database that was never migrated: there can be none, and no
    /// holds, flags or quarantine to join either. A plan drawn with these can be looked
    /// at, and no batch of it can run.
    #[must_use]
    pub fn before_migration() -> Self {
        Self {
            recorded: false,
            ..Self::none(Epoch(0))
        }
    }

    /// Whether there is anywhere for a decision to be recorded.
    #[must_use]
    pub fn recorded(&self) -> bool {
        self.recorded
    }

    /// The same, with an instruction in force for a class.
    #[must_use]
    pub fn with_instruction(mut self, class: ClassId) -> Self {
        self.instructed.insert(class);
        self
    }

    /// The same, with a class paused.
    #[must_use]
    pub fn with_pause(mut self, class: ClassId) -> Self {
        self.paused.insert(class);
        self
    }

    /// The same, with the limits of a class lifted.
    #[must_use]
    pub fn with_lift(mut self, class: ClassId, lift: Lift) -> Self {
        self.lifted.insert(class, lift);
        self
    }

    /// The same, with a hold on a class or on a condition.
    #[must_use]
    pub fn with_hold(mut self, hold: RuleHold) -> Self {
        self.holds.push(hold);
        self
    }

    /// The same, with a person's request for erasure that is not fulfilled yet. Whose it is the
    /// plan's SQL reads.
    #[must_use]
    pub fn with_erasure(mut self) -> Self {
        self.erasing = true;
        self
    }

    /// Whether any person's records are to be erased before their time.
    #[must_use]
    pub fn erasing(&self) -> bool {
        self.erasing
    }

    /// The same, with a hold on a class that a processor holds.
    #[must_use]
    pub fn with_hold_elsewhere(mut self, hold: ProcessorHold) -> Self {
        self.elsewhere.push(hold);
        self
    }

    /// The numbers of the holds that name a class and protect on a day; those on a condition
    /// too, since what it would be true of cannot be asked elsewhere.
    #[must_use]
    pub fn holds_of_class(&self, class: &ClassId, on: NaiveDate) -> Vec<i64> {
        let here = self
            .holds
            .iter()
            .map(|hold| (hold.id, &hold.class, &hold.binds));
        let elsewhere = self
            .elsewhere
            .iter()
            .map(|hold| (hold.id, &hold.class, &hold.binds));
        let of_class = here
            .chain(elsewhere)
            .filter(|(_, of, binds)| *of == class && binds.on(on));
        let mut holds: Vec<i64> = of_class.map(|(id, ..)| id).collect();
        holds.sort_unstable();
        holds
    }

    /// The holds on classes and on conditions.
    #[must_use]
    pub fn holds(&self) -> &[RuleHold] {
        &self.holds
    }

    /// The acceptance by which the limits of a class are lifted.
    #[must_use]
    pub fn lift(&self, class: &ClassId) -> Option<Lift> {
        self.lifted.get(class).copied()
    }

    /// When these were read.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Whether the controller's instruction for a class is in force.
    #[must_use]
    pub fn instructed(&self, class: &ClassId) -> bool {
        self.instructed.contains(class)
    }

    /// Whether a class is paused: nothing of it is acted on, it still protects.
    #[must_use]
    pub fn paused(&self, class: &ClassId) -> bool {
        self.paused.contains(class)
    }
}
