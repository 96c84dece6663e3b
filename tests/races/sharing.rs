//! Rows that several records refer to: they go with the last one, never before, and never not.

use crate::house::{TABLES, TODAY, films, open, photos, told};
use crate::stage::{self, HEAD, Run, blocked, meddler, of};
use crate::support;

fn schedule() -> String {
    format!("{HEAD}{}{}", photos(), films())
}

/// No photo or film without its form, no form that nothing refers to.
async fn assert_whole(url: &str) {
    let orphans =
        "SELECT count(*) FROM form f WHERE NOT EXISTS (SELECT 1 FROM photo WHERE form_id = f.id)
                   AND NOT EXISTS (SELECT 1 FROM film WHERE form_id = f.id)";
    assert_eq!(support::number(url, orphans).await, 0, "an orphan");
    let dangling =
        "SELECT count(*) FROM (SELECT form_id FROM photo UNION ALL SELECT form_id FROM film) r
                    WHERE NOT EXISTS (SELECT 1 FROM form f WHERE f.id = r.form_id)";
    assert_eq!(
        support::number(url, dangling).await,
        0,
        "a dangling reference"
    );
}

#[tokio::test]
async fn two_instances_whose_records_share_a_form_delete_it_once() {
    let url = open().await;
    support::sql(
        &url,
        "INSERT INTO film VALUES (71, '2020-01-01', 5), (72, '2020-01-01', 6)",
    )
    .await;
    let before = stage::rows(&url, &TABLES).await;
    // Both stand before the form with their records locked, and are let go together.
    let mut other = meddler(&url, "SELECT 1 FROM form WHERE id = 5 FOR UPDATE").await;
    let (one, two) = (
        Run::new(&url, &schedule(), TODAY).only("photos"),
        Run::new(&url, &schedule(), TODAY).only("films"),
    );
    let (photos, films, ()) = tokio::join!(one.go(), two.go(), async {
        blocked(&url, 2).await;
        stage::run(&mut other, "COMMIT").await;
    });
    let now = told(&url, &before).await;
    assert!(
        !now.contains("form 5") && !now.contains("form 6") && now.contains("form 8"),
        "{now:?}"
    );
    assert_whole(&url).await;
    assert_eq!(
        (of(&photos, "photos").deleted, of(&films, "films").deleted),
        (3, 2)
    );
    assert_eq!(
        of(&photos, "photos").dependants + of(&films, "films").dependants,
        2
    );
    assert_eq!(
        (of(&photos, "photos").failed, of(&films, "films").failed),
        (0, 0)
    );
}

#[tokio::test]
async fn two_instances_again_and_again_leave_neither_orphan_nor_dangling_reference() {
    let url = open().await;
    for round in 0..6 {
        support::sql(
            &url,
            "INSERT INTO form SELECT 1000 + n FROM generate_series(1, 40) n ON CONFLICT DO NOTHING;
             INSERT INTO photo SELECT 1000 + n, '2020-01-01', 1001 + n % 40 FROM generate_series(1, 80) n;
             INSERT INTO film SELECT 1000 + n, '2020-01-01', 1001 + (n * 7) % 40 FROM generate_series(1, 80) n;",
        )
        .await;
        let size = [1, 3, 7][round % 3];
        let (one, two) = (
            Run::new(&url, &schedule(), TODAY)
                .only("photos")
                .batches_of(size),
            Run::new(&url, &schedule(), TODAY)
                .only("films")
                .batches_of(size + 1),
        );
        let (photos, films) = tokio::join!(one.go(), two.go());
        assert_eq!(
            (of(&photos, "photos").failed, of(&films, "films").failed),
            (0, 0),
            "round {round}"
        );
        assert_whole(&url).await;
        assert_eq!(
            support::number(&url, "SELECT count(*) FROM form WHERE id > 1000").await,
            0,
            "round {round}"
        );
    }
}

#[tokio::test]
async fn a_form_stays_with_the_last_record_that_refers_to_it() {
    let url = open().await;
    support::sql(&url, "INSERT INTO film VALUES (71, '2026-11-01', 5)").await;
    let before = stage::rows(&url, &TABLES).await;
    Run::new(&url, &schedule(), TODAY).go().await;
    let now = told(&url, &before).await;
    assert!(
        now.contains("form 5") && now.contains("film 71") && !now.contains("photo 51"),
        "{now:?}"
    );
    // It goes with the film, a year later.
    Run::new(&url, &schedule(), "2027-11-23").go().await;
    assert!(!told(&url, &before).await.contains("form 5"));
    assert_whole(&url).await;
}

#[tokio::test]
async fn a_form_that_somebody_refers_to_meanwhile_stays() {
    for (end, stays) in [("COMMIT", true), ("ROLLBACK", false)] {
        let url = open().await;
        let before = stage::rows(&url, &TABLES).await;
        let mut other = meddler(&url, "INSERT INTO film VALUES (71, '2026-11-01', 5)").await;
        let run = Run::new(&url, &schedule(), TODAY);
        tokio::join!(run.go(), async {
            blocked(&url, 1).await;
            stage::run(&mut other, end).await;
        });
        let now = told(&url, &before).await;
        assert_eq!(now.contains("form 5"), stays, "{end}");
        assert!(
            !now.contains("photo 51") && !now.contains("photo 52"),
            "{end}"
        );
        assert_whole(&url).await;
    }
}

#[tokio::test]
async fn nobody_can_refer_to_a_form_that_is_going() {
    let url = open().await;
    let before = stage::rows(&url, &TABLES).await;
    // The pass has locked form 5 and stands before form 6.
    let mut other = meddler(&url, "SELECT 1 FROM form WHERE id = 6 FOR UPDATE").await;
    let mut late = support::client(&url).await;
    stage::run(&mut late, "SET application_name = 'late'").await;
    let run = Run::new(&url, &schedule(), TODAY);
    let (_, inserted, ()) = tokio::join!(
        run.go(),
        async {
            blocked(&url, 1).await;
            stage::try_run(&mut late, "INSERT INTO film VALUES (71, '2026-11-01', 5)").await
        },
        async {
            blocked(&url, 1).await;
            stage::named_blocked(&url, "late").await;
            stage::run(&mut other, "COMMIT").await;
        }
    );
    let code = inserted
        .unwrap_err()
        .as_database_error()
        .and_then(|e| e.code())
        .map(|c| c.into_owned());
    assert_eq!(code.as_deref(), Some("23503"));
    assert!(!told(&url, &before).await.contains("form 5"));
    assert_whole(&url).await;
}
