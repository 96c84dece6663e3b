//! `retentiond demo` over a hundred thousand records: the numbers that it prints are those
//! that plain SQL, written by hand from the notices, counts in the same sample.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::process::Command;

use retentiond::demo::sample::{self, SampleOptions};
use serde_json::Value;
use sqlx::Connection;

const ON: &str = "2026-11-23";
const ROWS: u64 = 100_000;

#[tokio::test]
async fn the_numbers_printed_are_those_counted_by_hand() {
    let program = Command::new(env!("CARGO_BIN_EXE_retentiond"))
        .args([
            "demo", "--once", "--rows", "100000", "--on", ON, "--format", "json", "--quiet",
        ])
        .env_remove("DATABASE_URL")
        .output()
        .expect("the program starts");
    let errors = String::from_utf8_lossy(&program.stderr);
    assert!(program.status.success(), "{errors}");
    let printed: Value = serde_json::from_slice(&program.stdout).expect("one JSON object");
    let class = |id: &str| {
        let classes = printed["run"]["classes"].as_array().unwrap();
        classes
            .iter()
            .find(|class| class["id"] == id)
            .unwrap()
            .clone()
    };
    assert_eq!(printed["run"]["classes"].as_array().unwrap().len(), 10);
    assert_eq!(printed["run"]["outcome"], "completed");

    // The same sample once more, and what the notices say of it.
    let url = support::database().await;
    let mut conn = support::client(&url).await;
    let options = SampleOptions {
        rows: ROWS,
        on: ON.parse().unwrap(),
        seed: 1,
        media_folder: None,
    };
    let summary = sample::load(&mut conn, &options, &mut |_, _, _| ())
        .await
        .unwrap();
    assert!(summary.records >= ROWS);
    conn.close().await.unwrap();
    support::sql(&url, "CREATE SCHEMA was").await;
    for table in support::texts(&url, "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'").await {
        support::sql(&url, &format!("CREATE TABLE was.{table} AS TABLE public.{table}")).await;
    }
    support::sql(&url, include_str!("pass_sample/must.sql")).await;

    for (id, field, by_hand) in [
        ("communications", "deleted", "must.correspondence"),
        ("foi-requests", "deleted", "must.foi_request"),
        ("photos-videos", "deleted", "must.media"),
        (
            "applicants-unsuccessful",
            "anonymised",
            "must.applicant WHERE class = 'applicants-unsuccessful'",
        ),
        (
            "applicants-merit-list",
            "anonymised",
            "must.applicant WHERE class = 'applicants-merit-list'",
        ),
        ("survey-samples", "deleted", "must.survey_sample"),
        ("social-dms", "deleted", "must.social_message"),
        ("photos-videos", "dependants", "must.consent_form"),
        (
            "survey-samples",
            "dependants",
            "must.survey_contact_attempt",
        ),
        ("foi-requests", "dependants", "must.foi_exchange"),
        (
            "communications",
            "dependants",
            "(SELECT FROM must.attachment UNION ALL SELECT FROM must.case_note) AS d",
        ),
        ("capv-research", "waiting", "was.capv_participant"),
    ] {
        let counted = support::number(&url, &format!("SELECT count(*) FROM {by_hand}")).await;
        assert!(counted > 0, "{id}: nothing to compare");
        assert_eq!(class(id)[field], counted, "{id}: {field}");
    }
    for id in ["applicants-successful", "newsletter-opt-outs"] {
        assert_eq!(class(id)["status"], "retained", "{id}");
    }
}
