//! A reload puts both files in force, or neither.

use tracing::Level;

use crate::harness::{self, NIGHTLY, hold_row, let_go, schedule, somebody_waits};
use crate::support;

async fn digests(url: &str) -> Vec<String> {
    support::texts(
        url,
        "SELECT 'sha256:' || encode(schedule_digest, 'hex') FROM retentiond.run ORDER BY run_id",
    )
    .await
}

fn digest(text: &str) -> String {
    format!("sha256:{}", hex::encode(support::schedule(text).digest()))
}

#[tokio::test]
async fn a_valid_schedule_is_in_force_from_the_next_pass_on() {
    let url = harness::database().await;
    let (old, new) = (
        schedule(NIGHTLY, "1 year"),
        schedule("0 0 3 * * *", "2 years"),
    );
    let mut service = harness::start(&url, &old, "2026-01-05T12:00:00Z");
    service.until("2026-01-06T12:00:00Z").await;
    let told = service.reload(&new).await;
    assert_eq!(
        told,
        "READY=1\nSTATUS=next pass at 2026-01-07 03:00:00 GMT\n"
    );
    service.until("2026-01-07T12:00:00Z").await;
    assert_eq!(
        service.passes().await,
        ["2026-01-06T02:00:00Z", "2026-01-07T03:00:00Z"]
    );
    assert_eq!(digests(&url).await, [digest(&old), digest(&new)]);
    let log = service.stop().await;
    let told = log.with("reloaded");
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].field("old"), digest(&old));
    assert_eq!(told[0].field("new"), digest(&new));
}

#[tokio::test]
async fn a_reload_tells_the_manager_when_it_begins_by_the_monotonic_clock() {
    let url = harness::database().await;
    let mut service = harness::start(&url, &schedule(NIGHTLY, "1 year"), "2026-01-05T12:00:00Z");
    assert!(
        service
            .hear("READY=1")
            .await
            .starts_with("READY=1\nSTATUS=")
    );
    service.until("2026-01-05T12:01:00Z").await;
    service.signal(retentiond::daemon::Signal::Reload).await;
    let told = service.hear("RELOADING=1").await;
    let since = told
        .strip_prefix("RELOADING=1\nMONOTONIC_USEC=")
        .expect("both in one message");
    assert!(since.trim_end().parse::<u64>().unwrap() > 0);
    service.hear("READY=1").await;
    service.stop().await;
}

#[tokio::test]
async fn a_broken_schedule_changes_nothing_and_every_fault_is_told() {
    let url = harness::database().await;
    let old = schedule(NIGHTLY, "1 year");
    let mut service = harness::start(&url, &old, "2026-01-05T12:00:00Z");
    service.until("2026-01-05T13:00:00Z").await;
    // Line 4 has the timetable, line 11 the period.
    let broken = schedule("0 0 25 * * *", "1 yeer");
    let told = service.reload(&broken).await;
    assert!(told.contains("RELOAD REFUSED"), "{told}");
    assert!(
        told.contains("next pass at 2026-01-06 02:00:00 GMT"),
        "{told}"
    );
    service.until("2026-01-06T12:00:00Z").await;
    assert_eq!(digests(&url).await, [digest(&old)]);

    let faults = service.log.with("fault in the schedule");
    let lines: Vec<&str> = faults.iter().map(|fault| fault.field("line")).collect();
    assert_eq!(lines, ["4", "11"]);
    for fault in &faults {
        assert_eq!(fault.level, Level::ERROR);
        assert!(fault.field("code").starts_with("R01"), "{fault:?}");
        assert!(fault.field("file").ends_with("retention.toml"));
        assert!(!fault.field("fault").is_empty());
    }
    let refused = service.log.with("RELOAD REFUSED");
    // Once when it happened, and again with the pass that went without it.
    let levels: Vec<Level> = refused.iter().map(|line| line.level).collect();
    assert_eq!(levels, [Level::ERROR, Level::WARN]);
    assert_eq!(refused[0].field("schedule"), digest(&old));
    assert_eq!(refused[0].field("faults"), "2");

    let told = service.reload(&old).await;
    assert_eq!(
        told,
        "READY=1\nSTATUS=next pass at 2026-01-07 02:00:00 GMT\n"
    );
    service.stop().await;
}

#[tokio::test]
async fn a_schedule_that_is_gone_changes_nothing() {
    let url = harness::database().await;
    let mut service = harness::start(&url, &schedule(NIGHTLY, "1 year"), "2026-01-05T12:00:00Z");
    service.until("2026-01-05T13:00:00Z").await;
    std::fs::remove_file(&service.file).unwrap();
    service.signal(retentiond::daemon::Signal::Reload).await;
    service.hear("RELOADING=1").await;
    assert!(service.hear("READY=1").await.contains("RELOAD REFUSED"));
    service.until("2026-01-06T12:00:00Z").await;
    assert_eq!(service.passes().await, ["2026-01-06T02:00:00Z"]);
    service.stop().await;
}

#[tokio::test]
async fn settings_that_are_wrong_keep_the_new_schedule_out_too() {
    let url = harness::database().await;
    let old = schedule(NIGHTLY, "1 year");
    let mut service = harness::start(&url, &old, "2026-01-05T12:00:00Z");
    service.until("2026-01-05T13:00:00Z").await;
    let config = service.file.with_file_name("retentiond.toml");
    std::fs::write(config, "[throttle]\nduty_cycel = 0.5\n").unwrap();
    let told = service.reload(&schedule(NIGHTLY, "2 years")).await;
    assert!(told.contains("RELOAD REFUSED: the settings"), "{told}");
    service.until("2026-01-06T12:00:00Z").await;
    assert_eq!(digests(&url).await, [digest(&old)]);
    let log = service.stop().await;
    let faults = log.with("fault in the settings");
    assert_eq!(faults.len(), 1);
    assert!(faults[0].field("error").contains("duty_cycel"));
}

#[tokio::test]
async fn a_pass_at_work_keeps_the_schedule_that_it_began_with() {
    let url = harness::database().await;
    support::sql(
        &url,
        "INSERT INTO public.matter SELECT n, '2020-01-01' FROM generate_series(1, 3) AS n",
    )
    .await;
    let (old, new) = (schedule(NIGHTLY, "1 year"), schedule(NIGHTLY, "2 years"));
    let held = hold_row(&url, 2).await;
    let mut client = support::client(&url).await;
    let mut service = harness::start(&url, &old, "2026-01-06T01:59:59Z");
    let pause = service.hand.next().await.unwrap();
    service.hand.elapse(pause);
    somebody_waits(&mut client).await;
    let told = service.reload(&new).await;
    assert_eq!(
        told,
        "READY=1\nSTATUS=a pass is at work since 2026-01-06 02:00:00 GMT\n"
    );
    let_go(held).await;
    service.until("2026-01-07T12:00:00Z").await;
    assert_eq!(digests(&url).await, [digest(&old), digest(&new)]);
    let entries = support::ledger(&url).await;
    let deleted: Vec<_> = entries
        .iter()
        .filter(|entry| entry["action"] == "deleted")
        .collect();
    assert_eq!(deleted.len(), 1);
    assert_eq!(deleted[0]["schedule"], digest(&old));
    service.stop().await;
}

#[tokio::test]
async fn settings_that_only_a_new_start_changes_are_named_without_their_values() {
    let url = harness::database().await;
    let old = schedule(NIGHTLY, "1 year");
    let mut service = harness::start(&url, &old, "2026-01-05T12:00:00Z");
    service.until("2026-01-05T13:00:00Z").await;
    let config = service.file.with_file_name("retentiond.toml");
    let settings = "[database]\nurl = \"postgres://someone:open-sesame@db/other\"\n[throttle]\nduty_cycle = 0.9\n";
    std::fs::write(config, settings).unwrap();
    service.reload(&old).await;
    service.until("2026-01-06T12:00:00Z").await;
    assert_eq!(service.passes().await, ["2026-01-06T02:00:00Z"]);
    let log = service.stop().await;
    let unheeded = log.with("only a new start");
    assert_eq!(unheeded.len(), 1);
    assert_eq!(unheeded[0].field("setting"), "database.url");
    assert!(!format!("{:?}", log.lines()).contains("open-sesame"));
}
