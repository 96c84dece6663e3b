//! A pass of the service waits between batches for the quiet hours to end, and for others'
//! troubles with the database, which it says once.

use retentiond::daemon::{Ended, Signal};
use sqlx::{Connection, PgConnection};

use crate::harness::{self, NIGHTLY, Service, schedule};
use crate::support;

async fn office() -> String {
    let url = harness::database().await;
    support::sql(&url, "INSERT INTO public.matter VALUES (1, '2020-01-01')").await;
    url
}

async fn left(url: &str) -> i64 {
    support::number(url, "SELECT count(*) FROM public.matter").await
}

/// Lets the clock run until the log says that a pass waits, and looks no further.
async fn until_it_waits(service: &mut Service) {
    let begun = std::time::Instant::now();
    while service.log.with("pass waits between batches").is_empty() {
        assert!(begun.elapsed().as_secs() < 120, "{:?}", service.log.lines());
        tokio::select! {
            biased;
            Some(pause) = service.hand.next() => service.hand.elapse(pause),
            () = tokio::task::yield_now() => {}
        }
    }
}

fn reasons(service: &Service) -> Vec<String> {
    let waits = service.log.with("pass waits between batches");
    waits
        .iter()
        .map(|line| line.field("why").to_owned())
        .collect()
}

const QUIET: &str = "it is in the quiet hours (throttle.quiet)";
const LONG: &str = "another transaction is older than throttle.longest_transaction_seconds";

#[tokio::test]
async fn the_quiet_hours_are_waited_out() {
    let url = office().await;
    let toml = schedule("59 59 1 * * *", "1 year");
    let quiet = "quiet = \"01:00-02:00\"";
    let mut service = harness::start_guarded(&url, &toml, "2026-01-06T01:59:30Z", quiet);
    service.until("2026-01-06T02:30:00Z").await;
    assert_eq!(service.passes().await, ["2026-01-06T01:59:59Z"]);
    assert_eq!(reasons(&service), [QUIET]);
    assert_eq!(left(&url).await, 0);
    // Begun before two, and nothing was done before two.
    let at: Vec<String> = support::ledger(&url)
        .await
        .iter()
        .filter(|entry| entry["action"] == "deleted")
        .map(|entry| entry["at"].as_str().unwrap()[..16].to_owned())
        .collect();
    assert_eq!(at, ["2026-01-06T02:00"]);
    service.stop().await;
}

#[tokio::test]
async fn a_stop_does_not_wait_for_the_quiet_hours_to_end() {
    let url = office().await;
    let toml = schedule(NIGHTLY, "1 year");
    let quiet = "quiet = \"01:00-03:00\"";
    let mut service = harness::start_guarded(&url, &toml, "2026-01-06T01:59:30Z", quiet);
    until_it_waits(&mut service).await;
    service.signal(Signal::Terminate).await;
    let (ended, _) = service.end().await;
    assert!(matches!(ended, Ok(Ended::Stopped)), "{ended:?}");
    assert_eq!(left(&url).await, 1);
}

/// A transaction of somebody else that is older than a second.
async fn old_transaction(url: &str) -> PgConnection {
    let mut conn = PgConnection::connect(url).await.unwrap();
    sqlx::raw_sql("SET application_name = 'a report'; BEGIN; SELECT 1")
        .execute(&mut conn)
        .await
        .unwrap();
    let mut asking = PgConnection::connect(url).await.unwrap();
    harness::wait_for(
        &mut asking,
        "SELECT EXISTS (SELECT FROM pg_stat_activity
          WHERE datname = current_database() AND application_name = 'a report'
            AND clock_timestamp() - xact_start > interval '1 second')",
    )
    .await;
    conn
}

#[tokio::test]
async fn an_old_transaction_is_waited_for_and_told_of_once() {
    let url = office().await;
    let old = old_transaction(&url).await;
    let toml = schedule(NIGHTLY, "1 year");
    let bound = "longest_transaction_seconds = 1";
    let mut service = harness::start_guarded(&url, &toml, "2026-01-06T01:59:30Z", bound);
    until_it_waits(&mut service).await;
    assert_eq!(left(&url).await, 1);
    harness::let_go(old).await;
    service.until("2026-01-06T12:00:00Z").await;
    assert_eq!(left(&url).await, 0);
    assert_eq!(reasons(&service), [LONG]);
    assert_eq!(service.stop().await.with("long enough").len(), 0);
}

#[tokio::test]
async fn a_forgotten_transaction_keeps_no_record_for_ever() {
    let url = office().await;
    let old = old_transaction(&url).await;
    let toml = schedule(NIGHTLY, "1 year");
    let bound = "longest_transaction_seconds = 1\npatience_seconds = 1";
    let mut service = harness::start_guarded(&url, &toml, "2026-01-06T01:59:30Z", bound);
    service.until("2026-01-06T12:00:00Z").await;
    assert_eq!(left(&url).await, 0);
    assert_eq!(reasons(&service), [LONG]);
    assert_eq!(service.stop().await.with("long enough").len(), 1);
    harness::let_go(old).await;
}
