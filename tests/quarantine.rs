//! One bad row: it is found, named, set aside and tried again, and the rest of its class goes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/stage.rs"]
mod stage;
mod support;

use std::time::Duration;

use retentiond::enforce::{Outcome, RunReport, Status};
use retentiond::survey;
use sqlx::Connection;

use stage::{HEAD, Run, class, of};

/// Forty records, all past, each with contents that must never be shown.
const TABLES: &str = "
CREATE TABLE message (id bigint PRIMARY KEY, received_on date, body text);
CREATE INDEX ON message (received_on);
INSERT INTO message SELECT n, DATE '2020-01-01' + n::int, 'secret ' || n FROM generate_series(1, 40) n;
CREATE TABLE copy (id bigint PRIMARY KEY, message_id bigint);
";

const DAYS: [&str; 4] = ["2026-11-20", "2026-11-21", "2026-11-22", "2026-11-23"];

fn schedule(disposal: &str) -> String {
    let rest = format!(
        "table = \"message\"\ntrigger = \"received_on\"\nperiod = \"1 year\"\ndisposal = {disposal}"
    );
    format!("{HEAD}{}", class("messages", &rest))
}

fn deletes() -> String {
    schedule("\"delete\"")
}

fn anonymises() -> String {
    schedule("\"anonymise\"\nanonymise = { body = \"redact\" }")
}

fn flags() -> String {
    schedule("\"flag\"")
}

/// Raises, or does something else, for record 7 alone.
fn trigger(when: &str, does: &str) -> String {
    format!(
        "CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN IF OLD.id = 7 THEN {does} END IF; RETURN COALESCE(NEW, OLD); END $$;
         CREATE TRIGGER meddle {when} ON message FOR EACH ROW EXECUTE FUNCTION meddle();"
    )
}

const UNTRIGGER: &str = "DROP TRIGGER meddle ON message; DROP FUNCTION meddle;";

async fn quarantined(url: &str) -> Vec<String> {
    support::texts(
        url,
        "SELECT key::text || ': ' || reason FROM retentiond.quarantine",
    )
    .await
}

/// What `plan` counts: due and quarantined.
async fn counted(url: &str, toml: &str, day: &str) -> (u64, u64) {
    let plan = support::plan(url, toml, support::at(day)).await;
    let mut conn = support::ours(url).await;
    let counts = survey::count(&mut conn, &plan).await.unwrap()[0]
        .counts
        .clone()
        .unwrap();
    conn.close().await.unwrap();
    (counts.due, counts.quarantined)
}

fn acted(report: &RunReport) -> (u64, u64) {
    let class = of(report, "messages");
    (class.acted(), class.failed)
}

/// The whole life of a row that cannot be dealt with: set aside, tried again each day, told
/// once, and gone when the cause is. The cause is there already, and `cure` removes it.
async fn life(url: &str, toml: &str, first: Run, what: &str, cure: impl AsyncFnOnce()) {
    let report = first.go().await;
    assert_eq!(acted(&report), (39, 1), "{what}");
    assert_eq!(
        (report.outcome, report.exit_code()),
        (Outcome::Partial, 1),
        "{what}"
    );
    let aside = quarantined(url).await;
    assert_eq!(aside.len(), 1, "{what}: {aside:?}");
    assert!(
        aside[0].starts_with("{7}: ") && !aside[0].contains("secret"),
        "{what}: {aside:?}"
    );

    let second = Run {
        now: support::at(DAYS[1]),
        plan: None,
        ..first.clone()
    };
    assert_eq!(acted(&second.go().await), (0, 1), "{what}: the second day");
    assert_eq!(quarantined(url).await.len(), 1, "{what}");

    cure().await;
    assert_eq!(
        counted(url, toml, DAYS[2]).await,
        (0, 1),
        "{what}: known, and waits for its next try"
    );
    let third = Run {
        now: support::at(DAYS[2]),
        plan: None,
        ..first.clone()
    };
    assert_eq!(
        acted(&third.go().await),
        (1, 0),
        "{what}: the cause is gone"
    );
    assert_eq!(quarantined(url).await, [""; 0], "{what}");
    assert_eq!(counted(url, toml, DAYS[3]).await, (0, 0), "{what}");

    // Told once, and without a word of the row.
    let entries = stage::entries(url, "quarantined").await;
    assert_eq!(entries.len(), 1, "{what}");
    assert_eq!(entries[0].entry.count, 1);
    let reason = &entries[0].entry.detail["reason"];
    assert!(!reason.contains("secret"), "{what}: {reason}");
    assert!(
        stage::lines(url)
            .await
            .contains(&"quarantined message 7".to_owned()),
        "{what}"
    );
}

fn first(url: &str, toml: &str) -> Run {
    Run::new(url, toml, DAYS[0]).lock(Duration::from_millis(60))
}

#[tokio::test]
async fn a_row_whose_deletion_a_trigger_refuses() {
    for (when, does) in [
        ("BEFORE DELETE", "RAISE EXCEPTION 'not %', OLD.body;"),
        ("BEFORE DELETE", "RETURN NULL;"),
        ("AFTER DELETE", "RAISE EXCEPTION 'not %', OLD.body;"),
    ] {
        let url = stage::database(TABLES).await;
        let before = stage::rows(&url, &["message"]).await;
        support::sql(&url, &trigger(when, does)).await;
        life(
            &url,
            &deletes(),
            first(&url, &deletes()),
            does,
            async || support::sql(&url, UNTRIGGER).await,
        )
        .await;
        stage::assert_told(&url, &before, &["message"]).await;
        assert_eq!(
            support::number(&url, "SELECT count(*) FROM message").await,
            0
        );
    }
}

#[tokio::test]
async fn a_row_whose_anonymisation_a_trigger_refuses_or_undoes() {
    for does in [
        "RAISE EXCEPTION 'not %', OLD.body;",
        "RETURN NULL;",
        "NEW.body := OLD.body;",
    ] {
        let url = stage::database(TABLES).await;
        let before = stage::rows(&url, &["message"]).await;
        support::sql(&url, &trigger("BEFORE UPDATE", does)).await;
        life(
            &url,
            &anonymises(),
            first(&url, &anonymises()),
            does,
            async || support::sql(&url, UNTRIGGER).await,
        )
        .await;
        stage::assert_told(&url, &before, &["message"]).await;
        assert_eq!(
            support::number(
                &url,
                "SELECT count(*) FROM message WHERE body <> '[redacted]'"
            )
            .await,
            0
        );
    }
}

/// The forty records' class fails on record 7 while somebody else's transaction is open.
async fn life_with_other(toml: String, sql: &str) {
    let url = stage::database(TABLES).await;
    let mut other = stage::meddler(&url, sql).await;
    life(&url, &toml, first(&url, &toml), sql, async || {
        stage::run(&mut other, "ROLLBACK").await
    })
    .await;
}

#[tokio::test]
async fn a_row_that_another_session_keeps_locked() {
    let lock = "SELECT 1 FROM message WHERE id = 7 FOR SHARE";
    life_with_other(deletes(), lock).await;
    life_with_other(anonymises(), lock).await;
}

#[tokio::test]
async fn a_record_that_cannot_be_flagged_because_somebody_is_at_its_flag() {
    life_with_other(
        flags(),
        "INSERT INTO retentiond.flag VALUES
         ('messages', 'public.message', '{7}', '2020-01-08', '2021-01-08', '', '2026-11-20T02:00:00Z', 0)",
    )
    .await;
}

#[tokio::test]
async fn a_deferred_foreign_key_added_after_the_plan_lets_no_row_go_that_it_needs() {
    let url = stage::database(TABLES).await;
    let before = stage::rows(&url, &["message"]).await;
    let run = first(&url, &deletes()).planned().await;
    let key = "ALTER TABLE copy ADD CONSTRAINT copied FOREIGN KEY (message_id) REFERENCES message
               DEFERRABLE INITIALLY DEFERRED; INSERT INTO copy VALUES (1, 7)";
    support::sql(&url, key).await;
    // The rest of the rows could go, but under a plan that knows the key: which refuses.
    let report = run.go().await;
    let messages = stage::any(&report, "messages");
    assert_eq!((messages.status, messages.acted()), (Status::Refused, 0));
    assert_eq!(stage::rows(&url, &["message"]).await, before);
    assert_eq!(stage::entries(&url, "deleted").await.len(), 0);

    support::sql(&url, "DROP TABLE copy").await;
    let again = Run {
        now: support::at(DAYS[1]),
        plan: None,
        ..run.clone()
    };
    assert_eq!(acted(&again.go().await), (40, 0));
    stage::assert_told(&url, &before, &["message"]).await;
}

#[tokio::test]
async fn a_deferred_trigger_speaks_before_the_ledger_does() {
    let url = stage::database(TABLES).await;
    let before = stage::rows(&url, &["message"]).await;
    support::sql(
        &url,
        "CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN IF OLD.id = 7 THEN RAISE EXCEPTION 'not %', OLD.body; END IF; RETURN NULL; END $$;
         CREATE CONSTRAINT TRIGGER meddle AFTER DELETE ON message DEFERRABLE INITIALLY DEFERRED
         FOR EACH ROW EXECUTE FUNCTION meddle();",
    )
    .await;
    life(
        &url,
        &deletes(),
        first(&url, &deletes()),
        "deferred",
        async || support::sql(&url, UNTRIGGER).await,
    )
    .await;
    stage::assert_told(&url, &before, &["message"]).await;
}

#[tokio::test]
async fn a_dependant_that_refuses_keeps_its_record_and_all_that_hangs_on_it() {
    let tables = "
        CREATE TABLE letter (id bigint PRIMARY KEY, received_on date);
        CREATE INDEX ON letter (received_on);
        CREATE TABLE attachment (id bigint PRIMARY KEY, letter_id bigint NOT NULL REFERENCES letter);
        CREATE INDEX ON attachment (letter_id);
        INSERT INTO letter SELECT n, DATE '2020-01-01' + n::int FROM generate_series(1, 20) n;
        INSERT INTO attachment SELECT 10 * n + m, n FROM generate_series(1, 20) n, generate_series(1, 3) m;
        CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN IF OLD.id = 72 THEN RETURN NULL; END IF; RETURN OLD; END $$;
        CREATE TRIGGER meddle BEFORE DELETE ON attachment FOR EACH ROW EXECUTE FUNCTION meddle();";
    let toml = format!(
        "{HEAD}{}",
        class(
            "letters",
            "table = \"letter\"\ntrigger = \"received_on\"\nperiod = \"1 year\"\ndisposal = \"delete\"\ndependants = [\"attachment\"]"
        )
    );
    let url = stage::database(tables).await;
    let both = ["letter", "attachment"];
    let before = stage::rows(&url, &both).await;
    let report = first(&url, &toml).go().await;
    let letters = of(&report, "letters");
    assert_eq!(
        (letters.deleted, letters.dependants, letters.failed),
        (19, 57, 1)
    );
    let left = stage::names(&stage::rows(&url, &both).await);
    assert_eq!(
        left.into_iter().collect::<Vec<_>>(),
        [
            "attachment 71",
            "attachment 72",
            "attachment 73",
            "letter 7"
        ]
    );
    stage::assert_told(&url, &before, &both).await;
}

#[tokio::test]
async fn several_bad_rows_are_each_found() {
    let url = stage::database(TABLES).await;
    let before = stage::rows(&url, &["message"]).await;
    support::sql(
        &url,
        "CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN IF OLD.id IN (1, 2, 17, 39, 40) THEN RETURN NULL; END IF; RETURN OLD; END $$;
         CREATE TRIGGER meddle BEFORE DELETE ON message FOR EACH ROW EXECUTE FUNCTION meddle();",
    )
    .await;
    assert_eq!(acted(&first(&url, &deletes()).go().await), (35, 5));
    let keys = support::texts(
        &url,
        "SELECT key[1] FROM retentiond.quarantine ORDER BY key[1]::int",
    )
    .await;
    assert_eq!(keys, ["1", "2", "17", "39", "40"]);
    stage::assert_told(&url, &before, &["message"]).await;
}

#[tokio::test]
async fn a_row_set_aside_before_a_pass_was_broken_off_is_tried_again_by_the_next() {
    let url = stage::database(TABLES).await;
    support::sql(&url, &trigger("BEFORE UPDATE", "RETURN NULL;")).await;
    // The pass ends in the middle of its first walk, after row 7 was set aside.
    let run = first(&url, &anonymises()).batches_of(1);
    let stop = run.stop.clone();
    let batches = std::sync::atomic::AtomicU32::new(0);
    let report = run
        .observed(&|event| {
            if let retentiond::enforce::Event::Batch(..) = event
                && batches.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 15
            {
                stop.cancel();
            }
        })
        .await
        .unwrap();
    assert_eq!(
        (report.outcome, acted(&report)),
        (Outcome::Stopped, (16, 1))
    );
    let again = Run::new(&url, &anonymises(), DAYS[1]).go().await;
    assert_eq!(acted(&again), (23, 1));
    assert_eq!(quarantined(&url).await.len(), 1);
}

#[tokio::test]
async fn a_row_that_fails_before_and_after_a_new_plan_is_counted_once() {
    let url = stage::database(TABLES).await;
    support::sql(&url, &trigger("BEFORE DELETE", "RETURN NULL;")).await;
    // Stands before row 20 while a hold is placed on row 30.
    let mut other = stage::meddler(&url, "SELECT 1 FROM message WHERE id = 20 FOR UPDATE").await;
    let run = Run::new(&url, &deletes(), DAYS[0]).batches_of(1);
    let (report, (), ()) = tokio::join!(
        run.go(),
        async {
            stage::blocked(&url, 1).await;
            support::hold(&url, "message", &["30"], None).await;
        },
        async {
            stage::blocked(&url, 2).await;
            stage::run(&mut other, "COMMIT").await;
        }
    );
    assert_eq!(acted(&report), (38, 1));
    assert_eq!(of(&report, "messages").skipped.held, 1);
}
