//! A ticket system in the style of Request Tracker: tickets, their transactions (which users
//! have too), what is attached to those, and no foreign key anywhere.

use crate::asking::{TODAY, counts, dependants, explain, lines, parent};
use crate::stage::{self, HEAD, Run, class, of};
use crate::support;

pub const TABLES: [&str; 5] = [
    "tickets",
    "users",
    "transactions",
    "attachments",
    "customfieldvalues",
];

/// Tickets 1 and 2 are past, 3 is not yet, 4 is open. Ticket and user 1 share their number.
pub const SQL: &str = "
CREATE TABLE tickets (id serial PRIMARY KEY, status varchar(64), resolved timestamptz);
CREATE INDEX ON tickets (resolved);
CREATE TABLE users (id serial PRIMARY KEY, name varchar(200) NOT NULL);
CREATE TABLE transactions (id serial PRIMARY KEY, objecttype varchar(64), objectid integer, type varchar(20));
CREATE INDEX ON transactions (objecttype, objectid);
CREATE TABLE attachments (id serial PRIMARY KEY, transactionid integer, filename varchar(255));
CREATE INDEX ON attachments (transactionid);
CREATE TABLE customfieldvalues (id serial PRIMARY KEY, objecttype varchar(255), objectid integer, content text);
CREATE INDEX ON customfieldvalues (objecttype, objectid);

INSERT INTO users VALUES (1, 'root');
INSERT INTO tickets VALUES (1, 'resolved', '2020-01-01 12:00Z'), (2, 'resolved', '2020-02-01 12:00Z'),
    (3, 'resolved', '2026-11-01 12:00Z'), (4, 'open', NULL);
INSERT INTO transactions VALUES
    (11, 'RT::Ticket', 1, 'Create'), (12, 'RT::Ticket', 1, 'Correspond'),
    (13, 'RT::User', 1, 'Set'), (14, NULL, 1, 'Set'),
    (21, 'RT::Ticket', 2, 'Create'), (31, 'RT::Ticket', 3, 'Create'), (99, 'RT::Ticket', NULL, 'Create');
INSERT INTO attachments VALUES (111, 11, NULL), (112, 11, 'scan.pdf'), (121, 12, NULL), (131, 13, NULL),
    (141, 14, NULL), (211, 21, 'evidence.pdf'), (311, 31, NULL), (999, NULL, NULL);
INSERT INTO customfieldvalues VALUES (1001, 'RT::Ticket', 1, 'x'), (1002, 'RT::User', 1, 'x'), (3001, 'RT::Ticket', 3, 'x');
";

pub fn tickets() -> String {
    class(
        "tickets",
        r#"table = "tickets"
where = "status = 'resolved'"
trigger = "resolved"
period = "1 year"
disposal = "delete"
dependants = [
    { table = "transactions", on = "objectid = id", where = "objecttype = 'RT::Ticket'" },
    { table = "attachments", on = "transactionid = transactions.id" },
    { table = "customfieldvalues", on = "objectid = id", where = "objecttype = 'RT::Ticket'" },
]"#,
    )
}

pub fn schedule() -> String {
    format!("{HEAD}{}", tickets())
}

/// What is left once tickets 1 and 2 have gone: the user's share, what has no known owner,
/// and all of ticket 3.
pub const LEFT: [&str; 13] = [
    "attachments 131",
    "attachments 141",
    "attachments 311",
    "attachments 999",
    "customfieldvalues 1002",
    "customfieldvalues 3001",
    "tickets 3",
    "tickets 4",
    "transactions 13",
    "transactions 14",
    "transactions 31",
    "transactions 99",
    "users 1",
];

pub async fn left(url: &str) -> Vec<String> {
    let rows = stage::names(&stage::rows(url, &TABLES).await);
    rows.into_iter().collect()
}

#[tokio::test]
async fn what_the_schedule_relates_goes_with_its_record_and_is_named() {
    let url = stage::database(SQL).await;
    let before = stage::rows(&url, &TABLES).await;

    // Counted by plain SQL, with the numbers worked by hand.
    let counted = counts(&url, &schedule(), "tickets").await;
    assert_eq!(counted.counts.as_ref().unwrap().due, 2);
    let gone = "SELECT id FROM tickets WHERE status = 'resolved' AND resolved < '2025-11-23Z'";
    let transactions = format!(
        "SELECT id FROM transactions WHERE objecttype = 'RT::Ticket' AND objectid IN ({gone})"
    );
    for (table, sql, rows) in [
        ("transactions", transactions.clone(), 3),
        (
            "attachments",
            format!("SELECT id FROM attachments WHERE transactionid IN ({transactions})"),
            4,
        ),
        (
            "customfieldvalues",
            format!(
                "SELECT id FROM customfieldvalues WHERE objecttype = 'RT::Ticket' AND objectid IN ({gone})"
            ),
            1,
        ),
    ] {
        let plain = support::number(&url, &format!("SELECT count(*) FROM ({sql}) q")).await;
        assert_eq!(plain, rows, "{table}");
        assert_eq!(
            dependants(&counted)[table],
            u64::try_from(rows).unwrap(),
            "{table}"
        );
    }

    let report = Run::new(&url, &schedule(), TODAY).go().await;
    let tickets = of(&report, "tickets");
    assert_eq!(
        (tickets.deleted, tickets.dependants, tickets.failed),
        (2, 8, 0)
    );
    assert_eq!(left(&url).await, LEFT);
    assert_eq!(
        lines(&url).await,
        [
            "deleted attachments 111 of 11 counted from 2020-01-01",
            "deleted attachments 112 of 11 counted from 2020-01-01",
            "deleted attachments 121 of 12 counted from 2020-01-01",
            "deleted attachments 211 of 21 counted from 2020-02-01",
            "deleted customfieldvalues 1001 of 1 counted from 2020-01-01",
            "deleted tickets 1 counted from 2020-01-01",
            "deleted tickets 2 counted from 2020-02-01",
            "deleted transactions 11 of 1 counted from 2020-01-01",
            "deleted transactions 12 of 1 counted from 2020-01-01",
            "deleted transactions 21 of 2 counted from 2020-02-01",
        ]
    );
    stage::assert_told(&url, &before, &TABLES).await;
}

#[tokio::test]
async fn one_row_at_a_time_they_go_as_well() {
    let url = stage::database(SQL).await;
    let before = stage::rows(&url, &TABLES).await;
    let report = Run::new(&url, &schedule(), TODAY).batches_of(1).go().await;
    assert_eq!(of(&report, "tickets").batches, 2);
    assert_eq!(left(&url).await, LEFT);
    stage::assert_told(&url, &before, &TABLES).await;
}

#[tokio::test]
async fn explain_names_the_record_that_a_row_hangs_on() {
    let url = stage::database(SQL).await;
    for (table, id, owner, state) in [
        ("transactions", 11, Some("tickets 1"), "due"),
        ("attachments", 211, Some("tickets 2"), "due"),
        ("attachments", 311, Some("tickets 3"), "kept"),
        ("customfieldvalues", 3001, Some("tickets 3"), "kept"),
        // A user's, or nobody's.
        ("transactions", 13, None, "unclaimed"),
        ("transactions", 14, None, "unclaimed"),
        ("transactions", 99, None, "unclaimed"),
        ("attachments", 131, None, "unclaimed"),
    ] {
        let answer = explain(&url, &schedule(), table, id).await;
        assert_eq!(parent(&answer).as_deref(), owner, "{table} {id}");
        assert_eq!(answer.state, state, "{table} {id}");
    }
}

#[tokio::test]
async fn a_hold_on_what_hangs_on_a_ticket_keeps_it_and_all_of_it() {
    let url = stage::database(SQL).await;
    support::hold(&url, "attachments", &["211"], None).await;
    // A user's attachment is nobody's that goes.
    support::hold(&url, "attachments", &["131"], None).await;
    let counted = counts(&url, &schedule(), "tickets").await;
    let found = counted.counts.as_ref().unwrap();
    assert_eq!((found.due, found.held), (1, 1));
    assert_eq!(dependants(&counted)["transactions"], 2);
    let report = Run::new(&url, &schedule(), TODAY).go().await;
    let tickets = of(&report, "tickets");
    assert_eq!(
        (tickets.deleted, tickets.dependants, tickets.skipped.held),
        (1, 6, 1)
    );
    let mut expected: Vec<&str> = LEFT.to_vec();
    expected.extend(["attachments 211", "tickets 2", "transactions 21"]);
    expected.sort_unstable();
    assert_eq!(left(&url).await, expected);
}

#[tokio::test]
async fn a_class_of_its_own_on_what_hangs_on_a_ticket_keeps_it() {
    let url = stage::database(SQL).await;
    let evidence = class(
        "evidence",
        r#"table = "attachments"
where = "filename = 'evidence.pdf'"
disposal = "retain"
owner = "a test"
reason = "a test""#,
    );
    let toml = format!("{}{evidence}", schedule());
    // A file name that is NULL may be that of the evidence: it protects.
    support::sql(
        &url,
        "UPDATE attachments SET filename = 'x' WHERE filename IS NULL",
    )
    .await;
    let counted = counts(&url, &toml, "tickets").await;
    let found = counted.counts.unwrap();
    assert_eq!((found.due, found.retained_by_other), (1, 1));
    let report = Run::new(&url, &toml, TODAY).go().await;
    assert_eq!(of(&report, "tickets").deleted, 1);
    let now = left(&url).await;
    assert!(now.contains(&"tickets 2".to_owned()) && now.contains(&"transactions 21".to_owned()));
    assert!(!now.contains(&"tickets 1".to_owned()));
}

#[tokio::test]
async fn a_row_of_a_dependant_table_that_changes_its_owner_is_judged_anew() {
    let url = stage::database(SQL).await;
    let run = Run::new(&url, &schedule(), TODAY).planned().await;
    support::sql(
        &url,
        "UPDATE transactions SET objecttype = 'RT::User' WHERE id = 12",
    )
    .await;
    run.go().await;
    let now = left(&url).await;
    assert!(
        now.contains(&"transactions 12".to_owned()) && now.contains(&"attachments 121".to_owned())
    );
    assert!(!now.contains(&"tickets 1".to_owned()) && !now.contains(&"transactions 11".to_owned()));
}

/// Two relations of one table, one that deletes and one that unlinks, and a key of two columns.
#[tokio::test]
async fn a_table_may_be_related_in_several_ways() {
    let tables = "
        CREATE TABLE ticket (id bigint PRIMARY KEY, closed_on date);
        CREATE INDEX ON ticket (closed_on);
        CREATE TABLE link (id bigint PRIMARY KEY, base bigint, target bigint, cites bigint);
        CREATE INDEX ON link (base);
        CREATE INDEX ON link (target);
        CREATE INDEX ON link (cites);
        INSERT INTO ticket VALUES (1, '2020-01-01'), (2, '2020-01-01'), (3, NULL), (4, NULL);
        INSERT INTO link VALUES (10, 1, 3, NULL), (11, 3, 1, NULL), (12, 1, 2, 1), (13, 3, 4, 2), (14, 3, NULL, 3);";
    let url = stage::database(tables).await;
    let toml = format!(
        "{HEAD}{}",
        class(
            "tickets",
            r#"table = "ticket"
trigger = "closed_on"
period = "1 year"
disposal = "delete"
dependants = [
    { table = "link", on = "base = id" },
    { table = "link", on = "target = id" },
    { table = "link", on = "cites = id", action = "unlink" },
]"#
        )
    );
    let before = stage::rows(&url, &["ticket", "link"]).await;
    let counted = counts(&url, &toml, "tickets").await;
    assert_eq!(dependants(&counted)["link"], 3);
    let report = Run::new(&url, &toml, TODAY).go().await;
    let tickets = of(&report, "tickets");
    assert_eq!(
        (tickets.deleted, tickets.dependants, tickets.unlinked),
        (2, 3, 1)
    );
    // Link 12 goes, and is not told twice though it cites a ticket that goes too.
    let told = lines(&url).await;
    assert_eq!(
        told.iter().filter(|line| line.contains("link 12")).count(),
        1,
        "{told:?}"
    );
    assert!(told.contains(&"unlinked link 13 of 2 counted from 2020-01-01".to_owned()));
    stage::assert_told(&url, &before, &["ticket", "link"]).await;
    assert_eq!(
        support::texts(
            &url,
            "SELECT id || ' ' || coalesce(cites::text, 'none') FROM link ORDER BY id"
        )
        .await,
        ["13 none", "14 3"]
    );
}

#[tokio::test]
async fn a_relation_may_have_several_columns() {
    let tables = "
        CREATE TABLE matter (office text, id integer, closed_on date, PRIMARY KEY (office, id));
        CREATE INDEX ON matter (closed_on);
        CREATE TABLE note (id bigint PRIMARY KEY, office varchar(10), matter bigint);
        CREATE INDEX ON note (office, matter);
        INSERT INTO matter VALUES ('north', 1, '2020-01-01'), ('south', 1, NULL), ('north', 2, '2020-01-01');
        -- The last one's number does not even fit into a matter's.
        INSERT INTO note VALUES (11, 'north', 1), (12, 'south', 1), (13, NULL, 1), (14, 'north', NULL), (15, 'north', 5000000000);";
    let url = stage::database(tables).await;
    let toml = format!(
        "{HEAD}{}",
        class(
            "matters",
            r#"table = "matter"
trigger = "closed_on"
period = "1 year"
disposal = "delete"
dependants = [{ table = "note", on = "matter = id AND office = matter.office" }]"#
        )
    );
    let counted = counts(&url, &toml, "matters").await;
    assert_eq!(dependants(&counted)["note"], 1);
    let report = Run::new(&url, &toml, TODAY).go().await;
    assert_eq!(
        (
            of(&report, "matters").deleted,
            of(&report, "matters").dependants
        ),
        (2, 1)
    );
    assert_eq!(
        support::texts(&url, "SELECT id::text FROM note ORDER BY id").await,
        ["12", "13", "14", "15"]
    );
}

#[tokio::test]
async fn a_number_that_fits_only_one_side_refers_to_nothing() {
    let tables = "
        CREATE TABLE letter (id bigint PRIMARY KEY, closed_on date);
        CREATE INDEX ON letter (closed_on);
        CREATE TABLE note (id bigint PRIMARY KEY, letter integer);
        CREATE INDEX ON note (letter);
        INSERT INTO letter VALUES (5000000000, '2020-01-01'), (7, '2020-01-01');
        INSERT INTO note VALUES (1, 7), (2, 8);";
    let url = stage::database(tables).await;
    let toml = format!(
        "{HEAD}{}",
        class(
            "letters",
            "table = \"letter\"\ntrigger = \"closed_on\"\nperiod = \"1 year\"\ndisposal = \"delete\"\n\
             dependants = [{ table = \"note\", on = \"letter = id\" }]"
        )
    );
    let report = Run::new(&url, &toml, TODAY).go().await;
    let letters = of(&report, "letters");
    assert_eq!(
        (letters.deleted, letters.dependants, letters.failed),
        (2, 1, 0)
    );
}

/// The consent forms of photos and films, which refer to them without a foreign key.
pub const SHARED: &str = "
CREATE TABLE form (id bigint PRIMARY KEY);
CREATE TABLE photo (id bigint PRIMARY KEY, captured_on date, form_id bigint);
CREATE INDEX ON photo (captured_on);
CREATE INDEX ON photo (form_id);
CREATE TABLE film (id bigint PRIMARY KEY, captured_on date, form_id bigint);
CREATE INDEX ON film (captured_on);
CREATE INDEX ON film (form_id);
INSERT INTO form VALUES (5), (6), (7), (8);
INSERT INTO photo VALUES (51, '2020-01-01', 5), (52, '2020-01-02', 5), (61, '2020-01-01', 6), (71, '2020-01-01', 7), (81, '2026-11-01', 8);
INSERT INTO film VALUES (72, '2020-01-01', 7), (62, '2026-11-01', 6), (1, '2020-01-01', NULL);
";

pub fn shared() -> String {
    let of = |id: &str, table: &str| {
        class(
            id,
            &format!(
                "table = \"{table}\"\ntrigger = \"captured_on\"\nperiod = \"1 year\"\ndisposal = \"delete\"\n\
                 dependants = [{{ table = \"form\", on = \"id = form_id\" }}]"
            ),
        )
    };
    format!("{HEAD}{}{}", of("photos", "photo"), of("films", "film"))
}

#[tokio::test]
async fn what_records_refer_to_goes_with_the_last_that_does() {
    let tables = ["form", "photo", "film"];
    let url = stage::database(SHARED).await;
    let before = stage::rows(&url, &tables).await;
    // Form 5 goes with its photos; 6 has a film that stays, 7 one of another class.
    let counted = counts(&url, &shared(), "photos").await;
    assert_eq!(
        (
            counted.counts.as_ref().unwrap().due,
            dependants(&counted)["form"]
        ),
        (4, 1)
    );
    let answer = explain(&url, &shared(), "form", 6).await;
    assert_eq!(
        (parent(&answer).as_deref(), answer.state),
        (Some("film 62"), "kept")
    );
    let answer = explain(&url, &shared(), "form", 5).await;
    assert_eq!(answer.state, "due");

    let report = Run::new(&url, &shared(), TODAY).go().await;
    assert_eq!(
        (of(&report, "photos").deleted, of(&report, "films").deleted),
        (4, 2)
    );
    // Whichever class comes second takes form 7.
    assert_eq!(
        of(&report, "photos").dependants + of(&report, "films").dependants,
        2
    );
    assert_eq!(
        support::texts(&url, "SELECT id::text FROM form ORDER BY id").await,
        ["6", "8"]
    );
    stage::assert_told(&url, &before, &tables).await;
    let told = lines(&url).await;
    assert!(
        told.contains(&"deleted form 5 of 51 counted from 2020-01-01".to_owned())
            || told.contains(&"deleted form 5 of 52 counted from 2020-01-02".to_owned()),
        "{told:?}"
    );
}

#[tokio::test]
async fn what_is_shared_may_be_told_apart_by_a_condition_of_its_own() {
    let url = stage::database(&format!(
        "{SHARED} ALTER TABLE form ADD kind text NOT NULL DEFAULT 'consent'; UPDATE form SET kind = 'licence' WHERE id = 5;"
    ))
    .await;
    let toml = shared().replace(
        "on = \"id = form_id\"",
        "on = \"id = form_id\", where = \"kind = 'consent'\"",
    );
    Run::new(&url, &toml, TODAY).go().await;
    assert_eq!(
        support::texts(&url, "SELECT id::text FROM form ORDER BY id").await,
        ["5", "6", "8"]
    );
}
