//! Acceptance and limits as a records manager meets them.

use insta::assert_snapshot;
use serde_json::json;

use crate::command::Desk;
use crate::{office, support};

/// The office with a person who accepts, and rows for any day; as the program finds it first.
async fn open() -> (String, Desk, String) {
    let (url, desk) = office::open_on_any_day().await;
    let by_hand =
        office::any_day(office::SCHEDULE).replace("accept = \"automatic\"", "accept = \"by hand\"");
    desk.write("retention.toml", &by_hand);
    (url, desk, by_hand)
}

/// The digits by which a schedule's file is named.
fn digits(toml: &str) -> String {
    hex::encode(support::schedule(toml).digest())[..12].to_owned()
}

/// What stands after the plan's table and its remarks on classes.
fn end(said: &str, from: &str) -> String {
    let at = said.find(from).unwrap_or_else(|| panic!("{from}\n{said}"));
    said[at..].to_owned()
}

async fn letters(url: &str) -> i64 {
    support::number(url, "SELECT count(*) FROM letter").await
}

#[tokio::test]
async fn the_first_version() {
    let (url, desk, toml) = open().await;
    assert_snapshot!(desk.run("run").redacted(), @r#"
    exit 3
    --- err
    error[R0490]: no version of this schedule was ever accepted; nothing was done
    help: look at `retentiond plan`; if it is right: `retentiond accept ************ --reason TEXT`
    "#);
    assert_eq!(desk.run("run --format json").code, 3);
    assert_eq!(letters(&url).await, 7);
    let said = desk.run("plan").redacted();
    assert!(
        said.out.contains("letters            delete     ready"),
        "{said}"
    );
    assert_snapshot!(end(&said.out, "No version"), @r#"
    No version of this schedule was ever accepted, and until one is nothing is done. If this one is right: `retentiond accept ************ --reason TEXT`.
    "#);
    let (_, plan) = desk.json("plan");
    let version = &plan["plan"]["version"];
    assert_eq!(
        (
            &version["status"],
            &version["in_force"],
            &version["changes"]
        ),
        (&json!("waits"), &json!(null), &json!([]))
    );
    let before = office::fingerprint(&url).await;
    let line = format!("accept {} --dry-run --reason agreed", digits(&toml));
    assert_snapshot!(desk.run(&line).redacted(), @r#"
    exit 0
    --- out
    Schedule ************ (retention.toml) is the first version.

    class              due after
    letters                    3
    turned-down                1
    merit-list                 1
    hired                      –
    photos                     2
    samples                    2
    samples-of-record          –
    study                      –
    visits                     1

    Nothing was changed.
    "#);
    assert_eq!(office::fingerprint(&url).await, before);
    let line = format!("accept {} --as records --reason agreed", digits(&toml));
    let said = desk.run(&line).redacted();
    assert_snapshot!(end(&said.out, "Accepted"), @r#"
    Accepted by records: schedule ************ is in force from now on.
    "#);
    assert_snapshot!(desk.run(&line).redacted(), @r#"
    exit 0
    --- out
    That version is in force already. Nothing was changed.
    "#);
    let said = desk.run("run -q");
    assert_eq!(said.code, 3, "{said}");
    assert_eq!(letters(&url).await, 4);
    // The counts are in the ledger, the reason is not.
    let said = desk
        .run("ledger list --action schedule-in-force")
        .redacted();
    assert_snapshot!(said, @r#"
    exit 0
    --- out
    entry  at (UTC)             action             by       remarks
    *      ****-**-** **:**:**  schedule-in-force  records  due hired: - to 0; due letters: - to 3; due merit-list: - to 1; due photos: - to 2; due samples: - to 2; due samples-of-record: - to 0; due study: - to 0; due turned-down: - to 1; due visits: - to 1; how: by hand
    "#);
}

#[tokio::test]
async fn another_version() {
    let (url, desk, toml) = open().await;
    desk.run(&format!("accept {} --reason agreed", digits(&toml)));
    let slip = toml
        .replace("\"8 years\"", "\"8 days\"")
        .replace("title = \"Visitors' book\"", "title = \"Visitors\"")
        .replace(
            "where = \"outcome = 'no' AND merit\"",
            "where = \"outcome = 'no'\"",
        );
    desk.write("retention.toml", &slip);
    let said = desk.run("plan").redacted();
    assert_snapshot!(end(&said.out, "THIS VERSION"), @r#"
    THIS VERSION WAITS for a person, and the accepted one stays: ************, in force since ****-**-** **:**:**. Until then only what both would let go goes. It changes:
      line 11: class `letters`: the period is 8 days instead of 8 years
      line 31: class `merit-list`: the condition is ("outcome" = 'no') instead of (("outcome" = 'no') AND "merit")
      line 91: class `visits`: other words in `title` (asks nobody)
    If that is right: `retentiond accept ************ --reason TEXT`.
    Until then a pass would go by plan ************.
    "#);
    assert_snapshot!(desk.run("check").redacted(), @r#"
    exit 0
    --- out
    warning[R0390]: not in force until it is accepted: class `letters`: the period is 8 days instead of 8 years
      --> retention.toml:11:10
       |
    11 | period = "8 days"
       |          ^^^^^^^^
       |
       = help: see `retentiond plan`; then `retentiond accept`, or change it back

    warning[R0381]: no class claims 1 of the 6 rows of `public.applicant`
      --> retention.toml:20:9
       |
    20 | where = "outcome = 'no'"
       |         ^^^^^^^^^^^^^^^^
       |
       = help: widen a condition, or give the rest a class of its own: `retain`, if it is to be kept

    warning[R0390]: not in force until it is accepted: class `merit-list`: the condition is ("outcome" = 'no') instead of (("outcome" = 'no') AND "merit")
      --> retention.toml:31:9
       |
    31 | where = "outcome = 'no'"
       |         ^^^^^^^^^^^^^^^^
       |
       = help: see `retentiond plan`; then `retentiond accept`, or change it back

    warning[R0354]: connected as `retentiond`, a superuser, from whom nothing can be withheld
     |
     = help: give the service a role of its own, with no more than it needs

    retention.toml: no errors, 4 warnings.
    "#);
    let said = desk.run("status").redacted();
    assert_snapshot!(end(&said.out, "THIS VERSION"), @r#"
    THIS VERSION WAITS for a person, and the accepted one stays: ************, in force since ****-**-** **:**:**. Until then only what both would let go goes. It changes:
      line 11: class `letters`: the period is 8 days instead of 8 years
      line 31: class `merit-list`: the condition is ("outcome" = 'no') instead of (("outcome" = 'no') AND "merit")
      line 91: class `visits`: other words in `title` (asks nobody)
    If that is right: `retentiond accept ************ --reason TEXT`.
    "#);
    let said = desk.run("run").redacted();
    assert_eq!(said.code, 3);
    assert_snapshot!(end(&said.out, "Pass 1"), @r#"
    Pass 1 completed. It wrote 11 entries to the ledger.
    The schedule's file waits for acceptance (************): only what both versions would let go went.
    Something waits for a person: `retentiond plan` shows what, and for whom.
    "#);
    let (_, plan) = desk.json("plan");
    let version = &plan["plan"]["version"];
    assert_eq!(version["status"], "waits");
    assert_eq!(
        version["changes"][0],
        json!({ "class": "letters", "key": "period", "asks": true,
            "what": "the period is 8 days instead of 8 years",
            "at": { "file": "retention.toml", "line": 11, "column": 10 } })
    );
    let line = format!("accept {} --dry-run --reason x", digits(&slip));
    assert_snapshot!(desk.run(&line).redacted(), @r#"
    exit 0
    --- out
    Schedule ************ (retention.toml) takes the place of ************, in force since ****-**-** **:**:**. It changes:
      line 11: class `letters`: the period is 8 days instead of 8 years
      line 31: class `merit-list`: the condition is ("outcome" = 'no') instead of (("outcome" = 'no') AND "merit")
      line 91: class `visits`: other words in `title` (asks nobody)

    class              due after
    letters                    –
    turned-down                –
    merit-list                 1
    hired                      –
    photos                     –
    samples                    –
    samples-of-record          –
    study                      –
    visits                     –

    Nothing was changed.
    "#);
    let (code, accepted) = desk.json(&format!("accept {} --dry-run --reason x", digits(&slip)));
    assert_eq!(code, 0);
    let accept = &accepted["accept"];
    assert_eq!(
        (&accept["accepted"], &accept["previous"]),
        (
            &json!(false),
            &json!(format!(
                "sha256:{}",
                hex::encode(support::schedule(&toml).digest())
            ))
        )
    );
    assert_eq!(
        accept["due"][0],
        json!({ "class": "letters", "before": 0, "after": 0 })
    );
    assert_eq!(letters(&url).await, 4);
    // Only words: nobody is asked, and nothing waits.
    let words = toml.replace("title = \"Visitors' book\"", "title = \"Visitors\"");
    desk.write("retention.toml", &words);
    let (_, plan) = desk.json("plan");
    assert_eq!(plan["plan"]["version"]["status"], "in force");
    // A longer period: at once.
    desk.write("retention.toml", toml.replace("\"8 years\"", "\"9 years\""));
    let said = desk.run("plan").redacted();
    assert_snapshot!(end(&said.out, "With the next pass"), @r#"
    With the next pass this version takes the place of ************, in force since ****-**-** **:**:**; nobody has to accept it. It changes:
      line 11: class `letters`: the period is 9 years instead of 8 years (asks nobody)
    "#);
}

#[tokio::test]
async fn over_a_limit() {
    let (url, desk) = office::open_on_any_day().await;
    let toml = office::any_day(office::SCHEDULE).replace(
        "dependants = [\"page\"]",
        "dependants = [\"page\"]\nmax_rows = 2",
    );
    desk.write("retention.toml", &toml);
    let said = desk.run("plan --class letters --on 2026-11-23").redacted();
    assert_snapshot!(said, @r#"
    exit 0
    --- out
    Plan for 23 November 2026 (Europe/London), An Office
    schedule ************, plan ************

    class    disposal  status   trigger before  claimed  waiting  undated  overdue
    letters  delete    waiting  2018-11-23            7        3        2        3

    letters: 3 due, and `max_rows` allows 2. Nothing of the class goes; if that is right, `retentiond accept ************ --reason TEXT` lets it, once.
    Without a trigger date that can be believed, and so kept until somebody gives them one: letters 2.
    "#);
    let (_, plan) = desk.json("plan --class letters");
    let class = &plan["plan"]["classes"][0];
    assert_eq!(
        (
            &class["status"],
            &class["due"],
            &class["waiting"],
            &class["limit"]
        ),
        (
            &json!("waiting"),
            &json!(0),
            &json!(3),
            &json!({ "limit": "max_rows", "due": 3, "counted": 3, "most": 2 })
        )
    );
    let said = desk.run("run --class letters").redacted();
    assert_snapshot!(said, @r#"
    exit 3
    --- out
    class    disposal  status   waiting  seconds
    letters  delete    waiting        3  *.*

    letters: 3 due, and `max_rows` allows 2
    Pass 1 completed. It wrote 2 entries to the ledger.
    A limit stopped something. If the plan is right: `retentiond accept ************ --reason TEXT` lets the next pass go by it, once.
    Something waits for a person: `retentiond plan` shows what, and for whom.
    --- err
    letters: 3 due, and `max_rows` allows 2 (*.* s)
    "#);
    assert_eq!(letters(&url).await, 7);
    let (code, run) = desk.json("run --class letters");
    assert_eq!(
        (code, &run["run"]["classes"][0]["skipped"]["limit"]),
        (3, &json!(3))
    );
    let plan = run["run"]["plan"]
        .as_str()
        .unwrap()
        .trim_start_matches("sha256:")
        .to_owned();
    let said = desk.run(&format!(
        "accept {} --as records --reason agreed",
        &plan[..8]
    ));
    assert_eq!(said.code, 0, "{said}");
    let day = said
        .out
        .split(" due on ")
        .nth(1)
        .unwrap()
        .split(" may")
        .next()
        .unwrap()
        .to_owned();
    assert_snapshot!(said.redacted().out.replace(&day, "[day]"), @r#"
    letters: 3 records that were due on [day] may go over the limits, once.
    Accepted by records: the next pass goes by the cutoffs of plan ************.
    "#);
    // The plan's digest is what it was.
    let (_, again) = desk.json("plan");
    assert_eq!(again["plan"]["digest"], json!(format!("sha256:{plan}")));
    let said = desk
        .run(&format!("run --class letters --on-plan {}", &plan[..12]))
        .redacted();
    assert_eq!(said.code, 0, "{said}");
    assert_eq!(letters(&url).await, 4);
}

#[tokio::test]
async fn what_cannot_be_accepted() {
    let (url, desk, toml) = open().await;
    let before = office::fingerprint(&url).await;
    assert_snapshot!(desk.run("accept 00000000 --reason agreed").redacted(), @r#"
    exit 2
    --- err
    error[R0491]: nothing that could be accepted has the digest `00000000`
    help: there are: schedule ************ (retention.toml)
    "#);
    assert_snapshot!(desk.run("accept 1234567 --reason agreed"), @r#"
    exit 2
    --- err
    error[R0491]: `1234567` is not a digest
    help: write it as `retentiond plan` shows it: hexadecimal digits, at least the first eight
    "#);
    assert_snapshot!(desk.run_words(&["accept", &digits(&toml), "--reason", " "]), @r#"
    exit 2
    --- err
    error[R0105]: the reason must not be blank
    help: say why it may go: `--reason "agreed by the board on 3 March"`
    "#);
    assert_eq!(desk.run(&format!("accept {}", digits(&toml))).code, 2);
    assert_eq!(office::fingerprint(&url).await, before);
    desk.run(&format!("accept {} --reason agreed", digits(&toml)));
    assert_snapshot!(desk.run("accept 00000000 --reason agreed").redacted(), @r#"
    exit 2
    --- err
    error[R0491]: nothing that could be accepted has the digest `00000000`
    help: there are: schedule ************ (retention.toml); plan ************ (today's)
    "#);
    let (_, plan) = desk.json("plan");
    let plan = plan["plan"]["digest"].as_str().unwrap().to_owned();
    assert_snapshot!(desk.run(&format!("accept {plan} --reason agreed")).redacted(), @r#"
    exit 2
    --- err
    error[R0491]: plan ************ is today's, and no class of it is over a limit
    help: a pass goes by it without being accepted
    "#);
    let bare = Desk::with(&support::database().await, &toml);
    assert_snapshot!(bare.run(&format!("accept {} --reason agreed", digits(&toml))), @r#"
    exit 1
    --- err
    error[R0402]: the schema `retentiond` is missing from the database, or of another version
    help: run `retentiond migrate` first
    "#);
}
