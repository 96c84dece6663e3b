//! Connections, the migrator, leases, and the locks and clocks that everything else leans on.
//!
//! `store` knows how to speak to PostgreSQL safely: what every session of ours is set to,
//! which advisory locks mean what, and how a planned statement is sent. It asks no
//! question about records.

mod connect;
mod lease;
mod lock;
mod migrate;

use sqlx::postgres::PgArguments;
use sqlx::{AssertSqlSafe, Postgres};

pub use connect::{ConnectError, Limits, clock_difference, connect};
pub use lease::{Lease, LeaseError};
pub use lock::{DECISIONS_EXCLUSIVE, DECISIONS_SHARED, FILES, SEALING, epoch};
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
