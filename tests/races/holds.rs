//! A hold that comes after the plan: on the record, on what hangs on it, on what it shares.

use retentiond::enforce::Status;
use retentiond::ident::TableName;
use retentiond::ledger::{KeyValue, RecordKey};
use retentiond::review::{self, NewHold};
use retentiond::store;
use sqlx::PgConnection;

use crate::house::{self, TABLES, TODAY, left, left_and, open, schedule, told};
use crate::stage::{self, Run, blocked, meddler, of};
use crate::support;

/// A row to hold, the class whose records it protects, how many, and everything that stays.
struct Case {
    table: &'static str,
    key: &'static str,
    class: &'static str,
    held: u64,
    stays: &'static [&'static str],
}

const CASES: [Case; 7] = [
    Case {
        table: "message",
        key: "1",
        class: "messages",
        held: 1,
        stays: &["message 1"],
    },
    Case {
        table: "letter",
        key: "1",
        class: "letters",
        held: 1,
        stays: &["letter 1", "attachment 11", "page 111"],
    },
    Case {
        table: "attachment",
        key: "11",
        class: "letters",
        held: 1,
        stays: &["letter 1", "attachment 11", "page 111"],
    },
    Case {
        table: "page",
        key: "111",
        class: "letters",
        held: 1,
        stays: &["letter 1", "attachment 11", "page 111"],
    },
    Case {
        table: "request",
        key: "1111",
        class: "letters",
        held: 1,
        stays: &["letter 1", "attachment 11", "page 111"],
    },
    Case {
        table: "form",
        key: "5",
        class: "photos",
        held: 2,
        stays: &["photo 51", "photo 52", "form 5"],
    },
    Case {
        table: "photo",
        key: "52",
        class: "photos",
        held: 1,
        stays: &["photo 52", "form 5"],
    },
];

async fn place(conn: &mut PgConnection, case: &Case) {
    let table: TableName = case.table.parse().unwrap();
    let key = RecordKey::new(vec![KeyValue::Text(case.key.to_owned().into())]).unwrap();
    let hold = NewHold {
        reference: "TEST/1",
        reason: "a test",
        owner: "the tests",
        ..NewHold::on_record(&table, &key, "litigation")
    };
    review::place_hold(conn, &hold, "test", support::at("2026-01-01"))
        .await
        .expect("the hold is placed");
}

#[tokio::test]
async fn without_a_hold_everything_past_goes_and_is_told() {
    let url = open().await;
    let before = stage::rows(&url, &TABLES).await;
    let run = Run::new(&url, &schedule(), TODAY).planned().await;
    let report = run.go().await;
    assert_eq!(run.redraws(), 0);
    assert_eq!(of(&report, "messages").deleted, 2);
    assert_eq!(told(&url, &before).await, left());
    assert_eq!(
        (
            of(&report, "letters").deleted,
            of(&report, "letters").dependants,
            of(&report, "letters").unlinked
        ),
        (2, 4, 2)
    );
    assert_eq!(
        (
            of(&report, "photos").deleted,
            of(&report, "photos").dependants
        ),
        (3, 2)
    );
    assert!(
        report
            .classes
            .iter()
            .all(|class| class.skipped.held == 0 && class.skipped.changed == 0)
    );
}

#[tokio::test]
async fn a_hold_placed_between_plan_and_batch_protects_the_record_and_is_counted() {
    for case in &CASES {
        let url = open().await;
        let before = stage::rows(&url, &TABLES).await;
        let run = Run::new(&url, &schedule(), TODAY).planned().await;
        support::hold(&url, case.table, &[case.key], None).await;
        let report = run.go().await;
        assert_eq!(run.redraws(), 1, "{} {}", case.table, case.key);
        assert_eq!(
            told(&url, &before).await,
            left_and(case.stays),
            "{} {}",
            case.table,
            case.key
        );
        assert_eq!(
            of(&report, case.class).skipped.held,
            case.held,
            "{} {}",
            case.table,
            case.key
        );
        assert_eq!(of(&report, case.class).status, Status::Done);
        assert_eq!(of(&report, case.class).failed, 0);
    }
}

#[tokio::test]
async fn a_hold_placed_while_a_batch_waits_for_the_decisions_lock_protects() {
    for case in &CASES {
        let url = open().await;
        let before = stage::rows(&url, &TABLES).await;
        let run = Run::new(&url, &schedule(), TODAY)
            .only(case.class)
            .planned()
            .await;
        // Whoever decides holds this lock from the first statement on.
        let mut decider = meddler(&url, store::DECISIONS_EXCLUSIVE).await;
        let (report, ()) = tokio::join!(run.go(), async {
            blocked(&url, 1).await;
            place(&mut decider, case).await;
        });
        assert_eq!(run.redraws(), 1, "{} {}", case.table, case.key);
        let mut stays: Vec<&str> = case.stays.to_vec();
        stays.extend(others(case.class));
        assert_eq!(
            told(&url, &before).await,
            left_and(&stays),
            "{} {}",
            case.table,
            case.key
        );
        assert_eq!(
            of(&report, case.class).skipped.held,
            case.held,
            "{} {}",
            case.table,
            case.key
        );
    }
}

/// What the classes that a pass was not asked for leave in the tables.
fn others(class: &str) -> Vec<&'static str> {
    let mut rows = Vec::new();
    if class != "messages" {
        rows.extend(["message 1", "message 2"]);
    }
    if class != "letters" {
        rows.extend([
            "letter 1",
            "letter 2",
            "attachment 11",
            "attachment 21",
            "page 111",
            "page 211",
        ]);
    }
    if class != "photos" {
        rows.extend(["photo 51", "photo 52", "photo 61", "form 5", "form 6"]);
    }
    rows
}

#[tokio::test]
async fn a_decision_on_something_else_only_makes_the_plan_be_drawn_again() {
    let url = open().await;
    let before = stage::rows(&url, &TABLES).await;
    let run = Run::new(&url, &schedule(), TODAY).planned().await;
    support::hold(&url, "message", &["9"], None).await;
    let report = run.go().await;
    assert_eq!(run.redraws(), 1);
    assert_eq!(told(&url, &before).await, left());
    assert!(report.classes.iter().all(|class| class.skipped.held == 0));
}

#[tokio::test]
async fn a_hold_waits_for_the_batch_in_hand_and_binds_the_next_one() {
    let url = open().await;
    let before = stage::rows(&url, &TABLES).await;
    // One row a batch: the first one is in hand while the hold on the second is placed.
    let run = Run::new(&url, &house_of("messages"), TODAY).batches_of(1);
    let mut other = meddler(&url, "SELECT 1 FROM message WHERE id = 1 FOR UPDATE").await;
    let (report, (), ()) = tokio::join!(
        run.go(),
        async {
            blocked(&url, 1).await;
            support::hold(&url, "message", &["2"], None).await;
        },
        async {
            // The pass waits for the row, and the hold for the pass.
            blocked(&url, 2).await;
            assert_eq!(
                support::number(&url, "SELECT count(*) FROM retentiond.hold").await,
                0
            );
            stage::run(&mut other, "COMMIT").await;
        }
    );
    let now = told(&url, &before).await;
    assert!(!now.contains("message 1"));
    assert!(now.contains("message 2"));
    let messages = of(&report, "messages");
    assert_eq!(
        (messages.deleted, messages.skipped.held, messages.batches),
        (1, 1, 1)
    );
}

fn house_of(class: &str) -> String {
    let class = match class {
        "messages" => house::messages(),
        "letters" => house::letters(),
        _ => house::photos(),
    };
    format!("{}{class}", stage::HEAD)
}

#[tokio::test]
async fn a_released_hold_lets_the_record_go_in_the_next_pass() {
    for case in &CASES {
        let url = open().await;
        let before = stage::rows(&url, &TABLES).await;
        let id = support::hold(&url, case.table, &[case.key], None).await;
        Run::new(&url, &schedule(), TODAY).go().await;
        assert_eq!(
            told(&url, &before).await,
            left_and(case.stays),
            "{} {}",
            case.table,
            case.key
        );
        let mut conn = support::ours(&url).await;
        review::release_hold(&mut conn, id, "settled", "test", support::at(TODAY))
            .await
            .unwrap();
        let report = Run::new(&url, &schedule(), "2026-11-24").go().await;
        assert_eq!(
            told(&url, &before).await,
            left(),
            "{} {}",
            case.table,
            case.key
        );
        assert_eq!(of(&report, case.class).skipped.held, 0);
    }
}

#[tokio::test]
async fn a_hold_with_an_end_protects_through_that_day() {
    for case in &CASES {
        let url = open().await;
        support::hold(
            &url,
            case.table,
            &[case.key],
            Some("2026-11-24".parse().unwrap()),
        )
        .await;
        for (day, held) in [
            ("2026-11-23", case.held),
            ("2026-11-24", case.held),
            ("2026-11-25", 0),
        ] {
            let report = Run::new(&url, &schedule(), day).go().await;
            assert_eq!(
                of(&report, case.class).skipped.held,
                held,
                "{} {} on {day}",
                case.table,
                case.key
            );
        }
        assert_eq!(stage::names(&stage::rows(&url, &TABLES).await), left());
    }
}
