//! Two passes at once: each class is worked on by one of them, and each row goes once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/stage.rs"]
mod stage;
mod support;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use retentiond::enforce::{Event, Status};
use retentiond::ident::ClassId;
use retentiond::store::{Lease, LeaseError};
use sqlx::Connection;

use stage::{HEAD, Run, blocked, class, meddler, of};

const TODAY: &str = "2026-11-23";
const LONG: Duration = Duration::from_secs(60);

const TABLES: &str = "
CREATE TABLE message (id bigint PRIMARY KEY, received_on date);
CREATE INDEX ON message (received_on);
INSERT INTO message SELECT n, '2020-01-01' FROM generate_series(1, 200) n;
CREATE TABLE letter (id bigint PRIMARY KEY, received_on date);
CREATE INDEX ON letter (received_on);
INSERT INTO letter SELECT n, '2020-01-01' FROM generate_series(1, 200) n;
";

const BOTH: [&str; 2] = ["message", "letter"];

fn schedule() -> String {
    let deletes = |table: &str| {
        class(
            table,
            &format!(
                "table = \"{table}\"\ntrigger = \"received_on\"\nperiod = \"1 year\"\ndisposal = \"delete\""
            ),
        )
    };
    format!("{HEAD}{}{}", deletes("message"), deletes("letter"))
}

fn message() -> ClassId {
    ClassId::new("message").unwrap()
}

#[tokio::test]
async fn two_passes_at_once_dispose_of_every_row_exactly_once() {
    let url = stage::database(TABLES).await;
    let before = stage::rows(&url, &BOTH).await;
    let run = Run::new(&url, &schedule(), TODAY).batches_of(7);
    // Both are under way before either may act.
    let mut other = meddler(&url, "LOCK TABLE message IN SHARE MODE").await;
    let (one, two) = (
        run.clone().holder("one", LONG),
        run.clone().holder("two", LONG),
    );
    let (one, two, ()) = tokio::join!(one.go(), two.go(), async {
        blocked(&url, 1).await;
        stage::run(&mut other, "COMMIT").await;
    });
    for table in BOTH {
        assert_eq!(
            of(&one, table).deleted + of(&two, table).deleted,
            200,
            "{table}"
        );
        assert_eq!(
            (of(&one, table).failed, of(&two, table).failed),
            (0, 0),
            "{table}"
        );
    }
    assert!(stage::rows(&url, &BOTH).await.is_empty());
    stage::assert_told(&url, &before, &BOTH).await;
}

#[tokio::test]
async fn who_waits_long_enough_comes_after_and_finds_nothing_left() {
    let url = stage::database(TABLES).await;
    let run = Run::new(&url, &schedule(), TODAY).only("message");
    let mut other = meddler(&url, "SELECT 1 FROM message WHERE id = 100 FOR UPDATE").await;
    let (first, second) = (
        run.clone().holder("first", Duration::ZERO),
        run.clone().holder("second", LONG),
    );
    let (one, two, ()) = tokio::join!(
        first.go(),
        async {
            blocked(&url, 1).await;
            second.go().await
        },
        async {
            blocked(&url, 1).await;
            // The second has found the lease taken, and asks again from time to time.
            stage::until(
                &url,
                "application_name LIKE 'retentiond%' AND state = 'idle' AND query LIKE 'UPDATE retentiond.lease%'",
                1,
            )
            .await;
            stage::run(&mut other, "COMMIT").await;
        }
    );
    assert_eq!(
        (of(&one, "message").deleted, of(&two, "message").deleted),
        (200, 0)
    );
    assert_eq!(of(&two, "message").status, Status::Idle);
}

#[tokio::test]
async fn who_does_not_wait_fails_that_class_by_the_others_name_and_does_the_rest() {
    let url = stage::database(TABLES).await;
    let before = stage::rows(&url, &BOTH).await;
    let mut other = meddler(&url, "SELECT 1 FROM message WHERE id = 100 FOR UPDATE").await;
    let first = Run::new(&url, &schedule(), TODAY)
        .only("message")
        .holder("host-a/17", Duration::ZERO);
    let second = Run::new(&url, &schedule(), TODAY).holder("host-b/4", Duration::ZERO);
    let (one, two) = tokio::join!(first.go(), async {
        blocked(&url, 1).await;
        let report = second.go().await;
        stage::run(&mut other, "COMMIT").await;
        report
    });
    let taken = stage::any(&two, "message");
    assert_eq!(
        (taken.status, taken.acted(), taken.failed),
        (Status::Failed, 0, 0)
    );
    let reason = taken.reason.as_deref().unwrap_or_default();
    assert!(reason.contains("host-a/17"), "{reason}");
    assert_eq!(of(&two, "letter").deleted, 200);
    assert_eq!(of(&one, "message").deleted, 200);
    assert_eq!(stage::entries(&url, "failed").await.len(), 1);
    stage::assert_told(&url, &before, &BOTH).await;
}

/// Runs a statement while whoever asks stands still.
fn at_once(url: &str, statement: &'static str) {
    let url = url.to_owned();
    let other = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(support::sql(&url, statement));
    });
    other.join().unwrap();
}

#[tokio::test]
async fn a_holder_whose_lease_was_taken_over_stops_at_its_next_batch() {
    let url = stage::database(TABLES).await;
    let before = stage::rows(&url, &BOTH).await;
    let run = Run::new(&url, &schedule(), TODAY).batches_of(10);
    // Between its third batch and its fourth.
    let batches = AtomicU32::new(0);
    let report = run
        .observed(&|event| {
            if let Event::Batch(class, ..) = event
                && class.as_str() == "message"
                && batches.fetch_add(1, Ordering::Relaxed) == 2
            {
                at_once(
                    &url,
                    "UPDATE retentiond.lease SET token = token + 1, holder = 'successor'
                      WHERE class_id = 'message'",
                );
            }
        })
        .await
        .unwrap();
    let message = stage::any(&report, "message");
    assert_eq!(
        (message.status, message.deleted, message.failed),
        (Status::Failed, 30, 0)
    );
    assert!(
        message
            .reason
            .as_deref()
            .unwrap_or_default()
            .contains("lost to another process"),
        "{:?}",
        message.reason
    );
    assert_eq!(
        support::number(&url, "SELECT count(*) FROM message").await,
        170
    );
    // The other class is still its own.
    assert_eq!(of(&report, "letter").deleted, 200);
    stage::assert_told(&url, &before, &BOTH).await;
    // What it gives back is not its successor's.
    let holder = support::texts(
        &url,
        "SELECT holder FROM retentiond.lease WHERE class_id = 'message'",
    )
    .await;
    assert_eq!(holder, ["successor"]);
}

#[tokio::test]
async fn a_lease_taken_over_before_the_first_batch_lets_nothing_happen() {
    let url = stage::database(TABLES).await;
    let before = stage::rows(&url, &BOTH).await;
    let run = Run::new(&url, &schedule(), TODAY).only("message");
    // The pass has its lease and stands before the decisions' lock.
    let mut other = meddler(&url, retentiond::store::DECISIONS_EXCLUSIVE).await;
    let (report, ()) = tokio::join!(run.go(), async {
        blocked(&url, 1).await;
        support::sql(&url, "UPDATE retentiond.lease SET token = token + 1").await;
        stage::run(&mut other, "COMMIT").await;
    });
    assert_eq!(stage::any(&report, "message").status, Status::Failed);
    assert_eq!(stage::rows(&url, &BOTH).await, before);
    assert_eq!(stage::lines(&url).await, [""; 0]);
}

#[tokio::test]
async fn a_killed_holders_lease_is_free_at_once() {
    let url = stage::database(TABLES).await;
    let mut holder = support::ours(&url).await;
    let mut next = support::ours(&url).await;
    let lease = Lease::acquire(&mut holder, &message(), "dead", Duration::ZERO)
        .await
        .unwrap();
    let taken = Lease::acquire(&mut next, &message(), "next", Duration::ZERO)
        .await
        .unwrap_err();
    assert!(
        matches!(&taken, LeaseError::Taken { holder, .. } if holder == "dead"),
        "{taken}"
    );

    let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()")
        .fetch_one(&mut holder)
        .await
        .unwrap();
    support::sql(&url, &format!("SELECT pg_terminate_backend({pid})")).await;
    stage::until(&url, &format!("pid = {pid}"), 0).await;
    // Long before its twenty seconds are over.
    let successor = Lease::acquire(&mut next, &message(), "next", Duration::ZERO)
        .await
        .unwrap();
    assert!(successor.token() > lease.token());
    assert!(matches!(
        lease.renew(&mut next).await,
        Err(LeaseError::Lost(_))
    ));
    successor.renew(&mut next).await.unwrap();
}

#[tokio::test]
async fn a_lease_that_ran_out_is_taken_from_a_session_that_still_lives() {
    let url = stage::database(TABLES).await;
    let mut asleep = support::ours(&url).await;
    let mut next = support::ours(&url).await;
    let old = Lease::acquire(&mut asleep, &message(), "asleep", Duration::ZERO)
        .await
        .unwrap();
    support::sql(&url, "UPDATE retentiond.lease SET expires_at = '-infinity'").await;
    let new = Lease::acquire(&mut next, &message(), "next", Duration::ZERO)
        .await
        .unwrap();
    assert_eq!(new.token(), old.token() + 1);
    assert!(matches!(
        old.renew(&mut asleep).await,
        Err(LeaseError::Lost(_))
    ));
    // It gives back what it has no more, and takes nothing with it.
    old.release(&mut asleep).await.unwrap();
    new.renew(&mut next).await.unwrap();
}

#[tokio::test]
async fn a_lease_that_ran_out_in_the_middle_of_a_batch_is_still_in_use() {
    let url = stage::database(TABLES).await;
    let run = Run::new(&url, &schedule(), TODAY).only("message");
    let mut other = meddler(&url, "SELECT 1 FROM message WHERE id = 100 FOR UPDATE").await;
    // Ran out, as far as anybody can see, before the batch began.
    let mut decider = meddler(&url, retentiond::store::DECISIONS_EXCLUSIVE).await;
    let (report, ()) = tokio::join!(run.go(), async {
        blocked(&url, 1).await;
        support::sql(&url, "UPDATE retentiond.lease SET expires_at = '-infinity'").await;
        stage::run(&mut decider, "COMMIT").await;
        // In the middle of its batch, before the locked row.
        stage::until(
            &url,
            "application_name LIKE 'retentiond%' AND wait_event_type = 'Lock' AND query LIKE 'DELETE%'",
            1,
        )
        .await;
        let mut next = support::ours(&url).await;
        let taken = Lease::acquire(&mut next, &message(), "next", Duration::ZERO).await;
        assert!(matches!(taken, Err(LeaseError::Taken { .. })), "{taken:?}");
        next.close().await.unwrap();
        stage::run(&mut other, "COMMIT").await;
    });
    assert_eq!(of(&report, "message").deleted, 200);
}

#[tokio::test]
async fn a_lease_is_given_back_after_success_and_after_failure() {
    let url = stage::database(TABLES).await;
    Run::new(&url, &schedule(), TODAY).go().await;
    let held = "SELECT count(*) FROM retentiond.lease WHERE holder IS NOT NULL OR expires_at > '-infinity'";
    assert_eq!(support::number(&url, held).await, 0);
    support::sql(&url, "INSERT INTO message VALUES (1, '2020-01-01')").await;
    let run = Run::new(&url, &schedule(), TODAY).planned().await;
    support::sql(&url, "DROP TABLE message").await;
    assert_eq!(
        stage::any(&run.go().await, "message").status,
        Status::Failed
    );
    assert_eq!(support::number(&url, held).await, 0);
    let locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    assert_eq!(support::number(&url, locks).await, 0);
}
