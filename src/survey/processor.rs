//! What processors hold, and how far they are with destroying it: the plan's day, and what was
//! issued and confirmed, put together.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use super::{Counts, SurveyError};
use crate::ident::ClassId;
use crate::plan::{Bar, Plan, ProcessorPlan};

/// An instruction to destroy that was issued, as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessorOrder {
    /// Its number.
    pub order: i64,
    /// The class.
    pub class: ClassId,
    /// Whose data it is.
    pub organisation: String,
    /// What people call the data.
    pub title: String,
    /// Who holds it.
    pub processor: String,
    /// The document that orders it.
    pub authority: String,
    /// Who answers for it here.
    pub owner: Option<String>,
    /// The period, in words.
    pub period: Option<String>,
    /// What it is counted from.
    pub trigger: Option<NaiveDate>,
    /// The last day.
    pub last_day: Option<NaiveDate>,
    /// The version of the schedule that it stands on.
    pub schedule: Vec<u8>,
    /// The controller's instruction that it stands on: its number, who gave it and where.
    pub instruction: Option<(i64, Option<String>, Option<String>)>,
    /// Since when the data should be gone.
    pub past_from: NaiveDate,
    /// How many days late is tolerated.
    pub tolerance: u32,
    /// The pass.
    pub run: Option<i64>,
    /// The day of issue.
    pub issued_on: NaiveDate,
    /// The last day for the answer.
    pub answer_by: NaiveDate,
    /// Whether another of its class took its place.
    pub is_superseded: bool,
    /// The processor's word.
    pub confirmed: Option<Confirmed>,
}

/// A processor's word that it is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Confirmed {
    /// Who says so.
    pub by: String,
    /// The confirmation's own reference.
    pub reference: String,
    /// `sha256:…` of the document that says so.
    pub document: Option<String>,
    /// The day on which it was recorded.
    pub on: NaiveDate,
    /// Who recorded it.
    pub recorded_by: String,
    /// When.
    pub at: DateTime<Utc>,
}

impl ProcessorOrder {
    /// As the letter names it.
    #[must_use]
    pub fn reference(&self) -> String {
        format!("{}/{}", self.class, self.order)
    }

    /// Whether its answer is awaited.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.confirmed.is_none() && !self.is_superseded
    }
}

/// How what a processor holds stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum HeldState {
    /// Its day has not come.
    NotDue,
    /// It is past, and waits: for the next pass, or for a person.
    Waiting,
    /// It is past, and a hold protects it.
    Held,
    /// The processor was told, and has not confirmed.
    Open,
    /// The processor has confirmed.
    Confirmed,
}

/// What it waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum WaitsFor {
    /// The next pass issues the instruction.
    NextPass,
    /// The end of a pause.
    Resume,
    /// The controller's instruction.
    Instruction,
    /// The acceptance of another version of the schedule.
    Acceptance,
    /// The processor's confirmation.
    Confirmation,
}

/// One class that a processor holds.
#[derive(Debug, Clone, Serialize)]
pub struct HeldElsewhere {
    /// The class.
    pub class: ClassId,
    /// What people call the data.
    pub title: String,
    /// Who holds it.
    pub processor: String,
    /// How it stands.
    pub state: HeldState,
    /// What it waits for.
    pub waits_for: Option<WaitsFor>,
    /// What its period is counted from.
    pub trigger: Option<NaiveDate>,
    /// Its last day.
    pub last_day: Option<NaiveDate>,
    /// The number of the instruction to destroy, as the letter has it.
    pub reference: Option<String>,
    /// The day on which that was issued.
    pub issued_on: Option<NaiveDate>,
    /// The last day for the answer.
    pub answer_by: Option<NaiveDate>,
    /// How many days it has been open.
    pub days_open: Option<i64>,
    /// Whether it is late: past, and not confirmed within the tolerance, whatever the reason.
    pub overdue: bool,
    /// The holds that protect it.
    pub holds: Vec<i64>,
    /// Whether the schedule has the class still.
    pub in_schedule: bool,
    /// The processor's word.
    pub confirmed: Option<Confirmed>,
    /// Whether a pass of today issues an instruction.
    #[serde(skip)]
    pub to_issue: bool,
}

impl HeldElsewhere {
    /// The status of the class in a plan.
    #[must_use]
    pub fn status(&self) -> &'static str {
        match self.state {
            _ if self.to_issue => "ready",
            HeldState::Waiting | HeldState::Open => "waiting",
            HeldState::Held => "held",
            HeldState::NotDue | HeldState::Confirmed => "idle",
        }
    }

    /// Whether a person here has to do something before it goes on.
    #[must_use]
    pub fn waits_for_a_person(&self) -> bool {
        matches!(
            self.waits_for,
            Some(WaitsFor::Resume | WaitsFor::Instruction | WaitsFor::Acceptance)
        )
    }

    /// The counts of the class in a plan: all of it is one record.
    #[must_use]
    pub fn counts(&self, on: NaiveDate) -> Counts {
        let is = |what: bool| u64::from(what);
        Counts {
            claimed: 1,
            due: is(self.to_issue),
            held: is(self.state == HeldState::Held),
            waiting: is(self.status() == "waiting"),
            overdue: is(self.overdue),
            done: is(self.state == HeldState::Confirmed),
            future_trigger: is(self.trigger.is_some_and(|day| day > on)),
            ..Counts::default()
        }
    }
}

/// How everything stands that processors hold, on the plan's day: the schedule's classes in their
/// order, then what is open under classes that it has no more.
///
/// # Errors
/// When the database does not answer.
pub async fn processors(
    conn: &mut PgConnection,
    plan: &Plan,
    migrated: bool,
) -> Result<Vec<HeldElsewhere>, SurveyError> {
    let mut orders = Vec::new();
    let mut instructions: Vec<(String, i64)> = Vec::new();
    if migrated {
        orders = processor_orders(conn).await?;
        instructions = sqlx::query_as(
            "SELECT class_id, max(instruction_id) FROM retentiond.instruction
              WHERE withdrawn_at IS NULL AND (until_on IS NULL OR until_on >= $1)
              GROUP BY class_id",
        )
        .bind(plan.on())
        .fetch_all(conn)
        .await
        .map_err(asking)?;
    }
    let instruction = |class: &ClassId| {
        let of = instructions.iter().find(|(of, _)| of == class.as_str());
        of.map(|(_, id)| *id)
    };
    let of = |class: &ClassId| -> Vec<&ProcessorOrder> {
        orders
            .iter()
            .filter(|order| &order.class == class)
            .collect()
    };
    let mut found: Vec<HeldElsewhere> = plan
        .processors()
        .iter()
        .map(|class| stands(class, &of(&class.id), instruction(&class.id), plan.on()))
        .collect();
    let gone = orders.iter().filter(|order| {
        let known = |class: &ProcessorPlan| class.id == order.class;
        order.is_open() && !plan.processors().iter().any(known)
    });
    found.extend(gone.map(|order| open(order, plan.on())));
    Ok(found)
}

fn asking(source: sqlx::Error) -> SurveyError {
    SurveyError::Database {
        what: "what processors hold",
        source,
    }
}

/// One class of the schedule. `orders` are the class's own, the oldest first.
fn stands(
    class: &ProcessorPlan,
    orders: &[&ProcessorOrder],
    instruction: Option<i64>,
    on: NaiveDate,
) -> HeldElsewhere {
    let waits = orders.iter().find(|order| order.is_open());
    let issued = match class.trigger {
        Some(_) => orders
            .iter()
            .any(|order| (order.trigger, order.last_day) == (class.trigger, class.last_day)),
        // Once for an instruction, and not while one of them is open.
        None => orders
            .iter()
            .filter(|order| order.trigger.is_none())
            .any(|order| {
                let by = order.instruction.as_ref().map(|(id, ..)| *id);
                order.is_open() || by >= instruction
            }),
    };
    let to_issue = class.barred.is_none() && !issued;
    let here = |order: HeldElsewhere| HeldElsewhere {
        title: class.title.clone(),
        processor: class.processor.clone(),
        holds: class.holds.clone(),
        in_schedule: true,
        to_issue,
        ..order
    };
    if let Some(order) = waits {
        return here(open(order, on));
    }
    let confirmed = orders.iter().rev().find(|order| order.confirmed.is_some());
    if let Some(order) = confirmed.filter(|_| issued) {
        return here(told(order));
    }
    let (state, waits_for) = match class.barred {
        Some(Bar::NotPast) => (HeldState::NotDue, None),
        Some(Bar::Held) => (HeldState::Held, None),
        Some(Bar::Paused) => (HeldState::Waiting, Some(WaitsFor::Resume)),
        Some(Bar::Instruction) => (HeldState::Waiting, Some(WaitsFor::Instruction)),
        Some(Bar::Acceptance) => (HeldState::Waiting, Some(WaitsFor::Acceptance)),
        None => (HeldState::Waiting, Some(WaitsFor::NextPass)),
    };
    let past = class.past_from.filter(|_| state != HeldState::NotDue);
    HeldElsewhere {
        class: class.id.clone(),
        title: class.title.clone(),
        processor: class.processor.clone(),
        state,
        waits_for,
        trigger: class.trigger,
        last_day: class.last_day,
        reference: None,
        issued_on: None,
        answer_by: None,
        days_open: None,
        overdue: past.is_some_and(|day| is_late(day, class.tolerance, on)),
        holds: class.holds.clone(),
        in_schedule: true,
        confirmed: None,
        to_issue,
    }
}

/// As everywhere: today is later than the first day on which it was past by more than the tolerance.
fn is_late(past_from: NaiveDate, tolerance: u32, on: NaiveDate) -> bool {
    on.signed_duration_since(past_from).num_days() > i64::from(tolerance)
}

fn open(order: &ProcessorOrder, on: NaiveDate) -> HeldElsewhere {
    HeldElsewhere {
        state: HeldState::Open,
        waits_for: Some(WaitsFor::Confirmation),
        days_open: Some(on.signed_duration_since(order.issued_on).num_days()),
        overdue: is_late(order.past_from, order.tolerance, on),
        ..told(order)
    }
}

fn told(order: &ProcessorOrder) -> HeldElsewhere {
    HeldElsewhere {
        class: order.class.clone(),
        title: order.title.clone(),
        processor: order.processor.clone(),
        state: HeldState::Confirmed,
        waits_for: None,
        trigger: order.trigger,
        last_day: order.last_day,
        reference: Some(order.reference()),
        issued_on: Some(order.issued_on),
        answer_by: Some(order.answer_by),
        days_open: None,
        overdue: false,
        holds: Vec::new(),
        in_schedule: false,
        confirmed: order.confirmed.clone(),
        to_issue: false,
    }
}

/// Every instruction to destroy that was issued, the oldest first.
///
/// # Errors
/// When the database does not answer.
pub async fn processor_orders(conn: &mut PgConnection) -> Result<Vec<ProcessorOrder>, SurveyError> {
    let rows = sqlx::query(
        "SELECT o.order_id, o.class_id, o.organisation, o.title, o.processor, o.authority, o.owner,
                o.period, o.trigger_on, o.last_day, o.schedule_digest, o.instruction_id,
                i.given_by, i.reference, o.past_from, o.tolerance, o.run_id, o.issued_on,
                o.answer_by, o.superseded_at IS NOT NULL, o.confirmed_by, o.reference, o.document,
                o.confirmed_on, o.recorded_by, o.confirmed_at
           FROM retentiond.processor_order o
           LEFT JOIN retentiond.instruction i ON i.instruction_id = o.instruction_id
          ORDER BY o.order_id",
    )
    .fetch_all(conn)
    .await
    .map_err(asking)?;
    let read: Result<Vec<Option<ProcessorOrder>>, sqlx::Error> = rows.iter().map(order).collect();
    Ok(read.map_err(asking)?.into_iter().flatten().collect())
}

fn order(row: &PgRow) -> Result<Option<ProcessorOrder>, sqlx::Error> {
    let Some(class) = ClassId::new(row.try_get(1)?) else {
        return Ok(None);
    };
    let instruction: Option<i64> = row.try_get(11)?;
    let instruction = match instruction {
        Some(id) => Some((id, row.try_get(12)?, row.try_get(13)?)),
        None => None,
    };
    let by: Option<String> = row.try_get(20)?;
    let document: Option<Vec<u8>> = row.try_get(22)?;
    let confirmed = match by {
        Some(by) => Some(Confirmed {
            by,
            reference: row.try_get(21)?,
            document: document.map(|digest| format!("sha256:{}", hex::encode(digest))),
            on: row.try_get(23)?,
            recorded_by: row.try_get(24)?,
            at: row.try_get(25)?,
        }),
        None => None,
    };
    Ok(Some(ProcessorOrder {
        order: row.try_get(0)?,
        class,
        organisation: row.try_get(2)?,
        title: row.try_get(3)?,
        processor: row.try_get(4)?,
        authority: row.try_get(5)?,
        owner: row.try_get(6)?,
        period: row.try_get(7)?,
        trigger: row.try_get(8)?,
        last_day: row.try_get(9)?,
        schedule: row.try_get(10)?,
        instruction,
        past_from: row.try_get(14)?,
        tolerance: u32::try_from(row.try_get::<i32, _>(15)?).unwrap_or(0),
        run: row.try_get(16)?,
        issued_on: row.try_get(17)?,
        answer_by: row.try_get(18)?,
        is_superseded: row.try_get(19)?,
        confirmed,
    }))
}
