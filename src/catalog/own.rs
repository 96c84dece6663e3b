//! What there is of our own schema, and what some roles hold already.

use std::collections::BTreeSet;

use sqlx::PgConnection;

use super::read::{CatalogError, fetch, get, name};
use crate::ident::{Ident, TableName};

/// What sort of object it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OwnSort {
    /// A table.
    Table,
    /// A sequence that is not a column's own.
    Sequence,
    /// A function.
    Function,
}

/// An object of schema `retentiond`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Own {
    /// What it is.
    pub sort: OwnSort,
    /// Its name.
    pub name: Ident,
    /// Whether it is a partition of another table.
    pub is_partition: bool,
}

/// What some roles were granted outside our own schema.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Held {
    /// On these tables, or columns of them.
    pub tables: BTreeSet<TableName>,
    /// On these schemas.
    pub schemas: BTreeSet<Ident>,
}

// The sequence of an identity column needs no privilege of its own.
const OWN: &str = "
SELECT 't' AS sort, c.relname::text AS name, c.relispartition AS is_partition
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = 'retentiond' AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
UNION ALL
SELECT 's', c.relname::text, false
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = 'retentiond' AND c.relkind = 'S'
   AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d
                    WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'i')
UNION ALL
SELECT DISTINCT 'f', p.proname::text, false
  FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
 WHERE n.nspname = 'retentiond'
 ORDER BY 1, 2";

// Grants on the table, then on single columns; not what an owner has as such.
const HELD: &str = "
SELECT n.nspname, c.relname, r.rolname
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 CROSS JOIN LATERAL (SELECT c.relacl
                     UNION ALL
                     SELECT a.attacl FROM pg_catalog.pg_attribute a
                      WHERE a.attrelid = c.oid AND NOT a.attisdropped) AS l (acl)
 CROSS JOIN LATERAL aclexplode(l.acl) AS x
  JOIN pg_catalog.pg_roles r ON r.oid = x.grantee
 WHERE l.acl IS NOT NULL AND x.grantee <> c.relowner AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
   AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'retentiond')";

const HELD_SCHEMAS: &str = "
SELECT n.nspname, r.rolname
  FROM pg_catalog.pg_namespace n
 CROSS JOIN LATERAL aclexplode(n.nspacl) AS x
  JOIN pg_catalog.pg_roles r ON r.oid = x.grantee
 WHERE n.nspacl IS NOT NULL AND x.grantee <> n.nspowner AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'retentiond')";

/// Reads what there is of schema `retentiond`.
///
/// # Errors
/// When a query fails.
pub async fn own(conn: &mut PgConnection) -> Result<Vec<Own>, CatalogError> {
    let what = "our own schema";
    let mut found = Vec::new();
    for row in fetch(conn, what, OWN).await? {
        found.push(Own {
            sort: match get::<String>(&row, "sort", what)?.as_str() {
                "t" => OwnSort::Table,
                "s" => OwnSort::Sequence,
                _ => OwnSort::Function,
            },
            name: Ident::new(get::<String>(&row, "name", what)?)?,
            is_partition: get(&row, "is_partition", what)?,
        });
    }
    found.sort();
    Ok(found)
}

/// Reads what some roles hold outside schema `retentiond`, whoever granted it.
///
/// # Errors
/// When a query fails.
pub async fn held<'a>(
    conn: &mut PgConnection,
    roles: impl Iterator<Item = &'a Ident>,
) -> Result<Held, CatalogError> {
    let what = "privileges";
    let roles: BTreeSet<&str> = roles.map(Ident::as_str).collect();
    let mut held = Held::default();
    for row in fetch(conn, what, HELD).await? {
        if roles.contains(get::<String>(&row, "rolname", what)?.as_str()) {
            held.tables.insert(name(&row, "nspname", "relname", what)?);
        }
    }
    for row in fetch(conn, what, HELD_SCHEMAS).await? {
        if roles.contains(get::<String>(&row, "rolname", what)?.as_str()) {
            let schema: String = get(&row, "nspname", what)?;
            held.schemas.insert(Ident::new(schema)?);
        }
    }
    Ok(held)
}
