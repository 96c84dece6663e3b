//! What people decide, and what a pass makes of it: holds of every scope, approvals, orders,
//! pauses. The rules' page says what each is to do; each test has a control that shows that
//! nothing but the decision did it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/stage.rs"]
mod stage;
mod support;

use chrono::NaiveDate;
use retentiond::ident::{ClassId, TableName};
use retentiond::ledger::{KeyValue, RecordKey};
use retentiond::plan::Ask;
use retentiond::review::{
    self, Decision, Form, NewHold, NewInstruction, NewReview, ReviewedRecord, Scope,
};
use retentiond::survey;
use sha2::{Digest, Sha256};
use stage::Run;

const TODAY: &str = "2026-11-23";

/// Letters of two people with pages, requests that only refer to them, and forms that photos
/// share. Everything is past.
const TABLES: &str = "
CREATE TABLE letter (id bigint PRIMARY KEY, person text, kind text, closed_on date);
CREATE TABLE page (id bigint PRIMARY KEY, letter_id bigint NOT NULL REFERENCES letter, kind text);
CREATE INDEX ON page (letter_id);
CREATE TABLE request (id bigint PRIMARY KEY, letter_id bigint REFERENCES letter, kind text);
CREATE INDEX ON request (letter_id);
CREATE TABLE form (id bigint PRIMARY KEY, kind text);
CREATE TABLE photo (id bigint PRIMARY KEY, form_id bigint REFERENCES form, taken_on date);
CREATE INDEX ON photo (form_id);
CREATE TABLE applicant (id bigint PRIMARY KEY, name text, kind text, decided_on date);
CREATE TABLE visit (id bigint PRIMARY KEY, kind text, made_on date);
INSERT INTO letter VALUES (1, 'p1', 'a', '2010-01-01'), (2, 'p2', 'b', '2010-01-01'), (3, NULL, NULL, '2010-01-01');
INSERT INTO page VALUES (11, 1, 'a'), (21, 2, 'b'), (31, 3, NULL);
INSERT INTO request VALUES (12, 1, 'a'), (22, 2, 'b'), (32, 3, NULL);
INSERT INTO form VALUES (1, 'a'), (2, 'b'), (3, NULL);
INSERT INTO photo VALUES (1, 1, '2010-01-01'), (2, 2, '2010-01-01'), (3, 3, '2010-01-01');
INSERT INTO applicant VALUES (1, 'Ann', 'a', '2010-01-01'), (2, 'Bob', 'b', '2010-01-01'), (3, 'Cy', NULL, '2010-01-01');
INSERT INTO visit VALUES (1, 'a', '2010-01-01'), (2, 'b', '2010-01-01'), (3, NULL, '2010-01-01');
";

/// Those tables that only hang on others have no class of their own.
fn schedule() -> String {
    let classes = [
        (
            "letters",
            "table = \"letter\"\nsubject = \"person\"\ntrigger = \"closed_on\"\nperiod = \"8 years\"\ndisposal = \"delete\"\ndependants = [\"page\", { table = \"request\", action = \"unlink\" }]\n",
        ),
        (
            "photos",
            "table = \"photo\"\ntrigger = \"taken_on\"\nperiod = \"4 years\"\ndisposal = \"delete\"\ndependants = [\"form\"]\n",
        ),
        (
            "applicants",
            "table = \"applicant\"\ntrigger = \"decided_on\"\nperiod = \"6 months\"\ndisposal = \"anonymise\"\nanonymise = { name = \"redact\" }\n",
        ),
        (
            "visits",
            "table = \"visit\"\ntrigger = \"made_on\"\nperiod = \"1 year\"\ndisposal = \"flag\"\n",
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

/// What is left of the records `a`, `b` and those without a kind, table by table: those that
/// are anonymised or flagged count as gone.
async fn left(url: &str) -> Vec<String> {
    support::texts(
        url,
        "SELECT t || ' ' || string_agg(coalesce(kind, '-'), '' ORDER BY id) FROM (
             SELECT 'letter' AS t, id, kind FROM letter UNION ALL SELECT 'page', id, kind FROM page
             UNION ALL SELECT 'request', id, kind FROM request WHERE letter_id IS NOT NULL
             UNION ALL SELECT 'form', id, kind FROM form
             UNION ALL SELECT 'photo', p.id, f.kind FROM photo AS p JOIN form AS f ON f.id = form_id
             UNION ALL SELECT 'applicant', id, kind FROM applicant WHERE name <> '[redacted]'
             UNION ALL SELECT 'visit', id, kind FROM visit AS v WHERE NOT EXISTS
                 (SELECT FROM retentiond.flag WHERE class_id = 'visits' AND key = ARRAY[v.id::text])
         ) AS x GROUP BY t ORDER BY t",
    )
    .await
}

fn key(id: &str) -> RecordKey {
    RecordKey::new(vec![KeyValue::Text(id.to_owned().into())]).unwrap()
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// A hold on a class of this name, or on a condition.
async fn place(url: &str, form: Form, class: &str, table: &str, condition: Option<&str>) -> i64 {
    let (class, table) = (
        ClassId::new(class).unwrap(),
        table.parse::<TableName>().unwrap(),
    );
    let scope = Scope::Class {
        class: &class,
        table: &table,
        claim: None,
        condition,
    };
    put(url, form, scope).await
}

async fn put(url: &str, form: Form, scope: Scope<'_>) -> i64 {
    let table = "letter".parse().unwrap();
    let any = key("0");
    let hold = NewHold {
        form,
        scope,
        reference: "MARK-reference",
        reason: "MARK-reason",
        owner: "MARK-owner",
        authority: (form == Form::Exemption).then_some("MARK-authority"),
        ..NewHold::on_record(&table, &any, form.kinds()[0])
    };
    let mut conn = support::ours(url).await;
    review::place_hold(&mut conn, &hold, "MARK-actor", support::at("2026-11-22"))
        .await
        .unwrap()
}

async fn release(url: &str, id: i64) {
    let mut conn = support::ours(url).await;
    review::release_hold(&mut conn, id, "MARK-over", "test", support::at(TODAY))
        .await
        .unwrap();
}

/// Where a hold lies, and what of the records `a` or of everything it keeps.
const PLACES: [(&str, &str, &[&str]); 7] = [
    ("letters", "letter", &["letter", "page", "request"]),
    ("pages", "page", &["letter", "page", "request"]),
    ("requests", "request", &["letter", "page", "request"]),
    ("photos", "photo", &["form", "photo"]),
    ("forms", "form", &["form", "photo"]),
    ("applicants", "applicant", &["applicant"]),
    ("visits", "visit", &["visit"]),
];

#[tokio::test]
async fn without_a_decision_everything_goes() {
    let url = open().await;
    Run::new(&url, &schedule(), TODAY).go().await;
    assert_eq!(left(&url).await, [""; 0]);
}

/// Each way in which a record can go: its own class, with its record, as what is unlinked, as
/// what several share, by an anonymisation, by a flag. Before the plan, and after it.
#[tokio::test]
async fn a_hold_on_a_class_or_a_condition_is_all_that_keeps_its_records() {
    for (class, table, kept) in PLACES {
        for (condition, kinds) in [
            (None, "ab-"),
            // Of what has no kind nobody can say whether it is meant.
            (Some("kind = 'a'"), "a-"),
            (Some("kind = 'x' AND id > 0"), "-"),
        ] {
            if table == "photo" && condition.is_some() {
                continue;
            }
            let expected: Vec<String> = kept.iter().map(|t| format!("{t} {kinds}")).collect();
            for after_the_plan in [false, true] {
                let url = open().await;
                let mut run = Run::new(&url, &schedule(), TODAY);
                if after_the_plan {
                    run = run.planned().await;
                }
                let id = place(&url, Form::Hold, class, table, condition).await;
                run.go().await;
                assert_eq!(
                    left(&url).await,
                    expected,
                    "{class} {condition:?} {after_the_plan}"
                );
                // Nothing else kept them.
                release(&url, id).await;
                Run::new(&url, &schedule(), TODAY).go().await;
                assert_eq!(left(&url).await, [""; 0], "{class} {condition:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_hold_on_a_person_keeps_what_is_about_them_and_forgets_whom() {
    for after_the_plan in [false, true] {
        let url = open().await;
        let mut run = Run::new(&url, &schedule(), TODAY);
        if after_the_plan {
            run = run.planned().await;
        }
        let scope = Scope::Subject {
            id: "p1",
            hash: "hmac:00000000:00",
        };
        let id = put(&url, Form::Restriction, scope).await;
        run.go().await;
        assert_eq!(left(&url).await, ["letter a", "page a", "request a"]);
        release(&url, id).await;
        let known = "SELECT count(*) FROM retentiond.hold WHERE subject IS NOT NULL";
        assert_eq!(support::number(&url, known).await, 0);
        Run::new(&url, &schedule(), TODAY).go().await;
        assert_eq!(left(&url).await, [""; 0]);
    }
}

#[tokio::test]
async fn several_holds_on_one_record_are_independent() {
    let url = open().await;
    let first = place(&url, Form::Exemption, "letters", "letter", Some("id = 1")).await;
    let second = support::hold(&url, "letter", &["1"], None).await;
    for (hold, expected) in [
        (first, &["letter a", "page a", "request a"][..]),
        (second, &[]),
    ] {
        release(&url, hold).await;
        Run::new(&url, &schedule(), TODAY).go().await;
        assert_eq!(left(&url).await, expected);
    }
}

/// The class as it was when the hold was placed is what is held, whatever becomes of it.
#[tokio::test]
async fn no_later_schedule_lifts_a_hold() {
    let url = open().await;
    let (class, table) = (ClassId::new("old").unwrap(), "letter".parse().unwrap());
    let scope = Scope::Class {
        class: &class,
        table: &table,
        claim: Some("kind = 'a'"),
        condition: None,
    };
    put(&url, Form::Hold, scope).await;
    // No class of this name is in the schedule.
    Run::new(&url, &schedule(), TODAY).go().await;
    assert_eq!(left(&url).await, ["letter a-", "page a-", "request a-"]);
}

#[tokio::test]
async fn a_condition_that_cannot_be_asked_any_more_protects_the_whole_table() {
    let url = open().await;
    support::sql(
        &url,
        "ALTER TABLE letter ADD COLUMN matter text DEFAULT 'm'",
    )
    .await;
    place(&url, Form::Hold, "letters", "letter", Some("matter = 'x'")).await;
    support::sql(&url, "ALTER TABLE letter DROP COLUMN matter").await;
    Run::new(&url, &schedule(), TODAY).go().await;
    assert_eq!(left(&url).await, ["letter ab-", "page ab-", "request ab-"]);
}

/// Through the end of its last day in London, in summer and in winter; and before a day even
/// if it is released.
#[tokio::test]
async fn a_hold_binds_through_the_end_of_its_last_day() {
    for (until, last, first) in [
        ("2026-11-23", "2026-11-23T23:59:59Z", "2026-11-24T00:00:00Z"),
        ("2026-06-23", "2026-06-23T22:59:59Z", "2026-06-23T23:00:00Z"),
    ] {
        for released in [false, true] {
            let url = open().await;
            let (table, any) = ("letter".parse().unwrap(), key("1"));
            let until = day(until);
            let mut hold = NewHold::on_record(&table, &any, "foi");
            if released {
                hold.not_before = until.succ_opt();
            } else {
                hold.until = Some(until);
            }
            let mut conn = support::ours(&url).await;
            let placed = support::at("2026-01-01");
            let id = review::place_hold(&mut conn, &hold, "test", placed)
                .await
                .unwrap();
            if released {
                review::release_hold(&mut conn, id, "answered", "test", placed)
                    .await
                    .unwrap();
            }
            for (now, letters) in [(last, 1), (first, 0)] {
                let mut run = Run::new(&url, &schedule(), TODAY);
                run.now = now.parse().unwrap();
                let today = run
                    .now
                    .with_timezone(&chrono_tz::Europe::London)
                    .date_naive();
                let over = review::note_expired(&mut conn, today, "test", run.now)
                    .await
                    .unwrap();
                assert_eq!(over, u64::from(letters == 0 && !released));
                run.go().await;
                assert_eq!(
                    support::number(&url, "SELECT count(*) FROM letter").await,
                    letters
                );
            }
            let entries = stage::entries(&url, "hold-expired").await;
            assert_eq!(entries.len(), usize::from(!released));
        }
    }
}

/// Letters wait for a review; the rest goes.
fn reviewed(more: &str) -> String {
    schedule().replacen(
        "subject = \"person\"\n",
        &format!("gate = \"review\"\n{more}"),
        1,
    )
}

async fn queue(url: &str, toml: &str, class: &str) -> Vec<(String, Option<String>)> {
    let mut conn = support::ours(url).await;
    let drawn = survey::draw(&mut conn, &support::schedule(toml), support::at(TODAY))
        .await
        .unwrap();
    let class = drawn
        .plan
        .classes()
        .iter()
        .find(|c| c.id.as_str() == class)
        .unwrap();
    let columns = survey::key_columns(&drawn.catalog, &class.table).unwrap();
    let page = survey::queue(&mut conn, class, &columns, &Ask::default(), None)
        .await
        .unwrap();
    let day = drawn.plan.on();
    survey::show(&mut conn, class, &columns, day, &page.records)
        .await
        .unwrap()
        .into_iter()
        .map(|one| (one.key.to_texts().concat(), one.void))
        .collect()
}

/// What a reviewer sees and decides.
async fn decide(
    url: &str,
    toml: &str,
    class: &str,
    ids: &[&str],
    decision: Decision<'_>,
    by: &str,
) {
    let mut conn = support::ours(url).await;
    let parsed = support::schedule(toml);
    let drawn = survey::draw(&mut conn, &parsed, support::at(TODAY))
        .await
        .unwrap();
    let planned = drawn
        .plan
        .classes()
        .iter()
        .find(|c| c.id.as_str() == class)
        .unwrap();
    let columns = survey::key_columns(&drawn.catalog, &planned.table).unwrap();
    let queued = survey::queue(&mut conn, planned, &columns, &Ask::default(), None)
        .await
        .unwrap()
        .records;
    let records: Vec<ReviewedRecord> = queued
        .into_iter()
        .filter(|one| ids.contains(&&*one.key.to_texts().concat()))
        .map(|one| ReviewedRecord {
            key: one.key,
            trigger: one.trigger,
            last_day: one.last_day,
        })
        .collect();
    assert_eq!(records.len(), ids.len());
    let id = ClassId::new(class).unwrap();
    let new = NewReview {
        class: &id,
        table: &planned.table,
        class_digest: parsed.class(&id).unwrap().digest(),
        records: &records,
        decision,
        reason: "MARK-reviewed",
    };
    review::review(&mut conn, &new, by, support::at(TODAY))
        .await
        .unwrap();
}

async fn letters(url: &str) -> Vec<String> {
    support::texts(url, "SELECT id::text FROM letter ORDER BY id").await
}

#[tokio::test]
async fn an_approval_lets_its_record_go_once() {
    let url = open().await;
    let toml = reviewed("");
    Run::new(&url, &toml, TODAY).go().await;
    assert_eq!(letters(&url).await, ["1", "2", "3"]);
    let planned = Run::new(&url, &toml, TODAY).planned().await;
    decide(&url, &toml, "letters", &["2"], Decision::Approve, "Jo").await;
    // Given between plan and batch: the plan is drawn again.
    planned.go().await;
    assert_eq!(letters(&url).await, ["1", "3"]);
    // Another record that is given the number, with the same day, waits for a review of its own.
    support::sql(
        &url,
        "INSERT INTO letter VALUES (2, 'p3', 'b', '2010-01-01')",
    )
    .await;
    Run::new(&url, &toml, TODAY).go().await;
    assert_eq!(letters(&url).await, ["1", "2", "3"]);
    assert_eq!(queue(&url, &toml, "letters").await.len(), 3);
}

#[tokio::test]
async fn what_changed_since_is_not_approved_and_is_queued_with_the_reason() {
    let url = open().await;
    let toml = reviewed("");
    decide(
        &url,
        &toml,
        "letters",
        &["1", "2", "3"],
        Decision::Approve,
        "Jo",
    )
    .await;
    assert_eq!(queue(&url, &toml, "letters").await, []);
    support::sql(
        &url,
        "UPDATE letter SET closed_on = '2011-01-01' WHERE id = 1",
    )
    .await;
    let first = (
        "1".to_owned(),
        Some(
            "Jo had approved it (review 1): its trigger was 2010-01-01 and is 2011-01-01"
                .to_owned(),
        ),
    );
    assert_eq!(queue(&url, &toml, "letters").await, [first]);
    // Another period is another last day, for every one of them.
    let shorter = toml.replace("8 years", "7 years");
    let reasons = queue(&url, &shorter, "letters").await;
    assert_eq!(reasons.len(), 3);
    assert!(
        reasons[0]
            .1
            .as_ref()
            .unwrap()
            .ends_with("its last day was 2018-01-01 and is 2017-01-01")
    );
    // The same days, and another rule.
    let other = toml.replacen(
        "period = \"8 years\"",
        "period = \"8 years\"\ntolerance = \"3 days\"",
        1,
    );
    let reasons = queue(&url, &other, "letters").await;
    assert!(
        reasons[1]
            .1
            .as_ref()
            .unwrap()
            .ends_with("the schedule says something else of its class")
    );
    Run::new(&url, &other, TODAY).go().await;
    assert_eq!(letters(&url).await, ["1", "2", "3"]);
    Run::new(&url, &toml, TODAY).go().await;
    assert_eq!(letters(&url).await, ["1"]);
}

#[tokio::test]
async fn two_different_people_have_to_approve_where_the_class_says_so() {
    let url = open().await;
    let toml = reviewed("approvals = 2\n");
    for (by, left) in [("Jo", 3), ("Jo", 3), ("Kim", 2)] {
        decide(&url, &toml, "letters", &["1"], Decision::Approve, by).await;
        Run::new(&url, &toml, TODAY).go().await;
        assert_eq!(letters(&url).await.len(), left, "{by}");
    }
}

#[tokio::test]
async fn what_is_kept_or_revoked_is_asked_about_again() {
    let url = open().await;
    let toml = reviewed("");
    decide(&url, &toml, "letters", &["1", "2"], Decision::Approve, "Jo").await;
    let mut conn = support::ours(&url).await;
    let (class, table) = (ClassId::new("letters").unwrap(), "letter".parse().unwrap());
    let record = |id: &str| ReviewedRecord {
        key: key(id),
        trigger: None,
        last_day: None,
    };
    for (id, decision) in [
        ("1", Decision::Revoke),
        ("2", Decision::Keep(day("2026-11-30"))),
    ] {
        let new = NewReview {
            class: &class,
            table: &table,
            class_digest: &[0; 32],
            records: &[record(id)],
            decision,
            reason: "no",
        };
        review::review(&mut conn, &new, "Jo", support::at(TODAY))
            .await
            .unwrap();
    }
    for (today, waits) in [(TODAY, 2), ("2026-12-01", 3)] {
        let report = Run::new(&url, &toml, today).go().await;
        assert_eq!(letters(&url).await.len(), 3);
        assert_eq!(stage::any(&report, "letters").waiting, waits);
    }
}

/// Every claim binds its gate, and so does that of what hangs on the record.
#[tokio::test]
async fn every_gate_on_the_way_has_to_be_opened() {
    let second = stage::class(
        "second",
        "table = \"letter\"\ntrigger = \"closed_on\"\nperiod = \"2 years\"\ndisposal = \"delete\"\ngate = \"review\"\ndependants = [\"page\", { table = \"request\", action = \"unlink\" }]\n",
    );
    let pages = stage::class(
        "pages",
        "table = \"page\"\ntrigger = 2010-01-01\nperiod = \"1 year\"\ndisposal = \"delete\"\ngate = \"review\"\n",
    );
    let toml = format!("{}{second}{pages}", reviewed(""));
    let url = open().await;
    for (class, id, left) in [("letters", "1", 3), ("second", "1", 3), ("pages", "11", 2)] {
        Run::new(&url, &toml, TODAY).go().await;
        assert_eq!(letters(&url).await.len(), 3, "{class}");
        decide(&url, &toml, class, &[id], Decision::Approve, "Jo").await;
        Run::new(&url, &toml, TODAY).only("letters").go().await;
        assert_eq!(letters(&url).await.len(), left, "{class}");
    }
    // Of both classes on the table, since both served.
    let used = "SELECT string_agg(class_id, ' ' ORDER BY class_id) FROM retentiond.approval WHERE run_id IS NOT NULL";
    assert_eq!(support::texts(&url, used).await, ["letters second"]);
}

#[tokio::test]
async fn an_approval_outlives_a_notice() {
    let url = open().await;
    let toml = reviewed("notice = \"3 days\"\n");
    decide(&url, &toml, "letters", &["1"], Decision::Approve, "Jo").await;
    for (today, left) in [(TODAY, 3), ("2026-11-25", 3), ("2026-11-27", 2)] {
        Run::new(&url, &toml, today).go().await;
        assert_eq!(letters(&url).await.len(), left, "{today}");
    }
}

#[tokio::test]
async fn an_order_covers_a_class_until_it_ends_or_is_withdrawn() {
    let toml = schedule().replacen("subject = \"person\"\n", "gate = \"instruction\"\n", 1);
    let class = ClassId::new("letters").unwrap();
    let url = open().await;
    let mut conn = support::ours(&url).await;
    let mut order = NewInstruction {
        class: &class,
        by: "MARK-controller",
        reference: "MARK-letter",
        until: Some(day("2026-11-22")),
    };
    let now = support::at("2026-11-20");
    review::instruct(&mut conn, &order, "test", now)
        .await
        .unwrap();
    Run::new(&url, &toml, TODAY).go().await;
    assert_eq!(letters(&url).await.len(), 3);
    order.until = None;
    review::instruct(&mut conn, &order, "test", now)
        .await
        .unwrap();
    review::withdraw(&mut conn, &class, "MARK-mistaken", "test", now)
        .await
        .unwrap();
    Run::new(&url, &toml, TODAY).go().await;
    assert_eq!(letters(&url).await.len(), 3);
    order.until = Some(day(TODAY));
    let planned = Run::new(&url, &toml, TODAY).planned().await;
    review::instruct(&mut conn, &order, "test", now)
        .await
        .unwrap();
    planned.go().await;
    assert_eq!(letters(&url).await.len(), 0);
}

#[tokio::test]
async fn what_is_paused_is_not_acted_on_and_protects() {
    let class = ClassId::new("letters").unwrap();
    for paused in [Some(&class), None] {
        let url = open().await;
        let planned = Run::new(&url, &schedule(), TODAY).planned().await;
        let mut conn = support::ours(&url).await;
        let now = support::at(TODAY);
        review::pause(&mut conn, paused, "MARK-moving", "test", now)
            .await
            .unwrap();
        planned.go().await;
        let left = left(&url).await;
        assert_eq!(left[..3].len(), 3);
        assert_eq!(letters(&url).await.len(), 3);
        assert_eq!(left.len(), if paused.is_some() { 3 } else { 7 }, "{left:?}");
        review::resume(&mut conn, paused, "test", now)
            .await
            .unwrap();
        Run::new(&url, &schedule(), TODAY).go().await;
        assert_eq!(letters(&url).await.len(), 0);
    }
}

/// One entry for each decision, without its words and with a hash over them.
#[tokio::test]
async fn the_ledger_has_each_decision_and_none_of_its_words() {
    let url = open().await;
    let toml = reviewed("");
    let id = place(
        &url,
        Form::Exemption,
        "visits",
        "visit",
        Some("kind = 'MARK-condition'"),
    )
    .await;
    release(&url, id).await;
    decide(
        &url,
        &toml,
        "letters",
        &["1"],
        Decision::HandOn("MARK-person"),
        "MARK-jo",
    )
    .await;
    decide(&url, &toml, "letters", &["1", "3"], Decision::Approve, "Jo").await;
    let actions = "SELECT string_agg(action, ' ' ORDER BY entry_id) FROM retentiond.ledger_entry";
    assert_eq!(
        support::texts(&url, actions).await,
        ["hold-placed hold-released handed-on approved"]
    );
    let text = "SELECT string_agg(encode(body, 'escape'), ' ') FROM retentiond.ledger_entry";
    let text = support::texts(&url, text).await.concat();
    for word in [
        "reference",
        "reason",
        "owner",
        "authority",
        "condition",
        "over",
        "person",
        "reviewed",
    ] {
        assert!(!text.contains(&format!("MARK-{word}")), "{word}");
    }
    // Whoever decided is the entry's actor, which is a name of the system.
    assert!(text.contains("MARK-actor"));
    let salt: Vec<u8> = sqlx::query_scalar("SELECT salt FROM retentiond.hold")
        .fetch_one(&mut support::client(&url).await)
        .await
        .unwrap();
    let mut bytes = [b"retentiond commitment v1\n".to_vec(), salt].concat();
    for word in [
        "by",
        "MARK-actor",
        "reference",
        "MARK-reference",
        "reason",
        "MARK-reason",
        "owner",
        "MARK-owner",
        "authority",
        "MARK-authority",
        "condition",
        "kind = 'MARK-condition'",
    ] {
        bytes.push(u8::try_from(word.len()).unwrap());
        bytes.extend(word.bytes());
    }
    assert!(text.contains(&hex::encode(Sha256::digest(&bytes))));
    let records = support::ledger(&url).await;
    let approved = records
        .iter()
        .find(|entry| entry["action"] == "approved")
        .unwrap();
    let shown: Vec<String> = approved["records"]
        .as_array()
        .unwrap()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        shown,
        [
            r#"{"key":{"id":1},"trigger":"2010-01-01","last_day":"2018-01-01"}"#,
            r#"{"key":{"id":3},"trigger":"2010-01-01","last_day":"2018-01-01"}"#
        ]
    );
}

#[tokio::test]
async fn fifty_thousand_records_are_decided_at_once() {
    let url = stage::database(
        "CREATE TABLE memo (id bigint PRIMARY KEY, made_on date);
         INSERT INTO memo SELECT n, date '2000-01-01' + n % 3000 FROM generate_series(1, 50000) n;
         CREATE INDEX ON memo (made_on); ANALYZE memo",
    )
    .await;
    let toml = format!(
        "{}{}",
        stage::HEAD,
        stage::class(
            "memos",
            "table = \"memo\"\ntrigger = \"made_on\"\nperiod = \"1 year\"\ndisposal = \"delete\"\ngate = \"review\"\n"
        )
    );
    let begun = std::time::Instant::now();
    let all = queue(&url, &toml, "memos").await;
    assert_eq!(all.len(), 50_000);
    println!("50,000 records are listed in {:?}", begun.elapsed());
    let begun = std::time::Instant::now();
    let mut conn = support::ours(&url).await;
    let parsed = support::schedule(&toml);
    let drawn = survey::draw(&mut conn, &parsed, support::at(TODAY))
        .await
        .unwrap();
    let planned = &drawn.plan.classes()[0];
    let columns = survey::key_columns(&drawn.catalog, &planned.table).unwrap();
    let records: Vec<ReviewedRecord> =
        survey::queue(&mut conn, planned, &columns, &Ask::default(), None)
            .await
            .unwrap()
            .records
            .into_iter()
            .map(|one| ReviewedRecord {
                key: one.key,
                trigger: one.trigger,
                last_day: one.last_day,
            })
            .collect();
    let new = NewReview {
        class: &planned.id,
        table: &planned.table,
        class_digest: parsed.classes()[0].digest(),
        records: &records[..49_999],
        decision: Decision::Approve,
        reason: "all of them but one",
    };
    review::review(&mut conn, &new, "Jo", support::at(TODAY))
        .await
        .unwrap();
    println!("49,999 of them are approved in {:?}", begun.elapsed());
    let begun = std::time::Instant::now();
    let report = Run::new(&url, &toml, TODAY).go().await;
    println!("and deleted in {:?}", begun.elapsed());
    assert_eq!(stage::any(&report, "memos").deleted, 49_999);
    assert_eq!(stage::any(&report, "memos").waiting, 1);
}
