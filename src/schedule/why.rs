//! Why a record is due, in one sentence for whoever decides about it.

use chrono::NaiveDate;

use super::class::{Disposal, Dispose, Limit, Trigger, TriggerColumn};
use super::condition::Condition;

/// What a record is counted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CountedFrom {
    /// The schedule's trigger of this number, or its one date.
    Trigger(usize),
    /// Nothing: it is due at once.
    Nothing,
}

impl Dispose {
    /// Why a record with this trigger is past: `closed on 3 March 2018, kept 8 years, through
    /// 3 March 2026`.
    #[must_use]
    pub fn why(
        &self,
        from: CountedFrom,
        trigger: Option<NaiveDate>,
        last_day: Option<NaiveDate>,
    ) -> String {
        if let (CountedFrom::Nothing, Some(or_when)) = (from, &self.or_when) {
            return format!("due at once, since {}", spelt(or_when));
        }
        let Some(last_day) = last_day else {
            return "it has no day to count from".to_owned();
        };
        let Some(trigger) = trigger else {
            return asked_for(last_day);
        };
        let event = match (&self.trigger, from) {
            (Trigger::Columns(columns), CountedFrom::Trigger(nth)) => columns.get(nth),
            _ => None,
        };
        let event = event.map_or_else(
            || format!("counted from {}", written(trigger)),
            |column| happened(column, trigger),
        );
        let end_of = self.from_end_of.map_or_else(String::new, |end_of| {
            format!(" from the end of that {}", end_of.name())
        });
        // The step that it has come to is the one that ends on its last day. If none does, it is
        // the day before a person's request for erasure.
        let steps = self.steps();
        let step = steps
            .iter()
            .position(|step| step.last_day(trigger) == Some(last_day));
        let Some((step, period)) = step.and_then(|nth| Some((nth, steps.get(nth)?.period))) else {
            return format!("{event}, and {}", asked_for(last_day));
        };
        let kept = match self.limit {
            Limit::Minimum => format!("kept {period}{end_of}, through {}", written(last_day)),
            Limit::Maximum => {
                format!("kept at most {period}{end_of}, until {}", written(last_day))
            }
        };
        let then = match steps.get(step).map(|step| &step.disposal) {
            Some(Disposal::Anonymise(_)) if step + 1 < steps.len() => ", then to be anonymised",
            Some(Disposal::Flag) if step + 1 < steps.len() => ", then to be flagged",
            _ => "",
        };
        format!("{event}, {kept}{then}")
    }
}

/// `closed_at` and `closed_on` say when something was closed; other columns have only a name.
fn happened(column: &TriggerColumn, day: NaiveDate) -> String {
    let name = column.column.as_str();
    let verb = ["_at", "_on"]
        .iter()
        .find_map(|suffix| name.strip_suffix(suffix));
    let day = written(day);
    let event = match verb {
        Some(verb) => format!("{} on {day}", verb.replace('_', " ")),
        None => format!("“{}” is {day}", name.replace('_', " ")),
    };
    match &column.related {
        None => event,
        Some(table) => format!("its {}: {event}", table.name().as_str().replace('_', " ")),
    }
}

/// A condition as somebody would write it: without the parentheses around all of it, and
/// without quotes around names that need none.
fn spelt(condition: &Condition) -> String {
    let mut text = condition.text();
    let mut depth = 0_i32;
    let whole = text.starts_with('(')
        && text.chars().enumerate().all(|(nth, character)| {
            depth += match character {
                '(' => 1,
                ')' => -1,
                _ => 0,
            };
            depth > 0 || nth + 1 == text.chars().count()
        });
    if whole {
        text = text[1..text.len() - 1].to_owned();
    }
    for column in condition.columns() {
        text = text.replace(&column.quoted(), &column.written());
    }
    text
}

/// Why a record has a last day that its class does not give it.
fn asked_for(last_day: NaiveDate) -> String {
    let asked = last_day.succ_opt().unwrap_or(last_day);
    format!("its erasure was asked for on {}", written(asked))
}

fn written(day: NaiveDate) -> String {
    day.format("%-d %B %Y").to_string()
}
