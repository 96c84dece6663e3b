//! A database that fails is told of once, tried again, and never the end of the service.

use tracing::Level;

use crate::harness::{self, NIGHTLY, passes, schedule};
use crate::support;

/// Lets nobody connect to a database any more, or everybody again.
async fn admit(url: &str, yes: bool) {
    let (server, name) = url
        .split_once('?')
        .map_or(url, |(before, _)| before)
        .rsplit_once('/')
        .unwrap();
    let query = url
        .split_once('?')
        .map(|(_, query)| format!("?{query}"))
        .unwrap_or_default();
    let elsewhere = format!("{server}/postgres{query}");
    support::sql(
        &elsewhere,
        &format!("ALTER DATABASE {name} ALLOW_CONNECTIONS {yes}"),
    )
    .await;
}

#[tokio::test]
async fn a_pass_without_a_database_is_tried_again_with_growing_pauses() {
    let url = harness::database().await;
    support::sql(&url, "INSERT INTO public.matter VALUES (1, '2020-01-01')").await;
    let mut service = harness::start(&url, &schedule(NIGHTLY, "1 year"), "2026-01-05T12:00:00Z");
    service.until("2026-01-06T01:00:00Z").await;
    admit(&url, false).await;
    let failures = |service: &harness::Service| service.log.with("a pass failed").len();
    service.run_while(|service| failures(service) < 9).await;
    admit(&url, true).await;
    let told = service.hear("trying again").await;
    assert!(
        told.contains("not currently accepting connections"),
        "{told}"
    );
    assert!(
        told.contains("trying again at 2026-01-06 02:00:05 GMT"),
        "{told}"
    );
    service.until("2026-01-06T12:00:00Z").await;
    // 5, 10, 20, 40, 80, 160, and three times 300 seconds after two.
    assert_eq!(service.passes().await, ["2026-01-06T02:20:15Z"]);
    assert_eq!(
        support::number(&url, "SELECT count(*) FROM public.matter").await,
        0
    );
    let log = service.stop().await;
    let told = log.with("a pass failed");
    let pauses: Vec<&str> = told
        .iter()
        .map(|line| line.field("pause_seconds"))
        .collect();
    assert_eq!(
        pauses,
        ["5", "10", "20", "40", "80", "160", "300", "300", "300"]
    );
    let loud: Vec<_> = told
        .iter()
        .filter(|line| line.level == Level::ERROR)
        .collect();
    assert_eq!(loud.len(), 1);
    assert!(
        loud[0]
            .field("error")
            .starts_with("could not connect to the database at")
    );
    let works = log.with("works again");
    assert_eq!(works.len(), 1);
    assert_eq!(works[0].field("failures"), "9");
}

#[tokio::test]
async fn a_night_without_a_database_is_over_when_the_next_comes() {
    let url = harness::database().await;
    let mut service = harness::start(&url, &schedule(NIGHTLY, "1 year"), "2026-01-05T12:00:00Z");
    service.until("2026-01-06T01:00:00Z").await;
    admit(&url, false).await;
    service.until("2026-01-07T01:59:59Z").await;
    admit(&url, true).await;
    service.until("2026-01-07T12:00:00Z").await;
    assert_eq!(service.passes().await, ["2026-01-07T02:00:00Z"]);
    service.stop().await;
}

#[tokio::test]
async fn a_service_starts_before_its_database_and_still_sees_what_was_missed() {
    let url = harness::database().await;
    let mut service = harness::start(&url, &schedule(NIGHTLY, "1 year"), "2026-01-05T12:00:00Z");
    service.until("2026-01-06T12:00:00Z").await;
    service.stop().await;

    admit(&url, false).await;
    let mut service = harness::start(&url, &schedule(NIGHTLY, "1 year"), "2026-01-08T12:00:00Z");
    service.hear("READY=1").await;
    service.hear("trying again").await;
    admit(&url, true).await;
    service.until("2026-01-08T13:00:00Z").await;
    service.stop().await;
    assert_eq!(
        passes(&url).await,
        ["2026-01-06T02:00:00Z", "2026-01-08T12:00:05Z"]
    );
}

#[tokio::test]
async fn a_database_that_was_not_prepared_is_told_of_and_used_once_it_is() {
    let url = support::database().await;
    let mut service = harness::start(&url, &schedule(NIGHTLY, "1 year"), "2026-01-05T12:00:00Z");
    service.until("2026-01-05T13:00:00Z").await;
    assert_eq!(
        service.log.with("failed; it will be tried again")[0].field("error"),
        "the schema `retentiond` is missing from the database, or of another version"
    );
    support::sql(
        &url,
        "CREATE TABLE public.matter (id integer PRIMARY KEY, closed_on date)",
    )
    .await;
    support::migrate(&url).await;
    service.until("2026-01-06T12:00:00Z").await;
    assert_eq!(service.passes().await, ["2026-01-06T02:00:00Z"]);
    service.stop().await;
}

#[tokio::test]
async fn nothing_of_a_record_is_in_the_log() {
    let url = support::migrated().await;
    support::sql(
        &url,
        "CREATE TABLE public.matter (id text PRIMARY KEY, closed_on date, CONSTRAINT note CHECK (id <> ''));
         CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN RAISE EXCEPTION 'not %', old.id; END $$;
         INSERT INTO public.matter
         VALUES ('jane.roe@example.org', '2020-01-01'), ('john.doe@example.org', '2020-01-01');
         CREATE TRIGGER refuse BEFORE DELETE ON public.matter FOR EACH ROW EXECUTE FUNCTION refuse()",
    )
    .await;
    let mut service = harness::start(&url, &schedule(NIGHTLY, "1 year"), "2026-01-05T12:00:00Z");
    service.until("2026-01-06T12:00:00Z").await;
    assert_eq!(service.passes().await.len(), 1);
    let log = service.stop().await;
    let all = format!("{:?}", log.lines());
    assert!(
        !all.contains("jane.roe") && !all.contains("john.doe"),
        "{all}"
    );
    // Both rows were met and stand there still; what befell both is told once.
    assert_eq!(
        support::number(&url, "SELECT count(*) FROM public.matter").await,
        2
    );
    let told: Vec<_> = log
        .lines()
        .into_iter()
        .filter(|line| line.level == Level::ERROR)
        .collect();
    assert_eq!(told.len(), 1, "{all}");
    assert_eq!(told[0].field("error"), "SQLSTATE P0001");
    assert_eq!(log.with("set aside")[0].field("failed"), "2");
}
