//! A sequence against the real database, beside the model; what differs is told in sentences.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::Duration;

use chrono::NaiveDate;
use retentiond::enforce::{self, EnforceError, Pass, RunReport, Throttle};
use retentiond::files::Stores;
use retentiond::ident::{ClassId, TableName};
use retentiond::ledger::{self, KeyValue, RecordKey};
use retentiond::review::{
    self, Decision, Form, NewErasure, NewHold, NewInstruction, NewReview, ReviewedRecord, Scope,
};
use retentiond::survey;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row as _};
use tokio_util::sync::CancellationToken;

use crate::model::{Line, Model, Queued, RowId};
use crate::steps::{Change, On, Sequence, Step, Verdict};
use crate::world::{Row, TABLES, Table, literal, tables_sql};
use crate::{stage, support};

const ACTOR: &str = "test";

/// A real database, and how much of its ledger has been compared.
struct Real {
    url: String,
    people: PgConnection,
    ours: PgConnection,
    /// The numbers of holds by their tags.
    holds: BTreeMap<u32, i64>,
    lines: usize,
    entries: usize,
}

fn said(error: impl std::fmt::Display) -> String {
    format!("refused: {error}")
}

/// What is wrong, and after how many steps.
pub struct Fault {
    pub steps: usize,
    pub what: String,
}

/// Runs a sequence; answers the model at its end, or what is wrong and after which step.
pub async fn run(sequence: &Sequence) -> Result<Model, Fault> {
    let url = stage::database(&tables_sql()).await;
    let mut real = Real {
        people: support::client(&url).await,
        ours: support::ours(&url).await,
        url,
        holds: BTreeMap::new(),
        lines: 0,
        entries: 0,
    };
    let mut model = sequence.model();
    let mut found = Ok(());
    for (nth, step) in sequence.steps.iter().enumerate() {
        // Before the model goes on: what a reviewer saw.
        let shown = match step {
            Step::Review { class, ids, .. } => model.reviewed(class, ids),
            _ => Vec::new(),
        };
        if !model.step(step) {
            continue;
        }
        *model.seen.entry(step.kind()).or_default() += 1;
        let done = match step {
            Step::Pass => real.pass(&mut model).await,
            step => real.step(&model, step, &shown).await,
        };
        if let Err(what) = done {
            let what = format!("step {} ({step}), on {}: {what}", nth + 1, model.today);
            found = Err(Fault {
                steps: nth + 1,
                what,
            });
            break;
        }
    }
    if found.is_ok() {
        let steps = sequence.steps.len();
        found = real.verify().await.map_err(|what| Fault { steps, what });
    }
    let Real {
        url, people, ours, ..
    } = real;
    people.close().await.unwrap();
    ours.close().await.unwrap();
    support::discard(&url).await;
    found.map(|()| model)
}

impl Real {
    async fn sql(&mut self, sql: &str) -> Result<(), String> {
        stage::try_run(&mut self.people, sql)
            .await
            .map_err(said)
            .map(drop)
    }

    async fn step(
        &mut self,
        model: &Model,
        step: &Step,
        shown: &[(i64, Option<NaiveDate>, Option<NaiveDate>)],
    ) -> Result<(), String> {
        let now = support::at(&model.today.to_string());
        let conn = &mut self.ours;
        match step {
            Step::Pass | Step::Days(_) | Step::Schedule(_) => {}
            Step::Insert(table, id, row) => {
                let sql = format!(
                    "INSERT INTO {} VALUES ({id}, {}, {}, {}, '{}', {}, {})",
                    table.name(),
                    literal(row.person),
                    literal(row.kind),
                    literal(row.day),
                    row.name,
                    literal(row.withdrawn),
                    literal(row.parent)
                );
                self.sql(&sql).await?;
            }
            Step::Update(table, id, change) => {
                let set = match change {
                    Change::Day(day) => format!("day = {}", literal(*day)),
                    Change::Person(person) => format!("person = {}", literal(*person)),
                    Change::Kind(kind) => format!("kind = {}", literal(*kind)),
                    Change::Name(name) => format!("name = '{name}'"),
                    Change::Withdrawn(day) => format!("withdrawn = {}", literal(*day)),
                };
                self.sql(&format!(
                    "UPDATE {} SET {set} WHERE id = {id}",
                    table.name()
                ))
                .await?;
            }
            Step::Delete(table, id) => {
                if *table == Table::Letter {
                    self.sql(&format!("DELETE FROM page WHERE parent = {id}"))
                        .await?;
                }
                self.sql(&format!("DELETE FROM {} WHERE id = {id}", table.name()))
                    .await?;
            }
            Step::Hold {
                tag,
                form,
                on,
                until,
                not_before,
            } => {
                let hold = place(conn, model, *form, *on, *until, *not_before, now).await?;
                self.holds.insert(*tag, hold);
            }
            Step::Release(tag) => {
                review::release_hold(conn, self.holds[tag], "over", ACTOR, now)
                    .await
                    .map_err(said)?;
            }
            Step::Review {
                class, verdict, by, ..
            } => {
                let parsed = support::schedule(&model.schedule.toml());
                let id = ClassId::new(class).unwrap();
                let records: Vec<ReviewedRecord> = shown
                    .iter()
                    .map(|(id, trigger, last)| ReviewedRecord {
                        key: key(*id),
                        trigger: *trigger,
                        last_day: *last,
                    })
                    .collect();
                let new = NewReview {
                    class: &id,
                    table: &name(On::table(class)),
                    class_digest: parsed.class(&id).unwrap().digest(),
                    records: &records,
                    decision: match verdict {
                        Verdict::Approve => Decision::Approve,
                        Verdict::Keep(until) => Decision::Keep(*until),
                        Verdict::HandOn => Decision::HandOn("Lee"),
                        Verdict::Revoke => Decision::Revoke,
                    },
                    reason: "looked at",
                };
                review::review(conn, &new, by, now).await.map_err(said)?;
            }
            Step::Instruct(class, until) => {
                let class = ClassId::new(class).unwrap();
                let order = NewInstruction {
                    class: &class,
                    by: "the controller",
                    reference: "1",
                    until: *until,
                };
                review::instruct(conn, &order, ACTOR, now)
                    .await
                    .map_err(said)?;
            }
            Step::Withdraw(class) => {
                let class = ClassId::new(class).unwrap();
                review::withdraw(conn, &class, "no", ACTOR, now)
                    .await
                    .map_err(said)?;
            }
            Step::Pause(class) => {
                let class = class.map(|class| ClassId::new(class).unwrap());
                review::pause(conn, class.as_ref(), "moving", ACTOR, now)
                    .await
                    .map_err(said)?;
            }
            Step::Resume(class) => {
                let class = class.map(|class| ClassId::new(class).unwrap());
                review::resume(conn, class.as_ref(), ACTOR, now)
                    .await
                    .map_err(said)?;
            }
            Step::Erase(person) => {
                let new = NewErasure {
                    subject: person,
                    hash: "hmac:00000000:00",
                    requested_on: model.today,
                    basis: "Art 17",
                    reference: "1",
                };
                review::request_erasure(conn, &new, ACTOR, now)
                    .await
                    .map_err(said)?;
            }
            Step::TakeBack(person) => {
                review::withdraw_erasure(conn, person, "no", ACTOR, now)
                    .await
                    .map_err(said)?;
            }
        }
        Ok(())
    }

    /// Both pass, and everything is compared.
    async fn pass(&mut self, model: &mut Model) -> Result<(), String> {
        let now = support::at(&model.today.to_string());
        let over = review::note_expired(&mut self.ours, model.today, ACTOR, now)
            .await
            .map_err(said)?;
        same("holds that are over", &over, &model.note_expired())?;
        let (report, drawn) = enforce_now(&mut self.ours, &model.schedule.toml(), now).await?;
        let counts = model.pass();
        let rows = self.rows().await;
        let mut wrong = Vec::new();
        for id in model.rows.keys().chain(rows.keys()) {
            let (real, modelled) = (rows.get(id), model.rows.get(id));
            if real != modelled {
                wrong.push(format!(
                    "{} {}: it is {real:?}, the model has {modelled:?}",
                    id.0.name(),
                    id.1
                ));
            }
        }
        wrong.sort();
        wrong.dedup();
        if !wrong.is_empty() {
            return Err(wrong.join("\n"));
        }
        self.ledger(model).await?;
        self.flags(model, &rows).await?;
        for class in &report.classes {
            let mut modelled = counts.get(class.id.as_str()).copied().unwrap_or_default();
            let real = crate::model::Counts {
                flagged: class.flagged,
                anonymised: class.anonymised,
                deleted: class.deleted,
                dependants: class.dependants,
                conflict: class.conflict,
                waiting: class.waiting,
            };
            // A pass asks of a paused class only how much is past for it alone, and says that it
            // waits: also where another class would keep it, or the two are in conflict.
            let paused = model.paused.iter();
            let mut paused = paused.filter(|id| id.is_none_or(|id| id == class.id.as_str()));
            if paused.next().is_some() {
                (modelled.waiting, modelled.conflict) = (real.waiting, real.conflict);
            }
            same(&format!("the report of {}", class.id), &real, &modelled)?;
            if class.failed > 0 || class.reason.is_some() {
                return Err(format!("{} failed: {:?}", class.id, class.reason));
            }
        }
        self.queue(model, &drawn).await
    }

    /// What reviewers are shown after a pass.
    async fn queue(&mut self, model: &Model, drawn: &survey::Drawn) -> Result<(), String> {
        let planned = drawn.plan.classes().iter();
        let class = planned
            .into_iter()
            .find(|class| class.id.as_str() == "invoices")
            .unwrap();
        let columns = survey::key_columns(&drawn.catalog, &class.table).unwrap();
        let queued = survey::queue(&mut self.ours, class, &columns, None)
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

    async fn rows(&mut self) -> BTreeMap<RowId, Row> {
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
    async fn ledger(&mut self, model: &Model) -> Result<(), String> {
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
    async fn flags(&mut self, model: &Model, rows: &BTreeMap<RowId, Row>) -> Result<(), String> {
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

    async fn verify(&mut self) -> Result<(), String> {
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

fn same<T: PartialEq + Debug>(what: &str, real: &T, modelled: &T) -> Result<(), String> {
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

fn key(id: i64) -> RecordKey {
    RecordKey::new(vec![KeyValue::Text(id.to_string().into())]).unwrap()
}

fn name(table: Table) -> TableName {
    format!("public.{}", table.name()).parse().unwrap()
}

#[allow(clippy::too_many_arguments)]
async fn place(
    conn: &mut PgConnection,
    model: &Model,
    form: Form,
    on: On,
    until: Option<NaiveDate>,
    not_before: Option<NaiveDate>,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<i64, String> {
    let class_name = match on {
        On::Class(class) | On::Condition(class, _) => class,
        _ => "none",
    };
    let class = ClassId::new(class_name).unwrap();
    let claim = model
        .schedule
        .class(class_name)
        .and_then(|class| class.claim());
    let table = match on {
        On::Record(table, _) => name(table),
        _ => name(On::table(class_name)),
    };
    let key = match on {
        On::Record(_, id) => key(id),
        _ => key(0),
    };
    let condition = match on {
        On::Condition(_, kind) => Some(format!("kind = '{kind}'")),
        _ => None,
    };
    let scope = match on {
        On::Record(..) => Scope::Record {
            table: &table,
            key: &key,
        },
        On::Person(id) => Scope::Subject {
            id,
            hash: "hmac:00000000:00",
        },
        On::Class(_) | On::Condition(..) => Scope::Class {
            class: &class,
            table: &table,
            claim: claim.as_deref(),
            condition: condition.as_deref(),
        },
    };
    let hold = NewHold {
        form,
        scope,
        reference: "TEST/1",
        reason: "a test",
        owner: "the tests",
        authority: (form == Form::Exemption).then_some("an authority"),
        until,
        not_before,
        ..NewHold::on_record(&table, &key, form.kinds()[0])
    };
    review::place_hold(conn, &hold, ACTOR, now)
        .await
        .map_err(said)
}

/// A pass that sees everything, also what lies behind its positions.
async fn enforce_now(
    conn: &mut PgConnection,
    toml: &str,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<(RunReport, survey::Drawn), String> {
    let parsed = support::schedule(toml);
    let drawn = survey::draw(conn, &parsed, now).await.map_err(said)?;
    let order = Pass {
        actor: ACTOR,
        holder: "test",
        patience: Duration::ZERO,
        throttle: Throttle::FULL_SPEED,
        stores: &Stores::default(),
        log: None,
        only: &[],
        next: None,
        stop: &CancellationToken::new(),
        observe: &|_| (),
    };
    let report = enforce::pass(
        conn,
        drawn.plan.clone(),
        &order,
        async |conn: &mut PgConnection| {
            survey::draw(conn, &parsed, now)
                .await
                .map(|drawn| drawn.plan)
                .map_err(|error| EnforceError::Redraw(Box::new(error)))
        },
    )
    .await
    .map_err(said)?;
    Ok((report, drawn))
}
