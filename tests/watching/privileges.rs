//! A service that has nothing but the enforcer's role sees all its figures.

use crate::asking::{get, page_with, until};
use crate::harness::{self, NIGHTLY, schedule};
use crate::process::Place;
use crate::support;

#[tokio::test]
async fn the_enforcers_role_is_enough() {
    let url = harness::database().await;
    support::sql(
        &url,
        "INSERT INTO public.matter VALUES (1, '2020-01-01'), (2, '2020-01-02'), (3, NULL)",
    )
    .await;
    // Each reason is asked after by a question of its own.
    let toml = schedule(NIGHTLY, "1 year").replace(
        "max_share = 1.0\n",
        "max_share = 1.0\ngate = \"review\"\nlimit = \"maximum\"\n",
    );
    let place = Place::new(&url, &toml);
    let grants = place
        .command(&["grants", "--role-prefix", "watched"])
        .output()
        .unwrap();
    assert!(grants.status.success(), "{grants:?}");
    support::sql(&url, &String::from_utf8(grants.stdout).unwrap()).await;
    support::sql(
        &url,
        "CREATE ROLE watched_login LOGIN; GRANT watched_enforcer TO watched_login",
    )
    .await;
    let login = url.replacen("//retentiond@", "//watched_login@", 1);
    assert_ne!(login, url);

    let (mut service, address) =
        harness::start_listening(&login, &toml, "2026-01-05T12:00:00Z").await;
    service.until("2026-01-06T02:05:00Z").await;
    let waits = "retentiond_waiting_records{class=\"matters\",reason=\"review\"}";
    let late = "retentiond_oldest_overdue_seconds{class=\"matters\",limit=\"maximum\"}";
    // A year from 1 January 2020 ends on 1 January 2021.
    let page = page_with(address, late, 1831.0 * 86_400.0).await;
    assert_eq!(page.value(waits), 2.0);
    until(
        async || get(address, "/readyz").await,
        |answer| answer.text == "ready\n",
    )
    .await;
    let log = service.stop().await;
    assert!(
        log.with("for the figures failed").is_empty(),
        "{:?}",
        log.lines()
    );
}
