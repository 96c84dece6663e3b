//! A version of the schedule that waits for acceptance protects already: only what both
//! versions would let go goes (`rules.md`, rule 4).
//!
//! For what hangs on a record, "lets go" is rule 5's: no class of its own protects it. For
//! the record itself it is more: the waiting version must order at least as much for it. A
//! row that it does not claim any more, or would only anonymise, is not deleted under the old
//! one; nor is one with which it would let other things go.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use sha2::{Digest, Sha256};

use super::judge::{Judge, Mute, all, any, negated};
use crate::catalog::Catalog;
use crate::decisions::Decisions;
use crate::ident::ClassId;
use crate::schedule::{Class, Disposal, Dispose, Relation, Schedule};

/// The waiting version, held against the same database.
pub(super) struct Other<'a> {
    schedule: &'a Schedule,
    mute: BTreeMap<ClassId, Mute>,
    today: NaiveDate,
}

impl<'a> Other<'a> {
    pub fn of(
        schedule: &'a Schedule,
        catalog: &Catalog,
        decisions: &Decisions,
        now: DateTime<Utc>,
    ) -> Self {
        let known = super::link::known(schedule, catalog);
        let mute = schedule
            .classes()
            .iter()
            .zip(super::fits(schedule, catalog, &known))
            .filter_map(|(class, fit)| {
                let mute = if !fit.refusals.is_empty() {
                    fit.mute()
                } else if decisions.paused(class.id()) {
                    Mute::Claims
                } else {
                    return None;
                };
                Some((class.id().clone(), mute))
            })
            .collect();
        Self {
            schedule,
            mute,
            today: now.with_timezone(&schedule.time_zone()).date_naive(),
        }
    }

    pub fn judge<'b>(&'b self, catalog: &'b Catalog, decisions: &'b Decisions) -> Judge<'b> {
        Judge {
            schedule: self.schedule,
            catalog,
            decisions,
            today: self.today,
            mute: &self.mute,
            waiting: None,
        }
    }

    /// What a position rests on while this version protects as well.
    pub fn basis(&self, own: [u8; 32], catalog: &Catalog) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(b"retentiond/basis/waiting/v1\0");
        hash.update(own);
        hash.update(super::basis(self.schedule, catalog, &self.mute));
        hash.finalize().into()
    }
}

impl Judge<'_> {
    /// The waiting version would dispose of the row too, and at least as severely as `class`
    /// does; TRUE where none waits.
    pub fn released_there(&self, class: &Class, dispose: &Dispose, a: &str) -> String {
        let Some(there) = self.waiting else {
            return "TRUE".to_owned();
        };
        let ways = there
            .schedule
            .classes()
            .iter()
            .filter(|other| other.table() == class.table() && !there.mute.contains_key(other.id()))
            .filter_map(|other| Some((other, other.dispose()?)))
            .flat_map(|(other, rule)| {
                let steps = rule.steps_on(there.today).into_iter();
                steps.map(move |step| (other, step))
            })
            .filter(|(_, step)| orders_as_much(step, dispose))
            .map(|(other, step)| {
                all(vec![
                    there.claims(other, a),
                    there.past(other, &step, a),
                    there.let_go(other, &step, a),
                    there.governs(other, a),
                    negated(&there.active(class.table(), a)),
                ])
            });
        // What waits there, at a gate or for the end of a notice, is not let go yet.
        all(vec![
            any(ways.collect()),
            negated(&there.gated(class.table(), a)),
            negated(&there.in_notice(class.table(), a)),
        ])
    }
}

/// Whoever accepts `new` loses nothing by what `old` does before that.
fn orders_as_much(new: &Dispose, old: &Dispose) -> bool {
    let disposal = match (&new.disposal, &old.disposal) {
        (_, Disposal::Flag) | (Disposal::Delete, Disposal::Delete) => true,
        (Disposal::Delete, Disposal::Anonymise(_)) => true,
        (Disposal::Anonymise(new), Disposal::Anonymise(old)) => {
            old.iter().all(|column| new.contains(column))
        }
        _ => false,
    };
    if matches!(old.disposal, Disposal::Flag) {
        return disposal;
    }
    let dependants = |dispose: &Dispose| {
        let mut names: Vec<_> = dispose
            .dependants
            .iter()
            .map(|dependant| {
                let relation = dependant.relation.as_ref().map(Relation::text);
                (dependant.table.clone(), dependant.fate.name(), relation)
            })
            .collect();
        names.sort();
        names
    };
    let files = |dispose: &Dispose| {
        let mut names: Vec<_> = dispose
            .files
            .iter()
            .map(|file| (file.table.clone(), file.column.clone(), file.store.clone()))
            .collect();
        names.sort();
        names
    };
    disposal && dependants(new) == dependants(old) && files(new) == files(old)
}
