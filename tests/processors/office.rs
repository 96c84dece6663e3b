//! An office whose data lies with others, and its passes on any day.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use retentiond::daemon::tick::{self, Order, TickError};
use retentiond::enforce::{Event, RunReport};
use retentiond::ident::ClassId;
use retentiond::review::{self, Form, NewConfirmation, NewHold, NewInstruction, Scope};
use retentiond::settings::Settings;
use retentiond::survey::{self, HeldElsewhere};
use sqlx::Connection;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::support;

/// Two years from 31 March 2024 end on 31 March 2026; the answer may take a fortnight.
pub const ANSWERS: &str = r#"
[[class]]
id = "answers"
title = "Answers to the telephone survey"
processor = "Example Surveys Ltd, 1 High Street, London"
trigger = 2024-03-31
period = "2 years"
disposal = "delete"
tolerance = "14 days"
owner = "Head of Insight"
authority = "Contract 7, clause 12"
"#;

/// A class that ends when the controller says so.
pub const STUDY: &str = r#"
[[class]]
id = "study"
title = "Interviews"
processor = "A University"
disposal = "delete"
gate = "instruction"
authority = "Study protocol"
"#;

/// Rows that are never touched, so that a pass has something to begin and end.
const STAFF: &str = r#"
[[class]]
id = "staff"
title = "Staff"
table = "person"
disposal = "retain"
owner = "Head of People"
reason = "Another notice"
authority = "Notice"
"#;

/// A schedule of these classes that nobody has to accept.
pub fn schedule(classes: &str) -> String {
    format!("{}{STAFF}{classes}", head("automatic"))
}

pub fn head(accept: &str) -> String {
    format!(
        "[schedule]\norganisation = \"Example Council\"\ntime_zone = \"Europe/London\"\nevery = \"0 0 2 * * *\"\naccept = \"{accept}\"\n"
    )
}

pub struct Office {
    pub url: String,
    pub state: TempDir,
}

impl Office {
    pub async fn open() -> Self {
        let url = support::migrated().await;
        support::sql(&url, "CREATE TABLE public.person (id bigint PRIMARY KEY)").await;
        let state = tempfile::tempdir().unwrap();
        Self { url, state }
    }

    pub fn settings(&self) -> Settings {
        let folder = self.state.path().display().to_string();
        let state = ("RETENTIOND__STATE__DIRECTORY".to_owned(), folder);
        Settings::from_files(&[], None, [state].into_iter(), false).unwrap()
    }

    /// One pass at two in the morning of a day; answers what it said of each processor's class.
    pub async fn pass(&self, schedule: &str, day: &str) -> Vec<String> {
        let report = self.pass_at(schedule, support::at(day), &|_| ()).await;
        said(&report.unwrap())
    }

    pub async fn pass_at(
        &self,
        schedule: &str,
        now: DateTime<Utc>,
        observe: &(dyn Fn(Event<'_>) + Sync),
    ) -> Result<RunReport, TickError> {
        let order = Order {
            url: &self.url,
            schedule: &support::schedule(schedule),
            settings: &self.settings(),
            now,
            present: false,
            actor: "test",
            patience: Duration::ZERO,
            full_speed: true,
            only: &[],
            due: None,
            on_plan: None,
            stop: &CancellationToken::new(),
            observe,
        };
        tick::tick(&order).await
    }

    /// How everything stands on a day.
    pub async fn stands(&self, schedule: &str, day: &str) -> Vec<HeldElsewhere> {
        let mut conn = support::ours(&self.url).await;
        let file = support::schedule(schedule);
        let (drawn, _) = survey::draw_in_force(&mut conn, &file, support::at(day))
            .await
            .unwrap();
        let found = survey::processors(&mut conn, &drawn.plan, true)
            .await
            .unwrap();
        conn.close().await.unwrap();
        found
    }

    /// The state of the first class, with `late` where it is overdue.
    pub async fn state(&self, schedule: &str, day: &str) -> String {
        let found = self.stands(schedule, day).await;
        let word = serde_json::to_value(found[0].state).unwrap();
        let late = if found[0].overdue { ", late" } else { "" };
        format!("{}{late}", word.as_str().unwrap())
    }

    pub async fn hold(&self, class: &str) -> i64 {
        place(&self.url, class).await
    }

    pub async fn release(&self, hold: i64) {
        let mut conn = support::ours(&self.url).await;
        review::release_hold(&mut conn, hold, "over", "test", support::at("2026-01-02"))
            .await
            .unwrap();
        conn.close().await.unwrap();
    }

    pub async fn instruct(&self, class: &str) -> i64 {
        let mut conn = support::ours(&self.url).await;
        let class = id(class);
        let new = NewInstruction {
            class: &class,
            by: "The Controller",
            reference: "MIN/4",
            until: None,
        };
        let number = review::instruct(&mut conn, &new, "test", support::at("2026-01-02"))
            .await
            .unwrap();
        conn.close().await.unwrap();
        number
    }

    pub async fn withdraw(&self, class: &str) {
        let mut conn = support::ours(&self.url).await;
        review::withdraw(
            &mut conn,
            &id(class),
            "not now",
            "test",
            support::at("2026-01-02"),
        )
        .await
        .unwrap();
        conn.close().await.unwrap();
    }

    pub async fn confirm(&self, class: &str, day: &str) -> Result<i64, review::ReviewError> {
        let mut conn = support::ours(&self.url).await;
        let class = id(class);
        let new = NewConfirmation {
            class: &class,
            by: "MARK-person",
            reference: "MARK-reference",
            document: Some(&[7; 32]),
        };
        let today: NaiveDate = day.parse().unwrap();
        let done =
            review::confirm_order(&mut conn, &new, "MARK-actor", today, support::at(day)).await;
        conn.close().await.unwrap();
        done
    }

    /// The instructions to destroy that were issued, as class, trigger, last day, day of issue and
    /// what became of it.
    pub async fn orders(&self) -> Vec<String> {
        support::texts(
            &self.url,
            "SELECT concat_ws(' ', class_id, coalesce(trigger_on::text, '-'), coalesce(last_day::text, '-'), issued_on,
                    CASE WHEN confirmed_at IS NOT NULL THEN 'confirmed' WHEN superseded_at IS NOT NULL THEN 'superseded' ELSE 'open' END)
               FROM retentiond.processor_order ORDER BY order_id",
        )
        .await
    }

    /// The detail of each entry of an action.
    pub async fn entries(&self, action: &str) -> Vec<retentiond::ledger::Entry> {
        use futures_util::TryStreamExt;
        let mut conn = support::ours(&self.url).await;
        let filter = retentiond::ledger::store::Filter {
            action: Some(action.parse().unwrap()),
            ..Default::default()
        };
        let entries = retentiond::ledger::store::list(&mut conn, &filter)
            .await
            .unwrap();
        let entries: Vec<_> = entries.try_collect().await.unwrap();
        entries.into_iter().map(|stored| stored.entry).collect()
    }
}

pub fn id(text: &str) -> ClassId {
    ClassId::new(text).unwrap()
}

/// What a pass said of each class of a processor.
pub fn said(report: &RunReport) -> Vec<String> {
    let classes = report.processors.iter();
    classes
        .map(|class| format!("{} {}", class.id, class.status))
        .collect()
}

pub async fn place(url: &str, class: &str) -> i64 {
    let mut conn = support::ours(url).await;
    let (class, table) = (id(class), "person".parse().unwrap());
    let key = retentiond::ledger::RecordKey::new(vec![retentiond::ledger::KeyValue::Text(
        "0".to_owned().into(),
    )])
    .unwrap();
    let hold = NewHold {
        form: Form::Hold,
        scope: Scope::Elsewhere { class: &class },
        reference: "CLAIM/1",
        reason: "a claim",
        owner: "Solicitor",
        ..NewHold::on_record(&table, &key, "litigation")
    };
    let number = review::place_hold(&mut conn, &hold, "test", support::at("2026-01-01"))
        .await
        .unwrap();
    conn.close().await.unwrap();
    number
}
