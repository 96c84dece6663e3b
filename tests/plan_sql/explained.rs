//! How PostgreSQL would carry the statements out on a full database after a complete pass:
//! a quiet pass, as there is one every night. Its own choice, with nothing switched off.

use std::collections::BTreeMap;

use retentiond::demo::sample::{self, SampleOptions};
use retentiond::enforce::{RunReport, Throttle};
use retentiond::plan::{ClassPlan, Plan, Route};
use retentiond::schedule::Code;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};
use tokio::sync::OnceCell;

use super::{DAY, SCHEDULE, class, support};

/// The classes that act, and what a position in each of their ranges is made of.
const POSITIONS: [(&str, &str, &[&[&str]]); 7] = [
    (
        "communications",
        "correspondence",
        &[&["closed_at", "id"], &["received_at", "id"]],
    ),
    // Along the key, where no index runs along the trigger.
    ("foi-requests", "foi_request", &[&["id"]]),
    // The second is what is past at once, by an index of its own.
    ("photos-videos", "media", &[&["captured_at", "id"], &["id"]]),
    (
        "applicants-unsuccessful",
        "applicant",
        &[&["decided_on", "id"]],
    ),
    (
        "applicants-merit-list",
        "applicant",
        &[&["decided_on", "id"]],
    ),
    (
        "survey-samples",
        "survey_sample",
        &[&["received_on", "campaign", "id"]],
    ),
    ("social-dms", "social_message", &[&["received_at", "id"]]),
];

/// `foi_request` has no index on its trigger, as the checker remarks.
const WITHOUT_INDEX: &str = "foi-requests";

struct Quiet {
    url: String,
    plan: Plan,
}

static QUIET: OnceCell<Quiet> = OnceCell::const_new();

/// The sample after a pass, with statistics, and the folder of its files.
async fn settled() -> (String, tempfile::TempDir) {
    let url = support::migrated().await;
    let folder = tempfile::tempdir().unwrap();
    let media = folder.path().join("media");
    let on = DAY.parse().unwrap();
    let options = SampleOptions {
        rows: 100_000,
        on,
        seed: 2,
        media_folder: Some(media),
    };
    let mut conn = support::client(&url).await;
    sample::load(&mut conn, &options, &mut |_, _, _| ())
        .await
        .unwrap();
    conn.close().await.unwrap();
    pass(&url, &folder).await;
    support::sql(&url, "VACUUM ANALYZE").await;
    (url, folder)
}

async fn pass(url: &str, folder: &tempfile::TempDir) -> RunReport {
    let stores = support::store("media", &folder.path().join("media"));
    support::pass_with(
        url,
        &support::unlimited(SCHEDULE),
        support::at(DAY),
        &stores,
        Throttle::FULL_SPEED,
    )
    .await
}

/// No test changes it.
async fn quiet() -> &'static Quiet {
    QUIET
        .get_or_init(|| async {
            let (url, _) = settled().await;
            let plan = support::plan(&url, SCHEDULE, support::at(DAY)).await;
            Quiet { url, plan }
        })
        .await
}

enum Bound {
    Text(Option<String>),
    Texts(Vec<String>),
    Number(i64),
    Bytes,
}

/// Every node of the plan that PostgreSQL makes for a statement with these parameters.
async fn nodes(conn: &mut PgConnection, sql: &str, bound: &[Bound]) -> Vec<Value> {
    let mut query =
        sqlx::query(AssertSqlSafe(format!("EXPLAIN (FORMAT JSON) {sql}"))).persistent(false);
    for bound in bound {
        query = match bound {
            Bound::Text(text) => query.bind(text.clone()),
            Bound::Texts(texts) => query.bind(texts.clone()),
            Bound::Number(number) => query.bind(*number),
            Bound::Bytes => query.bind(vec![0_u8; 64]),
        };
    }
    let row = query
        .fetch_one(conn)
        .await
        .unwrap_or_else(|error| panic!("{error}\n{sql}"));
    let explained: Value = row.get(0);
    let mut nodes = Vec::new();
    let mut left = vec![explained[0]["Plan"].clone()];
    while let Some(mut node) = left.pop() {
        if let Some(Value::Array(below)) = node.as_object_mut().unwrap().remove("Plans") {
            left.extend(below);
        }
        nodes.push(node);
    }
    nodes
}

/// The tables of the organisation that are read from end to end.
fn read_whole(nodes: &[Value]) -> Vec<&str> {
    // Ours are empty or small, and joined as hashed sets.
    let ours = ["hold", "flag", "quarantine"];
    nodes
        .iter()
        .filter(|node| node["Node Type"] == "Seq Scan")
        .filter_map(|node| node["Relation Name"].as_str())
        .filter(|table| !ours.contains(table))
        .collect()
}

fn uses_index_on(nodes: &[Value], table: &str) -> bool {
    nodes.iter().any(|node| {
        let kind = node["Node Type"].as_str().unwrap_or("");
        let of_table = node["Relation Name"] == table
            || node["Index Name"]
                .as_str()
                .is_some_and(|index| index.starts_with(table));
        kind.contains("Index") && of_table
    })
}

/// The position after so many rows of a range that have a plausible trigger; the last one
/// where there are fewer.
async fn position(url: &str, table: &str, columns: &[&str], rows: i64) -> Vec<String> {
    let plausible = match columns[0] {
        "id" => "true".to_owned(),
        trigger => format!("{trigger} BETWEEN '1990-01-01' AND '{DAY}'"),
    };
    let shown: Vec<String> = columns
        .iter()
        .map(|column| format!("{column}::text"))
        .collect();
    let order = columns.join(", ");
    let sql = format!(
        "SELECT p FROM (SELECT to_json(ARRAY[{}])::text AS p, row_number() OVER (ORDER BY {order}) AS n
                        FROM public.{table} WHERE {plausible}) AS r WHERE n <= {rows} ORDER BY n DESC LIMIT 1",
        shown.join(", ")
    );
    serde_json::from_str(&support::texts(url, &sql).await[0]).unwrap()
}

fn bounds(after: Option<&Vec<String>>, until: Option<&Vec<String>>, width: usize) -> Vec<Bound> {
    [after, until]
        .into_iter()
        .flat_map(|end| (0..width).map(move |nth| Bound::Text(end.map(|end| end[nth].clone()))))
        .collect()
}

/// Each of a class's range statements with its parameters, as a quiet pass sends it.
async fn range_statements(
    quiet: &Quiet,
    class: &ClassPlan,
    table: &str,
    columns: &[&[&str]],
) -> Vec<(String, Vec<Bound>)> {
    let work = class.work.as_ref().unwrap();
    assert_eq!(work.scans.len(), columns.len(), "{}", class.id);
    let mut statements = Vec::new();
    for (scan, columns) in work.scans.iter().zip(columns) {
        assert_eq!(scan.width, columns.len(), "{}", class.id);
        let last = position(&quiet.url, table, columns, i64::MAX).await;
        let remembered = support::texts(
            &quiet.url,
            &format!(
                "SELECT json_build_array(reached, last_sweep_rows)::text FROM retentiond.position
                 WHERE class_id = '{}' AND range_no = {} AND sweep_done_at IS NOT NULL",
                class.id, scan.no
            ),
        )
        .await;
        // What is deleted is looked for from the beginning. Where rows stay, a pass goes on
        // from where it got to, and of what lies behind re-reads a seventh.
        let (reached, size) = match remembered.first() {
            Some(remembered) => {
                let (reached, rows): (Vec<String>, i64) = serde_json::from_str(remembered).unwrap();
                (reached, rows / 7)
            }
            None => (last.clone(), 2_000),
        };
        assert_eq!(remembered.len(), usize::from(work.stays), "{}", class.id);
        let share = match work.stays {
            true => position(&quiet.url, table, columns, size).await,
            false => position(&quiet.url, table, columns, 1).await,
        };
        for (after, until) in [(None, &share), (Some(&reached), &last)] {
            let mut bound = bounds(after, None, scan.width);
            bound.push(Bound::Number(size));
            statements.push((scan.step.text(after.is_some(), false), bound));
            let mut bound = bounds(after, Some(until), scan.width);
            if class.disposal == "anonymise" {
                bound.extend([Bound::Bytes, Bound::Bytes]);
            }
            statements.push((scan.act.text(after.is_some(), true), bound));
        }
    }
    statements
}

#[tokio::test]
async fn a_quiet_pass_reads_no_class_from_end_to_end() {
    let quiet = quiet().await;
    let mut conn = support::ours(&quiet.url).await;
    for (id, table, columns) in POSITIONS
        .into_iter()
        .filter(|(id, ..)| *id != WITHOUT_INDEX)
    {
        let class = class(&quiet.plan, id);
        for (sql, bound) in range_statements(quiet, class, table, columns).await {
            let nodes = nodes(&mut conn, &sql, &bound).await;
            assert_eq!(read_whole(&nodes), [""; 0], "{id}: {sql}\n{nodes:#?}");
            assert!(uses_index_on(&nodes, table), "{id}: {sql}\n{nodes:#?}");
        }
    }
}

#[tokio::test]
async fn a_class_whose_trigger_has_no_index_is_read_whole_and_remarked_upon() {
    let quiet = quiet().await;
    let mut conn = support::ours(&quiet.url).await;
    let (id, table, columns) = POSITIONS
        .into_iter()
        .find(|(id, ..)| *id == WITHOUT_INDEX)
        .unwrap();
    let requests = class(&quiet.plan, id);
    let codes: Vec<Code> = requests
        .warnings
        .iter()
        .map(|warning| warning.code)
        .collect();
    assert_eq!(codes, [Code::NoTriggerIndex]);
    let statements = range_statements(quiet, requests, table, columns).await;
    let (sql, bound) = &statements[0];
    assert_eq!(read_whole(&nodes(&mut conn, sql, bound).await), [table]);
    for other in quiet
        .plan
        .classes()
        .iter()
        .filter(|other| other.id != requests.id)
    {
        let remarked = other
            .warnings
            .iter()
            .any(|warning| warning.code == Code::NoTriggerIndex);
        assert!(!remarked, "{}: {:?}", other.id, other.warnings);
    }
}

/// Some keys of a table, an array for each column, as a batch binds them.
async fn keys(url: &str, table: &str, columns: &[String]) -> Vec<Bound> {
    let mut arrays = Vec::new();
    for column in columns {
        let sql = format!(
            "SELECT {column}::text FROM {table} ORDER BY {} LIMIT 3",
            columns.join(", ")
        );
        arrays.push(Bound::Texts(support::texts(url, &sql).await));
    }
    arrays
}

/// What hangs on records is found by the foreign key's index, and changed by the key's.
#[tokio::test]
async fn what_hangs_on_a_record_is_found_by_an_index() {
    let quiet = quiet().await;
    let mut conn = support::ours(&quiet.url).await;
    let mut seen = 0;
    for class in quiet.plan.classes() {
        let Some(Route::Follow(follow)) = class.work.as_ref().map(|work| &work.route) else {
            continue;
        };
        let names = |key: &retentiond::plan::Key| -> Vec<String> {
            key.columns
                .iter()
                .map(|column| column.name.quoted())
                .collect()
        };
        let own = names(&class.work.as_ref().unwrap().key);
        let mut statements: Vec<(&str, Vec<Bound>)> = Vec::new();
        statements.push((
            &follow.finish,
            keys(&quiet.url, &class.table.quoted(), &own).await,
        ));
        for dependant in follow.inbound.iter().chain(&follow.unlinked) {
            let key = names(&dependant.key);
            for edge in &dependant.edges {
                // Each of the sample's foreign keys refers to a primary key.
                statements.push((
                    &edge.lock,
                    keys(&quiet.url, &class.table.quoted(), &own).await,
                ));
                if !edge.unlink.is_empty() {
                    statements.push((
                        &edge.unlink,
                        keys(&quiet.url, &dependant.table.quoted(), &key).await,
                    ));
                }
            }
            if !dependant.delete.is_empty() {
                statements.push((
                    &dependant.delete,
                    keys(&quiet.url, &dependant.table.quoted(), &key).await,
                ));
            }
        }
        for shared in &follow.referred {
            let key = names(&shared.key);
            for edge in &shared.edges {
                statements.push((
                    &edge.lock,
                    keys(&quiet.url, &shared.table.quoted(), &key).await,
                ));
            }
            statements.push((
                &shared.delete,
                keys(&quiet.url, &shared.table.quoted(), &key).await,
            ));
        }
        let files = follow
            .files
            .iter()
            .chain(follow.inbound.iter().flat_map(|d| &d.files));
        for file in files.chain(follow.referred.iter().flat_map(|s| &s.files)) {
            statements.push((
                &file.still_named,
                vec![Bound::Texts(vec!["2020/01/img_000001.jpg".to_owned()])],
            ));
        }
        for (sql, bound) in statements {
            let nodes = nodes(&mut conn, sql, &bound).await;
            let whole: Vec<&str> = read_whole(&nodes)
                .into_iter()
                .filter(|table| *table != "foi_request")
                .collect();
            assert_eq!(whole, [""; 0], "{}: {sql}\n{nodes:#?}", class.id);
            seen += 1;
        }
    }
    assert!(seen >= 15, "{seen}");
}

/// How often each table was read from end to end so far, once every other session has
/// ended: a session's counts are there when it is gone.
async fn scans(url: &str) -> BTreeMap<String, i64> {
    let others = "SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()";
    while support::number(url, others).await > 0 {}
    let sql = "SELECT json_object_agg(relname, seq_scan)::text FROM pg_stat_user_tables WHERE schemaname = 'public'";
    serde_json::from_str(&support::texts(url, sql).await[0]).unwrap()
}

/// Not what PostgreSQL would do but what it did: the scans that it counted in a whole pass,
/// from the catalogue to the report.
#[tokio::test]
async fn a_whole_quiet_pass_scans_only_what_has_no_index_or_waits() {
    let (url, folder) = settled().await;
    let before = scans(&url).await;
    let report = pass(&url, &folder).await;
    assert!(report.classes.iter().all(|class| class.acted() == 0));
    let after = scans(&url).await;
    let scanned: Vec<&str> = after
        .iter()
        .filter(|(table, scans)| before[*table] < **scans)
        // Of anonymised rows a thousand are re-read at least, which is all of the smaller
        // class here: PostgreSQL may well read the table for that.
        .filter(|(table, _)| *table != "applicant")
        .map(|(table, _)| table.as_str())
        .collect();
    // Research data that waits for the controller is counted in each pass.
    assert_eq!(scanned, ["capv_participant", "foi_request"]);
}
