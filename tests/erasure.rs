//! `erasure = "secure"`, held against the server's own files: a name is looked for, byte by
//! byte, in everything that lies in the data directory.
//!
//! What was found is written down in docs/ERASURE.md; the two say the same.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/stage.rs"]
mod stage;
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use chrono::Days;
use retentiond::daemon::tick::{self, Order};
use retentiond::demo::cluster::{Cluster, ClusterOptions};
use retentiond::enforce::{ErasureStatus, RunReport};
use retentiond::ledger::certificate::{Certificate, Stage};
use retentiond::settings::Settings;
use retentiond::survey::{self, Beside, CertificateOf};
use sqlx::{Connection, Row};
use tokio_util::sync::CancellationToken;

/// Letters that stand nowhere else.
const NAME: &str = "Xqvzjk Wybnhdpf";
const DAY: &str = "2026-11-23";

/// Forty people, three of them due, one of those with a name to look for; a long letter of
/// each outside the row, and notes that go with them.
const TABLES: &str = "
CREATE TABLE person (id bigint PRIMARY KEY, name text NOT NULL, letter text, closed_on date);
ALTER TABLE person ALTER letter SET STORAGE EXTERNAL;
ALTER TABLE person SET (autovacuum_enabled = off, toast.autovacuum_enabled = off);
CREATE INDEX person_name ON person (name);
CREATE INDEX person_closed ON person (closed_on);
CREATE TABLE note (id bigint PRIMARY KEY, person_id bigint NOT NULL REFERENCES person, body text)
    WITH (autovacuum_enabled = off);
CREATE INDEX note_person ON note (person_id);
INSERT INTO person SELECT n, CASE n WHEN 2 THEN 'Xqvzjk Wybnhdpf' ELSE 'Somebody Else ' || n END,
    repeat(CASE n WHEN 2 THEN 'Dear Xqvzjk Wybnhdpf, ' ELSE 'Dear Somebody Else, ' END, 400),
    CASE WHEN n <= 3 THEN date '2010-01-01' ELSE date '2026-01-01' END FROM generate_series(1, 40) n;
INSERT INTO note SELECT n, n, CASE n WHEN 2 THEN 'about Xqvzjk Wybnhdpf' ELSE 'about nobody' END
    FROM generate_series(1, 40) n;
ANALYZE person; ANALYZE note;
";

fn schedule(rest: &str) -> String {
    let class = stage::class(
        "people",
        &format!(
            "table = \"person\"\ntrigger = \"closed_on\"\nperiod = \"8 years\"\ndisposal = \"delete\"\ndependants = [\"note\"]\n{rest}"
        ),
    );
    format!("{}accept = \"automatic\"\n{class}", stage::HEAD)
}

const SECURE: &str = "erasure = \"secure\"";

/// A server of the test's own, in which nothing happens by itself: what another database's
/// sessions do keeps old versions in this one, too.
async fn server() -> (Cluster, String) {
    server_with(TABLES).await
}

async fn server_with(tables: &str) -> (Cluster, String) {
    let cluster = Cluster::start(ClusterOptions::default()).unwrap();
    let admin = cluster.url("postgres");
    support::sql(&admin, "ALTER SYSTEM SET autovacuum = off").await;
    support::sql(&admin, "SELECT pg_reload_conf()").await;
    let url = stage::database_in(&cluster, "people", tables).await;
    support::sql(&url, "CHECKPOINT").await;
    (cluster, url)
}

async fn pass_with(url: &str, toml: &str, settings: &[(&str, &str)]) -> RunReport {
    let schedule = support::schedule(toml);
    // Databases that are copied from one have one log's name.
    let name = url.rsplit('/').next().unwrap().split('?').next().unwrap();
    let state = format!("{}/erasure-{name}", support::state());
    let place = [("RETENTIOND__STATE__DIRECTORY", state.as_str())];
    let settings = place
        .iter()
        .chain(settings)
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    let settings = Settings::from_files(&[], None, settings, false).unwrap();
    let order = Order {
        url,
        schedule: &schedule,
        settings: &settings,
        now: support::at(DAY),
        present: false,
        actor: "test",
        patience: Duration::ZERO,
        full_speed: true,
        only: &[],
        due: None,
        on_plan: None,
        stop: &CancellationToken::new(),
        observe: &|_| (),
    };
    tick::tick(&order).await.unwrap()
}

async fn pass(url: &str, toml: &str) -> RunReport {
    pass_with(url, toml, &[]).await
}

/// What each table's erasure ended in.
fn ends(report: &RunReport) -> Vec<(String, ErasureStatus, Option<String>)> {
    let erasures = report.erasures.iter();
    erasures
        .map(|one| (one.table.to_string(), one.status, one.reason.clone()))
        .collect()
}

/// Where the name lies on disk after a checkpoint: relations by their names, everything else
/// by its folder.
async fn found(cluster: &Cluster, url: &str) -> BTreeMap<String, usize> {
    support::sql(url, "CHECKPOINT").await;
    let mut conn = support::client(url).await;
    let rows = sqlx::query(
        "SELECT pg_relation_filepath(c.oid),
                CASE WHEN c.relkind = 't' THEN 'toast of ' || t.relname
                     WHEN x.relname IS NOT NULL THEN 'toast index of ' || x.relname
                     ELSE c.relname END
         FROM pg_class AS c
         LEFT JOIN pg_class AS t ON t.reltoastrelid = c.oid
         LEFT JOIN pg_index AS i ON i.indexrelid = c.oid
         LEFT JOIN pg_class AS x ON x.reltoastrelid = i.indrelid AND x.reltoastrelid <> 0
         WHERE pg_relation_filepath(c.oid) IS NOT NULL",
    )
    .fetch_all(&mut conn)
    .await
    .unwrap();
    let names: BTreeMap<String, String> = rows
        .iter()
        .map(|row| (row.get::<String, _>(0), row.get::<String, _>(1)))
        .collect();
    conn.close().await.unwrap();
    let data = cluster.folder().join("data");
    // One line a match; none is exit code 1.
    let output = Command::new("grep")
        .args([
            "--recursive",
            "--only-matching",
            "--text",
            "--fixed-strings",
            "--null",
            NAME,
        ])
        .arg(&data)
        .env("LC_ALL", "C")
        .output()
        .unwrap();
    assert!(
        output.status.code().is_some_and(|code| code < 2),
        "{output:?}"
    );
    let mut found = BTreeMap::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let path = Path::new(line.split('\0').next().unwrap());
        let path = path.strip_prefix(&data).unwrap().to_str().unwrap();
        let name = match names.get(path) {
            Some(name) => name.as_str(),
            None if path.starts_with("pg_wal") => "pg_wal",
            None => path,
        };
        *found.entry(name.to_owned()).or_default() += 1;
    }
    found
}

/// The same without the write-ahead log.
async fn in_tables(cluster: &Cluster, url: &str) -> BTreeSet<String> {
    let found = found(cluster, url).await;
    found.into_keys().filter(|name| name != "pg_wal").collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test]
async fn a_deleted_name_stays_in_every_file_until_they_are_rewritten() {
    let (cluster, url) = server().await;
    let everywhere = set(&[
        "note",
        "person",
        "person_name",
        "pg_statistic",
        "toast of person",
    ]);
    let before = found(&cluster, &url).await;
    eprintln!("before: {before:?}");
    assert_eq!(in_tables(&cluster, &url).await, everywhere);

    let report = pass(&url, &schedule("")).await;
    assert_eq!(report.classes[0].deleted, 3);
    assert_eq!(ends(&report), []);
    eprintln!("deleted: {:?}", found(&cluster, &url).await);
    assert_eq!(in_tables(&cluster, &url).await, everywhere);

    support::sql(&url, "VACUUM ANALYZE person").await;
    support::sql(&url, "VACUUM ANALYZE note").await;
    eprintln!("vacuumed: {:?}", found(&cluster, &url).await);

    // Nothing is due any more; what the last pass left behind is still open.
    let report = pass(&url, &schedule(SECURE)).await;
    assert_eq!(report.classes[0].deleted, 0);
    eprintln!("{:?}", ends(&report));
    eprintln!("erased: {:?}", found(&cluster, &url).await);
    assert_eq!(in_tables(&cluster, &url).await, set(&[]));

    // The write-ahead log goes its own way: a checkpoint leaves the bytes where they are, and
    // segments that it recycles keep them until they are written over.
    let in_log = |found: &BTreeMap<String, usize>| found.get("pg_wal").copied().unwrap_or(0);
    assert!(in_log(&found(&cluster, &url).await) > 0);
    let mut rounds = 0;
    loop {
        support::sql(&url, "SELECT pg_switch_wal()").await;
        let left = in_log(&found(&cluster, &url).await);
        rounds += 1;
        eprintln!("log after {rounds} segments: {left}");
        if left == 0 {
            break;
        }
        assert!(rounds < 40, "the log still holds it");
    }
}

#[tokio::test]
async fn an_emptied_table_has_no_values_left_in_its_statistics() {
    let (cluster, url) = server().await;
    support::sql(&url, "UPDATE person SET closed_on = '2010-01-01'").await;
    support::sql(&url, "ANALYZE person").await;
    let report = pass(&url, &schedule("")).await;
    assert_eq!(report.classes[0].deleted, 40);
    // What PostgreSQL does by itself: nothing.
    support::sql(&url, "VACUUM (FULL, ANALYZE) person").await;
    let kept = "SELECT count(*) FROM pg_stats WHERE tablename = 'person' AND attname = 'name'";
    assert_eq!(support::number(&url, kept).await, 1);
    assert!(in_tables(&cluster, &url).await.contains("pg_statistic"));

    let report = pass(&url, &schedule(SECURE)).await;
    assert_eq!(ends(&report), both(ErasureStatus::Erased));
    assert_eq!(support::number(&url, kept).await, 0);
    assert_eq!(in_tables(&cluster, &url).await, set(&[]));
}

/// Both tables in the same state, without a reason.
fn both(status: ErasureStatus) -> Vec<(String, ErasureStatus, Option<String>)> {
    ["public.note", "public.person"]
        .map(|table| (table.to_owned(), status, None))
        .to_vec()
}

/// Both tables in the same state, for a reason.
fn because(status: ErasureStatus, reason: &str) -> Vec<(String, ErasureStatus, Option<String>)> {
    ["public.note", "public.person"]
        .map(|table| (table.to_owned(), status, Some(reason.to_owned())))
        .to_vec()
}

const NOTED: &str = "SELECT count(*) FROM retentiond.ledger_entry WHERE action = 'erased'";

#[tokio::test]
async fn while_an_older_snapshot_could_see_the_rows_it_is_not_called_done() {
    let (_cluster, url) = server().await;
    let mut reader = support::client(&url).await;
    let mut snapshot = reader.begin().await.unwrap();
    sqlx::raw_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM note")
        .execute(&mut *snapshot)
        .await
        .unwrap();
    let report = pass(&url, &schedule(SECURE)).await;
    assert_eq!(report.classes[0].deleted, 3);
    let why = "a session began before the disposal and could still see the rows";
    assert_eq!(ends(&report), because(ErasureStatus::Waiting, why));
    assert_eq!(report.exit_code(), 3);
    assert_eq!(support::number(&url, NOTED).await, 0);

    snapshot.rollback().await.unwrap();
    let report = pass(&url, &schedule(SECURE)).await;
    assert_eq!(ends(&report), both(ErasureStatus::Erased));
    assert_eq!(report.exit_code(), 0);
    let entries: Vec<String> = support::ledger(&url)
        .await
        .iter()
        .filter(|entry| entry["action"] == "erased")
        .map(|entry| {
            let (class, table, run) = (&entry["class"], &entry["table"], &entry["run"]);
            format!("{class} {table} {run}").replace('"', "")
        })
        .collect();
    assert_eq!(entries, ["people public.note 1", "people public.person 1"]);
    // Once is enough.
    let report = pass(&url, &schedule(SECURE)).await;
    assert_eq!(ends(&report), []);
    assert_eq!(support::number(&url, NOTED).await, 2);
}

#[tokio::test]
async fn a_rewrite_keeps_to_its_window_and_gives_way_to_a_lock() {
    let (_cluster, url) = server().await;
    let window = "RETENTIOND__ERASURE__WINDOW";
    // The pass is at two in the morning.
    for (hours, words) in [
        ("03:00-05:00", "from 03:00 to 05:00"),
        ("22:15-02:00", "from 22:15 to 02:00"),
    ] {
        let report = pass_with(&url, &schedule(SECURE), &[(window, hours)]).await;
        let why = format!("tables are rewritten {words} only (erasure.window)");
        assert_eq!(ends(&report), because(ErasureStatus::Waiting, &why));
    }
    let mut other = support::client(&url).await;
    let mut open = other.begin().await.unwrap();
    sqlx::raw_sql("LOCK TABLE note IN ACCESS SHARE MODE")
        .execute(&mut *open)
        .await
        .unwrap();
    let settings = [
        (window, "22:00-02:01"),
        ("RETENTIOND__THROTTLE__LOCK_TIMEOUT_MILLISECONDS", "50"),
    ];
    let report = pass_with(&url, &schedule(SECURE), &settings).await;
    let why = "somebody else had it locked, 3 times for longer than 50 ms";
    assert_eq!(
        ends(&report),
        [
            (
                "public.note".to_owned(),
                ErasureStatus::Waiting,
                Some(why.to_owned())
            ),
            ("public.person".to_owned(), ErasureStatus::Erased, None),
        ]
    );
    open.rollback().await.unwrap();
    let report = pass_with(&url, &schedule(SECURE), &settings).await;
    assert_eq!(ends(&report), both(ErasureStatus::Erased)[..1]);
}

#[tokio::test]
async fn a_role_that_may_not_rewrite_is_a_failure_and_the_owner_may() {
    let (_cluster, url) = server().await;
    support::sql(
        &url,
        "CREATE ROLE erasure_owner LOGIN; CREATE ROLE erasure_guest LOGIN;
         ALTER TABLE person OWNER TO erasure_owner; ALTER TABLE note OWNER TO erasure_owner",
    )
    .await;
    let guest = url.replacen("retentiond@", "erasure_guest@", 1);
    let setting = "RETENTIOND__ERASURE__DATABASE_URL";
    let report = pass_with(&url, &schedule(SECURE), &[(setting, &guest)]).await;
    let why = "the role may not vacuum it: only its owner can. Set erasure.database_url in the settings to its owner's";
    assert_eq!(ends(&report), because(ErasureStatus::Failed, why));
    assert_eq!(report.exit_code(), 1);
    assert_eq!(support::number(&url, NOTED).await, 0);

    // The catalogue's statistics are beyond the owner, which is said.
    let owner = url.replacen("retentiond@", "erasure_owner@", 1);
    let report = pass_with(&url, &schedule(SECURE), &[(setting, &owner)]).await;
    let beside = "the statistics are refreshed; their old versions stay in the catalogue's files, which only the database's owner or a superuser can rewrite";
    assert_eq!(ends(&report), because(ErasureStatus::Erased, beside));
    assert_eq!(report.exit_code(), 0);
}

#[tokio::test]
async fn every_partition_is_rewritten() {
    let (_cluster, url) = server_with(
        "CREATE TABLE visit (id bigint, left_on date, name text, PRIMARY KEY (id, left_on)) PARTITION BY RANGE (left_on);
         CREATE TABLE visit_old PARTITION OF visit FOR VALUES FROM ('2000-01-01') TO ('2015-01-01');
         CREATE TABLE visit_new PARTITION OF visit FOR VALUES FROM ('2015-01-01') TO ('2030-01-01');
         INSERT INTO visit SELECT n, date '2010-01-01' + n * 200, 'x' FROM generate_series(1, 25) n",
    )
    .await;
    let files = "SELECT pg_relation_filenode(oid)::text FROM pg_class
        WHERE relname IN ('visit_old', 'visit_new', 'visit_old_pkey', 'visit_new_pkey') ORDER BY 1";
    let before = support::texts(&url, files).await;
    let toml = format!(
        "{}accept = \"automatic\"\n{}",
        stage::HEAD,
        stage::class(
            "visits",
            &format!(
                "table = \"visit\"\ntrigger = \"left_on\"\nperiod = \"8 years\"\ndisposal = \"delete\"\n{SECURE}"
            )
        )
    );
    let report = pass(&url, &toml).await;
    assert!(report.classes[0].deleted > 0);
    assert_eq!(
        ends(&report),
        [("public.visit".to_owned(), ErasureStatus::Erased, None)]
    );
    let after = support::texts(&url, files).await;
    assert_eq!((before.len(), after.len()), (4, 4));
    assert!(after.iter().all(|file| !before.contains(file)));
}

/// The certificate of pass 1, as of a day, where backups are kept for 30 days.
async fn certificate(url: &str, days: u64) -> Certificate {
    let mut conn = support::ours(url).await;
    let beside = Beside {
        keys: &[],
        backups: Some(Days::new(30)),
        now: support::at(DAY) + Days::new(days),
    };
    let found = survey::certificate(&mut conn, &CertificateOf::Run(1, None), beside).await;
    conn.close().await.unwrap();
    found.unwrap().unwrap()
}

#[tokio::test]
async fn a_certificate_is_completed_by_the_entry_alone_and_says_what_remains() {
    let (_cluster, url) = server().await;
    let shut = [("RETENTIOND__ERASURE__WINDOW", "03:00-05:00")];
    pass_with(&url, &schedule(SECURE), &shut).await;
    // A vacuum, which is enough for other classes, is not.
    support::sql(&url, "VACUUM note").await;
    support::sql(&url, "VACUUM person").await;
    let found = certificate(&url, 31).await;
    assert_eq!(found.stage, Stage::Executed);
    let not = |table: &str| {
        format!(
            "public.{table}, whose class asks for secure erasure, was not rewritten since: what went may still be in its files."
        )
    };
    assert_eq!(found.open, [not("person"), not("note")]);
    assert_eq!(found.remains, [""; 0]);

    pass(&url, &schedule(SECURE)).await;
    let found = certificate(&url, 30).await;
    assert_eq!(
        found.open,
        ["Backups may hold it through 23 December 2026."]
    );
    let found = certificate(&url, 31).await;
    assert_eq!((found.stage, &found.open[..]), (Stage::Completed, &[][..]));
    let remains: Vec<&String> = found
        .remains
        .iter()
        .filter(|r| r.starts_with("public.note: "))
        .collect();
    let has = |words: &str| {
        assert!(
            remains.iter().any(|r| r.contains(words)),
            "{words}: {remains:?}"
        )
    };
    for words in [
        "the write-ahead log holds what went, up to position 0/",
        "archives of the write-ahead log hold it for as long as they are kept. The day is not known.",
        "backups hold it through 23 December 2026",
        "replicas rewrite their files when they have replayed the log to 0/",
        "the old files were removed, and not overwritten",
    ] {
        has(words);
    }
    assert_eq!(found.remains.len(), 10);
    let page = retentiond::ledger::certificate::page(&found);
    assert!(
        page.contains("Completed. The tables&#39; files")
            || page.contains("Completed. The tables' files")
    );
    assert!(
        page.contains("<td>rewritten 23 November 2026, 02:00:"),
        "{page}"
    );
    let shown = found.to_json().to_string();
    assert!(shown.contains("\"erased\":\"2026-11-23T02:00:"), "{shown}");
}
