//! The only room that changes an organisation's tables.
//!
//! It executes a [`Plan`] and decides nothing. Every batch is one transaction that takes
//! the decisions' lock, compares the epoch with the plan's and the token with its
//! [`Lease`](crate::store::Lease), changes rows by statements that judge them again, and
//! writes their ledger entries and its position before it commits: all of it happened, or
//! nothing. Stopping is possible between batches only.

mod batch;
mod class;
mod direct;
mod entries;
mod erase;
mod error;
mod files;
mod follow;
mod guard;
mod keys;
mod limit;
mod locked;
mod log;
mod pass;
mod position;
mod report;
mod rows;

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use tokio_util::sync::CancellationToken;

use crate::files::Stores;
use crate::ident::ClassId;
use crate::ledger::publish::Log;
use crate::ledger::store::Signed;
use crate::plan::Plan;

pub use erase::{ErasureReport, ErasureStatus, Maintenance, erase};
pub use error::EnforceError;
pub use guard::{Guards, Why};
pub use pass::pass;
pub use report::{ClassReport, Outcome, ProcessorReport, RunReport, Skipped, Status};

/// How hard the database may be worked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Throttle {
    /// The share of time that batches may take, over 0 and up to 1.
    pub duty_cycle: f64,
    /// How long a batch should take.
    pub batch: Duration,
    /// Rows of the first batch; later ones follow from how long it took.
    pub first: i64,
    /// The most rows in a batch.
    pub most: i64,
}

impl Throttle {
    /// As fast as it goes (`run --full-speed`).
    pub const FULL_SPEED: Self = Self {
        duty_cycle: 1.0,
        batch: Duration::from_millis(200),
        first: 2_000,
        most: 50_000,
    };

    /// Considerate: half the time is left to others.
    pub const CONSIDERATE: Self = Self {
        duty_cycle: 0.5,
        batch: Duration::from_millis(150),
        first: 500,
        most: 10_000,
    };
}

/// What a pass needs beside its plan.
pub struct Pass<'a> {
    /// Who ordered it: `service`, or an operator.
    pub actor: &'a str,
    /// This process, as another sees it in a lease.
    pub holder: &'a str,
    /// How long to wait for a lease.
    pub patience: Duration,
    /// How hard to work.
    pub throttle: Throttle,
    /// Where files lie.
    pub stores: &'a Stores,
    /// Where the ledger is signed and published; without one it is only sealed.
    pub log: Option<&'a Log>,
    /// Only these classes; empty for all.
    pub only: &'a [ClassId],
    /// None of these: their own timetables call them at other times.
    pub but: &'a [ClassId],
    /// When the next pass over a class is due, so that each sweep ends in time; `None` to
    /// finish it now.
    pub next: &'a (dyn Fn(&ClassId) -> Option<DateTime<Utc>> + Sync),
    /// What it waits for between batches; `None` where a person ordered it.
    pub guards: Option<&'a Guards>,
    /// Asked between batches.
    pub stop: &'a CancellationToken,
    /// Told what happens. Never told of a record's contents or key.
    pub observe: &'a (dyn Fn(Event<'_>) + Sync),
}

impl Pass<'_> {
    /// Whether the pass is over this class.
    pub(crate) fn takes(&self, id: &ClassId) -> bool {
        (self.only.is_empty() || self.only.contains(id)) && !self.but.contains(id)
    }
}

/// What an observer is told.
#[derive(Debug)]
pub enum Event<'a> {
    /// A class is begun.
    Began(&'a crate::plan::ClassPlan),
    /// A batch was committed: records acted on so far in this class, and how long it took.
    Batch(&'a crate::ident::ClassId, u64, Duration),
    /// The pass waits before the next batch of a class, and why. Said again while it waits.
    Waits(&'a crate::ident::ClassId, Why),
    /// It goes on although the reason is still there: its patience has run out.
    Impatient(&'a crate::ident::ClassId, Why),
    /// A class is finished, or was passed over.
    Ended(&'a ClassReport),
    /// Something failed; already in words that may be logged.
    Trouble(&'a crate::ident::ClassId, &'a str),
    /// The ledger was published up to this checkpoint.
    Published(&'a Signed),
    /// The ledger could not be sealed or published; why, in words that may be logged. Tried
    /// again after the next batch.
    Unpublished(&'a str),
    /// The ledger was published last from elsewhere, as these words say; its head agrees.
    Moved(&'static str),
}

/// The time within a pass: the plan's instant, moved on by a clock that only runs forwards.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PassClock {
    began: DateTime<Utc>,
    since: Instant,
}

impl PassClock {
    pub(crate) fn of(plan: &Plan) -> Self {
        Self {
            began: plan.now(),
            since: Instant::now(),
        }
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        let passed = TimeDelta::from_std(self.since.elapsed()).unwrap_or(TimeDelta::zero());
        let micros = passed.num_microseconds().unwrap_or(0);
        self.began + TimeDelta::microseconds(micros)
    }
}
