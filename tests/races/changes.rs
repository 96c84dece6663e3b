//! Rows that change, or appear, while a batch is on its way to them.

use crate::house::{TABLES, TODAY, left, left_and, letters, open, schedule, told};
use crate::stage::{self, HEAD, Run, blocked, class, meddler, named_blocked, of};
use crate::support;

/// The pass comes upon a row that another session has changed and not yet committed.
async fn changed_meanwhile(change: &str) -> std::collections::BTreeSet<String> {
    let url = open().await;
    let before = stage::rows(&url, &TABLES).await;
    let mut other = meddler(&url, change).await;
    let run = Run::new(&url, &schedule(), TODAY);
    tokio::join!(run.go(), async {
        blocked(&url, 1).await;
        stage::run(&mut other, "COMMIT").await;
    });
    // What the other session changed is not ours to tell; nothing else may be untold.
    let untold: Vec<String> = stage::faults(&url, &before, &TABLES).await;
    let (table, key) = change
        .split_once("UPDATE ")
        .and_then(|(_, rest)| rest.split_once(' '))
        .map_or(("", ""), |(t, rest)| {
            (t, rest.rsplit_once("id = ").map_or("", |(_, key)| key))
        });
    assert_eq!(
        untold,
        [format!("{table} {key} is gone or changed without a line")]
    );
    stage::names(&stage::rows(&url, &TABLES).await)
}

#[tokio::test]
async fn a_record_whose_trigger_moves_later_stays() {
    assert_eq!(
        changed_meanwhile("UPDATE message SET received_on = '2026-11-20' WHERE id = 1").await,
        left_and(&["message 1"])
    );
    assert_eq!(
        changed_meanwhile("UPDATE letter SET received_on = '2026-11-20' WHERE id = 1").await,
        left_and(&["letter 1", "attachment 11", "page 111"])
    );
}

#[tokio::test]
async fn a_record_that_loses_its_trigger_stays() {
    assert_eq!(
        changed_meanwhile("UPDATE message SET received_on = NULL WHERE id = 1").await,
        left_and(&["message 1"])
    );
    assert_eq!(
        changed_meanwhile("UPDATE letter SET received_on = NULL WHERE id = 1").await,
        left_and(&["letter 1", "attachment 11", "page 111"])
    );
}

#[tokio::test]
async fn a_record_that_its_class_no_longer_claims_stays() {
    assert_eq!(
        changed_meanwhile("UPDATE message SET status = 'open' WHERE id = 1").await,
        left_and(&["message 1"])
    );
    assert_eq!(
        changed_meanwhile("UPDATE letter SET status = 'open' WHERE id = 1").await,
        left_and(&["letter 1", "attachment 11", "page 111"])
    );
}

#[tokio::test]
async fn a_record_whose_change_is_taken_back_goes() {
    for change in [
        "UPDATE message SET status = 'open' WHERE id = 1",
        "UPDATE letter SET received_on = NULL WHERE id = 1",
        "UPDATE attachment SET letter_id = 9 WHERE id = 11",
    ] {
        let url = open().await;
        let before = stage::rows(&url, &TABLES).await;
        let mut other = meddler(&url, change).await;
        let run = Run::new(&url, &schedule(), TODAY);
        tokio::join!(run.go(), async {
            blocked(&url, 1).await;
            stage::run(&mut other, "ROLLBACK").await;
        });
        assert_eq!(told(&url, &before).await, left(), "{change}");
    }
}

#[tokio::test]
async fn a_child_that_moves_to_a_letter_that_stays_is_not_taken_along() {
    assert_eq!(
        changed_meanwhile("UPDATE attachment SET letter_id = 9 WHERE id = 11").await,
        left_and(&["attachment 11", "page 111"])
    );
}

#[tokio::test]
async fn a_parent_cannot_be_reopened_between_two_steps_of_a_batch() {
    let url = open().await;
    let before = stage::rows(&url, &TABLES).await;
    // The pass has locked the letters and stands before an attachment of the second.
    let mut other = meddler(&url, "SELECT 1 FROM attachment WHERE id = 21 FOR UPDATE").await;
    let mut reopener = support::client(&url).await;
    stage::run(&mut reopener, "SET application_name = 'reopener'").await;
    let run = Run::new(&url, &schedule(), TODAY);
    let (report, reopened, ()) = tokio::join!(
        run.go(),
        async {
            blocked(&url, 1).await;
            stage::try_run(
                &mut reopener,
                "UPDATE letter SET status = 'open' WHERE id IN (1, 2)",
            )
            .await
        },
        async {
            blocked(&url, 1).await;
            named_blocked(&url, "reopener").await;
            stage::run(&mut other, "COMMIT").await;
        }
    );
    // It came too late for either, as a whole: no parent without its children.
    assert_eq!(reopened.unwrap(), 0);
    assert_eq!(told(&url, &before).await, left());
    assert_eq!(of(&report, "letters").dependants, 4);
    assert_eq!(of(&report, "letters").unlinked, 2);
}

#[tokio::test]
async fn a_child_that_is_inserted_before_the_lock_goes_by_name() {
    for (insert, line) in [
        (
            "INSERT INTO attachment (id, letter_id) VALUES (12, 1)",
            "deleted attachment 12",
        ),
        ("INSERT INTO page VALUES (112, 11)", "deleted page 112"),
        (
            "INSERT INTO request VALUES (1112, 1)",
            "unlinked request 1112",
        ),
    ] {
        let url = open().await;
        let mut other = meddler(&url, insert).await;
        let run = Run::new(&url, &schedule(), TODAY);
        let (report, ()) = tokio::join!(run.go(), async {
            // For the parent, which the insertion has locked against deletion.
            blocked(&url, 1).await;
            stage::run(&mut other, "COMMIT").await;
        });
        let lines = stage::lines(&url).await;
        assert_eq!(
            lines.iter().filter(|l| *l == line).count(),
            1,
            "{insert}: {lines:?}"
        );
        let letters = of(&report, "letters");
        assert_eq!(letters.dependants + letters.unlinked, 7, "{insert}");
        let dangling = "SELECT count(*) FROM attachment a LEFT JOIN letter l ON l.id = a.letter_id WHERE l.id IS NULL";
        assert_eq!(support::number(&url, dangling).await, 0);
    }
}

#[tokio::test]
async fn a_child_that_comes_after_the_lock_is_refused_and_never_cascades_away() {
    for (insert, lock) in [
        (
            "INSERT INTO attachment (id, letter_id) VALUES (12, 1)",
            "SELECT 1 FROM attachment WHERE id = 21 FOR UPDATE",
        ),
        (
            "INSERT INTO page VALUES (112, 11)",
            "SELECT 1 FROM page WHERE id = 211 FOR UPDATE",
        ),
        (
            "INSERT INTO request VALUES (1112, 1)",
            "SELECT 1 FROM request WHERE id = 2111 FOR UPDATE",
        ),
    ] {
        let url = open().await;
        let before = stage::rows(&url, &TABLES).await;
        let mut other = meddler(&url, lock).await;
        let mut late = support::client(&url).await;
        stage::run(&mut late, "SET application_name = 'late'").await;
        let run = Run::new(&url, &schedule(), TODAY);
        let (_, inserted, ()) = tokio::join!(
            run.go(),
            async {
                blocked(&url, 1).await;
                stage::try_run(&mut late, insert).await
            },
            async {
                blocked(&url, 1).await;
                named_blocked(&url, "late").await;
                stage::run(&mut other, "COMMIT").await;
            }
        );
        let code = inserted
            .unwrap_err()
            .as_database_error()
            .and_then(|e| e.code())
            .map(|c| c.into_owned());
        assert_eq!(code.as_deref(), Some("23503"), "{insert}");
        assert_eq!(told(&url, &before).await, left(), "{insert}");
    }
}

#[tokio::test]
async fn a_child_that_becomes_protected_meanwhile_keeps_its_parent() {
    let evidence = class(
        "evidence",
        r#"table = "attachment"
where = "kind = 'evidence'"
disposal = "retain"
owner = "a test"
reason = "a test""#,
    );
    let toml = format!("{HEAD}{}{evidence}", letters());
    // Each child's own class lets nothing go here, so that only a scan goes with its letter.
    for (change, stays) in [
        (
            "UPDATE attachment SET kind = 'evidence' WHERE id = 11",
            true,
        ),
        ("UPDATE attachment SET kind = 'scan' WHERE id = 11", false),
    ] {
        let url = open().await;
        let mut other = meddler(&url, change).await;
        let run = Run::new(&url, &toml, TODAY);
        let (report, ()) = tokio::join!(run.go(), async {
            blocked(&url, 1).await;
            stage::run(&mut other, "COMMIT").await;
        });
        let now = stage::names(&stage::rows(&url, &TABLES).await);
        for row in ["letter 1", "attachment 11", "page 111"] {
            assert_eq!(now.contains(row), stays, "{change}: {row}");
        }
        for row in ["letter 2", "attachment 21", "page 211"] {
            assert!(!now.contains(row), "{change}: {row}");
        }
        assert_eq!(
            of(&report, "letters").skipped.changed,
            u64::from(stays),
            "{change}"
        );
        // Tomorrow it is seen beforehand.
        let report = Run::new(&url, &toml, "2026-11-24").go().await;
        assert_eq!(
            (
                of(&report, "letters").deleted,
                of(&report, "letters").skipped.changed
            ),
            (0, 0)
        );
    }
}
