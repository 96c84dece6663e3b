//! The log outside its database, and the interlock that compares the two.

use std::fs;

use retentiond::ledger::audit::{Trust, Verdict};
use retentiond::ledger::publish::{Folder, LogError, verify_folder};
use retentiond::ledger::store;
use sqlx::Connection;

use crate::support;
use crate::world::{self, World, noon};

async fn folder(world: &mut World) -> Folder {
    world.log().await.folder().clone()
}

#[tokio::test]
async fn what_is_published_verifies_alone_after_every_addition() {
    let mut world = World::empty().await;
    assert!(
        world
            .log()
            .await
            .publish(&mut world.conn, noon())
            .await
            .unwrap()
            .is_none()
    );
    let folder = folder(&mut world).await;
    let mut kept: Vec<String> = Vec::new();
    for more in [3, 1, 6, 2] {
        world::append(&mut world.conn, more).await;
        kept.push(world.publish().await);
        let trust = Trust {
            keys: retentiond::ledger::keyring::verifiers(
                &fs::read_to_string(folder.path().join("keys")).unwrap(),
            )
            .unwrap(),
            checkpoints: kept.clone(),
        };
        let found = verify_folder(&folder, &trust).unwrap();
        let inside = world::verify(&mut world.conn, &trust).await;
        assert_eq!(found.verdict, Verdict::Ok, "{found:?}");
        assert!(found.anchored);
        assert_eq!(
            (found.size, found.root, found.records),
            (inside.size, inside.root, inside.records)
        );
    }
    // Nothing new: nothing is written.
    let before = fs::metadata(folder.path().join("checkpoint"))
        .unwrap()
        .modified()
        .unwrap();
    assert_eq!(world.publish().await, *kept.last().unwrap());
    let after = fs::metadata(folder.path().join("checkpoint"))
        .unwrap()
        .modified()
        .unwrap();
    assert_eq!(before, after);
    let names: Vec<String> = files(&folder.path().join("checkpoints"));
    assert_eq!(
        names,
        [
            "00000000000000000003",
            "00000000000000000004",
            "00000000000000000010",
            "00000000000000000012"
        ]
    );
}

fn files(folder: &std::path::Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_changed_publication_is_found_without_the_database() {
    let mut world = World::with(4).await;
    world::append(&mut world.conn, 3).await;
    let kept = world.publish().await;
    let folder = folder(&mut world).await;
    let trust = world.trust(&[&kept]).await;
    let entries = folder.path().join("entries/00000000000000000004.jsonl");
    let records = folder
        .path()
        .join("manifests/2026/00000000000000000000.jsonl");
    let (lines, manifests) = (
        fs::read_to_string(&entries).unwrap(),
        fs::read_to_string(&records).unwrap(),
    );
    let verdict = |folder: &Folder| {
        let found = verify_folder(folder, &trust).unwrap();
        (found.verdict, found.first_bad.and_then(|bad| bad.entry))
    };
    assert_eq!(verdict(&folder), (Verdict::Ok, None));
    // A byte of an entry that still reads: its number.
    let changed = lines.replacen("0000000000000006", "0000000000000009", 1);
    assert_ne!(changed, lines);
    fs::write(&entries, &changed).unwrap();
    assert_eq!(verdict(&folder).0, Verdict::Forked);
    // A line that is gone from the middle, and the last one.
    let mut split: Vec<&str> = lines.lines().collect();
    let last = split.pop().unwrap();
    fs::write(&entries, split.join("\n") + "\n").unwrap();
    assert_eq!(verdict(&folder), (Verdict::Truncated, Some(6)));
    fs::write(&entries, format!("{}\n{last}\n", split[0])).unwrap();
    assert_eq!(verdict(&folder), (Verdict::Tampered, Some(5)));
    fs::write(&entries, &lines).unwrap();
    // The records: a byte, and all of a year.
    fs::write(
        &records,
        manifests.replacen("\"seed\":\"02", "\"seed\":\"03", 1),
    )
    .unwrap();
    assert_eq!(verdict(&folder), (Verdict::Tampered, Some(1)));
    fs::remove_file(&records).unwrap();
    assert_eq!(verdict(&folder), (Verdict::Tampered, Some(1)));
    fs::write(&records, &manifests).unwrap();
    assert_eq!(verdict(&folder), (Verdict::Ok, None));
}

#[tokio::test]
async fn a_database_behind_its_publication_is_not_gone_on_with() {
    let mut world = World::with(5).await;
    world::append(&mut world.conn, 4).await;
    world.publish().await;
    // An old snapshot of it.
    let mut tx = world.conn.begin().await.unwrap();
    world::tamper(
        &mut tx,
        "DELETE FROM ledger_manifest WHERE entry_id > 5; DELETE FROM ledger_entry WHERE entry_id > 5;
         DELETE FROM ledger_seal WHERE entry_id > 5; DELETE FROM ledger_checkpoint WHERE size > 5",
    )
    .await;
    tx.commit().await.unwrap();
    let log = world.log().await;
    let refused = log.publish(&mut world.conn, noon()).await.unwrap_err();
    assert!(refused.is_interlock());
    assert!(
        matches!(
            refused,
            LogError::Behind {
                size: 5,
                published: 9,
                ..
            }
        ),
        "{refused}"
    );
    // It goes on as if nothing had been, and overtakes: other entries in the same places.
    world::append(&mut world.conn, 6).await;
    store::seal(&mut world.conn).await.unwrap();
    let refused = log.publish(&mut world.conn, noon()).await.unwrap_err();
    assert!(
        matches!(refused, LogError::Forked { published: 9, .. }),
        "{refused}"
    );
    assert_eq!(
        support::number(
            &world.url,
            "SELECT max(size) FROM retentiond.ledger_checkpoint"
        )
        .await,
        5,
        "nothing was signed"
    );
}

#[tokio::test]
async fn what_was_written_and_not_signed_is_written_again() {
    let mut world = World::with(3).await;
    let folder = folder(&mut world).await;
    // As if it had ended after the entries and before the checkpoint.
    let entries = folder.path().join("entries/00000000000000000003.jsonl");
    fs::write(&entries, "{\"entry\":3,\"leaf\":\"00\"}\n").unwrap();
    fs::write(folder.path().join("entries/00000000000000000003.part"), "{").unwrap();
    let trust = world.trust(&[]).await;
    assert_eq!(verify_folder(&folder, &trust).unwrap().verdict, Verdict::Ok);
    world::append(&mut world.conn, 2).await;
    let kept = world.publish().await;
    let trust = world.trust(&[&kept]).await;
    let found = verify_folder(&folder, &trust).unwrap();
    assert_eq!(
        (found.verdict, found.size, found.anchored),
        (Verdict::Ok, 5, true)
    );
}

#[tokio::test]
async fn a_folder_refuses_a_second_root_for_one_size() {
    let mut world = World::with(3).await;
    let folder = folder(&mut world).await;
    world::append(&mut world.conn, 1).await;
    // Somebody else published four entries of this log.
    let other = retentiond::ledger::checkpoint::Checkpoint {
        origin: store::origin(&mut world.conn).await.unwrap(),
        size: 4,
        root: [9; 32],
    };
    let log = world.log().await;
    fs::write(
        folder.path().join("checkpoints/00000000000000000004"),
        other.sign(log.key()),
    )
    .unwrap();
    let refused = log.publish(&mut world.conn, noon()).await.unwrap_err();
    assert!(
        refused
            .to_string()
            .contains("was published with another root"),
        "{refused}"
    );
}

/// Four services that share one log and its folder, each with entries of its own.
#[tokio::test]
async fn whoever_publishes_nobody_writes_into_anothers_file() {
    let mut world = World::with(1).await;
    let folder = folder(&mut world).await;
    let mut tasks = Vec::new();
    for _ in 0..4 {
        let (url, places) = (world.url.clone(), world.places());
        tasks.push(tokio::spawn(async move {
            let mut conn = support::client(&url).await;
            let log = retentiond::ledger::publish::Log::open(&mut conn, &places)
                .await
                .unwrap();
            for _ in 0..8 {
                world::append(&mut conn, 3).await;
                log.publish(&mut conn, noon()).await.unwrap();
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let kept = world.publish().await;
    let trust = world.trust(&[&kept]).await;
    let found = verify_folder(&folder, &trust).unwrap();
    assert_eq!(
        (found.verdict, found.size, found.anchored),
        (Verdict::Ok, 97, true),
        "{found:?}"
    );
    assert!(
        files(&folder.path().join("entries"))
            .iter()
            .all(|name| !name.ends_with("part"))
    );
}
