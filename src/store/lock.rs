//! Advisory locks, by what they mean. The numbers are ours for good: another version
//! of the program on the same database must mean the same by them.

use sqlx::PgConnection;

use crate::decisions::Epoch;

/// Taken by a batch, first statement of its transaction: no decision changes while it runs.
pub const DECISIONS_SHARED: &str = "SELECT pg_advisory_xact_lock_shared(1919251553, 1)";

/// Taken by whoever decides something: waits for the batches in hand.
pub const DECISIONS_EXCLUSIVE: &str = "SELECT pg_advisory_xact_lock(1919251553, 1)";

/// Taken by whoever seals ledger entries.
pub const SEALING: &str = "SELECT pg_advisory_xact_lock(1919251553, 2)";

/// Taken by a batch, last thing before it asks whether other rows still name its files:
/// of two batches that delete the last two rows of one file, the second must see the first.
pub const FILES: &str = "SELECT pg_advisory_xact_lock(1919251553, 3)";

/// Held by whoever writes to the published log, by the session, since that lasts longer than
/// a transaction: two services that share one log must not write one file at once.
pub const PUBLISHING: &str = "SELECT pg_try_advisory_lock(1919251553, 4)";

/// Gives [`PUBLISHING`] back.
pub const PUBLISHED: &str = "SELECT pg_advisory_unlock(1919251553, 4)";

/// The number of decisions taken so far.
///
/// # Errors
/// When the database does not answer, or was never migrated.
pub async fn epoch(conn: &mut PgConnection) -> Result<Epoch, sqlx::Error> {
    sqlx::query_scalar("SELECT epoch FROM retentiond.decision_epoch")
        .fetch_one(conn)
        .await
        .map(Epoch)
}
