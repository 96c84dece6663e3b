//! A week in seconds: each class runs when its own timetable says so, and at no other time,
//! through restarts, downtime, a reload and both clock changes. The times expected are worked
//! out by hand from the calendar of London.

use crate::harness::{self, Service, passes};
use crate::log::Log;
use crate::support;

const HALF_PAST_ONE: &str = "0 30 1 * * *";
const SIX_HOURLY: &str = "0 0 */6 * * *";

/// Matters follow the schedule; letters and notes have timetables of their own.
fn schedule(letters: &str) -> String {
    let own = |id: &str, every: &str| {
        format!(
            "[[class]]\nid = \"{id}\"\ntitle = \"{id}\"\ntable = \"{id}\"\ntrigger = \"closed_on\"\n\
             period = \"1 year\"\ndisposal = \"delete\"\nauthority = \"Tests\"\nevery = \"{every}\"\n"
        )
    };
    format!(
        "{}{}{}",
        harness::schedule(HALF_PAST_ONE, "1 year"),
        own("letters", letters),
        own("notes", "0 30 1 * * sun,wed")
    )
}

async fn office() -> String {
    let url = harness::database().await;
    for table in ["letters", "notes"] {
        let sql = format!("CREATE TABLE public.{table} (id integer PRIMARY KEY, closed_on date)");
        support::sql(&url, &sql).await;
    }
    url
}

/// Which classes each pass began, as the log has it.
fn taken(log: &Log, found: &mut Vec<Vec<String>>) {
    for line in log.lines() {
        match line.message.as_str() {
            "pass begun" => found.push(Vec::new()),
            "class begun" => {
                let pass = found.last_mut().expect("a class is begun in a pass");
                pass.push(line.field("class").to_owned());
                pass.sort();
            }
            _ => {}
        }
    }
}

/// Lets a service run from one instant to another, and notes what it did.
async fn spell(url: &str, toml: &str, from: &str, to: &str, found: &mut Vec<Vec<String>>) {
    let mut service: Service = harness::start(url, toml, from);
    service.until(to).await;
    taken(&service.stop().await, found);
}

/// Passes as lines: when, and which classes.
async fn lines(url: &str, found: &[Vec<String>]) -> Vec<String> {
    let began = passes(url).await;
    assert_eq!(began.len(), found.len());
    let both = began.iter().zip(found);
    both.map(|(at, classes)| format!("{at} {}", classes.join(" ")))
        .collect()
}

#[tokio::test]
async fn each_class_runs_by_its_own_timetable_when_summer_time_begins() {
    let url = office().await;
    let toml = schedule(SIX_HOURLY);
    let mut found = Vec::new();
    spell(
        &url,
        &toml,
        "2026-03-27T12:00:00Z",
        "2026-03-28T12:30:00Z",
        &mut found,
    )
    .await;
    // Started again between two times.
    spell(
        &url,
        &toml,
        "2026-03-28T12:40:00Z",
        "2026-03-30T10:00:00Z",
        &mut found,
    )
    .await;
    // Down over three times of the letters and one of the schedule.
    let mut service = harness::start(&url, &toml, "2026-03-31T03:00:00Z");
    service.until("2026-04-01T12:00:00Z").await;
    service.reload(&schedule("0 15 9 * * *")).await;
    service.until("2026-04-03T12:00:00Z").await;
    let log = service.stop().await;
    taken(&log, &mut found);
    assert_eq!(
        lines(&url, &found).await,
        [
            "2026-03-27T18:00:00Z letters",
            "2026-03-28T00:00:00Z letters",
            "2026-03-28T01:30:00Z matters",
            "2026-03-28T06:00:00Z letters",
            "2026-03-28T12:00:00Z letters",
            "2026-03-28T18:00:00Z letters",
            "2026-03-29T00:00:00Z letters",
            // There is no half past one: it comes when the gap ends, at two.
            "2026-03-29T01:00:00Z matters notes",
            "2026-03-29T05:00:00Z letters",
            "2026-03-29T11:00:00Z letters",
            "2026-03-29T17:00:00Z letters",
            "2026-03-29T23:00:00Z letters",
            "2026-03-30T00:30:00Z matters",
            "2026-03-30T05:00:00Z letters",
            // What was missed, in one pass; the notes missed nothing.
            "2026-03-31T03:00:00Z letters matters",
            "2026-03-31T05:00:00Z letters",
            "2026-03-31T11:00:00Z letters",
            "2026-03-31T17:00:00Z letters",
            "2026-03-31T23:00:00Z letters",
            "2026-04-01T00:30:00Z matters notes",
            "2026-04-01T05:00:00Z letters",
            "2026-04-01T11:00:00Z letters",
            // The letters go once a day from now on.
            "2026-04-02T00:30:00Z matters",
            "2026-04-02T08:15:00Z letters",
            "2026-04-03T00:30:00Z matters",
            "2026-04-03T08:15:00Z letters",
        ]
    );
    let missed = log.with("a pass was missed");
    assert_eq!(missed.len(), 1);
    assert_eq!(missed[0].field("missed"), "2026-03-30 11:00:00 UTC");
    assert_eq!(
        missed[0].field("turn"),
        "those of the schedule's timetable, letters"
    );
    // Each class's next time, told when it moves on.
    let next: Vec<String> = log
        .with("class is next")
        .iter()
        .filter(|line| line.field("class") == "letters")
        .map(|line| line.field("local").to_owned())
        .collect();
    assert_eq!(
        next,
        [
            "2026-03-31 06:00:00 BST",
            "2026-03-31 12:00:00 BST",
            "2026-03-31 18:00:00 BST",
            "2026-04-01 00:00:00 BST",
            "2026-04-01 06:00:00 BST",
            "2026-04-01 12:00:00 BST",
            "2026-04-01 18:00:00 BST",
            "2026-04-02 09:15:00 BST",
            "2026-04-03 09:15:00 BST",
            "2026-04-04 09:15:00 BST",
        ]
    );
}

#[tokio::test]
async fn each_class_runs_by_its_own_timetable_when_summer_time_ends() {
    let url = office().await;
    let toml = schedule(SIX_HOURLY);
    let mut found = Vec::new();
    spell(
        &url,
        &toml,
        "2026-10-24T12:00:00Z",
        "2026-10-25T01:00:00Z",
        &mut found,
    )
    .await;
    // Half past one has been once, and comes again: started again in between.
    spell(
        &url,
        &toml,
        "2026-10-25T01:10:00Z",
        "2026-10-26T13:00:00Z",
        &mut found,
    )
    .await;
    assert_eq!(
        lines(&url, &found).await,
        [
            "2026-10-24T17:00:00Z letters",
            "2026-10-24T23:00:00Z letters",
            "2026-10-25T00:30:00Z matters notes",
            "2026-10-25T06:00:00Z letters",
            "2026-10-25T12:00:00Z letters",
            "2026-10-25T18:00:00Z letters",
            "2026-10-26T00:00:00Z letters",
            "2026-10-26T01:30:00Z matters",
            "2026-10-26T06:00:00Z letters",
            "2026-10-26T12:00:00Z letters",
        ]
    );
}

#[tokio::test]
async fn a_pass_for_one_class_stands_for_no_other_and_is_made_again_for_it_alone() {
    let url = office().await;
    let toml = schedule(SIX_HOURLY);
    let mut found = Vec::new();
    spell(
        &url,
        &toml,
        "2026-01-06T01:00:00Z",
        "2026-01-06T06:30:00Z",
        &mut found,
    )
    .await;
    // The letters' pass of six broke off, as a power cut leaves it.
    support::sql(
        &url,
        "UPDATE retentiond.run SET finished_at = NULL, outcome = NULL,
                report = jsonb_build_object('only', report -> 'only', 'but', '[]'::jsonb)
          WHERE run_id = (SELECT max(run_id) FROM retentiond.run)",
    )
    .await;
    spell(
        &url,
        &toml,
        "2026-01-06T07:00:00Z",
        "2026-01-06T08:00:00Z",
        &mut found,
    )
    .await;
    // Somebody makes a pass for the letters by hand the next day; the night of the rest is
    // missed all the same.
    support::sql(
        &url,
        r#"INSERT INTO retentiond.run (started_at, finished_at, plan_digest, schedule_digest, actor, outcome, report)
           SELECT '2026-01-07 07:00Z', '2026-01-07 07:00Z', plan_digest, schedule_digest, 'clerk', 'completed', '{"only": ["letters"]}'
             FROM retentiond.run WHERE run_id = 1"#,
    )
    .await;
    found.push(vec!["letters".to_owned()]);
    spell(
        &url,
        &toml,
        "2026-01-07T08:00:00Z",
        "2026-01-07T09:00:00Z",
        &mut found,
    )
    .await;
    assert_eq!(
        lines(&url, &found).await,
        [
            "2026-01-06T01:30:00Z matters",
            "2026-01-06T06:00:00Z letters",
            "2026-01-06T07:00:00Z letters",
            "2026-01-07T07:00:00Z letters",
            "2026-01-07T08:00:00Z matters notes",
        ]
    );
}
