//! The sample organisation with its roles, and a login for each.

use std::path::PathBuf;

use retentiond::demo::sample::{self, SampleOptions};
use sqlx::Connection;
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::command::{Desk, Said};
use crate::support;

/// The day that the sample's dates are counted from.
pub const ON: &str = "2026-11-23";

/// The shipped schedule; how much goes in the first pass of a sample is no limit's matter.
pub fn schedule() -> String {
    support::unlimited(include_str!("../../retention.toml"))
}

/// A database with the sample, what `grants` printed for it executed, and four logins.
pub struct House {
    pub url: String,
    pub prefix: String,
    pub printed: String,
    folder: TempDir,
}

static TEMPLATE: OnceCell<(String, TempDir)> = OnceCell::const_new();

/// A copy of the sample that nobody was granted anything in.
pub async fn sample() -> (String, PathBuf) {
    let (template, folder) = TEMPLATE
        .get_or_init(|| async {
            let url = support::migrated().await;
            let folder = tempfile::tempdir().unwrap();
            let options = SampleOptions {
                rows: 2_000,
                on: ON.parse().unwrap(),
                seed: 1,
                media_folder: Some(folder.path().join("media")),
            };
            let mut conn = support::client(&url).await;
            sample::load(&mut conn, &options, &mut |_, _, _| ())
                .await
                .unwrap();
            conn.close().await.unwrap();
            (url, folder)
        })
        .await;
    (
        support::copy_of(template).await,
        folder.path().join("media"),
    )
}

impl House {
    /// `prefix` must be the test's own: roles belong to the whole cluster.
    pub async fn new(prefix: &str) -> Self {
        let (url, media) = sample().await;
        let folder = tempfile::tempdir().unwrap();
        copy(&media, &folder.path().join("media"));
        let desk = Desk::with(&url, &schedule());
        let said = desk.run(&format!("grants --role-prefix {prefix}"));
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{said}");
        let house = Self {
            url,
            prefix: prefix.to_owned(),
            printed: said.out,
            folder,
        };
        support::sql(&house.url, &house.printed).await;
        for role in ["reader", "enforcer", "console", "maintainer"] {
            support::sql(
                &house.url,
                &format!(
                    "CREATE ROLE {prefix}_{role}_login LOGIN; GRANT {prefix}_{role} TO {prefix}_{role}_login"
                ),
            )
            .await;
        }
        house
    }

    /// The URL of a role's login.
    pub fn as_role(&self, role: &str) -> String {
        let login = format!("//{}_{role}_login@", self.prefix);
        let url = self.url.replacen("//retentiond@", &login, 1);
        assert_ne!(url, self.url);
        url
    }

    pub fn media(&self) -> PathBuf {
        self.folder.path().join("media")
    }

    /// The program as somebody with that login would have it.
    pub fn desk(&self, role: &str) -> Desk {
        let desk = Desk::with(&self.as_role(role), &schedule());
        desk.write(
            "settings.toml",
            format!("[stores.media]\npath = {:?}\n", self.media()),
        );
        desk
    }

    pub fn run(&self, role: &str, line: &str) -> Said {
        self.desk(role)
            .run(&format!("{line} --config settings.toml"))
    }

    /// Whether the database lets a role do it: `None` if so, else the SQLSTATE.
    pub async fn refuses(&self, role: &str, sql: &str) -> Option<String> {
        let mut conn = support::client(&self.as_role(role)).await;
        let mut tx = conn.begin().await.unwrap();
        let done = sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
            .execute(&mut *tx)
            .await;
        tx.rollback().await.unwrap();
        match done {
            Ok(_) => None,
            Err(error) => Some(
                error
                    .as_database_error()
                    .and_then(|error| error.code())
                    .unwrap_or_else(|| panic!("{error}"))
                    .into_owned(),
            ),
        }
    }
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}
