//! `details_kept`: the manifests of a year dropped whole, said first and published, and what
//! is still answered afterwards.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/stage.rs"]
mod stage;
mod support;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use retentiond::daemon::tick::{self, Order};
use retentiond::enforce::RunReport;
use retentiond::ledger::audit::{Dropped, Trust, Verdict, Verification};
use retentiond::ledger::details::{self, YearDetails};
use retentiond::ledger::publish::{Folder, verify_folder};
use retentiond::ledger::store::{self, Reading};
use retentiond::ledger::{Action, Entry, keyring};
use retentiond::settings::Settings;
use sqlx::Connection;
use tokio_util::sync::CancellationToken;

/// Letters that are due in 2024, in 2025 and in 2026.
const TABLES: &str = "
CREATE TABLE letter (id bigint PRIMARY KEY, closed_on date);
INSERT INTO letter SELECT n, date '2016-01-01' + n * 30 FROM generate_series(1, 35) n;
";

fn schedule(kept: &str) -> String {
    let class = stage::class(
        "letters",
        "table = \"letter\"\ntrigger = \"closed_on\"\nperiod = \"8 years\"\ndisposal = \"delete\"",
    );
    format!("{}accept = \"automatic\"\n{kept}{class}", stage::HEAD)
}

const TWO_YEARS: &str = "details_kept = \"2 years\"\n";

struct Office {
    url: String,
    published: PathBuf,
}

impl Office {
    /// With one pass in the middle of each of these years.
    async fn with(years: &[&str]) -> Self {
        let url = stage::database(TABLES).await;
        let name = url.rsplit('/').next().unwrap().split('?').next().unwrap();
        let published = PathBuf::from(support::state()).join(format!("details-{name}"));
        let _ = fs::remove_dir_all(&published);
        let office = Self { url, published };
        for year in years {
            office.pass(&schedule(""), &format!("{year}-07-01")).await;
        }
        office
    }

    async fn pass_as(&self, url: &str, toml: &str, day: &str) -> RunReport {
        let schedule = support::schedule(toml);
        let state = self.published.to_str().unwrap().to_owned();
        let settings = [
            ("RETENTIOND__STATE__DIRECTORY".to_owned(), state),
            (
                "RETENTIOND__THROTTLE__LOCK_TIMEOUT_MILLISECONDS".to_owned(),
                "200".to_owned(),
            ),
        ];
        let settings = Settings::from_files(&[], None, settings.into_iter(), false).unwrap();
        let order = Order {
            url,
            schedule: &schedule,
            settings: &settings,
            now: support::at(day),
            present: false,
            actor: "test",
            patience: Duration::ZERO,
            full_speed: true,
            only: &[],
            due: None,
            on_plan: None,
            stop: &CancellationToken::new(),
            observe: &|_| (),
        };
        tick::tick(&order).await.unwrap()
    }

    async fn pass(&self, toml: &str, day: &str) -> RunReport {
        self.pass_as(&self.url, toml, day).await
    }

    async fn folder(&self) -> Folder {
        let mut conn = support::ours(&self.url).await;
        let origin = store::origin(&mut conn).await.unwrap();
        conn.close().await.unwrap();
        let own = self.published.join(origin.rsplit('/').next().unwrap());
        Folder::new(own.join("published").join(origin.replace('/', "-")))
    }

    /// In the database, and in the published folder.
    async fn verified(&self) -> [Verification; 2] {
        let folder = self.folder().await;
        let keys = fs::read_to_string(folder.path().join("keys")).unwrap();
        let trust = Trust {
            keys: keyring::verifiers(&keys).unwrap(),
            checkpoints: Vec::new(),
        };
        let outside = verify_folder(&folder, &trust).unwrap();
        let mut conn = support::ours(&self.url).await;
        let inside = store::verify(&mut conn, &trust, &Reading::Whole, |_| ()).await;
        conn.close().await.unwrap();
        [inside.unwrap(), outside]
    }

    /// The years that have details: in the database, and in the folder.
    async fn years(&self) -> [Vec<String>; 2] {
        let inside = support::texts(
            &self.url,
            "SELECT DISTINCT year::text FROM retentiond.ledger_manifest ORDER BY 1",
        )
        .await;
        let mut outside: Vec<String> = fs::read_dir(self.folder().await.path().join("manifests"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        outside.sort();
        [inside, outside]
    }

    async fn said(&self) -> i64 {
        support::number(
            &self.url,
            "SELECT count(*) FROM retentiond.ledger_entry WHERE action = 'details-dropped'",
        )
        .await
    }
}

fn years(years: &[&str]) -> [Vec<String>; 2] {
    let years: Vec<String> = years.iter().map(|year| (*year).to_owned()).collect();
    [years.clone(), years]
}

fn gone(year: i32) -> YearDetails {
    YearDetails {
        year,
        dropped: true,
        reason: None,
    }
}

#[test]
fn a_year_is_past_on_the_day_after_its_last_day_is_over() {
    let past = |kept: &str, at: &str| {
        support::schedule(&schedule(&format!("details_kept = \"{kept}\"\n")))
            .details_past(at.parse().unwrap())
    };
    // 31 December 2019 and six years.
    assert_eq!(past("6 years", "2025-12-31T23:59:59Z"), Some(2018));
    assert_eq!(past("6 years", "2026-01-01T00:00:00Z"), Some(2019));
    // A year that is not over, and the day on which it has just ended.
    assert_eq!(past("1 day", "2026-12-31T23:59:59Z"), Some(2025));
    assert_eq!(past("1 day", "2027-01-01T23:59:59Z"), Some(2025));
    assert_eq!(past("1 day", "2027-01-02T00:00:00Z"), Some(2026));
    let kept_for_ever = support::schedule(&schedule(""));
    assert_eq!(kept_for_ever.details_past(support::at("2090-01-01")), None);
}

#[tokio::test]
async fn details_go_with_their_year_and_the_entries_stay() {
    let office = Office::with(&["2024", "2025"]).await;
    assert_eq!(office.years().await, years(&["2024", "2025"]));
    let report = office.pass(&schedule(TWO_YEARS), "2026-12-31").await;
    assert_eq!(report.details, []);
    assert_eq!(office.years().await, years(&["2024", "2025", "2026"]));

    let report = office.pass(&schedule(TWO_YEARS), "2027-01-01").await;
    assert_eq!(
        (report.details.as_slice(), report.exit_code()),
        (&[gone(2024)][..], 0)
    );
    assert_eq!(office.years().await, years(&["2025", "2026"]));
    let mut conn = support::ours(&office.url).await;
    let entry = details::said(&mut conn).await.unwrap()[&2024];
    conn.close().await.unwrap();
    assert!(entry.is_some());
    for found in office.verified().await {
        assert_eq!(found.verdict, Verdict::Ok, "{found:?}");
        assert_eq!(found.dropped, [Dropped { year: 2024, entry }]);
    }
    let deleted = "SELECT count(*) FROM retentiond.ledger_entry
        WHERE action = 'deleted' AND extract(year FROM at) = 2024";
    assert_eq!(support::number(&office.url, deleted).await, 1);

    // Once, and of the next year in its time; what is written late lies beside the years.
    let report = office.pass(&schedule(TWO_YEARS), "2027-06-01").await;
    assert_eq!((report.details.len(), office.said().await), (0, 1));
    let report = office.pass(&schedule(TWO_YEARS), "2028-01-01").await;
    assert_eq!(report.details, [gone(2025)]);
    assert_eq!(office.years().await, years(&["2026"]));
}

#[tokio::test]
async fn details_that_are_missing_without_an_entry_are_a_fault() {
    let office = Office::with(&["2024"]).await;
    support::sql(&office.url, "DROP TABLE retentiond.ledger_manifest_2024").await;
    fs::remove_dir_all(office.folder().await.path().join("manifests/2024")).unwrap();
    for found in office.verified().await {
        assert_eq!(found.verdict, Verdict::Tampered, "{found:?}");
    }
}

#[tokio::test]
async fn what_broke_off_after_the_entry_is_finished_by_the_next_pass() {
    let office = Office::with(&["2024"]).await;
    // Somebody reads: the entry is written and published, and the table stays.
    let mut reader = support::client(&office.url).await;
    let mut open = reader.begin().await.unwrap();
    sqlx::raw_sql("LOCK TABLE retentiond.ledger_manifest_2024 IN ACCESS SHARE MODE")
        .execute(&mut *open)
        .await
        .unwrap();
    let report = office.pass(&schedule(TWO_YEARS), "2027-01-01").await;
    let waits = YearDetails {
        year: 2024,
        dropped: false,
        reason: Some("SQLSTATE 55P03".to_owned()),
    };
    assert_eq!(
        (report.details.as_slice(), report.exit_code()),
        (&[waits][..], 3)
    );
    assert_eq!(office.said().await, 1);
    assert_eq!(office.years().await[1], ["2024", "2027"]);
    for found in office.verified().await {
        assert_eq!(found.verdict, Verdict::Ok, "{found:?}");
    }
    open.rollback().await.unwrap();
    let report = office.pass(&schedule(TWO_YEARS), "2027-01-02").await;
    assert_eq!(report.details, [gone(2024)]);
    assert_eq!(office.said().await, 1);
    assert_eq!(office.years().await, years(&["2027"]));

    // Between the table and the folder.
    let left = office.folder().await.path().join("manifests/2024");
    fs::create_dir(&left).unwrap();
    office.pass(&schedule(TWO_YEARS), "2027-01-03").await;
    assert!(!left.exists());
}

#[tokio::test]
async fn without_the_right_to_drop_nothing_is_said_and_a_person_is_told() {
    let office = Office::with(&["2024"]).await;
    support::sql(
        &office.url,
        "CREATE ROLE details_service LOGIN;
         GRANT USAGE ON SCHEMA retentiond TO details_service;
         GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA retentiond TO details_service;
         GRANT ALL ON ALL SEQUENCES IN SCHEMA retentiond TO details_service;
         GRANT UPDATE, DELETE ON retentiond.run, retentiond.unsealed, retentiond.class_state,
             retentiond.lease TO details_service",
    )
    .await;
    let mut conn = support::ours(&office.url.replacen("retentiond@", "details_service@", 1)).await;
    let origin = store::origin(&mut conn).await.unwrap();
    let places = retentiond::ledger::publish::Places {
        state: office.published.clone(),
        published: None,
        credential: None,
    };
    assert!(!origin.is_empty());
    let log = retentiond::ledger::publish::Log::open(&mut conn, &places)
        .await
        .unwrap();
    let dropping = details::Dropping {
        last: 2024,
        actor: "service",
        run: 1,
        now: support::at("2027-01-01"),
    };
    let ended = details::drop_past(&mut conn, &log, dropping).await.unwrap();
    conn.close().await.unwrap();
    let why = "only its owner can drop retentiond.ledger_manifest_2024: make one pass as `retentiond`, `retentiond run --database URL`";
    assert_eq!(
        ended,
        [YearDetails {
            year: 2024,
            dropped: false,
            reason: Some(why.to_owned())
        }]
    );
    assert_eq!(
        (office.said().await, office.years().await),
        (0, years(&["2024"]))
    );
}

/// An entry alone, as somebody might forge it who may only add: nothing goes by that before
/// its time.
#[tokio::test]
async fn an_entry_before_its_time_drops_nothing() {
    let office = Office::with(&["2024"]).await;
    let mut conn = support::ours(&office.url).await;
    let id = store::next_entry_ids(&mut conn, 1).await.unwrap()[0];
    let mut entry = Entry::new(id, support::at("2025-01-01"), Action::DetailsDropped, "x");
    entry.detail.insert("year".to_owned(), "2024".to_owned());
    store::append(&mut conn, &entry, None).await.unwrap();
    conn.close().await.unwrap();
    let report = office.pass(&schedule(TWO_YEARS), "2026-12-31").await;
    assert_eq!(report.details, []);
    assert_eq!(office.years().await[1], ["2024", "2026"]);
}
