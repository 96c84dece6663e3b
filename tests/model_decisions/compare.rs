//! What the real database has, in the model's terms, and where they differ.

use std::collections::BTreeMap;
use std::fmt::Debug;

use chrono::NaiveDate;
use retentiond::plan::Ask;
use retentiond::{ledger, survey};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Row as _};

use crate::drive::{Real, said};
use crate::judge::Queued;
use crate::model::{Line, Model, RowId};
use crate::steps::On;
use crate::support;
use crate::world::{Row, TABLES};

impl Real {
    /// What reviewers are shown after a pass.
    pub async fn queue(&mut self, model: &Model, drawn: &survey::Drawn) -> Result<(), String> {
        let planned = drawn.plan.classes().iter();
        let class = planned
            .into_iter()
            .find(|class| class.id.as_str() == "invoices")
            .unwrap();
        let columns = survey::key_columns(&drawn.catalog, &class.table).unwrap();
        let page = survey::queue(&mut self.ours, class, &columns, &Ask::default(), None)
            .await
            .map_err(said)?;
        let day = drawn.plan.on();
        let queued = survey::show(&mut self.ours, class, &columns, day, &page.records)
            .await
            .map_err(said)?;
        let mut real: Vec<Queued> = queued
            .into_iter()
            .map(|one| Queued {
                id: one.key.to_texts().concat().parse().expect("a number"),
                trigger: one.trigger,
                last: one.last_day,
                by: one.approved_by,
                void: one.void.is_some(),
            })
            .collect();
        for one in &mut real {
            one.by.sort();
        }
        real.sort();
        same("the reviewers' queue", &real, &model.queue("invoices"))
    }

    pub async fn rows(&mut self) -> BTreeMap<RowId, Row> {
        let all: Vec<String> = TABLES
            .iter()
            .enumerate()
            .map(|(nth, table)| format!("SELECT {nth} AS nth, * FROM {}", table.name()))
            .collect();
        let sql = all.join(" UNION ALL ");
        let found = sqlx::query(AssertSqlSafe(sql))
            .fetch_all(&mut self.people)
            .await
            .unwrap();
        let known = |word: Option<String>| {
            let word = word?;
            let words = ["p", "q", "r", "a", "b"];
            Some(
                *words
                    .iter()
                    .find(|known| **known == word)
                    .expect("a word of the world"),
            )
        };
        found
            .iter()
            .map(|row| {
                let table = TABLES[usize::try_from(row.get::<i32, _>(0)).unwrap()];
                let read = Row {
                    person: known(row.get(2)),
                    kind: known(row.get(3)),
                    day: row.get(4),
                    name: row.get(5),
                    withdrawn: row.get(6),
                    parent: row.get(7),
                };
                ((table, row.get(1)), read)
            })
            .collect()
    }

    /// What the ledger says since the last pass: every row's one line, every decision's entry.
    pub async fn ledger(&mut self, model: &Model) -> Result<(), String> {
        let (mut lines, mut entries) = (Vec::new(), Vec::new());
        for entry in support::ledger(&self.url).await {
            let word = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
            let action = word("action");
            if !matches!(&*action, "deleted" | "anonymised" | "flagged" | "unlinked") {
                entries.push(action);
                continue;
            }
            for record in entry["records"].as_array().into_iter().flatten() {
                lines.push(Line {
                    action: action.clone(),
                    class: word("class"),
                    table: word("table").trim_start_matches("public.").to_owned(),
                    id: number(&record["key"]["id"]),
                    trigger: day(&record["trigger"]),
                    last: day(&record["last_day"]),
                });
            }
        }
        let mut modelled = model.lines.split_off_at(self.lines);
        let mut real = lines.split_off_at(self.lines);
        (self.lines, self.entries) = (lines.len(), entries.len());
        real.sort();
        modelled.sort();
        same("the ledger's lines of rows", &real, &modelled)?;
        let modelled: Vec<String> = model.entries.iter().map(|&name| name.to_owned()).collect();
        same("the ledger's decisions", &entries, &modelled)
    }

    /// Flags on rows that are there.
    pub async fn flags(
        &mut self,
        model: &Model,
        rows: &BTreeMap<RowId, Row>,
    ) -> Result<(), String> {
        let sql = "SELECT class_id, key[1]::bigint, trigger_on, last_day FROM retentiond.flag";
        let found = sqlx::query(sql).fetch_all(&mut self.people).await.unwrap();
        let there = |class: &str, id: i64| rows.contains_key(&(On::table(class), id));
        let mut real = Vec::new();
        for row in &found {
            let (class, id): (String, i64) = (row.get(0), row.get(1));
            if there(&class, id) {
                let days: (Option<NaiveDate>, Option<NaiveDate>) = (row.get(2), row.get(3));
                real.push((class, id, days));
            }
        }
        let mut modelled: Vec<_> = model
            .flags
            .iter()
            .filter(|((class, id), _)| there(class, *id))
            .map(|((class, id), flag)| ((*class).to_owned(), *id, (flag.trigger, flag.last)))
            .collect();
        real.sort();
        modelled.sort();
        same("the flags", &real, &modelled)
    }

    pub async fn verify(&mut self) -> Result<(), String> {
        let origin = ledger::store::origin(&mut self.ours).await.map_err(said)?;
        let places = retentiond::daemon::tick::places(&support::settings()).unwrap();
        let trust = ledger::audit::Trust {
            keys: places.keyring(&origin).public().unwrap(),
            checkpoints: Vec::new(),
        };
        let whole = ledger::store::Reading::Whole;
        let found = ledger::store::verify(&mut self.ours, &trust, &whole, |_| ())
            .await
            .map_err(said)?;
        match found.verdict {
            ledger::audit::Verdict::Ok => Ok(()),
            _ => Err(format!("the ledger does not verify: {}", found.to_json())),
        }
    }
}

trait SplitOffAt<T> {
    fn split_off_at(&self, at: usize) -> Vec<T>;
}

impl<T: Clone> SplitOffAt<T> for Vec<T> {
    fn split_off_at(&self, at: usize) -> Vec<T> {
        self[at.min(self.len())..].to_vec()
    }
}

pub fn same<T: PartialEq + Debug>(what: &str, real: &T, modelled: &T) -> Result<(), String> {
    if real == modelled {
        return Ok(());
    }
    Err(format!("{what}:\n  real  {real:?}\n  model {modelled:?}"))
}

fn number(value: &Value) -> i64 {
    let text = value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned);
    text.parse().expect("a number")
}

fn day(value: &Value) -> Option<NaiveDate> {
    value.as_str().map(|day| day.parse().expect("a date"))
}
