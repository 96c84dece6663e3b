//! People's requests for erasure, after a pass: which are fulfilled, and whose records are there
//! again.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::PgConnection;

use super::tick::{Order, TickError};
use crate::enforce::RunReport;
use crate::ledger;
use crate::ledger::publish::{Log, Places};
use crate::review::{self, Erasure, LookedFor, ReviewError};
use crate::schedule::Schedule;
use crate::survey;

/// What becomes of people's requests for erasure: those of which nothing is left to do are
/// fulfilled, and once a day the tables are searched for records that are there again.
pub(super) async fn look_after(
    conn: &mut PgConnection,
    order: &Order<'_>,
    acting: &Schedule,
    places: &Places,
    log: &Log,
    report: &mut RunReport,
) -> Result<(), TickError> {
    let requests = review::erasures(conn).await?;
    if requests.is_empty() {
        return Ok(());
    }
    let (drawn, _) = survey::draw_in_force(conn, order.schedule, order.now).await?;
    let today = drawn.plan.on();
    let mut fulfilled = Vec::new();
    for request in &requests {
        let Some(subject) = request.subject.as_deref() else {
            continue;
        };
        let arrived = request.requested_on <= today;
        if arrived && survey::left_to_erase(conn, acting, &drawn, subject).await? == Some(0) {
            fulfilled.push(request.erasure);
        }
    }
    review::fulfil(conn, &fulfilled, order.actor, order.now).await?;
    let mut back = Vec::new();
    let tombstones: Vec<&Erasure> = requests
        .iter()
        .filter(|request| !request.is_open() && request.withdrawn_by.is_none())
        .filter(|request| request.looked_on.is_none_or(|day| day < today))
        .collect();
    // Without the key nobody can be known again; the pass itself is done all the same.
    let origin = ledger::store::origin(conn)
        .await
        .map_err(ReviewError::from)?;
    let keys = match places.keyring(&origin).hash_keys() {
        Ok(keys) => keys,
        Err(error) => {
            report.unpublished = Some(error.to_string());
            None
        }
    };
    if let Some(keys) = keys.filter(|_| !tombstones.is_empty()) {
        let mut found: BTreeMap<&str, u64> = BTreeMap::new();
        let mut wanted: BTreeSet<&str> = BTreeSet::new();
        wanted.extend(tombstones.iter().map(|request| &*request.subject_id));
        survey::everybody(conn, acting, &drawn, |named, rows| {
            for hash in keys.hashes(named) {
                if let Some(hash) = wanted.get(&*hash) {
                    *found.entry(hash).or_default() += rows;
                }
            }
        })
        .await?;
        let looked: Vec<LookedFor> = tombstones
            .iter()
            .map(|request| LookedFor {
                erasure: request.erasure,
                rows: found.get(&*request.subject_id).copied().unwrap_or(0),
            })
            .collect();
        back = review::note_looked(conn, &looked, today, order.actor, order.now).await?;
        for erasure in &back {
            tracing::warn!(
                erasure,
                "records about a person whose records were erased are there again; retentiond subject list --open shows the request"
            );
        }
    }
    let waits = |request: &&Erasure| request.waits();
    let requests = review::erasures(conn).await?;
    report.returned = requests.iter().filter(waits).count() as u64;
    if (!fulfilled.is_empty() || !back.is_empty())
        && let Err(error) = log.publish(conn, order.now).await
    {
        report.unpublished = Some(error.to_string());
    }
    Ok(())
}
