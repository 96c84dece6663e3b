//! A pass as the log has it: a message and fields, never a record's key or contents.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use crate::enforce::{ClassReport, Event, Outcome, RunReport, Status};
use crate::ident::ClassId;
use crate::plan::Standing;

/// Tells what happens in a pass, and in those that try it again: the same trouble with a
/// class once, however many records or tries meet it.
#[derive(Debug, Default)]
pub(super) struct Teller {
    told: Mutex<BTreeSet<(ClassId, String)>>,
    /// What the pass waited for.
    waits: Mutex<BTreeSet<&'static str>>,
}

impl Teller {
    /// Tells of an event.
    pub(super) fn tell(&self, event: Event<'_>) {
        match event {
            Event::Trouble(class, words) => {
                if self.is_new(class, words) {
                    tracing::error!(class = class.as_str(), error = words, "class in trouble");
                } else {
                    tracing::debug!(
                        class = class.as_str(),
                        error = words,
                        "class in trouble as before"
                    );
                }
            }
            Event::Ended(report) if report.status == Status::Refused => {
                let (class, words) = (&report.id, report.reason.as_deref().unwrap_or_default());
                if self.is_new(class, words) {
                    tracing::error!(
                        class = class.as_str(),
                        error = words,
                        "class refused: it does not fit the database"
                    );
                }
            }
            // The log says it itself, whoever publishes.
            Event::Published(_) => {}
            Event::Unpublished(words) => {
                tracing::error!(error = words, "ledger not sealed or published");
            }
            Event::Moved(what) => {
                tracing::warn!(
                    now = what,
                    "ledger was published last from elsewhere; its head agrees"
                );
            }
            Event::Waits(class, why) => {
                let mut waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
                if waits.insert(why.words()) {
                    tracing::warn!(
                        class = class.as_str(),
                        why = why.words(),
                        "pass waits between batches"
                    );
                }
            }
            Event::Impatient(class, why) => {
                tracing::warn!(
                    class = class.as_str(),
                    why = why.words(),
                    "pass has waited long enough and goes on"
                );
            }
            Event::Ended(report) => ended(report),
            Event::Began(class) => {
                let (id, disposal) = (class.id.as_str(), class.disposal);
                if class.standing == Standing::Ready {
                    tracing::info!(class = id, disposal, "class begun");
                } else {
                    tracing::debug!(class = id, disposal, standing = ?class.standing, "class begun");
                }
            }
            Event::Batch(class, records, took) => {
                tracing::debug!(
                    class = class.as_str(),
                    records,
                    seconds = took.as_secs_f64(),
                    "batch committed"
                );
            }
        }
    }

    fn is_new(&self, class: &ClassId, words: &str) -> bool {
        // What was told is as good after a panic as before.
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.insert((class.clone(), words.to_owned()))
    }
}

fn ended(report: &ClassReport) {
    /// A level is part of a place in the program, hence not a value.
    macro_rules! say {
        ($level:ident, $message:literal) => {
            tracing::$level!(
                class = report.id.as_str(),
                disposal = report.disposal,
                status = ?report.status,
                flagged = report.flagged,
                anonymised = report.anonymised,
                deleted = report.deleted,
                dependants = report.dependants,
                files = report.files,
                held = report.skipped.held,
                changed = report.skipped.changed,
                limit = report.skipped.limit,
                waiting = report.waiting,
                conflict = report.conflict,
                failed = report.failed,
                batches = report.batches,
                seconds = report.seconds,
                $message
            )
        };
    }
    match report.status {
        // What failed was told when it happened.
        Status::Failed | Status::Refused => say!(warn, "class ended before its end"),
        _ if report.failed > 0 => say!(warn, "class ended; records or files were set aside"),
        _ if report.status == Status::Waiting || report.waiting > 0 || report.conflict > 0 => {
            say!(warn, "class ended; records wait for a person");
        }
        Status::Done | Status::Waiting => say!(info, "class ended"),
        Status::Retained | Status::Idle => say!(debug, "class ended"),
    }
}

/// Tells how a whole pass went.
pub(super) fn tell_whole(report: &RunReport) {
    let sum = |count: fn(&ClassReport) -> u64| report.classes.iter().map(count).sum::<u64>();
    let took = (report.finished - report.started).as_seconds_f64();
    macro_rules! say {
        ($level:ident) => {
            tracing::$level!(
                run = report.id,
                plan = report.plan,
                outcome = ?report.outcome,
                flagged = sum(|class| class.flagged),
                anonymised = sum(|class| class.anonymised),
                deleted = sum(|class| class.deleted),
                dependants = sum(|class| class.dependants),
                files = sum(|class| class.files),
                failed = sum(|class| class.failed),
                entries = report.entries,
                seconds = took,
                "pass ended"
            )
        };
    }
    match report.outcome {
        Outcome::Completed | Outcome::Stopped => say!(info),
        Outcome::Partial | Outcome::Failed => say!(warn),
    }
}
