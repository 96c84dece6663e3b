//! Passes begin when the timetable says, once each, whatever the clock does.

use retentiond::daemon::Ended;
use tracing::Level;

use crate::harness::{self, NIGHTLY, passes, schedule};
use crate::support;

/// A record for each of seven days, due on that day, and the day as a number for its key.
async fn a_record_for_each_day(url: &str, first: &str) {
    let sql = format!(
        "INSERT INTO public.matter SELECT to_char(day, 'MMDD')::integer, day - interval '1 year 1 day'
           FROM generate_series(date '{first}', date '{first}' + 6, interval '1 day') AS day"
    );
    support::sql(url, &sql).await;
}

/// The keys of what each pass deleted, one list a pass, as the ledger has them.
async fn deleted_by_pass(url: &str) -> Vec<Vec<i64>> {
    let runs = support::number(url, "SELECT count(*) FROM retentiond.run").await;
    let mut deleted = vec![Vec::new(); usize::try_from(runs).unwrap()];
    for entry in support::ledger(url).await {
        if entry["action"] == "deleted" {
            let run = usize::try_from(entry["run"].as_i64().unwrap()).unwrap();
            for record in entry["records"].as_array().unwrap() {
                deleted[run - 1].push(record["key"]["id"].as_i64().unwrap());
            }
        }
    }
    deleted
}

async fn a_week(
    every: &str,
    from: &str,
    to: &str,
    first: &str,
    expected: [&str; 7],
    keys: [i64; 7],
) {
    let url = harness::database().await;
    a_record_for_each_day(&url, first).await;
    let mut service = harness::start(&url, &schedule(every, "1 year"), from);
    service.until(to).await;
    service.stop().await;
    assert_eq!(passes(&url).await, expected);
    assert_eq!(deleted_by_pass(&url).await, keys.map(|key| vec![key]));
    assert_eq!(
        support::number(&url, "SELECT count(*) FROM public.matter").await,
        0
    );
}

#[tokio::test]
async fn two_in_the_morning_comes_once_a_day_when_summer_time_begins() {
    a_week(
        NIGHTLY,
        "2026-03-26T12:00:00Z",
        "2026-04-02T12:00:00Z",
        "2026-03-27",
        [
            "2026-03-27T02:00:00Z",
            "2026-03-28T02:00:00Z",
            "2026-03-29T01:00:00Z",
            "2026-03-30T01:00:00Z",
            "2026-03-31T01:00:00Z",
            "2026-04-01T01:00:00Z",
            "2026-04-02T01:00:00Z",
        ],
        [327, 328, 329, 330, 331, 401, 402],
    )
    .await;
}

#[tokio::test]
async fn half_past_one_comes_once_also_on_the_day_that_does_not_have_it() {
    a_week(
        "0 30 1 * * *",
        "2026-03-26T12:00:00Z",
        "2026-04-02T12:00:00Z",
        "2026-03-27",
        [
            "2026-03-27T01:30:00Z",
            "2026-03-28T01:30:00Z",
            "2026-03-29T01:00:00Z",
            "2026-03-30T00:30:00Z",
            "2026-03-31T00:30:00Z",
            "2026-04-01T00:30:00Z",
            "2026-04-02T00:30:00Z",
        ],
        [327, 328, 329, 330, 331, 401, 402],
    )
    .await;
}

#[tokio::test]
async fn two_in_the_morning_comes_once_a_day_when_summer_time_ends() {
    a_week(
        NIGHTLY,
        "2026-10-21T12:00:00Z",
        "2026-10-28T12:00:00Z",
        "2026-10-22",
        [
            "2026-10-22T01:00:00Z",
            "2026-10-23T01:00:00Z",
            "2026-10-24T01:00:00Z",
            "2026-10-25T02:00:00Z",
            "2026-10-26T02:00:00Z",
            "2026-10-27T02:00:00Z",
            "2026-10-28T02:00:00Z",
        ],
        [1022, 1023, 1024, 1025, 1026, 1027, 1028],
    )
    .await;
}

#[tokio::test]
async fn half_past_one_comes_once_on_the_night_that_has_it_twice() {
    a_week(
        "0 30 1 * * *",
        "2026-10-21T12:00:00Z",
        "2026-10-28T12:00:00Z",
        "2026-10-22",
        [
            "2026-10-22T00:30:00Z",
            "2026-10-23T00:30:00Z",
            "2026-10-24T00:30:00Z",
            "2026-10-25T00:30:00Z",
            "2026-10-26T01:30:00Z",
            "2026-10-27T01:30:00Z",
            "2026-10-28T01:30:00Z",
        ],
        [1022, 1023, 1024, 1025, 1026, 1027, 1028],
    )
    .await;
}

#[tokio::test]
async fn nights_slept_through_are_one_pass_when_the_machine_wakes() {
    let url = harness::database().await;
    let mut service = harness::start(&url, &schedule(NIGHTLY, "1 year"), "2026-01-05T12:00:00Z");
    service.jump("2026-01-08T09:00:00Z").await;
    assert_eq!(service.passes().await, ["2026-01-08T09:00:00Z"]);
    service.until("2026-01-09T12:00:00Z").await;
    assert_eq!(
        service.passes().await,
        ["2026-01-08T09:00:00Z", "2026-01-09T02:00:00Z"]
    );
    let log = service.stop().await;
    let late = log.with("let the time of a pass go by");
    assert_eq!(late.len(), 1);
    assert_eq!(late[0].field("due"), "2026-01-06 02:00:00 UTC");
    assert_eq!(late[0].field("late_seconds"), "198000");
}

#[tokio::test]
async fn a_clock_put_back_by_minutes_repeats_no_pass() {
    let url = harness::database().await;
    let mut service = harness::start(&url, &schedule(NIGHTLY, "1 year"), "2026-01-05T01:59:00Z");
    service.until("2026-01-05T02:00:30Z").await;
    service.jump("2026-01-05T01:58:00Z").await;
    service.until("2026-01-05T12:00:00Z").await;
    assert_eq!(service.passes().await, ["2026-01-05T02:00:00Z"]);
    assert_eq!(service.stop().await.with("put back").len(), 0);
}

#[tokio::test]
async fn a_clock_put_back_by_a_day_does_not_sleep_until_the_old_tomorrow() {
    let url = harness::database().await;
    let mut service = harness::start(&url, &schedule(NIGHTLY, "1 year"), "2026-01-09T12:00:00Z");
    service.jump("2026-01-05T12:00:00Z").await;
    service.until("2026-01-06T12:00:00Z").await;
    assert_eq!(service.passes().await, ["2026-01-06T02:00:00Z"]);
    assert_eq!(service.stop().await.with("put back").len(), 1);
}

#[tokio::test]
async fn a_first_start_waits_for_the_timetable() {
    let url = harness::database().await;
    let mut service = harness::start(&url, &schedule(NIGHTLY, "1 year"), "2026-01-05T12:00:00Z");
    service.until("2026-01-06T01:59:59Z").await;
    assert_eq!(service.passes().await, Vec::<String>::new());
    let log = service.stop().await;
    let next = log.with("next pass");
    assert_eq!(next.len(), 1);
    assert_eq!(next[0].level, Level::INFO);
    assert_eq!(next[0].field("local"), "2026-01-06 02:00:00 GMT");
}

#[tokio::test]
async fn passes_missed_while_no_process_was_there_are_made_up_for_by_one() {
    let url = harness::database().await;
    let mut service = harness::start(&url, &schedule(NIGHTLY, "1 year"), "2026-01-05T12:00:00Z");
    service.until("2026-01-06T12:00:00Z").await;
    service.stop().await;

    let mut service = harness::start(&url, &schedule(NIGHTLY, "1 year"), "2026-01-09T09:00:00Z");
    service.until("2026-01-10T12:00:00Z").await;
    let log = service.stop().await;
    assert_eq!(
        passes(&url).await,
        [
            "2026-01-06T02:00:00Z",
            "2026-01-09T09:00:00Z",
            "2026-01-10T02:00:00Z"
        ]
    );
    let missed = log.with("a pass was missed");
    assert_eq!(missed.len(), 1);
    assert_eq!(missed[0].field("missed"), "2026-01-07 02:00:00 UTC");
}

#[tokio::test]
async fn a_restart_on_the_same_day_makes_no_pass() {
    let url = harness::database().await;
    for hours in [
        ("2026-01-06T01:00:00Z", "2026-01-06T03:00:00Z"),
        ("2026-01-06T03:00:00Z", "2026-01-06T23:00:00Z"),
    ] {
        let mut service = harness::start(&url, &schedule(NIGHTLY, "1 year"), hours.0);
        service.until(hours.1).await;
        service.stop().await;
    }
    assert_eq!(passes(&url).await, ["2026-01-06T02:00:00Z"]);
}

#[tokio::test]
async fn a_schedule_that_is_wrong_does_not_start() {
    let url = harness::database().await;
    let broken = schedule(NIGHTLY, "1 yeer");
    let service = harness::start(&url, &broken, "2026-01-05T12:00:00Z");
    let (ended, log) = service.end().await;
    let error = ended.map(Ended::exit_code).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().contains("retention.toml"), "{error}");
    assert_eq!(log.lines().len(), 0);
}
