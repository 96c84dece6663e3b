//! Dossiers with pages, sheets of pages, and mentions elsewhere, of which two people decide.

use retentiond::ident::ClassId;
use retentiond::ledger::{KeyColumns, KeyValue, RecordKey};
use retentiond::plan::Ask;
use retentiond::review::{self, Decision, NewHold, NewReview, ReviewedRecord};
use retentiond::survey::{self, Drawn, QueuePage, Queued, Shown};
use sqlx::PgConnection;

use crate::{stage, support};

pub const TODAY: &str = "2026-11-23";

/// A page is of a dossier, a sheet of a page; a mention only refers to a dossier. None of
/// the links but the first has an index.
pub const TABLES: &str = "
CREATE TABLE dossier (id bigint PRIMARY KEY, about text, amount numeric(8,2), closed_on date, received_on date, touched_on date, scan text);
CREATE TABLE page (id bigint PRIMARY KEY, dossier_id bigint NOT NULL REFERENCES dossier, image text);
CREATE INDEX ON page (dossier_id);
CREATE TABLE sheet (page_id bigint REFERENCES page, nth int, PRIMARY KEY (page_id, nth));
CREATE TABLE mention (id bigint PRIMARY KEY, dossier_id bigint REFERENCES dossier);
INSERT INTO dossier VALUES
    (1, '=HYPERLINK(\"x\"), \"Ann\"', -12.50, '2018-03-03', '2018-01-01', '2018-02-05', 'a.tif'),
    (2, 'Bo' || chr(10) || 'Ferro', 3, '2015-06-30', NULL, '2015-06-30', NULL),
    (3, NULL, NULL, NULL, '2017-01-31', NULL, ''),
    (4, '+44 20 7946', 0, '2018-12-01', NULL, NULL, NULL),      -- kept through 1 December
    (5, '-5', NULL, '2016-02-29', NULL, NULL, NULL),            -- to be held
    (6, NULL, NULL, NULL, NULL, NULL, NULL),                    -- has no day
    (7, '@Cy', NULL, '2014-05-05', NULL, NULL, NULL),
    (8, NULL, NULL, '2014-01-01', NULL, '2020-01-01', NULL),    -- somebody has worked with it
    (10, NULL, NULL, '2014-05-05', NULL, NULL, NULL);
INSERT INTO page VALUES (11, 1, 'p1'), (12, 1, NULL), (13, 2, 'p3'), (14, 4, 'p4'), (71, 7, NULL), (72, 7, NULL), (73, 7, NULL);
INSERT INTO sheet VALUES (11, 1), (11, 2), (12, 1), (14, 1);
INSERT INTO mention VALUES (1, 1), (2, 3), (3, 3), (4, NULL);
";

pub fn schedule() -> String {
    let dossiers = stage::class(
        "dossiers",
        "table = \"dossier\"\ntrigger = [\"closed_on\", { column = \"received_on\", when = \"closed_on IS NULL\" }]\n\
         period = \"8 years\"\ndisposal = \"delete\"\ngate = \"review\"\napprovals = 2\nunless_active = [\"touched_on\"]\n\
         preview = [\"about\", \"amount\"]\n\
         dependants = [\"page\", \"sheet\", { table = \"mention\", action = \"unlink\" }]\n\
         files = [{ column = \"scan\", store = \"media\" }, { table = \"page\", column = \"image\", store = \"media\" }]\n",
    );
    format!("{}accept = \"automatic\"\n{dossiers}", stage::HEAD)
}

pub async fn open() -> String {
    let url = stage::database(TABLES).await;
    support::hold(&url, "dossier", &["5"], None).await;
    url
}

/// A class's queue on a day.
pub struct Room {
    pub conn: PgConnection,
    pub drawn: Drawn,
    pub class: ClassId,
    pub columns: KeyColumns,
}

impl Room {
    pub async fn on(url: &str, toml: &str, class: &str, day: &str) -> Self {
        let mut conn = support::ours(url).await;
        let drawn = survey::draw(&mut conn, &support::schedule(toml), support::at(day))
            .await
            .unwrap();
        let class = ClassId::new(class).unwrap();
        let planned = drawn.plan.class(&class).unwrap();
        assert!(planned.refusals.is_empty(), "{:?}", planned.refusals);
        let columns = survey::key_columns(&drawn.catalog, &planned.table).unwrap();
        Self {
            conn,
            drawn,
            class,
            columns,
        }
    }

    pub async fn page(&mut self, ask: &Ask, keys: Option<&[&RecordKey]>) -> QueuePage {
        let class = self.drawn.plan.class(&self.class).unwrap();
        survey::queue(&mut self.conn, class, &self.columns, ask, keys)
            .await
            .unwrap()
    }

    /// The keys of a page.
    pub async fn keys(&mut self, ask: &Ask) -> Vec<String> {
        let page = self.page(ask, None).await;
        let keys = page.records.iter().map(|one| one.key.to_texts().join(","));
        keys.collect()
    }

    pub async fn shown(&mut self, ask: &Ask) -> Vec<Shown> {
        let page = self.page(ask, None).await;
        self.show(&page.records).await
    }

    pub async fn show(&mut self, records: &[Queued]) -> Vec<Shown> {
        let class = self.drawn.plan.class(&self.class).unwrap();
        let day = self.drawn.plan.on();
        survey::show(&mut self.conn, class, &self.columns, day, records)
            .await
            .unwrap()
    }

    pub async fn why_not(&mut self, keys: &[&RecordKey]) -> Vec<String> {
        let class = self.drawn.plan.class(&self.class).unwrap();
        survey::why_not_queued(&mut self.conn, class, &self.columns, keys)
            .await
            .unwrap()
    }

    /// Decides about those of the queue that `ask` fits; how many they were.
    pub async fn decide(&mut self, ask: &Ask, decision: Decision<'_>, by: &str) -> usize {
        let page = self.page(ask, None).await;
        let records: Vec<ReviewedRecord> = page
            .records
            .into_iter()
            .map(|one| ReviewedRecord {
                key: one.key,
                trigger: one.trigger,
                last_day: one.last_day,
            })
            .collect();
        let class = self.drawn.plan.class(&self.class).unwrap();
        let new = NewReview {
            class: &class.id,
            table: &class.table,
            class_digest: &class.digest,
            records: &records,
            decision,
            reason: "looked at",
        };
        review::review(&mut self.conn, &new, by, support::at(TODAY))
            .await
            .unwrap();
        records.len()
    }
}

pub fn key(number: i64) -> RecordKey {
    RecordKey::new(vec![KeyValue::Int(number)]).unwrap()
}

/// What fits a condition.
pub fn only(condition: &str) -> Ask {
    Ask {
        only: Some(retentiond::schedule::Condition::parse(condition).unwrap()),
        ..Ask::default()
    }
}

/// A hold on a dossier that is released again.
pub async fn hold(url: &str, number: i64) -> i64 {
    let table = "public.dossier".parse().unwrap();
    let key = key(number);
    let hold = NewHold::on_record(&table, &key, "litigation");
    let mut conn = support::ours(url).await;
    review::place_hold(&mut conn, &hold, "test", support::at(TODAY))
        .await
        .unwrap()
}
