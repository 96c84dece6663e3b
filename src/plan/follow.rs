//! The statements of a batch whose records have dependants or files: lock, judge what
//! hangs on them, act on exactly those rows.

use serde::Serialize;

use super::judge::{Judge, all, any, columns};
use super::key::{Key, among};
use super::link::{Link, Side};
use super::related::Reads;
use super::relations::{Inbound, Referred, Relations};
use super::scan::assignments;
use super::work::unprotected;
use crate::catalog::Table;
use crate::ident::{Ident, TableName, literal};
use crate::schedule::{Class, Disposal, Dispose};

/// Before the trigger of a row that is past at once, where a statement answers from what day it
/// is counted.
pub const AT_ONCE: &str = "at once ";

/// Before the last day, a blank and the trigger of a row that a person's request erases.
pub const ERASED: &str = "erased ";

/// The statements of a batch that follows dependants or files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Follow {
    /// Deletes or anonymises exactly the records of these keys (`text[]` a key column, then,
    /// when anonymising, the two pads). Answers key, then whether the row shows it.
    pub finish: String,
    /// Counts those of these keys that do not show it any more at the end: a trigger that
    /// ran after the statement undid it. Empty where the table has no triggers.
    pub undone: String,
    /// Whether `finish` anonymises.
    pub anonymises: bool,
    /// How many link columns `act` answers.
    pub links: usize,
    /// The file columns that `act` answers.
    pub files: Vec<FileOf>,
    /// Tables whose rows refer to the record or another dependant, top down.
    pub inbound: Vec<Dependant>,
    /// Tables whose rows stay and are unlinked.
    pub unlinked: Vec<Dependant>,
    /// Tables that the record refers to.
    pub referred: Vec<Shared>,
    /// What the judgement of the records reads beyond their own rows.
    pub reads: Option<Reads>,
    /// How many foreign keys point at the tables that rows are deleted from.
    pub foreign_keys: usize,
}

/// A column that names files, and where they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileOf {
    /// The store's name.
    pub store: String,
    /// Answers which of the paths `$1` (`text[]`) other rows still name.
    pub still_named: String,
}

/// A dependant table: how its rows are found, judged and dealt with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Dependant {
    /// The table.
    pub table: TableName,
    /// Its key.
    pub key: Key,
    /// Whether it is the record's own table: its rows go by the same statement as the
    /// records, and some of them may be due by themselves.
    pub own: bool,
    /// By which of its links rows are found.
    pub edges: Vec<Edge>,
    /// Deletes exactly the rows of these keys, answering them; empty where rows are unlinked
    /// or go with the records' statement.
    pub delete: String,
    /// Counts those of these keys that are there again at the end; empty where the table
    /// has no triggers.
    pub undone: String,
    /// How many link columns its `lock` statements answer.
    pub links: usize,
    /// The file columns that its `lock` statements answer.
    pub files: Vec<FileOf>,
    /// What the judgement of its rows reads beyond themselves.
    pub reads: Option<Reads>,
}

/// One link from a dependant upwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Edge {
    /// Whose rows it refers to: 0 the record, `n` the `n`th of `inbound` (from 1).
    pub parent: usize,
    /// Which of the parent's links it refers to.
    pub parent_links: Vec<usize>,
    /// Locks and judges the rows that refer to the parents of these links (`text[]` a link).
    /// Answers key, the referring values as text, the verdict, in the record's own table
    /// its trigger's date as text where it is due by itself, then links, files.
    pub lock: String,
    /// Counts the rows that refer to the parents of these links (`text[]` a link) at the
    /// end: they came after the locks, which a relation that only the schedule declares does not
    /// make them wait for. Empty for a foreign key.
    pub again: String,
    /// Empties the key in exactly the rows of these keys, answering them; empty where rows are deleted.
    pub unlink: String,
    /// Counts those of these keys that refer to something again at the end; empty where
    /// rows are deleted, or the table has no triggers.
    pub undone: String,
}

/// A table that records refer to, whose rows go with the last that refers to them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shared {
    /// The table.
    pub table: TableName,
    /// Its key.
    pub key: Key,
    /// By which foreign keys, of the record and of what goes with it.
    pub edges: Vec<SharedEdge>,
    /// Deletes those of these keys that nothing refers to any more, answering them.
    pub delete: String,
    /// Counts those of these keys that nothing refers to and that are there all the same;
    /// empty where the table has no triggers.
    pub undone: String,
    /// How many link columns the `lock` statements answer.
    pub links: usize,
    /// The file columns that they answer.
    pub files: Vec<FileOf>,
    /// What the judgement of its rows reads beyond themselves.
    pub reads: Option<Reads>,
    /// By which links that only the schedule declares something may have begun to refer to
    /// the rows meanwhile.
    pub again: Vec<Again>,
}

/// A look at who refers to rows that were deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Again {
    /// Which of the deleted rows' links are referred to.
    pub links: Vec<usize>,
    /// Counts the rows that refer to these links (`text[]` a link).
    pub count: String,
}

/// One link outwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SharedEdge {
    /// Whose rows refer by it.
    pub from: Referrer,
    /// Which of their links do.
    pub links: Vec<usize>,
    /// Locks, in the key's order, and judges the rows referred to (`text[]` a link).
    /// Answers key, the values referred to as text, the verdict, links, files.
    pub lock: String,
}

/// Among the rows that are locked already, those that refer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Referrer {
    /// The records.
    Record,
    /// Those of this place in `inbound`.
    Dependant(usize),
    /// Those of this place in `referred`.
    Shared(usize),
}

/// What `lock` says of a dependant's row; its parents wait for anything but `Free`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It may go.
    Free,
    /// A hold protects it.
    Held,
    /// A class of its own protects it, or waits.
    Protected,
}

impl Verdict {
    /// From the number in a statement's answer; anything unknown protects.
    #[must_use]
    pub fn from_sql(number: i32) -> Self {
        match number {
            0 => Self::Free,
            1 => Self::Held,
            _ => Self::Protected,
        }
    }
}

/// Writes them for one class.
pub(super) struct Planner<'a> {
    pub judge: &'a Judge<'a>,
    pub class: &'a Class,
    pub dispose: &'a Dispose,
    pub relations: &'a Relations,
    pub table: &'a Table,
    pub key: &'a Key,
}

impl Planner<'_> {
    /// The statements, and the record's columns that relate it to its dependants.
    pub fn follow(&self) -> (Follow, Vec<Ident>) {
        let anonymises = matches!(self.dispose.disposal, Disposal::Anonymise(_));
        // A link is a column whose value relates a row to its dependants.
        let record_links = self.links(&self.table.name);
        let inbound: Vec<Dependant> = self
            .relations
            .inbound
            .iter()
            .filter_map(|inbound| self.dependant(inbound, true))
            .collect();
        let unlinked = self
            .relations
            .unlinked
            .iter()
            .filter_map(|inbound| self.dependant(inbound, false))
            .collect();
        let shared = self
            .referred()
            .iter()
            .filter_map(|referred| self.shared(referred))
            .collect();
        let width = self.key.columns.len();
        let by_key = among(&self.key.typed(), "t", 1);
        let finish = if anonymises {
            format!(
                "UPDATE {} AS t SET {} WHERE {by_key} RETURNING {}, ({})",
                self.table.name.quoted(),
                assignments(self.judge, self.dispose, self.table, (width + 1, width + 2)),
                self.key.returned("t"),
                self.judge.done(self.class, self.dispose, "t"),
            )
        } else {
            format!(
                "DELETE FROM {} AS t WHERE {by_key} RETURNING {}, TRUE",
                self.table.name.quoted(),
                self.key.returned("t")
            )
        };
        let undone = if anonymises {
            let done = self.judge.done(self.class, self.dispose, "t");
            self.undone(self.table, &format!("{by_key} AND NOT ({done})"))
        } else {
            self.undone(self.table, &by_key)
        };
        let follow = Follow {
            finish,
            undone,
            anonymises,
            links: record_links.len(),
            files: self.files(&self.table.name),
            inbound,
            unlinked,
            referred: shared,
            reads: self
                .judge
                .reads(self.table, &record_links, &self.still_due()),
            foreign_keys: self.foreign_keys(anonymises),
        };
        (follow, record_links)
    }

    /// What an anonymised record refers to stays, as it does itself.
    fn referred(&self) -> &[Referred] {
        if matches!(self.dispose.disposal, Disposal::Anonymise(_)) {
            &[]
        } else {
            &self.relations.referred
        }
    }

    fn links(&self, table: &TableName) -> Vec<Ident> {
        let inward = self
            .relations
            .inbound
            .iter()
            .chain(&self.relations.unlinked)
            .flat_map(|inbound| &inbound.edges)
            .filter(|edge| &edge.to == table)
            .map(|edge| &edge.to_columns);
        let looked_at = self
            .referred()
            .iter()
            .filter(|referred| &referred.table == table)
            .flat_map(looked_at_again)
            .map(|edge| &edge.to_columns);
        let outward = self
            .referred()
            .iter()
            .flat_map(|referred| &referred.edges)
            .filter(|edge| &edge.from == table)
            .map(|edge| &edge.from_columns);
        let read = self.judge.read_links(table);
        let read = read.iter().map(|link| &link.from_columns);
        let mut links: Vec<Ident> = Vec::new();
        for column in inward.chain(outward).chain(looked_at).chain(read).flatten() {
            if !links.contains(column) {
                links.push(column.clone());
            }
        }
        links
    }

    fn files(&self, table: &TableName) -> Vec<FileOf> {
        self.dispose
            .files
            .iter()
            .filter(|file| &file.table == table)
            .map(|file| FileOf {
                store: file.store.clone(),
                still_named: self.still_named(&file.store),
            })
            .collect()
    }

    /// Every column of the schedule that names files of a store: a file stays while any row
    /// of any of them names it.
    fn still_named(&self, store: &str) -> String {
        let here = self.judge.schedule.classes().iter();
        let there = self.judge.waiting.iter();
        let mut columns: Vec<(&TableName, &Ident)> = here
            .chain(there.flat_map(|judge| judge.schedule.classes()))
            .filter_map(Class::dispose)
            .flat_map(|dispose| &dispose.files)
            .filter(|file| file.store == store)
            .map(|file| (&file.table, &file.column))
            .filter(|(table, column)| {
                self.judge
                    .catalog
                    .table(table)
                    .is_some_and(|t| t.column(column).is_some())
            })
            .collect();
        columns.sort();
        columns.dedup();
        columns
            .iter()
            .map(|(table, column)| {
                format!(
                    "SELECT t.{0}::text FROM {1} AS t WHERE t.{0} = ANY ($1::text[])",
                    column.quoted(),
                    table.quoted()
                )
            })
            .collect::<Vec<_>>()
            .join(" UNION ")
    }

    fn verdict(&self, table: &Table, unlinked: bool) -> String {
        let mut cases = format!("CASE WHEN {} THEN 1", self.judge.held(table, "t"));
        if !unlinked {
            let gated = self.judge.gated(&table.name, "t");
            if gated != "FALSE" {
                cases.push_str(&format!(" WHEN {gated} THEN 2"));
            }
            let in_notice = self.judge.in_notice(&table.name, "t");
            if in_notice != "FALSE" {
                cases.push_str(&format!(" WHEN {in_notice} THEN 2"));
            }
            if let Some(protected) = self.judge.protected(&table.name, "t") {
                cases.push_str(&format!(" WHEN {protected} THEN 2"));
            }
        }
        format!("{cases} ELSE 0 END")
    }

    /// Of records that are locked, as what they read is: everything that made them due.
    fn still_due(&self) -> String {
        let due = all(vec![
            self.judge.claims(self.class, "t"),
            self.judge.past(self.class, self.dispose, "t"),
            unprotected(
                self.judge,
                self.class,
                self.dispose,
                self.relations,
                self.table,
                "t",
            ),
        ]);
        format!("SELECT {}, ({due}) IS TRUE", self.key.returned("t"))
    }

    fn verdict_again(&self, table: &Table, key: &Key, links: &[Ident]) -> Option<Reads> {
        let answer = format!(
            "SELECT {}, {}",
            key.returned("t"),
            self.verdict(table, false)
        );
        self.judge.reads(table, links, &answer)
    }

    /// How many foreign keys point at what is deleted; all of them are followed.
    fn foreign_keys(&self, anonymises: bool) -> usize {
        let inbound = self.relations.inbound.iter().map(|inbound| &inbound.table);
        let record = (!anonymises).then_some(&self.table.name);
        let mut tables: Vec<&TableName> = inbound.chain(record).collect();
        tables.sort();
        tables.dedup();
        let pointing = |table: &&TableName| self.judge.catalog.inbound(table).count();
        tables.iter().map(pointing).sum()
    }

    fn dependant(&self, inbound: &Inbound, deleted: bool) -> Option<Dependant> {
        let table = self.judge.catalog.table(&inbound.table)?;
        let key = Key::of(table);
        let own = deleted && table.name == self.table.name;
        // Of a row that stays only its link is asked, no way leads further.
        let links = if deleted {
            self.links(&inbound.table)
        } else {
            Vec::new()
        };
        let files = if deleted {
            self.files(&inbound.table)
        } else {
            Vec::new()
        };
        let edges = inbound
            .edges
            .iter()
            .flat_map(|link| {
                let places = self.relations.places(&link.to, &self.table.name);
                places.into_iter().map(move |place| (place, link))
            })
            .map(|(place, link)| self.edge(table, &key, place, link, &links, deleted))
            .collect();
        let by_key = among(&key.typed(), "t", 1);
        let delete = if deleted && !own {
            format!(
                "DELETE FROM {} AS t WHERE {by_key} RETURNING {}",
                table.name.quoted(),
                key.returned("t")
            )
        } else {
            String::new()
        };
        let undone = if deleted {
            self.undone(table, &by_key)
        } else {
            String::new()
        };
        let reads = deleted
            .then(|| self.verdict_again(table, &key, &links))
            .flatten();
        Some(Dependant {
            reads,
            table: inbound.table.clone(),
            key,
            own,
            edges,
            delete,
            undone,
            links: links.len(),
            files,
        })
    }

    fn edge(
        &self,
        table: &Table,
        key: &Key,
        place: usize,
        link: &Link,
        links: &[Ident],
        deleted: bool,
    ) -> Edge {
        let above = self.links(&link.to);
        let parent_links = link
            .to_columns
            .iter()
            .filter_map(|column| above.iter().position(|link| link == column))
            .collect();
        let (unlink, undone) = if deleted {
            (String::new(), String::new())
        } else {
            let emptied: Vec<String> = emptied(table, link)
                .map(|name| format!("t.{} IS NOT NULL", name.quoted()))
                .collect();
            let by_key = among(&key.typed(), "t", 1);
            (
                unlink(table, key, link),
                self.undone(table, &format!("{by_key} AND ({})", any(emptied))),
            )
        };
        Edge {
            parent: place,
            parent_links,
            lock: self.lock(table, key, link, links, deleted),
            again: if link.is_key() {
                String::new()
            } else {
                self.count_referring(link)
            },
            unlink,
            undone,
        }
    }

    /// Whoever refers, by a link, to the values `$1…`.
    fn referring(&self, link: &Link) -> String {
        let casts: Vec<String> = (0..link.from_columns.len())
            .map(|nth| link.compared_as(nth, Side::From, self.judge.catalog))
            .collect();
        let typed: Vec<(&Ident, &str)> = link
            .from_columns
            .iter()
            .zip(casts.iter().map(String::as_str))
            .collect();
        let mut condition = among(&typed, "t", 1);
        if let Some(also) = link.condition_on(Side::From, "t") {
            condition.push_str(&format!(" AND {also}"));
        }
        condition
    }

    fn count_referring(&self, link: &Link) -> String {
        format!(
            "SELECT count(*) FROM {} AS t WHERE {}",
            link.from.quoted(),
            self.referring(link)
        )
    }

    /// Counts the rows that a trigger brought back after the statement which removed them:
    /// what a statement answers is fixed before such triggers run. Empty where no table of
    /// the batch has a trigger.
    fn undone(&self, table: &Table, condition: &str) -> String {
        let inbound = self
            .relations
            .inbound
            .iter()
            .chain(&self.relations.unlinked);
        let tables = inbound
            .map(|inbound| &inbound.table)
            .chain(
                self.relations
                    .referred
                    .iter()
                    .map(|referred| &referred.table),
            )
            .chain([&self.table.name]);
        let has_triggers = |name| {
            self.judge
                .catalog
                .table(name)
                .is_some_and(|table| !table.triggers.is_empty())
        };
        if tables.into_iter().any(has_triggers) {
            format!(
                "SELECT count(*) FROM {} AS t WHERE {condition}",
                table.name.quoted()
            )
        } else {
            String::new()
        }
    }

    fn lock(
        &self,
        table: &Table,
        key: &Key,
        link: &Link,
        links: &[Ident],
        deleted: bool,
    ) -> String {
        let mut answer = key.returned("t");
        for column in &link.from_columns {
            answer.push_str(&format!(", t.{}::text", column.quoted()));
        }
        answer.push_str(&format!(", {}", self.verdict(table, !deleted)));
        if deleted && table.name == self.table.name {
            let due = all(vec![
                self.judge.claims(self.class, "t"),
                self.judge.past(self.class, self.dispose, "t"),
                self.judge.let_go(self.class, self.dispose, "t"),
                self.judge.governs(self.class, "t"),
            ]);
            let trigger = self.judge.trigger_text(self.class, self.dispose, "t");
            let counted = if self.judge.may_be_regardless(self.class, self.dispose) {
                format!(
                    "CASE WHEN {} THEN {} || {}::text || ' ' WHEN {} THEN '' ELSE {} END || coalesce({trigger}, '')",
                    self.judge.erased(self.class, "t"),
                    literal(ERASED),
                    self.judge.erased_last_day(self.class, "t"),
                    self.judge.past_by_trigger(self.class, self.dispose, "t"),
                    literal(AT_ONCE),
                )
            } else {
                trigger
            };
            answer.push_str(&format!(", CASE WHEN {due} THEN {counted} END"));
        }
        for link in links {
            answer.push_str(&format!(", t.{}::text", link.quoted()));
        }
        if deleted {
            for file in self
                .dispose
                .files
                .iter()
                .filter(|file| file.table == table.name)
            {
                answer.push_str(&format!(", t.{}::text", file.column.quoted()));
            }
        }
        format!(
            "SELECT {answer} FROM {} AS t WHERE {} ORDER BY {} FOR UPDATE OF t",
            table.name.quoted(),
            self.referring(link),
            columns(&table.key, "t")
        )
    }

    /// Where the rows that refer to a shared one are among those that are locked already.
    fn referrers(&self, table: &TableName) -> Vec<Referrer> {
        let places = self.relations.places(table, &self.table.name);
        let locked = places.into_iter().map(|place| match place.checked_sub(1) {
            None => Referrer::Record,
            Some(nth) => Referrer::Dependant(nth),
        });
        let shared = self
            .relations
            .referred
            .iter()
            .position(|referred| &referred.table == table);
        locked.chain(shared.map(Referrer::Shared)).collect()
    }

    fn shared(&self, referred: &Referred) -> Option<Shared> {
        let table = self.judge.catalog.table(&referred.table)?;
        let key = Key::of(table);
        let links = self.links(&referred.table);
        let files = self.files(&referred.table);
        let edges = referred
            .edges
            .iter()
            .flat_map(|link| {
                let referrers = self.referrers(&link.from);
                referrers.into_iter().map(move |from| (from, link))
            })
            .map(|(from, link)| {
                let casts: Vec<String> = (0..link.to_columns.len())
                    .map(|nth| link.compared_as(nth, Side::To, self.judge.catalog))
                    .collect();
                let typed: Vec<(&Ident, &str)> = link
                    .to_columns
                    .iter()
                    .zip(casts.iter().map(String::as_str))
                    .collect();
                let mut answer = key.returned("t");
                for column in &link.to_columns {
                    answer.push_str(&format!(", t.{}::text", column.quoted()));
                }
                answer.push_str(&format!(", {}", self.verdict(table, false)));
                for link in &links {
                    answer.push_str(&format!(", t.{}::text", link.quoted()));
                }
                for file in self
                    .dispose
                    .files
                    .iter()
                    .filter(|file| file.table == table.name)
                {
                    answer.push_str(&format!(", t.{}::text", file.column.quoted()));
                }
                let theirs = self.links(&link.from);
                let mut referred_to = among(&typed, "t", 1);
                if let Some(condition) = link.condition_on(Side::To, "t") {
                    referred_to.push_str(&format!(" AND {condition}"));
                }
                SharedEdge {
                    from,
                    links: link
                        .from_columns
                        .iter()
                        .filter_map(|column| theirs.iter().position(|link| link == column))
                        .collect(),
                    lock: format!(
                        "SELECT {answer} FROM {} AS t WHERE {referred_to} ORDER BY {} FOR UPDATE OF t",
                        table.name.quoted(),
                        columns(&table.key, "t")
                    ),
                }
            })
            .collect();
        let unreferred: Vec<String> = referred
            .all_inbound
            .iter()
            .map(|link| {
                format!(
                    "NOT EXISTS (SELECT 1 FROM {} r WHERE {})",
                    link.from.quoted(),
                    link.holds("r", "t")
                )
            })
            .collect();
        let again = looked_at_again(referred)
            .map(|link| Again {
                links: link
                    .to_columns
                    .iter()
                    .filter_map(|column| links.iter().position(|link| link == column))
                    .collect(),
                count: self.count_referring(link),
            })
            .collect();
        let delete = format!(
            "DELETE FROM {} AS t WHERE {} AND {} RETURNING {}",
            table.name.quoted(),
            among(&key.typed(), "t", 1),
            all(unreferred.clone()),
            key.returned("t")
        );
        let by_key = among(&key.typed(), "t", 1);
        let undone = self.undone(table, &format!("{by_key} AND {}", all(unreferred)));
        Some(Shared {
            reads: self.verdict_again(table, &key, &links),
            table: referred.table.clone(),
            key,
            edges,
            delete,
            undone,
            links: links.len(),
            files,
            again,
        })
    }
}

/// The links by which something may begin to refer to a shared row unseen: nobody but the
/// schedule knows them. (What a condition on the shared row itself says cannot be asked
/// once it is gone.)
fn looked_at_again(referred: &Referred) -> impl Iterator<Item = &Link> {
    referred
        .all_inbound
        .iter()
        .filter(|link| !link.is_key() && !matches!(link.condition, Some((Side::To, _))))
}

/// Only what may be NULL is emptied: one NULL is enough for the key to refer to nothing.
fn unlink(table: &Table, key: &Key, edge: &Link) -> String {
    let empty: Vec<String> = emptied(table, edge)
        .map(|name| format!("{} = NULL", name.quoted()))
        .collect();
    format!(
        "UPDATE {} AS t SET {} WHERE {} RETURNING {}",
        table.name.quoted(),
        empty.join(", "),
        among(&key.typed(), "t", 1),
        key.returned("t")
    )
}

/// The columns of a link that may be NULL.
fn emptied<'a>(table: &'a Table, edge: &'a Link) -> impl Iterator<Item = &'a Ident> {
    let may_be_null = |name: &&Ident| table.column(name).is_some_and(|column| !column.not_null);
    edge.from_columns.iter().filter(may_be_null)
}
