//! For each way in which a record can go: nothing but a hold on one record saves what it saves,
//! whether it was placed before the plan or between the plan and the batch, and once it is
//! released that goes as well. (Holds on people, classes and conditions: tests/decisions.rs.)

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/stage.rs"]
mod stage;
mod support;

use std::collections::BTreeSet;
use std::path::Path;

use retentiond::review::{self, NewErasure};
use sqlx::Connection;
use stage::Run;

const TODAY: &str = "2026-11-23";

/// Of everything there are two: number 1, of which something will be held, and number 2.
const TABLES: &str = "
CREATE TABLE letter (id bigint PRIMARY KEY, closed_on date, path text);
CREATE TABLE page (id bigint PRIMARY KEY, letter_id bigint NOT NULL REFERENCES letter ON DELETE CASCADE);
CREATE TABLE mark (id bigint PRIMARY KEY, page_id bigint NOT NULL REFERENCES page ON DELETE CASCADE);
CREATE TABLE request (id bigint PRIMARY KEY, letter_id bigint REFERENCES letter ON DELETE SET NULL);
CREATE TABLE form (id bigint PRIMARY KEY);
CREATE TABLE photo (id bigint PRIMARY KEY, form_id bigint REFERENCES form, taken_on date);
CREATE TABLE applicant (id bigint PRIMARY KEY, name text, decided_on date);
CREATE TABLE visit (id bigint PRIMARY KEY, made_on date);
CREATE TABLE note (id bigint PRIMARY KEY, written_on date, body text);
CREATE TABLE mail (id bigint PRIMARY KEY, answers bigint REFERENCES mail, sent_on date);
CREATE TABLE consent (id bigint PRIMARY KEY, given_on date, withdrawn boolean NOT NULL);
CREATE TABLE member (id bigint PRIMARY KEY, person text, left_on date);
CREATE TABLE remark (id bigint PRIMARY KEY, about text, about_id bigint);
CREATE INDEX ON page (letter_id); CREATE INDEX ON mark (page_id); CREATE INDEX ON request (letter_id);
CREATE INDEX ON photo (form_id); CREATE INDEX ON mail (answers); CREATE INDEX ON remark (about, about_id);
INSERT INTO letter SELECT n, '2010-01-01', 'letter' || n FROM generate_series(1, 2) AS n;
INSERT INTO page SELECT n, n FROM generate_series(1, 2) AS n;
INSERT INTO mark SELECT n, n FROM generate_series(1, 2) AS n;
INSERT INTO request SELECT n, n FROM generate_series(1, 2) AS n;
INSERT INTO form SELECT n FROM generate_series(1, 2) AS n;
INSERT INTO photo SELECT n, n, '2010-01-01' FROM generate_series(1, 2) AS n;
INSERT INTO applicant SELECT n, 'Ann', '2010-01-01' FROM generate_series(1, 2) AS n;
INSERT INTO visit SELECT n, '2010-01-01' FROM generate_series(1, 2) AS n;
INSERT INTO note SELECT n, '2025-01-01', 'x' FROM generate_series(1, 2) AS n;
INSERT INTO mail SELECT n, NULL, '2010-01-01' FROM generate_series(1, 2) AS n;
INSERT INTO mail SELECT 10 + n, n, '2010-01-01' FROM generate_series(1, 2) AS n;
INSERT INTO consent SELECT n, '2026-11-01', true FROM generate_series(1, 2) AS n;
INSERT INTO member SELECT n, 'p' || n, NULL FROM generate_series(1, 2) AS n;
INSERT INTO remark SELECT n, 'letter', n FROM generate_series(1, 2) AS n;
";

const NAMES: [&str; 13] = [
    "letter",
    "page",
    "mark",
    "request",
    "form",
    "photo",
    "applicant",
    "visit",
    "note",
    "mail",
    "consent",
    "member",
    "remark",
];

fn schedule() -> String {
    let classes = [
        (
            "letters",
            "table = \"letter\"\ntrigger = \"closed_on\"\nperiod = \"8 years\"\ndisposal = \"delete\"\nfiles = [{ column = \"path\", store = \"box\" }]\ndependants = [\"page\", \"mark\", { table = \"request\", action = \"unlink\" }, { table = \"remark\", on = \"about_id = id\", where = \"about = 'letter'\" }]\n",
        ),
        (
            "photos",
            "table = \"photo\"\ntrigger = \"taken_on\"\nperiod = \"4 years\"\nlimit = \"maximum\"\ndisposal = \"delete\"\ndependants = [\"form\"]\n",
        ),
        (
            "applicants",
            "table = \"applicant\"\ntrigger = \"decided_on\"\nperiod = \"6 months\"\ndisposal = \"anonymise\"\nanonymise = { name = \"redact\" }\n",
        ),
        (
            "visits",
            "table = \"visit\"\ntrigger = \"made_on\"\nperiod = \"1 year\"\ndisposal = \"flag\"\n",
        ),
        (
            "notes",
            "table = \"note\"\ntrigger = \"written_on\"\nperiod = \"5 years\"\ndisposal = \"delete\"\nstages = [{ after = \"1 year\", disposal = \"anonymise\", anonymise = { body = \"redact\" } }]\n",
        ),
        (
            "mails",
            "table = \"mail\"\ntrigger = \"sent_on\"\nperiod = \"1 year\"\ndisposal = \"delete\"\ndependants = [\"mail\"]\n",
        ),
        (
            "consents",
            "table = \"consent\"\ntrigger = \"given_on\"\nperiod = \"4 years\"\nor_when = \"withdrawn\"\ndisposal = \"delete\"\n",
        ),
        (
            "members",
            "table = \"member\"\nsubject = \"person\"\ntrigger = \"left_on\"\nperiod = \"4 years\"\ndisposal = \"delete\"\n",
        ),
    ];
    let classes: String = classes
        .iter()
        .map(|(id, rest)| stage::class(id, rest))
        .collect();
    format!("{}{classes}", stage::HEAD)
}

/// The record that is held, and everything that this saves.
const WAYS: [(&str, &str, &[&str]); 14] = [
    // By its own class: a deletion, with what hangs on it, is unlinked from it, and its file.
    (
        "letter",
        "1",
        &[
            "file 1",
            "letter 1",
            "mark 1",
            "page 1",
            "remark 1",
            "request 1",
        ],
    ),
    // With its record, by a foreign key that would cascade; that waits too.
    (
        "page",
        "1",
        &[
            "file 1",
            "letter 1",
            "mark 1",
            "page 1",
            "remark 1",
            "request 1",
        ],
    ),
    // With what hangs on its record.
    (
        "mark",
        "1",
        &[
            "file 1",
            "letter 1",
            "mark 1",
            "page 1",
            "remark 1",
            "request 1",
        ],
    ),
    // By an emptied link.
    (
        "request",
        "1",
        &[
            "file 1",
            "letter 1",
            "mark 1",
            "page 1",
            "remark 1",
            "request 1",
        ],
    ),
    // With its record, by a relation that only the schedule knows.
    (
        "remark",
        "1",
        &[
            "file 1",
            "letter 1",
            "mark 1",
            "page 1",
            "remark 1",
            "request 1",
        ],
    ),
    // After the last that refers to it.
    ("form", "1", &["form 1", "photo 1"]),
    // By a maximum.
    ("photo", "1", &["form 1", "photo 1"]),
    ("applicant", "1", &["applicant 1"]),
    ("visit", "1", &["visit 1"]),
    // By a stage.
    ("note", "1", &["note 1"]),
    // A reply with what it answers, and what was answered.
    ("mail", "11", &["mail 1", "mail 11"]),
    ("mail", "1", &["mail 1"]),
    // At once.
    ("consent", "1", &["consent 1"]),
    // At a person's request.
    ("member", "1", &["member 1"]),
];

/// What is as it was: anonymised, flagged and unlinked counts as gone.
async fn left(url: &str, folder: &Path) -> BTreeSet<String> {
    let rows = support::texts(
        url,
        "SELECT t || ' ' || id FROM (
             SELECT 'letter' AS t, id FROM letter UNION ALL SELECT 'page', id FROM page
             UNION ALL SELECT 'mark', id FROM mark UNION ALL SELECT 'remark', id FROM remark
             UNION ALL SELECT 'request', id FROM request WHERE letter_id IS NOT NULL
             UNION ALL SELECT 'form', id FROM form UNION ALL SELECT 'photo', id FROM photo
             UNION ALL SELECT 'applicant', id FROM applicant WHERE name = 'Ann'
             UNION ALL SELECT 'visit', id FROM visit AS v WHERE NOT EXISTS
                 (SELECT FROM retentiond.flag WHERE class_id = 'visits' AND key = ARRAY[v.id::text])
             UNION ALL SELECT 'note', id FROM note WHERE body = 'x'
             UNION ALL SELECT 'mail', id FROM mail UNION ALL SELECT 'consent', id FROM consent
             UNION ALL SELECT 'member', id FROM member) AS x",
    )
    .await;
    let files = (1..=2).filter(|n| folder.join(format!("letter{n}")).exists());
    rows.into_iter()
        .chain(files.map(|n| format!("file {n}")))
        .collect()
}

/// The database with both people's requests, and the folder with the letters' files.
async fn open() -> (String, tempfile::TempDir) {
    let url = stage::database(TABLES).await;
    let folder = tempfile::tempdir().unwrap();
    for n in 1..=2 {
        std::fs::write(folder.path().join(format!("letter{n}")), "x").unwrap();
    }
    let mut conn = support::ours(&url).await;
    for person in ["p1", "p2"] {
        let new = NewErasure {
            subject: person,
            hash: "hmac:00000000:00",
            requested_on: TODAY.parse().unwrap(),
            basis: "Art 17",
            reference: "SR",
        };
        review::request_erasure(&mut conn, &new, "test", support::at(TODAY))
            .await
            .unwrap();
    }
    conn.close().await.unwrap();
    (url, folder)
}

#[tokio::test]
async fn without_a_hold_everything_goes() {
    let (url, folder) = open().await;
    let stores = support::store("box", folder.path());
    assert_eq!(left(&url, folder.path()).await.len(), 30);
    let rows = stage::rows(&url, &NAMES).await;
    Run::new(&url, &schedule(), TODAY)
        .stores(&stores)
        .go()
        .await;
    assert_eq!(left(&url, folder.path()).await, BTreeSet::new());
    stage::assert_told(&url, &rows, &NAMES).await;
}

#[tokio::test]
async fn only_a_hold_saves_a_record_and_what_it_belongs_to() {
    saves(false).await;
}

#[tokio::test]
async fn a_hold_that_comes_between_plan_and_batch_saves_as_much() {
    saves(true).await;
}

async fn saves(after_the_plan: bool) {
    for (table, key, saved) in WAYS {
        let what = format!("{table} {key}");
        let (url, folder) = open().await;
        let stores = support::store("box", folder.path());
        let rows = stage::rows(&url, &NAMES).await;
        let mut run = Run::new(&url, &schedule(), TODAY).stores(&stores);
        if after_the_plan {
            run = run.planned().await;
        }
        let hold = support::hold(&url, &format!("public.{table}"), &[key], None).await;
        run.go().await;
        let saved: BTreeSet<String> = saved.iter().map(|one| (*one).to_owned()).collect();
        assert_eq!(left(&url, folder.path()).await, saved, "{what}");
        stage::assert_told(&url, &rows, &NAMES).await;
        let mut conn = support::ours(&url).await;
        review::release_hold(&mut conn, hold, "over", "test", support::at(TODAY))
            .await
            .unwrap();
        conn.close().await.unwrap();
        Run::new(&url, &schedule(), TODAY)
            .stores(&stores)
            .go()
            .await;
        assert_eq!(left(&url, folder.path()).await, BTreeSet::new(), "{what}");
    }
}
