//! What passes of this process have done since it started.

use std::collections::BTreeMap;

use prometheus_client::metrics::histogram::Histogram;

use crate::enforce::{ClassReport, Event, Outcome, RunReport};
use crate::ident::ClassId;
use crate::schedule::Schedule;

/// Batches are meant to take 0.15 s; beyond a minute a statement is ended.
const BATCH_SECONDS: [f64; 10] = [0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 5.0, 60.0];

/// From nothing due to a night and more.
const PASS_SECONDS: [f64; 9] = [
    1.0, 5.0, 15.0, 60.0, 300.0, 1_800.0, 7_200.0, 28_800.0, 86_400.0,
];

/// How a pass went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PassOutcome {
    /// Every class was dealt with, or waits, or keeps its records.
    Completed,
    /// Some class was refused or failed, or some record was set aside.
    Partial,
    /// No class could be dealt with.
    Failed,
    /// The service was asked to stop.
    Stopped,
    /// It could not be begun, or broke off.
    BrokenOff,
    /// No version of the schedule was ever accepted.
    NotAccepted,
}

impl PassOutcome {
    pub(super) const ALL: [Self; 6] = [
        Self::Completed,
        Self::Partial,
        Self::Failed,
        Self::Stopped,
        Self::BrokenOff,
        Self::NotAccepted,
    ];

    /// As the label has it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Partial => "partial",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
            Self::BrokenOff => "broken_off",
            Self::NotAccepted => "not_accepted",
        }
    }
}

impl From<Outcome> for PassOutcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Completed => Self::Completed,
            Outcome::Partial => Self::Partial,
            Outcome::Failed => Self::Failed,
            Outcome::Stopped => Self::Stopped,
        }
    }
}

/// What was done with records, in the order of [`ACTIONS`].
type Done = [u64; ACTIONS.len()];

/// As the label has them.
pub(super) const ACTIONS: [&str; 6] = [
    "deleted",
    "anonymised",
    "flagged",
    "dependants",
    "unlinked",
    "files",
];

fn done(report: &ClassReport) -> Done {
    [
        report.deleted,
        report.anonymised,
        report.flagged,
        report.dependants,
        report.unlinked,
        report.files,
    ]
}

/// The counters. Clones share the histograms.
#[derive(Debug, Clone)]
pub(super) struct Tally {
    pub(super) disposed: BTreeMap<ClassId, Done>,
    passes: [u64; PassOutcome::ALL.len()],
    pub(super) batch_seconds: Histogram,
    pub(super) pass_seconds: Histogram,
    /// What of the pass at work is counted already.
    in_pass: BTreeMap<ClassId, Done>,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            disposed: BTreeMap::new(),
            passes: [0; PassOutcome::ALL.len()],
            batch_seconds: Histogram::new(BATCH_SECONDS),
            pass_seconds: Histogram::new(PASS_SECONDS),
            in_pass: BTreeMap::new(),
        }
    }
}

impl Tally {
    /// Classes that may act are counted from zero: a counter that appears with its first
    /// record shows no increase.
    pub(super) fn begin_with(&mut self, schedule: &Schedule) {
        for class in schedule.classes() {
            if class.dispose().is_some() {
                self.disposed.entry(class.id().clone()).or_default();
            }
        }
    }

    pub(super) fn heard(&mut self, event: &Event<'_>) {
        match event {
            Event::Batch(_, _, took) => self.batch_seconds.observe(took.as_secs_f64()),
            Event::Ended(report) => self.add(report),
            _ => {}
        }
    }

    pub(super) fn passed(&mut self, report: &RunReport) {
        // Also files that were removed after their class had ended.
        for class in &report.classes {
            self.add(class);
        }
        let took = report.finished - report.started;
        self.pass_seconds.observe(took.as_seconds_f64());
        self.not_passed(report.outcome.into());
    }

    pub(super) fn not_passed(&mut self, outcome: PassOutcome) {
        self.in_pass.clear();
        let at = PassOutcome::ALL.iter().position(|one| *one == outcome);
        if let Some(known) = at.and_then(|at| self.passes.get_mut(at)) {
            *known += 1;
        }
    }

    /// Counts what a class has done in this pass beyond what was counted before.
    fn add(&mut self, report: &ClassReport) {
        let now = done(report);
        let before = self.in_pass.entry(report.id.clone()).or_default();
        let total = self.disposed.entry(report.id.clone()).or_default();
        for ((total, before), now) in total.iter_mut().zip(before.iter_mut()).zip(now) {
            *total += now.saturating_sub(*before);
            *before = now;
        }
    }

    pub(super) fn passes(&self) -> impl Iterator<Item = (PassOutcome, u64)> {
        PassOutcome::ALL.into_iter().zip(self.passes)
    }
}
