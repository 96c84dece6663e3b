//! A person asks what is held about them, and to have it erased: on a command line, through the
//! passes, and until somebody brings their records back.

use serde_json::{Value, json};

use crate::command::Desk;
use crate::{office, support};

const TABLES: &str = "
CREATE TABLE letter (id bigint PRIMARY KEY, person text, closed_on date);
CREATE INDEX ON letter (closed_on);
CREATE TABLE page (id bigint PRIMARY KEY, letter_id bigint NOT NULL REFERENCES letter, text text);
CREATE INDEX ON page (letter_id);
CREATE TABLE invoice (id bigint PRIMARY KEY, person text, paid_on date);
CREATE INDEX ON invoice (paid_on);
CREATE TABLE opted_out (person text PRIMARY KEY);
INSERT INTO letter VALUES (1, 'ann@example.org', '2026-01-01'), (2, 'ann@example.org', NULL), (3, 'bob@example.org', '2026-01-01');
INSERT INTO page VALUES (11, 1, 'first'), (12, 1, 'second'), (31, 3, 'other');
INSERT INTO invoice VALUES (1, 'ann@example.org', '2026-01-01');
INSERT INTO opted_out VALUES ('ann@example.org');
";

const SCHEDULE: &str = r#"[schedule]
organisation = "An Office"
time_zone = "Europe/London"
every = "0 0 2 * * *"
accept = "automatic"

[[class]]
id = "letters"
title = "Letters and their pages"
table = "letter"
subject = "person"
trigger = "closed_on"
period = "8 years"
disposal = "delete"
dependants = ["page"]
max_share = 1.0
authority = "Notice, section 2"
lawful_basis = "UK GDPR Art 6(1)(a)"

[[class]]
id = "invoices"
title = "Invoices"
table = "invoice"
subject = "person"
trigger = "paid_on"
period = "6 years"
disposal = "delete"
erasure_right = false
authority = "Taxes Management Act 1970"

[[class]]
id = "opted-out"
title = "People who are not to be written to"
table = "opted_out"
subject = "person"
disposal = "retain"
owner = "Head of Communications"
reason = "So that nobody writes to them again"
authority = "Notice, section 5"
"#;

async fn open() -> (String, Desk) {
    let url = support::database().await;
    support::sql(&url, TABLES).await;
    let desk = Desk::with(&url, SCHEDULE);
    assert_eq!(desk.run("migrate").code, 0);
    (url, desk)
}

const ERASE: &str = "subject erase ann@example.org --basis Art.17(1)(b) --reference SR-7";

#[tokio::test]
async fn a_report_has_everything_and_says_when_it_goes() {
    let (_, desk) = open().await;
    let (code, answer) = desk.json("subject report ann@example.org");
    assert_eq!(code, 0, "{answer}");
    let records = answer["subject"]["records"].as_array().unwrap();
    let shown: Vec<Value> = records
        .iter()
        .map(|one| {
            json!([
                one["table"],
                one["key"],
                one["state"],
                one["will_go_on"],
                one["authorities"][0]["authority"],
                one["authorities"][0]["erasure_right"],
                one["content"],
                one["with"],
            ])
        })
        .collect();
    assert_eq!(
        json!(shown),
        json!([
            [
                "public.invoice", {"id": 1}, "kept", "2032-01-02", "Taxes Management Act 1970", false,
                {"id": 1, "paid_on": "2026-01-01", "person": "ann@example.org"}, null
            ],
            [
                "public.letter", {"id": 1}, "kept", "2034-01-02", "Notice, section 2", true,
                {"id": 1, "closed_on": "2026-01-01", "person": "ann@example.org"},
                {"public.page": [
                    {"id": 11, "text": "first", "letter_id": 1}, {"id": 12, "text": "second", "letter_id": 1}
                ]}
            ],
            [
                "public.letter", {"id": 2}, "undated", null, "Notice, section 2", true,
                {"id": 2, "closed_on": null, "person": "ann@example.org"}, null
            ],
            [
                "public.opted_out", {"person": "ann@example.org"}, "retained", null, "Notice, section 5", false,
                {"person": "ann@example.org"}, null
            ],
        ])
    );
    let said = desk.run("subject report ann@example.org");
    insta::assert_snapshot!(said, @r"
    exit 0
    --- out
    record                            class      stands    kept through  authority
    public.invoice 1                  invoices   kept      2032-01-01    Taxes Management Act 1970
    public.letter 1                   letters    kept      2034-01-01    Notice, section 2
    public.letter 2                   letters    undated                 Notice, section 2
    public.opted_out ann@example.org  opted-out  retained                Notice, section 5
    ");
    // For whoever asked, as a file; the terminal does not show it.
    let said = desk.run("subject report ann@example.org --output ann.json");
    assert_eq!(said.code, 0, "{said}");
    assert!(!said.out.contains("second"), "{said}");
    let file = std::fs::read_to_string(desk.folder().join("ann.json")).unwrap();
    let file: Value = serde_json::from_str(&file).unwrap();
    assert_eq!(file["subject"]["records"], answer["subject"]["records"]);
    let said = desk.run("subject report nobody@example.org");
    assert_eq!(
        (said.code, &*said.out),
        (
            0,
            "Nothing is held about that person in the tables that name people.\n"
        )
    );
}

#[tokio::test]
async fn an_erasure_is_shown_first_asked_for_and_done_by_the_next_pass() {
    let (url, desk) = open().await;
    assert_eq!(desk.run("run").code, 0);
    let before = office::fingerprint(&url).await;
    let said = desk.run(&format!("{ERASE} --dry-run"));
    insta::assert_snapshot!(said, @r"
    exit 0
    --- out
    record                            goes  why
    public.invoice 1                  no    kept by law, through 2032-01-01: class `invoices`, Taxes Management Act 1970
    public.letter 1                   yes   is deleted
    public.letter 2                   yes   is deleted
    public.opted_out ann@example.org  no    retained by class `opted-out`: So that nobody writes to them again (Head of Communications)
    Class `opted-out` keeps 1 record about that person, untouched.
    4 records about that person: 2 with the next pass, 2 not. Nothing was changed.
    ");
    assert_eq!(office::fingerprint(&url).await, before);
    // Nobody can be asked here, so it takes --yes.
    let said = desk.run(ERASE);
    assert_eq!(said.code, 2, "{said}");
    assert_eq!(office::fingerprint(&url).await, before);
    let said = desk.run(&format!("{ERASE} --yes"));
    assert_eq!(said.code, 3, "{said}");
    assert!(said.out.contains("Request 1 is recorded."), "{said}");
    let left = |table: &'static str| {
        let url = url.clone();
        async move { support::texts(&url, &format!("SELECT person FROM {table} ORDER BY 1")).await }
    };
    assert_eq!(left("letter").await.len(), 3);
    let said = desk.run("run");
    assert_eq!(said.code, 0, "{said}");
    assert_eq!(left("letter").await, ["bob@example.org"]);
    // The statute's, and the list of those who are not to be written to.
    assert_eq!(left("invoice").await, ["ann@example.org"]);
    assert_eq!(left("opted_out").await, ["ann@example.org"]);
    let said = desk.run("subject list");
    assert!(said.out.contains("fulfilled"), "{said}");
    let named = support::number(
        &url,
        "SELECT (SELECT count(*) FROM retentiond.erasure AS e WHERE e::text LIKE '%ann@%')
              + (SELECT count(*) FROM retentiond.ledger_entry AS e WHERE encode(e.body, 'escape') LIKE '%ann@%')",
    )
    .await;
    assert_eq!(named, 0);
    let (code, _) = desk.json("ledger verify");
    assert_eq!(code, 0);
}

#[tokio::test]
async fn records_that_come_back_are_noticed_once_and_shown_until_somebody_has_looked() {
    let (url, desk) = open().await;
    support::sql(&url, "DELETE FROM invoice; DELETE FROM opted_out").await;
    assert_eq!(desk.run(&format!("{ERASE} --yes")).code, 0);
    assert_eq!(desk.run("run").code, 0);
    // An import brings two of them back, and one of somebody else.
    support::sql(
        &url,
        "INSERT INTO letter VALUES (8, 'ann@example.org', '2026-01-01'), (9, 'ann@example.org', NULL), (10, 'cy', NULL)",
    )
    .await;
    // It is looked for once a day.
    support::sql(&url, "UPDATE retentiond.erasure SET looked_on = NULL").await;
    let said = desk.run("run");
    assert_eq!(said.code, 3, "{said}");
    assert!(
        said.err.contains("are there again, for 1 request"),
        "{said}"
    );
    let said = desk.run("subject list --open");
    assert!(said.out.contains("2 records are there again"), "{said}");
    assert_eq!(desk.run("run").code, 3);
    let noted = "SELECT count(*) FROM retentiond.ledger_entry WHERE action = 'erasure-returned'";
    assert_eq!(support::number(&url, noted).await, 1);
    // Only what comes back is told, never taken by itself.
    assert_eq!(
        support::number(
            &url,
            "SELECT count(*) FROM letter WHERE person LIKE 'ann@%'"
        )
        .await,
        2
    );
    let said = desk.run_words(&[
        "subject",
        "known",
        "1",
        "--reason",
        "she is a customer again",
    ]);
    assert_eq!(said.code, 0, "{said}");
    assert_eq!(desk.run("run").code, 0);
    let said = desk.run("subject list --open");
    assert_eq!(said.out, "No person has asked for erasure.\n");
}

#[tokio::test]
async fn a_restriction_keeps_everything_until_it_is_released() {
    let (url, desk) = open().await;
    support::sql(&url, "UPDATE letter SET closed_on = '2010-01-01'").await;
    let said = desk.run("subject restrict ann@example.org --reason disputed");
    assert_eq!(
        (said.code, &*said.out),
        (
            0,
            "Restriction 1: 4 records about that person, and whatever comes, is not disposed of until it is released.\n"
        )
    );
    desk.run("run");
    let ids = "SELECT id::text FROM letter ORDER BY id";
    assert_eq!(support::texts(&url, ids).await, ["1", "2"]);
    let said = desk.run(&format!("{ERASE} --yes"));
    assert_eq!(said.code, 3, "{said}");
    assert!(said.out.contains("held: hold 1 (restriction"), "{said}");
    desk.run("run");
    assert_eq!(support::texts(&url, ids).await, ["1", "2"]);
    let said = desk.run("subject release ann@example.org --reason settled");
    assert_eq!(said.code, 0, "{said}");
    desk.run("run");
    assert_eq!(support::texts(&url, ids).await, [""; 0]);
    let said = desk.run("subject release ann@example.org --reason settled");
    assert_eq!(said.code, 2, "{said}");
}

#[tokio::test]
async fn who_may_not_may_not() {
    let (_, desk) = open().await;
    for line in [
        "operator add chief --role administrator",
        "operator add looker --role viewer --as chief",
        "operator add holder --role holds --as chief",
    ] {
        assert_eq!(desk.run(line).code, 0, "{line}");
    }
    for (by, erase, restrict) in [("looker", 2, 2), ("holder", 2, 0), ("chief", 3, 0)] {
        let said = desk.run(&format!("{ERASE} --yes --as {by}"));
        assert_eq!(said.code, erase, "{by}: {said}");
        let line = format!("subject restrict bob@example.org --reason x --as {by}");
        assert_eq!(desk.run(&line).code, restrict, "{by}");
    }
    assert_eq!(
        desk.run("subject report bob@example.org --as looker").code,
        0
    );
}

#[tokio::test]
async fn what_cannot_be_is_said() {
    let (_, desk) = open().await;
    let late = format!("{ERASE} --received 2999-01-01 --yes");
    for line in [
        "subject withdraw ann@example.org --reason x",
        "subject known 5 --reason x",
        &late,
    ] {
        let said = desk.run(line);
        assert_eq!(said.code, 2, "{line}: {said}");
        assert!(said.err.contains("help:"), "{line}: {said}");
    }
    let bare = SCHEDULE.replace("subject = \"person\"\n", "");
    desk.write("retention.toml", bare);
    let said = desk.run("subject report ann@example.org");
    assert_eq!(said.code, 2, "{said}");
    assert!(
        said.err.contains("no class of the schedule says whom"),
        "{said}"
    );
}

/// `--as` is what the settings let it be.
#[tokio::test]
async fn who_may_speak_for_another_is_a_setting() {
    let (_, mut desk) = open().await;
    let line = "subject restrict bob@example.org --reason x --as Jo";
    let account = String::from_utf8(
        std::process::Command::new("id")
            .arg("-un")
            .output()
            .unwrap()
            .stdout,
    );
    let account = account.unwrap().trim().to_owned();
    for (accounts, code) in [
        ("somebody-else", 2),
        (&*format!("somebody-else, {account}"), 0),
    ] {
        // The last one of a name counts.
        desk = desk.set("RETENTIOND__OPERATORS__AS_OTHERS", accounts);
        let said = desk.run(line);
        assert_eq!(said.code, code, "{accounts}: {said}");
        if code == 2 {
            assert!(
                said.err.starts_with(&format!(
                    "error[R0420]: `{account}` may not give a command as `Jo`"
                )),
                "{said}"
            );
            // In one's own name everything goes on.
            assert_eq!(desk.run("subject list").code, 0);
            assert_eq!(desk.run(&format!("subject list --as {account}")).code, 0);
        }
    }
}
