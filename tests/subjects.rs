//! What a person asks about their own records, worked out by hand: what a request for erasure
//! takes before its time, and each thing that wins over it. Everybody has a twin who asked
//! for nothing and loses nothing.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/stage.rs"]
mod stage;
mod support;

use chrono::NaiveDate;
use retentiond::enforce::RunReport;
use retentiond::ident::ClassId;
use retentiond::review::{self, Form, NewErasure, NewHold, NewInstruction, Scope};
use retentiond::survey;
use serde_json::Value;
use sqlx::Connection;
use stage::Run;

const TODAY: &str = "2026-11-23";
/// The request came in three days ago, so the last day of everything is the day before.
const CAME_IN: &str = "2026-11-20";

/// `p` asks, `q` does not. Nothing of either is past but letters 3, of 2010.
const TABLES: &str = "
CREATE TABLE letter (id bigint PRIMARY KEY, person text, closed_on date, seen_on date);
CREATE TABLE page (id bigint PRIMARY KEY, letter_id bigint NOT NULL REFERENCES letter);
CREATE INDEX ON page (letter_id);
CREATE TABLE applicant (id bigint PRIMARY KEY, person text, outcome text NOT NULL, decided_on date, name text);
CREATE TABLE invoice (id bigint PRIMARY KEY, person text, paid_on date);
CREATE TABLE visit (id bigint PRIMARY KEY, person text, made_on date);
CREATE TABLE case_file (id bigint PRIMARY KEY, person text, closed_on date);
CREATE TABLE note (id bigint PRIMARY KEY, person text, written_on date, body text);
INSERT INTO letter SELECT 10 * n + m, chr(111 + n), closed, '2026-11-22'
  FROM generate_series(1, 2) AS n, (VALUES (1, date '2026-01-01'), (2, NULL), (3, '2010-01-01'), (4, '2026-01-01')) AS c (m, closed);
UPDATE letter SET seen_on = NULL WHERE id % 10 = 3;
INSERT INTO page SELECT 10 * id, id FROM letter;
INSERT INTO applicant SELECT 10 * n + m, chr(111 + n), outcome, '2026-10-01', 'Ann'
  FROM generate_series(1, 2) AS n, (VALUES (1, 'no'), (2, 'yes')) AS c (m, outcome);
INSERT INTO invoice SELECT 10 * n, chr(111 + n), '2026-01-01' FROM generate_series(1, 2) AS n;
INSERT INTO visit SELECT 10 * n, chr(111 + n), '2026-11-01' FROM generate_series(1, 2) AS n;
INSERT INTO case_file SELECT 10 * n, chr(111 + n), '2026-11-01' FROM generate_series(1, 2) AS n;
INSERT INTO note SELECT 10 * n, chr(111 + n), '2026-11-01', 'x' FROM generate_series(1, 2) AS n;
";

const LETTERS: &str = "table = \"letter\"\nsubject = \"person\"\ntrigger = \"closed_on\"\nperiod = \"8 years\"\ndisposal = \"delete\"\ndependants = [\"page\"]\n";

/// The schedule, with more keys of the letters' class.
fn schedule(more: &str) -> String {
    let classes = [
        ("letters", format!("{LETTERS}{more}")),
        (
            "turned-down",
            "table = \"applicant\"\nwhere = \"outcome = 'no'\"\nsubject = \"person\"\ntrigger = \"decided_on\"\nperiod = \"6 months\"\ndisposal = \"anonymise\"\nanonymise = { name = \"redact\" }\n".to_owned(),
        ),
        (
            "hired",
            "table = \"applicant\"\nwhere = \"outcome = 'yes'\"\ndisposal = \"retain\"\nowner = \"a\"\nreason = \"personnel\"\n".to_owned(),
        ),
        (
            "invoices",
            "table = \"invoice\"\nsubject = \"person\"\ntrigger = \"paid_on\"\nperiod = \"6 years\"\ndisposal = \"delete\"\nerasure_right = false\n".to_owned(),
        ),
        (
            "visits",
            "table = \"visit\"\nsubject = \"person\"\ntrigger = \"made_on\"\nperiod = \"1 year\"\ndisposal = \"flag\"\n".to_owned(),
        ),
        (
            "files",
            "table = \"case_file\"\nsubject = \"person\"\ntrigger = \"closed_on\"\nperiod = \"1 year\"\ndisposal = \"delete\"\ngate = \"instruction\"\n".to_owned(),
        ),
        (
            "notes",
            "table = \"note\"\nsubject = \"person\"\ntrigger = \"written_on\"\nperiod = \"5 years\"\ndisposal = \"delete\"\nstages = [{ after = \"1 year\", disposal = \"anonymise\", anonymise = { body = \"redact\" } }]\n".to_owned(),
        ),
    ];
    let classes: String = classes
        .iter()
        .map(|(id, rest)| stage::class(id, rest))
        .collect();
    format!("{}{classes}", stage::HEAD)
}

async fn open() -> String {
    stage::database(TABLES).await
}

async fn ask(url: &str, person: &str, came_in: &str) -> i64 {
    let mut conn = support::ours(url).await;
    let new = NewErasure {
        subject: person,
        hash: "hmac:00000000:00",
        requested_on: came_in.parse().unwrap(),
        basis: "MARK-Art 17(1)(b)",
        reference: "MARK-SR 7",
    };
    let id = review::request_erasure(&mut conn, &new, "test", support::at(TODAY))
        .await
        .unwrap();
    conn.close().await.unwrap();
    id
}

async fn pass(url: &str, toml: &str, day: &str) -> RunReport {
    let report = Run::new(url, toml, day).go().await;
    for class in &report.classes {
        assert_eq!(class.reason, None, "{}", class.id);
    }
    report
}

/// What is left, as `table id`; what is anonymised or flagged counts as gone.
async fn left(url: &str) -> Vec<String> {
    support::texts(
        url,
        "SELECT t || ' ' || string_agg(id::text, ' ' ORDER BY id) FROM (
             SELECT 'letter' AS t, id FROM letter UNION ALL SELECT 'page', id FROM page
             UNION ALL SELECT 'applicant', id FROM applicant WHERE name <> '[redacted]'
             UNION ALL SELECT 'invoice', id FROM invoice
             UNION ALL SELECT 'visit', id FROM visit AS v WHERE NOT EXISTS
                 (SELECT FROM retentiond.flag WHERE class_id = 'visits' AND key = ARRAY[v.id::text])
             UNION ALL SELECT 'case_file', id FROM case_file
             UNION ALL SELECT 'note', id FROM note WHERE body = 'x') AS x
         GROUP BY t ORDER BY t",
    )
    .await
}

async fn letters(url: &str) -> String {
    support::texts(url, "SELECT id::text FROM letter ORDER BY id")
        .await
        .join(" ")
}

async fn counts(url: &str, toml: &str, class: usize) -> Value {
    let plan = support::plan(url, toml, support::at(TODAY)).await;
    let mut conn = support::ours(url).await;
    let counted = survey::count(&mut conn, &plan).await.unwrap();
    conn.close().await.unwrap();
    support::plan_shown(&plan, &counted)["plan"]["classes"][class].clone()
}

/// How much of the person's records is left to dispose of.
async fn still(url: &str, toml: &str, person: &str) -> Option<u64> {
    let mut conn = support::ours(url).await;
    let parsed = support::schedule(toml);
    let drawn = survey::draw(&mut conn, &parsed, support::at(TODAY))
        .await
        .unwrap();
    let left = survey::left_to_erase(&mut conn, &parsed, &drawn, person)
        .await
        .unwrap();
    conn.close().await.unwrap();
    left
}

async fn hold_letter(url: &str, id: &str) -> i64 {
    support::hold(url, "public.letter", &[id], None).await
}

#[tokio::test]
async fn without_a_request_only_what_is_past_goes() {
    let url = open().await;
    pass(&url, &schedule(""), TODAY).await;
    assert_eq!(
        left(&url).await,
        [
            "applicant 11 12 21 22",
            "case_file 10 20",
            "invoice 10 20",
            "letter 11 12 14 21 22 24",
            "note 10 20",
            "page 110 120 140 210 220 240",
            "visit 10 20"
        ]
    );
}

#[tokio::test]
async fn a_request_takes_everything_that_nothing_keeps_and_each_record_is_told() {
    let url = open().await;
    let toml = schedule("");
    ask(&url, "p", CAME_IN).await;
    let hold = hold_letter(&url, "14").await;
    assert_eq!(still(&url, &toml, "p").await, Some(8));
    let tables = [
        "letter",
        "page",
        "applicant",
        "invoice",
        "visit",
        "case_file",
        "note",
    ];
    let rows = stage::rows(&url, &tables).await;
    let before = counts(&url, &toml, 0).await;
    // 11, 12 and 13, and 23, which is past. 14 is held. 13 and 23 were late before anybody asked;
    // the others have been due since the 20th, and so late since the 21st.
    for (count, expected) in [
        ("due", 4),
        ("held", 1),
        ("overdue", 5),
        ("without_trigger", 1),
    ] {
        assert_eq!(before[count], expected, "{count}: {before}");
    }
    pass(&url, &toml, TODAY).await;
    assert_eq!(
        left(&url).await,
        [
            "applicant 12 21 22",
            "case_file 10 20",
            "invoice 10 20",
            "letter 14 21 22 24",
            "note 20",
            "page 140 210 220 240",
            "visit 20"
        ]
    );
    stage::assert_told(&url, &rows, &tables).await;
    let mut told: Vec<String> = Vec::new();
    for entry in support::ledger(&url).await {
        for record in entry["records"].as_array().into_iter().flatten() {
            let day = |key: &str| record[key].as_str().unwrap_or("none").to_owned();
            told.push(format!(
                "{} {} {} {} {}",
                entry["action"].as_str().unwrap(),
                entry["table"].as_str().unwrap(),
                record["key"]["id"],
                day("trigger"),
                day("last_day"),
            ));
        }
    }
    told.sort();
    assert_eq!(
        told,
        [
            "anonymised public.applicant 11 2026-10-01 2026-11-19",
            "deleted public.letter 11 2026-01-01 2026-11-19",
            "deleted public.letter 12 none 2026-11-19",
            "deleted public.letter 13 2010-01-01 2026-11-19",
            "deleted public.letter 23 2010-01-01 2018-01-01",
            "deleted public.note 10 2026-11-01 2026-11-19",
            "deleted public.page 110 2026-01-01 2026-11-19",
            "deleted public.page 120 none 2026-11-19",
            "deleted public.page 130 2010-01-01 2026-11-19",
            "deleted public.page 230 2010-01-01 2018-01-01",
            "flagged public.visit 10 2026-11-01 2026-11-19",
            "hold-placed public.letter 14 none none",
        ]
    );
    // What is held and what waits for an order is left to do; what a statute keeps, what is
    // retained and what is flagged is not.
    assert_eq!(still(&url, &toml, "p").await, Some(2));
    let report = pass(&url, &toml, "2026-11-24").await;
    let acted: u64 = report.classes.iter().map(|class| class.acted()).sum();
    assert_eq!(acted, 0);

    // Once nothing keeps them, they go as well.
    let mut conn = support::ours(&url).await;
    let now = support::at(TODAY);
    review::release_hold(&mut conn, hold, "over", "test", now)
        .await
        .unwrap();
    let class = ClassId::new("files").unwrap();
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
    assert_eq!(letters(&url).await, "21 22 24");
    assert_eq!(left(&url).await[1], "case_file 20");
    assert_eq!(still(&url, &toml, "p").await, Some(0));
}

/// A schedule that names nobody any more fulfils no request.
#[tokio::test]
async fn without_a_subject_column_nothing_is_fulfilled() {
    let url = open().await;
    ask(&url, "p", CAME_IN).await;
    let toml = schedule("").replace("subject = \"person\"\n", "");
    assert_eq!(still(&url, &toml, "p").await, None);
}

#[tokio::test]
async fn it_counts_from_the_day_on_which_it_came_in() {
    let url = open().await;
    let toml = schedule("");
    support::sql(
        &url,
        "DELETE FROM page WHERE id % 100 = 30; DELETE FROM letter WHERE id % 10 = 3",
    )
    .await;
    ask(&url, "p", CAME_IN).await;
    pass(&url, &toml, "2026-11-19").await;
    assert_eq!(letters(&url).await, "11 12 14 21 22 24");
    pass(&url, &toml, "2026-11-20").await;
    assert_eq!(letters(&url).await, "21 22 24");
}

#[tokio::test]
async fn activity_and_notice_do_not_bind_it() {
    for more in ["unless_active = [\"seen_on\"]\n", "notice = \"30 days\"\n"] {
        let url = open().await;
        ask(&url, "p", CAME_IN).await;
        pass(&url, &schedule(more), TODAY).await;
        // The control: a notice keeps 23, and the guard does not, since nobody saw it.
        let expected = match more.starts_with("notice") {
            true => "21 22 23 24",
            false => "21 22 24",
        };
        assert_eq!(letters(&url).await, expected, "{more}");
    }
}

#[tokio::test]
async fn restrictions_exemptions_gates_limits_and_pauses_win() {
    let now = support::at(TODAY);
    // Every form of protection, on the person.
    for (form, kind) in [
        (Form::Restriction, "restriction"),
        (Form::Exemption, "research"),
        (Form::Hold, "litigation"),
    ] {
        let url = open().await;
        ask(&url, "p", CAME_IN).await;
        let mut conn = support::ours(&url).await;
        let any = "public.letter".parse().unwrap();
        let key = retentiond::ledger::RecordKey::new(vec![retentiond::ledger::KeyValue::Int(1)]);
        let key = key.unwrap();
        let scope = Scope::Subject {
            id: "p",
            hash: "hmac:00000000:00",
        };
        let hold = NewHold {
            form,
            scope,
            authority: (form == Form::Exemption).then_some("a"),
            ..NewHold::on_record(&any, &key, kind)
        };
        review::place_hold(&mut conn, &hold, "test", now)
            .await
            .unwrap();
        pass(&url, &schedule(""), TODAY).await;
        assert_eq!(letters(&url).await, "11 12 13 14 21 22 24", "{form:?}");
    }
    // A review.
    let url = open().await;
    ask(&url, "p", CAME_IN).await;
    pass(&url, &schedule("gate = \"review\"\n"), TODAY).await;
    assert_eq!(letters(&url).await, "11 12 13 14 21 22 23 24");
    // A limit: four and the past one are five.
    for (rows, expected) in [(4, "11 12 13 14 21 22 23 24"), (5, "21 22 24")] {
        let url = open().await;
        ask(&url, "p", CAME_IN).await;
        Run::new(&url, &schedule(&format!("max_rows = {rows}\n")), TODAY)
            .go()
            .await;
        assert_eq!(letters(&url).await, expected, "{rows}");
    }
    // A pause.
    let url = open().await;
    ask(&url, "p", CAME_IN).await;
    let mut conn = support::ours(&url).await;
    let class = ClassId::new("letters").unwrap();
    review::pause(&mut conn, Some(&class), "MARK", "test", now)
        .await
        .unwrap();
    pass(&url, &schedule(""), TODAY).await;
    assert_eq!(letters(&url).await, "11 12 13 14 21 22 23 24");
}

/// A statute's class on the same table keeps what it may claim, through its own last day.
#[tokio::test]
async fn another_class_that_a_statute_keeps_wins() {
    let statute = stage::class(
        "statute",
        "table = \"letter\"\nwhere = \"id = 11 OR id = 13\"\ntrigger = \"closed_on\"\nperiod = \"10 years\"\ndisposal = \"delete\"\ndependants = [\"page\"]\nerasure_right = false\n",
    );
    let url = open().await;
    let toml = format!("{}{statute}", schedule(""));
    ask(&url, "p", CAME_IN).await;
    // 13 is past for the statute as well.
    assert_eq!(counts(&url, &toml, 0).await["retained_by_other"], 1);
    pass(&url, &toml, TODAY).await;
    assert_eq!(letters(&url).await, "11 21 22 24");
    // 11 is nothing that the request can do anything about; the order for the files is.
    assert_eq!(still(&url, &toml, "p").await, Some(1));
}

/// Every claim's last day is one and the same then, and the mildest disposal governs.
#[tokio::test]
async fn among_several_classes_the_mildest_disposal_is_done() {
    let flags = stage::class(
        "looks",
        "table = \"letter\"\nwhere = \"id = 11\"\ntrigger = \"closed_on\"\nperiod = \"1 year\"\ndisposal = \"flag\"\n",
    );
    let url = open().await;
    let toml = format!("{}{flags}", schedule(""));
    ask(&url, "p", CAME_IN).await;
    let report = pass(&url, &toml, TODAY).await;
    assert_eq!(stage::of(&report, "looks").flagged, 1);
    assert_eq!(letters(&url).await, "11 21 22 24");
}

/// The statement that acts reads the request itself.
#[tokio::test]
async fn a_request_that_is_withdrawn_between_plan_and_batch_takes_nothing() {
    let url = open().await;
    ask(&url, "p", CAME_IN).await;
    let planned = Run::new(&url, &schedule(""), TODAY).planned().await;
    let mut conn = support::ours(&url).await;
    review::withdraw_erasure(&mut conn, "p", "MARK-sorry", "test", support::at(TODAY))
        .await
        .unwrap();
    planned.go().await;
    assert_eq!(letters(&url).await, "11 12 14 21 22 24");
}

/// The words and the person stay out of the ledger; the person stays nowhere once it is done.
#[tokio::test]
async fn whom_a_request_was_about_is_forgotten_with_its_end() {
    let url = open().await;
    let id = ask(&url, "MARK-person", CAME_IN).await;
    let mut conn = support::ours(&url).await;
    let now = support::at(TODAY);
    assert_eq!(
        review::erasures(&mut conn).await.unwrap()[0]
            .subject
            .as_deref(),
        Some("MARK-person")
    );
    review::fulfil(&mut conn, &[id], "test", now).await.unwrap();
    let after = review::erasures(&mut conn).await.unwrap().remove(0);
    assert_eq!((after.subject.clone(), after.is_open()), (None, false));
    let named = support::number(
        &url,
        "SELECT count(*) FROM retentiond.erasure AS e WHERE e::text LIKE '%MARK-person%'",
    )
    .await;
    assert_eq!(named, 0);
    let said = support::number(
        &url,
        "SELECT count(*) FROM retentiond.ledger_entry AS e WHERE e::text LIKE '%MARK%' OR encode(e.body, 'escape') LIKE '%MARK%'",
    )
    .await;
    assert_eq!(said, 0);
    let day: NaiveDate = TODAY.parse().unwrap();
    let looked = [review::LookedFor {
        erasure: id,
        rows: 3,
    }];
    // Told once, whatever is there on the next days.
    for expected in [vec![id], vec![]] {
        assert_eq!(
            review::note_looked(&mut conn, &looked, day, "test", now)
                .await
                .unwrap(),
            expected
        );
    }
    assert!(review::erasures(&mut conn).await.unwrap()[0].waits());
    review::know_returned(&mut conn, &[id], "MARK-moved back", "test", now)
        .await
        .unwrap();
    assert!(!review::erasures(&mut conn).await.unwrap()[0].waits());
    let lines: Vec<String> = support::ledger(&url)
        .await
        .iter()
        .map(|entry| entry["action"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        lines,
        [
            "erasure-requested",
            "erasure-fulfilled",
            "erasure-returned",
            "return-known"
        ]
    );
}
