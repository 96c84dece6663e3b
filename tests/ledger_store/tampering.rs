//! Whoever can disable a trigger can change a byte; verification names the entry.

use retentiond::ledger::EntryId;
use retentiond::ledger::audit::{FirstBad, Trust, Verdict, Verification};
use retentiond::ledger::store::{Progress, Reading, append, verify};
use serde_json::json;
use sqlx::{Connection, PgConnection};

use crate::database::{deleted, look, manifest, migrated, run, small_ledger};

/// What verification says after `sql`, done by a superuser without the triggers, and
/// undone afterwards.
async fn after(conn: &mut PgConnection, sql: &str) -> Verification {
    let mut transaction = conn.begin().await.unwrap();
    run(
        &mut transaction,
        "ALTER TABLE retentiond.ledger_entry DISABLE TRIGGER USER;
         ALTER TABLE retentiond.ledger_manifest DISABLE TRIGGER USER;
         SET LOCAL search_path = retentiond, pg_catalog",
    )
    .await;
    run(&mut transaction, sql).await;
    let found = look(&mut transaction).await;
    transaction.rollback().await.unwrap();
    found
}

fn bad(entry: i64, what: &str) -> Option<FirstBad> {
    Some(FirstBad {
        entry: None,
        id: Some(EntryId(entry)),
        what: what.to_owned(),
    })
}

#[tokio::test]
async fn an_untouched_ledger_is_ok_and_unanchored() {
    let mut conn = small_ledger("ledger_untouched").await;
    let mut heard = Vec::new();
    let found = verify(&mut conn, &Trust::default(), &Reading::Whole, |progress| {
        heard.push(progress)
    })
    .await
    .unwrap();
    let all = Progress {
        entries: 4,
        records: 5,
    };
    // After each page: of the sealed entries, of which there are none, and of the others.
    let none = Progress {
        entries: 0,
        records: 0,
    };
    assert_eq!(heard, [none, all]);
    assert_eq!(
        found.to_json(),
        json!({ "verify": {
            "verdict": "OK", "anchored": false, "size": 0,
            "root": "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
            "unsealed": 4, "entries": 4, "records": 5, "checkpoints": 0, "first_bad": null,
            "remarks": [], "dropped": [],
        } })
    );
}

#[tokio::test]
async fn every_changed_column_of_an_entry_is_found_and_the_entry_named() {
    let mut conn = small_ledger("ledger_columns").await;
    for (change, entry, what) in [
        (
            "body = set_byte(body, 60, get_byte(body, 60) # 1)",
            2,
            "its hash is not that of its bytes",
        ),
        (
            "body = body || '\\x00'",
            4,
            "its hash is not that of its bytes",
        ),
        (
            "hash = set_byte(hash, 31, get_byte(hash, 31) # 128)",
            1,
            "its hash is not that of its bytes",
        ),
        (
            "at = at + interval '1 microsecond'",
            4,
            "its time is another in its bytes",
        ),
        (
            "action = 'flagged'",
            2,
            "its action is another in its bytes",
        ),
        (
            "class_id = 'foi-requests'",
            3,
            "its class is another in its bytes",
        ),
        ("class_id = NULL", 3, "its class is another in its bytes"),
        (
            "class_id = 'foi-requests'",
            1,
            "its class is another in its bytes",
        ),
        (
            "table_name = 'public.media'",
            2,
            "its table is another in its bytes",
        ),
        ("run_id = 8", 2, "its pass is another in its bytes"),
        ("run_id = NULL", 2, "its pass is another in its bytes"),
        ("count = 2", 2, "its count is another in its bytes"),
    ] {
        let change = format!("UPDATE ledger_entry SET {change} WHERE entry_id = {entry}");
        let found = after(&mut conn, &change).await;
        assert_eq!(found.first_bad, bad(entry, what), "{change}");
        assert_eq!(
            (found.verdict, found.bad),
            (Verdict::Tampered, 1),
            "{change}"
        );
    }
    let renumbered = "UPDATE ledger_entry SET entry_id = 9 WHERE entry_id = 1";
    let found = after(&mut conn, renumbered).await;
    assert_eq!(
        found.first_bad,
        bad(9, "its number is another in its bytes")
    );
}

#[tokio::test]
async fn every_changed_column_of_a_manifest_is_found_and_the_entry_named() {
    let mut conn = small_ledger("ledger_manifest_columns").await;
    for (change, what) in [
        ("year = 2027", "its records lie in another year"),
        (
            "table_name = 'public.media'",
            "its records are marked as another table's",
        ),
        (
            "seed = set_byte(seed, 0, 9)",
            "its records do not have the root that it states",
        ),
        (
            "filter = set_byte(filter, 2, get_byte(filter, 2) # 1)",
            "its filter is not that of its records",
        ),
        ("filter = ''", "its filter is not that of its records"),
        ("records = records || '\\x00'", "its records cannot be read"),
        ("records = ''", "its records cannot be read"),
        ("entry_id = 4", "its records are gone"),
    ] {
        let change = format!("UPDATE ledger_manifest SET {change} WHERE entry_id = 3");
        let found = after(&mut conn, &change).await;
        assert_eq!(found.first_bad, bad(3, what), "{change}");
        assert_eq!(found.verdict, Verdict::Tampered, "{change}");
        assert_eq!(found.unsealed, 4, "{change}");
    }
}

#[tokio::test]
async fn every_byte_of_a_manifest_counts() {
    let mut conn = small_ledger("ledger_every_byte").await;
    for column in ["seed", "filter", "records"] {
        let length = format!(
            "SELECT octet_length({column}) FROM retentiond.ledger_manifest WHERE entry_id = 3"
        );
        let length: i32 = sqlx::query_scalar(sqlx::AssertSqlSafe(length))
            .fetch_one(&mut conn)
            .await
            .unwrap();
        for byte in 0..length {
            let change = format!(
                "UPDATE ledger_manifest
                 SET {column} = set_byte({column}, {byte}, get_byte({column}, {byte}) # 4)
                 WHERE entry_id = 3"
            );
            let found = after(&mut conn, &change).await;
            let named = found.first_bad.and_then(|bad| bad.id);
            assert_eq!(named, Some(EntryId(3)), "{change}");
            assert_ne!(found.verdict, Verdict::Ok, "{change}");
        }
    }
}

#[tokio::test]
async fn rows_taken_away_added_or_exchanged_are_found() {
    let mut conn = small_ledger("ledger_rows").await;
    for (change, entry, what, number) in [
        (
            "DELETE FROM ledger_entry WHERE entry_id = 2",
            2,
            "it is gone, and its records are there",
            1,
        ),
        (
            "DELETE FROM ledger_entry",
            2,
            "it is gone, and its records are there",
            2,
        ),
        ("DELETE FROM ledger_manifest", 2, "its records are gone", 2),
        (
            "INSERT INTO ledger_manifest
             SELECT entry_id, 2027, table_name, seed, filter, records
             FROM ledger_manifest WHERE entry_id = 3",
            3,
            "it has records in two years",
            1,
        ),
        (
            "INSERT INTO ledger_manifest
             SELECT 1, year, table_name, seed, filter, records
             FROM ledger_manifest WHERE entry_id = 3",
            1,
            "records were added to it",
            1,
        ),
        (
            "CREATE TEMP TABLE kept AS SELECT * FROM ledger_manifest;
             DELETE FROM ledger_manifest;
             INSERT INTO ledger_manifest
             SELECT 5 - entry_id, year,
                CASE entry_id WHEN 2 THEN 'public.attachment' ELSE 'public.correspondence' END,
                seed, filter, records
             FROM kept",
            2,
            "its records do not have the root that it states",
            2,
        ),
        // Bytes and hash agree with each other, and belong elsewhere.
        (
            "UPDATE ledger_entry AS e SET body = o.body, hash = o.hash
             FROM ledger_entry AS o WHERE e.entry_id = 2 AND o.entry_id = 3",
            2,
            "its number is another in its bytes",
            1,
        ),
        (
            "UPDATE ledger_entry SET body = 'x', hash = sha256('\\x00'::bytea || 'x'::bytea)
             WHERE entry_id = 1",
            1,
            "its bytes are not those of an entry",
            1,
        ),
    ] {
        let found = after(&mut conn, change).await;
        assert_eq!(found.first_bad, bad(entry, what), "{change}");
        assert_eq!(
            (found.verdict, found.bad),
            (Verdict::Tampered, number),
            "{change}"
        );
    }
}

#[tokio::test]
async fn what_a_newer_program_wrote_is_incomplete_and_not_tampered() {
    let mut conn = small_ledger("ledger_newer").await;
    let action = "UPDATE ledger_entry AS e
         SET body = n.body, hash = sha256('\\x00'::bytea || n.body)
         FROM (
            SELECT entry_id,
                overlay(body PLACING 'revived'::bytea FROM position('deleted'::bytea IN body)) AS body
            FROM ledger_entry WHERE entry_id = 2
         ) AS n
         WHERE e.entry_id = n.entry_id";
    let version = "UPDATE ledger_manifest SET records = set_byte(records, 3, 2) WHERE entry_id = 2";
    for (change, what) in [
        (action, "it was written by a newer program"),
        (version, "its records were written by a newer program"),
    ] {
        let found = after(&mut conn, change).await;
        assert_eq!(found.first_bad, bad(2, what), "{change}");
        assert_eq!(
            (found.verdict, found.bad, found.unread),
            (Verdict::Incomplete, 0, 1),
            "{change}"
        );
    }
    // What is wrong is said before what is unread.
    let both = format!("{version}; UPDATE ledger_entry SET count = 7 WHERE entry_id = 4");
    let found = after(&mut conn, &both).await;
    assert_eq!(found.verdict, Verdict::Tampered);
    assert_eq!(found.first_bad, bad(4, "its count is another in its bytes"));
}

#[tokio::test]
async fn a_lost_tail_is_not_seen_without_a_checkpoint_which_is_why_it_says_unanchored() {
    let mut conn = small_ledger("ledger_tail").await;
    let found = after(&mut conn, "DELETE FROM ledger_entry WHERE entry_id = 4").await;
    assert_eq!(
        (found.verdict, found.entries, found.anchored),
        (Verdict::Ok, 3, false)
    );
}

#[tokio::test]
async fn a_ledger_of_many_pages_is_read_to_its_end() {
    let mut conn = migrated("ledger_pages").await;
    let mut transaction = conn.begin().await.unwrap();
    for id in 1..=1_201 {
        let records = manifest(&[id, id + 1], None, (id % 251) as u8);
        let entry = deleted(id, "correspondence", &records);
        append(&mut transaction, &entry, Some(&records))
            .await
            .unwrap();
    }
    transaction.commit().await.unwrap();
    let mut heard = Vec::new();
    let found = verify(&mut conn, &Trust::default(), &Reading::Whole, |progress| {
        heard.push(progress.entries)
    })
    .await
    .unwrap();
    assert_eq!(heard, [0, 500, 1000, 1201]);
    assert_eq!(
        (found.verdict, found.entries, found.records),
        (Verdict::Ok, 1_201, 2_402)
    );

    let last = "UPDATE ledger_entry SET count = 9 WHERE entry_id IN (1000, 1201)";
    let found = after(&mut conn, last).await;
    assert_eq!(found.bad, 2);
    assert_eq!(
        found.first_bad,
        bad(1000, "its count is another in its bytes")
    );
}
