//! The plan: what will be asked and done today, as an immutable value with no choices left
//! for whoever executes it.
//!
//! [`draft`] is pure. It takes the schedule, the database's catalogue, the decisions about
//! classes and the instant, and fixes cutoffs once for the whole pass. Every byte of SQL
//! that reads or changes an organisation's table is written here; single records' holds,
//! flags and quarantine are joined by that SQL, so that the statement which changes a row
//! judges everything again. A class that does not fit the database stands in the plan with
//! its refusals, and protects what it might claim.

mod advice;
mod anonymise;
mod compare;
mod counting;
mod coverage;
mod erase;
mod fit;
mod follow;
mod forecast;
mod hanging;
mod held;
mod judge;
mod key;
mod limit;
mod link;
mod parents;
mod privileges;
mod probe;
mod question;
mod queue;
mod related;
mod relations;
mod returned;
mod scan;
mod waiting;
mod work;

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::catalog::Catalog;
use crate::decisions::{Decisions, Epoch, Lift};
use crate::ident::{ClassId, TableName};
use crate::schedule::{Class, Diagnostic, Disposal, Gate, Limit, Rule, Schedule};

pub use advice::server_advice;
pub use compare::{Comparison, Difference, Undue, Version, class_and_step, compare};
pub use coverage::{PartlyClaimed, Uncovered, UncoveredTable, uncovered};
pub use erase::{ErasedTable, Erasing, Found as FoundRelation};
pub use follow::{
    AT_ONCE, Again, Dependant, Edge, FileOf, Follow, Referrer, Shared, SharedEdge, Verdict,
};
pub use forecast::{ForecastQuestion, Moment, Stretch, forecast, month_ends};
pub use held::{about, covered};
pub use key::{Key, KeyColumn};
pub use limit::{LimitKey, Limits, Measured, Over};
pub use parents::ParentQuestion;
pub use privileges::{ClassNeeds, Needed, Needs, Unreadable, needs, statements, together};
pub use probe::{Probe, probes};
pub use queue::Queue;
pub use related::{Read, Reads};
pub use returned::present;
pub use scan::{Bounded, DayAs, Direct, Scan};
pub use work::{Route, Work};

/// What one pass would do on one day.
#[derive(Debug, Clone)]
pub struct Plan {
    on: NaiveDate,
    now: DateTime<Utc>,
    time_zone: chrono_tz::Tz,
    epoch: Epoch,
    schedule_digest: [u8; 32],
    waiting: Option<[u8; 32]>,
    file_digest: [u8; 32],
    digest: [u8; 32],
    classes: Vec<ClassPlan>,
    order: Vec<usize>,
}

impl Plan {
    /// The day, in the schedule's zone.
    #[must_use]
    pub fn on(&self) -> NaiveDate {
        self.on
    }

    /// The instant that it was drawn for.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// The schedule's zone.
    #[must_use]
    pub fn time_zone(&self) -> chrono_tz::Tz {
        self.time_zone
    }

    /// The decisions that it was drawn with. At another epoch no batch of it may run.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The schedule's semantic digest.
    #[must_use]
    pub fn schedule_digest(&self) -> &[u8; 32] {
        &self.schedule_digest
    }

    /// The semantic digest of the version that waits for acceptance, and protects meanwhile.
    #[must_use]
    pub fn waiting(&self) -> Option<&[u8; 32]> {
        self.waiting.as_ref()
    }

    /// The SHA-256 of the schedule's file.
    #[must_use]
    pub fn file_digest(&self) -> &[u8; 32] {
        &self.file_digest
    }

    /// SHA-256 over the schedule's meaning, the day, the cutoffs and all SQL; not over the
    /// instant, counts or the epoch.
    #[must_use]
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// The classes in the schedule's order.
    #[must_use]
    pub fn classes(&self) -> &[ClassPlan] {
        &self.classes
    }

    /// A class by its id.
    #[must_use]
    pub fn class(&self, id: &ClassId) -> Option<&ClassPlan> {
        self.classes.iter().find(|class| &class.id == id)
    }

    /// The classes in the order of enforcement: whoever refers before whoever is referred to.
    pub fn in_order(&self) -> impl Iterator<Item = &ClassPlan> {
        self.order.iter().filter_map(|nth| self.classes.get(*nth))
    }
}

/// What is planned for one class.
#[derive(Debug, Clone)]
pub struct ClassPlan {
    /// The class.
    pub id: ClassId,
    /// What people call it.
    pub title: String,
    /// Its table.
    pub table: TableName,
    /// `flag`, `anonymise`, `delete` or `retain`.
    pub disposal: &'static str,
    /// Whether its period is a maximum.
    pub is_maximum: bool,
    /// Whether, and why not, it acts.
    pub standing: Standing,
    /// A record is past when its trigger's day is before this; none for `retain` and refusals.
    pub cutoff: Option<NaiveDate>,
    /// The class's semantic digest.
    pub digest: [u8; 32],
    /// Why it is refused; empty otherwise.
    pub refusals: Vec<Diagnostic>,
    /// Advice that does not keep it from acting.
    pub warnings: Vec<Diagnostic>,
    /// The statements that ask; none where refused.
    pub questions: Option<Questions>,
    /// What is done before the class's own disposal: notices, then stages.
    pub earlier: Vec<Work>,
    /// The statements that act; only where it is ready.
    pub work: Option<Work>,
    /// What bounds how much may go; only where it is ready, and something does.
    pub limits: Option<Limits>,
    /// How what is left of its rows is erased; only where the class asks for that.
    pub erasing: Option<Erasing>,
    /// The acceptance by which its limits are lifted once. Not in the plan's digest.
    pub lift: Option<Lift>,
    /// The class itself, for periods and last days.
    pub rule: Rule,
    /// Everything that bears on whether a remembered position still holds.
    pub basis: [u8; 32],
}

impl ClassPlan {
    /// Whether single records of it wait for reviewers.
    #[must_use]
    pub fn is_reviewed(&self) -> bool {
        match &self.rule {
            Rule::Dispose(dispose) => dispose.gate == Gate::Review,
            Rule::Retain { .. } => false,
        }
    }
}

/// Whether a class acts, and why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// It acts on what is due.
    Ready,
    /// It waits for a person: at its gate, or paused.
    Waiting,
    /// It does not fit the database.
    Refused,
    /// It keeps its records.
    Retained,
}

/// The statements that ask about a class's records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Questions {
    /// Thirteen numbers: claimed, due, held, conflict, waiting, retained by another,
    /// quarantined, overdue, done, without, implausible, future trigger, active. A class
    /// that retains answers the first alone.
    pub count: String,
    /// By dependant table, how many of its rows go with the due records.
    pub dependants: Vec<(String, String)>,
    /// The last day of the oldest overdue record.
    pub oldest: Option<String>,
    /// Two numbers, past records in conflict and past records that wait for a person;
    /// none where there can be neither.
    pub waits: Option<String>,
    /// What is to be said of the record with key `$1…`.
    pub explain: String,
    /// How a dependant's row leads to its record.
    pub parents: Vec<ParentQuestion>,
    /// How records are named.
    pub key: Key,
    /// What waits for reviewers. It does not count towards the plan's digest.
    #[serde(skip)]
    pub queue: Option<Queue>,
    /// The numbers of the holds that protect the record with key `$1…` itself.
    #[serde(skip)]
    pub holders: Option<String>,
}

/// Draws the plan of one day.
#[must_use]
pub fn draft(
    schedule: &Schedule,
    catalog: &Catalog,
    decisions: &Decisions,
    now: DateTime<Utc>,
) -> Plan {
    draft_beside(schedule, None, catalog, decisions, now)
}

/// Draws the plan of one day while another version of the schedule waits for acceptance:
/// only what both would let go goes.
#[must_use]
pub fn draft_beside(
    schedule: &Schedule,
    waiting: Option<&Schedule>,
    catalog: &Catalog,
    decisions: &Decisions,
    now: DateTime<Utc>,
) -> Plan {
    let on = now.with_timezone(&schedule.time_zone()).date_naive();
    let other = waiting.map(|waiting| waiting::Other::of(waiting, catalog, decisions, now));
    let other_judge = other.as_ref().map(|other| other.judge(catalog, decisions));
    let known = link::known(schedule, catalog);
    let fits = fits(schedule, catalog, &known);
    let mute = mutes(schedule, decisions, &fits);
    let relations: BTreeMap<ClassId, relations::Relations> = schedule
        .classes()
        .iter()
        .zip(&fits)
        .map(|(class, fit)| (class.id().clone(), fit.relations.clone()))
        .collect();
    let mut basis = basis(schedule, catalog, &mute);
    if let Some(other) = &other {
        basis = other.basis(basis, catalog);
    }
    let classes: Vec<ClassPlan> = schedule
        .classes()
        .iter()
        .zip(fits)
        .map(|(class, fit)| {
            let mute = mutes_before(&mute, class, &fit);
            let lift = decisions
                .lift(class.id())
                .filter(|lift| lift.schedule == *schedule.digest() && lift.on <= on);
            let judge = judge::Judge {
                schedule,
                catalog,
                decisions,
                // The cutoffs of a plan that was accepted are those of its day.
                today: lift.map_or(on, |lift| lift.on),
                mute: &mute,
                waiting: other_judge.as_ref(),
            };
            ClassPlan {
                lift,
                ..class_plan(&judge, class, fit, &relations, basis)
            }
        })
        .collect();
    let order = order(&classes, &known);
    let mut plan = Plan {
        on,
        now,
        time_zone: schedule.time_zone(),
        epoch: decisions.epoch(),
        schedule_digest: *schedule.digest(),
        waiting: waiting.map(|waiting| *waiting.digest()),
        file_digest: *schedule.file_digest(),
        digest: [0; 32],
        classes,
        order,
    };
    plan.digest = digest(&plan);
    plan
}

/// How each class fits the database, in the schedule's order.
fn fits(schedule: &Schedule, catalog: &Catalog, known: &[link::Link]) -> Vec<fit::Fit> {
    let mut fits: Vec<fit::Fit> = schedule
        .classes()
        .iter()
        .map(|class| {
            let mut fit = fit::fit(class, catalog, known);
            advice::advise(&mut fit, class, schedule, catalog);
            fit
        })
        .collect();
    privileges::refuse(&mut fits, schedule, catalog);
    fits
}

/// How the classes that are refused or paused stand before their rows.
fn mutes(
    schedule: &Schedule,
    decisions: &Decisions,
    fits: &[fit::Fit],
) -> BTreeMap<ClassId, judge::Mute> {
    schedule
        .classes()
        .iter()
        .zip(fits)
        .filter_map(|(class, fit)| {
            if fit.refusals.is_empty() {
                decisions
                    .paused(class.id())
                    .then(|| (class.id().clone(), judge::Mute::Claims))
            } else {
                Some((class.id().clone(), fit.mute()))
            }
        })
        .collect()
}

/// The same before one class: it asks about its own records as if it were not paused.
fn mutes_before(
    mute: &BTreeMap<ClassId, judge::Mute>,
    class: &Class,
    fit: &fit::Fit,
) -> BTreeMap<ClassId, judge::Mute> {
    let mut mute = mute.clone();
    if fit.refusals.is_empty() {
        mute.remove(class.id());
    }
    mute
}

fn class_plan(
    judge: &judge::Judge<'_>,
    class: &Class,
    fit: fit::Fit,
    relations: &BTreeMap<ClassId, relations::Relations>,
    basis: [u8; 32],
) -> ClassPlan {
    let table = judge.catalog.table(class.table());
    let mut fit = fit;
    fit.review_due(class, judge.today);
    let refused = !fit.refusals.is_empty();
    let standing = if refused {
        Standing::Refused
    } else if class.dispose().is_none() {
        Standing::Retained
    } else if judge.gate_closed(class) || judge.decisions.paused(class.id()) {
        Standing::Waiting
    } else {
        Standing::Ready
    };
    let (mut questions, mut earlier, mut work, mut limits) = (None, Vec::new(), None, None);
    if let (Some(table), false) = (table, refused) {
        let key = Key::of(table);
        let explain = question::explain(judge, class, &fit.relations, table, &key);
        let parents = parents::parents(judge, &fit.relations, table);
        let holders = held::holders(judge, table, &key);
        questions = Some(match class.dispose() {
            Some(dispose) => Questions {
                count: question::count(judge, class, dispose, &fit.relations, table),
                dependants: question::count_dependants(
                    judge,
                    class,
                    dispose,
                    &fit.relations,
                    table,
                    matches!(dispose.disposal, Disposal::Delete),
                ),
                oldest: Some(question::oldest(
                    judge,
                    class,
                    dispose,
                    &fit.relations,
                    table,
                )),
                waits: question::waits(judge, class, dispose, &fit.relations, table),
                queue: judge
                    .decisions
                    .recorded()
                    .then(|| queue::queue(judge, class, dispose, &fit.relations, table, &key))
                    .flatten(),
                holders,
                explain,
                parents,
                key,
            },
            None => Questions {
                count: format!(
                    "SELECT count(*) FROM {} AS t WHERE {}",
                    table.name.quoted(),
                    judge.claims(class, "t")
                ),
                dependants: Vec::new(),
                oldest: None,
                waits: None,
                queue: None,
                holders,
                explain,
                parents,
                key,
            },
        });
        if let (Standing::Ready, Some(dispose)) = (standing, class.dispose()) {
            earlier = work::earlier(judge, class, dispose, relations, table);
            work = Some(work::write(judge, class, dispose, &fit.relations, table));
            limits = limit::write(judge, class, dispose, &fit.relations, table);
        }
    }
    ClassPlan {
        id: class.id().clone(),
        title: class.title().to_owned(),
        table: class.table().clone(),
        disposal: class
            .dispose()
            .map_or("retain", |dispose| dispose.disposal.name()),
        is_maximum: class
            .dispose()
            .is_some_and(|dispose| dispose.limit == Limit::Maximum),
        standing,
        cutoff: if refused {
            None
        } else {
            class
                .dispose()
                .and_then(|d| d.first_step().cutoff(judge.today))
                .map(|c| c.date())
        },
        digest: *class.digest(),
        refusals: fit.refusals,
        warnings: fit.warnings,
        questions,
        earlier,
        work,
        limits,
        erasing: erase::write(class, judge.catalog),
        lift: None,
        rule: class.rule().clone(),
        basis,
    }
}

/// What a remembered position rests on besides the decision epoch: the schedule's meaning,
/// the tables as they are, and who is refused. Another basis starts again from the beginning.
fn basis(
    schedule: &Schedule,
    catalog: &Catalog,
    mute: &BTreeMap<ClassId, judge::Mute>,
) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(b"retentiond/basis/v1\0");
    hash.update(schedule.digest());
    for class in schedule.classes() {
        if let Some(table) = catalog.table(class.table()) {
            for column in &table.columns {
                hash.update(column.name.as_str());
                hash.update([0]);
                hash.update(&column.type_name);
                hash.update([0]);
            }
        }
        hash.update([u8::from(mute.contains_key(class.id()))]);
    }
    hash.finalize().into()
}

/// Whoever refers goes before whoever is referred to; otherwise the ids' order, since the
/// schedule's digest does not cover the order of the file.
fn order(classes: &[ClassPlan], known: &[link::Link]) -> Vec<usize> {
    let mut left: Vec<usize> = (0..classes.len()).collect();
    left.sort_by_key(|nth| &classes[*nth].id);
    let mut placed: Vec<usize> = Vec::new();
    while !left.is_empty() {
        let refers = |from: usize, to: usize| {
            let (from, to) = (&classes[from].table, &classes[to].table);
            from != to
                && known
                    .iter()
                    .any(|link| &link.from == from && &link.to == to)
        };
        let free = |nth: &usize| !left.iter().any(|other| refers(*other, *nth));
        let next = left.iter().position(free).unwrap_or(0);
        placed.push(left.remove(next));
    }
    placed
}

fn digest(plan: &Plan) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(b"retentiond/plan/v1\0");
    hash.update(plan.schedule_digest);
    hash.update(plan.waiting.unwrap_or_default());
    hash.update(plan.on.to_string());
    for class in &plan.classes {
        let sql = serde_json::to_vec(&(
            &class.id,
            class.standing,
            class.cutoff,
            &class.earlier,
            &class.work,
            &class.questions,
            &class.limits,
        ))
        .unwrap_or_default();
        hash.update((sql.len() as u64).to_be_bytes());
        hash.update(&sql);
        if let Some(erasing) = &class.erasing {
            let sql = serde_json::to_vec(erasing).unwrap_or_default();
            hash.update((sql.len() as u64).to_be_bytes());
            hash.update(&sql);
        }
    }
    hash.finalize().into()
}
