//! What happens behind a statement's back: triggers that run after it, rows that a class
//! names by another relation, files that another column names.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use retentiond::enforce::{RunReport, Status, Throttle};

const ON: &str = "2026-11-23";

fn schedule(classes: &str) -> String {
    format!(
        "[schedule]\norganisation = \"Tests\"\ntime_zone = \"Europe/London\"\nevery = \"0 0 2 * * *\"\n{classes}"
    )
}

fn class(id: &str, table: &str, rest: &str) -> String {
    format!(
        "[[class]]\nid = \"{id}\"\ntitle = \"{id}\"\ntable = \"{table}\"\nauthority = \"Tests\"\n\
         trigger = \"closed_on\"\nperiod = \"1 year\"\n{rest}\n"
    )
}

async fn database(tables: &str) -> String {
    let url = support::migrated().await;
    support::sql(&url, &format!("SET search_path = public; {tables}")).await;
    url
}

async fn pass(url: &str, classes: &str) -> RunReport {
    support::pass(url, &schedule(classes), support::at(ON)).await
}

/// The keys that the ledger says were dealt with.
async fn lines(url: &str, action: &str) -> Vec<i64> {
    let mut keys: Vec<i64> = support::ledger(url)
        .await
        .iter()
        .filter(|entry| entry["action"] == action)
        .flat_map(|entry| entry["records"].as_array().unwrap().clone())
        .map(|record| record["key"]["id"].as_i64().unwrap())
        .collect();
    keys.sort_unstable();
    keys
}

#[tokio::test]
async fn a_value_that_is_restored_after_the_statement_is_a_failure() {
    let url = database(
        "CREATE TABLE person (id int PRIMARY KEY, closed_on date, name text);
         CREATE INDEX ON person (closed_on);
         INSERT INTO person SELECT i, '2020-01-01', 'N' || i FROM generate_series(1, 9) i;
         CREATE FUNCTION restore() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             IF NEW.name <> OLD.name THEN UPDATE public.person SET name = OLD.name WHERE id = OLD.id; END IF;
             RETURN NULL; END $$;
         CREATE TRIGGER restore AFTER UPDATE ON person FOR EACH ROW WHEN (OLD.id = 5 AND pg_trigger_depth() = 0) EXECUTE FUNCTION restore();",
    )
    .await;
    let rule = class(
        "people",
        "person",
        "disposal = \"anonymise\"\nanonymise = { name = \"redact\" }",
    );
    let report = pass(&url, &rule).await;
    assert_eq!(
        (report.classes[0].anonymised, report.classes[0].failed),
        (8, 1)
    );
    assert_eq!(lines(&url, "anonymised").await, [1, 2, 3, 4, 6, 7, 8, 9]);
    assert_eq!(lines(&url, "quarantined").await, [5]);
    assert_eq!(
        support::texts(&url, "SELECT name FROM public.person WHERE id = 5").await,
        ["N5"]
    );
}

#[tokio::test]
async fn a_row_that_is_put_back_after_the_statement_is_a_failure() {
    let url = database(
        "CREATE TABLE letter (id int PRIMARY KEY, closed_on date);
         CREATE INDEX ON letter (closed_on);
         INSERT INTO letter SELECT i, '2020-01-01' FROM generate_series(1, 9) i;
         CREATE FUNCTION put_back() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             INSERT INTO public.letter VALUES (OLD.*); RETURN NULL; END $$;
         CREATE TRIGGER put_back AFTER DELETE ON letter FOR EACH ROW WHEN (OLD.id = 5) EXECUTE FUNCTION put_back();",
    )
    .await;
    let report = pass(&url, &class("letters", "letter", "disposal = \"delete\"")).await;
    assert_eq!(
        (report.classes[0].deleted, report.classes[0].failed),
        (8, 1)
    );
    assert_eq!(lines(&url, "deleted").await, [1, 2, 3, 4, 6, 7, 8, 9]);
    assert_eq!(
        support::number(&url, "SELECT count(*) FROM public.letter").await,
        1
    );
}

#[tokio::test]
async fn a_shared_row_whose_deletion_is_vetoed_keeps_its_last_record() {
    let url = database(
        "CREATE TABLE form (id int PRIMARY KEY);
         CREATE TABLE photo (id int PRIMARY KEY, closed_on date, form_id int REFERENCES form);
         CREATE INDEX ON photo (closed_on); CREATE INDEX ON photo (form_id);
         INSERT INTO form VALUES (1), (2);
         INSERT INTO photo VALUES (1, '2020-01-01', 1), (2, '2020-01-02', 2);
         CREATE FUNCTION veto() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
         CREATE TRIGGER veto BEFORE DELETE ON form FOR EACH ROW WHEN (OLD.id = 2) EXECUTE FUNCTION veto();",
    )
    .await;
    let rule = class(
        "photos",
        "photo",
        "disposal = \"delete\"\ndependants = [\"form\"]",
    );
    let report = pass(&url, &rule).await;
    assert_eq!(
        (report.classes[0].deleted, report.classes[0].failed),
        (1, 1)
    );
    assert_eq!(lines(&url, "quarantined").await, [2]);
    assert_eq!(
        support::number(&url, "SELECT count(*) FROM public.photo WHERE form_id = 2").await,
        1
    );
    assert_eq!(
        support::number(&url, "SELECT count(*) FROM public.form").await,
        1
    );
}

#[tokio::test]
async fn a_veto_on_one_partition_is_seen() {
    let url = database(
        "CREATE TABLE letter (id int, closed_on date, PRIMARY KEY (id)) PARTITION BY RANGE (id);
         CREATE TABLE letter_low PARTITION OF letter FOR VALUES FROM (0) TO (100);
         CREATE TABLE letter_high PARTITION OF letter FOR VALUES FROM (100) TO (200);
         CREATE INDEX ON letter (closed_on);
         INSERT INTO letter VALUES (1, '2020-01-01'), (101, '2020-01-01');
         CREATE FUNCTION veto() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
         CREATE TRIGGER veto BEFORE DELETE ON letter_high FOR EACH ROW EXECUTE FUNCTION veto();",
    )
    .await;
    let report = pass(&url, &class("letters", "letter", "disposal = \"delete\"")).await;
    assert_eq!(
        (report.classes[0].deleted, report.classes[0].failed),
        (1, 1)
    );
    assert_eq!(lines(&url, "quarantined").await, [101]);
}

#[tokio::test]
async fn a_class_on_a_partition_or_a_view_is_refused_and_protects_the_whole_table() {
    for (relation, disposal) in [
        (
            "letter_low",
            "trigger = \"closed_on\"\nperiod = \"9 years\"\ndisposal = \"delete\"",
        ),
        (
            "shown",
            "trigger = \"closed_on\"\nperiod = \"9 years\"\ndisposal = \"delete\"",
        ),
        (
            "shown_again",
            "disposal = \"retain\"\nowner = \"O\"\nreason = \"R\"",
        ),
    ] {
        let url = database(
            "CREATE TABLE letter (id int, closed_on date, PRIMARY KEY (id)) PARTITION BY RANGE (id);
             CREATE TABLE letter_low PARTITION OF letter FOR VALUES FROM (0) TO (100);
             CREATE INDEX ON letter (closed_on);
             CREATE VIEW shown AS SELECT * FROM letter;
             CREATE VIEW shown_again AS SELECT * FROM shown;
             INSERT INTO letter VALUES (1, '2020-01-01');",
        )
        .await;
        let keeper = format!(
            "[[class]]\nid = \"keeper\"\ntitle = \"k\"\ntable = \"{relation}\"\nauthority = \"T\"\n{disposal}\n"
        );
        let rule = class("letters", "letter", "disposal = \"delete\"");
        let report = pass(&url, &(rule + &keeper)).await;
        assert_eq!(report.classes[1].status, Status::Refused, "{relation}");
        assert_eq!(report.classes[0].deleted, 0, "{relation}");
        assert_eq!(
            support::number(&url, "SELECT count(*) FROM public.letter").await,
            1,
            "{relation}"
        );
    }
}

#[tokio::test]
async fn a_file_stays_while_another_column_names_it() {
    let url = database(
        "CREATE TABLE form (id int PRIMARY KEY, closed_on date, scan text);
         CREATE TABLE photo (id int PRIMARY KEY, closed_on date, path text);
         CREATE INDEX ON photo (closed_on); CREATE INDEX ON form (closed_on);
         INSERT INTO form VALUES (1, '2026-11-01', 'same.jpg');
         INSERT INTO photo VALUES (1, '2020-01-01', 'same.jpg'), (2, '2020-01-01', 'own.jpg');",
    )
    .await;
    let folder = tempfile::tempdir().unwrap();
    for name in ["same.jpg", "own.jpg"] {
        std::fs::write(folder.path().join(name), "x").unwrap();
    }
    let rules = class(
        "photos",
        "photo",
        "disposal = \"delete\"\nfiles = [{ column = \"path\", store = \"media\" }]",
    ) + &class(
        "forms",
        "form",
        "disposal = \"delete\"\nfiles = [{ column = \"scan\", store = \"media\" }]",
    );
    let stores = support::store("media", folder.path());
    let report = support::pass_with(
        &url,
        &schedule(&rules),
        support::at(ON),
        &stores,
        Throttle::FULL_SPEED,
    )
    .await;
    assert_eq!((report.classes[0].deleted, report.classes[0].files), (2, 1));
    assert!(folder.path().join("same.jpg").exists());
    assert!(!folder.path().join("own.jpg").exists());
}
