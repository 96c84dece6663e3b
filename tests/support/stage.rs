//! A stage for tests in which somebody steps in between: passes with every knob, waiting
//! until one is blocked, and the comparison of tables with the ledger.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;
use retentiond::demo::cluster;
use retentiond::enforce::{
    self, ClassReport, EnforceError, Event, Pass, RunReport, Status, Throttle,
};
use retentiond::files::Stores;
use retentiond::ident::ClassId;
use retentiond::ledger::store::{Filter, StoredEntry};
use retentiond::plan::Plan;
use retentiond::{ledger, store, survey};
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};
use tokio_util::sync::CancellationToken;

use crate::support;

/// The first lines of a schedule.
pub const HEAD: &str = r#"
[schedule]
organisation = "Test"
time_zone = "Europe/London"
every = "0 0 2 * * *"
"#;

/// A class of a test's schedule; `rest` is everything after its id, title and authority.
/// As much of a table may go as a test has in it, unless it says otherwise.
pub fn class(id: &str, rest: &str) -> String {
    let limit = if rest.contains("max_") || rest.contains("\"retain\"") {
        ""
    } else {
        "max_share = 1.0\n"
    };
    format!("\n[[class]]\nid = \"{id}\"\ntitle = \"{id}\"\nauthority = \"a test\"\n{limit}{rest}\n")
}

static TEMPLATE: tokio::sync::OnceCell<()> = tokio::sync::OnceCell::const_new();
static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A database of the shared cluster with our schema, and these tables in `public`.
///
/// Migrated once and copied. The tests' superuser is called `retentiond`, so that `$user`
/// would lead to our schema.
pub async fn database(tables: &str) -> String {
    let cluster = cluster::shared().expect("a private PostgreSQL starts");
    TEMPLATE
        .get_or_init(|| async {
            let url = cluster
                .create_database("stage")
                .await
                .expect("a database can be made");
            support::migrate(&url).await;
        })
        .await;
    let name = format!("s{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let sql = format!(
        "CREATE DATABASE {name} TEMPLATE stage; ALTER DATABASE {name} SET search_path = public"
    );
    let mut conn = support::client(&cluster.url("postgres")).await;
    for statement in sql.split(';') {
        run(&mut conn, statement).await;
    }
    conn.close().await.unwrap();
    let url = cluster.url(&name);
    // A copy has the name of the original's log, which is published once.
    let origin =
        "INSERT INTO retentiond.ledger_origin SELECT 'retentiond/' || gen_random_uuid(), 0, now()";
    support::sql(&url, origin).await;
    support::sql(&url, tables).await;
    url
}

/// The same in a cluster of the test's own.
pub async fn database_in(cluster: &cluster::Cluster, name: &str, tables: &str) -> String {
    let url = cluster
        .create_database(name)
        .await
        .expect("a database can be made");
    support::migrate(&url).await;
    support::sql(
        &url,
        &format!("ALTER DATABASE {name} SET search_path = public"),
    )
    .await;
    support::sql(&url, tables).await;
    url
}

/// One pass, knob by knob.
#[derive(Clone)]
pub struct Run {
    pub url: String,
    pub toml: String,
    pub now: DateTime<Utc>,
    pub plan: Option<Plan>,
    pub stores: Stores,
    pub throttle: Throttle,
    /// How long a statement of the pass waits for a lock.
    pub lock: Duration,
    pub holder: &'static str,
    pub patience: Duration,
    pub only: Vec<ClassId>,
    /// Whether the next pass is tomorrow's (else everything is swept now).
    pub daily: bool,
    pub stop: CancellationToken,
    /// How often the plan was drawn again.
    pub redrawn: Arc<AtomicU32>,
}

impl Run {
    /// A pass at full speed, patient with locks, so that a test decides when it goes on.
    pub fn new(url: &str, toml: &str, day: &str) -> Self {
        Self {
            url: url.to_owned(),
            toml: toml.to_owned(),
            now: support::at(day),
            plan: None,
            stores: Stores::default(),
            throttle: Throttle::FULL_SPEED,
            lock: Duration::from_secs(60),
            holder: "test",
            patience: Duration::ZERO,
            only: Vec::new(),
            daily: true,
            stop: CancellationToken::new(),
            redrawn: Arc::default(),
        }
    }

    /// Batches of so many rows, however slow the machine is.
    pub fn batches_of(mut self, rows: i64) -> Self {
        self.throttle = Throttle {
            batch: Duration::from_secs(3_600),
            first: rows,
            most: rows,
            ..Throttle::FULL_SPEED
        };
        self
    }

    pub fn lock(mut self, lock: Duration) -> Self {
        self.lock = lock;
        self
    }

    pub fn only(mut self, class: &str) -> Self {
        self.only.push(ClassId::new(class).unwrap());
        self
    }

    pub fn stores(mut self, stores: &Stores) -> Self {
        self.stores = stores.clone();
        self
    }

    pub fn holder(mut self, holder: &'static str, patience: Duration) -> Self {
        (self.holder, self.patience) = (holder, patience);
        self
    }

    /// Draws the plan now, whatever happens before the pass begins.
    pub async fn planned(mut self) -> Self {
        self.plan = Some(support::plan(&self.url, &self.toml, self.now).await);
        self
    }

    /// How often the plan was drawn again so far.
    pub fn redraws(&self) -> u32 {
        self.redrawn.load(Ordering::Relaxed)
    }

    pub async fn go(&self) -> RunReport {
        self.try_go().await.expect("the pass can be made")
    }

    pub async fn try_go(&self) -> Result<RunReport, EnforceError> {
        self.observed(&|_| ()).await
    }

    pub async fn observed(
        &self,
        observe: &(dyn Fn(Event<'_>) + Sync),
    ) -> Result<RunReport, EnforceError> {
        let limits = store::Limits {
            lock: self.lock,
            statement: Duration::from_secs(120),
            idle: Duration::from_secs(120),
        };
        let mut conn = store::connect(&self.url, "retentiond/test", limits)
            .await
            .expect("the database answers");
        let parsed = support::schedule(&self.toml);
        let next = if self.daily {
            parsed.every().next_after(self.now, parsed.time_zone())
        } else {
            None
        };
        let plan = match &self.plan {
            Some(plan) => plan.clone(),
            None => {
                survey::draw(&mut conn, &parsed, self.now)
                    .await
                    .expect("a plan can be drawn")
                    .plan
            }
        };
        let order = Pass {
            actor: "test",
            holder: self.holder,
            patience: self.patience,
            throttle: self.throttle,
            stores: &self.stores,
            log: None,
            only: &self.only,
            but: &[],
            guards: None,
            next: &|_| next,
            stop: &self.stop,
            observe,
        };
        enforce::pass(&mut conn, plan, &order, async |conn: &mut PgConnection| {
            self.redrawn.fetch_add(1, Ordering::Relaxed);
            survey::draw(conn, &parsed, self.now)
                .await
                .map(|drawn| drawn.plan)
                .map_err(|error| EnforceError::Redraw(Box::new(error)))
        })
        .await
    }
}

/// One class of a report; panics where it was refused or failed.
pub fn of<'a>(report: &'a RunReport, class: &str) -> &'a ClassReport {
    let found = any(report, class);
    assert!(
        !matches!(found.status, Status::Refused | Status::Failed),
        "{class}: {:?}",
        found.reason
    );
    found
}

/// One class of a report, however it went.
pub fn any<'a>(report: &'a RunReport, class: &str) -> &'a ClassReport {
    report
        .classes
        .iter()
        .find(|c| c.id.as_str() == class)
        .unwrap_or_else(|| panic!("no class {class}"))
}

/// Waits until exactly `count` backends of this database match the condition.
pub async fn until(url: &str, condition: &str, count: i64) {
    let mut conn = support::client(url).await;
    let sql = format!(
        "SELECT count(*) FROM pg_stat_activity
          WHERE datname = current_database() AND pid <> pg_backend_pid() AND {condition}"
    );
    let begun = Instant::now();
    loop {
        let found: i64 = sqlx::query_scalar(AssertSqlSafe(sql.as_str()))
            .fetch_one(&mut conn)
            .await
            .unwrap();
        if found == count {
            return;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "never {count} with {condition}, but {found}"
        );
        tokio::task::yield_now().await;
    }
}

/// Waits until `count` passes stand before a lock that somebody else holds.
pub async fn blocked(url: &str, count: i64) {
    until(
        url,
        "application_name LIKE 'retentiond%' AND wait_event_type = 'Lock'",
        count,
    )
    .await;
}

/// Waits until a session that the test named `name` stands before a lock.
pub async fn named_blocked(url: &str, name: &str) {
    until(
        url,
        &format!("application_name = '{name}' AND wait_event_type = 'Lock'"),
        1,
    )
    .await;
}

/// A session with an open transaction, in which it has done `sql`.
pub async fn meddler(url: &str, sql: &str) -> PgConnection {
    let mut conn = support::client(url).await;
    run(&mut conn, "BEGIN").await;
    run(&mut conn, sql).await;
    conn
}

/// Runs statements on a session of the test's own.
pub async fn run(conn: &mut PgConnection, sql: &str) {
    try_run(conn, sql)
        .await
        .unwrap_or_else(|e| panic!("{e}\n{sql}"));
}

/// The same, where it may fail.
pub async fn try_run(conn: &mut PgConnection, sql: &str) -> Result<u64, sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
}

/// Rows of tables as they are: by table and the text of the key column `id`.
pub type Rows = BTreeMap<(String, String), String>;

/// Reads whole tables of schema public.
pub async fn rows(url: &str, tables: &[&str]) -> Rows {
    let mut conn = support::client(url).await;
    let mut found = Rows::new();
    for table in tables {
        let sql = format!("SELECT t.id::text, to_jsonb(t)::text FROM {table} AS t");
        for row in sqlx::query(AssertSqlSafe(sql))
            .fetch_all(&mut conn)
            .await
            .unwrap()
        {
            found.insert(((*table).to_owned(), row.get(0)), row.get(1));
        }
    }
    conn.close().await.unwrap();
    found
}

/// Names of rows, such as `letter 1`.
pub fn names(rows: &Rows) -> BTreeSet<String> {
    rows.keys()
        .map(|(table, key)| format!("{table} {key}"))
        .collect()
}

/// Every record named in the ledger by its key `id`, as `ACTION TABLE KEY`, sorted; a record that is named
/// twice stands twice.
pub async fn lines(url: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for entry in support::ledger(url).await {
        let word = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
        let table = word("table").trim_start_matches("public.").to_owned();
        for record in entry["records"].as_array().into_iter().flatten() {
            let id = &record["key"]["id"];
            let key = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
            lines.push(format!("{} {table} {key}", word("action")));
        }
    }
    lines.sort();
    lines
}

/// The ledger's entries of one action.
pub async fn entries(url: &str, action: &str) -> Vec<StoredEntry> {
    let mut conn = support::ours(url).await;
    let found: Vec<StoredEntry> = ledger::store::list(&mut conn, &Filter::default())
        .await
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    conn.close().await.unwrap();
    found
        .into_iter()
        .filter(|stored| stored.entry.action.to_string() == action)
        .collect()
}

/// Promise 3: every row that is missing or changed since `before` has its one line in the
/// ledger, every line its missing or changed row, and the ledger verifies.
///
/// New rows are nobody's business here. Answers what is wrong.
pub async fn faults(url: &str, before: &Rows, tables: &[&str]) -> Vec<String> {
    let now = rows(url, tables).await;
    let mut expected: Vec<String> = Vec::new();
    for ((table, key), row) in before {
        match now.get(&(table.clone(), key.clone())) {
            None => expected.push(format!("{table} {key}")),
            Some(still) if still != row => expected.push(format!("{table} {key}")),
            Some(_) => {}
        }
    }
    expected.sort();
    let mut told: Vec<String> = lines(url)
        .await
        .into_iter()
        .filter_map(|line| {
            let (action, rest) = line.split_once(' ')?;
            matches!(action, "deleted" | "anonymised" | "unlinked").then(|| rest.to_owned())
        })
        .collect();
    told.sort();
    let mut faults = Vec::new();
    if told != expected {
        for row in &expected {
            if !told.contains(row) {
                faults.push(format!("{row} is gone or changed without a line"));
            }
        }
        for row in &told {
            if !expected.contains(row) {
                faults.push(format!("{row} has a line, and is what it was"));
            }
        }
        if faults.is_empty() {
            faults.push(format!("a row has two lines: {told:?}"));
        }
    }
    let mut conn = support::ours(url).await;
    // The keys of passes that were made as the program makes them; else nothing was signed.
    let origin = ledger::store::origin(&mut conn).await.unwrap();
    let places = retentiond::daemon::tick::places(&support::settings()).unwrap();
    let trust = ledger::audit::Trust {
        keys: places.keyring(&origin).public().unwrap(),
        checkpoints: Vec::new(),
    };
    let verification =
        ledger::store::verify(&mut conn, &trust, &ledger::store::Reading::Whole, |_| ())
            .await
            .unwrap();
    conn.close().await.unwrap();
    if verification.verdict != ledger::audit::Verdict::Ok {
        faults.push(format!(
            "the ledger does not verify: {}",
            verification.to_json()
        ));
    }
    faults
}

/// Panics with everything that [`faults`] finds.
pub async fn assert_told(url: &str, before: &Rows, tables: &[&str]) {
    let faults = faults(url, before, tables).await;
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
