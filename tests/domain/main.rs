//! The shipped schedule, row by row of the published notices, on records put in by hand.
//!
//! Every day here was counted by hand from the words of the notices and the English rule
//! of the corresponding date; none was asked of the program.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/mod.rs"]
mod support;

mod clock_changes;
mod month_ends;
mod never_touched;
mod periods;
mod related;

use chrono::{DateTime, Utc};
use retentiond::demo::sample::SCHEMA_SQL;
use retentiond::enforce::{ClassReport, RunReport, Status, Throttle};
use retentiond::survey::{self, Counts};

const SCHEDULE: &str = include_str!("../../retention.toml");

/// The organisation's empty tables, ours beside them, and a folder for its media.
struct Organisation {
    url: String,
    media: tempfile::TempDir,
}

impl Organisation {
    async fn with(rows: &str) -> Self {
        let url = support::migrated().await;
        // A role's own schema would come first, and ours is named like the role.
        support::sql(&url, &format!("SET search_path = public; {SCHEMA_SQL}")).await;
        support::sql(
            &url,
            "INSERT INTO department (name, cost_centre) VALUES ('Casework', 'MP101');
             INSERT INTO staff_post (department_id, title, grade) VALUES (1, 'Officer', 'Band 2');
             INSERT INTO matter (reference, department_id, topic, opened_at)
                 VALUES ('MAT-1', 1, 'Moped theft', '2000-01-01 12:00Z');
             INSERT INTO vacancy (department_id, title, kind, closes_on)
                 VALUES (1, 'Research analyst', 'post', '2020-01-01');",
        )
        .await;
        support::sql(&url, rows).await;
        let media = tempfile::tempdir().unwrap();
        Self { url, media }
    }

    /// The pass at two in the morning of a London day.
    async fn pass(&self, day: &str) -> RunReport {
        self.pass_at(support::at(day)).await
    }

    /// A pass in which no class was refused or failed.
    async fn pass_at(&self, now: DateTime<Utc>) -> RunReport {
        let stores = support::store("media", self.media.path());
        let report =
            support::pass_with(&self.url, SCHEDULE, now, &stores, Throttle::FULL_SPEED).await;
        for class in &report.classes {
            let sound = !matches!(class.status, Status::Refused | Status::Failed);
            assert!(sound && class.failed == 0, "{now}: {class:?}");
        }
        report
    }

    async fn texts(&self, sql: &str) -> Vec<String> {
        support::texts(&self.url, sql).await
    }

    /// What `sql` answers after the pass of each day, its texts joined by a blank.
    async fn after_passes(&self, sql: &str, days: &[(&str, &str)]) {
        for (day, expected) in days {
            self.pass(day).await;
            assert_eq!(
                self.texts(sql).await.join(" "),
                *expected,
                "after the pass of {day}"
            );
        }
    }

    async fn counts(&self, class: &str, day: &str) -> Counts {
        let plan = support::plan(&self.url, SCHEDULE, support::at(day)).await;
        let mut conn = support::ours(&self.url).await;
        let counted = survey::count(&mut conn, &plan).await.unwrap();
        counted
            .into_iter()
            .find(|counts| counts.id.as_str() == class)
            .unwrap()
            .counts
            .unwrap()
    }

    /// Every row of every table of the organisation, each with the transaction that wrote
    /// it: a row that was rewritten with the same values shows.
    async fn rows(&self) -> Vec<String> {
        let mut rows = Vec::new();
        for table in self
            .texts("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
            .await
        {
            let sql = format!(
                "SELECT '{table} ' || t.xmin || ' ' || t::text FROM {table} AS t ORDER BY 1"
            );
            rows.extend(self.texts(&sql).await);
        }
        rows
    }
}

fn class<'a>(report: &'a RunReport, id: &str) -> &'a ClassReport {
    report
        .classes
        .iter()
        .find(|class| class.id.as_str() == id)
        .unwrap()
}
