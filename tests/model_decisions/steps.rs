//! What can happen, as values that print as sentences; and random sequences of it.

use std::fmt;

use chrono::{Days, NaiveDate};

use crate::model::Model;
use crate::world::{CLASSES, Edit, PEOPLE, Row, Schedule, TABLES, Table};

pub use retentiond::review::Form;

/// What a hold protects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On {
    Record(Table, i64),
    Person(&'static str),
    /// A class, by its id.
    Class(&'static str),
    /// A class's records of a kind.
    Condition(&'static str, &'static str),
}

impl On {
    /// The table of a class, which the schedule may have no more.
    pub fn table(class: &str) -> Table {
        let found = CLASSES.iter().find(|(id, _)| *id == class);
        found.map_or(Table::Page, |(_, table)| *table)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    Day(Option<NaiveDate>),
    Person(Option<&'static str>),
    Kind(Option<&'static str>),
    Name(String),
    Withdrawn(Option<NaiveDate>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Approve,
    Keep(NaiveDate),
    HandOn,
    Revoke,
}

/// One thing that happens. One that cannot be done is left out, so that any part of a sequence
/// is a sequence.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    Pass,
    Days(u64),
    Insert(Table, i64, Row),
    Update(Table, i64, Change),
    Delete(Table, i64),
    Hold {
        /// By this it is released.
        tag: u32,
        form: Form,
        on: On,
        until: Option<NaiveDate>,
        not_before: Option<NaiveDate>,
    },
    Release(u32),
    Review {
        class: &'static str,
        ids: Vec<i64>,
        verdict: Verdict,
        by: &'static str,
    },
    Instruct(&'static str, Option<NaiveDate>),
    Withdraw(&'static str),
    Pause(Option<&'static str>),
    Resume(Option<&'static str>),
    /// A request for erasure, which came in today.
    Erase(&'static str),
    TakeBack(&'static str),
    Schedule(Edit),
}

fn or_none(what: Option<impl fmt::Display>) -> String {
    what.map_or_else(|| "none".to_owned(), |what| what.to_string())
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pass => write!(f, "a pass"),
            Self::Days(days) => write!(f, "{days} days go by"),
            Self::Insert(table, id, row) => write!(
                f,
                "insert {} {id}: person {}, kind {}, day {}, name {}, withdrawn {}, parent {}",
                table.name(),
                or_none(row.person),
                or_none(row.kind),
                or_none(row.day),
                row.name,
                or_none(row.withdrawn),
                or_none(row.parent)
            ),
            Self::Update(table, id, change) => {
                write!(f, "update {} {id}: {change:?}", table.name())
            }
            Self::Delete(table, id) => write!(f, "delete {} {id}", table.name()),
            Self::Hold {
                tag,
                form,
                on,
                until,
                not_before,
            } => write!(
                f,
                "{} {tag} on {on:?} until {}, not before {}",
                form.name(),
                or_none(*until),
                or_none(*not_before)
            ),
            Self::Release(tag) => write!(f, "release {tag}"),
            Self::Review {
                class,
                ids,
                verdict,
                by,
            } => {
                write!(f, "{by} reviews {class} {ids:?}: {verdict:?}")
            }
            Self::Instruct(class, until) => {
                write!(f, "instruct {class} until {}", or_none(*until))
            }
            Self::Withdraw(class) => write!(f, "withdraw the instruction for {class}"),
            Self::Pause(class) => write!(f, "pause {}", class.unwrap_or("everything")),
            Self::Resume(class) => write!(f, "resume {}", class.unwrap_or("everything")),
            Self::Erase(person) => write!(f, "{person} asks for erasure"),
            Self::TakeBack(person) => write!(f, "{person} takes the request back"),
            Self::Schedule(edit) => write!(f, "the schedule changes: {edit:?}"),
        }
    }
}

impl Step {
    /// What kind of step it is, for counting.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Pass => "step: pass",
            Self::Days(_) => "step: days",
            Self::Insert(..) => "step: insert",
            Self::Update(..) => "step: update",
            Self::Delete(..) => "step: delete",
            Self::Hold {
                on: On::Record(..), ..
            } => "step: hold on a record",
            Self::Hold {
                on: On::Person(_), ..
            } => "step: hold on a person",
            Self::Hold {
                on: On::Class(_), ..
            } => "step: hold on a class",
            Self::Hold {
                on: On::Condition(..),
                ..
            } => "step: hold on a condition",
            Self::Release(_) => "step: release",
            Self::Review {
                verdict: Verdict::Approve,
                ..
            } => "step: approve",
            Self::Review {
                verdict: Verdict::Keep(_),
                ..
            } => "step: keep",
            Self::Review {
                verdict: Verdict::HandOn,
                ..
            } => "step: hand on",
            Self::Review {
                verdict: Verdict::Revoke,
                ..
            } => "step: revoke",
            Self::Instruct(..) => "step: instruct",
            Self::Withdraw(_) => "step: withdraw an instruction",
            Self::Pause(_) => "step: pause",
            Self::Resume(_) => "step: resume",
            Self::Erase(_) => "step: ask for erasure",
            Self::TakeBack(_) => "step: take a request back",
            Self::Schedule(_) => "step: another schedule",
        }
    }
}

/// A stream of numbers from a seed (splitmix64).
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64, sequence: u64) -> Self {
        Self(
            seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ sequence.wrapping_mul(0xd1b5_4a32_d192_ed03),
        )
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// One of 0, 1, …, `sides` - 1.
    pub fn below(&mut self, sides: u64) -> u64 {
        self.next() % sides
    }

    fn one_in(&mut self, sides: u64) -> bool {
        self.below(sides) == 0
    }

    fn of<T: Clone>(&mut self, choice: &[T]) -> T {
        choice[self.below(choice.len() as u64) as usize].clone()
    }
}

/// A sequence, as it is made and printed.
#[derive(Debug, Clone)]
pub struct Sequence {
    /// How many have to approve at the beginning.
    pub approvals: usize,
    pub begins: NaiveDate,
    pub steps: Vec<Step>,
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "on {}, {} approvals:", self.begins, self.approvals)?;
        self.steps
            .iter()
            .enumerate()
            .try_for_each(|(n, step)| writeln!(f, "{:3}. {step}", n + 1))
    }
}

/// Rows at the beginning, and what happens then.
const ROWS: usize = 14;
pub const STEPS: usize = 34;

impl Sequence {
    pub fn model(&self) -> Model {
        Model::new(self.begins, Schedule::first(self.approvals))
    }

    /// The sequence of a number, always the same, and the model at its end. The model goes along, so that what happens
    /// is about what is there.
    pub fn random(seed: u64, number: u64) -> (Self, Model) {
        let mut dice = Dice::new(seed, number);
        // Not far from the change to summer time.
        let begins = NaiveDate::from_ymd_opt(2026, 3, 1).unwrap() + Days::new(dice.below(40));
        let mut sequence = Self {
            approvals: 1 + dice.below(2) as usize,
            begins,
            steps: Vec::new(),
        };
        let mut model = sequence.model();
        let mut numbers = 0;
        for edit in [
            Edit::Period("at-most", dice.of(&[15, 30, 40])),
            Edit::Notice(dice.of(&[Some(5), Some(3), None])),
        ] {
            sequence
                .steps
                .extend(step_if_possible(&mut model, Step::Schedule(edit)));
        }
        while sequence.steps.len() < ROWS + STEPS {
            let step = match sequence.steps.len() {
                at if at < ROWS => insert(&mut dice, &model, &mut numbers),
                at if at + 1 == ROWS + STEPS => Step::Pass,
                _ => any(&mut dice, &model, &mut numbers),
            };
            let Some(step) = step_if_possible(&mut model, step) else {
                continue;
            };
            sequence.steps.push(step);
        }
        (sequence, model)
    }
}

fn step_if_possible(model: &mut Model, step: Step) -> Option<Step> {
    if !model.step(&step) {
        return None;
    }
    *model.seen.entry(step.kind()).or_default() += 1;
    if step == Step::Pass {
        model.note_expired();
        model.pass();
    }
    Some(step)
}

fn some_day(dice: &mut Dice, today: NaiveDate) -> Option<NaiveDate> {
    match dice.below(20) {
        0 => None,
        1 => NaiveDate::from_ymd_opt(1970, 1, 1),
        2 => Some(today + Days::new(1 + dice.below(9))),
        _ => Some(today - Days::new(dice.below(55))),
    }
}

fn person(dice: &mut Dice) -> Option<&'static str> {
    dice.of(&[Some("p"), Some("p"), Some("q"), Some("q"), Some("r"), None])
}

fn kind(dice: &mut Dice) -> Option<&'static str> {
    dice.of(&[Some("a"), Some("a"), Some("b"), Some("b"), None])
}

fn insert(dice: &mut Dice, model: &Model, numbers: &mut i64) -> Step {
    let mut table = match dice.below(12) {
        nth @ 0..7 => TABLES[nth as usize],
        7 => Table::Letter,
        8 | 9 => Table::Page,
        10 => Table::Invoice,
        _ => Table::Applicant,
    };
    *numbers += 1;
    let mut id = *numbers;
    // Sometimes a number of a record that is gone.
    if dice.one_in(3)
        && let Some(again) = pick(dice, model.free.iter().copied())
    {
        (table, id) = again;
    }
    let letters = model
        .rows
        .keys()
        .filter(|(of, _)| *of == Table::Letter)
        .map(|(_, id)| *id);
    let parent = if table == Table::Page {
        pick(dice, letters)
    } else {
        None
    };
    let row = Row {
        person: person(dice),
        kind: kind(dice),
        day: some_day(dice, model.today),
        name: format!("n{id}"),
        withdrawn: dice.one_in(6).then_some(model.today),
        parent,
    };
    Step::Insert(table, id, row)
}

fn pick<T: Clone>(dice: &mut Dice, from: impl Iterator<Item = T>) -> Option<T> {
    let all: Vec<T> = from.collect();
    if all.is_empty() {
        None
    } else {
        Some(dice.of(&all))
    }
}

/// An end of a hold, an order, or what is kept: today at the earliest.
fn end(dice: &mut Dice, model: &Model) -> NaiveDate {
    model.today + Days::new(dice.below(14))
}

fn any(dice: &mut Dice, model: &Model, numbers: &mut i64) -> Step {
    let row = pick(dice, model.rows.keys().copied());
    match dice.below(100) {
        0..18 => Step::Pass,
        18..36 => Step::Days(1 + dice.below(9)),
        36..42 => insert(dice, model, numbers),
        42..50 => {
            let Some((table, id)) = row else {
                return Step::Pass;
            };
            let change = match dice.below(8) {
                0..3 => Change::Day(some_day(dice, model.today)),
                3 => Change::Person(person(dice)),
                4 => Change::Kind(kind(dice)),
                5 => Change::Name(format!("again {id}")),
                _ => Change::Withdrawn(dice.one_in(2).then_some(model.today)),
            };
            Step::Update(table, id, change)
        }
        50..53 => row.map_or(Step::Pass, |(table, id)| Step::Delete(table, id)),
        53..64 => hold(dice, model),
        64..70 => {
            let open = model
                .holds
                .iter()
                .filter(|hold| !hold.released && !hold.expired);
            let tag = pick(dice, open.map(|hold| hold.tag)).unwrap_or(u32::MAX - 1);
            Step::Release(if tag == u32::MAX { tag - 1 } else { tag })
        }
        70..81 => review(dice, model),
        81..85 => {
            let until = dice.one_in(2).then(|| end(dice, model));
            Step::Instruct("dossiers", until)
        }
        85 | 86 => Step::Withdraw("dossiers"),
        87..91 => {
            let paused = pick(dice, model.paused.iter().copied());
            match paused {
                Some(paused) => Step::Resume(paused),
                None if dice.one_in(4) => Step::Pause(None),
                None => Step::Pause(Some(dice.of(&CLASSES).0)),
            }
        }
        91..95 => {
            let person = dice.of(&PEOPLE);
            match model.erasures.contains_key(person) {
                true => Step::TakeBack(person),
                false => Step::Erase(person),
            }
        }
        _ => Step::Schedule(match dice.below(7) {
            0 | 1 => Edit::Period(dice.of(&CLASSES).0, dice.of(&[20, 30, 40])),
            2 => Edit::Approvals(dice.of(&[0, 1, 2])),
            3 => Edit::Ordered(dice.one_in(2)),
            4 => Edit::Notice(dice.of(&[None, Some(2), Some(5)])),
            5 => Edit::Right(dice.one_in(2)),
            _ => Edit::Maximum(model.schedule.class("at-most").is_none()),
        }),
    }
}

fn hold(dice: &mut Dice, model: &Model) -> Step {
    let form = dice.of(&[
        Form::Hold,
        Form::Hold,
        Form::Hold,
        Form::Hold,
        Form::Exemption,
        Form::Restriction,
    ]);
    let pages = model
        .rows
        .keys()
        .copied()
        .filter(|(of, _)| *of == Table::Page);
    let on = match dice.below(8) {
        0 => match pick(dice, pages) {
            Some((table, id)) => On::Record(table, id),
            None => On::Class("letters"),
        },
        1..4 => match pick(dice, model.rows.keys().copied()) {
            Some((table, id)) => On::Record(table, id),
            None => On::Person("p"),
        },
        4 | 5 => On::Person(dice.of(&PEOPLE)),
        6 => On::Class(dice.of(&CLASSES).0),
        _ => {
            let class = match dice.below(6) {
                0 => "pages",
                _ => dice.of(&CLASSES).0,
            };
            On::Condition(class, dice.of(&["a", "b"]))
        }
    };
    // Only a hold has an end, or protects after its release.
    let ends = form == Form::Hold && dice.one_in(2);
    let until = ends.then(|| end(dice, model));
    let early = form == Form::Hold && dice.one_in(3);
    let not_before = early.then(|| end(dice, model) + Days::new(10));
    Step::Hold {
        tag: model.holds.len() as u32,
        form,
        on,
        until,
        not_before,
    }
}

fn review(dice: &mut Dice, model: &Model) -> Step {
    let class = "invoices";
    let all = model
        .rows
        .keys()
        .filter(|(of, _)| *of == Table::Invoice)
        .map(|(_, id)| *id);
    let mut ids: Vec<i64> = all.filter(|_| !dice.one_in(4)).collect();
    let verdict = match dice.below(10) {
        0 => Verdict::Keep(end(dice, model)),
        1 => Verdict::HandOn,
        2 => Verdict::Revoke,
        _ => Verdict::Approve,
    };
    if verdict != Verdict::Approve {
        ids.truncate(1);
    }
    Step::Review {
        class,
        ids,
        verdict,
        by: dice.of(&["Jo", "Kim"]),
    }
}
