//! A class that does not fit the database does nothing, says why, and goes on protecting
//! what it might claim; the other classes go on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/stage.rs"]
mod stage;
mod support;

use std::collections::BTreeSet;

use retentiond::enforce::{Outcome, RunReport, Status};
use sqlx::Connection;

use stage::{HEAD, Run, class, of};

const TODAY: &str = "2026-11-23";

/// All past. `a` is what the refused class claims, `b` what it does not, and of record 3
/// nobody can tell.
const TABLES: &str = "
CREATE TABLE note (id bigint PRIMARY KEY, kind text, received_on date, body text NOT NULL DEFAULT 'secret');
CREATE INDEX ON note (received_on);
INSERT INTO note VALUES (1, 'a', '2020-01-01'), (2, 'b', '2020-01-01'), (3, NULL, '2020-01-01');
CREATE TABLE other (id bigint PRIMARY KEY, received_on date);
CREATE INDEX ON other (received_on);
INSERT INTO other VALUES (1, '2020-01-01');
";

const EVERYTHING: [&str; 2] = ["note", "other"];

/// A class on another table, which must not be stopped.
fn bystander() -> String {
    class("others", &deletes("other"))
}

fn deletes(table: &str) -> String {
    format!(
        "table = \"{table}\"\ntrigger = \"received_on\"\nperiod = \"1 year\"\ndisposal = \"delete\""
    )
}

/// A class that would have every note go.
fn companion(disposal: &str) -> String {
    class(
        "all-notes",
        &format!(
            "table = \"note\"\ntrigger = \"received_on\"\nperiod = \"1 day\"\ndisposal = {disposal}"
        ),
    )
}

/// What a class was refused for, as the report and as the ledger have it.
async fn assert_refused(url: &str, report: &RunReport, id: &str, codes: &str) {
    let class = stage::any(report, id);
    assert_eq!(class.status, Status::Refused, "{id}: {:?}", class.reason);
    let reason = class.reason.clone().unwrap_or_default();
    for code in codes.split(' ') {
        assert!(reason.contains(code), "{id}: {reason}");
    }
    assert!(!reason.contains("secret"), "{id}: {reason}");
    assert_eq!(
        (class.acted(), class.dependants, class.batches),
        (0, 0, 0),
        "{id}"
    );
    let entries = stage::entries(url, "refused").await;
    let own: Vec<_> = entries
        .iter()
        .filter(|e| e.entry.class.as_ref().is_some_and(|c| c.as_str() == id))
        .collect();
    assert_eq!(own.len(), 1, "{id}");
    assert_eq!(own[0].entry.detail["reason"], codes, "{id}");
    assert_eq!(report.exit_code(), 1, "{id}");
}

/// Makes one pass in which `bad` is refused beside a class that would have all notes go,
/// and answers which notes that class acted on.
async fn pass_beside(sql: &str, bad: &str, codes: &str, disposal: &str) -> BTreeSet<String> {
    let url = stage::database(TABLES).await;
    support::sql(&url, sql).await;
    let before = stage::rows(&url, &EVERYTHING).await;
    let toml = format!(
        "{HEAD}{}{}{}",
        class("bad", bad),
        companion(disposal),
        bystander()
    );
    let report = Run::new(&url, &toml, TODAY).go().await;
    assert_refused(&url, &report, "bad", codes).await;
    assert_eq!(report.outcome, Outcome::Partial);
    assert_eq!(of(&report, "others").deleted, 1);
    stage::assert_told(&url, &before, &EVERYTHING).await;
    stage::lines(&url)
        .await
        .iter()
        .filter_map(|line| {
            line.split_once(" note ")
                .map(|(_, key)| format!("note {key}"))
        })
        .inspect(|note| assert!(!note.is_empty()))
        .collect()
}

fn notes(keys: &[&str]) -> BTreeSet<String> {
    keys.iter().map(|key| format!("note {key}")).collect()
}

#[tokio::test]
async fn a_table_that_does_not_exist() {
    let acted = pass_beside("", &deletes("nowhere"), "R0301", "\"delete\"").await;
    assert_eq!(acted, notes(&["1", "2", "3"]));
}

#[tokio::test]
async fn a_trigger_that_does_not_exist_protects_what_the_condition_claims() {
    let bad = "table = \"note\"\nwhere = \"kind = 'a'\"\ntrigger = \"recieved_on\"\nperiod = \"1 day\"\ndisposal = \"delete\"";
    assert_eq!(
        pass_beside("", bad, "R0302", "\"delete\"").await,
        notes(&["2"])
    );
}

#[tokio::test]
async fn a_condition_that_cannot_be_asked_protects_the_whole_table() {
    for (condition, code) in [
        ("knid = 'a'", "R0302"),
        ("received_on = 'a'", "R0309"),
        ("kind > 3", "R0309"),
    ] {
        let bad = format!("{}\nwhere = \"{condition}\"", deletes("note"));
        assert_eq!(
            pass_beside("", &bad, code, "\"delete\"").await,
            notes(&[]),
            "{condition}"
        );
    }
}

#[tokio::test]
async fn a_trigger_of_another_type() {
    let bad = "table = \"note\"\nwhere = \"kind = 'a'\"\ntrigger = \"body\"\nperiod = \"1 day\"\ndisposal = \"delete\"";
    assert_eq!(
        pass_beside("", bad, "R0303", "\"delete\"").await,
        notes(&["2"])
    );
}

#[tokio::test]
async fn a_column_to_anonymise_that_breaks_a_constraint() {
    let bad = format!(
        "{}\nwhere = \"kind = 'a'\"\nanonymise = {{ body = \"null\" }}",
        deletes("note").replace("delete", "anonymise")
    );
    assert_eq!(
        pass_beside("", &bad, "R0312", "\"delete\"").await,
        notes(&["2"])
    );
}

#[tokio::test]
async fn a_foreign_key_that_nobody_declared() {
    for on_delete in ["NO ACTION", "CASCADE", "SET NULL"] {
        let sql = format!(
            "CREATE TABLE reply (id bigint PRIMARY KEY, note_id bigint REFERENCES note ON DELETE {on_delete});
             INSERT INTO reply VALUES (11, 1), (12, 2);"
        );
        let bad = format!("{}\nwhere = \"kind = 'a'\"", deletes("note"));
        // Whoever anonymises is not in the way of the key, and still leaves the claimed rows.
        let acted = pass_beside(
            &sql,
            &bad,
            "R0305",
            "\"anonymise\"\nanonymise = { body = \"redact\" }",
        )
        .await;
        assert_eq!(acted, notes(&["2"]), "{on_delete}");
    }
}

#[tokio::test]
async fn a_table_without_primary_key_is_left_alone() {
    let url = stage::database("CREATE TABLE heap (id bigint, received_on date); INSERT INTO heap VALUES (1, '2020-01-01')").await;
    support::sql(&url, TABLES).await;
    let toml = format!("{HEAD}{}{}", class("bad", &deletes("heap")), bystander());
    let report = Run::new(&url, &toml, TODAY).go().await;
    assert_refused(&url, &report, "bad", "R0304").await;
    assert_eq!(of(&report, "others").deleted, 1);
    assert_eq!(support::number(&url, "SELECT count(*) FROM heap").await, 1);
}

#[tokio::test]
async fn a_view_and_a_single_partition() {
    let url = stage::database(TABLES).await;
    support::sql(
        &url,
        "CREATE VIEW shown AS SELECT * FROM note;
         CREATE TABLE log (id bigint, received_on date, PRIMARY KEY (id, received_on)) PARTITION BY RANGE (received_on);
         CREATE TABLE log_2020 PARTITION OF log FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
         INSERT INTO log VALUES (1, '2020-05-05');",
    )
    .await;
    let toml = format!(
        "{HEAD}{}{}{}",
        class("view", &deletes("shown")),
        class("leaf", &deletes("log_2020")),
        bystander()
    );
    let before = stage::rows(&url, &["note", "log", "other"]).await;
    let report = Run::new(&url, &toml, TODAY).go().await;
    assert_refused(&url, &report, "view", "R0308").await;
    assert_refused(&url, &report, "leaf", "R0308").await;
    assert_eq!(of(&report, "others").deleted, 1);
    stage::assert_told(&url, &before, &["note", "log", "other"]).await;
    assert_eq!(support::number(&url, "SELECT count(*) FROM log").await, 1);
}

#[tokio::test]
async fn a_refused_class_on_a_dependant_keeps_the_parents_of_what_it_might_claim() {
    let tables = "
        CREATE TABLE letter (id bigint PRIMARY KEY, received_on date);
        CREATE INDEX ON letter (received_on);
        CREATE TABLE attachment (id bigint PRIMARY KEY, kind text, letter_id bigint NOT NULL REFERENCES letter);
        CREATE INDEX ON attachment (letter_id);
        INSERT INTO letter SELECT n, '2020-01-01' FROM generate_series(1, 4) n;
        INSERT INTO attachment VALUES (11, 'a', 1), (12, 'b', 1), (21, 'b', 2), (31, NULL, 3);";
    let letters = class(
        "letters",
        &format!("{}\ndependants = [\"attachment\"]", deletes("letter")),
    );
    let refused = "table = \"attachment\"\nwhere = \"kind = 'a'\"\ntrigger = \"no_such\"\nperiod = \"1 day\"\ndisposal = \"delete\"";
    for (bad, stays) in [
        // Letters 2 and 4 have no attachment that the refused class might claim.
        (
            refused.to_owned(),
            vec![
                "attachment 11",
                "attachment 12",
                "attachment 31",
                "letter 1",
                "letter 3",
            ],
        ),
        // It might claim any attachment: only letter 4 has none.
        (
            refused.replace("kind = 'a'", "no_such = 'a'"),
            vec![
                "attachment 11",
                "attachment 12",
                "attachment 21",
                "attachment 31",
                "letter 1",
                "letter 2",
                "letter 3",
            ],
        ),
    ] {
        let url = stage::database(tables).await;
        let both = ["letter", "attachment"];
        let before = stage::rows(&url, &both).await;
        let report = Run::new(
            &url,
            &format!("{HEAD}{letters}{}", class("bad", &bad)),
            TODAY,
        )
        .go()
        .await;
        assert_eq!(stage::any(&report, "bad").status, Status::Refused);
        stage::assert_told(&url, &before, &both).await;
        let left: Vec<String> = stage::names(&stage::rows(&url, &both).await)
            .into_iter()
            .collect();
        assert_eq!(left, stays);
        assert_eq!(of(&report, "letters").failed, 0);
    }
}

/// The same database as a role of its own, with these privileges on the tables.
async fn as_role(url: &str, role: &str, grants: &str) -> String {
    support::sql(
        url,
        &format!(
            "CREATE ROLE {role} LOGIN;
             GRANT USAGE ON SCHEMA retentiond, public TO {role};
             GRANT ALL ON ALL TABLES IN SCHEMA retentiond TO {role};
             GRANT ALL ON ALL SEQUENCES IN SCHEMA retentiond TO {role};
             {grants}"
        ),
    )
    .await;
    url.replacen("retentiond@", &format!("{role}@"), 1)
}

#[tokio::test]
async fn row_security_that_hides_rows() {
    let url = stage::database(TABLES).await;
    let role = as_role(
        &url,
        "clerk",
        "GRANT ALL ON note, other TO clerk;
         ALTER TABLE note ENABLE ROW LEVEL SECURITY;
         CREATE POLICY only_b ON note USING (kind = 'b');",
    )
    .await;
    let before = stage::rows(&url, &EVERYTHING).await;
    let toml = format!("{HEAD}{}{}", class("bad", &deletes("note")), bystander());
    let report = Run::new(&role, &toml, TODAY).go().await;
    assert_refused(&url, &report, "bad", "R0314").await;
    assert_eq!(of(&report, "others").deleted, 1);
    stage::assert_told(&url, &before, &EVERYTHING).await;
    assert_eq!(support::number(&url, "SELECT count(*) FROM note").await, 3);

    // With BYPASSRLS the same role sees every row, and all of them go.
    support::sql(&url, "ALTER ROLE clerk BYPASSRLS").await;
    let report = Run::new(&role, &toml, "2026-11-24").go().await;
    assert_eq!(of(&report, "bad").deleted, 3);
}

#[tokio::test]
async fn row_security_on_a_dependant() {
    let url = stage::database(TABLES).await;
    support::sql(
        &url,
        "CREATE TABLE reply (id bigint PRIMARY KEY, note_id bigint REFERENCES note);
         INSERT INTO reply VALUES (11, 1);
         ALTER TABLE reply ENABLE ROW LEVEL SECURITY;
         CREATE POLICY none ON reply USING (false);",
    )
    .await;
    let role = as_role(
        &url,
        "registrar",
        "GRANT ALL ON note, other, reply TO registrar;",
    )
    .await;
    let toml = format!(
        "{HEAD}{}{}",
        class(
            "bad",
            &format!("{}\ndependants = [\"reply\"]", deletes("note"))
        ),
        bystander()
    );
    let report = Run::new(&role, &toml, TODAY).go().await;
    assert_refused(&url, &report, "bad", "R0314").await;
    assert_eq!(support::number(&url, "SELECT count(*) FROM note").await, 3);
    assert_eq!(support::number(&url, "SELECT count(*) FROM reply").await, 1);
}

#[tokio::test]
async fn a_role_that_may_only_read() {
    let url = stage::database(TABLES).await;
    let role = as_role(&url, "reader", "GRANT SELECT ON note, other TO reader;").await;
    let before = stage::rows(&url, &EVERYTHING).await;
    let flags = class("seen", &deletes("other").replace("delete", "flag"));
    let toml = format!("{HEAD}{}{flags}", class("bad", &deletes("note")));
    let report = Run::new(&role, &toml, TODAY).go().await;
    assert_refused(&url, &report, "bad", "R0307").await;
    let reason = stage::any(&report, "bad").reason.clone().unwrap();
    assert!(
        reason.contains("may not DELETE on `public.note`"),
        "{reason}"
    );
    // To flag, reading is enough.
    assert_eq!(of(&report, "seen").flagged, 1);
    assert_eq!(stage::rows(&url, &EVERYTHING).await, before);
}

#[tokio::test]
async fn a_missing_privilege_protects_what_the_class_claims() {
    let url = stage::database(TABLES).await;
    let role = as_role(
        &url,
        "editor",
        "GRANT SELECT, UPDATE ON note TO editor; GRANT ALL ON other TO editor;",
    )
    .await;
    let before = stage::rows(&url, &EVERYTHING).await;
    let bad = class(
        "bad",
        &format!("{}\nwhere = \"kind = 'a'\"", deletes("note")),
    );
    let redacts = companion("\"anonymise\"\nanonymise = { body = \"redact\" }");
    let report = Run::new(
        &role,
        &format!("{HEAD}{bad}{redacts}{}", bystander()),
        TODAY,
    )
    .go()
    .await;
    assert_refused(&url, &report, "bad", "R0307").await;
    assert_eq!(
        (
            of(&report, "all-notes").anonymised,
            of(&report, "others").deleted
        ),
        (1, 1)
    );
    stage::assert_told(&url, &before, &EVERYTHING).await;
    assert_eq!(
        support::texts(&url, "SELECT body FROM note ORDER BY id").await,
        ["secret", "[redacted]", "secret"]
    );
}

#[tokio::test]
async fn where_every_class_is_refused_the_pass_has_failed() {
    let url = stage::database(TABLES).await;
    let toml = format!(
        "{HEAD}{}{}",
        class("bad", &deletes("nowhere")),
        class("worse", &deletes("nothing"))
    );
    let report = Run::new(&url, &toml, TODAY).go().await;
    assert_eq!((report.outcome, report.exit_code()), (Outcome::Failed, 1));
    assert_eq!(stage::entries(&url, "refused").await.len(), 2);
}

#[tokio::test]
async fn a_privilege_that_is_taken_away_after_the_plan_fails_the_class_and_no_other() {
    let url = stage::database(TABLES).await;
    let role = as_role(&url, "former", "GRANT ALL ON note, other TO former;").await;
    let before = stage::rows(&url, &EVERYTHING).await;
    let run = Run::new(
        &role,
        &format!("{HEAD}{}{}", class("bad", &deletes("note")), bystander()),
        TODAY,
    )
    .planned()
    .await;
    support::sql(&url, "REVOKE DELETE ON note FROM former").await;
    let report = run.go().await;
    let bad = stage::any(&report, "bad");
    assert_eq!((bad.status, bad.acted()), (Status::Failed, 0));
    assert!(
        bad.reason.as_deref().unwrap_or_default().contains("42501"),
        "{:?}",
        bad.reason
    );
    assert_eq!(of(&report, "others").deleted, 1);
    assert_eq!(stage::entries(&url, "failed").await.len(), 1);
    stage::assert_told(&url, &before, &EVERYTHING).await;
    let mut conn = support::ours(&role).await;
    conn.ping().await.unwrap();
}
