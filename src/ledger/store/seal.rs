//! Sealing: entries get their place in the log, for good.
//!
//! Whoever seals holds one advisory lock until the commit, and sees every entry that was
//! committed before: so the places have no gaps, and no entry has two. The order is that
//! of sealing, which within one turn is that of the entries' numbers.

use futures_util::stream::BoxStream;
use sqlx::postgres::PgRow;
use sqlx::{Connection, PgConnection, Row};

use super::LedgerError;
use crate::ledger::merkle::{CompactRange, Hash, leaf_hash};
use crate::ledger::tree::{self, Node};
use crate::store;

/// Entries sealed in one transaction: few enough that nobody waits long for the lock.
const ENTRIES_A_TURN: i64 = 2_000;

pub(super) const SIZE: &str = "\
SELECT coalesce(max(leaf_index) + 1, 0) FROM retentiond.ledger_seal";

pub(super) const NODES: &str = "\
SELECT s.leaf_index, s.nodes, e.body
FROM retentiond.ledger_seal AS s
LEFT JOIN retentiond.ledger_entry AS e ON e.entry_id = s.entry_id
WHERE s.leaf_index = ANY ($1)";

pub(super) const WAITING: &str = "\
SELECT u.entry_id, e.body
FROM retentiond.unsealed AS u
LEFT JOIN retentiond.ledger_entry AS e ON e.entry_id = u.entry_id
    AND NOT EXISTS (SELECT FROM retentiond.ledger_seal AS s WHERE s.entry_id = u.entry_id)
ORDER BY u.entry_id
LIMIT $1";

pub(super) const INSERT_SEALS: &str = "\
INSERT INTO retentiond.ledger_seal (leaf_index, entry_id, nodes)
SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bytea[])";

pub(super) const NO_LONGER_WAITING: &str = "\
DELETE FROM retentiond.unsealed
WHERE entry_id = ANY ($1)";

/// Sealed entries in their order, with their records.
pub(super) const SEALED_WITH_RECORDS: &str = "\
SELECT s.leaf_index, e.body, m.year, m.seed, m.records
FROM retentiond.ledger_seal AS s
JOIN retentiond.ledger_entry AS e ON e.entry_id = s.entry_id
LEFT JOIN LATERAL (
    SELECT year, seed, records
    FROM retentiond.ledger_manifest
    WHERE entry_id = e.entry_id
      AND year = extract(year FROM e.at AT TIME ZONE 'UTC')::smallint
    OFFSET 0 -- looked up entry by entry, never joined as a whole
) AS m ON true
WHERE s.leaf_index >= $1 AND s.leaf_index < $2
ORDER BY s.leaf_index";

/// Where the sealed log stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// How many entries it has.
    pub size: u64,
    /// Its root.
    pub root: Hash,
}

/// Seals every entry that is visible; answers how many there were. For a connection
/// outside a transaction.
///
/// The commit is not waited for: what a crash loses of it is sealed again, and a
/// checkpoint is signed only in a transaction that is waited for, and with it all before.
///
/// # Errors
/// When the database does not answer, or what is kept of the tree is not whole.
pub async fn seal(conn: &mut PgConnection) -> Result<u64, LedgerError> {
    let mut sealed = 0;
    loop {
        let mut tx = conn.begin().await.map_err(LedgerError::writing)?;
        sqlx::query("SET LOCAL synchronous_commit = off")
            .execute(&mut *tx)
            .await
            .map_err(LedgerError::writing)?;
        lock(&mut tx).await?;
        let turn = seal_turn(&mut tx).await?;
        tx.commit().await.map_err(LedgerError::writing)?;
        sealed += turn.sealed;
        if turn.looked_at < ENTRIES_A_TURN {
            return Ok(sealed);
        }
    }
}

/// Held until the transaction's end; a statement of its own, so that the next one sees
/// what was committed before it was granted.
pub(super) async fn lock(tx: &mut PgConnection) -> Result<(), LedgerError> {
    sqlx::query(store::SEALING)
        .execute(tx)
        .await
        .map_err(LedgerError::writing)?;
    Ok(())
}

struct Turn {
    looked_at: i64,
    sealed: u64,
}

async fn seal_turn(tx: &mut PgConnection) -> Result<Turn, LedgerError> {
    let rows = sqlx::query(WAITING)
        .bind(ENTRIES_A_TURN)
        .fetch_all(&mut *tx)
        .await
        .map_err(LedgerError::reading)?;
    if rows.is_empty() {
        return Ok(Turn {
            looked_at: 0,
            sealed: 0,
        });
    }
    let size = size(tx).await?;
    let mut tree = tree_of(tx, size).await?;
    let (mut places, mut entries, mut nodes) = (Vec::new(), Vec::new(), Vec::new());
    let mut done: Vec<i64> = Vec::new();
    for row in &rows {
        let id: i64 = row.try_get("entry_id").map_err(LedgerError::reading)?;
        let body: Option<&[u8]> = row.try_get("body").map_err(LedgerError::reading)?;
        done.push(id);
        // Sealed already, or gone: nothing to seal either way.
        let Some(body) = body else { continue };
        places.push(signed(tree.size())?);
        entries.push(id);
        nodes.push(tree.push(leaf_hash(body)).concat());
    }
    let sealed = places.len() as u64;
    if sealed > 0 {
        sqlx::query(INSERT_SEALS)
            .bind(places)
            .bind(entries)
            .bind(nodes)
            .execute(&mut *tx)
            .await
            .map_err(LedgerError::writing)?;
    }
    let looked_at = rows.len() as i64;
    sqlx::query(NO_LONGER_WAITING)
        .bind(done)
        .execute(tx)
        .await
        .map_err(LedgerError::writing)?;
    Ok(Turn { looked_at, sealed })
}

/// A number of leaves as PostgreSQL has it.
pub(super) fn signed(number: u64) -> Result<i64, LedgerError> {
    i64::try_from(number).map_err(|_| LedgerError::Seal("it has more entries than it can"))
}

/// How many entries are sealed.
///
/// # Errors
/// When the database does not answer.
pub async fn size(conn: &mut PgConnection) -> Result<u64, LedgerError> {
    let size: i64 = sqlx::query_scalar(SIZE)
        .fetch_one(conn)
        .await
        .map_err(LedgerError::reading)?;
    Ok(size.unsigned_abs())
}

/// How long the sealed log is, and its root, from what is kept of the tree. (Whether that
/// is what it should be is verification's question.)
///
/// # Errors
/// When the database does not answer, or what is kept is not whole.
pub async fn head(conn: &mut PgConnection) -> Result<Head, LedgerError> {
    let size = size(conn).await?;
    let root = root_at(conn, size).await?;
    Ok(Head { size, root })
}

/// The root that the log had when it was `size` long.
///
/// # Errors
/// As [`head`]; also when it never was as long.
pub async fn root_at(conn: &mut PgConnection, size: u64) -> Result<Hash, LedgerError> {
    Ok(tree_of(conn, size).await?.root())
}

pub(super) async fn tree_of(
    conn: &mut PgConnection,
    size: u64,
) -> Result<CompactRange, LedgerError> {
    let roots = hashes(conn, &tree::perfect_parts(size)).await?;
    CompactRange::resume(size, roots).ok_or(LedgerError::Seal("its parts are not as many"))
}

/// The hashes of perfect subtrees, in the order of `wanted`.
pub(super) async fn hashes(
    conn: &mut PgConnection,
    wanted: &[Node],
) -> Result<Vec<Hash>, LedgerError> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let mut places = Vec::new();
    for node in wanted {
        places.push(signed(node.last_leaf())?);
    }
    let rows = sqlx::query(NODES)
        .bind(&places)
        .fetch_all(conn)
        .await
        .map_err(LedgerError::reading)?;
    let mut kept = std::collections::BTreeMap::new();
    for row in &rows {
        let place: i64 = row.try_get("leaf_index").map_err(LedgerError::reading)?;
        let nodes: &[u8] = row.try_get("nodes").map_err(LedgerError::reading)?;
        let body: Option<&[u8]> = row.try_get("body").map_err(LedgerError::reading)?;
        kept.insert(place, (nodes, body));
    }
    wanted
        .iter()
        .zip(&places)
        .map(|(node, place)| {
            let (nodes, body) = kept.get(place)?;
            match node.level {
                // From the bytes: the column beside them is no more than a copy.
                0 => body.map(leaf_hash),
                level => {
                    let from = (level as usize - 1) * 32;
                    Hash::try_from(nodes.get(from..from + 32)?).ok()
                }
            }
        })
        .collect::<Option<_>>()
        .ok_or(LedgerError::Seal("a hash of it is missing"))
}

/// The hashes of a proof whose parts are these.
pub(super) async fn proof(
    conn: &mut PgConnection,
    parts: &[tree::Part],
) -> Result<Vec<Hash>, LedgerError> {
    let nodes: Vec<Node> = parts.iter().flatten().copied().collect();
    let mut hashes = hashes(conn, &nodes).await?.into_iter();
    parts
        .iter()
        .map(|part| tree::fold(&hashes.by_ref().take(part.len()).collect::<Vec<_>>()))
        .collect::<Option<_>>()
        .ok_or(LedgerError::Seal("a hash of a proof is missing"))
}

/// The siblings of the leaf at `index` in the tree of the first `size` entries.
///
/// # Errors
/// As [`head`]; also when there is no such leaf.
pub async fn inclusion(
    conn: &mut PgConnection,
    index: u64,
    size: u64,
) -> Result<Vec<Hash>, LedgerError> {
    let parts = tree::inclusion_parts(index, size)
        .ok_or(LedgerError::Seal("there is no such entry in it"))?;
    proof(conn, &parts).await
}

/// The proof that the log of `old` entries is the beginning of that of `new`.
///
/// # Errors
/// As [`head`]; also when it never was as long.
pub async fn consistency(
    conn: &mut PgConnection,
    old: u64,
    new: u64,
) -> Result<Vec<Hash>, LedgerError> {
    let parts = tree::consistency_parts(old, new)
        .ok_or(LedgerError::Seal("it was never as long as that"))?;
    proof(conn, &parts).await
}

/// The rows of the entries in places `from..to`: `leaf_index`, `body`, and of their
/// manifests `year`, `seed` and `records`.
pub(in crate::ledger) fn sealed_with_records(
    conn: &mut PgConnection,
    from: u64,
    to: u64,
) -> Result<BoxStream<'_, Result<PgRow, sqlx::Error>>, LedgerError> {
    Ok(sqlx::query(SEALED_WITH_RECORDS)
        .bind(signed(from)?)
        .bind(signed(to)?)
        .fetch(conn))
}
