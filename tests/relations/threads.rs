//! Rows that hang on rows of their own table: replies that answer messages.
//!
//! The class is on the messages themselves, so that each reply is judged by its own day as
//! well: a reply that its class still protects keeps what it answers, up to the root.

use crate::asking::{TODAY, counts, dependants, explain, lines, parent, remarks};
use crate::stage::{self, HEAD, Run, blocked, class, meddler, of};
use crate::support;

const TABLES: [&str; 2] = ["message", "attachment"];

/// Thread 1 is past as a whole, three levels deep, 13 in no class. Of thread 2 the reply 22
/// is recent, so that 2 and 21 stay, and 23 goes alone. 3 answers itself, 41 and 42 answer
/// each other, 5 answers nothing, and of 61 the parent has no day.
fn sql(on_delete: &str) -> String {
    format!(
        "
CREATE TABLE message (id bigint PRIMARY KEY, sent_on date, kind text NOT NULL DEFAULT 'message',
    reply_to bigint REFERENCES message {on_delete});
CREATE INDEX ON message (sent_on);
CREATE INDEX ON message (reply_to);
CREATE TABLE attachment (id bigint PRIMARY KEY, message_id bigint NOT NULL REFERENCES message ON DELETE CASCADE);
CREATE INDEX ON attachment (message_id);
INSERT INTO message VALUES
    (1, '2020-01-01', 'message', NULL), (11, '2020-02-01', 'message', 1), (12, '2020-03-01', 'message', 11),
    (13, NULL, 'draft', 12), (14, '2020-01-15', 'message', 1),
    (2, '2020-01-01', 'message', NULL), (21, '2020-02-01', 'message', 2), (22, '2026-11-01', 'message', 21),
    (23, '2020-02-01', 'message', 2),
    (3, '2020-01-01', 'message', 3),
    (41, '2020-01-01', 'message', NULL), (42, '2020-01-02', 'message', 41),
    (5, '2026-10-01', 'message', NULL),
    (6, NULL, 'message', NULL), (61, '2020-01-01', 'message', 6);
UPDATE message SET reply_to = 42 WHERE id = 41;
INSERT INTO attachment VALUES (101, 1), (112, 12), (113, 13), (123, 23), (122, 22), (103, 3);
"
    )
}

fn messages(dependants: &str) -> String {
    let rest = format!(
        "table = \"message\"\nwhere = \"kind = 'message'\"\ntrigger = \"sent_on\"\nperiod = \"1 year\"\ndisposal = \"delete\"\ndependants = [{dependants}]"
    );
    format!("{HEAD}{}", class("messages", &rest))
}

/// Replies go.
fn with_replies() -> String {
    messages("\"message\", \"attachment\"")
}

async fn left(url: &str) -> Vec<String> {
    let rows = stage::names(&stage::rows(url, &TABLES).await);
    rows.into_iter().collect()
}

const LEFT: [&str; 6] = [
    "attachment 122",
    "message 2",
    "message 21",
    "message 22",
    "message 5",
    "message 6",
];

/// With its parent, each reply that goes with a message. A message that is due itself is
/// counted from its own day, the draft from that of the first message that takes it along.
fn told(draft: &str) -> Vec<String> {
    let mut lines = [
        "deleted attachment 101 of 1 counted from 2020-01-01",
        "deleted attachment 103 of 3 counted from 2020-01-01",
        "deleted attachment 112 of 12 counted from 2020-01-01",
        "deleted attachment 113 of 13 counted from 2020-01-01",
        "deleted attachment 123 of 23 counted from 2020-02-01",
        "deleted message 1 counted from 2020-01-01",
        "deleted message 11 of 1 counted from 2020-02-01",
        "deleted message 12 of 11 counted from 2020-03-01",
        "deleted message 14 of 1 counted from 2020-01-15",
        "deleted message 23 counted from 2020-02-01",
        "deleted message 3 counted from 2020-01-01",
        "deleted message 41 of 42 counted from 2020-01-01",
        "deleted message 42 of 41 counted from 2020-01-02",
        "deleted message 61 counted from 2020-01-01",
    ]
    .map(str::to_owned)
    .to_vec();
    lines.push(draft.to_owned());
    lines.sort();
    lines
}

#[tokio::test]
async fn replies_go_with_their_root_and_one_that_is_protected_keeps_it() {
    for on_delete in [
        "",
        "ON DELETE CASCADE",
        "ON DELETE SET NULL",
        "ON DELETE RESTRICT",
    ] {
        for size in [1, 3, 1_000] {
            let url = stage::database(&sql(on_delete)).await;
            let before = stage::rows(&url, &TABLES).await;
            let report = Run::new(&url, &with_replies(), TODAY)
                .batches_of(size)
                .go()
                .await;
            let messages = of(&report, "messages");
            assert_eq!(left(&url).await, LEFT, "{on_delete} {size}");
            // Nine messages are due by themselves, the draft goes with them, and five attachments.
            assert_eq!(
                (
                    messages.deleted,
                    messages.dependants,
                    messages.failed,
                    messages.skipped.changed
                ),
                (9, 6, 0, 0),
                "{on_delete} {size}"
            );
            stage::assert_told(&url, &before, &TABLES).await;
            // In a batch of its own 41 is a record, and takes 42 along; together each hangs on the other.
            let alone = |line: String| line.replace("41 of 42", "41");
            let found: Vec<String> = lines(&url).await.into_iter().map(alone).collect();
            let told = told("deleted message 13 of 12 counted from 2020-01-01");
            let expected: Vec<String> = told.into_iter().map(alone).collect();
            assert_eq!(found, expected, "{on_delete} {size}");
        }
    }
}

#[tokio::test]
async fn the_plan_counts_what_the_pass_then_does() {
    let url = stage::database(&sql("")).await;
    let counted = counts(&url, &with_replies(), "messages").await;
    let found = counted.counts.as_ref().unwrap();
    // 2 and 21 are past and wait for 22; 5 and 22 are not; 6 has no day; 13 is not claimed.
    assert_eq!(
        (
            found.claimed,
            found.due,
            found.retained_by_other,
            found.without_trigger
        ),
        (14, 9, 2, 1)
    );
    assert_eq!(dependants(&counted)["message"], 1);
    assert_eq!(dependants(&counted)["attachment"], 5);
    // The same by plain SQL, from the other end: whoever has nobody recent below.
    let due = support::number(
        &url,
        "WITH RECURSIVE above AS (
            SELECT id, reply_to FROM message WHERE kind = 'message' AND (sent_on >= '2025-11-23' OR sent_on IS NULL)
             UNION SELECT m.id, m.reply_to FROM message m JOIN above a ON m.id = a.reply_to)
         SELECT count(*) FROM message
          WHERE kind = 'message' AND sent_on < '2025-11-23' AND id NOT IN (SELECT id FROM above)",
    )
    .await;
    assert_eq!(due, 9);
}

#[tokio::test]
async fn explain_follows_a_reply_upwards_and_circles_end() {
    let url = stage::database(&sql("")).await;
    for (table, id, owner, state) in [
        ("message", 12, Some("message 11"), "due"),
        ("message", 13, Some("message 12"), "due"),
        ("message", 21, Some("message 2"), "kept"),
        ("message", 22, Some("message 21"), "kept"),
        ("message", 1, None, "due"),
        ("message", 3, None, "due"),
        ("message", 41, Some("message 42"), "due"),
        ("attachment", 113, Some("message 13"), "due"),
        ("attachment", 122, Some("message 22"), "kept"),
    ] {
        let answer = explain(&url, &with_replies(), table, id).await;
        assert_eq!(parent(&answer).as_deref(), owner, "{table} {id}");
        assert_eq!(answer.state, state, "{table} {id}");
    }
}

#[tokio::test]
async fn a_hold_on_a_reply_or_on_what_is_attached_to_it_keeps_everything_above() {
    for (table, key) in [
        ("message", "12"),
        ("attachment", "112"),
        ("attachment", "113"),
    ] {
        let url = stage::database(&sql("")).await;
        support::hold(&url, table, &[key], None).await;
        let counted = counts(&url, &with_replies(), "messages").await;
        let found = counted.counts.unwrap();
        // 1, 11 and 12 are held; 14 answers 1 and goes alone.
        assert_eq!((found.due, found.held), (6, 3), "{table} {key}");
        let report = Run::new(&url, &with_replies(), TODAY).go().await;
        assert_eq!(of(&report, "messages").deleted, 6, "{table} {key}");
        let now = left(&url).await;
        for row in [
            "message 1",
            "message 11",
            "message 12",
            "message 13",
            "attachment 101",
        ] {
            assert!(now.contains(&row.to_owned()), "{table} {key}: {row}");
        }
        assert!(!now.contains(&"message 14".to_owned()));
    }
}

#[tokio::test]
async fn replies_that_are_unlinked_stay_and_are_named() {
    for on_delete in ["", "ON DELETE SET NULL"] {
        let url = stage::database(&sql(on_delete)).await;
        let before = stage::rows(&url, &TABLES).await;
        let toml = messages("{ table = \"message\", action = \"unlink\" }, \"attachment\"");
        let counted = counts(&url, &toml, "messages").await;
        assert_eq!(counted.counts.as_ref().unwrap().due, 11);
        let report = Run::new(&url, &toml, TODAY).go().await;
        let messages = of(&report, "messages");
        // All that are past, whatever answers them: of the replies that stay, 13 and 22 lose their link.
        assert_eq!(
            (messages.deleted, messages.unlinked, messages.dependants),
            (11, 2, 4)
        );
        assert_eq!(
            left(&url).await,
            [
                "attachment 113",
                "attachment 122",
                "message 13",
                "message 22",
                "message 5",
                "message 6"
            ]
        );
        assert_eq!(
            support::number(
                &url,
                "SELECT count(*) FROM message WHERE reply_to IS NOT NULL"
            )
            .await,
            0
        );
        let told = lines(&url).await;
        for line in [
            "unlinked message 13 of 12 counted from 2020-03-01",
            "unlinked message 22 of 21 counted from 2020-02-01",
            "deleted message 12 counted from 2020-03-01",
        ] {
            assert!(told.contains(&line.to_owned()), "{line}: {told:#?}");
        }
        stage::assert_told(&url, &before, &TABLES).await;
    }
}

#[tokio::test]
async fn what_nothing_is_said_of_is_refused_with_the_line_to_add() {
    for (on_delete, dependants) in [
        ("", "\"attachment\""),
        ("ON DELETE CASCADE", "\"attachment\""),
    ] {
        let url = stage::database(&sql(on_delete)).await;
        let (refused, _) = remarks(&url, &messages(dependants), "messages").await;
        assert_eq!(
            refused,
            [
                "R0310: class `messages`: rows of `public.message` refer to rows of the same table (foreign key `message_reply_to_fkey`), \
              and nothing says what becomes of them [add to the class's dependants: \"message\", if they go with the row that they refer to, \
              or { table = \"message\", action = \"unlink\" }, if they stay]"
            ]
        );
        // Without a class that acts nothing goes, and anonymising takes no row away.
        let before = stage::rows(&url, &TABLES).await;
        Run::new(&url, &messages(dependants), TODAY).go().await;
        assert_eq!(stage::rows(&url, &TABLES).await, before);
    }
}

#[tokio::test]
async fn a_thread_that_only_the_schedule_knows_goes_in_the_same_way() {
    let declared = sql("");
    let undeclared = declared.replace("reply_to bigint REFERENCES message ", "reply_to bigint ");
    assert_ne!(declared, undeclared);
    let url = stage::database(&undeclared).await;
    let before = stage::rows(&url, &TABLES).await;
    let toml = messages("{ table = \"message\", on = \"reply_to = id\" }, \"attachment\"");
    let counted = counts(&url, &toml, "messages").await;
    assert_eq!(counted.counts.as_ref().unwrap().due, 9);
    let report = Run::new(&url, &toml, TODAY).go().await;
    assert_eq!(
        (
            of(&report, "messages").deleted,
            of(&report, "messages").dependants
        ),
        (9, 6)
    );
    assert_eq!(left(&url).await, LEFT);
    stage::assert_told(&url, &before, &TABLES).await;
    // The other way round it is refused: a message does not go with the last that answers it.
    let (refused, _) = remarks(
        &url,
        &messages("{ table = \"message\", on = \"id = reply_to\" }, \"attachment\""),
        "messages",
    )
    .await;
    assert_eq!(refused.len(), 1, "{refused:#?}");
    assert!(
        refused[0].starts_with("R0361")
            && refused[0].contains("on the left stands the column that refers")
    );
}

#[tokio::test]
async fn a_long_thread_and_a_large_circle_end() {
    let url = stage::database(&sql("")).await;
    support::sql(
        &url,
        "INSERT INTO message SELECT 1000 + n, '2020-01-01', 'message', CASE WHEN n > 1 THEN 999 + n END FROM generate_series(1, 150) n;
         INSERT INTO message SELECT 2000 + n, '2020-01-01', 'message', CASE WHEN n > 1 THEN 1999 + n END FROM generate_series(1, 100) n;
         UPDATE message SET reply_to = 2100 WHERE id = 2001;",
    )
    .await;
    let before = stage::rows(&url, &TABLES).await;
    for size in [7, 1_000] {
        Run::new(&url, &with_replies(), TODAY)
            .batches_of(size)
            .go()
            .await;
    }
    assert_eq!(left(&url).await, LEFT);
    stage::assert_told(&url, &before, &TABLES).await;
}

/// The comments of a ticket answer one another; some are related to the ticket by nothing else.
#[tokio::test]
async fn dependants_may_hang_on_one_another_too() {
    let tables = "
        CREATE TABLE ticket (id bigint PRIMARY KEY, closed_on date);
        CREATE INDEX ON ticket (closed_on);
        CREATE TABLE comment (id bigint PRIMARY KEY, ticket_id bigint REFERENCES ticket, answers bigint REFERENCES comment);
        CREATE INDEX ON comment (ticket_id);
        CREATE INDEX ON comment (answers);
        CREATE TABLE mark (id bigint PRIMARY KEY, comment_id bigint NOT NULL REFERENCES comment);
        CREATE INDEX ON mark (comment_id);
        INSERT INTO ticket VALUES (1, '2020-01-01'), (2, '2020-01-01'), (3, NULL);
        INSERT INTO comment VALUES (11, 1, NULL), (12, NULL, 11), (13, NULL, 12), (21, 2, NULL), (22, NULL, 21), (31, 3, NULL), (32, 3, 31);
        INSERT INTO mark VALUES (131, 13), (221, 22), (321, 32);";
    let toml = format!(
        "{HEAD}{}",
        class(
            "tickets",
            "table = \"ticket\"\ntrigger = \"closed_on\"\nperiod = \"1 year\"\ndisposal = \"delete\"\ndependants = [\"comment\", \"mark\"]"
        )
    );
    let names = ["ticket", "comment", "mark"];
    let url = stage::database(tables).await;
    let before = stage::rows(&url, &names).await;
    let counted = counts(&url, &toml, "tickets").await;
    assert_eq!(
        (
            dependants(&counted)["comment"],
            dependants(&counted)["mark"]
        ),
        (5, 2)
    );
    let answer = explain(&url, &toml, "mark", 131).await;
    assert_eq!(
        (parent(&answer).as_deref(), answer.state),
        (Some("ticket 1"), "due")
    );
    let report = Run::new(&url, &toml, TODAY).go().await;
    assert_eq!(
        (
            of(&report, "tickets").deleted,
            of(&report, "tickets").dependants
        ),
        (2, 7)
    );
    stage::assert_told(&url, &before, &names).await;
    let told = lines(&url).await;
    assert!(
        told.contains(&"deleted comment 13 of 12 counted from 2020-01-01".to_owned()),
        "{told:#?}"
    );

    // A hold on the last of them keeps the ticket of the first, and no other.
    let url = stage::database(tables).await;
    support::hold(&url, "mark", &["131"], None).await;
    let counted = counts(&url, &toml, "tickets").await;
    assert_eq!(counted.counts.as_ref().unwrap().held, 1);
    assert_eq!(dependants(&counted)["comment"], 2);
    let report = Run::new(&url, &toml, TODAY).go().await;
    assert_eq!(of(&report, "tickets").deleted, 1);

    // So does a class of its own.
    let marks = class(
        "marks",
        "table = \"mark\"\nwhere = \"id = 131\"\ndisposal = \"retain\"\nowner = \"a\"\nreason = \"a\"",
    );
    let url = stage::database(tables).await;
    let toml = format!("{toml}{marks}");
    let counted = counts(&url, &toml, "tickets").await;
    assert_eq!(counted.counts.as_ref().unwrap().retained_by_other, 1);
    let report = Run::new(&url, &toml, TODAY).go().await;
    assert_eq!(of(&report, "tickets").deleted, 1);
    assert!(stage::names(&stage::rows(&url, &names).await).contains("ticket 1"));
}

#[tokio::test]
async fn a_reply_that_comes_meanwhile_is_kept_out_or_keeps_its_root() {
    // Declared: the lock on what it answers keeps it out.
    let url = stage::database(&sql("")).await;
    let before = stage::rows(&url, &TABLES).await;
    let mut other = meddler(&url, "SELECT 1 FROM attachment WHERE id = 113 FOR UPDATE").await;
    let mut late = support::client(&url).await;
    stage::run(&mut late, "SET application_name = 'late'").await;
    let run = Run::new(&url, &with_replies(), TODAY);
    let (_, inserted, ()) = tokio::join!(
        run.go(),
        async {
            blocked(&url, 1).await;
            stage::try_run(
                &mut late,
                "INSERT INTO message VALUES (15, '2026-11-20', 'message', 13)",
            )
            .await
        },
        async {
            blocked(&url, 1).await;
            stage::named_blocked(&url, "late").await;
            stage::run(&mut other, "COMMIT").await;
        }
    );
    assert!(inserted.is_err());
    assert_eq!(left(&url).await, LEFT);
    stage::assert_told(&url, &before, &TABLES).await;

    // Undeclared: the batch looks again, and the new reply, not yet past, keeps its thread.
    let url = stage::database(
        &sql("").replace("reply_to bigint REFERENCES message ", "reply_to bigint "),
    )
    .await;
    let before = stage::rows(&url, &TABLES).await;
    let mut other = meddler(&url, "SELECT 1 FROM attachment WHERE id = 113 FOR UPDATE").await;
    let run = Run::new(
        &url,
        &messages("{ table = \"message\", on = \"reply_to = id\" }, \"attachment\""),
        TODAY,
    );
    tokio::join!(run.go(), async {
        blocked(&url, 1).await;
        support::sql(
            &url,
            "INSERT INTO message VALUES (15, '2026-11-20', 'message', 13)",
        )
        .await;
        stage::run(&mut other, "COMMIT").await;
    });
    let now = left(&url).await;
    for row in [
        "message 1",
        "message 11",
        "message 12",
        "message 13",
        "message 15",
        "attachment 113",
    ] {
        assert!(now.contains(&row.to_owned()), "{row}: {now:?}");
    }
    assert!(!now.contains(&"message 14".to_owned()));
    stage::assert_told(&url, &before, &TABLES).await;
}
