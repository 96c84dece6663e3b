//! A backup of the database from before a letter went out: the log brings it back, so that no
//! second one is sent and no confirmation is missed.

use retentiond::daemon::replay;
use retentiond::daemon::tick;
use retentiond::demo::cluster;
use sqlx::Connection;

use crate::office::{ANSWERS, Office, STUDY, schedule};
use crate::support;

#[tokio::test]
async fn letters_and_confirmations_come_back_with_the_log_under_their_numbers() {
    let office = Office::open().await;
    let schedule = schedule(&format!("{ANSWERS}{STUDY}"));
    office.pass(&schedule, "2026-03-31").await;
    let backup = support::copy_of(&office.url).await;
    office.instruct("study").await;
    office.pass(&schedule, "2026-04-01").await;
    office.confirm("study", "2026-04-02").await.unwrap();
    office.hold("answers").await;
    office.pass(&schedule, "2026-04-03").await;
    let before = office.orders().await;
    assert_eq!(
        before,
        [
            "answers 2024-03-31 2026-03-31 2026-04-01 open",
            "study - - 2026-04-01 confirmed",
        ]
    );

    let name = |url: &str| {
        let rest = url.rsplit('/').next().unwrap().to_owned();
        rest.split('?').next().unwrap().to_owned()
    };
    let admin = cluster::shared().unwrap().url("postgres");
    let (ours, copy) = (name(&office.url), name(&backup));
    for sql in [
        format!("DROP DATABASE {ours} WITH (FORCE)"),
        format!("CREATE DATABASE {ours} TEMPLATE {copy}"),
        format!("ALTER DATABASE {ours} SET search_path = public"),
    ] {
        support::sql(&admin, &sql).await;
    }
    assert!(office.orders().await.is_empty());
    let refused = office
        .pass_at(&schedule, support::at("2026-04-04"), &|_| ())
        .await;
    assert!(refused.is_err(), "it is behind its log");

    let mut conn = support::ours(&office.url).await;
    let places = tick::places(&office.settings()).unwrap();
    let look = replay::look(&mut conn, &places, None).await.unwrap();
    replay::import(&mut conn, &look, "admin", support::at("2026-04-04"), false)
        .await
        .unwrap();
    conn.close().await.unwrap();
    assert_eq!(office.orders().await, before);
    // The hold is there again, nobody is told twice, and the letter has its number still.
    assert_eq!(
        office.pass(&schedule, "2026-04-05").await,
        ["answers waiting", "study idle"]
    );
    let found = office.stands(&schedule, "2026-04-05").await;
    assert_eq!(
        (found[0].reference.as_deref(), found[0].holds.len()),
        (Some("answers/1"), 1)
    );
    office.confirm("answers", "2026-04-06").await.unwrap();
    // What is told next gets a number of its own.
    office.instruct("study").await;
    assert_eq!(
        office.pass(&schedule, "2026-04-07").await,
        ["answers idle", "study instructed"]
    );
    assert_eq!(
        office.stands(&schedule, "2026-04-07").await[1]
            .reference
            .as_deref(),
        Some("study/3")
    );
}
