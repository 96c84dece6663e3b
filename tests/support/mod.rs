//! What the tests share: a database each, the production path from schedule to pass, and
//! plain SQL to compare with.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use retentiond::demo::cluster;
use retentiond::enforce::{self, EnforceError, Pass, RunReport, Throttle};
use retentiond::files::Stores;
use retentiond::ident::TableName;
use retentiond::ledger::{KeyValue, RecordKey};
use retentiond::plan::Plan;
use retentiond::review::{self, NewHold};
use retentiond::schedule::{self, Schedule};
use retentiond::settings::Settings;
use retentiond::{store, survey};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio_util::sync::CancellationToken;

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A database of its own in the test binary's cluster; answers its URL.
pub async fn database() -> String {
    let cluster = cluster::shared().expect("a private PostgreSQL starts");
    let name = format!("t{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    cluster
        .create_database(&name)
        .await
        .expect("a database can be made")
}

/// A connection as a person or an application would have it.
pub async fn client(url: &str) -> PgConnection {
    PgConnection::connect(url)
        .await
        .expect("the database answers")
}

/// A connection as retentiond has it.
pub async fn ours(url: &str) -> PgConnection {
    let limits = store::Limits {
        lock: Duration::from_secs(2),
        statement: Duration::from_secs(60),
        idle: Duration::from_secs(60),
    };
    store::connect(url, "retentiond/test", limits)
        .await
        .expect("the database answers")
}

/// Runs statements as a person would.
pub async fn sql(url: &str, text: &str) {
    let mut conn = client(url).await;
    sqlx::raw_sql(AssertSqlSafe(text))
        .execute(&mut conn)
        .await
        .unwrap_or_else(|e| panic!("{e}\n{text}"));
    conn.close().await.unwrap();
}

/// One number.
pub async fn number(url: &str, text: &str) -> i64 {
    let mut conn = client(url).await;
    let n = sqlx::query_scalar(AssertSqlSafe(text))
        .fetch_one(&mut conn)
        .await
        .unwrap_or_else(|e| panic!("{e}\n{text}"));
    conn.close().await.unwrap();
    n
}

/// A column of texts.
pub async fn texts(url: &str, text: &str) -> Vec<String> {
    let mut conn = client(url).await;
    let found = sqlx::query_scalar(AssertSqlSafe(text))
        .fetch_all(&mut conn)
        .await
        .unwrap_or_else(|e| panic!("{e}\n{text}"));
    conn.close().await.unwrap();
    found
}

/// A database with our schema in it.
pub async fn migrated() -> String {
    let url = database().await;
    migrate(&url).await;
    url
}

/// Brings our schema to the present version.
pub async fn migrate(url: &str) {
    let mut conn = client(url).await;
    store::migrate(&mut conn)
        .await
        .expect("the schema can be made");
    conn.close().await.unwrap();
}

pub fn schedule(text: &str) -> Schedule {
    schedule::parse(text, "retention.toml").unwrap_or_else(|e| panic!("{}", e.render(false)))
}

/// A schedule whose classes may dispose of as much of a table as a test has in it.
pub fn unlimited(toml: &str) -> String {
    toml.lines()
        .map(|line| {
            let disposes =
                line.starts_with("disposal = ") && !line.starts_with("disposal = \"retain\"");
            let limit = if disposes { "max_share = 1.0\n" } else { "" };
            format!("{line}\n{limit}")
        })
        .collect()
}

/// An instant of a day in London, at two in the morning: when the pass runs.
pub fn at(day: &str) -> DateTime<Utc> {
    let date: NaiveDate = day.parse().expect("a date");
    let two = date.and_hms_opt(2, 0, 0).expect("a time");
    two.and_local_timezone(chrono_tz::Europe::London)
        .latest()
        .expect("two o'clock exists")
        .to_utc()
}

/// The plan of an instant.
pub async fn plan(url: &str, schedule_toml: &str, now: DateTime<Utc>) -> Plan {
    let mut conn = ours(url).await;
    let drawn = survey::draw(&mut conn, &schedule(schedule_toml), now)
        .await
        .expect("a plan can be drawn");
    conn.close().await.unwrap();
    drawn.plan
}

/// One pass as `run` makes it, with an injected instant.
pub async fn pass(url: &str, schedule_toml: &str, now: DateTime<Utc>) -> RunReport {
    pass_with(
        url,
        schedule_toml,
        now,
        &Stores::default(),
        Throttle::FULL_SPEED,
    )
    .await
}

/// One pass with file stores and a pace.
pub async fn pass_with(
    url: &str,
    schedule_toml: &str,
    now: DateTime<Utc>,
    stores: &Stores,
    throttle: Throttle,
) -> RunReport {
    let drawn = plan(url, schedule_toml, now).await;
    enforce_plan(url, schedule_toml, drawn, now, stores, throttle)
        .await
        .expect("the pass can be made")
}

/// Executes a plan that may be out of date, as the race tests need it.
pub async fn enforce_plan(
    url: &str,
    schedule_toml: &str,
    plan: Plan,
    now: DateTime<Utc>,
    stores: &Stores,
    throttle: Throttle,
) -> Result<RunReport, EnforceError> {
    let mut conn = ours(url).await;
    let parsed = schedule(schedule_toml);
    let next = parsed.every().next_after(now, parsed.time_zone());
    let order = Pass {
        actor: "test",
        holder: "test",
        patience: Duration::ZERO,
        throttle,
        stores,
        log: None,
        only: &[],
        but: &[],
        guards: None,
        next: &|_| next,
        stop: &CancellationToken::new(),
        observe: &|_| (),
    };
    let report = enforce::pass(&mut conn, plan, &order, async |conn: &mut PgConnection| {
        Ok(survey::draw(conn, &parsed, now)
            .await
            .expect("a plan can be drawn again")
            .plan)
    })
    .await;
    conn.close().await.unwrap();
    report
}

/// The folder for the state of passes that are made as the program makes them. Each log has
/// a folder in it by its own random name.
pub fn state() -> String {
    concat!(env!("CARGO_TARGET_TMPDIR"), "/state").to_owned()
}

/// Settings with nothing but that folder.
pub fn settings() -> Settings {
    let state = ("RETENTIOND__STATE__DIRECTORY".to_owned(), state());
    Settings::from_files(&[], None, [state].into_iter(), false).expect("the settings are good")
}

/// A file store.
pub fn store(name: &str, folder: &Path) -> Stores {
    Stores::open([(name, folder)]).expect("the folder opens")
}

/// Places a hold on a record by the production path; answers its number. Numbers in the
/// key are given as numbers' texts and taken as such where `integer` says so.
pub async fn hold(url: &str, table: &str, key: &[&str], until: Option<NaiveDate>) -> i64 {
    let mut conn = ours(url).await;
    let table: TableName = table.parse().unwrap();
    let values = key
        .iter()
        .map(|k| KeyValue::Text((*k).to_owned().into()))
        .collect();
    let key = RecordKey::new(values).unwrap();
    let hold = NewHold {
        reference: "TEST/1",
        reason: "a test",
        owner: "the tests",
        until,
        ..NewHold::on_record(&table, &key, "litigation")
    };
    let id = review::place_hold(&mut conn, &hold, "test", at("2026-01-01"))
        .await
        .expect("the hold is placed");
    conn.close().await.unwrap();
    id
}

/// Every entry of the ledger as `ledger export` writes it.
pub async fn ledger(url: &str) -> Vec<serde_json::Value> {
    let mut conn = ours(url).await;
    let mut bytes = Vec::new();
    let all = retentiond::ledger::store::Filter::default();
    retentiond::ledger::store::export(
        &mut conn,
        &all,
        retentiond::ledger::store::ExportFormat::JsonLines,
        &mut bytes,
    )
    .await
    .expect("the ledger can be exported");
    conn.close().await.unwrap();
    String::from_utf8(bytes)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// A database copied from `template`, in the same cluster; much cheaper than migrating
/// another. Nobody may be connected to the template.
pub async fn copy_of(template: &str) -> String {
    let cluster = cluster::shared().expect("a private PostgreSQL starts");
    let name = format!("t{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let from = template
        .rsplit('/')
        .next()
        .and_then(|rest| rest.split('?').next())
        .expect("a database's name");
    let admin = cluster.url("postgres");
    sql(&admin, &format!("CREATE DATABASE {name} TEMPLATE {from}")).await;
    // The tests' role is called `retentiond`, and "$user" comes before public.
    sql(
        &admin,
        &format!("ALTER DATABASE {name} SET search_path = public"),
    )
    .await;
    cluster.url(&name)
}

/// Drops a database that nobody is connected to.
pub async fn discard(url: &str) {
    let cluster = cluster::shared().expect("a private PostgreSQL starts");
    let name = url
        .rsplit('/')
        .next()
        .and_then(|rest| rest.split('?').next())
        .expect("a database's name");
    sql(&cluster.url("postgres"), &format!("DROP DATABASE {name}")).await;
}

/// A plan with its counts, in the shape of `plan --format json` as far as classes go.
pub fn plan_shown(plan: &Plan, counted: &[survey::ClassCounts]) -> serde_json::Value {
    let classes = plan.classes().iter().zip(counted).map(|(class, counted)| {
        let mut shown = match &counted.counts {
            Some(counts) => serde_json::to_value(counts).unwrap(),
            None => serde_json::json!({}),
        };
        let refusals: Vec<String> = class
            .refusals
            .iter()
            .map(|r| format!("{}: {}", r.code, r.message))
            .collect();
        shown["id"] = class.id.as_str().into();
        shown["table"] = class.table.to_string().into();
        shown["status"] = counted.status(class.standing).into();
        shown["cutoff"] = class.cutoff.map(|day| day.to_string()).into();
        shown["dependants"] = serde_json::to_value(&counted.dependants).unwrap();
        shown["refusals"] = refusals.into();
        shown
    });
    serde_json::json!({ "plan": { "on": plan.on(), "classes": classes.collect::<Vec<_>>() } })
}

/// One pass on a connection of [`ours`], from a schedule that was read already.
pub async fn pass_on(
    conn: &mut PgConnection,
    schedule: &Schedule,
    now: DateTime<Utc>,
    throttle: Throttle,
) -> RunReport {
    let drawn = survey::draw(conn, schedule, now)
        .await
        .expect("a plan can be drawn");
    let order = Pass {
        actor: "test",
        holder: "test",
        patience: Duration::ZERO,
        throttle,
        stores: &Stores::default(),
        log: None,
        only: &[],
        but: &[],
        guards: None,
        next: &|id| schedule.every_of(id).next_after(now, schedule.time_zone()),
        stop: &CancellationToken::new(),
        observe: &|_| (),
    };
    enforce::pass(conn, drawn.plan, &order, async |conn: &mut PgConnection| {
        Ok(survey::draw(conn, schedule, now)
            .await
            .expect("a plan can be drawn again")
            .plan)
    })
    .await
    .expect("the pass can be made")
}
