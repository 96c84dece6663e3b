//! What people decided and what stands in the tables, in plain Rust. What follows from it is
//! in [`crate::judge`]. Written from the rules' page; it knows nothing of SQL.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Days, NaiveDate};

use crate::steps::{Change, Form, On, Step, Verdict};
use crate::world::{Class, Row, Schedule, Table};

pub type RowId = (Table, i64);

#[derive(Debug, Clone)]
pub struct Hold {
    pub tag: u32,
    pub on: On,
    /// What the class claimed when the hold was placed.
    pub claimed: Option<&'static str>,
    pub until: Option<NaiveDate>,
    pub not_before: Option<NaiveDate>,
    pub released: bool,
    pub expired: bool,
}

#[derive(Debug, Clone)]
pub struct Approval {
    pub class: Class,
    pub id: i64,
    pub trigger: Option<NaiveDate>,
    pub last: Option<NaiveDate>,
    pub by: &'static str,
    /// Used up, revoked, or taken back by keeping the record.
    pub over: bool,
}

#[derive(Debug, Clone)]
pub struct Flag {
    pub class: Class,
    pub trigger: Option<NaiveDate>,
    pub last: Option<NaiveDate>,
    pub on: NaiveDate,
}

#[derive(Debug, Clone)]
pub struct Order {
    pub class: &'static str,
    pub until: Option<NaiveDate>,
    pub withdrawn: bool,
}

/// A line of the ledger about a row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    pub action: String,
    pub class: String,
    pub table: String,
    pub id: i64,
    pub trigger: Option<NaiveDate>,
    pub last: Option<NaiveDate>,
}

#[derive(Debug, Clone)]
pub struct Model {
    pub today: NaiveDate,
    pub schedule: Schedule,
    pub rows: BTreeMap<RowId, Row>,
    pub holds: Vec<Hold>,
    pub approvals: Vec<Approval>,
    pub flags: BTreeMap<(&'static str, i64), Flag>,
    pub orders: Vec<Order>,
    pub paused: Vec<Option<&'static str>>,
    /// Whose erasure is asked for, and since when.
    pub erasures: BTreeMap<&'static str, NaiveDate>,
    /// Every line of the ledger about a row, and the name of every other entry.
    pub lines: Vec<Line>,
    pub entries: Vec<&'static str>,
    /// What happened how often.
    pub seen: BTreeMap<&'static str, u64>,
    /// Numbers of rows that passes have deleted, which may be given again.
    pub free: BTreeSet<RowId>,
}

impl Model {
    pub fn new(today: NaiveDate, schedule: Schedule) -> Self {
        Self {
            today,
            schedule,
            rows: BTreeMap::new(),
            holds: Vec::new(),
            approvals: Vec::new(),
            flags: BTreeMap::new(),
            orders: Vec::new(),
            paused: Vec::new(),
            erasures: BTreeMap::new(),
            lines: Vec::new(),
            entries: Vec::new(),
            seen: BTreeMap::new(),
            free: BTreeSet::new(),
        }
    }

    pub fn saw(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }

    /// Does a step; answers whether it could be done. A pass is `Model::pass`.
    pub fn step(&mut self, step: &Step) -> bool {
        match step {
            Step::Pass => return true,
            Step::Days(days) => self.today = self.today + Days::new(*days),
            Step::Insert(table, id, row) => {
                let orphan = *table == Table::Page
                    && !row
                        .parent
                        .is_some_and(|id| self.rows.contains_key(&(Table::Letter, id)));
                if orphan || self.rows.contains_key(&(*table, *id)) {
                    return false;
                }
                if self.free.remove(&(*table, *id)) {
                    self.saw("a number given again");
                }
                self.rows.insert((*table, *id), row.clone());
            }
            Step::Update(table, id, change) => {
                let Some(row) = self.rows.get_mut(&(*table, *id)) else {
                    return false;
                };
                match change {
                    Change::Day(day) => row.day = *day,
                    Change::Person(person) => row.person = *person,
                    Change::Kind(kind) => row.kind = *kind,
                    Change::Name(name) => row.name.clone_from(name),
                    Change::Withdrawn(day) => row.withdrawn = *day,
                }
            }
            Step::Delete(table, id) => {
                if self.rows.remove(&(*table, *id)).is_none() {
                    return false;
                }
                if *table == Table::Letter {
                    self.rows
                        .retain(|(of, _), row| *of != Table::Page || row.parent != Some(*id));
                }
            }
            Step::Hold {
                tag,
                on,
                until,
                not_before,
                form,
            } => {
                let claimed = match on {
                    On::Class(class) | On::Condition(class, _) => {
                        self.schedule.class(class).and_then(|class| class.kind)
                    }
                    _ => None,
                };
                self.holds.push(Hold {
                    tag: *tag,
                    on: *on,
                    claimed,
                    until: *until,
                    not_before: *not_before,
                    released: false,
                    expired: false,
                });
                self.entries.push("hold-placed");
                self.saw(match form {
                    Form::Hold => "a hold",
                    Form::Exemption => "an exemption",
                    Form::Restriction => "a restriction",
                });
            }
            Step::Release(tag) => {
                let open = |hold: &&mut Hold| hold.tag == *tag && !hold.released && !hold.expired;
                let Some(hold) = self.holds.iter_mut().find(open) else {
                    return false;
                };
                hold.released = true;
                self.entries.push("hold-released");
            }
            Step::Review {
                class,
                ids,
                verdict,
                by,
            } => {
                let Some(found) = self.schedule.class(class).copied() else {
                    return false;
                };
                let there = self.reviewed(class, ids);
                if there.is_empty() {
                    return false;
                }
                if *verdict != Verdict::Approve && *verdict != Verdict::HandOn {
                    for approval in &mut self.approvals {
                        let named = there.iter().any(|(id, ..)| *id == approval.id);
                        approval.over |= approval.class.id == *class && named;
                    }
                }
                for (id, trigger, last) in there {
                    match verdict {
                        Verdict::Approve => self.approvals.push(Approval {
                            class: found,
                            id,
                            trigger,
                            last,
                            by,
                            over: false,
                        }),
                        Verdict::Keep(until) => self.holds.push(Hold {
                            tag: u32::MAX,
                            on: On::Record(found.table, id),
                            claimed: None,
                            until: Some(*until),
                            not_before: None,
                            released: false,
                            expired: false,
                        }),
                        Verdict::HandOn | Verdict::Revoke => {}
                    }
                }
                self.entries.push(match verdict {
                    Verdict::Approve => "approved",
                    Verdict::Keep(_) => "kept",
                    Verdict::HandOn => "handed-on",
                    Verdict::Revoke => "approval-revoked",
                });
            }
            Step::Instruct(class, until) => {
                self.orders.push(Order {
                    class,
                    until: *until,
                    withdrawn: false,
                });
                self.entries.push("instructed");
            }
            Step::Withdraw(class) => {
                let mut any = false;
                for order in &mut self.orders {
                    if order.class == *class && !order.withdrawn {
                        order.withdrawn = true;
                        any = true;
                        self.entries.push("instruction-withdrawn");
                    }
                }
                return any;
            }
            Step::Pause(class) => {
                self.paused.push(*class);
                self.entries.push("paused");
            }
            Step::Resume(class) => {
                let before = self.paused.len();
                self.paused.retain(|paused| paused != class);
                for _ in self.paused.len()..before {
                    self.entries.push("resumed");
                }
                return self.paused.len() < before;
            }
            Step::Erase(person) => {
                if self.erasures.contains_key(person) {
                    return false;
                }
                self.erasures.insert(person, self.today);
                self.entries.push("erasure-requested");
            }
            Step::TakeBack(person) => {
                if self.erasures.remove(person).is_none() {
                    return false;
                }
                self.entries.push("erasure-withdrawn");
            }
            Step::Schedule(edit) => self.schedule.edit(*edit),
        }
        true
    }
}
