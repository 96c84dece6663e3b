//! One batch: its transaction from the first lock to the commit.

use sqlx::postgres::PgConnection;
use sqlx::{Connection, Row};

use super::error::EnforceError;
use super::{Pass, PassClock, direct, follow, keys, position};
use crate::ident::TableName;
use crate::ledger::{self, Action, Entry, EntryId, Manifest};
use crate::plan::{ClassPlan, Plan, Route, Scan, Work};
use crate::store::{self, Lease};

/// Everything that stays the same from batch to batch of one class.
pub(super) struct Context<'a> {
    pub plan: &'a Plan,
    pub class: &'a ClassPlan,
    pub work: &'a Work,
    pub lease: &'a Lease,
    pub pass: &'a Pass<'a>,
    pub clock: PassClock,
    pub run: i64,
    /// The two pads of this pass's pseudonym key, which nobody keeps.
    pub pads: &'a [Vec<u8>; 2],
}

/// Where a batch begins and what it leaves behind as a position.
pub(super) struct Bounds<'a> {
    pub after: Option<&'a [String]>,
    /// Set where the end is known already: one row, tried again.
    pub until: Option<&'a [String]>,
    pub size: i64,
    /// Whether the batch before was as large as it might be, so that this one probably is.
    pub full: bool,
    pub leave: position::Leave,
}

/// What a batch found and did.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// The position up to which it acted; none where nothing was left.
    pub until: Option<Vec<String>>,
    /// Rows of the range that it passed over.
    pub visited: i64,
    pub records: u64,
    pub dependants: u64,
    pub unlinked: u64,
    pub changed: u64,
    pub entries: u64,
    /// Records that were set aside at once, with their reason.
    pub aside: Vec<(Vec<String>, String)>,
    pub files: u64,
}

/// A batch that failed, and how far it would have gone.
pub(super) struct Failure {
    pub error: EnforceError,
    pub until: Option<Vec<String>>,
    pub visited: i64,
}

impl<E: Into<EnforceError>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self {
            error: error.into(),
            until: None,
            visited: 0,
        }
    }
}

/// Runs one batch. On an error the transaction is rolled back and nothing has happened.
pub(super) async fn run(
    conn: &mut PgConnection,
    context: &Context<'_>,
    scan: &Scan,
    bounds: &Bounds<'_>,
) -> Result<Done, Failure> {
    let sql = |doing| move |error: sqlx::Error| EnforceError::from_sql(doing, &error);
    let mut tx = conn
        .begin_with("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")
        .await
        .map_err(sql("beginning a batch"))?;
    // The lock comes first and alone: a snapshot taken before it could miss a hold that
    // was placed while it waited.
    sqlx::query(store::DECISIONS_SHARED)
        .execute(&mut *tx)
        .await
        .map_err(sql("taking the decisions' lock"))?;
    let guard = sqlx::query(
        "SELECT e.epoch, l.token, nextval('retentiond.ledger_entry_id')
           FROM retentiond.decision_epoch e, retentiond.lease l
          WHERE l.class_id = $1 FOR SHARE OF l",
    )
    .bind(context.class.id.as_str())
    .fetch_one(&mut *tx)
    .await
    .map_err(sql("checking the epoch and the lease"))?;
    let (epoch, token, entry): (i64, i64, i64) =
        (|| Ok((guard.try_get(0)?, guard.try_get(1)?, guard.try_get(2)?)))()
            .map_err(sql("checking the epoch and the lease"))?;
    if epoch != context.plan.epoch().0 {
        return Err(EnforceError::Replan.into());
    }
    if token != context.lease.token() {
        return Err(EnforceError::Lease(store::LeaseError::Lost(context.class.id.clone())).into());
    }

    let (until, visited) = match bounds.until {
        Some(until) => (Some(until.to_vec()), 1),
        None => step(&mut tx, scan, bounds)
            .await
            .map_err(sql("finding the next records"))?,
    };
    let Some(until) = until else {
        tx.rollback().await.map_err(sql("ending an empty batch"))?;
        return Ok(Done::default());
    };
    let fail = |error: EnforceError| Failure {
        error,
        until: Some(until.clone()),
        visited,
    };

    let mut done = match &context.work.route {
        Route::Direct { what } => {
            direct::run(
                &mut tx,
                context,
                scan,
                *what,
                bounds.after,
                &until,
                EntryId(entry),
            )
            .await
        }
        Route::Follow(follow) => {
            follow::run(
                &mut tx,
                context,
                scan,
                follow,
                bounds.after,
                &until,
                EntryId(entry),
            )
            .await
        }
    }
    .map_err(fail)?;
    if done.records > 0 && !keys::as_planned(&mut tx, context).await.map_err(fail)? {
        return Err(EnforceError::Replan.into());
    }
    position::leave(&mut tx, context, scan, &bounds.leave, &until, visited)
        .await
        .map_err(|e| fail(EnforceError::from_sql("keeping the position", &e)))?;
    tx.commit()
        .await
        .map_err(|e| fail(EnforceError::from_sql("committing a batch", &e)))?;
    done.until = Some(until);
    done.visited = visited;
    Ok(done)
}

/// Where the next rows end, and how many they are. Amid a long walk it asks in the cheap
/// way, which does not count, and only at its end again in the other.
async fn step(
    conn: &mut PgConnection,
    scan: &Scan,
    bounds: &Bounds<'_>,
) -> Result<(Option<Vec<String>>, i64), sqlx::Error> {
    let ways = if bounds.full {
        &[&scan.step, &scan.rest][..]
    } else {
        &[&scan.rest]
    };
    for way in ways {
        let sql = way.text(bounds.after.is_some(), false);
        let mut query = store::planned(&sql);
        for nth in 0..scan.width {
            query = query.bind(bounds.after.and_then(|after| after.get(nth)).cloned());
        }
        for _ in 0..scan.width {
            query = query.bind(None::<String>);
        }
        if let Some(row) = query.bind(bounds.size).fetch_optional(&mut *conn).await? {
            let until = (0..scan.width)
                .map(|nth| row.try_get(nth))
                .collect::<Result<Vec<String>, _>>()?;
            return Ok((Some(until), row.try_get(scan.width)?));
        }
    }
    Ok((None, 0))
}

/// An entry of this class's pass, with everything filled in that is the same for all.
pub(super) fn entry(
    context: &Context<'_>,
    id: EntryId,
    action: Action,
    table: &TableName,
) -> Entry {
    let mut entry = Entry::new(id, context.clock.now(), action, context.pass.actor);
    entry.class = Some(context.class.id.clone());
    entry.table = Some(table.clone());
    entry.run = Some(context.run);
    entry.schedule = Some(*context.plan.schedule_digest());
    entry.file = Some(*context.plan.file_digest());
    entry.plan = Some(*context.plan.digest());
    entry
}

/// Writes an entry with its records. Deferred constraints speak first, while the
/// statement that they are about can still be undone.
pub(super) async fn append(
    conn: &mut PgConnection,
    mut entry: Entry,
    manifest: &Manifest,
) -> Result<(), EnforceError> {
    entry.count = manifest.count;
    entry.manifest = Some(manifest.root);
    ledger::store::append(conn, &entry, Some(manifest)).await?;
    Ok(())
}

/// Deferred constraints speak now.
pub(super) async fn settle_constraints(conn: &mut PgConnection) -> Result<(), EnforceError> {
    sqlx::query("SET CONSTRAINTS ALL IMMEDIATE")
        .execute(conn)
        .await
        .map(drop)
        .map_err(|e| EnforceError::from_sql("checking deferred constraints", &e))
}

/// A manifest's secret, new for each.
pub(super) fn seed() -> Result<[u8; 32], EnforceError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|_| EnforceError::Database {
        doing: "asking the system for random bytes",
        reason: "no randomness".to_owned(),
        lost: false,
    })?;
    Ok(seed)
}
