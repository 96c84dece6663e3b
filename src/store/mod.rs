//! Connections, the migrator, leases, and the locks and clocks that everything else leans on.
//!
//! `store` knows how to speak to PostgreSQL safely: what every session of ours is set to,
//! which advisory locks mean what, and how a planned statement is sent. It asks no
//! question about records.

mod connect;
mod lease;
mod lock;
mod migrate;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::postgres::PgArguments;
use sqlx::{AssertSqlSafe, PgConnection, Postgres, Row};

pub use connect::{ConnectError, Limits, clock_difference, connect};
pub use lease::{Lease, LeaseError};
pub use lock::{
    DECISIONS_EXCLUSIVE, DECISIONS_SHARED, FILES, PUBLISHED, PUBLISHING, SEALING, epoch,
};
pub use migrate::{MigrateError, is_migrated, migrate};

/// A statement that the plan wrote, ready to bind.
///
/// The only place where text that is not a constant of ours becomes a statement. Whatever
/// comes here was put together in `plan` from quoted identifiers and parsed conditions
/// (or, in `demo`, from the sample's own text). Never kept prepared: after somebody
/// alters a table, a kept statement fails with `0A000` for as long as the connection lives.
pub fn planned<'q>(sql: &str) -> sqlx::query::Query<'q, Postgres, PgArguments> {
    sqlx::query(AssertSqlSafe(sql)).persistent(false)
}

/// The four numbers of a planned statement that measures a class against its limits. They
/// bind what went within seven days before `now`.
///
/// # Errors
/// When the database does not answer.
pub async fn measure(
    conn: &mut PgConnection,
    sql: &str,
    now: DateTime<Utc>,
) -> Result<[Option<i64>; 4], sqlx::Error> {
    let row = planned(sql)
        .bind(now - TimeDelta::days(7))
        .fetch_one(conn)
        .await?;
    Ok([
        row.try_get(0)?,
        row.try_get(1)?,
        row.try_get(2)?,
        row.try_get(3)?,
    ])
}

/// The five-character SQLSTATE and the constraint of a database's error: all of it that
/// may be written down, since a server's message and detail can quote a row.
#[must_use]
pub fn reason(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => {
            let code = error
                .code()
                .map_or_else(|| "XX000".to_owned(), |code| code.into_owned());
            match error.constraint() {
                Some(constraint) => format!("SQLSTATE {code}, constraint {constraint}"),
                None => format!("SQLSTATE {code}"),
            }
        }
        sqlx::Error::Io(error) => format!("connection: {}", error.kind()),
        sqlx::Error::PoolTimedOut => "connection: timed out".to_owned(),
        _ => "connection or protocol failure".to_owned(),
    }
}
