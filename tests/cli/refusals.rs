//! Where the schedule does not fit the database: `check` says it with the line, `run`
//! refuses that class alone, and what is refused protects.

use insta::assert_snapshot;
use serde_json::Value;

use crate::command::Desk;
use crate::{office, support};

/// A class on a table that is not there, a column that is not there, a trigger of the
/// wrong type; and one beside them that fits.
const MISFITS: [(&str, &str, &str, &str); 3] = [
    ("table = \"photo\"", "table = \"foto\"", "R0301", "photos"),
    (
        "trigger = \"made_on\"",
        "trigger = \"made_om\"",
        "R0302",
        "visits",
    ),
    (
        "trigger = \"made_on\"",
        "trigger = \"visitor\"",
        "R0303",
        "visits",
    ),
];

fn class<'a>(answer: &'a Value, command: &str, id: &str) -> &'a Value {
    let classes = answer[command]["classes"].as_array().unwrap();
    classes.iter().find(|class| class["id"] == id).unwrap()
}

#[tokio::test]
async fn check_points_at_the_line_and_run_refuses_that_class_alone() {
    for (from, to, code, refused) in MISFITS {
        let (url, desk) = office::open_on_any_day().await;
        desk.write(
            "retention.toml",
            office::any_day(&office::SCHEDULE.replacen(from, to, 1)),
        );
        let line = office::SCHEDULE
            .lines()
            .position(|line| line == from)
            .unwrap()
            + 1;

        let (exit, answer) = desk.json("check");
        assert_eq!(exit, 2, "{to}");
        let errors: Vec<&Value> = answer["check"]["diagnostics"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|d| d["severity"] == "error")
            .collect();
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert_eq!(
            (&errors[0]["code"], &errors[0]["at"]["line"]),
            (&code.into(), &line.into())
        );

        let (exit, answer) = desk.json("run");
        assert_eq!(exit, 1, "{to}");
        assert_eq!(answer["run"]["outcome"], "partial");
        assert_eq!(class(&answer, "run", refused)["status"], "refused");
        assert_eq!(class(&answer, "run", "letters")["status"], "done");
        assert_eq!(
            class(&answer, "run", "letters")["deleted"].as_i64(),
            Some(3)
        );
        assert_eq!(
            support::number(&url, "SELECT count(*) FROM photo").await,
            if refused == "photos" { 4 } else { 2 }
        );
        assert_eq!(support::number(&url, "SELECT count(*) FROM visit").await, 2);
        assert_eq!(
            support::number(&url, "SELECT count(*) FROM retentiond.flag").await,
            if refused == "visits" { 0 } else { 1 }
        );
    }
}

#[tokio::test]
async fn a_refusal_in_words() {
    let (_, desk) = office::open().await;
    desk.write(
        "retention.toml",
        office::SCHEDULE.replacen("trigger = \"made_on\"", "trigger = \"visitor\"", 1),
    );
    assert_snapshot!(desk.run("check"), @r#"
    exit 2
    --- out
    warning[R0381]: no class claims 1 of the 6 rows of `public.applicant`
      --> retention.toml:20:9
       |
    20 | where = "outcome = 'no'"
       |         ^^^^^^^^^^^^^^^^
       |
       = help: widen a condition, or give the rest a class of its own: `retain`, if it is to be kept

    error[R0303]: class `visits`: the trigger `public.visit.visitor` is of type `text`, not a date or a timestamp
      --> retention.toml:93:11
       |
    93 | trigger = "visitor"
       |           ^^^^^^^^^
       |
       = help: name a column of type date, timestamp or timestamp with time zone

    warning[R0354]: connected as `retentiond`, a superuser, from whom nothing can be withheld
     |
     = help: give the service a role of its own, with no more than it needs

    retention.toml: 1 error, 2 warnings.
    `retentiond check --explain CODE` says more about a code.
    "#);
    assert_snapshot!(desk.run("plan --on 2026-11-23 --class visits").redacted(), @r#"
    exit 0
    --- out
    Plan for 23 November 2026 (Europe/London), An Office
    schedule ************, plan ************

    class   disposal  status
    visits  flag      refused

    Refused classes do nothing, and protect what they might claim:

    error[R0303]: class `visits`: the trigger `public.visit.visitor` is of type `text`, not a date or a timestamp
      --> retention.toml:93:11
       |
    93 | trigger = "visitor"
       |           ^^^^^^^^^
       |
       = help: name a column of type date, timestamp or timestamp with time zone
    "#);
    assert_snapshot!(desk.run("run --class visits").redacted(), @r#"
    exit 1
    --- out
    class   disposal  status   seconds
    visits  flag      refused  *.*

    visits: R0303: the trigger `public.visit.visitor` is of type `text`, not a date or a timestamp
    `retentiond check` shows where that is in the schedule, and what to do.
    Pass 1 completed in part; the rest is tried again in the next one. It wrote 2 entries to the ledger.
    --- err
    visits: R0303: the trigger `public.visit.visitor` is of type `text`, not a date or a timestamp (*.* s)
    "#);
}

#[tokio::test]
async fn an_account_that_may_only_read_is_told_what_to_grant() {
    let (url, desk) = office::open_on_any_day().await;
    let role = format!(
        "reader_{}",
        url.rsplit('/').next().unwrap().split('?').next().unwrap()
    );
    support::sql(
        &url,
        &format!(
            "CREATE ROLE {role} LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role};
             GRANT ALL ON SCHEMA retentiond TO {role}; GRANT ALL ON ALL TABLES IN SCHEMA retentiond TO {role};
             GRANT ALL ON ALL SEQUENCES IN SCHEMA retentiond TO {role};
             GRANT UPDATE, DELETE ON letter, page TO {role}"
        ),
    )
    .await;
    let desk = desk.set(
        "DATABASE_URL",
        &url.replacen("//retentiond@", &format!("//{role}@"), 1),
    );

    let (exit, answer) = desk.json("check");
    assert_eq!(exit, 2);
    let grants: Vec<String> = answer["check"]["diagnostics"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|d| d["code"] == "R0307")
        .map(|d| d["hint"].as_str().unwrap().to_owned())
        .collect();
    assert!(!grants.is_empty(), "{answer}");

    let before = support::number(&url, "SELECT count(*) FROM photo").await;
    let (exit, answer) = desk.json("run");
    assert_eq!(exit, 1);
    assert_eq!(class(&answer, "run", "photos")["status"], "refused");
    assert_eq!(
        class(&answer, "run", "letters")["deleted"].as_i64(),
        Some(3),
        "{answer}"
    );
    assert_eq!(
        support::number(&url, "SELECT count(*) FROM photo").await,
        before
    );

    // What it was told to run is what was missing.
    for grant in &grants {
        support::sql(&url, grant).await;
    }
    let (exit, answer) = desk.json("check");
    assert_eq!(exit, 0, "{answer}");
    let (exit, answer) = desk.json("run");
    assert_eq!(exit, 3, "{answer}");
    assert_eq!(class(&answer, "run", "photos")["status"], "done");
}

#[tokio::test]
async fn a_record_that_may_not_be_read_is_no_fault_of_its_key() {
    let (url, desk) = office::open().await;
    let role = format!(
        "blind_{}",
        url.rsplit('/').next().unwrap().split('?').next().unwrap()
    );
    support::sql(
        &url,
        &format!("CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA retentiond TO {role}; GRANT SELECT ON ALL TABLES IN SCHEMA retentiond TO {role}"),
    )
    .await;
    let desk = desk.set(
        "DATABASE_URL",
        &url.replacen("//retentiond@", &format!("//{role}@"), 1),
    );
    assert_snapshot!(desk.run("explain letter 1"), @r#"
    exit 1
    --- err
    error[R0307]: could not ask the database about the record
      because: permission denied for table letter (42501)
    help: let the account read the table: GRANT SELECT ON … TO …
    "#);
    // An auditor who may only read the ledger still gets the verdict.
    let said = desk.run("ledger verify");
    assert_eq!(said.code, 3, "{said}");
    assert!(said.out.starts_with("OK as of "), "{said}");
}

#[tokio::test]
async fn what_needs_our_schema_says_how_to_make_it() {
    let url = support::database().await;
    support::sql(&url, office::TABLES).await;
    support::sql(&url, office::ROWS).await;
    let desk = Desk::with(&url, office::SCHEDULE);
    let before = office::fingerprint(&url).await;
    for command in [
        "run",
        "status",
        "ledger list",
        "ledger verify",
        "ledger export",
    ] {
        let said = desk.run(command);
        assert_eq!(said.code, 1, "{said}");
        assert!(said.err.starts_with("error[R0402]"), "{said}");
        assert!(
            said.err.contains("help: run `retentiond migrate` first"),
            "{said}"
        );
        assert_eq!(said.out, "");
    }
    // These do without it, and leave the database as it is.
    for command in [
        "check",
        "plan",
        "plan --on 2026-11-23",
        "explain letter 1",
        "run --dry-run",
        "migrate --dry-run",
    ] {
        let said = desk.run(command);
        assert_eq!(said.code, 0, "{said}");
    }
    assert_snapshot!(desk.run("plan --on 2026-11-23 --class letters").redacted(), @r#"
    exit 0
    --- out
    Plan for 23 November 2026 (Europe/London), An Office
    schedule ************, plan ************

    class    disposal  status  trigger before  claimed  due  dependants  undated  overdue
    letters  delete    ready   2018-11-23            7    3           6        2        2

    Without a trigger date that can be believed, and so kept until somebody gives them one: letters 2.
    The database has no schema `retentiond` yet: `retentiond migrate` makes it, and `retentiond run` needs it.
    "#);
    assert_eq!(office::fingerprint(&url).await, before);

    assert_snapshot!(desk.run("migrate --dry-run"), @r#"
    exit 0
    --- out
    The schema `retentiond` would be made or updated; nothing was changed. No other schema is touched.
    "#);
    assert_snapshot!(desk.run("migrate"), @r#"
    exit 0
    --- out
    The schema `retentiond` is ready. No other schema was touched.
    "#);
    assert_snapshot!(desk.run("migrate"), @r#"
    exit 0
    --- out
    The schema `retentiond` is up to date; nothing was changed.
    "#);
    assert_eq!(
        desk.json("migrate"),
        (
            0,
            serde_json::json!({ "migrate": { "outcome": "current" } })
        )
    );
}
