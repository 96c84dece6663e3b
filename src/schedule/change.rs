//! What two versions of a schedule differ in, and whether a person must accept that.
//!
//! A new version is in force at once only if its sole differences are titles and other
//! words, comments, a longer period of the same units, a milder disposal, an added gate or
//! notice, or an added `retain` class. Anything else asks. What is harmless is listed here,
//! key by key; everything that is not listed asks, since it is found by the digest: the old
//! class with its harmless differences taken over must mean exactly what the new one means.

use std::fmt::{self, Display};

use super::class::{Class, Disposal, Dispose, Gate, Rule, Trigger};
use super::diagnostics::{Code, Diagnostic, Place};
use super::{Condition, EndOf, Period, ProcessorClass, Schedule, Term, digest};
use crate::ident::ClassId;

/// One difference between two versions.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The class that differs; none for `[schedule]`.
    pub class: Option<ClassId>,
    /// The key that differs, or `class` for one that was added or removed.
    pub key: &'static str,
    /// What it is, in words.
    pub what: String,
    /// Whether a person must accept it.
    pub asks: bool,
    /// Where it stands in the new file; nowhere for what was removed.
    pub place: Place,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.class {
            Some(class) => write!(f, "class `{class}`: {}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

impl Change {
    /// As advice on the new file.
    #[must_use]
    pub fn diagnostic(&self) -> Diagnostic {
        Diagnostic::new(
            Code::ChangeWaits,
            format!("not in force until it is accepted: {self}"),
        )
        .hint("see `retentiond plan`; then `retentiond accept`, or change it back")
        .at(self.place)
    }
}

/// Every difference in meaning or words from `old` to `new`, in the order of the new file.
#[must_use]
pub fn changes(old: &Schedule, new: &Schedule) -> Vec<Change> {
    let mut found = Vec::new();
    let settings = [
        (
            "organisation",
            "the organisation",
            old.organisation.clone(),
            new.organisation.clone(),
        ),
        (
            "time_zone",
            "the time zone",
            old.time_zone.name().to_owned(),
            new.time_zone.name().to_owned(),
        ),
        (
            "every",
            "the timetable",
            old.every.canonical().to_owned(),
            new.every.canonical().to_owned(),
        ),
        (
            "accept",
            "`accept`",
            old.accept.name().to_owned(),
            new.accept.name().to_owned(),
        ),
        (
            "details_kept",
            "`details_kept`",
            kept(old.details_kept),
            kept(new.details_kept),
        ),
        (
            "appeal_window",
            "`appeal_window`",
            window(old.appeal_window),
            window(new.appeal_window),
        ),
    ];
    for (key, name, before, after) in settings {
        if before != after {
            found.push(Change {
                class: None,
                key,
                what: instead(name, &quoted(&after), &quoted(&before)),
                asks: key != "organisation",
                place: new.places.get(key).copied().unwrap_or_default(),
            });
        }
    }
    for class in &new.classes {
        match old.class(class.id()) {
            Some(before) => found.extend(Comparison::of(before, class)),
            None => {
                let retains = class.dispose().is_none();
                let what = if retains {
                    "it is new, and retains"
                } else {
                    "it is new"
                };
                found.push(Change {
                    class: Some(class.id().clone()),
                    key: "class",
                    what: what.to_owned(),
                    asks: !retains,
                    place: class.places().class,
                });
            }
        }
    }
    for class in &new.processors {
        match old.processor(class.id()) {
            Some(before) => found.extend(of_processor(before, class)),
            None => found.push(Change {
                class: Some(class.id().clone()),
                key: "class",
                what: format!("it is new, and held by {}", quoted(&class.processor)),
                asks: true,
                place: *class.place("id"),
            }),
        }
    }
    let gone = old.classes.iter().map(Class::id);
    let gone = gone.filter(|id| new.class(id).is_none());
    let processors = old.processors.iter().map(ProcessorClass::id);
    for id in gone.chain(processors.filter(|id| new.processor(id).is_none())) {
        found.push(Change {
            class: Some(id.clone()),
            key: "class",
            what: "it is gone from the schedule".to_owned(),
            asks: true,
            place: Place::default(),
        });
    }
    found
}

/// Every difference between two processors' classes of one id: titles and other words, a longer
/// period of the same units and an added gate ask nobody.
fn of_processor(old: &ProcessorClass, new: &ProcessorClass) -> Vec<Change> {
    let mut found = Vec::new();
    let mut add = |key, what: String, asks| {
        found.push(Change {
            class: Some(new.id().clone()),
            key,
            what,
            asks,
            place: *new.place(key),
        });
    };
    let words = [
        ("title", old.title != new.title),
        ("authority", old.authority != new.authority),
        ("lawful_basis", old.lawful_basis != new.lawful_basis),
        ("owner", old.owner != new.owner),
        ("review_on", old.review_on != new.review_on),
    ];
    for (key, differs) in words {
        if differs {
            add(key, format!("other words in `{key}`"), false);
        }
    }
    let mut mild = old.clone();
    if old.processor != new.processor {
        let (before, after) = (quoted(&old.processor), quoted(&new.processor));
        add("processor", instead("the processor", &after, &before), true);
    }
    match (old.term, new.term) {
        (Some(before), Some(after)) => {
            if before.trigger != after.trigger {
                let (before, after) = (before.trigger.to_string(), after.trigger.to_string());
                add("trigger", instead("the trigger", &after, &before), true);
            }
            if before.period != after.period {
                let longer = is_longer(before.period, after.period);
                let what = instead(
                    "the period",
                    &after.period.to_string(),
                    &before.period.to_string(),
                );
                add("period", what, !longer);
                mild.term = Some(Term {
                    period: after.period,
                    ..before
                });
            }
            if before.limit != after.limit {
                let (before, after) = (before.limit.name(), after.limit.name());
                add("limit", instead("the limit", after, before), true);
            }
        }
        (Some(_), None) => add(
            "period",
            "it ends when the controller instructs, no longer on a day".to_owned(),
            true,
        ),
        (None, Some(_)) => add("period", "it ends on a day now".to_owned(), true),
        (None, None) => {}
    }
    if old.gate != new.gate {
        let what = instead("the gate", new.gate.name(), old.gate.name());
        add("gate", what, old.gate != Gate::None);
        mild.gate = new.gate;
    }
    if old.tolerance != new.tolerance {
        let (before, after) = (old.tolerance, new.tolerance);
        let what = instead(
            "`tolerance`",
            &format!("{after} days"),
            &format!("{before} days"),
        );
        add("tolerance", what, true);
    }
    // The safety net, as for other classes.
    if !found.iter().any(|change| change.asks) && digest::of_processor(&mild) != new.digest {
        found.push(Change {
            class: Some(new.id().clone()),
            key: "class",
            what: "its rule differs".to_owned(),
            asks: true,
            place: *new.place("id"),
        });
    }
    found
}

fn kept(period: Option<Period>) -> String {
    period.map_or_else(|| "for ever".to_owned(), |period| period.to_string())
}

fn window(period: Option<Period>) -> String {
    period.map_or_else(|| "3 months".to_owned(), |period| period.to_string())
}

/// The walk over one class.
struct Comparison<'a> {
    new: &'a Class,
    found: Vec<Change>,
}

impl<'a> Comparison<'a> {
    fn of(old: &Class, new: &'a Class) -> Vec<Change> {
        let mut walk = Self {
            new,
            found: Vec::new(),
        };
        walk.words(old);
        let mut mild = old.clone();
        walk.differs("table", "the table", old.table(), new.table());
        let (before, after) = (condition(old.claim()), condition(new.claim()));
        walk.differs("where", "the condition", before, after);
        if old.subject() != new.subject() {
            let name = |class: &Class| {
                class
                    .subject()
                    .map_or_else(|| "none".to_owned(), ToString::to_string)
            };
            let what = instead("the subject", &name(new), &name(old));
            // Where none was named before, a hold on a person protects more than it did.
            walk.add("subject", what, old.subject().is_some());
            mild.subject = new.subject.clone();
        }
        match (old.rule(), new.rule()) {
            (Rule::Dispose(before), Rule::Dispose(after)) => {
                let harmless = walk.disposal(before, after);
                mild.rule = Rule::Dispose(Box::new(harmless));
            }
            (Rule::Retain { .. }, Rule::Retain { .. }) => {}
            (Rule::Retain { .. }, Rule::Dispose(after)) => {
                let what = format!("it no longer retains: {}", after.disposal.name());
                walk.asks("disposal", what);
            }
            (Rule::Dispose(before), Rule::Retain { .. }) => {
                let what = instead("the disposal", "retain", before.disposal.name());
                walk.asks("disposal", what);
            }
        }
        // The safety net: whatever the walk did not know of.
        let told = walk.found.iter().any(|change| change.asks);
        if !told && digest::of_class(&mild) != new.digest {
            walk.asks("class", "its rule differs".to_owned());
        }
        walk.found
    }

    fn add(&mut self, key: &'static str, what: String, asks: bool) {
        self.found.push(Change {
            class: Some(self.new.id().clone()),
            key,
            what,
            asks,
            place: *self.new.place(key),
        });
    }

    fn asks(&mut self, key: &'static str, what: String) {
        self.add(key, what, true);
    }

    fn differs<T: PartialEq + Display>(&mut self, key: &'static str, name: &str, old: T, new: T) {
        if old != new {
            self.asks(key, instead(name, &new.to_string(), &old.to_string()));
        }
    }

    fn words(&mut self, old: &Class) {
        let new = self.new;
        let mut word = |key, differs: bool| {
            if differs {
                self.add(key, format!("other words in `{key}`"), false);
            }
        };
        word("title", old.title != new.title);
        word("authority", old.authority != new.authority);
        word("lawful_basis", old.lawful_basis != new.lawful_basis);
        if let (
            Rule::Retain {
                owner: old_owner,
                reason: old_reason,
                review_on: old_review,
            },
            Rule::Retain {
                owner,
                reason,
                review_on,
            },
        ) = (old.rule(), new.rule())
        {
            word("owner", old_owner != owner);
            word("reason", old_reason != reason);
            word("review_on", old_review != review_on);
        }
        // Nothing that happens depends on what reviewers look at.
        if let (Rule::Dispose(old), Rule::Dispose(new)) = (old.rule(), new.rule())
            && old.preview != new.preview
        {
            let what = "reviewers are shown other columns".to_owned();
            self.add("preview", what, false);
        }
    }

    /// Answers the old rule with everything harmless of the new one taken over.
    fn disposal(&mut self, old: &Dispose, new: &Dispose) -> Dispose {
        let mut mild = old.clone();
        let (before, after) = (trigger(&old.trigger), trigger(&new.trigger));
        self.differs("trigger", "the trigger", before, after);
        if old.period != new.period {
            let longer = is_longer(old.period, new.period);
            let what = instead(
                "the period",
                &new.period.to_string(),
                &old.period.to_string(),
            );
            self.add("period", what, !longer);
            mild.period = new.period;
        }
        self.timing(old, new);
        if old.notice != new.notice {
            let notice =
                |days: Option<u32>| days.map_or_else(|| "none".to_owned(), |n| format!("{n} days"));
            let what = instead("the notice", &notice(new.notice), &notice(old.notice));
            self.add("notice", what, old.notice.is_some());
            mild.notice = new.notice;
        }
        if old.stages != new.stages {
            self.asks("stages", "its stages differ".to_owned());
        }
        self.differs("limit", "the limit", old.limit.name(), new.limit.name());
        let mut touches_nothing = false;
        if old.disposal != new.disposal {
            let milder = new.disposal.severity() < old.disposal.severity();
            if old.disposal.severity() == new.disposal.severity() {
                self.asks("anonymise", "other columns are anonymised".to_owned());
            } else {
                let what = instead("the disposal", new.disposal.name(), old.disposal.name());
                self.add("disposal", what, !milder);
            }
            // A flag touches nothing, so that what would go with a record cannot stand there.
            touches_nothing = milder && matches!(new.disposal, Disposal::Flag);
            mild.disposal = new.disposal.clone();
        }
        if old.gate != new.gate {
            let what = instead("the gate", new.gate.name(), old.gate.name());
            self.add("gate", what, old.gate != Gate::None);
            mild.gate = new.gate;
        }
        // Without reviews nobody approves anything.
        let reviewed = old.gate == Gate::Review && new.gate == Gate::Review;
        if old.approvals != new.approvals {
            let what = instead(
                "the number of approvals",
                &new.approvals.to_string(),
                &old.approvals.to_string(),
            );
            self.add("approvals", what, reviewed && new.approvals < old.approvals);
        }
        mild.approvals = new.approvals;
        if touches_nothing {
            mild.dependants.clone_from(&new.dependants);
            mild.files.clone_from(&new.files);
            mild.erasure = new.erasure;
        } else {
            let (before, after) = (old.erasure.name(), new.erasure.name());
            self.differs("erasure", "the erasure", before, after);
            self.differs(
                "dependants",
                "what goes with a record",
                dependants(old),
                dependants(new),
            );
            self.differs("files", "its list of files", files(old), files(new));
        }
        let right = |right: bool| if right { "true" } else { "false" };
        self.differs(
            "erasure_right",
            "`erasure_right`",
            right(old.erasure_right),
            right(new.erasure_right),
        );
        let (before, after) = (old.limits, new.limits);
        let number = |n: Option<u64>| n.map_or_else(|| "none".to_owned(), |n| n.to_string());
        let factor = |n: Option<super::limits::Factor>| {
            n.map_or_else(|| "none".to_owned(), |n| n.to_string())
        };
        for (key, before, after) in [
            ("max_rows", number(before.max_rows), number(after.max_rows)),
            (
                "max_share",
                factor(before.max_share),
                factor(after.max_share),
            ),
            (
                "max_growth",
                factor(before.max_growth),
                factor(after.max_growth),
            ),
        ] {
            self.differs(key, &format!("`{key}`"), before, after);
        }
        mild
    }
}

impl Comparison<'_> {
    /// How time is counted beside trigger and period: each of it asks.
    fn timing(&mut self, old: &Dispose, new: &Dispose) {
        let zone = |dispose: &Dispose| {
            let zone = dispose.trigger_zone.map(chrono_tz::Tz::name);
            zone.unwrap_or("the schedule's").to_owned()
        };
        let end_of = |dispose: &Dispose| dispose.from_end_of.map_or("none", EndOf::name);
        let active = |dispose: &Dispose| {
            listed(
                dispose
                    .unless_active
                    .iter()
                    .map(ToString::to_string)
                    .collect(),
            )
        };
        let (before, after) = (old.plausible_from, new.plausible_from);
        self.differs("plausible_from", "`plausible_from`", before, after);
        self.differs("trigger_zone", "`trigger_zone`", zone(old), zone(new));
        self.differs("from_end_of", "`from_end_of`", end_of(old), end_of(new));
        self.differs("tolerance", "`tolerance`", days(old), days(new));
        self.differs("unless_active", "`unless_active`", active(old), active(new));
        let at_once = |dispose: &Dispose| {
            let or_when = dispose.or_when.as_ref();
            or_when.map_or_else(|| "nothing".to_owned(), Condition::text)
        };
        self.differs("or_when", "`or_when`", at_once(old), at_once(new));
        // Its canonical form, so that another spelling is no difference.
        let every = |dispose: &Dispose| {
            let every = dispose.every.as_ref();
            every.map_or_else(
                || "the schedule's".to_owned(),
                |every| quoted(every.canonical()),
            )
        };
        self.differs("every", "its timetable", every(old), every(new));
    }
}

fn days(dispose: &Dispose) -> String {
    format!("{} days", dispose.tolerance)
}

/// No unit is shorter, one is longer, and both use the same ones.
fn is_longer(old: Period, new: Period) -> bool {
    let same = |old: u32, new: u32| (old > 0) == (new > 0) && new >= old;
    same(old.months(), new.months()) && same(old.days(), new.days())
}

fn instead(name: &str, new: &str, old: &str) -> String {
    format!("{name} is {new} instead of {old}")
}

fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

fn condition(condition: Option<&Condition>) -> String {
    condition.map_or_else(|| "every row".to_owned(), Condition::text)
}

fn trigger(trigger: &Trigger) -> String {
    match trigger {
        Trigger::Fixed(date) => date.to_string(),
        Trigger::Columns(columns) => {
            let columns: Vec<String> = columns
                .iter()
                .map(|column| {
                    let related = column.related.as_ref();
                    let related = related.map_or_else(String::new, |table| format!("{table}."));
                    match &column.when {
                        Some(when) => format!("{related}{} when {}", column.column, when.text()),
                        None => format!("{related}{}", column.column),
                    }
                })
                .collect();
            columns.join(", else ")
        }
    }
}

fn listed(mut names: Vec<String>) -> String {
    names.sort();
    if names.is_empty() {
        return "nothing".to_owned();
    }
    names.join(", ")
}

fn dependants(dispose: &Dispose) -> String {
    let name = |dependant: &super::Dependant| {
        let by = dependant.relation.as_ref();
        let by = by.map_or_else(String::new, |by| format!(" by {}", by.text()));
        match dependant.fate {
            super::Fate::Delete => format!("{}{by}", dependant.table),
            super::Fate::Unlink => format!("{}{by} (unlinked)", dependant.table),
        }
    };
    listed(dispose.dependants.iter().map(name).collect())
}

fn files(dispose: &Dispose) -> String {
    let files = dispose.files.iter();
    listed(
        files
            .map(|file| format!("{}.{} in {}", file.table, file.column, file.store))
            .collect(),
    )
}
