//! The log's keys: made once, rotated under the old one's signature, and missed.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use retentiond::ledger::audit::{Trust, Verdict};
use retentiond::ledger::keychange::KeyChange;
use retentiond::ledger::keyring::KeyError;
use retentiond::ledger::publish::{Log, LogError};
use retentiond::ledger::store;
use retentiond::ledger::{Action, Entry};

use crate::world::{self, World, noon};

#[tokio::test]
async fn a_key_is_made_once_for_its_owner_alone() {
    let mut world = World::with(2).await;
    let origin = store::origin(&mut world.conn).await.unwrap();
    let keyring = world.places().keyring(&origin);
    let path = keyring.private_path();
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let text = fs::read_to_string(&path).unwrap();
    world.publish().await;
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    assert_eq!(keyring.public().unwrap().len(), 1);
    // Nothing of it is in the database.
    let secret = text.trim().rsplit('+').next().unwrap();
    let dumped: Vec<String> = crate::support::texts(
        &world.url,
        "SELECT query_to_xml(format('SELECT * FROM retentiond.%I', relname), true, false, '')::text
         FROM pg_class WHERE relnamespace = 'retentiond'::regnamespace AND relkind = 'r'",
    )
    .await;
    assert!(dumped.len() > 10);
    assert!(dumped.iter().all(|table| !table.contains(secret)));
    // Others can read it: it signs nothing more.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let places = world.places();
    let refused = Log::open(&mut world.conn, &places).await.unwrap_err();
    assert!(
        matches!(refused, LogError::Key(KeyError::Open(_))),
        "{refused}"
    );
}

#[tokio::test]
async fn a_log_that_was_signed_gets_no_new_key_by_itself() {
    let mut world = World::with(2).await;
    let origin = store::origin(&mut world.conn).await.unwrap();
    fs::remove_file(world.places().keyring(&origin).private_path()).unwrap();
    let places = world.places();
    let refused = Log::open(&mut world.conn, &places).await.unwrap_err();
    assert!(
        matches!(refused, LogError::Key(KeyError::Missing { .. })),
        "{refused}"
    );
}

#[tokio::test]
async fn a_new_key_is_believed_by_whoever_believes_the_old_one_and_no_other() {
    let mut world = World::with(4).await;
    let origin = store::origin(&mut world.conn).await.unwrap();
    let keyring = world.places().keyring(&origin);
    let old = keyring.private(&origin).unwrap().unwrap();
    let new = keyring.prepare_next(&origin).unwrap();
    let change = KeyChange::sign(&old, &new.verifier());
    for id in store::next_entry_ids(&mut world.conn, 1).await.unwrap() {
        let mut entry = Entry::new(id, noon(), Action::KeyChanged, "ada");
        change.write(&mut entry);
        store::append(&mut world.conn, &entry, None).await.unwrap();
    }
    keyring.take_next(&new).unwrap();
    world::append(&mut world.conn, 2).await;
    let kept = world.publish().await;
    assert!(kept.contains(&origin));
    let only = |key: &retentiond::ledger::note::Key| Trust {
        keys: vec![key.verifier()],
        checkpoints: vec![kept.clone()],
    };
    let found = world::verify(&mut world.conn, &only(&old)).await;
    assert_eq!(
        (found.verdict, found.anchored, found.checkpoints),
        (Verdict::Ok, true, 3),
        "{found:?}"
    );
    // The new one alone says nothing of what was signed before it.
    let found = world::verify(&mut world.conn, &only(&new)).await;
    assert_eq!((found.verdict, found.first_bad), (Verdict::Tampered, None));
    let both = Trust {
        keys: vec![old.verifier(), new.verifier()],
        checkpoints: vec![kept.clone()],
    };
    let found = world::verify(&mut world.conn, &both).await;
    assert_eq!((found.verdict, found.anchored), (Verdict::Ok, true));
    let stranger = retentiond::ledger::note::Key::new(&origin, &[66; 32]).unwrap();
    let found = world::verify(&mut world.conn, &only(&stranger)).await;
    assert_eq!(found.verdict, Verdict::Tampered);
    // A change that the old key did not sign leads nowhere, and is a fault of its own.
    let forged = KeyChange::sign(&stranger, &stranger.verifier());
    for id in store::next_entry_ids(&mut world.conn, 1).await.unwrap() {
        let mut entry = Entry::new(id, noon(), Action::KeyChanged, "mallory");
        forged.write(&mut entry);
        entry
            .detail
            .insert("old".to_owned(), new.verifier().to_string());
        store::append(&mut world.conn, &entry, None).await.unwrap();
    }
    world.publish().await;
    let found = world::verify(&mut world.conn, &both).await;
    assert_eq!(found.verdict, Verdict::Tampered);
    let bad = found.first_bad.unwrap();
    assert_eq!(
        (bad.entry, bad.what.as_str()),
        (Some(7), "it is a change of keys that is none")
    );
}

/// Somebody who owns the database and the published folder, but not the key, rewrites the log
/// and lets a key of his own hand over to ours.
#[tokio::test]
async fn nobody_makes_his_key_believed_by_signing_that_ours_follows_it() {
    let mut world = World::with(2).await;
    let trust = world.trust(&[]).await;
    let origin = store::origin(&mut world.conn).await.unwrap();
    let theirs = retentiond::ledger::note::Key::new(&origin, &[66; 32]).unwrap();
    let change = KeyChange::sign(&theirs, &trust.keys[0]);
    let mut tx = sqlx::Connection::begin(&mut world.conn).await.unwrap();
    world::tamper(
        &mut tx,
        "DELETE FROM ledger_checkpoint; DELETE FROM ledger_seal; DELETE FROM ledger_manifest;
         DELETE FROM ledger_entry",
    )
    .await;
    for id in store::next_entry_ids(&mut tx, 1).await.unwrap() {
        let mut entry = Entry::new(id, noon(), Action::KeyChanged, "mallory");
        change.write(&mut entry);
        store::append(&mut tx, &entry, None).await.unwrap();
    }
    store::seal(&mut tx).await.unwrap();
    let signed = store::checkpoint(&mut tx, &theirs, noon())
        .await
        .unwrap()
        .unwrap();
    let trust = Trust {
        checkpoints: vec![signed.note],
        ..trust
    };
    let found = world::verify(&mut tx, &trust).await;
    assert_eq!(
        (found.verdict, found.anchored),
        (Verdict::Tampered, false),
        "{found:?}"
    );
}

/// Two services that start on one new log at the same time sign with one key.
#[tokio::test]
async fn of_two_that_need_a_first_key_both_take_one() {
    let folder = tempfile::tempdir().unwrap();
    let keyring = retentiond::ledger::keyring::Keyring::new(folder.path().join("log"), None);
    let first = keyring.make_first("retentiond/x").unwrap();
    // The other had looked before the first was there.
    let second = keyring.make_first("retentiond/x").unwrap();
    assert_eq!(first.verifier(), second.verifier());
    let kept = keyring.private("retentiond/x").unwrap().unwrap();
    assert_eq!(kept.verifier(), first.verifier());
    assert_eq!(fs::read_dir(folder.path().join("log")).unwrap().count(), 1);
}
