//! Classes that leave their rows in the table: what a remembered position spares, and that
//! nothing behind it is missed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/stage.rs"]
mod stage;
mod support;

use chrono::{Days, NaiveDate};
use retentiond::review;

use stage::{HEAD, Run, class, of};

const ROWS: i64 = 14_000;

/// All past; triggers in the order of the keys.
const TABLES: &str = "
CREATE TABLE message (id bigint PRIMARY KEY, received_on date, body text);
CREATE INDEX ON message (received_on);
INSERT INTO message SELECT n, DATE '2020-01-01' + (n / 100)::int, 'text ' || n FROM generate_series(1, 14000) n;
";

fn schedule(disposal: &str, more: &str) -> String {
    let rest = format!(
        "table = \"message\"\ntrigger = \"received_on\"\nperiod = \"1 year\"\ndisposal = {disposal}\n{more}"
    );
    format!("{HEAD}{}", class("messages", &rest))
}

fn both() -> [String; 2] {
    [
        schedule("\"flag\"", ""),
        schedule("\"anonymise\"\nanonymise = { body = \"redact\" }", ""),
    ]
}

fn day(nth: u64) -> String {
    let first: NaiveDate = "2026-11-02".parse().unwrap();
    first.checked_add_days(Days::new(nth)).unwrap().to_string()
}

async fn open() -> String {
    stage::database(TABLES).await
}

/// How many rows the sweep has read since it began anew, and where the walk stands.
async fn swept(url: &str) -> i64 {
    support::number(url, "SELECT sweep_rows FROM retentiond.position").await
}

async fn reached(url: &str) -> String {
    support::texts(url, "SELECT reached::text FROM retentiond.position")
        .await
        .remove(0)
}

#[tokio::test]
async fn a_second_pass_acts_only_on_what_is_new_and_reads_a_share_of_the_rest() {
    for toml in both() {
        let url = open().await;
        let run = |nth| Run::new(&url, &toml, &day(nth)).batches_of(500);
        let report = run(0).go().await;
        assert_eq!(of(&report, "messages").acted(), ROWS as u64);
        assert_eq!(of(&report, "messages").batches, 28);
        assert_eq!(
            (swept(&url).await, reached(&url).await),
            (0, "{2020-05-20,14000}".to_owned())
        );

        support::sql(&url, "INSERT INTO message SELECT n, '2020-05-21', 'new' FROM generate_series(20001, 20010) n").await;
        let report = run(1).go().await;
        assert_eq!(
            (
                of(&report, "messages").acted(),
                of(&report, "messages").batches
            ),
            (10, 1)
        );
        assert_eq!(reached(&url).await, "{2020-05-21,20010}");
        // A seventh, and a little more; not everything, and not nothing.
        let read = swept(&url).await;
        assert!((ROWS / 7..ROWS / 3).contains(&read), "{read}");

        let report = run(2).go().await;
        assert_eq!(
            (
                of(&report, "messages").acted(),
                of(&report, "messages").batches
            ),
            (0, 0)
        );
    }
}

#[tokio::test]
async fn a_late_import_behind_the_position_is_found_within_seven_daily_passes() {
    for toml in both() {
        let url = open().await;
        let run = |nth| Run::new(&url, &toml, &day(nth));
        run(0).go().await;
        // Behind every place that a sweep can be at: the first, the middle, the last.
        support::sql(
            &url,
            "INSERT INTO message VALUES (30001, '2019-06-01', 'late'), (30002, '2020-03-01', 'late'), (30003, '2020-05-19', 'late')",
        )
        .await;
        let mut found = Vec::new();
        for nth in 1..=7 {
            found.push(of(&run(nth).go().await, "messages").acted());
        }
        assert_eq!(found.iter().sum::<u64>(), 3, "{found:?}");
        assert_eq!(found[0], 1, "the sweep begins with the oldest: {found:?}");

        // Again, now that the sweep is somewhere: still within a week.
        support::sql(&url, "INSERT INTO message VALUES (30004, '2019-06-01', 'late'), (30005, '2020-05-18', 'late')").await;
        let mut found = 0;
        for nth in 8..=14 {
            found += of(&run(nth).go().await, "messages").acted();
        }
        assert_eq!(found, 2);
    }
}

#[tokio::test]
async fn under_a_maximum_the_next_daily_pass_finds_it() {
    for disposal in [
        "\"flag\"",
        "\"anonymise\"\nanonymise = { body = \"redact\" }",
    ] {
        let toml = schedule(disposal, "limit = \"maximum\"");
        let url = open().await;
        Run::new(&url, &toml, &day(0)).go().await;
        support::sql(&url, "INSERT INTO message VALUES (30001, '2019-06-01', 'late'), (30003, '2020-05-19', 'late')").await;
        let report = Run::new(&url, &toml, &day(1)).go().await;
        assert_eq!(of(&report, "messages").acted(), 2);
    }
}

#[tokio::test]
async fn a_rewritten_value_is_anonymised_again_within_the_sweep() {
    let toml = &both()[1];
    let url = open().await;
    Run::new(&url, toml, &day(0)).go().await;
    support::sql(
        &url,
        "UPDATE message SET body = 'back again' WHERE id IN (5, 7000, 13999)",
    )
    .await;
    let mut acted = 0;
    for nth in 1..=7 {
        acted += of(&Run::new(&url, toml, &day(nth)).go().await, "messages").anonymised;
    }
    assert_eq!(acted, 3);
    assert_eq!(
        support::number(
            &url,
            "SELECT count(*) FROM message WHERE body <> '[redacted]'"
        )
        .await,
        0
    );
    let lines = stage::lines(&url).await;
    assert_eq!(
        lines
            .iter()
            .filter(|line| *line == "anonymised message 7000")
            .count(),
        2
    );
}

#[tokio::test]
async fn a_trigger_that_moves_is_flagged_anew_within_the_sweep() {
    let toml = &both()[0];
    let url = open().await;
    Run::new(&url, toml, &day(0)).go().await;
    support::sql(
        &url,
        "UPDATE message SET received_on = received_on - 30 WHERE id = 7000",
    )
    .await;
    let mut acted = 0;
    for nth in 1..=7 {
        acted += of(&Run::new(&url, toml, &day(nth)).go().await, "messages").flagged;
    }
    assert_eq!(acted, 1);
    let triggers = support::texts(
        &url,
        "SELECT trigger_on::text FROM retentiond.flag WHERE key = '{7000}'",
    )
    .await;
    assert_eq!(triggers, ["2020-02-10"]);
}

#[tokio::test]
async fn a_released_hold_lets_its_record_go_in_the_next_pass_though_it_lies_behind() {
    for toml in both() {
        let url = open().await;
        // At the end of what a sweep reads, so that chance does not find it at once.
        let id = support::hold(&url, "message", &["13990"], None).await;
        let run = |nth| Run::new(&url, &toml, &day(nth));
        let report = run(0).go().await;
        assert_eq!(
            (
                of(&report, "messages").acted(),
                of(&report, "messages").skipped.held
            ),
            (13_999, 1)
        );
        let report = run(1).go().await;
        assert_eq!(
            (
                of(&report, "messages").acted(),
                of(&report, "messages").skipped.held
            ),
            (0, 1)
        );
        let mut conn = support::ours(&url).await;
        review::release_hold(&mut conn, id, "settled", "test", support::at(&day(1)))
            .await
            .unwrap();
        let report = run(2).go().await;
        assert_eq!(
            (
                of(&report, "messages").acted(),
                of(&report, "messages").skipped.held
            ),
            (1, 0)
        );
    }
}

#[tokio::test]
async fn another_condition_starts_again_from_the_beginning() {
    let url = open().await;
    let narrow = schedule("\"flag\"", "where = \"id <> 13990\"");
    Run::new(&url, &narrow, &day(0)).go().await;
    // The class's meaning is part of each flag: every row is flagged anew.
    let wide = &both()[0];
    let report = Run::new(&url, wide, &day(1)).go().await;
    assert_eq!(of(&report, "messages").flagged, ROWS as u64);
}

#[tokio::test]
async fn a_walk_that_was_broken_off_goes_on_where_it_stood() {
    for toml in both() {
        let url = open().await;
        let first = Run::new(&url, &toml, &day(0)).batches_of(1_000);
        let stop = first.stop.clone();
        let batches = std::sync::atomic::AtomicU32::new(0);
        let report = first
            .observed(&|event| {
                if let retentiond::enforce::Event::Batch(..) = event
                    && batches.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 4
                {
                    stop.cancel();
                }
            })
            .await
            .unwrap();
        assert_eq!(of(&report, "messages").acted(), 5_000);
        let second = Run::new(&url, &toml, &day(1)).batches_of(1_000).go().await;
        let second = of(&second, "messages");
        assert_eq!((second.acted(), second.batches), (9_000, 9));
        assert_eq!(stage::lines(&url).await.len(), ROWS as usize);
    }
}
