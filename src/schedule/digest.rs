//! What a schedule means, as bytes, and their SHA-256.
//!
//! Every value is written with its length before it and every choice with its
//! name, so that no two schedules share their bytes. The first value is the
//! version of this form: whoever changes the form changes it, since an acceptance
//! and an approval bind a digest.

use sha2::{Digest, Sha256};

use super::PLAUSIBLE_FROM;
use super::class::{Anonymisation, Class, Disposal, Dispose, Erasure, Relation, Rule, Trigger};
use super::condition::Condition;
use super::limits::{Accept, Limits};
use super::period::Period;
use super::processor::ProcessorClass;
use super::timetable::Timetable;
use crate::ident::Ident;

const CLASS_FORM: &str = "retentiond class, form 1";
const PROCESSOR_FORM: &str = "retentiond processor class, form 1";
const SCHEDULE_FORM: &str = "retentiond schedule, form 1";

/// Canonical bytes in the making.
struct Canonical(Sha256);

impl Canonical {
    fn new(form: &str) -> Self {
        let mut canonical = Self(Sha256::new());
        canonical.text(form);
        canonical
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len());
        self.0.update(bytes);
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// Eight bytes, big end first.
    fn number(&mut self, number: usize) {
        self.0.update((number as u64).to_be_bytes());
    }

    fn condition(&mut self, condition: Option<&Condition>) {
        match condition {
            None => self.number(0),
            Some(condition) => {
                self.number(1);
                self.text(&condition.text());
            }
        }
    }

    fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

/// SHA-256 of a text as it is.
pub(super) fn of_text(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// What the whole schedule means.
pub(super) fn of_schedule(
    organisation: &str,
    zone: chrono_tz::Tz,
    every: &Timetable,
    accept: Accept,
    (details_kept, appeal_window): (Option<Period>, Option<Period>),
    classes: &[Class],
    processors: &[ProcessorClass],
) -> [u8; 32] {
    let mut canonical = Canonical::new(SCHEDULE_FORM);
    canonical.text(organisation);
    canonical.text(zone.name());
    canonical.text(every.canonical());
    if accept != Accept::ByHand {
        canonical.text("accept");
        canonical.text(accept.name());
    }
    if let Some(period) = details_kept {
        canonical.text("details_kept");
        canonical.text(&period.interval_sql());
    }
    if let Some(period) = appeal_window {
        canonical.text("appeal_window");
        canonical.text(&period.interval_sql());
    }
    // Their order in the file is layout: which class decides never depends on it.
    let mut classes: Vec<&Class> = classes.iter().collect();
    classes.sort_by_key(|class| class.id().as_str());
    canonical.number(classes.len());
    let timetables: Vec<(&str, &str)> = classes
        .iter()
        .filter_map(|class| Some((class.id().as_str(), class.every()?.canonical())))
        .collect();
    for class in classes {
        canonical.bytes(class.digest());
    }
    if !processors.is_empty() {
        canonical.text("processors");
        let mut processors: Vec<&ProcessorClass> = processors.iter().collect();
        processors.sort_by_key(|class| class.id().as_str());
        canonical.number(processors.len());
        for class in processors {
            canonical.bytes(class.digest());
        }
    }
    // Not in the classes' own digests: another hour voids no approval.
    if !timetables.is_empty() {
        canonical.text("timetables");
        canonical.number(timetables.len());
        for (id, every) in timetables {
            canonical.text(id);
            canonical.text(every);
        }
    }
    canonical.finish()
}

/// What a class of a processor means: also whom a letter goes to. Its own `digest` field is
/// not read.
pub(super) fn of_processor(class: &ProcessorClass) -> [u8; 32] {
    let mut canonical = Canonical::new(PROCESSOR_FORM);
    canonical.text(class.id().as_str());
    canonical.text(class.processor());
    match class.term() {
        None => canonical.text("on instruction"),
        Some(term) => {
            canonical.text("term");
            canonical.text(&term.trigger.to_string());
            canonical.text(&term.period.interval_sql());
            canonical.text(term.limit.name());
        }
    }
    canonical.text(class.gate().name());
    canonical.number(class.tolerance() as usize);
    canonical.finish()
}

/// What one class means. Its own `digest` field is not read.
pub(super) fn of_class(class: &Class) -> [u8; 32] {
    let mut canonical = Canonical::new(CLASS_FORM);
    canonical.text(class.id().as_str());
    canonical.text(class.table().schema().as_str());
    canonical.text(class.table().name().as_str());
    canonical.condition(class.claim());
    if let Some(column) = class.subject() {
        canonical.text("subject");
        canonical.text(column.as_str());
    }
    match class.rule() {
        Rule::Retain {
            owner: _,
            reason: _,
            review_on: _,
        } => canonical.text("retain"),
        Rule::Dispose(dispose) => {
            canonical.text("dispose");
            disposal_rule(&mut canonical, dispose);
        }
    }
    canonical.finish()
}

fn disposal_rule(canonical: &mut Canonical, dispose: &Dispose) {
    match &dispose.trigger {
        Trigger::Fixed(date) => {
            canonical.text("fixed");
            canonical.text(&date.to_string());
        }
        Trigger::Columns(columns) => {
            let related = columns.iter().any(|column| column.related.is_some());
            canonical.text(if related {
                "related columns"
            } else {
                "columns"
            });
            canonical.number(columns.len());
            for column in columns {
                if related {
                    let table = column.related.as_ref();
                    canonical.text(table.map_or("", |table| table.schema().as_str()));
                    canonical.text(table.map_or("", |table| table.name().as_str()));
                }
                canonical.text(column.column.as_str());
                canonical.condition(column.when.as_ref());
            }
        }
    }
    canonical.text(&dispose.period.interval_sql());
    canonical.text(dispose.limit.name());
    disposal(canonical, &dispose.disposal);
    canonical.text(dispose.gate.name());
    // What may be left out is written only where it is there, after its name.
    if dispose.plausible_from != PLAUSIBLE_FROM {
        canonical.text("plausible_from");
        canonical.text(&dispose.plausible_from.to_string());
    }
    if let Some(zone) = dispose.trigger_zone {
        canonical.text("trigger_zone");
        canonical.text(zone.name());
    }
    if let Some(end_of) = dispose.from_end_of {
        canonical.text("from_end_of");
        canonical.text(end_of.name());
    }
    if dispose.tolerance > 0 {
        canonical.text("tolerance");
        canonical.number(dispose.tolerance as usize);
    }
    if !dispose.unless_active.is_empty() {
        canonical.text("unless_active");
        let mut columns: Vec<&str> = dispose.unless_active.iter().map(Ident::as_str).collect();
        columns.sort_unstable();
        canonical.number(columns.len());
        for column in columns {
            canonical.text(column);
        }
    }
    if let Some(or_when) = &dispose.or_when {
        canonical.text("or_when");
        canonical.condition(Some(or_when));
    }
    if !dispose.stages.is_empty() {
        canonical.text("stages");
        canonical.number(dispose.stages.len());
        for stage in &dispose.stages {
            canonical.text(&stage.after.interval_sql());
            disposal(canonical, &stage.disposal);
        }
    }
    if dispose.approvals != 1 {
        canonical.text("approvals");
        canonical.number(dispose.approvals as usize);
    }
    if let Some(days) = dispose.notice {
        canonical.text("notice");
        canonical.number(days as usize);
    }
    let mut dependants: Vec<_> = dispose.dependants.iter().collect();
    dependants.sort_by_key(|dependant| {
        (
            &dependant.table,
            dependant.relation.as_ref().map(Relation::text),
        )
    });
    canonical.number(dependants.len());
    for dependant in dependants {
        canonical.text(dependant.table.schema().as_str());
        canonical.text(dependant.table.name().as_str());
        match &dependant.relation {
            None => canonical.text(dependant.fate.name()),
            // Another word, so that what follows is told apart from the next dependant.
            Some(by) => {
                canonical.text(&format!("{} by relation", dependant.fate.name()));
                relation(canonical, by);
            }
        }
    }
    let mut files: Vec<_> = dispose.files.iter().collect();
    files.sort_by_key(|file| (&file.table, &file.column, &file.store));
    canonical.number(files.len());
    for file in files {
        canonical.text(file.table.schema().as_str());
        canonical.text(file.table.name().as_str());
        canonical.text(file.column.as_str());
        canonical.text(&file.store);
    }
    limits(canonical, &dispose.limits);
    if dispose.erasure != Erasure::Ordinary {
        canonical.text("erasure");
        canonical.text(dispose.erasure.name());
    }
    if !dispose.erasure_right {
        canonical.text("no erasure by right");
    }
}

fn limits(canonical: &mut Canonical, limits: &Limits) {
    let written = [
        ("max_rows", limits.max_rows.map(|rows| rows.to_string())),
        ("max_share", limits.max_share.map(|share| share.to_string())),
        (
            "max_growth",
            limits.max_growth.map(|growth| growth.to_string()),
        ),
    ];
    for (key, limit) in written {
        if let Some(limit) = limit {
            canonical.text(key);
            canonical.text(&limit);
        }
    }
}

fn disposal(canonical: &mut Canonical, disposal: &Disposal) {
    canonical.text(disposal.name());
    if let Disposal::Anonymise(columns) = disposal {
        anonymisation(canonical, columns);
    }
}

fn relation(canonical: &mut Canonical, relation: &Relation) {
    canonical.number(relation.columns.len());
    canonical.text(relation.to.schema().as_str());
    canonical.text(relation.to.name().as_str());
    for (left, right) in &relation.columns {
        canonical.text(left.as_str());
        canonical.text(right.as_str());
    }
    canonical.condition(relation.when.as_ref());
}

fn anonymisation(canonical: &mut Canonical, columns: &[Anonymisation]) {
    let mut columns: Vec<_> = columns.iter().collect();
    columns.sort_by_key(|column| (&column.column, &column.path));
    canonical.number(columns.len());
    for column in columns {
        canonical.text(column.column.as_str());
        canonical.number(column.path.len());
        for key in &column.path {
            canonical.text(key);
        }
        canonical.text(column.strategy.name());
    }
}
