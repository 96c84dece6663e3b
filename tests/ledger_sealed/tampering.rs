//! Every way in which somebody who owns the database can change the log, with its verdict.
//! Only the checkpoint that was kept elsewhere, and the public key, are out of reach.

use retentiond::ledger::EntryId;
use retentiond::ledger::audit::{FirstBad, Trust, Verdict, Verification};
use retentiond::ledger::checkpoint::Checkpoint;
use retentiond::ledger::note::Key;
use retentiond::ledger::store::{self, Reading};
use sqlx::Connection;

use crate::support;
use crate::world::{self, World, noon};

fn bad(entry: u64, id: i64, what: &str) -> Option<FirstBad> {
    Some(FirstBad {
        entry: Some(entry),
        id: Some(EntryId(id)),
        what: what.to_owned(),
    })
}

fn said(found: &Verification) -> (Verdict, Option<FirstBad>) {
    (found.verdict, found.first_bad.clone())
}

#[tokio::test]
async fn an_untouched_log_is_ok_and_anchored_by_what_was_kept() {
    let mut world = World::with(11).await;
    let kept = world.publish().await;
    let found = world.verify(&[&kept]).await;
    assert_eq!(said(&found), (Verdict::Ok, None));
    assert!(found.anchored);
    assert_eq!((found.size, found.entries, found.records), (11, 11, 10));
    // One in the database, and the same from outside.
    assert_eq!((found.checkpoints, found.unsealed), (2, 0));
    assert_eq!(found.remarks, Vec::<String>::new());
    // Without anything from outside it is no less right, and less certain.
    let found = world.verify(&[]).await;
    assert_eq!((found.verdict, found.anchored), (Verdict::Ok, false));
    // Entries that are not sealed yet are counted, and change nothing.
    world::append(&mut world.conn, 2).await;
    let found = world.verify(&[&kept]).await;
    assert_eq!(
        (found.verdict, found.size, found.unsealed),
        (Verdict::Ok, 11, 2)
    );
}

#[tokio::test]
async fn what_is_changed_in_an_entry_or_in_its_place_is_tampering_and_the_first_is_named() {
    let mut world = World::with(11).await;
    let kept = world.publish().await;
    let trust = world.trust(&[&kept]).await;
    let nodes = "the hashes kept with it are not those of the entries up to it";
    for (sql, place, id, what) in [
        // Every column of an entry is in tests/ledger_store; here the places.
        ("UPDATE ledger_entry SET body = set_byte(body, 60, get_byte(body, 60) # 1) WHERE entry_id = 4",
            3, 4, "its hash is not that of its bytes"),
        ("UPDATE ledger_entry SET body = b, hash = sha256('\\x00'::bytea || b)
            FROM (SELECT set_byte(body, 29, 99) AS b FROM ledger_entry WHERE entry_id = 5) AS x WHERE entry_id = 5",
            4, 5, "its number is another in its bytes"),
        // A middle entry that is gone: with its place, without it, with everything of it.
        ("DELETE FROM ledger_entry WHERE entry_id = 7", 6, 7, "it is gone"),
        ("DELETE FROM ledger_manifest WHERE entry_id = 4; DELETE FROM ledger_entry WHERE entry_id = 4", 3, 4, "it is gone"),
        ("DELETE FROM ledger_seal WHERE leaf_index = 10; UPDATE ledger_seal SET leaf_index = 12 WHERE leaf_index = 9",
            9, 0, "it is gone"),
        // Two that changed places, or one that took another's.
        ("UPDATE ledger_seal SET leaf_index = -leaf_index - 100 WHERE leaf_index IN (3, 5);
          UPDATE ledger_seal SET leaf_index = CASE leaf_index WHEN -103 THEN 5 ELSE 3 END WHERE leaf_index < 0",
            3, 6, nodes),
        // What is derived.
        ("UPDATE ledger_seal SET nodes = set_byte(nodes, 0, get_byte(nodes, 0) # 8) WHERE leaf_index = 7", 7, 8, nodes),
        ("UPDATE ledger_seal SET nodes = nodes || nodes WHERE leaf_index = 5", 5, 6, nodes),
        ("UPDATE ledger_seal SET nodes = '' WHERE leaf_index = 1", 1, 2, nodes),
    ] {
        let sql = match sql.contains("leaf_index < 0") || sql.contains("= 12") {
            // The check of the column would be in the way of an honest attacker.
            true => format!("ALTER TABLE ledger_seal DROP CONSTRAINT ledger_seal_leaf_index_check; {sql}"),
            false => sql.to_owned(),
        };
        let found = world.after(&sql, &trust).await;
        assert_eq!(found.verdict, Verdict::Tampered, "{sql}\n{found:?}");
        let expected = match id {
            0 => Some(FirstBad { entry: Some(place), id: None, what: what.to_owned() }),
            id => bad(place, id, what),
        };
        assert_eq!(found.first_bad, expected, "{sql}");
    }
}

#[tokio::test]
async fn every_column_of_a_checkpoint_in_the_database_counts() {
    let mut world = World::with(11).await;
    let trust = world.trust(&[]).await;
    for (sql, remark) in [
        (
            "UPDATE ledger_checkpoint SET size = 10",
            "The checkpoint of 10 entries is kept as something else than it says.",
        ),
        (
            "UPDATE ledger_checkpoint SET root = set_byte(root, 0, get_byte(root, 0) # 1)",
            "The checkpoint of 11 entries is kept as something else than it says.",
        ),
        (
            "UPDATE ledger_checkpoint SET note = note || 'x'",
            "The checkpoint of 11 entries is none: it is not a signed note: it does not end in a signature and a newline.",
        ),
    ] {
        let found = world.after(sql, &trust).await;
        assert_eq!(said(&found), (Verdict::Tampered, None), "{sql}");
        assert_eq!(found.remarks, [remark], "{sql}");
    }
}

/// A log that is shorter than what was kept: its end cut off, or an old snapshot restored.
#[tokio::test]
async fn a_lost_tail_is_truncated() {
    let mut world = World::with(11).await;
    let kept = world.publish().await;
    let trust = world.trust(&[&kept]).await;
    let cut = "DELETE FROM ledger_manifest WHERE entry_id > 8; DELETE FROM ledger_entry WHERE entry_id > 8;
               DELETE FROM ledger_seal WHERE entry_id > 8";
    for sql in [
        cut.to_owned(),
        format!("{cut}; DELETE FROM ledger_checkpoint"),
    ] {
        let found = world.after(&sql, &trust).await;
        assert_eq!(found.verdict, Verdict::Truncated, "{sql}");
        assert_eq!(found.size, 8);
        assert_eq!(
            found.first_bad,
            Some(FirstBad {
                entry: Some(8),
                id: None,
                what: "the log ends before it".to_owned()
            })
        );
        assert!(
            found.remarks.contains(
                &"The checkpoint from outside speaks of 11 entries; the log has 8.".to_owned()
            ),
            "{:?}",
            found.remarks
        );
    }
    // Nothing that is left inside shows it, which is what checkpoints elsewhere are for.
    let inside = world.trust(&[]).await;
    let found = world
        .after(&format!("{cut}; DELETE FROM ledger_checkpoint"), &inside)
        .await;
    assert_eq!((found.verdict, found.anchored), (Verdict::Ok, false));
    // Only the entries themselves, their places still there: a hole, not an end.
    let found = world
        .after("DELETE FROM ledger_entry WHERE entry_id > 8", &trust)
        .await;
    assert_eq!(said(&found), (Verdict::Tampered, bad(8, 9, "it is gone")));
}

/// Wiped, filled with as many other entries, and sealed anew.
#[tokio::test]
async fn a_log_that_was_wiped_and_sealed_again_is_forked() {
    let mut world = World::with(11).await;
    let kept = world.publish().await;
    let trust = world.trust(&[&kept]).await;
    let origin = store::origin(&mut world.conn).await.unwrap();
    for resigned in [false, true] {
        let mut tx = world.conn.begin().await.unwrap();
        world::tamper(
            &mut tx,
            "DELETE FROM ledger_checkpoint; DELETE FROM ledger_seal; DELETE FROM ledger_manifest;
             DELETE FROM ledger_entry; SELECT setval('ledger_entry_id', 100)",
        )
        .await;
        world::append(&mut tx, 11).await;
        store::seal(&mut tx).await.unwrap();
        if resigned {
            let other = Key::new(&origin, &[66; 32]).unwrap();
            store::checkpoint(&mut tx, &other, noon())
                .await
                .unwrap()
                .unwrap();
        }
        let found = world::verify(&mut tx, &trust).await;
        tx.rollback().await.unwrap();
        assert_eq!(said(&found), (Verdict::Forked, None));
        let forked = "The checkpoint from outside of 11 entries has another root: something in entries 0 to 10 is not what was signed.";
        assert!(
            found.remarks.iter().any(|remark| remark == forked),
            "{:?}",
            found.remarks
        );
        assert_eq!(found.remarks.len(), if resigned { 2 } else { 1 });
    }
}

/// Rewritten from an entry on, everything that is derived with it, and longer by now.
#[tokio::test]
async fn a_log_that_was_rewritten_in_the_middle_is_forked_between_two_checkpoints() {
    let mut world = World::with(4).await;
    let first = world.publish().await;
    world::append(&mut world.conn, 7).await;
    let second = world.publish().await;
    let trust = world.trust(&[&first, &second]).await;
    let mut tx = world.conn.begin().await.unwrap();
    world::tamper(
        &mut tx,
        "DELETE FROM ledger_checkpoint; DELETE FROM ledger_seal WHERE entry_id > 6;
         DELETE FROM ledger_manifest WHERE entry_id > 6; DELETE FROM ledger_entry WHERE entry_id > 6",
    )
    .await;
    world::append(&mut tx, 9).await;
    store::seal(&mut tx).await.unwrap();
    let found = world::verify(&mut tx, &trust).await;
    tx.rollback().await.unwrap();
    assert_eq!(said(&found), (Verdict::Forked, None));
    assert_eq!(
        found.remarks,
        [
            "The checkpoint from outside of 11 entries has another root: something in entries 4 to 10 is not what was signed."
        ]
    );
}

#[tokio::test]
async fn a_forged_checkpoint_and_a_replaced_key_are_tampering() {
    let mut world = World::with(11).await;
    let kept = world.publish().await;
    let trust = world.trust(&[&kept]).await;
    let origin = store::origin(&mut world.conn).await.unwrap();
    let head = store::head(&mut world.conn).await.unwrap();
    let stranger = Key::new(&origin, &[66; 32]).unwrap();
    let forged = Checkpoint {
        origin: origin.clone(),
        size: head.size,
        root: head.root,
    }
    .sign(&stranger);
    // In the database, signed by another key.
    let sql = format!("UPDATE ledger_checkpoint SET note = '{forged}'");
    let found = world.after(&sql, &trust).await;
    assert_eq!(said(&found), (Verdict::Tampered, None));
    assert_eq!(
        found.remarks,
        [
            "The checkpoint of 11 entries is not to be believed: it is signed by no key that is known."
        ]
    );
    // In the database, with the known key's name and somebody's signature.
    let known = trust.keys[0].clone();
    let line = kept.split("\n\n").nth(1).unwrap();
    let moved = format!("{origin}\n11\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n{line}");
    let sql = format!(
        "UPDATE ledger_checkpoint SET note = '{moved}', root = decode('47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=', 'base64')"
    );
    let found = world.after(&sql, &trust).await;
    assert_eq!(said(&found), (Verdict::Tampered, None));
    let remark = format!(
        "The checkpoint of 11 entries is not to be believed: the signature of {} is not of this text.",
        known.name()
    );
    assert_eq!(found.remarks, [remark]);
    // From outside, forged.
    let trust = Trust {
        keys: vec![known],
        checkpoints: vec![forged],
    };
    let found = world::verify(&mut world.conn, &trust).await;
    assert_eq!((found.verdict, found.anchored), (Verdict::Tampered, false));
    // The key was replaced: whoever kept the old one does not believe what the new one signed.
    let trust = Trust {
        keys: vec![stranger.verifier()],
        checkpoints: vec![kept],
    };
    let found = world::verify(&mut world.conn, &trust).await;
    assert_eq!((found.verdict, found.anchored), (Verdict::Tampered, false));
}

#[tokio::test]
async fn without_a_key_it_says_what_it_could_not_check() {
    let mut world = World::with(3).await;
    let found = world::verify(&mut world.conn, &Trust::default()).await;
    assert_eq!(found.verdict, Verdict::Incomplete);
    assert_eq!(
        found.remarks,
        ["No public key is known, so that no signature was checked (checkpoints: 1)."]
    );
}

/// Only what came after a checkpoint is read; what lies before is held against it.
#[tokio::test]
async fn from_a_checkpoint_on_only_the_rest_is_read_and_a_rewritten_beginning_shows_all_the_same() {
    let mut world = World::with(6).await;
    let kept = world.publish().await;
    world::append(&mut world.conn, 5).await;
    world.publish().await;
    let trust = world.trust(&[&kept]).await;
    let checkpoint = Checkpoint::open(&kept, &trust.keys).unwrap();
    let reading = Reading::After(checkpoint);
    let found = store::verify(&mut world.conn, &trust, &reading, |_| ())
        .await
        .unwrap();
    assert_eq!(
        (found.verdict, found.anchored, found.size, found.entries),
        (Verdict::Ok, true, 11, 5)
    );
    let full = world.verify(&[&kept]).await;
    assert_eq!((found.root, found.verdict), (full.root, full.verdict));
    // The hashes kept of the beginning are not those of the checkpoint: everything is read.
    let mut tx = world.conn.begin().await.unwrap();
    world::tamper(
        &mut tx,
        "UPDATE ledger_seal SET nodes = set_byte(nodes, 33, 1) WHERE leaf_index = 3",
    )
    .await;
    let found = store::verify(&mut tx, &trust, &reading, |_| ())
        .await
        .unwrap();
    tx.rollback().await.unwrap();
    assert_eq!((found.verdict, found.entries), (Verdict::Tampered, 11));
    assert_eq!(found.first_bad.unwrap().entry, Some(3));
}

#[tokio::test]
async fn details_that_an_entry_says_were_dropped_are_told_and_others_are_tampering() {
    let mut world = World::with(6).await;
    let dropped = "DELETE FROM ledger_manifest";
    let trust = world.trust(&[]).await;
    let found = world.after(dropped, &trust).await;
    assert_eq!(
        said(&found),
        (Verdict::Tampered, bad(1, 2, "its records are gone"))
    );
    assert_eq!(found.bad, 3);
    for id in store::next_entry_ids(&mut world.conn, 1).await.unwrap() {
        let mut entry = retentiond::ledger::Entry::new(
            id,
            noon(),
            retentiond::ledger::Action::DetailsDropped,
            "service",
        );
        entry.detail.insert("year".to_owned(), "2026".to_owned());
        store::append(&mut world.conn, &entry, None).await.unwrap();
    }
    world.publish().await;
    let trust = world.trust(&[]).await;
    let found = world.after(dropped, &trust).await;
    assert_eq!(said(&found), (Verdict::Ok, None));
    let years: Vec<(i32, Option<u64>)> = found.dropped.iter().map(|d| (d.year, d.entry)).collect();
    assert_eq!(years, [(2026, Some(6))]);
    // One that is missing while its year was not dropped stays a fault.
    let other = "DELETE FROM ledger_manifest WHERE entry_id = 2;
                 UPDATE ledger_entry SET at = at WHERE false";
    assert_eq!(world.after(other, &trust).await.verdict, Verdict::Ok);
    assert_eq!(
        support::number(
            &world.url,
            "SELECT count(*) FROM retentiond.ledger_manifest"
        )
        .await,
        3
    );
}
