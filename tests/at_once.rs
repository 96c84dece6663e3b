//! `or_when`: what is due at once, as where a person took consent back. Worked out by hand:
//! what goes without a trigger or before its last day, and everything that still keeps it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/stage.rs"]
mod stage;
mod support;

use retentiond::enforce::RunReport;
use retentiond::ident::{ClassId, TableName};
use retentiond::ledger::{KeyValue, RecordKey};
use retentiond::review::{self, NewInstruction};
use retentiond::survey;
use serde_json::{Value, json};
use sqlx::Connection;
use stage::Run;

const TODAY: &str = "2026-11-23";

/// Photos kept a year: `p` is past by its date, `w…` had consent withdrawn (before the last day,
/// without a date, with a date that nobody believes, and in the future), `k…` did not.
const PHOTOS: &str = "
CREATE TABLE photo (id text PRIMARY KEY, taken_on date, withdrawn_on date, seen_on date, who text, kind text);
CREATE TABLE print (id bigint PRIMARY KEY, photo_id text NOT NULL REFERENCES photo);
CREATE INDEX ON print (photo_id);
INSERT INTO photo VALUES
    ('p',  '2020-05-01', NULL,         NULL,         'a', 'n'),
    ('w1', '2026-06-01', '2026-11-01', '2026-11-20', 'b', 'x'),
    ('w2', NULL,         '2026-11-01', '2026-11-20', 'c', 'n'),
    ('w3', '1900-01-01', '2026-11-01', NULL,         'd', 'n'),
    ('w4', '2027-01-01', '2026-11-01', NULL,         'e', 'n'),
    ('k1', '2026-06-01', NULL,         NULL,         'f', 'n'),
    ('k2', NULL,         NULL,         NULL,         'g', 'n');
INSERT INTO print VALUES (1, 'p'), (2, 'w1'), (3, 'w2'), (4, 'k1');
";

const RULE: &str = "table = \"photo\"\ntrigger = \"taken_on\"\nperiod = \"1 year\"\nor_when = \"withdrawn_on IS NOT NULL\"\ndependants = [\"print\"]\n";

const DELETES: &str = "disposal = \"delete\"\n";

fn schedule(classes: &[(&str, &str)]) -> String {
    let classes: String = classes
        .iter()
        .map(|(id, rest)| stage::class(id, rest))
        .collect();
    format!("{}{classes}", stage::HEAD)
}

/// The shortest schedule: the rule, and more keys.
fn photos(more: &str) -> String {
    schedule(&[("photos", &format!("{RULE}{DELETES}{more}"))])
}

async fn open() -> String {
    stage::database(PHOTOS).await
}

async fn left(url: &str) -> String {
    support::texts(url, "SELECT id FROM photo ORDER BY id")
        .await
        .join(" ")
}

async fn pass(url: &str, toml: &str, day: &str) -> RunReport {
    let report = Run::new(url, toml, day).go().await;
    for class in &report.classes {
        assert_eq!(class.reason, None, "{}", class.id);
    }
    report
}

async fn counts(url: &str, toml: &str, class: usize) -> Value {
    let plan = support::plan(url, toml, support::at(TODAY)).await;
    let mut conn = support::ours(url).await;
    let counted = survey::count(&mut conn, &plan).await.unwrap();
    conn.close().await.unwrap();
    support::plan_shown(&plan, &counted)["plan"]["classes"][class].clone()
}

/// What the ledger says of each record: `action key trigger last-day`.
async fn told(url: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for entry in support::ledger(url).await {
        for record in entry["records"].as_array().into_iter().flatten() {
            let day = |key: &str| record[key].as_str().unwrap_or("none").to_owned();
            lines.push(format!(
                "{} {} {} {}",
                entry["action"].as_str().unwrap(),
                record["key"]["id"].as_str().unwrap_or("-"),
                day("trigger"),
                day("last_day"),
            ));
        }
    }
    lines.sort();
    lines
}

fn key(id: &str) -> RecordKey {
    RecordKey::new(vec![KeyValue::Text(id.to_owned().into())]).unwrap()
}

#[tokio::test]
async fn what_is_withdrawn_goes_at_once_and_the_ledger_says_from_what_it_was_counted() {
    let url = open().await;
    let toml = photos("");
    let before = counts(&url, &toml, 0).await;
    // Neither w2 to w4 nor their dates are a riddle any more; only k2 has none.
    for (count, expected) in [
        ("due", 5),
        ("overdue", 1),
        ("without_trigger", 1),
        ("implausible_trigger", 0),
        ("future_trigger", 0),
        ("conflict", 0),
    ] {
        assert_eq!(before[count], expected, "{count}: {before}");
    }
    let rows = stage::rows(&url, &["photo", "print"]).await;
    pass(&url, &toml, TODAY).await;
    assert_eq!(left(&url).await, "k1 k2");
    stage::assert_told(&url, &rows, &["photo", "print"]).await;
    assert_eq!(
        told(&url).await,
        [
            "deleted - 2020-05-01 2021-05-01",
            "deleted - 2026-06-01 none",
            "deleted - none none",
            "deleted p 2020-05-01 2021-05-01",
            "deleted w1 2026-06-01 none",
            "deleted w2 none none",
            // What the record says, believed or not, as long as it is a day.
            "deleted w3 1900-01-01 none",
            "deleted w4 2027-01-01 none",
        ]
    );
}

/// What was late by its date stays late since then; what was not is late since no day.
#[tokio::test]
async fn withdrawing_consent_makes_no_old_debt_young() {
    let url = open().await;
    support::sql(
        &url,
        "UPDATE photo SET withdrawn_on = '2026-11-01' WHERE id = 'p'",
    )
    .await;
    let mut conn = support::ours(&url).await;
    let parsed = support::schedule(&photos(""));
    let drawn = survey::draw(&mut conn, &parsed, support::at(TODAY))
        .await
        .unwrap();
    let debt = survey::debt(&mut conn, &drawn).await.unwrap();
    let one = &debt.classes[0].reasons[0];
    assert_eq!(
        (debt.late, one.records, one.since.to_string()),
        (1, 1, "2021-05-02".to_owned())
    );
    let overview = survey::overview(&mut conn, &drawn).await.unwrap();
    assert_eq!(
        overview.classes[0]
            .oldest_overdue
            .map(|day| day.to_string()),
        Some("2021-05-01".to_owned())
    );
}

#[tokio::test]
async fn what_is_withdrawn_after_a_pass_goes_with_the_next() {
    let url = open().await;
    let toml = photos("");
    pass(&url, &toml, TODAY).await;
    support::sql(&url, "UPDATE photo SET withdrawn_on = '2026-11-23'").await;
    pass(&url, &toml, TODAY).await;
    assert_eq!(left(&url).await, "");
}

/// A batch judges again, so what was given back between plan and batch stays.
#[tokio::test]
async fn what_is_given_again_between_plan_and_batch_stays() {
    let url = open().await;
    let planned = Run::new(&url, &photos(""), TODAY).planned().await;
    support::sql(&url, "UPDATE photo SET withdrawn_on = NULL WHERE id = 'w1'").await;
    planned.go().await;
    assert_eq!(left(&url).await, "k1 k2 w1");
}

#[tokio::test]
async fn a_guard_against_activity_and_a_notice_do_not_bind_it() {
    for more in ["unless_active = [\"seen_on\"]\n", "notice = \"30 days\"\n"] {
        let url = open().await;
        let toml = photos(more);
        pass(&url, &toml, TODAY).await;
        // The control: of what is past by its date only the guard lets p go.
        let expected = if more.starts_with("notice") {
            "k1 k2 p"
        } else {
            "k1 k2"
        };
        assert_eq!(left(&url).await, expected, "{more}");
    }
    // Without `or_when` the guard would have bound w1 even after its last day.
    let url = open().await;
    let toml = photos("unless_active = [\"seen_on\"]\n");
    support::sql(&url, "UPDATE photo SET withdrawn_on = NULL").await;
    pass(&url, &toml, "2027-12-01").await;
    assert_eq!(left(&url).await, "k2 w1 w2 w3 w4");
}

#[tokio::test]
async fn another_class_s_guard_binds_it() {
    let url = open().await;
    let guard = "table = \"photo\"\nwhere = \"id = 'w1'\"\ntrigger = \"taken_on\"\nperiod = \"1 day\"\nunless_active = [\"seen_on\"]\ndisposal = \"delete\"\ndependants = [\"print\"]\n";
    let toml = schedule(&[("photos", &format!("{RULE}{DELETES}")), ("guards", guard)]);
    assert_eq!(counts(&url, &toml, 1).await["active"], 1);
    pass(&url, &toml, TODAY).await;
    assert_eq!(left(&url).await, "k1 k2 w1");
}

#[tokio::test]
async fn holds_gates_limits_and_pauses_bind_it() {
    let toml = photos("");
    // A hold on a record.
    let url = open().await;
    support::hold(&url, "public.photo", &["w1"], None).await;
    pass(&url, &toml, TODAY).await;
    assert_eq!(left(&url).await, "k1 k2 w1");
    // A hold on what hangs on it.
    let url = open().await;
    support::hold(&url, "public.print", &["3"], None).await;
    pass(&url, &toml, TODAY).await;
    assert_eq!(left(&url).await, "k1 k2 w2");
    // A pause.
    let url = open().await;
    let mut conn = support::ours(&url).await;
    let class = ClassId::new("photos").unwrap();
    let now = support::at(TODAY);
    review::pause(&mut conn, Some(&class), "MARK", "test", now)
        .await
        .unwrap();
    pass(&url, &toml, TODAY).await;
    assert_eq!(left(&url).await, "k1 k2 p w1 w2 w3 w4");
    // A gate, and the order that opens it.
    let url = open().await;
    let toml = photos("gate = \"instruction\"\n");
    assert_eq!(counts(&url, &toml, 0).await["waiting"], 5);
    pass(&url, &toml, TODAY).await;
    assert_eq!(left(&url).await, "k1 k2 p w1 w2 w3 w4");
    let mut conn = support::ours(&url).await;
    let order = NewInstruction {
        class: &class,
        by: "the controller",
        reference: "1",
        until: None,
    };
    review::instruct(&mut conn, &order, "test", now)
        .await
        .unwrap();
    pass(&url, &toml, TODAY).await;
    assert_eq!(left(&url).await, "k1 k2");
    // A limit.
    let url = open().await;
    let toml = photos("max_rows = 4\n");
    Run::new(&url, &toml, TODAY).go().await;
    assert_eq!(left(&url).await, "k1 k2 p w1 w2 w3 w4");
    let toml = photos("max_rows = 5\n");
    Run::new(&url, &toml, TODAY).go().await;
    assert_eq!(left(&url).await, "k1 k2");
}

/// Beside another minimum it is retained; a maximum that is past while a minimum is not is a
/// conflict; `retain` protects.
#[tokio::test]
async fn other_classes_protect_it() {
    let longer = "table = \"photo\"\nwhere = \"kind = 'x'\"\ntrigger = \"taken_on\"\nperiod = \"2 years\"\ndisposal = \"delete\"\ndependants = [\"print\"]\n";
    let retains = "table = \"photo\"\nwhere = \"kind = 'x'\"\ndisposal = \"retain\"\nowner = \"a\"\nreason = \"b\"\n";
    for other in [longer, retains] {
        for (limit, count) in [
            ("", "retained_by_other"),
            ("limit = \"maximum\"\n", "conflict"),
        ] {
            let url = open().await;
            let toml = schedule(&[
                ("photos", &format!("{RULE}{DELETES}{limit}")),
                ("others", other),
            ]);
            let counted = counts(&url, &toml, 0).await;
            assert_eq!(
                (&counted[count], &counted["due"]),
                (&json!(1), &json!(4)),
                "{limit}{other}"
            );
            pass(&url, &toml, TODAY).await;
            assert_eq!(left(&url).await, "k1 k2 w1", "{limit}{other}");
        }
    }
}

/// Its last day counts as the earliest, so another minimum that is past governs, and a maximum
/// with it is the earliest of all.
#[tokio::test]
async fn it_ranks_as_the_earliest() {
    let url = open().await;
    let flags = "table = \"photo\"\nwhere = \"id LIKE 'w%'\"\ntrigger = \"taken_on\"\nperiod = \"1 day\"\ndisposal = \"flag\"\n";
    let toml = schedule(&[("photos", &format!("{RULE}{DELETES}")), ("flags", flags)]);
    let report = pass(&url, &toml, TODAY).await;
    // w1 is past for both; the day of `flags` is the later one. The others have none there,
    // which protects them.
    assert_eq!(stage::of(&report, "photos").deleted, 1);
    assert_eq!(stage::of(&report, "flags").flagged, 1);
    assert_eq!(left(&url).await, "k1 k2 w1 w2 w3 w4");
    let url = open().await;
    let toml = schedule(&[
        ("photos", &format!("{RULE}{DELETES}limit = \"maximum\"\n")),
        ("flags", &format!("{flags}limit = \"maximum\"\n")),
    ]);
    let report = pass(&url, &toml, TODAY).await;
    assert_eq!(stage::of(&report, "photos").deleted, 5);
    assert_eq!(left(&url).await, "k1 k2");
}

#[tokio::test]
async fn a_flag_and_an_anonymised_value_are_made_once() {
    let url = open().await;
    let rule = RULE.replace("dependants = [\"print\"]\n", "");
    let toml = schedule(&[("photos", &format!("{rule}disposal = \"flag\"\n"))]);
    let report = pass(&url, &toml, TODAY).await;
    assert_eq!(stage::of(&report, "photos").flagged, 5);
    let report = pass(&url, &toml, "2026-11-24").await;
    assert_eq!(stage::of(&report, "photos").flagged, 0);
    assert_eq!(
        support::texts(
            &url,
            "SELECT key[1] || ' ' || coalesce(last_day::text, 'none') FROM retentiond.flag ORDER BY 1"
        )
        .await,
        ["p 2021-05-01", "w1 none", "w2 none", "w3 none", "w4 none"]
    );
    assert_eq!(counts(&url, &toml, 0).await["done"], 5);

    let url = open().await;
    let toml = schedule(&[(
        "photos",
        &format!("{rule}disposal = \"anonymise\"\nanonymise = {{ who = \"redact\" }}\n"),
    )]);
    let report = pass(&url, &toml, TODAY).await;
    assert_eq!(stage::of(&report, "photos").anonymised, 5);
    let report = pass(&url, &toml, "2026-11-24").await;
    assert_eq!(stage::of(&report, "photos").anonymised, 0);
    assert_eq!(
        support::texts(&url, "SELECT who FROM photo ORDER BY id").await,
        [
            "f",
            "g",
            "[redacted]",
            "[redacted]",
            "[redacted]",
            "[redacted]",
            "[redacted]"
        ]
    );
}

/// Replies that name the letter they answer: each is dated by itself.
#[tokio::test]
async fn a_withdrawn_reply_in_a_thread_goes_and_one_that_is_not_keeps_what_is_above() {
    let url = stage::database(
        "CREATE TABLE letter (id bigint PRIMARY KEY, answers bigint REFERENCES letter, closed_on date, withdrawn boolean);
         CREATE INDEX ON letter (answers);
         INSERT INTO letter VALUES
             (1, NULL, '2026-06-01', true), (2, 1, NULL, true),
             (3, NULL, '2026-06-01', true), (4, 3, NULL, false)",
    )
    .await;
    let toml = schedule(&[(
        "letters",
        "table = \"letter\"\ntrigger = \"closed_on\"\nperiod = \"1 year\"\nor_when = \"withdrawn\"\ndisposal = \"delete\"\ndependants = [\"letter\"]\n",
    )]);
    pass(&url, &toml, TODAY).await;
    assert_eq!(
        support::texts(&url, "SELECT id::text FROM letter ORDER BY id").await,
        ["3", "4"]
    );
}

/// Only a day can be written down, and `-infinity` is none: it neither fails the class nor is
/// flagged every night.
#[tokio::test]
async fn a_trigger_that_is_no_day_is_in_nobody_s_way() {
    let endless = "INSERT INTO photo VALUES ('e1', '-infinity', '2026-11-01'), ('e2', 'infinity', '2026-11-01')";
    let url = open().await;
    support::sql(&url, endless).await;
    let toml = photos("");
    pass(&url, &toml, TODAY).await;
    assert_eq!(left(&url).await, "k1 k2");
    let lines = told(&url).await;
    for id in ["e1", "e2"] {
        assert!(
            lines.contains(&format!("deleted {id} none none")),
            "{lines:?}"
        );
    }
    let url = open().await;
    support::sql(&url, endless).await;
    let rule = RULE.replace("dependants = [\"print\"]\n", "");
    let toml = schedule(&[("photos", &format!("{rule}disposal = \"flag\"\n"))]);
    for (day, flagged) in [(TODAY, 7), ("2026-11-24", 0)] {
        let report = pass(&url, &toml, day).await;
        assert_eq!(stage::of(&report, "photos").flagged, flagged, "{day}");
    }
}

#[tokio::test]
async fn explain_says_that_it_is_due_at_once() {
    let url = open().await;
    let mut conn = support::ours(&url).await;
    let parsed = support::schedule(&photos(""));
    let drawn = survey::draw(&mut conn, &parsed, support::at(TODAY))
        .await
        .unwrap();
    let table: TableName = "photo".parse().unwrap();
    let columns = survey::key_columns(&drawn.catalog, &table).unwrap();
    let mut states = Vec::new();
    for id in ["p", "w1", "w2", "k1", "k2"] {
        let explained = survey::explain(&mut conn, &drawn, &table, &columns, &key(id))
            .await
            .unwrap();
        let claim = &explained.claims[0];
        states.push(format!(
            "{id} {} {} {} {}",
            explained.state,
            claim
                .last_day
                .map_or("none".to_owned(), |day| day.to_string()),
            claim.at_once,
            explained
                .will_go_on
                .map_or("never".to_owned(), |day| day.to_string()),
        ));
    }
    assert_eq!(
        states,
        [
            "p due 2021-05-01 false 2026-11-23",
            "w1 due none true 2026-11-23",
            "w2 due none true 2026-11-23",
            "k1 kept 2027-06-01 false 2027-06-02",
            "k2 undated none false never",
        ]
    );
}
