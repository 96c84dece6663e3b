//! What a pass did, in the shape of `json.md`.

use base64::Engine as _;
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::erase::{ErasureReport, ErasureStatus};
use crate::ident::ClassId;
use crate::ledger::details::YearDetails;
use crate::ledger::publish::SinkReport;

/// One pass.
#[derive(Debug, Clone, Serialize)]
pub struct RunReport {
    /// Its number.
    pub id: i64,
    /// The digest of the plan that it began with, `sha256:…`.
    pub plan: String,
    /// The version of the schedule that it went by, `sha256:…`.
    pub schedule: String,
    /// A version that waited for acceptance meanwhile.
    pub waiting_schedule: Option<String>,
    /// When it began.
    pub started: DateTime<Utc>,
    /// When it ended.
    pub finished: DateTime<Utc>,
    /// How it ended.
    pub outcome: Outcome,
    /// The classes that it was ordered for; empty for every one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub only: Vec<ClassId>,
    /// The classes that it left to their own timetables.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub but: Vec<ClassId>,
    /// The classes, in the schedule's order.
    pub classes: Vec<ClassReport>,
    /// What became of the files of tables, for classes that ask for secure erasure.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub erasures: Vec<ErasureReport>,
    /// What processors hold, and what they were told.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub processors: Vec<ProcessorReport>,
    /// Years whose details in the ledger were to be dropped.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<YearDetails>,
    /// How many requests for erasure have records that are there again, which nobody has
    /// looked at.
    #[serde(skip_serializing_if = "none")]
    pub returned: u64,
    /// How many ledger entries it wrote.
    pub entries: u64,
    /// The checkpoint that it published.
    pub checkpoint: Option<Head>,
    /// Why the ledger could not be published. What was done is in the database all the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unpublished: Option<String>,
    /// How the receivers of what is published stand.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sinks: Vec<SinkReport>,
}

/// Where the sealed log stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Head {
    /// How many entries it has.
    pub size: u64,
    /// Its root, in base64.
    pub root: String,
}

impl Head {
    pub(super) fn new(size: u64, root: &[u8; 32]) -> Self {
        Self {
            size,
            root: base64::engine::general_purpose::STANDARD.encode(root),
        }
    }
}

/// How a pass ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Every class was dealt with, or waits, or keeps its records.
    Completed,
    /// Some class was refused or failed, or some record was set aside.
    Partial,
    /// No class could be dealt with.
    Failed,
    /// It was asked to stop.
    Stopped,
}

/// What was done under one class.
#[derive(Debug, Clone, Serialize)]
pub struct ClassReport {
    /// The class.
    pub id: ClassId,
    /// `flag`, `anonymise`, `delete` or `retain`.
    pub disposal: &'static str,
    /// How it went.
    pub status: Status,
    /// Records flagged.
    pub flagged: u64,
    /// Records anonymised.
    pub anonymised: u64,
    /// Records deleted.
    pub deleted: u64,
    /// Dependants deleted with them.
    pub dependants: u64,
    /// Rows that stay and no longer refer to them.
    pub unlinked: u64,
    /// Files removed.
    pub files: u64,
    /// Past records that were passed over.
    pub skipped: Skipped,
    /// Records that failed by themselves and were set aside, and files that could not be removed.
    pub failed: u64,
    /// How long it took.
    pub seconds: f64,
    /// Batches that changed something.
    pub batches: u64,
    /// Past records that wait for a person.
    pub waiting: u64,
    /// Past records that one class orders to go and another to keep.
    pub conflict: u64,
    /// Why it was refused or failed, or which limit it waits at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl ClassReport {
    pub(super) fn new(id: ClassId, disposal: &'static str, status: Status) -> Self {
        Self {
            id,
            disposal,
            status,
            flagged: 0,
            anonymised: 0,
            deleted: 0,
            dependants: 0,
            unlinked: 0,
            files: 0,
            skipped: Skipped::default(),
            failed: 0,
            seconds: 0.0,
            batches: 0,
            waiting: 0,
            conflict: 0,
            reason: None,
        }
    }

    /// Records flagged, anonymised or deleted.
    #[must_use]
    pub fn acted(&self) -> u64 {
        self.flagged + self.anonymised + self.deleted
    }
}

/// What a processor holds under one class, after the pass.
#[derive(Debug, Clone, Serialize)]
pub struct ProcessorReport {
    /// The class.
    pub id: ClassId,
    /// Who holds it.
    pub processor: String,
    /// `instructed` where the pass told it to destroy the data, else as in a plan.
    pub status: &'static str,
    /// 1 where it is past and waits for a person here.
    pub waiting: u64,
    /// The number of the instruction to destroy, as the letter has it.
    pub reference: Option<String>,
}

/// Past records that were passed over, by reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// A hold protects them, or something that hangs on them.
    pub held: u64,
    /// They, or something that hangs on them, changed after they were chosen.
    pub changed: u64,
    /// The class was over a limit.
    pub limit: u64,
}

/// How a class went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Everything due was dealt with.
    Done,
    /// It waits for a person.
    Waiting,
    /// It does not fit the database.
    Refused,
    /// It could not be finished.
    Failed,
    /// It keeps its records.
    Retained,
    /// Nothing was due, or it was not asked for.
    Idle,
}

fn none(count: &u64) -> bool {
    *count == 0
}

impl RunReport {
    /// 1 when a class failed or was refused, a record was set aside or the ledger could not
    /// be published everywhere, 3 when something
    /// waits for a person, else 0.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        let failed =
            |c: &ClassReport| matches!(c.status, Status::Failed | Status::Refused) || c.failed > 0;
        let erasure = |status| self.erasures.iter().any(|e| e.status == status);
        if self.classes.iter().any(failed)
            || self.unpublished.is_some()
            || self.sinks.iter().any(|sink| sink.failure.is_some())
            || erasure(ErasureStatus::Failed)
        {
            1
        } else if self.waiting_schedule.is_some()
            || self.returned > 0
            || erasure(ErasureStatus::Waiting)
            || self.details.iter().any(|year| !year.dropped)
            || self.processors.iter().any(|class| class.waiting > 0)
            || self
                .classes
                .iter()
                .any(|c| c.waiting > 0 || c.conflict > 0 || c.status == Status::Waiting)
        {
            3
        } else {
            0
        }
    }
}
