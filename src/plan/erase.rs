//! How what is left of disposed rows is made to go from the files of their tables.
//!
//! A vacuum frees the place of a dead row version and leaves its bytes in the page. Only a
//! rewrite makes files in which they never were: of the table, of its TOAST table, of every
//! index. It carries over what an older snapshot can still see, so each statement here
//! is a question to be asked before or after, and whoever executes them believes no
//! statement for having returned: a `VACUUM` that skips a table only warns.

use serde::Serialize;

use crate::catalog::Catalog;
use crate::ident::TableName;
use crate::schedule::{Class, Disposal, Erasure};

/// The statements for one class. Those about relations bind their numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Erasing {
    /// The tables that its disposals touch.
    pub tables: Vec<ErasedTable>,
    /// A number of a transaction; whatever committed before has a smaller one. One text.
    pub mark: &'static str,
    /// What could keep versions that are dead at the mark `$1`, each with a word and a count.
    pub keepers: &'static str,
    /// The relations with files of the table `$1.$2`, beside the mark `$3`. See [`Found`].
    pub relations: &'static str,
    /// How many sets of statistics of `$1::bigint[]` are older than the mark `$2`. Only a
    /// role that may read `pg_statistic` is answered.
    pub old_statistics: &'static str,
    /// Whether that role may be asked.
    pub reads_statistics: &'static str,
    /// Removes them. PostgreSQL lets a superuser alone.
    pub clear_statistics: [&'static str; 2],
    /// How many columns of the table `$1.$2` have statistics that an `ANALYZE` does not
    /// refresh, as far as one who may not read `pg_statistic` can tell, where the table is
    /// empty (`$3`).
    pub seen_statistics: &'static str,
    /// The catalogue's own tables of statistics, each with the statement that rewrites it.
    pub statistics: [(&'static str, &'static str); 2],
    /// The present end of the write-ahead log, as text.
    pub log_position: &'static str,
}

/// The statements for one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ErasedTable {
    /// The table.
    pub table: TableName,
    /// Frees the place of dead versions. Takes no lock that anybody notices.
    pub vacuum: String,
    /// Rewrites its files and refreshes its statistics; nobody else reads or writes meanwhile.
    pub rewrite: String,
    /// Whether any row is left.
    pub is_empty: String,
}

/// A row of [`Erasing::relations`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its number.
    pub relation: i64,
    /// The number of its file; none of a partitioned table.
    pub file: Option<i64>,
    /// Of a table: whether it holds no version that was dead at the mark.
    pub is_past: Option<bool>,
    /// Whether this role may vacuum it.
    pub may: bool,
}

const MARK: &str = "SELECT (pg_catalog.pg_current_xact_id()::xid)::text";

// A snapshot of another database keeps nothing here, but its writers do: whoever rewrites has
// a snapshot, too, which begins at the oldest of them. An autovacuum of rows keeps nothing at
// all. What this cannot see, the rewritten table's horizon shows.
const KEEPERS: &str = "\
SELECT what, count(*) FROM (
    SELECT CASE backend_type WHEN 'walsender' THEN 'a replica' ELSE 'a session' END AS what
    FROM pg_catalog.pg_stat_activity
    WHERE pid <> pg_catalog.pg_backend_pid() AND query NOT LIKE 'autovacuum: VACUUM%'
      AND ((datname = pg_catalog.current_database() OR datid IS NULL)
           AND pg_catalog.age(backend_xmin) > pg_catalog.age($1::text::xid)
           OR pg_catalog.age(backend_xid) > pg_catalog.age($1::text::xid))
    UNION ALL
    SELECT 'a replication slot' FROM pg_catalog.pg_replication_slots
    WHERE pg_catalog.age(xmin) > pg_catalog.age($1::text::xid)
    UNION ALL
    SELECT 'a prepared transaction' FROM pg_catalog.pg_prepared_xacts
    WHERE pg_catalog.age(transaction) > pg_catalog.age($1::text::xid)
) AS keeper GROUP BY what ORDER BY what";

// A rewrite freezes whatever it can, so that the table's relfrozenxid afterwards is the
// horizon that it went by: what was dead before that was not carried over.
const RELATIONS: &str = "\
WITH root AS (
    SELECT c.oid FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = $1 AND c.relname = $2
), tables AS (
    SELECT oid FROM root
    UNION SELECT p.relid FROM root, pg_catalog.pg_partition_tree(root.oid) AS p
), toast AS (
    SELECT c.reltoastrelid AS oid FROM pg_catalog.pg_class AS c
    JOIN tables USING (oid) WHERE c.reltoastrelid <> 0
), held AS (
    SELECT oid FROM tables UNION SELECT oid FROM toast
), everything AS (
    SELECT oid FROM held
    UNION SELECT i.indexrelid FROM pg_catalog.pg_index AS i JOIN held ON held.oid = i.indrelid
)
SELECT c.oid::bigint, pg_catalog.pg_relation_filenode(c.oid)::bigint,
       CASE WHEN c.relkind IN ('r', 'm') THEN
           pg_catalog.age(c.relfrozenxid) <= pg_catalog.age($3::text::xid) END,
       c.oid NOT IN (SELECT oid FROM tables)
       OR pg_catalog.pg_has_role(c.relowner, 'USAGE')
       OR (NOT c.relisshared AND (SELECT pg_catalog.pg_has_role(d.datdba, 'USAGE')
           FROM pg_catalog.pg_database AS d WHERE d.datname = pg_catalog.current_database()))
       OR CASE WHEN pg_catalog.current_setting('server_version_num')::int >= 170000
           THEN pg_catalog.has_table_privilege(c.oid, 'MAINTAIN') ELSE false END
FROM pg_catalog.pg_class AS c JOIN everything USING (oid) ORDER BY c.oid";

const READS_STATISTICS: &str = "\
SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user";

// An ANALYZE of an empty table, or of a column that it is told to leave out, leaves the old
// values where they are.
const OLD_STATISTICS: &str = "\
SELECT (SELECT count(*) FROM pg_catalog.pg_statistic AS s
        WHERE s.starelid = ANY ($1::bigint[]::oid[])
          AND pg_catalog.age(s.xmin) > pg_catalog.age($2::text::xid))
     + (SELECT count(*) FROM pg_catalog.pg_statistic_ext_data AS d
        JOIN pg_catalog.pg_statistic_ext AS e ON e.oid = d.stxoid
        WHERE e.stxrelid = ANY ($1::bigint[]::oid[])
          AND pg_catalog.age(d.xmin) > pg_catalog.age($2::text::xid))";

const CLEAR_STATISTICS: [&str; 2] = [
    "DELETE FROM pg_catalog.pg_statistic AS s
     WHERE s.starelid = ANY ($1::bigint[]::oid[])
       AND pg_catalog.age(s.xmin) > pg_catalog.age($2::text::xid)",
    "DELETE FROM pg_catalog.pg_statistic_ext_data AS d USING pg_catalog.pg_statistic_ext AS e
     WHERE e.oid = d.stxoid AND e.stxrelid = ANY ($1::bigint[]::oid[])
       AND pg_catalog.age(d.xmin) > pg_catalog.age($2::text::xid)",
];

const SEEN_STATISTICS: &str = "\
SELECT count(*) FROM pg_catalog.pg_stats AS s
JOIN pg_catalog.pg_namespace AS n ON n.nspname = s.schemaname
JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = s.tablename
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attname = s.attname
WHERE c.oid IN (
    SELECT r.oid FROM pg_catalog.pg_class AS r
    JOIN pg_catalog.pg_namespace AS o ON o.oid = r.relnamespace
    WHERE o.nspname = $1 AND r.relname = $2
    UNION SELECT p.relid FROM pg_catalog.pg_class AS r
    JOIN pg_catalog.pg_namespace AS o ON o.oid = r.relnamespace,
    pg_catalog.pg_partition_tree(r.oid) AS p WHERE o.nspname = $1 AND r.relname = $2
) AND ($3 OR a.attstattarget = 0)";

/// The statements of a class that asks for it; every table that its disposals touch.
pub(super) fn write(class: &Class, catalog: &Catalog) -> Option<Erasing> {
    let dispose = class.dispose()?;
    if dispose.erasure != Erasure::Secure || matches!(dispose.disposal, Disposal::Flag) {
        return None;
    }
    let mut tables: Vec<ErasedTable> = Vec::new();
    let dependants = dispose.dependants.iter().map(|d| &d.table);
    for table in std::iter::once(class.table()).chain(dependants) {
        if catalog.table(table).is_some() && tables.iter().all(|known| &known.table != table) {
            tables.push(erased(table));
        }
    }
    Some(Erasing {
        tables,
        mark: MARK,
        keepers: KEEPERS,
        relations: RELATIONS,
        old_statistics: OLD_STATISTICS,
        reads_statistics: READS_STATISTICS,
        clear_statistics: CLEAR_STATISTICS,
        seen_statistics: SEEN_STATISTICS,
        statistics: [
            ("pg_statistic", "VACUUM (FULL) pg_catalog.pg_statistic"),
            (
                "pg_statistic_ext_data",
                "VACUUM (FULL) pg_catalog.pg_statistic_ext_data",
            ),
        ],
        log_position: "SELECT pg_catalog.pg_current_wal_insert_lsn()::text",
    })
}

fn erased(table: &TableName) -> ErasedTable {
    let name = table.quoted();
    ErasedTable {
        table: table.clone(),
        vacuum: format!("VACUUM (INDEX_CLEANUP ON) {name}"),
        rewrite: format!("VACUUM (FULL, ANALYZE) {name}"),
        is_empty: format!("SELECT NOT EXISTS (SELECT FROM {name})"),
    }
}
