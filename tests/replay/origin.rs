//! Without the lost entries: another name, and the loss on record.

use retentiond::daemon::replay::{self, RestoreError};
use retentiond::daemon::tick::TickError;
use retentiond::ledger::audit::Verdict;
use retentiond::ledger::store;
use sha2::{Digest, Sha256};
use sqlx::Connection;

use crate::support;
use crate::world::World;

async fn new_origin(world: &World) -> Result<replay::NewOrigin, RestoreError> {
    let mut conn = support::ours(&world.url).await;
    let now = support::at("2021-06-09");
    let places = world.places();
    let done =
        replay::new_origin(&mut conn, &places, "the disk is lost", "admin", now, false).await;
    conn.close().await.unwrap();
    done
}

#[tokio::test]
async fn the_log_goes_on_under_another_name_with_the_loss_on_record() {
    let world = World::lived_on().await;
    let (old_folder, old_origin) = {
        let folder = world.folder().await;
        let (_, checkpoint) = folder.checkpoint().unwrap().unwrap();
        (folder, checkpoint)
    };
    let refused = new_origin(&world).await.unwrap_err();
    assert!(matches!(refused, RestoreError::Agrees(_)), "{refused}");
    world.restore().await;
    let size = support::number(&world.url, "SELECT count(*) FROM retentiond.ledger_seal").await;
    let done = new_origin(&world).await.unwrap();
    assert_eq!(done.old, old_origin.origin);
    assert_ne!(done.new, done.old);
    assert_eq!(
        (done.size, done.published),
        (size.unsigned_abs(), Some(old_origin.size))
    );

    // The loss is in the log; the reason beside it, and its digest in the entry.
    let entries = support::ledger(&world.url).await;
    let last = entries
        .iter()
        .rfind(|entry| entry["action"] == "origin-changed")
        .unwrap();
    let mut conn = support::ours(&world.url).await;
    let leaf = hex::decode(last["leaf"].as_str().unwrap()).unwrap();
    let entry = retentiond::ledger::Entry::decode(&leaf).unwrap();
    assert_eq!(entry.detail["old"], done.old);
    assert_eq!(entry.detail["published"], old_origin.size.to_string());
    let beside: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&done.file).unwrap()).unwrap();
    assert_eq!(beside["reason"], "the disk is lost");
    let salted = format!("{}the disk is lost", beside["salt"].as_str().unwrap());
    assert_eq!(entry.detail["reason"], hex::encode(Sha256::digest(salted)));
    assert!(
        !last["leaf"]
            .as_str()
            .unwrap()
            .contains(&hex::encode("disk"))
    );

    // It is published whole under its own name, and verifies; nothing is signed under the old.
    let folder = world.folder().await;
    assert_ne!(folder.path(), old_folder.path());
    let (note, published) = folder.checkpoint().unwrap().unwrap();
    assert_eq!(published.origin, done.new);
    let found = world.verify(&note).await;
    assert_eq!(
        (found.verdict, found.anchored),
        (Verdict::Ok, true),
        "{found:?}"
    );
    assert_eq!(old_folder.checkpoint().unwrap().unwrap().1, old_origin);

    // Holds may be lost: nothing acts until a person has accepted a schedule again.
    let refused = world.pass("2021-06-09").await.unwrap_err();
    assert!(matches!(refused, TickError::AcceptAgain(_)), "{refused}");
    accept(&world).await;
    world.pass("2021-06-09").await.unwrap();
    let origin = store::origin(&mut conn).await.unwrap();
    let signed = store::latest_checkpoint(&mut conn).await.unwrap().unwrap();
    assert_eq!(signed.note.lines().next(), Some(origin.as_str()));
    assert_eq!(old_folder.checkpoint().unwrap().unwrap().1, old_origin);
    let (note, _) = folder.checkpoint().unwrap().unwrap();
    assert_eq!(world.verify(&note).await.verdict, Verdict::Ok);
    conn.close().await.unwrap();
}

async fn accept(world: &World) {
    use retentiond::review::{How, NewVersion, bring_into_force};
    let schedule = support::schedule(crate::world::OFFICE);
    let mut conn = support::ours(&world.url).await;
    let previous = retentiond::survey::last_accepted(&mut conn).await.unwrap();
    let version = NewVersion {
        digest: schedule.digest(),
        file_digest: schedule.file_digest(),
        text: schedule.text(),
        previous: previous.as_ref(),
    };
    let how = How::ByHand {
        reason: "looked at",
        counts: &[],
    };
    bring_into_force(&mut conn, &version, how, "admin", support::at("2021-06-09"))
        .await
        .unwrap();
    conn.close().await.unwrap();
}

#[tokio::test]
async fn where_the_publication_is_gone_too_its_size_is_unknown() {
    let world = World::lived_on().await;
    std::fs::remove_dir_all(world.folder().await.path()).unwrap();
    world.restore().await;
    let done = new_origin(&world).await.unwrap();
    assert_eq!(done.published, None);
    let (note, _) = world.folder().await.checkpoint().unwrap().unwrap();
    assert_eq!(world.verify(&note).await.verdict, Verdict::Ok);
}
