//! Triggers in a related row: a message is counted from the day when its case was closed.

use retentiond::plan::Route;
use retentiond::schedule::{self, publish};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};

use crate::asking::{TODAY, counts, explain, lines, remarks};
use crate::stage::{self, HEAD, Run, blocked, class, meddler, named_blocked, of};
use crate::support;

const TABLES: [&str; 3] = ["\"case\"", "message", "attachment"];

/// On 23 November 2026 a year is over for what was closed by 22 November 2025. Case 2 was
/// closed on 2 June, in London; 4 a day too late; 5 is open; 6 and 7 are no days to count from.
const SQL: &str = "
CREATE TABLE \"case\" (id integer PRIMARY KEY, closed_at timestamptz, title text);
CREATE INDEX ON \"case\" (closed_at);
CREATE TABLE message (id bigint PRIMARY KEY, case_id integer REFERENCES \"case\", sent_on date, body text);
CREATE INDEX ON message (case_id);
CREATE INDEX ON message (sent_on);
CREATE TABLE attachment (id bigint PRIMARY KEY, message_id bigint NOT NULL REFERENCES message);
CREATE INDEX ON attachment (message_id);
INSERT INTO \"case\" VALUES (1, '2020-01-01 12:00Z'), (2, '2025-06-01 23:30Z'), (3, '2025-11-22 12:00Z'),
    (4, '2025-11-23 12:00Z'), (5, NULL), (6, '1900-01-01 12:00Z'), (7, '2027-01-01 12:00Z');
INSERT INTO message VALUES (11, 1, '2019-01-01', 'x'), (12, 1, '2019-01-02', 'x'), (21, 2, '2019-01-01', 'x'), (31, 3, '2019-01-01', 'x'),
    (41, 4, '2019-01-01', 'x'), (51, 5, '2019-01-01', 'x'), (61, 6, '2019-01-01', 'x'), (71, 7, '2019-01-01', 'x'),
    (81, NULL, '2019-01-01', 'x'), (82, NULL, '2026-11-01', 'x'), (91, NULL, NULL, 'x');
INSERT INTO attachment VALUES (111, 11), (411, 41);
";

fn messages(disposal: &str) -> String {
    let rest = format!(
        r#"table = "message"
trigger = ["case.closed_at", {{ column = "sent_on", when = "case_id IS NULL" }}]
period = "1 year"
{disposal}"#
    );
    class("messages", &rest)
}

fn deleting() -> String {
    format!(
        "{HEAD}{}",
        messages("disposal = \"delete\"\ndependants = [\"attachment\"]")
    )
}

async fn left(url: &str) -> Vec<String> {
    support::texts(url, "SELECT id::text FROM message ORDER BY id").await
}

const LEFT: [&str; 6] = ["41", "51", "61", "71", "82", "91"];

#[tokio::test]
async fn a_message_is_counted_from_its_cases_day() {
    for size in [1, 2, 1_000] {
        let url = stage::database(SQL).await;
        let before = stage::rows(&url, &TABLES).await;
        let counted = counts(&url, &deleting(), "messages").await;
        let found = counted.counts.unwrap();
        assert_eq!((found.claimed, found.due), (11, 5));
        assert_eq!(
            (
                found.without_trigger,
                found.implausible_trigger,
                found.future_trigger
            ),
            (2, 1, 1)
        );
        let plain = "SELECT count(*) FROM message m LEFT JOIN \"case\" c ON c.id = m.case_id
            WHERE (c.closed_at AT TIME ZONE 'Europe/London')::date BETWEEN '1990-01-01' AND '2025-11-22'
               OR m.case_id IS NULL AND m.sent_on BETWEEN '1990-01-01' AND '2025-11-22'";
        assert_eq!(support::number(&url, plain).await, 5);

        let report = Run::new(&url, &deleting(), TODAY)
            .batches_of(size)
            .go()
            .await;
        let messages = of(&report, "messages");
        assert_eq!(
            (
                messages.deleted,
                messages.dependants,
                messages.failed,
                messages.skipped.changed
            ),
            (5, 1, 0, 0)
        );
        assert_eq!(left(&url).await, LEFT);
        assert_eq!(
            lines(&url).await,
            [
                "deleted attachment 111 of 11 counted from 2020-01-01",
                "deleted message 11 counted from 2020-01-01",
                "deleted message 12 counted from 2020-01-01",
                "deleted message 21 counted from 2025-06-02",
                "deleted message 31 counted from 2025-11-22",
                "deleted message 81 counted from 2019-01-01",
            ]
        );
        stage::assert_told(&url, &before, &TABLES).await;
    }
}

#[tokio::test]
async fn explain_says_which_day_counts() {
    let url = stage::database(SQL).await;
    for (id, state, trigger, last_day, goes, undated) in [
        (
            21,
            "due",
            Some("2025-06-02"),
            Some("2026-06-02"),
            None,
            None,
        ),
        (
            31,
            "due",
            Some("2025-11-22"),
            Some("2026-11-22"),
            None,
            None,
        ),
        (
            41,
            "kept",
            Some("2025-11-23"),
            Some("2026-11-23"),
            Some("2026-11-24"),
            None,
        ),
        (51, "undated", None, None, None, Some("without")),
        (
            61,
            "undated",
            Some("1900-01-01"),
            None,
            None,
            Some("implausible"),
        ),
        (
            81,
            "due",
            Some("2019-01-01"),
            Some("2020-01-01"),
            None,
            None,
        ),
    ] {
        let answer = explain(&url, &deleting(), "message", id).await;
        let [claim] = &answer.claims[..] else {
            panic!("{id}: {:?}", answer.claims)
        };
        assert_eq!(answer.state, state, "{id}");
        assert_eq!(claim.trigger.as_deref(), trigger, "{id}");
        assert_eq!(
            claim.last_day.map(|d| d.to_string()).as_deref(),
            last_day,
            "{id}"
        );
        assert_eq!(claim.undated.as_deref(), undated, "{id}");
        if let Some(goes) = goes {
            assert_eq!(
                answer.will_go_on.map(|d| d.to_string()).as_deref(),
                Some(goes),
                "{id}"
            );
        }
    }
}

#[tokio::test]
async fn without_an_index_it_walks_along_the_key_and_comes_to_the_same() {
    for dropped in ["case_closed_at_idx", "message_case_id_idx"] {
        let url = stage::database(SQL).await;
        support::sql(&url, &format!("DROP INDEX {dropped}")).await;
        let (refused, advice) = remarks(&url, &deleting(), "messages").await;
        assert_eq!(refused, Vec::<String>::new());
        let expected = if dropped.starts_with("case") {
            "R0351: no index starts with the trigger `public.case.closed_at`, so every pass reads the whole table instead of the due ones \
             [CREATE INDEX CONCURRENTLY ON public.\"case\" (closed_at)]"
        } else {
            "R0352: no index on `public.message` (case_id), by which it refers to `public.case`, so every batch reads the whole table \
             [CREATE INDEX CONCURRENTLY ON public.message (case_id)]"
        };
        assert_eq!(advice, [expected]);
        let plan = support::plan(&url, &deleting(), support::at(TODAY)).await;
        assert_eq!(plan.classes()[0].work.as_ref().unwrap().scans[0].width, 1);
        Run::new(&url, &deleting(), TODAY).batches_of(2).go().await;
        assert_eq!(left(&url).await, LEFT, "{dropped}");
    }
}

#[tokio::test]
async fn what_stays_in_the_table_is_not_done_twice_and_late_days_are_found() {
    for (disposal, acted, what) in [
        (
            "disposal = \"anonymise\"\nanonymise = { body = \"redact\" }",
            "anonymised",
            "body = '[redacted]'",
        ),
        (
            "disposal = \"flag\"",
            "flagged",
            "id::text IN (SELECT key[1] FROM retentiond.flag)",
        ),
    ] {
        let url = stage::database(SQL).await;
        let toml = format!("{HEAD}{}", messages(disposal));
        let done = || async {
            support::texts(
                &url,
                &format!("SELECT id::text FROM message WHERE {what} ORDER BY id"),
            )
            .await
        };
        Run::new(&url, &toml, TODAY).batches_of(2).go().await;
        assert_eq!(done().await, ["11", "12", "21", "31", "81"], "{acted}");
        let told = lines(&url).await;
        assert!(
            told.contains(&format!("{acted} message 21 counted from 2025-06-02")),
            "{told:#?}"
        );
        // The next day 41 is past, and case 5 is closed with an early day, behind the position.
        support::sql(
            &url,
            "UPDATE \"case\" SET closed_at = '2021-01-01 12:00Z' WHERE id = 5",
        )
        .await;
        let mut run = Run::new(&url, &toml, "2026-11-24").batches_of(2);
        run.daily = false;
        run.go().await;
        assert_eq!(
            done().await,
            ["11", "12", "21", "31", "41", "51", "81"],
            "{acted}"
        );
        assert_eq!(lines(&url).await.len(), 7, "{acted}");
    }
}

#[tokio::test]
async fn a_case_that_is_reopened_before_it_is_locked_keeps_its_messages() {
    for (change, end, stays) in [
        (
            "UPDATE \"case\" SET closed_at = NULL WHERE id = 1",
            "COMMIT",
            true,
        ),
        (
            "UPDATE \"case\" SET closed_at = '2026-11-01 12:00Z' WHERE id = 1",
            "COMMIT",
            true,
        ),
        (
            "UPDATE \"case\" SET closed_at = NULL WHERE id = 1",
            "ROLLBACK",
            false,
        ),
        (
            "UPDATE \"case\" SET title = 'x' WHERE id = 1",
            "COMMIT",
            false,
        ),
    ] {
        let url = stage::database(SQL).await;
        let before = stage::rows(&url, &TABLES[1..]).await;
        let mut other = meddler(&url, change).await;
        let run = Run::new(&url, &deleting(), TODAY);
        let (report, ()) = tokio::join!(run.go(), async {
            blocked(&url, 1).await;
            stage::run(&mut other, end).await;
        });
        let messages = of(&report, "messages");
        assert_eq!(
            (messages.deleted, messages.skipped.changed),
            if stays { (3, 2) } else { (5, 0) },
            "{change} {end}"
        );
        let now = left(&url).await;
        assert_eq!(now.contains(&"11".to_owned()), stays, "{change} {end}");
        assert!(!now.contains(&"21".to_owned()));
        stage::assert_told(&url, &before, &TABLES[1..]).await;
    }
}

#[tokio::test]
async fn a_case_cannot_be_reopened_between_two_steps_of_a_batch() {
    let url = stage::database(SQL).await;
    let before = stage::rows(&url, &TABLES[1..]).await;
    // The pass has locked the messages and their cases, and stands before an attachment.
    let mut other = meddler(&url, "SELECT 1 FROM attachment WHERE id = 111 FOR UPDATE").await;
    let mut reopener = support::client(&url).await;
    stage::run(&mut reopener, "SET application_name = 'reopener'").await;
    let run = Run::new(&url, &deleting(), TODAY);
    let (_, reopened, ()) = tokio::join!(
        run.go(),
        async {
            blocked(&url, 1).await;
            stage::try_run(
                &mut reopener,
                "UPDATE \"case\" SET closed_at = NULL WHERE id IN (1, 3)",
            )
            .await
        },
        async {
            blocked(&url, 1).await;
            named_blocked(&url, "reopener").await;
            stage::run(&mut other, "COMMIT").await;
        }
    );
    // It came too late, for all of them.
    assert_eq!(reopened.unwrap(), 2);
    assert_eq!(left(&url).await, LEFT);
    stage::assert_told(&url, &before, &TABLES[1..]).await;
}

/// A class with a trigger of its own decides by the cases of another class of its table too.
#[tokio::test]
async fn another_class_of_the_table_may_read_the_case() {
    let sent = class(
        "sent",
        "table = \"message\"\ntrigger = \"sent_on\"\nperiod = \"1 month\"\ndisposal = \"delete\"\ndependants = [\"attachment\"]",
    );
    let by_case = class(
        "by-case",
        "table = \"message\"\nwhere = \"case_id IS NOT NULL\"\ntrigger = \"case.closed_at\"\nperiod = \"1 year\"\n\
         disposal = \"delete\"\ndependants = [\"attachment\"]",
    );
    let toml = format!("{HEAD}{sent}{by_case}");
    let url = stage::database(SQL).await;
    // A message sent later than its case was closed is the first class's, the others the second's.
    support::sql(
        &url,
        "UPDATE message SET sent_on = '2026-10-01' WHERE id = 12",
    )
    .await;
    let mut other = meddler(&url, "UPDATE \"case\" SET closed_at = NULL WHERE id = 1").await;
    let run = Run::new(&url, &toml, TODAY).only("sent");
    let (report, ()) = tokio::join!(run.go(), async {
        blocked(&url, 1).await;
        stage::run(&mut other, "COMMIT").await;
    });
    // Of the messages of case 1 only 12 was the first class's to take; reopened, it stays.
    assert_eq!(of(&report, "sent").skipped.changed, 1);
    let now = left(&url).await;
    assert!(now.contains(&"11".to_owned()) && now.contains(&"12".to_owned()));
    assert!(!now.contains(&"81".to_owned()));
}

/// What hangs on a record may be protected by a class that counts from a related row.
#[tokio::test]
async fn a_dependants_own_class_may_read_a_related_row() {
    let tables = "
        CREATE TABLE \"case\" (id bigint PRIMARY KEY, closed_on date);
        CREATE INDEX ON \"case\" (closed_on);
        CREATE TABLE letter (id bigint PRIMARY KEY, sent_on date);
        CREATE INDEX ON letter (sent_on);
        CREATE TABLE note (id bigint PRIMARY KEY, letter_id bigint NOT NULL REFERENCES letter, case_id bigint REFERENCES \"case\");
        CREATE INDEX ON note (letter_id);
        CREATE INDEX ON note (case_id);
        INSERT INTO \"case\" VALUES (1, '2020-01-01'), (2, '2026-01-01');
        INSERT INTO letter VALUES (1, '2020-01-01'), (2, '2020-01-01'), (3, '2020-01-01');
        INSERT INTO note VALUES (11, 1, 1), (21, 2, 2);";
    let toml = format!(
        "{HEAD}{}{}",
        class(
            "letters",
            "table = \"letter\"\ntrigger = \"sent_on\"\nperiod = \"1 year\"\ndisposal = \"delete\"\ndependants = [\"note\"]"
        ),
        class(
            "notes",
            "table = \"note\"\ntrigger = \"case.closed_on\"\nperiod = \"1 year\"\ndisposal = \"delete\""
        )
    );
    let names = |url: String| async move {
        support::texts(&url, "SELECT id::text FROM letter ORDER BY id").await
    };
    let url = stage::database(tables).await;
    let found = counts(&url, &toml, "letters").await.counts.unwrap();
    assert_eq!((found.due, found.retained_by_other), (2, 1));
    Run::new(&url, &toml, TODAY).only("letters").go().await;
    assert_eq!(names(url).await, ["2"]);

    // The case of note 11 is reopened while the letters' pass waits for it.
    let url = stage::database(tables).await;
    let mut other = meddler(&url, "UPDATE \"case\" SET closed_on = NULL WHERE id = 1").await;
    let run = Run::new(&url, &toml, TODAY).only("letters");
    let (report, ()) = tokio::join!(run.go(), async {
        blocked(&url, 1).await;
        stage::run(&mut other, "COMMIT").await;
    });
    assert_eq!(of(&report, "letters").skipped.changed, 1);
    assert_eq!(names(url).await, ["1", "2"]);
}

#[tokio::test]
async fn the_key_that_leads_to_the_case_may_have_several_columns() {
    let tables = "
        CREATE SCHEMA registry;
        CREATE TABLE registry.matter (office text, number integer, closed_on date, PRIMARY KEY (office, number));
        CREATE INDEX ON registry.matter (closed_on);
        CREATE TABLE paper (office text, number integer, sheet integer, PRIMARY KEY (office, number, sheet),
            FOREIGN KEY (office, number) REFERENCES registry.matter);
        INSERT INTO registry.matter VALUES ('north', 1, '2020-01-01'), ('south', 1, NULL), ('south', 2, '2020-01-01');
        INSERT INTO paper VALUES ('north', 1, 1), ('north', 1, 2), ('south', 1, 1), ('south', 2, 1);";
    let url = stage::database(tables).await;
    let toml = format!(
        "{HEAD}{}",
        class(
            "papers",
            "table = \"paper\"\ntrigger = \"registry.matter.closed_on\"\nperiod = \"1 year\"\ndisposal = \"delete\""
        )
    );
    let plan = support::plan(&url, &toml, support::at(TODAY)).await;
    assert_eq!(plan.classes()[0].work.as_ref().unwrap().scans[0].width, 6);
    let report = Run::new(&url, &toml, TODAY).batches_of(1).go().await;
    assert_eq!(of(&report, "papers").deleted, 3);
    assert_eq!(
        support::texts(&url, "SELECT office || number || sheet FROM paper").await,
        ["south11"]
    );
}

#[tokio::test]
async fn a_trigger_that_cannot_be_reached_is_refused_with_the_way_out() {
    let url = stage::database(
        "CREATE TABLE \"case\" (id bigint PRIMARY KEY, closed_on date, title text);
         CREATE INDEX ON \"case\" (closed_on);
         CREATE TABLE office (id bigint PRIMARY KEY, shut_on date);
         CREATE TABLE message (id bigint PRIMARY KEY, opened bigint REFERENCES \"case\", moved bigint REFERENCES \"case\");
         CREATE TABLE note (id bigint PRIMARY KEY, case_id bigint REFERENCES \"case\");
         CREATE INDEX ON note (case_id);",
    )
    .await;
    for (table, trigger, expected) in [
        (
            "message",
            "case.closed_on",
            "R0362: class `c`: several foreign keys lead from `public.message` to `public.case` (message_moved_fkey, message_opened_fkey), \
             and the trigger stands in one row [keep the date that counts in a column of `public.message`, filled from the row that is meant, \
             and name that column]",
        ),
        (
            "note",
            "office.shut_on",
            "R0362: class `c`: no foreign key leads from `public.note` to `public.office`, where the trigger stands \
             [declare the foreign key in the database, or keep the date in a column of the class's own table]",
        ),
        (
            "note",
            "cases.closed_on",
            "R0301: class `c`: there is no table `public.cases` in the database [did you mean `case`?]",
        ),
        (
            "note",
            "case.closed_at",
            "R0302: class `c`: there is no column `closed_at` in table `public.case` [did you mean `closed_on`?]",
        ),
        (
            "note",
            "case.title",
            "R0303: class `c`: the trigger `public.case.title` is of type `text`, not a date or a timestamp \
             [name a column of type date, timestamp or timestamp with time zone]",
        ),
    ] {
        let toml = format!(
            "{HEAD}{}",
            class(
                "c",
                &format!(
                    "table = \"{table}\"\ntrigger = \"{trigger}\"\nperiod = \"1 year\"\ndisposal = \"delete\""
                )
            )
        );
        assert_eq!(remarks(&url, &toml, "c").await.0, [expected], "{trigger}");
    }
}

#[test]
fn the_file_and_the_published_words_name_the_related_row() {
    let of = |trigger: &str| {
        let rest = format!(
            "table = \"message\"\ntrigger = {trigger}\nperiod = \"1 year\"\ndisposal = \"delete\""
        );
        schedule::parse(&format!("{HEAD}{}", class("c", &rest)), "retention.toml")
    };
    let case = of("\"case.closed_at\"").unwrap();
    assert!(
        publish::markdown(&case).contains("| The day its case was closed |"),
        "{}",
        publish::markdown(&case)
    );
    // Every way of naming it is another meaning, but for the schema that goes without saying.
    let digests: std::collections::BTreeSet<_> = [
        "\"case.closed_at\"",
        "\"closed_at\"",
        "\"matter.closed_at\"",
        "\"x.case.closed_at\"",
    ]
    .map(|trigger| *of(trigger).unwrap().digest())
    .into();
    assert_eq!(digests.len(), 4);
    assert_eq!(
        case.digest(),
        of("\"public.case.closed_at\"").unwrap().digest()
    );
    for (trigger, code) in [
        ("\"message.sent_on\"", "R0116"),
        ("\"a.b.c.d\"", "R0117"),
        ("\"case.\"", "R0117"),
        ("\".closed_at\"", "R0117"),
        ("[\"case.closed_at\", \"public.case.closed_at\"]", "R0119"),
    ] {
        let faults = of(trigger).unwrap_err();
        let codes: Vec<&str> = faults.items.iter().map(|item| item.code.as_str()).collect();
        assert_eq!(codes, [code], "{trigger}");
    }
}

/// Every relation that PostgreSQL would read from one end to the other for a statement.
async fn read_whole(
    conn: &mut PgConnection,
    sql: &str,
    parameters: &[Option<String>],
) -> Vec<String> {
    let mut query =
        sqlx::query(AssertSqlSafe(format!("EXPLAIN (FORMAT JSON) {sql}"))).persistent(false);
    for parameter in parameters {
        query = match parameter.as_deref().map(|text| text.strip_prefix('#')) {
            Some(Some(number)) => query.bind(number.parse::<i64>().unwrap()),
            Some(None) => match parameter.as_deref().and_then(|text| text.strip_prefix('@')) {
                Some(one) => query.bind(vec![one.to_owned()]),
                None => query.bind(parameter.clone()),
            },
            None => query.bind(None::<String>),
        };
    }
    let row = query
        .fetch_one(conn)
        .await
        .unwrap_or_else(|e| panic!("{e}\n{sql}"));
    let explained: Value = row.get(0);
    let mut whole = Vec::new();
    let mut nodes = vec![&explained[0]["Plan"]];
    while let Some(node) = nodes.pop() {
        let relation = node["Relation Name"].as_str().unwrap_or_default();
        // Of the attachments there are but two.
        if node["Node Type"] == "Seq Scan" && ["case", "message"].contains(&relation) {
            whole.push(relation.to_owned());
        }
        nodes.extend(node["Plans"].as_array().into_iter().flatten());
    }
    whole
}

#[tokio::test]
async fn a_quiet_pass_reads_neither_table_whole() {
    let url = stage::database(SQL).await;
    support::sql(
        &url,
        "INSERT INTO \"case\" SELECT 1000 + n, '2020-01-01 12:00Z'::timestamptz + n % 2500 * interval '1 day' FROM generate_series(1, 30000) n;
         INSERT INTO message SELECT 1000 + n, 1001 + n % 30000, '2020-01-01' FROM generate_series(1, 60000) n;",
    )
    .await;
    let cases = class(
        "cases",
        "table = \"case\"\ntrigger = \"closed_at\"\nperiod = \"1 year\"\ndisposal = \"delete\"\ndependants = [\"message\", \"attachment\"]",
    );
    let toml = format!("{}{cases}", deleting());
    Run::new(&url, &toml, TODAY).go().await;
    support::sql(&url, "VACUUM (ANALYZE) \"case\"; ").await;
    support::sql(&url, "VACUUM (ANALYZE) message").await;
    support::sql(&url, "ANALYZE attachment").await;
    assert!(support::number(&url, "SELECT count(*) FROM message").await > 1_000);

    let plan = support::plan(&url, &toml, support::at(TODAY)).await;
    let work = plan.classes()[0].work.as_ref().unwrap();
    let Route::Follow(follow) = &work.route else {
        panic!("no locks")
    };
    let scan = &work.scans[0];
    assert_eq!(scan.width, 3);
    let text = |text: &str| Some(text.to_owned());
    let after = ["2024-01-01 00:00:00+00", "1", "1"].map(text);
    let until = ["2025-11-01 00:00:00+00", "1", "1"].map(text);
    let mut conn = support::ours(&url).await;
    for (bounded, sized, bounds) in [
        (&scan.step, true, [(false, false), (true, false)]),
        (&scan.rest, true, [(false, false), (true, false)]),
        (&scan.act, false, [(false, true), (true, true)]),
    ] {
        for (from, to) in bounds {
            let mut parameters: Vec<Option<String>> = after.to_vec();
            parameters.extend(until.clone());
            if sized {
                parameters.push(text("#1000"));
            }
            let sql = bounded.text(from, to);
            assert_eq!(
                read_whole(&mut conn, &sql, &parameters).await,
                Vec::<String>::new(),
                "{sql}"
            );
        }
    }
    let reads = follow.reads.as_ref().unwrap();
    for sql in [&reads.rows[0].lock, &reads.again] {
        assert_eq!(
            read_whole(&mut conn, sql, &[text("@7")]).await,
            Vec::<String>::new(),
            "{sql}"
        );
    }
    assert!(reads.rows[0].lock.contains("FOR SHARE OF q"));
    conn.close().await.unwrap();
}
