//! An organisation with a class for each route, and a folder of files.

use std::collections::BTreeSet;
use std::path::Path;

use retentiond::enforce::Outcome;

use crate::stage::{self, HEAD, Rows, Run, class};
use crate::support;

pub const TODAY: &str = "2026-11-23";
pub const TABLES: [&str; 6] = [
    "message",
    "letter",
    "attachment",
    "photo",
    "form",
    "applicant",
];

/// Everything is past but every tenth record. Two photos share a form; forms have a scan.
pub const SQL: &str = "
CREATE TABLE message (id bigint PRIMARY KEY, received_on date);
CREATE INDEX ON message (received_on);
CREATE TABLE letter (id bigint PRIMARY KEY, received_on date);
CREATE INDEX ON letter (received_on);
CREATE TABLE attachment (id bigint PRIMARY KEY, letter_id bigint NOT NULL REFERENCES letter ON DELETE CASCADE);
CREATE INDEX ON attachment (letter_id);
CREATE TABLE form (id bigint PRIMARY KEY, scan text NOT NULL);
CREATE TABLE photo (id bigint PRIMARY KEY, captured_on date, form_id bigint REFERENCES form, path text NOT NULL);
CREATE INDEX ON photo (captured_on);
CREATE INDEX ON photo (form_id);
CREATE TABLE applicant (id bigint PRIMARY KEY, decided_on date, name text);
CREATE INDEX ON applicant (decided_on);

CREATE FUNCTION on_day(n bigint) RETURNS date LANGUAGE sql AS
    $$ SELECT CASE WHEN n % 10 = 0 THEN DATE '2026-11-01' ELSE DATE '2020-01-01' + (n % 97)::int END $$;
INSERT INTO message SELECT n, on_day(n) FROM generate_series(1, 300) n;
INSERT INTO letter SELECT n, on_day(n) FROM generate_series(1, 150) n;
INSERT INTO attachment SELECT 10 * n + m, n FROM generate_series(1, 150) n, generate_series(1, 2) m;
INSERT INTO form SELECT n, 'form' || n FROM generate_series(1, 50) n;
INSERT INTO photo SELECT n, on_day(n), 1 + n % 50, 'photo' || n FROM generate_series(1, 100) n;
INSERT INTO applicant SELECT n, on_day(n), 'name ' || n FROM generate_series(1, 150) n;
";

fn deletes(table: &str, trigger: &str, more: &str) -> String {
    class(
        table,
        &format!(
            "table = \"{table}\"\ntrigger = \"{trigger}\"\nperiod = \"1 year\"\ndisposal = \"delete\"\n{more}"
        ),
    )
}

pub fn schedule() -> String {
    format!(
        "{HEAD}{}{}{}{}",
        deletes("letter", "received_on", "dependants = [\"attachment\"]"),
        deletes("message", "received_on", ""),
        class(
            "applicant",
            "table = \"applicant\"\ntrigger = \"decided_on\"\nperiod = \"1 year\"\ndisposal = \"anonymise\"\nanonymise = { name = \"redact\" }"
        ),
        deletes(
            "photo",
            "captured_on",
            "dependants = [\"form\"]\nfiles = [{ column = \"path\", store = \"media\" }, { column = \"scan\", store = \"media\", table = \"form\" }]"
        ),
    )
}

/// Gives each photo and form its file.
pub async fn files(url: &str, folder: &Path) {
    for name in support::texts(
        url,
        "SELECT path FROM photo UNION ALL SELECT scan FROM form",
    )
    .await
    {
        std::fs::write(folder.join(name), "x").unwrap();
    }
}

/// A pass in small batches, which has to wait for what the one before has left behind.
pub fn pass(url: &str, folder: &Path) -> Run {
    Run::new(url, &schedule(), TODAY)
        .batches_of(7)
        .stores(&support::store("media", folder))
        .holder("test", std::time::Duration::from_secs(20))
}

/// Waits until nothing of ours is at work: a statement may outlive whoever sent it.
pub async fn quiet(url: &str) {
    stage::until(url, "application_name LIKE 'retentiond%'", 0).await;
}

/// Tables, ledger and files agree, wherever the pass was broken off.
pub async fn assert_agrees(url: &str, before: &Rows, folder: &Path, when: &str) {
    quiet(url).await;
    let mut faults = stage::faults(url, before, &TABLES).await;
    let named: BTreeSet<String> = support::texts(
        url,
        "SELECT path FROM photo UNION ALL SELECT scan FROM form",
    )
    .await
    .into_iter()
    .collect();
    let queued: BTreeSet<String> = support::texts(url, "SELECT path FROM retentiond.file_work")
        .await
        .into_iter()
        .collect();
    let there: BTreeSet<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    faults.extend(
        there
            .iter()
            .filter(|f| !named.contains(*f) && !queued.contains(*f))
            .map(|f| format!("nobody knows {f}")),
    );
    faults.extend(
        named
            .iter()
            .filter(|f| !there.contains(*f))
            .map(|f| format!("{f} has a row and is not there")),
    );
    faults.extend(
        named
            .intersection(&queued)
            .map(|f| format!("{f} has a row and is to be removed")),
    );
    assert!(faults.is_empty(), "{when}: {}", faults.join("\n"));
}

/// The next pass ends the work: exactly what is not past is left, and its files.
pub async fn assert_ends(url: &str, before: &Rows, folder: &Path) {
    let report = pass(url, folder).batches_of(1_000).go().await;
    assert_eq!(
        (report.outcome, report.exit_code()),
        (Outcome::Completed, 0)
    );
    assert_agrees(url, before, folder, "at the end").await;
    for (sql, left) in [
        ("SELECT count(*) FROM message", 30),
        ("SELECT count(*) FROM letter", 15),
        ("SELECT count(*) FROM attachment", 30),
        ("SELECT count(*) FROM photo", 10),
        // Photos 10, 20, … 100 have the forms 11, 21, … 41 and 1, each twice.
        ("SELECT count(*) FROM form", 5),
        (
            "SELECT count(*) FROM applicant WHERE name <> '[redacted]'",
            15,
        ),
        ("SELECT count(*) FROM applicant", 150),
        ("SELECT count(*) FROM retentiond.file_work", 0),
        ("SELECT count(*) FROM retentiond.quarantine", 0),
    ] {
        assert_eq!(support::number(url, sql).await, left, "{sql}");
    }
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 15);
}

/// Numbers by a rule (Knuth's 64-bit linear congruence), so that a run can be repeated.
pub struct Numbers(pub u64);

impl Numbers {
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}
