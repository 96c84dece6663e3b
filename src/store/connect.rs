//! A session as every room of ours expects it.

use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection};

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The text is not a database URL. It is not shown: it may hold a password.
    #[error(
        "the database URL cannot be read (expected something like postgres://user@host/database)"
    )]
    Url,
    /// Nobody answered, or the server refused.
    #[error("could not connect to the database at {place}")]
    Refused {
        /// Host, port and database, without the user or a password.
        place: String,
        /// What the server or the network said.
        #[source]
        source: sqlx::Error,
    },
    /// Nobody answered in time.
    #[error("could not connect to the database at {place}: no answer within {} s", .after.as_secs())]
    Late {
        /// Host, port and database.
        place: String,
        /// How long was waited.
        after: Duration,
    },
}

/// How long a session of ours may hold things up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How long a statement may wait for a lock.
    pub lock: Duration,
    /// How long a statement may run.
    pub statement: Duration,
    /// How long a transaction may sit idle. A stopped process must not block every hold.
    pub idle: Duration,
}

impl Limits {
    /// For reading: patient with statements, impatient with locks.
    pub const READING: Self = Self {
        lock: Duration::from_secs(5),
        statement: Duration::from_secs(3600),
        idle: Duration::from_secs(600),
    };
}

const PATIENCE: Duration = Duration::from_secs(10);

/// Opens a session whose settings cannot surprise a planned statement.
///
/// `row_security = off` makes a filtered table an error instead of a silently smaller one;
/// `search_path` keeps a stranger's schema from supplying a function or an operator;
/// `synchronous_commit = on` because a batch that reports success must survive a crash.
///
/// # Errors
/// When the URL cannot be read or nobody answers within ten seconds.
pub async fn connect(url: &str, name: &str, limits: Limits) -> Result<PgConnection, ConnectError> {
    let options = PgConnectOptions::from_str(url).map_err(|_| ConnectError::Url)?;
    let database = options.get_database().unwrap_or("");
    let place = match options.get_socket() {
        Some(folder) => format!("the socket in {}, database {database}", folder.display()),
        None => format!("{}:{}/{database}", options.get_host(), options.get_port()),
    };
    let options = options
        .application_name(name)
        .options([
            ("jit", "off".to_owned()),
            ("row_security", "off".to_owned()),
            ("synchronous_commit", "on".to_owned()),
            ("standard_conforming_strings", "on".to_owned()),
            ("search_path", "pg_catalog,public".to_owned()),
            ("lock_timeout", limits.lock.as_millis().to_string()),
            (
                "statement_timeout",
                limits.statement.as_millis().to_string(),
            ),
            (
                "idle_in_transaction_session_timeout",
                limits.idle.as_millis().to_string(),
            ),
        ])
        .disable_statement_logging();
    match tokio::time::timeout(PATIENCE, PgConnection::connect_with(&options)).await {
        Ok(Ok(conn)) => Ok(conn),
        Ok(Err(source)) => Err(ConnectError::Refused { place, source }),
        Err(_) => Err(ConnectError::Late {
            place,
            after: PATIENCE,
        }),
    }
}

/// How far the database's clock is from `now`: positive when the database is ahead.
///
/// # Errors
/// When the database does not answer.
pub async fn clock_difference(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
) -> Result<TimeDelta, sqlx::Error> {
    let theirs: DateTime<Utc> = sqlx::query_scalar("SELECT clock_timestamp()")
        .fetch_one(conn)
        .await?;
    Ok(theirs - now)
}
