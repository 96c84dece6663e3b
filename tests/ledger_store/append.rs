//! Writing.

use chrono::{TimeZone, Utc};
use retentiond::ledger::audit::{Trust, Verdict};
use retentiond::ledger::note::Key;
use retentiond::ledger::store::{
    LedgerError, Reading, STATEMENTS, append, checkpoint, next_entry_ids, origin, seal, verify,
};
use retentiond::ledger::{Action, Entry, EntryId};
use sqlx::{Connection, Executor};

use crate::database::{attempt, deleted, look, manifest, migrated, noon, run};

#[tokio::test]
async fn every_statement_fits_the_migrated_tables() {
    let mut conn = migrated("ledger_statements").await;
    for statement in STATEMENTS {
        let text = sqlx::SqlStr::from_static(statement);
        (&mut conn).prepare(text).await.expect(statement);
    }
    assert_eq!(STATEMENTS.len(), 33);
}

#[tokio::test]
async fn an_entry_that_contradicts_its_manifest_is_not_written() {
    let mut conn = migrated("ledger_contradictions").await;
    let records = manifest(&[1, 2], None, 1);
    let entry = deleted(1, "correspondence", &records);
    let refused = |result: Result<(), LedgerError>| result.unwrap_err().to_string();

    let root = "entry 1 was not written: its root is not the manifest's";
    assert_eq!(refused(append(&mut conn, &entry, None).await), root);
    let other = manifest(&[1, 2], None, 2);
    assert_eq!(refused(append(&mut conn, &entry, Some(&other)).await), root);
    let more = Entry {
        count: 3,
        ..entry.clone()
    };
    assert_eq!(
        refused(append(&mut conn, &more, Some(&records)).await),
        "entry 1 was not written: its count is not the manifest's"
    );
    let nowhere = Entry {
        table: None,
        ..entry.clone()
    };
    assert_eq!(
        refused(append(&mut conn, &nowhere, Some(&records)).await),
        "entry 1 was not written: it has records but no table"
    );

    let verified = look(&mut conn).await;
    assert_eq!(verified.entries, 0);
    append(&mut conn, &entry, Some(&records)).await.unwrap();
}

#[tokio::test]
async fn an_entry_and_its_manifest_go_with_the_transaction() {
    let mut conn = migrated("ledger_rollback").await;
    let records = manifest(&[1], None, 1);
    let mut transaction = conn.begin().await.unwrap();
    let ids = next_entry_ids(&mut transaction, 1).await.unwrap();
    let entry = deleted(1, "correspondence", &records);
    append(&mut transaction, &entry, Some(&records))
        .await
        .unwrap();
    transaction.rollback().await.unwrap();
    assert_eq!(ids, [EntryId(1)]);

    let verified = look(&mut conn).await;
    assert_eq!((verified.verdict, verified.entries), (Verdict::Ok, 0));
    // The number is gone, which is no fault.
    let ids = next_entry_ids(&mut conn, 2).await.unwrap();
    assert_eq!(ids, [EntryId(2), EntryId(3)]);
    let entry = deleted(3, "correspondence", &records);
    append(&mut conn, &entry, Some(&records)).await.unwrap();
    let verified = look(&mut conn).await;
    assert_eq!(
        (verified.verdict, verified.entries, verified.records),
        (Verdict::Ok, 1, 1)
    );
}

#[tokio::test]
async fn a_number_is_used_once() {
    let mut conn = migrated("ledger_twice").await;
    let entry = Entry::new(EntryId(1), noon(), Action::Verified, "service");
    append(&mut conn, &entry, None).await.unwrap();
    let twice = append(&mut conn, &entry, None).await.unwrap_err();
    assert_eq!(twice.to_string(), "the ledger could not be written");
}

#[tokio::test]
async fn records_lie_in_the_year_of_their_entry_in_utc_whatever_the_session_s_zone() {
    let mut conn = migrated("ledger_years").await;
    run(&mut conn, "SET timezone = 'Pacific/Auckland'").await;
    let records = manifest(&[1], None, 1);
    for (id, year, month, day, hour, partition) in [
        (1, 2026, 12, 31, 23, "ledger_manifest_2026"),
        (2, 2027, 1, 1, 0, "ledger_manifest_2027"),
        (3, 2060, 6, 1, 0, "ledger_manifest_2060"),
        (4, 2061, 6, 1, 0, "ledger_manifest_other"),
        (5, 1999, 6, 1, 0, "ledger_manifest_other"),
    ] {
        let at = Utc
            .with_ymd_and_hms(year, month, day, hour, 59, 59)
            .unwrap();
        let entry = Entry {
            at,
            ..deleted(id, "correspondence", &records)
        };
        append(&mut conn, &entry, Some(&records)).await.unwrap();
        let lies_in: String = sqlx::query_scalar(
            "SELECT relname::text
             FROM retentiond.ledger_manifest AS m JOIN pg_class AS c ON c.oid = m.tableoid
             WHERE entry_id = $1",
        )
        .bind(id)
        .fetch_one(&mut conn)
        .await
        .unwrap();
        assert_eq!(lies_in, partition);
    }
    let verified = look(&mut conn).await;
    assert_eq!((verified.verdict, verified.records), (Verdict::Ok, 5));
}

#[tokio::test]
async fn select_and_insert_are_all_that_a_service_needs() {
    let mut conn = migrated("ledger_service").await;
    run(
        &mut conn,
        "CREATE ROLE ledger_service_role;
         GRANT USAGE ON SCHEMA retentiond TO ledger_service_role;
         GRANT SELECT, INSERT ON retentiond.ledger_entry, retentiond.ledger_manifest,
            retentiond.ledger_seal, retentiond.ledger_checkpoint, retentiond.ledger_origin
            TO ledger_service_role;
         GRANT SELECT, INSERT, DELETE ON retentiond.unsealed TO ledger_service_role;
         GRANT USAGE ON SEQUENCE retentiond.ledger_entry_id TO ledger_service_role;
         SET ROLE ledger_service_role",
    )
    .await;
    let id = next_entry_ids(&mut conn, 1).await.unwrap()[0];
    let records = manifest(&[1], None, 1);
    let entry = deleted(id.0, "correspondence", &records);
    append(&mut conn, &entry, Some(&records)).await.unwrap();
    assert_eq!(seal(&mut conn).await.unwrap(), 1);
    let key = Key::new(&origin(&mut conn).await.unwrap(), &[7; 32]).unwrap();
    assert!(checkpoint(&mut conn, &key, noon()).await.unwrap().is_some());
    let trust = Trust {
        keys: vec![key.verifier()],
        checkpoints: Vec::new(),
    };
    let verified = verify(&mut conn, &trust, &Reading::Whole, |_| {})
        .await
        .unwrap();
    assert_eq!(
        (
            verified.verdict,
            verified.records,
            verified.size,
            verified.checkpoints
        ),
        (Verdict::Ok, 1, 1, 1)
    );
    let change = "DELETE FROM retentiond.ledger_entry";
    assert!(attempt(&mut conn, change).await.is_err());
}
