//! Files that lie elsewhere, are shared, are gone already, or stay behind for a while.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/stage.rs"]
mod stage;
mod support;

use std::path::Path;

use retentiond::files::Stores;

use stage::{HEAD, Run, class, of};

const TODAY: &str = "2026-11-23";
const TOMORROW: &str = "2026-11-24";

const TABLES: &str = "
CREATE TABLE form (id bigint PRIMARY KEY, scan text);
CREATE TABLE photo (id bigint PRIMARY KEY, captured_on date, form_id bigint REFERENCES form, path text);
CREATE INDEX ON photo (captured_on);
CREATE INDEX ON photo (form_id);
CREATE TABLE print (id bigint PRIMARY KEY, photo_id bigint NOT NULL REFERENCES photo, path text);
CREATE INDEX ON print (photo_id);
";

const ALL: [&str; 3] = ["photo", "form", "print"];

fn photos(id: &str, more: &str) -> String {
    class(
        id,
        &format!(
            "table = \"photo\"\ntrigger = \"captured_on\"\nperiod = \"1 year\"\ndisposal = \"delete\"
dependants = [\"form\", \"print\"]
files = [{{ column = \"path\", store = \"media\" }}, {{ column = \"scan\", store = \"media\", table = \"form\" }},
{{ column = \"path\", store = \"media\", table = \"print\" }}]\n{more}"
        ),
    )
}

fn schedule() -> String {
    format!("{HEAD}{}", photos("photos", ""))
}

async fn open(rows: &str) -> String {
    stage::database(&format!("{TABLES}{rows}")).await
}

fn write(folder: &Path, name: &str) {
    std::fs::write(folder.join(name), "x").unwrap();
}

fn run(url: &str, folder: &Path, day: &str) -> Run {
    Run::new(url, &schedule(), day).stores(&support::store("media", folder))
}

async fn pending(url: &str) -> Vec<String> {
    support::texts(url, "SELECT path FROM retentiond.file_work ORDER BY path").await
}

/// The sum of an action's counts in the ledger, and of the files that were gone already.
async fn removed(url: &str) -> (u64, u64) {
    let entries = stage::entries(url, "file-removed").await;
    let absent = |e: &retentiond::ledger::store::StoredEntry| {
        e.entry
            .detail
            .get("already-absent")
            .map_or(0, |n| n.parse().unwrap())
    };
    (
        entries.iter().map(|e| e.entry.count).sum(),
        entries.iter().map(absent).sum(),
    )
}

#[tokio::test]
async fn a_path_out_of_the_store_sets_its_record_aside_and_nothing_is_touched() {
    let outside = tempfile::tempdir().unwrap();
    write(outside.path(), "victim");
    let victim = outside.path().join("victim");
    let name = outside.path().file_name().unwrap().to_str().unwrap();
    for path in [
        victim.to_str().unwrap().to_owned(),
        format!("../{name}/victim"),
        "link/victim".to_owned(),
        "a/../../x".to_owned(),
    ] {
        for owner in ["photo", "form", "print"] {
            let folder = tempfile::tempdir_in(outside.path().parent().unwrap()).unwrap();
            std::os::unix::fs::symlink(outside.path(), folder.path().join("link")).unwrap();
            let own = |table: &str| {
                if table == owner {
                    path.clone()
                } else {
                    format!("{table}7")
                }
            };
            let url = open(&format!(
                "INSERT INTO form SELECT n, 'form' || n FROM generate_series(1, 20) n;
                 INSERT INTO photo SELECT n, '2020-01-01', n, 'photo' || n FROM generate_series(1, 20) n;
                 INSERT INTO print SELECT n, n, 'print' || n FROM generate_series(1, 20) n;
                 UPDATE photo SET path = '{}' WHERE id = 7;
                 UPDATE form SET scan = '{}' WHERE id = 7;
                 UPDATE print SET path = '{}' WHERE id = 7;",
                own("photo"), own("form"), own("print"),
            ))
            .await;
            for n in 1..=20 {
                for table in ALL {
                    write(folder.path(), &format!("{table}{n}"));
                }
            }
            let before = stage::rows(&url, &ALL).await;
            let report = run(&url, folder.path(), TODAY).go().await;
            let photos = of(&report, "photos");
            assert_eq!((photos.deleted, photos.failed), (19, 1), "{owner}: {path}");
            assert!(victim.exists(), "{owner}: {path}");
            let left: Vec<String> = stage::names(&stage::rows(&url, &ALL).await)
                .into_iter()
                .collect();
            assert_eq!(left, ["form 7", "photo 7", "print 7"], "{owner}: {path}");
            assert_eq!(pending(&url).await, [""; 0], "{owner}: {path}");
            stage::assert_told(&url, &before, &ALL).await;
            let reasons = support::texts(
                &url,
                "SELECT reason FROM retentiond.quarantine WHERE key = '{7}'",
            )
            .await;
            assert_eq!(reasons, ["the path leads outside the store's folder"]);
            // The files of the nineteen are gone, those of the seventh are not.
            let there = std::fs::read_dir(folder.path()).unwrap().count();
            assert_eq!(there, 1 + 3, "{owner}: {path}");
        }
    }
}

#[tokio::test]
async fn a_file_that_two_rows_name_goes_with_the_last_of_them() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "same");
    let url = open(
        "INSERT INTO photo VALUES (1, '2020-01-01', NULL, 'same'), (2, '2026-11-01', NULL, 'same')",
    )
    .await;
    let report = run(&url, folder.path(), TODAY).go().await;
    assert_eq!(
        (of(&report, "photos").deleted, of(&report, "photos").files),
        (1, 0)
    );
    assert!(folder.path().join("same").exists());
    assert_eq!(pending(&url).await, [""; 0]);
    let report = run(&url, folder.path(), "2027-11-23").go().await;
    assert_eq!(
        (of(&report, "photos").deleted, of(&report, "photos").files),
        (1, 1)
    );
    assert!(!folder.path().join("same").exists());
    assert_eq!(removed(&url).await, (1, 0));
}

#[tokio::test]
async fn a_file_that_two_rows_of_one_batch_name_is_removed_once() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "same");
    let url = open(
        "INSERT INTO photo VALUES (1, '2020-01-01', NULL, 'same'), (2, '2020-01-01', NULL, 'same')",
    )
    .await;
    let report = run(&url, folder.path(), TODAY).go().await;
    assert_eq!(
        (of(&report, "photos").deleted, of(&report, "photos").files),
        (2, 1)
    );
    assert_eq!(removed(&url).await, (1, 0));
}

#[tokio::test]
async fn two_instances_that_delete_the_last_two_rows_of_a_file_do_not_leave_it() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "same");
    // Two classes on one table, each with one of the rows.
    let toml = format!(
        "{HEAD}{}{}",
        photos("odd", "where = \"id = 1\""),
        photos("even", "where = \"id = 2\"")
    );
    let url = open(
        "INSERT INTO photo VALUES (1, '2020-01-01', NULL, 'same'), (2, '2020-01-01', NULL, 'same')",
    )
    .await;
    let both = Run::new(&url, &toml, TODAY).stores(&support::store("media", folder.path()));
    let (odd, even) = (both.clone().only("odd"), both.only("even"));
    // Each has deleted its row before either is committed.
    let mut other =
        stage::meddler(&url, "LOCK TABLE retentiond.ledger_manifest IN SHARE MODE").await;
    let (one, two, ()) = tokio::join!(odd.go(), even.go(), async {
        stage::blocked(&url, 2).await;
        stage::run(&mut other, "COMMIT").await;
    });
    assert_eq!((of(&one, "odd").deleted, of(&two, "even").deleted), (1, 1));
    assert!(!folder.path().join("same").exists());
    // Whoever queued it, both may have come upon it; one of them tells it, though the other
    // may have been first at the file.
    let files = one
        .classes
        .iter()
        .chain(&two.classes)
        .map(|class| class.files)
        .sum::<u64>();
    assert_eq!((files, removed(&url).await.0), (1, 1));
}

#[tokio::test]
async fn a_file_that_is_gone_already_is_as_good_as_removed_and_noted() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "there");
    let url = open(
        "INSERT INTO photo VALUES (1, '2020-01-01', NULL, 'there'), (2, '2020-01-01', NULL, 'gone'),
         (3, '2020-01-01', NULL, 'no/such/folder'), (4, '2020-01-01', NULL, NULL), (5, '2020-01-01', NULL, '')",
    )
    .await;
    let report = run(&url, folder.path(), TODAY).go().await;
    let photos = of(&report, "photos");
    assert_eq!((photos.deleted, photos.files, photos.failed), (5, 3, 0));
    assert_eq!(removed(&url).await, (3, 2));
    assert_eq!(pending(&url).await, [""; 0]);
}

#[tokio::test]
async fn a_file_that_cannot_be_removed_is_counted_and_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    // A folder where a file should be: nobody, not even root, removes it as a file.
    std::fs::create_dir(folder.path().join("stuck")).unwrap();
    write(folder.path(), "loose");
    let url = open("INSERT INTO photo VALUES (1, '2020-01-01', NULL, 'stuck'), (2, '2020-01-01', NULL, 'loose')").await;
    let before = stage::rows(&url, &ALL).await;
    let report = run(&url, folder.path(), TODAY).go().await;
    let photos = of(&report, "photos");
    assert_eq!((photos.deleted, photos.files, photos.failed), (2, 1, 1));
    assert_eq!(report.exit_code(), 1);
    assert_eq!(pending(&url).await, ["stuck"]);
    let attempts = "SELECT attempts::bigint FROM retentiond.file_work";
    assert_eq!(support::number(&url, attempts).await, 1);
    let words = support::texts(&url, "SELECT last_error FROM retentiond.file_work").await;
    assert!(!words[0].contains("stuck"), "{words:?}");

    let report = run(&url, folder.path(), TOMORROW).go().await;
    assert_eq!(
        (of(&report, "photos").files, of(&report, "photos").failed),
        (0, 1)
    );
    assert_eq!(support::number(&url, attempts).await, 2);

    std::fs::remove_dir(folder.path().join("stuck")).unwrap();
    write(folder.path(), "stuck");
    let report = run(&url, folder.path(), "2026-11-25").go().await;
    assert_eq!(
        (of(&report, "photos").files, of(&report, "photos").failed),
        (1, 0)
    );
    assert_eq!(pending(&url).await, [""; 0]);
    assert!(!folder.path().join("stuck").exists());
    assert_eq!(removed(&url).await, (2, 0));
    stage::assert_told(&url, &before, &ALL).await;
}

#[tokio::test]
async fn what_a_broken_off_pass_left_behind_is_removed_by_the_next_in_any_order() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a1", "a2", "b1", "b2", "c1"] {
        write(folder.path(), name);
    }
    // As two instances may have queued them, one between the other's.
    let url = open(
        "INSERT INTO retentiond.file_work (class_id, table_name, store, path, entry_id, run_id) VALUES
         ('photos', 'public.photo', 'media', 'a1', 1, 1), ('photos', 'public.photo', 'media', 'b1', 2, 1),
         ('photos', 'public.photo', 'media', 'a2', 1, 1), ('photos', 'public.photo', 'media', 'b2', 2, 1),
         ('photos', 'public.photo', 'media', 'c1', 3, 1)",
    )
    .await;
    // Another class's pass does it too.
    let report = run(&url, folder.path(), TODAY).go().await;
    assert_eq!(of(&report, "photos").files, 5);
    assert_eq!(pending(&url).await, [""; 0]);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    assert_eq!(removed(&url).await, (5, 0));
    // A second pass has nothing more to do, and says nothing.
    run(&url, folder.path(), TOMORROW).go().await;
    assert_eq!(removed(&url).await, (5, 0));
}

#[tokio::test]
async fn a_store_that_nobody_knows_stops_the_class_before_any_row_goes() {
    let url = open(
        "INSERT INTO photo VALUES (1, '2020-01-01', NULL, 'a');
         INSERT INTO retentiond.file_work (class_id, table_name, store, path, entry_id, run_id)
         VALUES ('photos', 'public.photo', 'media', 'b', 1, 1)",
    )
    .await;
    let before = stage::rows(&url, &ALL).await;
    let report = Run::new(&url, &schedule(), TODAY)
        .stores(&Stores::default())
        .go()
        .await;
    let photos = stage::any(&report, "photos");
    assert_eq!(
        (photos.status, photos.deleted),
        (retentiond::enforce::Status::Failed, 0)
    );
    assert!(
        photos
            .reason
            .as_deref()
            .unwrap_or_default()
            .contains("no file store `media`"),
        "{:?}",
        photos.reason
    );
    assert_eq!(stage::rows(&url, &ALL).await, before);
    // What waited for it still waits, and goes once the store is known.
    assert_eq!(pending(&url).await, ["b"]);
    let folder = tempfile::tempdir().unwrap();
    let report = run(&url, folder.path(), TOMORROW).go().await;
    assert_eq!(
        (of(&report, "photos").deleted, of(&report, "photos").files),
        (1, 2)
    );
    assert_eq!(pending(&url).await, [""; 0]);
}
