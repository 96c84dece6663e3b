//! The sample organisation: a public body's own tables in schema `public`, filled
//! with people who do not exist.
//!
//! It owns the tables' text ([`SCHEMA_SQL`]) and the generator ([`load`]). The
//! tables are made as their applications would have made them, before anybody
//! thought of a retention schedule, and the generator knows nothing of one: what
//! is due is for `retention.toml` to say. All rows are made inside PostgreSQL from
//! a number for each row, never by chance, so that the same options give the same
//! rows, byte for byte; dates are counted back from the day that is passed in.
//!
//! Real data is untidy, and so is this: dates that were never filled in,
//! `-infinity`, the zeros of spreadsheets and epochs, a mistyped year, days on
//! either side of where a period ends, an instant just before London's midnight,
//! applicants that two classes claim, and consent forms shared by photos of
//! different years. They are there at every size.

mod files;
mod parts;

use std::path::PathBuf;

use chrono::NaiveDate;
use sqlx::{Connection, PgConnection};

use self::parts::Part;

const TABLES_SQL: &str = include_str!("sample/tables.sql");
const KEYS_SQL: &str = include_str!("sample/keys.sql");

/// The sample organisation's tables, foreign keys and indexes, without rows.
///
/// Names are unqualified: run it where `public` is the first schema to create in.
pub const SCHEMA_SQL: &str = concat!(
    include_str!("sample/tables.sql"),
    "\n",
    include_str!("sample/keys.sql")
);

/// The most records [`load`] takes on: beyond it lies a mistyped number.
pub const MOST_ROWS: u64 = 100_000_000;

/// Rows that one statement inserts, so that progress can be told between two.
const CHUNK: u64 = 20_000;

/// What to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleOptions {
    /// How many records there are over the tables of the ten classes, without their
    /// dependants (about as many again). Where this is too few to show every
    /// class, as many as that takes: [`least_rows`].
    pub rows: u64,
    /// The day that dates are counted back from, in London.
    pub on: NaiveDate,
    /// Another seed, other people.
    pub seed: u64,
    /// The folder that becomes the store `media`, made if need be; it must be empty.
    /// Each photo, recording and scanned form gets a small file there. `None`
    /// leaves the paths without files.
    pub media_folder: Option<PathBuf>,
}

/// What was made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SampleSummary {
    /// Each generated table, in the order in which they were filled, with its rows.
    pub tables: Vec<(String, u64)>,
    /// Rows of the tables that classes name.
    pub records: u64,
    /// Files written to the media folder.
    pub files: u64,
}

impl SampleSummary {
    /// The rows of one table; 0 for a table that was not generated.
    #[must_use]
    pub fn rows_of(&self, table: &str) -> u64 {
        self.tables
            .iter()
            .find(|(name, _)| name == table)
            .map_or(0, |(_, rows)| *rows)
    }

    /// Rows of all tables, dependants included.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|(_, rows)| rows).sum()
    }
}

/// Why the sample organisation could not be made. Nothing was left in the
/// database; files that were already written stay.
#[derive(Debug, thiserror::Error)]
pub enum SampleError {
    /// The database holds somebody's table of that name.
    #[error(
        "the database already has a table `public.{table}`: the sample needs a database without one"
    )]
    Exists {
        /// The first table that is in the way.
        table: &'static str,
    },
    /// Files could be overwritten.
    #[error("the media folder {} is not empty", folder.display())]
    NotEmpty {
        /// The folder.
        folder: PathBuf,
    },
    /// A mistyped number.
    #[error("{rows} records are more than the {MOST_ROWS} that the sample is made for")]
    TooMany {
        /// What was asked for.
        rows: u64,
    },
    /// A statement failed.
    #[error("could not {doing} of the sample")]
    Database {
        /// What was tried, as in "could not ... of the sample".
        doing: String,
        /// What the database said.
        source: sqlx::Error,
    },
    /// A file or folder could not be made.
    #[error("could not write {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The thread that writes files was stopped.
    #[error("writing the sample's files was interrupted")]
    Interrupted(#[source] tokio::task::JoinError),
}

/// The fewest records that show every class and every odd date.
#[must_use]
pub fn least_rows() -> u64 {
    parts::Sizes::of(0).records()
}

/// Makes the tables and fills them, in one transaction.
///
/// `progress` is told the table, the rows (or files) done and those planned, after
/// each step of it. A million records with their dependants take tens of seconds.
///
/// # Errors
/// When a table is in the way, the media folder is not empty or cannot be
/// written, or the database refuses. Then no table was made.
pub async fn load(
    connection: &mut PgConnection,
    options: &SampleOptions,
    progress: &mut (dyn FnMut(&str, u64, u64) + Send),
) -> Result<SampleSummary, SampleError> {
    if options.rows > MOST_ROWS {
        return Err(SampleError::TooMany { rows: options.rows });
    }
    if let Some(folder) = &options.media_folder {
        files::prepare(folder)?;
    }
    let parts = parts::parts(options);

    let mut transaction = connection
        .begin()
        .await
        .map_err(failed("start the transaction"))?;
    refuse_existing(&mut transaction, &parts).await?;
    // Plans must see the numbers; a chunk is sorted in memory; public is created in.
    sqlx::raw_sql(
        "SET LOCAL search_path = public; SET LOCAL plan_cache_mode = force_custom_plan; SET LOCAL jit = off; \
         SET LOCAL work_mem = '64MB'; SET LOCAL maintenance_work_mem = '128MB'; SET LOCAL max_parallel_maintenance_workers = 0",
    )
    .execute(&mut *transaction)
    .await
    .map_err(failed("set up the session"))?;
    for (doing, sql) in [
        ("make the tables", TABLES_SQL),
        ("make the vocabulary", include_str!("sample/words.sql")),
        ("fill the departments", include_str!("sample/context.sql")),
    ] {
        sqlx::raw_sql(sql)
            .execute(&mut *transaction)
            .await
            .map_err(failed(doing))?;
    }

    let mut summary = SampleSummary::default();
    for part in &parts {
        let rows = fill(&mut transaction, part, options.on, progress).await?;
        if part.is_record {
            summary.records += rows;
        }
        summary.tables.push((part.table.to_owned(), rows));
    }

    progress("keys and indexes", 0, 1);
    sqlx::raw_sql(KEYS_SQL)
        .execute(&mut *transaction)
        .await
        .map_err(failed("make the keys"))?;
    sqlx::raw_sql("ANALYZE")
        .execute(&mut *transaction)
        .await
        .map_err(failed("gather the statistics"))?;
    progress("keys and indexes", 1, 1);

    if let Some(folder) = &options.media_folder {
        summary.files = files::write(&mut transaction, folder, progress).await?;
    }
    transaction
        .commit()
        .await
        .map_err(failed("commit the rows"))?;
    Ok(summary)
}

async fn refuse_existing(connection: &mut PgConnection, parts: &[Part]) -> Result<(), SampleError> {
    for table in ["department", "staff_post"]
        .into_iter()
        .chain(parts.iter().map(|part| part.table))
    {
        let exists: bool =
            sqlx::query_scalar("SELECT to_regclass(format('public.%I', $1)) IS NOT NULL")
                .bind(table)
                .fetch_one(&mut *connection)
                .await
                .map_err(failed("look for the tables"))?;
        if exists {
            return Err(SampleError::Exists { table });
        }
    }
    Ok(())
}

/// Inserts a table's rows chunk by chunk, and says how many there are.
async fn fill(
    connection: &mut PgConnection,
    part: &Part,
    on: NaiveDate,
    progress: &mut (dyn FnMut(&str, u64, u64) + Send),
) -> Result<u64, SampleError> {
    let mut rows = 0;
    let mut done = 0;
    progress(part.table, 0, part.numbers);
    while done < part.numbers {
        let to = part.numbers.min(done + CHUNK);
        rows += sqlx::query(part.sql)
            .bind((done + 1).cast_signed())
            .bind(to.cast_signed())
            .bind(part.salt)
            .bind(on)
            .bind(part.of.cast_signed())
            .bind(part.related)
            .execute(&mut *connection)
            .await
            .map_err(|source| SampleError::Database {
                doing: format!("fill {}", part.table),
                source,
            })?
            .rows_affected();
        done = to;
        progress(part.table, done, part.numbers);
    }
    Ok(rows)
}

fn failed(doing: &str) -> impl FnOnce(sqlx::Error) -> SampleError {
    let doing = doing.to_owned();
    move |source| SampleError::Database { doing, source }
}
