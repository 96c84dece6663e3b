//! Nobody changes a line by accident: not the owner, not a superuser.

use sqlx::PgConnection;

use crate::database::{attempt, empty, migrate, migrated, run, small_ledger};

/// The entries' table, the manifests' table, and each of its partitions.
async fn tables(conn: &mut PgConnection) -> Vec<String> {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT relid::regclass::text FROM pg_partition_tree('retentiond.ledger_manifest')
         UNION ALL
         SELECT 'retentiond.ledger_entry'
         ORDER BY 1",
    )
    .fetch_all(conn)
    .await
    .unwrap();
    // 2024 to 2060, every other year, and the two that are named above.
    assert_eq!(tables.len(), 37 + 1 + 2);
    tables
}

fn changes(table: &str) -> [String; 5] {
    [
        format!("UPDATE {table} SET entry_id = entry_id"),
        format!("UPDATE {table} SET table_name = 'public.other' WHERE entry_id = 2"),
        format!("DELETE FROM {table}"),
        format!("TRUNCATE {table}"),
        format!("DELETE FROM {table} WHERE false"),
    ]
}

async fn refused_with(conn: &mut PgConnection, sql: &str, message: &str) {
    let error = attempt(conn, sql).await.expect_err(sql);
    let error = error.as_database_error().expect(sql);
    assert_eq!(error.code().as_deref(), Some("42501"), "{sql}");
    let said = error.message();
    assert!(said.contains(message), "{sql}: {said}");
}

#[tokio::test]
async fn a_superuser_s_statement_is_refused_on_every_table_and_partition() {
    let mut conn = small_ledger("ledger_superuser").await;
    for table in tables(&mut conn).await {
        for change in changes(&table) {
            refused_with(&mut conn, &change, "the ledger is append-only").await;
        }
    }
}

#[tokio::test]
async fn as_a_replica_s_applier_a_superuser_is_refused_too() {
    let mut conn = small_ledger("ledger_replica").await;
    run(&mut conn, "SET session_replication_role = replica").await;
    for table in tables(&mut conn).await {
        for change in changes(&table) {
            refused_with(&mut conn, &change, "the ledger is append-only").await;
        }
    }
}

#[tokio::test]
async fn an_insert_that_would_update_is_refused() {
    let mut conn = small_ledger("ledger_upsert").await;
    let upsert = "INSERT INTO retentiond.ledger_entry
         SELECT * FROM retentiond.ledger_entry WHERE entry_id = 2
         ON CONFLICT (entry_id) DO UPDATE SET count = 0";
    refused_with(&mut conn, upsert, "the ledger is append-only").await;
}

#[tokio::test]
async fn an_owner_has_given_up_the_privilege() {
    let mut conn = empty("ledger_owner").await;
    run(
        &mut conn,
        "CREATE ROLE ledger_owner_role;
         ALTER SCHEMA retentiond OWNER TO ledger_owner_role;
         SET ROLE ledger_owner_role",
    )
    .await;
    migrate(&mut conn).await;
    for table in tables(&mut conn).await {
        for change in changes(&table) {
            refused_with(&mut conn, &change, "permission denied for table").await;
        }
    }
    // What it keeps is enough.
    run(
        &mut conn,
        "INSERT INTO retentiond.ledger_entry
         VALUES (1, '2026-01-01', 'verified', NULL, NULL, NULL, 0, '', sha256(''));
         SELECT * FROM retentiond.ledger_entry",
    )
    .await;
}

#[tokio::test]
async fn nobody_else_may_even_read() {
    let mut conn = migrated("ledger_public").await;
    run(
        &mut conn,
        "CREATE ROLE ledger_stranger_role;
         GRANT USAGE ON SCHEMA retentiond TO ledger_stranger_role;
         SET ROLE ledger_stranger_role",
    )
    .await;
    for table in tables(&mut conn).await {
        let read = format!("SELECT FROM {table}");
        refused_with(&mut conn, &read, "permission denied for table").await;
    }
    let number = "SELECT nextval('retentiond.ledger_entry_id')";
    refused_with(&mut conn, number, "permission denied for sequence").await;
}
