//! Work items: files that are still to be removed.

use sqlx::{PgConnection, Row};

use crate::ident::{ClassId, TableName};

/// A file whose row is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The item.
    pub id: i64,
    /// The class under which the row went.
    pub class: String,
    /// The row's table.
    pub table: String,
    /// The store that the file lies in.
    pub store: String,
    /// Its path there. May be personal: never logged, never in the ledger.
    pub path: String,
    /// The ledger entry of the row's deletion.
    pub entry: i64,
}

/// Queues files, in the transaction that deletes their rows.
///
/// # Errors
/// When the database refuses.
pub async fn enqueue(
    conn: &mut PgConnection,
    class: &ClassId,
    table: &TableName,
    store: &str,
    paths: &[String],
    entry: i64,
    run: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO retentiond.file_work (class_id, table_name, store, path, entry_id, run_id)
         SELECT $1, $2, $3, p, $5, $6 FROM unnest($4::text[]) AS p",
    )
    .bind(class.as_str())
    .bind(table.to_string())
    .bind(store)
    .bind(paths)
    .bind(entry)
    .bind(run)
    .execute(conn)
    .await
    .map(drop)
}

/// The next files to remove, in the order in which they were queued, as far as they are of
/// one entry and store; only items after `after`, so that one which fails does not stop the
/// others.
///
/// # Errors
/// When the database does not answer.
pub async fn pending(
    conn: &mut PgConnection,
    after: i64,
    most: i64,
) -> Result<Vec<Item>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT work_id, class_id, table_name, store, path, entry_id
           FROM retentiond.file_work WHERE work_id > $1 ORDER BY work_id LIMIT $2",
    )
    .bind(after)
    .bind(most)
    .fetch_all(conn)
    .await?;
    let items: Vec<Item> = rows
        .iter()
        .map(|row| {
            Ok(Item {
                id: row.try_get(0)?,
                class: row.try_get(1)?,
                table: row.try_get(2)?,
                store: row.try_get(3)?,
                path: row.try_get(4)?,
                entry: row.try_get(5)?,
            })
        })
        .collect::<Result<_, sqlx::Error>>()?;
    // Two instances may have queued theirs at once: the group ends where another's begins,
    // or `after` would pass over it.
    let group = items
        .first()
        .map(|first| (first.entry, first.store.clone()));
    Ok(items
        .into_iter()
        .take_while(|item| group == Some((item.entry, item.store.clone())))
        .collect())
}

/// How many files of a class are still to be removed.
///
/// # Errors
/// When the database does not answer.
pub async fn pending_of(conn: &mut PgConnection, class: &ClassId) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("SELECT count(*) FROM retentiond.file_work WHERE class_id = $1")
        .bind(class.as_str())
        .fetch_one(conn)
        .await
}

/// Clears items, in the transaction that writes their entry. Answers those that were
/// still there: another process may have been at the same files.
///
/// # Errors
/// When the database refuses.
pub async fn clear(conn: &mut PgConnection, items: &[i64]) -> Result<Vec<i64>, sqlx::Error> {
    sqlx::query_scalar(
        "DELETE FROM retentiond.file_work WHERE work_id = ANY ($1) RETURNING work_id",
    )
    .bind(items)
    .fetch_all(conn)
    .await
}

/// Notes that a file could not be removed, with the machine's word for why.
///
/// # Errors
/// When the database refuses.
pub async fn failed(conn: &mut PgConnection, item: i64, why: &str) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE retentiond.file_work SET attempts = attempts + 1, last_error = $2 WHERE work_id = $1",
    )
    .bind(item)
    .bind(why)
    .execute(conn)
    .await
    .map(drop)
}
