//! A second session steps in where no foreign key keeps it out.

use crate::asking::{TODAY, lines};
use crate::stage::{self, Run, blocked, meddler, of};
use crate::support;
use crate::tickets::{self, LEFT, TABLES, left};

/// The pass has locked the tickets and what hangs on them, and stands before the last of
/// their attachments; then somebody adds a row. No lock keeps it out.
async fn added(insert: &str) -> (String, stage::Rows, retentiond::enforce::RunReport) {
    let url = stage::database(tickets::SQL).await;
    let before = stage::rows(&url, &TABLES).await;
    let mut other = meddler(&url, "SELECT 1 FROM attachments WHERE id = 211 FOR UPDATE").await;
    let run = Run::new(&url, &tickets::schedule(), TODAY);
    let (report, ()) = tokio::join!(run.go(), async {
        blocked(&url, 1).await;
        support::sql(&url, insert).await;
        stage::run(&mut other, "COMMIT").await;
    });
    (url, before, report)
}

#[tokio::test]
async fn a_row_that_is_added_meanwhile_rolls_the_batch_back_and_goes_with_the_next_try() {
    for (insert, line) in [
        (
            "INSERT INTO transactions VALUES (15, 'RT::Ticket', 1, 'Comment')",
            "deleted transactions 15 of 1 counted from 2020-01-01",
        ),
        (
            // Of a transaction whose attachments were locked before this one came.
            "INSERT INTO attachments VALUES (122, 12, NULL)",
            "deleted attachments 122 of 12 counted from 2020-01-01",
        ),
        (
            "UPDATE transactions SET objecttype = 'RT::Ticket' WHERE id = 14",
            "deleted transactions 14 of 1 counted from 2020-01-01",
        ),
    ] {
        let (url, before, report) = added(insert).await;
        let told = lines(&url).await;
        assert_eq!(
            told.iter().filter(|l| *l == line).count(),
            1,
            "{insert}: {told:#?}"
        );
        let tickets = of(&report, "tickets");
        // Nothing is set aside, and what was rolled back has left no line.
        assert_eq!((tickets.deleted, tickets.failed), (2, 0), "{insert}");
        assert_eq!(tickets.batches, 1, "{insert}");
        assert_eq!(
            support::number(
                &url,
                "SELECT count(*) FROM transactions x LEFT JOIN tickets t ON t.id = x.objectid
                  WHERE x.objecttype = 'RT::Ticket' AND x.objectid IS NOT NULL AND t.id IS NULL"
            )
            .await,
            0,
            "{insert}"
        );
        assert_eq!(
            support::number(
                &url,
                "SELECT count(*) FROM attachments a LEFT JOIN transactions x ON x.id = a.transactionid
                  WHERE a.transactionid IS NOT NULL AND x.id IS NULL"
            )
            .await,
            0,
            "{insert}"
        );
        if !insert.starts_with("INSERT") {
            stage::assert_told(&url, &before, &TABLES).await;
        }
    }
}

#[tokio::test]
async fn a_row_of_another_owner_that_is_added_meanwhile_changes_nothing() {
    let (url, before, report) =
        added("INSERT INTO transactions VALUES (15, 'RT::User', 1, 'Set')").await;
    assert_eq!(of(&report, "tickets").batches, 1);
    let mut expected: Vec<&str> = LEFT.to_vec();
    expected.push("transactions 15");
    expected.sort_unstable();
    assert_eq!(left(&url).await, expected);
    stage::assert_told(&url, &before, &TABLES).await;
}

#[tokio::test]
async fn a_protected_row_that_is_added_meanwhile_keeps_its_ticket() {
    let url = stage::database(tickets::SQL).await;
    support::sql(
        &url,
        "UPDATE attachments SET filename = 'x' WHERE filename IS NULL OR filename LIKE 'evid%'",
    )
    .await;
    let before = stage::rows(&url, &TABLES).await;
    let evidence = stage::class(
        "evidence",
        "table = \"attachments\"\nwhere = \"filename = 'evidence.pdf'\"\ndisposal = \"retain\"\nowner = \"a\"\nreason = \"a\"",
    );
    let toml = format!("{}{evidence}", tickets::schedule());
    let mut other = meddler(&url, "SELECT 1 FROM attachments WHERE id = 211 FOR UPDATE").await;
    let run = Run::new(&url, &toml, TODAY);
    let (report, ()) = tokio::join!(run.go(), async {
        blocked(&url, 1).await;
        support::sql(
            &url,
            "INSERT INTO attachments VALUES (122, 12, 'evidence.pdf')",
        )
        .await;
        stage::run(&mut other, "COMMIT").await;
    });
    assert_eq!(of(&report, "tickets").deleted, 1);
    let now = left(&url).await;
    for row in [
        "tickets 1",
        "transactions 11",
        "transactions 12",
        "attachments 122",
    ] {
        assert!(now.contains(&row.to_owned()), "{row}: {now:?}");
    }
    assert!(!now.contains(&"tickets 2".to_owned()));
    stage::assert_told(&url, &before, &TABLES).await;
}

#[tokio::test]
async fn a_row_that_begins_to_refer_to_a_shared_one_meanwhile_keeps_it() {
    for (insert, stays) in [
        ("INSERT INTO film VALUES (53, '2026-11-01', 5)", true),
        ("INSERT INTO film VALUES (53, '2026-11-01', 9)", false),
    ] {
        let tables = ["form", "photo", "film"];
        let url = stage::database(tickets::SHARED).await;
        let before = stage::rows(&url, &tables).await;
        // A trigger makes the deletion of a form wait, after it was found that nothing refers to it.
        support::sql(
            &url,
            "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS
             'BEGIN PERFORM pg_advisory_xact_lock(4711); RETURN OLD; END';
             CREATE TRIGGER wait BEFORE DELETE ON form FOR EACH ROW EXECUTE FUNCTION wait();",
        )
        .await;
        let mut other = meddler(&url, "SELECT pg_advisory_xact_lock(4711)").await;
        let run = Run::new(&url, &tickets::shared(), TODAY).only("photos");
        let (report, ()) = tokio::join!(run.go(), async {
            blocked(&url, 1).await;
            support::sql(&url, insert).await;
            stage::run(&mut other, "COMMIT").await;
        });
        assert_eq!(
            (of(&report, "photos").deleted, of(&report, "photos").failed),
            (4, 0)
        );
        let forms = support::texts(&url, "SELECT id::text FROM form ORDER BY id").await;
        assert_eq!(forms.contains(&"5".to_owned()), stays, "{insert}");
        stage::assert_told(&url, &before, &tables).await;
    }
}
