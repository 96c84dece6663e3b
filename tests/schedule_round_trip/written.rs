//! A schedule as a person might think of it: plain values, drawn at random so that the file
//! alone can find no fault in them, and read back from what the reader made.

use chrono::NaiveDate;
use retentiond::ident::TableName;
use retentiond::schedule::{
    self, Accept, Condition, Disposal, Dispose, EndOf, Erasure, Fate, Gate, Limit, Period, Rule,
    Schedule, Strategy, Trigger,
};

/// The whole file.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    pub organisation: String,
    pub zone: String,
    pub every: String,
    pub accept: Accept,
    pub details_kept: Option<Span>,
    pub appeal_window: Option<Span>,
    pub classes: Vec<Class>,
    pub processors: Vec<Elsewhere>,
}

/// A `[[class]]` whose data somebody else holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Elsewhere {
    pub id: String,
    pub title: String,
    pub processor: String,
    /// Counted from, how long, and whether at least or at most.
    pub term: Option<(NaiveDate, Span, Limit)>,
    pub tolerance: u32,
    pub gate: Gate,
    pub authority: String,
    pub basis: Option<String>,
    pub owner: Option<String>,
    pub review_on: Option<NaiveDate>,
}

/// A `[[class]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Class {
    pub id: String,
    pub title: String,
    pub table: Table,
    pub claim: Option<Test>,
    pub subject: Option<String>,
    pub authority: String,
    pub basis: Option<String>,
    pub order: Order,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Order {
    Retain {
        owner: String,
        reason: String,
        review_on: Option<NaiveDate>,
    },
    Dispose(Box<Disposes>),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Disposes {
    pub trigger: Since,
    pub plausible_from: NaiveDate,
    pub trigger_zone: Option<String>,
    pub from_end_of: Option<EndOf>,
    pub period: Span,
    pub tolerance: u32,
    pub unless_active: Vec<String>,
    pub or_when: Option<Test>,
    pub limit: Limit,
    pub disposal: What,
    pub stages: Vec<(Span, What)>,
    pub notice: Option<u32>,
    pub gate: Gate,
    pub approvals: u32,
    pub preview: Vec<String>,
    pub dependants: Vec<Dependant>,
    pub files: Vec<File>,
    pub max_rows: Option<u64>,
    pub max_share: Option<f64>,
    pub max_growth: Option<f64>,
    pub erasure: Erasure,
    pub erasure_right: bool,
    pub every: Option<String>,
}

/// Schema and name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Table(pub String, pub String);

/// Months and days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span(pub u32, pub u32);

/// A condition in its canonical form.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Test(pub String);

#[derive(Debug, Clone, PartialEq)]
pub enum Since {
    Day(NaiveDate),
    Columns(Vec<(Option<Table>, String, Option<Test>)>),
}

#[derive(Debug, Clone, PartialEq)]
pub enum What {
    Flag,
    /// Column, path, strategy.
    Anonymise(Vec<(String, Vec<String>, Strategy)>),
    Delete,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Dependant {
    pub table: Table,
    pub fate: Fate,
    pub related: Option<Related>,
}

/// `on` and `where`: the table on the right, pairs of columns in order, the condition.
#[derive(Debug, Clone, PartialEq)]
pub struct Related {
    pub to: Table,
    pub pairs: Vec<(String, String)>,
    pub when: Option<Test>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct File {
    pub table: Table,
    pub column: String,
    pub store: String,
}

/// What the reader made of a file.
pub fn read_back(schedule: &Schedule) -> Written {
    Written {
        organisation: schedule.organisation().to_owned(),
        zone: schedule.time_zone().name().to_owned(),
        every: schedule.every().text().to_owned(),
        accept: schedule.accept(),
        details_kept: schedule.details_kept().map(span),
        appeal_window: schedule.appeal_window().map(span),
        classes: schedule.classes().iter().map(class).collect(),
        processors: schedule.processors().iter().map(elsewhere).collect(),
    }
}

fn elsewhere(class: &schedule::ProcessorClass) -> Elsewhere {
    Elsewhere {
        id: class.id().to_string(),
        title: class.title().to_owned(),
        processor: class.processor().to_owned(),
        term: class
            .term()
            .map(|term| (term.trigger, span(term.period), term.limit)),
        tolerance: class.tolerance(),
        gate: class.gate(),
        authority: class.authority().to_owned(),
        basis: class.lawful_basis().map(str::to_owned),
        owner: class.owner().map(str::to_owned),
        review_on: class.review_on(),
    }
}

fn class(class: &schedule::Class) -> Class {
    Class {
        id: class.id().as_str().to_owned(),
        title: class.title().to_owned(),
        table: table(class.table()),
        claim: class.claim().map(test),
        subject: class.subject().map(ToString::to_string),
        authority: class.authority().to_owned(),
        basis: class.lawful_basis().map(str::to_owned),
        order: match class.rule() {
            Rule::Retain {
                owner,
                reason,
                review_on,
            } => Order::Retain {
                owner: owner.clone(),
                reason: reason.clone(),
                review_on: *review_on,
            },
            Rule::Dispose(rule) => Order::Dispose(Box::new(disposes(rule))),
        },
    }
}

/// Names every field, so that one that is added must be thought of here.
fn disposes(rule: &Dispose) -> Disposes {
    let Dispose {
        trigger,
        plausible_from,
        trigger_zone,
        from_end_of,
        period,
        tolerance,
        unless_active,
        or_when,
        limit,
        disposal,
        stages,
        notice,
        gate,
        approvals,
        preview,
        dependants,
        files,
        limits,
        erasure,
        erasure_right,
        every,
    } = rule;
    let retentiond::schedule::Limits {
        max_rows,
        max_share,
        max_growth,
    } = limits;
    Disposes {
        trigger: match trigger {
            Trigger::Fixed(day) => Since::Day(*day),
            Trigger::Columns(columns) => Since::Columns(
                columns
                    .iter()
                    .map(|c| {
                        let related = c.related.as_ref().map(table);
                        let when = c.when.as_ref().map(test);
                        (related, c.column.as_str().to_owned(), when)
                    })
                    .collect(),
            ),
        },
        plausible_from: *plausible_from,
        trigger_zone: trigger_zone.map(|zone| zone.name().to_owned()),
        from_end_of: *from_end_of,
        period: span(*period),
        tolerance: *tolerance,
        unless_active: unless_active.iter().map(ToString::to_string).collect(),
        or_when: or_when.as_ref().map(test),
        limit: *limit,
        disposal: what(disposal),
        stages: stages
            .iter()
            .map(|stage| (span(stage.after), what(&stage.disposal)))
            .collect(),
        notice: *notice,
        gate: *gate,
        approvals: *approvals,
        preview: preview.iter().map(ToString::to_string).collect(),
        dependants: dependants.iter().map(dependant).collect(),
        files: files
            .iter()
            .map(|file| File {
                table: table(&file.table),
                column: file.column.to_string(),
                store: file.store.clone(),
            })
            .collect(),
        max_rows: *max_rows,
        max_share: max_share.map(|factor| factor.value()),
        max_growth: max_growth.map(|factor| factor.value()),
        erasure: *erasure,
        erasure_right: *erasure_right,
        every: every.as_ref().map(|every| every.text().to_owned()),
    }
}

fn dependant(dependant: &schedule::Dependant) -> Dependant {
    Dependant {
        table: table(&dependant.table),
        fate: dependant.fate,
        related: dependant.relation.as_ref().map(|relation| Related {
            to: table(&relation.to),
            pairs: relation
                .columns
                .iter()
                .map(|(left, right)| (left.to_string(), right.to_string()))
                .collect(),
            when: relation.when.as_ref().map(test),
        }),
    }
}

fn table(table: &TableName) -> Table {
    Table(table.schema().to_string(), table.name().to_string())
}

fn span(period: Period) -> Span {
    Span(period.months(), period.days())
}

fn test(condition: &Condition) -> Test {
    Test(condition.text())
}

fn what(disposal: &Disposal) -> What {
    match disposal {
        Disposal::Flag => What::Flag,
        Disposal::Delete => What::Delete,
        Disposal::Anonymise(parts) => What::Anonymise(
            parts
                .iter()
                .map(|part| (part.column.to_string(), part.path.clone(), part.strategy))
                .collect(),
        ),
    }
}

/// What of it is more than words and layout, so that it must change the digest: all but
/// titles, authorities, reasons, and the order of what is a set.
pub fn meaning(written: &Written) -> Written {
    let mut meant = written.clone();
    meant.classes.sort_by(|a, b| a.id.cmp(&b.id));
    meant.processors.sort_by(|a, b| a.id.cmp(&b.id));
    for class in &mut meant.processors {
        class.title.clear();
        class.authority.clear();
        (class.basis, class.owner, class.review_on) = (None, None, None);
    }
    // However it is spelt; these are told apart by what they say.
    for class in &mut meant.classes {
        class.title.clear();
        class.authority.clear();
        class.basis = None;
        match &mut class.order {
            Order::Retain {
                owner,
                reason,
                review_on,
            } => {
                owner.clear();
                reason.clear();
                *review_on = None;
            }
            Order::Dispose(rule) => {
                // Shown, and no part of what is done.
                rule.preview.clear();
                rule.unless_active.sort();
                let key = |d: &Dependant| {
                    let related = d.related.as_ref();
                    (
                        d.table.clone(),
                        related.map(|r| (r.to.clone(), r.pairs.clone(), r.when.clone())),
                    )
                };
                rule.dependants.sort_by_key(key);
                rule.files
                    .sort_by_key(|f| (f.table.clone(), f.column.clone()));
                let stages = rule.stages.iter_mut().map(|(_, what)| what);
                for what in stages.chain([&mut rule.disposal]) {
                    if let What::Anonymise(parts) = what {
                        parts.sort();
                    }
                }
            }
        }
    }
    meant
}
