//! `init`: a first schedule that is accepted as it stands, and decides nothing.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::command::Desk;
use crate::support;

/// Members with their letters, a log that nobody related, and what cannot be proposed.
const TABLES: &str = r#"
    CREATE TABLE member (
        id integer PRIMARY KEY, name text NOT NULL, email text UNIQUE, date_of_birth date, postcode text,
        status text NOT NULL, joined_on date NOT NULL, left_on date, updated_at timestamp, "reply.to" text
    );
    CREATE TABLE letter (
        id integer PRIMARY KEY, member_id integer NOT NULL REFERENCES member ON DELETE CASCADE, body text NOT NULL, sent_at timestamptz
    );
    CREATE TABLE enclosure (id integer PRIMARY KEY, letter_id integer REFERENCES letter ON DELETE SET NULL, photo bytea);
    CREATE TABLE call_log (id integer PRIMARY KEY, memberid integer, phone text, created bigint);
    CREATE TABLE survey_answer (member_id integer REFERENCES member, email text, given_on date);
    CREATE TABLE colour (id integer PRIMARY KEY, name text);
    CREATE TABLE setting (id integer PRIMARY KEY, created_at timestamptz);
    CREATE VIEW members AS SELECT name FROM member;
    CREATE SCHEMA "odd ""one""";
    CREATE TABLE "odd ""one""".member (id integer PRIMARY KEY, email text, ended date);
    CREATE TABLE "a.b" (id integer PRIMARY KEY, email text, ended date);
"#;

async fn database() -> String {
    let url = support::database().await;
    support::sql(&url, TABLES).await;
    url
}

fn tables(answer: &Value, list: &str, what: &str) -> Vec<(String, Value)> {
    answer["init"][list]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["table"].as_str().unwrap().to_owned(), one[what].clone()))
        .collect()
}

#[tokio::test]
async fn what_is_proposed_and_what_is_not() {
    let url = database().await;
    let desk = Desk::bare().set("DATABASE_URL", &url);
    let (exit, answer) = desk.json("init");
    assert_eq!(exit, 0);
    let expect = |list: &[(&str, &str)]| -> Vec<(String, Value)> {
        list.iter()
            .map(|(table, what)| ((*table).to_owned(), json!(what)))
            .collect()
    };
    assert_eq!(
        tables(&answer, "classes", "trigger"),
        expect(&[
            ("odd \"one\".member", "ended"),
            ("public.letter", "sent_at"),
            ("public.member", "left_on"),
        ])
    );
    assert_eq!(
        tables(&answer, "not_proposed", "why"),
        expect(&[
            ("public.a.b", "unwritable"),
            ("public.call_log", "epoch-dates"),
            ("public.colour", "nothing"),
            ("public.enclosure", "no-date"),
            ("public.members", "view"),
            ("public.setting", "not-personal"),
            ("public.survey_answer", "no-primary-key"),
        ])
    );
    // Nothing in the database was made or changed, and the same is said again.
    assert_eq!(
        support::number(
            &url,
            "SELECT count(*) FROM pg_namespace WHERE nspname = 'retentiond'"
        )
        .await,
        0
    );
    assert_eq!(desk.json("init"), (0, answer));
}

#[tokio::test]
async fn the_file_in_whole() {
    let url = database().await;
    let desk = Desk::bare().set("DATABASE_URL", &url);
    assert_snapshot!(desk.run("init --tables member --tables letter --tables *log").out, @"");
}

#[tokio::test]
async fn the_file_is_accepted_and_planned_without_an_edit() {
    let url = database().await;
    support::sql(
        &url,
        "
        INSERT INTO member (id, name, status, joined_on, left_on) VALUES
            (1, 'a', 'left', '2001-01-01', '2010-01-01'), (2, 'b', 'member', '2001-01-01', NULL)",
    )
    .await;
    let desk = Desk::bare().set("DATABASE_URL", &url);
    let said = desk.run("init --output retention.toml");
    assert_snapshot!(said, @"");
    let said = desk.run("check");
    assert_eq!(said.code, 0, "{said}");
    let (exit, answer) = desk.json("plan --on 2026-11-23");
    assert_eq!(exit, 0);
    let member = answer["plan"]["classes"]
        .as_array()
        .unwrap()
        .iter()
        .find(|class| class["id"] == "member")
        .unwrap();
    assert_eq!(
        (
            &member["disposal"],
            &member["cutoff"],
            &member["claimed"],
            &member["due"],
            &member["without_trigger"]
        ),
        (
            &json!("flag"),
            &json!("2020-11-23"),
            &json!(2),
            &json!(1),
            &json!(1)
        )
    );
}

#[tokio::test]
async fn a_file_that_is_there_stays() {
    let url = database().await;
    let desk = Desk::with(&url, "# somebody's\n");
    let read = || std::fs::read_to_string(desk.folder().join("retention.toml")).unwrap();
    let said = desk.run("init --output retention.toml");
    assert_snapshot!(said, @"");
    assert_eq!(read(), "# somebody's\n");
    assert_eq!(
        desk.run("init --output retention.toml --yes --dry-run")
            .code,
        0
    );
    assert_eq!(read(), "# somebody's\n");
    let (exit, answer) = desk.json("init --output retention.toml --yes");
    assert_eq!(
        (exit, &answer["init"]["file"]),
        (0, &json!("retention.toml"))
    );
    assert!(read().starts_with("# A first retention schedule"));
}

#[tokio::test]
async fn what_cannot_be_done_is_said() {
    let url = support::database().await;
    let desk = Desk::bare().set("DATABASE_URL", &url);
    assert_snapshot!(desk.run("init --tables nobody"), @"");
    assert_snapshot!(desk.run("init"), @"");
    let said = Desk::bare().run("init");
    assert_eq!(said.code, 2, "{said}");
}
