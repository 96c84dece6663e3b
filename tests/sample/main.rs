//! The sample organisation: the same rows for the same options, every odd case
//! there at every size, and a shipped schedule that fits its tables.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod loading;
mod rows;
mod schedule;

use chrono::NaiveDate;
use retentiond::demo::cluster;
use retentiond::demo::sample::{self, SampleError, SampleOptions, SampleSummary};
use sqlx::{Connection as _, PgConnection};

/// A day on which "a period ago" is a different number of days for each period.
const ON: (i32, u32, u32) = (2026, 11, 23);

fn on() -> NaiveDate {
    NaiveDate::from_ymd_opt(ON.0, ON.1, ON.2).unwrap()
}

fn options(rows: u64, seed: u64) -> SampleOptions {
    SampleOptions {
        rows,
        on: on(),
        seed,
        media_folder: None,
    }
}

async fn empty_database(name: &str) -> PgConnection {
    let cluster = cluster::shared().expect("a PostgreSQL server");
    let url = cluster.create_database(name).await.unwrap();
    PgConnection::connect(&url).await.unwrap()
}

async fn load(
    connection: &mut PgConnection,
    options: &SampleOptions,
) -> Result<SampleSummary, SampleError> {
    sample::load(connection, options, &mut |_, _, _| ()).await
}

async fn loaded(name: &str, rows: u64, seed: u64) -> PgConnection {
    let mut connection = empty_database(name).await;
    load(&mut connection, &options(rows, seed)).await.unwrap();
    connection
}

async fn number(connection: &mut PgConnection, sql: &str) -> i64 {
    sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
        .fetch_one(connection)
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error}"))
}

async fn texts(connection: &mut PgConnection, sql: &str) -> Vec<String> {
    sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
        .fetch_all(connection)
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error}"))
}

async fn tables(connection: &mut PgConnection) -> Vec<String> {
    texts(
        connection,
        "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' ORDER BY 1",
    )
    .await
}
