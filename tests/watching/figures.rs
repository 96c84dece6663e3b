//! What the figures say, against cases that were worked out by hand.

use std::net::SocketAddr;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::asking::{self, Page, get, page, page_with, until};
use crate::harness::{self, NIGHTLY, Service, at, hold_row, let_go, schedule, somebody_waits};
use crate::support;

const DAY_BEFORE: &str = "2026-01-05T12:00:00Z";

/// Of four past records one is held; one is too young, one has no date.
async fn office() -> String {
    let url = harness::database().await;
    support::sql(
        &url,
        "INSERT INTO public.matter VALUES (1, '2020-01-01'), (2, '2020-01-02'), (3, '2020-01-03'),
         (4, '2020-01-04'), (5, '2026-01-01'), (6, NULL)",
    )
    .await;
    support::hold(&url, "matter", &["1"], None).await;
    url
}

async fn started(url: &str, toml: &str) -> (Service, SocketAddr) {
    harness::start_listening(url, toml, DAY_BEFORE).await
}

fn seconds(instant: &str) -> f64 {
    f64::from(i32::try_from(at(instant).timestamp()).unwrap())
}

const DUE: &str = "retentiond_due_records{class=\"matters\"}";

/// The page once both keepers have seen the pass of the night.
async fn page_after_the_pass(address: SocketAddr) -> Page {
    let succeeded = "retentiond_last_success_timestamp_seconds{class=\"matters\"}";
    let night = seconds("2026-01-06T02:00:00Z");
    let is_there = |page: &Page| page.get(DUE) == Some(0.0) && page.get(succeeded) == Some(night);
    until(async || page(address).await, is_there).await
}

#[tokio::test]
async fn before_a_pass_they_say_what_is_due_and_after_it_what_was_done() {
    let url = office().await;
    let (mut service, address) = started(&url, &schedule(NIGHTLY, "1 year")).await;
    service.until("2026-01-05T12:05:00Z").await;
    let before = page_with(address, DUE, 3.0).await;
    assert_eq!(
        before.value("retentiond_next_pass_timestamp_seconds"),
        seconds("2026-01-06T02:00:00Z")
    );
    assert_eq!(before.beginning("retentiond_last_success"), []);
    assert!(
        before
            .beginning("retentiond_disposed_total")
            .iter()
            .all(|(_, count)| *count == 0.0)
    );

    service.until("2026-01-06T02:05:00Z").await;
    let after = page_after_the_pass(address).await;
    let value = |sample: &str| after.value(sample);
    let disposed = "retentiond_disposed_total{class=\"matters\",action=\"deleted\"}";
    assert_eq!(value(disposed), 3.0);
    // The last day of the held one is 1 January 2021: 5 years of which one is a leap year,
    // and 5 days.
    let late = "{class=\"matters\",limit=\"minimum\"}";
    assert_eq!(value(&format!("retentiond_overdue_records{late}")), 1.0);
    assert_eq!(
        value(&format!("retentiond_oldest_overdue_seconds{late}")),
        1831.0 * 86_400.0
    );
    let waiting = after.beginning("retentiond_waiting_records");
    let waits: Vec<(&str, f64)> = waiting
        .iter()
        .filter(|(_, count)| *count > 0.0)
        .map(|(name, count)| (name.as_str(), *count))
        .collect();
    assert_eq!(
        waits,
        [
            (
                "retentiond_waiting_records{class=\"matters\",reason=\"hold\"}",
                1.0
            ),
            (
                "retentiond_waiting_records{class=\"matters\",reason=\"no_trigger\"}",
                1.0
            ),
        ]
    );
    assert_eq!(waiting.len(), 12);
    assert_eq!(value("retentiond_passes_total{outcome=\"completed\"}"), 1.0);
    assert_eq!(
        value("retentiond_passes_total{outcome=\"broken_off\"}"),
        0.0
    );
    assert_eq!(value("retentiond_pass_duration_seconds_count"), 1.0);
    assert!(value("retentiond_batch_duration_seconds_count") >= 1.0);
    let sealed = support::number(&url, "SELECT count(*) FROM retentiond.ledger_seal").await;
    assert_eq!(
        value("retentiond_ledger_entries"),
        f64::from(i32::try_from(sealed).unwrap())
    );
    assert_eq!(value("retentiond_ledger_unsealed_entries"), 0.0);
    assert_eq!(value("retentiond_ledger_interlocked"), 0.0);
    assert_eq!(value("retentiond_ready"), 1.0);
    let digest = hex::encode(support::schedule(&schedule(NIGHTLY, "1 year")).digest());
    let info = format!("retentiond_schedule_info{{digest=\"{}\"}}", &digest[..12]);
    assert_eq!(value(&info), 1.0);
    service.stop().await;
}

#[tokio::test]
async fn the_checkpoint_grows_old_whether_or_not_anybody_looks() {
    let url = office().await;
    let (mut service, address) = started(&url, &schedule(NIGHTLY, "1 year")).await;
    service.until("2026-01-06T02:05:00Z").await;
    page_after_the_pass(address).await;
    service.jump("2026-01-06T03:00:00Z").await;
    let now = page(address).await;
    let signed = now.value("retentiond_ledger_checkpoint_timestamp_seconds");
    let age = now.value("retentiond_ledger_checkpoint_age_seconds");
    let expected = seconds("2026-01-06T03:00:00Z") - signed;
    assert!((age - expected).abs() < 0.001, "{age}, not {expected}");
    assert!(age > 3590.0, "{age}");
    service.stop().await;
}

#[tokio::test]
async fn what_waits_is_told_apart_by_its_reason() {
    let gated = |key: &str| {
        let toml = schedule(NIGHTLY, "1 year");
        toml.replace("max_share = 1.0\n", &format!("max_share = 1.0\n{key}\n"))
    };
    let over = schedule(NIGHTLY, "1 year").replace("max_share = 1.0", "max_rows = 2");
    let by_hand = schedule(NIGHTLY, "1 year").replace("\"automatic\"", "\"by hand\"");
    let cases = [
        (gated("gate = \"review\""), "review"),
        (gated("gate = \"instruction\""), "instruction"),
        (gated("notice = \"30 days\""), "notice"),
        (over, "limit"),
        (by_hand, "acceptance"),
    ];
    for (toml, reason) in cases {
        let url = office().await;
        let (mut service, address) = started(&url, &toml).await;
        // A notice begins with a pass.
        service.until("2026-01-06T02:05:00Z").await;
        let sample = format!("retentiond_waiting_records{{class=\"matters\",reason=\"{reason}\"}}");
        let waits = page_with(address, &sample, 3.0).await;
        assert_eq!(waits.value(DUE), 0.0, "{reason}");
        let all: f64 = waits
            .beginning("retentiond_waiting_records")
            .iter()
            .map(|(_, count)| count)
            .sum();
        assert_eq!(
            all, 5.0,
            "{reason}: three, the held one and the undated one"
        );
        service.stop().await;
    }
}

#[tokio::test]
async fn a_paused_class_waits_for_that() {
    let url = office().await;
    support::sql(
        &url,
        "INSERT INTO retentiond.pause (class_id, reason, paused_by, paused_at, salt) VALUES ('matters', 'a test', 'tests', now(), '');
         UPDATE retentiond.decision_epoch SET epoch = epoch + 1",
    )
    .await;
    let (mut service, address) = started(&url, &schedule(NIGHTLY, "1 year")).await;
    service.until("2026-01-05T12:05:00Z").await;
    let sample = "retentiond_waiting_records{class=\"matters\",reason=\"pause\"}";
    page_with(address, sample, 3.0).await;
    service.stop().await;
}

#[tokio::test]
async fn a_refused_reload_is_seen_until_it_is_mended() {
    let url = office().await;
    let good = schedule(NIGHTLY, "1 year");
    let (mut service, address) = started(&url, &good).await;
    service.until("2026-01-05T12:05:00Z").await;
    let seen = async || {
        let page = page(address).await;
        (
            page.value("retentiond_reload_refused"),
            page.value("retentiond_reload_failures_total"),
        )
    };
    assert_eq!(seen().await, (0.0, 0.0));
    service.reload(&schedule(NIGHTLY, "1 yeer")).await;
    assert_eq!(seen().await, (1.0, 1.0));
    service.reload(&good).await;
    assert_eq!(seen().await, (0.0, 1.0));
    service.stop().await;
}

#[tokio::test]
async fn a_pass_that_waits_for_a_lock_keeps_nobody_waiting() {
    let url = office().await;
    let held = hold_row(&url, 2).await;
    let mut client = support::client(&url).await;
    let (mut service, address) = started(&url, &schedule(NIGHTLY, "1 year")).await;
    service.until("2026-01-06T01:59:59Z").await;
    let pause = service.hand.next().await.unwrap();
    service.hand.elapse_to(pause, at("2026-01-06T02:00:00Z"));
    somebody_waits(&mut client).await;
    for path in ["/metrics", "/healthz", "/readyz"] {
        let answer = get(address, path).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let_go(held).await;
    service.until("2026-01-06T02:05:00Z").await;
    page_with(address, DUE, 0.0).await;
    service.stop().await;
}

#[tokio::test]
async fn a_client_that_never_ends_its_request_does_not_hold_up_a_stop() {
    let url = office().await;
    let (mut service, address) = started(&url, &schedule(NIGHTLY, "1 year")).await;
    service.until("2026-01-05T12:05:00Z").await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream
        .write_all(b"GET /metrics HTTP/1.1\r\n")
        .await
        .unwrap();
    assert_eq!(get(address, "/healthz").await.text, "alive\n");
    service.stop().await;
    assert!(
        TcpStream::connect(address).await.is_err(),
        "it still listens"
    );
}

#[tokio::test]
async fn nothing_else_is_answered() {
    let url = office().await;
    let (mut service, address) = started(&url, &schedule(NIGHTLY, "1 year")).await;
    service.until("2026-01-05T12:05:00Z").await;
    assert_eq!(get(address, "/").await.status, 404);
    assert_eq!(get(address, "/metrics/matter").await.status, 404);
    let metrics = asking::get(address, "/metrics").await;
    assert!(
        metrics
            .head
            .contains("content-type: text/plain; version=0.0.4; charset=utf-8"),
        "{}",
        metrics.head
    );
    service.stop().await;
}
