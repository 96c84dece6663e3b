//! The rows of a batch that follows dependants: read, locked and judged before anything
//! is changed.
//!
//! Each statement comes after the locks of the one before it, so that it sees whatever was
//! committed until then. A row that is kept keeps the records that it hangs on.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use sqlx::Row;
use sqlx::postgres::{PgConnection, PgRow};

use super::batch::{Context, Done};
use super::direct::Counted;
use super::error::EnforceError;
use super::rows::{self, OwnedKey};
use crate::plan::{
    AT_ONCE, Dependant, FileOf, Follow, Key, Reads, Referrer, Scan, Shared, Verdict,
};
use crate::store;

/// A record of the class, locked.
pub(super) struct Record {
    pub key: OwnedKey,
    pub day: Counted,
    pub links: Vec<Option<String>>,
    pub files: Vec<Option<String>>,
    /// Set when something that hangs on it protects it, or its file cannot be named.
    pub stays: bool,
}

/// A row that refers to a record, or to another such row, locked.
pub(super) struct Hanger {
    pub key: OwnedKey,
    pub links: Vec<Option<String>>,
    pub files: Vec<Option<String>>,
    /// The rows it refers to: by which link of its table, and which row there.
    pub parents: Vec<(usize, usize)>,
    /// The records that it hangs on in the end.
    pub roots: BTreeSet<usize>,
    /// The record that this is itself, where a record's own table hangs on it.
    pub record: Option<usize>,
    /// In the record's own table: the day of its own trigger, where it is due by itself.
    pub day: Option<Counted>,
    /// Why it keeps what it hangs on, if it does.
    keeps: Option<Keeps>,
}

/// Why a row that hangs on records keeps them.
#[derive(Clone)]
enum Keeps {
    /// A hold, a class or a gate of its own protects it.
    Protected,
    /// Its file cannot be removed.
    File(String),
}

impl Hanger {
    /// Whether it goes because a record other than itself goes.
    pub fn rides(&self, going: &std::collections::HashSet<usize>) -> bool {
        let others = |root: &&usize| Some(**root) != self.record;
        self.roots
            .iter()
            .filter(others)
            .any(|root| going.contains(root))
    }
}

/// A record stays, for what hangs on it.
fn keep(record: &mut Record, why: &Keeps, done: &mut Done) {
    if record.stays {
        return;
    }
    record.stays = true;
    match why {
        Keeps::File(why) => done.aside.push((rows::key_texts(&record.key), why.clone())),
        Keeps::Protected => done.changed += 1,
    }
}

/// A row that records, or rows that go with them, refer to, locked.
pub(super) struct Common {
    pub key: OwnedKey,
    pub links: Vec<Option<String>>,
    pub files: Vec<Option<String>>,
    /// The records that it hangs on in the end.
    pub records: Vec<usize>,
}

pub(super) fn sql(doing: &'static str) -> impl Fn(sqlx::Error) -> EnforceError + Copy {
    move |error| EnforceError::from_sql(doing, &error)
}

/// For each row, why the files that it names cannot be removed, if they cannot.
pub(super) async fn unusable(
    context: &Context<'_>,
    columns: &[FileOf],
    rows: &[&[Option<String>]],
) -> Result<Vec<Option<String>>, EnforceError> {
    let mut found = vec![None; rows.len()];
    for (column_no, column) in columns.iter().enumerate() {
        let (places, paths): (Vec<usize>, Vec<String>) = rows
            .iter()
            .enumerate()
            .filter_map(|(nth, files)| {
                let path = files.get(column_no)?.clone()?;
                (!path.is_empty()).then_some((nth, path))
            })
            .unzip();
        if paths.is_empty() {
            continue;
        }
        let store = Arc::clone(context.pass.stores.get(&column.store)?);
        let reached = tokio::task::spawn_blocking(move || store.reach(&paths))
            .await
            .map_err(|_| EnforceError::Database {
                doing: "looking for files",
                reason: "the thread was stopped".to_owned(),
                lost: false,
            })?;
        for (place, outcome) in places.into_iter().zip(reached) {
            if let Err(error) = outcome {
                found[place] = Some(error.to_string());
            }
        }
    }
    Ok(found)
}

pub(super) async fn lock_records(
    conn: &mut PgConnection,
    context: &Context<'_>,
    scan: &Scan,
    follow: &Follow,
    after: Option<&[String]>,
    until: &[String],
    done: &mut Done,
) -> Result<Vec<Record>, EnforceError> {
    let failed = sql("locking records");
    let text = scan.act.text(after.is_some(), true);
    let mut query = store::planned(&text);
    for nth in 0..scan.width {
        query = query.bind(after.and_then(|after| after.get(nth)).cloned());
    }
    for nth in 0..scan.width {
        query = query.bind(until.get(nth).cloned());
    }
    let key = &context.work.key;
    let width = key.columns.len();
    let decode = |row: &PgRow| -> Result<Record, sqlx::Error> {
        Ok(Record {
            key: rows::key(row, 0, key)?,
            day: Counted {
                trigger: rows::day(row, width, scan.day, context.plan.time_zone())?,
                at_once: scan.at_once,
            },
            links: rows::texts(row, width + 1, follow.links)?,
            files: rows::texts(row, width + 1 + follow.links, follow.files.len())?,
            stays: false,
        })
    };
    let answer = query.fetch_all(&mut *conn).await.map_err(failed)?;
    let mut records: Vec<Record> = answer
        .iter()
        .map(|row| decode(row).map_err(failed))
        .collect::<Result<_, _>>()?;
    if let Some(reads) = &follow.reads {
        let links: Vec<&[Option<String>]> = records.iter().map(|r| &r.links[..]).collect();
        let keys: Vec<&OwnedKey> = records.iter().map(|r| &r.key).collect();
        let judged = judge_again(conn, reads, &links, &keys, key, |row| row.try_get(width)).await?;
        for record in &mut records {
            if judged.get(&record.key) != Some(&true) {
                record.stays = true;
                done.changed += 1;
            }
        }
    }
    Ok(records)
}

/// Locks what the judgement of some locked rows reads beyond them, and judges them again by a
/// later statement: from then on nothing that it reads can change until the end.
async fn judge_again<T>(
    conn: &mut PgConnection,
    reads: &Reads,
    links: &[&[Option<String>]],
    keys: &[&OwnedKey],
    key: &Key,
    answered: impl Fn(&PgRow) -> Result<T, sqlx::Error>,
) -> Result<HashMap<OwnedKey, T>, EnforceError> {
    let failed = sql("locking what a decision reads");
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    for read in &reads.rows {
        let values: BTreeSet<Vec<String>> = links
            .iter()
            .filter_map(|links| linked(links, &read.links))
            .collect();
        if values.is_empty() {
            continue;
        }
        let mut query = store::planned(&read.lock);
        for nth in 0..read.links.len() {
            let column: Vec<String> = values.iter().map(|row| row[nth].clone()).collect();
            query = query.bind(column);
        }
        query.execute(&mut *conn).await.map_err(failed)?;
    }
    let mut query = store::planned(&reads.again);
    for array in rows::key_arrays(keys.iter().copied(), key.columns.len()) {
        query = query.bind(array);
    }
    let answer = query.fetch_all(conn).await.map_err(failed)?;
    answer
        .iter()
        .map(|row| Ok((rows::key(row, 0, key)?, answered(row)?)))
        .collect::<Result<_, sqlx::Error>>()
        .map_err(failed)
}

/// The values of some links, unless one is NULL (which refers to nothing).
pub(super) fn linked(links: &[Option<String>], which: &[usize]) -> Option<Vec<String>> {
    which
        .iter()
        .map(|nth| links.get(*nth).cloned().flatten())
        .collect()
}

pub(super) async fn lock_dependants(
    conn: &mut PgConnection,
    context: &Context<'_>,
    dependant: &Dependant,
    records: &mut [Record],
    inbound: &[Vec<Hanger>],
    done: &mut Done,
) -> Result<Vec<Hanger>, EnforceError> {
    let own_place = inbound.len() + 1;
    let mut found = Found::default();
    if dependant.own {
        let keys = records.iter().enumerate();
        found.records = keys
            .map(|(nth, record)| (record.key.clone(), nth))
            .collect();
    }
    for (edge_no, edge) in dependant.edges.iter().enumerate() {
        // Who is referred to, by the values that refer to it.
        let mut parents: HashMap<Vec<String>, usize> = HashMap::new();
        match edge.parent.checked_sub(1) {
            None => {
                for (nth, record) in records
                    .iter()
                    .enumerate()
                    .filter(|(_, record)| !record.stays)
                {
                    parents.extend(
                        linked(&record.links, &edge.parent_links).map(|values| (values, nth)),
                    );
                }
            }
            Some(above) => {
                for (nth, row) in inbound.get(above).into_iter().flatten().enumerate() {
                    parents
                        .extend(linked(&row.links, &edge.parent_links).map(|values| (values, nth)));
                }
            }
        }
        let key_of = |nth: usize| match edge.parent {
            0 if dependant.own => Some(records[nth].key.clone()),
            _ => None,
        };
        lock_edge(
            conn, context, dependant, edge_no, &parents, key_of, &mut found,
        )
        .await?;
    }
    // Then what hangs on these within their own table, until nothing new is found.
    let mut seen = 0;
    while seen < found.rows.len() {
        let fresh = seen..found.rows.len();
        seen = fresh.end;
        for (edge_no, edge) in dependant.edges.iter().enumerate() {
            if edge.parent != own_place {
                continue;
            }
            let parents = fresh
                .clone()
                .filter_map(|nth| {
                    linked(&found.rows[nth].links, &edge.parent_links).map(|values| (values, nth))
                })
                .collect();
            let keys: Vec<OwnedKey> = found.rows[fresh.clone()]
                .iter()
                .map(|row| row.key.clone())
                .collect();
            let key_of = |nth: usize| keys.get(nth.checked_sub(fresh.start)?).cloned();
            lock_edge(
                conn, context, dependant, edge_no, &parents, key_of, &mut found,
            )
            .await?;
        }
    }
    let mut found = found.rows;
    gather_roots(dependant, own_place, inbound, &mut found);
    if let Some(reads) = &dependant.reads {
        let links: Vec<&[Option<String>]> = found.iter().map(|row| &row.links[..]).collect();
        let keys: Vec<&OwnedKey> = found.iter().map(|row| &row.key).collect();
        let verdict = |row: &PgRow| row.try_get::<i32, _>(dependant.key.columns.len());
        let judged = judge_again(conn, reads, &links, &keys, &dependant.key, verdict).await?;
        for row in &mut found {
            let free = judged
                .get(&row.key)
                .map(|verdict| Verdict::from_sql(*verdict));
            if free != Some(Verdict::Free) && row.keeps.is_none() {
                row.keeps = Some(Keeps::Protected);
            }
        }
    }
    for row in &found {
        if let Some(why) = &row.keeps {
            for root in &row.roots {
                keep(&mut records[*root], why, done);
            }
        }
    }
    Ok(found)
}

/// From what a row that is due by itself is counted, as its statement answers it.
fn counted(answer: &str) -> Counted {
    let late = answer.strip_prefix(AT_ONCE);
    let day = late.unwrap_or(answer).parse::<chrono::NaiveDate>().ok();
    Counted {
        trigger: day.map(|day| day.to_epoch_days()),
        at_once: late.is_some(),
    }
}

/// The rows of one dependant table so far.
#[derive(Default)]
struct Found {
    rows: Vec<Hanger>,
    known: HashMap<OwnedKey, usize>,
    /// Where the table is the records' own, which of them has a key.
    records: HashMap<OwnedKey, usize>,
}

/// Locks the rows that refer to these parents by one link. `key_of` answers a parent's key
/// where it stands in the same table: a row that refers to itself hangs on nothing by that.
async fn lock_edge(
    conn: &mut PgConnection,
    context: &Context<'_>,
    dependant: &Dependant,
    edge_no: usize,
    parents: &HashMap<Vec<String>, usize>,
    key_of: impl Fn(usize) -> Option<OwnedKey>,
    found: &mut Found,
) -> Result<(), EnforceError> {
    let failed = sql("locking dependants");
    let Some(edge) = dependant.edges.get(edge_no).filter(|_| !parents.is_empty()) else {
        return Ok(());
    };
    let width = dependant.key.columns.len();
    let referring = edge.parent_links.len();
    let mut query = store::planned(&edge.lock);
    for nth in 0..referring {
        let values: Vec<String> = parents.keys().map(|values| values[nth].clone()).collect();
        query = query.bind(values);
    }
    let day_at = width + referring + 1;
    let links_at = day_at + usize::from(dependant.own);
    let answer = query.fetch_all(&mut *conn).await.map_err(failed)?;
    let files: Vec<Vec<Option<String>>> = answer
        .iter()
        .map(|row| rows::texts(row, links_at + dependant.links, dependant.files.len()))
        .collect::<Result<_, _>>()
        .map_err(failed)?;
    let named: Vec<&[Option<String>]> = files.iter().map(Vec::as_slice).collect();
    let unusable = unusable(context, &dependant.files, &named).await?;
    for ((row, files), why) in answer.iter().zip(files).zip(unusable) {
        let decoded = (|| -> Result<_, sqlx::Error> {
            Ok((
                rows::key(row, 0, &dependant.key)?,
                rows::texts(row, width, referring)?,
                row.try_get::<i32, _>(width + referring)?,
                match dependant.own {
                    true => row.try_get::<Option<String>, _>(day_at)?,
                    false => None,
                },
                rows::texts(row, links_at, dependant.links)?,
            ))
        })();
        let (key, referring, verdict, day, links) = decoded.map_err(failed)?;
        let Some(parent) = referring
            .into_iter()
            .collect::<Option<Vec<String>>>()
            .and_then(|values| parents.get(&values))
        else {
            // Values that compare equal in PostgreSQL but are written differently
            // (citext, numeric scale): whose row it is cannot be told, so nothing goes.
            return Err(EnforceError::Rows(
                "a dependant's reference is written in another way than the key".to_owned(),
            ));
        };
        if key_of(*parent).as_ref() == Some(&key) {
            continue;
        }
        let keeps = match (Verdict::from_sql(verdict), why) {
            (_, Some(why)) => Some(Keeps::File(why)),
            (Verdict::Free, None) => None,
            (_, None) => Some(Keeps::Protected),
        };
        let day = day.as_deref().map(counted);
        let nth = match found.known.get(&key) {
            Some(nth) => *nth,
            None => {
                let record = found.records.get(&key).copied();
                found.known.insert(key.clone(), found.rows.len());
                found.rows.push(Hanger {
                    key,
                    links,
                    files,
                    parents: Vec::new(),
                    roots: BTreeSet::new(),
                    record,
                    day,
                    keeps,
                });
                found.rows.len() - 1
            }
        };
        found.rows[nth].parents.push((edge_no, *parent));
    }
    Ok(())
}

/// Gives each row the records that it hangs on, through the rows of its own table too, among
/// which there may be circles.
fn gather_roots(
    dependant: &Dependant,
    own_place: usize,
    inbound: &[Vec<Hanger>],
    found: &mut [Hanger],
) {
    let mut changed = true;
    while changed {
        changed = false;
        for nth in 0..found.len() {
            let mut roots = found[nth].roots.clone();
            for (edge, parent) in &found[nth].parents {
                match dependant.edges[*edge].parent {
                    0 => roots.extend([*parent]),
                    place if place == own_place => roots.extend(&found[*parent].roots),
                    place => roots.extend(&inbound[place - 1][*parent].roots),
                }
            }
            if roots.len() > found[nth].roots.len() {
                found[nth].roots = roots;
                changed = true;
            }
        }
    }
}

pub(super) async fn lock_shared(
    conn: &mut PgConnection,
    context: &Context<'_>,
    shared: &Shared,
    records: &mut [Record],
    inbound: &[Vec<Hanger>],
    common: &[Vec<Common>],
    done: &mut Done,
) -> Result<Vec<Common>, EnforceError> {
    let failed = sql("locking what records refer to");
    let width = shared.key.columns.len();
    let mut found: Vec<Common> = Vec::new();
    let mut known: HashMap<OwnedKey, usize> = HashMap::new();
    for edge in &shared.edges {
        // The records on whose going it depends, by the values that refer to it.
        let mut referring: HashMap<Vec<String>, Vec<usize>> = HashMap::new();
        let mut refers = |links: &[Option<String>], roots: &[usize]| {
            let mut roots = roots.to_vec();
            roots.retain(|root| !records[*root].stays);
            if let (Some(values), false) = (linked(links, &edge.links), roots.is_empty()) {
                referring.entry(values).or_default().extend(roots);
            }
        };
        match edge.from {
            Referrer::Record => {
                records
                    .iter()
                    .enumerate()
                    .for_each(|(nth, record)| refers(&record.links, &[nth]));
            }
            Referrer::Dependant(place) => {
                inbound[place]
                    .iter()
                    .for_each(|row| refers(&row.links, &Vec::from_iter(row.roots.iter().copied())));
            }
            Referrer::Shared(place) => {
                common[place]
                    .iter()
                    .for_each(|row| refers(&row.links, &row.records));
            }
        }
        if referring.is_empty() {
            continue;
        }
        let mut query = store::planned(&edge.lock);
        for nth in 0..edge.links.len() {
            let values: Vec<String> = referring.keys().map(|values| values[nth].clone()).collect();
            query = query.bind(values);
        }
        let columns = edge.links.len();
        let answer = query.fetch_all(&mut *conn).await.map_err(failed)?;
        let files: Vec<Vec<Option<String>>> = answer
            .iter()
            .map(|row| rows::texts(row, width + columns + 1 + shared.links, shared.files.len()))
            .collect::<Result<_, _>>()
            .map_err(failed)?;
        let named: Vec<&[Option<String>]> = files.iter().map(Vec::as_slice).collect();
        let unusable = unusable(context, &shared.files, &named).await?;
        for ((row, files), why) in answer.iter().zip(files).zip(unusable) {
            let decoded = (|| -> Result<_, sqlx::Error> {
                Ok((
                    rows::key(row, 0, &shared.key)?,
                    rows::texts(row, width, columns)?,
                    row.try_get::<i32, _>(width + columns)?,
                    rows::texts(row, width + columns + 1, shared.links)?,
                ))
            })();
            let (key, values, verdict, links) = decoded.map_err(failed)?;
            let Some(users) = values
                .into_iter()
                .collect::<Option<Vec<String>>>()
                .and_then(|values| referring.get(&values))
            else {
                return Err(EnforceError::Rows(
                    "a reference is written in another way than the key".to_owned(),
                ));
            };
            if Verdict::from_sql(verdict) != Verdict::Free || why.is_some() {
                let why = why.map_or(Keeps::Protected, Keeps::File);
                for nth in users {
                    keep(&mut records[*nth], &why, done);
                }
            }
            match known.get(&key) {
                Some(nth) => found[*nth].records.extend(users),
                None => {
                    known.insert(key.clone(), found.len());
                    found.push(Common {
                        key,
                        links,
                        files,
                        records: users.clone(),
                    });
                }
            }
        }
    }
    if let Some(reads) = &shared.reads {
        let links: Vec<&[Option<String>]> = found.iter().map(|row| &row.links[..]).collect();
        let keys: Vec<&OwnedKey> = found.iter().map(|row| &row.key).collect();
        let verdict = |row: &PgRow| row.try_get::<i32, _>(width);
        let judged = judge_again(conn, reads, &links, &keys, &shared.key, verdict).await?;
        for row in &found {
            let free = judged
                .get(&row.key)
                .map(|verdict| Verdict::from_sql(*verdict));
            for nth in row.records.iter().filter(|_| free != Some(Verdict::Free)) {
                keep(&mut records[*nth], &Keeps::Protected, done);
            }
        }
    }
    Ok(found)
}
