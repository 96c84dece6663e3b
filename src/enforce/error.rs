//! What can stop a batch, sorted by what is to be done about it.

use crate::ident::ClassId;
use crate::ledger::store::LedgerError;
use crate::store::{self, LeaseError};

/// Why a class, or a pass, could not go on.
#[derive(Debug, thiserror::Error)]
pub enum EnforceError {
    /// A decision was taken, or a foreign key added, after the plan was drawn: draw it again.
    #[error("a decision was taken, or the tables were altered, since the plan was drawn")]
    Replan,
    /// The plan could not be drawn again.
    #[error("the plan could not be drawn again after a decision")]
    Redraw(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The lease is held by somebody else, or was lost.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// Something about single rows: the batch is halved until they are found.
    #[error("rows could not be dealt with ({0})")]
    Rows(String),
    /// Rows came to hang on what was being deleted, after those that hang on it were locked:
    /// the same batch finds them the next time.
    #[error("rows were added meanwhile that belong to what was being deleted")]
    Meanwhile,
    /// The database failed in a way that no smaller batch would cure.
    #[error("the database failed while {doing} ({reason})")]
    Database {
        /// What was tried.
        doing: &'static str,
        /// SQLSTATE and constraint, or the sort of connection failure.
        reason: String,
        /// Whether the connection is of no further use.
        lost: bool,
    },
    /// The ledger could not be written; nothing of the batch happened.
    #[error("the ledger entry could not be written")]
    Ledger(#[source] LedgerError),
    /// A class names a store that the settings do not have.
    #[error(transparent)]
    Store(#[from] crate::files::StoreError),
    /// An answer did not have the shape that the plan promised.
    #[error("class `{0}`: the database answered in another shape than planned")]
    Shape(ClassId),
}

impl EnforceError {
    /// Sorts a database's error.
    pub(super) fn from_sql(doing: &'static str, error: &sqlx::Error) -> Self {
        let reason = store::reason(error);
        if let sqlx::Error::Database(database) = error {
            let code = database.code().unwrap_or_default().into_owned();
            if is_about_rows(&code) {
                return Self::Rows(reason);
            }
            // 57P0x: the server is going down; 0A000: a kept statement no longer fits;
            // 08xxx: the protocol broke down.
            let lost = code.starts_with("57P") || code.starts_with("08") || code == "0A000";
            return Self::Database {
                doing,
                reason,
                lost,
            };
        }
        Self::Database {
            doing,
            reason,
            lost: true,
        }
    }
}

/// Whether a smaller batch can find a culprit: integrity (23), data (22), a trigger that
/// raised (P0001, 09, 27), a lock (55P03), a deadlock or serialisation failure (40), a
/// timeout (57014).
fn is_about_rows(code: &str) -> bool {
    matches!(code, "55P03" | "57014" | "55006" | "21000")
        || ["22", "23", "40", "09", "27", "P0", "44"]
            .iter()
            .any(|class| code.starts_with(class))
}

impl From<LedgerError> for EnforceError {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}
