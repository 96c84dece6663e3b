//! The foreign keys as they are now, against those that the plan was drawn with.
//!
//! A key that somebody adds after the plan would cascade into rows, or empty them, that no
//! statement of ours names. Asked after the rows were deleted: from then on our own locks
//! on the tables keep a new key out, and one that came before them is seen.

use sqlx::postgres::PgConnection;

use super::batch::Context;
use super::error::EnforceError;
use crate::plan::{Direct, Route};

/// As the catalogue counts them: a key that names one partition concerns the whole table.
const INBOUND: &str = "
SELECT count(*)
  FROM pg_catalog.pg_constraint k
 WHERE k.contype = 'f' AND k.conparentid = 0
   AND k.connamespace IS DISTINCT FROM to_regnamespace('retentiond')
   AND COALESCE(pg_partition_root(k.confrelid), k.confrelid)
       IN (SELECT to_regclass(name) FROM unnest($1::text[]) AS name)";

/// Whether as many keys as planned point at the tables that this class deletes from.
/// (A plan has no account of those that point at shared rows.)
pub(super) async fn as_planned(
    conn: &mut PgConnection,
    context: &Context<'_>,
) -> Result<bool, EnforceError> {
    let root = &context.class.table;
    let (tables, planned) = match &context.work.route {
        Route::Direct {
            what: Direct::Delete,
        } => (vec![root.quoted()], 0),
        Route::Direct { .. } => return Ok(true),
        Route::Follow(follow) => {
            let mut tables: Vec<String> = follow.inbound.iter().map(|d| d.table.quoted()).collect();
            if !follow.anonymises {
                tables.push(root.quoted());
            }
            (tables, follow.foreign_keys)
        }
    };
    if tables.is_empty() {
        return Ok(true);
    }
    let found: i64 = sqlx::query_scalar(INBOUND)
        .bind(tables)
        .fetch_one(conn)
        .await
        .map_err(|e| EnforceError::from_sql("comparing the foreign keys with the plan", &e))?;
    Ok(usize::try_from(found) == Ok(planned))
}
