//! What the schedule leaves out: `check` warns, `check --strict` does not let it pass.

use insta::assert_snapshot;
use serde_json::json;

use crate::command::Desk;
use crate::support;

const SCHEDULE: &str = r#"
[schedule]
organisation = "An Office"
time_zone = "Europe/London"
every = "0 0 2 * * *"

[[class]]
id = "turned-down"
title = "Turned down"
table = "applicant"
where = "outcome = 'no'"
trigger = "decided_on"
period = "6 months"
disposal = "delete"
dependants = ["reference", { table = "interview", action = "unlink" }]
authority = "A policy"
"#;

/// Claimed in part, a dependant that goes, one that stays, partitions, a view, an
/// extension's table, and one in which nothing looks personal.
const TABLES: &str = "
    CREATE TABLE applicant (id integer PRIMARY KEY, full_name text, outcome text, decided_on date);
    CREATE INDEX ON applicant (decided_on);
    INSERT INTO applicant VALUES (1, 'a', 'no', '2020-01-01'), (2, 'b', 'no', NULL),
        (3, 'c', 'yes', '2020-01-01'), (4, 'd', 'yes', '2020-01-01'), (5, 'e', NULL, '2020-01-01');
    CREATE TABLE reference (id integer PRIMARY KEY, applicant_id integer REFERENCES applicant, referee_name text);
    CREATE INDEX ON reference (applicant_id);
    INSERT INTO reference VALUES (1, 1, 'f');
    CREATE TABLE interview (id integer PRIMARY KEY, applicant_id integer REFERENCES applicant ON DELETE SET NULL, notes text);
    CREATE INDEX ON interview (applicant_id);
    INSERT INTO interview VALUES (1, 1, 'g');
    CREATE TABLE visit (id integer, email text, made_on date, seen_from inet, PRIMARY KEY (id, made_on)) PARTITION BY RANGE (made_on);
    CREATE TABLE visit_old PARTITION OF visit FOR VALUES FROM ('2000-01-01') TO ('2020-01-01');
    CREATE TABLE visit_new PARTITION OF visit FOR VALUES FROM ('2020-01-01') TO ('2040-01-01');
    INSERT INTO visit VALUES (1, 'h', '2019-01-01', NULL), (2, 'i', '2021-01-01', NULL), (3, 'j', '2022-01-01', NULL);
    CREATE VIEW visitor AS SELECT email FROM visit;
    CREATE TABLE colour (id integer PRIMARY KEY, name text);
    INSERT INTO colour VALUES (1, 'red');
    CREATE TABLE of_an_extension (id integer PRIMARY KEY, email text);
    ALTER EXTENSION plpgsql ADD TABLE of_an_extension;
";

async fn office() -> (String, Desk) {
    let url = support::database().await;
    support::sql(&url, TABLES).await;
    let desk = Desk::with(&url, SCHEDULE);
    (url, desk)
}

#[tokio::test]
async fn what_no_class_claims_is_counted_exactly() {
    let (_, desk) = office().await;
    let (exit, answer) = desk.json("check");
    assert_eq!(exit, 0, "{answer}");
    let expected = json!({
        "tables": [
            { "table": "public.interview", "rows": 1, "columns": [
                { "column": "notes", "looks_like": "free text", "because": "by its name" } ] },
            { "table": "public.visit", "rows": 3, "columns": [
                { "column": "email", "looks_like": "an email address", "because": "by its name" },
                { "column": "seen_from", "looks_like": "an IP address", "because": "by its type" } ] },
        ],
        // Two that said yes, and one of which nobody knows.
        "unclaimed": [ { "table": "public.applicant", "rows": 3, "of": 5 } ],
    });
    assert_eq!(answer["check"]["coverage"], expected);
    let at: Vec<(&str, &serde_json::Value)> = answer["check"]["diagnostics"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|d| d["code"] == "R0380" || d["code"] == "R0381")
        .map(|d| (d["severity"].as_str().unwrap(), &d["at"]["line"]))
        .collect();
    let line = SCHEDULE
        .lines()
        .position(|line| line.starts_with("where"))
        .unwrap()
        + 1;
    let nowhere = serde_json::Value::Null;
    assert_eq!(
        at,
        [
            ("warning", &json!(line)),
            ("warning", &nowhere),
            ("warning", &nowhere)
        ]
    );
}

#[tokio::test]
async fn strict_waits_for_a_person_and_a_faulty_schedule_is_worse() {
    let (_, desk) = office().await;
    let (exit, answer) = desk.json("check --strict");
    assert_eq!(exit, 3, "{answer}");
    let errors: Vec<&serde_json::Value> = answer["check"]["diagnostics"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|d| d["severity"] == "error")
        .map(|d| &d["code"])
        .collect();
    assert_eq!(errors, ["R0380", "R0380"]);

    // Whatever is wrong with the schedule itself stays 2, strict or not.
    desk.write(
        "retention.toml",
        SCHEDULE.replace("decided_on", "decided_in"),
    );
    assert_eq!(desk.run("check --strict").code, 2);

    // Rows that no class claims are a warning, also here.
    let covered = format!(
        "{SCHEDULE}{}{}",
        retained("interviews", "interview"),
        retained("visits", "visit")
    );
    desk.write("retention.toml", covered);
    let said = desk.run("check --strict");
    assert_eq!(said.code, 0, "{said}");
    assert!(said.out.contains("R0381"), "{said}");
}

fn retained(id: &str, table: &str) -> String {
    format!(
        "\n[[class]]\nid = \"{id}\"\ntitle = \"T\"\ntable = \"{table}\"\ndisposal = \"retain\"\n\
         owner = \"O\"\nreason = \"R\"\nauthority = \"A\"\n"
    )
}

/// A condition that the database refuses might claim every row: nothing is said of them.
#[tokio::test]
async fn a_refused_condition_is_said_once() {
    let (_, desk) = office().await;
    desk.write(
        "retention.toml",
        SCHEDULE.replace("outcome = 'no'", "result = 'no'"),
    );
    let (exit, answer) = desk.json("check");
    assert_eq!(exit, 2);
    assert_eq!(answer["check"]["coverage"]["unclaimed"], json!([]));
}

#[tokio::test]
async fn what_may_not_be_read_is_not_counted() {
    let (url, desk) = office().await;
    support::sql(
        &url,
        "
        CREATE ROLE narrow LOGIN;
        GRANT SELECT, UPDATE, DELETE ON applicant, reference, interview TO narrow;",
    )
    .await;
    let narrow = url.replacen("://retentiond@", "://narrow@", 1);
    assert_ne!(narrow, url);
    let (_, answer) = desk.json(&format!("check --database {narrow}"));
    let tables = answer["check"]["coverage"]["tables"].as_array().unwrap();
    let visit = tables
        .iter()
        .find(|table| table["table"] == "public.visit")
        .unwrap();
    assert_eq!(visit["rows"], json!(null));
}

#[tokio::test]
async fn in_words() {
    let (_, desk) = office().await;
    assert_snapshot!(desk.run("check --strict"), @r#"
    exit 3
    --- out
    warning[R0381]: no class claims 3 of the 5 rows of `public.applicant`
      --> retention.toml:11:9
       |
    11 | where = "outcome = 'no'"
       |         ^^^^^^^^^^^^^^^^
       |
       = help: widen a condition, or give the rest a class of its own: `retain`, if it is to be kept

    warning[R0354]: connected as `retentiond`, a superuser, from whom nothing can be withheld
     |
     = help: give the service a role of its own, with no more than it needs

    error[R0380]: no class claims `public.interview`, which has 1 row and looks personal: `notes` (free text)
     |
     = help: give it a class, make it a dependant of one, or `retain` it; `retentiond init --tables public.interview` proposes a class

    error[R0380]: no class claims `public.visit`, which has 3 rows and looks personal: `email` (an email address), `seen_from` (an IP address)
     |
     = help: give it a class, make it a dependant of one, or `retain` it; `retentiond init --tables public.visit` proposes a class

    retention.toml: 2 errors, 2 warnings.
    `retentiond check --explain CODE` says more about a code.
    "#);
    assert_snapshot!(desk.run("check --strict --offline"), @r#"
    exit 2
    --- err
    error: the argument '--strict' cannot be used with '--offline'

    Usage: retentiond check --strict

    For more information, try '--help'.
    "#);
}

#[test]
fn strict_needs_a_database() {
    let desk = Desk::bare();
    desk.write("retention.toml", SCHEDULE);
    let said = desk.run("check --strict");
    assert_eq!(said.code, 2, "{said}");
    assert!(said.err.contains("no database was named"), "{said}");
    let (exit, answer) = desk.json("check");
    assert_eq!((exit, &answer["check"]["coverage"]), (0, &json!(null)));
}
