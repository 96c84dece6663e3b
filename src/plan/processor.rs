//! How a class whose data somebody else holds stands on one day. There is no SQL in it: no
//! rule of the schedule reaches a row through it, and what was issued already is asked of
//! our own tables by `survey`.

use chrono::NaiveDate;
use serde::Serialize;

use crate::decisions::Decisions;
use crate::ident::ClassId;
use crate::schedule::{Code, Diagnostic, Gate, Limit, ProcessorClass, Schedule};

/// One class that a processor holds, on the plan's day.
#[derive(Debug, Clone, PartialEq)]
pub struct ProcessorPlan {
    /// The class.
    pub id: ClassId,
    /// What people call the data.
    pub title: String,
    /// Who holds it.
    pub processor: String,
    /// Whose schedule it is.
    pub organisation: String,
    /// The document that orders it.
    pub authority: String,
    /// Who answers for it here.
    pub owner: Option<String>,
    /// The class's semantic digest.
    pub digest: [u8; 32],
    /// What its period is counted from; none where it ends when the controller instructs.
    pub trigger: Option<NaiveDate>,
    /// The period, in words.
    pub period: Option<String>,
    /// Its last day.
    pub last_day: Option<NaiveDate>,
    /// The first day on which it is past.
    pub past_from: Option<NaiveDate>,
    /// Whether the period is a maximum.
    pub is_maximum: bool,
    /// How many days the confirmation may take.
    pub tolerance: u32,
    /// Whether it waits for the controller's instruction.
    pub is_gated: bool,
    /// The holds that protect it today.
    pub holds: Vec<i64>,
    /// What keeps the instruction to destroy from being issued today.
    pub barred: Option<Bar>,
    /// What a person should know.
    pub warnings: Vec<Diagnostic>,
}

/// What keeps an instruction to destroy from being issued; of several the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bar {
    /// It is not past, or nobody has instructed what has no day of its own.
    NotPast,
    /// A hold protects it.
    Held,
    /// It is paused.
    Paused,
    /// The controller has not instructed it.
    Instruction,
    /// Another version of the schedule waits for acceptance and would not let it go.
    Acceptance,
}

/// Every class of a schedule that a processor holds.
pub(super) fn processors(
    schedule: &Schedule,
    waiting: Option<&Schedule>,
    decisions: &Decisions,
    on: NaiveDate,
) -> Vec<ProcessorPlan> {
    let processors = schedule.processors().iter();
    processors
        .map(|class| one(schedule, class, waiting, decisions, on))
        .collect()
}

fn one(
    schedule: &Schedule,
    class: &ProcessorClass,
    waiting: Option<&Schedule>,
    decisions: &Decisions,
    on: NaiveDate,
) -> ProcessorPlan {
    let holds = decisions.holds_of_class(class.id(), on);
    let closed =
        |class: &ProcessorClass| class.gate() != Gate::None && !decisions.instructed(class.id());
    // What both versions would tell the same processor to destroy.
    let agrees = |waiting: &Schedule| {
        waiting.processor(class.id()).is_some_and(|other| {
            other.processor() == class.processor()
                && is_past(other, decisions, on)
                && !closed(other)
        })
    };
    let barred = if !is_past(class, decisions, on) {
        Some(Bar::NotPast)
    } else if !holds.is_empty() {
        Some(Bar::Held)
    } else if decisions.paused(class.id()) {
        Some(Bar::Paused)
    } else if closed(class) {
        Some(Bar::Instruction)
    } else if !waiting.is_none_or(agrees) {
        Some(Bar::Acceptance)
    } else {
        None
    };
    let term = class.term();
    ProcessorPlan {
        id: class.id().clone(),
        title: class.title().to_owned(),
        processor: class.processor().to_owned(),
        organisation: schedule.organisation().to_owned(),
        authority: class.authority().to_owned(),
        owner: class.owner().map(str::to_owned),
        digest: *class.digest(),
        trigger: term.map(|term| term.trigger),
        period: term.map(|term| term.period.to_string()),
        last_day: term.and_then(|term| term.last_day()),
        past_from: term.and_then(|term| term.past_from()),
        is_maximum: term.is_some_and(|term| term.limit == Limit::Maximum),
        tolerance: class.tolerance(),
        is_gated: class.gate() != Gate::None,
        holds,
        barred,
        warnings: review_due(class, on).into_iter().collect(),
    }
}

/// Whether its day has come; without one it has when the controller has instructed it.
fn is_past(class: &ProcessorClass, decisions: &Decisions, on: NaiveDate) -> bool {
    match class.term() {
        Some(term) => term.past_from().is_some_and(|day| day <= on),
        None => decisions.instructed(class.id()),
    }
}

fn review_due(class: &ProcessorClass, on: NaiveDate) -> Option<Diagnostic> {
    let day = class.review_on().filter(|day| *day <= on)?;
    let message = format!(
        "class `{}`: since {day} it is to be asked again whether what the processor holds is right here",
        class.id()
    );
    let due = Diagnostic::new(Code::ReviewDue, message);
    Some(
        due.hint("ask its owner, and write the next date")
            .at(*class.place("review_on")),
    )
}
