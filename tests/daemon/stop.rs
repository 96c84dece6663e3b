//! A stop finishes the batch in hand; a second one waits for nothing.

use std::time::Duration;

use retentiond::daemon::{Ended, Signal};

use crate::harness::{self, NIGHTLY, hold_row, let_go, schedule, somebody_waits, wait_for};
use crate::support;

/// More than one batch: the first has 500 rows.
const RECORDS: i64 = 1_200;

async fn loaded() -> String {
    let url = harness::database().await;
    let sql = format!(
        "INSERT INTO public.matter SELECT n, '2020-01-01' FROM generate_series(1, {RECORDS}) AS n"
    );
    support::sql(&url, &sql).await;
    url
}

async fn left(url: &str) -> i64 {
    support::number(url, "SELECT count(*) FROM public.matter").await
}

async fn in_the_ledger(url: &str) -> Vec<i64> {
    let entries = support::ledger(url).await;
    entries
        .iter()
        .filter(|entry| entry["action"] == "deleted")
        .map(|entry| i64::try_from(entry["records"].as_array().unwrap().len()).unwrap())
        .collect()
}

async fn outcomes(url: &str) -> Vec<String> {
    support::texts(
        url,
        "SELECT coalesce(outcome, 'none') FROM retentiond.run ORDER BY run_id",
    )
    .await
}

#[tokio::test]
async fn the_batch_in_hand_is_finished_and_no_other_begun() {
    let url = loaded().await;
    let held = hold_row(&url, 7).await;
    let mut client = support::client(&url).await;
    let mut service = harness::start(&url, &schedule(NIGHTLY, "1 year"), "2026-01-06T01:59:59Z");
    let pause = service.hand.next().await.unwrap();
    service.hand.elapse(pause);
    somebody_waits(&mut client).await;
    service.signal(Signal::Terminate).await;
    let told = service.hear("STOPPING=1").await;
    assert_eq!(told, "STOPPING=1\nSTATUS=finishing the batch in hand\n");
    assert_eq!(left(&url).await, RECORDS);
    let_go(held).await;
    let (ended, log) = service.end().await;
    assert_eq!(ended.unwrap().exit_code(), 0);
    assert_eq!(left(&url).await, RECORDS - 500);
    assert_eq!(in_the_ledger(&url).await, [500]);
    assert_eq!(outcomes(&url).await, ["stopped"]);
    assert_eq!(log.with("batch committed").len(), 1);
}

#[tokio::test]
async fn a_second_signal_undoes_the_batch_in_hand() {
    for (second, code) in [(Signal::Terminate, 143), (Signal::Interrupt, 130)] {
        let url = loaded().await;
        let held = hold_row(&url, 7).await;
        let mut client = support::client(&url).await;
        let mut service =
            harness::start(&url, &schedule(NIGHTLY, "1 year"), "2026-01-06T01:59:59Z");
        let pause = service.hand.next().await.unwrap();
        service.hand.elapse(pause);
        somebody_waits(&mut client).await;
        service.signal(Signal::Terminate).await;
        service.hear("STOPPING=1").await;
        service.signal(second).await;
        let (ended, _) = service.end().await;
        let ended = ended.unwrap();
        assert_eq!(ended, Ended::AtOnce(second));
        assert_eq!(ended.exit_code(), code);
        let_go(held).await;
        wait_for(
            &mut client,
            "SELECT NOT EXISTS (SELECT 1 FROM pg_stat_activity
              WHERE datname = current_database() AND application_name = 'retentiond')",
        )
        .await;
        assert_eq!(left(&url).await, RECORDS);
        assert_eq!(in_the_ledger(&url).await, Vec::<i64>::new());
        assert_eq!(outcomes(&url).await, ["none"]);
    }
}

#[tokio::test]
async fn a_pass_that_broke_off_is_made_again_at_the_next_start() {
    let url = loaded().await;
    support::sql(
        &url,
        "INSERT INTO retentiond.run (started_at, plan_digest, schedule_digest, actor)
         VALUES ('2026-01-06T02:00:00Z', '', '', 'service')",
    )
    .await;
    let mut service = harness::start(&url, &schedule(NIGHTLY, "1 year"), "2026-01-06T02:10:00Z");
    service.until("2026-01-06T12:00:00Z").await;
    assert_eq!(
        service.passes().await,
        ["2026-01-06T02:00:00Z", "2026-01-06T02:10:00Z"]
    );
    assert_eq!(left(&url).await, 0);
    assert_eq!(service.stop().await.with("broke off").len(), 1);
}

#[tokio::test]
async fn the_watchdog_is_fed_while_a_batch_waits() {
    let url = loaded().await;
    let held = hold_row(&url, 7).await;
    let mut client = support::client(&url).await;
    let watchdog = Some(Duration::from_millis(20));
    let mut service = harness::start_with(
        &url,
        &schedule(NIGHTLY, "1 year"),
        "2026-01-06T01:59:59Z",
        watchdog,
    );
    let pause = service.hand.next().await.unwrap();
    service.hand.elapse(pause);
    somebody_waits(&mut client).await;
    while service.told.try_recv().is_ok() {}
    for _ in 0..3 {
        assert_eq!(service.hear("WATCHDOG").await, "WATCHDOG=1\n");
    }
    let_go(held).await;
    service.until("2026-01-06T02:01:00Z").await;
    service.stop().await;
    assert_eq!(left(&url).await, 0);
}
