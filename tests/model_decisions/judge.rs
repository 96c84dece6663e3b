//! What the rules say: which classes claim a row, which of them governs, what keeps the row,
//! and what a pass makes of it all.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Days, NaiveDate};

use crate::model::{Approval, Flag, Hold, Line, Model, Order, RowId};
use crate::steps::On;
use crate::world::{Class, Disposal, Gate, REDACTED, Row, Table};

/// What a pass reports of a class.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub flagged: u64,
    pub anonymised: u64,
    pub deleted: u64,
    pub dependants: u64,
    /// Past the maximum, while a minimum is not.
    pub conflict: u64,
    /// Past records that nothing keeps but a gate.
    pub waiting: u64,
}

/// A record that waits for reviewers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Queued {
    pub id: i64,
    pub trigger: Option<NaiveDate>,
    pub last: Option<NaiveDate>,
    pub by: Vec<String>,
    /// Whether somebody had approved what it was before.
    pub void: bool,
}

/// Why a claim is past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Trigger,
    Consent,
    Request,
}

/// A class that may claim a row.
#[derive(Debug, Clone, Copy)]
pub struct Claim {
    class: Class,
    /// Whether it does, and nobody can doubt it.
    sure: bool,
    by: By,
    past: bool,
    pub trigger: Option<NaiveDate>,
    pub last: Option<NaiveDate>,
}

/// What is to become of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Stays,
    /// By this claim of the row.
    Goes(usize),
    /// Notice is given by this claim.
    Noticed(usize),
}

impl Approval {
    /// Whether what was approved is what the claim is now.
    fn binds(&self, claim: &Claim) -> bool {
        self.class == claim.class && self.trigger == claim.trigger && self.last == claim.last
    }
}

impl Model {
    /// The records of a class among these that a reviewer could be shown: with the days that
    /// their decision binds.
    pub fn reviewed(
        &self,
        class: &str,
        ids: &[i64],
    ) -> Vec<(i64, Option<NaiveDate>, Option<NaiveDate>)> {
        let Some(class) = self.schedule.class(class) else {
            return Vec::new();
        };
        let mut found = Vec::new();
        for id in ids {
            let Some(row) = self.rows.get(&(class.table, *id)) else {
                continue;
            };
            let claims = self.claims(class.table, row);
            let claim = claims
                .iter()
                .find(|claim| claim.class.id == class.id && claim.sure);
            if let Some(claim) = claim.filter(|claim| claim.last.is_some()) {
                found.push((*id, claim.trigger, claim.last));
            }
        }
        found
    }

    /// Rule 3: every claim that is not FALSE, with its last day.
    fn claims(&self, table: Table, row: &Row) -> Vec<Claim> {
        let mut claims = Vec::new();
        for class in self.schedule.0.iter().filter(|class| class.table == table) {
            let sure = match (class.kind, row.kind) {
                (None, _) => true,
                (Some(claimed), Some(kind)) if claimed != kind => continue,
                (Some(_), kind) => kind.is_some(),
            };
            // What nobody believes counts for nothing.
            let plausible = NaiveDate::from_ymd_opt(1990, 1, 1).unwrap();
            let last = row
                .day
                .filter(|day| *day >= plausible)
                .map(|day| day + chrono::Duration::days(class.period));
            let over = last.is_some_and(|last| match class.maximum {
                true => last <= self.today,
                false => last < self.today,
            });
            let asked = row.person.and_then(|person| self.erasures.get(person));
            let withdrawn = class.or_when && row.withdrawn.is_some();
            let (by, past, last) = match asked.filter(|_| class.erasure_right) {
                Some(asked) => (By::Request, true, asked.pred_opt()),
                // Past by its trigger as well, it has that last day.
                None if withdrawn => (By::Consent, true, last.filter(|_| over)),
                None => (By::Trigger, over, last),
            };
            claims.push(Claim {
                class: *class,
                sure,
                by,
                past,
                trigger: row.day,
                last,
            });
        }
        claims
    }

    fn binds(&self, hold: &Hold) -> bool {
        let open = !hold.released && hold.until.is_none_or(|until| until >= self.today);
        open || hold.not_before.is_some_and(|day| day > self.today)
    }

    fn covers(&self, hold: &Hold, table: Table, id: i64, row: &Row) -> bool {
        let of = |kind: Option<&str>| match (kind, row.kind) {
            (Some(wanted), Some(kind)) => wanted == kind,
            _ => true,
        };
        match hold.on {
            On::Record(on, key) => (on, key) == (table, id),
            On::Person(person) => table != Table::Page && row.person == Some(person),
            On::Class(class) => On::table(class) == table && of(hold.claimed),
            On::Condition(class, kind) => {
                On::table(class) == table && of(hold.claimed) && of(Some(kind))
            }
        }
    }

    fn held(&self, table: Table, id: i64, row: &Row) -> bool {
        self.holds
            .iter()
            .any(|hold| self.binds(hold) && self.covers(hold, table, id, row))
    }

    fn pages(&self, letter: i64) -> Vec<i64> {
        let of = |((table, id), row): (&RowId, &Row)| {
            (*table == Table::Page && row.parent == Some(letter)).then_some(*id)
        };
        self.rows.iter().filter_map(of).collect()
    }

    /// The approvals that a claim has, each person's once.
    fn approved(&self, claim: &Claim, id: i64) -> usize {
        let good = self
            .approvals
            .iter()
            .filter(|approval| !approval.over && approval.id == id && approval.binds(claim));
        good.map(|approval| approval.by)
            .collect::<BTreeSet<_>>()
            .len()
    }

    fn flag(&self, claim: &Claim, id: i64) -> Option<&Flag> {
        let flag = self.flags.get(&(claim.class.id, id))?;
        let same =
            flag.class == claim.class && flag.trigger == claim.trigger && flag.last == claim.last;
        same.then_some(flag)
    }

    /// What is to become of a row, and what keeps it where it is past.
    fn fate(&self, table: Table, id: i64, row: &Row) -> (Fate, Vec<Claim>, Vec<&'static str>) {
        let claims = self.claims(table, row);
        let mut why = Vec::new();
        let minimums = claims.iter().filter(|claim| !claim.class.maximum);
        let mut maximums = claims.iter().filter(|claim| claim.class.maximum);
        let all_past = minimums.clone().all(|claim| claim.past);
        let any_maximum = maximums.clone().next().is_none() || maximums.clone().any(|c| c.past);
        if claims.is_empty() || !all_past || !any_maximum {
            // A class that may not claim it orders nothing.
            if !all_past && maximums.any(|claim| claim.past && claim.sure) {
                why.push("a conflict");
            }
            return (Fate::Stays, claims, why);
        }
        // The latest last day; one that is none counts as the earliest. Then the mildest.
        let order = |nth: &usize| {
            let claim = &claims[*nth];
            (claim.last, std::cmp::Reverse(claim.class.disposal))
        };
        let governs = (0..claims.len()).max_by_key(order).unwrap();
        let governing = &claims[governs];
        let done = match governing.class.disposal {
            // One that is listed is listed: a request for erasure lists it no second time.
            Disposal::Flag => self
                .flags
                .get(&(governing.class.id, id))
                .is_some_and(|f| f.class == governing.class && f.trigger == governing.trigger),
            Disposal::Anonymise => row.name == REDACTED,
            Disposal::Delete => false,
        };
        if done {
            return (Fate::Stays, claims, why);
        }
        if !governing.sure {
            why.push("a claim in doubt");
        }
        if self.held(table, id, row) {
            why.push("a hold");
        }
        if table == Table::Letter {
            let held = self
                .pages(id)
                .iter()
                .any(|page| self.held(Table::Page, *page, &self.rows[&(Table::Page, *page)]));
            if held {
                why.push("a hold on a page");
            }
        }
        let mut notice = None;
        for (nth, claim) in claims.iter().enumerate() {
            let class = &claim.class;
            if self
                .paused
                .iter()
                .any(|paused| paused.is_none_or(|id| id == class.id))
            {
                why.push("a pause");
            }
            match class.gate {
                Gate::None => {}
                Gate::Review(people) => match self.approved(claim, id) {
                    found if found >= people => {}
                    0 => why.push("no approval"),
                    _ => why.push("too few approvals"),
                },
                Gate::Instruction => {
                    let good = |order: &Order| {
                        order.class == class.id
                            && !order.withdrawn
                            && order.until.is_none_or(|until| until >= self.today)
                    };
                    if !self.orders.iter().any(good) {
                        why.push("no instruction");
                    }
                }
            }
            if let (Some(days), By::Trigger) = (class.notice, claim.by) {
                match self.flag(claim, id) {
                    None => notice = Some(nth),
                    Some(flag) if flag.on + Days::new(days as u64) > self.today => {
                        why.push("a notice");
                    }
                    Some(_) => {}
                }
            }
        }
        let fate = match notice {
            _ if !why.is_empty() => Fate::Stays,
            Some(nth) => Fate::Noticed(nth),
            None => Fate::Goes(governs),
        };
        (fate, claims, why)
    }

    /// What waits for the reviewers of a class.
    pub fn queue(&self, class: &str) -> Vec<Queued> {
        let mut queue = Vec::new();
        for ((table, id), row) in &self.rows {
            let (_, claims, why) = self.fate(*table, *id, row);
            let Some(claim) = claims.iter().find(|claim| claim.class.id == class) else {
                continue;
            };
            let waits = why.contains(&"no approval") || why.contains(&"too few approvals");
            // What is held is nobody's to review.
            if !waits || why.contains(&"a hold") {
                continue;
            }
            let its = |a: &&Approval| a.class.id == class && a.id == *id && !a.over;
            let (good, void): (Vec<_>, Vec<_>) = self
                .approvals
                .iter()
                .filter(its)
                .partition(|approval| approval.binds(claim));
            let by: BTreeSet<_> = good.iter().map(|approval| approval.by.to_owned()).collect();
            queue.push(Queued {
                id: *id,
                trigger: claim.trigger,
                last: claim.last,
                by: by.into_iter().collect(),
                void: !void.is_empty(),
            });
        }
        queue.sort();
        queue
    }

    /// Holds that are over since the last pass; answers how many are noted.
    pub fn note_expired(&mut self) -> u64 {
        let mut over = 0;
        for hold in &mut self.holds {
            let ended = hold.until.is_some_and(|until| until < self.today);
            if ended && !hold.released && !hold.expired {
                hold.expired = true;
                over += 1;
            }
        }
        for _ in 0..over {
            self.entries.push("hold-expired");
            self.saw("a hold's end passed");
        }
        over
    }

    /// A pass; answers what it reports of each class.
    pub fn pass(&mut self) -> BTreeMap<&'static str, Counts> {
        let mut counts: BTreeMap<&'static str, Counts> = self
            .schedule
            .0
            .iter()
            .map(|class| (class.id, Counts::default()))
            .collect();
        let judged: Vec<_> = self
            .rows
            .iter()
            .filter(|((table, _), _)| *table != Table::Page)
            .map(|((table, id), row)| (*table, *id, self.fate(*table, *id, row)))
            .collect();
        for (table, id, (fate, claims, why)) in judged {
            self.note((table, id), &claims, &why);
            let gates = ["no approval", "too few approvals", "no instruction"];
            let held = self
                .rows
                .get(&(table, id))
                .is_some_and(|row| self.held(table, id, row));
            if why.contains(&"a conflict") {
                // What is held as well is reported as held.
                counts.get_mut("at-most").unwrap().conflict += u64::from(!held);
            } else if !why.is_empty() && why.iter().all(|reason| gates.contains(reason)) {
                counts.get_mut(claims[0].class.id).unwrap().waiting += 1;
            }
            let (nth, action) = match fate {
                Fate::Stays => continue,
                Fate::Goes(nth) => (nth, claims[nth].class.disposal),
                Fate::Noticed(nth) => (nth, Disposal::Flag),
            };
            let claim = claims[nth];
            let class = claim.class.id;
            let count = counts.get_mut(class).unwrap();
            let line = |action: &str, table: Table, id: i64| Line {
                action: action.to_owned(),
                class: class.to_owned(),
                table: table.name().to_owned(),
                id,
                trigger: claim.trigger,
                last: claim.last,
            };
            match action {
                Disposal::Flag => {
                    count.flagged += 1;
                    self.lines.push(line("flagged", table, id));
                    let flag = Flag {
                        class: claim.class,
                        trigger: claim.trigger,
                        last: claim.last,
                        on: self.today,
                    };
                    self.flags.insert((class, id), flag);
                }
                Disposal::Anonymise => {
                    count.anonymised += 1;
                    self.lines.push(line("anonymised", table, id));
                    self.rows.get_mut(&(table, id)).unwrap().name = REDACTED.to_owned();
                }
                Disposal::Delete => {
                    count.deleted += 1;
                    self.lines.push(line("deleted", table, id));
                    let pages = if table == Table::Letter {
                        self.pages(id)
                    } else {
                        Vec::new()
                    };
                    for page in pages {
                        count.dependants += 1;
                        self.lines.push(line("deleted", Table::Page, page));
                        self.rows.remove(&(Table::Page, page));
                        self.free.insert((Table::Page, page));
                    }
                    self.rows.remove(&(table, id));
                    self.free.insert((table, id));
                    for claim in &claims {
                        self.flags.remove(&(claim.class.id, id));
                    }
                }
            }
            if let Fate::Noticed(_) = fate {
                self.saw("a notice begun");
                continue;
            }
            self.saw(match action {
                Disposal::Flag => "flagged",
                Disposal::Anonymise => "anonymised",
                Disposal::Delete => "deleted",
            });
            self.saw(match claim.by {
                By::Request => "erased by request",
                By::Consent => "gone without consent",
                By::Trigger if claim.class.notice.is_some() => "gone after notice",
                By::Trigger => "gone by its trigger",
            });
            if claims.len() > 1 {
                self.saw("gone by two classes");
            }
            for claim in claims {
                match claim.class.gate {
                    Gate::Instruction => self.saw("gone by instruction"),
                    Gate::Review(2) => self.saw("gone by two approvals"),
                    _ => {}
                }
                for approval in &mut self.approvals {
                    let its = approval.class.id == claim.class.id && approval.id == id;
                    let good = approval.trigger == claim.trigger && approval.last == claim.last;
                    if its && good && approval.class == claim.class && !approval.over {
                        approval.over = true;
                        *self.seen.entry("an approval used up").or_default() += 1;
                    }
                }
            }
        }
        self.entries.push("run-finished");
        counts
    }

    /// Counts what kept a record.
    fn note(&mut self, id: RowId, claims: &[Claim], why: &[&'static str]) {
        let requested = claims.iter().any(|claim| claim.by == By::Request);
        for reason in why {
            self.saw(reason);
        }
        let after = |hold: &Hold| {
            hold.released && self.binds(hold) && self.covers(hold, id.0, id.1, &self.rows[&id])
        };
        if self.holds.iter().any(after) && why == ["a hold"] {
            self.saw("saved by a hold that is released");
        }
        match why {
            ["a hold"] if requested => self.saw("a request refused by a hold"),
            ["a hold"] => self.saw("saved only by a hold"),
            ["a hold on a page"] => self.saw("saved only by a hold on a page"),
            _ => {}
        }
        for claim in claims {
            if why.contains(&"no approval")
                && self.approvals.iter().any(|approval| {
                    approval.class.id == claim.class.id && approval.id == id.1 && !approval.over
                })
            {
                self.saw("an approval void");
            }
            let ended = |order: &Order| {
                order.class == claim.class.id
                    && !order.withdrawn
                    && order.until.is_some_and(|until| until < self.today)
            };
            if why.contains(&"no instruction") && self.orders.iter().any(ended) {
                self.saw("an instruction over");
            }
        }
    }
}
