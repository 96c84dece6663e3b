//! Reads a [`Catalog`] from `pg_catalog`. Changes nothing; needs no privilege beyond `CONNECT`.

use std::collections::BTreeMap;

use sqlx::{PgConnection, Row, postgres::PgRow};

use super::{
    Catalog, Check, Column, ForeignKey, Index, Kind, OnDelete, Privileges, Publication, Sort, Table,
};
use crate::ident::{Ident, IdentError, TableName};

/// Why the database's catalogue could not be read.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// A query on `pg_catalog` failed.
    #[error("could not read the database's catalogue of {what}")]
    Query {
        /// Which part of it.
        what: &'static str,
        /// What the database said.
        #[source]
        source: sqlx::Error,
    },
    /// A relation has a name that cannot be written in a statement.
    #[error("the database has a name that cannot be used in a statement")]
    Name(#[from] IdentError),
}

const TABLES: &str = "
SELECT n.nspname, c.relname, c.relkind::text AS relkind, c.relispartition, c.relhasrules,
       EXISTS (SELECT 1 FROM pg_catalog.pg_inherits i WHERE i.inhparent = c.oid) AS has_children,
       row_security_active(c.oid) AS row_security, c.relrowsecurity,
       CASE WHEN c.reltuples >= 0 THEN c.reltuples::bigint END AS estimated_rows,
       -- A partitioned table has no pages of its own: the fullest of its leaves.
       (SELECT max(COALESCE((SELECT o.option_value::int FROM pg_options_to_table(l.reloptions) AS o
                              WHERE o.option_name = 'fillfactor'), 100))::int
          FROM (SELECT c.oid UNION
                SELECT relid FROM pg_partition_tree(c.oid) WHERE c.relkind = 'p' AND isleaf) AS leaf (oid)
          JOIN pg_catalog.pg_class l ON l.oid = leaf.oid AND l.relkind = 'r') AS fill_factor,
       has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT') AS may_select,
       has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'UPDATE') AS may_update,
       has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'DELETE') AS may_delete,
       -- Since PostgreSQL 17 it can be granted, too.
       pg_has_role(c.relowner, 'USAGE')
       OR (SELECT pg_has_role(d.datdba, 'USAGE') FROM pg_catalog.pg_database AS d
            WHERE d.datname = current_database())
       OR CASE WHEN current_setting('server_version_num')::int >= 170000
               THEN has_table_privilege(c.oid, 'MAINTAIN') ELSE false END AS may_vacuum,
       ARRAY(SELECT a.attname::text
               FROM pg_catalog.pg_constraint p
              CROSS JOIN LATERAL unnest(p.conkey) WITH ORDINALITY AS k (attnum, nth)
               JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
              WHERE p.conrelid = c.oid AND p.contype = 'p'
              ORDER BY k.nth) AS key,
       -- A partition can have triggers of its own, and its rows are the whole table's.
       ARRAY(SELECT DISTINCT t.tgname::text FROM pg_catalog.pg_trigger t
              WHERE (t.tgrelid = c.oid OR c.relkind = 'p'
                     AND t.tgrelid IN (SELECT relid FROM pg_partition_tree(c.oid)))
                AND NOT t.tgisinternal AND t.tgenabled <> 'D'
              ORDER BY 1) AS triggers,
       -- Whose rows these are: a partition's its root's, a child's its parents', a view's
       -- those of the tables that it reads.
       ARRAY(SELECT DISTINCT o.relname::text || chr(1) || s.nspname::text
               FROM (SELECT pg_partition_root(c.oid)::oid WHERE c.relispartition
                     UNION SELECT i.inhparent FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid
                     UNION SELECT d.refobjid FROM pg_catalog.pg_rewrite r
                             JOIN pg_catalog.pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
                            WHERE r.ev_class = c.oid AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> c.oid
                    ) AS origin (oid)
               JOIN pg_catalog.pg_class o ON o.oid = origin.oid
               JOIN pg_catalog.pg_namespace s ON s.oid = o.relnamespace) AS origins
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
   AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'retentiond')
   AND n.nspname NOT LIKE 'pg\\_toast%' AND n.nspname NOT LIKE 'pg\\_temp%'
 ORDER BY 1, 2";

const EXTENSIONS: &str = "
SELECT n.nspname, c.relname
  FROM pg_catalog.pg_depend d
  JOIN pg_catalog.pg_class c ON c.oid = d.objid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.deptype = 'e'
   AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
 ORDER BY 1, 2";

const COLUMNS: &str = "
SELECT n.nspname, c.relname, a.attname, format_type(a.atttypid, a.atttypmod) AS type_name,
       -- A domain of a domain of a date is a date: pg_type.typbasetype, to the bottom.
       (WITH RECURSIVE bottom (oid, base) AS (
            SELECT t.oid, t.typbasetype FROM pg_catalog.pg_type t WHERE t.oid = a.atttypid
            UNION ALL
            SELECT t.oid, t.typbasetype FROM bottom b JOIN pg_catalog.pg_type t ON t.oid = b.base)
        SELECT format_type(oid, NULL) FROM bottom WHERE base = 0) AS bottom,
       -- A domain can refuse NULL, and more, without the column's saying so.
       (WITH RECURSIVE domain (oid, base, strict) AS (
            SELECT t.oid, t.typbasetype, t.typnotnull FROM pg_catalog.pg_type t WHERE t.oid = a.atttypid
            UNION ALL
            SELECT t.oid, t.typbasetype, t.typnotnull FROM domain d JOIN pg_catalog.pg_type t ON t.oid = d.base)
        SELECT bool_or(strict) FROM domain) OR a.attnotnull AS not_null,
       (WITH RECURSIVE domain (oid, base, strict) AS (
            SELECT t.oid, t.typbasetype, t.typnotnull FROM pg_catalog.pg_type t WHERE t.oid = a.atttypid
            UNION ALL
            SELECT t.oid, t.typbasetype, t.typnotnull FROM domain d JOIN pg_catalog.pg_type t ON t.oid = d.base)
        SELECT bool_or(EXISTS (SELECT 1 FROM pg_catalog.pg_constraint k WHERE k.contypid = d.oid))
          FROM domain d WHERE d.base <> 0) IS TRUE AS constrained_domain,
       (a.attgenerated <> '' OR a.attidentity = 'a') AS generated,
       -- The column itself depends on what it is computed from, since PostgreSQL 15 its default does.
       CASE WHEN a.attgenerated = '' THEN ARRAY[]::text[] ELSE
       ARRAY(SELECT DISTINCT s.attname::text
               FROM pg_catalog.pg_depend d
               JOIN pg_catalog.pg_attribute s ON s.attrelid = a.attrelid AND s.attnum = d.refobjsubid
              WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = a.attrelid
                AND d.refobjsubid > 0 AND d.refobjsubid <> a.attnum
                AND (d.classid = 'pg_class'::regclass AND d.objid = a.attrelid AND d.objsubid = a.attnum
                     OR d.classid = 'pg_attrdef'::regclass AND d.objid IN
                        (SELECT f.oid FROM pg_catalog.pg_attrdef f
                          WHERE f.adrelid = a.attrelid AND f.adnum = a.attnum))
              ORDER BY 1) END AS computed_from
  FROM pg_catalog.pg_attribute a
  JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE a.attnum > 0 AND NOT a.attisdropped
   AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
   AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'retentiond')
   AND n.nspname NOT LIKE 'pg\\_toast%' AND n.nspname NOT LIKE 'pg\\_temp%'
 ORDER BY 1, 2, a.attnum";

const INDEXES: &str = "
SELECT n.nspname, c.relname, i.relname AS name, x.indpred IS NOT NULL AS partial,
       x.indisunique, am.amname = 'btree' AS ordered, x.indisexclusion,
       -- Since PostgreSQL 15.
       COALESCE((to_jsonb(x) ->> 'indnullsnotdistinct')::boolean, false) AS nulls_equal,
       ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a
              WHERE a.attrelid = c.oid AND a.attnum > 0
                AND (a.attnum = ANY (x.indkey)
                     OR EXISTS (SELECT 1 FROM pg_catalog.pg_depend d
                                 WHERE d.classid = 'pg_class'::regclass AND d.objid = x.indexrelid
                                   AND d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid
                                   AND d.refobjsubid = a.attnum))
              ORDER BY a.attnum) AS reads,
       ARRAY(SELECT a.attname::text
               FROM generate_series(0, x.indnkeyatts - 1) AS k (nth)
               LEFT JOIN pg_catalog.pg_attribute a
                      ON a.attrelid = c.oid AND a.attnum = x.indkey[k.nth] AND a.attnum > 0
              ORDER BY k.nth) AS columns
  FROM pg_catalog.pg_index x
  JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
  JOIN pg_catalog.pg_am am ON am.oid = i.relam
  JOIN pg_catalog.pg_class c ON c.oid = x.indrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE x.indisvalid AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'retentiond')
   AND n.nspname NOT LIKE 'pg\\_toast%' AND n.nspname NOT LIKE 'pg\\_temp%'
 ORDER BY 1, 2, 3";

const CONSTRAINTS: &str = "
SELECT n.nspname, c.relname, k.conname,
       ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a
              WHERE a.attrelid = c.oid AND a.attnum = ANY (k.conkey) ORDER BY a.attnum) AS columns
  FROM pg_catalog.pg_constraint k
  JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE k.contype IN ('c', 'u', 'x') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'retentiond')";

const CHECKS: &str = "
SELECT n.nspname, c.relname, k.conname, k.convalidated,
       pg_get_expr(k.conbin, k.conrelid) AS expression,
       ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a
              WHERE a.attrelid = c.oid AND a.attnum = ANY (k.conkey) ORDER BY a.attnum) AS columns
  FROM pg_catalog.pg_constraint k
  JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE k.contype = 'c' AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'retentiond')
 ORDER BY 1, 2, 3";

// What is published by its partitions is published.
const PUBLICATIONS: &str = "
SELECT n.nspname, r.relname, p.pubname, bool_and(p.pubupdate) AS updates, bool_and(p.pubdelete) AS deletes
  FROM pg_catalog.pg_publication p
  JOIN pg_catalog.pg_publication_tables t ON t.pubname = p.pubname
  JOIN pg_catalog.pg_namespace m ON m.nspname = t.schemaname
  JOIN pg_catalog.pg_class c ON c.relname = t.tablename AND c.relnamespace = m.oid
  JOIN pg_catalog.pg_class r ON r.oid = COALESCE(pg_partition_root(c.oid), c.oid)
  JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace
 GROUP BY 1, 2, 3
 ORDER BY 1, 2, 3";

// A key that names one partition concerns the whole table that it is part of.
const FOREIGN_KEYS: &str = "
SELECT k.conname, k.confdeltype::text AS on_delete,
       fn.nspname AS from_schema, f.relname AS from_table,
       tn.nspname AS to_schema, t.relname AS to_table,
       ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS u (attnum, nth)
               JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.attnum
              ORDER BY u.nth) AS from_columns,
       ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY AS u (attnum, nth)
               JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.attnum
              ORDER BY u.nth) AS to_columns
  FROM pg_catalog.pg_constraint k
  JOIN pg_catalog.pg_class f ON f.oid = COALESCE(pg_partition_root(k.conrelid), k.conrelid)
  JOIN pg_catalog.pg_namespace fn ON fn.oid = f.relnamespace
  JOIN pg_catalog.pg_class t ON t.oid = COALESCE(pg_partition_root(k.confrelid), k.confrelid)
  JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
 WHERE k.contype = 'f' AND k.conparentid = 0 AND fn.nspname <> 'retentiond'
 ORDER BY 3, 4, 1";

// Granted on the column alone: what is granted on the table stands there.
const COLUMN_PRIVILEGES: &str = "
SELECT n.nspname, c.relname, a.attname,
       has_column_privilege(c.oid, a.attnum, 'SELECT') AS may_select,
       has_column_privilege(c.oid, a.attnum, 'UPDATE') AS may_update
  FROM pg_catalog.pg_attribute a
  JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attacl IS NOT NULL
   AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
   AND has_schema_privilege(n.oid, 'USAGE')
   AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'retentiond')
 ORDER BY 1, 2, a.attnum";

const CLOSED_SCHEMAS: &str = "
SELECT n.nspname FROM pg_catalog.pg_namespace n
 WHERE NOT has_schema_privilege(n.oid, 'USAGE')
   AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'retentiond')
   AND n.nspname NOT LIKE 'pg\\_%'";

const KEY: &str = "
SELECT a.attname::text AS name,
       (WITH RECURSIVE bottom (oid, base) AS (
            SELECT t.oid, t.typbasetype FROM pg_catalog.pg_type t WHERE t.oid = a.atttypid
            UNION ALL
            SELECT t.oid, t.typbasetype FROM bottom b JOIN pg_catalog.pg_type t ON t.oid = b.base)
        SELECT format_type(oid, NULL) FROM bottom WHERE base = 0) AS bottom
  FROM pg_catalog.pg_constraint p
  JOIN pg_catalog.pg_class c ON c.oid = p.conrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 CROSS JOIN LATERAL unnest(p.conkey) WITH ORDINALITY AS k (attnum, nth)
  JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
 WHERE p.contype = 'p' AND n.nspname = $1 AND c.relname = $2
 ORDER BY k.nth";

/// The primary key of one table, and the sort of each of its columns; empty where there is
/// no such table, or no key.
///
/// # Errors
/// When the query fails or a column's name cannot be used.
pub async fn key_of(
    conn: &mut PgConnection,
    table: &TableName,
) -> Result<Vec<(Ident, Sort)>, CatalogError> {
    let failed = |source| CatalogError::Query {
        what: "a table's key",
        source,
    };
    let rows = sqlx::query(KEY)
        .bind(table.schema().as_str())
        .bind(table.name().as_str())
        .fetch_all(conn)
        .await
        .map_err(failed)?;
    rows.iter()
        .map(|row| {
            let of = sort(&get::<String>(row, "bottom", "a table's key")?);
            Ok((
                Ident::new(get::<String>(row, "name", "a table's key")?)?,
                of,
            ))
        })
        .collect()
}

/// Reads what the database has, as the connected role sees it.
///
/// # Errors
/// When a query fails or a relation's name cannot be used.
pub async fn read(conn: &mut PgConnection) -> Result<Catalog, CatalogError> {
    let mut catalog = Catalog::default();
    let role = fetch(conn, "roles", "
        SELECT current_user::text AS role,
               (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) AS superuser,
               EXISTS (SELECT 1 FROM pg_catalog.pg_class c
                         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                        WHERE n.nspname = 'retentiond' AND c.relname = 'run'
                          AND NOT has_table_privilege(c.oid, 'INSERT')) AS only_asks,
               current_setting('wal_compression') NOT IN ('off', 'false', 'no', '0') AS wal_compression")
        .await?;
    for row in role {
        catalog.role = get(&row, "role", "roles")?;
        catalog.superuser = get::<Option<bool>>(&row, "superuser", "roles")?.unwrap_or(false);
        catalog.only_asks = get(&row, "only_asks", "roles")?;
        catalog.wal_compression = get(&row, "wal_compression", "roles")?;
    }
    for row in fetch(conn, "tables", TABLES).await? {
        let table = table(&row)?;
        if get(&row, "relrowsecurity", "tables")? {
            catalog.row_secured.insert(table.name.clone());
        }
        catalog.tables.insert(table.name.clone(), table);
    }
    for row in fetch(conn, "extensions", EXTENSIONS).await? {
        let name = name(&row, "nspname", "relname", "extensions")?;
        if catalog.tables.contains_key(&name) {
            catalog.of_extensions.insert(name);
        }
    }
    for row in fetch(conn, "columns", COLUMNS).await? {
        let name = name(&row, "nspname", "relname", "columns")?;
        let column = Column {
            name: Ident::new(get::<String>(&row, "attname", "columns")?)?,
            type_name: get(&row, "type_name", "columns")?,
            sort: sort(&get::<String>(&row, "bottom", "columns")?),
            not_null: get(&row, "not_null", "columns")?,
            generated: get(&row, "generated", "columns")?,
            computed_from: idents(&row, "computed_from", "columns")?,
            constrained_domain: get(&row, "constrained_domain", "columns")?,
        };
        if let Some(table) = catalog.tables.get_mut(&name) {
            table.columns.push(column);
        }
    }
    for row in fetch(conn, "privileges", COLUMN_PRIVILEGES).await? {
        let name = name(&row, "nspname", "relname", "privileges")?;
        let column = Ident::new(get::<String>(&row, "attname", "privileges")?)?;
        let columns = catalog.column_privileges.entry(name).or_default();
        if get(&row, "may_select", "privileges")? {
            columns.select.insert(column.clone());
        }
        if get(&row, "may_update", "privileges")? {
            columns.update.insert(column);
        }
    }
    for row in fetch(conn, "schemas", CLOSED_SCHEMAS).await? {
        let schema = Ident::new(get::<String>(&row, "nspname", "schemas")?)?;
        catalog.closed_schemas.insert(schema);
    }
    for row in fetch(conn, "indexes", INDEXES).await? {
        let name = name(&row, "nspname", "relname", "indexes")?;
        let index = Index {
            name: get(&row, "name", "indexes")?,
            columns: get::<Vec<Option<String>>>(&row, "columns", "indexes")?
                .into_iter()
                .map(|column| column.map(Ident::new).transpose())
                .collect::<Result<_, _>>()?,
            reads: idents(&row, "reads", "indexes")?,
            partial: get(&row, "partial", "indexes")?,
            ordered: get(&row, "ordered", "indexes")?,
            unique: get(&row, "indisunique", "indexes")?,
            nulls_equal: get(&row, "nulls_equal", "indexes")?,
            excludes: get(&row, "indisexclusion", "indexes")?,
        };
        if let Some(table) = catalog.tables.get_mut(&name) {
            table.indexes.push(index);
        }
    }
    for row in fetch(conn, "constraints", CONSTRAINTS).await? {
        let name = name(&row, "nspname", "relname", "constraints")?;
        let constraint: String = get(&row, "conname", "constraints")?;
        let columns = idents(&row, "columns", "constraints")?;
        if let Some(table) = catalog.tables.get_mut(&name) {
            table.constraints.insert(constraint, columns);
        }
    }
    for row in fetch(conn, "constraints", CHECKS).await? {
        let name = name(&row, "nspname", "relname", "constraints")?;
        let check = Check {
            name: get(&row, "conname", "constraints")?,
            columns: idents(&row, "columns", "constraints")?,
            expression: get(&row, "expression", "constraints")?,
            validated: get(&row, "convalidated", "constraints")?,
        };
        if let Some(table) = catalog.tables.get_mut(&name) {
            table.checks.push(check);
        }
    }
    for row in fetch(conn, "publications", PUBLICATIONS).await? {
        let name = name(&row, "nspname", "relname", "publications")?;
        let publication = Publication {
            name: get(&row, "pubname", "publications")?,
            updates: get(&row, "updates", "publications")?,
            deletes: get(&row, "deletes", "publications")?,
        };
        if let Some(table) = catalog.tables.get_mut(&name) {
            table.publications.push(publication);
        }
    }
    for row in fetch(conn, "foreign keys", FOREIGN_KEYS).await? {
        catalog.foreign_keys.push(ForeignKey {
            name: get(&row, "conname", "foreign keys")?,
            from: name(&row, "from_schema", "from_table", "foreign keys")?,
            from_columns: idents(&row, "from_columns", "foreign keys")?,
            to: name(&row, "to_schema", "to_table", "foreign keys")?,
            to_columns: idents(&row, "to_columns", "foreign keys")?,
            on_delete: match get::<String>(&row, "on_delete", "foreign keys")?.as_str() {
                "c" => OnDelete::Cascade,
                "n" | "d" => OnDelete::Set,
                _ => OnDelete::NoAction,
            },
        });
    }
    Ok(catalog)
}

fn table(row: &PgRow) -> Result<Table, CatalogError> {
    let what = "tables";
    let kind = match get::<String>(row, "relkind", what)?.as_str() {
        "v" => Kind::View,
        "m" => Kind::Materialised,
        "f" => Kind::Foreign,
        _ if get::<bool>(row, "relispartition", what)? => Kind::Partition,
        "p" => Kind::Partitioned,
        _ if get::<bool>(row, "relhasrules", what)? => Kind::Ruled,
        _ if get::<bool>(row, "has_children", what)? => Kind::Inherited,
        _ => Kind::Ordinary,
    };
    Ok(Table {
        name: name(row, "nspname", "relname", what)?,
        kind,
        columns: Vec::new(),
        key: idents(row, "key", what)?,
        indexes: Vec::new(),
        triggers: get(row, "triggers", what)?,
        origins: get::<Vec<String>>(row, "origins", what)?
            .iter()
            .filter_map(|text| text.split_once('\u{1}'))
            .map(|(name, schema)| Ok(TableName::new(Ident::new(schema)?, Ident::new(name)?)))
            .collect::<Result<_, IdentError>>()?,
        constraints: BTreeMap::new(),
        checks: Vec::new(),
        publications: Vec::new(),
        fill_factor: get::<Option<i32>>(row, "fill_factor", what)?
            .and_then(|percent| u8::try_from(percent).ok())
            .unwrap_or(100),
        row_security: get(row, "row_security", what)?,
        privileges: Privileges {
            select: get(row, "may_select", what)?,
            update: get(row, "may_update", what)?,
            delete: get(row, "may_delete", what)?,
            vacuum: get(row, "may_vacuum", what)?,
        },
        estimated_rows: get::<Option<i64>>(row, "estimated_rows", what)?
            .and_then(|rows| u64::try_from(rows).ok()),
    })
}

fn sort(bottom: &str) -> Sort {
    match bottom {
        "date" => Sort::Date,
        "timestamp without time zone" => Sort::Timestamp,
        "timestamp with time zone" => Sort::TimestampTz,
        "smallint" | "integer" | "bigint" => Sort::Integer,
        "text" | "character varying" | "character" | "bpchar" | "citext" | "name" => Sort::Text,
        "uuid" => Sort::Uuid,
        "json" => Sort::Json,
        "jsonb" => Sort::Jsonb,
        _ => Sort::Other,
    }
}

pub(super) async fn fetch(
    conn: &mut PgConnection,
    what: &'static str,
    sql: &'static str,
) -> Result<Vec<PgRow>, CatalogError> {
    sqlx::query(sql)
        .fetch_all(conn)
        .await
        .map_err(|source| CatalogError::Query { what, source })
}

pub(super) fn get<'r, T>(
    row: &'r PgRow,
    column: &'static str,
    what: &'static str,
) -> Result<T, CatalogError>
where
    T: sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    row.try_get(column)
        .map_err(|source| CatalogError::Query { what, source })
}

fn idents(
    row: &PgRow,
    column: &'static str,
    what: &'static str,
) -> Result<Vec<Ident>, CatalogError> {
    get::<Vec<String>>(row, column, what)?
        .into_iter()
        .map(|name| Ident::new(name).map_err(CatalogError::from))
        .collect()
}

pub(super) fn name(
    row: &PgRow,
    schema: &'static str,
    relation: &'static str,
    what: &'static str,
) -> Result<TableName, CatalogError> {
    Ok(TableName::new(
        Ident::new(get::<String>(row, schema, what)?)?,
        Ident::new(get::<String>(row, relation, what)?)?,
    ))
}

/// Asks PostgreSQL to plan a condition (over alias `t`) on a table, and records what it
/// says against it. Only the schedule's own text is in play, so that its words can be shown.
///
/// # Errors
/// When the database does not answer. That it refuses the condition is an answer.
pub async fn try_condition(
    conn: &mut PgConnection,
    catalog: &mut Catalog,
    table: &TableName,
    condition: &str,
) -> Result<(), CatalogError> {
    try_it(conn, catalog, table, condition, &["42501"]).await
}

/// The same for the condition of a hold: what the role may not read is an objection as well,
/// since a hold protects what it cannot be asked about.
///
/// # Errors
/// When the database does not answer.
pub async fn try_hold(
    conn: &mut PgConnection,
    catalog: &mut Catalog,
    table: &TableName,
    condition: &str,
) -> Result<(), CatalogError> {
    try_it(conn, catalog, table, condition, &[]).await
}

async fn try_it(
    conn: &mut PgConnection,
    catalog: &mut Catalog,
    table: &TableName,
    condition: &str,
    told_elsewhere: &[&str],
) -> Result<(), CatalogError> {
    if catalog.table(table).is_none() {
        return Ok(());
    }
    let sql = format!(
        "EXPLAIN SELECT 1 FROM {} AS t WHERE ({condition}) IS TRUE",
        table.quoted()
    );
    match crate::store::planned(&sql).execute(conn).await {
        Ok(_) => Ok(()),
        Err(sqlx::Error::Database(error)) => {
            // 42501: may not read. The plan says so by itself, with the line to run.
            let code = error.code();
            if !code.is_some_and(|code| told_elsewhere.contains(&code.as_ref())) {
                catalog
                    .objections
                    .entry(table.clone())
                    .or_default()
                    .insert(condition.to_owned(), error.message().to_owned());
            }
            Ok(())
        }
        Err(source) => Err(CatalogError::Query {
            what: "conditions",
            source,
        }),
    }
}
