//! What is not replayed, and that nothing changes then.

use std::fs;

use retentiond::daemon::replay::RestoreError;
use retentiond::ledger::publish::ReplayError;
use retentiond::ledger::store::LedgerError;

use crate::support;
use crate::world::World;

const STATE: &str = "
    SELECT (SELECT count(*) FROM retentiond.ledger_entry) * 1000000
         + (SELECT count(*) FROM retentiond.ledger_seal) * 10000
         + (SELECT count(*) FROM retentiond.hold WHERE released_at IS NULL) * 100
         + (SELECT epoch FROM retentiond.decision_epoch)";

#[tokio::test]
async fn a_publication_with_a_changed_byte_is_refused() {
    let world = World::lived_on().await;
    world.restore().await;
    let before = support::number(&world.url, STATE).await;
    let folder = world.folder().await;
    let mut files = Vec::new();
    for part in ["entries", "manifests/2021"] {
        files.extend(
            fs::read_dir(folder.path().join(part))
                .unwrap()
                .map(|file| file.unwrap().path()),
        );
    }
    assert!(files.len() > 3, "{files:?}");
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        // The last digit of the last line's bytes.
        let at = text.rfind("\"}").unwrap() - 1;
        let other = if &text[at..=at] == "0" { "1" } else { "0" };
        let changed = format!("{}{other}{}", &text[..at], &text[at + 1..]);
        fs::write(&file, changed).unwrap();
        let refused = world.look(None).await.unwrap_err();
        assert!(
            matches!(refused, RestoreError::Replay(ReplayError::Damaged { .. })),
            "{}: {refused}",
            file.display()
        );
        fs::write(&file, &text).unwrap();
    }
    // A checkpoint that nobody has signed.
    let checkpoint = folder.path().join("checkpoint");
    let note = fs::read_to_string(&checkpoint).unwrap();
    let (_, published) = folder.checkpoint().unwrap().unwrap();
    let size = published.size;
    fs::write(
        &checkpoint,
        note.replacen(&format!("\n{size}\n"), &format!("\n{}\n", size - 1), 1),
    )
    .unwrap();
    let refused = world.look(None).await.unwrap_err();
    assert!(
        matches!(
            refused,
            RestoreError::Replay(ReplayError::Checkpoint { .. })
        ),
        "{refused}"
    );
    fs::write(&checkpoint, note).unwrap();
    assert_eq!(support::number(&world.url, STATE).await, before);
    world.look(None).await.unwrap();
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let world = World::lived_on().await;
    world.restore().await;
    let before = support::number(&world.url, STATE).await;
    let look = world.look(None).await.unwrap();
    let shown = world.import(&look, true).await.unwrap();
    assert_eq!(shown.decisions.holds, [(2, 2)]);
    assert_eq!(support::number(&world.url, STATE).await, before);
    // Nor does it keep the real one from coming.
    assert_eq!(world.import(&look, false).await.unwrap(), shown);
}

#[tokio::test]
async fn a_number_that_was_given_again_is_refused_with_nothing_changed() {
    let world = World::lived_on().await;
    world.restore().await;
    // Somebody decides something in the restored database, whose entry takes a lost one's number.
    support::hold(&world.url, "letter", &["7"], None).await;
    let before = support::number(&world.url, STATE).await;
    let look = world.look(None).await.unwrap();
    let refused = world.import(&look, false).await.unwrap_err();
    assert!(
        matches!(
            refused,
            RestoreError::Replay(ReplayError::Ledger(LedgerError::Clash(_)))
        ),
        "{refused}"
    );
    assert_eq!(support::number(&world.url, STATE).await, before);
}

#[tokio::test]
async fn a_log_that_went_on_otherwise_is_refused() {
    let world = World::lived_on().await;
    world.restore().await;
    support::hold(&world.url, "letter", &["7"], None).await;
    let mut conn = support::ours(&world.url).await;
    retentiond::ledger::store::seal(&mut conn).await.unwrap();
    let look = world.look(None).await.unwrap();
    let refused = world.import(&look, false).await.unwrap_err();
    assert!(
        matches!(
            refused,
            RestoreError::Replay(ReplayError::Ledger(LedgerError::Begins))
        ),
        "{refused}"
    );
}

#[tokio::test]
async fn another_folder_serves_unless_this_log_s_own_has_more() {
    let world = World::lived_on().await;
    let copy = tempfile::tempdir().unwrap();
    let own = world.folder().await;
    copy_all(own.path(), copy.path());
    world.pass("2021-06-09").await.unwrap();
    world.restore().await;
    let refused = world.look(Some(copy.path())).await.unwrap_err();
    assert!(matches!(refused, RestoreError::Longer { .. }), "{refused}");
    // The disk of the state is lost, but for the keys; the copy was elsewhere.
    fs::remove_dir_all(own.path()).unwrap();
    let missing = world.look(None).await.unwrap_err();
    assert!(
        matches!(missing, RestoreError::Replay(ReplayError::Nothing(_))),
        "{missing}"
    );
    let look = world.look(Some(copy.path())).await.unwrap();
    world.import(&look, false).await.unwrap();
    world.pass("2021-06-09").await.unwrap();
    assert_eq!(world.letters().await, ["7", "9"]);
    assert!(own.checkpoint().unwrap().unwrap().1.size > look.published());
}

fn copy_all(from: &std::path::Path, to: &std::path::Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_all(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

#[tokio::test]
async fn a_database_that_lost_its_end_by_other_means_is_refused() {
    let world = World::begun().await;
    support::sql(
        &world.url,
        "ALTER TABLE retentiond.ledger_seal DISABLE TRIGGER ledger_append_only;
         DELETE FROM retentiond.ledger_seal WHERE leaf_index > 1",
    )
    .await;
    let look = world.look(None).await.unwrap();
    let refused = world.import(&look, false).await.unwrap_err();
    assert!(
        matches!(
            refused,
            RestoreError::Replay(ReplayError::Ledger(LedgerError::Seal(_)))
        ),
        "{refused}"
    );
}
