//! Removing the files of rows that are gone, and saying so in the ledger.

use std::sync::Arc;

use sqlx::{Connection, PgConnection};

use super::error::EnforceError;
use super::{Pass, PassClock};
use crate::files::{self, Item, Removed};
use crate::ident::ClassId;
use crate::ledger::{Action, Entry, store as ledger};
use crate::plan::Plan;

/// Files handled between two commits.
const MOST: i64 = 500;

/// What became of the files of one group.
#[derive(Debug, Default)]
pub(super) struct Settled {
    pub class: Option<ClassId>,
    pub removed: u64,
    pub failed: u64,
    pub entries: u64,
    /// The last item seen; the next group begins after it.
    pub last: i64,
}

/// Removes the next group of files after `after`; `None` when there is none.
///
/// First the files, then entry and clearing together: a crash in between repeats the
/// removal, which finds nothing and says so.
pub(super) async fn settle(
    conn: &mut PgConnection,
    plan: &Plan,
    pass: &Pass<'_>,
    clock: PassClock,
    run: i64,
    after: i64,
) -> Result<Option<Settled>, EnforceError> {
    let sql = |doing| move |error: sqlx::Error| EnforceError::from_sql(doing, &error);
    let items = files::pending(conn, after, MOST)
        .await
        .map_err(sql("reading the files to remove"))?;
    let (Some(first), Some(last)) = (items.first(), items.last()) else {
        return Ok(None);
    };
    let mut settled = Settled {
        class: ClassId::new(&first.class),
        last: last.id,
        ..Settled::default()
    };
    let store = match pass.stores.get(&first.store) {
        Ok(store) => Arc::clone(store),
        Err(_) => {
            for item in &items {
                files::failed(conn, item.id, "no such store in the settings")
                    .await
                    .map_err(sql("noting a file that stays"))?;
            }
            settled.failed = items.len() as u64;
            return Ok(Some(settled));
        }
    };
    let paths: Vec<String> = items.iter().map(|item| item.path.clone()).collect();
    let outcomes = tokio::task::spawn_blocking(move || store.remove(&paths))
        .await
        .map_err(|_| EnforceError::Database {
            doing: "removing files",
            reason: "the thread was stopped".to_owned(),
            lost: false,
        })?;
    let (mut gone, mut absent) = (Vec::new(), 0_u64);
    for (item, outcome) in items.iter().zip(outcomes) {
        match outcome {
            Ok(Removed::Now) => gone.push(item),
            Ok(Removed::Before) => {
                absent += 1;
                gone.push(item);
            }
            Err(error) => {
                settled.failed += 1;
                // The kind of error only: its text can hold the path.
                files::failed(conn, item.id, &error.kind().to_string())
                    .await
                    .map_err(sql("noting a file that stays"))?;
            }
        }
    }
    if gone.is_empty() {
        return Ok(Some(settled));
    }
    let mut tx = conn.begin().await.map_err(sql("clearing removed files"))?;
    let ids: Vec<i64> = gone.iter().map(|item| item.id).collect();
    let cleared = files::clear(&mut tx, &ids)
        .await
        .map_err(sql("clearing removed files"))?;
    if !cleared.is_empty() {
        let id = ledger::next_entry_ids(&mut tx, 1)
            .await?
            .pop()
            .ok_or_else(|| EnforceError::Database {
                doing: "numbering an entry",
                reason: "no number".to_owned(),
                lost: false,
            })?;
        let entry = removed(
            plan,
            pass,
            clock,
            run,
            id,
            first,
            cleared.len() as u64,
            absent,
        );
        ledger::append(&mut tx, &entry, None).await?;
        settled.entries = 1;
    }
    tx.commit().await.map_err(sql("clearing removed files"))?;
    settled.removed = cleared.len() as u64;
    Ok(Some(settled))
}

#[expect(clippy::too_many_arguments, reason = "each is one field of the entry")]
fn removed(
    plan: &Plan,
    pass: &Pass<'_>,
    clock: PassClock,
    run: i64,
    id: crate::ledger::EntryId,
    first: &Item,
    count: u64,
    absent: u64,
) -> Entry {
    let mut entry = Entry::new(id, clock.now(), Action::FileRemoved, pass.actor);
    entry.class = ClassId::new(&first.class);
    entry.table = first.table.parse().ok();
    entry.run = Some(run);
    entry.schedule = Some(*plan.schedule_digest());
    entry.file = Some(*plan.file_digest());
    entry.plan = Some(*plan.digest());
    entry.count = count;
    entry
        .detail
        .insert("of-entry".to_owned(), first.entry.to_string());
    entry.detail.insert("store".to_owned(), first.store.clone());
    if absent > 0 {
        entry
            .detail
            .insert("already-absent".to_owned(), absent.to_string());
    }
    entry
}
