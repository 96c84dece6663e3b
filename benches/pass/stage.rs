//! The cluster and its tables: loaded once, copied for each run.

use anyhow::{Result, ensure};
use retentiond::demo::cluster::Cluster;
use retentiond::store;
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection};

/// Everything before it is past on the day of the pass.
pub const CUTOFF: &str = "2018-01-01 00:00:00+00";

/// Which tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// Rows of 700 bytes with three indexes, that nothing refers to.
    Alone,
    /// The same, and a table that refers to every second row, `ON DELETE CASCADE`.
    WithChildren,
    /// Only a key and a date.
    Narrow,
}

impl Kind {
    pub fn title(self) -> &'static str {
        match self {
            Self::Alone => "without a foreign key",
            Self::WithChildren => "with a cascading child table",
            Self::Narrow => "very many narrow rows",
        }
    }

    fn template(self) -> &'static str {
        match self {
            Self::Alone => "alone",
            Self::WithChildren => "children",
            Self::Narrow => "narrow",
        }
    }

    /// The schedule's line about what goes with a letter.
    pub fn dependants(self) -> &'static str {
        if self == Self::WithChildren {
            "dependants = [\"attachment\"]\n"
        } else {
            ""
        }
    }
}

/// What can be read off the server before and after.
pub struct Footprint {
    pub wal: i64,
    pub ledger_on_disk: i64,
    pub ledger_payload: i64,
    pub records: i64,
}

pub struct Stage<'a> {
    cluster: &'a Cluster,
}

impl<'a> Stage<'a> {
    pub async fn new(cluster: &'a Cluster) -> Result<Self> {
        let stage = Self { cluster };
        // Nothing in the background that would fall into one run and not into another.
        // (The size of the log must not force a checkpoint, and vacuum is measured by
        // nobody.) All that makes a commit durable stays on.
        for setting in [
            "autovacuum = off",
            "max_wal_size = '32GB'",
            "checkpoint_timeout = '1h'",
        ] {
            stage
                .on("postgres", &format!("ALTER SYSTEM SET {setting}"))
                .await?;
        }
        stage.on("postgres", "SELECT pg_reload_conf()").await?;
        Ok(stage)
    }

    pub async fn server(&self) -> Result<String> {
        let mut conn = connect(&self.cluster.url("postgres")).await?;
        let text: String = sqlx::query_scalar(
            "SELECT 'PostgreSQL ' || current_setting('server_version') || ', shared_buffers ' || current_setting('shared_buffers')
                 || ', fsync ' || current_setting('fsync') || ', full_page_writes ' || current_setting('full_page_writes')
                 || ', wal_compression ' || current_setting('wal_compression') || ', autovacuum ' || current_setting('autovacuum')",
        )
        .fetch_one(&mut conn)
        .await?;
        conn.close().await?;
        Ok(text)
    }

    /// Loads the tables that runs are copied from; `rows` of them are past, a fifth as many are not.
    pub async fn prepare(&self, kind: Kind, rows: i64) -> Result<()> {
        let name = kind.template();
        if self.exists(name).await? {
            return Ok(());
        }
        let url = self.cluster.create_database(name).await?;
        let mut conn = connect(&url).await?;
        store::migrate(&mut conn).await?;
        let all = rows + rows / 5;
        // Received over ten years, in the order of the key but for a day more or less, as
        // letters are that somebody enters.
        let received = format!(
            "TIMESTAMPTZ '{CUTOFF}' - interval '10 years' * (({rows} - g + 0.5) / {rows}::float8) \
             + CASE WHEN g <= {rows} - {rows} / 1000 THEN interval '1 day' * ((g * 7919) % 101) / 101.0 ELSE interval '0' END"
        );
        let text = match kind {
            Kind::Narrow => format!(
                "CREATE TABLE email (id bigint PRIMARY KEY, received_at timestamptz);
                 INSERT INTO email SELECT g, {received} FROM generate_series(1::bigint, {all}) g;
                 CREATE INDEX email_received_at ON email (received_at);"
            ),
            Kind::Alone | Kind::WithChildren => format!(
                "CREATE TABLE email (
                     id bigint PRIMARY KEY, received_at timestamptz, sender text NOT NULL,
                     subject text NOT NULL, body text NOT NULL
                 );
                 INSERT INTO email
                 SELECT g, {received}, 'person' || g % 50000 || '@example.org', 'Subject of letter ' || g,
                        repeat(md5(g::text), 19)
                   FROM generate_series(1::bigint, {all}) g;
                 CREATE INDEX email_received_at ON email (received_at);
                 CREATE INDEX email_sender ON email (sender);"
            ),
        };
        self.on(name, &text).await?;
        if kind == Kind::WithChildren {
            self.on(
                name,
                &format!(
                    "CREATE TABLE attachment (id bigint PRIMARY KEY, email_id bigint NOT NULL, name text NOT NULL, bytes bigint NOT NULL);
                     INSERT INTO attachment SELECT g, 2 * g, 'letter ' || g || '.pdf', 1000 + g % 90000
                       FROM generate_series(1::bigint, {all} / 2) g;
                     ALTER TABLE attachment ADD FOREIGN KEY (email_id) REFERENCES email ON DELETE CASCADE;
                     CREATE INDEX attachment_email_id ON attachment (email_id);"
                ),
            )
            .await?;
        }
        // Outside a transaction block: its own statement.
        self.on(name, "VACUUM (FREEZE, ANALYZE)").await?;
        conn.close().await?;
        Ok(())
    }

    /// A copy of the tables in which nothing was ever deleted, and nothing in the log yet.
    pub async fn fresh(&self, kind: Kind) -> Result<String> {
        self.on("postgres", "DROP DATABASE IF EXISTS run WITH (FORCE)")
            .await?;
        let version: i32 = self
            .number(
                "postgres",
                "SELECT current_setting('server_version_num')::int",
            )
            .await?;
        // Since 15 a copy goes through the log unless told otherwise.
        let strategy = if version >= 150_000 {
            "STRATEGY file_copy"
        } else {
            ""
        };
        self.on(
            "postgres",
            &format!(
                "CREATE DATABASE run TEMPLATE {} {strategy}",
                kind.template()
            ),
        )
        .await?;
        // Read once, so that nobody waits for the disk, through an index, since a plain
        // scan of a large table passes the cache by.
        self.on(
            "run",
            "SET enable_seqscan = off; SET max_parallel_workers_per_gather = 0; SELECT sum(length(email::text)) FROM email WHERE received_at > '-infinity'",
        )
        .await?;
        if kind == Kind::WithChildren {
            self.on("run", "SELECT count(*) FROM attachment WHERE email_id > 0")
                .await?;
        }
        // Afterwards the first touch of each page writes it whole, in every run.
        self.on("run", "CHECKPOINT").await?;
        Ok(self.cluster.url("run"))
    }

    /// A session that saw the table before the run, and has not ended.
    pub async fn old_transaction(&self, url: &str) -> Result<PgConnection> {
        let mut conn = connect(url).await?;
        sqlx::raw_sql("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT id FROM email LIMIT 1")
            .execute(&mut conn)
            .await?;
        Ok(conn)
    }

    pub async fn footprint(&self, url: &str) -> Result<Footprint> {
        let mut conn = connect(url).await?;
        let (wal, ledger_on_disk, ledger_payload, records): (i64, i64, i64, i64) = sqlx::query_as(
            "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint,
                    (pg_total_relation_size('retentiond.ledger_entry')
                     + (SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree('retentiond.ledger_manifest')))::bigint,
                    (coalesce((SELECT sum(length(body) + length(hash)) FROM retentiond.ledger_entry), 0)
                     + coalesce((SELECT sum(length(seed) + length(filter) + length(records)) FROM retentiond.ledger_manifest), 0))::bigint,
                    coalesce((SELECT sum(count) FROM retentiond.ledger_entry), 0)::bigint",
        )
        .fetch_one(&mut conn)
        .await?;
        conn.close().await?;
        Ok(Footprint {
            wal,
            ledger_on_disk,
            ledger_payload,
            records,
        })
    }

    /// A method that left something behind was not measured.
    pub async fn must_hold_none(&self, url: &str, kind: Kind) -> Result<()> {
        let mut conn = connect(url).await?;
        let past = format!("SELECT count(*) FROM email WHERE received_at < '{CUTOFF}'");
        let left: i64 = sqlx::query_scalar(AssertSqlSafe(past))
            .fetch_one(&mut conn)
            .await?;
        ensure!(left == 0, "{left} past rows were left behind");
        if kind == Kind::WithChildren {
            let orphans: i64 = sqlx::query_scalar(
                "SELECT count(*) FROM attachment a WHERE NOT EXISTS (SELECT 1 FROM email e WHERE e.id = a.email_id)",
            )
            .fetch_one(&mut conn)
            .await?;
            ensure!(orphans == 0, "{orphans} attachments were left behind");
        }
        conn.close().await?;
        Ok(())
    }

    async fn exists(&self, name: &str) -> Result<bool> {
        let found: i32 = self
            .number(
                "postgres",
                &format!("SELECT count(*)::int FROM pg_database WHERE datname = '{name}'"),
            )
            .await?;
        Ok(found > 0)
    }

    async fn number(&self, database: &str, sql: &str) -> Result<i32> {
        let mut conn = connect(&self.cluster.url(database)).await?;
        let number = sqlx::query_scalar(AssertSqlSafe(sql))
            .fetch_one(&mut conn)
            .await?;
        conn.close().await?;
        Ok(number)
    }

    async fn on(&self, database: &str, sql: &str) -> Result<()> {
        let mut conn = connect(&self.cluster.url(database)).await?;
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut conn).await?;
        conn.close().await?;
        Ok(())
    }
}

/// A session that finds the organisation's tables first. (The role's own schema would come
/// before them, and ours is named like the role.)
async fn connect(url: &str) -> Result<PgConnection> {
    let mut conn = PgConnection::connect(url).await?;
    sqlx::query("SET search_path = public")
        .execute(&mut conn)
        .await?;
    Ok(conn)
}
