//! Each way in which a record can go that the other tests of holds do not take: anonymised,
//! at a stage and at the end after it, after its notice, with its file, along a relation that
//! only the schedule knows, in a thread, flagged, by a withdrawal, by a maximum.
//!
//! In each a hold on one row is all that saves it, whether it is there before the plan, comes
//! between plan and batch, or while the batch waits for the decisions' lock. The control is
//! the same pass without a hold, and the pass after the hold's release. Own deletions,
//! dependants, unlinked rows and shared ones are in `races`; what a backup brings back in
//! `replay`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/stage.rs"]
mod stage;
mod support;

use std::collections::BTreeSet;
use std::path::Path;

use retentiond::enforce::{RunReport, Status};
use retentiond::ident::TableName;
use retentiond::ledger::{KeyValue, RecordKey};
use retentiond::review::{self, NewHold};
use retentiond::{store, survey};
use sqlx::PgConnection;
use stage::{HEAD, Run, blocked, class, meddler, of};
use tempfile::TempDir;

/// The memos are flagged on this day, with ten days' notice.
const FLAGGED: &str = "2026-11-13";
const TODAY: &str = "2026-11-23";
const TOMORROW: &str = "2026-11-24";

const TABLES: [&str; 9] = [
    "person", "paper", "memo", "scan", "ticket", "event", "message", "visit", "consent",
];

/// Of each kind two, so that one goes beside the one that is held; the tenth is never past.
const SQL: &str = "
CREATE TABLE person (id bigint PRIMARY KEY, left_on date, name text);
INSERT INTO person VALUES (1, '2020-01-01', 'Ann'), (2, '2020-01-01', 'Bob'), (10, '2026-11-01', 'Cy');
CREATE TABLE paper (id bigint PRIMARY KEY, closed_on date, name text);
INSERT INTO paper VALUES (1, '2025-12-01', 'Ann'), (2, '2025-12-01', 'Bob'),
    (3, '2020-01-01', 'Cy'), (4, '2020-01-01', 'Di'), (5, '2020-01-01', '[redacted]'), (10, '2026-11-01', 'Ed');
CREATE TABLE memo (id bigint PRIMARY KEY, written_on date);
INSERT INTO memo VALUES (1, '2020-01-01'), (2, '2020-01-01'), (10, '2026-11-01');
CREATE TABLE scan (id bigint PRIMARY KEY, made_on date, path text);
INSERT INTO scan VALUES (1, '2020-01-01', 'file1'), (2, '2020-01-01', 'file2'), (10, '2026-11-01', 'file10');
CREATE TABLE ticket (id bigint PRIMARY KEY, resolved_on date);
CREATE TABLE event (id bigint PRIMARY KEY, kind text, object bigint);
CREATE INDEX ON event (kind, object);
INSERT INTO ticket VALUES (1, '2020-01-01'), (2, '2020-01-01'), (10, '2026-11-01');
INSERT INTO event VALUES (11, 'ticket', 1), (12, 'ticket', 1), (19, 'user', 1), (21, 'ticket', 2), (101, 'ticket', 10);
CREATE TABLE message (id bigint PRIMARY KEY, sent_on date, reply_to bigint REFERENCES message);
CREATE INDEX ON message (reply_to);
INSERT INTO message VALUES (1, '2020-01-01', NULL), (11, '2020-01-01', 1), (12, '2020-01-01', 11), (13, '2020-01-01', 1),
    (2, '2020-01-01', NULL), (21, '2020-01-01', 2), (10, '2026-11-01', NULL);
CREATE TABLE visit (id bigint PRIMARY KEY, made_on date);
INSERT INTO visit VALUES (1, '2020-01-01'), (2, '2020-01-01'), (10, '2026-11-01');
CREATE TABLE consent (id bigint PRIMARY KEY, given_on date, withdrawn boolean);
INSERT INTO consent VALUES (1, '2026-11-01', true), (2, '2026-11-01', true), (3, '2020-01-01', false),
    (4, '2020-01-01', false), (10, '2026-11-01', false);
";

fn schedule() -> String {
    let classes = [
        (
            "people",
            "table = \"person\"\ntrigger = \"left_on\"\nperiod = \"1 year\"\ndisposal = \"anonymise\"\nanonymise = { name = \"redact\" }",
        ),
        (
            "papers",
            "table = \"paper\"\ntrigger = \"closed_on\"\nperiod = \"2 years\"\ndisposal = \"delete\"
stages = [{ after = \"6 months\", disposal = \"anonymise\", anonymise = { name = \"redact\" } }]",
        ),
        (
            "memos",
            "table = \"memo\"\ntrigger = \"written_on\"\nperiod = \"1 year\"\nnotice = \"10 days\"\ndisposal = \"delete\"",
        ),
        (
            "scans",
            "table = \"scan\"\ntrigger = \"made_on\"\nperiod = \"1 year\"\ndisposal = \"delete\"\nfiles = [{ column = \"path\", store = \"media\" }]",
        ),
        (
            "tickets",
            "table = \"ticket\"\ntrigger = \"resolved_on\"\nperiod = \"1 year\"\ndisposal = \"delete\"
dependants = [{ table = \"event\", on = \"object = id\", where = \"kind = 'ticket'\" }]",
        ),
        (
            "messages",
            "table = \"message\"\ntrigger = \"sent_on\"\nperiod = \"1 year\"\ndisposal = \"delete\"\ndependants = [\"message\"]",
        ),
        (
            "visits",
            "table = \"visit\"\ntrigger = \"made_on\"\nperiod = \"1 year\"\ndisposal = \"flag\"",
        ),
        (
            "consents",
            "table = \"consent\"\ntrigger = \"given_on\"\nperiod = \"3 years\"\nlimit = \"maximum\"\nor_when = \"withdrawn\"\ndisposal = \"delete\"",
        ),
    ];
    let classes: String = classes.iter().map(|(id, rest)| class(id, rest)).collect();
    format!("{HEAD}{classes}")
}

/// A row to hold, the class that would have it, how many of its records are held by that,
/// what stays that would be gone, and what there would be in its place.
struct Way {
    name: &'static str,
    table: &'static str,
    key: &'static str,
    class: &'static str,
    /// By the plan.
    held: u64,
    /// By the pass's report.
    reported: u64,
    stays: &'static [&'static str],
    instead: &'static [&'static str],
}

const fn way(name: &'static str, row: (&'static str, &'static str), class: &'static str) -> Way {
    Way {
        name,
        table: row.0,
        key: row.1,
        class,
        held: 1,
        reported: 1,
        stays: &[],
        instead: &[],
    }
}

const WAYS: [Way; 13] = [
    Way {
        stays: &["person 1"],
        instead: &["person 1 redacted"],
        ..way("anonymised", ("person", "1"), "people")
    },
    Way {
        reported: 1,
        stays: &["paper 1"],
        instead: &["paper 1 redacted"],
        ..way("anonymised at a stage", ("paper", "1"), "papers")
    },
    Way {
        stays: &["paper 3"],
        ..way(
            "deleted at the end without the stage",
            ("paper", "3"),
            "papers",
        )
    },
    Way {
        stays: &["paper 5 redacted"],
        ..way(
            "deleted at the end after the stage",
            ("paper", "5"),
            "papers",
        )
    },
    Way {
        stays: &["memo 1"],
        ..way("after its notice", ("memo", "1"), "memos")
    },
    Way {
        stays: &["scan 1", "file1"],
        ..way("with its file", ("scan", "1"), "scans")
    },
    Way {
        stays: &["ticket 1", "event 11", "event 12"],
        ..way("with what the schedule relates", ("ticket", "1"), "tickets")
    },
    Way {
        stays: &["ticket 1", "event 11", "event 12"],
        ..way("as what the schedule relates", ("event", "12"), "tickets")
    },
    Way {
        held: 3,
        reported: 3,
        // Message 13 answers the root too, and nothing keeps it.
        stays: &["message 1", "message 11", "message 12"],
        ..way("as a reply to a reply", ("message", "12"), "messages")
    },
    Way {
        stays: &["message 2"],
        ..way(
            "as the root, whose reply goes alone",
            ("message", "2"),
            "messages",
        )
    },
    Way {
        stays: &[],
        instead: &["visit 1 flagged"],
        ..way("flagged", ("visit", "1"), "visits")
    },
    Way {
        stays: &["consent 1"],
        ..way("by a withdrawal", ("consent", "1"), "consents")
    },
    Way {
        stays: &["consent 3"],
        ..way("by a maximum", ("consent", "3"), "consents")
    },
];

/// What there is where nobody holds anything.
fn control() -> BTreeSet<String> {
    [
        "person 1 redacted",
        "person 2 redacted",
        "person 10",
        "paper 1 redacted",
        "paper 2 redacted",
        "paper 10",
        "memo 10",
        "scan 10",
        "file10",
        "ticket 10",
        "event 19",
        "event 101",
        "message 10",
        "visit 1",
        "visit 1 flagged",
        "visit 2",
        "visit 2 flagged",
        "visit 10",
        "consent 10",
    ]
    .map(str::to_owned)
    .into()
}

fn saved(way: &Way) -> BTreeSet<String> {
    let mut left = control();
    for gone in way.instead {
        assert!(left.remove(*gone), "{gone}");
    }
    left.extend(way.stays.iter().map(|name| (*name).to_owned()));
    left
}

struct World {
    url: String,
    folder: TempDir,
    before: stage::Rows,
}

impl World {
    /// The memos are flagged already, and nothing else has been done.
    async fn open() -> Self {
        let url = stage::database(SQL).await;
        let folder = tempfile::tempdir().unwrap();
        for name in ["file1", "file2", "file10"] {
            std::fs::write(folder.path().join(name), "x").unwrap();
        }
        let before = stage::rows(&url, &TABLES).await;
        let world = Self {
            url,
            folder,
            before,
        };
        let report = world.run(FLAGGED).only("memos").go().await;
        assert_eq!(of(&report, "memos").flagged, 2);
        world
    }

    fn run(&self, day: &str) -> Run {
        Run::new(&self.url, &schedule(), day).stores(&support::store("media", self.folder.path()))
    }

    /// What is left, held against the ledger.
    async fn left(&self) -> BTreeSet<String> {
        stage::assert_told(&self.url, &self.before, &TABLES).await;
        let mut left = BTreeSet::new();
        for ((table, id), row) in stage::rows(&self.url, &TABLES).await {
            let redacted = if row.contains("[redacted]") {
                " redacted"
            } else {
                ""
            };
            left.insert(format!("{table} {id}{redacted}"));
        }
        let flagged = "SELECT 'visit ' || key[1] || ' flagged' FROM retentiond.flag WHERE class_id = 'visits'";
        left.extend(support::texts(&self.url, flagged).await);
        left.extend(files(self.folder.path()));
        left
    }

    /// How many records of its class are held, by a plan.
    async fn held(&self, way: &Way) -> u64 {
        let plan = support::plan(&self.url, &schedule(), support::at(TODAY)).await;
        let mut conn = support::ours(&self.url).await;
        let counted = survey::count(&mut conn, &plan).await.unwrap();
        let found = counted.into_iter().find(|one| one.id.as_str() == way.class);
        found.unwrap().counts.unwrap().held
    }

    async fn assert_saved(&self, way: &Way, report: &RunReport, when: &str) {
        let told = of(report, way.class);
        assert_eq!(self.left().await, saved(way), "{} {when}", way.name);
        assert_eq!(told.skipped.held, way.reported, "{} {when}", way.name);
        assert_eq!(
            (told.status, told.failed),
            (Status::Done, 0),
            "{} {when}",
            way.name
        );
    }
}

fn files(folder: &Path) -> Vec<String> {
    std::fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect()
}

async fn place(conn: &mut PgConnection, way: &Way) -> i64 {
    let table: TableName = way.table.parse().unwrap();
    let key = RecordKey::new(vec![KeyValue::Text(way.key.to_owned().into())]).unwrap();
    let hold = NewHold {
        reference: "TEST/1",
        reason: "a test",
        owner: "the tests",
        ..NewHold::on_record(&table, &key, "litigation")
    };
    review::place_hold(conn, &hold, "test", support::at("2026-11-22"))
        .await
        .expect("the hold is placed")
}

#[tokio::test]
async fn without_a_hold_every_one_of_them_goes() {
    let world = World::open().await;
    let run = world.run(TODAY).planned().await;
    let report = run.go().await;
    assert_eq!(run.redraws(), 0);
    assert_eq!(world.left().await, control());
    assert!(report.classes.iter().all(|told| told.skipped.held == 0));
    for way in &WAYS {
        assert_ne!(saved(way), control(), "{}", way.name);
    }
}

#[tokio::test]
async fn a_hold_before_the_plan_is_all_that_saves_its_record() {
    for way in &WAYS {
        let world = World::open().await;
        let mut conn = support::ours(&world.url).await;
        let id = place(&mut conn, way).await;
        assert_eq!(world.held(way).await, way.held, "{}", way.name);
        let report = world.run(TODAY).go().await;
        world.assert_saved(way, &report, "before the plan").await;
        assert_eq!(world.held(way).await, way.held, "{}", way.name);
        review::release_hold(&mut conn, id, "settled", "test", support::at(TODAY))
            .await
            .unwrap();
        let report = world.run(TOMORROW).go().await;
        assert_eq!(world.left().await, control(), "{}", way.name);
        assert_eq!(of(&report, way.class).skipped.held, 0, "{}", way.name);
    }
}

#[tokio::test]
async fn a_hold_between_plan_and_batch_saves_its_record() {
    for way in &WAYS {
        let world = World::open().await;
        let run = world.run(TODAY).planned().await;
        place(&mut support::ours(&world.url).await, way).await;
        let report = run.go().await;
        assert_eq!(run.redraws(), 1, "{}", way.name);
        world.assert_saved(way, &report, "after the plan").await;
    }
}

#[tokio::test]
async fn a_hold_while_the_batch_waits_for_the_decisions_lock_saves_its_record() {
    for way in &WAYS {
        let world = World::open().await;
        let run = world.run(TODAY).only(way.class).planned().await;
        // Whoever decides holds this lock from the first statement on.
        let mut decider = meddler(&world.url, store::DECISIONS_EXCLUSIVE).await;
        let (report, _) = tokio::join!(run.go(), async {
            blocked(&world.url, 1).await;
            place(&mut decider, way).await
        });
        assert_eq!(run.redraws(), 1, "{}", way.name);
        // The other classes have their turn; what this one has done stays as it is.
        world.run(TODAY).go().await;
        world.assert_saved(way, &report, "at the lock").await;
    }
}
