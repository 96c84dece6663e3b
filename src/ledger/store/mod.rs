//! The ledger's tables: append, list, find, export, verify.
//!
//! Every statement stands here as a constant text, and a test prepares each one
//! against the migrated tables. Whoever appends owns the transaction; nothing here
//! begins, commits or retries one. Rows are streamed: what is held at a time is one
//! entry with its packed records, however long the ledger is.
//!
//! Reading trusts nothing that is stored: it decodes the entry's own bytes, and the
//! columns beside them only choose which rows are looked at. Whether both agree is
//! [`verify`]'s question.

mod append;
mod csv;
mod export;
mod find;
mod list;
mod verify;

pub use append::{append, next_entry_ids};
pub use export::{ExportFormat, export, export_json};
pub use find::{RecordLine, find_record};
pub use list::{Filter, Order, StoredEntry, list};
pub use verify::{FirstBad, Progress, Verdict, Verification, verify};

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
    /// The file or pipe that an export goes to.
    #[error("the export could not be written")]
    Output(#[source] std::io::Error),
}

impl LedgerError {
    fn reading(source: sqlx::Error) -> Self {
        Self::Database {
            what: "read",
            source,
        }
    }

    fn writing(source: sqlx::Error) -> Self {
        Self::Database {
            what: "written",
            source,
        }
    }
}

/// Every statement of this room, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[
    append::NEXT_IDS,
    append::INSERT_ENTRY,
    append::INSERT_ENTRY_AND_MANIFEST,
    list::OLDEST_FIRST,
    list::NEWEST_FIRST,
    find::FILTERS_OF_A_TABLE,
    find::ONE_MANIFEST,
    export::ENTRIES_WITH_RECORDS,
    verify::PAGE,
    verify::MANIFESTS_WITHOUT_ENTRY,
];
