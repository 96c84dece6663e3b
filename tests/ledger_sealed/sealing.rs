//! Entries get their places: without gaps, each once, whoever seals, and never anew.

use std::collections::BTreeSet;

use retentiond::ledger::audit::Verdict;
use retentiond::ledger::merkle::{Hash, leaf_hash, node_hash};
use retentiond::ledger::store;
use retentiond::ledger::tree::{is_consistent, root_by_inclusion};
use sqlx::{Connection, PgConnection};

use crate::support;
use crate::world::{self, World};

/// RFC 6962, section 2.1, over the leaves in the order of their places, from plain SQL.
async fn root_by_definition(conn: &mut PgConnection, size: usize) -> Hash {
    fn of(leaves: &[Hash]) -> Hash {
        match leaves {
            [leaf] => *leaf,
            leaves => {
                let mut k = 1;
                while k * 2 < leaves.len() {
                    k *= 2;
                }
                node_hash(&of(&leaves[..k]), &of(&leaves[k..]))
            }
        }
    }
    let bodies: Vec<Vec<u8>> = sqlx::query_scalar(
        "SELECT body FROM retentiond.ledger_seal JOIN retentiond.ledger_entry USING (entry_id)
         ORDER BY leaf_index",
    )
    .fetch_all(conn)
    .await
    .unwrap();
    let leaves: Vec<Hash> = bodies.iter().map(|body| leaf_hash(body)).collect();
    of(&leaves[..size])
}

#[tokio::test]
async fn the_root_and_every_proof_are_those_of_the_definition_at_every_length() {
    let mut world = World::empty().await;
    let conn = &mut world.conn;
    let empty = store::head(conn).await.unwrap();
    assert_eq!(
        (empty.size, hex::encode(empty.root)),
        (
            0,
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855".to_owned()
        )
    );
    let mut roots = vec![empty.root];
    for size in 1..=37_u64 {
        world::append(conn, 1).await;
        assert_eq!(store::seal(conn).await.unwrap(), 1);
        assert_eq!(store::seal(conn).await.unwrap(), 0);
        let head = store::head(conn).await.unwrap();
        let expected = root_by_definition(conn, usize::try_from(size).unwrap()).await;
        assert_eq!((head.size, head.root), (size, expected));
        roots.push(head.root);
    }
    let bodies: Vec<Vec<u8>> =
        sqlx::query_scalar("SELECT body FROM retentiond.ledger_entry ORDER BY entry_id")
            .fetch_all(&mut *conn)
            .await
            .unwrap();
    for size in [1, 2, 3, 8, 20, 37_u64] {
        let root = roots[usize::try_from(size).unwrap()];
        assert_eq!(store::root_at(conn, size).await.unwrap(), root);
        for index in 0..size {
            let path = store::inclusion(conn, index, size).await.unwrap();
            let leaf = leaf_hash(&bodies[usize::try_from(index).unwrap()]);
            assert_eq!(root_by_inclusion(leaf, index, size, &path), Some(root));
        }
        for old in 1..=size {
            let path = store::consistency(conn, old, size).await.unwrap();
            let before = roots[usize::try_from(old).unwrap()];
            assert!(
                is_consistent((old, before), (size, root), &path),
                "{old} in {size}"
            );
        }
    }
    assert!(store::inclusion(conn, 37, 37).await.is_err());
    assert!(store::root_at(conn, 38).await.is_err());
}

/// Writers commit out of the order of their numbers, and several seal at once.
#[tokio::test]
async fn whoever_seals_there_are_no_gaps_and_no_entry_has_two_places() {
    let world = World::empty().await;
    let mut late = support::client(&world.url).await;
    let mut open = late.begin().await.unwrap();
    world::append(&mut open, 3).await;
    let mut tasks = Vec::new();
    for _ in 0..4 {
        let url = world.url.clone();
        tasks.push(tokio::spawn(async move {
            let mut conn = support::client(&url).await;
            for _ in 0..15 {
                world::append(&mut conn, 2).await;
                store::seal(&mut conn).await.unwrap();
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    open.commit().await.unwrap();
    let mut conn = support::client(&world.url).await;
    assert_eq!(store::seal(&mut conn).await.unwrap(), 3);
    let sealed: Vec<(i64, i64)> =
        sqlx::query_as("SELECT leaf_index, entry_id FROM retentiond.ledger_seal ORDER BY 1")
            .fetch_all(&mut conn)
            .await
            .unwrap();
    let places: Vec<i64> = sealed.iter().map(|(place, _)| *place).collect();
    assert_eq!(places, (0..123).collect::<Vec<_>>());
    let ids: BTreeSet<i64> = sealed.iter().map(|(_, id)| *id).collect();
    assert_eq!(ids.len(), 123);
    // Those that were committed last have the lowest numbers and the last places.
    assert_eq!(
        sealed[120..].iter().map(|(_, id)| *id).collect::<Vec<_>>(),
        [1, 2, 3]
    );
    let found = world::verify(&mut conn, &Default::default()).await;
    assert_eq!(
        (found.verdict, found.size, found.unsealed),
        (Verdict::Ok, 123, 0)
    );
    assert_eq!(
        support::number(&world.url, "SELECT count(*) FROM retentiond.unsealed").await,
        0
    );
}

#[tokio::test]
async fn many_entries_are_sealed_in_several_turns() {
    let mut world = World::empty().await;
    let mut tx = world.conn.begin().await.unwrap();
    world::append(&mut tx, 4_500).await;
    tx.commit().await.unwrap();
    assert_eq!(store::seal(&mut world.conn).await.unwrap(), 4_500);
    let head = store::head(&mut world.conn).await.unwrap();
    let expected = root_by_definition(&mut world.conn, 4_500).await;
    assert_eq!((head.size, head.root), (4_500, expected));
}

#[tokio::test]
async fn an_entry_that_waits_twice_or_is_gone_has_no_place_of_its_own() {
    let mut world = World::with(5).await;
    let conn = &mut world.conn;
    sqlx::query("INSERT INTO retentiond.unsealed VALUES (2), (99)")
        .execute(&mut *conn)
        .await
        .unwrap();
    assert_eq!(store::seal(conn).await.unwrap(), 0);
    world::append(conn, 1).await;
    assert_eq!(store::seal(conn).await.unwrap(), 1);
    assert_eq!(store::size(conn).await.unwrap(), 6);
}

#[tokio::test]
async fn places_and_checkpoints_are_never_changed() {
    let world = World::with(3).await;
    for sql in [
        "UPDATE retentiond.ledger_seal SET entry_id = 9",
        "DELETE FROM retentiond.ledger_seal",
        "TRUNCATE retentiond.ledger_seal",
        "UPDATE retentiond.ledger_checkpoint SET size = 9",
        "DELETE FROM retentiond.ledger_checkpoint",
        "TRUNCATE retentiond.ledger_origin",
    ] {
        let mut conn = support::client(&world.url).await;
        let refused = sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
            .execute(&mut conn)
            .await;
        let error = refused.unwrap_err().to_string();
        assert!(error.contains("append-only"), "{sql}: {error}");
    }
}
