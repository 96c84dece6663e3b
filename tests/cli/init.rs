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
    assert_snapshot!(desk.run("init --tables member --tables letter --tables *log").out, @r#"
    # A first retention schedule, proposed by `retentiond init`
    #
    # It is a beginning and decides nothing. Every class below has `disposal = "flag"`: records
    # past their period are listed, and no record is touched, until a person changes that.
    # Columns were judged by their names and types alone; no record was read.
    #
    # What is yours to do, class by class:
    #   - is it right that these are records, and what are they called?      title
    #   - from which date is their period counted, and how long is it?       trigger, period
    #   - which document orders it?                                          authority
    #   - what happens then: "delete", "anonymise", "flag" or "retain"?      disposal
    # Delete a class that is none. What begins with PLACEHOLDER was written by no person.
    # Lines such as `# [class.anonymise]` are proposals: take the # away to use them.
    #
    # `retentiond check` tells what does not fit and what no class claims, `retentiond plan` how
    # many records there are and how many would be due. Neither changes anything.

    [schedule]
    organisation = "PLACEHOLDER: the name of your organisation"
    time_zone = "Europe/London"             # PLACEHOLDER: where your days begin and end
    every = "0 0 2 * * *"                   # second, minute, hour, day, month, weekday: at two each night


    # ----------------------------------------------------------------------------------------
    #
    # Table letter
    # Looks personal: `body` (free text).
    # Refers to member by `member_id` (a declared foreign key, ON DELETE CASCADE: the database
    # deletes these rows with it).

    [[class]]
    id = "letter"
    title = "PLACEHOLDER: what the records in letter are"
    table = "letter"
    trigger = "sent_at"                       # when it happened; a record without it is never due
    period = "6 years"                        # PLACEHOLDER: the usual limitation period in England
    disposal = "flag"
    authority = "PLACEHOLDER: the document that orders it"
    #
    # What refers to it, and so goes with a record or lets go of it when one is deleted. (A
    # class that only flags has no dependants.)
    # dependants = [
    #     { table = "enclosure", action = "unlink" },  # refers to letter, ON DELETE SET NULL
    # ]
    #
    # To take the person out of a record and keep the rest: `disposal = "anonymise"`, and
    # [class.anonymise]
    # body = "redact"                      # free text


    # ----------------------------------------------------------------------------------------
    #
    # Table member
    # Looks personal: `name` (a person's name), `email` (an email address), `date_of_birth` (a
    # date of birth), `postcode` (a postcode), `reply.to` (an email address).

    [[class]]
    id = "member"
    title = "PLACEHOLDER: what the records in member are"
    table = "member"
    trigger = "left_on"                       # when it ended; a record without it is never due
    # Other dates: `joined_on` (when it was made or begun); `updated_at` (when it was last
    # changed); not `date_of_birth`: a date of birth.
    # So that a record which was touched after that date is shown and not disposed of:
    # unless_active = ["updated_at"]
    period = "6 years"                        # PLACEHOLDER: the usual limitation period in England
    disposal = "flag"
    authority = "PLACEHOLDER: the document that orders it"
    #
    # What refers to it, and so goes with a record or lets go of it when one is deleted. (A
    # class that only flags has no dependants.)
    # dependants = [
    #     "letter",                                    # refers to member, ON DELETE CASCADE
    #     "survey_answer",                             # refers to member; it needs a primary key first
    #     { table = "enclosure", action = "unlink" },  # refers to letter, ON DELETE SET NULL
    # ]
    # What seems to refer to it by a column's name, though the database declares no foreign key.
    # Where that is so, the entries belong into `dependants` as well:
    #     { table = "call_log", on = "memberid = id" },
    #
    # To take the person out of a record and keep the rest: `disposal = "anonymise"`, and
    # [class.anonymise]
    # name = "redact"                      # a person's name, in a table about people
    # email = "null"                       # an email address
    # date_of_birth = "year"               # a date of birth
    # postcode = "area"                    # a postcode
    # No strategy fits: `reply.to` (its name has a dot in it).


    # ----------------------------------------------------------------------------------------
    #
    # Tables that are not proposed, and why
    #
    # Its dates are numbers, seconds since 1970 by their names, which are not supported yet (the
    # key `unit`):
    #     call_log: looks personal by `phone`; dated by `created`
    "#);
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
    assert_snapshot!(said, @r#"
    exit 0
    --- out
    A first schedule is in retention.toml, with 3 classes. 7 tables were not proposed; why not stands at its end.
    It only flags until you decide. `retentiond check` and `retentiond plan` show how it fits, and change nothing.
    "#);
    let (exit, checked) = desk.json("check");
    assert_eq!(exit, 0, "{checked}");
    // What nobody has decided yet is told, of each class once, and is no error.
    let undecided: Vec<&str> = checked["check"]["diagnostics"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|item| item["code"] == "R0171")
        .map(|item| item["message"].as_str().unwrap())
        .collect();
    assert_eq!(
        undecided,
        [
            "[schedule] still has what `init` proposed: `organisation`, `time_zone`",
            "class `odd-one-member` still has what `init` proposed: `title`, `period`, `authority`",
            "class `letter` still has what `init` proposed: `title`, `period`, `authority`",
            "class `member` still has what `init` proposed: `title`, `period`, `authority`",
        ]
    );
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
    assert_snapshot!(said, @r#"
    exit 2
    --- err
    error[R0411]: there is a file retention.toml already
    help: give --yes to replace it, or another name
    "#);
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
    assert_snapshot!(desk.run("init --tables nobody"), @r#"
    exit 2
    --- err
    error[R0301]: no table of the database matches `nobody`
    help: write a table as `name` or `schema.name`; `*` stands for any text
    "#);
    assert_snapshot!(desk.run("init"), @r#"
    exit 1
    --- err
    error[R0301]: nothing in the database could be proposed as a class
    help: a class needs a table with a primary key and a date; see that --database names the right one
    "#);
    let said = Desk::bare().run("init");
    assert_eq!(said.code, 2, "{said}");
}
