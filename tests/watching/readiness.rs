//! `/readyz` names what a pass would lack.

use std::fs;
use std::net::SocketAddr;

use crate::asking::{Answer, get, page, page_with, until};
use crate::harness::{self, NIGHTLY, schedule};
use crate::support;

const DUE: &str = "retentiond_due_records{class=\"matters\"}";
const NOON: &str = "2026-01-05T12:00:00Z";

/// What is answered once it says what is waited for.
async fn answered(address: SocketAddr, status: u16, word: &str) -> String {
    let is_there = |answer: &Answer| answer.status == status && answer.text.contains(word);
    until(async || get(address, "/readyz").await, is_there)
        .await
        .text
}

#[tokio::test]
async fn a_service_that_could_make_a_pass_is_ready() {
    let url = harness::database().await;
    let toml = schedule(NIGHTLY, "1 year");
    let (mut service, address) = harness::start_listening(&url, &toml, NOON).await;
    service.until("2026-01-05T12:05:00Z").await;
    assert_eq!(answered(address, 200, "").await, "ready\n");
    assert_eq!(page(address).await.value("retentiond_ready"), 1.0);
    service.stop().await;
}

#[tokio::test]
async fn a_database_that_cannot_be_reached_is_named_and_the_rest_goes_on() {
    let toml = schedule(NIGHTLY, "1 year");
    let url = "postgres://nobody@localhost/none?host=/nonexistent";
    let (mut service, address) = harness::start_listening(url, &toml, NOON).await;
    service.until("2026-01-05T12:05:00Z").await;
    let text = answered(address, 503, "could not connect").await;
    assert!(
        text.starts_with(
            "could not connect to the database at the socket in /nonexistent, database none: "
        ),
        "{text}"
    );
    assert_eq!(get(address, "/healthz").await.text, "alive\n");
    let page = page(address).await;
    assert_eq!(page.value("retentiond_database_reachable"), 0.0);
    assert_eq!(page.value("retentiond_ready"), 0.0);
    assert_eq!(page.beginning("retentiond_refreshed"), []);
    let log = service.stop().await;
    let told = log.with("looking at the bookkeeping for the figures failed; it will");
    assert_eq!(told.len(), 1, "told once: {told:?}");
}

#[tokio::test]
async fn a_database_that_goes_away_leaves_the_last_figures_and_their_age() {
    let url = harness::database().await;
    let toml = schedule(NIGHTLY, "1 year");
    let (mut service, address) = harness::start_listening(&url, &toml, NOON).await;
    service.until("2026-01-05T12:05:00Z").await;
    let before = page_with(address, DUE, 0.0).await;
    let before = before.value("retentiond_refreshed_timestamp_seconds");
    let name = url.split('?').next().unwrap().rsplit('/').next().unwrap();
    support::sql(
        &url.replace(&format!("/{name}"), "/postgres"),
        &format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false"),
    )
    .await;
    service.until("2026-01-05T13:00:00Z").await;
    let text = answered(address, 503, "not currently accepting connections").await;
    assert_eq!(text.lines().count(), 1, "{text}");
    let after = page_with(address, "retentiond_database_reachable", 0.0).await;
    let refreshed = after.value("retentiond_refreshed_timestamp_seconds");
    assert!(refreshed >= before);
    assert!(
        refreshed < 3600.0 + before,
        "{refreshed} is the time of a look that failed"
    );
    assert_eq!(after.value(DUE), 0.0);
    service.stop().await;
}

#[tokio::test]
async fn a_schema_that_is_missing_is_named() {
    let url = support::database().await;
    let toml = schedule(NIGHTLY, "1 year");
    let (mut service, address) = harness::start_listening(&url, &toml, NOON).await;
    service.until("2026-01-05T12:05:00Z").await;
    assert_eq!(
        answered(address, 503, "schema").await,
        "the schema `retentiond` is missing from the database, or of another version\n"
    );
    service.stop().await;
}

#[tokio::test]
async fn a_schedule_that_nobody_accepted_is_named() {
    let url = harness::database().await;
    let toml = schedule(NIGHTLY, "1 year").replace("\"automatic\"", "\"by hand\"");
    let (mut service, address) = harness::start_listening(&url, &toml, NOON).await;
    service.until("2026-01-05T12:05:00Z").await;
    assert_eq!(
        answered(address, 503, "accepted").await,
        "no version of this schedule was ever accepted; nothing was done\n"
    );
    assert_eq!(
        page(address).await.value("retentiond_schedule_waiting"),
        1.0
    );
    service.until("2026-01-06T02:05:00Z").await;
    page_with(
        address,
        "retentiond_passes_total{outcome=\"not_accepted\"}",
        1.0,
    )
    .await;
    service.stop().await;
}

#[tokio::test]
async fn a_schedule_of_which_no_class_fits_the_database_is_named() {
    let url = harness::database().await;
    let toml = schedule(NIGHTLY, "1 year").replace("table = \"matter\"", "table = \"mater\"");
    let (mut service, address) = harness::start_listening(&url, &toml, NOON).await;
    service.until("2026-01-05T12:05:00Z").await;
    let text = answered(address, 503, "refused").await;
    assert!(
        text.starts_with("every class of the schedule is refused"),
        "{text}"
    );
    let page = page(address).await;
    assert_eq!(
        page.value("retentiond_class_standing{class=\"matters\",standing=\"refused\"}"),
        1.0
    );
    assert_eq!(page.beginning("retentiond_due_records"), []);
    service.stop().await;
}

#[tokio::test]
async fn a_ledger_that_does_not_agree_with_its_published_copy_is_named() {
    let url = harness::database().await;
    let toml = schedule(NIGHTLY, "1 year");
    let (mut service, address) = harness::start_listening(&url, &toml, NOON).await;
    service.until("2026-01-06T02:05:00Z").await;
    answered(address, 200, "ready").await;
    // The note with another origin's signature: nobody's key.
    let origin = support::texts(&url, "SELECT name FROM retentiond.ledger_origin")
        .await
        .remove(0);
    let folder = format!(
        "{}/{}/published/{}",
        support::state(),
        origin.rsplit('/').next().unwrap(),
        origin.replace('/', "-")
    );
    let path = format!("{folder}/checkpoint");
    let note = fs::read_to_string(&path).unwrap();
    let size = note.lines().nth(1).unwrap();
    fs::write(&path, note.replacen(&format!("\n{size}\n"), "\n9000\n", 1)).unwrap();
    service.until("2026-01-06T02:10:00Z").await;
    let text = answered(address, 503, "checkpoint").await;
    assert!(text.contains("is not to be believed"), "{text}");
    page_with(address, "retentiond_ledger_interlocked", 1.0).await;
    fs::write(&path, note).unwrap();
    service.until("2026-01-06T02:15:00Z").await;
    answered(address, 200, "ready").await;
    service.stop().await;
}
