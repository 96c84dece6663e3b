//! A ledger of a few entries, sealed and published, and what can be done to it.

use chrono::{DateTime, NaiveDate, TimeDelta, TimeZone, Utc};
use retentiond::ident::{ClassId, Ident};
use retentiond::ledger::audit::{Trust, Verification};
use retentiond::ledger::publish::{Log, Places};
use retentiond::ledger::store::{self, Reading};
use retentiond::ledger::{Action, Entry, KeyColumns, KeyKind, KeyValue, Manifest, ManifestBuilder};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tempfile::TempDir;

use crate::support;

pub fn noon() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 22, 12, 0, 0).unwrap()
}

pub struct World {
    pub url: String,
    pub conn: PgConnection,
    pub folder: TempDir,
}

pub fn manifest(keys: &[i64], seed: u8) -> Manifest {
    let columns = KeyColumns::single(Ident::new("id").unwrap(), KeyKind::Int);
    let mut builder = ManifestBuilder::new(columns, None, [seed; 32]);
    let first: NaiveDate = "2015-03-01".parse().unwrap();
    for key in keys {
        let day = first.to_epoch_days() + i32::try_from(*key).unwrap();
        builder
            .push(&[KeyValue::Int(*key)], Some(day), Some(day + 2922), None)
            .unwrap();
    }
    builder.finish()
}

/// Appends `number` entries, every second of which has records; by the production path.
pub async fn append(conn: &mut PgConnection, number: u32) {
    for id in store::next_entry_ids(conn, number).await.unwrap() {
        let at = noon() + TimeDelta::seconds(id.0);
        if id.0 % 2 == 0 {
            let records = manifest(&[id.0 * 10, id.0 * 10 + 7], id.0 as u8);
            let mut entry = Entry::new(id, at, Action::Deleted, "service");
            entry.class = ClassId::new("letters");
            entry.table = Some("correspondence".parse().unwrap());
            entry.run = Some(7);
            entry.count = records.count;
            entry.manifest = Some(records.root);
            store::append(conn, &entry, Some(&records)).await.unwrap();
        } else {
            let entry = Entry::new(id, at, Action::RunFinished, "service");
            store::append(conn, &entry, None).await.unwrap();
        }
    }
}

impl World {
    pub async fn empty() -> Self {
        let url = support::migrated().await;
        Self {
            conn: support::client(&url).await,
            url,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// With so many entries, sealed and published.
    pub async fn with(number: u32) -> Self {
        let mut world = Self::empty().await;
        append(&mut world.conn, number).await;
        world.publish().await;
        world
    }

    pub fn places(&self) -> Places {
        Places {
            state: self.folder.path().to_owned(),
            published: None,
            credential: None,
        }
    }

    pub async fn log(&mut self) -> Log {
        let places = self.places();
        Log::open(&mut self.conn, &places).await.unwrap()
    }

    /// Seals, signs and publishes; answers the checkpoint.
    pub async fn publish(&mut self) -> String {
        let log = self.log().await;
        let signed = log.publish(&mut self.conn, noon()).await.unwrap();
        signed.unwrap().note
    }

    /// The keys of the state, and these checkpoints.
    pub async fn trust(&mut self, checkpoints: &[&str]) -> Trust {
        let origin = store::origin(&mut self.conn).await.unwrap();
        Trust {
            keys: self.places().keyring(&origin).public().unwrap(),
            checkpoints: checkpoints.iter().map(|&note| note.to_owned()).collect(),
        }
    }

    pub async fn verify(&mut self, checkpoints: &[&str]) -> Verification {
        let trust = self.trust(checkpoints).await;
        verify(&mut self.conn, &trust).await
    }

    /// What verification says after `sql`, done by a superuser without the triggers, and
    /// undone afterwards.
    pub async fn after(&mut self, sql: &str, trust: &Trust) -> Verification {
        let mut tx = self.conn.begin().await.unwrap();
        tamper(&mut tx, sql).await;
        let found = verify(&mut tx, trust).await;
        tx.rollback().await.unwrap();
        found
    }
}

pub async fn verify(conn: &mut PgConnection, trust: &Trust) -> Verification {
    store::verify(conn, trust, &Reading::Whole, |_| ())
        .await
        .unwrap()
}

/// As somebody who owns the database and takes the triggers away.
pub async fn tamper(conn: &mut PgConnection, sql: &str) {
    let text = format!(
        "ALTER TABLE retentiond.ledger_entry DISABLE TRIGGER USER;
         ALTER TABLE retentiond.ledger_manifest DISABLE TRIGGER USER;
         ALTER TABLE retentiond.ledger_seal DISABLE TRIGGER USER;
         ALTER TABLE retentiond.ledger_checkpoint DISABLE TRIGGER USER;
         SET LOCAL search_path = retentiond, pg_catalog;
         {sql};
         ALTER TABLE retentiond.ledger_entry ENABLE ALWAYS TRIGGER ledger_append_only;
         ALTER TABLE retentiond.ledger_manifest ENABLE ALWAYS TRIGGER ledger_append_only;
         ALTER TABLE retentiond.ledger_seal ENABLE ALWAYS TRIGGER ledger_append_only;
         ALTER TABLE retentiond.ledger_checkpoint ENABLE ALWAYS TRIGGER ledger_append_only"
    );
    sqlx::raw_sql(AssertSqlSafe(text))
        .execute(conn)
        .await
        .unwrap();
}
