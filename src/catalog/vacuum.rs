//! When tables were last vacuumed, as PostgreSQL's statistics have it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, Row};

use crate::ident::{Ident, TableName};

/// Of a partitioned table the partition that was vacuumed longest ago counts, and none if
/// one never was.
const LAST_VACUUM: &str = "\
SELECT t.schema, t.name,
       CASE WHEN bool_and(greatest(s.last_vacuum, s.last_autovacuum) IS NOT NULL)
            THEN min(greatest(s.last_vacuum, s.last_autovacuum)) END AS at
FROM unnest($1::text[], $2::text[]) AS t (schema, name)
JOIN pg_catalog.pg_namespace AS n ON n.nspname = t.schema
JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = t.name
JOIN pg_catalog.pg_class AS leaf ON leaf.relkind = 'r'
    AND (leaf.oid = c.oid OR leaf.oid IN (SELECT relid FROM pg_catalog.pg_partition_tree(c.oid)))
LEFT JOIN pg_catalog.pg_stat_all_tables AS s ON s.relid = leaf.oid
GROUP BY t.schema, t.name";

/// When the last vacuum of each table ended; tables that are not there or never were
/// vacuumed are left out.
///
/// # Errors
/// When the database does not answer.
pub async fn last_vacuum(
    conn: &mut PgConnection,
    tables: &[TableName],
) -> Result<BTreeMap<TableName, DateTime<Utc>>, sqlx::Error> {
    let part = |part: fn(&TableName) -> &Ident| -> Vec<String> {
        tables
            .iter()
            .map(|table| part(table).as_str().to_owned())
            .collect()
    };
    let rows = sqlx::query(LAST_VACUUM)
        .bind(part(TableName::schema))
        .bind(part(TableName::name))
        .fetch_all(conn)
        .await?;
    let mut found = BTreeMap::new();
    for row in rows {
        let (schema, name): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        let at: Option<DateTime<Utc>> = row.try_get(2)?;
        let table = tables
            .iter()
            .find(|table| table.schema().as_str() == schema && table.name().as_str() == name);
        if let (Some(table), Some(at)) = (table, at) {
            found.insert(table.clone(), at);
        }
    }
    Ok(found)
}
