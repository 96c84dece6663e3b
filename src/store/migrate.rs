//! The schema `retentiond`, brought to this version. Its migrations table lies in it too,
//! so that an organisation's own `_sqlx_migrations` is never touched.

use sqlx::PgConnection;
use sqlx::migrate::Migrator;

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// Why the schema could not be brought to this version.
#[derive(Debug, thiserror::Error)]
#[error("could not bring the schema `retentiond` to this version")]
pub struct MigrateError(#[from] sqlx::migrate::MigrateError);

fn migrator() -> Migrator {
    let mut migrator = Migrator {
        migrations: MIGRATIONS.migrations.clone(),
        ..Migrator::DEFAULT
    };
    migrator.dangerous_set_table_name("retentiond._sqlx_migrations");
    migrator.create_schema("retentiond");
    migrator
}

/// Creates or updates the schema `retentiond`. Repeatable; answers how many migrations it has.
///
/// # Errors
/// When the role may not create it, or a migration was changed after it had run.
pub async fn migrate(conn: &mut PgConnection) -> Result<usize, MigrateError> {
    let migrator = migrator();
    migrator.run_direct(None, conn, false).await?;
    Ok(migrator.iter().count())
}

/// Whether the schema is there and at this version.
///
/// # Errors
/// When the database does not answer.
pub async fn is_migrated(conn: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let present: bool = sqlx::query_scalar(
        "SELECT to_regclass('retentiond._sqlx_migrations') IS NOT NULL
            AND has_schema_privilege(to_regnamespace('retentiond'), 'USAGE')",
    )
    .fetch_one(&mut *conn)
    .await?;
    if !present {
        return Ok(false);
    }
    let done: Vec<i64> = sqlx::query_scalar(
        "SELECT version FROM retentiond._sqlx_migrations WHERE success ORDER BY version",
    )
    .fetch_all(conn)
    .await?;
    Ok(MIGRATIONS
        .iter()
        .all(|migration| done.contains(&migration.version)))
}
