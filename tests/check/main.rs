//! What `check` says about a database, and every command about its failures: one snapshot
//! a code, in words and for a script, from the real program on a real PostgreSQL. The codes
//! of the file alone are in `schedule_diagnostics.rs`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cases;
#[path = "../cli/command.rs"]
#[allow(dead_code)]
mod command;
mod commands;
mod constraints;
mod every_code;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};

use command::Desk;
use retentiond::demo::cluster;
use serde_json::Value;

pub(crate) const HEAD: &str = r#"[schedule]
organisation = "Example Council"
time_zone = "Europe/London"
every = "0 0 2 * * *"
"#;

/// A class; `rest` is what comes after its id, title and authority.
pub(crate) fn class(rest: &str) -> String {
    format!(
        "{HEAD}\n[[class]]\nid = \"letters\"\ntitle = \"Letters\"\nauthority = \"Notice\"\n{rest}\n"
    )
}

/// A table with nothing to remark upon, and three letters in it.
pub(crate) const LETTER: &str = "
CREATE TABLE letter (id bigint PRIMARY KEY, kind text, sender text, born date, closed_on date);
CREATE INDEX ON letter (closed_on);
INSERT INTO letter SELECT n, 'a', 'Ada Quill ' || n, '1980-05-17', '2010-01-01' FROM generate_series(1, 3) n;
";

pub(crate) const DELETES: &str =
    "table = \"letter\"\ntrigger = \"closed_on\"\nperiod = \"8 years\"\ndisposal = \"delete\"";

pub(crate) fn anonymises(columns: &str) -> String {
    format!(
        "{}\nanonymise = {{ {columns} }}",
        DELETES.replace("\"delete\"", "\"anonymise\"")
    )
}

static NUMBER: AtomicU32 = AtomicU32::new(0);
static ROLE: tokio::sync::OnceCell<()> = tokio::sync::OnceCell::const_new();

/// A database that belongs to an ordinary role, as whom the tables are made and `check` is
/// run; `admin` is done by the superuser afterwards. Answers the role's URL and the superuser's.
pub(crate) async fn database(sql: &str, admin: &str) -> (String, String) {
    let cluster = cluster::shared().expect("a private PostgreSQL starts");
    ROLE.get_or_init(|| async {
        support::sql(&cluster.url("postgres"), "CREATE ROLE records LOGIN").await;
    })
    .await;
    let name = format!("c{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let admin_url = cluster.create_database(&name).await.unwrap();
    // The superuser is called `retentiond`, and "$user" comes before public.
    support::sql(
        &admin_url,
        &format!(
            "ALTER DATABASE {name} OWNER TO records; GRANT CREATE ON SCHEMA public TO records;
             ALTER DATABASE {name} SET search_path = public"
        ),
    )
    .await;
    let url = admin_url.replacen("retentiond@", "records@", 1);
    support::sql(&url, sql).await;
    if !admin.is_empty() {
        support::sql(&admin_url, admin).await;
    }
    (url, admin_url)
}

/// What `check` says, as text and as the objects of its diagnostics.
pub(crate) fn check(url: &str, schedule: &str) -> (String, Vec<Value>) {
    let desk = Desk::with(url, schedule);
    let text = desk.run("check").out;
    let (_, answer) = desk.json("check");
    let found = answer["check"]["diagnostics"].as_array().unwrap().clone();
    (text, found)
}

pub(crate) fn codes(found: &[Value]) -> BTreeSet<String> {
    found
        .iter()
        .map(|item| item["code"].as_str().unwrap().to_owned())
        .collect()
}
