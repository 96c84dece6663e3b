//! A database for each test, and a small ledger to look at.

use chrono::{DateTime, Days, Months, NaiveDate, TimeDelta, TimeZone, Utc};
use retentiond::demo::cluster;
use retentiond::ident::{ClassId, Ident, TableName};
use retentiond::ledger::audit::{Trust, Verification};
use retentiond::ledger::store::{Reading, append, next_entry_ids, verify};
use retentiond::ledger::{
    Action, Entry, EntryId, KeyColumns, KeyKind, KeyValue, Manifest, ManifestBuilder,
};
use sqlx::{Connection, PgConnection};

const MIGRATIONS: [&str; 3] = [
    include_str!("../../migrations/0001_bookkeeping.sql"),
    include_str!("../../migrations/0002_ledger.sql"),
    include_str!("../../migrations/0004_sealing.sql"),
];

/// An empty database with the schema `retentiond`, connected to as its superuser.
pub async fn empty(name: &str) -> PgConnection {
    let server = cluster::shared().expect("a private PostgreSQL");
    let url = server.create_database(name).await.unwrap();
    let mut conn = PgConnection::connect(&url).await.unwrap();
    run(&mut conn, "CREATE SCHEMA retentiond").await;
    conn
}

/// The same with the ledger's tables.
pub async fn migrated(name: &str) -> PgConnection {
    let mut conn = empty(name).await;
    migrate(&mut conn).await;
    conn
}

pub async fn migrate(conn: &mut PgConnection) {
    for migration in MIGRATIONS {
        run(conn, migration).await;
    }
}

/// What verification says with nothing from outside.
pub async fn look(conn: &mut PgConnection) -> Verification {
    verify(conn, &Trust::default(), &Reading::Whole, |_| {})
        .await
        .unwrap()
}

pub async fn run(conn: &mut PgConnection, sql: &str) {
    attempt(conn, sql).await.expect("a statement of the test");
}

pub async fn attempt(conn: &mut PgConnection, sql: &str) -> Result<(), sqlx::Error> {
    let sql = sqlx::AssertSqlSafe(sql.to_owned());
    sqlx::raw_sql(sql).execute(conn).await.map(|_| ())
}

pub fn table(name: &str) -> TableName {
    name.parse().unwrap()
}

pub fn columns(name: &str) -> KeyColumns {
    KeyColumns::single(Ident::new(name).unwrap(), KeyKind::Int)
}

pub fn noon() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 22, 12, 0, 0).unwrap()
}

/// Records of 1 March 2015, 2 March 2015, … kept for eight years.
pub fn manifest(keys: &[i64], parents: Option<&[i64]>, seed: u8) -> Manifest {
    let parent_columns = parents.map(|_| columns("id"));
    let mut builder = ManifestBuilder::new(columns("id"), parent_columns, [seed; 32]);
    let first: NaiveDate = "2015-03-01".parse().unwrap();
    for (i, key) in keys.iter().enumerate() {
        let trigger = first + Days::new(i as u64);
        let last_day = trigger + Months::new(96);
        let parent = parents.map(|parents| [KeyValue::Int(parents[i])]);
        builder
            .push(
                &[KeyValue::Int(*key)],
                Some(trigger.to_epoch_days()),
                Some(last_day.to_epoch_days()),
                parent.as_ref().map(|parent| &parent[..]),
            )
            .unwrap();
    }
    builder.finish()
}

/// An entry about records of a table.
pub fn deleted(id: i64, name: &str, manifest: &Manifest) -> Entry {
    let at = noon() + TimeDelta::seconds(id);
    let mut entry = Entry::new(EntryId(id), at, Action::Deleted, "service");
    entry.class = ClassId::new("communications");
    entry.table = Some(table(name));
    entry.run = Some(7);
    entry.schedule = Some([0x11; 32]);
    entry.count = manifest.count;
    entry.manifest = Some(manifest.root);
    entry
}

/// Four entries of one pass: its start, three letters deleted, their two attachments,
/// its end. The numbers are 1 to 4.
pub async fn small_ledger(name: &str) -> PgConnection {
    let mut conn = migrated(name).await;
    let ids = next_entry_ids(&mut conn, 4).await.unwrap();
    assert_eq!(ids, [1, 2, 3, 4].map(EntryId));

    let mut started = Entry::new(ids[0], noon(), Action::RunStarted, "ada");
    started.run = Some(7);
    let letters = manifest(&[42, 45, 40], None, 1);
    let attachments = manifest(&[900, 901], Some(&[42, 42]), 2);
    let mut dependants = deleted(3, "attachment", &attachments);
    dependants.parent = Some(table("correspondence"));
    let end = noon() + TimeDelta::microseconds(4_500_250);
    let mut finished = Entry::new(ids[3], end, Action::RunFinished, "ada");
    finished.run = Some(7);

    append(&mut conn, &started, None).await.unwrap();
    let entry = deleted(2, "correspondence", &letters);
    append(&mut conn, &entry, Some(&letters)).await.unwrap();
    append(&mut conn, &dependants, Some(&attachments))
        .await
        .unwrap();
    append(&mut conn, &finished, None).await.unwrap();
    conn
}
