//! One sample, two passes, and everything that was seen on the way: told once, and then
//! looked at by every test.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use retentiond::demo::sample::{self, SampleOptions};
use retentiond::enforce::{RunReport, Throttle};
use retentiond::survey::{self, ClassCounts};
use sqlx::{AssertSqlSafe, Connection};
use tokio::sync::OnceCell;

use crate::support;

/// The shipped schedule; how much goes in the first pass of a sample is no limit's matter.
static SCHEDULE: LazyLock<String> =
    LazyLock::new(|| support::unlimited(include_str!("../../retention.toml")));
/// A day on which "a period ago" is a different number of days for each period.
const ON: &str = "2026-11-23";

/// Each table of the organisation, and its key as the ledger names it.
pub const TABLES: [(&str, &str); 19] = [
    ("correspondence", "'id', id"),
    ("attachment", "'id', id"),
    (
        "case_note",
        "'correspondence_id', correspondence_id, 'note_no', note_no",
    ),
    ("foi_request", "'id', id"),
    ("foi_exchange", "'id', id"),
    ("media", "'id', id"),
    ("consent_form", "'id', id"),
    ("applicant", "'id', id"),
    ("survey_sample", "'campaign', campaign, 'id', id"),
    (
        "survey_contact_attempt",
        "'campaign', campaign, 'sample_id', sample_id, 'attempt_no', attempt_no",
    ),
    ("social_message", "'id', id"),
    ("capv_participant", "'id', id"),
    ("capv_interview", "'id', id"),
    (
        "capv_outcome",
        "'participant_id', participant_id, 'measure', measure",
    ),
    ("opt_out", "'id', id"),
    ("matter", "'id', id"),
    ("vacancy", "'id', id"),
    ("department", "'id', id"),
    ("staff_post", "'id', id"),
];

pub struct Story {
    pub url: String,
    pub files_before: BTreeSet<String>,
    pub files_after: BTreeSet<String>,
    pub counts_before: Vec<ClassCounts>,
    pub counts_after: Vec<ClassCounts>,
    pub first: RunReport,
    pub second: RunReport,
    /// Entries of the ledger after the first pass, and after the second.
    pub entries: [Vec<serde_json::Value>; 2],
}

static STORY: OnceCell<Story> = OnceCell::const_new();

pub async fn story() -> &'static Story {
    STORY.get_or_init(tell).await
}

async fn tell() -> Story {
    let url = support::migrated().await;
    let folder = tempfile::tempdir().unwrap();
    let media = folder.path().join("media");
    let options = SampleOptions {
        rows: 20_000,
        on: ON.parse().unwrap(),
        seed: 1,
        media_folder: Some(media.clone()),
    };
    let mut conn = support::client(&url).await;
    sample::load(&mut conn, &options, &mut |_, _, _| ())
        .await
        .unwrap();
    conn.close().await.unwrap();

    // The sample has no recent message about a past letter: somebody comes back to one.
    support::sql(
        &url,
        "UPDATE public.social_message SET correspondence_id =
             (SELECT min(id) FROM public.correspondence WHERE closed_at BETWEEN '2016-01-01' AND '2016-12-31')
         WHERE received_at BETWEEN '2026-09-01' AND '2026-11-01' AND id % 5 = 0",
    )
    .await;
    support::sql(&url, "CREATE SCHEMA was").await;
    for (table, _) in TABLES {
        support::sql(
            &url,
            &format!("CREATE TABLE was.{table} AS TABLE public.{table}"),
        )
        .await;
    }
    support::sql(&url, include_str!("must.sql")).await;
    support::sql(&url, include_str!("left.sql")).await;
    photograph(&url, "before").await;
    let files_before = listing(&media);

    let now = support::at(ON);
    let stores = support::store("media", &media);
    let counts_before = counts(&url).await;
    let first = support::pass_with(&url, &SCHEDULE, now, &stores, Throttle::FULL_SPEED).await;
    photograph(&url, "after_first").await;
    let counts_after = counts(&url).await;
    let after_first = support::ledger(&url).await;

    let second = support::pass_with(&url, &SCHEDULE, now, &stores, Throttle::FULL_SPEED).await;
    photograph(&url, "after_second").await;
    let after_second = support::ledger(&url).await;
    keep_lines(&url, &after_second).await;
    Story {
        url,
        files_before,
        files_after: listing(&media),
        counts_before,
        counts_after,
        first,
        second,
        entries: [after_first, after_second],
    }
}

/// Every row of every table: its key, the transaction that wrote it, and its bytes.
async fn photograph(url: &str, when: &str) {
    let rows: Vec<String> = TABLES
        .iter()
        .map(|(table, key)| {
            format!(
                "SELECT 'public.{table}' AS table_name, jsonb_build_object({key}) AS key,
                        t.xmin::text AS born, md5(t::text) AS bytes
                 FROM public.{table} AS t"
            )
        })
        .collect();
    let rows = rows.join(" UNION ALL ");
    support::sql(url, &format!("CREATE TABLE was.rows_{when} AS {rows}")).await;
}

/// The ledger's lines, as `ledger export` writes them, as a table.
async fn keep_lines(url: &str, entries: &[serde_json::Value]) {
    support::sql(
        url,
        "CREATE SCHEMA said;
         CREATE TABLE said.line (action text, class text, table_name text, key jsonb, trigger_on date, last_day date, parent jsonb)",
    )
    .await;
    let mut conn = support::client(url).await;
    sqlx::query(
        "INSERT INTO said.line
         SELECT e ->> 'action', e ->> 'class', e ->> 'table', r -> 'key',
                (r ->> 'trigger')::date, (r ->> 'last_day')::date, r -> 'parent'
         FROM jsonb_array_elements($1) AS e, jsonb_array_elements(e -> 'records') AS r",
    )
    .bind(serde_json::Value::Array(entries.to_vec()))
    .execute(&mut conn)
    .await
    .unwrap();
    conn.close().await.unwrap();
}

async fn counts(url: &str) -> Vec<ClassCounts> {
    let plan = support::plan(url, &SCHEDULE, support::at(ON)).await;
    let mut conn = support::ours(url).await;
    let counts = survey::count(&mut conn, &plan).await.unwrap();
    conn.close().await.unwrap();
    counts
}

/// The files below a folder, by their paths in it.
fn listing(folder: &Path) -> BTreeSet<String> {
    let mut files = BTreeSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(here) = folders.pop() {
        for entry in fs::read_dir(here).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let path = path.strip_prefix(folder).unwrap();
                files.insert(path.to_str().unwrap().to_owned());
            }
        }
    }
    files
}

/// Everything that stands in our own schema, as bytes: texts as they are, packed bytes too.
pub async fn everything_of_ours(url: &str) -> String {
    let columns = support::texts(
        url,
        "SELECT format('SELECT %s FROM retentiond.%I WHERE %2$I.%3$I IS NOT NULL',
                       CASE WHEN a.atttypid = 'bytea'::regtype THEN quote_ident(a.attname)
                            ELSE format('convert_to(%I::text, ''UTF8'')', a.attname) END,
                       c.relname, a.attname)
         FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
         WHERE c.relnamespace = 'retentiond'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped",
    )
    .await;
    let mut conn = support::client(url).await;
    let mut bytes = Vec::new();
    for sql in columns {
        let cells: Vec<Vec<u8>> = sqlx::query_scalar(AssertSqlSafe(sql))
            .fetch_all(&mut conn)
            .await
            .unwrap();
        for cell in cells {
            bytes.extend(cell);
            bytes.push(b'\n');
        }
    }
    conn.close().await.unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}
