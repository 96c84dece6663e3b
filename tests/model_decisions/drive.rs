//! A sequence against the real database, beside the model; what differs is told in sentences.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::NaiveDate;
use retentiond::enforce::{self, EnforceError, Pass, RunReport, Throttle};
use retentiond::files::Stores;
use retentiond::ident::{ClassId, TableName};
use retentiond::ledger::{KeyValue, RecordKey};
use retentiond::review::{
    self, Decision, Form, NewErasure, NewHold, NewInstruction, NewReview, ReviewedRecord, Scope,
};
use retentiond::survey;
use sqlx::{Connection, PgConnection};
use tokio_util::sync::CancellationToken;

use crate::compare::same;
use crate::judge::Counts;
use crate::model::Model;
use crate::steps::{Change, On, Sequence, Step, Verdict};
use crate::world::{Table, literal, tables_sql};
use crate::{stage, support};

const ACTOR: &str = "test";

/// A real database, and how much of its ledger has been compared.
pub struct Real {
    pub url: String,
    pub people: PgConnection,
    pub ours: PgConnection,
    /// The numbers of holds by their tags.
    holds: BTreeMap<u32, i64>,
    pub lines: usize,
    pub entries: usize,
}

pub fn said(error: impl std::fmt::Display) -> String {
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
            let real = Counts {
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
        but: &[],
        guards: None,
        next: &|_| None,
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
