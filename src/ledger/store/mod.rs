//! The ledger's tables: append, seal, list, find, export, verify.
//!
//! Every statement stands here as a constant text, and a test prepares each one
//! against the migrated tables. Whoever appends owns the transaction; only
//! sealing and signing make one of their own. Rows are streamed: what is held at a time is one
//! entry with its packed records, however long the ledger is.
//!
//! Reading trusts nothing that is stored: it decodes the entry's own bytes, and the
//! columns beside them only choose which rows are looked at. Whether both agree is
//! [`verify`]'s question.

mod append;
mod checkpoint;
mod cluster;
mod csv;
mod export;
mod find;
mod import;
mod list;
mod seal;
mod verify;

pub use append::{append, next_entry_ids};
pub use checkpoint::{Signed, checkpoint, checkpoint_over, latest_checkpoint, origin, was_signed};
pub use cluster::Cluster;
pub use csv::{CsvCell, write_csv_line};
pub(in crate::ledger) use export::parse_day;
pub use export::{ExportFormat, WithRecords, entries_with_records, export};
pub use find::{RecordLine, find_record};
pub use import::{Import, last_replayed, rename, sealed};
pub use list::{Filter, Order, StoredEntry, list};
pub(in crate::ledger) use seal::sealed_with_records;
pub use seal::{Head, consistency, head, inclusion, root_at, seal, size};
pub use verify::{Progress, Reading, verify};

use super::entry::{EntryError, EntryId};
use super::manifest::ManifestError;

/// What went wrong with the ledger. Never holds the key of a record.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// PostgreSQL, or the way to it.
    #[error("the ledger could not be {what}")]
    Database {
        /// `read` or `written`.
        what: &'static str,
        /// What PostgreSQL said.
        source: sqlx::Error,
    },
    /// A stored entry cannot be read.
    #[error("entry {entry} of the ledger cannot be read")]
    Entry {
        /// Which.
        entry: EntryId,
        /// Why.
        source: EntryError,
    },
    /// A stored manifest cannot be read.
    #[error("the records of entry {entry} of the ledger cannot be read")]
    Manifest {
        /// Of which entry.
        entry: EntryId,
        /// Why.
        source: ManifestError,
    },
    /// What was to be appended contradicts itself; nothing was written.
    #[error("entry {entry} was not written: {why}")]
    Inconsistent {
        /// Which.
        entry: EntryId,
        /// What does not fit.
        why: &'static str,
    },
    /// What is kept of the sealed log's tree is not whole. Verification says where.
    #[error("the sealed log is not whole: {0}")]
    Seal(&'static str),
    /// The database has other entries than the published log begins with.
    #[error("the entries of the database are not those that the published log begins with")]
    Begins,
    /// The database has given a lost entry's number to another one.
    #[error("the database has another entry of the number {0}, made after the backup")]
    Clash(EntryId),
    /// A key of another log.
    #[error("the signing key is that of the log {key}, and this log is {origin}")]
    OtherKey {
        /// The key's name.
        key: String,
        /// This log's name.
        origin: String,
    },
    /// The file or pipe that an export goes to.
    #[error("the export could not be written")]
    Output(#[source] std::io::Error),
}

impl LedgerError {
    pub(in crate::ledger) fn reading(source: sqlx::Error) -> Self {
        Self::Database {
            what: "read",
            source,
        }
    }

    pub(in crate::ledger) fn writing(source: sqlx::Error) -> Self {
        Self::Database {
            what: "written",
            source,
        }
    }
}

/// Every statement of this room, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[
    super::details::YEARS,
    super::details::HAS_DETAILS,
    checkpoint::ORIGIN,
    checkpoint::ONE,
    checkpoint::LATEST,
    checkpoint::FIRST_WITH,
    checkpoint::INSERT,
    cluster::CLUSTER,
    seal::SIZE,
    seal::SEALED_WITH_RECORDS,
    seal::NODES,
    seal::WAITING,
    seal::INSERT_SEALS,
    seal::NO_LONGER_WAITING,
    append::NEXT_IDS,
    append::INSERT_ENTRY,
    append::INSERT_ENTRY_AND_MANIFEST,
    list::OLDEST_FIRST,
    list::NEWEST_FIRST,
    find::FILTERS_OF_A_TABLE,
    find::ONE_MANIFEST,
    export::ENTRIES_WITH_RECORDS,
    import::IMPORT_ENTRY,
    import::BODY,
    import::IMPORT_MANIFEST,
    import::SEQUENCES,
    import::REPLAYED,
    import::NEW_ORIGIN,
    verify::SEALED,
    verify::UNSEALED,
    verify::CHECKPOINTS,
    verify::KEY_CHANGES,
    verify::MANIFESTS_WITHOUT_ENTRY,
];
