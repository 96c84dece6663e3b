//! One run of one method, in a process of its own.

use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, Utc};
use retentiond::enforce::{self, EnforceError, Event, Pass, Throttle};
use retentiond::files::Stores;
use retentiond::store::{self, Limits};
use retentiond::{schedule, survey};
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection};
use tokio_util::sync::CancellationToken;

use crate::machine;
use crate::stage::{CUTOFF, Kind};

/// The day of the pass: eight years after the cutoff.
const NOW: &str = "2026-01-01T02:00:00Z";

/// By this variable the process is told what to do.
const ORDER: &str = "RETENTIOND_BENCH_ORDER";

/// How the rows go.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Method {
    /// One `DELETE`.
    Statement,
    /// A boundary and a range `DELETE`, again and again, a transaction each.
    Ranges { batch: i64 },
    /// The pass: as the program makes it.
    Pass {
        batch: Duration,
        first: i64,
        most: i64,
    },
}

impl Method {
    /// As `run --full-speed`.
    pub const FULL_SPEED: Self = Self::Pass {
        batch: Throttle::FULL_SPEED.batch,
        first: Throttle::FULL_SPEED.first,
        most: Throttle::FULL_SPEED.most,
    };

    pub fn title(&self) -> String {
        match self {
            Self::Statement => "one bare `DELETE`".to_owned(),
            Self::Ranges { batch } => format!("bare range batches of {batch}"),
            Self::Pass { .. } => "audited pass".to_owned(),
        }
    }
}

/// What to run, and on which database.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Order {
    pub url: String,
    pub method: Method,
    pub kind: Kind,
}

impl Order {
    /// What this process was started for, if it was started by another of these.
    pub fn of_this_process() -> Result<Option<Self>> {
        match std::env::var(ORDER) {
            Ok(text) => Ok(Some(
                serde_json::from_str(&text).context("the order of this process")?,
            )),
            Err(_) => Ok(None),
        }
    }
}

/// What came of it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Done {
    /// Records of the class, its dependants not counted.
    pub records: u64,
    pub seconds: f64,
    /// Processor time of the server's process, and of ours.
    pub server: Option<f64>,
    pub own: Option<f64>,
    /// The most memory that this process ever held, in bytes.
    pub memory: Option<u64>,
    /// What each batch did: records so far, and seconds.
    pub batches: Vec<(u64, f64)>,
}

/// Starts this program again, and waits for what it prints.
pub fn by_a_process_of_its_own(order: &Order) -> Result<Done> {
    let answer = Command::new(std::env::current_exe()?)
        .env(ORDER, serde_json::to_string(order)?)
        .stderr(Stdio::inherit())
        .output()
        .context("starting a run")?;
    ensure!(answer.status.success(), "a run failed: {:?}", order.method);
    serde_json::from_slice(&answer.stdout).context("reading what a run printed")
}

/// Does what this process was started for, and prints what came of it.
pub async fn answer(order: &Order) -> Result<()> {
    let limits = Limits {
        statement: Duration::from_secs(3600),
        ..Limits::READING
    };
    let mut conn = store::connect(&order.url, "retentiond/bench", limits).await?;
    let backend: i32 = sqlx::query_scalar("SELECT pg_backend_pid()")
        .fetch_one(&mut conn)
        .await?;
    let backend = backend.to_string();
    let used = || {
        (
            machine::processor_seconds(&backend),
            machine::processor_seconds("self"),
        )
    };
    let (server, own) = used();
    let begun = Instant::now();
    let (records, batches) = match &order.method {
        Method::Statement => statement(&mut conn).await?,
        Method::Ranges { batch } => ranges(&mut conn, *batch).await?,
        Method::Pass { batch, first, most } => {
            let throttle = Throttle {
                batch: *batch,
                first: *first,
                most: *most,
                ..Throttle::FULL_SPEED
            };
            pass(&mut conn, order.kind, throttle).await?
        }
    };
    let seconds = begun.elapsed().as_secs_f64();
    let (server_now, own_now) = used();
    let since = |now: Option<f64>, then: Option<f64>| Some(now? - then?);
    let done = Done {
        records,
        seconds,
        server: since(server_now, server),
        own: since(own_now, own),
        memory: machine::peak_memory(),
        batches,
    };
    println!("{}", serde_json::to_string(&done)?);
    conn.close().await?;
    Ok(())
}

type Batches = Vec<(u64, f64)>;

async fn statement(conn: &mut PgConnection) -> Result<(u64, Batches)> {
    let sql = format!("DELETE FROM email WHERE received_at < '{CUTOFF}'");
    let done = sqlx::query(AssertSqlSafe(sql)).execute(conn).await?;
    Ok((done.rows_affected(), Vec::new()))
}

async fn ranges(conn: &mut PgConnection, batch: i64) -> Result<(u64, Batches)> {
    let mut after: Option<(DateTime<Utc>, i64)> = None;
    let mut batches = Vec::new();
    let mut records = 0;
    let within = format!("received_at < '{CUTOFF}' AND (received_at, id) > ($1, $2)");
    let next = format!(
        "SELECT received_at, id FROM email WHERE {within} ORDER BY received_at, id OFFSET {} LIMIT 1",
        batch - 1
    );
    let delete = format!("DELETE FROM email WHERE {within} AND (received_at, id) <= ($3, $4)");
    let rest = format!("DELETE FROM email WHERE {within}");
    loop {
        let begun = Instant::now();
        let (at, id) = after.unwrap_or((DateTime::UNIX_EPOCH, 0));
        let mut tx = conn.begin().await?;
        let until: Option<(DateTime<Utc>, i64)> = sqlx::query_as(AssertSqlSafe(&next[..]))
            .bind(at)
            .bind(id)
            .fetch_optional(&mut *tx)
            .await?;
        let gone = match until {
            Some((to, to_id)) => {
                sqlx::query(AssertSqlSafe(&delete[..]))
                    .bind(at)
                    .bind(id)
                    .bind(to)
                    .bind(to_id)
                    .execute(&mut *tx)
                    .await?
            }
            None => {
                sqlx::query(AssertSqlSafe(&rest[..]))
                    .bind(at)
                    .bind(id)
                    .execute(&mut *tx)
                    .await?
            }
        };
        tx.commit().await?;
        records += gone.rows_affected();
        batches.push((records, begun.elapsed().as_secs_f64()));
        after = until;
        if after.is_none() {
            return Ok((records, batches));
        }
    }
}

/// From the schedule's text to the report, as the program does it.
async fn pass(conn: &mut PgConnection, kind: Kind, throttle: Throttle) -> Result<(u64, Batches)> {
    let text = format!(
        "[schedule]\norganisation = \"Benchmark\"\ntime_zone = \"Europe/London\"\nevery = \"0 0 2 * * *\"\n\
         [[class]]\nid = \"letters\"\ntitle = \"Letters\"\ntable = \"email\"\ntrigger = \"received_at\"\n\
         period = \"8 years\"\ndisposal = \"delete\"\nmax_share = 1.0\n{}authority = \"None\"\nlawful_basis = \"None\"\n",
        kind.dependants()
    );
    let schedule = schedule::parse(&text, "retention.toml")
        .map_err(|faults| anyhow::anyhow!(faults.render(false)))?;
    let now: DateTime<Utc> = NOW.parse()?;
    let drawn = survey::draw(conn, &schedule, now).await?;
    let seen: Mutex<Batches> = Mutex::new(Vec::new());
    let order = Pass {
        actor: "benchmark",
        holder: "benchmark",
        patience: Duration::ZERO,
        throttle,
        stores: &Stores::default(),
        log: None,
        only: &[],
        but: &[],
        guards: None,
        next: &|_| None,
        stop: &CancellationToken::new(),
        observe: &|event| {
            if let (Event::Batch(_, records, took), Ok(mut seen)) = (event, seen.lock()) {
                seen.push((records, took.as_secs_f64()));
            }
        },
    };
    let report = enforce::pass(conn, drawn.plan, &order, async |conn: &mut PgConnection| {
        survey::draw(conn, &schedule, now)
            .await
            .map(|drawn| drawn.plan)
            .map_err(|_| EnforceError::Replan)
    })
    .await?;
    ensure!(
        report.exit_code() == 0,
        "the pass failed: {:?}",
        report.classes
    );
    let records = report.classes.iter().map(|class| class.deleted).sum();
    Ok((records, seen.into_inner().unwrap_or_default()))
}
