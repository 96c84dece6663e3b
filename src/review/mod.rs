//! What people decide, as rows with an actor and a reason, under the decisions' lock.
//!
//! Every decision takes the exclusive lock, and so waits for the batches in hand, and
//! increments the epoch, so that every later batch of an older plan stops. Nothing here
//! touches an organisation's tables. The ledger's entry of a decision names neither the
//! matter nor people: it has a hash over those words, whose salt lies beside them.

mod acceptance;
mod hold;
mod instruction;
mod operator;
mod pause;
mod processor;
mod queue;
mod replay;
mod subject;

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::{Connection, PgConnection, Transaction};

pub use acceptance::{
    AcceptedPlan, DueBeforeAndAfter, How, NewLift, NewVersion, bring_into_force, lift_limits,
};
pub use hold::{
    Form, Hold, NewHold, Scope, find_hold, holds, note_expired, place_hold, release_hold,
};
pub use instruction::{Instruction, NewInstruction, instruct, instructions, withdraw};
pub use operator::{Operator, Role, add_operator, operators, remove_operator, roles_of};
pub use pause::{Pause, pause, pauses, resume};
pub use processor::{NewConfirmation, NewOrder, confirm_order, issue_order};
pub use queue::{Decision, NewReview, ReviewedRecord, review};
pub use replay::{LostDecisions, Restored, decide_again, restore, stop_until_accepted};
pub use subject::{
    Erasure, LookedFor, NewErasure, erasures, fulfil, know_returned, note_looked, request_erasure,
    suppose_erasure, withdraw_erasure,
};

use crate::catalog::{self, CatalogError, Sort};
use crate::ident::TableName;
use crate::ledger::{
    self, Action, Entry, EntryId, KeyColumn, KeyColumns, KeyKind, Manifest, ManifestBuilder,
    RecordKey,
};
use crate::store;

/// Why a decision was not recorded.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    /// The database refused.
    #[error("could not record the decision")]
    Database(#[from] sqlx::Error),
    /// Its ledger entry could not be written.
    #[error("could not write the decision's ledger entry")]
    Ledger(#[from] ledger::store::LedgerError),
    /// The key of the record's table could not be read.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The system gave no random numbers for the entry's records.
    #[error("the system gives no random numbers: {0}")]
    Random(getrandom::Error),
    /// There is no such open hold.
    #[error("there is no open hold {0}")]
    NoHold(i64),
    /// No instruction for the class is in force.
    #[error("no instruction for class `{0}` is in force")]
    NoInstruction(String),
    /// There is no request for erasure of that sort about the person.
    #[error("there is no such request for erasure about that person")]
    NoErasure,
    /// No instruction to destroy is open for the class.
    #[error("no instruction to destroy is open for class `{0}`")]
    NoOrder(String),
    /// Somebody decided something since the plan was drawn.
    #[error("somebody decided something since the plan was drawn")]
    Decided,
    /// Nothing of that name is paused.
    #[error("{0} is not paused")]
    NotPaused(String),
    /// There is no such operator.
    #[error("there is no operator `{0}` with that role")]
    NoOperator(String),
    /// Whoever removed it would leave nobody who can add another.
    #[error("`{0}` is the last administrator")]
    LastAdministrator(String),
    /// A key of a record does not fit its table.
    #[error("a record's key does not fit the key of table {0}")]
    Key(TableName),
    /// Another version of the schedule came into force while this one was looked at.
    #[error("another version of the schedule came into force meanwhile")]
    Overtaken,
}

/// A transaction that records a decision: it has the decisions' lock and a new epoch.
async fn begin(conn: &mut PgConnection) -> Result<Transaction<'_, sqlx::Postgres>, sqlx::Error> {
    let mut tx = conn.begin().await?;
    decide(&mut tx).await?;
    Ok(tx)
}

/// The lock and the epoch that every decision takes.
async fn decide(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query(store::DECISIONS_EXCLUSIVE)
        .execute(&mut *conn)
        .await?;
    sqlx::query("UPDATE retentiond.decision_epoch SET epoch = epoch + 1")
        .execute(conn)
        .await
        .map(drop)
}

/// A salt of its own for the words of one decision.
fn salt() -> Result<[u8; 32], ReviewError> {
    let mut salt = [0; 32];
    getrandom::fill(&mut salt).map_err(ReviewError::Random)?;
    Ok(salt)
}

/// What an entry says of a decision, beside what every entry says.
#[derive(Default)]
struct Said<'a> {
    class: Option<&'a str>,
    table: Option<&'a TableName>,
    /// How many records it is about.
    count: u64,
    records: Option<&'a Manifest>,
    detail: BTreeMap<String, String>,
}

impl<'a> Said<'a> {
    fn detail(mut self, name: &str, value: impl ToString) -> Self {
        self.detail.insert(name.to_owned(), value.to_string());
        self
    }

    fn day(self, name: &str, day: Option<NaiveDate>) -> Self {
        match day {
            Some(day) => self.detail(name, day),
            None => self,
        }
    }

    /// The hash over the words that stay with the decision.
    fn words(self, salt: &[u8; 32], words: &[(&str, &str)]) -> Self {
        let hash = ledger::commitment(salt, words.iter().copied());
        self.detail("commitment", hex::encode(hash))
    }

    fn records(mut self, records: Option<&'a Manifest>) -> Self {
        self.count = records.map_or(0, |records| records.count);
        self.records = records;
        self
    }
}

/// Appends the entry of a decision.
async fn note(
    tx: &mut PgConnection,
    action: Action,
    said: Said<'_>,
    actor: &str,
    now: DateTime<Utc>,
) -> Result<(), ReviewError> {
    for id in ledger::store::next_entry_ids(tx, 1).await? {
        let entry = entry(id, action, &said, actor, now);
        ledger::store::append(tx, &entry, said.records).await?;
    }
    Ok(())
}

/// The entry that says so.
fn entry(id: EntryId, action: Action, said: &Said<'_>, actor: &str, now: DateTime<Utc>) -> Entry {
    let mut entry = Entry::new(id, now, action, actor);
    entry.class = said.class.and_then(crate::ident::ClassId::new);
    entry.table = said.table.cloned();
    entry.count = said.count;
    entry.manifest = said.records.map(|records| records.root);
    entry.detail.clone_from(&said.detail);
    entry
}

/// Records as an entry's manifest, each with its trigger and last day where it has them.
/// `None` where the table has no key, or a record's does not fit it.
async fn manifest<'k>(
    conn: &mut PgConnection,
    table: &TableName,
    records: impl Iterator<Item = (&'k RecordKey, Option<NaiveDate>, Option<NaiveDate>)>,
) -> Result<Option<Manifest>, ReviewError> {
    let columns = catalog::key_of(conn, table).await?;
    let columns = columns.into_iter().map(|(name, sort)| KeyColumn {
        name,
        kind: match sort {
            Sort::Integer => KeyKind::Int,
            _ => KeyKind::Text,
        },
    });
    let Ok(columns) = KeyColumns::new(columns.collect()) else {
        return Ok(None);
    };
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(ReviewError::Random)?;
    let mut manifest = ManifestBuilder::new(columns.clone(), None, seed);
    for (key, trigger, last_day) in records {
        let Ok(key) = RecordKey::from_texts(&columns, &key.to_texts()) else {
            return Ok(None);
        };
        let (trigger, last_day) = (days(trigger), days(last_day));
        if manifest
            .push(key.values(), trigger, last_day, None)
            .is_err()
        {
            return Ok(None);
        }
    }
    Ok(Some(manifest.finish()))
}

/// A day as a manifest has it.
fn days(day: Option<NaiveDate>) -> Option<i32> {
    let since = day?.signed_duration_since(NaiveDate::default());
    i32::try_from(since.num_days()).ok()
}
