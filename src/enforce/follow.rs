//! A class with dependants or files: lock the records, lock and judge what hangs on them,
//! and only then delete, from the outermost rows inwards.
//!
//! The order is the safety. A locked record cannot be reopened, nor can a new row begin to
//! refer to it; what refers to it is judged by a later statement, which sees everything
//! committed before the lock was granted; each table is deleted by a statement of its own,
//! since rows that cascade are in nobody's `RETURNING`; and whatever a statement answers
//! is compared with what was intended.

use std::collections::{BTreeMap, HashSet};

use sqlx::Row;
use sqlx::postgres::PgConnection;

use super::batch::{Context, Done, seed, settle_constraints};
use super::direct::{Counted, LastDays, forget_flags};
use super::entries::{Entries, Named};
use super::error::EnforceError;
use super::locked::{
    Common, Hanger, Record, linked, lock_dependants, lock_records, lock_shared, sql, unusable,
};
use super::rows::{self, OwnedKey};
use crate::ident::TableName;
use crate::ledger::{Action, EntryId, KeyColumns, ManifestBuilder};
use crate::plan::{Dependant, Follow, Key, Scan};
use crate::store;

pub(super) async fn run(
    conn: &mut PgConnection,
    context: &Context<'_>,
    scan: &Scan,
    follow: &Follow,
    after: Option<&[String]>,
    until: &[String],
    first: EntryId,
) -> Result<Done, EnforceError> {
    let mut done = Done::default();
    let mut records = lock_records(conn, context, scan, follow, after, until, &mut done).await?;
    if records.is_empty() {
        return Ok(done);
    }

    // A file outside its store could never be removed: such a record does not go.
    let named: Vec<&[Option<String>]> = records.iter().map(|record| &record.files[..]).collect();
    let unusable = unusable(context, &follow.files, &named).await?;
    for (record, why) in records.iter_mut().zip(unusable) {
        if let Some(why) = why {
            record.stays = true;
            done.aside.push((rows::key_texts(&record.key), why));
        }
    }
    let mut inbound: Vec<Vec<Hanger>> = Vec::new();
    for dependant in &follow.inbound {
        let found =
            lock_dependants(conn, context, dependant, &mut records, &inbound, &mut done).await?;
        inbound.push(found);
    }
    let mut unlinked: Vec<Vec<Hanger>> = Vec::new();
    for dependant in &follow.unlinked {
        unlinked.push(
            lock_dependants(conn, context, dependant, &mut records, &inbound, &mut done).await?,
        );
    }
    let mut common: Vec<Vec<Common>> = Vec::new();
    for shared in &follow.referred {
        let found = lock_shared(
            conn,
            context,
            shared,
            &mut records,
            &inbound,
            &common,
            &mut done,
        )
        .await?;
        common.push(found);
    }

    stay_together(follow, &mut records, &inbound, &mut done);

    let going: HashSet<usize> = (0..records.len())
        .filter(|nth| !records[*nth].stays)
        .collect();
    if going.is_empty() {
        return Ok(done);
    }
    let goes = |row: &Hanger| row.roots.iter().any(|root| going.contains(root));
    // Rows that are unlinked by one relation may go by another, or be records themselves.
    for (dependant, rows) in follow.unlinked.iter().zip(&mut unlinked) {
        let gone = also_going(context, follow, dependant, &records, &inbound, &going);
        rows.retain(|row| !gone.contains(&row.key));
    }

    let mut entries = Entries {
        context,
        first: Some(first),
        files: Vec::new(),
        written: 0,
    };
    // First whoever stays lets go: of the records, and of dependants that go.
    for (nth, dependant) in follow.unlinked.iter().enumerate() {
        for (edge_no, edge) in dependant.edges.iter().enumerate() {
            let keys: Vec<&OwnedKey> = unlinked[nth]
                .iter()
                .filter(|row| goes(row) && row.parents.iter().any(|(edge, _)| *edge == edge_no))
                .map(|row| &row.key)
                .collect();
            exactly(
                conn,
                &edge.unlink,
                &dependant.key,
                &keys,
                "unlinking dependants",
            )
            .await?;
        }
    }
    // Bottom up: whoever refers goes before whoever is referred to.
    for (nth, dependant) in follow.inbound.iter().enumerate().rev() {
        let rows: Vec<&Hanger> = inbound[nth].iter().filter(|row| goes(row)).collect();
        let keys: Vec<&OwnedKey> = rows.iter().map(|row| &row.key).collect();
        if dependant.own {
            continue;
        }
        exactly(
            conn,
            &dependant.delete,
            &dependant.key,
            &keys,
            "deleting dependants",
        )
        .await?;
    }
    // Records and rows of their own table at once: they may refer to one another.
    let mut gone: Vec<&OwnedKey> = records
        .iter()
        .enumerate()
        .filter(|(nth, _)| going.contains(nth))
        .map(|(_, record)| &record.key)
        .collect();
    for (_, rows) in follow.inbound.iter().zip(&inbound).filter(|(d, _)| d.own) {
        gone.extend(
            rows.iter()
                .filter(|row| row.record.is_none() && goes(row))
                .map(|row| &row.key),
        );
    }
    finish(conn, context, follow, &gone).await?;
    let mut orphans: Vec<HashSet<OwnedKey>> = Vec::new();
    for (nth, shared) in follow.referred.iter().enumerate() {
        let keys = lost_one(&common[nth], &going);
        let gone = by_keys(
            conn,
            &shared.delete,
            &shared.key,
            &keys,
            "deleting what nothing refers to",
        )
        .await?;
        orphans.push(gone.into_iter().collect());
    }
    settle_constraints(conn).await?;

    // What a statement answers is fixed before triggers run that can take it back.
    let keys: Vec<&OwnedKey> = records
        .iter()
        .enumerate()
        .filter(|(nth, _)| going.contains(nth))
        .map(|(_, record)| &record.key)
        .collect();
    stays_done(conn, &follow.undone, &keys).await?;
    for (dependant, rows) in follow.inbound.iter().zip(&inbound) {
        let keys: Vec<&OwnedKey> = rows
            .iter()
            .filter(|row| goes(row))
            .map(|row| &row.key)
            .collect();
        stays_done(conn, &dependant.undone, &keys).await?;
    }
    for (dependant, rows) in follow.unlinked.iter().zip(&unlinked) {
        for (edge_no, edge) in dependant.edges.iter().enumerate() {
            let by_edge = |row: &&Hanger| row.parents.iter().any(|(edge, _)| *edge == edge_no);
            let keys: Vec<&OwnedKey> = rows
                .iter()
                .filter(|row| goes(row))
                .filter(by_edge)
                .map(|row| &row.key)
                .collect();
            stays_done(conn, &edge.undone, &keys).await?;
        }
    }
    for (shared, rows) in follow.referred.iter().zip(&common) {
        stays_done(conn, &shared.undone, &lost_one(rows, &going)).await?;
    }

    // From here on only our own tables are written.
    let mut last_days = LastDays::under(&context.work.rule);
    let action = if follow.anonymises {
        Action::Anonymised
    } else {
        Action::Deleted
    };
    let own = rows::key_columns(&context.work.key)
        .ok_or_else(|| EnforceError::Shape(context.class.id.clone()))?;
    let mut manifest = ManifestBuilder::new(own.clone(), None, seed()?);
    let mut named = Named::new(&follow.files);
    // A record that goes with another is named among those, with what it hung on.
    let riding: HashSet<usize> = follow
        .inbound
        .iter()
        .zip(&inbound)
        .filter(|(dependant, _)| dependant.own)
        .flat_map(|(_, rows)| rows.iter().filter(|row| row.rides(&going)))
        .filter_map(|row| row.record)
        .collect();
    for (nth, record) in records.iter().enumerate() {
        if going.contains(&nth) && !riding.contains(&nth) {
            push(
                &mut manifest,
                context,
                &record.key,
                record.day,
                &mut last_days,
                None,
            )?;
            named.add(&record.files);
        }
    }
    done.records = manifest.count();
    forget_flags(conn, context, gone.iter().copied()).await?;
    entries
        .write(conn, action, &context.class.table, None, manifest, &named)
        .await?;

    for (deleted, dependants, found) in [
        (true, &follow.inbound, &inbound),
        (false, &follow.unlinked, &unlinked),
    ] {
        for (dependant, rows) in dependants.iter().zip(found) {
            let goers: Vec<&Hanger> = rows
                .iter()
                .filter(|row| {
                    if dependant.own {
                        row.rides(&going)
                    } else {
                        goes(row)
                    }
                })
                .collect();
            // One entry for each table that was touched and each table of parents.
            let mut by_parent: BTreeMap<usize, Vec<(&Hanger, &OwnedKey)>> = BTreeMap::new();
            let is_own = |place: usize| {
                place
                    .checked_sub(1)
                    .is_some_and(|nth| follow.inbound[nth].own)
            };
            for row in goers {
                // The parent that goes, not another that stays.
                let parent =
                    row.parents
                        .iter()
                        .find(|(edge, parent)| match dependant.edges[*edge].parent {
                            0 => going.contains(parent),
                            above => goes(&inbound[above - 1][*parent]),
                        });
                if let Some((edge, parent)) = parent {
                    let place = dependant.edges[*edge].parent;
                    let key = match place {
                        0 => &records[*parent].key,
                        above => &inbound[above - 1][*parent].key,
                    };
                    // Rows of the records' own table are parents like the records.
                    let table = if is_own(place) { 0 } else { place };
                    by_parent.entry(table).or_default().push((row, key));
                }
            }
            for (above, rows_of_parent) in by_parent {
                let (table, columns) = parent_of(context, follow, above)?;
                let mut manifest = ManifestBuilder::new(
                    columns_of(context, &dependant.key)?,
                    Some(columns),
                    seed()?,
                );
                let mut named = Named::new(&dependant.files);
                let mut due = 0;
                for (row, parent_key) in rows_of_parent {
                    let root = row.roots.iter().find(|root| going.contains(root));
                    // What is due by itself is counted from its own trigger.
                    let own_day = row.record.map(|nth| records[nth].day).or(row.day);
                    due += u64::from(own_day.is_some());
                    let day = own_day
                        .or(root.map(|root| records[*root].day))
                        .unwrap_or_default();
                    push(
                        &mut manifest,
                        context,
                        &row.key,
                        day,
                        &mut last_days,
                        Some(parent_key),
                    )?;
                    named.add(&row.files);
                }
                let action = if deleted {
                    done.records += due;
                    done.dependants += manifest.count() - due;
                    Action::Deleted
                } else {
                    done.unlinked += manifest.count();
                    Action::Unlinked
                };
                entries
                    .write(
                        conn,
                        action,
                        &dependant.table,
                        Some(&table),
                        manifest,
                        &named,
                    )
                    .await?;
            }
        }
    }
    for ((shared, rows), gone) in follow.referred.iter().zip(&common).zip(&orphans) {
        let mut manifest = ManifestBuilder::new(
            columns_of(context, &shared.key)?,
            Some(own.clone()),
            seed()?,
        );
        let mut named = Named::new(&shared.files);
        for row in rows.iter().filter(|row| gone.contains(&row.key)) {
            if let Some(record) = row.records.iter().find(|record| going.contains(record)) {
                let record = &records[*record];
                push(
                    &mut manifest,
                    context,
                    &row.key,
                    record.day,
                    &mut last_days,
                    Some(&record.key),
                )?;
                named.add(&row.files);
            }
        }
        done.dependants += manifest.count();
        let table = context.class.table.clone();
        entries
            .write(
                conn,
                Action::Deleted,
                &shared.table,
                Some(&table),
                manifest,
                &named,
            )
            .await?;
    }
    done.entries = entries.written;
    done.files = entries.queue(conn).await?;
    nothing_new(conn, follow, &records, &inbound, &common, &orphans, &going).await?;
    Ok(done)
}

fn push(
    manifest: &mut ManifestBuilder,
    context: &Context<'_>,
    key: &OwnedKey,
    day: Counted,
    last_days: &mut LastDays<'_>,
    parent: Option<&OwnedKey>,
) -> Result<(), EnforceError> {
    manifest
        .push(
            key,
            day.trigger,
            last_days.of(day),
            parent.map(Vec::as_slice),
        )
        .map_err(|_| EnforceError::Shape(context.class.id.clone()))
}

fn columns_of(context: &Context<'_>, key: &Key) -> Result<KeyColumns, EnforceError> {
    rows::key_columns(key).ok_or_else(|| EnforceError::Shape(context.class.id.clone()))
}

fn parent_of(
    context: &Context<'_>,
    follow: &Follow,
    above: usize,
) -> Result<(TableName, KeyColumns), EnforceError> {
    match above.checked_sub(1).and_then(|nth| follow.inbound.get(nth)) {
        None => Ok((
            context.class.table.clone(),
            columns_of(context, &context.work.key)?,
        )),
        Some(dependant) => Ok((
            dependant.table.clone(),
            columns_of(context, &dependant.key)?,
        )),
    }
}

/// Runs a statement over exactly these keys; answers those that it dealt with.
async fn by_keys(
    conn: &mut PgConnection,
    text: &str,
    key: &Key,
    keys: &[&OwnedKey],
    doing: &'static str,
) -> Result<Vec<OwnedKey>, EnforceError> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let mut query = store::planned(text);
    for array in rows::key_arrays(keys.iter().copied(), key.columns.len()) {
        query = query.bind(array);
    }
    let answer = query.fetch_all(conn).await.map_err(sql(doing))?;
    answer
        .iter()
        .map(|row| rows::key(row, 0, key).map_err(sql(doing)))
        .collect()
}

/// The same, where one row less is a failure: a trigger vetoed it, or it slipped away.
async fn exactly(
    conn: &mut PgConnection,
    text: &str,
    key: &Key,
    keys: &[&OwnedKey],
    doing: &'static str,
) -> Result<(), EnforceError> {
    let answered = by_keys(conn, text, key, keys, doing).await?;
    if answered.len() == keys.len() {
        Ok(())
    } else {
        Err(EnforceError::Rows(format!(
            "{doing}: the database left some as they were; a trigger may veto it"
        )))
    }
}

/// The rows referred to that lose a record which referred to them.
fn lost_one<'a>(rows: &'a [Common], going: &HashSet<usize>) -> Vec<&'a OwnedKey> {
    let loses = |row: &&Common| row.records.iter().any(|record| going.contains(record));
    rows.iter().filter(loses).map(|row| &row.key).collect()
}

/// Sees that a trigger has not taken back what was done to these keys. `text` counts those
/// that it has; it is empty where no table has a trigger.
async fn stays_done(
    conn: &mut PgConnection,
    text: &str,
    keys: &[&OwnedKey],
) -> Result<(), EnforceError> {
    let failed = sql("looking again after triggers");
    let Some(width) = keys
        .first()
        .map(|key| key.len())
        .filter(|_| !text.is_empty())
    else {
        return Ok(());
    };
    let mut query = store::planned(text);
    for array in rows::key_arrays(keys.iter().copied(), width) {
        query = query.bind(array);
    }
    let undone: i64 = query
        .fetch_one(conn)
        .await
        .and_then(|row| row.try_get(0))
        .map_err(failed)?;
    if undone == 0 {
        Ok(())
    } else {
        Err(EnforceError::Rows(
            "a trigger took back what was done".to_owned(),
        ))
    }
}

/// Deletes or anonymises the records themselves, and sees that they show it.
async fn finish(
    conn: &mut PgConnection,
    context: &Context<'_>,
    follow: &Follow,
    keys: &[&OwnedKey],
) -> Result<(), EnforceError> {
    let doing = if follow.anonymises {
        "anonymising records"
    } else {
        "deleting records"
    };
    let failed = sql(doing);
    let width = context.work.key.columns.len();
    let mut query = store::planned(&follow.finish);
    for array in rows::key_arrays(keys.iter().copied(), width) {
        query = query.bind(array);
    }
    if follow.anonymises {
        query = query
            .bind(context.pads[0].clone())
            .bind(context.pads[1].clone());
    }
    let answer = query.fetch_all(conn).await.map_err(failed)?;
    let mut shown = 0;
    for row in &answer {
        if row.try_get::<bool, _>(width).map_err(failed)? {
            shown += 1;
        }
    }
    if shown == keys.len() {
        Ok(())
    } else {
        Err(EnforceError::Rows(format!(
            "{doing}: the database left some as they were; a trigger may veto or restore it"
        )))
    }
}

/// A record that stays keeps the rows of its own table that it hangs on, as any other row
/// that hangs on them would.
fn stay_together(
    follow: &Follow,
    records: &mut [Record],
    inbound: &[Vec<Hanger>],
    done: &mut Done,
) {
    let mut changed = true;
    while changed {
        changed = false;
        for (_, rows) in follow.inbound.iter().zip(inbound).filter(|(d, _)| d.own) {
            for row in rows {
                let stays = row.record.is_some_and(|record| records[record].stays);
                for root in row.roots.iter().filter(|_| stays) {
                    if !records[*root].stays {
                        records[*root].stays = true;
                        done.changed += 1;
                        changed = true;
                    }
                }
            }
        }
    }
}

/// The keys of a table's rows that go in this batch by another relation.
fn also_going(
    context: &Context<'_>,
    follow: &Follow,
    dependant: &Dependant,
    records: &[Record],
    inbound: &[Vec<Hanger>],
    going: &HashSet<usize>,
) -> HashSet<OwnedKey> {
    let mut keys = HashSet::new();
    if dependant.table == context.class.table && !follow.anonymises {
        keys.extend(going.iter().map(|nth| records[*nth].key.clone()));
    }
    for (other, rows) in follow.inbound.iter().zip(inbound) {
        if other.table == dependant.table {
            let goes = |row: &&Hanger| row.roots.iter().any(|root| going.contains(root));
            keys.extend(rows.iter().filter(goes).map(|row| row.key.clone()));
        }
    }
    keys
}

/// Sees that nothing has come to hang on what was deleted, by a relation that no lock on
/// the row referred to protects. What came is dealt with by the next try.
async fn nothing_new(
    conn: &mut PgConnection,
    follow: &Follow,
    records: &[Record],
    inbound: &[Vec<Hanger>],
    common: &[Vec<Common>],
    orphans: &[HashSet<OwnedKey>],
    going: &HashSet<usize>,
) -> Result<(), EnforceError> {
    let failed = sql("looking again for dependants");
    let mut looks: Vec<(&str, Vec<Vec<String>>)> = Vec::new();
    for dependant in follow.inbound.iter().chain(&follow.unlinked) {
        for edge in dependant.edges.iter().filter(|edge| !edge.again.is_empty()) {
            let gone: Vec<&[Option<String>]> = match edge.parent.checked_sub(1) {
                None => going.iter().map(|nth| &records[*nth].links[..]).collect(),
                Some(above) => inbound
                    .get(above)
                    .into_iter()
                    .flatten()
                    .filter(|row| row.roots.iter().any(|root| going.contains(root)))
                    .map(|row| &row.links[..])
                    .collect(),
            };
            let links = &edge.parent_links;
            looks.push((
                &edge.again,
                gone.iter().filter_map(|row| linked(row, links)).collect(),
            ));
        }
    }
    for ((shared, rows), gone) in follow.referred.iter().zip(common).zip(orphans) {
        for again in &shared.again {
            let gone = rows.iter().filter(|row| gone.contains(&row.key));
            let values = gone
                .filter_map(|row| linked(&row.links, &again.links))
                .collect();
            looks.push((&again.count, values));
        }
    }
    for (text, values) in looks {
        let Some(width) = values.first().map(Vec::len) else {
            continue;
        };
        let mut query = store::planned(text);
        for nth in 0..width {
            let column: Vec<String> = values.iter().map(|row| row[nth].clone()).collect();
            query = query.bind(column);
        }
        let row = query.fetch_one(&mut *conn).await.map_err(failed)?;
        if row.try_get::<i64, _>(0).map_err(failed)? > 0 {
            return Err(EnforceError::Meanwhile);
        }
    }
    Ok(())
}
