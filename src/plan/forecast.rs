//! What becomes due later, as a question: the state of each record of a class at the end
//! of every month to come, from today's rows and today's decisions.
//!
//! A record's state at a day's end is the very expression that the plan of that day would
//! count by ([`super::question`]), written for that day; several stand side by side in one
//! statement, so that a table is read once for all of them. Nothing about time, protection
//! or precedence is reckoned here.

use chrono::{Datelike, Days, NaiveDate};

use super::question::state;
use super::{fits, judge, mutes, mutes_before};
use crate::catalog::Catalog;
use crate::decisions::Decisions;
use crate::ident::ClassId;
use crate::schedule::Schedule;

/// How many days one statement asks about: beyond that the planner's time for the text
/// outweighs another reading of the table.
const TOGETHER: usize = 25;

/// The state of a record at one moment, as one character of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// It would go.
    Due,
    /// Past, and a hold protects it.
    Held,
    /// Past under a maximum, and another class keeps it.
    Conflict,
    /// Past, and waits for a person.
    Waiting,
    /// Past, and touched after its trigger.
    Active,
    /// Any other.
    Kept,
}

/// Every moment that is counted, with the plan's word for it and its character.
const MOMENTS: [(Moment, &str, char); 5] = [
    (Moment::Due, "due", 'd'),
    (Moment::Held, "held", 'h'),
    (Moment::Conflict, "conflict", 'c'),
    (Moment::Waiting, "waiting", 'w'),
    (Moment::Active, "active", 'a'),
];

impl Moment {
    /// What a character of the answer says.
    #[must_use]
    pub fn of(character: char) -> Self {
        MOMENTS
            .iter()
            .find(|(_, _, c)| *c == character)
            .map_or(Self::Kept, |(moment, _, _)| *moment)
    }
}

/// The statements that forecast one class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForecastQuestion {
    /// The class.
    pub id: ClassId,
    /// One after another they cover the days. None where the class is refused, empty where
    /// it retains.
    pub stretches: Option<Vec<Stretch>>,
}

/// Some days that one statement asks about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    /// How many days.
    pub days: usize,
    /// Answers rows of a text, with one character ([`Moment::of`]) a day, and how many
    /// records share it.
    pub sql: String,
}

/// The last days of `months` months, beginning with the month of the day after `on`.
#[must_use]
pub fn month_ends(on: NaiveDate, months: u32) -> Vec<NaiveDate> {
    let first = on
        .checked_add_days(Days::new(1))
        .and_then(|d| d.with_day(1));
    (1..=months)
        .map_while(|nth| {
            first?
                .checked_add_months(chrono::Months::new(nth))?
                .pred_opt()
        })
        .collect()
}

/// Writes the questions about every class, in the schedule's order, for days in ascending
/// order.
#[must_use]
pub fn forecast(
    schedule: &Schedule,
    catalog: &Catalog,
    decisions: &Decisions,
    days: &[NaiveDate],
) -> Vec<ForecastQuestion> {
    let fits = fits(schedule, catalog, &super::link::known(schedule, catalog));
    let mute = mutes(schedule, decisions, &fits);
    let mut questions = Vec::new();
    for (class, fit) in schedule.classes().iter().zip(&fits) {
        let mute = mutes_before(&mute, class, fit);
        let on = |today: NaiveDate| judge::Judge {
            schedule,
            catalog,
            decisions,
            today,
            mute: &mute,
            waiting: None,
        };
        let stretches = match (class.dispose(), catalog.table(class.table())) {
            _ if !fit.refusals.is_empty() => None,
            (_, None) => None,
            (None, Some(_)) => Some(Vec::new()),
            (Some(dispose), Some(table)) => {
                let ask = |days: &[NaiveDate]| {
                    let marks: Vec<String> = days
                        .iter()
                        .map(|day| mark(&state(&on(*day), class, dispose, &fit.relations, table)))
                        .collect();
                    let last = on(*days.last()?);
                    // What is not past on the last of the days is so on none of them.
                    let sql = format!(
                        "SELECT {} AS s, count(*) FROM {} AS t WHERE ({}) AND ({}) GROUP BY 1",
                        marks.join(" || "),
                        table.name.quoted(),
                        last.claims(class, "t"),
                        last.past(class, dispose, "t"),
                    );
                    Some(Stretch {
                        days: days.len(),
                        sql,
                    })
                };
                Some(days.chunks(TOGETHER).filter_map(ask).collect())
            }
        };
        questions.push(ForecastQuestion {
            id: class.id().clone(),
            stretches,
        });
    }
    questions
}

/// A state as its character.
fn mark(state: &str) -> String {
    let whens: String = MOMENTS
        .iter()
        .map(|(_, word, mark)| format!(" WHEN '{word}' THEN '{mark}'"))
        .collect();
    // What waits for its notice is counted as the plan counts it.
    let whens = format!("{whens} WHEN 'noticed' THEN 'w'");
    format!("CASE {state}{whens} ELSE '.' END")
}
